//! Reads typed values from JSON, and describes their faults in the terms of the API.
//!
//! One reader serves request bodies and fixture files. A response to a request shows the first
//! fault; a fixture file reports all faults together. So reading never stops at a fault: it notes
//! the fault, returns `None` for that value and continues. The texts of the errors are in
//! `api_error.rs`. A fixture is read together with the places of its values, so each fault has a
//! place.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use super::{
    Patch, Version,
    place::{Place, Places},
};

/// The path of a value in a document: `tools[0].function.name`.
#[derive(Clone, Copy)]
pub enum Path<'p> {
    /// The document itself, with the places of its values if they are known.
    Root(Option<&'p Places>),
    Key(&'p Self, &'p str),
    Index(&'p Self, usize),
}

impl<'p> Path<'p> {
    pub fn key(&'p self, key: &'p str) -> Self {
        Path::Key(self, key)
    }

    pub fn index(&'p self, index: usize) -> Self {
        Path::Index(self, index)
    }

    /// The place of the value, or of the nearest existing value around it.
    pub fn place(&self) -> Option<Place> {
        self.nearest().map(|(places, _)| places.place)
    }

    /// The place of the key of an entry, or of the nearest value around it.
    pub fn key_place(&self) -> Option<Place> {
        let key = match self {
            Path::Key(map, key) => map.nearest().and_then(|(places, _)| places.key(key)),
            Path::Root(_) | Path::Index(..) => None,
        };
        key.or_else(|| self.place())
    }

    /// The line of the value. Zero if it is unknown.
    pub fn line(&self) -> usize {
        self.place().map_or(0, |place| place.line)
    }

    /// The places of the value, or of the nearest one around it, and whether they are those of the
    /// value.
    fn nearest(&self) -> Option<(&'p Places, bool)> {
        let (around, within) = match self {
            Path::Root(places) => return places.map(|places| (places, true)),
            Path::Key(map, key) => {
                let around = map.nearest()?;
                (around, around.0.entry(key))
            }
            Path::Index(list, index) => {
                let around = list.nearest()?;
                (around, around.0.items().and_then(|items| items.get(*index)))
            }
        };
        match (around, within) {
            ((_, true), Some(within)) => Some((within, true)),
            ((around, _), _) => Some((around, false)),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(_) => Ok(()),
            Path::Key(Path::Root(_), key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// One fault of one value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidationError {
    pub path: String,
    /// Its place in the text of the document, if known.
    pub place: Option<Place>,
    pub kind: ValidationErrorKind,
}

impl ValidationError {
    /// A fault in a document without a text.
    pub fn new(path: impl Into<String>, kind: ValidationErrorKind) -> Self {
        Self { path: path.into(), place: None, kind }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum ValidationErrorKind {
    /// A key that no reader knows; `known` are the possible keys.
    Unknown {
        known: Vec<&'static str>,
    },
    Missing,
    /// A required key is missing, but a similar key is present.
    Misspelt {
        key: &'static str,
        got: String,
    },
    WrongType {
        expected: String,
        got: &'static str,
    },
    NotOneOf {
        got: String,
        supported: Vec<&'static str>,
    },
    StringTooLong {
        max: usize,
        got: usize,
    },
    EmptyString,
    ArrayTooLong {
        max: usize,
        got: usize,
    },
    EmptyArray,
    TooManyProperties {
        max: usize,
        got: usize,
    },
    PropertyNameTooLong {
        name: String,
        max: usize,
        got: usize,
    },
    IntegerBelow {
        min: i64,
        got: i64,
    },
    IntegerAbove {
        max: i64,
        got: i64,
    },
    DecimalBelow {
        min: f64,
        got: f64,
    },
    DecimalAbove {
        max: f64,
        got: f64,
    },
    Pattern {
        pattern: &'static str,
    },
    IdPrefix {
        prefix: &'static str,
        got: String,
    },
    IdCharacters {
        got: String,
    },
    /// The value is not in the list. The text is that of the file endpoints.
    NotInEnum {
        got: String,
        supported: Vec<&'static str>,
    },
    /// A form field is missing. The text is that of the file endpoints.
    NotGiven,
    Extension {
        got: String,
        supported: Vec<&'static str>,
    },
    /// The outputs of all tools together are too large.
    OutputsTooLarge,
    /// The service does not accept the parameters of a function as a schema.
    FunctionSchema {
        function: String,
        what: String,
    },
    /// The service does not accept the schema of a response format.
    FormatSchema {
        format: String,
        what: String,
    },
    /// The same, with the text of the Responses API.
    ResponseSchema {
        format: String,
        what: String,
    },
    /// A file of a type that models do not read: one with its data, one with its address.
    FileData {
        mime: String,
    },
    FileUrl,
    TooDeep {
        max: usize,
    },
    /// The value is not a URL.
    NoUrl,
    /// Another given key excludes this one.
    Excludes {
        other: &'static str,
    },
    /// The fault is in the key itself.
    Key(String),
    /// A fault in a template: the line of its text and, if known, the name.
    Template {
        line: usize,
        name: Option<String>,
        what: String,
        help: Option<String>,
    },
    /// A rule of the fixture format that the API has no term for.
    Other(String),
}

impl ValidationErrorKind {
    /// Whether the fault is in the key, and not in the value.
    fn is_of_key(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Key(_))
    }
}

/// The faults of one document in their order, up to a maximum number.
#[derive(Debug)]
pub struct ValidationErrors {
    pub found: Vec<ValidationError>,
    wanted: usize,
    version: Version,
    /// Whether the document is a new request. Stored objects need not follow some newer rules.
    is_request: bool,
    /// The surroundings of the document, if it is a fixture file.
    pub scope: Option<Scope>,
}

/// The names that the values of a fixture file may refer to.
#[derive(Debug)]
pub struct Scope {
    /// The name of the file. The paths in it are relative to its folder.
    pub file: String,
    /// The names that the templates of a reply know, besides the variables of all templates.
    pub names: Vec<String>,
}

impl ValidationErrors {
    pub fn up_to(wanted: usize) -> Self {
        Self {
            found: Vec::new(),
            wanted,
            version: Version::default(),
            is_request: false,
            scope: None,
        }
    }

    /// The API version of the document.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the document is a request, and not a seed of a fixture.
    pub fn is_request(&self) -> bool {
        self.is_request
    }

    /// Sets the names that templates know from here on, if this is a fixture file.
    pub fn name_only(&mut self, names: impl IntoIterator<Item = String>) {
        if let Some(scope) = &mut self.scope {
            scope.names = names.into_iter().collect();
        }
    }

    /// Whether the maximum number of faults is reached.
    fn is_full(&self) -> bool {
        self.found.len() >= self.wanted
    }

    pub fn note(&mut self, at: &Path<'_>, kind: ValidationErrorKind) {
        if !self.is_full() {
            let place = if kind.is_of_key() { at.key_place() } else { at.place() };
            self.found.push(ValidationError { path: at.to_string(), place, kind });
        }
    }

    /// Notes that this place must have a value of another type.
    pub fn wrong_type<T>(
        &mut self,
        at: &Path<'_>,
        expected: impl Into<String>,
        got: &Value,
    ) -> Option<T> {
        self.note(
            at,
            ValidationErrorKind::WrongType { expected: expected.into(), got: type_name(got) },
        );
        None
    }

    pub fn not_one_of<T>(
        &mut self,
        at: &Path<'_>,
        got: &str,
        supported: &[&'static str],
    ) -> Option<T> {
        self.note(
            at,
            ValidationErrorKind::NotOneOf { got: got.to_owned(), supported: supported.to_vec() },
        );
        None
    }
}

/// A type that can be read from JSON.
pub trait Read: Sized {
    /// The plural of the type's name, for an error about an array.
    const PLURAL: &'static str = "objects";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self>;
}

/// Reads a whole document, or returns its first fault.
pub fn read<T: Read>(value: Value) -> Result<T, Vec<ValidationError>> {
    read_into(value, None, ValidationErrors::up_to(1))
}

/// Reads a whole document, or returns all of its faults.
#[cfg(test)]
pub fn read_many<T: Read>(value: Value) -> Result<T, Vec<ValidationError>> {
    read_into(value, None, ValidationErrors::up_to(usize::MAX))
}

/// Reads a request body of a version, or returns its first fault.
pub fn read_as<T: Read>(version: Version, value: Value) -> Result<T, Vec<ValidationError>> {
    read_into(
        value,
        None,
        ValidationErrors { version, is_request: true, ..ValidationErrors::up_to(1) },
    )
}

/// Reads a fixture file, or returns its faults, up to a maximum number.
pub fn read_file<T: Read>(
    value: Value,
    places: &Places,
    file: &str,
    wanted: usize,
) -> Result<T, Vec<ValidationError>> {
    let scope = Some(Scope { file: file.to_owned(), names: Vec::new() });
    read_into(value, Some(places), ValidationErrors { scope, ..ValidationErrors::up_to(wanted) })
}

fn read_into<T: Read>(
    value: Value,
    places: Option<&Places>,
    mut errors: ValidationErrors,
) -> Result<T, Vec<ValidationError>> {
    match T::read(value, &Path::Root(places), &mut errors) {
        Some(read) if errors.found.is_empty() => Ok(read),
        _ => Err(errors.found),
    }
}

/// A reader for the keys of an object. `finish` notes the keys that the reader did not ask for.
pub struct Fields<'a, 'f> {
    map: Map<String, Value>,
    at: &'a Path<'a>,
    known: Vec<&'static str>,
    pub errors: &'f mut ValidationErrors,
}

impl<'a, 'f> Fields<'a, 'f> {
    pub fn new(value: Value, at: &'a Path<'a>, errors: &'f mut ValidationErrors) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self { map, at, known: Vec::new(), errors }),
            other => errors.wrong_type(at, "an object", &other),
        }
    }

    /// The API version of the object.
    pub fn version(&self) -> Version {
        self.errors.version
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.map.remove(key)
    }

    pub fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        match self.take(key) {
            Some(value) => T::read(value, &self.at.key(key), self.errors),
            None => {
                let keys: Vec<&str> = self.map.keys().map(String::as_str).collect();
                let kind = match nearest(key, &keys) {
                    Some(got) => ValidationErrorKind::Misspelt { key, got: got.to_owned() },
                    None => ValidationErrorKind::Missing,
                };
                self.errors.note(&self.at.key(key), kind);
                None
            }
        }
    }

    /// Absent and null mean the same: no value.
    pub fn optional<T: Read>(&mut self, key: &'static str) -> Option<Option<T>> {
        match self.take(key) {
            None | Some(Value::Null) => Some(None),
            Some(value) => T::read(value, &self.at.key(key), self.errors).map(Some),
        }
    }

    pub fn or_default<T: Read + Default>(&mut self, key: &'static str) -> Option<T> {
        self.optional(key).map(Option::unwrap_or_default)
    }

    pub fn patch<T: Read>(&mut self, key: &'static str) -> Option<Patch<T>> {
        match self.take(key) {
            None => Some(Patch::Keep),
            Some(Value::Null) => Some(Patch::Clear),
            Some(value) => T::read(value, &self.at.key(key), self.errors).map(Patch::Set),
        }
    }

    /// Notes a fault at a key of this object.
    pub fn error<T>(&mut self, key: &str, kind: ValidationErrorKind) -> Option<T> {
        self.errors.note(&self.at.key(key), kind);
        None
    }

    pub fn finish(self) {
        for key in self.map.keys().take(self.errors.wanted) {
            self.errors.note(
                &self.at.key(key),
                ValidationErrorKind::Unknown { known: self.known.clone() },
            );
        }
    }
}

/// The maximum length of a word that can be a misspelling, in bytes.
const LONGEST_WORD: usize = 128;

/// The intended word, if one has a similar spelling.
pub fn nearest<'a>(got: &str, known: &[&'a str]) -> Option<&'a str> {
    // No word is that long, and the time for a comparison grows with both lengths.
    if got.len() > LONGEST_WORD {
        return None;
    }
    let got = got.to_lowercase();
    let near = known
        .iter()
        .filter(|word| word.len() <= LONGEST_WORD)
        .map(|word| (strsim::damerau_levenshtein(&got, &word.to_lowercase()), *word));
    let near = near.filter(|(distance, word)| *distance <= (got.len().min(word.len()) / 3).max(1));
    near.min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// The API's name for the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// `'a', 'b', and 'c'`, the form of lists in the API's texts.
pub fn quoted_list(names: &[&str]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let joint = match (index, names.len()) {
            (0, _) => "",
            (1, 2) => " and ",
            (index, count) if index + 1 == count => ", and ",
            _ => ", ",
        };
        write!(text, "{joint}'{name}'").expect("writing to a string");
    }
    text
}

impl Read for Value {
    const PLURAL: &'static str = "values";

    fn read(value: Value, _: &Path<'_>, _: &mut ValidationErrors) -> Option<Self> {
        Some(value)
    }
}

impl Read for Map<String, Value> {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::Object(map) => Some(map),
            other => errors.wrong_type(at, "an object", &other),
        }
    }
}

