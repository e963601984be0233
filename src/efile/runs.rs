//! Making a run: of the late events that are in none yet and, where there is no place for another run, of runs before it.
//!
//! ```text
//!   late events        ·· ··· · ·· ·······|··· · ·· ··· ··|· ··· · ·· ·      read, and sorted, in memory
//!   run 7         ═══════ ═══════ ═══════ | ═══════ ══════|═
//!   run 8         ═══════ ═══════ ════════|══ ═══════     |        ═══════   a frame that nothing overlaps: carried, not copied
//!                 └─────── slice ─────────┘└─── slice ────┘└─────┘
//!                          v                      v
//!   new run       ═══════ ═══════ ═══════ ═══════ ═══════ ═══════  ═══════
//! ```
//!
//! A slice is all events from one key to another. Whoever has time takes the next: its frames are read, neighbours in one go; all keys are
//! sorted as numbers; and the events are written in that order, in new frames.
//!
//! A frame that nothing else overlaps becomes one of the new run where it stands, so late events that come in order (from a source that was
//! cut off for a while) are copied once.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::disk::{Folder, Handle};
use crate::error::{Error, Result};
use crate::event::{EventRef, Key};
use crate::options::Sizes;
use crate::order::{Order, Times};
use crate::planted::{self, Bug};
use crate::threads::{Condvar, Mutex, lock};

use super::frame::{self, Header, RECON, Slot, Stamp};
use super::index::{Entry, EntryList, Tail};
use super::log::{LOG_HEADER_LEN, LogId};
use super::read::{self, Class, Merge, Scope};
use super::recon::{MAX_RUNS, NewRun, Recon, Run, Stretch};

/// How much longer than the shortest frames of runs the longest are. They are smaller than those of logs, and have an entry each: whoever
/// reads a window has to open one in every run. In short runs, of which there may be many, they are shortest; in long ones they are longer,
/// since entries take memory.
const LONGEST: u64 = 4;
/// Up to the longest frames, a run has about so many.
const RUN_FRAMES: u64 = 512;
/// Frames are written in pieces of this size.
const WRITE_LEN: usize = 1 << 20;
/// A slice takes about as many bytes as so many of the shortest frames, at least and at most.
const SLICE_FRAMES: (u64, u64) = (32, 64);
/// A run is cut into so many slices, if those are not too short or too long then.
const SLICES: u64 = 4;
/// Late events that are so many times as many as make a run are not sorted in memory,
const SORTED_AT_ONCE: u64 = 8;
/// nor more than this, which may take hardly any bytes.
const SORTED_EVENTS: u64 = 256 << 10;
/// A slice has about so many events at most, for the same reason.
const SLICE_EVENTS: u64 = 128 << 10;
/// So many events are merged at a time where they are not.
const BATCH_EVENTS: usize = 2048;
/// Slices are cut between groups of so many of those in memory.
const GROUP_EVENTS: usize = 128;

/// Where events are copied from.
pub(super) struct Source {
    pub(super) file: Handle,
    pub(super) instance: u64,
}

/// The late events of a log up to an offset that no run holds yet.
pub(super) struct Pending {
    pub(super) log: Source,
    pub(super) late: EntryList,
    /// Up to where the log is covered with them.
    pub(super) covered: u64,
    /// The log's last frame before that.
    pub(super) tail: Tail,
}

/// Memory of threads that have made runs, for those to come.
#[derive(Default)]
pub(crate) struct Memory {
    spare: Mutex<Vec<Scratch>>,
}

/// What one thread sorts in.
#[derive(Default)]
struct Scratch {
    /// What was read.
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    order: Order,
    /// Of events in order of their keys, the places.
    places: Vec<u32>,
    /// What is to be written.
    frames: Vec<u8>,
    headers: Vec<Header>,
}

impl Memory {
    /// Two threads that work on slices, and the late events of two chunks.
    const MOST: usize = 4;
    /// What has grown beyond that, for large events, is not kept.
    const MOST_BYTES: usize = 4 << 20;

