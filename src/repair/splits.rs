//! A time range cut at chunk borders.

use std::ops::RangeInclusive;

use crate::store::Settings;

/// The pieces of a time range, cut at chunk borders; both ends of each belong to it. Pure arithmetic: whether a chunk has events plays no
/// part, so two stores with the same `file_size` are cut alike.
#[derive(Clone, Debug)]
pub struct Splits {
    settings: Settings,
    /// What is left of the range; `None` at the end.
    rest: Option<(u64, u64)>,
}

impl Splits {
    pub(crate) fn new(settings: Settings, range: Option<(u64, u64)>) -> Splits {
        Splits { settings, rest: range }
    }

    /// How many pieces are left. With a `file_size` of 1 there may be 2^64 of them.
    pub fn pieces(&self) -> u128 {
        self.rest.map_or(0, |(start, end)| u128::from(self.settings.chunk_of(end) - self.settings.chunk_of(start)) + 1)
    }
}

impl Iterator for Splits {
    type Item = RangeInclusive<u64>;

    fn next(&mut self) -> Option<RangeInclusive<u64>> {
        let (start, end) = self.rest?;
        let border = self.settings.chunk_end(self.settings.chunk_of(start)).min(end);
        self.rest = border.checked_add(1).filter(|&next| next <= end).map(|next| (next, end));
        Some(start..=border)
    }
}
