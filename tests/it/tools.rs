//! File search and code interpreter in runs: steps, citations, images, files.

use serde_json::{Value, json};

use crate::server::TestServer;

const FOODS: &str = "This file describes the favorite foods of several people.\n\nSummanus \
                     Ferdinand: tacos\nFilip Carola: cake";

/// An assistant that searches a store with one file. Returns the ids of the assistant and the file.
async fn searching(server: &TestServer) -> (String, String) {
    let file = server.document("favorite_foods.txt", FOODS).await;
    let assistant = json!({
        "model": "gpt-4o", "tools": [{"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file]}]}}
    });
    (server.post("/v1/assistants", assistant).await.id(), file)
}

const INCLUDED: &str = "include[]=step_details.tool_calls[*].file_search.results[*].content";

#[tokio::test]
async fn a_search_finds_cites_and_shows_its_content_to_those_who_ask() {
    let server = TestServer::with_fixtures(
        "replies:\n  - steps:\n      - tool_calls: [{file_search: {}}]\n      - message: \
         {text: \"Filip's favorite food is cake.\", citations: auto}\n",
    )
    .await;
    let (assistant, file) = searching(&server).await;
    let thread = server.thread("What is Filip's favorite food?").await;
    let events = server
        .stream(
            &format!("/v1/threads/{thread}/runs?{INCLUDED}"),
            json!({"assistant_id": assistant, "stream": true}),
        )
        .await;
    let delta = &events.all("thread.run.step.delta")[0]["delta"]["step_details"]["tool_calls"][0];
    let ranking = json!({"ranker": "default_2024_08_21", "score_threshold": 0.0});
    assert_eq!(
        (&delta["file_search"], &delta["index"]),
        (&json!({"ranking_options": ranking, "results": []}), &json!(0))
    );
    let result = &events.all("thread.run.step.completed")[0]["step_details"]["tool_calls"][0]["file_search"]
        ["results"][0];
    let keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["file_id", "file_name", "score", "attributes", "content"]);
    assert_eq!(
        (&result["file_id"], &result["content"]),
        (&json!(file), &json!([{"type": "text", "text": FOODS}]))
    );
    let marked = events.all("thread.message.delta").into_iter().find(|delta| {
        delta["delta"]["content"][0]["text"]["annotations"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    });
    let annotation = json!({
        "index": 0, "type": "file_citation", "text": "【4:0†favorite_foods.txt】", "start_index": 29,
        "end_index": 53,
        "file_citation": {"file_id": file, "quote": ""}
    });
    let expected = json!({"index": 0, "type": "text",
        "text": {"value": "【4:0†favorite_foods.txt】", "annotations": [annotation]}});
    assert_eq!(
        marked.unwrap()["delta"]["content"][0].to_string(),
        expected.to_string(),
        "as recorded"
    );
    let text = &events.last("thread.message.completed")["content"][0]["text"];
    assert_eq!(text["value"], "Filip's favorite food is cake【4:0†favorite_foods.txt】.");
    let citation = json!({
        "type": "file_citation", "text": "【4:0†favorite_foods.txt】", "start_index": 29,
        "end_index": 53,
        "file_citation": {"file_id": file}
    });
    assert_eq!(text["annotations"], json!([citation]));

    let run = events.last("thread.run.completed")["id"].as_str().unwrap().to_owned();
    let steps = format!("/v1/threads/{thread}/runs/{run}/steps?order=asc");
    let plain =
        server.get(&steps).await.body["data"][0]["step_details"]["tool_calls"][0]["file_search"]
            .clone();
    let keys: Vec<_> =
        plain["results"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["file_id", "file_name", "score"]);
    let whole = server.get(&format!("{steps}&{INCLUDED}")).await.body["data"][0].clone();
    assert_eq!(
        whole["step_details"]["tool_calls"][0]["file_search"]["results"][0]["content"][0]["text"],
        FOODS
    );
    let results = &whole["step_details"]["tool_calls"][0]["file_search"]["results"];
    let keys: Vec<_> = results[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["file_id", "file_name", "score", "attributes", "content"]);
    let again = server
        .stream(
            &format!("/v1/threads/{thread}/runs"),
            json!({"assistant_id": assistant, "stream": true}),
        )
        .await;
    let text = &again.last("thread.message.completed")["content"][0]["text"]["value"];
    assert_eq!(text, "Filip's favorite food is cake【8:0†favorite_foods.txt】.", "the second turn");
    assert!(
        !again.last("thread.run.step.completed").to_string().contains("tacos"),
        "nobody asked for the content"
    );
}

#[tokio::test]
async fn results_are_there_for_templates_and_marks_say_where_citations_go() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - tool_calls: [{file_search: {query: "food of {{ message }}", max_num_results: 1}}]
      - message:
          text: "{{ results[0].file_name }}{{ cite }}: “{{ results[0].passage }}”{{ cite }} ({{ results|length }})"
          citations: [{file: favorite_foods.txt}, {file: "{{ results[0].file_id }}"}]
"#,
    )
    .await;
    let (assistant, _) = searching(&server).await;
    let (thread, _) = server.run_with("Filip", json!({"assistant_id": assistant})).await;
    let said = server.said(&thread).await.remove(1);
    assert_eq!(
        said,
        format!(
            "favorite_foods.txt【4:0†favorite_foods.txt】: “{FOODS}”【4:0†favorite_foods.txt】 (1)"
        )
    );
}

