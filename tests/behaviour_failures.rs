//! Failures in the middle of things: a full disk, a failed write or sync, a kill within recovery, a reader that outlives its store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod common;
use common::place::Place;
use common::{drain, event, events_at, times};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Durability, Error, Event, Options, Store};
use std::ops::ControlFlow;

fn options(place: &Place, durability: Durability) -> Options {
    place.options().file_size(100).grace(10).durability(durability).log(|l, m| eprintln!("  [{l:?}] {m}"))
}
fn open(place: &Place, durability: Durability) -> Store {
    Store::open(&place.path, options(place, durability)).expect("the store opens")
}
fn all(store: &Store) -> Vec<Event> {
    drain(store.read(..).expect("a reader opens"))
}
fn fail(place: &Place, call: Call, name: &str, at: u64, effect: FaultEffect, forever: bool) {
    place.sim().inject(Fault { at, calls: Some(call), name: (!name.is_empty()).then(|| name.to_owned()), effect, forever });
}

#[test]
fn a_close_after_a_failed_write_leaves_the_batch_to_recovery() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Buffered);
    store.append(&events_at([0, 100])).unwrap();
    store.count(..).unwrap(); // flushed; both logs open
    store.append(&events_at([1, 101])).unwrap(); // one batch, in the buffer
    fail(&place, Call::Write, "1-0.estore", 0, FaultEffect::Errno(libc::EIO), false);
    eprintln!("close: {:?}", store.close());
    drop(store);
    let store = open(&place, Durability::Process);
    eprintln!("after reopen: {:?} count {}", times(&all(&store)), store.count(..).unwrap());
    assert!(matches!(times(&all(&store))[..], [0, 100] | [0, 1, 100, 101]));
    store.append(&events_at([2])).unwrap();
    let t = times(&all(&store));
    eprintln!("after next append: {t:?} count {}", store.count(..).unwrap());
    assert!(matches!(t[..], [0, 2, 100] | [0, 1, 2, 100, 101]), "a torn batch: {t:?}");
}

#[test]
fn a_reader_of_a_destroyed_store_leaves_the_files_of_the_next_one_alone() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101])).unwrap();
    let reader = store.read(..).unwrap();
    store.delete_before(100).unwrap();
    store.close().unwrap();
    drop(store);
    Store::destroy(&place.path, place.options()).unwrap();
    let store = open(&place, Durability::Power);
    store.append(&events_at([5])).unwrap();
    assert_eq!(place.names("0-0.estore"), ["0-0.estore"]);
    drop(reader);
    assert_eq!(place.names("0-0.estore"), ["0-0.estore"], "the log of the new store is gone");
}

#[test]
fn what_a_destroyed_store_had_deleted_means_nothing_to_the_next_one() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101])).unwrap();
    let reader = store.read(..).unwrap();
    store.delete_before(100).unwrap();
    store.close().unwrap();
    drop(store);
    Store::destroy(&place.path, place.options()).unwrap();
    let store = open(&place, Durability::Power);
    store.append(&events_at([205])).unwrap();
    store.close().unwrap();
    let store = open(&place, Durability::Power);
    let r: Vec<_> = store.read(..).unwrap().collect();
    eprintln!("{r:?} {:?}", store.count(..));
    drop(reader);
    assert_eq!(r.len(), 1);
    assert_eq!(store.count(..).unwrap(), 1);
}

#[test]
fn a_lone_event_far_ahead_does_not_confirm_itself_in_recovery() {
    for crash in [false, true] {
        let place = Place::simulated(1);
        let o = |p: &Place| p.options().file_size(1_000_000).grace(10).durability(Durability::Process);
        let store = Store::open(&place.path, o(&place)).unwrap();
        store.append(&events_at([100])).unwrap();
        store.append(&events_at([101])).unwrap();
        store.append(&events_at([9000])).unwrap();
        if crash {
            place.crash(Crash::KeepAll);
        } else {
            store.close().unwrap();
        }
        drop(store);
        let store = Store::open(&place.path, o(&place)).unwrap();
        store.append(&events_at([105])).unwrap();
        assert_eq!(store.stats().unwrap().late_events, 0, "crash {crash}: one lone event moved the watermark");
    }
}

