//! One crash image: opened again, perhaps with a crash of the recovery, up to three of them, and checked against what was promised.

use std::ops::ControlFlow;
use std::sync::Arc;

use estore::disk::{Crash, Fault, FaultEffect, SimDisk};
use estore::{Error, Event, EventRef, Finding, FindingKind, ReadOptions, Tailed, Verified};

use crate::common::event;
use crate::common::handle::Handle;
use crate::common::rng::Rng;
use crate::ledger::{Loss, ensure};
use crate::life::{Complaints, Scene};
use crate::plan::{Level, Opening, PAGES_LOST, draw_faults};
use crate::stage::Stage;
use crate::story::tell;

/// So often a recovery of one image is made to fail.
const DEPTH: usize = 3;

/// A store that was found right.
pub(crate) struct Sound {
    pub(crate) disk: SimDisk,
    pub(crate) horizon: u64,
    pub(crate) events: Vec<Event>,
    /// No seq up to this may be given again.
    pub(crate) issued: u64,
    /// Recoveries that crashed or failed on the way.
    pub(crate) depth: usize,
}

impl Opened {
    fn verify(&self, receiver: impl FnMut(Finding) -> ControlFlow<()>) -> estore::Result<Verified> {
        match &self.handle {
            Handle::Store(store) => store.verify(receiver),
            Handle::Efile(efile) => efile.verify(receiver),
        }
    }
}

struct Opened {
    handle: Handle,
    complaints: Complaints,
    /// A fault has hit the opening.
    hit: bool,
}

/// Opens the image of a moment as the crash left it, checks it, and goes on with it for a bit.
pub(crate) fn check(scene: &Scene, disk: SimDisk, at: u64, how: Crash, rng: &mut Rng) -> Result<Sound, String> {
    tell!(scene.story, "    -- the image of {at}, {how:?} --");
    disk.set_capacity(None);
    let checked = Check { scene, disk, at, rng, loss: Loss::Process, depth: 0 }.run(how);
    checked.map_err(|e| format!("the image of {at}, {how:?}: {e}"))
}

struct Check<'a> {
    scene: &'a Scene,
    disk: SimDisk,
    at: u64,
    rng: &'a mut Rng,
    loss: Loss,
    depth: usize,
}

