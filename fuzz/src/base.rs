//! The stores that inputs are put into: made once for each process, by the engine itself, and always the same.
//!
//! ```text
//!   session 1 ── closed ──> first      some batches, in order and late, on their own and together
//!      ├─ session 2 ── killed ──> died       more of them, of which a part was synced
//!      │  session 3 ── closed ──> closed     what session 2 left was recovered, and a little added
//!      └─ session 4 ── closed ──> other      what might have been instead: the same logs went on differently
//! ```
//!
//! There is one history of an efile, for the targets that fuzz one file of it, and one of a store with several chunks for `folder`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use estore::disk::{Crash, SimClock, SimDisk};
use estore::{Durability, Event, Mode, Options, ReadOptions};

use crate::handle::Handle;
use crate::layout::{self, Identity};

/// Where the store lies on the simulated disk.
pub const PATH: &str = "/store";
/// The length of a chunk of the store with several.
const FILE_SIZE: u64 = 1_000_000;
const GRACE: u64 = 100;

/// The files of a store by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A store at one moment.
pub struct Snapshot {
    /// A disk with the store on it, to be forked.
    pub disk: SimDisk,
    /// What the disk holds.
    pub files: Files,
    /// All events that it shows, in order.
    pub events: Vec<Event>,
    /// It was closed by its last writer.
    pub closed: bool,
    /// Everything up to this seq is durable, as its journal knows.
    pub durable: u64,
    /// The last seqs of its batches.
    pub ends: Vec<u64>,
}

/// A store at moments of its life.
pub struct History {
    pub efile: bool,
    pub first: Snapshot,
    pub died: Snapshot,
    pub closed: Snapshot,
    pub other: Snapshot,
    /// Every event that was ever stored, sorted.
    pub all: Vec<Event>,
}

impl History {
    pub fn snapshots(&self) -> [&Snapshot; 4] {
        [&self.first, &self.died, &self.closed, &self.other]
    }

    /// What each snapshot has under a name.
    pub fn originals(&self, name: &str) -> Vec<&[u8]> {
        self.snapshots().into_iter().filter_map(|snapshot| snapshot.files.get(name)).map(Vec::as_slice).collect()
    }

    /// The originals of all files whose names end so.
    pub fn originals_ending(&self, ending: &str) -> Vec<&[u8]> {
        let files = self.snapshots().into_iter().flat_map(|snapshot| &snapshot.files);
        files.filter(|(name, _)| name.ends_with(ending)).map(|(_, bytes)| bytes.as_slice()).collect()
    }
}

/// Options for a store on a disk: by a clock that stands still, without a thread.
pub fn options(disk: &SimDisk, mode: Mode) -> Options {
    let clock = SimClock::new(1_700_000_000_000_000_000);
    let options = Options::new().disk(Arc::new(disk.session())).clock(Arc::new(clock)).background(false);
    let options = options.durability(Durability::Process).mode(mode);
    if loud() { options.log(|level, message| eprintln!("{level:?}: {message}")) } else { options }
}

/// With `LOUD` in the environment the engine's messages are printed: for looking at one input.
fn loud() -> bool {
    static LOUD: OnceLock<bool> = OnceLock::new();
    *LOUD.get_or_init(|| std::env::var_os("LOUD").is_some())
}

/// Options for making one of the stores here.
fn making(disk: &SimDisk, efile: bool) -> Options {
    let options = options(disk, Mode::CreateIfMissing).grace(GRACE);
    if efile { options } else { options.file_size(FILE_SIZE) }
}

fn event(time: u64, id: u32, data: &str) -> Event {
    Event { time, seq: 0, id, data: data.as_bytes().to_vec() }
}

