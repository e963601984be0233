//! fjall, with its defaults but for compression, which estore does not have either.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::keys::{self, CACHE_LEN};
use crate::engine::{Engine, Level, SyncEachSecond};
use estore_benches::abi::Event;
use estore_benches::data::Query;

pub struct Fjall {
    ticker: Option<SyncEachSecond>,
    database: Arc<Database>,
    events: Keyspace,
    level: Level,
    next_seq: AtomicU64,
}

impl Fjall {
    pub fn open(dir: &Path, level: Level) -> Result<Fjall> {
        let builder = Database::builder(dir).cache_size(CACHE_LEN as u64).journal_compression(CompressionType::None);
        let database = Arc::new(builder.manual_journal_persist(level == Level::Buffered).open()?);
        let options = || KeyspaceCreateOptions::default().data_block_compression_policy(CompressionPolicy::disabled());
        let events = database.keyspace("events", options)?;
        let ticker = (level == Level::Interval)
            .then(|| SyncEachSecond::start(&database, |database: &Database| Ok(database.persist(PersistMode::SyncData)?)));
        Ok(Fjall { ticker, database, events, level, next_seq: AtomicU64::new(1) })
    }
}

impl Engine for Fjall {
    fn append(&self, batch: &[Event]) -> Result<()> {
        let durability = match self.level {
            Level::Buffered => None,
            Level::Process | Level::Interval => Some(PersistMode::Buffer),
            Level::Power => Some(PersistMode::SyncData),
        };
        let mut writes = self.database.batch().durability(durability);
        keys::with_keys(&self.next_seq, batch).for_each(|(key, data)| writes.insert(&self.events, key, data));
        Ok(writes.commit()?)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.database.persist(PersistMode::Buffer)?)
    }

    fn scan(&self, query: &Query, _scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let (first, last) = keys::bounds(query);
        let mut range = self.events.range(first..=last);
        for _ in 0..keys::limit(query) {
            let Some(entry) = (if query.reverse { range.next_back() } else { range.next() }) else { break };
            // Each entry holds its own reference to its block, so there are no batches.
            let (key, data) = entry.into_inner()?;
            visit(&[keys::event(&key, &data)]);
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.ticker.take();
        // Into the shape that it would take with time: nothing in the journal.
        self.events.rotate_memtable_and_wait()?;
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
