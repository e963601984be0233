//! A writing process that is killed, at any moment, loses nothing that was promised to it, and never has to be cleaned up after.
//!
//! ```text
//!   this process                                     the writer: this binary, run again
//!     starts it ──────────────────────────────────────> opens the store: recovers what the last one left
//!     refused while it lives  <──── a pipe ──────────── opening, opened, begun, done: seq 17, begun, ...
//!     SIGKILL, some microseconds after one of these ──x
//!     reads the store, beside nobody or as the next writer: all that was promised? in order, once, whole?
//!     starts the next one, on the same store
//! ```
//!
//! `ESTORE_KILLS` says how many writers are killed, `ESTORE_SEED` which store comes first. What the writers do and when they are to be killed
//! depends on the seed alone; what they had done by then, also on the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kill/child.rs"]
mod child;
mod common;
#[path = "kill/ledger.rs"]
mod ledger;
#[path = "kill/workload.rs"]
mod workload;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use child::{MARK, Plan, Record, Step};
use common::handle::Handle;
use common::rng::Rng;
use estore::{Error, Level, Mode};
use ledger::Ledger;
use tempfile::TempDir;
use workload::{BatchId, Life, MAIN, Op, Setup, spread};

const PATH: &str = "ESTORE_TEST_CHILD_PATH";
const PLAN: &str = "ESTORE_TEST_CHILD_PLAN";

/// So many writers of one store are killed, one after the other.
const LIVES: u32 = 25;

/// Nothing takes that long, unless it hangs.
const HANG: Duration = Duration::from_secs(120);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_writer_that_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let plan = std::env::var(PLAN).ok().and_then(|text| Plan::decode(&text)).expect("a plan");
    child::run(Path::new(&path), &plan);
}

/// When a writer is to die: some time after something has happened.
#[derive(Clone, Copy, Debug)]
struct Moment {
    after: After,
    delay: Duration,
    /// If that doesn't happen: so long after it has opened the store.
    at_last: Duration,
    /// The pipe is watched without sleeping, which makes this process quicker and the other one slower.
    awake: bool,
}

#[derive(Clone, Copy, Debug)]
enum After {
    Start,
    /// So many records.
    Records(usize),
    /// It came to this step for the `n`-th time.
    Step(Step, u64),
    /// It began an operation like this for the `n`-th time.
    Op(fn(Op) -> bool, u64),
}

impl Moment {
    fn draw(rng: &mut Rng, first: bool) -> Moment {
        let few = |rng: &mut Rng| 1 + spread(rng, 3);
        let (after, delay) = match rng.below(20) {
            0..=2 => (After::Start, spread(rng, 20_000)),
            3..=5 => (After::Step(Step::Opening, if first { 1 } else { few(rng) }), spread(rng, 10_000)),
            6..=7 => (After::Step(Step::Closing, few(rng)), spread(rng, 5_000)),
            8 => (After::Op(|op| op == Op::Sync, few(rng)), spread(rng, 3_000)),
            9 => (After::Op(|op| matches!(op, Op::DeleteBefore(_)), few(rng)), spread(rng, 3_000)),
            10 => (After::Op(|op| matches!(op, Op::Absent { .. }), few(rng)), spread(rng, 500)),
            _ => (After::Records(1 + spread(rng, 2_000) as usize), spread(rng, 500)),
        };
        Moment { after, delay: Duration::from_micros(delay), at_last: Duration::from_micros(rng.below(30_000)), awake: rng.one_in(2) }
    }
}

/// A writer, which dies with this value.
struct Writer {
    process: Child,
    output: ChildStdout,
    /// What has come through the pipe and is no whole record yet.
    bytes: Vec<u8>,
    marked: bool,
    records: Vec<Record>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Writer {
    fn start(path: &Path, plan: &Plan) -> Writer {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["the_writer_that_is_killed", "--exact", "--nocapture", "--test-threads=1", "--quiet"])
            .env(PATH, path)
            .env(PLAN, plan.encode())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the writer starts");
        let output = process.stdout.take().unwrap();
        Writer { process, output, bytes: Vec::new(), marked: false, records: Vec::new() }
    }

