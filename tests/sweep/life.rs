//! One run of a workload: its steps on a store, each answer checked on the spot and noted in the ledger.

use std::path::Path;
use std::sync::{Arc, Mutex};

use estore::disk::{Call, Crash, Fault, FaultEffect, SimClock, SimDisk};
use estore::{Compression, Durability, Efile, Error, Event, Level, Mode, Options, ReadOptions, Reader, RetainOptions, Sizes, Store};

use crate::common::handle::Handle;

use super::ledger::{Exists, Ledger, Loss};
use super::tails::Follower;
use super::workloads::Workload;

pub(crate) const PATH: &str = "/store";
/// Where its snapshots go.
pub(crate) const COPY: &str = "/copy";

/// Those of a store, but that a tail comes to the end of a window in the midst of a batch.
pub(crate) fn sizes() -> Sizes {
    Sizes { window_bytes: 100, ..Sizes::default() }
}

/// How a handle is opened for writing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) level: Durability,
    pub(crate) logs: usize,
    pub(crate) buffer: usize,
    pub(crate) sizes: Sizes,
    /// The greatest age and the greatest size.
    pub(crate) limits: (u64, u64),
    pub(crate) compression: Compression,
}

impl Opening {
    pub(crate) fn new(level: Durability) -> Opening {
        Opening { level, logs: 64, buffer: 1 << 20, sizes: sizes(), limits: (0, 0), compression: Compression::None }
    }

    pub(crate) fn limits(mut self, max_age: u64, max_bytes: u64) -> Opening {
        self.limits = (max_age, max_bytes);
        self
    }

    pub(crate) fn logs(mut self, logs: usize) -> Opening {
        self.logs = logs;
        self
    }

    pub(crate) fn buffer(mut self, bytes: usize) -> Opening {
        self.buffer = bytes;
        self
    }

    pub(crate) fn sizes(mut self, sizes: Sizes) -> Opening {
        self.sizes = sizes;
        self
    }

    pub(crate) fn compressing(mut self) -> Opening {
        self.compression = Compression::Lz4;
        self
    }
}

/// What is done to a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Open(Opening),
    Append(Vec<Event>),
    AppendAbsent(Vec<Event>),
    Sync,
    /// So many nanoseconds go by, and what is due is done.
    Tick(u64),
    DeleteBefore(u64),
    /// Retention by this age and size, which then has this horizon, unless something went wrong before.
    Retain(u64, u64, u64),
    /// The same by the limits of the opening, as something that is due.
    RetainDue(u64),
    /// Everything.
    Compact,
    /// Into one folder, each time.
    Snapshot,
    Close,
    /// Closed without asking how it went.
    Drop,
    Destroy,
    Read,
    Count,
    Stats,
    /// Opens a reader and keeps it.
    Hold,
    /// Reads the readers that are kept to their ends.
    Drain,
    /// Another handle, for reading only, reads everything.
    Beside,
    /// Two begin to follow the store from its first event on, one by a handle for reading only.
    Follow,
    /// Each that follows takes up to so many events more.
    Take(usize),
    /// The process or the power goes.
    Die(Crash),
    /// The power goes during the `at`-th call of this kind, for a file whose name ends so, of a step.
    DieIn(Box<Step>, Call, &'static str, u64, Crash),
}

/// What may go wrong in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Nothing.
    Calm,
    /// The power goes at some call.
    Crash,
    /// Some call fails with this error number.
    Fail(i32),
    /// As `Fail`, with a failed sync that loses pages.
    LosePages(i32),
    /// The disk is full.
    Full,
}

/// What a store tells through its log callback.
pub(crate) type Messages = Arc<Mutex<Vec<(Level, String)>>>;

/// Options that go with a workload's store, and what they make the store say.
pub(crate) fn options(workload: &Workload, disk: &SimDisk, clock: &SimClock) -> (Options, Messages) {
    let messages = Messages::default();
    let log = Arc::clone(&messages);
    let options = Options::new().disk(Arc::new(disk.session())).clock(Arc::new(clock.clone())).background(false).sizes(sizes());
    let loud = std::env::var("ESTORE_CASE").is_ok();
    let options = options.log(move |level, message| {
        if loud {
            println!("  {level:?}: {message}");
        }
        log.lock().unwrap().push((level, message.to_owned()));
    });
    (options.grace(workload.grace), messages)
}

