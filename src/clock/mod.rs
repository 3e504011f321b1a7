//! The only time in the program. `ids.rs` has the only randomness.
//!
//! Every session has its own clock. A running clock follows the system's, perhaps ahead of it or
//! behind. A frozen clock is stopped. Both can be advanced: everything that is due until then
//! happens before the advance returns, in the order of its time.

mod ids;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

pub use self::ids::{
    Ids, IdsStand, RunIds, chain_of_conversation, chain_of_response, random_name, random_seed,
};
use crate::types::Timestamp;

/// A point in time, in microseconds since the Unix epoch: finer than the API shows, so that the
/// pace of a run keeps its order within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(i64);

impl Moment {
    /// A time in seconds since the Unix epoch.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from(Timestamp(seconds))
    }

    /// The time in seconds since the Unix epoch, as objects of the API show it.
    pub fn unix_seconds(self) -> i64 {
        self.seconds().0
    }

    pub(crate) fn seconds(self) -> Timestamp {
        Timestamp(self.0.div_euclid(1_000_000))
    }

    /// The time that is later by this duration.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The duration from here to `later`; zero if `later` has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Whether it can be written as a date.
    pub(crate) fn is_a_date(self) -> bool {
        jiff::Timestamp::from_microsecond(self.0).is_ok()
    }
}

/// RFC 3339.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} s", self.seconds().0),
        }
    }
}

/// Reads RFC 3339.
impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<jiff::Timestamp>().map(Self::from).map_err(|error| error.to_string())
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.0.saturating_mul(1_000_000))
    }
}

impl From<jiff::Timestamp> for Moment {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp.as_microsecond())
    }
}

/// Where a session's time comes from.
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Mutex<Inner>>,
    /// The activities in this clock's session.
    load: watch::Sender<Load>,
    /// How many changes of the clock are pending or in progress. New requests wait for them.
    changes: watch::Sender<usize>,
    /// Changes whenever the clock stops, or runs again: sleepers must check the clock again.
    turned: watch::Sender<u64>,
    /// Held while the clock is set: one change at a time.
    setting: Arc<tokio::sync::Mutex<()>>,
}

struct Inner {
    stand: ClockStand,
    /// The sleepers, in the order in which they are due.
    sleepers: BTreeMap<(Moment, u64), oneshot::Sender<ActivityGuard>>,
    next_sleeper: u64,
}

/// The setting of a clock, from which another clock can be set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ClockStand {
    /// The time of a frozen clock; none for a clock that runs.
    frozen_at: Option<Moment>,
    /// How many microseconds a clock that runs is ahead of the system's.
    ahead: i64,
}

impl ClockStand {
    /// Follows the system's clock.
    pub const RUNNING: Self = Self { frozen_at: None, ahead: 0 };

    /// A clock that is stopped at `start`.
    pub fn frozen(start: Moment) -> Self {
        Self { frozen_at: Some(start), ahead: 0 }
    }

    /// The same setting, but with this time.
    pub fn at(self, now: Moment) -> Self {
        match self.frozen_at {
            Some(_) => Self { frozen_at: Some(now), ahead: self.ahead },
            None => Self { frozen_at: None, ahead: now.0.saturating_sub(system_now().0) },
        }
    }

    fn now(&self) -> Moment {
        self.frozen_at.unwrap_or_else(|| Moment(system_now().0.saturating_add(self.ahead)))
    }
}

/// An activity holds this guard until it ends or sleeps. An advance of the clock waits for it.
#[derive(Debug)]
pub struct ActivityGuard {
    load: watch::Sender<Load>,
}

impl Drop for ActivityGuard {
    fn drop(&mut self) {
        self.load.send_modify(|load| load.activities -= 1);
    }
}

/// How many activities there are.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    activities: usize,
    /// How many of them wait for another server. Time does not wait for those.
    abroad: usize,
}

/// An activity waits for another server as long as this is held.
pub struct AbroadGuard {
    load: watch::Sender<Load>,
}

impl Drop for AbroadGuard {
    fn drop(&mut self) {
        self.load.send_modify(|load| load.abroad -= 1);
    }
}

/// A change of the clock is being made as long as this is held.
pub struct ChangeGuard {
    changes: watch::Sender<usize>,
}

impl Drop for ChangeGuard {
    fn drop(&mut self) {
        self.changes.send_modify(|changes| *changes -= 1);
    }
}

