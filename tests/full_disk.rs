//! A disk that is really full: appends are refused and nothing else; everything that was stored can be read, counted, deleted, synced, closed
//! and opened again; and as soon as there is space, appends go on.
//!
//! The disk is a small one in memory, which only a process that this test starts can see, and which goes with it. Where mounting is not
//! allowed, and besides it in any case, a limit on the length of files stands in.
//!
//! `ESTORE_CYCLES` says how often the disk is filled and freed, `ESTORE_SEED` with what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::mounts;
use common::rng::Rng;
use common::{assert_ordered, drain, event, identities, stable_sorted};
use estore::{Durability, Error, Event, Level, Mode, Options, ReadOptions, Store};

const PATH: &str = "ESTORE_TEST_CHILD_PATH";
const TIME: &str = "ESTORE_TEST_TIME";
const SIZE: &str = "size=400k";
const FILE_SIZE: u64 = 1000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    number("ESTORE_SEED", 0)
}

fn child_path() -> Option<PathBuf> {
    std::env::var_os(PATH).map(PathBuf::from)
}

/// A command that runs one test of this binary as a child with a folder of its own.
fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PATH, path);
    command
}

fn options(durability: Durability) -> Options {
    let options = Options::new().durability(durability).file_size(FILE_SIZE).grace(50).max_open_logs(3).background(false);
    options.buffer(12_000, 1_000_000_000).log(move |level, message| {
        // Closing `BUFFERED` says so when it has to give its buffer up.
        assert!(level != Level::Error || durability == Durability::Buffered, "the store says: {message}");
    })
}

/// What is to be done to have space again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Free {
    Delete,
    Ballast,
}

/// What the writer appends that dies, one by one.
fn events_of_the_dead(time: u64) -> impl Iterator<Item = Event> {
    (0..).map(move |i: u32| event(time + u64::from(i % 3), i, vec![5; 300 * (i as usize % 4)]))
}

#[test]
fn the_writer_that_dies_on_a_full_disk() {
    let (Some(folder), Some(time)) = (child_path(), std::env::var_os(TIME)) else { return };
    let time = time.to_str().and_then(|text| text.parse().ok()).expect("a time");
    let store = Store::open(folder.join("store"), options(Durability::Process)).expect("the store opens on a full disk");
    let refused = |event: &Event| match store.append(std::slice::from_ref(event)) {
        Ok(_) => false,
        Err(Error::NoSpace { .. }) => true,
        Err(error) => panic!("a full disk is {error:?}"),
    };
    let taken = events_of_the_dead(time).take(500).position(|event| refused(&event)).unwrap_or(500);
    println!("taken: {taken}");
    // Nothing is dropped, so nothing is closed.
    std::process::exit(0);
}

/// A store on a disk that is filled again and again, and all that it has taken.
struct Disk {
    folder: PathBuf,
    level: Durability,
    store: Option<Store>,
    /// In order of arrival; those behind the horizon.
    taken: Vec<Event>,
    horizon: u64,
    time: u64,
    rng: Rng,
    refused: u64,
    /// How often there was not one free block.
    brimful: u64,
}

impl Disk {
    fn new(folder: &Path, level: Durability) -> Disk {
        let (folder, rng) = (folder.to_owned(), Rng::new(seed()));
        let mut disk = Disk { folder, level, store: None, taken: Vec::new(), horizon: 0, time: 10_000, rng, refused: 0, brimful: 0 };
        disk.open();
        disk
    }

