//! A server that stops while its runs are in any state, and another one on the same file.

use std::time::Duration;

use serde_json::json;

use crate::server::TestServer;

const CALL: &str =
    "replies: [{steps: [{tool_calls: [{function: {name: f}}]}, {message: 'Got {{ outputs.f }}'}]}]";
const SLOW: &str = "replies: [{pace: {queue: 2s, per_token: 1s}, steps: [{message: one two three}, \
                    {message: four}]}]";

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.db");
    let server = TestServer::on(&path, "replies: [{steps: [{message: Hi}]}]").await;
    let first = server.assistant().await;
    let (thread, run) = server.run("Hello").await;
    let before = [
        server.get(&thread).await.text,
        server.get(&run).await.text,
        server.get(&format!("{run}/steps")).await.text,
    ];
    server.stop().await;
    let server = TestServer::on(&path, "replies: []").await;
    let after = [
        server.get(&thread).await.text,
        server.get(&run).await.text,
        server.get(&format!("{run}/steps")).await.text,
    ];
    assert_eq!(after, before);
    assert_ne!(server.assistant().await, first, "a restart with the same seed draws other ids");
    assert_eq!(server.get("/v1/assistants").await.body["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_run_that_waits_for_outputs_still_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waiting.db");
    let server = TestServer::on(&path, CALL).await;
    let (thread, run) = server.run("Hello").await;
    server.stop().await;

    // The fixtures are different now: a run keeps its first reply.
    let server = TestServer::on(&path, "replies: [{steps: [{message: Another}]}]").await;
    let waiting = server.get(&run).await.body;
    assert_eq!(waiting["status"], "requires_action");
    let call = &waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"];
    let outputs = json!({"tool_outputs": [{"tool_call_id": call, "output": "it"}]});
    assert_eq!(
        server.post(&format!("{run}/submit_tool_outputs"), outputs).await.body["status"],
        "queued"
    );
    server.idle().await;
    assert_eq!(server.get(&run).await.body["status"], "completed");
    assert_eq!(server.said(&thread).await[1], "Got it");
}

/// Stops the server after some seconds of a slow run. The next server finishes the run.
#[tokio::test]
async fn a_run_goes_on_from_where_it_stood() {
    for seconds in 0..7 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slow.db");
        let server = TestServer::on(&path, SLOW).await;
        let (thread, run) = server.run("Hello").await;
        server.advance(Duration::from_secs(seconds)).await;
        let status = server.get(&run).await.body["status"].as_str().unwrap().to_owned();
        server.stop().await;

        let server = TestServer::on(&path, "replies: []").await;
        server.idle().await;
        server.advance(Duration::from_secs(60)).await;
        let ended = server.get(&run).await.body;
        assert_eq!(ended["status"], "completed", "stopped after {seconds} s, when it was {status}");
        assert_eq!(server.said(&thread).await, ["Hello", "one two three", "four"]);
        let steps = server.get(&format!("{run}/steps")).await.body;
        let steps = steps["data"].as_array().unwrap();
        assert_eq!(steps.len(), 2);
        assert!(steps.iter().all(|step| step["status"] == "completed"));
        // "Hello" is one token, and a message costs four. The second step has read the three tokens
        // of the first.
        assert_eq!(
            ended["usage"],
            json!({
                "prompt_tokens": 5 + 8, "completion_tokens": 4, "total_tokens": 17,
                "prompt_token_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0}
            }),
            "stopped after {seconds} s"
        );
    }
}

#[tokio::test]
async fn a_run_that_was_being_cancelled_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cancelling.db");
    // Under the pace `steps` a run stays in `cancelling` until it is polled.
    let server = TestServer::on(&path, "replies: [{pace: steps, steps: [{message: Hi}]}]").await;
    let (_, run) = server.run("Hello").await;
    assert_eq!(server.post(&format!("{run}/cancel"), json!({})).await.body["status"], "cancelling");
    server.stop().await;
    let server = TestServer::on(&path, "replies: []").await;
    server.idle().await;
    assert_eq!(server.get(&run).await.body["status"], "cancelled");
}

#[tokio::test]
async fn a_deadline_that_passed_in_the_meantime_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.db");
    let server = TestServer::on(&path, "replies: [{outcome: hang}]").await;
    let (_, run) = server.run("Hello").await;
    server.stop().await;
    let server = TestServer::on(&path, "replies: []").await;
    server.advance(Duration::from_secs(601)).await;
    assert_eq!(server.get(&run).await.body["status"], "expired");
}