impl Clock {
    pub fn new(stand: ClockStand) -> Self {
        let inner = Inner { stand, sleepers: BTreeMap::new(), next_sleeper: 0 };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            load: watch::Sender::default(),
            changes: watch::Sender::new(0),
            turned: watch::Sender::new(0),
            setting: Arc::default(),
        }
    }

    pub fn now(&self) -> Moment {
        self.inner.lock().stand.now()
    }

    /// How the clock is set.
    pub fn stand(&self) -> ClockStand {
        self.inner.lock().stand
    }

    pub fn is_frozen(&self) -> bool {
        self.stand().frozen_at.is_some()
    }

    /// Begins an activity. It ends when the guard is dropped.
    pub fn begin_activity(&self) -> ActivityGuard {
        self.load.send_modify(|load| load.activities += 1);
        ActivityGuard { load: self.load.clone() }
    }

    /// Waits until there is no activity.
    pub async fn idle(&self) {
        // The sender lives as long as this clock, so there is always an answer.
        _ = self.load.subscribe().wait_for(|load| load.activities == 0).await;
    }

    /// Waits until no activity works here. An activity that waits for another server does not
    /// count.
    pub async fn settled(&self) {
        _ = self.load.subscribe().wait_for(|load| load.activities <= load.abroad).await;
    }

    /// Says that an activity waits for another server, until the guard is dropped.
    pub fn go_abroad(&self) -> AbroadGuard {
        self.load.send_modify(|load| load.abroad += 1);
        AbroadGuard { load: self.load.clone() }
    }

    /// Announces a change of the clock. The change waits for the current activities, and new
    /// requests wait for the change.
    pub fn begin_change(&self) -> ChangeGuard {
        self.changes.send_modify(|changes| *changes += 1);
        ChangeGuard { changes: self.changes.clone() }
    }

    /// Waits for the changes of the clock that were announced before.
    pub async fn unchanged(&self) {
        if *self.changes.borrow() > 0 {
            _ = self.changes.subscribe().wait_for(|changes| *changes == 0).await;
        }
    }

    /// Sleeps until `due`, or returns at once if that time has come. The activity ends when the
    /// sleep begins. A new one begins when the sleeper wakes.
    pub async fn sleep_until(&self, due: Moment, activity: ActivityGuard) -> ActivityGuard {
        let mut turned = self.turned.subscribe();
        let (sleeper, mut woken) = {
            let mut inner = self.inner.lock();
            if inner.stand.now() >= due {
                return activity;
            }
            let key = (due, inner.next_sleeper);
            inner.next_sleeper += 1;
            let (wake, woken) = oneshot::channel();
            inner.sleepers.insert(key, wake);
            (Sleeper { clock: self, key }, woken)
        };
        drop(activity);
        let activity = loop {
            let real = {
                let stand = self.stand();
                if stand.frozen_at.is_none() && stand.now() >= due {
                    break self.begin_activity();
                }
                stand.frozen_at.is_none().then(|| stand.now().until(due))
            };
            tokio::select! {
                biased;
                activity = &mut woken => break activity.unwrap_or_else(|_| self.begin_activity()),
                _ = turned.changed() => {}
                () = tokio::time::sleep(real.unwrap_or_default()), if real.is_some() => {}
            }
        };
        drop(sleeper);
        activity
    }

    /// Moves the clock forward. Everything that is due until then happens at its own time, one
    /// after the other, before this returns.
    pub async fn advance(&self, by: Duration) {
        let _change = self.begin_change();
        let _alone = self.setting.lock().await;
        let before = self.stop();
        self.pass(self.now().after(by)).await;
        if before.frozen_at.is_none() {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            self.set(ClockStand { ahead: before.ahead.saturating_add(by), ..before });
        }
    }

    /// Stops the clock, at a given time or at the current one. Everything that is due until then
    /// happens before this returns.
    pub async fn freeze(&self, at: Option<Moment>) {
        let _change = self.begin_change();
        let _alone = self.setting.lock().await;
        self.stop();
        let Some(at) = at else { return };
        self.pass(at).await;
        self.set(ClockStand::frozen(at));
    }

    /// Lets the clock run on from the time that it shows.
    pub async fn resume(&self) {
        let _change = self.begin_change();
        let _alone = self.setting.lock().await;
        if let Some(at) = self.stand().frozen_at {
            self.set(ClockStand::RUNNING.at(at));
        }
    }

    /// Stops the clock at the current time. Returns the setting that it had before.
    fn stop(&self) -> ClockStand {
        let before = self.stand();
        if before.frozen_at.is_none() {
            self.set(ClockStand::frozen(before.now()));
        }
        before
    }

    fn set(&self, stand: ClockStand) {
        self.inner.lock().stand = stand;
        self.turned.send_modify(|turns| *turns += 1);
    }

    /// Moves a clock that is stopped on to `end`.
    async fn pass(&self, end: Moment) {
        self.settled().await;
        while self.wake_next(end) {
            self.settled().await;
        }
        let mut inner = self.inner.lock();
        inner.stand.frozen_at = inner.stand.frozen_at.map(|at| at.max(end));
    }

    /// Sets the clock to the next due time up to `end`, and wakes that sleeper.
    fn wake_next(&self, end: Moment) -> bool {
        let mut inner = self.inner.lock();
        let Some(entry) = inner.sleepers.first_entry() else { return false };
        let due = entry.key().0;
        if due > end {
            return false;
        }
        let wake = entry.remove();
        inner.stand.frozen_at = inner.stand.frozen_at.map(|at| at.max(due));
        // A sleeper that has just given up needs no wake-up.
        _ = wake.send(self.begin_activity());
        true
    }
}

