//! Snapshots: the store as it was at one moment, in a folder of its own, whoever writes, compacts and deletes meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use common::place::{Place, write_file};
use common::rng::Rng;
use common::{assert_ordered, drain, event, events_at, times};
use estore::disk::{Access, Call, Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Event, FindingKind, Mode, Options, Progress, Snapshot, Store, Tailed};

const FILE_SIZE: u64 = 1_000_000;

fn options(place: &Place) -> Options {
    place.options().file_size(FILE_SIZE).grace(1000).durability(Durability::Process)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).expect("the store opens")
}

fn beside(place: &Place) -> Store {
    Store::open(&place.path, options(place).mode(Mode::ReadOnly)).expect("a store opens beside its writer")
}

/// Where the snapshots go.
fn copy(place: &Place) -> PathBuf {
    place.path.with_file_name("copy")
}

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn snapshot(store: &Store, place: &Place) -> Snapshot {
    store.snapshot(copy(place), on).expect("a snapshot can be taken")
}

fn all(store: &Store) -> Vec<Event> {
    let events = drain(store.read(..).expect("a reader opens"));
    assert_ordered(&events);
    assert_eq!(store.count(..).unwrap(), events.len() as u64);
    events
}

/// The snapshot, opened for reading.
fn reading(place: &Place) -> Store {
    Store::open(copy(place), options(place).mode(Mode::ReadOnly)).expect("the snapshot opens")
}

fn writing(place: &Place) -> Store {
    Store::open(copy(place), options(place).mode(Mode::Existing)).expect("the snapshot opens for writing")
}

/// What is in the snapshot, which must be sound.
fn shown(place: &Place) -> Vec<Event> {
    let store = reading(place);
    assert_sound(&store);
    all(&store)
}

fn assert_sound(store: &Store) {
    let mut findings = Vec::new();
    store
        .verify(|finding| {
            findings.push(finding);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

fn names(place: &Place) -> Vec<String> {
    names_in(place, &copy(place))
}

fn names_in(place: &Place, folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = place.disk.list(folder).unwrap().into_iter().map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file of the snapshot but the lock, in which stands who had it last.
fn contents(place: &Place) -> Vec<(String, Vec<u8>)> {
    names(place)
        .into_iter()
        .filter(|name| name != "lock")
        .map(|name| (name.clone(), common::place::read_file(&*place.disk, &copy(place).join(name))))
        .collect()
}

/// Appends to a chunk: a batch, single events, late ones.
fn append_some(store: &Store, chunk: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    let start = chunk * FILE_SIZE;
    let batch: Vec<Event> = (0..300).map(|i| event(start + 600_000 + rng.below(2000), i, vec![i as u8; 40])).collect();
    store.append(&batch).unwrap();
    for i in 0..20 {
        store.append(&[event(start + rng.below(FILE_SIZE), i, vec![3; 100])]).unwrap();
    }
    let late: Vec<Event> = (0..100).map(|i| event(start + rng.below(500_000), i, vec![5; 2500])).collect();
    store.append(&late).unwrap();
}

fn compact(store: &Store) {
    store.compact(.., on).unwrap();
}

#[test]
fn a_snapshot_is_a_store_with_the_same_events_and_seqs() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_some(&store, 0, 1);
        append_some(&store, 5, 2);
        let (events, stats) = (all(&store), store.stats().unwrap());
        let taken = snapshot(&store, &place);
        assert_eq!((taken.seq, taken.events), (store.last_seq(), events.len() as u64));
        assert_eq!((taken.bytes_copied, taken.bytes_linked, taken.bytes_kept), (stats.log_bytes, 0, 0));
        assert_eq!((taken.damaged, taken.stopped), (0, false));
        append_some(&store, 5, 3);
        assert_eq!(shown(&place), events);
        let there = reading(&place).stats().unwrap();
        assert_eq!((there.events, there.chunks, there.last_seq, there.late_events), (stats.events, 2, stats.last_seq, stats.late_events));
        assert_eq!(names(&place).iter().filter(|name| name.ends_with(".new")).count(), 0);
        assert!(names(&place).contains(&"0-0.idx".to_owned()), "{:?}", names(&place));
    }
}

#[test]
fn nothing_is_read_of_a_snapshot_that_the_store_would_not_read() {
    let place = Place::simulated(1);
    let store = open(&place);
    for seed in 0..8 {
        append_some(&store, 0, seed);
    }
    snapshot(&store, &place);
    store.close().unwrap();
    let bytes_of = |store: &Store| {
        place.sim().reset_counters();
        assert_eq!(drain(store.read(100_000..=101_000).unwrap()).len(), drain(store.read(100_000..=101_000).unwrap()).len());
        place.sim().counters().read_bytes
    };
    let (here, there) = (bytes_of(&beside(&place)), bytes_of(&reading(&place)));
    assert!(there <= here * 3 / 2, "{there} bytes are read of the snapshot, {here} of the store");
}

#[test]
fn an_empty_store_and_an_empty_folder_will_do() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        place.disk.create_folder(&copy(&place)).unwrap();
        assert_eq!(snapshot(&store, &place), Snapshot::default());
        assert_eq!(shown(&place), []);
        append_some(&store, 0, 1);
        snapshot(&store, &place);
        assert_eq!(shown(&place), all(&store));
    }
}

