//! What the writers that are killed do: a pure function of a seed. So whoever knows the seed and the number of an operation knows every
//! byte of every event that it appends, in the process that does it as in the one that checks it.
//!
//! ```text
//!   seed ── Setup            one store: its level, its threads, its settings
//!            └── Life        one writing process, from its start to its death
//!                 └── Op     the n-th operation of one of its threads; if it appends, BatchId names what
//! ```
//!
//! Each event begins with its batch's name and its place in the batch, so that an event that is read says where it came from.

use std::sync::OnceLock;

use estore::{Durability, Event, Options};

use crate::common::handle::Handle;
use crate::common::rng::Rng;

/// What is the same for all writers of one store.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) level: Durability,
    pub(crate) threads: u16,
    pub(crate) efile: bool,
    /// Lies in memory rather than on a disk.
    pub(crate) in_memory: bool,
    /// How far one operation of a thread lies behind the one before it, in time.
    step: u64,
    pub(crate) file_size: u64,
    grace: u64,
    max_open_logs: usize,
    buffer_len: usize,
    /// How much time a store holds.
    retained: u64,
}

/// One writing process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Life {
    pub(crate) number: u32,
    /// The time of its first operations.
    pub(crate) start: u64,
}

/// The thread that opens and closes the store, and repeats what the life before may have left undone.
pub(crate) const MAIN: u16 = u16::MAX;

/// The name of a batch of events: the operation that has it for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BatchId {
    pub(crate) life: Life,
    pub(crate) thread: u16,
    pub(crate) op: u32,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Append,
    /// Appends what is absent of its own batch, of one that was appended before, and of events that it names twice.
    Absent {
        again: Option<BatchId>,
        twice: bool,
    },
    Sync,
    Count,
    /// Opens a reader and keeps it.
    Hold,
    DeleteBefore(u64),
}

/// No life does more in one thread.
pub(crate) const MOST_OPS: u32 = 3000;

/// A number below `most`, in whose size all powers of two are as likely: as often a few as many.
pub(crate) fn spread(rng: &mut Rng, most: u64) -> u64 {
    let bits = rng.below(u64::from(u64::BITS - most.leading_zeros()) + 1);
    rng.below(1 << bits).min(most)
}

/// Appends random bytes, cheaply.
fn noise(rng: &mut Rng, mut len: usize, bytes: &mut Vec<u8>) {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| Rng::new(1).bytes(32 << 10));
    while len > 0 {
        let piece = noise.get(rng.index(noise.len())..).unwrap_or_default();
        let piece = piece.get(..len).unwrap_or(piece);
        bytes.extend_from_slice(piece);
        len -= piece.len();
    }
}

impl Setup {
    /// The store of a seed. Each level, with one thread and with several, comes within eight seeds that follow each other.
    pub(crate) fn of(seed: u64) -> Setup {
        let mut rng = Rng::new(seed ^ 0x5e70);
        let step = 100 + rng.below(1000);
        let level = match seed % 4 {
            0 => Durability::Process,
            1 => Durability::Buffered,
            2 => Durability::Interval(2_000_000),
            _ => Durability::Power,
        };
        Setup {
            seed,
            level,
            threads: if (seed / 4).is_multiple_of(2) { 1 } else { 4 },
            efile: seed % 9 == 8,
            in_memory: !seed.is_multiple_of(5),
            step,
            file_size: step * (4 + rng.below(60)),
            grace: rng.below(step * 20),
            max_open_logs: 1 + rng.index(4),
            buffer_len: 1 << (10 + rng.below(7)),
            retained: step * (20 + rng.below(200)),
        }
    }

    pub(crate) fn options(&self) -> Options {
        let options = Options::new().durability(self.level).grace(self.grace).max_open_logs(self.max_open_logs);
        let options = options.buffer(self.buffer_len, 1_000_000);
        if self.efile { options } else { options.file_size(self.file_size) }
    }

    pub(crate) fn open(&self, path: &std::path::Path, options: Options) -> estore::Result<Handle> {
        Handle::open(self.efile, path, options)
    }

    /// Where the life that follows begins, if this one's threads have begun so many operations at most.
    pub(crate) fn next_life(&self, life: Life, ops: u32) -> Life {
        Life { number: life.number + 1, start: life.start + self.step * u64::from(ops) }
    }

    fn rng(&self, life: Life, thread: u16, op: u32) -> Rng {
        let place = u64::from(life.number) << 48 | u64::from(thread) << 32 | u64::from(op);
        let mut rng = Rng::new(self.seed ^ Rng::new(place).next());
        rng.next();
        rng
    }

    /// How many operations a thread does between an open and the close that follows.
    pub(crate) fn round_len(&self, life: Life, round: u32) -> u32 {
        1 + spread(&mut self.rng(life, MAIN, round), 500) as u32
    }

