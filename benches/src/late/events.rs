//! The events of late-heavy loads: four chunks of them, each computed from its number, with data as long as real log lines are.

use serde::{Deserialize, Serialize};

use estore_benches::abi::Event;
use estore_benches::data::mixed;

const SECOND_NS: u64 = 1_000_000_000;
/// One event each millisecond, so that a window of one second has about a thousand.
pub const SPACING_NS: u64 = SECOND_NS / 1000;
pub const GRACE_NS: u64 = 10 * SECOND_NS;
pub const CHUNK_NS: u64 = 400 * SECOND_NS;
pub const CHUNKS: u64 = 4;
/// Sources do not send quite in order.
const JITTER_NS: u64 = SECOND_NS / 100;
/// A late event is older than the grace by up to this: it lies in the chunk that is being filled, or in one of the two before that.
const MOST_AGE_NS: u64 = 2 * CHUNK_NS;
/// The start of a chunk, before all those of the other workloads.
pub const BASE_NS: u64 = 4_000_000 * CHUNK_NS;
const DAY_NS: u64 = 86_400 * SECOND_NS;
/// Data is taken from here, at changing places.
const POOL_LEN: usize = 128 << 10;
/// One in so many sources has the broken clock.
const SOURCES: u64 = 10;

/// Lengths of 16,272 lines of real logs (Zookeeper, OpenStack, Thunderbird) and commit subjects: the shortest, then what each further
/// tenth of them stays below.
const LENGTHS: [u64; 11] = [25, 55, 64, 69, 76, 83, 94, 118, 145, 245, 400];

/// What a clock that is wrong says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Broken {
    /// A year ahead.
    Year,
    /// It began at 1970 when it was started.
    Epoch,
    /// Ahead by less than a chunk, but by much more than the grace: all others are late for that.
    Minutes,
}

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub late_percent: u64,
    pub broken: Option<Broken>,
}

impl Load {
    pub const fn late(late_percent: u64) -> Load {
        Load { late_percent, broken: None }
    }

    pub const fn broken(broken: Broken) -> Load {
        Load { late_percent: 0, broken: Some(broken) }
    }

    pub fn name(self) -> String {
        match self.broken {
            None => format!("{}% late", self.late_percent),
            Some(Broken::Year) => "a clock a year ahead".into(),
            Some(Broken::Epoch) => "a clock that begins at 1970".into(),
            Some(Broken::Minutes) => "a clock 150 s ahead".into(),
        }
    }

    fn time(self, i: u64) -> u64 {
        let elapsed = i * SPACING_NS + mixed(i) % JITTER_NS;
        let source = mixed(i ^ 0x3c6e_f372_fe94_f82b) % SOURCES;
        if source == 0
            && let Some(broken) = self.broken
        {
            return match broken {
                Broken::Year => BASE_NS + elapsed + 365 * DAY_NS,
                Broken::Epoch => elapsed,
                Broken::Minutes => BASE_NS + elapsed + 150 * SECOND_NS,
            };
        }
        let is_late = mixed(i ^ 0xbb67_ae85_84ca_a73b) % 100 < self.late_percent;
        if !is_late {
            return BASE_NS + elapsed;
        }
        let most = MOST_AGE_NS.min(elapsed);
        let age = if most > GRACE_NS { GRACE_NS + mixed(i ^ 0xa54f_f53a_5f1d_36f1) % (most - GRACE_NS) } else { 0 };
        BASE_NS + elapsed - age
    }
}

/// The events of one load.
pub struct Events {
    pub list: Vec<Event>,
    /// What is in the store before them: where all are to be late, the newest events of each chunk.
    pub heads: Vec<Event>,
    // Held for the views in the lists.
    _pool: Vec<u8>,
}

impl Events {
    pub fn new(load: Load, count: u64) -> Events {
        let pool: Vec<u8> = (0..POOL_LEN as u64 / 8).flat_map(|n| mixed(n ^ 0x6a09_e667_f3bc_c908).to_le_bytes()).collect();
        let event = |i: u64, time: u64| {
            let tenth = (mixed(i ^ 0x510e_527f_ade6_82d1) % 10) as usize;
            let (low, high) = (LENGTHS[tenth], LENGTHS[tenth + 1]);
            let len = (low + mixed(i ^ 0x9b05_688c_2b3e_6c1f) % (high - low)) as usize;
            let at = mixed(i ^ 0x1f83_d9ab_fb41_bd6b) as usize % (POOL_LEN - len);
            Event::view(time, mixed(i) as u32, &pool[at..at + len])
        };
        let list = (0..count).map(|i| event(i, load.time(i))).collect();
        let heads = (1..=CHUNKS).flat_map(|chunk| [2, 1].map(|before| event(count + chunk, BASE_NS + chunk * CHUNK_NS - before)));
        let heads = heads.filter(|_| load.late_percent == 100).collect();
        Events { list, heads, _pool: pool }
    }

    pub fn all(&self) -> impl Iterator<Item = &Event> {
        self.heads.iter().chain(&self.list)
    }
}
