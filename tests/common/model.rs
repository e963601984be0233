//! The naive model: every event ever stored in one list in order of arrival, and the obvious way to answer each question from it.
//!
//! The model can't know which seqs the store gives, only what must hold of them: they rise strictly in order of arrival, over reopens
//! and crashes too, and the last one of a batch is what append answers. So it starts from these bounds and learns each seq from the
//! first reading that shows it; every later reading must show the same.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use estore::{AsEvent, Event, ReadOptions};

/// An event that the store has taken.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) time: u64,
    pub(crate) id: u32,
    pub(crate) data: Arc<[u8]>,
    /// The number of the append that brought it.
    pub(crate) batch: usize,
    /// Its seq, once it is known.
    pub(crate) seq: Option<u64>,
    /// Its seq is above this, ...
    above: u64,
    /// ... and not above this.
    up_to: u64,
    /// A crash has taken it.
    pub(crate) lost: bool,
}

/// What an append must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) stored: u64,
    pub(crate) present: u64,
    pub(crate) expired: u64,
}

/// How to read, as the model sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    pub(crate) reverse: bool,
    pub(crate) take: Take,
}

/// How many events to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Take {
    #[default]
    All,
    /// At most so many, from where reading starts.
    First(u64),
    /// The newest so many.
    Last(u64),
}

impl How {
    pub(crate) fn options(self) -> ReadOptions {
        let options = match self.take {
            Take::All => ReadOptions::new(),
            Take::First(n) => ReadOptions::new().limit(n),
            Take::Last(n) => ReadOptions::new().last(n),
        };
        if self.reverse { options.reverse() } else { options }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// In order of arrival; never removed from, so that a position stays a name.
    pub(crate) events: Vec<Kept>,
    /// Events below it are gone.
    pub(crate) horizon: u64,
    /// The largest seq that is known to have been given.
    pub(crate) issued: u64,
    /// How many appends there were.
    pub(crate) batches: usize,
    /// Counted since the last opening.
    pub(crate) expired: u64,
    /// Counted since the last opening.
    pub(crate) present: u64,
}

impl Model {
    pub(crate) fn is_live(&self, event: &Kept) -> bool {
        !event.lost && event.time >= self.horizon
    }

