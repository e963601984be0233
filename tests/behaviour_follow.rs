//! A handle that only reads follows the writer: each read shows what the writer, in another process, has written by then, without opening again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use common::handle::Handle;
use common::place::{Place, read_file, write_file};
use common::rng::Rng;
use common::{assert_ordered, drain, drain_batches, event, events_at, times};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Event, Mode, Options, ReadOptions, Sizes, Store, Tailed};

fn options(place: &Place) -> Options {
    place.options().file_size(1000).grace(10).durability(Durability::Process)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).expect("the store opens")
}

fn beside(place: &Place) -> Store {
    Store::open(&place.path, options(place).mode(Mode::ReadOnly)).expect("a store opens beside its writer")
}

fn all(store: &Store) -> Vec<Event> {
    let events = drain(store.read(..).expect("a reader opens"));
    assert_ordered(&events);
    assert_eq!(store.count(..).unwrap(), events.len() as u64);
    events
}

fn assert_same(writer: &Store, beside: &Store) {
    assert_eq!(all(beside), all(writer));
    let (here, there) = (writer.stats().unwrap(), beside.stats().unwrap());
    assert_eq!((there.events, there.chunks, there.oldest, there.newest), (here.events, here.chunks, here.oldest, here.newest));
    assert_eq!((there.last_seq, there.horizon, there.late_events), (here.last_seq, here.horizon, here.late_events));
    assert_eq!(beside.last_seq(), writer.last_seq());
    let verified = beside.verify(|_| ControlFlow::Continue(())).unwrap();
    assert_eq!((verified.damaged, verified.derived), (0, 0));
}

#[test]
fn appends_and_new_chunks_are_seen() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        assert_same(&store, &beside);
        for batch in [&[5, 6][..], &[7], &[3, 1500, 8], &[1501], &[2], &[9000, 10, 4000]] {
            store.append(&events_at(batch.iter().copied())).unwrap();
            assert_same(&store, &beside);
            assert_same(&store, &beside);
        }
    }
}

#[test]
fn last_seq_and_durable_seq_are_those_of_the_writer() {
    let place = Place::simulated(1);
    let store = open(&place);
    let beside = beside(&place);
    let seq = store.append(&events_at([5, 6])).unwrap();
    assert_eq!(beside.last_seq(), seq);
    assert!(beside.durable_seq() < seq);
    store.sync().unwrap();
    store.append(&events_at([7])).unwrap();
    assert_eq!((beside.durable_seq(), beside.last_seq()), (seq, seq + 1));
}

#[test]
fn open_readers_show_what_they_showed() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 6, 1500])).unwrap();
    let beside = beside(&place);
    let untouched = beside.read(..).unwrap();
    let mut begun = beside.read_with(.., ReadOptions::new().reverse()).unwrap();
    assert_eq!(begun.next().unwrap().unwrap().time, 1500);
    store.append(&events_at([4, 7, 1400, 1600, 2500])).unwrap();
    assert_eq!(all(&beside).len(), 8);
    assert_eq!(times(&drain(untouched)), [5, 6, 1500]);
    assert_eq!(times(&drain(begun)), [6, 5]);
}

#[test]
fn closing_and_opening_of_the_writer_is_followed() {
    let place = Place::simulated(1);
    let store = open(&place);
    let beside = beside(&place);
    store.append(&events_at([5, 1500])).unwrap();
    store.close().unwrap();
    assert_eq!(times(&all(&beside)), [5, 1500]);
    for round in 0..4 {
        let store = open(&place);
        assert_same(&store, &beside);
        store.append(&events_at([6 + round, 3000 + round])).unwrap();
        assert_same(&store, &beside);
        if round % 2 == 0 {
            store.close().unwrap();
        }
        drop(store);
        assert_eq!(all(&beside).len(), 4 + 2 * round as usize);
    }
}

