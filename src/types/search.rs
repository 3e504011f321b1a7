//! The request of a search in a vector store, and its answer.

use serde::Serialize;
use serde_json::Value;

use super::{
    limits,
    reader::{
        Few, Fields, Path, Read, ValidationErrorKind, ValidationErrors, checked, decimal_up_to,
        integer_between, type_name,
    },
    store_file::Attributes,
};

/// The ranker that the service wrote into every echoed tool of 2025, unless the request had its
/// other spelling.
pub(super) const RANKER: &str = "default_2024_08_21";
pub(super) const RANKER_WITH_DASHES: &str = "default-2024-08-21";

/// How deep filters may be nested.
const DEPTH: usize = 16;

/// Limits a search by the attributes of files.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Compare { by: Comparison, key: String, value: Value },
    All(Vec<Self>),
    Any(Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
    NotIn,
}

impl Filter {
    /// A missing attribute equals nothing and is in nothing.
    pub fn admits(&self, attributes: &Attributes) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.admits(attributes)),
            Self::Any(filters) => filters.iter().any(|filter| filter.admits(attributes)),
            Self::Compare { by, key, value } => compare(*by, attributes.get(key), value),
        }
    }
}

fn compare(by: Comparison, got: Option<&Value>, value: &Value) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order = got.and_then(|got| order_of(got, value));
    let is_in = || {
        value
            .as_array()
            .into_iter()
            .flatten()
            .any(|one| got.is_some_and(|got| order_of(got, one) == Some(Equal)))
    };
    match by {
        Comparison::Equal => order == Some(Equal),
        Comparison::NotEqual => order != Some(Equal),
        Comparison::Greater => order == Some(Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        Comparison::Less => order == Some(Less),
        Comparison::LessOrEqual => matches!(order, Some(Less | Equal)),
        Comparison::In => is_in(),
        Comparison::NotIn => !is_in(),
    }
}

/// How two values of the same type compare; values of different types do not.
fn order_of(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

impl Read for Filter {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        read_filter(value, at, errors, DEPTH)
    }
}

fn read_filter(
    value: Value,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
    depth: usize,
) -> Option<Filter> {
    const TYPES: [&str; 10] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"];
    if depth == 0 {
        errors.note(at, ValidationErrorKind::TooDeep { max: DEPTH });
        return None;
    }
    let mut fields = Fields::new(value, at, errors)?;
    let kind: String = fields.required("type")?;
    let by = match kind.as_str() {
        "eq" => Comparison::Equal,
        "ne" => Comparison::NotEqual,
        "gt" => Comparison::Greater,
        "gte" => Comparison::GreaterOrEqual,
        "lt" => Comparison::Less,
        "lte" => Comparison::LessOrEqual,
        "in" => Comparison::In,
        "nin" => Comparison::NotIn,
        "and" | "or" => {
            let place = at.key("filters");
            let items = fields.required::<Vec<RawObject>>("filters")?;
            fields.finish();
            let items = items.into_iter().enumerate();
            let read: Vec<_> = items
                .map(|(index, item)| read_filter(item.0, &place.index(index), errors, depth - 1))
                .collect();
            let filters = read.into_iter().collect::<Option<_>>()?;
            return Some(if kind == "and" { Filter::All(filters) } else { Filter::Any(filters) });
        }
        other => return fields.errors.not_one_of(&at.key("type"), other, &TYPES),
    };
    let key = fields.required("key");
    let value = fields.required::<Value>("value");
    fields.finish();
    let value = value?;
    let wants_list = matches!(by, Comparison::In | Comparison::NotIn);
    let fits = match &value {
        Value::Array(items) => {
            wants_list
                && items.iter().all(|item| matches!(item, Value::String(_) | Value::Number(_)))
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => !wants_list,
        _ => false,
    };
    if !fits {
        let expected = if wants_list {
            "an array of strings or numbers"
        } else {
            "one of a string, a number, or a boolean"
        };
        let kind = ValidationErrorKind::WrongType {
            expected: expected.to_owned(),
            got: type_name(&value),
        };
        errors.note(&at.key("value"), kind);
        return None;
    }
    Some(Filter::Compare { by, key: key?, value })
}

/// An object that is read later.
struct RawObject(Value);

impl Read for RawObject {
    fn read(value: Value, _: &Path<'_>, _: &mut ValidationErrors) -> Option<Self> {
        Some(Self(value))
    }
}

#[derive(Clone, Debug)]
pub struct SearchRequest {
    pub queries: Vec<String>,
    pub max_num_results: usize,
    pub filter: Option<Filter>,
    pub score_threshold: f64,
}

impl Read for SearchRequest {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let queries = fields.required::<Queries>("query");
        // Whether the service may rephrase a query: this server never does.
        let rewrite = fields.optional::<bool>("rewrite_query");
        let most = fields.optional::<i64>("max_num_results");
        let filter = fields.optional("filters");
        let ranking = fields.or_default::<ScoreThreshold>("ranking_options");
        fields.finish();
        rewrite?;
        let most =
            integer_between(most?.unwrap_or(limits::SEARCH_RESULTS), 1, limits::MAX_NUM_RESULTS);
        let most = checked(most, &at.key("max_num_results"), errors)?;
        Some(Self {
            queries: queries?.0,
            max_num_results: usize::try_from(most).unwrap_or_default(),
            filter: filter?,
            score_threshold: ranking?.0,
        })
    }
}

