//! Runs workloads: builds the stores that they read, interleaves the engines so that a slow minute of the machine hits all of them, and
//! starts a child process for each measurement.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::engine::{EngineSpec, Kind};
use crate::machine;
use crate::measure::Job;
use crate::peers;
use crate::raw::Variant;
use crate::results::{Conditions, LibraryFacts, Measurement, Results, Sample};
use crate::workload::{self, Workload};
use estore_benches::abi::Api;

pub struct Plan {
    /// Engine name and path.
    pub libraries: Vec<(String, PathBuf)>,
    /// Empty for all but efiles.
    pub engines: Vec<String>,
    /// Patterns; empty for all.
    pub workloads: Vec<String>,
    pub rounds: usize,
    pub scale: f64,
    pub full: bool,
    pub dir: PathBuf,
}

pub const RAW: &str = "raw";
pub const RAW_RESERVED: &str = "raw-reserved";
pub const RAW_ZEROED: &str = "raw-zeroed";

/// The engines that take part, in the order of the reports.
fn engines(plan: &Plan) -> Result<Vec<EngineSpec>> {
    let mut known = Vec::new();
    for (name, path) in &plan.libraries {
        let path = fs::canonicalize(path).with_context(|| format!("there is no library {} (`make lib` builds it)", path.display()))?;
        known.push(EngineSpec { name: name.clone(), kind: Kind::Estore, library: Some(path.clone()) });
        let efile = if name == "estore" { "efile".into() } else { format!("{name}-efile") };
        known.push(EngineSpec { name: efile, kind: Kind::Efile, library: Some(path) });
    }
    let raw =
        [(RAW, Variant::Plain), (RAW_RESERVED, Variant::Reserved), (RAW_ZEROED, Variant::Zeroed), ("raw-unchecked", Variant::Unchecked)];
    known.extend(raw.map(|(name, variant)| EngineSpec { name: name.into(), kind: Kind::Raw(variant), library: None }));
    if cfg!(feature = "peers") {
        known.extend(peers::ALL.map(|(name, peer)| EngineSpec { name: name.into(), kind: Kind::Peer(peer), library: None }));
    }
    if plan.engines.is_empty() {
        known.retain(|engine| engine.kind != Kind::Efile);
        return Ok(known);
    }
    for name in &plan.engines {
        let names = known.iter().map(|engine| engine.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(known.iter().any(|engine| engine.name == *name), "no engine {name}: there are {names} (peers need the feature `peers`)");
    }
    known.retain(|engine| plan.engines.contains(&engine.name));
    Ok(known)
}

fn library_facts(engine: &EngineSpec) -> Result<LibraryFacts> {
    let path = engine.library()?;
    let version = Api::load(path, engine.kind == Kind::Efile)?.version();
    let folder = tempfile::tempdir()?;
    let stripped = folder.path().join("stripped");
    let stripped_bytes = machine::output_of("strip", &[OsStr::new("-o"), stripped.as_os_str(), path.as_os_str()])
        .and_then(|_| Some(fs::metadata(&stripped).ok()?.len()));
    let needed = machine::output_of("readelf", &[OsStr::new("-d"), path.as_os_str()]).map(|text| {
        let lines = text.lines().filter(|line| line.contains("(NEEDED)"));
        lines.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())).collect()
    });
    Ok(LibraryFacts { engine: engine.name.clone(), version, stripped_bytes, needed })
}

/// The version of each peer that was built in, as the lock file has it.
fn peer_versions() -> Vec<(String, String)> {
    let lock = include_str!("../Cargo.lock");
    let version = |package: &str| {
        let found = lock.split_once(&format!("name = \"{package}\"\nversion = \""));
        found.and_then(|(_, rest)| rest.split_once('"')).map_or("unknown".into(), |(version, _)| version.to_owned())
    };
    let packages = [("rocksdb", "librocksdb-sys"), ("lmdb", "lmdb-master-sys"), ("sqlite", "libsqlite3-sys"), ("fjall", "fjall")];
    packages.map(|(peer, package)| (peer.to_owned(), format!("{package} {}", version(package)))).to_vec()
}

fn conditions(plan: &Plan, engines: &[EngineSpec]) -> Result<Conditions> {
    let unknown = || "unknown".to_owned();
    let libraries = engines.iter().filter(|engine| engine.is_estore()).map(library_facts).collect::<Result<_>>()?;
    Ok(Conditions {
        date: machine::output_of("date", &[OsStr::new("-u"), OsStr::new("+%F %R UTC")]).unwrap_or_else(unknown),
        cpu: machine::cpu(),
        cores: std::thread::available_parallelism()?.get(),
        memory_bytes: machine::memory_bytes(),
        filesystem: machine::filesystem(&plan.dir),
        kernel: machine::kernel(),
        rustc: machine::output_of("rustc", &[OsStr::new("--version")]).unwrap_or_else(unknown),
        rounds: plan.rounds,
        scale: plan.scale,
        libraries,
        peers: if engines.iter().any(EngineSpec::is_peer) { peer_versions() } else { Vec::new() },
    })
}

