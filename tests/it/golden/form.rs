//! The recorded forms. A form that was not recorded is derived from its response.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// The uploads of a flow: the parts so far, and the required size of each part.
#[derive(Default)]
pub struct Uploads {
    pub parts: Vec<String>,
    pub part_bytes: u64,
}

/// A real form from a recorded one. For binary contents, only the size was recorded.
pub fn multipart(fields: &[Value]) -> Form {
    fields.iter().fold(Form::new(), |form, field| {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        let content = match field["content"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => {
                vec![b'x'; usize::try_from(field["bytes"].as_u64().unwrap_or_default()).unwrap()]
            }
        };
        match field["filename"].as_str() {
            Some(filename) => form.part(name, Part::bytes(content).file_name(filename.to_owned())),
            None => form.text(name, String::from_utf8(content).unwrap()),
        }
    })
}

/// The body that gives this response, if there is only one.
pub fn of_answer(path: &str, answer: Option<&Value>, uploads: &Uploads) -> Option<Value> {
    let answer = answer?;
    if path == "/v1/files" {
        let purpose = match answer["error"]["param"].as_str() {
            Some("purpose") => json!("world_domination"),
            _ => answer["purpose"].clone(),
        };
        let filename = answer["filename"].as_str().unwrap_or("test.txt");
        let bytes = answer["bytes"].as_u64().unwrap_or(1);
        return Some(json!({"_multipart": [
            {"name": "purpose", "content": purpose},
            {"name": "file", "filename": filename, "bytes": bytes},
        ]}));
    }
    let given = |keys: &[&str]| {
        let given = keys.iter().filter(|key| !answer[**key].is_null());
        Some(Value::Object(given.map(|key| ((*key).to_owned(), answer[*key].clone())).collect()))
    };
    match answer["object"].as_str()? {
        "assistant" => given(&[
            "model",
            "name",
            "description",
            "instructions",
            "tools",
            "file_ids",
            "metadata",
            "temperature",
            "top_p",
        ]),
        "thread" => given(&["metadata", "tool_resources"]),
        "vector_store" => given(&["name", "metadata", "expires_after"]),
        "assistant.file" => Some(json!({"file_id": answer["id"]})),
        "thread.run" if path.ends_with("/runs") => {
            given(&["assistant_id", "model", "instructions", "tools", "metadata"])
        }
        "thread.message" => Some(json!({
            "role": answer["role"],
            "content": answer["content"][0]["text"]["value"],
            "metadata": answer["metadata"],
        })),
        "upload.part" => Some(json!({"_multipart": [{"name": "data", "filename": "part",
                "bytes": uploads.part_bytes}]})),
        "upload" if path == "/v1/uploads" => Some(json!({
            "filename": answer["filename"],
            "purpose": answer["purpose"],
            "bytes": answer["bytes"],
            "mime_type": "application/octet-stream",
        })),
        "upload" if path.ends_with("/complete") => Some(json!({"part_ids": uploads.parts})),
        _ => None,
    }
}
