//! The assistant: a model, its instructions and its tools.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ApiErrorKind, File, Id, Metadata, Patch, Resource, Timestamp, Tool, VectorStore, Version,
    limits,
    model::Family,
    reader::{
        Few, Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors, checked,
        decimal_up_to,
    },
    schema::fault_of_parameters,
    tool::{ToolResources, searches},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assistant {
    pub id: Id<Self>,
    object: AssistantObject,
    pub created_at: Timestamp,
    pub name: Option<String>,
    pub description: Option<String>,
    pub model: String,
    pub instructions: Option<String>,
    pub tools: Vec<Tool>,
    pub top_p: f64,
    pub temperature: f64,
    pub reasoning_effort: Option<ReasoningEffort>,
    pub tool_resources: ToolResources,
    pub metadata: Metadata,
    pub response_format: ResponseFormat,
    /// The files that v1 gave it. Only v1 shows them; `tool_resources` has their form for v2.
    #[serde(rename = "v1_files", default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<GivenFile>,
    /// The store in which these files are searched. Only v1 uses it: stores that v2 gave are never
    /// changed for v1.
    #[serde(rename = "v1_store", default, skip_serializing_if = "Option::is_none")]
    pub v1_store: Option<Id<VectorStore>>,
}

/// A file that v1 gave to an assistant, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenFile {
    pub id: Id<File>,
    pub created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
enum AssistantObject {
    #[default]
    #[serde(rename = "assistant")]
    Assistant,
}

impl Resource for Assistant {
    type Key = Id<Self>;

    const PREFIX: &'static str = "asst_";
    const OBJECT: &'static str = "assistant";
    const DELETED: &'static str = "assistant.deleted";
    const NOUN: &'static str = "assistant";
    const PATH: &'static [&'static str] = &["assistant_id"];

    fn id(&self) -> &Id<Self> {
        &self.id
    }
}

/// The settings of the model that an assistant and a run share.
#[derive(Clone, Debug)]
pub struct Sampling {
    pub temperature: Patch<f64>,
    pub top_p: Patch<f64>,
    pub reasoning_effort: Patch<ReasoningEffort>,
    pub response_format: Patch<ResponseFormat>,
}

impl Sampling {
    pub fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let temperature = fields.patch::<Temperature>("temperature");
        let top_p = fields.patch::<TopP>("top_p");
        let reasoning_effort = if fields.version().is_v2() {
            fields.patch("reasoning_effort")
        } else {
            Some(Patch::Keep)
        };
        let response_format = fields.patch("response_format");
        Some(Self {
            temperature: temperature?.map(|it| it.0),
            top_p: top_p?.map(|it| it.0),
            reasoning_effort: reasoning_effort?,
            response_format: response_format?,
        })
    }
}

/// The default temperature and `top_p`.
const USUAL_SAMPLING: f64 = 1.0;

/// The settings in force of an assistant or a run: its own, or those that it is about to get.
#[derive(Clone, Copy, Debug)]
pub struct ModelSettings<'s> {
    pub model: &'s str,
    pub tools: &'s [Tool],
    pub temperature: f64,
    pub top_p: f64,
    pub reasoning_effort: Option<ReasoningEffort>,
    pub response_format: &'s ResponseFormat,
}

impl ModelSettings<'_> {
    /// Rejects settings that conflict. A setting in the request counts even if it is the usual
    /// value.
    pub fn check(&self, given: &Sampling) -> Result<(), ApiErrorKind> {
        if let Some(family) = Family::of_model(self.model) {
            let is_set = |patch: &Patch<f64>, value: f64| {
                matches!(patch, Patch::Set(_)) || value != USUAL_SAMPLING
            };
            let unsupported =
                if !family.takes_sampling && is_set(&given.temperature, self.temperature) {
                    Some("temperature")
                } else if !family.takes_sampling && is_set(&given.top_p, self.top_p) {
                    Some("top_p")
                } else if !family.takes_effort && self.reasoning_effort.is_some() {
                    Some("reasoning_effort")
                } else {
                    None
                };
            if let Some(name) = unsupported {
                return Err(ApiErrorKind::UnsupportedParameter { name });
            }
        }
        let is_function = |tool: &Tool| matches!(tool, Tool::Function { .. });
        if self.response_format.is_schema() && !self.tools.iter().all(is_function) {
            return Err(ApiErrorKind::OnlyFunctions);
        }
        Ok(())
    }
}

