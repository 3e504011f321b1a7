//! The parts of a response outside its JSON: the layout of the body, the headers, the end of a
//! stream.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Response;
use crate::server::Answer;

/// Headers of the recordings that come from the network in front of the service, and headers of an
/// encrypted connection. This server has neither.
const NOT_OURS: [&str; 4] = ["date", "server", "strict-transport-security", "transfer-encoding"];

/// Headers whose values are made up, or change with each response.
const FREE: [&str; 5] = [
    "content-length",
    "openai-processing-ms",
    "openai-organization",
    "openai-project",
    "x-request-id",
];

pub fn differences(recorded: &Response, answer: &Answer) -> Vec<String> {
    let mut differences = layout(recorded, answer);
    for (name, value) in
        recorded.headers.iter().flatten().filter(|(name, _)| !NOT_OURS.contains(&name.as_str()))
    {
        // A stream has no length, and neither has a response that was recorded in pieces.
        if name == "content-length" {
            continue;
        }
        match answer.headers.get(name.as_str()).and_then(|got| got.to_str().ok()) {
            None => differences.push(format!("header {name}: recorded {value}, got none")),
            Some(got) if !FREE.contains(&name.as_str()) && !is_alike(value, got) => {
                differences.push(format!("header {name}: recorded {value}, got {got}"));
            }
            Some(_) => {}
        }
    }
    let request_id =
        answer.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let is_hex = |text: &str| {
        text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !request_id.strip_prefix("req_").is_some_and(is_hex) {
        differences.push(format!("x-request-id: {request_id}"));
    }
    differences
}

/// Recordings made by hand have fewer details about streams.
fn is_alike(recorded: &str, got: &str) -> bool {
    recorded == got || (recorded == "text/event-stream" && got.starts_with(recorded))
}

/// JSON is indented by two spaces. The recorded length shows whether a newline is at the end. A
/// stream has the recorded end.
fn layout(recorded: &Response, answer: &Answer) -> Vec<String> {
    if let Some(tail) = &recorded.sse_raw_tail {
        let tail = &tail[tail.find("event: done").unwrap_or_default()..];
        return if answer.text.ends_with(tail) {
            Vec::new()
        } else {
            vec![format!(
                "the stream ends {:?}",
                answer.text.get(answer.text.len().saturating_sub(40)..)
            )]
        };
    }
    let Some(body) =
        recorded.body.as_ref().filter(|body| body.is_object() && body.get("_binary").is_none())
    else {
        return Vec::new();
    };
    let Ok(got) = serde_json::from_str::<Value>(&answer.text) else { return Vec::new() };
    let (recorded_length, plain) = (length(recorded.headers.as_ref()), pretty(body).len());
    let ends_line =
        recorded_length.map_or(answer.text.ends_with('\n'), |length| length == plain + 1);
    let expected = format!("{}{}", pretty(&got), if ends_line { "\n" } else { "" });
    if answer.text == expected {
        Vec::new()
    } else {
        vec![format!("the body is laid out otherwise: {:?}", answer.text)]
    }
}

/// The recorded length, if there is one.
fn length(headers: Option<&BTreeMap<String, String>>) -> Option<usize> {
    headers?.get("content-length")?.parse().ok()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
