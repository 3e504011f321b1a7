//! The length of the prompt of a run: its instructions, its tools, and as much of the thread as
//! fits.

use super::machine::Prompt;
use crate::{
    store::{self, Store, ThreadEnd},
    tokens,
    turns::AskedMessage,
    types::{Message, Role, Run, limits},
};

/// The tokens that the chat format adds to each message, by OpenAI's guide to counting tokens.
pub(super) const PER_MESSAGE: u64 = 4;

/// The text that a model reads when a run starts.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub prompt: Prompt,
    /// The messages that fit, oldest first.
    pub messages: Vec<AskedMessage>,
}

/// Reads the prompt that `run` starts with. Messages of the run itself are counted during the run.
/// A run that resumes has some of them after the others.
pub(super) async fn measure(store: &Store, run: &Run) -> store::Result<Reading> {
    let (mut fitting, mut own) = (ThreadWindow::new(run), Vec::new());
    store
        .walk_back(&run.thread_id, i64::MAX, |message| {
            if is_of(message, run) {
                own.extend((!message.is_open()).then(|| asked(message, message.text())));
                return true;
            }
            fitting.take(message).1
        })
        .await?;
    let mut reading = fitting.into_reading();
    reading.messages.extend(own.into_iter().rev());
    Ok(reading)
}

/// The same for a run that does not exist yet. It uses the messages that come with the run, oldest
/// first, and the messages of the thread.
pub(super) async fn at_end(
    store: &Store,
    run: &Run,
    messages: &[Message],
    end: &ThreadEnd,
) -> store::Result<Reading> {
    let mut fitting = ThreadWindow::new(run);
    // The messages that fit are counted in the same pass.
    let goes_on = messages.iter().rev().chain(&end.newest).all(|message| fitting.take(message).1);
    if let (true, Some(below)) = (goes_on, end.below) {
        store.walk_back(&run.thread_id, below, |message| fitting.take(message).1).await?;
    }
    Ok(fitting.into_reading())
}

/// The messages of the thread that the model reads, and the messages of the run itself, both oldest
/// first.
pub(super) async fn heard(store: &Store, run: &Run) -> store::Result<(Vec<Message>, Vec<Message>)> {
    let mut fitting = ThreadWindow::new(run);
    let (mut before, mut own) = (Vec::new(), Vec::new());
    store
        .walk_back(&run.thread_id, i64::MAX, |message| {
            if is_of(message, run) {
                own.push(message.clone());
                return true;
            }
            let (fits, goes_on) = fitting.take(message);
            if fits {
                before.push(message.clone());
            }
            goes_on
        })
        .await?;
    before.reverse();
    own.reverse();
    Ok((before, own))
}

fn is_of(message: &Message, run: &Run) -> bool {
    message.run_id.as_ref() == Some(&run.id)
}

/// The part of a thread that fits, counted from its end.
struct ThreadWindow<'r> {
    run: &'r Run,
    prompt: Prompt,
    /// The messages that fit, newest first.
    messages: Vec<AskedMessage>,
    has_question: bool,
}

impl<'r> ThreadWindow<'r> {
    fn new(run: &'r Run) -> Self {
        let fixed = fixed(run);
        let prompt = Prompt { tokens: fixed, fewest: fixed };
        Self { run, prompt, messages: Vec::new(), has_question: false }
    }

    fn into_reading(self) -> Reading {
        let Self { prompt, mut messages, .. } = self;
        messages.reverse();
        Reading { prompt, messages }
    }

    /// Whether a message is part of the prompt, and whether earlier ones may be.
    fn take(&mut self, message: &Message) -> (bool, bool) {
        let text = message.text();
        let tokens = PER_MESSAGE + tokens::count(&self.run.model, &text);
        // The last question is never dropped: if it does not fit, nothing does.
        let is_question = !self.has_question && message.role == Role::User;
        if is_question {
            self.has_question = true;
            self.prompt.fewest += tokens;
        }
        let most = self.run.truncation_strategy.last_messages.unwrap_or(i64::MAX);
        let seen = i64::try_from(self.messages.len()).unwrap_or(i64::MAX);
        let fits = seen < most && self.prompt.tokens + tokens <= limits::CONTEXT_WINDOW;
        if fits || is_question {
            self.messages.push(asked(message, text));
            self.prompt.tokens += tokens;
        }
        (fits || is_question, fits)
    }
}

pub(super) fn fixed(run: &Run) -> u64 {
    let instructions =
        run.instructions.as_deref().map_or(0, |text| PER_MESSAGE + tokens::count(&run.model, text));
    let tools = run.tools.iter().filter_map(|tool| serde_json::to_string(tool).ok());
    instructions + tools.map(|tool| tokens::count(&run.model, &tool)).sum::<u64>()
}

fn asked(message: &Message, text: String) -> AskedMessage {
    AskedMessage { role: message.role.into(), content: text.into() }
}
