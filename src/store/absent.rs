//! Append-if-absent: finding out which events of a batch are there already.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::error::Result;
use crate::event::EventRef;
use crate::threads::lock;

use super::Core;

/// Two events with the same identity are the same event.
fn identity_cmp(a: &EventRef<'_>, b: &EventRef<'_>) -> Ordering {
    (a.time, a.id, a.data).cmp(&(b.time, b.id, b.data))
}

/// Leaves in the batch, in its order, the events that the store doesn't have, each once; answers how many it left out.
///
/// Reads only pieces of the logs that have a time of the batch within their bounds.
pub(super) fn retain_absent(core: &Core, batch: &mut Vec<EventRef<'_>>) -> Result<u64> {
    // Positions sorted by identity, the first arrival of equals first.
    let mut order: Vec<usize> = (0..batch.len()).collect();
    let at = |position: usize| batch.get(position).copied().unwrap_or(EventRef::new(0, 0, &[]));
    order.sort_by(|&a, &b| identity_cmp(&at(a), &at(b)));
    let sorted: Vec<EventRef<'_>> = order.iter().map(|&position| at(position)).collect();
    let mut present: Vec<bool> = vec![false; sorted.len()];
    for (place, pair) in sorted.windows(2).enumerate() {
        if let (Some(flag), [a, b]) = (present.get_mut(place + 1), pair) {
            *flag = identity_cmp(a, b) == Ordering::Equal;
        }
    }

    let times: Vec<u64> = sorted.iter().map(|event| event.time).collect();
    let chunks = Arc::clone(&lock(&core.view).chunks);
    for times in times.chunk_by(|a, b| core.settings.chunk_of(*a) == core.settings.chunk_of(*b)) {
        let Some(chunk) = times.first().and_then(|&time| chunks.get(&core.settings.chunk_of(time))) else { continue };
        let mut mark = |event: EventRef<'_>| {
            let place = sorted.partition_point(|other| identity_cmp(other, &event) == Ordering::Less);
            if let (Some(other), Some(flag)) = (sorted.get(place), present.get_mut(place)) {
                *flag |= identity_cmp(other, &event) == Ordering::Equal;
            }
        };
        core.read_chunk(chunk, || chunk.visit_near(times, &mut mark))?;
        core.touch(chunk);
    }

    let mut keep = vec![true; sorted.len()];
    for (&position, &present) in order.iter().zip(&present) {
        if let Some(keep) = keep.get_mut(position) {
            *keep = !present;
        }
    }
    let before = batch.len();
    let mut keep = keep.into_iter();
    batch.retain(|_| keep.next().unwrap_or(true));
    Ok((before - batch.len()) as u64)
}
