//! The control API in the way that tests use it: reset, added fixtures, the journal, the clock,
//! snapshots, events.

use futures_util::{StreamExt, future::join_all};
use rehearsal::{Config, Pace, Unmatched};
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::server::{Answer, START, TestServer, config};

const HI: &str = "replies:\n  - {name: hi, when: {message: Hi}, steps: [{message: Hello!}]}\n";

async fn put_in(server: &TestServer, session: &str, yaml: &str) -> Answer {
    let request = server.request(Method::POST, &format!("{session}/_rehearsal/fixtures"));
    server.send(request.header("content-type", "application/yaml").body(yaml.to_owned())).await
}

async fn listed(server: &TestServer, path: &str) -> Vec<Value> {
    server.get(path).await.body["data"]
        .as_array()
        .unwrap_or_else(|| panic!("no list at {path}"))
        .clone()
}

async fn set_clock(server: &TestServer, change: Value) -> Value {
    let answer = server.post("/_rehearsal/clock", change).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.body
}

fn due(clock: &Value) -> Vec<&str> {
    clock["due"].as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_call_of_the_document_exists_and_answers_as_it_says() {
    let server = TestServer::start().await;
    let document = server.get("/_rehearsal/openapi.json").await.body;
    let mut calls = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        if path == "/events" {
            continue;
        }
        for method in ["get", "put", "post", "delete"]
            .into_iter()
            .filter(|method| operations.get(*method).is_some())
        {
            let thread = if path.contains("{thread_id}") {
                server.thread("Hello").await
            } else {
                String::new()
            };
            let name = if path.starts_with("/sessions") { "worker" } else { "kept" };
            server.post("/s/worker/v1/threads", json!({})).await;
            let document = put_in(&server, "", HI).await.body["document"].to_string();
            let path = if path.contains("{file_id}") {
                let file = server.document("a.txt", "Herons eat fish.").await;
                let store = server.store(&[&file]).await;
                path.replace("{vector_store_id}", &store).replace("{file_id}", &file)
            } else {
                path.clone()
            };
            let path = path.replace("{name}", name).replace("{thread_id}", &thread);
            let path = format!("/_rehearsal{}", path.replace("{number}", &document));
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let mut request = server.request(method.clone(), &path);
            if path.ends_with("/clock") && method == Method::POST {
                request = request.json(&json!({"advance": "1s"}));
            } else if path.ends_with("/fixtures") && method == Method::POST {
                request = request.header("content-type", "application/yaml").body(HI);
            } else if path.ends_with("/pace") && method == Method::POST {
                request = request.json(&json!({"pace": "instant"}));
            } else if path.ends_with("/match") {
                request = request.json(&json!({"assistant_id": server.assistant().await}));
            } else if path.ends_with("/verify") {
                request = request.json(&json!({"expect": [{"unmatched": 0}]}));
            }
            let status = server.send(request).await.status;
            // The order of the methods creates the snapshot and deletes it before the restore.
            let expected = if path.ends_with("/kept/restore") {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::OK
            };
            assert_eq!(status, expected, "{method} {path}");
            calls += 1;
        }
    }
    assert_eq!(calls, 27);
    for (method, path, status) in [
        (Method::GET, "/_rehearsal/nothing", 404),
        (Method::GET, "/_rehearsal/reset", 405),
        (Method::POST, "/_rehearsal/snapshots/none/restore", 404),
        (Method::DELETE, "/_rehearsal/snapshots/none", 404),
        (Method::GET, "/_rehearsal/threads/thread_none/fixture", 404),
        (Method::PUT, "/_rehearsal/snapshots/a%20b", 400),
        (Method::GET, "/_rehearsal/sessions?name=x", 400),
        (Method::DELETE, "/_rehearsal/sessions/default", 400),
        (Method::DELETE, "/_rehearsal/sessions/none", 404),
        (Method::DELETE, "/_rehearsal/fixtures/77", 404),
        (Method::DELETE, "/_rehearsal/fixtures/one", 404),
        (Method::GET, "/_rehearsal/threads?after=thread_none", 404),
        (Method::GET, "/_rehearsal/vector_stores/vs_none/files/file-none/chunks", 404),
        (Method::GET, "/_rehearsal/requests?limit=none", 400),
        (Method::GET, "/_rehearsal/requests?status=fine", 400),
        (Method::GET, "/_rehearsal/requests?path=[", 400),
        (Method::GET, "/_rehearsal/requests?after=req_none", 404),
        (Method::GET, "/_rehearsal/requests?methd=GET", 400),
        (Method::POST, "/_rehearsal/reset?fixtures=perhaps", 400),
    ] {
        assert_eq!(
            server.send(server.request(method, path)).await.status.as_u16(),
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_reset_forgets_everything_and_draws_the_same_ids_again() {
    let seeds = "assistants: [{id: asst_seed, model: gpt-4o, name: Seed}]\nreplies: [{name: once, \
                 times: 1, steps: [{message: Once}]}]\n";
    let server = TestServer::with_fixtures(seeds).await;
    let talk = async || {
        let (thread, run) = server.run_with("Hello", json!({"assistant_id": "asst_seed"})).await;
        (thread.clone(), server.said(&thread).await, server.get(&run).await.body["status"].clone())
    };
    let first = talk().await;
    assert_eq!(first.1, ["Hello", "Once"]);
    assert_eq!(talk().await.2, "failed", "used up");
    server.document("a.txt", "apples").await;
    server.post("/v1/assistants/asst_seed", json!({"name": "Changed"})).await;
    assert_eq!(put_in(&server, "", HI).await.status, StatusCode::OK);
    set_clock(&server, json!({"advance": "5m"})).await;

    let removed = server.post("/_rehearsal/reset", json!({})).await.body["removed"].clone();
    let counts = ["assistants", "threads", "messages", "runs", "run_steps", "files"]
        .map(|kind| removed[kind].as_i64().unwrap());
    assert_eq!(counts, [1, 2, 3, 2, 1, 1]);
    assert_eq!(server.get(&first.0).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/v1/assistants/asst_seed").await.body["name"], "Seed");
    assert_eq!(server.get("/_rehearsal/clock").await.body["timestamp"], START);
    assert_eq!(listed(&server, "/_rehearsal/fixtures").await.len(), 2, "what was put in stays");
    assert_eq!(talk().await, first, "to the same ids");

    let removed =
        server.post("/_rehearsal/reset?fixtures=true", json!({})).await.body["removed"].clone();
    assert_eq!(removed["fixtures"], 1);
    assert_eq!(listed(&server, "/_rehearsal/fixtures").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reset_in_the_midst_of_runs_ends_their_streams_and_harms_no_other_session() {
    let server =
        TestServer::with_fixtures("replies: [{steps: [{message: a}], outcome: hang}]").await;
    let order = |assistant: &str| {
        json!({"assistant_id": assistant, "stream": true,
        "thread": {"messages": [{"role": "user", "content": "Hi"}]}})
    };
    let streams = join_all((0..8).map(|_| async {
        let assistant = server.assistant().await;
        server.send(server.request(Method::POST, "/v1/threads/runs").json(&order(&assistant))).await
    }));
    let other = server.post("/s/other/v1/assistants", json!({"model": "gpt-4o"})).await.id();
    let resets = async {
        while listed(&server, "/_rehearsal/requests?method=POST&path=/v1/threads/runs").await.len()
            < 8
        {
            tokio::task::yield_now().await;
        }
        server.post("/_rehearsal/reset", json!({})).await
    };
    let (streams, reset) = tokio::join!(streams, resets);
    assert_eq!(reset.status, StatusCode::OK);
    for stream in streams {
        assert!(stream.text.ends_with("event: done\ndata: [DONE]\n\n"), "{}", stream.text);
    }
    assert!(listed(&server, "/v1/assistants").await.is_empty());
    assert_eq!(server.get(&format!("/s/other/v1/assistants/{other}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn added_fixtures_come_first_and_can_be_removed() {
    let server =
        TestServer::with_fixtures("replies: [{name: base, steps: [{message: Base}]}]").await;
    let answer = async |said: &str| {
        let (thread, _) = server.run(said).await;
        server.said(&thread).await[1].clone()
    };
    assert_eq!(answer("Hi").await, "Base");
    let added = put_in(&server, "", HI).await;
    assert_eq!(added.body["added"]["replies"], 1);
    assert_eq!(answer("Hi").await, "Hello!");
    put_in(&server, "", &HI.replace("Hello!", "Newer")).await;
    assert_eq!(answer("Hi").await, "Newer");
    let shown = listed(&server, "/_rehearsal/fixtures").await;
    let hits: Vec<_> = shown
        .iter()
        .map(|reply| (reply["name"].as_str().unwrap(), reply["hits"].as_i64().unwrap()))
        .collect();
    assert_eq!(hits, [("hi", 1), ("hi", 1), ("base", 1)]);
    assert_eq!((&shown[0]["added"], &shown[2]["added"]), (&json!(true), &json!(false)));

    let seeded = put_in(
        &server,
        "",
        r#"{"assistants": [{"id": "asst_late", "model": "m"}], "models": ["m"]}"#,
    )
    .await;
    assert_eq!(seeded.status, StatusCode::OK, "{}", seeded.text);
    assert_eq!(server.get("/v1/assistants/asst_late").await.status, StatusCode::OK);
    assert_eq!(server.get("/v1/models/m").await.status, StatusCode::OK);
    server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(server.get("/v1/assistants/asst_late").await.status, StatusCode::OK, "seeded again");

    assert_eq!(server.delete("/_rehearsal/fixtures").await.body["deleted"], 3);
    assert_eq!(answer("Hi").await, "Base");
}

#[tokio::test]
async fn bad_fixtures_are_refused_with_what_check_would_say_and_change_nothing() {
    let server = TestServer::with_fixtures("replies: []").await;
    let bad = put_in(
        &server,
        "",
        "replies:\n  - nmae: hi\n    steps: [{message: '{{ x }}', pause: 1s}]\n",
    )
    .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.body["error"]["code"], "invalid_fixture");
    let found: Vec<_> = bad.body["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["line"], &it["column"]))
        .collect();
    assert_eq!(
        found,
        [(&json!(2), &json!(5)), (&json!(3), &json!(13)), (&json!(3), &json!(27))],
        "{}",
        bad.text
    );
    assert!(bad.body["error"]["message"].as_str().unwrap().contains("did you mean 'name'?"));
    for (yaml, what) in [
        ("replies: [{steps: [{message: {images: [a.png]}}]}]", "they cannot use the path 'a.png'"),
        (
            "assistants: [{id: asst_x, model: m, tool_resources: {file_search: {vector_store_ids: \
             [vs_none]}}}]",
            "cannot create this seed",
        ),
        ("\u{0}", ":1:"),
        (&format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60)), "unknown key 'a'"),
        (
            &format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)),
            "this is nested too deeply",
        ),
    ] {
        let bad = put_in(&server, "", yaml).await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{yaml}");
        assert!(bad.text.contains(what), "{}", bad.text);
    }
    let text = server
        .request(Method::POST, "/_rehearsal/fixtures")
        .header("content-type", "text/plain")
        .body(HI);
    assert_eq!(server.send(text).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(listed(&server, "/_rehearsal/fixtures").await.is_empty());
    assert_eq!(put_in(&server, "", "").await.status, StatusCode::OK, "nothing is no mistake");
}

#[tokio::test]
async fn the_journal_shows_requests_with_runs_and_replies_but_no_secrets() {
    let server = TestServer::with_fixtures(HI).await;
    let assistant = server.assistant().await;
    let order = json!({"assistant_id": assistant, "stream": true,
        "thread": {"messages": [{"role": "user", "content": "Hi"}]}});
    let stream = server.stream("/v1/threads/runs", order).await;
    let run = stream.last("thread.run.completed").clone();
    let secret = json!({"metadata": {"a": "sk-test", "b": "sk-abcdefghijklmnopqrstuvwxyz"}});
    server.post("/s/elsewhere/v1/threads", secret.clone()).await;
    server.post("/v1/threads", secret).await;
    server.get("/v1/threads/thread_none?x=1").await;
    server.upload("assistants", "a.txt", "sk-test").await;

    let all = server.get("/_rehearsal/requests").await;
    assert!(!all.text.contains("sk-test") && !all.text.contains("abcdefghijkl"), "{}", all.text);
    let entries = all.body["data"].as_array().unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|it| {
            format!(
                "{} {} {}",
                it["method"].as_str().unwrap(),
                it["path"].as_str().unwrap(),
                it["status"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "POST /v1/assistants 200",
            "POST /v1/threads/runs 200",
            "POST /v1/threads 200",
            "GET /v1/threads/thread_none 404",
            "POST /v1/files 200"
        ]
    );
    assert_eq!((&entries[1]["run"], &entries[1]["reply"]), (&run["id"], &json!("hi")));
    assert!(
        entries[1]["response_body"].as_str().unwrap().ends_with("event: done\ndata: [DONE]\n\n")
    );
    assert_eq!(entries[1]["request_body"]["assistant_id"], json!(assistant));
    assert_eq!(entries[2]["request_body"]["metadata"], json!({"a": "[removed]", "b": "[removed]"}));
    assert_eq!(entries[3]["query"], "x=1");
    assert_eq!(entries[3]["response_body"]["error"]["type"], "invalid_request_error");
    assert_eq!(entries[4]["request_body"], Value::Null, "forms are counted, not kept");
    assert!(entries[4]["request_bytes"].as_i64().unwrap() > 100);

    let paths =
        async |query: &str| listed(&server, &format!("/_rehearsal/requests{query}")).await.len();
    assert_eq!(paths("?method=get").await, 1);
    assert_eq!(paths("?path=/v1/threads/*").await, 2);
    assert_eq!(paths("?path=/v1/**").await, 5);
    assert_eq!(paths("?status=404").await, 1);
    let first = server.get("/_rehearsal/requests?limit=2").await.body;
    assert_eq!(first["has_more"], true);
    assert_eq!(paths(&format!("?after={}", first["data"][1]["id"].as_str().unwrap())).await, 3);
    assert_eq!(server.delete("/_rehearsal/requests").await.body["deleted"], 5);
    assert_eq!(paths("").await, 0);
    assert_eq!(listed(&server, "/s/elsewhere/_rehearsal/requests").await.len(), 1);
}

#[tokio::test]
async fn a_journal_keeps_at_most_the_configured_number_of_requests() {
    let server = TestServer::with(Config { journal: 3, ..config() }).await;
    for _ in 0..5 {
        server.get("/v1/models").await;
    }
    assert_eq!(listed(&server, "/_rehearsal/requests").await.len(), 3);
}

#[tokio::test]
async fn unmatched_runs_are_listed_with_the_nearest_replies() {
    for unmatched in [Unmatched::Fail, Unmatched::Echo] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("near.yaml");
        std::fs::write(
            &path,
            "replies:\n  - {name: far, when: {message: Bye, turn: 2}}\n  - {name: near, when: \
             {message: hello}}\n",
        )
        .unwrap();
        let server = TestServer::with(Config { fixtures: vec![path], unmatched, ..config() }).await;
        let (_, run) = server.run("Hello").await;
        let told = listed(&server, "/_rehearsal/unmatched").await;
        assert_eq!(told.len(), 1);
        assert!(run.ends_with(told[0]["run"].as_str().unwrap()));
        assert_eq!(
            (&told[0]["message"], &told[0]["nearest"][0]["reply"]),
            (&json!("Hello"), &json!("near"))
        );
        assert_eq!(
            told[0]["nearest"][0]["misses"],
            json!([{"condition": "message", "expected": "\"hello\"", "got": "\"Hello\"",
                "hint": "only the case differs"}])
        );
        assert_eq!(
            (&told[0]["nearest"][1]["reply"], &told[0]["nearest"][1]["line"]),
            (&json!("far"), &json!(2))
        );
        assert!(told[0]["stub"].as_str().unwrap().contains("message: \"Hello\""));
        server.post("/_rehearsal/reset", json!({})).await;
        assert!(listed(&server, "/_rehearsal/unmatched").await.is_empty());
    }
}

#[tokio::test]
async fn a_client_can_name_the_reply_it_wants() {
    let yaml = "replies:\n  - {name: any, steps: [{message: any}]}\n  - {name: odd, when: \
                {message: {matches: '(?<a>x)'}}, times: 2, steps: [{message: 'odd {{ a is defined \
                }}'}]}\n";
    let server = TestServer::with_fixtures(yaml).await;
    let assistant = server.assistant().await;
    let named = json!({"assistant_id": assistant, "metadata": {"rehearsal_reply": "odd"}});
    let (thread, _) = server.run_with("Hi", named).await;
    assert_eq!(server.said(&thread).await[1], "odd False");
    let thread = format!("/v1/threads/{}", server.thread("x").await);
    let request =
        server.request(Method::POST, &format!("{thread}/runs")).header("x-rehearsal-reply", "odd");
    server.send(request.json(&json!({"assistant_id": assistant}))).await;
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], "odd True");

    let message = async |name: &str| {
        let order = json!({"assistant_id": assistant, "metadata": {"rehearsal_reply": name}});
        let (_, run) = server.run_with("Hi", order).await;
        server.get(&run).await.body["last_error"]["message"].as_str().unwrap_or_default().to_owned()
    };
    assert!(message("odd").await.contains("used up"));
    assert!(message("ody").await.contains("did you mean 'odd'?"));
    assert_eq!(listed(&server, "/_rehearsal/unmatched").await.len(), 2);
}

#[tokio::test]
async fn an_advance_makes_runs_files_uploads_and_stores_expire_before_it_returns() {
    let server = TestServer::with_fixtures("replies: [{outcome: hang}]").await;
    let (_, run) = server.run("Hello").await;
    let upload =
        json!({"filename": "a.txt", "purpose": "vision", "bytes": 4, "mime_type": "text/plain"});
    let upload = server.post("/v1/uploads", upload).await.id();
    let store = json!({"expires_after": {"anchor": "last_active_at", "days": 1}});
    let store = server.post("/v1/vector_stores", store).await.id();
    let form = Form::new()
        .text("purpose", "assistants")
        .part("file", Part::text("apples").file_name("a.txt"));
    let form =
        form.text("expires_after[anchor]", "created_at").text("expires_after[seconds]", "7200");
    let file = server.send(server.request(Method::POST, "/v1/files").multipart(form)).await.id();

    assert!(due(&set_clock(&server, json!({"advance": "9m"})).await).is_empty());
    let clock = set_clock(&server, json!({"advance": "2m"})).await;
    assert_eq!(due(&clock), ["thread.run.expired"]);
    assert_eq!(clock["now"], "2025-01-01T00:11:00Z");
    assert!(run.ends_with(clock["due"][0]["id"].as_str().unwrap()));
    assert_eq!(server.get(&run).await.body["status"], "expired");
    let clock = set_clock(&server, json!({"freeze": "2025-01-03T00:00:00Z"})).await;
    assert_eq!(due(&clock), ["upload.updated", "file.deleted", "vector_store.updated"]);
    assert_eq!(clock["due"][1]["id"], json!(file));
    assert_eq!(server.get(&format!("/v1/files/{file}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        server.post(&format!("/v1/uploads/{upload}/cancel"), json!({})).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(server.get(&format!("/v1/vector_stores/{store}")).await.body["status"], "expired");

    for bad in [
        json!({"advance": "-1s"}),
        json!({"advance": 5}),
        json!({"advance": "1s", "resume": true}),
        json!({"freeze": "noon"}),
        json!({"advance": "99999999h"}),
        json!({}),
        json!({"advnace": "1s"}),
    ] {
        assert_eq!(
            server.post("/_rehearsal/clock", bad.clone()).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    assert_eq!(
        server.get("/_rehearsal/clock").await.body["now"],
        "2025-01-03T00:00:00Z",
        "nothing was changed"
    );
}

#[tokio::test]
async fn runs_at_a_realistic_pace_go_on_as_the_clock_is_advanced() {
    let server = TestServer::with(Config { pace: Pace::REALISTIC, ..config() }).await;
    let (thread, run) = server.run("One two three four").await;
    assert_eq!(server.get(&run).await.body["status"], "queued");
    let clock = set_clock(&server, json!({"advance": "1s"})).await;
    assert_eq!(due(&clock)[0], "thread.run.in_progress");
    let clock = set_clock(&server, json!({"advance": "10s"})).await;
    assert_eq!(due(&clock).last().unwrap(), &"thread.run.completed");
    assert_eq!(server.said(&thread).await[1], "One two three four");
    assert_eq!(set_clock(&server, json!({"resume": true})).await["frozen"], false);
    assert_eq!(set_clock(&server, json!({"freeze": true})).await["frozen"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_brings_everything_back_but_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let yaml = "replies:\n  - {name: once, times: 2, when: {message: Once}, steps: [{message: \
                Yes}]}\n  - {when: {message: Wait}, outcome: hang}\n  - steps: [{tool_calls: \
                [{function: {name: f}}]}, {message: '{{ outputs.f }}'}]\n";
    let server = TestServer::on(&database, yaml).await;
    let file = server.document("fruit.txt", "apples and pears").await;
    let store = server.store(&[&file]).await;
    let (waiting, run) = server.run("Call it").await;
    let (_, hanging) = server.run("Wait").await;
    server.run("Once").await;
    put_in(&server, "", HI).await;
    set_clock(&server, json!({"advance": "1m"})).await;
    let kept = server.send(server.request(Method::PUT, "/_rehearsal/snapshots/before")).await.body;
    assert_eq!(kept["created_at"], START + 60);
    let next = server.post("/v1/threads", json!({})).await.id();

    // Everything changes.
    server.run("Once").await;
    server.delete(&format!("/v1/files/{file}")).await;
    server.delete(&format!("/v1/vector_stores/{store}")).await;
    server.delete(&waiting).await;
    server.delete("/_rehearsal/fixtures").await;
    set_clock(&server, json!({"advance": "1h"})).await;
    let requests = listed(&server, "/_rehearsal/requests").await.len();

    for _ in 0..2 {
        let restored =
            server.send(server.request(Method::POST, "/_rehearsal/snapshots/before/restore")).await;
        assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
        assert_eq!(server.get("/_rehearsal/clock").await.body["timestamp"], START + 60);
        assert_eq!(
            server.search(&store, json!("apples")).await,
            [("fruit.txt".to_owned(), "apples and pears".to_owned())]
        );
        let shown = server.get(&format!("/v1/vector_stores/{store}")).await.body;
        assert_eq!(
            (&shown["file_counts"]["completed"], &shown["file_counts"]["total"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(shown["status"], "completed");
        assert_eq!(server.get(&hanging).await.body["status"], "in_progress");
        let call =
            server.get(&run).await.body["required_action"]["submit_tool_outputs"]["tool_calls"][0]
                ["id"]
                .clone();
        let outputs = json!({"tool_outputs": [{"tool_call_id": call, "output": "42"}]});
        server.post(&format!("{run}/submit_tool_outputs"), outputs).await;
        server.idle().await;
        assert_eq!(
            server.said(&waiting).await,
            ["Call it", "42"],
            "a run goes on from where it stood"
        );
        assert_eq!(
            server.post("/v1/threads", json!({})).await.id(),
            next,
            "the same ids are drawn again"
        );
        let (thread, _) = server.run("Hi").await;
        assert_eq!(server.said(&thread).await[1], "Hello!");
        server.run("Once").await;
        let (_, second) = server.run("Once").await;
        assert_eq!(
            server.get(&second).await.body["status"],
            "requires_action",
            "used up: one use was left"
        );
    }
    assert!(listed(&server, "/_rehearsal/requests").await.len() > requests);
    assert_eq!(listed(&server, "/_rehearsal/snapshots").await.len(), 1);
    assert!(listed(&server, "/s/other/_rehearsal/snapshots").await.is_empty());

    server.stop().await;
    let server = TestServer::on(&database, yaml).await;
    assert_eq!(
        listed(&server, "/_rehearsal/snapshots").await[0]["name"],
        "before",
        "snapshots survive a restart"
    );
    server.send(server.request(Method::POST, "/_rehearsal/snapshots/before/restore")).await;
    assert_eq!(
        server.get(&format!("/v1/files/{file}/content")).await.status,
        StatusCode::BAD_REQUEST,
        "purpose assistants"
    );
    assert_eq!(server.search(&store, json!("apples")).await.len(), 1);
    assert_eq!(server.delete("/_rehearsal/snapshots/before").await.body["deleted"], true);
    assert!(listed(&server, "/_rehearsal/snapshots").await.is_empty());
}

#[tokio::test]
async fn every_change_is_an_event() {
    let server = TestServer::with_fixtures(HI).await;
    let response = server.request(Method::GET, "/_rehearsal/events").send().await.unwrap();
    let assistant = server.assistant().await;
    let (thread, _) = server.run_with("Hi", json!({"assistant_id": assistant})).await;
    server.post("/v1/assistants/none", json!({})).await;
    server.delete(&format!("/v1/assistants/{assistant}")).await;
    server.delete(&thread).await;
    set_clock(&server, json!({"advance": "1s"})).await;
    let (mut stream, mut text) = (response.bytes_stream(), String::new());
    while !text.contains("event: clock.advanced") {
        text += std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap();
    }
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .filter(|name| *name != "request")
        .collect();
    assert_eq!(
        names,
        [
            "assistant.created",
            "thread.created",
            "thread.message.created",
            "thread.run.created",
            "thread.run.queued",
            "thread.run.in_progress",
            "thread.run.step.created",
            "thread.run.step.in_progress",
            "thread.message.created",
            "thread.message.in_progress",
            "thread.message.delta",
            "thread.message.delta",
            "thread.message.completed",
            "thread.run.step.completed",
            "thread.run.completed",
            "turn",
            "assistant.deleted",
            "thread.deleted",
            "clock.advanced"
        ]
    );
    assert_eq!(text.matches("event: request\n").count(), 6);
    let deleted =
        text.split("event: assistant.deleted\ndata: ").nth(1).unwrap().lines().next().unwrap();
    let deleted: Value = serde_json::from_str(deleted).unwrap();
    assert_eq!(deleted, json!({"id": assistant, "object": "assistant", "deleted": true}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_sessions_side_by_side_give_the_same_transcripts_to_the_byte() {
    let yaml = r#"
assistants: [{id: asst_a, model: gpt-4o, tools: [{type: function, function: {name: f}}, {type: file_search}]}]
vector_stores: [{id: vs_a, files: [{name: a.txt, text: "Apples are red. Pears are green."}]}]
replies:
  - when: {message: Call, turn: 1}
    steps: [{tool_calls: [{function: {name: f, arguments: {a: "{{ turn }}"}}}]}, {message: "{{ outputs.f }} at {{ now }}"}]
  - {name: rest, times: 1, steps: [{tool_calls: [{file_search: {query: pears}}]}, {message: {text: "{{ results[0].passage }}", citations: auto}}]}
faults:
  - {when: {path: /v1/threads/*/messages, nth: 2}, respond: {status: 503}}
  - {when: {path: /v1/models}, probability: 0.5, respond: {status: 429}}
"#;
    let server = TestServer::with_fixtures(yaml).await;
    let resources = json!({"file_search": {"vector_store_ids": ["vs_a"]}});
    let transcript = async |number: usize| {
        let base = format!("/s/w{number}");
        let mut text = String::new();
        let thread = server
            .post(
                &format!("{base}/v1/threads"),
                json!({"tool_resources": resources,
                    "messages": [{"role": "user", "content": "Call"}]}),
            )
            .await;
        text += &thread.text;
        let runs = format!("{base}/v1/threads/{}/runs", thread.id());
        let stream =
            server.post(&runs, json!({"assistant_id": "asst_a", "stream": true})).await.text;
        let (run, call) = (field(&stream, "\"run_"), field(&stream, "\"call_"));
        text += &stream;
        let outputs =
            json!({"tool_outputs": [{"tool_call_id": call, "output": "42"}], "stream": true});
        text += &server.post(&format!("{runs}/{run}/submit_tool_outputs"), outputs).await.text;
        text += &server.post(&runs, json!({"assistant_id": "asst_a", "stream": true})).await.text;
        for _ in 0..3 {
            text += &server.get(&format!("{base}/v1/threads/{}/messages", thread.id())).await.text;
            text += &server.get(&format!("{base}/v1/models")).await.text;
        }
        text
    };
    let transcripts = join_all((0..200).map(transcript)).await;
    assert!(transcripts[0].contains("Pears are green【8:0†a.txt】."), "{}", transcripts[0]);
    assert!(transcripts[0].contains("currently overloaded"), "{}", transcripts[0]);
    assert!(transcripts.iter().all(|transcript| *transcript == transcripts[0]));
}

/// The first id in a text with this beginning.
fn field(text: &str, beginning: &str) -> String {
    let start = text.find(beginning).unwrap() + 1;
    text[start..].split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_resets_and_snapshots_leave_a_consistent_session() {
    let server = TestServer::start().await;
    join_all((0..40).map(|number| {
        let server = &server;
        async move {
            let answer = match number % 4 {
                0 => server.post("/_rehearsal/reset", json!({})).await,
                1 => server.send(server.request(Method::PUT, "/_rehearsal/snapshots/s")).await,
                2 => {
                    server
                        .send(server.request(Method::POST, "/_rehearsal/snapshots/s/restore"))
                        .await
                }
                _ => server.post("/v1/assistants", json!({"model": "gpt-4o"})).await,
            };
            assert!(answer.status.as_u16() < 500, "{}", answer.text);
        }
    }))
    .await;
    server.post("/_rehearsal/reset", json!({})).await;
    assert!(listed(&server, "/v1/assistants").await.is_empty());
    let (thread, _) = server.run("Hello").await;
    assert_eq!(server.said(&thread).await, ["Hello", "Hello"]);
}

#[tokio::test]
async fn models_that_are_not_listed_are_refused_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.yaml");
    std::fs::write(&path, "models: [my-model, gpt-4o]").unwrap();
    let server =
        TestServer::with(Config { fixtures: vec![path], strict_models: true, ..config() }).await;
    let models: Vec<_> = listed(&server, "/v1/models")
        .await
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        models,
        ["gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "gpt-4", "gpt-3.5-turbo", "my-model"]
    );
    let mine = server.post("/v1/assistants", json!({"model": "my-model"})).await.id();
    let refusal = "400 The requested model 'gpt-9' does not exist. [\"model\" \"model_not_found\"]";
    assert_eq!(server.post("/v1/assistants", json!({"model": "gpt-9"})).await.refusal(), refusal);
    assert_eq!(
        server.post(&format!("/v1/assistants/{mine}"), json!({"model": "gpt-9"})).await.refusal(),
        refusal
    );
    let thread = server.thread("Hi").await;
    let order = json!({"assistant_id": mine, "model": "gpt-9"});
    assert_eq!(server.post(&format!("/v1/threads/{thread}/runs"), order).await.refusal(), refusal);
}

#[tokio::test]
async fn a_reset_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("r.db");
    let server = TestServer::on(&database, "replies: []").await;
    join_all((0..60).map(|_| server.run("Hello"))).await;
    server.document("a.txt", "apples").await;
    assert_eq!(crate::server::blobs(folder.path()), 1);
    server.post("/_rehearsal/reset", json!({})).await;
    // The rest is removed in the background, rows before contents.
    while crate::server::blobs(folder.path()) > 0 {
        tokio::task::yield_now().await;
    }
    server.stop().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from messages")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_reset_that_cannot_seed_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeds.yaml");
    std::fs::write(folder.path().join("a.txt"), "apples").unwrap();
    std::fs::write(&path, "files: [{id: file-a, path: a.txt}]").unwrap();
    let server = TestServer::with(Config { fixtures: vec![path], ..config() }).await;
    let assistant = server.assistant().await;
    std::fs::remove_file(folder.path().join("a.txt")).unwrap();
    let refused = server.post("/_rehearsal/reset", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(server.get(&format!("/v1/assistants/{assistant}")).await.status, StatusCode::OK);
    std::fs::write(folder.path().join("a.txt"), "apples").unwrap();
    assert_eq!(server.post("/_rehearsal/reset", json!({})).await.status, StatusCode::OK);
    assert_eq!(server.get("/v1/files/file-a").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_that_is_taken_among_requests_is_whole() {
    let server = TestServer::start().await;
    let make = async || server.post("/v1/assistants", json!({"model": "gpt-4o"})).await.status;
    for round in 0..5 {
        let path = format!("/_rehearsal/snapshots/s{round}");
        let keep = server.send(server.request(Method::PUT, &path));
        let (kept, made) = tokio::join!(keep, join_all((0..12).map(|_| make())));
        assert!(
            kept.status == StatusCode::OK && made.iter().all(|status| *status == StatusCode::OK)
        );
        server.send(server.request(Method::POST, &format!("{path}/restore"))).await;
        // An id that was used already would cause a conflict.
        assert!(
            join_all((0..12).map(|_| make())).await.iter().all(|status| *status == StatusCode::OK)
        );
    }
}

#[tokio::test]
async fn a_key_in_two_pieces_is_removed_but_similar_words_stay() {
    let server = TestServer::start().await;
    let pieces = ["{\"metadata\": {\"a\": \"sk-te", "st\", \"b\": \"ask-testing\"}}"];
    let body =
        reqwest::Body::wrap_stream(futures_util::stream::iter(pieces.map(Ok::<_, std::io::Error>)));
    let request = server
        .request(Method::POST, "/v1/threads?key=sk-test")
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(server.send(request).await.status, StatusCode::OK);
    let entry = listed(&server, "/_rehearsal/requests").await[0].clone();
    assert_eq!(entry["request_body"]["metadata"], json!({"a": "[removed]", "b": "ask-testing"}));
    assert_eq!(entry["query"], "key=[removed]");
}
