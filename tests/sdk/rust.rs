//! `async-openai`, which parses every response into strict types: a missing key or a wrong type is
//! an error here.

#![expect(deprecated, reason = "the client marks the whole API as deprecated")]

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    traits::RequestOptionsBuilder,
    types::assistants::{
        AssistantStreamEvent, CreateAssistantRequest, CreateMessageRequest, CreateRunRequest,
        CreateThreadRequest, MessageContent, MessageDeltaContent, RunObject, RunStatus,
        SubmitToolOutputsRunRequest,
    },
};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::running::{KEY, Running};

type OpenAi = Client<OpenAIConfig>;

fn client(server: &Running) -> OpenAi {
    // This client leaves the beta header to its user.
    let config = OpenAIConfig::new().with_api_base(&server.base).with_api_key(KEY);
    rehearsal::internals::prepare_tls();
    Client::with_config(config.with_header("OpenAI-Beta", "assistants=v2").unwrap())
}

fn request<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn assistant(client: &OpenAi) -> String {
    let tools = ["getCurrentWeather", "getNickname"]
        .map(|name| json!({"type": "function", "function": {"name": name}}));
    let new: CreateAssistantRequest =
        request(json!({"model": "gpt-4o", "name": "Bot", "instructions": "Help.", "tools": tools}));
    client.assistants().create(new).await.unwrap().id
}

async fn thread(client: &OpenAi, said: &str) -> String {
    let new: CreateThreadRequest =
        request(json!({"messages": [{"role": "user", "content": said}]}));
    client.threads().create(new).await.unwrap().id
}

/// Polls until the run waits for the client or has ended.
async fn settled(client: &OpenAi, thread: &str, run: &RunObject) -> RunObject {
    loop {
        let run = client.threads().runs(thread).retrieve(&run.id).await.unwrap();
        if !matches!(run.status, RunStatus::Queued | RunStatus::InProgress | RunStatus::Cancelling)
        {
            return run;
        }
    }
}

async fn newest(client: &OpenAi, thread: &str) -> String {
    let list = client.threads().messages(thread).list().await.unwrap();
    match &list.data[0].content[0] {
        MessageContent::Text(text) => text.text.value.clone(),
        other => panic!("{other:?}"),
    }
}

fn outputs(run: &RunObject, stream: bool) -> SubmitToolOutputsRunRequest {
    let calls = &run.required_action.as_ref().unwrap().submit_tool_outputs.tool_calls;
    let outputs: Vec<_> = calls
        .iter()
        .map(|call| {
            let output =
                if call.function.name == "getNickname" { "Fog City" } else { "21 degrees" };
            json!({"tool_call_id": call.id, "output": output})
        })
        .collect();
    request(json!({"tool_outputs": outputs, "stream": stream}))
}

const ANSWER: &str = "The weather in Oslo, also known as Fog City: 21 degrees";

#[tokio::test]
async fn functions_by_polling() {
    let server = Running::start();
    let client = client(&server);
    let (assistant, thread) =
        (assistant(&client).await, thread(&client, "What's the weather in Oslo?").await);
    let threads = client.threads();
    let runs = threads.runs(&thread);
    let created =
        runs.create(request::<CreateRunRequest>(json!({"assistant_id": assistant}))).await.unwrap();
    assert!(matches!(created.status, RunStatus::Queued));
    let waiting = settled(&client, &thread, &created).await;
    assert!(matches!(waiting.status, RunStatus::RequiresAction));
    runs.submit_tool_outputs(&waiting.id, outputs(&waiting, false)).await.unwrap();
    let done = settled(&client, &thread, &waiting).await;
    assert!(matches!(done.status, RunStatus::Completed));
    assert_eq!(newest(&client, &thread).await, ANSWER);
    assert_eq!(runs.steps(&done.id).list().await.unwrap().data.len(), 2);
}

#[tokio::test]
async fn functions_by_streaming() {
    let server = Running::start();
    let client = client(&server);
    let (assistant, thread) =
        (assistant(&client).await, thread(&client, "What's the weather in Oslo?").await);
    let threads = client.threads();
    let runs = threads.runs(&thread);
    let mut stream = runs
        .create_stream(request::<CreateRunRequest>(json!({"assistant_id": assistant})))
        .await
        .unwrap();
    let mut waiting = None;
    while let Some(event) = stream.next().await {
        if let AssistantStreamEvent::ThreadRunRequiresAction(run) = event.unwrap() {
            waiting = Some(run);
        }
    }
    let waiting = waiting.unwrap();
    let mut stream =
        runs.submit_tool_outputs_stream(&waiting.id, outputs(&waiting, true)).await.unwrap();
    let (mut text, mut completed) = (String::new(), false);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AssistantStreamEvent::ThreadMessageDelta(delta) => {
                for content in delta.delta.content.into_iter().flatten() {
                    if let MessageDeltaContent::Text(part) = content {
                        text += &part.text.and_then(|text| text.value).unwrap_or_default();
                    }
                }
            }
            AssistantStreamEvent::ThreadRunCompleted(_) => completed = true,
            _ => {}
        }
    }
    assert!(completed);
    assert_eq!(text, ANSWER);
}

#[tokio::test]
async fn cancel_pages_and_errors() {
    let server = Running::start();
    let client = client(&server);
    let (assistant, thread) = (assistant(&client).await, thread(&client, "Hang on.").await);
    let threads = client.threads();
    let (runs, messages) = (threads.runs(&thread), threads.messages(&thread));
    let run =
        runs.create(request::<CreateRunRequest>(json!({"assistant_id": assistant}))).await.unwrap();
    let locked = messages
        .create(request::<CreateMessageRequest>(json!({"role": "user", "content": "Hello"})))
        .await;
    assert!(
        matches!(locked, Err(OpenAIError::ApiError(error)) if error.to_string().contains("Can't add messages to thread_"))
    );
    assert!(matches!(runs.cancel(&run.id).await.unwrap().status, RunStatus::Cancelling));
    assert!(matches!(settled(&client, &thread, &run).await.status, RunStatus::Cancelled));

    for number in 0..5 {
        messages
            .create(request(json!({"role": "user", "content": number.to_string()})))
            .await
            .unwrap();
    }
    let first = threads
        .messages(&thread)
        .query(&[("limit", "2"), ("order", "asc")])
        .unwrap()
        .list()
        .await
        .unwrap();
    assert!(first.has_more && first.data.len() == 2);
    let missing = client.threads().retrieve("thread_nobody").await;
    assert!(
        matches!(missing, Err(OpenAIError::ApiError(error)) if error.to_string().contains("No thread found with id 'thread_nobody'."))
    );
}
