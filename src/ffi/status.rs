//! Status codes: what every function that can fail answers with.
//!
//! 0 is fine, positive is an outcome, negative an error. A number is never used for anything else, even if its meaning goes away.

use std::ffi::{CStr, c_char};

use crate::error::Error;

/// The answer of every function that can fail: 0 is fine, positive an outcome, negative an error. A later version may answer with
/// numbers that this header does not name: treat an unknown negative one as an error.
pub type estore_status = i32;

/// Done.
pub const ESTORE_OK: estore_status = 0;
/// The iterator has no more events.
pub const ESTORE_END: estore_status = 1;
/// Nothing new came in the time given.
pub const ESTORE_TIMEOUT: estore_status = 2;
/// Events were deleted (by estore_delete_before or retention) before the tail gave them; told once, then it goes on.
pub const ESTORE_GAP: estore_status = 3;

/// An argument that can never work: NULL where something is needed, a value out of range, a handle of another kind.
pub const ESTORE_ERR_INVALID: estore_status = -1;
/// The operating system refused something; os_errno says what.
pub const ESTORE_ERR_IO: estore_status = -2;
/// Bytes on disk are not what was written there, and the message names the file, offset the place; or a message or parcel is not what was
/// sent.
pub const ESTORE_ERR_CORRUPT: estore_status = -3;
/// There is nothing at this path.
pub const ESTORE_ERR_NOT_FOUND: estore_status = -4;
/// A store was to be created where one is already, or a snapshot onto what is no earlier one of the same store.
pub const ESTORE_ERR_EXISTS: estore_status = -5;
/// Another writer has the store open, in this process or in another.
pub const ESTORE_ERR_LOCKED: estore_status = -6;
/// The store was opened for reading only.
pub const ESTORE_ERR_READ_ONLY: estore_status = -7;
/// The disk or a quota is full. Nothing was changed; the call works again once there is space.
pub const ESTORE_ERR_NO_SPACE: estore_status = -8;
/// An earlier write or sync failed, so the writer refuses to go on. Reading works, unless the buffer of ESTORE_DURABILITY_BUFFERED has
/// events in it; open the store again to recover.
pub const ESTORE_ERR_POISONED: estore_status = -9;
/// A write failed after it had begun: whether the batch is stored is known only after opening the store again.
pub const ESTORE_ERR_OUTCOME_UNKNOWN: estore_status = -10;
/// An event is larger than the store takes; nothing of its batch was stored.
pub const ESTORE_ERR_TOO_LARGE: estore_status = -11;
/// The store was made with other settings (file size, grace) than were asked for.
pub const ESTORE_ERR_SETTINGS: estore_status = -12;
/// The store needs a newer version of this library.
pub const ESTORE_ERR_NEWER_FORMAT: estore_status = -13;
/// A store was to be created in a folder that holds files of somebody else.
pub const ESTORE_ERR_FOREIGN_FILES: estore_status = -14;
/// The path is a file, or something else that is no folder.
pub const ESTORE_ERR_NOT_A_FOLDER: estore_status = -15;
/// A batch would make more new chunks than one batch may; nothing of it was stored.
pub const ESTORE_ERR_TOO_MANY_CHUNKS: estore_status = -16;
/// The store was closed.
pub const ESTORE_ERR_CLOSED: estore_status = -17;
/// The handle belongs to the parent of this forked process, which may only close it.
pub const ESTORE_ERR_FORKED: estore_status = -18;
/// An internal error of the library. The handle refuses everything but closing from now on. Please report it.
pub const ESTORE_ERR_PANIC: estore_status = -19;
/// A file that an iterator still needs was removed by another process; or the whole store was, or another one is at its path.
pub const ESTORE_ERR_GONE: estore_status = -20;
/// The folder is not a store, or one of the other kind (estore, efile).
pub const ESTORE_ERR_NOT_A_STORE: estore_status = -21;
/// No permission, or a read-only file system.
pub const ESTORE_ERR_PERMISSION: estore_status = -22;
/// The end of a range lies before its start.
pub const ESTORE_ERR_RANGE: estore_status = -23;
/// This build of the library lacks a cargo feature that is needed, which the message names: for an option, or to read what is compressed.
pub const ESTORE_ERR_MISSING_FEATURE: estore_status = -24;

