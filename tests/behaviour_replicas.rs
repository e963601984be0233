//! Replicas: digests that are equal for equal sets of events, repair that brings two stores together, parcels that carry events.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[macro_use]
#[path = "common/forward.rs"]
mod forward;

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::place::Place;
use common::rng::Rng;
use common::{drain, event, exchange, identities};
use estore::disk::{Access, Disk, File};
use estore::{Compression, Digest, Durability, Error, Event, Mode, Options, ReadOptions, RepairOptions, Repaired, Store};

type Identity = (u64, u32, Vec<u8>);

fn options(place: &Place) -> Options {
    place.options().file_size(1_000).grace(50).durability(Durability::Process)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).unwrap()
}

fn store_of(place: &Place, events: &[Event]) -> Store {
    let store = open(place);
    store.append(events).unwrap();
    store
}

fn set(store: &Store) -> BTreeSet<Identity> {
    identities(&drain(store.read(..).unwrap())).into_iter().collect()
}

fn set_of(events: &[Event]) -> BTreeSet<Identity> {
    identities(events).into_iter().collect()
}

fn on(_: estore::Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn repair(to: &Store, from: &Store) -> Repaired {
    to.repair(from, .., RepairOptions::new(), on).unwrap()
}

/// Some events of a few times, so that many share theirs.
fn some_events(rng: &mut Rng, count: usize) -> Vec<Event> {
    let event_of = |rng: &mut Rng| {
        let len = rng.index(30);
        event(rng.below(60) * 50, rng.below(3) as u32, vec![rng.below(2) as u8; len])
    };
    (0..count).map(|_| event_of(rng)).collect()
}

#[test]
fn equal_sets_have_equal_digests_however_they_came_about() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let events = some_events(&mut rng, 200);
        let (one, other, larger) = (Place::simulated(1), Place::simulated(2), Place::simulated(3));
        let store = store_of(&one, &events);
        // In another order, with repeats, one by one, cut otherwise, and compacted.
        let mut shuffled = [events.clone(), events[..50].to_vec()].concat();
        rng.shuffle(&mut shuffled);
        let elsewhere = Store::open(
            &other.path,
            other.options().file_size(130).grace(0).compression(if seed % 2 == 0 { Compression::Lz4 } else { Compression::None }),
        )
        .unwrap();
        shuffled.iter().for_each(|event| assert!(elsewhere.append(std::slice::from_ref(event)).is_ok()));
        if seed % 3 > 0 {
            elsewhere.compact(.., on).unwrap();
        }
        let more = store_of(&larger, &[events.clone(), vec![event(1_234, 99, "one more")]].concat());
        for width in [1, 7, 100, 3_000, u64::MAX] {
            let digest = |store: &Store| store.digest(0..=3_000, width).unwrap();
            assert_eq!(digest(&store), digest(&elsewhere), "seed {seed}, width {width}");
            assert_eq!(digest(&store).differences(&digest(&elsewhere)).unwrap(), []);
            let count: u64 = digest(&store).buckets.iter().map(|bucket| bucket.count).sum();
            assert_eq!(count, set_of(&events).len() as u64);
            let ranges = digest(&store).differences(&digest(&more)).unwrap();
            assert!(matches!(ranges.as_slice(), [range] if range.contains(&1_234)), "seed {seed}, width {width}: {ranges:?}");
            assert_eq!(ranges, digest(&more).differences(&digest(&store)).unwrap());
        }
    }
}

#[test]
fn a_digest_is_what_its_documentation_says() {
    let place = Place::simulated(1);
    let store = store_of(&place, &[event(5, 1, "a"), event(5, 1, "a"), event(5, 2, "a"), event(17, 1, "")]);
    let digest = store.digest(0..20, 10).unwrap();
    assert_eq!((digest.start, digest.end, digest.width, digest.horizon), (0, 19, 10, 0));
    assert_eq!(digest.buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [2, 1]);
    let bytes = |time: u64, id: u32, data: &[u8]| [&time.to_le_bytes()[..], &id.to_le_bytes(), data].concat();
    let hash = |time, id, data| xxhash_rust::xxh3::xxh3_128(&bytes(time, id, data));
    assert_eq!(digest.buckets[0].sum, hash(5, 1, b"a").wrapping_add(hash(5, 2, b"a")));
    assert_eq!(digest.buckets[1].sum, hash(17, 1, b""));
    // Of any length, in any bucket.
    let place = Place::simulated(2);
    let lens = [0, 1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 243, 244, 245, 256, 1_000, 70_000];
    let events: Vec<Event> = (1..).zip(lens).map(|(i, len)| event(i * i * 100, i as u32, vec![i as u8; len])).collect();
    let digest = store_of(&place, &events).digest(7..50_000, 100).unwrap();
    let mut buckets = vec![(0, 0_u128); 500];
    for event in &events {
        buckets[(event.time as usize - 7) / 100] = (1, hash(event.time, event.id, &event.data));
    }
    assert_eq!(digest.buckets.iter().map(|bucket| (bucket.count, bucket.sum)).collect::<Vec<_>>(), buckets);
    let place = Place::simulated(3);
    let store_at_end = Store::open(&place.path, place.options()).unwrap();
    store_at_end.append(&(0..10).map(|i| event(u64::MAX - i, 1, [])).collect::<Vec<_>>()).unwrap();
    let digest = store_at_end.digest(u64::MAX - 9.., 4).unwrap();
    assert_eq!(digest.buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [4, 4, 2]);
    // To the ends of time.
    assert_eq!(store.digest(.., u64::MAX).unwrap().buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 3);
    assert_eq!(store.digest(u64::MAX..=u64::MAX, 1).unwrap().buckets.len(), 1);
}

