//! Compaction of a store: which chunks, one at a time, beside appends and reads.
//!
//! ```text
//!   without a lock                     everything is synced
//!   under the writer's lock, short     the chunk's logs are sealed, with what came since synced
//!   without a lock, long               they are merged into one, which is synced and gets its name          efile::compact
//!   under the writer's lock, short     the journal says that it takes their place; so does the chunk
//!   without a lock                     the journal is synced, then their files go
//! ```
//!
//! Readers that are open go on: they hold the files that they read, and what they have yet to come to has the same events.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::efile::{Chunk, LogSummary};
use crate::error::{Error, Result};
use crate::options::Level;
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::Core;
use super::chunks::{self, View};
use super::journal::{self, Fact};

/// How far something that takes long has come, as it tells its receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Chunks that are done, of those to do.
    pub chunks_done: u64,
    /// Chunks to do.
    pub chunks: u64,
    /// Events that are done, of those in the chunks to do.
    pub events_done: u64,
    /// Events in the chunks to do.
    pub events: u64,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Chunks that were compacted.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their logs before,
    pub bytes_before: u64,
    /// and after.
    pub bytes_after: u64,
    /// Its receiver stopped it before all was done.
    pub stopped: bool,
}

/// So often everything is synced before a chunk is sealed, as long as more than a little comes in meanwhile.
const MOST_SYNCS: usize = 4;
const LITTLE_UNSYNCED: u64 = 1 << 20;

/// Why a chunk was not compacted.
enum NotDone {
    /// There was nothing to do, or the chunk is gone.
    Nothing,
    Stopped,
    Failed(Error),
}

impl From<Error> for NotDone {
    fn from(e: Error) -> NotDone {
        NotDone::Failed(e)
    }
}

impl Core {
    /// See [`Store::compact`](crate::Store::compact).
    pub(super) fn compact(&self, range: Option<(u64, u64)>, mut receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Compacted> {
        self.check_writable()?;
        let mut compacted = Compacted::default();
        let Some((start, end)) = range else { return Ok(compacted) };
        self.flush_buffer()?;
        let _maintenance = lock(&self.maintenance);
        self.check_place()?;
        let view = lock(&self.view).clone();
        let numbers = self.settings.chunk_of(start)..=self.settings.chunk_of(end);
        let chunks: Vec<&Arc<Chunk>> =
            view.chunks.range(numbers).map(|(_, chunk)| chunk).filter(|chunk| !matches!(chunk.is_compactable(), Ok(false))).collect();
        let mut progress = Progress { chunks: chunks.len() as u64, ..Progress::default() };
        progress.events = chunks.iter().map(|chunk| chunk.totals().count).fold(0, u64::saturating_add);
        let mut failure = None;
        for chunk in chunks {
            let before = progress.events_done;
            let mut tell = |events_done: u64| {
                progress.events_done = before.saturating_add(events_done).min(progress.events);
                self.chunk_shared.messages.while_telling(|| receiver(progress))
            };
            match self.compact_chunk(chunk, &mut tell) {
                Ok(done) => {
                    compacted.chunks += done.chunks;
                    compacted.events += done.events;
                    compacted.bytes_before += done.bytes_before;
                    compacted.bytes_after += done.bytes_after;
                }
                Err(NotDone::Nothing) => {}
                Err(NotDone::Stopped) => {
                    compacted.stopped = true;
                    break;
                }
                // The others can be compacted all the same, unless the writer has stopped.
                Err(NotDone::Failed(e)) => {
                    self.say(Level::Warning, &format!("chunk {} was not compacted: {e}", chunk.number));
                    let is_over = self.stopped().is_some() || matches!(e, Error::NoSpace { .. });
                    failure.get_or_insert(e);
                    if is_over {
                        break;
                    }
                }
            }
            progress.chunks_done += 1;
        }
        if compacted.stopped && self.closing.load(Ordering::Acquire) {
            return Err(Error::Closed { path: self.path().to_owned() });
        }
        failure.map_or(Ok(compacted), Err)
    }

    /// What the thread for it does once it is woken: compacts chunks as long as there are some for which that is worth it.
    pub(super) fn compact_backlog(&self) -> Result<()> {
        loop {
            // First, or what is chosen may be compacted by somebody else meanwhile, and be given up as if nothing could be done.
            let _maintenance = lock(&self.maintenance);
            let Some(chunk) = self.next_worth_compacting() else { return Ok(()) };
            // Late events of other chunks must not wait for a large one.
            let mut tell = |_| {
                if self.chunk_shared.unsorted.swap(false, Ordering::Acquire) {
                    self.sort_unsorted();
                }
                ControlFlow::Continue(())
            };
            match self.compact_chunk(&chunk, &mut tell) {
                Ok(done) => self.say(
                    Level::Info,
                    &format!("chunk {}: compacted, {} bytes of logs to {}", chunk.number, done.bytes_before, done.bytes_after),
                ),
                Err(NotDone::Nothing) => chunk.give_up_compacting(),
                Err(NotDone::Stopped) => return Ok(()),
                Err(NotDone::Failed(e)) if self.check_writable().is_err() => return Err(e),
                // Tried again when there is more to do.
                Err(NotDone::Failed(Error::NoSpace { .. })) => {
                    self.say(Level::Warning, &format!("chunk {}: there is no space to compact it", chunk.number));
                    return Ok(());
                }
                Err(NotDone::Failed(e)) => {
                    self.say(Level::Warning, &format!("chunk {} was not compacted: {e}", chunk.number));
                    chunk.give_up_compacting();
                }
            }
        }
    }

    /// The first chunk that is to be compacted without being asked for.
    fn next_worth_compacting(&self) -> Option<Arc<Chunk>> {
        if self.closing.load(Ordering::Acquire) || self.check_writable().is_err() {
            return None;
        }
        let view = lock(&self.view).clone();
        self.worth_compacting(&view).next().map(|(chunk, _)| Arc::clone(chunk))
    }

    /// The chunks that are to be compacted without being asked for, with the bytes of their logs.
    fn worth_compacting<'a>(&'a self, view: &'a View) -> impl Iterator<Item = (&'a Arc<Chunk>, u64)> {
        let sizes = &self.options.sizes;
        let newest = view.chunks.last_key_value().map(|(number, _)| *number);
        view.chunks.values().filter_map(move |chunk| {
            let (len, disorder, uncompressed) = chunk.disorder();
            // Most of the newest is to come yet; what is compressed of it would be done again and again.
            let (gain, share, least) = match newest == Some(chunk.number) {
                true => (disorder, 2, sizes.compact_newest_bytes),
                false => (disorder.max(uncompressed), 8, sizes.compact_bytes),
            };
            (gain >= least.max(1) && gain >= len / share).then_some((chunk, len))
        })
    }