    /// Positions of the events of an inclusive range, in order of (time, arrival).
    pub(crate) fn range(&self, start: u64, end: u64) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.events.len())
            .filter(|i| self.events.get(*i).is_some_and(|event| self.is_live(event) && (start..=end).contains(&event.time)))
            .collect();
        found.sort_by_key(|i| self.time_of(*i)); // stable: equal times stay in order of arrival
        found
    }

    fn time_of(&self, position: usize) -> u64 {
        self.events.get(position).map_or(0, |event| event.time)
    }

    /// What a reader shows.
    pub(crate) fn read(&self, start: u64, end: u64, how: How) -> Vec<usize> {
        let mut found = self.range(start, end);
        match how.take {
            Take::All => {}
            Take::First(n) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX).min(found.len());
                if how.reverse {
                    found.drain(..found.len() - n);
                } else {
                    found.truncate(n);
                }
            }
            Take::Last(n) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX).min(found.len());
                found.drain(..found.len() - n);
            }
        }
        if how.reverse {
            found.reverse();
        }
        found
    }

    pub(crate) fn count(&self, start: u64, end: u64) -> u64 {
        self.range(start, end).len() as u64
    }

    /// The events that a full read gives, in order of arrival.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Kept> {
        self.events.iter().filter(|event| self.is_live(event))
    }

    /// How many events a full read gives.
    pub(crate) fn len(&self) -> u64 {
        self.live().count() as u64
    }

    /// The smallest and largest time that a full read gives.
    pub(crate) fn bounds(&self) -> Option<(u64, u64)> {
        let times = || self.live().map(|event| event.time);
        Some((times().min()?, times().max()?))
    }

    /// A batch was appended, and the store answered `last_seq`.
    pub(crate) fn append<E: AsEvent>(&mut self, batch: &[E], last_seq: u64) -> Stored {
        self.store(batch, last_seq, None)
    }

    /// A batch was appended as far as its events weren't there yet, and the store answered `last_seq`.
    pub(crate) fn append_absent<E: AsEvent>(&mut self, batch: &[E], last_seq: u64) -> Stored {
        let there =
            self.events.iter().filter(|event| self.is_live(event)).map(|event| (event.time, event.id, event.data.to_vec())).collect();
        self.store(batch, last_seq, Some(there))
    }

    fn store<E: AsEvent>(&mut self, batch: &[E], last_seq: u64, mut there: Option<HashSet<(u64, u32, Vec<u8>)>>) -> Stored {
        let mut answer = Stored { stored: 0, present: 0, expired: 0 };
        let first = self.events.len();
        for event in batch {
            let event = event.as_event();
            if event.time < self.horizon {
                answer.expired += 1;
            } else if there.as_mut().is_some_and(|there| !there.insert((event.time, event.id, event.data.to_vec()))) {
                answer.present += 1;
            } else {
                answer.stored += 1;
                self.events.push(Kept {
                    time: event.time,
                    id: event.id,
                    data: event.data.into(),
                    batch: self.batches,
                    seq: None,
                    above: self.issued,
                    up_to: last_seq,
                    lost: false,
                });
            }
        }
        if answer.stored > 0 {
            assert!(
                last_seq >= self.issued.saturating_add(answer.stored),
                "{} events were given seqs above {} and up to {last_seq}",
                answer.stored,
                self.issued
            );
            self.issued = last_seq;
            if let Some(last) = self.events.get_mut(first..).and_then(<[Kept]>::last_mut) {
                last.seq = Some(last_seq);
            }
        }
        self.batches += 1;
        self.expired += answer.expired;
        self.present += answer.present;
        answer
    }

    /// A batch was appended, and the answer says that nobody knows whether it is stored.
    pub(crate) fn append_unsure<E: AsEvent>(&mut self, batch: &[E]) {
        for event in batch.iter().map(AsEvent::as_event).filter(|event| event.time >= self.horizon) {
            self.events.push(Kept {
                time: event.time,
                id: event.id,
                data: event.data.into(),
                batch: self.batches,
                seq: None,
                above: self.issued,
                up_to: u64::MAX,
                lost: false,
            });
        }
        self.batches += 1;
    }

    pub(crate) fn delete_before(&mut self, time: u64) {
        self.horizon = self.horizon.max(time);
    }

    /// By the rule of retention, in the chunks of this size: the horizon that it has to come to at least, and the largest that it may come to.
    /// The two differ where a store need not know the present exactly. `sitting`: from this arrival on, the handle has appended them.
    /// `by_size`: chunks may also go for the size of all; then any that is not live. With them, where those end that certainly may.
    pub(crate) fn retain_bounds(&self, file_size: u64, sitting: usize, clock: u64, max_age: u64, by_size: bool) -> (u64, u64, u64) {
        let chunk_of = |time: u64| time / file_size;
        let start_of = |chunk: u64| chunk.saturating_mul(file_size);
        let descending = |events: Vec<u64>| {
            let mut times = events;
            times.sort_unstable_by(|a, b| b.cmp(a));
            times
        };
        // Of the chunk that the horizon cuts, deleted events may still be there.
        let cut = start_of(chunk_of(self.horizon));
        let most = descending(self.events.iter().filter(|event| !event.lost && event.time >= cut).map(|event| event.time).collect());
        let least = descending(self.live().map(|event| event.time).collect());
        let appended = self.events.iter().skip(sitting).map(|event| event.time).max();
        let live_from = |times: &[u64], appended: u64| match times {
            [newest, second, ..] => chunk_of(*second).min(chunk_of(*newest)).min(appended),
            _ => 0,
        };
        let (low, high) = match appended {
            None => (u64::MAX, u64::MAX),
            Some(time) if time >= self.horizon => (chunk_of(time), chunk_of(time)),
            // All of it is deleted, and may never have come to a file.
            Some(_) => (0, u64::MAX),
        };
        let (least_live, most_live) = (live_from(&least, low), live_from(&most, high));
        let young = |present: u64| if max_age == 0 { 0 } else { chunk_of(present.min(clock).saturating_sub(max_age)) };
        let least_young = least.get(1).map_or(0, |second| young(start_of(chunk_of(*second))));
        let most_young = most.get(1).map_or(0, |second| young(*second));
        let end_of_those_before = |times: &[u64], chunk: u64| {
            let gone = times.iter().map(|time| chunk_of(*time)).filter(|other| *other < chunk).max();
            gone.map_or(0, |gone| start_of(gone + 1)).max(self.horizon)
        };
        let at_least = end_of_those_before(&least, least_young.min(least_live));
        let at_most = end_of_those_before(&most, if by_size { most_live } else { most_young.min(most_live) });
        (at_least, at_most, end_of_those_before(&least, least_live))
    }

    /// Whether this may be the event at a position, by all that is known of that.
    pub(crate) fn may_be(&self, position: usize, got: &Event) -> bool {
        self.events.get(position).is_some_and(|kept| {
            let fits = match kept.seq {
                Some(seq) => seq == got.seq,
                None => got.seq > kept.above && got.seq <= kept.up_to,
            };
            fits && (kept.time, kept.id, &*kept.data) == (got.time, got.id, got.data.as_slice())
        })
    }

    /// Whether what stands at a position has gone with a delete.
    pub(crate) fn is_deleted(&self, event: &Kept) -> bool {
        !event.lost && event.time < self.horizon
    }

    /// One event that a reader gave, against the one it had to give. Learns its seq.
    pub(crate) fn check_one(&mut self, position: usize, got: &Event) {
        let Some(wanted) = self.events.get_mut(position) else { panic!("no event {position} in the model") };
        let same = wanted.time == got.time && wanted.id == got.id && *wanted.data == *got.data;
        assert!(
            same,
            "expected event {position} of the arrivals (time {}, id {}, {} bytes {}), got time {}, seq {}, id {}, {} bytes {}",
            wanted.time,
            wanted.id,
            wanted.data.len(),
            start_of(&wanted.data),
            got.time,
            got.seq,
            got.id,
            got.data.len(),
            start_of(&got.data),
        );
        match wanted.seq {
            Some(seq) => assert_eq!(got.seq, seq, "the seq of event {position} of the arrivals, time {}", got.time),
            None => {
                assert!(
                    got.seq > wanted.above && got.seq <= wanted.up_to,
                    "seq {} of event {position} of the arrivals, time {}, is not in ({}, {}]",
                    got.seq,
                    got.time,
                    wanted.above,
                    wanted.up_to
                );
                wanted.seq = Some(got.seq);
            }
        }
    }

    /// All that a reader gave, against all that it had to give.
    pub(crate) fn check(&mut self, positions: &[usize], got: &[Event]) {
        for (position, got) in positions.iter().zip(got) {
            self.check_one(*position, got);
        }
        assert_eq!(got.len(), positions.len(), "how many events were read");
    }

    /// Seqs rise strictly in order of arrival.
    pub(crate) fn check_seqs(&self) {
        let mut last = 0;
        for (i, event) in self.events.iter().enumerate() {
            if let Some(seq) = event.seq {
                assert!(seq > last, "event {i} of the arrivals has seq {seq}, after {last}");
                last = seq;
            }
        }
    }

    /// Finds each event that was read after a crash among the arrivals, and takes all others for lost. Fails if one was never appended.
    /// Answers which positions survived, in order of arrival.
    ///
    /// A survivor is told from its equals by its seq: where that isn't known exactly, equals of one append stand in for each other in
    /// the order that their seqs have.
    pub(crate) fn survivors(&mut self, got: &[Event]) -> Vec<usize> {
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (i, event) in self.events.iter().enumerate().filter(|(_, event)| !event.lost) {
            places.entry((event.time, event.id, Arc::clone(&event.data))).or_default().push(i);
        }
        let mut by_seq: Vec<&Event> = got.iter().collect();
        by_seq.sort_by_key(|event| event.seq);
        let mut found = Vec::with_capacity(got.len());
        for event in by_seq {
            let candidates = places.get_mut(&(event.time, event.id, Arc::from(event.data.as_slice())));
            let fits = |i: &usize| {
                self.events.get(*i).is_some_and(|kept| match kept.seq {
                    Some(seq) => seq == event.seq,
                    None => event.seq > kept.above && event.seq <= kept.up_to,
                })
            };
            let place = candidates.and_then(|list| list.iter().position(fits).map(|at| list.remove(at)));
            let Some(place) = place else {
                panic!(
                    "time {}, seq {}, id {}, {} bytes was read and never appended, or twice",
                    event.time,
                    event.seq,
                    event.id,
                    event.data.len()
                )
            };
            if let Some(kept) = self.events.get_mut(place) {
                kept.seq = Some(event.seq);
            }
            self.issued = self.issued.max(event.seq);
            found.push(place);
        }
        found.sort_unstable();
        let survived: HashSet<usize> = found.iter().copied().collect();
        let horizon = self.horizon;
        for (i, kept) in self.events.iter_mut().enumerate() {
            kept.lost |= kept.time >= horizon && !survived.contains(&i);
        }
        found
    }
}

fn start_of(bytes: &[u8]) -> String {
    let start: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 8 { format!("{start}...") } else { start }
}

/// The pieces of an inclusive range cut at chunk borders: how many, and the first `limit`.
pub(crate) fn splits(file_size: u64, start: u64, end: u64, limit: usize) -> (u128, Vec<(u64, u64)>) {
    let pieces = u128::from(end / file_size - start / file_size) + 1;
    let mut list = Vec::new();
    let mut from = start;
    while list.len() < limit {
        let border = (from / file_size).checked_mul(file_size).and_then(|first| first.checked_add(file_size - 1)).unwrap_or(u64::MAX);
        list.push((from, border.min(end)));
        if border >= end {
            break;
        }
        from = border + 1;
    }
    (pieces, list)
}
