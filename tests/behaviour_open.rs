//! Opening: each thing that can be wrong with a path, a mode or an option has an error of its own, and changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::place::{Place, write_file};
use common::{drain, events_at, identities};
use estore::disk::Kind;
use estore::{Durability, Efile, Error, LARGEST_EVENT_LEN, Mode, Options, Store};

/// The same test on both disks.
fn on_both_disks(test: impl Fn(&Place)) {
    test(&Place::simulated(1));
    test(&Place::real());
}

/// A store with three events, closed.
fn make_store(place: &Place) {
    let store = Store::open(&place.path, place.options().file_size(100).grace(10)).expect("a store is made");
    store.append(&events_at([1, 150, 151])).expect("events are appended");
    store.close().expect("the store closes");
}

fn exists(place: &Place, path: &Path) -> bool {
    place.disk.kind(path).expect("the path can be looked at").is_some()
}

fn make_folder(place: &Place) {
    place.disk.create_folder(&place.path).expect("a folder is made");
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    on_both_disks(|place| {
        write_file(&*place.disk, &place.path, b"mine");
        for mode in [Mode::CreateIfMissing, Mode::CreateNew, Mode::Existing, Mode::ReadOnly] {
            let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::NotAFolder { .. });
            assert_eq!(error.path(), Some(place.path.as_path()));
            assert_error!(Efile::open(&place.path, place.options().mode(mode)), Error::NotAFolder { .. });
        }
        assert_error!(Store::destroy(&place.path, place.options()), Error::NotAFolder { .. });
        assert_eq!(common::place::read_file(&*place.disk, &place.path), b"mine");
    });
}

#[test]
fn a_path_below_a_file_is_refused() {
    on_both_disks(|place| {
        write_file(&*place.disk, &place.path, b"mine");
        let below = place.path.join("store");
        for mode in [Mode::CreateIfMissing, Mode::CreateNew, Mode::Existing, Mode::ReadOnly] {
            assert!(Store::open(&below, place.options().mode(mode)).is_err());
        }
    });
}

#[test]
fn only_the_last_folder_of_a_path_is_made() {
    on_both_disks(|place| {
        let deep = place.path.join("a").join("store");
        let error = common::error_of(Store::open(&deep, place.options()));
        assert_eq!(error.os_error(), Some(libc::ENOENT), "{error:?}");
        assert!(!exists(place, &place.path));
    });
}

#[test]
fn a_store_is_made_in_a_missing_folder_or_an_empty_one() {
    on_both_disks(|place| {
        make_store(place);
        Store::destroy(&place.path, place.options()).expect("the store is removed");
        assert!(!exists(place, &place.path));
        make_folder(place);
        make_store(place);
        assert_eq!(place.disk.kind(&place.path).unwrap(), Some(Kind::Folder));
    });
}

#[test]
fn no_store_is_made_among_foreign_files() {
    on_both_disks(|place| {
        make_folder(place);
        place.put_file("holiday.jpg", b"sea");
        for mode in [Mode::CreateIfMissing, Mode::CreateNew] {
            let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::ForeignFiles { .. });
            assert!(error.to_string().contains("holiday.jpg"), "{error}");
            assert_error!(Efile::open(&place.path, place.options().mode(mode)), Error::ForeignFiles { .. });
        }
        assert_eq!(place.contents(), [("holiday.jpg".to_owned(), b"sea".to_vec())]);
    });
}

#[test]
fn a_folder_named_as_the_settings_makes_no_store() {
    for place in [Place::simulated(1), Place::real()] {
        place.disk.create_folder(&place.path).unwrap();
        place.disk.create_folder(&place.path.join("estore")).unwrap();
        for mode in [Mode::CreateIfMissing, Mode::CreateNew] {
            assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::ForeignFiles { name, .. } if name == "estore");
        }
        for mode in [Mode::Existing, Mode::ReadOnly] {
            assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::NotAStore { .. });
        }
        assert_error!(Store::destroy(&place.path, place.options()), Error::NotAStore { .. });
        let store = Store::open(place.path.with_file_name("other"), place.options()).unwrap();
        let snapshot = store.snapshot(&place.path, |_| std::ops::ControlFlow::Continue(()));
        assert_error!(snapshot, Error::ForeignFiles { name, .. } if name == "estore");
        assert_eq!(place.names(""), ["estore"]);
    }
}

