//! Compaction: the same events in one sorted log, whoever appends, reads, deletes, cancels or dies meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, drain_batches, event, events_at, times};
use estore::disk::{After, Call, Crash, Fault, FaultEffect};
use estore::{Compacted, Durability, Efile, Error, Event, FindingKind, Level, Mode, Options, Progress, ReadOptions, Sizes, Store};

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

fn all(store: &Store) -> Vec<Event> {
    let events = drain(store.read(..).expect("a reader opens"));
    assert_ordered(&events);
    assert_eq!(store.count(..).unwrap(), events.len() as u64);
    let mut backwards = drain(store.read_with(.., ReadOptions::new().reverse()).unwrap());
    backwards.reverse();
    assert_eq!(backwards, events, "backwards is the same reversed");
    events
}

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn compact(store: &Store) -> Compacted {
    store.compact(.., on).expect("compaction works")
}

/// Appends to chunk `chunk`: many single events, a batch, late ones, some of them large.
fn append_disorder(store: &Store, chunk: u64, seed: u64) {
    let mut rng = Rng::new(seed);
    let start = chunk * FILE_SIZE;
    for i in 0..60 {
        store.append(&[event(start + 500_000 + i * 10, 1, format!("single {i}"))]).unwrap();
    }
    let batch: Vec<Event> = (0..500).map(|i| event(start + 600_000 + rng.below(2000), i, vec![i as u8; 40])).collect();
    store.append(&batch).unwrap();
    for i in 0..40 {
        let late = event(start + rng.below(400_000), 7, vec![3; 100 + 200 * (i % 50)]);
        store.append(&[late]).unwrap();
    }
    let late: Vec<Event> = (0..200).map(|i| event(start + rng.below(500_000), i, vec![5; 2500])).collect();
    store.append(&late).unwrap();
}

/// What is in the folder of a chunk.
fn files(place: &Place, chunk: u64) -> Vec<String> {
    place.names("").into_iter().filter(|name| name.starts_with(&format!("{chunk}-"))).collect()
}

/// Damages the first frame of a log that holds several events in order; answers what the log is then. Of late events there is a copy, by
/// which compaction would go.
fn damage_main_frame(place: &Place, name: &str) -> Vec<u8> {
    let mut log = place.file(name);
    let main = common::frames(&log).into_iter().find(|&at| log[at + 24] & (1 | 32) == 0).unwrap();
    log[main + 1000] ^= 1;
    place.put_file(name, &log);
    log
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

#[test]
fn the_same_events_come_out_of_one_log_without_anything_late() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_disorder(&store, 0, 1);
        append_disorder(&store, 1, 2);
        let (before, stats) = (all(&store), store.stats().unwrap());
        assert!(stats.recon_bytes > 0 && stats.recon_events > 400 && stats.late_events > 400, "{stats:?}");

        let compacted = compact(&store);
        assert_eq!((compacted.chunks, compacted.events), (2, before.len() as u64));
        assert!(compacted.bytes_after < compacted.bytes_before, "{compacted:?}");
        assert_eq!(all(&store), before);
        assert_eq!(files(&place, 0), ["0-1.estore", "0-1.idx"]);
        assert_sound(&store);
        let now = store.stats().unwrap();
        assert_eq!((now.recon_bytes, now.recon_events), (0, 0));
        assert_eq!((now.events, now.late_events), (stats.events, stats.late_events));
        assert_eq!((now.oldest, now.newest, now.last_seq), (stats.oldest, stats.newest, stats.last_seq));
        assert_eq!(now.log_bytes, compacted.bytes_after);

        assert_eq!(compact(&store).chunks, 0, "there is nothing more to do");
        store.close().unwrap();
        let store = open(&place);
        assert_eq!(all(&store), before);
        assert_eq!(store.stats().unwrap().late_events, stats.late_events);
        assert_sound(&store);
    }
}

