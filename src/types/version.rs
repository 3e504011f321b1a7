//! The versions of the beta. Both are views of the same objects. Each request chooses its version.

use serde::{Deserialize, Serialize, Serializer};

/// A version of the Assistants API. The header `OpenAI-Beta: assistants=…` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// November 2023 to December 2024, with the shapes of April 2024.
    V1,
    #[default]
    V2,
}

impl Version {
    pub fn is_v1(self) -> bool {
        self == Self::V1
    }

    pub fn is_v2(self) -> bool {
        self == Self::V2
    }
}

/// The form of an object in responses, in either version.
pub trait View {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error>;

    /// The object in the form of this version.
    fn seen(self, version: Version) -> Versioned<Self>
    where
        Self: Sized,
    {
        Versioned { it: self, version }
    }
}

/// An object in the form of a version.
#[derive(Clone, Copy, Debug)]
pub struct Versioned<T> {
    pub it: T,
    version: Version,
}

impl<T: View> Serialize for Versioned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.it.show(self.version, serializer)
    }
}

impl<T: View> View for &T {
    fn show<S: Serializer>(&self, version: Version, serializer: S) -> Result<S::Ok, S::Error> {
        (*self).show(version, serializer)
    }
}
