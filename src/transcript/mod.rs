//! From conversations as the API shows them to fixtures that answer them again.
//!
//! One way for all who need it: an old cassette is imported, a thread is exported, a run that was
//! performed elsewhere is recorded. `objects.rs` keeps the last that was said of each object, in
//! the shapes of either version; `retell.rs` makes replies of them and `seeds.rs` seeds, as
//! `spelling.rs` spells; `redact.rs` takes out what must not be kept; `stored.rs` reads a thread
//! out of the store, `export.rs` makes one document of it, and `keep.rs` puts fixtures on disk.
//! Knows no HTTP and no SQL.

mod export;
mod keep;
mod objects;
mod redact;
mod retell;
mod seeds;
mod spelling;
mod stored;

pub use self::{
    export::{Exported, NotExported, export},
    keep::keep,
    objects::Objects,
    redact::{Redaction, Redactor},
    retell::{Gap, Keeping, Manner, Retold, Taken, retell},
    stored::of_thread,
};
