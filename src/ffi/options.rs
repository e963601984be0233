//! `estore_options`: a builder with one validating setter for each option.
//!
//! New options are new functions, so no layout is shared. The engine's own check decides what is valid.

use std::ffi::{c_char, c_void};
use std::sync::{RwLock, TryLockError};
use std::{ptr, str};

use super::error::{Failure, estore_error};
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_OK, estore_status};
use super::verify::text;
use super::{close, guarded, panics, require, short_text, with};
use crate::duration;
use crate::options::{Compression, Durability, Level, Mode, Options};

/// How to make or open a store: made by estore_options_new, changed by its setters, given to estore_open, freed by
/// estore_options_free. One set of options may open any number of stores, and may be freed or changed while they are open.
pub struct estore_options {
    _opaque: [u8; 0],
}

impl Opaque for estore_options {
    type Inner = RwLock<Options>;
    const TAG: u64 = u64::from_le_bytes(*b"es:optio");
    const NAME: &'static str = "options";
    /// They are memory and nothing else, so a forked child may use them.
    const OF_ONE_PROCESS: bool = false;

    fn is_in_use(inner: &Self::Inner) -> bool {
        matches!(inner.try_write(), Err(TryLockError::WouldBlock))
    }
}

fn busy<T>(_: TryLockError<T>) -> Failure {
    Failure::invalid("another thread uses these options in this moment")
}

/// The options behind a pointer of the caller; the defaults for NULL.
///
/// # Safety
///
/// `options` is NULL or points to a handle that isn't closed.
pub(super) unsafe fn of(options: *const estore_options) -> Result<Options, Failure> {
    if options.is_null() {
        return Ok(Options::new());
    }
    // SAFETY: the caller's promise.
    let handle = unsafe { Handle::live(options) }?;
    handle.usable::<estore_options>()?;
    let options = handle.inner().try_read().map_err(busy)?;
    Ok(options.clone())
}

/// Changes the options if the result is valid, and leaves them as they were if not.
///
/// # Safety
///
/// As for [`of`].
unsafe fn set(options: *mut estore_options, change: impl FnOnce(Options) -> Result<Options, Failure>) -> estore_status {
    // SAFETY: the caller's promise; no error struct.
    unsafe { set_or_tell(options, change, ptr::null_mut()) }
}

/// As [`set`]; tells what is wrong.
///
/// # Safety
///
/// As for [`of`]; `err` is NULL or valid for writes.
unsafe fn set_or_tell(
    options: *mut estore_options,
    change: impl FnOnce(Options) -> Result<Options, Failure>,
    err: *mut estore_error,
) -> estore_status {
    let body = |options: &RwLock<Options>| {
        let mut options = options.try_write().map_err(busy)?;
        let changed = change(options.clone())?;
        changed.check()?;
        *options = changed;
        Ok(ESTORE_OK)
    };
    // SAFETY: the caller's promise.
    unsafe { with(options, err, body) }
}

pub(super) fn truth(value: i32) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::invalid(format!("0 or 1 was expected, not {value}"))),
    }
}

/// Understands a duration as people type it: one or more whole numbers, each with a unit (ns us ms s m h d w), which add up, such as 1d,
/// 500ms or 1h30m.
///
/// Arguments: text, len: the text in UTF-8 and its length in bytes; it need not end in NUL. ns: where the nanoseconds go.
/// Returns: ESTORE_OK and *ns set; on failure *ns is as it was.
/// Ownership: borrows text during the call.
/// Threads: any, at any time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (ns is NULL, or text is no duration: empty, without a unit, 0, longer than 584 years);
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_duration_parse(text: *const c_char, len: usize, ns: *mut u64, err: *mut estore_error) -> estore_status {
    let body = || {
        require(ns, "ns")?;
        // SAFETY: the header asks for len readable bytes.
        let bytes = unsafe { short_text(text, len, "text") }?;
        let text = str::from_utf8(bytes).map_err(|_| Failure::invalid("the duration is not UTF-8"))?;
        let nanoseconds = duration::parse(text)?;
        // SAFETY: not NULL, so valid for writes.
        unsafe { ns.write(nanoseconds) };
        Ok(ESTORE_OK)
    };
    // SAFETY: err is NULL or valid, as the header asks.
    unsafe { guarded(err, body) }
}