/// The batches of a session.
fn batches(session: usize) -> Vec<Vec<Event>> {
    let in_order = |from: u64, count: u64| (0..count).map(|i| event(from + i * 7, i as u32, &format!("in order {i}"))).collect();
    match session {
        1 => vec![
            vec![event(2_000_100, 7, "a"), event(2_000_100, 7, "b"), event(2_000_110, 7, "")],
            vec![event(2_000_150, 1, "on its own")],
            vec![event(2_000_010, 2, "late, on its own")],
            vec![event(2_000_020, 3, "late"), event(2_000_015, 4, "late"), event(2_000_021, 4, "late too"), event(2_000_160, 5, "and not")],
            in_order(2_000_200, 9),
            vec![event(2_900_000, 6, "far ahead")],
            vec![event(1_000_000, 1, "one chunk"), event(1_999_999, 1, "its end"), event(2_000_270, 1, "and another")],
            vec![event(3_000_000, 1, "a third chunk")],
        ],
        2 => vec![
            vec![event(2_000_290, 1, "after the first close")],
            vec![event(2_000_030, 2, "late"), event(2_000_031, 3, "late"), event(2_000_032, 4, "late"), event(2_000_033, 4, "late")],
            in_order(2_000_300, 5),
            vec![event(3_000_020, 1, "on its own"), event(1_500_000, 1, "late here or there")],
            vec![event(2_000_340, 5, "the last of all")],
        ],
        3 => vec![vec![event(2_000_350, 1, "after recovery"), event(3_000_040, 1, "after recovery")], vec![event(2_000_040, 1, "late")]],
        _ => vec![
            vec![event(2_000_051, 9, "late, otherwise"), event(2_000_052, 9, "late, otherwise")],
            vec![event(2_000_401, 9, "otherwise"), event(2_000_402, 9, "otherwise"), event(3_000_101, 9, "otherwise")],
            vec![event(1_600_000, 9, "otherwise"), event(2_000_403, 9, "otherwise")],
            // Longer than what came in the two other sessions, so that an index of that seems to fit.
            in_order(2_000_500, 60),
        ],
    }
}

/// All that a store shows.
fn events(disk: &SimDisk, efile: bool) -> Vec<Event> {
    let disk = disk.fork(1);
    let store = Handle::open(efile, Path::new(PATH), options(&disk, Mode::ReadOnly)).expect("the base store opens");
    let events = store.read_with(.., ReadOptions::new()).expect("the base store can be read");
    events.collect::<Result<_, _>>().expect("the base store can be read")
}

/// Takes a snapshot of a disk, without room set aside. No process has the number in the lock file.
fn snapshot(disk: &SimDisk, efile: bool, closed: bool, durable: u64, ends: &[u64]) -> Snapshot {
    let taken = disk.fork(1);
    let mut files = Files::new();
    for path in taken.paths() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are text").to_owned();
        let mut bytes = taken.dump(&path).expect("it is there");
        if let ("lock", Some(process)) = (name.as_str(), bytes.get_mut(..10)) {
            process.fill(b'1');
        }
        if name.ends_with(".estore") || name == "journal" {
            let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            // A record may end in zeros.
            let len = if name == "journal" { (len - layout::HEADER).next_multiple_of(layout::RECORD) + layout::HEADER } else { len };
            bytes.truncate(len);
        }
        // All of it durable.
        taken.put(&path, &bytes).expect("the simulated disk takes it");
        files.insert(name, bytes);
    }
    let events = events(&taken, efile);
    Snapshot { disk: taken, files, events, closed, durable, ends: ends.to_vec() }
}

