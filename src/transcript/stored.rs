//! The conversation of a stored thread, with everything that belongs to it.

use serde::Serialize;
use serde_json::Value;

use super::{ConversationObjects, recorded::file_ids};
use crate::{
    store::{self, Paged, Store, Stored},
    types::{Assistant, File, Id, Message, Order, Run, Step, Thread, limits, list::PageRequest},
};

/// Everything that is known of a thread. None if it does not exist.
pub async fn of_thread(
    store: &Store,
    thread: &Id<Thread>,
) -> store::Result<Option<ConversationObjects>> {
    if store.find::<Thread>(thread).await?.is_none() {
        return Ok(None);
    }
    let mut objects = ConversationObjects::default();
    let within = [("thread_id", thread.as_str())];
    let mut files = Vec::new();
    for message in all::<Message>(store, &within).await? {
        note_files(&to_json(&message.content), &mut files);
        objects.note(&to_json(&message));
    }
    for run in all::<Run>(store, &within).await? {
        if let Some(assistant) = store.find::<Assistant>(&run.assistant_id).await? {
            objects.note(&to_json(&assistant));
        }
        for step in
            all::<Step>(store, &[("thread_id", thread.as_str()), ("run_id", run.id.as_str())])
                .await?
        {
            note_files(&to_json(&step.step_details), &mut files);
            objects.note(&to_json(&step));
        }
        objects.note(&to_json(&run));
    }
    for id in files {
        let id = Id::<File>::new(id);
        let Some(file) = store.find::<File>(&id).await? else { continue };
        objects.note(&to_json(&file));
        if let Some(content) = store.content_of(&id).await? {
            objects.note_content(id.as_str(), content);
        }
    }
    Ok(Some(objects))
}

fn to_json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// All there is within a parent, oldest first.
async fn all<T: Stored>(store: &Store, within: &[(&'static str, &str)]) -> store::Result<Vec<T>> {
    let mut request =
        PageRequest { limit: limits::PAGE_MAX, order: Order::Ascending, after: None, before: None };
    let mut all = Vec::new();
    loop {
        let Paged::Page(page) = store.list::<T>(within, &request).await? else { return Ok(all) };
        request.after = page.items.last().map(|item| item.id().to_string());
        all.extend(page.items);
        if !page.has_more {
            return Ok(all);
        }
    }
}

/// Adds the files that are named somewhere in an object, each once.
fn note_files(object: &Value, files: &mut Vec<String>) {
    for id in file_ids(object) {
        if !files.iter().any(|known| known == id) {
            files.push(id.to_owned());
        }
    }
}