/// Makes options with their defaults: create the store if it is missing, survive the death of the process at once and loss of power
/// after one second, one-day files and one minute of grace for a new store.
///
/// Arguments: none.
/// Returns: the options; NULL only if the library failed inside.
/// Ownership: the caller's, to be freed by estore_options_free.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_options_new() -> *mut estore_options {
    let made = panics::catch(|| {
        panics::injected();
        Handle::make::<estore_options>(RwLock::new(Options::new()))
    });
    made.unwrap_or(ptr::null_mut())
}

/// mode: open the store, or create it (and the last folder of its path) if there is none. The default.
pub const ESTORE_MODE_CREATE_IF_MISSING: i32 = 0;
/// mode: create the store; one that is there already is an error.
pub const ESTORE_MODE_CREATE_NEW: i32 = 1;
/// mode: open the store; a missing one is an error.
pub const ESTORE_MODE_EXISTING: i32 = 2;
/// mode: open it for reading only. Takes no lock, writes nothing, and works beside a writer: each read shows what that has handed to the
/// system by then.
pub const ESTORE_MODE_READ_ONLY: i32 = 3;

/// Sets what opening does when there is, or is no, store.
///
/// Arguments: options. mode: one of the ESTORE_MODE_ constants; ESTORE_MODE_CREATE_IF_MISSING is the default.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_mode(options: *mut estore_options, mode: i32) -> estore_status {
    let change = |options: Options| {
        let mode = match mode {
            ESTORE_MODE_CREATE_IF_MISSING => Mode::CreateIfMissing,
            ESTORE_MODE_CREATE_NEW => Mode::CreateNew,
            ESTORE_MODE_EXISTING => Mode::Existing,
            ESTORE_MODE_READ_ONLY => Mode::ReadOnly,
            _ => return Err(Failure::invalid(format!("{mode} is no mode"))),
        };
        Ok(options.mode(mode))
    };
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, change) }
}

/// durability: an append that returned may be lost when the process dies, up to a bounded buffer; see estore_options_set_buffer.
pub const ESTORE_DURABILITY_BUFFERED: i32 = 0;
/// durability: an append that returned survives the death of the process, but not of the machine.
pub const ESTORE_DURABILITY_PROCESS: i32 = 1;
/// durability: as ESTORE_DURABILITY_PROCESS, and at most so many nanoseconds later also loss of power. The default, with one second.
pub const ESTORE_DURABILITY_INTERVAL: i32 = 2;
/// durability: an append that returned survives loss of power. Appends that run at once share their syncs.
pub const ESTORE_DURABILITY_POWER: i32 = 3;

/// Sets what an append survives once it has returned.
///
/// Arguments: options. durability: one of the ESTORE_DURABILITY_ constants. interval_ns: for ESTORE_DURABILITY_INTERVAL the longest
/// time until a sync in nanoseconds, at least 1; ignored otherwise.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_durability(options: *mut estore_options, durability: i32, interval_ns: u64) -> estore_status {
    let change = |options: Options| {
        let durability = match durability {
            ESTORE_DURABILITY_BUFFERED => Durability::Buffered,
            ESTORE_DURABILITY_PROCESS => Durability::Process,
            ESTORE_DURABILITY_INTERVAL => Durability::Interval(interval_ns),
            ESTORE_DURABILITY_POWER => Durability::Power,
            _ => return Err(Failure::invalid(format!("{durability} is no durability"))),
        };
        Ok(options.durability(durability))
    };
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, change) }
}

/// Sets the time range of one chunk of a new store. The number of an event's chunk is its time divided by this. The store keeps it;
/// opening one that was made with another value fails with ESTORE_ERR_SETTINGS. An efile has no chunks and refuses the option.
///
/// Arguments: options. file_size_ns: nanoseconds (or whatever unit the times have), at least 1; one day if never set.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_file_size_ns(options: *mut estore_options, file_size_ns: u64) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.file_size(file_size_ns))) }
}

/// Sets the grace of a new store: an event is late when it lies more than this behind the newest of its chunk. It changes how late
/// events are stored, never what is read. The store keeps it; opening one that was made with another value fails with
/// ESTORE_ERR_SETTINGS.
///
/// Arguments: options. grace_ns: nanoseconds (or whatever unit the times have), 0 is legal; one minute if never set.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_grace_ns(options: *mut estore_options, grace_ns: u64) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.grace(grace_ns))) }
}

/// Sets the largest event that the handle appends. Reading has no limit.
///
/// Arguments: options. max_event_len: bytes, at most 1073741824 (1 GiB); 16 MiB by default.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_max_event_len(options: *mut estore_options, max_event_len: u32) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.max_event_len(max_event_len))) }
}

