//! What every run of a session has at hand.

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
    /// Where runs go that an upstream performed.
    pub recording: Option<Recording>,
}
