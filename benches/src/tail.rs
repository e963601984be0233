//! Following: how long after an append a tail has the event, what waiting costs, how quick a tail is that has fallen behind, and what being
//! followed costs the one who appends. Followers are threads of the writing process, or processes of their own that open the store for reading
//! only. Beside the waking up stands a pipe: the same two threads or processes with nothing but the kernel between them.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::figures::{conditions, median};
use crate::machine::{self, cpu_ns};
use estore_benches::abi::{self, Api, Event, Options, Store};
use estore_benches::data::{DataSet, Feed, GRACE_NS, HOUR_NS, mixed};

pub struct Plan {
    pub library: PathBuf,
    pub rounds: usize,
    pub scale: f64,
    pub dir: PathBuf,
}

/// Events that are waited for, one at a time.
const WAKE_UPS: u64 = 1_000;
/// How long nothing comes.
const IDLE: Duration = Duration::from_secs(3);
/// Events that a tail catches up with, and those appended while being followed, in batches and singly.
const EVENTS: f64 = 2e6;
const SINGLES: f64 = 2e5;
const BATCH: u64 = 1_000;
const SCRATCH_EVENTS: usize = 512;
const FOREVER: u64 = u64::MAX;

/// Events of these ids are for the follower.
const STAMPED: u32 = 1;
const IDLE_FROM: u32 = 2;
const IDLE_TO: u32 = 3;
const LAST: u32 = 4;

/// Of a follower in another process: what it is to do.
#[derive(Serialize, Deserialize)]
enum Job {
    Follow {
        library: PathBuf,
        dir: PathBuf,
    },
    /// Reads stamps from its standard input.
    Pipe,
}

/// What a follower saw.
#[derive(Default, Serialize, Deserialize)]
struct Seen {
    /// From before the append until the event is there.
    waited_ns: Vec<u64>,
    /// Processor time of its process while nothing came.
    idle_cpu_ns: f64,
    events: u64,
}

/// The same for all processes.
fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is a variable of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn since(stamp: &[u8]) -> Result<u64> {
    let stamp = stamp.try_into().context("no stamp")?;
    Ok(monotonic_ns().saturating_sub(u64::from_le_bytes(stamp)))
}

fn options(read_only: bool) -> Options {
    Options { read_only, ..Options::new(abi::DURABILITY_PROCESS, HOUR_NS, GRACE_NS) }
}

/// Follows a store until it is given the last event.
fn follow(store: &Store<'_>, ready: impl FnOnce()) -> Result<Seen> {
    let mut scratch = [Event::EMPTY; SCRATCH_EVENTS];
    let mut tail = store.tail(0)?;
    let mut seen = Seen::default();
    let mut ready = Some(ready);
    let mut idle_from = 0.0;
    loop {
        let n = tail.next_batch(&mut scratch)?;
        for event in &scratch[..n] {
            match event.id {
                STAMPED => seen.waited_ns.push(since(event.data())?),
                IDLE_FROM => idle_from = cpu_ns(libc::RUSAGE_SELF),
                IDLE_TO => seen.idle_cpu_ns = cpu_ns(libc::RUSAGE_SELF) - idle_from,
                LAST => return Ok(seen),
                _ => seen.events += 1,
            }
        }
        if n == 0 {
            if let Some(ready) = ready.take() {
                ready();
            }
            tail.wait(FOREVER)?;
        }
    }
}

/// Reads stamps until there are no more.
fn read_stamps(mut from: impl Read) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut stamp = [0; 8];
    while from.read_exact(&mut stamp).is_ok() {
        seen.waited_ns.push(since(&stamp)?);
    }
    Ok(seen)
}