impl Read for String {
    const PLURAL: &'static str = "strings";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            other => errors.wrong_type(at, "a string", &other),
        }
    }
}

impl Read for bool {
    const PLURAL: &'static str = "booleans";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(flag),
            other => errors.wrong_type(at, "a boolean", &other),
        }
    }
}

impl Read for i64 {
    const PLURAL: &'static str = "integers";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        // An integer that does not fit the type is too large for every limit.
        let too_large = || {
            value
                .as_f64()
                .filter(|number| number.fract() == 0.0 && number.abs() >= Self::MAX as f64)
        };
        match value.as_i64().or_else(|| too_large().map(|number| number as Self)) {
            Some(number) => Some(number),
            None => errors.wrong_type(at, "an integer", &value),
        }
    }
}

impl Read for f64 {
    const PLURAL: &'static str = "numbers";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value.as_f64() {
            Some(number) => Some(number),
            None => errors.wrong_type(at, "a decimal", &value),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    const PLURAL: &'static str = "arrays";

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let Value::Array(items) = value else {
            return errors.wrong_type(at, format!("an array of {}", T::PLURAL), &value);
        };
        let mut read = Self::with_capacity(items.len());
        let mut sound = true;
        for (index, item) in items.into_iter().enumerate() {
            match T::read(item, &at.index(index), errors) {
                Some(item) => read.push(item),
                None if errors.is_full() => return None,
                None => sound = false,
            }
        }
        sound.then_some(read)
    }
}

