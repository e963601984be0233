//! Appending: what a batch may be, what is refused whole, and what every reader may count on while others append.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, event, events_at, identities, stable_sorted, times};
use estore::{DEFAULT_MAX_EVENT_LEN, Durability, Efile, Error, Event, EventRef, ReadOptions, Store};

fn store(place: &Place) -> Store {
    Store::open(&place.path, place.options().file_size(1000).grace(10).durability(Durability::Process)).expect("the store opens")
}

fn all(store: &Store) -> Vec<Event> {
    drain(store.read(..).expect("a reader opens"))
}

#[test]
fn an_event_that_is_too_large_keeps_its_whole_batch_out() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options().file_size(1000).max_event_len(1000)).unwrap();
    let last = store.append(&[event(5, 1, vec![7; 1000])]).expect("an event of exactly the limit is fine");
    let batch = [event(6, 1, "a"), event(2000, 1, vec![0; 1001]), event(7, 1, vec![0; 5000])];
    let error = assert_error!(store.append(&batch), Error::TooLarge { index: 1, len: 1001, limit: 1000 });
    assert!(error.to_string().contains("1001"), "{error}");
    assert_error!(store.append_absent(&batch), Error::TooLarge { index: 1, .. });
    assert_eq!(store.last_seq(), last);
    assert_eq!(times(&all(&store)), [5]);
    assert_eq!(store.stats().unwrap().chunks, 1, "no chunk was made for the batch");
    assert!(store.append(&batch[..1]).unwrap() > last, "the store goes on");
    assert_eq!(times(&all(&store)), [5, 6]);
}

#[test]
fn the_largest_event_of_the_default_limit_is_stored() {
    let place = Place::simulated(1);
    let store = store(&place);
    let limit = usize::try_from(DEFAULT_MAX_EVENT_LEN).unwrap();
    let large = event(5, 1, Rng::new(1).bytes(limit));
    assert_error!(store.append(&[event(5, 1, vec![0; limit + 1])]), Error::TooLarge { index: 0, .. });
    store.append(&[event(4, 1, "before"), large.clone(), event(6, 1, "after")]).unwrap();
    let got = all(&store);
    assert_eq!(times(&got), [4, 5, 6]);
    assert!(got[1].data == large.data, "16 MiB come back as they were");
    assert_eq!(times(&drain(store.read_with(.., ReadOptions::new().reverse()).unwrap())), [6, 5, 4]);
}

#[test]
fn events_of_every_length_around_the_cut_of_a_frame_come_back() {
    let lens = [0, 1, 2, 100, 4095, 4096, 16_384, 65_000, 65_535, 65_536, 65_537, 131_072, 300_000, 0, 65_536, 1];
    let place = Place::simulated(1);
    let store = store(&place);
    let batch: Vec<Event> = lens.iter().zip(0_u64..).map(|(len, i)| event(i, 1, Rng::new(i).bytes(*len))).collect();
    store.append(&batch).unwrap();
    for one in &batch {
        store.append(std::slice::from_ref(one)).unwrap();
    }
    let twice: Vec<Event> = batch.iter().chain(&batch).cloned().collect();
    assert!(identities(&all(&store)) == stable_sorted(&twice));
}

#[test]
fn a_batch_of_none_is_nothing() {
    let place = Place::simulated(1);
    let store = store(&place);
    let none: [Event; 0] = [];
    assert_eq!(store.append(&none).unwrap(), store.last_seq());
    let last = store.append(&events_at([1, 2])).unwrap();
    place.sim().reset_counters();
    assert_eq!(store.append(&none).unwrap(), last);
    let answer = store.append_absent(&none).unwrap();
    assert_eq!((answer.last_seq, answer.stored, answer.present, answer.expired), (last, 0, 0, 0));
    assert_eq!(place.sim().counters().writes, 0);
}

