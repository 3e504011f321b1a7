//! The channel of events from a run to one stream. A slow reader does not block a run, and the
//! number of waiting events is bounded. If many events wait, further pieces of one text become one
//! piece.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::event::{ContentDelta, Event, LoggedEvent};

/// If at least this many events wait, pieces of a text are joined.
const BEHIND: usize = 16_384;

/// Gets the events of a run. The first is the one that the call of the listener causes.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    /// Whether it continues to listen when streams break off.
    stays: bool,
}

/// The events of a listener, in their order.
#[derive(Debug)]
pub struct Events(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// No more events come, or the reader is gone.
    is_over: bool,
}

/// A listener, and its events.
pub fn listen() -> (Listener, Events) {
    let shared = Arc::new(Shared::default());
    (Listener { shared: Arc::clone(&shared), stays: false }, Events(shared))
}

/// A listener that waits for the end. It ignores that streams break off.
pub fn listen_to_end() -> (Listener, Events) {
    let (mut listener, events) = listen();
    listener.stays = true;
    (listener, events)
}

/// Stored events, in the form that a listener gets them.
pub fn replay(kept: impl IntoIterator<Item = LoggedEvent>) -> Events {
    let (listener, events) = listen();
    for event in kept {
        listener.send(Event::Logged(Arc::new(event)));
    }
    events
}

impl Listener {
    pub(super) fn stays(&self) -> bool {
        self.stays
    }

    /// Passes an event on. Returns whether the reader still exists.
    pub(super) fn send(&self, event: Event) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.is_over {
            return false;
        }
        queue.push(event);
        drop(queue);
        self.shared.changed.notify_one();
        true
    }
}

impl Queue {
    fn push(&mut self, event: Event) {
        let is_behind = self.events.len() >= BEHIND;
        let last = self.events.back_mut().filter(|_| is_behind);
        match last.and_then(|last| joined(last, &event)) {
            Some(()) => {}
            None => self.events.push_back(event),
        }
    }
}

/// Adds the text of an event to the one before it, if both are pieces of the same text.
fn joined(last: &mut Event, next: &Event) -> Option<()> {
    if let (Event::Response(last), Event::Response(next)) = (&mut *last, next) {
        return last.join(next).then_some(());
    }
    let (
        Event::MessageDelta {
            id,
            index,
            delta: ContentDelta::Text { value, annotation: None, .. },
        },
        Event::MessageDelta {
            id: next_id,
            index: next_index,
            delta: ContentDelta::Text { value: more, annotation: None, is_first: false },
        },
    ) = (last, next)
    else {
        return None;
    };
    (id == next_id && index == next_index).then(|| value.push_str(more))
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.queue.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Events {
    /// The next event, or `None` after the last.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            {
                let mut queue = self.0.queue.lock();
                match queue.events.pop_front() {
                    Some(event) => return Some(event),
                    None if queue.is_over => return None,
                    None => {}
                }
            }
            self.0.changed.notified().await;
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.is_over = true;
        queue.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Id;

    fn piece(text: &str) -> Event {
        let delta =
            ContentDelta::Text { value: text.to_owned(), is_first: false, annotation: None };
        Event::MessageDelta { id: Id::new("msg_a"), index: 0, delta }
    }

    #[tokio::test]
    async fn a_reader_that_lags_gets_all_of_the_text_in_fewer_pieces() {
        let (listener, mut events) = listen();
        for _ in 0..3 * BEHIND {
            assert!(listener.send(piece("ab")));
        }
        assert!(listener.send(Event::Done));
        assert_eq!(listener.shared.queue.lock().events.len(), BEHIND + 1);
        drop(listener);
        let (mut text, mut last) = (String::new(), None);
        while let Some(event) = events.next().await {
            if let Event::MessageDelta { delta: ContentDelta::Text { value, .. }, .. } = &event {
                text.push_str(value);
            }
            last = Some(event);
        }
        assert_eq!(text.len(), 6 * BEHIND);
        assert!(matches!(last, Some(Event::Done)));
        assert!(size_of::<Event>() <= 160, "{}", size_of::<Event>());
    }

    #[test]
    fn a_reader_that_hangs_up_gets_nothing_more() {
        let (listener, events) = listen();
        drop(events);
        assert!(!listener.send(Event::Done));
    }
}