    fn path(&self) -> PathBuf {
        self.folder.join("store")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    fn open(&mut self) {
        self.store = Some(Store::open(self.path(), options(self.level)).expect("the store opens"));
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open")
    }

    fn buffered(&self) -> bool {
        self.level == Durability::Buffered
    }

    /// The next batch, of events of about that size.
    fn batch(&mut self, len: usize) -> Vec<Event> {
        self.time += 1 + self.rng.below(15);
        let several = if self.rng.one_in(4) { 4 } else { 1 };
        (0..several)
            .map(|_| {
                // Some late, some in the chunk before or the one behind.
                let time = if several > 1 { self.time + self.rng.below(FILE_SIZE) - self.rng.below(FILE_SIZE) } else { self.time };
                event(time, self.rng.next() as u32, vec![self.rng.next() as u8; len / several])
            })
            .collect()
    }

    /// Appends until not even an event without data is taken. Answers how many batches were.
    fn fill(&mut self) -> u64 {
        let mut appended = 0;
        for len in [24_000, 6_000, 600, 0] {
            // A limit on the length of files is no limit for events without data, which come to the next chunk first.
            let (mut refused, most) = (0, appended + 300);
            while refused < 3 && appended < most {
                let batch = self.batch(len);
                let before = self.store().last_seq();
                let absent = self.rng.one_in(8);
                let result =
                    if absent { self.store().append_absent(&batch).map(|appended| appended.last_seq) } else { self.store().append(&batch) };
                match result {
                    Ok(last_seq) => {
                        let horizon = self.horizon;
                        let stored: Vec<Event> = batch.into_iter().filter(|event| event.time >= horizon).collect();
                        assert!(last_seq >= before + stored.len() as u64);
                        self.taken.extend(stored);
                        appended += 1;
                    }
                    Err(Error::NoSpace { .. }) => {
                        assert_eq!(self.store().last_seq(), before, "a batch that was refused changes nothing");
                        refused += 1;
                        self.refused += 1;
                    }
                    Err(error) => panic!("a full disk is {error:?}"),
                }
            }
        }
        let probe = self.folder.join("probe");
        self.brimful += u64::from(fs::write(&probe, [1]).is_err());
        fs::remove_file(&probe).expect("the probe is there, with or without its byte");
        appended
    }

    fn look(&self, store: &Store) {
        let events = drain(store.read(..).expect("a reader opens on a full disk"));
        assert_ordered(&events);
        let expected = stable_sorted(&self.taken);
        assert!(identities(&events) == expected, "{} events are there, {} were taken", events.len(), expected.len());
        assert_eq!(store.count(..).expect("a count works on a full disk"), events.len() as u64);
        let newest = drain(store.read_with(.., ReadOptions::new().reverse().limit(20)).expect("a reader opens on a full disk"));
        assert!(newest.iter().eq(events.iter().rev().take(20)));
        let stats = store.stats().expect("there are numbers on a full disk");
        assert_eq!((stats.events, stats.damaged), (events.len() as u64, 0));
    }

    /// All that must work while the disk is full.
    fn use_full_disk(&mut self) {
        if self.buffered() {
            // What is in the buffer can't be handed over, so a reader would not see all that was appended: that is refused, not lost.
            match self.store().count(..) {
                Ok(count) => assert_eq!(count, self.taken.len() as u64),
                Err(error) => assert!(matches!(error, Error::NoSpace { .. }), "{error:?}"),
            }
            match self.store().sync() {
                Ok(_) => {}
                Err(error) => assert!(matches!(error, Error::NoSpace { .. }), "{error:?}"),
            }
            return;
        }
        self.look(self.store());
        let durable = self.store().sync().expect("a sync works on a full disk");
        assert_eq!(durable, self.store().last_seq());
        // What is there already needs no space.
        let known: Vec<Event> = self.taken.iter().rev().take(5).cloned().collect();
        let answer = self.store().append_absent(&known).expect("nothing is to be stored");
        assert_eq!((answer.stored, answer.present), (0, known.len() as u64));
    }

    /// Closes the full store, and opens it again. What was still in the buffer of `BUFFERED` may be lost, but then closing says so.
    fn close_and_open(&mut self) {
        let closed = self.store().close();
        match &closed {
            Ok(()) => {}
            Err(Error::NoSpace { .. }) if self.buffered() => {}
            Err(error) => panic!("closing on a full disk: {error:?}"),
        }
        let read_only = Store::open(self.path(), options(self.level).mode(Mode::ReadOnly)).expect("reading needs no space");
        if closed.is_err() {
            self.lose_buffer(&read_only);
        }
        self.look(&read_only);
        self.open();
        self.look(self.store());
    }

    /// Of what was appended last, only the first part is there.
    fn lose_buffer(&mut self, store: &Store) {
        let events = drain(store.read(..).unwrap());
        let mut found: Vec<&Event> = events.iter().collect();
        found.sort_by_key(|event| event.seq);
        assert!(found.len() <= self.taken.len());
        assert!(identities(&found) == identities(&self.taken[..found.len()]), "what is left begins as what was taken");
        self.taken.truncate(found.len());
    }

    /// Another process goes on with the full store until it is refused, and dies without closing it.
    fn let_a_writer_die(&mut self) {
        self.store().close().expect("it closes");
        let mut command = child("the_writer_that_dies_on_a_full_disk", &self.folder);
        let output = command.env(TIME, self.time.to_string()).output().expect("the writer runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let taken = said.lines().filter_map(|line| line.split_once("taken: ")?.1.trim().parse().ok()).next_back();
        let taken: usize = taken.unwrap_or_else(|| panic!("the writer said {said}{}", String::from_utf8_lossy(&output.stderr)));
        self.taken.extend(events_of_the_dead(self.time).take(taken));
        let read_only = Store::open(self.path(), options(self.level).mode(Mode::ReadOnly)).expect("reading needs no space");
        self.look(&read_only);
        self.open();
        self.look(self.store());
    }

    fn free(&mut self, how: Free) {
        match how {
            Free::Delete => {
                // Enough for what is in the buffer.
                let chunk = if self.buffered() { self.time / FILE_SIZE + 1 } else { self.time / FILE_SIZE + self.rng.below(2) - 1 };
                let time = (chunk * FILE_SIZE).max(self.horizon);
                self.store().delete_before(time).expect("deleting works on a full disk");
                self.taken.retain(|event| event.time >= time);
                self.horizon = time;
                self.time += 2 * FILE_SIZE;
            }
            Free::Ballast => fs::remove_file(self.ballast()).expect("the ballast is there"),
        }
    }

    /// Puts the ballast back, deleting events until there is room for it and for some more of them.
    fn put_ballast(&mut self) {
        let bytes = vec![1; 80_000];
        self.free(Free::Delete);
        while fs::write(self.ballast(), &bytes).is_err() {
            let _ = fs::remove_file(self.ballast());
            self.free(Free::Delete);
        }
        self.free(Free::Delete);
    }
}

/// Fills and frees, so many times at each level.
fn run(folder: &Path, cycles: u64) {
    let levels = [Durability::Process, Durability::Buffered, Durability::Interval(1_000_000_000), Durability::Power];
    let (mut appended, mut refused, mut brimful) = (0, 0, 0);
    for (level, share) in levels.into_iter().zip(0..) {
        let mut disk = Disk::new(folder, level);
        for cycle in 0..cycles / 4 + u64::from(share < cycles % 4) {
            let how = if cycle % 2 == 0 { Free::Ballast } else { Free::Delete };
            if how == Free::Ballast {
                disk.put_ballast();
            }
            let batches = disk.fill();
            assert!(batches >= 3, "only {batches} batches were taken after space was freed, cycle {cycle} of {level:?}");
            appended += batches;
            disk.use_full_disk();
            match cycle % 5 {
                0 | 3 => disk.close_and_open(),
                1 if level == Durability::Process => disk.let_a_writer_die(),
                _ => {}
            }
            disk.free(how);
            disk.look(disk.store());
        }
        refused += disk.refused;
        brimful += disk.brimful;
        disk.fill();
        let closed = disk.store().close();
        assert!(closed.is_ok() || disk.buffered(), "{closed:?}");
        Store::destroy(disk.path(), Options::new()).expect("a store can be removed from a full disk");
        fs::remove_file(disk.ballast()).ok();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "all is gone");
    }
    assert!(brimful > cycles / 4, "only {brimful} times there was not one free block");
    println!("filled and freed {cycles} times, {brimful} times to the last block: {appended} batches, {refused} refusals");
}

/// Appends up to a limit of the process, which is then raised, again and again.
#[test]
fn the_process_whose_files_are_limited() {
    let Some(folder) = child_path().filter(|_| std::env::var_os(TIME).is_none()) else { return };
    for level in [Durability::Process, Durability::Buffered, Durability::Power] {
        let mut disk = Disk::new(&folder, level);
        for limit in 1..=10 {
            limit_file_len(limit * 60_000);
            let batches = disk.fill();
            assert!(batches >= 1, "not one batch was taken below a limit of {limit}");
            disk.use_full_disk();
            if limit % 3 == 0 {
                disk.close_and_open();
            }
        }
        limit_file_len(1 << 30);
        disk.look(disk.store());
        disk.store().close().expect("it closes");
        Store::destroy(disk.path(), Options::new()).expect("a store can be removed");
    }
}

/// No file of this process may become longer.
fn limit_file_len(bytes: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid rlimit; a signal that is ignored rather than handled.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit);
        limit.rlim_cur = bytes.min(limit.rlim_max);
        libc::setrlimit(libc::RLIMIT_FSIZE, &limit)
    };
    assert_eq!(result, 0, "a limit can be set");
}

#[test]
fn a_limit_on_the_length_of_files_refuses_appends_and_nothing_else() {
    if child_path().is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child("the_process_whose_files_are_limited", folder.path()).output().expect("the process runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_process_whose_disk_is_full() {
    let Some(folder) = child_path().filter(|_| std::env::var_os(TIME).is_none()) else { return };
    run(&folder, number("ESTORE_CYCLES", 500));
}

#[test]
fn a_full_disk_refuses_appends_and_nothing_else() {
    if child_path().is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = child("the_process_whose_disk_is_full", folder.path());
    mounts::mount_in_memory(&mut command, folder.path(), SIZE);
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let again = format!("to run it again: ESTORE_SEED={} cargo test --test full_disk", seed());
            assert!(output.status.success(), "{said}{}{again}", String::from_utf8_lossy(&output.stderr));
            let done = said.split("filled and freed").nth(1).and_then(|rest| rest.lines().next()).expect("it says what it did");
            println!("a disk in memory with {SIZE}, filled and freed{done}");
        }
        Err(error) => println!("skipped: no disk can be mounted here ({error}); a limit on the length of files stands in for it"),
    }
}
