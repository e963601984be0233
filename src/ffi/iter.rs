//! `estore_iter`: the events of a snapshot or of a tail, lent to the caller in batches or copied into columns.

use std::ffi::{c_int, c_void};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::Mutex;
use std::time::Duration;

use super::error::{Failure, estore_error};
use super::event::estore_event;
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_END, ESTORE_GAP, ESTORE_OK, ESTORE_TIMEOUT, estore_status};
use super::verify::{estore_gap_fn, tell_gaps};
use super::{check_array, close, exclusively, is_locked, put, require};
use crate::{EventRef, Reader, Tail, Tailed};

/// Events in order: those of a snapshot by time, made by estore_read_iter or efile_read_iter, or those that arrive by seq, made by
/// estore_tail_iter or efile_tail_iter. Used by one thread at a time; keeps what it needs of its store alive, so the two may be closed in
/// any order.
pub struct estore_iter {
    _opaque: [u8; 0],
}

impl Opaque for estore_iter {
    type Inner = Mutex<Iter>;
    const TAG: u64 = u64::from_le_bytes(*b"es:itera");
    const NAME: &'static str = "iter";
    const OF_ONE_PROCESS: bool = true;

    fn is_in_use(inner: &Self::Inner) -> bool {
        is_locked(inner)
    }
}

/// As a timeout: none.
pub const ESTORE_WAIT_FOREVER: u64 = u64::MAX;

/// How many events are taken from the engine at once where the caller did not say how many: few enough to stay in the first cache.
const AHEAD: usize = 256;

pub(super) struct Iter {
    source: Source,
    /// Events that were taken ahead of the calls that ask for them, and how many of them were handed out. Their data is in the source's
    /// buffers (in `lent` in debug builds), which stay as they are until the source is asked for its next batch: only once all these are
    /// handed out.
    ahead: Vec<estore_event>,
    served: usize,
    /// A call that had events to answer with came to a gap behind them.
    gap: bool,
    lent: Lent,
}

/// Where the events come from.
// There is one in an iterator, which is behind a pointer as it is.
#[allow(clippy::large_enum_variant)]
pub(super) enum Source {
    Reader(Reader),
    Tail(Tail),
}

// SAFETY: the pointers in `ahead` point into buffers that this very struct owns, and are followed by nobody but the caller, who uses an
// iterator from one thread at a time. All else in it is Send.
unsafe impl Send for Iter {}

impl Iter {
    /// Takes a batch of at most `max` events from the engine. `Some` says what there is instead.
    fn fetch(&mut self, max: usize, each: impl FnMut(estore_event)) -> Result<Option<estore_status>, Failure> {
        match &mut self.source {
            Source::Reader(reader) => {
                let batch = reader.next_batch(max)?;
                if batch.is_empty() {
                    return Ok(Some(ESTORE_END));
                }
                self.lent.lend(batch.iter(), each)?;
            }
            Source::Tail(tail) => match tail.next_batch(max)? {
                Tailed::Events(batch) => self.lent.lend(batch.iter(), each)?,
                Tailed::Gap => return Ok(Some(ESTORE_GAP)),
                Tailed::Nothing => return Ok(Some(ESTORE_TIMEOUT)),
            },
        }
        Ok(None)
    }

