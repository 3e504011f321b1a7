//! Calls that the client performs, and the items with which it answers them.
//!
//! This is the only list of such pairs. The engine, the checks of requests and the import of
//! recordings use it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    Item,
    item::{CUSTOM_TOOL_CALL, FUNCTION_CALL, FUNCTION_CALL_OUTPUT},
};
use crate::types::tool::FunctionCall;

const APPROVAL_REQUEST: &str = "mcp_approval_request";
const APPROVAL_RESPONSE: &str = "mcp_approval_response";
const TOOL_SEARCH_CALL: &str = "tool_search_call";

/// The types of calls, and the types of their answers. Documented.
const PAIRS: [(&str, &str); 8] = [
    (FUNCTION_CALL, FUNCTION_CALL_OUTPUT),
    (CUSTOM_TOOL_CALL, "custom_tool_call_output"),
    (APPROVAL_REQUEST, APPROVAL_RESPONSE),
    ("computer_call", "computer_call_output"),
    ("local_shell_call", "local_shell_call_output"),
    ("shell_call", "shell_call_output"),
    ("apply_patch_call", "apply_patch_call_output"),
    (TOOL_SEARCH_CALL, "tool_search_output"),
];

/// Whether the client performs a call of this type and with these keys.
pub fn is_for_client(kind: &str, keys: &Map<String, Value>) -> bool {
    let is_call = PAIRS.iter().any(|(call, _)| *call == kind);
    is_call && (kind != TOOL_SEARCH_CALL || keys.get("execution") == Some(&json!("client")))
}

/// Whether a call of this type has the key `call_id`, by which its answer names it.
pub fn has_call_id(kind: &str, keys: &Map<String, Value>) -> bool {
    is_for_client(kind, keys) && kind != APPROVAL_REQUEST
}

/// The calls among items that no other item of the list answers.
pub fn open_calls(items: &[Item]) -> impl Iterator<Item = &Item> {
    let answered: HashSet<_> = items.iter().filter_map(Item::answers).collect();
    items.iter().filter(move |item| item.asks().is_some_and(|id| !answered.contains(id)))
}

impl Item {
    /// The id by which the client answers this call, if the client performs it.
    pub fn asks(&self) -> Option<&str> {
        let id = self.call_id().unwrap_or_else(|| self.id.as_str());
        let is_whole = self.text_at("status") != Some("incomplete");
        (is_whole && is_for_client(&self.kind, &self.rest)).then_some(id)
    }

    /// The id of the call that this item answers.
    pub fn answers(&self) -> Option<&str> {
        let is_answer = PAIRS.iter().any(|(_, answer)| *answer == self.kind);
        let named = self.call_id().or_else(|| self.text_at("approval_request_id"));
        is_answer.then(|| named.unwrap_or_else(|| self.id.as_str()))
    }

    /// The call in the form for performers, which is that of a function.
    pub fn client_call(&self) -> Option<FunctionCall> {
        let id = self.asks()?.to_owned();
        let name = self.text_at("name").unwrap_or_else(|| self.kind.trim_end_matches("_call"));
        let given = ["arguments", "input", "action", "actions", "operation"];
        let arguments = given.iter().find_map(|key| self.rest.get(*key));
        let arguments = arguments.map_or_else(|| "{}".to_owned(), text);
        Some(FunctionCall { id, name: name.to_owned(), arguments })
    }

    /// The answer to a call, as text.
    pub fn output(&self) -> String {
        if self.is(APPROVAL_RESPONSE) {
            let of = |key: &str| self.rest.get(key).cloned().unwrap_or_default();
            return json!({"approve": of("approve"), "reason": of("reason")}).to_string();
        }
        let keys = ["output", "tools", "status"];
        keys.iter().find_map(|key| self.rest.get(*key)).map(text).unwrap_or_default()
    }

    /// What an error calls this type of call: the words of the type. Reported by users for
    /// functions, custom tools and computers. Other types are not checked.
    pub fn checked_call(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            FUNCTION_CALL | FUNCTION_CALL_OUTPUT => Some("function call"),
            CUSTOM_TOOL_CALL | "custom_tool_call_output" => Some("custom tool call"),
            "computer_call" | "computer_call_output" => Some("computer call"),
            _ => None,
        }
    }
}

/// A value as text: the texts of its parts, or else JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<_> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            if texts.is_empty() { value.to_string() } else { texts.join("\n") }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: &str, rest: Value) -> Item {
        Item::new("it_1", kind, rest)
    }

    #[test]
    fn an_answer_names_its_call() {
        let custom =
            item(CUSTOM_TOOL_CALL, json!({"call_id": "call_1", "name": "c", "input": "x"}));
        assert_eq!(custom.asks(), Some("call_1"));
        let answer = item("custom_tool_call_output", json!({"call_id": "call_1", "output": "y"}));
        assert_eq!((answer.answers(), answer.output().as_str()), (Some("call_1"), "y"));
        let request = item(APPROVAL_REQUEST, json!({"name": "f", "arguments": "{}"}));
        assert_eq!(request.asks(), Some("it_1"));
        let rest = json!({"approval_request_id": "it_1", "approve": true});
        let answer = item(APPROVAL_RESPONSE, rest);
        assert_eq!(answer.answers(), Some("it_1"));
        assert_eq!(answer.output(), r#"{"approve":true,"reason":null}"#);
    }

    #[test]
    fn an_answer_with_other_parts_than_texts_is_json() {
        let found =
            json!({"call_id": "call_1", "execution": "client", "tools": [{"type": "function"}]});
        assert_eq!(item("tool_search_output", found).output(), r#"[{"type":"function"}]"#);
        let texts = json!({"output": [{"type": "input_text", "text": "a"}, {"text": "b"}]});
        assert_eq!(item("custom_tool_call_output", texts).output(), "a\nb");
    }

    #[test]
    fn a_call_is_open_until_an_item_answers_it() {
        let call = |id: &str| item("shell_call", json!({"call_id": id}));
        let items = [
            call("call_1"),
            item("shell_call_output", json!({"call_id": "call_1"})),
            call("call_2"),
        ];
        let open: Vec<_> = open_calls(&items).filter_map(Item::asks).collect();
        assert_eq!(open, ["call_2"]);
        assert_eq!(item("shell_call", json!({"status": "incomplete"})).asks(), None);
    }

    #[test]
    fn the_service_performs_its_own_tool_searches() {
        assert_eq!(item(TOOL_SEARCH_CALL, json!({"execution": "server"})).asks(), None);
        let own = json!({"execution": "client", "call_id": "call_2"});
        assert_eq!(item(TOOL_SEARCH_CALL, own).asks(), Some("call_2"));
    }

    #[test]
    fn a_call_without_a_name_has_that_of_its_type() {
        let rest = json!({"call_id": "call_3", "action": {"type": "click", "x": 1}});
        let call = item("computer_call", rest).client_call().expect("a call");
        assert_eq!(
            (call.name.as_str(), call.arguments.as_str()),
            ("computer", r#"{"type":"click","x":1}"#)
        );
    }
}
