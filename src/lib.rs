//! A local emulator of the OpenAI Assistants API, as a library: a test starts a [`Server`] within
//! its own process, on a free port, and points an official SDK at it.
//!
//! ```toml
//! [dev-dependencies]
//! rehearsal = { path = "../rehearsal" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use rehearsal::{Config, Server, Unmatched};
//!
//! let config = Config { unmatched: Unmatched::Fail, ..Config::default() };
//! let server = Server::start(config).await?;
//! let session = server.session("my-test").await?;
//! session.add_fixtures("replies: [{when: {message: hi}, steps: [{message: Hello!}]}]").await?;
//!
//! // The client under test: give it this URL, and any key.
//! std::process::Command::new("my-application")
//!     .env("OPENAI_BASE_URL", session.base_url())
//!     .env("OPENAI_API_KEY", "any")
//!     .status()?;
//!
//! // What it asked, and what no fixture answered.
//! for request in session.requests() {
//!     println!("{} {}", request["method"], request["path"]);
//! }
//! assert!(session.unmatched().is_empty());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! A whole test is in `examples/embed.rs`. `docs/fixtures.md` describes fixtures, and
//! `docs/control.md` the control API and the JSON of the journal.

#![warn(missing_docs)]

mod api;
mod app;
mod cassette;
mod cli;
mod clock;
mod control;
mod engine;
mod event_bus;
mod events;
mod extract;
mod fixture;
mod http;
#[doc(hidden)]
pub mod internals;
mod knowledge;
mod metrics;
mod redact;
mod report;
mod search;
mod serve;
mod server;
mod session;
mod store;
mod tokens;
mod transcript;
mod turns;
mod types;
mod upstream;
mod verification;
mod vocabulary;

pub use self::{
    clock::Moment,
    engine::Unmatched,
    fixture::{Diagnostic, Pace, Timing},
    redact::Redaction,
    serve::Config,
    server::{Error, Server, Session},
    upstream::{ApiKey, ModelName, UpstreamKind, UpstreamSettings},
};