#[test]
fn a_batch_of_a_million_is_stored_whole_and_in_order() {
    const N: u64 = 1_000_000;
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options().file_size(300_000).grace(100)).unwrap();
    let data: Vec<[u8; 8]> = (0..N).map(u64::to_le_bytes).collect();
    // In order, but for every hundredth, which is some thousands behind.
    let time = |i: u64| if i % 100 == 99 { i.saturating_sub(5000) } else { i };
    let batch: Vec<EventRef<'_>> = data.iter().zip(0..).map(|(data, i)| EventRef::new(time(i), 1, data)).collect();
    let last = store.append(&batch).unwrap();
    assert_eq!(store.last_seq(), last);
    assert!(last >= N);
    assert_eq!(store.count(..).unwrap(), N);
    let mut expected: Vec<u64> = (0..N).collect();
    expected.sort_by_key(|i| time(*i));
    let mut expected = expected.into_iter();
    let mut reader = store.read(..).unwrap();
    let mut seq_of_last = 0;
    loop {
        let batch = reader.next_batch(5000).unwrap();
        if batch.is_empty() {
            break;
        }
        for got in batch {
            let i = expected.next().expect("no more events than were appended");
            assert_eq!((got.time, got.data), (time(i), i.to_le_bytes().as_slice()));
            if i == N - 1 {
                seq_of_last = got.seq;
            }
        }
    }
    assert_eq!(expected.next(), None);
    assert_eq!(seq_of_last, last, "append answers the seq of the last event of its batch");
}

#[test]
fn a_batch_for_too_many_chunks_is_refused_whole() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options().file_size(10).max_new_chunks(3)).unwrap();
    store.append(&events_at([5, 15, 25])).expect("three new chunks are fine");
    let (before, last) = (place.contents(), store.last_seq());
    let error = assert_error!(store.append(&events_at([5, 35, 45, 55, 36, 65, 66])), Error::TooManyChunks { limit: 3, .. });
    if let Error::TooManyChunks { new, .. } = error {
        assert!(new > 3, "{new} new chunks");
    }
    assert_error!(store.append_absent(&events_at([35, 45, 55, 65])), Error::TooManyChunks { .. });
    assert_eq!(place.contents(), before, "nothing was written");
    assert_eq!(store.last_seq(), last);
    assert_eq!(store.count(..).unwrap(), 3);
    store.append(&events_at([6, 16, 26, 35, 45, 55])).expect("chunks that are there don't count");
    assert_eq!(store.stats().unwrap().chunks, 6);
}

#[test]
fn one_batch_fills_as_many_chunks_as_the_default_allows() {
    let place = Place::real();
    let store = Store::open(&place.path, place.options().file_size(10).durability(Durability::Process)).unwrap();
    let batch = events_at((0..1024).map(|i| i * 10));
    store.append(&batch).unwrap();
    assert_error!(store.append(&events_at((0..1025).map(|i| 100_000 + i * 10))), Error::TooManyChunks { limit: 1024, .. });
    assert_eq!(identities(&all(&store)), identities(&batch));
    assert_eq!(store.stats().unwrap().chunks, 1024);
}

#[test]
fn times_0_and_the_largest_are_legal_in_files_of_any_size() {
    for file_size in [1, 2, 1000, estore::DEFAULT_FILE_SIZE_NS, u64::MAX - 1, u64::MAX] {
        let place = Place::simulated(1);
        let options = place.options().file_size(file_size).grace(u64::MAX);
        let store = Store::open(&place.path, options).unwrap();
        let batch = events_at([u64::MAX, 0, u64::MAX, 1, 0, u64::MAX - 1]);
        store.append(&batch).unwrap();
        store.append(&events_at([0, u64::MAX])).unwrap();
        assert_eq!(times(&all(&store)), [0, 0, 0, 1, u64::MAX - 1, u64::MAX, u64::MAX, u64::MAX], "file_size {file_size}");
        let reverse = drain(store.read_with(.., ReadOptions::new().reverse()).unwrap());
        assert_eq!(times(&reverse), [u64::MAX, u64::MAX, u64::MAX, u64::MAX - 1, 1, 0, 0, 0]);
        assert_eq!(store.count(0..=0).unwrap(), 3);
        assert_eq!(store.count(u64::MAX..).unwrap(), 3);
        assert_eq!(store.count(..u64::MAX).unwrap(), 5);
        assert_eq!(store.count(1..=u64::MAX - 1).unwrap(), 2);
        let stats = store.stats().unwrap();
        assert_eq!((stats.oldest, stats.newest, stats.events), (0, u64::MAX, 8));
        store.close().unwrap();
        let store = Store::open(&place.path, place.options()).unwrap();
        assert_eq!(all(&store).len(), 8);
    }
}

