//! Numbers about a store.

use std::sync::Arc;

use crate::efile::recover::Totals;
use crate::error::Result;
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::Core;
use super::read::{ReadOptions, Reader};

/// Numbers about a store, taken at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Setting: the time range of a chunk; 0 for an efile.
    pub file_size: u64,
    /// Setting: an event is late beyond this.
    pub grace: u64,
    /// Chunks that exist.
    pub chunks: u64,
    /// Events that reading everything gives.
    pub events: u64,
    /// Events, of the chunks that exist, that were late when they came: more than the grace behind the watermark of their chunk.
    pub late_events: u64,
    /// Events, of the chunks that exist, that go through recon: the late ones and stragglers within the grace.
    pub recon_events: u64,
    /// The smallest time; `u64::MAX` if there are no events.
    pub oldest: u64,
    /// The largest time; 0 if there are no events.
    pub newest: u64,
    /// Events before this time are deleted.
    pub horizon: u64,
    /// The last seq that readers see.
    pub last_seq: u64,
    /// Everything up to this seq survives loss of power.
    pub durable_seq: u64,
    /// Bytes of logs.
    pub log_bytes: u64,
    /// Bytes of recon files.
    pub recon_bytes: u64,
    /// Bytes of index files.
    pub index_bytes: u64,
    /// Bytes of all chunks, as [`Options::max_bytes`](crate::Options::max_bytes) counts them.
    pub chunk_bytes: u64,
    /// Bytes of the logs of chunks for which compaction is worth it.
    pub backlog_bytes: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Logs that are open for appending.
    pub open_logs: u64,
    /// Events that this handle left out because they lie before the horizon.
    pub expired: u64,
    /// Events that this handle left out because they were there already.
    pub present: u64,
    /// Chunks that retention has removed through this handle.
    pub removed_chunks: u64,
    /// Events that opening found in logs that no writer had closed.
    pub recovered_events: u64,
    /// Bytes that were cut off logs and kept aside, by opening or later. In a handle that only reads: bytes that are not shown.
    pub cut_bytes: u64,
    /// Damaged stretches in the logs that are loaded.
    pub damaged: u64,
}

impl Core {
    /// See [`Store::stats`](crate::Store::stats).
    pub(super) fn stats(self: &Arc<Core>) -> Result<Stats> {
        let events = self.count(Some((0, u64::MAX)))?;
        let view = lock(&self.view).clone();
        let (journal_bytes, open_logs) =
            self.writer.lock().as_ref().map_or((0, 0), |writer| (writer.journal.len(), writer.open.len() as u64));
        let mut stats = Stats {
            file_size: self.settings.file_size,
            grace: self.settings.grace,
            chunks: view.chunks.len() as u64,
            events,
            horizon: view.horizon,
            last_seq: view.seq,
            durable_seq: self.durable_seq(),
            backlog_bytes: self.backlog(&view),
            journal_bytes,
            open_logs,
            expired: self.counters.expired.load(Ordering::Relaxed),
            present: self.counters.present.load(Ordering::Relaxed),
            removed_chunks: self.counters.removed_chunks.load(Ordering::Relaxed),
            recovered_events: self.counters.recovered.load(Ordering::Relaxed),
            cut_bytes: self.counters.cut.load(Ordering::Relaxed) + self.chunk_shared.cut.load(Ordering::Relaxed),
            ..Stats::default()
        };
        let mut totals = Totals::default();
        for chunk in view.chunks.values().map(Arc::as_ref) {
            totals.add_all(&chunk.totals());
            let [log, recon, index] = chunk.file_lens();
            stats.log_bytes = stats.log_bytes.saturating_add(log);
            stats.recon_bytes += recon;
            stats.index_bytes += index;
            stats.chunk_bytes = stats.chunk_bytes.saturating_add(chunk.bytes());
            stats.damaged += chunk.damaged();
        }
        (stats.late_events, stats.recon_events) = (totals.late, totals.recon);
        (stats.oldest, stats.newest) = (totals.oldest, totals.newest);
        if events == 0 {
            (stats.oldest, stats.newest) = (u64::MAX, 0);
        } else if stats.oldest < stats.horizon {
            // The horizon lies within a chunk: the first event behind it is not noted anywhere.
            let first = Reader::new(self, Some((0, u64::MAX)), ReadOptions::new().limit(1))?.next().transpose()?;
            stats.oldest = first.map_or(u64::MAX, |event| event.time);
        }
        Ok(stats)
    }
}
