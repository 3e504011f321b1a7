//! The format of the text of an answer: free, JSON, or JSON by a schema.

use serde_json::{Map, Value, json};

use crate::types::{
    reader::{Fields, Path, Read, ValidationErrorKind, ValidationErrors},
    schema,
};

/// The `text` of a response, in its echoed form.
#[derive(Clone, Debug)]
pub struct TextSettings(pub Value);

impl Default for TextSettings {
    fn default() -> Self {
        Self(json!({"format": {"type": "text"}, "verbosity": "medium"}))
    }
}

impl Read for TextSettings {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let mut fields = Fields::new(value, at, errors)?;
        let format = fields.optional::<Format>("format")?;
        let verbosity = fields.optional::<Verbosity>("verbosity")?;
        fields.finish();
        let format = format.map_or_else(|| json!({"type": "text"}), |format| format.0);
        let verbosity = verbosity.map_or("medium", |verbosity| verbosity.0);
        Some(Self(json!({"format": format, "verbosity": verbosity})))
    }
}

struct Verbosity(&'static str);

impl Read for Verbosity {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const WORDS: [&str; 3] = ["low", "medium", "high"];
        let word = String::read(value, at, errors)?;
        match WORDS.into_iter().find(|known| *known == word) {
            Some(known) => Some(Self(known)),
            None => errors.not_one_of(at, &word, &WORDS),
        }
    }
}

struct Format(Value);

impl Read for Format {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        const KINDS: [&str; 3] = ["json_object", "json_schema", "text"];
        let mut fields = Fields::new(value, at, errors)?;
        let kind = fields.required::<String>("type")?;
        let format = match kind.as_str() {
            "text" | "json_object" => json!({ "type": kind }),
            "json_schema" => read_schema(&mut fields)?,
            other => return fields.errors.not_one_of(&at.key("type"), other, &KINDS),
        };
        fields.finish();
        Some(Self(format))
    }
}

fn read_schema(fields: &mut Fields<'_, '_>) -> Option<Value> {
    let name = fields.required::<String>("name");
    let description = fields.optional::<String>("description");
    let schema = fields.required::<Map<String, Value>>("schema");
    let strict = fields.optional::<bool>("strict");
    let (name, description, schema, strict) = (name?, description?, schema?, strict?);
    let is_strict = strict.unwrap_or(true);
    if let Some(what) = schema::fault_of_parameters(&schema, is_strict) {
        let kind = ValidationErrorKind::ResponseSchema { format: name, what };
        return fields.error("schema", kind);
    }
    Some(json!({"type": "json_schema", "description": description, "name": name,
        "schema": without_dialect(schema), "strict": is_strict}))
}

/// A schema without the name of its dialect. Recorded: the schemas of functions keep it.
fn without_dialect(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.shift_remove("$schema");
    schema
}
