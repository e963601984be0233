//! What fuzzing found (see `fuzz/`): damage of kinds that nobody had thought of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;

use common::events_at;
use common::place::Place;
use estore::disk::{Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Mode, Options, ReadOptions, Store, Tailed};

fn options(place: &Place) -> Options {
    place.options().durability(Durability::Process)
}

fn open(place: &Place) -> Efile {
    Efile::open(&place.path, options(place)).expect("the efile opens")
}

const LOG: &str = "0-0.estore";

#[test]
fn a_damaged_log_header_lets_nothing_be_cut_that_was_durable() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    let durable = place.file(LOG);
    let store = open(&place);
    store.append(&events_at([4])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    // What was appended last is lost, and the header is damaged.
    let mut bytes = durable.clone();
    bytes[40] ^= 1;
    place.put_file(LOG, &bytes);
    for mode in [Mode::ReadOnly, Mode::Existing, Mode::Existing] {
        let store = Efile::open(&place.path, options(&place).mode(mode)).unwrap();
        assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
        assert_eq!(place.file(LOG), bytes, "{mode:?}");
    }
    place.put_file(LOG, &durable);
    assert_eq!(common::drain(open(&place).read(..).unwrap()).len(), 3);
}

#[test]
fn events_can_be_appended_where_a_log_is_lost() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    place.disk.remove_file(&place.path.join(LOG)).unwrap();
    for times in [[4, 5], [6, 7]] {
        let store = open(&place);
        store.append(&events_at(times)).unwrap();
        assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
        store.close().unwrap();
    }
    let mut reader = open(&place).read_with(.., ReadOptions::new().salvage()).unwrap();
    assert_eq!(common::times(&common::drain_batches(&mut reader, 9)), [4, 5, 6, 7]);
    assert_eq!(reader.gaps().len(), 1);
}

/// Puts a record of a journal right after it was changed: its checksum covers its place and the journal's instance too.
fn seal_record(journal: &mut [u8], at: usize) {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&journal[at + 4..at + 128]);
    crc.update(&journal[32..40]);
    crc.update(&(at as u64).to_le_bytes());
    journal[at..at + 4].copy_from_slice(&crc.finalize().to_le_bytes());
}

/// Where the record of a kind starts in a journal.
fn record(journal: &[u8], kind: u8) -> usize {
    (64..journal.len()).step_by(128).find(|&at| journal[at + 4] == kind).expect("there is such a record")
}

const IDLE: u8 = 3;
const CLOSE: u8 = 6;

/// A closed efile whose journal says something else in a record, with a checksum that fits.
fn journal_that_says(kind: u8, field: usize, number: u64) -> Place {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    let mut journal = place.file("journal");
    let at = record(&journal, kind);
    journal[at + field..at + field + 8].copy_from_slice(&number.to_le_bytes());
    seal_record(&mut journal, at);
    place.put_file("journal", &journal);
    place
}

#[test]
fn a_log_that_ought_to_be_endless_is_not_searched_to_its_end() {
    const LEN: usize = 56;
    for len in [1 << 40, u64::MAX - 1, u64::MAX] {
        let place = journal_that_says(IDLE, LEN, len);
        for mode in [Mode::ReadOnly, Mode::Existing] {
            let store = Efile::open(&place.path, options(&place).mode(mode)).unwrap();
            assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
            let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
            assert_eq!(common::drain_batches(&mut reader, 9).len(), 3);
            store.close().unwrap();
        }
    }
}

#[test]
fn numbers_that_a_journal_makes_up_do_not_overflow() {
    for field in [64, 72, 80] {
        let place = journal_that_says(IDLE, field, u64::MAX);
        let store = open(&place);
        assert!(store.stats().is_ok());
        store.append(&events_at([4])).unwrap();
        assert!(store.stats().is_ok());
        store.close().unwrap();
    }
}

