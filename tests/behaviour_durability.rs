//! Durability and failure: what each level survives, full disks, failed writes and syncs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex};

use common::place::Place;
use common::{drain, event, events_at, identities, stable_sorted, times};
use estore::disk::{After, Call, Crash, Fault, FaultEffect};
use estore::{Durability, Error, Event, Level, Options, Store};

fn options(place: &Place, durability: Durability) -> Options {
    place.options().file_size(100).grace(10).durability(durability)
}

fn open(place: &Place, durability: Durability) -> Store {
    Store::open(&place.path, options(place, durability)).expect("the store opens")
}

fn all(store: &Store) -> Vec<Event> {
    drain(store.read(..).expect("a reader opens"))
}

/// From now on, calls of this kind for names that end so meet the effect.
fn fail(place: &Place, call: Call, name: &str, at: u64, effect: FaultEffect, forever: bool) {
    place.sim().inject(Fault { at, calls: Some(call), name: (!name.is_empty()).then(|| name.to_owned()), effect, forever });
}

// ---- levels

#[test]
fn process_survives_the_process_and_sync_the_machine() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    let first = store.append(&events_at([1, 101, 2])).unwrap();
    assert!(store.durable_seq() < first, "no sync yet");
    assert_eq!(store.sync().unwrap(), first);
    assert_eq!(store.durable_seq(), first);
    assert_eq!(store.stats().unwrap().durable_seq, first);
    let second = store.append(&events_at([3, 102])).unwrap();
    assert_eq!(store.durable_seq(), first, "what came after the sync isn't durable");
    assert_eq!(store.last_seq(), second);
    place.crash(Crash::KeepAll);
    let store = open(&place, Durability::Process);
    assert_eq!(times(&all(&store)), [1, 2, 3, 101, 102], "the process died, the machine didn't");
    store.append(&events_at([4])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([5])).unwrap();
    place.crash(Crash::LoseAll);
    let store = open(&place, Durability::Process);
    assert_eq!(times(&all(&store)), [1, 2, 3, 4, 101, 102], "the power went: all up to the sync is there");
}

#[test]
fn what_the_death_of_a_process_left_is_durable_only_once_it_is_synced() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101, 2])).unwrap();
    place.crash(Crash::KeepAll);
    let store = open(&place, Durability::Process);
    assert_eq!(times(&all(&store)), [1, 2, 101]);
    let durable = store.durable_seq();
    place.crash(Crash::LoseAll);
    let left = all(&open(&place, Durability::Process));
    let expected = if durable == 0 { left.len() } else { 3 };
    assert_eq!(left.len(), expected, "opening claimed to be durable up to {durable}");
}

#[test]
fn power_survives_loss_of_power_on_return() {
    for crash in [Crash::LoseAll, Crash::Random] {
        let place = Place::simulated(7);
        let mut arrived = Vec::new();
        for round in 0..20_u64 {
            let store = open(&place, Durability::Power);
            assert!(identities(&all(&store)) == stable_sorted(&arrived), "round {round}");
            let batch = events_at((0..10).map(|i| i * 37 + round));
            let last = store.append(&batch).unwrap();
            assert!(store.durable_seq() >= last);
            arrived.extend(batch);
            place.crash(crash);
        }
    }
}

#[test]
fn interval_syncs_when_its_time_is_over() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Interval(1000));
    let last = store.append(&events_at([1, 101])).unwrap();
    place.clock.advance(999);
    store.tick().unwrap();
    assert!(store.durable_seq() < last, "not yet");
    place.clock.advance(1);
    store.tick().unwrap();
    assert_eq!(store.durable_seq(), last);
    place.sim().reset_counters();
    place.clock.advance(5000);
    store.tick().unwrap();
    let counters = place.sim().counters();
    assert_eq!((counters.syncs, counters.folder_syncs), (0, 0), "nothing to sync, no sync");
    let last = store.append(&events_at([2])).unwrap();
    place.clock.set_wall(0); // somebody sets the wall clock back
    place.clock.advance(1000);
    store.tick().unwrap();
    assert_eq!(store.durable_seq(), last, "intervals go by the monotonic clock");
    place.crash(Crash::LoseAll);
    assert_eq!(times(&all(&open(&place, Durability::Process))), [1, 2, 101]);
}

