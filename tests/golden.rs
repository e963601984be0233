//! The format on disk stays what it is: stores that this version once wrote, kept under `tests/golden`, open and read as they did then; and
//! the same operations still write the same bytes.
//!
//! `tests/golden/v1` belongs to format version 1 and is never written again. Should a change make new bytes on purpose (a new format
//! version, or the same one written differently), `ESTORE_BLESS=1 cargo test --test golden` writes them to `tests/golden/now`; keep them
//! there beside the old ones, under the name of their version.
//!
//! `tests/golden/v1-written` has what of that is written differently by now: journals count the frames of each log; frames of short recon
//! runs are shorter, or half as long where late events come in order; and those of one event have the short header.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::handle::Handle;
use common::place::Place;
use common::{drain, event};
use estore::disk::Crash;
use estore::{Compression, Durability, Event, Mode, Options, ReadOptions, Sizes};

/// The stores that are kept. Each shows what the others don't.
const STORES: [&str; 5] = ["carried", "closed", "compressed", "died", "efile"];

/// Late events of this length, 20 of them, are more than what is to stay in the log: there is a recon file.
const LATE_LEN: usize = 16 << 10;

fn options(place: &Place, name: &str) -> Options {
    let sizes = Sizes { pending_bytes: 256 << 10, seq_reserve: 1 << 24, ..Sizes::default() };
    let options = place.options().durability(Durability::Process).grace(5_000).sizes(sizes);
    match name {
        "efile" => options,
        // Each late batch is a run, until there are too many: then most of their frames become frames of one.
        "carried" => options.file_size(1_000_000).sizes(Sizes { pending_bytes: 1, ..sizes }),
        "compressed" => options.file_size(1_000_000).compression(Compression::Lz4),
        _ => options.file_size(1_000_000),
    }
}

/// What was appended, batch by batch.
fn batches() -> Vec<Vec<Event>> {
    let mut batches = vec![
        vec![event(0, 7, "the first time"), event(u64::MAX, 7, "the last time")],
        (0..500).map(|i| event(2_000_000 + i * 1_900, i as u32 * 3, format!("in order, {i}"))).collect(),
        (0..100).map(|i| event(2_500_000 + (i * 37 % 100), 9, [])).collect(),
        vec![event(3_000_007, 1, "equal"), event(3_000_007, 1, "equal"), event(3_000_007, 2, "equal")],
    ];
    for i in 0..20 {
        batches.push(vec![event(2_000_050 - i, 70_000 + i as u32, vec![i as u8; LATE_LEN]), event(3_000_100 + i, 1, "among late ones")]);
    }
    batches.push(vec![event(2_100_000, 5, "late, in no run")]);
    batches
}

/// Makes the store `name` as it is kept.
fn make(name: &str) -> Place {
    let place = Place::simulated(7);
    let store = Handle::open(name == "efile", &place.path, options(&place, name)).unwrap();
    for batch in batches() {
        store.append(&batch).unwrap();
    }
    match name {
        "died" => {
            place.crash(Crash::KeepAll);
            drop(store);
            // As if killed in the middle of a write.
            let log = place.path.join("3-0.estore");
            let mut bytes = place.sim().dump(&log).unwrap();
            bytes.extend_from_slice(b"eFrm, cut off");
            place.sim().put(&log, &bytes).unwrap();
        }
        "compressed" => {
            assert_eq!(store.compact(..).unwrap().chunks, 4);
            store.close().unwrap();
        }
        _ => store.close().unwrap(),
    }
    place
}

fn expected() -> Vec<(u64, u32, Vec<u8>)> {
    common::stable_sorted(&batches().concat())
}

fn folder(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version).join(name)
}

/// The files of a store but the lock file, which names a process.
fn files_of(place: &Place) -> BTreeMap<String, Vec<u8>> {
    place.contents().into_iter().filter(|(name, _)| name != "lock").collect()
}

fn kept_files(version: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder(version, name)).expect("the kept store is there");
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

/// Copies of a kept store on both disks.
fn copies(version: &str, name: &str) -> Vec<Place> {
    [Place::simulated(1), Place::real()]
        .into_iter()
        .inspect(|place| {
            place.disk.create_folder(&place.path).unwrap();
            for (file, bytes) in kept_files(version, name) {
                place.put_file(&file, &bytes);
            }
        })
        .collect()
}

