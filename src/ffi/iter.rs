//! `estore_iter`: the events of a snapshot, lent to the caller in batches or copied into columns.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, TryLockError};

use super::error::{Failure, estore_error};
use super::event::estore_event;
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_END, ESTORE_OK, estore_status};
use super::verify::{estore_gap_fn, tell_gap};
use super::{check_array, close, put, require, with};
use crate::Reader;

/// Events of a snapshot in order, made by estore_read_iter or efile_read_iter. Used by one thread at a time; keeps what it needs of its
/// store alive, so the two may be closed in any order.
pub struct estore_iter {
    _opaque: [u8; 0],
}

impl Opaque for estore_iter {
    type Inner = Mutex<Iter>;
    const TAG: u64 = u64::from_le_bytes(*b"es:itera");
    const NAME: &'static str = "iter";
    const OF_ONE_PROCESS: bool = true;

    fn is_in_use(inner: &Self::Inner) -> bool {
        matches!(inner.try_lock(), Err(TryLockError::WouldBlock))
    }
}

/// How many events are taken from the engine at once where the caller did not say how many: few enough to stay in the first cache.
const AHEAD: usize = 256;

pub(super) struct Iter {
    reader: Reader,
    /// Events that were taken ahead of the calls that ask for them, and how many of them were handed out. Their data is in the reader's
    /// buffers (in `lent` in debug builds), which stay as they are until the reader is asked for its next batch: only once all these are
    /// handed out.
    ahead: Vec<estore_event>,
    served: usize,
    #[cfg(debug_assertions)]
    lent: Lent,
}

// SAFETY: the pointers in `ahead` point into buffers that this very struct owns, and are followed by nobody but the caller, who uses an
// iterator from one thread at a time. All else in it is Send.
unsafe impl Send for Iter {}

impl Iter {
    /// Takes a batch of at most `max` events from the engine; empty at the end.
    fn fetch(&mut self, max: usize, mut each: impl FnMut(estore_event)) -> Result<usize, Failure> {
        let batch = self.reader.next_batch(max)?;
        #[cfg(debug_assertions)]
        let views = self.lent.copy(batch)?;
        #[cfg(not(debug_assertions))]
        let views = batch.iter().map(estore_event::of);
        let mut n = 0;
        let mut failure = None;
        views.into_iter().for_each(|view| match view {
            Ok(event) => {
                each(event);
                n += 1;
            }
            Err(e) => failure = Some(e),
        });
        failure.map_or(Ok(n), Err)
    }

    /// Takes the next events ahead, if all that were are handed out.
    fn fetch_ahead(&mut self, max: usize) -> Result<(), Failure> {
        if self.served < self.ahead.len() {
            return Ok(());
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        self.served = 0;
        let fetched = self.fetch(max, |event| ahead.push(event));
        if fetched.is_err() {
            ahead.clear();
        }
        self.ahead = ahead;
        fetched.map(|_| ())
    }

    fn next(&mut self) -> Result<Option<estore_event>, Failure> {
        self.end_views();
        self.fetch_ahead(AHEAD)?;
        let event = self.ahead.get(self.served).copied();
        if let Some(event) = event {
            self.served += 1;
            self.hand_out(&event);
        }
        Ok(event)
    }

    /// Fills the caller's array; 0 at the end.
    ///
    /// # Safety
    ///
    /// `events` is valid for writes of `capacity` elements.
    unsafe fn next_batch(&mut self, events: *mut estore_event, capacity: usize) -> Result<usize, Failure> {
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
        } else {
            self.fetch(capacity, write)?;
        }
        for index in 0..n {
            // SAFETY: written just now.
            let event = unsafe { events.add(index).read() };
            self.hand_out(&event);
        }
        Ok(n)
    }

