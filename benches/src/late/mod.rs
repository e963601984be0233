//! Late-heavy loads: what appending and reading cost when few, many or all events come late, or a clock is wrong, before and after
//! compaction; and what compaction costs. Each turn is a process of its own, and in each round every load has its turns, so that ratios are
//! those of the same minutes.

mod events;
mod plot;
mod report;
mod turn;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::figures::median;
use crate::machine;
use estore_benches::abi::Api;
use events::{Broken, CHUNK_NS, CHUNKS, Load, SPACING_NS};
use turn::{Job, Turn, Work};

pub struct Plan {
    pub library: PathBuf,
    pub rounds: usize,
    pub scale: f64,
    pub dir: PathBuf,
}

const LOADS: [Load; 8] = [
    Load::late(0),
    Load::late(1),
    Load::late(10),
    Load::late(50),
    Load::late(100),
    Load::broken(Broken::Year),
    Load::broken(Broken::Epoch),
    Load::broken(Broken::Minutes),
];
/// Appends beside a compaction are measured with the store of this one.
const BESIDE: Load = Load::late(50);
const SINGLES: f64 = 200_000.0;

/// The turns of one load, one of each kind for each round.
#[derive(Default)]
struct Turns {
    append: Vec<Turn>,
    /// Appending to a store that compacts by itself meanwhile.
    append_compacting: Vec<Turn>,
    before: Vec<Turn>,
    compact: Vec<Turn>,
    after: Vec<Turn>,
}

/// Single appends, and what compaction makes of them.
#[derive(Default)]
struct Singles {
    compact: Vec<Turn>,
    frames_before: u64,
    frames_after: u64,
    events: u64,
}

/// Everything that was measured.
struct Measured {
    turns: Vec<(Load, Turns)>,
    beside: Vec<Turn>,
    singles: Singles,
}

/// One turn with the driver's own program as a child.
fn take(job: &Job) -> Result<Turn> {
    machine::sync_filesystem(job.dir.parent().context("a store has a folder")?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("late-turn").arg(serde_json::to_string(job)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().context("cannot start a child")?;
    if !output.status.success() {
        bail!("{job:?}: {} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status);
    }
    serde_json::from_slice(&output.stdout).context("a child printed no turn")
}

/// What the driver starts.
pub fn child(job: &str) -> Result<()> {
    let turn = turn::run(&serde_json::from_str(job).context("no job")?)?;
    println!("{}", serde_json::to_string(&turn)?);
    Ok(())
}

/// Measures, writes the plot into a folder, and answers with LATE.md.
pub fn measure(plan: &Plan, out: &Path) -> Result<String> {
    let library =
        fs::canonicalize(&plan.library).with_context(|| format!("there is no {} (`make lib` builds it)", plan.library.display()))?;
    let api = Api::load(&library, false)?;
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let folder = tempfile::Builder::new().prefix("estore-late-").tempdir_in(fs::canonicalize(&plan.dir)?)?;
    let events = (CHUNKS * CHUNK_NS / SPACING_NS) as f64 * plan.scale;
    let mut measured =
        Measured { turns: LOADS.map(|load| (load, Turns::default())).into(), beside: Vec::new(), singles: Singles::default() };
    for round in 0..plan.rounds {
        let mut order: Vec<usize> = (0..LOADS.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        let job = |load: Load, work| {
            let dir = folder.path().join("store");
            Job { library: library.clone(), dir, load, events: events as u64, round: round as u64, work }
        };
        for place in order {
            let (load, turns) = &mut measured.turns[place];
            let load = *load;
            let dir = folder.path().join("store");
            turns.append_compacting.push(take(&job(load, Work::Append { compaction: true }))?);
            fs::remove_dir_all(&dir)?;
            turns.append.push(take(&job(load, Work::Append { compaction: false }))?);
            turns.before.push(take(&job(load, Work::Read))?);
            turns.compact.push(take(&job(load, Work::Compact))?);
            turns.after.push(take(&job(load, Work::Read))?);
            fs::remove_dir_all(&dir)?;
            if load == BESIDE {
                take(&job(load, Work::Append { compaction: false }))?;
                measured.beside.push(take(&job(load, Work::Beside))?);
                fs::remove_dir_all(&dir)?;
            }
            let (append, before, after) = (turns.append.last(), turns.before.last(), turns.after.last());
            if let (Some(append), Some(before), Some(after)) = (append, before, after) {
                eprintln!(
                    "{}/{}  {:28} {:6.1} ns an event, windows {:6.1} µs, compacted {:6.1} µs",
                    round + 1,
                    plan.rounds,
                    load.name(),
                    append.ns,
                    before.ns / 1e3,
                    after.ns / 1e3
                );
            }
        }
        let singles = &mut measured.singles;
        let mut job = job(LOADS[0], Work::Singles);
        job.events = ((SINGLES * plan.scale) as u64).min(job.events);
        take(&job)?;
        singles.events = job.events;
        singles.frames_before = turn::count_frames(&job.dir)?;
        job.work = Work::Compact;
        singles.compact.push(take(&job)?);
        singles.frames_after = turn::count_frames(&job.dir)?;
        fs::remove_dir_all(&job.dir)?;
    }
    plot::draw(&measured, &out.join("late.svg"))?;
    report::write(plan, &api, &measured, events as u64)
}

/// The median over the rounds of how a figure relates to the same of another load in the same round.
fn ratio<'a>(of: impl Iterator<Item = &'a Turn>, to: impl Iterator<Item = &'a Turn>, figure: impl Fn(&Turn) -> f64) -> f64 {
    median(of.zip(to).map(|(of, to)| figure(of) / figure(to)))
}

/// What the aims are about, for one load.
struct Shares {
    /// The speed of appends, that of the load without late events being 1; the same by processor time, of the thread that appends and of all;
    /// and for a store that compacts by itself, against that load without compaction.
    append: f64,
    append_thread_cpu: f64,
    append_cpu: f64,
    append_compacting: f64,
    /// The time of windows before compaction and after, that of the load without late events before it being 1.
    before: f64,
    after: f64,
}

const APPEND_AIM: f64 = 0.4;
const BEFORE_AIM: f64 = 4.0;
const AFTER_AIM: f64 = 2.0;
const BESIDE_AIM: f64 = 0.8;

impl Measured {
    fn shares(&self, turns: &Turns) -> Shares {
        let base = &self.turns[0].1;
        let ns = |turn: &Turn| turn.ns;
        Shares {
            append: ratio(base.append.iter(), turns.append.iter(), ns),
            append_thread_cpu: ratio(base.append.iter(), turns.append.iter(), |turn| turn.thread_cpu_ns),
            append_cpu: ratio(base.append.iter(), turns.append.iter(), |turn| turn.cpu_ns),
            append_compacting: ratio(base.append.iter(), turns.append_compacting.iter(), ns),
            before: ratio(turns.before.iter(), base.before.iter(), ns),
            after: ratio(turns.after.iter(), base.before.iter(), ns),
        }
    }
}