#[tokio::test]
async fn a_search_sees_the_stores_of_the_assistant_and_of_the_thread() {
    let server = TestServer::with_fixtures(
        "replies:\n  - steps:\n      - tool_calls: [{file_search: {}}]\n      - message: \"{% for \
         it in results %}{{ it.file_name }} {% endfor %}\"\n",
    )
    .await;
    let (assistant, _) = searching(&server).await;
    let file = server.document("more.txt", "More food: cake again, cake again.").await;
    let thread = json!({
        "messages": [{"role": "user", "content": "cake?"}],
        "tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file],
            "metadata": {"k": "v"}}]}}
    });
    let thread = server.post("/v1/threads", thread).await;
    let store = thread.body["tool_resources"]["file_search"]["vector_store_ids"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let made = server.get(&format!("/v1/vector_stores/{store}")).await.body;
    assert_eq!(made["expires_after"], json!({"anchor": "last_active_at", "days": 7}));
    assert_eq!(made["metadata"], json!({"k": "v"}));
    let path = format!("/v1/threads/{}", thread.id());
    server.post(&format!("{path}/runs"), json!({"assistant_id": assistant})).await;
    server.idle().await;
    assert_eq!(server.said(&path).await[1], "more.txt favorite_foods.txt ");
    server.delete(&format!("/v1/vector_stores/{store}")).await;
    server.post(&format!("{path}/runs"), json!({"assistant_id": assistant})).await;
    server.idle().await;
    assert_eq!(
        server.said(&path).await[2],
        "favorite_foods.txt ",
        "a store that is gone is not missed"
    );
}

#[tokio::test]
async fn given_results_stand_in_for_a_search() {
    let server = TestServer::with_fixtures(
        r#"
files:
  - {id: file-handbook, path: {name: handbook.md, text: "Be kind."}}
replies:
  - when: {message: lost}
    steps:
      - tool_calls: [{file_search: {results: [{file: nowhere.txt, text: x}]}}]
  - steps:
      - tool_calls: [{file_search: {results: [{file: handbook.md, score: 0.5, text: "Be kind."}]}}]
      - message: {text: "Be kind.", citations: auto}
"#,
    )
    .await;
    let assistant = server
        .post("/v1/assistants", json!({"model": "gpt-4o", "tools": [{"type": "file_search"}]}))
        .await
        .id();
    let (thread, run) = server.run_with("How?", json!({"assistant_id": assistant})).await;
    assert_eq!(server.said(&thread).await[1], "Be kind【4:0†handbook.md】.");
    let step = server.get(&format!("{run}/steps?order=asc")).await.body["data"][0].clone();
    let result = &step["step_details"]["tool_calls"][0]["file_search"]["results"][0];
    assert_eq!(
        *result,
        json!({"file_id": "file-handbook", "file_name": "handbook.md", "score": 0.5})
    );
    let (_, lost) = server.run_with("lost", json!({"assistant_id": assistant})).await;
    let error = server.get(&lost).await.body["last_error"]["message"].as_str().unwrap().to_owned();
    assert!(
        error.ends_with("test.yaml:7: no file has the id or the name 'nowhere.txt'"),
        "{error}"
    );
}