#[test]
fn an_efile_takes_all_times_in_one_chunk() {
    let place = Place::simulated(1);
    let efile = Efile::open(&place.path, place.options().grace(5)).unwrap();
    efile.append(&events_at([u64::MAX, 0, 1 << 40, 3])).unwrap();
    assert_eq!(times(&drain(efile.read(..).unwrap())), [0, 3, 1 << 40, u64::MAX]);
    let stats = efile.stats().unwrap();
    assert_eq!((stats.file_size, stats.grace, stats.chunks, stats.events), (0, 5, 1, 4));
}

#[test]
fn plain_append_stores_repeats() {
    let place = Place::simulated(1);
    let store = store(&place);
    let batch = [event(5, 1, "x"), event(5, 1, "x")];
    store.append(&batch).unwrap();
    store.append(&batch).unwrap();
    let got = all(&store);
    assert_eq!(got.len(), 4);
    assert_ordered(&got);
}

#[test]
fn append_if_absent_skips_and_counts_what_is_there() {
    let place = Place::simulated(1);
    let store = store(&place);
    store.append(&[event(5, 1, "x"), event(1005, 1, "x"), event(5, 1, "x")]).unwrap();
    let batch = [
        event(5, 1, "x"),    // there
        event(5, 2, "x"),    // another id
        event(5, 1, "y"),    // other data
        event(6, 1, "x"),    // another time
        event(6, 1, "x"),    // twice in the batch
        event(1005, 1, "x"), // there, in another chunk
        event(2005, 1, ""),  // in a chunk that isn't there yet
    ];
    let answer = store.append_absent(&batch).unwrap();
    assert_eq!((answer.stored, answer.present, answer.expired), (4, 3, 0));
    assert_eq!(answer.last_seq, store.last_seq());
    let again = store.append_absent(&batch).unwrap();
    assert_eq!((again.stored, again.present, again.last_seq), (0, 7, answer.last_seq));
    assert_eq!(all(&store).len(), 7);
    assert_eq!(store.stats().unwrap().present, 10);
    store.close().unwrap();
    let store = Store::open(&place.path, place.options()).unwrap();
    let again = store.append_absent(&batch).unwrap();
    assert_eq!((again.stored, again.present), (0, 7), "after opening again");
}

/// Events of which many are equal, and others in all but one thing.
fn alike(rng: &mut Rng, n: usize) -> Vec<Event> {
    let data: [Vec<u8>; 6] = [vec![], vec![0], vec![0, 0], vec![0, 1], vec![1; 3_000], [vec![1; 2_999], vec![2]].concat()];
    (0..n)
        .map(|_| {
            // Mostly within the grace, at few times; some far behind, or in another chunk.
            let time = 500 + if rng.one_in(5) { rng.below(1_000) } else { 490 + rng.below(8) };
            event(time, rng.below(3) as u32, data[rng.index(data.len())].clone())
        })
        .collect()
}

#[test]
fn append_if_absent_tells_events_apart_wherever_they_lie() {
    for seed in 0..12 {
        let place = Place::simulated(seed);
        let options = || place.options().file_size(1000).grace(10).durability(Durability::Process);
        let mut store = Store::open(&place.path, options()).unwrap();
        let mut rng = Rng::new(seed);
        let mut there: HashSet<(u64, u32, Vec<u8>)> = HashSet::new();
        let mut count = 0;
        for round in 0..30 {
            let batch = alike(&mut rng, 200);
            let batch = &batch[..1 + rng.index(batch.len())];
            if rng.one_in(2) {
                there.extend(identities(batch));
                count += batch.len();
                store.append(batch).unwrap();
            } else {
                let before = store.last_seq();
                let new: Vec<_> = identities(batch).into_iter().filter(|identity| there.insert(identity.clone())).collect();
                let answer = store.append_absent(batch).unwrap();
                let counts = (answer.stored, answer.present, answer.expired);
                assert_eq!(counts, (new.len() as u64, (batch.len() - new.len()) as u64, 0), "seed {seed}, round {round}");
                // The first of those that are equal, each at its place.
                let mut stored = drain(store.read(..).unwrap());
                stored.retain(|event| event.seq > before);
                stored.sort_by_key(|event| event.seq);
                assert_eq!(identities(&stored), new, "seed {seed}, round {round}");
                count += new.len();
            }
            match rng.below(8) {
                0 => drop(store.compact(.., |_| ControlFlow::Continue(())).unwrap()),
                1 => {
                    store.close().unwrap();
                    store = Store::open(&place.path, options()).unwrap();
                }
                _ => {}
            }
        }
        let stored = all(&store);
        assert_eq!(stored.len(), count);
        let mut again = stored.clone();
        rng.shuffle(&mut again);
        let answer = store.append_absent(&again).unwrap();
        assert_eq!((answer.stored, answer.present), (0, count as u64));
        assert_eq!(all(&store), stored);
    }
}