#[test]
fn an_efile_has_snapshots_too() {
    let place = Place::simulated(1);
    let options = |place: &Place| place.options().grace(0).durability(Durability::Process);
    let store = Efile::open(&place.path, options(&place)).unwrap();
    store.append(&[event(50, 1, "a"), event(u64::MAX, 1, "b")]).unwrap();
    store.append(&[event(7, 1, "late")]).unwrap();
    assert_eq!(store.snapshot(copy(&place), on).unwrap().events, 3);
    let there = Efile::open(copy(&place), options(&place).mode(Mode::ReadOnly)).unwrap();
    assert_eq!(times(&drain(there.read(..).unwrap())), [7, 50, u64::MAX]);
    assert_error!(Store::open(copy(&place), place.options()), Error::NotAStore { .. });
}

#[test]
fn what_is_in_the_buffer_is_in_the_snapshot() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place).durability(Durability::Buffered)).unwrap();
    store.append(&events_at([5, 6, 7])).unwrap();
    assert_eq!(snapshot(&store, &place).events, 3);
    assert_eq!(times(&shown(&place)), [5, 6, 7]);
}

#[test]
fn what_a_snapshot_has_its_store_does_not_lose() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 6, 7])).unwrap();
    let taken = snapshot(&store, &place);
    assert_eq!(store.durable_seq(), taken.seq);
    place.crash(Crash::LoseAll);
    assert_eq!(times(&all(&open(&place))), [5, 6, 7]);
    assert_eq!(times(&shown(&place)), [5, 6, 7]);
}

#[test]
fn a_second_snapshot_into_the_folder_copies_only_what_is_new() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_some(&store, 0, 1);
        append_some(&store, 1, 2);
        let first = snapshot(&store, &place);
        let before = store.stats().unwrap().log_bytes;
        append_some(&store, 1, 3);
        append_some(&store, 2, 4);
        let grown = store.stats().unwrap().log_bytes - before;
        let second = snapshot(&store, &place);
        assert_eq!((second.bytes_copied, second.bytes_kept), (grown, first.bytes_copied));
        assert_eq!(second.seq, store.last_seq());
        assert_eq!(shown(&place), all(&store));
        let third = snapshot(&store, &place);
        assert_eq!((third.bytes_copied, third.bytes_linked, third.bytes_kept), (0, 0, before + grown));
        assert_eq!(shown(&place), all(&store));
    }
}