#[tokio::test]
async fn nothing_more_is_said_past_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("much-later.db");
    let server = TestServer::on(&path, SLOW).await;
    let (thread, run) = server.run("Hello").await;
    server.stop().await;
    let late = rehearsal::Moment::from_unix_seconds(crate::server::START + 3600);
    let config =
        rehearsal::Config { database: Some(path), clock: Some(late), ..crate::server::config() };
    let server = TestServer::with(config).await;
    server.idle().await;
    assert_eq!(server.get(&run).await.body["status"], "expired");
    assert_eq!(server.said(&thread).await, ["Hello"]);
}

/// Replaces the notes of the runs in a database.
async fn write_notes(path: &std::path::Path, note: Option<&str>) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let update = sqlx::query("update runs set performance = ?").bind(note);
    assert_eq!(update.execute(&mut connection).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_run_whose_note_cannot_be_read_fails_and_says_so() {
    for (note, why) in [
        (Some("garbage"), "it does not parse"),
        (Some(r#"{"version": 1}"#), "it does not parse"),
        (Some(r#"{"version": 99, "machine": {}}"#), "it has version 99"),
        (None, "there is none"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unreadable.db");
        let server = TestServer::on(&path, SLOW).await;
        let (thread, run) = server.run("Hello").await;
        server.advance(Duration::from_secs(3)).await;
        server.stop().await;
        write_notes(&path, note).await;

        let server = TestServer::on(&path, "replies: [{steps: [{message: Another}]}]").await;
        server.idle().await;
        let failed = server.get(&run).await.body;
        assert_eq!(failed["status"], "failed", "{why}");
        let said = failed["last_error"]["message"].as_str().unwrap();
        assert!(said.contains("cannot read the saved state") && said.contains(why), "{said}");
        let steps = server.get(&format!("{run}/steps")).await.body;
        assert_eq!(steps["data"].as_array().unwrap().len(), 1, "nothing is begun anew");
        assert_eq!(steps["data"][0]["status"], "failed");
        assert_eq!(server.said(&thread).await.len(), 2);
        // The thread is free now.
        let again = json!({"role": "user", "content": "Again"});
        let added = server.post(&format!("{thread}/messages"), again).await;
        assert_eq!(added.status.as_u16(), 200, "{}", added.text);
    }
}

#[tokio::test]
async fn a_run_that_waits_fails_too_if_its_note_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waiting.db");
    let server = TestServer::on(&path, CALL).await;
    let (_, run) = server.run("Hello").await;
    server.stop().await;
    write_notes(&path, Some("{}")).await;
    let server = TestServer::on(&path, "replies: []").await;
    server.idle().await;
    assert_eq!(server.get(&run).await.body["status"], "failed");
}

#[tokio::test]
async fn notes_of_version_0_1_0_are_converted() {
    const NOTE: &str = r#"{"reply":{"pace":{"queue":"2s","per_token":"1s"},
        "steps":[{"message":"one two three"},{"message":"four"}]},
        "origin":{"file":"a.yaml","line":1,"steps":[1,1]},"captures":{},"entry":1,"query":null,
        "too_late":false,"pace":{"Timed":{"queue":{"secs":2,"nanos":0},
        "first_token":{"secs":0,"nanos":0},"per_token":{"secs":1,"nanos":0}}},
        "cues":[{"after":{"secs":1,"nanos":0},"cue":{"Text":{"text":" two","tokens":1}}},
        {"after":{"secs":1,"nanos":0},"cue":{"Text":{"text":" three","tokens":1}}},
        {"after":{"secs":0,"nanos":0},"cue":"CloseMessage"}]}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let server = TestServer::on(&path, SLOW).await;
    let (thread, run) = server.run("Hello").await;
    // The first token comes together with the status.
    server.advance(Duration::from_secs(2)).await;
    server.stop().await;
    write_notes(&path, Some(NOTE)).await;
    let server = TestServer::on(&path, "replies: []").await;
    server.advance(Duration::from_secs(60)).await;
    let ended = server.get(&run).await.body;
    assert_eq!(
        (&ended["status"], &ended["usage"]["completion_tokens"]),
        (&json!("completed"), &json!(4))
    );
    assert_eq!(server.said(&thread).await, ["Hello", "one two three", "four"]);
}
