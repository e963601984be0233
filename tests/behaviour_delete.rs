//! Retention: what `delete_before` removes, at once and for good, and what it leaves alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;

use common::place::Place;
use common::{drain, event, events_at, times};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Durability, Error, Mode, Options, ReadOptions, Store};

fn options(place: &Place) -> Options {
    place.options().file_size(100).grace(10).durability(Durability::Process)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).expect("the store opens")
}

fn all(store: &Store) -> Vec<u64> {
    times(&drain(store.read(..).expect("a reader opens")))
}

#[test]
fn files_of_deleted_chunks_that_could_not_be_removed_go_at_the_next_opening() {
    for ending in [".estore", ".idx"] {
        let place = Place::simulated(1);
        let left = || place.names("").iter().filter(|name| name.starts_with("0-0")).count();
        let store = open(&place);
        store.append(&events_at([1, 2, 101, 201])).unwrap();
        store.close().unwrap();
        drop(store);
        let store = open(&place);
        let effect = FaultEffect::Errno(libc::EIO);
        place.sim().inject(Fault { at: 0, calls: Some(Call::RemoveFile), name: Some(format!("0-0{ending}")), effect, forever: true });
        store.delete_before(100).unwrap();
        assert_eq!(left(), 1, "{ending}");
        store.close().unwrap();
        drop(store);
        place.sim().clear_faults();
        let store = open(&place);
        assert_eq!(left(), 0, "{ending}");
        assert_eq!(all(&store), [101, 201]);
    }
}

#[test]
fn what_loss_of_power_brings_back_of_a_deleted_chunk_is_removed() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 101, 201])).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&place);
    store.delete_before(100).unwrap();
    store.append(&events_at([102])).unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    assert!(place.names("").contains(&"0-0.estore".to_owned()), "the folder was not synced");
    let store = open(&place);
    assert!(!place.names("").iter().any(|name| name.starts_with("0-0")));
    assert_eq!(store.count(..).unwrap(), all(&store).len() as u64);
    assert!(all(&store).starts_with(&[101]));
}

#[test]
fn reads_and_counts_start_at_the_horizon_at_once() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        store.append(&events_at([5, 50, 99, 100, 149, 150, 151, 250])).unwrap();
        store.append(&events_at([1, 149, 150])).unwrap();
        store.delete_before(150).unwrap();
        assert_eq!(all(&store), [150, 150, 151, 250]);
        assert_eq!(store.count(..).unwrap(), 4);
        assert_eq!(store.count(0..150).unwrap(), 0);
        assert_eq!(store.count(100..=150).unwrap(), 2);
        assert_eq!(times(&drain(store.read_with(.., ReadOptions::new().reverse()).unwrap())), [250, 151, 150, 150]);
        assert_eq!(times(&drain(store.read_with(.., ReadOptions::new().last(10)).unwrap())), [150, 150, 151, 250]);
        assert_eq!(times(&drain(store.read_with(.., ReadOptions::new().limit(1)).unwrap())), [150]);
        let stats = store.stats().unwrap();
        assert_eq!((stats.events, stats.oldest, stats.newest, stats.horizon, stats.chunks), (4, 150, 250, 150, 2));
        store.close().unwrap();
        let store = open(&place);
        assert_eq!(all(&store), [150, 150, 151, 250], "opened again");
        assert_eq!(store.stats().unwrap().horizon, 150);
    }
}

#[test]
fn whole_chunks_below_the_horizon_give_their_space_back() {
    let place = Place::simulated(1);
    let store = open(&place);
    for chunk in 0..20_u64 {
        store.append(&[event(chunk * 100 + 50, 1, vec![7; 50_000]), event(chunk * 100 + 20, 1, vec![7; 50_000])]).unwrap();
    }
    let (used, names) = (place.sim().used(), place.names("").len());
    store.delete_before(1500).unwrap();
    assert!(place.sim().used() < used / 3, "{} bytes are used, of {used}", place.sim().used());
    assert!(place.names("").len() < names / 2, "{} files are left of {names}", place.names("").len());
    assert_eq!(store.stats().unwrap().chunks, 5);
    assert_eq!(store.count(..).unwrap(), 10);
}

#[test]
fn later_appends_below_the_horizon_are_skipped_and_counted() {
    let place = Place::simulated(1);
    let store = open(&place);
    let last = store.append(&events_at([5, 250])).unwrap();
    store.delete_before(200).unwrap();
    assert_eq!(store.append(&events_at([5, 199])).unwrap(), last, "nothing was stored");
    assert!(store.append(&events_at([5, 200, 199, 201])).unwrap() > last);
    let answer = store.append_absent(&events_at([6, 202, 198])).unwrap();
    assert_eq!((answer.stored, answer.present, answer.expired), (1, 0, 2));
    assert_eq!(store.stats().unwrap().expired, 6);
    assert_eq!(all(&store), [200, 201, 202, 250]);
    assert_eq!(store.stats().unwrap().chunks, 1, "no chunk is made for expired events");
    drop(store);
    let store = open(&place);
    store.append(&events_at([199])).unwrap();
    assert_eq!((store.stats().unwrap().expired, store.count(..).unwrap()), (1, 4), "opened again");
}