/// Opens a workload's store for reading only.
pub(crate) fn open_beside(workload: &Workload, disk: &SimDisk, clock: &SimClock) -> (estore::Result<Handle>, Messages) {
    let (options, messages) = options(workload, disk, clock);
    (Handle::open(workload.efile(), Path::new(PATH), options.mode(Mode::ReadOnly)), messages)
}

/// Opens a workload's snapshot.
pub(crate) fn open_copy(workload: &Workload, disk: &SimDisk, clock: &SimClock) -> (estore::Result<Handle>, Messages) {
    let (options, messages) = options(workload, disk, clock);
    (Handle::open(workload.efile(), Path::new(COPY), options.mode(Mode::ReadOnly)), messages)
}

/// All that a reader gives, or its error.
pub(crate) fn read_all(handle: &Handle, how: ReadOptions) -> estore::Result<Vec<Event>> {
    handle.read_with(.., how)?.collect()
}

/// See the module.
pub(crate) struct Life<'a> {
    pub(super) workload: &'a Workload,
    pub(crate) disk: SimDisk,
    pub(super) clock: SimClock,
    pub(super) handle: Option<Handle>,
    opening: Opening,
    /// Readers that are kept, with what they still have to give.
    held: Vec<(Reader, Vec<Event>)>,
    pub(super) followers: Vec<Follower>,
    pub(crate) ledger: Ledger,
    poisoned: bool,
    /// What the store has is not known since this happened.
    unresolved: Option<Loss>,
    pub(crate) rules: Rules,
    /// Faults that had been met before the steps of the workload, and before the one that is running.
    met_before: u64,
    met: u64,
    /// Steps that ended with an error.
    pub(crate) errors: u64,
}

impl<'a> Life<'a> {
    /// Before the steps of a workload: everything that comes before them has been done, undisturbed.
    pub(crate) fn prepare(workload: &'a Workload, seed: u64) -> Life<'a> {
        let mut life = Life {
            workload,
            disk: SimDisk::new(seed),
            clock: SimClock::new(1_700_000_000_000_000_000),
            handle: None,
            opening: Opening::new(Durability::Process),
            held: Vec::new(),
            followers: Vec::new(),
            ledger: Ledger::new(workload.chunk),
            poisoned: false,
            unresolved: None,
            rules: Rules::Calm,
            met_before: 0,
            met: 0,
            errors: 0,
        };
        for step in &workload.before {
            life.run(step);
        }
        life.met_before = life.disk.faults_hit();
        // Of a step to die in.
        life.errors = 0;
        life
    }

    /// Runs the steps of the workload, up to the one in which the power goes.
    pub(crate) fn go(&mut self) {
        for step in &self.workload.steps {
            self.run(step);
            // Where the power has gone, nothing runs; and a store that is destroyed in part is there for nothing but destroying it.
            if self.is_disturbed() && (self.rules == Rules::Crash || self.ledger.exists == Exists::Perhaps) {
                return;
            }
        }
    }

    /// Whether a step has met a fault.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.disk.faults_hit() > self.met_before
    }

    fn run(&mut self, step: &Step) {
        self.met = self.disk.faults_hit();
        match step {
            Step::Open(opening) => self.open(*opening),
            Step::Die(how) => self.die(*how),
            Step::DieIn(step, call, name, at, how) => {
                let effect = FaultEffect::Crash;
                self.disk.inject(Fault { at: *at, calls: Some(*call), name: Some((*name).to_owned()), effect, forever: false });
                self.rules = Rules::Crash;
                self.run(step);
                self.rules = Rules::Calm;
                assert!(self.disk.faults_hit() > self.met, "the step to die in has no such call");
                self.disk.clear_faults();
                self.die(*how);
            }
            Step::Destroy => self.destroy(),
            Step::Beside => self.beside(),
            Step::Drain => self.drain(),
            Step::Follow => self.follow(),
            Step::Take(n) => self.take(*n),
            _ => self.use_handle(step),
        }
        self.note_durable();
    }

