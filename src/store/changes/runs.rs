//! Changes by runs.

use std::borrow::Cow;

use serde::Serialize;

use super::kind::{ChangeKind, WrittenBody};
use crate::types::{Id, Run, Thread};

/// Inserts a run, as long as its thread exists and is free. There must be input for the run:
/// `anyway`, or a message of a user. A new run may have ended already, so the unique index on open
/// runs does not ensure that the thread is free. If files are attached, the thread must be
/// unchanged.
#[derive(Serialize)]
pub(super) struct InsertRun {
    pub body: String,
    pub performance: Option<String>,
    pub thread_id: Id<Thread>,
    pub thread_was: Option<String>,
    pub anyway: bool,
}

impl ChangeKind for InsertRun {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into runs (session, body, performance, turn) select value ->> '$.session', value \
         ->> '$.body', value ->> '$.performance', 1 + coalesce((select turn from runs as earlier \
         where earlier.session = value ->> '$.session' and earlier.thread_id = value ->> \
         '$.thread_id' order by seq desc limit 1), 0) from jsonb_each(?) where exists (select 1 \
         from threads where session = value ->> '$.session' and id = value ->> '$.thread_id' and \
         (value ->> '$.thread_was' is null or threads.body = value ->> '$.thread_was')) and (value \
         ->> '$.anyway' or exists (select 1 from messages where session = value ->> '$.session' \
         and thread_id = value ->> '$.thread_id' and role = 'user')) and not exists (select 1 from \
         runs as holder where holder.session = value ->> '$.session' and holder.thread_id = value \
         ->> '$.thread_id' and holder.status in ('queued', 'in_progress', 'requires_action', \
         'cancelling')) on conflict do nothing"
            .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<Run>(vec![self.thread_id.as_str()], &self.body))
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.thread_id.as_str()]
    }
}

/// Inserts a message. If it names a run, the run must exist.
#[derive(Serialize)]
pub(super) struct InsertMessage {
    pub body: String,
    pub run_id: Option<Id<Run>>,
    #[serde(skip)]
    pub thread_id: Id<Thread>,
}

impl ChangeKind for InsertMessage {
    fn sql() -> Cow<'static, str> {
        "insert into messages (session, body) select value ->> '$.session', value ->> '$.body' \
         from jsonb_each(?) where value ->> '$.run_id' is null or exists (select 1 from runs where \
         session = value ->> '$.session' and id = value ->> '$.run_id')"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.thread_id.as_str()]
    }
}

/// Updates a message by its run. The fields that clients may change stay, and a deleted message
/// stays deleted.
#[derive(Serialize)]
pub(super) struct UpdateMessage {
    pub body: String,
    #[serde(skip)]
    pub thread_id: Id<Thread>,
}

impl ChangeKind for UpdateMessage {
    fn sql() -> Cow<'static, str> {
        "update messages set body = json_set(value ->> '$.body', '$.metadata', body -> \
         '$.metadata') from jsonb_each(?) where session = value ->> '$.session' and messages.id = \
         value ->> '$.id'"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.thread_id.as_str()]
    }
}

/// Updates the state of a run and its note, if the run and its thread still exist.
#[derive(Serialize)]
pub(super) struct UpdateRun {
    pub body: String,
    pub performance: Option<String>,
    #[serde(skip)]
    pub thread_id: Id<Thread>,
}

impl ChangeKind for UpdateRun {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "update runs set body = value ->> '$.body', performance = value ->> '$.performance' from \
         jsonb_each(?) where session = value ->> '$.session' and runs.id = value ->> '$.id' and \
         exists (select 1 from threads where threads.session = runs.session and threads.id = \
         runs.thread_id)"
            .into()
    }

    fn written(&self) -> Option<WrittenBody<'_>> {
        Some(WrittenBody::of::<Run>(vec![self.thread_id.as_str()], &self.body))
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.thread_id.as_str()]
    }
}

/// Inserts or updates a step, as long as its run exists.
#[derive(Serialize)]
pub(super) struct PutStep {
    pub body: String,
    pub run_id: Id<Run>,
    #[serde(skip)]
    pub thread_id: Id<Thread>,
}

impl ChangeKind for PutStep {
    fn sql() -> Cow<'static, str> {
        "insert into run_steps (session, body) select value ->> '$.session', value ->> '$.body' \
         from jsonb_each(?) where exists (select 1 from runs where session = value ->> '$.session' \
         and id = value ->> '$.run_id') on conflict (session, id) do update set body = \
         excluded.body"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.run_id.as_str(), self.thread_id.as_str()]
    }
}
