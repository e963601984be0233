//! Many chunks: opening costs the same, few files are open at once, and each is there when it is read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;

use common::place::Place;
use common::{drain, event, events_at, identities, times};
use estore::disk::SimCounters;
use estore::{Durability, Event, Mode, Options, ReadOptions, Store, Tail, Tailed};

fn options(place: &Place) -> Options {
    place.options().file_size(10).grace(3).durability(Durability::Process)
}

/// `chunks` chunks of three events, one of them late.
fn fill(place: &Place, chunks: u64) {
    let store = Store::open(&place.path, options(place)).unwrap();
    let mut chunk = 0;
    while chunk < chunks {
        let end = (chunk + 100).min(chunks);
        let batch = events_at((chunk..end).flat_map(|chunk| [chunk * 10 + 2, chunk * 10 + 9]));
        store.append(&batch).unwrap();
        store.append(&events_at((chunk..end).map(|chunk| chunk * 10 + 1))).unwrap();
        chunk = end;
    }
    store.close().unwrap();
}

fn cost_of_opening(place: &Place, options: Options) -> SimCounters {
    place.sim().reset_counters();
    let store = Store::open(&place.path, options).unwrap();
    let counters = place.sim().counters();
    store.close().unwrap();
    counters
}

#[test]
fn ten_thousand_chunks_open_like_ten() {
    let few = Place::simulated(1);
    fill(&few, 10);
    let many = Place::simulated(1);
    fill(&many, 10_000);
    for mode in [Mode::Existing, Mode::ReadOnly] {
        let few = cost_of_opening(&few, options(&few).mode(mode));
        let cost = cost_of_opening(&many, options(&many).mode(mode));
        assert!(cost.opens <= few.opens + 10, "{mode:?}: {} files were opened, for few chunks {}", cost.opens, few.opens);
        assert!(cost.read_bytes <= few.read_bytes + 10_000 * 500, "{mode:?}: {} bytes were read", cost.read_bytes);
        assert!(cost.reads <= few.reads + 200, "{mode:?}: {} reads, for few chunks {}", cost.reads, few.reads);
        assert!(cost.calls <= few.calls + 400, "{mode:?}: {} calls, for few chunks {}", cost.calls, few.calls);
    }
    let store = Store::open(&many.path, options(&many)).unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.chunks, stats.events, stats.oldest, stats.newest), (10_000, 30_000, 1, 99_999));
    assert_eq!(store.count(..).unwrap(), 30_000);
    assert_eq!(times(&drain(store.read(50_000..50_020).unwrap())), [50_001, 50_002, 50_009, 50_011, 50_012, 50_019]);
    assert_eq!(times(&drain(store.read_with(.., ReadOptions::new().last(2)).unwrap())), [99_992, 99_999]);
}

#[test]
fn a_window_opens_only_the_chunks_that_it_touches() {
    let place = Place::simulated(1);
    fill(&place, 1000);
    let store = Store::open(&place.path, options(&place)).unwrap();
    for read in [ReadOptions::new(), ReadOptions::new().reverse()] {
        place.sim().reset_counters();
        assert_eq!(drain(store.read_with(5000..5020, read).unwrap()).len(), 6);
        let counters = place.sim().counters();
        assert!(counters.opens <= 2 * 3 + 2, "{} files were opened for two chunks", counters.opens);
    }
    place.sim().reset_counters();
    assert_eq!(drain(store.read_with(.., ReadOptions::new().last(1)).unwrap()).len(), 1);
    assert!(place.sim().counters().opens <= 8, "{} files were opened for the last event", place.sim().counters().opens);
    place.sim().reset_counters();
    assert_eq!(store.count(..).unwrap(), 3000);
    assert!(place.sim().counters().opens <= 8, "{} files were opened for a count of whole chunks", place.sim().counters().opens);
}