    fn use_handle(&mut self, step: &Step) {
        // Where an earlier step could not open the store, there is nothing to do.
        if self.handle.is_none() {
            return;
        }
        match step {
            Step::Append(batch) => self.append(batch),
            Step::AppendAbsent(batch) => self.append_absent(batch),
            Step::Sync => self.sync(),
            Step::Tick(nanoseconds) => self.tick(*nanoseconds),
            Step::DeleteBefore(time) => self.delete_before(*time),
            Step::Retain(max_age, max_bytes, horizon) => self.retain(*max_age, *max_bytes, *horizon),
            Step::RetainDue(horizon) => self.retain_due(*horizon),
            Step::Compact => self.compact(),
            Step::Snapshot => self.snapshot(),
            Step::Close => self.close(),
            Step::Drop => {
                self.end_tails();
                self.handle = None;
                self.unresolved = Some(Loss::Process);
            }
            Step::Read => drop(self.read(ReadOptions::new())),
            Step::Count => self.count(),
            Step::Stats => self.stats(),
            Step::Hold => self.hold(),
            _ => unreachable!("{step:?} needs no handle"),
        }
        if self.hit() && self.rules != Rules::Crash && self.handle.is_some() {
            // What failed may have stopped the writer though this step had what it needed.
            self.probe();
        }
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("the store is open")
    }

    fn hit(&self) -> bool {
        self.disk.faults_hit() > self.met
    }

    /// An error is one that what goes wrong explains: of a kind with a name, for the reason that was injected, about a file.
    pub(super) fn explain(&mut self, doing: &str, error: &Error) {
        self.errors += 1;
        assert!(!error.to_string().is_empty());
        let stopped = match error {
            Error::OutcomeUnknown { cause, .. } => matches!(**cause, Error::Poisoned { .. }),
            error => matches!(error, Error::Poisoned { .. }),
        };
        if stopped {
            assert!(self.poisoned || self.hit() || self.rules == Rules::Crash, "{doing}: poisoned, and nothing had failed");
            return;
        }
        let allowed = match self.rules {
            Rules::Calm => false,
            Rules::Crash => self.hit() && is_io(error) && error.os_error() == Some(libc::EIO),
            Rules::Fail(errno) => self.hit() && is_io(error) && error.os_error() == Some(errno),
            Rules::LosePages(errno) => {
                matches!(error, Error::Corrupt { .. }) || self.hit() && is_io(error) && error.os_error() == Some(errno)
            }
            Rules::Full => matches!(error, Error::NoSpace { .. }),
        };
        assert!(allowed, "{doing}, under {:?}: {error:?}", self.rules);
        assert!(error.path().is_some(), "{doing}: an error without a file: {error:?}");
    }

    /// Asks whether the writer has stopped; once it has, it never goes on.
    fn probe(&mut self) {
        match self.handle().append::<Event>(&[]) {
            Ok(_) => assert!(!self.poisoned, "a poisoned writer goes on"),
            Err(Error::Poisoned { .. }) => {
                assert!(self.rules != Rules::Full, "a full disk stopped the writer");
                self.poisoned = true;
            }
            Err(error) => panic!("an empty batch: {error:?}"),
        }
    }

    fn note_durable(&mut self) {
        if let Some(handle) = &self.handle {
            let (durable, last) = (handle.durable_seq(), handle.last_seq());
            assert!(durable <= last, "durable up to {durable}, but the last seq is {last}");
            self.ledger.note_durable(durable);
        }
    }

