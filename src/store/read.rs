//! Reading across chunks: one chunk after the other, since their times don't overlap, each by the ordered merge.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use crate::efile::Chunk;
use crate::efile::log::Salvage;
use crate::efile::read::{Batch, Gap, Merge, Scope};
use crate::error::{Error, Result};
use crate::event::{Event, Key};
use crate::threads::lock;

use super::Core;
use super::chunks::View;
use super::journal::{self, Facts};

/// How to read. The default is everything in the range, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    reverse: bool,
    last: bool,
    limit: Option<u64>,
    salvage: Option<Salvage>,
}

impl ReadOptions {
    /// Everything in the range, oldest first.
    pub fn new() -> ReadOptions {
        ReadOptions::default()
    }

    /// Newest first: exactly the reverse.
    pub fn reverse(mut self) -> ReadOptions {
        self.reverse = true;
        self
    }

    /// At most `events` events, counted from where reading starts: the oldest, or with [`reverse`](Self::reverse) the newest.
    pub fn limit(mut self, events: u64) -> ReadOptions {
        self.limit = Some(events);
        self.last = false;
        self
    }

    /// Goes on at damage instead of failing: leaves out damaged frames, gives every event outside of them, and tells by [`Reader::gaps`] what
    /// is missing. Also past what the system fails to read.
    pub fn salvage(mut self) -> ReadOptions {
        self.salvage = Some(Salvage::Failures);
        self
    }

    /// The same, but what the system fails to read stays a failure: for who would take what is missing for what was never there.
    pub(crate) fn whole(mut self) -> ReadOptions {
        self.salvage = Some(Salvage::Damage);
        self
    }

    /// Only the last `events` events of the range, in the order of reading: found from the end, without reading the rest.
    pub fn last(mut self, events: u64) -> ReadOptions {
        self.limit = Some(events);
        self.last = true;
        self
    }
}

/// Reads a snapshot of a store, in order.
///
/// As an [`Iterator`] it gives events that own their bytes; [`next_batch`](Reader::next_batch) lends many at once without copying. The two
/// may be mixed. A reader keeps what it needs of the store, so it may outlive the handle it came from. It can be sent to another
/// thread, but used by one at a time.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    merge: Merge,
    /// What is still to be given of the limit.
    left: u64,
    /// The error that ended it.
    failed: Option<Error>,
}

/// Where events come from: the chunks of a snapshot, in the order of reading.
struct Source {
    core: Arc<Core>,
    view: View,
    first: Key,
    last: Key,
    reverse: bool,
    /// The chunk that the merge is over.
    chunk: Option<Arc<Chunk>>,
    /// The last event that was given.
    given: Option<Key>,
    /// The chunk is read from behind this event, having been set up a second time.
    resumed_behind: Option<Key>,
    /// The merge is over what the logs alone say.
    distrustful: bool,
    /// Nothing to read at all.
    empty: bool,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("first", &self.first).field("last", &self.last).field("seq", &self.view.seq).finish_non_exhaustive()
    }
}

impl Source {
    /// All of a snapshot from one key to another, forwards.
    fn over(core: &Arc<Core>, view: View, first: Key, last: Key) -> Source {
        Source {
            core: Arc::clone(core),
            view,
            first,
            last,
            reverse: false,
            chunk: None,
            given: None,
            resumed_behind: None,
            distrustful: false,
            empty: false,
        }
    }

    fn scope(&self) -> Scope {
        let (mut first, mut last) = (self.first, self.last);
        match (self.resumed_behind, self.reverse) {
            (Some(Key { time, seq }), false) => first = first.max(Key::new(time, seq.saturating_add(1))),
            (Some(Key { time, seq }), true) => last = last.min(Key::new(time, seq.saturating_sub(1))),
            (None, _) => {}
        }
        Scope { first, last, seq: self.view.seq, reverse: self.reverse }
    }

    /// Sets the merge up for the next chunk in the order of reading; `false` if there is none.
    fn advance(&mut self, merge: &mut Merge) -> Result<bool> {
        let settings = &self.core.settings;
        let (low, high) = (settings.chunk_of(self.first.time), settings.chunk_of(self.last.time));
        let next = match (&self.chunk, self.reverse) {
            _ if self.empty => None,
            (None, false) => self.view.chunks.range(low..=high).next(),
            (None, true) => self.view.chunks.range(low..=high).next_back(),
            (Some(chunk), false) if chunk.number < high => {
                self.view.chunks.range((Bound::Excluded(chunk.number), Bound::Included(high))).next()
            }
            (Some(chunk), true) if chunk.number > low => self.view.chunks.range(low..chunk.number).next_back(),
            _ => None,
        };
        let Some(chunk) = next.map(|(_, chunk)| Arc::clone(chunk)) else { return Ok(false) };
        self.chunk = Some(Arc::clone(&chunk));
        self.resumed_behind = None;
        self.set_up(&chunk, merge)?;
        Ok(true)
    }

