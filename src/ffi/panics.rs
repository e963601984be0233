//! Panics end here: none crosses into C, and none writes to the host program's stderr.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread;

use crate::disk::process;
use crate::threads::panic_text;

thread_local! {
    /// How many guards this thread is in; a log callback may call the library again, hence not a bool.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside a guard happened.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`; a panic becomes a text that says what and where.
pub(super) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    silence();
    let depth = DEPTH.get();
    DEPTH.set(depth.wrapping_add(1));
    // Unwind safety: what a panic may have left half-done is behind a handle, which the guard closes to further calls.
    let result = catch_unwind(AssertUnwindSafe(body));
    DEPTH.set(depth);
    result.map_err(|payload| {
        let place = PLACE.try_with(RefCell::take).unwrap_or_default();
        format!("internal error in estore{place}: {}", panic_text(payload.as_ref()))
    })
}

/// Whether a panic of this thread reaches somebody as an error: inside a guard, and on the threads that stores have for themselves.
pub(super) fn is_quiet() -> bool {
    DEPTH.get() > 0 || process::is_own_thread()
}

/// The default panic hook prints. Ours keeps quiet about what becomes an error, and passes on everything else, so that a Rust program
/// around us keeps its own hook.
fn silence() {
    static HOOK: Once = Once::new();
    if HOOK.is_completed() || thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !is_quiet() {
                return before(info);
            }
            let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
            // No place is better than a panic in the hook.
            let _ = PLACE.try_with(|cell| cell.try_borrow_mut().map(|mut cell| *cell = place));
        }));
    });
}

#[cfg(test)]
thread_local! {
    /// Makes the next guarded call of this thread panic.
    pub(super) static PANIC_NEXT: Cell<bool> = const { Cell::new(false) };
}

/// Panics if a test wants it; nothing in any other build.
#[inline(always)]
#[allow(clippy::panic)] // what it is for
pub(super) fn injected() {
    #[cfg(test)]
    if PANIC_NEXT.replace(false) {
        std::panic::panic_any("injected by a test");
    }
}
