//! Reading: ranges, order, both directions, limits, snapshots.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::thread;

use common::model::splits;
use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, drain_batches, event, events_at, identities, stable_sorted, times};
use estore::{Durability, Error, Event, Mode, ReadOptions, Store};

type Bounds = (Bound<u64>, Bound<u64>);

fn store(place: &Place) -> Store {
    Store::open(&place.path, place.options().file_size(100).grace(10).durability(Durability::Process)).expect("the store opens")
}

fn read(store: &Store, options: ReadOptions) -> Vec<Event> {
    drain(store.read_with(.., options).expect("a reader opens"))
}

#[test]
fn a_range_that_ends_before_its_start_is_refused() {
    let place = Place::simulated(1);
    let store = store(&place);
    store.append(&events_at([1, 2, 300])).unwrap();
    let backwards: [Bounds; 4] =
        [(Included(5), Included(4)), (Included(u64::MAX), Included(0)), (Included(5), Excluded(3)), (Included(u64::MAX), Excluded(7))];
    for range in backwards {
        assert_error!(store.read(range).map(drop), Error::EndBeforeStart { .. });
        assert_error!(store.read_with(range, ReadOptions::new().reverse()).map(drop), Error::EndBeforeStart { .. });
        assert_error!(store.count(range), Error::EndBeforeStart { .. });
        assert_error!(store.splits(range).map(drop), Error::EndBeforeStart { .. });
    }
    assert_error!(store.count((Included(5), Included(4))), Error::EndBeforeStart { start: 5, end: 4 });
}

#[test]
fn an_empty_half_open_range_gives_nothing() {
    let place = Place::simulated(1);
    let store = store(&place);
    store.append(&events_at([0, 5, u64::MAX])).unwrap();
    let empty: [Bounds; 4] =
        [(Included(5), Excluded(5)), (Unbounded, Excluded(0)), (Included(0), Excluded(0)), (Excluded(u64::MAX), Unbounded)];
    for range in empty {
        assert_eq!(drain(store.read(range).expect("an empty range is fine")), [], "{range:?}");
        assert_eq!(drain(store.read_with(range, ReadOptions::new().reverse()).unwrap()), [], "{range:?}");
        assert_eq!(store.count(range).unwrap(), 0, "{range:?}");
        let split = store.splits(range).unwrap();
        assert_eq!(split.pieces(), 0, "{range:?}");
        assert_eq!(split.count(), 0, "{range:?}");
    }
}

#[test]
fn the_ends_of_a_range_are_what_its_bounds_say() {
    let place = Place::simulated(1);
    let store = store(&place);
    store.append(&events_at([0, 99, 100, 101, 199, 200, u64::MAX])).unwrap();
    let ranges: [(Bounds, &[u64]); 8] = [
        ((Included(99), Included(101)), &[99, 100, 101]),
        ((Excluded(99), Excluded(101)), &[100]),
        ((Included(100), Excluded(200)), &[100, 101, 199]),
        ((Included(100), Included(100)), &[100]),
        ((Included(102), Included(198)), &[]),
        ((Unbounded, Excluded(100)), &[0, 99]),
        ((Excluded(199), Unbounded), &[200, u64::MAX]),
        ((Included(201), Included(u64::MAX)), &[u64::MAX]),
    ];
    for (range, expected) in ranges {
        assert_eq!(times(&drain(store.read(range).unwrap())), expected, "{range:?}");
        let mut reverse = times(&drain(store.read_with(range, ReadOptions::new().reverse()).unwrap()));
        reverse.reverse();
        assert_eq!(reverse, expected, "{range:?} in reverse");
        assert_eq!(store.count(range).unwrap(), expected.len() as u64, "{range:?}");
    }
}

#[test]
fn equal_times_stay_in_order_of_arrival() {
    let place = Place::simulated(1);
    let mut rng = Rng::new(1);
    let mut arrived = Vec::new();
    for round in 0..5_u64 {
        let store = store(&place);
        for _ in 0..20 {
            // Few different times, in order and late, data that says the arrival.
            let batch: Vec<Event> =
                (0..rng.below(30)).map(|i| event(rng.below(8) * 40, 1, format!("{round} {} {i}", arrived.len()))).collect();
            store.append(&batch).unwrap();
            arrived.extend(batch);
        }
        let got = read(&store, ReadOptions::new());
        assert_ordered(&got);
        assert!(identities(&got) == stable_sorted(&arrived));
    }
}