#[test]
fn append_if_absent_sees_what_is_still_in_the_buffer() {
    let place = Place::simulated(1);
    let options = place.options().durability(Durability::Buffered).buffer(1 << 20, 1 << 40);
    let store = Store::open(&place.path, options).unwrap();
    store.append(&[event(5, 1, "x")]).unwrap();
    let answer = store.append_absent(&[event(5, 1, "x"), event(5, 2, "x")]).unwrap();
    assert_eq!((answer.stored, answer.present), (1, 1));
    assert_eq!(all(&store).len(), 2);
}

#[test]
fn append_if_absent_reads_only_frames_around_its_times() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options().grace(10).durability(Durability::Process)).unwrap();
    for i in 0..100_u64 {
        let batch: Vec<Event> = (0..1000).map(|j| event(i * 1000 + j, 1, vec![b'x'; 100])).collect();
        store.append(&batch).unwrap();
    }
    place.sim().reset_counters();
    let answer = store.append_absent(&[event(50_500, 1, vec![b'x'; 100]), event(50_500, 2, "new")]).unwrap();
    assert_eq!((answer.stored, answer.present), (1, 1));
    let read = place.sim().counters().read_bytes;
    assert!(read < 1 << 20, "{read} bytes were read to look for two events among ten megabytes");
    place.sim().reset_counters();
    store.append_absent(&[event(100_000, 1, "newer than all")]).unwrap();
    let read = place.sim().counters().read_bytes;
    assert!(read < 200_000, "{read} bytes were read to look for an event that is newer than all");
}

#[test]
fn seqs_rise_over_batches_and_openings_and_none_is_given_twice() {
    let place = Place::simulated(1);
    let mut last = 0;
    for round in 0..5_u64 {
        let store = store(&place);
        assert!(store.last_seq() >= last);
        for i in 0..3 {
            // Later events of earlier times.
            let answer = store.append(&events_at([5000 - round * 10 - i, 20, 5000])).unwrap();
            assert!(answer > last);
            assert_eq!(answer, store.last_seq());
            last = answer;
        }
        if round % 2 == 0 {
            store.close().unwrap();
        }
    }
    let mut got = all(&store(&place));
    assert_ordered(&got);
    got.sort_by_key(|event| event.seq);
    let arrived: Vec<u64> = (0..5).flat_map(|round| (0..3).flat_map(move |i| [5000 - round * 10 - i, 20, 5000])).collect();
    assert_eq!(times(&got), arrived, "by seq, events stand in order of arrival");
}

#[test]
fn a_seq_is_not_given_again_though_its_event_was_lost() {
    let place = Place::simulated(1);
    let mut highest = 0;
    for round in 0..6 {
        let store = store(&place);
        let before = store.append(&events_at([1])).unwrap();
        assert!(before > highest, "round {round}: seq {before} was given before, {highest} was the highest");
        highest = store.append(&events_at([2; 300])).unwrap();
        place.crash(estore::disk::Crash::LoseAll);
    }
}

#[test]
fn buffered_events_have_their_seqs_at_once() {
    let place = Place::simulated(1);
    let options = place.options().durability(Durability::Buffered).buffer(1 << 20, 1 << 40);
    let store = Store::open(&place.path, options).unwrap();
    let none: [Event; 0] = [];
    let mut last = 0;
    for i in 0..5 {
        let answer = store.append(&events_at([i, i])).unwrap();
        assert!(answer >= last + 2);
        assert_eq!(store.last_seq(), answer, "the last seq that was given");
        assert_eq!(store.append(&none).unwrap(), answer, "a batch of none answers it too");
        assert_eq!(store.append_absent(&none).unwrap().last_seq, answer);
        last = answer;
    }
    assert_eq!(store.stats().unwrap().last_seq, last);
    assert_eq!(store.read(..).unwrap().snapshot_seq(), last);
}

