//! Recovery: what the journal and the folder may look like after loss of power, and what must come of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashSet;
use std::ops::ControlFlow;

use common::place::Place;
use common::rng::Rng;
use common::{drain, event, events_at, times};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Durability, Event, Mode, Options, ReadOptions, Store};

fn options(place: &Place) -> Options {
    place.options().file_size(100).grace(10).durability(Durability::Process).max_open_logs(2)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).expect("the store opens")
}

fn all(store: &Store) -> Vec<u64> {
    times(&drain(store.read(..).expect("a reader opens")))
}

/// Loss of power took the first of the journal's records that were not synced, but not those behind it.
fn tear_the_journal(place: &Place, before: &[u8]) {
    let mut journal = place.file("journal");
    let first = before.iter().zip(&journal).position(|(a, b)| a != b).unwrap_or(before.len().min(journal.len()));
    let end = (first + 100).min(journal.len());
    journal[first..end].fill(0);
    place.put_file("journal", &journal);
}

#[test]
fn the_horizon_outlives_a_journal_whose_unsynced_records_were_written_out_of_order() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 120, 180, 250])).unwrap();
    store.sync().unwrap();
    store.delete_before(150).unwrap();
    store.append(&events_at([251])).unwrap();
    store.sync().unwrap();
    let before = place.file("journal");
    for chunk in 3..9 {
        store.append(&events_at([chunk * 100])).unwrap();
    }
    place.crash(Crash::KeepAll);
    tear_the_journal(&place, &before);
    let store = open(&place);
    let got = all(&store);
    assert_eq!(got[..3], [180, 250, 251], "all that was synced, nothing that was deleted: {got:?}");
    assert_eq!(store.stats().unwrap().horizon, 150);
}

#[test]
fn seqs_are_not_given_again_though_the_journal_was_torn() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.sync().unwrap();
    let before = place.file("journal");
    let mut last = 0;
    for chunk in 0..6 {
        last = store.append(&events_at([chunk * 100])).unwrap();
    }
    place.crash(Crash::KeepAll);
    // Records at the end of the journal made it to the disk, the first of them and all logs did not.
    tear_the_journal(&place, &before);
    for name in place.names(".estore") {
        place.sim().remove(place.path.join(name));
    }
    let store = open(&place);
    assert_eq!(all(&store), []);
    assert!(store.append(&events_at([5])).unwrap() > last, "seqs up to {last} were given before");
}

#[test]
fn events_that_one_recovery_did_not_find_no_later_one_brings_back() {
    for seed in 0..150 {
        let place = Place::simulated(seed);
        let store = open(&place);
        store.append(&events_at((0..8).map(|chunk| chunk * 100))).unwrap();
        store.append(&events_at([1, 301])).unwrap();
        place.crash(if seed % 2 == 0 { Crash::LoseAll } else { Crash::Random });
        let store = open(&place);
        let left = all(&store);
        store.append(&events_at((10..14).map(|chunk| chunk * 100))).unwrap();
        place.crash(Crash::Random);
        let store = open(&place);
        let later: Vec<u64> = all(&store).into_iter().filter(|time| *time < 1000).collect();
        assert_eq!(later, left, "seed {seed}");
    }
}

#[test]
fn whatever_loss_of_power_leaves_can_be_read_to_the_end_and_has_what_was_synced() {
    for seed in 0..400 {
        let place = Place::simulated(seed);
        let store = open(&place);
        store.append(&events_at((0..5).map(|chunk| chunk * 100 + 7))).unwrap();
        store.sync().unwrap();
        store.delete_before(150).unwrap();
        // Chunks in turn: logs are made, retired, made again, and none of it is synced.
        for i in 0..8 {
            store.append(&events_at([200 + (i % 4) * 100 + i, 900 + i * 100])).unwrap();
        }
        place.crash(Crash::Random);
        for _ in 0..2 {
            let store = open(&place);
            let got = all(&store);
            assert!([207, 307, 407].iter().all(|time| got.contains(time)), "seed {seed}: {got:?}");
            assert!(got.first().is_some_and(|time| *time >= 150), "seed {seed}: {got:?}");
            assert_eq!(store.count(..).unwrap(), got.len() as u64);
            assert_eq!(store.stats().unwrap().damaged, 0, "seed {seed}: what was never durable is no damage");
            store.close().unwrap();
        }
    }
}

