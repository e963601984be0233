//! Sorting late events into recon, beside those who append and read.
//!
//! ```text
//!   log    ──[late]──[late]──[late]──>        1. those in no run, once there are enough: a new run
//!                  v
//!   recon  run run run run run run run run    2. once there are as many as may be: the newest become one, slice by slice
//!                     └────────┴───────┘         [ store's thread ][ an append that waits ][ store's thread ]
//! ```
//!
//! One thread at a time sorts in a chunk: one of the store, or whoever appends, where there is none or too much has come in no run. It holds
//! no lock that appends or readers need (only of a log that nobody appends to, late events are sorted under the lock of its chunk). To merge
//! large runs takes long, and meanwhile appends can bring no more than what may be in no run; so an append that waits for the turn does
//! slices of what is merged.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use crate::disk::{Access, Folder};
use crate::error::Result;
use crate::options::{Level, Sizes};
use crate::threads::atomic::Ordering;
use crate::threads::{Condvar, Mutex, lock};

use super::log::LogId;
use super::recon::{PENDING_ENTRIES, Recon};
use super::runs::{Making, Pending, Source};
use super::{Chunk, Log, LogSummary, Shared};

/// Whose turn it is to sort, and what others can help with.
#[derive(Default)]
pub(super) struct Sorting {
    current: Mutex<Current>,
    changed: Condvar,
}

#[derive(Default)]
struct Current {
    /// Who wants it, in that order; the first has it.
    queue: VecDeque<u64>,
    next: u64,
    shared: Option<Arc<Making>>,
}

/// The turn of one thread to sort. Nobody else writes recon files of the chunk as long as it lasts. Taken before the state of the chunk.
pub(super) struct Turn<'a> {
    sorting: &'a Sorting,
    number: u64,
}

impl Sorting {
    /// Waits until nobody else sorts, and helps them meanwhile.
    pub(super) fn take_turn(&self) -> Turn<'_> {
        let mut current = lock(&self.current);
        let turn = Turn { sorting: self, number: current.next };
        current.next += 1;
        current.queue.push_back(turn.number);
        while current.queue.front() != Some(&turn.number) {
            match current.shared.clone().filter(|making| making.has_work()) {
                Some(making) => {
                    drop(current);
                    making.work();
                    drop(making);
                    current = lock(&self.current);
                }
                None => current = self.changed.wait(current).unwrap_or_else(PoisonError::into_inner),
            }
        }
        drop(current);
        turn
    }
}

impl Turn<'_> {
    /// Makes a run together with all who wait for the turn; answers the recon that then is.
    fn make(&self, making: Making) -> Result<Recon> {
        let making = Arc::new(making);
        lock(&self.sorting.current).shared = Some(Arc::clone(&making));
        self.sorting.changed.notify_all();
        making.work();
        making.finish()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut current = lock(&self.sorting.current);
        if current.queue.front() == Some(&self.number) {
            current.shared = None;
        }
        // Elsewhere than at the front if it panicked while it helped.
        current.queue.retain(|number| *number != self.number);
        self.sorting.changed.notify_all();
    }
}

/// Late events that no run holds, and the recon that the log has.
struct Unsorted {
    id: LogId,
    pending: Pending,
    recon: Option<Recon>,
}

/// The recon that holds them.
struct Sorted {
    id: LogId,
    recon: Recon,
    /// It takes the place of this one.
    place: Option<(u64, u64)>,
}

impl Unsorted {
    fn of(log: &mut Log, folder: &Folder) -> Result<Option<Unsorted>> {
        let LogSummary { id, instance, .. } = log.summary;
        let Some(index) = &mut log.index else { return Ok(None) };
        // What is appended meanwhile must not be described together with what is sorted.
        index.late.close_last();
        let file = match &log.file {
            Some(file) => file.clone(),
            None => folder.open(&id.log_name(), Access::Read)?,
        };
        let (late, covered, tail) = (index.late.clone(), index.covered, index.tail());
        let pending = Pending { log: Source { file, instance }, late, covered, tail };
        let recon = log.recon.clone();
        // It is the run's from here on, whatever becomes of that.
        log.recon.iter_mut().for_each(Recon::forget_room);
        Ok(Some(Unsorted { id, pending, recon }))
    }

    fn sort(self, shared: &Shared, turn: &Turn<'_>) -> Result<Sorted> {
        let Unsorted { id, pending, recon } = self;
        let place = recon.as_ref().map(Recon::place);
        let making = Making::begin(&shared.folder, id, recon, pending, &shared.sizes, &shared.sorting_memory)?;
        Ok(Sorted { id, recon: turn.make(making)?, place })
    }
}

impl Log {
    /// Whether late events are to be put into a run, and that has not failed lately.
    pub(super) fn is_due_for_sorting(&self, sizes: &Sizes) -> bool {
        self.has_much_pending(sizes) && self.pending >= self.absorb_after
    }

