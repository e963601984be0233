//! The events that every engine is given: the same in each run, at no cost in the part that is timed, and with a checksum that tells
//! whether reading gave all of them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::abi::Event;

const SECOND_NS: u64 = 1_000_000_000;
pub const HOUR_NS: u64 = 3600 * SECOND_NS;
pub const GRACE_NS: u64 = 30 * SECOND_NS;
/// One event each 100 µs.
pub const SPACING_NS: u64 = 100_000;
/// Stamps of many sources do not come in order: each is up to this much too new.
const JITTER_NS: u64 = 10_000_000;
/// A late event is older by at least and at most this.
const LATE_NS: Range<u64> = 60 * SECOND_NS..600 * SECOND_NS;
/// The first time. The oldest late event still lies in the same hour, and so in the same chunk.
pub const BASE_NS: u64 = 500_000 * HOUR_NS + LATE_NS.end;

/// After so many events the pattern repeats, with later times. Together with the pool small enough to stay in the processor's second
/// cache, as the events of a program do that has just made them; a multiple of every size of batch in use.
const PERIOD: u64 = 5_000;
/// Where the data of the events is taken from, at changing places.
const POOL_LEN: usize = 128 << 10;

/// Which events there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DataSet {
    pub events: u64,
    /// The length of each event's data.
    pub len: u32,
    pub late_percent: u32,
    /// The stretch of time of one chunk, for engines that have chunks.
    pub file_size_ns: u64,
    pub jitter: bool,
}

impl DataSet {
    pub const fn new(events: u64) -> DataSet {
        DataSet { events, len: 100, late_percent: 0, file_size_ns: HOUR_NS, jitter: true }
    }

    pub fn folder(&self) -> String {
        let DataSet { events, len, late_percent, file_size_ns, jitter: _ } = self;
        format!("events{events}-len{len}-late{late_percent}-chunk{file_size_ns}")
    }
}

/// A good mix of a number (splitmix64), which makes every event computable by itself.
pub fn mixed(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Gives the events of a data set. Each thread has its own.
pub struct Feed {
    events: Vec<Event>,
    /// The times of `events` in the first period.
    times: Vec<u64>,
    // Held for the views in `events`.
    _pool: Vec<u8>,
}

impl Feed {
    pub fn new(data: &DataSet) -> Feed {
        let pool: Vec<u8> = (0..POOL_LEN as u64 / 8).flat_map(|n| mixed(n ^ 0x6a09_e667_f3bc_c908).to_le_bytes()).collect();
        let len = data.len as usize;
        let times: Vec<u64> = (0..PERIOD)
            .map(|i| {
                let jitter = if data.jitter { mixed(i) % JITTER_NS } else { 0 };
                let time = BASE_NS + i * SPACING_NS + jitter;
                let late = mixed(i ^ 0xbb67_ae85_84ca_a73b) % 100 < u64::from(data.late_percent);
                let age = LATE_NS.start + mixed(i ^ 0x3c6e_f372_fe94_f82b) % (LATE_NS.end - LATE_NS.start);
                if late { time - age } else { time }
            })
            .collect();
        let events = (0..PERIOD)
            .map(|i| {
                let at = mixed(i ^ 0xa54f_f53a_5f1d_36f1) as usize % (POOL_LEN - len);
                Event::view(times[i as usize], mixed(i) as u32, &pool[at..at + len])
            })
            .collect();
        Feed { events, times, _pool: pool }
    }

    /// The events from number `first` on. A batch must not reach over the end of a period: no size in use does.
    #[inline]
    pub fn batch(&mut self, first: u64, n: usize) -> &[Event] {
        let at = (first % PERIOD) as usize;
        let shift = first / PERIOD * (PERIOD * SPACING_NS);
        let events = &mut self.events[at..at + n];
        for (event, time) in events.iter_mut().zip(&self.times[at..at + n]) {
            event.time = time + shift;
        }
        events
    }

    /// Event number `i`.
    pub fn event(&mut self, i: u64) -> Event {
        self.batch(i, 1)[0]
    }
}

/// Reads every event a little, as a program would: its fields and both ends of its data. Not inlined, so that no engine can spare what
/// another has to do.
#[inline(never)]
pub fn touch(events: &[Event]) -> u64 {
    let mut sum = 0u64;
    for event in events {
        let data = event.data();
        let (first, last) = (data.first().copied().unwrap_or(0), data.last().copied().unwrap_or(0));
        sum = sum.wrapping_add(event.time ^ u64::from(event.id) ^ data.len() as u64 ^ u64::from(first) ^ u64::from(last));
    }
    sum
}

/// A question to a store, and its answer.
#[derive(Clone, Debug)]
pub struct Query {
    pub start: u64,
    /// Inclusive.
    pub end: u64,
    pub reverse: bool,
    /// 0 for all.
    pub limit: u64,
    /// Where the answer stands among all events in order of time: what a perfect index would know. Only the physical limit uses it.
    pub place: Range<u64>,
}

/// What reading must give: the times in order, and for each place the sum of what [`touch`] makes of the events before it.
pub struct Expected {
    times: Vec<u64>,
    sums: Vec<u64>,
}

impl Expected {
    pub fn new(data: &DataSet) -> Expected {
        let mut feed = Feed::new(data);
        let mut events: Vec<(u64, u64)> = (0..data.events)
            .map(|i| {
                let event = feed.event(i);
                (event.time, touch(&[event]))
            })
            .collect();
        events.sort_unstable();
        let times = events.iter().map(|(time, _)| *time).collect();
        let mut sum = 0u64;
        let mut sums = vec![0];
        sums.extend(events.iter().map(|(_, touched)| {
            sum = sum.wrapping_add(*touched);
            sum
        }));
        Expected { times, sums }
    }

    pub fn all(&self, reverse: bool) -> Query {
        Query { start: 0, end: u64::MAX, reverse, limit: 0, place: 0..self.times.len() as u64 }
    }

    /// The last `n` events, newest first.
    pub fn last(&self, n: u64) -> Query {
        let events = self.times.len() as u64;
        Query { start: 0, end: u64::MAX, reverse: true, limit: n, place: events.saturating_sub(n)..events }
    }

    /// The stretch of time that begins at the event with this place and ends with that `n - 1` places on.
    pub fn window(&self, first: u64, n: u64) -> Query {
        let (start, end) = (self.times[first as usize], self.times[(first + n - 1) as usize]);
        let from = self.times.partition_point(|time| *time < start) as u64;
        let to = self.times.partition_point(|time| *time <= end) as u64;
        Query { start, end, reverse: false, limit: 0, place: from..to }
    }

    /// The sum that [`touch`] must give for the answer.
    pub fn sum(&self, query: &Query) -> u64 {
        self.sums[query.place.end as usize].wrapping_sub(self.sums[query.place.start as usize])
    }
}
