// One conversation with the Assistants API through the official Go client. Only the base URL is
// changed.
//
// The client itself reads OPENAI_BASE_URL and OPENAI_API_KEY. The program prints the completed
// parts. The first unexpected result is printed and ends the program with status 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

const (
	equation = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
	jane     = "Please address the user as Jane Doe."
)

var (
	ctx       = context.Background()
	client    = openai.NewClient()
	threads   = client.Beta.Threads
	functions = []string{"getCurrentWeather", "getNickname"}
	outputs   = map[string]string{"getCurrentWeather": "21 degrees", "getNickname": "Fog City"}
)

// check ends the program if a condition is false.
func check(holds bool, said ...any) {
	if !holds {
		panic(fmt.Sprint(said...))
	}
}

// equal ends the program if two values differ.
func equal(what string, is, want any) {
	check(reflect.DeepEqual(is, want), fmt.Sprintf("%s: %#v instead of %#v", what, is, want))
}

// must returns the result of a call that has to succeed.
func must[T any](result T, err error) T {
	var refused *openai.Error
	if errors.As(err, &refused) {
		// The text of this error does not contain the response of the server.
		err = fmt.Errorf("%w: %s", err, refused.RawJSON())
	}
	check(err == nil, err)
	return result
}

func create(params openai.BetaAssistantNewParams) string {
	params.Model = openai.ChatModelGPT4o
	return must(client.Beta.Assistants.New(ctx, params)).ID
}

func weatherBot() string {
	params := openai.BetaAssistantNewParams{Name: openai.String("Weather Bot")}
	for _, name := range functions {
		params.Tools = append(params.Tools, openai.AssistantToolParamOfFunction(openai.FunctionDefinitionParam{
			Name: name,
			Parameters: openai.FunctionParameters{
				"type":       "object",
				"properties": map[string]any{"location": map[string]string{"type": "string"}},
				"required":   []string{"location"},
			},
		}))
	}
	return create(params)
}

// say adds a message of the user to a thread.
func say(thread, text string) {
	message := must(threads.Messages.New(ctx, thread, openai.BetaThreadMessageNewParams{
		Role:    openai.BetaThreadMessageNewParamsRoleUser,
		Content: openai.BetaThreadMessageNewParamsContentUnion{OfString: openai.String(text)},
	}))
	equal("the role", message.Role, openai.MessageRoleUser)
	equal("the message", message.Content[0].Text.Value, text)
}

// ask starts a thread with a message of the user.
func ask(text string) string {
	thread := must(threads.New(ctx, openai.BetaThreadNewParams{})).ID
	say(thread, text)
	return thread
}

// wait polls a run until it waits for the client or has ended: this client has no helper for that.
func wait(run *openai.Run) *openai.Run {
	for range 200 {
		if run.Status != openai.RunStatusQueued && run.Status != openai.RunStatusInProgress {
			return run
		}
		time.Sleep(50 * time.Millisecond)
		run = must(threads.Runs.Get(ctx, run.ThreadID, run.ID))
	}
	panic(fmt.Sprint("a run does not end: ", run.RawJSON()))
}

// listed returns the messages of a thread, oldest first, from all pages.
func listed(thread string, limit int64) []openai.Message {
	var messages []openai.Message
	pager := threads.Messages.ListAutoPaging(ctx, thread, openai.BetaThreadMessageListParams{
		Limit: openai.Int(limit),
		Order: openai.BetaThreadMessageListParamsOrderAsc,
	})
	for pager.Next() {
		messages = append(messages, pager.Current())
	}
	must(0, pager.Err())
	return messages
}

// answers returns the assistant's texts in a thread, oldest first.
func answers(thread string) (texts []openai.Text) {
	for _, message := range listed(thread, 100) {
		if message.Role == openai.MessageRoleAssistant {
			texts = append(texts, message.Content[0].Text)
		}
	}
	return texts
}

