//! Files that are harmed, at every place: a store that was closed, and one whose writer died. What opens shows no event that was not
//! appended, and misses none in silence.
//!
//! A small sister of `sweep_bytes.rs`, for bugs that only damage shows.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use estore::disk::{Crash, SimClock, SimDisk};
use estore::{Compression, Durability, Error, Event, Mode, Options, ReadOptions, Sizes, Store};

use crate::common::event;

use super::life::PATH;
use super::{Effort, Failure, Stats, Sweep};

const CHUNK: u64 = 100;
/// So many bytes at once are overwritten with zeros.
const ZEROS: usize = 40;

/// A store to harm.
struct Base {
    name: &'static str,
    disk: SimDisk,
    /// All that it shows unharmed.
    all: Vec<Event>,
    durable: u64,
    died: bool,
}

fn options(disk: &SimDisk) -> Options {
    let clock = SimClock::new(1_700_000_000_000_000_000);
    let sizes = Sizes { pending_bytes: 300, run_frame_bytes: 100, ..Sizes::default() };
    Options::new().disk(Arc::new(disk.session())).clock(Arc::new(clock)).background(false).durability(Durability::Process).sizes(sizes)
}

/// Appends the same things to two chunks.
fn append_to_both(store: &Store, times: &[u64], len: usize) {
    for chunk in [0, CHUNK] {
        let events: Vec<Event> = (0..).zip(times).map(|(id, time)| event(time + chunk, id, vec![*time as u8; len])).collect();
        store.append(&events).unwrap();
    }
}

fn open(disk: &SimDisk) -> Store {
    Store::open(PATH, options(disk).file_size(CHUNK).grace(10)).unwrap()
}

/// Two chunks with the same things at the same places, with single events, batches, late events and runs.
fn make(name: &'static str, close: bool) -> Base {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    let append = |times: &[u64], len: usize| append_to_both(&store, times, len);
    append(&[50, 51, 52], 10);
    append(&[53], 20);
    append(&[20, 22, 24], 120);
    append(&[54, 55], 10);
    store.sync().unwrap();
    append(&[56], 10);
    append(&[57, 25], 10);
    let durable = if close { store.last_seq() } else { store.durable_seq() };
    let all = store.read(..).unwrap().collect::<estore::Result<Vec<Event>>>().unwrap();
    if close {
        store.close().unwrap();
    }
    disk.power_off();
    drop(store);
    disk.power_on(Crash::KeepAll);
    Base { name, disk, all, durable, died: !close }
}

/// Adds to fields of a frame's header, by the function that it is given.
type Change<'a> = dyn Fn(&mut dyn FnMut(usize, u32)) + 'a;

/// A store of one chunk that is compressed, and harms whose checksums fit: frames that say of themselves that more comes out of them.
fn make_compressed() -> (Base, Vec<Harm>) {
    const LOG: &str = "/store/0-1.estore";
    let disk = SimDisk::new(1);
    let store = Store::open(PATH, options(&disk).file_size(CHUNK).grace(10).compression(Compression::Lz4)).unwrap();
    append_to_both(&store, &[50, 51, 52, 53, 54], 90);
    append_to_both(&store, &[20, 22], 90);
    store.compact(..CHUNK, |_| ControlFlow::Continue(())).unwrap();
    let all = store.read(..).unwrap().collect::<estore::Result<Vec<Event>>>().unwrap();
    let durable = store.last_seq();
    store.close().unwrap();
    drop(store);
    let log = disk.dump(LOG).unwrap();
    let mut harms = Vec::new();
    for (at, len) in frames(&log) {
        assert_eq!(log[at + 26], 1, "the frame is compressed");
        let field = |log: &[u8], field: usize| u32::from_le_bytes(log[at + field..at + field + 4].try_into().unwrap());
        let mut change = |how: &str, change: &Change<'_>| {
            let mut changed = log.clone();
            change(&mut |place, add| {
                let number = field(&changed, place) + add;
                changed[at + place..at + place + 4].copy_from_slice(&number.to_le_bytes());
            });
            let body = crc32fast::hash(&changed[at + 128..at + len]);
            changed[at + 48..at + 52].copy_from_slice(&body.to_le_bytes());
            let header = crc32fast::hash(&changed[at + 16..at + 128]);
            changed[at + 4..at + 8].copy_from_slice(&header.to_le_bytes());
            harms.push(Harm { name: format!("/{how}-{at}"), files: vec![(LOG.into(), changed)], like_a_tail: false });
        };
        change("longer", &|add| add(44, 1));
        // A byte more of each event.
        change("stretched", &|add| {
            add(44, field(&log, 32));
            add(56, 1);
        });
    }
    (Base { name: "compressed", disk, all, durable, died: false }, harms)
}

