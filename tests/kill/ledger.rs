//! What the parent knows of a store whose writers it kills: which batches must be there, which may be, and which must not.
//!
//! ```text
//!   records of a life ──> note()    every operation that was begun: done, or at work when the process died
//!   a reading of the store ──> look()    against all of that; from then on a batch is known to be there, or not
//! ```
//!
//! A batch that was done must be there, unless it was still in the buffer of `BUFFERED`: of those the first in order of seqs may be there,
//! and none behind one that is missing. A batch at work may be there, but whole. No other may.

use std::collections::{BTreeSet, HashMap};

use estore::{Event, ReadOptions, Stats};

use crate::child::{Plan, Record, Step};
use crate::common::handle::Handle;
use crate::common::{assert_ordered, drain, identities};
use crate::workload::{BatchId, Life, MAIN, Op, Setup, Tag};

/// A batch that some operation has named.
struct Kept {
    events: Vec<Event>,
    /// Was it there when the store was last looked at?
    there: bool,
    /// The seqs of its events, as far as a reading has shown them.
    seqs: Vec<Option<u64>>,
}

/// What has become of a batch since the store was last looked at.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// It was promised.
    promised: bool,
    /// It was appended, up to this seq, and is promised if that is.
    appended: Option<u64>,
    /// Its last event was given this seq by the operation that brought it.
    last_seq: Option<u64>,
    /// Seqs up to this one had been given before.
    above: u64,
}

/// How a life ended for its last operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Batches at work that are there, and that aren't.
    pub(crate) kept: u64,
    pub(crate) lost: u64,
    /// Batches in the buffer that went with it.
    pub(crate) unflushed: u64,
}

pub(crate) struct Ledger {
    setup: Setup,
    batches: HashMap<BatchId, Kept>,
    news: HashMap<BatchId, News>,
    /// Everything before it is deleted; for sure, and perhaps.
    pub(crate) horizon: u64,
    perhaps: BTreeSet<u64>,
    /// Events up to this seq are promised.
    promised: u64,
    /// No seq up to this one may be given to a new event.
    given: u64,
    /// Nor is less than this durable.
    durable: u64,
    /// Some writer had the store open.
    pub(crate) opened: bool,
    /// Batches that were done in all.
    pub(crate) done: u64,
    pub(crate) events: u64,
}

impl Ledger {
    pub(crate) fn new(setup: Setup) -> Ledger {
        Ledger {
            setup,
            batches: HashMap::new(),
            news: HashMap::new(),
            horizon: 0,
            perhaps: BTreeSet::new(),
            promised: 0,
            given: 0,
            durable: 0,
            opened: false,
            done: 0,
            events: 0,
        }
    }

    fn kept(&mut self, id: BatchId) -> &mut Kept {
        let setup = &self.setup;
        self.batches.entry(id).or_insert_with(|| {
            let events = setup.batch(id);
            Kept { seqs: vec![None; events.len()], events, there: false }
        })
    }

