//! `efile_*`: the store of one chunk, call by call as `estore_*`.

use std::ffi::{c_char, c_void};

use super::bytes::estore_bytes;
use super::calls::{self, AbsentOutputs, CompactOutputs, DigestOutputs, RepairCallbacks, SnapshotOutputs, VerifyOutputs, Window};
use super::error::estore_error;
use super::event::estore_event;
use super::exchange::{RepairedOutputs, estore_exchange};
use super::export::estore_export;
use super::handle::Opaque;
use super::iter::estore_iter;
use super::options::estore_options;
use super::progress::estore_progress_fn;
use super::status::estore_status;
use super::verify::{estore_finding_fn, estore_gap_fn};
use crate::Efile;

/// The simple store: one log of any time range, in a folder of its own. Made by efile_open; any number of threads may use it at once.
/// Events, iterators, options and errors are those of estore.
pub struct efile {
    _opaque: [u8; 0],
}

impl Opaque for efile {
    type Inner = Efile;
    const TAG: u64 = u64::from_le_bytes(*b"es:efile");
    const NAME: &'static str = "file";
    const OF_ONE_PROCESS: bool = true;

    fn is_in_use(inner: &Self::Inner) -> bool {
        inner.is_being_received()
    }
}

/// Opens an efile, or creates it: the simple store, one log of any time range with its recon file and its index, in a folder of its own.
/// After a crash this recovers every event that was promised; what it cut goes to the log callback.
///
/// Arguments: path, path_len: the folder, any bytes but NUL, and how many; it need not end in NUL. options: how, or NULL for the
/// defaults. file: where the handle goes.
/// Returns: ESTORE_OK and *file set; on failure *file is as it was.
/// Ownership: the handle is the caller's, to be closed by efile_close. Borrows path and options during the call.
/// Threads: any, at any time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_EXISTS; ESTORE_ERR_LOCKED; ESTORE_ERR_NOT_A_STORE;
/// ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_SETTINGS; ESTORE_ERR_NEWER_FORMAT; ESTORE_ERR_CORRUPT;
/// ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_open(
    path: *const c_char,
    path_len: usize,
    options: *const estore_options,
    file: *mut *mut efile,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::open(path, path_len, options, file, err) }
}

/// Appends a batch, in any order of times. Readers see all of it or nothing. Repeats are stored too.
///
/// Arguments: file. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the efile as of
/// this append goes, or NULL.
/// Returns: ESTORE_OK, stored, and *last_seq set; on failure *last_seq is as it was and nothing is stored, except that
/// ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
/// Ownership: borrows the events and their data during the call.
/// Threads: any, also at the same time; each batch stays together.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED;
/// ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_append(
    file: *mut efile,
    events: *const estore_event,
    n: usize,
    last_seq: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::append(file, events, n, last_seq, err) }
}

/// Appends those events of a batch that are not there yet, in one step: none whose time, id and data are those of a stored event or of an
/// earlier one in the batch. Meant for sources that send again what may have been stored.
///
/// Arguments: file. events, n: the batch; seq is ignored, and n 0 ignores the pointer. last_seq: where the last seq of the efile as of
/// this append goes. stored, present, expired: where the numbers of events go that were stored, were there already, or lay before what
/// was deleted. Each of the four may be NULL.
/// Returns: ESTORE_OK and the outputs set, stored + present + expired = n; on failure they are as they were and nothing is stored, except
/// that ESTORE_ERR_OUTCOME_UNKNOWN leaves that open.
/// Ownership: borrows the events and their data during the call.
/// Threads: any, also at the same time; each batch stays together.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_TOO_LARGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED;
/// ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_append_absent(
    file: *mut efile,
    events: *const estore_event,
    n: usize,
    last_seq: *mut u64,
    stored: *mut u64,
    present: *mut u64,
    expired: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::append_absent(file, events, n, AbsentOutputs { last_seq, stored, present, expired }, err) }
}