#[test]
fn compacted_logs_share_their_bytes_and_what_they_replaced_goes() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_some(&store, 0, 1);
        append_some(&store, 1, 2);
        snapshot(&store, &place);
        let events = all(&store);
        compact(&store);
        let taken = snapshot(&store, &place);
        assert_eq!((taken.bytes_copied, taken.bytes_linked), (0, store.stats().unwrap().log_bytes));
        for name in ["0-1.estore", "1-1.estore"] {
            let of = |folder: &Path| place.disk.identity(&folder.join(name)).unwrap();
            assert_eq!(of(&place.path), of(&copy(&place)));
        }
        assert_eq!(names(&place), ["0-1.estore", "0-1.idx", "1-1.estore", "1-1.idx", "estore", "journal", "lock"]);
        assert_eq!(shown(&place), events);

        // Neither of the two does anything to the other from here on.
        append_some(&store, 0, 3);
        compact(&store);
        assert_eq!(shown(&place), events);
        let there = writing(&place);
        append_some(&there, 0, 4);
        compact(&there);
        there.delete_before(FILE_SIZE).unwrap();
        there.close().unwrap();
        assert_eq!(all(&store).len(), events.len() + 420);
        assert_sound(&store);
        Store::destroy(&place.path, options(&place)).unwrap_err();
        store.close().unwrap();
        Store::destroy(&place.path, options(&place)).unwrap();
        assert_eq!(all(&reading(&place)).len(), 420);
        assert_sound(&reading(&place));
    }
}

#[test]
fn where_there_are_no_links_compacted_logs_are_copied() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    compact(&store);
    place.sim().set_links(false);
    let taken = snapshot(&store, &place);
    assert_eq!((taken.bytes_copied, taken.bytes_linked), (store.stats().unwrap().log_bytes, 0));
    assert_eq!(shown(&place), all(&store));
    assert_eq!(snapshot(&store, &place).bytes_copied, 0);
}

#[test]
fn deleting_is_followed() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_some(&store, chunk, chunk));
    snapshot(&store, &place);
    store.delete_before(FILE_SIZE + 600_000).unwrap();
    snapshot(&store, &place);
    assert!(!names(&place).iter().any(|name| name.starts_with("0-")), "{:?}", names(&place));
    assert_eq!(shown(&place), all(&store));
    assert_eq!(reading(&place).stats().unwrap().horizon, FILE_SIZE + 600_000);
    let there = writing(&place);
    assert_eq!(there.append_absent(&events_at([5])).unwrap().expired, 1);
    let mut tail = there.tail(0).unwrap();
    assert!(matches!(tail.next_batch(10).unwrap(), Tailed::Gap));
}

#[test]
fn a_cursor_goes_on_in_the_snapshot() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    let taken = snapshot(&store, &place);
    store.close().unwrap();
    let there = writing(&place);
    let mut tail = there.tail(taken.seq).unwrap();
    assert!(matches!(tail.next_batch(10).unwrap(), Tailed::Nothing));
    let seq = there.append(&events_at([7])).unwrap();
    assert!(seq > taken.seq);
    let Tailed::Events(batch) = tail.next_batch(10).unwrap() else { panic!("an event comes") };
    assert_eq!(batch.iter().map(|event| event.seq).collect::<Vec<_>>(), [seq]);
}

#[test]
fn a_snapshot_that_was_opened_for_writing_is_a_store_of_its_own() {
    for append in [true, false] {
        let place = Place::simulated(1);
        let store = open(&place);
        append_some(&store, 0, 1);
        snapshot(&store, &place);
        let there = writing(&place);
        if append {
            append_some(&there, 0, 2);
        }
        let open_there = assert_error!(store.snapshot(copy(&place), on), Error::Exists { .. });
        there.close().unwrap();
        let before = contents(&place);
        assert_error!(store.snapshot(copy(&place), on), Error::Exists { .. });
        assert_eq!(contents(&place), before, "{open_there}");
        // It has snapshots of its own, and those are not of the other store any more.
        let other = place.path.with_file_name("other");
        let there = writing(&place);
        there.snapshot(&other, on).unwrap();
        assert_error!(store.snapshot(&other, on), Error::Exists { .. });
        append_some(&there, 0, 3);
        there.snapshot(&other, on).unwrap();
        assert_eq!(all(&Store::open(&other, options(&place).mode(Mode::ReadOnly)).unwrap()), all(&there));
    }
}

