//! The stores that people would use instead, on equal terms: an event's key is its time, a rising number and its id, in this order and
//! big endian, so that keys sort as events do; its value is its data. A batch is one transaction. The README says how each durability
//! level is reached. Only built with the feature `peers`.

#[cfg(feature = "peers")]
mod fjall;
#[cfg(feature = "peers")]
mod lmdb;
#[cfg(feature = "peers")]
mod rocksdb;
#[cfg(feature = "peers")]
mod sqlite;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Level};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    Rocksdb,
    Lmdb,
    Sqlite,
    Fjall,
}

pub const ALL: [(&str, Peer); 4] = [("rocksdb", Peer::Rocksdb), ("lmdb", Peer::Lmdb), ("sqlite", Peer::Sqlite), ("fjall", Peer::Fjall)];

impl Peer {
    #[cfg(feature = "peers")]
    pub fn open(self, dir: &Path, level: Level) -> Result<Box<dyn Engine>> {
        std::fs::create_dir_all(dir)?;
        Ok(match self {
            Peer::Rocksdb => Box::new(rocksdb::Rocksdb::open(dir, level)?),
            Peer::Lmdb => Box::new(lmdb::Lmdb::open(dir, level)?),
            Peer::Sqlite => Box::new(sqlite::Sqlite::open(dir, level)?),
            Peer::Fjall => Box::new(fjall::Fjall::open(dir, level)?),
        })
    }

    #[cfg(not(feature = "peers"))]
    pub fn open(self, _dir: &Path, _level: Level) -> Result<Box<dyn Engine>> {
        anyhow::bail!("built without the feature `peers`")
    }
}

/// What the engines with keys of bytes have in common.
#[cfg(feature = "peers")]
mod keys {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use estore_benches::abi::Event;
    use estore_benches::data::Query;

    pub type Key = [u8; 20];
    /// Blocks that were read stay in memory, as far as the engine has a cache of its own.
    pub const CACHE_LEN: usize = 1 << 30;

    pub fn key(time: u64, seq: u64, id: u32) -> Key {
        let mut key = [0; 20];
        key[..8].copy_from_slice(&time.to_be_bytes());
        key[8..16].copy_from_slice(&seq.to_be_bytes());
        key[16..].copy_from_slice(&id.to_be_bytes());
        key
    }

    /// Gives each event of a batch its key.
    pub fn with_keys<'a>(next_seq: &AtomicU64, batch: &'a [Event]) -> impl Iterator<Item = (Key, &'a [u8])> {
        let first = next_seq.fetch_add(batch.len() as u64, Relaxed);
        batch.iter().zip(first..).map(|(event, seq)| (key(event.time, seq, event.id), event.data()))
    }

    /// The first and the last key that a range of times can have, both inclusive.
    pub fn bounds(query: &Query) -> (Key, Key) {
        (key(query.start, 0, 0), key(query.end, u64::MAX, u32::MAX))
    }

    /// A view of an entry.
    pub fn event(key: &[u8], data: &[u8]) -> Event {
        let (mut time, mut id) = ([0; 8], [0; 4]);
        time.copy_from_slice(&key[..8]);
        id.copy_from_slice(&key[16..]);
        Event::view(u64::from_be_bytes(time), u32::from_be_bytes(id), data)
    }

    /// At most so many events are asked for.
    pub fn limit(query: &Query) -> usize {
        if query.limit == 0 { usize::MAX } else { query.limit as usize }
    }
}