    /// Takes the next events ahead, if all that were are handed out.
    fn fetch_ahead(&mut self, max: usize) -> Result<Option<estore_status>, Failure> {
        if self.served < self.ahead.len() {
            return Ok(None);
        }
        if std::mem::take(&mut self.gap) {
            return Ok(Some(ESTORE_GAP));
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        self.served = 0;
        let fetched = self.fetch(max, |event| ahead.push(event));
        if fetched.is_err() {
            ahead.clear();
        }
        self.ahead = ahead;
        fetched
    }

    fn next(&mut self) -> Result<Given<estore_event>, Failure> {
        self.end_views();
        if let Some(outcome) = self.fetch_ahead(AHEAD)? {
            return Ok(Err(outcome));
        }
        let Some(event) = self.ahead.get(self.served).copied() else { return Ok(Err(ESTORE_END)) };
        self.served += 1;
        self.hand_out(&event);
        Ok(Ok(event))
    }

    /// Fills the caller's array; answers with how many events.
    ///
    /// # Safety
    ///
    /// `events` is valid for writes of `capacity` elements.
    unsafe fn next_batch(&mut self, events: *mut estore_event, capacity: usize) -> Result<Given<usize>, Failure> {
        self.end_views();
        let mut n = 0;
        let mut write = |event: estore_event| {
            if n < capacity {
                // SAFETY: an element of the array.
                unsafe { events.add(n).write(event) };
                n += 1;
            }
        };
        if let Some(rest) = self.ahead.get(self.served..).filter(|rest| !rest.is_empty()) {
            rest.iter().take(capacity).copied().for_each(&mut write);
            self.served += n;
        } else if std::mem::take(&mut self.gap) {
            return Ok(Err(ESTORE_GAP));
        } else if let Some(outcome) = self.fetch(capacity, write)? {
            return Ok(Err(outcome));
        }
        for index in 0..n {
            // SAFETY: written just now.
            let event = unsafe { events.add(index).read() };
            self.hand_out(&event);
        }
        Ok(Ok(n))
    }

    /// Copies the next events into columns, as many as fit.
    ///
    /// # Safety
    ///
    /// As [`Columns`] says.
    unsafe fn next_columns(&mut self, columns: &Columns) -> Result<Given<Filled>, Failure> {
        self.end_views();
        let mut filled = Filled::default();
        while filled.events < columns.capacity {
            match self.fetch_ahead(AHEAD.min(columns.capacity - filled.events)) {
                Ok(None) => {}
                Ok(Some(outcome)) if filled.events > 0 => {
                    self.gap |= outcome == ESTORE_GAP;
                    break;
                }
                Ok(Some(outcome)) => return Ok(Err(outcome)),
                // The failure stays, and is the answer of the next call.
                Err(_) if filled.events > 0 => break,
                Err(failure) => return Err(failure),
            }
            let rest = self.ahead.get(self.served..).unwrap_or_default();
            let before = filled.events;
            for event in rest.iter().take(columns.capacity - before) {
                // SAFETY: the data of events that were taken ahead is still there, and there is room in the columns.
                if !unsafe { columns.put(event, &mut filled) } {
                    break;
                }
            }
            let taken = filled.events - before;
            self.served += taken;
            if taken < rest.len() {
                if filled.events == 0 {
                    filled.data_len = rest.first().map_or(0, |event| event.len as usize);
                }
                break;
            }
        }
        Ok(Ok(filled))
    }

    /// Waits for something to give. Whether there is.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, Failure> {
        self.end_views();
        if self.served < self.ahead.len() || self.gap {
            return Ok(true);
        }
        match &mut self.source {
            Source::Reader(_) => Ok(true),
            Source::Tail(tail) => Ok(tail.wait(timeout)?),
        }
    }

    /// Up to which seq the source has shown what there is.
    fn snapshot_seq(&self) -> u64 {
        match &self.source {
            Source::Reader(reader) => reader.snapshot_seq(),
            Source::Tail(tail) => self.ahead.get(self.served).map_or_else(|| tail.last_seq(), |next| next.seq - 1),
        }
    }

    /// The views that the last call handed out end here, as the header says. A debug build overwrites them, so that a program which
    /// keeps one for too long fails in its tests.
    fn end_views(&mut self) {
        self.lent.scribble();
    }

    /// Remembers a view that is handed out, in debug builds.
    fn hand_out(&mut self, event: &estore_event) {
        self.lent.hand_out(event);
    }
}

/// What was asked for, or the outcome that says why there is nothing.
type Given<T> = Result<T, estore_status>;

/// Hands views on, or the failure that one of them is.
fn hand_on(views: impl IntoIterator<Item = Result<estore_event, Failure>>, mut each: impl FnMut(estore_event)) -> Result<(), Failure> {
    let mut failure = None;
    views.into_iter().for_each(|view| match view {
        Ok(event) => each(event),
        Err(e) => failure = Some(e),
    });
    failure.map_or(Ok(()), Err)
}

/// The caller's columns.
///
/// Each of `times`, `seqs` and `ids` is NULL or valid for writes of `capacity` elements; `offsets` is NULL, or valid for writes of one
/// more, and `data` for writes of `data_capacity` bytes.
struct Columns {
    times: *mut u64,
    seqs: *mut u64,
    ids: *mut u32,
    offsets: *mut u64,
    capacity: usize,
    data: *mut u8,
    data_capacity: usize,
}

/// How much of the columns is filled.
#[derive(Default)]
struct Filled {
    events: usize,
    data_len: usize,
}

