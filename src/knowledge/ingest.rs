//! Makes files of vector stores searchable, in the background: text, chunks, words, and then
//! `completed`.
//!
//! A client may delete, cancel or restart a file while it is being prepared. So every write has the
//! condition that somebody still waits for the file. Under the pace `steps` nothing happens until a
//! client polls.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::AbortHandle,
};

use crate::{
    clock::Clock,
    extract::{ExtractError, Extractor},
    fixture::Pace,
    search::{chunks, reading::Reading},
    store::{self, Changes, Chunk, FilePlace, Ready, Recovery, Store, mark_of},
    types::{
        File, Id, StoreFile,
        chunking::Cut,
        limits,
        store_file::{IngestError, IngestErrorCode},
    },
};

/// How often the server tries to read a file.
const READS: u32 = 3;

/// How many chunks are written together.
const GROUP: usize = 128;

/// The files of one session that are being prepared.
pub(super) struct Ingest {
    at_hand: IngestServices,
    /// The files that wait for a poll, in order: only under the pace `steps`.
    waiting: Mutex<VecDeque<IngestJob>>,
    under_way: Arc<Mutex<HashMap<FileKey, IngestTask>>>,
    /// Changes whenever a file is ready.
    ready: watch::Sender<u64>,
    pace: Pace,
}

#[derive(Clone)]
struct IngestServices {
    store: Store,
    clock: Clock,
    extractor: Extractor,
}

/// A file within a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FileKey {
    store: String,
    file: String,
}

#[derive(Clone)]
struct IngestJob {
    file: StoreFile,
    batch: Option<String>,
}

struct IngestTask {
    job: IngestJob,
    number: u64,
    task: AbortHandle,
    /// Notified when somebody cannot wait for the pace.
    hurry: Arc<Notify>,
}

