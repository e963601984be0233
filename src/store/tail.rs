//! Tailing: events in order of arrival from a cursor on, and then those that come.
//!
//! ```text
//!   cursor: the last seq that was handled
//!      │
//!      v
//!   window of the next events by seq, out of all chunks       efile::arrivals
//!      │ nothing more
//!      v
//!   wait: told when something becomes visible                 followers
//! ```
//!
//! A tail has no snapshot: it sees whatever becomes visible, wherever it was put since. Its cursor is a seq and nothing else, so it outlives
//! the process and whatever becomes of the files.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::efile::arrivals::{Filling, Near, Places, Window};
use crate::error::{Error, Result};
use crate::event::EventRef;
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::Core;
use super::chunks::View;
use super::followers::Waiter;
use super::lockfile;

/// Gives the events of a store in order of arrival, beginning behind a cursor, and goes on with those that come: late ones too, as they
/// arrive. See [`Store::tail`](crate::Store::tail).
///
/// It can be sent to another thread, but used by one at a time. It keeps what it needs of the store; once that is closed it gives what
/// there is, and then [`Error::Closed`].
pub struct Tail {
    core: Arc<Core>,
    waiter: Arc<Waiter>,
    /// The last seq that was given.
    last: u64,
    /// There is nothing more up to this seq but what the window holds.
    searched: u64,
    window: Window,
    /// So many events of it were given.
    given: usize,
    places: Places,
    /// That events before it were deleted has been told.
    told_horizon: u64,
    gap: bool,
}

/// What a tail answers.
#[derive(Clone, Debug)]
pub enum Tailed<'a> {
    /// The next events.
    Events(TailBatch<'a>),
    /// Events were deleted before they were given. Told once for each time that the horizon was moved over some.
    Gap,
    /// Nothing for now.
    Nothing,
}

/// Events that a [`Tail`] lends, in order of arrival.
#[derive(Clone, Copy, Debug)]
pub struct TailBatch<'a> {
    window: &'a Window,
    from: usize,
    to: usize,
}

impl<'a> TailBatch<'a> {
    /// How many events it holds: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.to - self.from
    }

    /// The events.
    pub fn iter(&self) -> impl Iterator<Item = EventRef<'a>> + Clone + use<'a> {
        self.window.events(self.from, self.to)
    }
}

impl Core {
    /// Whether no event can have had a seq yet, nor one that was lost with power.
    fn is_of_the_future(&self, seq: u64) -> Result<bool> {
        let is_beyond = |start: fn(&View) -> u64| {
            let view = lock(&self.view);
            seq > view.seq && seq >= start(&view)
        };
        if is_beyond(|view| view.seq_limit) {
            return Ok(true);
        }
        if !is_beyond(|view| view.session_start) {
            return Ok(false);
        }
        // Of a session that goes on nothing is lost. One that ended without a close may have had more than there is, and so may the logs of a
        // writer that has stopped.
        if self.chunk_shared.writable {
            return Ok(self.stopped().is_none());
        }
        if !lockfile::is_held(&self.folder) {
            return Ok(false);
        }
        // It may have begun just now.
        self.catch_up()?;
        Ok(is_beyond(|view| view.session_start))
    }
}

impl Tail {
    pub(super) fn new(core: &Arc<Core>, after: u64) -> Result<Tail> {
        core.check_open()?;
        core.flush_buffer()?;
        core.catch_up()?;
        if core.is_of_the_future(after)? {
            return Err(Error::invalid(format!("{}: no event has got the seq {after} yet", core.path().display())));
        }
        Ok(Tail {
            core: Arc::clone(core),
            waiter: core.followers.add(),
            last: after,
            searched: after,
            window: Window::default(),
            given: 0,
            places: Places::default(),
            told_horizon: 0,
            gap: false,
        })
    }

    /// The last seq that it gave: where to go on another time. At first the one that it was made with; and once it has told of a gap, or
    /// that there is nothing more, a larger one if nothing lies between.
    pub fn last_seq(&self) -> u64 {
        self.last
    }