#[test]
fn a_buffer_is_bounded_and_goes_out_by_time() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place, Durability::Buffered).buffer(10_000, 1000)).unwrap();
    place.sim().reset_counters();
    store.append(&events_at([1])).unwrap();
    assert_eq!(place.sim().counters().write_bytes, 0, "in the buffer");
    place.clock.advance(1000);
    store.tick().unwrap();
    assert!(place.sim().counters().write_bytes > 0, "handed to the system by its age");
    place.sim().reset_counters();
    for i in 0..100 {
        store.append(&[event(i, 1, vec![0; 1000])]).unwrap();
    }
    assert!(place.sim().counters().write_bytes > 80_000, "handed to the system by its size");
    store.append(&[event(50, 1, vec![0; 100_000])]).expect("an event larger than the buffer");
    assert_eq!(store.count(..).unwrap(), 102);
}

#[test]
fn closing_and_dropping_make_everything_durable() {
    for durability in [Durability::Buffered, Durability::Process, Durability::Interval(1 << 40), Durability::Power] {
        for drop_it in [false, true] {
            let place = Place::simulated(1);
            let store = open(&place, durability);
            store.append(&events_at([1, 101, 2])).unwrap();
            if drop_it {
                drop(store);
            } else {
                store.close().unwrap();
            }
            place.crash(Crash::LoseAll);
            let store = open(&place, durability);
            assert_eq!(times(&all(&store)), [1, 2, 101]);
            assert_eq!(store.durable_seq(), store.last_seq());
        }
    }
}

#[test]
fn a_clean_close_leaves_nothing_to_recover() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101, 2])).unwrap();
    store.close().unwrap();
    let store = open(&place, Durability::Process);
    let stats = store.stats().unwrap();
    assert_eq!((stats.cut_bytes, stats.damaged), (0, 0));
}

#[test]
fn a_torn_tail_is_cut_kept_and_reported() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 2])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([3, 4])).unwrap();
    place.crash(Crash::KeepAll);
    let [log] = &place.names(".estore")[..] else { panic!("one log") };
    let mut bytes = place.file(log);
    while bytes.last() == Some(&0) {
        bytes.pop(); // room that was set aside
    }
    bytes.truncate(bytes.len() - 3);
    place.put_file(log, &bytes);
    let names = place.names("");
    let store = open(&place, Durability::Process);
    assert_eq!(times(&all(&store)), [1, 2]);
    let stats = store.stats().unwrap();
    assert!(stats.cut_bytes > 0, "what was cut is reported");
    store.append(&events_at([5])).unwrap();
    store.close().unwrap();
    assert!(place.names("").len() > names.len(), "what was cut is kept in a file of its own: {:?}", place.names(""));
    let store = open(&place, Durability::Process);
    assert_eq!(times(&all(&store)), [1, 2, 5]);
    assert_eq!(store.stats().unwrap().cut_bytes, 0, "only what this opening cut");
}

// ---- full disks

#[test]
fn a_full_disk_changes_nothing_and_appends_go_on_once_there_is_space() {
    for durability in [Durability::Process, Durability::Interval(1 << 40), Durability::Power] {
        // So many free blocks: the disk is full at another point each time.
        for free in 0..40 {
            let place = Place::simulated(1);
            let store = open(&place, durability);
            let first = events_at([1, 101, 2]);
            store.append(&first).unwrap();
            place.sim().set_capacity(Some(place.sim().used() + free * 4096));
            let (last, before) = (store.last_seq(), store.stats().unwrap().events);
            // Chunks that are there, and new ones.
            let batch: Vec<Event> = (0..8).map(|i| event(i * 50, 1, vec![7; 15_000])).collect();
            match store.append(&batch) {
                Ok(_) => assert!(free >= 16, "{free} free blocks are too few for the batch"),
                Err(Error::NoSpace { .. }) => {
                    assert_eq!(store.last_seq(), last);
                    assert_eq!(store.stats().unwrap().events, before);
                    assert!(identities(&all(&store)) == stable_sorted(&first));
                    assert!(matches!(store.append(&batch), Err(Error::NoSpace { .. })), "still full");
                    place.sim().set_capacity(None);
                    store.append(&batch).expect("there is space again");
                }
                Err(error) => panic!("with {free} free blocks: {error:?}"),
            }
            place.sim().set_capacity(None);
            let expected = stable_sorted(&[first, batch].concat());
            assert!(identities(&all(&store)) == expected);
            store.append_absent(&events_at([1])).unwrap();
            store.close().unwrap();
            assert!(identities(&all(&open(&place, durability))) == expected, "{free} free blocks, opened again");
        }
    }
}