#[test]
fn single_appends_become_full_frames() {
    let place = Place::simulated(1);
    let store = open(&place);
    for i in 0..3000 {
        store.append(&[event(i, 0, "x")]).unwrap();
    }
    let compacted = compact(&store);
    assert!(compacted.bytes_after * 5 < compacted.bytes_before, "{compacted:?}");
    assert_eq!(times(&all(&store)), (0..3000).collect::<Vec<_>>());
}

#[test]
fn later_events_go_on_in_another_log_and_are_merged_in_turn() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let mut expected = all(&store).len();
    for round in 1..4 {
        compact(&store);
        append_disorder(&store, 0, 10 + round);
        expected += 800;
        assert_eq!(all(&store).len(), expected);
    }
    store.close().unwrap();
    let store = open(&place);
    append_disorder(&store, 0, 20);
    let before = all(&store);
    assert_eq!(before.len(), expected + 800);
    assert_eq!(compact(&store).events, before.len() as u64);
    assert_eq!(all(&store), before);
    assert_eq!(files(&place, 0).iter().filter(|name| name.ends_with(".estore")).count(), 1);
    assert_sound(&store);
}

#[test]
fn only_chunks_of_the_range_are_compacted() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..4).for_each(|chunk| append_disorder(&store, chunk, chunk));
    let before = all(&store);
    assert_eq!(store.compact(FILE_SIZE..2 * FILE_SIZE + 1, on).unwrap().chunks, 2);
    assert_eq!(store.compact(5..5, on).unwrap().chunks, 0);
    assert!(files(&place, 0).contains(&"0-0.estore".to_owned()));
    assert!(!files(&place, 1).contains(&"1-0.estore".to_owned()));
    assert_eq!(all(&store), before);
    assert_error!(store.compact(std::ops::RangeInclusive::new(7, 3), on), Error::EndBeforeStart { .. });
}

#[test]
fn an_efile_is_compacted_too() {
    let place = Place::simulated(1);
    let store = Efile::open(&place.path, place.options().grace(0).durability(Durability::Process)).unwrap();
    store.append(&[event(50, 1, "a"), event(51, 1, "b")]).unwrap();
    store.append(&[event(7, 1, "late")]).unwrap();
    assert_eq!(store.compact(.., on).unwrap().events, 3);
    assert_eq!(times(&drain(store.read(..).unwrap())), [7, 50, 51]);
}

#[test]
fn open_readers_go_on_wherever_they_stand() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_disorder(&store, 0, 1);
        append_disorder(&store, 1, 2);
        let expected = all(&store);
        let before_last = expected.len() - 1;
        let mut readers = Vec::new();
        for take in [0, 1, 5, 300, 799, 800, 801, 1500, before_last] {
            for handle in [&store, &beside(&place)] {
                for backwards in [false, true] {
                    let options = if backwards { ReadOptions::new().reverse() } else { ReadOptions::new() };
                    let mut reader = handle.read_with(.., options).unwrap();
                    let begun: Vec<Event> = reader.by_ref().take(take).map(Result::unwrap).collect();
                    readers.push((reader, begun, backwards));
                }
            }
        }
        compact(&store);
        append_disorder(&store, 0, 3);
        compact(&store);
        for (mut reader, mut events, backwards) in readers {
            let taken = events.len();
            events.extend(drain_batches(&mut reader, 100));
            if backwards {
                events.reverse();
            }
            assert_eq!(events, expected, "a reader that had taken {taken}, backwards: {backwards}");
        }
    }
}

#[test]
fn handles_beside_the_writer_go_on_reading_and_counting() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_disorder(&store, 0, 1);
        append_disorder(&store, 1, 2);
        let expected = all(&store);
        let (untouched, used) = (beside(&place), beside(&place));
        assert_eq!(all(&used), expected);
        compact(&store);
        assert_eq!(all(&untouched), expected);
        assert_eq!(all(&used), expected);
        let readers = [&untouched, &used].map(|handle| handle.read(..).unwrap());
        append_disorder(&store, 0, 4);
        compact(&store);
        for reader in readers {
            assert_eq!(drain(reader), expected, "what is being read stands");
        }
        assert_eq!(all(&untouched), all(&store));
        assert_sound(&untouched);
    }
}

