//! The container, in which the code interpreter of responses works, and the files in it.
//!
//! Sources: recorded exchanges from an SDK's public tests for the shapes, the documentation for
//! limits and the lifetime of twenty minutes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    File, Id, Resource, Timestamp, limits,
    reader::{Few, Fields, Path, Read, ValidationErrors, checked, integer_between},
    resource::{Spelling, not_found},
    words::words,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    pub id: Id<Self>,
    object: ContainerObject,
    pub created_at: Timestamp,
    pub status: ContainerStatus,
    expires_after: Inactivity,
    last_active_at: Timestamp,
    memory_limit: MemoryLimit,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network_policy: Option<NetworkPolicy>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ContainerObject {
    #[serde(rename = "container")]
    Container,
}

words! {
    /// Whether a container is usable.
    pub enum ContainerStatus {
        Running = "running",
        Expired = "expired",
    }
}

words! {
    /// The memory for programs. Nothing runs here, so it is only shown.
    #[derive(Default)]
    pub enum MemoryLimit {
        #[default]
        One = "1g",
        Four = "4g",
        Sixteen = "16g",
        SixtyFour = "64g",
    }
}

macro_rules! read_words {
    ($($Enum:ident),*) => {$(
        impl Read for $Enum {
            fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
                let word = String::read(value, at, errors)?;
                match Self::ALL.iter().find(|known| known.name() == word) {
                    Some(known) => Some(*known),
                    None => errors.not_one_of(at, &word, Self::NAMES),
                }
            }
        }
    )*};
}

read_words!(MemoryLimit, PolicyKind);

/// The lifetime of a container without use.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Inactivity {
    anchor: Anchor,
    minutes: i64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Anchor {
    LastActiveAt,
}

impl Default for Inactivity {
    fn default() -> Self {
        Self { anchor: Anchor::LastActiveAt, minutes: limits::CONTAINER_MINUTES }
    }
}

impl Read for Inactivity {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let anchor = fields.required::<String>("anchor");
        let minutes = fields.required::<i64>("minutes");
        fields.finish();
        let anchor = anchor?;
        if anchor != "last_active_at" {
            return errors.not_one_of(&at.key("anchor"), &anchor, &["last_active_at"]);
        }
        let bounded = integer_between(minutes?, 1, limits::CONTAINER_MINUTES);
        let minutes = checked(bounded, &at.key("minutes"), errors)?;
        Some(Self { anchor: Anchor::LastActiveAt, minutes })
    }
}

impl Container {
    pub fn new(id: Id<Self>, created_at: Timestamp, new: &NewContainer) -> Self {
        Self {
            id,
            object: ContainerObject::Container,
            created_at,
            status: ContainerStatus::Running,
            expires_after: new.expires_after,
            last_active_at: created_at,
            memory_limit: new.common.memory_limit,
            name: new.name.clone(),
            network_policy: new.common.network_policy.clone(),
        }
    }

    /// Notes a use of the container, which postpones its expiry.
    pub fn touch(&mut self, now: Timestamp) {
        if self.touched_at(now) {
            self.last_active_at = now;
        }
    }

    /// Whether a use at this time postpones its expiry.
    pub fn touched_at(&self, now: Timestamp) -> bool {
        self.last_active_at != now && !self.is_expired(now)
    }

    fn expires_at(&self) -> Timestamp {
        let minutes = self.expires_after.minutes.unsigned_abs();
        self.last_active_at + Duration::from_secs(60 * minutes)
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.status == ContainerStatus::Expired || self.expires_at() <= now
    }
}

impl Resource for Container {
    type Key = Id<Self>;

    const PREFIX: &'static str = "cntr_";
    const OBJECT: &'static str = "container";
    const DELETED: &'static str = "container.deleted";
    const NOUN: &'static str = "Container";
    const PATH: &'static [&'static str] = &["container_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    fn missing(ids: &[String]) -> String {
        not_found(Self::NOUN, ids)
    }
}

/// The networks that programs may reach. Nothing runs here, so it is only shown. The secrets of a
/// domain are dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NetworkPolicy {
    #[serde(rename = "type")]
    kind: PolicyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allowed_domains: Option<Vec<String>>,
}

words! {
    pub enum PolicyKind {
        Disabled = "disabled",
        Allowlist = "allowlist",
    }
}

impl Read for NetworkPolicy {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind = fields.required::<PolicyKind>("type")?;
        let allowed_domains = match kind {
            PolicyKind::Disabled => None,
            PolicyKind::Allowlist => {
                fields.optional::<Value>("domain_secrets")?;
                Some(fields.required("allowed_domains")?)
            }
        };
        fields.finish();
        Some(Self { kind, allowed_domains })
    }
}

