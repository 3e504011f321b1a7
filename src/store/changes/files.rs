//! Changes of files and uploads, and of who has files.

use std::{borrow::Cow, marker::PhantomData};

use serde::Serialize;

use super::{super::table::Stored, kind::ChangeKind};
use crate::types::{Id, Upload};

/// A file whose content is in a blob. A run that goes on after a crash makes the same file again.
/// The file of an upload comes only if that still is what it was.
#[derive(Serialize)]
pub(super) struct InsertFile {
    pub body: String,
    pub blob: String,
    pub upload_id: Option<Id<Upload>>,
    pub upload_was: Option<String>,
}

impl ChangeKind for InsertFile {
    fn sql() -> Cow<'static, str> {
        "insert into files (session, body, blob) select value ->> '$.session', value ->> '$.body', \
         value ->> '$.blob' from jsonb_each(?) where value ->> '$.upload_id' is null or exists \
         (select 1 from uploads where session = value ->> '$.session' and id = value ->> \
         '$.upload_id' and body = value ->> '$.upload_was') on conflict do nothing"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        self.upload_id.iter().map(Id::as_str).collect()
    }
}

/// A part, as long as its upload takes any.
#[derive(Serialize)]
pub(super) struct InsertPart {
    pub body: String,
    pub blob: String,
    pub bytes: u64,
    pub upload_id: Id<Upload>,
}

impl ChangeKind for InsertPart {
    const MUST_CHANGE: bool = true;

    fn sql() -> Cow<'static, str> {
        "insert into upload_parts (session, body, blob, bytes) select value ->> '$.session', value \
         ->> '$.body', value ->> '$.blob', value ->> '$.bytes' from jsonb_each(?) where exists \
         (select 1 from uploads where session = value ->> '$.session' and id = value ->> \
         '$.upload_id' and status = 'pending')"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![self.upload_id.as_str()]
    }
}

/// The parts of an upload go.
#[derive(Serialize)]
pub(super) struct DeleteParts;

impl ChangeKind for DeleteParts {
    fn sql() -> Cow<'static, str> {
        "delete from upload_parts where seq in (select it.seq from jsonb_each(?) cross join \
         upload_parts as it where it.session = value ->> '$.session' and it.upload_id = value ->> \
         '$.id')"
            .into()
    }
}

/// Somebody may have a file in the list of a code interpreter.
#[derive(Serialize)]
pub(super) struct NoteToolFile {
    pub owner: String,
}

impl ChangeKind for NoteToolFile {
    fn sql() -> Cow<'static, str> {
        "insert or ignore into tool_files select value ->> '$.session', value ->> '$.id', value \
         ->> '$.owner' from jsonb_each(?)"
            .into()
    }

    fn touches(&self) -> Vec<&str> {
        vec![&self.owner]
    }
}

/// Takes a file out of the lists that it is noted to be in.
#[derive(Serialize)]
pub(super) struct Detach<T> {
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for Detach<T> {
    const IS_WIDE: bool = true;

    fn sql() -> Cow<'static, str> {
        // Where files are listed, how an item of the list names one, and how it is put into another
        // list.
        const LISTS: [(&str, &str, &str); 2] = [
            ("'$.tool_resources.code_interpreter.file_ids'", "listed.value", "listed.value"),
            ("'$.v1_files'", "listed.value ->> '$.id'", "json(listed.value)"),
        ];
        let table = T::TABLE;
        let without = LISTS.map(|(list, file, item)| {
            format!(
                "{list}, (select json_group_array({item}) from json_each(body, {list}) as listed \
                 where {file} not in (select file from gone where gone.session = \
                 {table}.session))"
            )
        });
        let without = without.join(", ");
        format!(
            "with gone as materialized (select value ->> '$.session' as session, value ->> '$.id' \
             as file from jsonb_each(?)) update {table} set body = json_replace(body, {without}) \
             where seq in (select it.seq from gone cross join tool_files on tool_files.session = \
             gone.session and file_id = gone.file cross join {table} as it on it.session = \
             gone.session and it.id = owner)"
        )
        .into()
    }
}

/// The name of a blob that is gone is forgotten.
#[derive(Serialize)]
pub(super) struct BuryBlob;

impl ChangeKind for BuryBlob {
    fn sql() -> Cow<'static, str> {
        "delete from dead_blobs where name in (select value ->> '$.id' from jsonb_each(?))".into()
    }
}
