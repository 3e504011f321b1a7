//! What a write asks for, as data: rows to insert, to put, to change, to delete, each kind under its own
//! condition. All of one write happens together or not at all where it says so.
//!
//! A kind is one statement over any number of rows, given as a JSON array, so a batch of a thousand writes
//! is a handful of statements, and all of them go to SQLite in one command. Kinds run in the order in which
//! they are listed, which is that of the references between tables.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Result, Stored, corrupt};
use crate::types::{Assistant, Id, Message, Run, Step, Thread};

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    EnterSession,
    InsertAssistant,
    InsertThread,
    InsertRun,
    AddMessage,
    InsertMessage,
    UpdateMessage,
    UpdateRun,
    PutStep,
    SwapAssistant,
    SwapThread,
    SwapMessage,
    SwapRun,
    DeleteAssistant,
    DeleteThread,
    DeleteMessage,
}

impl Kind {
    pub(super) const ALL: [Self; 16] = [
        Self::EnterSession,
        Self::InsertAssistant,
        Self::InsertThread,
        Self::InsertRun,
        Self::AddMessage,
        Self::InsertMessage,
        Self::UpdateMessage,
        Self::UpdateRun,
        Self::PutStep,
        Self::SwapAssistant,
        Self::SwapThread,
        Self::SwapMessage,
        Self::SwapRun,
        Self::DeleteAssistant,
        Self::DeleteThread,
        Self::DeleteMessage,
    ];

    /// The statement. Its one parameter is an array of rows; a row is an array that begins with the
    /// session and the id.
    pub(super) fn sql(self) -> String {
        let told = self as u8;
        let told = if self.tells() { format!(" returning {told}, session, id") } else { String::new() };
        let statement = match self {
            Self::EnterSession => {
                "insert into sessions (name) select value ->> 1 from json_each(?) where true \
                 on conflict (name) do update set starts = starts + 1"
            }
            Self::InsertAssistant => "insert into assistants (session, body) select value ->> 0, value ->> 2 from json_each(?)",
            Self::InsertThread => "insert into threads (session, body) select value ->> 0, value ->> 2 from json_each(?)",
            // Not without its thread, nor without anything to run on. That the thread is free is what the
            // unique index on open runs says.
            Self::InsertRun => {
                "insert into runs (session, body, turn) \
                 select value ->> 0, value ->> 2, 1 + coalesce((select turn from runs as earlier \
                     where earlier.session = value ->> 0 and earlier.thread_id = value ->> 3 order by seq desc limit 1), 0) \
                 from json_each(?) \
                 where exists (select 1 from threads where session = value ->> 0 and id = value ->> 3) \
                   and (value ->> 4 or exists (select 1 from messages \
                     where session = value ->> 0 and thread_id = value ->> 3 and role = 'user')) \
                 on conflict do nothing"
            }
            // Not without its thread, nor while a run holds that.
            Self::AddMessage => {
                "insert into messages (session, body) select value ->> 0, value ->> 2 from json_each(?) \
                 where exists (select 1 from threads where session = value ->> 0 and id = value ->> 3) \
                   and not exists (select 1 from runs where session = value ->> 0 and thread_id = value ->> 3 \
                     and status in ('queued', 'in_progress', 'requires_action', 'cancelling'))"
            }
            // If a run is named, only as long as that is there.
            Self::InsertMessage => {
                "insert into messages (session, body) select value ->> 0, value ->> 2 from json_each(?) \
                 where value ->> 3 is null or exists (select 1 from runs where session = value ->> 0 and id = value ->> 3)"
            }
            // A run that goes on writing a message leaves alone what clients may change, and one that was
            // deleted stays deleted.
            Self::UpdateMessage => {
                "update messages set body = json_set(value ->> 2, '$.metadata', body -> '$.metadata') from json_each(?) \
                 where session = value ->> 0 and messages.id = value ->> 1"
            }
            Self::UpdateRun => {
                "update runs set body = value ->> 2, performance = value ->> 3 from json_each(?) \
                 where session = value ->> 0 and runs.id = value ->> 1"
            }
            Self::PutStep => {
                "insert into run_steps (session, body) select value ->> 0, value ->> 2 from json_each(?) \
                 where exists (select 1 from runs where session = value ->> 0 and id = value ->> 3) \
                 on conflict (session, id) do update set body = excluded.body"
            }
            Self::SwapAssistant => &swap(Assistant::TABLE),
            Self::SwapThread => &swap(Thread::TABLE),
            Self::SwapMessage => &swap(Message::TABLE),
            Self::SwapRun => &swap(Run::TABLE),
            Self::DeleteAssistant => &delete(Assistant::TABLE),
            Self::DeleteThread => &delete(Thread::TABLE),
            Self::DeleteMessage => &delete(Message::TABLE),
        };
        format!("{statement}{told}")
    }

    /// Whether the statement tells which of its rows met their condition: kind, session, id.
    pub(super) fn tells(self) -> bool {
        match self {
            Self::EnterSession | Self::InsertAssistant | Self::InsertThread => false,
            Self::InsertMessage | Self::UpdateMessage | Self::PutStep => false,
            Self::InsertRun | Self::AddMessage | Self::UpdateRun => true,
            Self::SwapAssistant | Self::SwapThread | Self::SwapMessage | Self::SwapRun => true,
            Self::DeleteAssistant | Self::DeleteThread | Self::DeleteMessage => true,
        }
    }
}

