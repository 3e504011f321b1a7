//! The answers of upstreams, as fixtures. Each thread has one file, which is written again whenever
//! a run of it ends. Each chain or conversation of responses has one file, to which replies are
//! added.
//!
//! The existing content of the folder is never lost. Only its own thread writes a file again, and
//! only if the thread still has everything that is in the file. A reply of responses replaces a
//! reply that has only the beginning of the same.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::JoinError,
};

use crate::{
    clock::chain_of_response,
    fixture,
    redact::Redactor,
    store::Store,
    transcript::{
        self, AnsweredQuestion, ConversationObjects, ExportOptions, FilePlacement,
        GeneratedDocument, GeneratedFixture, GeneratedReply, UsedNames,
    },
    types::{Id, Thread, lenient},
};

/// Makes fixtures of the answers of upstreams.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    redactor: Redactor,
    state: Arc<Mutex<RecorderState>>,
}

#[derive(Debug, Default)]
struct RecorderState {
    /// The files of threads, by the folder of their session and their id.
    threads: HashMap<(PathBuf, String), PathBuf>,
    /// The last number that begins the name of a file.
    number: u32,
    /// The content of the files.
    documents: HashMap<PathBuf, GeneratedDocument>,
    /// Which files of a folder have a reply for some conditions.
    files: HashMap<(PathBuf, String), BTreeSet<PathBuf>>,
}

/// The recorder, for the threads of one session.
#[derive(Clone, Debug)]
pub struct Recording {
    recorder: Arc<Recorder>,
    /// The folder for the fixtures of this session.
    folder: PathBuf,
}

/// Held while a run that is recorded ends, so that a client that sees its end finds the recording.
pub struct Begun {
    recording: Recording,
    state: OwnedMutexGuard<RecorderState>,
}

/// The beginning of every recording, before the id of its thread.
const HEADER: &str = "Recorded from an upstream, of ";

/// The text before the key of a chain there: ids of threads never begin so.
const CHAIN: &str = "responses ";

impl Recorder {
    /// Recordings go to this folder, which is created if needed.
    pub fn new(folder: PathBuf, redactor: Redactor) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut state = RecorderState::default();
        for path in fixture::files(std::slice::from_ref(&folder)).map_err(io::Error::other)? {
            state.number = state.number.max(number_of(&path));
            if let Ok(text) = fs::read_to_string(&path) {
                state.note_recorded(path, &text);
            }
        }
        Ok(Self { folder, redactor, state: Arc::new(Mutex::new(state)) })
    }

    /// For the threads of a session, in a folder of its own unless it has no name.
    pub fn of_session(self: &Arc<Self>, session: Option<&str>) -> Recording {
        let folder =
            session.map_or_else(|| self.folder.clone(), |session| self.folder.join(session));
        Recording { recorder: Arc::clone(self), folder }
    }

    /// Returns when nothing is being written.
    pub async fn settle(&self) {
        drop(self.state.lock().await);
    }
}

impl Recording {
    pub async fn begin(&self) -> Begun {
        Begun {
            recording: self.clone(),
            state: Arc::clone(&self.recorder.state).lock_owned().await,
        }
    }
}

impl RecorderState {
    /// Notes a file that was recorded earlier.
    fn note_recorded(&mut self, path: PathBuf, text: &str) {
        let thread = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# ")?.strip_prefix(HEADER)?.strip_suffix('.'));
        let (Some(thread), Ok((document, _))) = (thread, fixture::lines_of(text, &[])) else {
            return;
        };
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let document: GeneratedDocument = lenient::read(document);
        for reply in &*document.replies {
            let key = (folder.clone(), reply.conditions());
            self.files.entry(key).or_default().insert(path.clone());
        }
        self.threads.insert((folder, thread.to_owned()), path.clone());
        self.documents.insert(path, document);
    }
}

impl RecorderState {
    /// The chain of a file, if the file is one of responses.
    fn chain_of(&self, folder: &Path, path: &Path) -> Option<String> {
        let mut threads = self.threads.iter();
        let (key, _) = threads.find(|((at, _), known)| at == folder && known.as_path() == path)?;
        Some(key.1.clone()).filter(|of| of.starts_with(CHAIN))
    }
}

