//! Append-if-absent: finding out which events of a batch are there already.
//!
//! Where damage may hide one, that can't be found out, which is an error; but for what comes from another replica, which is to make good
//! for what the damage took. What the system fails to read is an error in any case: it may be there another time.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::EventRef;
use crate::order::{Order, Times};
use crate::threads::lock;

use super::Core;
use super::writer::Absent;

/// Leaves in the batch, in its order, the events that the store doesn't have, each once; answers how many it left out. `times` are those of
/// the batch and perhaps of others.
///
/// Reads only pieces of the logs that have a time of the batch within their bounds, and events with larger seqs than are known of.
pub(super) fn retain_absent(core: &Core, order: &mut Order, batch: &mut Vec<EventRef<'_>>, times: Times, absent: Absent) -> Result<u64> {
    // Sorted by identity, the first arrival of equals first; the seq of each is its place in the batch.
    let mut sorted = order.sort(batch, times, |place, event| EventRef { seq: place as u64, ..*event });
    // By place: those that are not to be stored.
    let mut present = vec![false; sorted.len()];
    for same in sorted.chunk_by_mut(|a, b| a.time == b.time).filter(|same| same.len() > 1) {
        same.sort_unstable_by_key(|event| (event.id, event.data, event.seq));
        for (a, b) in same.iter().zip(same.iter().skip(1)) {
            if let Some(flag) = present.get_mut(b.seq as usize) {
                *flag = (a.id, a.data) == (b.id, b.data);
            }
        }
    }
    // In stretches of equal events only the first is looked for.
    if present.contains(&true) {
        sorted.retain(|event| !present.get(event.seq as usize).copied().unwrap_or(false));
    }

    let chunks = Arc::clone(&lock(&core.view).chunks);
    let mut rest = sorted.as_slice();
    while let Some(event) = rest.first() {
        let number = core.settings.chunk_of(event.time);
        let end = core.settings.chunk_end(number);
        let (wanted, others) = rest.split_at(rest.partition_point(|event| event.time <= end));
        rest = others;
        if let Some(chunk) = chunks.get(&number) {
            match core.read_chunk(chunk, || chunk.find(wanted, absent.since, &mut present, &core.spare)) {
                Err(Error::Corrupt { .. }) if absent.or_damaged => {
                    let mut find = |past_headers| core.read_chunk(chunk, || chunk.find_what_is_whole(wanted, &mut present, past_headers));
                    match find(false) {
                        Err(Error::Corrupt { .. }) => find(true)?,
                        found => found?,
                    }
                }
                found => found?,
            }
            core.touch(chunk);
        }
    }

    let before = batch.len();
    let mut present = present.into_iter();
    batch.retain(|_| !present.next().unwrap_or(false));
    Ok((before - batch.len()) as u64)
}
