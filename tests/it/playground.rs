//! What the Playground stands on: reads that leave no trace, the list of runs, the files of the
//! page. The page itself is tested in a browser.

use rehearsal::{Config, Pace, Unmatched};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, TestServer, config};

/// A read that leaves no trace.
async fn observe(server: &TestServer, path: &str) -> Answer {
    let request = server.request(Method::GET, path);
    server.send(request.header("x-rehearsal-observer", "1")).await
}

/// The id that a path ends in.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

const WEATHER: &str = "
assistants: [{id: asst_weather, name: Weather Bot, model: gpt-4o}]
replies:
  - name: weather
    when: {message: {matches: 'in (?<city>\\w+)'}}
    steps:
      - tool_calls: [{function: {name: weather, arguments: {place: '{{ city }}'}}}]
      - message: 'It is {{ outputs.weather.now.temperature }} in {{ city }}, {{ outputs.weather.sky }}.'
";

#[tokio::test]
async fn a_read_of_an_observer_moves_nothing_on() {
    let paced = Config { pace: Pace::Steps, ..config() };
    let server = TestServer::with_fixtures_and(WEATHER, paced).await;
    let (_, path) = server.run("Weather in Oslo").await;
    for _ in 0..5 {
        assert_eq!(observe(&server, &path).await.body["status"], "queued");
    }
    assert_eq!(server.get(&path).await.body["status"], "in_progress");
    assert_eq!(observe(&server, &path).await.body["status"], "in_progress");
}