    /// Takes note of all that a life has told. Answers the batches that were at work when it ended.
    pub(crate) fn note(&mut self, plan: &Plan, records: &[Record]) -> Vec<BatchId> {
        let given_before = self.given;
        let mut at_work: HashMap<u16, u32> = HashMap::new();
        let mut last_of_thread: HashMap<u16, u64> = HashMap::new();
        // No event of a batch at or behind this can have been deleted.
        let most_deleted = records
            .iter()
            .filter(|record| record.step == Step::Begun && record.thread != MAIN)
            .filter_map(|record| match self.setup.op(BatchId { life: plan.life, thread: record.thread, op: record.op }) {
                Op::DeleteBefore(time) => Some(time),
                _ => None,
            })
            .fold(self.horizon, u64::max);
        for record in records {
            self.promised = self.promised.max(record.promised);
            self.durable = self.durable.max(record.durable);
            match record.step {
                Step::Opening | Step::Closing => {}
                Step::Opened => {
                    self.opened = true;
                    assert!(record.durable <= record.last_seq, "after opening: {record:?}");
                }
                // Closing, like counting, gives no seqs.
                Step::Closed => {}
                Step::Begun => {
                    let before = at_work.insert(record.thread, record.op);
                    assert_eq!(before, None, "a thread does one thing at a time");
                }
                Step::Done => {
                    assert_eq!(at_work.remove(&record.thread), Some(record.op), "what ends was begun");
                    self.note_done(plan, record, most_deleted, given_before);
                }
            }
            if record.step == Step::Done && record.last_seq > 0 {
                let last = last_of_thread.insert(record.thread, record.last_seq).unwrap_or(0);
                assert!(record.last_seq >= last, "seqs fell from {last} to {}", record.last_seq);
                self.given = self.given.max(record.last_seq);
            }
            if let (Step::Done, Op::Append) = (record.step, self.op_of(plan, record.thread, record.op)) {
                let deleted = self.kept(self.id_of(plan, record.thread, record.op)).events.iter().all(|event| event.time < most_deleted);
                assert!(record.last_seq > given_before || deleted, "seq {}, though {given_before} was given before", record.last_seq);
            }
        }
        let mut left = Vec::new();
        for (thread, op) in at_work {
            let own = self.id_of(plan, thread, op);
            match self.op_of(plan, thread, op) {
                // What else it names was appended before.
                Op::Append | Op::Absent { .. } => left.push(own),
                Op::DeleteBefore(time) => drop(self.perhaps.insert(time)),
                Op::Sync | Op::Count | Op::Hold => {}
            }
        }
        left.sort_by_key(|id| (id.life.number, id.thread, id.op));
        for &id in &left {
            self.kept(id);
            self.news.entry(id).or_default().above = given_before;
        }
        left
    }

    /// The batch that an operation has for its own.
    fn id_of(&self, plan: &Plan, thread: u16, op: u32) -> BatchId {
        match plan.again.get(op as usize) {
            Some(&again) if thread == MAIN => again,
            _ => BatchId { life: plan.life, thread, op },
        }
    }

    fn op_of(&self, plan: &Plan, thread: u16, op: u32) -> Op {
        if thread == MAIN { Op::Absent { again: None, twice: false } } else { self.setup.op(self.id_of(plan, thread, op)) }
    }

    fn note_done(&mut self, plan: &Plan, record: &Record, most_deleted: u64, above: u64) {
        let id = self.id_of(plan, record.thread, record.op);
        match self.op_of(plan, record.thread, record.op) {
            Op::Sync | Op::Count | Op::Hold => {}
            Op::DeleteBefore(time) => self.horizon = self.horizon.max(time),
            Op::Append => {
                self.done += 1;
                self.events += self.kept(id).events.len() as u64;
                let last_seq = Some(record.last_seq);
                self.news.insert(id, News { promised: false, appended: last_seq, last_seq, above });
            }
            op @ Op::Absent { again, .. } => {
                self.done += 1;
                let (events, repeated) = self.setup.events(id, op);
                assert_eq!((record.stored + record.present + record.expired) as usize, events.len(), "the answer adds up: {record:?}");
                let own_was_there = self.is_there(id);
                let mut present = repeated;
                for id in again.into_iter().chain([id]) {
                    present += if self.is_there(id) { self.kept(id).events.len() } else { 0 };
                }
                if events.iter().all(|event| event.time >= most_deleted) {
                    assert_eq!(record.present as usize, present, "events that were there already: {record:?}, {id:?}, {op:?}");
                }
                self.events += u64::from(record.stored);
                for id in again.into_iter().chain([id]) {
                    self.kept(id);
                    self.news.entry(id).or_default().promised = true;
                }
                if !own_was_there {
                    let news = self.news.entry(id).or_default();
                    (news.last_seq, news.above) = (Some(record.last_seq), above);
                }
            }
        }
    }

    /// Whether a batch was there before the operation that is noted: it was seen, or has been appended since.
    fn is_there(&self, id: BatchId) -> bool {
        self.batches.get(&id).is_some_and(|kept| kept.there)
            || self.news.get(&id).is_some_and(|news| news.promised || news.appended.is_some())
    }