    fn open(&mut self, opening: Opening) {
        assert!(self.handle.is_none(), "the workload opens its store twice");
        let (mut options, _) = options(self.workload, &self.disk, &self.clock);
        if !self.workload.efile() {
            options = options.file_size(self.workload.chunk);
        }
        let options = options.durability(opening.level).max_open_logs(opening.logs).buffer(opening.buffer, 1_000).sizes(opening.sizes);
        let options = options.max_age(opening.limits.0).max_bytes(opening.limits.1);
        let options = options.compression(opening.compression);
        match Handle::open(self.workload.efile(), Path::new(PATH), options) {
            Ok(handle) => {
                self.handle = Some(handle);
                self.opening = opening;
                self.poisoned = false;
                self.ledger.exists = Exists::Yes;
                if let Some(loss) = self.unresolved.take() {
                    self.resolve(if matches!(self.rules, Rules::LosePages(_)) { Loss::Pages } else { loss });
                }
            }
            Err(error) => {
                self.explain("open", &error);
                if self.ledger.exists == Exists::No {
                    self.ledger.exists = Exists::Perhaps;
                }
            }
        }
    }

    /// Finds out what a store has that was opened after something happened to it: from a copy, since the calls of this disk are counted.
    fn resolve(&mut self, loss: Loss) {
        if self.rules == Rules::Crash && self.hit() {
            self.unresolved = Some(loss);
            return;
        }
        let copy = self.disk.fork(1);
        let (beside, _) = open_beside(self.workload, &copy, &self.clock);
        let beside = beside.expect("a reader beside the store that was just opened");
        self.ledger.note_horizon(beside.stats().expect("numbers").horizon);
        let got = read_all(&beside, ReadOptions::new()).expect("all can be read");
        self.ledger.compare(&got, loss);
        self.ledger.settle(&got);
    }

    fn append(&mut self, batch: &[Event]) {
        let last = self.handle().last_seq();
        match self.handle().append(batch) {
            Ok(answer) => {
                assert!(!self.poisoned, "a poisoned writer took a batch");
                let stored = self.ledger.model.append(batch, answer);
                assert!(stored.stored > 0 || answer == last, "nothing was stored, but the last seq is {answer} after {last}");
                self.appended(answer);
            }
            Err(error) => self.refused("append", &error, batch, last),
        }
    }

    fn append_absent(&mut self, batch: &[Event]) {
        let last = self.handle().last_seq();
        match self.handle().append_absent(batch) {
            Ok(answer) => {
                assert!(!self.poisoned, "a poisoned writer took a batch");
                let stored = self.ledger.model.append_absent(batch, answer.last_seq);
                let (got, wanted) = ((answer.stored, answer.present, answer.expired), (stored.stored, stored.present, stored.expired));
                assert_eq!(got, wanted, "stored, present, expired");
                self.appended(answer.last_seq);
            }
            Err(error) => {
                // Only the absent ones would have been stored.
                let known = &self.ledger.model;
                let is_there = |event: &Event| {
                    known.live().any(|kept| (kept.time, kept.id, &*kept.data) == (event.time, event.id, event.data.as_slice()))
                };
                let absent: Vec<Event> = batch.iter().filter(|event| !is_there(event)).cloned().collect();
                self.refused("append absent", &error, &absent, last);
            }
        }
    }

    fn appended(&mut self, answer: u64) {
        assert_eq!(self.handle().last_seq(), answer, "the last seq is what append answered");
        if self.opening.level != Durability::Buffered {
            self.ledger.note_flushed();
        }
        if self.opening.level == Durability::Power {
            assert!(self.handle().durable_seq() >= answer, "Power is durable on return");
        }
    }

    fn refused(&mut self, doing: &str, error: &Error, batch: &[Event], last: u64) {
        self.explain(doing, error);
        self.probe();
        match error {
            Error::OutcomeUnknown { .. } => {
                assert!(self.poisoned, "{doing}: the outcome is unknown, and the writer goes on");
                self.ledger.append_unsure(batch);
            }
            Error::Poisoned { .. } => assert!(self.poisoned),
            _ => {
                assert_eq!(self.handle().last_seq(), last, "{doing} stored nothing, but the last seq has changed: {error:?}");
                assert!(
                    !matches!(error, Error::NoSpace { .. }) || !self.poisoned,
                    "{doing}: no space, and the writer has stopped: {error:?}"
                );
            }
        }
    }

