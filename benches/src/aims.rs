//! The aims of the project for speed, memory and size, each compared with what was measured. Nothing here is written by hand but the
//! bounds.

use crate::driver::{RAW, RAW_RESERVED};
use crate::report::short;
use crate::results::{Latency, Measurement, Results};
use crate::workload::Work;

/// A row of the table.
pub struct Aim {
    pub work: String,
    pub aim: String,
    /// As text; empty if it was not measured.
    pub measured: String,
    pub reached: Option<bool>,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

pub fn rate(measurement: &Measurement) -> Option<f64> {
    (measurement.seconds > 0.0).then(|| measurement.events as f64 / measurement.seconds)
}

fn seconds_per_event(measurement: &Measurement) -> Option<f64> {
    rate(measurement).map(|rate| 1.0 / rate)
}

pub fn latency(which: impl Fn(&Latency) -> u64) -> impl Fn(&Measurement) -> Option<f64> {
    move |measurement| measurement.latency.as_ref().map(|latency| which(latency) as f64)
}

pub fn p50(measurement: &Measurement) -> Option<f64> {
    latency(|latency| latency.p50)(measurement)
}

pub fn p99(measurement: &Measurement) -> Option<f64> {
    latency(|latency| latency.p99)(measurement)
}

pub fn disk_bytes_per_event(measurement: &Measurement) -> Option<f64> {
    (measurement.disk_bytes > 0).then(|| measurement.disk_bytes as f64 / measurement.events as f64)
}

struct Table<'a> {
    results: &'a Results,
    engine: &'a str,
    aims: Vec<Aim>,
}

impl Table<'_> {
    fn row(&mut self, work: &str, aim: String, bound: Bound, value: Option<f64>, show: impl Fn(f64) -> String) {
        let reached = value.map(|value| match bound {
            AtLeast(least) => value >= least,
            AtMost(most) => value <= most,
        });
        self.aims.push(Aim { work: work.into(), aim, measured: value.map(show).unwrap_or_default(), reached });
    }

    fn median(&self, workload: &str, engine: &str, value: impl Fn(&Measurement) -> Option<f64>) -> Option<f64> {
        Some(self.results.spread(workload, engine, value)?.median)
    }

    /// An aim that compares a value of estore in a workload with that of another engine or in another workload; `what` says
    /// with which.
    fn ratio(
        &mut self,
        work: &str,
        what: &str,
        bound: Bound,
        ours: (&str, impl Fn(&Measurement) -> Option<f64>),
        theirs: (&str, &str, impl Fn(&Measurement) -> Option<f64>),
    ) {
        let ours = self.median(ours.0, self.engine, ours.1);
        let theirs = self.median(theirs.0, theirs.1, theirs.2);
        let aim = match bound {
            AtLeast(least) => format!("at least {least} times {what}"),
            AtMost(most) => format!("at most {most} times {what}"),
        };
        let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
        self.row(work, aim, bound, ratio, |ratio| format!("{ratio:.2}"));
    }

    fn absolute(&mut self, work: &str, most: f64, unit: &str, workload: &str, value: impl Fn(&Measurement) -> Option<f64>) {
        let ours = self.median(workload, self.engine, value);
        self.row(work, format!("at most {most} {unit}"), AtMost(most), ours, |ours| format!("{} {unit}", short(ours)));
    }
}

/// The aims for one build of estore.
pub fn of(results: &Results, engine: &str) -> Vec<Aim> {
    let mut table = Table { results, engine, aims: Vec::new() };
    append(&mut table, engine);
    read(&mut table, engine);
    size(&mut table, engine);
    table.aims
}

fn append(table: &mut Table<'_>, engine: &str) {
    let bulk = "append/process/batch1000/threads1";
    let work = "append, batches of 1,000, process";
    table.ratio(work, "the rate of raw", AtLeast(0.80), (bulk, rate), (bulk, RAW, rate));
    table.ratio(work, "the rate of RocksDB", AtLeast(10.0), (bulk, rate), (bulk, "rocksdb", rate));
    table.ratio(work, "the rate of LMDB", AtLeast(10.0), (bulk, rate), (bulk, "lmdb", rate));
    let present = "append-absent/present";
    let work = "append-if-absent, batches of 1,000 that are there, process";
    table.ratio(work, "the rate of appending", AtLeast(0.30), (present, rate), (bulk, engine, rate));
    let (interval, process) = ("latency/interval/batch1000-paced", "latency/process/batch1000-paced");
    let p999 = table.median(interval, engine, latency(|latency| latency.p999));
    let stated = p999.map(|ns| format!(" (p99.9 {:.0} µs a batch)", ns / 1e3)).unwrap_or_default();
    let work = format!("the same at interval, below the speed of the disk{stated}");
    table.ratio(&work, "the rate at process", AtLeast(0.8), (interval, rate), (process, engine, rate));
    let single = "append/process/batch1/threads1";
    let work = "append, single events, process";
    table.ratio(work, "the time of one raw write", AtMost(1.25), (single, seconds_per_event), (single, RAW, seconds_per_event));
    let nanoseconds = |measurement: &Measurement| seconds_per_event(measurement).map(|seconds| seconds * 1e9);
    table.absolute("append, single events, buffered", 60.0, "ns an event", "append/buffered/batch1/threads1", nanoseconds);
    let (one, sixteen) = ("append/power/batch1/threads1", "append/power/batch1/threads16");
    let work = "append, single events, power, 1 thread";
    let what = "the time of pwrite + fdatasync into space set aside";
    table.ratio(work, what, AtMost(1.15), (one, seconds_per_event), (one, RAW_RESERVED, seconds_per_event));
    table.ratio(work, "the rate of fjall", AtLeast(1.0), (one, rate), (one, "fjall", rate));
    table.ratio("the same, 16 threads", "the rate of 1 thread", AtLeast(6.0), (sixteen, rate), (one, engine, rate));
    for (percent, least) in [(1, 0.90), (50, 0.50)] {
        let late = format!("append-late/{percent}%");
        let work = format!("append, {percent}% late");
        table.ratio(&work, "the rate without late events", AtLeast(least), (&late, rate), ("append-late/0%", engine, rate));
    }
}

