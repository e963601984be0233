//! Every call of a workload fails, in every way in which its kind can; and the disk is full at every block.

use estore::disk::{After, Call, Crash, Fault, FaultEffect};

use super::image::{self, Depth};
use super::ledger::Loss;
use super::life::{Life, Rules};
use super::workloads::Workload;
use super::{Effort, Failure, Stats, Sweep};

/// One way to fail.
struct Way {
    name: &'static str,
    calls: &'static [Option<Call>],
    effect: FaultEffect,
    /// The same call, and once for good.
    forever: &'static [bool],
}

const ANY: &[Option<Call>] = &[None];
const ONCE: &[bool] = &[false];
const BOTH: &[bool] = &[false, true];

const fn way(name: &'static str, calls: &'static [Option<Call>], effect: FaultEffect, forever: &'static [bool]) -> Way {
    Way { name, calls, effect, forever }
}

const SPACE: &[Option<Call>] = &[
    Some(Call::Write),
    Some(Call::Reserve),
    Some(Call::Open),
    Some(Call::Rename),
    Some(Call::Sync),
    Some(Call::SyncFolder),
    Some(Call::CreateFolder),
];
const NAMES: &[Option<Call>] =
    &[Some(Call::Open), Some(Call::Rename), Some(Call::RemoveFile), Some(Call::CreateFolder), Some(Call::Lock), Some(Call::List)];

const WAYS: &[Way] = &[
    way("eio", ANY, FaultEffect::Errno(libc::EIO), BOTH),
    way("eintr", ANY, FaultEffect::Errno(libc::EINTR), ONCE),
    way("enospc", SPACE, FaultEffect::Errno(libc::ENOSPC), BOTH),
    way("eacces", NAMES, FaultEffect::Errno(libc::EACCES), BOTH),
    way("emfile", &[Some(Call::Open)], FaultEffect::Errno(libc::EMFILE), BOTH),
    way("short", &[Some(Call::Read), Some(Call::Write)], FaultEffect::Short, BOTH),
    way("torn-eio", &[Some(Call::Write)], FaultEffect::WriteThenErrno(libc::EIO), BOTH),
    way("torn-enospc", &[Some(Call::Write)], FaultEffect::WriteThenErrno(libc::ENOSPC), ONCE),
    way("sync-new", &[Some(Call::Sync)], FaultEffect::SyncLosesPages(libc::EIO, After::New), ONCE),
    way("sync-old", &[Some(Call::Sync)], FaultEffect::SyncLosesPages(libc::EIO, After::Old), ONCE),
    way("sync-zero", &[Some(Call::Sync)], FaultEffect::SyncLosesPages(libc::EIO, After::Zero), ONCE),
];

/// Fails the N-th call for N = 0, 1, 2 ... until a run meets no failure, for each way to fail.
pub(crate) fn sweep(workload: &Workload, effort: Effort) -> Result<Stats, Failure> {
    let mut sweep = Sweep::new(effort);
    for way in WAYS {
        for &calls in way.calls {
            for &forever in way.forever {
                let kind = calls.map_or("any".to_owned(), |call| format!("{call:?}").to_lowercase());
                let name = format!("{}/fail/{}-{kind}-{}", workload.name, way.name, if forever { "for-good" } else { "once" });
                for at in 0.. {
                    let fault = Fault { at, calls, name: None, effect: way.effect, forever };
                    let met = sweep.case(&format!("{name}/{at}"), |sweep| run(sweep, workload, fault))?;
                    if met == Some(false) || (met.is_none() && at > 2_000) {
                        break;
                    }
                }
            }
        }
    }
    Ok(sweep.stats)
}

/// One run with one fault; `false` if there was no such call.
fn run(sweep: &mut Sweep, workload: &Workload, fault: Fault) -> bool {
    let (at, forever) = (fault.at, fault.forever);
    let mut life = Life::prepare(workload, at);
    let rules = match fault.effect {
        FaultEffect::Errno(libc::EINTR) | FaultEffect::Short => Rules::Calm,
        FaultEffect::SyncLosesPages(errno, _) => Rules::LosePages(errno),
        FaultEffect::Errno(errno) | FaultEffect::WriteThenErrno(errno) => Rules::Fail(errno),
        FaultEffect::Crash => unreachable!("a crash is no failure"),
    };
    life.rules = rules;
    if let FaultEffect::Errno(libc::EINTR) = fault.effect {
        // Signals may come thick and fast.
        life.disk.inject(Fault { at: at + 1, ..fault.clone() });
    }
    life.disk.inject(fault);
    life.go();
    let met = life.is_disturbed();
    if !met {
        sweep.stats.calls = sweep.stats.calls.max(at);
        return false;
    }
    sweep.stats.faults += 1;
    // What comes to pass if the process or the machine dies now, or after the handle has had its say.
    let (disk, ledger) = (life.disk.fork(at), life.ledger.clone());
    life.recover_in_place();
    let lost = matches!(rules, Rules::LosePages(_));
    let depth = if (at + u64::from(forever)) % 3 == 0 { Depth::GoesOn } else { Depth::Shows };
    let died = if lost { Loss::Pages } else { Loss::Process };
    let ends = [(&disk, &ledger, Crash::KeepAll, died), (&disk, &ledger, Crash::LoseAll, Loss::Power)];
    for (disk, ledger, how, loss) in ends.into_iter().chain([(&life.disk, &life.ledger, Crash::LoseAll, Loss::Power)]) {
        let copy = disk.fork(at);
        copy.power_on(how);
        if sweep.is_new(&copy, ledger.fingerprint()) {
            image::check(workload, &copy, ledger, loss, depth);
        }
    }
    true
}

/// Fills the disk up to 0, 1, 2 ... blocks until a run finds it large enough.
pub(crate) fn full(workload: &Workload, effort: Effort) -> Result<Stats, Failure> {
    let mut sweep = Sweep::new(effort);
    for free in 0..2_000 {
        let failed = sweep.case(&format!("{}/full/{free}", workload.name), |sweep| {
            let mut life = Life::prepare(workload, free);
            life.rules = Rules::Full;
            let calls = life.disk.calls();
            life.disk.set_capacity(Some(life.disk.used() + free * 4096));
            life.go();
            let failed = life.errors > 0;
            sweep.stats.calls = life.disk.calls() - calls;
            sweep.stats.faults += u64::from(failed);
            life.recover_in_place();
            let copy = life.disk.fork(free);
            copy.power_on(Crash::LoseAll);
            if sweep.is_new(&copy, life.ledger.fingerprint()) {
                image::check(workload, &copy, &life.ledger, Loss::Power, if free % 3 == 0 { Depth::GoesOn } else { Depth::Shows });
            }
            failed
        })?;
        if failed == Some(false) {
            break;
        }
    }
    Ok(sweep.stats)
}
