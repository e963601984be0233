//! Whatever happens while threads write and read, and whatever a disk makes of it, a store keeps what it has promised.
//!
//! ```text
//!   seed ──> plan ──> lives: threads under shuttle, on a disk that fails          plan, life, tails, schedule, stage
//!                       │ what is promised, and what readers see                  ledger
//!                       └──> crash images, from moments in the midst and at the end: opened again (the recovery crashes too),
//!                            checked, appended to, opened once more; one of them is what the next life begins with     image, case
//! ```
//!
//! Needs the feature `shuttle`; `make crash` runs it, with `CASES=` for how many crash images are checked and `SEED=` for the first
//! case. A case that fails is run once more, with all that happens in it printed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "crash/case.rs"]
mod case;
#[path = "crash/image.rs"]
mod image;
#[path = "crash/ledger.rs"]
mod ledger;
#[path = "crash/life.rs"]
mod life;
#[path = "crash/plan.rs"]
mod plan;
#[path = "crash/schedule.rs"]
mod schedule;
#[path = "crash/stage.rs"]
mod stage;
#[path = "crash/story.rs"]
mod story;
#[path = "crash/tails.rs"]
mod tails;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use estore::planted::{Bug, plant};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use case::Tally;
use common::rng::Rng;
use schedule::Dice;
use story::Story;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    Some(parsed.unwrap_or_else(|e| panic!("{variable}={text}: {e}")))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(50_000_000);
    config.silence_warnings = true;
    config
}

/// Runs cases on this thread, one for each seed that it is given, until one fails.
fn run_cases(seeds: Arc<dyn Fn() -> Option<u64> + Send + Sync>, story: Story, tally: &Arc<Mutex<Tally>>) -> Result<(), (u64, String)> {
    let failed = Arc::new(Mutex::new(None));
    let (tally, failure) = (Arc::clone(tally), Arc::clone(&failed));
    let case = move || {
        let mut done = Tally::default();
        let result = case::run(schedule::seed(), story, &mut done);
        tally.lock().unwrap().add_all(&done);
        if let Err(e) = result {
            failure.lock().unwrap().get_or_insert((schedule::seed(), e));
        }
    };
    let stop = Arc::clone(&failed);
    let seeds = Arc::new(move || if stop.lock().unwrap().is_none() { seeds() } else { None });
    // A panic of the engine's.
    let ran = catch_unwind(AssertUnwindSafe(|| Runner::new(Dice::new(seeds), config()).run(case)));
    if let Some(failed) = failed.lock().unwrap().take() {
        return Err(failed);
    }
    ran.map(drop).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (schedule::seed(), text.unwrap_or_else(|| "a panic".to_owned()))
    })
}

/// The seeds of cases until so many crash images were checked.
fn seeds(first: u64, images: u64, tally: &Arc<Mutex<Tally>>) -> impl Fn() -> Option<u64> + Send + Sync + use<> {
    let (tally, drawn) = (Arc::clone(tally), AtomicU64::new(0));
    move || {
        if tally.lock().unwrap().of("crash images") >= images {
            return None;
        }
        let nth = drawn.fetch_add(1, Ordering::Relaxed);
        Some(if nth == 0 { first } else { Rng::new(first.wrapping_add(nth.wrapping_mul(0x1234_5678_9abc_def1))).next() })
    }
}

/// Runs the cases of some seeds one after the other.
fn run_seeds(seeds: impl IntoIterator<Item = u64>) -> Tally {
    let (tally, seeds) = (Arc::default(), Mutex::new(seeds.into_iter().collect::<Vec<_>>()));
    run_cases(Arc::new(move || seeds.lock().unwrap().pop()), Story::Silent, &tally).unwrap();
    let tally = tally.lock().unwrap();
    tally.clone()
}

#[test]
fn a_case_goes_the_same_way_each_time() {
    for seed in 1..20 {
        assert_eq!(run_seeds([seed]), run_seeds([seed]), "seed {seed}");
    }
    assert_ne!(run_seeds([1]), run_seeds([2]));
}