#[test]
fn a_full_disk_that_the_journal_meets_does_not_stop_the_writer() {
    let place = Place::simulated(1);
    let o = |p: &Place| options(p, Durability::Process).max_open_logs(1);
    let store = Store::open(&place.path, o(&place)).unwrap();
    // the journal's 64 KiB: 512 records; each append to another chunk makes an Active and an Idle
    let mut failed = 0;
    for i in 0..600u64 {
        // whenever the journal asks for room, the disk is full for a moment
        place.sim().clear_faults();
        fail(&place, Call::Reserve, "journal", 0, FaultEffect::Errno(libc::ENOSPC), true);
        match store.append(&events_at([(i % 2) * 100])) {
            Ok(_) => {}
            Err(e) => {
                eprintln!("{i}: {e:?}");
                failed += 1;
                place.sim().clear_faults(); // space again
                store.append(&events_at([(i % 2) * 100])).expect("appends go on once there is space");
            }
        }
    }
    eprintln!("failed {failed}");
}

#[test]
fn a_journal_that_cannot_be_shortened_stays_long() {
    let place = Place::simulated(1);
    let o = |p: &Place| options(p, Durability::Process).max_open_logs(1);
    let store = Store::open(&place.path, o(&place)).unwrap();
    fail(&place, Call::Open, "journal.new", 0, FaultEffect::Errno(libc::ENOSPC), true);
    for i in 0..1200u64 {
        if let Err(e) = store.append(&events_at([(i % 2) * 100])) {
            place.sim().clear_faults();
            panic!("append {i}: {e:?}; then {:?}", store.append(&events_at([1])));
        }
    }
}

#[test]
fn no_space_for_the_folders_sync_never_costs_a_horizon() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    for i in 0..5 {
        store.append(&events_at([100 * i])).unwrap();
    }
    store.sync().unwrap();
    place.crash(Crash::KeepAll); // journal has several records
    drop(store);
    for at in 0..4 {
        let place2 = place.sim().fork(at);
        place2.inject(Fault { at, calls: Some(Call::SyncFolder), name: None, effect: FaultEffect::Errno(libc::ENOSPC), forever: false });
        let o = || {
            Options::new()
                .disk(std::sync::Arc::new(place2.session()))
                .background(false)
                .durability(Durability::Power)
                .log(|l, m| eprintln!("  [{l:?}] {m}"))
        };
        let store = match Store::open(&place.path, o()) {
            Ok(s) => s,
            Err(e) => {
                eprintln!("{at}: open {e}");
                continue;
            }
        };
        place2.clear_faults();
        store.delete_before(50).unwrap();
        store.append(&events_at([460, 777])).unwrap();
        assert!(store.count(..).unwrap() == 6);
        place2.power_off();
        place2.power_on(Crash::KeepAll);
        drop(store);
        let store = Store::open(&place.path, o()).unwrap();
        let t = times(&all(&store));
        eprintln!("{at}: {t:?} horizon {}", store.stats().unwrap().horizon);
        assert_eq!(t, [100, 200, 300, 400, 460, 777], "at {at}");
    }
}

#[test]
fn a_new_journal_that_does_not_open_is_not_taken_for_the_old_one() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101, 201])).unwrap();
    store.close().unwrap();
    drop(store);
    // Opening reads the journal, and opens it once more when another has taken its place.
    for at in 0..3 {
        let copy = Place::simulated(0);
        for (name, bytes) in place.contents() {
            copy.sim().put(copy.path.join(name), &bytes).unwrap();
        }
        fail(&copy, Call::Open, "journal", at, FaultEffect::Errno(libc::ENOSPC), false);
        let opened = Store::open(&copy.path, options(&copy, Durability::Process));
        copy.sim().clear_faults();
        let mut horizon = 0;
        if let Ok(store) = &opened {
            horizon = 100;
            store.delete_before(horizon).unwrap();
        }
        copy.crash(Crash::KeepAll);
        drop(opened);
        let store = open(&copy, Durability::Process);
        assert_eq!(store.stats().unwrap().horizon, horizon, "at {at}");
        assert_eq!(times(&all(&store)).len(), if horizon > 0 { 2 } else { 3 }, "at {at}");
    }
}

