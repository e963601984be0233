//! What a store has promised so far: the model, and of each event how safe it must be.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use estore::{AsEvent, Event};

use crate::common::assert_ordered;
use crate::common::model::{Kept, Model};

/// What has happened to a store since what it is compared with was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Loss {
    /// Nothing: it is the same handle.
    Nothing,
    /// The handle is another, the process may have died.
    Process,
    /// The power went.
    Power,
    /// A failed sync lost pages: what it did not cover may be gone, though memory may show it until somebody looks at the disk.
    Pages,
}

/// Whether there is a store at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Exists {
    No,
    /// Its making, or its removal, did not come to an end.
    Perhaps,
    Yes,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) model: Model,
    /// The length of a chunk.
    chunk: u64,
    /// Batches whose append could not say whether they are stored.
    unsure: BTreeSet<usize>,
    /// So many of the arrivals have been handed to the system.
    pub(crate) flushed: usize,
    /// The largest durable seq that the store ever named.
    pub(crate) durable: u64,
    /// A time up to which events may have been deleted by a call that failed.
    pub(crate) tried: u64,
    /// What those who follow have come to.
    pub(crate) cursors: BTreeSet<u64>,
    pub(crate) exists: Exists,
    /// What the last snapshot that was taken shows.
    pub(crate) copy: Option<Vec<Event>>,
    /// What a later one may show that failed, or was cut short.
    pub(crate) copy_tried: Option<Box<Ledger>>,
}

impl Ledger {
    pub(crate) fn new(chunk: u64) -> Ledger {
        Ledger {
            model: Model::default(),
            chunk,
            unsure: BTreeSet::new(),
            flushed: 0,
            durable: 0,
            tried: 0,
            cursors: BTreeSet::new(),
            exists: Exists::No,
            copy: None,
            copy_tried: None,
        }
    }

    /// Tells ledgers apart that ask for different things.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Model { events, horizon, issued, .. } = &self.model;
        (events.len(), horizon, issued, self.flushed, self.durable, self.tried, self.exists, &self.unsure, &self.cursors).hash(&mut hasher);
        (self.copy.as_ref().map(Vec::len), self.copy_tried.as_ref().map(|tried| tried.fingerprint())).hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn append_unsure<E: AsEvent>(&mut self, batch: &[E]) {
        self.unsure.insert(self.model.batches);
        self.model.append_unsure(batch);
    }

    pub(crate) fn is_unsure(&self, event: &Kept) -> bool {
        self.unsure.contains(&event.batch)
    }

    pub(crate) fn has_unsure(&self) -> bool {
        !self.unsure.is_empty()
    }

    /// Everything appended so far is with the system.
    pub(crate) fn note_flushed(&mut self) {
        self.flushed = self.model.events.len();
    }

    /// The store says that it is durable up to there.
    pub(crate) fn note_durable(&mut self, seq: u64) {
        self.durable = self.durable.max(seq);
    }

    /// The horizon as the store states it now: it must be one that it was given.
    pub(crate) fn note_horizon(&mut self, found: u64) {
        let sure = self.model.horizon;
        assert!(found == sure || found == self.tried, "the horizon is {found}, not {sure} or {}", self.tried);
        self.model.delete_before(found);
    }

    /// The store is gone, on purpose.
    pub(crate) fn note_destroyed(&mut self) {
        *self = Ledger::new(self.chunk);
    }

    fn chunk_of(&self, time: u64) -> u64 {
        time / self.chunk
    }

    /// One time of each chunk that ever had an event, with about how many bytes went there.
    pub(crate) fn chunks(&self) -> Vec<(u64, usize)> {
        let mut chunks: HashMap<u64, usize> = HashMap::new();
        for event in self.model.events.iter().filter(|event| event.time >= self.model.horizon) {
            *chunks.entry(self.chunk_of(event.time)).or_default() += event.data.len() + 200;
        }
        let mut chunks: Vec<(u64, usize)> = chunks.into_iter().map(|(chunk, len)| (chunk * self.chunk, len)).collect();
        chunks.sort_unstable();
        chunks
    }

    /// Whether an event must be there.
    fn is_promised(&self, position: usize, event: &Kept, loss: Loss) -> bool {
        match loss {
            _ if self.unsure.contains(&event.batch) => false,
            Loss::Nothing => true,
            Loss::Process => position < self.flushed,
            Loss::Power | Loss::Pages => event.seq.is_some_and(|seq| seq <= self.durable),
        }
    }

    /// All events that a store shows: none that was not appended, all that were promised, and of the rest whole batches (after loss of
    /// power whole in each chunk), and in each chunk none behind a missing one. Learns their seqs.
    pub(crate) fn compare(&mut self, got: &[Event], loss: Loss) {
        assert_ordered(got);
        let horizon = self.model.horizon;
        assert!(got.iter().all(|event| event.time >= horizon), "deleted events, before {horizon}, are shown");
        let found = self.model.clone().survivors(got);
        let mut arrived: Vec<&Event> = got.iter().collect();
        arrived.sort_by_key(|event| event.seq);
        for (&position, event) in found.iter().zip(arrived) {
            self.model.check_one(position, event);
        }
        self.model.check_seqs();

        let found: HashSet<usize> = found.into_iter().collect();
        let mut whole: HashMap<(usize, u64), bool> = HashMap::new();
        let mut ended: HashMap<u64, usize> = HashMap::new();
        for (i, event) in self.model.events.iter().enumerate() {
            if event.lost || event.time < horizon {
                continue;
            }
            let there = found.contains(&i);
            let chunk = self.chunk_of(event.time);
            assert!(
                there || !self.is_promised(i, event, loss),
                "event {i} of the arrivals (time {}, seq {:?}) is lost: {loss:?}, durable up to {}, {} flushed",
                event.time,
                event.seq,
                self.durable,
                self.flushed
            );
            let place = if loss >= Loss::Power { chunk } else { 0 };
            let before = *whole.entry((event.batch, place)).or_insert(there);
            assert_eq!(before, there, "batch {} is torn", event.batch);
            match ended.get(&chunk) {
                None if !there => drop(ended.insert(chunk, i)),
                Some(end) if there => panic!("event {i} of the arrivals is there, but {end}, before it in chunk {chunk}, is not"),
                _ => {}
            }
        }
    }

    /// Whether [`Ledger::compare`] has nothing against these events.
    pub(crate) fn may_show(&self, got: &[Event]) -> bool {
        let mut copy = self.clone();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || copy.compare(got, Loss::Nothing))).is_ok()
    }

    /// After [`Ledger::compare`]: what the store shows now is what it has from here on.
    pub(crate) fn settle(&mut self, got: &[Event]) {
        self.model.survivors(got);
        self.unsure.clear();
        self.tried = self.model.horizon;
        self.note_flushed();
    }
}
