//! One writing process at a time: refused at once while another writer has the store, free as soon as it is gone, however it went.
//!
//! Other processes are this test binary, run again with the store's path in the environment: then the test that plays the child does its
//! part and the others do nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::place::Place;
use common::{drain, events_at, times};
use estore::{Durability, Efile, Error, Mode, Options, Store};

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
