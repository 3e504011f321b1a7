//! Fixtures as their authors see them: matches, rendered templates, and error messages.

use rehearsal::internals::{load_fixtures, read_fixture};
use serde_json::json;

use crate::server::{TestServer, config};

async fn answer(server: &TestServer, said: &str, order: serde_json::Value) -> Vec<String> {
    let mut body = json!({"assistant_id": server.assistant().await});
    body.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
    let (thread, _) = server.run_with(said, body).await;
    server.said(&thread).await[1..].to_vec()
}

#[tokio::test]
async fn the_math_tutor_solves_the_equation_of_the_tutorials() {
    let server = TestServer::start().await;
    let said = "I need to solve the equation `3x + 11 = 14`. Can you help me?";
    let jane = json!({"instructions": "Please address the user as Jane Doe. The user has a premium \
                                       account."});
    let answers = answer(&server, said, jane.clone()).await;
    assert_eq!(answers.len(), 2);
    assert!(
        answers[0].starts_with("Jane Doe, let's solve the equation 3x + 11 = 14."),
        "{}",
        answers[0]
    );
    assert_eq!(answers[1], "x = 1");
    let plain = answer(&server, said, json!({})).await;
    assert!(plain[0].starts_with("Let's solve"), "{}", plain[0]);
    let others = answer(&server, "What is x if 4x - 2 = 9?", json!({})).await;
    assert_eq!(others[1], "x = 11/4");

    let russian = answer(
        &server,
        "Мне нужно решить уравнение `3x + 11 = 14`. Поможешь?",
        json!({"instructions": "Обращайся к пользователю как Джейн Доу."}),
    )
    .await;
    assert!(russian[0].starts_with("Джейн Доу, решим уравнение 3x + 11 = 14."), "{}", russian[0]);
    assert_eq!(russian[1], "x = 1");

    let mut coded = jane;
    coded["assistant_id"] = json!(server.assistant().await);
    coded["tools"] = json!([{"type": "code_interpreter"}]);
    let (_, run) = server.run_with(said, coded).await;
    let steps = server.get(&format!("{run}/steps?order=asc")).await.body;
    assert_eq!(steps["data"].as_array().unwrap().len(), 3);
    let call = &steps["data"][0]["step_details"]["tool_calls"][0];
    assert!(
        call["code_interpreter"]["input"]
            .as_str()
            .unwrap()
            .contains("solve(Eq(3 * x + 11, 14), x)")
    );
    assert_eq!(call["code_interpreter"]["outputs"], json!([{"type": "logs", "logs": "[1]"}]));
}

#[tokio::test]
async fn the_math_tutors_code_prints_what_it_would_print() {
    let server = TestServer::start().await;
    let tools = json!([{"type": "code_interpreter"}]);
    for (equation, printed) in [
        ("3x + 11 = 14", "[1]"),
        ("6x - 3 = 0", "[1/2]"),
        ("4x + 10 = 4", "[-3/2]"),
        ("2x + 4 = 4", "[0]"),
        ("0x + 1 = 2", "[]"),
    ] {
        let order = json!({"assistant_id": server.assistant().await, "tools": tools});
        let (_, run) = server.run_with(&format!("Solve {equation}, please."), order).await;
        let step =
            server.get(&format!("{run}/steps?order=asc&limit=1")).await.body["data"][0].clone();
        let outputs = &step["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"];
        assert_eq!(outputs[0]["logs"], printed, "{equation}");
    }
    // The handler of the quickstart prints them as they arrive.
    let thread = json!({"messages": [{"role": "user", "content": "Solve 3x + 11 = 14, please."}]});
    let order = json!({"assistant_id": server.assistant().await, "tools": tools, "thread": thread,
        "stream": true});
    let events = server.stream("/v1/threads/runs", order).await;
    let streamed = events.0.iter().filter(|(name, data)| {
        let call = &data["delta"]["step_details"]["tool_calls"][0]["code_interpreter"];
        name == "thread.run.step.delta" && call["outputs"][0]["logs"] == "[1]"
    });
    assert_eq!(streamed.count(), 1);
}