/// Lives through the sessions.
fn history(efile: bool) -> History {
    let disk = SimDisk::new(7);
    // Zeros that are copied for each input would take half of the time.
    disk.set_reserves(false);
    let open_on = |disk: &SimDisk| Handle::open(efile, Path::new(PATH), making(disk, efile)).expect("the store opens");
    let open = || open_on(&disk);
    let mut ends = Vec::new();
    let mut append = |store: &Handle, batches: &[Vec<Event>]| {
        ends.extend(batches.iter().map(|batch| store.append(batch).expect("events can be appended")));
        ends.clone()
    };

    let store = open();
    let ends = append(&store, &batches(1));
    store.close().expect("the store closes");
    let durable = store.last_seq();
    let first = snapshot(&disk, efile, true, durable, &ends);
    let other = {
        let disk = disk.fork(2);
        let store = open_on(&disk);
        let ends: Vec<u64> = ends.into_iter().chain(batches(4).iter().map(|batch| store.append(batch).expect("it takes events"))).collect();
        store.close().expect("the store closes");
        snapshot(&disk, efile, true, u64::MAX, &ends)
    };

    let store = open();
    let second = batches(2);
    let (synced, rest) = second.split_at(3);
    append(&store, synced);
    store.sync().expect("the store can be synced");
    let ends = append(&store, rest);
    disk.power_off();
    disk.power_on(Crash::KeepAll);
    drop(store);
    let died = snapshot(&disk, efile, false, durable, &ends);

    let store = open();
    let ends = append(&store, &batches(3));
    store.close().expect("the store closes");
    let mut all = events(&disk, efile);
    all.extend(other.events.iter().filter(|event| !first.events.contains(event)).cloned());
    all.sort_by_key(|event| (event.time, event.seq));
    if let Handle::Store(store) = open() {
        // The horizon lies within a chunk; the one before it is gone.
        store.delete_before(2_000_016).expect("events can be deleted");
        store.close().expect("the store closes");
    }
    let closed = snapshot(&disk, efile, true, u64::MAX, &ends);
    History { efile, first, died, closed, other, all }
}

/// The name of the efile's log.
pub const LOG: &str = "0-0.estore";
pub const INDEX: &str = "0-0.idx";
pub const RECON: &str = "0-0.recon";
pub const JOURNAL: &str = "journal";

/// An efile, and what its files are tied to each other by.
pub struct Base {
    pub history: History,
    pub id: Identity,
}

/// The efile. Each snapshot has a recon file too: such small ones no engine would make, but it reads them.
pub fn efile() -> Base {
    let mut history = history(true);
    let first_len = history.first.files.get(LOG).expect("there is a log").len();
    let log = history.died.files.get(LOG).expect("there is a log").clone();
    let journal = history.closed.files.get(JOURNAL).expect("there is a journal");
    let id = Identity {
        store: u128::from(layout::u64_at(&log, 16)) | u128::from(layout::u64_at(&log, 24)) << 64,
        chunk: 0,
        generation: 0,
        log: layout::u64_at(&log, 40),
        recon: 0x1234_5678_9abc_def0,
        journal: layout::u64_at(journal, 32),
    };
    for (number, snapshot) in (0..).zip([&mut history.first, &mut history.died, &mut history.closed, &mut history.other]) {
        let log = snapshot.files.get(LOG).expect("there is a log");
        // Two runs. In one that died, what it had when it was opened last is in them; otherwise all is.
        let covered = if snapshot.closed { log.len() } else { first_len };
        let ends: Vec<usize> = layout::frames(log, layout::HEADER, covered).iter().map(|frame| frame.end).collect();
        let id = Identity { recon: id.recon + number, ..id };
        let recon = layout::build_recon(log, &id, &[ends[ends.len() / 2], ends[ends.len() - 1]]);
        snapshot.disk.put(Path::new(PATH).join(RECON), &recon).expect("the simulated disk takes it");
        snapshot.files.insert(RECON.to_owned(), recon.clone());
        let store = Handle::open(true, Path::new(PATH), options(&snapshot.disk.fork(1), Mode::ReadOnly)).expect("the efile opens");
        assert_eq!(store.count(2_000_020..).expect("it can be counted"), events_from(&snapshot.events, 2_000_020));
        assert_eq!(store.stats().expect("it has numbers").recon_bytes, recon.len() as u64, "the engine believes the recon file");
        assert!(events(&snapshot.disk, true) == snapshot.events, "with a recon file the events are the same");
    }
    Base { history, id }
}

fn events_from(events: &[Event], time: u64) -> u64 {
    events.iter().filter(|event| event.time >= time).count() as u64
}

/// The store with several chunks.
pub fn store() -> History {
    history(false)
}
