//! One life of a store: an opening, what its threads do under the faults of the plan, and an end.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use estore::disk::{Disk, SimClock, SimDisk};
use estore::{Appended, Durability, Error, Event, EventRef, FindingKind, Mode, Options, ReadOptions, Reader, RetainOptions};

use crate::common::event;
use crate::common::handle::Handle;
use crate::common::rng::Rng;
use crate::ledger::{Ledger, Observation, TailsChecked, ensure};
use crate::plan::{Batch, Ending, Level, Life, MAX_EVENT_LEN, Op, Opening, Payload, Plan, Reading, Shape};
use crate::schedule;
use crate::stage::{Moment, Stage};
use crate::story::{Story, tell};
use crate::tails::{Following, Followings, Restless};

/// What the lives of a case have in common.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) plan: Arc<Plan>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: SimClock,
    pub(crate) story: Story,
}

/// The errors that a store has told its log of.
pub(crate) type Complaints = Arc<Mutex<Vec<String>>>;

impl Scene {
    pub(crate) fn is_efile(&self) -> bool {
        self.plan.file_size.is_none()
    }

    /// The length of a chunk, for lengths of time that suit it; an efile has but one.
    pub(crate) fn chunk(&self) -> u64 {
        self.plan.file_size.unwrap_or(1_000)
    }

    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from("/store")
    }

    /// Where snapshots go.
    pub(crate) fn copy_path(&self) -> PathBuf {
        PathBuf::from("/copy")
    }

    pub(crate) fn options(&self, disk: Arc<dyn Disk>, opening: &Opening, complaints: &Complaints) -> Options {
        let (complaints, story) = (Arc::clone(complaints), self.story);
        let mut options = Options::new()
            .disk(disk)
            .clock(Arc::new(Restless(self.clock.clone())))
            .grace(self.plan.grace)
            .max_event_len(MAX_EVENT_LEN)
            .max_open_logs(opening.max_open_logs)
            .max_new_chunks(opening.max_new_chunks)
            .no_index(opening.no_index)
            .sizes(opening.sizes)
            .background(opening.background)
            .log(move |level, message| {
                tell!(story, "        log: {level:?}: {message}");
                if level == estore::Level::Error {
                    complaints.lock().expect("nobody panics with it").push(message.to_owned());
                }
            });
        if let Some(file_size) = self.plan.file_size {
            options = options.file_size(file_size);
        }
        if let Some(compression) = opening.compression {
            options = options.compression(compression);
        }
        match opening.level {
            Level::Buffered { bytes, nanoseconds } => options.durability(Durability::Buffered).buffer(bytes, nanoseconds),
            Level::Process => options.durability(Durability::Process),
            Level::Interval(nanoseconds) => options.durability(Durability::Interval(nanoseconds)),
            Level::Power => options.durability(Durability::Power),
        }
    }
}

impl Scene {
    /// The last seq and the events of the snapshot on a disk, which must be sound.
    pub(crate) fn copy(&self, disk: &SimDisk) -> estore::Result<(u64, Vec<Event>)> {
        let complaints = Complaints::default();
        let opening = Opening { background: false, ..self.plan.lives.first().expect("there is a life").opening };
        let options = self.options(Arc::new(disk.clone()), &opening, &complaints).mode(Mode::ReadOnly);
        let copy = Handle::open(self.is_efile(), &self.copy_path(), options)?;
        let reader = copy.read_with(.., ReadOptions::new())?;
        let seq = reader.snapshot_seq();
        let events = reader.collect::<estore::Result<Vec<Event>>>()?;
        copy.verify(|finding| {
            assert_ne!(finding.kind, FindingKind::Damage, "in a snapshot: {finding:?}");
            ControlFlow::Continue(())
        })?;
        assert!(complaints.lock().expect("nobody panics with it").is_empty(), "a snapshot is opened with complaints");
        Ok((seq, events))
    }
}

