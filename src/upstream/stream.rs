//! Reads server-sent events from an answer, piece by piece.

use reqwest::Response;

use super::client::{LONGEST, TurnError, too_long, unreachable};
use crate::events::{Lines, SseEvent};

/// The events of an answer that comes as a stream.
#[derive(Debug)]
pub(super) struct Events {
    response: Response,
    lines: Lines,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        Self { response, lines: Lines::default() }
    }

    /// The next event; none where the stream ends.
    pub(super) async fn next(&mut self) -> Result<Option<SseEvent>, TurnError> {
        loop {
            if let Some(event) = self.lines.event() {
                return Ok(Some(event));
            }
            if self.lines.waiting() > LONGEST {
                return Err(too_long());
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.lines.add(&chunk),
                Ok(None) => return Ok(self.lines.last()),
                Err(error) if error.is_timeout() => {
                    return Err(TurnError::because("fell silent in the middle of its answer"));
                }
                Err(error) => {
                    tracing::debug!(error = %unreachable(&error).message, "a stream broke off");
                    return Err(TurnError::because("broke off in the middle of its answer"));
                }
            }
        }
    }
}
