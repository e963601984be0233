//! Any list of operations leaves a store and the naive model of one with the same events: on the simulated disk, where processes die and
//! the power goes, and on the real one. `ESTORE_CASES` says how many lists are tried.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[path = "common/ops.rs"]
mod ops;
#[path = "common/world.rs"]
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestRunner};

use common::place::Place;
use ops::{Op, Setup};
use world::{Coverage, World};

/// `ESTORE_CASES` lists of operations, or so many as take some minute in a debug build.
fn config(default: u32) -> Config {
    let cases = std::env::var("ESTORE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    Config {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/proptest-regressions/model.txt"))),
        ..Config::default()
    }
}

fn run(setup: Setup, ops: &[Op], place: Place) -> Coverage {
    let mut world = World::new(setup, place);
    for op in ops {
        world.run(op);
    }
    world.finish()
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn a_store_on_the_simulated_disk_is_what_the_model_says(setup in ops::setup(), ops in ops::ops(true), seed in any::<u64>()) {
        run(setup, &ops, Place::simulated(seed));
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn a_store_on_the_real_disk_is_what_the_model_says(setup in ops::setup(), ops in ops::ops(false)) {
        run(setup, &ops, Place::real());
    }
}

/// A runner that draws the same cases each time.
fn fixed_runner() -> TestRunner {
    TestRunner::new(Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })
}

#[test]
fn every_kind_of_operation_is_drawn() {
    let mut runner = fixed_runner();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..300 {
        let ops = ops::ops(true).new_tree(&mut runner).expect("operations can be drawn").current();
        for kind in ops.iter().flat_map(Op::kinds) {
            *kinds.entry(kind).or_default() += 1;
        }
    }
    let expected = [
        "append",
        "append absent",
        "read",
        "read beside",
        "count",
        "splits",
        "open reader",
        "open reader beside",
        "pull reader",
        "open tail",
        "open tail beside",
        "pull tail",
        "tail from Start",
        "tail from Present",
        "tail from Consumer",
        "tail from Event",
        "delete before",
        "retain",
        "retain by age",
        "retain by size",
        "retain while the clock is wrong",
        "compact",
        "snapshot",
        "snapshot beside",
        "sync",
        "tick",
        "stats",
        "die in Append",
        "die in Sync",
        "die in DeleteBefore",
        "die in Retain",
        "die in Compact",
        "die in Snapshot",
        "die in Close",
        "ending Close",
        "ending Drop",
        "ending Death",
        "ending PowerLossAll",
        "ending PowerLossRandom",
        "level Buffered",
        "level Process",
        "level Interval",
        "level Power",
        "Delete index",
        "Truncate index",
        "Flip index",
        "Swap index",
        "Extend index",
        "Delete recon",
        "Truncate recon",
        "Flip recon",
        "Swap recon",
        "Extend recon",
        "shape InOrder",
        "shape Equal",
        "shape Disordered",
        "shape Late",
        "shape Backwards",
        "shape LoneAhead",
        "shape Leap",
        "shape Edges",
        "shape Anywhere",
        "shape ManyChunks",
        "shape Again",
        "payload Empty",
        "payload OneByte",
        "payload Short",
        "payload Medium",
        "payload Twins",
        "payload Large",
        "batch of none",
        "batch of one",
        "batch of some",
        "batch of many",
        "range Whole",
        "range Between",
        "range One",
        "range From",
        "range To",
        "take All forward",
        "take All backward",
        "take First forward",
        "take First backward",
        "take Last forward",
        "take Last backward",
    ];
    for kind in expected {
        let drawn = kinds.get(kind).copied().unwrap_or(0);
        assert!(drawn >= 10, "{kind} was drawn {drawn} times in 300 cases");
    }
    for kind in kinds.keys() {
        assert!(expected.contains(&kind.as_str()), "{kind} isn't in the list of this test");
    }
}

#[test]
fn the_interesting_paths_are_taken() {
    let mut runner = fixed_runner();
    let mut coverage = Coverage::new();
    for seed in 0..600 {
        let setup = ops::setup().new_tree(&mut runner).expect("a setup can be drawn").current();
        let ops = ops::ops(true).new_tree(&mut runner).expect("operations can be drawn").current();
        for (what, times) in run(setup, &ops, Place::simulated(seed)) {
            *coverage.entry(what).or_default() += times;
        }
    }
    for what in [
        "a bit of a derived file was flipped",
        "a chunk is compressed",
        "a compaction while readers are open",
        "a compaction while readers beside are open",
        "a crash lost events",
        "a crash lost nothing",
        "a handle beside goes on",
        "a delete removed events",
        "a delete while readers are open",
        "a derived file was cut",
        "a derived file was deleted",
        "a gap was told",
        "a gap was told beside the writer",
        "a new tail went on from the cursor of one before",
        "a tail beside over a compaction",
        "a tail beside over a crash",
        "a tail beside over a delete",
        "a tail beside the writer gave events",
        "a tail ended with its handle",
        "a tail gave what its handle had when it was closed",
        "a tail gave what was deleted after it got it",
        "a tail over a compaction",
        "a tail over a crash",
        "a tail over a delete",
        "a tail over closing and opening",
        "append absent met events that were there",
        "appended below the horizon",
        "a snapshot goes on from an earlier one",
        "a snapshot shares logs",
        "chunks were compacted",
        "events went through recon",
        "index files have bytes",
        "more than three chunks",
        "read beside a full buffer",
        "readers outlive their store",
        "the power went in the middle of a call",
        "recon files have bytes",
        "retention kept more than its size",
        "retention removed chunks",
        "retention while readers are open",
        "two derived files were swapped",
    ] {
        assert!(coverage.contains_key(what), "it never happened that {what}; but {coverage:?}");
    }
}
