// Responses and Conversations through the official Java client. Only the base URL is changed.
//
// The client itself reads OPENAI_BASE_URL and OPENAI_API_KEY. The first unexpected result is
// printed and ends the program with status 1. `validate` checks responses against the client's own
// models.

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.NotFoundException;
import com.openai.models.ChatModel;
import com.openai.models.responses.FunctionTool;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseStatus;
import com.openai.models.responses.ResponseStreamEvent;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

@SuppressWarnings("deprecation") // The client marks function outputs without a name as deprecated.
public final class Responses {
    private static final String GREETING = "Hello! How can I help you today?";
    private static final String WEATHER = "It is cold and cold.";

    private final OpenAIClient client = OpenAIOkHttpClient.fromEnv();

    public static void main(String[] arguments) {
        try {
            new Responses().hold();
        } catch (Throwable failed) {
            System.err.println("The responses failed: " + failed);
            failed.printStackTrace();
            System.exit(1);
        }
        System.out.println("openai-java: responses, streams, functions, background, conversations");
    }

    private void hold() {
        kept();
        streamed();
        called();
        background();
    }

    private void kept() {
        Response response = create(asked().input("Hello"));
        equal("the text", text(response), GREETING);
        equal("the response", text(client.responses().retrieve(response.id())), GREETING);
        long items = client.responses().inputItems().list(response.id()).autoPager().stream().count();
        equal("the number of items", items, 1L);
        client.responses().delete(response.id());
        try {
            client.responses().retrieve(response.id());
        } catch (NotFoundException gone) {
            return;
        }
        throw new AssertionError("a deleted response is there");
    }

    private void streamed() {
        StringBuilder text = new StringBuilder();
        try (StreamResponse<ResponseStreamEvent> events = client.responses().createStreaming(asked().input("Hello").build())) {
            events.stream()
                    .map(ResponseStreamEvent::validate)
                    .flatMap(event -> event.outputTextDelta().stream())
                    .forEach(delta -> text.append(delta.delta()));
        }
        equal("the text", text.toString(), GREETING);
    }

    private void called() {
        Response first = create(asked().input("Look at the weather."));
        equal("by a chain", text(create(asked().inputOfResponse(given(first)).previousResponseId(first.id()))), WEATHER);
        String conversation = client.conversations().create().id();
        first = create(asked().input("Look at the weather.").conversation(conversation));
        equal("by a conversation", text(create(asked().inputOfResponse(given(first)).conversation(conversation))), WEATHER);
        long items = client.conversations().items().list(conversation).autoPager().stream().count();
        equal("the number of items", items, 7L);
        equal("whether it is deleted", client.conversations().delete(conversation).deleted(), true);
    }

    private void background() {
        Response hanging = create(asked().input("Hang on.").background(true));
        equal("the status", client.responses().cancel(hanging.id()).status().orElseThrow(), ResponseStatus.CANCELLED);
        Response response = create(asked().input("Hello").background(true));
        for (int left = 200; left > 0; left--) {
            if (response.status().orElseThrow().equals(ResponseStatus.COMPLETED)) {
                return;
            }
            response = client.responses().retrieve(response.id());
        }
        throw new AssertionError("a response does not end: " + response);
    }

    private static ResponseCreateParams.Builder asked() {
        FunctionTool.Parameters parameters = FunctionTool.Parameters.builder()
                .putAdditionalProperty("type", JsonValue.from("object"))
                .putAdditionalProperty("properties", JsonValue.from(Map.of("city", Map.of("type", "string"))))
                .build();
        FunctionTool look = FunctionTool.builder().name("look").parameters(parameters).strict(false).build();
        return ResponseCreateParams.builder().model(ChatModel.GPT_4O).addTool(look);
    }

    private Response create(ResponseCreateParams.Builder asked) {
        return client.responses().create(asked.build()).validate();
    }

    /** Outputs for all calls of a response. */
    private static List<ResponseInputItem> given(Response response) {
        return response.output().stream()
                .flatMap(item -> item.functionCall().stream())
                .map(call -> ResponseInputItem.ofFunctionCallOutput(
                        ResponseInputItem.FunctionCallOutput.builder().callId(call.callId()).output("cold").build()))
                .toList();
    }

    private static String text(Response response) {
        return response.output().stream()
                .flatMap(item -> item.message().stream())
                .flatMap(message -> message.content().stream())
                .flatMap(content -> content.outputText().stream())
                .map(text -> text.text())
                .collect(Collectors.joining());
    }

    private static void equal(String what, Object is, Object wanted) {
        if (!Objects.equals(is, wanted)) {
            throw new AssertionError(what + ": " + is + " instead of " + wanted);
        }
    }
}