/// The settings of an assistant, at creation or later. Only a new one needs a model; all else is
/// optional.
#[derive(Clone, Debug)]
pub struct AssistantChange {
    pub model: Option<String>,
    pub name: Patch<String>,
    pub description: Patch<String>,
    pub instructions: Patch<String>,
    pub tools: Patch<Vec<Tool>>,
    pub tool_resources: Patch<ToolResources>,
    /// The files that v1 has in place of tool resources.
    pub file_ids: Patch<Vec<String>>,
    pub metadata: Patch<Metadata>,
    pub sampling: Sampling,
}

impl AssistantChange {
    pub fn read_from(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let model = fields.optional("model");
        let name = fields.patch::<Text<{ limits::NAME }>>("name");
        let description = fields.patch::<Text<{ limits::DESCRIPTION }>>("description");
        let instructions = fields.patch::<Text<{ limits::INSTRUCTIONS }>>("instructions");
        let tools = fields.patch::<Few<Tool, { limits::ASSISTANT_TOOLS }>>("tools");
        let (tool_resources, file_ids) = match fields.version() {
            Version::V1 => (
                Some(Patch::Keep),
                fields.patch::<Few<String, { limits::ASSISTANT_FILES }>>("file_ids"),
            ),
            Version::V2 => (fields.patch("tool_resources"), Some(Patch::Keep)),
        };
        let metadata = fields.patch("metadata");
        let sampling = Sampling::read(fields);
        Some(Self {
            model: model?,
            name: name?.map(|it| it.0),
            description: description?.map(|it| it.0),
            instructions: instructions?.map(|it| it.0),
            tools: tools?.map(|it| it.0),
            tool_resources: tool_resources?,
            file_ids: file_ids?.map(|it| it.0),
            metadata: metadata?,
            sampling: sampling?,
        })
    }
}

impl Read for AssistantChange {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let change = Self::read_from(&mut fields);
        fields.finish();
        change
    }
}

/// A new assistant needs a model; all else has defaults.
#[derive(Clone, Debug)]
pub struct NewAssistant {
    model: String,
    rest: AssistantChange,
}

impl NewAssistant {
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The files that v1 gives it.
    pub fn file_ids(&self) -> Vec<String> {
        self.rest.file_ids.clone().set_or(Vec::new())
    }

    /// The resources of its tools.
    pub fn tool_resources(&mut self) -> &mut Patch<ToolResources> {
        &mut self.rest.tool_resources
    }

    /// Rejects settings that conflict.
    pub fn check(&self) -> Result<(), ApiErrorKind> {
        let rest = &self.rest;
        let auto = ResponseFormat::auto();
        let settings = ModelSettings {
            model: &self.model,
            tools: rest.tools.get().map_or(&[], Vec::as_slice),
            temperature: rest.sampling.temperature.get().copied().unwrap_or(USUAL_SAMPLING),
            top_p: rest.sampling.top_p.get().copied().unwrap_or(USUAL_SAMPLING),
            reasoning_effort: rest.sampling.reasoning_effort.get().copied(),
            response_format: rest.sampling.response_format.get().unwrap_or(&auto),
        };
        settings.check(&rest.sampling)
    }

    pub fn read_from(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let model: Option<String> = fields.required("model");
        let rest = AssistantChange::read_from(fields);
        Some(Self { model: model?, rest: rest? })
    }
}

impl Read for NewAssistant {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let new = Self::read_from(&mut fields);
        fields.finish();
        new
    }
}

impl Assistant {
    pub fn new(id: Id<Self>, created_at: Timestamp, new: NewAssistant) -> Self {
        let mut assistant = Self {
            id,
            object: AssistantObject::Assistant,
            created_at,
            name: None,
            description: None,
            model: new.model,
            instructions: None,
            tools: Vec::new(),
            top_p: USUAL_SAMPLING,
            temperature: USUAL_SAMPLING,
            reasoning_effort: None,
            tool_resources: ToolResources::default(),
            metadata: Metadata::default(),
            response_format: ResponseFormat::auto(),
            files: Vec::new(),
            v1_store: None,
        };
        assistant.change(new.rest);
        assistant
    }