    /// Waits for more from the pipe, but no longer than that; takes what is there. `false` once the pipe is closed.
    fn listen(&mut self, no_longer_than: Duration) -> bool {
        let mut poll = libc::pollfd { fd: self.output.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let limit = libc::timespec { tv_sec: no_longer_than.as_secs() as i64, tv_nsec: i64::from(no_longer_than.subsec_nanos()) };
        // SAFETY: one valid pollfd, a valid timespec, and no signal mask.
        #[allow(unsafe_code)]
        let ready = unsafe { libc::ppoll(&mut poll, 1, &limit, std::ptr::null()) };
        ready != 1 || self.take() > 0
    }

    /// Takes what is in the pipe, or waits for it.
    fn take(&mut self) -> usize {
        let mut buffer = [0; 64 << 10];
        let n = self.output.read(&mut buffer).expect("the pipe can be read");
        self.bytes.extend_from_slice(&buffer[..n]);
        if !self.marked {
            let Some(at) = self.bytes.windows(MARK.len()).position(|bytes| bytes == MARK) else { return n };
            self.bytes.drain(..at + MARK.len());
            self.marked = true;
        }
        let (records, _) = self.bytes.as_chunks();
        self.records.extend(records.iter().map(|bytes| Record::decode(bytes).expect("a record")));
        self.bytes.drain(..self.bytes.len() / Record::LEN * Record::LEN);
        n
    }

    /// Waits until it has opened the store.
    fn wait_until_open(&mut self) {
        let start = Instant::now();
        while !self.records.iter().any(|record| record.step == Step::Opened) {
            assert!(self.listen(Duration::from_secs(1)), "the writer ended by itself");
            assert!(start.elapsed() < HANG, "the writer hangs");
        }
    }

    /// Kills it at its moment, and takes what it said before.
    fn kill_at(&mut self, setup: &Setup, life: Life, moment: Moment) {
        let start = Instant::now();
        let (mut seen, mut met, mut opened) = (0, 0, None);
        let mut kill_at = matches!(moment.after, After::Start).then_some(start);
        loop {
            for (n, record) in self.records.iter().enumerate().skip(seen) {
                let hit = match moment.after {
                    After::Start => false,
                    After::Records(records) => n + 1 == records,
                    After::Step(step, _) => record.step == step,
                    After::Op(like, _) => {
                        let id = BatchId { life, thread: record.thread, op: record.op };
                        record.step == Step::Begun && record.thread != MAIN && like(setup.op(id))
                    }
                };
                met += u64::from(hit);
                let wanted = match moment.after {
                    After::Step(_, n) | After::Op(_, n) => n,
                    After::Start | After::Records(_) => 1,
                };
                if hit && met == wanted {
                    kill_at = Some(Instant::now());
                }
                if record.step == Step::Opened {
                    opened = opened.or(Some(Instant::now()));
                }
            }
            seen = self.records.len();
            let now = Instant::now();
            let end = kill_at.map(|at| at + moment.delay).or(opened.map(|at| at + moment.at_last)).unwrap_or(start + HANG);
            if end <= now {
                break;
            }
            let left = end - now;
            let awake = moment.awake && opened.is_some() || left < Duration::from_micros(100);
            assert!(self.listen(if awake { Duration::ZERO } else { left }), "the writer ended by itself");
        }
        assert!(start.elapsed() < HANG, "the writer hangs: {:?}", self.records.last());
        self.process.kill().expect("it can be killed");
        let status = self.process.wait().expect("it is dead");
        assert_eq!(status.signal(), Some(libc::SIGKILL), "the writer ended by itself: {status}");
        while self.take() > 0 {}
    }
}

/// What has been tried, for whoever wants to know how much that was.
#[derive(Default)]
struct Tally {
    kills: u64,
    /// Where the writer was.
    places: BTreeMap<&'static str, u64>,
    stores: u64,
    batches: u64,
    events: u64,
    kept: u64,
    lost: u64,
    unflushed: u64,
    refused: u64,
    /// Readings beside a writer, and those that ended since it had deleted what they were about to read.
    beside: u64,
    gone: u64,
    messages: u64,
}

impl Tally {
    fn add_place(&mut self, setup: &Setup, life: Life, records: &[Record]) {
        let names = |record: &Record| match record.step {
            Step::Opening => "opening",
            Step::Closing => "closing",
            Step::Opened | Step::Done | Step::Closed => "between operations",
            Step::Begun if record.thread == MAIN => "appending what is absent",
            Step::Begun => match setup.op(BatchId { life, thread: record.thread, op: record.op }) {
                Op::Append => "appending",
                Op::Absent { .. } => "appending what is absent",
                Op::Sync => "syncing",
                Op::Count | Op::Hold => "reading",
                Op::DeleteBefore(_) => "deleting",
            },
        };
        *self.places.entry(records.last().map_or("starting", names)).or_default() += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} writers of {} stores were killed:", self.kills, self.stores)?;
        for (place, n) in &self.places {
            writeln!(f, "{n:>8} {place}")?;
        }
        writeln!(f, "{:>8} batches with {} events were acknowledged, and checked after each kill", self.batches, self.events)?;
        writeln!(f, "{:>8} batches at work were there, {} were not", self.kept, self.lost)?;
        writeln!(f, "{:>8} batches of BUFFERED were lost, as may be", self.unflushed)?;
        writeln!(f, "{:>8} second writers were refused", self.refused)?;
        writeln!(f, "{:>8} times the store was read beside its writer, {} times that had just deleted", self.beside, self.gone)?;
        write!(f, "{:>8} times recovery had something to say", self.messages)
    }
}

