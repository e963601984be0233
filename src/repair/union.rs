//! Repair of two stores that are open here: both are read once, side by side, in order of time.
//!
//! ```text
//!   from   1  2     4  5 5 5  7        equal, and alone at their time: nothing to do
//!   to     1     3  4  5 5    7        only here: to be copied
//!              ^  ^      ^             several at one time, in any order: compared as sets
//! ```
//!
//! What lacks is copied in batches as it is found, by append-if-absent, so that nothing is doubled that somebody else has appended since.
//! A repair that ends early has copied what it has come past, and the next one finds that there.
//!
//! Of both, damage is left out: what is in a damaged frame lacks there.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::bytes::crc32;
use crate::efile::read::{BatchIter, Gap};
use crate::error::Result;
use crate::event::{Event, EventRef};
use crate::planted::{self, Bug};
use crate::store::{Appended, Progress, Reader};

/// Events that are taken from a reader at a time.
const BATCH: usize = 4096;
/// What is copied goes in batches of so many events, or so many bytes if that is less.
const COPY_EVENTS: usize = 1000;
const COPY_BYTES: usize = 1 << 20;
/// Events of one time with more bytes than this are not held at once, but in parts, by their ids and data.
const HELD_BYTES: usize = 16 << 20;

/// How to repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairOptions {
    both_ways: bool,
}

impl RepairOptions {
    /// One way: only the store that is repaired is given something.
    pub fn new() -> RepairOptions {
        RepairOptions::default()
    }

    /// Gives the other store what it lacks, too.
    pub fn both_ways(mut self) -> RepairOptions {
        self.both_ways = true;
        self
    }

    pub(crate) fn is_both_ways(self) -> bool {
        self.both_ways
    }
}

/// What became of the events of one store that the other was to have. Each that was compared is one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Events that were looked at, repeats too.
    pub compared: u64,
    /// Events that the other lacked, and has now.
    pub copied: u64,
    /// Events that the other has already, and repeats.
    pub skipped: u64,
    /// Events that the other has deleted, or would have.
    pub expired: u64,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// For the store that was repaired.
    pub to: Copied,
    /// For the other one. Nothing is copied there unless that was asked for.
    pub from: Copied,
    /// What is damaged of the other store: the events in there were not copied. Of a store elsewhere the path is the name of the file; a
    /// last one without a name stands for more places than are told one by one, of which `len` is the sum.
    pub gaps: Vec<Gap>,
    /// What is damaged of the store that was repaired: the events in there were brought anew as far as the other has them.
    pub own_gaps: Vec<Gap>,
    /// Its receiver stopped it before all was done.
    pub stopped: bool,
}

/// Appends to a store what it lacks.
pub(crate) type Append<'a> = &'a dyn Fn(&[Event]) -> Result<Appended>;

/// Events on their way to a store.
struct Copying<'a> {
    append: Option<Append<'a>>,
    events: Vec<Event>,
    bytes: usize,
    done: Copied,
}

