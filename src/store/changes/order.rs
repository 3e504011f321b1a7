//! The order in which the kinds of changes run.

use std::{any::TypeId, borrow::Cow};

use serde::Serialize;

use super::{
    super::body_cache::CachedBody, chunks::*, containers::*, files::*, kind::ChangeKind,
    objects::*, responses::*, runs::*, vector_stores::*,
};
use crate::types::{
    Assistant, Container, ContainerFile, Conversation, File, Item, Message, Response, Run,
    StoreFile, Thread, Upload, VectorStore,
};

/// The row of a change.
pub(super) struct Row {
    pub id: String,
    /// The index of its kind among all kinds.
    pub rank: u8,
    pub must_change: bool,
    pub is_wide: bool,
    /// The ids of the objects that it changes or depends on.
    pub touches: Vec<String>,
    /// The known content of its row after the change.
    pub written: Option<CachedBody>,
    /// The columns, as JSON.
    fields: String,
}

impl Row {
    pub(super) fn new<K: ChangeKind>(id: String, fields: &K) -> Self {
        let rank = IN_ORDER.iter().position(|info| info.of == TypeId::of::<K>());
        let others = fields.touches().into_iter().map(str::to_owned);
        Self {
            touches: std::iter::once(id.clone()).chain(others).collect(),
            rank: rank.and_then(|rank| u8::try_from(rank).ok()).expect("each kind has its place"),
            must_change: K::MUST_CHANGE,
            is_wide: K::IS_WIDE,
            written: fields.written().map(|written| {
                let parents = written.parents.into_iter().map(str::to_owned);
                let ids = parents.chain([id.clone()]).collect();
                CachedBody::new(written.table, ids, written.body.into())
            }),
            fields: json(fields),
            id,
        }
    }

    /// The form for the statement: the columns, after the session and the id.
    pub(super) fn json(&self, session: i64) -> String {
        // A kind without columns serializes as `null`.
        let columns = self.fields.strip_prefix('{').unwrap_or("}");
        let joint = if columns == "}" { "" } else { "," };
        format!(r#"{{"session":{session},"id":{}{joint}{columns}"#, json(&self.id))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows are JSON")
}

/// The facts about a kind.
pub(in super::super) struct Info {
    of: TypeId,
    sql: fn() -> Cow<'static, str>,
    must_change: bool,
}

impl Info {
    const fn new<K: ChangeKind>() -> Self {
        Self { of: TypeId::of::<K>(), sql: K::sql, must_change: K::MUST_CHANGE }
    }

    /// The statement. It returns the rows that met their condition: rank, session, id.
    pub(in super::super) fn statement(&self, rank: usize) -> String {
        let told = if self.must_change {
            format!(" returning {rank}, session, id")
        } else {
            String::new()
        };
        format!("{}{told}", (self.sql)())
    }
}

/// All kinds. They run in this order. It follows the references between tables, and the order in
/// which a write names its changes.
pub(in super::super) const IN_ORDER: [Info; 58] = [
    Info::new::<EnterSession>(),
    Info::new::<InsertFile>(),
    Info::new::<Insert<Upload>>(),
    Info::new::<InsertPart>(),
    Info::new::<Insert<VectorStore>>(),
    Info::new::<InsertBatch>(),
    Info::new::<Insert<Assistant>>(),
    Info::new::<Insert<Thread>>(),
    Info::new::<InsertRun>(),
    Info::new::<AddMessage>(),
    Info::new::<InsertMessage>(),
    Info::new::<Insert<Conversation>>(),
    Info::new::<Insert<Container>>(),
    Info::new::<InsertContainerFile>(),
    Info::new::<InsertResponse>(),
    Info::new::<UpdateResponse>(),
    Info::new::<InsertResponseItem>(),
    Info::new::<InsertConversationItem>(),
    Info::new::<NoteConversationEnd>(),
    Info::new::<PutContinuation>(),
    Info::new::<AttachStore>(),
    Info::new::<AttachFile>(),
    Info::new::<GiveFiles>(),
    Info::new::<UpdateMessage>(),
    Info::new::<UpdateRun>(),
    Info::new::<PutStep>(),
    Info::new::<PutStoreFile>(),
    Info::new::<NoteToolFile>(),
    Info::new::<ClearChunks>(),
    Info::new::<InsertChunk>(),
    Info::new::<IndexChunk>(),
    Info::new::<FinishStoreFile>(),
    Info::new::<CancelBatch>(),
    Info::new::<ReplaceBody<Assistant>>(),
    Info::new::<ReplaceBody<Thread>>(),
    Info::new::<ReplaceBody<Message>>(),
    Info::new::<ReplaceBody<Run>>(),
    Info::new::<ReplaceBody<Upload>>(),
    Info::new::<ReplaceBody<VectorStore>>(),
    Info::new::<ReplaceBody<StoreFile>>(),
    Info::new::<ReplaceBody<Conversation>>(),
    Info::new::<ReplaceBody<Container>>(),
    Info::new::<Detach<Assistant>>(),
    Info::new::<Detach<Thread>>(),
    Info::new::<Delete<Assistant>>(),
    Info::new::<Delete<Thread>>(),
    Info::new::<Delete<Message>>(),
    Info::new::<DeleteChild<Item>>(),
    Info::new::<DeleteChild<ContainerFile>>(),
    Info::new::<EmptyContainer>(),
    Info::new::<Delete<Container>>(),
    Info::new::<Delete<Conversation>>(),
    Info::new::<Delete<Response>>(),
    Info::new::<DeleteParts>(),
    Info::new::<DeleteStoreFile>(),
    Info::new::<Delete<VectorStore>>(),
    Info::new::<Delete<File>>(),
    Info::new::<BuryBlob>(),
];