#[test]
fn a_reader_that_outlives_its_handle_goes_on_when_a_later_handle_compacts() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    append_disorder(&store, 1, 2);
    let expected = all(&store);
    let untouched = store.read(..).unwrap();
    let mut begun = store.read(..).unwrap();
    let mut events: Vec<Event> = begun.by_ref().take(10).map(Result::unwrap).collect();
    store.close().unwrap();
    let store = open(&place);
    compact(&store);
    assert_eq!(drain(untouched), expected);
    events.extend(drain(begun));
    assert_eq!(events, expected);
}

/// Runs a compaction on a thread of its own; `meanwhile` is called while it is at work and waits.
fn while_compacting(store: &Store, meanwhile: impl FnOnce()) -> estore::Result<Compacted> {
    let (at_work, is_at_work) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let compaction = scope.spawn(move || {
            let first = Cell::new(true);
            store.compact(.., |_| {
                if first.replace(false) {
                    at_work.send(()).unwrap();
                    may_go_on.recv().unwrap();
                }
                ControlFlow::Continue(())
            })
        });
        is_at_work.recv().unwrap();
        meanwhile();
        go_on.send(()).unwrap();
        compaction.join().unwrap()
    })
}

#[test]
fn appends_syncs_and_reads_go_on_meanwhile() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_disorder(&store, 0, 1);
        let before = all(&store).len();
        while_compacting(&store, || {
            append_disorder(&store, 0, 2);
            append_disorder(&store, 1, 3);
            store.sync().unwrap();
            assert_eq!(store.durable_seq(), store.last_seq());
            assert_eq!(all(&store).len(), before + 1600);
            assert_eq!(all(&beside(&place)).len(), before + 1600);
            assert_sound(&store);
            assert_sound(&beside(&place));
        })
        .unwrap();
        let events = all(&store);
        assert_eq!(events.len(), before + 1600);
        assert_sound(&store);
        assert_eq!(all(&beside(&place)), events);
        store.close().unwrap();
        assert_eq!(all(&open(&place)), events);
    }
}

#[test]
fn what_was_appended_before_it_is_durable_once_synced_while_it_is_at_work() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let expected = all(&store);
    while_compacting(&store, || {
        store.sync().unwrap();
        assert_eq!(store.durable_seq(), store.last_seq());
        place.crash(Crash::LoseAll);
    })
    .unwrap_err();
    drop(store);
    assert_eq!(all(&open(&place)), expected);
}

#[test]
fn a_chunk_that_is_deleted_meanwhile_stays_deleted() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        append_disorder(&store, 0, 1);
        append_disorder(&store, 1, 2);
        let done = while_compacting(&store, || store.delete_before(FILE_SIZE).unwrap()).unwrap();
        assert_eq!(done.chunks, 1);
        assert_eq!(files(&place, 0), Vec::<String>::new());
        assert!(all(&store).iter().all(|event| event.time >= FILE_SIZE));
        assert_sound(&store);
    }
}

#[test]
fn closing_ends_a_compaction_and_waits_for_it() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let expected = all(&store);
    std::thread::scope(|scope| {
        let closing = Cell::new(None);
        let result = store.compact(.., |_| {
            if closing.take().is_none() {
                let handle = &store;
                closing.set(Some(scope.spawn(move || handle.close())));
            }
            // Told again and again until the closing is noticed.
            std::thread::yield_now();
            ControlFlow::Continue(())
        });
        // It may have come to its end before that.
        assert!(matches!(result, Err(Error::Closed { .. }) | Ok(Compacted { chunks: 1, .. })), "{result:?}");
    });
    assert!(place.names(".new").is_empty());
    assert_eq!(all(&open(&place)), expected);
}

