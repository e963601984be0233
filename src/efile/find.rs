//! Finding out which of many events a chunk has.
//!
//! The events are sorted, and so are those of each piece of a log or a run: the two are walked over side by side. A piece is read once at most,
//! and not at all if everything that its bounds let expect in it was found before. So pieces come first that the events cover much of, then
//! late events, and last those main frames that have few of the times within their bounds. Memory is that of one piece.
//!
//! In a damaged chunk that is an error. Who asks on behalf of another replica goes on then with what is whole, read in order.

use std::cmp::Ordering;

use crate::disk::Handle;
use crate::error::{Error, Result};
use crate::event::{EventRef, Key};
use crate::planted::{self, Bug};

use super::Chunk;
use super::frame::Slot;
use super::index::Entry;
use super::log::Salvage;
use super::read::{self, Class, Merge, Scope, Spare, gallop};

/// Events that are taken from a merge at a time.
const BATCH: usize = 4096;

/// A piece of a file that may hold some of the events.
struct Piece<'a> {
    file: Handle,
    instance: u64,
    class: Class,
    entry: Entry,
    /// Those within its bounds.
    near: &'a [EventRef<'a>],
}

impl Piece<'_> {
    /// Smaller ones are read first, and equal ones in the order of their files.
    fn turn(&self) -> u8 {
        match self.class {
            Class::Main if self.near.len() as u64 * 4 >= u64::from(self.entry.count) => 0,
            Class::Run | Class::Late => 1,
            Class::Main => 2,
        }
    }
}

