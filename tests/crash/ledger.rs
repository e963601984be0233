//! What a store has promised, and whether what is found keeps it.
//!
//! ```text
//!   base      events of earlier lives, with their seqs: found after a recovery, so durable from then on
//!   batches   of this life: when each append began and ended, and what it answered
//!   durable, flushed    from when on everything up to a seq survives loss of power, or the death of the process
//!   deletes   which horizons were asked for, and when that was certain
//! ```
//!
//! Everything has a time: the ledger counts what is noted in it. So a crash image can be checked against what was promised by its moment,
//! with what only later answers tell: the exact seqs of a batch that was being written at that moment.
//!
//! The ledger is never surer than the promises are. A batch that no answer has come for may be there or not, but not in part. What was
//! left out of a batch for being deleted or present already is known only where no other thread could interfere.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard};

use estore::{Appended, Event};

use crate::plan::PAGES_LOST;

/// What tells events apart here. Data goes with the id: a case gives no id to two different events.
type Identity = (u64, u32);

fn identity(event: &Event) -> Identity {
    (event.time, event.id)
}

/// `ensure!(condition, "what is wrong")`: leaves with the message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err(format!($($text)*));
        }
    };
}
pub(crate) use ensure;

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Not known yet.
    Open,
    Stored {
        last: u64,
    },
    /// The answer was that nothing was stored.
    Refused,
    /// The answer was that nobody knows.
    Unknown,
}

struct Batch {
    thread: usize,
    absent: bool,
    events: Vec<Event>,
    began: u64,
    ended: Option<u64>,
    outcome: Outcome,
    /// How many were stored, where the answer said so.
    counted: Option<u64>,
    /// Its seqs are above this.
    above: u64,
    /// Events before the first time are left out for being deleted, those from the second on are not.
    horizons: (u64, u64),
}

impl Batch {
    /// Whether the event at this place was certainly not left out (if the batch was stored, and the event wasn't there before).
    fn takes(&self, event: &Event) -> bool {
        event.time >= self.horizons.1
    }

    fn may_take(&self, event: &Event) -> bool {
        event.time >= self.horizons.0
    }

    /// The places of the events that were stored, where that is known for certain.
    fn places(&self) -> Option<Vec<usize>> {
        let certain = !self.absent && self.events.iter().all(|event| self.takes(event) || !self.may_take(event));
        certain.then(|| (0..self.events.len()).filter(|place| self.takes(&self.events[*place])).collect())
    }

    /// The seqs that it was given, where that is known for certain.
    fn seqs(&self) -> Option<(u64, u64)> {
        let Outcome::Stored { last } = self.outcome else { return None };
        let stored = match self.counted {
            Some(stored) => stored,
            None => self.places()?.len() as u64,
        };
        (stored > 0).then(|| (last - (stored - 1), last))
    }
}

struct Delete {
    /// Of one by retention it is known once it is done; until then it may be where any chunk ends that has an event before another one.
    time: Option<u64>,
    began: u64,
    done: Option<u64>,
}

/// What a reader gave.
pub(crate) struct Observation {
    pub(crate) thread: usize,
    /// It read beside the writer, as another process would.
    pub(crate) beside: bool,
    /// When it was being opened, and when it was read last.
    pub(crate) opening: (u64, u64),
    pub(crate) until: u64,
    /// The last seq of its snapshot.
    pub(crate) seq: u64,
    pub(crate) range: (u64, u64),
    pub(crate) reverse: bool,
    pub(crate) limit: Option<u64>,
    pub(crate) got: Vec<Event>,
    /// It has come to its end.
    pub(crate) complete: bool,
}

/// What a tail gave.
pub(crate) struct Followed {
    pub(crate) thread: usize,
    /// It followed from beside the writer, as another process would.
    pub(crate) beside: bool,
    /// What is appended becomes visible only once a buffer is handed over.
    pub(crate) buffered: bool,
    /// It began behind this seq.
    pub(crate) after: u64,
    /// When it was being made, and when it was asked last.
    pub(crate) opening: (u64, u64),
    pub(crate) until: u64,
    pub(crate) given: Vec<Event>,
    /// Before which of its events it told a gap, and when.
    pub(crate) gaps: Vec<(usize, u64)>,
    /// After how many events it had nothing more, and when it was asked.
    pub(crate) empty: Vec<(usize, u64)>,
}

/// How much tails did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TailsChecked {
    pub(crate) all: u64,
    pub(crate) beside: u64,
    pub(crate) events: u64,
    pub(crate) gaps: u64,
}

/// What a crash took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Only the process.
    Process,
    /// What no sync had covered, perhaps.
    Power,
}

/// What a batch must look like to whoever reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    BeThere,
    NotBe,
    /// Be there as a whole or not at all.
    BeWhole,
    /// Nothing.
    MayBe,
}

