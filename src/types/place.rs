//! Places of values in the text of a document, for messages to people.
//!
//! A request has no places: its values have only paths.

use std::collections::HashMap;

/// A place in a text: line and column, both from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of a whole document.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// The places of a value and of the values in it: a tree with the shape of the document.
#[derive(Debug)]
pub struct Places {
    pub place: Place,
    within: PlacesWithin,
}

#[derive(Debug)]
enum PlacesWithin {
    Nothing,
    Items(Vec<Places>),
    Entries(HashMap<String, PlacedEntry>),
}

#[derive(Debug)]
struct PlacedEntry {
    key: Place,
    value: Places,
}

impl Places {
    pub fn of_scalar(place: Place) -> Self {
        Self { place, within: PlacesWithin::Nothing }
    }

    pub fn of_list(place: Place, items: Vec<Self>) -> Self {
        Self { place, within: PlacesWithin::Items(items) }
    }

    /// The places of a map. Each entry has its key, the place of the key, and the places of its
    /// value.
    pub fn of_map(place: Place, entries: impl IntoIterator<Item = (String, Place, Self)>) -> Self {
        let entries =
            entries.into_iter().map(|(name, key, value)| (name, PlacedEntry { key, value }));
        Self { place, within: PlacesWithin::Entries(entries.collect()) }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Self]> {
        match &self.within {
            PlacesWithin::Items(items) => Some(items),
            PlacesWithin::Nothing | PlacesWithin::Entries(_) => None,
        }
    }

    /// The places of the value of an entry.
    pub fn entry(&self, name: &str) -> Option<&Self> {
        self.of(name).map(|entry| &entry.value)
    }

    /// The place of the key of an entry.
    pub fn key(&self, name: &str) -> Option<Place> {
        self.of(name).map(|entry| entry.key)
    }

    fn of(&self, name: &str) -> Option<&PlacedEntry> {
        match &self.within {
            PlacesWithin::Entries(entries) => entries.get(name),
            PlacesWithin::Nothing | PlacesWithin::Items(_) => None,
        }
    }
}