/// What the driver starts.
pub fn child(job: &str) -> Result<()> {
    let ready = || {
        println!("ready");
        let _ = std::io::stdout().flush();
    };
    let seen = match serde_json::from_str(job).context("no job")? {
        Job::Follow { library, dir } => {
            let api = Api::load(&library, false)?;
            follow(&api.open(&dir, options(true))?, ready)?
        }
        Job::Pipe => {
            ready();
            read_stamps(std::io::stdin().lock())?
        }
    };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

/// A follower in another process.
struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// Starts it, and returns once it waits.
    fn start(job: &Job) -> Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("tail-turn").arg(serde_json::to_string(job)?).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a child")?;
        let mut process = Process { output: BufReader::new(child.stdout.take().context("a child without output")?), child };
        ensure!(process.line()? == "ready", "a follower did not get ready");
        Ok(process)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn input(&mut self) -> Result<ChildStdin> {
        self.child.stdin.take().context("a child without input")
    }

    fn end(mut self) -> Result<Seen> {
        let line = self.line()?;
        ensure!(self.child.wait()?.success(), "a follower failed");
        serde_json::from_str(&line).context("a follower printed nothing")
    }
}

/// Where a follower is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follower {
    None,
    /// There is a tail, for which nobody waits.
    Unused,
    Thread,
    Process,
}

impl Follower {
    const ALL: [Follower; 4] = [Follower::None, Follower::Unused, Follower::Thread, Follower::Process];

    fn name(self) -> &'static str {
        match self {
            Follower::None => "nobody",
            Follower::Unused => "a tail for which nobody waits",
            Follower::Thread => "a thread",
            Follower::Process => "another process",
        }
    }
}

/// Does something with a store while it is followed; answers that and what the follower saw.
fn followed<T>(plan: &Plan, dir: &Path, follower: Follower, work: impl FnOnce(&Store<'_>) -> Result<T>) -> Result<(T, Seen)> {
    let api = Api::load(&plan.library, false)?;
    let store = api.open(dir, options(false))?;
    let append_last = || store.append(&[Event::view(HOUR_NS, LAST, &[])]);
    let result = match follower {
        Follower::None => (work(&store)?, Seen::default()),
        Follower::Unused => {
            let _tail = store.tail(0)?;
            (work(&store)?, Seen::default())
        }
        Follower::Thread => thread::scope(|scope| {
            let (tell, is_ready) = std::sync::mpsc::channel();
            let store = &store;
            let thread = scope.spawn(move || follow(store, || tell.send(()).unwrap_or(())));
            is_ready.recv().context("a follower did not get ready")?;
            let done = work(store);
            append_last()?;
            Ok::<_, anyhow::Error>((done?, thread.join().expect("a follower panicked")?))
        })?,
        Follower::Process => {
            let process = Process::start(&Job::Follow { library: plan.library.clone(), dir: dir.to_owned() })?;
            let done = work(&store)?;
            append_last()?;
            (done, process.end()?)
        }
    };
    store.close()?;
    Ok(result)
}

/// Lets the follower fall asleep between two stamps.
fn pause(i: u64) {
    thread::sleep(Duration::from_micros(1_000 + mixed(i) % 1_000));
}

fn append_stamps(store: &Store<'_>, count: u64) -> Result<()> {
    for i in 0..count {
        pause(i);
        let stamp = monotonic_ns().to_le_bytes();
        store.append(&[Event::view(HOUR_NS + i, STAMPED, &stamp)])?;
    }
    Ok(())
}

fn write_stamps(mut to: impl std::io::Write, count: u64) -> Result<()> {
    for i in 0..count {
        pause(i);
        to.write_all(&monotonic_ns().to_le_bytes())?;
    }
    Ok(())
}

/// Nanoseconds for each event.
fn append(store: &Store<'_>, events: u64, batch: u64) -> Result<f64> {
    let mut feed = Feed::new(&DataSet::new(events));
    let start = Instant::now();
    for first in (0..events).step_by(batch as usize) {
        store.append(feed.batch(first, batch as usize))?;
    }
    Ok(start.elapsed().as_nanos() as f64 / events as f64)
}

/// Nanoseconds for each event of a tail over all of a store, and of a scan.
fn catch_up(plan: &Plan, dir: &Path, late_percent: u32, events: u64) -> Result<(f64, f64)> {
    let api = Api::load(&plan.library, false)?;
    let store = api.open(dir, options(false))?;
    let mut feed = Feed::new(&DataSet { late_percent, ..DataSet::new(events) });
    for first in (0..events).step_by(BATCH as usize) {
        store.append(feed.batch(first, BATCH as usize))?;
    }
    let mut scratch = [Event::EMPTY; SCRATCH_EVENTS];
    let mut all = |mut iter: abi::Iter<'_>| -> Result<f64> {
        let (start, mut count) = (Instant::now(), 0);
        loop {
            match iter.next_batch(&mut scratch)? {
                0 => break,
                n => count += n as u64,
            }
        }
        ensure!(count == events, "{count} events were read");
        Ok(start.elapsed().as_nanos() as f64 / events as f64)
    };
    // The first pass loads what is kept in memory.
    all(store.read(0, u64::MAX, false, 0)?)?;
    let scan = all(store.read(0, u64::MAX, false, 0)?)?;
    let tail = all(store.tail(0)?)?;
    store.close()?;
    Ok((tail, scan))
}

