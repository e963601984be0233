//! Recon and index files are derived: lost, damaged, stale or another log's, they never change a result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, event, identities, stable_sorted};
use estore::disk::{Call, Fault, FaultEffect};
use estore::{Durability, Efile, Event, Mode, Options, ReadOptions};

fn options(place: &Place) -> Options {
    place.options().grace(0).durability(Durability::Process)
}

fn open(place: &Place) -> Efile {
    Efile::open(&place.path, options(place)).expect("the store opens")
}

fn all(store: &Efile) -> Vec<Event> {
    drain(store.read(..).expect("a reader opens"))
}

/// An efile whose late events fill a run, and one more that no run holds; the newest time is confirmed. Answers what it holds.
fn make_store(place: &Place) -> Vec<Event> {
    let store = open(place);
    let mut arrived = vec![event(10_000, 1, ""), event(10_000, 2, "")];
    store.append(&arrived).unwrap();
    let late: Vec<Event> = (0..300).map(|i| event(400 + i, 1, vec![1; 5000])).collect();
    store.append(&late).unwrap();
    arrived.extend(late);
    let pending = event(5000, 7, "in no run");
    store.append(std::slice::from_ref(&pending)).unwrap();
    arrived.push(pending);
    assert!(store.stats().unwrap().recon_bytes > 0, "there is a run");
    store.close().unwrap();
    arrived
}

/// Every way to ask gives what a stable sort of the arrivals says.
fn check(store: &Efile, arrived: &[Event]) {
    let expected = stable_sorted(arrived);
    let got = all(store);
    assert_ordered(&got);
    assert_eq!(got.len(), expected.len());
    assert!(identities(&got) == expected);
    let mut backward = identities(&drain(store.read_with(.., ReadOptions::new().reverse()).unwrap()));
    backward.reverse();
    assert!(backward == expected);
    for n in [1, 2, 5, expected.len() / 2] {
        let last = identities(&drain(store.read_with(.., ReadOptions::new().last(n as u64)).unwrap()));
        assert!(last == expected[expected.len() - n..], "the last {n}");
    }
    assert_eq!(store.count(..).unwrap(), expected.len() as u64);
    for i in 0..10 {
        let (start, end) = (expected[expected.len() * i / 20].0, expected[expected.len() * (i + 10) / 20].0);
        let wanted = expected.iter().filter(|(time, _, _)| (start..=end).contains(time)).count();
        assert_eq!(store.count(start..=end).unwrap(), wanted as u64, "{start}..={end}");
        assert_eq!(drain(store.read(start..=end).unwrap()).len(), wanted, "{start}..={end}");
    }
}

fn flip(place: &Place, ending: &str, at: impl Fn(usize) -> usize) {
    for name in place.names(ending) {
        let mut bytes = place.file(&name);
        let at = at(bytes.len());
        bytes[at] ^= 1;
        place.put_file(&name, &bytes);
    }
}

fn remove(place: &Place, ending: &str) {
    for name in place.names(ending) {
        place.disk.remove_file(&place.path.join(name)).unwrap();
    }
}

#[test]
fn late_events_that_no_run_holds_are_found_without_the_index() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    remove(&place, ".idx");
    check(&open(&place), &arrived);
}

#[test]
fn late_events_that_no_run_holds_are_found_without_ever_an_index() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let store = Efile::open(&place.path, options(&place).no_index(true)).unwrap();
    check(&store, &arrived);
}

#[test]
fn late_events_that_no_run_holds_are_found_after_a_crash() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let store = open(&place);
    store.append(&[event(5001, 8, "in no run")]).unwrap();
    place.crash(estore::disk::Crash::KeepAll);
    let arrived = [arrived, vec![event(5001, 8, "in no run")]].concat();
    check(&open(&place), &arrived);
}

#[test]
fn an_index_that_was_written_after_a_copy_was_found_damaged_is_right_too() {
    let place = Place::simulated(1);
    let mut arrived = make_store(&place);
    flip(&place, ".recon", |len| len / 2);
    for i in 0..3 {
        let store = open(&place);
        let late = event(450 + i, 9, "after the damage");
        store.append(std::slice::from_ref(&late)).unwrap();
        arrived.push(late);
        check(&store, &arrived);
        store.close().unwrap();
    }
    check(&open(&place), &arrived);
}