#[test]
fn room_ahead_of_other_logs_is_given_back_before_an_append_is_refused() {
    for durability in [Durability::Process, Durability::Buffered, Durability::Power] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, options(&place, durability).buffer(1, 1)).unwrap();
        let mut taken: Vec<Event> = (0..6).map(|i| event(i, 1, vec![7; 100_000])).collect();
        taken.push(event(100, 1, "a log of little room"));
        for event in &taken {
            store.append(std::slice::from_ref(event)).unwrap();
        }
        // The large log has some hundred kilobytes ahead of it, and there is nothing else.
        place.sim().set_capacity(Some(place.sim().used()));
        // In the log that is there, in two of them, in a new one.
        let batches = [vec![event(101, 1, vec![8; 60_000])], vec![event(50, 2, "late"), event(102, 1, vec![8; 60_000])], events_at([200])];
        for batch in batches {
            store.append(&batch).expect("what is set aside for nothing yet is space");
            taken.extend(batch);
        }
        let too_large = [event(103, 1, vec![9; 2_000_000])];
        assert_error!(store.append(&too_large).and_then(|_| store.sync()), Error::NoSpace { .. });
        place.sim().set_capacity(None);
        store.sync().unwrap();
        if durability == Durability::Buffered {
            taken.extend(too_large);
        }
        assert!(identities(&all(&store)) == stable_sorted(&taken));
        store.close().unwrap();
        assert!(identities(&all(&open(&place, durability))) == stable_sorted(&taken));
    }
}

#[test]
fn a_store_on_a_full_disk_opens_for_reading() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101, 2])).unwrap();
    store.close().unwrap();
    place.sim().set_capacity(Some(0));
    let store = Store::open(&place.path, place.options().mode(estore::Mode::ReadOnly)).unwrap();
    assert_eq!(times(&all(&store)), [1, 2, 101]);
}

#[test]
fn a_store_cannot_be_made_on_a_full_disk_but_can_be_later() {
    for free in 0..4 {
        let place = Place::simulated(1);
        place.sim().set_capacity(Some(free * 4096));
        match Store::open(&place.path, options(&place, Durability::Process)) {
            Ok(store) => drop(store),
            Err(Error::NoSpace { .. }) => {}
            Err(error) => panic!("with {free} blocks: {error:?}"),
        }
        place.sim().set_capacity(None);
        let store = open(&place, Durability::Process);
        store.append(&events_at([1])).unwrap();
    }
}

