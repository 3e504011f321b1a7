//! Tools in the form that the Responses API accepts and echoes. The type comes first, then every
//! key of the type in alphabetical order. Missing keys get their defaults. All of this is recorded.

use serde_json::{Map, Value, json};

use crate::types::{
    Tool,
    container::ToolContainer,
    limits,
    reader::{
        self, Fields, Path, Read, ValidationErrorKind, ValidationErrors, checked, integer_between,
    },
    schema,
    search::Filter,
    tool::{FileSearch, Function, FunctionName, RankingOptions},
};

/// A tool that a response may use, in its echoed form.
#[derive(Clone, Debug)]
pub struct ResponseTool(pub Value);

const FUNCTION: &str = "function";
const FILE_SEARCH: &str = "file_search";
const INTERPRETER: &str = "code_interpreter";

/// The types of tools in the service.
const KINDS: [&str; 18] = [
    FUNCTION,
    FILE_SEARCH,
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "mcp",
    INTERPRETER,
    "custom",
    "apply_patch",
    "tool_search",
    "programmatic_tool_calling",
    "image_generation",
    "computer",
    "computer_use_preview",
    "local_shell",
    "shell",
    "namespace",
];

impl Read for ResponseTool {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let map = Map::read(value, at, errors)?;
        let kind = match map.get("type") {
            Some(kind) => String::read(kind.clone(), &at.key("type"), errors)?,
            None => {
                errors.note(&at.key("type"), ValidationErrorKind::Missing);
                return None;
            }
        };
        let given = match kind.as_str() {
            FUNCTION => read_function(map, at, errors)?,
            FILE_SEARCH => read_file_search(map, at, errors)?,
            known if KINDS.contains(&known) => {
                if let Some(key) = needed(known, &map) {
                    errors.note(&at.key(key), ValidationErrorKind::Missing);
                    return None;
                }
                let mut map = map;
                if let Some(container) = map.get_mut("container").filter(|_| known == INTERPRETER) {
                    ToolContainer::read(container.clone(), &at.key("container"), errors)?;
                    forget_secrets(container);
                }
                mask(known, &mut map);
                with_defaults(known, map)
            }
            unknown => return errors.not_one_of(&at.key("type"), unknown, &KINDS),
        };
        Some(Self(echo(&kind, given)))
    }
}

impl ResponseTool {
    /// The tool in the form for performers and conditions, which is the same for every API.
    pub fn tool(&self) -> Tool {
        let Self(tool) = self;
        let text = |key: &str| tool[key].as_str().map(str::to_owned);
        match tool["type"].as_str() {
            Some(FUNCTION) => Tool::Function {
                function: Function {
                    name: text("name").unwrap_or_default(),
                    description: text("description"),
                    parameters: tool["parameters"].as_object().cloned().unwrap_or_default(),
                    strict: tool["strict"] == true,
                },
            },
            Some(FILE_SEARCH) => Tool::FileSearch { file_search: self.file_search() },
            Some(INTERPRETER) => Tool::CodeInterpreter,
            _ => Tool::Other(tool.as_object().cloned().unwrap_or_default()),
        }
    }

    fn file_search(&self) -> FileSearch {
        let Self(tool) = self;
        let threshold = tool["ranking_options"]["score_threshold"].as_f64().unwrap_or_default();
        FileSearch {
            max_num_results: tool["max_num_results"].as_i64(),
            ranking_options: RankingOptions::above(threshold),
        }
    }

    /// The container of a code interpreter.
    pub fn container(&self) -> Option<ToolContainer> {
        let container = self.0.get("container").filter(|_| self.0["type"] == INTERPRETER)?;
        reader::read(container.clone()).ok()
    }

    /// The limits of its search by the attributes of files.
    pub fn filters(&self) -> Option<&Value> {
        self.0.get("filters").filter(|filters| self.0["type"] == FILE_SEARCH && !filters.is_null())
    }

    /// The stores that the tool searches.
    pub fn stores(&self) -> impl Iterator<Item = &str> {
        let stores = self.0["vector_store_ids"].as_array().into_iter().flatten();
        stores.filter_map(Value::as_str).filter(|_| self.0["type"] == FILE_SEARCH)
    }
}

/// Removes the secrets of a container, which are for programs that never run here.
fn forget_secrets(container: &mut Value) {
    if let Some(Value::Object(policy)) = container.get_mut("network_policy") {
        policy.shift_remove("domain_secrets");
    }
}

/// Masks the secrets for a server of the Model Context Protocol, as the service does: recorded.
fn mask(kind: &str, tool: &mut Map<String, Value>) {
    const MASK: &str = "<redacted>";
    if kind != "mcp" {
        return;
    }
    if let Some(Value::String(secret)) = tool.get_mut("authorization") {
        MASK.clone_into(secret);
    }
    let headers = tool.get_mut("headers").and_then(Value::as_object_mut);
    headers.into_iter().flatten().for_each(|(_, value)| *value = MASK.into());
}

