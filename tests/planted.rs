//! The tests can fail: each bug of `src/planted.rs`, planted on purpose, is found by one of the sweeps that pass without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)]

mod common;
#[path = "common/drift.rs"]
mod drift;
mod sweep;

use std::time::{Duration, Instant};

use estore::planted::{Bug, plant};

use sweep::workloads::{self, Workload};
use sweep::{Effort, Failure, Stats, Sweep, crash, fail, harm};

/// No search for one bug may take longer.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crash,
    Fail,
    Full,
    Harm,
    /// Replicas that drift and come together.
    Drift,
}

/// Where to look first: where such a bug is known to show. Everywhere else is looked at too, should it not show there any more.
fn first(bug: Bug) -> (Kind, &'static str) {
    match bug {
        Bug::SkipLogSync => (Kind::Crash, "append-batch"),
        Bug::SkipFolderSync => (Kind::Crash, "append-power"),
        Bug::SkipJournalSync => (Kind::Crash, "append-power"),
        Bug::SkipSessionSync => (Kind::Crash, "seqs"),
        Bug::RetireWithoutSync => (Kind::Crash, "close"),
        Bug::RenameBeforeSync => (Kind::Crash, "open-clean"),
        Bug::ReuseSeqs => (Kind::Crash, "append-one"),
        Bug::DurableBeforeSync => (Kind::Fail, "append-batch"),
        Bug::IgnoreEnd => (Kind::Crash, "chunks"),
        Bug::CutBelowDurable => (Kind::Harm, ""),
        Bug::ForgetCutBytes => (Kind::Crash, "recover-torn"),
        Bug::BringBackCutFrames => (Kind::Fail, "recover-torn"),
        Bug::SkipBodyChecksum => (Kind::Crash, "append-one"),
        Bug::SkipHeaderChecksum => (Kind::Harm, ""),
        Bug::SkipInstance => (Kind::Harm, ""),
        Bug::SkipRecordChecksum => (Kind::Crash, "append-one"),
        Bug::TrustStaleFiles => (Kind::Harm, ""),
        Bug::RetrySync => (Kind::Fail, "append-batch"),
        Bug::GoOnAfterFailedWrite => (Kind::Fail, "append-batch"),
        Bug::GoOnAfterFailedSync => (Kind::Fail, "append-batch"),
        Bug::SkipReserve => (Kind::Full, "append-large"),
        Bug::RemoveUnderReaders => (Kind::Crash, "delete-all"),
        Bug::RemoveBeforeHorizon => (Kind::Crash, "delete"),
        Bug::ForgetHorizon => (Kind::Crash, "delete"),
        Bug::LoseEventAtBorder => (Kind::Crash, "append-one"),
        Bug::LoseEventAtFrame => (Kind::Crash, "append-batch"),
        Bug::ShortRun => (Kind::Crash, "late"),
        Bug::LoseCarriedFrame => (Kind::Crash, "late-carry"),
        Bug::LeakIntoSnapshot => (Kind::Crash, "delete"),
        Bug::CompactOneLess => (Kind::Crash, "compact"),
        Bug::SwitchBeforeSync => (Kind::Crash, "compact"),
        Bug::SkipNameSync => (Kind::Crash, "compact"),
        Bug::TakeReplacedLogs => (Kind::Crash, "compact-recover"),
        Bug::TailSkipsBorder => (Kind::Crash, "tail"),
        Bug::TailForgetsCompacted => (Kind::Crash, "tail"),
        Bug::TailStepsBack => (Kind::Crash, "tail"),
        Bug::ForgetRemoved => (Kind::Crash, "tail-delete"),
        Bug::AgeByClockAlone => (Kind::Crash, "retain-age"),
        Bug::RetainNoLiveChunk => (Kind::Crash, "retain-size"),
        Bug::TrustPlainLength => (Kind::Harm, ""),
        Bug::SnapshotWithoutBuffer => (Kind::Crash, "snapshot-buffered"),
        Bug::SnapshotWithoutSync => (Kind::Crash, "snapshot"),
        Bug::SnapshotWithoutNames => (Kind::Crash, "snapshot-again"),
        Bug::SnapshotWithoutGrowth => (Kind::Crash, "snapshot-again"),
        Bug::XorHashes => (Kind::Drift, ""),
        Bug::CountRepeats => (Kind::Drift, ""),
        Bug::TellDeleted => (Kind::Drift, ""),
        Bug::PartWithoutBorder => (Kind::Drift, ""),
        Bug::TakePageForAll => (Kind::Drift, ""),
        Bug::ForgetIds => (Kind::Drift, ""),
        Bug::CopyLessThanBatch => (Kind::Drift, ""),
        Bug::CopyExpired => (Kind::Drift, ""),
        Bug::SkipParcelChecksum => (Kind::Drift, ""),
        Bug::TakePartOfParcel => (Kind::Drift, ""),
        Bug::HideDamage => (Kind::Drift, ""),
        Bug::DoubleInDamaged => (Kind::Drift, ""),
    }
}