/// How many crash images it takes to find a bug that is planted; `None` if it isn't found in so many.
fn images_until_found(bug: Bug, most: u64) -> Option<u64> {
    let tally = Arc::default();
    plant(Some(bug));
    let result = run_cases(Arc::new(seeds(1, most, &tally)), Story::Silent, &tally);
    plant(None);
    let (_, what) = result.err()?;
    let images = tally.lock().unwrap().of("crash images");
    println!("{bug:?}: found after {images} crash images: {what}");
    Some(images)
}

/// The bugs of `src/planted.rs` that this test is there for; the others need bytes that go bad at rest.
const TO_BE_FOUND: [Bug; 30] = [
    Bug::SkipLogSync,
    Bug::SkipFolderSync,
    Bug::SkipJournalSync,
    Bug::SkipSessionSync,
    Bug::RetireWithoutSync,
    Bug::RenameBeforeSync,
    Bug::ReuseSeqs,
    Bug::DurableBeforeSync,
    Bug::IgnoreEnd,
    Bug::SkipBodyChecksum,
    Bug::SkipRecordChecksum,
    Bug::RetrySync,
    Bug::GoOnAfterFailedWrite,
    Bug::GoOnAfterFailedSync,
    Bug::SkipReserve,
    Bug::RemoveUnderReaders,
    Bug::RemoveBeforeHorizon,
    Bug::ForgetHorizon,
    Bug::LoseEventAtBorder,
    Bug::LoseEventAtFrame,
    Bug::ShortRun,
    Bug::LoseCarriedFrame,
    Bug::LeakIntoSnapshot,
    Bug::CompactOneLess,
    Bug::SwitchBeforeSync,
    Bug::TakeReplacedLogs,
    Bug::TailSkipsBorder,
    Bug::TailForgetsCompacted,
    Bug::TailStepsBack,
    Bug::ForgetRemoved,
];

#[test]
fn planted_bugs_are_found() {
    let only = std::env::var("ESTORE_BUG").ok();
    let wanted = TO_BE_FOUND.into_iter().filter(|bug| only.as_ref().is_none_or(|only| *only == format!("{bug:?}")));
    let missed: Vec<Bug> = wanted.filter(|bug| images_until_found(*bug, 30_000).is_none()).collect();
    assert!(missed.is_empty(), "not found in 30000 crash images: {missed:?}");
}

#[test]
fn no_crash_loses_or_invents_anything() {
    let wanted = number("ESTORE_CRASH_IMAGES").unwrap_or(20_000);
    let seed = number("ESTORE_CRASH_SEED").unwrap_or(1);
    let began = Instant::now();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let seeds: Arc<dyn Fn() -> Option<u64> + Send + Sync> = Arc::new(seeds(seed, wanted, &tally));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| run_cases(Arc::clone(&seeds), Story::Silent, &tally))).collect();
        workers.into_iter().filter_map(|worker| worker.join().expect("panics are caught").err()).collect()
    });
    let tally = tally.lock().unwrap().clone();
    if let Some((seed, what)) = failed.first() {
        println!("seed {seed:#x} failed: {what}\nonce more, with all that happens:");
        let again = Mutex::new(Some(*seed));
        let again = run_cases(Arc::new(move || again.lock().unwrap().take()), Story::Told, &Arc::default());
        println!("the second time: {again:?}");
        panic!("after {} crash images: {what}\nrun it again with: make crash CASES=1 SEED={seed:#x}", tally.of("crash images"));
    }
    let list: Vec<String> = tally.0.iter().filter(|(what, _)| *what != "crash images").map(|(what, n)| format!("{what} {n}")).collect();
    println!("crash images: {}, {}; first seed {seed:#x}, {:.1?}", tally.of("crash images"), list.join(", "), began.elapsed());
    assert!(tally.of("crash images") >= wanted, "only {} crash images were checked", tally.of("crash images"));
    // With fewer images some of these may well be rare.
    if wanted >= 20_000 {
        for what in ["crash", "EIO", "ENOSPC", "EINTR", "another errno", "short", "lost pages"].map(|kind| format!("faults: {kind}")) {
            assert!(tally.of(&what) > 50, "{what}: {}", tally.of(&what));
        }
        for what in [
            "readers",
            "tails",
            "tails beside the writer",
            "events that tails gave",
            "gaps that tails told",
            "acknowledged appends",
            "recoveries that crashed or failed",
            "three in a row",
        ] {
            assert!(tally.of(what) > 100, "{what}: {}", tally.of(what));
        }
    }
}
