//! The parts that the program, the benches, the fuzz targets and the tests of this repository need
//! besides the public API. It may change in any version.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use serde_json::{Value, json};

use crate::{
    cassette, cli,
    events::Lines,
    fixture::{
        Fixtures,
        template::{self, Captures, TemplateError, Variables},
    },
    http,
    types::{
        Version,
        assistant::{AssistantChange, NewAssistant},
        message::NewMessage,
        new_thread::NewThread,
        reader::{self, Read},
        search::SearchRequest,
        store_file::{NewFileBatch, NewStoreFile},
        thread::ThreadChange,
        upload::NewUpload,
        vector_store::{NewVectorStore, VectorStoreChange},
    },
    upstream,
};

/// The program: reads its arguments and runs the command.
pub fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}

/// Loads fixtures. Returns the number of replies, or the mistakes, as `check` prints them.
pub fn load_fixtures(paths: &[PathBuf]) -> Result<usize, String> {
    Fixtures::load(paths).map(|it| it.replies.len()).map_err(|error| error.to_string())
}

/// Reads a fixture from its text. Returns the mistakes, as `check` prints them.
pub fn read_fixture(name: &str, text: &str) -> Result<(), String> {
    let read = Fixtures::parse([(name.to_owned(), text.to_owned())]);
    read.map(|_| ()).map_err(|error| error.to_string())
}

/// Reads a recording of another tool. Returns the number of useful exchanges.
pub fn read_cassette(text: &str) -> Result<usize, String> {
    cassette::parse(text).map(|it| it.exchanges).map_err(|error| error.to_string())
}

/// Renders a template as a reply does, and a value that contains the template. Returns the result,
/// or the error.
pub fn render_template(text: &str) -> Result<String, String> {
    let captures = Captures::from([("city".to_owned(), "Paris".to_owned())]);
    let variables = Variables::new(&captures, |name| match name {
        "message" => Some("Hello".into()),
        "turn" => Some(1.into()),
        _ => None,
    });
    let shown = |error: TemplateError| format!("line {}: {}", error.line, error.what);
    template::render_value(&json!({"text": text}), &variables).map_err(shown)?;
    template::render(text, &variables).map_err(shown)
}

/// Reads a request body as each type that the API accepts, under both versions. Returns the number
/// of types that fit.
pub fn read_request(body: &[u8]) -> usize {
    fn is<T: Read>(body: &Value) -> usize {
        let is_one = |version| usize::from(reader::read_as::<T>(version, body.clone()).is_ok());
        is_one(Version::V1) + is_one(Version::V2)
    }
    let Ok(http::bounded_json::Parsed { value: body, .. }) = http::bounded_json::parse(body) else {
        return 0;
    };
    is::<NewAssistant>(&body)
        + is::<AssistantChange>(&body)
        + is::<NewThread>(&body)
        + is::<ThreadChange>(&body)
        + is::<NewMessage>(&body)
        + is::<NewVectorStore>(&body)
        + is::<VectorStoreChange>(&body)
        + is::<NewFileBatch>(&body)
        + is::<NewStoreFile>(&body)
        + is::<SearchRequest>(&body)
        + is::<NewUpload>(&body)
}

/// Reads server-sent events in pieces of so many bytes. Returns names and data.
pub fn read_events(stream: &[u8], piece: usize) -> Vec<(String, String)> {
    let (mut lines, mut events) = (Lines::default(), Vec::new());
    for piece in stream.chunks(piece.max(1)) {
        lines.add(piece);
        events.extend(std::iter::from_fn(|| lines.event()));
    }
    events.extend(lines.last());
    events.into_iter().map(|event| (event.name, event.data)).collect()
}

/// Sets up TLS for HTTP clients, once per process.
pub fn prepare_tls() {
    upstream::prepare_tls();
}