#[test]
fn a_snapshot_of_a_snapshot_is_one_of_the_same_store() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    compact(&store);
    append_some(&store, 1, 1);
    snapshot(&store, &place);
    let other = place.path.with_file_name("other");
    reading(&place).snapshot(&other, on).unwrap();
    append_some(&store, 1, 2);
    let taken = store.snapshot(&other, on).unwrap();
    assert!(taken.bytes_kept > 0);
    assert_eq!(all(&Store::open(&other, options(&place).mode(Mode::ReadOnly)).unwrap()), all(&store));
}

#[test]
fn a_later_snapshot_is_not_overwritten_by_an_earlier_state() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    snapshot(&store, &place);
    let other = place.path.with_file_name("other");
    append_some(&store, 0, 2);
    store.snapshot(&other, on).unwrap();
    let before = contents(&place);
    assert_error!(reading(&place).snapshot(&other, on), Error::Exists { .. });
    assert_eq!(contents(&place), before);
    assert_eq!(all(&Store::open(&other, options(&place).mode(Mode::ReadOnly)).unwrap()), all(&store));
}

#[test]
fn events_that_the_store_has_lost_are_not_taken_from_a_snapshot() {
    // A handle that only reads does not make durable what it shows.
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([4, 5])).unwrap();
    beside(&place).snapshot(copy(&place), on).unwrap();
    place.sim().power_off();
    place.sim().power_on(Crash::LoseAll);
    // What the power took of the copy it may take: a snapshot is durable.
    assert_eq!(times(&shown(&place)), [1, 2, 3, 4, 5]);
    let store = open(&place);
    assert_eq!(times(&all(&store)), [1, 2, 3]);
    for time in 10..20 {
        store.append(&events_at([time])).unwrap();
    }
    assert!(store.last_seq() > 5);
    let before = contents(&place);
    assert_error!(store.snapshot(copy(&place), on), Error::Exists { .. });
    assert_eq!(contents(&place), before);
}

#[test]
fn folders_that_hold_something_else_are_refused_and_left_alone() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_some(&store, 0, 1);
        let at = |name: &str| place.path.with_file_name(name);
        let make = |name: &str| place.disk.create_folder(&at(name)).unwrap();

        make("foreign");
        write_file(&*place.disk, &at("foreign").join("notes.txt"), b"mine");
        assert_error!(store.snapshot(at("foreign"), on), Error::ForeignFiles { name, .. } if name == "notes.txt");
        assert_eq!(names_in(&place, &at("foreign")), ["notes.txt"]);

        // A store whose settings are lost is no unfinished snapshot.
        make("lost");
        write_file(&*place.disk, &at("lost").join("0-0.estore"), b"somebody's events");
        assert_error!(store.snapshot(at("lost"), on), Error::ForeignFiles { .. });
        assert_eq!(names_in(&place, &at("lost")), ["0-0.estore"]);

        Store::open(at("other"), options(&place)).unwrap().close().unwrap();
        let names = names_in(&place, &at("other"));
        assert_error!(store.snapshot(at("other"), on), Error::Exists { .. });
        assert_eq!(names_in(&place, &at("other")), names);

        write_file(&*place.disk, &at("file"), b"");
        assert_error!(store.snapshot(at("file"), on), Error::NotAFolder { .. });
        assert_error!(store.snapshot(at("file").join("below"), on), Error::Io { .. });
        let no_parent = assert_error!(store.snapshot(at("nowhere").join("below"), on), Error::Io { .. });
        assert_eq!(no_parent.os_error(), Some(2));

        let before = place.names("");
        let same = at("foreign").join("..").join("store");
        for own in [place.path.clone(), same, place.path.join("below"), place.path.join("a").join("..").join("below")] {
            let refused = store.snapshot(&own, on);
            assert!(matches!(refused, Err(Error::Invalid { .. } | Error::Io { .. })), "{}: {refused:?}", own.display());
        }
        assert_eq!(place.names(""), before);
        assert_eq!(all(&store).len(), 420);
    }
}

