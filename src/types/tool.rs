//! Tools, tool resources and tool calls: the tools of an assistant, their files, and their uses.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    limits,
    reader::{
        Few, Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors, checked,
        decimal_up_to, integer_between,
    },
    schema,
    search::{RANKER, RANKER_WITH_DASHES},
    vector_store::HelperStore,
};

pub(super) const CODE_INTERPRETER: &str = "code_interpreter";
/// The name of searches in files under v1.
pub const RETRIEVAL: &str = "retrieval";
pub const FILE_SEARCH: &str = "file_search";
pub(super) const FUNCTION: &str = "function";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tool {
    CodeInterpreter,
    FileSearch {
        file_search: FileSearch,
    },
    Function {
        function: Function,
    },
    /// A tool that only other APIs have.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl Tool {
    /// The name of its type.
    pub fn kind(&self) -> &str {
        match self {
            Self::CodeInterpreter => CODE_INTERPRETER,
            Self::FileSearch { .. } => FILE_SEARCH,
            Self::Function { .. } => FUNCTION,
            Self::Other(tool) => tool.get("type").and_then(Value::as_str).unwrap_or_default(),
        }
    }

    /// Whether `name` in a fixture means this tool: it is its type, or the name of its function.
    pub fn answers_to(&self, name: &str) -> bool {
        match self {
            Self::Function { function } => name == FUNCTION || name == function.name,
            Self::FileSearch { .. } => name == FILE_SEARCH || name == RETRIEVAL,
            Self::Other(tool) => {
                name == self.kind() || tool.get("name").is_some_and(|it| it == name)
            }
            Self::CodeInterpreter => name == CODE_INTERPRETER,
        }
    }
}

/// Echoed with its keys in a fixed order, no matter in which order the client sent them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub parameters: Map<String, Value>,
    /// Filled in as `false` when absent, since August 2024.
    pub strict: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileSearch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_num_results: Option<i64>,
    pub ranking_options: RankingOptions,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingOptions {
    ranker: String,
    pub score_threshold: f64,
    /// Always null where it was recorded.
    hybrid_search: Option<Value>,
}

/// The ranking as steps show it: without a key that tools have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    ranker: String,
    pub score_threshold: f64,
}

impl Default for Ranking {
    fn default() -> Self {
        Self::from(&RankingOptions::default())
    }
}

impl From<&RankingOptions> for Ranking {
    fn from(options: &RankingOptions) -> Self {
        Self { ranker: options.ranker.clone(), score_threshold: options.score_threshold }
    }
}

impl Read for Tool {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let kind: String = fields.required("type")?;
        if fields.version().is_v1() {
            return Self::read_v1(&kind, fields);
        }
        let tool = match kind.as_str() {
            CODE_INTERPRETER => Some(Self::CodeInterpreter),
            FILE_SEARCH => {
                fields.or_default("file_search").map(|file_search| Self::FileSearch { file_search })
            }
            FUNCTION => fields.required("function").map(|function| Self::Function { function }),
            other => {
                return fields.errors.not_one_of(
                    &at.key("type"),
                    other,
                    &[CODE_INTERPRETER, FUNCTION, FILE_SEARCH],
                );
            }
        };
        fields.finish();
        tool
    }
}

impl Tool {
    fn read_v1(kind: &str, mut fields: Fields<'_, '_>) -> Option<Self> {
        let tool = match kind {
            CODE_INTERPRETER => Some(Self::CodeInterpreter),
            RETRIEVAL => Some(Self::FileSearch { file_search: FileSearch::default() }),
            FUNCTION => fields.required("function").map(|function| Self::Function { function }),
            other => {
                let kind = ValidationErrorKind::NotOneOf {
                    got: other.to_owned(),
                    supported: vec![CODE_INTERPRETER, FUNCTION, RETRIEVAL],
                };
                return fields.error("type", kind);
            }
        };
        fields.finish();
        tool
    }
}

impl Read for Function {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let name = fields.required::<FunctionName>("name");
        let description = fields.optional::<Text<{ limits::FUNCTION_DESCRIPTION }>>("description");
        let parameters = fields.optional("parameters");
        let strict =
            if fields.version().is_v2() { fields.or_default("strict") } else { Some(false) };
        let (name, parameters, strict) = (name?.0, parameters?, strict?);
        // The service stored some assistants before it had these rules. Seeds of them stay
        // unchanged.
        if let Some(what) = parameters
            .as_ref()
            .filter(|_| fields.errors.is_request())
            .and_then(|given| schema::fault_of_parameters(given, strict))
        {
            return fields
                .error("parameters", ValidationErrorKind::FunctionSchema { function: name, what });
        }
        fields.finish();
        let parameters = parameters.unwrap_or_else(no_parameters);
        Some(Self { name, description: description?.map(|text| text.0), parameters, strict })
    }
}