    fn set_up(&mut self, chunk: &Arc<Chunk>, merge: &mut Merge) -> Result<()> {
        loop {
            merge.reset(self.scope());
            // Asked before, so that at worst the merge is thought to be over copies when it is not.
            self.distrustful = chunk.is_distrustful();
            merge.set_from_logs(self.distrustful);
            match chunk.add_to(merge) {
                Ok(()) => break,
                Err(Error::Gone { path }) if self.core.renew(chunk, &path) => {}
                Err(e) => {
                    let e = self.core.explain(chunk, e);
                    if !(merge.takes_for_damage(&e) && self.distrustful && merge.salvages()) {
                        return Err(e);
                    }
                    merge.reset(self.scope());
                    merge.set_from_logs(true);
                    return chunk.add_what_can_be_read(merge);
                }
            }
        }
        self.core.touch(chunk);
        Ok(())
    }

    /// Whether setting the merge up anew, without what is derived from logs, may help against a failure.
    fn may_mend(&self, merge: &Merge, e: &Error) -> bool {
        let is_damage = if merge.salvages() { merge.takes_for_damage(e) } else { matches!(e, Error::Corrupt { .. }) };
        is_damage && !self.distrustful && !merge.failed_for_good()
    }

    /// After a failure: if only a copy may be damaged, sets the merge up again without copies, behind the last event given. Otherwise
    /// answers the failure.
    fn mend(&mut self, merge: &mut Merge, failure: Error) -> Result<()> {
        match self.chunk.clone() {
            Some(chunk) if self.may_mend(merge, &failure) => {
                chunk.distrust();
                self.resumed_behind = self.given;
                self.set_up(&chunk, merge)
            }
            _ => Err(failure),
        }
    }
}

impl Reader {
    pub(super) fn new(core: &Arc<Core>, range: Option<(u64, u64)>, options: ReadOptions) -> Result<Reader> {
        core.check_open()?;
        core.flush_buffer()?;
        core.catch_up()?;
        let view = lock(&core.view).clone();
        let (start, end) = range.unwrap_or((0, 0));
        let start = start.max(view.horizon);
        let (first, last) = (Key::new(start, 0), Key::new(end, u64::MAX));
        let empty = range.is_none() || start > end;
        let source = Source { reverse: options.reverse, empty, ..Source::over(core, view, first, last) };
        let mut merge = Merge::with_spare(source.scope(), &core.spare);
        if let Some(salvage) = options.salvage {
            merge.salvage(salvage);
        }
        let left = options.limit.unwrap_or(u64::MAX);
        let mut reader = Reader { source, merge, left, failed: None };
        if options.last && !options.reverse {
            reader.skip_to_last(left)?;
        }
        Ok(reader)
    }

    /// Events before this time are deleted in the snapshot.
    pub(crate) fn horizon(&self) -> u64 {
        self.source.view.horizon
    }

    /// Another reader of the same snapshot and range, at its start.
    pub(crate) fn again(&self) -> Result<Reader> {
        self.over(self.source.first, self.source.last)
    }

    /// A reader of the same snapshot, over the events of one time.
    pub(crate) fn at(&self, time: u64) -> Result<Reader> {
        self.over(Key::new(time, 0), Key::new(time, u64::MAX))
    }

    fn over(&self, first: Key, last: Key) -> Result<Reader> {
        let Source { core, view, empty, .. } = &self.source;
        core.check_callable()?;
        let source = Source { empty: *empty, ..Source::over(core, view.clone(), first, last) };
        let mut merge = Merge::new(source.scope());
        merge.salvage_like(&self.merge);
        Ok(Reader { source, merge, left: u64::MAX, failed: None })
    }

    /// Moves the start to the `count`-th event from the end.
    fn skip_to_last(&mut self, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.source.reverse = true;
        let mut found = None;
        let mut left = count;
        while left > 0 {
            let batch = self.source_batch(usize::try_from(left).unwrap_or(usize::MAX).min(4096))?;
            let (len, last) = (batch.len() as u64, batch.last_key());
            if len == 0 {
                break;
            }
            left -= len;
            found = last;
        }
        self.source.reverse = false;
        self.source.chunk = None;
        self.source.given = None;
        self.source.resumed_behind = None;
        match found {
            Some(key) => self.source.first = key,
            None => self.source.empty = true,
        }
        self.merge.reset(self.source.scope());
        Ok(())
    }

    /// The last seq of the snapshot: the reader shows all events up to it and none after it.
    pub fn snapshot_seq(&self) -> u64 {
        self.source.view.seq
    }

    /// What a reader that salvages ([`ReadOptions::salvage`]) has left out so far; nothing for others. All of it is known at the end.
    pub fn gaps(&self) -> &[Gap] {
        self.merge.gaps()
    }