#[test]
fn a_reader_from_before_a_failed_write_goes_on_after_reopening() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101])).unwrap();
    let mut reader = store.read(..).unwrap();
    fail(&place, Call::Write, "1-0.estore", 0, FaultEffect::Errno(libc::EIO), false);
    assert!(store.append(&[event(2, 0, vec![7; 1000]), event(102, 0, "x")]).is_err());
    drop(store);
    let store = open(&place, Durability::Process);
    store.append(&[event(3, 0, vec![7; 3000])]).unwrap();
    let r: Vec<_> = reader.by_ref().collect();
    assert!(r.iter().all(Result::is_ok), "{r:?}");
    assert_eq!(r.len(), 2);
}

#[test]
fn an_active_log_that_is_missing_below_the_durable_mark_is_damage() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([101])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([201])).unwrap();
    store.sync().unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    place.sim().remove("/store/0-0.estore");
    eprintln!("opening without 0-0");
    let store = open(&place, Durability::Process);
    let r: Vec<_> = store.read(..).unwrap().collect();
    assert!(r.iter().any(Result::is_err), "durable events are gone and nobody says so: {r:?}");
}

#[test]
fn files_of_deleted_chunks_go_with_the_last_reader() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 101])).unwrap();
    let reader = store.read(..).unwrap();
    store.delete_before(100).unwrap();
    assert_eq!(drain(reader).len(), 2); // dropped
    assert!(place.names("0-0.estore").is_empty(), "the last reader is gone");
}

#[test]
fn append_if_absent_beside_damage_says_so() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Power);
    store.append(&events_at([50])).unwrap();
    store.append(&events_at([10])).unwrap();
    store.append(&events_at([12])).unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    let mut bytes = place.file("0-0.estore");
    bytes[64 + 40] ^= 1; // header of the first frame
    place.sim().put("/store/0-0.estore", &bytes).unwrap();
    let store = open(&place, Durability::Power);
    eprintln!("{:?}", store.append_absent(&events_at([11])));
    eprintln!("{:?}", store.append_absent(&events_at([50])));
    assert!(store.append_absent(&events_at([50])).is_err());
}

#[test]
fn the_name_of_the_folder_is_durable_whoever_made_it() {
    let place = Place::simulated(1);
    let o = |p: &Place| p.options().file_size(100).durability(Durability::Power);
    place.sim().inject(Fault { at: 0, calls: Some(Call::SyncFolder), name: None, effect: FaultEffect::Errno(libc::EIO), forever: false });
    assert!(Store::open(&place.path, o(&place)).is_err());
    let store = Store::open(&place.path, o(&place)).unwrap();
    store.append(&events_at([1])).unwrap();
    assert_eq!(store.durable_seq(), 1);
    place.crash(Crash::LoseAll);
    drop(store);
    assert!(Store::open(&place.path, o(&place).mode(estore::Mode::Existing)).is_ok(), "the whole store is gone");
}

#[test]
fn recovery_that_was_killed_is_done_again() {
    let place = Place::simulated(1);
    let o = |p: &Place| p.options().file_size(100).durability(Durability::Process).max_open_logs(1);
    let store = Store::open(&place.path, o(&place)).unwrap();
    store.append(&events_at([1])).unwrap();
    store.append(&events_at([101])).unwrap(); // retires chunk 0: idle
    store.sync().unwrap();
    // one batch over both chunks; the power goes before its END: chunk 0 is parked, so synced; its Active record is not
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Write),
        name: Some("1-0.estore".into()),
        effect: FaultEffect::Crash,
        forever: false,
    });
    assert!(store.append(&events_at([2, 102])).is_err());
    place.sim().power_on(Crash::LoseAll);
    drop(store);
    eprintln!("0-0 has {} bytes", place.file("0-0.estore").len());
    // recovery cuts it; its sync fails, or the process is killed there
    place.sim().clear_faults();
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Sync),
        name: Some("0-0.estore".into()),
        effect: FaultEffect::Errno(libc::EIO),
        forever: false,
    });
    let r = Store::open(&place.path, o(&place));
    eprintln!("{:?}", r.err());
    let store = Store::open(&place.path, o(&place)).unwrap();
    assert_eq!(times(&drain(store.read(..).unwrap())), [1, 101]);
    store.append(&events_at([103])).unwrap();
    store.close().unwrap(); // all is durable now
    drop(store);
    place.crash(Crash::LoseAll);
    let store = Store::open(&place.path, o(&place)).unwrap();
    eprintln!("{:?}", times(&drain(store.read(..).unwrap())));
    store.append(&events_at([3])).unwrap();
    eprintln!("{:?}", times(&drain(store.read(..).unwrap())));
    // not closed: the next opening looks at the lengths of idle logs
    place.crash(Crash::KeepAll);
    drop(store);
    let store = Store::open(&place.path, o(&place)).unwrap();
    let t = times(&drain(store.read(..).unwrap()));
    assert!(t == [1, 3, 101, 103], "half of a batch came back: {t:?}");
}

