// One conversation with the Assistants API through the community's Go client. Only the base URL is
// changed.
//
// It reads OPENAI_BASE_URL and OPENAI_API_KEY itself, because this client does not. It prints the
// completed parts. The first unexpected result is printed and ends the program with status 1. This
// client cannot stream runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

const (
	model    = openai.GPT4o
	equation = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
	jane     = "Please address the user as Jane Doe."
)

var (
	ctx       = context.Background()
	client    *openai.Client
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
	check(err == nil, err)
	return result
}

func create(request openai.AssistantRequest, name string) string {
	request.Model, request.Name = model, &name
	assistant := must(client.CreateAssistant(ctx, request))
	equal("the name", *assistant.Name, name)
	return assistant.ID
}

func weatherBot() string {
	var request openai.AssistantRequest
	for _, name := range functions {
		request.Tools = append(request.Tools, openai.AssistantTool{
			Type: openai.AssistantToolTypeFunction,
			Function: &openai.FunctionDefinition{Name: name, Parameters: map[string]any{
				"type":       "object",
				"properties": map[string]any{"location": map[string]string{"type": "string"}},
				"required":   []string{"location"},
			}},
		})
	}
	return create(request, "Weather Bot")
}

// say adds a message of the user to a thread.
func say(thread, text string) {
	message := must(client.CreateMessage(ctx, thread, openai.MessageRequest{Role: "user", Content: text}))
	equal("the role", message.Role, "user")
	equal("the message", message.Content[0].Text.Value, text)
}

// ask starts a thread with a message of the user.
func ask(text string) string {
	thread := must(client.CreateThread(ctx, openai.ThreadRequest{})).ID
	say(thread, text)
	return thread
}

// wait polls a run until it waits for the client or has ended: this client has no helper for that.
func wait(run openai.Run) openai.Run {
	for range 200 {
		if run.Status != openai.RunStatusQueued && run.Status != openai.RunStatusInProgress {
			return run
		}
		time.Sleep(50 * time.Millisecond)
		run = must(client.RetrieveRun(ctx, run.ThreadID, run.ID))
	}
	panic(fmt.Sprintf("a run does not end: %+v", run))
}

// listed returns the messages of a thread, oldest first. With this client, the program must request
// each page.
func listed(thread string, limit int) (messages []openai.Message) {
	order := "asc"
	for after := (*string)(nil); ; {
		page := must(client.ListMessage(ctx, thread, &limit, &order, after, nil, nil))
		check(len(page.Messages) <= limit, "a page of ", len(page.Messages))
		messages = append(messages, page.Messages...)
		if !page.HasMore {
			return messages
		}
		after = page.LastID
	}
}

// answers returns the assistant's texts in a thread, oldest first.
func answers(thread string) (texts []openai.MessageText) {
	for _, message := range listed(thread, 100) {
		if message.Role == "assistant" {
			texts = append(texts, *message.Content[0].Text)
		}
	}
	return texts
}

func plain() {
	instructions := "You are a personal math tutor."
	tutor := create(openai.AssistantRequest{Instructions: &instructions}, "Math Tutor")
	thread := ask(equation)
	run := wait(must(client.CreateRun(ctx, thread, openai.RunRequest{AssistantID: tutor, Instructions: jane})))
	equal("the status", run.Status, openai.RunStatusCompleted)
	equal("the usage", run.Usage.TotalTokens, run.Usage.PromptTokens+run.Usage.CompletionTokens)
	said := answers(thread)
	equal("the number of answers", len(said), 2)
	check(strings.Contains(said[0].Value, "Jane Doe"), said[0].Value)
	equal("the answer", said[1].Value, "x = 1")
	steps := must(client.ListRunSteps(ctx, thread, run.ID, openai.Pagination{})).RunSteps
	equal("the number of steps", len(steps), 2)
	for _, step := range steps {
		equal("the type of a step", step.Type, openai.RunStepTypeMessageCreation)
	}
}