#[test]
fn stopped_by_its_receiver_it_changes_nothing() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    append_disorder(&store, 1, 2);
    let expected = all(&store);
    let done = store.compact(.., |_| ControlFlow::Break(())).unwrap();
    assert!(done.stopped && done.chunks == 0, "{done:?}");
    assert_eq!(all(&store), expected);
    assert!(place.names("-1.estore").is_empty() && place.names(".new").is_empty());
    // The log goes on where it was.
    store.append(&[event(999_999, 1, "more")]).unwrap();
    assert_eq!(files(&place, 0).iter().filter(|name| name.ends_with(".estore")).count(), 1);
    assert_eq!(all(&store).len(), expected.len() + 1);
    store.close().unwrap();
    assert_eq!(all(&open(&place)).len(), expected.len() + 1);
}

#[test]
fn its_receiver_hears_how_far_it_is_and_must_not_call_the_store() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    append_disorder(&store, 1, 2);
    let mut told: Vec<Progress> = Vec::new();
    store
        .compact(.., |progress| {
            told.push(progress);
            assert_error!(store.append(&[event(1, 1, "x")]), Error::Invalid { .. });
            assert_error!(store.compact(.., on), Error::Invalid { .. });
            assert_error!(store.close(), Error::Invalid { .. });
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(told.windows(2).all(|pair| pair[0].events_done <= pair[1].events_done));
    let last = told.last().unwrap();
    assert_eq!((last.chunks, last.chunks_done, last.events, last.events_done), (2, 1, 1600, 1600));
}

#[test]
fn a_full_disk_ends_it_and_loses_nothing() {
    for call in [Call::Reserve, Call::Write] {
        let place = Place::simulated(1);
        let store = open(&place);
        append_disorder(&store, 0, 1);
        let expected = all(&store);
        let effect = FaultEffect::Errno(libc::ENOSPC);
        place.sim().inject(Fault { at: 0, calls: Some(call), name: Some("0-1.new".into()), effect, forever: true });
        assert_error!(store.compact(.., on), Error::NoSpace { .. });
        assert!(place.names(".new").is_empty());
        assert_eq!(all(&store), expected);
        append_disorder(&store, 0, 2);
        place.sim().clear_faults();
        assert_eq!(compact(&store).events, expected.len() as u64 + 800);
    }
}

#[test]
fn a_damaged_chunk_stays_as_it_is_and_the_others_are_compacted() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_disorder(&store, chunk, chunk));
    store.close().unwrap();
    let log = damage_main_frame(&place, "1-0.estore");
    let store = open(&place);
    let error = assert_error!(store.compact(.., on), Error::Corrupt { .. });
    assert!(error.to_string().contains("1-0.estore"), "{error}");
    assert_eq!(files(&place, 0), ["0-1.estore", "0-1.idx"]);
    assert_eq!(files(&place, 2), ["2-1.estore", "2-1.idx"]);
    assert_eq!(place.file("1-0.estore"), log);
    assert!(place.names(".new").is_empty());
}

/// Nobody else has removed it: the journal still has it.
#[test]
fn compacting_a_log_that_is_lost_says_so() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 0);
    store.close().unwrap();
    drop(store);
    let store = open(&place);
    place.sim().remove(place.path.join("0-0.estore"));
    let failure = store.compact(.., on).unwrap_err();
    assert!(matches!(&failure, Error::Corrupt { what, .. } if what.contains("missing")), "{failure}");
}

#[test]
fn a_damaged_recon_file_is_not_what_is_compacted() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let expected = all(&store);
    store.close().unwrap();
    let mut recon = place.file("0-0.recon");
    recon[5000] ^= 1;
    place.put_file("0-0.recon", &recon);
    let store = open(&place);
    assert_eq!(compact(&store).events, expected.len() as u64);
    assert_eq!(all(&store), expected);
}