/// Sets how many chunks one batch may create. It keeps one batch of nonsense times from making a million files.
///
/// Arguments: options. max_new_chunks: at least 1; 1024 by default.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_max_new_chunks(options: *mut estore_options, max_new_chunks: usize) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.max_new_chunks(max_new_chunks))) }
}

/// Sets how many logs are kept open for appending; beyond that the one that was used longest ago is synced and closed.
///
/// Arguments: options. max_open_logs: at least 1; 64 by default.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_max_open_logs(options: *mut estore_options, max_open_logs: usize) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.max_open_logs(max_open_logs))) }
}

/// Sets the buffer of ESTORE_DURABILITY_BUFFERED: it is handed to the system once it holds so much, or is so old.
///
/// Arguments: options. buffer_len: bytes, at least 1; 1 MiB by default. buffer_ns: nanoseconds; one second by default.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_buffer(options: *mut estore_options, buffer_len: usize, buffer_ns: u64) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.buffer(buffer_len, buffer_ns))) }
}

/// Sets whether the handle does without index files: it neither reads nor writes them, and scans the logs instead.
///
/// Arguments: options. no_index: 0 (the default) or 1.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_no_index(options: *mut estore_options, no_index: i32) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.no_index(truth(no_index)?))) }
}

/// Sets whether the store may have threads of its own: for what is due by time (syncs of ESTORE_DURABILITY_INTERVAL, flushes of
/// ESTORE_DURABILITY_BUFFERED), for sorting late events and compaction, for retention, and in a handle that only reads for waking its
/// tails. Without them appends sort late events, estore_compact compacts, and estore_tick does the rest.
///
/// Arguments: options. background: 0 or 1 (the default).
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_background(options: *mut estore_options, background: i32) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.background(truth(background)?))) }
}

/// Sets whether the store may compact by itself, on a thread of its own: chunks that get no more events in order, once an eighth of what
/// they hold would be sorted in or joined; and the newest one, once half of a large log came late. Without it, or where
/// estore_options_set_background is off, call estore_compact.
///
/// Arguments: options. compaction: 0 or 1 (the default).
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_compaction(options: *mut estore_options, compaction: i32) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.compaction(truth(compaction)?))) }
}

/// Sets the greatest age of events: chunks all of whose events are older go by themselves, oldest first, for good and power-safe as by
/// estore_delete_before. It is applied in the background, once the store is open and whenever a new chunk begins; by estore_tick where
/// estore_options_set_background is off; and by estore_retain.
///
/// Ages are counted from the smaller of two times: that of the clock, and the newest time that two events have reached. So one event of
/// the far future deletes nothing. Nor does a clock that jumps ahead while the store is open, by which events may be stamped: it counts once
/// it has stayed so for a day, or for the greatest age if that is less. Whether the clock was wrong before, nobody can tell. Never removed
/// are the newest chunk, that of the newest time that two events have reached, the newest that this handle has appended to, and any behind
/// one of these; a limit below the length of a chunk keeps that much.
///
/// Arguments: options. max_age_ns: in nanoseconds, as event times must be for this; 0 (the default) for no limit.
/// Returns: ESTORE_OK; on failure the options are as they were. An efile, which has one chunk, refuses to open with a limit; a store that
/// is opened for reading only has no use for one.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_max_age_ns(options: *mut estore_options, max_age_ns: u64) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.max_age(max_age_ns))) }
}

/// Sets the greatest size of a store on disk: as long as all chunks take more, the oldest goes. When, how, and which never go: see
/// estore_options_set_max_age_ns. Besides, it is applied when a log has grown by 4 MiB, or a 128th of the limit if that is more, and the
/// chunk of the present by the clock stays too.
///
/// What counts is ESTORE_STAT_CHUNK_BYTES: the bytes of all logs, and those of their recon and index files as far as they can be told
/// without looking at them. Not counted: room set aside ahead of logs that are being written (8 MiB each at most), the journal, a log that
/// compaction is writing, and files that iterators of this process still have open.
///
/// Arguments: options. max_bytes: in bytes; 0 (the default) for no limit.
/// Returns: ESTORE_OK; on failure the options are as they were. An efile refuses to open with a limit.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_max_bytes(options: *mut estore_options, max_bytes: u64) -> estore_status {
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, |options| Ok(options.max_bytes(max_bytes))) }
}