#[test]
fn compaction_is_followed() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let mut rng = Rng::new(1);
        let beside = beside(&place);
        for _ in 0..5 {
            let batch: Vec<Event> = (0..200).map(|i| event(rng.below(3000), i, rng.bytes(20))).collect();
            store.append(&batch).unwrap();
            let untouched = beside.read(..).unwrap();
            let shown = all(&beside);
            store.compact(rng.below(1500)..3000, |_| ControlFlow::Continue(())).unwrap();
            store.append(&events_at([500, 1500])).unwrap();
            assert_same(&store, &beside);
            assert_eq!(drain(untouched), shown);
        }
    }
}

#[test]
fn deleting_is_followed() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        store.append(&events_at([5, 500, 1500, 2500, 3500])).unwrap();
        assert_eq!(all(&beside).len(), 5);
        let mut begun = beside.read(..).unwrap();
        assert_eq!(begun.next().unwrap().unwrap().time, 5);
        store.delete_before(2100).unwrap();
        assert_same(&store, &beside);
        store.append(&events_at([2600, 4000])).unwrap();
        assert_same(&store, &beside);
        // What it has not come to yet it may miss, with an error that says so.
        assert_eq!(begun.next().unwrap().unwrap().time, 500);
        match begun.next().unwrap() {
            Ok(event) => assert_eq!(event.time, 1500),
            Err(e) => assert!(matches!(e, Error::Gone { .. }), "{e}"),
        }
    }
}

#[test]
fn a_batch_that_is_not_finished_is_not_shown() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 1500])).unwrap();
    let beside = beside(&place);
    assert_eq!(all(&beside).len(), 2);
    // It reaches the first of its two logs.
    let effect = FaultEffect::Errno(libc::EIO);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Write), name: Some("1-0.estore".into()), effect, forever: true });
    assert_error!(store.append(&events_at([6, 1600])), Error::OutcomeUnknown { .. });
    assert_eq!(times(&all(&beside)), [5, 1500]);
    place.sim().clear_faults();
    drop(store);
    let store = open(&place);
    store.append(&events_at([7, 1700])).unwrap();
    assert_same(&store, &beside);
    assert_eq!(times(&all(&beside)), [5, 7, 1500, 1700]);
}

#[test]
fn what_the_buffer_holds_is_seen_once_it_is_handed_over() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place).durability(Durability::Buffered)).unwrap();
    let beside = beside(&place);
    store.append(&events_at([5])).unwrap();
    assert_eq!(all(&beside).len(), 0);
    store.sync().unwrap();
    assert_eq!(all(&beside).len(), 1);
}

#[test]
fn an_efile_is_followed_too() {
    let place = Place::simulated(1);
    let options = || place.options().durability(Durability::Process);
    let file = Efile::open(&place.path, options()).unwrap();
    let beside = Efile::open(&place.path, options().mode(Mode::ReadOnly)).unwrap();
    for time in [50, 40, 60] {
        file.append(&events_at([time])).unwrap();
        assert_eq!(drain(beside.read(..).unwrap()), drain(file.read(..).unwrap()));
    }
}

#[test]
fn without_news_hardly_anything_is_asked_of_the_disk() {
    let place = Place::simulated(1);
    let store = open(&place);
    for chunk in 0..30 {
        store.append(&events_at([chunk * 1000, chunk * 1000 + 1])).unwrap();
    }
    let beside = beside(&place);
    assert_eq!(beside.count(..).unwrap(), 60);
    let calls = |what: &dyn Fn()| {
        let before = place.sim().calls();
        what();
        place.sim().calls() - before
    };
    // One look at the journal's name, one behind its records, one behind each log that may grow.
    let idle = calls(&|| assert_eq!(beside.count(..).unwrap(), 60));
    assert!(idle <= 2 + 2 * 30, "{idle} calls of the disk");
    store.close().unwrap();
    assert_eq!(beside.count(..).unwrap(), 60);
    let closed = calls(&|| assert_eq!(beside.count(..).unwrap(), 60));
    assert!(closed <= 2, "{closed} calls of the disk");
}

