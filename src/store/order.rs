//! Putting a batch in order of time.
//!
//! Most batches rise already, which one look at their times tells. The others are sorted as numbers, each a time and the event's place in
//! the batch: several times cheaper than moving events about, and stable.

use crate::event::EventRef;

/// What one pass over a batch tells of its times.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) low: u64,
    pub(super) high: u64,
    /// They rise, or stay equal, from event to event.
    rising: bool,
}

impl Times {
    pub(super) const NONE: Times = Times { low: u64::MAX, high: 0, rising: true };

    pub(super) fn see(&mut self, time: u64) {
        self.rising &= time >= self.high;
        self.low = self.low.min(time);
        self.high = self.high.max(time);
    }
}

/// Puts batches in order of time.
#[derive(Default)]
pub(super) struct Order {
    /// The distance of an event's time from the smallest, and behind it, in the low bits, its place in the batch.
    packed: Vec<u64>,
    spare: Vec<u64>,
}

impl Order {
    /// The events `0..len` of `event`, sorted by time, equal times as they stand.
    pub(super) fn sort<'a>(&mut self, len: usize, times: Times, event: impl Fn(usize) -> Option<EventRef<'a>>) -> Vec<EventRef<'a>> {
        let mut batch = Vec::with_capacity(len);
        if times.rising {
            batch.extend((0..len).filter_map(event));
            return batch;
        }
        // Time and place mostly fit into one number.
        let place_bits = usize::BITS - len.leading_zeros();
        if (times.high - times.low).leading_zeros() < place_bits {
            batch.extend((0..len).filter_map(event));
            batch.sort_by_key(|event| event.time);
            return batch;
        }
        self.packed.clear();
        self.packed.reserve(len);
        let pack = |place: usize| Some(event(place)?.time.saturating_sub(times.low) << place_bits | place as u64);
        self.packed.extend((0..len).filter_map(pack));
        self.spare.resize(self.spare.len().max(len), 0);
        sort_numbers(&mut self.packed, &mut self.spare);
        let place_of = |number: &u64| (number & ((1 << place_bits) - 1)) as usize;
        batch.extend(self.packed.iter().filter_map(|number| event(place_of(number))));
        batch
    }
}

/// Sorts numbers that lie more or less evenly, as the times of a stream do, in one pass and a bit: into as many buckets as there are
/// numbers, each a range of values, and where some lie far from the rest (late events) the full buckets once more.
fn sort_numbers(numbers: &mut [u64], spare: &mut [u64]) {
    /// So many fit into the processor's first cache.
    const MAX_BUCKETS: usize = 4096;
    /// Where no bucket holds more, all of them are sorted in one go by insertion.
    const MAX_INSERTIONS: usize = 16;
    let (low, high) = numbers.iter().fold((u64::MAX, 0), |(low, high), &number| (low.min(number), high.max(number)));
    let is_small = numbers.len() <= MAX_INSERTIONS || u32::try_from(numbers.len()).is_err();
    let Some(spare_here) = spare.get_mut(..numbers.len()).filter(|_| !is_small && low < high) else {
        return numbers.sort_unstable();
    };
    let buckets = numbers.len().next_power_of_two().min(MAX_BUCKETS);
    let shift = (u64::BITS - (high - low).leading_zeros()).saturating_sub(buckets.trailing_zeros());
    let bucket_of = |number: u64| ((number - low) >> shift) as usize;
    let mut ends = vec![0_u32; buckets];
    numbers.iter().for_each(|&number| ends[bucket_of(number)] += 1);
    let (mut start, mut fullest) = (0, 0);
    for end in ends.iter_mut() {
        fullest = fullest.max(*end);
        start += std::mem::replace(end, start);
    }
    for &number in numbers.iter() {
        let end = &mut ends[bucket_of(number)];
        spare_here[*end as usize] = number;
        *end += 1;
    }
    numbers.copy_from_slice(spare_here);
    if fullest as usize <= MAX_INSERTIONS {
        return sort_by_insertion(numbers);
    }
    let mut from = 0;
    for end in ends.iter().map(|&end| end as usize) {
        if let Some(bucket) = numbers.get_mut(from..end).filter(|bucket| bucket.len() > 1) {
            sort_numbers(bucket, spare);
        }
        from = end;
    }
}

/// Quick where hardly any number is out of place, and none by more than a few places.
fn sort_by_insertion(numbers: &mut [u64]) {
    for next in 1..numbers.len() {
        let mut place = next;
        while place > 0 && numbers[place - 1] > numbers[place] {
            numbers.swap(place - 1, place);
            place -= 1;
        }
    }
}
