//! Changes of files and uploads, and of the lists that contain files.

use std::{borrow::Cow, marker::PhantomData};

use serde::Serialize;

use super::{super::table::Stored, kind::ChangeKind};
use crate::types::{Id, Upload};

/// Inserts a file whose content is in a blob. A run that continues after a crash inserts the same
/// file again. The file of an upload is inserted only if the upload has not changed.
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

/// Inserts a part, as long as its upload takes parts.
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

/// Deletes the parts of an upload.
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

/// Notes that an object may have a file in the list of its code interpreter.
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

/// Removes a file from the lists that are noted for it.
#[derive(Serialize)]
pub(super) struct Detach<T> {
    #[serde(skip)]
    pub of: PhantomData<fn() -> T>,
}

impl<T: Stored> ChangeKind for Detach<T> {
    const IS_WIDE: bool = true;

    fn sql() -> Cow<'static, str> {
        // Each list of files, the name of a file in one of its items, and the item in the new list.
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

/// Deletes the name of a deleted blob.
#[derive(Serialize)]
pub(super) struct BuryBlob;

impl ChangeKind for BuryBlob {
    fn sql() -> Cow<'static, str> {
        "delete from dead_blobs where name in (select value ->> '$.id' from jsonb_each(?))".into()
    }
}