    /// Whether there are enough late events without a run for one.
    pub(super) fn has_much_pending(&self, sizes: &Sizes) -> bool {
        self.pending > sizes.pending_bytes || self.index.as_ref().is_some_and(|index| index.late.len() > PENDING_ENTRIES)
    }

    /// Whether there are so many that whoever appends must see to them, since nobody has come to it meanwhile.
    pub(super) fn has_too_much_pending(&self, sizes: &Sizes) -> bool {
        let entries = self.index.as_ref().map_or(0, |index| index.late.len());
        self.pending > sizes.pending_bytes.saturating_mul(2) || entries > 2 * PENDING_ENTRIES
    }

    /// Takes over the recon that holds what was unsorted.
    fn take_sorted(&mut self, sorted: Sorted, writes_index: bool) {
        let same = self.recon.as_ref().map(Recon::place) == sorted.place;
        // Nothing of it is known any more where it was unloaded meanwhile, and then it is read from the file. So it is where it was loaded
        // anew meanwhile, with an entry for frames that are in the run and others that are not.
        if self.index.as_ref().is_some_and(|index| index.describes_together(sorted.recon.covered())) {
            (self.index, self.recon) = (None, None);
        } else if let Some(index) = self.index.as_mut().filter(|_| same) {
            index.absorb_late_before(sorted.recon.covered(), writes_index);
            self.pending = index.late.bytes();
            self.recon = Some(sorted.recon);
        }
    }
}

impl Chunk {
    /// How many bytes of late events there are that [`Chunk::sort_late`] should see to.
    pub(crate) fn unsorted_len(&self) -> Option<u64> {
        let is_unsorted = self.unsorted.load(Ordering::Relaxed);
        is_unsorted.then(|| self.lock().logs.last().map_or(0, |log| log.pending))
    }

    /// Takes note that there is.
    pub(super) fn note_unsorted(&self) {
        if !self.unsorted.swap(true, Ordering::Relaxed) {
            self.shared.unsorted.store(true, Ordering::Release);
            self.shared.late_grew.store(true, Ordering::Relaxed);
        }
    }

    /// Puts late events of the log that is open for appending into a run, if there are enough of them. Nobody else is kept from appending
    /// and reading meanwhile, as long as there are not too many.
    pub(crate) fn sort_late(&self) {
        self.sort_in(&self.sorting.take_turn());
    }

    /// As [`Chunk::sort_late`], and gives back room for more; nobody must append meanwhile.
    pub(super) fn sort_at_last(&self) {
        let turn = self.sorting.take_turn();
        self.sort_in(&turn);
        let mut state = self.lock();
        let recons = state.logs.iter_mut().filter(|log| log.appendable).filter_map(|log| log.recon.as_mut());
        recons.for_each(Recon::give_room_back);
    }

    fn sort_in(&self, turn: &Turn<'_>) {
        self.unsorted.store(false, Ordering::Relaxed);
        let (id, unsorted, pending) = {
            let mut state = self.lock();
            let distrustful = state.distrustful;
            let due = state.logs.last_mut().filter(|log| log.appendable && log.is_due_for_sorting(&self.shared.sizes));
            let Some(log) = due else { return };
            log.absorb_after = 0;
            // It is not, where what is derived was not believed.
            let loaded = if log.index.is_none() { self.load(log, distrustful) } else { Ok(()) };
            (log.id(), loaded.and_then(|()| Unsorted::of(log, &self.shared.folder)), log.pending)
        };
        let sorted = match unsorted {
            Ok(None) => return,
            Ok(Some(unsorted)) => unsorted.sort(&self.shared, turn),
            Err(e) => Err(e),
        };
        let mut state = self.lock();
        match sorted {
            Ok(sorted) => {
                if let Some(log) = state.logs.iter_mut().find(|log| log.id() == sorted.id) {
                    log.take_sorted(sorted, self.shared.writes_index());
                    self.keep_index(log);
                }
                self.shared.late_grew.store(true, Ordering::Relaxed);
            }
            Err(e) => {
                // Events may go to another log by now.
                if let Some(log) = state.logs.iter_mut().find(|log| log.id() == id) {
                    log.absorb_after = pending.saturating_mul(2);
                    self.keep_index(log);
                }
                self.shared.say(Level::Warning, &format!("late events stay in the log for now: {e}"));
            }
        }
    }

    /// As [`Chunk::sort_late`] for a log that nobody appends to.
    pub(super) fn absorb(&self, log: &mut Log, turn: &Turn<'_>) -> Result<()> {
        if let Some(unsorted) = Unsorted::of(log, &self.shared.folder)? {
            log.take_sorted(unsorted.sort(&self.shared, turn)?, self.shared.writes_index());
            log.recon.iter_mut().for_each(Recon::give_room_back);
            self.shared.late_grew.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
