//! Appending: from a batch of events in any order to frames in the logs of its chunks.
//!
//! ```text
//!   batch ─> too large? ─> deleted times out ─> absent only? ─> seqs in order of arrival ─> sorted by (time, seq)
//!         ─> cut at chunk borders ─> in every chunk: log open, room set aside          nothing is changed up to here
//!         ─> journal: new active logs ─> frames, chunk by chunk, END in the last       a failure here poisons the writer
//!         ─> view: readers see it
//! ```
//!
//! One lock is held over all of that, so bytes appear in the order of seqs across all logs.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::disk::Lock;
use crate::efile::{self, Ahead, Chunk, FrameBuffer, LogSummary, Part};
use crate::error::{Error, Result};
use crate::event::{AsEvent, EventRef};
use crate::options::{Durability, Level};
use crate::order::{Order, Times};
use crate::planted::{self, Bug};
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::journal::{self, Fact, Journal, Record};
use super::{Core, absent};

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The last seq of the store, with this batch.
    pub last_seq: u64,
    /// Events that were stored.
    pub stored: u64,
    /// Events that were left out because they were there already, or twice in the batch.
    pub present: u64,
    /// Events that were left out because they lie before the time that [`Store::delete_before`](crate::Store::delete_before) was given.
    pub expired: u64,
}

/// What only the writer has.
pub(super) struct Writer {
    pub(super) journal: Journal,
    /// Given up when the store is closed, even if readers live on.
    pub(super) _lock: Box<dyn Lock>,
    /// The first seq that this writer could give out.
    pub(super) session_start: u64,
    /// The next seq to give out, and the first that must not be given out before more are reserved.
    pub(super) next_seq: u64,
    pub(super) seq_limit: u64,
    /// Chunks whose log is open for appending, the one used last at the back.
    pub(super) open: VecDeque<Arc<Chunk>>,
    /// Chunks of the batch in work that had to close their files for others; empty between batches.
    pub(super) parked: Vec<Arc<Chunk>>,
    /// How often files were made.
    pub(super) folder_changes: u64,
    /// So many of these changes are durable.
    pub(super) folder_synced: u64,
    pub(super) buffer: Buffer,
    /// When the oldest event that no sync covers was written, if there is one, by the monotonic clock.
    pub(super) dirty_since: Option<u64>,
    /// Events before this time are deleted, and those that are appended are left out: as in the view.
    pub(super) horizon: u64,
    pub(super) scratch: Scratch,
}

impl Writer {
    /// How often files were made, if not all of their names are durable.
    pub(super) fn unsynced_names(&self) -> Option<u64> {
        (self.folder_synced < self.folder_changes).then_some(self.folder_changes)
    }

    /// Takes note that the names of so many are.
    pub(super) fn note_names_synced(&mut self, changes: u64) {
        self.folder_synced = self.folder_synced.max(changes);
    }
}

/// Memory that appends use again.
#[derive(Default)]
pub(super) struct Scratch {
    frames: FrameBuffer,
    order: Order,
}

/// Logs that the journal must call active before they are written to, as they are.
type NewlyActive = Vec<(Arc<Chunk>, LogSummary)>;

/// The chunk that was written to last, if it takes all times from `low` to `high`.
fn last_open(open: &VecDeque<Arc<Chunk>>, low: u64, high: u64) -> Option<&Arc<Chunk>> {
    open.back().filter(|chunk| chunk.takes(low, high))
}

/// An event in the buffer: its data is `data[start..start + len]`.
struct Buffered {
    time: u64,
    seq: u64,
    start: usize,
    len: u32,
    id: u32,
}

/// Events of `BUFFERED` that the system does not have yet. They have their seqs.
pub(super) struct Buffer {
    events: Vec<Buffered>,
    data: Vec<u8>,
    times: Times,
    pub(super) since: Option<u64>,
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer { events: Vec::new(), data: Vec::new(), times: Times::NONE, since: None }
    }
}

impl Buffer {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    fn len(&self) -> usize {
        self.data.len() + self.events.len() * size_of::<Buffered>()
    }