/// Which part of the store is looked at, and how.
struct Look<'a> {
    /// Events as found, in order of (time, seq).
    found: &'a [Event],
    /// Whether an event would be among them.
    covers: &'a dyn Fn(&Event) -> bool,
    /// What holds of each batch.
    must: &'a dyn Fn(&Batch) -> Must,
    /// Parts of a batch in chunks of this size each stand for themselves; 0 if the batch is one.
    chunk: u64,
    /// In each part of the store, what was acknowledged is there up to the last that is.
    in_order: bool,
}

#[derive(Default)]
struct Inner {
    time: u64,
    file_size: u64,
    base: BTreeMap<u64, Event>,
    base_identities: HashSet<Identity>,
    /// Everything before it is gone for good.
    horizon: u64,
    batches: Vec<Batch>,
    places: HashMap<Identity, Vec<(usize, usize)>>,
    deletes: Vec<Delete>,
    durable: Vec<(u64, u64)>,
    flushed: Vec<(u64, u64)>,
    /// From when on a seq is known to have been given.
    issued: Vec<(u64, u64)>,
    pages_lost: Option<u64>,
    observations: Vec<Observation>,
    /// When a snapshot was taken, and up to which seq; over all lives.
    snapshots: Vec<(u64, u64)>,
    followed: Vec<Followed>,
    /// What consumers have come to, and when.
    cursors: Vec<(u64, u64)>,
    failure: Option<String>,
    next_id: u32,
    /// How often each kind of fault has hit in this life.
    hits: BTreeMap<String, u64>,
}

/// See the module. Shared by the threads of a case, which shuttle never switches while its lock is held.
pub(crate) struct Ledger(Mutex<Inner>);

fn largest(list: &[(u64, u64)], at: u64) -> u64 {
    list.iter().filter(|(time, _)| *time <= at).map(|(_, seq)| *seq).max().unwrap_or(0)
}

fn note(list: &mut Vec<(u64, u64)>, now: u64, seq: u64) {
    if list.last().is_none_or(|(_, before)| *before < seq) {
        list.push((now, seq));
    }
}

