//! Ctrl-C and its relatives: the first ends the work in good order, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::output;

/// Tells whether a signal has come that asks to end.
#[derive(Clone)]
pub(crate) struct Interrupt {
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// From now on signals are noted. `wake` is called with the first one, for those that wait for something else.
    pub(crate) fn install(wake: impl Fn() + Send + 'static) -> Result<Interrupt> {
        let interrupt = Interrupt { signal: Arc::new(AtomicI32::new(0)) };
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot wait for signals")?;
        let noted = Arc::clone(&interrupt.signal);
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                if noted.swap(signal, Ordering::SeqCst) == 0 {
                    wake();
                } else {
                    // Asked twice: whatever takes so long is given up.
                    die_of(signal);
                }
            }
        })?;
        Ok(interrupt)
    }

    /// The signal that came.
    pub(crate) fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Says so, and ends the process as the signal would have ended it.
    pub(crate) fn end(&self, state: &str) -> ! {
        output::say(&format!("estore: ended by {}: {state}", self.name()));
        die_of(self.signal().unwrap_or_default())
    }

    /// Does that, if a signal is why not all was done.
    pub(crate) fn end_if(&self, stopped: bool, state: &str) {
        if stopped && self.signal().is_some() {
            self.end(state);
        }
    }

    fn name(&self) -> &'static str {
        match self.signal.load(Ordering::SeqCst) {
            SIGINT => "Ctrl-C",
            SIGTERM => "SIGTERM",
            SIGHUP => "SIGHUP",
            _ => "nothing",
        }
    }
}

/// Ends the process as the signal would have, so that whoever started it sees that.
pub(crate) fn die_of(signal: i32) -> ! {
    let _ = low_level::emulate_default_handler(signal);
    low_level::exit(128 + signal)
}
