//! Every byte of a store that was closed, changed in every way: each bit flipped, each file cut at each length, frames and records zeroed,
//! doubled, exchanged, files removed, exchanged, or taken from an older copy. Whatever was done, opening, reading, following, salvaging,
//! counting and verifying give the events that were stored, a named error, or a gap that is reported and covers what is missing; never another
//! event, a panic, a search without end, or more than twice the memory.
//!
//! ```text
//!   a small store with every kind of file ── change one thing ──> a copy ── for reading ──> look
//!                                                                    └───── for writing ──> look, close, open, look
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // an allocator that counts

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use common::event;
use common::place::Place;
use common::rng::Rng;
use estore::disk::{Call, Crash, Fault, FaultEffect, SimDisk};
use estore::{
    Compression, Durability, Error, Event, EventRef, FindingKind, Level, Mode, Options, ReadOptions, Reader, Sizes, Store, Tailed,
};

/// Counts what each thread allocates.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is about to end has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(now.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that this thread had allocated at once during the call, beyond what it had before.
fn most_allocated<T>(call: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    MOST.set(before);
    let result = call();
    (result, usize::try_from(MOST.get() - before).unwrap_or(0))
}

fn options(disk: &SimDisk) -> Options {
    let sizes = Sizes { pending_bytes: 200, run_frame_bytes: 100, index_entries: 1, window_bytes: 100, ..Sizes::default() };
    Options::new().disk(Arc::new(disk.clone())).background(false).file_size(1000).grace(50).durability(Durability::Process).sizes(sizes)
}

const PATH: &str = "/store";
/// To copy aside and to look for frames takes buffers that do not depend on what files claim.
const BUFFERS: usize = 512 << 10;

type Files = BTreeMap<String, Vec<u8>>;

/// A closed store, the same store some sittings earlier, and its events in order.
struct Original {
    disk: SimDisk,
    files: Files,
    older: Files,
    events: Vec<Event>,
    /// What looking at it takes.
    memory: usize,
    calls: u64,
}

fn files(disk: &SimDisk) -> Files {
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    disk.paths().iter().filter(|path| path.starts_with(PATH)).map(|path| (name(path), disk.dump(path).unwrap())).collect()
}

fn drain(reader: &mut Reader) -> (Vec<Event>, Option<Error>) {
    let mut events = Vec::new();
    loop {
        match reader.next_batch(7) {
            Ok(batch) if batch.is_empty() => return (events, None),
            Ok(batch) => events.extend(batch.iter().map(EventRef::to_event)),
            Err(e) => return (events, Some(e)),
        }
    }
}

/// All that a tail has for now, how many gaps it told, and the error that it ended with.
fn follow(store: &Store, after: u64) -> (Vec<Event>, u64, Option<Error>) {
    let (mut events, mut gaps) = (Vec::new(), 0);
    let mut tail = match store.tail(after) {
        Ok(tail) => tail,
        Err(error) => return (events, gaps, Some(error)),
    };
    loop {
        match tail.next_batch(7) {
            Ok(Tailed::Events(batch)) => events.extend(batch.iter().map(|event| event.to_event())),
            Ok(Tailed::Gap) => gaps += 1,
            Ok(Tailed::Nothing) => return (events, gaps, None),
            Err(error) => return (events, gaps, Some(error)),
        }
    }
}