    /// Lends the next events, at most `max`, without waiting for any.
    ///
    /// Errors: [`Error::Closed`] once nothing is left of a store that was closed, [`Error::Gone`] if it was destroyed, [`Error::Corrupt`]
    /// at damage.
    pub fn next_batch(&mut self, max: usize) -> Result<Tailed<'_>> {
        self.core.check_callable()?;
        if max == 0 {
            return Ok(Tailed::Nothing);
        }
        let is_something = self.fill_or_be_told()?;
        let is_gap = std::mem::take(&mut self.gap);
        if !is_something || is_gap {
            if self.given >= self.window.len() {
                self.last = self.last.max(self.searched);
            }
            return Ok(if is_gap { Tailed::Gap } else { Tailed::Nothing });
        }
        let from = self.given;
        self.given = self.window.len().min(from.saturating_add(max));
        let batch = TailBatch { window: &self.window, from, to: self.given };
        self.last = batch.iter().last().map_or(self.last, |event| event.seq);
        Ok(Tailed::Events(batch))
    }

    /// Waits until there is something to give, but no longer than the timeout, without one for ever. Whether there is.
    ///
    /// Errors: as [`next_batch`](Tail::next_batch).
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool> {
        let clock = Arc::clone(&self.core.options.clock);
        let began = clock.monotonic_ns();
        loop {
            self.core.check_callable()?;
            if self.has_something()? {
                return Ok(true);
            }
            let waited = Duration::from_nanos(clock.monotonic_ns().saturating_sub(began));
            let left = timeout.map(|timeout| timeout.saturating_sub(waited));
            if left == Some(Duration::ZERO) {
                return self.fill_or_be_told();
            }
            self.waiter.forget();
            let most = self.core.arm().unwrap_or(Duration::MAX);
            // Whatever came before is seen now, and of what comes later it is told.
            if self.has_something()? {
                return Ok(true);
            }
            self.waiter.sleep(left.unwrap_or(Duration::MAX).min(most));
        }
    }

    /// A descriptor for event loops: it becomes readable when there is something to give, and stays so until [`next_batch`](Tail::next_batch)
    /// or [`wait`](Tail::wait) answer that there is nothing, or longer. Only to be polled, and only as long as the tail lives; the same each time.
    ///
    /// A handle that was opened for reading only with [`Options::background`](crate::Options::background) off finds out in `tick`.
    ///
    /// Errors: [`Error::Io`] if the process has no descriptor left.
    pub fn fd(&self) -> Result<BorrowedFd<'_>> {
        self.core.check_callable()?;
        self.core.descriptor_of(&self.waiter)
    }

    /// As [`Tail::has_something`]; if not, the bell is silent and rings when there is.
    fn fill_or_be_told(&mut self) -> Result<bool> {
        if self.has_something()? {
            return Ok(true);
        }
        let waiter = Arc::clone(&self.waiter);
        let Some(bell) = waiter.bell() else { return Ok(false) };
        bell.silence();
        self.core.arm();
        let found = self.has_something();
        if !matches!(found, Ok(false)) {
            bell.ring();
        }
        found
    }

    /// Whether there is something to give: a gap, or events.
    fn has_something(&mut self) -> Result<bool> {
        Ok(self.fill()? || self.gap)
    }

    /// Sees to it that there are events to give, if there are any; a gap comes before them.
    fn fill(&mut self) -> Result<bool> {
        while self.given >= self.window.len() {
            // Asked first, so that nothing is missed which came before the closing.
            let is_closed = self.core.closed.load(Ordering::Acquire);
            if !is_closed {
                self.core.catch_up()?;
            }
            let view = lock(&self.core.view).clone();
            if view.removed > self.searched {
                self.miss(view.horizon);
            }
            if self.searched >= view.seq {
                return if is_closed && !self.gap { Err(Error::Closed { path: self.core.path().to_owned() }) } else { Ok(false) };
            }
            self.window = match self.search(&view) {
                // A log went between the look at the store and the one at the log.
                Err(Error::Gone { .. }) if !is_closed && self.core.has_deleted_since(&view)? => continue,
                window => window?,
            };
            self.given = 0;
            self.searched = self.window.through();
            if self.window.has_deleted() {
                self.miss(view.horizon);
            }
        }
        Ok(true)
    }

    /// Events were deleted before they were given: a gap, unless it was told of that horizon.
    fn miss(&mut self, horizon: u64) {
        self.gap |= horizon > self.told_horizon;
        self.told_horizon = self.told_horizon.max(horizon);
    }

    fn search(&mut self, view: &View) -> Result<Window> {
        let before = std::mem::take(&mut self.window);
        let near = self.places.nearest(view.chunks.values(), self.searched);
        let room = self.core.options.sizes.window_bytes;
        let mut filling = Filling::new(&mut self.places, before, self.searched, view.seq, view.horizon, room);
        for Near { chunk, low } in near {
            if filling.is_before(low) {
                break;
            }
            // One after the other: there may be more of them than the process may open.
            for log in self.core.read_chunk(chunk, || chunk.arrivals(self.searched))? {
                filling.take(&log)?;
            }
            self.core.touch(chunk);
        }
        Ok(filling.finish())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // In a forked child a thread that is not there may hold the lock.
        if self.core.check_callable().is_ok() {
            self.core.followers.remove(&self.waiter);
        }
    }
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("path", &self.core.path()).field("last", &self.last).finish_non_exhaustive()
    }
}
