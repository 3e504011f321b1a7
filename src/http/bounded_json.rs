//! Parses JSON with a bound on the number of values that it builds. It checks the rest and drops
//! it. So a body of millions of values costs no more memory than its text.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The maximum number of values in a body. This is enough for the input of a response with 100,000
/// messages, which is more than any model reads.
const VALUES: usize = 500_000;

/// A body with fewer bytes has fewer values than the bound, so it is parsed without a count.
const SMALL: usize = VALUES;

/// A body, and whether it has more values than this parser builds.
pub(crate) struct Parsed {
    pub value: Value,
    pub is_cut: bool,
}

/// Parses a body. Arrays and maps lack the values beyond the bound.
pub(crate) fn parse(bytes: &[u8]) -> serde_json::Result<Parsed> {
    if bytes.len() < SMALL {
        return serde_json::from_slice(bytes).map(|value| Parsed { value, is_cut: false });
    }
    let left = Cell::new(VALUES);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded { left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Parsed { value, is_cut: left.get() == 0 })
}

#[derive(Clone, Copy)]
struct Bounded<'b> {
    left: &'b Cell<usize>,
}

impl Bounded<'_> {
    /// Whether another value may be built.
    fn takes(self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut built = Vec::new();
        while self.takes() {
            match items.next_element_seed(self)? {
                Some(item) => built.push(item),
                None => return Ok(Value::Array(built)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(built))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut built = Map::new();
        while self.takes() {
            let Some(key) = entries.next_key::<String>()? else {
                return Ok(Value::Object(built));
            };
            let value = entries.next_value_seed(self)?;
            built.insert(key, value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Object(built))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_large_body_is_the_same_up_to_the_bound() {
        let text = "x".repeat(SMALL);
        let body = json!({"a": [1, -2, 3.5, true, null, {"b": "\u{e9}\n"}], "text": text});
        let parsed = parse(body.to_string().as_bytes()).unwrap();
        assert!(parsed.value == body && !parsed.is_cut);
        let zeros = format!("[{}0]", "0,".repeat(4 * VALUES));
        let parsed = parse(zeros.as_bytes()).unwrap();
        let Value::Array(built) = parsed.value else { panic!("an array") };
        assert!(built.len() == VALUES && parsed.is_cut);
        for broken in [&zeros[..zeros.len() - 1], &format!("{zeros}1"), &format!("{zeros}]")] {
            assert!(parse(broken.as_bytes()).is_err());
        }
        let deep = format!("{}{}", "[".repeat(SMALL), "]".repeat(SMALL));
        assert!(parse(deep.as_bytes()).is_err());
    }
}
