//! A generated fixture: the document, the files beside it, and the omissions.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::types::lenient::{self, Items, lenient};

/// Something that a fixture cannot repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Omission {
    /// The id of the object that it is about.
    pub about: String,
    pub what: String,
}

/// A fixture, the files that belong to it, and its omissions.
#[derive(Debug, Default)]
pub struct GeneratedFixture {
    pub document: GeneratedDocument,
    /// Paths relative to the document, and contents.
    pub files: Vec<(String, Vec<u8>)>,
    pub omissions: Vec<Omission>,
    /// How many runs have replies.
    pub runs: usize,
}

lenient! {
    /// The sections of a generated fixture, as they are written.
    pub struct GeneratedDocument {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub assistants: Vec<Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub files: Vec<Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub vector_stores: Vec<Value>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        pub replies: Items<GeneratedReply>,
    }

    /// A reply, as it is written.
    pub struct GeneratedReply {
        pub name: String,
        pub when: Map<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub times: Option<u64>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub steps: Vec<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub outcome: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub usage: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub timing: Option<Value>,
    }
}

impl GeneratedDocument {
    /// Adds a reply under a name of its own.
    pub fn add(&mut self, mut reply: GeneratedReply, suffix: &str) {
        let mut used = UsedNames::default();
        used.replies.extend(self.replies.iter().map(|known| known.name.clone()));
        reply.name = used.use_name(&reply.name, suffix);
        self.replies.0.push(reply);
    }
}

impl GeneratedReply {
    /// Whether it begins like another one, which is shorter.
    pub fn continues(&self, other: &Self) -> bool {
        self.when == other.when
            && self.steps.len() > other.steps.len()
            && self.steps.starts_with(&other.steps)
            && other.outcome.is_none()
    }

    /// The conditions, as a key: replies with the same conditions answer the same runs.
    pub fn conditions(&self) -> String {
        Value::Object(self.when.clone()).to_string()
    }

    /// Whether it answers the same runs in the same way.
    pub fn repeats(&self, other: &Self) -> bool {
        self.when == other.when && self.steps == other.steps && self.outcome == other.outcome
    }
}

/// The names that documents of one server already use: names of replies, ids of seeds.
#[derive(Debug, Default)]
pub struct UsedNames {
    replies: HashSet<String>,
    ids: HashSet<String>,
}

lenient! {
    /// Everything that has a name of its own in a document.
    struct NamedParts {
        assistants: Items<Seed>,
        threads: Items<Seed>,
        files: Items<Seed>,
        vector_stores: Items<Seed>,
        replies: Items<ReplyName>,
    }

    struct Seed {
        id: Option<String>,
    }

    struct ReplyName {
        name: Option<String>,
    }
}

impl UsedNames {
    /// Notes the names of an existing document.
    pub fn note(&mut self, document: Value) {
        let NamedParts { assistants, threads, files, vector_stores, replies } =
            lenient::read(document);
        for seeds in [assistants, threads, files, vector_stores] {
            self.ids.extend(seeds.0.into_iter().filter_map(|seed| seed.id));
        }
        self.replies.extend(replies.0.into_iter().filter_map(|reply| reply.name));
    }

    /// Whether an id was free. It is used from here on.
    pub(super) fn use_id(&mut self, id: &str) -> bool {
        self.ids.insert(id.to_owned())
    }

    /// A free name for a reply: with a suffix, and a number if it needs one.
    fn use_name(&mut self, base: &str, suffix: &str) -> String {
        let base = if base.is_empty() { "run" } else { base };
        let mut names = (1..).map(|number: u64| match number {
            1 => format!("{base}{suffix}"),
            number => format!("{base}{suffix}-{number}"),
        });
        names.find(|name| self.replies.insert(name.clone())).unwrap_or_default()
    }
}

/// Gives each reply a name of its own. Replies for the same runs are used one after the other.
/// Identical replies are written once.
pub(super) fn named(
    mut replies: Vec<GeneratedReply>,
    suffix: &str,
    used: &mut UsedNames,
) -> Vec<GeneratedReply> {
    let mut seen = HashSet::new();
    replies.retain(|reply| seen.insert(serde_json::to_string(reply).unwrap_or_default()));
    let last: HashMap<String, usize> =
        replies.iter().enumerate().map(|(index, reply)| (reply.conditions(), index)).collect();
    for (index, reply) in replies.iter_mut().enumerate() {
        reply.name = used.use_name(&reply.name, suffix);
        if last[&reply.conditions()] != index {
            reply.times = Some(1);
        }
    }
    replies
}