#[test]
fn a_lost_journal_is_made_anew_from_compacted_logs() {
    for (with_old, lose) in [(false, true), (true, true), (true, false)] {
        let place = Place::simulated(1);
        let store = open(&place);
        append_disorder(&store, 0, 1);
        append_disorder(&store, 1, 2);
        store.close().unwrap();
        let before = place.contents();
        let store = open(&place);
        compact(&store);
        store.append(&[event(17, 1, "in a log of its own")]).unwrap();
        let (expected, stats) = (all(&store), store.stats().unwrap());
        store.close().unwrap();
        drop(store);
        let olds = before.iter().filter(|(name, _)| name.starts_with("0-0") || name.starts_with("1-0"));
        for (name, bytes) in olds.filter(|_| with_old) {
            place.put_file(name, bytes);
        }
        if lose {
            place.sim().remove(place.path.join("journal"));
        }
        let last_seq = expected.iter().map(|event| event.seq).max().unwrap();
        for mode in [Mode::ReadOnly, Mode::Existing] {
            let store = Store::open(&place.path, options(&place).mode(mode)).unwrap();
            assert_eq!(all(&store), expected, "old files: {with_old}, journal lost: {lose}, {mode:?}");
            assert_eq!(store.stats().unwrap().late_events, stats.late_events);
            if mode == Mode::Existing {
                assert!(store.append(&[event(3, 3, "new")]).unwrap() > last_seq);
            }
        }
    }
}

#[test]
fn a_journal_from_before_a_compaction_hides_nothing() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    store.close().unwrap();
    let journal = place.file("journal");
    let store = open(&place);
    append_disorder(&store, 0, 2);
    compact(&store);
    append_disorder(&store, 0, 3);
    let expected = all(&store);
    store.close().unwrap();
    drop(store);
    place.put_file("journal", &journal);
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = Store::open(&place.path, options(&place).mode(mode)).unwrap();
        assert_eq!(all(&store), expected, "{mode:?}");
    }
}

#[test]
fn damage_of_a_compacted_log_is_found_located_and_salvaged_around() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let before = all(&store);
    compact(&store);
    store.close().unwrap();
    drop(store);
    let mut log = place.file("0-1.estore");
    let frames = common::frames(&log);
    assert!(frames.len() > 5);
    log[frames[3] + 500] ^= 1;
    place.put_file("0-1.estore", &log);
    let store = open(&place);
    let mut kinds = Vec::new();
    store
        .verify(|finding| {
            kinds.push((finding.kind, finding.offset));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(kinds, [(FindingKind::Damage, frames[3] as u64)]);
    let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
    let events = drain_batches(&mut reader, 100);
    let [gap] = reader.gaps() else { panic!("{:?}", reader.gaps()) };
    let outside: Vec<Event> = before.into_iter().filter(|event| event.time < gap.first_time || event.time > gap.last_time).collect();
    assert!(outside.len() > 300 && outside.iter().all(|event| events.contains(event)));
    // What comes next goes to another log.
    store.append(&[event(999_000, 1, "after")]).unwrap();
    assert_error!(store.compact(.., on), Error::Corrupt { .. });
}

#[test]
fn bytes_that_recovery_kept_aside_survive_it_and_go_with_their_chunk() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    let whole = place.file("0-0.estore");
    store.close().unwrap();
    drop(store);
    // A torn batch of a writer that died.
    let store = open(&place);
    store.append(&[event(999_000, 1, "torn")]).unwrap();
    let mut torn = place.file("0-0.estore");
    place.crash(Crash::KeepAll);
    drop(store);
    torn.truncate(whole.iter().rposition(|&byte| byte != 0).unwrap() + 40);
    place.put_file("0-0.estore", &torn);
    let store = open(&place);
    assert!(!place.names(".cut").is_empty());
    compact(&store);
    assert_eq!(files(&place, 0), ["0-0.cut", "0-1.estore", "0-1.idx"]);
    store.append(&[event(2 * FILE_SIZE, 1, "x")]).unwrap();
    store.delete_before(FILE_SIZE).unwrap();
    assert_eq!(files(&place, 0), Vec::<String>::new());
}

