//! The message: the words of a user or an assistant in a thread.
//!
//! The store keeps the shape of stream events, which has all data. Answers over REST show less. The
//! answer to a modify shows `file_ids` where all others show `attachments`. Both are recorded.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Assistant, File, Id, Metadata, Resource, Run, Thread, Timestamp, Version, limits,
    reader::{Few, Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    pub id: Id<Self>,
    pub(super) object: MessageObject,
    pub created_at: Timestamp,
    pub assistant_id: Option<Id<Assistant>>,
    pub thread_id: Id<Thread>,
    pub run_id: Option<Id<Run>>,
    pub status: MessageStatus,
    pub incomplete_details: Option<IncompleteDetails>,
    pub incomplete_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub role: Role,
    pub content: Vec<Content>,
    pub attachments: Vec<Attachment>,
    pub metadata: Metadata,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum MessageObject {
    #[serde(rename = "thread.message")]
    Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    InProgress,
    Completed,
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncompleteDetails {
    pub reason: IncompleteMessage,
}

/// Why a message was left unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncompleteMessage {
    ContentFilter,
    MaxTokens,
    RunCancelled,
    RunExpired,
    RunFailed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    Text { text: ContentText },
    ImageFile { image_file: ImageFile },
    ImageUrl { image_url: ImageUrl },
    Refusal { refusal: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentText {
    pub value: String,
    pub annotations: Vec<Annotation>,
}

/// The meaning of a piece of text: its source, or the file that it links to. The indices count
/// characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Annotation {
    FileCitation { text: String, start_index: usize, end_index: usize, file_citation: CitedFile },
    FilePath { text: String, start_index: usize, end_index: usize, file_path: FileRef },
}

/// A file that is cited. Only v1 showed the quote, so only runs of v1 keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CitedFile {
    pub file_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRef {
    pub file_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFile {
    pub file_id: String,
    pub detail: Detail,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageUrl {
    pub url: String,
    pub detail: Detail,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    #[default]
    Auto,
    Low,
    High,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub file_id: String,
    pub tools: Vec<AttachmentTool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AttachmentTool {
    CodeInterpreter,
    FileSearch,
}

impl Resource for Message {
    type Key = (Id<Thread>, Id<Self>);

    const PREFIX: &'static str = "msg_";
    const OBJECT: &'static str = "thread.message";
    const DELETED: &'static str = "thread.message.deleted";
    const NOUN: &'static str = "message";
    const PATH: &'static [&'static str] = &["thread_id", "message_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

impl Content {
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text { text: ContentText { value: value.into(), annotations: Vec::new() } }
    }

    pub fn image(file_id: &Id<File>) -> Self {
        Self::ImageFile {
            image_file: ImageFile { file_id: file_id.to_string(), detail: Detail::default() },
        }
    }
}

impl Message {
    /// A message as a client sent it.
    pub fn sent(
        id: Id<Self>,
        created_at: Timestamp,
        thread_id: Id<Thread>,
        new: NewMessage,
    ) -> Self {
        Self {
            id,
            object: MessageObject::Message,
            created_at,
            assistant_id: None,
            thread_id,
            run_id: None,
            status: MessageStatus::Completed,
            incomplete_details: None,
            incomplete_at: None,
            completed_at: None,
            role: new.role,
            content: new.content,
            attachments: new.attachments,
            metadata: new.metadata,
        }
    }

    /// A message that a run begins to write.
    pub fn begun(id: Id<Self>, created_at: Timestamp, run: &Run) -> Self {
        Self {
            id,
            object: MessageObject::Message,
            created_at,
            assistant_id: Some(run.assistant_id.clone()),
            thread_id: run.thread_id.clone(),
            run_id: Some(run.id.clone()),
            status: MessageStatus::InProgress,
            incomplete_details: None,
            incomplete_at: None,
            completed_at: None,
            role: Role::Assistant,
            content: Vec::new(),
            attachments: Vec::new(),
            metadata: Metadata::default(),
        }
    }

    /// Whether a run is still writing it.
    pub fn is_open(&self) -> bool {
        self.status == MessageStatus::InProgress
    }

    /// All of its text, parts joined by a newline.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self
            .content
            .iter()
            .filter_map(|part| match part {
                Content::Text { text } => Some(text.value.as_str()),
                Content::Refusal { refusal } => Some(refusal.as_str()),
                Content::ImageFile { .. } | Content::ImageUrl { .. } => None,
            })
            .collect();
        parts.join("\n")
    }
}

impl Message {
    /// The annotations of its texts.
    pub fn annotations(&self) -> impl Iterator<Item = &Annotation> {
        annotations(&self.content)
    }
}

fn annotations(content: &[Content]) -> impl Iterator<Item = &Annotation> {
    content.iter().flat_map(|part| {
        if let Content::Text { text } = part { text.annotations.as_slice() } else { &[] }
    })
}

pub(super) fn has_quotes(content: &[Content]) -> bool {
    annotations(content).any(|annotation| {
        let Annotation::FileCitation { file_citation, .. } = annotation else { return false };
        file_citation.quote.is_some()
    })
}

pub(super) fn without_quotes(content: &[Content]) -> Vec<Content> {
    let mut content = content.to_vec();
    for part in &mut content {
        let Content::Text { text } = part else { continue };
        for annotation in &mut text.annotations {
            if let Annotation::FileCitation { file_citation, .. } = annotation {
                file_citation.quote = None;
            }
        }
    }
    content
}

/// A message as answers over REST show it.
#[derive(Debug)]
pub struct MessageView {
    pub(super) message: Message,
    /// It is the answer to a modify.
    pub(super) was_modified: bool,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self { message, was_modified: false }
    }
}

impl MessageView {
    pub fn modified(message: Message) -> Self {
        Self { message, was_modified: true }
    }
}

/// The attachments for the files of a message: every tool that can read them may read them.
pub(super) fn attachments_of_v1(file_ids: Vec<String>) -> Vec<Attachment> {
    let tools = vec![AttachmentTool::FileSearch, AttachmentTool::CodeInterpreter];
    file_ids.into_iter().map(|file_id| Attachment { file_id, tools: tools.clone() }).collect()
}

/// A message to be added to a thread.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub role: Role,
    pub content: Vec<Content>,
    pub attachments: Vec<Attachment>,
    pub metadata: Metadata,
}

impl Read for NewMessage {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let role = fields.required("role");
        let content = fields.required::<NewContent>("content");
        let attachments = match fields.version() {
            Version::V1 => {
                let files = fields.or_default::<Few<String, { limits::MESSAGE_FILES }>>("file_ids");
                files.map(|files| attachments_of_v1(files.0))
            }
            Version::V2 => fields
                .or_default::<Few<Attachment, { limits::ATTACHMENTS }>>("attachments")
                .map(|few| few.0),
        };
        let metadata = fields.or_default("metadata");
        fields.finish();
        Some(Self {
            role: role?,
            content: content?.0,
            attachments: attachments?,
            metadata: metadata?,
        })
    }
}

impl Read for Role {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match String::read(value, at, errors)?.as_str() {
            "user" => Some(Self::User),
            "assistant" if errors.version().is_v2() => Some(Self::Assistant),
            other if errors.version().is_v1() => errors.not_one_of(at, other, &["user"]),
            other => errors.not_one_of(at, other, &["user", "assistant"]),
        }
    }
}

