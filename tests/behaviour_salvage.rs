//! Reading past damage: every event outside of damaged frames comes, in order, and each gap is told with its bytes and its times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::RangeInclusive;

use common::place::Place;
use common::{assert_ordered, event, frames, identities, stable_sorted};
use estore::disk::{Call, Fault, FaultEffect, SimDisk};
use estore::{Durability, Error, Event, Mode, Options, ReadOptions, Store};

const CHUNK: u64 = 1000;
/// Where frames of more than one event have their bodies.
const HEADER_LEN: usize = 128;

fn options(place: &Place) -> Options {
    place.options().file_size(CHUNK).grace(50).durability(Durability::Process)
}

/// One batch a frame: chunk 0 with in-order and late ones, chunk 1. Answers the batches, in the order of their frames in each log.
fn make_store(place: &Place) -> Vec<Vec<Event>> {
    let store = Store::open(&place.path, options(place)).unwrap();
    let mut batches: Vec<Vec<Event>> = Vec::new();
    for (first, id) in [(0, 1), (100, 2), (200, 3), (20, 4), (300, 5), (1000, 6), (1100, 7)] {
        let batch: Vec<Event> = (0..10).map(|i| event(first + i * 2, id, format!("{id}-{i}"))).collect();
        store.append(&batch).unwrap();
        batches.push(batch);
    }
    store.close().unwrap();
    batches
}

fn flip(place: &Place, name: &str, at: usize) {
    let mut bytes = place.file(name);
    *bytes.get_mut(at).expect("the file is that long") ^= 0x10;
    place.put_file(name, &bytes);
}

type Found = Vec<(String, u64, u64, RangeInclusive<u64>)>;

/// What salvaging a range gives, with its gaps: file, offset, length, times. The same in both directions, one by one or in batches, in the
/// writer and beside it.
fn salvage(place: &Place, range: RangeInclusive<u64>) -> (Vec<Event>, Found) {
    let mut answers = Vec::new();
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = Store::open(&place.path, options(place).mode(mode)).expect("a damaged store opens");
        for reverse in [false, true] {
            let how = if reverse { ReadOptions::new().salvage().reverse() } else { ReadOptions::new().salvage() };
            let mut reader = store.read_with(range.clone(), how).unwrap();
            let mut events = common::drain_batches(&mut reader, if reverse { 7 } else { 1000 });
            if reverse {
                events.reverse();
            }
            assert_ordered(&events);
            let mut gaps: Found = reader
                .gaps()
                .iter()
                .map(|gap| {
                    assert!(!gap.what.is_empty());
                    let name = gap.path.file_name().unwrap().to_str().unwrap().to_owned();
                    (name, gap.offset, gap.len, gap.first_time..=gap.last_time)
                })
                .collect();
            gaps.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            answers.push((events, gaps));
        }
        drop(store);
    }
    let first = answers.swap_remove(0);
    for other in answers {
        assert!(other.0 == first.0, "the events differ by direction or handle");
        assert_eq!(other.1, first.1, "the gaps differ by direction or handle");
    }
    first
}

#[test]
fn a_store_without_damage_has_no_gaps() {
    let place = Place::simulated(1);
    let batches = make_store(&place);
    let (events, gaps) = salvage(&place, 0..=u64::MAX);
    assert_eq!(identities(&events), stable_sorted(&batches.concat()));
    assert_eq!(gaps, []);
}

#[test]
fn a_damaged_body_costs_its_frame_and_tells_the_times() {
    let place = Place::simulated(1);
    let batches = make_store(&place);
    let log = place.file("0-0.estore");
    let starts = frames(&log);
    assert_eq!(starts.len(), 5);
    flip(&place, "0-0.estore", starts[1] + HEADER_LEN + 3);
    let store = Store::open(&place.path, options(&place)).unwrap();
    assert!(store.read(..).unwrap().any(|event| matches!(event, Err(Error::Corrupt { .. }))), "an ordinary read fails");
    drop(store);
    let (events, gaps) = salvage(&place, 0..=u64::MAX);
    let rest: Vec<Event> = batches.iter().enumerate().filter(|(i, _)| *i != 1).flat_map(|(_, batch)| batch.clone()).collect();
    assert_eq!(identities(&events), stable_sorted(&rest));
    assert_eq!(gaps, [("0-0.estore".to_owned(), starts[1] as u64, (starts[2] - starts[1]) as u64, 100..=118)]);
    // A window that the damage does not concern has no gap, one that it does has.
    assert_eq!(salvage(&place, 190..=220).1, []);
    assert_eq!(salvage(&place, 110..=112).1.len(), 1);
    assert_eq!(salvage(&place, 110..=112).0, []);
}

