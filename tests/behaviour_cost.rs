//! What reading and writing cost, counted in bytes and calls on the simulated disk: a window, a count or the last few events cost what they
//! show, not what the store holds, and an append is one write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::place::Place;
use common::rng::Rng;
use common::{drain, event};
use estore::{Durability, Event, ReadOptions, Store};

/// Nanoseconds, as the times of these tests are meant.
const SECOND: u64 = 1_000_000_000;
/// Where the times start.
const START: u64 = 1_700_000_000 * SECOND;
/// Late events that are in no run yet, eight runs with a frame on either side, the index: what a window may cost beyond its result.
const ROOM: u64 = 5 << 19;
/// The data of one event.
const LEN: usize = 200;

/// How the events of a store lie.
#[derive(Clone, Copy, Debug)]
enum Disorder {
    None,
    /// Every second one is late by up to the whole span.
    HalfLate,
    /// Every second one is late by an hour, as from a source that was cut off for so long: they come in order.
    HalfLateInOrder,
    /// One in ten thousand is behind by up to the grace.
    FewWithinGrace,
}

/// A store of `events` events, one each millisecond, in one chunk, opened anew.
fn filled(place: &Place, events: u64, disorder: Disorder) -> Store {
    let options = || place.options().file_size(1 << 62).grace(30 * SECOND).durability(Durability::Process);
    let store = Store::open(&place.path, options()).unwrap();
    let mut rng = Rng::new(1);
    let mut i = 0;
    while i < events {
        let batch: Vec<Event> = (i..i + 500)
            .map(|i| {
                let now = START + i * SECOND / 1000;
                let behind = match disorder {
                    Disorder::HalfLate if i % 2 == 1 => rng.below(i * SECOND / 1000),
                    Disorder::HalfLateInOrder if i % 2 == 1 => 3600 * SECOND,
                    Disorder::FewWithinGrace if rng.one_in(10_000) => rng.below((30 * SECOND).min(i * SECOND / 1000)),
                    _ => 0,
                };
                event(now - behind, 1, vec![i as u8; LEN])
            })
            .collect();
        store.append(&batch).unwrap();
        i += 500;
    }
    store.close().unwrap();
    Store::open(&place.path, options()).unwrap()
}

/// How many events a call gives, and how many bytes it reads.
fn cost(place: &Place, call: impl FnOnce() -> u64) -> (u64, u64) {
    place.sim().reset_counters();
    let events = call();
    (events, place.sim().counters().read_bytes)
}

fn window_cost(place: &Place, store: &Store, from: u64, to: u64, reverse: bool) {
    let options = if reverse { ReadOptions::new().reverse() } else { ReadOptions::new() };
    let (events, bytes) = cost(place, || drain(store.read_with(from..=to, options).unwrap()).len() as u64);
    let result = events * (LEN as u64 + 24);
    assert!(bytes <= result + ROOM, "a window of {events} events, some {result} bytes, read {bytes} bytes");
}

fn windows(disorder: Disorder, sizes: [u64; 2]) {
    for events in sizes {
        let place = Place::simulated(1);
        let store = filled(&place, events, disorder);
        let stored = store.stats().unwrap().log_bytes;
        assert!(stored > events * LEN as u64);
        for part in [1, 5, 9] {
            let from = START + events / 10 * part * SECOND / 1000;
            for reverse in [false, true] {
                window_cost(&place, &store, from, from + SECOND, reverse);
                window_cost(&place, &store, from, from + 5 * SECOND, reverse);
                window_cost(&place, &store, from, from, reverse);
            }
        }
    }
}

#[test]
fn a_window_reads_only_what_overlaps_it() {
    windows(Disorder::None, [30_000, 120_000]);
}

#[test]
fn a_window_is_as_cheap_when_half_of_all_events_came_late() {
    windows(Disorder::HalfLate, [30_000, 120_000]);
}

#[test]
fn a_few_stragglers_within_the_grace_do_not_make_windows_dear() {
    windows(Disorder::FewWithinGrace, [30_000, 120_000]);
}

#[test]
fn the_last_few_events_are_read_without_the_rest() {
    for (disorder, limit) in [(Disorder::None, 400_000), (Disorder::HalfLate, ROOM)] {
        let place = Place::simulated(1);
        let store = filled(&place, 100_000, disorder);
        for options in [ReadOptions::new().last(10), ReadOptions::new().reverse().limit(10), ReadOptions::new().limit(10)] {
            let (events, bytes) = cost(&place, || drain(store.read_with(.., options).unwrap()).len() as u64);
            assert_eq!(events, 10);
            assert!(bytes <= limit, "{options:?} of {disorder:?} read {bytes} bytes");
        }
    }
}

#[test]
fn opening_a_reader_reads_next_to_nothing() {
    for disorder in [Disorder::None, Disorder::HalfLate] {
        let place = Place::simulated(1);
        let store = filled(&place, 50_000, disorder);
        drain(store.read(START..=START).unwrap());
        let (_, bytes) = cost(&place, || u64::from(store.read(..).is_ok()));
        assert!(bytes <= ROOM, "opening a reader of {disorder:?} read {bytes} bytes");
    }
}