#[test]
fn a_digest_tells_how_far_it_has_come() {
    let place = Place::simulated(1);
    let events: Vec<Event> = (0..10_000).map(|i| event(i, 1, [])).collect();
    let store = store_of(&place, &events);
    let mut told = Vec::new();
    let digest = store.digest_telling(1_000.., u64::MAX, |progress| {
        // Whoever is told may call the store.
        assert_eq!(store.count(..).unwrap(), 10_000);
        told.push((progress.events_done, progress.events));
    });
    assert_eq!(digest.unwrap(), store.digest(1_000.., u64::MAX).unwrap());
    assert!(told.is_sorted() && told.len() > 1 && told.iter().all(|(done, events)| *events == 9_000 && *done > 0), "{told:?}");
    assert_eq!(told.last(), Some(&(9_000, 9_000)));
    assert_error!(store.digest_telling(.., 0, |_| panic!("nothing was read")), Error::Invalid { .. });
}

#[test]
fn digests_that_make_no_sense_are_refused() {
    let place = Place::simulated(1);
    let store = store_of(&place, &[event(5, 1, "a")]);
    assert_error!(store.digest(0..100, 0), Error::Invalid { .. });
    assert_error!(store.digest(.., 1), Error::Invalid { .. });
    assert_error!(store.digest(.., u64::MAX >> 21), Error::Invalid { .. });
    assert_error!(store.digest(5..5, 1), Error::Invalid { .. });
    #[allow(clippy::reversed_empty_ranges, reason = "that it is one is what is refused")]
    {
        assert_error!(store.digest(9..=5, 1), Error::EndBeforeStart { .. });
    }
    let digest = |range, width| -> Digest { store.digest(range, width).unwrap() };
    assert_error!(digest(0..100, 10).differences(&digest(0..101, 10)), Error::Invalid { .. });
    assert_error!(digest(0..100, 10).differences(&digest(0..100, 20)), Error::Invalid { .. });
    assert_error!(digest(0..100, 10).differences(&digest(1..101, 10)), Error::Invalid { .. });
    store.close().unwrap();
    assert_error!(store.digest(0..100, 10), Error::Closed { .. });
}

#[test]
fn what_one_store_has_deleted_is_not_compared() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let events: Vec<Event> = (0..100).map(|i| event(i * 100, 1, [])).collect();
    let (store, deleted) = (store_of(&one, &events), store_of(&other, &events));
    deleted.delete_before(5_050).unwrap();
    let (digest, without) = (store.digest(0..10_000, 1_000).unwrap(), deleted.digest(0..10_000, 1_000).unwrap());
    assert_eq!(without.horizon, 5_050);
    // Where the horizon lies within a bucket, its events are not the same; what is before it is not told, either way round.
    assert_eq!(digest.differences(&without).unwrap(), [5_050..=5_999]);
    assert_eq!(without.differences(&digest).unwrap(), [5_050..=5_999]);
    let from_horizon = |store: &Store| store.digest(without.horizon..10_000, 1_000).unwrap();
    assert_eq!(from_horizon(&store).differences(&from_horizon(&deleted)).unwrap(), []);
    let repaired = repair(&deleted, &store);
    assert_eq!((repaired.to.copied, repaired.to.expired, repaired.to.skipped), (0, 51, 49));
    assert_eq!(set(&deleted), set_of(&events[51..]));
}

#[test]
fn a_million_events_of_one_time_are_told_apart_in_bounded_memory() {
    let (one, other) = (Place::real(), Place::real());
    let open = |place: &Place| Store::open(&place.path, place.options().durability(Durability::Process)).unwrap();
    let (store, reversed) = (open(&one), open(&other));
    let batch = |from: u32| (from..from + 50_000).map(|i| event(7, i, [])).collect::<Vec<_>>();
    (0..24).for_each(|i| assert!(store.append(&batch(i * 50_000)).is_ok()));
    (0..24).rev().for_each(|i| assert!(reversed.append(&batch(i * 50_000)).is_ok()));
    reversed.append(&batch(0)).unwrap();
    assert_eq!(store.digest(0..10, 10).unwrap(), reversed.digest(0..10, 10).unwrap());
    assert_eq!(store.digest(0..10, 10).unwrap().buckets[0].count, 1_200_000);
    reversed.append(&[event(7, u32::MAX, [])]).unwrap();
    assert_ne!(store.digest(0..10, 10).unwrap(), reversed.digest(0..10, 10).unwrap());
    let repaired = repair(&store, &reversed);
    assert_eq!((repaired.to.compared, repaired.to.copied), (1_250_001, 1));
    assert_eq!(store.digest(0..10, 10).unwrap(), reversed.digest(0..10, 10).unwrap());
}

#[test]
fn repair_brings_what_lacks_and_a_second_time_nothing() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let all = some_events(&mut rng, 150);
        let some = |rng: &mut Rng| all.iter().filter(|_| rng.one_in(2)).cloned().collect::<Vec<Event>>();
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let (here, there) = (some(&mut rng), some(&mut rng));
        let (to, from) = (store_of(&one, &here), Store::open(&other.path, other.options().file_size(333).grace(7)).unwrap());
        from.append(&there).unwrap();
        let both = rng.one_in(2);
        let options = if both { RepairOptions::new().both_ways() } else { RepairOptions::new() };
        let repaired = to.repair(&from, .., options, on).unwrap();
        let (set_here, set_there) = (set_of(&here), set_of(&there));
        assert_eq!(set(&to), &set_here | &set_there, "seed {seed}");
        assert_eq!(set(&from), if both { &set_here | &set_there } else { set_there.clone() }, "seed {seed}");
        assert_eq!(repaired.to.copied, (&set_there - &set_here).len() as u64);
        assert_eq!(repaired.to.compared, there.len() as u64);
        assert_eq!(repaired.to.skipped, repaired.to.compared - repaired.to.copied);
        assert_eq!(repaired.from.copied, if both { (&set_here - &set_there).len() as u64 } else { 0 });
        assert!(repaired.gaps.is_empty() && !repaired.stopped);
        // Repeats stay as they were, and none are made.
        let new = to.count(..).unwrap();
        assert_eq!(new, here.len() as u64 + repaired.to.copied);
        let again = to.repair(&from, .., options, on).unwrap();
        assert_eq!((again.to.copied, again.from.copied, to.count(..).unwrap()), (0, 0, new), "seed {seed}");
    }
}

