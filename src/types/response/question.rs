//! Questions in lists of items: how many there are, and which call the client has just answered.
//! The engine and the import of recordings count in the same way.

use super::Item;

/// The number of questions in a context: `before` the input, and in it. Messages of the user that
/// follow each other are one question.
pub fn questions(input: &[Item], before: i64) -> i64 {
    let (mut questions, mut is_asking) = (0, false);
    for item in input {
        if let Some(replaced) = item.questions_before() {
            questions = questions.max(replaced - before);
        }
        match item.role() {
            Some("user") => {
                questions += i64::from(!is_asking);
                is_asking = true;
            }
            Some("system" | "developer") => {}
            _ => is_asking = false,
        }
    }
    before + questions
}

/// The number of answered questions after a client has put items into a conversation. The next
/// message of the user continues a question that has no answer yet.
pub fn answered(items: &[Item], before: i64) -> i64 {
    let is_open = items
        .iter()
        .rfind(|item| !matches!(item.role(), Some("system" | "developer")))
        .is_some_and(|item| item.role() == Some("user"));
    questions(items, before) - i64::from(is_open)
}

/// The number of the question that a response answers. A response that continues a reply, and asks
/// nothing new, keeps the turn of the reply.
pub fn turn(input: &[Item], before: i64, goes_on: Option<i64>) -> i64 {
    match (questions(input, before), goes_on) {
        (questions, Some(turn)) if questions == before => turn,
        (questions, _) => questions.max(1),
    }
}

/// The call whose output is the last item, apart from messages of the client.
pub fn call_just_answered<'i>(
    mut items: impl DoubleEndedIterator<Item = &'i Item>,
) -> Option<&'i str> {
    let last = items.rfind(|item| item.role().is_none_or(|role| role == "assistant"))?;
    last.answers()
}
