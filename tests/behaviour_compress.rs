//! Compressed chunks: the same events from fewer bytes, by whatever way they are read; and nothing that a header says about them is believed
//! unless it is so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::mpsc;

use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, drain_batches, event, times};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{
    Compacted, Compression, Durability, Efile, Error, Event, EventRef, FindingKind, Level, Mode, Options, Progress, ReadOptions, Sizes,
    Store, Tailed,
};

const FILE_SIZE: u64 = 1_000_000;

fn plain(place: &Place) -> Options {
    place.options().file_size(FILE_SIZE).grace(1000).durability(Durability::Process)
}

fn lz4(place: &Place) -> Options {
    plain(place).compression(Compression::Lz4)
}

fn open(place: &Place, options: Options) -> Store {
    Store::open(&place.path, options).expect("the store opens")
}

fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn compact(store: &Store) -> Compacted {
    store.compact(.., on).expect("compaction works")
}

/// A line as a service logs it.
fn line(rng: &mut Rng, i: u64) -> String {
    format!(
        "INFO request {i} from 10.0.{}.{} took {} us: GET /api/v1/items/{}",
        rng.below(8),
        rng.below(256),
        rng.below(5000),
        rng.below(90)
    )
}

/// Appends `count` lines to a chunk, in order.
fn append_lines(store: &Store, chunk: u64, count: u64) {
    let mut rng = Rng::new(chunk);
    let events: Vec<Event> = (0..count).map(|i| event(chunk * FILE_SIZE + i * 10, i as u32 % 5, line(&mut rng, i))).collect();
    for batch in events.chunks(1000) {
        store.append(batch).unwrap();
    }
}

/// Appends `count` events of 100 random bytes to a chunk, in order.
fn append_noise(store: &Store, chunk: u64, count: u64) {
    let mut rng = Rng::new(chunk);
    let events: Vec<Event> = (0..count).map(|i| event(chunk * FILE_SIZE + i * 10, 1, rng.bytes(100))).collect();
    for batch in events.chunks(1000) {
        store.append(batch).unwrap();
    }
}