/// What the threads of a life share.
pub(crate) struct Cast {
    pub(crate) scene: Scene,
    pub(crate) handle: Handle,
    disk: SimDisk,
    pub(crate) stage: Stage,
    pub(crate) opening: Opening,
    /// The writers' time.
    time: AtomicU64,
    /// Events that several threads append if absent.
    contended: Mutex<Vec<Event>>,
    closed: AtomicBool,
    /// Handles for reading only, as other processes have them, that nobody uses just now.
    beside: Mutex<Vec<Handle>>,
    /// Tails that threads have left open.
    tails: Mutex<Followings>,
    /// The disk was full at some time.
    was_full: AtomicBool,
}

/// What a life left.
pub(crate) struct Left {
    /// Crash images from its midst.
    pub(crate) moments: Vec<Moment>,
    pub(crate) readers_checked: u64,
    pub(crate) tails: TailsChecked,
    pub(crate) acknowledged: u64,
}

/// Runs a life on a disk, which it leaves without power.
pub(crate) fn live(scene: &Scene, life: &Life, disk: &SimDisk, time: &mut u64, rng: &mut Rng) -> Result<Left, String> {
    let Scene { ledger, story, .. } = scene;
    let stage = Stage::new(disk, ledger, life.image_gap, life.image_moments, rng, *story);
    let inject = || life.faults.iter().cloned().for_each(|fault| disk.inject(fault));
    if life.faults_in_opening {
        inject();
    }
    let complaints = Complaints::default();
    tell!(story, "    opening: {:?}", life.opening);
    let mut options = scene.options(Arc::new(stage.clone()), &life.opening, &complaints);
    if let Some((chunks, bytes)) = life.limits.filter(|_| !scene.is_efile()) {
        tell!(story, "    it keeps {chunks} chunks, {bytes} bytes");
        options = options.max_age(scene.chunk().saturating_mul(chunks)).max_bytes(bytes);
        ledger.begin_retain();
    }
    let opened = Handle::open(scene.is_efile(), &scene.path(), options);
    let mut acknowledged = 0;
    let mut complained = Vec::new();
    match opened {
        Ok(handle) => {
            if !life.faults_in_opening {
                inject();
            }
            disk.set_capacity(life.room.map(|room| disk.used().saturating_add(room)));
            let cast = Arc::new(Cast {
                scene: scene.clone(),
                handle,
                disk: disk.clone(),
                stage: stage.clone(),
                opening: life.opening,
                time: AtomicU64::new(*time),
                contended: Mutex::default(),
                closed: AtomicBool::new(false),
                beside: Mutex::default(),
                tails: Mutex::default(),
                was_full: AtomicBool::new(life.room.is_some()),
            });
            schedule::take_turns(scene.plan.turns);
            let threads: Vec<_> = life
                .threads
                .iter()
                .enumerate()
                .map(|(number, ops)| {
                    let (mut actor, ops) = (Actor::new(number, &cast, rng), ops.clone());
                    shuttle::thread::spawn(move || actor.perform(&ops))
                })
                .collect();
            for thread in threads {
                acknowledged += thread.join().map_err(|_| "a thread panicked")?;
            }
            *time = cast.time.load(Ordering::Relaxed);
            cast.end(life.ending, rng);
            let take_complaints = || std::mem::take(&mut *complaints.lock().expect("nobody panics with it"));
            if life.ending == Ending::Drop {
                drop(cast);
                complained = take_complaints();
                if complained.is_empty() {
                    tell!(story, "    dropped");
                    ledger.durable(u64::MAX);
                }
                disk.power_off();
            } else {
                // What it says when the power is gone is of no interest.
                complained = take_complaints();
                disk.power_off();
                drop(cast);
            }
        }
        Err(e) => {
            tell!(story, "    it did not open: {e}");
            ensure!(ledger.was_hit(), "opening failed without a fault: {e}");
            disk.power_off();
        }
    }
    let excused = ledger.was_hit() || life.room.is_some() || life.threads.iter().flatten().any(|op| matches!(op, Op::Fill(_)));
    ensure!(complained.is_empty() || excused, "complaints without a fault: {complained:?}");
    disk.clear_faults();
    disk.set_capacity(None);
    if let Some(failure) = ledger.failure() {
        return Err(failure);
    }
    let readers_checked = ledger.check_observations()?;
    let tails = ledger.check_followed()?;
    Ok(Left { moments: stage.take_moments(), readers_checked, tails, acknowledged })
}

