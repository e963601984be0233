//! The power goes at every call of a workload, and at every call of the recovery after that.

use std::path::Path;

use estore::Mode;
use estore::disk::{Call, Crash, Fault, FaultEffect, SimClock, SimDisk};

use crate::common::handle::Handle;

use super::image::{self, Depth};
use super::ledger::{Exists, Ledger, Loss};
use super::life::{Life, PATH, Rules, options};
use super::workloads::Workload;
use super::{Effort, Failure, Stats, Sweep};

const CRASH: Fault = Fault { at: 0, calls: None, name: None, effect: FaultEffect::Crash, forever: false };

/// The ways in which one loss of power is looked at: what is left, and of which seed.
fn ways(effort: Effort, at: u64) -> Vec<(Crash, u64)> {
    let tears = if effort == Effort::Full { 24 } else { 4 };
    let mut ways = vec![(Crash::KeepAll, 0), (Crash::LoseAll, 0)];
    ways.extend((0..tears).map(|seed| (Crash::Random, at * 1_000 + seed)));
    ways
}

fn loss_of(how: Crash) -> Loss {
    if how == Crash::KeepAll { Loss::Process } else { Loss::Power }
}

/// Cuts the power at every call of the workload.
pub(crate) fn sweep(workload: &Workload, effort: Effort) -> Result<Stats, Failure> {
    let mut sweep = Sweep::new(effort);
    let name = format!("{}/crash", workload.name);
    // In what a call in progress leaves behind, too, there is chance.
    let runs = if effort == Effort::Full { 4 } else { 2 };
    for at in 0.. {
        let mut over = true;
        for run in 0..runs {
            let case = format!("{name}/{at}/{run}");
            let ended = sweep.case(&case, |sweep| {
                let mut life = Life::prepare(workload, 1 + run);
                life.disk.inject(Fault { at, ..CRASH });
                life.rules = Rules::Crash;
                life.go();
                if !life.is_disturbed() {
                    // Not a call more: undisturbed, and over.
                    sweep.stats.calls = at;
                    life.rules = Rules::Calm;
                    life.recover_in_place();
                    return None;
                }
                sweep.stats.faults += 1;
                life.bury();
                Some((life.disk.clone(), life.ledger.clone()))
            })?;
            let Some(Some((disk, ledger))) = ended else { continue };
            over = false;
            for (how, seed) in ways(effort, at) {
                let case = format!("{case}/{how:?}-{seed}");
                let image = disk.fork(seed);
                image.power_on(how);
                let new = sweep.case(&case, |sweep| {
                    let new = sweep.is_new(&image, ledger.fingerprint());
                    if new {
                        let deep = effort == Effort::Full || (at + seed) % 3 == 0;
                        let depth = if deep { Depth::GoesOn } else { Depth::Shows };
                        image::check(workload, &image.fork(seed), &ledger, loss_of(how), depth);
                    }
                    new
                })?;
                let again = effort == Effort::Full || (run == 0 && (at + seed) % 16 == 3);
                if new == Some(true) && again && ledger.exists == Exists::Yes {
                    recovery(&mut sweep, &case, workload, &image, loss_of(how), &ledger)?;
                }
            }
        }
        // With cases left out, nothing tells where the end is but a number of calls that no workload has.
        if over && (sweep.only.is_none() || at > 2_000) {
            break;
        }
    }
    Ok(sweep.stats)
}

/// The calls that change something. At any other, what the power leaves is what it left at the one before.
const CHANGES: [Call; 7] = [Call::Write, Call::Reserve, Call::Truncate, Call::Sync, Call::Rename, Call::RemoveFile, Call::SyncFolder];

/// Cuts the power once more, at every call of the recovery that changes something.
fn recovery(sweep: &mut Sweep, case: &str, workload: &Workload, disk: &SimDisk, loss: Loss, ledger: &Ledger) -> Result<(), Failure> {
    for call in CHANGES {
        for at in 0.. {
            let case = format!("{case}/recovery-{call:?}-{at}");
            let crashed = sweep.case(&case, |sweep| {
                let copy = disk.fork(at);
                copy.inject(Fault { at, calls: Some(call), ..CRASH });
                let (options, _) = options(workload, &copy, &SimClock::new(1_750_000_000_000_000_000));
                let opened = Handle::open(workload.efile(), Path::new(PATH), options.mode(Mode::Existing));
                let crashed = copy.faults_hit() > 0;
                assert!(crashed || opened.is_ok(), "undisturbed: {:?}", opened.err());
                if crashed {
                    drop(opened);
                    copy.clear_faults();
                    sweep.stats.faults += 1;
                    for again in [Crash::LoseAll, Crash::KeepAll, Crash::Random] {
                        let image = copy.fork(at);
                        image.power_on(again);
                        if sweep.is_new(&image, ledger.fingerprint()) {
                            image::check(
                                workload,
                                &image,
                                ledger,
                                loss.max(loss_of(again)),
                                if at % 3 == 0 { Depth::GoesOn } else { Depth::Shows },
                            );
                        }
                    }
                }
                crashed
            })?;
            if crashed == Some(false) || (crashed.is_none() && at > 2_000) {
                break;
            }
        }
    }
    Ok(())
}