    fn take(&self) -> Scratch {
        lock(&self.spare).pop().unwrap_or_default()
    }

    fn give(&self, scratch: Scratch) {
        let mut spare = lock(&self.spare);
        let Scratch { bytes, slots, order, places, frames, .. } = &scratch;
        let by_event = slots.capacity() * size_of::<Slot>() + places.capacity() * size_of::<u32>() + order.memory();
        let bytes = bytes.capacity() + frames.capacity() + by_event;
        if spare.len() < Memory::MOST && bytes <= Memory::MOST_BYTES {
            spare.push(scratch);
        }
    }
}

/// A run that is being made. Any number of threads can work on it.
pub(super) struct Making {
    recon: Option<Recon>,
    /// So many of its runs stay.
    kept: usize,
    log: Source,
    late: Late,
    stretch: Stretch,
    body_len: usize,
    /// In order.
    pieces: Vec<Piece>,
    output: NewRun,
    progress: Mutex<Progress>,
    /// A thread has ended its work.
    ended: Condvar,
    memory: Arc<Memory>,
}

/// The late events that are in no run.
enum Late {
    Sorted(Scratch),
    /// Too many for memory.
    InLog,
}

#[derive(Default)]
struct Progress {
    /// So many pieces are begun.
    begun: usize,
    /// So many threads work.
    working: usize,
    /// Of each slice that is done, by its place among the pieces, the frames.
    done: BTreeMap<usize, EntryList>,
    failure: Option<Error>,
}

impl Making {
    /// Begins with what is pending, and with runs before it where there is no place for another.
    pub(super) fn begin(
        folder: &Folder,
        id: LogId,
        mut recon: Option<Recon>,
        pending: Pending,
        sizes: &Sizes,
        memory: &Arc<Memory>,
    ) -> Result<Making> {
        let shortest_frame = sizes.run_frame_bytes;
        let Pending { log, late: entries, covered, tail } = pending;
        let late_len = entries.bytes();
        let late_events: u64 = entries.iter().map(|entry| u64::from(entry.count)).sum();
        let late = if late_len <= sizes.pending_bytes.saturating_mul(SORTED_AT_ONCE) && late_events <= SORTED_EVENTS {
            Late::Sorted(sorted(&log, &entries, memory).inspect_err(|_| recon.iter_mut().for_each(Recon::give_room_back))?)
        } else {
            Late::InLog
        };
        let runs = recon.as_ref().map_or(&[][..], |recon| &recon.runs);
        // The newest, up to the first that is larger than all behind it.
        let (mut kept, mut len) = (runs.len(), late_len);
        while let Some(before) = kept.checked_sub(1).and_then(|before| runs.get(before)).filter(|_| runs.len() >= MAX_RUNS) {
            if kept < MAX_RUNS && before.len > len {
                break;
            }
            len += before.len;
            kept -= 1;
        }
        let bounds = |runs: &[Run]| runs.iter().filter_map(|run| run.list.bounds()).collect::<Vec<_>>();
        let ranges = |kept: &[Run]| entries.iter().map(|entry| (entry.first, entry.last)).chain(bounds(kept)).collect();
        let mut body_len = body_len_of(len, ranges(runs.get(..kept).unwrap_or_default()), shortest_frame);
        let parts = Parts::of(&late, &entries, runs.get(kept..).unwrap_or_default());
        let mut pieces = parts.cut(Some(body_len / 2), shortest_frame);
        let fresh = |pieces: &[Piece]| pieces.iter().map(|piece| piece.slice().map_or(0, |slice| slice.len)).sum::<u64>();
        let has_carried = pieces.iter().any(|piece| piece.slice().is_none());
        let live = runs.iter().map(|run| run.len).sum::<u64>() + late_len;
        // Begin a new file where no frame of this one would be used any more, or it would be superseded for the most part.
        let stays = |recon: &&Recon| (kept > 0 || has_carried) && recon.len() + fresh(&pieces) <= 4 * live + (1 << 20);
        let output = match recon.as_ref().filter(stays) {
            Some(recon) => NewRun::behind(folder, id, recon, fresh(&pieces))?,
            None => {
                kept = 0;
                body_len = body_len_of(live, ranges(&[]), shortest_frame);
                pieces = Parts::of(&late, &entries, runs).cut(None, shortest_frame);
                NewRun::anew(folder, id, log.instance, live)?
            }
        };
        let from = match runs.get(kept) {
            Some(first) => first.stretch.from,
            None => recon.as_ref().map_or(LOG_HEADER_LEN as u64, Recon::covered),
        };
        let stretch = Stretch { from, to: covered, tail };
        let (progress, ended, memory) = (Mutex::default(), Condvar::new(), Arc::clone(memory));
        Ok(Making { recon, kept, log, late, stretch, body_len, pieces, output, progress, ended, memory })
    }