#[test]
fn the_horizon_never_goes_back() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 50, 150])).unwrap();
    store.delete_before(0).unwrap();
    assert_eq!(all(&store), [5, 50, 150]);
    store.delete_before(50).unwrap();
    store.delete_before(20).unwrap();
    store.append(&events_at([30])).unwrap();
    assert_eq!(all(&store), [50, 150]);
    store.delete_before(u64::MAX).unwrap();
    assert_eq!(all(&store), []);
    store.append(&events_at([u64::MAX, u64::MAX - 1])).unwrap();
    assert_eq!(all(&store), [u64::MAX]);
}

#[test]
fn the_horizon_is_durable_on_return() {
    for crash in [Crash::LoseAll, Crash::KeepAll, Crash::Random] {
        for seed in 0..10 {
            let place = Place::simulated(seed);
            let store = open(&place);
            store.append(&events_at([5, 120, 180, 250, 350])).unwrap();
            store.sync().unwrap();
            store.delete_before(150).unwrap();
            place.crash(crash);
            let store = open(&place);
            assert_eq!(all(&store), [180, 250, 350], "{crash:?}");
            store.append(&events_at([130])).unwrap();
            assert_eq!(all(&store), [180, 250, 350], "{crash:?}");
        }
    }
}

#[test]
fn readers_of_the_writing_process_keep_what_is_deleted() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        store.append(&events_at((0..50).map(|i| i * 20))).unwrap();
        let untouched = store.read(..).unwrap();
        let mut begun = store.read(..).unwrap();
        assert_eq!(begun.next_batch(3).unwrap().len(), 3);
        store.delete_before(u64::MAX).unwrap();
        assert_eq!(all(&store), []);
        store.append(&events_at([u64::MAX])).unwrap();
        drop(store);
        assert_eq!(times(&drain(untouched)), (0..50).map(|i| i * 20).collect::<Vec<u64>>());
        assert_eq!(times(&drain(begun)), (3..50).map(|i| i * 20).collect::<Vec<u64>>());
    }
}

#[test]
fn readers_of_others_end_with_gone_or_go_on_but_never_end_early_in_silence() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        store.append(&events_at((0..50).map(|i| i * 20))).unwrap();
        let beside = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).unwrap();
        let mut reader = beside.read(..).unwrap();
        assert_eq!(reader.next_batch(3).unwrap().len(), 3);
        store.delete_before(900).unwrap();
        let mut next = 3;
        for result in reader {
            match result {
                Ok(event) => {
                    assert_eq!(event.time, next * 20);
                    next += 1;
                }
                Err(error) => {
                    assert!(matches!(error, Error::Gone { .. }), "{error:?}");
                    next = 50;
                    break;
                }
            }
        }
        assert_eq!(next, 50);
    }
}

#[test]
fn a_deleted_event_is_expired_and_not_present() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 250])).unwrap();
    store.delete_before(100).unwrap();
    let answer = store.append_absent(&events_at([5, 250])).unwrap();
    assert_eq!((answer.stored, answer.present, answer.expired), (0, 1, 1));
}

#[test]
fn an_empty_store_has_a_horizon_too() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.delete_before(100).unwrap();
    drop(store);
    let store = open(&place);
    store.append(&events_at([99, 100])).unwrap();
    assert_eq!(all(&store), [100]);
}

#[test]
fn a_store_whose_events_are_all_deleted_has_the_numbers_of_an_empty_one() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([20, 50])).unwrap();
    store.delete_before(60).unwrap(); // in the middle of the chunk
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.oldest, stats.newest), (0, u64::MAX, 0));
    assert_eq!(all(&store), []);
}

/// Compaction takes the files away that such a reader was to read, and deleting those that compaction made.
#[test]
fn readers_of_a_closed_store_keep_what_a_later_opening_compacts_and_deletes() {
    for place in [Place::simulated(1), Place::real()] {
        for read_before in [0, 3] {
            let store = open(&place);
            store.append(&events_at([1, 50, 101, 150, 201, 250])).unwrap();
            store.append(&events_at([20, 120, 220])).unwrap();
            let mut reader = store.read(..).unwrap();
            let mut seen: Vec<u64> = reader.by_ref().take(read_before).map(|event| event.unwrap().time).collect();
            store.close().unwrap();
            drop(store);
            let store = open(&place);
            store.append(&events_at([30, 130])).unwrap();
            assert_eq!(store.compact(.., |_| ControlFlow::Continue(())).unwrap().chunks, 3);
            store.delete_before(1000).unwrap();
            assert_eq!(all(&store), []);
            seen.extend(reader.map(|event| event.unwrap().time));
            assert_eq!(seen, [1, 20, 50, 101, 120, 150, 201, 220, 250]);
            assert_eq!(place.names(".estore"), [""; 0], "the files go with the reader");
            store.close().unwrap();
            drop(store);
            Store::destroy(&place.path, options(&place)).unwrap();
        }
    }
}

