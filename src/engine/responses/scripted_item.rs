//! How streams show an item that a fixture spells out: begun without what it has yet to get, then
//! its progress, then whole. Recorded; of pictures it is documented.

use serde_json::{Value, json};

use super::{
    event::{ItemPlace, ResponseEventKind, Written},
    open_item::{OpenItem, OpenKind},
};
use crate::{
    tokens,
    types::{
        Item,
        response::{
            item::{
                CUSTOM_TOOL_CALL, ItemStatus, MCP_CALL, MCP_LIST_TOOLS, MESSAGE, WEB_SEARCH_CALL,
            },
            model::ModelDefaults,
        },
    },
};

/// The events of an item that is whole.
pub(super) fn events(item: &Item, place: &ItemPlace, model: &str) -> Vec<ResponseEventKind> {
    if item.is(MESSAGE) {
        return message(item, place, model);
    }
    let mut told = vec![ResponseEventKind::ItemAdded(place.clone(), Box::new(begun(item, model)))];
    match item.kind.as_str() {
        MCP_CALL => call_of_server(item, place, &mut told),
        CUSTOM_TOOL_CALL => {
            let input = item.text_at("input").unwrap_or_default();
            let pieces = tokens::pieces(model, input).into_iter().map(|piece| piece.text);
            write(place, Written::Input, pieces, &mut told);
        }
        kind => {
            let names = progress(kind).iter();
            told.extend(names.map(|name| ResponseEventKind::Progress(place.clone(), name)));
        }
    }
    told.push(ResponseEventKind::ItemDone(place.clone(), Box::new(item.clone())));
    told
}

/// The events of a message, whose text comes in pieces. Recorded: an annotation follows the piece
/// that ends the cited text.
fn message(item: &Item, place: &ItemPlace, model: &str) -> Vec<ResponseEventKind> {
    let mut told = Vec::new();
    let phase = item.text_at("phase").map(str::to_owned);
    let kind = OpenKind::Message { parts: Vec::new(), part: None, phase };
    let mut open = OpenItem { id: place.id.clone(), output_index: place.output_index, kind };
    open.begin(&mut told);
    for part in item.parts() {
        if let Some(text) = part["text"].as_str() {
            let annotations = part["annotations"].as_array().map_or(&[][..], Vec::as_slice);
            annotated(text, annotations, model, &mut open, &mut told);
        }
        for piece in tokens::pieces(model, part["refusal"].as_str().unwrap_or_default()) {
            open.refusal(piece.text, &mut told);
        }
        open.close_part(&mut told);
    }
    told.push(ResponseEventKind::ItemDone(place.clone(), Box::new(item.clone())));
    told
}

/// A text with its annotations.
fn annotated(
    text: &str,
    annotations: &[Value],
    model: &str,
    open: &mut OpenItem,
    told: &mut Vec<ResponseEventKind>,
) {
    let end = |annotation: &Value| {
        annotation["end_index"].as_u64().or_else(|| annotation["index"].as_u64())
    };
    let mut annotations = annotations.iter().peekable();
    let mut written = 0;
    for piece in tokens::pieces(model, text) {
        written += u64::try_from(piece.text.chars().count()).unwrap_or_default();
        open.text(piece.text, told);
        while let Some(next) = annotations.next_if(|it| end(it).is_some_and(|end| end <= written)) {
            open.annotate(|_| next.clone(), told);
        }
    }
    annotations.for_each(|rest| open.annotate(|_| rest.clone(), told));
}

/// The item as it is when it is added.
fn begun(item: &Item, model: &str) -> Item {
    let mut begun = item.clone();
    let rest = &mut begun.rest;
    let yet_to_come: &[(&str, Value)] = match item.kind.as_str() {
        MCP_CALL => &[("arguments", json!("")), ("error", Value::Null), ("output", Value::Null)],
        MCP_LIST_TOOLS => &[("tools", json!([]))],
        CUSTOM_TOOL_CALL => &[("input", json!(""))],
        // Models that reason do not say yet what they do.
        WEB_SEARCH_CALL if ModelDefaults::of(model).reasons() => {
            rest.shift_remove("action");
            &[]
        }
        WEB_SEARCH_CALL => &[("action", json!({"type": "search"}))],
        _ => &[],
    };
    let in_progress = ("status", json!(ItemStatus::InProgress.name()));
    for (key, value) in [&in_progress].into_iter().chain(yet_to_come) {
        if let Some(known) = rest.get_mut(*key) {
            *known = value.clone();
        }
    }
    begun
}

fn call_of_server(item: &Item, place: &ItemPlace, told: &mut Vec<ResponseEventKind>) {
    told.push(ResponseEventKind::Progress(place.clone(), "response.mcp_call.in_progress"));
    let arguments = item.text_at("arguments").unwrap_or_default().to_owned();
    write(place, Written::ServerArguments, [arguments].into_iter(), told);
    let has_failed = item.rest.get("error").is_some_and(|error| !error.is_null());
    let end = if has_failed { "response.mcp_call.failed" } else { "response.mcp_call.completed" };
    told.push(ResponseEventKind::Progress(place.clone(), end));
}

/// A text in pieces, and then as a whole.
fn write(
    place: &ItemPlace,
    written: Written,
    pieces: impl Iterator<Item = String>,
    told: &mut Vec<ResponseEventKind>,
) {
    let mut whole = String::new();
    for piece in pieces {
        whole += &piece;
        told.push(ResponseEventKind::Delta(place.clone(), written, piece, None));
    }
    told.push(ResponseEventKind::Done(place.clone(), written, whole));
}

/// The progress of a call between its beginning and its end.
fn progress(kind: &str) -> &'static [&'static str] {
    match kind {
        WEB_SEARCH_CALL => &[
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
        ],
        MCP_LIST_TOOLS => {
            &["response.mcp_list_tools.in_progress", "response.mcp_list_tools.completed"]
        }
        "image_generation_call" => &[
            "response.image_generation_call.in_progress",
            "response.image_generation_call.generating",
            "response.image_generation_call.completed",
        ],
        _ => &[],
    }
}