impl Original {
    /// A store with every kind of file: frames of one event and of several, late ones in runs and in none, an event far ahead, two chunks, a
    /// third that was compacted and has got more, a compressed one, a horizon, bytes that a recovery has cut off.
    fn new() -> Original {
        let place = Place::simulated(1);
        let disk = place.sim().clone();
        let open = || Store::open(PATH, options(&disk)).expect("the store opens");
        let mut rng = Rng::new(1);
        let mut batch = |times: &[u64]| -> Vec<Event> {
            times.iter().map(|&time| event(time, rng.below(9) as u32, rng.bytes(3 + (time % 7) as usize))).collect()
        };
        let store = open();
        store.append(&batch(&[5, 10, 400, 405, 410])).unwrap();
        store.append(&batch(&[420])).unwrap();
        store.append(&batch(&[100, 90, 80, 110, 120, 130])).unwrap();
        store.append(&batch(&[430, 1010, 1020])).unwrap();
        store.append(&batch(&[2050, 2060, 2061])).unwrap();
        store.append(&batch(&[2005])).unwrap();
        let alike: Vec<Event> = (0..4).map(|i| event(3050 + i, 1, vec![7; 30])).collect();
        store.append(&alike).unwrap();
        store.close().unwrap();
        let older = files(&disk);
        let store = Store::open(PATH, options(&disk).compression(Compression::Lz4)).expect("the store opens");
        assert_eq!(store.compact(3000..4000, |_| ControlFlow::Continue(())).unwrap().chunks, 1);
        assert_eq!(disk.dump(format!("{PATH}/3-1.estore")).unwrap()[64 + 26], 1, "it is compressed");
        store.close().unwrap();
        let store = open();
        store.delete_before(8).unwrap();
        assert_eq!(store.compact(2000..3000, |_| ControlFlow::Continue(())).unwrap().chunks, 1);
        store.append(&batch(&[2070])).unwrap();
        store.append(&batch(&[440, 441])).unwrap();
        store.append(&batch(&[200, 210, 190, 220, 230, 240])).unwrap();
        store.append(&batch(&[30])).unwrap();
        store.append(&batch(&[900])).unwrap();
        store.append(&batch(&[1030, 1040])).unwrap();
        store.sync().unwrap();
        disk.inject(Fault { at: 0, calls: Some(Call::Write), name: Some("0-0.estore".into()), effect: FaultEffect::Crash, forever: false });
        let lost = batch(&[450, 455, 1050]);
        assert!(store.append(&lost).is_err());
        drop(store);
        disk.clear_faults();
        disk.power_on(Crash::KeepAll);
        let store = open();
        store.append(&batch(&[460])).unwrap();
        let (events, error) = drain(&mut store.read(..).unwrap());
        assert!(error.is_none() && events.len() == 36, "{} events, {error:?}", events.len());
        store.close().unwrap();
        let files = files(&disk);
        let kinds: BTreeSet<&str> = files.keys().map(|name| name.rsplit('.').next().unwrap()).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["cut", "estore", "idx", "journal", "lock", "recon"]);
        let mut original = Original { disk, files, older, events, memory: usize::MAX / 4, calls: u64::MAX / 100 };
        let copy = original.disk.fork(1);
        assert_eq!(original.look(&copy, "unchanged", ""), Outcome { right: true, ..Outcome::default() });
        // Without what is derived there is more to do, though nothing is damaged.
        for name in ["0-0.idx", "0-0.recon", "1-0.idx", "2-1.idx", "2-2.idx", "3-1.idx"] {
            assert!(copy.remove(format!("{PATH}/{name}")));
        }
        let before = copy.calls();
        let (outcome, memory) = most_allocated(|| original.look(&copy, "0-0.idx", "without what is derived"));
        assert!(outcome.right);
        (original.memory, original.calls) = (memory, copy.calls() - before);
        original
    }

    /// Looks at a changed copy in every way.
    fn look(&self, disk: &SimDisk, changed: &str, what: &str) -> Outcome {
        let before = disk.calls();
        let (outcome, memory) = most_allocated(|| {
            // Whether there was a message of the level of errors.
            let said = Arc::new(Mutex::new(false));
            let mut outcome = self.look_by(disk, Mode::ReadOnly, &said, changed, what);
            outcome.add(self.look_by(disk, Mode::Existing, &said, changed, what));
            // What was made of it by then is looked at once more.
            outcome.add(self.look_by(disk, Mode::Existing, &said, changed, what));
            outcome
        });
        assert!(memory <= self.memory + BUFFERS, "{what}: {memory} bytes of memory, {} without damage", self.memory);
        let calls = disk.calls() - before;
        assert!(calls <= 10 * self.calls, "{what}: {calls} calls of the disk, {} without damage", self.calls);
        outcome
    }

    fn look_by(&self, disk: &SimDisk, mode: Mode, said: &Arc<Mutex<bool>>, changed: &str, what: &str) -> Outcome {
        let what = format!("{what}, {mode:?}");
        let errors = Arc::clone(said);
        let options = options(disk).mode(mode).log(move |level, _| *errors.lock().unwrap() |= level == Level::Error);
        let store = match Store::open(PATH, options) {
            Ok(store) => store,
            Err(error) => {
                check_named(&error, &what);
                return Outcome { refused: true, ..Outcome::default() };
            }
        };
        let mut outcome = Outcome { right: true, ..Outcome::default() };
        let derived = [".idx", ".recon", ".cut", "lock"].iter().any(|end| changed.ends_with(end));

        // An ordinary read gives what was stored, up to an error if there is one.
        let mut whole = true;
        for reverse in [false, true] {
            let how = if reverse { ReadOptions::new().reverse() } else { ReadOptions::new() };
            let (got, error) = match store.read_with(.., how) {
                Ok(mut reader) => drain(&mut reader),
                Err(error) => (Vec::new(), Some(error)),
            };
            if let Some(error) = &error {
                check_named(error, &what);
                (whole, outcome.right, outcome.failed) = (false, false, true);
            }
            self.check_events(got, reverse, error.is_none(), *said.lock().unwrap(), &what);
        }
        assert!(whole || !derived, "{what}: a derived file made reading fail");
        let deleted = u64::from(*said.lock().unwrap());
        match store.count(..) {
            // A lost horizon, of which a message tells, brings one event back.
            Ok(count) => {
                assert!((self.events.len() as u64..=self.events.len() as u64 + deleted).contains(&count), "{what}: a count of {count}")
            }
            Err(error) => {
                check_named(&error, &what);
                assert!(!whole, "{what}: all can be read, but not be counted: {error}");
            }
        }

        // A tail gives what arrived, in that order, and nothing behind something that is missing.
        let mut arrivals: Vec<&Event> = self.events.iter().collect();
        arrivals.sort_by_key(|event| event.seq);
        for after in [0, arrivals.get(arrivals.len() / 2).map_or(0, |event| event.seq)] {
            let (mut got, gaps, error) = follow(&store, after);
            if let Some(error) = &error {
                check_named(error, &what);
                assert!(!derived, "{what}: a derived file made following fail: {error:?}");
            }
            let is_lost = *said.lock().unwrap();
            got.retain(|event| !(is_lost && event.time == 5));
            assert!(gaps <= 1, "{what}: {gaps} gaps");
            if changed == "several" {
                // Of a log that has lost its header, and its journal too, nobody knows which seqs it had.
                let mut stored = arrivals.iter();
                let in_order = got.iter().all(|event| stored.any(|other| *other == event));
                assert!(in_order, "{what}: a tail from {after} on gave {got:?}");
                continue;
            }
            assert!(gaps == u64::from(after == 0) || error.is_some() || is_lost, "{what}: {gaps} gaps from {after} on");
            let wanted = arrivals.iter().copied().filter(|event| event.seq > after);
            let wanted: Vec<&Event> = if error.is_some() { wanted.take(got.len()).collect() } else { wanted.collect() };
            assert!(got.iter().eq(wanted.iter().copied()), "{what}: a tail from {after} on gave {got:?}, not {wanted:?}");
        }

        // Salvaging gives all of it outside of the gaps that it reports.
        let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap_or_else(|e| panic!("{what}: salvaging: {e}"));
        let (got, error) = drain(&mut reader);
        match &error {
            None => {}
            Some(error @ Error::NewerFormat { .. }) => check_named(error, &what),
            Some(error) => panic!("{what}: salvaging failed: {error}"),
        }
        if error.is_none() {
            outcome.gaps = !reader.gaps().is_empty();
            assert!(whole != outcome.gaps || !whole, "{what}: gaps where all can be read");
            let seqs: BTreeSet<u64> = got.iter().map(|event| event.seq).collect();
            for missing in self.events.iter().filter(|event| !seqs.contains(&event.seq)) {
                let inside = |gap: &estore::Gap| (gap.first_time..=gap.last_time).contains(&missing.time);
                assert!(
                    reader.gaps().iter().any(inside),
                    "{what}: the event at {} is missing, outside of {:?}",
                    missing.time,
                    reader.gaps()
                );
            }
            self.check_events(got, false, !outcome.gaps, *said.lock().unwrap(), &what);
        }
        drop(reader);

        let verified = store.verify(|finding| {
            assert!(!finding.what.is_empty() && finding.path.starts_with(PATH));
            let is_harmless = finding.kind != FindingKind::Damage;
            assert!(is_harmless || !derived, "{what}: {finding:?}");
            ControlFlow::Continue(())
        });
        let verified = verified.unwrap_or_else(|e| panic!("{what}: verifying: {e}"));
        assert!(verified.damaged > 0 || whole, "{what}: what can't be read is not found by verifying");
        outcome.found = verified.damaged + verified.derived > 0;
        store.stats().map_or_else(|e| check_named(&e, &what), drop);
        store.close().map_or_else(|e| check_named(&e, &what), drop);
        outcome
    }

    /// Fails if an event is there that was not stored, or the order is wrong, or something is missing without an error.
    fn check_events(&self, mut got: Vec<Event>, reverse: bool, to_the_end: bool, said: bool, what: &str) {
        if reverse {
            got.reverse();
        }
        common::assert_ordered(&got);
        // A lost horizon, of which a message tells, brings one event back.
        got.retain(|event| !(said && event.time == 5));
        let mut stored = self.events.iter();
        for event in &got {
            assert!(stored.any(|other| other == event), "{what}: time {}, seq {}: no event that was stored", event.time, event.seq);
        }
        assert!(!to_the_end || got.len() == self.events.len(), "{what}: {} of {} events, and no error", got.len(), self.events.len());
    }

    /// Changes one thing in each of many copies, on two threads.
    fn sweep(&self, name: &str, changes: Vec<Change>) -> Outcomes {
        let next = AtomicUsize::new(0);
        let all = Mutex::new(Outcomes::default());
        let work = || {
            let mut outcomes = Outcomes::default();
            while let Some(change) = changes.get(next.fetch_add(1, Ordering::Relaxed)) {
                let copy = self.disk.fork(1);
                for (file, bytes) in &change.files {
                    match bytes {
                        Some(bytes) => copy.put(format!("{PATH}/{file}"), bytes).expect("the file can be put there"),
                        None => assert!(copy.remove(format!("{PATH}/{file}"))),
                    }
                }
                let changed = change.files.first().map_or("", |(file, _)| file.as_str());
                let changed = if change.files.len() == 1 { changed } else { "several" };
                outcomes.add(self.look(&copy, changed, &change.what));
            }
            all.lock().unwrap().add_all(outcomes);
        };
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(work);
            }
        });
        let outcomes = all.into_inner().unwrap();
        println!("{name}: {outcomes:?}");
        assert_eq!(outcomes.copies, changes.len() as u64, "{name}: a thread ended early");
        outcomes
    }
}

