//! The recon file: late events, sorted, so that late data is not punished when it is read.
//!
//! ```text
//!   log    ─────[late]──────[late]───────[late][late]─────[late]───>   arrival order
//!                  └───────────┴────────────┘     └─ not in a run yet: mostly 256 KiB, at most 1 MiB, read from the log
//!                               v
//!   recon  ┌────────┬──────────────────────────────────────┐
//!          │ header │ run: header, sorted frames, directory │ run ...   at most 8 runs, each over a stretch of the log
//!          └────────┴──────────────────────────────────────┘
//! ```
//!
//! A run is a sorted copy of the late events in a stretch of the log. Once there are 8, a new run takes in those before it that are not
//! larger; so an event is copied less than twice while there are few, and some 5 times in a thousand runs. A frame that none of the others
//! overlaps is not copied: it becomes one of the new run where it stands, and late events that come in order (from a source that was cut
//! off for a while) are copied once.
//!
//! When no frame of the old runs is in use any more, or most of the file is superseded, a new file takes the place of the old one. Everything
//! here is a copy: if it is lost or damaged, the late frames in the log are read instead and runs are made anew.

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::error::Result;
use crate::event::{EventRef, Key};
use crate::planted::{self, Bug};

use super::frame::{self, RECON, Stamp};
use super::index::{Entry, EntryList, Tail, encode_entries, entries_len, read_entries, tail_fits};
use super::log::{FORMAT_VERSION, LOG_HEADER_LEN, LogId};
use super::read::{Class, Merge};

/// Late events in the log are put into a run once they are in more than this many pieces, should they take few bytes.
pub(crate) const PENDING_ENTRIES: usize = 1024;
/// No more runs than this.
const MAX_RUNS: usize = 8;
/// How much longer than the shortest frames of runs the longest are. They are smaller than those of logs, and have an entry each: whoever
/// reads a window has to open one in every run. In short runs, of which there may be many, they are shortest; in long ones they are longer,
/// since entries take memory.
const LONGEST: u64 = 4;
/// Up to the longest frames, a run has about so many.
const RUN_FRAMES: u64 = 512;
/// A run is written in pieces of this size.
const WRITE_LEN: usize = 1 << 20;

const FILE_MAGIC: [u8; 8] = *b"estrecon";
const FILE_HEADER_LEN: usize = 64;
const RUN_MAGIC: u32 = u32::from_le_bytes(*b"eRun");
const RUN_HEADER_LEN: usize = 64;

/// A recon file and its runs, oldest first; they cover the log without gaps.
#[derive(Clone, Debug)]
pub(crate) struct Recon {
    pub(crate) file: Handle,
    pub(crate) instance: u64,
    pub(crate) runs: Vec<Run>,
    /// Where the next run goes.
    end: u64,
    /// The file has bytes behind that.
    pub(crate) excess: bool,
}

/// A sorted run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its frames.
    pub(crate) list: EntryList,
    /// The stretch of the log whose late events it holds.
    from: u64,
    to: u64,
    /// Bytes that are in use for it: its header, its frames wherever they stand, and the entries for them.
    len: u64,
}

impl Run {
    fn new(list: EntryList, from: u64, to: u64) -> Run {
        let frames: u64 = list.iter().map(|entry| u64::from(entry.len)).sum();
        Run { from, to, len: (RUN_HEADER_LEN + entries_len(list.len())) as u64 + frames, list }
    }
}

impl Recon {
    /// Reads the recon file of a log, as far as it can be believed; `None` if that is not at all.
    pub(crate) fn read(folder: &Folder, id: LogId, log_instance: u64, log: &Handle, log_len: u64) -> Option<Recon> {
        let file = folder.open_if_there(&id.recon_name(), Access::Read).ok()??;
        let file_len = file.len().ok()?;
        let mut header = [0; FILE_HEADER_LEN];
        file.read_exact(&mut header, 0).ok()?;
        let ours = header[..8] == FILE_MAGIC
            && u32_at(&header, 60) == crc32(&header[..60])
            && u32_at(&header, 8) == FORMAT_VERSION
            && u64_at(&header, 16) == log_instance;
        if !ours {
            return None;
        }
        let mut recon = Recon { file, instance: u64_at(&header, 24), runs: Vec::new(), end: FILE_HEADER_LEN as u64, excess: false };
        let mut tail = Tail::default();
        while let Some((run, run_tail, end)) = recon.read_run(file_len) {
            recon.runs.retain(|earlier| earlier.from < run.from);
            if recon.covered() != run.from {
                return None;
            }
            tail = run_tail;
            recon.end = end;
            recon.runs.push(run);
        }
        recon.excess = recon.end < file_len;
        let fits = !recon.runs.is_empty() && recon.covered() <= log_len && tail_fits(log, log_instance, tail, recon.covered());
        fits.then_some(recon)
    }