#[test]
fn only_the_range_is_repaired() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let (to, from) = (open(&one), store_of(&other, &(0..100).map(|i| event(i, 1, [])).collect::<Vec<_>>()));
    let repaired = to.repair(&from, 20..=29, RepairOptions::new(), on).unwrap();
    assert_eq!((repaired.to.compared, repaired.to.copied), (10, 10));
    assert_eq!(common::times(&drain(to.read(..).unwrap())), (20..30).collect::<Vec<_>>());
    let repaired = to.repair(&from, 5..5, RepairOptions::new().both_ways(), on).unwrap();
    assert_eq!(repaired, Repaired::default());
}

#[test]
fn a_repair_that_is_stopped_goes_on_another_time() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let events: Vec<Event> = (0..30_000).map(|i| event(i, i as u32, [])).collect();
    let (to, from) = (open(&one), store_of(&other, &events));
    let mut copied = 0;
    let mut rounds = 0;
    loop {
        let mut calls = 0;
        let mut last = 0;
        let stop = |progress: estore::Progress| {
            calls += 1;
            assert!(last <= progress.events_done && progress.events_done <= progress.events);
            last = progress.events_done;
            if calls > rounds + 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let repaired = to.repair(&from, .., RepairOptions::new(), stop).unwrap();
        copied += repaired.to.copied;
        assert_eq!(to.count(..).unwrap(), copied, "what was copied stays");
        rounds += 1;
        if !repaired.stopped {
            break;
        }
    }
    assert!(rounds > 2, "it was stopped {rounds} times");
    assert_eq!((copied, set(&to)), (30_000, set_of(&events)));
}