/// A store and what is known of it.
struct Run<'a> {
    setup: Setup,
    path: PathBuf,
    ledger: Ledger,
    /// What the store says while this process has it open.
    messages: Arc<Mutex<Vec<(Level, String)>>>,
    tally: &'a mut Tally,
}

impl Run<'_> {
    fn open(&self, mode: Mode) -> estore::Result<Handle> {
        let messages = Arc::clone(&self.messages);
        let options = self.setup.options().mode(mode);
        let options = options.log(move |level, message| messages.lock().unwrap().push((level, message.to_owned())));
        self.setup.open(&self.path, options)
    }

    fn second_writer_is_refused(&mut self, writer: &Writer) {
        let start = Instant::now();
        let error = common::error_of(self.open(Mode::Existing).map(drop));
        assert!(start.elapsed() < Duration::from_secs(5), "refused at once");
        let Error::Locked { holder, .. } = error else { panic!("the wrong error: {error:?}") };
        assert_eq!(holder, Some(writer.process.id()), "the process that is named is the one that has the store");
        self.tally.refused += 1;
    }

    fn look_beside(&mut self, plan: &Plan) {
        let looked = self.open(Mode::ReadOnly).and_then(|store| self.ledger.look_beside(&store, plan));
        match looked {
            Ok(()) => self.tally.beside += 1,
            Err(Error::Gone { .. }) => self.tally.gone += 1,
            Err(error) => panic!("reading beside the writer: {error:?}"),
        }
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        assert!(messages.iter().all(|(level, _)| *level != Level::Error), "a writer at work is no damage: {messages:?}");
    }

    /// Reads the store, as a reader that changes nothing, as the next writer, or as the one after the other.
    fn look(&mut self, rng: &mut Rng, life: Life, at_work: &[BatchId], last: bool) {
        let (read, write) = match rng.below(4) {
            _ if last => (true, true),
            0..=1 => (true, false),
            2 => (false, true),
            _ => (true, true),
        };
        let mut at_work = at_work;
        let thorough = last || rng.one_in(3);
        if read {
            match self.open(Mode::ReadOnly) {
                Ok(store) => self.note_look(&store, std::mem::take(&mut at_work), false, thorough),
                Err(Error::NotFound { .. } | Error::NotAStore { .. }) if !self.ledger.opened => {}
                Err(error) => panic!("the store can't be read: {error}"),
            }
        }
        if write {
            let store = self.open(Mode::CreateIfMissing).expect("a dead writer's store opens, with nothing to be removed before");
            self.ledger.opened = true;
            self.note_look(&store, at_work, true, thorough);
            self.ledger.append(&store, life);
            store.close().expect("it closes");
            self.nothing_is_left_over();
        }
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        self.tally.messages += messages.iter().filter(|(level, _)| *level == Level::Warning).count() as u64;
        let bad: Vec<_> = messages.iter().filter(|(level, _)| *level == Level::Error).collect();
        assert!(bad.is_empty(), "a kill is no damage: {bad:?}");
    }

    /// What the dead have not finished is gone: files that were to be renamed, and those of chunks that are deleted.
    fn nothing_is_left_over(&self) {
        for entry in fs::read_dir(&self.path).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.ends_with(".new"), "{name} is left over");
            let chunk = name.split_once('-').and_then(|(chunk, _)| chunk.parse::<u64>().ok());
            let deleted = chunk.is_some_and(|chunk| !self.setup.efile && (chunk + 1) * self.setup.file_size <= self.ledger.horizon);
            assert!(!deleted, "{name} is left over, though {} is the horizon", self.ledger.horizon);
        }
    }

    fn note_look(&mut self, store: &Handle, at_work: &[BatchId], recovered: bool, thorough: bool) {
        let outcome = self.ledger.look(store, at_work, recovered, thorough);
        self.tally.kept += outcome.kept;
        self.tally.lost += outcome.lost;
        self.tally.unflushed += outcome.unflushed;
    }

    fn lives(&mut self, lives: u32) {
        let mut life = Life { number: 1, start: 1 << 20 };
        let mut again = Vec::new();
        let mut rng = Rng::new(self.setup.seed ^ 0x1117);
        for n in 1..=lives {
            let plan = Plan { seed: self.setup.seed, life, wait: rng.one_in(4), again };
            let moment = Moment::draw(&mut rng, n == 1);
            let mut writer = Writer::start(&self.path, &plan);
            if plan.wait {
                writer.wait_until_open();
                self.second_writer_is_refused(&writer);
                writer.process.stdin.as_mut().unwrap().write_all(b"\n").expect("the writer listens");
            }
            if rng.one_in(4) {
                writer.wait_until_open();
                self.look_beside(&plan);
            }
            writer.kill_at(&self.setup, life, moment);
            let records = std::mem::take(&mut writer.records);
            drop(writer);
            self.tally.kills += 1;
            self.tally.add_place(&self.setup, life, &records);
            let at_work = self.ledger.note(&plan, &records);

            let ops = records.iter().filter(|record| record.step == Step::Begun && record.thread != MAIN).map(|record| record.op + 1).max();
            let next = self.setup.next_life(life, ops.unwrap_or(0) + 1);
            self.look(&mut rng, Life { number: 1_000_000 + n, ..next }, &at_work, n == lives);
            // What was at work is done again by the next one, and some of what was done before that.
            again = at_work;
            for _ in 0..rng.below(4) {
                let id = BatchId {
                    life,
                    thread: rng.below(u64::from(self.setup.threads)) as u16,
                    op: rng.below(1 + u64::from(ops.unwrap_or(0))) as u32,
                };
                if !again.contains(&id) && matches!(self.setup.op(id), Op::Append | Op::Absent { .. }) {
                    again.push(id);
                }
            }
            life = next;
        }
        self.tally.batches += self.ledger.done;
        self.tally.events += self.ledger.events;
    }
}