    fn sync(&mut self) {
        let last = self.handle().last_seq();
        match self.handle().sync() {
            Ok(durable) => {
                assert!(!self.poisoned, "a poisoned writer synced");
                assert!(durable >= last, "a sync makes everything durable: up to {durable}, of {last}");
                self.ledger.note_flushed();
            }
            Err(error) => self.not_synced("sync", &error),
        }
    }

    fn tick(&mut self, nanoseconds: u64) {
        self.clock.advance(nanoseconds);
        match self.handle().tick() {
            Ok(()) => assert!(!self.poisoned, "a poisoned writer does what is due"),
            Err(error) => return self.not_synced("tick", &error),
        }
        match self.opening.level {
            Durability::Buffered if nanoseconds >= 1_000 => self.ledger.note_flushed(),
            Durability::Interval(period) if nanoseconds >= period => {
                assert_eq!(self.handle().durable_seq(), self.handle().last_seq(), "the sync of an interval that is over");
            }
            _ => {}
        }
    }

    fn not_synced(&mut self, doing: &str, error: &Error) {
        self.explain(doing, error);
        self.probe();
        // A buffer that can't go out for now is kept.
        assert!(self.poisoned || self.opening.level == Durability::Buffered, "{doing} failed, and the writer goes on: {error:?}");
    }

    fn compact(&mut self) {
        match self.handle().compact(..) {
            Ok(done) => {
                assert!(!self.poisoned, "a poisoned writer compacted");
                assert!(!done.stopped);
                self.ledger.note_flushed();
            }
            Err(error) => self.explain("compact", &error),
        }
        self.probe();
    }

    fn snapshot(&mut self) {
        let before = self.ledger.clone();
        self.ledger.copy_tried = Some(Box::new(before));
        match self.handle().snapshot(Path::new(COPY)) {
            Ok(taken) => {
                assert!(!taken.stopped && !self.poisoned, "a poisoned writer took a snapshot");
                self.ledger.note_flushed();
                // Nothing that is to go wrong goes wrong where it is looked at. When the power went, the snapshot was there already.
                let disk = self.disk.fork(7);
                if !disk.is_powered() {
                    disk.power_on(Crash::KeepAll);
                }
                let (copy, _) = open_copy(self.workload, &disk, &self.clock);
                let shown = read_all(&copy.expect("the snapshot opens"), ReadOptions::new()).expect("the snapshot can be read");
                self.ledger.clone().compare(&shown, Loss::Nothing);
                assert!(shown.iter().all(|event| event.seq <= taken.seq), "the snapshot shows events behind its seq");
                self.ledger.copy = Some(shown);
                self.ledger.copy_tried = None;
            }
            Err(error) => self.explain("snapshot", &error),
        }
        self.probe();
    }

    fn delete_before(&mut self, time: u64) {
        let Handle::Store(store) = self.handle() else { return };
        match store.delete_before(time) {
            Ok(()) => {
                assert!(!self.poisoned, "a poisoned writer deleted");
                self.ledger.model.delete_before(time);
            }
            Err(error) => self.not_deleted("delete_before", &error, time),
        }
    }

    fn retain(&mut self, max_age: u64, max_bytes: u64, horizon: u64) {
        let options = RetainOptions::new().max_age(max_age).max_bytes(max_bytes);
        let Some(told) = self.told_to_go(options, horizon) else { return };
        let Handle::Store(store) = self.handle() else { return };
        match store.retain(options) {
            Ok(retained) => {
                assert!(!self.poisoned, "a poisoned writer deleted");
                assert_eq!(retained.horizon, told, "what it did is what it had told");
                self.ledger.model.delete_before(told);
            }
            Err(error) => self.not_deleted("retain", &error, told),
        }
    }

    fn retain_due(&mut self, horizon: u64) {
        let Some(told) = self.told_to_go(RetainOptions::new(), horizon) else { return };
        match self.handle().tick() {
            Ok(()) => {
                assert!(!self.poisoned, "a poisoned writer does what is due");
                self.ledger.model.delete_before(told);
            }
            Err(error) => self.not_deleted("tick", &error, told),
        }
    }