/// All events, which forwards, backwards, counted, one by one and in any window are the same.
fn all(store: &Store) -> Vec<Event> {
    let events = drain(store.read(..).expect("a reader opens"));
    assert_ordered(&events);
    assert_eq!(store.count(..).unwrap(), events.len() as u64);
    let mut backwards = drain(store.read_with(.., ReadOptions::new().reverse()).unwrap());
    backwards.reverse();
    assert_eq!(backwards, events, "backwards is the same reversed");
    let mut rng = Rng::new(events.len() as u64);
    for _ in 0..if events.is_empty() { 0 } else { 30 } {
        let from = rng.below(events.len() as u64) as usize;
        let to = (from + rng.below(300) as usize).min(events.len() - 1);
        let (start, end) = (events[from].time, events[to].time);
        let inside: Vec<Event> = events.iter().filter(|event| (start..=end).contains(&event.time)).cloned().collect();
        assert_eq!(store.count(start..=end).unwrap(), inside.len() as u64);
        assert_eq!(drain(store.read(start..=end).unwrap()), inside);
    }
    events
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

/// What is in a tail from its beginning on, in order of arrival.
fn tailed(store: &Store) -> Vec<Event> {
    let mut tail = store.tail(0).unwrap();
    let mut events = Vec::new();
    loop {
        match tail.next_batch(97).unwrap() {
            Tailed::Events(batch) => events.extend(batch.iter().map(|event: EventRef<'_>| event.to_event())),
            Tailed::Gap => panic!("nothing was removed"),
            Tailed::Nothing => return events,
        }
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let mut wide = [0; 8];
    wide[..len].copy_from_slice(&bytes[at..at + len]);
    u64::from_le_bytes(wide)
}

/// Where the frames of a log start: codec, length as stored, length as decoded.
fn bodies(log: &[u8]) -> Vec<(usize, u8, usize, usize)> {
    let of = |at: usize| (at, log[at + 26], number(log, at + 40, 4) as usize, number(log, at + 44, 4) as usize);
    common::frames(log).into_iter().map(of).collect()
}

/// Makes the checksums of a frame and its body fit what they say.
fn reseal(log: &mut [u8], frame: usize) {
    let len = number(log, frame + 40, 4) as usize;
    let body = log.get(frame + 128..frame + 128 + len).map_or(0, crc32fast::hash);
    log[frame + 48..frame + 52].copy_from_slice(&body.to_le_bytes());
    let header = crc32fast::hash(&log[frame + 16..frame + 128]);
    log[frame + 4..frame + 8].copy_from_slice(&header.to_le_bytes());
}

#[test]
fn the_same_events_come_out_of_fewer_bytes() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place, lz4(&place));
        append_lines(&store, 0, 4000);
        append_lines(&store, 1, 4000);
        store.append(&[event(5, 1, "late")]).unwrap();
        let (before, arrived, stats) = (all(&store), tailed(&store), store.stats().unwrap());
        let compacted = compact(&store);
        assert_eq!((compacted.chunks, compacted.events), (2, before.len() as u64));
        assert!(compacted.bytes_after * 5 < compacted.bytes_before * 2, "{compacted:?}");
        let log = place.file("0-1.estore");
        let bodies = bodies(&log);
        assert!(bodies.len() > 3 && bodies.iter().all(|(_, codec, stored, plain)| *codec == 1 && stored < plain), "{bodies:?}");
        assert!(bodies.iter().all(|(.., plain)| *plain <= 80 << 10), "frames hold what they held: {bodies:?}");
        assert_sound(&store);
        assert_eq!((all(&store), tailed(&store)), (before.clone(), arrived.clone()));
        let now = store.stats().unwrap();
        assert_eq!(now.log_bytes, compacted.bytes_after);
        assert_eq!((now.events, now.oldest, now.newest, now.last_seq), (stats.events, stats.oldest, stats.newest, stats.last_seq));
        assert_eq!(compact(&store).chunks, 0, "there is nothing more to do");
        store.close().unwrap();

        // Whoever reads needs no option, nor an index.
        for options in [plain(&place), plain(&place).mode(Mode::ReadOnly), plain(&place).no_index(true)] {
            let store = open(&place, options);
            assert_eq!((all(&store), tailed(&store)), (before.clone(), arrived.clone()));
            assert_sound(&store);
        }
        place.disk.remove_file(&place.path.join("0-1.idx")).unwrap();
        assert_eq!(all(&open(&place, plain(&place))), before);
    }
}

#[test]
fn what_does_not_get_smaller_is_stored_as_it_is() {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place));
    append_noise(&store, 0, 2000);
    let before = all(&store);
    assert_eq!(compact(&store).chunks, 1);
    let log = place.file("0-1.estore");
    assert!(bodies(&log).iter().all(|(_, codec, stored, plain)| *codec == 0 && stored == plain));
    assert_eq!(compact(&store).chunks, 0, "it was tried once");
    store.close().unwrap();
    let store = open(&place, lz4(&place));
    assert_eq!(compact(&store).chunks, 0, "and that is known");
    assert_eq!(all(&store), before);
    assert_sound(&store);
}

/// So does everything that follows the numbers in headers.
#[test]
fn frames_of_both_kinds_stand_in_one_log() {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place));
    let mut rng = Rng::new(1);
    let mut time = 0;
    let mut next = |data: Vec<u8>| {
        time += 10;
        event(time, 1, data)
    };
    for part in 0..6 {
        let batch: Vec<Event> = (0..1500).map(|i| next(if part % 2 == 0 { line(&mut rng, i).into() } else { rng.bytes(80) })).collect();
        store.append(&batch).unwrap();
    }
    // As large as what is compressed may be, and larger. A single event that comes last is alone in its frame.
    store.append(&[next(vec![7; 3 << 20]), next(vec![8; 5 << 20]), next(Vec::new())]).unwrap();
    store.append(&[next(vec![9; 3 << 20])]).unwrap();
    let before = all(&store);
    let arrived = tailed(&store);
    compact(&store);
    let log = place.file("0-1.estore");
    assert!(log.len() < 8 << 20, "{}", log.len());
    let bodies: Vec<(u8, usize)> = bodies(&log).into_iter().map(|(_, codec, _, plain)| (codec, plain)).collect();
    assert!(bodies.contains(&(1, 3 << 20)) && bodies.contains(&(0, 5 << 20)), "{bodies:?}");
    assert!(bodies.iter().filter(|(codec, _)| *codec == 0).count() > 3 && bodies.iter().filter(|(codec, _)| *codec == 1).count() > 3);
    assert_eq!((all(&store), tailed(&store)), (before, arrived));
    assert_sound(&store);
}