#[test]
fn a_store_that_is_there_puts_up_with_foreign_files() {
    on_both_disks(|place| {
        make_store(place);
        for name in ["notes.txt", "0-1.idx.bak", ".hidden", "estore.old", "x-y.estore", "99999999999999999999999-1.estore"] {
            place.put_file(name, b"mine");
        }
        let store = Store::open(&place.path, place.options()).expect("the store opens");
        assert_eq!(common::times(&drain(store.read(..).unwrap())), [1, 150, 151]);
        store.close().unwrap();
        for name in ["notes.txt", "0-1.idx.bak", ".hidden", "estore.old"] {
            assert_eq!(place.file(name), b"mine", "{name} is as it was");
        }
    });
}

#[test]
fn the_modes_do_what_they_say() {
    on_both_disks(|place| {
        let open = |mode| Store::open(&place.path, place.options().mode(mode));
        for mode in [Mode::Existing, Mode::ReadOnly] {
            assert_error!(open(mode), Error::NotFound { .. });
            assert!(!exists(place, &place.path), "{mode:?} makes nothing");
        }
        make_folder(place);
        for mode in [Mode::Existing, Mode::ReadOnly] {
            assert_error!(open(mode), Error::NotAStore { .. });
            assert_eq!(place.contents(), [], "{mode:?} makes nothing");
        }
        let store = open(Mode::CreateNew).expect("a store is made");
        store.append(&events_at([7])).unwrap();
        store.close().unwrap();
        let before = place.contents();
        assert_error!(open(Mode::CreateNew), Error::Exists { .. });
        assert_eq!(place.contents(), before, "a refused CreateNew changes nothing");
        for mode in [Mode::Existing, Mode::CreateIfMissing, Mode::ReadOnly] {
            let store = open(mode).expect("the store opens");
            assert_eq!(store.count(..).unwrap(), 1, "{mode:?}");
            store.close().unwrap();
        }
    });
}

#[test]
fn a_store_and_an_efile_are_not_mistaken_for_each_other() {
    on_both_disks(|place| {
        make_store(place);
        let before = place.contents();
        for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
            assert_error!(Efile::open(&place.path, place.options().mode(mode)), Error::NotAStore { .. });
        }
        assert_eq!(place.contents(), before);
        Store::destroy(&place.path, place.options()).unwrap();

        let efile = Efile::open(&place.path, place.options()).expect("an efile is made");
        efile.append(&events_at([1])).unwrap();
        efile.close().unwrap();
        let before = place.contents();
        for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
            assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::NotAStore { .. });
        }
        assert_eq!(place.contents(), before);
    });
}

#[test]
fn other_settings_than_the_stores_are_refused_and_named() {
    on_both_disks(|place| {
        make_store(place);
        let before = place.contents();
        let open = |options: Options| Store::open(&place.path, options);
        assert_error!(open(place.options().file_size(101)), Error::Settings { name, stored, asked, .. }
            if name.contains("file_size") && stored.contains("100") && asked.contains("101"));
        assert_error!(open(place.options().grace(11)), Error::Settings { name, .. } if name.contains("grace"));
        assert_error!(open(place.options().mode(Mode::ReadOnly).grace(11)), Error::Settings { .. });
        assert_eq!(place.contents(), before);
        open(place.options().file_size(100).grace(10)).expect("the same settings are fine").close().unwrap();
        let store = open(place.options()).expect("no settings are fine");
        let stats = store.stats().unwrap();
        assert_eq!((stats.file_size, stats.grace), (100, 10));
    });
}

