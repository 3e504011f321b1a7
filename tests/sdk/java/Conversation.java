// One conversation with the Assistants API through the official Java client. Only the base URL is
// changed.
//
// The client itself reads OPENAI_BASE_URL and OPENAI_API_KEY. The program prints the completed
// parts. The first unexpected result is printed and ends the program with status 1. `validate`
// checks responses against the client's own models. Messages are an exception: the API shows them
// without a status, and these models require one.

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.MultipartField;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.models.ChatModel;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.beta.assistants.AssistantCreateParams;
import com.openai.models.beta.assistants.AssistantStreamEvent;
import com.openai.models.beta.assistants.FileSearchTool;
import com.openai.models.beta.threads.messages.FileCitationAnnotation;
import com.openai.models.beta.threads.messages.Message;
import com.openai.models.beta.threads.messages.MessageCreateParams;
import com.openai.models.beta.threads.messages.MessageListParams;
import com.openai.models.beta.threads.messages.Text;
import com.openai.models.beta.threads.runs.RequiredActionFunctionToolCall;
import com.openai.models.beta.threads.runs.Run;
import com.openai.models.beta.threads.runs.RunCreateParams;
import com.openai.models.beta.threads.runs.RunRetrieveParams;
import com.openai.models.beta.threads.runs.RunStatus;
import com.openai.models.beta.threads.runs.RunSubmitToolOutputsParams;
import com.openai.models.beta.threads.runs.steps.RunStep;
import com.openai.models.beta.threads.runs.steps.StepListParams;
import com.openai.models.files.FileCreateParams;
import com.openai.models.files.FileObject;
import com.openai.models.files.FilePurpose;
import com.openai.models.vectorstores.VectorStore;
import com.openai.models.vectorstores.VectorStoreCreateParams;
import com.openai.models.vectorstores.files.FileContentParams;
import com.openai.models.vectorstores.files.FileRetrieveParams;
import com.openai.models.vectorstores.files.VectorStoreFile;
import com.openai.services.blocking.beta.ThreadService;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

@SuppressWarnings("deprecation") // The client marks the whole API as deprecated.
public final class Conversation {
    private static final String EQUATION = "I need to solve the equation `3x + 11 = 14`. Can you help me?";
    private static final String JANE = "Please address the user as Jane Doe.";
    private static final List<String> FUNCTIONS = List.of("getCurrentWeather", "getNickname");
    private static final Map<String, String> OUTPUTS = Map.of("getCurrentWeather", "21 degrees", "getNickname", "Fog City");

    private final OpenAIClient client = OpenAIOkHttpClient.fromEnv();
    private final ThreadService threads = client.beta().threads();

    public static void main(String[] arguments) {
        try {
            new Conversation().hold();
        } catch (Throwable failed) {
            System.err.println("The conversation failed: " + failed);
            failed.printStackTrace();
            System.exit(1);
        }
        System.out.println("openai-java: plain, function, stream, file, pages, error");
    }

    private void hold() throws Exception {
        String tutor = create(assistant("Math Tutor"));
        AssistantCreateParams.Builder weather = assistant("Weather Bot");
        for (String name : FUNCTIONS) {
            FunctionParameters parameters = FunctionParameters.builder()
                    .putAdditionalProperty("type", JsonValue.from("object"))
                    .putAdditionalProperty("properties", JsonValue.from(Map.of("location", Map.of("type", "string"))))
                    .putAdditionalProperty("required", JsonValue.from(List.of("location")))
                    .build();
            weather.addFunctionTool(FunctionDefinition.builder().name(name).parameters(parameters).build());
        }
        String bot = create(weather);
        plain(tutor);
        function(bot);
        stream(tutor, bot);
        file();
        pages();
        refusal();
    }

    private void plain(String tutor) throws Exception {
        String thread = ask(EQUATION);
        RunCreateParams wanted = RunCreateParams.builder().assistantId(tutor).instructions(JANE).build();
        Run run = finished(threads.runs().create(thread, wanted));
        equal("the status", run.status(), RunStatus.COMPLETED);
        Run.Usage usage = run.usage().orElseThrow();
        equal("the usage", usage.totalTokens(), usage.promptTokens() + usage.completionTokens());
        List<Text> said = answers(thread);
        equal("the number of answers", said.size(), 2);
        check(said.get(0).value().contains("Jane Doe"), said.get(0).value());
        equal("the answer", said.get(1).value(), "x = 1");
        StepListParams steps = StepListParams.builder().threadId(thread).build();
        List<RunStep.Type> types = threads.runs().steps().list(run.id(), steps).autoPager().stream()
                .map(step -> step.validate().type())
                .toList();
        equal("the types of the steps", types, List.of(RunStep.Type.MESSAGE_CREATION, RunStep.Type.MESSAGE_CREATION));
    }

