//! Reading in order: one k-way merge over pieces of files, by `(time, seq)`, forwards or backwards.
//!
//! ```text
//!   unopened: a heap, by the smallest key      open: a list, by the key of the next event
//!   that each node can give
//!  ┌─────────┐  its turn: its entries
//!  │ Segment │  become nodes
//!  ├─────────┤                               ┌───────┐  its turn: it gives a run of events, as long as no other
//!  │ Entry   │  its turn: read, checked, ──> │ Block │  block or node can come before; where neighbours don't
//!  └─────────┘  decoded                      └───────┘  overlap that is the whole block
//! ```
//!
//! Nothing is read before its turn and a block is dropped after its last event, so memory is that of the blocks which overlap the
//! front of the merge. Nothing is assumed about the order of pieces. A merge over a snapshot drops whatever is newer than the snapshot's
//! seq, so it may run over lists that have grown since.
//!
//! Backwards is the same merge with every key complemented: the largest key comes first.
//!
//! A merge that salvages goes on at damage: frames that are damaged are left out, and noted as gaps.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::Handle;
use crate::error::{Error, Result};
use crate::event::{EventRef, Key};
use crate::planted::{self, Bug};
use crate::threads::{Mutex, lock};

use super::frame::{Header, LATE, MAX_HEADER_LEN, Refusal, Slot};
use super::index::{Entry, EntryList, Segment};
use super::log::{BAD_BODY, PROVEN_LEN, Salvage, Stretch, Walk, body_is_proven};

/// A batch ends early when the blocks behind it hold this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Buffers larger than this are not kept for reuse.
const REUSE_BYTES: usize = 1 << 20;

/// Which frames of a file a source is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The frames of a log that are not late.
    Main,
    /// The late frames of a log.
    Late,
    /// All frames: those of a recon file.
    Run,
}

impl Class {
    fn takes(self, header: &Header) -> bool {
        match self {
            Class::Main => !header.has(LATE),
            Class::Late => header.has(LATE),
            Class::Run => true,
        }
    }
}

/// What a reader that salvages had to leave out: a stretch of a file that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The damaged file.
    pub path: PathBuf,
    /// Where in it the damage starts.
    pub offset: u64,
    /// How many bytes it takes.
    pub len: u64,
    /// No event that is missing is older than this,
    pub first_time: u64,
    /// nor newer than this. Where the two are the whole range of a chunk, nothing is known but the chunk.
    pub last_time: u64,
    /// What is wrong with the bytes.
    pub what: String,
}

impl Gap {
    /// No event that is missing comes before this key,
    fn first(&self) -> Key {
        Key::new(self.first_time, 0)
    }

    /// nor after this one.
    fn last(&self) -> Key {
        Key::new(self.last_time, u64::MAX)
    }
}

/// Which events, in which direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) first: Key,
    pub(crate) last: Key,
    /// Events with a larger seq are left out.
    pub(crate) seq: u64,
    pub(crate) reverse: bool,
}

impl Scope {
    /// Maps keys so that smaller comes first in the direction of reading.
    fn turn(&self, key: Key) -> Key {
        if self.reverse { Key::new(!key.time, !key.seq) } else { key }
    }

    fn overlaps(&self, first: Key, last: Key) -> bool {
        first <= self.last && self.first <= last && !(planted::has(Bug::LoseEventAtBorder) && first.time == self.last.time)
    }
}

#[derive(Debug)]
struct Source {
    file: Handle,
    instance: u64,
    class: Class,
}

#[derive(Debug)]
enum What {
    Segment(usize, Arc<Segment>),
    Entry(usize, Entry),
    /// Events that can't be had: reading ends here.
    Damage(Error),
}

/// A block that has events left.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Of its next event, turned.
    key: Key,
    /// Its place among the blocks.
    block: usize,
}

#[derive(Debug)]
struct Node {
    /// No event of this node comes before this key, turned.
    key: Key,
    what: What,
}

// The heap gives its greatest first; the smallest key is wanted.
impl Ord for Node {
    fn cmp(&self, other: &Node) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Node) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

