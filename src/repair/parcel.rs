//! Parcels: events as bytes that can be carried anywhere, each parcel whole in itself. [`crate::format`] has their layout.
//!
//! A parcel is read as a whole before any of it counts: one that was cut or changed on its way is refused.

use std::collections::VecDeque;

use crate::bytes::{u32_at, u64_at};
use crate::efile::read::Gap;
use crate::error::Result;
use crate::event::{Event, EventRef};
use crate::planted::{self, Bug};
use crate::store::Reader;

use super::envelope::{CRC_LEN, Envelope, HEADER_LEN};

const ENVELOPE: Envelope = Envelope { magic: *b"estparcl", name: "parcel", full_name: "parcel of events" };
const EVENT_LEN: usize = 16;
/// More events than this are not in a parcel.
const MAX_EVENTS: u32 = 1 << 16;
/// Events that are taken from a reader at a time.
const BATCH: usize = 512;

/// Gives the events of a range as parcels, in the order of reading: made by [`Store::export`](crate::Store::export).
///
/// It shows the store as it was when it was made, and may outlive the handle.
#[derive(Debug)]
pub struct Export {
    reader: Reader,
    /// Events that did not fit into the last parcel.
    left: VecDeque<Event>,
}

impl Export {
    pub(crate) fn new(reader: Reader) -> Export {
        Export { reader, left: VecDeque::new() }
    }

    /// The next parcel, of at most `max_bytes` bytes unless one event alone needs more; `None` at the end.
    ///
    /// Errors: those of reading. At damage, the whole events before it come first and the error with the next call, and with every call
    /// after it.
    pub fn next_parcel(&mut self, max_bytes: usize) -> Result<Option<Vec<u8>>> {
        let mut parcel = Packing::new(max_bytes);
        while let Some(event) = self.left.pop_front() {
            if !parcel.add(&event.as_ref()) {
                self.left.push_front(event);
                return Ok(Some(parcel.finish()));
            }
        }
        loop {
            let batch = match self.reader.next_batch(BATCH) {
                Err(e) if parcel.count == 0 => return Err(e),
                Err(_) => break,
                Ok(batch) if batch.is_empty() => break,
                Ok(batch) => batch,
            };
            let mut events = batch.iter();
            let rest = events.find(|event| !parcel.add(event));
            self.left.extend(rest.into_iter().chain(events).map(EventRef::to_event));
            if !self.left.is_empty() {
                break;
            }
        }
        Ok((parcel.count > 0).then(|| parcel.finish()))
    }

    /// The last seq of the snapshot: the parcels have all events up to it and none after it.
    pub fn snapshot_seq(&self) -> u64 {
        self.reader.snapshot_seq()
    }

    /// What an export that salvages ([`ReadOptions::salvage`](crate::ReadOptions::salvage)) has left out so far.
    pub fn gaps(&self) -> &[Gap] {
        self.reader.gaps()
    }
}

/// A parcel in the making.
pub(crate) struct Packing {
    bytes: Vec<u8>,
    count: u32,
    max_bytes: usize,
}

impl Packing {
    pub(crate) fn new(max_bytes: usize) -> Packing {
        Packing { bytes: ENVELOPE.begin(), count: 0, max_bytes }
    }

    /// `false` if there is no room for the event.
    pub(crate) fn add(&mut self, event: &EventRef<'_>) -> bool {
        let len = self.bytes.len() + EVENT_LEN + event.data.len() + CRC_LEN;
        if self.count > 0 && (len > self.max_bytes || self.count >= MAX_EVENTS) {
            return false;
        }
        self.bytes.extend_from_slice(&event.time.to_le_bytes());
        self.bytes.extend_from_slice(&event.id.to_le_bytes());
        self.bytes.extend_from_slice(&(event.data.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(event.data);
        self.count += 1;
        true
    }

    /// Where it stands, to go [`back_to`](Packing::back_to).
    pub(crate) fn mark(&self) -> (usize, u32) {
        (self.bytes.len(), self.count)
    }

    /// Takes out what was added since.
    pub(crate) fn back_to(&mut self, (len, count): (usize, u32)) {
        self.bytes.truncate(len);
        self.count = count;
    }

    /// Whether the next event will hardly fit.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= self.max_bytes || self.count >= MAX_EVENTS
    }

    /// The parcel; no bytes at all without events.
    pub(crate) fn finish_if_any(self) -> Vec<u8> {
        if self.count > 0 { self.finish() } else { Vec::new() }
    }

    fn finish(self) -> Vec<u8> {
        Envelope::finish(self.bytes, self.count)
    }
}

/// The events of a parcel, which must be whole.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<EventRef<'_>>> {
    let (count, contents) = ENVELOPE.open(bytes)?;
    let (count, mut at) = (count as usize, 0);
    let mut events = Vec::with_capacity(count.min(contents.len() / EVENT_LEN));
    while at < contents.len() {
        let start = at + EVENT_LEN;
        let end = start.saturating_add(u32_at(contents, at + 12) as usize);
        let Some(data) = contents.get(start..end) else {
            if planted::has(Bug::TakePartOfParcel) {
                return Ok(events);
            }
            return Err(ENVELOPE.refused(HEADER_LEN + at, "an event that reaches beyond the end of its parcel"));
        };
        events.push(EventRef::new(u64_at(contents, at), u32_at(contents, at + 8), data));
        at = end;
    }
    if events.len() != count {
        return Err(ENVELOPE.refused(12, "a parcel with another number of events than it says"));
    }
    Ok(events)
}