/// The service's echo for a function without parameters.
fn no_parameters() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))])
}

/// The name of a function: letters, digits, dashes and underscores.
#[derive(Clone, Debug)]
pub struct FunctionName(pub String);

impl Read for FunctionName {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let Text(name) = Text::<{ limits::FUNCTION_NAME }>::read(value, at, errors)?;
        if name.is_empty() {
            errors.note(at, ValidationErrorKind::EmptyString);
            return None;
        }
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            errors.note(at, ValidationErrorKind::Pattern { pattern: "^[a-zA-Z0-9_-]+$" });
            return None;
        }
        Some(Self(name))
    }
}

impl Default for RankingOptions {
    fn default() -> Self {
        Self::above(0.0)
    }
}

impl RankingOptions {
    /// The usual ranking, with a minimum score.
    pub fn above(score_threshold: f64) -> Self {
        Self { ranker: RANKER.to_owned(), score_threshold, hybrid_search: None }
    }
}

impl Read for FileSearch {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let max_num_results = match fields.optional::<i64>("max_num_results") {
            Some(Some(number)) => {
                let place = at.key("max_num_results");
                checked(integer_between(number, 1, limits::MAX_NUM_RESULTS), &place, fields.errors)
                    .map(Some)
            }
            other => other,
        };
        let ranking_options = fields.or_default("ranking_options");
        fields.finish();
        Some(Self { max_num_results: max_num_results?, ranking_options: ranking_options? })
    }
}

impl Read for RankingOptions {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let ranker = fields.optional::<String>("ranker");
        let threshold = fields.optional::<f64>("score_threshold");
        fields.optional::<Value>("hybrid_search");
        let ranker = match ranker? {
            None => RANKER.to_owned(),
            Some(name) if name == "auto" => RANKER.to_owned(),
            Some(name) if name == RANKER || name == RANKER_WITH_DASHES => name,
            Some(other) => {
                return fields.errors.not_one_of(&at.key("ranker"), &other, &["auto", RANKER]);
            }
        };
        let place = at.key("score_threshold");
        let threshold = checked(
            decimal_up_to(threshold?.unwrap_or(0.0), limits::SCORE_THRESHOLD),
            &place,
            fields.errors,
        )?;
        fields.finish();
        Some(Self { ranker, score_threshold: threshold, hybrid_search: None })
    }
}

/// The files and vector stores that tools may use, in the recorded order. A part that was never
/// given is absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ToolResources {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_search: Option<FileSearchResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_interpreter: Option<CodeInterpreterResources>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CodeInterpreterResources {
    pub file_ids: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FileSearchResources {
    pub vector_store_ids: Vec<String>,
    /// Stores to create; resources in the store have none.
    #[serde(skip)]
    pub vector_stores: Vec<HelperStore>,
}

impl ToolResources {
    pub fn is_empty(&self) -> bool {
        self.code_interpreter.is_none() && self.file_search.is_none()
    }

    /// The files of the code interpreter.
    pub fn interpreter_files(&self) -> &[String] {
        self.code_interpreter.as_ref().map_or(&[], |resources| &resources.file_ids)
    }

    pub fn vector_store_ids(&self) -> &[String] {
        self.file_search.as_ref().map_or(&[], |resources| &resources.vector_store_ids)
    }

    /// An empty list for the code interpreter, in place of nothing. `thread.created`, the reading
    /// of a thread, and every run in a stream show this. Recorded; the answers to creating and
    /// modifying show `{}`.
    pub fn or_empty_interpreter(mut self) -> Self {
        if self.is_empty() {
            self.code_interpreter = Some(CodeInterpreterResources::default());
        }
        self
    }

    /// Fills in the empty part that an assistant shows for each tool it has.
    pub fn with_parts_for(mut self, tools: &[Tool]) -> Self {
        for tool in tools {
            match tool {
                Tool::CodeInterpreter => _ = self.code_interpreter.get_or_insert_default(),
                Tool::FileSearch { .. } => _ = self.file_search.get_or_insert_default(),
                Tool::Function { .. } | Tool::Other(_) => {}
            }
        }
        self
    }