impl Check<'_> {
    fn run(mut self, how: Crash) -> Result<Sound, String> {
        if self.scene.ledger.pages_lost(self.at) {
            self.loss = Loss::Power;
        }
        self.lose(how);
        self.copy()?;
        let opened = self.recover()?;
        let (horizon, mut events) = self.read(&opened)?;
        tell!(self.scene.story, "    found {} events, horizon {horizon}, last seq {}", events.len(), opened.handle.last_seq());
        let ledger = &self.scene.ledger;
        ledger.check_image(self.at, self.loss, horizon, &events)?;
        ledger.saw(self.at, &events);
        let mut issued = ledger.issued(self.at);

        // What is found after a recovery is durable, and life goes on.
        match self.rng.below(4) {
            0 => drop(opened),
            1 => {
                self.disk.power_off();
                drop(opened);
                self.lose(Crash::LoseAll);
            }
            2 => {
                self.append(&opened, &mut events, &mut issued)?;
                opened.handle.close().map_err(|e| format!("closing: {e}"))?;
                drop(opened);
                self.lose(Crash::LoseAll);
            }
            _ => {
                self.append(&opened, &mut events, &mut issued)?;
                self.disk.power_off();
                drop(opened);
                self.lose(Crash::Random);
            }
        }
        let opening = Opening { level: Level::Power, ..Opening::draw(self.rng) };
        let again = self.open(&opening)?;
        let found = self.read(&again)?;
        if found != (horizon, events.clone()) {
            let seqs = |events: &[Event]| events.iter().map(|event| event.seq).collect::<Vec<_>>();
            return Err(format!(
                "opened once more, it has horizon {} and seqs {:?}; before it had {horizon} and {:?}",
                found.0,
                seqs(&found.1),
                seqs(&events)
            ));
        }
        if self.rng.one_in(2) {
            again.handle.close().map_err(|e| format!("closing: {e}"))?;
        }
        self.disk.power_off();
        drop(again);
        self.lose(Crash::LoseAll);
        Ok(Sound { disk: self.disk, horizon, events, issued, depth: self.depth })
    }

    /// The snapshot is there, if one was taken, or a later one; and else none, or one that was not known to be taken.
    fn copy(&self) -> Result<(), String> {
        let before = self.scene.ledger.snapshot_at(self.at);
        match self.scene.copy(&self.disk.fork(1)) {
            Ok((seq, events)) => {
                ensure!(before.is_none_or(|before| seq >= before), "the snapshot ends at {seq}, but one up to {before:?} was taken");
                let last = events.iter().map(|event| event.seq).max().unwrap_or(0);
                ensure!(last <= seq, "the snapshot has seq {last}, though it ends at {seq}");
                Ok(())
            }
            Err(Error::NotFound { .. } | Error::NotAStore { .. }) if before.is_none() => Ok(()),
            Err(e) => Err(format!("the snapshot: {e}")),
        }
    }

    /// The power, or only the process, goes.
    fn lose(&mut self, how: Crash) {
        self.disk.power_on(how);
        if how != Crash::KeepAll {
            self.loss = Loss::Power;
        }
    }

    /// Opens the store, at last without a fault.
    fn recover(&mut self) -> Result<Opened, String> {
        while self.depth < DEPTH && self.rng.one_in(2) {
            let faults = if self.rng.one_in(3) {
                draw_faults(self.rng)
            } else {
                let at = 1 << self.rng.below(8);
                vec![Fault { at: self.rng.below(at), calls: None, name: None, effect: FaultEffect::Crash, forever: false }]
            };
            tell!(self.scene.story, "    -- recovery with {faults:?} --");
            let hits = self.disk.faults_hit();
            faults.iter().cloned().for_each(|fault| self.disk.inject(fault));
            let opening = Opening::draw(self.rng);
            let opened = self.open(&opening);
            self.disk.clear_faults();
            if self.disk.faults_hit() == hits {
                return opened;
            }
            if faults.iter().any(|fault| matches!(fault.effect, FaultEffect::SyncLosesPages(PAGES_LOST, _))) {
                self.loss = Loss::Power;
            }
            self.depth += 1;
            if self.disk.is_powered() {
                // An opening that a fault couldn't stop must not have taken harm from it either.
                if opened.is_ok() {
                    return opened;
                }
            } else {
                drop(opened);
                let how = [Crash::KeepAll, Crash::LoseAll, Crash::Random][self.rng.index(3)];
                tell!(self.scene.story, "    -- and {how:?} --");
                self.lose(how);
            }
        }
        let opening = Opening::draw(self.rng);
        self.open(&opening)
    }

    fn open(&mut self, opening: &Opening) -> Result<Opened, String> {
        let stage = Stage::new(&self.disk, &self.scene.ledger, 1, 0, self.rng, self.scene.story);
        let (complaints, hits) = (Complaints::default(), self.disk.faults_hit());
        let options = self.scene.options(Arc::new(stage), &Opening { background: false, ..*opening }, &complaints);
        let handle =
            Handle::open(self.scene.is_efile(), &self.scene.path(), options).map_err(|e| format!("the store does not open: {e}"))?;
        Ok(Opened { handle, complaints, hit: self.disk.faults_hit() > hits })
    }

    /// Everything in the store, with its horizon, in several ways that have to agree.
    fn read(&mut self, opened: &Opened) -> Result<(u64, Vec<Event>), String> {
        let handle = &opened.handle;
        let fail = |what: &'static str| move |e: estore::Error| format!("{what}: {e}");
        let mut events = Vec::new();
        let mut reader = handle.read_with(.., ReadOptions::new()).map_err(fail("opening a reader"))?;
        loop {
            let batch = reader.next_batch(100).map_err(fail("reading"))?;
            if batch.is_empty() {
                break;
            }
            events.extend(batch.iter().map(EventRef::to_event));
        }
        drop(reader);
        let stats = handle.stats().map_err(fail("stats"))?;
        ensure!(stats.events == events.len() as u64, "stats count {} events of {}", stats.events, events.len());
        ensure!(stats.damaged == 0, "{} stretches are damaged", stats.damaged);
        let last = events.iter().map(|event| event.seq).max().unwrap_or(0);
        ensure!(stats.last_seq >= last, "the last seq is {}, but {last} is there", stats.last_seq);
        ensure!(stats.durable_seq >= last, "only {} is durable after a recovery that found {last}", stats.durable_seq);
        if self.rng.one_in(4) {
            let middle = events.get(self.rng.index(events.len())).map_or(0, |event| event.time);
            let counted = handle.count(..=middle).map_err(fail("counting"))?;
            let expected = events.iter().filter(|event| event.time <= middle).count() as u64;
            ensure!(counted == expected, "up to {middle} there are {expected} events, but {counted} are counted");
            let reader = handle.read_with(.., ReadOptions::new().reverse()).map_err(fail("opening a reader"))?;
            let mut reversed = reader.collect::<estore::Result<Vec<Event>>>().map_err(fail("reading backwards"))?;
            reversed.reverse();
            ensure!(reversed == events, "backwards there are other events than forwards");
        }
        if self.rng.one_in(2) {
            for cursor in self.scene.ledger.cursors(self.at).into_iter().chain([0]) {
                self.follow(handle, cursor, &events).map_err(|e| format!("a tail from {cursor} on: {e}"))?;
            }
        }
        if self.rng.one_in(2) {
            let mut damage = Vec::new();
            let verified = opened.verify(|finding| {
                if finding.kind == FindingKind::Damage {
                    damage.push(format!("{finding:?}"));
                }
                ControlFlow::Continue(())
            });
            verified.map_err(fail("verifying"))?;
            ensure!(damage.is_empty(), "verifying found damage where there is none: {damage:?}");
        }
        let complaints = opened.complaints.lock().expect("nobody panics with it");
        ensure!(complaints.is_empty() || opened.hit, "recovery found damage where there is none: {complaints:?}");
        Ok((stats.horizon, events))
    }

    /// What a consumer finds behind its cursor is what arrived since, in that order; even if the last that it was given is lost.
    fn follow(&mut self, handle: &Handle, cursor: u64, events: &[Event]) -> Result<(), String> {
        let mut arrived: Vec<&Event> = events.iter().filter(|event| event.seq > cursor).collect();
        arrived.sort_by_key(|event| event.seq);
        let mut arrived = arrived.into_iter();
        let mut tail = handle.tail(cursor).map_err(|e| e.to_string())?;
        loop {
            match tail.next_batch(1 + self.rng.index(50)).map_err(|e| e.to_string())? {
                Tailed::Events(batch) => {
                    for event in batch.iter() {
                        let wanted = arrived.next();
                        let right = wanted.is_some_and(|wanted| *wanted == event.to_event());
                        ensure!(right, "seq {}, time {}, instead of {:?}", event.seq, event.time, wanted.map(|event| event.seq));
                    }
                }
                Tailed::Gap => ensure!(self.scene.plan.file_size.is_some(), "a gap in an efile"),
                Tailed::Nothing => break,
            }
        }
        let left = arrived.next();
        ensure!(left.is_none(), "it leaves out {left:?}");
        Ok(())
    }

    /// Appends something, with seqs that were never given.
    fn append(&mut self, opened: &Opened, events: &mut Vec<Event>, issued: &mut u64) -> Result<(), String> {
        let times = [events.last().map_or(0, |event| event.time), self.scene.plan.start];
        let horizon = opened.handle.stats().map_err(|e| format!("stats: {e}"))?.horizon;
        let time = times[self.rng.index(times.len())].max(horizon);
        let n = 1 + self.rng.below(3);
        let batch: Vec<Event> = (0..n).map(|_| event(time, self.scene.ledger.fresh_id(), self.rng.bytes(10))).collect();
        let last = opened.handle.append(&batch).map_err(|e| format!("appending after recovery: {e}"))?;
        let synced = opened.handle.sync().map_err(|e| format!("a sync after recovery: {e}"))?;
        ensure!(last >= *issued + n, "{n} events were given seqs up to {last}; {issued} was given before");
        ensure!(synced >= last, "a sync made only {synced} durable, not {last}");
        *issued = last;
        events.extend((last - (n - 1)..=last).zip(batch).map(|(seq, event)| Event { seq, ..event }));
        events.sort_by_key(|event| (event.time, event.seq));
        Ok(())
    }
}