/// A value, and the number of the line at which it begins.
#[derive(Debug)]
pub struct Located<T> {
    pub value: T,
    pub line: usize,
}

impl<T: Read> Read for Located<T> {
    const PLURAL: &'static str = T::PLURAL;

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        T::read(value, at, errors).map(|value| Self { value, line: at.line() })
    }
}

/// A string of at most `MAX` characters.
#[derive(Clone, Debug)]
pub struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> Read for Text<MAX> {
    const PLURAL: &'static str = String::PLURAL;

    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let text = String::read(value, at, errors)?;
        // A count of characters reads the whole text; short texts do not need it.
        if text.len() > MAX {
            let got = text.chars().count();
            if got > MAX {
                errors.note(at, ValidationErrorKind::StringTooLong { max: MAX, got });
                return None;
            }
        }
        Some(Self(text))
    }
}

/// An integer of at least `MIN`, which is not negative.
#[derive(Clone, Copy, Debug)]
pub struct AtLeast<const MIN: u64>(pub u64);

impl<const MIN: u64> Read for AtLeast<MIN> {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        let got = i64::read(value, at, errors)?;
        let min = i64::try_from(MIN).unwrap_or(i64::MAX);
        checked(integer_between(got, min, i64::MAX), at, errors).map(|got| Self(got.unsigned_abs()))
    }
}