    /// Lends the next events of the range, at most `max`. None at all means the end (or that `max` is 0); fewer than `max` means nothing.
    ///
    /// At damage, the whole events before it come first and the error with the next call, and with every call after it.
    pub fn next_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.source.core.check_callable()?;
        let max = max.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if let Some(e) = &self.failed {
            return Err(e.again());
        }
        if max == 0 {
            return Ok(Batch::EMPTY);
        }
        // The borrow checker can't see that a failed call lends nothing, hence the two steps.
        match self.plan(max) {
            Ok(len) => self.left -= len as u64,
            Err(e) => {
                self.failed = Some(e.again());
                return Err(e);
            }
        }
        Ok(self.merge.planned())
    }

    fn source_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.plan(max)?;
        Ok(self.merge.planned())
    }

    /// Plans a batch, from the next chunks if need be; answers its length.
    fn plan(&mut self, max: usize) -> Result<usize> {
        loop {
            let planned = match self.source.chunk {
                Some(_) => self.merge.plan(max),
                None => Ok(0),
            };
            let failure = match planned {
                Ok(0) => match self.source.advance(&mut self.merge) {
                    Ok(true) => continue,
                    Ok(false) => return Ok(0),
                    Err(e) => e,
                },
                Ok(len) => {
                    self.source.given = self.merge.planned().last_key();
                    return Ok(len);
                }
                Err(e) => e,
            };
            self.source.mend(&mut self.merge, failure)?;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // In a forked child a thread that is not there may hold the lock.
        if self.source.core.check_callable().is_ok() {
            self.merge.give_back(&self.source.core.spare);
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Event>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Result<Event>> {
        if self.failed.is_some() {
            return None;
        }
        match self.next_batch(1) {
            Ok(batch) => batch.iter().next().map(|event| Ok(event.to_event())),
            Err(e) => Some(Err(e)),
        }
    }
}

impl std::iter::FusedIterator for Reader {}

impl Core {
    /// After a log was found missing: lets the chunk know of compacted logs that have taken the place of some of its own, where another
    /// process made them, or a later handle of this one. Whether reading the chunk again may go better.
    fn renew(&self, chunk: &Chunk, missing: &Path) -> bool {
        let Ok(reading) = journal::read(&self.folder, self.settings.store) else { return false };
        let compacted = reading.facts.logs.values().map(|(summary, ..)| summary).filter(|log| log.id.chunk == chunk.number);
        chunk.take_over(compacted.filter(|log| log.is_compacted()), missing)
    }

    /// Calls `read`; once more if it met damage that may be in a derived file only, or a log that was compacted meanwhile.
    pub(super) fn read_chunk<T>(&self, chunk: &Chunk, mut read: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            match chunk.mending(&mut read) {
                Err(Error::Gone { path }) if self.renew(chunk, &path) => {}
                other => return other.map_err(|e| self.explain(chunk, e)),
            }
        }
    }

    /// Says why a log of a chunk is not there: deleted by another process, which the journal then tells, or lost.
    pub(super) fn explain(&self, chunk: &Chunk, e: Error) -> Error {
        let Error::Gone { path } = e else { return e };
        if self.folder.is_lost() {
            return Error::Gone { path };
        }
        let facts = journal::read(&self.folder, self.settings.store).map(|reading| reading.facts);
        let known = |facts: &Facts| facts.logs.keys().any(|id| id.chunk == chunk.number);
        match facts {
            Ok(facts) if self.settings.chunk_end(chunk.number) >= facts.horizon && known(&facts) => {
                Error::corrupt(&path, 0, "the log is missing")
            }
            _ => Error::Gone { path },
        }
    }

    /// See [`Store::count`](crate::Store::count).
    pub(super) fn count(&self, range: Option<(u64, u64)>) -> Result<u64> {
        self.count_by(range, |chunk, first, last, seq| self.read_chunk(chunk, || chunk.count(first, last, seq)))
    }

    /// About how many events a range has: exactly so where nothing is damaged, and no error where something is.
    pub(super) fn count_about(&self, range: Option<(u64, u64)>) -> Result<u64> {
        self.count_by(range, |chunk, first, last, seq| match self.read_chunk(chunk, || chunk.count_about(first, last, seq)) {
            Err(e) if e.is_damage() => Ok(chunk.totals().count),
            counted => counted,
        })
    }

    fn count_by(&self, range: Option<(u64, u64)>, count: impl Fn(&Chunk, Key, Key, u64) -> Result<u64>) -> Result<u64> {
        self.check_open()?;
        self.flush_buffer()?;
        self.catch_up()?;
        let view = lock(&self.view).clone();
        let Some((start, end)) = range else { return Ok(0) };
        let start = start.max(view.horizon);
        if start > end {
            return Ok(0);
        }
        let (first, last) = (Key::new(start, 0), Key::new(end, u64::MAX));
        let mut sum = 0;
        for chunk in view.chunks.range(self.settings.chunk_of(start)..=self.settings.chunk_of(end)).map(|(_, chunk)| chunk) {
            sum = u64::saturating_add(sum, count(chunk, first, last, view.seq)?);
            if chunk.is_loaded() {
                self.touch(chunk);
            }
        }
        Ok(sum)
    }
}
