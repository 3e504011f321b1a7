//! Writes values in the notation of fixtures: texts that templates do not change, matchers,
//! arguments, names of replies and of files.

use regex::Regex;
use serde_json::{Value, json};

use crate::redact::REDACTED;

/// The arguments of a call: as a map where that is written just like it was.
pub(super) fn arguments(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value)
            if value.is_object()
                && serde_json::to_string(&value).is_ok_and(|written| written == text) =>
        {
            literal_all(value)
        }
        _ => Value::String(literal(text)),
    }
}

/// The same for every text in a value.
pub(super) fn literal_all(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(literal(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(literal_all).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, literal_all(value))).collect())
        }
        other => other,
    }
}

/// A text that a template leaves as it is.
pub(super) fn literal(text: &str) -> String {
    static OPENS: std::sync::LazyLock<Regex> =
        std::sync::LazyLock::new(|| Regex::new(r"\{[{%#]").expect("the pattern is one"));
    if !OPENS.is_match(text) {
        return text.to_owned();
    }
    OPENS.replace_all(text, r#"{{ "$0" }}"#).into_owned()
}

/// A name for a reply out of what was asked: its first words.
pub(super) fn slug(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut slug = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !slug.is_empty() && slug.chars().count() + word.chars().count() >= LONGEST {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(word.chars().take(LONGEST).flat_map(char::to_lowercase));
    }
    slug
}

/// A name that can be part of a path.
pub(super) fn safe(name: &str) -> String {
    let safe: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' })
        .collect();
    if safe.trim_matches('.').is_empty() { "file".to_owned() } else { safe }
}

/// A matcher for this text, also if parts of the text were removed.
pub fn matcher(text: &str) -> Value {
    if !text.contains(REDACTED) {
        return Value::from(text);
    }
    let parts: Vec<_> = text.split(REDACTED).map(regex::escape).collect();
    json!({"matches": format!("^{}$", parts.join(r"[\s\S]*"))})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::template;

    #[test]
    fn templates_leave_escaped_texts_alone() {
        let captures = template::Captures::new();
        let variables = template::Variables::new(&captures, |_| None);
        for text in [
            "{{ x }}",
            "{% raw %}{% endraw %}",
            "{# no #} {{{",
            "plain",
            "a\n{{\n}}\n",
            "{{ \"{{\" }}",
        ] {
            assert_eq!(
                template::render(&literal(text), &variables).unwrap(),
                text,
                "{}",
                literal(text)
            );
        }
    }

    #[test]
    fn names_are_the_first_words() {
        assert_eq!(slug("What's the weather in Oslo?"), "what-s-the-weather-in-oslo");
        assert_eq!(slug(&"word ".repeat(50)).len(), 39);
        assert_eq!(slug("?!"), "");
        assert_eq!(safe("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(safe(".."), "file");
    }
}