    /// The newest time in it.
    pub(super) fn newest(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.times.high)
    }

    fn push(&mut self, event: EventRef<'_>, seq: u64) {
        let EventRef { time, id, data, .. } = event;
        // No event is longer: see `Options::max_event_len`.
        self.events.push(Buffered { time, seq, start: self.data.len(), len: data.len() as u32, id });
        self.data.extend_from_slice(data);
        self.times.see(time);
    }

    fn event(&self, buffered: &Buffered) -> EventRef<'_> {
        let &Buffered { time, seq, start, len, id } = buffered;
        EventRef { time, seq, id, data: self.data.get(start..start + len as usize).unwrap_or_default() }
    }

    /// Leaves out events before a time.
    pub(super) fn drop_before(&mut self, time: u64) {
        let kept = std::mem::take(self);
        for event in kept.events.iter().map(|buffered| kept.event(buffered)).filter(|event| event.time >= time) {
            self.push(event, event.seq);
        }
        self.since = kept.since.filter(|_| !self.is_empty());
    }

    fn clear(&mut self) {
        self.events.clear();
        self.data.clear();
        self.times = Times::NONE;
        self.since = None;
    }
}

/// Only events that are not there yet are to be appended.
#[derive(Clone, Copy, Default)]
pub(super) struct Absent {
    /// It is known that none of them is there with a seq up to this one.
    pub(super) since: u64,
    /// What damage may hide is not there. Otherwise it is an error.
    pub(super) or_damaged: bool,
}

impl Absent {
    /// As for what comes from another replica.
    pub(super) const OR_DAMAGED: Absent = Absent { since: 0, or_damaged: true };
}

impl Core {
    /// See [`Store::append`](crate::Store::append) and [`Store::append_absent`](crate::Store::append_absent).
    #[inline(always)]
    pub(super) fn append<E: AsEvent>(&self, events: &[E], absent: Option<Absent>) -> Result<Appended> {
        self.check_callable()?;
        let limit = self.options.max_event_len;
        let mut times = Times::NONE;
        for (index, event) in events.iter().map(AsEvent::as_event).enumerate() {
            if event.data.len() > limit as usize {
                return Err(Error::TooLarge { index, len: event.data.len(), limit });
            }
            times.see(event.time);
        }
        if events.is_empty() {
            self.check_writable()?;
            return Ok(Appended { last_seq: self.last_seq(), ..Appended::default() });
        }
        let appended = {
            let mut guard = self.writer.lock();
            let writer = self.writer_of(&mut guard)?;
            if absent.is_some() || times.low < writer.horizon {
                self.append_some(writer, events, times, absent)?
            } else {
                self.store(writer, events, times, self.options.durability == Durability::Buffered)?;
                Appended { last_seq: self.last_seq(), stored: events.len() as u64, ..Appended::default() }
            }
        };
        match self.options.durability {
            Durability::Power => self.sync_up_to(appended.last_seq).map_err(|cause| self.outcome_unknown(cause))?,
            Durability::Interval(_) | Durability::Buffered => self.background.wake(),
            Durability::Process => {}
        }
        Ok(appended)
    }

