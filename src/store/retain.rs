//! Retention: chunks that are too old, or too much, go without being asked for.
//!
//! ```text
//!              oldest                                                        live            one event of 2554
//!   chunks     19640   19641   19642   19643  ...             19674   19675   19676              213503
//!   by age     ├── all events older ──┤
//!   by size    ├── as long as all take more bytes ──┤
//!   never                                                             from here on
//! ```
//!
//! What goes is a run of whole chunks from the oldest on, and it goes as by `delete_before` with the end of that run: the horizon is durable
//! first, then the files go, so a crash leaves what a crash in `delete_before` leaves. It takes the locks of that, and none for long: a
//! compaction may be at work, and gives up a chunk that is gone.
//!
//! *The present* is the newest time that two events have reached, and by age no later than the clock's, as far as that is believed. It is
//! found from what is known of each chunk without looking at its files, and taken for earlier where that is not exact. Kept in any case are
//! the chunk of the present, the newest one that this handle has appended to, the newest of all, and all behind one of these.

use std::sync::Arc;

use crate::disk::Clock;
use crate::duration;
use crate::efile::Chunk;
use crate::error::{Error, Result};
use crate::event::Key;
use crate::options::{Durability, Level};
use crate::planted::{self, Bug};
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::Core;
use super::chunks::View;

/// What [`Store::retain`](crate::Store::retain) is to do. The default is to apply the limits of the store's options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetainOptions {
    max_age: u64,
    max_bytes: u64,
    dry_run: bool,
}

impl RetainOptions {
    /// Applies the limits of the store's options.
    pub fn new() -> RetainOptions {
        RetainOptions::default()
    }

    /// Another greatest age for this once, in nanoseconds; see [`Options::max_age`](crate::Options::max_age). 0: that of the options.
    pub fn max_age(mut self, nanoseconds: u64) -> RetainOptions {
        self.max_age = nanoseconds;
        self
    }

    /// Another greatest size for this once; see [`Options::max_bytes`](crate::Options::max_bytes). 0: that of the options.
    pub fn max_bytes(mut self, bytes: u64) -> RetainOptions {
        self.max_bytes = bytes;
        self
    }

    /// Removes nothing, and answers what would be removed.
    pub fn dry_run(mut self) -> RetainOptions {
        self.dry_run = true;
        self
    }
}

/// What retention has removed, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// Everything before this time is gone: the horizon, which stays where it was if no chunk goes.
    pub horizon: u64,
    /// Chunks that went.
    pub chunks: u64,
    /// Events in them that were not deleted before.
    pub events: u64,
    /// Bytes on disk that they took, as [`Stats::chunk_bytes`](crate::Stats::chunk_bytes) counts.
    pub bytes: u64,
}

/// The wall clock, as far as it is believed. One that jumps ahead while the store is open, and by which events may be stamped then, would
/// make everything old at once. So it is not, until it has stayed so for a while: a jump may also be what sets a wrong clock right.
#[derive(Debug)]
pub(super) struct Present {
    /// What both clocks said when the wall clock was last found where it could be expected, or was believed.
    wall: u64,
    monotonic: u64,
    /// When it was first found ahead of that, by the monotonic clock.
    ahead_since: Option<u64>,
}

/// Clocks go differently, and are set by as much without being wrong.
const LITTLE: u64 = 60_000_000_000;
/// The wall clock is believed after a day in any case.
const PATIENCE: u64 = 86_400_000_000_000;

impl Present {
    pub(super) fn new(clock: &dyn Clock) -> Present {
        Present { wall: clock.wall_ns(), monotonic: clock.monotonic_ns(), ahead_since: None }
    }

