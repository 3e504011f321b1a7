//! The only randomness in the program: ids, drawn from seeded streams.
//!
//! ChaCha8 promises the same numbers in every version, so the same requests in the same order give
//! the same ids.

use parking_lot::Mutex;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use crate::types::{
    Container, ContainerFile, Conversation, File, Id, Resource, Response, Run, Timestamp,
    resource::Spelling,
};

/// A random seed, for servers without a given one.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for chance"
)]
pub fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// A name that no other process draws, for files on disk that nobody sees.
#[expect(
    clippy::disallowed_methods,
    reason = "such a name must differ from those of other processes, seeded or not"
)]
pub fn random_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Without the characters that people confuse.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The streams of numbers within one seed. Each use has its own stream, so that no use affects
/// another.
enum SeedStream {
    /// Ids of objects that requests create. Each start on the same database file has its own
    /// stream.
    Objects { starts: u32 },
    /// Request ids.
    Requests { starts: u32 },
    /// An object that a run makes: the n-th of its kind.
    Made { kind: Made, nth: u32 },
    /// Whether a fault with a probability fires, the n-th time that it could.
    Faults { nth: u32 },
}

/// The kinds of objects that a run makes.
#[derive(Clone, Copy)]
enum Made {
    Step,
    Message,
    Call,
    File,
    Turn,
}

impl SeedStream {
    fn number(&self) -> u64 {
        match self {
            Self::Objects { starts } => u64::from(*starts) << 3,
            Self::Requests { starts } => u64::from(*starts) << 3 | 1,
            Self::Made { kind, nth } => u64::from(*nth) << 3 | (*kind as u64 + 2),
            Self::Faults { nth } => u64::from(*nth) << 3 | 7,
        }
    }
}

/// Ids, drawn from the seed of one session.
pub struct Ids {
    seed: u64,
    starts: u32,
    objects: Mutex<ChaCha8Rng>,
    requests: Mutex<ChaCha8Rng>,
}

impl Ids {
    /// `starts` is the number of earlier starts of a server on the same database. A restart with
    /// the same seed then draws no id that is already taken.
    pub fn new(seed: u64, starts: u32) -> Self {
        Self {
            seed,
            starts,
            objects: Mutex::new(generator(seed, "", &SeedStream::Objects { starts })),
            requests: Mutex::new(generator(seed, "", &SeedStream::Requests { starts })),
        }
    }

    /// Continues from the position of other ids.
    pub fn resumed(stand: &IdsStand) -> Self {
        let ids = Self::new(stand.seed, stand.starts);
        ids.objects.lock().set_word_pos(stand.objects.into());
        ids.requests.lock().set_word_pos(stand.requests.into());
        ids
    }

    /// The same, except for request ids: those continue from `current`, so that no request id
    /// occurs twice.
    pub fn resumed_beside(stand: &IdsStand, current: &IdsStand) -> Self {
        let requests = if stand.seed == current.seed { current.requests } else { stand.requests };
        Self::resumed(&IdsStand { requests, ..stand.clone() })
    }

    /// The current position.
    pub fn stand(&self) -> IdsStand {
        // No server draws so much that a position does not fit into 64 bits.
        let place = |generator: &Mutex<ChaCha8Rng>| {
            u64::try_from(generator.lock().get_word_pos()).unwrap_or_default()
        };
        IdsStand {
            seed: self.seed,
            starts: self.starts,
            objects: place(&self.objects),
            requests: place(&self.requests),
        }
    }

    pub fn next<T: Resource>(&self) -> Id<T> {
        self.next_as(T::PREFIX, T::SPELLING)
    }

    /// An id that is not spelled as usual.
    pub fn next_as<T>(&self, prefix: &str, spelling: Spelling) -> Id<T> {
        Id::new(spell(prefix, spelling, &mut self.objects.lock()))
    }

    /// The id of a response, with the key of the chain that it continues, or of a new chain.
    pub fn next_response(
        &self,
        chain: Option<&str>,
        is_stored: bool,
        at: Timestamp,
    ) -> Id<Response> {
        let mut objects = self.objects.lock();
        let chain = chain.map_or_else(|| hex_16(&mut objects), str::to_owned);
        let mark = if is_stored { "00" } else { "01" };
        Id::new(format!("{}{chain}{mark}{}", Response::PREFIX, dated(at, &mut objects)))
    }

    /// The id of a conversation, which ends with the key of its chain.
    pub fn next_conversation(&self, at: Timestamp) -> Id<Conversation> {
        let mut objects = self.objects.lock();
        let dated = dated(at, &mut objects);
        Id::new(format!("{}{dated}{}", Conversation::PREFIX, hex_16(&mut objects)))
    }

    /// The id of a container, which is spelled as that of a conversation is.
    pub fn next_container(&self, at: Timestamp) -> Id<Container> {
        container(at, &mut self.objects.lock())
    }

    /// The id of an item that a client puts into a conversation.
    pub fn next_item(&self, prefix: &str, of: &Id<Conversation>, at: Timestamp) -> String {
        let dated = dated(at, &mut self.objects.lock());
        format!("{prefix}{dated}{}", chain_of_conversation(of))
    }

    /// `req_` and 32 hexadecimal digits.
    pub fn next_request(&self) -> String {
        let mut generator = self.requests.lock();
        format!("req_{:016x}{:016x}", generator.next_u64(), generator.next_u64())
    }