    /// Copies the next events into columns, as many as fit. The answer is `None` at the end.
    ///
    /// # Safety
    ///
    /// As [`Columns`] says.
    unsafe fn next_columns(&mut self, columns: &Columns) -> Result<Option<Filled>, Failure> {
        self.end_views();
        let mut filled = Filled::default();
        while filled.events < columns.capacity {
            match self.fetch_ahead(AHEAD.min(columns.capacity - filled.events)) {
                Ok(()) => {}
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
            if taken == 0 {
                return Ok((filled.events > 0).then_some(filled));
            }
        }
        Ok(Some(filled))
    }

    /// The views that the last call handed out end here, as the header says. A debug build overwrites them, so that a program which
    /// keeps one for too long fails in its tests.
    fn end_views(&mut self) {
        #[cfg(debug_assertions)]
        self.lent.scribble();
    }

    /// Remembers a view that is handed out, in debug builds.
    fn hand_out(&mut self, event: &estore_event) {
        #[cfg(debug_assertions)]
        self.lent.handed_out.push((event.data, event.len as usize));
        #[cfg(not(debug_assertions))]
        let _ = event;
    }
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

/// Debug builds lend from a copy, since the reader's own buffers are not theirs to overwrite.
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
    fn copy(&mut self, batch: crate::Batch<'_>) -> Result<Vec<Result<estore_event, Failure>>, Failure> {
        self.bytes.clear();
        self.bytes.reserve(batch.iter().map(|event| event.data.len()).sum());
        let mut views = Vec::with_capacity(batch.len());
        for event in batch.iter() {
            let at = self.bytes.len();
            // The room was reserved, so the bytes don't move and earlier views stay valid.
            self.bytes.extend_from_slice(event.data);
            // One provenance for reading and overwriting: that of the whole vector.
            let data = self.bytes.as_mut_ptr().wrapping_add(at).cast_const();
            views.push(estore_event::of(event).map(|view| estore_event { data, ..view }));
        }
        Ok(views)
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

/// A reader as a handle for the caller.
pub(super) fn make(reader: Reader) -> *mut estore_iter {
    Handle::make(Mutex::new(Iter {
        reader,
        ahead: Vec::new(),
        served: 0,
        #[cfg(debug_assertions)]
        lent: Lent::default(),
    }))
}

/// Runs a call on an iterator, which one thread uses at a time.
///
/// # Safety
///
/// `iter` is NULL or points to a handle that isn't closed; `err` is NULL or valid for writes.
unsafe fn exclusively(
    iter: *const estore_iter,
    err: *mut estore_error,
    body: impl FnOnce(&mut Iter) -> Result<estore_status, Failure>,
) -> estore_status {
    let body = |iter: &Mutex<Iter>| match iter.try_lock() {
        Ok(mut iter) => body(&mut iter),
        Err(TryLockError::WouldBlock) => Err(Failure::invalid("another thread uses this iterator in this moment")),
        // The guard has refused the handle before it comes to this.
        Err(TryLockError::Poisoned(_)) => Err(Failure::invalid("an earlier call on this iterator ended in an internal error")),
    };
    // SAFETY: the caller's promise.
    unsafe { with(iter, err, body) }
}

/// Gives the next event. Next to estore_iter_next_batch it costs one call for each event, but no more than that; both may be mixed
/// freely, and no event is lost or repeated.
///
/// Arguments: iter. event: where the event goes.
/// Returns: ESTORE_OK and *event filled; ESTORE_END at the end, again and again. *event is as it was unless ESTORE_OK is returned.
/// Ownership: event->data is the iterator's, valid until the next event is asked of this iterator in any way, or its close (debug builds
/// of the library overwrite it then).
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole event before the damage);
/// ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_next(iter: *mut estore_iter, event: *mut estore_event, err: *mut estore_error) -> estore_status {
    let body = |iter: &mut Iter| {
        require(event, "event")?;
        let Some(next) = iter.next()? else { return Ok(ESTORE_END) };
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
/// Returns: ESTORE_OK, *n events (at least 1) in the array; ESTORE_END at the end, again and again. *n is as it was unless ESTORE_OK is
/// returned.
/// Ownership: the data of the events is the iterator's, valid until the next event is asked of this iterator in any way, or its close (debug
/// builds of the library overwrite it then). The array is the caller's.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole event
/// before the damage); ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
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
        let filled = unsafe { iter.next_batch(events, capacity) }?;
        if filled == 0 {
            return Ok(ESTORE_END);
        }
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
/// taken, and *data_len is how many bytes it has. ESTORE_END at the end, again and again. *n and *data_len are as they were unless ESTORE_OK
/// is returned.
/// Ownership: the columns and the data are the caller's and stay. Events given before as views end here.
/// Threads: any, one at a time on one iterator.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID (also capacity 0); ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole event
/// before the damage); ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
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
        let Some(filled) = unsafe { iter.next_columns(&columns) }? else { return Ok(ESTORE_END) };
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

/// Tells up to which seq the iterator shows the store: every event of its range with at most this seq, and none with a larger one.
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
        let snapshot = iter.reader.snapshot_seq();
        // SAFETY: not NULL, so valid for writes.
        unsafe { seq.write(snapshot) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Tells what an iterator made with ESTORE_READ_SALVAGE has left out so far; all of it is known once it has come to its end. Other iterators
/// leave nothing out.
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
        let gaps = iter.reader.gaps();
        for gap in gaps {
            // SAFETY: a function as the header asks for.
            unsafe { tell_gap(on_gap, userdata, gap) };
        }
        // SAFETY: NULL or valid for writes, as the header asks.
        unsafe { put(n, gaps.len()) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(iter, err, body) }
}

/// Closes an iterator and sets the variable to NULL. Events that it gave end here.
///
/// Arguments: iter: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind: ESTORE_ERR_INVALID, and it stays.
/// Ownership: ends the caller's. The store may be closed before or after.
/// Threads: any, while no other thread uses the iterator. Allowed in a forked child, where it touches no file and no lock.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_iter_close(iter: *mut *mut estore_iter, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { close(iter, err, |_| Ok(())) }
}
