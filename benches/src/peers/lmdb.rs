//! LMDB.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use super::keys;
use crate::engine::{Engine, Level, SyncEachSecond};
use estore_benches::abi::Event;
use estore_benches::data::Query;

/// Address space only.
const MAP_LEN: usize = 64 << 30;

pub struct Lmdb {
    ticker: Option<SyncEachSecond>,
    env: Arc<Env>,
    database: Database<Bytes, Bytes>,
    next_seq: AtomicU64,
}

impl Lmdb {
    pub fn open(dir: &Path, level: Level) -> Result<Lmdb> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_LEN);
        if level != Level::Power {
            // SAFETY: without syncs a crash of the machine may destroy the database, which only measurements use.
            unsafe { options.flags(EnvFlags::NO_SYNC) };
        }
        // SAFETY: nobody else changes the file while it is mapped.
        let env = Arc::new(unsafe { options.open(dir) }?);
        let mut transaction = env.write_txn()?;
        let database = env.create_database(&mut transaction, None)?;
        transaction.commit()?;
        let ticker = (level == Level::Interval).then(|| SyncEachSecond::start(&env, |env: &Env| Ok(env.force_sync()?)));
        Ok(Lmdb { ticker, env, database, next_seq: AtomicU64::new(1) })
    }
}

impl Engine for Lmdb {
    fn append(&self, batch: &[Event]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, data) in keys::with_keys(&self.next_seq, batch) {
            self.database.put(&mut transaction, &key, data)?;
        }
        Ok(transaction.commit()?)
    }

    fn scan(&self, query: &Query, scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let transaction = self.env.read_txn()?;
        let (first, last) = keys::bounds(query);
        let range = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
        // Views of the map, valid until the end of the transaction, so that batches cost no copies.
        let mut fill = |entries: &mut dyn Iterator<Item = heed::Result<(&[u8], &[u8])>>| -> Result<()> {
            let mut n = 0;
            for entry in entries {
                let (key, data) = entry?;
                scratch[n] = keys::event(key, data);
                n += 1;
                if n == scratch.len() {
                    visit(scratch);
                    n = 0;
                }
            }
            visit(&scratch[..n]);
            Ok(())
        };
        match query.reverse {
            false => fill(&mut self.database.range(&transaction, &range)?.take(keys::limit(query))),
            true => fill(&mut self.database.rev_range(&transaction, &range)?.take(keys::limit(query))),
        }
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.ticker.take();
        Ok(self.env.force_sync()?)
    }
}
