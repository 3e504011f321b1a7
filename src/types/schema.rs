//! The schemas of functions, checked as the service did when it was given them.
//!
//! Texts as quoted in public reports, of this API and of others behind the same validator.

use serde_json::{Map, Value};

use super::python;

/// What is wrong with the parameters of a function, if anything is.
pub(super) fn fault_of_parameters(
    parameters: &Map<String, Value>,
    is_strict: bool,
) -> Option<String> {
    let kind = parameters.get("type").unwrap_or(&Value::Null);
    if kind != "object" {
        let got = kind.as_str().map_or_else(|| python::printed(kind), str::to_owned);
        return Some(format!(
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
        ));
    }
    let mut place = Vec::new();
    ill_formed(parameters)
        .or_else(|| is_strict.then(|| not_strict(parameters, &mut place)).flatten())
}

/// A keyword that has a value of another type than it must have, here or further down.
fn ill_formed(schema: &Map<String, Value>) -> Option<String> {
    let not_of = |value: &Value, kinds: &str| {
        Some(format!("{} is not of type {kinds}.", python::printed(value)))
    };
    match schema.get("properties") {
        None | Some(Value::Object(_)) => {}
        Some(other) => return not_of(other, "'object'"),
    }
    match schema.get("required") {
        None | Some(Value::Array(_)) => {}
        Some(other) => return not_of(other, "'array'"),
    }
    below(schema).find_map(|(_, _, schema)| match schema {
        Value::Object(schema) => ill_formed(schema),
        Value::Bool(_) => None,
        other => not_of(other, "'object', 'boolean'"),
    })
}

/// An object that leaves open which properties it has, here or further down.
fn not_strict(schema: &Map<String, Value>, place: &mut Vec<String>) -> Option<String> {
    if schema.get("type").is_some_and(is_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(format!(
                "In context={}, 'additionalProperties' is required to be supplied and to be false.",
                python::tuple(place)
            ));
        }
        if let Some(which) = wrong_required(schema) {
            return Some(format!(
                "In context={}, 'required' is required to be supplied and to be an array including \
                 every key in properties. {which}",
                python::tuple(place)
            ));
        }
    }
    for (keyword, key, schema) in below(schema) {
        let Value::Object(schema) = schema else { continue };
        let depth = place.len();
        place.push(keyword.to_owned());
        place.extend(key);
        if let Some(what) = not_strict(schema, place) {
            return Some(what);
        }
        place.truncate(depth);
    }
    None
}

fn is_object(kind: &Value) -> bool {
    kind == "object"
        || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

fn wrong_required(schema: &Map<String, Value>) -> Option<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut keys = properties.into_iter().flat_map(Map::keys);
    if let Some(missing) = keys.find(|key| !required.contains(&key.as_str())) {
        return Some(format!("Missing '{missing}'."));
    }
    let extra = required
        .iter()
        .find(|key| !properties.is_some_and(|properties| properties.contains_key(**key)));
    extra.map(|extra| format!("Extra required key '{extra}' supplied."))
}

/// The schemas within a schema, each with its keyword, and with its key or number if there are
/// several.
fn below(
    schema: &Map<String, Value>,
) -> impl Iterator<Item = (&'static str, Option<String>, &Value)> {
    let named = ["properties", "$defs", "definitions"].into_iter().flat_map(|keyword| {
        let map = schema.get(keyword).and_then(Value::as_object);
        map.into_iter().flatten().map(move |(key, schema)| (keyword, Some(key.clone()), schema))
    });
    let numbered = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|keyword| {
        let items = schema.get(keyword).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(index, schema)| (keyword, Some(index.to_string()), schema))
    });
    let single =
        schema.get("items").filter(|items| !items.is_array()).map(|schema| ("items", None, schema));
    named.chain(numbered).chain(single)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(parameters: &Value, is_strict: bool) -> Option<String> {
        fault_of_parameters(parameters.as_object().unwrap(), is_strict)
    }

    #[test]
    fn parameters_are_an_object_schema() {
        let got = |kind: &str| {
            Some(format!(
                "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
            ))
        };
        assert_eq!(fault(&json!({"type": "string"}), false), got("string"));
        assert_eq!(fault(&json!({}), false), got("None"));
        assert_eq!(fault(&json!({"type": ["object", "null"]}), false), got("['object', 'null']"));
        assert_eq!(
            fault(&json!({"type": "object", "properties": []}), false).unwrap(),
            "[] is not of type 'object'."
        );
        assert_eq!(
            fault(&json!({"type": "object", "required": null}), false).unwrap(),
            "None is not of type 'array'."
        );
        let nested =
            json!({"type": "object", "properties": {"a": {"type": "object", "properties": ["b"]}}});
        assert_eq!(fault(&nested, false).unwrap(), "['b'] is not of type 'object'.");
        let bad = json!({"type": "object", "properties": {"a": "string"}});
        assert_eq!(fault(&bad, false).unwrap(), "'string' is not of type 'object', 'boolean'.");
        assert_eq!(fault(&json!({"type": "object"}), false), None);
    }

    #[test]
    fn strict_objects_name_all_their_properties_and_no_others() {
        let open = |place: &str| {
            format!(
                "In context={place}, 'additionalProperties' is required to be supplied and to be \
                 false."
            )
        };
        let missing = |place: &str, which: &str| {
            format!(
                "In context={place}, 'required' is required to be supplied and to be an array \
                 including every key in properties. {which}"
            )
        };
        let closed = |properties: Value, required: Value| {
            json!({"type": "object",
            "properties": properties, "required": required, "additionalProperties": false})
        };
        let unit = json!({"type": "string"});
        assert_eq!(
            fault(&json!({"type": "object", "properties": {"unit": unit}}), true),
            Some(open("()"))
        );
        assert_eq!(
            fault(&closed(json!({"unit": unit}), json!([])), true),
            Some(missing("()", "Missing 'unit'."))
        );
        assert_eq!(
            fault(&closed(json!({}), json!(["unit"])), true),
            Some(missing("()", "Extra required key 'unit' supplied."))
        );
        let place =
            closed(json!({"place": {"type": "object", "properties": {}}}), json!(["place"]));
        assert_eq!(fault(&place, true), Some(open("('properties', 'place')")));
        let list = closed(
            json!({"list": {"type": "array", "items": {"type": "object"}}}),
            json!(["list"]),
        );
        assert_eq!(fault(&list, true), Some(open("('properties', 'list', 'items')")));
        let either =
            closed(json!({"a": {"anyOf": [unit, {"type": ["object", "null"]}]}}), json!(["a"]));
        assert_eq!(fault(&either, true), Some(open("('properties', 'a', 'anyOf', '1')")));
        assert_eq!(fault(&closed(json!({"unit": unit}), json!(["unit"])), true), None);
        assert_eq!(fault(&json!({"type": "object", "properties": {"unit": unit}}), false), None);
    }
}
