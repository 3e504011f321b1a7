//! Forms as they were recorded; those that were not are told from their answers.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// What is known of the uploads of a flow: the parts so far, and how large each of them must have been.
#[derive(Default)]
pub struct Uploads {
    pub parts: Vec<String>,
    pub part_bytes: u64,
}

/// A recorded form as a real one. Of binary contents only the size was recorded.
pub fn multipart(fields: &[Value]) -> Form {
    fields.iter().fold(Form::new(), |form, field| {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        let content = match field["content"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => vec![b'x'; usize::try_from(field["bytes"].as_u64().unwrap_or_default()).unwrap()],
        };
        match field["filename"].as_str() {
            Some(filename) => form.part(name, Part::bytes(content).file_name(filename.to_owned())),
            None => form.text(name, String::from_utf8(content).unwrap()),
        }
    })
}

/// The body that gives this answer, where there is only one.
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
    match answer["object"].as_str()? {
        "upload.part" => Some(json!({"_multipart": [{"name": "data", "filename": "part", "bytes": uploads.part_bytes}]})),
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