    /// The operation that a thread begins with this number.
    pub(crate) fn op(&self, BatchId { life, thread, op }: BatchId) -> Op {
        let mut rng = self.rng(life, thread, op);
        match rng.below(100) {
            0..=3 => Op::Sync,
            4..=6 => Op::Count,
            7 => Op::Hold,
            8..=12 if !self.efile => Op::DeleteBefore(self.time(life, op).saturating_sub(self.retained) + rng.below(self.step * 4)),
            13..=22 => {
                let back = 1 + rng.below(12) as u32;
                let again = op.checked_sub(back).map(|op| BatchId { life, thread, op }).filter(|&id| self.op(id) == Op::Append);
                Op::Absent { again, twice: rng.one_in(2) }
            }
            _ => Op::Append,
        }
    }

    fn time(&self, life: Life, op: u32) -> u64 {
        life.start + self.step * u64::from(op)
    }

    /// The events of a batch, in the order in which they are appended.
    pub(crate) fn batch(&self, id: BatchId) -> Vec<Event> {
        let BatchId { life, thread, op } = id;
        let mut rng = self.rng(life, thread, op);
        rng.next(); // has said what kind of operation it is
        rng.next();
        let time = self.time(life, op) + u64::from(thread) * self.step / 7;
        let around = |rng: &mut Rng, back: u64, ahead: u64| (time + rng.below(ahead * self.file_size)).saturating_sub(rng.below(back));
        let chunks = 1 + rng.below(4);
        let mut list: Vec<(u64, usize)> = match rng.below(200) {
            // One event, some in order, some of one time.
            0..=59 => vec![(time, spread(&mut rng, 300) as usize)],
            60..=99 => (0..1 + spread(&mut rng, 30)).map(|i| (time + i * self.step / 40, 20 + rng.index(100))).collect(),
            100..=114 => (0..2 + rng.below(20)).map(|_| (time, rng.index(60))).collect(),
            // Late, and over several chunks.
            115..=144 => (0..1 + spread(&mut rng, 15)).map(|_| (around(&mut rng, 6 * self.file_size, 1), rng.index(80))).collect(),
            145..=191 => (0..2 + rng.below(20)).map(|_| (around(&mut rng, chunks * self.file_size, chunks), rng.index(80))).collect(),
            // Many frames, of many events or large ones, in one chunk or in several.
            192 => (0..1 + rng.below(2)).map(|_| (time, spread(&mut rng, 200_000) as usize)).collect(),
            193..=196 => (0..12).map(|_| (around(&mut rng, chunks * self.file_size, chunks), 3000)).collect(),
            _ => (0..300).map(|i| (time + i * self.step / 400, rng.index(50))).collect(),
        };
        list.iter_mut().for_each(|(time, _)| *time = (*time).max(1));
        let event = |(place, &(time, len)): (u32, &(u64, usize))| {
            let mut data = Tag { id, place }.encode().to_vec();
            noise(&mut rng, len, &mut data);
            Event { time, seq: 0, id: rng.next() as u32, data }
        };
        (0..).zip(&list).map(event).collect()
    }

    /// What an operation hands to the store, and how many of the last of these are there twice.
    pub(crate) fn events(&self, id: BatchId, op: Op) -> (Vec<Event>, usize) {
        match op {
            Op::Append => (self.batch(id), 0),
            Op::Absent { again, twice } => {
                let mut events = again.map(|again| self.batch(again)).unwrap_or_default();
                events.extend(self.batch(id));
                let repeated: Vec<Event> = events.iter().rev().take(if twice { 3 } else { 0 }).cloned().collect();
                let len = repeated.len();
                events.extend(repeated);
                (events, len)
            }
            Op::Sync | Op::Count | Op::Hold | Op::DeleteBefore(_) => (Vec::new(), 0),
        }
    }
}

/// What an event's data begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) id: BatchId,
    /// Its place in the batch.
    pub(crate) place: u32,
}

impl Tag {
    fn encode(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.id.life.start.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.id.life.number.to_le_bytes());
        bytes[12..16].copy_from_slice(&u32::from(self.id.thread).to_le_bytes());
        bytes[16..20].copy_from_slice(&self.id.op.to_le_bytes());
        bytes[20..].copy_from_slice(&self.place.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(data: &[u8]) -> Option<Tag> {
        let (start, rest) = data.split_first_chunk()?;
        let mut numbers = rest.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let life = Life { start: u64::from_le_bytes(*start), number: numbers.next()? };
        let id = BatchId { life, thread: u16::try_from(numbers.next()?).ok()?, op: numbers.next()? };
        Some(Tag { id, place: numbers.next()? })
    }
}