fn check(place: &Place, name: &str, options: Options) {
    let store = Handle::open(name == "efile", &place.path, options).unwrap();
    let forward = drain(store.read_with(.., ReadOptions::new()).unwrap());
    assert_eq!(common::identities(&forward), expected(), "{name}");
    common::assert_ordered(&forward);
    let mut backward = drain(store.read_with(.., ReadOptions::new().reverse()).unwrap());
    backward.reverse();
    assert_eq!(backward, forward, "{name}, backwards");
    assert_eq!(
        store.count(2_000_000..3_000_000).unwrap(),
        forward.iter().filter(|e| (2_000_000..3_000_000).contains(&e.time)).count() as u64
    );
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.oldest, stats.newest), (forward.len() as u64, 0, u64::MAX));
    store.close().unwrap();
}

#[test]
fn stores_of_format_1_read_as_they_always_did() {
    for name in STORES {
        for place in copies("v1", name) {
            check(&place, name, options(&place, name).mode(Mode::ReadOnly));
            check(&place, name, options(&place, name).mode(Mode::ReadOnly).no_index(true));
            check(&place, name, options(&place, name));
            // And once more, as the version of today left it.
            check(&place, name, options(&place, name));
        }
    }
}

#[test]
fn stores_of_format_1_have_every_kind_of_file_and_take_more_events() {
    let mut endings: Vec<String> = STORES
        .iter()
        .flat_map(|name| kept_files("v1", name).into_keys())
        .map(|file| file.rsplit_once('.').map_or(file.clone(), |(_, ending)| ending.to_owned()))
        .collect();
    endings.sort();
    endings.dedup();
    assert_eq!(endings, ["estore", "idx", "journal", "recon"]);
    for name in STORES {
        for place in copies("v1", name) {
            let store = Handle::open(name == "efile", &place.path, options(&place, name)).unwrap();
            let newest = drain(store.read_with(.., ReadOptions::new()).unwrap()).iter().map(|event| event.seq).max();
            assert!(store.append(&[event(2_000_000, 1, "one more")]).unwrap() > newest.unwrap());
            assert_eq!(store.count(..).unwrap(), expected().len() as u64 + 1);
        }
    }
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_alone() {
    for place in copies("v1", "closed") {
        // The version stands at byte 8 of the settings, the checksum of the bytes before it at 124.
        let mut settings = place.file("estore");
        settings[8] += 1;
        let crc = crc32fast::hash(&settings[..124]);
        settings[124..].copy_from_slice(&crc.to_le_bytes());
        place.put_file("estore", &settings);
        let before = place.contents();
        for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
            let error = common::error_of(Handle::open(false, &place.path, options(&place, "closed").mode(mode)));
            assert!(matches!(error, estore::Error::NewerFormat { .. }), "{error:?}");
        }
        assert_eq!(place.contents(), before);
    }
}

#[test]
fn the_same_operations_write_the_same_bytes() {
    for name in STORES {
        let files = files_of(&make(name));
        if std::env::var_os("ESTORE_BLESS").is_some() {
            let folder = folder("now", name);
            fs::create_dir_all(&folder).unwrap();
            for (file, bytes) in &files {
                fs::write(folder.join(file), bytes).unwrap();
            }
            continue;
        }
        let mut kept = kept_files("v1", name);
        if folder("v1-written", name).exists() {
            kept.extend(kept_files("v1-written", name));
        }
        assert_eq!(files.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "{name}");
        // What a codec makes of a body is its own matter, as long as the body comes out.
        for (file, bytes) in files.into_iter().filter(|_| name != "compressed") {
            // How much room lies behind records of the journal, or behind runs, is no matter of the format.
            let content = |bytes: &[u8]| {
                if file == "journal" || file.ends_with(".recon") {
                    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
                } else {
                    bytes.len()
                }
            };
            let (kept, len) = (&kept[&file], content(&bytes));
            assert!(len == content(kept) && kept[..len] == bytes[..len], "{name}/{file} is not what it was");
        }
    }
}