/// The recon runs that the writer makes are used, so that late events stay few to look at.
#[test]
fn late_events_that_were_put_into_runs_are_read_from_them() {
    let place = Place::simulated(1);
    let sizes = Sizes { pending_bytes: 2000, run_frame_bytes: 300, ..Sizes::default() };
    let store = Store::open(&place.path, options(&place).sizes(sizes)).unwrap();
    store.append(&events_at([900, 901])).unwrap();
    let options = options(&place).mode(Mode::ReadOnly).sizes(sizes);
    let beside = Store::open(&place.path, options).unwrap();
    let mut rng = Rng::new(1);
    for _ in 0..300 {
        store.append(&[event(rng.below(800), 1, vec![1; 100])]).unwrap();
        assert_eq!(beside.count(100..=200).unwrap(), store.count(100..=200).unwrap());
    }
    assert_same(&store, &beside);
    let bytes = |store: &Store| {
        place.sim().reset_counters();
        drain(store.read(100..=110).unwrap());
        place.sim().counters().read_bytes
    };
    let (here, there) = (bytes(&store), bytes(&beside));
    // More by what it looks at for news, and no more.
    assert!(there <= here + (70 << 10), "{there} bytes are read for a window, {here} by the writer");
}

#[test]
fn a_store_that_is_destroyed_or_another_one_is_a_clear_end() {
    for again in [false, true] {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at([5, 6])).unwrap();
        store.close().unwrap();
        drop(store);
        let beside = beside(&place);
        assert_eq!(all(&beside).len(), 2);
        Store::destroy(&place.path, options(&place)).unwrap();
        if again {
            open(&place).append(&events_at([7])).unwrap();
        }
        assert_error!(beside.read(..), Error::Gone { .. });
        assert_error!(beside.count(..), Error::Gone { .. });
    }
}

#[test]
fn damage_in_what_is_new_is_an_error() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 6])).unwrap();
    let beside = beside(&place);
    assert_eq!(all(&beside).len(), 2);
    store.append(&events_at([7])).unwrap();
    store.append(&events_at([8])).unwrap();
    store.close().unwrap();
    let mut log = place.file("0-0.estore");
    let last = *common::frames(&log).last().unwrap();
    log[last + 64] ^= 1;
    // In place, as a disk does it.
    place.sim().put(place.path.join("0-0.estore"), &log).unwrap();
    let mut reader = beside.read(..).unwrap();
    assert_eq!(reader.by_ref().take(3).map(|event| event.unwrap().time).collect::<Vec<_>>(), [5, 6, 7]);
    assert!(matches!(reader.next(), Some(Err(Error::Corrupt { .. }))));
}

#[test]
fn a_look_that_fails_is_made_up_for_by_the_next() {
    for at in 0.. {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at([1, 1500])).unwrap();
        let beside = beside(&place);
        store.append(&events_at([2, 1600, 3])).unwrap();
        let effect = FaultEffect::Errno(libc::EIO);
        place.sim().inject(Fault { at, calls: None, name: None, effect, forever: true });
        let looked = beside.count(..);
        let hit = place.sim().faults_hit() > 0;
        place.sim().clear_faults();
        assert_eq!(beside.count(..).unwrap(), 5, "after a failure at call {at}: {looked:?}");
        if !hit {
            assert!(at > 5, "a look takes more calls");
            break;
        }
        assert!(!matches!(looked, Ok(count) if count != 5), "a look that failed in silence: {looked:?}");
    }
}

#[test]
fn nothing_is_written_and_no_lock_is_taken() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 6])).unwrap();
    let beside = beside(&place);
    store.append(&events_at([7, 1500])).unwrap();
    let before = place.contents();
    place.sim().set_read_only(true);
    assert_eq!(all(&beside).len(), 4);
    assert_eq!(place.contents(), before);
}