    pub fn settings(&self) -> ModelSettings<'_> {
        ModelSettings {
            model: &self.model,
            tools: &self.tools,
            temperature: self.temperature,
            top_p: self.top_p,
            reasoning_effort: self.reasoning_effort,
            response_format: &self.response_format,
        }
    }

    /// Makes the requested changes, unless the result has settings that conflict.
    pub fn try_change(&mut self, change: AssistantChange) -> Result<(), ApiErrorKind> {
        let given = change.sampling.clone();
        self.change(change);
        self.settings().check(&given)
    }

    fn change(&mut self, change: AssistantChange) {
        if let Some(model) = change.model {
            self.model = model;
        }
        change.name.apply(&mut self.name);
        change.description.apply(&mut self.description);
        change.instructions.apply(&mut self.instructions);
        change.tools.apply_or(&mut self.tools, Vec::new);
        match change.tool_resources {
            Patch::Set(given) => self.tool_resources.replace_parts(given),
            Patch::Clear => self.tool_resources = ToolResources::default(),
            Patch::Keep => {}
        }
        self.tool_resources = std::mem::take(&mut self.tool_resources).with_parts_for(&self.tools);
        change.metadata.apply_or(&mut self.metadata, Metadata::default);
        change.sampling.temperature.apply_or(&mut self.temperature, || USUAL_SAMPLING);
        change.sampling.top_p.apply_or(&mut self.top_p, || USUAL_SAMPLING);
        change.sampling.reasoning_effort.apply(&mut self.reasoning_effort);
        change.sampling.response_format.apply_or(&mut self.response_format, ResponseFormat::auto);
    }
}

/// The files of an assistant under v1: those that v1 gave it, and those of v2's code interpreter.
pub fn files_of_v1(assistant: &Assistant) -> Vec<String> {
    let given = assistant.files.iter().map(|given| given.id.as_str());
    let lent = assistant.tool_resources.interpreter_files().iter().map(String::as_str);
    let mut all: Vec<String> = Vec::new();
    for id in given.chain(lent) {
        if !all.iter().any(|known| known == id) {
            all.push(id.to_owned());
        }
    }
    all
}

/// A change to the files that an assistant shows under v1.
#[derive(Clone, Debug)]
pub enum FileReassignment {
    /// It has these, and no others.
    Only(Vec<String>),
    Give(String),
    Take(String),
    /// It keeps them: perhaps other tools use them from now on.
    Keep,
}

/// The part that only v1 has: files of the assistant itself, in place of those of its tools.
impl Assistant {
    /// Whether it has a tool that searches.
    pub fn searches(&self) -> bool {
        searches(&self.tools)
    }

    /// Changes the files that it has under v1. A code interpreter uses all of them.
    pub fn regive(&mut self, change: &FileReassignment, now: Timestamp) {
        match change {
            FileReassignment::Only(wanted) => {
                self.take_files(|id| !wanted.iter().any(|wanted| wanted == id));
                let before = std::mem::take(&mut self.files);
                let had =
                    |id: &String| before.iter().find(|given| given.id.as_str() == id).cloned();
                for id in wanted {
                    let given = had(id)
                        .unwrap_or_else(|| GivenFile { id: Id::new(id.as_str()), created_at: now });
                    if !self.files.iter().any(|known| known.id == given.id) {
                        self.files.push(given);
                    }
                }
            }
            FileReassignment::Give(id) if files_of_v1(self).contains(id) => {}
            FileReassignment::Give(id) => {
                self.files.push(GivenFile { id: Id::new(id.as_str()), created_at: now })
            }
            FileReassignment::Take(id) => self.take_files(|taken| taken == id),
            FileReassignment::Keep => {}
        }
        if self.tools.iter().any(|tool| matches!(tool, Tool::CodeInterpreter)) {
            let lent = &mut self.tool_resources.code_interpreter.get_or_insert_default().file_ids;
            let missing =
                self.files.iter().map(|given| given.id.to_string()).filter(|id| !lent.contains(id));
            let missing: Vec<_> = missing.collect();
            lent.extend(missing);
        }
    }