#[test]
fn a_buffer_that_cannot_go_out_is_kept_and_takes_no_more() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place, Durability::Buffered).file_size(u64::MAX).buffer(20_000, 1000)).unwrap();
    store.append(&events_at([1])).unwrap();
    store.sync().unwrap();
    place.sim().set_capacity(Some(0));
    let mut taken = events_at([1]);
    let mut refused = 0;
    for i in 0..1000 {
        let batch = [event(i, 2, vec![i as u8; 1000])];
        match store.append(&batch) {
            Ok(_) => {
                taken.extend(batch);
                assert_eq!(refused, 0, "a batch was taken after one was refused");
            }
            Err(Error::NoSpace { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    // Some went to room that had been set aside before.
    assert!(taken.len() > 5 && taken.len() < 200, "{} events of a kilobyte were taken by a buffer of twenty", taken.len());
    assert!(refused > 0);
    assert!(matches!(store.sync(), Err(Error::NoSpace { .. })), "a sync can't work either");
    place.clock.advance(1000);
    let _ = store.tick();
    place.sim().set_capacity(None);
    store.append(&[event(1500, 2, "after")]).expect("there is space again");
    taken.push(event(1500, 2, "after"));
    store.sync().unwrap();
    assert!(identities(&all(&store)) == stable_sorted(&taken), "what was taken is there once, what was refused isn't");
    place.crash(Crash::LoseAll);
    let store = Store::open(&place.path, place.options()).unwrap();
    assert!(identities(&all(&store)) == stable_sorted(&taken));
}

// ---- errors

/// After an error that poisons: reads work, nothing can be appended, a new opening works and has these events, or these too.
fn assert_poisoned_and_recovers(place: &Place, store: Store, sure: &[Event], perhaps: &[Event]) {
    for _ in 0..2 {
        assert_error!(store.append(&events_at([77])), Error::Poisoned { .. });
        assert_error!(store.append_absent(&events_at([77])), Error::Poisoned { .. });
        assert_error!(store.sync(), Error::Poisoned { .. });
        assert_error!(store.delete_before(0), Error::Poisoned { .. });
    }
    let shown = identities(&all(&store));
    let (without, with) = (stable_sorted(sure), stable_sorted(&[sure, perhaps].concat()));
    assert!(shown == without || shown == with, "a reader of the poisoned store sees whole batches");
    let count = store.count(..).unwrap();
    assert_eq!(count, shown.len() as u64);
    place.sim().clear_faults();
    assert_error!(store.append(&events_at([77])), Error::Poisoned { .. });
    assert!(store.close().is_err(), "closing reports the failure");
    drop(store);
    let store = open(place, Durability::Process);
    let shown = identities(&all(&store));
    assert!(shown == without || shown == with, "opened again, {} events, of {} or {}", shown.len(), without.len(), with.len());
    let last = store.last_seq();
    assert!(store.append(&events_at([88])).unwrap() > last);
    assert_eq!(all(&store).len(), shown.len() + 1);
    store.close().unwrap();
}

#[test]
fn a_failed_sync_poisons_the_writer() {
    for call in [Call::Sync, Call::SyncFolder] {
        let place = Place::simulated(1);
        let store = open(&place, Durability::Process);
        let first = events_at([1, 101, 2]);
        store.append(&first).unwrap();
        store.sync().unwrap();
        let second = events_at([3, 201, 301]);
        store.append(&second).unwrap();
        let durable = store.durable_seq();
        fail(&place, call, "", 0, FaultEffect::Errno(libc::EIO), false);
        let failed = store.sync();
        if call == Call::SyncFolder && failed.is_ok() {
            continue; // the folder was synced when the files were made
        }
        let error = common::error_of(failed);
        assert_eq!(error.os_error(), Some(libc::EIO), "{error:?}");
        assert_eq!(store.durable_seq(), durable, "a failed sync makes nothing durable");
        assert!(store.last_seq() > durable);
        assert_poisoned_and_recovers(&place, store, &[first, second].concat(), &[]);
    }
}

#[test]
fn what_a_failed_sync_lost_is_not_taken_for_durable_because_memory_still_has_it() {
    for after in [After::New, After::Old, After::Zero] {
        for name in [".estore", "journal"] {
            let place = Place::simulated(1);
            let store = open(&place, Durability::Process);
            let first = events_at([1, 2]);
            store.append(&first).unwrap();
            store.sync().unwrap();
            store.append(&events_at([3, 201])).unwrap();
            fail(&place, Call::Sync, name, 0, FaultEffect::SyncLosesPages(libc::EIO, after), false);
            assert!(store.sync().is_err());
            drop(store);
            // The machine runs on, and the system believes that it has nothing more to write.
            let store = open(&place, Durability::Process);
            let shown = all(&store);
            assert!(identities(&shown).starts_with(&stable_sorted(&first)), "{after:?}, {name}: the events that were synced");
            assert!(shown.iter().all(|event| event.seq <= store.durable_seq()), "{after:?}, {name}: what was found is durable");
            drop(store);
            place.crash(Crash::LoseAll);
            let store = open(&place, Durability::Process);
            assert!(all(&store) == shown, "{after:?}, {name}: what was called durable survives loss of power");
            assert_eq!(store.stats().unwrap().damaged, 0);
            store.close().unwrap();
        }
    }
}

#[test]
fn a_log_and_the_record_of_it_that_failed_syncs_lost_were_never_there() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Power);
    store.append(&events_at([1, 2])).unwrap();
    store.close().unwrap();
    let store = open(&place, Durability::Power);
    fail(&place, Call::Sync, "2-0.estore", 0, FaultEffect::SyncLosesPages(libc::EIO, After::New), false);
    assert!(store.append(&events_at([201])).is_err());
    drop(store);
    fail(&place, Call::Sync, "journal", 0, FaultEffect::SyncLosesPages(libc::EIO, After::New), false);
    assert!(Store::open(&place.path, options(&place, Durability::Power)).is_err());
    // Memory still has the log, of which the journal knows nothing by now.
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&complaints);
    let options = options(&place, Durability::Power).log(move |level, what| {
        if level == Level::Error {
            log.lock().unwrap().push(what.to_owned());
        }
    });
    let store = Store::open(&place.path, options).unwrap();
    assert_eq!(times(&all(&store)), [1, 2]);
    assert_eq!(*complaints.lock().unwrap(), Vec::<String>::new(), "nothing that was promised is missing");
}

