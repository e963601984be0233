//! The list of what is measured. A workload's name says all of it, and is how results, reports and the command line refer to it.

use crate::engine::{EngineSpec, Kind, Level};
use crate::raw::Variant;
use estore_benches::data::{DataSet, SPACING_NS};

/// Events that a window holds.
pub const WINDOW_EVENTS: u64 = 1_000;
/// Of a store that is large against the caches of a processor, and small against memory.
const BULK_EVENTS: u64 = 5_000_000;
const SINGLE_EVENTS: u64 = 2_000_000;
/// A paced append leaves the disk time to keep up: about 100 MB/s.
pub const PACED_EVENTS_PER_S: u64 = 1_000_000;
const PACED_SECONDS: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// How fast events go in; stops early where it is slow.
    Append {
        level: Level,
        batch: usize,
        threads: usize,
    },
    /// Each call is timed; `paced` ones come at [`PACED_EVENTS_PER_S`], whatever they take.
    Latency {
        level: Level,
        batch: usize,
        paced: bool,
    },
    AppendAbsent {
        present: bool,
    },
    Scan {
        reverse: bool,
    },
    /// Opening, reading and closing windows of [`WINDOW_EVENTS`] at random places, each timed.
    Windows,
    /// The newest so many events.
    Last {
        events: u64,
    },
    /// Of the middle half of the store.
    Count,
    Open,
}

pub struct Workload {
    pub name: String,
    pub work: Work,
    pub data: DataSet,
    /// Measured only when asked for: takes long, and much disk.
    pub only_in_full: bool,
    large: bool,
}

impl Workload {
    /// Whether a store with the data must be there beforehand.
    pub fn reads(&self) -> bool {
        matches!(self.work, Work::Scan { .. } | Work::Windows | Work::Last { .. } | Work::Count | Work::Open)
    }

    /// Whether the engine can do it, and it tells something.
    pub fn suits(&self, engine: &EngineSpec) -> bool {
        match (engine.kind, self.work) {
            // It has one chunk, always.
            (Kind::Efile, Work::Open) => false,
            (Kind::Estore | Kind::Efile, _) => true,
            (_, Work::AppendAbsent { .. } | Work::Open) => false,
            (Kind::Raw(Variant::Plain), work) => work != Work::Count,
            (Kind::Raw(Variant::Reserved), Work::Append { level, threads, .. }) => {
                level == Level::Power || level == Level::Process && threads == 1
            }
            (Kind::Raw(Variant::Reserved | Variant::Zeroed), Work::Append { level, .. } | Work::Latency { level, .. }) => {
                level == Level::Power
            }
            (Kind::Raw(Variant::Reserved | Variant::Zeroed), _) => false,
            (Kind::Raw(Variant::Unchecked), work) => matches!(work, Work::Scan { .. }),
            (Kind::Peer(_), _) => !self.large,
        }
    }
}

/// All workloads. `scale` changes how many events there are, not what each of them is.
pub fn all(scale: f64) -> Vec<Workload> {
    // Whole batches of every size in use, and more than a window.
    let scaled = |events: u64| ((events as f64 * scale) as u64).div_ceil(5_000).max(1) * 5_000;
    let bulk = DataSet::new(scaled(BULK_EVENTS));
    let single = DataSet::new(scaled(SINGLE_EVENTS));
    let late = |late_percent| DataSet { late_percent, ..bulk.clone() };
    let mut list = Vec::new();
    let mut add = |name: String, work: Work, data: DataSet| {
        list.push(Workload { name, work, data, only_in_full: false, large: false });
        list.len() - 1
    };

    for level in [Level::Buffered, Level::Process, Level::Interval, Level::Power] {
        for (batch, data) in [(1_000, &bulk), (1, &single)] {
            for threads in [1, 4, 16] {
                let name = format!("append/{level}/batch{batch}/threads{threads}");
                add(name, Work::Append { level, batch, threads }, data.clone());
            }
        }
    }
    for level in [Level::Process, Level::Interval, Level::Power] {
        add(format!("latency/{level}/batch1"), Work::Latency { level, batch: 1, paced: false }, single.clone());
    }
    for level in [Level::Process, Level::Interval] {
        let data = DataSet::new(scaled(PACED_EVENTS_PER_S * PACED_SECONDS));
        add(format!("latency/{level}/batch1000-paced"), Work::Latency { level, batch: 1_000, paced: true }, data);
    }
    let in_batches = |batch| Work::Append { level: Level::Process, batch, threads: 1 };
    for percent in [0, 1, 10, 50] {
        add(format!("append-late/{percent}%"), in_batches(1_000), late(percent));
    }
    for (present, late_percent, name) in [(false, 0, "new"), (true, 0, "present"), (true, 10, "present-late10%")] {
        let data = DataSet { late_percent, ..DataSet::new(scaled(1_000_000)) };
        add(format!("append-absent/{name}"), Work::AppendAbsent { present }, data);
    }
    // Batches of 100 KB to 1 MB, half a gigabyte in all where the events are large enough.
    let sizes = [(16, 5_000, BULK_EVENTS), (100, 5_000, BULK_EVENTS), (1_000, 500, 500_000), (100_000, 10, 5_000)];
    for (len, batch, events) in sizes {
        let events = scaled(events);
        let data = DataSet { len, ..DataSet::new(events) };
        add(format!("append-size/{len}"), in_batches(batch), data.clone());
        add(format!("scan-size/{len}"), Work::Scan { reverse: false }, data);
    }
    for percent in [0, 1, 10, 50] {
        for (reverse, name) in [(false, "forward"), (true, "backward")] {
            add(format!("scan/{name}/late{percent}%"), Work::Scan { reverse }, late(percent));
        }
    }
    for percent in [0, 10] {
        add(format!("window/late{percent}%"), Work::Windows, late(percent));
    }
    add("last/100".into(), Work::Last { events: 100 }, bulk.clone());
    add("count/half".into(), Work::Count, bulk.clone());
    let small = add("window/small-store".into(), Work::Windows, DataSet::new(scaled(500_000)));
    let large = add("window/large-store".into(), Work::Windows, DataSet::new(scaled(50_000_000)));
    let chunks = |chunks: u64, events: u64| DataSet {
        file_size_ns: events * SPACING_NS,
        // So that each chunk has exactly as many events as said.
        jitter: false,
        ..DataSet::new(chunks * events)
    };
    for n in [1, 1_000, 10_000] {
        add(format!("open/chunks{n}"), Work::Open, chunks(n, 100));
    }
    let full = add("open/chunks10000-events100M".into(), Work::Open, chunks(10_000, 10_000));
    list[full].only_in_full = true;
    for i in [small, large] {
        list[i].large = true;
    }
    list
}

/// Whether a name matches a pattern in which `*` stands for anything.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((front, rest)) => {
            name.strip_prefix(front).is_some_and(|name| (0..=name.len()).any(|at| name.is_char_boundary(at) && matches(rest, &name[at..])))
        }
    }
}