/// Makes everything appended so far survive loss of power. Blocks until the disk has confirmed.
///
/// Arguments: file. durable_seq: where the seq goes up to which everything is safe now, or NULL.
/// Returns: ESTORE_OK and *durable_seq set; on failure it is as it was. After ESTORE_ERR_IO or ESTORE_ERR_OUTCOME_UNKNOWN the efile refuses
/// appends until it is opened again, since what the disk holds is unknown.
/// Ownership: borrows file.
/// Threads: any, also beside appends and other syncs.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN;
/// ESTORE_ERR_IO; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_sync(file: *mut efile, durable_seq: *mut u64, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::sync(file, durable_seq, err) }
}

/// Does what is due by time (a sync, a flush of the buffer; in a handle that only reads, a look for what its tails wait for). Only needed
/// if the efile was opened without a thread of its own; see estore_options_set_background.
///
/// Arguments: file.
/// Returns: ESTORE_OK, also if nothing was due.
/// Ownership: borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
/// ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_tick(file: *mut efile, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::tick(file, err) }
}

/// Tells the last seq given. Costs no input or output where the efile is open for writing; a handle that only reads looks for news first.
///
/// Arguments: file. seq: where the number goes; 0 if nothing was ever appended.
/// Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
/// Ownership: borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_last_seq(file: *const efile, seq: *mut u64, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::value(file, seq, "seq", err, |engine| Ok(engine.last_seq())) }
}

/// Tells up to which seq everything survives loss of power. Costs no input or output where the efile is open for writing; a handle that
/// only reads looks for news first, and may know of less than is safe.
///
/// Arguments: file. seq: where the number goes.
/// Returns: ESTORE_OK and *seq set; on failure *seq is as it was.
/// Ownership: borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_durable_seq(file: *const efile, seq: *mut u64, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::value(file, seq, "seq", err, |engine| Ok(engine.durable_seq())) }
}

/// Starts reading a range in exact time order, equal times in the order in which they were appended. The iterator shows one moment: every
/// append that had returned, and nothing that comes later.
///
/// Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_READ_FORWARD, ESTORE_READ_REVERSE,
/// ESTORE_READ_LAST, ESTORE_READ_SALVAGE, or several together. limit: at most so many events, counted from where reading starts; 0 for no
/// limit. iter: where the iterator goes.
/// Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
/// Ownership: the iterator is the caller's, to be closed by estore_iter_close. It keeps what it needs: the efile may be closed before it.
/// Threads: any, also at the same time; the iterator itself is used by one thread at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
/// ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
/// be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_read_iter(
    file: *const efile,
    start: u64,
    end: u64,
    flags: u32,
    limit: u64,
    iter: *mut *mut estore_iter,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::read(file, Window { start, end, flags, limit }, iter, err) }
}

/// Follows the efile: gives every event with a larger seq than after_seq, in order of arrival (late events as they arrive), and then those
/// that come, in the writing process or in any other. It survives late data, compaction and the writer's restarts. Only the seq of the last
/// event that was handled needs to be kept to go on another time. To look back and then follow: efile_read_iter, then efile_tail_iter from
/// its estore_iter_snapshot_seq. A writer without tails pays nothing for them.
///
/// Arguments: file. after_seq: the seq of the last event that was handled; 0 begins with the first, efile_last_seq with the next to come.
/// iter: where the iterator goes.
/// Returns: ESTORE_OK and *iter set; on failure *iter is as it was.
/// Ownership: the iterator is the caller's, to be closed by estore_iter_close. Once the efile is closed it gives what is left, and then
/// ESTORE_ERR_CLOSED.
/// Threads: any, also at the same time; the iterator itself is used by one thread at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for a seq that no event of this efile can have had yet, that is one beyond the last event
/// unless events with such seqs may have been lost with power); ESTORE_ERR_CLOSED; ESTORE_ERR_IO;
/// ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_CORRUPT;
/// ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_tail_iter(
    file: *const efile,
    after_seq: u64,
    iter: *mut *mut estore_iter,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::tail(file, after_seq, iter, err) }
}

