//! `estore_export`: the events of a range as parcels.

use std::ffi::c_void;
use std::sync::Mutex;

use super::bytes::{self, estore_bytes};
use super::error::{Failure, estore_error};
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_END, ESTORE_OK, estore_status};
use super::verify::{estore_gap_fn, tell_gaps};
use super::{close, exclusively, is_locked, put, require};
use crate::Export;

/// The events of a range as parcels: bytes that can be kept or carried anywhere, each parcel whole in itself. Made by estore_export_begin
/// or efile_export_begin. Used by one thread at a time; keeps what it needs of its store alive, so the two may be closed in any order.
pub struct estore_export {
    _opaque: [u8; 0],
}

impl Opaque for estore_export {
    type Inner = Mutex<Export>;
    const TAG: u64 = u64::from_le_bytes(*b"es:expor");
    const NAME: &'static str = "export";
    const OF_ONE_PROCESS: bool = true;

    fn is_in_use(inner: &Self::Inner) -> bool {
        is_locked(inner)
    }
}

/// An export as a handle for the caller.
pub(super) fn make(export: Export) -> *mut estore_export {
    Handle::make(Mutex::new(export))
}

/// Gives the next events as a parcel, for estore_import or efile_import elsewhere. Parcels may be put one behind the other in a file: bytes
/// 16 to 23 of each say how long it is, as a little-endian number.
///
/// Arguments: parcels: the export. max_bytes: a parcel has at most so many bytes, unless a single event needs more. 1 MiB is a good size.
/// parcel: where the parcel goes.
/// Returns: ESTORE_OK and *parcel set; ESTORE_END at the end, again and again. *parcel is as it was unless ESTORE_OK is returned. After a
/// failure each further call answers the same.
/// Ownership: the parcel is the caller's, to be freed by estore_bytes_free.
/// Threads: any, one at a time on one export.
/// Statuses: ESTORE_OK; ESTORE_END; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT (after every whole event before the damage);
/// ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_export_next(
    parcels: *mut estore_export,
    max_bytes: usize,
    parcel: *mut *mut estore_bytes,
    err: *mut estore_error,
) -> estore_status {
    let body = |export: &mut Export| {
        require(parcel, "parcel")?;
        if max_bytes == 0 {
            return Err(Failure::invalid("max_bytes is 0"));
        }
        let Some(next) = export.next_parcel(max_bytes)? else { return Ok(ESTORE_END) };
        // SAFETY: not NULL, so valid for writes.
        unsafe { parcel.write(bytes::make(next)) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(parcels, err, body) }
}

/// Tells up to which seq the export shows the store: every event of its range with at most this seq, and none with a larger one.
///
/// Arguments: parcels: the export. seq: where the number goes.
/// Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
/// Ownership: borrows parcels.
/// Threads: any, one at a time on one export.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_export_snapshot_seq(parcels: *const estore_export, seq: *mut u64, err: *mut estore_error) -> estore_status {
    let body = |export: &mut Export| {
        require(seq, "seq")?;
        let snapshot = export.snapshot_seq();
        // SAFETY: not NULL, so valid for writes.
        unsafe { seq.write(snapshot) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(parcels, err, body) }
}

/// Tells what an export made with ESTORE_READ_SALVAGE has left out so far; all of it is known once it has come to its end. Other exports
/// leave nothing out.
///
/// Arguments: parcels: the export. on_gap: called for each gap, or NULL to have them counted only. userdata: given to it as it is. n: where
/// the number of gaps goes, or NULL.
/// Returns: ESTORE_OK and *n set; on failure *n is as it was.
/// Ownership: borrows parcels. See estore_gap_fn for what it receives.
/// Threads: any, one at a time on one export.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_export_gaps(
    parcels: *const estore_export,
    on_gap: estore_gap_fn,
    userdata: *mut c_void,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |export: &mut Export| {
        let gaps = export.gaps();
        // SAFETY: a function as the header asks for; n is NULL or valid for writes.
        unsafe {
            tell_gaps(on_gap, userdata, gaps);
            put(n, gaps.len());
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { exclusively(parcels, err, body) }
}

/// Closes an export and sets the variable to NULL. Parcels that it gave stay.
///
/// Arguments: parcels: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
/// stays.
/// Ownership: ends the caller's. The store may be closed before or after.
/// Threads: any, while no other thread uses the export. Allowed in a forked child, where it touches no file and no lock.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_export_close(parcels: *mut *mut estore_export, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { close(parcels, err, |_| Ok(())) }
}
