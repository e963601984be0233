//! Verifying a store finds each kind of damage and says where; on a store that is whole, and while it is being written, it finds nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::place::Place;
use common::rng::Rng;
use common::{drain, event, events_at, frames};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Event, Finding, FindingKind, Mode, Options, Store, Verified};

const CHUNK: u64 = 1000;
const HEADER_LEN: usize = 128;

fn options(place: &Place) -> Options {
    place.options().file_size(CHUNK).grace(50).durability(Durability::Process)
}

fn verify(store: &Store) -> (Vec<Finding>, Verified) {
    let mut findings = Vec::new();
    let verified = store.verify(|finding| {
        assert!(!finding.what.is_empty());
        findings.push(finding);
        ControlFlow::Continue(())
    });
    let verified = verified.expect("the store can be looked at");
    let of = |kind| findings.iter().filter(|finding| finding.kind == kind).count() as u64;
    let counts = (of(FindingKind::Damage), of(FindingKind::Derived), of(FindingKind::Aside));
    assert_eq!(counts, (verified.damaged, verified.derived, verified.aside));
    assert!(!verified.stopped);
    (findings, verified)
}

fn open(place: &Place, mode: Mode) -> Store {
    Store::open(&place.path, options(place).mode(mode)).expect("the store opens")
}

/// Enough late events for runs, in chunk 0; some in chunk 1. Answers how many there are.
fn make_store(place: &Place) -> u64 {
    let store = open(place, Mode::CreateNew);
    let mut rng = Rng::new(1);
    store.append(&events_at([900, 901, 1500, 1501])).unwrap();
    let mut count = 4;
    for i in 0..12 {
        let late: Vec<Event> = (0..50).map(|_| event(rng.below(800), i, rng.bytes(1000))).collect();
        let in_order: Vec<Event> = (0..20).map(|j| event(902 + u64::from(i), j, rng.bytes(10))).collect();
        store.append(&late).unwrap();
        store.append(&in_order).unwrap();
        count += 70;
    }
    store.close().unwrap();
    count
}

fn change(place: &Place, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = place.file(name);
    change(&mut bytes);
    place.put_file(name, &bytes);
}

/// The one finding that there is, with its file's name.
fn only(mut findings: Vec<Finding>) -> (String, Finding) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings.remove(0);
    (finding.path.file_name().unwrap().to_str().unwrap().to_owned(), finding)
}

#[test]
fn a_whole_store_has_no_findings_and_all_of_it_is_looked_at() {
    let place = Place::simulated(1);
    let count = make_store(&place);
    assert_eq!(place.names(".recon"), ["0-0.recon"]);
    let lens: usize = place.names(".estore").iter().map(|name| place.file(name).len()).sum();
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = open(&place, mode);
        let (findings, verified) = verify(&store);
        assert_eq!(findings, []);
        assert_eq!((verified.events, verified.log_bytes), (count, lens as u64));
        assert_eq!(verified.files, 2 + 2 + 2 + 1, "settings, journal, two logs with an index each, a recon file");
    }
    assert_eq!(verify(&open(&place, Mode::Existing)).0, [], "still whole after opening and closing");
}

#[test]
fn a_store_that_died_has_no_damage_and_its_cut_bytes_are_told() {
    let place = Place::simulated(7);
    let store = open(&place, Mode::CreateNew);
    store.append(&events_at([1, 2, 3, 1001])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([4, 5, 1002])).unwrap();
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Write),
        name: Some("1-0.estore".into()),
        effect: FaultEffect::Crash,
        forever: false,
    });
    assert!(store.append(&events_at([6, 1003])).is_err());
    drop(store);
    place.crash(Crash::KeepAll);
    place.sim().clear_faults();
    assert_eq!(verify(&open(&place, Mode::ReadOnly)).1.damaged, 0);
    let store = open(&place, Mode::Existing);
    assert_eq!(store.count(..).unwrap(), 7);
    let cut = store.stats().unwrap().cut_bytes;
    assert!(cut > 0);
    let (findings, verified) = verify(&store);
    assert_eq!((verified.damaged, verified.derived), (0, 0));
    assert_eq!(findings.iter().map(|finding| finding.len).sum::<u64>(), cut, "every byte that was cut: {findings:?}");
    assert!(findings.iter().all(|finding| finding.path.extension().is_some_and(|extension| extension == "cut")));
}

#[test]
fn a_log_whose_record_went_with_the_power_is_no_damage_to_a_reader() {
    let place = Place::simulated(1);
    let store = open(&place, Mode::CreateNew);
    store.append(&events_at([1])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([CHUNK])).unwrap();
    let mut log = place.file("1-0.estore");
    log.truncate(64 + 20); // its header, and part of a frame
    place.crash(Crash::LoseAll);
    drop(store);
    place.put_file("1-0.estore", &log);
    let (findings, verified) = verify(&open(&place, Mode::ReadOnly));
    assert_eq!((verified.damaged, verified.aside), (0, 1), "{findings:?}");
    let (findings, _) = verify(&open(&place, Mode::Existing));
    assert!(findings.iter().all(|finding| finding.kind == FindingKind::Aside), "{findings:?}");
}

