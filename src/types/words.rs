//! Enums whose variants are words of the API. Each word is written once, with its variant.
//! Responses, error texts and queries use it.

/// Defines such an enum.
macro_rules! words {
    ($(#[$about:meta])* pub enum $Enum:ident { $($(#[$note:meta])* $Variant:ident = $word:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $Enum { $($(#[$note])* #[serde(rename = $word)] $Variant),* }

        #[allow(dead_code, reason = "not every enum is asked for all of it")]
        impl $Enum {
            pub const ALL: &'static [Self] = &[$(Self::$Variant),*];
            pub const NAMES: &'static [&'static str] = &[$($word),*];

            /// The word of the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$Variant => $word),* }
            }
        }
    };
}

pub(super) use words;
