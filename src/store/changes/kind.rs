//! The definition of a kind of change.
//!
//! A kind is one struct and one statement. The fields of the struct are the columns of a row in
//! JSON. The statement has the condition of the change in it. It takes any number of rows, given as
//! one array. So a batch of a thousand writes is a handful of statements, and all of them go to
//! SQLite in one command.

use std::borrow::Cow;

use serde::Serialize;

use super::super::{batch_loader::Table, table::Stored};

/// The body that a row will have.
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

/// A kind of change: the data of a row beside an id.
pub(super) trait ChangeKind: Serialize + Send + Sync + 'static {
    /// Whether a write fails if one of its rows did not meet the statement's condition.
    const MUST_CHANGE: bool = false;

    /// Whether it changes objects that it does not name: children, or objects that refer to it.
    const IS_WIDE: bool = false;

    /// The statement. Its one parameter is an array of rows. Each row has the session and the id
    /// beside its fields.
    fn sql() -> Cow<'static, str>;

    /// The object whose row has this body afterwards, if the row meets the condition of the
    /// statement or there is none.
    fn written(&self) -> Option<WrittenBody<'_>> {
        None
    }

    /// The ids of other objects that it changes or depends on.
    fn touches(&self) -> Vec<&str> {
        Vec::new()
    }
}
