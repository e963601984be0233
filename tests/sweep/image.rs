//! What is left on a disk, opened again and held against the ledger.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use estore::disk::{Crash, SimClock, SimDisk};
use estore::{Durability, Efile, Error, Event, FindingKind, Level, Mode, ReadOptions, Store, Tailed};

use crate::common::event;
use crate::common::handle::Handle;

use super::ledger::{Exists, Ledger, Loss};
use super::life::{COPY, Messages, PATH, open_beside, open_copy, options, read_all};
use super::workloads::Workload;

/// How much is asked of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// It opens and shows what it must, in every way of reading.
    Shows,
    /// And what it calls durable is; it takes more events, dies again, opens again, closes and opens clean.
    GoesOn,
}

/// Tells disks apart that differ in a file, or belong to different ledgers.
pub(crate) fn fingerprint(disk: &SimDisk, ledger: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    ledger.hash(&mut hasher);
    for path in disk.paths() {
        let bytes = disk.dump(&path).unwrap_or_default();
        // Where a file is zeros at its end, only how many.
        let zeros = bytes.rchunks(1024).take_while(|chunk| *chunk == &[0; 1024][..chunk.len()]).map(<[u8]>::len).sum::<usize>();
        let content = bytes.len() - zeros;
        (path, &bytes[..content], bytes.len()).hash(&mut hasher);
    }
    hasher.finish()
}

/// The cut files with their bytes.
fn cut_files(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = disk.paths().into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "cut"));
    paths.map(|path| (path.clone(), disk.dump(path).unwrap_or_default())).collect()
}

/// The length of the piece that a cut file starts with, if it is whole.
fn piece_len(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..32)?;
    let len = u64::from_le_bytes(header[16..24].try_into().unwrap());
    let end = usize::try_from(len).ok()?.checked_add(32)?;
    (header.starts_with(b"eCut") && end <= bytes.len()).then_some(end)
}

/// Takes whole pieces off the start; answers the bytes that they keep, and what is left.
fn take_pieces(mut bytes: &[u8]) -> (u64, &[u8]) {
    let mut sum = 0;
    while let Some(len) = piece_len(bytes) {
        sum += len as u64 - 32;
        bytes = &bytes[len..];
    }
    (sum, bytes)
}

