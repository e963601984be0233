//! Those who wait for news of a store, and how they are told.
//!
//! ```text
//!   the writing process     append, delete, close ─────────────────────────────┐
//!                                                                              ├──> Followers::tell ──> each Waiter: signal, bell
//!   another process         thread "estore-follow": a change in the folder ────┘
//!                           (Disk::watch), or some time without one: look
//! ```
//!
//! Who waits arms the followers, looks once more, and sleeps; telling disarms them. So a writer without followers, or with ones that are
//! busy, pays one load, and one whose followers sleep wakes them once, however much it appends until they are back.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::disk::bell::Bell;
use crate::disk::{Watch, retry};
use crate::error::{Error, Result};
use crate::options::Level;
use crate::threads::atomic::{AtomicBool, Ordering};
use crate::threads::{Condvar, Mutex, lock, wait_at_most};

use super::Core;

/// How often whoever waits looks for news that nobody tells of.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often even a folder that is watched is looked at: what is written on another machine the watch does not tell of.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// The followers of this handle that are to be told when something becomes visible, or goes.
#[derive(Default)]
pub(super) struct Followers {
    /// Somebody waits who has not been told since.
    armed: AtomicBool,
    waiters: Mutex<Vec<Weak<Waiter>>>,
    /// `Some(None)` where the folder can't be watched.
    watch: OnceLock<Option<Box<dyn Watch>>>,
}

/// One of them.
#[derive(Default)]
pub(super) struct Waiter {
    told: Mutex<bool>,
    signal: Condvar,
    /// Rings as long as there may be something to take.
    bell: OnceLock<Bell>,
}

impl Followers {
    pub(super) fn add(&self) -> Arc<Waiter> {
        let waiter = Arc::<Waiter>::default();
        lock(&self.waiters).push(Arc::downgrade(&waiter));
        waiter
    }

    pub(super) fn remove(&self, waiter: &Arc<Waiter>) {
        lock(&self.waiters).retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(waiter)));
    }

    /// Tells those who wait to look. Costs one load if nobody does.
    ///
    /// Whoever arms and then looks, under the lock of the view, either sees what was put there before this call or is told.
    #[inline(always)]
    pub(super) fn tell(&self) {
        if self.armed.load(Ordering::Relaxed) {
            self.tell_all();
        }
    }

    #[cold]
    fn tell_all(&self) {
        if self.armed.swap(false, Ordering::AcqRel) {
            self.tell_in_any_case();
        }
    }

    /// Tells them whether or not they have asked: of what is not to be seen under the lock of the view, and comes but once.
    pub(super) fn tell_in_any_case(&self) {
        for waiter in lock(&self.waiters).iter().filter_map(Weak::upgrade) {
            *lock(&waiter.told) = true;
            waiter.signal.notify_all();
            if let Some(bell) = waiter.bell.get() {
                bell.ring();
            }
        }
    }

    /// Lets the thread go on that waits for a change in the folder.
    pub(super) fn end_watch(&self) {
        if let Some(Some(watch)) = self.watch.get() {
            watch.end();
        }
    }
}

impl Waiter {
    /// The descriptor that rings, made when first asked for.
    pub(super) fn descriptor(&self) -> std::io::Result<BorrowedFd<'_>> {
        if self.bell.get().is_none() {
            let bell = Bell::new()?;
            // There may be something already.
            bell.ring();
            // One that another thread has put there meanwhile is as good.
            let _ = self.bell.set(bell);
        }
        self.bell.get().map(Bell::as_fd).ok_or_else(|| std::io::ErrorKind::Other.into())
    }

    pub(super) fn bell(&self) -> Option<&Bell> {
        self.bell.get()
    }

    /// From now on it has not been told.
    pub(super) fn forget(&self) {
        *lock(&self.told) = false;
    }

    /// Sleeps until it has been told, but no longer than the period.
    pub(super) fn sleep(&self, period: Duration) {
        let guard = lock(&self.told);
        drop(wait_at_most(&self.signal, &self.told, guard, period, |told| !*told));
    }
}

impl Core {
    /// Asks to be told of what comes from now on. Answers how often to look nevertheless, if nobody tells.
    pub(super) fn arm(self: &Arc<Core>) -> Option<Duration> {
        let is_told = self.chunk_shared.writable || self.start_following();
        self.followers.armed.store(true, Ordering::Release);
        if !self.chunk_shared.writable {
            self.follower.wake();
        }
        if is_told { None } else { Some(LOOK_EVERY) }
    }

    /// Sees to it that a thread looks for news while somebody waits. `false` if there is none.
    fn start_following(self: &Arc<Core>) -> bool {
        if !self.options.background {
            return false;
        }
        let watch = self.followers.watch.get_or_init(|| {
            let watch = retry(|| self.folder.disk().watch(self.path()));
            watch.unwrap_or_else(|e| {
                let path = self.path().display();
                self.say(Level::Warning, &format!("{path} can't be watched ({e}); it is looked at every few milliseconds instead"));
                None
            })
        });
        let period = if watch.is_some() { None } else { Some(LOOK_EVERY) };
        self.follower.start(self, "estore-follow", period, Core::look_for_followers).is_ok()
    }

    /// What the thread does that looks for news, each time that somebody waits for some.
    fn look_for_followers(&self) -> Result<()> {
        if let Some(Some(watch)) = self.followers.watch.get() {
            watch.wait(LOOK_AT_LEAST_EVERY);
        }
        self.tell_of_news();
        if self.followers.armed.load(Ordering::Acquire) {
            self.follower.wake();
        }
        Ok(())
    }

    /// Looks for news, and tells those who wait if there are any.
    pub(super) fn tell_of_news(&self) {
        // News are told as they are taken note of. What is wrong, those who wait are to find out for themselves.
        if self.check_open().and_then(|()| self.catch_up()).is_err() {
            self.followers.tell();
        }
    }

    /// As [`Waiter::descriptor`]; somebody has to ring it.
    pub(super) fn descriptor_of<'a>(self: &Arc<Core>, waiter: &'a Waiter) -> Result<BorrowedFd<'a>> {
        self.arm();
        waiter.descriptor().map_err(|e| Error::io("make a descriptor for waiting on", self.path(), e))
    }
}