/// Counts the events of a range, as reading it now would give them.
///
/// Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. count: where the number goes.
/// Returns: ESTORE_OK and *count set; on failure *count is as it was.
/// Ownership: borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_MISSING_FEATURE;
/// ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to
/// be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_count(file: *const efile, start: u64, end: u64, count: *mut u64, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::value(file, count, "count", err, |engine| Ok(engine.count(start..=end)?)) }
}

/// Tells the numbers of the efile.
///
/// Arguments: file. values, capacity: an array of the caller and its length, ESTORE_STAT_COUNT for all that this header knows; capacity 0
/// ignores the pointer. n: where it goes how many numbers this library knows.
/// Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_STAT_ constants, and *n set; elements from *n on, and all on
/// failure, are as they were.
/// Ownership: the array is the caller's; borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
/// ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_stats(
    file: *const efile,
    values: *mut u64,
    capacity: usize,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::stats(file, values, capacity, n, err) }
}

/// Looks at every byte of the efile: all checksums, the order of events, and whether the files agree with each other. May run while others
/// append and read, in this process and beside the writer in another: an append in progress is not taken for damage. Changes nothing.
///
/// Arguments: file. on_finding: called for each finding, or NULL to have them counted only. userdata: given to it as it is. events: where
/// the number of events goes that were found whole, or NULL. damaged: where the number of findings goes that are ESTORE_FINDING_DAMAGE, or
/// NULL.
/// Returns: ESTORE_OK and the outputs set, whatever was found and also if on_finding ended the walk; on failure they are as they were.
/// Ownership: borrows file; see estore_finding_fn for what it receives.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
/// ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_verify(
    file: *const efile,
    on_finding: estore_finding_fn,
    userdata: *mut c_void,
    events: *mut u64,
    damaged: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::verify(file, on_finding, userdata, VerifyOutputs { events, damaged }, err) }
}

/// Merges the logs of the efile into one: sorted, in full frames, with nothing late any more. Reading it takes less then, and so does
/// keeping it. Appends and iterators go on meanwhile. An efile does this by itself where it is worth it, unless
/// estore_options_set_compaction is off.
///
/// Arguments: file. start, end: times, both included; an efile is compacted whole, whatever they are. on_progress: is told how far it is,
/// or NULL. userdata: given to it as it is. bytes_before, bytes_after: where the bytes of the logs go that were compacted, as they were and
/// as they are; each may be NULL.
/// Returns: ESTORE_OK and the outputs set, also if on_progress stopped it: then nothing has changed; on failure they are as they were. A
/// damaged efile stays as it is.
/// Ownership: borrows file; see estore_progress_fn.
/// Threads: any, also beside all other calls; one at a time compacts, the others wait.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE (nothing is lost); ESTORE_ERR_IO;
/// ESTORE_ERR_CORRUPT; ESTORE_ERR_READ_ONLY; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_compact(
    file: *const efile,
    start: u64,
    end: u64,
    on_progress: estore_progress_fn,
    userdata: *mut c_void,
    bytes_before: *mut u64,
    bytes_after: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    let outputs = CompactOutputs { bytes_before, bytes_after };
    // SAFETY: as the header asks.
    unsafe { calls::compact(file, (start, end), on_progress, userdata, outputs, err) }
}

