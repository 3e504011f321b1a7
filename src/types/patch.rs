//! A field of a modify request: absent, null and a value have three different meanings.

/// The content of one field in a modify request.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(into(value)),
        }
    }

    /// The given value, if any.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The given value, or else `other`. It is for requests in which null means the same as
    /// absence.
    pub fn set_or(self, other: T) -> T {
        match self {
            Self::Keep | Self::Clear => other,
            Self::Set(value) => value,
        }
    }

    /// Applies the change to a field that may be empty.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// Applies the change to a field with a default value: null sets the default.
    pub fn apply_or(self, field: &mut T, default: impl FnOnce() -> T) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = default(),
            Self::Set(value) => *field = value,
        }
    }
}
