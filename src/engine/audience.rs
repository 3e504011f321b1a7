//! The audience of a run: the listeners of its stream, and the listeners of its session's events.

use std::sync::Arc;

use serde_json::Value;

use super::{event::Event, listener::Listener, reply_usage::UnmatchedRun};
use crate::{
    event_bus::EventBus,
    turns::KeptTurn,
    types::{Api, Version},
};

pub(super) struct Audience {
    /// The API whose events the listeners get.
    api: Api,
    bus: EventBus,
    listeners: Vec<Listener>,
}

impl Audience {
    pub(super) fn new(api: Api, bus: EventBus, listener: Option<Listener>) -> Self {
        Self { api, bus, listeners: listener.into_iter().collect() }
    }

    pub(super) fn listens(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Adds a listener, which gets these events first.
    pub(super) fn join_behind(&mut self, listener: Listener, earlier: Vec<Event>) {
        if earlier.into_iter().all(|event| listener.send(event)) {
            self.listeners.push(listener);
        }
    }

    pub(super) fn join(&mut self, listener: Option<Listener>) {
        self.listeners.extend(listener);
    }

    pub(super) fn send(&mut self, events: Vec<Event>) {
        for event in events {
            if !event.is_of(self.api) {
                continue;
            }
            if event.is_news() {
                self.bus.publish(event.name(), || event.data(Version::V2, true));
            }
            let (ends, breaks) = (event.ends_stream(), matches!(event, Event::Broken));
            // A listener that hung up is removed; the run continues.
            match self.listeners.as_slice() {
                [] => {}
                [only] => {
                    if !only.send(event) {
                        self.listeners.clear();
                    }
                }
                _ => self.listeners.retain(|listener| listener.send(event.clone())),
            }
            if ends {
                self.dismiss(&Event::Done);
            }
            if breaks {
                self.listeners.retain(Listener::stays);
            }
        }
    }

    /// Publishes to the session that no reply matched the run, if that is so.
    pub(super) fn publish_unmatched(
        &self,
        find: impl FnOnce() -> Option<Arc<UnmatchedRun>>,
        show: impl FnOnce(&UnmatchedRun) -> Value,
    ) {
        if self.bus.is_heard()
            && let Some(unmatched) = find()
        {
            self.bus.publish("unmatched", || show(&unmatched).to_string());
        }
    }

    /// Publishes to the session the turns that have ended.
    pub(super) fn publish_turns(&self, turns: Vec<KeptTurn>) {
        for turn in turns {
            self.bus.publish("turn", || turn.to_json().to_string());
        }
    }

    /// Ends all streams with this event.
    pub(super) fn dismiss(&mut self, last: &Event) {
        for listener in self.listeners.drain(..) {
            _ = listener.send(last.clone());
        }
    }
}
