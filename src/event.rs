//! What the store keeps: events, their order, and their identity.
//!
//! An event is a time, a 32-bit id and some bytes. The store adds a *seq*, the arrival number, when the event is appended. Readers see
//! events by `(time, seq)`; two events with the same time, id and bytes are the same event (their *identity*), whatever their seqs.

use std::cell::Cell;

use crate::disk::process;

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// When it happened: by convention nanoseconds since the Unix epoch. Every value is legal.
    pub time: u64,
    /// The arrival number that the store gave it; ignored when appending. Never 0 in a stored event.
    pub seq: u64,
    /// Tells apart two events with equal time and equal data.
    pub id: u32,
    /// The payload, of any length up to [`Options::max_event_len`](crate::Options::max_event_len).
    pub data: Vec<u8>,
}

impl Event {
    /// An event that happened now, with a fresh id.
    pub fn now(data: impl Into<Vec<u8>>) -> Event {
        Event::at(now(), data)
    }

    /// An event at `time`, with a fresh id.
    pub fn at(time: u64, data: impl Into<Vec<u8>>) -> Event {
        Event { time, seq: 0, id: event_id(), data: data.into() }
    }

    /// The same event, borrowed.
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef { time: self.time, seq: self.seq, id: self.id, data: &self.data }
    }
}

/// An event whose bytes live elsewhere: in the caller's memory when appending, in the reader's buffer when reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventRef<'a> {
    /// See [`Event::time`].
    pub time: u64,
    /// See [`Event::seq`].
    pub seq: u64,
    /// See [`Event::id`].
    pub id: u32,
    /// See [`Event::data`].
    pub data: &'a [u8],
}

impl<'a> EventRef<'a> {
    /// An event to append; its seq is given by the store.
    pub fn new(time: u64, id: u32, data: &'a [u8]) -> EventRef<'a> {
        EventRef { time, seq: 0, id, data }
    }

    /// A copy that owns its bytes.
    pub fn to_event(self) -> Event {
        Event { time: self.time, seq: self.seq, id: self.id, data: self.data.to_vec() }
    }
}

/// Anything that can be appended. Slices of it are what [`Store::append`](crate::Store::append) takes, so that a caller with its own
/// layout of events needs no copy.
pub trait AsEvent {
    /// The event; its seq is ignored.
    fn as_event(&self) -> EventRef<'_>;
}

impl AsEvent for Event {
    fn as_event(&self) -> EventRef<'_> {
        self.as_ref()
    }
}

impl AsEvent for EventRef<'_> {
    fn as_event(&self) -> EventRef<'_> {
        *self
    }
}

impl<T: AsEvent> AsEvent for &T {
    fn as_event(&self) -> EventRef<'_> {
        (**self).as_event()
    }
}

/// The place of an event in time order. Seqs are unique, so keys are too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) time: u64,
    pub(crate) seq: u64,
}

impl Key {
    pub(crate) const MIN: Key = Key { time: 0, seq: 0 };
    pub(crate) const MAX: Key = Key { time: u64::MAX, seq: u64::MAX };

    pub(crate) fn new(time: u64, seq: u64) -> Key {
        Key { time, seq }
    }

    /// The key before this one, if it is not the first.
    pub(crate) fn before(self) -> Option<Key> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Key { seq, ..self }),
            None => self.time.checked_sub(1).map(|time| Key { time, seq: u64::MAX }),
        }
    }
}

/// The wall clock, in nanoseconds since the Unix epoch. 0 if the clock stands before 1970.
pub fn now() -> u64 {
    process::wall_clock_ns()
}

/// A random id. Two calls give the same id no more often than chance, in whatever threads, processes, forked children or machines they
/// run: each thread draws from a generator of its own, seeded with 128 bits from the operating system and seeded again after a fork.
///
/// Ids need not be unique. They only have to tell apart events of equal time and equal data.
pub fn event_id() -> u32 {
    thread_local! {
        static IDS: Cell<IdGenerator> = const { Cell::new(IdGenerator { state: 0, step: 0, forks: 0 }) };
    }
    IDS.try_with(|cell| {
        let mut ids = cell.get();
        if ids.step == 0 || ids.forks != process::forks() {
            ids = IdGenerator::seeded();
        }
        let id = ids.next();
        cell.set(ids);
        id
    })
    // A thread that is being torn down: no generator to keep, so draw from a fresh one.
    .unwrap_or_else(|_| IdGenerator::seeded().next())
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) with a random odd step, so that two
/// generators differ in 127 bits and not only in their position on one shared cycle.
#[derive(Clone, Copy)]
struct IdGenerator {
    state: u64,
    /// Odd once seeded.
    step: u64,
    /// The fork generation in which it was seeded.
    forks: u32,
}

impl IdGenerator {
    fn seeded() -> IdGenerator {
        let seed = process::random_u128();
        IdGenerator { state: seed as u64, step: (seed >> 64) as u64 | 1, forks: process::forks() }
    }

    fn next(&mut self) -> u32 {
        self.state = self.state.wrapping_add(self.step);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}
