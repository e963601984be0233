//! What one thread does while another waits for the disk: the disk of these tests holds a sync, or a write of a run, until it is told to go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[macro_use]
#[path = "common/forward.rs"]
mod forward;

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use common::place::Place;
use common::{drain, event, events_at, times};
use estore::disk::{Access, After, Call, Crash, Disk, Fault, FaultEffect, File, SimDisk};
use estore::{Compression, Durability, Error, Event, Mode, Options, Sizes, Store};

/// Where a sync stands that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The next sync of the file waits.
    Armed,
    /// It waits.
    Waiting,
    /// It, and all others, go on.
    Open,
    /// All of them panic.
    Panicking,
}

type Meddling = Box<dyn FnOnce() + Send>;

/// Something that another process does at a moment.
#[derive(Clone, Default)]
struct Meddler(Arc<Mutex<Option<Meddling>>>);

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler")
    }
}

/// Holds one sync of one file.
#[derive(Debug)]
struct Gate {
    name: &'static str,
    stage: Mutex<Stage>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(*stage != Stage::Panicking, "the disk has gone mad");
        if *stage == Stage::Armed {
            *stage = Stage::Waiting;
            self.changed.notify_all();
            drop(self.changed.wait_while(stage, |stage| *stage != Stage::Open).unwrap());
        }
    }

    fn wait_until_held(&self) {
        drop(self.changed.wait_while(self.stage.lock().unwrap(), |stage| *stage == Stage::Armed).unwrap());
    }

    fn open(&self) {
        *self.stage.lock().unwrap() = Stage::Open;
        self.changed.notify_all();
    }
}

/// A simulated disk with a gate.
#[derive(Clone, Debug)]
struct GatedDisk {
    inner: SimDisk,
    gate: Arc<Gate>,
    /// What happens right before the first look into the folder, and right after the second one, if anything.
    early: Meddler,
    meddler: Meddler,
    lists: Arc<AtomicU64>,
    /// What happens right before the log of this name is removed for the second time.
    late: (&'static str, Meddler),
    removals: Arc<AtomicU64>,
}

impl GatedDisk {
    fn new(place: &Place, gate: &Arc<Gate>) -> GatedDisk {
        GatedDisk {
            inner: place.sim().clone(),
            gate: Arc::clone(gate),
            early: Meddler::default(),
            meddler: Meddler::default(),
            lists: Arc::default(),
            late: ("", Meddler::default()),
            removals: Arc::default(),
        }
    }
}

#[derive(Debug)]
struct GatedFile {
    inner: Box<dyn File>,
    gate: Option<Arc<Gate>>,
}

impl Disk for GatedDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let gate = (!self.gate.name.is_empty() && path.ends_with(self.gate.name)).then(|| Arc::clone(&self.gate));
        Ok(Box::new(GatedFile { inner: self.inner.open(path, access)?, gate }))
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        if let Some(meddle) = self.early.0.lock().unwrap().take() {
            meddle();
        }
        let names = self.inner.list(folder)?;
        if self.lists.fetch_add(1, Ordering::Relaxed) == 1
            && let Some(meddle) = self.meddler.0.lock().unwrap().take()
        {
            meddle();
        }
        Ok(names)
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.gate.name.is_empty() {
            self.gate.pass();
        }
        self.inner.sync_folder(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (name, meddler) = &self.late;
        if path.ends_with(name)
            && self.removals.fetch_add(1, Ordering::Relaxed) == 1
            && let Some(meddle) = meddler.0.lock().unwrap().take()
        {
            meddle();
        }
        self.inner.remove_file(path)
    }
    forward!(self to self.inner; kind identity create_folder rename remove_folder lock random);
}

impl File for GatedFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let written = self.inner.write_at(bytes, offset);
        let holds = |gate: &&Arc<Gate>| gate.name.ends_with(".recon") && offset > 0 || gate.name.ends_with(".recon.new");
        if let Some(gate) = self.gate.as_ref().filter(holds) {
            gate.pass();
        }
        written
    }
    fn sync(&self) -> io::Result<()> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        self.inner.sync()
    }
    forward!(self to self.inner; read_at reserve len truncate forget);
}

