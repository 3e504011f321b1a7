//! Which faults apply to which requests. Uses are counted per session, and chance depends only on
//! the session's seed.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Ids,
    fixture::{Fault, fault::HowOften},
};

/// The number of requests that a fault has met, and the number that it has damaged.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct FaultCounts {
    met: u64,
    struck: u64,
}

/// The counts of one session, by the keys of the faults.
#[derive(Default)]
pub struct FaultCounters(Mutex<BTreeMap<u64, FaultCounts>>);

impl FaultCounters {
    /// The first of these faults that applies. All of them are for this request, so the request
    /// counts for each.
    pub fn next(&self, faults: &[Arc<Fault>], ids: &Ids) -> Option<Arc<Fault>> {
        let mut all_counts = self.0.lock();
        let mut selected = None;
        for fault in faults {
            let counts = all_counts.entry(fault.key).or_default();
            counts.met += 1;
            let is_its_turn = fault.when.nth.is_none_or(|nth| nth == counts.met);
            let is_drawn = match fault.how_often {
                HowOften::Always => true,
                HowOften::Times(times) => counts.struck < times,
                HowOften::Probability(probability) => {
                    ids.chance(fault.draw_id, counts.met) < probability
                }
            };
            if selected.is_none() && is_its_turn && is_drawn {
                counts.struck += 1;
                selected = Some(Arc::clone(fault));
            }
        }
        selected
    }

    /// The number of requests that a fault has damaged.
    pub fn uses_of(&self, fault: &Fault) -> u64 {
        self.0.lock().get(&fault.key).map_or(0, |counts| counts.struck)
    }

    pub fn counts(&self) -> BTreeMap<u64, FaultCounts> {
        self.0.lock().clone()
    }

    /// Continues with the counts of another session.
    pub fn resume(&self, counts: BTreeMap<u64, FaultCounts>) {
        *self.0.lock() = counts;
    }
}
