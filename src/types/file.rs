//! The file: the fields of its row and of its responses. Its content is stored elsewhere. Its name
//! is data, never a path.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Id, Resource, Timestamp, limits,
    reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors, checked, integer_between},
    resource::Spelling,
    words::words,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    object: FileObject,
    pub id: Id<Self>,
    pub purpose: Purpose,
    pub filename: String,
    pub bytes: u64,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    status: FileStatus,
    status_details: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum FileObject {
    #[serde(rename = "file")]
    File,
}

/// Deprecated by the service; every file is ready as soon as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileStatus {
    Processed,
}

impl Resource for File {
    type Key = Id<Self>;

    const PREFIX: &'static str = "file-";
    const SPELLING: Spelling = Spelling::Base58;
    const OBJECT: &'static str = "file";
    const DELETED: &'static str = "file";
    const NOUN: &'static str = "file";
    const PATH: &'static [&'static str] = &["file_id"];
    const MISSING_PARAM: Option<&'static str> = Some("id");

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        format!("No such File object: {}", ids.last().map_or("", String::as_str))
    }
}

impl File {
    pub fn new(id: Id<Self>, created_at: Timestamp, new: NewFile, bytes: u64) -> Self {
        Self {
            object: FileObject::File,
            id,
            purpose: new.purpose,
            filename: new.filename,
            bytes,
            created_at,
            expires_at: new
                .expires_after
                .map(|after| Timestamp(created_at.0.saturating_add(after.seconds))),
            status: FileStatus::Processed,
            status_details: None,
        }
    }

    /// The part of its name after the last dot, if there is one.
    pub fn extension(&self) -> Option<&str> {
        extension(&self.filename)
    }
}

/// The part of a name after its last dot, if there is one.
pub fn extension(filename: &str) -> Option<&str> {
    filename.rsplit(['/', '\\']).next()?.rsplit_once('.').map(|(_, extension)| extension)
}

words! {
    /// The purpose of a file. Only the service gives the last one.
    pub enum Purpose {
        FineTune = "fine-tune",
        Assistants = "assistants",
        Batch = "batch",
        UserData = "user_data",
        Vision = "vision",
        Evals = "evals",
        AssistantsOutput = "assistants_output",
    }
}

impl Purpose {
    /// The purposes that a client may give, in the order of the service's list.
    const GIVEN: &'static [&'static str] = Self::NAMES.split_at(6).0;

    /// Whether a client can download the content.
    pub fn may_be_downloaded(self) -> bool {
        !matches!(self, Self::Assistants | Self::UserData)
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|purpose| purpose.name() == name)
    }
}

impl Read for Purpose {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let name = String::read(value, at, errors)?;
        match Self::named(&name).filter(|purpose| *purpose != Self::AssistantsOutput) {
            Some(purpose) => Some(purpose),
            None => {
                errors.note(
                    at,
                    ValidationErrorKind::NotInEnum { got: name, supported: Self::GIVEN.to_vec() },
                );
                None
            }
        }
    }
}

/// The lifetime of a file after its creation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileExpiry {
    pub seconds: i64,
}

impl Read for FileExpiry {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let anchor = fields.required::<String>("anchor");
        let seconds = fields.required::<i64>("seconds");
        fields.finish();
        let anchor = anchor?;
        if anchor != "created_at" {
            return errors.not_one_of(&at.key("anchor"), &anchor, &["created_at"]);
        }
        let bounded = integer_between(seconds?, limits::FILE_LIFETIME.0, limits::FILE_LIFETIME.1);
        checked(bounded, &at.key("seconds"), errors).map(|seconds| Self { seconds })
    }
}

/// The fields that a client gives for an upload.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub filename: String,
    pub purpose: Purpose,
    pub expires_after: Option<FileExpiry>,
}

/// The extensions that the service accepts for the purpose `assistants`. It listed most of them
/// when it rejected another one. The other two are in its guide to file search.
const ASSISTANTS_EXTENSIONS: [&str; 32] = [
    "c", "cpp", "css", "csv", "doc", "docx", "gif", "go", "html", "java", "jpeg", "jpg", "js",
    "json", "md", "pdf", "php", "pkl", "png", "pptx", "py", "rb", "tar", "tex", "ts", "txt",
    "webp", "xlsx", "xml", "zip", "cs", "sh",
];
/// The number of them in the service's list.
const LISTED: usize = 30;

/// Checks the name of a file for its purpose. Recorded: a name without an extension is accepted.
pub fn check_extension(filename: &str, purpose: Purpose) -> Result<(), ValidationErrorKind> {
    let Some(extension) = extension(filename).filter(|_| purpose == Purpose::Assistants) else {
        return Ok(());
    };
    if ASSISTANTS_EXTENSIONS.contains(&extension) {
        return Ok(());
    }
    Err(ValidationErrorKind::Extension {
        got: extension.to_owned(),
        supported: ASSISTANTS_EXTENSIONS[..LISTED].to_vec(),
    })
}

/// The form fields of an uploaded file.
#[derive(Clone, Copy, Debug)]
pub struct FileForm {
    pub purpose: Purpose,
    pub expires_after: Option<FileExpiry>,
}

impl Read for FileForm {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let purpose = match fields.optional("purpose")? {
            Some(purpose) => purpose,
            None => return fields.error("purpose", ValidationErrorKind::NotGiven),
        };
        let expires_after = fields.optional("expires_after");
        fields.finish();
        Some(Self { purpose, expires_after: expires_after? })
    }
}