#[tokio::test]
async fn code_draws_and_writes_files_that_can_be_downloaded() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - tool_calls:
          - code_interpreter:
              input: plot()
              outputs: [{logs: "done"}, {image: {name: chart.png, base64: iVBORw0KGgo=}}]
      - message:
          images: [{name: chart.png, base64: iVBORw0KGgo=}]
          files: [{name: data.csv, text: "a,b"}, {name: more.csv, text: "c"}]
          text: "Here: [data](sandbox:/mnt/data/data.csv)."
"#,
    )
    .await;
    let assistant = server
        .post("/v1/assistants", json!({"model": "gpt-4o", "tools": [{"type": "code_interpreter"}]}))
        .await
        .id();
    let thread = server.thread("Plot it").await;
    let events = server
        .stream(
            &format!("/v1/threads/{thread}/runs"),
            json!({"assistant_id": assistant, "stream": true}),
        )
        .await;
    let outputs: Vec<Value> = events
        .all("thread.run.step.delta")
        .into_iter()
        .map(|delta| {
            delta["delta"]["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"][0]
                .clone()
        })
        .filter(|output| output.is_object())
        .collect();
    let message = events.last("thread.message.completed");
    let image = message["content"][0]["image_file"]["file_id"].as_str().unwrap().to_owned();
    assert_eq!(
        outputs,
        [
            json!({"index": 0, "type": "logs", "logs": "done"}),
            json!({"index": 1, "type": "image", "image": {"file_id": image}}),
        ]
    );
    let delta = &events.all("thread.message.delta")[0]["delta"]["content"][0];
    assert_eq!(
        *delta,
        json!({"index": 0, "type": "image_file",
            "image_file": {"file_id": image, "detail": "auto"}})
    );
    let step = events.last("thread.run.step.completed");
    assert_eq!(step["type"], "message_creation");
    let drawn = &events.all("thread.run.step.completed")[0]["step_details"]["tool_calls"][0]["code_interpreter"]
        ["outputs"][1];
    assert_eq!(
        *drawn,
        json!({"type": "image", "image": {"file_id": image}}),
        "the same picture is the same file"
    );

    let text = &message["content"][1]["text"];
    let path = "sandbox:/mnt/data/data.csv";
    let annotation = &text["annotations"][0];
    let data = annotation["file_path"]["file_id"].as_str().unwrap();
    let expected = json!({"type": "file_path", "text": path, "start_index": 13, "end_index": 39,
        "file_path": {"file_id": data}});
    assert_eq!(*annotation, expected);
    let attachments = message["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 1, "only what the text does not mention");
    assert_eq!(attachments[0]["tools"], json!([{"type": "code_interpreter"}]));
    for (id, name, content) in [
        (image.as_str(), "chart.png", "\u{fffd}PNG\r\n\u{1a}\n"),
        (data, "data.csv", "a,b"),
        (attachments[0]["file_id"].as_str().unwrap(), "more.csv", "c"),
    ] {
        let file = server.get(&format!("/v1/files/{id}")).await.body;
        assert_eq!(
            (&file["purpose"], &file["filename"]),
            (&json!("assistants_output"), &json!(name))
        );
        assert_eq!(server.get(&format!("/v1/files/{id}/content")).await.text, content);
    }
    let made = server.get("/v1/files?purpose=assistants_output").await.body["data"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(made, 3);
    let (thread, _) = server.run_with("Again", json!({"assistant_id": assistant})).await;
    let other =
        server.get(&format!("{thread}/messages")).await.body["data"][0]["content"][0]["image_file"]
            ["file_id"]
            .clone();
    assert_ne!(other, json!(image), "another run makes files of its own");
}

#[tokio::test]
async fn attachments_feed_the_tools_of_the_thread() {
    let server = TestServer::start().await;
    let (text, table) =
        (server.document("a.txt", "Tea is green.").await, server.document("b.csv", "a,b").await);
    let attach = |file: &str, tools: &[&str]| {
        let tools: Vec<_> = tools.iter().map(|tool| json!({"type": tool})).collect();
        json!({"role": "user", "content": "Look",
            "attachments": [{"file_id": file, "tools": tools}]})
    };
    let thread = server
        .post(
            "/v1/threads",
            json!({"messages": [attach(&text, &["file_search", "code_interpreter"])]}),
        )
        .await;
    let path = format!("/v1/threads/{}", thread.id());
    let store = thread.body["tool_resources"]["file_search"]["vector_store_ids"][0]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(thread.body["tool_resources"]["code_interpreter"]["file_ids"], json!([text]));
    let added =
        server.post(&format!("{path}/messages"), attach(&table, &["code_interpreter"])).await;
    assert_eq!(added.body["attachments"][0]["file_id"], json!(table));
    let more = server.document("c.md", "Coffee is black.").await;
    server.post(&format!("{path}/messages"), attach(&more, &["file_search"])).await;
    server.idle().await;
    let shown = server.get(&path).await.body["tool_resources"].clone();
    assert_eq!(shown["code_interpreter"]["file_ids"], json!([text, table]));
    assert_eq!(
        shown["file_search"]["vector_store_ids"],
        json!([store]),
        "the store that it has already"
    );
    assert_eq!(
        server.get(&format!("/v1/vector_stores/{store}")).await.body["file_counts"]["completed"],
        2
    );

    let empty = server.post("/v1/threads", json!({})).await.id();
    server.post(&format!("/v1/threads/{empty}/messages"), attach(&text, &["file_search"])).await;
    let shown = server.get(&format!("/v1/threads/{empty}")).await.body;
    let made = shown["tool_resources"]["file_search"]["vector_store_ids"][0].as_str().unwrap();
    let made = server.get(&format!("/v1/vector_stores/{made}")).await.body;
    assert_eq!(made["expires_after"], json!({"anchor": "last_active_at", "days": 7}));
    let missing = server
        .post(&format!("/v1/threads/{empty}/messages"), attach("file-x", &["file_search"]))
        .await
        .refusal();
    assert_eq!(missing, "404 No such File object: file-x [\"id\" null]");
    let wrong = server
        .post(&format!("/v1/threads/{empty}/messages"), attach(&table, &["file_search"]))
        .await
        .refusal();
    assert!(
        wrong.starts_with("400 Files with extensions [.csv] are not supported for retrieval."),
        "{wrong}"
    );
    assert_eq!(
        server.said(&format!("/v1/threads/{empty}")).await.len(),
        1,
        "a refused message is not there"
    );
}

#[tokio::test]
async fn stores_and_files_that_do_not_exist_are_refused() {
    let server = TestServer::start().await;
    let search = |store: &str| json!({"file_search": {"vector_store_ids": [store]}});
    let new = json!({"model": "gpt-4o", "tools": [{"type": "file_search"}],
        "tool_resources": search("vs_x")});
    assert_eq!(
        server.post("/v1/assistants", new).await.refusal(),
        "404 Vector store with id ['vs_x'] not found. [null null]"
    );
    let thread =
        server.post("/v1/threads", json!({"tool_resources": search("vs_x")})).await.refusal();
    assert_eq!(thread, "404 Vector store with id ['vs_x'] not found. [null null]");
    let files = json!({"tool_resources": {"code_interpreter": {"file_ids": ["file-x"]}}});
    assert_eq!(
        server.post("/v1/threads", files).await.refusal(),
        "404 No such File object: file-x [\"id\" null]"
    );
    let both = json!({"tool_resources": {"file_search": {"vector_store_ids": ["vs_x"],
        "vector_stores": [{}]}}});
    assert_eq!(
        server.post("/v1/threads", both).await.refusal(),
        "400 Invalid 'tool_resources.file_search.vector_stores': mutually exclusive with \
         'vector_store_ids'. Expected only one of the two. \
         [\"tool_resources.file_search.vector_stores\" \"invalid_value\"]"
    );
}

#[tokio::test]
async fn the_support_bot_and_the_data_analyst_are_built_in() {
    let server = TestServer::start().await;
    let (assistant, file) = searching(&server).await;
    let (thread, _) = server
        .run_with("What is the favorite food of Filip?", json!({"assistant_id": assistant}))
        .await;
    let message =
        server.get(&format!("{thread}/messages")).await.body["data"][0]["content"][0]["text"]
            .clone();
    assert_eq!(
        message["value"],
        format!("favorite_foods.txt says: “{FOODS}”【4:0†favorite_foods.txt】")
    );
    assert_eq!(message["annotations"][0]["file_citation"]["file_id"], json!(file));
    let (thread, _) = server.run_with("Что любит Filip?", json!({"assistant_id": assistant})).await;
    assert!(
        server.said(&thread).await[1]
            .starts_with("В файле favorite_foods.txt сказано: “Filip Carola: cake”")
    );
    let (thread, _) = server.run_with("zebra?", json!({"assistant_id": assistant})).await;
    assert_eq!(server.said(&thread).await[1], "I found nothing about that in the files.");
    let bare = server
        .post("/v1/assistants", json!({"model": "gpt-4o", "tools": [{"type": "file_search"}]}))
        .await
        .id();
    let (thread, _) = server.run_with("Hello", json!({"assistant_id": bare})).await;
    assert_eq!(server.said(&thread).await[1], "Hello", "without files there is nothing to search");

    let table = server.document("sales.csv", "a,b\n1,2\n").await;
    let analyst = json!({
        "model": "gpt-4o", "tools": [{"type": "code_interpreter"}],
        "tool_resources": {"code_interpreter": {"file_ids": [table]}}
    });
    let analyst = server.post("/v1/assistants", analyst).await.id();
    let (thread, run) =
        server.run_with("Plot the sales, please", json!({"assistant_id": analyst})).await;
    let content =
        server.get(&format!("{thread}/messages")).await.body["data"][0]["content"].clone();
    assert_eq!(content[1]["text"]["value"], "Here is the chart of sales.csv (8 bytes).");
    let image = content[0]["image_file"]["file_id"].as_str().unwrap();
    let png = server.get(&format!("/v1/files/{image}/content")).await;
    assert!(png.headers["content-length"].to_str().unwrap().parse::<usize>().unwrap() > 1000);
    assert!(png.text.starts_with("\u{fffd}PNG"));
    let step = server.get(&format!("{run}/steps?order=asc")).await.body["data"][0]["step_details"]
        ["tool_calls"][0]
        .clone();
    assert!(
        step["code_interpreter"]["input"].as_str().unwrap().contains(r#"files = {"sales.csv": 8}"#),
        "{step}"
    );
}

#[tokio::test]
async fn seeds_are_ready_before_the_first_request() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("docs")).unwrap();
    std::fs::write(folder.path().join("docs/handbook.md"), "Breaks are from noon to one.").unwrap();
    let yaml = r#"
files:
  - {id: file-rules, path: {name: rules.txt, text: "No dogs."}, filename: house-rules.txt}
vector_stores:
  - {id: vs_docs, name: Docs, metadata: {k: v}, files: [docs/handbook.md, file-rules]}
assistants:
  - id: asst_docs
    model: gpt-4o
    tools: [{type: file_search}]
    tool_resources: {file_search: {vector_store_ids: [vs_docs]}}
"#;
    let path = folder.path().join("seeds.yaml");
    std::fs::write(&path, yaml).unwrap();
    let server =
        TestServer::with(rehearsal::Config { fixtures: vec![path], ..crate::server::config() })
            .await;
    let store = server.get("/v1/vector_stores/vs_docs").await.body;
    assert_eq!(
        (&store["status"], &store["file_counts"]["completed"], &store["name"]),
        (&json!("completed"), &json!(2), &json!("Docs"))
    );
    let found = server.search("vs_docs", json!("When is the break?")).await;
    assert_eq!(found, [("handbook.md".to_owned(), "Breaks are from noon to one.".to_owned())]);
    assert_eq!(server.search("vs_docs", json!("dogs")).await[0].0, "house-rules.txt");
    assert_eq!(server.get("/v1/files/file-rules").await.body["purpose"], "assistants");
}