/// One query, or several.
struct Queries(Vec<String>);

impl Read for Queries {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(query) => Some(Self(vec![query])),
            Value::Array(queries) if queries.is_empty() => {
                errors.note(at, ValidationErrorKind::EmptyArray);
                None
            }
            Value::Array(_) => Few::<String, { limits::QUERIES }>::read(value, at, errors)
                .map(|queries| Self(queries.0)),
            other => errors.wrong_type(at, "one of a string or array of strings", &other),
        }
    }
}

/// The score below which results are left out. There is one ranker, under any name.
#[derive(Default)]
struct ScoreThreshold(f64);

impl Read for ScoreThreshold {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const RANKERS: [&str; 4] = ["none", "auto", "default-2024-11-15", RANKER];
        let mut fields = Fields::new(value, at, errors)?;
        let ranker = fields.optional::<String>("ranker");
        let threshold = fields.or_default::<f64>("score_threshold");
        fields.finish();
        let is_known = |name: &str| RANKERS.contains(&name) || name == RANKER_WITH_DASHES;
        if let Some(other) = ranker?.filter(|name| !is_known(name)) {
            return errors.not_one_of(&at.key("ranker"), &other, &RANKERS);
        }
        checked(
            decimal_up_to(threshold?, limits::SCORE_THRESHOLD),
            &at.key("score_threshold"),
            errors,
        )
        .map(Self)
    }
}

/// A page of results.
#[derive(Debug, Serialize)]
pub struct SearchPage {
    object: &'static str,
    search_query: Vec<String>,
    data: Vec<SearchItem>,
    has_more: bool,
    next_page: Option<String>,
}

impl SearchPage {
    pub fn new(
        search_query: Vec<String>,
        data: Vec<SearchItem>,
        next_page: Option<String>,
    ) -> Self {
        let has_more = next_page.is_some();
        Self { object: "vector_store.search_results.page", search_query, data, has_more, next_page }
    }
}

#[derive(Debug, Serialize)]
pub struct SearchItem {
    pub file_id: String,
    pub filename: String,
    pub score: f64,
    pub attributes: Attributes,
    pub content: Vec<TextPart>,
}

/// A piece of text, as results and contents of files show it.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct TextPart {
    #[serde(rename = "type")]
    kind: TextKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum TextKind {
    Text,
}

impl TextPart {
    pub fn new(text: String) -> Self {
        Self { kind: TextKind::Text, text }
    }
}

/// The text that was found in a file of a store.
#[derive(Debug, Serialize)]
pub struct ContentPage {
    object: &'static str,
    data: Vec<TextPart>,
    has_more: bool,
    next_page: Option<String>,
}

impl ContentPage {
    pub fn new(text: String) -> Self {
        Self {
            object: "vector_store.file_content.page",
            data: vec![TextPart::new(text)],
            has_more: false,
            next_page: None,
        }
    }
}