/// Makes a copy of the efile as it is at one moment in another folder, while appends, compaction and iterators go on. When it returns the
/// copy is durable, and an efile like any other: it can be opened for reading, and for writing, from when on it is one of its own. Also
/// through a handle that only reads, beside a writer in another process. Logs that compaction has made, which never change, are not copied
/// where the file system has hard links: one file then has a name in both folders, and whatever becomes of one of them, the other keeps it.
/// All that is copied is looked at; damage is copied too, and counted.
///
/// Arguments: file. dir, dir_len: the folder. It is made if it is not there, in a folder that is; it may be empty, or hold an earlier
/// snapshot of the same efile that nobody has opened for writing: then only what is new is copied, and until the new one is whole the
/// earlier one is there. on_progress: is told how far it is, or NULL. userdata: given to it as it is. seq: where the last seq goes that the
/// snapshot shows, to follow from. bytes_copied, bytes_linked: where the bytes of the logs go that were copied, and that have got a second
/// name. damaged: where the number of damaged places goes. stopped: where 1 goes if on_progress stopped it, which leaves the folder as it
/// was, else 0. Each output may be NULL.
/// Returns: ESTORE_OK and the outputs set, also if on_progress stopped it; on failure they, and the folder, are as they were.
/// Ownership: borrows file and dir; see estore_progress_fn.
/// Threads: any, also beside all other calls; one at a time into one folder, others get ESTORE_ERR_LOCKED.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for the folder of the efile itself, and those in it); ESTORE_ERR_EXISTS (another store, or
/// a snapshot that is or was open for writing, or a later one); ESTORE_ERR_FOREIGN_FILES; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED
/// (another one is being made there); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_IO; ESTORE_ERR_PERMISSION; ESTORE_ERR_CORRUPT (an
/// earlier snapshot is damaged); ESTORE_ERR_GONE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_snapshot(
    file: *const efile,
    dir: *const c_char,
    dir_len: usize,
    on_progress: estore_progress_fn,
    userdata: *mut c_void,
    seq: *mut u64,
    bytes_copied: *mut u64,
    bytes_linked: *mut u64,
    damaged: *mut u64,
    stopped: *mut i32,
    err: *mut estore_error,
) -> estore_status {
    let outputs = SnapshotOutputs { seq, bytes_copied, bytes_linked, damaged, stopped };
    // SAFETY: as the header asks.
    unsafe { calls::snapshot(file, (dir, dir_len), on_progress, userdata, outputs, err) }
}

/// Tells what a time range holds, in a few numbers that are equal for equal sets of events, however they were appended, how often, and
/// whatever has become of their files: for each bucket of time how many events there are (repeats count once) and an order-free 128-bit sum
/// of their hashes. Two efiles that should hold the same are compared by it. Takes about two scans of the range.
///
/// Arguments: file. start, end: times, both inclusive. width_ns: how long each bucket is; the last one may be shorter. Range and width
/// are to be the same for both. buckets, capacity_buckets: an array of the caller with room for three numbers for each bucket. n_buckets:
/// where the number of buckets goes, which is (end - start) / width_ns + 1, or NULL. horizon: where the time goes before which the efile
/// has deleted everything, or NULL.
/// Returns: ESTORE_OK, of each bucket in turn the count and the low and the high 64 bits of the sum in buckets, and the outputs set; on
/// failure all is as it was.
/// Ownership: the array is the caller's; borrows file.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also for more than 1048576 buckets, and too little room); ESTORE_ERR_RANGE;
/// ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE,
/// ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_digest(
    file: *const efile,
    start: u64,
    end: u64,
    width_ns: u64,
    buckets: *mut u64,
    capacity_buckets: usize,
    n_buckets: *mut usize,
    horizon: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    let outputs = DigestOutputs { buckets, capacity: capacity_buckets, n: n_buckets, horizon };
    // SAFETY: as the header asks.
    unsafe { calls::digest(file, (start, end), width_ns, outputs, err) }
}

