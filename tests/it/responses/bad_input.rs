//! Invalid input is rejected with the service's texts, and changes nothing.

use rehearsal::Config;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{WEATHER, calls, create, outputs};
use crate::server::{TestServer, config};

#[tokio::test]
async fn every_fault_has_its_error_text() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let with = |key: &str, value: Value| {
        let mut body = json!({"model": "gpt-4o", "input": "x"});
        body[key] = value;
        body
    };
    let schema = json!({"type": "object", "properties": {"unit": {"type": "string"}}});
    for (body, refusal) in [
        (
            json!({"input": "x"}),
            "Missing required parameter: 'model'. [\"model\" \"missing_required_parameter\"]",
        ),
        (
            json!({"model": "gpt-4o"}),
            "Missing required parameter: 'input'. [\"input\" \"missing_required_parameter\"]",
        ),
        (with("zzz", json!(1)), "Unknown parameter: 'zzz'. [\"zzz\" \"unknown_parameter\"]"),
        (
            with("temperature", json!(-1)),
            "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead. [\"temperature\" \"decimal_below_min_value\"]",
        ),
        (
            with("max_output_tokens", json!(1)),
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead. [\"max_output_tokens\" \"integer_below_min_value\"]",
        ),
        (
            with("include", json!(["all"])),
            "Invalid value: 'all'. Supported values are: 'file_search_call.results', 'web_search_call.results', 'web_search_call.action.sources', 'message.input_image.image_url', 'computer_call_output.output.image_url', 'code_interpreter_call.outputs', 'reasoning.encrypted_content', and 'message.output_text.logprobs'. [\"include[0]\" \"invalid_value\"]",
        ),
        (
            with("truncation", json!("no")),
            "Invalid value: 'no'. Supported values are: 'auto' and 'disabled'. [\"truncation\" \"invalid_value\"]",
        ),
        (
            with("store", json!("yes")),
            "Invalid type for 'store': expected a boolean, but got a string instead. [\"store\" \"invalid_type\"]",
        ),
        (
            with("input", json!(7)),
            "Invalid type for 'input': expected one of a string or array of input items, but got an integer instead. [\"input\" \"invalid_type\"]",
        ),
        (
            with("input", json!([{"role": "king", "content": "x"}])),
            "Invalid value: 'king'. Supported values are: 'assistant', 'system', 'developer', and 'user'. [\"input[0].role\" \"invalid_value\"]",
        ),
        (
            with("input", json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}])),
            "Invalid value: 'text'. Supported values are: 'input_text', 'input_image', 'output_text', 'refusal', 'input_file', 'computer_screenshot', and 'summary_text'. [\"input[0].content[0].type\" \"invalid_value\"]",
        ),
        (
            with(
                "input",
                json!([{"type": "function_call_output", "call_id": "call_x", "output": "y"}]),
            ),
            "No tool call found for function call output with call_id call_x. [\"input\" null]",
        ),
        (
            with(
                "input",
                json!([{"type": "function_call", "call_id": "call_x", "name": "f", "arguments": "{}"}]),
            ),
            "No tool output found for function call call_x. [\"input\" null]",
        ),
        (
            with("input", json!([{"role": "user", "id": "x".repeat(65), "content": "x"}])),
            "Invalid 'input[0].id': string too long. Expected a string with maximum length 64, but got a string with length 65 instead. [\"input[0].id\" \"string_above_max_length\"]",
        ),
        (
            with(
                "input",
                json!([{"role": "user", "content": [{"type": "input_file", "filename": "a.mp3", "file_data": "data:audio/mpeg;base64,AAAA"}]}]),
            ),
            "Invalid file data: 'input[0].content[0].file_data'. Expected a base64-encoded data URL with a valid file MIME type (e.g. 'data:text/plain;base64,SGVsbG8sIFdvcmxkIQ=='), but got unsupported MIME type 'audio/mpeg'. Please see https://platform.openai.com/docs/assistants/tools/file-search#supported-files for supported file types. [\"input[0].content[0].file_data\" \"invalid_value\"]",
        ),
        (
            with("input", json!([{"type": "reasoning", "id": "rs_x", "summary": []}])),
            "Item 'rs_x' of type 'reasoning' was provided without its required following item. [\"input\" null]",
        ),
        (
            with(
                "tools",
                json!([{"type": "function", "name": "f", "strict": true, "parameters": {"type": "object", "properties": {"unit": {"type": "string"}}, "additionalProperties": false, "required": []}}]),
            ),
            "Invalid schema for function 'f': In context=(), 'required' is required to be supplied and to be an array including every key in properties. Missing 'unit'. [\"tools[0].parameters\" \"invalid_function_parameters\"]",
        ),
        (
            with(
                "text",
                json!({"format": {"type": "json_schema", "name": "response", "schema": schema}}),
            ),
            "Invalid schema for response_format 'response': In context=(), 'additionalProperties' is required to be supplied and to be false. [\"text.format.schema\" \"invalid_json_schema\"]",
        ),
    ] {
        let answer = server.post("/v1/responses", body).await;
        assert_eq!(answer.refusal(), format!("400 {refusal}"));
        assert_eq!(answer.body["error"]["type"], "invalid_request_error");
    }
    let reasoning = json!({"model": "o3", "input": "x", "temperature": 0.2});
    assert_eq!(
        server.post("/v1/responses", reasoning).await.refusal(),
        "400 Unsupported parameter: 'temperature' is not supported with this model. \
         [\"temperature\" null]"
    );
    let prompt = json!({"model": "gpt-4o", "input": "x", "prompt": {"id": "pmpt_1"}});
    let refused = server.post("/v1/responses", prompt).await.refusal();
    assert_eq!(refused, "404 Prompt with id 'pmpt_1' not found. [null null]");
    let broken = server
        .request(Method::POST, "/v1/responses")
        .header(CONTENT_TYPE, "application/json")
        .body("{\"model\": ");
    let refused = server.send(broken).await.refusal();
    assert!(refused.starts_with("400 Invalid body: failed to parse JSON value."), "{refused}");
    assert!(refused.ends_with("[null \"invalid_json\"]"), "{refused}");
    let nameless = json!({"model": "gpt-4o", "input": "x", "prompt": {}});
    let refused = server.post("/v1/responses", nameless).await.refusal();
    assert!(refused.starts_with("400 Missing required parameter: 'prompt.id'."), "{refused}");
    let list = server.get("/v1/conversations/conv_x/items?limit=1000").await;
    assert_eq!(list.status, StatusCode::NOT_FOUND, "{}", list.text);
    let turns = server.get("/_rehearsal/turns").await.body;
    assert_eq!(turns["data"], json!([]), "nothing was performed");
}