    /// The run that stands next; with it the last frame of the log before its end, and where it ends itself.
    fn read_run(&self, file_len: u64) -> Option<(Run, Tail, u64)> {
        let mut header = [0; RUN_HEADER_LEN];
        self.file.read_exact(&mut header, self.end).ok()?;
        let (from, to) = (u64_at(&header, 8), u64_at(&header, 16));
        let tail = Tail { offset: u64_at(&header, 24), crc: u32_at(&header, 32) };
        let (frames_len, entries) = (u64_at(&header, 40), u32_at(&header, 36) as usize);
        // The checksum includes the file's instance and the run's place, so that no other run is taken for this one.
        let ours = u32_at(&header, 0) == RUN_MAGIC && u32_at(&header, 4) == run_crc(&header, self.instance, self.end) && from < to;
        let frames_start = self.end + RUN_HEADER_LEN as u64;
        let frames_end = frames_start.checked_add(frames_len)?;
        let end = frames_end.checked_add(entries_len(entries) as u64)?;
        if !ours || end > file_len {
            return None;
        }
        // Its frames are its own ones and some of the runs before it.
        let entries = read_entries(&self.file, frames_end, entries, u32_at(&header, 48), FILE_HEADER_LEN as u64, frames_end)?;
        let mut list = EntryList::default();
        entries.into_iter().for_each(|(entry, _)| list.push(entry));
        Some((Run::new(list, from, to), tail, end))
    }

    /// The end of the stretch of the log whose late events are in here.
    pub(crate) fn covered(&self) -> u64 {
        self.runs.last().map_or(LOG_HEADER_LEN as u64, |run| run.to)
    }

    /// Which file, and how much of it: what tells one state of it from the next.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.instance, self.end)
    }

    /// Length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.end
    }

    /// The stretches of the log whose late events the runs hold.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = (u64, u64)> {
        self.runs.iter().map(|run| (run.from, run.to))
    }

    /// Gives back what stands behind the last run.
    pub(crate) fn cut_excess(&mut self, folder: &Folder, id: LogId) -> Result<()> {
        folder.open(&id.recon_name(), Access::Write)?.truncate(self.end)?;
        self.excess = false;
        Ok(())
    }
}

fn run_crc(header: &[u8], instance: u64, place: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header.get(8..).unwrap_or_default());
    crc.update(&instance.to_le_bytes());
    crc.update(&place.to_le_bytes());
    crc.finalize()
}

/// The late events of a log up to an offset that no run holds yet.
pub(crate) struct Pending<'a> {
    pub(crate) log: &'a Handle,
    pub(crate) log_instance: u64,
    pub(crate) late: &'a EntryList,
    /// About how many bytes they take.
    pub(crate) bytes: u64,
    /// Up to where the log is covered with them.
    pub(crate) covered: u64,
    /// The log's last frame before that.
    pub(crate) tail: Tail,
    /// About how long the shortest frames of runs are to be.
    pub(crate) shortest_frame: u64,
}