    /// What time it is by these clocks, given that nothing can be wrong with the wall clock for longer than `patience`.
    fn now(&mut self, wall: u64, monotonic: u64, patience: u64) -> u64 {
        let expected = self.wall.saturating_add(monotonic.saturating_sub(self.monotonic));
        if wall <= expected.saturating_add(LITTLE) {
            self.ahead_since = None;
            // One that was set back may be set right again.
            if wall > expected {
                (self.wall, self.monotonic) = (wall, monotonic);
            }
            return wall;
        }
        let since = *self.ahead_since.get_or_insert(monotonic);
        if monotonic.saturating_sub(since) < patience {
            return expected;
        }
        *self = Present { wall, monotonic, ahead_since: None };
        wall
    }
}

/// The limits that are to be applied; 0 for none.
#[derive(Clone, Copy)]
struct Limits {
    max_age: u64,
    max_bytes: u64,
}

/// The chunks that are to go: all before a number.
#[derive(Clone, Copy)]
struct Plan {
    keep_from: u64,
    retained: Retained,
    /// So many of them because of their age, the others because of the size of all.
    too_old: u64,
}

impl Core {
    /// Has the limits applied in a while, if there are any. Costs one load if that is to happen already.
    pub(super) fn wake_retainer(&self) {
        if self.options.retains() && self.chunk_shared.writable {
            self.retainer.wake();
        }
    }

