//! Everything at once, for as long as you like: what is appended reaches each consumer once, whatever else happens to the store, and nothing
//! grows but what has to.
//!
//! ```text
//!   this process             starts the others, watches their memory and descriptors, says when to end, and adds up
//!     writer                 appends from three threads, some of it late; compaction and retention run by themselves; closes and opens again
//!       a tail, snapshots    in the same process: each snapshot is opened and followed from where the last one ended
//!     quick consumer         a tail in another process, that misses nothing
//!     slow consumer          one that is overtaken by retention, begins anew from its cursor now and then, and is told of gaps
//!     reader                 windows of time, beside the writer
//! ```
//!
//! Each thread of the writer is a source, which numbers its events. So a consumer sees what it misses, and at the end each has been given, or
//! told of a gap in the place of, every event that was appended. `ESTORE_SOAK_SECONDS` says how long.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "not all of it is used here")]
#[path = "common/rng.rs"]
mod rng;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use estore::{AsEvent, Durability, Error, Event, EventRef, Mode, Options, Store, Tail, Tailed};
use rng::Rng;

const PLACE: &str = "ESTORE_SOAK_PLACE";
const ROLE: &str = "ESTORE_SOAK_ROLE";

const SOURCES: u32 = 3;
const SECOND: u64 = 1_000_000_000;
/// Some ten seconds of what the sources append.
const MAX_BYTES: u64 = 24 << 20;

fn options() -> Options {
    Options::new().file_size(SECOND).grace(SECOND / 10).durability(Durability::Interval(SECOND / 5))
}

/// Where everything is.
struct Place(PathBuf);

impl Place {
    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// What a process tells others by a file of this name.
    fn told(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.join(name)).ok()
    }

    fn tell(&self, name: &str, text: &str) {
        let draft = self.0.join(format!("{name}.new"));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.0.join(name)).unwrap();
    }

    fn is_over(&self) -> bool {
        self.told("stop").is_some()
    }

    fn open_beside(&self) -> Store {
        loop {
            match Store::open(self.store(), options().mode(Mode::ReadOnly)) {
                // The writer is about to make it.
                Err(Error::NotFound { .. } | Error::NotAStore { .. }) => std::thread::sleep(Duration::from_millis(1)),
                opened => return opened.unwrap(),
            }
        }
    }
}

/// An event of a source: its number, and bytes that follow from it.
fn event_of(source: u32, number: u64, time: u64) -> Event {
    let mut data = number.to_le_bytes().to_vec();
    data.resize(8 + (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize, number as u8);
    Event { time, seq: 0, id: source, data }
}

/// The number of an event that a source has made, if that is what it is.
fn number_of(event: &EventRef<'_>) -> u64 {
    let number = event.data.get(..8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes).expect("eight bytes");
    assert_eq!(event.data, event_of(event.id, number, 0).data, "the data of event {number} of source {}", event.id);
    number
}

/// What one who follows the store was given.
#[derive(Default)]
struct Account {
    next: BTreeMap<u32, u64>,
    given: u64,
    missed: u64,
    gaps: u64,
    last_seq: u64,
}

impl Account {
    fn take(&mut self, event: &EventRef<'_>) {
        assert!(event.seq > self.last_seq, "seq {} after {}", event.seq, self.last_seq);
        self.last_seq = event.seq;
        let number = number_of(event);
        let next = self.next.entry(event.id).or_default();
        assert!(number == *next || number > *next && self.gaps > 0, "event {number} of source {}, not {next}", event.id);
        self.missed += number - *next;
        self.given += 1;
        *next = number + 1;
    }

    /// Takes all that there is for now.
    fn follow(&mut self, tail: &mut Tail) -> estore::Result<()> {
        loop {
            match tail.next_batch(1000)? {
                Tailed::Events(batch) => batch.iter().for_each(|event| self.take(&event)),
                Tailed::Gap => self.gaps += 1,
                Tailed::Nothing => return Ok(()),
            }
        }
    }

    /// Of so many events of each source, all were given or missed.
    fn close(mut self, name: &str, totals: &BTreeMap<u32, u64>) -> Account {
        for (source, total) in totals {
            let next = self.next.get(source).copied().unwrap_or(0);
            assert!(next == *total || self.gaps > 0, "{name} was given events up to {next} of {total} of source {source}");
            self.missed += total - next;
        }
        println!("{name}: {} events given, {} missed, {} gaps told", self.given, self.missed, self.gaps);
        self
    }
}

/// Not a test of its own: this binary, run again for one of the roles.
#[test]
fn a_process_of_it() {
    let (Some(place), Ok(role)) = (std::env::var_os(PLACE), std::env::var(ROLE)) else { return };
    let place = Place(place.into());
    match role.as_str() {
        "writer" => write(&place),
        "quick" => consume(&place, &role, 1000, Duration::ZERO),
        "slow" => consume(&place, &role, 300, Duration::from_millis(100)),
        _ => read(&place),
    }
}

// The writer.

struct Writer<'a> {
    place: &'a Place,
    /// Taken to write by whoever closes it and opens it again.
    store: RwLock<Store>,
    appended: Vec<AtomicU64>,
    is_over: AtomicBool,
}

