//! Where the pieces of a turn go.
//!
//! An upstream that tells its own key does not get far with it: the key is taken out of every
//! piece, also if it comes in two.

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{
    client::{TurnError, UpstreamCall, UpstreamPiece},
    own_key::OwnKey,
};
use crate::redact::REDACTED;

/// Where the pieces of a turn go, and the end of the text that may yet become the key.
pub(super) struct PieceSender {
    sender: mpsc::Sender<UpstreamPiece>,
    key: OwnKey,
    held: Mutex<String>,
}

impl PieceSender {
    pub(super) fn new(sender: mpsc::Sender<UpstreamPiece>, key: OwnKey) -> Self {
        Self { sender, key, held: Mutex::default() }
    }

    pub(super) async fn give(&self, piece: UpstreamPiece) -> Result<(), TurnError> {
        if let UpstreamPiece::Text(text) = piece {
            let said = self.take(&text);
            return if said.is_empty() {
                Ok(())
            } else {
                self.send(UpstreamPiece::Text(said)).await
            };
        }
        let rest = std::mem::take(&mut *self.held.lock());
        if !rest.is_empty() {
            self.send(UpstreamPiece::Text(rest)).await?;
        }
        self.send(self.cleaned(piece)).await
    }

    async fn send(&self, piece: UpstreamPiece) -> Result<(), TurnError> {
        self.sender.send(piece).await.map_err(|_| TurnError::Unheard)
    }

    /// What can be said of a text by now.
    fn take(&self, text: &str) -> String {
        let mut held = self.held.lock();
        let whole = self.without_key(std::mem::take(&mut *held) + text);
        let (said, kept) = whole.split_at(self.key.beginning(&whole));
        kept.clone_into(&mut held);
        said.to_owned()
    }

    fn without_key(&self, text: String) -> String {
        self.key.replaced(text, REDACTED)
    }

    fn cleaned(&self, piece: UpstreamPiece) -> UpstreamPiece {
        let without = |text| self.without_key(text);
        match piece {
            UpstreamPiece::Refusal(text) => UpstreamPiece::Refusal(without(text)),
            UpstreamPiece::Calls(calls, usage) => {
                let calls = calls.into_iter().map(|call| self.cleaned_call(call));
                UpstreamPiece::Calls(calls.collect(), usage)
            }
            UpstreamPiece::Reasoning(summary) => {
                UpstreamPiece::Reasoning(summary.into_iter().map(without).collect())
            }
            UpstreamPiece::Note(note) => UpstreamPiece::Note(self.cleaned_value(note)),
            UpstreamPiece::Item(item) => UpstreamPiece::Item(self.cleaned_item(item)),
            other => other,
        }
    }

    fn cleaned_item(&self, item: Map<String, Value>) -> Map<String, Value> {
        item.into_iter().map(|(key, value)| (key, self.cleaned_value(value))).collect()
    }

    fn cleaned_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.without_key(text)),
            Value::Array(values) => {
                values.into_iter().map(|value| self.cleaned_value(value)).collect()
            }
            Value::Object(item) => Value::Object(self.cleaned_item(item)),
            other => other,
        }
    }

    fn cleaned_call(&self, call: UpstreamCall) -> UpstreamCall {
        let without = |text| self.without_key(text);
        match call {
            UpstreamCall::Function { name, arguments } => {
                UpstreamCall::Function { name: without(name), arguments: without(arguments) }
            }
            UpstreamCall::Search { query } => UpstreamCall::Search { query: without(query) },
            UpstreamCall::Interpreter { input, logs } => UpstreamCall::Interpreter {
                input: without(input),
                logs: logs.into_iter().map(without).collect(),
            },
            UpstreamCall::Searched => UpstreamCall::Searched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_out_however_it_is_cut() {
        let key = "sk-sk-secret\"1";
        let text = format!("The task: {key}, sk-sk-, {key}{key} and sk-sk-secret");
        let expected = "The task: [redacted], sk-sk-, [redacted][redacted] and sk-sk-secret";
        for cut in 1..text.len() {
            for second in [1, 5, 50] {
                let (sender, _pieces) = mpsc::channel(1);
                let key = OwnKey::new(Some(key));
                let pieces = PieceSender::new(sender, key);
                let middle = (cut + second).min(text.len());
                let parts = [&text[..cut], &text[cut..middle], &text[middle..]];
                let said: String = parts.iter().map(|part| pieces.take(part)).collect();
                assert_eq!(said + &pieces.held.lock(), expected, "{cut} {second}");
            }
        }
    }
}