/// Of all rounds: the median, what 99 in 100 stay below, and the longest, in microseconds.
fn spread(mut ns: Vec<u64>) -> [f64; 3] {
    ns.sort_unstable();
    let at = |part: f64| ns[((ns.len() - 1) as f64 * part) as usize] as f64 / 1e3;
    [at(0.5), at(0.99), at(1.0)]
}

/// Measures everything and answers with TAIL.md.
pub fn measure(plan: &Plan) -> Result<String> {
    let library =
        fs::canonicalize(&plan.library).with_context(|| format!("there is no {} (`make lib` builds it)", plan.library.display()))?;
    let plan = &Plan { library, dir: plan.dir.clone(), ..*plan };
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let folder = tempfile::Builder::new().prefix("estore-tail-").tempdir_in(fs::canonicalize(&plan.dir)?)?;
    let dir = folder.path().join("store");
    let scaled = |count: f64| ((count * plan.scale) as u64).next_multiple_of(BATCH);
    let wake_ups = ((WAKE_UPS as f64 * plan.scale) as u64).max(10);

    let mut waited: [Vec<u64>; 4] = Default::default();
    let mut idle: [Vec<f64>; 2] = Default::default();
    let mut caught_up: [Vec<f64>; 2] = Default::default();
    let mut speeds: [Vec<f64>; 2] = Default::default();
    let mut appends: [[Vec<f64>; 2]; 4] = Default::default();
    for round in 0..plan.rounds {
        let (from, to) = std::io::pipe()?;
        let seen = thread::scope(|scope| {
            let thread = scope.spawn(|| read_stamps(from));
            write_stamps(to, wake_ups)?;
            thread.join().expect("a reader panicked")
        })?;
        waited[0].extend(seen.waited_ns);
        let mut process = Process::start(&Job::Pipe)?;
        write_stamps(process.input()?, wake_ups)?;
        waited[1].extend(process.end()?.waited_ns);
        for (place, follower) in [Follower::Thread, Follower::Process].into_iter().enumerate() {
            let work = |store: &Store<'_>| {
                append_stamps(store, wake_ups)?;
                store.append(&[Event::view(HOUR_NS, IDLE_FROM, &[])])?;
                thread::sleep(IDLE);
                store.append(&[Event::view(HOUR_NS, IDLE_TO, &[])])
            };
            let (_, seen) = followed(plan, &dir, follower, work)?;
            ensure!(seen.waited_ns.len() as u64 == wake_ups, "a follower missed something");
            waited[2 + place].extend(seen.waited_ns);
            idle[place].push(seen.idle_cpu_ns / 1e3 / IDLE.as_secs_f64());
            fs::remove_dir_all(&dir)?;
        }
        for (place, late_percent) in [0, 10].into_iter().enumerate() {
            let (tail, scan) = catch_up(plan, &dir, late_percent, scaled(EVENTS))?;
            speeds[place].push(tail);
            caught_up[place].push(scan / tail);
            fs::remove_dir_all(&dir)?;
        }
        for (place, follower) in Follower::ALL.into_iter().enumerate() {
            for (kind, (events, batch)) in [(scaled(EVENTS), BATCH), (scaled(SINGLES), 1)].into_iter().enumerate() {
                machine::sync_filesystem(folder.path())?;
                let (ns, seen) = followed(plan, &dir, follower, |store| append(store, events, batch))?;
                let is_read = matches!(follower, Follower::Thread | Follower::Process);
                ensure!(!is_read || seen.events == events, "a follower has seen {} of {events} events", seen.events);
                appends[place][kind].push(ns);
                fs::remove_dir_all(&dir)?;
            }
        }
        eprintln!("{}/{}", round + 1, plan.rounds);
    }

    let api = Api::load(&plan.library, false)?;
    let mut text = String::from("# Following\n\n");
    writeln!(
        text,
        "{}; estore {}. {} rounds; medians. Made by `cargo run --release -- tail`{} in \
         `benches`, which says [what is measured](../README.md#following).\n",
        conditions(&plan.dir)?,
        api.version(),
        plan.rounds,
        if plan.scale == 1.0 { String::new() } else { format!(" with `--scale {}`, a quick look,", plan.scale) },
    )?;
    text.push_str(
        "## Waking up\n\nFrom before an append of one event until a follower that slept has it, in µs.\n\n\
         | | median | 99 in 100 below | longest |\n| --- | --- | --- | --- |\n",
    );
    let names = ["a pipe, to another thread", "a pipe, to another process", "a tail in another thread", "a tail in another process"];
    for (name, waited) in names.into_iter().zip(waited) {
        let [middle, most, longest] = spread(waited);
        writeln!(text, "| {name} | {middle:.0} | {most:.0} | {longest:.0} |")?;
    }
    text.push_str(
        "\n## Waiting\n\nProcessor time of the follower's process while nothing comes, in µs for each second.\n\n| | |\n| --- | --- |\n",
    );
    for (name, idle) in ["in the process that writes", "in another process"].into_iter().zip(idle) {
        writeln!(text, "| {name} | {:.0} |", median(idle.into_iter()))?;
    }
    text.push_str(
        "\n## Catching up\n\nA tail over all of a store that was just written, and its speed as a share of that of a scan in order of \
         time.\n\n| | million events/s | share |\n| --- | --- | --- |\n",
    );
    for (name, (ns, share)) in ["nothing late", "10% late"].into_iter().zip(speeds.into_iter().zip(caught_up)) {
        writeln!(text, "| {name} | {:.1} | {:.2} |", 1e3 / median(ns.into_iter()), median(share.into_iter()))?;
    }
    text.push_str(
        "\n## Being followed\n\nAppending events of 100 bytes at `PROCESS`, as shares of the speed at which nobody follows.\n\n\
         | followed by | batches of 1,000, ns an event | share | single events, ns | share |\n| --- | --- | --- | --- | --- |\n",
    );
    let base = appends[0].clone();
    for (follower, kinds) in Follower::ALL.into_iter().zip(appends) {
        let mut shares = [0.0; 2];
        for (kind, share) in shares.iter_mut().enumerate() {
            *share = median(base[kind].iter().zip(&kinds[kind]).map(|(base, ns)| base / ns));
        }
        let [batches, singles] = [0, 1].map(|kind| median(kinds[kind].iter().copied()));
        writeln!(text, "| {} | {batches:.0} | {:.2} | {singles:.0} | {:.2} |", follower.name(), shares[0], shares[1])?;
    }
    Ok(text)
}