/// Decoded events and the bytes that their data lie in.
#[derive(Debug, Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// What they were decompressed from.
    stored: Vec<u8>,
    slots: Vec<Slot>,
    /// The slots still to be given.
    from: usize,
    to: usize,
}

/// Consecutive events of one block, as planned for a batch.
#[derive(Clone, Copy, Debug)]
struct Run {
    block: usize,
    from: usize,
    to: usize,
}

/// A running merge.
#[derive(Debug)]
pub(crate) struct Merge {
    scope: Scope,
    sources: Vec<Source>,
    unopened: BinaryHeap<Node>,
    /// The next to give an event stands last. Seldom more than a few, and what has just given some mostly is soon to give again: where
    /// streams interleave event by event, a heap would take several times as long.
    open: Vec<Open>,
    blocks: Vec<Block>,
    /// Places in `blocks` that are free, with buffers to use again.
    free: Vec<usize>,
    /// Places whose last events are in the current batch.
    retired: Vec<usize>,
    plan: Vec<Run>,
    /// Events in the plan.
    planned: usize,
    /// Met after the first events of a batch: reported by the next call.
    failure: Option<Error>,
    /// All of it was found in the logs, not in what is derived from them.
    from_logs: bool,
    /// Memory for compressed bodies, which only the block that is being filled needs.
    stored: Vec<u8>,
    /// It failed since a log itself is damaged: setting the merge up anew, without what is derived from it, would not help.
    failed_for_good: bool,
    /// Of a merge that salvages.
    gaps: Option<Gaps>,
    /// What it takes for damage.
    past: Salvage,
}

/// Gaps, each once: a second merge over the same files meets them again.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    list: Vec<Gap>,
    noted: HashSet<(PathBuf, u64)>,
}

impl Gaps {
    pub(crate) fn note(&mut self, gap: Gap) {
        if self.noted.insert((gap.path.clone(), gap.offset)) {
            self.list.push(gap);
        }
    }

    pub(crate) fn list(&self) -> &[Gap] {
        &self.list
    }
}

/// Buffers of merges that have ended, for those to come. Where an allocator gives memory of this size back to the system, a short read costs
/// several times as much without them.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    blocks: Mutex<Vec<Block>>,
}

impl Spare {
    /// No more than this is kept.
    const MAX_BYTES: usize = 2 << 20;

    fn take(&self) -> Vec<Block> {
        std::mem::take(&mut *lock(&self.blocks))
    }

    /// Lends one block to work that needs no merge.
    pub(super) fn lend<T>(&self, work: impl FnOnce(&mut Block) -> T) -> T {
        let mut blocks = self.take();
        let mut block = blocks.pop().unwrap_or_default();
        let done = work(&mut block);
        blocks.push(block);
        self.give(blocks);
        done
    }

