//! The watermark: the newest time of a chunk that counts for lateness.
//!
//! An event is late when it lies more than the grace behind the watermark. The watermark follows the newest event, except that one lone
//! event more than the grace ahead (a broken clock, perhaps) has to wait until a second event so far ahead confirms it; else that one event
//! would make every event after it late.

/// See the module's documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watermark {
    time: Option<u64>,
    /// A time more than the grace ahead that nothing has confirmed yet.
    ahead: Option<u64>,
}

impl Watermark {
    /// A watermark that stands at a time.
    pub(crate) fn at(time: Option<u64>) -> Watermark {
        Watermark { time, ahead: None }
    }

    /// Where it stands; `None` before the first confirmed event.
    pub(crate) fn time(&self) -> Option<u64> {
        self.time
    }

    /// Whether an event is late.
    pub(crate) fn is_late(&self, time: u64, grace: u64) -> bool {
        self.time.is_some_and(|newest| newest > time && newest - time > grace)
    }

    /// Whether `time` is the one that waits to be confirmed.
    pub(crate) fn is_alone(&self, time: u64) -> bool {
        self.ahead == Some(time) && self.time.is_some()
    }

    /// Takes note of a time that is not far ahead; `false`, and nothing done, if it is, or if another one waits to be confirmed.
    pub(crate) fn follow(&mut self, time: u64, grace: u64) -> bool {
        match self {
            Watermark { time: Some(newest), ahead: None } if time.saturating_sub(*newest) <= grace => {
                *newest = time.max(*newest);
                true
            }
            _ => false,
        }
    }

    /// Takes note of the times of a batch, rising.
    pub(crate) fn observe(&mut self, times: impl DoubleEndedIterator<Item = u64> + Clone, grace: u64) {
        // Where the newest is near, all that are newer than the watermark are, and they move it there one after the other.
        if times.clone().next_back().is_some_and(|last| self.follow(last, grace)) {
            return;
        }
        for time in times {
            self.observe_one(time, grace);
        }
    }

    fn observe_one(&mut self, time: u64, grace: u64) {
        let near = |low: u64, high: u64| high.saturating_sub(low) <= grace;
        match self.time {
            Some(newest) if time <= newest => return,
            Some(newest) if near(newest, time) => self.time = Some(time),
            // Too far ahead, or the first of all: wait for another.
            _ => match self.ahead {
                None => {
                    self.ahead = Some(time);
                    return;
                }
                Some(ahead) => {
                    self.time = Some(ahead.min(time));
                    self.ahead = Some(ahead.max(time));
                }
            },
        }
        // What waited may now be near, or behind.
        if let (Some(newest), Some(ahead)) = (self.time, self.ahead)
            && near(newest, ahead)
        {
            self.time = Some(newest.max(ahead));
            self.ahead = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: &[u64], grace: u64) -> Watermark {
        let mut watermark = Watermark::default();
        watermark.observe(times.iter().copied(), grace);
        watermark
    }

    #[test]
    fn follows_a_stream() {
        assert_eq!(after(&[100, 105, 103, 110], 10).time(), Some(110));
    }

    #[test]
    fn one_event_far_ahead_does_not_move_it_and_a_second_does() {
        assert_eq!(after(&[100, 105, 9_000, 108], 10).time(), Some(108));
        assert_eq!(after(&[100, 105, 9_000, 9_005], 10).time(), Some(9_005));
        assert_eq!(after(&[100, 105, 9_000, 20_000], 10).time(), Some(9_000));
    }

    #[test]
    fn the_first_event_has_to_be_confirmed_too() {
        assert_eq!(after(&[u64::MAX], 10).time(), None);
        assert_eq!(after(&[u64::MAX, 100, 105], 10).time(), Some(105));
    }

    #[test]
    fn lateness_is_strict_and_never_overflows() {
        let watermark = after(&[100, 100], 10);
        assert!(!watermark.is_late(90, 10));
        assert!(watermark.is_late(89, 10));
        assert!(!watermark.is_late(u64::MAX, u64::MAX));
        assert!(!after(&[u64::MAX, u64::MAX], u64::MAX).is_late(0, u64::MAX));
    }

    #[test]
    fn a_stream_that_reaches_a_lone_event_absorbs_it() {
        assert_eq!(after(&[100, 100, 150, 120, 135, 145], 20).time(), Some(150));
    }
}