#[test]
fn loss_of_power_during_recovery_is_recovered_from() {
    for seed in 0..12 {
        let place = Place::simulated(seed);
        let store = open(&place);
        store.append(&events_at((0..5).map(|chunk| chunk * 100 + 7))).unwrap();
        store.sync().unwrap();
        for i in 0..6 {
            store.append(&events_at([i * 100 + i, 900 + i * 100])).unwrap();
        }
        place.crash(Crash::Random);
        for at in 0.. {
            let copy = place.sim().fork(at);
            copy.inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
            let outcome = Store::open(&place.path, options(&place).disk(std::sync::Arc::new(copy.session())));
            if copy.faults_hit() == 0 {
                assert!(outcome.is_ok(), "seed {seed}, undisturbed");
                break;
            }
            drop(outcome);
            copy.clear_faults();
            copy.power_on(Crash::Random);
            let store =
                Store::open(&place.path, options(&place).disk(std::sync::Arc::new(copy.session()))).expect("the second recovery works");
            let got = all(&store);
            assert!([7, 107, 207, 307, 407].iter().all(|time| got.contains(time)), "seed {seed}, power lost at call {at}: {got:?}");
        }
    }
}

#[test]
fn a_lost_journal_is_made_anew_from_the_logs() {
    for remove in [true, false] {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at([5, 120, 180, 250, 90])).unwrap();
        store.append(&events_at([6, 121, 951])).unwrap();
        let last = store.last_seq();
        store.close().unwrap();
        if remove {
            place.sim().remove(place.path.join("journal"));
        } else {
            place.put_file("journal", b"nonsense");
        }
        for round in 0..2 {
            let store = open(&place);
            assert_eq!(all(&store)[..8], [5, 6, 90, 120, 121, 180, 250, 951]);
            assert!(store.append(&events_at([2000 + round])).unwrap() > last);
        }
    }
}

#[test]
fn a_call_that_fails_while_opening_leaves_a_store_that_opens() {
    for at in 0.. {
        let place = Place::simulated(at);
        let store = open(&place);
        store.append(&events_at([5, 120, 180, 250])).unwrap();
        store.sync().unwrap();
        store.append(&events_at([6, 121, 951])).unwrap();
        place.crash(Crash::KeepAll);
        place.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Errno(libc::EIO), forever: false });
        let opened = Store::open(&place.path, options(&place));
        let undisturbed = place.sim().faults_hit() == 0;
        place.sim().clear_faults();
        drop(opened);
        assert_eq!(all(&open(&place)), [5, 6, 120, 121, 180, 250, 951], "call {at} failed");
        if undisturbed {
            assert!(at > 10, "opening is more than {at} calls");
            break;
        }
    }
    let writes = Fault { at: 0, calls: Some(Call::Write), name: None, effect: FaultEffect::WriteThenErrno(libc::EIO), forever: true };
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 120])).unwrap();
    place.crash(Crash::KeepAll);
    place.sim().inject(writes);
    assert!(Store::open(&place.path, options(&place)).is_err());
    place.sim().clear_faults();
    assert_eq!(all(&open(&place)), [5, 120]);
}

#[test]
fn a_torn_tail_that_could_not_be_cut_on_a_full_disk_is_no_damage_later() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1])).unwrap();
    store.sync().unwrap();
    store.append(&[event(2, 0, vec![7; 5_000])]).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    let path = place.path.join("0-0.estore");
    let mut bytes = place.sim().dump(&path).unwrap();
    let body = bytes.iter().rposition(|&byte| byte == 7).unwrap();
    bytes[body] ^= 1;
    place.sim().put(&path, &bytes).unwrap();

    place.sim().set_capacity(Some(place.sim().used()));
    let store = open(&place);
    assert_eq!(all(&store), [1]);
    assert!(place.names(".cut").is_empty(), "there was no space for keeping the torn bytes aside");
    place.sim().set_capacity(None);
    // With a seq above that of the torn frame, durable, and known to be.
    store.append(&events_at([3])).unwrap();
    store.sync().unwrap();
    store.append(&events_at([4])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    let store = open(&place);
    assert_eq!(all(&store), [1, 3, 4]);
    assert_eq!(store.stats().unwrap().damaged, 0);
}

#[test]
fn a_store_copied_while_it_is_written_has_what_was_there_when_the_copy_began() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        // Where logs are closed for others meanwhile, the journal may be copied later than they, and call them shorter than it knows.
        let chunks_roll = rng.one_in(2);
        let place = Place::simulated(seed);
        let options = |place: &Place| if chunks_roll { options(place) } else { options(place).file_size(1 << 40) };
        let store = Store::open(&place.path, options(&place)).unwrap();
        let mut now = 1000;
        let mut id = 0;
        // In order, late, over several chunks.
        let mut append = |rng: &mut Rng| {
            let batch: Vec<Event> = (0..1 + rng.below(5))
                .map(|_| {
                    (now, id) = (now + rng.below(30), id + 1);
                    event(now - if rng.one_in(3) { rng.below(500) } else { 0 }, id, rng.bytes(20))
                })
                .collect();
            store.append(&batch).unwrap();
            if rng.one_in(5) {
                store.sync().unwrap();
            }
            batch
        };
        let before: Vec<Event> = (0..20).flat_map(|_| append(&mut rng)).collect();
        let mut after = Vec::new();
        let mut names = place.names("");
        rng.shuffle(&mut names);
        let copy = Place::simulated(seed);
        for name in names {
            copy.sim().put(copy.path.join(&name), &place.file(&name)).unwrap();
            (0..rng.below(4)).for_each(|_| after.extend(append(&mut rng)));
        }
        let store = Store::open(&copy.path, options(&copy)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
        let got: HashSet<_> = common::identities(&common::drain_batches(&mut reader, 100)).into_iter().collect();
        let all: HashSet<_> = common::identities(&[before.clone(), after].concat()).into_iter().collect();
        assert!(got.is_subset(&all), "seed {seed}: events that were not appended");
        assert!(common::identities(&before).iter().all(|event| got.contains(event)), "seed {seed}: what was there before is missing");
        assert!(chunks_roll || reader.gaps().is_empty(), "seed {seed}: {:?}", reader.gaps());
        if reader.gaps().is_empty() {
            assert_eq!(store.count(..).unwrap(), got.len() as u64, "seed {seed}");
        }
        store.append(&events_at([5000])).unwrap();
        store.close().unwrap();
    }
}