#[test]
fn backward_is_forward_reversed() {
    let place = Place::simulated(1);
    let store = store(&place);
    let mut rng = Rng::new(2);
    for i in 0..60 {
        store.append(&events_at((0..30).map(|j| (i * 10_u64 + j / 3).saturating_sub(rng.below(200))))).unwrap();
    }
    let forward = read(&store, ReadOptions::new());
    assert_eq!(forward.len(), 1800);
    let mut backward = read(&store, ReadOptions::new().reverse());
    backward.reverse();
    assert!(forward == backward);
    for n in [0_usize, 1, 2, 299, 1800, 5000] {
        let n64 = n as u64;
        let (first, last) = (&forward[..n.min(1800)], &forward[1800 - n.min(1800)..]);
        let mut last_reversed = last.to_vec();
        last_reversed.reverse();
        assert!(read(&store, ReadOptions::new().limit(n64)) == first, "the first {n}");
        assert!(read(&store, ReadOptions::new().last(n64)) == last, "the last {n}");
        assert!(read(&store, ReadOptions::new().reverse().limit(n64)) == last_reversed, "the first {n} backward");
        assert!(read(&store, ReadOptions::new().reverse().last(n64)) == last_reversed, "the last {n} backward");
    }
}

#[test]
fn batches_of_any_size_give_the_same_events() {
    let place = Place::simulated(1);
    let store = store(&place);
    let mut rng = Rng::new(3);
    for i in 0..20 {
        store.append(&events_at((0..100).map(|j| (i * 20_u64 + j).saturating_sub(rng.below(90))))).unwrap();
    }
    let forward = read(&store, ReadOptions::new());
    for max in [1, 2, 7, 100, 1999, 2000, 100_000, usize::MAX] {
        let mut reader = store.read(..).unwrap();
        assert!(drain_batches(&mut reader, max) == forward, "batches of {max}");
        assert!(reader.next_batch(max).unwrap().is_empty(), "after its end a reader stays there");
        assert!(reader.next().is_none());
    }
    let mut reader = store.read(..).unwrap();
    let mut mixed = Vec::new();
    while mixed.len() < forward.len() {
        assert!(reader.next_batch(0).unwrap().is_empty(), "a batch of at most none");
        mixed.push(reader.next().unwrap().unwrap());
        mixed.extend(reader.next_batch(3).unwrap().iter().map(|event| event.to_event()));
    }
    assert!(mixed == forward, "next and next_batch in turn");
    assert!(reader.next().is_none());
}

#[test]
fn an_open_reader_shows_its_snapshot_whatever_happens() {
    for place in [Place::simulated(1), Place::real()] {
        let store = store(&place);
        store.append(&events_at((0..3000).map(|i| i / 3))).unwrap();
        store.append(&events_at((0..300).map(|i| i * 3))).unwrap();
        let expected = read(&store, ReadOptions::new());
        let seq = store.last_seq();
        let mut readers: Vec<_> = (0..4).map(|_| store.read(..).unwrap()).collect();
        let mut got: Vec<Vec<Event>> = vec![Vec::new(); 4];
        let mut read_some = |n: usize| {
            for (reader, got) in readers.iter_mut().zip(&mut got) {
                got.extend(reader.take(n).map(Result::unwrap));
                assert_eq!(reader.snapshot_seq(), seq);
            }
        };
        read_some(10);
        store.append(&events_at((0..1000).chain([5; 100]))).unwrap();
        read_some(500);
        store.delete_before(900).unwrap();
        read_some(500);
        store.append(&events_at([2000, 1, 950])).unwrap();
        store.close().unwrap();
        read_some(5000);
        for got in got {
            assert!(got == expected);
        }
    }
}

#[test]
fn a_reader_goes_on_though_its_store_is_closed_and_opened_again() {
    for place in [Place::simulated(1), Place::real()] {
        let first = store(&place);
        first.append(&events_at((0..3000).map(|i| i / 3))).unwrap();
        first.append(&events_at((0..300).map(|i| i * 3))).unwrap();
        let expected = read(&first, ReadOptions::new());
        let mut reader = first.read(..).unwrap();
        let mut got: Vec<Event> = reader.by_ref().take(10).map(Result::unwrap).collect();
        drop(first);
        for round in 0..3 {
            let store = store(&place);
            store.append(&events_at((0..1000).chain([5; 100]))).unwrap();
            got.extend(reader.by_ref().take(500).map(Result::unwrap));
            assert_eq!(got.len(), 510 + round * 500);
        }
        got.extend(drain(reader));
        assert!(got == expected);
    }
}

