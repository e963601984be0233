//! SQLite, with a write-ahead log, in one table that is its own index. A connection belongs to one thread at a time, so threads take
//! turns.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard};

use anyhow::Result;
use rusqlite::{Connection, params};

use super::keys;
use crate::engine::{Engine, Level};
use estore_benches::abi::Event;
use estore_benches::data::Query;

pub struct Sqlite {
    connection: Mutex<Connection>,
    next_seq: AtomicU64,
}

impl Sqlite {
    pub fn open(dir: &Path, level: Level) -> Result<Sqlite> {
        let connection = Connection::open(dir.join("events.sqlite"))?;
        let synchronous = match level {
            Level::Buffered | Level::Process => "OFF",
            Level::Interval => "NORMAL",
            Level::Power => "FULL",
        };
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        // A negative number is in KiB.
        connection.pragma_update(None, "cache_size", -((keys::CACHE_LEN >> 10) as i64))?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS events (time INTEGER, seq INTEGER, id INTEGER, data BLOB, PRIMARY KEY (time, seq)) WITHOUT ROWID",
        )?;
        Ok(Sqlite { connection: Mutex::new(connection), next_seq: AtomicU64::new(1) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().expect("no other thread failed")
    }
}

/// Its integers have a sign; the times in use are far below the end.
fn integer(n: u64) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

impl Engine for Sqlite {
    fn append(&self, batch: &[Event]) -> Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4)")?;
            let first = self.next_seq.fetch_add(batch.len() as u64, std::sync::atomic::Ordering::Relaxed);
            for (event, seq) in batch.iter().zip(first..) {
                insert.execute(params![integer(event.time), integer(seq), event.id, event.data()])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn scan(&self, query: &Query, _scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(if query.reverse {
            "SELECT time, id, data FROM events WHERE time BETWEEN ?1 AND ?2 ORDER BY time DESC, seq DESC LIMIT ?3"
        } else {
            "SELECT time, id, data FROM events WHERE time BETWEEN ?1 AND ?2 ORDER BY time, seq LIMIT ?3"
        })?;
        let limit = if query.limit == 0 { -1 } else { integer(query.limit) };
        let mut rows = select.query(params![integer(query.start), integer(query.end), limit])?;
        while let Some(row) = rows.next()? {
            let time: i64 = row.get(0)?;
            // Valid only until the next step, so there are no batches.
            visit(&[Event::view(time as u64, row.get(1)?, row.get_ref(2)?.as_blob()?)]);
        }
        Ok(())
    }

    fn count(&self, query: &Query) -> Result<u64> {
        let connection = self.connection();
        let mut select = connection.prepare_cached("SELECT count(*) FROM events WHERE time BETWEEN ?1 AND ?2")?;
        let count: i64 = select.query_row(params![integer(query.start), integer(query.end)], |row| row.get(0))?;
        Ok(count as u64)
    }

    fn close(self: Box<Self>) -> Result<()> {
        let connection = self.connection.into_inner().expect("no other thread failed");
        connection.close().map_err(|(_, error)| error.into())
    }
}