    /// The horizon by a dry run.
    fn told_to_go(&mut self, options: RetainOptions, horizon: u64) -> Option<u64> {
        let Handle::Store(store) = self.handle() else { return None };
        match store.retain(options.dry_run()) {
            Ok(told) => {
                // Of what could not be appended nothing has become old.
                let told = told.horizon;
                assert!(told == horizon || told < horizon && self.errors > 0, "everything before {told} is to go, not before {horizon}");
                Some(told)
            }
            Err(error) => {
                self.explain("a dry run", &error);
                None
            }
        }
    }

    fn not_deleted(&mut self, doing: &str, error: &Error, time: u64) {
        self.explain(doing, error);
        self.probe();
        if self.poisoned && !matches!(error, Error::Poisoned { .. }) {
            self.ledger.tried = self.ledger.tried.max(time);
        }
    }

    fn close(&mut self) {
        self.end_tails();
        let handle = self.handle.take().expect("the store is open");
        let last = handle.last_seq();
        match handle.close() {
            Ok(()) => {
                assert!(!self.poisoned, "closing a poisoned writer must report it");
                self.ledger.note_flushed();
                self.ledger.note_durable(last);
            }
            Err(error) => {
                self.explain("close", &error);
                self.unresolved = Some(Loss::Process);
            }
        }
        assert!(matches!(handle.append(&[crate::common::event(1, 1, "")]), Err(Error::Closed { .. })), "a closed store takes nothing");
    }

    /// The writer's handle is about to be closed.
    fn end_tails(&mut self) {
        self.followers.iter_mut().filter(|follower| !follower.is_beside()).for_each(|follower| follower.closed = true);
    }

    fn destroy(&mut self) {
        assert!(self.handle.is_none(), "the workload destroys an open store");
        let (options, _) = options(self.workload, &self.disk, &self.clock);
        let path = Path::new(PATH);
        let result = if self.workload.efile() { Efile::destroy(path, options) } else { Store::destroy(path, options) };
        match result {
            Ok(()) => self.ledger.note_destroyed(),
            Err(error) => {
                self.explain("destroy", &error);
                self.ledger.exists = Exists::Perhaps;
            }
        }
    }

    // ---- reading

    /// A store of this level may have events that it can't hand to the system, and then can't show.
    pub(super) fn explain_reading(&mut self, doing: &str, error: &Error) {
        if let Error::Poisoned { .. } = error {
            assert!(self.opening.level == Durability::Buffered, "{doing}: reading works in a store whose writer has stopped");
        }
        self.explain(doing, error);
    }

    /// Reads everything and compares.
    fn read(&mut self, how: ReadOptions) -> Option<Vec<Event>> {
        match read_all(self.handle(), how) {
            Ok(mut got) => {
                if how == ReadOptions::new().reverse() {
                    got.reverse();
                }
                if !self.poisoned {
                    self.ledger.note_flushed();
                }
                self.ledger.compare(&got, Loss::Nothing);
                Some(got)
            }
            Err(error) => {
                self.explain_reading("read", &error);
                None
            }
        }
    }

    fn count(&mut self) {
        let (sure, all) = (self.ledger.model.len(), self.ledger.has_unsure());
        match self.handle().count(..) {
            Ok(count) => assert!(count == sure || all && count < sure, "a count of {count}, of {sure} events"),
            Err(error) => self.explain_reading("count", &error),
        }
    }

    fn stats(&mut self) {
        match self.handle().stats() {
            Ok(stats) => {
                let lost_pages = matches!(self.rules, Rules::LosePages(_)) && self.poisoned;
                assert!(stats.damaged == 0 || lost_pages, "{} damaged stretches", stats.damaged);
                assert!(stats.events == self.ledger.model.len() || self.ledger.has_unsure(), "{} events", stats.events);
                assert!(stats.horizon == self.ledger.model.horizon || stats.horizon == self.ledger.tried, "horizon {}", stats.horizon);
            }
            Err(error) => self.explain_reading("stats", &error),
        }
    }