/// Runs all of it. A measurement that fails is told, and makes the whole fail, but not before the others have run; `keep` gets what
/// there is after each round, so that a run that is stopped has not been in vain.
pub fn run(plan: &Plan, keep: impl Fn(&Results) -> Result<()>) -> Result<Results> {
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let work_dir = tempfile::Builder::new().prefix("estore-benches-").tempdir_in(&plan.dir)?;
    let engines = engines(plan)?;
    let wanted = |workload: &Workload| {
        let named = plan.workloads.iter().any(|pattern| workload::matches(pattern, &workload.name));
        if plan.workloads.is_empty() { plan.full || !workload.only_in_full } else { named }
    };
    let workloads: Vec<Workload> = workload::all(plan.scale).into_iter().filter(wanted).collect();
    ensure!(!workloads.is_empty(), "no workload has such a name; `list` shows all");

    // Those that read the same data follow each other, so that no more stores than theirs take room at a time.
    let mut groups: Vec<Vec<&Workload>> = vec![workloads.iter().filter(|workload| !workload.reads()).collect()];
    for workload in workloads.iter().filter(|workload| workload.reads()) {
        match groups[1..].iter_mut().find(|group| group[0].data == workload.data) {
            Some(group) => group.push(workload),
            None => groups.push(vec![workload]),
        }
    }

    let mut results = Results { conditions: conditions(plan, &engines)?, engines, samples: Vec::new() };
    let mut failures = Vec::new();
    for group in groups.into_iter().filter(|group| !group.is_empty()) {
        run_group(plan, &group, work_dir.path(), &mut results, &mut failures, &keep)?;
    }
    ensure!(failures.is_empty(), "{} measurements failed:\n{}", failures.len(), failures.join("\n"));
    Ok(results)
}

fn run_group(
    plan: &Plan,
    group: &[&Workload],
    work_dir: &Path,
    results: &mut Results,
    failures: &mut Vec<String>,
    keep: &impl Fn(&Results) -> Result<()>,
) -> Result<()> {
    let engines = results.engines.clone();
    let store = |engine: &EngineSpec, workload: &Workload| work_dir.join(&engine.name).join(workload.data.folder());
    if group[0].reads() {
        for engine in &engines {
            if let Some(workload) = group.iter().find(|workload| workload.suits(engine)) {
                eprintln!("building {} for {}", workload.data.folder(), engine.name);
                fs::create_dir_all(work_dir.join(&engine.name))?;
                let built = child(plan, engine, workload, store(engine, workload), true);
                built.with_context(|| format!("the store of {} cannot be built", engine.name))?;
            }
        }
    }
    for round in 1..=plan.rounds {
        for workload in group {
            // Whoever comes after another meets its traces in caches and disk: taking turns spreads that.
            let mut order: Vec<&EngineSpec> = engines.iter().filter(|engine| workload.suits(engine)).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for engine in order {
                let dir = if workload.reads() { store(engine, workload) } else { work_dir.join("appended") };
                match child(plan, engine, workload, dir.clone(), false) {
                    Ok(measurement) => {
                        eprintln!("{}/{}  {:34} {:14} {}", round, plan.rounds, workload.name, engine.name, brief(&measurement));
                        let (workload, engine) = (workload.name.clone(), engine.name.clone());
                        results.samples.push(Sample { workload, engine, round, measurement });
                    }
                    Err(error) => {
                        eprintln!("{}/{}  {:34} {:14} FAILED: {error:#}", round, plan.rounds, workload.name, engine.name);
                        failures.push(format!("{} with {}: {error:#}", workload.name, engine.name));
                    }
                }
                if !workload.reads() && dir.exists() {
                    fs::remove_dir_all(&dir)?;
                }
            }
        }
        keep(results)?;
    }
    for engine in &engines {
        let dir = store(engine, group[0]);
        if group[0].reads() && dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
    }
    Ok(())
}

fn brief(measurement: &Measurement) -> String {
    let rate = measurement.events as f64 / measurement.seconds;
    let median = measurement.latency.as_ref().map(|latency| format!(", median {} ns", latency.p50));
    format!("{:10.3} million events/s{}", rate / 1e6, median.unwrap_or_default())
}

fn child(plan: &Plan, engine: &EngineSpec, workload: &Workload, dir: PathBuf, build: bool) -> Result<Measurement> {
    let job = Job { engine: engine.clone(), workload: workload.name.clone(), scale: plan.scale, dir, build };
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("child").arg(serde_json::to_string(&job)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().context("cannot start a child")?;
    if !output.status.success() {
        bail!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status);
    }
    serde_json::from_slice(&output.stdout).context("a child printed no measurement")
}
