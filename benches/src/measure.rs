//! One measurement. It runs in a process of its own, which the driver starts, so that neither memory nor caches of one engine meet those
//! of another.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineSpec, Kind, Level};
use crate::machine::{PeakMemory, disk_bytes, sync_filesystem};
use crate::results::{Latency, Measurement};
use crate::workload::{self, PACED_EVENTS_PER_S, WINDOW_EVENTS, Work, Workload};
use crate::{estore, raw};
use estore_benches::abi::{Api, Event};
use estore_benches::data::{DataSet, Expected, Feed, Query, mixed, touch};

/// Work ends after this, done or not: the slow engines are slow for a tenth of the events too.
const TIME_LIMIT: Duration = Duration::from_secs(2);
const RANDOM_WINDOWS: u64 = 1_000;
const REPEATS: u64 = 100;
const OPENINGS: usize = 11;
/// A program would read into such an array.
const SCRATCH_EVENTS: usize = 512;

/// What the driver asks a child for.
#[derive(Serialize, Deserialize)]
pub struct Job {
    pub engine: EngineSpec,
    pub workload: String,
    pub scale: f64,
    /// Where the store is, or will be.
    pub dir: PathBuf,
    /// To make the store that the workload reads, instead of the workload.
    pub build: bool,
}

pub fn run(job: &Job) -> Result<Measurement> {
    let workload = workload::all(job.scale).into_iter().find(|workload| workload.name == job.workload).context("no such workload")?;
    if job.build {
        return build(job, &workload.data);
    }
    let parent = job.dir.parent().context("the folder has no parent")?;
    sync_filesystem(parent)?;
    match workload.work {
        Work::Append { level, batch, threads } => append(job, &workload.data, level, batch, threads),
        Work::Latency { level, batch, paced } => append_latency(job, &workload.data, level, batch, paced),
        Work::AppendAbsent { present } => append_absent(job, &workload.data, present),
        Work::Open => open(job, &workload),
        Work::Scan { .. } | Work::Windows | Work::Last { .. } | Work::Count => read(job, &workload),
    }
}

fn build(job: &Job, data: &DataSet) -> Result<Measurement> {
    if matches!(job.engine.kind, Kind::Raw(_)) {
        raw::build(&job.dir, data)?;
    } else {
        let engine = job.engine.open(&job.dir, Level::Process, data)?;
        let batch = if data.len > 1_000 { 10 } else { 1_000 };
        append_all(&*engine, data, batch)?;
        engine.close()?;
    }
    measured(data, data.events, 0.0, None, 0, disk_bytes(&job.dir)?)
}

fn measured(
    data: &DataSet,
    events: u64,
    seconds: f64,
    latency: Option<Histogram<u64>>,
    peak_memory: u64,
    disk_bytes: u64,
) -> Result<Measurement> {
    let latency = latency.map(|histogram| Latency {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    });
    Ok(Measurement { events, bytes: events * u64::from(data.len), seconds, latency, peak_memory, disk_bytes })
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

/// Closes what a workload wrote, and looks at what it left.
fn close_and_measure_disk(engine: Box<dyn Engine>, dir: &Path) -> Result<u64> {
    engine.close()?;
    disk_bytes(dir)
}

fn append_all(engine: &dyn Engine, data: &DataSet, batch: usize) -> Result<()> {
    let mut feed = Feed::new(data);
    for first in (0..data.events).step_by(batch) {
        engine.append(feed.batch(first, batch))?;
    }
    Ok(())
}

fn append(job: &Job, data: &DataSet, level: Level, batch: usize, threads: usize) -> Result<Measurement> {
    let mut feeds: Vec<Feed> = (0..threads).map(|_| Feed::new(data)).collect();
    let memory = PeakMemory::start()?;
    let engine = job.engine.open(&job.dir, level, data)?;
    let next = AtomicU64::new(0);
    let start_line = Barrier::new(threads);
    let (events, seconds) = if threads == 1 {
        let start = Instant::now();
        let events = append_some(&*engine, &mut feeds[0], data, batch, &next, start)?;
        engine.flush()?;
        (events, start.elapsed().as_secs_f64())
    } else {
        let ran: Vec<Result<(u64, Instant, Instant)>> = std::thread::scope(|scope| {
            let started: Vec<_> = feeds
                .iter_mut()
                .map(|feed| {
                    let (engine, next, start_line) = (&*engine, &next, &start_line);
                    scope.spawn(move || {
                        start_line.wait();
                        let start = Instant::now();
                        let events = append_some(engine, feed, data, batch, next, start)?;
                        Ok((events, start, Instant::now()))
                    })
                })
                .collect();
            started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("an appending thread panicked"))).collect()
        });
        let before_flush = Instant::now();
        engine.flush()?;
        let flushing = before_flush.elapsed();
        let ran = ran.into_iter().collect::<Result<Vec<_>>>()?;
        let start = ran.iter().map(|(_, start, _)| *start).min().context("no threads")?;
        let end = ran.iter().map(|(_, _, end)| *end).max().context("no threads")?;
        (ran.iter().map(|(events, _, _)| events).sum(), (end - start + flushing).as_secs_f64())
    };
    let peak = memory.bytes()?;
    let disk = close_and_measure_disk(engine, &job.dir)?;
    measured(data, events, seconds, None, peak, disk)
}