    private void function(String bot) throws Exception {
        String thread = ask("What's the weather in San Francisco?");
        Run run = finished(threads.runs().create(thread, RunCreateParams.builder().assistantId(bot).build()));
        run = finished(threads.runs().submitToolOutputs(run.id(), outputs(run, "San Francisco")));
        equal("the status", run.status(), RunStatus.COMPLETED);
        equal("the answer", answers(thread).get(0).value(), "The weather in San Francisco, also known as Fog City: 21 degrees");
    }

    private void stream(String tutor, String bot) {
        String thread = ask(EQUATION);
        RunCreateParams wanted = RunCreateParams.builder().assistantId(tutor).instructions(JANE).build();
        List<AssistantStreamEvent> events = all(threads.runs().createStreaming(thread, wanted));
        check(events.get(0).isThreadRunCreated(), events.get(0));
        check(last(events).isThreadRunCompleted(), last(events));
        String stored = answers(thread).stream().map(Text::value).collect(Collectors.joining());
        equal("the deltas", text(events), stored);
        check(stored.endsWith("x = 1"), stored);

        thread = ask("What's the weather in Oslo?");
        events = all(threads.runs().createStreaming(thread, RunCreateParams.builder().assistantId(bot).build()));
        equal("the text before the calls", text(events), "");
        Run run = last(events).asThreadRunRequiresAction().data();
        events = all(threads.runs().submitToolOutputsStreaming(run.id(), outputs(run, "Oslo")));
        check(last(events).isThreadRunCompleted(), last(events));
        equal("the deltas", text(events), "The weather in Oslo, also known as Fog City: 21 degrees");
        equal("the stored message", answers(thread).get(0).value(), text(events));
    }