    fn give(&self, mut blocks: Vec<Block>) {
        let mut left = Spare::MAX_BYTES;
        blocks.retain(|block| {
            // One that is too large must not keep out those behind it.
            let rest = left.checked_sub(block.bytes.capacity() + block.stored.capacity() + block.slots.capacity() * size_of::<Slot>());
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        let mut kept = lock(&self.blocks);
        if kept.len() < blocks.len() {
            *kept = blocks;
        }
    }
}

impl Merge {
    /// A merge that uses the buffers of those before it; they are to get them back by [`Merge::give_back`].
    pub(crate) fn with_spare(scope: Scope, spare: &Spare) -> Merge {
        let mut blocks = spare.take();
        let free = (0..blocks.len()).collect();
        let stored = blocks.first_mut().map(|block| std::mem::take(&mut block.stored)).unwrap_or_default();
        Merge { blocks, free, stored, ..Merge::new(scope) }
    }

    /// Ends the merge and leaves its buffers to others.
    pub(crate) fn give_back(&mut self, spare: &Spare) {
        self.plan.clear();
        self.planned = 0;
        self.open.clear();
        self.unopened.clear();
        if let Some(block) = self.blocks.first_mut() {
            block.stored = std::mem::take(&mut self.stored);
        }
        spare.give(std::mem::take(&mut self.blocks));
    }

    pub(crate) fn new(scope: Scope) -> Merge {
        Merge {
            scope,
            sources: Vec::new(),
            unopened: BinaryHeap::new(),
            open: Vec::new(),
            blocks: Vec::new(),
            free: Vec::new(),
            retired: Vec::new(),
            plan: Vec::new(),
            planned: 0,
            failure: None,
            from_logs: false,
            stored: Vec::new(),
            failed_for_good: false,
            gaps: None,
            past: Salvage::Failures,
        }
    }

    /// From here on damage of logs is left out and noted.
    pub(crate) fn salvage(&mut self, salvage: Salvage) {
        self.gaps.get_or_insert_default();
        self.past = salvage;
    }

    /// Goes on at what another merge goes on at.
    pub(crate) fn salvage_like(&mut self, other: &Merge) {
        if other.salvages() {
            self.salvage(other.past);
        }
    }

    /// Whether a failure is damage to it, so that it would go on behind it if it salvages.
    pub(crate) fn takes_for_damage(&self, error: &Error) -> bool {
        self.past.takes_for_damage(error)
    }

    pub(crate) fn past(&self) -> Salvage {
        self.past
    }

    pub(crate) fn salvages(&self) -> bool {
        self.gaps.is_some()
    }

    /// What was left out so far.
    pub(crate) fn gaps(&self) -> &[Gap] {
        self.gaps.as_ref().map_or(&[], Gaps::list)
    }

    /// Takes note of damage that was left out, if it may concern what the merge is over.
    pub(crate) fn note_gap(&mut self, gap: Gap) {
        if self.scope.overlaps(gap.first(), gap.last())
            && let Some(gaps) = &mut self.gaps
        {
            gaps.note(gap);
        }
    }

    /// Says that all that is added now was found in the logs themselves.
    pub(crate) fn set_from_logs(&mut self, from_logs: bool) {
        self.from_logs = from_logs;
    }

    /// Whether it failed since a log itself is damaged, and not perhaps something that is derived from it.
    pub(crate) fn failed_for_good(&self) -> bool {
        self.failed_for_good
    }

    /// Starts again with other sources, keeping the buffers. The batch lent last ends.
    pub(crate) fn reset(&mut self, scope: Scope) {
        self.scope = scope;
        self.sources.clear();
        self.unopened.clear();
        self.open.clear();
        self.plan.clear();
        self.planned = 0;
        self.failure = None;
        self.from_logs = false;
        self.failed_for_good = false;
        self.retired.clear();
        self.free.clear();
        self.free.extend(0..self.blocks.len());
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Adds frames of `class` of a file, described by `list`.
    pub(crate) fn add(&mut self, file: &Handle, instance: u64, class: Class, list: &EntryList) {
        let source = self.add_source(file, instance, class);
        for segment in list.segments() {
            if self.scope.overlaps(segment.first(), segment.last()) {
                let key = self.front(segment.first(), segment.last());
                self.unopened.push(Node { key, what: What::Segment(source, Arc::clone(segment)) });
            }
        }
    }

    /// Adds single entries.
    pub(crate) fn add_entries<'a>(&mut self, file: &Handle, instance: u64, class: Class, entries: impl IntoIterator<Item = &'a Entry>) {
        let source = self.add_source(file, instance, class);
        for entry in entries {
            if self.scope.overlaps(entry.first, entry.last) {
                let key = self.front(entry.first, entry.last);
                self.unopened.push(Node { key, what: What::Entry(source, *entry) });
            }
        }
    }

    /// Adds what is damaged of a log: reading ends before the first event that it may hold.
    pub(crate) fn add_damage(&mut self, damage: Gap) {
        if self.scope.overlaps(damage.first(), damage.last()) {
            let key = self.front(damage.first(), damage.last());
            let Gap { path, offset, len, what, .. } = damage;
            let what = format!("{len} bytes: {what}");
            self.unopened.push(Node { key, what: What::Damage(Error::Corrupt { path, offset, what }) });
        }
    }

    fn add_source(&mut self, file: &Handle, instance: u64, class: Class) -> usize {
        self.sources.push(Source { file: file.clone(), instance, class });
        self.sources.len() - 1
    }

    /// The turned key that something with these bounds can first give.
    fn front(&self, first: Key, last: Key) -> Key {
        if self.scope.reverse { self.scope.turn(last.min(self.scope.last)) } else { first.max(self.scope.first) }
    }

    /// Plans the next batch of at most `max` events and lends it. Empty only at the end.
    pub(crate) fn next_batch(&mut self, max: usize) -> Result<Batch<'_>> {
        self.plan(max)?;
        Ok(self.planned())
    }

    /// The batch that was planned last.
    pub(crate) fn planned(&self) -> Batch<'_> {
        Batch { runs: &self.plan, blocks: &self.blocks, len: self.planned, reverse: self.scope.reverse }
    }

