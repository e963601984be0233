//! The locks, atomic variables and threads of the engine: the seam for tests of how its threads interleave.
//!
//! They are the standard library's. With the feature `shuttle` they are those of the crate of that name, which runs all threads of a test
//! on one, switches between them only where one takes a lock or touches an atomic variable, and chooses by a seed who is next: so
//! a schedule repeats. A store that was built so works inside of a shuttle execution only.
//!
//! What the whole process has in common (a few `static`s) keeps the standard library's locks, since several such tests may run at once.
//! They are held for a few loads and stores, never while something happens that shuttle may switch at, or a switch could lock up the test.

#[cfg(not(feature = "shuttle"))]
mod seam {
    pub(crate) use std::sync::atomic;
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::{Builder, JoinHandle, Thread, current, park, yield_now};
}

#[cfg(feature = "shuttle")]
mod seam {
    pub(crate) use shuttle::sync::atomic;
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::thread::{Builder, JoinHandle, Thread, current, park, yield_now};
}

use std::any::Any;
use std::sync::PoisonError;
use std::time::Duration;

pub(crate) use seam::*;

/// Takes a lock whose holder may have panicked: what it guards is then judged by the poison flag of the store, not by the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic says.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("no message", String::as_str),
    }
}

/// Waits as long as the condition holds, but no longer than the period. `guard` is that of `mutex`.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn wait_at_most<'a, T>(
    signal: &Condvar,
    _mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    period: Duration,
    condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    signal.wait_timeout_while(guard, period, condition).unwrap_or_else(PoisonError::into_inner).0
}

/// Waits as long as the condition holds, but no longer than the period. Shuttle has no time: the period is over at any moment.
#[cfg(feature = "shuttle")]
pub(crate) fn wait_at_most<'a, T>(
    _signal: &Condvar,
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    _period: Duration,
    _condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    drop(guard);
    yield_now();
    lock(mutex)
}