impl<'a> Copying<'a> {
    fn to(append: Option<Append<'a>>) -> Copying<'a> {
        Copying { append, events: Vec::new(), bytes: 0, done: Copied::default() }
    }

    fn lacks(&mut self, event: EventRef<'_>) -> Result<()> {
        if self.append.is_none() {
            return Ok(());
        }
        self.bytes += event.data.len();
        self.events.push(event.to_event());
        if self.events.len() >= COPY_EVENTS || self.bytes >= COPY_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(append) = self.append.filter(|_| !self.events.is_empty()) {
            let appended = append(&self.events)?;
            self.done.copied += appended.stored + if planted::has(Bug::CopyExpired) { appended.expired } else { 0 };
            self.done.expired += appended.expired;
            self.events.clear();
            self.bytes = 0;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Copied> {
        if !planted::has(Bug::CopyLessThanBatch) {
            self.flush()?;
        }
        self.done.skipped = self.done.compared.saturating_sub(self.done.copied + self.done.expired);
        Ok(self.done)
    }
}

/// One store as it is read: its next event, the one after it, and those behind them in the batch.
struct Side<'a> {
    next: Option<EventRef<'a>>,
    after: Option<EventRef<'a>>,
    rest: BatchIter<'a>,
}

impl<'a> Side<'a> {
    /// At its next batch; without a next event at the end.
    fn at_batch(reader: &'a mut Reader) -> Result<Side<'a>> {
        let mut rest = reader.next_batch(BATCH)?.iter();
        Ok(Side { next: rest.next(), after: rest.next(), rest })
    }

    #[inline]
    fn step(&mut self) {
        self.next = std::mem::replace(&mut self.after, self.rest.next());
    }

    /// Whether its next event is known to be the only one of its time. What comes in another batch is not known.
    #[inline]
    fn is_alone(&self) -> bool {
        self.next.zip(self.after).is_some_and(|(next, after)| next.time != after.time)
    }

    /// Its next event, if that comes before the other side's.
    fn only_here(&self, other: &Side<'_>) -> Option<EventRef<'a>> {
        self.next.filter(|next| other.next.is_none_or(|other| next.time < other.time) && self.is_alone())
    }

    /// Whether the next event is the same on both sides, and alone at its time on both.
    fn agrees_with(&self, other: &Side<'_>) -> bool {
        let same = |one: EventRef<'_>, other: EventRef<'_>| (one.time, one.id, one.data) == (other.time, other.id, other.data);
        self.next.zip(other.next).is_some_and(|(one, other)| same(one, other)) && self.is_alone() && other.is_alone()
    }

    fn next_at(&self, time: u64) -> Option<EventRef<'a>> {
        self.next.filter(|next| next.time == time)
    }
}

/// The events of one time, without what they have in common or what does not matter: their ids and data.
#[derive(Default)]
struct Held {
    contents: Vec<(u32, Vec<u8>)>,
    /// What they would take.
    bytes: usize,
}

impl Held {
    fn take(&mut self, event: EventRef<'_>) {
        self.bytes = self.bytes.saturating_add(event.data.len() + size_of::<(u32, Vec<u8>)>());
        if self.fits() {
            self.contents.push((event.id, event.data.to_vec()));
        } else {
            self.contents = Vec::new();
        }
    }

    /// Sorts them, and leaves each once.
    fn drop_repeats(&mut self) {
        self.contents.sort_unstable();
        if planted::has(Bug::ForgetIds) {
            self.contents.dedup_by(|(_, one), (_, other)| one == other);
        }
        self.contents.dedup();
    }

    /// Whether all of them are held.
    fn fits(&self) -> bool {
        self.bytes <= HELD_BYTES
    }
}

/// The two stores of a repair.
pub(crate) struct Union<'a> {
    pub(crate) to: Reader,
    pub(crate) from: Reader,
    pub(crate) append_to: Append<'a>,
    /// If the other one is to be given something, too.
    pub(crate) append_from: Option<Append<'a>>,
    /// How many events there are to look at.
    pub(crate) total: u64,
}

impl Union<'_> {
    /// Reads both, and copies what they lack.
    pub(crate) fn run(mut self, mut receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Repaired> {
        let (again_to, again_from) = (self.to.again()?, self.from.again()?);
        let (mut for_to, mut for_from) = (Copying::to(Some(self.append_to)), Copying::to(self.append_from));
        let mut progress = Progress { events: self.total, ..Progress::default() };
        let (mut stopped, mut told_at) = (false, 0);
        let mut from = Side::at_batch(&mut self.from)?;
        let mut to = Side::at_batch(&mut self.to)?;
        loop {
            if from.next.is_none() {
                from = Side::at_batch(&mut self.from)?;
            }
            if to.next.is_none() {
                to = Side::at_batch(&mut self.to)?;
            }
            let looked_at = for_to.done.compared + for_from.done.compared;
            if looked_at >= told_at + BATCH as u64 {
                told_at = looked_at;
                progress.events_done = looked_at.min(self.total);
                stopped = receiver(progress).is_break();
                if stopped {
                    break;
                }
            }
            if from.agrees_with(&to) {
                for_to.done.compared += 1;
                for_from.done.compared += 1;
                from.step();
                to.step();
            } else if let Some(event) = from.only_here(&to) {
                for_to.done.compared += 1;
                for_to.lacks(event)?;
                from.step();
            } else if let Some(event) = to.only_here(&from) {
                for_from.done.compared += 1;
                for_from.lacks(event)?;
                to.step();
            } else {
                let times = [from.next, to.next].into_iter().flatten().map(|event| event.time);
                let Some(time) = times.min() else { break };
                let (mut here, mut there) = (Held::default(), Held::default());
                while let Some(event) = from.next_at(time) {
                    for_to.done.compared += 1;
                    here.take(event);
                    from.step();
                    if from.next.is_none() {
                        from = Side::at_batch(&mut self.from)?;
                    }
                }
                while let Some(event) = to.next_at(time) {
                    for_from.done.compared += 1;
                    there.take(event);
                    to.step();
                    if to.next.is_none() {
                        to = Side::at_batch(&mut self.to)?;
                    }
                }
                if here.fits() && there.fits() {
                    compare(time, here, there, &mut for_to, &mut for_from)?;
                } else {
                    compare_in_parts(time, (&again_from, here), (&again_to, there), &mut for_to, &mut for_from)?;
                }
            }
        }
        let (to, from) = (for_to.finish()?, for_from.finish()?);
        Ok(Repaired { to, from, gaps: self.from.gaps().to_vec(), own_gaps: self.to.gaps().to_vec(), stopped })
    }
}

/// Compares the events of one time as sets.
fn compare(time: u64, from: Held, to: Held, for_to: &mut Copying<'_>, for_from: &mut Copying<'_>) -> Result<()> {
    let set = |mut held: Held| {
        held.drop_repeats();
        held.contents
    };
    let (from, to) = (set(from), set(to));
    let (mut from, mut to) = (from.iter().peekable(), to.iter().peekable());
    loop {
        let order = match (from.peek(), to.peek()) {
            (Some(one), Some(other)) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(()),
        };
        let (only_from, only_to) = match order {
            Ordering::Less => (from.next(), None),
            Ordering::Greater => (None, to.next()),
            Ordering::Equal => {
                from.next();
                to.next();
                (None, None)
            }
        };
        if let Some((id, data)) = only_from {
            for_to.lacks(EventRef::new(time, *id, data))?;
        }
        if let Some((id, data)) = only_to {
            for_from.lacks(EventRef::new(time, *id, data))?;
        }
    }
}

/// The same for more events of one time than are to be held at once: they are read again as often as needed, each time for some of them.
fn compare_in_parts(
    time: u64,
    (from, here): (&Reader, Held),
    (to, there): (&Reader, Held),
    for_to: &mut Copying<'_>,
    for_from: &mut Copying<'_>,
) -> Result<()> {
    // Half as many as would fit, since no division is even.
    let parts = here.bytes.max(there.bytes) / (HELD_BYTES / 2) + 1;
    for part in 0..parts {
        let read = |reader: &Reader| {
            let mut held = Held::default();
            let mut reader = reader.at(time)?;
            let mut kinds = 0;
            loop {
                let batch = reader.next_batch(BATCH)?;
                if batch.is_empty() {
                    return Ok(held);
                }
                let is_of_part = |event: &EventRef<'_>| (crc32(event.data) ^ event.id) as usize % parts == part;
                batch.iter().filter(is_of_part).for_each(|event| held.contents.push((event.id, event.data.to_vec())));
                // However many repeats there are.
                if held.contents.len() > 2 * (kinds + BATCH) {
                    held.drop_repeats();
                    kinds = held.contents.len();
                }
            }
        };
        compare(time, read(from)?, read(to)?, for_to, for_from)?;
    }
    Ok(())
}
