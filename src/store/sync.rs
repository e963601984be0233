//! Making things durable, and closing.

use std::sync::Arc;

use crate::efile::{self, Chunk};
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::planted::{self, Bug};
use crate::threads::atomic::Ordering;
use crate::threads::{self, Mutex, Thread, lock};

use super::Core;
use super::journal::{self, Fact, Record};
use super::lockfile;
use super::writer::Writer;

/// An active log that has grown by this much since the journal heard of it is noted there anew, so that recovery has less to look at.
const CHECKPOINT_LEN: u64 = 64 << 20;

/// The turn to sync, which one thread has at a time. When it ends all that wait are woken, and those whose events are durable by then go on
/// without taking a lock. With a mutex they would go on one after the other, and each thread that came in between would sync for itself alone.
#[derive(Default)]
pub(super) struct Turn {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    taken: bool,
    waiting: Vec<Thread>,
}

impl Turn {
    /// Waits for the turn, unless what it is wanted for has happened meanwhile: then `None`.
    fn take_unless(&self, done: impl Fn() -> bool) -> Option<TurnGuard<'_>> {
        while !done() {
            let mut queue = lock(&self.queue);
            if !queue.taken {
                queue.taken = true;
                return Some(TurnGuard(self));
            }
            queue.waiting.push(threads::current());
            drop(queue);
            // May return early, or for a turn that this thread no longer waited for: it queues again then.
            threads::park();
        }
        None
    }

    fn take(&self) -> Option<TurnGuard<'_>> {
        self.take_unless(|| false)
    }
}

/// Ends the turn when it is dropped.
struct TurnGuard<'a>(&'a Turn);

impl Drop for TurnGuard<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = lock(&self.0.queue);
            queue.taken = false;
            std::mem::take(&mut queue.waiting)
        };
        waiting.iter().for_each(Thread::unpark);
    }
}

impl Core {
    /// See [`Store::sync`](crate::Store::sync).
    pub(super) fn sync(&self) -> Result<u64> {
        self.check_writable()?;
        self.folder.check_claim().map_err(|e| self.stop(e))?;
        self.flush_buffer()?;
        self.sync_up_to(self.visible_seq())?;
        Ok(self.durable_seq())
    }

    /// Makes everything up to `seq` durable. One thread at a time syncs; it does so for everything written by then, so that those who wait
    /// for their turn mostly find nothing left to do, and then all go on at once.
    pub(super) fn sync_up_to(&self, seq: u64) -> Result<()> {
        if self.durable_seq() >= seq {
            return Ok(());
        }
        let Some(_turn) = self.sync_turn.take_unless(|| self.durable_seq() >= seq) else { return Ok(()) };
        self.check_writable()?;
        self.folder.check_claim().map_err(|e| self.stop(e))?;
        self.let_others_append();
        let work = self.collect(self.writer_of(&mut self.writer.lock())?);
        if planted::has(Bug::DurableBeforeSync) {
            self.durable.fetch_max(work.seq, Ordering::AcqRel);
        }
        match self.carry_out(&work) {
            Err(e) if planted::has(Bug::GoOnAfterFailedSync) => return Err(e),
            result => result.map_err(|e| self.stop(e))?,
        }
        {
            // Appends sync too, when they close a log for another, and poison under this lock if that fails. Then the system has taken
            // bytes for written that it lost, and the syncs here may have succeeded only because of that.
            let mut guard = self.writer.lock();
            let writer = self.writer_of(&mut guard)?;
            writer.note_names_synced(work.folder.unwrap_or(0));
            if let Some(journal) = &work.journal {
                writer.journal.note_synced(journal);
            }
        }
        for (chunk, log) in &work.logs {
            chunk.note_synced(log);
        }
        self.durable.fetch_max(work.seq, Ordering::AcqRel);
        self.checkpoint(&work);
        Ok(())
    }

    /// Threads whose sync has just ended are about to append again. As long as each pause lets some of them do so, they are waited for: one
    /// sync for all takes as long as one for a single event.
    fn let_others_append(&self) {
        const MOST_PAUSES: usize = 64;
        let mut seen = self.visible_seq();
        for _ in 0..MOST_PAUSES {
            threads::yield_now();
            let now = self.visible_seq();
            if now == seen {
                return;
            }
            seen = now;
        }
    }

    /// What has to be synced for everything written so far to be durable. Until that is done, it stays noted as not durable: another thread
    /// may retire a log meanwhile.
    fn collect(&self, writer: &mut Writer) -> Work {
        writer.dirty_since = None;
        Work {
            seq: self.visible_seq(),
            logs: writer.open.iter().filter_map(|chunk| Some((Arc::clone(chunk), chunk.unsynced()?))).collect(),
            journal: writer.journal.unsynced(),
            folder: writer.unsynced_names(),
        }
    }

    fn carry_out(&self, work: &Work) -> Result<()> {
        for (_, log) in work.logs.iter().filter(|_| !planted::has(Bug::SkipLogSync)) {
            log.file.sync()?;
        }
        // Before the journal, which may say that a log is there for good.
        if work.folder.is_some() && !planted::has(Bug::SkipFolderSync) {
            self.folder.sync()?;
        }
        if let Some(journal) = work.journal.as_ref().filter(|_| !planted::has(Bug::SkipJournalSync)) {
            journal.sync()?;
        }
        Ok(())
    }

