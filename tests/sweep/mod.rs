//! Sweeps over the simulated disk: short fixed workloads, and each of them disturbed at every single call.
//!
//! ```text
//!   workload ──> life: runs the steps on a store, and notes in a ledger what was promised      workloads, life, ledger
//!                  │
//!                  │  those who follow it, from inside and beside                               tails
//!                  │
//!                  ├─ the power goes at call N, torn in several ways ──> image: reopened,       crash, image
//!                  │                                and again at every call of that recovery   and held against the ledger
//!                  ├─ call N fails, once or for good ──> the same handle, then as above         fail
//!                  ├─ the disk is full after N blocks                                           fail
//!                  └─ the files are harmed, at every place                                      harm
//! ```
//!
//! Every sweep is a function that answers how much it looked at, or the first [`Failure`]: `sweep_calls.rs` wants them all to pass, and
//! `planted.rs` wants each planted bug to fail one of them. Everything is drawn from fixed seeds, so a failure comes again with its case.

#![allow(dead_code)] // every test file uses a part of it

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use estore::disk::SimDisk;

pub(crate) mod crash;
pub(crate) mod fail;
pub(crate) mod harm;
pub(crate) mod image;
pub(crate) mod ledger;
pub(crate) mod life;
mod tails;
pub(crate) mod workloads;

/// How much a sweep looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Calls of the undisturbed workload.
    pub(crate) calls: u64,
    /// Disks that were reopened and held against the ledger.
    pub(crate) images: u64,
    /// Disks that were the same as one before, and weren't looked at again.
    pub(crate) repeats: u64,
    /// Runs that met an injected fault.
    pub(crate) faults: u64,
}

impl Stats {
    pub(crate) fn add(&mut self, other: Stats) {
        self.calls += other.calls;
        self.images += other.images;
        self.repeats += other.repeats;
        self.faults += other.faults;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { calls, images, repeats, faults } = self;
        write!(f, "{calls} calls, {images} images checked ({repeats} more were the same as another), {faults} faults")
    }
}

/// What a sweep found.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Names the case: with `ESTORE_CASE` set to it, the sweep runs nothing else.
    pub(crate) case: String,
    pub(crate) what: String,
    /// How much had been looked at by then.
    pub(crate) stats: Stats,
}

/// How far a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// What fits into a run of all tests.
    Quick,
    /// Every point of everything (`ESTORE_SWEEP=full`).
    Full,
}

impl Effort {
    pub(crate) fn from_env() -> Effort {
        if std::env::var("ESTORE_SWEEP").is_ok_and(|how| how == "full") { Effort::Full } else { Effort::Quick }
    }
}

thread_local! {
    /// Within a case: what its last panic said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Panics within a case are noted, with their place, instead of printed: there may be many before one gets out of it, and with planted bugs
/// they are wanted.
fn listen_to_panics() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let noted = PANIC.with_borrow_mut(|note| {
                note.as_mut().map(|note| {
                    let payload = info.payload();
                    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                    let text = text.unwrap_or("a panic");
                    *note = format!("{text}\n  at {}", info.location().map(ToString::to_string).unwrap_or_default());
                })
            });
            if noted.is_none() {
                usual(info);
            }
        }));
    });
}

/// One sweep in progress: runs case by case.
pub(crate) struct Sweep {
    pub(crate) stats: Stats,
    pub(crate) effort: Effort,
    only: Option<String>,
    seen: HashSet<u64>,
}

impl Sweep {
    pub(crate) fn new(effort: Effort) -> Sweep {
        Sweep { stats: Stats::default(), effort, only: std::env::var("ESTORE_CASE").ok(), seen: HashSet::new() }
    }

    /// Runs one case; a panic within it, of a check or of the engine, is the failure. Cases within cases have names that begin with those
    /// of the outer ones.
    pub(crate) fn case<T>(&mut self, name: &str, body: impl FnOnce(&mut Sweep) -> T) -> Result<Option<T>, Failure> {
        let wanted = self.only.as_ref().is_none_or(|only| only.starts_with(name) || name.starts_with(only));
        if !wanted {
            return Ok(None);
        }
        listen_to_panics();
        let outer = PANIC.replace(Some(String::new()));
        let result = catch_unwind(AssertUnwindSafe(|| body(self)));
        let what = PANIC.replace(outer).unwrap_or_default();
        result.map(Some).map_err(|_| Failure { case: name.to_owned(), what, stats: self.stats })
    }

    /// Whether a disk with these files was not looked at yet, for a ledger of this state.
    pub(crate) fn is_new(&mut self, disk: &SimDisk, ledger: u64) -> bool {
        let new = self.seen.insert(image::fingerprint(disk, ledger));
        if new {
            self.stats.images += 1
        } else {
            self.stats.repeats += 1
        }
        new
    }
}