#[test]
fn what_others_append_during_a_repair_is_not_doubled() {
    for seed in 0..6 {
        let (one, other) = (Place::simulated(seed), Place::simulated(seed + 100));
        let events: Vec<Event> = (0..40_000).map(|i| event(i, i as u32, [])).collect();
        let (to, from) = (open(&one), store_of(&other, &events));
        std::thread::scope(|scope| {
            let appending = scope.spawn(|| {
                let batches = events.chunks(700).map(|batch| to.append_absent(batch).unwrap().stored);
                batches.sum::<u64>()
            });
            let copied = match seed % 2 {
                0 => repair(&to, &from).to.copied,
                _ => exchange(&to, &from, RepairOptions::new()).0.to.copied,
            };
            assert_eq!(copied + appending.join().unwrap(), 40_000, "seed {seed}");
        });
        assert_eq!(common::times(&drain(to.read(..).unwrap())), (0..40_000).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn events_of_one_time_that_are_too_large_to_be_held_are_compared_in_parts() {
    let (one, other) = (Place::real(), Place::real());
    let store = |place: &Place, ids: std::ops::Range<u32>| {
        let store = Store::open(&place.path, place.options().durability(Durability::Process)).unwrap();
        let events: Vec<Event> = ids.map(|id| event(7, id, vec![id as u8; 2_000])).collect();
        events.chunks(1_000).for_each(|events| assert!(store.append(events).is_ok()));
        store.append(&events[..10]).unwrap();
        store
    };
    let (to, from) = (store(&one, 0..12_000), store(&other, 3_000..14_000));
    let repaired = to.repair(&from, .., RepairOptions::new().both_ways(), on).unwrap();
    assert_eq!((repaired.to.copied, repaired.from.copied), (2_000, 3_000));
    assert_eq!((to.count(..).unwrap(), from.count(..).unwrap()), (14_010, 14_010));
    assert_eq!(set(&to), set(&from));
}

/// Flips a bit in the middle of the first log.
fn damage(place: &Place) {
    let name = place.names(".estore").remove(0);
    let mut bytes = place.file(&name);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.put_file(&name, &bytes);
}

#[test]
fn what_is_whole_of_a_damaged_store_is_copied_and_the_gap_is_told() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let events: Vec<Event> = (0..1_000).map(|i| event(i, 1, vec![1; 1_000])).collect();
    let from = store_of(&other, &events);
    from.close().unwrap();
    damage(&other);
    let from = Store::open(&other.path, options(&other).mode(Mode::ReadOnly)).unwrap();
    let to = open(&one);
    let repaired = repair(&to, &from);
    assert_eq!(repaired.gaps.len(), 1);
    let (first, last) = (repaired.gaps[0].first_time, repaired.gaps[0].last_time);
    let whole: Vec<Event> = events.iter().filter(|event| !(first..=last).contains(&event.time)).cloned().collect();
    assert!(whole.len() > 800 && set(&to) == set_of(&whole));
    assert_error!(from.repair(&to, .., RepairOptions::new(), on), Error::ReadOnly { .. });
    drop(from);
    let from = open(&other);
    // What the other has can be had again in a new store.
    let new = Place::simulated(3);
    let salvaged = open(&new);
    repair(&salvaged, &from);
    let spare = Place::simulated(4);
    let replica = store_of(&spare, &events);
    assert!(repair(&salvaged, &replica).to.copied > 0);
    assert_eq!(set(&salvaged), set_of(&events));
}

/// What may become of a store's files.
const HARMS: [&str; 5] = ["body", "frame header", "single", "log header", "log"];

/// Harms a closed store of two chunks.
fn harm(place: &Place, how: &str) {
    let name = "0-0.estore";
    let mut bytes = place.file(name);
    let frames = common::frames(&bytes);
    match how {
        "body" => bytes[frames[2] + 128 + 40] ^= 1,
        "frame header" => bytes[frames[3] + 70] ^= 1,
        "single" => bytes[frames[frames.len() - 1] + 66] ^= 1,
        "log header" => bytes[20] ^= 1,
        "log" => return assert!(place.sim().remove(place.path.join(name))),
        _ => panic!("there is no such harm"),
    }
    place.put_file(name, &bytes);
}

/// Several frames in each of two chunks, the last of them with a single event.
fn events_to_harm() -> Vec<Event> {
    (0..2_000).step_by(4).map(|time| event(time, time as u32, vec![time as u8; 20])).collect()
}

fn open_with_leaf(place: &Place, leaf_events: u64) -> Store {
    let sizes = estore::Sizes { leaf_events, ..estore::Sizes::default() };
    Store::open(&place.path, options(place).sizes(sizes)).unwrap()
}

fn harmed(place: &Place, events: &[Event], how: &str, leaf_events: u64) -> Store {
    let store = open_with_leaf(place, leaf_events);
    for chunk in events.chunk_by(|one, next| one.time / 1_000 == next.time / 1_000) {
        let (most, last) = chunk.split_at(chunk.len() - 1);
        most.chunks(20).for_each(|batch| assert!(store.append(batch).is_ok()));
        store.append(last).unwrap();
    }
    store.close().unwrap();
    harm(place, how);
    open_with_leaf(place, leaf_events)
}

/// File, offset, length, first time and last time.
type Damaged = (String, u64, u64, u64, u64);

/// What is whole of a store, and what is damaged, in order.
fn salvaged(store: &Store) -> (BTreeSet<Identity>, Vec<Damaged>) {
    let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
    let events = common::drain_batches(&mut reader, 100);
    assert_eq!(set_of(&events).len(), events.len(), "no event is there twice");
    (set_of(&events), places(reader.gaps()))
}

fn places(gaps: &[estore::Gap]) -> Vec<Damaged> {
    let name = |gap: &estore::Gap| gap.path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut places: Vec<_> = gaps.iter().map(|gap| (name(gap), gap.offset, gap.len, gap.first_time, gap.last_time)).collect();
    places.sort();
    places
}

#[test]
fn a_damaged_store_answers_with_what_is_whole_and_tells_what_is_missing() {
    for (how, leaf_events) in HARMS.into_iter().flat_map(|how| [1, 7, 512].map(|leaf_events| (how, leaf_events))) {
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let events = events_to_harm();
        let from = harmed(&other, &events, how, leaf_events);
        let (whole, gaps) = salvaged(&from);
        assert!(!gaps.is_empty() && (whole.len() < events.len() || how == "log header"), "{how}");
        let to = open_with_leaf(&one, leaf_events);
        let (repaired, ..) = exchange(&to, &from, RepairOptions::new());
        assert_eq!(set(&to), whole, "{how}, {leaf_events}");
        assert_eq!((repaired.to.copied, repaired.to.compared), (whole.len() as u64, whole.len() as u64));
        assert_eq!(places(&repaired.gaps), gaps, "{how}, {leaf_events}");
        assert!(repaired.gaps.iter().all(|gap| gap.path.parent().unwrap().as_os_str().is_empty()), "where its folder is plays no part");
        assert!(repaired.own_gaps.is_empty());
        // That the two hold the same now does not hide that something is missing.
        let (again, messages, _) = exchange(&to, &from, RepairOptions::new().both_ways());
        assert_eq!((again.to.copied, again.from.copied, messages), (0, 0, 2));
        assert_eq!(places(&again.gaps), gaps);
    }
}

#[test]
fn a_damaged_store_is_given_what_it_lost() {
    for (how, way) in HARMS.into_iter().flat_map(|how| (0..5).map(move |way| (how, way))) {
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let events = events_to_harm();
        let to = harmed(&one, &events, how, [1, 3, 512][way % 3]);
        let from = store_of(&other, &events);
        let (whole, gaps) = salvaged(&to);
        let lost = (events.len() - whole.len()) as u64;
        let bring = || match way {
            0 | 1 => exchange(&to, &from, RepairOptions::new()).0,
            2 => to.repair(&from, .., RepairOptions::new(), on).unwrap(),
            3 => {
                // The other way round: it is the other one that gives.
                let options = RepairOptions::new().both_ways();
                let Repaired { to, from, gaps, own_gaps, .. } = exchange(&from, &to, options).0;
                assert_eq!(to.copied, 0);
                let mut repaired = Repaired::default();
                (repaired.to, repaired.own_gaps, repaired.gaps) = (from, gaps, own_gaps);
                repaired
            }
            _ => {
                let mut repaired = Repaired::default();
                for parcel in parcels(&from, 1_000) {
                    repaired.to.copied += to.import(&parcel).unwrap().stored;
                }
                repaired.own_gaps = salvage_gaps(&to);
                repaired
            }
        };
        let repaired = bring();
        assert_eq!(repaired.to.copied, lost, "{how}, {way}");
        assert_eq!((places(&repaired.own_gaps), repaired.gaps), (gaps.clone(), Vec::new()), "{how}, {way}");
        assert_eq!(salvaged(&to), (set_of(&events), gaps.clone()), "{how}, {way}");
        let again = bring();
        assert_eq!((again.to.copied, places(&again.own_gaps)), (0, gaps), "{how}, {way}");
        // The damage is where it was.
        assert_error!(to.read(..).and_then(|reader| reader.collect::<Result<Vec<_>, _>>()), Error::Corrupt { .. });
        // What is to skip all that is there already can't tell.
        if matches!(how, "body" | "frame header") {
            assert_error!(to.append_absent(&events), Error::Corrupt { .. });
        }
        // Nor does it come back when it is opened again.
        to.close().unwrap();
        assert_eq!(salvaged(&open(&one)).0, set_of(&events), "{how}, {way}");
    }
}

fn salvage_gaps(store: &Store) -> Vec<estore::Gap> {
    let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
    common::drain_batches(&mut reader, 100);
    reader.gaps().to_vec()
}

/// A disk with a page of one file that can't be read as long as it is bad.
#[derive(Clone, Debug)]
struct BadPage {
    disk: Arc<dyn Disk>,
    name: &'static str,
    page: u64,
    is_bad: Arc<AtomicBool>,
}

#[derive(Debug)]
struct BadPageFile {
    file: Box<dyn File>,
    disk: BadPage,
}

impl Disk for BadPage {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let file = self.disk.open(path, access)?;
        Ok(if path.ends_with(self.name) { Box::new(BadPageFile { file, disk: self.clone() }) } else { file })
    }
    forward!(self to self.disk; kind identity list create_folder rename remove_file remove_folder sync_folder lock random);
}

impl File for BadPageFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let page = self.disk.page * 4096..(self.disk.page + 1) * 4096;
        let is_hit = offset < page.end && page.start < offset + bytes.len() as u64;
        if is_hit && self.disk.is_bad.load(Ordering::Relaxed) {
            Err(io::Error::from_raw_os_error(libc::EIO))
        } else {
            self.file.read_at(bytes, offset)
        }
    }
    forward!(self to self.file; write_at reserve sync len truncate forget);
}