#[test]
fn a_reader_goes_to_another_thread() {
    let place = Place::simulated(1);
    let store = store(&place);
    store.append(&events_at(0..500)).unwrap();
    let reader = store.read(..).unwrap();
    drop(store);
    assert_eq!(thread::spawn(move || drain(reader).len()).join().unwrap(), 500);
}

#[test]
fn a_snapshot_tells_its_seq() {
    let place = Place::simulated(1);
    let options = place.options().durability(Durability::Buffered).buffer(1 << 20, u64::MAX);
    let store = Store::open(&place.path, options).unwrap();
    assert_eq!(store.read(..).unwrap().snapshot_seq(), store.last_seq());
    let seq = store.append(&events_at([5, 3, 9])).unwrap();
    let reader = store.read(4..6).unwrap();
    assert_eq!(reader.snapshot_seq(), seq, "also if the event of that seq lies outside the range");
    assert_eq!(times(&drain(reader)), [5]);
}

#[test]
fn other_handles_see_a_buffered_batch_once_it_is_handed_over() {
    let place = Place::simulated(1);
    let options = place.options().durability(Durability::Buffered).buffer(1 << 20, 1000);
    let store = Store::open(&place.path, options).unwrap();
    let beside = || Store::open(&place.path, place.options().mode(Mode::ReadOnly)).unwrap().count(..).unwrap();
    store.append(&events_at([5, 3, 9])).unwrap();
    assert_eq!(beside(), 0, "still in the buffer");
    store.tick().unwrap();
    assert_eq!(beside(), 0, "not old enough");
    place.clock.advance(1000);
    store.tick().unwrap();
    assert_eq!(beside(), 3, "handed over by time");
    store.append(&events_at([6])).unwrap();
    assert_eq!(store.count(..).unwrap(), 4);
    assert_eq!(beside(), 4, "handed over by a count");
    store.append(&[event(7, 1, vec![0; 2 << 20])]).unwrap();
    assert_eq!(beside(), 5, "handed over for want of room");
    store.append(&events_at([8])).unwrap();
    store.sync().unwrap();
    assert_eq!(beside(), 6, "handed over by a sync");
    store.append(&events_at([9])).unwrap();
    drop(store);
    assert_eq!(beside(), 7, "handed over at the end");
}

#[test]
fn splits_are_the_chunks_of_a_range() {
    let place = Place::simulated(1);
    let store = store(&place);
    let pieces = |range: Bounds| -> Vec<(u64, u64)> {
        let split = store.splits(range).unwrap();
        let pieces = split.pieces();
        let list: Vec<(u64, u64)> = split.map(|piece| (*piece.start(), *piece.end())).collect();
        assert_eq!(pieces, list.len() as u128);
        list
    };
    assert_eq!(pieces((Included(5), Included(5))), [(5, 5)]);
    assert_eq!(pieces((Included(0), Included(99))), [(0, 99)]);
    assert_eq!(pieces((Included(0), Excluded(101))), [(0, 99), (100, 100)]);
    assert_eq!(pieces((Included(150), Included(320))), [(150, 199), (200, 299), (300, 320)]);
    let last = u64::MAX / 100 * 100;
    assert_eq!(pieces((Included(last - 1), Unbounded)), [(last - 100 + 99, last - 1), (last, u64::MAX)]);
    let whole = store.splits(..).unwrap();
    assert_eq!(whole.pieces(), splits(100, 0, u64::MAX, 0).0);
    assert_eq!(whole.take(2).map(|piece| (*piece.start(), *piece.end())).collect::<Vec<_>>(), [(0, 99), (100, 199)]);
}

#[test]
fn the_splits_of_the_finest_and_the_coarsest_files() {
    for (file_size, pieces) in [(1, 1_u128 << 64), (2, 1 << 63), (u64::MAX, 2), (u64::MAX - 1, 2), (1 << 63, 2)] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, place.options().file_size(file_size)).unwrap();
        let split = store.splits(..).unwrap();
        assert_eq!(split.pieces(), pieces, "file_size {file_size}");
        let got: Vec<(u64, u64)> = split.take(3).map(|piece| (*piece.start(), *piece.end())).collect();
        assert_eq!(got, splits(file_size, 0, u64::MAX, 3).1, "file_size {file_size}");
    }
}