fn options(place: &Place) -> Options {
    place.options().file_size(100).grace(10).durability(Durability::Process).max_open_logs(1)
}

/// The power goes while a sync of `held` (or of the folder, for "") is on its way and another thread works on: until it has done its work, or
/// where that `waits` for the sync, at any moment. What was never durable may be lost, but it is no damage.
fn power_goes_during_a_sync(held: &'static str, max_open_logs: usize, waits: bool, work: impl Fn(&Store) + Sync) {
    for (crash, seeds) in [(Crash::LoseAll, 1), (Crash::KeepAll, 1), (Crash::Random, 200)] {
        for seed in 0..seeds {
            let place = Place::simulated(seed);
            let gate = Arc::new(Gate { name: held, stage: Mutex::new(Stage::Open), changed: Condvar::new() });
            let disk = GatedDisk::new(&place, &gate);
            let options = || options(&place).max_open_logs(max_open_logs);
            let store = Store::open(&place.path, options()).unwrap();
            store.append(&events_at([201])).unwrap();
            store.append(&events_at([501])).unwrap();
            store.close().unwrap();
            let store = Store::open(&place.path, options().disk(Arc::new(disk))).unwrap();
            store.append(&events_at([1, 2])).unwrap();
            *gate.stage.lock().unwrap() = Stage::Armed;
            let (left, durable) = thread::scope(|scope| {
                let syncing = scope.spawn(|| store.sync());
                gate.wait_until_held();
                let working = scope.spawn(|| work(&store));
                if !waits {
                    working.join().unwrap();
                }
                let durable = store.durable_seq();
                let left = place.sim().fork(seed);
                left.power_on(crash);
                gate.open();
                syncing.join().unwrap().unwrap();
                (left, durable)
            });
            let store = Store::open(&place.path, options().disk(Arc::new(left))).unwrap();
            let got = drain(store.read(..).expect("what is left can be read"));
            assert!(got.iter().any(|event| event.time == 201), "{crash:?}, seed {seed}: {:?}", times(&got));
            let promised = got.iter().filter(|event| event.seq <= durable).count();
            assert!(promised >= 2, "{crash:?}, seed {seed}: durable up to {durable}, left are {:?}", times(&got));
            assert_eq!(store.count(..).unwrap(), got.len() as u64);
            assert_eq!(store.stats().unwrap().damaged, 0, "{crash:?}, seed {seed}");
        }
    }
}

#[test]
fn a_compaction_that_is_given_up_removes_no_log_that_is_begun_meanwhile() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "none", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let disk = GatedDisk { late: ("0-2.estore", Meddler::default()), ..GatedDisk::new(&place, &gate) };
    let meddler = disk.late.1.clone();
    // A compacted log, behind which whoever appends begins another one.
    let store = Store::open(&place.path, options(&place).compression(Compression::Lz4)).unwrap();
    store.append(&[event(1, 1, vec![0; 1000]), event(2, 1, vec![0; 1000]), event(3, 1, vec![0; 1000])]).unwrap();
    assert_eq!(store.compact(.., |_| ControlFlow::Continue(())).unwrap().chunks, 1);
    store.close().unwrap();
    let options = || options(&place).compression(Compression::None);
    let store = Arc::new(Store::open(&place.path, options().disk(Arc::new(disk))).unwrap());
    let effect = FaultEffect::Errno(libc::ENOSPC);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Reserve), name: Some("0-2.new".into()), effect, forever: true });
    let appending = Arc::clone(&store);
    *meddler.0.lock().unwrap() = Some(Box::new(move || {
        appending.append(&events_at([4])).unwrap();
    }));
    assert!(store.compact(.., |_| ControlFlow::Continue(())).is_err());
    assert!(meddler.0.lock().unwrap().is_none(), "it was given up");
    store.append(&events_at([5])).unwrap();
    store.sync().unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    assert_eq!(times(&drain(Store::open(&place.path, options()).unwrap().read(..).unwrap())), [1, 2, 3, 4, 5]);
}

