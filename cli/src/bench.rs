//! `bench`: what a disk gives through estore, beside what it gives to plain writes and reads of as many bytes.
//!
//! ```text
//!   round    plain: write, sync      estore: append, sync      plain: read      estore: scan
//! ```
//!
//! Each round does all four in the same folder, one after the other, so that a busy machine does the same harm to both; of the rounds the
//! median counts. Before anything is read, the system is asked to forget what it holds of the files. At last single small writes, each
//! synced, stand against single appends with the durability `power`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use estore::{Durability, EventRef, Mode, Options, Store};
use rustix::fs::{Advice, fadvise};
use serde_json::{Value, json};

use crate::output::{self, Report, Style, bytes, count};
use crate::progress::{Bar, Unit};
use crate::signals::Interrupt;
use crate::{Common, Outcome};

/// Events of one batch.
const BATCH: usize = 1000;
/// So much is written or read at once without estore.
const BLOCK: usize = 1 << 20;
/// Single appends, and writes, that are synced.
const SYNCS: usize = 200;

/// Measures what a disk gives, through estore and without it
///
/// Appends and reads as many events as fit into SIZE, and writes and reads plain files of as many bytes, all in a new folder in DIR that
/// is removed again. The ratios tell how much of what the disk gives estore passes on.
#[derive(Args)]
pub(crate) struct Bench {
    /// A folder on the disk to measure
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// How much is written in each round, twice
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = output::parse_bytes)]
    size: u64,
    /// How large the data of an event is
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    event: u32,
    /// How often all is done
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// A folder that goes with everything in it.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(dir: &Path) -> Result<Scratch> {
        let path = dir.join(format!("estore-bench-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("{}: no folder can be made there", dir.display()))?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What one round took, in seconds.
#[derive(Clone, Copy)]
struct Round {
    plain_write: f64,
    append: f64,
    plain_read: f64,
    scan: f64,
}

/// Has the system forget what it holds of the files in a folder, which are synced.
fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            fadvise(File::open(&path)?, 0, None, Advice::DontNeed).with_context(|| format!("{}: cannot be forgotten", path.display()))?;
        }
    }
    Ok(())
}

/// Bytes in no order, the same each time, which no disk can make smaller.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(len);
    bytes
}

fn folder_len(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}

struct Run<'a> {
    scratch: &'a Scratch,
    events: u64,
    event: usize,
    noise: Vec<u8>,
    interrupt: &'a Interrupt,
}

/// Ends a round when a signal comes.
#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a signal came")
    }
}

impl std::error::Error for Stopped {}

