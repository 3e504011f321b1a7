//! The nouns of the API as plain data, and their common vocabulary.
//!
//! This module knows no HTTP, no SQL and no clock. A unit test can build, read and print everything
//! here without a server.

pub mod api;
pub mod api_error;
pub mod assistant;
pub mod chunking;
pub mod container;
pub mod conversation;
pub mod file;
pub mod id;
pub mod lenient;
pub mod limits;
pub mod list;
pub mod message;
pub mod metadata;
pub mod model;
pub mod new_thread;
pub mod patch;
pub mod place;
mod python;
pub mod reader;
pub mod resource;
pub mod response;
pub mod run;
mod schema;
pub mod search;
mod status;
pub mod step;
pub mod store_file;
pub mod thread;
pub mod time;
pub mod tool;
pub mod upload;
pub mod usage;
pub mod v1;
pub mod vector_store;
pub mod version;
pub mod views;
mod words;

pub use api::Api;
pub use api_error::ApiErrorKind;
pub use assistant::Assistant;
pub use container::{Container, ContainerFile};
pub use conversation::Conversation;
pub use file::File;
pub use id::Id;
pub use list::{Deleted, List, Order, Page};
pub use message::{Message, Role};
pub use metadata::Metadata;
pub use model::Model;
pub use patch::Patch;
pub use resource::Resource;
pub use response::{Item, Response};
pub use run::{Phase, Run};
pub use status::RunStatus;
pub use step::Step;
pub use store_file::{FileBatch, StoreFile};
pub use thread::Thread;
pub use time::Timestamp;
pub use tool::Tool;
pub use upload::{Upload, UploadPart};
pub use usage::Usage;
pub use vector_store::VectorStore;
pub use version::{Version, View};