/// Puts the pending late events into a run; answers the recon that then is. What was there before stays valid for whoever reads it.
///
/// `merge` is one over everything.
pub(crate) fn absorb(folder: &Folder, id: LogId, recon: Option<&Recon>, pending: &Pending<'_>, merge: Merge) -> Result<Recon> {
    let runs = recon.map_or(&[][..], |recon| &recon.runs);
    let mut kept = runs.len();
    let mut len = pending.bytes;
    // Only where there is no place for another run are some merged: the new one with those before it up to the first that is larger.
    while let Some(last) = kept.checked_sub(1).and_then(|last| runs.get(last)).filter(|_| runs.len() >= MAX_RUNS) {
        if kept < MAX_RUNS && last.len > len {
            break;
        }
        len += last.len;
        kept -= 1;
    }
    let parts = Parts::of(pending, runs, kept);
    // Begin a new file where no frame of this one is used any more, or it would be superseded for the most part.
    let stays = |recon: &&Recon| {
        let live: u64 = parts.len() + runs.iter().take(kept).map(|run| run.len).sum::<u64>();
        (kept > 0 || parts.has_carried()) && recon.end + parts.fresh_len() <= 4 * live + (1 << 20)
    };
    match recon.filter(stays) {
        Some(recon) => {
            let file = folder.open(&id.recon_name(), Access::Write)?;
            let from = runs.get(kept).map_or(recon.covered(), |run| run.from);
            let (run, end) = Writing::new(&file, recon.instance, recon.end).run(from, pending, Some(recon), &parts, merge)?;
            let runs = runs.iter().take(kept).cloned().chain([run]).collect();
            Ok(Recon { file, instance: recon.instance, runs, end, excess: false })
        }
        None => {
            let parts = Parts::of_all(pending, runs);
            let name = id.recon_name() + ".new";
            let file = folder.create_anew(&name)?;
            let instance = folder.random()?;
            let from = LOG_HEADER_LEN as u64;
            let (run, end) = Writing::new(&file, instance, FILE_HEADER_LEN as u64).run(from, pending, recon, &parts, merge)?;
            file.write_all(&encode_file_header(pending.log_instance, instance), 0)?;
            folder.rename(&name, &id.recon_name())?;
            let file = folder.open(&id.recon_name(), Access::Read)?;
            Ok(Recon { file, instance, runs: vec![run], end, excess: false })
        }
    }
}

/// What a run is made of: pieces of the log that have late events, and the frames of the runs that it replaces.
struct Parts {
    /// By their first key.
    list: Vec<Part>,
    /// How long the bodies of new frames are to be.
    body_len: usize,
}

struct Part {
    entry: Entry,
    class: Class,
    /// It overlaps with no other part, and is long enough: the frame itself becomes one of the run, where it stands.
    carried: bool,
}

impl Parts {
    /// Those of a run that replaces all behind the first `kept`.
    fn of(pending: &Pending<'_>, runs: &[Run], kept: usize) -> Parts {
        let mut parts = Parts::collect(pending, runs, kept);
        let mut rest = parts.list.as_mut_slice();
        let mut before = None;
        while let Some((part, after)) = rest.split_first_mut() {
            let is_alone = before < Some(part.entry.first) && after.first().is_none_or(|next| part.entry.last < next.entry.first);
            before = before.max(Some(part.entry.last));
            part.carried = is_alone && part.class == Class::Run && part.entry.len as usize >= parts.body_len / 2;
            rest = after;
        }
        parts
    }

    /// Those of the one run of a new file.
    fn of_all(pending: &Pending<'_>, runs: &[Run]) -> Parts {
        Parts::collect(pending, runs, 0)
    }

    fn collect(pending: &Pending<'_>, runs: &[Run], kept: usize) -> Parts {
        let (kept, replaced) = runs.split_at(kept);
        let late = pending.late.iter().map(|entry| (entry, Class::Late));
        let frames = replaced.iter().flat_map(|run| run.list.iter()).map(|entry| (entry, Class::Run));
        let mut list: Vec<Part> = late.chain(frames).map(|(entry, class)| Part { entry: *entry, class, carried: false }).collect();
        list.sort_unstable_by_key(|part| part.entry.first);
        // Events that are late but come in order lie in hardly any run twice; whoever reads a window of them opens few frames.
        let late = pending.late.iter().map(|entry| (entry.first, entry.last));
        let others = kept.iter().filter_map(|run| run.list.bounds());
        let len: u64 = list.iter().map(|part| u64::from(part.entry.len)).sum();
        let longest = pending.shortest_frame.saturating_mul(LONGEST);
        let shortest = if overlap_in_pairs_at_most(late.chain(others).collect()) { longest } else { pending.shortest_frame };
        Parts { list, body_len: (len / RUN_FRAMES).clamp(shortest, longest) as usize }
    }

    /// Bytes of all.
    fn len(&self) -> u64 {
        self.list.iter().map(|part| u64::from(part.entry.len)).sum()
    }

    /// About the bytes that are to be written.
    fn fresh_len(&self) -> u64 {
        self.list.iter().filter(|part| !part.carried).map(|part| u64::from(part.entry.len)).sum()
    }

    fn has_carried(&self) -> bool {
        self.list.iter().any(|part| part.carried)
    }
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

fn encode_file_header(log_instance: u64, instance: u64) -> [u8; FILE_HEADER_LEN] {
    let mut bytes = [0; FILE_HEADER_LEN];
    put(&mut bytes, 0, &FILE_MAGIC);
    put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
    put(&mut bytes, 16, &log_instance.to_le_bytes());
    put(&mut bytes, 24, &instance.to_le_bytes());
    let crc = crc32(&bytes[..60]);
    put(&mut bytes, 60, &crc.to_le_bytes());
    bytes
}

/// A run that is being written.
struct Writing<'a> {
    file: &'a Handle,
    instance: u64,
    /// Where the run starts.
    place: u64,
    list: EntryList,
    /// What goes into the file from `written` on.
    buffer: Vec<u8>,
    written: u64,
}