#[test]
fn the_level_of_lateness_changes_nothing_but_the_route() {
    let mut rng = Rng::new(1);
    let batches: Vec<Vec<Event>> = (0..40_u64)
        .map(|i| (0..50_u32).map(|j| event((i * 50 + u64::from(j)).saturating_sub(rng.below(600)), j, rng.bytes(20))).collect())
        .collect();
    let expected = stable_sorted(&batches.concat());
    for grace in [0, 1, 100, 10_000, u64::MAX] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, place.options().file_size(700).grace(grace)).unwrap();
        for batch in &batches {
            store.append(batch).unwrap();
        }
        assert!(identities(&all(&store)) == expected, "grace {grace}");
        let stats = store.stats().unwrap();
        if grace == 0 {
            assert!(stats.late_events > 0, "with no grace, every event behind is late");
        }
        if grace == u64::MAX {
            assert_eq!(stats.late_events, 0, "with all the grace, none is late");
        }
        assert!(stats.recon_events >= stats.late_events, "late events always go through recon");
    }
}

#[test]
fn a_lone_event_far_ahead_does_not_make_all_that_follows_late() {
    let place = Place::simulated(1);
    let efile = Efile::open(&place.path, place.options().grace(10)).unwrap();
    efile.append(&events_at(0..1000)).unwrap();
    efile.append(&events_at([1 << 40])).unwrap();
    for i in 0..100 {
        efile.append(&events_at(1000 + i * 10..1010 + i * 10)).unwrap();
    }
    let stats = efile.stats().unwrap();
    assert!(stats.recon_events < 100, "{} of 1000 events in order went through recon", stats.recon_events);
    let expected: Vec<u64> = (0..2000).chain([1 << 40]).collect();
    assert_eq!(times(&drain(efile.read(..).unwrap())), expected);
}

/// Eight threads append while two read; each batch has its own data.
fn threads_append_while_others_read(place: &Place, durability: Durability) {
    const WRITERS: u32 = 8;
    const BATCHES: u32 = 30;
    const LEN: u32 = 20;
    let options = place.options().file_size(50).grace(5).durability(durability).background(true);
    let store = Store::open(&place.path, options).unwrap();
    let done = AtomicBool::new(false);
    let whole = |events: &[Event]| {
        assert_ordered(events);
        let mut lens: HashMap<&[u8], u32> = HashMap::new();
        for event in events {
            *lens.entry(&event.data).or_default() += 1;
        }
        assert!(lens.values().all(|len| *len == LEN), "a reader saw a part of a batch");
        lens.len()
    };
    thread::scope(|scope| {
        let (store, done, whole) = (&store, &done, &whole);
        let readers: Vec<_> = (0..2)
            .map(|i| {
                scope.spawn(move || {
                    let (mut batches, mut snapshot) = (0, 0);
                    while !done.load(Ordering::Relaxed) {
                        let known = store.last_seq();
                        let reader = if i == 0 { store.read(..) } else { store.read_with(.., ReadOptions::new().last(u64::MAX)) }.unwrap();
                        assert!(reader.snapshot_seq() >= snapshot.max(known), "snapshots go forward");
                        snapshot = reader.snapshot_seq();
                        let events = drain(reader);
                        assert!(events.iter().all(|event| event.seq <= snapshot));
                        let seen = whole(&events);
                        assert!(seen >= batches, "{seen} batches after {batches}");
                        batches = seen;
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut rng = Rng::new(u64::from(writer));
                    let mut last = 0;
                    for batch in 0..BATCHES {
                        let name = format!("{writer}/{batch}");
                        let events: Vec<Event> = (0..LEN).map(|i| event(rng.below(500), i, name.as_str())).collect();
                        let seq = store.append(&events).unwrap();
                        assert!(seq > last && store.last_seq() >= seq);
                        last = seq;
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::Relaxed); // before a failure ends this thread, or the readers would read on
        assert!(outcomes.iter().all(Result::is_ok), "a writer failed");
        for reader in readers {
            reader.join().unwrap();
        }
    });
    let events = all(&store);
    assert_eq!(whole(&events), usize::try_from(WRITERS * BATCHES).unwrap());
    assert_eq!(events.iter().map(|event| event.seq).max(), Some(store.last_seq()));
    store.close().unwrap();
    let store = Store::open(&place.path, place.options()).unwrap();
    assert!(all(&store) == events);
}

#[test]
fn batches_of_many_threads_are_whole_to_every_reader() {
    for durability in [Durability::Process, Durability::Buffered, Durability::Power, Durability::Interval(1)] {
        threads_append_while_others_read(&Place::simulated(1), durability);
        threads_append_while_others_read(&Place::real(), durability);
    }
}
