//! The services that every run of a session uses.

use std::sync::Arc;

use super::performer::Performer;
use crate::{
    clock::{Clock, Ids},
    event_bus::EventBus,
    knowledge::Knowledge,
    metrics::Metrics,
    store::Store,
    turns::TurnLog,
    upstream::Recording,
};

pub struct RunServices {
    pub store: Store,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub knowledge: Knowledge,
    pub performer: Arc<Performer>,
    pub bus: EventBus,
    pub turns: Arc<TurnLog>,
    pub metrics: Arc<Metrics>,
    /// The destination of the recordings of runs that an upstream performed.
    pub recording: Option<Recording>,
}