    /// Plans the next batch of at most `max` events; answers how many it has. The batch before it ends.
    pub(crate) fn plan(&mut self, max: usize) -> Result<usize> {
        self.plan.clear();
        self.planned = 0;
        self.free.append(&mut self.retired);
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut planned = 0;
        let mut retired_bytes = 0;
        while planned < max && retired_bytes < BATCH_BYTES {
            let bound = self.unopened.peek().map(|node| node.key);
            if let Some(&Open { key, block: place }) = self.open.last()
                && bound.is_none_or(|bound| key < bound)
            {
                self.open.pop();
                let limit = self.open.last().map(|next| next.key).into_iter().chain(bound).min();
                let Some(block) = self.blocks.get_mut(place) else { continue };
                let run = block.take(max - planned, limit, &self.scope);
                planned += run.len();
                if !run.is_empty() {
                    self.plan.push(Run { block: place, from: run.start, to: run.end });
                }
                if block.from == block.to {
                    retired_bytes += block.bytes.len();
                }
                self.put_back(place);
                continue;
            }
            let Some(node) = self.unopened.pop() else { break };
            match node.what {
                What::Segment(source, segment) => {
                    for entry in &segment.entries {
                        if self.scope.overlaps(entry.first, entry.last) {
                            let key = self.front(entry.first, entry.last);
                            self.unopened.push(Node { key, what: What::Entry(source, *entry) });
                        }
                    }
                }
                What::Entry(source, entry) => match self.open(source, &entry) {
                    Ok(block) => self.put_back(block),
                    Err(failure) => return self.fail(planned, failure),
                },
                What::Damage(failure) => return self.fail(planned, failure),
            }
        }
        self.planned = planned;
        Ok(planned)
    }

    /// What is whole comes first, the failure with the next call.
    fn fail(&mut self, planned: usize, failure: Error) -> Result<usize> {
        if planned == 0 {
            return Err(failure);
        }
        self.failure = Some(failure);
        self.planned = planned;
        Ok(planned)
    }

    /// Puts a block into the list if it has more to give.
    fn put_back(&mut self, place: usize) {
        let Some(block) = self.blocks.get(place) else { return };
        let next = if self.scope.reverse { block.slots.get(..block.to) } else { block.slots.get(block.from..) };
        let next = next.and_then(|slots| if self.scope.reverse { slots.last() } else { slots.first() });
        match next {
            Some(slot) if block.from < block.to => {
                let key = self.scope.turn(slot.key());
                let near = self.open.len().saturating_sub(16);
                let later = |other: &Open| other.key > key;
                let at = match self.open.iter().skip(near).rposition(later) {
                    Some(behind) => near + behind + 1,
                    None => self.open.get(..near).unwrap_or_default().partition_point(later),
                };
                self.open.insert(at, Open { key, block: place });
            }
            _ => self.retired.push(place),
        }
    }

