//! Digests: what a range holds, in a few numbers that are equal for equal sets of events.
//!
//! ```text
//!   start                                        end
//!   |  bucket  |  bucket  |  bucket  |  bucket  |       each `width` long; of each how many identities there are, and the sum of their hashes
//! ```
//!
//! A sum does not depend on an order. An exclusive or would not either, but it can't see an identity that is there twice, nor tell two sets apart
//! which differ by such pairs.
//!
//! Repeats have the same time, so all that has to be remembered are the hashes of one time. Where those are too many the events of that time
//! are read again, each time for some of the hashes.

use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::store::Reader;

use super::identity::Hasher;

/// A digest has no more buckets.
const MAX_BUCKETS: u64 = 1 << 20;
/// Events that are taken from a reader at a time.
const BATCH: usize = 4096;
/// So many hashes of one time are held at once, at most.
const HELD: usize = 1 << 20;

/// What a stretch of time holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// How many identities: repeats of an event count once.
    pub count: u64,
    /// The sum of their 128-bit hashes, modulo 2^128.
    pub sum: u128,
}

impl Bucket {
    fn add(&mut self, hash: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

/// What a time range holds, bucket by bucket. Equal for stores that hold the same events, whatever the order in which they were appended, how
/// often, and what has become of their files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Digest {
    /// The first time,
    pub start: u64,
    /// and the last one.
    pub end: u64,
    /// How long each bucket is; the last one may be shorter.
    pub width: u64,
    /// Events before this time are deleted in the store.
    pub horizon: u64,
    /// The buckets, from `start` on.
    pub buckets: Vec<Bucket>,
}

impl Digest {
    /// The times in which two stores differ, as a list of ranges that don't touch. Where one of them has deleted everything they are not
    /// compared.
    ///
    /// Errors: [`Error::Invalid`] if the digests are of different ranges, or have buckets of different width.
    pub fn differences(&self, other: &Digest) -> Result<Vec<RangeInclusive<u64>>> {
        let shape = |digest: &Digest| (digest.start, digest.end, digest.width, digest.buckets.len());
        if shape(self) != shape(other) {
            let name = |digest: &Digest| format!("{}..={} by {}", digest.start, digest.end, digest.width);
            return Err(Error::invalid(format!("digests of different ranges can't be compared: {} and {}", name(self), name(other))));
        }
        let horizon = self.horizon.max(other.horizon);
        let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
        for (place, (bucket, other)) in (0u64..).zip(self.buckets.iter().zip(&other.buckets)) {
            let first = self.start.saturating_add(place.saturating_mul(self.width));
            let last = first.saturating_add(self.width - 1).min(self.end);
            if bucket == other || last < horizon {
                continue;
            }
            match ranges.last_mut() {
                Some(before) if before.end().checked_add(1) == Some(first) => *before = *before.start()..=last,
                _ => ranges.push(first..=last),
            }
        }
        Ok(ranges)
    }
}

/// Refuses widths for which there would be no buckets, or too many.
pub(crate) fn check_width(start: u64, end: u64, width: u64) -> Result<()> {
    if width == 0 {
        return Err(Error::invalid("the buckets of a digest can't be 0 wide"));
    }
    let last = (end - start) / width;
    if last >= MAX_BUCKETS {
        return Err(Error::invalid(format!("a digest of more than {MAX_BUCKETS} buckets: {start}..={end} by {width}")));
    }
    Ok(())
}

/// The digest of the events that a reader gives, which are those of `start..=end`.
pub(crate) fn digest(mut reader: Reader, start: u64, end: u64, width: u64) -> Result<Digest> {
    check_width(start, end, width)?;
    let mut hasher = Hasher::new()?;
    let again = reader.again()?;
    let mut buckets = vec![Bucket::default(); ((end - start) / width + 1) as usize];
    let mut add = |time: u64, hashes: &mut dyn Iterator<Item = u128>| {
        if let Some(bucket) = buckets.get_mut(((time - start) / width) as usize) {
            hashes.for_each(|hash| bucket.add(hash));
        }
    };
    let mut hashes = Hashes::default();
    loop {
        let batch = reader.next_batch(BATCH)?;
        if batch.is_empty() {
            break;
        }
        for event in batch.iter() {
            if event.time != hashes.time {
                hashes.end(&again, &mut hasher, &mut add)?;
                hashes.time = event.time;
            }
            hashes.take(hasher.hash(&event));
        }
    }
    hashes.end(&again, &mut hasher, &mut add)?;
    Ok(Digest { start, end, width, horizon: again.horizon(), buckets })
}

/// The hashes of the events of one time.
#[derive(Default)]
struct Hashes {
    time: u64,
    list: Vec<u128>,
    /// How many there are if they are more than are held.
    too_many: usize,
}

impl Hashes {
    fn take(&mut self, hash: u128) {
        if self.too_many > 0 {
            self.too_many += 1;
            return;
        }
        self.list.push(hash);
        if self.list.len() >= HELD {
            self.drop_repeats();
            if self.list.len() > HELD / 2 {
                self.too_many = self.list.len();
                self.list.clear();
            }
        }
    }

    fn drop_repeats(&mut self) {
        self.list.sort_unstable();
        self.list.dedup();
    }

    /// Hands over those of the time, each once, and forgets them.
    fn end(&mut self, again: &Reader, hasher: &mut Hasher, add: &mut dyn FnMut(u64, &mut dyn Iterator<Item = u128>)) -> Result<()> {
        if self.too_many > 0 {
            // Half as many as would fit, since no division is even.
            let parts = (std::mem::take(&mut self.too_many) / (HELD / 2) + 1) as u128;
            for part in 0..parts {
                self.list.clear();
                let mut reader = again.at(self.time)?;
                loop {
                    let batch = reader.next_batch(BATCH)?;
                    if batch.is_empty() {
                        break;
                    }
                    self.list.extend(batch.iter().map(|event| hasher.hash(&event)).filter(|hash| hash % parts == part));
                    if self.list.len() >= HELD {
                        self.drop_repeats();
                    }
                }
                self.drop_repeats();
                add(self.time, &mut self.list.iter().copied());
            }
        } else if !self.list.is_empty() {
            if self.list.len() > 1 {
                self.drop_repeats();
            }
            add(self.time, &mut self.list.iter().copied());
        }
        self.list.clear();
        Ok(())
    }
}