/// Bytes that recovery has kept aside: what the cut files say that have grown, behind what was in them before. A piece that an earlier
/// recovery could not finish may be gone from the end.
fn kept_aside(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> u64 {
    let added = |(path, bytes): (&PathBuf, &Vec<u8>)| {
        let old = before.get(path).map_or(&[][..], Vec::as_slice);
        let finished = &old[..old.len() - take_pieces(old).1.len()];
        let added = [old, finished].into_iter().filter_map(|old| match take_pieces(bytes.strip_prefix(old)?) {
            (sum, []) => Some(sum),
            _ => None,
        });
        added.min().unwrap_or_else(|| panic!("{}: bytes that were kept aside have changed, or are no piece", path.display()))
    };
    after.iter().map(added).sum()
}

/// A crash is no damage.
fn assert_no_damage(messages: &Messages, doing: &str) {
    let messages = messages.lock().unwrap();
    let error = messages.iter().find(|(level, _)| *level == Level::Error);
    assert!(error.is_none(), "{doing} says: {error:?}");
}

fn open_writer(workload: &Workload, disk: &SimDisk, clock: &SimClock, mode: Mode) -> (estore::Result<Handle>, Messages) {
    let (mut options, messages) = options(workload, disk, clock);
    if !workload.efile() && mode == Mode::CreateIfMissing {
        options = options.file_size(workload.chunk);
    }
    (Handle::open(workload.efile(), Path::new(PATH), options.mode(mode).durability(Durability::Process)), messages)
}

/// Every byte of the store is in order, but for copies and for what was cut off.
fn verify(handle: &Handle) {
    let mut damage = Vec::new();
    let verified = handle.verify(|finding| {
        damage.extend((finding.kind == FindingKind::Damage).then_some(finding));
        ControlFlow::Continue(())
    });
    let verified = verified.expect("the store can be verified");
    assert!(damage.is_empty(), "verify finds {damage:?}");
    assert_eq!(verified.damaged, 0);
}

/// All that a tail from a cursor on has for now.
fn tail_of(handle: &Handle, after: u64) -> Vec<Event> {
    let mut tail = handle.tail(after).expect("a tail begins");
    let mut got = Vec::new();
    loop {
        match tail.next_batch(3).expect("a tail goes on") {
            Tailed::Events(batch) => got.extend(batch.iter().map(|event| event.to_event())),
            Tailed::Gap => {}
            Tailed::Nothing => return got,
        }
    }
}

/// Whether what a tail gives is what arrived behind its cursor, in that order.
fn check_tail(handle: &Handle, after: u64, all: &[Event]) {
    let mut arrived: Vec<&Event> = all.iter().filter(|event| event.seq > after).collect();
    arrived.sort_by_key(|event| event.seq);
    let got = tail_of(handle, after);
    assert!(got.iter().eq(arrived.iter().copied()), "a tail from {after} on gave {} events, not {}", got.len(), arrived.len());
}

/// Reads in every way: forward, backward, by windows, in order of arrival, and counts.
fn read_every_way(handle: &Handle) -> Vec<Event> {
    let all = read_all(handle, ReadOptions::new()).expect("all can be read");
    let mut backward = read_all(handle, ReadOptions::new().reverse()).expect("all can be read backward");
    backward.reverse();
    assert!(backward == all, "backward is forward reversed");
    assert_eq!(handle.count(..).expect("all can be counted"), all.len() as u64, "the count of all");
    for after in [0, all.len() / 2].map(|i| all.get(i).map_or(0, |event| event.seq)).into_iter().chain([0]) {
        check_tail(handle, after, &all);
    }
    let stats = handle.stats().expect("numbers");
    assert_eq!((stats.events, stats.damaged), (all.len() as u64, 0), "events and damaged stretches by the numbers");
    for i in [0, all.len() / 2, all.len().saturating_sub(1)] {
        let Some(time) = all.get(i).map(|event| event.time) else { continue };
        let wanted: Vec<&Event> = all.iter().filter(|event| event.time == time).collect();
        let reader = handle.read_with(time..=time, ReadOptions::new()).expect("a window opens");
        let window: Vec<Event> = reader.collect::<estore::Result<_>>().expect("a window can be read");
        assert!(window.iter().eq(wanted.iter().copied()), "the window of time {time}: {} events, not {}", window.len(), wanted.len());
        assert_eq!(handle.count(time..=time).expect("a window can be counted"), wanted.len() as u64, "the count of time {time}");
        let after = all.iter().filter(|event| event.time > time).count() as u64;
        assert_eq!(handle.count((std::ops::Bound::Excluded(time), std::ops::Bound::Unbounded)).unwrap_or(after), after);
    }
    all
}

/// Opens what is on the disk and compares it with the ledger, given what has happened since the ledger was written.
pub(crate) fn check(workload: &Workload, disk: &SimDisk, ledger: &Ledger, loss: Loss, depth: Depth) {
    let clock = SimClock::new(1_800_000_000_000_000_000);
    if ledger.exists != Exists::Yes {
        return check_perhaps(workload, disk, ledger, &clock);
    }
    let mut ledger = ledger.clone();

    // As others see it before a writer has recovered it.
    let mut seen = Vec::new();
    if loss != Loss::Pages {
        let (beside, messages) = open_beside(workload, disk, &clock);
        let beside = beside.expect("the store opens for reading");
        let mut shown = ledger.clone();
        shown.note_horizon(beside.stats().expect("numbers for a reader").horizon);
        seen = read_all(&beside, ReadOptions::new()).expect("a reader beside can read everything");
        shown.compare(&seen, loss);
        verify(&beside);
        drop(beside);
        assert_no_damage(&messages, "opening for reading");
    }

    check_copy(workload, &disk.fork(2), &ledger, &clock, depth);

    // Recovery.
    let cut_before = cut_files(disk);
    let (writer, messages) = open_writer(workload, disk, &clock, Mode::Existing);
    let writer = writer.expect("the store opens");
    let stats = writer.stats().expect("numbers");
    ledger.note_horizon(stats.horizon);
    let got = read_every_way(&writer);
    ledger.compare(&got, loss);
    assert!(seen.iter().all(|event| got.contains(event)), "recovery took away what a reader had been shown");
    assert_no_damage(&messages, "recovery");
    if ledger.model.horizon == 0 {
        assert_eq!(kept_aside(&cut_before, &cut_files(disk)), stats.cut_bytes, "bytes that were kept aside, and that were cut");
    }
    let (last, durable) = (writer.last_seq(), writer.durable_seq());
    assert!(got.iter().all(|event| event.seq <= last), "events have seqs above the last one");
    assert!(durable <= last);
    verify(&writer);
    ledger.settle(&got);
    if depth == Depth::Shows {
        return;
    }

    // Events that recovery calls durable survive loss of power.
    ledger.note_durable(durable);
    let copy = disk.fork(1);
    copy.power_on(Crash::LoseAll);
    let (beside, _) = open_beside(workload, &copy, &clock);
    let after = read_all(&beside.expect("it opens once more"), ReadOptions::new()).expect("it can be read once more");
    ledger.clone().compare(&after, Loss::Power);

    // It goes on: in every chunk that there ever was, behind whatever may be left of what was cut off there.
    let more: Vec<Event> = (0_u32..)
        .zip(ledger.chunks().iter().chain(&[(workload.beyond(), 10)]))
        .flat_map(|(i, &(time, len))| {
            let time = time.max(ledger.model.horizon);
            [event(time + workload.half(), 1_000_000 + i, vec![7; len]), event(time, 2_000_000 + i, "goes on, late")]
        })
        .collect();
    for events in [&more[..], &[event(ledger.model.horizon.max(3), 3_000_000, "and one")]] {
        let last = writer.append(events).expect("the store goes on");
        assert!(
            last - events.len() as u64 >= ledger.model.issued,
            "seqs up to {last} for {} events, though {} was given out before",
            events.len(),
            ledger.model.issued
        );
        ledger.model.append(events, last);
    }
    ledger.note_flushed();
    let shown = read_all(&writer, ReadOptions::new()).expect("what went on can be read");
    ledger.compare(&shown, Loss::Nothing);
    for &cursor in &ledger.cursors {
        check_tail(&writer, cursor, &shown);
    }

    // Dies, recovers, closes, and is clean from then on.
    disk.power_off();
    drop(writer);
    disk.power_on(Crash::KeepAll);
    let (writer, messages) = open_writer(workload, disk, &clock, Mode::Existing);
    let writer = writer.expect("the store opens after it died again");
    let shown = read_every_way(&writer);
    ledger.compare(&shown, Loss::Process);
    writer.close().expect("the store closes");
    assert_no_damage(&messages, "the second recovery");
    disk.power_off();
    disk.power_on(Crash::LoseAll);
    let (writer, messages) = open_writer(workload, disk, &clock, Mode::CreateIfMissing);
    let writer = writer.expect("the store opens after it was closed");
    assert!(read_every_way(&writer) == shown, "closing and opening changes nothing");
    assert_eq!(writer.stats().expect("numbers").cut_bytes, 0, "a store that was closed has nothing to cut");
    verify(&writer);
    let warnings: Vec<_> = messages.lock().unwrap().iter().filter(|(level, _)| *level != Level::Info).cloned().collect();
    assert!(warnings.is_empty(), "opening a store that was closed says: {warnings:?}");
}

/// The snapshot is there as it was last taken, or as it was being taken, or that one was never finished.
fn check_copy(workload: &Workload, disk: &SimDisk, ledger: &Ledger, clock: &SimClock, depth: Depth) {
    let shows_one = |disk: &SimDisk| {
        let (copy, messages) = open_copy(workload, disk, clock);
        let copy = match copy {
            Ok(copy) => copy,
            Err(Error::NotFound { .. } | Error::NotAStore { .. }) => {
                assert!(ledger.copy.is_none(), "a snapshot that was taken is gone");
                return None;
            }
            Err(error) => panic!("the snapshot does not open: {error:?}"),
        };
        let shown = read_every_way(&copy);
        verify(&copy);
        assert_no_damage(&messages, "opening a snapshot");
        if ledger.copy.as_ref() != Some(&shown) {
            // Several may have failed one after the other.
            let mut tried = ledger.copy_tried.as_deref();
            while let Some(earlier) = tried.and_then(|tried| tried.copy_tried.as_deref())
                && tried.is_some_and(|tried| !tried.may_show(&shown))
            {
                tried = Some(earlier);
            }
            let tried = tried.expect("the snapshot shows what was taken last, or what was being taken");
            tried.clone().compare(&shown, Loss::Nothing);
        }
        Some(shown)
    };
    let shown = shows_one(disk);
    if depth == Depth::Shows {
        return;
    }
    // It goes on as a store of its own, and nothing of a snapshot that was cut short comes back.
    if let Some(shown) = shown {
        let disk = disk.fork(3);
        let open = || {
            let (options, _) = options(workload, &disk, clock);
            let options = options.mode(Mode::Existing).durability(Durability::Process);
            Handle::open(workload.efile(), Path::new(COPY), options).expect("the snapshot opens for writing")
        };
        let writer = open();
        assert!(read_every_way(&writer) == shown, "opened for writing the snapshot shows something else");
        let time = shown.iter().map(|event| event.time).max().unwrap_or(ledger.model.horizon.max(3));
        writer.append(&[event(time, 7_000_000, "goes on")]).expect("the snapshot takes events");
        writer.sync().expect("the snapshot syncs");
        disk.power_off();
        drop(writer);
        disk.power_on(Crash::LoseAll);
        let writer = open();
        let mut now = read_every_way(&writer);
        now.retain(|event| event.id != 7_000_000);
        assert!(now == shown, "the snapshot has not gone on as it was");
        verify(&writer);
    }
    // And the store can be saved again.
    let (writer, _) = open_writer(workload, disk, clock, Mode::Existing);
    let writer = writer.expect("the store opens");
    match writer.snapshot(Path::new(COPY)) {
        Ok(_) => {
            let (copy, _) = open_copy(workload, disk, clock);
            assert!(read_every_way(&copy.expect("the snapshot opens")) == read_every_way(&writer), "the snapshot is the store");
        }
        Err(error) => panic!("no snapshot can be taken: {error:?}"),
    }
}

/// A store whose making or removal did not come to an end: it can be removed, if it is there, and made.
fn check_perhaps(workload: &Workload, disk: &SimDisk, ledger: &Ledger, clock: &SimClock) {
    let made = ledger.model.events.is_empty();
    let (beside, _) = open_beside(workload, disk, clock);
    match beside {
        Ok(beside) if made => assert_eq!(read_all(&beside, ReadOptions::new()).expect("it can be read"), []),
        Ok(_) => {}
        Err(Error::NotFound { .. } | Error::NotAStore { .. }) => {}
        // Some of its files are gone already.
        Err(Error::Corrupt { .. }) if !made => {}
        Err(error) => panic!("opening for reading: {error:?}"),
    }
    if !made {
        let (options, _) = options(workload, disk, clock);
        let path = Path::new(PATH);
        match if workload.efile() { Efile::destroy(path, options) } else { Store::destroy(path, options) } {
            Ok(()) | Err(Error::NotFound { .. } | Error::NotAStore { .. }) => {}
            Err(error) => panic!("what is left of the store can't be removed: {error:?}"),
        }
    }
    for round in 0..2 {
        let (writer, messages) = open_writer(workload, disk, clock, Mode::CreateIfMissing);
        let writer = writer.expect("a store can be made there");
        assert_eq!(read_every_way(&writer).len(), round, "events of the new store");
        writer.append(&[event(1, 1, "new")]).expect("the new store takes events");
        writer.close().expect("the new store closes");
        assert_no_damage(&messages, "the new store");
        disk.power_off();
        disk.power_on(Crash::LoseAll);
        let (writer, _) = open_writer(workload, disk, clock, Mode::Existing);
        assert_eq!(read_every_way(&writer.expect("the new store is durable")).len(), round + 1, "events of the new store");
        disk.power_off();
        disk.power_on(Crash::KeepAll);
    }
}
