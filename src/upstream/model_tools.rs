//! The tools that a model is offered, and its calls of them, in the form that all kinds of upstreams
//! share. The emulator searches the files of a run itself, so the upstream needs no files: for the
//! model the search is a function.

use serde_json::{Value, json};

use super::client::{TurnError, UpstreamCall, UpstreamRequest};
use crate::types::{
    Tool,
    step::{ToolCall, ToolCallKind},
    tool::FILE_SEARCH,
};

/// Explains to the model the purpose of its search, and how to cite the results.
pub(super) const SEARCHES: &str = "Searches the files that were uploaded for this conversation. Each result begins with a marker \
     such as 【4:0†policy.txt】. Where the answer rests on a result, copy its marker, unchanged, \
     behind what it supports.";

/// The name of the search tool: that of the tool, unless the run has a function of that name.
pub(super) fn search_name(asked: &UpstreamRequest) -> Option<String> {
    let is_taken = |name: &str| {
        asked
            .run
            .tools
            .iter()
            .any(|tool| matches!(tool, Tool::Function { function } if function.name == name))
    };
    let name = if is_taken(FILE_SEARCH) { "search_uploaded_files" } else { FILE_SEARCH };
    (asked.conversation.can_search
        && asked.run.tools.iter().any(|tool| matches!(tool, Tool::FileSearch { .. })))
    .then(|| name.to_owned())
}

pub(super) fn search_parameters() -> Value {
    json!({
        "type": "object",
        "properties": {"query": {"type": "string",
            "description": "What to look for, in words of the files."}},
        "required": ["query"],
    })
}

/// A function call of the model, or the search that it means.
pub(super) fn call(
    search: Option<&str>,
    name: String,
    arguments: String,
) -> Result<UpstreamCall, TurnError> {
    // Some models send no arguments in place of an empty object.
    let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
    let Ok(parsed) = serde_json::from_str::<Value>(&arguments) else {
        return Err(TurnError::because(format_args!(
            "called the function '{name}' with arguments that are not JSON: {arguments}"
        )));
    };
    if search == Some(name.as_str()) {
        let query = parsed["query"].as_str().map_or_else(|| arguments.clone(), str::to_owned);
        return Ok(UpstreamCall::Search { query });
    }
    Ok(UpstreamCall::Function { name, arguments })
}

/// A call as the model made it, and its output.
pub(super) struct AnsweredCall<'a> {
    pub id: &'a str,
    pub name: String,
    pub arguments: String,
    pub output: String,
}

/// The call, unless the upstream has made and answered it itself.
pub(super) fn answered<'a>(
    asked: &UpstreamRequest,
    call: &'a ToolCall,
) -> Option<AnsweredCall<'a>> {
    let id = call.id.as_str();
    Some(match &call.kind {
        ToolCallKind::Function { function } => AnsweredCall {
            id,
            name: function.name.clone(),
            arguments: function.arguments.clone(),
            output: function.output.clone().unwrap_or_default(),
        },
        ToolCallKind::FileSearch { file_search } => {
            let query = file_search.query.as_deref().unwrap_or_default();
            AnsweredCall {
                id,
                name: search_name(asked).unwrap_or_default(),
                arguments: json!({ "query": query }).to_string(),
                output: asked.conversation.found.get(id).cloned().unwrap_or_default(),
            }
        }
        ToolCallKind::CodeInterpreter { .. } => return None,
    })
}

/// The tool to use; `function` writes the choice of a function. A forced call is done once anything
/// was called.
pub(super) fn tool_choice(
    asked: &UpstreamRequest,
    function: impl Fn(&str) -> Value,
) -> Option<Value> {
    let has_called = asked.steps.iter().any(|step| !step.tool_calls().is_empty());
    let choice = &asked.run.tool_choice;
    match choice.word() {
        Some("none") => Some(Value::from("none")),
        Some("required") if !has_called => Some(Value::from("required")),
        None if !has_called && choice.is_search() => search_name(asked).map(|name| function(&name)),
        None if !has_called => choice.function().map(function),
        _ => None,
    }
}

/// How many tokens the model may still write.
pub(super) fn tokens_left(asked: &UpstreamRequest) -> Option<u64> {
    let most = u64::try_from(asked.run.max_completion_tokens?).ok()?;
    let usages = asked.steps.iter().filter_map(|step| step.usage);
    let spent: u64 = usages.map(|usage| usage.completion_tokens).sum();
    Some(most.saturating_sub(spent).max(1))
}
