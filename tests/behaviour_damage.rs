//! Damage: bytes that changed after they were durable are named and located, never cut as if they were a tail, and nothing is ever read
//! that was not appended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use common::place::Place;
use common::rng::Rng;
use common::{drain, error_of, event, events_at, times};
use estore::disk::Crash;
use estore::{Durability, Error, Event, Mode, Options, ReadOptions, Reader, Store};

fn options(place: &Place) -> Options {
    place.options().file_size(1000).grace(10).durability(Durability::Process)
}

/// A store of a few chunks with late events, some frames each, closed.
fn make_store(place: &Place, batches: u64, len: usize) -> Vec<Event> {
    let store = Store::open(&place.path, options(place)).unwrap();
    let mut rng = Rng::new(1);
    for i in 0..batches {
        let batch: Vec<Event> =
            (0..20).map(|j| event((i * 100 + j * 5).saturating_sub(if j == 7 { 90 } else { 0 }), 1, rng.bytes(len))).collect();
        store.append(&batch).unwrap();
    }
    let all = drain(store.read(..).unwrap());
    store.close().unwrap();
    all
}

/// What a reader gives before its end or its first error.
fn read_on(mut reader: Reader) -> (Vec<Event>, Option<Error>) {
    let mut events = Vec::new();
    loop {
        match reader.next() {
            None => return (events, None),
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) => {
                let again = error_of(reader.next_batch(1));
                assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&error), "after {error:?} came {again:?}");
                assert!(reader.next().is_none(), "an iterator ends with its error");
                return (events, Some(error));
            }
        }
    }
}

#[test]
fn a_damaged_frame_is_named_and_located_and_the_rest_can_be_read() {
    let place = Place::simulated(1);
    let all = make_store(&place, 30, 500);
    let log = place.names(".estore").into_iter().find(|name| name.starts_with("1-")).expect("the log of chunk 1");
    let mut bytes = place.file(&log);
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    place.put_file(&log, &bytes);
    for mode in [Mode::ReadOnly, Mode::CreateIfMissing] {
        let store = Store::open(&place.path, place.options().mode(mode)).expect("a damaged frame doesn't keep a store from opening");
        let (got, error) = read_on(store.read(..).unwrap());
        let error = error.expect("the damage is reported");
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.path().is_some_and(|path| path.ends_with(&log)), "{error}");
        assert!(error.offset().is_some_and(|offset| offset <= at as u64 && offset + 200_000 > at as u64), "{error}; the damage is at {at}");
        assert!(got == all[..got.len()], "before the damage, all events are given as they were");
        assert!(got.iter().filter(|event| event.time < 1000).count() >= 200, "those of the chunk before at the least");
        let (got, error) = read_on(store.read_with(.., ReadOptions::new().reverse()).unwrap());
        assert!(matches!(error, Some(Error::Corrupt { .. })), "{error:?}");
        assert!(got.iter().eq(all.iter().rev().take(got.len())));
        let (got, error) = read_on(store.read(2000..).unwrap());
        assert!(error.is_none(), "what doesn't touch the damage can be read: {error:?}");
        assert!(got.iter().eq(all.iter().filter(|event| event.time >= 2000)));
        assert_eq!(store.count(2000..).unwrap(), got.len() as u64);
    }
    let mut after = place.file(&log);
    after.truncate(bytes.len());
    assert!(after[..at] == bytes[..at], "nothing was cut");
}

