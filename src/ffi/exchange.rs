//! `estore_exchange`: repairing a store by messages with another one, and what any repair did, as numbers.

use std::ffi::c_void;
use std::sync::Mutex;

use super::bytes::{self, estore_bytes};
use super::error::{Failure, estore_error};
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_END, ESTORE_OK, estore_status};
use super::verify::{estore_gap_fn, tell_gaps};
use super::{array, check_array, close, exclusively, is_locked, put, require};
use crate::{Copied, Exchange, RepairOptions, Repaired};

/// Bring one store what it lacks; the default.
pub const ESTORE_REPAIR_ONE_WAY: u32 = 0;
/// Bring each of the two stores what it lacks.
pub const ESTORE_REPAIR_BOTH_WAYS: u32 = 1;

/// Number of a repair, for the store that was repaired: events that the other store has and that were looked at, repeats too. Each is
/// one of the three below.
pub const ESTORE_REPAIRED_TO_COMPARED: usize = 0;
/// Of these, events that it lacked, and has now.
pub const ESTORE_REPAIRED_TO_COPIED: usize = 1;
/// Of these, events that it has already, and repeats.
pub const ESTORE_REPAIRED_TO_SKIPPED: usize = 2;
/// Of these, events that it has deleted, or would have.
pub const ESTORE_REPAIRED_TO_EXPIRED: usize = 3;
/// The same for the other store: what it was to be given, of the events of the one that was repaired.
pub const ESTORE_REPAIRED_FROM_COMPARED: usize = 4;
/// Events that the other store lacked, and has now; 0 unless ESTORE_REPAIR_BOTH_WAYS was asked for.
pub const ESTORE_REPAIRED_FROM_COPIED: usize = 5;
/// Events that the other store has already, or that it lacks and was not to be given.
pub const ESTORE_REPAIRED_FROM_SKIPPED: usize = 6;
/// Events that the other store has deleted, or would have.
pub const ESTORE_REPAIRED_FROM_EXPIRED: usize = 7;
/// Places in the other store that are damaged: what is in there was not copied.
pub const ESTORE_REPAIRED_GAPS: usize = 8;
/// Places in the store that was repaired that are damaged: what was in there it lacked, and was given if the other one has it.
pub const ESTORE_REPAIRED_OWN_GAPS: usize = 9;
/// 1 if on_progress stopped it before all was done, else 0.
pub const ESTORE_REPAIRED_STOPPED: usize = 10;
/// How many numbers of a repair this header knows; a library may know more.
pub const ESTORE_REPAIRED_COUNT: usize = 11;

/// How to repair, as the C caller says it.
pub(super) fn options(flags: u32) -> Result<RepairOptions, Failure> {
    match flags {
        ESTORE_REPAIR_ONE_WAY => Ok(RepairOptions::new()),
        ESTORE_REPAIR_BOTH_WAYS => Ok(RepairOptions::new().both_ways()),
        _ => Err(Failure::invalid(format!("unknown flags in {flags:#x}"))),
    }
}

/// Where a repair puts its numbers.
pub(super) struct RepairedOutputs {
    pub(super) values: *mut u64,
    pub(super) capacity: usize,
    pub(super) n: *mut usize,
}

impl RepairedOutputs {
    pub(super) fn check(&self) -> Result<(), Failure> {
        check_array(self.values, self.capacity, "values")
    }

    /// Tells the gaps, and writes the numbers.
    ///
    /// # Safety
    ///
    /// `on_gap` is a function as the header asks for; `values` is valid for writes of `capacity` elements; `n` is NULL or valid for writes.
    pub(super) unsafe fn put(&self, repaired: &Repaired, on_gap: estore_gap_fn, userdata: *mut c_void) {
        for gaps in [&repaired.gaps, &repaired.own_gaps] {
            // SAFETY: the caller's promise.
            unsafe { tell_gaps(on_gap, userdata, gaps) };
        }
        let values = numbers(repaired);
        for (index, value) in values.iter().enumerate().take(self.capacity) {
            // SAFETY: below capacity; the caller's promise.
            unsafe { self.values.add(index).write(*value) };
        }
        // SAFETY: the caller's promise.
        unsafe { put(self.n, values.len()) };
    }
}

/// The numbers by index. Taken apart in full, so that a new field of the engine can't be forgotten here.
fn numbers(repaired: &Repaired) -> [u64; ESTORE_REPAIRED_COUNT] {
    let Repaired { to, from, gaps, own_gaps, stopped } = repaired;
    let mut values = [0; ESTORE_REPAIRED_COUNT];
    let Copied { compared, copied, skipped, expired } = *to;
    values[ESTORE_REPAIRED_TO_COMPARED] = compared;
    values[ESTORE_REPAIRED_TO_COPIED] = copied;
    values[ESTORE_REPAIRED_TO_SKIPPED] = skipped;
    values[ESTORE_REPAIRED_TO_EXPIRED] = expired;
    let Copied { compared, copied, skipped, expired } = *from;
    values[ESTORE_REPAIRED_FROM_COMPARED] = compared;
    values[ESTORE_REPAIRED_FROM_COPIED] = copied;
    values[ESTORE_REPAIRED_FROM_SKIPPED] = skipped;
    values[ESTORE_REPAIRED_FROM_EXPIRED] = expired;
    values[ESTORE_REPAIRED_GAPS] = gaps.len() as u64;
    values[ESTORE_REPAIRED_OWN_GAPS] = own_gaps.len() as u64;
    values[ESTORE_REPAIRED_STOPPED] = u64::from(*stopped);
    values
}

