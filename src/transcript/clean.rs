//! Takes secrets out of the API's objects. What is the API's own stays, and arguments stay JSON.

use serde_json::Value;

use crate::redact::Redactor;

/// Keys of values that are the API's own, and never have a secret in them.
const OWN: [&str; 7] = ["id", "object", "type", "status", "role", "model", "upstream"];

/// Cleans every text of one of the API's objects, but for what is the API's own.
pub(super) fn clean_object(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => *text = redactor.clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean_object(redactor, item)),
        Value::Object(map) => {
            // The fixture format has rules for the names of functions.
            let is_function = map.contains_key("arguments") || map.contains_key("parameters");
            for (key, value) in map.iter_mut() {
                match value {
                    _ if is_function && key == "name" => {}
                    _ if OWN.contains(&key.as_str())
                        || key.ends_with("_id")
                        || key.ends_with("_ids") => {}
                    Value::String(text) if key == "arguments" => {
                        *text = clean_arguments(redactor, text);
                    }
                    value => clean_object(redactor, value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Arguments stay JSON if that is possible.
fn clean_arguments(redactor: &Redactor, text: &str) -> String {
    if redactor.clean(text) == text {
        return text.to_owned();
    }
    let cleaned = serde_json::from_str(text).ok().and_then(|mut parsed| {
        clean_texts(redactor, &mut parsed);
        serde_json::to_string(&parsed).ok()
    });
    cleaned
        .filter(|cleaned| redactor.clean(cleaned) == *cleaned)
        .unwrap_or_else(|| redactor.clean(text))
}

fn clean_texts(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => *text = redactor.clean(text),
        Value::Array(items) => items.iter_mut().for_each(|item| clean_texts(redactor, item)),
        Value::Object(map) => map.values_mut().for_each(|value| clean_texts(redactor, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_apis_own_stays_and_arguments_stay_json() {
        let redactor = Redactor::new(vec!["[0-9]+".parse().unwrap()], []);
        let mut object = json!({
            "id": "msg_1", "thread_id": "thread_2", "type": "text3", "text": "from 4 to 5",
            "arguments": "{\"a\":\"6 and 7\"}", "list": [{"arguments": "{\"a\":8}"}],
        });
        clean_object(&redactor, &mut object);
        let expected = json!({
            "id": "msg_1", "thread_id": "thread_2", "type": "text3",
            "text": "from [redacted] to [redacted]",
            "arguments": "{\"a\":\"[redacted] and [redacted]\"}",
            "list": [{"arguments": "{\"a\":[redacted]}"}],
        });
        assert_eq!(object, expected);
    }
}
