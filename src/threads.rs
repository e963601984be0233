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
use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

use atomic::{AtomicU32, AtomicU64, Ordering};

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

/// A lock beside whose busiest user others have their turn.
///
/// The standard library's goes to whoever comes first once it is free. A thread that takes it again at once always comes before those who
/// have to be woken, and can keep them out for as long as it likes. Here it stands back once others have waited for [`LONG`] without one of
/// them getting it, until one has. (Go's `sync.Mutex` does much the same.) To do so always would make threads that hold it but for a moment
/// wait for each other to be woken.
#[derive(Debug)]
pub(crate) struct FairMutex<T> {
    inner: Mutex<T>,
    /// So many threads wait.
    waiting: AtomicU32,
    /// So many have got it that waited.
    served: AtomicU32,
    /// So many came while others waited.
    passed: AtomicU32,
    /// What one of these saw when it last found others served: how many, and when, in nanoseconds after `made`.
    seen: AtomicU32,
    seen_at: AtomicU64,
    made: Instant,
    /// So many threads stand back.
    standing: AtomicU32,
    stand: Mutex<()>,
    told: Condvar,
}

/// Shuttle has no time: there whoever waits has waited long.
const LONG: Duration = if cfg!(feature = "shuttle") { Duration::ZERO } else { Duration::from_millis(5) };
/// Of those who come while others wait, one in so many looks at the clock, which takes as long as some hold the lock.
const PASSES: u32 = if cfg!(feature = "shuttle") { 1 } else { 64 };

impl<T> FairMutex<T> {
    pub(crate) fn new(value: T) -> FairMutex<T> {
        FairMutex {
            inner: Mutex::new(value),
            waiting: AtomicU32::new(0),
            served: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            seen: AtomicU32::new(0),
            seen_at: AtomicU64::new(0),
            made: Instant::now(),
            standing: AtomicU32::new(0),
            stand: Mutex::new(()),
            told: Condvar::new(),
        }
    }

    /// As [`lock`].
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        if self.waiting.load(Ordering::Relaxed) > 0
            && self.passed.fetch_add(1, Ordering::Relaxed).is_multiple_of(PASSES)
            && self.others_have_waited_long()
        {
            self.stand_back();
        } else if let Some(guard) = self.try_lock() {
            return guard;
        }
        self.wait()
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn wait(&self) -> MutexGuard<'_, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = lock(&self.inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.served.fetch_add(1, Ordering::SeqCst);
        if self.standing.load(Ordering::SeqCst) > 0 {
            // Under the lock, so that it can't fall between somebody's look and sleep.
            let _stand = lock(&self.stand);
            self.told.notify_all();
        }
        guard
    }

    /// Whether, as far as those saw who came meanwhile, nobody was served for long.
    #[cold]
    fn others_have_waited_long(&self) -> bool {
        let (served, now) = (self.served.load(Ordering::Relaxed), self.made.elapsed().as_nanos() as u64);
        if self.seen.swap(served, Ordering::Relaxed) != served {
            self.seen_at.store(now, Ordering::Relaxed);
        }
        u128::from(now.saturating_sub(self.seen_at.load(Ordering::Relaxed))) >= LONG.as_nanos()
    }

    /// Waits until one is served.
    #[cold]
    fn stand_back(&self) {
        self.standing.fetch_add(1, Ordering::SeqCst);
        let before = self.seen.load(Ordering::Relaxed);
        let still = |(): &mut ()| self.waiting.load(Ordering::Relaxed) > 0 && self.served.load(Ordering::SeqCst) == before;
        // Should nobody tell that one was served, it does not stand there forever.
        drop(wait_at_most(&self.told, &self.stand, lock(&self.stand), LONG, still));
        self.standing.fetch_sub(1, Ordering::SeqCst);
    }
}