#[test]
fn files_of_somebody_else_beside_an_earlier_snapshot_stay() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    snapshot(&store, &place);
    write_file(&*place.disk, &copy(&place).join("notes.txt"), b"mine");
    append_some(&store, 0, 2);
    snapshot(&store, &place);
    assert_eq!(all(&reading(&place)), all(&store));
    assert!(contents(&place).contains(&("notes.txt".to_owned(), b"mine".to_vec())));
}

#[test]
fn a_folder_that_is_open_for_writing_is_refused() {
    let place = Place::simulated(1);
    let store = open(&place);
    snapshot(&store, &place);
    let lock = place.disk.lock(&copy(&place).join("lock")).unwrap();
    assert_error!(store.snapshot(copy(&place), on), Error::Locked { .. });
    drop(lock);
    snapshot(&store, &place);
}

#[test]
fn a_closed_store_has_no_snapshots() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.close().unwrap();
    assert_error!(store.snapshot(copy(&place), on), Error::Closed { .. });
    assert!(place.disk.kind(&copy(&place)).unwrap().is_none());
}

#[test]
fn whoever_has_no_permission_is_told() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    place.disk.create_folder(&copy(&place)).unwrap();
    place.sim().deny(copy(&place));
    assert_error!(store.snapshot(copy(&place), on), Error::Permission { .. });
    place.sim().allow_all();
    store.close().unwrap();
    let store = beside(&place);
    place.sim().set_read_only(true);
    assert_error!(store.snapshot(copy(&place), on), Error::Permission { .. });
    assert_error!(store.snapshot(place.path.with_file_name("other"), on), Error::Permission { .. });
    place.sim().set_read_only(false);
    assert_eq!(store.snapshot(copy(&place), on).unwrap().events, 420);
}

#[test]
fn without_room_what_was_written_goes_away_and_an_earlier_snapshot_stays() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    store.sync().unwrap();
    let used = place.sim().used();
    place.sim().set_capacity(Some(used + 64 * 1024));
    assert_error!(store.snapshot(copy(&place), on), Error::NoSpace { .. });
    assert!(place.disk.kind(&copy(&place)).unwrap().is_none(), "the folder goes too");
    assert_eq!(place.sim().used(), used);
    place.disk.create_folder(&copy(&place)).unwrap();
    assert_error!(store.snapshot(copy(&place), on), Error::NoSpace { .. });
    assert!(names(&place).is_empty());

    place.sim().set_capacity(None);
    snapshot(&store, &place);
    let (events, before) = (all(&store), contents(&place));
    append_some(&store, 0, 2);
    append_some(&store, 1, 3);
    store.sync().unwrap();
    let used = place.sim().used();
    place.sim().set_capacity(Some(used + 300 * 1024));
    assert_error!(store.snapshot(copy(&place), on), Error::NoSpace { .. });
    assert_eq!(place.sim().used(), used);
    assert_eq!(contents(&place), before);
    assert_eq!(shown(&place), events);
    place.sim().set_capacity(None);
    snapshot(&store, &place);
    assert_eq!(shown(&place), all(&store));
}