    /// Whether there are slices that nobody has begun.
    pub(super) fn has_work(&self) -> bool {
        lock(&self.progress).begun < self.pieces.len()
    }

    /// Works on slices as long as there are some that nobody has begun.
    pub(super) fn work(&self) {
        lock(&self.progress).working += 1;
        let mut turn = Work { making: self, failure: Some(Error::invalid("a thread that sorted late events came to an untimely end")) };
        let mut scratch = self.memory.take();
        turn.failure = self.do_slices(&mut scratch).err();
        self.memory.give(scratch);
    }

    fn do_slices(&self, scratch: &mut Scratch) -> Result<()> {
        loop {
            let begun = {
                let mut progress = lock(&self.progress);
                progress.begun += 1;
                progress.begun - 1
            };
            match self.pieces.get(begun) {
                Some(Piece::Slice(slice)) => {
                    let list = self.do_slice(slice, scratch)?;
                    lock(&self.progress).done.insert(begun, list);
                }
                Some(Piece::Carried(_)) => {}
                None => return Ok(()),
            }
        }
    }

    fn do_slice(&self, slice: &Slice, scratch: &mut Scratch) -> Result<EntryList> {
        let Scratch { bytes, slots, order, places, frames, headers } = scratch;
        // What a failure may have left.
        frames.clear();
        headers.clear();
        let mut frames = Frames { making: self, bytes: frames, headers, list: EntryList::default() };
        match &self.late {
            Late::Sorted(late) => {
                slots.clear();
                if let Some(recon) = self.recon.as_ref().filter(|_| !slice.frames.is_empty()) {
                    read::gather(&recon.file, recon.instance, Class::Run, &slice.frames, bytes, slots)?;
                    slots.retain(|slot| (slice.first..=slice.last).contains(&slot.key()));
                }
                let in_runs = slots.len();
                slots.extend(late.range(slice.first, slice.last).iter().filter_map(|&place| late.slots.get(place as usize)));
                sort(slots, order, places);
                let bytes_of = |place: u32| if (place as usize) < in_runs { &*bytes } else { &late.bytes };
                frames.add(places.iter().filter_map(|&place| Some(read::event(slots.get(place as usize)?, bytes_of(place)))))?;
            }
            Late::InLog => {
                let mut merge = Merge::new(Scope { first: slice.first, last: slice.last, seq: u64::MAX, reverse: false });
                merge.add_entries(&self.log.file, self.log.instance, Class::Late, &slice.late);
                if let Some(recon) = &self.recon {
                    merge.add_entries(&recon.file, recon.instance, Class::Run, &slice.frames);
                }
                loop {
                    let batch = merge.next_batch(BATCH_EVENTS)?;
                    if batch.is_empty() {
                        break;
                    }
                    frames.add(batch.iter())?;
                }
            }
        }
        frames.end()
    }

    /// Waits for all who work on slices; answers the recon that then is. What was there before stays valid for whoever reads it. A failure
    /// leaves nothing else.
    pub(super) fn finish(&self) -> Result<Recon> {
        self.put_together().inspect_err(|_| self.output.give_up())
    }