#[test]
fn whole_events_before_the_damage_come_first_and_a_range_beside_it_is_whole() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place)).unwrap();
    // Frames of two events each, all of which one entry of the index covers.
    for i in 0..10 {
        store.append(&[event(i * 20, 1, "a"), event(i * 20 + 1, 1, "b")]).unwrap();
    }
    store.close().unwrap();
    let whole = place.file("0-0.estore");
    let frames = common::frames(&whole);
    assert_eq!(frames.len(), 10);
    let mut bytes = whole.clone();
    // Bodies of the frames with times 80, 81 and 100, 101.
    bytes[frames[5] - 1] ^= 1;
    bytes[frames[6] - 1] ^= 1;
    place.put_file("0-0.estore", &bytes);
    let times = |range: std::ops::RangeInclusive<u64>, how: ReadOptions, mode| {
        let store = Store::open(&place.path, options(&place).mode(mode)).unwrap();
        let (events, error) = read_on(store.read_with(range, how).unwrap());
        (common::times(&events), error.map(|error| error.offset().unwrap() as usize))
    };
    let forward: Vec<u64> = (0..4).flat_map(|i| [i * 20, i * 20 + 1]).collect();
    let backward: Vec<u64> = (6..10).rev().flat_map(|i| [i * 20 + 1, i * 20]).collect();
    for mode in [Mode::ReadOnly, Mode::Existing] {
        assert_eq!(times(0..=u64::MAX, ReadOptions::new(), mode), (forward.clone(), Some(frames[4])));
        assert_eq!(times(0..=u64::MAX, ReadOptions::new().reverse(), mode), (backward.clone(), Some(frames[4])));
        assert_eq!(times(0..=70, ReadOptions::new(), mode), (forward.clone(), None), "beside the damage");
        assert_eq!(times(110..=999, ReadOptions::new().reverse(), mode), (backward.clone(), None), "beside the damage");
        assert_eq!(times(81..=81, ReadOptions::new(), mode), (vec![], Some(frames[4])));
    }
}

#[test]
fn a_log_that_lost_its_end_after_it_was_durable_is_damaged() {
    for cut in [1, 100, 5_000] {
        let place = Place::simulated(1);
        let all = make_store(&place, 30, 500);
        let log = place.names(".estore").into_iter().find(|name| name.starts_with("1-")).expect("the log of chunk 1");
        let mut bytes = place.file(&log);
        bytes.truncate(bytes.len() - cut);
        place.put_file(&log, &bytes);
        let outcome = Store::open(&place.path, options(&place)).map(|store| read_on(store.read(..).unwrap()));
        match outcome {
            Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error:?}"),
            Ok((got, error)) => {
                assert!(matches!(error, Some(Error::Corrupt { .. })), "{} of {} events, then {error:?}", got.len(), all.len());
                assert!(got == all[..got.len()]);
            }
        }
    }
}

#[test]
fn an_older_journal_hides_no_event() {
    for closed in [true, false] {
        for mode in [Mode::ReadOnly, Mode::Existing] {
            let place = Place::simulated(1);
            let store = Store::open(&place.path, options(&place)).unwrap();
            store.append(&events_at([1, 2, 1001])).unwrap();
            if closed {
                store.close().unwrap();
            }
            let older = place.file("journal");
            drop(store);
            // More in a chunk that it knows, and a chunk that it doesn't.
            let store = Store::open(&place.path, options(&place)).unwrap();
            store.append(&events_at([3, 1002, 2001])).unwrap();
            let last = store.last_seq();
            store.close().unwrap();
            place.put_file("journal", &older);
            let said = Arc::new(Mutex::new(String::new()));
            let log = Arc::clone(&said);
            let options = || options(&place).mode(mode).log(move |_, message| log.lock().unwrap().push_str(message));
            let store = Store::open(&place.path, options()).unwrap();
            assert_eq!(times(&drain(store.read(..).unwrap())), [1, 2, 3, 1001, 1002, 2001], "closed: {closed}, {mode:?}");
            // One that was not closed had seqs in reserve, and looks like that of a writer that died.
            assert_eq!(said.lock().unwrap().contains("older than the logs"), closed, "{mode:?}: {said:?}");
            assert_eq!(store.verify(|_| ControlFlow::Continue(())).unwrap().damaged, 0);
            if mode == Mode::Existing {
                assert!(store.append(&events_at([4])).unwrap() > last, "no seq is given twice");
                store.close().unwrap();
                assert_eq!(open_and_count(&place), 7);
            }
        }
    }
}

