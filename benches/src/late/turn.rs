//! One turn: a process of its own that does one thing with one store, and says what it took.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::events::{BASE_NS, CHUNK_NS, CHUNKS, Events, GRACE_NS, Load};
use crate::machine::{PeakMemory, cpu_ns, sync_filesystem};
use estore_benches::abi::{self, Api, Event, Store};
use estore_benches::data::{DataSet, Feed, mixed};

const BATCH: usize = 1000;
/// A program would read into such an array.
const SCRATCH_EVENTS: usize = 512;
const WINDOWS: u64 = 200;
const SECOND_NS: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// A new store; whether it may compact by itself.
    Append { compaction: bool },
    /// One-second windows and one scan, read-only.
    Read,
    /// All of it, and a plain copy of its logs before and after.
    Compact,
    /// Appending alone, beside a compaction of all that the load has left, and alone again.
    Beside,
    /// A new store of single appends.
    Singles,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub library: PathBuf,
    pub dir: PathBuf,
    pub load: Load,
    pub events: u64,
    pub round: u64,
    pub work: Work,
}

/// What a turn took; what does not concern its work is 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Turn {
    /// Nanoseconds for each event (appending), or for each window.
    pub ns: f64,
    /// Of a processor, all threads together, for each event.
    pub cpu_ns: f64,
    /// The same of the thread that appends alone.
    pub thread_cpu_ns: f64,
    /// The longest single call.
    pub longest_ns: f64,
    /// How far the process grew.
    pub peak_memory: u64,
    /// Late events by the store's own counting, as a share.
    pub late: f64,
    pub window_events: f64,
    /// Bytes of logs, and of what is derived from late events; for a compaction before it.
    pub log_bytes: u64,
    pub recon_bytes: u64,
    pub bytes_after: u64,
    /// Bytes of logs that wait for compaction.
    pub backlog: u64,
    /// A plain copy's time as a share of the compaction's (speed of compaction, that of the copy being 1); or the speed of appends beside it.
    pub share: f64,
    /// The speed of appends beside a plain copy, and the longest of them.
    pub share_beside_copy: f64,
    pub copy_longest_ns: f64,
    /// Of a compaction.
    pub mib_per_s: f64,
}

pub fn run(job: &Job) -> Result<Turn> {
    let api = Api::load(&job.library, false)?;
    match job.work {
        Work::Append { compaction } => append(job, &api, compaction),
        Work::Read => read(job, &api),
        Work::Compact => compact(job, &api),
        Work::Beside => beside(job, &api),
        Work::Singles => singles(job, &api),
    }
}

fn open<'a>(job: &Job, api: &'a Api, read_only: bool, compaction: bool) -> Result<Store<'a>> {
    let options = abi::Options { read_only, compaction, ..abi::Options::new(abi::DURABILITY_PROCESS, CHUNK_NS, GRACE_NS) };
    api.open(&job.dir, options)
}

fn append(job: &Job, api: &Api, compaction: bool) -> Result<Turn> {
    let events = Events::new(job.load, job.events);
    let memory = PeakMemory::start()?;
    let store = open(job, api, false, compaction)?;
    store.append(&events.heads)?;
    let start = Instant::now();
    let (cpu, thread_cpu) = (cpu_ns(libc::RUSAGE_SELF), cpu_ns(libc::RUSAGE_THREAD));
    let mut longest_ns = 0f64;
    for batch in events.list.chunks(BATCH) {
        let call = Instant::now();
        store.append(batch)?;
        longest_ns = longest_ns.max(call.elapsed().as_nanos() as f64);
    }
    let took = start.elapsed().as_nanos() as f64;
    let count = events.list.len() as f64;
    let turn = Turn {
        ns: took / count,
        cpu_ns: (cpu_ns(libc::RUSAGE_SELF) - cpu) / count,
        thread_cpu_ns: (cpu_ns(libc::RUSAGE_THREAD) - thread_cpu) / count,
        longest_ns,
        peak_memory: memory.bytes()?,
        late: store.stat(abi::STAT_LATE_EVENTS)? as f64 / count,
        log_bytes: store.stat(abi::STAT_LOG_BYTES)?,
        recon_bytes: store.stat(abi::STAT_RECON_BYTES)?,
        backlog: store.stat(abi::STAT_BACKLOG_BYTES)?,
        ..Turn::default()
    };
    store.close()?;
    Ok(turn)
}

