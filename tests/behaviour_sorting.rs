//! Late events are sorted into recon by a thread of the store, while others append, read, compact and close: none is lost, shown twice, or
//! out of its place meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, event, identities, stable_sorted};
use estore::disk::{Call, Fault, FaultEffect};
use estore::{Durability, Event, Mode, Options, Sizes, Store};

const FILE_SIZE: u64 = 100_000;
const BATCH: u64 = 20;

fn options(place: &Place) -> Options {
    let sizes = Sizes {
        pending_bytes: 4_000,
        run_frame_bytes: 500,
        index_entries: 4,
        compact_bytes: 20_000,
        compact_newest_bytes: 60_000,
        ..Sizes::default()
    };
    place.options().file_size(FILE_SIZE).grace(100).durability(Durability::Process).background(true).sizes(sizes)
}

/// Batches over three chunks, most of them late.
fn batches(seed: u64) -> Vec<Vec<Event>> {
    let mut rng = Rng::new(seed);
    let time = |rng: &mut Rng, i: u64| if rng.one_in(5) { i * 700 } else { rng.below(i * 700 + 1) };
    (1..400).map(|i| (0..BATCH).map(|k| event(time(&mut rng, i), k as u32, vec![i as u8; 60])).collect()).collect()
}

#[test]
fn appends_reads_and_compactions_go_on_meanwhile() {
    for (seed, compaction) in [(1, false), (2, true), (3, false), (4, true)] {
        for place in [Place::simulated(seed), Place::real()] {
            let store = Store::open(&place.path, options(&place).compaction(compaction)).unwrap();
            let batches = batches(seed);
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    for (i, batch) in batches.iter().enumerate() {
                        store.append(batch).unwrap();
                        if i % 150 == 149 {
                            store.compact(..FILE_SIZE * (i as u64 / 100), |_| ControlFlow::Continue(())).unwrap();
                        }
                    }
                    done.store(true, Ordering::Relaxed);
                });
                while !done.load(Ordering::Relaxed) {
                    let read = drain(store.read(..).unwrap());
                    assert_ordered(&read);
                    assert_eq!(read.len() as u64 % BATCH, 0, "seed {seed}: part of a batch was read");
                    let newest = read.iter().map(|event| event.seq).max().unwrap_or(0);
                    assert_eq!(read.len() as u64, newest, "seed {seed}: events are missing, or twice");
                }
            });
            let expected = stable_sorted(&batches.concat());
            assert!(identities(&drain(store.read(..).unwrap())) == expected, "seed {seed}");
            store.close().unwrap();
            for mode in [Mode::ReadOnly, Mode::Existing] {
                let store = Store::open(&place.path, options(&place).background(false).mode(mode)).unwrap();
                assert!(identities(&drain(store.read(..).unwrap())) == expected, "seed {seed}, opened again");
                let verified = store.verify(|finding| panic!("seed {seed}: {finding:?}")).unwrap();
                assert_eq!(verified.events, expected.len() as u64);
            }
        }
    }
}

#[test]
fn nothing_is_left_to_sort_once_it_is_closed() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place).compaction(false)).unwrap();
    store.append(&[event(50_000, 1, "a"), event(50_000, 1, "b")]).unwrap();
    // More than is left in the log, less than what appends wait for.
    store.append(&(0..200).map(|i| event(1_000 + i, 1, vec![1; 100])).collect::<Vec<_>>()).unwrap();
    store.close().unwrap();
    let store = Store::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
    assert!(store.stats().unwrap().recon_bytes > 200 * 100);
    assert_eq!(drain(store.read(..).unwrap()).len(), 202);
}

/// A full disk may be why it failed, and the log needs the space.
#[test]
fn a_sort_that_fails_leaves_no_part_of_a_run() {
    let late = |from: u64| -> Vec<Event> { (from..from + 60).map(|time| event(time, 1, vec![1; 100])).collect() };
    let ways = [
        (Call::Write, ".recon.new", libc::ENOSPC),
        (Call::Reserve, ".recon.new", libc::ENOSPC),
        (Call::Write, "0-0.recon", libc::ENOSPC),
        (Call::Read, "0-0.estore", libc::EIO),
    ];
    for (call, name, errno) in ways {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, options(&place).background(false).compaction(false)).unwrap();
        let mut appended = Vec::new();
        let mut append = |events: Vec<Event>| {
            store.append(&events).unwrap();
            appended.extend(events);
        };
        append(vec![event(50_000, 1, "a"), event(50_000, 1, "b")]);
        let is_first = name == ".recon.new";
        if !is_first {
            append(late(1_000));
        }
        let before = (!is_first).then(|| place.file("0-0.recon").len());
        place.sim().inject(Fault { at: 0, calls: Some(call), name: Some(name.into()), effect: FaultEffect::Errno(errno), forever: true });
        append(late(2_000));
        assert!(place.sim().faults_hit() > 0);
        assert_eq!(place.names(".new"), [""; 0], "{call:?} of {name}");
        // Without the room for runs to come that was behind it.
        assert!(before.is_none_or(|before| place.file("0-0.recon").len() < before), "{call:?} of {name}");
        place.sim().clear_faults();
        append(late(3_000));
        append(late(4_000));
        assert_eq!(place.names(".recon"), ["0-0.recon"]);
        assert!(store.stats().unwrap().recon_bytes > 180 * 100, "later it is all sorted");
        store.verify(|finding| panic!("{finding:?}")).unwrap();
        assert!(identities(&drain(store.read(..).unwrap())) == stable_sorted(&appended));
    }
}