impl Columns {
    /// Writes an event behind those that are there. Where its data has no room nothing is written and the answer is `false`.
    ///
    /// # Safety
    ///
    /// The columns are as [`Columns`] says, `filled` has fewer events than their capacity, and the data of `event` can be read.
    unsafe fn put(&self, event: &estore_event, filled: &mut Filled) -> bool {
        let at = filled.events;
        if !self.offsets.is_null() {
            let (start, len) = (filled.data_len, event.len as usize);
            if len > self.data_capacity - start {
                return false;
            }
            if len > 0 {
                // SAFETY: `len` bytes from `start` on are within the capacity, as just checked; the caller's memory does not overlap ours.
                unsafe { ptr::copy_nonoverlapping(event.data, self.data.add(start), len) };
            }
            filled.data_len += len;
            // SAFETY: there is one more offset than events, and each gets where the one behind it starts; the first is 0.
            unsafe {
                self.offsets.add(at).write(start as u64);
                self.offsets.add(at + 1).write(filled.data_len as u64);
            }
        }
        if !self.times.is_null() {
            // SAFETY: `at` is below the capacity.
            unsafe { self.times.add(at).write(event.time) };
        }
        if !self.seqs.is_null() {
            // SAFETY: as above.
            unsafe { self.seqs.add(at).write(event.seq) };
        }
        if !self.ids.is_null() {
            // SAFETY: as above.
            unsafe { self.ids.add(at).write(event.id) };
        }
        filled.events += 1;
        true
    }
}

/// What lends events to the caller: the source's own buffers.
#[cfg(not(debug_assertions))]
#[derive(Default)]
struct Lent;

#[cfg(not(debug_assertions))]
impl Lent {
    fn lend<'a>(&mut self, events: impl Iterator<Item = EventRef<'a>>, each: impl FnMut(estore_event)) -> Result<(), Failure> {
        hand_on(events.map(estore_event::of), each)
    }

    fn hand_out(&mut self, _event: &estore_event) {}

    fn scribble(&mut self) {}
}

/// Debug builds lend from a copy, since the source's own buffers are not theirs to overwrite.
#[cfg(debug_assertions)]
#[derive(Default)]
struct Lent {
    /// The data of all events of the batch.
    bytes: Vec<u8>,
    /// The views that the caller has now, all into `bytes`.
    handed_out: Vec<(*const u8, usize)>,
}

#[cfg(debug_assertions)]
impl Lent {
    fn lend<'a>(&mut self, events: impl Iterator<Item = EventRef<'a>> + Clone, each: impl FnMut(estore_event)) -> Result<(), Failure> {
        self.bytes.clear();
        self.bytes.reserve(events.clone().map(|event| event.data.len()).sum());
        let views = events.map(|event| {
            let at = self.bytes.len();
            // The room was reserved, so the bytes don't move and earlier views stay valid.
            self.bytes.extend_from_slice(event.data);
            // One provenance for reading and overwriting: that of the whole vector.
            let data = self.bytes.as_mut_ptr().wrapping_add(at).cast_const();
            estore_event::of(event).map(|view| estore_event { data, ..view })
        });
        hand_on(views, each)
    }

    fn hand_out(&mut self, event: &estore_event) {
        self.handed_out.push((event.data, event.len as usize));
    }

    fn scribble(&mut self) {
        let start = self.bytes.as_ptr().addr();
        for (data, len) in self.handed_out.drain(..) {
            let at = data.addr().wrapping_sub(start);
            if let Some(bytes) = self.bytes.get_mut(at..at.saturating_add(len)) {
                bytes.fill(0xA5);
            }
        }
    }
}

/// A source as a handle for the caller.
pub(super) fn make(source: Source) -> *mut estore_iter {
    let lent = Lent::default();
    Handle::make(Mutex::new(Iter { source, ahead: Vec::new(), served: 0, gap: false, lent }))
}

