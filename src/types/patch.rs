//! Absent, null and a value are three things in a modify request.

/// What a modify request says of one field.
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

    /// The value that is given, if one is.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The value that is given, else another: for requests in which null means no more than
    /// absence.
    pub fn set_or(self, other: T) -> T {
        match self {
            Self::Keep | Self::Clear => other,
            Self::Set(value) => value,
        }
    }

    /// Applies to a field that may be empty.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// Applies to a field that falls back to a default when it is cleared.
    pub fn apply_or(self, field: &mut T, default: impl FnOnce() -> T) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = default(),
            Self::Set(value) => *field = value,
        }
    }
}