#[test]
fn a_store_whose_seqs_are_used_up_opens_and_can_be_read() {
    const NEXT_SEQ: usize = 16;
    for left in 0..3 {
        let place = journal_that_says(CLOSE, NEXT_SEQ, u64::MAX - left);
        let mut stored = 3;
        for _ in 0..2 {
            let store = open(&place);
            for time in [4, 2] {
                match store.append(&events_at([time])) {
                    Ok(_) => stored += 1,
                    Err(e) => assert!(matches!(e, Error::Invalid { .. }), "{e:?}"),
                }
            }
            assert_eq!(store.append_absent(&events_at([1])).unwrap().present, 1);
            let events = common::drain(store.read(..).unwrap());
            assert_eq!(events.len(), stored);
            let mut tail = store.tail(0).unwrap();
            assert!(matches!(tail.next_batch(9).unwrap(), Tailed::Events(events) if events.iter().count() == stored));
            assert!(matches!(tail.next_batch(9).unwrap(), Tailed::Nothing));
            assert_eq!(store.verify(|_| ControlFlow::Continue(())).unwrap().damaged, 0);
            store.close().unwrap();
        }
        assert_eq!(stored as u64, 3 + left);
    }
}

#[test]
fn recovery_makes_no_log_longer() {
    let place = Place::simulated(1);
    for times in [[1, 2], [3, 4]] {
        open(&place).append(&events_at(times)).unwrap();
    }
    let store = open(&place);
    store.append(&events_at([5])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    // More is gone than can have been in the making.
    let cut = place.file(LOG)[..100].to_vec();
    place.put_file(LOG, &cut);
    assert_error!(open(&place).read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
    assert_eq!(place.file(LOG), cut);
}

#[test]
fn salvaging_takes_no_events_of_another_chunk() {
    let place = Place::simulated(1);
    let options = || options(&place).file_size(100);
    let store = Store::open(&place.path, options()).unwrap();
    store.append(&events_at([1, 2, 101, 202])).unwrap();
    store.close().unwrap();
    // With the journal gone only the frames could tell which log this is, and they are those of another.
    let (first, second) = (place.file("0-0.estore"), place.file("1-0.estore"));
    place.put_file("0-0.estore", &second);
    place.put_file("1-0.estore", &first);
    place.disk.remove_file(&place.path.join("journal")).unwrap();
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = Store::open(&place.path, options().mode(mode)).unwrap();
        for how in [ReadOptions::new(), ReadOptions::new().reverse()] {
            let mut reader = store.read_with(.., how.salvage()).unwrap();
            assert_eq!(common::times(&common::drain_batches(&mut reader, 9)), [202]);
            let told = |time| reader.gaps().iter().any(|gap| (gap.first_time..=gap.last_time).contains(&time));
            assert!([1, 2, 101].into_iter().all(told), "{:?}", reader.gaps());
        }
    }
}

#[test]
fn salvaging_takes_no_events_twice_from_a_log_that_is_there_twice() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    place.put_file("0-1.estore", &place.file(LOG));
    place.disk.remove_file(&place.path.join("journal")).unwrap();
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = Efile::open(&place.path, options(&place).mode(mode)).unwrap();
        for how in [ReadOptions::new(), ReadOptions::new().reverse()] {
            let mut reader = store.read_with(.., how.salvage()).unwrap();
            assert_eq!(common::drain_batches(&mut reader, 9).len(), 3);
            assert_eq!(reader.gaps().len(), 1, "{:?}", reader.gaps());
        }
    }
}

#[test]
fn salvaging_goes_on_where_a_body_and_then_a_header_is_damaged() {
    let place = Place::simulated(1);
    let store = open(&place);
    for time in 0..4 {
        store.append(&[common::event(time, 1, vec![time as u8; 100_000])]).unwrap();
    }
    store.close().unwrap();
    let mut bytes = place.file(LOG);
    let frames = common::frames(&bytes);
    assert_eq!(frames.len(), 4);
    bytes[frames[1] + 50_000] ^= 1;
    bytes[frames[2] + 20] ^= 1;
    place.put_file(LOG, &bytes);
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let store = Efile::open(&place.path, options(&place).mode(mode)).unwrap();
        for how in [ReadOptions::new(), ReadOptions::new().reverse()] {
            let mut reader = store.read_with(.., how.salvage()).unwrap();
            let mut times = common::times(&common::drain_batches(&mut reader, 9));
            times.sort_unstable();
            assert_eq!(times, [0, 3]);
            assert_eq!(reader.gaps().len(), 2, "{:?}", reader.gaps());
        }
    }
}