/// Forgets a sleeper that was dropped before its time.
struct Sleeper<'c> {
    clock: &'c Clock,
    key: (Moment, u64),
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.inner.lock().sleepers.remove(&self.key);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
fn system_now() -> Moment {
    Moment::from(jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sleeps so many seconds each, and notes who woke when.
    async fn sleepers(clock: &Clock, seconds: &[u64]) -> Arc<Mutex<Vec<(u64, i64)>>> {
        let (seen, start) = (Arc::new(Mutex::new(Vec::new())), clock.now());
        for seconds in seconds.iter().copied() {
            let (clock, seen) = (clock.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let due = start.after(Duration::from_secs(seconds));
                let activity = clock.sleep_until(due, clock.begin_activity()).await;
                tokio::task::yield_now().await;
                seen.lock().push((seconds, clock.now().seconds().0 - start.seconds().0));
                drop(activity);
            });
        }
        while clock.inner.lock().sleepers.len() < seconds.len() {
            tokio::task::yield_now().await;
        }
        seen
    }

    #[tokio::test]
    async fn an_advance_wakes_sleepers_in_order_and_waits_for_them() {
        let clock = Clock::new(ClockStand::frozen(Moment(0)));
        let seen = sleepers(&clock, &[3, 1, 2]).await;
        clock.advance(Duration::from_secs(2)).await;
        assert_eq!(*seen.lock(), [(1, 1), (2, 2)]);
        assert_eq!(clock.now().seconds(), Timestamp(2));
    }

    #[tokio::test]
    async fn a_running_clock_can_be_advanced_stopped_and_resumed() {
        let clock = Clock::new(ClockStand::RUNNING);
        let start = clock.now();
        let seen = sleepers(&clock, &[3_600, 7_200, 90_000]).await;
        clock.advance(Duration::from_secs(3_600)).await;
        assert_eq!(*seen.lock(), [(3_600, 3_600)]);
        assert!(!clock.is_frozen() && clock.now() >= start.after(Duration::from_secs(3_600)));
        clock.freeze(Some(start.after(Duration::from_secs(8_000)))).await;
        assert_eq!(seen.lock().len(), 2);
        assert_eq!(clock.now(), start.after(Duration::from_secs(8_000)));
        clock.freeze(Some(Moment(0))).await;
        assert_eq!(clock.now(), Moment(0), "it can be set back too");
        clock.resume().await;
        assert!(!clock.is_frozen() && clock.now() < Moment(3_600_000_000));
    }

    #[tokio::test]
    async fn a_sleeper_wakes_by_itself_once_the_clock_runs_again() {
        let clock = Clock::new(ClockStand::frozen(Moment(0)));
        let due = Moment(20_000);
        let sleeping = tokio::spawn({
            let clock = clock.clone();
            async move { drop(clock.sleep_until(due, clock.begin_activity()).await) }
        });
        while clock.inner.lock().sleepers.is_empty() {
            tokio::task::yield_now().await;
        }
        clock.resume().await;
        sleeping.await.unwrap();
        assert!(clock.now() >= due);
    }
}
