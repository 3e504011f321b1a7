//! The only time and the only chance in the program.
//!
//! Every world has a clock of its own. A real one follows the system's; a frozen one stands still until
//! it is advanced, and then lets everything that falls due happen before the advance returns, in the
//! order in which it falls due. Ids are drawn from seeded streams of ChaCha8, which promises the same
//! numbers in every version, so the same requests in the same order give the same ids.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use tokio::sync::{oneshot, watch};

use crate::types::{File, Id, Resource, Run, Timestamp, resource::Spelling};

/// A point in time, in microseconds since the Unix epoch: finer than the API shows, so that the pace of
/// a run keeps its order within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    pub fn seconds(self) -> Timestamp {
        Timestamp(self.0.div_euclid(1_000_000))
    }

    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
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

/// Where a world's time comes from.
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Mutex<Inner>>,
    /// How many are at work for this clock's world.
    busy: watch::Sender<usize>,
}

struct Inner {
    /// The time at which a frozen clock stands; none for a clock that runs.
    frozen_at: Option<Moment>,
    /// Who waits for what, in the order in which it falls due.
    sleepers: BTreeMap<(Moment, u64), oneshot::Sender<Awake>>,
    next_sleeper: u64,
}

/// Held by whoever is at work until it sleeps again; an advance of the clock waits for it.
#[derive(Debug)]
pub struct Awake {
    busy: watch::Sender<usize>,
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Clock {
    /// Follows the system's clock.
    pub fn system() -> Self {
        Self::with(None)
    }

    /// Stands still at `start` but for `advance`.
    pub fn frozen(start: Moment) -> Self {
        Self::with(Some(start))
    }

    fn with(frozen_at: Option<Moment>) -> Self {
        let inner = Inner { frozen_at, sleepers: BTreeMap::new(), next_sleeper: 0 };
        Self { inner: Arc::new(Mutex::new(inner)), busy: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Moment {
        self.lock().frozen_at.unwrap_or_else(system_now)
    }

    /// Says that somebody is at work, until the answer is dropped.
    pub fn awake(&self) -> Awake {
        self.busy.send_modify(|busy| *busy += 1);
        Awake { busy: self.busy.clone() }
    }

    /// Waits until nobody is at work.
    pub async fn idle(&self) {
        // The sender lives as long as this clock, so there is always an answer.
        _ = self.busy.subscribe().wait_for(|busy| *busy == 0).await;
    }

    /// Sleeps until `due`. What is due already is not waited for. The sleeper is no longer at work once
    /// it has lain down, and is again when it is woken.
    pub async fn sleep_until(&self, due: Moment, awake: Awake) -> Awake {
        let (sleeper, woken, real) = {
            let mut inner = self.lock();
            let now = inner.frozen_at.unwrap_or_else(system_now);
            if now >= due {
                return awake;
            }
            let key = (due, inner.next_sleeper);
            inner.next_sleeper += 1;
            let (wake, woken) = oneshot::channel();
            inner.sleepers.insert(key, wake);
            (Sleeper { clock: self, key }, woken, inner.frozen_at.is_none().then(|| now.until(due)))
        };
        drop(awake);
        let awake = match real {
            Some(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => self.awake(),
                awake = woken => awake.unwrap_or_else(|_| self.awake()),
            },
            None => woken.await.unwrap_or_else(|_| self.awake()),
        };
        drop(sleeper);
        awake
    }

    /// Moves a frozen clock on. What falls due on the way happens at its own time, one thing after the
    /// other, before this returns.
    pub async fn advance(&self, by: Duration) {
        self.idle().await;
        let end = self.now().after(by);
        while self.wake_next(end) {
            self.idle().await;
        }
        let mut inner = self.lock();
        inner.frozen_at = inner.frozen_at.map(|at| at.max(end));
    }

    /// Sets the clock to the next thing due by `end` and wakes its sleeper.
    fn wake_next(&self, end: Moment) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.sleepers.first_entry() else { return false };
        let due = entry.key().0;
        if due > end {
            return false;
        }
        let wake = entry.remove();
        inner.frozen_at = inner.frozen_at.map(|at| at.max(due));
        // A sleeper that has given up in this very moment needs no waking.
        _ = wake.send(self.awake());
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
        self.clock.lock().sleepers.remove(&self.key);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
fn system_now() -> Moment {
    Moment::from(jiff::Timestamp::now())
}

/// A seed for those who did not give one.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system for chance")]
pub fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// A name that nobody else draws, for what is kept on disk and never shown.
#[expect(clippy::disallowed_methods, reason = "such a name must differ from those of other processes, seeded or not")]
pub fn random_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Without the characters that are taken for one another.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The streams of numbers within one seed. Each use has its own, so that none disturbs another.
enum Stream {
    /// Ids of objects that requests make; another for each start on the same database file.
    Objects { starts: u32 },
    /// Request ids.
    Requests { starts: u32 },
    /// What a run makes: the n-th thing of its kind.
    Made { kind: Made, nth: u32 },
}

/// The kinds of things that a run makes.
#[derive(Clone, Copy)]
enum Made {
    Step,
    Message,
    Call,
    File,
}

impl Stream {
    fn number(&self) -> u64 {
        match self {
            Self::Objects { starts } => u64::from(*starts) << 3,
            Self::Requests { starts } => u64::from(*starts) << 3 | 1,
            Self::Made { kind, nth } => u64::from(*nth) << 3 | (*kind as u64 + 2),
        }
    }
}

/// Ids, drawn from one world's seed.
pub struct Ids {
    seed: u64,
    objects: Mutex<ChaCha8Rng>,
    requests: Mutex<ChaCha8Rng>,
}

impl Ids {
    /// `starts` tells how often a server was started on the same database before, so that a restart with
    /// the same seed does not draw the ids that are already taken.
    pub fn new(seed: u64, starts: u32) -> Self {
        Self {
            seed,
            objects: Mutex::new(generator(seed, "", &Stream::Objects { starts })),
            requests: Mutex::new(generator(seed, "", &Stream::Requests { starts })),
        }
    }

    pub fn next<T: Resource>(&self) -> Id<T> {
        let mut generator = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Id::new(spell(T::PREFIX, T::SPELLING, &mut generator))
    }

    /// `req_` and 32 hexadecimal digits.
    pub fn next_request(&self) -> String {
        let mut generator = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        format!("req_{:016x}{:016x}", generator.next_u64(), generator.next_u64())
    }

    /// The ids of what a run makes follow from the run's own, so that runs side by side do not disturb
    /// one another, and a run taken up after a crash goes on where it stood.
    pub fn of_run(&self, run: &Id<Run>) -> RunIds {
        RunIds { seed: self.seed, run: run.clone() }
    }
}

/// The ids of what one run makes.
pub struct RunIds {
    seed: u64,
    run: Id<Run>,
}

impl RunIds {
    pub fn step<T: Resource>(&self, nth: usize) -> Id<T> {
        Id::new(self.spell(T::PREFIX, T::SPELLING, Made::Step, nth))
    }

    pub fn message<T: Resource>(&self, nth: usize) -> Id<T> {
        Id::new(self.spell(T::PREFIX, T::SPELLING, Made::Message, nth))
    }

    pub fn file(&self, nth: usize) -> Id<File> {
        Id::new(self.spell(File::PREFIX, File::SPELLING, Made::File, nth))
    }

    pub fn call(&self, nth: usize) -> String {
        self.spell("call_", Spelling::Base62, Made::Call, nth)
    }

    fn spell(&self, prefix: &str, spelling: Spelling, kind: Made, nth: usize) -> String {
        let stream = Stream::Made { kind, nth: u32::try_from(nth).unwrap_or(u32::MAX) };
        spell(prefix, spelling, &mut generator(self.seed, self.run.as_str(), &stream))
    }
}

/// A ChaCha key has room for both the seed (8 bytes) and the random part of an id (24 characters).
fn generator(seed: u64, of: &str, stream: &Stream) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    for (place, byte) in key[8..].iter_mut().zip(of.bytes().rev()) {
        *place = byte;
    }
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream.number());
    generator
}

fn spell(prefix: &str, spelling: Spelling, generator: &mut ChaCha8Rng) -> String {
    match spelling {
        Spelling::Base62 => letters(prefix, BASE62, 24, generator),
        Spelling::Base58 => letters(prefix, BASE58, 22, generator),
        Spelling::Hex => format!("{prefix}{:016x}{:016x}", generator.next_u64(), generator.next_u64()),
        // The time, of which only the first digits are the same for years; then what was always there.
        Spelling::Dated => {
            let (time, more) = (generator.next_u32() & 0x00ff_ffff, generator.next_u32() & 0xffff);
            format!("{prefix}68{time:06x}{more:04x}8191{:016x}", generator.next_u64())
        }
    }
}

fn letters(prefix: &str, alphabet: &[u8], length: usize, generator: &mut ChaCha8Rng) -> String {
    let mut id = String::with_capacity(prefix.len() + length);
    id.push_str(prefix);
    while id.len() < prefix.len() + length {
        // Six bits are one of 64; those too many are drawn again, so that every character is as likely.
        if let Some(&character) = alphabet.get((generator.next_u32() >> 26) as usize) {
            id.push(char::from(character));
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Assistant, Thread};

    #[test]
    fn the_same_seed_draws_the_same_ids() {
        let (one, other) = (Ids::new(7, 0), Ids::new(7, 0));
        assert_eq!(one.next::<Thread>(), other.next::<Thread>());
        assert_eq!(one.next::<Assistant>().as_str().len(), "asst_".len() + 24);
        assert_ne!(Ids::new(7, 0).next::<Thread>(), Ids::new(7, 1).next::<Thread>(), "a restart draws others");
    }

    #[test]
    fn what_a_run_makes_follows_from_the_run() {
        let ids = Ids::new(7, 0);
        let run = ids.next::<Run>();
        let before = ids.of_run(&run).call(3);
        _ = ids.next::<Thread>();
        assert_eq!(ids.of_run(&run).call(3), before);
        assert_ne!(ids.of_run(&run).call(4), before);
        assert_ne!(ids.of_run(&ids.next()).call(3), before);
    }

    #[tokio::test]
    async fn an_advance_wakes_sleepers_in_order_and_waits_for_them() {
        let clock = Clock::frozen(Moment(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        for seconds in [3_u64, 1, 2] {
            let (clock, seen) = (clock.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let due = Moment(0).after(Duration::from_secs(seconds));
                let awake = clock.sleep_until(due, clock.awake()).await;
                tokio::task::yield_now().await;
                seen.lock().unwrap().push((seconds, clock.now().seconds().0));
                drop(awake);
            });
        }
        while clock.lock().sleepers.len() < 3 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(2)).await;
        assert_eq!(*seen.lock().unwrap(), [(1, 1), (2, 2)]);
        assert_eq!(clock.now().seconds(), Timestamp(2));
    }
}
