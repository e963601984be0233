//! One case, from its seed: lives of a store one after the other, each going on from one of the images that the last one's crash left.

use std::collections::BTreeMap;
use std::sync::Arc;

use estore::disk::{SimClock, SimDisk};

use crate::common::rng::Rng;
use crate::image::{self, Sound};
use crate::ledger::Ledger;
use crate::life::{self, Scene};
use crate::plan::{Plan, losses};
use crate::story::{Story, tell};

/// What was done, to be added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(pub(crate) BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn add(&mut self, what: &str, n: u64) {
        *self.0.entry(what.to_owned()).or_default() += n;
    }

    pub(crate) fn add_all(&mut self, other: &Tally) {
        other.0.iter().for_each(|(what, n)| self.add(what, *n));
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

/// Runs the case of a seed, within a shuttle execution.
pub(crate) fn run(seed: u64, story: Story, tally: &mut Tally) -> Result<(), String> {
    let rng = &mut Rng::new(seed);
    let plan = Arc::new(Plan::draw(rng));
    tell!(story, "{plan:#?}");
    let ledger = Arc::new(Ledger::new(plan.file_size));
    let scene = Scene { plan: Arc::clone(&plan), ledger: Arc::clone(&ledger), clock: SimClock::new(1_700_000_000_000_000_000), story };
    let mut disk = SimDisk::new(rng.next());
    let mut time = plan.start;
    tally.add("cases", 1);
    for (number, life) in plan.lives.iter().enumerate() {
        tell!(story, "== life {number} ==");
        let left = life::live(&scene, life, &disk, &mut time, rng)?;
        tally.add("lives", 1);
        tally.add("calls of the disk", disk.calls());
        tally.add("readers", left.readers_checked);
        tally.add("tails", left.tails.all);
        tally.add("tails beside the writer", left.tails.beside);
        tally.add("events that tails gave", left.tails.events);
        tally.add("gaps that tails told", left.tails.gaps);
        tally.add("acknowledged appends", left.acknowledged);
        for moment in left.moments {
            let mut losses = losses(rng, 2);
            losses.truncate(1 + rng.index(losses.len()));
            for how in losses {
                let sound = image::check(&scene, moment.disk.fork(rng.next()), moment.at, how, rng)?;
                count(&sound, tally);
            }
        }
        let at = ledger.now();
        let losses = losses(rng, 3);
        let chosen = rng.index(losses.len());
        let mut next = None;
        for (nth, how) in losses.into_iter().enumerate() {
            let sound = image::check(&scene, disk.fork(rng.next()), at, how, rng)?;
            count(&sound, tally);
            if nth == chosen {
                next = Some(sound);
            }
        }
        for (kind, hits) in ledger.take_hits() {
            tally.add(&format!("faults: {kind}"), hits);
        }
        if let Some(Sound { disk: next, horizon, events, issued, .. }) = next {
            tell!(story, "    life goes on with {} events", events.len());
            ledger.settle(horizon, &events, issued);
            disk = next;
        }
    }
    Ok(())
}

fn count(sound: &Sound, tally: &mut Tally) {
    tally.add("crash images", 1);
    tally.add("calls of the disk", sound.disk.calls());
    tally.add("events found", sound.events.len() as u64);
    tally.add("recoveries that crashed or failed", sound.depth as u64);
    if sound.depth == 3 {
        tally.add("three in a row", 1);
    }
}
