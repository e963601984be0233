//! Putting events in order of time.
//!
//! Most batches rise already, which one look at their times tells. The others are sorted as numbers, each a time and the event's place in
//! the batch: several times cheaper than moving events about, and stable.

use crate::event::EventRef;

/// What one pass over a batch tells of its times.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) low: u64,
    pub(crate) high: u64,
    /// They rise, or stay equal, from event to event.
    rising: bool,
}

impl Times {
    pub(crate) const NONE: Times = Times { low: u64::MAX, high: 0, rising: true };

    pub(crate) fn see(&mut self, time: u64) {
        self.rising &= time >= self.high;
        self.low = self.low.min(time);
        self.high = self.high.max(time);
    }
}

/// Puts batches in order of time.
#[derive(Default)]
pub(crate) struct Order {
    /// The distance of an event's time from the smallest, and behind it, in the low bits, its place in the batch.
    packed: Vec<u64>,
    spare: Vec<u64>,
}

impl Order {
    /// The bytes that it keeps.
    pub(crate) fn memory(&self) -> usize {
        (self.packed.capacity() + self.spare.capacity()) * size_of::<u64>()
    }

    /// What `event` makes of each item and its place, sorted by time; equal times as they stand.
    #[inline(always)]
    pub(crate) fn sort<'a, T>(&mut self, items: &'a [T], times: Times, event: impl Fn(usize, &'a T) -> EventRef<'a>) -> Vec<EventRef<'a>> {
        let mut batch = Vec::with_capacity(items.len());
        let all = || items.iter().enumerate().map(|(place, item)| event(place, item));
        if times.rising {
            batch.extend(all());
        } else if let Some(places) = self.places(all().map(|event| event.time), times) {
            batch.extend(places.filter_map(|place| Some(event(place, items.get(place)?))));
        } else {
            batch.extend(all());
            batch.sort_by_key(|event| event.time);
        }
        batch
    }

    /// The places of items with these times, sorted by time; equal times as they stand. `None` if time and place don't fit into one number,
    /// which they mostly do.
    #[inline(always)]
    pub(crate) fn places(&mut self, items: impl ExactSizeIterator<Item = u64>, times: Times) -> Option<impl Iterator<Item = usize>> {
        let place_bits = usize::BITS - items.len().leading_zeros();
        if times.high.saturating_sub(times.low).leading_zeros() < place_bits {
            return None;
        }
        self.packed.clear();
        self.packed.extend(items.zip(0..).map(|(time, place)| time.saturating_sub(times.low) << place_bits | place));
        sort_numbers(&mut self.packed, &mut self.spare);
        Some(self.packed.iter().map(move |number| (number & ((1 << place_bits) - 1)) as usize))
    }
}

/// Sorts numbers that differ, by as many of their upper bits as tell most of them apart, digit by digit from the lowest; what is left in
/// the wrong order then is sorted by insertion. Unlike comparing, most of that has no branches that depend on the numbers.
fn sort_numbers(numbers: &mut Vec<u64>, spare: &mut Vec<u64>) {
    const DIGIT_BITS: u32 = 8;
    const DIGIT: usize = 1 << DIGIT_BITS;
    if numbers.len() <= DIGIT / 4 || u32::try_from(numbers.len()).is_err() {
        return numbers.sort_unstable();
    }
    let bits = u64::BITS - numbers.iter().fold(0, |all, number| all | number).leading_zeros();
    let telling = bits.saturating_sub(bits_within(numbers)).next_multiple_of(DIGIT_BITS).min(4 * DIGIT_BITS);
    spare.resize(numbers.len(), 0);
    let mut shift = bits.saturating_sub(telling);
    while shift < bits {
        let digit_of = |number: u64| (number >> shift) as usize % DIGIT;
        let mut ends = [0_u32; DIGIT];
        numbers.iter().for_each(|&number| ends[digit_of(number)] += 1);
        let mut start = 0;
        for end in &mut ends {
            start += std::mem::replace(end, start);
        }
        for &number in numbers.iter() {
            let end = &mut ends[digit_of(number)];
            spare[*end as usize] = number;
            *end += 1;
        }
        std::mem::swap(numbers, spare);
        shift += DIGIT_BITS;
    }
    if !sort_by_insertion(numbers) {
        numbers.sort_unstable();
    }
}

/// So many of the lower bits tell neighbours apart where numbers are densest, by a sample.
fn bits_within(numbers: &[u64]) -> u32 {
    const SAMPLES: usize = 32;
    /// Of so many samples in a row the distance is taken.
    const ROW: usize = 4;
    let step = (numbers.len() / SAMPLES).max(1);
    let mut samples: Vec<u64> = numbers.iter().step_by(step).copied().collect();
    samples.sort_unstable();
    let distances = samples.iter().skip(ROW).zip(&samples).map(|(high, low)| high - low);
    let between = distances.min().unwrap_or(0) / (ROW * step) as u64;
    // Numbers at random need some more bits to be told apart than those at equal distances.
    (u64::BITS - between.leading_zeros()).saturating_sub(3)
}

/// Quick where hardly any number is out of place, and none by more than a few places. `false` if it gave up.
fn sort_by_insertion(numbers: &mut [u64]) -> bool {
    let mut moves = numbers.len();
    for next in 1..numbers.len() {
        let number = numbers[next];
        let mut place = next;
        while let Some(&before) = numbers.get(place.wrapping_sub(1))
            && before > number
        {
            numbers[place] = before;
            place -= 1;
        }
        if place < next {
            numbers[place] = number;
            match moves.checked_sub(next - place) {
                Some(left) => moves = left,
                None => return false,
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times as they come: in dense stretches, far apart, equal, at both ends.
    fn times() -> impl Strategy<Value = Vec<u64>> {
        let stretch = (any::<u64>(), 0..64_u32, 1..400_usize).prop_flat_map(|(from, bits, len)| {
            let time = any::<u64>().prop_map(move |distance| from.saturating_add(distance >> (63 - bits)));
            proptest::collection::vec(time, 1..=len)
        });
        proptest::collection::vec(stretch, 1..6).prop_map(|stretches| stretches.concat()).prop_shuffle()
    }

    proptest! {
        #[test]
        fn batches_come_out_in_order_of_time_and_arrival(times in times()) {
            let mut seen = Times::NONE;
            times.iter().for_each(|&time| seen.see(time));
            let mut order = Order::default();
            // The second time with memory of the first.
            for len in [times.len(), times.len() / 2, times.len()] {
                let items = &times[..len];
                let sorted = order.sort(items, seen, |place, &time| EventRef { time, seq: place as u64, id: 0, data: &[] });
                let mut expected: Vec<(u64, u64)> = items.iter().copied().zip(0..).collect();
                expected.sort();
                prop_assert_eq!(sorted.iter().map(|event| (event.time, event.seq)).collect::<Vec<_>>(), expected);
            }
        }
    }
}
