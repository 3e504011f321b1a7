//! Requests that the real service rejected, from public reports: conflicting settings, schemas,
//! sizes, spelling.

use rehearsal::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, TestServer, config};

fn function(name: &str, parameters: Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

async fn runs(server: &TestServer) -> String {
    format!("/v1/threads/{}/runs", server.thread("Hello").await)
}

#[tokio::test]
async fn images_have_addresses_of_the_web() {
    let server = TestServer::start().await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let message = |url: &str| {
        json!({"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]})
    };
    let refused = |path: &str| {
        format!(
            "400 Invalid '{path}'. Expected a valid URL, but got a value with an invalid format. \
             [\"{path}\" \"invalid_value\"]"
        )
    };
    for url in [
        "data:image/png;base64,iVBORw0KGgo=",
        "ftp://a.example/b.png",
        "file:///etc/passwd",
        "a.png",
        "https://",
        "",
    ] {
        let message = message(url);
        for (path, body, place) in [
            (
                "/v1/threads".to_owned(),
                json!({"messages": [message]}),
                "messages[0].content[1].image_url.url",
            ),
            (format!("/v1/threads/{thread}/messages"), message.clone(), "content[1].image_url.url"),
            (
                format!("/v1/threads/{thread}/runs"),
                json!({"assistant_id": assistant, "additional_messages": [message]}),
                "additional_messages[0].content[1].image_url.url",
            ),
            (
                "/v1/threads/runs".to_owned(),
                json!({"assistant_id": assistant, "thread": {"messages": [message]}}),
                "thread.messages[0].content[1].image_url.url",
            ),
        ] {
            assert_eq!(server.post(&path, body).await.refusal(), refused(place), "{url} at {path}");
        }
    }
    let taken = server
        .post(&format!("/v1/threads/{thread}/messages"), message("https://a.example/b.png?c=d"))
        .await;
    assert_eq!(taken.status, StatusCode::OK);
}

#[tokio::test]
async fn answers_by_a_schema_exclude_all_tools_but_functions() {
    let server = TestServer::start().await;
    let refused = "400 Invalid tools: all tools must be of type `function` when `response_format` \
                   is of type `json_schema` [null null]";
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}});
    let add = function("add", json!({"type": "object", "properties": {}}));
    for tool in ["file_search", "code_interpreter"] {
        let tools = json!([add, {"type": tool}]);
        let create = json!({"model": "gpt-4o", "tools": tools, "response_format": format});
        assert_eq!(server.post("/v1/assistants", create).await.refusal(), refused);
        let with_tool =
            server.post("/v1/assistants", json!({"model": "gpt-4o", "tools": tools})).await.id();
        let with_format = server
            .post("/v1/assistants", json!({"model": "gpt-4o", "response_format": format}))
            .await
            .id();
        // For a change, the tools in force at that time count.
        for (id, change) in [
            (&with_tool, json!({"response_format": format})),
            (&with_format, json!({"tools": tools})),
        ] {
            let path = format!("/v1/assistants/{id}");
            let before = server.get(&path).await.body;
            assert_eq!(server.post(&path, change).await.refusal(), refused);
            assert_eq!(server.get(&path).await.body, before, "nothing has changed");
        }
        let path = format!("/v1/assistants/{with_tool}");
        let both = json!({"tools": [add], "response_format": format});
        let runs = runs(&server).await;
        for order in [
            json!({"assistant_id": with_tool, "response_format": format}),
            json!({"assistant_id": with_format, "tools": [{"type": tool}]}),
        ] {
            assert_eq!(server.post(&runs, order).await.refusal(), refused);
        }
        let taken = json!({"assistant_id": with_tool, "response_format": format, "tools": [add]});
        assert_eq!(server.post(&runs, taken).await.status, StatusCode::OK);
        assert_eq!(server.post(&path, both).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn models_take_only_the_parameters_that_they_have() {
    let server = TestServer::start().await;
    let refused = |name: &str| {
        format!(
            "400 Unsupported parameter: '{name}' is not supported with this model. \
             [\"model\" \"unsupported_parameter\"]"
        )
    };
    let create = async |body: Value| server.post("/v1/assistants", body).await;
    for model in ["o1", "o3-mini", "o4-mini-2025-04-16"] {
        assert_eq!(
            create(json!({"model": model, "temperature": 0.7})).await.refusal(),
            refused("temperature"),
            "{model}"
        );
        assert_eq!(
            create(json!({"model": model, "temperature": 1})).await.refusal(),
            refused("temperature"),
            "{model}"
        );
        assert_eq!(
            create(json!({"model": model, "top_p": 0.5})).await.refusal(),
            refused("top_p"),
            "{model}"
        );
        assert_eq!(
            create(json!({"model": model, "reasoning_effort": "low"})).await.status,
            StatusCode::OK,
            "{model}"
        );
        assert_eq!(
            create(json!({"model": model, "temperature": null, "top_p": null})).await.status,
            StatusCode::OK,
            "{model}"
        );
    }
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-3.5-turbo"] {
        let effort = json!({"model": model, "reasoning_effort": "low"});
        assert_eq!(create(effort).await.refusal(), refused("reasoning_effort"), "{model}");
        assert_eq!(
            create(json!({"model": model, "temperature": 0.7, "reasoning_effort": null}))
                .await
                .status,
            StatusCode::OK
        );
    }
    // Nothing is known about other names.
    assert_eq!(
        create(json!({"model": "mine", "temperature": 0.7, "reasoning_effort": "low"}))
            .await
            .status,
        StatusCode::OK
    );

    // A change of only the model is checked against the current settings.
    let warm = create(json!({"model": "gpt-4o", "temperature": 0.7})).await.id();
    let usual = create(json!({"model": "gpt-4o"})).await.id();
    let thinking = create(json!({"model": "o3-mini", "reasoning_effort": "high"})).await.id();
    let change =
        async |id: &str, body: Value| server.post(&format!("/v1/assistants/{id}"), body).await;
    assert_eq!(change(&warm, json!({"model": "o3-mini"})).await.refusal(), refused("temperature"));
    assert_eq!(server.get(&format!("/v1/assistants/{warm}")).await.body["model"], "gpt-4o");
    assert_eq!(
        change(&thinking, json!({"model": "gpt-4o"})).await.refusal(),
        refused("reasoning_effort")
    );
    assert_eq!(change(&usual, json!({"model": "o3-mini"})).await.status, StatusCode::OK);
    assert_eq!(
        change(&warm, json!({"model": "o3-mini", "temperature": null})).await.status,
        StatusCode::OK
    );

    // A run is checked in the same way.
    let warm = create(json!({"model": "gpt-4o", "temperature": 0.7})).await.id();
    let runs = runs(&server).await;
    let order = json!({"assistant_id": warm, "model": "o3-mini", "reasoning_effort": "medium"});
    assert_eq!(server.post(&runs, order).await.refusal(), refused("temperature"));
    let order = json!({"assistant_id": thinking, "model": "gpt-4o"});
    assert_eq!(server.post(&runs, order).await.refusal(), refused("reasoning_effort"));
    let order = json!({"assistant_id": thinking, "top_p": 0.1,
        "thread": {"messages": [{"role": "user", "content": "Hi"}]}});
    assert_eq!(server.post("/v1/threads/runs", order).await.refusal(), refused("top_p"));
    assert_eq!(server.get(&runs).await.body["data"], json!([]), "nothing was made");
    assert_eq!(server.post(&runs, json!({"assistant_id": thinking})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn models_that_never_had_assistants_say_so_where_only_real_ones_are_taken() {
    let strict = TestServer::with(Config { strict_models: true, ..config() }).await;
    let create = async |server: &TestServer, model: &str| {
        server.post("/v1/assistants", json!({"model": model})).await
    };
    for model in ["gpt-5-mini", "gpt-5.1", "gpt-3.5-turbo-0301", "o1-mini"] {
        let refused = format!(
            "400 The requested model '{model}' cannot be used with the Assistants API. \
             [\"model\" \"unsupported_model\"]"
        );
        assert_eq!(create(&strict, model).await.refusal(), refused);
    }
    let unknown =
        "400 The requested model 'llama3.1' does not exist. [\"model\" \"model_not_found\"]";
    assert_eq!(create(&strict, "llama3.1").await.refusal(), unknown);
    let lenient = TestServer::start().await;
    assert_eq!(create(&lenient, "gpt-5-mini").await.status, StatusCode::OK);
}

#[tokio::test]
async fn tool_outputs_together_are_less_than_512_kb() {
    let server = TestServer::with_fixtures(
        "replies:\n  - steps:\n      - tool_calls: [{function: {name: a, arguments: {}}}, \
         {function: {name: b, arguments: {}}}]\n      - message: Thanks.\n",
    )
    .await;
    let (_, run) = server.run("Hello").await;
    let waiting = server.get(&run).await.body;
    let calls = waiting["required_action"]["submit_tool_outputs"]["tool_calls"].clone();
    let outputs = |sizes: [usize; 2]| {
        let output = |place: usize| {
            json!({"tool_call_id": calls[place]["id"],
            "output": "x".repeat(sizes[place])})
        };
        json!([output(0), output(1)])
    };
    let path = format!("{run}/submit_tool_outputs");
    let refused = "400 'tool_outputs' too large: the combined tool outputs must be less than \
                   512kb. [\"tool_outputs\" \"invalid_value\"]";
    for stream in [false, true] {
        for sizes in [[300_000, 300_000], [524_288, 0], [262_144, 262_144]] {
            let body = json!({"tool_outputs": outputs(sizes), "stream": stream});
            assert_eq!(server.post(&path, body).await.refusal(), refused, "{sizes:?}");
        }
    }
    assert_eq!(server.get(&run).await.body["status"], "requires_action");
    let taken = server.post(&path, json!({"tool_outputs": outputs([262_144, 262_143])})).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
}

#[tokio::test]
async fn parameters_of_functions_are_object_schemas() {
    let server = TestServer::start().await;
    let unit = json!({"type": "object", "properties": {"unit": {"type": "string"}}});
    let strict = |parameters: Value| {
        json!({"type": "function",
        "function": {"name": "get_weather", "parameters": parameters, "strict": true}})
    };
    let closed = json!({"type": "object", "properties": {"unit": {"type": "string"}},
        "additionalProperties": false});
    for (tool, what) in [
        (
            function("get_weather", json!({"type": "string"})),
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
        ),
        (
            function("get_weather", json!({"properties": {}})),
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
        ),
        (
            function("get_weather", json!({"type": "object", "properties": []})),
            "[] is not of type 'object'.",
        ),
        (
            strict(unit.clone()),
            "In context=(), 'additionalProperties' is required to be supplied and to be false.",
        ),
        (
            strict(closed),
            "In context=(), 'required' is required to be supplied and to be an array including \
             every key in properties. Missing 'unit'.",
        ),
    ] {
        let refused = |place: &str| {
            format!(
                "400 Invalid schema for function 'get_weather': {what} \
                 [\"{place}.function.parameters\" \"invalid_function_parameters\"]"
            )
        };
        let other = function("other", unit.clone());
        let create = json!({"model": "gpt-4o", "tools": [other, tool]});
        assert_eq!(server.post("/v1/assistants", create).await.refusal(), refused("tools[1]"));
        let assistant = server.assistant().await;
        let change =
            server.post(&format!("/v1/assistants/{assistant}"), json!({"tools": [tool]})).await;
        assert_eq!(change.refusal(), refused("tools[0]"));
        let order = json!({"assistant_id": assistant, "tools": [tool]});
        assert_eq!(server.post(&runs(&server).await, order).await.refusal(), refused("tools[0]"));
    }
    assert_eq!(
        server
            .post("/v1/assistants", json!({"model": "gpt-4o", "tools": [function("f", unit)]}))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn errors_name_the_type_of_list_items_and_the_intended_key() {
    let server = TestServer::start().await;
    let assistant = server.assistant().await;
    let thread = server.thread("Hello").await;
    let wrong = |path: &str, of: &str, got: &str| {
        format!(
            "400 Invalid type for '{path}': expected an array of {of}, but got {got} instead. \
             [\"{path}\" \"invalid_type\"]"
        )
    };
    let stores = |value: Value| {
        json!({"model": "gpt-4o",
        "tool_resources": {"file_search": {"vector_store_ids": value}}})
    };
    let image = |image: Value| {
        json!({"role": "user",
        "content": [{"type": "text", "text": "?"}, {"type": "image_file", "image_file": image}]})
    };
    for (path, body, expected) in [
        (
            "/v1/assistants",
            stores(json!("vs_1")),
            wrong("tool_resources.file_search.vector_store_ids", "strings", "a string"),
        ),
        (
            "/v1/assistants",
            json!({"model": "gpt-4o", "tools": "file_search"}),
            wrong("tools", "objects", "a string"),
        ),
        (
            "/v1/threads",
            json!({"messages": {"role": "user"}}),
            wrong("messages", "objects", "an object"),
        ),
        ("/v1/vector_stores", json!({"file_ids": 7}), wrong("file_ids", "strings", "an integer")),
        (
            &format!("/v1/threads/{thread}/runs"),
            json!({"assistant_id": assistant, "additional_messages": "Hi"}),
            wrong("additional_messages", "objects", "a string"),
        ),
        (
            &format!("/v1/threads/{thread}/messages"),
            json!({"role": "user", "content": "Hi", "attachments": "file-1"}),
            wrong("attachments", "objects", "a string"),
        ),
        (
            &format!("/v1/threads/{thread}/messages"),
            image(json!({"file_Id": "file-1"})),
            "400 Missing required parameter: 'content[1].image_file.file_id'. You provided \
             'file_Id', did you mean to provide 'file_id'? \
             [\"content[1].image_file.file_id\" \"missing_required_parameter\"]"
                .to_owned(),
        ),
        (
            &format!("/v1/threads/{thread}/runs"),
            json!({"assistantId": assistant}),
            "400 Missing required parameter: 'assistant_id'. You provided 'assistantId', did you \
             mean to provide 'assistant_id'? [\"assistant_id\" \"missing_required_parameter\"]"
                .to_owned(),
        ),
        (
            &format!("/v1/threads/{thread}/messages"),
            json!({"content": "Hi"}),
            "400 Missing required parameter: 'role'. [\"role\" \"missing_required_parameter\"]"
                .to_owned(),
        ),
    ] {
        assert_eq!(server.post(path, body).await.refusal(), expected);
    }
}

#[tokio::test]
async fn either_spelling_of_the_ranker_is_echoed() {
    let server = TestServer::start().await;
    for ranker in ["default_2024_08_21", "default-2024-08-21"] {
        let options = json!({"ranker": ranker, "score_threshold": 0.5});
        let tools = json!([{"type": "file_search", "file_search": {"ranking_options": options}}]);
        let assistant =
            server.post("/v1/assistants", json!({"model": "gpt-4o", "tools": tools})).await;
        let read = server.get(&format!("/v1/assistants/{}", assistant.id())).await.body;
        for shown in [assistant.body, read] {
            assert_eq!(shown["tools"][0]["file_search"]["ranking_options"]["ranker"], ranker);
        }
    }
}

#[tokio::test]
async fn slashes_within_a_path_are_merged() {
    let server = TestServer::start().await;
    let message = json!({"role": "user", "content": "Hi"});
    let unknown = "400 Unknown parameter: 'role'. [\"role\" \"unknown_parameter\"]";
    for path in ["/v1/threads//messages", "/v1//threads///messages", "/s/mine/v1/threads//messages"]
    {
        assert_eq!(server.post(path, message.clone()).await.refusal(), unknown, "{path}");
    }
    let list = server.get("/v1//assistants?limit=1&after=a//b").await;
    assert_eq!(
        list.refusal(),
        "404 No assistant found with id 'a//b'. [null null]",
        "a query stays as it is"
    );
    let run = json!({"assistant_id": server.assistant().await, "thread": {"messages": [message]}});
    assert_eq!(
        server.post("/v1/threads//runs", run).await.status,
        StatusCode::OK,
        "it is create-and-run then"
    );
    for path in
        ["//v1/threads", "//openai/threads?api-version=2024-05-01-preview", "/s/mine//v1/threads"]
    {
        let refused = server.post(path, json!({})).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}");
        let advice = path.contains("openai") || refused.text.contains("begins with two slashes");
        assert!(advice, "{path}: {}", refused.text);
    }
}

#[tokio::test]
async fn control_calls_take_bodies_of_their_types_only() {
    let server = TestServer::start().await;
    let send = async |method: Method, path: &str, kind: Option<&str>, body: &'static str| {
        let request = server.bare(method, &format!("/_rehearsal{path}")).body(body);
        server
            .send(if let Some(kind) = kind {
                request.header("content-type", kind)
            } else {
                request
            })
            .await
    };
    for (method, path) in [
        (Method::POST, "/reset"),
        (Method::POST, "/clock"),
        (Method::POST, "/fixtures"),
        (Method::DELETE, "/requests"),
        (Method::PUT, "/snapshots/a"),
    ] {
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=a"),
        ] {
            let refused = send(method.clone(), path, kind, "{\"resume\": true}").await;
            assert_eq!(
                refused.status,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{method} {path} {kind:?}"
            );
            assert_eq!(refused.body["error"]["code"], "unsupported_content_type");
        }
    }
    for kind in [None, Some("text/plain")] {
        assert_eq!(
            send(Method::POST, "/reset", kind, "").await.status,
            StatusCode::OK,
            "no body needs no type"
        );
    }
    assert_eq!(
        send(Method::POST, "/clock", Some("application/json; charset=utf-8"), "{\"resume\": true}")
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        send(Method::POST, "/fixtures", Some("application/yaml"), "replies: []").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn hosts_that_cannot_be_one_and_pages_in_any_spelling_are_kept_out() {
    let server = TestServer::start().await;
    let with = async |name: &'static str, value: &str| {
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        server
            .send(server.request(Method::POST, "/v1/threads").header(name, value).body(""))
            .await
            .status
            .as_u16()
    };
    for host in ["a b", "a/b", "ä", "a:b", "a,b", "user@a", "[::1", "a:99999", ""] {
        assert_eq!(with("host", host).await, 400, "{host}");
    }
    for host in ["a", "a_b", "localhost:1", "[::1]:7357"] {
        assert_eq!(with("host", host).await, 200, "{host}");
    }
    assert_eq!(with("host", "a.example.com").await, 421);
    for site in ["cross-site", "Cross-Site", "CROSS-SITE"] {
        assert_eq!(with("sec-fetch-site", site).await, 403, "{site}");
    }
    assert_eq!(with("sec-fetch-site", "same-origin").await, 200);
}

#[tokio::test]
async fn a_part_of_a_form_has_no_head_of_a_megabyte() {
    let server = TestServer::start().await;
    let form = |head: &str| -> Vec<u8> {
        format!(
            "--XX\r\nContent-Disposition: form-data; \
             name=\"purpose\"\r\n\r\nassistants\r\n--XX\r\n{head}Content-Disposition: form-data; \
             name=\"file\"; filename=\"a.txt\"\r\n\r\nHello\r\n--XX--\r\n"
        )
        .into_bytes()
    };
    let send = async |head: &str| -> Answer {
        let request = server
            .request(Method::POST, "/v1/files")
            .header("content-type", "multipart/form-data; boundary=XX");
        server.send(request.body(form(head))).await
    };
    assert_eq!(send("X-A: b\r\n").await.status, StatusCode::OK);
    for head in
        [format!("X-A: {}\r\n", "b".repeat(1 << 20)), format!("{}: b\r\n", "X".repeat(1 << 20))]
    {
        assert_eq!(send(&head).await.refusal(), "400 Could not parse multipart form [null null]");
    }
}

#[tokio::test]
async fn what_the_service_stored_before_it_had_a_rule_is_seeded_as_it_is() {
    let fixtures = "assistants: [{id: asst_old, model: gpt-4o, tools: [{type: function, function: \
                    {name: f, parameters: {}}}]}]";
    let server = TestServer::with_fixtures(fixtures).await;
    let old = server.get("/v1/assistants/asst_old").await.body;
    assert_eq!(old["tools"][0]["function"]["parameters"], json!({}));
    let renamed = server.post("/v1/assistants/asst_old", json!({"name": "Old"})).await;
    assert_eq!(renamed.status.as_u16(), 200, "{}", renamed.text);
}
