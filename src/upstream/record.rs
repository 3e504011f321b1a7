//! What upstreams have answered, as fixtures: one file for each thread, written anew whenever a run of it is over.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    fixture,
    store::Store,
    transcript::{self, Keeping, Manner, Redactor, Retold, Taken},
    types::{Id, Thread},
};

/// Makes fixtures of what upstreams answer.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    redactor: Redactor,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Names of the files, without `.yaml`, by session and thread.
    stems: HashMap<(String, String), String>,
    /// The last number that begins a file's name, by folder.
    numbers: HashMap<PathBuf, usize>,
    /// What was written last, by path.
    documents: HashMap<PathBuf, Value>,
    /// Which files have a reply for some conditions.
    files: HashMap<String, BTreeSet<PathBuf>>,
}

/// The recorder, for the threads of one session.
#[derive(Clone, Debug)]
pub struct Recording {
    recorder: Arc<Recorder>,
    session: String,
}

/// Held while a run that is to be recorded ends, so that whoever sees its end finds the recording.
pub struct Begun {
    recording: Recording,
    state: OwnedMutexGuard<State>,
}

impl Recorder {
    /// Recordings go to this folder, which is made if need be.
    pub fn new(folder: PathBuf, redactor: Redactor) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, redactor, state: Arc::default() })
    }

    /// For the threads of a session, in a folder of its own unless it has no name.
    pub fn of_session(self: &Arc<Self>, session: Option<&str>) -> Recording {
        Recording { recorder: Arc::clone(self), session: session.unwrap_or_default().to_owned() }
    }

    /// Done when nothing is being written.
    pub async fn settle(&self) {
        drop(self.state.lock().await);
    }
}

impl Recording {
    pub async fn begin(&self) -> Begun {
        Begun { recording: self.clone(), state: Arc::clone(&self.recorder.state).lock_owned().await }
    }

    /// Where the fixtures of this session are.
    fn folder(&self) -> PathBuf {
        self.recorder.folder.join(&self.session)
    }
}

impl Begun {
    /// Records what upstreams have performed on a thread so far. What goes wrong is logged: a run does not fail because
    /// it cannot be recorded.
    pub async fn record(mut self, store: &Store, thread: &Id<Thread>) {
        let objects = match transcript::of_thread(store, thread).await {
            Ok(Some(objects)) => objects,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%thread, error = &error as &dyn std::error::Error, "a run cannot be recorded");
                return;
            }
        };
        let thread = thread.clone();
        let written = tokio::task::spawn_blocking(move || self.write(&objects, &thread));
        match written.await {
            Ok(Ok(path)) => tracing::info!(path = %path.display(), "recorded"),
            Ok(Err(error)) => tracing::error!(%error, "a run cannot be recorded"),
            Err(error) => tracing::error!(%error, "a run cannot be recorded"),
        }
    }

    fn write(&mut self, objects: &transcript::Objects, thread: &Id<Thread>) -> io::Result<PathBuf> {
        let folder = self.recording.folder();
        let tail = tail_of(thread.as_str());
        let recorder = Arc::clone(&self.recording.recorder);
        let redactor = &recorder.redactor;
        let retell = |files: &str| {
            let manner = Manner {
                keeping: Keeping::Beside,
                folder: files,
                redactor,
                seeds: false,
                suffix: &format!("-{tail}"),
                only_performed: true,
            };
            transcript::retell(objects, &manner, &mut Taken::default())
        };
        let known = self.state.stems.get(&(self.recording.session.clone(), thread.to_string())).cloned();
        let mut retold = retell(known.as_deref().unwrap_or_default());
        let stem = match known {
            Some(stem) => stem,
            None => {
                let stem = self.name(&folder, tail, &retold)?;
                // The files beside it lie in a folder of its name.
                if !retold.files.is_empty() {
                    retold = retell(&stem);
                }
                self.state.stems.insert((self.recording.session.clone(), thread.to_string()), stem.clone());
                stem
            }
        };
        let path = folder.join(format!("{stem}.yaml"));
        self.take_turns(&path, &mut retold.document)?;
        let text = fixture::written(&retold.document, HEADER).map_err(io::Error::other)?;
        transcript::keep(&folder, &stem, &text, &retold)?;
        self.state.documents.insert(path.clone(), retold.document);
        Ok(path)
    }

    /// A name by which files stand in the order in which their threads were first recorded. A thread that was recorded
    /// before a restart keeps its own.
    fn name(&mut self, folder: &Path, tail: &str, retold: &Retold) -> io::Result<String> {
        let end = format!("-{tail}");
        let mut most = 0;
        if folder.is_dir() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
                if path.extension().is_some_and(|it| it == "yaml") && stem.ends_with(&end) {
                    return Ok(stem.to_owned());
                }
                let number = stem.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0);
                most = most.max(number);
            }
        }
        let number = self.state.numbers.entry(folder.to_owned()).or_default();
        *number = most.max(*number) + 1;
        let reply = retold.document["replies"][0]["name"].as_str().unwrap_or("run");
        // The names of replies end in the thread's already.
        Ok(format!("{number:04}-{reply}"))
    }

    /// Two threads may begin alike and go on differently: the answer that stands first is then used once, and the next
    /// one after it, as it was when they were recorded.
    fn take_turns(&mut self, path: &Path, document: &mut Value) -> io::Result<()> {
        let state = &mut *self.state;
        let mut touched = BTreeSet::new();
        for reply in document["replies"].as_array_mut().into_iter().flatten() {
            let files = state.files.entry(reply["when"].to_string()).or_default();
            files.insert(path.to_owned());
            if files.last().is_some_and(|last| last != path) {
                reply["times"] = Value::from(1);
            } else if let Some(before) = files.iter().nth_back(1) {
                let earlier = state.documents.get_mut(before).and_then(|document| document["replies"].as_array_mut());
                for earlier in earlier.into_iter().flatten().filter(|earlier| earlier["when"] == reply["when"]) {
                    earlier["times"] = Value::from(1);
                    touched.insert(before.clone());
                }
            }
        }
        for path in touched {
            let (Some(document), Some(folder), Some(stem)) =
                (state.documents.get(&path), path.parent(), path.file_stem().and_then(|stem| stem.to_str()))
            else {
                continue;
            };
            let text = fixture::written(document, HEADER).map_err(io::Error::other)?;
            transcript::keep(folder, stem, &text, &Retold::default())?;
        }
        Ok(())
    }
}

/// What every recording begins with.
const HEADER: &str = "Recorded from an upstream. Written anew for as long as its thread goes on.";

/// The end of a thread's id, which tells it from others.
fn tail_of(thread: &str) -> &str {
    const LENGTH: usize = 8;
    thread.char_indices().rev().nth(LENGTH - 1).map_or(thread, |(start, _)| &thread[start..])
}