    /// Notes in the journal how far large active logs are durable. Only a help for recovery, so it may fail.
    fn checkpoint(&self, work: &Work) {
        let logs = work.logs.iter().map(|(_, log)| log);
        let due = logs.filter(|log| log.summary.len - log.noted_len.min(log.summary.len) >= CHECKPOINT_LEN);
        let records: Vec<Record> = due.map(|log| self.record(Fact::Active(log.summary), work.seq)).collect();
        if records.is_empty() {
            return;
        }
        if let Some(writer) = self.writer.lock().as_mut() {
            // A log that was retired meanwhile must not be called active again.
            let still = |record: &Record| match record.fact {
                Fact::Active(summary) => {
                    let chunk = writer.open.iter().find(|chunk| chunk.number == summary.id.chunk);
                    chunk.is_some_and(|chunk| chunk.note(&summary, work.seq))
                }
                _ => false,
            };
            let records: Vec<Record> = records.into_iter().filter(still).collect();
            if writer.journal.reserve(records.len() + writer.open.len() + journal::SPARE).is_ok()
                && let Err(e) = writer.journal.append(&records)
            {
                self.poison(&e);
            }
        }
    }

    /// Does what is due by time.
    pub(super) fn tick(&self) -> Result<()> {
        if !self.chunk_shared.writable {
            self.check_open()?;
            self.tell_of_news();
            return Ok(());
        }
        self.check_writable()?;
        let now = self.options.clock.monotonic_ns();
        let due = |since: Option<u64>, period: u64| since.is_some_and(|since| now.saturating_sub(since) >= period);
        match self.options.durability {
            Durability::Interval(period) => {
                let since = self.writer.lock().as_ref().and_then(|writer| writer.dirty_since);
                if due(since, period) {
                    self.sync_up_to(self.visible_seq())?;
                }
            }
            Durability::Buffered => {
                let since = self.writer.lock().as_ref().and_then(|writer| writer.buffer.since);
                if due(since, self.options.buffer_ns) {
                    self.flush_buffer()?;
                }
            }
            Durability::Process | Durability::Power => {}
        }
        if !self.options.background && self.retainer.take() {
            // Another time, if it fails now.
            self.retain_by_itself().inspect_err(|_| self.wake_retainer())?;
        }
        Ok(())
    }

    /// See [`Store::close`](crate::Store::close).
    pub(super) fn close(&self) -> Result<()> {
        // A forked child has no thread to stop, and must touch neither the lock nor the files of its parent.
        if self.forks != crate::disk::process::forks() {
            return Ok(());
        }
        self.check_callable()?;
        self.closing.store(true, Ordering::Release);
        self.background.stop();
        self.compactor.stop();
        self.retainer.stop();
        self.followers.end_watch();
        self.follower.stop();
        let _maintenance = lock(&self.maintenance);
        let _turn = self.sync_turn.take();
        let mut guard = self.writer.lock();
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let result = match guard.take() {
            None => Ok(()),
            Some(mut writer) => {
                let result = self.close_writer(&mut writer);
                if let Err(e) = &result {
                    self.poison(e);
                }
                result
            }
        };
        drop(guard);
        self.followers.tell_in_any_case();
        self.unload_all();
        result
    }

    fn close_writer(&self, writer: &mut Writer) -> Result<()> {
        if let Some(cause) = self.stopped() {
            return Err(Error::Poisoned { path: self.path().to_owned(), cause: cause.clone() });
        }
        let place = self.check_place();
        if self.folder.is_lost() {
            // Somebody else may have the same logs open, too.
            return place;
        }
        let flushed = self.flush(writer);
        place?;
        if let Some(cause) = self.stopped() {
            // What the logs hold is unknown, or what was to be done after the buffer was written failed: recovery has to look at them.
            return flushed.and(Err(Error::Poisoned { path: self.path().to_owned(), cause: cause.clone() }));
        }
        let committed = self.visible_seq();
        let mut records = Vec::new();
        let chunks: Vec<_> = writer.open.drain(..).chain(writer.parked.drain(..)).collect();
        for chunk in chunks {
            records.extend(chunk.retire()?.into_iter().map(|summary| self.record(Fact::Idle(summary), committed)));
        }
        self.sync_names(writer)?;
        // All logs are synced by now.
        self.durable.fetch_max(committed, Ordering::AcqRel);
        let close = self.record(Fact::Close { next_seq: writer.next_seq, branch: self.branch() }, committed);
        // Written anew, the journal states how many records it has, so that later no part of it can be missing unnoticed.
        let all: Vec<Record> = self.all_records(writer, committed).into_iter().chain([close]).collect();
        match writer.journal.rewrite(all) {
            Err(Error::NoSpace { .. }) if writer.journal.is_closed() => {}
            Err(Error::NoSpace { .. }) => {
                records.push(close);
                writer.journal.reserve(records.len())?;
                writer.journal.append_durably(&records)?;
            }
            other => other?,
        }
        if self.chunk_shared.files_left.load(Ordering::Relaxed) {
            // The next opening is to look at what is in the folder.
            lockfile::note(&self.folder, 0);
        }
        flushed
    }
}

struct Work {
    seq: u64,
    logs: Vec<(Arc<Chunk>, efile::Unsynced)>,
    journal: Option<journal::Unsynced>,
    /// The count of changes of the folder.
    folder: Option<u64>,
}
