//! The recon file: late events, sorted, so that late data is not punished when it is read.
//!
//! ```text
//!   log    ─────[late]──────[late]───────[late][late]─────[late]───>   arrival order
//!                  └───────────┴────────────┘     └─ not in a run yet: mostly 512 KiB, at most 1 MiB, read from the log
//!                               v
//!   recon  ┌────────┬──────────────────────────────────────┐
//!          │ header │ run: header, sorted frames, directory │ run ...   at most 8 runs, each over a stretch of the log
//!          └────────┴──────────────────────────────────────┘
//! ```
//!
//! A run is a sorted copy of the late events in a stretch of the log. Once there are 8, a new run takes in those before it that are not
//! larger; so an event is copied less than twice while there are few, and some 5 times in a thousand runs. How it is made says [`super::runs`].
//!
//! When no frame of the old runs is in use any more, or most of the file is superseded, a new file takes the place of the old one. Everything
//! here is a copy: if it is lost or damaged, the late frames in the log are read instead and runs are made anew.

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::error::{Error, Result};
use crate::threads::atomic::{AtomicU64, Ordering};

use super::frame::Header;
use super::index::{EntryList, Tail, encode_entries, entries_len, read_entries, tail_fits};
use super::log::{FORMAT_VERSION, LOG_HEADER_LEN, LogId};

/// Late events in the log are put into a run once they are in more than this many pieces, should they take few bytes.
pub(crate) const PENDING_ENTRIES: usize = 1024;
/// No more runs than this.
pub(super) const MAX_RUNS: usize = 8;

/// Room that is set aside ahead at most.
const ROOM_MAX: u64 = 8 << 20;

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
    /// Room for it is set aside up to there; 0 if that is not known, or the file is open for reading only.
    room: u64,
    /// The file has bytes behind its runs that are no such room.
    pub(crate) excess: bool,
}

/// A sorted run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its frames.
    pub(crate) list: EntryList,
    pub(super) stretch: Stretch,
    /// Bytes that are in use for it: its header, its frames wherever they stand, and the entries for them.
    pub(super) len: u64,
}

/// The stretch of the log whose late events a run holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The last frame before its end.
    pub(super) tail: Tail,
}

impl Run {
    fn new(list: EntryList, stretch: Stretch) -> Run {
        Run { stretch, len: (RUN_HEADER_LEN + entries_len(list.len())) as u64 + list.bytes(), list }
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
        let mut recon =
            Recon { file, instance: u64_at(&header, 24), runs: Vec::new(), end: FILE_HEADER_LEN as u64, room: 0, excess: false };
        while let Some((run, end)) = recon.read_run(file_len) {
            recon.runs.retain(|earlier| earlier.stretch.from < run.stretch.from);
            if recon.covered() != run.stretch.from {
                return None;
            }
            recon.end = end;
            recon.runs.push(run);
        }
        recon.excess = recon.end < file_len;
        let Stretch { to, tail, .. } = recon.runs.last()?.stretch;
        (to <= log_len && tail_fits(log, log_instance, tail, to)).then_some(recon)
    }

    /// The run that stands next, and where it ends in the file.
    fn read_run(&self, file_len: u64) -> Option<(Run, u64)> {
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
        Some((Run::new(list, Stretch { from, to, tail }), end))
    }

    /// The end of the stretch of the log whose late events are in here.
    pub(crate) fn covered(&self) -> u64 {
        self.runs.last().map_or(LOG_HEADER_LEN as u64, |run| run.stretch.to)
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
        self.runs.iter().map(|run| (run.stretch.from, run.stretch.to))
    }

    /// Gives back what stands behind the last run.
    pub(crate) fn cut_excess(&mut self, folder: &Folder, id: LogId) -> Result<()> {
        self.room = 0;
        folder.open(&id.recon_name(), Access::Write)?.truncate(self.end)?;
        self.excess = false;
        Ok(())
    }

    /// From here on something may be written behind the last run.
    pub(super) fn forget_room(&mut self) {
        self.room = 0;
    }

    /// Whether room is set aside.
    pub(super) fn has_room(&self) -> bool {
        self.room > self.end
    }

    /// Gives back the room for runs that are not to be, or not soon.
    pub(super) fn give_room_back(&mut self) {
        if self.has_room() {
            // Where that fails, there is only less space.
            let _ = self.file.truncate(self.end);
            self.forget_room();
        }
    }
}