    /// Replaces the parts that are in a modify request; the others stay.
    pub fn replace_parts(&mut self, given: Self) {
        if given.code_interpreter.is_some() {
            self.code_interpreter = given.code_interpreter;
        }
        if given.file_search.is_some() {
            self.file_search = given.file_search;
        }
    }
}

/// Whether one of these tools searches in vector stores.
pub fn searches(tools: &[Tool]) -> bool {
    tools.iter().any(|tool| matches!(tool, Tool::FileSearch { .. }))
}

impl Read for ToolResources {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let code_interpreter = fields.optional("code_interpreter");
        let file_search = fields.optional("file_search");
        fields.finish();
        Some(Self { code_interpreter: code_interpreter?, file_search: file_search? })
    }
}

impl Read for CodeInterpreterResources {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let file_ids =
            fields.or_default::<Few<String, { limits::CODE_INTERPRETER_FILES }>>("file_ids");
        fields.finish();
        Some(Self { file_ids: file_ids?.0 })
    }
}

impl Read for FileSearchResources {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let vector_store_ids =
            fields.or_default::<Few<String, { limits::VECTOR_STORES }>>("vector_store_ids");
        let vector_stores =
            fields.or_default::<Few<HelperStore, { limits::VECTOR_STORES }>>("vector_stores");
        let (vector_store_ids, vector_stores) = (vector_store_ids?.0, vector_stores?.0);
        if !vector_store_ids.is_empty() && !vector_stores.is_empty() {
            return fields.error(
                "vector_stores",
                ValidationErrorKind::Excludes { other: "vector_store_ids" },
            );
        }
        fields.finish();
        Some(Self { vector_store_ids, vector_stores })
    }
}

/// A word or an object, echoed as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolChoice(Value);

impl Default for ToolChoice {
    fn default() -> Self {
        Self(Value::from("auto"))
    }
}

impl ToolChoice {
    /// The type of the tool that it names, if it is the one that v1 calls otherwise.
    pub fn is_search(&self) -> bool {
        self.0["type"] == FILE_SEARCH
    }

    /// The choice of a response, in the shape of assistants.
    pub fn of_response(choice: &Value) -> Self {
        match choice["name"].as_str().filter(|_| choice["type"] == FUNCTION) {
            Some(name) => Self(json!({"type": FUNCTION, FUNCTION: {"name": name}})),
            None => Self(choice.clone()),
        }
    }

    /// `none`, `auto` or `required`, if it names no tool.
    pub fn word(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The function that it names.
    pub fn function(&self) -> Option<&str> {
        self.0["function"]["name"].as_str()
    }
}

impl Read for ToolChoice {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match &value {
            Value::String(word) if matches!(word.as_str(), "none" | "auto" | "required") => {
                Some(Self(value))
            }
            Value::String(word) => errors.not_one_of(at, word, &["none", "auto", "required"]),
            Value::Object(_) => {
                let mut fields = Fields::new(value.clone(), at, errors)?;
                let kind: String = fields.required("type")?;
                let search = if fields.version().is_v1() { RETRIEVAL } else { FILE_SEARCH };
                match kind.as_str() {
                    CODE_INTERPRETER => {}
                    FUNCTION => _ = fields.required::<NamedFunction>("function")?,
                    name if name == search => {}
                    other => {
                        return fields.errors.not_one_of(
                            &at.key("type"),
                            other,
                            &[FUNCTION, CODE_INTERPRETER, search],
                        );
                    }
                }
                fields.finish();
                Some(if kind == RETRIEVAL {
                    Self(json!({"type": FILE_SEARCH}))
                } else {
                    Self(value)
                })
            }
            other => errors.wrong_type(at, "one of a string or an object", other),
        }
    }
}

struct NamedFunction;

impl Read for NamedFunction {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let name = fields.required::<String>("name");
        fields.finish();
        name.map(|_| Self)
    }
}

/// A function call that the run waits for, as `required_action` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    pub id: String,
    pub name: String,
    /// JSON, as text.
    pub arguments: String,
}

/// The output of a function, from a client.
#[derive(Clone, Debug)]
pub struct ToolOutput {
    pub tool_call_id: String,
    pub output: String,
}

impl Read for ToolOutput {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let tool_call_id = fields.or_default("tool_call_id");
        let output = fields.or_default("output");
        fields.finish();
        Some(Self { tool_call_id: tool_call_id?, output: output? })
    }
}