/// A new container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewContainer {
    pub name: String,
    expires_after: Inactivity,
    common: CommonSettings,
}

/// The settings of containers, no matter what creates them. Skills are for programs, which never
/// run here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct CommonSettings {
    file_ids: Vec<String>,
    memory_limit: MemoryLimit,
    network_policy: Option<NetworkPolicy>,
}

impl CommonSettings {
    fn take(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let files = fields.or_default::<Few<String, { limits::CONTAINER_FILES }>>("file_ids")?;
        let memory_limit = fields.or_default("memory_limit")?;
        let network_policy = fields.optional("network_policy")?;
        fields.optional::<Vec<Value>>("skills")?;
        Some(Self { file_ids: files.0, memory_limit, network_policy })
    }
}

impl NewContainer {
    /// The files to copy into it.
    pub fn file_ids(&self) -> &[String] {
        &self.common.file_ids
    }

    /// A container for a response. Its name is recorded.
    fn auto(common: CommonSettings) -> Self {
        Self { name: "auto".to_owned(), expires_after: Inactivity::default(), common }
    }
}

impl Default for NewContainer {
    fn default() -> Self {
        Self::auto(CommonSettings::default())
    }
}

impl Read for NewContainer {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let name = fields.required("name");
        let expires_after = fields.or_default("expires_after");
        let common = CommonSettings::take(&mut fields)?;
        fields.finish();
        Some(Self { name: name?, expires_after: expires_after?, common })
    }
}

/// The container of a tool: an existing one, or one that is created for the tool.
#[derive(Clone, Debug)]
pub enum ToolContainer {
    Named(Id<Container>),
    Auto(NewContainer),
}

impl Read for ToolContainer {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(id) => Some(Self::Named(Id::new(id))),
            Value::Object(_) => {
                let mut fields = Fields::new(value, at, errors)?;
                let kind = fields.required::<String>("type")?;
                if kind != "auto" {
                    return errors.not_one_of(&at.key("type"), &kind, &["auto"]);
                }
                let common = CommonSettings::take(&mut fields)?;
                fields.finish();
                Some(Self::Auto(NewContainer::auto(common)))
            }
            other => errors.wrong_type(at, "one of a container id or object", &other),
        }
    }
}

/// A file in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerFile {
    pub id: Id<Self>,
    object: ContainerFileObject,
    pub created_at: Timestamp,
    pub bytes: u64,
    pub container_id: Id<Container>,
    pub path: String,
    source: FileSource,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ContainerFileObject {
    #[serde(rename = "container.file")]
    File,
}

words! {
    /// The author of a file in a container.
    pub enum FileSource {
        User = "user",
        Assistant = "assistant",
    }
}

impl ContainerFile {
    /// The path of a file. Only the part of its name after the last slash counts. The service puts
    /// a prefix before the names of the user's files, so that no file hides another.
    pub fn path_of(before: Option<&str>, filename: &str) -> String {
        let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        match before {
            Some(before) => format!("/mnt/data/{before}-{name}"),
            None => format!("/mnt/data/{name}"),
        }
    }

    pub fn new(
        id: Id<Self>,
        created_at: Timestamp,
        container_id: Id<Container>,
        path: String,
        bytes: u64,
        source: FileSource,
    ) -> Self {
        let object = ContainerFileObject::File;
        Self { id, object, created_at, bytes, container_id, path, source }
    }

    pub fn filename(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Resource for ContainerFile {
    type Key = (Id<Container>, Id<Self>);

    const PREFIX: &'static str = "cfile_";
    const SPELLING: Spelling = Spelling::Dated;
    const OBJECT: &'static str = "container.file";
    const DELETED: &'static str = "container.file.deleted";
    const NOUN: &'static str = "Container file";
    const PATH: &'static [&'static str] = &["container_id", "file_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }

    /// Issues of two SDKs show this text.
    fn missing(ids: &[String]) -> String {
        let [container, file] = [0, 1].map(|place| ids.get(place).map_or("", String::as_str));
        format!("File {file} not found on container {container}.")
    }
}

/// A file that a client puts into a container: the id of an existing one, or no field besides the
/// content of a new one.
pub struct PutFile {
    pub file_id: Option<Id<File>>,
}

impl Read for PutFile {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_id = fields.optional::<String>("file_id")?;
        fields.finish();
        Some(Self { file_id: file_id.map(Id::new) })
    }
}