#[test]
fn progress_is_told_and_stopping_leaves_the_folder_as_it_was() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_some(&store, chunk, chunk));
    let mut told: Vec<Progress> = Vec::new();
    store
        .snapshot(copy(&place), |progress| {
            told.push(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(told.iter().all(|progress| (progress.chunks, progress.events) == (3, 3 * 420)));
    assert!(told.windows(2).all(|pair| pair[0].events_done <= pair[1].events_done && pair[0].chunks_done <= pair[1].chunks_done));
    assert_eq!(told.last().unwrap().events_done, 3 * 420);

    (0..3).for_each(|chunk| append_some(&store, chunk, 10 + chunk));
    let (before, other) = (contents(&place), place.path.with_file_name("other"));
    for calls in 0..told.len() {
        for folder in [copy(&place), other.clone()] {
            let mut left = calls;
            let stop = |_: Progress| {
                left = left.saturating_sub(1);
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let stopped = store.snapshot(&folder, stop).unwrap();
            assert_eq!(stopped, {
                let mut nothing = Snapshot::default();
                nothing.stopped = true;
                nothing
            });
        }
        assert_eq!(contents(&place), before);
        assert!(place.disk.kind(&other).unwrap().is_none());
    }
}

#[test]
fn the_receiver_can_not_call_the_store() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    store
        .snapshot(copy(&place), |_| {
            assert_error!(store.append(&events_at([1])), Error::Invalid { .. });
            ControlFlow::Continue(())
        })
        .unwrap();
}

#[test]
fn beside_a_writer_it_is_of_a_moment_at_which_nothing_was_missing() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        (0..4).for_each(|chunk| append_some(&store, chunk, chunk));
        let beside = beside(&place);
        let mut happened = 0;
        let meanwhile = |_: Progress| {
            happened += 1;
            match happened {
                2 => append_some(&store, 3, 50),
                3 => compact(&store),
                4 => append_some(&store, 1, 51),
                5 => store.delete_before(FILE_SIZE).unwrap(),
                6 => append_some(&store, 3, 52),
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let taken = beside.snapshot(copy(&place), meanwhile).unwrap();
        assert!(happened > 6, "the snapshot was taken before all happened");
        // Whether the deleting was before or after that moment.
        let of = |events: Vec<Event>| -> Vec<Event> {
            events.into_iter().filter(|event| event.time >= FILE_SIZE && event.seq <= taken.seq).collect()
        };
        let expected = of(all(&store));
        assert!(expected.len() > 3 * 420, "it is of a moment after the compaction");
        assert_eq!(of(shown(&place)), expected);
    }
}

#[test]
fn threads_that_append_compact_and_delete_do_not_disturb_it() {
    const BATCHES: u64 = 300;
    let place = Place::real();
    let store = open(&place);
    append_some(&store, 50, 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        scope.spawn(move || {
            for round in 0..BATCHES {
                // A part in each of two chunks.
                let chunk = round / 10 * FILE_SIZE;
                store.append(&events_at([chunk + 5, chunk + 900_000, chunk + FILE_SIZE, chunk + FILE_SIZE + 1])).unwrap();
                store.delete_before((round / 10).saturating_sub(10) * FILE_SIZE).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                compact(store);
            }
        });
        let mut round = 0;
        while !done.load(Ordering::Relaxed) || round < 4 {
            let handle = if round % 2 == 1 { &beside(&place) } else { store };
            let taken = handle.snapshot(copy(&place), on).unwrap();
            assert_eq!(taken.damaged, 0);
            let there = reading(&place);
            assert_sound(&there);
            assert_eq!(there.last_seq(), taken.seq);
            // Of batches that no deleting has cut in two.
            let horizon = there.stats().unwrap().horizon;
            let mut batches = std::collections::BTreeMap::new();
            for event in all(&there).iter().filter(|event| event.time < 50 * FILE_SIZE && event.time >= horizon + FILE_SIZE + 5) {
                *batches.entry(event.seq - u64::from(event.id)).or_insert(0) += 1;
            }
            assert!(batches.values().all(|count| *count == 4), "batches are there in part: {batches:?}");
            round += 1;
        }
    });
    snapshot(&store, &place);
    assert_eq!(shown(&place), all(&store));
}

#[test]
fn whoever_reads_a_snapshot_goes_on_while_the_next_one_takes_its_place() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        (0..3).for_each(|chunk| append_some(&store, chunk, chunk));
        snapshot(&store, &place);
        let there = reading(&place);
        let first = all(&there);
        let mut reader = there.read(..).unwrap();
        let mut got: Vec<Event> = reader.by_ref().take(5).map(Result::unwrap).collect();
        compact(&store);
        append_some(&store, 1, 7);
        snapshot(&store, &place);
        got.extend(drain(reader));
        assert_eq!(got, first);
        assert_eq!(all(&there), all(&store));
    }
}

