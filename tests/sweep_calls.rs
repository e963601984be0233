//! Every call of every operation, disturbed: the power goes there, torn in several ways, and again during the recovery; the call fails, in
//! every way in which its kind can, once and for good; the disk is full at that point.
//!
//! `ESTORE_SWEEP=full` looks at every point of everything instead of what fits into a minute; `ESTORE_CASE=<case>` at one case only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)]

mod common;
mod sweep;

use sweep::{Effort, Failure, Stats, crash, fail, workloads};

fn run(test: &str, sweep: fn(&workloads::Workload, Effort) -> Result<Stats, Failure>) {
    let mut sum = Stats::default();
    let mut failures = Vec::new();
    for workload in workloads::all() {
        let started = std::time::Instant::now();
        match sweep(&workload, Effort::from_env()) {
            Ok(stats) => {
                assert!(stats.calls > 0 || std::env::var("ESTORE_CASE").is_ok(), "{}: nothing was called", workload.name);
                println!("{:>15}: {stats}, {:?}", workload.name, started.elapsed());
                sum.add(stats);
            }
            Err(Failure { case, what, stats }) => failures.push(format!(
                "{case}, after {stats}:\n{what}\nto see it again: ESTORE_CASE={case} cargo test --test sweep_calls {test} -- --nocapture"
            )),
        }
    }
    println!("{test}: {sum}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn losing_power_at_any_call_loses_nothing_that_was_promised() {
    run("losing_power_at_any_call", crash::sweep);
}

#[test]
fn any_call_that_fails_is_an_error_with_a_name_and_no_more() {
    run("any_call_that_fails", fail::sweep);
}

#[test]
fn a_disk_that_is_full_at_any_point_changes_nothing() {
    run("a_disk_that_is_full", fail::full);
}