/// What can't be read for now is not missing: if it were given anew it would be there twice afterwards.
#[test]
fn what_the_system_fails_to_read_for_now_is_not_brought_anew() {
    for page in 0..6 {
        let places = [Place::simulated(1), Place::simulated(2)];
        let is_bad = Arc::new(AtomicBool::new(false));
        let disk = BadPage { disk: Arc::new(places[0].sim().session()), name: "0-0.estore", page, is_bad: Arc::clone(&is_bad) };
        let to = Store::open(&places[0].path, options(&places[0]).disk(Arc::new(disk))).unwrap();
        let from = open(&places[1]);
        let events: Vec<Event> = (0..40).map(|i| event(i, i as u32, vec![b'x'; 500])).collect();
        for event in &events {
            for store in [&to, &from] {
                store.append(std::slice::from_ref(event)).unwrap();
            }
        }
        let parcel = from.export(.., ReadOptions::new()).unwrap().next_parcel(usize::MAX).unwrap().unwrap();
        let by_messages = |exchange: estore::Result<estore::Exchange>, other: &Store| -> estore::Result<()> {
            let mut exchange = exchange?;
            while let Some(request) = exchange.request()? {
                exchange.reply(&other.answer(&request)?)?;
            }
            Ok(())
        };
        let both_ways = || RepairOptions::new().both_ways();
        is_bad.store(true, Ordering::Relaxed);
        let failed = [
            to.repair(&from, .., RepairOptions::new(), on).is_err(),
            from.repair(&to, .., both_ways(), on).is_err(),
            to.import(&parcel).is_err(),
            by_messages(to.exchange(.., RepairOptions::new()), &from).is_err(),
            by_messages(from.exchange(.., both_ways()), &to).is_err(),
        ];
        assert_eq!(failed, [true; 5], "page {page}");
        // Who gives without being given anything tells what can't be had of it.
        let third = Place::simulated(3);
        let done = repair(&open(&third), &to);
        assert!(!done.gaps.is_empty() && done.to.copied < 40, "page {page}: {done:?}");
        is_bad.store(false, Ordering::Relaxed);
        assert_eq!((to.count(..).unwrap(), from.count(..).unwrap()), (40, 40), "page {page}");
        assert_eq!(set(&to), set(&from));
    }
}

#[test]
fn two_damaged_stores_give_each_other_what_they_have() {
    for (one_harm, other_harm) in HARMS.into_iter().flat_map(|one| HARMS.map(|other| (one, other))) {
        for messages in [false, true] {
            let (one, other) = (Place::simulated(1), Place::simulated(2));
            let mut events = events_to_harm();
            let to = harmed(&one, &events, one_harm, 5);
            // Cut otherwise, so that the damage lies elsewhere.
            events.remove(3);
            let from = harmed(&other, &events, other_harm, 2);
            let ((here, gaps_here), (there, gaps_there)) = (salvaged(&to), salvaged(&from));
            let options = RepairOptions::new().both_ways();
            let bring = || if messages { exchange(&to, &from, options).0 } else { to.repair(&from, .., options, on).unwrap() };
            let repaired = bring();
            let union = &here | &there;
            let label = format!("{one_harm} and {other_harm}, by messages: {messages}");
            assert_eq!((salvaged(&to).0 == union, salvaged(&from).0 == union), (true, true), "{label}");
            assert_eq!(
                (repaired.to.copied, repaired.from.copied),
                ((&there - &here).len() as u64, (&here - &there).len() as u64),
                "{label}"
            );
            assert_eq!((places(&repaired.own_gaps), places(&repaired.gaps)), (gaps_here, gaps_there), "{label}");
            let again = bring();
            assert_eq!((again.to.copied, again.from.copied), (0, 0), "{label}");
        }
    }
}

#[test]
fn much_damage_is_told_in_few_words() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let from = Store::open(&other.path, other.options().durability(Durability::Process)).unwrap();
    (0..1_000).for_each(|time| assert!(from.append(&[event(time, 1, vec![1; 50])]).is_ok()));
    from.close().unwrap();
    let mut log = other.file("0-0.estore");
    for frame in common::frames(&log).into_iter().skip(100).step_by(2).take(200) {
        log[frame + 64 + 10] ^= 1;
    }
    other.put_file("0-0.estore", &log);
    let from = Store::open(&other.path, other.options()).unwrap();
    let to = Store::open(&one.path, one.options()).unwrap();
    let (repaired, _, bytes) = exchange(&to, &from, RepairOptions::new());
    assert_eq!(repaired.to.copied, 800);
    assert!(bytes < 200_000, "{bytes} bytes");
    let gaps = &repaired.gaps;
    assert!((2..100).contains(&gaps.len()), "{} gaps", gaps.len());
    // All that lacks lies in one of them.
    let lost = (100..500).step_by(2).filter(|time| !gaps.iter().any(|gap| (gap.first_time..=gap.last_time).contains(time)));
    assert_eq!(lost.count(), 0);
    assert_eq!(gaps.iter().map(|gap| gap.first_time).min(), Some(100));
    assert_eq!(gaps.iter().map(|gap| gap.last_time).max(), Some(498));
}

