//! The C ABI: what `include/estore.h` declares.
//!
//! ```text
//!   C program                this folder                          the engine
//!   ---------                -----------                          ----------
//!   estore *          --->   store.rs  \
//!   efile *           --->   efile.rs   > calls.rs  ---------->   Store, Efile
//!   estore_options *  --->   options.rs                           Options
//!   estore_iter *     --->   iter.rs    -------------------->     Reader, Tail
//!   estore_exchange * --->   exchange.rs  ------------------>     Exchange
//!   estore_export *   --->   export.rs  -------------------->     Export
//!   estore_bytes *    <---   bytes.rs   <--------------------     messages, parcels
//!   estore_event      <-->   event.rs                             EventRef
//!   numbers           <---   stats.rs, digest.rs  <----------     Stats, Digest
//!   findings, gaps    <---   verify.rs  <--------------------     Finding, Gap
//!   estore_status     <---   status.rs \
//!   estore_error      <---   error.rs  /  <-- guard <-----------  Error, panics
//! ```
//!
//! There is no logic here: an entry point turns C arguments into Rust ones, makes one call of the engine, and turns its answer back.
//! What holds for all of them:
//!
//! - Each fallible entry point runs in one guard ([`guarded`], or [`with`] where there is a handle). The guard refuses NULL, a handle of
//!   another kind, a handle of another process and a handle in which the library panicked; it catches panics; it alone fills the
//!   caller's `estore_error`.
//! - An output is checked for NULL before the engine is called and written after it has succeeded, so a failure leaves it as it was.
//! - A handle is a C name ([`Opaque`]) for a [`Handle`] on the heap. Every handle is used through a shared reference; what changes (the
//!   options, an iterator) stands behind a lock of its own that is only ever tried, so that a program which breaks the rule of one
//!   thread at a time gets an error and no data race.
//! - The comment of an exported function becomes its text in the header. A C programmer reads it, so it has no Rust links and no
//!   markdown, and its parts stand in one order, which a test enforces.
//!
//! The header generator sees only what is `pub`; the module itself is private.

#![allow(unsafe_code)] // speaks C
#![allow(unreachable_pub)] // see above
#![allow(non_camel_case_types)] // the names are those of the header

mod bytes;
mod calls;
mod digest;
mod efile;
mod error;
mod event;
mod exchange;
mod export;
mod handle;
mod iter;
mod options;
mod panics;
mod progress;
mod stats;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod verify;

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::slice;
use std::sync::{Mutex, TryLockError};

use error::{Failure, estore_error};
use handle::{Handle, Opaque};
use status::{ESTORE_ERR_PANIC, ESTORE_OK, estore_status};

/// Runs the body of an entry point that has no handle: catches panics and fills `err` on failure.
///
/// # Safety
///
/// `err` is NULL or valid for writes.
unsafe fn guarded(err: *mut estore_error, body: impl FnOnce() -> Result<estore_status, Failure>) -> estore_status {
    let result = panics::catch(|| {
        panics::injected();
        body()
    });
    let failure = match result {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(what) => Failure::new(ESTORE_ERR_PANIC, what),
    };
    // SAFETY: the caller's promise about `err`.
    unsafe { failure.report(err) }
}

/// Runs the body of an entry point on a handle: as [`guarded`], and checks the handle first. A panic makes the handle unusable.
///
/// # Safety
///
/// `handle` is NULL or points to a handle made by this library and not closed; `err` is NULL or valid for writes.
unsafe fn with<H: Opaque>(
    handle: *const H,
    err: *mut estore_error,
    body: impl FnOnce(&H::Inner) -> Result<estore_status, Failure>,
) -> estore_status {
    let checked = || {
        // SAFETY: the caller's promise about `handle`.
        let handle = unsafe { Handle::live(handle) }?;
        handle.usable::<H>()?;
        let result = panics::catch(|| {
            panics::injected();
            body(handle.inner())
        });
        result.unwrap_or_else(|what| {
            handle.give_up();
            Err(Failure::new(ESTORE_ERR_PANIC, what))
        })
    };
    // Checking a handle can't panic, so the catch around the body is the only one that is needed.
    match checked() {
        Ok(status) => status,
        // SAFETY: the caller's promise about `err`.
        Err(failure) => unsafe { failure.report(err) },
    }
}

/// Runs the body of an entry point on two handles of one kind: as [`with`].
///
/// # Safety
///
/// As for [`with`], for both.
unsafe fn with_both<H: Opaque>(
    one: *const H,
    other: *const H,
    err: *mut estore_error,
    body: impl FnOnce(&H::Inner, &H::Inner) -> Result<estore_status, Failure>,
) -> estore_status {
    let body = |inner: &H::Inner| {
        // SAFETY: the caller's promise.
        let other = unsafe { Handle::live(other) }?;
        other.usable::<H>()?;
        panics::catch(|| body(inner, other.inner())).unwrap_or_else(|what| {
            other.give_up();
            // SAFETY: the caller's promise.
            unsafe { Handle::live(one) }?.give_up();
            Err(Failure::new(ESTORE_ERR_PANIC, what))
        })
    };
    // SAFETY: the caller's promise.
    unsafe { with(one, err, body) }
}

