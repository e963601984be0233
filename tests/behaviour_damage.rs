//! Damage: bytes that changed after they were durable are named and located, never cut as if they were a tail, and nothing is ever read
//! that was not appended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use common::place::Place;
use common::rng::Rng;
use common::{drain, error_of, event, events_at, times};
use estore::disk::SimDisk;
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

/// Opens and reads a store that may be damaged: events as they were, as far as an error allows, or all of them.
fn check_damaged(place: &Place, disk: &SimDisk, mode: Mode, all: &[Event], what: &str) -> bool {
    let options = options(place).disk(std::sync::Arc::new(disk.clone())).mode(mode);
    let store = match Store::open(&place.path, options) {
        Ok(store) => store,
        Err(error) => {
            assert!(
                matches!(error, Error::Corrupt { .. } | Error::NewerFormat { .. } | Error::NotAStore { .. } | Error::Settings { .. }),
                "{what}: {error:?}"
            );
            return true;
        }
    };
    let mut noticed = false;
    for options in [ReadOptions::new(), ReadOptions::new().reverse()] {
        match store.read_with(.., options).map(read_on) {
            Err(error) => {
                assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
                noticed = true;
            }
            Ok((mut got, error)) => {
                let expected = if options == ReadOptions::new() {
                    &all[..got.len().min(all.len())]
                } else {
                    got.reverse();
                    &all[all.len().saturating_sub(got.len())..]
                };
                assert!(got == expected, "{what}: events that were not appended, or are missing, without an error before");
                match error {
                    None => assert_eq!(got.len(), all.len(), "{what}: events are missing in silence"),
                    Some(error) => {
                        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
                        noticed = true;
                    }
                }
            }
        }
    }
    match store.count(..) {
        Ok(count) => assert!(count == all.len() as u64 || noticed, "{what}: a count of {count}"),
        Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}"),
    }
    let _ = store.stats();
    let _ = store.close();
    noticed
}

/// Changes files of a small store in every way that `change` finds, one at a time, and looks at what opening and reading make of it.
fn sweep(step: usize, change: impl Fn(&mut Vec<u8>, usize)) {
    let place = Place::simulated(1);
    let all = make_store(&place, 12, 30);
    let mut noticed = 0;
    for name in place.names("") {
        let bytes = place.file(&name);
        // Each byte of the start, where the headers are, then some.
        for at in (0..bytes.len()).filter(|at| *at < 200 || at % step == 0) {
            let mut changed = bytes.clone();
            change(&mut changed, at);
            for mode in [Mode::ReadOnly, Mode::CreateIfMissing] {
                let disk = place.sim().fork(at as u64);
                disk.put(place.path.join(&name), &changed).unwrap();
                noticed += u64::from(check_damaged(&place, &disk, mode, &all, &format!("{name}, byte {at}, {mode:?}")));
            }
        }
    }
    assert!(noticed > 0, "no damage was noticed at all");
}

#[test]
fn no_flipped_bit_shows_an_event_that_was_not_appended_or_hides_one_in_silence() {
    sweep(7, |bytes, at| bytes[at] ^= 1 << (at % 8));
}

#[test]
fn no_zeroed_stretch_shows_an_event_that_was_not_appended_or_hides_one_in_silence() {
    sweep(53, |bytes, at| {
        let end = (at + 512).min(bytes.len());
        bytes[at..end].fill(0);
    });
}

#[test]
fn no_cut_file_shows_an_event_that_was_not_appended_or_hides_one_in_silence() {
    sweep(53, Vec::truncate);
}

#[test]
fn no_garbage_at_the_end_of_a_file_does_harm() {
    let place = Place::simulated(1);
    let all = make_store(&place, 12, 30);
    for name in place.names("") {
        for len in [1, 8, 100, 5000] {
            let mut bytes = place.file(&name);
            bytes.extend(Rng::new(len as u64).bytes(len));
            for mode in [Mode::ReadOnly, Mode::CreateIfMissing] {
                let disk = place.sim().fork(len as u64);
                disk.put(place.path.join(&name), &bytes).unwrap();
                check_damaged(&place, &disk, mode, &all, &format!("{name} with {len} bytes more, {mode:?}"));
            }
        }
    }
}

#[test]
fn files_in_each_others_places_are_not_taken_for_their_own() {
    let place = Place::simulated(1);
    let all = make_store(&place, 30, 30);
    let names = place.names("");
    for (i, a) in names.iter().enumerate() {
        for b in &names[i + 1..] {
            let disk = place.sim().fork(1);
            disk.put(place.path.join(a), &place.file(b)).unwrap();
            disk.put(place.path.join(b), &place.file(a)).unwrap();
            check_damaged(&place, &disk, Mode::CreateIfMissing, &all, &format!("{a} and {b} in each other's places"));
        }
    }
}