/// The status of an error of the engine.
pub(super) fn of(error: &Error) -> estore_status {
    match error {
        Error::Invalid { .. } | Error::Duration { .. } => ESTORE_ERR_INVALID,
        Error::EndBeforeStart { .. } => ESTORE_ERR_RANGE,
        Error::TooLarge { .. } => ESTORE_ERR_TOO_LARGE,
        Error::TooManyChunks { .. } => ESTORE_ERR_TOO_MANY_CHUNKS,
        Error::Io { .. } => ESTORE_ERR_IO,
        Error::Permission { .. } => ESTORE_ERR_PERMISSION,
        Error::NoSpace { .. } => ESTORE_ERR_NO_SPACE,
        Error::Corrupt { .. } => ESTORE_ERR_CORRUPT,
        Error::NotFound { .. } => ESTORE_ERR_NOT_FOUND,
        Error::NotAStore { .. } => ESTORE_ERR_NOT_A_STORE,
        Error::NotAFolder { .. } => ESTORE_ERR_NOT_A_FOLDER,
        Error::Exists { .. } => ESTORE_ERR_EXISTS,
        Error::ForeignFiles { .. } => ESTORE_ERR_FOREIGN_FILES,
        Error::Locked { .. } => ESTORE_ERR_LOCKED,
        Error::ReadOnly { .. } => ESTORE_ERR_READ_ONLY,
        Error::Settings { .. } => ESTORE_ERR_SETTINGS,
        Error::NewerFormat { .. } => ESTORE_ERR_NEWER_FORMAT,
        Error::Poisoned { .. } => ESTORE_ERR_POISONED,
        Error::OutcomeUnknown { .. } => ESTORE_ERR_OUTCOME_UNKNOWN,
        Error::Closed { .. } => ESTORE_ERR_CLOSED,
        Error::Forked { .. } => ESTORE_ERR_FORKED,
        Error::Gone { .. } => ESTORE_ERR_GONE,
        Error::MissingFeature { .. } => ESTORE_ERR_MISSING_FEATURE,
    }
}

fn text(status: estore_status) -> &'static CStr {
    match status {
        ESTORE_OK => c"done",
        ESTORE_END => c"no more events",
        ESTORE_TIMEOUT => c"nothing new in the time given",
        ESTORE_GAP => c"events were removed before they were read",
        ESTORE_ERR_INVALID => c"invalid argument",
        ESTORE_ERR_IO => c"input or output error",
        ESTORE_ERR_CORRUPT => c"damaged data",
        ESTORE_ERR_NOT_FOUND => c"no store here",
        ESTORE_ERR_EXISTS => c"a store is here already",
        ESTORE_ERR_LOCKED => c"another writer has the store open",
        ESTORE_ERR_READ_ONLY => c"opened read-only",
        ESTORE_ERR_NO_SPACE => c"no space left",
        ESTORE_ERR_POISONED => c"the writer stopped after an earlier error",
        ESTORE_ERR_OUTCOME_UNKNOWN => c"it is unknown whether the batch was stored",
        ESTORE_ERR_TOO_LARGE => c"event too large",
        ESTORE_ERR_SETTINGS => c"the store has other settings",
        ESTORE_ERR_NEWER_FORMAT => c"a newer version of estore is needed",
        ESTORE_ERR_FOREIGN_FILES => c"the folder holds other files",
        ESTORE_ERR_NOT_A_FOLDER => c"not a folder",
        ESTORE_ERR_TOO_MANY_CHUNKS => c"the batch would make too many new chunks",
        ESTORE_ERR_CLOSED => c"the store is closed",
        ESTORE_ERR_FORKED => c"the handle belongs to the parent process",
        ESTORE_ERR_PANIC => c"internal error",
        ESTORE_ERR_GONE => c"removed or replaced by another process while in use",
        ESTORE_ERR_NOT_A_STORE => c"not a store of this kind",
        ESTORE_ERR_PERMISSION => c"no permission",
        ESTORE_ERR_RANGE => c"the range ends before its start",
        ESTORE_ERR_MISSING_FEATURE => c"this build of the library lacks a feature",
        _ => c"unknown status",
    }
}

/// A few words about a status, for messages. What happened exactly, and to which file, is in estore_error.
///
/// Arguments: status: any number.
/// Returns: a NUL-terminated text, never NULL; "unknown status" for a number that this library does not know.
/// Ownership: the text is static; never free it.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_strerror(status: estore_status) -> *const c_char {
    text(status).as_ptr()
}

/// First number of the version of this header.
pub const ESTORE_VERSION_MAJOR: u32 = 0;
/// Second number of the version of this header.
pub const ESTORE_VERSION_MINOR: u32 = 1;
/// Third number of the version of this header.
pub const ESTORE_VERSION_PATCH: u32 = 0;
/// The version of this header as one number: major * 1000000 + minor * 1000 + patch. Compare with estore_version_number.
pub const ESTORE_VERSION_NUMBER: u32 = 1000;

const _: () = assert!(ESTORE_VERSION_NUMBER == ESTORE_VERSION_MAJOR * 1_000_000 + ESTORE_VERSION_MINOR * 1_000 + ESTORE_VERSION_PATCH);

/// The version of the library that the program runs with.
///
/// Arguments: none.
/// Returns: a NUL-terminated text such as "0.1.0", never NULL.
/// Ownership: the text is static; never free it.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The version of the library that the program runs with, as one number.
///
/// Arguments: none.
/// Returns: major * 1000000 + minor * 1000 + patch. A program compares it with the ESTORE_VERSION_NUMBER that it was built with.
/// Ownership: none.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_version_number() -> u32 {
    ESTORE_VERSION_NUMBER
}