/// Options for a store that compacts by itself, small chunks too.
fn in_background(place: &Place) -> Options {
    let sizes = Sizes { pending_bytes: 2000, run_frame_bytes: 300, compact_bytes: 500, compact_newest_bytes: 20_000, ..Sizes::default() };
    options(place).background(true).sizes(sizes)
}

/// Waits until the store has nothing to do by itself.
fn wait_for_backlog(store: &Store) {
    let began = std::time::Instant::now();
    while store.stats().unwrap().backlog_bytes > 0 {
        assert!(began.elapsed().as_secs() < 60, "it is not compacted");
        std::thread::yield_now();
    }
}

#[test]
fn past_chunks_are_compacted_in_the_background() {
    for place in [Place::simulated(1), Place::real()] {
        let (tell, told) = mpsc::channel();
        let store = Store::open(&place.path, in_background(&place).log(move |level, text| tell.send((level, text.to_owned())).unwrap()));
        let store = store.unwrap();
        append_disorder(&store, 0, 1);
        let before = all(&store);
        append_disorder(&store, 1, 2);
        wait_for_backlog(&store);
        assert_eq!(store.read(..FILE_SIZE).unwrap().map(Result::unwrap).collect::<Vec<_>>(), before);
        // Told once it is done, files and all.
        let (level, text) = told.recv().unwrap();
        assert!(level == Level::Info && text.starts_with("chunk 0: compacted"), "{text}");
        assert!(!files(&place, 0).contains(&"0-0.estore".to_owned()));
        store.close().unwrap();
    }
}

#[test]
fn the_newest_chunk_is_compacted_once_most_of_a_large_log_came_late() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, in_background(&place)).unwrap();
    store.append(&[event(500_000, 1, "a"), event(500_001, 1, "b")]).unwrap();
    for i in 0..200 {
        store.append(&[event(1000 + i, 1, vec![1; 300])]).unwrap();
    }
    wait_for_backlog(&store);
    store.close().unwrap();
    assert!(!files(&place, 0).contains(&"0-0.estore".to_owned()), "{:?}", files(&place, 0));
    assert_eq!(all(&open(&place)).len(), 202);
}

#[test]
fn what_an_earlier_handle_left_to_compact_is_done_unless_that_is_off() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_disorder(&store, chunk, chunk));
    let expected = all(&store);
    store.close().unwrap();
    let store = Store::open(&place.path, in_background(&place).compaction(false)).unwrap();
    assert!(store.stats().unwrap().backlog_bytes > 0);
    store.append(&[event(3 * FILE_SIZE, 1, "x")]).unwrap();
    store.close().unwrap();
    assert!(place.names("-1.estore").is_empty());
    let store = Store::open(&place.path, in_background(&place)).unwrap();
    wait_for_backlog(&store);
    store.close().unwrap();
    assert_eq!(place.names("-1.estore").len(), 3);
    assert_eq!(all(&open(&place))[..expected.len()], expected);
}

#[test]
fn single_appends_of_an_earlier_handle_are_joined_too() {
    for crashed in [false, true] {
        let place = Place::simulated(1);
        let store = open(&place);
        for i in 0..2000 {
            store.append(&[event(i, 1, vec![1; 20])]).unwrap();
        }
        store.append(&[event(FILE_SIZE, 1, "x")]).unwrap();
        let expected = all(&store);
        if crashed {
            store.sync().unwrap();
            place.crash(Crash::KeepAll);
        } else {
            store.close().unwrap();
        }
        assert_eq!(common::frames(&place.file("0-0.estore")).len(), 2000);
        let store = Store::open(&place.path, in_background(&place)).unwrap();
        wait_for_backlog(&store);
        assert_eq!(all(&store), expected);
        store.close().unwrap();
        assert_eq!(common::frames(&place.file("0-1.estore")).len(), 1, "{:?}", files(&place, 0));
    }
}