impl Ledger {
    pub(crate) fn new(file_size: Option<u64>) -> Ledger {
        Ledger(Mutex::new(Inner { file_size: file_size.unwrap_or(u64::MAX), ..Inner::default() }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics with it")
    }

    /// The time, which is later each time that somebody asks.
    pub(crate) fn now(&self) -> u64 {
        self.inner().tick()
    }

    /// The first failure counts.
    pub(crate) fn fail(&self, what: String) {
        self.inner().failure.get_or_insert(what);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.inner().failure.clone()
    }

    pub(crate) fn fault_hit(&self, error: Option<&io::Error>, powered: bool) {
        let mut inner = self.inner();
        let now = inner.tick();
        let errno = error.and_then(io::Error::raw_os_error);
        if errno == Some(PAGES_LOST) {
            inner.pages_lost.get_or_insert(now);
        }
        let kind = match errno {
            _ if !powered => "crash",
            Some(PAGES_LOST) => "lost pages",
            Some(libc::EIO) => "EIO",
            Some(libc::ENOSPC) => "ENOSPC",
            Some(libc::EINTR) => "EINTR",
            Some(_) => "another errno",
            None => "short",
        };
        *inner.hits.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn snapshot_taken(&self, seq: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        inner.snapshots.push((now, seq));
    }

    /// The last seq of the snapshot that was there at a moment, if there was one.
    pub(crate) fn snapshot_at(&self, at: u64) -> Option<u64> {
        self.inner().snapshots.iter().filter(|(time, _)| *time <= at).map(|(_, seq)| *seq).max()
    }

    /// Whether any fault has hit in this life.
    pub(crate) fn was_hit(&self) -> bool {
        !self.inner().hits.is_empty()
    }

    pub(crate) fn take_hits(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.inner().hits)
    }

    /// Whether a sync has lost pages by then.
    pub(crate) fn pages_lost(&self, at: u64) -> bool {
        self.inner().pages_lost.is_some_and(|lost| lost <= at)
    }

    pub(crate) fn fresh_id(&self) -> u32 {
        let mut inner = self.inner();
        inner.next_id += 1;
        inner.next_id
    }

    /// The largest seq that an append of this life has answered.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.inner().last_stored(u64::MAX)
    }

    /// The largest seq that is known to have been given by then.
    pub(crate) fn issued(&self, at: u64) -> u64 {
        let inner = self.inner();
        largest(&inner.issued, at).max(inner.last_stored(at))
    }

    /// Events that a thread may append once more: those of earlier lives, and its own whose seqs are known.
    pub(crate) fn known_events(&self, thread: usize, most: usize) -> Vec<Event> {
        let inner = self.inner();
        let own = inner.batches.iter().rev().filter(|batch| batch.thread == thread && !batch.absent && batch.seqs().is_some());
        own.flat_map(|batch| &batch.events).chain(inner.base.values().rev()).take(most).cloned().collect()
    }

    // ---- what threads do

    pub(crate) fn begin_append(&self, thread: usize, absent: bool, events: &[Event]) -> usize {
        let mut inner = self.inner();
        let began = inner.tick();
        let horizons = (inner.horizon_by(began), inner.horizon_asked_for(began));
        let number = inner.batches.len();
        for (place, event) in events.iter().enumerate() {
            inner.places.entry(identity(event)).or_default().push((number, place));
        }
        let above = largest(&inner.issued, began).max(inner.last_stored(began));
        let outcome = Outcome::Open;
        inner.batches.push(Batch { thread, absent, events: events.to_vec(), began, ended: None, outcome, counted: None, above, horizons });
        number
    }

    /// The append answered that the events are stored. `level`: what it survives at least.
    pub(crate) fn stored(&self, number: usize, answer: Appended, counted: bool, power: bool, flushed: bool) {
        let mut inner = self.inner();
        let now = inner.tick();
        let asked = inner.horizon_asked_for(now);
        let stored_before = inner.last_stored(inner.batches[number].began);
        let batch = &mut inner.batches[number];
        batch.ended = Some(now);
        batch.horizons.1 = asked;
        batch.outcome = Outcome::Stored { last: answer.last_seq };
        batch.counted = counted.then_some(answer.stored);
        let few = batch.events.iter().filter(|event| batch.takes(event)).count() as u64;
        let many = batch.events.iter().filter(|event| batch.may_take(event)).count() as u64;
        // It looked for them on the disk, so all that was in the buffer went there first.
        let looked = batch.absent && !batch.events.is_empty();
        let above = batch.above;
        let mut wrong = None;
        if counted {
            if answer.stored + answer.present + answer.expired != batch.events.len() as u64 {
                wrong = Some(format!("of {} events, {answer:?}", batch.events.len()));
            } else if !(few..=many).contains(&(answer.stored + answer.present)) {
                wrong = Some(format!("{few} to {many} events are not deleted, but {answer:?}"));
            }
        }
        let least = if counted { answer.stored } else { few };
        if answer.last_seq < if least > 0 { above.saturating_add(least) } else { stored_before } {
            wrong = Some(format!("{least} events got seqs up to {}, though {above} was given before", answer.last_seq));
        }
        if power {
            note(&mut inner.durable, now, answer.last_seq);
        }
        if flushed || looked {
            note(&mut inner.flushed, now, answer.last_seq);
        }
        if let Some(wrong) = wrong {
            inner.failure.get_or_insert(format!("batch {number}: {wrong}"));
        }
    }

    pub(crate) fn not_stored(&self, number: usize, known: bool) {
        let mut inner = self.inner();
        let now = inner.tick();
        let asked = inner.horizon_asked_for(now);
        let batch = &mut inner.batches[number];
        batch.ended = Some(now);
        batch.horizons.1 = asked;
        batch.outcome = if known { Outcome::Refused } else { Outcome::Unknown };
    }

    /// Everything up to this seq survives loss of power from now on.
    pub(crate) fn durable(&self, seq: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        note(&mut inner.durable, now, seq);
        note(&mut inner.flushed, now, seq);
    }

    /// Everything up to this seq survives the death of the process from now on.
    pub(crate) fn flushed(&self, seq: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        note(&mut inner.flushed, now, seq);
    }

    /// Retention begins; what it deletes it tells when it is done, or never, if it is done by the store itself.
    pub(crate) fn begin_retain(&self) -> usize {
        let mut inner = self.inner();
        let began = inner.tick();
        inner.deletes.push(Delete { time: None, began, done: None });
        inner.deletes.len() - 1
    }

    /// It has come to this horizon. Before that one, too, everything was deleted while it was at work, by whomever.
    pub(crate) fn retained(&self, number: usize, horizon: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        inner.deletes[number].time = Some(horizon);
        inner.deletes[number].done = Some(now);
    }

    pub(crate) fn begin_delete(&self, time: u64) -> usize {
        let mut inner = self.inner();
        let began = inner.tick();
        inner.deletes.push(Delete { time: Some(time), began, done: None });
        inner.deletes.len() - 1
    }

    pub(crate) fn deleted(&self, number: usize) {
        let mut inner = self.inner();
        let now = inner.tick();
        inner.deletes[number].done = Some(now);
    }

    pub(crate) fn observed(&self, observation: Observation) {
        self.inner().observations.push(observation);
    }

    pub(crate) fn followed(&self, followed: Followed) {
        self.inner().followed.push(followed);
    }

    /// A consumer has come to this seq.
    pub(crate) fn has_come_to(&self, seq: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        inner.cursors.push((now, seq));
    }

    /// What a consumer has come to at some time, by a number among them.
    pub(crate) fn cursor(&self, nth: u64) -> u64 {
        let inner = self.inner();
        inner.cursors.get(nth as usize % inner.cursors.len().max(1)).map_or(0, |(_, seq)| *seq)
    }

    /// What consumers had come to by then: one of each few of them.
    pub(crate) fn cursors(&self, at: u64) -> Vec<u64> {
        let inner = self.inner();
        let all: Vec<u64> = inner.cursors.iter().filter(|(time, _)| *time <= at).map(|(_, seq)| *seq).collect();
        all.iter().rev().step_by(1 + all.len() / 4).copied().collect()
    }

    /// How many events may be counted by somebody who began then and is done now: at least and at most.
    pub(crate) fn count_bounds(&self, began: u64) -> (u64, u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        let (low, high) = (inner.horizon_by(began), inner.horizon_asked_for(now));
        let base = |horizon: u64| inner.base.values().filter(|event| event.time >= horizon).count() as u64;
        let (mut least, mut most) = (base(high), base(low));
        for batch in &inner.batches {
            let events = || batch.events.iter();
            if let Outcome::Stored { .. } = batch.outcome
                && batch.ended.is_some_and(|ended| ended < began)
            {
                least += if batch.absent { 0 } else { events().filter(|event| batch.takes(event) && event.time >= high).count() as u64 };
            }
            if batch.outcome != Outcome::Refused {
                most += events().filter(|event| batch.may_take(event) && event.time >= low).count() as u64;
            }
        }
        (least, most)
    }

    // ---- checks

    /// Whether what all readers of this life gave is what they had to give.
    pub(crate) fn check_observations(&self) -> Result<u64, String> {
        let mut inner = self.inner();
        let observations = std::mem::take(&mut inner.observations);
        inner.check_seqs()?;
        let mut checked = 0;
        for observation in &observations {
            if inner.pages_lost.is_some_and(|lost| lost <= observation.until) {
                continue;
            }
            inner.check_observation(observation).map_err(|e| {
                let Observation { thread, beside, opening, until, seq, range, reverse, limit, complete, .. } = observation;
                let where_ = if *beside { " beside the writer" } else { "" };
                format!(
                    "a reader of thread {thread}{where_}, opened at {}..{}, read until {until}, snapshot {seq}, range {range:?}, reverse \
                     {reverse}, limit {limit:?}, complete {complete}: {e}",
                    opening.0, opening.1
                )
            })?;
            checked += 1;
        }
        Ok(checked)
    }

    /// Whether what all tails of this life gave is what they had to give.
    pub(crate) fn check_followed(&self) -> Result<TailsChecked, String> {
        let mut inner = self.inner();
        let all = std::mem::take(&mut inner.followed);
        let mut checked = TailsChecked::default();
        for followed in &all {
            if inner.pages_lost.is_some_and(|lost| lost <= followed.until) {
                continue;
            }
            inner.check_tail(followed).map_err(|e| {
                let Followed { thread, beside, after, opening, until, given, gaps, empty, .. } = followed;
                let where_ = if *beside { " beside the writer" } else { "" };
                let seqs: Vec<u64> = given.iter().map(|event| event.seq).collect();
                format!(
                    "a tail of thread {thread}{where_} from {after} on, made at {}..{}, asked until {until}, which gave {seqs:?}, told gaps \
                     {gaps:?} and had nothing at {empty:?}: {e}",
                    opening.0, opening.1
                )
            })?;
            checked.all += 1;
            checked.beside += u64::from(followed.beside);
            checked.events += followed.given.len() as u64;
            checked.gaps += followed.gaps.len() as u64;
        }
        Ok(checked)
    }

    /// Whether `found`, in order of (time, seq), with this horizon, is what a crash at a moment may leave.
    pub(crate) fn check_image(&self, at: u64, loss: Loss, horizon: u64, found: &[Event]) -> Result<(), String> {
        let inner = self.inner();
        let certain = inner.horizon_by(at);
        let begun = inner.deletes.iter().filter(|delete| delete.began <= at);
        let asked_for = begun.flat_map(|delete| inner.times_of(delete)).any(|time| time == horizon);
        ensure!(
            horizon == certain || horizon > certain && asked_for,
            "the horizon is {horizon}; {certain} was certain and no delete before {horizon} had begun"
        );
        let durable = largest(&inner.durable, at);
        let kept = if loss == Loss::Power { durable } else { largest(&inner.flushed, at) };
        let must = |batch: &Batch| match batch.outcome {
            _ if batch.began > at => Must::NotBe,
            Outcome::Refused => Must::NotBe,
            Outcome::Stored { last } if batch.ended.is_some_and(|ended| ended <= at) && last <= kept => Must::BeThere,
            _ => Must::BeWhole,
        };
        let covers = |event: &Event| event.time >= horizon;
        let chunk = if loss == Loss::Power { inner.file_size } else { 0 };
        inner
            .check(&Look { found, covers: &covers, must: &must, chunk, in_order: true })
            .map_err(|e| format!("{e} (durable {durable}, kept {kept}, horizon {horizon})"))
    }

    /// What was found is what there is from here on; a new life begins.
    pub(crate) fn settle(&self, horizon: u64, found: &[Event], issued: u64) {
        let mut inner = self.inner();
        let now = inner.tick();
        inner.issued = vec![(now, issued)];
        inner.base = found.iter().map(|event| (event.seq, event.clone())).collect();
        inner.base_identities = found.iter().map(identity).collect();
        inner.horizon = horizon;
        inner.batches.clear();
        inner.places.clear();
        inner.deletes.clear();
        inner.durable.clear();
        inner.flushed.clear();
        inner.pages_lost = None;
        inner.observations.clear();
        inner.followed.clear();
        inner.hits.clear();
        let last = found.iter().map(|event| event.seq).max().unwrap_or(0);
        inner.durable.push((now, last));
        inner.flushed.push((now, last));
    }

    /// These were there at a moment, as its image shows.
    pub(crate) fn saw(&self, at: u64, found: &[Event]) {
        let largest = found.iter().map(|event| event.seq).max().unwrap_or(0);
        self.inner().issued.push((at, largest));
    }
}

impl Inner {
    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    /// The horizon that is certain by then.
    fn horizon_by(&self, at: u64) -> u64 {
        let done = self.deletes.iter().filter(|delete| delete.done.is_some_and(|done| done <= at));
        done.filter_map(|delete| delete.time).max().unwrap_or(0).max(self.horizon)
    }