#[test]
fn a_failed_sync_of_the_folder_within_an_append_poisons_the_writer() {
    for effect in [FaultEffect::SyncLosesPages(libc::EIO, After::New), FaultEffect::Errno(libc::EIO), FaultEffect::Errno(libc::ENOSPC)] {
        // What an append keeps aside before it goes on there: bytes behind a log's end, and a file that has a log's name.
        for name in ["0-0.estore", "2-0.estore"] {
            let place = Place::simulated(1);
            let store = open(&place, Durability::Process);
            store.append(&events_at([1, 2])).unwrap();
            store.close().unwrap();
            let log = if name.starts_with('0') { place.file(name) } else { Vec::new() };
            place.put_file(name, &[&log[..], b"something"].concat());
            place.disk.sync_folder(&place.path).unwrap();
            let store = open(&place, Durability::Process);
            store.append(&events_at([101])).unwrap();
            let durable = store.durable_seq();
            // The name of the log of 101 is not durable yet, and the system won't try again to make it so.
            fail(&place, Call::SyncFolder, "", 0, effect, false);
            let error = assert_error!(store.append(&events_at([3, 203])), Error::Io { .. });
            assert!(error.os_error().is_some());
            assert_error!(store.append(&events_at([102])), Error::Poisoned { .. });
            assert_error!(store.sync(), Error::Poisoned { .. });
            assert_error!(store.close(), Error::Poisoned { .. });
            assert_eq!(store.durable_seq(), durable);
            drop(store);
            let lost = matches!(effect, FaultEffect::SyncLosesPages(..));
            place.crash(if lost { Crash::LoseAll } else { Crash::KeepAll });
            let store = open(&place, Durability::Process);
            assert_eq!(times(&all(&store)), if lost { vec![1, 2] } else { vec![1, 2, 101] }, "{name}");
            store.append(&events_at([3, 203])).unwrap();
            store.sync().unwrap();
            place.crash(Crash::LoseAll);
            assert!(times(&all(&open(&place, Durability::Process))).ends_with(&[203]), "opened anew, the store goes on");
        }
    }
}

#[test]
fn a_close_that_could_not_finish_what_it_wrote_says_so() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place, Durability::Buffered).max_open_logs(1)).unwrap();
    store.append(&events_at([1])).unwrap();
    assert_eq!(store.count(..).unwrap(), 1, "the log of chunk 0 is open");
    store.append(&events_at([201])).unwrap();
    // That of chunk 0 is closed to make way for that of chunk 2: the journal hears of the one, and then of the other.
    fail(&place, Call::Write, "journal", 1, FaultEffect::Errno(libc::EIO), false);
    assert_error!(store.close(), Error::Poisoned { .. });
}

