//! In which order the kinds of changes run.

use std::{any::TypeId, borrow::Cow};

use serde_json::Value;

use super::{chunks::*, files::*, kind::Kind, objects::*, runs::*, vector_stores::*};
use crate::types::{Assistant, File, Message, Run, StoreFile, Thread, Upload, VectorStore};

/// A row of any kind.
pub(super) trait Row: Send + Sync {
    /// The place of its kind among all.
    fn rank(&self) -> usize;
    fn id(&self) -> &str;
    fn touches(&self) -> Vec<&str>;
    fn must_change(&self) -> bool;
    fn value(&self, session: i64) -> Value;
}

impl<K: Kind> Row for K {
    fn rank(&self) -> usize {
        let is_it = |info: &Info| info.of == TypeId::of::<K>();
        IN_ORDER.iter().position(is_it).expect("every kind has its place")
    }

    fn id(&self) -> &str {
        Kind::id(self)
    }

    fn touches(&self) -> Vec<&str> {
        Kind::touches(self)
    }

    fn must_change(&self) -> bool {
        K::MUST_CHANGE
    }

    fn value(&self, session: i64) -> Value {
        let mut row = serde_json::to_value(self).expect("rows are JSON");
        row["session"] = session.into();
        row
    }
}

/// What is known of a kind.
pub(in super::super) struct Info {
    of: TypeId,
    sql: fn() -> Cow<'static, str>,
    must_change: bool,
}

impl Info {
    const fn new<K: Kind>() -> Self {
        Self { of: TypeId::of::<K>(), sql: K::sql, must_change: K::MUST_CHANGE }
    }

    /// The statement, which answers which of its rows met their condition: rank, session, id.
    pub(in super::super) fn statement(&self, rank: usize) -> String {
        let told = if self.must_change {
            format!(" returning {rank}, session, id")
        } else {
            String::new()
        };
        format!("{}{told}", (self.sql)())
    }
}

/// All kinds. They run in this order, which is that of the references between tables, and that in
/// which a write names its changes.
pub(in super::super) const IN_ORDER: [Info; 41] = [
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
    Info::new::<Swap<Assistant>>(),
    Info::new::<Swap<Thread>>(),
    Info::new::<Swap<Message>>(),
    Info::new::<Swap<Run>>(),
    Info::new::<Swap<Upload>>(),
    Info::new::<Swap<VectorStore>>(),
    Info::new::<Swap<StoreFile>>(),
    Info::new::<Detach<Assistant>>(),
    Info::new::<Detach<Thread>>(),
    Info::new::<Delete<Assistant>>(),
    Info::new::<Delete<Thread>>(),
    Info::new::<Delete<Message>>(),
    Info::new::<DeleteParts>(),
    Info::new::<DeleteStoreFile>(),
    Info::new::<Delete<VectorStore>>(),
    Info::new::<Delete<File>>(),
    Info::new::<BuryBlob>(),
];