#[test]
fn a_failed_sort_of_one_log_does_not_put_off_that_of_the_next() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "0-0.recon", stage: Mutex::new(Stage::Armed), changed: Condvar::new() });
    let sizes = Sizes { pending_bytes: 40_000, ..Sizes::default() };
    let options = || options(&place).file_size(1_000_000).compaction(false).sizes(sizes);
    let late: Vec<Event> = (0..50).map(|time| event(time, 0, vec![b'x'; 1000])).collect();
    let store = Store::open(&place.path, options()).unwrap();
    store.append(&events_at([900_000, 900_001])).unwrap();
    store.append(&late).unwrap();
    store.close().unwrap();
    let store = Store::open(&place.path, options().background(true).disk(Arc::new(GatedDisk::new(&place, &gate)))).unwrap();
    store.append(&late).unwrap();
    gate.wait_until_held();
    let effect = FaultEffect::Errno(libc::EIO);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Write), name: Some("0-0.recon".into()), effect, forever: true });
    thread::scope(|scope| {
        // It waits for the sort that is held, once later events go to another log.
        let compacting = scope.spawn(|| store.compact(.., |_| ControlFlow::Continue(())));
        while place.names("0-2.estore").is_empty() {
            thread::sleep(Duration::from_millis(20));
            store.append(&events_at([1])).unwrap();
        }
        gate.open();
        compacting.join().unwrap().unwrap();
    });
    assert!(place.sim().faults_hit() > 0, "the sort failed");
    store.append(&late).unwrap();
    let is_sorted = (0..2000).any(|_| {
        thread::sleep(Duration::from_millis(5));
        !place.names("0-2.recon").is_empty()
    });
    assert!(is_sorted, "late events of the next log");
}

/// A run of which a part is written is no damage of its file.
#[test]
fn verifying_waits_for_a_run_that_is_being_written() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "1-0.recon", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let options = options(&place).file_size(1_000_000).disk(Arc::new(GatedDisk::new(&place, &gate)));
    let store = Store::open(&place.path, options).unwrap();
    store.append(&events_at([1, 1_900_000, 1_900_001])).unwrap();
    // More than is written at once, and then behind a run that is there.
    let late = |from: u64| -> Vec<Event> { (from..from + 3000).map(|i| event(i, 0, vec![b'x'; 1000])).collect() };
    store.append(&late(1_000_000)).unwrap();
    let (begin, is_begun) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let verified = thread::scope(|scope| {
        let (store, gate) = (&store, &gate);
        scope.spawn(move || {
            is_begun.recv().unwrap();
            store.append(&late(1_100_000)).unwrap();
        });
        let verifying = scope.spawn(move || {
            let mut begin = Some(begin);
            let verified = store.verify_telling(
                |finding| panic!("{finding:?}"),
                |_| {
                    // One chunk is done. Before the next one a part of a run of its late events is written.
                    if let Some(begin) = begin.take() {
                        *gate.stage.lock().unwrap() = Stage::Armed;
                        begin.send(()).unwrap();
                        gate.wait_until_held();
                    }
                    ControlFlow::Continue(())
                },
            );
            done.send(()).unwrap();
            verified
        });
        // Long enough for one that does not wait.
        let _ = is_done.recv_timeout(Duration::from_millis(300));
        gate.open();
        verifying.join().unwrap().unwrap()
    });
    assert_eq!(verified.damaged, 0);
}