/// A store that repairs itself by exchanging messages with another one, which may be anywhere. Made by estore_exchange_begin or
/// efile_exchange_begin. Used by one thread at a time.
pub struct estore_exchange {
    _opaque: [u8; 0],
}

impl Opaque for estore_exchange {
    type Inner = Mutex<Exchange>;
    const TAG: u64 = u64::from_le_bytes(*b"es:excha");
    const NAME: &'static str = "exchange";
    const OF_ONE_PROCESS: bool = true;

    fn is_in_use(inner: &Self::Inner) -> bool {
        is_locked(inner)
    }
}

/// An exchange as a handle for the caller.
pub(super) fn make(exchange: Exchange) -> *mut estore_exchange {
    Handle::make(Mutex::new(exchange))
}

/// Gives the next message for the other store, to be answered there by estore_answer or efile_answer. Until estore_exchange_reply has taken
/// the answer it is the same message again.
///
/// Arguments: exchange. message: where the message goes.
/// Returns: ESTORE_OK and *message set; ESTORE_END once all is done. *message is as it was unless ESTORE_OK is returned.
/// Ownership: the message is the caller's, to be freed by estore_bytes_free.
/// Threads: any, one at a time on one exchange.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID; ESTORE_ERR_CLOSED; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE;
/// ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_exchange_request(
    exchange: *mut estore_exchange,
    message: *mut *mut estore_bytes,
    err: *mut estore_error,
) -> estore_status {
    let body = |exchange: &mut Exchange| {
        require(message, "message")?;
        let Some(request) = exchange.request()? else { return Ok(ESTORE_END) };
        // SAFETY: not NULL, so valid for writes.
        unsafe { message.write(bytes::make(request)) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(exchange, err, body) }
}

/// Takes the other store's answer to the last message. What it brings is appended before this returns.
///
/// Arguments: exchange. reply, len: the answer, as it came.
/// Returns: ESTORE_OK, and it is time for the next estore_exchange_request. On failure the answer counts for nothing, except that
/// ESTORE_ERR_OUTCOME_UNKNOWN leaves that open, and the same message waits to be sent again.
/// Ownership: borrows reply during the call.
/// Threads: any, one at a time on one exchange.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no answer to the last message, or one that was cut or changed);
/// ESTORE_ERR_CLOSED; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of the store);
/// ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
/// ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_exchange_reply(
    exchange: *mut estore_exchange,
    reply: *const u8,
    len: usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |exchange: &mut Exchange| {
        // SAFETY: as the header asks.
        exchange.reply(unsafe { array(reply, len, "reply") }?)?;
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(exchange, err, body) }
}

/// Tells what was done so far. Ranges of which both hold the same are not looked into, so their events are not among those compared.
///
/// Arguments: exchange. on_gap: called for each damaged place that is known, first those of the other store, whose path is a bare name or
/// empty, then its own; or NULL. userdata: given to it as it is.
/// values, capacity: an array of the caller and its length, ESTORE_REPAIRED_COUNT for all that this header knows; capacity 0 ignores the
/// pointer. n: where it goes how many numbers this library knows, or NULL.
/// Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_REPAIRED_ constants, and *n set; elements from *n on, and all
/// on failure, are as they were.
/// Ownership: the array is the caller's. See estore_gap_fn for what it receives.
/// Threads: any, one at a time on one exchange.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_exchange_repaired(
    exchange: *const estore_exchange,
    on_gap: estore_gap_fn,
    userdata: *mut c_void,
    values: *mut u64,
    capacity: usize,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let outputs = RepairedOutputs { values, capacity, n };
    let body = |exchange: &mut Exchange| {
        outputs.check()?;
        let repaired = exchange.repaired();
        // SAFETY: as the header asks.
        unsafe { outputs.put(repaired, on_gap, userdata) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(exchange, err, body) }
}

/// Ends an exchange, at any point, and sets the variable to NULL. What was copied stays; another exchange brings the rest.
///
/// Arguments: exchange: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
/// stays.
/// Ownership: ends the caller's. The store may be closed before or after.
/// Threads: any, while no other thread uses the exchange. Allowed in a forked child, where it touches no file and no lock.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_exchange_close(exchange: *mut *mut estore_exchange, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { close(exchange, err, |_| Ok(())) }
}