/// An error that says what is wrong with the files.
fn check_named(error: &Error, what: &str) {
    let named = matches!(
        error,
        Error::Corrupt { .. } | Error::NewerFormat { .. } | Error::NotAStore { .. } | Error::Settings { .. } | Error::Gone { .. }
    );
    assert!(named && error.path().is_some(), "{what}: {error:?}");
}

/// What came of one copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Everything could be read each time.
    right: bool,
    /// It did not open.
    refused: bool,
    /// Reading failed.
    failed: bool,
    gaps: bool,
    /// Verifying found something.
    found: bool,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.right &= other.right;
        self.refused |= other.refused;
        self.failed |= other.failed;
        self.gaps |= other.gaps;
        self.found |= other.found;
    }
}

/// What came of many.
#[derive(Debug, Default)]
struct Outcomes {
    copies: u64,
    right: u64,
    refused: u64,
    failed: u64,
    gaps: u64,
    found: u64,
}

impl Outcomes {
    fn add(&mut self, outcome: Outcome) {
        self.copies += 1;
        self.right += u64::from(outcome.right);
        self.refused += u64::from(outcome.refused);
        self.failed += u64::from(outcome.failed);
        self.gaps += u64::from(outcome.gaps);
        self.found += u64::from(outcome.found);
    }