#[test]
fn damage_of_a_log_is_located() {
    let place = Place::simulated(1);
    make_store(&place);
    let starts = frames(&place.file("0-0.estore"));
    let (start, next) = (starts[3], starts[4]);
    for (at, offset, len) in
        [(20, 0, 0), (start, start, next - start), (start + 17, start, next - start), (start + HEADER_LEN + 5, start, next - start)]
    {
        for mode in [Mode::ReadOnly, Mode::Existing] {
            let copy = place.sim().fork(1);
            let place = Place::on(copy, &place);
            change(&place, "0-0.estore", |bytes| bytes[at] ^= 4);
            let (name, finding) = only(verify(&open(&place, mode)).0);
            assert_eq!((name.as_str(), finding.kind), ("0-0.estore", FindingKind::Damage), "{finding:?}");
            assert_eq!((finding.offset, finding.len), (offset as u64, len as u64), "{finding:?}");
        }
    }
}

#[test]
fn what_the_system_cannot_read_is_told_with_its_reason() {
    let place = Place::simulated(1);
    make_store(&place);
    let store = open(&place, Mode::ReadOnly);
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Read),
        name: Some("1-0.estore".into()),
        effect: FaultEffect::Errno(libc::EIO),
        forever: true,
    });
    let (findings, _) = verify(&store);
    assert!(findings.iter().any(|finding| finding.path.ends_with("1-0.estore") && finding.what.contains("os error 5")), "{findings:?}");
}

#[test]
fn logs_that_are_missing_or_too_short_are_damage_and_strange_ones_are_told() {
    let whole = Place::simulated(1);
    make_store(&whole);
    let on_copy = |harm: &dyn Fn(&Place)| {
        let place = Place::on(whole.sim().fork(1), &whole);
        harm(&place);
        let (name, finding) = only(verify(&open(&place, Mode::ReadOnly)).0);
        assert_eq!(finding.kind, FindingKind::Damage, "{finding:?}");
        (name, finding)
    };
    let (name, _) = on_copy(&|place| assert!(place.sim().remove(place.path.join("1-0.estore"))));
    assert_eq!(name, "1-0.estore");
    let len = whole.file("1-0.estore").len();
    let (name, finding) = on_copy(&|place| change(place, "1-0.estore", |bytes| bytes.truncate(len - 10)));
    assert_eq!(name, "1-0.estore");
    assert!(finding.offset + finding.len == len as u64, "{finding:?}");
    let place = Place::on(whole.sim().fork(1), &whole);
    place.put_file("7-0.estore", &place.file("1-0.estore"));
    let (name, finding) = only(verify(&open(&place, Mode::ReadOnly)).0);
    assert_eq!((name.as_str(), finding.kind), ("7-0.estore", FindingKind::Aside));
}

#[test]
fn damaged_settings_and_journals_are_found_in_a_store_that_is_open() {
    for name in ["estore", "journal"] {
        for mode in [Mode::ReadOnly, Mode::Existing] {
            let place = Place::simulated(1);
            make_store(&place);
            let store = open(&place, mode);
            change(&place, name, |bytes| bytes[30] ^= 1);
            let (found, finding) = only(verify(&store).0);
            assert_eq!((found.as_str(), finding.kind), (name, FindingKind::Damage));
            assert!(place.sim().remove(place.path.join(name)));
            assert_eq!(only(verify(&store).0).0, name);
        }
    }
}

#[test]
fn a_damaged_index_or_recon_file_is_no_loss() {
    for name in ["0-0.idx", "0-0.recon"] {
        let whole = Place::simulated(1);
        let count = make_store(&whole);
        let len = whole.file(name).len();
        let (mut tried, mut missed) = (0, 0);
        for at in (0..len).step_by(len / 50 + 1).chain([len - 1]) {
            let place = Place::on(whole.sim().fork(1), &whole);
            change(&place, name, |bytes| bytes[at] ^= 1);
            for mode in [Mode::ReadOnly, Mode::Existing] {
                let store = open(&place, mode);
                let (findings, verified) = verify(&store);
                assert_eq!(verified.damaged, 0, "byte {at} of {name}: {findings:?}");
                // Runs that were merged into others still take room in a recon file, and mean nothing.
                (tried, missed) = (tried + 1, missed + u32::from(verified.derived == 0));
                assert!(verified.derived > 0 || (name == "0-0.recon" && at > 64 && at < len - 1), "byte {at} of {name} is not missed");
                assert!(findings.iter().all(|finding| finding.path.ends_with(name)));
                assert_eq!(drain(store.read(..).unwrap()).len() as u64, count);
            }
        }
        assert!(missed * 2 < tried, "{missed} of {tried} changes of {name} were not missed");
    }
}