    fn put_together(&self) -> Result<Recon> {
        let progress = lock(&self.progress);
        let progress = self.ended.wait_while(progress, |progress| progress.working > 0);
        let mut progress = progress.unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = progress.failure.take() {
            return Err(failure);
        }
        let mut done = std::mem::take(&mut progress.done);
        drop(progress);
        let mut list = EntryList::default();
        for (place, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Carried(entries) => {
                    let lost = usize::from(planted::has(Bug::LoseCarriedFrame));
                    entries.iter().skip(lost).for_each(|entry| list.push(*entry));
                }
                Piece::Slice(_) => {
                    let made = done.remove(&place).ok_or_else(|| Error::invalid("a part of a run was not made"))?;
                    made.iter().for_each(|entry| list.push(*entry));
                }
            }
        }
        let kept = self.recon.as_ref().and_then(|recon| recon.runs.get(..self.kept)).unwrap_or_default();
        self.output.close(list, self.stretch, kept)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Late::Sorted(late) = &mut self.late {
            self.memory.give(std::mem::take(late));
        }
    }
}

/// A thread works on slices.
struct Work<'a> {
    making: &'a Making,
    failure: Option<Error>,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let mut progress = lock(&self.making.progress);
        progress.working -= 1;
        if let Some(failure) = self.failure.take() {
            progress.failure = Some(failure);
            // Nobody need go on.
            progress.begun = self.making.pieces.len();
        }
        self.making.ended.notify_all();
    }
}

/// Reads late events of a log and sorts them.
fn sorted(log: &Source, late: &EntryList, memory: &Memory) -> Result<Scratch> {
    let mut scratch = memory.take();
    let Scratch { bytes, slots, order, places, .. } = &mut scratch;
    let entries: Vec<Entry> = late.iter().copied().collect();
    read::gather(&log.file, log.instance, Class::Late, &entries, bytes, slots)?;
    sort(slots, order, places);
    Ok(scratch)
}

/// The places of events in order of their keys.
fn sort(slots: &[Slot], order: &mut Order, places: &mut Vec<u32>) {
    let all = 0..slots.len() as u32;
    places.clear();
    if slots.is_sorted_by_key(Slot::key) {
        return places.extend(all);
    }
    let mut times = Times::NONE;
    slots.iter().for_each(|slot| times.see(slot.time));
    let key_of = |place: &u32| slots.get(*place as usize).map(Slot::key);
    match order.places(slots.iter().map(|slot| slot.time), times) {
        Some(sorted) => {
            places.extend(sorted.map(|place| place as u32));
            let time_of = |place: &u32| slots.get(*place as usize).map(|slot| slot.time);
            for same in places.chunk_by_mut(|one, next| time_of(one) == time_of(next)) {
                same.sort_unstable_by_key(key_of);
            }
        }
        None => {
            places.extend(all);
            places.sort_unstable_by_key(key_of);
        }
    }
}

impl Scratch {
    fn key(&self, place: u32) -> Key {
        self.slots.get(place as usize).map_or(Key::MAX, Slot::key)
    }

    /// The places of the sorted events from one key to another.
    fn range(&self, first: Key, last: Key) -> &[u32] {
        let from = self.places.partition_point(|&place| self.key(place) < first);
        let to = self.places.partition_point(|&place| self.key(place) <= last);
        self.places.get(from..to).unwrap_or_default()
    }
}

/// How long the bodies of frames are to be in a run of about so many bytes, by the ranges of what it is made of and of the runs beside it.
fn body_len_of(len: u64, ranges: Vec<(Key, Key)>, shortest_frame: u64) -> usize {
    let longest = shortest_frame.saturating_mul(LONGEST);
    // Events that are late but come in order lie in hardly any run twice; whoever reads a window of them opens few frames.
    let shortest = if overlap_in_pairs_at_most(ranges) { longest } else { shortest_frame };
    (len / RUN_FRAMES).clamp(shortest, longest) as usize
}