#[test]
fn the_last_events_are_found_though_a_copy_is_damaged() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let expected = stable_sorted(&arrived);
    for n in [1, 10, 100, 250, 303] {
        let copy = place.sim().fork(1);
        let [recon] = &place.names(".recon")[..] else { panic!("one recon file") };
        let mut bytes = place.file(recon);
        let at = bytes.len() / 3;
        bytes[at] ^= 1;
        copy.put(place.path.join(recon), &bytes).unwrap();
        let store = Efile::open(&place.path, options(&place).disk(std::sync::Arc::new(copy))).unwrap();
        let last = identities(&drain(store.read_with(.., ReadOptions::new().last(n)).unwrap()));
        assert!(last == expected[expected.len() - n as usize..], "{} of the last {n}", last.len());
    }
}

#[test]
fn several_readers_may_meet_the_same_damaged_copy() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let expected = stable_sorted(&arrived);
    flip(&place, ".recon", |len| len / 2);
    let store = open(&place);
    let mut readers: Vec<_> =
        (0..4).map(|i| store.read_with(.., if i % 2 == 0 { ReadOptions::new() } else { ReadOptions::new().reverse() }).unwrap()).collect();
    let mut got: Vec<Vec<Event>> = readers.iter_mut().map(|reader| reader.take(3).map(Result::unwrap).collect()).collect();
    for (i, (reader, got)) in readers.into_iter().zip(&mut got).enumerate() {
        got.extend(reader.map(|event| event.expect("only a copy is damaged")));
        if i % 2 == 1 {
            got.reverse();
        }
        assert!(identities(got) == expected, "reader {i}");
    }
    check(&store, &arrived);
}

#[test]
fn every_flipped_bit_of_a_derived_file_is_without_effect() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let expected = stable_sorted(&arrived);
    for name in [place.names(".idx"), place.names(".recon")].concat() {
        let bytes = place.file(&name);
        // Headers and lists byte by byte, and some of what lies between.
        let edges = 400.min(bytes.len());
        let step = (bytes.len() / 300).max(1);
        for at in (0..bytes.len()).filter(|at| *at < edges || *at + edges >= bytes.len() || at % step == 0) {
            let copy = place.sim().fork(at as u64);
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            copy.put(place.path.join(&name), &changed).unwrap();
            let store = Efile::open(&place.path, options(&place).disk(std::sync::Arc::new(copy))).unwrap();
            assert_eq!(store.count(4000..).unwrap(), 3, "{name}, byte {at}");
            assert!(identities(&all(&store)) == expected, "{name}, byte {at}");
        }
    }
}

#[test]
fn runs_that_come_and_merge_hold_every_late_event_once_whatever_happens_to_the_files() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let place = Place::simulated(seed);
        // Late events from anywhere, or such as come more or less in order: then most frames of a run become frames of the next one.
        let in_order = seed % 2 == 1;
        let mut arrived = vec![event(1_000_000, 1, ""), event(1_000_000, 2, "")];
        let mut store = open(&place);
        store.append(&arrived).unwrap();
        for round in 0..40 {
            let late: Vec<Event> = (0..50 + rng.below(100))
                .map(|i| {
                    let len = rng.index(3000);
                    let time = if in_order { round * 24_000 + rng.below(40_000) } else { rng.below(1_000_000) };
                    event(time, i as u32, rng.bytes(len))
                })
                .collect();
            store.append(&late).unwrap();
            arrived.extend(late);
            if rng.one_in(3) {
                drop(store);
                match rng.below(6) {
                    0 => remove(&place, ".idx"),
                    1 => remove(&place, ".recon"),
                    2 => flip(&place, ".idx", |len| len - 1 - (seed * 37 + round) as usize % len.min(500)),
                    3 => flip(&place, ".recon", |len| (seed * 1009 + round * 7919) as usize % len),
                    4 => place.crash(estore::disk::Crash::KeepAll),
                    _ => {}
                }
                store = open(&place);
            }
            if rng.one_in(5) {
                check(&store, &arrived);
            }
        }
        check(&store, &arrived);
        let stats = store.stats().unwrap();
        assert!(stats.recon_events > 0 && stats.recon_bytes > 0);
    }
}

