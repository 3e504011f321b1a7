//! The parts of the server that the Playground needs: reads that leave no trace, the list of runs,
//! the files of the page. Browser tests check the page itself.

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
async fn a_read_of_an_observer_does_not_advance_a_run() {
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
    assert!(none.refusal().contains("There is no session 'mine' yet"), "{}", none.text);
    assert_eq!(observe(&server, "/s/mine/_rehearsal/runs").await.status, StatusCode::NOT_FOUND);
    let made = server.post("/s/mine/v1/assistants", json!({"model": "gpt-4o"})).await;
    let seen = observe(&server, "/s/mine/v1/assistants").await;
    assert_eq!(seen.body["data"][0]["id"], made.id().as_str());
}

#[tokio::test]
async fn the_sunset_flag_rejects_clients_and_writes_but_no_reads_of_observers() {
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
        json!(["queued", "in_progress", "requires_action", "queued", "in_progress", "completed"])
    );
    let with = json!({"assistant_id": "asst_weather"});
    let (_, cancelled) = server.run_with("Weather in Rome", with).await;
    server.post(&format!("{cancelled}/cancel"), json!({})).await;
    server.idle().await;
    let runs = server.get("/_rehearsal/runs?limit=1").await.body;
    let walk = runs["data"][0]["walk"].as_array().unwrap().clone();
    assert_eq!(walk[2], "requires_action", "{runs}");
    assert!(walk.last().unwrap() == "cancelled" && walk.len() <= 5, "{runs}");
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
    // The runs of a deleted thread are deleted, too.
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

