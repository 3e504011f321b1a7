//! A test of an application, with a server in the same process: `cargo run --example embed`.
//!
//! The application here asks an assistant for the weather. What it would ask OpenAI for goes to the
//! server instead, which answers as the fixture says. Then the test reads the journal.

use rehearsal::{Config, Moment, Server};
use reqwest::Client;
use serde_json::{Value, json};

/// What the assistant answers, for this test alone.
const FIXTURES: &str = "
replies:
  - when: {message: {matches: 'weather in (?<city>\\w+)'}}
    steps:
      - message: 'It rains in {{ city }}.'
";

/// The application: it knows nothing of this server but the base URL.
async fn ask_for_the_weather(base_url: &str, city: &str) -> reqwest::Result<String> {
    let client = Client::new();
    let post = async |path: &str, body: Value| -> reqwest::Result<Value> {
        let request = client.post(format!("{base_url}{path}")).bearer_auth("sk-any-key");
        let request = request.header("OpenAI-Beta", "assistants=v2").json(&body);
        request.send().await?.error_for_status()?.json().await
    };
    let assistant = post("/assistants", json!({"model": "gpt-4o", "name": "Weather"})).await?;
    let question = json!({"role": "user", "content": format!("What is the weather in {city}?")});
    let run = json!({"assistant_id": assistant["id"], "thread": {"messages": [question]}});
    let run = post("/threads/runs", run).await?;

    let thread = run["thread_id"].as_str().unwrap_or_default();
    let messages = client.get(format!("{base_url}/threads/{thread}/messages"));
    let messages = messages.bearer_auth("sk-any-key").header("OpenAI-Beta", "assistants=v2");
    let messages: Value = messages.send().await?.error_for_status()?.json().await?;
    let answer = &messages["data"][0]["content"][0]["text"]["value"];
    Ok(answer.as_str().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A fixed seed and a clock that stands still: every run of the test gets the same ids and times.
    let clock = Some(Moment::from_unix_seconds(1_735_689_600));
    let server = Server::start(Config { seed: Some(7), clock, ..Config::default() }).await?;

    // Tests that run in parallel share the server and use a session each.
    let session = server.session("weather-test").await?;
    session.add_fixtures(FIXTURES).await?;

    let answer = ask_for_the_weather(&session.base_url(), "Oslo").await?;
    assert_eq!(answer, "It rains in Oslo.");

    for request in session.requests() {
        println!("{} {} {}", request["method"], request["path"], request["status"]);
    }
    assert_eq!(session.requests().len(), 3);
    assert!(session.unmatched().is_empty());

    server.stop().await;
    Ok(())
}