#[tokio::test]
async fn the_math_tutor_calls_the_user_as_the_instructions_say() {
    let server = TestServer::start().await;
    for instructions in [
        "Please address the user as Jane Doe. The user has a premium account.",
        "Address me as Jane Doe.",
        "Call me Jane Doe.",
        "Please call the user \"Jane Doe\".",
        "Refer to the user as Jane Doe, always.",
        "You are a tutor. refer to them as Jane Doe",
        "Address the user by name: Jane Doe.",
        "Please address\nthe user\nas *Jane Doe*.",
        "Refer to your student only as Jane Doe.",
        "The client should be addressed as Jane Doe.",
        "You are calling the user Jane Doe.",
        "call her 'Jane Doe'",
        "The user's name is Jane Doe.",
    ] {
        let answers =
            answer(&server, "Solve 3x + 11 = 14, please.", json!({"instructions": instructions}))
                .await;
        assert!(answers[0].starts_with("Jane Doe, let's solve"), "{instructions}: {}", answers[0]);
    }
    for instructions in [
        "Обратитесь к пользователю как Джейн Доу. У пользователя премиум-аккаунт.",
        "Пожалуйста, обращайтесь к пользователю как Джейн Доу",
        "Обращайся к нему Джейн Доу.",
        "Обратись ко мне по имени Джейн Доу.",
        "Называй меня Джейн Доу.",
        "Называйте пользователя «Джейн Доу».",
        "Зови её Джейн Доу",
        "Зовите меня: Джейн Доу!",
        "обращайтесь к клиентке, как к Джейн Доу",
        "называй меня просто Джейн Доу",
        "Называйте собеседника\nименем Джейн Доу.",
        "обращаться к пользователю следует как Джейн Доу",
        "Обращайся к ученице исключительно как Джейн Доу",
        "Звать пользователя — Джейн Доу",
        "Пользователя зовут Джейн Доу.",
        "Имя пользователя: Джейн Доу",
    ] {
        let answers =
            answer(&server, "Реши уравнение 3x + 11 = 14.", json!({"instructions": instructions}))
                .await;
        assert!(answers[0].starts_with("Джейн Доу, решим"), "{instructions}: {}", answers[0]);
    }
    for name in ["Mr. Smith", "Dr. Jane Doe", "Łukasz", "王芳", "Mary-Jane O'Neil"] {
        let instructions = json!({"instructions": format!("Address the user as {name}.")});
        let answers = answer(&server, "Solve 3x + 11 = 14, please.", instructions).await;
        assert!(answers[0].starts_with(&format!("{name}, let's")), "{name}: {}", answers[0]);
    }
    for instructions in ["Address the user as a friend.", "Call me when you are done.", "Be kind."]
    {
        let answers =
            answer(&server, "Solve 3x + 11 = 14, please.", json!({"instructions": instructions}))
                .await;
        assert!(answers[0].starts_with("Let's solve"), "{instructions}: {}", answers[0]);
    }
}

#[tokio::test]
async fn the_weather_bot_calls_both_functions_at_once() {
    let server = TestServer::start().await;
    for (said, city, expected) in [
        (
            "What's the weather in San Francisco?",
            "San Francisco",
            "The weather in San Francisco, also known as Fog City: 21",
        ),
        ("Какая погода в Москве?", "Москве", "Погода (Fog City): 21"),
        (
            "Weather?",
            "San Francisco, CA",
            "The weather in San Francisco, CA, also known as Fog City: 21",
        ),
    ] {
        let tools = ["getCurrentWeather", "getNickname"]
            .map(|name| json!({"type": "function", "function": {"name": name}}));
        let order = json!({"assistant_id": server.assistant().await, "tools": tools});
        let (thread, run) = server.run_with(said, order).await;
        let waiting = server.get(&run).await.body;
        let calls =
            waiting["required_action"]["submit_tool_outputs"]["tool_calls"].as_array().unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0]["function"]["arguments"], json!({"location": city}).to_string());
        let outputs: Vec<_> = calls
            .iter()
            .zip(["21", "Fog City"])
            .map(|(call, output)| json!({"tool_call_id": call["id"], "output": output}))
            .collect();
        server
            .post(&format!("{run}/submit_tool_outputs"), json!({ "tool_outputs": outputs }))
            .await;
        server.idle().await;
        assert_eq!(server.said(&thread).await[1], expected);
    }
}

#[tokio::test]
async fn other_messages_are_echoed() {
    let server = TestServer::start().await;
    assert_eq!(
        answer(&server, "Привет, {{ world }}!\n", json!({})).await,
        ["Привет, {{ world }}!\n"]
    );
}

