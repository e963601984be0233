//! Compaction: the logs of a chunk become one, whose events are sorted, and nothing of it is late any more.
//!
//! ```text
//!   before   N-0.estore  ══main══late══main══late══   N-1.estore  ══late══        sealed: later events go to N-3
//!   merge    N-2.new     ═══════════ all of them, sorted, in full frames ═══════
//!   publish  N-2.estore  synced, renamed, the folder synced
//!   switch   the journal says that N-2 takes the place of N-0 and N-1; only once that is durable, their files go
//! ```
//!
//! Each step leaves a store that opens with the same events: before the switch is durable by the old logs, after it by the new one, whose
//! header names those that it replaces. A compacted log is never appended to. Damage ends it: what can't be read is not
//! compacted away. Memory is that of a merge, whatever the chunk's size.
//!
//! Where compression is chosen the new log's frames are compressed, each for itself. Its header and the journal note by what, whether or not
//! frames got smaller by it: so the same is not tried again and again.

use std::path::Path;

use crate::disk::Handle;
use crate::error::{Error, Result};
use crate::event::{AsEvent, Event, EventRef, Key};
use crate::options::Compression;
use crate::planted::{self, Bug};

use super::frame::{self, END, LAST, MIN_FRAME_LEN, Stamp, TARGET_BODY_LEN};
use super::index::LogIndex;
use super::log::{LogHeader, LogId, Stretch, Walk};
use super::pack::Packer;
use super::read::{Merge, Scope};
use super::recover::Totals;
use super::{Chunk, Log, LogSummary, State, WRITE_LEN, remove_files};

/// A chunk of more logs than this is worth compacting whatever is in them.
const MANY_LOGS: usize = 4;
/// So much is written before it is synced: one sync of it all would keep others from the disk for long.
const SYNC_LEN: u64 = 32 << 20;

impl State {
    /// Puts a compacted log in the place of those that it was made of.
    fn replace(&mut self, summary: &LogSummary) {
        self.logs.retain(|log| !summary.covers(log.id().generation) && log.id() != summary.id);
        let at = self.logs.partition_point(|log| log.id() < summary.id);
        self.logs.insert(at, Log::new(*summary));
        if self.logs.len() == 1 {
            self.distrustful = false;
            self.gave_up_files = false;
        }
    }

    /// How its compacted log is compressed.
    fn compression(&self) -> Option<Compression> {
        let compacted = self.logs.iter().map(|log| log.summary).find(LogSummary::is_compacted)?;
        Compression::of_code(compacted.codec).filter(|compression| compression.check_built().is_ok())
    }

    /// Whether compaction that is to store as said would change anything. What it made once is not made so again, however little of it got
    /// smaller.
    fn is_compactable(&self, compression: Option<Compression>) -> bool {
        let is_done = |log: &Log| log.summary.is_compacted() && compression.is_none_or(|wanted| log.summary.codec == wanted.code());
        !matches!(self.logs.as_slice(), [log] if is_done(log)) && self.logs.iter().any(Log::has_frames)
    }
}

impl Chunk {
    /// Bytes of its logs; how many of them, about, compaction would sort in, or save by joining small frames; and how many it would
    /// compress.
    pub(crate) fn disorder(&self) -> (u64, u64, u64) {
        let state = self.lock();
        if state.gave_up_compacting {
            return (0, 0, 0);
        }
        let wanted = self.shared.compression.filter(|compression| *compression != Compression::None);
        let (mut len, mut disorder, mut uncompressed) = (0_u64, 0_u64, 0_u64);
        for log in &state.logs {
            let LogSummary { len: log_len, totals, codec, .. } = log.summary;
            len = len.saturating_add(log_len);
            if wanted.is_some_and(|compression| compression.code() != codec) {
                uncompressed = uncompressed.saturating_add(log_len);
            }
            if log.summary.is_compacted() {
                continue;
            }
            let late = u128::from(log_len) * u128::from(totals.recon.min(totals.count)) / u128::from(totals.count.max(1));
            let full_frames = log_len / TARGET_BODY_LEN as u64;
            // Their number is only what a journal says: there can't be more than have room.
            let frames = totals.frames.min(log_len / MIN_FRAME_LEN as u64);
            let joined = frames.saturating_sub(4 * full_frames) * MIN_FRAME_LEN as u64;
            disorder = disorder.saturating_add((late as u64).max(joined));
        }
        // Each log is one more place to look at, too.
        if state.logs.len() > MANY_LOGS {
            disorder = len;
        }
        (len, disorder, uncompressed)
    }

    /// Takes note that compacting it has failed.
    pub(crate) fn give_up_compacting(&self) {
        self.lock().gave_up_compacting = true;
    }