/// Whether no key lies in more than two of these ranges.
fn overlap_in_pairs_at_most(mut ranges: Vec<(Key, Key)>) -> bool {
    ranges.sort_unstable();
    let (mut furthest, mut second) = (None, None);
    ranges.into_iter().all(|(first, last)| {
        let fits = second < Some(first);
        second = second.max(furthest.min(Some(last)));
        furthest = furthest.max(Some(last));
        fits
    })
}

/// What a run is made of.
struct Parts {
    /// By the first key.
    list: Vec<Part>,
    /// Late events that are in no run can be had from one key to another.
    can_be_cut: bool,
}

struct Part {
    first: Key,
    last: Key,
    len: u64,
    events: u64,
    origin: Origin,
    /// None of the others overlaps it.
    is_alone: bool,
}

enum Origin {
    /// A frame of a run.
    Frame(Entry),
    /// A piece of the log with late events.
    Log(Entry),
    /// Some of the late events in memory.
    Memory,
}

impl Parts {
    /// The late events, and the frames of runs.
    fn of(late: &Late, entries: &EntryList, runs: &[Run]) -> Parts {
        let part = |first, last, len, events, origin| Part { first, last, len, events, origin, is_alone: false };
        let of_entry = |entry: &Entry, origin: fn(Entry) -> Origin| {
            part(entry.first, entry.last, u64::from(entry.len), u64::from(entry.count), origin(*entry))
        };
        let mut list: Vec<Part> = match late {
            Late::Sorted(late) => {
                let of_group = |places: &[u32]| {
                    let (first, last) = (late.key(*places.first()?), late.key(*places.last()?));
                    let len = places
                        .iter()
                        .filter_map(|&place| late.slots.get(place as usize))
                        .map(|slot| frame::about_len(slot.len as usize) as u64)
                        .sum();
                    Some(part(first, last, len, places.len() as u64, Origin::Memory))
                };
                late.places.chunks(GROUP_EVENTS).filter_map(of_group).collect()
            }
            Late::InLog => entries.iter().map(|entry| of_entry(entry, Origin::Log)).collect(),
        };
        list.extend(runs.iter().flat_map(|run| run.list.iter()).map(|entry| of_entry(entry, Origin::Frame)));
        list.sort_unstable_by_key(|part| part.first);
        let mut before = None;
        let mut rest = list.as_mut_slice();
        while let Some((part, after)) = rest.split_first_mut() {
            part.is_alone = before < Some(part.first) && after.first().is_none_or(|next| part.last < next.first);
            before = before.max(Some(part.last));
            rest = after;
        }
        Parts { list, can_be_cut: matches!(late, Late::Sorted(_)) }
    }

    /// Cuts the run into pieces. Frames that are alone and at least so long are carried; if that is not said, none.
    fn cut(&self, carried_len: Option<usize>, shortest_frame: u64) -> Vec<Piece> {
        let (least, most) = SLICE_FRAMES;
        let all: u64 = self.list.iter().map(|part| part.len).sum();
        let slice_len = (all / SLICES).clamp(shortest_frame.saturating_mul(least), shortest_frame.saturating_mul(most));
        let carried = |part: &Part| match part.origin {
            Origin::Frame(_) => part.is_alone && carried_len.is_some_and(|least| part.len >= least as u64),
            Origin::Log(_) | Origin::Memory => false,
        };
        let entry_of = |part: &Part| match part.origin {
            Origin::Frame(entry) => Some(entry),
            Origin::Log(_) | Origin::Memory => None,
        };
        let mut pieces = Vec::new();
        for parts in self.list.chunk_by(|one, next| carried(one) == carried(next)) {
            let Some(first) = parts.first() else { continue };
            if carried(first) {
                pieces.push(Piece::Carried(parts.iter().filter_map(entry_of).collect()));
                continue;
            }
            let last = parts.iter().map(|part| part.last).max().unwrap_or(Key::MAX);
            let mut slice = Slice { first: first.first, last, frames: Vec::new(), late: Vec::new(), len: 0 };
            let mut events = 0;
            for part in parts {
                let is_full = self.can_be_cut && (slice.len >= slice_len || events >= SLICE_EVENTS);
                let border = part.first.before().filter(|border| is_full && *border >= slice.first);
                if let Some(border) = border {
                    // Frames that reach over the border are in both.
                    let frames = slice.frames.iter().filter(|frame| frame.last > border).copied().collect();
                    let next = Slice { first: part.first, last, frames, late: Vec::new(), len: 0 };
                    pieces.push(Piece::Slice(Slice { last: border, ..std::mem::replace(&mut slice, next) }));
                    events = 0;
                }
                match part.origin {
                    Origin::Frame(entry) => slice.frames.push(entry),
                    Origin::Log(entry) => slice.late.push(entry),
                    Origin::Memory => {}
                }
                slice.len += part.len;
                events += part.events;
            }
            pieces.push(Piece::Slice(slice));
        }
        pieces
    }
}

