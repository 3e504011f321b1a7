//! Reads server-sent events, for any split of the bytes. It does not depend on the sender.

use std::ops::Range;

/// An event: its name, if it has one, and its data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SseEvent {
    pub name: String,
    pub data: String,
}

/// The received bytes, and the open event.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// The start of the first unread line.
    start: usize,
    /// The end of the part that was searched for the end of a line.
    seen: usize,
    open: SseEvent,
    has_data: bool,
}

impl Lines {
    /// Takes more bytes, and drops those that were read. A byte moves only once, so a body takes
    /// linear time.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.seen -= std::mem::take(&mut self.start);
        self.bytes.extend_from_slice(bytes);
    }

    /// The number of bytes that wait for the end of their event.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len() - self.start + self.open.data.len()
    }

    /// A complete event.
    pub(crate) fn event(&mut self) -> Option<SseEvent> {
        while let Some(end) = memchr::memchr(b'\n', &self.bytes[self.seen..]) {
            let line = self.start..self.seen + end;
            (self.start, self.seen) = (line.end + 1, line.end + 1);
            if self.take(line) {
                return self.whole();
            }
        }
        self.seen = self.bytes.len();
        None
    }

    /// The rest at the end of a stream. Its last line may lack a line end.
    pub(crate) fn last(&mut self) -> Option<SseEvent> {
        let line = self.start..self.bytes.len();
        (self.start, self.seen) = (line.end, line.end);
        self.take(line);
        self.whole()
    }

    fn whole(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.open);
        std::mem::take(&mut self.has_data).then_some(event)
    }

    /// Whether the line ends an event that has data.
    fn take(&mut self, line: Range<usize>) -> bool {
        let line = String::from_utf8_lossy(&self.bytes[line]);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return self.has_data;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.open.name),
            "data" => {
                if self.has_data {
                    self.open.data.push('\n');
                }
                self.open.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            ": hello\n\nevent: a\r\ndata: {\"x\":\r\ndata: 1}\r\n\r\ndata:[DONE]\n\ndata: last";
        for size in [1, 2, 7, 1_000] {
            let (mut lines, mut events) = (Lines::default(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                lines.add(chunk);
                events.extend(std::iter::from_fn(|| lines.event()));
            }
            events.extend(lines.last());
            let shown: Vec<_> =
                events.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
            assert_eq!(shown, [("a", "{\"x\":\n1}"), ("", "[DONE]"), ("", "last")]);
        }
    }
}