fn open_to_write(place: &Place) -> Store {
    Store::open(place.store(), options().max_bytes(MAX_BYTES)).unwrap()
}

fn write(place: &Place) {
    let store = open_to_write(place);
    let tail = store.tail(0).unwrap();
    let appended = (0..SOURCES).map(|_| AtomicU64::new(0)).collect();
    let writer = Writer { place, store: RwLock::new(store), appended, is_over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let writer = &writer;
        let sources: Vec<_> = (0..SOURCES).map(|source| scope.spawn(move || writer.append(source))).collect();
        let inside = scope.spawn(move || writer.follow(tail));
        let snapshots = scope.spawn(move || writer.take_snapshots());
        while !place.is_over() {
            std::thread::sleep(Duration::from_secs(2));
            // Tails of it end, and go on with the next one.
            let mut store = writer.store.write().unwrap();
            store.close().unwrap();
            *store = open_to_write(place);
        }
        writer.is_over.store(true, Ordering::Release);
        sources.into_iter().for_each(|source| source.join().unwrap());
        snapshots.join().unwrap();
        let totals = writer.totals();
        let last_seq = writer.store.read().unwrap().last_seq();
        let lines: String = totals.iter().map(|(source, total)| format!("{source} {total}\n")).collect();
        place.tell("end", &format!("{last_seq}\n{lines}"));
        inside.join().unwrap();
    });
    let store = writer.store.into_inner().unwrap();
    let stats = store.stats().unwrap();
    println!("store: {} chunks, {} bytes, horizon {}", stats.chunks, stats.chunk_bytes, stats.horizon);
    store.close().unwrap();
}

impl Writer<'_> {
    fn totals(&self) -> BTreeMap<u32, u64> {
        (0..).zip(&self.appended).map(|(source, total)| (source, total.load(Ordering::Acquire))).collect()
    }

    fn append(&self, source: u32) {
        let mut rng = Rng::new(u64::from(source));
        let mut number = 0;
        while !self.is_over.load(Ordering::Acquire) {
            let store = self.store.read().unwrap();
            let now = estore::now();
            if rng.one_in(4) {
                // Late, by chunks perhaps; if so late that it is deleted before it comes, the next one gets its number.
                let late = event_of(source, number, now - rng.below(4 * SECOND));
                number += store.append_absent(&[late]).unwrap().stored;
            } else {
                let batch: Vec<Event> = (0..1 + rng.below(80)).map(|i| event_of(source, number + i, now - rng.below(SECOND / 5))).collect();
                store.append(&batch).unwrap();
                number += batch.len() as u64;
            }
            drop(store);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.appended[source as usize].store(number, Ordering::Release);
    }

    /// A tail in the writing process.
    fn follow(&self, mut tail: Tail) {
        let mut account = Account::default();
        loop {
            match account.follow(&mut tail).and_then(|()| tail.wait(Some(Duration::from_secs(1)))) {
                Ok(true) => {}
                Ok(false) if self.place.told("end").is_some() => break,
                Ok(false) => {}
                Err(Error::Closed { .. }) => tail = self.store.read().unwrap().tail(account.last_seq).unwrap(),
                Err(e) => panic!("the tail in the writing process: {e}"),
            }
        }
        assert_eq!(account.close("inside", &self.totals()).gaps, 0);
    }

    fn take_snapshots(&self) {
        let folder = self.place.0.join("snapshot");
        let mut account = Account::default();
        let mut taken = 0;
        while !self.is_over.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1500));
            let snapshot = self.store.read().unwrap().snapshot(&folder, |_| std::ops::ControlFlow::Continue(())).unwrap();
            taken += 1;
            let copy = Store::open(&folder, options().mode(Mode::ReadOnly)).unwrap();
            assert_eq!(copy.last_seq(), snapshot.seq);
            account.follow(&mut copy.tail(account.last_seq).unwrap()).unwrap();
            assert!(account.last_seq <= snapshot.seq);
            if taken % 8 == 0 {
                let verified = copy.verify(|finding| panic!("{finding:?}")).unwrap();
                assert_eq!(verified.damaged, 0);
            }
        }
        println!("snapshots: {taken}, with {} events, {} gaps", account.given, account.gaps);
        assert_eq!(account.gaps, 0);
    }
}

// The others.