fn sum(events: &[Event], sum: u64) -> u64 {
    events.iter().fold(sum, |sum, event| sum.wrapping_add(event.time ^ u64::from(event.id)).wrapping_add(event.data().len() as u64))
}

/// Reads a range; how many events, and their sum.
fn read_range(store: &Store<'_>, start: u64, end: u64, scratch: &mut [Event]) -> Result<(u64, u64)> {
    let mut iter = store.read(start, end, false, 0)?;
    let (mut count, mut total) = (0, 0);
    loop {
        match iter.next_batch(scratch)? {
            0 => return Ok((count, total)),
            n => {
                count += n as u64;
                total = sum(&scratch[..n], total);
            }
        }
    }
}

fn read(job: &Job, api: &Api) -> Result<Turn> {
    // The windows of a round are the same for all loads. Times near the ends have fewer events where many are late.
    let span = job.events * super::events::SPACING_NS;
    let start_of = |window: u64| BASE_NS + span / 8 + mixed(job.round << 20 | window) % (span / 2);
    let mut scratch = [Event::EMPTY; SCRATCH_EVENTS];
    let memory = PeakMemory::start()?;
    let store = open(job, api, true, false)?;
    let (mut times, mut window_events) = (Vec::new(), 0);
    // The first pass loads what is kept in memory.
    for pass in 0..2 {
        for window in 0..WINDOWS {
            let from = start_of(window);
            let start = Instant::now();
            let (count, _) = read_range(&store, from, from + SECOND_NS - 1, &mut scratch)?;
            if pass == 1 {
                times.push(start.elapsed().as_nanos() as f64);
                window_events += count;
            }
        }
    }
    let (count, total) = read_range(&store, 0, u64::MAX, &mut scratch)?;
    let peak_memory = memory.bytes()?;
    let events = Events::new(job.load, job.events);
    let wanted = events.all().fold(0, |total, event| sum(std::slice::from_ref(event), total));
    ensure!(count == events.all().count() as u64 && total == wanted, "{count} other events were read than were appended");
    times.sort_by(f64::total_cmp);
    let ns = times[times.len() / 2];
    Ok(Turn { ns, peak_memory, window_events: window_events as f64 / WINDOWS as f64, ..Turn::default() })
}

/// The logs of a store.
pub fn logs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "estore") {
            logs.push(path);
        }
    }
    Ok(logs)
}

