//! The numbers of a store as an array: new ones are added at its end, and no layout is shared.

use std::ffi::{CStr, c_char};
use std::ptr;

use crate::Stats;

/// The time range of one chunk in nanoseconds; 0 for an efile.
pub const ESTORE_STAT_FILE_SIZE_NS: usize = 0;
/// How far an event may lie behind the newest before it is late, in nanoseconds.
pub const ESTORE_STAT_GRACE_NS: usize = 1;
/// Chunks.
pub const ESTORE_STAT_CHUNKS: usize = 2;
/// Events that reading everything gives.
pub const ESTORE_STAT_EVENTS: usize = 3;
/// Events that were late when they came, in the chunks that are there.
pub const ESTORE_STAT_LATE_EVENTS: usize = 4;
/// Events that went through the recon file: the late ones, and stragglers within the grace.
pub const ESTORE_STAT_RECON_EVENTS: usize = 5;
/// The smallest time; UINT64_MAX in an empty store.
pub const ESTORE_STAT_OLDEST: usize = 6;
/// The largest time; 0 in an empty store.
pub const ESTORE_STAT_NEWEST: usize = 7;
/// Events before this time were deleted.
pub const ESTORE_STAT_HORIZON: usize = 8;
/// The last seq given.
pub const ESTORE_STAT_LAST_SEQ: usize = 9;
/// The seq up to which everything survives loss of power.
pub const ESTORE_STAT_DURABLE_SEQ: usize = 10;
/// Bytes in logs.
pub const ESTORE_STAT_LOG_BYTES: usize = 11;
/// Bytes in recon files.
pub const ESTORE_STAT_RECON_BYTES: usize = 12;
/// Bytes in index files.
pub const ESTORE_STAT_INDEX_BYTES: usize = 13;
/// Bytes in the journal.
pub const ESTORE_STAT_JOURNAL_BYTES: usize = 14;
/// Logs open for appending.
pub const ESTORE_STAT_OPEN_LOGS: usize = 15;
/// Events that this handle skipped, since they lay before the horizon.
pub const ESTORE_STAT_EXPIRED: usize = 16;
/// Events that append_absent of this handle found present.
pub const ESTORE_STAT_PRESENT: usize = 17;
/// Events recovered when the store was opened.
pub const ESTORE_STAT_RECOVERED_EVENTS: usize = 18;
/// Bytes of torn tails that were cut (and kept aside), when the store was opened or later; in a handle that only reads, that are not shown.
pub const ESTORE_STAT_CUT_BYTES: usize = 19;
/// Damaged regions in the logs, as far as they have been looked at.
pub const ESTORE_STAT_DAMAGED_REGIONS: usize = 20;
/// Bytes in the logs of chunks that wait for being compacted.
pub const ESTORE_STAT_BACKLOG_BYTES: usize = 21;
/// Bytes of all chunks on disk, as estore_options_set_max_bytes counts them.
pub const ESTORE_STAT_CHUNK_BYTES: usize = 22;
/// Chunks that retention removed through this handle.
pub const ESTORE_STAT_REMOVED_CHUNKS: usize = 23;
/// How many numbers this header knows; a library may know more.
pub const ESTORE_STAT_COUNT: usize = 24;

