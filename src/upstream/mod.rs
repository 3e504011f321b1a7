//! Upstreams: other servers that perform runs which no fixture answers.
//!
//! `chat.rs` uses any server with OpenAI's `/chat/completions`. `assistants.rs` hands the run to
//! another server that speaks the Assistants API. `responses.rs` asks a server that speaks the
//! Responses API. All give the same pieces. `model_tools.rs` has the tools of the model.
//! `stream.rs` reads answers that come as streams. `pieces.rs` passes on their text without the
//! key. `record.rs` makes fixtures of the answers. This module knows no stage, no clock and no SQL: the caller gives
//! the conversation, and decides what to do with the pieces.

mod assistants;
mod chat;
mod client;
mod model_tools;
mod own_key;
mod pieces;
mod record;
mod remote_objects;
mod responses;
mod stream;
mod turn;

pub use self::{
    client::{
        ApiKey, Conversation, Finish, LIMIT, MessagePart, ModelName, Noted, ThreadMessage, Turn,
        Upstream, UpstreamCall, UpstreamConfigError, UpstreamKind, UpstreamPiece, UpstreamRequest,
        UpstreamSettings, prepare_tls,
    },
    record::{Begun, Recorder, Recording},
};