    /// What the thread for it does once it is woken.
    pub(super) fn retain_by_itself(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) || self.check_writable().is_err() {
            return Ok(());
        }
        match self.retain(RetainOptions::new()) {
            // Closed meanwhile.
            Err(Error::Closed { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// See [`Store::retain`](crate::Store::retain).
    pub(super) fn retain(&self, options: RetainOptions) -> Result<Retained> {
        self.check_writable()?;
        let or = |asked: u64, set: u64| if asked > 0 { asked } else { set };
        let limits =
            Limits { max_age: or(options.max_age, self.options.max_age), max_bytes: or(options.max_bytes, self.options.max_bytes) };
        match self.flush_buffer() {
            // What can't be flushed now counts by its times only.
            Err(Error::NoSpace { .. }) if self.stopped().is_none() => {}
            other => other?,
        }
        loop {
            // Without the lock of those who append, who need not wait where nothing is to go.
            let view = lock(&self.view).clone();
            let Some(plan) = self.plan(&view, self.buffered_chunk(), limits) else {
                return Ok(Retained { horizon: view.horizon, ..Retained::default() });
            };
            let deleted = self.deleted_in_part(&view, &plan);
            if options.dry_run {
                return Ok(plan.without(deleted));
            }
            let mut guard = self.writer.lock();
            let writer = self.writer_of(&mut guard)?;
            if writer.horizon != view.horizon {
                continue;
            }
            // Nothing is appended any more, and more may have to be kept by now.
            let view = lock(&self.view).clone();
            let buffered = writer.buffer.newest().map(|time| self.settings.chunk_of(time));
            let Some(plan) = self.plan(&view, buffered, limits) else { continue };
            let gone = self.move_horizon(writer, plan.retained.horizon)?;
            drop(guard);
            self.let_go(&gone);
            let retained = plan.without(deleted);
            self.counters.removed_chunks.fetch_add(retained.chunks, Ordering::Relaxed);
            self.say(Level::Info, &plan.message(&retained, limits));
            return Ok(retained);
        }
    }

    /// The newest chunk of what is in the buffer.
    fn buffered_chunk(&self) -> Option<u64> {
        if self.options.durability != Durability::Buffered {
            return None;
        }
        let newest = self.writer.lock().as_ref().and_then(|writer| writer.buffer.newest());
        newest.map(|time| self.settings.chunk_of(time))
    }

    /// What is to go; `None` if nothing is.
    fn plan(&self, view: &View, buffered: Option<u64>, limits: Limits) -> Option<Plan> {
        let chunks = &view.chunks;
        let (newest, _) = chunks.last_key_value()?;
        let reached = reached_by_two(view)?;
        let clock = self.options.clock.wall_ns();
        let appended = view.appended.max(buffered).unwrap_or(u64::MAX);
        let mut live = self.settings.chunk_of(reached).min(appended).min(*newest);
        if planted::has(Bug::RetainNoLiveChunk) {
            live = u64::MAX;
        }
        // A clock that lies in the past by mistake keeps what is there from then on, and one that lies elsewhere makes no difference.
        let present = self.settings.chunk_of(clock);
        let live_by_clock = if chunks.contains_key(&present) { live.min(present) } else { live };
        let patience = if limits.max_age == 0 { PATIENCE } else { limits.max_age.min(PATIENCE) };
        let believed = lock(&self.present).now(clock, self.options.clock.monotonic_ns(), patience);
        let now = if planted::has(Bug::AgeByClockAlone) { clock } else { reached.min(believed) };
        let young = if limits.max_age == 0 { 0 } else { self.settings.chunk_of(now.saturating_sub(limits.max_age)) };

        let (max_bytes, mut bytes) = match limits.max_bytes {
            0 => (u64::MAX, 0),
            most => (most, chunks.values().map(|chunk| chunk.bytes()).fold(0, u64::saturating_add)),
        };
        let mut plan = Plan { keep_from: 0, retained: Retained::default(), too_old: 0 };
        for (&number, chunk) in chunks.range(..live) {
            let is_too_old = number < young;
            if !is_too_old && (bytes <= max_bytes || number >= live_by_clock) {
                break;
            }
            let of_chunk = chunk.bytes();
            bytes = bytes.saturating_sub(of_chunk);
            plan.keep_from = number.saturating_add(1);
            plan.too_old += u64::from(is_too_old);
            let Retained { chunks, events, bytes, .. } = &mut plan.retained;
            *chunks += 1;
            *events = events.saturating_add(chunk.totals().count);
            *bytes = bytes.saturating_add(of_chunk);
        }
        plan.retained.horizon = self.settings.chunk_start(plan.keep_from);
        (plan.retained.chunks > 0).then_some(plan)
    }

    /// Events of the chunks that are to go which were deleted before: those of the one in which the horizon lies. Where that can't be read
    /// they are not told apart.
    fn deleted_in_part(&self, view: &View, plan: &Plan) -> u64 {
        let number = self.settings.chunk_of(view.horizon);
        let cut: Option<&Arc<Chunk>> = view.chunks.get(&number).filter(|_| number < plan.keep_from);
        let Some(chunk) = cut.filter(|_| self.settings.chunk_start(number) < view.horizon) else { return 0 };
        let all = chunk.totals().count;
        let left = self.read_chunk(chunk, || chunk.count(Key::new(view.horizon, 0), Key::MAX, u64::MAX));
        if chunk.is_loaded() {
            self.touch(chunk);
        }
        all.saturating_sub(left.unwrap_or(all))
    }
}

/// The newest time that two events have reached, or one before it; `None` if that is not known of any.
fn reached_by_two(view: &View) -> Option<u64> {
    let mut has_newer = false;
    for (newest, confirmed) in view.chunks.values().rev().filter_map(|chunk| chunk.presence()) {
        if has_newer {
            return Some(newest);
        }
        if confirmed.is_some() {
            return confirmed;
        }
        has_newer = true;
    }
    None
}

impl Plan {
    /// What it comes to if so many events were deleted before.
    fn without(&self, deleted: u64) -> Retained {
        Retained { events: self.retained.events.saturating_sub(deleted), ..self.retained }
    }

    fn message(&self, retained: &Retained, limits: Limits) -> String {
        let Retained { horizon, chunks, events, bytes } = retained;
        let too_much = chunks - self.too_old;
        let age = format!("{} older than {}", self.too_old, duration::format(limits.max_age));
        let size = format!("{too_much} with which all take more than {} bytes", limits.max_bytes);
        let why = match (self.too_old, too_much) {
            (_, 0) => age,
            (0, _) => size,
            _ => format!("{age}, {size}"),
        };
        format!("retention removed {chunks} chunks with {events} events and {bytes} bytes, all before {horizon}: {why}")
    }
}