#[tokio::test]
async fn the_first_reply_whose_conditions_all_hold_wins() {
    let fixtures = r#"
assistants:
  - {id: asst_weather, name: Weather Bot, model: gpt-4o, metadata: {team: red}}
replies:
  - {when: {assistant: Weather Bot}, steps: [{message: by name}]}
  - {when: {message: {matches: '\bin (?<city>\w+)', not: {contains: snow}}}, steps: [{message: "{{ city }}"}]}
  - {when: {message: {any: [hi, {contains: snow}]}, turn: 1}, steps: [{message: any}]}
  - {when: {model: gpt-4}, steps: [{message: model}]}
  - {when: {instructions: {contains: pirate}}, steps: [{message: Arr}]}
  - {when: {tools: [add, code_interpreter]}, steps: [{message: tools}]}
  - {when: {metadata: {tier: gold, team: {not: red}}}, steps: [{message: gold}]}
  - {when: {message: once}, times: 1, steps: [{message: first}]}
  - {steps: [{message: "else {{ turn }}"}]}
"#;
    let server = TestServer::with_fixtures(fixtures).await;
    let tools =
        json!([{"type": "code_interpreter"}, {"type": "function", "function": {"name": "add"}}]);
    for (said, order, expected) in [
        ("x", json!({"assistant_id": "asst_weather"}), "by name"),
        ("rain in Paris", json!({}), "Paris"),
        ("snow in Paris", json!({}), "any"),
        ("hi", json!({}), "any"),
        ("hi ", json!({}), "else 1"),
        ("x", json!({"model": "gpt-4"}), "model"),
        ("x", json!({"instructions": "Talk like a pirate."}), "Arr"),
        ("x", json!({"tools": tools}), "tools"),
        ("x", json!({"metadata": {"tier": "gold"}}), "gold"),
        ("once", json!({}), "first"),
        ("once", json!({}), "else 1"),
    ] {
        assert_eq!(answer(&server, said, order).await, [expected], "{said}");
    }
}

#[tokio::test]
async fn seeds_are_there_from_the_start_in_every_session() {
    let fixtures = r#"
assistants:
  - id: asst_weather
    name: Weather Bot
    model: gpt-4o
    tools: [{type: function, function: {name: getWeather}}]
threads:
  - id: thread_seeded
    metadata: {k: v}
    messages: [{role: user, content: Hello}, {role: assistant, content: Hi}]
"#;
    let server = TestServer::with_fixtures(fixtures).await;
    for session in ["", "/s/other"] {
        let assistant = server.get(&format!("{session}/v1/assistants/asst_weather")).await.body;
        assert_eq!(assistant["tools"][0]["function"]["strict"], false);
        assert_eq!(
            server.get(&format!("{session}/v1/threads/thread_seeded")).await.body["metadata"],
            json!({"k": "v"})
        );
        assert_eq!(
            server.said(&format!("{session}/v1/threads/thread_seeded")).await,
            ["Hello", "Hi"]
        );
    }
}

