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
//! larger; so an event is copied less than twice while there are few, and some 5 times in a thousand runs. When nothing is left of the old
//! runs, or most of the file is superseded, a new file takes the place of the old one. Everything here is a copy: if it is lost or
//! damaged, the late frames in the log are read instead and runs are made anew.

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::error::Result;
use crate::event::EventRef;
use crate::planted::{self, Bug};

use super::frame::{self, RECON, Stamp};
use super::index::{EntryList, Tail, encode_entries, entries_len, read_entries, tail_fits};
use super::log::{FORMAT_VERSION, LOG_HEADER_LEN, LogId};
use super::read::{Class, Merge};

/// Late events in the log are put into a run once they are in more than this many pieces, should they take few bytes.
pub(crate) const PENDING_ENTRIES: usize = 1024;
/// No more runs than this.
const MAX_RUNS: usize = 8;
/// Frames of runs are smaller than those of logs, and have an entry each: whoever reads a window has to open one in every run. In short
/// runs, of which there may be many, they are shortest; in long ones they are longer, since entries take memory.
const RUN_BODY_LEN: std::ops::RangeInclusive<u64> = (8 << 10)..=(32 << 10);
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
    /// Length in the file, all included.
    len: u64,
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
        while let Some((run, run_tail)) = recon.read_run(file_len) {
            recon.runs.retain(|earlier| earlier.from < run.from);
            if recon.covered() != run.from {
                return None;
            }
            tail = run_tail;
            recon.end += run.len;
            recon.runs.push(run);
        }
        recon.excess = recon.end < file_len;
        let fits = !recon.runs.is_empty() && recon.covered() <= log_len && tail_fits(log, log_instance, tail, recon.covered());
        fits.then_some(recon)
    }

    fn read_run(&self, file_len: u64) -> Option<(Run, Tail)> {
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
        let entries = read_entries(&self.file, frames_end, entries, u32_at(&header, 48), frames_start, frames_end)?;
        let mut list = EntryList::default();
        entries.into_iter().for_each(|(entry, _)| list.push(entry));
        Some((Run { list, from, to, len: end - self.end }, tail))
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

    fn live_len(&self) -> u64 {
        self.runs.iter().map(|run| run.len).sum()
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
}

/// Puts the pending late events into a run; answers the recon that then is. What was there before stays valid for whoever reads it.
///
/// `scope` is that of a merge over everything.
pub(crate) fn absorb(folder: &Folder, id: LogId, recon: Option<&Recon>, pending: &Pending<'_>, mut merge: Merge) -> Result<Recon> {
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
    // Most of the file superseded: begin a new one.
    if recon.is_some_and(|recon| recon.len() > 4 * recon.live_len() + (1 << 20)) {
        kept = 0;
        len = pending.bytes + runs.iter().map(|run| run.len).sum::<u64>();
    }
    merge.add(pending.log, pending.log_instance, Class::Late, pending.late);
    if let Some(recon) = recon {
        for run in runs.iter().skip(kept) {
            merge.add(&recon.file, recon.instance, Class::Run, &run.list);
        }
    }
    let from = runs.get(kept).map_or(recon.map_or(LOG_HEADER_LEN as u64, Recon::covered), |run| run.from);

    match recon.filter(|_| kept > 0) {
        Some(recon) => {
            let file = folder.open(&id.recon_name(), Access::Write)?;
            let run = write_run(&file, recon.instance, recon.end, from, pending, len, merge)?;
            let end = recon.end + run.len;
            let runs = runs.iter().take(kept).cloned().chain([run]).collect();
            Ok(Recon { file, instance: recon.instance, runs, end, excess: false })
        }
        None => {
            let name = id.recon_name() + ".new";
            let file = folder.create_anew(&name)?;
            let instance = folder.random()?;
            let start = FILE_HEADER_LEN as u64;
            let run = write_run(&file, instance, start, from, pending, len, merge)?;
            file.write_all(&encode_file_header(pending.log_instance, instance), 0)?;
            folder.rename(&name, &id.recon_name())?;
            let end = start + run.len;
            let file = folder.open(&id.recon_name(), Access::Read)?;
            Ok(Recon { file, instance, runs: vec![run], end, excess: false })
        }
    }
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

/// Writes one run of about `len` bytes at `place`: frames, directory, and at last the header that makes them count.
fn write_run(file: &Handle, instance: u64, place: u64, from: u64, pending: &Pending<'_>, len: u64, mut merge: Merge) -> Result<Run> {
    // Writing into room that is there takes a quarter less.
    file.reserve(place, len)?;
    let frames_start = place + RUN_HEADER_LEN as u64;
    let mut list = EntryList::default();
    let mut buffer = Vec::with_capacity(WRITE_LEN + WRITE_LEN / 8);
    let mut written = frames_start;
    let body_len = (len / RUN_FRAMES).clamp(*RUN_BODY_LEN.start(), *RUN_BODY_LEN.end()) as usize;
    loop {
        let batch = merge.next_batch(4096)?;
        if batch.is_empty() {
            break;
        }
        let mut events: Vec<EventRef<'_>> = batch.iter().collect();
        if planted::has(Bug::ShortRun) {
            events.pop();
        }
        let batch_seq = events.iter().map(|event| event.seq).max().unwrap_or_default();
        let stamp = Stamp { instance, batch: batch_seq, durable: 0 };
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (events, after) = rest.split_at(frame::cut(rest, body_len));
            let offset = written + buffer.len() as u64;
            let header = frame::encode(&mut buffer, events, offset, RECON, 0, &stamp);
            list.add(&header);
            list.close_last();
            rest = after;
            if buffer.len() >= WRITE_LEN {
                file.write_all(&buffer, written)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
        }
    }
    let frames_len = written + buffer.len() as u64 - frames_start;
    let directory_start = buffer.len();
    encode_entries(&list, &mut buffer);
    let directory_crc = crc32(buffer.get(directory_start..).unwrap_or_default());
    file.write_all(&buffer, written)?;
    let end = written + buffer.len() as u64;

    let mut header = [0; RUN_HEADER_LEN];
    put(&mut header, 0, &RUN_MAGIC.to_le_bytes());
    put(&mut header, 8, &from.to_le_bytes());
    put(&mut header, 16, &pending.covered.to_le_bytes());
    put(&mut header, 24, &pending.tail.offset.to_le_bytes());
    put(&mut header, 32, &pending.tail.crc.to_le_bytes());
    put(&mut header, 36, &(list.len() as u32).to_le_bytes());
    put(&mut header, 40, &frames_len.to_le_bytes());
    put(&mut header, 48, &directory_crc.to_le_bytes());
    let crc = run_crc(&header, instance, place);
    put(&mut header, 4, &crc.to_le_bytes());
    file.write_all(&header, place)?;
    // Room that was not needed, and what an earlier attempt may have left.
    if file.len()? > end {
        file.truncate(end)?;
    }
    Ok(Run { list, from, to: pending.covered, len: end - place })
}