    /// The times before which a delete may delete everything.
    fn times_of(&self, delete: &Delete) -> Vec<u64> {
        if let Some(time) = delete.time {
            return vec![time];
        }
        let events = || self.base.values().chain(self.batches.iter().flat_map(|batch| &batch.events));
        let mut chunks: Vec<u64> = events().map(|event| self.chunk_of(event, self.file_size)).collect();
        // One that a horizon lies in is still there, though perhaps without an event that counts.
        let horizons = self.deletes.iter().filter_map(|delete| delete.time).chain([self.horizon]);
        chunks.extend(horizons.filter(|horizon| horizon % self.file_size > 0).map(|horizon| horizon / self.file_size));
        chunks.sort_unstable();
        chunks.dedup();
        // The newest of all stays.
        chunks.pop();
        chunks.into_iter().map(|chunk| (chunk + 1).saturating_mul(self.file_size)).collect()
    }

    /// The largest that was asked for by then.
    fn horizon_asked_for(&self, at: u64) -> u64 {
        let begun = self.deletes.iter().filter(|delete| delete.began <= at);
        begun.flat_map(|delete| self.times_of(delete)).max().unwrap_or(0).max(self.horizon)
    }

    /// The largest seq that an append has answered by then.
    fn last_stored(&self, at: u64) -> u64 {
        let ended = self.batches.iter().filter(|batch| batch.ended.is_some_and(|ended| ended <= at));
        ended.filter_map(|batch| if let Outcome::Stored { last } = batch.outcome { Some(last) } else { None }).max().unwrap_or(0)
    }

