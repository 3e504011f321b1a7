//! How long the prompt of a run is: its instructions, its tools and as much of the thread as fits.

use super::machine::Prompt;
use crate::{
    store::{self, Store, ThreadEnd},
    tokens,
    types::{Message, Role, Run, limits},
};

/// What the chat format adds to each message, as OpenAI's guide to counting tokens puts it.
const PER_MESSAGE: u64 = 4;

/// Counts the prompt that `run` starts with. Messages that the run itself wrote are counted as it
/// goes on.
pub(super) async fn measure(store: &Store, run: &Run) -> store::Result<Prompt> {
    let mut fitting = ThreadWindow::new(run);
    store
        .walk_back(&run.thread_id, i64::MAX, |message| {
            is_of(message, run) || fitting.take(message).1
        })
        .await?;
    Ok(fitting.prompt)
}

/// The same for a run that is yet to be made: on the messages that come along with it, oldest first,
/// and what is in the thread.
pub(super) async fn at_end(
    store: &Store,
    run: &Run,
    messages: &[Message],
    end: &ThreadEnd,
) -> store::Result<Prompt> {
    let mut fitting = ThreadWindow::new(run);
    // Those that fit are counted as they are looked at.
    let goes_on = messages.iter().rev().chain(&end.newest).all(|message| fitting.take(message).1);
    if let (true, Some(below)) = (goes_on, end.below) {
        store.walk_back(&run.thread_id, below, |message| fitting.take(message).1).await?;
    }
    Ok(fitting.prompt)
}

/// What a model is shown of the thread, and what the run has written itself, both oldest first.
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

/// How much of a thread fits, counted from its end.
struct ThreadWindow<'r> {
    run: &'r Run,
    prompt: Prompt,
    seen: i64,
    has_question: bool,
}

impl<'r> ThreadWindow<'r> {
    fn new(run: &'r Run) -> Self {
        let fixed = fixed(run);
        Self { run, prompt: Prompt { tokens: fixed, fewest: fixed }, seen: 0, has_question: false }
    }

    /// Whether a message is part of the prompt, and whether those before it may be.
    fn take(&mut self, message: &Message) -> (bool, bool) {
        let tokens = PER_MESSAGE + of_message(self.run, message);
        // What was asked last is never dropped: if it does not fit, nothing does.
        let is_question = !self.has_question && message.role == Role::User;
        if is_question {
            self.has_question = true;
            self.prompt.fewest += tokens;
        }
        let most = self.run.truncation_strategy.last_messages.unwrap_or(i64::MAX);
        let fits = self.seen < most && self.prompt.tokens + tokens <= limits::CONTEXT_WINDOW;
        if fits || is_question {
            self.seen += 1;
            self.prompt.tokens += tokens;
        }
        (fits || is_question, fits)
    }
}

fn fixed(run: &Run) -> u64 {
    let instructions =
        run.instructions.as_deref().map_or(0, |text| PER_MESSAGE + tokens::count(&run.model, text));
    let tools = run.tools.iter().filter_map(|tool| serde_json::to_string(tool).ok());
    instructions + tools.map(|tool| tokens::count(&run.model, &tool)).sum::<u64>()
}

fn of_message(run: &Run, message: &Message) -> u64 {
    tokens::count(&run.model, &message.text())
}