    /// Whether compaction would change anything. An error if it can't, since damage is known.
    pub(crate) fn is_compactable(&self) -> Result<bool> {
        let state = self.lock();
        if let Some(log) = state.logs.iter().find(|log| log.closed) {
            let path = self.shared.folder.file_path(&log.id().log_name());
            return Err(Error::corrupt(&path, 0, "the log is damaged, and is not compacted for that"));
        }
        Ok(state.is_compactable(self.shared.compression))
    }

    /// Takes the chunk's logs out of use for appending, for the one who holds the writer. `None` if compacting them would change nothing.
    /// What is not synced of them is; a failure of that must stop the writer.
    ///
    /// Answers what they add up to, as the log that is to take their place. Followed by [`Chunk::switch`] or [`Chunk::abandon`].
    pub(crate) fn seal(&self) -> Result<Option<LogSummary>> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.compacting.is_some() || !state.is_compactable(self.shared.compression) {
            return Ok(None);
        }
        let generation = state.next_generation()?;
        let id = LogId { chunk: self.number, generation };
        let codec = self.shared.compression.or_else(|| state.compression()).unwrap_or(Compression::None).code();
        let mut sealed = LogSummary { len: 0, codec, ..LogSummary::new(id, 0, state.watermark.time()) };
        for log in &mut state.logs {
            if log.appendable {
                log.appendable = false;
                log.slack = None;
                // What is beyond that was room for more; where it can't be given back, there is only less space for a while.
                let _ = log.file.as_ref().map_or(Ok(()), |file| file.truncate(log.summary.len));
                log.room = 0;
            }
            if let Some(file) = log.file.as_ref().filter(|_| log.synced < log.summary.len) {
                file.sync()?;
                log.synced = log.summary.len;
            }
            log.sealed = true;
            sealed.totals.add_all(&log.summary.totals);
            sealed.replaces = sealed.replaces.min(log.summary.replaces);
            sealed.len = sealed.len.saturating_add(log.summary.len);
        }
        state.compacting = Some(generation);
        Ok(Some(sealed))
    }

    /// Writes the events of sealed logs into one log, and gives it its name, durably. `go_on` is told now and then how many events are done;
    /// its error ends it. After a failure nothing has changed.
    pub(crate) fn compact(&self, sealed: &LogSummary, durable: u64, go_on: &mut dyn FnMut(u64) -> Result<()>) -> Result<LogSummary> {
        // No recon file of theirs is written from here on, or it might be left when they are gone.
        drop(self.sorting.take_turn());
        self.mending(|| self.merge_logs(sealed, durable, go_on)).inspect_err(|_| {
            remove_files(&self.shared.folder, sealed.id, &[]);
        })
    }

    fn merge_logs(&self, sealed: &LogSummary, durable: u64, go_on: &mut dyn FnMut(u64) -> Result<()>) -> Result<LogSummary> {
        let id = sealed.id;
        let folder = &self.shared.folder;
        let mut merge = Merge::new(Scope { first: Key::MIN, last: Key::MAX, seq: u64::MAX, reverse: false });
        self.add_sealed_to(id.generation, &mut merge)?;
        // The old index of a log that had the name is gone with it.
        folder.remove_if_there(&id.index_name())?;
        let file = folder.create_anew(&id.new_name())?;
        let instance = folder.random()?;
        let compression = Compression::of_code(sealed.codec).unwrap_or(Compression::None);
        // What is compressed takes less, nobody knows how much: a disk without room for all of it may have enough.
        if compression == Compression::None {
            file.reserve(0, sealed.len)?;
        }
        let stamp = Stamp { instance, batch: sealed.totals.last_seq, durable };
        let mut writing = Writing {
            file: &file,
            stamp,
            late_left: sealed.totals.late,
            written: 0,
            synced: 0,
            buffer: Vec::new(),
            packer: Packer::new(compression),
            index: LogIndex::new(),
        };
        let header = LogHeader { store: self.shared.store, id, instance, replaces: sealed.replaces, codec: sealed.codec };
        writing.buffer.extend_from_slice(&header.encode());
        let mut totals = Totals::default();
        // The last events of a batch, for a frame that is not full yet.
        let mut begun: Vec<Event> = Vec::new();
        let mut last = None;
        loop {
            let batch = merge.next_batch(usize::MAX)?;
            let is_end = batch.is_empty();
            let events: Vec<EventRef<'_>> = begun.iter().map(AsEvent::as_event).chain(batch.iter()).collect();
            // Else no reader would take the frames, and what they were made of would be gone.
            if !batch.iter().map(|event| (event.time, event.seq)).all(|key| last.replace(key).is_none_or(|before| before < key)) {
                let path = folder.file_path(&LogId { generation: sealed.replaces, ..id }.log_name());
                return Err(Error::corrupt(&path, 0, "it and those before it have an event twice, or two with the same seq"));
            }
            let mut rest = events.as_slice();
            let mut left = Vec::new();
            while !rest.is_empty() {
                let (frame, after) = rest.split_at(frame::cut(rest, TARGET_BODY_LEN));
                if after.is_empty() && !is_end {
                    left = frame.iter().map(|event| event.to_event()).collect();
                    break;
                }
                let skipped = usize::from(planted::has(Bug::CompactOneLess) && totals.count == 0 && frame.len() > 1);
                totals.count += skipped as u64;
                writing.add(frame.get(skipped..).unwrap_or_default(), after.is_empty(), &mut totals)?;
                rest = after;
            }
            begun = left;
            go_on(totals.count)?;
            if is_end {
                break;
            }
        }
        if totals.count != sealed.totals.count {
            let what = format!("{} events were found, {} were written to it and those before it", totals.count, sealed.totals.count);
            let path = folder.file_path(&LogId { generation: sealed.replaces, ..id }.log_name());
            return Err(Error::corrupt(&path, 0, what));
        }
        let (len, mut index) = writing.finish()?;
        folder.rename(&id.new_name(), &id.log_name())?;
        if !planted::has(Bug::SkipNameSync) {
            folder.sync()?;
        }
        if !self.shared.no_index
            && let Err(e) = index.write(folder, id, instance)
        {
            self.shared.say(crate::Level::Warning, &format!("{}: it was not written: {e}", id.index_name()));
        }
        let totals = Totals { late: sealed.totals.late, last_seq: sealed.totals.last_seq, ..totals };
        Ok(LogSummary { instance, len, totals, ..*sealed })
    }

    /// Lets the compacted log take the place of those that it was made of, which the journal says by now; answers those.
    pub(crate) fn switch(&self, compacted: &LogSummary) -> Vec<LogId> {
        let mut state = self.lock();
        state.compacting = None;
        let replaced = state.logs.iter().map(Log::id).filter(|log| compacted.covers(log.generation)).collect();
        state.replace(compacted);
        replaced
    }

    /// Puts a log that another handle has compacted in the place of those that it was made of, if they are here. Whether they are.
    pub(crate) fn take_compacted(&self, compacted: &LogSummary) -> bool {
        let mut state = self.lock();
        let is_here = state.logs.iter().any(|log| compacted.covers(log.id().generation));
        if is_here {
            state.replace(compacted);
        }
        is_here
    }

    /// As [`Chunk::take_compacted`] for some. Whether anything has changed, or the missing file is not one of a log of the chunk any more.
    pub(crate) fn take_over<'a>(&self, compacted: impl Iterator<Item = &'a LogSummary>, missing: &Path) -> bool {
        let changed = compacted.fold(false, |changed, summary| self.take_compacted(summary) | changed);
        let state = self.lock();
        changed || state.logs.iter().all(|log| self.shared.folder.file_path(&log.id().log_name()) != missing)
    }

    /// Gives up compacting: the logs stay, and the last of them may take events again.
    pub(crate) fn abandon(&self, sealed: &LogSummary) {
        // As long as its name is reserved: then it may become that of a log which somebody begins.
        remove_files(&self.shared.folder, sealed.id, &[]);
        let mut state = self.lock();
        state.compacting = None;
        state.logs.iter_mut().for_each(|log| log.sealed = log.summary.is_compacted());
    }
}