impl Run<'_> {
    fn go_on(&self) -> Result<(), Stopped> {
        self.interrupt.signal().map_or(Ok(()), |_| Err(Stopped))
    }

    fn data(&self, event: u64) -> &[u8] {
        let from = (event as usize * 64) % (self.noise.len() - self.event);
        &self.noise[from..from + self.event]
    }

    /// The store, and how long its appends took.
    fn append(&self, path: &Path) -> Result<f64> {
        let began = Instant::now();
        // One chunk, of which nothing is late: what a single writer of a log has.
        let options = Options::new().mode(Mode::CreateNew).durability(Durability::Buffered).compaction(false);
        let store = Store::open(path, options)?;
        let mut at = 0;
        while at < self.events {
            self.go_on()?;
            let until = (at + BATCH as u64).min(self.events);
            let batch: Vec<EventRef<'_>> = (at..until).map(|event| EventRef::new(event * 1000, event as u32, self.data(event))).collect();
            store.append(&batch)?;
            at = until;
        }
        store.sync()?;
        store.close()?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn scan(&self, path: &Path) -> Result<f64> {
        let began = Instant::now();
        let store = Store::open(path, Options::new().mode(Mode::ReadOnly))?;
        let mut reader = store.read(..)?;
        let (mut events, mut sum) = (0u64, 0u64);
        loop {
            let batch = reader.next_batch(4096)?;
            if batch.is_empty() {
                break;
            }
            for event in batch {
                events += 1;
                sum = sum.wrapping_add(event.time).wrapping_add(u64::from(event.data.first().copied().unwrap_or(0)));
            }
        }
        std::hint::black_box(sum);
        if events != self.events {
            bail!("{}: {events} events were read of {} that were appended", path.display(), self.events);
        }
        Ok(began.elapsed().as_secs_f64())
    }

    fn plain_write(&self, path: &Path, len: u64) -> Result<f64> {
        let began = Instant::now();
        let mut file = File::create_new(path)?;
        let mut left = len;
        while left > 0 {
            self.go_on()?;
            let block = left.min(BLOCK as u64) as usize;
            file.write_all(&self.noise[..block])?;
            left -= block as u64;
        }
        file.sync_all()?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn plain_read(&self, path: &Path) -> Result<f64> {
        let began = Instant::now();
        let mut file = File::open(path)?;
        let mut block = vec![0; BLOCK];
        let mut sum = 0u64;
        loop {
            let len = file.read(&mut block)?;
            if len == 0 {
                break;
            }
            sum = sum.wrapping_add(u64::from(block[0]));
        }
        std::hint::black_box(sum);
        Ok(began.elapsed().as_secs_f64())
    }

    /// All four, and how many bytes the store took.
    fn round(&self) -> Result<(Round, u64)> {
        let (store, plain) = (self.scratch.path.join("store"), self.scratch.path.join("plain"));
        let append = self.append(&store)?;
        let len = folder_len(&store)?;
        let plain_write = self.plain_write(&plain, len)?;
        forget(&store)?;
        forget(&self.scratch.path)?;
        let scan = self.scan(&store)?;
        let plain_read = self.plain_read(&plain)?;
        Store::destroy(&store, Options::new())?;
        fs::remove_file(&plain)?;
        Ok((Round { plain_write, append, plain_read, scan }, len))
    }

    /// Seconds that one synced write took, and one append that survives loss of power: medians.
    fn syncs(&self) -> Result<(f64, f64)> {
        let plain = self.scratch.path.join("plain");
        let mut file = File::create_new(&plain)?;
        // As estore does, where the file system can: the room is there before it is written to.
        let len = (SYNCS * self.event) as u64;
        let _ = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len);
        let mut writes = Vec::new();
        let store = Store::open(self.scratch.path.join("store"), Options::new().durability(Durability::Power).compaction(false))?;
        let mut appends = Vec::new();
        for event in 0..SYNCS as u64 {
            let began = Instant::now();
            file.write_all(self.data(event))?;
            file.sync_data()?;
            writes.push(began.elapsed().as_secs_f64());
            let began = Instant::now();
            store.append(&[EventRef::new(event * 1000, event as u32, self.data(event))])?;
            appends.push(began.elapsed().as_secs_f64());
        }
        store.close()?;
        Ok((median(writes), median(appends)))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn run(args: &Bench, common: &Common) -> Result<Outcome> {
    if !args.dir.is_dir() {
        bail!("{}: no folder; bench makes one of its own in a folder that is there", args.dir.display());
    }
    let event = args.event as usize;
    let events = (args.size / u64::from(args.event)).max(1);
    let interrupt = Interrupt::install(|| {})?;
    let scratch = Scratch::new(&args.dir)?;
    let run = Run { scratch: &scratch, events, event, noise: noise(BLOCK.max(2 * event + 64)), interrupt: &interrupt };
    let bar = Bar::new("measuring", Unit::Time, None);
    let mut rounds = Vec::new();
    let mut len = 0;
    let mut stopped = false;
    for round in 0..args.rounds {
        bar.message(format!("round {} of {}", round + 1, args.rounds));
        match run.round() {
            Ok((took, bytes)) => {
                rounds.push(took);
                len = bytes;
            }
            Err(e) if e.is::<Stopped>() => stopped = true,
            Err(e) => return Err(e),
        }
        if stopped || interrupt.signal().is_some() {
            stopped = true;
            break;
        }
    }
    let (write, append) = if stopped { (0.0, 0.0) } else { run.syncs()? };
    drop(bar);
    drop(scratch);
    interrupt.end_if(stopped, &format!("nothing of it is left in {}", args.dir.display()));

    let of = |what: fn(&Round) -> f64| median(rounds.iter().map(what).collect());
    let (plain_write, appended) = (of(|round| round.plain_write), of(|round| round.append));
    let (plain_read, scanned) = (of(|round| round.plain_read), of(|round| round.scan));
    // The ratio of each round, so that what disturbed one of them counts in both of its parts.
    let append_ratio = of(|round| round.plain_write / round.append);
    let scan_ratio = of(|round| round.plain_read / round.scan);
    let speed = |seconds: f64| format!("{}/s", bytes((len as f64 / seconds) as u64));
    let rate = |seconds: f64| format!("{} events/s", count((events as f64 / seconds) as u64));
    let mut report = Report::new(common.style());
    let size = format!(
        "{} events of {} bytes, {} on disk; {}, medians",
        count(events),
        args.event,
        bytes(len),
        output::counted(args.rounds.into(), "round")
    );
    report.row("each round", size);
    report.row("plain write and sync", speed(plain_write));
    report.row("estore append and sync", format!("{}, {}: {append_ratio:.2} of the plain write", speed(appended), rate(appended)));
    report.row("plain read", speed(plain_read));
    report.row("estore scan", format!("{}, {}: {scan_ratio:.2} of the plain read", speed(scanned), rate(scanned)));
    report.row("one plain write and sync", format!("{:.0} us", write * 1e6));
    report.row("one append with power", format!("{:.0} us: {:.2} of the plain write", append * 1e6, write / append));
    if common.style() == Style::Json {
        report.value("events", events).value("event_bytes", args.event).value("disk_bytes", len).value("rounds", args.rounds);
        let each: Vec<Value> = rounds
            .iter()
            .map(|&Round { plain_write, append, plain_read, scan }| {
                json!({"plain_write": plain_write, "append": append, "plain_read": plain_read, "scan": scan})
            })
            .collect();
        report.value("seconds", each).value("append_ratio", append_ratio).value("scan_ratio", scan_ratio);
        report.value("plain_write_and_sync_seconds", write).value("append_with_power_seconds", append);
    }
    report.print()?;
    Ok(Outcome::Fine)
}