/// Two stores that were one until their writer died, and then got other events of the same lengths: the second, and the derived files of
/// the first. What those say was true once, of these very logs.
fn make_twins() -> (Base, Vec<(String, Vec<u8>)>) {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    append_to_both(&store, &[50, 51, 52], 10);
    append_to_both(&store, &[20, 22, 24], 120);
    let lives = [[[60, 61], [26, 27], [66, 67]], [[62, 63], [21, 23], [70, 71]]].map(|times| {
        let disk = disk.fork(1);
        let store = open(&disk);
        append_to_both(&store, &times[0], 10);
        append_to_both(&store, &times[1], 120);
        append_to_both(&store, &times[2], 10);
        let all = store.read(..).unwrap().collect::<estore::Result<Vec<Event>>>().unwrap();
        let durable = store.last_seq();
        store.close().unwrap();
        Base { name: "twin", disk, all, durable, died: false }
    });
    let [other, twin] = lives;
    let derived = other.disk.paths().into_iter().filter(|path| path.extension().is_some_and(|end| end == "idx" || end == "recon"));
    (twin, derived.map(|path| (path.to_str().unwrap().to_owned(), other.disk.dump(&path).unwrap())).collect())
}

/// Where the frames of a log start, and how long they are.
fn frames(log: &[u8]) -> Vec<(usize, usize)> {
    let number = |at: usize| log.get(at..at + 4).map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().unwrap()) as usize);
    let mut frames = Vec::new();
    let mut at = 64;
    while log.get(at..at + 4) == Some(b"eFrm") {
        let single = log[at + 24] & 32 != 0;
        let len = if single { 64 + number(at + 32) } else { 128 + number(at + 40) };
        frames.push((at, len));
        at += len;
    }
    frames
}

/// Where what may be a torn tail begins in a log whose writer died: behind the last durable frame there is nothing that could tell.
fn tail(log: &[u8], durable: u64) -> usize {
    let seq = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
    let batch = |at: usize| if log[at + 24] & 32 != 0 { seq(at + 48) } else { seq(at + 112) };
    frames(log).iter().rfind(|(at, _)| batch(*at) <= durable).map_or(0, |(at, _)| *at)
}

/// What became of a store's files.
struct Harm {
    name: String,
    files: Vec<(String, Vec<u8>)>,
    /// It looks like a torn tail, and may be taken for one.
    like_a_tail: bool,
}

fn harms(base: &Base) -> Vec<Harm> {
    let mut harms = Vec::new();
    let files: Vec<(String, Vec<u8>)> = base
        .disk
        .paths()
        .into_iter()
        .map(|path| {
            let bytes = base.disk.dump(&path).unwrap();
            (path.to_str().unwrap().to_owned(), bytes)
        })
        .collect();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("lock")) {
        let content = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let mut change = |how: &str, at: usize, change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = bytes.clone();
            change(&mut changed);
            let like_a_tail = base.died && name.ends_with(".estore") && (how == "cut" || at + ZEROS > tail(bytes, base.durable));
            harms.push(Harm { name: format!("{name}-{how}-{at}"), files: vec![(name.clone(), changed)], like_a_tail });
        };
        for at in 0..content {
            change("flip", at, &|bytes| bytes[at] ^= 1 << (at % 8));
            if at % 29 == 0 {
                change("cut", at, &|bytes| bytes.truncate(at));
                change("zero", at, &|bytes| bytes[at..(at + ZEROS).min(content)].fill(0));
            }
        }
        for &(at, len) in &frames(bytes) {
            for &(from, _) in frames(bytes).iter().filter(|(from, other)| *from != at && *other == len) {
                change("double", at, &|bytes| bytes.copy_within(from..from + len, at));
            }
        }
    }
    // Frames in each other's place in two logs that look the same.
    let log = |name: &str| files.iter().find(|(path, _)| path.ends_with(name)).unwrap();
    let ((a, a_bytes), (b, b_bytes)) = (log("0-0.estore"), log("1-0.estore"));
    for (at, len) in frames(a_bytes).into_iter().filter(|frame| frames(b_bytes).contains(frame)) {
        let (mut a_bytes, mut b_bytes) = (a_bytes.clone(), b_bytes.clone());
        a_bytes[at..at + len].swap_with_slice(&mut b_bytes[at..at + len]);
        let like_a_tail = base.died && at >= tail(&a_bytes, base.durable).min(tail(&b_bytes, base.durable));
        harms.push(Harm { name: format!("/exchange-frames-{at}"), files: vec![(a.clone(), a_bytes), (b.clone(), b_bytes)], like_a_tail });
    }
    harms
}

