//! The events of a commit for the session: the object that was created, changed or deleted. The
//! JSON of an event is written only if somebody listens.

use serde::Serialize;
use serde_json::json;

use crate::types::{
    Assistant, Container, ContainerFile, Conversation, File, FileBatch, Message, Response, Run,
    StoreFile, Thread, Upload, VectorStore, Version, View,
};

/// An object of a session has changed.
#[derive(Debug)]
pub(super) enum StoreEvent {
    Created(ChangedObject),
    Updated(ChangedObject),
    /// The prefix of the resource's events, and the id of the object.
    Deleted {
        resource: &'static str,
        id: String,
    },
    /// The processing of a file has succeeded or failed.
    StoreFileEnded {
        id: String,
        vector_store_id: String,
        status: &'static str,
    },
}

#[derive(Debug)]
pub enum ChangedObject {
    Assistant(Assistant),
    Thread(Thread),
    Message(Message),
    Run(Box<Run>),
    File(File),
    Upload(Upload),
    VectorStore(VectorStore),
    StoreFile(StoreFile),
    FileBatch(FileBatch),
    Response(Box<Response>),
    Conversation(Conversation),
    Container(Container),
    ContainerFile(ContainerFile),
}

/// A resource whose changes cause events.
pub trait ChangeEvent: Clone {
    /// The prefix of the names of its events.
    const EVENTS: &'static str;

    fn changed(self) -> ChangedObject;
}

macro_rules! change_events {
    ($($Noun:ident = $events:literal, $wrap:expr;)*) => {
        $(impl ChangeEvent for $Noun {
            const EVENTS: &'static str = $events;

            fn changed(self) -> ChangedObject {
                $wrap(self)
            }
        })*
    };
}

change_events! {
    Assistant = "assistant", ChangedObject::Assistant;
    Thread = "thread", ChangedObject::Thread;
    Message = "thread.message", ChangedObject::Message;
    Run = "thread.run", |run| ChangedObject::Run(Box::new(run));
    File = "file", ChangedObject::File;
    Upload = "upload", ChangedObject::Upload;
    VectorStore = "vector_store", ChangedObject::VectorStore;
    StoreFile = "vector_store.file", ChangedObject::StoreFile;
    FileBatch = "vector_store.file_batch", ChangedObject::FileBatch;
    Response = "response", |response| ChangedObject::Response(Box::new(response));
    Conversation = "conversation", ChangedObject::Conversation;
    Container = "container", ChangedObject::Container;
    ContainerFile = "container.file", ChangedObject::ContainerFile;
}

impl StoreEvent {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Created(object) => format!("{}.created", object.events()),
            Self::Updated(object) => format!("{}.updated", object.events()),
            Self::Deleted { resource, .. } => format!("{resource}.deleted"),
            Self::StoreFileEnded { .. } => format!("{}.updated", StoreFile::EVENTS),
        }
    }

    /// The data as JSON on one line.
    pub(super) fn data(&self) -> String {
        match self {
            Self::Created(object) | Self::Updated(object) => object.to_json(),
            Self::Deleted { resource, id } => {
                compact(&json!({"id": id, "object": resource, "deleted": true}))
            }
            Self::StoreFileEnded { id, vector_store_id, status } => compact(&json!({
                "id": id,
                "object": StoreFile::EVENTS,
                "vector_store_id": vector_store_id,
                "status": status,
            })),
        }
    }
}

impl ChangedObject {
    fn events(&self) -> &'static str {
        match self {
            Self::Assistant(_) => Assistant::EVENTS,
            Self::Thread(_) => Thread::EVENTS,
            Self::Message(_) => Message::EVENTS,
            Self::Run(_) => Run::EVENTS,
            Self::File(_) => File::EVENTS,
            Self::Upload(_) => Upload::EVENTS,
            Self::VectorStore(_) => VectorStore::EVENTS,
            Self::StoreFile(_) => StoreFile::EVENTS,
            Self::FileBatch(_) => FileBatch::EVENTS,
            Self::Response(_) => Response::EVENTS,
            Self::Conversation(_) => Conversation::EVENTS,
            Self::Container(_) => Container::EVENTS,
            Self::ContainerFile(_) => ContainerFile::EVENTS,
        }
    }

    /// The object in the form of the API, which may leave out stored fields.
    fn to_json(&self) -> String {
        match self {
            Self::Assistant(assistant) => compact(&assistant.seen(Version::V2)),
            Self::Thread(thread) => compact(thread),
            Self::Message(message) => compact(&message.seen(Version::V2)),
            Self::Run(run) => compact(&run.over_rest().seen(Version::V2)),
            Self::File(file) => compact(file),
            Self::Upload(upload) => compact(&upload.clone().view()),
            Self::VectorStore(store) => compact(store),
            Self::StoreFile(file) => compact(file),
            Self::FileBatch(batch) => compact(batch),
            Self::Response(response) => compact(&response.over_rest()),
            Self::Conversation(conversation) => compact(conversation),
            Self::Container(container) => compact(container),
            Self::ContainerFile(file) => compact(file),
        }
    }
}

fn compact(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the API's objects are JSON")
}
