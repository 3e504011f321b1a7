//! The search in the files of a run, as a function of the model. The emulator makes the search, so
//! the upstream needs no files.

use serde_json::{Value, json};

use super::client::{TurnError, UpstreamCall, UpstreamRequest};
use crate::types::{Tool, tool::FILE_SEARCH};

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
        let cut: String = arguments.chars().take(100).collect();
        return Err(TurnError::because(format_args!(
            "called the function '{name}' with arguments that are not JSON: {cut}"
        )));
    };
    if search == Some(name.as_str()) {
        let query = parsed["query"].as_str().map_or_else(|| arguments.clone(), str::to_owned);
        return Ok(UpstreamCall::Search { query });
    }
    Ok(UpstreamCall::Function { name, arguments })
}
