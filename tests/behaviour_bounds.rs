//! Whatever the files of a store are or claim to be, looking at it takes little memory: files of many gigabytes with nothing in them, and
//! lengths and counts that are as large as a field allows, under checksums that fit.
//!
//! The bytes that are made up here follow the module [`estore::format`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // an allocator that counts

#[path = "common/allocated.rs"]
mod allocated;
mod common;

use std::fs::{self, File, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use allocated::{alone, most_allocated};
use common::{event, events_at};
use estore::{Durability, Error, Event, Mode, Options, ReadOptions, Store};
use tempfile::TempDir;

/// No look at a store may allocate more at once.
const LIMIT: usize = 32 << 20;
/// Files that are longer than their bytes take.
const LONG: u64 = 256 << 20;
/// What a frame claims to be long.
const CLAIMED: u32 = 64 << 20;

const FRAME_HEADER_LEN: u64 = 128;
const LATE: u16 = 1;
const LAST: u16 = 2;
const END: u16 = 4;

fn options(mode: Mode) -> Options {
    Options::new().durability(Durability::Process).file_size(1 << 40).grace(10).background(false).mode(mode)
}

/// Two stores with the same 46 events, some of them late: one that was closed, and one whose writer died.
fn stores() -> (TempDir, [PathBuf; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let (closed, died) = (folder.path().join("closed"), folder.path().join("died"));
    let store = Store::open(&closed, options(Mode::CreateNew)).unwrap();
    store.append(&events_at(1000..1020)).unwrap();
    let late: Vec<Event> = (0..25).map(|i| event(i, 1, vec![7; 24_000])).collect();
    store.append(&late).unwrap();
    store.append(&events_at([1020])).unwrap();
    fs::create_dir(&died).unwrap();
    for entry in fs::read_dir(&closed).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), died.join(entry.file_name())).unwrap();
    }
    store.close().unwrap();
    (folder, [closed, died])
}