    /// Reads, checks and decodes an entry; answers its place among the blocks.
    fn open(&mut self, source: usize, entry: &Entry) -> Result<usize> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.blocks.push(Block::default());
            self.blocks.len() - 1
        });
        let (Some(source), Some(block)) = (self.sources.get(source), self.blocks.get_mut(place)) else {
            return Ok(place);
        };
        std::mem::swap(&mut block.stored, &mut self.stored);
        let filled = block.fill(source, entry);
        std::mem::swap(&mut block.stored, &mut self.stored);
        let filled = match filled {
            Err(Unreadable { error, certain })
                if source.class != Class::Run && self.past.takes_for_damage(&error) && (certain || self.from_logs) =>
            {
                let mut damage = Vec::new();
                let salvaged = salvage_entry(source, entry, self.past, &mut block.bytes, &mut block.slots, |gap| damage.push(gap));
                // Where the entry lies, the events would come in a wrong place.
                let fits = block.slots.iter().all(|slot| (entry.first..=entry.last).contains(&slot.key()));
                damage.retain(|gap| self.scope.overlaps(gap.first(), gap.last()));
                match (&mut self.gaps, salvaged) {
                    (_, Err(failure)) => Err(failure),
                    (_, Ok(())) if !fits => Err(error),
                    (Some(gaps), Ok(())) => {
                        damage.into_iter().for_each(|gap| gaps.note(gap));
                        Ok(())
                    }
                    (None, Ok(())) => {
                        self.failed_for_good = true;
                        let scope = &self.scope;
                        let front = |gap: &Gap| scope.turn(if scope.reverse { gap.last() } else { gap.first() });
                        // The whole events before the damage come first.
                        if let Some(key) = damage.iter().map(front).min() {
                            block.slots.retain(|slot| scope.turn(slot.key()) < key);
                            self.unopened.push(Node { key, what: What::Damage(error) });
                        }
                        Ok(())
                    }
                }
            }
            other => other.map_err(|unreadable| unreadable.error),
        };
        match filled {
            Ok(()) => block.narrow(&self.scope, entry),
            Err(failure) => {
                self.free.push(place);
                return Err(failure);
            }
        }
        Ok(place)
    }
}

impl Block {
    fn fill(&mut self, source: &Source, entry: &Entry) -> Result<(), Unreadable> {
        self.slots.clear();
        (self.from, self.to) = (0, 0);
        read_entry(source, entry, &mut self.bytes, &mut self.stored, &mut self.slots)
    }

    /// Reads the events of an entry, in order, and the bytes that their data lie in. For work that needs no merge.
    pub(super) fn read(&mut self, file: &Handle, instance: u64, class: Class, entry: &Entry) -> Result<(&[Slot], &[u8])> {
        self.fill(&Source { file: file.clone(), instance, class }, entry).map_err(|unreadable| unreadable.error)?;
        Ok((&self.slots, &self.bytes))
    }

    /// Leaves out what the scope does not want.
    fn narrow(&mut self, scope: &Scope, entry: &Entry) {
        if entry.seq_high > scope.seq && !planted::has(Bug::LeakIntoSnapshot) {
            self.slots.retain(|slot| slot.seq <= scope.seq);
        }
        self.from = self.slots.partition_point(|slot| slot.key() < scope.first);
        self.to = self.slots.partition_point(|slot| slot.key() <= scope.last).max(self.from);
    }

    /// Takes up to `max` slots from the front (from the back when reading backwards) whose turned keys come before `limit`.
    fn take(&mut self, max: usize, limit: Option<Key>, scope: &Scope) -> std::ops::Range<usize> {
        let left = self.to - self.from;
        let (from, to, reverse) = (self.from, self.to, scope.reverse);
        let slots = &self.slots;
        let before_limit = |n: usize| {
            let slot = if reverse { slots.get(to - 1 - n) } else { slots.get(from + n) };
            limit.is_none_or(|limit| slot.is_some_and(|slot| scope.turn(slot.key()) < limit))
        };
        let most = left.min(max);
        let taken = if most > 0 && before_limit(most - 1) { most } else { gallop(most, before_limit) };
        // The next of all is before every limit; taking none would make no progress.
        let taken = taken.max(most.min(1));
        if reverse {
            self.to -= taken;
            self.to..self.to + taken
        } else {
            self.from += taken;
            self.from - taken..self.from
        }
    }
}