    fn add_all(&mut self, other: Outcomes) {
        self.copies += other.copies;
        self.right += other.right;
        self.refused += other.refused;
        self.failed += other.failed;
        self.gaps += other.gaps;
        self.found += other.found;
    }
}

/// Files that take the places of others; `None` for one that is removed.
struct Change {
    what: String,
    files: Vec<(String, Option<Vec<u8>>)>,
}

fn one(what: String, file: &str, bytes: Vec<u8>) -> Change {
    Change { what, files: vec![(file.to_owned(), Some(bytes))] }
}

/// Where a file's pieces lie: its frames, runs, records, entries.
fn pieces(name: &str, bytes: &[u8]) -> Vec<(usize, usize)> {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let starts: Vec<usize> = match name.rsplit('.').next().unwrap() {
        "journal" => (64..end).step_by(128).collect(),
        "idx" => (0..end).filter(|&at| bytes[at..].starts_with(b"eIdx")).collect(),
        _ => (0..end).filter(|&at| [&b"eFrm"[..], b"eRun", b"eCut"].iter().any(|magic| bytes[at..].starts_with(magic))).collect(),
    };
    let ends = starts.iter().skip(1).copied().chain([end.max(starts.last().copied().unwrap_or(0))]);
    starts.iter().copied().zip(ends).collect()
}

#[test]
fn every_flipped_bit() {
    let original = Original::new();
    let mut changes = Vec::new();
    for (name, bytes) in &original.files {
        // Room behind the journal's records is all alike.
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1 + 8).min(bytes.len());
        for at in 0..end {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                changes.push(one(format!("{name}: bit {bit} of byte {at}"), name, changed));
            }
        }
    }
    let outcomes = original.sweep("flipped bits", changes);
    assert!(outcomes.refused > 0 && outcomes.gaps > 0 && outcomes.right > 0 && outcomes.found > outcomes.failed, "{outcomes:?}");
}