    private void file() throws Exception {
        String text = "Our refund policy.\n\nRefunds are paid within 14 days of the return.\n";
        MultipartField<InputStream> content = MultipartField.<InputStream>builder()
                .value(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)))
                .filename("refunds.txt")
                .contentType("text/plain")
                .build();
        FileCreateParams upload = FileCreateParams.builder().file(content).purpose(FilePurpose.ASSISTANTS).build();
        FileObject uploaded = client.files().create(upload).validate();
        FileObject retrieved = client.files().retrieve(uploaded.id()).validate();
        equal("the name of the file", retrieved.filename(), "refunds.txt");
        equal("the size of the file", retrieved.bytes(), (long) text.length());
        // The API returns the content of such a file only from a vector store.
        refused(BadRequestException.class, () -> client.files().content(uploaded.id()));

        VectorStoreCreateParams policies = VectorStoreCreateParams.builder().name("Policies").addFileId(uploaded.id()).build();
        VectorStore store = client.vectorStores().create(policies).validate();
        FileRetrieveParams same = FileRetrieveParams.builder().vectorStoreId(store.id()).build();
        VectorStoreFile stored = client.vectorStores().files().retrieve(uploaded.id(), same).validate();
        for (int polls = 0; polls < 200 && stored.status().equals(VectorStoreFile.Status.IN_PROGRESS); polls++) {
            Thread.sleep(50);
            stored = client.vectorStores().files().retrieve(uploaded.id(), same).validate();
        }
        equal("the status of the file", stored.status(), VectorStoreFile.Status.COMPLETED);
        FileContentParams within = FileContentParams.builder().vectorStoreId(store.id()).build();
        String indexed = client.vectorStores().files().content(uploaded.id(), within).items().get(0).text().orElseThrow();
        equal("the content", indexed, text);
        AssistantCreateParams.ToolResources.FileSearch search =
                AssistantCreateParams.ToolResources.FileSearch.builder().addVectorStoreId(store.id()).build();
        String bot = create(assistant("Support Bot")
                .addTool(FileSearchTool.builder().build())
                .toolResources(AssistantCreateParams.ToolResources.builder().fileSearch(search).build()));
        String thread = ask("How fast are refunds paid?");
        Run run = finished(threads.runs().create(thread, RunCreateParams.builder().assistantId(bot).build()));
        equal("the status", run.status(), RunStatus.COMPLETED);
        Text answer = answers(thread).get(0);
        check(answer.value().contains("Refunds are paid within 14 days of the return."), answer.value());
        equal("the number of citations", answer.annotations().size(), 1);
        FileCitationAnnotation citation = answer.annotations().get(0).asFileCitation();
        equal("the cited file", citation.fileCitation().fileId(), uploaded.id());
        check(citation.text().endsWith("†refunds.txt】"), citation.text());
        String place = answer.value().substring((int) citation.startIndex(), (int) citation.endIndex());
        equal("the cited place", place, citation.text());
    }

    private void pages() {
        String thread = threads.create().validate().id();
        List<String> said = IntStream.range(0, 5).mapToObj(number -> "Message " + number).toList();
        said.forEach(text -> say(thread, text));
        List<Message> messages = listed(thread, 2);
        List<String> texts = messages.stream().map(message -> message.content().get(0).asText().text().value()).toList();
        equal("the messages", texts, said);
        equal("the number of ids", messages.stream().map(Message::id).distinct().count(), 5L);
    }

    private void refusal() throws Exception {
        NotFoundException error = refused(NotFoundException.class, () -> threads.retrieve("thread_nobody"));
        equal("the status", error.statusCode(), 404);
        equal("the type", error.type().orElse(null), "invalid_request_error");
        equal("the message", error.getMessage(), "404: No thread found with id 'thread_nobody'.");
    }

    /**
     * The base of every assistant. The client's models do not accept the `null` of a run without
     * instructions, either.
     */
    private static AssistantCreateParams.Builder assistant(String name) {
        return AssistantCreateParams.builder().model(ChatModel.GPT_4O).name(name).instructions("You are the " + name + ".");
    }

    private String create(AssistantCreateParams.Builder assistant) {
        return client.beta().assistants().create(assistant.build()).validate().id();
    }

    /** Adds a message of the user to a thread. */
    private void say(String thread, String text) {
        MessageCreateParams wanted = MessageCreateParams.builder().role(MessageCreateParams.Role.USER).content(text).build();
        Message message = threads.messages().create(thread, wanted);
        equal("the role", message.role(), Message.Role.USER);
        equal("the message", message.content().get(0).asText().text().value(), text);
    }

    /** Starts a thread with a message of the user. */
    private String ask(String text) {
        String thread = threads.create().validate().id();
        say(thread, text);
        return thread;
    }

    /**
     * Polls a run until it waits for the client or has ended: this client has no helper for that.
     */
    private Run finished(Run run) throws InterruptedException {
        RunRetrieveParams same = RunRetrieveParams.builder().threadId(run.threadId()).build();
        for (int polls = 0; polls < 200; polls++) {
            run.validate();
            if (!run.status().equals(RunStatus.QUEUED) && !run.status().equals(RunStatus.IN_PROGRESS)) return run;
            Thread.sleep(50);
            run = threads.runs().retrieve(run.id(), same);
        }
        throw new AssertionError("a run does not end: " + run);
    }

    /** The messages of a thread, oldest first, from all pages. */
    private List<Message> listed(String thread, long limit) {
        MessageListParams wanted = MessageListParams.builder().limit(limit).order(MessageListParams.Order.ASC).build();
        return threads.messages().list(thread, wanted).autoPager().stream().toList();
    }

    /** The assistant's texts in a thread, oldest first. */
    private List<Text> answers(String thread) {
        return listed(thread, 100).stream()
                .filter(message -> message.role().equals(Message.Role.ASSISTANT))
                .map(message -> message.content().get(0).asText().text())
                .toList();
    }

    /** The outputs for the function calls of a run. */
    private static RunSubmitToolOutputsParams outputs(Run run, String place) {
        equal("the status", run.status(), RunStatus.REQUIRES_ACTION);
        RunSubmitToolOutputsParams.Builder outputs = RunSubmitToolOutputsParams.builder().threadId(run.threadId());
        List<RequiredActionFunctionToolCall> calls = run.requiredAction().orElseThrow().submitToolOutputs().toolCalls();
        equal("the functions", calls.stream().map(call -> call.function().name()).toList(), FUNCTIONS);
        for (RequiredActionFunctionToolCall call : calls) {
            equal("the arguments", call.function().arguments().replace(": ", ":"), "{\"location\":\"" + place + "\"}");
            outputs.addToolOutput(RunSubmitToolOutputsParams.ToolOutput.builder()
                    .toolCallId(call.id())
                    .output(OUTPUTS.get(call.function().name()))
                    .build());
        }
        return outputs.build();
    }

    /** Reads a stream to its end. */
    private static List<AssistantStreamEvent> all(StreamResponse<AssistantStreamEvent> stream) {
        try (stream) {
            return stream.stream().map(AssistantStreamEvent::validate).toList();
        }
    }

    private static AssistantStreamEvent last(List<AssistantStreamEvent> events) {
        return events.get(events.size() - 1);
    }

    /** The text of the messages in a stream. */
    private static String text(List<AssistantStreamEvent> events) {
        StringBuilder text = new StringBuilder();
        for (AssistantStreamEvent event : events) {
            event.threadMessageDelta().ifPresent(wrapped -> wrapped.data().delta().content().orElse(List.of()).forEach(
                    part -> part.text().flatMap(block -> block.text()).flatMap(delta -> delta.value()).ifPresent(text::append)));
        }
        return text.toString();
    }

    /** The error of a call that has to fail. */
    private static <E extends Exception> E refused(Class<E> type, Callable<?> call) throws Exception {
        try {
            throw new AssertionError("not refused: " + call.call());
        } catch (Exception error) {
            if (type.isInstance(error)) return type.cast(error);
            throw error;
        }
    }

    private static void check(boolean holds, Object said) {
        if (!holds) throw new AssertionError(said);
    }

    private static void equal(String what, Object is, Object wanted) {
        check(Objects.equals(is, wanted), what + ": " + is + " instead of " + wanted);
    }
}
