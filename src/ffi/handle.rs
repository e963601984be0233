//! What stands behind a pointer that a C program holds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::Failure;
use super::status::{ESTORE_ERR_FORKED, ESTORE_ERR_PANIC};
use crate::disk::process;

/// A C name for a handle. The type itself is never made: a pointer to it points to a [`Handle`] of `Inner`.
pub(super) trait Opaque {
    /// What the handle holds.
    type Inner;
    /// Tells the kinds of handles apart in memory.
    const TAG: u64;
    /// What messages call it.
    const NAME: &'static str;
    /// Whether it is bound to the process that made it.
    const OF_ONE_PROCESS: bool;

    /// Whether a call on it is known to be under way: it can't be closed then.
    fn is_in_use(inner: &Self::Inner) -> bool;
}

/// A live handle has the tag of its kind; closing clears it before the memory goes. `repr(C)` keeps the tag at the front of every kind,
/// so that a handle of the wrong kind, and mostly even one that was closed, is recognised without reading past its end.
#[repr(C)]
pub(super) struct Handle<T> {
    tag: AtomicU64,
    /// The fork generation in which it was made.
    forks: u32,
    /// Set once the library panicked in a call on it: nobody knows what state it was left in.
    panicked: AtomicBool,
    inner: T,
}

impl<T> Handle<T> {
    /// Puts `inner` on the heap, to be given to the caller.
    pub(super) fn make<H: Opaque<Inner = T>>(inner: T) -> *mut H {
        let handle = Handle { tag: AtomicU64::new(H::TAG), forks: process::forks(), panicked: AtomicBool::new(false), inner };
        Box::into_raw(Box::new(handle)).cast()
    }

    /// The handle behind a pointer, if it is a live one of the right kind.
    ///
    /// # Safety
    ///
    /// `handle` is NULL or points to a handle (of any kind) that isn't closed for all of `'a`.
    pub(super) unsafe fn live<'a, H: Opaque<Inner = T>>(handle: *const H) -> Result<&'a Handle<T>, Failure> {
        let name = H::NAME;
        if handle.is_null() {
            return Err(Failure::invalid(format!("{name} is NULL")));
        }
        let handle: *const Handle<T> = handle.cast();
        // SAFETY: aligned (checked first), and every kind of handle starts with a tag, so there is one to read.
        if !handle.is_aligned() || unsafe { &*handle.cast::<AtomicU64>() }.load(Ordering::Acquire) != H::TAG {
            return Err(Failure::invalid(format!("{name} is no live handle of this kind (closed, or of another kind)")));
        }
        // SAFETY: the tag says that this is a Handle<T>, and the caller that it stays one.
        Ok(unsafe { &*handle })
    }

    /// Whether calls other than closing are allowed.
    #[inline(always)]
    pub(super) fn usable<H: Opaque<Inner = T>>(&self) -> Result<(), Failure> {
        if H::OF_ONE_PROCESS && self.forks != process::forks() {
            return Err(Failure::new(
                ESTORE_ERR_FORKED,
                "the handle belongs to the parent process; a forked child can only close it, and open the store for itself",
            ));
        }
        if self.panicked.load(Ordering::Relaxed) {
            return Err(Failure::new(ESTORE_ERR_PANIC, "an earlier call on this handle ended in an internal error; close it"));
        }
        Ok(())
    }

    /// Refuses all further calls but closing.
    pub(super) fn give_up(&self) {
        self.panicked.store(true, Ordering::Relaxed);
    }

    pub(super) fn inner(&self) -> &T {
        &self.inner
    }

    /// Ends the handle and frees its memory. `None` in a forked child, where what it held is leaked; see [`super::close`].
    ///
    /// # Safety
    ///
    /// `handle` points to a handle (of any kind) that isn't closed and that no other thread uses now.
    pub(super) unsafe fn take<H: Opaque<Inner = T>>(handle: *mut H) -> Result<Option<T>, Failure> {
        // SAFETY: the caller's promise.
        let live = unsafe { Handle::live(handle.cast_const()) }?;
        let foreign = H::OF_ONE_PROCESS && live.forks != process::forks();
        if !foreign && H::is_in_use(&live.inner) {
            return Err(Failure::invalid(format!("{} is in use, perhaps by the very call that calls this", H::NAME)));
        }
        live.tag.store(0, Ordering::Release);
        // SAFETY: made by Box::into_raw in `make`, of this very type as its tag said, and given back only once.
        let taken = unsafe { Box::from_raw(handle.cast::<Handle<T>>()) };
        let inner = taken.inner;
        if foreign {
            std::mem::forget(inner);
            return Ok(None);
        }
        Ok(Some(inner))
    }
}
