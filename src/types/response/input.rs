//! The input of a response or a conversation from a client: items, unchanged.

use serde_json::{Map, Value, json};

use super::item::{
    self, FUNCTION_CALL, FUNCTION_CALL_OUTPUT, ITEM_REFERENCE, Item, ItemStatus, MESSAGE, REASONING,
};
use crate::types::{
    id, limits,
    reader::{Fields, Path, Read, Text, ValidationErrorKind, ValidationErrors},
};

/// An item from a client: its own id or none, its type, and the rest.
#[derive(Clone, Debug)]
pub struct NewItem {
    pub id: Option<String>,
    pub kind: String,
    pub rest: Map<String, Value>,
}

/// The input of a response: a text, or a list of items.
#[derive(Clone, Debug, Default)]
pub struct Input(pub Vec<NewItem>);

impl NewItem {
    /// The item, with this id unless it has one.
    pub fn into_item(self, id: impl FnOnce(&str) -> String) -> Item {
        let Self { id: own, kind, rest } = self;
        let id = own.unwrap_or_else(|| id(item::prefix_of(&kind).unwrap_or("item_")));
        Item::new(id, &kind, Value::Object(rest))
    }

    /// The item with another id, in place of its own.
    pub fn with_id(self, id: impl FnOnce(&str) -> String) -> Item {
        Self { id: None, ..self }.into_item(id)
    }

    /// The id of the item that it refers to, if it is a reference.
    pub fn reference(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.kind == ITEM_REFERENCE)
    }

    fn user_message(text: String) -> Self {
        let content = json!([{"type": "input_text", "text": text}]);
        Self { id: None, kind: MESSAGE.to_owned(), rest: message_rest("user", content, None) }
    }
}

/// An id that a client gives an item.
struct GivenId(String);

impl Read for GivenId {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let Text(id) = Text::<{ limits::ITEM_ID }>::read(value, at, errors)?;
        let kind = if id.is_empty() {
            ValidationErrorKind::EmptyString
        } else if let Err(kind) = id::check(&id, "") {
            kind
        } else {
            return Some(Self(id));
        };
        errors.note(at, kind);
        None
    }
}

/// A message with its keys in the recorded order.
fn message_rest(role: &str, content: Value, phase: Option<Value>) -> Map<String, Value> {
    let mut rest = Map::new();
    rest.insert("status".to_owned(), "completed".into());
    rest.insert("content".to_owned(), content);
    if let Some(phase) = phase {
        rest.insert("phase".to_owned(), phase);
    }
    rest.insert("role".to_owned(), role.into());
    rest
}

impl Read for Input {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(_) => {
                let Text(text) = Text::<{ limits::INPUT_TEXT }>::read(value, at, errors)?;
                Some(Self(vec![NewItem::user_message(text)]))
            }
            Value::Array(_) => Vec::read(value, at, errors).map(Self),
            other => errors.wrong_type(at, "one of a string or array of input items", &other),
        }
    }
}

impl Read for NewItem {
    const PLURAL: &'static str = "input items";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let Value::Object(map) = value else {
            return errors.wrong_type(at, "an input item", &value);
        };
        let kind = match map.get("type") {
            Some(kind) if !kind.is_null() => String::read(kind.clone(), &at.key("type"), errors)?,
            _ if map.contains_key("role") || map.contains_key("content") => MESSAGE.to_owned(),
            // Recorded of clients that leave it out: a reference is an id alone.
            _ if map.len() == 1 && map.contains_key("id") => ITEM_REFERENCE.to_owned(),
            _ => {
                errors.note(&at.key("type"), ValidationErrorKind::Missing);
                return None;
            }
        };
        match kind.as_str() {
            MESSAGE => read_message(map, at, errors),
            FUNCTION_CALL => read_call(map, at, errors),
            FUNCTION_CALL_OUTPUT => read_output(map, at, errors),
            REASONING => read_reasoning(map, at, errors),
            ITEM_REFERENCE => read_reference(map, at, errors),
            known if item::prefix_of(known).is_some() => other(known, map, at, errors),
            unknown => errors.not_one_of(&at.key("type"), unknown, &item::kinds()),
        }
    }
}