/// Appends batches until there are none left, or the time is over. All threads take from one counter: their times stay beside each
/// other, as those of a program's threads do, and nothing becomes late by chance.
fn append_some(engine: &dyn Engine, feed: &mut Feed, data: &DataSet, batch: usize, next: &AtomicU64, start: Instant) -> Result<u64> {
    // Looking at the clock must not count beside the cheapest append.
    let look_each = (256 / batch).max(1) as u64;
    let mut done = 0;
    loop {
        let first = next.fetch_add(batch as u64, Relaxed);
        if first >= data.events || done % look_each == 0 && start.elapsed() > TIME_LIMIT {
            return Ok(done * batch as u64);
        }
        engine.append(feed.batch(first, batch))?;
        done += 1;
    }
}

fn append_latency(job: &Job, data: &DataSet, level: Level, batch: usize, paced: bool) -> Result<Measurement> {
    let mut feed = Feed::new(data);
    let mut histogram = histogram()?;
    let memory = PeakMemory::start()?;
    let engine = job.engine.open(&job.dir, level, data)?;
    let limit = if paced { Duration::from_secs(10) } else { TIME_LIMIT };
    let (mut events, mut busy) = (0, Duration::ZERO);
    let start = Instant::now();
    while events < data.events && start.elapsed() < limit {
        if paced {
            let due = Duration::from_nanos(events * 1_000_000_000 / PACED_EVENTS_PER_S);
            std::thread::sleep(due.saturating_sub(start.elapsed()));
        }
        let events_now = feed.batch(events, batch);
        let before = Instant::now();
        engine.append(events_now)?;
        let took = before.elapsed();
        busy += took;
        histogram.record(took.as_nanos() as u64)?;
        events += batch as u64;
    }
    let peak = memory.bytes()?;
    let disk = close_and_measure_disk(engine, &job.dir)?;
    measured(data, events, busy.as_secs_f64(), Some(histogram), peak, disk)
}