#[test]
fn a_thousand_chunks_in_turn_keep_few_files_open() {
    let place = Place::simulated(1);
    let options = || options(&place).max_open_logs(16);
    let store = Store::open(&place.path, options()).unwrap();
    place.sim().reset_counters();
    let mut arrived: Vec<Event> = Vec::new();
    for round in 0..3 {
        for chunk in 0..1000 {
            let batch = [event(chunk * 10 + 5 - round, 1, format!("{round} {chunk}")), event(chunk * 10, 1, "late")];
            store.append(&batch).unwrap();
            arrived.extend(batch);
        }
    }
    let most = place.sim().counters().most_open_files;
    assert!(most < 64, "{most} files were open at once while appending");
    assert!(store.stats().unwrap().open_logs <= 16);
    let expected = common::stable_sorted(&arrived);
    place.sim().reset_counters();
    assert!(identities(&drain(store.read(..).unwrap())) == expected);
    let mut backward = identities(&drain(store.read_with(.., ReadOptions::new().reverse()).unwrap()));
    backward.reverse();
    assert!(backward == expected);
    let most = place.sim().counters().most_open_files;
    assert!(most < 96, "{most} files were open at once while reading");
    store.close().unwrap();
    assert_eq!(place.sim().counters().open_files, 0, "no file stays open");
    let store = Store::open(&place.path, options()).unwrap();
    assert!(identities(&drain(store.read(..).unwrap())) == expected);
}

/// What a tail has for now.
fn drain_tail(tail: &mut Tail) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match tail.next_batch(1000).unwrap() {
            Tailed::Events(batch) => events.extend(batch.iter().map(|event| event.to_event())),
            Tailed::Nothing => return events,
            Tailed::Gap => panic!("nothing was deleted"),
        }
    }
}

#[test]
fn a_tail_over_a_thousand_chunks_keeps_few_files_open() {
    let place = Place::simulated(1);
    let options = || options(&place).max_open_logs(16);
    let store = Store::open(&place.path, options()).unwrap();
    let reader = Store::open(&place.path, options().mode(Mode::ReadOnly)).unwrap();
    let mut tails = [store.tail(0).unwrap(), reader.tail(0).unwrap()];
    let mut all: Vec<Event> = Vec::new();
    // All that there is, and then late events that come to old chunks: one by one, as a batch, and in turn with others.
    for round in 0..4 {
        let mut arrived: Vec<Event> = (0..1000).map(|chunk| event(chunk * 10 + 4 - round, 1, format!("{round} {chunk}"))).collect();
        if round == 1 {
            store.append(&arrived).unwrap();
        } else {
            for event in &arrived {
                store.append(std::slice::from_ref(event)).unwrap();
            }
        }
        if round == 2 {
            store.compact(..2000, |_| ControlFlow::Continue(())).unwrap();
        }
        arrived.sort_by_key(|event| if round == 1 { event.time } else { 0 });
        all.extend(arrived);
        place.sim().reset_counters();
        for tail in &mut tails {
            assert!(identities(&drain_tail(tail)) == identities(&all[round as usize * 1000..]), "round {round}");
        }
        let most = place.sim().counters().most_open_files;
        assert!(most < 200, "{most} files were open at once in round {round}");
    }
    let mut anew = store.tail(0).unwrap();
    assert!(identities(&drain_tail(&mut anew)) == identities(&all));
}

#[test]
fn one_batch_over_many_chunks_keeps_few_files_open() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place).max_open_logs(16)).unwrap();
    place.sim().reset_counters();
    store.append(&events_at((0..1000).map(|chunk| chunk * 10))).unwrap();
    store.append(&events_at((0..1000).map(|chunk| chunk * 10))).unwrap();
    let most = place.sim().counters().most_open_files;
    assert!(most < 100, "{most} files were open at once");
    assert_eq!(store.count(..).unwrap(), 2000);
}

#[test]
fn no_file_stays_open_once_readers_and_store_are_gone() {
    let place = Place::simulated(1);
    fill(&place, 20);
    let store = Store::open(&place.path, options(&place)).unwrap();
    let mut readers: Vec<_> = (0..5).map(|_| store.read(..).unwrap()).collect();
    for reader in &mut readers {
        assert_eq!(reader.by_ref().take(7).count(), 7);
    }
    store.delete_before(100).unwrap();
    drop(store);
    for reader in readers {
        assert_eq!(drain(reader).len(), 53);
    }
    assert_eq!(place.sim().counters().open_files, 0);
}
