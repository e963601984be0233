//! One writing process at a time: refused at once while another writer has the store, free as soon as it is gone, however it went.
//!
//! Other processes are this test binary, run again with the store's path in the environment: then the test that plays the child does its
//! part and the others do nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::place::{Place, read_file, write_file};
use common::{drain, events_at, times};
use estore::disk::{Call, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Mode, Options, Result, RetainOptions, Store};

const PATH: &str = "ESTORE_TEST_CHILD_PATH";

/// The store's path, if this process is to play the child.
fn child_path() -> Option<PathBuf> {
    std::env::var_os(PATH).map(PathBuf::from)
}

/// Runs one test of this binary as a child that has the path.
fn start_child(test: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

/// What follows `word: ` on a line of the child; skips what else it says.
fn wait_for(child: &mut Child, word: &str) -> String {
    let mut lines = BufReader::new(child.stdout.take().expect("the child's output"));
    let mut line = String::new();
    loop {
        line.clear();
        assert!(lines.read_line(&mut line).expect("the child can be heard") > 0, "the child ended without a word");
        // The test's name may stand on the line before it.
        if let Some((_, rest)) = line.split_once(&format!("{word}: ")) {
            let rest = rest.trim().to_owned();
            child.stdout = Some(lines.into_inner());
            return rest;
        }
    }
}

fn say(word: &str, what: &str) {
    println!("{word}: {what}");
    std::io::stdout().flush().unwrap();
}

/// Returns when the parent closes the pipe, or is gone.
fn wait_for_parent() {
    let _ = std::io::stdin().read(&mut [0]);
}

fn options() -> Options {
    Options::new().durability(Durability::Process)
}

#[test]
fn a_second_writer_in_the_same_process_is_refused_at_once() {
    for place in [Place::simulated(1), Place::real()] {
        let first = Store::open(&place.path, place.options()).unwrap();
        first.append(&events_at([1])).unwrap();
        let error = assert_error!(Store::open(&place.path, place.options()), Error::Locked { .. });
        assert_eq!(error.path(), Some(place.path.as_path()));
        assert_error!(Efile::open(&place.path, place.options()), Error::Locked { .. } | Error::NotAStore { .. });
        first.append(&events_at([2])).expect("the first writer goes on");
        first.close().unwrap();
        let second = Store::open(&place.path, place.options()).expect("closing gives up the lock");
        assert_eq!(times(&drain(second.read(..).unwrap())), [1, 2]);
        drop(second);
        Store::open(&place.path, place.options()).expect("dropping gives up the lock").close().unwrap();
    }
}

#[test]
fn a_path_by_another_name_is_the_same_store() {
    let place = Place::real();
    let first = Store::open(&place.path, place.options()).unwrap();
    let other_name = place.path.join("..").join(place.path.file_name().unwrap());
    assert_error!(Store::open(&other_name, place.options()), Error::Locked { .. });
    let link = place.path.with_file_name("link");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    assert_error!(Store::open(&link, place.options()), Error::Locked { .. });
    first.close().unwrap();
    Store::open(&link, place.options()).expect("a link to a store is a store").close().unwrap();
}

#[test]
fn a_reader_left_open_holds_no_lock() {
    for place in [Place::simulated(1), Place::real()] {
        let store = Store::open(&place.path, place.options()).unwrap();
        store.append(&events_at([1, 2])).unwrap();
        let reader = store.read(..).unwrap();
        drop(store);
        let store = Store::open(&place.path, place.options()).expect("the lock is free");
        store.append(&events_at([3])).unwrap();
        assert_eq!(times(&drain(reader)), [1, 2]);
    }
}

/// A thread that starts another program has, for a moment, a child that holds all descriptors, and in which no fork handler ran.
#[test]
fn a_child_on_its_way_to_another_program_does_not_keep_the_lock_of_a_closed_store() {
    if child_path().is_some() {
        return;
    }
    let place = Place::real();
    let store = Store::open(&place.path, place.options()).unwrap();
    let (wait, go_on) = std::io::pipe().unwrap();
    // SAFETY: a bare clone, as posix_spawn makes it: the child calls only close, read and _exit on memory of its own.
    #[allow(unsafe_code)]
    let pid = unsafe {
        let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if pid == 0 {
            let mut byte = 0_u8;
            libc::close(go_on.as_raw_fd());
            libc::read(wait.as_raw_fd(), (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
        pid
    };
    assert!(pid > 0, "a clone");
    assert_error!(Store::open(&place.path, place.options()), Error::Locked { .. });
    store.close().unwrap();
    let again = Store::open(&place.path, place.options()).map(drop);
    drop(go_on);
    // SAFETY: `pid` is a child of this process; a null status is allowed.
    #[allow(unsafe_code)]
    let ended = unsafe { libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0) };
    assert_eq!(i64::from(ended), pid);
    again.expect("closing gives up the lock, whoever has a copy of the descriptor");
}

#[test]
fn child_that_holds_a_store() {
    let Some(path) = child_path() else { return };
    let store = Store::open(path, options()).expect("the child opens the store");
    store.append(&events_at([10, 20, 30])).unwrap();
    say("holding", &std::process::id().to_string());
    wait_for_parent();
}

#[test]
fn a_second_process_is_refused_and_the_lock_of_a_killed_one_is_free() {
    if child_path().is_some() {
        return;
    }
    let place = Place::real();
    let mut child = start_child("child_that_holds_a_store", &place.path);
    let pid = wait_for(&mut child, "holding");
    let error = assert_error!(Store::open(&place.path, options()), Error::Locked { .. });
    if let Error::Locked { holder: Some(holder), .. } = &error {
        assert_eq!(holder.to_string(), pid, "the holder that is named is the holder");
    }
    assert_error!(Store::destroy(&place.path, options()), Error::Locked { .. });
    let beside = Store::open(&place.path, options().mode(Mode::ReadOnly)).expect("a reader needs no lock");
    assert_eq!(times(&drain(beside.read(..).unwrap())), [10, 20, 30]);
    child.kill().unwrap();
    child.wait().unwrap();
    let store = Store::open(&place.path, options()).expect("the lock went with its holder");
    assert_eq!(times(&drain(store.read(..).unwrap())), [10, 20, 30], "what append returned for survives the process");
    let reader = beside.read(..).unwrap();
    store.append(&events_at([40])).unwrap();
    assert_eq!(times(&drain(beside.read(..).unwrap())), [10, 20, 30, 40], "the reader follows the new writer");
    assert_eq!(times(&drain(reader)), [10, 20, 30], "what is being read stands");
}

#[test]
fn child_that_forks() {
    let Some(path) = child_path() else { return };
    let store = Store::open(path, options()).expect("the child opens the store");
    store.append(&events_at([10])).unwrap();
    let (mut told, tell) = std::io::pipe().unwrap();
    // SAFETY: the forked child calls only write, read and _exit, which are safe after a fork in a process of several threads.
    #[allow(unsafe_code)]
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let mut byte = 0_u8;
            libc::write(tell.as_raw_fd(), (&raw const byte).cast(), 1);
            libc::read(0, (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
        pid
    };
    assert!(pid > 0, "a fork");
    // Only then has it let go of what it must not keep.
    told.read_exact(&mut [0]).expect("the forked child runs");
    store.append(&events_at([20])).expect("the parent of a fork goes on");
    say("holding", &pid.to_string());
    // Not the pipe, which the forked child waits at: only being killed ends this process.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_forked_child_does_not_keep_a_dead_writers_lock() {
    if child_path().is_some() {
        return;
    }
    let place = Place::real();
    let mut child = start_child("child_that_forks", &place.path);
    let forked = wait_for(&mut child, "holding");
    assert_error!(Store::open(&place.path, options()), Error::Locked { .. });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Path::new("/proc").join(&forked).exists(), "the forked child still runs");
    let store = Store::open(&place.path, options()).expect("the lock went with the writer, not with its forked child");
    assert_eq!(times(&drain(store.read(..).unwrap())), [10, 20]);
    drop(child.stdin.take()); // ends the forked child
}

#[test]
fn child_that_lists_its_open_files() {
    if child_path().is_none() {
        return;
    }
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        if let Ok(target) = std::fs::read_link(entry.path()) {
            say("open", &target.display().to_string());
        }
    }
}

#[test]
fn a_program_that_is_started_inherits_no_file_of_a_store() {
    if child_path().is_some() {
        return;
    }
    let place = Place::real();
    let store = Store::open(&place.path, options()).unwrap();
    store.append(&events_at([1])).unwrap();
    let mut reader = store.read(..).unwrap();
    assert_eq!(reader.next_batch(1).unwrap().len(), 1);
    let child = start_child("child_that_lists_its_open_files", &place.path);
    let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    assert!(said.contains("open: "), "the child lists its files: {said}");
    let folder = place.path.display().to_string();
    assert!(!said.contains(&folder), "a file of the store is open in the child: {said}");
}

fn small_chunks(place: &Place) -> Options {
    place.options().file_size(1000).grace(10).durability(Durability::Process)
}

/// A store with late events, in three chunks.
fn with_late_events(place: &Place) -> Store {
    let store = Store::open(&place.path, small_chunks(place)).unwrap();
    for time in [900, 100, 1900, 1100, 2900, 2100] {
        store.append(&events_at([time, time + 1])).unwrap();
    }
    store
}

fn compact(store: &Store) -> Result<()> {
    store.compact(.., |_| ControlFlow::Continue(())).map(drop)
}

fn copy_folder(place: &Place, from: &Path, to: &Path) {
    place.disk.create_folder(to).unwrap();
    for name in place.disk.list(from).unwrap() {
        write_file(&*place.disk, &to.join(&name), &read_file(&*place.disk, &from.join(&name)));
    }
}

/// What the store at the path holds, without the lock, in which stands who had it last.
fn contents(place: &Place) -> Vec<(String, Vec<u8>)> {
    place.contents().into_iter().filter(|(name, _)| name != "lock").collect()
}

type Op = fn(&Store) -> Result<()>;

/// All that works by the path.
const OPS: [(&str, Op); 6] = [
    ("append to a new chunk", |store| store.append(&events_at([9000])).map(drop)),
    ("compact", compact),
    ("delete_before", |store| store.delete_before(2000)),
    ("retain", |store| store.retain(RetainOptions::new().max_bytes(1)).map(drop)),
    ("sync", |store| store.sync().map(drop)),
    ("close", Store::close),
];

#[test]
fn a_writer_whose_folder_was_replaced_leaves_the_store_of_the_other_alone() {
    for (name, op) in OPS {
        for restored in [false, true] {
            for place in [Place::simulated(1), Place::real()] {
                let aside = |name: &str| place.path.with_file_name(name);
                let old = with_late_events(&place);
                old.snapshot(aside("copy"), |_| ControlFlow::Continue(())).unwrap();
                old.append(&events_at([150])).unwrap();
                place.disk.rename(&place.path, &aside("away")).unwrap();
                if restored {
                    copy_folder(&place, &aside("copy"), &place.path);
                }
                let new = with_late_events(&place);
                let (events, before) = (drain(new.read(..).unwrap()), contents(&place));
                let error = assert_error!(op(&old), Error::Gone { .. });
                assert_eq!(error.path(), Some(place.path.as_path()), "{name}");
                if name != "close" {
                    assert_error!(old.append(&events_at([2950])), Error::Poisoned { .. });
                    assert_error!(old.close(), Error::Poisoned { .. });
                }
                drop(old);
                assert!(contents(&place) == before, "{name} of the old writer changes files");
                new.append(&events_at([9500])).unwrap();
                compact(&new).unwrap();
                new.close().unwrap();
                let new = Store::open(&place.path, small_chunks(&place)).unwrap();
                assert_eq!(new.count(..).unwrap(), events.len() as u64 + 1);
                let verified = new.verify(|_| ControlFlow::Continue(())).unwrap();
                assert_eq!((verified.damaged, verified.derived), (0, 0));
            }
        }
    }
}

#[test]
fn a_writer_whose_folder_is_not_there_any_more_stops() {
    for (name, op) in OPS {
        let place = Place::simulated(1);
        let store = with_late_events(&place);
        place.disk.rename(&place.path, &place.path.with_file_name("away")).unwrap();
        assert_error!(op(&store), Error::Gone { .. });
        assert!(place.disk.kind(&place.path).unwrap().is_none(), "{name} makes it anew");
    }
}

#[test]
fn a_writer_whose_lock_was_removed_is_not_protected_and_stops() {
    for (name, op) in OPS {
        for place in [Place::simulated(1), Place::real()] {
            let store = with_late_events(&place);
            place.disk.remove_file(&place.path.join("lock")).unwrap();
            let before = contents(&place);
            assert_error!(op(&store), Error::Gone { .. });
            drop(store);
            assert!(contents(&place) == before, "{name} changes files");
            let store = Store::open(&place.path, small_chunks(&place)).unwrap();
            assert_eq!(store.count(..).unwrap(), 12, "{name}");
        }
    }
}

#[test]
fn a_failing_look_at_the_lock_fails_the_call_and_harms_nothing() {
    for (name, op) in OPS {
        for at in 0.. {
            let place = Place::simulated(1);
            let store = with_late_events(&place);
            let effect = FaultEffect::Errno(libc::EIO);
            place.sim().inject(Fault { at, calls: Some(Call::Kind), name: Some("lock".into()), effect, forever: false });
            let done = op(&store);
            let hit = place.sim().faults_hit() > 0;
            place.sim().clear_faults();
            if at == 0 {
                assert!(hit, "{name} looks");
                assert_error!(done, Error::Io { .. });
            }
            let deletes = matches!(name, "delete_before" | "retain");
            assert!(deletes || store.count(..).unwrap_or(12) >= 12, "{name}, at look {at}");
            drop(store);
            let store = Store::open(&place.path, small_chunks(&place)).unwrap();
            let count = store.count(..).unwrap();
            assert!(deletes || count >= 12, "{name}, at look {at}: {count} events");
            let verified = store.verify(|_| ControlFlow::Continue(())).unwrap();
            assert_eq!(verified.damaged, 0, "{name}, at look {at}");
            if !hit {
                break;
            }
        }
    }
}