/// How many of the first `most` numbers satisfy `holds`, which turns false once: searched in doubling steps, since the answer is mostly
/// small.
pub(super) fn gallop(most: usize, holds: impl Fn(usize) -> bool) -> usize {
    let mut low = 0;
    let mut step = 1;
    while low + step <= most && holds(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = (low + step).min(most);
    while low < high {
        let middle = (low + high) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Why an entry can't be read.
struct Unreadable {
    error: Error,
    /// It is not the entry that is wrong: the frame that it leads to says that it is one, and is damaged.
    certain: bool,
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Unreadable {
        Unreadable { error, certain: false }
    }
}

/// Reads the frames of an entry that belong to the source's class and decodes their events in order.
///
/// The data of events then lie in `bytes`; `stored` is for what they are decompressed from.
fn read_entry(source: &Source, entry: &Entry, bytes: &mut Vec<u8>, stored: &mut Vec<u8>, slots: &mut Vec<Slot>) -> Result<(), Unreadable> {
    let file = &source.file;
    let damaged = |offset: u64, what: &str| Unreadable::from(Error::corrupt(file.path(), offset, what));
    // The file may be shorter than a lying index says: find out before making room.
    if entry.len as usize > REUSE_BYTES && file.len()? < entry.end() {
        return Err(damaged(entry.offset, "the index names bytes that the file does not have"));
    }
    if entry.len as usize > PROVEN_LEN {
        let mut header = [0; MAX_HEADER_LEN];
        file.read_exact(&mut header, entry.offset)?;
        let header = Header::decode(&header, source.instance, entry.offset).map_err(|refusal| refusal.at(file, entry.offset))?;
        if header.frame_len() != u64::from(entry.len) {
            return Err(damaged(entry.offset, "the index does not agree with the log"));
        }
        if !body_is_proven(file, &header, Salvage::Damage)? {
            return Err(Unreadable { certain: true, ..damaged(entry.offset, BAD_BODY) });
        }
    }
    if bytes.capacity() > REUSE_BYTES && (entry.len as usize) < REUSE_BYTES {
        *bytes = Vec::new();
    }
    bytes.resize(entry.len as usize, 0);
    let found = file.read_up_to(bytes, entry.offset)?;
    match decode_entry(source, entry, bytes.get(..found).unwrap_or_default(), 0, slots)? {
        Decoded::Rising => {}
        Decoded::Mixed => slots.sort_unstable_by_key(Slot::key),
        Decoded::Compressed(header) => {
            // Alone in its entry: so what is decompressed needs no memory besides that of one frame.
            std::mem::swap(bytes, stored);
            bytes.clear();
            let decoded = header.unpack_body(stored.get(header.header_len()..).unwrap_or_default(), bytes, slots);
            if stored.capacity() > REUSE_BYTES {
                *stored = Vec::new();
            }
            decoded.map_err(|refusal| Unreadable { certain: true, error: refusal.at(file, entry.offset) })?;
        }
    }
    Ok(())
}

/// What became of the frames of an entry.
enum Decoded {
    /// Their events rise from one to the next.
    Rising,
    /// They may not.
    Mixed,
    /// The only one is compressed, and was not decoded.
    Compressed(Header),
}

/// Decodes the frames of an entry that belong to the source's class. The entry starts at `start` of `bytes`.
fn decode_entry(source: &Source, entry: &Entry, bytes: &[u8], start: usize, slots: &mut Vec<Slot>) -> Result<Decoded, Unreadable> {
    let file = &source.file;
    let damaged = || Unreadable::from(Error::corrupt(file.path(), entry.offset, "the index does not agree with the log"));
    let mut at = 0;
    let mut rising = true;
    let mut count: u64 = 0;
    let mut bounds: Option<(Key, Key)> = None;
    let mut compressed = None;
    while at < entry.len as usize {
        let offset = entry.offset + at as u64;
        let header = Header::decode(bytes.get(start + at..).unwrap_or_default(), source.instance, offset);
        let header = header.map_err(|refusal| refusal.at(file, offset))?;
        if source.class.takes(&header) {
            count += u64::from(header.count);
            if count > u64::from(entry.count) || header.end() > entry.end() {
                return Err(damaged());
            }
            if !header.is_compressed() {
                let decoded = header.decode_body(bytes, start + at + header.header_len(), slots);
                decoded.map_err(|refusal| Unreadable { certain: true, error: refusal.at(file, offset) })?;
            } else if header.frame_len() == u64::from(entry.len) {
                compressed = Some(header);
            } else {
                return Err(damaged());
            }
            let (first, last) = bounds.unwrap_or((header.first, header.last));
            rising &= bounds.is_none() || last < header.first;
            bounds = Some((first.min(header.first), last.max(header.last)));
        }
        at = at.saturating_add(header.header_len() + header.body_len as usize);
    }
    if at != entry.len as usize || count != u64::from(entry.count) || bounds != Some((entry.first, entry.last)) {
        return Err(damaged());
    }
    Ok(compressed.map_or(if rising { Decoded::Rising } else { Decoded::Mixed }, Decoded::Compressed))
}

/// Reads pieces of a file that are not compressed, neighbours in one go, and decodes their events, in the order of the file. Their data lie in
/// `bytes`, behind which there may be more.
pub(super) fn gather(
    file: &Handle,
    instance: u64,
    class: Class,
    pieces: &[Entry],
    bytes: &mut Vec<u8>,
    slots: &mut Vec<Slot>,
) -> Result<()> {
    let source = Source { file: file.clone(), instance, class };
    slots.clear();
    let mut pieces = pieces.to_vec();
    pieces.sort_unstable_by_key(|piece| piece.offset);
    let mut start = 0;
    for neighbours in pieces.chunk_by(|piece, next| piece.end() == next.offset) {
        let len: usize = neighbours.iter().map(|piece| piece.len as usize).sum();
        if bytes.len() < start + len {
            bytes.resize(start + len, 0);
        }
        let offset = neighbours.first().map_or(0, |piece| piece.offset);
        let found = file.read_up_to(bytes.get_mut(start..start + len).unwrap_or_default(), offset)?;
        let filled = bytes.get(..start + found).unwrap_or_default();
        for piece in neighbours {
            let at = start + (piece.offset - offset) as usize;
            match decode_entry(&source, piece, filled, at, slots).map_err(|unreadable| unreadable.error)? {
                Decoded::Rising | Decoded::Mixed => {}
                Decoded::Compressed(_) => return Err(Error::corrupt(file.path(), piece.offset, "late events are compressed")),
            }
        }
        start += len;
    }
    Ok(())
}

/// As [`read_entry`] for an entry with damage in it: the events of the frames that are whole. The others go to `gap`.
fn salvage_entry(
    source: &Source,
    entry: &Entry,
    past: Salvage,
    bytes: &mut Vec<u8>,
    slots: &mut Vec<Slot>,
    mut gap: impl FnMut(Gap),
) -> Result<()> {
    let path = source.file.path();
    let mut gap = |offset, len, (first_time, last_time), what: &str| {
        gap(Gap { path: path.to_owned(), offset, len, first_time, last_time, what: what.to_owned() });
    };
    slots.clear();
    bytes.clear();
    if entry.len as usize > PROVEN_LEN {
        // One frame, of which nothing is to be had.
        gap(entry.offset, u64::from(entry.len), (entry.first.time, entry.last.time), BAD_BODY);
        return Ok(());
    }
    bytes.resize(entry.len as usize, 0);
    past.read(&source.file, bytes, entry.offset)?;
    let mut walk = Walk::new(&source.file, source.instance, entry.offset, entry.end(), true).past(past);
    while let Some(stretch) = walk.next()? {
        match stretch {
            Stretch::Frame(header) if source.class.takes(&header) => {
                let (before, at) = (slots.len(), (header.offset - entry.offset) as usize);
                let body = at + header.header_len();
                let decoded = if header.is_compressed() {
                    let stored = bytes.get(body..).unwrap_or_default().to_vec();
                    header.unpack_body(&stored, bytes, slots)
                } else {
                    header.decode_body(bytes, body, slots)
                };
                match decoded {
                    Ok(()) => {}
                    Err(Refusal::Damaged(what)) => {
                        slots.truncate(before);
                        gap(header.offset, header.frame_len(), (header.first.time, header.last.time), what);
                    }
                    Err(refusal) => return Err(refusal.at(&source.file, header.offset)),
                }
            }
            Stretch::DamagedBody(header) if source.class.takes(&header) => {
                gap(header.offset, header.frame_len(), (header.first.time, header.last.time), BAD_BODY);
            }
            Stretch::Frame(_) | Stretch::DamagedBody(_) => {}
            Stretch::Damage { offset, len, what } => gap(offset, len, (entry.first.time, entry.last.time), what),
            Stretch::Zeros { offset, len } => gap(offset, len, (entry.first.time, entry.last.time), "zeros where frames were"),
        }
    }
    slots.sort_unstable_by_key(Slot::key);
    Ok(())
}

/// Calls `visit` for every event of an entry, in order. For work that needs no merge.
pub(crate) fn visit_entry(
    file: &Handle,
    instance: u64,
    class: Class,
    entry: &Entry,
    block: &mut Block,
    mut visit: impl FnMut(EventRef<'_>),
) -> Result<()> {
    let (slots, bytes) = block.read(file, instance, class, entry)?;
    for slot in slots {
        visit(event(slot, bytes));
    }
    Ok(())
}

/// The event of a slot, whose data lies in `bytes`.
pub(super) fn event<'a>(slot: &Slot, bytes: &'a [u8]) -> EventRef<'a> {
    let data = bytes.get(slot.start as usize..slot.start as usize + slot.len as usize).unwrap_or_default();
    EventRef { time: slot.time, seq: slot.seq, id: slot.id, data }
}

/// Events lent from a reader's buffers, in order. They stay where they are until the reader is used again or dropped.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    runs: &'a [Run],
    blocks: &'a [Block],
    len: usize,
    reverse: bool,
}

impl<'a> Batch<'a> {
    /// A batch of nothing.
    pub(crate) const EMPTY: Batch<'static> = Batch { runs: &[], blocks: &[], len: 0, reverse: false };

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none: the end.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key of its last event.
    pub(crate) fn last_key(&self) -> Option<Key> {
        let run = self.runs.last()?;
        let slots = self.blocks.get(run.block)?.slots.get(run.from..run.to)?;
        if self.reverse { slots.first() } else { slots.last() }.map(Slot::key)
    }

    /// The events.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter { batch: *self, bytes: &[], slots: [].iter(), next_run: 0 }
    }
}

