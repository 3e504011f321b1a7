//! How long the prompt of a run is: its instructions, its tools and as much of the thread as fits.

use super::stage::Prompt;
use crate::{
    store::{self, Store},
    tokens,
    types::{Message, Role, Run, limits},
};

/// What the chat format adds to each message, as OpenAI's guide to counting tokens puts it.
const PER_MESSAGE: u64 = 4;

/// Counts the prompt that `run` starts with. Messages that the run itself wrote are counted as it goes on.
pub(super) async fn measure(store: &Store, run: &Run) -> store::Result<Prompt> {
    let fixed = fixed(run);
    let (mut seen, mut has_question) = (0, false);
    let mut prompt = Prompt { tokens: fixed, fewest: fixed };
    let most = run.truncation_strategy.last_messages.unwrap_or(i64::MAX);
    store
        .walk_back(&run.thread_id, |message| {
            if message.run_id.as_ref() == Some(&run.id) {
                return true;
            }
            let tokens = PER_MESSAGE + of_message(run, message);
            // What was asked last is never dropped: if it does not fit, nothing does.
            let is_question = !has_question && message.role == Role::User;
            if is_question {
                has_question = true;
                prompt.fewest += tokens;
            }
            let fits = seen < most && prompt.tokens + tokens <= limits::CONTEXT_WINDOW;
            if fits || is_question {
                seen += 1;
                prompt.tokens += tokens;
            }
            fits
        })
        .await?;
    Ok(prompt)
}

fn fixed(run: &Run) -> u64 {
    let instructions = run.instructions.as_deref().map_or(0, |text| PER_MESSAGE + tokens::count(&run.model, text));
    let tools = run.tools.iter().filter_map(|tool| serde_json::to_string(tool).ok());
    instructions + tools.map(|tool| tokens::count(&run.model, &tool)).sum::<u64>()
}

fn of_message(run: &Run, message: &Message) -> u64 {
    tokens::count(&run.model, &message.text())
}