#[tokio::test]
async fn a_file_can_be_attached_twice_and_after_its_store_is_deleted() {
    let server = TestServer::start().await;
    let (store, file) = (server.store(&[]).await, server.document("a.txt", "apples").await);
    let files = format!("/v1/vector_stores/{store}/files");
    server.post(&files, json!({"file_id": file, "attributes": {"kind": "fruit"}})).await;
    let thread = server
        .post(
            "/v1/threads",
            json!({"tool_resources": {"file_search": {"vector_store_ids": [store]}}}),
        )
        .await
        .id();
    let attachments = json!([{"file_id": file, "tools": [{"type": "file_search"}]}]);
    let message = json!({"role": "user", "content": "Look", "attachments": attachments});
    let messages = format!("/v1/threads/{thread}/messages");
    server.post(&messages, message.clone()).await;
    let kept = server.get(&format!("{files}/{file}")).await.body;
    assert_eq!(
        kept["attributes"],
        json!({"kind": "fruit"}),
        "what is in the store already stays as it is"
    );
    server.delete(&format!("/v1/vector_stores/{store}")).await;
    assert_eq!(server.post(&messages, message).await.status.as_u16(), 200);
    let shown = server.get(&format!("/v1/threads/{thread}")).await.body;
    let other =
        shown["tool_resources"]["file_search"]["vector_store_ids"][0].as_str().unwrap().to_owned();
    assert_ne!(other, store, "another store has taken its place");
    let many: Vec<_> = (0..10)
        .map(|_| json!({"file_id": file, "tools": [{"type": "code_interpreter"}]}))
        .collect();
    let many = json!({"role": "user", "content": "Look", "attachments": many});
    assert_eq!(
        server.post(&messages, many).await.status.as_u16(),
        200,
        "the same file ten times is one file"
    );
}