#[test]
fn a_damaged_header_costs_its_frame_and_the_index_tells_the_times() {
    for index in [true, false] {
        let place = Place::simulated(1);
        let batches = make_store(&place);
        let starts = frames(&place.file("0-0.estore"));
        for at in [0, 5, 17, 60, 127] {
            let place = Place::simulated(1);
            make_store(&place);
            if !index {
                place.sim().remove(place.path.join("0-0.idx"));
            }
            flip(&place, "0-0.estore", starts[2] + at);
            let (events, gaps) = salvage(&place, 0..=u64::MAX);
            let rest: Vec<Event> = batches.iter().enumerate().filter(|(i, _)| *i != 2).flat_map(|(_, batch)| batch.clone()).collect();
            assert_eq!(identities(&events), stable_sorted(&rest), "byte {at}");
            let [(name, offset, len, times)] = &gaps[..] else { panic!("byte {at}: {gaps:?}") };
            assert_eq!((name.as_str(), *offset, *len), ("0-0.estore", starts[2] as u64, (starts[3] - starts[2]) as u64));
            // What is lost lies in there; without an index all of the log's times have to do.
            assert!(*times.start() <= 200 && *times.end() >= 218, "byte {at}: {times:?}");
            assert!(*times.end() <= 318, "byte {at}: {times:?}");
        }
    }
}

#[test]
fn a_damaged_log_header_costs_nothing() {
    for without_journal in [false, true] {
        let place = Place::simulated(1);
        let batches = make_store(&place);
        flip(&place, "0-0.estore", 20);
        if without_journal {
            place.sim().remove(place.path.join("journal"));
        }
        let (events, gaps) = salvage(&place, 0..=u64::MAX);
        assert_eq!(identities(&events), stable_sorted(&batches.concat()), "without journal: {without_journal}");
        assert_eq!(gaps.len(), 1);
        assert_eq!((gaps[0].0.as_str(), gaps[0].1, gaps[0].2), ("0-0.estore", 0, 64));
    }
}

#[test]
fn a_lost_log_is_one_gap() {
    let place = Place::simulated(1);
    let batches = make_store(&place);
    let len = place.file("0-0.estore").len() as u64;
    place.sim().remove(place.path.join("0-0.estore"));
    let (events, gaps) = salvage(&place, 0..=u64::MAX);
    assert_eq!(identities(&events), stable_sorted(&batches[5..].concat()));
    assert_eq!(gaps, [("0-0.estore".to_owned(), 0, len, 0..=318)]);
    assert_eq!(salvage(&place, 1000..=1999).1, []);
}

#[test]
fn what_the_system_cannot_read_is_a_gap_too() {
    let place = Place::simulated(1);
    let batches = make_store(&place);
    let disk: SimDisk = place.sim().clone();
    disk.inject(Fault {
        at: 0,
        calls: Some(Call::Read),
        name: Some("1-0.estore".into()),
        effect: FaultEffect::Errno(libc::EIO),
        forever: true,
    });
    let store = Store::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
    let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
    let mut events = Vec::new();
    let failure = loop {
        match reader.next_batch(100) {
            Ok(batch) if batch.is_empty() => panic!("a file of which nothing can be read is an error"),
            Ok(batch) => events.extend(batch.iter().map(|event| event.to_event())),
            Err(e) => break e,
        }
    };
    assert_eq!(failure.os_error(), Some(libc::EIO));
    assert_eq!(identities(&events), stable_sorted(&batches[..5].concat()));
}