/// A new folder: mostly in memory, where there is such a place and many more writers can be killed in the same time.
fn new_folder(in_memory: bool) -> TempDir {
    let memory = in_memory.then(|| TempDir::new_in("/dev/shm").ok()).flatten();
    memory.unwrap_or_else(|| TempDir::new().expect("a temporary folder"))
}

/// One store, whose writers are killed so many times. A failure says how to see it again, and leaves the store.
fn run(seed: u64, lives: u32, tally: &mut Tally) {
    let setup = Setup::of(seed);
    let folder = new_folder(setup.in_memory);
    let mut run =
        Run { ledger: Ledger::new(setup.clone()), setup, path: folder.path().join("store"), messages: Arc::default(), tally: &mut *tally };
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| run.lives(lives)));
    tally.stores += 1;
    if let Err(panic) = result {
        let kept = folder.keep();
        let debug = if cfg!(debug_assertions) { "" } else { " --release" };
        eprintln!("the store is left in {}; {:?}", kept.display(), Setup::of(seed));
        eprintln!("to run it again: ESTORE_SEED={seed} ESTORE_KILLS={lives} cargo test{debug} --test kill -- --nocapture");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn killed_writers_lose_nothing_that_was_promised() {
    if std::env::var_os(PATH).is_some() {
        return;
    }
    let (kills, first) = (number("ESTORE_KILLS", 200), number("ESTORE_SEED", 0));
    let mut tally = Tally::default();
    let start = Instant::now();
    for seed in first.. {
        let left = kills - tally.kills;
        if left == 0 {
            break;
        }
        run(seed, u32::try_from(left).unwrap_or(LIVES).min(LIVES), &mut tally);
    }
    println!("{tally}\nin {:.1} s", start.elapsed().as_secs_f64());
    if kills >= 200 {
        let at = |place| tally.places.get(place).copied().unwrap_or(0) * 100 / kills;
        assert!(at("starting") + at("opening") >= 3, "some are killed while they open the store");
        assert!(at("appending") + at("between operations") >= 20, "many are killed while they append");
        assert!(tally.kept > 0 && tally.lost > 0, "some batches make it, some don't");
        assert!(tally.refused > kills / 10, "second writers were there to be refused");
    }
}