#[tokio::test]
async fn a_run_that_is_refused_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let file = server.document("a.txt", "apples").await;
    let assistant = server.post("/v1/assistants", json!({"model": "gpt-4o"})).await.id();
    let thread =
        json!({"tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file]}]}}});
    let refused =
        server.post("/v1/threads/runs", json!({"assistant_id": assistant, "thread": thread})).await;
    assert!(
        refused.refusal().starts_with("400 Run creation requires a Thread with a user message"),
        "{}",
        refused.text
    );
    assert_eq!(server.get("/v1/vector_stores").await.body["data"], json!([]));
}

#[tokio::test]
async fn each_mark_cites_what_is_quoted_before_it() {
    let server = TestServer::with_fixtures(
        r#"
replies:
  - steps:
      - tool_calls: [{file_search: {}}]
      - message:
          text: "First: {{ results[1].text }}{{ cite }} Then: {{ results[0].text }}{{ cite }}"
          citations: auto
"#,
    )
    .await;
    let (tea, coffee) = (
        server.document("tea.txt", "Tea is brewed at 80 degrees").await,
        server.document("coffee.txt", "Coffee, coffee is brewed at 95 degrees").await,
    );
    let resources = json!({"file_search": {"vector_stores": [{"file_ids": [tea, coffee]}]}});
    let assistant =
        json!({"model": "gpt-4o", "tools": [{"type": "file_search"}], "tool_resources": resources});
    let assistant = server.post("/v1/assistants", assistant).await.id();
    let (thread, _) =
        server.run_with("How hot is coffee brewed?", json!({"assistant_id": assistant})).await;
    assert_eq!(
        server.said(&thread).await[1],
        "First: Tea is brewed at 80 degrees【4:1†tea.txt】 Then: Coffee, coffee is brewed at 95 \
         degrees【4:0†coffee.txt】"
    );
}