#[test]
fn a_failed_sync_of_an_interval_poisons_the_writer() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Interval(1000));
    let first = events_at([1, 101, 2]);
    store.append(&first).unwrap();
    fail(&place, Call::Sync, ".estore", 0, FaultEffect::Errno(libc::EIO), false);
    place.clock.advance(1000);
    assert!(store.tick().is_err(), "tick reports it");
    assert_poisoned_and_recovers(&place, store, &first, &[]);
}

#[test]
fn a_failed_sync_at_power_leaves_the_outcome_unknown() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Power);
    let first = events_at([1, 101, 2]);
    store.append(&first).unwrap();
    let durable = store.durable_seq();
    let second = events_at([3, 102]);
    fail(&place, Call::Sync, ".estore", 0, FaultEffect::Errno(libc::EIO), false);
    let error = assert_error!(store.append(&second), Error::OutcomeUnknown { .. });
    assert_eq!(error.os_error(), Some(libc::EIO));
    assert_eq!(store.durable_seq(), durable);
    assert_poisoned_and_recovers(&place, store, &first, &second);
}

#[test]
fn a_sync_that_finds_the_disk_full_is_an_error_like_any_other() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Power);
    let first = events_at([1, 2]);
    store.append(&first).unwrap();
    fail(&place, Call::Sync, ".estore", 0, FaultEffect::Errno(libc::ENOSPC), false);
    let second = events_at([3]);
    assert_error!(store.append(&second), Error::OutcomeUnknown { .. });
    assert_poisoned_and_recovers(&place, store, &first, &second);
}

#[test]
fn a_writer_that_has_stopped_does_not_say_that_there_is_no_space() {
    for (call, name) in [(Call::Write, "journal"), (Call::Sync, "journal"), (Call::Sync, ".estore")] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, options(&place, Durability::Process).max_open_logs(1)).unwrap();
        store.append(&events_at([1, 101])).unwrap();
        // Not all systems keep the room that was set aside.
        fail(&place, call, name, 0, FaultEffect::Errno(libc::ENOSPC), true);
        let results = [store.sync().map(drop), store.delete_before(1), store.append(&events_at([2])).map(drop)];
        let mut stopped = false;
        for error in results.into_iter().filter_map(Result::err) {
            assert!(!stopped || matches!(error, Error::Poisoned { .. }), "{call:?} {name}: {error:?}, after the writer had stopped");
            stopped = store.append::<Event>(&[]).is_err();
            assert!(!(stopped && matches!(error, Error::NoSpace { .. })), "{call:?} {name}: {error:?}, and the writer has stopped");
        }
        assert!(stopped, "{call:?} {name}");
    }
}

#[test]
fn a_write_that_fails_after_reserving_leaves_the_outcome_unknown_and_poisons() {
    for effect in [FaultEffect::Errno(libc::EIO), FaultEffect::WriteThenErrno(libc::EIO), FaultEffect::WriteThenErrno(libc::ENOSPC)] {
        // The first, the second, the third log that the batch touches.
        for at in 0..3 {
            let place = Place::simulated(at + 1);
            let store = open(&place, Durability::Process);
            let first = events_at([1, 101, 201]);
            store.append(&first).unwrap();
            let last = store.last_seq();
            fail(&place, Call::Write, ".estore", at, effect, false);
            let second = events_at([2, 102, 202, 3]);
            let error = assert_error!(store.append(&second), Error::OutcomeUnknown { .. });
            assert!(error.path().is_some());
            assert_eq!(store.last_seq(), last, "an append whose outcome is unknown is not shown");
            assert!(identities(&all(&store)) == stable_sorted(&first), "and not read");
            assert_poisoned_and_recovers(&place, store, &first, &second);
        }
    }
}

#[test]
fn a_buffer_whose_write_fails_poisons_too() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place, Durability::Buffered)).unwrap();
    let first = events_at([1, 101]);
    store.append(&first).unwrap();
    store.sync().unwrap();
    store.append(&events_at([2, 102])).unwrap();
    fail(&place, Call::Write, ".estore", 0, FaultEffect::WriteThenErrno(libc::EIO), false);
    assert!(store.sync().is_err());
    assert_error!(store.append(&events_at([3])), Error::Poisoned { .. });
    place.sim().clear_faults();
    assert!(store.close().is_err());
    drop(store);
    let store = open(&place, Durability::Process);
    let shown = all(&store).len();
    assert!(shown == 2 || shown == 4, "{shown} events");
}

