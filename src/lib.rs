//! A local emulator of the OpenAI Assistants API, as a library: a test starts a [`Server`] within
//! its own process, on a free port, and points an official SDK at it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use rehearsal::{Config, Server};
//!
//! let server = Server::start(Config::default()).await?;
//! let session = server.session("my-test").await?;
//! session.add_fixtures("replies: [{when: {message: hi}, steps: [{message: Hello!}]}]").await?;
//!
//! // Give `session.base_url()` to the client under test, and any key. Then look at what it asked:
//! for request in session.requests() {
//!     println!("{} {}", request["method"], request["path"]);
//! }
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! A whole program is in `examples/embed.rs`. Fixtures, sessions and the control API are the same
//! as those of the program `rehearsal`; the README says how they work.

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
mod redact;
mod search;
mod serve;
mod server;
mod session;
mod store;
mod tokens;
mod transcript;
mod types;
mod upstream;

pub use self::{
    clock::Moment,
    engine::Unmatched,
    fixture::{Diagnostic, Pace, Timing},
    redact::Redaction,
    serve::Config,
    server::{Error, Server, Session},
    upstream::{ApiKey, ModelName, UpstreamKind, UpstreamSettings},
};
