//! Checks the schemas of functions and response formats, as the service did when a client sent
//! them.
//!
//! The texts come from public reports about this API and about others with the same validator.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::python;

/// The fault of the parameters of a function or of the schema of a response format, if any.
pub(super) fn fault_of_parameters(schema: &Map<String, Value>, is_strict: bool) -> Option<String> {
    fault_of_root(schema).or_else(|| fault_of(schema, is_strict))
}

/// Recorded: a schema in the form of the Responses API, if the client did not set whether it is
/// strict. Every object in it requires all of its properties, and allows no others.
pub(super) fn made_strict(mut schema: Map<String, Value>) -> Map<String, Value> {
    close(&mut schema);
    schema
}

fn close(schema: &mut Map<String, Value>) {
    for value in schema.values_mut() {
        match value {
            Value::Object(within) => close(within),
            Value::Array(all) => {
                all.iter_mut().filter_map(Value::as_object_mut).for_each(close);
            }
            _ => {}
        }
    }
    let is_object = schema.get("type").is_some_and(|kind| is_of(kind, "object"));
    let Some(Value::Object(properties)) = schema.get("properties").filter(|_| is_object) else {
        return;
    };
    let names: Vec<_> = properties.keys().cloned().map(Value::from).collect();
    schema.insert("additionalProperties".to_owned(), false.into());
    if wrong_required(schema).is_some() || !schema.contains_key("required") {
        schema.insert("required".to_owned(), names.into());
    }
}

fn fault_of_root(schema: &Map<String, Value>) -> Option<String> {
    let kind = schema.get("type").unwrap_or(&Value::Null);
    if kind == "object" {
        return None;
    }
    let got = kind.as_str().map_or_else(|| python::printed(kind), str::to_owned);
    Some(format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."))
}

fn fault_of(schema: &Map<String, Value>, is_strict: bool) -> Option<String> {
    let find = |fault: Rule| first_fault(schema, &mut Vec::new(), fault);
    find(ill_formed).or_else(|| is_strict.then(|| find(not_strict)).flatten())
}

/// Returns the fault of one schema, which is at a place.
type Rule = fn(&Map<String, Value>, &[String]) -> Option<String>;

/// The first fault of a schema, or of one within it.
fn first_fault(schema: &Map<String, Value>, place: &mut Vec<String>, rule: Rule) -> Option<String> {
    if let Some(fault) = rule(schema, place) {
        return Some(fault);
    }
    for (keyword, key, schema) in below(schema) {
        let Value::Object(schema) = schema else { continue };
        let depth = place.len();
        place.push(keyword.to_owned());
        place.extend(key);
        if let Some(fault) = first_fault(schema, place, rule) {
            return Some(fault);
        }
        place.truncate(depth);
    }
    None
}

/// A keyword with a value of the wrong type, or an array without a type for its items.
fn ill_formed(schema: &Map<String, Value>, place: &[String]) -> Option<String> {
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
    if schema.get("type").is_some_and(|kind| is_of(kind, "array"))
        && !schema.contains_key("items")
        && !schema.contains_key("prefixItems")
    {
        return Some(in_context(place, "array schema missing items."));
    }
    below(schema).find_map(|(_, _, schema)| match schema {
        Value::Object(_) | Value::Bool(_) => None,
        other => not_of(other, "'object', 'boolean'"),
    })
}

/// An object that allows further properties or does not require all.
fn not_strict(schema: &Map<String, Value>, place: &[String]) -> Option<String> {
    if !schema.get("type").is_some_and(|kind| is_of(kind, "object")) {
        return None;
    }
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        let what = "'additionalProperties' is required to be supplied and to be false.";
        return Some(in_context(place, what));
    }
    let which = wrong_required(schema)?;
    let what = "'required' is required to be supplied and to be an array including every key in \
                properties.";
    Some(in_context(place, &format!("{what} {which}")))
}

fn in_context(place: &[String], what: &str) -> String {
    format!("In context={}, {what}", python::tuple(place))
}

fn is_of(kind: &Value, name: &str) -> bool {
    kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
}

fn wrong_required(schema: &Map<String, Value>) -> Option<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = || {
        let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str)
    };
    let known: HashSet<&str> = required().collect();
    let mut keys = properties.into_iter().flat_map(Map::keys);
    if let Some(missing) = keys.find(|key| !known.contains(key.as_str())) {
        return Some(format!("Missing '{missing}'."));
    }
    let is_extra = |key: &&str| !properties.is_some_and(|properties| properties.contains_key(*key));
    required().find(is_extra).map(|extra| format!("Extra required key '{extra}' supplied."))
}

/// The schemas in a schema, each with its keyword and, if there are several, its key or number.
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
        let list = json!({"type": "object", "properties": {"a": {"type": ["array", "null"]}}});
        let missing = "In context=('properties', 'a'), array schema missing items.";
        assert_eq!(fault(&list, false).unwrap(), missing);
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