/// A string, or an array of parts: a string becomes one part.
struct NewContent(Vec<Content>);

impl Read for NewContent {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(_) => {
                read_text(value, at, errors).map(|text| Self(vec![Content::text(text)]))
            }
            other if errors.version().is_v1() => errors.wrong_type(at, "a string", &other),
            Value::Array(parts) if parts.is_empty() => {
                errors.note(at, ValidationErrorKind::EmptyArray);
                None
            }
            Value::Array(_) => Vec::read(value, at, errors).map(Self),
            other => errors.wrong_type(at, "one of a string or array of objects", &other),
        }
    }
}

fn read_text(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<String> {
    let Text(text) = Text::<{ limits::MESSAGE_TEXT }>::read(value, at, errors)?;
    if text.is_empty() {
        errors.note(at, ValidationErrorKind::EmptyString);
        return None;
    }
    Some(text)
}

impl Read for Content {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind: String = fields.required("type")?;
        let content = match kind.as_str() {
            "text" => fields.required::<MessageText>("text").map(|text| Self::text(text.0)),
            "image_file" => {
                fields.required("image_file").map(|image_file| Self::ImageFile { image_file })
            }
            "image_url" => {
                fields.required("image_url").map(|image_url| Self::ImageUrl { image_url })
            }
            other => {
                return fields.errors.not_one_of(
                    &at.key("type"),
                    other,
                    &["text", "image_url", "image_file"],
                );
            }
        };
        fields.finish();
        content
    }
}

struct MessageText(String);

impl Read for MessageText {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        read_text(value, at, errors).map(Self)
    }
}

impl Read for ImageFile {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_id = fields.required("file_id");
        let detail = fields.or_default("detail");
        fields.finish();
        Some(Self { file_id: file_id?, detail: detail? })
    }
}

impl Read for ImageUrl {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let url = fields.required::<String>("url");
        let detail = fields.or_default("detail");
        fields.finish();
        let url = url?;
        if !is_url(&url) {
            errors.note(&at.key("url"), ValidationErrorKind::NoUrl);
            return None;
        }
        Some(Self { url, detail: detail? })
    }
}

/// Whether it can be the address of an image; `data:` is none, as reported. The server never
/// fetches anything from it.
fn is_url(text: &str) -> bool {
    let is_of_urls = |letter: char| {
        !letter.is_whitespace() && !letter.is_control() && !"\"<>\\^`{|}".contains(letter)
    };
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_web = ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    is_web
        && !rest.is_empty()
        && !rest.starts_with(['/', ':', '?', '#'])
        && text.chars().all(is_of_urls)
}

impl Read for Detail {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match String::read(value, at, errors)?.as_str() {
            "auto" => Some(Self::Auto),
            "low" => Some(Self::Low),
            "high" => Some(Self::High),
            other => errors.not_one_of(at, other, &["auto", "low", "high"]),
        }
    }
}

impl Read for Attachment {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_id = fields.required("file_id");
        let tools = fields.or_default("tools");
        fields.finish();
        Some(Self { file_id: file_id?, tools: tools? })
    }
}

impl Read for AttachmentTool {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind: String = fields.required("type")?;
        fields.finish();
        match kind.as_str() {
            "code_interpreter" => Some(Self::CodeInterpreter),
            "file_search" => Some(Self::FileSearch),
            other => {
                errors.not_one_of(&at.key("type"), other, &["code_interpreter", "file_search"])
            }
        }
    }
}