#[test]
fn the_default_settings_are_those_of_the_documentation() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options()).unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.file_size, stats.grace), (estore::DEFAULT_FILE_SIZE_NS, estore::DEFAULT_GRACE_NS));
    assert_eq!((stats.events, stats.oldest, stats.newest, stats.last_seq), (0, u64::MAX, 0, 0));
}

#[test]
fn the_settings_can_be_told_by_whoever_opens_without_them() {
    on_both_disks(|place| {
        make_store(place);
        for mode in [Mode::Existing, Mode::ReadOnly] {
            let store = Store::open(&place.path, place.options().mode(mode)).unwrap();
            assert_eq!((store.file_size(), store.grace()), (100, 10));
        }
    });
    let place = Place::simulated(1);
    let efile = Efile::open(&place.path, place.options().grace(7)).unwrap();
    assert_eq!(efile.grace(), 7);
}

#[test]
fn options_out_of_range_are_refused() {
    let place = Place::simulated(1);
    let wrong = [
        place.options().file_size(0),
        place.options().max_event_len(LARGEST_EVENT_LEN + 1),
        place.options().max_new_chunks(0),
        place.options().max_open_logs(0),
        place.options().buffer(0, 1),
        place.options().durability(Durability::Interval(0)),
    ];
    for options in wrong {
        assert_error!(Store::open(&place.path, options), Error::Invalid { .. });
        assert!(!exists(&place, &place.path));
    }
    assert_error!(Efile::open(&place.path, place.options().file_size(100)), Error::Invalid { .. });
    assert!(!exists(&place, &place.path));
}

#[test]
fn a_folder_that_cannot_be_read_is_a_matter_of_permission() {
    let place = Place::simulated(1);
    make_store(&place);
    let before = place.contents();
    place.sim().deny(&place.path);
    for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
        let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::Permission { .. });
        assert_eq!(error.os_error(), Some(libc::EACCES));
    }
    place.sim().allow_all();
    assert_eq!(place.contents(), before);
}

#[test]
fn each_file_that_cannot_be_read_is_a_matter_of_permission() {
    for name in ["estore", "journal", ".estore"] {
        let place = Place::simulated(1);
        make_store(&place);
        for name in place.names(name) {
            place.sim().deny(place.path.join(name));
        }
        let opened = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).and_then(|store| {
            let mut reader = store.read(..)?;
            reader.next_batch(10).map(|batch| batch.len())
        });
        assert_error!(opened, Error::Permission { .. });
    }
}

#[test]
fn a_read_only_disk_is_a_matter_of_permission_but_can_be_read() {
    let place = Place::simulated(1);
    place.sim().set_read_only(true);
    assert_error!(Store::open(&place.path, place.options()), Error::Permission { .. });
    place.sim().set_read_only(false);
    make_store(&place);
    let before = place.contents();
    place.sim().set_read_only(true);
    for mode in [Mode::CreateIfMissing, Mode::Existing] {
        let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::Permission { .. });
        assert_eq!(error.os_error(), Some(libc::EROFS));
    }
    let store = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).expect("opens for reading");
    assert_eq!(common::times(&drain(store.read(..).unwrap())), [1, 150, 151]);
    store.close().unwrap();
    assert_eq!(place.contents(), before);
}

#[test]
fn a_disk_that_turns_read_only_stops_the_writer_but_not_the_reader() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, place.options().durability(Durability::Process)).unwrap();
    store.append(&events_at([1, 2])).unwrap();
    place.sim().set_read_only(true);
    assert!(store.append(&events_at([3])).is_err());
    assert_eq!(common::times(&drain(store.read(..).unwrap())), [1, 2]);
}