#[test]
fn damage_that_a_peer_tells_in_nonsense_is_refused() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let to = open(&one);
    let from = harmed(&other, &events_to_harm(), "body", 512);
    let mut repairing = to.exchange(.., RepairOptions::new()).unwrap();
    let request = repairing.request().unwrap().unwrap();
    let reply = from.answer(&request).unwrap();
    let name = reply.windows(10).position(|bytes| bytes == b"0-0.estore").unwrap();
    let seal = |mut bytes: Vec<u8>| {
        let end = bytes.len() - 4;
        let crc = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        bytes
    };
    // A name that is no text or would act on a terminal, and lengths that there are not.
    for (at, with) in [(name, 0xff_u8), (name, 0x1b), (name - 5, 0xff), (name - 1, 0xff), (24 + 16 + 3, 0x10), (24 + 16, 9)] {
        let mut nonsense = reply.clone();
        nonsense[at] = with;
        assert_error!(repairing.reply(&seal(nonsense)), Error::Corrupt { .. });
        assert_eq!(*repairing.repaired(), Repaired::default());
    }
    // Times the wrong way round.
    let mut nonsense = reply.clone();
    nonsense[name - 24..name - 16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_error!(repairing.reply(&seal(nonsense)), Error::Corrupt { .. });
    repairing.reply(&reply).unwrap();
    assert_eq!(repairing.repaired().gaps.len(), 1);
}

#[test]
fn a_repair_needs_two_open_stores_and_one_to_write_to() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let (to, from) = (store_of(&one, &[event(1, 1, "a")]), store_of(&other, &[event(2, 2, "b")]));
    let beside = Store::open(&other.path, options(&other).mode(Mode::ReadOnly)).unwrap();
    assert_eq!(repair(&to, &beside).to.copied, 1, "reading is enough for the other");
    assert_error!(to.repair(&beside, .., RepairOptions::new().both_ways(), on), Error::ReadOnly { .. });
    assert_error!(beside.repair(&to, .., RepairOptions::new(), on), Error::ReadOnly { .. });
    assert_eq!(repair(&to, &to).to.copied, 0, "a store has what it has");
    assert_eq!(to.count(..).unwrap(), 2);
    from.close().unwrap();
    assert_error!(to.repair(&from, .., RepairOptions::new(), on), Error::Closed { .. });
    to.close().unwrap();
    assert_error!(to.repair(&beside, .., RepairOptions::new(), on), Error::Closed { .. });
}

/// All parcels of a store.
fn parcels(store: &Store, max_bytes: usize) -> Vec<Vec<u8>> {
    let mut export = store.export(.., ReadOptions::new()).unwrap();
    let parcels: Vec<Vec<u8>> = std::iter::from_fn(|| export.next_parcel(max_bytes).unwrap()).collect();
    assert_eq!(export.next_parcel(max_bytes).unwrap(), None);
    parcels
}

#[test]
fn parcels_carry_events_from_store_to_store() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let events = some_events(&mut rng, 300);
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let (from, to) = (store_of(&one, &events), open(&other));
        let max_bytes = 1 + rng.index(2_000);
        let mut carried = parcels(&from, max_bytes);
        assert!(carried.iter().all(|parcel| parcel.len() <= max_bytes.max(24 + 16 + 30 + 4)));
        rng.shuffle(&mut carried);
        let appended: Vec<_> = carried.iter().map(|parcel| to.import(parcel).unwrap()).collect();
        assert_eq!(set(&to), set_of(&events), "seed {seed}");
        assert_eq!(appended.iter().map(|appended| appended.stored).sum::<u64>(), set_of(&events).len() as u64);
        assert_eq!(appended.iter().map(|appended| appended.stored + appended.present).sum::<u64>(), 300);
        let again = carried.iter().map(|parcel| to.import(parcel).unwrap().stored).sum::<u64>();
        assert_eq!(again, 0);
    }
}

/// Bytes of the format: the head, what is in it, its length and its checksum.
fn framed(magic: &[u8; 8], kind: u32, what: &[&[u8]]) -> Vec<u8> {
    let body = what.concat();
    let len = 24 + body.len() as u64 + 4;
    let mut bytes = [&magic[..], &1_u32.to_le_bytes(), &kind.to_le_bytes(), &len.to_le_bytes(), &body].concat();
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn parcels_and_messages_have_the_bytes_that_the_format_says() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let (to, from) = (open(&one), store_of(&other, &[event(7, 3, "abc")]));
    let [time, zero, end] = [7_u64, 0, u64::MAX].map(u64::to_le_bytes);
    let [one_more, id, len] = [1_u64.to_le_bytes().to_vec(), 3_u32.to_le_bytes().to_vec(), 3_u32.to_le_bytes().to_vec()];
    let hash = xxhash_rust::xxh3::xxh3_128(&[&time[..], &id, b"abc"].concat()).to_le_bytes();
    let parcel = framed(b"estparcl", 1, &[&time, &id, &len, b"abc"]);
    assert_eq!(parcels(&from, 1_000), std::slice::from_ref(&parcel));

    let mut exchange = to.exchange(.., RepairOptions::new()).unwrap();
    let ask = framed(b"estmessg", 1, &[&zero, &zero, &end, &zero, &zero, &[0; 16], &zero, &[0; 16]]);
    assert_eq!(exchange.request().unwrap(), Some(ask.clone()));
    // One range is answered; it is the first of those asked about, with all its identities, which are one, and no parts.
    let told = [0_u32, 0, 0, 1].map(u32::to_le_bytes).concat();
    let tell = framed(b"estmessg", 2, &[&zero, &one_more, &zero, &told, &time, &hash]);
    assert_eq!(from.answer(&ask).unwrap(), tell);
    exchange.reply(&tell).unwrap();
    let want = framed(b"estmessg", 3, &[&time, &hash]);
    assert_eq!(exchange.request().unwrap(), Some(want.clone()));
    let have = framed(b"estmessg", 4, &[&one_more, &parcel]);
    assert_eq!(from.answer(&want).unwrap(), have);
    exchange.reply(&have).unwrap();
    assert_eq!((exchange.request().unwrap(), exchange.repaired().to.copied), (None, 1));
    let taken = framed(b"estmessg", 6, &[&zero, &one_more, &zero]);
    assert_eq!(to.answer(&framed(b"estmessg", 5, &[&parcel])).unwrap(), taken);
}

