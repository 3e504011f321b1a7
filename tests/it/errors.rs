//! Every class of error, with its exact text, param and code.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{TestServer, config};

#[tokio::test]
async fn keys_are_asked_for_first() {
    let server = TestServer::with(rehearsal::Config {
        api_keys: vec!["sk-right-0123456789".into()],
        ..config()
    })
    .await;
    let url = format!("{}/v1/assistants", server.base);
    let client = crate::server::client();
    let ask = async |authorization: Option<&str>| {
        let mut request = client.get(&url).header("openai-beta", "assistants=v2");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        server.send(request).await
    };
    let none = ask(None).await;
    assert!(
        none.refusal().starts_with("401 You didn't provide an API key. You need to provide"),
        "{}",
        none.refusal()
    );
    assert_eq!(
        ask(Some("Bearer sk-wrong-0123456789")).await.refusal(),
        "401 Incorrect API key provided: sk-w***********6789. You can find your API key at \
         https://platform.openai.com/account/api-keys. [null \"invalid_api_key\"]"
    );
    let empty = ask(Some("Bearer ")).await.refusal();
    assert!(empty.starts_with("401 Incorrect API key provided: ''. You can find"), "{empty}");
    assert_eq!(ask(Some("Bearer sk-right-0123456789")).await.status.as_u16(), 200);
    // base64 of ":sk-right-0123456789", as `curl -u :KEY` sends it.
    assert_eq!(ask(Some("Basic OnNrLXJpZ2h0LTAxMjM0NTY3ODk=")).await.status.as_u16(), 200);
    // The key is checked before any response about existing objects.
    let unknown = server.send(client.get(format!("{}/v1/nothing", server.base))).await;
    assert_eq!(unknown.status.as_u16(), 401);
}

#[tokio::test]
async fn the_beta_header_is_needed_on_assistants_and_threads() {
    let server = TestServer::start().await;
    let client = crate::server::client();
    let ask = async |path: &str, beta: Option<&str>| {
        let mut request = client.get(format!("{}{path}", server.base)).bearer_auth("sk-test");
        if let Some(beta) = beta {
            request = request.header("openai-beta", beta);
        }
        server.send(request).await.refusal()
    };
    assert_eq!(
        ask("/v1/assistants", None).await,
        "400 You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try \
         again by setting the header 'OpenAI-Beta: assistants=v2'. [null \"invalid_beta\"]"
    );
    assert_eq!(
        ask("/v1/assistants", Some("realtime=v1")).await,
        "400 Unknown beta requested: 'realtime'. [null \"invalid_beta\"]"
    );
    assert!(ask("/v1/assistants", Some("other=v1, assistants=v2")).await.starts_with("200"));
    assert!(ask("/v1/models", None).await.starts_with("200"));
}