    /// Bytes of logs that wait for being compacted.
    pub(super) fn backlog(&self, view: &View) -> u64 {
        self.worth_compacting(view).map(|(_, len)| len).fold(0, u64::saturating_add)
    }

    /// Compacts one chunk, for the one who holds the maintenance lock.
    fn compact_chunk(&self, chunk: &Arc<Chunk>, tell: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Compacted, NotDone> {
        if !chunk.is_compactable()? {
            return Err(NotDone::Nothing);
        }
        // Later events go to another log, and must not outlive those before them when the power goes. Most of what is to be synced for
        // that is by the time that appends have to wait for it.
        for _ in 0..MOST_SYNCS {
            if chunk.unsynced_len() <= LITTLE_UNSYNCED {
                break;
            }
            self.sync_up_to(self.visible_seq())?;
        }
        self.sync_folder()?;
        let sealed = {
            let mut guard = self.writer.lock();
            let writer = self.writer_of(&mut guard)?;
            if !self.is_in_view(chunk) {
                return Err(NotDone::Nothing);
            }
            self.sync_names(writer).map_err(|e| self.stop(e))?;
            chunk.seal().map_err(|e| self.stop(e))?.ok_or(NotDone::Nothing)?
        };
        let (mut stopped, mut deleted) = (false, false);
        let mut go_on = |events_done: u64| {
            stopped |= self.closing.load(Ordering::Acquire) || tell(events_done).is_break();
            // Its files stay as long as this reads them, and the disk may be full.
            deleted = chunk.is_doomed();
            if stopped || deleted { Err(Error::Closed { path: self.path().to_owned() }) } else { self.check_writable() }
        };
        let new = chunk.compact(&sealed, self.durable_seq(), &mut go_on).map_err(|e| self.stop_if_names_are_lost(e));
        let result = new.and_then(|new| self.switch(chunk, &new));
        // Only for what has been read of the logs.
        self.touch(chunk);
        match result {
            Ok(Some(new)) => {
                Ok(Compacted { chunks: 1, events: sealed.totals.count, bytes_before: sealed.len, bytes_after: new, stopped: false })
            }
            Ok(None) => {
                chunk.abandon(&sealed);
                Err(NotDone::Nothing)
            }
            Err(e) => {
                // What became of a switch that failed, only opening can tell.
                if self.stopped().is_none() {
                    chunk.abandon(&sealed);
                }
                Err(match (stopped, deleted) {
                    (true, _) => NotDone::Stopped,
                    (_, true) => NotDone::Nothing,
                    _ => NotDone::Failed(self.explain(chunk, e)),
                })
            }
        }
    }

    /// Makes the names of logs durable, if they are not, while appends go on.
    fn sync_folder(&self) -> Result<()> {
        let changes = self.writer_of(&mut self.writer.lock())?.unsynced_names();
        if let Some(changes) = changes {
            self.folder.sync().map_err(|e| self.stop(e))?;
            if let Some(writer) = self.writer.lock().as_mut() {
                writer.note_names_synced(changes);
            }
        }
        Ok(())
    }

    fn is_in_view(&self, chunk: &Arc<Chunk>) -> bool {
        lock(&self.view).chunks.get(&chunk.number).is_some_and(|other| Arc::ptr_eq(other, chunk))
    }

    /// Lets a new log take the place of those that it was made of; answers its length. `None` if the chunk was deleted meanwhile.
    fn switch(&self, chunk: &Arc<Chunk>, new: &LogSummary) -> Result<Option<u64>> {
        let (replaced, journal) = {
            let mut guard = self.writer.lock();
            let writer = self.writer_of(&mut guard)?;
            if !self.is_in_view(chunk) {
                return Ok(None);
            }
            writer.journal.reserve(1 + writer.open.len() + journal::SPARE)?;
            let record = self.record(Fact::Switch(*new), self.visible_seq());
            writer.journal.append(&[record]).map_err(|e| self.stop(e))?;
            (chunk.switch(new), writer.journal.unsynced())
        };
        if let Some(journal) = journal {
            journal.sync().map_err(|e| self.stop(e))?;
            if let Some(writer) = self.writer.lock().as_mut() {
                writer.journal.note_synced(&journal);
                self.shorten_journal(writer).map_err(|e| self.stop(e))?;
            }
        }
        // Readers of an earlier handle go on with the new log, and so it waits for them when it is deleted.
        for earlier in chunks::earlier_chunks(self, chunk.number) {
            earlier.take_compacted(new);
        }
        replaced.into_iter().for_each(|log| self.chunk_shared.remove_replaced(log));
        Ok(Some(new.len))
    }
}
