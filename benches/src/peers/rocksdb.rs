//! RocksDB, with its defaults but for compression, which estore does not have either.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, Options, ReadOptions, WaitForCompactOptions, WriteBatch, WriteOptions};

use super::keys::{self, CACHE_LEN};
use crate::engine::{Engine, Level, SyncEachSecond};
use estore_benches::abi::Event;
use estore_benches::data::Query;

pub struct Rocksdb {
    ticker: Option<SyncEachSecond>,
    db: Arc<DB>,
    level: Level,
    next_seq: AtomicU64,
}

impl Rocksdb {
    pub fn open(dir: &Path, level: Level) -> Result<Rocksdb> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(CACHE_LEN));
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        options.set_compression_type(DBCompressionType::None);
        options.set_manual_wal_flush(level == Level::Buffered);
        let db = Arc::new(DB::open(&options, dir)?);
        let ticker = (level == Level::Interval).then(|| SyncEachSecond::start(&db, |db: &DB| Ok(db.flush_wal(true)?)));
        Ok(Rocksdb { ticker, db, level, next_seq: AtomicU64::new(1) })
    }
}

impl Engine for Rocksdb {
    fn append(&self, batch: &[Event]) -> Result<()> {
        let mut writes = WriteBatch::default();
        keys::with_keys(&self.next_seq, batch).for_each(|(key, data)| writes.put(key, data));
        let mut options = WriteOptions::default();
        options.set_sync(self.level == Level::Power);
        Ok(self.db.write_opt(writes, &options)?)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.db.flush_wal(false)?)
    }

    fn scan(&self, query: &Query, _scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let (first, last) = keys::bounds(query);
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(first);
        // Exclusive, so one byte longer.
        options.set_iterate_upper_bound([last.as_slice(), &[0]].concat());
        let mut iter = self.db.raw_iterator_opt(options);
        if query.reverse {
            iter.seek_to_last()
        } else {
            iter.seek_to_first()
        }
        let mut left = keys::limit(query);
        while let Some((key, data)) = iter.item().filter(|_| left > 0) {
            // Valid only until the next step, so there are no batches.
            visit(&[keys::event(key, data)]);
            left -= 1;
            if query.reverse { iter.prev() } else { iter.next() }
        }
        Ok(iter.status()?)
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.ticker.take();
        // Into the shape that it would take with time: nothing in the log, all compactions done.
        self.db.flush()?;
        self.db.wait_for_compact(&WaitForCompactOptions::default())?;
        Ok(())
    }
}