/// All events that a reader gives, and whether it ended well.
fn read_on(store: &Store, how: ReadOptions) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    let reader = match store.read_with(.., how) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(matches!(error, Error::Corrupt { .. }), "reading: {error:?}");
            return (events, false);
        }
    };
    for event in reader {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(matches!(error, Error::Corrupt { .. } | Error::NewerFormat { .. }), "reading on: {error:?}");
                return (events, false);
            }
        }
    }
    (events, true)
}

fn check(base: &Base, disk: &SimDisk, mode: Mode, like_a_tail: bool, windows: bool) {
    let store = match Store::open(Path::new(PATH), options(disk).mode(mode)) {
        Ok(store) => store,
        Err(error) => {
            let named =
                matches!(error, Error::Corrupt { .. } | Error::NewerFormat { .. } | Error::NotAStore { .. } | Error::Settings { .. });
            assert!(named, "opening: {error:?}");
            return;
        }
    };
    for how in [ReadOptions::new(), ReadOptions::new().reverse()] {
        let (got, well) = read_on(&store, how);
        let strange = got.iter().find(|event| !base.all.contains(event));
        assert!(strange.is_none(), "an event that was never appended: {strange:?}");
        if well {
            let missing = base.all.iter().find(|event| !like_a_tail && event.seq <= base.durable && !got.contains(event));
            assert!(missing.is_none(), "missing in silence: {missing:?}");
            let mut seqs: Vec<u64> = got.iter().map(|event| event.seq).collect();
            seqs.sort_unstable();
            seqs.dedup();
            assert_eq!(seqs.len(), got.len(), "events are there twice");
            if let Ok(count) = store.count(..) {
                assert_eq!(count, got.len() as u64, "the count");
            }
            if windows {
                // Of what lies within a window an index is believed.
                let mut times: Vec<u64> = got.iter().map(|event| event.time).collect();
                times.sort_unstable();
                for (&start, &end) in times.iter().flat_map(|start| times.iter().map(move |end| (start, end))).filter(|(a, b)| a <= b) {
                    let inside = times.iter().filter(|time| (start..=end).contains(*time)).count() as u64;
                    assert_eq!(store.count(start..=end).unwrap(), inside, "the count of {start} to {end}");
                }
            }
        }
    }
}

/// Harms the files of both stores in every way.
pub(crate) fn sweep(effort: Effort) -> Result<Stats, Failure> {
    let mut sweep = Sweep::new(effort);
    let Some((base, changed)) = sweep.case("harm/compressed", |_| make_compressed())? else { return Ok(sweep.stats) };
    for harm in &changed {
        for mode in [Mode::ReadOnly, Mode::Existing] {
            sweep.case(&format!("harm/compressed{}/{mode:?}", harm.name), |sweep| {
                let copy = base.disk.fork(1);
                for (name, bytes) in &harm.files {
                    copy.put(name, bytes).unwrap();
                }
                sweep.stats.images += 1;
                check(&base, &copy, mode, false, false);
            })?;
        }
    }
    for (name, close) in [("closed", true), ("died", false)] {
        let Some(base) = sweep.case(&format!("harm/{name}"), |_| make(name, close))? else { continue };
        for (i, harm) in (0..).zip(harms(&base)) {
            for mode in [Mode::ReadOnly, Mode::Existing] {
                sweep.case(&format!("harm/{}{}/{mode:?}", base.name, harm.name), |sweep| {
                    let copy = base.disk.fork(i);
                    for (name, bytes) in &harm.files {
                        copy.put(name, bytes).unwrap();
                    }
                    sweep.stats.images += 1;
                    check(&base, &copy, mode, harm.like_a_tail, false);
                })?;
            }
        }
    }
    let Some((twin, derived)) = sweep.case("harm/twin", |_| make_twins())? else { return Ok(sweep.stats) };
    for (name, bytes) in &derived {
        for mode in [Mode::ReadOnly, Mode::Existing] {
            sweep.case(&format!("harm/twin{name}/{mode:?}"), |sweep| {
                let copy = twin.disk.fork(1);
                copy.put(name, bytes).unwrap();
                sweep.stats.images += 1;
                check(&twin, &copy, mode, false, true);
            })?;
        }
    }
    Ok(sweep.stats)
}
