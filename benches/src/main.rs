//! The driver: measures whole workloads with estore, with nothing but the system calls, and with other stores, and makes the report.
//! `benches/README.md` says what is measured and how.

mod aims;
mod border;
#[cfg(feature = "codecs")]
mod compress;
mod driver;
mod engine;
mod estore;
mod figures;
mod late;
mod machine;
mod measure;
mod peers;
mod plots;
mod raw;
mod replicas;
mod report;
mod results;
mod tail;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use driver::Plan;
use results::Results;

/// Measures estore, the physical limit and other stores in one interleaved run.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

/// What all measurements take.
#[derive(Args)]
struct Common {
    /// Makes all numbers of events smaller (or larger), for a quick look
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where stores are made: a folder on the disk to measure [default: target/stores beside this package]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where reports and plots go [default: results beside this package]
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Common {
    fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| package().join("target/stores"))
    }

    /// The folder for reports, which is there from now on.
    fn out(&self) -> Result<PathBuf> {
        let out = self.out.clone().unwrap_or_else(|| package().join("results"));
        std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        Ok(out)
    }

    fn put(&self, name: &str, report: &str) -> Result<()> {
        let path = self.out()?.join(name);
        std::fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("the report is {}", path.display());
        Ok(())
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn release_library(lib: Option<PathBuf>) -> PathBuf {
    lib.unwrap_or_else(|| package().join("../target/release/libestore.so"))
}

#[derive(Args)]
struct Run {
    /// A shared library to measure, as PATH or NAME=PATH; may be given several times [default: the release build of this repository]
    #[arg(long = "lib", value_name = "[NAME=]PATH")]
    libraries: Vec<String>,
    /// Engines, separated by commas [default: all but efile]
    #[arg(long, value_delimiter = ',')]
    engines: Vec<String>,
    /// Workloads, separated by commas; * stands for anything [default: all]
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also what takes long, and more than 10 GB of disk
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Border {
    /// The shared library to measure [default: what `make lib` left in target/dist]
    #[arg(long)]
    lib: Option<PathBuf>,
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Late {
    /// The shared library to measure [default: the release build of this repository]
    #[arg(long)]
    lib: Option<PathBuf>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Tail {
    /// The shared library to measure [default: the release build of this repository]
    #[arg(long)]
    lib: Option<PathBuf>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Replicas {
    /// The shared library to measure [default: the release build of this repository]
    #[arg(long)]
    lib: Option<PathBuf>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    common: Common,
}

#[cfg(feature = "codecs")]
#[derive(Args)]
struct Compress {
    /// A folder with text files, whose lines are the events [default: ../shared/data beside the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the names of all workloads
    List,
    /// Makes RESULTS.md and the plots again from the results.json in a folder
    Report { folder: PathBuf },
    /// Measures what C, C++, Go and Python lose against Rust, and writes BORDER.md
    Border(Border),
    /// Measures loads with late events and broken clocks, and compaction, and writes LATE.md and a plot
    Late(Late),
    /// Measures following: what waking up, waiting, catching up and being followed cost, and writes TAIL.md
    Tail(Tail),
    /// Measures digests, repair, messages between replicas and appending what is there already, and writes REPLICAS.md
    Replicas(Replicas),
    /// A follower in another process, as the driver starts it
    #[command(hide = true)]
    TailTurn { job: String },
    /// One turn of `late`, as the driver starts it
    #[command(hide = true)]
    LateTurn { job: String },
    /// Measures what compression saves and costs, and writes COMPRESS.md
    #[cfg(feature = "codecs")]
    Compress(Compress),
    /// One measurement, as the driver starts it
    #[command(hide = true)]
    Child { job: String },
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    match cli.command {
        None => run(cli.run),
        Some(Command::List) => {
            workload::all(1.0).iter().for_each(|workload| println!("{}", workload.name));
            Ok(())
        }
        Some(Command::Report { folder }) => write_report(&Results::load(&folder.join("results.json"))?, &folder),
        Some(Command::Border(arguments)) => border(arguments),
        Some(Command::Late(arguments)) => late(arguments),
        Some(Command::LateTurn { job }) => late::child(&job),
        Some(Command::Tail(arguments)) => {
            let Tail { lib, rounds, common } = arguments;
            let plan = tail::Plan { library: release_library(lib), rounds: rounds.into(), scale: common.scale, dir: common.dir() };
            common.put("TAIL.md", &tail::measure(&plan)?)
        }
        Some(Command::Replicas(arguments)) => {
            let Replicas { lib, rounds, common } = arguments;
            let plan = replicas::Plan { library: release_library(lib), rounds: rounds.into(), scale: common.scale, dir: common.dir() };
            common.put("REPLICAS.md", &replicas::measure(&plan)?)
        }
        Some(Command::TailTurn { job }) => tail::child(&job),
        #[cfg(feature = "codecs")]
        Some(Command::Compress(arguments)) => compress(arguments),
        Some(Command::Child { job }) => {
            let measurement = measure::run(&serde_json::from_str(&job).context("no job")?)?;
            println!("{}", serde_json::to_string(&measurement)?);
            Ok(())
        }
    }
}

fn run(arguments: Run) -> Result<()> {
    let Run { libraries: named, engines, workloads, rounds, full, common } = arguments;
    let mut libraries: Vec<(String, PathBuf)> = Vec::new();
    for text in &named {
        let (name, path) = text.split_once('=').unwrap_or(("estore", text));
        anyhow::ensure!(libraries.iter().all(|(other, _)| other != name), "two libraries are named {name}: use --lib NAME=PATH");
        libraries.push((name.into(), path.into()));
    }
    if libraries.is_empty() {
        libraries.push(("estore".into(), release_library(None)));
    }
    let plan = Plan { libraries, engines, workloads, rounds, scale: common.scale, full, dir: common.dir() };
    let out = common.out()?;
    let results = driver::run(&plan, |results| results.save(&out.join("results.json")))?;
    write_report(&results, &out)
}

fn border(arguments: Border) -> Result<()> {
    let Border { lib, rounds, common } = arguments;
    let library = lib.unwrap_or_else(|| package().join("../target/dist/libestore.so"));
    let plan = border::Plan { library, rounds: rounds.into(), scale: common.scale, dir: common.dir() };
    common.put("BORDER.md", &border::measure(&plan, package())?)
}

#[cfg(feature = "codecs")]
fn compress(arguments: Compress) -> Result<()> {
    let Compress { data, rounds, common } = arguments;
    let data = data.unwrap_or_else(|| package().join("../../shared/data"));
    let plan = compress::Plan { data, rounds: rounds.into(), scale: common.scale, dir: common.dir() };
    common.put("COMPRESS.md", &compress::measure(&plan)?)
}

fn late(arguments: Late) -> Result<()> {
    let Late { lib, rounds, common } = arguments;
    let plan = late::Plan { library: release_library(lib), rounds: rounds.into(), scale: common.scale, dir: common.dir() };
    common.put("LATE.md", &late::measure(&plan, &common.out()?)?)
}

fn write_report(results: &Results, folder: &Path) -> Result<()> {
    report::write(results, folder)?;
    eprintln!("the report is {}", folder.join("RESULTS.md").display());
    Ok(())
}