#[test]
fn a_derived_file_of_an_earlier_time_is_without_effect() {
    // What loss of power does when a removal or a rename was not synced: an old file is back.
    let place = Place::simulated(1);
    let mut arrived = make_store(&place);
    let old: Vec<(String, Vec<u8>)> =
        [place.names(".idx"), place.names(".recon")].concat().into_iter().map(|name| (name.clone(), place.file(&name))).collect();
    let store = open(&place);
    for i in 0..5 {
        let late: Vec<Event> = (0..100).map(|j| event(i * 10 + j, 3, vec![2; 5000])).collect();
        store.append(&late).unwrap();
        arrived.extend(late);
    }
    store.close().unwrap();
    for (name, bytes) in &old {
        let copy = place.sim().fork(1);
        copy.put(place.path.join(name), bytes).unwrap();
        check(&Efile::open(&place.path, options(&place).disk(std::sync::Arc::new(copy))).unwrap(), &arrived);
    }
    for (name, bytes) in &old {
        place.put_file(name, bytes);
    }
    check(&open(&place), &arrived);
}

#[test]
fn the_writer_makes_lost_and_damaged_derived_files_anew() {
    for ending in [".idx", ".recon"] {
        for harm in ["flip the middle", "flip the start", "flip the end", "cut", "extend", "remove"] {
            let place = Place::simulated(1);
            let arrived = make_store(&place);
            match harm {
                "flip the middle" => flip(&place, ending, |len| len / 2),
                "flip the start" => flip(&place, ending, |_| 5),
                "flip the end" => flip(&place, ending, |len| len - 1),
                "extend" => {
                    for name in place.names(ending) {
                        place.put_file(&name, &[place.file(&name), vec![1; 70]].concat());
                    }
                }
                "remove" => remove(&place, ending),
                _ => {
                    for name in place.names(ending) {
                        let mut bytes = place.file(&name);
                        bytes.truncate(bytes.len() / 3);
                        place.put_file(&name, &bytes);
                    }
                }
            }
            let what = format!("{ending}: {harm}");
            // A reader beside a writer leaves files alone.
            let before = place.contents();
            let reader = Efile::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
            assert_eq!(all(&reader).len(), arrived.len(), "{what}");
            drop(reader);
            assert!(place.contents() == before, "{what}");

            let store = open(&place);
            assert_eq!(all(&store).len(), arrived.len(), "{what}");
            store.verify(|finding| panic!("{what}: read by the writer: {finding:?}")).unwrap();
            check(&store, &arrived);
            store.close().unwrap();
            drop(store);
            assert_eq!(place.names(ending).len(), 1, "{what}");
            let store = open(&place);
            store.verify(|finding| panic!("{what}: opened again: {finding:?}")).unwrap();
            check(&store, &arrived);
        }
    }
}

#[test]
fn the_writer_makes_derived_files_anew_before_it_appends() {
    for ending in [".idx", ".recon"] {
        for cut in [true, false] {
            let place = Place::simulated(1);
            let mut arrived = make_store(&place);
            for name in place.names(ending) {
                let mut bytes = place.file(&name);
                if cut {
                    bytes.truncate(14)
                } else {
                    bytes.extend([1; 14])
                }
                place.put_file(&name, &bytes);
            }
            let store = open(&place);
            // Before anybody has read, which would make them anew.
            let more = [event(10_001, 1, "behind it")];
            store.append(&more).unwrap();
            arrived.extend(more);
            let found = store.verify(|finding| panic!("{ending} {cut}: {finding:?}")).unwrap();
            assert_eq!(found.events, arrived.len() as u64);
            check(&store, &arrived);
        }
    }
}

#[test]
fn derived_files_that_cannot_be_made_anew_cost_nothing_but_time() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    flip(&place, ".recon", |len| len / 2);
    let store = open(&place);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Write), name: None, effect: FaultEffect::Errno(libc::ENOSPC), forever: true });
    for _ in 0..3 {
        check(&store, &arrived);
    }
    place.sim().clear_faults();
    store.append(&[event(1, 1, "goes on")]).unwrap();
    assert_eq!(all(&store).len(), arrived.len() + 1);
}

#[test]
fn no_room_is_left_behind_a_recon_file_made_anew() {
    let place = Place::simulated(1);
    let arrived = make_store(&place);
    let name = place.names(".recon").pop().unwrap();
    assert!(place.sim().remove(place.path.join(&name)));
    let store = open(&place);
    check(&store, &arrived);
    let bytes = place.file(&name);
    // An entry of its directory ends with zeros, but not with as many as it has bytes.
    assert!(bytes.ends_with(&[0; 4]) && !bytes.ends_with(&[0; 64]));
    store.close().unwrap();
}