// submitted returns the outputs for the function calls of a run.
func submitted(run *openai.Run, place string) (params openai.BetaThreadRunSubmitToolOutputsParams) {
	equal("the status", run.Status, openai.RunStatusRequiresAction)
	calls := run.RequiredAction.SubmitToolOutputs.ToolCalls
	equal("the number of calls", len(calls), len(functions))
	for index, call := range calls {
		equal("the function", call.Function.Name, functions[index])
		var arguments map[string]string
		must(0, json.Unmarshal([]byte(call.Function.Arguments), &arguments))
		equal("the arguments", arguments, map[string]string{"location": place})
		params.ToolOutputs = append(params.ToolOutputs, openai.BetaThreadRunSubmitToolOutputsParamsToolOutput{
			ToolCallID: openai.String(call.ID),
			Output:     openai.String(outputs[call.Function.Name]),
		})
	}
	return params
}

// follow reads a stream of a run to its end. It returns the text of the messages, and the last
// event.
func follow(first string, stream *ssestream.Stream[openai.AssistantStreamEventUnion]) (string, openai.AssistantStreamEventUnion) {
	defer stream.Close()
	var text strings.Builder
	var events []openai.AssistantStreamEventUnion
	for stream.Next() {
		event := stream.Current()
		events = append(events, event)
		if delta, is := event.AsAny().(openai.AssistantStreamEventThreadMessageDelta); is {
			for _, content := range delta.Data.Delta.Content {
				text.WriteString(content.Text.Value)
			}
		}
	}
	must(0, stream.Err())
	check(len(events) > 0, "a stream without events")
	equal("the first event", events[0].Event, first)
	return text.String(), events[len(events)-1]
}

func plain(tutor string) {
	thread := ask(equation)
	run := wait(must(threads.Runs.New(ctx, thread, openai.BetaThreadRunNewParams{
		AssistantID:  tutor,
		Instructions: openai.String(jane),
	})))
	equal("the status", run.Status, openai.RunStatusCompleted)
	equal("the usage", run.Usage.TotalTokens, run.Usage.PromptTokens+run.Usage.CompletionTokens)
	said := answers(thread)
	equal("the number of answers", len(said), 2)
	check(strings.Contains(said[0].Value, "Jane Doe"), said[0].Value)
	equal("the answer", said[1].Value, "x = 1")
	steps := must(threads.Runs.Steps.List(ctx, thread, run.ID, openai.BetaThreadRunStepListParams{})).Data
	equal("the number of steps", len(steps), 2)
	for _, step := range steps {
		equal("the type of a step", step.Type, openai.RunStepTypeMessageCreation)
	}
}

func function(bot string) {
	thread := ask("What's the weather in San Francisco?")
	run := wait(must(threads.Runs.New(ctx, thread, openai.BetaThreadRunNewParams{AssistantID: bot})))
	run = wait(must(threads.Runs.SubmitToolOutputs(ctx, thread, run.ID, submitted(run, "San Francisco"))))
	equal("the status", run.Status, openai.RunStatusCompleted)
	equal("the answer", answers(thread)[0].Value, "The weather in San Francisco, also known as Fog City: 21 degrees")
}

func streams(tutor, bot string) {
	thread := ask(equation)
	text, last := follow("thread.run.created", threads.Runs.NewStreaming(ctx, thread, openai.BetaThreadRunNewParams{
		AssistantID:  tutor,
		Instructions: openai.String(jane),
	}))
	equal("the last event", last.Event, "thread.run.completed")
	var stored strings.Builder
	for _, answer := range answers(thread) {
		stored.WriteString(answer.Value)
	}
	equal("the deltas", text, stored.String())
	check(strings.HasSuffix(text, "x = 1"), text)

	thread = ask("What's the weather in Oslo?")
	wanted := openai.BetaThreadRunNewParams{AssistantID: bot}
	text, last = follow("thread.run.created", threads.Runs.NewStreaming(ctx, thread, wanted))
	equal("the text before the calls", text, "")
	equal("the last event", last.Event, "thread.run.requires_action")
	run := last.AsThreadRunRequiresAction().Data
	stream := threads.Runs.SubmitToolOutputsStreaming(ctx, thread, run.ID, submitted(&run, "Oslo"))
	text, last = follow("thread.run.step.completed", stream)
	equal("the last event", last.Event, "thread.run.completed")
	equal("the deltas", text, "The weather in Oslo, also known as Fog City: 21 degrees")
	equal("the stored message", answers(thread)[0].Value, text)
}