impl Begun {
    /// Records the runs that upstreams have performed on a thread so far. Errors are logged: a run
    /// does not fail because it cannot be recorded.
    pub async fn record(mut self, store: &Store, thread: &Id<Thread>) {
        let objects = match transcript::of_thread(store, thread).await {
            Ok(Some(objects)) => objects,
            Ok(None) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%thread, error, "a run cannot be recorded");
                return;
            }
        };
        let thread = thread.to_string();
        let written = tokio::task::spawn_blocking(move || self.write(&objects, &thread));
        report(written.await);
    }

    /// Records the answer of an upstream in a response.
    pub async fn record_answer(mut self, answered: &AnsweredQuestion) {
        let reply = answered.reply(&self.recording.recorder.redactor, false);
        let id = Id::new(answered.response.id.as_str());
        let chain = format!("{CHAIN}{}", chain_of_response(&id));
        let written = tokio::task::spawn_blocking(move || self.write_answer(reply, chain));
        report(written.await);
    }

    /// Writes to the file of the chain, or to that of the earlier answers in a list from the
    /// client.
    fn write_answer(&mut self, reply: GeneratedReply, chain: String) -> io::Result<PathBuf> {
        let folder = self.recording.folder.clone();
        if let Some(written) = self.go_on_with(&folder, &reply)? {
            return Ok(written);
        }
        let key = (folder.clone(), chain);
        let (path, mut document) = match self.file_with_room(&key, &reply) {
            Some(known) => known,
            None => (self.new_path(&folder, &reply.name), GeneratedDocument::default()),
        };
        document.add(reply, &suffix(number_of(&path)));
        self.take_turns(&folder, &path, &mut document)?;
        self.put(path, key, document)
    }

    /// The file of a chain, if a reply can be added to it: nobody has edited it, and it has no reply
    /// for the same question yet.
    fn file_with_room(
        &self,
        key: &(PathBuf, String),
        reply: &GeneratedReply,
    ) -> Option<(PathBuf, GeneratedDocument)> {
        let path = self.state.threads.get(key).filter(|path| self.is_as_written(path, &key.1))?;
        let document = self.state.documents.get(path)?;
        let has_room = document.replies.iter().all(|known| known.when != reply.when);
        has_room.then(|| (path.clone(), document.clone()))
    }

    /// Replaces a reply that has only the beginning of this one, in any file.
    fn go_on_with(&mut self, folder: &Path, reply: &GeneratedReply) -> io::Result<Option<PathBuf>> {
        let key = (folder.to_owned(), reply.conditions());
        let Some(path) = self.state.files.get(&key).and_then(BTreeSet::last).cloned() else {
            return Ok(None);
        };
        let Some(chain) = self.state.chain_of(folder, &path) else { return Ok(None) };
        let Some(document) = self.state.documents.get(&path) else { return Ok(None) };
        let mut document = document.clone();
        let Some(known) = document.replies.0.iter_mut().find(|known| known.when == reply.when)
        else {
            return Ok(None);
        };
        if known.repeats(reply) {
            return Ok(Some(path));
        }
        if !reply.continues(known) || !self.is_as_written(&path, &chain) {
            return Ok(None);
        }
        let GeneratedReply { name, times, .. } = known.clone();
        *known = GeneratedReply { name, times, ..reply.clone() };
        self.put(path, (folder.to_owned(), chain), document).map(Some)
    }

    /// Whether nobody has edited a file of responses.
    fn is_as_written(&self, path: &Path, chain: &str) -> bool {
        let text = self.state.documents.get(path).and_then(|known| headed(known, chain).ok());
        text.is_some_and(|text| fs::read_to_string(path).is_ok_and(|there| there == text))
    }

    fn put(
        &mut self,
        path: PathBuf,
        key: (PathBuf, String),
        document: GeneratedDocument,
    ) -> io::Result<PathBuf> {
        let text = headed(&document, &key.1)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        transcript::write_files(&key.0, stem, &text, &GeneratedFixture::default())?;
        self.state.threads.insert(key, path.clone());
        self.state.documents.insert(path.clone(), document);
        Ok(path)
    }

    fn write(&mut self, objects: &ConversationObjects, thread: &str) -> io::Result<PathBuf> {
        let folder = self.recording.folder.clone();
        let key = (folder.clone(), thread.to_owned());
        let (stem, mut generated) = match self.go_on(objects, &key) {
            Some(known) => known,
            None => self.begin_file(objects, &folder),
        };
        let path = folder.join(format!("{stem}.yaml"));
        self.take_turns(&folder, &path, &mut generated.document)?;
        let text = headed(&generated.document, thread)?;
        transcript::write_files(&folder, &stem, &text, &generated)?;
        self.state.threads.insert(key, path.clone());
        self.state.documents.insert(path.clone(), generated.document);
        Ok(path)
    }

    /// The file of a thread, if it has one, unless the file has something that the thread lacks.
    /// Ids occur again after a reset, and people edit files.
    fn go_on(
        &self,
        objects: &ConversationObjects,
        key: &(PathBuf, String),
    ) -> Option<(String, GeneratedFixture)> {
        let path = self.state.threads.get(key)?;
        let stem = path.file_stem()?.to_str()?.to_owned();
        let generated = self.generate(objects, &stem, number_of(path));
        let is_kept =
            |old: &GeneratedReply| generated.document.replies.iter().any(|new| new.repeats(old));
        self.state.documents.get(path)?.replies.iter().all(is_kept).then_some((stem, generated))
    }

    /// A name that sorts files in the order in which their threads were first recorded.
    fn begin_file(
        &mut self,
        objects: &ConversationObjects,
        folder: &Path,
    ) -> (String, GeneratedFixture) {
        loop {
            self.state.number = self.state.number.saturating_add(1);
            let number = self.state.number;
            let generated = self.generate(objects, "", number);
            let name = generated.document.replies.first().map_or("", |reply| reply.name.as_str());
            let stem =
                format!("{number:04}-{}", name.strip_suffix(&suffix(number)).unwrap_or("run"));
            if folder.join(format!("{stem}.yaml")).exists() {
                continue;
            }
            // The files beside it are in a folder of its name.
            let generated = if generated.files.is_empty() {
                generated
            } else {
                self.generate(objects, &stem, number)
            };
            return (stem, generated);
        }
    }

    /// The path of a new file, by the name of its first reply.
    fn new_path(&mut self, folder: &Path, name: &str) -> PathBuf {
        let name = if name.is_empty() { "run" } else { name };
        loop {
            self.state.number = self.state.number.saturating_add(1);
            let path = folder.join(format!("{:04}-{name}.yaml", self.state.number));
            if !path.exists() {
                return path;
            }
        }
    }

    fn generate(&self, objects: &ConversationObjects, stem: &str, number: u32) -> GeneratedFixture {
        let options = ExportOptions {
            placement: FilePlacement::Beside,
            folder: stem,
            redactor: &self.recording.recorder.redactor,
            seeds: false,
            suffix: &suffix(number),
            only_performed: true,
        };
        transcript::generate(objects, &options, &mut UsedNames::default())
    }

    /// Two threads may begin alike and continue differently. Then the first answer is used once,
    /// and the next one after it, in the order of the recording.
    fn take_turns(
        &mut self,
        folder: &Path,
        path: &Path,
        document: &mut GeneratedDocument,
    ) -> io::Result<()> {
        let state = &mut *self.state;
        for reply in &mut document.replies.0 {
            let key = (folder.to_owned(), reply.conditions());
            let files = state.files.entry(key).or_default();
            files.insert(path.to_owned());
            if files.last().is_some_and(|last| last != path) {
                reply.times = Some(1);
            } else if let Some(before) = files.iter().nth_back(1)
                && let Some(document) = state.documents.get_mut(before)
            {
                let earlier = document.replies.0.iter_mut();
                for earlier in earlier.filter(|earlier| earlier.when == reply.when) {
                    retire(before, earlier)?;
                }
            }
        }
        Ok(())
    }
}