#[test]
fn a_window_of_a_compressed_chunk_costs_one_frame() {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place).file_size(1 << 60));
    append_lines(&store, 0, 50_000);
    let before = compact(&store);
    store.count(1..50).unwrap();
    for reverse in [false, true] {
        place.sim().reset_counters();
        let how = if reverse { ReadOptions::new().reverse() } else { ReadOptions::new() };
        assert_eq!(times(&drain(store.read_with(200_000..=200_000, how).unwrap())), [200_000]);
        let read = place.sim().counters().read_bytes;
        assert!(read < 64 << 10, "{read} bytes of {before:?}");
    }
}

#[test]
fn a_lone_event_far_ahead_and_equal_events_are_compressed_like_others() {
    let place = Place::simulated(1);
    let store = Efile::open(&place.path, place.options().grace(10).compression(Compression::Lz4)).unwrap();
    let mut events: Vec<Event> = (0..3000).map(|i| event(i, 1, "the same again and again")).collect();
    events.push(event(u64::MAX, 1, "far ahead"));
    events.extend((0..9000).map(|_| event(5000, 3, "")));
    for batch in events.chunks(500) {
        store.append(batch).unwrap();
    }
    let before = drain(store.read(..).unwrap());
    let compacted = store.compact(.., on).unwrap();
    assert!(compacted.bytes_after < 20_000, "{compacted:?}");
    assert_eq!(drain(store.read(..).unwrap()), before);
    assert_eq!(store.compact(.., on).unwrap().chunks, 0);
}

#[test]
fn choosing_it_later_compacts_once_more_and_none_gives_back_what_was() {
    let place = Place::simulated(1);
    let store = open(&place, plain(&place));
    append_lines(&store, 0, 3000);
    store.append(&[event(7, 1, "late")]).unwrap();
    assert_eq!(compact(&store).chunks, 1);
    let before = all(&store);
    let uncompressed = store.stats().unwrap().log_bytes;
    store.close().unwrap();

    let store = open(&place, lz4(&place));
    let compacted = compact(&store);
    assert_eq!((compacted.chunks, compacted.bytes_before), (1, uncompressed));
    assert!(compacted.bytes_after * 2 < compacted.bytes_before, "{compacted:?}");
    assert_eq!(compact(&store).chunks, 0);
    assert_eq!(all(&store), before);
    store.close().unwrap();

    // Whoever says nothing leaves it as it is, also with what came since.
    let store = open(&place, plain(&place));
    assert_eq!(compact(&store).chunks, 0);
    append_lines(&store, 0, 100);
    let before = all(&store);
    let compacted = compact(&store);
    assert!(compacted.chunks == 1 && compacted.bytes_after * 2 < uncompressed, "{compacted:?}");
    assert_eq!(all(&store), before);
    store.close().unwrap();

    let store = open(&place, plain(&place).compression(Compression::None));
    let compacted = compact(&store);
    assert!(compacted.chunks == 1 && compacted.bytes_after >= uncompressed, "{compacted:?}");
    assert_eq!(compact(&store).chunks, 0);
    let name = place.names(".estore").pop().unwrap();
    assert!(bodies(&place.file(&name)).iter().all(|(_, codec, ..)| *codec == 0));
    assert_eq!(all(&store), before);
    assert_sound(&store);
}

/// Small sizes, so that past chunks of a few kilobytes count.
fn in_background(options: Options) -> Options {
    options.background(true).sizes(Sizes { pending_bytes: 2000, compact_bytes: 20_000, ..Sizes::default() })
}

fn wait_for_backlog(store: &Store) {
    let began = std::time::Instant::now();
    while store.stats().unwrap().backlog_bytes > 0 {
        assert!(began.elapsed().as_secs() < 60, "it is not compacted");
        std::thread::yield_now();
    }
}