/// While late events are sorted, the index of their log is read anew, with those that come meanwhile.
#[test]
fn late_events_that_come_beside_a_sort_are_there_though_the_index_was_read_anew() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "0-0.recon.new", stage: Mutex::new(Stage::Armed), changed: Condvar::new() });
    let sizes = Sizes { pending_bytes: 4000, run_frame_bytes: 500, ..Sizes::default() };
    let options = options(&place).file_size(1000).disk(Arc::new(GatedDisk::new(&place, &gate)));
    let store = Store::open(&place.path, options.background(true).compaction(false).sizes(sizes)).unwrap();
    store.append(&events_at([900, 901, 902])).unwrap();
    let append_late = |from: u64, n: u64| {
        for i in 0..n {
            store.append(&[event(from + i, i as u32, vec![1; 20])]).unwrap();
        }
    };
    append_late(100, 50);
    gate.wait_until_held();
    append_late(200, 10);
    // A bit of a late frame is wrong for a moment, and somebody meets that.
    let log = place.sim().open(&place.path.join("0-0.estore"), Access::Write).unwrap();
    let middle = common::frames(&place.file("0-0.estore"))[25] as u64 + 70;
    let flip = || {
        let mut byte = [0];
        log.read_at(&mut byte, middle).unwrap();
        log.write_at(&[byte[0] ^ 1], middle).unwrap();
    };
    flip();
    assert!(store.count(120..=899).is_err());
    flip();
    gate.open();
    // It waits for the sort.
    let effect = FaultEffect::Errno(libc::ENOSPC);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Open), name: Some("0-1.new".into()), effect, forever: true });
    let compacted = store.compact(.., |_| ControlFlow::Continue(()));
    assert!(matches!(compacted, Err(Error::NoSpace { .. })), "{compacted:?}");
    assert_eq!(drain(store.read(..).unwrap()).len(), 63);
    assert_eq!(store.count(..900).unwrap(), 60);
}

#[test]
fn a_log_that_is_retired_while_it_is_synced_is_not_called_durable_too_early() {
    power_goes_during_a_sync("0-0.estore", 1, true, |store| {
        store.append(&events_at([101])).unwrap(); // closes the log of chunk 0
        store.append(&events_at([301])).unwrap();
        store.delete_before(1).unwrap(); // syncs the journal
    });
}

#[test]
fn a_log_whose_folder_is_still_being_synced_is_not_called_durable_too_early() {
    power_goes_during_a_sync("", 2, true, |store| {
        store.append(&events_at([502])).unwrap();
        store.append(&events_at([202])).unwrap(); // closes the log of chunk 0 and makes no file
        store.delete_before(1).unwrap(); // syncs the journal
    });
}

#[test]
fn appends_and_reads_go_on_while_a_sync_waits() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "2-0.estore", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let disk = GatedDisk::new(&place, &gate);
    let store = Store::open(&place.path, options(&place).disk(Arc::new(disk))).unwrap();
    let before = store.append(&events_at([201])).unwrap();
    *gate.stage.lock().unwrap() = Stage::Armed;
    thread::scope(|scope| {
        let syncing = scope.spawn(|| store.sync());
        gate.wait_until_held();
        let after = store.append(&events_at([202])).unwrap();
        assert_eq!(times(&drain(store.read(..).unwrap())), [201, 202]);
        assert_eq!(store.count(..).unwrap(), 2);
        assert!(store.durable_seq() < before);
        gate.open();
        assert!(syncing.join().unwrap().unwrap() >= before);
        assert!(store.durable_seq() < after, "what was appended during the sync isn't covered by it");
    });
}

#[test]
fn a_sync_that_follows_a_failed_one_of_another_thread_makes_nothing_durable() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "0-0.estore", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let disk = GatedDisk::new(&place, &gate);
    let store = Store::open(&place.path, options(&place).disk(Arc::new(disk))).unwrap();
    store.append(&events_at([1, 2])).unwrap();
    *gate.stage.lock().unwrap() = Stage::Armed;
    thread::scope(|scope| {
        let syncing = scope.spawn(|| store.sync());
        gate.wait_until_held();
        let effect = FaultEffect::SyncLosesPages(libc::EIO, After::New);
        place.sim().inject(Fault { at: 0, calls: Some(Call::Sync), name: None, effect, forever: false });
        // It closes the log of chunk 0, so both want to sync that, and the system tells only one of them that it failed.
        let appending = scope.spawn(|| store.append(&events_at([101])));
        gate.open();
        let synced = syncing.join().unwrap();
        assert!(synced.is_err(), "what the first sync lost was called durable: {synced:?}");
        assert!(appending.join().unwrap().is_err());
        assert_eq!(store.durable_seq(), 0);
    });
    place.crash(Crash::LoseAll);
    let store = Store::open(&place.path, options(&place)).unwrap();
    assert_eq!(store.stats().unwrap().damaged, 0, "a log was called idle that was never durable");
}

