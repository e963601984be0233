//! Compaction takes the memory of a merge, whatever the size of the chunk: a process of its own compacts chunks many times larger than what
//! it may grow by, and tells how far it grew. And so does sorting late events, however many there are in how few bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use common::event;
use common::place::Place;
use common::rng::Rng;
use estore::{Durability, Event, Options, Store};

/// Tells a child which store to compact.
const STORE: &str = "ESTORE_COMPACT_STORE";
/// What a child may grow by, and by how much more than that the logs are larger.
const LIMIT: u64 = 32 << 20;
const TIMES: u64 = 4;
const LEN: usize = 120;

fn options() -> Options {
    Options::new().file_size(1 << 62).grace(1_000).durability(Durability::Process).background(false)
}

/// The most memory that this process has had resident.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// Compacts the store that the environment names, if it does; whether this is such a child.
fn compacted_as_child() -> bool {
    let Some(path) = std::env::var_os(STORE) else { return false };
    let store = Store::open(Path::new(&path), options()).unwrap();
    let before = peak();
    let compacted = store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    let grown = peak() - before;
    assert_eq!(compacted.chunks, 1);
    assert!(compacted.bytes_before > TIMES * LIMIT, "the logs have but {} bytes", compacted.bytes_before);
    assert!(grown < LIMIT, "compacting {} bytes of logs took {grown} bytes of memory", compacted.bytes_before);
    store.close().unwrap();
    true
}

/// Has the store compacted by a child, which runs the same test, and looks whether all is still there.
fn compact_in_child(place: &Place, store: Store, test: &str) {
    run_child(place, store, 0, test);
}

/// Has a child, which runs the same test, do something to the store, and looks whether all is still there, and what it has added.
fn run_child(place: &Place, store: Store, added: u64, test: &str) {
    let events = store.count(..).unwrap() + added;
    store.close().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(STORE, &place.path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let store = Store::open(&place.path, options()).unwrap();
    assert_eq!(store.count(..).unwrap(), events);
    let mut last = (0, 0);
    for event in store.read(..).unwrap() {
        let event = event.unwrap();
        assert!(last < (event.time, event.seq));
        last = (event.time, event.seq);
    }
}

#[test]
fn a_chunk_of_which_half_came_late_all_over_it() {
    if compacted_as_child() {
        return;
    }
    let place = Place::real();
    let store = Store::open(&place.path, options()).unwrap();
    let mut rng = Rng::new(1);
    for i in 0..1_200 {
        let batch: Vec<Event> = (0..1_000)
            .map(|k| {
                let now = 1_000_000 + i * 10_000 + k * 10;
                event(if k % 2 == 0 { now } else { rng.below(now) }, k as u32, vec![k as u8; LEN])
            })
            .collect();
        store.append(&batch).unwrap();
    }
    compact_in_child(&place, store, "a_chunk_of_which_half_came_late_all_over_it");
}

#[test]
fn a_chunk_of_many_small_frames_each_with_its_late_event() {
    if compacted_as_child() {
        return;
    }
    let place = Place::real();
    let store = Store::open(&place.path, options()).unwrap();
    let mut rng = Rng::new(2);
    for i in 0..60_000 {
        let now = 1_000_000 + i * 200;
        let mut batch: Vec<Event> = (0..19).map(|k| event(now + k * 10, 1, vec![k as u8; LEN])).collect();
        batch.push(event(rng.below(now), 2, vec![7; LEN]));
        store.append(&batch).unwrap();
    }
    compact_in_child(&place, store, "a_chunk_of_many_small_frames_each_with_its_late_event");
}

#[test]
fn two_million_events_of_one_time() {
    if compacted_as_child() {
        return;
    }
    let place = Place::real();
    let store = Store::open(&place.path, options()).unwrap();
    // Half of them come once they are late.
    let batch = |n: u64| -> Vec<Event> { (0..n).map(|k| event(500_000, k as u32, vec![k as u8; 80])).collect() };
    for _ in 0..1_000 {
        store.append(&batch(1_000)).unwrap();
    }
    store.append(&[event(1_000_000, 1, "newer"), event(1_000_000, 1, "newer")]).unwrap();
    for _ in 0..1_000 {
        store.append(&batch(1_000)).unwrap();
    }
    compact_in_child(&place, store, "two_million_events_of_one_time");
}

#[test]
fn late_events_that_take_hardly_any_bytes_are_sorted() {
    const BATCH: usize = 5_000;
    const BATCHES: usize = 3_500;
    let Some(path) = std::env::var_os(STORE) else {
        let place = Place::real();
        let store = Store::open(&place.path, options()).unwrap();
        store.append(&[event(1 << 40, 1, ""), event(1 << 40, 1, "")]).unwrap();
        return run_child(&place, store, (BATCH * BATCHES) as u64, "late_events_that_take_hardly_any_bytes_are_sorted");
    };
    let store = Store::open(Path::new(&path), options()).unwrap();
    let batch: Vec<Event> = (0..BATCH).map(|_| event(7, 1, "")).collect();
    store.append(&batch).unwrap();
    let before = peak();
    for _ in 1..BATCHES {
        store.append(&batch).unwrap();
    }
    store.close().unwrap();
    let grown = peak() - before;
    assert!(grown < LIMIT, "sorting {} late events took {grown} bytes of memory", BATCH * BATCHES);
}