#[test]
fn nothing_is_due_on_a_handle_that_only_reads() {
    let place = Place::simulated(1);
    open(&place).close().unwrap();
    let store = Efile::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
    store.tick().unwrap();
    store.close().unwrap();
    assert_error!(store.tick(), Error::Closed { .. });
}

#[test]
fn a_frame_that_names_a_wrong_file_does_not_make_its_log_another() {
    let place = Place::simulated(1);
    let store = open(&place);
    for time in 0..4 {
        store.append(&events_at([time])).unwrap();
    }
    store.close().unwrap();
    place.disk.remove_file(&place.path.join("journal")).unwrap();
    let mut bytes = place.file(LOG);
    let first = common::frames(&bytes)[0];
    bytes[first + 8] ^= 1;
    let whole_header = bytes.clone();
    bytes[40] ^= 1;
    for bytes in [whole_header, bytes] {
        place.put_file(LOG, &bytes);
        place.put_file("0-1.estore", &bytes);
        let store = Efile::open(&place.path, options(&place).mode(Mode::ReadOnly)).unwrap();
        let mut reader = store.read_with(.., ReadOptions::new().salvage()).unwrap();
        assert_eq!(common::times(&common::drain_batches(&mut reader, 9)), [1, 2, 3]);
    }
}

/// A closed efile that was compacted, and its log and its journal from before that.
fn compacted() -> (Place, Vec<u8>, Vec<u8>) {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([3, 1, 2])).unwrap();
    store.close().unwrap();
    let (log, journal) = (place.file(LOG), place.file("journal"));
    let store = open(&place);
    assert_eq!(store.compact(.., |_| ControlFlow::Continue(())).unwrap().chunks, 1);
    store.close().unwrap();
    (place, log, journal)
}

/// Opens for reading only. A handle that looks again and again meets errors in the end.
fn open_before_the_disk_breaks(place: &Place) -> estore::Result<Efile> {
    let effect = FaultEffect::Errno(libc::EIO);
    place.sim().inject(Fault { at: 10_000, calls: None, name: None, effect, forever: true });
    Efile::open(&place.path, options(place).mode(Mode::ReadOnly))
}

#[test]
fn a_reader_does_not_wait_for_a_log_that_its_journal_calls_active_and_replaced() {
    const ACTIVE: u8 = 2;
    let (place, _, before) = compacted();
    let mut journal = place.file("journal");
    let (at, from) = (record(&journal, CLOSE), record(&before, IDLE));
    journal[at..at + 128].copy_from_slice(&before[from..from + 128]);
    journal[at + 4] = ACTIVE;
    seal_record(&mut journal, at);
    place.put_file("journal", &journal);
    open_before_the_disk_breaks(&place).expect("an answer").read(..).expect("a reader");
}

#[test]
fn a_reader_does_not_wait_for_a_log_that_a_damaged_journal_calls_replaced() {
    let (place, log, _) = compacted();
    let mut journal = place.file("journal");
    let at = record(&journal, CLOSE);
    journal[at + 20] ^= 1;
    place.put_file("journal", &journal);
    // All that came back of the logs is the header of the one that was replaced.
    place.put_file(LOG, &log[..64]);
    place.disk.remove_file(&place.path.join("0-1.estore")).unwrap();
    let store = open_before_the_disk_breaks(&place).expect("an answer");
    assert!(store.verify(|_| ControlFlow::Continue(())).unwrap().damaged > 0);
}

#[test]
fn a_log_with_the_last_seqs_there_are_can_be_compacted() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    let mut log = place.file(LOG);
    let frame = common::frames(&log)[0];
    let (one, two) = (u64::MAX - 1, u64::MAX);
    for (at, seq) in [(72, one), (88, two), (96, one), (104, two), (112, two)] {
        log[frame + at..frame + at + 8].copy_from_slice(&seq.to_le_bytes());
    }
    let crc = crc32fast::hash(&log[frame + 16..frame + 128]);
    log[frame + 4..frame + 8].copy_from_slice(&crc.to_le_bytes());
    place.put_file(LOG, &log);
    let store = open(&place);
    assert_eq!(store.compact(.., |_| ControlFlow::Continue(())).unwrap().chunks, 1);
    assert_eq!(common::drain(store.read(..).unwrap()).len(), 2);
}