#[tokio::test]
async fn a_read_of_an_observer_is_in_no_journal_metric_or_count_and_draws_no_id() {
    const FAULTS: &str = "faults: [{when: {path: /v1/models}, times: 1, respond: {status: 503}}]";
    let server = TestServer::with_fixtures_and(FAULTS, config()).await;
    let twin = TestServer::with_fixtures_and(FAULTS, config()).await;
    for path in ["/v1/models", "/v1/assistants", "/_rehearsal/fixtures", "/s/none/v1/models", "/no"]
    {
        for _ in 0..3 {
            observe(&server, path).await;
        }
    }
    let id = |answer: &Answer| answer.headers["x-request-id"].clone();
    let (one, other) = (server.get("/v1/models").await, twin.get("/v1/models").await);
    assert_eq!((one.status, id(&one)), (StatusCode::SERVICE_UNAVAILABLE, id(&other)));
    let counts = async |server: &TestServer| {
        let text = server.get("/metrics").await.text;
        let counted = text.lines().filter(|line| line.starts_with("rehearsal_requests_total"));
        counted.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(counts(&server).await, counts(&twin).await);
    let journal = observe(&server, "/_rehearsal/requests").await.body;
    assert_eq!(journal["data"].as_array().unwrap().len(), 1);
    assert_eq!(server.assistant().await, twin.assistant().await);
}

#[tokio::test]
async fn an_observer_makes_no_session_and_finds_those_that_are_used() {
    let server = TestServer::with(Config { max_sessions: 2, ..config() }).await;
    let none = observe(&server, "/s/mine/v1/assistants").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(none.refusal().contains("No session 'mine' has been used yet"), "{}", none.text);
    assert_eq!(observe(&server, "/s/mine/_rehearsal/runs").await.status, StatusCode::NOT_FOUND);
    let made = server.post("/s/mine/v1/assistants", json!({"model": "gpt-4o"})).await;
    let seen = observe(&server, "/s/mine/v1/assistants").await;
    assert_eq!(seen.body["data"][0]["id"], made.id().as_str());
}

#[tokio::test]
async fn flags_that_refuse_clients_refuse_no_observer_and_no_write_is_an_observer_s() {
    let server = TestServer::with(Config { sunset: true, ..config() }).await;
    assert_eq!(server.get("/v1/assistants").await.status, StatusCode::NOT_FOUND);
    assert_eq!(observe(&server, "/v1/assistants").await.status, StatusCode::OK);
    let write = server.request(Method::POST, "/v1/assistants").json(&json!({"model": "gpt-4o"}));
    let refused = server.send(write.header("x-rehearsal-observer", "1")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    let journal = server.get("/_rehearsal/requests").await.body;
    assert_eq!(journal["data"].as_array().unwrap().len(), 2, "{journal}");
    let server = TestServer::with(Config { api_keys: vec!["right".into()], ..config() }).await;
    assert_eq!(observe(&server, "/v1/assistants").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(observe(&server, "/_rehearsal/runs").await.status, StatusCode::OK);
}

#[tokio::test]
async fn runs_are_listed_with_what_they_were_asked_and_which_reply_answered() {
    let fail = Config { unmatched: Unmatched::Fail, ..config() };
    let server = TestServer::with_fixtures_and(WEATHER, fail).await;
    let with = json!({"assistant_id": "asst_weather", "tools": [{"type": "function",
        "function": {"name": "weather"}}]});
    let (thread, path) = server.run_with("Weather in Oslo", with).await;
    let (_, failed) = server.run("Anything else").await;
    let (waits, failed) = (last(&path), last(&failed));
    server.idle().await;
    let runs = server.get("/_rehearsal/runs").await.body;
    let [newest, older] = runs["data"].as_array().unwrap().as_slice() else { panic!("{runs}") };
    assert_eq!(newest["run"], failed);
    assert_eq!((&newest["unmatched"], &newest["reply"]), (&json!(true), &Value::Null));
    assert_eq!(newest["walk"], json!(["queued", "in_progress", "failed"]));
    assert_eq!(newest["message"], "Anything else");
    assert_eq!(older["run"], waits);
    assert_eq!(older["assistant"], json!({"id": "asst_weather", "name": "Weather Bot"}));
    assert_eq!(older["reply"]["name"], "weather");
    assert_eq!(older["reply"]["line"], 4);
    assert_eq!(older["walk"], json!(["queued", "in_progress", "requires_action"]));
    let unmatched = server.get(&format!("/_rehearsal/unmatched?run={waits}")).await.body;
    assert_eq!(unmatched["data"], json!([]));
    let unmatched = server.get(&format!("/_rehearsal/unmatched?run={failed}")).await.body;
    assert_eq!(unmatched["data"][0]["run"], failed);

    let run = server.get(&path).await.body;
    let call = &run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"];
    let output = json!({"now": {"temperature": 7}, "sky": "grey"}).to_string();
    let outputs = json!({"tool_outputs": [{"tool_call_id": call, "output": output}]});
    server.post(&format!("{path}/submit_tool_outputs"), outputs).await;
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], "It is 7 in Oslo, grey.");
    let runs = server.get(&format!("/_rehearsal/runs?thread={}", last(&thread))).await.body;
    assert_eq!(runs["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        runs["data"][0]["walk"],
        json!(["queued", "in_progress", "requires_action", "in_progress", "completed"])
    );
    let fixtures = server.get("/_rehearsal/fixtures").await.body;
    assert_eq!(fixtures["data"][0]["outputs"], json!(["weather.now.temperature", "weather.sky"]));
}

#[tokio::test]
async fn the_list_of_runs_has_pages_and_refuses_what_makes_no_sense() {
    let server = TestServer::start().await;
    let mut made = Vec::new();
    for word in ["one", "two", "three"] {
        made.push(last(&server.run(word).await.1).to_owned());
    }
    let page = server.get("/_rehearsal/runs?limit=2").await.body;
    assert_eq!((&page["data"][0]["message"], &page["has_more"]), (&json!("three"), &json!(true)));
    let rest = server.get(&format!("/_rehearsal/runs?after={}", made[1])).await.body;
    assert_eq!(rest["data"].as_array().unwrap().len(), 1);
    assert_eq!(rest["data"][0]["message"], "one");
    for (query, status) in
        [("limit=0", 400), ("order=up", 400), ("after=run_none", 404), ("stats=x", 400)]
    {
        let answer = server.get(&format!("/_rehearsal/runs?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query} {}", answer.text);
    }
    // A thread that is gone takes its runs along.
    let thread = rest["data"][0]["thread"].as_str().unwrap();
    server.delete(&format!("/v1/threads/{thread}")).await;
    let left = server.get("/_rehearsal/runs").await.body;
    assert_eq!(left["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn after_a_restart_the_list_shows_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let hi = "replies: [{name: hi, steps: [{message: Hello!}]}]";
    let server = TestServer::on(&database, hi).await;
    let (thread, _) = server.run("First").await;
    server.idle().await;
    let message = json!({"role": "user", "content": "Second"});
    assert_eq!(server.post(&format!("{thread}/messages"), message).await.status, 200);
    server.stop().await;
    let server = TestServer::on(&database, hi).await;
    let runs = server.get("/_rehearsal/runs").await.body;
    assert_eq!(runs["data"][0]["message"], "First");
    assert_eq!(runs["data"][0]["reply"], Value::Null);
    assert_eq!(runs["data"][0]["walk"], json!(["queued", "in_progress", "completed"]));
}

#[tokio::test]
async fn a_browser_gets_the_page_and_a_client_with_a_wrong_base_url_gets_advice() {
    let server = TestServer::with(Config { api_keys: vec!["right".into()], ..config() }).await;
    let ask = |accept: &'static str| server.bare(Method::GET, "/").header("accept", accept).send();
    let page = ask("text/html,application/xhtml+xml,*/*;q=0.8").await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    let text = page.text().await.unwrap();
    for (place, kind) in [("app.js", "text/javascript"), ("style.css", "text/css")] {
        assert!(text.contains(place));
        let asset = server.bare(Method::GET, &format!("/assets/{place}")).send().await.unwrap();
        assert!(asset.headers()["content-type"].to_str().unwrap().starts_with(kind));
        assert_eq!(asset.headers()["x-content-type-options"], "nosniff");
        assert!(asset.text().await.unwrap().len() > 1000);
    }
    assert_eq!(server.bare(Method::GET, "/assets/none").send().await.unwrap().status(), 404);
    let refused = ask("application/json").await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert!(refused.text().await.unwrap().contains("set your client's base URL to"));
}
