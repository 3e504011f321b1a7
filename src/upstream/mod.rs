//! Upstreams: other servers that perform runs which no fixture answers.
//!
//! `chat.rs` asks anything that has OpenAI's `/chat/completions`, `assistants.rs` hands the run to
//! another server that speaks the Assistants API; both give the same pieces. `stream.rs` reads
//! answers that come as streams; `record.rs` makes fixtures of what was answered. Knows no stage,
//! no clock and no SQL: whoever asks says what the conversation is, and makes of the pieces what he
//! likes.

mod afar;
mod assistants;
mod chat;
mod client;
mod record;
mod stream;
mod turn;

pub use self::{
    client::{
        Asked, Call, Conversation, Finish, Heard, Key, Kind, LIMIT, Noted, Part, Piece, Renamed,
        Settings, Turn, Unusable, Upstream, prepare_tls,
    },
    record::{Begun, Recorder, Recording},
};