#[tokio::test]
async fn outputs_are_all_there_or_nothing_happens() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let first = create(&server, json!({"model": "gpt-5", "input": "The weather?"})).await;
    let call = |place: usize| calls(&first)[place]["call_id"].as_str().unwrap().to_owned();
    let one = json!({"model": "gpt-5", "previous_response_id": first["id"],
        "input": outputs(&first, &["cold"])});
    assert_eq!(
        server.post("/v1/responses", one).await.refusal(),
        format!("400 No tool output found for function call {}. [\"input\" null]", call(1))
    );
    let none = json!({"model": "gpt-5", "previous_response_id": first["id"], "input": "So?"});
    assert_eq!(
        server.post("/v1/responses", none).await.refusal(),
        format!("400 No tool output found for function call {}. [\"input\" null]", call(0))
    );
    // Outputs before their calls.
    let mut list = vec![json!({"role": "user", "content": "The weather?"})];
    list.extend(outputs(&first, &["cold", "warm"]));
    list.extend(calls(&first));
    let turned = json!({"model": "gpt-5", "input": list});
    assert_eq!(
        server.post("/v1/responses", turned).await.refusal(),
        format!(
            "400 No tool call found for function call output with call_id {}. [\"input\" null]",
            call(0)
        )
    );
    assert_eq!(server.get("/_rehearsal/turns").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn very_much_input_is_read_or_refused() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let many: Vec<_> = (0..100_000).map(|_| json!({"role": "user", "content": "x"})).collect();
    let answer = server.post("/v1/responses", json!({"model": "gpt-4o", "input": many})).await;
    let refusal = answer.refusal();
    assert!(refusal.contains("context_length_exceeded"), "{refusal}");
    let more = format!("{{\"model\": \"gpt-4o\", \"input\": [{}1]}}", "1,".repeat(600_000));
    let more = server
        .request(Method::POST, "/v1/responses")
        .header(CONTENT_TYPE, "application/json")
        .body(more);
    let refusal = server.send(more).await.refusal();
    assert!(refusal.contains("context_length_exceeded"), "{refusal}");
    let cut = json!({"model": "gpt-4o", "input": many, "truncation": "auto"});
    assert_eq!(server.post("/v1/responses", cut).await.status, StatusCode::OK);
    let image = format!("data:image/png;base64,{}", "A".repeat(20 << 20));
    let input = json!([{"role": "user", "content": [{"type": "input_image", "image_url": image}]}]);
    let answer = server.post("/v1/responses", json!({"model": "gpt-4o", "input": input})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let long = "word ".repeat(130_000);
    let answer = server.post("/v1/responses", json!({"model": "gpt-4o", "input": long})).await;
    assert_eq!(
        answer.refusal(),
        "400 Your input exceeds the context window of this model. Please adjust your input and try \
         again. [\"input\" \"context_length_exceeded\"]"
    );
}

#[tokio::test]
async fn a_chain_that_outgrows_the_context_is_refused_unless_it_may_be_cut() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let long = "word ".repeat(50_000);
    let mut previous = Value::Null;
    for _ in 0..2 {
        let body = json!({"model": "gpt-4o", "input": long, "previous_response_id": previous,
            "metadata": {"rehearsal_reply": "second"}, "instructions": null, "max_output_tokens": 16});
        previous = create(&server, body).await["id"].clone();
    }
    let body = json!({"model": "gpt-4o", "input": long, "previous_response_id": previous});
    let refused = server.post("/v1/responses", body.clone()).await.refusal();
    assert!(refused.contains("context_length_exceeded"), "{refused}");
    let mut cut = body;
    cut["truncation"] = json!("auto");
    assert_eq!(create(&server, cut).await["truncation"], "auto");
}

#[tokio::test]
async fn each_model_has_its_window() {
    let server = TestServer::with_fixtures(WEATHER).await;
    let long = "word ".repeat(150_000);
    for (model, reads) in [("gpt-4o", false), ("o3", true), ("gpt-5", true), ("gpt-4.1", true)] {
        let body = json!({"model": model, "input": long});
        let status = server.post("/v1/responses", body).await.status;
        assert_eq!(status == StatusCode::OK, reads, "{model}");
    }
}

#[tokio::test]
async fn listed_models_answer_to_their_dated_names() {
    let server = TestServer::with(Config { strict_models: true, ..config() }).await;
    for model in ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"] {
        let request = json!({"model": model, "input": "Hi"});
        assert_ne!(
            server.post("/v1/responses", request).await.body["error"]["code"],
            "model_not_found"
        );
    }
    let refused = server.post("/v1/responses", json!({"model": "gpt-5", "input": "Hi"})).await;
    assert!(refused.refusal().contains("gpt-5"), "{}", refused.text);
}
