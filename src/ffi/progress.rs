//! How far a call has come that takes long, as a callback.

use std::ffi::c_void;
use std::ops::ControlFlow;

use crate::Progress;

/// Is told now and then how far a call has come: done of so many events. Comes from the thread that calls the library. Answers 0 to go on,
/// anything else to stop: what that leaves, each call says. It may call functions on other stores; those on the same store, or on either
/// store of a repair (but for last_seq and durable_seq), answer ESTORE_ERR_INVALID. It must not throw or leave by longjmp.
pub type estore_progress_fn = Option<unsafe extern "C" fn(userdata: *mut c_void, done: u64, events: u64) -> i32>;

/// Tells the caller's function.
///
/// # Safety
///
/// `receiver` is a function as the header asks for.
pub(super) unsafe fn tell_progress(receiver: estore_progress_fn, userdata: *mut c_void, progress: Progress) -> ControlFlow<()> {
    let Some(receiver) = receiver else { return ControlFlow::Continue(()) };
    // SAFETY: the caller's promise.
    let answer = unsafe { receiver(userdata, progress.events_done, progress.events) };
    if answer == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
