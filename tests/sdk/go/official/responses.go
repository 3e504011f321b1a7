// Responses and Conversations through the official Go client.
package main

import (
	"errors"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/conversations"
	"github.com/openai/openai-go/v3/responses"
)

const (
	greeting = "Hello! How can I help you today?"
	weather  = "It is cold and cold."
)

func asked(text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: openai.ChatModelGPT4o,
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(text)},
		Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("look", map[string]any{
			"type":       "object",
			"properties": map[string]any{"city": map[string]string{"type": "string"}},
		}, false)},
	}
}

// given returns outputs for all calls of a response.
func given(response *responses.Response) responses.ResponseNewParams {
	var list responses.ResponseInputParam
	for _, item := range response.Output {
		if item.Type == "function_call" {
			output := responses.ResponseInputItemParamOfFunctionCallOutput("cold")
			output.OfFunctionCallOutput.CallID = openai.String(item.CallID)
			list = append(list, output)
		}
	}
	equal("the number of calls", len(list), 2)
	params := asked("")
	params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: list}
	return params
}

func kept() {
	response := must(client.Responses.New(ctx, asked("Hello")))
	equal("the text", response.OutputText(), greeting)
	equal("the response", must(client.Responses.Get(ctx, response.ID, responses.ResponseGetParams{})).OutputText(), greeting)
	items := must(client.Responses.InputItems.List(ctx, response.ID, responses.InputItemListParams{}))
	equal("the number of items", len(items.Data), 1)
	check(client.Responses.Delete(ctx, response.ID) == nil, "a response is not deleted")
	_, err := client.Responses.Get(ctx, response.ID, responses.ResponseGetParams{})
	var refused *openai.Error
	check(errors.As(err, &refused), "a deleted response: ", err)
	equal("the status", refused.StatusCode, 404)
}

func streamed() {
	events := client.Responses.NewStreaming(ctx, asked("Hello"))
	var text strings.Builder
	var last string
	for number := int64(0); events.Next(); number++ {
		event := events.Current()
		equal("the number of an event", event.SequenceNumber, number)
		if last = event.Type; last == "response.output_text.delta" {
			text.WriteString(event.Delta)
		}
	}
	check(events.Err() == nil, events.Err())
	equal("the text", text.String(), greeting)
	equal("the last event", last, "response.completed")
}

func called() {
	first := must(client.Responses.New(ctx, asked("Look at the weather.")))
	next := given(first)
	next.PreviousResponseID = openai.String(first.ID)
	equal("by a chain", must(client.Responses.New(ctx, next)).OutputText(), weather)

	held := must(client.Conversations.New(ctx, conversations.ConversationNewParams{}))
	conversation := responses.ResponseNewParamsConversationUnion{OfString: openai.String(held.ID)}
	first = must(client.Responses.New(ctx, in(conversation, asked("Look at the weather."))))
	done := must(client.Responses.New(ctx, in(conversation, given(first))))
	equal("by a conversation", done.OutputText(), weather)
	items := client.Conversations.Items.ListAutoPaging(ctx, held.ID, conversations.ItemListParams{Limit: openai.Int(2)})
	var kinds []string
	for items.Next() {
		kinds = append([]string{items.Current().Type}, kinds...)
	}
	check(items.Err() == nil, items.Err())
	equal("the items", kinds, []string{"message", "reasoning", "function_call", "function_call", "function_call_output", "function_call_output", "message"})
	check(must(client.Conversations.Delete(ctx, held.ID)).Deleted, "a conversation is not deleted")
}

func in(conversation responses.ResponseNewParamsConversationUnion, params responses.ResponseNewParams) responses.ResponseNewParams {
	params.Conversation = conversation
	return params
}

func background() {
	params := asked("Hang on.")
	params.Background = openai.Bool(true)
	hanging := must(client.Responses.New(ctx, params))
	cancelled := must(client.Responses.Cancel(ctx, hanging.ID))
	equal("the status", cancelled.Status, responses.ResponseStatusCancelled)
	params = asked("Hello")
	params.Background = openai.Bool(true)
	response := must(client.Responses.New(ctx, params))
	for range 200 {
		if response.Status == responses.ResponseStatusCompleted {
			return
		}
		response = must(client.Responses.Get(ctx, response.ID, responses.ResponseGetParams{}))
	}
	panic("a response does not end: " + response.RawJSON())
}