#[tokio::test]
async fn a_run_that_nothing_matches_says_what_came_near() {
    let fixtures = r#"
replies:
  - {name: once, when: {message: Hello}, times: 1, steps: [{message: Hi}]}
  - {name: case, when: {message: hello}, steps: [{message: Hi}]}
  - {name: far, when: {message: Bye, model: gpt-4}, steps: [{message: Hi}]}
"#;
    let server = TestServer::with_fixtures(fixtures).await;
    server.run("Hello").await;
    let (_, run) = server.run("Hello").await;
    let run = server.get(&run).await.body;
    assert_eq!(
        (&run["status"], &run["last_error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    let message = run["last_error"]["message"].as_str().unwrap();
    let file = message.split_once("1. once (").unwrap().1.split_once(":3)").unwrap().0;
    insta::assert_snapshot!(message.replace(file, "test.yaml"), @r#"
    No reply matches this run (message: Hello). Nearest:
    1. once (test.yaml:3): used up: it matches, but `times: 1` allows no more uses
    2. case (test.yaml:4): message: expected "hello", got "Hello" (only the case differs)
    3. far (test.yaml:5): model: expected "gpt-4", got "gpt-4o"; message: expected "Bye", got "Hello"
    To answer it, add:

    replies:
      - name: my-reply
        when:
          message: "Hello"
        steps:
          - message: "…"
    "#);
}

#[tokio::test]
async fn a_template_fault_fails_its_run_and_names_file_and_line() {
    let fixtures = "replies:\n  - steps:\n      - message: fine\n      - message: |-\n          \
                    one\n          {{ run.nobody.name }}\n";
    let server = TestServer::with_fixtures(fixtures).await;
    let (thread, run) = server.run("Hello").await;
    let run = server.get(&run).await.body;
    assert_eq!(
        (&run["status"], &run["last_error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    let message = run["last_error"]["message"].as_str().unwrap();
    assert!(
        message.contains("test.yaml:4: the template of this step fails: undefined value"),
        "{message}"
    );
    assert!(message.ends_with("`run.nobody` is undefined (line 2 of its text)"), "{message}");
    assert_eq!(server.said(&thread).await, ["Hello", "fine"]);
}

#[test]
fn all_faults_of_a_file_are_reported_at_once_with_their_places() {
    let yaml = r#"# My first fixture
replies:
  - nmae: weather
    when:
      mesage: {matchs: 'weather'}
      turn: one
      message: {matches: '(oops'}
    steps:
      - message: "{{ city"
      - tool_calls: [{function: {name: get weather}}]
      - pause: soon
    outcome: {failed: {cod: x}}
    pace: fast
assistents: []
assistants:
  - {id: asst_a, name: A}
"#;
    insta::assert_snapshot!(read_fixture("first.yaml", yaml).unwrap_err(), @r#"
    first.yaml:3:5: unknown key 'nmae'
      |
    3 |   - nmae: weather
      |     ^ did you mean 'name'?

    first.yaml:5:7: unknown key 'mesage'
      |
    5 |       mesage: {matchs: 'weather'}
      |       ^ did you mean 'message'?

    first.yaml:6:13: expected an integer, got a string
      |
    6 |       turn: one
      |             ^

    first.yaml:7:26: this is not a regular expression: unclosed group
      |
    7 |       message: {matches: '(oops'}
      |                          ^

    first.yaml:9:18: the template does not parse: syntax error: unexpected end of input, expected end of variable block
      |
    9 |       - message: "{{ city"
      |                  ^

    first.yaml:10:40: this must match the pattern ^[a-zA-Z0-9_-]+$
       |
    10 |       - tool_calls: [{function: {name: get weather}}]
       |                                        ^

    first.yaml:11:16: 'soon' is not a duration; write it like 200ms, 1.5s or 10m
       |
    11 |       - pause: soon
       |                ^

    first.yaml:12:24: unknown key 'cod'
       |
    12 |     outcome: {failed: {cod: x}}
       |                        ^ did you mean 'code'?

    first.yaml:13:11: 'fast' is not one of 'instant', 'steps', 'realistic', and 'recorded'
       |
    13 |     pace: fast
       |           ^

    first.yaml:14:1: unknown key 'assistents'
       |
    14 | assistents: []
       | ^ did you mean 'assistants'?

    first.yaml:16:5: 'model' is missing
       |
    16 |   - {id: asst_a, name: A}
       |     ^ add 'model' here
    "#);
}

#[test]
fn what_is_not_yaml_is_reported_with_its_place() {
    for (text, expected) in [
        ("replies: [", "x.yaml:1:"),
        ("replies:\n  - name: a\n    name: b\n", "x.yaml:3:5: duplicate"),
        ("- just\n- a list\n", "x.yaml:1:1: expected a map, got a list"),
        ("replies: 7", "x.yaml:1:10: expected a list, got an integer"),
        ("\u{0}\u{1}", "x.yaml:1:"),
    ] {
        let error = read_fixture("x.yaml", text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    assert!(read_fixture("empty.yaml", "").is_ok());
}

#[tokio::test]
async fn the_fixtures_in_the_repository_all_load() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    assert!(load_fixtures(std::slice::from_ref(&folder)).unwrap() > 4);
    TestServer::with(rehearsal::Config { fixtures: vec![folder], ..config() }).await;
}

#[test]
fn seeds_need_ids_that_requests_can_name() {
    let yaml = "assistants:\n  - {id: weather, model: m}\n  - {id: asst_a, model: m}\n  - {id: \
                asst_a, model: m}\n";
    let error = |text: &str| read_fixture("x.yaml", text).unwrap_err();
    assert!(
        error(yaml)
            .starts_with("x.yaml:2:10: expected an id that begins with 'asst', got 'weather'")
    );
    assert_eq!(
        error(&yaml.replace("weather", "asst_w")),
        "x.yaml:4:10: the id 'asst_a' is not unique: x.yaml:3 has it too\n  |\n4 |   - {id: \
         asst_a, model: m}\n  |          ^"
    );
}

#[tokio::test]
async fn the_reply_to_paste_can_be_pasted() {
    for said in
        ["Hi \u{1f469}\u{200d}\u{1f467} \"quoted\" \\ {{ x }}", "two\nlines", &"long ".repeat(100)]
    {
        let server = TestServer::with_fixtures("replies: []").await;
        let (_, run) = server.run(said).await;
        let message =
            server.get(&run).await.body["last_error"]["message"].as_str().unwrap().to_owned();
        let stub = &message[message.find("replies:\n").unwrap()..];
        let server = TestServer::with_fixtures(stub).await;
        assert_eq!(answer(&server, said, json!({})).await, ["…"], "{stub}");
    }
}

#[test]
fn a_template_that_could_exhaust_the_stack_is_refused() {
    for template in [
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(8000)),
        format!("{{{{ '%}}'{} }}}}", " ~ 1".repeat(8000)),
        format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(5000)),
    ] {
        let yaml = format!("replies:\n  - steps: [{{message: \"{template}\"}}]\n");
        let error = read_fixture("x.yaml", &yaml).unwrap_err();
        assert!(
            error.starts_with("x.yaml:2:23: the template does not parse: "),
            "{}",
            &error[..200]
        );
    }
}

#[tokio::test]
async fn outputs_keep_their_order_as_json() {
    let fixtures = "replies: [{steps: [{tool_calls: [{function: {name: f}}]}, {message: '{{ \
                    outputs.f|tojson }}'}]}]";
    let server = TestServer::with_fixtures(fixtures).await;
    let (thread, run) = server.run("Hello").await;
    let call = server.get(&run).await.body["required_action"]["submit_tool_outputs"]["tool_calls"]
        [0]["id"]
        .clone();
    let output = r#"{"z":1.0,"a":["<b>",null]}"#;
    server
        .post(
            &format!("{run}/submit_tool_outputs"),
            json!({"tool_outputs": [{"tool_call_id": call, "output": output}]}),
        )
        .await;
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], output);
}

#[tokio::test]
async fn a_near_miss_says_what_alone_differs() {
    for (when, said, hint) in [
        ("{matches: weather in}", "Weather in Paris", "(only the case differs)"),
        ("{contains: WORLD}", "hello world", "(only the case differs)"),
        ("hello world", "hello  world\\n", "(only white space differs)"),
        ("'Hello  world'", "hello world", "(only case and white space differ)"),
    ] {
        let server = TestServer::with_fixtures(&format!(
            "replies: [{{name: near, when: {{message: {when}}}}}]"
        ))
        .await;
        let (_, run) = server.run(&said.replace("\\n", "\n")).await;
        let message =
            server.get(&run).await.body["last_error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(hint), "{message}");
    }
}

#[tokio::test]
async fn a_run_under_way_keeps_the_reply_it_began_with() {
    let yaml = |answer: &str| {
        format!(
            "replies: [{{steps: [{{tool_calls: [{{function: {{name: f}}}}]}}, {{message: \
             {answer}}}]}}]"
        )
    };
    let server = TestServer::with_fixtures(&yaml("Old")).await;
    let (thread, run) = server.run("Hello").await;
    server.reload(&yaml("New")).await;
    let call = server.get(&run).await.body["required_action"]["submit_tool_outputs"]["tool_calls"]
        [0]["id"]
        .clone();
    let outputs = json!({"tool_outputs": [{"tool_call_id": call, "output": "x"}]});
    server.post(&format!("{run}/submit_tool_outputs"), outputs.clone()).await;
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], "Old");
    let (thread, run) = server.run("Hello").await;
    let call = server.get(&run).await.body["required_action"]["submit_tool_outputs"]["tool_calls"]
        [0]["id"]
        .clone();
    server
        .post(
            &format!("{run}/submit_tool_outputs"),
            json!({"tool_outputs": [{"tool_call_id": call, "output": "x"}]}),
        )
        .await;
    server.idle().await;
    assert_eq!(server.said(&thread).await[1], "New");
}