#[test]
fn past_chunks_are_compressed_by_themselves_once() {
    let place = Place::simulated(1);
    let (tell, told) = mpsc::channel();
    let tell = move |level, text: &str| tell.send((level, text.to_owned())).unwrap();
    let store = open(&place, in_background(lz4(&place)).log(tell));
    append_lines(&store, 0, 1000);
    append_noise(&store, 1, 1000);
    append_lines(&store, 2, 10);
    append_lines(&store, 3, 1000);
    wait_for_backlog(&store);
    let before = all(&store);
    store.close().unwrap();
    drop(store);
    let compacted: Vec<String> = told.iter().map(|(_, text)| text).filter(|text| text.contains("compacted")).collect();
    assert_eq!(compacted.len(), 2, "in order, but not yet tried: {compacted:?}");
    assert_eq!(place.names(".estore"), ["0-1.estore", "1-1.estore", "2-0.estore", "3-0.estore"], "the newest and the small are left");
    let store = open(&place, in_background(lz4(&place)));
    assert_eq!(store.stats().unwrap().backlog_bytes, 0);
    assert_eq!(all(&store), before);
    store.close().unwrap();
    assert_eq!(place.names(".estore").len(), 4);
}

#[test]
fn what_was_compacted_before_it_was_chosen_is_compressed_by_itself_too() {
    let place = Place::simulated(1);
    let store = open(&place, plain(&place));
    (0..3).for_each(|chunk| append_lines(&store, chunk, 1000));
    store.append(&[event(7, 1, "late")]).unwrap();
    compact(&store);
    let before = all(&store);
    store.close().unwrap();
    let store = open(&place, in_background(lz4(&place)).compaction(false));
    assert!(store.stats().unwrap().backlog_bytes > 0);
    store.close().unwrap();
    let store = open(&place, in_background(lz4(&place)));
    wait_for_backlog(&store);
    assert_eq!(all(&store), before);
    store.close().unwrap();
    assert_eq!(place.names("-1.estore"), ["2-1.estore"], "the newest stays as it was");
    // Nothing is given back by itself.
    let store = open(&place, in_background(plain(&place).compression(Compression::None)));
    assert_eq!(store.stats().unwrap().backlog_bytes, 0);
}

#[test]
fn a_journal_that_is_lost_takes_nothing_with_it() {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place));
    append_lines(&store, 0, 2000);
    append_noise(&store, 1, 500);
    compact(&store);
    let before = all(&store);
    store.close().unwrap();
    drop(store);
    place.sim().remove(place.path.join("journal"));
    let store = open(&place, lz4(&place));
    assert_eq!(all(&store), before);
    assert_eq!(compact(&store).chunks, 0, "the logs tell how they are compressed");
    assert_sound(&store);
}

#[test]
fn a_disk_without_room_for_it_uncompressed_may_have_enough() {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place));
    append_lines(&store, 0, 3000);
    let before = all(&store);
    let full =
        |call| Fault { at: 0, calls: Some(call), name: Some("0-1.new".into()), effect: FaultEffect::Errno(libc::ENOSPC), forever: true };
    place.sim().inject(full(Call::Write));
    assert_error!(store.compact(.., on), Error::NoSpace { .. });
    assert!(place.names(".new").is_empty());
    assert_eq!(all(&store), before);
    place.sim().clear_faults();
    place.sim().inject(full(Call::Reserve));
    assert_eq!(compact(&store).chunks, 1);
    assert_eq!(all(&store), before);
}

#[test]
fn a_loss_of_power_at_any_moment_leaves_one_or_the_other() {
    for crash in [Crash::LoseAll, Crash::KeepAll] {
        let place = Place::simulated(1);
        let store = open(&place, lz4(&place));
        append_lines(&store, 0, 1000);
        store.sync().unwrap();
        let before = all(&store);
        compact(&store);
        place.crash(crash);
        drop(store);
        assert_eq!(all(&open(&place, plain(&place))), before);
    }
}

/// A closed store whose chunk 0 is compressed, its events, and its log.
fn compressed() -> (Place, Vec<Event>, Vec<u8>) {
    let place = Place::simulated(1);
    let store = open(&place, lz4(&place));
    append_lines(&store, 0, 4000);
    append_lines(&store, 1, 10);
    let before = all(&store);
    store.compact(..FILE_SIZE, on).unwrap();
    store.close().unwrap();
    drop(store);
    let log = place.file("0-1.estore");
    (place, before, log)
}

