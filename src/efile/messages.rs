//! Messages of a store to whoever wants them; and that nobody calls the store from within one.
//!
//! A message may be sent while locks of the store are held, so a receiver that called the store would wait for itself. Each thread knows
//! which stores it is just telling something, mostly none and seldom more than one: a receiver may use other stores, which may have
//! messages too.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::options::{Level, LogFn};

/// How many threads are telling something: spares all others the look at what is theirs.
static TELLING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The stores that this thread is telling something, by their address.
    static TOLD_BY: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Where the messages of one store go. It stays where it is in memory.
pub(crate) struct Messages {
    log: Option<Arc<LogFn>>,
}

/// Ends the telling, also should the receiver panic.
struct Telling;

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = TOLD_BY.try_with(|told_by| told_by.borrow_mut().pop());
        TELLING.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Messages {
    pub(crate) fn to(log: Option<Arc<LogFn>>) -> Messages {
        Messages { log }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Sends a message.
    pub(crate) fn say(&self, level: Level, message: &str) {
        let Some(log) = &self.log else { return };
        // A thread that is about to end has no such list any more, and tells nothing.
        if let Some(_telling) = self.begin_telling() {
            log(level, message);
        }
    }

    /// Calls something of the host program that must not call the store.
    pub(crate) fn while_telling<T>(&self, receiver: impl FnOnce() -> T) -> T {
        let _telling = self.begin_telling();
        receiver()
    }

    fn begin_telling(&self) -> Option<Telling> {
        TOLD_BY.try_with(|told_by| told_by.borrow_mut().push(self.address())).ok()?;
        TELLING.fetch_add(1, Ordering::Relaxed);
        Some(Telling)
    }

    /// Whether the calling thread is in the receiver of a message of this store.
    #[inline(always)]
    pub(crate) fn is_being_received(&self) -> bool {
        // What this thread itself has stored there it sees in any order of memory.
        TELLING.load(Ordering::Relaxed) > 0 && self.is_received_here()
    }

    #[cold]
    fn is_received_here(&self) -> bool {
        TOLD_BY.try_with(|told_by| told_by.borrow().contains(&self.address())).unwrap_or(false)
    }
}
