//! `estore_event`, the struct in which events cross in both directions, and how a C array of them becomes a batch without copying.

use std::mem::offset_of;
use std::{ptr, slice};

use super::error::Failure;
use super::status::{ESTORE_ERR_TOO_LARGE, ESTORE_OK, estore_status};
use super::{array, guarded, panics, require};
use crate::event::{AsEvent, EventRef};

/// An event. 32 bytes on a 64-bit machine, frozen. Two events with equal time, id and data are the same event.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct estore_event {
    /// When it happened: nanoseconds since the Unix epoch, by convention. Every value is legal.
    pub time: u64,
    /// The arrival number that the store gave it, never 0. Ignored when appending.
    pub seq: u64,
    /// The payload. Appending: memory of the caller, read during the call only. Reading: memory of the iterator, valid until the next
    /// event or batch is asked of it, or its close. With len 0 it means nothing and must not be followed.
    pub data: *const u8,
    /// The length of the payload in bytes.
    pub len: u32,
    /// Tells apart two events with equal time and equal data.
    pub id: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<estore_event>() == 32 && align_of::<estore_event>() == 8);
#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    offset_of!(estore_event, time) == 0
        && offset_of!(estore_event, seq) == 8
        && offset_of!(estore_event, data) == 16
        && offset_of!(estore_event, len) == 24
        && offset_of!(estore_event, id) == 28
);

impl estore_event {
    /// The C view of an event that lives elsewhere.
    pub(super) fn of(event: EventRef<'_>) -> Result<estore_event, Failure> {
        let len = u32::try_from(event.data.len())
            .map_err(|_| Failure::new(ESTORE_ERR_TOO_LARGE, "an event of 4 GiB or more has no place in estore_event"))?;
        Ok(estore_event { time: event.time, seq: event.seq, data: event.data.as_ptr(), len, id: event.id })
    }
}

/// An event of the caller whose data pointer was checked: only [`batch`] makes it.
#[repr(transparent)]
pub(super) struct Checked(estore_event);

impl AsEvent for Checked {
    fn as_event(&self) -> EventRef<'_> {
        let data = match self.0.len {
            0 => &[],
            // SAFETY: `batch` refused NULL here, and its caller promised memory that can be read for as long as this reference lives.
            len => unsafe { slice::from_raw_parts(self.0.data, len as usize) },
        };
        EventRef::new(self.0.time, self.0.id, data)
    }
}

/// The caller's array as something to append. All of it is checked first, so that a bad event keeps the whole batch out.
///
/// # Safety
///
/// `events` is NULL or valid for reads of `len` events, each with data valid for reads of its length, for all of `'a`; nobody writes to
/// any of it meanwhile.
#[inline(always)]
pub(super) unsafe fn batch<'a>(events: *const estore_event, len: usize) -> Result<&'a [Checked], Failure> {
    // SAFETY: the caller's promise; `Checked` has the layout of `estore_event`.
    let events: &[Checked] = unsafe { array(events.cast(), len, "events") }?;
    match events.iter().position(|event| event.0.data.is_null() && event.0.len > 0) {
        None => Ok(events),
        Some(index) => Err(Failure::invalid(format!("event {index} of the batch has a length but NULL as data"))),
    }
}

/// The wall clock.
///
/// Arguments: none.
/// Returns: nanoseconds since the Unix epoch; 0 if the clock stands before 1970.
/// Ownership: none.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_now() -> u64 {
    panics::catch(crate::event::now).unwrap_or(0)
}

/// A random id for an event. Ids need not be unique: they only have to tell apart events of equal time and equal data. Draws from a
/// generator of each thread, seeded by the operating system and seeded again after a fork.
///
/// Arguments: none.
/// Returns: any 32-bit number.
/// Ownership: none.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_event_id() -> u32 {
    panics::catch(crate::event::event_id).unwrap_or(0)
}

/// Makes an event that happened now, with a fresh id, seq 0 and the given data. Nothing is stored yet.
///
/// Arguments: event: the struct to fill. data, len: the payload in bytes; with len 0, data is ignored.
/// Returns: ESTORE_OK and *event filled; on failure *event is as it was.
/// Ownership: the event borrows data, which must stay until the event was appended.
/// Threads: any.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (event is NULL, or data is NULL with a length); ESTORE_ERR_TOO_LARGE (len does not fit 32
/// bits); ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_event_init(event: *mut estore_event, data: *const u8, len: usize) -> estore_status {
    let body = || {
        require(event, "event")?;
        let data = if len == 0 { ptr::null() } else { data };
        if len > 0 {
            require(data, "data")?;
        }
        let len = u32::try_from(len).map_err(|_| Failure::new(ESTORE_ERR_TOO_LARGE, "the data is longer than 4 GiB"))?;
        let made = estore_event { time: crate::event::now(), seq: 0, data, len, id: crate::event::event_id() };
        // SAFETY: not NULL, so valid for writes by this function's contract.
        unsafe { event.write(made) };
        Ok(ESTORE_OK)
    };
    // SAFETY: no error struct.
    unsafe { guarded(ptr::null_mut(), body) }
}