#[test]
fn a_chunk_in_order_is_left_alone() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, in_background(&place)).unwrap();
    for chunk in 0..3 {
        let batch: Vec<Event> = (0..1000).map(|i| event(chunk * FILE_SIZE + i, 1, vec![1; 100])).collect();
        store.append(&batch).unwrap();
    }
    assert_eq!(store.stats().unwrap().backlog_bytes, 0);
    store.close().unwrap();
    assert_eq!(place.names(".estore").len(), 3);
    assert!(place.names("-1.estore").is_empty());
}

#[test]
fn a_damaged_chunk_is_not_tried_again_and_again() {
    let place = Place::simulated(1);
    let store = open(&place);
    (0..3).for_each(|chunk| append_disorder(&store, chunk, chunk));
    store.close().unwrap();
    damage_main_frame(&place, "1-0.estore");
    let (tell, told) = mpsc::channel();
    let options = in_background(&place).log(move |level, text| tell.send((level, text.to_owned())).unwrap());
    let store = Store::open(&place.path, options).unwrap();
    wait_for_backlog(&store);
    store.close().unwrap();
    drop(store);
    let warnings = told.iter().filter(|(level, text)| *level == Level::Warning && text.contains("chunk 1 was not compacted")).count();
    assert_eq!(warnings, 1);
}

#[test]
fn handles_that_only_read_or_are_closed_refuse() {
    let place = Place::simulated(1);
    let store = open(&place);
    append_disorder(&store, 0, 1);
    assert_error!(beside(&place).compact(.., on), Error::ReadOnly { .. });
    store.close().unwrap();
    assert_error!(store.compact(.., on), Error::Closed { .. });
}

#[test]
fn a_failed_sync_of_the_folder_within_a_compaction_poisons_the_writer() {
    for effect in [FaultEffect::SyncLosesPages(libc::EIO, After::New), FaultEffect::Errno(libc::EIO), FaultEffect::Errno(libc::ENOSPC)] {
        let place = Place::simulated(1);
        let store = open(&place);
        store.append(&events_at([1, 2, 3])).unwrap();
        store.sync().unwrap();
        let durable = store.durable_seq();
        let begun = Cell::new(false);
        let compacted = store.compact(..FILE_SIZE, |_| {
            if !begun.replace(true) {
                // The name of its log, too, is up to the sync that fails, and the system won't try again to make it durable.
                thread::scope(|scope| scope.spawn(|| store.append(&events_at([FILE_SIZE])).unwrap()).join()).unwrap();
                place.sim().inject(Fault { at: 0, calls: Some(Call::SyncFolder), name: None, effect, forever: false });
            }
            ControlFlow::Continue(())
        });
        assert_error!(compacted, Error::Io { .. });
        assert_error!(store.append(&events_at([4])), Error::Poisoned { .. });
        assert_error!(store.sync(), Error::Poisoned { .. });
        assert_eq!(store.durable_seq(), durable);
        drop(store);
        let lost = matches!(effect, FaultEffect::SyncLosesPages(..));
        place.crash(if lost { Crash::LoseAll } else { Crash::KeepAll });
        let store = open(&place);
        assert_eq!(times(&all(&store)), if lost { vec![1, 2, 3] } else { vec![1, 2, 3, FILE_SIZE] });
        // Opened anew, the store goes on.
        store.append(&events_at([4, FILE_SIZE + 1])).unwrap();
        compact(&store);
        let before = all(&store);
        store.sync().unwrap();
        place.crash(Crash::LoseAll);
        assert_eq!(all(&open(&place)), before);
    }
}