#[test]
fn readers_of_a_closed_store_keep_what_a_later_opening_deletes() {
    for place in [Place::simulated(1), Place::real()] {
        let first = open(&place);
        first.append(&events_at((0..50).map(|i| i * 20))).unwrap();
        let before = first.read(..).unwrap();
        first.delete_before(300).unwrap();
        let after = first.read(..).unwrap();
        drop(first);
        let second = open(&place);
        second.delete_before(900).unwrap();
        drop(second);
        let third = open(&place);
        for (reader, start) in [(before, 0), (after, 15)] {
            assert_eq!(times(&drain(reader)), (start..50).map(|i| i * 20).collect::<Vec<u64>>());
        }
        assert_eq!(all(&third), [900, 920, 940, 960, 980]);
        drop(third);
        drop(open(&place));
        assert_eq!(place.names(".estore").len(), 1, "once nobody reads them, the files go");
    }
}

#[test]
fn deleting_works_on_a_full_disk_and_makes_room_for_what_is_in_the_buffer() {
    let place = Place::simulated(1);
    let options = place.options().file_size(1_000).durability(Durability::Buffered).buffer(4_096, u64::MAX);
    let store = Store::open(&place.path, options).unwrap();
    store.append(&[event(500, 1, vec![1; 200_000])]).unwrap();
    store.sync().unwrap();
    place.sim().set_capacity(Some(place.sim().used()));
    // Kept in the buffer, which can't be flushed.
    store.append(&[event(600, 2, "old"), event(5_000, 3, vec![2; 50_000])]).unwrap();
    assert_error!(store.sync(), Error::NoSpace { .. });
    store.delete_before(1_000).unwrap();
    assert_eq!(times(&drain(store.read(..).unwrap())), [5_000]);
    store.close().unwrap();
    let store = Store::open(&place.path, place.options()).unwrap();
    assert_eq!(times(&drain(store.read(..).unwrap())), [5_000]);
}

#[test]
fn the_horizon_that_makes_the_journal_long_outlives_its_shortening() {
    for kill in [false, true] {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at((0..60).map(|chunk| chunk * 100))).unwrap();
        let mut before = 0;
        let time = (1_000..5_000).find(|&time| {
            store.delete_before(time).unwrap();
            let len = store.stats().unwrap().journal_bytes;
            std::mem::replace(&mut before, len) > len
        });
        let time = time.expect("the journal is written anew once it is long");
        if kill {
            place.crash(Crash::KeepAll);
        } else {
            store.close().unwrap();
        }
        let store = open(&place);
        assert_eq!(store.stats().unwrap().horizon, time);
        assert_eq!(all(&store).first(), Some(&time.next_multiple_of(100)));
    }
}

#[test]
fn a_full_disk_never_keeps_a_store_from_being_opened_and_deleted_from() {
    for chunks in [5, 200] {
        for killed in [false, true] {
            let place = Place::simulated(1);
            let store = open(&place);
            store.append(&events_at((1..chunks).map(|chunk| chunk * 100))).unwrap();
            store.close().unwrap();
            place.sim().set_capacity(Some(place.sim().used()));
            for i in 0..80 {
                let store = Store::open(&place.path, options(&place)).unwrap_or_else(|e| panic!("{chunks} chunks, opened {i} times: {e}"));
                if killed {
                    place.crash(Crash::KeepAll);
                } else {
                    store.close().unwrap();
                }
            }
            let store = open(&place);
            store.delete_before(350).expect("deleting works on a full disk");
            store.append(&events_at([400, 1])).expect("and makes room");
            assert_eq!(store.count(..).unwrap(), chunks - 4 + 1);
        }
    }
}

#[test]
fn deleting_works_however_full_the_journal_is_when_the_disk_is() {
    for appends in (0..240).step_by(80).chain(240..264) {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, options(&place).max_open_logs(1)).unwrap();
        // Each append closes one log and opens another, which are two records in the journal.
        for i in 0..appends {
            store.append(&events_at([(i % 2) * 100])).unwrap();
        }
        place.sim().set_capacity(Some(0));
        for i in 0..600 {
            if let Err(error) = store.append(&events_at([(i % 2) * 100])) {
                assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
                break;
            }
        }
        store.delete_before(50).unwrap_or_else(|e| panic!("after {appends} appends: {e}"));
        assert_eq!(store.stats().unwrap().horizon, 50);
    }
}

#[test]
fn the_horizon_outlives_a_journal_that_the_delete_itself_makes_anew() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([10_000])).unwrap();
    // Each delete adds a record; after some hundreds of them the journal is written anew.
    for time in 1..1_000 {
        store.delete_before(time).unwrap();
        let beside = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).unwrap();
        assert_eq!(beside.stats().unwrap().horizon, time);
    }
}