/// compression: compaction stores events as they are.
pub const ESTORE_COMPRESSION_NONE: i32 = 0;
/// compression: compaction compresses with LZ4, some 64 KiB at a time; what does not get smaller by an eighth is stored as it is.
pub const ESTORE_COMPRESSION_LZ4: i32 = 1;

/// Sets how compaction stores events. If it is never set, a chunk's events stay as they are, those of a compressed chunk compressed. Once
/// it is set, chunks that get no more events in order are also compacted for being compressed, by themselves if they are not very small;
/// and estore_compact compacts chunks anew that are stored in another way. Reading needs no option.
///
/// Arguments: options. compression: one of the ESTORE_COMPRESSION_ constants.
/// Returns: ESTORE_OK; on failure the options are as they were. err says which cargo feature a build of the library lacks.
/// Ownership: borrows options.
/// Threads: any, one at a time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_MISSING_FEATURE; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_compression(
    options: *mut estore_options,
    compression: i32,
    err: *mut estore_error,
) -> estore_status {
    let change = |options: Options| {
        let compression = match compression {
            ESTORE_COMPRESSION_NONE => Compression::None,
            ESTORE_COMPRESSION_LZ4 => Compression::Lz4,
            _ => return Err(Failure::invalid(format!("{compression} is no compression"))),
        };
        Ok(options.compression(compression))
    };
    // SAFETY: options is NULL or live and err NULL or valid, as the header asks.
    unsafe { set_or_tell(options, change, err) }
}

/// log level: damage, or an operation that failed.
pub const ESTORE_LOG_ERROR: i32 = 1;
/// log level: something was repaired, cut or given up.
pub const ESTORE_LOG_WARNING: i32 = 2;
/// log level: opening, closing, recovery, deleting.
pub const ESTORE_LOG_INFO: i32 = 3;

const _: () = assert!(
    Level::Error as i32 == ESTORE_LOG_ERROR && Level::Warning as i32 == ESTORE_LOG_WARNING && Level::Info as i32 == ESTORE_LOG_INFO
);

/// Receives messages of one store. level is one of the ESTORE_LOG_ constants; a smaller number is more important. message is UTF-8, has len
/// bytes without its NUL, and is valid during the call only. Comes from the thread that calls the library or from one of the store's own,
/// perhaps from several at once. It may call functions on other stores; those on the same store (but for last_seq and durable_seq) answer
/// ESTORE_ERR_INVALID, and it must not wait for a thread that calls one. It must not throw or leave by longjmp.
pub type estore_log_fn = Option<unsafe extern "C" fn(userdata: *mut c_void, level: i32, message: *const c_char, len: usize)>;

/// A pointer that goes back to the caller as it came.
struct Userdata(*mut c_void);

// SAFETY: the library only hands the pointer back; that any thread may receive it is what the header says.
unsafe impl Send for Userdata {}
// SAFETY: as above.
unsafe impl Sync for Userdata {}

impl Userdata {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

/// Sets who receives the messages of the store. Without it they are dropped; the library never prints.
///
/// Arguments: options. log: the function, or NULL for none (the default). userdata: given to it as it is.
/// Returns: ESTORE_OK; on failure the options are as they were.
/// Ownership: userdata stays the caller's; it and the function must live until every store opened with these options is closed,
/// and every iterator, exchange and export made from it.
/// Threads: any, one at a time; see estore_log_fn for the threads that log is called from.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_set_log(options: *mut estore_options, log: estore_log_fn, userdata: *mut c_void) -> estore_status {
    let userdata = Userdata(userdata);
    let change = |mut options: Options| {
        let Some(log) = log else {
            options.log = None;
            return Ok(options);
        };
        Ok(options.log(move |level, message| {
            let text = text(message.as_bytes());
            // SAFETY: the header asks for a function that can be called from any thread for as long as the store lives.
            unsafe { log(userdata.get(), level as i32, text.as_ptr().cast(), message.len()) };
        }))
    };
    // SAFETY: options is NULL or live, as the header asks.
    unsafe { set(options, change) }
}

/// Frees options and sets the variable to NULL. Stores that were opened with them go on.
///
/// Arguments: options: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind, or one that a call is using: ESTORE_ERR_INVALID, and it
/// stays.
/// Ownership: ends the caller's.
/// Threads: any, while no other thread uses the options.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_options_free(options: *mut *mut estore_options) -> estore_status {
    // SAFETY: as the header asks; no error struct.
    unsafe { close(options, ptr::null_mut(), |_| Ok(())) }
}