#[test]
fn closing_the_store_ends_it() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_some(&store, chunk, chunk));
    std::thread::scope(|scope| {
        let (told, wait) = std::sync::mpsc::channel();
        let (go_on, resume) = std::sync::mpsc::channel::<()>();
        let (store, place) = (&store, &place);
        let taking = scope.spawn(move || {
            let mut first = true;
            store.snapshot(copy(place), |_| {
                if std::mem::take(&mut first) {
                    told.send(()).unwrap();
                    resume.recv().unwrap();
                }
                ControlFlow::Continue(())
            })
        });
        wait.recv().unwrap();
        store.close().unwrap();
        go_on.send(()).unwrap();
        assert_error!(taking.join().unwrap(), Error::Closed { .. });
    });
    assert!(place.disk.kind(&copy(&place)).unwrap().is_none());
}

#[test]
fn damage_is_said_and_what_is_whole_is_all_there() {
    for compacted in [false, true] {
        let place = Place::simulated(1);
        let store = open(&place);
        append_some(&store, 0, 1);
        append_some(&store, 1, 1);
        if compacted {
            compact(&store);
        }
        store.close().unwrap();
        let name = if compacted { "0-1.estore" } else { "0-0.estore" };
        let mut log = place.file(name);
        let frame = common::frames(&log)[1];
        log[frame + 200] ^= 1;
        place.put_file(name, &log);
        place.sim().set_links(false);
        let store = open(&place);
        let taken = snapshot(&store, &place);
        assert_eq!(taken.damaged, 1);
        let salvaged = |store: &Store| drain(store.read_with(.., estore::ReadOptions::new().salvage()).unwrap());
        assert_eq!(salvaged(&reading(&place)), salvaged(&store));
        let mut damage = 0;
        let count = |finding: estore::Finding| {
            damage += u64::from(finding.kind == FindingKind::Damage);
            ControlFlow::Continue(())
        };
        reading(&place).verify(count).unwrap();
        assert_eq!(damage, 1);
    }
}

#[test]
fn a_log_that_is_missing_is_damage() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    append_some(&store, 1, 1);
    store.close().unwrap();
    place.sim().remove(place.path.join("0-0.estore"));
    for store in [beside(&place), open(&place)] {
        assert_eq!(snapshot(&store, &place).damaged, 1);
        let there = reading(&place);
        assert_eq!(there.count(FILE_SIZE..).unwrap(), 420);
        let gone = drain_errors(&there);
        assert!(gone > 0, "the missing log is not passed over in silence");
        drop(there);
        for name in names(&place) {
            assert!(place.sim().remove(copy(&place).join(name)));
        }
    }
}

fn drain_errors(store: &Store) -> usize {
    match store.read(..) {
        Ok(reader) => reader.filter(Result::is_err).count(),
        Err(_) => 1,
    }
}

#[test]
fn a_snapshot_that_was_cut_short_is_begun_anew() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    append_some(&store, 1, 2);
    store.sync().unwrap();
    let calls = {
        let disk = place.sim().fork(1);
        let fork = Place::on(disk, &place);
        let store = open(&fork);
        let before = fork.sim().calls();
        snapshot(&store, &fork);
        fork.sim().calls() - before
    };
    for at in (0..calls).step_by(3) {
        let fork = Place::on(place.sim().fork(at), &place);
        let store = open(&fork);
        fork.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
        let died = store.snapshot(copy(&fork), on).is_err();
        fork.crash(Crash::Random);
        let opened = Store::open(copy(&fork), options(&fork).mode(Mode::ReadOnly));
        let events = all(&open(&fork));
        match opened {
            Ok(there) => assert_eq!(all(&there), events),
            Err(e) => assert!(died && matches!(e, Error::NotFound { .. } | Error::NotAStore { .. }), "call {at}: {e:?}"),
        }
        let store = open(&fork);
        snapshot(&store, &fork);
        // A derived file of the one that was cut short may be torn, and is not believed then.
        let there = reading(&fork);
        assert_eq!(there.verify(|_| ControlFlow::Continue(())).unwrap().damaged, 0);
        assert_eq!(all(&there), events);
    }
}

