//! Changes that all resources share.

use std::{borrow::Cow, marker::PhantomData};

use serde::Serialize;

use super::{
    super::table::Stored,
    kind::{ChangeKind, WrittenBody},
};
use crate::types::{Id, Message, Thread};

/// Enters a session, for the first time or again.
#[derive(Serialize)]
pub(super) struct EnterSession;

impl ChangeKind for EnterSession {
    fn sql() -> Cow<'static, str> {
        "insert into sessions (name) select value ->> '$.id' from jsonb_each(?) where true on \
         conflict (name) do update set starts = starts + 1"
            .into()
    }
}

/// Inserts an object that depends on no other.
#[derive(Serialize)]
pub(super) struct Insert<T> {
    pub body: String,
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for Insert<T> {
    fn sql() -> Cow<'static, str> {
        format!(
            "insert into {} (session, body) select value ->> '$.session', value ->> '$.body' from \
             jsonb_each(?)",
            T::TABLE
        )
        .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<T>(Vec::new(), &self.body))
    }
}

/// Replaces a body, if the body has not changed.
#[derive(Serialize)]
pub(super) struct ReplaceBody<T> {
    pub body: String,
    pub was: String,
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for ReplaceBody<T> {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        let table = T::TABLE;
        format!(
            "update {table} set body = value ->> '$.body' from jsonb_each(?) where session = value \
             ->> '$.session' and {table}.id = value ->> '$.id' and body = value ->> '$.was'"
        )
        .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        // For an object with parents, this change knows only the object's own id.
        (T::PATH.len() == 1).then(|| WrittenBody::of::<T>(Vec::new(), &self.body))
    }
}

/// Deletes an object with its children.
#[derive(Serialize)]
pub(super) struct Delete<T> {
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for Delete<T> {
    const MUST_CHANGE: bool = true;
    const IS_WIDE: bool = true;

    fn sql() -> Cow<'static, str> {
        let table = T::TABLE;
        format!(
            "delete from {table} where seq in (select it.seq from jsonb_each(?) cross join {table} \
             as it where it.session = value ->> '$.session' and it.id = value ->> '$.id')"
        )
        .into()
    }
}

/// Deletes an object by its own id and the id of its parent.
#[derive(Serialize)]
pub(super) struct DeleteChild<T> {
    pub parent: String,
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for DeleteChild<T> {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        let (table, parent) = (T::TABLE, T::PATH[0]);
        format!(
            "delete from {table} where seq in (select it.seq from jsonb_each(?) cross join {table} \
             as it where it.session = value ->> '$.session' and it.{parent} = value ->> '$.parent' \
             and it.id = value ->> '$.id')"
        )
        .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![&self.parent]
    }
}

/// Inserts the message of a client, as long as its thread exists and is free. If files are
/// attached, the thread must be unchanged.
#[derive(Serialize)]
pub(super) struct AddMessage {
    pub body: String,
    pub thread_id: Id<Thread>,
    pub thread_was: Option<String>,
}

impl ChangeKind for AddMessage {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into messages (session, body) select value ->> '$.session', value ->> '$.body' \
         from jsonb_each(?) where exists (select 1 from threads where session = value ->> \
         '$.session' and id = value ->> '$.thread_id' and (value ->> '$.thread_was' is null or \
         threads.body = value ->> '$.thread_was')) and not exists (select 1 from runs where \
         session = value ->> '$.session' and thread_id = value ->> '$.thread_id' and status in \
         ('queued', 'in_progress', 'requires_action', 'cancelling'))"
            .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<Message>(vec![self.thread_id.as_str()], &self.body))
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.thread_id.as_str()]
    }
}
