//! Runs from their creation to each of their possible ends.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{START, TestServer};

const ONE_CALL: &str = r#"
replies:
  - steps:
      - tool_calls:
          - function: {name: getWeather, arguments: {city: Paris}}
          - function: {name: getNews, arguments: '{"city": "Paris"}'}
      - message: "It is {{ outputs.getWeather.temperature }} °C; {{ outputs.getNews }}."
"#;

async fn functions(server: &TestServer) -> Value {
    let tools = ["getWeather", "getNews"]
        .map(|name| json!({"type": "function", "function": {"name": name}}));
    json!({"assistant_id": server.post("/v1/assistants",
        json!({"model": "gpt-4o", "tools": tools})).await.id()})
}

/// The ids of the calls that a run waits for.
fn calls(run: &Value) -> Vec<String> {
    let calls =
        run["required_action"]["submit_tool_outputs"]["tool_calls"].as_array().unwrap().iter();
    calls.map(|call| call["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_created_run_is_queued_and_echoes_every_default() {
    let server = TestServer::start().await;
    let assistant = server
        .post("/v1/assistants", json!({"model": "gpt-4o", "instructions": "Be brief."}))
        .await
        .id();
    let thread = server.thread("Hello").await;
    let run = server
        .post(
            &format!("/v1/threads/{thread}/runs"),
            json!({"assistant_id": assistant, "stream": false}),
        )
        .await;
    let expected = json!({
        "id": run.id(), "object": "thread.run", "created_at": START, "assistant_id": assistant,
        "thread_id": thread, "status": "queued",
        "started_at": null, "expires_at": START + 600, "cancelled_at": null, "failed_at": null,
        "completed_at": null,
        "required_action": null, "last_error": null, "model": "gpt-4o", "instructions": "Be brief.",
        "tools": [],
        "tool_resources": {}, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        "reasoning_effort": null,
        "max_completion_tokens": null, "max_prompt_tokens": null,
        "truncation_strategy": {"type": "auto", "last_messages": null},
        "incomplete_details": null, "usage": null, "response_format": "auto", "tool_choice": "auto",
        "parallel_tool_calls": true
    });
    assert_eq!(run.body.to_string(), expected.to_string());
    assert_eq!(run.headers["openai-poll-after-ms"], "5");

    server.idle().await;
    let run = server.get(&format!("/v1/threads/{thread}/runs/{}", run.id())).await;
    assert_eq!(run.body["status"], "completed");
    assert_eq!((&run.body["expires_at"], &run.body["completed_at"]), (&Value::Null, &json!(START)));
    assert!(run.headers.get("openai-poll-after-ms").is_none(), "nobody polls a run that has ended");
    let usage = &run.body["usage"];
    // "Be brief." is 3 tokens, "Hello" is 1, and each costs 4 more.
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(12), &json!(1), &json!(13))
    );
}

#[tokio::test]
async fn an_order_overrides_the_assistant() {
    let server = TestServer::start().await;
    let assistant = json!({"model": "gpt-4o", "instructions": "Be brief.",
        "tools": [{"type": "code_interpreter"}], "temperature": 0.2});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let thread = server.thread("Hello").await;
    let order = json!({
        "assistant_id": assistant, "model": "gpt-4", "additional_instructions": "Be kind.",
        "tools": [], "top_p": 0.5, "metadata": {"k": "v"},
        "additional_messages": [{"role": "user", "content": "And now?"}],
        "response_format": {"type": "text"},
        "tool_choice": "none", "parallel_tool_calls": false,
        "truncation_strategy": {"type": "last_messages", "last_messages": 3}
    });
    let run = server.post(&format!("/v1/threads/{thread}/runs"), order.clone()).await.body;
    assert_eq!(run["instructions"], "Be brief.\nBe kind.");
    assert_eq!((&run["model"], &run["tools"]), (&json!("gpt-4"), &json!([])));
    assert_eq!((&run["temperature"], &run["top_p"]), (&json!(0.2), &json!(0.5)));
    for key in
        ["metadata", "response_format", "tool_choice", "parallel_tool_calls", "truncation_strategy"]
    {
        assert_eq!(run[key], order[key], "{key}");
    }
    server.idle().await;
    assert_eq!(
        server.said(&format!("/v1/threads/{thread}")).await,
        ["Hello", "And now?", "And now?"],
        "and the echo"
    );
}