/// Compacts everything, whatever comes of it.
fn compact(store: &Store) -> bool {
    store.compact(.., |_| ControlFlow::Continue(())).is_ok()
}

/// Files of this name can't be removed for now.
fn keep_file(place: &Place, name: &str) {
    let effect = FaultEffect::Errno(libc::EIO);
    place.sim().inject(Fault { at: 0, calls: Some(Call::RemoveFile), name: Some(name.into()), effect, forever: true });
}

/// The journal is lost, or there is one from earlier in its place. The store must have the times 1 to 5, now and once it was compacted.
fn all_is_there_without_the_journal(place: &Place, older: Option<&[u8]>, doing: &str) {
    place.sim().clear_faults();
    match older {
        Some(older) => place.put_file("journal", older),
        None => place.disk.remove_file(&place.path.join("journal")).unwrap(),
    }
    let read_only = Store::open(&place.path, options(place).mode(Mode::ReadOnly)).unwrap();
    assert_eq!(all(&read_only), [1, 2, 3, 4, 5], "{doing}, beside: {:?}", place.names(".estore"));
    for _ in 0..2 {
        let store = open(place);
        assert_eq!(all(&store), [1, 2, 3, 4, 5], "{doing}: {:?}", place.names(".estore"));
        assert!(compact(&store));
        assert_eq!(all(&store), [1, 2, 3, 4, 5], "{doing}, compacted: {:?}", place.names(".estore"));
        store.close().unwrap();
    }
}

/// Without the journal, or with one from earlier, only the logs tell what compaction has made of which. Removing one of them had failed, or the
/// process had died before.
#[test]
fn of_logs_that_compaction_left_those_count_that_hold_all() {
    // The order in which the folder lists them depends on the seed.
    for seed in 0..12 {
        for (kept, is_older) in [("0-0.estore", true), ("0-1.estore", true), ("0-0.estore", false), ("0-1.estore", false)] {
            let place = Place::simulated(seed);
            let store = open(&place);
            store.append(&events_at([1, 2, 3])).unwrap();
            store.close().unwrap();
            let older = place.file("journal");
            let store = open(&place);
            keep_file(&place, kept);
            assert!(compact(&store));
            store.append(&events_at([4, 5])).unwrap();
            assert!(compact(&store));
            store.close().unwrap();
            all_is_there_without_the_journal(&place, is_older.then_some(older.as_slice()), &format!("seed {seed}, {kept} left"));
        }
        let place = Place::simulated(seed);
        let store = open(&place);
        store.append(&events_at([1, 2, 3])).unwrap();
        assert!(compact(&store));
        store.append(&events_at([4, 5])).unwrap();
        let name = Some("0-1.estore".into());
        place.sim().inject(Fault { at: 0, calls: Some(Call::RemoveFile), name, effect: FaultEffect::Crash, forever: false });
        compact(&store);
        assert!(!place.sim().is_powered());
        place.sim().power_on(Crash::KeepAll);
        drop(store);
        all_is_there_without_the_journal(&place, None, &format!("seed {seed}, died"));
    }
}

#[test]
fn a_compaction_that_was_given_up_replaces_no_log_that_went_on() {
    for is_lost in [true, false] {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at([1, 2, 3])).unwrap();
        store.sync().unwrap();
        // The new log gets its name, and then the compaction fails; its file can't be removed just then.
        let effect = FaultEffect::Errno(libc::ENOSPC);
        place.sim().inject(Fault { at: 0, calls: Some(Call::SyncFolder), name: None, effect, forever: false });
        keep_file(&place, "0-1.estore");
        assert!(!compact(&store));
        place.sim().clear_faults();
        drop(store);
        let store = open(&place);
        let older = place.file("journal");
        store.append(&events_at([4, 5])).unwrap();
        store.close().unwrap();
        all_is_there_without_the_journal(&place, (!is_lost).then_some(older.as_slice()), "given up");
    }
}