#[test]
fn every_length() {
    let original = Original::new();
    let mut changes = Vec::new();
    for (name, bytes) in &original.files {
        changes.extend((0..bytes.len()).map(|len| one(format!("{name}: cut at {len}"), name, bytes[..len].to_vec())));
        for len in [1, 63, 64, 127, 128, 4096] {
            changes.push(one(format!("{name}: {len} zeros behind it"), name, [&bytes[..], &vec![0; len]].concat()));
            changes.push(one(
                format!("{name}: {len} bytes of garbage behind it"),
                name,
                [&bytes[..], &Rng::new(len as u64).bytes(len)].concat(),
            ));
        }
        changes.push(Change { what: format!("{name}: removed"), files: vec![(name.clone(), None)] });
    }
    let outcomes = original.sweep("lengths", changes);
    assert!(outcomes.refused > 0 && outcomes.gaps > 0 && outcomes.right > 0, "{outcomes:?}");
}

#[test]
fn pieces_that_are_zeroed_doubled_moved_and_exchanged() {
    let original = Original::new();
    let mut changes = Vec::new();
    for (name, bytes) in &original.files {
        for len in [16, 64, 512, bytes.len()] {
            for at in (0..bytes.len()).step_by(len.max(1)) {
                let mut changed = bytes.clone();
                let end = (at + len).min(bytes.len());
                changed[at..end].fill(0);
                changes.push(one(format!("{name}: zeros from {at} to {end}"), name, changed));
                let mut changed = bytes.clone();
                changed[at..end].copy_from_slice(&Rng::new(at as u64).bytes(end - at));
                changes.push(one(format!("{name}: garbage from {at} to {end}"), name, changed));
            }
        }
        let pieces = pieces(name, bytes);
        for &(from, to) in &pieces {
            let piece = &bytes[from..to];
            changes.push(one(format!("{name}: twice from {from} to {to}"), name, [&bytes[..to], piece, &bytes[to..]].concat()));
            changes.push(one(format!("{name}: without {from} to {to}"), name, [&bytes[..from], &bytes[to..]].concat()));
            changes.push(one(format!("{name}: {from} to {to} once more at the end"), name, [&bytes[..], piece].concat()));
            for (other, others) in &original.files {
                for &(start, end) in &self::pieces(other, others) {
                    if (other, start) == (name, from) {
                        continue;
                    }
                    // In its place, with all behind it where it was as far as it fits.
                    let mut changed = bytes.clone();
                    let len = (end - start).min(to - from);
                    changed[from..from + len].copy_from_slice(&others[start..start + len]);
                    let what = format!("{name}: {from} is that of {other} at {start}");
                    changes.push(one(what.clone(), name, changed));
                    if other == name && from < start {
                        let swapped = [&bytes[..from], &bytes[start..end], &bytes[to..start], piece, &bytes[end..]].concat();
                        changes.push(one(what + ", and the other way round", name, swapped));
                    }
                }
            }
        }
    }
    let outcomes = original.sweep("pieces", changes);
    assert!(outcomes.refused > 0 && outcomes.gaps > 0 && outcomes.right > 0, "{outcomes:?}");
}

#[test]
fn files_in_the_places_of_others_and_of_an_older_copy() {
    let original = Original::new();
    let mut changes = Vec::new();
    for (name, bytes) in &original.files {
        for (other, others) in &original.files {
            changes.push(one(format!("{name}: is {other}"), name, others.clone()));
            if name < other {
                let files = vec![(name.clone(), Some(others.clone())), (other.clone(), Some(bytes.clone()))];
                changes.push(Change { what: format!("{name} and {other} exchanged"), files });
            }
        }
        let Some(older) = original.older.get(name) else { continue };
        changes.push(one(format!("{name}: an older copy"), name, older.clone()));
        // The older file with the end of the newer one, and the other way round.
        for at in pieces(name, bytes).iter().map(|piece| piece.0).filter(|&at| at <= older.len()) {
            changes.push(one(format!("{name}: older up to {at}"), name, [&older[..at], &bytes[at..]].concat()));
            changes.push(one(format!("{name}: older from {at} on"), name, [&bytes[..at], &older[at..]].concat()));
        }
    }
    for (name, older) in original.older.iter().filter(|(name, _)| !original.files.contains_key(*name)) {
        changes.push(one(format!("{name}: there again"), name, older.clone()));
    }
    let outcomes = original.sweep("files", changes);
    assert!(outcomes.refused > 0 && outcomes.right > 0, "{outcomes:?}");
}
