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

use std::ops::{ControlFlow, RangeInclusive};

use crate::error::{Error, Result};
use crate::event::EventRef;
use crate::planted::{self, Bug};
use crate::store::Reader;

use super::identity::{Hasher, Identity};

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
    #[inline]
    pub(crate) fn add(&mut self, hash: u128) {
        self.count += 1;
        self.sum = if planted::has(Bug::XorHashes) { self.sum ^ hash } else { self.sum.wrapping_add(hash) };
    }

    pub(crate) fn add_all(&mut self, other: Bucket) {
        self.count = self.count.wrapping_add(other.count);
        self.sum = self.sum.wrapping_add(other.sum);
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
    /// A digest from its numbers, as one was that came from elsewhere.
    ///
    /// Errors: [`Error::EndBeforeStart`]; [`Error::Invalid`] for a width that is none, and if there are more or fewer buckets than of this
    /// width are in the range.
    pub fn new(start: u64, end: u64, width: u64, horizon: u64, buckets: Vec<Bucket>) -> Result<Digest> {
        let (count, needed) = (buckets.len(), Digest::bucket_count(start, end, width)?);
        if count != needed {
            return Err(Error::invalid(format!("a digest of {start}..={end} by {width} has {needed} buckets, and not {count}")));
        }
        Ok(Digest { start, end, width, horizon, buckets })
    }

    /// How many buckets of a width a range has.
    ///
    /// Errors: as for [`Digest::new`].
    pub fn bucket_count(start: u64, end: u64, width: u64) -> Result<usize> {
        if end < start {
            return Err(Error::EndBeforeStart { start, end });
        }
        if width == 0 {
            return Err(Error::invalid("the buckets of a digest can't be 0 wide"));
        }
        let last = (end - start) / width;
        if last >= MAX_BUCKETS {
            return Err(Error::invalid(format!("a digest of more than {MAX_BUCKETS} buckets: {start}..={end} by {width}")));
        }
        Ok(last as usize + 1)
    }

    /// The times in which two stores differ, as a list of ranges that don't touch. Times before the later horizon of the two are left out; but
    /// the bucket in which it lies may differ just by what is deleted of it. To be exact there, ask both for a range that starts at
    /// the later horizon.
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
            let first = first.max(horizon);
            match ranges.last_mut() {
                Some(before) if before.end().checked_add(1) == Some(first) => *before = *before.start()..=last,
                _ => ranges.push(first..=last),
            }
        }
        Ok(ranges)
    }
}

/// The digest of the events that a reader gives, which are those of `start..=end`. `tell` is told now and then how many of them were read.
pub(crate) fn digest(mut reader: Reader, start: u64, end: u64, width: u64, tell: impl FnMut(u64)) -> Result<Digest> {
    let mut buckets = vec![Bucket::default(); Digest::bucket_count(start, end, width)?];
    let horizon = reader.horizon();
    // The bucket that the last event was in, which mostly is that of the next: dividing takes long.
    let (mut place, mut last) = (0, start.saturating_add(width - 1));
    let receiver = |identity: Identity| {
        if identity.time > last {
            let number = (identity.time - start) / width;
            (place, last) = (number as usize, start.saturating_add(number * width).saturating_add(width - 1));
        }
        if let Some(bucket) = buckets.get_mut(place) {
            bucket.add(identity.hash);
        }
        ControlFlow::Continue(())
    };
    each_identity(&mut reader, receiver, tell)?;
    Ok(Digest { start, end, width, horizon, buckets })
}

/// Gives each identity among the events of a reader once, in order of time, those of one time in any order. The receiver may end it.
/// `tell` is told now and then how many events were read.
pub(crate) fn each_identity(
    reader: &mut Reader,
    receiver: impl FnMut(Identity) -> ControlFlow<()>,
    mut tell: impl FnMut(u64),
) -> Result<()> {
    let again = reader.again()?;
    let mut distinct = Distinct {
        receiver,
        hasher: Hasher::new()?,
        time: 0,
        first: 0,
        is_behind_first: false,
        others: Vec::new(),
        too_many: 0,
        again: &again,
        ended: false,
        failure: None,
    };
    let mut read = 0;
    while !distinct.ended {
        let batch = reader.next_batch(BATCH)?;
        if batch.is_empty() {
            break;
        }
        batch.iter().for_each(|event| distinct.take(&event));
        read += batch.len() as u64;
        tell(read);
    }
    distinct.end_of_time();
    distinct.failure.map_or(Ok(()), Err)
}

/// What comes in order of time, each identity once.
struct Distinct<'a, F> {
    receiver: F,
    hasher: Hasher,
    /// The time of the last event.
    time: u64,
    /// The first hash of that time, which was handed over: mostly there is but one.
    first: u128,
    is_behind_first: bool,
    /// The others of that time, to be handed over.
    others: Vec<u128>,
    /// How many they are if they are more than are held.
    too_many: usize,
    again: &'a Reader,
    ended: bool,
    failure: Option<Error>,
}

impl<F: FnMut(Identity) -> ControlFlow<()>> Distinct<'_, F> {
    #[inline]
    fn take(&mut self, event: &EventRef<'_>) {
        let hash = self.hasher.hash(event);
        if event.time == self.time && self.is_behind_first {
            self.take_another(hash);
        } else {
            self.end_of_time();
            (self.time, self.first, self.is_behind_first) = (event.time, hash, true);
            self.give(hash);
        }
    }

    #[cold]
    fn take_another(&mut self, hash: u128) {
        if self.too_many > 0 {
            self.too_many += 1;
            return;
        }
        self.others.push(hash);
        if self.others.len() >= HELD {
            drop_repeats(&mut self.others);
            if self.others.len() > HELD / 2 {
                self.too_many = self.others.len();
                self.others.clear();
            }
        }
    }

    #[inline]
    fn end_of_time(&mut self) {
        if (!self.others.is_empty() || self.too_many > 0)
            && let Err(failure) = self.give_others()
        {
            self.ended = true;
            self.failure.get_or_insert(failure);
        }
    }

    #[inline]
    fn give(&mut self, hash: u128) {
        self.ended = self.ended || (self.receiver)(Identity { time: self.time, hash }).is_break();
    }

    #[cold]
    fn give_others(&mut self) -> Result<()> {
        let first = self.first;
        let mut hashes = std::mem::take(&mut self.others);
        let give_once = |hashes: &mut Vec<u128>, distinct: &mut Self| {
            drop_repeats(hashes);
            hashes.iter().filter(|hash| **hash != first).for_each(|hash| distinct.give(*hash));
        };
        if self.too_many == 0 {
            give_once(&mut hashes, self);
        } else {
            // Half as many as would fit, since no division is even.
            let parts = (std::mem::take(&mut self.too_many) / (HELD / 2) + 1) as u128;
            for part in 0..parts {
                hashes.clear();
                let mut reader = self.again.at(self.time)?;
                loop {
                    let batch = reader.next_batch(BATCH)?;
                    if batch.is_empty() {
                        break;
                    }
                    hashes.extend(batch.iter().map(|event| self.hasher.hash(&event)).filter(|hash| hash % parts == part));
                    if hashes.len() >= HELD {
                        drop_repeats(&mut hashes);
                    }
                }
                give_once(&mut hashes, self);
            }
        }
        hashes.clear();
        self.others = hashes;
        Ok(())
    }
}

fn drop_repeats(hashes: &mut Vec<u128>) {
    if planted::has(Bug::CountRepeats) {
        return;
    }
    hashes.sort_unstable();
    hashes.dedup();
}