#[test]
fn what_recovery_cut_off_does_not_come_back() {
    let place = Place::simulated(1);
    let o = |p: &Place| p.options().file_size(100).durability(Durability::Process).max_open_logs(1);
    let store = Store::open(&place.path, o(&place)).unwrap();
    store.append(&events_at([1])).unwrap();
    store.append(&events_at([101])).unwrap();
    store.sync().unwrap();
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Write),
        name: Some("1-0.estore".into()),
        effect: FaultEffect::Crash,
        forever: false,
    });
    assert!(store.append(&events_at([2, 102])).is_err());
    place.sim().power_on(Crash::LoseAll);
    drop(store);
    place.sim().clear_faults();
    place.sim().inject(Fault {
        at: 0,
        calls: Some(Call::Sync),
        name: Some("0-0.estore".into()),
        effect: FaultEffect::Errno(libc::EIO),
        forever: false,
    });
    let r = Store::open(&place.path, o(&place));
    eprintln!("{:?}", r.err());
    let store = Store::open(&place.path, o(&place)).unwrap();
    assert_eq!(times(&drain(store.read(..).unwrap())), [1, 101]);
    store.append(&events_at([103])).unwrap();
    store.sync().unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    let store = Store::open(&place.path, o(&place)).unwrap();
    let t = times(&drain(store.read(..).unwrap()));
    assert!(t == [1, 101, 103], "half of a batch came back: {t:?}");
}

#[test]
fn a_destroy_that_loss_of_power_cut_short_can_be_repeated_or_is_done() {
    for (at, seed) in (0..).flat_map(|at| (0..20).map(move |seed| (at, seed))) {
        let place = Place::simulated(seed);
        let store = open(&place, Durability::Process);
        store.append(&events_at([1, 101])).unwrap();
        store.close().unwrap();
        drop(store);
        place.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
        let _ = Store::destroy(&place.path, place.options());
        if place.sim().faults_hit() == 0 {
            assert!(at > 10, "destroying is more than {at} calls");
            return;
        }
        place.sim().clear_faults();
        place.sim().power_on(Crash::Random);
        match Store::destroy(&place.path, place.options()) {
            Ok(()) | Err(Error::NotFound { .. } | Error::NotAStore { .. }) => {}
            Err(e) => panic!("call {at}, seed {seed}: {e:?}"),
        }
        let store =
            Store::open(&place.path, options(&place, Durability::Process)).unwrap_or_else(|e| panic!("call {at}, seed {seed}: {e:?}"));
        assert_eq!(store.count(..).unwrap(), 0);
    }
}

#[test]
fn a_new_log_that_got_no_room_is_gone_again() {
    let place = Place::simulated(1);
    let store = open(&place, Durability::Process);
    store.append(&events_at([1, 2, 3])).unwrap();
    let go_on = |_| ControlFlow::Continue(());
    store.compact(.., go_on).unwrap();
    // Appends go on in the chunk that took the last one, in a new log.
    fail(&place, Call::Reserve, "0-2.estore", 0, FaultEffect::Errno(libc::EIO), false);
    assert_error!(store.append(&events_at([4, 5])), Error::Io { .. });
    assert_eq!(place.names(".estore"), ["0-1.estore"]);
    store.close().unwrap();
    let store = open(&place, Durability::Process);
    store.verify(|finding| panic!("{finding:?}")).unwrap();
    store.append(&events_at([4, 5])).unwrap();
    store.compact(.., go_on).unwrap();
    assert_eq!(times(&all(&store)), [1, 2, 3, 4, 5]);
}
