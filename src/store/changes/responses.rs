//! Changes by responses and conversations.

use std::borrow::Cow;

use serde::Serialize;

use super::kind::{ChangeKind, WrittenBody};
use crate::types::{Conversation, Id, Response};

/// Inserts a response, which may have ended already.
#[derive(Serialize)]
pub(super) struct InsertResponse {
    pub body: String,
    pub turn: i64,
    pub setting: Option<String>,
    pub performance: Option<String>,
    pub stream: Option<String>,
}

impl ChangeKind for InsertResponse {
    fn sql() -> Cow<'static, str> {
        "insert into responses (session, body, turn, setting, performance, stream) select value \
         ->> '$.session', value ->> '$.body', value ->> '$.turn', value ->> '$.setting', value ->> \
         '$.performance', value ->> '$.stream' from jsonb_each(?)"
            .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<Response>(Vec::new(), &self.body))
    }
}

/// Updates a response, if it still exists. At its end, this deletes the data that only a restart
/// needs.
#[derive(Serialize)]
pub(super) struct UpdateResponse {
    pub body: String,
    pub performance: Option<String>,
    pub stream: Option<String>,
    pub is_over: bool,
}

impl ChangeKind for UpdateResponse {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "update responses set body = value ->> '$.body', performance = value ->> '$.performance', \
         setting = iif(value ->> '$.is_over', null, setting), stream = value ->> \
         '$.stream' from jsonb_each(?) where session = value ->> '$.session' and responses.id = \
         value ->> '$.id'"
            .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<Response>(Vec::new(), &self.body))
    }
}

/// Inserts an input or output item of a response, as long as the response exists.
#[derive(Serialize)]
pub(super) struct InsertResponseItem {
    pub body: String,
    pub response_id: Id<Response>,
    pub is_output: bool,
}

impl ChangeKind for InsertResponseItem {
    fn sql() -> Cow<'static, str> {
        "insert into response_items (session, response_id, is_output, body) select value ->> \
         '$.session', value ->> '$.response_id', value ->> '$.is_output', value ->> '$.body' from \
         jsonb_each(?) where exists (select 1 from responses where session = value ->> '$.session' \
         and id = value ->> '$.response_id') order by key"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.response_id.as_str()]
    }
}

/// Inserts an item of a conversation, as long as the conversation exists. If a kept response adds
/// it, the response must exist, too. An item is inserted only once.
#[derive(Serialize)]
pub(super) struct InsertConversationItem {
    pub body: String,
    pub conversation_id: Id<Conversation>,
    pub number: i64,
    pub response_id: Option<Id<Response>>,
}

impl ChangeKind for InsertConversationItem {
    fn sql() -> Cow<'static, str> {
        "insert into conversation_items (session, conversation_id, number, body) select value ->> \
         '$.session', value ->> '$.conversation_id', value ->> '$.number', value ->> '$.body' from \
         jsonb_each(?) where exists (select 1 from conversations where session = value ->> \
         '$.session' and id = value ->> '$.conversation_id') and (value ->> '$.response_id' is \
         null or exists (select 1 from responses where session = value ->> '$.session' and id = \
         value ->> '$.response_id')) order by key on conflict do nothing"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.conversation_id.as_str()]
    }
}

/// Notes the number of a conversation's newest item and, if given, the number of the last answered
/// question.
#[derive(Serialize)]
pub(super) struct NoteConversationEnd {
    pub last: i64,
    pub turn: Option<i64>,
    pub response_id: Option<Id<Response>>,
}

impl ChangeKind for NoteConversationEnd {
    fn sql() -> Cow<'static, str> {
        "update conversations set last = value ->> '$.last', turn = coalesce(value ->> '$.turn', \
         turn) from jsonb_each(?) where session = value ->> '$.session' and conversations.id = \
         value ->> '$.id' and (value ->> '$.response_id' is null or exists (select 1 from responses \
         where responses.session = value ->> '$.session' and responses.id = value ->> \
         '$.response_id'))"
            .into()
    }
}

/// Stores how a reply continues after the output of a call.
#[derive(Serialize)]
pub(super) struct PutContinuation {
    pub body: String,
}

impl ChangeKind for PutContinuation {
    fn sql() -> Cow<'static, str> {
        "insert into continuations (session, id, body) select value ->> '$.session', value ->> \
         '$.id', value ->> '$.body' from jsonb_each(?) where true on conflict (session, id) do \
         update set body = excluded.body"
            .into()
    }
}