func file() {
	text := "Our refund policy.\n\nRefunds are paid within 14 days of the return.\n"
	uploaded := must(client.Files.New(ctx, openai.FileNewParams{
		File:    openai.File(strings.NewReader(text), "refunds.txt", "text/plain"),
		Purpose: openai.FilePurposeAssistants,
	}))
	retrieved := must(client.Files.Get(ctx, uploaded.ID))
	equal("the name of the file", retrieved.Filename, "refunds.txt")
	equal("the size of the file", retrieved.Bytes, int64(len(text)))
	// The API returns the content of such a file only from a vector store.
	_, err := client.Files.Content(ctx, uploaded.ID)
	var refused *openai.Error
	check(errors.As(err, &refused), "the content of the file: ", err)
	equal("the status", refused.StatusCode, 400)

	store := must(client.VectorStores.New(ctx, openai.VectorStoreNewParams{
		Name:    openai.String("Policies"),
		FileIDs: []string{uploaded.ID},
	}))
	indexed := must(client.VectorStores.Files.PollStatus(ctx, store.ID, uploaded.ID, 50))
	equal("the status of the file", indexed.Status, openai.VectorStoreFileStatusCompleted)
	equal("the content", must(client.VectorStores.Files.Content(ctx, store.ID, uploaded.ID)).Data[0].Text, text)
	bot := create(openai.BetaAssistantNewParams{
		Name:  openai.String("Support Bot"),
		Tools: []openai.AssistantToolUnionParam{{OfFileSearch: &openai.FileSearchToolParam{}}},
		ToolResources: openai.BetaAssistantNewParamsToolResources{
			FileSearch: openai.BetaAssistantNewParamsToolResourcesFileSearch{VectorStoreIDs: []string{store.ID}},
		},
	})
	thread := ask("How fast are refunds paid?")
	run := wait(must(threads.Runs.New(ctx, thread, openai.BetaThreadRunNewParams{AssistantID: bot})))
	equal("the status", run.Status, openai.RunStatusCompleted)
	answer := answers(thread)[0]
	check(strings.Contains(answer.Value, "Refunds are paid within 14 days of the return."), answer.Value)
	equal("the number of citations", len(answer.Annotations), 1)
	citation := answer.Annotations[0]
	equal("the type of the citation", citation.Type, "file_citation")
	equal("the cited file", citation.FileCitation.FileID, uploaded.ID)
	check(strings.HasSuffix(citation.Text, "†refunds.txt】"), citation.Text)
	// The positions count characters, not bytes.
	equal("the cited place", string([]rune(answer.Value)[citation.StartIndex:citation.EndIndex]), citation.Text)
}

func pages() {
	thread := must(threads.New(ctx, openai.BetaThreadNewParams{})).ID
	var said, texts []string
	for number := range 5 {
		said = append(said, fmt.Sprint("Message ", number))
		say(thread, said[number])
	}
	ids := map[string]bool{}
	for _, message := range listed(thread, 2) {
		texts, ids[message.ID] = append(texts, message.Content[0].Text.Value), true
	}
	equal("the messages", texts, said)
	equal("the number of ids", len(ids), len(said))
}

func refusal() {
	_, err := threads.Get(ctx, "thread_nobody")
	var refused *openai.Error
	check(errors.As(err, &refused), "an unknown thread: ", err)
	equal("the status", refused.StatusCode, 404)
	equal("the type", refused.Type, "invalid_request_error")
	equal("the message", refused.Message, "No thread found with id 'thread_nobody'.")
}

func main() {
	defer func() {
		if failed := recover(); failed != nil {
			fmt.Fprintln(os.Stderr, "The conversation failed:", failed)
			os.Exit(1)
		}
	}()
	tutor := create(openai.BetaAssistantNewParams{
		Name:         openai.String("Math Tutor"),
		Instructions: openai.String("You are a personal math tutor."),
	})
	bot := weatherBot()
	plain(tutor)
	function(bot)
	streams(tutor, bot)
	file()
	pages()
	refusal()
	kept()
	streamed()
	called()
	background()
	fmt.Println("openai-go: plain, function, stream, file, pages, error, responses")
}