    fn take_files(&mut self, is_taken: impl Fn(&str) -> bool) {
        self.files.retain(|given| !is_taken(given.id.as_str()));
        if let Some(resources) = &mut self.tool_resources.code_interpreter {
            resources.file_ids.retain(|id| !is_taken(id));
        }
    }

    /// The stores that its tools search. Under v2, the store of v1 counts only if v2 gave it none.
    pub fn searched_stores(&self, version: Version) -> Vec<String> {
        let mut stores = self.tool_resources.vector_store_ids().to_vec();
        if version.is_v1() || stores.is_empty() {
            stores.extend(self.v1_store.as_ref().map(Id::to_string));
        }
        stores
    }

    pub(super) fn as_of_v2(&self) -> Self {
        let mut shown = Self { files: Vec::new(), v1_store: None, ..self.clone() };
        if self.searches() {
            let stores = self.searched_stores(Version::V2);
            shown.tool_resources.file_search.get_or_insert_default().vector_store_ids = stores;
        }
        shown
    }
}

struct Temperature(f64);

impl Read for Temperature {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let number = f64::read(value, at, errors)?;
        checked(decimal_up_to(number, limits::TEMPERATURE), at, errors).map(Self)
    }
}

struct TopP(f64);

impl Read for TopP {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let number = f64::read(value, at, errors)?;
        checked(decimal_up_to(number, limits::TOP_P), at, errors).map(Self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Read for ReasoningEffort {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        Some(match String::read(value, at, errors)?.as_str() {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            other => {
                return errors.not_one_of(
                    at,
                    other,
                    &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
                );
            }
        })
    }
}

/// `"auto"` or an object, echoed as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseFormat(Value);

impl ResponseFormat {
    pub fn auto() -> Self {
        Self(Value::from("auto"))
    }

    /// The format that a response asks for, in the shape of assistants.
    pub fn of_response(text: &Value) -> Self {
        let format = &text["format"];
        match format["type"].as_str() {
            Some(JSON_SCHEMA) => {
                let schema = format.as_object().cloned().unwrap_or_default();
                let schema: serde_json::Map<_, _> =
                    schema.into_iter().filter(|(key, _)| key != "type").collect();
                Self(serde_json::json!({"type": JSON_SCHEMA, JSON_SCHEMA: schema}))
            }
            Some("json_object") => Self(format.clone()),
            _ => Self::auto(),
        }
    }

    /// Whether answers follow a schema.
    pub fn is_schema(&self) -> bool {
        self.0["type"] == JSON_SCHEMA
    }
}

const JSON_SCHEMA: &str = "json_schema";

impl Read for ResponseFormat {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match &value {
            Value::String(word) if word == "auto" => Some(Self(value)),
            Value::String(word) => errors.not_one_of(at, word, &["auto"]),
            Value::Object(_) => {
                let mut fields = Fields::new(value.clone(), at, errors)?;
                read_object_format(&mut fields, at)?;
                fields.finish();
                Some(Self(value))
            }
            other => errors.wrong_type(at, "one of a string or an object", other),
        }
    }
}

fn read_object_format(fields: &mut Fields<'_, '_>, at: &Path<'_>) -> Option<()> {
    let kind: String = fields.required("type")?;
    match kind.as_str() {
        "text" | "json_object" => Some(()),
        JSON_SCHEMA => {
            let schema = fields.required("json_schema")?;
            let place = at.key("json_schema");
            let mut schema = Fields::new(schema, &place, fields.errors)?;
            let name = schema.required::<super::tool::FunctionName>("name");
            schema.optional::<String>("description");
            let given = schema.optional::<serde_json::Map<String, Value>>("schema");
            let strict = schema.optional::<bool>("strict");
            schema.finish();
            let (name, is_strict) = (name?.0, strict?.unwrap_or_default());
            // Only a strict schema has to follow rules.
            let is_checked = is_strict && fields.errors.is_request();
            let given = given?.filter(|_| is_checked);
            if let Some(what) = given.and_then(|given| fault_of_parameters(&given, is_strict)) {
                fields.errors.note(at, ValidationErrorKind::FormatSchema { format: name, what });
                return None;
            }
            Some(())
        }
        other => {
            fields.errors.not_one_of(&at.key("type"), other, &["json_object", JSON_SCHEMA, "text"])
        }
    }
}