fn run(kind: Kind, workload: &Workload) -> Result<Stats, Failure> {
    match kind {
        Kind::Crash => crash::sweep(workload, Effort::Quick),
        Kind::Fail => fail::sweep(workload, Effort::Quick),
        Kind::Full => fail::full(workload, Effort::Quick),
        Kind::Harm => harm::sweep(Effort::Quick),
        Kind::Drift => drift(),
    }
}

/// As many cases as the test of replicas has.
fn drift() -> Result<Stats, Failure> {
    let mut sweep = Sweep::new(Effort::Quick);
    for seed in 0..4_000 {
        sweep.stats.images += 1;
        sweep.case(&format!("drift/{seed}"), |_| drift::case(seed))?;
    }
    Ok(sweep.stats)
}

/// Looks for a planted bug in one sweep after the other, until one of them fails.
fn find(bug: Bug) -> Result<(Failure, Stats), Stats> {
    let started = Instant::now();
    let (kind, name) = first(bug);
    let all = workloads::all();
    let rest =
        [Kind::Harm, Kind::Crash, Kind::Fail, Kind::Full].into_iter().flat_map(|kind| all.iter().map(move |workload| (kind, workload)));
    let first = all.iter().find(|workload| workload.name == name).unwrap_or(&all[0]);
    let mut sum = Stats::default();
    plant(Some(bug));
    let mut found = None;
    for (kind, workload) in [(kind, first)].into_iter().chain(rest) {
        match run(kind, workload) {
            Ok(stats) => sum.add(stats),
            Err(failure) => {
                sum.add(failure.stats);
                found = Some(failure);
                break;
            }
        }
        if started.elapsed() > LONGEST {
            break;
        }
    }
    plant(None);
    found.map(|failure| (failure, sum)).ok_or(sum)
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    println!("{:<22} {:<42} {:>7} {:>7}  what was seen", "bug", "found by", "images", "faults");
    let only = std::env::var("ESTORE_BUG").ok();
    for bug in Bug::ALL {
        let name = format!("{bug:?}");
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match find(bug) {
            Ok((failure, stats)) => {
                let what: String = failure.what.lines().next().unwrap_or_default().chars().take(100).collect();
                println!("{name:<22} {:<42} {:>7} {:>7}  {what}", failure.case, stats.images, stats.faults);
            }
            Err(stats) => {
                println!("{name:<22} not found, {stats}");
                missed.push(bug);
            }
        }
    }
    assert!(missed.is_empty(), "no sweep finds {missed:?}");
}

#[test]
fn harmed_files_show_no_event_that_was_not_appended_and_miss_none_in_silence() {
    match harm::sweep(Effort::from_env()) {
        Ok(stats) => println!("{stats}"),
        Err(Failure { case, what, stats }) => panic!(
            "{case}, after {stats}: {what}\nto see it again: ESTORE_CASE={case} cargo test --test planted harmed_files -- --nocapture"
        ),
    }
}