    /// Reads the whole store, and compares it with all that is known. Answers how the batches fared that were `at_work`.
    pub(crate) fn look(&mut self, store: &Handle, at_work: &[BatchId], recovered: bool, thorough: bool) -> Outcome {
        let stats = store.stats().expect("a store that was recovered has numbers");
        self.settle_horizon(&stats);
        let read = |options| drain(store.read_with(.., options).expect("a reader opens"));
        let events = read(ReadOptions::new());
        assert_ordered(&events);
        let len = events.len() as u64;
        assert_eq!((stats.events, store.count(..).expect("a count works")), (len, len), "counts say what a reader shows");
        assert_eq!(stats.damaged, 0, "nothing is damaged");
        let (durable, last) = (store.durable_seq(), store.last_seq());
        assert!(durable <= last, "durable up to {durable}, given up to {last}");
        // What was synced last may not be noted anywhere yet; but recovery syncs all.
        assert!(!recovered || durable >= self.durable, "durable up to {durable}, and up to {} once", self.durable);
        assert!(events.iter().all(|event| event.seq <= last), "no event has a seq above the last");
        if thorough {
            let mut backward = read(ReadOptions::new().reverse());
            backward.reverse();
            assert!(backward == events, "backwards is the reverse of forwards");
            if let Some(middle) = events.get(events.len() / 2).map(|event| event.time) {
                let below = events.iter().filter(|event| event.time < middle).count() as u64;
                assert_eq!(store.count(..middle).expect("a count works"), below, "events before {middle}");
            }
        }
        self.compare(&events, at_work)
    }

    /// Reads the whole store beside a writer that is at work on it: a snapshot, with all that was there before, and whole batches. Fails with
    /// [`estore::Error::Gone`] if the writer has deleted what was being read.
    pub(crate) fn look_beside(&self, store: &Handle, plan: &Plan) -> estore::Result<()> {
        // Each call follows the writer: the horizon that a reader goes by is one that does not move while it is opened.
        let mut horizon = store.stats()?.horizon;
        let reader = loop {
            let reader = store.read_with(.., ReadOptions::new())?;
            let now = store.stats()?.horizon;
            if now == horizon {
                break reader;
            }
            horizon = now;
        };
        let last_seq = reader.snapshot_seq();
        let events = reader.collect::<estore::Result<Vec<Event>>>()?;
        assert_ordered(&events);
        let mut found: HashMap<BatchId, Vec<&Event>> = HashMap::new();
        for event in &events {
            assert!(event.time >= horizon && event.seq <= last_seq, "an event of the snapshot, which ends with seq {last_seq}: {event:?}");
            found.entry(Tag::decode(&event.data).expect("an event that was appended").id).or_default().push(event);
        }
        for (id, mut got) in found.iter().map(|(id, got)| (id, got.clone())) {
            got.sort_by_key(|event| event.seq);
            let wanted: Vec<Event> = self.setup.batch(*id).into_iter().filter(|event| event.time >= horizon).collect();
            assert!(identities(&wanted) == identities(&got), "beside the writer {id:?} is whole, and in order");
            let known = self.is_there(*id);
            assert!(known || id.life == plan.life || plan.again.contains(id), "{id:?} has come back");
        }
        for (id, kept) in self.batches.iter().filter(|(_, kept)| kept.there) {
            let visible = kept.events.iter().any(|event| event.time >= horizon);
            assert!(!visible || found.contains_key(id), "beside the writer {id:?} is missing");
        }
        Ok(())
    }

    fn settle_horizon(&mut self, stats: &Stats) {
        let known = stats.horizon == self.horizon || (stats.horizon > self.horizon && self.perhaps.contains(&stats.horizon));
        assert!(known, "the horizon is {}; it was set to {} and perhaps one of {:?}", stats.horizon, self.horizon, self.perhaps);
        self.horizon = stats.horizon;
        self.perhaps.clear();
    }