#[test]
fn opened_for_reading_nothing_is_written_and_nothing_can_be() {
    let place = Place::simulated(1);
    make_store(&place);
    for no_index in [false, true] {
        for name in place.names(".idx").into_iter().chain(place.names(".recon")) {
            place.sim().remove(place.path.join(name));
        }
        let before = place.contents();
        place.sim().reset_counters();
        let store = Store::open(&place.path, place.options().mode(Mode::ReadOnly).no_index(no_index)).unwrap();
        assert_error!(store.append(&events_at([1])), Error::ReadOnly { .. });
        assert_error!(store.append_absent(&events_at([1])), Error::ReadOnly { .. });
        assert_error!(store.delete_before(100), Error::ReadOnly { .. });
        assert_eq!(store.count(..).unwrap(), 3);
        assert_eq!(drain(store.read(..).unwrap()).len(), 3);
        store.close().unwrap();
        let counters = place.sim().counters();
        assert_eq!((counters.writes, counters.syncs, counters.reserves), (0, 0, 0));
        assert_eq!(place.contents(), before);
    }
}

#[test]
fn opened_for_reading_a_store_is_shown_as_it_is_at_each_read() {
    on_both_disks(|place| {
        let writer = Store::open(&place.path, place.options().file_size(100).durability(Durability::Process)).unwrap();
        writer.append(&events_at([5, 105])).unwrap();
        let reading = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).expect("opens beside the writer");
        let reader = reading.read(..).unwrap();
        writer.append(&events_at([6, 205])).unwrap();
        writer.close().unwrap();
        assert_eq!(common::times(&drain(reading.read(..).unwrap())), [5, 6, 105, 205]);
        assert_eq!(reading.count(..).unwrap(), 4);
        drop(reading);
        assert_eq!(common::times(&drain(reader)), [5, 105]);
        let reading = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).unwrap();
        assert_eq!(common::times(&drain(reading.read(..).unwrap())), [5, 6, 105, 205]);
        let writer = Store::open(&place.path, place.options()).expect("a writer opens beside a reader");
        assert_eq!(writer.count(..).unwrap(), 4);
    });
}

#[test]
fn a_closed_handle_says_so_and_its_readers_go_on() {
    on_both_disks(|place| {
        let store = Store::open(&place.path, place.options()).unwrap();
        let events = events_at([3, 1, 2]);
        store.append(&events).unwrap();
        let reader = store.read(..).unwrap();
        store.close().unwrap();
        store.close().expect("closing once more is nothing");
        assert_error!(store.append(&events), Error::Closed { .. });
        assert_error!(store.append_absent(&events), Error::Closed { .. });
        assert_error!(store.read(..).map(drop), Error::Closed { .. });
        assert_error!(store.count(..), Error::Closed { .. });
        assert_error!(store.sync(), Error::Closed { .. });
        assert_error!(store.stats(), Error::Closed { .. });
        assert_error!(store.delete_before(5), Error::Closed { .. });
        assert_eq!(identities(&drain(reader)), common::stable_sorted(&events));
        assert_eq!(store.path(), place.path);
    });
}

#[test]
fn destroy_removes_only_what_is_the_stores() {
    on_both_disks(|place| {
        make_store(place);
        place.put_file("notes.txt", b"mine");
        Store::destroy(&place.path, place.options()).unwrap();
        assert_eq!(place.contents(), [("notes.txt".to_owned(), b"mine".to_vec())]);
        assert_error!(Store::destroy(&place.path, place.options()), Error::NotAStore { .. });
        place.disk.remove_file(&place.path.join("notes.txt")).unwrap();
        make_store(place);
        Store::destroy(&place.path, place.options()).unwrap();
        assert!(!exists(place, &place.path), "a folder that is empty then goes too");
        assert_error!(Store::destroy(&place.path, place.options()), Error::NotFound { .. });
    });
}