/// An item that only passes through, with its keys unchanged.
fn other(
    kind: &str,
    mut map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    map.shift_remove("type");
    let id = match map.shift_remove("id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(GivenId::read(id, &at.key("id"), errors)?.0),
    };
    if item::has_status(kind) && !map.contains_key("status") {
        map.shift_insert(0, "status".to_owned(), ItemStatus::Completed.name().into());
    }
    Some(NewItem { id, kind: kind.to_owned(), rest: map })
}

/// The id of an item, if it has one. Its type is known, and the service decides its status.
fn id_of(fields: &mut Fields<'_, '_>) -> Option<Option<String>> {
    fields.optional::<String>("type")?;
    fields.optional::<String>("status")?;
    Some(fields.optional::<GivenId>("id")?.map(|id| id.0))
}

fn read_message(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    let id = id_of(&mut fields)?;
    let role = fields.required::<Speaker>("role")?;
    let content = fields.required::<Value>("content")?;
    let content = read_content(content, role.0, &at.key("content"), fields.errors)?;
    let phase = fields.optional::<Value>("phase")?;
    fields.finish();
    Some(NewItem { id, kind: MESSAGE.to_owned(), rest: message_rest(role.0, content, phase) })
}

/// The role of a message.
struct Speaker(&'static str);

impl Read for Speaker {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const ROLES: [&str; 4] = ["assistant", "system", "developer", "user"];
        let word = String::read(value, at, errors)?;
        match ROLES.into_iter().find(|role| *role == word) {
            Some(role) => Some(Self(role)),
            None => errors.not_one_of(at, &word, &ROLES),
        }
    }
}

/// The parts of a message. A text becomes one part, of the kind for the role.
fn read_content(
    content: Value,
    role: &str,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<Value> {
    match content {
        Value::String(_) => {
            let Text(text) = Text::<{ limits::INPUT_TEXT }>::read(content, at, errors)?;
            let part = if role == "assistant" {
                item::text_part(&text, &[])
            } else {
                json!({"type": "input_text", "text": text})
            };
            Some(json!([part]))
        }
        Value::Array(_) => Vec::<Part>::read(content, at, errors)
            .map(|parts| parts.into_iter().map(|part| part.0).collect()),
        other => errors.wrong_type(at, "one of a string or array of objects", &other),
    }
}

/// One part of a message, with its type first and the keys that the service fills in.
struct Part(Value);

impl Read for Part {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const PARTS: [&str; 7] = [
            "input_text",
            "input_image",
            "output_text",
            "refusal",
            "input_file",
            "computer_screenshot",
            "summary_text",
        ];
        let Value::Object(mut map) = value else {
            return errors.wrong_type(at, "an object", &value);
        };
        let kind = match map.shift_remove("type") {
            Some(kind) => String::read(kind, &at.key("type"), errors)?,
            None => {
                errors.note(&at.key("type"), ValidationErrorKind::Missing);
                return None;
            }
        };
        if !PARTS.contains(&kind.as_str()) {
            return errors.not_one_of(&at.key("type"), &kind, &PARTS);
        }
        let needed = match kind.as_str() {
            "input_text" | "output_text" | "summary_text" => Some("text"),
            "refusal" => Some("refusal"),
            _ => None,
        };
        if let Some(key) = needed {
            match map.get(key) {
                Some(Value::String(_)) => {}
                Some(other) => return errors.wrong_type(&at.key(key), "a string", other),
                None => {
                    errors.note(&at.key(key), ValidationErrorKind::Missing);
                    return None;
                }
            }
        }
        if kind == "input_file" {
            check_file(&map, at, errors)?;
        }
        Some(Self(match kind.as_str() {
            "output_text" => {
                let annotations = map.get("annotations").and_then(Value::as_array).cloned();
                let text = map.get("text").and_then(Value::as_str).unwrap_or_default();
                item::text_part(text, &annotations.unwrap_or_default())
            }
            _ => {
                let mut part = Map::from_iter([("type".to_owned(), Value::from(kind))]);
                part.extend(map);
                Value::Object(part)
            }
        }))
    }
}