fn read(table: &mut Table<'_>, engine: &str) {
    let (forward, backward) = ("scan/forward/late0%", "scan/backward/late0%");
    let work = "full scan";
    table.ratio(work, "the time of raw, with checksums", AtMost(1.5), (forward, p50), (forward, RAW, p50));
    table.ratio(work, "the rate of LMDB", AtLeast(3.0), (forward, rate), (forward, "lmdb", rate));
    table.ratio(work, "the rate of RocksDB", AtLeast(10.0), (forward, rate), (forward, "rocksdb", rate));
    table.ratio("full scan backward", "the time forward", AtMost(1.3), (backward, p50), (forward, engine, p50));
    let window = "window/late0%";
    let work = "window of 1,000 events";
    table.ratio(&format!("{work}, median"), "the median of raw", AtMost(1.5), (window, p50), (window, RAW, p50));
    table.ratio(&format!("{work}, p99"), "the median of raw", AtMost(4.0), (window, p99), (window, RAW, p50));
    let (small, large) = ("window/small-store", "window/large-store");
    table.ratio(&format!("{work}, 100 times the store"), "the median in the small one", AtMost(1.5), (large, p50), (small, engine, p50));
    let late = "window/late10%";
    table.ratio(&format!("{work}, 10% late, median"), "the median of raw", AtMost(4.0), (late, p50), (late, RAW, p50));
    table.absolute("last 100 events, median", 100.0, "µs", "last/100", |measurement| Some(p50(measurement)? / 1e3));
    let in_ms = |measurement: &Measurement| Some(p50(measurement)? / 1e6);
    table.absolute("count of half of 5 million events, median", 1.0, "ms", "count/half", in_ms);
    table.absolute("open 10,000 chunks, median", 20.0, "ms", "open/chunks10000", in_ms);
    table.absolute("open 10,000 chunks with 100 million events, median", 20.0, "ms", "open/chunks10000-events100M", in_ms);
}

fn size(table: &mut Table<'_>, engine: &str) {
    // Relative to what is allowed, so that one figure stands for all workloads that read.
    let share = |measurement: &Measurement| Some(measurement.peak_memory as f64 / (f64::from(16 << 20) + 0.002 * measurement.bytes as f64));
    let reading = crate::workload::all(table.results.conditions.scale).into_iter().filter(|workload| workload.reads());
    // A window's bytes are not those of the store.
    let whole = reading.filter(|workload| matches!(workload.work, Work::Scan { .. } | Work::Open));
    let shares = whole.filter_map(|workload| Some((table.median(&workload.name, engine, share)?, workload.name)));
    let worst = shares.max_by(|a, b| a.0.total_cmp(&b.0));
    let named = worst.as_ref().map(|(_, name)| format!(" (most in {name})")).unwrap_or_default();
    let work = format!("memory of scans and of opening{named}");
    table.row(&work, "at most 16 MiB + 0.2% of the data".into(), AtMost(1.0), worst.map(|(share, _)| share), |share| {
        format!("{:.0}% of that", share * 100.0)
    });
    let beyond =
        |measurement: &Measurement| Some(disk_bytes_per_event(measurement)? - measurement.bytes as f64 / measurement.events as f64);
    table.absolute(
        "bytes on disk, batches of 1,000, beyond the payload",
        12.0,
        "bytes an event",
        "append/process/batch1000/threads1",
        beyond,
    );

    let facts = table.results.conditions.libraries.iter().find(|facts| facts.engine == engine);
    let stripped = facts.and_then(|facts| facts.stripped_bytes).map(|bytes| bytes as f64 / f64::from(1 << 20));
    table.row("shared library, stripped", "under 1 MiB".into(), AtMost(1.0), stripped, |mib| format!("{mib:.2} MiB"));
    let needed = facts.and_then(|facts| facts.needed.as_ref());
    let foreign = needed.map(|needed| needed.iter().filter(|name| !LIBC.iter().any(|part| name.starts_with(part))).count() as f64);
    let names = needed.map(|needed| needed.join(", ")).unwrap_or_default();
    table.row("shared library, what it needs", "nothing beyond libc".into(), AtMost(0.0), foreign, |_| names.clone());
}

/// The loader is a part of it.
const LIBC: [&str; 2] = ["libc.so", "ld-linux"];