fn open_and_count(place: &Place) -> u64 {
    Store::open(&place.path, options(place)).unwrap().count(..).unwrap()
}

#[test]
fn a_log_that_is_gone_is_damage() {
    let place = Place::simulated(1);
    let all = make_store(&place, 30, 50);
    let log = place.names(".estore").into_iter().find(|name| name.starts_with("1-")).expect("the log of chunk 1");
    place.sim().remove(place.path.join(log));
    for mode in [Mode::ReadOnly, Mode::CreateIfMissing] {
        match Store::open(&place.path, place.options().mode(mode)).map(|store| read_on(store.read(..).unwrap())) {
            Err(error) => assert!(matches!(error, Error::Corrupt { .. } | Error::Gone { .. }), "{error:?}"),
            Ok((got, error)) => {
                assert!(
                    matches!(error, Some(Error::Corrupt { .. } | Error::Gone { .. })),
                    "{mode:?}: {} of {} events, then {error:?}",
                    got.len(),
                    all.len()
                );
                assert!(got == all[..got.len()]);
            }
        }
    }
}

#[test]
fn a_log_that_lost_all_of_its_bytes_after_they_were_durable_is_damage_though_its_writer_died() {
    for len in [0, 1, 63] {
        for mode in [Mode::ReadOnly, Mode::CreateIfMissing] {
            let place = Place::simulated(1);
            let store = Store::open(&place.path, options(&place)).unwrap();
            store.append(&[event(1, 1, "durable"), event(1000, 1, "durable")]).unwrap();
            store.sync().unwrap();
            // This frame says so.
            store.append(&[event(1001, 1, "")]).unwrap();
            place.crash(Crash::KeepAll);
            drop(store);
            let mut bytes = place.file("0-0.estore");
            bytes.truncate(len);
            place.put_file("0-0.estore", &bytes);
            for round in 0..2 {
                let store = Store::open(&place.path, options(&place).mode(mode)).unwrap();
                let (got, error) = read_on(store.read(..).unwrap());
                let error = error.unwrap_or_else(|| panic!("{len}, {mode:?}: {} of 3 events, and nobody says so", got.len()));
                assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
                assert!(store.count(..).is_err());
                assert_eq!(read_on(store.read(1000..).unwrap()).0.len(), 2);
                if mode == Mode::CreateIfMissing && round == 0 {
                    store.append(&[event(2, 1, "goes on")]).expect("events go on in a new log");
                    store.close().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_lost_journal_lets_no_damage_pass_for_a_torn_tail() {
    for lost in [true, false] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, options(&place)).unwrap();
        (0..100).for_each(|i| drop(store.append(&[event(i, 1, vec![7; 20])])));
        store.close().unwrap();
        // A frame in the middle, and the journal, which alone knew that all of it was durable.
        let mut log = place.file("0-0.estore");
        let whole = log.len();
        log[whole / 2] ^= 1;
        place.put_file("0-0.estore", &log);
        let mut journal = place.file("journal");
        journal[100] ^= 1;
        if lost {
            place.sim().remove(place.path.join("journal"));
        } else {
            place.put_file("journal", &journal);
        }
        for mode in [Mode::ReadOnly, Mode::Existing, Mode::Existing] {
            let store = Store::open(&place.path, options(&place).mode(mode)).unwrap();
            assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
            let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
            let events = common::drain_batches(&mut reader, 1000);
            assert_eq!((events.len(), reader.gaps().len()), (99, 1), "{mode:?}");
            // A writer has made the journal anew.
            let damaged = if mode == Mode::ReadOnly { 2 } else { 1 };
            assert_eq!(store.verify(|_| ControlFlow::Continue(())).unwrap().damaged, damaged, "{mode:?}");
            assert_eq!(place.file("0-0.estore").len(), whole);
        }
    }
}