#[test]
fn bytes_behind_the_end_of_a_log_are_told_and_zeros_are_not() {
    let place = Place::simulated(1);
    make_store(&place);
    change(&place, "1-0.estore", |bytes| bytes.extend([0; 5000]));
    assert_eq!(verify(&open(&place, Mode::ReadOnly)).0, []);
    let len = place.file("1-0.estore").len() as u64 - 5000;
    change(&place, "1-0.estore", |bytes| bytes.extend([1; 10]));
    let (name, finding) = only(verify(&open(&place, Mode::ReadOnly)).0);
    assert_eq!((name.as_str(), finding.kind, finding.offset, finding.len), ("1-0.estore", FindingKind::Aside, len, 5010));
}

#[test]
fn the_walk_ends_when_it_is_told_to() {
    let place = Place::simulated(1);
    make_store(&place);
    change(&place, "0-0.estore", |bytes| {
        for start in frames(bytes) {
            bytes[start + HEADER_LEN + 1] ^= 1;
        }
    });
    let mut seen = 0;
    let verified = open(&place, Mode::ReadOnly).verify(|_| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let verified = verified.unwrap();
    assert_eq!((seen, verified.damaged, verified.stopped), (3, 3, true));
}

#[test]
fn it_tells_how_far_it_has_come_and_ends_where_it_is_told_to() {
    let place = Place::simulated(1);
    let store = open(&place, Mode::CreateNew);
    // One frame for each event, so that it is told within a chunk, too.
    for time in 0..600 {
        store.append(&events_at([time])).unwrap();
    }
    store.append(&events_at([CHUNK, CHUNK + 1])).unwrap();
    let mut told = Vec::new();
    let mut go_on = |_: Finding| ControlFlow::Continue(());
    let verified = store.verify_telling(&mut go_on, |progress| {
        told.push(progress);
        // Whoever is told may call the store.
        assert_eq!(store.count(..).unwrap(), 602);
        ControlFlow::Continue(())
    });
    assert_eq!(verified.unwrap().events, 602);
    let come: Vec<_> = told.iter().map(|progress| (progress.chunks_done, progress.chunks, progress.events)).collect();
    assert_eq!(come, [(0, 2, 602), (0, 2, 602), (1, 2, 602), (2, 2, 602)]);
    let events: Vec<u64> = told.iter().map(|progress| progress.events_done).collect();
    assert!(events.is_sorted() && events[0] > 200 && events[1] < 600, "{events:?}");
    assert_eq!(events[2..], [600, 602]);

    for calls in 1..=4 {
        let mut left = calls;
        let verified = store.verify_telling(&mut go_on, |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let verified = verified.unwrap();
        assert_eq!((verified.stopped, left), (true, 0));
        assert_eq!(verified.events, events[calls - 1]);
    }
}

#[test]
fn a_closed_handle_is_refused() {
    let place = Place::simulated(1);
    let efile = Efile::open(&place.path, place.options()).unwrap();
    efile.append(&events_at([5, 6])).unwrap();
    assert_eq!(efile.verify(|finding| panic!("{finding:?}")).unwrap().events, 2);
    efile.close().unwrap();
    assert_error!(efile.verify(|_| ControlFlow::Continue(())), estore::Error::Closed { .. });
}

#[test]
fn appends_in_progress_are_never_taken_for_damage() {
    let place = Place::real();
    let options = || options(&place).max_open_logs(2);
    let store = Store::open(&place.path, options()).unwrap();
    store.append(&events_at([1])).unwrap();
    let done = AtomicBool::new(false);
    let (inside, beside) = thread::scope(|scope| {
        for writer in 0..2 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut rng = Rng::new(writer);
                for round in 0..150_u64 {
                    let now = round * 20;
                    let batch: Vec<Event> =
                        (0..40).map(|i| event((now + i).saturating_sub(rng.below(900)), i as u32, rng.bytes(700))).collect();
                    store.append(&batch).unwrap();
                    if round % 40 == 39 {
                        store.delete_before(now.saturating_sub(1500)).unwrap();
                    }
                }
                done.store(true, Ordering::Release);
            });
        }
        let inside = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) || rounds < 5 {
                store.verify(|finding| panic!("in the writer, round {rounds}: {finding:?}")).unwrap();
                rounds += 1;
            }
            rounds
        });
        let beside = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Acquire) || rounds < 5 {
                let reader = Store::open(&place.path, options().mode(Mode::ReadOnly)).unwrap();
                for _ in 0..2 {
                    reader.verify(|finding| panic!("beside the writer, round {rounds}: {finding:?}")).unwrap();
                    rounds += 1;
                }
            }
            rounds
        });
        (inside.join().unwrap(), beside.join().unwrap())
    });
    assert!(inside >= 5 && beside >= 5, "{inside} and {beside} verifications");
    store.close().unwrap();
    Store::open(&place.path, options().mode(Mode::ReadOnly)).unwrap().verify(|finding| panic!("closed: {finding:?}")).unwrap();
}