#[test]
fn destroy_is_refused_while_a_writer_has_the_store() {
    on_both_disks(|place| {
        let store = Store::open(&place.path, place.options()).unwrap();
        store.append(&events_at([1])).unwrap();
        assert_error!(Store::destroy(&place.path, place.options()), Error::Locked { .. });
        assert_eq!(store.count(..).unwrap(), 1);
        store.append(&events_at([2])).expect("the store goes on");
        store.close().unwrap();
        Store::destroy(&place.path, place.options()).unwrap();
    });
}

#[test]
fn a_folder_without_permission_on_the_real_disk() {
    // Root may do everything, so there is nothing to see for it.
    // SAFETY: the call has no preconditions.
    #[allow(unsafe_code)]
    let root = unsafe { libc::geteuid() } == 0;
    if root {
        println!("skipped: root may read everything");
        return;
    }
    let place = Place::real();
    make_store(&place);
    let mode = |bits: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(bits);
        fs::set_permissions(&place.path, permissions).expect("the folder's mode can be set");
    };
    mode(0o000);
    let unreadable = Store::open(&place.path, place.options());
    mode(0o500);
    let reading = Store::open(&place.path, place.options().mode(Mode::ReadOnly)).and_then(|store| store.count(..));
    mode(0o700);
    assert_error!(unreadable, Error::Permission { .. });
    assert_eq!(reading.expect("a folder that can't be written can be read"), 3);
}

#[test]
fn log_messages_reach_the_callback() {
    use std::sync::{Arc, Mutex};
    let place = Place::simulated(1);
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&lines);
    let options = place.options().log(move |_, line| sink.lock().unwrap().push(line.to_owned()));
    let store = Store::open(&place.path, options).unwrap();
    store.append(&events_at([1])).unwrap();
    store.close().unwrap();
    assert!(lines.lock().unwrap().iter().all(|line| !line.is_empty()));
}

/// Changes a number in the settings file, with a checksum that fits, as a newer version would write it. See the crate's page on the format.
fn change_settings(place: &Place, offset: usize, number: u32) {
    let mut bytes = place.file("estore");
    bytes[offset..offset + 4].copy_from_slice(&number.to_le_bytes());
    let body = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    place.put_file("estore", &bytes);
}

#[test]
fn a_store_of_a_newer_format_is_refused_as_that() {
    for (offset, number) in [(8, 2), (8, u32::MAX), (20, 1)] {
        let place = Place::simulated(1);
        make_store(&place);
        change_settings(&place, offset, number);
        let before = place.contents();
        for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
            let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::NewerFormat { .. });
            assert!(error.path().is_some_and(|path| path.ends_with("estore")), "{error}");
        }
        assert_error!(Efile::open(&place.path, place.options()), Error::NewerFormat { .. });
        assert_eq!(place.contents(), before);
    }
}

#[test]
fn a_feature_that_an_older_version_may_ignore_is_ignored() {
    let place = Place::simulated(1);
    make_store(&place);
    change_settings(&place, 16, u32::MAX);
    let store = Store::open(&place.path, place.options()).expect("the store opens");
    assert_eq!(store.count(..).unwrap(), 3);
}

#[test]
fn damaged_settings_are_named() {
    let place = Place::simulated(1);
    make_store(&place);
    let mut bytes = place.file("estore");
    bytes[45] ^= 1;
    place.put_file("estore", &bytes);
    for mode in [Mode::CreateIfMissing, Mode::Existing, Mode::ReadOnly] {
        let error = assert_error!(Store::open(&place.path, place.options().mode(mode)), Error::Corrupt { .. });
        assert!(error.path().is_some_and(|path| path.ends_with("estore")), "{error}");
    }
    bytes[0] ^= 1;
    place.put_file("estore", &bytes);
    assert_error!(Store::open(&place.path, place.options()), Error::NotAStore { .. });
    assert_error!(
        Store::open(&place.path, place.options().mode(Mode::CreateNew)),
        Error::Exists { .. } | Error::ForeignFiles { .. } | Error::NotAStore { .. }
    );
}