/// Exchanges a body that still is what it was.
fn swap(table: &str) -> String {
    format!(
        "update {table} set body = value ->> 2 from json_each(?) \
         where session = value ->> 0 and {table}.id = value ->> 1 and body = value ->> 3"
    )
}

fn delete(table: &str) -> String {
    format!(
        "delete from {table} where seq in (select it.seq from json_each(?) cross join {table} as it \
           where it.session = value ->> 0 and it.id = value ->> 1)"
    )
}

/// A row of a kind, by which a change is told afterwards: kind, session, id.
pub(super) type Claim = (u8, i64, String);

/// One row of one kind.
#[derive(Debug)]
pub(super) struct Change {
    pub kind: Kind,
    pub id: String,
    /// What the statement takes behind the session and the id.
    rest: Vec<Value>,
}

impl Change {
    pub(super) fn row(self, session: i64) -> Value {
        let mut row = vec![json!(session), Value::String(self.id)];
        row.extend(self.rest);
        Value::Array(row)
    }

    pub(super) fn claim(&self, session: i64) -> Claim {
        (self.kind as u8, session, self.id.clone())
    }
}

/// What one write asks for.
#[derive(Debug, Default)]
pub struct Changes {
    pub(super) list: Vec<Change>,
}

/// A resource whose body can be exchanged for another.
pub trait Changeable: Stored {
    const SWAP: Kind;
}

impl Changeable for Assistant {
    const SWAP: Kind = Kind::SwapAssistant;
}

impl Changeable for Thread {
    const SWAP: Kind = Kind::SwapThread;
}

impl Changeable for Message {
    const SWAP: Kind = Kind::SwapMessage;
}

impl Changeable for Run {
    const SWAP: Kind = Kind::SwapRun;
}

/// A resource that can be deleted.
pub trait Deletable: Stored {
    const DELETE: Kind;
}

impl Deletable for Assistant {
    const DELETE: Kind = Kind::DeleteAssistant;
}

impl Deletable for Thread {
    const DELETE: Kind = Kind::DeleteThread;
}

impl Deletable for Message {
    const DELETE: Kind = Kind::DeleteMessage;
}

impl Changes {
    pub fn new() -> Self {
        Self::default()
    }

    fn add(&mut self, kind: Kind, id: &str, rest: Vec<Value>) {
        self.list.push(Change { kind, id: id.to_owned(), rest });
    }

    fn add_item<T: Stored>(&mut self, kind: Kind, item: &T, rest: impl IntoIterator<Item = Value>) -> Result<()> {
        let mut all = vec![Value::String(body_of(item)?)];
        all.extend(rest);
        self.add(kind, item.id().as_str(), all);
        Ok(())
    }

    pub(super) fn enter_session(name: &str) -> Self {
        let mut changes = Self::new();
        changes.add(Kind::EnterSession, name, Vec::new());
        changes
    }

    pub fn insert_assistant(&mut self, assistant: &Assistant) -> Result<()> {
        self.add_item(Kind::InsertAssistant, assistant, [])
    }

    pub fn insert_thread(&mut self, thread: &Thread) -> Result<()> {
        self.add_item(Kind::InsertThread, thread, [])
    }

    /// Inserts a run if its thread is there and free, and there is something to run on: `anyway`, or a
    /// message of a user in the thread.
    pub fn insert_run(&mut self, run: &Run, anyway: bool) -> Result<()> {
        self.add_item(Kind::InsertRun, run, [json!(run.thread_id), json!(anyway)])
    }

    /// Adds a client's message if its thread is there and free.
    pub fn add_message(&mut self, message: &Message) -> Result<()> {
        self.add_item(Kind::AddMessage, message, [json!(message.thread_id)])
    }

    /// Inserts a message; if a run is given, only as long as that is there.
    pub fn insert_message(&mut self, message: &Message, run: Option<&Id<Run>>) -> Result<()> {
        self.add_item(Kind::InsertMessage, message, [json!(run)])
    }

    /// Writes what a run has made of a message, all but its metadata.
    pub fn update_message(&mut self, message: &Message) -> Result<()> {
        self.add_item(Kind::UpdateMessage, message, [])
    }

    /// Writes a run's new state and its performer's notes, if the run is still there.
    pub fn update_run(&mut self, run: &Run, performance: Option<&str>) -> Result<()> {
        self.add_item(Kind::UpdateRun, run, [json!(performance)])
    }

    /// Writes a step, new or not, as long as its run is there.
    pub fn put_step(&mut self, step: &Step) -> Result<()> {
        self.add_item(Kind::PutStep, step, [json!(step.run_id)])
    }

    /// Exchanges a body that still is what it was.
    pub(super) fn swap<T: Changeable>(&mut self, item: &T, was: &str) -> Result<()> {
        self.add_item(T::SWAP, item, [json!(was)])
    }

    pub(super) fn delete<T: Deletable>(&mut self, id: &Id<T>) {
        self.add(T::DELETE, id.as_str(), Vec::new());
    }

    /// The rows whose change has to be told apart from that of the same row by another write.
    pub(super) fn claims(&self, session: i64) -> HashSet<Claim> {
        self.list.iter().filter(|change| change.kind.tells()).map(|change| change.claim(session)).collect()
    }
}

pub(super) fn body_of<T: Stored>(item: &T) -> Result<String> {
    serde_json::to_string(item).map_err(|source| corrupt::<T>(item.id().as_str(), source))
}