    fn compare(&mut self, events: &[Event], at_work: &[BatchId]) -> Outcome {
        let mut found: HashMap<BatchId, Vec<(u32, &Event)>> = HashMap::new();
        for event in events {
            assert!(event.time >= self.horizon, "time {} is shown, though {} is the horizon", event.time, self.horizon);
            let tag = Tag::decode(&event.data).expect("an event that was appended");
            found.entry(tag.id).or_default().push((tag.place, event));
        }
        // In the buffer order is kept: what is there promises what came before it.
        let news = self.news.keys().filter(|id| self.batches.get(id).is_none_or(|kept| !kept.there));
        let new_seqs = news.filter_map(|id| found.get(id)).flatten().map(|(_, event)| event.seq);
        let flushed = new_seqs.fold(self.promised, u64::max);
        for id in found.keys() {
            assert!(self.batches.contains_key(id), "{id:?} is there, which was never appended");
        }
        let mut outcome = Outcome::default();
        for (&id, kept) in &mut self.batches {
            let news = self.news.get(&id).copied();
            let visible: Vec<u32> =
                (0..).zip(&kept.events).filter(|(_, event)| event.time >= self.horizon).map(|(place, _)| place).collect();
            let mut got = found.remove(&id).unwrap_or_default();
            got.sort_by_key(|(_, event)| event.seq);
            let places: Vec<u32> = got.iter().map(|(place, _)| *place).collect();
            if visible.is_empty() {
                assert!(places.is_empty(), "{id:?} is deleted");
                continue;
            }
            let there = !places.is_empty();
            let (must, may) = match news {
                None => (kept.there, kept.there),
                Some(News { promised, appended, .. }) => {
                    (kept.there || promised || appended.is_some_and(|last_seq| last_seq <= flushed), true)
                }
            };
            assert!(there || !must, "{id:?} is lost: {news:?}, seen: {}", kept.there);
            assert!(!there || may, "{id:?} is there, though it was not there before and nobody appended it since");
            if there {
                assert_eq!(places, visible, "{id:?}: all of its events, in the order in which they were appended");
            }
            for (place, event) in got {
                let (wanted, seq) = (&kept.events[place as usize], &mut kept.seqs[place as usize]);
                let same = (wanted.time, wanted.id, &wanted.data) == (event.time, event.id, &event.data);
                assert!(same, "{id:?}, event {place}: not what was appended");
                match *seq {
                    Some(seq) => assert_eq!(event.seq, seq, "{id:?}, event {place}: a seq stays"),
                    None => {
                        let above = news.map_or(0, |news| news.above);
                        assert!(event.seq > above, "{id:?}, event {place}: seq {}, though {above} was given before", event.seq);
                    }
                }
                *seq = Some(event.seq);
                self.given = self.given.max(event.seq);
                if let Some(last_seq) = news.and_then(|news| news.last_seq).filter(|_| place as usize + 1 == kept.events.len()) {
                    assert_eq!(event.seq, last_seq, "{id:?}: the last seq is the one that append answered");
                }
            }
            if news.is_some_and(|news| news.appended.is_some()) && !there {
                outcome.unflushed += 1;
            }
            if at_work.contains(&id) && !kept.there {
                *if there { &mut outcome.kept } else { &mut outcome.lost } += 1;
            }
            kept.there = there;
        }
        self.news.clear();
        let horizon = self.horizon;
        self.batches.retain(|_, kept| kept.events.iter().any(|event| event.time >= horizon));
        outcome
    }

    /// Appends one batch in this process: it must be given seqs that nobody had before.
    pub(crate) fn append(&mut self, store: &Handle, life: Life) {
        let id = BatchId { life, thread: MAIN, op: 0 };
        let events = self.setup.batch(id);
        let last_seq = store.append(&events).expect("a store that was recovered takes events");
        store.sync().expect("a sync works");
        assert!(last_seq > self.given + (events.len() as u64 - 1), "seqs up to {last_seq}, though {} was given before", self.given);
        self.kept(id);
        self.news.insert(id, News { promised: true, appended: None, last_seq: Some(last_seq), above: self.given });
        self.given = last_seq;
    }
}