/// Runs a call on a handle that one thread uses at a time: an iterator, an exchange, an export. As [`with`].
///
/// # Safety
///
/// As for [`with`].
unsafe fn exclusively<T, H: Opaque<Inner = Mutex<T>>>(
    handle: *const H,
    err: *mut estore_error,
    body: impl FnOnce(&mut T) -> Result<estore_status, Failure>,
) -> estore_status {
    let body = |inner: &Mutex<T>| match inner.try_lock() {
        Ok(mut inner) => body(&mut inner),
        Err(TryLockError::WouldBlock) => Err(Failure::invalid(format!("another thread uses this {} in this moment", H::NAME))),
        // The guard has refused the handle before it comes to this.
        Err(TryLockError::Poisoned(_)) => Err(Failure::invalid(format!("an earlier call on this {} ended in an internal error", H::NAME))),
    };
    // SAFETY: the caller's promise.
    unsafe { with(handle, err, body) }
}

/// Whether a call of [`exclusively`] is under way.
fn is_locked<T>(inner: &Mutex<T>) -> bool {
    matches!(inner.try_lock(), Err(TryLockError::WouldBlock))
}

/// Closes the handle in a variable of the caller and sets the variable to NULL, whatever `finish` reports. A NULL inside is fine.
///
/// In a forked child the engine is left alone: its drop would take locks that a thread of the parent may have held, and touch files that
/// are the parent's. So the child leaks it.
///
/// # Safety
///
/// `variable` is NULL or valid for reads and writes; inside is NULL or a handle made by this library and not closed, which no other
/// thread uses now; `err` is NULL or valid for writes.
unsafe fn close<H: Opaque>(
    variable: *mut *mut H,
    err: *mut estore_error,
    finish: impl FnOnce(&H::Inner) -> Result<(), Failure>,
) -> estore_status {
    let body = || -> Result<estore_status, Failure> {
        require(variable, H::NAME)?;
        // SAFETY: not NULL, so valid for reads.
        let handle = unsafe { variable.read() };
        if handle.is_null() {
            return Ok(ESTORE_OK);
        }
        // SAFETY: the caller's promise. A handle of another kind ends here: nothing is closed and the variable stays.
        let inner = unsafe { Handle::take(handle) }?;
        // SAFETY: not NULL, so valid for writes.
        unsafe { variable.write(std::ptr::null_mut()) };
        let Some(inner) = inner else { return Ok(ESTORE_OK) };
        let finished = panics::catch(|| {
            panics::injected();
            finish(&inner)
        });
        let dropped = panics::catch(|| drop(inner));
        finished.unwrap_or_else(|what| Err(Failure::new(ESTORE_ERR_PANIC, what)))?;
        dropped.map_err(|what| Failure::new(ESTORE_ERR_PANIC, what))?;
        Ok(ESTORE_OK)
    };
    match body() {
        Ok(status) => status,
        // SAFETY: the caller's promise about `err`.
        Err(failure) => unsafe { failure.report(err) },
    }
}

/// Refuses a NULL where something is needed.
fn require<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    if pointer.is_null() { Err(Failure::invalid(format!("{name} is NULL"))) } else { Ok(()) }
}

/// Writes an output that the caller may have left out.
///
/// # Safety
///
/// `output` is NULL or valid for writes.
unsafe fn put<T>(output: *mut T, value: T) {
    if !output.is_null() {
        // SAFETY: the caller's promise.
        unsafe { output.write(value) }
    }
}

/// Refuses an array that can't exist, and NULL for one that isn't empty.
fn check_array<T>(array: *const T, len: usize, name: &str) -> Result<(), Failure> {
    if len == 0 {
        return Ok(());
    }
    require(array, name)?;
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Failure::invalid(format!("{name}: {len} elements are more than any memory holds"))),
    }
}

/// An array of the caller as a slice; `len` 0 ignores the pointer.
///
/// # Safety
///
/// `array` is NULL or valid for reads of `len` elements for all of `'a`, and nobody writes to them meanwhile.
unsafe fn array<'a, T>(array: *const T, len: usize, name: &str) -> Result<&'a [T], Failure> {
    check_array(array, len, name)?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL and no longer than isize::MAX bytes, as just checked; the rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(array, len) })
}

/// Longer than any path or duration in use; no system opens a longer path.
const LONGEST_TEXT: usize = 4096;

/// A text of the caller. A length that can't be meant, such as a negative one in an unsigned type, is refused before anything is read.
///
/// # Safety
///
/// As for [`array`].
unsafe fn short_text<'a>(text: *const c_char, len: usize, name: &str) -> Result<&'a [u8], Failure> {
    if len > LONGEST_TEXT {
        return Err(Failure::invalid(format!("{name}: {len} bytes are more than the {LONGEST_TEXT} that it may have")));
    }
    // SAFETY: the caller's promise.
    unsafe { array(text.cast(), len, name) }
}

/// A path of the caller: any bytes but NUL, at least one.
///
/// # Safety
///
/// As for [`array`].
unsafe fn path<'a>(path: *const c_char, len: usize) -> Result<&'a Path, Failure> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { short_text(path, len, "path") }?;
    if bytes.is_empty() {
        return Err(Failure::invalid("the path is empty"));
    }
    if bytes.contains(&0) {
        return Err(Failure::invalid("the path contains a NUL byte"));
    }
    Ok(Path::new(OsStr::from_bytes(bytes)))
}