impl<'a> Writing<'a> {
    fn new(file: &'a Handle, instance: u64, place: u64) -> Writing<'a> {
        let written = place + RUN_HEADER_LEN as u64;
        Writing { file, instance, place, list: EntryList::default(), buffer: Vec::with_capacity(WRITE_LEN + WRITE_LEN / 8), written }
    }

    /// Writes all of it: the frames, the directory, and at last the header that makes them count; answers the run and where its bytes end.
    fn run(mut self, from: u64, pending: &Pending<'_>, recon: Option<&Recon>, parts: &Parts, mut merge: Merge) -> Result<(Run, u64)> {
        // Writing into room that is there takes a quarter less.
        self.file.reserve(self.place, parts.fresh_len())?;
        let mut rest = parts.list.as_slice();
        while let Some(part) = rest.first() {
            let (next, after) = rest.split_at(rest.iter().take_while(|next| next.carried == part.carried).count());
            rest = after;
            if part.carried {
                let lost = usize::from(planted::has(Bug::LoseCarriedFrame));
                next.iter().skip(lost).for_each(|part| self.list.push(part.entry));
                continue;
            }
            let of = |class| next.iter().filter(move |part| part.class == class).map(|part| &part.entry);
            merge.reset(merge.scope());
            merge.add_entries(pending.log, pending.log_instance, Class::Late, of(Class::Late));
            if let Some(recon) = recon {
                merge.add_entries(&recon.file, recon.instance, Class::Run, of(Class::Run));
            }
            self.frames(&mut merge, parts.body_len)?;
        }
        self.close(from, pending)
    }

    /// Writes all events of a merge.
    fn frames(&mut self, merge: &mut Merge, body_len: usize) -> Result<()> {
        loop {
            let batch = merge.next_batch(4096)?;
            if batch.is_empty() {
                return Ok(());
            }
            let mut events: Vec<EventRef<'_>> = batch.iter().collect();
            if planted::has(Bug::ShortRun) {
                events.pop();
            }
            let batch_seq = events.iter().map(|event| event.seq).max().unwrap_or_default();
            let stamp = Stamp { instance: self.instance, batch: batch_seq, durable: 0 };
            let mut rest = events.as_slice();
            while !rest.is_empty() {
                let (events, after) = rest.split_at(frame::cut(rest, body_len));
                let offset = self.written + self.buffer.len() as u64;
                let header = frame::encode(&mut self.buffer, events, offset, RECON, 0, &stamp);
                self.list.add(&header);
                self.list.close_last();
                rest = after;
                if self.buffer.len() >= WRITE_LEN {
                    self.flush()?;
                }
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn close(mut self, from: u64, pending: &Pending<'_>) -> Result<(Run, u64)> {
        let frames_len = self.written + self.buffer.len() as u64 - self.place - RUN_HEADER_LEN as u64;
        let directory_start = self.buffer.len();
        encode_entries(&self.list, &mut self.buffer);
        let directory_crc = crc32(self.buffer.get(directory_start..).unwrap_or_default());
        self.flush()?;

        let mut header = [0; RUN_HEADER_LEN];
        put(&mut header, 0, &RUN_MAGIC.to_le_bytes());
        put(&mut header, 8, &from.to_le_bytes());
        put(&mut header, 16, &pending.covered.to_le_bytes());
        put(&mut header, 24, &pending.tail.offset.to_le_bytes());
        put(&mut header, 32, &pending.tail.crc.to_le_bytes());
        put(&mut header, 36, &(self.list.len() as u32).to_le_bytes());
        put(&mut header, 40, &frames_len.to_le_bytes());
        put(&mut header, 48, &directory_crc.to_le_bytes());
        let crc = run_crc(&header, self.instance, self.place);
        put(&mut header, 4, &crc.to_le_bytes());
        self.file.write_all(&header, self.place)?;
        let end = self.written;
        // Room that was not needed, and what an earlier attempt may have left.
        if self.file.len()? > end {
            self.file.truncate(end)?;
        }
        Ok((Run::new(self.list, from, pending.covered), end))
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