#[test]
fn a_count_of_a_wide_range_reads_only_its_borders() {
    for disorder in [Disorder::None, Disorder::HalfLate] {
        let place = Place::simulated(1);
        let store = filled(&place, 100_000, disorder);
        assert_eq!(store.count(..).unwrap(), 100_000);
        let (counted, bytes) = cost(&place, || store.count(START + SECOND..START + 99 * SECOND).unwrap());
        assert!(bytes <= ROOM, "a count of {counted} events of {disorder:?} read {bytes} bytes");
        let (events, bytes) = cost(&place, || store.count(..).unwrap());
        assert_eq!(events, 100_000);
        assert!(bytes <= ROOM / 2, "a count of all events of {disorder:?} read {bytes} bytes");
        assert_eq!(counted, drain(store.read(START + SECOND..START + 99 * SECOND).unwrap()).len() as u64);
    }
}

#[test]
fn late_data_is_in_at_most_eight_runs_and_a_mebibyte_besides() {
    // In one chunk that is written without end, the cost of a point stays the same.
    for disorder in [Disorder::HalfLate, Disorder::HalfLateInOrder] {
        let place = Place::simulated(1);
        let store = filled(&place, 150_000, disorder);
        for at in [1_000, 75_000, 149_000] {
            let at = START + at * 1_000_000;
            let (_, bytes) = cost(&place, || drain(store.read(at..=at).unwrap()).len() as u64);
            assert!(bytes <= ROOM, "{disorder:?}: one millisecond read {bytes} bytes");
        }
        let stats = store.stats().unwrap();
        assert!(stats.recon_bytes <= stats.log_bytes * 2, "{disorder:?}: recon has {} bytes", stats.recon_bytes);
    }
}

#[test]
fn writing_costs_a_few_times_what_is_written() {
    // Late events are copied from the log to runs, and runs are merged: a logarithm, not a square. Those that come in order are copied once.
    for (disorder, tenths) in [(Disorder::HalfLate, 60), (Disorder::HalfLateInOrder, 16)] {
        let place = Place::simulated(1);
        place.sim().reset_counters();
        let store = filled(&place, 100_000, disorder);
        let (written, stored) = (place.sim().counters().write_bytes, store.stats().unwrap().log_bytes);
        assert!(written < stored * tenths / 10, "{disorder:?}: {written} bytes were written for a log of {stored}");
    }
}

#[test]
fn looking_for_what_is_there_already_reads_each_frame_once_and_none_for_what_was_found() {
    for (disorder, late) in
        [(Disorder::None, false), (Disorder::HalfLate, false), (Disorder::HalfLateInOrder, false), (Disorder::HalfLate, true)]
    {
        let place = Place::simulated(1);
        let store = filled(&place, 60_000, disorder);
        // The index is loaded with the first look.
        assert_eq!(store.append_absent(&[event(START + SECOND, 1, vec![])]).unwrap().stored, 1);
        let arrived = drain(store.read(..).unwrap());
        let is_late = |event: &Event| matches!(disorder, Disorder::HalfLate | Disorder::HalfLateInOrder) && event.data[0] % 2 == 1;
        let sent_again: Vec<Event> = arrived.into_iter().filter(|event| !event.data.is_empty() && is_late(event) == late).collect();
        for first in [16_000, 28_000] {
            let mut batch = sent_again[first..first + 1_000].to_vec();
            // In any order, and some twice.
            batch.extend_from_within(..500);
            Rng::new(2).shuffle(&mut batch);
            let (present, bytes) = cost(&place, || store.append_absent(&batch).unwrap().present);
            assert_eq!(present, 1_500);
            // A frame on either side, besides the thousand events; to find late ones, what a window may cost besides.
            let limit = 1_000 * (LEN as u64 + 24) + 2 * (64 << 10) + if late { ROOM } else { 0 };
            assert!(bytes <= limit, "{disorder:?}, late {late}: {bytes} bytes were read to find 1,000 events from the {first}-th on");
        }
    }
}

#[test]
fn an_append_is_one_write_and_at_most_one_sync() {
    for (durability, syncs) in [(Durability::Process, 0), (Durability::Power, 1)] {
        for batch in [1, 100] {
            let place = Place::simulated(1);
            let store = Store::open(&place.path, place.options().file_size(1 << 62).durability(durability)).unwrap();
            let append = |i: u64| {
                let events: Vec<Event> = (0..batch).map(|k| event(START + i * batch + k, 1, vec![7; LEN])).collect();
                store.append(&events).unwrap();
            };
            append(0);
            place.sim().reset_counters();
            (1..1_001).for_each(append);
            let counters = place.sim().counters();
            let index_files = 1_000 * batch * LEN as u64 / (1 << 20);
            assert!(counters.writes <= 1_000 + index_files, "{} writes in 1,000 appends of {batch}", counters.writes);
            assert!(counters.reserves <= 20, "{} calls for room in 1,000 appends of {batch}", counters.reserves);
            assert_eq!(counters.syncs + counters.folder_syncs, syncs * 1_000, "syncs at {durability:?}");
            // A sync looks whether the folder is still the same, and so does whatever works by name.
            assert!(counters.calls <= counters.writes + counters.reserves + 2 * counters.syncs + 6 * index_files);
        }
    }
}