    /// No seq was given to two batches.
    fn check_seqs(&self) -> Result<(), String> {
        let mut given: Vec<(u64, u64, usize)> =
            self.batches.iter().enumerate().filter_map(|(number, batch)| batch.seqs().map(|(first, last)| (first, last, number))).collect();
        given.sort_unstable();
        for pair in given.windows(2) {
            if let [(_, last, a), (first, _, b)] = pair {
                ensure!(last < first, "batches {a} and {b} were both given seq {first}");
            }
        }
        Ok(())
    }

    fn check_observation(&self, observation: &Observation) -> Result<(), String> {
        let Observation { beside, opening, seq, range, reverse, limit, .. } = observation;
        let mut found = observation.got.clone();
        if *reverse {
            found.reverse();
        }
        let least = if *beside { largest(&self.flushed, opening.0) } else { self.last_stored(opening.0) };
        // Of what another process sees, the last seqs may be those of deleted events, which it knows nothing of.
        ensure!(*seq >= least || *beside, "its snapshot ends at {seq}, before {least}, which was there by then");
        if let Some(event) = found.iter().find(|event| event.seq > *seq || event.time < range.0 || event.time > range.1) {
            return Err(format!("it gave time {}, seq {}", event.time, event.seq));
        }
        ensure!(limit.is_none_or(|limit| found.len() as u64 <= limit), "it gave {} events", found.len());
        let ended_early = limit.is_some_and(|limit| found.len() as u64 == limit) || !observation.complete;
        let edge = if *reverse { found.first() } else { found.last() }.map(|event| (event.time, event.seq));
        // Where it was not read to the end, only what lies before the last event given is sure to be among them. Seqs that are not known
        // are 0 here.
        let reached = |event: &Event| match edge {
            _ if !ended_early => true,
            None => false,
            Some(edge) if event.seq == 0 => {
                if *reverse {
                    event.time > edge.0
                } else {
                    event.time < edge.0
                }
            }
            Some(edge) => {
                if *reverse {
                    (event.time, event.seq) >= edge
                } else {
                    (event.time, event.seq) <= edge
                }
            }
        };
        let must = |batch: &Batch| match batch.outcome {
            _ if batch.began > opening.1 => Must::NotBe,
            Outcome::Refused => Must::NotBe,
            Outcome::Stored { last } if last <= least.max(*seq) => Must::BeThere,
            // Its last events were deleted before they went from the buffer to the disk, so what is there ends with an earlier seq.
            Outcome::Stored { .. } if *beside && batch.seqs().map_or(batch.above < *seq, |(first, _)| first <= *seq) => Must::BeWhole,
            Outcome::Stored { .. } => Must::NotBe,
            Outcome::Open | Outcome::Unknown => Must::BeWhole,
        };
        let certain = self.horizon_by(opening.0);
        let begun = self.deletes.iter().filter(|delete| delete.began <= opening.1);
        let others = begun.flat_map(|delete| self.times_of(delete)).filter(|time| *time > certain);
        let mut result = Ok(());
        for horizon in others.chain([certain]) {
            let covers = |event: &Event| event.time >= horizon && (range.0..=range.1).contains(&event.time) && reached(event);
            let look = Look { found: &found, covers: &covers, must: &must, chunk: 0, in_order: false };
            result = if found.iter().any(|event| event.time < horizon) {
                Err(format!("it gave events before the horizon {horizon}"))
            } else {
                self.check(&look)
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn check_tail(&self, followed: &Followed) -> Result<(), String> {
        let Followed { beside, buffered, after, opening, until, given, gaps, empty, .. } = followed;
        let mut last = *after;
        for event in given {
            ensure!(event.seq > last, "seq {} comes after {last}", event.seq);
            last = event.seq;
        }
        // What was visible for sure when it had nothing more comes no more.
        let visible = |at: u64| if *beside || *buffered { largest(&self.flushed, at) } else { self.last_stored(at) };
        for &(given_by_then, asked) in empty {
            let missed = given.get(given_by_then..).unwrap_or_default().iter().find(|event| event.seq <= visible(asked));
            ensure!(missed.is_none(), "it had nothing when it was asked at {asked}, though {missed:?} was there");
        }
        let all_by = empty.last().filter(|(n, _)| *n == given.len()).map(|(_, asked)| *asked);
        let bound = all_by.map_or(last, |asked| last.max(visible(asked)));

        let gone = self.horizon_by(opening.0);
        let deleted = given.iter().find(|event| event.time < gone);
        ensure!(deleted.is_none(), "{deleted:?} was deleted before it was made");
        let deletes = || self.deletes.iter().filter(|delete| delete.began <= *until);
        // A store that deletes by itself does so as often as it likes.
        let most = if deletes().all(|delete| delete.time.is_some()) { 1 + deletes().count() } else { usize::MAX };
        ensure!(gaps.len() <= most, "{} gaps, of {most} deletes", gaps.len());
        let early = gaps.iter().find(|(_, told)| self.horizon_asked_for(*told) == 0);
        ensure!(early.is_none(), "a gap, and nothing had been deleted");

        let mut found = given.clone();
        found.sort_unstable_by_key(|event| (event.time, event.seq));
        let horizon = self.horizon_asked_for(*until);
        let covers = |event: &Event| event.time >= horizon && (event.seq == 0 || (after.saturating_add(1)..=bound).contains(&event.seq));
        let must = |batch: &Batch| match batch.outcome {
            _ if batch.began > *until => Must::NotBe,
            Outcome::Refused => Must::NotBe,
            Outcome::Stored { last } if last <= *after => Must::NotBe,
            // The part of it that lies in between, where it is known which one that is.
            Outcome::Stored { .. } if !batch.absent && batch.places().is_some() && batch.seqs().is_some() => {
                if batch.seqs().is_some_and(|(first, _)| first <= bound) { Must::BeThere } else { Must::NotBe }
            }
            // An identity that was there before may have a seq that is not asked for.
            Outcome::Stored { last } if last <= bound && *after == 0 => Must::BeThere,
            Outcome::Open | Outcome::Unknown if all_by.is_some() && batch.above >= *after => Must::BeWhole,
            _ => Must::MayBe,
        };
        self.check(&Look { found: &found, covers: &covers, must: &must, chunk: 0, in_order: false })?;

        // What is missing for having been deleted has been told.
        let given_seqs: HashSet<u64> = given.iter().map(|event| event.seq).collect();
        let known = self.batches.iter().filter(|batch| !batch.absent).filter_map(|batch| {
            let (first, _) = batch.seqs()?;
            Some((first..).zip(batch.places()?).map(|(seq, place)| (seq, &batch.events[place])))
        });
        let all = known.flatten().chain(self.base.iter().map(|(seq, event)| (*seq, event)));
        for (seq, event) in all.filter(|(seq, _)| *seq > *after && *seq <= bound && !given_seqs.contains(seq)) {
            let theirs = deletes().filter(|delete| self.times_of(delete).iter().any(|time| *time > event.time));
            // It may never have left a buffer.
            if theirs.map(|delete| delete.began).min().is_none_or(|began| largest(&self.flushed, began) < seq) {
                continue;
            }
            let passed = given.partition_point(|event| event.seq < seq);
            let told = gaps.iter().any(|(before, at)| *before <= passed && self.horizon_asked_for(*at) > event.time);
            ensure!(told, "seq {seq}, time {}, was deleted, and no gap told of it", event.time);
        }
        Ok(())
    }

    fn check(&self, look: &Look<'_>) -> Result<(), String> {
        for pair in look.found.windows(2) {
            if let [a, b] = pair {
                ensure!((a.time, a.seq) < (b.time, b.seq), "{:?} comes before {:?}", (a.time, a.seq), (b.time, b.seq));
            }
        }
        let by_seq: HashMap<u64, &Event> = look.found.iter().map(|event| (event.seq, event)).collect();
        ensure!(by_seq.len() == look.found.len(), "a seq is there twice");
        let identities: HashSet<Identity> = look.found.iter().map(identity).collect();

        for (seq, event) in self.base.iter().filter(|(_, event)| (look.covers)(event)) {
            ensure!(by_seq.get(seq) == Some(&event), "seq {seq}, time {}, of an earlier life, is lost", event.time);
        }
        let places = self.find_places(look)?;
        for (number, batch) in self.batches.iter().enumerate() {
            let must = (look.must)(batch);
            if !matches!(must, Must::NotBe | Must::MayBe) {
                self.check_batch(look, number, must, &by_seq, &identities, &places)?;
            }
        }
        if look.in_order { self.check_order(look, &by_seq) } else { Ok(()) }
    }

    /// Where each event that was found comes from, with its seq. Fails if one comes from nowhere.
    fn find_places(&self, look: &Look<'_>) -> Result<HashMap<(usize, usize), u64>, String> {
        let given: BTreeMap<u64, (u64, usize)> = self
            .batches
            .iter()
            .enumerate()
            .filter_map(|(number, batch)| batch.seqs().map(|(first, last)| (first, (last, number))))
            .collect();
        let mut places: HashMap<(usize, usize), u64> = HashMap::new();
        let mut by_arrival: Vec<&Event> = look.found.iter().collect();
        by_arrival.sort_unstable_by_key(|event| event.seq);
        for event in by_arrival {
            let Event { time, seq, id, .. } = event;
            if let Some(known) = self.base.get(seq) {
                ensure!(known == event, "seq {seq}, time {time}, id {id} was given before, to time {}, id {}", known.time, known.id);
                continue;
            }
            let place = match given.range(..=seq).next_back().filter(|(_, (last, _))| seq <= last) {
                Some((first, (_, number))) => {
                    let batch = &self.batches[*number];
                    let place = match batch.places() {
                        Some(places) => places.get((seq - first) as usize).copied(),
                        None => (0..batch.events.len())
                            .find(|place| identity(&batch.events[*place]) == identity(event) && !places.contains_key(&(*number, *place))),
                    };
                    place.map(|place| (*number, place))
                }
                None => self.places.get(&identity(event)).and_then(|candidates| {
                    let fits = |(number, place): &&(usize, usize)| {
                        let batch = &self.batches[*number];
                        let before_its_last = match batch.outcome {
                            Outcome::Stored { last } => *seq <= last,
                            Outcome::Open | Outcome::Unknown => true,
                            Outcome::Refused => false,
                        };
                        let may_have_stored = batch.counted.is_none() && batch.seqs().is_none();
                        may_have_stored && *seq > batch.above && before_its_last && !places.contains_key(&(*number, *place))
                    };
                    // Where several fit, the one that fits the fewest of those to come; and rather one that must not be lacking if others
                    // of its batch are there, than one that may have been left out for being there.
                    let order = |(number, _): &(usize, usize)| {
                        let batch = &self.batches[*number];
                        let last = if let Outcome::Stored { last } = batch.outcome { last } else { u64::MAX };
                        (last, batch.absent)
                    };
                    candidates.iter().copied().filter(|candidate| fits(&candidate)).min_by_key(order)
                }),
            };
            let Some((number, place)) = place else {
                let known = self.places.get(&identity(event)).map(|list| list.iter().map(|(number, _)| *number).collect::<Vec<_>>());
                return Err(format!(
                    "time {time}, seq {seq}, id {id} is there and was never appended, or was refused (batches with such an event: {known:?})"
                ));
            };
            let batch = &self.batches[number];
            let appended = &batch.events[place];
            ensure!(
                (appended.time, appended.id, &appended.data) == (event.time, event.id, &event.data),
                "seq {seq} of batch {number} is time {time}, id {id}, not time {}, id {}, or its data is another",
                appended.time,
                appended.id
            );
            ensure!((look.must)(batch) != Must::NotBe, "time {time}, seq {seq}, id {id} of batch {number} must not be there");
            ensure!(batch.may_take(event), "time {time}, seq {seq} of batch {number} was deleted before it was appended");
            places.insert((number, place), *seq);
        }
        Ok(places)
    }

    fn chunk_of(&self, event: &Event, size: u64) -> u64 {
        event.time.checked_div(size).unwrap_or(0)
    }

    fn check_batch(
        &self,
        look: &Look<'_>,
        number: usize,
        must: Must,
        by_seq: &HashMap<u64, &Event>,
        identities: &HashSet<Identity>,
        places: &HashMap<(usize, usize), u64>,
    ) -> Result<(), String> {
        let batch = &self.batches[number];
        let seqs = batch.seqs();
        let certain = batch.places();
        let seq_of = |place: usize| match (&seqs, &certain) {
            (Some((first, _)), Some(certain)) => certain.binary_search(&place).map_or(0, |nth| first + nth as u64),
            _ => 0,
        };
        let is_exclusive = |event: &Event| {
            self.places.get(&identity(event)).is_some_and(|list| list.len() == 1) && !self.base_identities.contains(&identity(event))
        };
        // Whether each part of it is there, by the first event that tells.
        let mut parts: HashMap<u64, bool> = HashMap::new();
        let mut awaited = Vec::new();
        for (place, event) in batch.events.iter().enumerate().filter(|(_, event)| batch.takes(event)) {
            let seq = seq_of(place);
            if !(look.covers)(&Event { seq, ..shell(event) }) {
                continue;
            }
            let there = match seq {
                _ if batch.absent => identities.contains(&identity(event)),
                0 => places.contains_key(&(number, place)),
                seq => by_seq.contains_key(&seq),
            };
            if must == Must::BeThere {
                ensure!(there, "time {}, id {}, seq {seq} (0: not known) of batch {number} is lost", event.time, event.id);
                continue;
            }
            let part = self.chunk_of(event, look.chunk);
            if batch.absent && !is_exclusive(event) {
                // It may be there for another reason; but if the batch is, it has to be.
                awaited.push((part, event, there));
                continue;
            }
            let before = *parts.entry(part).or_insert(there);
            ensure!(
                before == there,
                "batch {number} is torn: time {}, id {} is {}there",
                event.time,
                event.id,
                if there { "" } else { "not " }
            );
        }
        for (part, event, there) in awaited {
            let batch_is_there = parts.get(&part).copied().unwrap_or(false);
            ensure!(there || !batch_is_there, "batch {number} is there, but not time {}, id {}", event.time, event.id);
        }
        // Seqs of one batch follow each other.
        if let Some(certain) = &certain {
            let seqs: Vec<(usize, u64)> =
                certain.iter().enumerate().filter_map(|(nth, place)| places.get(&(number, *place)).map(|seq| (nth, *seq))).collect();
            if let Some((nth, seq)) = seqs.first() {
                let strange = seqs.iter().find(|(other, other_seq)| other_seq.wrapping_sub(*other as u64) != seq.wrapping_sub(*nth as u64));
                ensure!(strange.is_none(), "batch {number} has seqs that don't follow each other: {seqs:?}");
            }
        }
        Ok(())
    }

    /// In each part of the store, events are lost only from the end.
    fn check_order(&self, look: &Look<'_>, by_seq: &HashMap<u64, &Event>) -> Result<(), String> {
        let mut last: HashMap<u64, u64> = HashMap::new();
        for event in look.found {
            let last = last.entry(self.chunk_of(event, look.chunk)).or_default();
            *last = event.seq.max(*last);
        }
        for (number, batch) in self.batches.iter().enumerate() {
            let (Some((first, _)), Some(places)) = (batch.seqs(), batch.places()) else { continue };
            for (seq, place) in (first..).zip(places) {
                let event = &batch.events[place];
                let last = last.get(&self.chunk_of(event, look.chunk)).copied().unwrap_or(0);
                ensure!(
                    seq >= last || !(look.covers)(event) || by_seq.contains_key(&seq),
                    "seq {seq}, time {}, of batch {number} is lost, though seq {last}, which came later, is there",
                    event.time
                );
            }
        }
        Ok(())
    }
}

/// An event without its data.
fn shell(event: &Event) -> Event {
    Event { time: event.time, seq: event.seq, id: event.id, data: Vec::new() }
}
