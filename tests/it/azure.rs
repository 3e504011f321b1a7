//! Azure's paths, keys, versions and the errors of its gateway, over the same data.

use rehearsal::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, TestServer, config};

const VERSION: &str = "api-version=2024-05-01-preview";

async fn ask(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let request = headers
        .iter()
        .fold(server.bare(method, path), |request, (name, value)| request.header(*name, *value));
    server.send(if let Some(body) = body { request.json(&body) } else { request }).await
}

async fn get(server: &TestServer, path: &str) -> Answer {
    ask(server, Method::GET, path, &[("api-key", "sk-test")], None).await
}

async fn post(server: &TestServer, path: &str, body: Value) -> Answer {
    ask(server, Method::POST, path, &[("api-key", "sk-test")], Some(body)).await
}

/// The status and the body of an error of the gateway.
fn gateway(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({"error": {"code": code, "message": message}}))
}

fn of(answer: Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.body)
}

#[tokio::test]
async fn a_conversation_needs_no_beta_header_and_is_seen_by_openais_paths_too() {
    let server = TestServer::start().await;
    let assistant =
        post(&server, &format!("/openai/assistants?{VERSION}"), json!({"model": "my-deployment"}))
            .await;
    assert_eq!(assistant.body["model"], "my-deployment");
    let thread = json!({"messages": [{"role": "user", "content": "Solve 3x + 11 = 14, please."}]});
    let order = json!({"assistant_id": assistant.id(), "thread": thread});
    let run = post(&server, &format!("/openai/threads/runs?{VERSION}"), order).await;
    assert_eq!(run.body["status"], "queued");
    server.idle().await;
    let thread = run.body["thread_id"].as_str().unwrap().to_owned();
    let run = get(&server, &format!("/openai/threads/{thread}/runs/{}?{VERSION}", run.id())).await;
    assert_eq!(run.body["status"], "completed");
    let messages = get(&server, &format!("/openai/v1/threads/{thread}/messages")).await;
    assert_eq!(messages.body, server.get(&format!("/v1/threads/{thread}/messages")).await.body);
    // Other sessions have Azure's paths, too.
    let elsewhere = get(&server, &format!("/s/other/openai/assistants?{VERSION}")).await;
    assert_eq!(elsewhere.body["data"], json!([]));
}