func function() {
	bot := weatherBot()
	thread := ask("What's the weather in San Francisco?")
	run := wait(must(client.CreateRun(ctx, thread, openai.RunRequest{AssistantID: bot})))
	equal("the status", run.Status, openai.RunStatusRequiresAction)
	calls := run.RequiredAction.SubmitToolOutputs.ToolCalls
	equal("the number of calls", len(calls), len(functions))
	var submitted openai.SubmitToolOutputsRequest
	for index, call := range calls {
		equal("the function", call.Function.Name, functions[index])
		var arguments map[string]string
		must(0, json.Unmarshal([]byte(call.Function.Arguments), &arguments))
		equal("the arguments", arguments, map[string]string{"location": "San Francisco"})
		output := openai.ToolOutput{ToolCallID: call.ID, Output: outputs[call.Function.Name]}
		submitted.ToolOutputs = append(submitted.ToolOutputs, output)
	}
	run = wait(must(client.SubmitToolOutputs(ctx, thread, run.ID, submitted)))
	equal("the status", run.Status, openai.RunStatusCompleted)
	equal("the answer", answers(thread)[0].Value, "The weather in San Francisco, also known as Fog City: 21 degrees")
}

func file() {
	text := "Our refund policy.\n\nRefunds are paid within 14 days of the return.\n"
	uploaded := must(client.CreateFileBytes(ctx, openai.FileBytesRequest{
		Name:    "refunds.txt",
		Bytes:   []byte(text),
		Purpose: openai.PurposeAssistants,
	}))
	retrieved := must(client.GetFile(ctx, uploaded.ID))
	equal("the name of the file", retrieved.FileName, "refunds.txt")
	equal("the size of the file", retrieved.Bytes, len(text))
	// The API does not return the content of such a file.
	_, err := client.GetFileContent(ctx, uploaded.ID)
	var refused *openai.APIError
	check(errors.As(err, &refused), "the content of the file: ", err)
	equal("the status", refused.HTTPStatusCode, 400)
	batch := openai.FileBytesRequest{Name: "a.jsonl", Bytes: []byte("{}"), Purpose: openai.PurposeBatch}
	lines := must(client.CreateFileBytes(ctx, batch))
	content := must(client.GetFileContent(ctx, lines.ID))
	defer content.Close()
	equal("the content", string(must(io.ReadAll(content))), "{}")

	store := must(client.CreateVectorStore(ctx, openai.VectorStoreRequest{Name: "Policies", FileIDs: []string{uploaded.ID}}))
	bot := create(openai.AssistantRequest{
		Tools: []openai.AssistantTool{{Type: openai.AssistantToolTypeFileSearch}},
		ToolResources: &openai.AssistantToolResource{
			FileSearch: &openai.AssistantToolFileSearch{VectorStoreIDs: []string{store.ID}},
		},
	}, "Support Bot")
	thread := ask("How fast are refunds paid?")
	run := wait(must(client.CreateRun(ctx, thread, openai.RunRequest{AssistantID: bot})))
	equal("the status", run.Status, openai.RunStatusCompleted)
	answer := answers(thread)[0]
	check(strings.Contains(answer.Value, "Refunds are paid within 14 days of the return."), answer.Value)
	equal("the number of citations", len(answer.Annotations), 1)
	// This client has no type for annotations.
	citation, _ := answer.Annotations[0].(map[string]any)
	equal("the type of the citation", citation["type"], "file_citation")
	equal("the cited file", citation["file_citation"], map[string]any{"file_id": uploaded.ID})
	check(strings.HasSuffix(citation["text"].(string), "†refunds.txt】"), citation)
	// The positions count characters, not bytes.
	start, end := int(citation["start_index"].(float64)), int(citation["end_index"].(float64))
	equal("the cited place", string([]rune(answer.Value)[start:end]), citation["text"])
}

func pages() {
	thread := must(client.CreateThread(ctx, openai.ThreadRequest{})).ID
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
	_, err := client.RetrieveThread(ctx, "thread_nobody")
	var refused *openai.APIError
	check(errors.As(err, &refused), "an unknown thread: ", err)
	equal("the status", refused.HTTPStatusCode, 404)
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
	config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = os.Getenv("OPENAI_BASE_URL")
	client = openai.NewClientWithConfig(config)
	plain()
	function()
	file()
	pages()
	refusal()
	fmt.Println("go-openai: plain, function, file, pages, error")
}
