//! The expectations of a test, from JSON or YAML. The reader reports every mistake with its place.

use serde_json::Value;

use crate::{
    fixture::{
        fault::{Method, PathGlob},
        matching::{TextMatcher, TextMatchers},
    },
    types::reader::{
        AtLeast, Fields, Path, Read, ValidationErrorKind, ValidationErrors, checked,
        integer_between, type_name,
    },
};

/// A list of expectations, for `/_rehearsal/verify` and `exec --verify`.
#[derive(Debug)]
pub struct Expectations(pub(super) Vec<Expectation>);

/// One expectation.
#[derive(Debug)]
pub(super) struct Expectation {
    pub what: Expected,
    /// The only session that counts. `None` for all sessions.
    pub session: Option<String>,
    pub line: usize,
    /// Its text in the document.
    pub source: Value,
}

#[derive(Debug)]
pub(super) enum Expected {
    /// This reply answers so many runs.
    Reply(String, Times),
    Turn(Box<TurnMatcher>, Times),
    Request(Box<RequestMatcher>, Times),
    /// No reply matches so many runs.
    Unmatched(Times),
    /// The replies answer runs in this order.
    Order(Vec<String>),
}

/// The expected number of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    pub at_least: u64,
    pub at_most: Option<u64>,
}

/// The conditions on a turn. All given conditions must hold.
#[derive(Debug)]
pub(super) struct TurnMatcher {
    pub message: Option<TextMatcher>,
    pub instructions: Option<TextMatcher>,
    pub model: Option<TextMatcher>,
    pub assistant: Option<TextMatcher>,
    pub tools: Vec<String>,
    /// By the name of the function.
    pub tool_outputs: Vec<(String, TextMatcher)>,
}

/// The conditions on a request. All given conditions must hold.
#[derive(Debug)]
pub(super) struct RequestMatcher {
    pub method: Option<String>,
    /// The glob, and its text.
    pub path: Option<(PathGlob, String)>,
    pub status: Option<u16>,
    /// A part that the body must contain.
    pub body: Option<Value>,
}

/// The possible keys of an expectation, which has one of them.
const KINDS: [&str; 5] = ["reply", "turn", "request", "unmatched", "order"];

impl Times {
    const ONCE: Self = Self { at_least: 1, at_most: None };

    pub(super) fn admits(self, count: u64) -> bool {
        count >= self.at_least && self.at_most.is_none_or(|most| count <= most)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.at_least, self.at_most) {
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

impl Read for Expectations {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let expect = fields.required::<Vec<Expectation>>("expect");
        fields.finish();
        expect.map(Self)
    }
}

impl Read for Expectation {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let source = value.clone();
        let mut fields = Fields::new(value, at, errors)?;
        let reply = fields.optional::<String>("reply");
        let turn = fields.optional::<TurnMatcher>("turn");
        let request = fields.optional::<RequestMatcher>("request");
        let unmatched = fields.optional::<Times>("unmatched");
        let order = fields.optional::<Vec<String>>("order");
        let times = fields.optional::<Times>("times");
        let session = fields.optional::<String>("session");
        fields.finish();
        let (times, has_times) = (times?, source.get("times").is_some());
        let counted = times.unwrap_or(Times::ONCE);
        let kinds = [
            reply?.map(|name| Expected::Reply(name, counted)),
            turn?.map(|turn| Expected::Turn(Box::new(turn), counted)),
            request?.map(|request| Expected::Request(Box::new(request), counted)),
            unmatched?.map(Expected::Unmatched),
            order?.map(Expected::Order),
        ];
        let mut kinds: Vec<_> = kinds.into_iter().flatten().collect();
        let (Some(what), true) = (kinds.pop(), kinds.is_empty()) else {
            let [first @ .., last] = KINDS;
            let what = format!(
                "an expectation needs exactly one of '{}' and '{last}'",
                first.join("', '")
            );
            errors.note(at, ValidationErrorKind::Other(what));
            return None;
        };
        match &what {
            Expected::Unmatched(_) | Expected::Order(_) if has_times => {
                let what = "use 'times' only with 'reply', 'turn' or 'request'".to_owned();
                errors.note(&at.key("times"), ValidationErrorKind::Key(what));
                return None;
            }
            Expected::Order(names) if names.is_empty() => {
                errors.note(&at.key("order"), ValidationErrorKind::EmptyArray);
                return None;
            }
            _ => {}
        }
        Some(Self { what, session: session?, line: at.line(), source })
    }
}

impl Read for Times {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::Number(_) => {
                let AtLeast(count) = AtLeast::<0>::read(value, at, errors)?;
                Some(Self { at_least: count, at_most: Some(count) })
            }
            Value::Object(_) => Self::read_bounds(value, at, errors),
            other => {
                let kind = ValidationErrorKind::WrongType {
                    expected: "an integer or a map of 'at_least' and 'at_most'".to_owned(),
                    got: type_name(&other),
                };
                errors.note(at, kind);
                None
            }
        }
    }
}

impl Times {
    fn read_bounds(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let at_least = fields.optional::<AtLeast<0>>("at_least");
        let at_most = fields.optional::<AtLeast<0>>("at_most");
        fields.finish();
        let (at_least, at_most) = (at_least?.map(|it| it.0), at_most?.map(|it| it.0));
        let what = match (at_least, at_most) {
            (None, None) => "give 'at_least', 'at_most' or both".to_owned(),
            (Some(least), Some(most)) if least > most => {
                format!("'at_least' ({least}) is greater than 'at_most' ({most})")
            }
            _ => return Some(Self { at_least: at_least.unwrap_or_default(), at_most }),
        };
        errors.note(at, ValidationErrorKind::Other(what));
        None
    }
}

impl Read for TurnMatcher {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let message = fields.optional("message");
        let instructions = fields.optional("instructions");
        let model = fields.optional("model");
        let assistant = fields.optional("assistant");
        let tools = fields.or_default("tools");
        let tool_outputs = fields.optional::<TextMatchers>("tool_outputs");
        fields.finish();
        Some(Self {
            message: message?,
            instructions: instructions?,
            model: model?,
            assistant: assistant?,
            tools: tools?,
            tool_outputs: tool_outputs?.map(|it| it.0).unwrap_or_default(),
        })
    }
}

impl Read for RequestMatcher {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let written = value.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut fields = Fields::new(value, at, errors)?;
        let method = fields.optional::<Method>("method");
        let path = fields.optional::<PathGlob>("path");
        let status = fields.optional::<i64>("status");
        let body = fields.optional::<Value>("body");
        fields.finish();
        let status = match status? {
            Some(status) => {
                Some(checked(integer_between(status, 100, 599), &at.key("status"), errors)?)
            }
            None => None,
        };
        Some(Self {
            method: method?.map(|method| method.0.to_uppercase()),
            path: path?.map(|glob| (glob, written)),
            status: status.and_then(|status| u16::try_from(status).ok()),
            body: body?,
        })
    }
}