#[test]
fn interrupted_and_short_calls_are_no_errors() {
    let place = Place::simulated(1);
    for at in 0..3 {
        for call in
            [Call::Read, Call::Write, Call::Open, Call::Reserve, Call::Len, Call::Truncate, Call::List, Call::Sync, Call::SyncFolder]
        {
            fail(&place, call, "", at * 2, FaultEffect::Errno(libc::EINTR), false);
        }
    }
    fail(&place, Call::Write, "", 0, FaultEffect::Short, true);
    fail(&place, Call::Read, "", 0, FaultEffect::Short, true);
    let mut arrived = Vec::new();
    for i in 0..5 {
        let store = open(&place, Durability::Process);
        let batch: Vec<Event> = (0..50).map(|j| event(i * 10 + j * 7, 1, vec![9; 3000])).collect();
        store.append(&batch).unwrap();
        arrived.extend(batch);
        assert!(identities(&all(&store)) == stable_sorted(&arrived));
        store.close().unwrap();
    }
    assert!(place.sim().faults_hit() > 0);
}

#[test]
fn a_read_that_fails_once_is_an_error_with_the_files_name_and_no_more() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    let batch: Vec<Event> = (0..100).map(|i| event(i, 1, vec![9; 3000])).collect();
    store.append(&batch).unwrap();
    store.close().unwrap();
    let store = open(&place, Durability::Process);
    fail(&place, Call::Read, ".estore", 0, FaultEffect::Errno(libc::EIO), true);
    let error = store.read(..).and_then(|reader| reader.collect::<Result<Vec<Event>, Error>>());
    let error = assert_error!(error, Error::Io { .. });
    assert!(error.path().is_some_and(|path| path.to_string_lossy().ends_with(".estore")), "{error}");
    place.sim().clear_faults();
    assert!(identities(&all(&store)) == stable_sorted(&batch), "the next reader is fine");
    store.append(&events_at([1000])).expect("an error of reading doesn't stop the writer");
}

/// Fails each call of a whole life of a store in turn: no panic, and nothing that was promised is lost.
#[test]
fn any_one_call_may_fail() {
    let mut survived = 0;
    for at in 0.. {
        let place = Place::simulated(at);
        place.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Errno(libc::EIO), forever: false });
        let mut sure: Vec<Event> = Vec::new();
        let mut perhaps: Vec<Event> = Vec::new();
        for round in 0..3_u64 {
            let Ok(store) = Store::open(&place.path, options(&place, Durability::Process).max_open_logs(2)) else { continue };
            for i in 0..3 {
                let batch = events_at([round * 50 + i, 5, 105]);
                match store.append(&batch) {
                    Ok(_) => sure.extend(batch),
                    Err(Error::OutcomeUnknown { .. }) => perhaps = batch,
                    Err(_) => {}
                }
            }
            let _ = store.sync();
            if let Ok(shown) = store.read(..).and_then(|reader| reader.collect::<Result<Vec<Event>, Error>>()) {
                common::assert_ordered(&shown);
                let shown = shown.len();
                assert!(shown == sure.len() || shown == sure.len() + perhaps.len(), "call {at}: {shown} events, of {}", sure.len());
                if shown == sure.len() + perhaps.len() {
                    sure.append(&mut perhaps);
                }
            }
            let _ = store.close();
        }
        place.sim().clear_faults();
        let store = open(&place, Durability::Process);
        let shown = all(&store);
        let mut shown = identities(&shown);
        shown.sort();
        let sorted = |events: &[Event]| {
            let mut list = identities(events);
            list.sort();
            list
        };
        assert!(
            shown == sorted(&sure) || shown == sorted(&[sure.clone(), perhaps.clone()].concat()),
            "call {at} failed: {} events, of {} for sure and {} perhaps",
            shown.len(),
            sure.len(),
            perhaps.len()
        );
        if place.sim().faults_hit() == 0 {
            survived = at;
            break;
        }
    }
    assert!(survived > 50, "only {survived} calls were made");
}
