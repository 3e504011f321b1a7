//! What a kind of change is.
//!
//! A kind is one struct, whose fields are the columns of a row in JSON, and one statement, which
//! has its condition in it. A statement takes any number of rows, given as one array, so a batch of
//! a thousand writes is a handful of statements, and all of them go to SQLite in one command.

use std::borrow::Cow;

use serde::Serialize;

use super::super::{batch_loader::Table, table::Stored};

/// What a row will have as its body.
pub(super) struct WrittenBody<'c> {
    pub table: Table,
    pub parents: Vec<&'c str>,
    pub body: &'c str,
}

impl<'c> WrittenBody<'c> {
    pub(super) fn of<T: Stored>(parents: Vec<&'c str>, body: &'c str) -> Self {
        Self { table: Table::of::<T>(), parents, body }
    }
}

/// A kind of change: what a row of it has beside an id.
pub(super) trait ChangeKind: Serialize + Send + Sync + 'static {
    /// Whether a write fails of which a row did not meet the statement's condition.
    const MUST_CHANGE: bool = false;

    /// Whether it changes objects that it does not name: children, or whatever refers to it.
    const IS_WIDE: bool = false;

    /// The statement. Its one parameter is an array of rows; each has the session and the id beside
    /// its fields.
    fn sql() -> Cow<'static, str>;

    /// The object whose row has this body afterwards, if the statement's condition, where it has
    /// one, is met.
    fn written(&self) -> Option<WrittenBody<'_>> {
        None
    }

    /// The ids of other objects that it changes or depends on.
    fn touches(&self) -> Vec<&str> {
        Vec::new()
    }
}