/// The type, then all other keys in alphabetical order.
fn echo(kind: &str, mut given: Map<String, Value>) -> Value {
    given.shift_remove("type");
    let mut keys: Vec<_> = given.into_iter().collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut echoed = Map::from_iter([("type".to_owned(), Value::from(kind))]);
    echoed.extend(keys);
    Value::Object(echoed)
}

/// The required key that a tool of this type lacks, if any.
fn needed(kind: &str, given: &Map<String, Value>) -> Option<&'static str> {
    let key = match kind {
        INTERPRETER => "container",
        "mcp" => "server_label",
        "custom" => "name",
        _ => return None,
    };
    (!given.contains_key(key)).then_some(key)
}

fn with_defaults(kind: &str, mut given: Map<String, Value>) -> Map<String, Value> {
    let defaults = match kind {
        "web_search" | "web_search_2025_08_26" => {
            given.shift_remove("external_web_access");
            json!({"return_token_budget": "default", "search_content_types": ["text"],
                "search_context_size": "medium", "user_location": null})
        }
        "web_search_preview" | "web_search_preview_2025_03_11" => {
            json!({"search_context_size": "medium", "user_location": null})
        }
        "mcp" => json!({"allowed_tools": null, "headers": null, "require_approval": "always",
            "server_description": null}),
        "custom" => json!({"description": null, "format": {"type": "text"}}),
        "tool_search" => json!({"description": null, "parameters": null}),
        _ => json!({}),
    };
    for (key, value) in defaults.as_object().into_iter().flatten() {
        given.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if let Some(location) = given.get_mut("user_location") {
        *location = located(location);
    }
    if let Some(Value::Object(tools)) = given.get_mut("allowed_tools")
        && !tools.contains_key("read_only")
    {
        let mut all = Map::from_iter([("read_only".to_owned(), Value::Null)]);
        all.extend(std::mem::take(tools));
        *tools = all;
    }
    given
}

/// The location for a web search. By default the country is the United States.
fn located(given: &Value) -> Value {
    let usual = if given.is_null() { json!("US") } else { Value::Null };
    let of = |key: &str| given.get(key).cloned().unwrap_or(Value::Null);
    let country = given.get("country").cloned().unwrap_or(usual);
    json!({"type": "approximate", "city": of("city"), "country": country, "region": of("region"),
        "timezone": of("timezone")})
}

fn read_function(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<Map<String, Value>> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    fields.optional::<String>("type")?;
    let FunctionName(name) = fields.required("name")?;
    let description = fields.optional::<String>("description")?.filter(|text| !text.is_empty());
    let parameters = fields.optional::<Map<String, Value>>("parameters")?;
    let strict = fields.optional::<bool>("strict")?;
    let output_schema = fields.optional::<Value>("output_schema")?;
    let more = ["defer_loading", "allowed_callers", "async"];
    let more = more.map(|key| (key, fields.optional::<Value>(key)));
    let parameters = parameters.filter(|given| !given.is_empty()).unwrap_or_else(|| {
        Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))])
    });
    let (parameters, fault) = match strict {
        None => {
            let fault = schema::fault_of_parameters(&parameters, false);
            (schema::made_strict(parameters), fault)
        }
        Some(strict) => {
            let fault = schema::fault_of_parameters(&parameters, strict);
            (parameters, fault)
        }
    };
    if let Some(what) = fault {
        let kind = ValidationErrorKind::FunctionSchema { function: name, what };
        return fields.error("parameters", kind);
    }
    fields.finish();
    let mut tool = Map::new();
    tool.insert("description".to_owned(), json!(description));
    tool.insert("name".to_owned(), name.into());
    tool.insert("output_schema".to_owned(), output_schema.unwrap_or(Value::Null));
    tool.insert("parameters".to_owned(), parameters.into());
    tool.insert("strict".to_owned(), strict.unwrap_or(true).into());
    for (key, value) in more {
        tool.extend(value?.map(|value| (key.to_owned(), value)));
    }
    Some(tool)
}

fn read_file_search(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<Map<String, Value>> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    fields.optional::<String>("type")?;
    let stores = fields.required::<Vec<String>>("vector_store_ids")?;
    let most = fields.optional::<i64>("max_num_results")?;
    let ranking = fields.or_default::<Map<String, Value>>("ranking_options")?;
    let filters = fields.optional::<Value>("filters")?;
    if let Some(filters) = &filters {
        Filter::read(filters.clone(), &at.key("filters"), fields.errors)?;
    }
    if let Some(most) = most {
        let bounded = integer_between(most, 1, limits::MAX_NUM_RESULTS);
        checked(bounded, &at.key("max_num_results"), fields.errors)?;
    }
    fields.finish();
    let of = |key: &str, usual: Value| ranking.get(key).cloned().unwrap_or(usual);
    let ranking = json!({"ranker": of("ranker", json!("auto")),
        "score_threshold": of("score_threshold", json!(0.0))});
    let tool = json!({"filters": filters, "max_num_results": most.unwrap_or(20),
        "ranking_options": ranking, "vector_store_ids": stores});
    let Value::Object(tool) = tool else { return None };
    Some(tool)
}