#[test]
fn followers_of_a_writer_that_crashed_see_what_recovery_keeps() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([5, 1500])).unwrap();
    store.append(&events_at([6])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    let beside = beside(&place);
    assert_eq!(times(&all(&beside)), [5, 6, 1500]);
    let store = open(&place);
    store.append(&events_at([7])).unwrap();
    assert_same(&store, &beside);
}

/// Any number of handles in threads of their own, beside a writer that does everything at once.
#[test]
fn followers_never_see_half_a_batch_whatever_the_writer_does() {
    let place = Place::real();
    let store = open(&place);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let handle = Handle::open(false, &place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
                let (mut seen, mut looks) = (0, 0);
                while !done.load(std::sync::atomic::Ordering::Relaxed) || looks == 0 {
                    let mut reader = handle.read_with(.., ReadOptions::new()).unwrap();
                    let events = drain_batches(&mut reader, 500);
                    assert_ordered(&events);
                    // Batches have five events each, over two chunks.
                    assert_eq!(events.len() % 5, 0, "{} events", events.len());
                    assert!(events.len() >= seen, "{} events after {seen}", events.len());
                    (seen, looks) = (events.len(), looks + 1);
                }
            });
        }
        let mut rng = Rng::new(7);
        for round in 0..400 {
            let time = rng.below(3000);
            store.append(&events_at([time, time + 1, time + 1000, time + 2, time + 1001])).unwrap();
            if round % 40 == 0 {
                store.compact(.., |_| ControlFlow::Continue(())).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// A store with 50 events, a snapshot of them beside it, and 50 more that the snapshot does not have.
fn with_snapshot(place: &Place) -> Store {
    let store = open(place);
    for i in 0..50 {
        store.append(&[event(i, 1, *b"old")]).unwrap();
    }
    store.snapshot(place.path.with_file_name("copy"), |_| ControlFlow::Continue(())).unwrap();
    for i in 50..100 {
        store.append(&[event(i, 1, *b"old")]).unwrap();
    }
    store
}

/// Puts a copy of the snapshot in the place of the store.
fn restore(place: &Place) {
    restore_to(place, &place.path);
}

fn restore_to(place: &Place, path: &Path) {
    for name in place.disk.list(path).unwrap() {
        place.disk.remove_file(&path.join(name)).unwrap();
    }
    place.disk.remove_folder(path).unwrap();
    place.disk.create_folder(path).unwrap();
    let copy = place.path.with_file_name("copy");
    for name in place.disk.list(&copy).unwrap() {
        write_file(&*place.disk, &path.join(&name), &read_file(&*place.disk, &copy.join(&name)));
    }
}

#[test]
fn a_store_that_was_restored_is_another_one_for_those_who_had_seen_more() {
    for sessions in 0..3 {
        for place in [Place::simulated(1), Place::real()] {
            let store = with_snapshot(&place);
            let beside = beside(&place);
            let mut tail = beside.tail(0).unwrap();
            while let Tailed::Events(_) = tail.next_batch(100).unwrap() {}
            assert_eq!((all(&beside).len(), tail.last_seq()), (100, 100));
            store.close().unwrap();
            restore(&place);
            for session in 0..sessions {
                let store = open(&place);
                for i in 0..70 {
                    store.append(&[event(100 * session + i, 1, *b"new")]).unwrap();
                }
                store.close().unwrap();
            }
            for _ in 0..2 {
                assert_error!(beside.count(..), Error::Gone { .. });
                assert_error!(beside.read(..), Error::Gone { .. });
                assert_error!(beside.tail(0), Error::Gone { .. });
                assert_error!(tail.next_batch(10), Error::Gone { .. });
                assert_error!(tail.wait(None), Error::Gone { .. });
            }
            let again = self::beside(&place);
            assert_eq!(all(&again).len() as u64, 50 + 70 * sessions);
        }
    }
}

/// Its files are others, though they hold the same.
#[test]
fn a_store_that_was_restored_is_another_one_for_those_who_had_seen_less() {
    for opened in [false, true] {
        let place = Place::simulated(1);
        let store = with_snapshot(&place);
        let beside = beside(&place);
        assert_eq!(all(&beside).len(), 100);
        store.append(&events_at([200])).unwrap();
        store.snapshot(place.path.with_file_name("copy"), |_| ControlFlow::Continue(())).unwrap();
        store.close().unwrap();
        restore(&place);
        if opened {
            open(&place).append(&events_at([300])).unwrap();
        }
        assert_error!(beside.count(..), Error::Gone { .. });
    }
}

#[test]
fn a_snapshot_that_becomes_a_later_one_is_followed() {
    let place = Place::simulated(1);
    let store = with_snapshot(&place);
    let copy = place.path.with_file_name("copy");
    let beside = Store::open(&copy, options(&place).mode(Mode::ReadOnly)).unwrap();
    assert_eq!(all(&beside).len(), 50);
    for _ in 0..3 {
        store.append(&events_at([200, 1200])).unwrap();
        store.snapshot(&copy, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(all(&beside), all(&store));
        store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    }
}

#[test]
fn a_snapshot_that_is_opened_for_writing_is_followed() {
    for place in [Place::simulated(1), Place::real()] {
        with_snapshot(&place).close().unwrap();
        restore(&place);
        let beside = beside(&place);
        let mut tail = beside.tail(0).unwrap();
        assert_eq!(all(&beside).len(), 50);
        for session in 0..3 {
            let store = open(&place);
            assert_same(&store, &beside);
            store.append(&events_at([100 + session])).unwrap();
            assert_same(&store, &beside);
            if session == 1 {
                store.close().unwrap();
            }
        }
        let mut seen = 0;
        while let Tailed::Events(batch) = tail.next_batch(100).unwrap() {
            seen += batch.len();
        }
        assert_eq!(seen, 53);
        // And one that is written to, and restored: what was seen since the opening is lost.
        restore(&place);
        assert_error!(beside.count(..), Error::Gone { .. });
    }
}

#[test]
fn another_snapshot_in_the_place_of_one_that_was_never_written_to_is_told_from_it() {
    for opened in [false, true] {
        let place = Place::simulated(1);
        let store = with_snapshot(&place);
        let later = place.path.with_file_name("later");
        store.snapshot(&later, |_| ControlFlow::Continue(())).unwrap();
        store.close().unwrap();
        let of_later = Store::open(&later, options(&place).mode(Mode::ReadOnly)).unwrap();
        assert_eq!(all(&of_later).len(), 100);
        restore_to(&place, &later);
        if opened {
            Store::open(&later, options(&place)).unwrap().append(&events_at([100; 80])).unwrap();
        }
        assert_error!(of_later.count(..), Error::Gone { .. });
    }
}

#[test]
fn a_journal_that_is_lost_is_no_restored_store() {
    for (removed, looked) in [(false, false), (false, true), (true, false)] {
        let place = Place::simulated(1);
        let store = with_snapshot(&place);
        let beside = beside(&place);
        assert_eq!(all(&beside).len(), 100);
        store.close().unwrap();
        match removed {
            true => place.disk.remove_file(&place.path.join("journal")).unwrap(),
            false => place.put_file("journal", b"nonsense"),
        }
        if looked {
            assert_eq!(all(&beside).len(), 100);
        }
        let store = open(&place);
        store.append(&events_at([200])).unwrap();
        assert_eq!(all(&beside), all(&store));
        assert_eq!(all(&beside).len(), 101);
        store.close().unwrap();
        assert_eq!(all(&beside).len(), 101);
        // But where that is why the store was restored, that it is.
        restore(&place);
        assert_error!(beside.count(..), Error::Gone { .. });
        open(&place).append(&events_at([100])).unwrap();
        assert_error!(beside.count(..), Error::Gone { .. });
    }
}