impl Chunk {
    /// Marks those of the events `wanted` that the chunk has, but for pieces without events behind the seq `since`. They are sorted by time,
    /// id and data, and no two are the same; the seq of each is its place in `found`.
    pub(crate) fn find(&self, wanted: &[EventRef<'_>], since: u64, found: &mut [bool], spare: &Spare) -> Result<()> {
        let mut pieces = self.pieces_near(wanted, since)?;
        pieces.sort_by_key(Piece::turn);
        spare.lend(|block| {
            for Piece { file, instance, class, entry, near } in &pieces {
                if near.iter().any(|event| !is_found(found, event)) {
                    let (slots, bytes) = block.read(file, *instance, *class, entry)?;
                    mark(near, slots, bytes, found);
                }
            }
            Ok(())
        })
    }

    /// As [`Chunk::find`] where that met damage: what is in damaged frames is not there. Reads all between the first and the last of them;
    /// with `past_headers`, also logs that are damaged as a whole, as far as can be.
    pub(crate) fn find_what_is_whole(&self, wanted: &[EventRef<'_>], found: &mut [bool], past_headers: bool) -> Result<()> {
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(()) };
        self.distrust();
        let scope = Scope { first: Key::new(first.time, 0), last: Key::new(last.time, u64::MAX), seq: u64::MAX, reverse: false };
        let mut merge = Merge::new(scope);
        merge.salvage(Salvage::Damage);
        merge.set_from_logs(true);
        if past_headers { self.add_what_can_be_read(&mut merge) } else { self.add_to(&mut merge) }?;
        loop {
            let batch = merge.next_batch(BATCH)?;
            if batch.is_empty() || planted::has(Bug::DoubleInDamaged) {
                return Ok(());
            }
            for there in batch.iter() {
                let key = (there.time, there.id, there.data);
                let place = wanted.binary_search_by(|event| (event.time, event.id, event.data).cmp(&key));
                if let Some(found) = place.ok().and_then(|place| wanted.get(place)).and_then(|event| found.get_mut(event.seq as usize)) {
                    *found = true;
                }
            }
        }
    }

    /// The pieces that have the time of one of the sorted events within their bounds: runs first, and the main frames of each log last.
    fn pieces_near<'a>(&self, wanted: &'a [EventRef<'a>], since: u64) -> Result<Vec<Piece<'a>>> {
        let mut pieces = Vec::new();
        let mut state = self.lock();
        let newest = state.logs.iter().map(|log| log.summary.totals.newest).max().unwrap_or(0);
        let oldest = state.logs.iter().map(|log| log.summary.totals.oldest).min().unwrap_or(u64::MAX);
        let wanted = within(wanted, oldest, newest);
        let last_seq = state.logs.iter().map(|log| log.summary.totals.last_seq).max().unwrap_or(0);
        if wanted.is_empty() || last_seq <= since {
            return Ok(pieces);
        }
        self.load_all(&mut state)?;
        for log in &state.logs {
            let (Some(file), Some(index)) = (&log.file, &log.index) else { continue };
            if let Some(damage) = index.damage.first() {
                return Err(Error::corrupt(file.path(), damage.offset, damage.what));
            }
            let instance = log.summary.instance;
            let runs =
                log.recon.iter().flat_map(|recon| recon.runs.iter().map(move |run| (&recon.file, recon.instance, Class::Run, &run.list)));
            let lists = [(file, instance, Class::Late, &index.late), (file, instance, Class::Main, &index.main)];
            for (file, instance, class, list) in runs.chain(lists) {
                for segment in list.segments() {
                    let wanted = within(wanted, segment.first().time, segment.last().time);
                    if wanted.is_empty() || segment.seq_high() <= since {
                        continue;
                    }
                    for entry in &segment.entries {
                        let near = within(wanted, entry.first.time, entry.last.time);
                        if !near.is_empty() && entry.seq_high > since {
                            pieces.push(Piece { file: file.clone(), instance, class, entry: *entry, near });
                        }
                    }
                }
            }
        }
        Ok(pieces)
    }
}

/// Those of the sorted events that lie in `first..=last`.
fn within<'a>(events: &'a [EventRef<'a>], first: u64, last: u64) -> &'a [EventRef<'a>] {
    match events {
        [oldest, .., newest] if newest.time < first || last < oldest.time => &[],
        _ => {
            let from = events.partition_point(|event| event.time < first);
            let rest = events.get(from..).unwrap_or_default();
            let to = rest.partition_point(|event| event.time <= last);
            rest.get(..to).unwrap_or_default()
        }
    }
}

fn is_found(found: &[bool], event: &EventRef<'_>) -> bool {
    found.get(event.seq as usize).copied().unwrap_or(true)
}

/// Marks those of the sorted events that are among the slots, whose data lie in `bytes`.
fn mark(mut wanted: &[EventRef<'_>], mut slots: &[Slot], bytes: &[u8], found: &mut [bool]) {
    while let (Some(event), Some(slot)) = (wanted.first(), slots.first()) {
        let (time, there) = (event.time, slot.time);
        match time.cmp(&there) {
            Ordering::Less => wanted = skip(wanted, |event| event.time < there),
            Ordering::Greater => slots = skip(slots, |slot| slot.time < time),
            Ordering::Equal => {
                let rest = skip(wanted, |event| event.time == time);
                let same = wanted.get(..wanted.len() - rest.len()).unwrap_or_default();
                wanted = rest;
                while let Some(slot) = slots.first().filter(|slot| slot.time == time) {
                    let there = read::event(slot, bytes);
                    let place = same.binary_search_by(|event| (event.id, event.data).cmp(&(there.id, there.data)));
                    let event = place.ok().and_then(|place| same.get(place));
                    if let Some(found) = event.and_then(|event| found.get_mut(event.seq as usize)) {
                        *found = true;
                    }
                    slots = slots.get(1..).unwrap_or_default();
                }
            }
        }
    }
}

/// What is left behind the first items that `goes` holds for.
fn skip<T>(items: &[T], goes: impl Fn(&T) -> bool) -> &[T] {
    let first = gallop(items.len(), |place| items.get(place).is_some_and(&goes));
    items.get(first..).unwrap_or_default()
}