/// Reads, salvages and verifies a store whose frame at `frame` of `0-1.estore` is damaged, with and without its index.
fn assert_damaged(place: &Place, before: &[Event], frame: usize, whole: &[u8], what: &str) {
    for mode in [Mode::ReadOnly, Mode::Existing] {
        for no_index in [false, true] {
            let store = open(place, plain(place).mode(mode).no_index(no_index));
            let reader = store.read(..).unwrap();
            let results: Vec<estore::Result<Event>> = reader.collect();
            let Some(Err(error)) = results.last() else { panic!("{what}: reading goes on past it") };
            assert!(
                matches!(error, Error::Corrupt { offset, path, .. } if *offset == frame as u64 && path.ends_with("0-1.estore")),
                "{error}"
            );
            assert!(error.to_string().contains(what), "{error}");
            let mut findings = Vec::new();
            store
                .verify(|finding| {
                    findings.push((finding.kind, finding.offset));
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert!(findings.contains(&(FindingKind::Damage, frame as u64)), "{what}: {findings:?}");
            let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
            let events = drain_batches(&mut reader, 100);
            let [gap] = reader.gaps() else { panic!("{what}: {:?}", reader.gaps()) };
            let outside: Vec<&Event> = before.iter().filter(|event| event.time < gap.first_time || event.time > gap.last_time).collect();
            assert!(outside.iter().all(|event| events.contains(event)) && events.len() < before.len(), "{what}");
            assert!(events.iter().all(|event| before.contains(event)), "{what}: an event that was never appended");
            let mut tail = store.tail(0).unwrap();
            let error = loop {
                match tail.next_batch(100_000) {
                    Ok(Tailed::Events(batch)) => assert!(batch.iter().all(|event| before.contains(&event.to_event())), "{what}"),
                    Ok(other) => panic!("{what}: {other:?}"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
            assert_error!(store.append_absent(&[event(before[1500].time, 1, "x")]), Error::Corrupt { .. } | Error::ReadOnly { .. });
        }
    }
    place.put_file("0-1.estore", whole);
    assert_eq!(all(&open(place, plain(place))), before);
}

#[test]
fn damage_of_a_compressed_frame_is_found_located_and_salvaged_around() {
    let (place, before, log) = compressed();
    let (frame, _, stored, _) = bodies(&log)[1];
    for at in [0, 1, stored / 2, stored - 1] {
        let mut damaged = log.clone();
        damaged[frame + 128 + at] ^= 1;
        place.put_file("0-1.estore", &damaged);
        assert_damaged(&place, &before, frame, &log, "the checksum of");
    }
}

#[test]
fn a_stored_body_that_is_no_such_thing_is_damage_whatever_its_checksum_says() {
    let (place, before, log) = compressed();
    let (frame, _, stored, plain) = bodies(&log)[1];
    let body = frame + 128;
    type Change<'a> = (&'a str, &'a str, &'a dyn Fn(&mut Vec<u8>));
    let changes: [Change<'_>; 6] = [
        ("zeros", "can't be decompressed", &|log| log[body..body + stored].fill(0)),
        ("ones", "can't be decompressed", &|log| log[body..body + stored].fill(255)),
        ("longer", "another length", &|log| log[frame + 44..frame + 48].copy_from_slice(&(plain as u32 + 1).to_le_bytes())),
        ("twice", "another length", &|log| log[frame + 44..frame + 48].copy_from_slice(&(plain as u32 * 2).to_le_bytes())),
        ("shorter", "can't be decompressed", &|log| log[frame + 44..frame + 48].copy_from_slice(&(plain as u32 - 1).to_le_bytes())),
        ("counted", "columns", &|log| log[frame + 32..frame + 36].copy_from_slice(&8192_u32.to_le_bytes())),
    ];
    for (_, what, change) in changes {
        let mut damaged = log.clone();
        change(&mut damaged);
        reseal(&mut damaged, frame);
        place.put_file("0-1.estore", &damaged);
        assert_damaged(&place, &before, frame, &log, what);
    }
}

#[test]
fn a_header_that_claims_what_its_bytes_cannot_give_is_not_believed() {
    let (place, before, log) = compressed();
    let (frame, _, stored, plain) = bodies(&log)[1];
    let lengths = [0, 1, stored, stored * 255 + 1, (4 << 20) + 1, u32::MAX as usize];
    for len in lengths {
        assert_ne!(len, plain);
        let mut damaged = log.clone();
        damaged[frame + 44..frame + 48].copy_from_slice(&(len as u32).to_le_bytes());
        reseal(&mut damaged, frame);
        place.put_file("0-1.estore", &damaged);
        assert_damaged(&place, &before, frame, &log, "");
    }
    // What is not compressed has one length.
    let mut damaged = log.clone();
    damaged[frame + 26] = 0;
    reseal(&mut damaged, frame);
    place.put_file("0-1.estore", &damaged);
    assert_damaged(&place, &before, frame, &log, "");
}

#[test]
fn a_codec_of_a_newer_version_is_named_and_not_taken_for_damage() {
    let (place, before, log) = compressed();
    let (frame, ..) = bodies(&log)[1];
    let mut newer = log.clone();
    newer[frame + 26] = 200;
    reseal(&mut newer, frame);
    place.put_file("0-1.estore", &newer);
    let store = open(&place, plain(&place).no_index(true));
    assert_error!(store.read(..).unwrap().next_batch(1).map(drop), Error::NewerFormat { .. });
    assert_eq!(drain(store.read(FILE_SIZE..).unwrap()).len(), 10, "other chunks can be read");
    store.close().unwrap();
    place.put_file("0-1.estore", &log);
    assert_eq!(all(&open(&place, plain(&place))), before);
}

/// An index that joins compressed frames would have them decompressed at once: it lies.
#[test]
fn an_index_that_joins_compressed_frames_is_not_believed() {
    let (place, before, _) = compressed();
    let mut index = place.file("0-1.idx");
    let (end, count, last) = (number(&index, 56 + 64, 8) + number(&index, 56 + 72, 4), number(&index, 56 + 76, 4), 56 + 64 + 32);
    let last_key = index[last..last + 16].to_vec();
    index[56 + 8..56 + 12].copy_from_slice(&((end - 64) as u32).to_le_bytes());
    let sum = number(&index, 56 + 12, 4) + count;
    index[56 + 12..56 + 16].copy_from_slice(&(sum as u32).to_le_bytes());
    index[56 + 32..56 + 48].copy_from_slice(&last_key);
    index[56 + 56..56 + 60].copy_from_slice(&((end - 64) as u32).to_le_bytes());
    index.drain(56 + 64..56 + 128);
    let entries = number(&index, 44, 4) as u32 - 1;
    index[44..48].copy_from_slice(&entries.to_le_bytes());
    let entries_crc = crc32fast::hash(&index[56..56 + entries as usize * 64]);
    index[48..52].copy_from_slice(&entries_crc.to_le_bytes());
    let header_crc = crc32fast::hash(&index[8..56]);
    index[4..8].copy_from_slice(&header_crc.to_le_bytes());
    place.put_file("0-1.idx", &index);
    let (tell, told) = mpsc::channel();
    let store = open(&place, plain(&place).mode(Mode::ReadOnly).log(move |level, text| tell.send((level, text.to_owned())).unwrap()));
    assert_eq!(drain(store.read(..).unwrap()), before);
    drop(store);
    assert!(told.iter().any(|(level, text)| level == Level::Warning && text.contains("not believed")));
}

#[test]
fn handles_beside_a_writer_that_compresses_go_on() {
    let place = Place::real();
    let store = open(&place, lz4(&place));
    append_lines(&store, 0, 3000);
    let before = all(&store);
    let beside = open(&place, plain(&place).mode(Mode::ReadOnly));
    let mut begun = beside.read(..).unwrap();
    let mut events: Vec<Event> = begun.by_ref().take(10).map(Result::unwrap).collect();
    compact(&store);
    assert_eq!(all(&beside), before);
    events.extend(drain(begun));
    assert_eq!(events, before);
    assert_sound(&beside);
}