/// So many events at once, with a pause in between.
fn consume(place: &Place, name: &str, most: usize, pause: Duration) {
    let mut account = Account::default();
    let mut store = place.open_beside();
    let mut tail = store.tail(0).unwrap();
    let mut rng = Rng::new(7);
    loop {
        let batch = match tail.next_batch(most).unwrap() {
            Tailed::Events(batch) => batch,
            Tailed::Gap => {
                account.gaps += 1;
                continue;
            }
            Tailed::Nothing => {
                let end = place.told("end").and_then(|text| text.lines().next()?.parse::<u64>().ok());
                if end.is_some_and(|end| tail.last_seq() >= end || !tail.wait(Some(Duration::from_secs(2))).unwrap()) {
                    break;
                }
                tail.wait(Some(Duration::from_millis(500))).unwrap();
                continue;
            }
        };
        batch.iter().for_each(|event| account.take(&event));
        // Once it is over there is no need to be slow.
        if !pause.is_zero() && !place.is_over() {
            std::thread::sleep(pause);
            if rng.one_in(50) {
                store = place.open_beside();
                tail = store.tail(account.last_seq).unwrap();
            }
        }
    }
    let told = place.told("end").unwrap();
    let totals = told.lines().skip(1).filter_map(|line| {
        let (source, total) = line.split_once(' ')?;
        Some((source.parse().ok()?, total.parse().ok()?))
    });
    let account = account.close(name, &totals.collect());
    assert!(account.gaps == 0 || !pause.is_zero(), "{} gaps", account.gaps);
    drop(store);
}

fn read(place: &Place) {
    let store = place.open_beside();
    let mut rng = Rng::new(8);
    let (mut windows, mut events, mut overtaken) = (0, 0_u64, 0);
    while !place.is_over() {
        let start = estore::now() - rng.below(14 * SECOND);
        let window = start..=start + rng.below(2 * SECOND);
        let read = || -> estore::Result<u64> {
            let mut reader = store.read(window.clone())?;
            let (mut last, mut n) = ((0, 0), 0);
            loop {
                let batch = reader.next_batch(500)?;
                if batch.is_empty() {
                    return Ok(n);
                }
                for event in batch.iter() {
                    number_of(&event);
                    assert!(window.contains(&event.time) && (event.time, event.seq) > last, "{:?} after {last:?}", event.as_event());
                    last = (event.time, event.seq);
                    n += 1;
                }
            }
        };
        match read() {
            Ok(n) => events += n,
            // Retention came in between.
            Err(Error::Gone { .. }) => overtaken += 1,
            Err(e) => panic!("reading {window:?}: {e}"),
        }
        windows += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("reader: {windows} windows with {events} events, {overtaken} overtaken by retention");
}

// This process.

/// A process, and what it used: bytes of memory and descriptors, once a second.
struct Watched {
    name: &'static str,
    child: Child,
    used: Vec<(u64, usize)>,
}

impl Watched {
    fn start(place: &Path, name: &'static str) -> Watched {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_process_of_it", "--nocapture", "--test-threads=1"]).env(PLACE, place).env(ROLE, name);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Watched { name, child, used: Vec::new() }
    }

    fn look(&mut self) {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next());
        if let (Some(Ok(kilobytes)), Ok(descriptors)) = (resident.map(str::parse::<u64>), fs::read_dir(folder.join("fd"))) {
            self.used.push((kilobytes << 10, descriptors.count()));
        }
    }

    /// Once it has ended well: neither memory nor descriptors have grown since it came into its stride.
    fn finish(self) {
        let output = self.child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {printed}\n{}", self.name, String::from_utf8_lossy(&output.stderr));
        let said = printed.lines().map(|line| line.trim_start_matches("test a_process_of_it ... "));
        said.filter(|line| line.contains(": ") && !line.starts_with("test ")).for_each(|line| println!("  {line}"));
        let from = self.used.len() / 4;
        let used = self.used.get(from..).unwrap_or_default();
        let (before, after) = used.split_at(used.len() / 2);
        let most =
            |part: &[(u64, usize)]| (part.iter().map(|used| used.0).max().unwrap_or(0), part.iter().map(|used| used.1).max().unwrap_or(0));
        let ((memory, descriptors), (memory_after, descriptors_after)) = (most(before), most(after));
        println!(
            "  {}: {} MiB and {descriptors} descriptors at most, then {} MiB and {descriptors_after}",
            self.name,
            memory >> 20,
            memory_after >> 20
        );
        assert!(memory_after <= memory + memory / 4 + (8 << 20), "{} has grown", self.name);
        assert!(descriptors_after <= descriptors + 16, "{} has taken more descriptors", self.name);
    }
}

#[test]
fn everything_at_once() {
    if std::env::var_os(ROLE).is_some() {
        return;
    }
    let seconds = std::env::var("ESTORE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let folder = tempfile::TempDir::new().unwrap();
    let place = Place(folder.path().to_owned());
    let mut processes: Vec<Watched> =
        ["writer", "quick", "slow", "reader"].into_iter().map(|name| Watched::start(&place.0, name)).collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        for process in &mut processes {
            process.look();
            // Whoever fails ends it all.
            if process.child.try_wait().unwrap().is_some() {
                place.tell("stop", "");
                processes.into_iter().for_each(Watched::finish);
                panic!("a process ended early");
            }
        }
    }
    place.tell("stop", "");
    println!("soak: {seconds} seconds");
    processes.into_iter().for_each(Watched::finish);
}
