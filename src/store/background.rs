//! A store's own threads: one that sleeps until something is due by time (syncs of `INTERVAL`, flushes of `BUFFERED`; a store of the other
//! levels has none), one that sorts late events and compacts, one that removes what is too old or too much, if the store has a limit, and in
//! a handle that only reads one that looks for news while somebody waits for some. Retention has a thread of its own, since it must not wait for the
//! compaction of a large chunk while the disk fills.
//!
//! They sleep without a timeout while there is nothing to do, and block all signals.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use crate::disk::process;
use crate::error::{Error, Result};
use crate::options::Level;
use crate::threads::atomic::{AtomicBool, Ordering};
use crate::threads::{self, Condvar, JoinHandle, Mutex, lock, wait_at_most};

use super::Core;

/// The handle of the thread, if there is one.
#[derive(Default)]
pub(super) struct Background {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    /// There is work that becomes due: lets appends that find it set go on at once.
    woken: AtomicBool,
    stop: Mutex<bool>,
    signal: Condvar,
}

impl Background {
    /// Tells the thread that something was written. Costs one load if it knows already.
    pub(super) fn wake(&self) {
        if !self.shared.woken.load(Ordering::Acquire) && !self.shared.woken.swap(true, Ordering::AcqRel) {
            // Under the lock, so that it can't fall between the thread's look at the flag and its sleep.
            let _guard = lock(&self.shared.stop);
            self.shared.signal.notify_one();
        }
    }

    /// Whether there is work; from now on it is the caller's, who has no thread for it.
    pub(super) fn take(&self) -> bool {
        self.shared.woken.swap(false, Ordering::AcqRel)
    }

    /// Starts the thread, if there is none, which works for a store as long as that is in memory and until it is stopped.
    pub(super) fn start(&self, core: &Arc<Core>, name: &str, period: Option<Duration>, work: fn(&Core) -> Result<()>) -> Result<()> {
        let mut running = lock(&self.thread);
        if running.is_some() {
            return Ok(());
        }
        let (shared, weak) = (Arc::clone(&self.shared), Arc::downgrade(core));
        let thread =
            process::spawn(name, move || run(&shared, &weak, period, work)).map_err(|e| Error::io("start a thread for", core.path(), e))?;
        *running = Some(thread);
        Ok(())
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(&self) {
        // First, for a thread that is being started just now.
        *lock(&self.shared.stop) = true;
        self.shared.signal.notify_one();
        let Some(thread) = lock(&self.thread).take() else { return };
        // On the thread itself, which drops the last reference to the store, there is nothing to wait for.
        if thread.thread().id() != threads::current().id() {
            let _ = thread.join();
        }
    }
}

impl Core {
    /// Starts the threads that this store has use for.
    pub(super) fn start_background(self: &Arc<Core>) -> Result<()> {
        // Time has gone on since the last writer, and the limits may be others.
        self.wake_retainer();
        if !self.options.background || !self.chunk_shared.writable {
            return Ok(());
        }
        if let Some(period) = self.options.durability.period(&self.options) {
            self.background.start(self, "estore", Some(Duration::from_nanos(period)), Core::do_due)?;
        }
        self.compactor.start(self, "estore-compact", None, Core::tidy)?;
        // Whatever an earlier writer left.
        self.compactor.wake();
        if self.options.retains() {
            self.retainer.start(self, "estore-retain", None, Core::retain_by_itself)?;
        }
        Ok(())
    }

    /// What the thread for it does once it is woken: sorts late events, then compacts.
    fn tidy(&self) -> Result<()> {
        if self.check_writable().is_err() {
            return Ok(());
        }
        self.sort_unsorted();
        if self.options.compaction { self.compact_backlog() } else { Ok(()) }
    }

    /// Sorts the late events of all chunks that have enough of them.
    pub(super) fn sort_unsorted(&self) {
        loop {
            // Closing does the rest.
            if self.closing.load(Ordering::Acquire) {
                return;
            }
            let chunks = Arc::clone(&lock(&self.view).chunks);
            // Appends soon wait for the one that has most.
            let unsorted = chunks.values().filter_map(|chunk| Some((chunk.unsorted_len()?, chunk)));
            let Some((_, chunk)) = unsorted.max_by_key(|(len, _)| *len) else { return };
            let chunk = Arc::clone(chunk);
            drop(chunks);
            chunk.sort_late();
        }
    }

    /// What the thread for it does once its time has come: everything, since it was woken a whole period ago.
    fn do_due(&self) -> Result<()> {
        if self.check_writable().is_err() {
            return Ok(());
        }
        match self.options.durability {
            crate::Durability::Interval(_) => self.sync_up_to(self.visible_seq()),
            _ => self.flush_buffer(),
        }
    }
}

/// Does the work each time that there is some, a period after that became known if there is a period.
fn run(shared: &Shared, core: &Weak<Core>, period: Option<Duration>, work: fn(&Core) -> Result<()>) {
    loop {
        let stop = lock(&shared.stop);
        let stop = shared.signal.wait_while(stop, |stop| !*stop && !shared.woken.load(Ordering::Acquire));
        let mut stop = stop.unwrap_or_else(PoisonError::into_inner);
        if let Some(period) = period {
            stop = wait_at_most(&shared.signal, &shared.stop, stop, period, |stop| !*stop);
        }
        if *stop {
            return;
        }
        drop(stop);
        // What is to be done from here on asks for another round.
        shared.woken.store(false, Ordering::Release);
        let Some(core) = core.upgrade() else { return };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&core)));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                core.say(Level::Error, &format!("background work failed: {e}"));
                // A full disk may have space again in a while.
                if period.is_some() && core.stopped().is_none() {
                    shared.woken.store(true, Ordering::Release);
                }
            }
            Err(panic) => {
                core.poison(&Error::invalid(format!("a panic in the background thread: {}", threads::panic_text(panic.as_ref()))));
            }
        }
    }
}