/// Brings an efile what it lacks of the events of another one that is open here too, in a time range; or each of the two what it lacks.
/// Nothing is doubled. Their settings may differ. Both are as they are when it begins, and are read once; appends may go on meanwhile. What
/// is in damaged frames is not there, in either of them: it is not copied from the other one, and copied anew to the one that is repaired.
/// It can be stopped, or fail, at any point, and be done again: what was copied stays, and a second time nothing is.
///
/// Arguments: to, from: the efile that is repaired, and the other one. start, end: times, both inclusive; UINT64_MAX as end means no end.
/// flags: ESTORE_REPAIR_ONE_WAY or ESTORE_REPAIR_BOTH_WAYS. on_gap: called at the end for each damaged place, first those of the other one,
/// then those of the one that is repaired, or NULL. on_progress: is told how far it is, or NULL. userdata: given to both as it is. values,
/// capacity: an array of the caller and its length, ESTORE_REPAIRED_COUNT for all that this header knows; capacity 0 ignores the pointer.
/// n: where it goes how many numbers this library knows, or NULL.
/// Returns: ESTORE_OK, the first numbers in the array, indexed by the ESTORE_REPAIRED_ constants, and *n set, also if on_progress stopped
/// it; elements from *n on, and all on failure, are as they were.
/// Ownership: borrows both, and the array; see estore_gap_fn and estore_progress_fn.
/// Threads: any, also beside all other calls.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_CLOSED; ESTORE_ERR_CORRUPT;
/// ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of the one that is given events);
/// ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
/// ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_repair(
    to: *mut efile,
    from: *mut efile,
    start: u64,
    end: u64,
    flags: u32,
    on_gap: estore_gap_fn,
    on_progress: estore_progress_fn,
    userdata: *mut c_void,
    values: *mut u64,
    capacity: usize,
    n: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let callbacks = RepairCallbacks { on_gap, on_progress, userdata };
    let outputs = RepairedOutputs { values, capacity, n };
    // SAFETY: as the header asks.
    unsafe { calls::repair((to, from), (start, end), flags, callbacks, outputs, err) }
}

/// Begins to bring an efile what it lacks of the events of another one in a time range, which may be anywhere: the two exchange messages,
/// and it is the caller who carries them. estore_exchange_request gives a message; efile_answer of the other one answers it; the answer
/// goes to estore_exchange_reply; until there is no request any more. One event that lacks among 100 million is found with a few messages
/// of some kilobytes.
///
/// Arguments: file. start, end: times, both inclusive; UINT64_MAX as end means no end. flags: ESTORE_REPAIR_ONE_WAY or
/// ESTORE_REPAIR_BOTH_WAYS. exchange: where the exchange goes.
/// Returns: ESTORE_OK and *exchange set; on failure it is as it was.
/// Ownership: the exchange is the caller's, to be ended by estore_exchange_close. Once the efile is closed it fails with
/// ESTORE_ERR_CLOSED.
/// Threads: any, also at the same time; the exchange itself is used by one thread at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_IO;
/// ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION; ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of
/// a buffer that is to be flushed first); ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_exchange_begin(
    file: *mut efile,
    start: u64,
    end: u64,
    flags: u32,
    exchange: *mut *mut estore_exchange,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::begin_exchange(file, (start, end), flags, exchange, err) }
}

/// Answers a message of an exchange elsewhere. Nothing is remembered from one message to the next, so a peer may vanish at any point.
///
/// Arguments: file: may be open for reading only, unless the other one gives it events. message, len: the message, as it came. reply: where
/// the answer goes.
/// Returns: ESTORE_OK and *reply set; on failure it is as it was.
/// Ownership: the reply is the caller's, to be freed by estore_bytes_free. Borrows message during the call.
/// Threads: any, also at the same time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no message of an exchange, or one that was cut or changed: nothing was
/// stored); ESTORE_ERR_READ_ONLY; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_TOO_LARGE and ESTORE_ERR_TOO_MANY_CHUNKS (by the limits of this
/// one); ESTORE_ERR_CLOSED; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO; ESTORE_ERR_GONE;
/// ESTORE_ERR_PERMISSION; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_answer(
    file: *mut efile,
    message: *const u8,
    len: usize,
    reply: *mut *mut estore_bytes,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::answer(file, (message, len), reply, err) }
}