impl Cast {
    /// Whether an error is due to something that was done to the store.
    fn excuses(&self, error: &Error, beside: bool) -> bool {
        let hit = self.scene.ledger.was_hit() || !self.disk.is_powered();
        match error {
            Error::Closed { .. } => self.closed.load(Ordering::Relaxed),
            Error::Poisoned { .. } | Error::OutcomeUnknown { .. } | Error::Io { .. } | Error::Permission { .. } => hit,
            Error::NoSpace { .. } => hit || self.was_full.load(Ordering::Relaxed),
            Error::Corrupt { .. } => self.scene.ledger.pages_lost(u64::MAX),
            // Deleted beside the reader.
            Error::Gone { .. } => beside && !self.scene.is_efile(),
            _ => false,
        }
    }

    pub(crate) fn is_buffered(&self) -> bool {
        matches!(self.opening.level, Level::Buffered { .. })
    }

    pub(crate) fn check_error(&self, what: &str, error: &Error, beside: bool) {
        if !self.excuses(error, beside) {
            self.scene.ledger.fail(format!("{what} failed without a reason: {error:?}"));
        }
    }

    /// Everything, or a range around the writers' time of so many thousandths of a chunk before and behind.
    fn range(&self, around: Option<(u64, u64)>) -> (u64, u64) {
        let Some((before, behind)) = around else { return (0, u64::MAX) };
        let (now, chunk) = (self.time.load(Ordering::Relaxed), self.scene.chunk());
        (now.saturating_sub(part(chunk, before)), now.saturating_add(part(chunk, behind)))
    }

    fn note_durable(&self) {
        let (durable, last) = (self.handle.durable_seq(), self.handle.last_seq());
        if durable > last {
            self.scene.ledger.fail(format!("durable up to {durable}, but the last seq is {last}"));
        }
        self.scene.ledger.durable(durable);
    }

    /// When all threads are done: what must hold now that nobody interferes; and the end.
    fn end(self: &Arc<Cast>, ending: Ending, rng: &mut Rng) {
        let ledger = &self.scene.ledger;
        let well = !ledger.was_hit() && self.disk.is_powered() && !self.closed.load(Ordering::Relaxed);
        let mut last = Actor::new(usize::MAX, self, rng);
        if well && self.was_full.load(Ordering::Relaxed) {
            self.disk.set_capacity(None);
            let stored = last.append(Batch { shape: Shape::InOrder(1), len: 1, payload: Payload::Short }, false);
            if !stored && !ledger.was_hit() {
                ledger.fail("there is space again, but appending does not go on".to_owned());
            }
        }
        if well
            && !self.opening.background
            && let Level::Interval(nanoseconds) = self.opening.level
        {
            self.scene.clock.advance(nanoseconds);
            let acknowledged = ledger.acknowledged();
            let ticked = self.handle.tick();
            let durable = self.handle.durable_seq();
            if let Err(e) = &ticked {
                self.check_error("a tick", e, false);
            } else if durable < acknowledged {
                ledger.fail(format!("an interval is over, but only {durable} of {acknowledged} are durable"));
            }
            self.note_durable();
        }
        last.open_reader(Reading { around: None, reverse: rng.one_in(2), limit: None, pull: usize::MAX }, false);
        last.finish();
        let mut tails = std::mem::take(&mut *self.tails.lock().expect("nobody panics with it"));
        for tail in &mut tails.0 {
            tail.check_bell(self);
            tail.pull(self, usize::MAX, None, rng);
        }
        tails.end(ledger);
        if ending == Ending::Close && !self.closed.load(Ordering::Relaxed) {
            last.close();
        }
    }
}

/// A reader that is read bit by bit.
struct Open {
    reader: Reader,
    observation: Observation,
}

/// A thread.
struct Actor {
    number: usize,
    cast: Arc<Cast>,
    rng: Rng,
    readers: VecDeque<Open>,
    tails: Followings,
    /// So many appends were acknowledged.
    acknowledged: u64,
}