#[test]
fn a_parcel_that_was_cut_or_changed_is_refused_whole() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let (from, to) = (store_of(&one, &[event(1, 1, "first"), event(2, 2, "second")]), open(&other));
    let parcel = parcels(&from, 1_000).remove(0);
    let refused = |bytes: &[u8]| {
        assert_error!(to.import(bytes), Error::Corrupt { .. });
        assert_eq!(to.count(..).unwrap(), 0);
    };
    (0..parcel.len()).for_each(|len| refused(&parcel[..len]));
    for bit in 0..parcel.len() * 8 {
        let mut changed = parcel.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        refused(&changed);
    }
    refused(&[parcel.as_slice(), &[0]].concat());
    refused(&[parcel.as_slice(), &parcel].concat());
    // With a checksum that is right, as a peer that answers nonsense may send.
    for (at, with) in [(8, 2_u32), (12, 1), (12, 3), (12, u32::MAX), (24 + 12, 6), (24 + 12, 4), (24 + 12, u32::MAX)] {
        let mut nonsense = parcel.clone();
        nonsense[at..at + 4].copy_from_slice(&with.to_le_bytes());
        let end = nonsense.len() - 4;
        let crc = crc32fast::hash(&nonsense[..end]);
        nonsense[end..].copy_from_slice(&crc.to_le_bytes());
        refused(&nonsense);
    }
    assert_eq!(to.import(&parcel).unwrap().stored, 2);
}

#[test]
fn an_export_gives_what_comes_before_damage_or_leaves_it_out() {
    let place = Place::simulated(1);
    let events: Vec<Event> = (0..500).map(|i| event(i, 1, vec![1; 1_000])).collect();
    store_of(&place, &events).close().unwrap();
    damage(&place);
    let store = Store::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
    let mut export = store.export(.., ReadOptions::new()).unwrap();
    let mut whole = 0;
    let error = loop {
        match export.next_parcel(10_000) {
            Ok(parcel) => whole += parcel.map_or(0, |parcel| parcel.len()),
            Err(error) => break error,
        }
    };
    assert!(whole > 100_000 && matches!(error, Error::Corrupt { .. }), "{whole}: {error}");
    assert_error!(export.next_parcel(10_000), Error::Corrupt { .. });
    let mut export = store.export(.., ReadOptions::new().salvage()).unwrap();
    let elsewhere = Place::simulated(2);
    let to = open(&elsewhere);
    while let Some(parcel) = export.next_parcel(10_000).unwrap() {
        to.import(&parcel).unwrap();
    }
    assert_eq!(export.gaps().len(), 1);
    assert!((300..500).contains(&to.count(..).unwrap()));
}

/// Many events in order, one each ten nanoseconds.
fn many(place: &Place, count: u64, without: &[u64]) -> Store {
    let store = Store::open(&place.path, place.options().file_size(1 << 40).durability(Durability::Process)).unwrap();
    let events: Vec<Event> = (0..count).filter(|i| !without.contains(i)).map(|i| event(i * 10, i as u32, [i as u8; 20])).collect();
    events.chunks(5_000).for_each(|events| assert!(store.append(events).is_ok()));
    store
}

#[test]
fn one_event_that_lacks_is_found_with_a_few_messages() {
    let (one, other, third) = (Place::simulated(1), Place::simulated(2), Place::simulated(3));
    let (whole, lacks) = (many(&one, 300_000, &[]), many(&other, 300_000, &[123_456]));
    let (repaired, messages, bytes) = exchange(&lacks, &whole, RepairOptions::new());
    assert_eq!((repaired.to.copied, repaired.from.copied), (1, 0));
    assert_eq!(lacks.count(..).unwrap(), 300_000);
    assert!(messages <= 8 && bytes < 40_000, "{messages} messages with {bytes} bytes");
    let (repaired, messages, bytes) = exchange(&lacks, &whole, RepairOptions::new().both_ways());
    assert_eq!(repaired, Repaired::default());
    assert!(messages == 2 && bytes < 300, "{messages} messages with {bytes} bytes");
    // The other way round, where the one who repairs has it.
    let lacks = many(&third, 300_000, &[0, 299_999]);
    let (repaired, messages, bytes) = exchange(&whole, &lacks, RepairOptions::new().both_ways());
    assert_eq!((repaired.to.copied, repaired.from.copied, lacks.count(..).unwrap()), (0, 2, 300_000));
    assert!(messages <= 8 && bytes < 80_000, "{messages} messages with {bytes} bytes");
}

#[test]
fn many_events_of_one_time_large_ones_and_an_empty_store_are_exchanged() {
    for both in [false, true] {
        let options = if both { RepairOptions::new().both_ways() } else { RepairOptions::new() };
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let events: Vec<Event> = (0..20_000).map(|i| event(7, i, [])).chain([event(8, 1, vec![1; 3 << 20])]).collect();
        let (to, from) = (store_of(&one, &events[..5_000]), store_of(&other, &events[3_000..]));
        let (repaired, ..) = exchange(&to, &from, options);
        assert_eq!((repaired.to.copied, repaired.from.copied), (15_001, if both { 3_000 } else { 0 }));
        assert_eq!(set(&to), set_of(&events));
        let third = Place::simulated(3);
        let empty = open(&third);
        assert_eq!(exchange(&empty, &to, options).0.to.copied, 20_001);
        assert_eq!(exchange(&to, &empty, options).0, Repaired::default());
    }
}