/// The files that a client polls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look<'a> {
    Store(&'a str),
    File {
        store: &'a str,
        file: &'a str,
    },
    /// In any store.
    Anywhere(&'a str),
    Batch(&'a str),
}

impl Look<'_> {
    fn sees(&self, job: &IngestJob) -> bool {
        let store_of = job.file.vector_store_id.as_str();
        match self {
            Self::Store(store) => store_of == *store,
            Self::File { store, file } => store_of == *store && job.file.id.as_str() == *file,
            Self::Anywhere(file) => job.file.id.as_str() == *file,
            Self::Batch(batch) => job.batch.as_deref() == Some(*batch),
        }
    }
}

impl Ingest {
    pub(super) fn new(store: Store, clock: Clock, pace: Pace, extractor: Extractor) -> Self {
        Self {
            at_hand: IngestServices { store, clock, extractor },
            waiting: Mutex::default(),
            under_way: Arc::default(),
            ready: watch::Sender::new(0),
            pace,
        }
    }

    /// The text of a file, in any store or none.
    pub(super) async fn text_of(&self, file: &str) -> store::Result<Result<String, ExtractError>> {
        self.at_hand.text_of(file).await
    }

    /// Begins to prepare files, in this order.
    pub(super) fn begin(&self, files: impl IntoIterator<Item = (StoreFile, Option<String>)>) {
        for (file, batch) in files {
            let job = IngestJob { file, batch };
            if self.pace == Pace::Steps {
                self.waiting.lock().push_back(job);
            } else {
                self.start(job);
            }
        }
    }

    /// A client polls: under the pace `steps`, one of the polled files becomes ready.
    pub(super) async fn poll(&self, look: Look<'_>) {
        let next = {
            let mut waiting = self.waiting.lock();
            let place = waiting.iter().position(|job| look.sees(job));
            place.and_then(|place| waiting.remove(place))
        };
        if let Some(job) = next {
            let key = FileKey::new(&job.file);
            self.start(job);
            self.wait(|under_way| under_way.contains_key(&key)).await;
        }
    }

    /// Whether all files of these stores are ready.
    pub(super) fn is_settled(&self, stores: &[String]) -> bool {
        let waits = self.waiting.lock().iter().any(|job| of_stores(job, stores));
        !waits && !self.under_way.lock().keys().any(|key| stores.contains(&key.store))
    }

    /// Waits until all files of these stores are ready. A search does not poll, and does not keep
    /// to the pace.
    pub(super) async fn settle(&self, stores: &[String]) {
        let due: VecDeque<IngestJob> = {
            let mut waiting = self.waiting.lock();
            let (due, others) =
                std::mem::take(&mut *waiting).into_iter().partition(|job| of_stores(job, stores));
            *waiting = others;
            due
        };
        for job in due {
            self.start(job);
        }
        for under_way in
            self.under_way.lock().values().filter(|under_way| of_stores(&under_way.job, stores))
        {
            under_way.hurry.notify_one();
        }
        self.wait(|under_way| under_way.keys().any(|key| stores.contains(&key.store))).await;
    }

    /// Waits until all files are ready.
    pub(super) async fn settle_all(&self) {
        let stores: HashSet<String> = {
            let (waiting, under_way) = (self.waiting.lock(), self.under_way.lock());
            let waiting = waiting.iter().map(|job| job.file.vector_store_id.to_string());
            waiting.chain(under_way.keys().map(|key| key.store.clone())).collect()
        };
        self.settle(&stores.into_iter().collect::<Vec<_>>()).await;
    }

    /// Nobody waits for these files any more: stops those that are in progress.
    pub(super) fn forget(&self, look: Look<'_>) {
        self.waiting.lock().retain(|job| !look.sees(job));
        self.under_way.lock().retain(|_, under_way| {
            let gone = look.sees(&under_way.job);
            if gone {
                under_way.task.abort();
            }
            !gone
        });
        self.ready.send_modify(|count| *count += 1);
    }

    async fn wait(&self, busy: impl Fn(&HashMap<FileKey, IngestTask>) -> bool) {
        let mut ready = self.ready.subscribe();
        while busy(&self.under_way.lock()) {
            if ready.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts a task for a file. If another task works on the same file, that one stops.
    fn start(&self, job: IngestJob) {
        let (key, file) = (FileKey::new(&job.file), job.file.clone());
        let (at_hand, hurry) = (self.at_hand.clone(), Arc::new(Notify::new()));
        let (queue, hurried, activity) =
            (self.pace.timing().queue, Arc::clone(&hurry), at_hand.clock.begin_activity());
        // The lock is held until the task is known, so that the task cannot end before that.
        let mut under_way = self.under_way.lock();
        let number = under_way.get(&key).map_or(0, |earlier| earlier.number + 1);
        let end = IngestEnd {
            all: Arc::clone(&self.under_way),
            key: key.clone(),
            number,
            ready: self.ready.clone(),
        };
        let task = tokio::spawn(async move {
            let _end = end;
            let due = at_hand.clock.now().after(queue);
            let _awake = tokio::select! {
                activity = at_hand.clock.sleep_until(due, activity) => activity,
                () = hurried.notified() => at_hand.clock.begin_activity(),
            };
            at_hand.make_ready(&file).await;
        });
        if let Some(earlier) =
            under_way.insert(key, IngestTask { job, number, task: task.abort_handle(), hurry })
        {
            earlier.task.abort();
        }
    }
}

fn of_stores(job: &IngestJob, stores: &[String]) -> bool {
    stores.iter().any(|store| Look::Store(store).sees(job))
}

/// Notes that a file is no longer in progress, however its task ended.
struct IngestEnd {
    all: Arc<Mutex<HashMap<FileKey, IngestTask>>>,
    key: FileKey,
    number: u64,
    ready: watch::Sender<u64>,
}

impl Drop for IngestEnd {
    fn drop(&mut self) {
        let mut under_way = self.all.lock();
        if under_way.get(&self.key).is_some_and(|it| it.number == self.number) {
            under_way.remove(&self.key);
        }
        drop(under_way);
        self.ready.send_modify(|count| *count += 1);
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let under_way: Vec<_> = self.under_way.lock().drain().collect();
        for (_, under_way) in under_way {
            under_way.task.abort();
        }
    }
}

impl FileKey {
    fn new(file: &StoreFile) -> Self {
        Self { store: file.vector_store_id.to_string(), file: file.id.to_string() }
    }
}

impl IngestServices {
    async fn make_ready(&self, file: &StoreFile) {
        let Some(_place) = self.extractor.turn().await else { return };
        let Err(error) = self.try_to_make_ready(file).await else { return };
        {
            let error: &dyn std::error::Error = &error;
            let (store, file) = (&file.vector_store_id, &file.id);
            tracing::error!(%file, %store, error, "cannot index a file");
        }
        let mut recovery = Recovery::default();
        for attempt in 1_u32.. {
            recovery.wait().await;
            // A full disk is no error of the file.
            if self.try_to_make_ready(file).await.is_ok() {
                return;
            }
            if attempt >= READS && self.give_up(file).await.is_ok() {
                return;
            }
        }
    }

    /// Ends a file as failed.
    async fn give_up(&self, file: &StoreFile) -> store::Result<()> {
        let Some(place) = self.store.place_of_file(file).await? else { return Ok(()) };
        let mut changes = Changes::new();
        changes.finish_store_file(&place, &failed(ExtractError::Unreadable));
        self.store.write(changes).await.map(|_| ())
    }

    async fn try_to_make_ready(&self, file: &StoreFile) -> store::Result<()> {
        let Some(place) = self.store.place_of_file(file).await? else { return Ok(()) };
        let mut changes = Changes::new();
        changes.clear_chunks(&place);
        self.store.write(changes).await?;
        let end = match self.readable_text_of(file.id.as_str()).await? {
            Ok(text) => self.index(&place, text, file.chunking_strategy.cut()).await?,
            Err(why) => failed(why),
        };
        let mut changes = Changes::new();
        changes.finish_store_file(&place, &end);
        self.store.write(changes).await?;
        Ok(())
    }

    /// The text of a file. If it cannot be read at the moment, perhaps because no descriptors are
    /// left, this tries again before the file fails.
    async fn readable_text_of(&self, file: &str) -> store::Result<Result<String, ExtractError>> {
        let mut recovery = Recovery::default();
        for _ in 0..READS {
            match self.text_of(file).await? {
                Err(ExtractError::Unreadable) => recovery.wait().await,
                done => return Ok(done),
            }
        }
        self.text_of(file).await
    }

    async fn text_of(&self, file: &str) -> store::Result<Result<String, ExtractError>> {
        let Some(whole) = self.store.find::<File>(&Id::new(file)).await? else {
            return Ok(Err(ExtractError::Unreadable));
        };
        let Some(blob) = self.store.blob_of(&whole.id).await? else {
            return Ok(Err(ExtractError::Unreadable));
        };
        let Ok(path) = self.store.blobs().path(&blob) else {
            return Ok(Err(ExtractError::Unreadable));
        };
        Ok(self.extractor.text_of(&path, whole.extension()).await)
    }

    /// Splits a text and writes its chunks, while another thread analyses the next ones.
    async fn index(&self, place: &FilePlace, text: String, cut: Cut) -> store::Result<Ready> {
        let (send, mut groups) = mpsc::channel::<Vec<Chunk>>(2);
        let store = place.store;
        let analysis = tokio::task::spawn_blocking(move || analyse(&text, cut, store, &send));
        let mut number = 0;
        while let Some(group) = groups.recv().await {
            let mut changes = Changes::new();
            for chunk in group {
                changes.insert_chunk(place, number, chunk);
                number += 1;
            }
            self.store.write(changes).await?;
        }
        Ok(analysis.await.unwrap_or_else(|_| failed(ExtractError::Unreadable)))
    }
}

fn failed(why: ExtractError) -> Ready {
    let code = match why {
        ExtractError::Unsupported => IngestErrorCode::UnsupportedFile,
        ExtractError::TooLarge
        | ExtractError::Empty
        | ExtractError::Broken
        | ExtractError::TooSlow => IngestErrorCode::InvalidFile,
        ExtractError::Unreadable => IngestErrorCode::ServerError,
    };
    Ready { error: Some(IngestError { code, message: why.to_string() }), ..Ready::default() }
}

fn analyse(text: &str, cut: Cut, store: i64, send: &mpsc::Sender<Vec<Chunk>>) -> Ready {
    let Some(pieces) = chunks::cut(text, cut, limits::FILE_TOKENS) else {
        return failed(ExtractError::TooLarge);
    };
    let (mut reading, mark) = (Reading::new(text), mark_of(store));
    let mut ready = Ready { chunks: pieces.len(), ..Ready::default() };
    for group in pieces.chunks(GROUP) {
        let group: Vec<Chunk> =
            group.iter().map(|piece| chunk(piece, &mut reading, &mark)).collect();
        ready.words += group.iter().map(|chunk| chunk.words).sum::<usize>();
        ready.bytes +=
            group.iter().map(|chunk| chunk.text.len() + limits::CHUNK_OVERHEAD).sum::<usize>();
        // Nobody waits for the chunks any more.
        if send.blocking_send(group).is_err() {
            break;
        }
    }
    ready
}

fn chunk(piece: &chunks::TextPiece<'_>, reading: &mut Reading<'_>, mark: &str) -> Chunk {
    let mut columns: [String; 4] = Default::default();
    let words = reading.count(piece, |word, times| {
        let column = &mut columns[times.min(4) - 1];
        column.push_str(mark);
        column.push_str(word);
        column.push(' ');
    });
    Chunk { start: piece.start, text: piece.text.to_owned(), words, columns }
}

/// Ids without duplicates, in their order.
pub(super) fn once(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}