impl Actor {
    fn new(number: usize, cast: &Arc<Cast>, rng: &mut Rng) -> Actor {
        let (rng, readers, tails) = (Rng::new(rng.next()), VecDeque::new(), Followings::default());
        Actor { number, cast: Arc::clone(cast), rng, readers, tails, acknowledged: 0 }
    }

    fn ledger(&self) -> &Ledger {
        &self.cast.scene.ledger
    }

    fn perform(&mut self, ops: &[Op]) -> u64 {
        for op in ops {
            if self.ledger().failure().is_some() {
                break;
            }
            tell!(self.cast.scene.story, "    thread {}: {op:?}", self.number);
            self.act(*op);
        }
        if self.rng.one_in(2) {
            self.finish();
        }
        self.readers.drain(..).for_each(|open| self.cast.scene.ledger.observed(open.observation));
        if self.rng.one_in(2) {
            self.cast.tails.lock().expect("nobody panics with it").0.append(&mut self.tails.0);
        }
        self.tails.end(&self.cast.scene.ledger);
        self.acknowledged
    }

    fn act(&mut self, op: Op) {
        let cast = Arc::clone(&self.cast);
        let (ledger, handle) = (&cast.scene.ledger, &cast.handle);
        match op {
            Op::Append(batch) => {
                self.append(batch, false);
            }
            Op::AppendAbsent(batch) => {
                self.append(batch, true);
            }
            Op::Sync => {
                let acknowledged = ledger.acknowledged();
                match handle.sync() {
                    Ok(durable) if durable < acknowledged => {
                        ledger.fail(format!("a sync made {durable} durable, but {acknowledged} was stored before"));
                    }
                    Ok(durable) => ledger.durable(durable),
                    Err(e) => cast.check_error("a sync", &e, false),
                }
            }
            Op::DeleteBefore { behind, times } => self.delete(behind, times),
            Op::Retain { chunks, bytes } => self.retain(chunks, bytes),
            Op::Compact { around, most } => {
                let mut left = most;
                let go_on = |_| {
                    left -= 1;
                    if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let (start, end) = cast.range(around);
                let done = match handle {
                    Handle::Store(store) if most > 0 => store.compact(start..=end, go_on),
                    Handle::Efile(efile) if most > 0 => efile.compact(start..=end, go_on),
                    _ => handle.compact(start..=end),
                };
                match done {
                    Ok(done) => tell!(cast.scene.story, "    thread {}: {done:?}", self.number),
                    Err(e) => cast.check_error("compaction", &e, false),
                }
            }
            Op::Snapshot { most } => self.snapshot(most),
            Op::Tick(nanoseconds) => {
                cast.scene.clock.advance(nanoseconds);
                if let Err(e) = handle.tick() {
                    cast.check_error("a tick", &e, false);
                }
            }
            Op::SetWall(time) => cast.scene.clock.set_wall(time),
            Op::OpenReader(reading) => self.open_reader(reading, false),
            Op::ReadBeside(reading) => self.open_reader(reading, true),
            Op::Pull(n) => self.pull_oldest(n),
            Op::OpenTail(tailing) => {
                if let Some(following) = Following::begin(&cast, self.number, tailing) {
                    self.tails.0.push_front(following);
                    self.tails.pull_oldest(&cast, tailing.pull, None, &mut self.rng);
                }
            }
            Op::PullTail(n, wait) => self.tails.pull_oldest(&cast, n, wait, &mut self.rng),
            Op::Count | Op::Stats => {
                let began = ledger.now();
                let counted = if let Op::Count = op { handle.count(..) } else { handle.stats().map(|stats| stats.events) };
                match counted {
                    Ok(count) => {
                        let (least, most) = ledger.count_bounds(began);
                        if !(least..=most).contains(&count) && !ledger.pages_lost(u64::MAX) {
                            ledger.fail(format!("{count} events were counted, not {least} to {most}"));
                        }
                    }
                    Err(e) => cast.check_error("counting", &e, false),
                }
            }
            Op::Fill(bytes) => {
                cast.was_full.store(true, Ordering::Relaxed);
                cast.disk.set_capacity(Some(cast.disk.used().saturating_add(bytes)));
            }
            Op::Free => cast.disk.set_capacity(None),
            Op::Close => {
                if !cast.closed.swap(true, Ordering::Relaxed) {
                    self.close();
                }
            }
        }
        cast.note_durable();
    }

    fn close(&self) {
        let Cast { handle, scene, closed, .. } = &*self.cast;
        closed.store(true, Ordering::Relaxed);
        match handle.close() {
            Ok(()) => {
                tell!(scene.story, "    closed");
                scene.ledger.durable(u64::MAX);
            }
            Err(e) => self.cast.check_error("closing", &e, false),
        }
    }

    fn delete(&self, behind: u64, times: u64) {
        let cast = &*self.cast;
        let Handle::Store(store) = &cast.handle else { return };
        let first = cast.time.load(Ordering::Relaxed).saturating_sub(part(cast.scene.chunk(), behind));
        for nth in 0..times {
            let time = first.saturating_add(nth);
            let number = self.ledger().begin_delete(time);
            match store.delete_before(time) {
                Ok(()) => {
                    self.ledger().deleted(number);
                    tell!(cast.scene.story, "    thread {}: everything before {time} is deleted", self.number);
                }
                Err(e) => return cast.check_error("a delete", &e, false),
            }
        }
    }

    fn retain(&self, chunks: u64, bytes: u64) {
        let cast = &*self.cast;
        let Handle::Store(store) = &cast.handle else { return };
        let options = RetainOptions::new().max_age(cast.scene.chunk().saturating_mul(chunks)).max_bytes(bytes);
        let number = self.ledger().begin_retain();
        match store.retain(options) {
            Ok(retained) => {
                self.ledger().retained(number, retained.horizon);
                tell!(cast.scene.story, "    thread {}: {retained:?}", self.number);
            }
            Err(e) => cast.check_error("retention", &e, false),
        }
    }

    fn snapshot(&self, most: u64) {
        let cast = &*self.cast;
        let Scene { ledger, story, .. } = &cast.scene;
        let path = cast.scene.copy_path();
        let mut left = most;
        let go_on = |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let began = ledger.now();
        let taken = match &cast.handle {
            Handle::Store(store) => store.snapshot(&path, go_on),
            Handle::Efile(efile) => efile.snapshot(&path, go_on),
        };
        tell!(story, "    thread {}: {taken:?}", self.number);
        match taken {
            Ok(taken) if taken.stopped => {}
            Ok(taken) => {
                ledger.snapshot_taken(taken.seq);
                // Where it is looked at nothing goes wrong.
                let disk = cast.disk.fork(began);
                if !disk.is_powered() {
                    return;
                }
                match cast.scene.copy(&disk) {
                    Ok((seq, got)) => {
                        let now = ledger.now();
                        ledger.observed(Observation {
                            thread: self.number,
                            beside: false,
                            opening: (began, now),
                            until: now,
                            seq,
                            range: (0, u64::MAX),
                            reverse: false,
                            limit: None,
                            got,
                            complete: true,
                        });
                    }
                    Err(e) => ledger.fail(format!("a snapshot that was taken can't be read: {e}")),
                }
            }
            // Another thread is at it.
            Err(Error::Locked { .. }) => {}
            Err(e) => cast.check_error("a snapshot", &e, false),
        }
    }

    // ---- appending

    /// Whether it was stored.
    fn append(&mut self, spec: Batch, absent: bool) -> bool {
        let cast = Arc::clone(&self.cast);
        let (ledger, story) = (&cast.scene.ledger, cast.scene.story);
        let mut batch = self.batch(spec);
        if absent {
            self.add_known(&mut batch);
        }
        let number = ledger.begin_append(self.number, absent, &batch);
        let result = if absent {
            cast.handle.append_absent(&batch)
        } else {
            cast.handle.append(&batch).map(|last| {
                let mut appended = Appended::default();
                appended.last_seq = last;
                appended
            })
        };
        match result {
            Ok(answer) => {
                let level = cast.opening.level;
                ledger.stored(number, answer, absent, level == Level::Power, !matches!(level, Level::Buffered { .. }));
                tell!(story, "    thread {}: batch {number}: {} events, {answer:?}", self.number, batch.len());
                self.acknowledged += 1;
                true
            }
            Err(e) => {
                tell!(story, "    thread {}: batch {number}: {} events: {e}", self.number, batch.len());
                let unknown = match &e {
                    Error::OutcomeUnknown { .. } => true,
                    // Stored, and then closed by another thread, which failed.
                    Error::Closed { .. } => cast.opening.level == Level::Power,
                    _ => false,
                };
                ledger.not_stored(number, !unknown);
                match e {
                    Error::TooLarge { .. } if batch.iter().any(|event| event.data.len() > MAX_EVENT_LEN as usize) => {}
                    Error::TooManyChunks { .. } if !cast.scene.is_efile() && batch.len() > cast.opening.max_new_chunks => {}
                    other => cast.check_error("an append", &other, false),
                }
                false
            }
        }
    }

    fn batch(&mut self, spec: Batch) -> Vec<Event> {
        let times = self.times(spec);
        let special = self.rng.index(times.len());
        let known = if let Payload::Repeats = spec.payload { self.ledger().known_events(self.number, 30) } else { Vec::new() };
        let mut batch = Vec::with_capacity(times.len());
        for (place, time) in times.into_iter().enumerate() {
            if !known.is_empty() && self.rng.one_in(2) {
                batch.push(Event { seq: 0, ..known[self.rng.index(known.len())].clone() });
                continue;
            }
            let len = match spec.payload {
                Payload::Empty => 0,
                Payload::Short | Payload::Repeats => self.rng.index(40),
                Payload::Medium => self.rng.index(5_000),
                Payload::Large if place == special => MAX_EVENT_LEN as usize - self.rng.index(1_000),
                Payload::TooLarge if place == special => MAX_EVENT_LEN as usize + 1,
                Payload::Large | Payload::TooLarge => self.rng.index(40),
            };
            batch.push(event(time, self.ledger().fresh_id(), self.rng.bytes(len)));
        }
        batch
    }

    /// Adds events that are there, or that another thread may be adding.
    fn add_known(&mut self, batch: &mut Vec<Event>) {
        let known = self.ledger().known_events(self.number, 50);
        for _ in 0..self.rng.index(4) {
            if !known.is_empty() {
                batch.push(Event { seq: 0, ..known[self.rng.index(known.len())].clone() });
            }
        }
        for _ in 0..self.rng.index(3) {
            let mut contended = self.cast.contended.lock().expect("nobody panics with it");
            if contended.is_empty() || self.rng.one_in(2) {
                let time = self.cast.time.load(Ordering::Relaxed);
                contended.push(event(time, self.cast.scene.ledger.fresh_id(), self.rng.bytes(5)));
            }
            batch.push(contended[self.rng.index(contended.len())].clone());
        }
        self.rng.shuffle(batch);
    }

    fn times(&mut self, spec: Batch) -> Vec<u64> {
        let chunk = self.cast.scene.chunk();
        let time = &self.cast.time;
        let now = time.load(Ordering::Relaxed);
        let rng = &mut self.rng;
        let mut behind = |permille: u64| rng.below(part(chunk, permille).saturating_add(1));
        let n = spec.len;
        let mut times: Vec<u64> = match spec.shape {
            Shape::Equal => vec![now; n],
            Shape::InOrder(step) => (1..=n as u64).map(|nth| now.saturating_add(part(chunk, step.saturating_mul(nth)))).collect(),
            Shape::Disordered(step, back) => {
                (1..=n as u64).map(|nth| now.saturating_add(part(chunk, step.saturating_mul(nth))).saturating_sub(behind(back))).collect()
            }
            Shape::Late(back) => (0..n).map(|_| now.saturating_sub(behind(back))).collect(),
            Shape::FarAhead(chunks) => vec![now.saturating_add(chunk.saturating_mul(chunks))],
            Shape::ManyChunks(chunks) => {
                (0..n).map(|_| now.saturating_sub(chunk.saturating_mul(rng.below(chunks))).saturating_add(rng.below(chunk))).collect()
            }
            Shape::Edges => {
                let border = now - now % chunk;
                let edges = [0, 1, u64::MAX - 1, u64::MAX, border.saturating_sub(1), border, border.saturating_add(1)];
                (0..n).map(|_| edges[rng.index(edges.len())]).collect()
            }
        };
        // A batch over many chunks takes long: only the first few of its chunks are kept.
        let mut chunks = std::collections::BTreeSet::new();
        times.retain(|time| {
            let room = chunks.len() < 5;
            chunks.contains(&(time / chunk)) || room && chunks.insert(time / chunk)
        });
        if let Shape::InOrder(_) | Shape::Disordered(..) = spec.shape {
            time.fetch_max(times.iter().copied().max().unwrap_or(now), Ordering::Relaxed);
        }
        times
    }

    // ---- reading

    fn open_reader(&mut self, reading: Reading, beside: bool) {
        let cast = Arc::clone(&self.cast);
        let ledger = &cast.scene.ledger;
        let range = cast.range(reading.around);
        let mut options = ReadOptions::new();
        if reading.reverse {
            options = options.reverse();
        }
        if let Some(limit) = reading.limit {
            options = options.limit(limit);
        }
        let began = ledger.now();
        let opened = if beside {
            let opening = Opening { background: false, ..cast.opening };
            // Half of the time one that was opened before, and follows.
            let kept = cast.beside.lock().expect("nobody panics with it").pop();
            let kept = kept.filter(|_| self.rng.one_in(2));
            let handle = kept.map_or_else(
                || {
                    let options = cast.scene.options(Arc::new(cast.stage.clone()), &opening, &Complaints::default());
                    Handle::open(cast.scene.is_efile(), &cast.scene.path(), options.mode(Mode::ReadOnly))
                },
                Ok,
            );
            handle.and_then(|handle| {
                let reader = handle.read_with(range.0..=range.1, options);
                cast.beside.lock().expect("nobody panics with it").push(handle);
                reader
            })
        } else {
            cast.handle.read_with(range.0..=range.1, options)
        };
        let now = ledger.now();
        match opened {
            Ok(reader) => {
                let seq = reader.snapshot_seq();
                if !beside {
                    ledger.flushed(seq);
                }
                let Reading { reverse, limit, .. } = reading;
                let observation = Observation {
                    thread: self.number,
                    beside,
                    opening: (began, now),
                    until: now,
                    seq,
                    range,
                    reverse,
                    limit,
                    got: Vec::new(),
                    complete: false,
                };
                self.readers.push_back(Open { reader, observation });
                if reading.pull > 0
                    && let Some(open) = self.readers.pop_back()
                {
                    self.pull(open, reading.pull);
                }
            }
            Err(e) => cast.check_error("opening a reader", &e, beside),
        }
    }

    fn pull_oldest(&mut self, n: usize) {
        if let Some(open) = self.readers.pop_front() {
            self.pull(open, n);
        }
    }

    /// Reads on by `n` events. A reader that has not ended by then is kept.
    fn pull(&mut self, mut open: Open, n: usize) {
        let mut got = 0;
        let ended = loop {
            if got == n {
                break false;
            }
            let max = (1 + self.rng.index(60)).min(n - got);
            match open.reader.next_batch(max) {
                Ok(batch) if batch.is_empty() => {
                    open.observation.complete = true;
                    break true;
                }
                Ok(batch) => {
                    got += batch.len();
                    open.observation.got.extend(batch.iter().map(EventRef::to_event));
                }
                Err(e) => {
                    self.cast.check_error("reading", &e, open.observation.beside);
                    break true;
                }
            }
        };
        open.observation.until = self.ledger().now();
        if ended {
            self.ledger().observed(open.observation);
        } else {
            self.readers.push_front(open);
        }
    }

    /// Reads all that is open to its end.
    fn finish(&mut self) {
        while !self.readers.is_empty() {
            self.pull_oldest(usize::MAX);
        }
    }
}

/// So many thousandths of a length.
fn part(whole: u64, permille: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(permille) / 1000).unwrap_or(u64::MAX)
}