/// Starts giving the events of a range as parcels, bytes that can be kept or carried anywhere, for efile_import elsewhere. The export shows
/// one moment, as an iterator does.
///
/// Arguments: file. start, end, flags, limit: as for efile_read_iter. parcels: where the export goes.
/// Returns: ESTORE_OK and *parcels set; on failure it is as it was.
/// Ownership: the export is the caller's, to be closed by estore_export_close. It keeps what it needs: the efile may be closed before it.
/// Threads: any, also at the same time; the export itself is used by one thread at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_RANGE; ESTORE_ERR_IO; ESTORE_ERR_CORRUPT; ESTORE_ERR_GONE; ESTORE_ERR_PERMISSION;
/// ESTORE_ERR_NO_SPACE, ESTORE_ERR_POISONED and ESTORE_ERR_OUTCOME_UNKNOWN (of a buffer that is to be flushed first); ESTORE_ERR_FORKED;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_export_begin(
    file: *const efile,
    start: u64,
    end: u64,
    flags: u32,
    limit: u64,
    parcels: *mut *mut estore_export,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::begin_export(file, Window { start, end, flags, limit }, parcels, err) }
}

/// Appends the events of a parcel that are not there yet, as one batch. One that was cut or changed on its way is refused as a whole.
///
/// Arguments: file. parcel, len: the parcel, as estore_export_next gave it elsewhere. last_seq, stored, present, expired: as for
/// efile_append_absent; each may be NULL.
/// Returns: ESTORE_OK and the outputs set; on failure they are as they were and nothing is stored, except that ESTORE_ERR_OUTCOME_UNKNOWN
/// leaves that open.
/// Ownership: borrows parcel during the call.
/// Threads: any, also at the same time; each parcel stays together.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_CORRUPT (no parcel, or one that was cut or changed); ESTORE_ERR_TOO_LARGE;
/// ESTORE_ERR_TOO_MANY_CHUNKS; ESTORE_ERR_READ_ONLY; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
/// ESTORE_ERR_PERMISSION; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_FORKED; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_import(
    file: *mut efile,
    parcel: *const u8,
    len: usize,
    last_seq: *mut u64,
    stored: *mut u64,
    present: *mut u64,
    expired: *mut u64,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::import(file, (parcel, len), AbsentOutputs { last_seq, stored, present, expired }, err) }
}

/// Closes an efile: flushes, syncs, gives up the lock, and sets the variable to NULL, also if it reports a failure. Iterators that are
/// open go on.
///
/// Arguments: file: the address of the variable; a NULL in it is fine, so closing twice is too.
/// Returns: ESTORE_OK: all appended events are on disk. If the variable held a handle of another kind, or one that a call is using (as in a
/// callback of that call): ESTORE_ERR_INVALID, and it stays. Any other failure says that some may not be; the handle is gone all the same.
/// Ownership: ends the caller's.
/// Threads: any, while no other thread uses the handle. Allowed in a forked child, where it touches no file and no lock.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NO_SPACE; ESTORE_ERR_POISONED; ESTORE_ERR_OUTCOME_UNKNOWN; ESTORE_ERR_IO;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_close(file: *mut *mut efile, err: *mut estore_error) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::close_engine(file, err) }
}

/// Removes an efile from disk: its own files, and the folder if nothing else is in it.
///
/// Arguments: path, path_len: the folder, any bytes but NUL, and how many. options: none of them has a meaning here; NULL will do.
/// Returns: ESTORE_OK if it is gone.
/// Ownership: borrows path and options during the call.
/// Threads: any, at any time. Refused while a writer has the efile open.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_NOT_FOUND; ESTORE_ERR_NOT_A_STORE; ESTORE_ERR_NOT_A_FOLDER; ESTORE_ERR_LOCKED;
/// ESTORE_ERR_PERMISSION; ESTORE_ERR_IO; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn efile_destroy(
    path: *const c_char,
    path_len: usize,
    options: *const estore_options,
    err: *mut estore_error,
) -> estore_status {
    // SAFETY: as the header asks.
    unsafe { calls::destroy::<Efile>(path, path_len, options, err) }
}
