//! A test of an application, with a server in the same process: `cargo run --example embed`.
//!
//! The application asks an assistant for the weather. Its requests go to this server in place of
//! OpenAI, and the fixture decides the answer. Then the test reads the journal.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use rehearsal::{Config, Moment, Server, Unmatched};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// The answer of the assistant, for this test only.
const FIXTURES: &str = "
replies:
  - when: {message: {matches: 'weather in (?<city>\\w+)'}}
    steps:
      - message: 'It rains in {{ city }}.'
";

/// The application: of this server, it knows only the base URL.
struct WeatherApp {
    client: Client,
    base_url: String,
}

impl WeatherApp {
    async fn ask(&self, city: &str) -> reqwest::Result<String> {
        let assistant = json!({"model": "gpt-4o", "name": "Weather"});
        let assistant = self.send(self.client.post(self.url("/assistants")).json(&assistant));
        let question = json!({"role": "user", "content": format!("The weather in {city}?")});
        let run = json!({
            "assistant_id": assistant.await?["id"],
            "thread": {"messages": [question]},
        });
        let mut run = self.send(self.client.post(self.url("/threads/runs")).json(&run)).await?;
        let thread = self.url(&format!("/threads/{}", text(&run["thread_id"])));
        while ["queued", "in_progress"].contains(&text(&run["status"])) {
            let poll = self.client.get(format!("{thread}/runs/{}", text(&run["id"])));
            run = self.send(poll).await?;
        }
        let messages = self.send(self.client.get(format!("{thread}/messages"))).await?;
        Ok(text(&messages["data"][0]["content"][0]["text"]["value"]).to_owned())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Value> {
        let request = request.bearer_auth("sk-any-key").header("OpenAI-Beta", "assistants=v2");
        request.send().await?.error_for_status()?.json().await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A fixed seed and a stopped clock: every run of the test gets the same ids and times.
    let clock = Some(Moment::from_unix_seconds(1_735_689_600));
    let unmatched = Unmatched::Fail;
    let server = Server::start(Config { seed: Some(7), clock, unmatched, ..Config::default() });
    let server = server.await?;

    // Tests that run in parallel share the server, and each uses its own session.
    let session = server.session("weather-test").await?;
    session.add_fixtures(FIXTURES).await?;

    let app = WeatherApp { client: Client::new(), base_url: session.base_url() };
    assert_eq!(app.ask("Oslo").await?, "It rains in Oslo.");

    for request in session.requests() {
        println!("{} {} {}", request["method"], request["path"], request["status"]);
    }
    assert_eq!(session.requests()[1]["path"], "/v1/threads/runs");
    assert!(session.unmatched().is_empty());

    server.stop().await;
    Ok(())
}