fn append_absent(job: &Job, data: &DataSet, present: bool) -> Result<Measurement> {
    const BATCH: usize = 1_000;
    let mut feed = Feed::new(data);
    let memory = PeakMemory::start()?;
    let engine = job.engine.open(&job.dir, Level::Process, data)?;
    if present {
        append_all(&*engine, data, BATCH)?;
        sync_filesystem(&job.dir)?;
    }
    let (mut events, mut stored) = (0, 0);
    let start = Instant::now();
    while events < data.events && start.elapsed() < TIME_LIMIT {
        stored += engine.append_absent(feed.batch(events, BATCH))?;
        events += BATCH as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    ensure!(stored == if present { 0 } else { events }, "append_absent stored {stored} of {events} events");
    let peak = memory.bytes()?;
    let disk = close_and_measure_disk(engine, &job.dir)?;
    measured(data, events, seconds, None, peak, disk)
}

/// Asks one question, times it, and checks the answer. What is checked is part of the work: it is the touching of the events.
fn ask(engine: &dyn Engine, expected: &Expected, query: &Query, scratch: &mut [Event]) -> Result<Duration> {
    let (mut count, mut sum) = (0u64, 0u64);
    let before = Instant::now();
    engine.scan(query, scratch, &mut |events| {
        count += events.len() as u64;
        sum = sum.wrapping_add(touch(events));
    })?;
    let took = before.elapsed();
    let wanted = query.place.end - query.place.start;
    ensure!(count == wanted, "reading gave {count} events where there are {wanted}: {query:?}");
    ensure!(sum == expected.sum(query), "reading gave other events than were appended: {query:?}");
    Ok(took)
}

fn read(job: &Job, workload: &Workload) -> Result<Measurement> {
    let data = &workload.data;
    let expected = Expected::new(data);
    let mut scratch = [Event::EMPTY; SCRATCH_EVENTS];
    let memory = PeakMemory::start()?;
    let engine = job.engine.open(&job.dir, Level::Process, data)?;
    // All that is timed finds its bytes in memory, in the page cache or in the engine's own.
    ask(&*engine, &expected, &expected.all(false), &mut scratch)?;
    let mut histogram = histogram()?;
    let mut events = 0;
    let mut total = Duration::ZERO;
    let mut note = |n: u64, took: Duration| -> Result<bool> {
        events += n;
        total += took;
        histogram.record(took.as_nanos() as u64)?;
        Ok(total < TIME_LIMIT)
    };
    match workload.work {
        Work::Scan { reverse } => {
            note(data.events, ask(&*engine, &expected, &expected.all(reverse), &mut scratch)?)?;
        }
        Work::Windows => {
            for i in 0..RANDOM_WINDOWS {
                let query = expected.window(mixed(i) % (data.events - WINDOW_EVENTS), WINDOW_EVENTS);
                let took = ask(&*engine, &expected, &query, &mut scratch)?;
                note(query.place.end - query.place.start, took)?;
            }
        }
        Work::Last { events } => {
            let query = expected.last(events);
            for _ in 0..REPEATS {
                note(events, ask(&*engine, &expected, &query, &mut scratch)?)?;
            }
        }
        Work::Count => {
            let query = expected.window(data.events / 4, data.events / 2);
            let wanted = query.place.end - query.place.start;
            for _ in 0..REPEATS {
                let before = Instant::now();
                let count = engine.count(&query)?;
                let took = before.elapsed();
                ensure!(count == wanted, "counted {count} events where there are {wanted}");
                if !note(wanted, took)? {
                    break;
                }
            }
        }
        other => bail!("{other:?} does not read"),
    }
    let peak = memory.bytes()?;
    engine.close()?;
    measured(data, events, total.as_secs_f64(), Some(histogram), peak, 0)
}

fn open(job: &Job, workload: &Workload) -> Result<Measurement> {
    // The library itself is opened only once, by a program too.
    let api: &'static Api = Box::leak(Box::new(Api::load(job.engine.library()?, job.engine.kind == Kind::Efile)?));
    let mut histogram = histogram()?;
    let mut total = Duration::ZERO;
    let mut peak = 0;
    for _ in 0..OPENINGS {
        let memory = PeakMemory::start()?;
        let before = Instant::now();
        let engine = estore::open_with(api, &job.dir, Level::Process, &workload.data)?;
        let took = before.elapsed();
        peak = peak.max(memory.bytes()?);
        engine.close()?;
        total += took;
        histogram.record(took.as_nanos() as u64)?;
    }
    measured(&workload.data, workload.data.events, total.as_secs_f64() / OPENINGS as f64, Some(histogram), peak, disk_bytes(&job.dir)?)
}
