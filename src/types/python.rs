//! Values as Python prints them. Python was the language of the real service, and some of its texts
//! showed that.

use std::fmt::Write as _;

use serde_json::Value;

/// A value as Python prints it. Recorded: in metadata under v1, `true` was kept as `True`.
pub(super) fn printed(value: &Value) -> String {
    let mut text = String::new();
    print(&mut text, value);
    text
}

/// `['call_a', 'call_b']`: a list of strings.
pub(super) fn list(items: &[impl AsRef<str>]) -> String {
    printed(&items.iter().map(|item| Value::from(item.as_ref())).collect())
}

/// `()`, `('items',)`, `('properties', 'unit')`: a tuple of strings.
pub(super) fn tuple(items: &[String]) -> String {
    let list = list(items);
    let comma = if items.len() == 1 { "," } else { "" };
    format!("({}{comma})", &list[1..list.len() - 1])
}

fn print(text: &mut String, value: &Value) {
    let written = match value {
        Value::Null => text.write_str("None"),
        Value::Bool(true) => text.write_str("True"),
        Value::Bool(false) => text.write_str("False"),
        Value::Number(number) => write!(text, "{number}"),
        Value::String(string) => {
            // Double quotes only if they avoid an escape.
            let quote = if string.contains('\'') && !string.contains('"') { '"' } else { '\'' };
            let escaped = string.replace('\\', "\\\\").replace('\n', "\\n");
            write!(text, "{quote}{}{quote}", escaped.replace(quote, &format!("\\{quote}")))
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "[" } else { ", " });
                print(text, item);
            }
            text.write_str(if items.is_empty() { "[]" } else { "]" })
        }
        Value::Object(map) => {
            for (index, (key, item)) in map.iter().enumerate() {
                text.push_str(if index == 0 { "{" } else { ", " });
                print(text, &Value::from(key.as_str()));
                text.push_str(": ");
                print(text, item);
            }
            text.write_str(if map.is_empty() { "{}" } else { "}" })
        }
    };
    written.expect("writing to a string");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_python_does() {
        for (value, text) in [
            (json!(true), "True"),
            (json!(null), "None"),
            (json!(-2), "-2"),
            (json!(0.5), "0.5"),
            (json!([]), "[]"),
            (json!(["it's", 1]), r#"["it's", 1]"#),
            (json!("it's \"so\""), r#"'it\'s "so"'"#),
            (json!({"a": {"b": false}}), "{'a': {'b': False}}"),
        ] {
            assert_eq!(printed(&value), text);
        }
    }

    #[test]
    fn a_tuple_of_one_has_a_comma() {
        let of = |items: &[&str]| {
            tuple(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            (of(&[]), of(&["a"]), of(&["a", "b"])),
            ("()".into(), "('a',)".into(), "('a', 'b')".into())
        );
    }
}