#[test]
fn whatever_a_peer_answers_is_taken_as_a_whole_or_refused() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let sizes = estore::Sizes { leaf_events: 2, ..estore::Sizes::default() };
    let open = |place: &Place| Store::open(&place.path, options(place).sizes(sizes)).unwrap();
    let (to, from) = (open(&one), open(&other));
    to.append(&(0..40).map(|i| event(i * 3, 1, [1])).collect::<Vec<_>>()).unwrap();
    from.append(&(0..40).map(|i| event(i * 2, 1, [1])).collect::<Vec<_>>()).unwrap();
    let all = &set(&to) | &set(&from);
    let mut repairing = to.exchange(.., RepairOptions::new().both_ways()).unwrap();
    assert_error!(repairing.reply(b"hello"), Error::Corrupt { .. });
    let mut replies: Vec<Vec<u8>> = Vec::new();
    while let Some(request) = repairing.request().unwrap() {
        assert_eq!(repairing.request().unwrap(), Some(request.clone()), "the same again until there was a reply");
        let before = (to.count(..).unwrap(), from.count(..).unwrap());
        for at in 0..request.len() {
            let mut changed = request.clone();
            changed[at] ^= 0x40;
            assert_error!(from.answer(&changed), Error::Corrupt { .. });
            assert_error!(from.answer(&request[..at]), Error::Corrupt { .. });
        }
        assert_error!(from.answer(&[request.as_slice(), b"x"].concat()), Error::Corrupt { .. });
        let reply = from.answer(&request).unwrap();
        assert_error!(from.answer(&reply), Error::Corrupt { .. });
        let after = from.count(..).unwrap();
        for at in 0..reply.len() {
            let mut changed = reply.clone();
            changed[at] ^= 0x40;
            assert_error!(repairing.reply(&changed), Error::Corrupt { .. });
            assert_error!(repairing.reply(&reply[..at]), Error::Corrupt { .. });
        }
        assert_error!(repairing.reply(&request), Error::Corrupt { .. });
        assert_eq!(to.count(..).unwrap(), before.0, "nothing of it counts");
        assert!(after >= before.1);
        repairing.reply(&reply).unwrap();
        assert_error!(repairing.reply(&reply), Error::Corrupt { .. });
        replies.push(reply);
    }
    assert!(replies.len() > 4);
    assert_eq!((set(&to), set(&from)), (all.clone(), all));
    // Answers to other requests, in any order, are refused or do no harm.
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let (to, from) = (open(&one), open(&other));
        to.append(&(0..30).map(|i| event(i * 5, 1, [1])).collect::<Vec<_>>()).unwrap();
        from.append(&(0..40).map(|i| event(i * 2, 1, [1])).collect::<Vec<_>>()).unwrap();
        let could_be = &(&set(&to) | &set(&from)) | &(0..40).map(|i| (i * 3, 1, vec![1])).collect();
        let mut repairing = to.exchange(.., RepairOptions::new().both_ways()).unwrap();
        let mut left = 1_000;
        while let Some(request) = repairing.request().unwrap().filter(|_| left > 0) {
            left -= 1;
            if rng.one_in(2) {
                let _ = repairing.reply(&replies[rng.index(replies.len())]);
            } else {
                repairing.reply(&from.answer(&request).unwrap()).unwrap_or(());
            }
        }
        assert!(left > 0, "seed {seed}: it comes to an end");
        assert!(set(&to).is_subset(&could_be));
        assert_eq!(exchange(&to, &from, RepairOptions::new().both_ways()).0.to.expired, 0);
        assert_eq!(set(&to), set(&from), "seed {seed}");
    }
}

#[test]
fn an_exchange_needs_a_store_to_write_to_and_may_be_with_one_that_is_read_only() {
    let (one, other) = (Place::simulated(1), Place::simulated(2));
    let (to, from) = (store_of(&one, &[event(1, 1, "a")]), store_of(&other, &[event(2, 2, "b")]));
    let beside = Store::open(&other.path, options(&other).mode(Mode::ReadOnly)).unwrap();
    assert_error!(beside.exchange(.., RepairOptions::new()), Error::ReadOnly { .. });
    assert_eq!(exchange(&to, &beside, RepairOptions::new()).0.to.copied, 1);
    let mut giving = to.exchange(.., RepairOptions::new().both_ways()).unwrap();
    let refused = loop {
        let Some(request) = giving.request().unwrap() else { panic!("there is something to give") };
        match beside.answer(&request) {
            Ok(reply) => giving.reply(&reply).unwrap(),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Error::ReadOnly { .. }));
    // The same can be given to somebody else who has that store.
    let request = giving.request().unwrap().unwrap();
    giving.reply(&from.answer(&request).unwrap()).unwrap();
    assert_eq!((giving.request().unwrap(), giving.repaired().from.copied), (None, 1));
    let reply = from.answer(&request).unwrap();
    assert_error!(giving.reply(&reply), Error::Corrupt { .. });
    to.close().unwrap();
    assert_error!(to.exchange(.., RepairOptions::new()), Error::Closed { .. });
    assert_error!(to.answer(&request), Error::Closed { .. });
    assert_error!(giving.reply(&reply), Error::Closed { .. });
    assert_error!(giving.request(), Error::Closed { .. });
}

#[test]
fn what_was_deleted_on_either_side_is_not_brought_back_by_messages() {
    for leaf_events in [1, 512] {
        let (one, other) = (Place::simulated(1), Place::simulated(2));
        let sizes = estore::Sizes { leaf_events, ..estore::Sizes::default() };
        let open = |place: &Place| Store::open(&place.path, options(place).sizes(sizes)).unwrap();
        let (to, from) = (open(&one), open(&other));
        let events: Vec<Event> = (0..100).map(|i| event(i * 100, 1, [])).collect();
        to.append(&events[..80]).unwrap();
        from.append(&events).unwrap();
        to.delete_before(3_050).unwrap();
        from.delete_before(5_050).unwrap();
        let (repaired, ..) = exchange(&to, &from, RepairOptions::new().both_ways());
        assert_eq!((repaired.to.copied, repaired.from.copied), (20, 0));
        assert_eq!(set(&to), set_of(&events[31..]));
        assert_eq!(set(&from), set_of(&events[51..]));
        let (repaired, messages, _) = exchange(&from, &to, RepairOptions::new().both_ways());
        assert_eq!((repaired.to.copied, repaired.from.copied, repaired.to.expired), (0, 0, 0));
        assert!(messages < 20);
    }
}