impl<'a> IntoIterator for Batch<'a> {
    type Item = EventRef<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

/// Iterates over a [`Batch`].
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    batch: Batch<'a>,
    bytes: &'a [u8],
    slots: std::slice::Iter<'a, Slot>,
    next_run: usize,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = EventRef<'a>;

    fn next(&mut self) -> Option<EventRef<'a>> {
        loop {
            let slot = if self.batch.reverse { self.slots.next_back() } else { self.slots.next() };
            if let Some(slot) = slot {
                return Some(event(slot, self.bytes));
            }
            let run = self.batch.runs.get(self.next_run)?;
            self.next_run += 1;
            let block = self.batch.blocks.get(run.block)?;
            self.bytes = &block.bytes;
            self.slots = block.slots.get(run.from..run.to).unwrap_or_default().iter();
        }
    }

    /// All that is left in one go, without looking for the next run at each event.
    fn fold<B, F: FnMut(B, EventRef<'a>) -> B>(self, init: B, mut f: F) -> B {
        let Batch { runs, blocks, reverse, .. } = self.batch;
        let rest = runs.get(self.next_run..).unwrap_or_default().iter().filter_map(|run| {
            let block = blocks.get(run.block)?;
            Some((block.slots.get(run.from..run.to)?.iter(), block.bytes.as_slice()))
        });
        std::iter::once((self.slots, self.bytes)).chain(rest).fold(init, |all, (slots, bytes)| {
            let mut add = |all, slot: &Slot| f(all, event(slot, bytes));
            if reverse { slots.rev().fold(all, &mut add) } else { slots.fold(all, &mut add) }
        })
    }
}