/// Rejects a file of a type that no model reads. Recorded for audio, by its data and by its
/// address.
fn check_file(
    map: &Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<()> {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let mime = text("file_data").and_then(|data| data.strip_prefix("data:"));
    let mime = mime.and_then(|rest| rest.split([';', ',']).next());
    let is_media = |mime: &&str| mime.starts_with("audio/") || mime.starts_with("video/");
    if let Some(mime) = mime.filter(is_media) {
        let kind = ValidationErrorKind::FileData { mime: mime.to_owned() };
        errors.note(&at.key("file_data"), kind);
        return None;
    }
    let address = text("file_url").unwrap_or_default().to_lowercase();
    if [".mp3", ".wav", ".ogg", ".mp4", ".mov"].iter().any(|end| address.ends_with(end)) {
        errors.note(at, ValidationErrorKind::FileUrl);
        return None;
    }
    Some(())
}

fn read_call(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    let id = id_of(&mut fields)?;
    let arguments = fields.required::<String>("arguments");
    let call_id = fields.required::<String>("call_id");
    let name = fields.required::<String>("name");
    let more = ["namespace", "caller"].map(|key| (key, fields.optional::<Value>(key)));
    let (arguments, call_id, name) = (arguments?, call_id?, name?);
    fields.finish();
    let rest = json!({"status": "completed", "arguments": arguments, "call_id": call_id,
        "name": name});
    let Value::Object(mut rest) = rest else { return None };
    for (key, value) in more {
        rest.extend(value?.map(|value| (key.to_owned(), value)));
    }
    Some(NewItem { id, kind: FUNCTION_CALL.to_owned(), rest })
}

fn read_output(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    let id = id_of(&mut fields)?;
    fields.optional::<Value>("caller")?;
    let call_id = fields.required::<String>("call_id")?;
    let output = fields.required::<Value>("output")?;
    match &output {
        Value::String(_) => {}
        Value::Array(_) => {
            Vec::<Part>::read(output.clone(), &at.key("output"), fields.errors)?;
        }
        other => {
            let expected = "one of a string or array of objects";
            return fields.errors.wrong_type(&at.key("output"), expected, other);
        }
    }
    fields.finish();
    let rest = json!({"status": "completed", "call_id": call_id, "output": output});
    let Value::Object(rest) = rest else { return None };
    Some(NewItem { id, kind: FUNCTION_CALL_OUTPUT.to_owned(), rest })
}

fn read_reasoning(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    let id = id_of(&mut fields)?;
    let content = fields.optional::<Value>("content")?;
    let encrypted = fields.optional::<String>("encrypted_content")?;
    let summary = fields.required::<Vec<Value>>("summary")?;
    fields.finish();
    let mut rest = Map::from_iter([("content".to_owned(), content.unwrap_or_else(|| json!([])))]);
    if let Some(encrypted) = encrypted {
        rest.insert("encrypted_content".to_owned(), encrypted.into());
    }
    rest.insert("summary".to_owned(), summary.into());
    Some(NewItem { id, kind: REASONING.to_owned(), rest })
}

fn read_reference(
    map: Map<String, Value>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<NewItem> {
    let mut fields = Fields::new(Value::Object(map), at, errors)?;
    fields.optional::<String>("type")?;
    let GivenId(id) = fields.required("id")?;
    fields.finish();
    Some(NewItem { id: Some(id), kind: ITEM_REFERENCE.to_owned(), rest: Map::new() })
}