    fn hold(&mut self) {
        let shown = self.ledger.model.range(0, u64::MAX);
        match self.handle().read_with(.., ReadOptions::new()) {
            Ok(reader) => {
                let event = |i: &usize| {
                    let kept = &self.ledger.model.events[*i];
                    Event { time: kept.time, seq: 0, id: kept.id, data: kept.data.to_vec() }
                };
                self.held.push((reader, shown.iter().map(event).collect()));
            }
            Err(error) => self.explain_reading("read", &error),
        }
    }

    fn drain(&mut self) {
        for (reader, expected) in std::mem::take(&mut self.held) {
            match reader.collect::<estore::Result<Vec<Event>>>() {
                Ok(got) => {
                    let (got, expected) = (crate::common::identities(&got), crate::common::identities(&expected));
                    assert!(got == expected, "a reader that was opened before gave {} events, not {}", got.len(), expected.len());
                }
                Err(error) => self.explain("read on", &error),
            }
        }
    }

    fn beside(&mut self) {
        let (beside, _) = open_beside(self.workload, &self.disk, &self.clock);
        let read = beside.and_then(|beside| {
            let horizon = beside.stats()?.horizon;
            Ok((horizon, read_all(&beside, ReadOptions::new())?, beside.count(..)?))
        });
        match read {
            Ok((horizon, got, count)) => {
                assert_eq!(count, got.len() as u64, "a count beside the writer");
                if self.unresolved.is_none() {
                    // A delete that failed half-way may show there.
                    let mut ledger = self.ledger.clone();
                    ledger.note_horizon(horizon);
                    ledger.compare(&got, if matches!(self.rules, Rules::LosePages(_)) { Loss::Pages } else { Loss::Process });
                }
            }
            Err(error) => self.explain("read beside the writer", &error),
        }
    }

    // ---- ends

    fn die(&mut self, how: Crash) {
        self.held.clear();
        self.followers.clear();
        self.disk.power_off();
        self.handle = None;
        self.disk.power_on(how);
        self.unresolved = Some(if how == Crash::KeepAll { Loss::Process } else { Loss::Power });
    }

    /// The power went in a step: nothing of the process is left.
    pub(crate) fn bury(&mut self) {
        self.held.clear();
        self.followers.clear();
        self.handle = None;
        self.disk.clear_faults();
    }

    /// What goes wrong is over. The handle that met it reads what it must have, takes more if it said that it could, and never if it
    /// stopped; then it ends.
    pub(crate) fn recover_in_place(&mut self) {
        self.disk.clear_faults();
        self.disk.set_capacity(None);
        self.met = self.disk.faults_hit();
        self.drain();
        self.take(usize::MAX);
        if self.handle.is_none() {
            return;
        }
        self.probe();
        let shown = self.read(ReadOptions::new());
        if let Some(shown) = shown {
            let backward = self.read(ReadOptions::new().reverse());
            assert!(backward.is_none_or(|backward| backward == shown), "backward is forward reversed");
            let count = self.handle().count(..).expect("what can be read can be counted");
            assert_eq!(count, shown.len() as u64, "a count after the failure");
        }
        let more = [crate::common::event(self.ledger.model.horizon.max(7), 999, "once it is over")];
        self.append(&more);
        self.sync();
        self.note_durable();
        self.take(usize::MAX);
        if self.poisoned {
            assert!(self.handle().close().is_err(), "closing reports that the writer had stopped");
            self.handle = None;
        } else {
            assert!(self.read(ReadOptions::new()).is_some(), "a store that goes on can be read");
            if !self.ledger.has_unsure() {
                self.stats();
            }
            self.close();
            self.take(usize::MAX);
        }
    }
}

/// Kinds of errors that a failed call of the system gives.
fn is_io(error: &Error) -> bool {
    match error {
        Error::OutcomeUnknown { cause, .. } => is_io(cause),
        Error::Io { .. } | Error::Permission { .. } | Error::NoSpace { .. } => true,
        _ => false,
    }
}