#[tokio::test]
async fn a_match_says_of_each_reply_what_holds_and_what_does_not_and_makes_nothing() {
    const REPLIES: &str = "
assistants: [{id: asst_a, name: Bot, model: gpt-4o, metadata: {tier: gold}}]
replies:
  - {name: once, times: 1, when: {message: Once}, steps: [{message: One}]}
  - {name: gold, when: {metadata: {tier: gold}, message: {contains: hello}}, steps: [{message: Gold}]}
  - {name: tools, when: {tools: [f], turn: 2}, steps: [{message: Tools}]}
  - {name: rest, when: {assistant: Bot}, steps: [{message: Rest}]}
";
    let server = TestServer::with_fixtures(REPLIES).await;
    let twin = TestServer::with_fixtures(REPLIES).await;
    let ask = async |body: Value| server.post("/_rehearsal/match", body).await;
    let said = |text: &str| {
        let thread = json!({"messages": [{"role": "user", "content": text}]});
        json!({"assistant_id": "asst_a", "thread": thread})
    };
    let answer = ask(said("Hello")).await.body;
    assert_eq!(answer["reply"]["name"], "rest");
    let [once, gold, tools, rest] = answer["data"].as_array().unwrap().as_slice() else {
        panic!("{answer}")
    };
    assert_eq!(
        (&once["matches"], &once["misses"][0]["condition"]),
        (&json!(false), &json!("message"))
    );
    assert_eq!(gold["held"][0]["condition"], "metadata.tier");
    assert_eq!(gold["misses"][0]["hint"], "only the case differs");
    assert_eq!(tools["misses"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&rest["matches"], &rest["held"][0]["condition"]),
        (&json!(true), &json!("assistant"))
    );
    assert_eq!(ask(said("Say hello")).await.body["reply"]["name"], "gold");

    let second = server.post("/_rehearsal/match?turn=2", said("Hello")).await.body;
    assert_eq!(second["data"][2]["held"][0]["condition"], "turn");
    assert_eq!(server.post("/_rehearsal/match?turn=0", said("Hello")).await.status, 400);
    assert_eq!(ask(said("Once")).await.body["reply"]["name"], "once");
    let quiet = server.request(Method::POST, "/s/none/_rehearsal/match").json(&said("Hello"));
    assert_eq!(server.send(quiet.header("x-rehearsal-observer", "1")).await.status, 404);
    server.run_with("Once", json!({"assistant_id": "asst_a"})).await;
    let used = ask(said("Once")).await.body;
    assert_eq!(
        (&used["reply"]["name"], &used["data"][0]["used_up"]),
        (&json!("rest"), &json!(true))
    );
    let named = json!({"assistant_id": "asst_a", "instructions": "x", "metadata": {"rehearsal_reply": "tools"}});
    let named = ask(named).await.body;
    assert_eq!((&named["named"], &named["reply"]["name"]), (&json!("tools"), &json!("tools")));

    // A read through this call does not count as use.
    let file = server.document("a.txt", "Herons eat fish.").await;
    let store = server.store(&[&file]).await;
    server.idle().await;
    let before = server.get(&format!("/v1/vector_stores/{store}")).await.text;
    server.advance(std::time::Duration::from_secs(60)).await;
    let thread = json!({"tool_resources": {"file_search": {"vector_store_ids": [store]}}});
    let tools = json!([{"type": "file_search"}]);
    let searching =
        json!({"assistant_id": "asst_a", "instructions": "x", "thread": thread, "tools": tools});
    assert_eq!(ask(searching).await.status, 200);
    assert_eq!(server.get(&format!("/v1/vector_stores/{store}")).await.text, before);

    for (body, status) in [
        (json!({}), 400),
        (json!({"assistant_id": "asst_none"}), 404),
        (json!({"assistant_id": "asst_a", "temperature": 9}), 400),
    ] {
        let refused = ask(body).await;
        assert_eq!(refused.status.as_u16(), status, "{}", refused.text);
    }
    // It created nothing and used no id.
    twin.run_with("Once", json!({"assistant_id": "asst_a"})).await;
    let file = twin.document("a.txt", "Herons eat fish.").await;
    twin.store(&[&file]).await;
    assert_eq!(server.assistant().await, twin.assistant().await);
    assert_eq!(server.get("/_rehearsal/threads").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn threads_are_found_by_their_words_their_metadata_and_the_ids_in_them() {
    let server = TestServer::start().await;
    let (first, run) = server.run("What is 100% of ÄPFEL?").await;
    let second = json!({"metadata": {"customer": "Ada"}});
    let second = server.post("/v1/threads", second).await.id();
    let asked = async |key: &str, query: &str| {
        let request = server.request(Method::GET, "/_rehearsal/threads").query(&[(key, query)]);
        let body = server.send(request).await.body;
        let ids = body["data"].as_array().unwrap().iter();
        ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let found = async |query: &str| asked("q", query).await;
    assert_eq!(found("").await, [second.as_str(), last(&first)]);
    assert_eq!(found("what IS").await, [last(&first)]);
    assert_eq!(found("100%").await, [last(&first)]);
    assert_eq!(found("customer").await, [second.as_str()]);
    assert_eq!(found("ada").await, [second.as_str()]);
    // The keys of the API do not count as words of a message.
    assert!(found("annotations").await.is_empty() && found("value").await.is_empty());
    assert_eq!(asked("id", last(&run)).await, [last(&first)]);
    assert_eq!(asked("id", &second).await, [second.as_str()]);
    assert!(asked("id", "What").await.is_empty());
    let messages = server.get(&format!("{first}/messages")).await.body;
    let message = messages["data"][0]["id"].as_str().unwrap();
    assert_eq!(asked("id", message).await, [last(&first)]);
    for nothing in ["%", "_", "' or 1=1 --", "nobody"] {
        let found = found(nothing).await;
        assert!(found.is_empty() || nothing == "%", "{nothing} {found:?}");
    }
    let page = server.get("/_rehearsal/threads?limit=1").await.body;
    assert_eq!((&page["has_more"], &page["data"][0]["messages"]), (&json!(true), &json!(0)));
    let rest = server.get(&format!("/_rehearsal/threads?after={second}")).await.body;
    assert_eq!((&rest["data"][0]["messages"], &rest["data"][0]["runs"]), (&json!(2), &json!(1)));
    assert_eq!(rest["data"][0]["message"], "What is 100% of ÄPFEL?");
}

#[tokio::test]
async fn a_switched_pace_holds_the_next_run_until_it_is_polled() {
    let hi = "replies: [{pace: instant, steps: [{message: Hello}]}]";
    let server = TestServer::with_fixtures(hi).await;
    assert_eq!(server.get("/_rehearsal/pace").await.body["pace"], "instant");
    let switched = server.post("/_rehearsal/pace", json!({"pace": "steps"})).await.body;
    assert_eq!(switched, json!({"object": "pace", "pace": "steps"}));
    let (_, held) = server.run("One").await;
    assert_eq!(observe(&server, &held).await.body["status"], "queued");
    assert_eq!(server.get(&held).await.body["status"], "in_progress");
    server.post("/_rehearsal/pace", json!({"pace": null})).await;
    let (_, free) = server.run("Two").await;
    assert_eq!(observe(&server, &free).await.body["status"], "completed");
    assert_eq!(observe(&server, &held).await.body["status"], "in_progress");
    for (body, status) in [(json!({"pace": "fast"}), 400), (json!({"speed": 1}), 400)] {
        assert_eq!(server.post("/_rehearsal/pace", body).await.status.as_u16(), status);
    }
    server.post("/_rehearsal/pace", json!({"pace": {"queue": "1s"}})).await;
    assert_eq!(server.get("/_rehearsal/pace").await.body["pace"], "custom");
    server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(server.get("/_rehearsal/pace").await.body["pace"], "instant");
}

#[tokio::test]
async fn one_document_is_taken_out_and_the_others_stay() {
    let server = TestServer::with_fixtures("replies: []").await;
    let add = async |name: &str| {
        let yaml = format!("replies: [{{name: {name}, steps: [{{message: {name}}}]}}]");
        let request = server.request(Method::POST, "/_rehearsal/fixtures");
        let request = request.header("content-type", "application/yaml").body(yaml);
        server.send(request).await.body["document"].as_u64().unwrap()
    };
    let (one, two) = (add("one").await, add("two").await);
    assert_eq!((one, two), (1, 2));
    let listed = async || {
        let data = server.get("/_rehearsal/fixtures").await.body["data"].clone();
        let data = data.as_array().unwrap().clone();
        data.iter().map(|it| (it["name"].clone(), it["document"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [(json!("two"), json!(2)), (json!("one"), json!(1))]);
    server.delete("/_rehearsal/fixtures/2").await;
    assert_eq!(listed().await, [(json!("one"), json!(1))]);
    assert_eq!(server.delete("/_rehearsal/fixtures/2").await.status, 404);
    assert_eq!(add("three").await, 3);
}

#[tokio::test]
async fn sessions_are_listed_and_one_that_is_removed_begins_anew() {
    let server = TestServer::with_fixtures("assistants: [{id: asst_a, model: gpt-4o}]").await;
    for name in ["a", "b"] {
        server.post(&format!("/s/{name}/v1/assistants"), json!({"model": "gpt-4o"})).await;
        server
            .send(server.request(Method::PUT, &format!("/s/{name}/_rehearsal/snapshots/kept")))
            .await;
    }
    let listed = async || {
        let sessions = server.get("/_rehearsal/sessions").await.body["data"].clone();
        let sessions = sessions.as_array().unwrap().clone();
        let line = |it: &Value| (it["name"].clone(), it["counts"]["assistants"].clone());
        sessions.iter().map(line).collect::<Vec<_>>()
    };
    let all = |rest: &[(&str, u64)]| {
        rest.iter().map(|(name, count)| (json!(name), json!(count))).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, all(&[("a", 2), ("b", 2), ("default", 1)]));
    let mut events = server.bare(Method::GET, "/s/a/_rehearsal/events").send().await.unwrap();
    let removed = server.delete("/_rehearsal/sessions/a").await;
    assert_eq!(removed.body, json!({"object": "session.deleted", "name": "a", "deleted": true}));
    while events.chunk().await.unwrap().is_some() {}
    assert_eq!(listed().await, all(&[("b", 2), ("default", 1)]));
    assert_eq!(observe(&server, "/s/a/v1/assistants").await.status, 404);
    assert_eq!(server.get("/s/a/_rehearsal/snapshots").await.body["data"], json!([]));
    assert_eq!(listed().await, all(&[("a", 1), ("b", 2), ("default", 1)]));
    let kept = server.get("/s/b/_rehearsal/snapshots").await.body;
    assert_eq!(kept["data"][0]["name"], "kept");
    let found = server.get("/_rehearsal/sessions?q=b").await.body;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_journal_is_narrowed_to_one_run() {
    let server = TestServer::start().await;
    let (_, run) = server.run("Hello").await;
    server.run("Other").await;
    server.get(&run).await;
    let about = server.get(&format!("/_rehearsal/requests?run={}", last(&run))).await.body;
    let methods: Vec<_> =
        about["data"].as_array().unwrap().iter().map(|it| &it["method"]).collect();
    assert_eq!(methods, ["POST", "GET"]);
    let newest = server.get("/_rehearsal/requests?order=desc&limit=1").await.body;
    assert_eq!((&newest["data"][0]["method"], &newest["has_more"]), (&json!("GET"), &json!(true)));
    let turns = server.get("/_rehearsal/turns?order=desc").await.body;
    assert_eq!(turns["data"][0]["asked"]["messages"][0]["content"], "Other");
    assert_eq!(server.get("/_rehearsal/turns?order=up").await.status, 400);
}

#[tokio::test]
async fn the_chunks_of_a_file_are_what_a_search_finds() {
    let server = TestServer::start().await;
    let text = "Herons eat fish. ".repeat(2_000);
    let file = server.document("birds.txt", text.clone()).await;
    let store = server.store(&[&file]).await;
    server.idle().await;
    let path = format!("/_rehearsal/vector_stores/{store}/files/{file}/chunks");
    let chunks = server.get(&path).await.body["data"].as_array().unwrap().clone();
    assert!(chunks.len() > 2, "{}", chunks.len());
    for chunk in &chunks {
        let start = usize::try_from(chunk["start"].as_u64().unwrap()).unwrap();
        assert!(text[start..].starts_with(chunk["text"].as_str().unwrap().trim_end()));
    }
    let found = server.search(&store, json!({"query": "herons"})).await;
    assert!(chunks.iter().any(|chunk| chunk["text"] == found[0].1.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletes_of_a_session_beside_its_requests_break_nothing() {
    let server = TestServer::with_fixtures("assistants: [{id: asst_a, model: gpt-4o}]").await;
    let run = json!({"assistant_id": "asst_a", "instructions": "x"});
    let work = async |number: usize| {
        for turn in 0..12 {
            let session = format!("/s/s{}", turn % 2);
            let answer = match (number + turn) % 4 {
                0 => server.delete(&format!("/_rehearsal/sessions/s{}", turn % 2)).await,
                1 => server.post(&format!("{session}/_rehearsal/reset"), json!({})).await,
                _ => server.post(&format!("{session}/v1/threads/runs"), run.clone()).await,
            };
            // Another request may have deleted it.
            assert!([200, 404].contains(&answer.status.as_u16()), "{}", answer.text);
        }
    };
    futures_util::future::join_all((0..12).map(work)).await;
    for session in ["s0", "s1"] {
        let listed = server.get(&format!("/s/{session}/v1/assistants")).await;
        assert_eq!(listed.body["data"][0]["id"], "asst_a", "{}", listed.text);
    }
}

#[tokio::test]
async fn a_key_is_removed_from_the_names_in_metadata_too() {
    const KEY: &str = "sk-a-secret-that-is-long-enough";
    let server = TestServer::start().await;
    let request = server.bare(Method::POST, "/v1/threads").bearer_auth(KEY);
    let body = json!({"metadata": {KEY: "a", "b": KEY}});
    let made = request.header("openai-beta", "assistants=v2").json(&body);
    assert_eq!(server.send(made).await.status, 200);
    let journal = server.get("/_rehearsal/requests").await.text;
    assert!(!journal.contains(KEY) && journal.contains("[removed]"), "{journal}");
}