/// What a compacted log adds up to that no journal tells of, going by its frames.
pub(crate) fn summarize(file: &Handle, summary: LogSummary) -> Result<LogSummary> {
    let len = file.len()?;
    let mut totals = Totals::default();
    let mut walk = Walk::new(file, summary.instance, summary.len, len, false);
    while let Some(stretch) = walk.next()? {
        if let Stretch::Frame(header) | Stretch::DamagedBody(header) = stretch {
            totals.add(&header);
        }
    }
    Ok(LogSummary { len, totals, ..summary })
}

/// The new log, as far as it is written.
struct Writing<'a> {
    file: &'a Handle,
    stamp: Stamp,
    /// Events that were late and that no frame has counted yet. Which they are is not known; the sum is kept.
    late_left: u64,
    written: u64,
    synced: u64,
    buffer: Vec<u8>,
    packer: Packer,
    index: LogIndex,
}

impl Writing<'_> {
    fn add(&mut self, events: &[EventRef<'_>], is_last: bool, totals: &mut Totals) -> Result<()> {
        let late = self.late_left.min(events.len() as u64);
        self.late_left -= late;
        let offset = self.written + self.buffer.len() as u64;
        let flags = if is_last { LAST | END } else { 0 };
        let header = frame::encode_packed(&mut self.buffer, &mut self.packer, events, offset, flags, late as u32, &self.stamp);
        totals.add(&header);
        self.index.add(&header);
        if self.buffer.len() >= WRITE_LEN {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if self.written - self.synced >= SYNC_LEN {
            self.file.sync()?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Makes all of it durable; answers its length.
    fn finish(mut self) -> Result<(u64, LogIndex)> {
        self.write()?;
        self.file.truncate(self.written)?;
        if !planted::has(Bug::SwitchBeforeSync) {
            self.file.sync()?;
        }
        Ok((self.written, self.index))
    }
}