/// A part of the new run.
enum Piece {
    /// Frames that become frames of it where they stand.
    Carried(Vec<Entry>),
    Slice(Slice),
}

impl Piece {
    fn slice(&self) -> Option<&Slice> {
        match self {
            Piece::Carried(_) => None,
            Piece::Slice(slice) => Some(slice),
        }
    }
}

/// All events from one key to another.
struct Slice {
    first: Key,
    last: Key,
    /// Frames of runs that have some.
    frames: Vec<Entry>,
    /// Pieces of the log that have some, if late events are not in memory.
    late: Vec<Entry>,
    /// About how many bytes its frames will take.
    len: u64,
}

/// Frames of a slice.
struct Frames<'a> {
    making: &'a Making,
    bytes: &'a mut Vec<u8>,
    headers: &'a mut Vec<Header>,
    list: EntryList,
}

impl Frames<'_> {
    fn add<'e>(&mut self, events: impl Iterator<Item = EventRef<'e>>) -> Result<()> {
        let mut frame = Vec::new();
        let mut len = 0;
        for event in events.skip(usize::from(planted::has(Bug::ShortRun))) {
            let event_len = frame::about_len(event.data.len());
            if len + event_len > self.making.body_len && !frame.is_empty() {
                self.add_frame(&frame)?;
                frame.clear();
                len = 0;
            }
            len += event_len;
            frame.push(event);
        }
        if frame.is_empty() { Ok(()) } else { self.add_frame(&frame) }
    }

    fn add_frame(&mut self, events: &[EventRef<'_>]) -> Result<()> {
        let batch = events.iter().map(|event| event.seq).max().unwrap_or_default();
        let stamp = Stamp { instance: self.making.output.instance, batch, durable: 0 };
        let offset = self.bytes.len() as u64;
        self.headers.push(frame::encode(self.bytes, events, offset, RECON, 0, &stamp));
        if self.bytes.len() >= WRITE_LEN { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        self.making.output.write(self.bytes, self.headers)?;
        self.headers.iter().for_each(|header| self.list.push(Entry::of(header)));
        self.bytes.clear();
        self.headers.clear();
        Ok(())
    }

    fn end(mut self) -> Result<EntryList> {
        self.write()?;
        Ok(self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_in_pairs_or_in_more() {
        let ranges = |list: &[(u64, u64)]| list.iter().map(|&(first, last)| (Key::new(first, 0), Key::new(last, 0))).collect();
        for pairs in [&[][..], &[(1, 9)], &[(1, 9), (1, 9)], &[(1, 3), (3, 5), (4, 7)], &[(1, 9), (2, 3), (4, 5), (9, 12)]] {
            assert!(overlap_in_pairs_at_most(ranges(pairs)), "{pairs:?}");
        }
        for more in [&[(1, 9); 3][..], &[(1, 3), (3, 5), (3, 7)], &[(1, 9), (2, 5), (4, 5)], &[(1, 9), (2, 9), (9, 12)]] {
            assert!(!overlap_in_pairs_at_most(ranges(more)), "{more:?}");
        }
    }
}