#[tokio::test]
async fn functions_are_called_and_their_outputs_used() {
    let server = TestServer::with_fixtures(ONE_CALL).await;
    let (thread, run) = server.run_with("Weather?", functions(&server).await).await;
    let waiting = server.get(&run).await.body;
    assert_eq!((&waiting["status"], &waiting["usage"]), (&json!("requires_action"), &Value::Null));
    assert_eq!(waiting["expires_at"], START + 600);
    let call = &waiting["required_action"]["submit_tool_outputs"]["tool_calls"];
    assert_eq!(
        call[0]["function"],
        json!({"name": "getWeather", "arguments": r#"{"city":"Paris"}"#})
    );
    assert_eq!(
        call[1]["function"]["arguments"], r#"{"city": "Paris"}"#,
        "a text is taken as it is"
    );
    let step = server.get(&format!("{run}/steps")).await.body["data"][0].clone();
    assert_eq!(step["status"], "in_progress");
    let called = json!({"name": "getWeather", "arguments": r#"{"city":"Paris"}"#, "output": null});
    assert_eq!(step["step_details"]["tool_calls"][0]["function"], called);
    assert_eq!(step["expires_at"], START + 600, "a step shows it while its run goes on");

    let ids = calls(&waiting);
    let outputs: Vec<_> = ids
        .iter()
        .zip([r#"{"temperature": 21}"#, "all quiet"])
        .map(|(id, output)| json!({"tool_call_id": id, "output": output}))
        .collect();
    let submit = format!("{run}/submit_tool_outputs");
    let queued = server.post(&submit, json!({ "tool_outputs": outputs })).await;
    assert_eq!(
        (&queued.body["status"], &queued.body["required_action"]),
        (&json!("queued"), &Value::Null)
    );
    assert_eq!(queued.body["started_at"], START, "the old one is kept");
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], "It is 21 °C; all quiet.");
    let steps = server.get(&format!("{run}/steps?order=asc")).await.body;
    assert_eq!(
        steps["data"][0]["step_details"]["tool_calls"][1]["function"]["output"],
        "all quiet"
    );
    let (run, steps) = (server.get(&run).await.body, steps["data"].as_array().unwrap().clone());
    let total: i64 = steps.iter().map(|step| step["usage"]["total_tokens"].as_i64().unwrap()).sum();
    assert_eq!(run["usage"]["total_tokens"], total, "a run's usage is that of its steps");
    assert_eq!(steps[1]["expires_at"], Value::Null, "the run has ended");
}

#[tokio::test]
async fn tool_outputs_are_judged_and_change_nothing_when_they_are_wrong() {
    let server = TestServer::with_fixtures(ONE_CALL).await;
    let (_, run) = server.run_with("Weather?", functions(&server).await).await;
    let ids = calls(&server.get(&run).await.body);
    let submit = format!("{run}/submit_tool_outputs");
    let expected =
        format!("400 Expected tool outputs for call_ids ['{}', '{}'], got", ids[0], ids[1]);
    let one = json!({"tool_outputs": [{"tool_call_id": ids[0], "output": "x"}]});
    assert_eq!(
        server.post(&submit, one).await.refusal(),
        format!("{expected} ['{}'] [null null]", ids[0])
    );
    let other = json!({"tool_outputs": [{"tool_call_id": "call_x", "output": "x"},
        {"tool_call_id": ids[1], "output": "x"}]});
    assert_eq!(
        server.post(&submit, other).await.refusal(),
        format!("{expected} ['call_x', '{}'] [null null]", ids[1])
    );
    let wrong = json!({"tool_outputs": [{"tool_call_id": ids[0], "output": 7}]});
    assert_eq!(
        server.post(&submit, wrong).await.refusal(),
        "400 Invalid type for 'tool_outputs[0].output': expected a string, but got an integer \
         instead. [\"tool_outputs[0].output\" \"invalid_type\"]"
    );
    assert_eq!(server.get(&run).await.body["status"], "requires_action");
    let outputs: Vec<_> = ids
        .iter()
        .map(|id| json!({"tool_call_id": id, "output": "{\"temperature\": 1}"}))
        .collect();
    assert_eq!(server.post(&submit, json!({"tool_outputs": outputs})).await.status.as_u16(), 200);
    server.idle().await;
    let again = server.post(&submit, json!({"tool_outputs": outputs})).await.refusal();
    assert_eq!(again, "400 Runs in status \"completed\" do not accept tool outputs. [null null]");
}

#[tokio::test]
async fn an_open_run_locks_its_thread() {
    let server = TestServer::with_fixtures(ONE_CALL).await;
    let order = functions(&server).await;
    let (thread, run) = server.run_with("Weather?", order.clone()).await;
    let (thread_id, run_id) = (thread.rsplit('/').next().unwrap(), run.rsplit('/').next().unwrap());
    let message = server
        .post(&format!("{thread}/messages"), json!({"role": "user", "content": "More"}))
        .await
        .refusal();
    assert_eq!(
        message,
        format!(
            "400 Can't add messages to {thread_id} while a run {run_id} is active. [null null]"
        )
    );
    let second = server.post(&format!("{thread}/runs"), order.clone()).await.refusal();
    assert_eq!(
        second,
        format!("400 Thread {thread_id} already has an active run {run_id}. [null null]")
    );
    let update = server.post(&run, json!({"metadata": {"k": "v"}})).await.refusal();
    assert_eq!(update, "400 Cannot update run with status 'requires_action'. [null null]");

    let cancelling = server.post(&format!("{run}/cancel"), json!({})).await.body;
    assert_eq!(
        (&cancelling["status"], &cancelling["cancelled_at"]),
        (&json!("cancelling"), &Value::Null)
    );
    server.idle().await;
    let cancelled = server.get(&run).await.body;
    assert_eq!(
        (&cancelled["status"], &cancelled["cancelled_at"]),
        (&json!("cancelled"), &json!(START))
    );
    assert_eq!(cancelled["expires_at"], Value::Null);
    let again = server.post(&format!("{run}/cancel"), json!({})).await.refusal();
    assert_eq!(again, "400 Cannot cancel run with status 'cancelled'. [null null]");
    assert_eq!(
        server.post(&run, json!({"metadata": {"k": "v"}})).await.body["metadata"],
        json!({"k": "v"})
    );
    assert_eq!(
        server
            .post(&format!("{thread}/messages"), json!({"role": "user", "content": "More"}))
            .await
            .status
            .as_u16(),
        200
    );
}

#[tokio::test]
async fn a_run_needs_something_to_run_on() {
    let server = TestServer::start().await;
    let nothing = "400 Run creation requires a Thread with a user message or an assistant with \
                   instructions. [null \"invalid_thread\"]";
    let plain = server.assistant().await;
    let thread = server.post("/v1/threads", json!({})).await.id();
    let runs = format!("/v1/threads/{thread}/runs");
    assert_eq!(server.post(&runs, json!({"assistant_id": plain})).await.refusal(), nothing);
    assert_eq!(
        server.post("/v1/threads/runs", json!({"assistant_id": plain})).await.refusal(),
        nothing
    );
    let instructed = json!({"assistant_id": plain, "instructions": "Say something."});
    assert_eq!(server.post("/v1/threads/runs", instructed).await.status.as_u16(), 200);
    let additional = json!({"assistant_id": plain,
        "additional_messages": [{"role": "user", "content": "Hello"}]});
    assert_eq!(server.post(&runs, additional).await.status.as_u16(), 200);
}

#[tokio::test]
async fn every_outcome_ends_the_run_its_own_way() {
    for (outcome, status, check) in [
        (
            "{failed: {code: rate_limit_exceeded, message: Slow down.}}",
            "failed",
            json!({"code": "rate_limit_exceeded", "message": "Slow down."}),
        ),
        (
            "failed",
            "failed",
            json!({"code": "server_error", "message": "Sorry, something went wrong."}),
        ),
        ("{incomplete: content_filter}", "incomplete", Value::Null),
        ("expired", "expired", Value::Null),
        ("completed", "completed", Value::Null),
    ] {
        let server = TestServer::with_fixtures(&format!(
            "replies: [{{steps: [{{message: Hi}}], outcome: {outcome}}}]"
        ))
        .await;
        let (_, run) = server.run("Hello").await;
        let run = server.get(&run).await.body;
        assert_eq!(
            (&run["status"], &run["last_error"], &run["expires_at"]),
            (&json!(status), &check, &Value::Null)
        );
        assert_eq!(run["failed_at"].is_null(), status != "failed");
        assert_eq!(run["completed_at"].is_null(), !matches!(status, "completed" | "incomplete"));
        assert_eq!(run["incomplete_details"].is_null(), status != "incomplete");
        assert_eq!(run["usage"]["completion_tokens"], 1);
    }
}

#[tokio::test]
async fn a_run_expires_ten_minutes_after_its_creation() {
    for fixtures in [
        ONE_CALL,
        "replies: [{outcome: hang}]",
        "replies: [{steps: [{pause: 1h}, {message: Late}]}]",
    ] {
        let server = TestServer::with_fixtures(fixtures).await;
        let (_, run) = server.run_with("Hello", functions(&server).await).await;
        server.advance(Duration::from_secs(599)).await;
        assert_ne!(server.get(&run).await.body["status"], "expired");
        server.advance(Duration::from_secs(1)).await;
        let expired = server.get(&run).await.body;
        assert_eq!(expired["status"], "expired");
        assert_eq!(
            (&expired["expires_at"], &expired["completed_at"]),
            (&Value::Null, &Value::Null)
        );
        let refusal = server
            .post(&format!("{run}/submit_tool_outputs"), json!({"tool_outputs": []}))
            .await
            .refusal();
        assert_eq!(
            refusal,
            "400 Runs in status \"expired\" do not accept tool outputs. [null null]"
        );
        for step in server.get(&format!("{run}/steps")).await.body["data"].as_array().unwrap() {
            assert_eq!(step["status"], "expired");
        }
    }
}

#[tokio::test]
async fn token_budgets_end_a_run_incomplete() {
    let fixtures = "replies: [{steps: [{message: one two three four five six seven eight nine ten \
                    eleven twelve thirteen fourteen fifteen sixteen seventeen}]}]";
    let server = TestServer::with_fixtures(fixtures).await;
    let order = json!({"assistant_id": server.assistant().await, "max_completion_tokens": 16});
    let (thread, run) = server.run_with("Count", order).await;
    let run = server.get(&run).await.body;
    assert_eq!(
        (&run["status"], &run["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "max_completion_tokens"}))
    );
    assert_eq!(
        (&run["usage"]["completion_tokens"], &run["completed_at"]),
        (&json!(16), &json!(START))
    );
    let said = &server.said(&thread).await[1];
    assert!(said.ends_with("fifteen sixteen"), "{said}");

    let server = TestServer::with_fixtures("replies: [{steps: [{message: Hi}]}]").await;
    let order = json!({"assistant_id": server.assistant().await, "max_prompt_tokens": 256});
    let (_, run) = server.run_with(&"word ".repeat(300), order).await;
    let run = server.get(&run).await.body;
    assert_eq!(
        (&run["status"], &run["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "max_prompt_tokens"}))
    );
}

#[tokio::test]
async fn the_pace_of_a_reply_is_kept_by_the_clock() {
    let fixtures = "replies: [{pace: {queue: 2s, first_token: 3s, per_token: 1s}, steps: \
                    [{message: one two three}]}]";
    let server = TestServer::with_fixtures(fixtures).await;
    let (thread, run) = server.run("Count").await;
    let clock = server.session().await;
    let mut seen = Vec::new();
    for second in 0..9 {
        let run = server.get(&run).await.body;
        let messages = server.said(&thread).await.len() - 1;
        seen.push(format!("{second} {} {messages}", run["status"].as_str().unwrap()));
        clock.advance(Duration::from_secs(1)).await;
    }
    let expected = [
        "0 queued 0",
        "1 queued 0",
        "2 in_progress 0",
        "3 in_progress 0",
        "4 in_progress 0",
        "5 in_progress 1",
        "6 in_progress 1",
        "7 completed 1",
        "8 completed 1",
    ];
    assert_eq!(seen, expected);
    let run = server.get(&run).await.body;
    assert_eq!((&run["started_at"], &run["completed_at"]), (&json!(START + 2), &json!(START + 7)));
}

#[tokio::test]
async fn under_the_pace_steps_a_poll_moves_a_run_on_by_one_status() {
    let server = TestServer::with_fixtures(&format!("{ONE_CALL}    pace: steps\n")).await;
    let (_, run) = server.run_with("Weather?", functions(&server).await).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(server.get(&run).await.body["status"].as_str().unwrap().to_owned());
    }
    let outputs: Vec<_> = calls(&server.get(&run).await.body)
        .iter()
        .map(|id| json!({"tool_call_id": id, "output": "{\"temperature\": 1}"}))
        .collect();
    seen.push(
        server
            .post(&format!("{run}/submit_tool_outputs"), json!({ "tool_outputs": outputs }))
            .await
            .body["status"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    for _ in 0..3 {
        seen.push(server.get(&run).await.body["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        seen,
        [
            "in_progress",
            "requires_action",
            "requires_action",
            "queued",
            "in_progress",
            "completed",
            "completed"
        ]
    );
}

#[tokio::test]
async fn of_many_runs_that_race_for_a_thread_exactly_one_wins() {
    let server = TestServer::with_fixtures("replies: [{outcome: hang}]").await;
    let assistant = server.assistant().await;
    let runs = format!("/v1/threads/{}/runs", server.thread("Hello").await);
    let orders = (0..20).map(|_| server.post(&runs, json!({"assistant_id": assistant})));
    let answers = futures_util::future::join_all(orders).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status.is_success()).collect();
    assert_eq!(won.len(), 1);
    let id = won[0].id();
    assert!(
        answers
            .iter()
            .filter(|answer| !answer.status.is_success())
            .all(|answer| answer.refusal().contains(&format!("already has an active run {id}.")))
    );
    assert_eq!(server.get(&runs).await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_thousand_runs_on_a_thousand_threads_all_complete() {
    let server = TestServer::start().await;
    let assistant = server.assistant().await;
    let body = json!({"assistant_id": assistant,
        "thread": {"messages": [{"role": "user", "content": "Hello"}]}});
    let orders = (0..1000).map(|_| server.post("/v1/threads/runs", body.clone()));
    let created = futures_util::future::join_all(orders).await;
    server.idle().await;
    let mut threads = std::collections::HashSet::new();
    for run in created {
        let path =
            format!("/v1/threads/{}/runs/{}", run.body["thread_id"].as_str().unwrap(), run.id());
        assert_eq!(server.get(&path).await.body["status"], "completed");
        assert!(threads.insert(run.body["thread_id"].clone()));
    }
}

#[tokio::test]
async fn a_cancelled_run_that_nobody_polls_ends_all_the_same() {
    let server =
        TestServer::with_fixtures("replies: [{pace: steps, steps: [{message: Hi}]}]").await;
    let (thread, run) = server.run("Hello").await;
    assert_eq!(server.post(&format!("{run}/cancel"), json!({})).await.body["status"], "cancelling");
    server.advance(Duration::from_secs(601)).await;
    assert_eq!(server.get(&format!("{thread}/runs")).await.body["data"][0]["status"], "cancelled");
}

#[tokio::test]
async fn a_message_that_is_being_written_keeps_what_clients_do_to_it() {
    let fixtures = "replies: [{pace: {per_token: 1s}, steps: [{message: one two}]}]";
    for deleted in [false, true] {
        let server = TestServer::with_fixtures(fixtures).await;
        let (thread, run) = server.run("Count").await;
        let id = server.get(&format!("{thread}/messages")).await.body["data"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let message = format!("{thread}/messages/{id}");
        if deleted {
            assert_eq!(server.delete(&message).await.status.as_u16(), 200);
        } else {
            server.post(&message, json!({"metadata": {"k": "v"}})).await;
        }
        server.advance(Duration::from_secs(5)).await;
        assert_eq!(server.get(&run).await.body["status"], "completed");
        let after = server.get(&message).await;
        if deleted {
            assert_eq!(after.status.as_u16(), 404, "what was deleted stays deleted");
        } else {
            assert_eq!(
                (&after.body["metadata"], &after.body["content"][0]["text"]["value"]),
                (&json!({"k": "v"}), &json!("one two"))
            );
        }
    }
}

#[tokio::test]
async fn what_is_refused_does_not_hold_a_run_up() {
    let server =
        TestServer::with_fixtures("replies: [{pace: {queue: 2s}, steps: [{message: Hi}]}]").await;
    let (_, run) = server.run("Hello").await;
    for _ in 0..2 {
        server.advance(Duration::from_secs(1)).await;
        let refused =
            server.post(&format!("{run}/submit_tool_outputs"), json!({"tool_outputs": []})).await;
        assert_eq!(refused.status.as_u16(), 400);
    }
    assert_eq!(server.get(&run).await.body["status"], "completed");
}

#[tokio::test]
async fn a_poll_under_the_wrong_thread_moves_nothing() {
    let server =
        TestServer::with_fixtures("replies: [{pace: steps, steps: [{message: Hi}]}]").await;
    let (thread, run) = server.run("Hello").await;
    let other = server.thread("Other").await;
    let id = run.rsplit('/').next().unwrap();
    assert_eq!(server.get(&format!("/v1/threads/{other}/runs/{id}")).await.status.as_u16(), 404);
    assert_eq!(server.get(&format!("{thread}/runs")).await.body["data"][0]["status"], "queued");
}

#[tokio::test]
async fn a_question_that_does_not_fit_ends_its_run_incomplete() {
    let server = TestServer::with_fixtures("replies: [{steps: [{message: Hi}]}]").await;
    let letters = "qzxjkvbwpygf".chars().cycle();
    let question: String = letters
        .enumerate()
        .map(|(index, c)| if index % 7 == 3 { 'ж' } else { c })
        .take(256_000)
        .collect();
    let (_, run) = server.run(&question).await;
    let run = server.get(&run).await.body;
    assert_eq!(
        (&run["status"], &run["incomplete_details"]),
        (&json!("incomplete"), &json!({"reason": "max_prompt_tokens"}))
    );
}

#[tokio::test]
async fn an_empty_message_still_has_a_part() {
    let server = TestServer::with_fixtures("replies: [{steps: [{message: ''}]}]").await;
    let (thread, _) = server.run("Hello").await;
    assert_eq!(
        server.get(&format!("{thread}/messages")).await.body["data"][0]["content"][0]["text"]["value"],
        ""
    );
}