fn write(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// Where the bytes of a file end, zeros aside.
fn content_len(path: &Path) -> u64 {
    fs::read(path).unwrap().iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1
}

fn instance_at(path: &Path, offset: usize) -> u64 {
    let bytes = fs::read(path).unwrap();
    u64::from_le_bytes(*bytes[offset..].first_chunk().unwrap())
}

/// The header of a frame that claims so many events, of the widest columns, in so long a body. It belongs to the place and the instance,
/// and all its checksums fit but that of the body.
fn frame(instance: u64, offset: u64, flags: u16, count: u32, body_len: u32, durable: u64) -> [u8; FRAME_HEADER_LEN as usize] {
    let mut header = [0; FRAME_HEADER_LEN as usize];
    let seq: u64 = 1 << 40;
    put(&mut header, 0, b"eFrm");
    put(&mut header, 8, &instance.to_le_bytes());
    put(&mut header, 16, &offset.to_le_bytes());
    put(&mut header, 24, &flags.to_le_bytes());
    put(&mut header, 27, &[8, 8, 4, 4]);
    put(&mut header, 32, &count.to_le_bytes());
    put(&mut header, 40, &body_len.to_le_bytes());
    put(&mut header, 44, &body_len.to_le_bytes());
    put(&mut header, 48, &12345_u32.to_le_bytes());
    let keys = [2000, seq, 3000, seq + 1, seq, seq + u64::from(count), seq + u64::from(count), durable];
    for (place, number) in header[64..].chunks_mut(8).zip(keys) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let crc = crc32fast::hash(&header[16..]);
    put(&mut header, 4, &crc.to_le_bytes());
    header
}

/// Looks at the store in every way, counts included; each either works or fails with an error that names what is wrong, in little memory.
/// Answers how many events reading gave.
fn look(path: &Path, what: &str) -> usize {
    let mut read = 0;
    for mode in [Mode::ReadOnly, Mode::Existing] {
        let measure = |how: &str, call: &mut dyn FnMut() -> Result<(), Error>| {
            let (result, most) = most_allocated(call);
            if let Err(error) = &result {
                assert!(error.path().is_some() || matches!(error, Error::Invalid { .. }), "{what}, {mode:?}, {how}: {error:?}");
            }
            assert!(most < LIMIT, "{what}, {mode:?}, {how}: {most} bytes at once, then {result:?}");
            result
        };
        let mut store = None;
        let opened = measure("opening", &mut || {
            store = Some(Store::open(path, options(mode))?);
            Ok(())
        });
        let (Ok(()), Some(store)) = (opened, store) else { continue };
        for (how, options) in [
            ("reading", ReadOptions::new()),
            ("reading backwards", ReadOptions::new().reverse()),
            ("reading the last", ReadOptions::new().last(3)),
            ("salvaging", ReadOptions::new().salvage()),
        ] {
            let mut n = 0;
            let _ = measure(how, &mut || {
                let mut reader = store.read_with(.., options)?;
                loop {
                    match reader.next_batch(100)?.len() {
                        0 => return Ok(()),
                        len => n += len,
                    }
                }
            });
            read = read.max(n);
        }
        let _ = measure("counting", &mut || store.count(..).map(drop));
        let _ = measure("counting a part", &mut || store.count(5..1010).map(drop));
        let _ = measure("looking for what is absent", &mut || match store.append_absent(&events_at([1005])) {
            Err(Error::ReadOnly { .. }) => Ok(()),
            other => other.map(drop),
        });
        let _ = measure("verifying", &mut || store.verify(|_| ControlFlow::Continue(())).map(drop));
        let _ = measure("closing", &mut || store.close());
    }
    read
}

#[test]
fn a_log_that_is_long_and_empty() {
    let _alone = alone();
    let (_folder, [closed, died]) = stores();
    for path in [closed, died] {
        write(&path.join("0-0.estore")).set_len(LONG).unwrap();
        assert_eq!(look(&path, "a long log"), 46);
    }
}

#[test]
fn a_frame_that_claims_to_be_as_large_as_can_be() {
    let _alone = alone();
    // What is durable is never cut, whatever it is.
    for (count, class, durable) in [(1, 0, 0), (8192, 0, u64::MAX), (1, LATE, u64::MAX), (8192, LATE, 0)] {
        let (_folder, [_, died]) = stores();
        let log = died.join("0-0.estore");
        let (instance, end) = (instance_at(&log, 40), content_len(&log));
        let file = write(&log);
        file.set_len(end + FRAME_HEADER_LEN + u64::from(CLAIMED) + 100).unwrap();
        file.write_all_at(&frame(instance, end, class | LAST | END, count, CLAIMED, durable), end).unwrap();
        let what = format!("a frame of {count} events, class {class}, durable {durable}");
        assert_eq!(look(&died, &what), 46, "{what}");
    }
}

/// A closed store whose log is as long as its journal says, and that is long: most of it is damage that recovery may not cut.
fn with_a_long_log() -> (TempDir, PathBuf) {
    let (folder, [_, died]) = stores();
    let log = died.join("0-0.estore");
    let (instance, end) = (instance_at(&log, 40), content_len(&log));
    let file = write(&log);
    file.set_len(end + FRAME_HEADER_LEN + u64::from(CLAIMED)).unwrap();
    file.write_all_at(&frame(instance, end, LAST | END, 1, CLAIMED, u64::MAX), end).unwrap();
    Store::open(&died, options(Mode::Existing)).unwrap().close().unwrap();
    assert!(fs::metadata(&log).unwrap().len() > u64::from(CLAIMED), "it is not cut");
    (folder, died)
}

#[test]
fn an_index_that_claims_as_many_entries_as_can_be() {
    let _alone = alone();
    let (_folder, path) = with_a_long_log();
    let log = path.join("0-0.estore");
    let (instance, len) = (instance_at(&log, 40), fs::metadata(&log).unwrap().len());
    let entries = (len - 64) / 64;
    let mut part = [0; 56];
    put(&mut part, 0, b"eIdx");
    put(&mut part, 8, &instance.to_le_bytes());
    put(&mut part, 16, &64_u64.to_le_bytes());
    put(&mut part, 24, &len.to_le_bytes());
    put(&mut part, 32, &64_u64.to_le_bytes());
    put(&mut part, 44, &(entries as u32).to_le_bytes());
    let crc = crc32fast::hash(&part[8..]);
    put(&mut part, 4, &crc.to_le_bytes());
    let index = path.join("0-0.idx");
    fs::write(&index, part).unwrap();
    write(&index).set_len(56 + entries * 64).unwrap();
    assert_eq!(look(&path, "an index of many entries"), 46);
}

#[test]
fn a_recon_file_that_claims_as_many_entries_as_can_be() {
    let _alone = alone();
    for frames_len in [0, u64::MAX - (300 << 20), 1 << 40] {
        let (_folder, [path, _]) = stores();
        let log = path.join("0-0.estore");
        let recon = path.join("0-0.recon");
        assert!(fs::metadata(&recon).unwrap().len() > 64, "there is one");
        let instance = instance_at(&recon, 24);
        assert_eq!(instance_at(&recon, 16), instance_at(&log, 40));
        let entries: u32 = 2 << 20;
        let mut run = [0; 64];
        put(&mut run, 0, b"eRun");
        put(&mut run, 8, &64_u64.to_le_bytes());
        put(&mut run, 16, &fs::metadata(&log).unwrap().len().to_le_bytes());
        put(&mut run, 36, &entries.to_le_bytes());
        put(&mut run, 40, &frames_len.to_le_bytes());
        let covered = [&run[8..], &instance.to_le_bytes(), &64_u64.to_le_bytes()].concat();
        put(&mut run, 4, &crc32fast::hash(&covered).to_le_bytes());
        let file = write(&recon);
        file.write_all_at(&run, 64).unwrap();
        file.set_len(LONG).unwrap();
        assert_eq!(look(&path, "a recon run of many entries"), 46);
    }
}

#[test]
fn a_journal_that_is_long_and_empty_or_claims_to_be_long() {
    let _alone = alone();
    for claimed in [None, Some(u64::MAX), Some(1 << 40)] {
        let (_folder, stores) = stores();
        for path in stores {
            let file = write(&path.join("journal"));
            file.set_len(LONG).unwrap();
            if let Some(records) = claimed {
                let mut header = [0; 64];
                file.read_exact_at(&mut header, 0).unwrap();
                put(&mut header, 40, &records.to_le_bytes());
                let crc = crc32fast::hash(&header[..60]);
                put(&mut header, 60, &crc.to_le_bytes());
                file.write_all_at(&header, 0).unwrap();
            }
            assert_eq!(look(&path, &format!("a long journal, {claimed:?} records")), 46);
        }
    }
}

#[test]
fn journals_of_absurd_numbers() {
    let _alone = alone();
    // Each number of each record is as large as it can be, one at a time, under a checksum that fits.
    for (field, len) in
        [(8, 4), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8), (56, 8), (64, 8), (88, 8), (96, 8), (104, 8), (112, 8), (120, 8)]
    {
        let (_folder, stores) = stores();
        for path in stores {
            let journal = path.join("journal");
            let (instance, end) = (instance_at(&journal, 32), content_len(&journal));
            let mut bytes = fs::read(&journal).unwrap();
            for (record, offset) in bytes[64..].chunks_exact_mut(128).zip((64_u64..).step_by(128)).take_while(|(_, offset)| *offset < end) {
                record[field..field + len].fill(0xff);
                let covered = [&record[4..], &instance.to_le_bytes(), &offset.to_le_bytes()].concat();
                let crc = crc32fast::hash(&covered);
                record[..4].copy_from_slice(&crc.to_le_bytes());
            }
            fs::write(&journal, bytes).unwrap();
            look(&path, &format!("a journal with all ones at {field}"));
        }
    }
}

#[test]
fn files_that_are_long_and_should_be_short() {
    let _alone = alone();
    for name in ["estore", "lock", "0-0.idx", "0-0.recon", "0-0.cut", "journal.new", "estore.new", "0-0.recon.new"] {
        let (_folder, stores) = stores();
        for path in stores {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path.join(name)).unwrap();
            file.set_len(LONG).unwrap();
            assert_eq!(look(&path, name), 46, "a long file {name}");
        }
    }
}