/// The numbers by index. Taken apart in full, so that a new field of the engine can't be forgotten here.
pub(super) fn values(stats: Stats) -> [u64; ESTORE_STAT_COUNT] {
    let Stats {
        file_size,
        grace,
        chunks,
        events,
        late_events,
        recon_events,
        oldest,
        newest,
        horizon,
        last_seq,
        durable_seq,
        log_bytes,
        recon_bytes,
        index_bytes,
        journal_bytes,
        open_logs,
        expired,
        present,
        recovered_events,
        cut_bytes,
        damaged,
        backlog_bytes,
        chunk_bytes,
        removed_chunks,
    } = stats;
    let mut values = [0; ESTORE_STAT_COUNT];
    values[ESTORE_STAT_FILE_SIZE_NS] = file_size;
    values[ESTORE_STAT_GRACE_NS] = grace;
    values[ESTORE_STAT_CHUNKS] = chunks;
    values[ESTORE_STAT_EVENTS] = events;
    values[ESTORE_STAT_LATE_EVENTS] = late_events;
    values[ESTORE_STAT_RECON_EVENTS] = recon_events;
    values[ESTORE_STAT_OLDEST] = oldest;
    values[ESTORE_STAT_NEWEST] = newest;
    values[ESTORE_STAT_HORIZON] = horizon;
    values[ESTORE_STAT_LAST_SEQ] = last_seq;
    values[ESTORE_STAT_DURABLE_SEQ] = durable_seq;
    values[ESTORE_STAT_LOG_BYTES] = log_bytes;
    values[ESTORE_STAT_RECON_BYTES] = recon_bytes;
    values[ESTORE_STAT_INDEX_BYTES] = index_bytes;
    values[ESTORE_STAT_JOURNAL_BYTES] = journal_bytes;
    values[ESTORE_STAT_OPEN_LOGS] = open_logs;
    values[ESTORE_STAT_EXPIRED] = expired;
    values[ESTORE_STAT_PRESENT] = present;
    values[ESTORE_STAT_RECOVERED_EVENTS] = recovered_events;
    values[ESTORE_STAT_CUT_BYTES] = cut_bytes;
    values[ESTORE_STAT_DAMAGED_REGIONS] = damaged;
    values[ESTORE_STAT_BACKLOG_BYTES] = backlog_bytes;
    values[ESTORE_STAT_CHUNK_BYTES] = chunk_bytes;
    values[ESTORE_STAT_REMOVED_CHUNKS] = removed_chunks;
    values
}

fn name(index: usize) -> Option<&'static CStr> {
    Some(match index {
        ESTORE_STAT_FILE_SIZE_NS => c"file_size_ns",
        ESTORE_STAT_GRACE_NS => c"grace_ns",
        ESTORE_STAT_CHUNKS => c"chunks",
        ESTORE_STAT_EVENTS => c"events",
        ESTORE_STAT_LATE_EVENTS => c"late_events",
        ESTORE_STAT_RECON_EVENTS => c"recon_events",
        ESTORE_STAT_OLDEST => c"oldest",
        ESTORE_STAT_NEWEST => c"newest",
        ESTORE_STAT_HORIZON => c"horizon",
        ESTORE_STAT_LAST_SEQ => c"last_seq",
        ESTORE_STAT_DURABLE_SEQ => c"durable_seq",
        ESTORE_STAT_LOG_BYTES => c"log_bytes",
        ESTORE_STAT_RECON_BYTES => c"recon_bytes",
        ESTORE_STAT_INDEX_BYTES => c"index_bytes",
        ESTORE_STAT_JOURNAL_BYTES => c"journal_bytes",
        ESTORE_STAT_OPEN_LOGS => c"open_logs",
        ESTORE_STAT_EXPIRED => c"expired",
        ESTORE_STAT_PRESENT => c"present",
        ESTORE_STAT_RECOVERED_EVENTS => c"recovered_events",
        ESTORE_STAT_CUT_BYTES => c"cut_bytes",
        ESTORE_STAT_DAMAGED_REGIONS => c"damaged_regions",
        ESTORE_STAT_BACKLOG_BYTES => c"backlog_bytes",
        ESTORE_STAT_CHUNK_BYTES => c"chunk_bytes",
        ESTORE_STAT_REMOVED_CHUNKS => c"removed_chunks",
        _ => return None,
    })
}

/// The name of a number that estore_stats gives, to print whatever a library knows without knowing it oneself.
///
/// Arguments: index: an ESTORE_STAT_ constant, or any index below the n of estore_stats.
/// Returns: a NUL-terminated text such as "late_events"; NULL if this library does not know the index.
/// Ownership: the text is static; never free it.
/// Threads: any, at any time.
/// Statuses: none.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn estore_stat_name(index: usize) -> *const c_char {
    name(index).map_or(ptr::null(), CStr::as_ptr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = (0..ESTORE_STAT_COUNT).filter_map(name).collect();
        assert_eq!(names.len(), ESTORE_STAT_COUNT);
        assert!(name(ESTORE_STAT_COUNT).is_none());
    }
}
