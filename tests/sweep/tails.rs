//! Those who follow the store while calls fail: whatever they were told, what they are given is what arrived, in order, each event once.

use std::ops::Range;

use estore::{Error, Event, Tail, Tailed};

use crate::common::handle::Handle;

use super::ledger::Ledger;
use super::life::{Life, Rules, open_beside};

/// Somebody who follows the store, with one tail after the other.
pub(crate) struct Follower {
    /// Its own handle for reading only, if it follows from beside.
    beside: Option<Handle>,
    tail: Option<Tail>,
    /// The writer's handle was closed since its tail was made.
    pub(crate) closed: bool,
    cursor: u64,
    /// Of the arrivals before this one it wants none any more.
    position: usize,
    /// That events before it are gone, this tail has told.
    told: u64,
}

impl Follower {
    fn new(beside: Option<Handle>) -> Follower {
        Follower { beside, tail: None, closed: false, cursor: 0, position: 0, told: 0 }
    }

    pub(crate) fn is_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// One event: it is among the arrivals, and all that was passed over for it is gone.
    fn take(&mut self, ledger: &Ledger, pages_lost: bool, got: &Event) {
        assert!(got.seq > self.cursor, "seq {} after {}", got.seq, self.cursor);
        let is_it = |i: &usize| {
            let kept = &ledger.model.events[*i];
            (kept.time, kept.id, &*kept.data) == (got.time, got.id, got.data.as_slice()) && kept.seq.is_none_or(|seq| seq == got.seq)
        };
        let Some(position) = (self.position..ledger.model.events.len()).find(is_it) else {
            panic!("time {}, seq {}, id {} was given, and never appended, or before", got.time, got.seq, got.id)
        };
        if !pages_lost {
            self.check_passed_over(ledger, self.position..position);
        }
        (self.position, self.cursor) = (position + 1, got.seq);
    }

    fn check_passed_over(&self, ledger: &Ledger, arrivals: Range<usize>) {
        for i in arrivals {
            let event = &ledger.model.events[i];
            let is_gone = event.lost || event.time < self.told || ledger.is_unsure(event);
            assert!(is_gone, "event {i} of the arrivals, time {}, was passed over; gaps told of what is before {}", event.time, self.told);
        }
    }

    fn hear_of_gap(&mut self, ledger: &Ledger) {
        let horizon = ledger.model.horizon.max(ledger.tried);
        assert!(horizon > self.told, "a gap was told twice of what is before {horizon}");
        let missing = ledger.model.events.iter().skip(self.position).any(|event| event.time < horizon);
        assert!(missing, "a gap, and nothing that was deleted behind event {} of the arrivals", self.position);
        self.told = horizon;
    }
}

impl Life<'_> {
    /// Two begin to follow: by the writer's handle, and from beside.
    pub(crate) fn follow(&mut self) {
        self.followers.push(Follower::new(None));
        match open_beside(self.workload, &self.disk, &self.clock).0 {
            Ok(beside) => self.followers.push(Follower::new(Some(beside))),
            Err(error) => self.explain("open beside the writer", &error),
        }
    }

    /// Each follower takes up to `n` more events.
    pub(crate) fn take(&mut self, n: usize) {
        let mut followers = std::mem::take(&mut self.followers);
        for follower in &mut followers {
            self.take_by(follower, n);
            self.ledger.cursors.insert(follower.cursor);
        }
        self.followers = followers;
    }

    fn take_by(&mut self, follower: &mut Follower, n: usize) {
        let pages_lost = matches!(self.rules, Rules::LosePages(_));
        let mut left = n;
        while left > 0 {
            let Some(tail) = &mut follower.tail else {
                let Some(handle) = follower.beside.as_ref().or(self.handle.as_ref()) else { return };
                match handle.tail(follower.cursor) {
                    Ok(tail) => (follower.tail, follower.told, follower.closed) = (Some(tail), 0, false),
                    Err(error) => return self.explain_reading("tail", &error),
                }
                continue;
            };
            match tail.next_batch(left.min(3)) {
                Ok(Tailed::Events(batch)) => {
                    left -= batch.len();
                    let events: Vec<Event> = batch.iter().map(|event| event.to_event()).collect();
                    events.iter().for_each(|event| follower.take(&self.ledger, pages_lost, event));
                }
                Ok(Tailed::Gap) => follower.hear_of_gap(&self.ledger),
                Ok(Tailed::Nothing) => {
                    if !pages_lost && !follower.closed {
                        follower.check_passed_over(&self.ledger, follower.position..self.ledger.flushed);
                    }
                    return;
                }
                // The next one goes on. Gone: a delete had failed half-way, and the next opening of the store brought it to its end.
                Err(Error::Closed { .. } | Error::Gone { .. }) if follower.closed => follower.tail = None,
                Err(error) => return self.explain("tail", &error),
            }
        }
    }
}