#[test]
fn a_later_snapshot_that_was_cut_short_leaves_the_earlier_one() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_some(&store, chunk, chunk));
    snapshot(&store, &place);
    let earlier = all(&store);
    compact(&store);
    append_some(&store, 2, 7);
    append_some(&store, 3, 8);
    store.sync().unwrap();
    let later = all(&store);
    let calls = {
        let fork = Place::on(place.sim().fork(1), &place);
        let store = open(&fork);
        let before = fork.sim().calls();
        snapshot(&store, &fork);
        fork.sim().calls() - before
    };
    let mut seen = [0, 0];
    for at in (0..calls).step_by(2) {
        for how in [Crash::LoseAll, Crash::KeepAll, Crash::Random] {
            let fork = Place::on(place.sim().fork(at), &place);
            let store = open(&fork);
            fork.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
            let _ = store.snapshot(copy(&fork), on);
            fork.crash(how);
            let there = all(&reading(&fork));
            let is_later = there.len() == later.len();
            assert_eq!(there, if is_later { later.clone() } else { earlier.clone() }, "call {at}");
            seen[usize::from(is_later)] += 1;
            // Damage is found in neither.
            reading(&fork)
                .verify(|finding| {
                    assert_ne!(finding.kind, FindingKind::Damage, "call {at}: {finding:?}");
                    ControlFlow::Continue(())
                })
                .unwrap();
            // Nor does it come back later what was cut short.
            if at % 4 == 0 {
                let store = writing(&fork);
                assert_eq!(all(&store), there);
                store.append(&events_at([5, 6])).unwrap();
                store.sync().unwrap();
                fork.crash(Crash::LoseAll);
                let store = writing(&fork);
                assert_eq!(all(&store).len(), there.len() + 2, "call {at}");
                assert_sound(&store);
            } else {
                snapshot(&open(&fork), &fork);
                assert_eq!(all(&reading(&fork)), later);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn a_failing_call_leaves_the_earlier_snapshot_or_the_new_one() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    snapshot(&store, &place);
    let earlier = all(&store);
    append_some(&store, 0, 2);
    store.sync().unwrap();
    for (calls, name) in
        [(Call::Sync, None), (Call::SyncFolder, Some("copy")), (Call::Write, Some("copy/0-0.estore")), (Call::Rename, None)]
    {
        let fork = Place::on(place.sim().fork(3), &place);
        let store = open(&fork);
        let name = name.map(str::to_owned);
        fork.sim().inject(Fault { at: 0, calls: Some(calls), name, effect: FaultEffect::Errno(5), forever: false });
        assert_error!(store.snapshot(copy(&fork), on), Error::Io { .. });
        assert_eq!(shown(&fork), earlier, "{calls:?}");
        snapshot(&store, &fork);
        assert_eq!(shown(&fork), all(&store));
    }
}

#[test]
fn the_logs_are_those_of_the_moment_and_no_more() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    snapshot(&store, &place);
    let len = place.disk.open(&copy(&place).join("0-0.estore"), Access::Read).unwrap().len().unwrap();
    assert_eq!(len, store.stats().unwrap().log_bytes);
}

#[test]
fn a_writer_that_has_stopped_takes_none_but_a_handle_that_only_reads_does() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_some(&store, 0, 1);
    store.sync().unwrap();
    store.append(&events_at([5])).unwrap();
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Sync),
        name: Some("0-0.estore".into()),
        effect: FaultEffect::Errno(5),
        forever: false,
    });
    assert_error!(store.snapshot(copy(&place), on), Error::Io { .. } | Error::OutcomeUnknown { .. });
    assert_error!(store.snapshot(copy(&place), on), Error::Poisoned { .. });
    assert!(place.disk.kind(&copy(&place)).unwrap().is_none());
    assert_eq!(beside(&place).snapshot(copy(&place), on).unwrap().events, 421);
    assert_eq!(shown(&place).len(), 421);
}