#[test]
fn a_panic_in_the_background_thread_stops_the_writer_and_says_why() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "0-0.estore", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let options = options(&place).disk(Arc::new(GatedDisk::new(&place, &gate)));
    let store = Store::open(&place.path, options.durability(Durability::Interval(1_000_000)).background(true)).unwrap();
    *gate.stage.lock().unwrap() = Stage::Panicking;
    let failure = loop {
        match store.append(&events_at([1])) {
            Ok(_) => thread::yield_now(),
            Err(e) => break e,
        }
    };
    assert!(matches!(failure, Error::Poisoned { .. }), "{failure:?}");
    assert!(failure.to_string().contains("the disk has gone mad"), "{failure}");
    assert!(store.count(..).unwrap() > 0, "reading goes on");
}

#[test]
fn a_store_that_is_opened_for_reading_beside_a_delete_shows_all_of_the_delete_or_nothing_of_it() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "none", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let disk = GatedDisk::new(&place, &gate);
    let store = Arc::new(Store::open(&place.path, options(&place).max_open_logs(9)).unwrap());
    store.append(&events_at([1, 101, 201, 202, 203])).unwrap();
    let deleting = Arc::clone(&store);
    *disk.meddler.0.lock().unwrap() = Some(Box::new(move || deleting.delete_before(202).unwrap()));
    let beside = Store::open(&place.path, options(&place).mode(Mode::ReadOnly).disk(Arc::new(disk.clone()))).unwrap();
    assert!(disk.meddler.0.lock().unwrap().is_none(), "the delete fell between a look at the journal and one at the logs");
    assert_eq!(times(&drain(beside.read(..).unwrap())), [202, 203]);
    assert_eq!((beside.count(..).unwrap(), beside.stats().unwrap().horizon), (2, 202));
}

#[test]
fn a_store_that_is_made_while_it_is_opened_for_reading_is_not_called_damaged() {
    let place = Place::simulated(1);
    let gate = Arc::new(Gate { name: "none", stage: Mutex::new(Stage::Open), changed: Condvar::new() });
    let disk = GatedDisk::new(&place, &gate);
    place.sim().create_folder(&place.path).unwrap();
    let (path, made) = (place.path.clone(), options(&place));
    *disk.early.0.lock().unwrap() = Some(Box::new(move || {
        Store::open(&path, made).unwrap().append(&events_at([1, 101])).map(drop).unwrap();
    }));
    let beside = Store::open(&place.path, options(&place).mode(Mode::ReadOnly).disk(Arc::new(disk.clone()))).unwrap();
    assert!(disk.early.0.lock().unwrap().is_none(), "it was made between a look at the settings and one into the folder");
    assert_eq!(times(&drain(beside.read(..).unwrap())), [1, 101]);
}

/// Whoever takes a lock again as soon as it has let go of it would keep out all others, who wake up too late each time.
#[test]
fn others_have_their_turn_beside_one_that_appends_without_a_pause() {
    let place = Place::real();
    let store = Store::open(&place.path, place.options().durability(Durability::Process).background(false)).unwrap();
    let batch: Vec<Event> = (0..1000).map(|i| event(i, 1, "here already")).collect();
    store.append(&batch).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let busy = scope.spawn(|| (0..20_000).any(|_| store.append_absent(&batch).is_err() || done.load(Ordering::Relaxed)));
        for i in 0..50 {
            store.append(&[event(2000 + i, 1, "another")]).unwrap();
            store.stats().unwrap();
            store.sync().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(busy.join().unwrap(), "they waited as long as 20,000 batches took");
    });
}