/// Copies logs into one file beside the store, and syncs that; nanoseconds for each byte.
fn copy_logs(dir: &Path, logs: &[PathBuf]) -> Result<f64> {
    let path = dir.with_extension("copy");
    let start = Instant::now();
    let mut copy = File::create(&path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut copied = 0;
    for log in logs {
        let mut log = File::open(log)?;
        loop {
            let n = log.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            copy.write_all(&buffer[..n])?;
            copied += n;
        }
    }
    copy.sync_data()?;
    let took = start.elapsed().as_nanos() as f64;
    fs::remove_file(&path)?;
    Ok(took / copied as f64)
}

fn compact(job: &Job, api: &Api) -> Result<Turn> {
    let before = copy_logs(&job.dir, &logs(&job.dir)?)?;
    let memory = PeakMemory::start()?;
    let store = open(job, api, false, false)?;
    let (recon_bytes, backlog) = (store.stat(abi::STAT_RECON_BYTES)?, store.stat(abi::STAT_BACKLOG_BYTES)?);
    let (start, cpu) = (Instant::now(), cpu_ns(libc::RUSAGE_SELF));
    let (log_bytes, bytes_after) = store.compact(0, u64::MAX)?;
    let took = start.elapsed().as_nanos() as f64;
    let cpu_ns = (cpu_ns(libc::RUSAGE_SELF) - cpu) / job.events as f64;
    let peak_memory = memory.bytes()?;
    store.close()?;
    let copy = (before + copy_logs(&job.dir, &logs(&job.dir)?)?) / 2.0;
    let share = copy * log_bytes as f64 / took;
    let mib_per_s = log_bytes as f64 / took * 1e9 / f64::from(1 << 20);
    let ns = took / job.events as f64;
    Ok(Turn { ns, cpu_ns, peak_memory, log_bytes, recon_bytes, bytes_after, backlog, share, mib_per_s, ..Turn::default() })
}

/// The speed of appends in order to later chunks, until `done`; events a second and the longest call.
fn append_until(store: &Store<'_>, feed: &mut Feed, next: &mut u64, mut done: impl FnMut() -> bool) -> Result<(f64, f64)> {
    let (start, first) = (Instant::now(), *next);
    let mut longest = 0f64;
    while !done() {
        for _ in 0..16 {
            let batch = feed.batch(*next, BATCH);
            let call = Instant::now();
            store.append(batch)?;
            longest = longest.max(call.elapsed().as_nanos() as f64);
            *next += BATCH as u64;
        }
    }
    Ok(((*next - first) as f64 / start.elapsed().as_secs_f64(), longest))
}

fn beside(job: &Job, api: &Api) -> Result<Turn> {
    let store = open(job, api, false, false)?;
    let mut feed = Feed::new(&DataSet::new(0));
    let mut next = 0;
    let alone_for = |ms: u128| {
        let start = Instant::now();
        move || start.elapsed().as_millis() > ms
    };
    append_until(&store, &mut feed, &mut next, alone_for(100))?;
    let (before, _) = append_until(&store, &mut feed, &mut next, alone_for(300))?;
    let memory = PeakMemory::start()?;
    let (beside, longest_ns) = thread::scope(|scope| -> Result<(f64, f64)> {
        let compaction = scope.spawn(|| store.compact(BASE_NS, BASE_NS + CHUNKS * CHUNK_NS));
        let speed = append_until(&store, &mut feed, &mut next, || compaction.is_finished());
        let (compacted, _) = compaction.join().expect("compaction panicked")?;
        ensure!(compacted > 0, "there was nothing to compact");
        speed
    })?;
    let peak_memory = memory.bytes()?;
    let (after, _) = append_until(&store, &mut feed, &mut next, alone_for(300))?;
    // The same beside a plain copy of as many bytes: not of logs that grow meanwhile, which would have no end.
    let chunk_of = |log: &PathBuf| -> Option<u64> { log.file_name()?.to_str()?.split('-').next()?.parse().ok() };
    let mut at_rest = logs(&job.dir)?;
    at_rest.retain(|log| chunk_of(log).is_some_and(|chunk| chunk < BASE_NS / CHUNK_NS + CHUNKS));
    ensure!(!at_rest.is_empty(), "there is nothing to copy");
    let (beside_copy, copy_longest_ns) = thread::scope(|scope| -> Result<(f64, f64)> {
        let copy = scope.spawn(|| copy_logs(&job.dir, &at_rest));
        let speed = append_until(&store, &mut feed, &mut next, || copy.is_finished());
        copy.join().expect("the copy panicked")?;
        speed
    })?;
    let (at_last, _) = append_until(&store, &mut feed, &mut next, alone_for(300))?;
    store.close()?;
    let share = beside / ((before + after) / 2.0);
    let share_beside_copy = beside_copy / ((after + at_last) / 2.0);
    Ok(Turn { share, longest_ns, share_beside_copy, copy_longest_ns, peak_memory, ..Turn::default() })
}

fn singles(job: &Job, api: &Api) -> Result<Turn> {
    let events = Events::new(job.load, job.events);
    let store = open(job, api, false, false)?;
    let start = Instant::now();
    for event in &events.list {
        store.append(std::slice::from_ref(event))?;
    }
    let took = start.elapsed().as_nanos() as f64;
    // The chunk is not the newest one any more.
    store.append(&[Event::view(BASE_NS + CHUNKS * CHUNK_NS, 1, &[])])?;
    store.close()?;
    sync_filesystem(job.dir.parent().context("a store has a folder")?)?;
    Ok(Turn { ns: took / job.events as f64, ..Turn::default() })
}

/// How many frames the first chunk of a store has, by walking over the headers in its logs.
pub fn count_frames(dir: &Path) -> Result<u64> {
    const LOG_HEADER_LEN: usize = 64;
    const SINGLE: u16 = 32;
    let mut frames = 0;
    let first = format!("{}-", BASE_NS / CHUNK_NS);
    let is_first = |log: &PathBuf| log.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&first));
    for log in logs(dir)?.into_iter().filter(is_first) {
        let bytes = fs::read(&log)?;
        let mut at = LOG_HEADER_LEN;
        while bytes.get(at..at + 4).is_some_and(|magic| magic == b"eFrm") {
            let field = |from: usize| bytes[at + from..at + from + 4].try_into().map(u32::from_le_bytes);
            let flags = u16::from_le_bytes([bytes[at + 24], bytes[at + 25]]);
            at += if flags & SINGLE != 0 { 64 + field(32)? as usize } else { 128 + field(40)? as usize };
            frames += 1;
        }
    }
    Ok(frames)
}
