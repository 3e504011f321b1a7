//! Upstreams: other servers that perform runs which no fixture answers.
//!
//! `chat.rs` asks anything that has OpenAI's `/chat/completions`, `assistants.rs` hands the run to
//! another server that speaks the Assistants API; both give the same pieces. `stream.rs` reads
//! answers that come as streams, `pieces.rs` passes on what they say without the key; `record.rs` makes fixtures of what was answered. Knows no stage,
//! no clock and no SQL: whoever asks says what the conversation is, and makes of the pieces what he
//! likes.

mod assistants;
mod chat;
mod client;
mod own_key;
mod pieces;
mod record;
mod remote_objects;
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