/// Gives the next event. Next to estore_iter_next_batch it costs one call for each event, but no more than that; both may be mixed
/// freely, and no event is lost or repeated.
///
/// Arguments: iter. event: where the event goes.
/// Returns: ESTORE_OK and *event filled; ESTORE_END at the end, again and again; of a tail, which has no end, ESTORE_TIMEOUT if there is
/// nothing for now, and ESTORE_GAP, once, if events were deleted before it gave them. *event is as it was unless ESTORE_OK is returned.
/// After a failure each further call answers the same; to go on past damage, begin anew with ESTORE_READ_SALVAGE.
/// Ownership: event->data is the iterator's, valid until the next event is asked of this iterator in any way, or its close (debug builds
/// of the library overwrite it then).
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole
/// event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed); ESTORE_ERR_GONE;
/// ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_next(iter: *mut estore_iter, event: *mut estore_event, err: *mut estore_error) -> estore_status {
    let body = |iter: &mut Iter| {
        require(event, "event")?;
        let next = match iter.next()? {
            Ok(next) => next,
            Err(outcome) => return Ok(outcome),
        };
        // SAFETY: not NULL, so valid for writes.
        unsafe { event.write(next) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Gives the next events, as many as fit and are at hand. A short batch means nothing; only ESTORE_END means the end.
///
/// Arguments: iter. events: an array of the caller. capacity: its length, at least 1; 256 is a good one. n: where the number of events
/// goes.
/// Returns: ESTORE_OK, *n events (at least 1) in the array; ESTORE_END at the end, again and again; of a tail ESTORE_TIMEOUT and ESTORE_GAP
/// as estore_iter_next. *n is as it was unless ESTORE_OK is returned.
/// Ownership: the data of the events is the iterator's, valid until the next event is asked of this iterator in any way, or its close
/// (debug builds of the library overwrite it then). The array is the caller's.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT
/// (after every whole event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed);
/// ESTORE_ERR_GONE; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_next_batch(
    iter: *mut estore_iter,
    events: *mut estore_event,
    capacity: usize,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |iter: &mut Iter| {
        if capacity == 0 {
            return Err(Failure::invalid("the capacity is 0"));
        }
        check_array(events, capacity, "events")?;
        require(n, "n")?;
        // SAFETY: not NULL, so valid for writes of its capacity.
        let filled = match unsafe { iter.next_batch(events, capacity) }? {
            Ok(filled) => filled,
            Err(outcome) => return Ok(outcome),
        };
        // SAFETY: not NULL, so valid for writes.
        unsafe { n.write(filled) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Copies the next events into columns, as many as fit and are at hand: one array for each field and one buffer for all data, the form that
/// data frames and columnar formats take. A short batch means nothing; only ESTORE_END means the end. May be mixed with the calls above.
///
/// Arguments: iter. times, seqs, ids: arrays of the caller with room for capacity events; each may be NULL if it isn't wanted. offsets: an
/// array of capacity + 1 elements for where the data of each event starts in data, the first at 0, and behind them where the last one ends.
/// NULL means that no data is wanted, and ignores data. capacity: at least 1; 4096 is a good one. data, data_capacity: memory of the caller
/// for the data and its length in bytes; data_capacity 0 ignores the pointer. n: where the number of events goes. data_len: where the
/// number of bytes of data goes, or NULL.
/// Returns: ESTORE_OK, *n events in the columns and *data_len set. *n is 0 only if not even the data of the next event fits: no event is
/// taken, and *data_len is how many bytes it has. ESTORE_END at the end, again and again; of a tail ESTORE_TIMEOUT and ESTORE_GAP as
/// estore_iter_next. *n and *data_len are as they were unless ESTORE_OK is returned.
/// Ownership: the columns and the data are the caller's and stay. Events given before as views end here.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_TIMEOUT; ESTORE_GAP; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT
/// (after every whole event before the damage); ESTORE_ERR_CLOSED (of a tail, once it has given all of a store that was closed);
/// ESTORE_ERR_GONE; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_next_columns(
    iter: *mut estore_iter,
    times: *mut u64,
    seqs: *mut u64,
    ids: *mut u32,
    offsets: *mut u64,
    capacity: usize,
    data: *mut u8,
    data_capacity: usize,
    n: *mut usize,
    data_len: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |iter: &mut Iter| {
        if capacity == 0 {
            return Err(Failure::invalid("the capacity is 0"));
        }
        // The longest of the columns, so that none of them can be an array that can't exist.
        require(n, "n")?;
        check_array(n.cast::<u64>(), capacity.saturating_add(1), "the columns")?;
        if !offsets.is_null() {
            check_array(data, data_capacity, "data")?;
        }
        let columns = Columns { times, seqs, ids, offsets, capacity, data, data_capacity };
        // SAFETY: the columns are as the header asks.
        let filled = match unsafe { iter.next_columns(&columns) }? {
            Ok(filled) => filled,
            Err(outcome) => return Ok(outcome),
        };
        // SAFETY: not NULL, so valid for writes; NULL or valid for writes.
        unsafe {
            n.write(filled.events);
            put(data_len, filled.data_len);
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Waits until a tail has something to give: events, or the news that some were deleted. Returns at once if it has, and of an iterator over
/// a range.
///
/// Arguments: iter. timeout_ms: at most so many milliseconds; 0 does not wait, ESTORE_WAIT_FOREVER sets no limit.
/// Returns: ESTORE_OK if there is something, to be taken by the calls above; ESTORE_TIMEOUT if nothing came in this time.
/// Ownership: borrows iter. Events given before end here.
/// Threads: any, one at a time on one iterator. Another thread ends the waiting by closing the store.
/// Statuses: ESTORE_OK; ESTORE_TIMEOUT; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_CLOSED; ESTORE_ERR_GONE;
/// ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_wait(iter: *mut estore_iter, timeout_ms: u64, err: *mut estore_error) -> estore_status {
    let body = |iter: &mut Iter| {
        let timeout = (timeout_ms != ESTORE_WAIT_FOREVER).then(|| Duration::from_millis(timeout_ms));
        Ok(if iter.wait(timeout)? { ESTORE_OK } else { ESTORE_TIMEOUT })
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Gives a descriptor for event loops (poll, epoll, select): it is readable from when a tail may have something to give until a call has
/// answered ESTORE_TIMEOUT. So: poll; take events until ESTORE_TIMEOUT; poll again. In a store opened for reading only with
/// estore_options_set_background off, estore_tick finds out what there is.
///
/// Arguments: iter: of a tail. fd: where the descriptor goes.
/// Returns: ESTORE_OK and *fd set, the same each time; on failure *fd is as it was.
/// Ownership: the descriptor is the iterator's and closed with it: only to be polled, never read from or closed.
/// Threads: any, one at a time on one iterator. The descriptor itself may be polled by any thread, also during other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also of an iterator that is no tail); ESTORE_ERR_IO (no descriptors left); ESTORE_ERR_FORKED;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_fd(iter: *mut estore_iter, fd: *mut c_int, err: *mut estore_error) -> estore_status {
    let body = |iter: &mut Iter| {
        require(fd, "fd")?;
        let Source::Tail(tail) = &iter.source else {
            return Err(Failure::invalid("an iterator over a range has nothing to wait for; only one of a tail has a descriptor"));
        };
        let descriptor = tail.fd()?.as_raw_fd();
        // SAFETY: not NULL, so valid for writes.
        unsafe { fd.write(descriptor) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Tells up to which seq the iterator shows the store: every event of its range with at most this seq, and none with a larger one. Of a
/// tail: up to which seq it has given every event, so where another tail goes on.
///
/// Arguments: iter. seq: where the number goes.
/// Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
/// Ownership: borrows iter; events given before stay valid.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_snapshot_seq(iter: *const estore_iter, seq: *mut u64, err: *mut estore_error) -> estore_status {
    let body = |iter: &mut Iter| {
        require(seq, "seq")?;
        let snapshot = iter.snapshot_seq();
        // SAFETY: not NULL, so valid for writes.
        unsafe { seq.write(snapshot) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Tells what an iterator made with ESTORE_READ_SALVAGE has left out so far; all of it is known once it has come to its end. Other
/// iterators leave nothing out.
///
/// Arguments: iter. on_gap: called for each gap, or NULL to have them counted only. userdata: given to it as it is. n: where the number of
/// gaps goes, or NULL.
/// Returns: ESTORE_OK and *n set; on failure *n is as it was.
/// Ownership: borrows iter; events given before stay valid. See estore_gap_fn for what it receives.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_gaps(
    iter: *const estore_iter,
    on_gap: estore_gap_fn,
    userdata: *mut c_void,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |iter: &mut Iter| {
        let gaps = match &iter.source {
            Source::Reader(reader) => reader.gaps(),
            Source::Tail(_) => &[],
        };
        // SAFETY: a function as the header asks for; n is NULL or valid for writes.
        unsafe {
            tell_gaps(on_gap, userdata, gaps);
            put(n, gaps.len());
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Closes an iterator and sets the variable to NULL. Events that it gave end here.
///
/// Arguments: iter: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
/// stays.
/// Ownership: ends the caller's. The store may be closed before or after.
/// Threads: any, while no other thread uses the iterator. Allowed in a forked child, where it touches no file and no lock.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_close(iter: *mut *mut estore_iter, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { close(iter, err, |_| Ok(())) }
}
