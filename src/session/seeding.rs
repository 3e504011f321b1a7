//! Stores the seeds of fixtures in a session. Existing objects stay as they are.

use crate::{
    clock::Ids,
    fixture::{
        Diagnostic, Fixtures, Origin, SeedAssistant, SeedFile, SeedStore, SeedThread, StoredAsset,
        asset::Asset,
    },
    knowledge::{AttachedFiles, Knowledge, KnowledgeError, on_disk},
    store::{self, Changes, Store, Stored},
    types::{
        Assistant, File, Id, Message, Patch, Thread, Timestamp,
        file::{NewFile, Purpose},
        tool::ToolResources,
        vector_store::NewVectorStore,
    },
};

/// Why seeds could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("{}", crate::fixture::diagnostic::render_all(.0))]
    Faulty(Vec<Diagnostic>),
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Stores all valid seeds, and reports the others with their places.
pub(super) async fn seed(state: &Seeder<'_>, fixtures: &Fixtures) -> Result<(), SeedError> {
    let mut faults = Vec::new();
    for seed in &fixtures.files {
        located(fixtures, &seed.origin, state.seed_file(seed).await, &mut faults)?;
    }
    for seed in &fixtures.vector_stores {
        located(fixtures, &seed.origin, state.seed_store(seed).await, &mut faults)?;
    }
    for seed in &fixtures.assistants {
        located(fixtures, &seed.origin, state.seed_assistant(seed).await, &mut faults)?;
    }
    for seed in &fixtures.threads {
        located(fixtures, &seed.origin, state.seed_thread(seed).await, &mut faults)?;
    }
    faults.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    if faults.is_empty() { Ok(()) } else { Err(SeedError::Faulty(faults)) }
}

fn located(
    fixtures: &Fixtures,
    origin: &Origin,
    outcome: Result<(), KnowledgeError>,
    faults: &mut Vec<Diagnostic>,
) -> Result<(), SeedError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(KnowledgeError::Store(error)) => Err(error.into()),
        Err(other) => {
            let word = match &other {
                KnowledgeError::NoFile(id)
                | KnowledgeError::Expired(id)
                | KnowledgeError::StoreFull(id) => Some(id.as_str()),
                KnowledgeError::NoStores(ids) => ids.first().map(String::as_str),
                _ => None,
            };
            faults.push(fixtures.diagnostic_of_seed(
                origin,
                format!("cannot create this seed: {other}"),
                word,
            ));
            Ok(())
        }
    }
}

/// A session that gets its seeds.
pub(super) struct Seeder<'w> {
    pub store: &'w Store,
    pub ids: &'w Ids,
    pub knowledge: &'w Knowledge,
    pub now: Timestamp,
}

impl Seeder<'_> {
    async fn is_new<T: Stored<Key = Id<T>>>(&self, id: &Id<T>) -> store::Result<bool> {
        Ok(self.store.find::<T>(id).await?.is_none())
    }

    async fn content(&self, asset: &Asset, fixture: &str) -> Result<Vec<u8>, KnowledgeError> {
        let (asset, fixture) = (asset.clone(), fixture.to_owned());
        Ok(on_disk(move || asset.load(&fixture)).await?)
    }

    async fn seed_file(&self, seed: &SeedFile) -> Result<(), KnowledgeError> {
        let content = self.content(&seed.asset, &seed.origin.file).await?;
        self.knowledge.make_file_as(seed.id.clone(), seed.new.clone(), content).await?;
        Ok(())
    }

    async fn seed_store(&self, seed: &SeedStore) -> Result<(), KnowledgeError> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut files = Vec::new();
        for file in &seed.files {
            files.push(match file {
                StoredAsset::File(id) => id.clone(),
                StoredAsset::Asset(asset) => {
                    let (id, content) =
                        (self.ids.next::<File>(), self.content(asset, &seed.origin.file).await?);
                    let new = NewFile {
                        filename: asset.name.clone(),
                        purpose: Purpose::Assistants,
                        expires_after: None,
                    };
                    self.knowledge.make_file_as(id.clone(), new, content).await?;
                    id
                }
            });
        }
        let file_ids = files.iter().map(Id::to_string).collect();
        let new = NewVectorStore {
            name: seed.name.clone(),
            metadata: seed.metadata.clone(),
            file_ids,
            ..NewVectorStore::default()
        };
        self.knowledge.make_store_as(seed.id.clone(), new).await?;
        // The first client finds everything ready.
        self.knowledge.settle(&[seed.id.to_string()]).await;
        Ok(())
    }

    async fn seed_assistant(&self, seed: &SeedAssistant) -> Result<(), KnowledgeError> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut new = seed.new.clone();
        if let Patch::Set(resources) = new.tool_resources() {
            self.knowledge.provide(resources).await?;
        }
        let mut changes = Changes::new();
        changes.insert_assistant(&Assistant::new(seed.id.clone(), self.now, new))?;
        self.store.write(changes).await?;
        Ok(())
    }

    async fn seed_thread(&self, seed: &SeedThread) -> Result<(), KnowledgeError> {
        if !self.is_new(&seed.id).await? {
            return Ok(());
        }
        let mut resources = ToolResources::default();
        let attached = AttachedFiles::to(&seed.messages);
        let attachments = self.knowledge.attach(&mut resources, &attached).await?;
        let mut changes = Changes::new();
        attachments.write(&mut changes, None)?;
        changes.insert_thread(&Thread::new(
            seed.id.clone(),
            self.now,
            seed.metadata.clone(),
            resources,
        ))?;
        for new in &seed.messages {
            changes.insert_message(
                &Message::sent(self.ids.next(), self.now, seed.id.clone(), new.clone()),
                None,
            )?;
        }
        self.store.write(changes).await?;
        self.knowledge.attached(attachments);
        Ok(())
    }
}