fn run_crc(header: &[u8], instance: u64, place: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(header.get(8..).unwrap_or_default());
    crc.update(&instance.to_le_bytes());
    crc.update(&place.to_le_bytes());
    crc.finalize()
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

/// A run that is being written: behind those of a file, or first in a new one. Several threads can add frames.
pub(super) struct NewRun {
    folder: Folder,
    id: LogId,
    file: Handle,
    pub(super) instance: u64,
    /// The log's instance, if the file is new.
    new: Option<u64>,
    /// Where the run starts.
    place: u64,
    /// Where its frames end, those that are being written included.
    end: AtomicU64,
    /// Room is set aside up to there.
    room: u64,
}

impl NewRun {
    /// In the file of a recon, for about `len` bytes.
    pub(super) fn behind(folder: &Folder, id: LogId, recon: &Recon, len: u64) -> Result<NewRun> {
        let file = match recon.room {
            0 => {
                let file = folder.open(&id.recon_name(), Access::Write)?;
                // What an earlier attempt may have left.
                file.truncate(recon.end)?;
                file
            }
            _ => recon.file.clone(),
        };
        let mut run = NewRun::at(folder, id, file, recon.instance, recon.end);
        run.room = recon.room;
        run.reserve(len, recon.end.min(ROOM_MAX))
    }

    /// In a new file, for about `len` bytes.
    pub(super) fn anew(folder: &Folder, id: LogId, log_instance: u64, len: u64) -> Result<NewRun> {
        let file = folder.create_anew(&NewRun::new_name(id))?;
        let run = NewRun::at(folder, id, file, folder.random()?, FILE_HEADER_LEN as u64);
        NewRun { new: Some(log_instance), ..run }.reserve(len, 0)
    }

    fn at(folder: &Folder, id: LogId, file: Handle, instance: u64, place: u64) -> NewRun {
        let end = AtomicU64::new(place + RUN_HEADER_LEN as u64);
        NewRun { folder: folder.clone(), id, file, instance, new: None, place, end, room: 0 }
    }

    fn new_name(id: LogId) -> String {
        id.recon_name() + ".new"
    }

    /// Sets room aside, for runs to come too if there is as much: writing into room takes a quarter less. Where some is missing when a file
    /// takes the place of another, some file systems write all of it to the disk first.
    fn reserve(mut self, len: u64, ahead: u64) -> Result<NewRun> {
        // Frames may be shorter than those before, and so more, and each has an entry.
        let least = len + len / 16 + (16 << 10);
        if self.place + least > self.room {
            let more = least + ahead;
            let reserved = match self.file.reserve(self.place, more) {
                Err(Error::NoSpace { .. }) if ahead > 0 => self.file.reserve(self.place, least).map(|()| least),
                other => other.map(|()| more),
            };
            self.room = self.place + reserved.inspect_err(|_| self.give_up())?;
        }
        Ok(self)
    }

    /// After a failure, once nobody writes it any more: gives back the space that it takes. The log may need it.
    pub(super) fn give_up(&self) {
        // Where that fails, there is only less space.
        let _ = match self.new {
            Some(_) => self.folder.remove_if_there(&NewRun::new_name(self.id)).map(drop),
            None => self.file.truncate(self.place),
        };
    }

    /// Writes frames, which lie in `bytes` at the offsets that their headers say; these become those in the file.
    pub(super) fn write(&self, bytes: &mut [u8], headers: &mut [Header]) -> Result<()> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        for header in headers {
            header.put_at(start + header.offset, bytes.get_mut(header.offset as usize..).unwrap_or_default());
        }
        self.file.write_all(bytes, start)
    }

    /// Writes the directory, and at last the header that makes the run count; answers the recon that then is.
    pub(super) fn close(&self, list: EntryList, stretch: Stretch, kept: &[Run]) -> Result<Recon> {
        let directory_start = self.end.load(Ordering::Acquire);
        let mut directory = Vec::with_capacity(entries_len(list.len()));
        encode_entries(&list, &mut directory);
        self.file.write_all(&directory, directory_start)?;
        let mut header = [0; RUN_HEADER_LEN];
        put(&mut header, 0, &RUN_MAGIC.to_le_bytes());
        put(&mut header, 8, &stretch.from.to_le_bytes());
        put(&mut header, 16, &stretch.to.to_le_bytes());
        put(&mut header, 24, &stretch.tail.offset.to_le_bytes());
        put(&mut header, 32, &stretch.tail.crc.to_le_bytes());
        put(&mut header, 36, &(list.len() as u32).to_le_bytes());
        put(&mut header, 40, &(directory_start - self.place - RUN_HEADER_LEN as u64).to_le_bytes());
        put(&mut header, 48, &crc32(&directory).to_le_bytes());
        let crc = run_crc(&header, self.instance, self.place);
        put(&mut header, 4, &crc.to_le_bytes());
        self.file.write_all(&header, self.place)?;
        let end = directory_start + directory.len() as u64;
        let file = match self.new {
            Some(log_instance) => {
                self.file.write_all(&encode_file_header(log_instance, self.instance), 0)?;
                self.folder.rename(&NewRun::new_name(self.id), &self.id.recon_name())?;
                // Opened anew for the sake of its name in errors. Nothing may fail from here on: the file of before is gone.
                self.folder.open(&self.id.recon_name(), Access::Write).unwrap_or_else(|_| self.file.clone())
            }
            None => self.file.clone(),
        };
        let runs = kept.iter().cloned().chain([Run::new(list, stretch)]).collect();
        Ok(Recon { file, instance: self.instance, runs, end, room: self.room, excess: false })
    }
}