#[tokio::test]
async fn either_header_lets_a_key_in() {
    let server =
        TestServer::with(Config { api_keys: vec!["right-key".to_owned()], ..config() }).await;
    let path = format!("/openai/assistants?{VERSION}");
    let (right, wrong) = (("api-key", "right-key"), ("api-key", "wrong-key"));
    let (bearer, wrong_bearer) =
        (("authorization", "Bearer right-key"), ("authorization", "Bearer wrong-key"));
    for headers in [
        vec![right],
        vec![bearer],
        vec![right, bearer],
        vec![right, wrong_bearer],
        vec![wrong, bearer],
    ] {
        assert_eq!(
            ask(&server, Method::GET, &path, &headers, None).await.status,
            StatusCode::OK,
            "{headers:?}"
        );
    }
    let denied = gateway(
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide \
         a valid key for an active subscription and use a correct regional API endpoint for your \
         resource.",
    );
    for headers in [vec![], vec![wrong], vec![wrong, wrong_bearer], vec![("api-key", "")]] {
        assert_eq!(
            of(ask(&server, Method::GET, &path, &headers, None).await),
            denied,
            "{headers:?}"
        );
    }
    // An Azure client with OpenAI's base URL still sends the version.
    let mixed =
        ask(&server, Method::GET, &format!("/v1/assistants?{VERSION}"), &[right], None).await;
    assert_eq!(mixed.status, StatusCode::OK);
    // On other paths, this header has no meaning.
    let openai = [right, ("openai-beta", "assistants=v2")];
    assert_eq!(
        ask(&server, Method::GET, "/v1/assistants", &openai, None).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_gateway_says_what_does_not_exist_and_the_service_all_else() {
    let server = TestServer::start().await;
    let nothing = gateway(404, "404", "Resource not found");
    for path in [
        "/openai/assistants",
        "/openai/assistants?api-version=banana",
        "/openai/assistants?api-version=2023-05-15",
        "/openai/nothing?api-version=2024-05-01-preview",
        "/openai/deployments/gpt-4o/nothing?api-version=2024-05-01-preview",
        "/openai/deployments/gpt-4o/assistants",
        "/openai/assistants/asst_x/files?api-version=2024-05-01-preview",
        "/openai/v1/nothing",
    ] {
        assert_eq!(of(get(&server, path).await), nothing, "{path}");
    }
    assert_eq!(
        of(ask(
            &server,
            Method::DELETE,
            &format!("/openai/models?{VERSION}"),
            &[("api-key", "k")],
            None
        )
        .await),
        nothing
    );
    let missing = get(&server, &format!("/openai/threads/thread_x?{VERSION}")).await;
    assert_eq!(missing.refusal(), "404 No thread found with id 'thread_x'. [null null]");
    // Paths below /openai/v1 need no version.
    assert_eq!(get(&server, "/openai/v1/assistants").await.status, StatusCode::OK);
    assert_eq!(
        get(&server, "/openai/v1/assistants?api-version=preview").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_first_previews_had_the_assistants_of_v1() {
    let server = TestServer::start().await;
    let old = post(&server, "/openai/threads?api-version=2024-02-15-preview", json!({})).await;
    assert_eq!(old.body.get("tool_resources"), None);
    assert_eq!(
        get(&server, "/openai/assistants/asst_x/files?api-version=2024-03-01-preview").await.body["error"]
            ["code"],
        Value::Null
    );
    // A header with a version has priority.
    let headers = [("api-key", "k"), ("openai-beta", "assistants=v2")];
    let path = "/openai/threads?api-version=2024-02-15-preview";
    let new = ask(&server, Method::POST, path, &headers, Some(json!({}))).await;
    assert_eq!(new.body["tool_resources"], json!({}));
}

#[tokio::test]
async fn a_model_without_a_deployment_shows_at_the_first_run() {
    let server = TestServer::with(Config { strict_models: true, ..config() }).await;
    let assistant =
        post(&server, &format!("/openai/assistants?{VERSION}"), json!({"model": "nobody"}))
            .await
            .id();
    let thread = json!({"messages": [{"role": "user", "content": "Hello"}]});
    let order = json!({"assistant_id": assistant, "thread": thread});
    let run = post(&server, &format!("/openai/threads/runs?{VERSION}"), order).await;
    server.idle().await;
    let path = format!(
        "/openai/threads/{}/runs/{}?{VERSION}",
        run.body["thread_id"].as_str().unwrap(),
        run.id()
    );
    let run = get(&server, &path).await.body;
    let expected = json!({"code": "invalid_engine_error",
        "message": "Failed to resolve model info for: nobody"});
    assert_eq!((&run["status"], &run["last_error"]), (&json!("failed"), &expected));
}

#[tokio::test]
async fn paths_below_a_deployment_have_no_assistants() {
    let server = TestServer::start().await;
    let nothing = gateway(404, "404", "Resource not found");
    for deployment in ["gpt-4o", "nobody", "my%20model", ""] {
        for resource in
            ["assistants", "threads", "threads/runs", "files", "vector_stores", "uploads", ""]
        {
            let path = format!("/openai/deployments/{deployment}/{resource}?{VERSION}");
            assert_eq!(of(get(&server, &path).await), nothing, "GET {path}");
            assert_eq!(
                of(post(&server, &path, json!({"model": "gpt-4o"})).await),
                nothing,
                "POST {path}"
            );
        }
    }
    // The key is checked first.
    let path = format!("/openai/deployments/gpt-4o/assistants?{VERSION}");
    assert_eq!(ask(&server, Method::GET, &path, &[], None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn files_have_ids_of_azures_own() {
    let server = TestServer::start().await;
    let part = reqwest::multipart::Part::text("apples").file_name("a.txt");
    let form = reqwest::multipart::Form::new().text("purpose", "assistants").part("file", part);
    let request = server
        .bare(Method::POST, &format!("/openai/files?{VERSION}"))
        .header("api-key", "k")
        .multipart(form);
    let file = server.send(request).await.id();
    assert_eq!((&file[..10], file.len()), ("assistant-", 34));
    // They work like other files.
    let store =
        post(&server, &format!("/openai/vector_stores?{VERSION}"), json!({"file_ids": [file]}))
            .await
            .id();
    server.idle().await;
    assert_eq!(server.search(&store, json!("apples")).await.len(), 1);
}

#[tokio::test]
async fn the_journal_shows_paths_as_sent_and_neither_key() {
    let server = TestServer::start().await;
    let headers = [("api-key", "first-secret"), ("authorization", "Bearer second-secret")];
    let body = json!({"metadata": {"a": "first-secret", "b": "second-secret"}});
    ask(&server, Method::POST, &format!("/openai/threads?{VERSION}"), &headers, Some(body)).await;
    let journal = server.get("/_rehearsal/requests").await;
    assert_eq!(journal.body["data"][0]["path"], "/openai/threads");
    assert!(!journal.text.contains("secret"), "{}", journal.text);
}

#[tokio::test]
async fn faults_strike_either_spelling_of_a_path() {
    let faults = "faults:\n  - when: {path: /openai/threads}\n    times: 1\n    respond: {status: \
                  429}\n  - when: {path: /v1/assistants}\n    times: 1\n    respond: {status: \
                  503}\n";
    let server = TestServer::with_fixtures(faults).await;
    assert_eq!(
        post(&server, &format!("/openai/threads?{VERSION}"), json!({})).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        get(&server, &format!("/openai/assistants?{VERSION}")).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn since_the_shutdown_azure_has_nothing_there_either() {
    let server = TestServer::with(Config { sunset: true, ..config() }).await;
    let gone = get(&server, &format!("/openai/assistants?{VERSION}")).await;
    assert_eq!(of(gone), gateway(404, "404", "Resource not found"));
    assert_eq!(get(&server, &format!("/openai/files?{VERSION}")).await.status, StatusCode::OK);
}