    /// A number from zero up to one, for the n-th time that something is left to chance.
    pub fn chance(&self, of: u64, nth: u64) -> f64 {
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        let mut generator =
            generator(self.seed, &format!("{of:016x}"), &SeedStream::Faults { nth });
        f64::from(generator.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// The ids of a run's objects derive from the id of the run. So concurrent runs do not affect
    /// each other, and a run that resumes after a crash continues with the right ids.
    pub fn of_run(&self, run: &Id<Run>) -> RunIds {
        RunIds { seed: self.seed, run: run.clone() }
    }
}

/// The position of ids, from which other ids can continue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdsStand {
    seed: u64,
    starts: u32,
    objects: u64,
    requests: u64,
}

/// The ids of the objects that one run makes.
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

    pub fn turn(&self, nth: usize) -> String {
        self.spell("turn_", Spelling::Base62, Made::Turn, nth)
    }

    pub fn call(&self, nth: usize) -> String {
        self.spell("call_", Spelling::Base62, Made::Call, nth)
    }

    /// The id of a call that the n-th item of a response makes.
    pub fn call_of_item(&self, nth: usize) -> String {
        self.spell("call_", Spelling::Base62, Made::Message, nth)
    }

    /// The id of an item of a response. It has the chain and the mark of the response's own id.
    pub fn item(&self, prefix: &str, nth: usize, at: Timestamp) -> String {
        let own = self.run.as_str().trim_start_matches(Response::PREFIX);
        let begins = own.get(..CHAIN + 2).unwrap_or(own);
        format!("{prefix}{begins}{}", dated(at, &mut self.generator(Made::Step, nth)))
    }

    /// The id of the container that a response runs programs in.
    pub fn container(&self, at: Timestamp) -> Id<Container> {
        container(at, &mut self.generator(Made::File, usize::MAX))
    }

    /// The id of the n-th file that a response makes in its container.
    pub fn container_file(&self, nth: usize) -> Id<ContainerFile> {
        Id::new(self.spell(ContainerFile::PREFIX, ContainerFile::SPELLING, Made::File, nth))
    }

    /// The padding of the n-th event of a stream.
    pub fn padding(&self, nth: u64, length: usize) -> String {
        let nth = usize::try_from(nth).unwrap_or(usize::MAX);
        letters("", BASE62, length, &mut self.generator(Made::Message, nth))
    }

    /// The placeholder for reasoning that only the service can read.
    pub fn encrypted(&self, nth: usize) -> String {
        const LENGTH: usize = 344;
        letters("gAAAAA", BASE62, LENGTH, &mut self.generator(Made::Turn, nth))
    }

    fn generator(&self, kind: Made, nth: usize) -> ChaCha8Rng {
        let stream = SeedStream::Made { kind, nth: u32::try_from(nth).unwrap_or(u32::MAX) };
        generator(self.seed, self.run.as_str(), &stream)
    }

    fn spell(&self, prefix: &str, spelling: Spelling, kind: Made, nth: usize) -> String {
        spell(prefix, spelling, &mut self.generator(kind, nth))
    }
}

fn container(at: Timestamp, generator: &mut ChaCha8Rng) -> Id<Container> {
    let dated = dated(at, generator);
    Id::new(format!("{}{dated}{}", Container::PREFIX, hex_16(generator)))
}

/// The length of the key of a chain. Responses that continue one another share the key.
const CHAIN: usize = 16;

/// The key of the chain that a response belongs to.
pub fn chain_of_response(id: &Id<Response>) -> &str {
    let own = id.as_str().trim_start_matches(Response::PREFIX);
    own.get(..CHAIN).unwrap_or(own)
}

/// The key of the chain of a conversation.
pub fn chain_of_conversation(id: &Id<Conversation>) -> &str {
    let id = id.as_str();
    id.len().checked_sub(CHAIN).and_then(|from| id.get(from..)).unwrap_or(id)
}

fn hex_16(generator: &mut ChaCha8Rng) -> String {
    format!("{:016x}", generator.next_u64())
}

/// 32 hexadecimal digits: the time, and random digits. Two of the digits are constant.
fn dated(at: Timestamp, generator: &mut ChaCha8Rng) -> String {
    let (short, last) = (generator.next_u32() & 0xffff, generator.next_u32() & 0xff);
    format!("{:08x}{short:04x}81{:016x}{last:02x}", at.0, generator.next_u64())
}

/// A ChaCha key has room for both the seed (8 bytes) and the random part of an id (24 characters).
fn generator(seed: u64, of: &str, stream: &SeedStream) -> ChaCha8Rng {
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
        Spelling::Hex => {
            format!("{prefix}{:016x}{:016x}", generator.next_u64(), generator.next_u64())
        }
        // First the time, whose first digits stay the same for years; then constant digits.
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
        // Six bits give one of 64 values. A value beyond the alphabet is drawn again, so that every
        // character is equally likely.
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
        assert_ne!(
            Ids::new(7, 0).next::<Thread>(),
            Ids::new(7, 1).next::<Thread>(),
            "a restart draws others"
        );
    }

    #[test]
    fn ids_of_a_runs_objects_depend_only_on_the_run() {
        let ids = Ids::new(7, 0);
        let run = ids.next::<Run>();
        let before = ids.of_run(&run).call(3);
        _ = ids.next::<Thread>();
        assert_eq!(ids.of_run(&run).call(3), before);
        assert_ne!(ids.of_run(&run).call(4), before);
        assert_ne!(ids.of_run(&ids.next()).call(3), before);
    }

    #[test]
    fn ids_continue_after_a_resume() {
        let ids = Ids::new(7, 2);
        _ = ids.next::<Thread>();
        let resumed = Ids::resumed(&ids.stand());
        assert_eq!(ids.next::<Assistant>(), resumed.next());
        assert_eq!(ids.next_request(), resumed.next_request());
    }
}