/// Logs the place of a recording, or why there is none.
fn report(written: Result<io::Result<PathBuf>, JoinError>) {
    match written {
        Ok(Ok(path)) => tracing::info!(path = %path.display(), "recorded"),
        Ok(Err(error)) => tracing::error!(%error, "a run cannot be recorded"),
        Err(error) => tracing::error!(%error, "a run cannot be recorded"),
    }
}

/// The text of a file, with its thread or chain in the first line.
fn headed(document: &GeneratedDocument, of: &str) -> io::Result<String> {
    let text = fixture::written(document, &format!("{HEADER}{of}.")).map_err(io::Error::other)?;
    if text.len() as u64 > fixture::LARGEST {
        return Err(io::Error::other(format!(
            "the recording of {of} would be larger than a fixture file may be"
        )));
    }
    Ok(text)
}

/// Limits a reply to one use. The rest of its file stays as people may have edited it.
fn retire(path: &Path, reply: &mut GeneratedReply) -> io::Result<()> {
    if reply.times.is_some() {
        return Ok(());
    }
    reply.times = Some(1);
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    let Some(edited) = fixture::with_times(&text, &reply.name, 1) else {
        let (path, reply) = (path.display(), &reply.name);
        tracing::warn!(%path, reply, "an edited recording is left alone: give it `times: 1`");
        return Ok(());
    };
    match (path.parent(), path.file_stem().and_then(|stem| stem.to_str())) {
        (Some(folder), Some(stem)) => {
            transcript::write_files(folder, stem, &edited, &GeneratedFixture::default())
        }
        _ => Ok(()),
    }
}

/// The suffix of the names of replies, so that no two files share a name.
fn suffix(number: u32) -> String {
    format!("-{number:04}")
}

/// The number at the beginning of a file's name. In recorded files it has four digits or more.
fn number_of(path: &Path) -> u32 {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let (number, _) = stem.split_once('-').unwrap_or_default();
    if number.len() < 4 { 0 } else { number.parse().unwrap_or(0) }
}