#[tokio::test]
async fn fields_are_judged_with_the_services_own_words() {
    let server = TestServer::start().await;
    let long = |count: usize| "x".repeat(count);
    let many = |count: usize| {
        (0..count).map(|i| (format!("k{i}"), json!("v"))).collect::<serde_json::Map<_, _>>()
    };
    let (key, function) = (long(65), json!({"type": "function", "function": {"name": "not ok"}}));
    let cases = [
        (
            json!({}),
            "Missing required parameter: 'model'. [\"model\" \"missing_required_parameter\"]",
        ),
        (
            json!({"model": 7}),
            "Invalid type for 'model': expected a string, but got an integer instead. \
             [\"model\" \"invalid_type\"]",
        ),
        (
            json!({"model": null}),
            "Invalid type for 'model': expected a string, but got null instead. \
             [\"model\" \"invalid_type\"]",
        ),
        (
            json!({"model": "m", "nmae": "x"}),
            "Unknown parameter: 'nmae'. [\"nmae\" \"unknown_parameter\"]",
        ),
        (
            json!({"model": "m", "name": long(257)}),
            "Invalid 'name': string too long. Expected a string with maximum length 256, but got a \
             string with length 257 instead. [\"name\" \"string_above_max_length\"]",
        ),
        (
            json!({"model": "m", "tools": [{"type": "retrieval"}]}),
            "Invalid value: 'retrieval'. Supported values are: 'code_interpreter', 'function', and \
             'file_search'. [\"tools[0].type\" \"invalid_value\"]",
        ),
        (
            json!({"model": "m", "tools": vec![json!({"type": "code_interpreter"}); 129]}),
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got \
             an array with length 129 instead. [\"tools\" \"array_above_max_length\"]",
        ),
        (
            json!({"model": "m", "tools": [{"type": "code_interpreter"}, function]}),
            "Invalid 'tools[1].function.name': string does not match pattern. Expected a string \
             that matches the pattern '^[a-zA-Z0-9_-]+$'. \
             [\"tools[1].function.name\" \"invalid_value\"]",
        ),
        (
            json!({"model": "m", "temperature": 3}),
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 \
             instead. [\"temperature\" \"decimal_above_max_value\"]",
        ),
        (
            json!({"model": "m", "top_p": -0.5}),
            "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -0.5 \
             instead. [\"top_p\" \"decimal_below_min_value\"]",
        ),
        (
            json!({"model": "m", "metadata": many(17)}),
            "Invalid 'metadata': too many properties. Expected an object with at most 16 \
             properties, but got an object with 17 properties instead. \
             [\"metadata\" \"object_above_max_properties\"]",
        ),
        (
            json!({"model": "m", "metadata": {"modified": true}}),
            "Invalid type for 'metadata.modified': expected a string, but got a boolean instead. \
             [\"metadata.modified\" \"invalid_type\"]",
        ),
        (
            json!({"model": "m", "metadata": {key.clone(): "v"}}),
            "Invalid property name in 'metadata': 'KEY' is too long. Expected a string with \
             maximum length 64, but got a string with length 65 instead. \
             [\"metadata\" \"string_above_max_length\"]",
        ),
        (
            json!({"model": "m", "response_format": "json"}),
            "Invalid value: 'json'. Supported value is: 'auto'. \
             [\"response_format\" \"invalid_value\"]",
        ),
    ];
    for (body, expected) in cases {
        let refusal = server.post("/v1/assistants", body.clone()).await.refusal();
        assert_eq!(refusal, format!("400 {}", expected.replace("KEY", &key)), "{body}");
    }
    assert_eq!(server.get("/v1/assistants").await.body["data"], json!([]), "nothing was stored");
}

#[tokio::test]
async fn messages_and_runs_are_judged_too() {
    let server = TestServer::start().await;
    let thread = format!("/v1/threads/{}", server.thread("Hello").await);
    let attachment = json!({"file_id": "file-abc", "tools": [{"type": "file_search"}]});
    for (body, expected) in [
        (
            json!({"role": "system", "content": "x"}),
            "Invalid value: 'system'. Supported values are: 'user' and 'assistant'. \
             [\"role\" \"invalid_value\"]",
        ),
        (
            json!({"role": "user"}),
            "Missing required parameter: 'content'. [\"content\" \"missing_required_parameter\"]",
        ),
        (
            json!({"role": "user", "content": null}),
            "Invalid type for 'content': expected one of a string or array of objects, but got \
             null instead. [\"content\" \"invalid_type\"]",
        ),
        (
            json!({"role": "user", "content": ""}),
            "Invalid 'content': empty string. Expected a string with minimum length 1, but got an \
             empty string instead. [\"content\" \"empty_string\"]",
        ),
        (
            json!({"role": "user", "content": []}),
            "Invalid 'content': empty array. Expected an array with minimum length 1, but got an \
             empty array instead. [\"content\" \"empty_array\"]",
        ),
        (
            json!({"role": "user", "content": "x".repeat(256_001)}),
            "Invalid 'content': string too long. Expected a string with maximum length 256000, but \
             got a string with length 256001 instead. [\"content\" \"string_above_max_length\"]",
        ),
        (
            json!({"role": "user", "content": "x", "attachments": vec![attachment; 11]}),
            "Invalid 'attachments': array too long. Expected an array with maximum length 10, but \
             got an array with length 11 instead. [\"attachments\" \"array_above_max_length\"]",
        ),
    ] {
        assert_eq!(
            server.post(&format!("{thread}/messages"), body).await.refusal(),
            format!("400 {expected}")
        );
    }
    for (body, expected) in [
        (
            json!({}),
            "Missing required parameter: 'assistant_id'. \
             [\"assistant_id\" \"missing_required_parameter\"]",
        ),
        (
            json!({"assistant_id": "undefined"}),
            "Invalid 'assistant_id': 'undefined'. Expected an ID that begins with 'asst'. \
             [\"assistant_id\" \"invalid_value\"]",
        ),
        (
            json!({"assistant_id": "asst_x", "max_completion_tokens": 15}),
            "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 16, \
             but got 15 instead. [\"max_completion_tokens\" \"integer_below_min_value\"]",
        ),
        (
            json!({"assistant_id": "asst_x",
                "tools": vec![json!({"type": "code_interpreter"}); 21]}),
            "Invalid 'tools': array too long. Expected an array with maximum length 20, but got an \
             array with length 21 instead. [\"tools\" \"array_above_max_length\"]",
        ),
        (
            json!({"assistant_id": "asst_x", "truncation_strategy": {"type": "last_messages"}}),
            "Missing required parameter: 'truncation_strategy.last_messages'. \
             [\"truncation_strategy.last_messages\" \"missing_required_parameter\"]",
        ),
        (
            json!({"assistant_id": "asst_x", "tool_choice": "always"}),
            "Invalid value: 'always'. Supported values are: 'none', 'auto', and 'required'. \
             [\"tool_choice\" \"invalid_value\"]",
        ),
    ] {
        assert_eq!(
            server.post(&format!("{thread}/runs"), body).await.refusal(),
            format!("400 {expected}")
        );
    }
    let unknown =
        server.post(&format!("{thread}/runs"), json!({"assistant_id": "asst_x"})).await.refusal();
    assert_eq!(unknown, "404 No assistant found with id 'asst_x'. [null null]");
}

#[tokio::test]
async fn ids_and_cursors_are_judged() {
    let server = TestServer::start().await;
    let (thread, run) = server.run("Hello").await;
    for (path, expected) in [
        (
            "/v1/assistants/asst_nobody".to_owned(),
            "404 No assistant found with id 'asst_nobody'. [null null]",
        ),
        (
            "/v1/threads/thread_nobody".to_owned(),
            "404 No thread found with id 'thread_nobody'. [null null]",
        ),
        (
            "/v1/threads/undefined".to_owned(),
            "400 Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'. \
             [\"thread_id\" \"invalid_value\"]",
        ),
        (
            "/v1/assistants/x:7".to_owned(),
            "400 Invalid 'assistant_id': 'x:7'. Expected an ID that contains letters, numbers, \
             underscores, or dashes, but this value contained additional characters. \
             [\"assistant_id\" \"invalid_value\"]",
        ),
        (format!("{thread}/runs/run_nobody"), "404 No run found with id 'run_nobody'. [null null]"),
        (format!("{run}/steps/123"), "404 No run step found with id '123'. [null null]"),
        (
            "/v1/assistants?limit=101".to_owned(),
            "400 Invalid 'limit': integer above maximum value. Expected a value <= 100, but got \
             101 instead. [\"limit\" \"integer_above_max_value\"]",
        ),
        (
            "/v1/assistants?limit=99999999999999999999".to_owned(),
            "400 Invalid 'limit': integer above maximum value. Expected a value <= 100, but got \
             9223372036854775807 instead. [\"limit\" \"integer_above_max_value\"]",
        ),
        (
            "/v1/assistants?limit=0".to_owned(),
            "400 Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 \
             instead. [\"limit\" \"integer_below_min_value\"]",
        ),
        (
            "/v1/assistants?limit=many".to_owned(),
            "400 Invalid type for 'limit': expected an integer, but got a string instead. \
             [\"limit\" \"invalid_type\"]",
        ),
        (
            "/v1/assistants?order=up".to_owned(),
            "400 Invalid value: 'up'. Supported values are: 'asc' and 'desc'. \
             [\"order\" \"invalid_value\"]",
        ),
        (
            "/v1/models/gpt-9".to_owned(),
            "404 The model 'gpt-9' does not exist [\"model\" \"model_not_found\"]",
        ),
    ] {
        assert_eq!(server.get(&path).await.refusal(), expected, "{path}");
    }
}

#[tokio::test]
async fn the_protocol_is_judged() {
    let server = TestServer::start().await;
    let post = |body: &'static str, content_type: &'static str| {
        server.send(
            server
                .request(Method::POST, "/v1/threads")
                .header("content-type", content_type)
                .body(body),
        )
    };
    assert!(
        post("{\"messages\": [", "application/json")
            .await
            .refusal()
            .starts_with("400 We could not parse the JSON body of your request.")
    );
    assert_eq!(post("{}", "application/json; charset=utf-8").await.status.as_u16(), 200);
    assert_eq!(
        post("{}", "text/plain").await.refusal(),
        "400 Unsupported content type: 'text/plain'. This API method only accepts \
         'application/json' requests, but you specified the header 'Content-Type: text/plain'. \
         Please try again with a supported content type. [null \"unsupported_content_type\"]"
    );
    assert!(
        post("[]", "application/json")
            .await
            .refusal()
            .starts_with("400 Invalid type: expected an object, but got an array instead.")
    );
    let unknown = server.post("/v1/nothing", json!({})).await.refusal();
    assert_eq!(unknown, "404 Invalid URL (POST /v1/nothing) [null null]");
    let method = server.delete("/v1/models").await.refusal();
    assert_eq!(
        method,
        "405 Not allowed to DELETE on /v1/models. (HINT: Perhaps you meant to use a different HTTP \
         method?) [null null]"
    );
}

#[tokio::test]
async fn the_wrong_base_url_is_answered_with_the_right_one() {
    let server = TestServer::start().await;
    let other = server.post("/v1/chat/completions", json!({})).await.refusal();
    assert!(other.contains("Invalid URL (POST /v1/chat/completions). Rehearsal has no"), "{other}");
    let twice = server.get("/v1/v1/assistants").await.refusal();
    assert!(
        twice.contains(&format!("has /v1 twice: set the base URL to {}/v1", server.base)),
        "{twice}"
    );
    let missing = server.get("/threads/thread_x").await.refusal();
    assert!(
        missing.contains(&format!("lacks /v1: set the base URL to {}/v1", server.base)),
        "{missing}"
    );
    let slashes = server.get("//openai/assistants?api-version=2024-05-01-preview").await.refusal();
    assert!(slashes.contains("begins with two slashes"), "{slashes}");
}

#[tokio::test]
async fn pages_of_other_hosts_and_origins_are_kept_out() {
    let server = TestServer::start().await;
    let with = |name: &'static str, value: &'static str| {
        server.send(server.request(Method::POST, "/v1/threads").header(name, value).body(""))
    };
    let rebound = with("host", "evil.example.com").await;
    assert_eq!(rebound.status.as_u16(), 421);
    assert!(rebound.text.contains("--allow-host evil.example.com"), "{}", rebound.text);
    assert_eq!(with("host", "rehearsal:7357").await.status.as_u16(), 200);
    assert_eq!(with("origin", "https://evil.example.com").await.status.as_u16(), 403);
    assert_eq!(with("origin", "null").await.status.as_u16(), 403);
    assert_eq!(with("sec-fetch-site", "cross-site").await.status.as_u16(), 403);
    let health = server
        .send(server.request(Method::GET, "/_rehearsal/health").header("host", "evil.example.com"))
        .await;
    assert_eq!(health.status.as_u16(), 200);
}

#[tokio::test]
async fn every_response_has_the_headers_of_the_service() {
    let server = TestServer::start().await;
    for path in ["/v1/models", "/v1/nothing", "/_rehearsal/health", "/v1/assistants/asst_x"] {
        let answer = server.get(path).await;
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(header("openai-version"), "2020-10-01", "{path}");
        assert!(header("openai-processing-ms").parse::<u64>().is_ok(), "{path}");
        let id = header("x-request-id");
        assert!(
            id.len() == 36
                && id.starts_with("req_")
                && id[4..].bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        assert_eq!(header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn errors_have_all_four_keys_in_two_spaced_json() {
    let server = TestServer::start().await;
    let answer = server.get("/v1/threads/thread_x").await;
    assert_eq!(
        answer.text,
        "{\n  \"error\": {\n    \"message\": \"No thread found with id \
         'thread_x'.\",\n    \"type\": \"invalid_request_error\",\n    \"param\": \
         null,\n    \"code\": null\n  }\n}"
    );
    assert_eq!(answer.body["error"]["param"], Value::Null);
}