    /// What is behind the writer's lock, unless appending is refused.
    pub(super) fn writer_of<'a>(&self, guard: &'a mut Option<Writer>) -> Result<&'a mut Writer> {
        match guard {
            Some(writer) if self.stopped().is_none() => Ok(writer),
            _ => {
                self.check_writable()?;
                Err(Error::Closed { path: self.path().to_owned() })
            }
        }
    }

    /// Stores those events of a batch that are wanted: not deleted, and absent if only such are.
    fn append_some<E: AsEvent>(&self, writer: &mut Writer, events: &[E], mut times: Times, absent: Option<Absent>) -> Result<Appended> {
        let horizon = writer.horizon;
        let mut batch: Vec<EventRef<'_>> = events.iter().map(AsEvent::as_event).filter(|event| event.time >= horizon).collect();
        let expired = (events.len() - batch.len()) as u64;
        let mut present = 0;
        if let Some(absent) = absent {
            self.flush(writer)?;
            present = absent::retain_absent(self, &mut writer.scratch.order, &mut batch, times, absent)?;
        }
        if batch.len() < events.len() {
            times = Times::NONE;
            batch.iter().for_each(|event| times.see(event.time));
        }
        self.store(writer, &batch, times, self.options.durability == Durability::Buffered && absent.is_none())?;
        self.counters.present.fetch_add(present, Ordering::Relaxed);
        self.counters.expired.fetch_add(expired, Ordering::Relaxed);
        Ok(Appended { last_seq: self.last_seq(), stored: batch.len() as u64, present, expired })
    }

    /// Gives the events of a batch their seqs and stores them, in the buffer or in their logs.
    #[inline(always)]
    fn store<E: AsEvent>(&self, writer: &mut Writer, events: &[E], times: Times, buffered: bool) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let count = events.len() as u64;
        self.check_new_chunks(writer, times, events)?;
        if buffered {
            return self.store_in_buffer(writer, events);
        }
        self.reserve_seqs(writer, count)?;
        let first_seq = writer.next_seq;
        let last_seq = first_seq + count - 1;
        if let [event] = events {
            return self.write(writer, &[EventRef { seq: first_seq, ..event.as_event() }], last_seq);
        }
        let order = &mut writer.scratch.order;
        let batch = order.sort(events, times, |place, event| EventRef { seq: first_seq + place as u64, ..event.as_event() });
        self.write(writer, &batch, last_seq)
    }

    fn outcome_unknown(&self, cause: Error) -> Error {
        match cause {
            cause @ (Error::OutcomeUnknown { .. } | Error::Closed { .. }) => cause,
            cause => Error::OutcomeUnknown { path: self.path().to_owned(), cause: Box::new(cause) },
        }
    }

    /// Makes sure that `count` seqs may be given out.
    #[inline(always)]
    fn reserve_seqs(&self, writer: &mut Writer, count: u64) -> Result<()> {
        let end = writer.next_seq.checked_add(count).ok_or_else(|| Error::invalid("the store has no more seqs"))?;
        if end > writer.seq_limit {
            let limit = end.saturating_add(self.options.sizes.seq_reserve);
            let record = self.record(self.session(writer, limit), self.visible_seq());
            writer.journal.reserve(1 + writer.open.len() + journal::SPARE)?;
            writer.journal.append_durably(&[record]).map_err(|e| self.stop(e))?;
            writer.seq_limit = limit;
            lock(&self.view).seq_limit = limit;
        }
        Ok(())
    }

    /// Makes the names of all files durable, if they are not.
    pub(super) fn sync_names(&self, writer: &mut Writer) -> Result<()> {
        if let Some(changes) = writer.unsynced_names() {
            self.folder.sync()?;
            writer.note_names_synced(changes);
        }
        Ok(())
    }

    /// That seqs below a limit may be given out.
    fn session(&self, writer: &Writer, limit: u64) -> Fact {
        let buffers = self.options.durability == Durability::Buffered;
        Fact::Session { start: writer.session_start, limit, branch: self.branch(), buffers }
    }

    /// Refuses a batch that would make too many chunks.
    #[inline(always)]
    fn check_new_chunks<E: AsEvent>(&self, writer: &Writer, times: Times, events: &[E]) -> Result<()> {
        let limit = self.options.max_new_chunks;
        if last_open(&writer.open, times.low, times.high).is_some() {
            return Ok(());
        }
        let (low, high) = (self.settings.chunk_of(times.low), self.settings.chunk_of(times.high));
        if high - low.min(high) < limit as u64 {
            return Ok(());
        }
        let chunks = Arc::clone(&lock(&self.view).chunks);
        let numbers = events.iter().map(|event| self.settings.chunk_of(event.as_event().time));
        let mut new: Vec<u64> = numbers.filter(|number| !chunks.contains_key(number)).collect();
        new.sort_unstable();
        new.dedup();
        if new.len() > limit {
            return Err(Error::TooManyChunks { new: new.len(), limit });
        }
        Ok(())
    }

    fn store_in_buffer<E: AsEvent>(&self, writer: &mut Writer, events: &[E]) -> Result<()> {
        // A buffer that can't be flushed is kept, and takes no more.
        if writer.buffer.len() >= self.options.buffer_len {
            self.flush(writer)?;
        }
        self.reserve_seqs(writer, events.len() as u64)?;
        if writer.buffer.since.is_none() {
            writer.buffer.since = Some(self.options.clock.monotonic_ns());
        }
        for event in events {
            writer.buffer.push(event.as_event(), writer.next_seq);
            writer.next_seq += 1;
        }
        self.issued.store(writer.next_seq - 1, Ordering::Release);
        if writer.buffer.len() >= self.options.buffer_len {
            match self.flush(writer) {
                // They are in the buffer, which is what was promised; the next append hears of it if it lasts.
                Err(e @ (Error::NoSpace { .. } | Error::Io { .. } | Error::Permission { .. })) if self.stopped().is_none() => {
                    self.say(Level::Warning, &format!("the buffer can't be flushed for now: {e}"));
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Hands the buffer to the system. If that can't be begun the buffer stays as it is.
    pub(super) fn flush(&self, writer: &mut Writer) -> Result<()> {
        if writer.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut writer.buffer);
        let batch = writer.scratch.order.sort(&buffer.events, buffer.times, |_, buffered| buffer.event(buffered));
        let result = self.write(writer, &batch, writer.next_seq - 1);
        if result.is_ok() {
            buffer.clear();
        }
        writer.buffer = buffer;
        result
    }

    /// Flushes before something reads, if there is anything to flush.
    pub(super) fn flush_buffer(&self) -> Result<()> {
        if self.options.durability != Durability::Buffered || !self.chunk_shared.writable {
            return Ok(());
        }
        let mut guard = self.writer.lock();
        match guard.as_mut() {
            Some(writer) if writer.buffer.is_empty() => Ok(()),
            Some(writer) => self.check_writable().and_then(|()| self.flush(writer)),
            // Another thread has closed the store meanwhile, and may have failed to flush.
            None => Err(Error::Closed { path: self.path().to_owned() }),
        }
    }

    pub(super) fn record(&self, fact: Fact, committed: u64) -> Record {
        Record { fact, committed, durable: self.durable_seq() }
    }

    /// Writes a batch that has its seqs, up to `last_seq`, and is sorted by time; makes it visible.
    fn write(&self, writer: &mut Writer, batch: &[EventRef<'_>], last_seq: u64) -> Result<()> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return Ok(()) };
        if let Some(chunk) = last_open(&writer.open, first.time, last.time) {
            // The common case: all of the batch goes to the chunk that took the one before.
            if let [event] = batch {
                let written = chunk.write_one(event, self.durable_seq(), &mut writer.scratch.frames);
                if written.map_err(|e| self.stop_after_write(e))? {
                    self.finish(writer, &[], last_seq);
                    return Ok(());
                }
            }
            match chunk.prepare(batch, Ahead::Room).map_err(|e| self.stop_if_names_are_lost(e)) {
                Ok(prepared) if prepared.active => {
                    let part = Part { events: batch, batch: last_seq, durable: self.durable_seq(), end: true };
                    chunk.write(&part, &prepared, &mut writer.scratch.frames).map_err(|e| self.stop_after_write(e))?;
                    self.finish(writer, &[], last_seq);
                    return Ok(());
                }
                // More than that is to be done for it, perhaps to find room.
                Ok(_) | Err(Error::NoSpace { .. }) => {}
                Err(e) => {
                    let chunk = Arc::clone(chunk);
                    self.undo_prepare(writer, &[chunk]);
                    return Err(e);
                }
            }
        }
        let chunk_of = |event: &EventRef<'_>| self.settings.chunk_of(event.time);
        let parts: Vec<&[EventRef<'_>]> = batch.chunk_by(|a, b| chunk_of(a) == chunk_of(b)).collect();
        let known = Arc::clone(&lock(&self.view).chunks);
        let chunks: Vec<Arc<Chunk>> = parts
            .iter()
            .filter_map(|part| part.first())
            .map(|event| {
                let number = chunk_of(event);
                known.get(&number).cloned().unwrap_or_else(|| {
                    Arc::new(Chunk::new(number, self.settings.chunk_times(number), Arc::clone(&self.chunk_shared), Vec::new()))
                })
            })
            .collect();
        drop(known);
        self.write_parts(writer, &chunks, &parts, last_seq)
    }

    /// Writes each part of a batch to its chunk.
    fn write_parts(&self, writer: &mut Writer, chunks: &[Arc<Chunk>], parts: &[&[EventRef<'_>]], last_seq: u64) -> Result<()> {
        let newly_active = match self.prepare(writer, chunks, parts, Ahead::Room) {
            Err(Error::NoSpace { .. }) => {
                self.wake_retainer();
                writer.open.iter().for_each(|chunk| chunk.give_room_back());
                self.prepare(writer, chunks, parts, Ahead::Nothing)?
            }
            prepared => prepared?,
        };
        if let Err(e) = self.write_prepared(writer, chunks, parts, &newly_active, last_seq) {
            let visible = self.visible_seq();
            chunks.iter().for_each(|chunk| chunk.forget_after(visible));
            return Err(self.stop_after_write(e));
        }
        self.finish(writer, &newly_active, last_seq);
        self.retire_surplus(writer, last_seq)
    }

    /// What a failed write means: nobody knows what of it reached the logs.
    fn stop_after_write(&self, cause: Error) -> Error {
        if !planted::has(Bug::GoOnAfterFailedWrite) {
            self.poison(&cause);
        }
        self.outcome_unknown(cause)
    }

    /// Takes note of a batch that is written, and makes it visible. Chunks that are not in the view yet are among those whose log has just
    /// become active.
    fn finish(&self, writer: &mut Writer, newly_active: &[(Arc<Chunk>, LogSummary)], last_seq: u64) {
        writer.next_seq = last_seq + 1;
        if writer.dirty_since.is_none() {
            writer.dirty_since = Some(self.options.clock.monotonic_ns());
        }
        let mut is_new = false;
        let mut view = lock(&self.view);
        for (chunk, _) in newly_active {
            if !view.chunks.contains_key(&chunk.number) {
                Arc::make_mut(&mut view.chunks).insert(chunk.number, Arc::clone(chunk));
                is_new = true;
            }
            view.appended = view.appended.max(Some(chunk.number));
        }
        view.seq = last_seq;
        drop(view);
        self.issued.store(last_seq, Ordering::Release);
        self.followers.tell();
        // A chunk that was the newest may have become a past one.
        let flag = &self.chunk_shared.late_grew;
        if !newly_active.is_empty() || flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::Relaxed) {
            self.compactor.wake();
        }
        let flag = &self.chunk_shared.grew;
        if is_new || flag.load(Ordering::Relaxed) && flag.swap(false, Ordering::Relaxed) {
            self.wake_retainer();
        }
    }

    /// Opens a log with room in every chunk, and makes room in the journal; answers the logs that it has to call active. A failure changes
    /// nothing.
    fn prepare(&self, writer: &mut Writer, chunks: &[Arc<Chunk>], parts: &[&[EventRef<'_>]], ahead: Ahead) -> Result<NewlyActive> {
        let mut newly_active = Vec::new();
        let mut prepare = || -> Result<()> {
            for (chunk, part) in chunks.iter().zip(parts) {
                self.make_way(writer, chunk)?;
                if !chunk.prepare(part, ahead).map_err(|e| self.stop_if_names_are_lost(e))?.active {
                    newly_active.extend(chunk.open_log().map(|summary| (Arc::clone(chunk), summary)));
                }
            }
            writer.journal.reserve(newly_active.len() + writer.open.len() + writer.parked.len() + journal::SPARE)
        };
        if let Err(e) = prepare() {
            self.undo_prepare(writer, chunks);
            return Err(e);
        }
        Ok(newly_active)
    }

    /// After a failed [`Core::prepare`]: gives back the room, removes what is empty.
    fn undo_prepare(&self, writer: &mut Writer, chunks: &[Arc<Chunk>]) {
        for chunk in chunks.iter().filter(|chunk| !chunk.is_active()) {
            if let Err(e) = chunk.unprepare() {
                self.say(Level::Warning, &format!("room that was set aside could not be given back: {e}"));
            }
            // A log of it that is being compacted may be active still.
            if !chunk.has_active() {
                writer.open.retain(|other| !Arc::ptr_eq(other, chunk));
                writer.parked.retain(|other| !Arc::ptr_eq(other, chunk));
            }
        }
        // Active logs that had to close their files open them again when they are needed.
        for chunk in std::mem::take(&mut writer.parked) {
            writer.open.push_front(chunk);
        }
    }

    /// Puts a chunk at the back of those that are open, and closes the file of the one at the front if there are too many.
    fn make_way(&self, writer: &mut Writer, chunk: &Arc<Chunk>) -> Result<()> {
        if writer.open.back().is_some_and(|last| Arc::ptr_eq(last, chunk)) {
            return Ok(());
        }
        writer.open.retain(|other| !Arc::ptr_eq(other, chunk));
        writer.parked.retain(|other| !Arc::ptr_eq(other, chunk));
        while writer.open.len() >= self.options.max_open_logs {
            let Some(oldest) = writer.open.front() else { break };
            // A sync that fails stops the writer: what the system dropped can't be told.
            oldest.park().map_err(|e| self.stop(e))?;
            writer.parked.extend(writer.open.pop_front());
        }
        writer.open.push_back(Arc::clone(chunk));
        Ok(())
    }

    fn write_prepared(
        &self,
        writer: &mut Writer,
        chunks: &[Arc<Chunk>],
        parts: &[&[EventRef<'_>]],
        newly_active: &[(Arc<Chunk>, LogSummary)],
        last_seq: u64,
    ) -> Result<()> {
        if !newly_active.is_empty() {
            let committed = self.visible_seq();
            let records: Vec<Record> = newly_active.iter().map(|(_, summary)| self.record(Fact::Active(*summary), committed)).collect();
            writer.journal.append(&records)?;
            writer.folder_changes += 1;
            for (chunk, _) in newly_active {
                chunk.mark_active(committed);
            }
        }
        let durable = self.durable_seq();
        let mut left = parts.len();
        for (chunk, events) in chunks.iter().zip(parts) {
            left -= 1;
            self.make_way(writer, chunk)?;
            // Prepared a second time: the file may have had to close for those of other chunks.
            let prepared = chunk.prepare(events, Ahead::Nothing)?;
            chunk.write(&Part { events, batch: last_seq, durable, end: left == 0 }, &prepared, &mut writer.scratch.frames)?;
        }
        Ok(())
    }

    /// Retires logs beyond the limit of open ones. The batch is written by then; a failure stops the writer, but not this append.
    fn retire_surplus(&self, writer: &mut Writer, committed: u64) -> Result<()> {
        if writer.parked.is_empty() {
            return Ok(());
        }
        let mut retire = || -> Result<()> {
            let mut records = Vec::new();
            for chunk in std::mem::take(&mut writer.parked) {
                records.extend(chunk.retire()?.into_iter().map(|summary| self.record(Fact::Idle(summary), committed)));
            }
            // Idle means durable, and that includes the log's name.
            self.sync_names(writer)?;
            match writer.journal.reserve(records.len()) {
                // Then the journal goes on calling them active, which is true of what they were.
                Err(Error::NoSpace { .. }) => return Ok(()),
                other => other?,
            }
            // A sync of another thread failed meanwhile, so that those above may have succeeded for bytes that were lost.
            if self.stopped().is_some() {
                return Ok(());
            }
            writer.journal.append(&records)?;
            self.shorten_journal(writer)
        };
        if let Err(e) = retire() {
            self.poison(&e);
        }
        Ok(())
    }

    /// Writes the journal anew if it has become long.
    pub(super) fn shorten_journal(&self, writer: &mut Writer) -> Result<()> {
        let view = lock(&self.view).clone();
        if !writer.journal.is_long(view.chunks.len() as u64, self.options.sizes.journal_slack) {
            return Ok(());
        }
        let records = self.all_records(writer, view.seq);
        match writer.journal.rewrite(records) {
            // It can stay long until there is space.
            Err(Error::NoSpace { .. }) => Ok(()),
            other => other,
        }
    }

    /// Everything that the journal has to say.
    pub(super) fn all_records(&self, writer: &Writer, committed: u64) -> Vec<Record> {
        let view = lock(&self.view).clone();
        let mut facts = vec![self.session(writer, writer.seq_limit)];
        if view.horizon > 0 && !planted::has(Bug::ForgetHorizon) {
            let removed = if planted::has(Bug::ForgetRemoved) { 0 } else { view.removed };
            facts.push(Fact::Horizon { time: view.horizon, removed });
        }
        // Should this process end before its readers do, the files are found and removed by the next writer.
        facts.extend(efile::doomed(self.chunk_shared.store_folder()).into_iter().map(Fact::at_rest));
        let mut records: Vec<Record> = facts.into_iter().map(|fact| self.record(fact, committed)).collect();
        for (summary, noted) in view.chunks.values().flat_map(|chunk| chunk.facts()) {
            records.push(match noted {
                Some(noted) => self.record(Fact::Active(summary), noted),
                None => self.record(Fact::at_rest(summary), committed),
            });
        }
        records
    }
}