/// An array of at most `MAX` items.
#[derive(Clone, Debug)]
pub struct Few<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read, const MAX: usize> Read for Few<T, MAX> {
    fn read(value: Value, at: &Path<'_>, errors: &mut ValidationErrors) -> Option<Self> {
        match value {
            Value::Array(items) if items.len() > MAX => {
                errors.note(at, ValidationErrorKind::ArrayTooLong { max: MAX, got: items.len() });
                None
            }
            other => Vec::read(other, at, errors).map(Self),
        }
    }
}

/// Checks an integer against its bounds.
pub fn integer_between(got: i64, min: i64, max: i64) -> Result<i64, ValidationErrorKind> {
    match got {
        got if got < min => Err(ValidationErrorKind::IntegerBelow { min, got }),
        got if got > max => Err(ValidationErrorKind::IntegerAbove { max, got }),
        got => Ok(got),
    }
}

/// Checks that a decimal is between zero and `max`.
pub fn decimal_up_to(got: f64, max: f64) -> Result<f64, ValidationErrorKind> {
    match got {
        got if got < 0.0 => Err(ValidationErrorKind::DecimalBelow { min: 0.0, got }),
        got if got > max => Err(ValidationErrorKind::DecimalAbove { max, got }),
        got => Ok(got),
    }
}

/// Notes the fault of a failed check at this place.
pub fn checked<T>(
    result: Result<T, ValidationErrorKind>,
    at: &Path<'_>,
    errors: &mut ValidationErrors,
) -> Option<T> {
    result.map_err(|kind| errors.note(at, kind)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_read_as_the_service_prints_them() {
        let root = Path::Root(None);
        let tools = root.key("tools");
        let first = tools.index(0);
        assert_eq!(first.key("type").to_string(), "tools[0].type");
    }

    #[test]
    fn supported_values_are_listed_as_the_service_does() {
        assert_eq!(quoted_list(&["user"]), "'user'");
        assert_eq!(quoted_list(&["user", "assistant"]), "'user' and 'assistant'");
        assert_eq!(quoted_list(&["a", "b", "c"]), "'a', 'b', and 'c'");
    }

    #[test]
    fn every_fault_of_a_list_is_noted() {
        let errors = read_many::<Vec<String>>(json!(["a", 1, "b", true])).unwrap_err();
        let paths: Vec<_> = errors.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["[1]", "[3]"]);
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(read::<Text<3>>(json!("äöü")).is_ok());
        assert!(read::<Text<2>>(json!("äöü")).is_err());
    }
}
