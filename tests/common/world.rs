//! Runs operations on a store and on the model side by side, and compares all that can be seen of the two.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;

use estore::disk::{Clock, Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Event, EventRef, FindingKind, Mode, Options, Reader, RetainOptions, Sizes, Store, Tail, Tailed};

use crate::common::handle::Handle;
use crate::common::model::{How, Model, Take, splits};
use crate::common::place::Place;
use crate::common::rng::Rng;
use crate::common::{event, frames};
use crate::ops::{
    BatchSpec, Doing, Ending, Harm, HarmSpec, LevelChoice, Op, Opening, Payload, Point, RangeSpec, ReadSpec, RetainSpec, Scale, Setup,
    Shape, TailFrom, TakeSpec,
};

/// How often each thing happened that a test is there for.
pub(crate) type Coverage = BTreeMap<&'static str, u64>;

/// A reader that is kept over later operations, and what it still has to give.
struct Open {
    reader: Reader,
    expected: Vec<usize>,
    given: usize,
    batches: usize,
    rng: Rng,
    /// Of another handle than the writer's, so that a delete may end it.
    beside: bool,
    /// The horizon has moved since it was opened.
    deleted: bool,
}

/// Somebody who follows the store, with one tail after the other.
struct Consumer {
    /// `None` once one has ended, until it is asked for more.
    tail: Option<Tail>,
    beside: bool,
    /// The last seq that it was given, or began with.
    cursor: u64,
    /// Of the arrivals before this one it wants none any more.
    position: usize,
    /// That events before it are gone, this tail has told.
    told: u64,
    /// The horizon when this tail was made.
    made_at: u64,
    /// Its handle was closed; of the arrivals from here on it need not know.
    closed: Option<usize>,
    batches: usize,
    rng: Rng,
}

/// A store and its model.
pub(crate) struct World {
    setup: Setup,
    opening: Opening,
    place: Place,
    handle: Option<Handle>,
    /// A handle for reading only, as another process would have, which goes on while the writer closes and opens.
    beside: Option<Handle>,
    model: Model,
    /// The writer's time.
    writer: u64,
    readers: Vec<Open>,
    consumers: Vec<Consumer>,
    /// Arrivals that were deleted, and perhaps never handed to the system, or lost: whoever misses them need not hear of it.
    untold: HashSet<usize>,
    /// So many arrivals have been handed to the system for sure.
    flushed: usize,
    /// The handle has appended the arrivals from this one on.
    sitting: usize,
    /// Up to this seq all is safe from loss of power.
    durable: u64,
    /// Some chunks may have lost their events.
    crashed: bool,
    /// Derived files were harmed, or lost their unsynced bytes.
    harmed: bool,
    pub(crate) coverage: Coverage,
}

impl World {
    pub(crate) fn new(setup: Setup, place: Place) -> World {
        let mut world = World {
            setup,
            opening: setup.opening,
            place,
            handle: None,
            beside: None,
            model: Model::default(),
            writer: setup.start,
            readers: Vec::new(),
            consumers: Vec::new(),
            untold: HashSet::new(),
            flushed: 0,
            sitting: 0,
            durable: 0,
            crashed: false,
            harmed: false,
            coverage: Coverage::new(),
        };
        world.open();
        world
    }

    fn hit(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    fn is_efile(&self) -> bool {
        self.setup.file_size.is_none()
    }

    /// The length of a chunk, for lengths of time that suit it; an efile has but one.
    fn chunk(&self) -> u64 {
        self.setup.file_size.unwrap_or(100_000)
    }

    fn chunk_of(&self, time: u64) -> u64 {
        self.setup.file_size.map_or(0, |file_size| time / file_size)
    }

    /// What the options of a handle beside have in common with the writer's.
    fn reading_options(&self) -> Options {
        let window = self.opening.window;
        let normal = Sizes::default();
        // Where windows are small, so are runs of late events.
        let (pending_bytes, run_frame_bytes) = (normal.pending_bytes.min(window as u64), normal.run_frame_bytes.min(window as u64 / 8));
        let sizes = Sizes { window_bytes: window, pending_bytes, run_frame_bytes, ..normal };
        self.place.options().no_index(self.opening.no_index).sizes(sizes)
    }

    fn options(&self) -> Options {
        let mut options = self.reading_options().grace(self.setup.grace).max_open_logs(self.opening.max_open_logs);
        if let Some(file_size) = self.setup.file_size {
            options = options.file_size(file_size);
        }
        if let Some(compression) = self.opening.compression {
            options = options.compression(compression);
        }
        match self.opening.level {
            LevelChoice::Buffered { bytes, nanoseconds } => options.durability(Durability::Buffered).buffer(bytes, nanoseconds),
            LevelChoice::Process => options.durability(Durability::Process),
            LevelChoice::Interval(nanoseconds) => options.durability(Durability::Interval(nanoseconds)),
            LevelChoice::Power => options.durability(Durability::Power),
        }
    }

    fn open(&mut self) {
        let handle = Handle::open(self.is_efile(), &self.place.path, self.options()).expect("the store opens");
        self.handle = Some(handle);
        self.sitting = self.model.events.len();
        self.model.present = 0;
        self.model.expired = 0;
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("the store is open")
    }

    /// Runs one operation and compares.
    pub(crate) fn run(&mut self, op: &Op) {
        match op {
            Op::Append(spec) => self.append(spec),
            Op::AppendAbsent(spec) => self.append_absent(spec),
            Op::Read(spec) => self.read(spec),
            Op::ReadBeside(spec) => self.read_beside(spec),
            Op::Count(range) => self.count(range),
            Op::Splits(range) => self.splits(range),
            Op::OpenReader { spec, beside, pull } => self.open_reader(spec, *beside, *pull),
            Op::PullReader { which, pull } => self.pull_reader(*which, *pull),
            Op::OpenTail { from, beside, batches, pull, seed } => self.open_tail(*from, *beside, *batches, *pull, *seed),
            Op::PullTail { which, pull } => self.pull_tail(*which, *pull),
            Op::DeleteBefore(point) => self.delete_before(*point),
            Op::Retain(spec) => self.retain(spec),
            Op::Compact(range) => self.compact(range),
            Op::Snapshot { spec, beside } => self.snapshot(spec, *beside),
            Op::Sync => self.sync(),
            Op::Tick(nanoseconds) => self.tick(*nanoseconds),
            Op::Stats => self.stats(),
            Op::Reopen { ending, harms, opening } => self.reopen(*ending, harms, *opening),
            Op::Die { doing, at, ending, opening } => self.die(doing, *at, *ending, *opening),
        }
        self.note_durable();
    }

    /// The last look: all readers that are still open, all events, the numbers; once more after closing and opening.
    pub(crate) fn finish(mut self) -> Coverage {
        self.stats();
        let whole = ReadSpec { range: RangeSpec::Whole, reverse: false, take: TakeSpec::All, batches: 100, seed: 1 };
        self.read(&whole);
        self.finish_consumers();
        let last = Opening { level: LevelChoice::Process, max_open_logs: 3, no_index: false, window: 1 << 20, compression: None };
        self.reopen(Ending::Close, &[], last);
        self.read(&whole);
        self.read(&ReadSpec { reverse: true, ..whole });
        self.stats();
        self.model.check_seqs();
        self.finish_readers();
        self.finish_consumers();
        self.model.check_seqs();
        self.verify();
        self.handle().close().expect("the store closes");
        self.coverage
    }

    // ---- what is appended

    fn scale(&self, scale: Scale) -> u64 {
        let part = |whole: u64, permille: u64| u64::try_from(u128::from(whole) * u128::from(permille) / 1000).unwrap_or(u64::MAX);
        match scale {
            Scale::Zero => 0,
            Scale::One => 1,
            Scale::Grace(permille) => part(self.setup.grace, permille),
            Scale::Chunk(permille) => part(self.chunk(), permille),
        }
    }

    fn batch(&mut self, spec: &BatchSpec) -> Vec<Event> {
        let mut rng = Rng::new(spec.seed);
        let bulk = BatchSpec {
            shape: if spec.seed.is_multiple_of(4) { spec.shape } else { Shape::Late(Scale::Chunk(1 + spec.seed % 400)) },
            len: if spec.len < 2 { spec.len } else { 100 + spec.len % 300 },
            payload: if spec.seed % 8 < 4 { Payload::Medium } else { spec.payload },
            seed: spec.seed,
        };
        let spec = if self.setup.bulk { &bulk } else { spec };
        if let Shape::Again = spec.shape {
            return self.again(spec.len, &mut rng);
        }
        let times = self.times(spec, &mut rng);
        let large = if let Payload::Large = spec.payload { rng.index(times.len()) } else { usize::MAX };
        let many = times.len() > 700;
        let mut batch = Vec::with_capacity(times.len());
        for (i, time) in times.into_iter().enumerate() {
            let (id, data) = match spec.payload {
                Payload::Empty => (rng.next() as u32, Vec::new()),
                Payload::OneByte => (rng.next() as u32, rng.bytes(1)),
                Payload::Twins => (rng.below(2) as u32, vec![rng.below(2) as u8; rng.index(3)]),
                Payload::Large if i == large => (rng.next() as u32, rng.bytes(1 << 20)),
                Payload::Medium if !many => {
                    let len = rng.index(3000);
                    (rng.next() as u32, rng.bytes(len))
                }
                Payload::Short | Payload::Medium | Payload::Large => {
                    let len = rng.index(40);
                    (rng.next() as u32, rng.bytes(len))
                }
            };
            batch.push(event(time, id, data));
        }
        batch
    }

    /// Events of identities that were appended before, in any order, some of them twice.
    fn again(&self, len: usize, rng: &mut Rng) -> Vec<Event> {
        let known = &self.model.events;
        let mut picks = Vec::new();
        let mut chunks = HashSet::new();
        for _ in 0..len.min(known.len()) {
            if let Some(kept) = known.get(rng.index(known.len())) {
                chunks.insert(self.chunk_of(kept.time));
                if chunks.len() <= self.setup.chunks_per_batch {
                    picks.push(event(kept.time, kept.id, &*kept.data));
                }
            }
        }
        picks
    }

    fn times(&mut self, spec: &BatchSpec, rng: &mut Rng) -> Vec<u64> {
        let n = spec.len;
        let mut times = Vec::with_capacity(n);
        match spec.shape {
            Shape::Equal | Shape::Again => times.resize(n, self.writer),
            Shape::InOrder(step) => self.advance(n, self.scale(step), 0, rng, &mut times),
            Shape::Disordered(step, back) => self.advance(n, self.scale(step), self.scale(back), rng, &mut times),
            Shape::Late(back) => {
                let back = self.scale(back);
                times.extend((0..n).map(|_| self.writer.saturating_sub(rng.below(back.saturating_add(1)))));
            }
            Shape::Backwards(step) => {
                let step = self.scale(step);
                times.extend((0..n as u64).map(|i| self.writer.saturating_sub(step.saturating_mul(i))));
            }
            Shape::LoneAhead(scale) => times.push(self.writer.saturating_add(self.scale(scale).saturating_mul(10))),
            Shape::Leap(by) => {
                // Near the end of time, leaps go back instead, or nothing would happen there any more.
                let far = u64::from(by).saturating_mul(self.chunk().min(1 << 30));
                self.writer = if u64::MAX - self.writer < (1 << 62) { self.writer / 2 } else { self.writer.saturating_add(far) };
                self.advance(n, 1, 0, rng, &mut times);
            }
            Shape::Edges => {
                let border = self.chunk_of(self.writer).saturating_mul(self.chunk());
                let edges = [0, 1, u64::MAX - 1, u64::MAX, border.saturating_sub(1), border, border.saturating_add(1)];
                times.extend((0..n).filter_map(|_| edges.get(rng.index(edges.len()))));
            }
            Shape::Anywhere => times.extend((0..n).map(|_| rng.next())),
            Shape::ManyChunks => {
                let chunks = self.setup.chunks_per_batch as u64;
                times.extend((0..n).map(|_| self.writer.saturating_add(rng.below(chunks).saturating_mul(self.chunk()))));
            }
        }
        // A batch over too many chunks takes too long for a test: only the first few of its chunks are kept.
        let mut chunks = HashSet::new();
        times.retain(|time| {
            let chunk = self.chunk_of(*time);
            let room = chunks.len() < self.setup.chunks_per_batch;
            chunks.contains(&chunk) || room && chunks.insert(chunk)
        });
        times
    }

    fn advance(&mut self, n: usize, step: u64, back: u64, rng: &mut Rng, times: &mut Vec<u64>) {
        for _ in 0..n {
            self.writer = self.writer.saturating_add(step);
            let behind = if back > 0 && rng.one_in(4) { rng.below(back) } else { 0 };
            times.push(self.writer.saturating_sub(behind));
        }
    }

    fn append(&mut self, spec: &BatchSpec) {
        let batch = self.batch(spec);
        let answer = self.handle().append(&batch).expect("the batch is appended");
        let stored = self.model.append(&batch, answer);
        if stored.stored == 0 {
            assert_eq!(answer, self.handle().last_seq(), "a batch of which nothing is stored answers the last seq");
        }
        if stored.expired > 0 {
            self.hit("appended below the horizon");
        }
        self.appended(answer);
    }

    fn append_absent(&mut self, spec: &BatchSpec) {
        // Half of them were there before.
        let mut batch = self.batch(spec);
        let mut rng = Rng::new(spec.seed ^ 1);
        batch.extend(self.again(spec.len / 2, &mut rng));
        if rng.one_in(2) {
            rng.shuffle(&mut batch);
        }
        // Together the two halves may touch twice as many chunks, which is still few.
        let answer = self.handle().append_absent(&batch).expect("the batch is appended");
        let stored = self.model.append_absent(&batch, answer.last_seq);
        assert_eq!(
            (answer.stored, answer.present, answer.expired),
            (stored.stored, stored.present, stored.expired),
            "stored, present, expired"
        );
        if stored.present > 0 {
            self.hit("append absent met events that were there");
        }
        self.appended(answer.last_seq);
    }

    fn appended(&mut self, answer: u64) {
        assert_eq!(self.handle().last_seq(), answer, "the last seq is what append answered");
        match self.opening.level {
            LevelChoice::Buffered { .. } => {}
            LevelChoice::Process | LevelChoice::Interval(_) => self.flushed = self.model.events.len(),
            LevelChoice::Power => {
                self.flushed = self.model.events.len();
                assert!(self.handle().durable_seq() >= answer, "Power is durable on return");
            }
        }
    }

    fn note_durable(&mut self) {
        let (durable, last) = (self.handle().durable_seq(), self.handle().last_seq());
        assert!(durable <= last, "durable up to {durable}, but the last seq is {last}");
        assert!(durable >= self.durable, "durable up to {durable}, after {}", self.durable);
        self.durable = durable;
    }

    // ---- what is read

    fn point(&self, point: Point) -> u64 {
        let beside = |time: u64, by: i8| time.saturating_add_signed(i64::from(by));
        let event = |which: usize| self.model.events.get(which % self.model.events.len().max(1)).map_or(self.writer, |event| event.time);
        match point {
            Point::Zero => 0,
            Point::Max => u64::MAX,
            Point::Event(which, by) => beside(event(which), by),
            Point::Border(which, by) => beside((event(which) / self.chunk()).saturating_mul(self.chunk()), by),
            Point::Writer(by) => beside(self.writer, by),
            Point::Anywhere(time) => time,
        }
    }

    /// The bounds to ask with, and the inclusive range that they mean. Whether the end is written inclusive or not goes by its number.
    fn range(&self, spec: &RangeSpec) -> ((Bound<u64>, Bound<u64>), (u64, u64)) {
        let (a, b) = match spec {
            RangeSpec::Whole => (Point::Zero, Point::Max),
            RangeSpec::Between(a, b) => (*a, *b),
            RangeSpec::One(a) => (*a, *a),
            RangeSpec::From(a) => (*a, Point::Max),
            RangeSpec::To(b) => (Point::Zero, *b),
        };
        let (a, b) = (self.point(a), self.point(b));
        let (start, end) = (a.min(b), a.max(b));
        let from = if start == 0 && end % 2 == 1 { Bound::Unbounded } else { Bound::Included(start) };
        let to = match end {
            u64::MAX if start % 2 == 0 => Bound::Unbounded,
            u64::MAX => Bound::Included(end),
            _ if end % 3 == 1 => Bound::Excluded(end + 1),
            _ => Bound::Included(end),
        };
        ((from, to), (start, end))
    }

    fn how(spec: &ReadSpec) -> How {
        let take = match spec.take {
            TakeSpec::All => Take::All,
            TakeSpec::First(n) => Take::First(n),
            TakeSpec::Last(n) => Take::Last(n),
        };
        How { reverse: spec.reverse, take }
    }

    /// A reader, and the positions of the events that it has to give.
    fn reader(&mut self, handle: &Handle, spec: &ReadSpec) -> (Reader, Vec<usize>) {
        let (bounds, (start, end)) = self.range(&spec.range);
        let how = World::how(spec);
        let reader = handle.read_with(bounds, how.options()).expect("a reader opens");
        (reader, self.model.read(start, end, how))
    }

    fn read(&mut self, spec: &ReadSpec) {
        let handle = self.handle.take().expect("the store is open");
        let (mut reader, expected) = self.reader(&handle, spec);
        assert_eq!(reader.snapshot_seq(), handle.last_seq(), "a snapshot in the writer covers every append that returned");
        self.handle = Some(handle);
        self.flushed = self.model.events.len();
        let mut rng = Rng::new(spec.seed);
        let got = pull(&mut reader, usize::MAX, spec.batches, &mut rng).expect("reading goes on to the end");
        assert!(reader.next().is_none(), "after its end a reader stays there");
        self.model.check(&expected, &got);
    }

    /// As another process would: sees what was handed to the system, whole batches only.
    fn read_beside(&mut self, spec: &ReadSpec) {
        let beside = self.take_beside(spec.seed);
        self.compare_beside(&beside, spec);
        self.beside = Some(beside);
    }

    /// The handle that is kept, or a new one.
    fn take_beside(&mut self, seed: u64) -> Handle {
        match self.beside.take().filter(|_| !seed.is_multiple_of(5)) {
            Some(beside) => {
                self.hit("a handle beside goes on");
                beside
            }
            None => {
                for consumer in self.consumers.iter_mut().filter(|consumer| consumer.beside) {
                    consumer.closed.get_or_insert(consumer.position);
                }
                self.open_beside()
            }
        }
    }

    fn compare_beside(&mut self, beside: &Handle, spec: &ReadSpec) {
        let whole = ReadSpec { range: RangeSpec::Whole, take: TakeSpec::All, ..*spec };
        let (mut reader, expected) = self.reader(beside, &whole);
        let mut got = pull(&mut reader, usize::MAX, spec.batches, &mut Rng::new(spec.seed)).expect("reading goes on to the end");
        if got.len() == expected.len() {
            self.model.check(&expected, &got);
            let (mut reader, expected) = self.reader(beside, spec);
            assert!(reader.snapshot_seq() <= self.handle().last_seq(), "a snapshot ends at a seq that was given");
            let got = pull(&mut reader, usize::MAX, spec.batches, &mut Rng::new(spec.seed)).expect("reading goes on to the end");
            self.model.check(&expected, &got);
            assert_eq!(beside.stats().expect("numbers").events, self.model.len(), "events, seen from beside");
            return;
        }
        assert!(
            matches!(self.opening.level, LevelChoice::Buffered { .. }),
            "only a buffer keeps events from readers: {} of {}",
            got.len(),
            expected.len()
        );
        self.hit("read beside a full buffer");
        if spec.reverse {
            got.reverse();
        }
        let mut arrived: Vec<usize> = expected.clone();
        arrived.sort_unstable();
        let (seen, unseen) = arrived.split_at(got.len());
        let batch = |position: Option<&usize>| position.and_then(|i| self.model.events.get(*i)).map(|event| event.batch);
        assert_ne!(batch(seen.last()), batch(unseen.first()), "a batch is seen whole or not at all");
        assert!(unseen.iter().all(|i| *i >= self.flushed), "what was handed to the system is seen");
        let mut seen = seen.to_vec();
        seen.sort_by_key(|i| self.model.events.get(*i).map(|event| (event.time, *i)));
        self.model.check(&seen, &got);
    }

    fn open_beside(&self) -> Handle {
        let options = self.reading_options().mode(Mode::ReadOnly);
        Handle::open(self.is_efile(), &self.place.path, options).expect("the store opens for reading")
    }

    fn count(&mut self, range: &RangeSpec) {
        let (bounds, (start, end)) = self.range(range);
        let count = self.handle().count(bounds).expect("the events are counted");
        self.flushed = self.model.events.len();
        assert_eq!(count, self.model.count(start, end), "how many events are in {start}..={end}");
    }

    fn splits(&mut self, range: &RangeSpec) {
        let (bounds, (start, end)) = self.range(range);
        let (Handle::Store(store), Some(file_size)) = (self.handle(), self.setup.file_size) else { return };
        let limit = 50;
        let (pieces, expected) = splits(file_size, start, end, limit);
        let split = store.splits(bounds).expect("the range is split");
        assert_eq!(split.pieces(), pieces, "how many chunks {start}..={end} touches");
        let got: Vec<(u64, u64)> = split.take(limit).map(|piece| (*piece.start(), *piece.end())).collect();
        assert_eq!(got, expected, "the pieces of {start}..={end}");
        if pieces <= limit as u128 {
            let sum: u64 = got.iter().map(|(a, b)| store.count(a..=b).expect("a piece is counted")).sum();
            assert_eq!(sum, self.model.count(start, end), "the pieces have all events of the range");
            self.flushed = self.model.events.len();
        }
    }

    // ---- readers that stay open

    fn open_reader(&mut self, spec: &ReadSpec, beside: bool, pull: usize) {
        // A handle beside shows less than the model has while a buffer is not handed over.
        let beside = beside && self.flushed == self.model.events.len();
        let (reader, expected) = if beside {
            let handle = self.take_beside(spec.seed);
            let opened = self.reader(&handle, spec);
            self.beside = Some(handle);
            opened
        } else {
            let handle = self.handle.take().expect("the store is open");
            let opened = self.reader(&handle, spec);
            self.handle = Some(handle);
            self.flushed = self.model.events.len();
            opened
        };
        self.readers.push(Open { reader, expected, given: 0, batches: spec.batches, rng: Rng::new(spec.seed), beside, deleted: false });
        let last = self.readers.len() - 1;
        self.pull_reader(last, pull);
        if self.readers.len() > 6 {
            let mut oldest = self.readers.remove(0);
            self.pull(&mut oldest, usize::MAX);
        }
    }

    fn pull_reader(&mut self, which: usize, pull: usize) {
        if self.readers.is_empty() {
            return;
        }
        let which = which % self.readers.len();
        let mut open = self.readers.swap_remove(which);
        if self.pull(&mut open, pull) {
            self.readers.push(open);
        }
    }

    /// Reads on by `n` events, or to the end; `false` if the reader ended.
    fn pull(&mut self, open: &mut Open, n: usize) -> bool {
        let got = match pull(&mut open.reader, n, open.batches, &mut open.rng) {
            Ok(got) => got,
            Err(Error::Gone { .. }) if open.beside && open.deleted => {
                self.hit("a reader beside met a delete");
                return false;
            }
            Err(error) => panic!("a reader that was opened before failed: {error}"),
        };
        let expected: Vec<usize> = open.expected.iter().skip(open.given).take(n).copied().collect();
        self.model.check(&expected, &got);
        open.given += got.len();
        if n > 0 && got.len() < n {
            assert!(open.reader.next().is_none(), "after its end a reader stays there");
            return false;
        }
        true
    }

    fn finish_readers(&mut self) {
        for mut open in std::mem::take(&mut self.readers) {
            self.pull(&mut open, usize::MAX);
        }
    }

    // ---- consumers

    fn open_tail(&mut self, from: TailFrom, beside: bool, batches: usize, pull: usize, seed: u64) {
        let all = self.model.events.len();
        // What a handle beside has come to is known only where nothing is in a buffer.
        let from = if beside && self.flushed < all && matches!(from, TailFrom::Present) { TailFrom::Start } else { from };
        let (cursor, position) = match from {
            TailFrom::Start => (0, 0),
            TailFrom::Present => (self.handle().last_seq(), all),
            TailFrom::Consumer(which) => {
                let consumer = self.consumers.get(which % self.consumers.len().max(1));
                consumer.map_or((0, 0), |consumer| (consumer.cursor, consumer.position))
            }
            TailFrom::Event(which) => {
                let position = which % all.max(1);
                let seq = self.model.events.get(position).and_then(|event| event.seq);
                seq.map_or((0, 0), |seq| (seq, position + 1))
            }
        };
        self.consumers.push(Consumer {
            tail: None,
            beside,
            cursor,
            position,
            told: 0,
            made_at: 0,
            closed: None,
            batches,
            rng: Rng::new(seed),
        });
        let last = self.consumers.len() - 1;
        self.pull_tail(last, pull);
        if self.consumers.len() > 6 {
            let mut oldest = self.consumers.remove(0);
            self.follow_to_the_end(&mut oldest);
        }
    }

    fn pull_tail(&mut self, which: usize, pull: usize) {
        if self.consumers.is_empty() {
            return;
        }
        let which = which % self.consumers.len();
        let mut consumer = self.consumers.remove(which);
        self.follow(&mut consumer, pull);
        self.consumers.insert(which, consumer);
    }

    fn make_tail(&mut self, consumer: &mut Consumer) {
        let handle = if consumer.beside { self.take_beside(consumer.rng.next()) } else { self.handle.take().expect("the store is open") };
        let tail = handle.tail(consumer.cursor).expect("the cursor is one of this store");
        assert_eq!(tail.last_seq(), consumer.cursor, "where it begins");
        *(if consumer.beside { &mut self.beside } else { &mut self.handle }) = Some(handle);
        if !consumer.beside {
            self.flushed = self.model.events.len();
        }
        consumer.tail = Some(tail);
        (consumer.told, consumer.made_at, consumer.closed) = (0, self.model.horizon, None);
    }

    /// Takes up to `n` more events, or what there is for now.
    fn follow(&mut self, consumer: &mut Consumer, n: usize) {
        if consumer.tail.is_none() {
            if consumer.position > 0 {
                self.hit("a new tail went on from the cursor of one before");
            }
            self.make_tail(consumer);
        }
        let mut left = n;
        while left > 0 {
            let Some(tail) = consumer.tail.as_mut() else { return };
            let max = (1 + consumer.rng.index(consumer.batches)).min(left);
            let waited = if consumer.rng.one_in(4) { tail.wait(Some(std::time::Duration::ZERO)).ok() } else { None };
            let got = match tail.next_batch(max) {
                Ok(Tailed::Events(batch)) => {
                    assert!(batch.len() > 0 && batch.len() <= max, "a batch of {} where {max} were asked for", batch.len());
                    let got: Vec<Event> = batch.iter().map(|event| event.to_event()).collect();
                    assert_eq!(got.len(), batch.len(), "a batch has as many events as it says");
                    assert_eq!(Some(tail.last_seq()), got.last().map(|event| event.seq), "where to go on another time");
                    got
                }
                Ok(Tailed::Gap) => {
                    assert_ne!(waited, Some(false), "waiting for a gap did not end");
                    self.hear_of_gap(consumer);
                    continue;
                }
                Ok(Tailed::Nothing) => {
                    assert_ne!(waited, Some(true), "waiting ended for nothing");
                    return self.check_all_given(consumer);
                }
                Err(Error::Closed { .. }) if consumer.closed.is_some() => {
                    self.hit("a tail ended with its handle");
                    self.check_all_given(consumer);
                    consumer.tail = None;
                    return;
                }
                // What a handle had not opened before it was closed may be compacted, and then deleted, by the next one.
                Err(Error::Gone { .. }) if consumer.closed.is_some() => {
                    consumer.tail = None;
                    return;
                }
                Err(error) => panic!("a tail failed: {error:?}"),
            };
            assert_ne!(waited, Some(false), "waiting for events did not end");
            if consumer.beside {
                self.hit("a tail beside the writer gave events");
            }
            if consumer.closed.is_some() {
                self.hit("a tail gave what its handle had when it was closed");
            }
            left -= got.len();
            got.iter().for_each(|event| self.take_arrived(consumer, event));
        }
    }

    /// One event that a tail gave: the next one of the arrivals, but for what is gone.
    fn take_arrived(&mut self, consumer: &mut Consumer, got: &Event) {
        assert!(got.seq > consumer.cursor, "seq {} after {}", got.seq, consumer.cursor);
        let is_deleted = got.time < self.model.horizon;
        let wanted = if is_deleted {
            assert!(got.time >= consumer.made_at, "a tail gave time {}, deleted before it was made", got.time);
            (consumer.position..self.model.events.len()).find(|i| self.model.may_be(*i, got))
        } else {
            let is_live = |i: &usize| self.model.events.get(*i).is_some_and(|event| self.model.is_live(event));
            (consumer.position..self.model.events.len()).find(is_live)
        };
        let Some(position) = wanted else {
            panic!("time {}, seq {}, id {} was given, and never appended, or before", got.time, got.seq, got.id)
        };
        self.check_passed_over(consumer, position);
        self.model.check_one(position, got);
        if is_deleted {
            self.hit("a tail gave what was deleted after it got it");
        }
        (consumer.position, consumer.cursor) = (position + 1, got.seq);
        self.flushed = self.flushed.max(position + 1);
    }

    /// Of the arrivals before this one, only such are passed over that are gone, and a gap has told of that.
    fn check_passed_over(&self, consumer: &Consumer, before: usize) {
        for i in consumer.position..before {
            let Some(event) = self.model.events.get(i) else { continue };
            assert!(!self.model.is_live(event), "event {i} of the arrivals, time {}, was passed over", event.time);
            assert!(
                event.lost || event.time < consumer.told || self.untold.contains(&i),
                "event {i} of the arrivals, time {}, was deleted, and no gap told of it; one told of those before {}",
                event.time,
                consumer.told
            );
        }
    }

    /// A tail has nothing more for now: all that it must have seen was given.
    fn check_all_given(&mut self, consumer: &Consumer) {
        let must = consumer.closed.unwrap_or(usize::MAX).min(self.flushed);
        self.check_passed_over(consumer, must);
        let batch = |i: Option<usize>| i.and_then(|i| self.model.events.get(i)).map(|event| event.batch);
        let next = (consumer.position..self.model.events.len()).find(|i| self.model.events.get(*i).is_some_and(|e| self.model.is_live(e)));
        if consumer.closed.is_none() && next.is_some() {
            assert!(matches!(self.opening.level, LevelChoice::Buffered { .. }), "only a buffer keeps events from tails");
            assert_ne!(batch(consumer.position.checked_sub(1)), batch(next), "a batch is seen whole or not at all");
        }
    }

    fn hear_of_gap(&mut self, consumer: &mut Consumer) {
        let horizon = self.model.horizon;
        assert!(horizon > consumer.told, "a gap was told twice of what is before {horizon}");
        let missing = self.model.events.iter().skip(consumer.position).any(|event| self.model.is_deleted(event));
        assert!(missing, "a gap, and nothing that was deleted behind event {} of the arrivals", consumer.position);
        consumer.told = horizon;
        self.hit(if consumer.beside { "a gap was told beside the writer" } else { "a gap was told" });
    }

    fn follow_to_the_end(&mut self, consumer: &mut Consumer) {
        self.follow(consumer, usize::MAX);
        // If that was the last of a handle that was closed.
        self.follow(consumer, usize::MAX);
    }

    fn finish_consumers(&mut self) {
        for i in 0..self.consumers.len() {
            let mut consumer = self.consumers.remove(i);
            self.follow_to_the_end(&mut consumer);
            self.consumers.insert(i, consumer);
        }
    }

    /// Whether a tail is open, of these handles, that has yet to come to events that are there.
    fn is_followed(&self, beside: bool) -> bool {
        let behind = |consumer: &&Consumer| self.model.events.iter().skip(consumer.position).any(|event| self.model.is_live(event));
        self.consumers.iter().filter(|consumer| consumer.tail.is_some() && consumer.beside == beside).any(|consumer| behind(&consumer))
    }

    /// What happens to those who follow, by the writer's handle and by one beside.
    fn note_followed(&mut self, by_writer: &'static str, beside: &'static str) {
        if self.is_followed(false) {
            self.hit(by_writer);
        }
        if self.is_followed(true) {
            self.hit(beside);
        }
    }

    // ---- the rest

    fn delete_before(&mut self, point: Point) {
        let time = self.point(point);
        let Handle::Store(store) = self.handle() else { return };
        store.delete_before(time).expect("the horizon moves");
        let before = self.model.len();
        self.note_followed("a tail over a delete", "a tail beside over a delete");
        let buffered = self.model.events.iter().enumerate().skip(self.flushed).filter(|(_, event)| event.time < time);
        self.untold.extend(buffered.map(|(i, _)| i));
        self.model.delete_before(time);
        if self.model.len() < before {
            self.hit("a delete removed events");
            if self.readers.iter().any(|open| open.expected.len() > open.given) {
                self.hit("a delete while readers are open");
            }
        }
        for open in &mut self.readers {
            open.deleted = true;
        }
    }

    fn retain_options(&self, spec: &RetainSpec, store: &Store) -> RetainOptions {
        let mut options = RetainOptions::new();
        if let Some(permille) = spec.age {
            options = options.max_age(self.scale(Scale::Chunk(permille)));
        }
        if let Some(permille) = spec.size {
            let all = store.stats().expect("numbers").chunk_bytes;
            options = options.max_bytes((all * permille / 1000).max(1));
        }
        options
    }

    fn retain(&mut self, spec: &RetainSpec) {
        let Handle::Store(store) = self.handle() else { return };
        let (options, file_size) = (self.retain_options(spec, store), self.chunk());
        let now = self.place.clock.wall_ns();
        if let Some(point) = spec.wall {
            // One that is ahead is not believed for a while; see `behaviour_retain.rs`.
            self.place.clock.set_wall(self.point(point).min(now));
        }
        let clock = self.place.clock.wall_ns();
        let before = store.stats().expect("numbers").chunk_bytes;
        let max_age = spec.age.map_or(0, |permille| self.scale(Scale::Chunk(permille)));
        let max_bytes = spec.size.map_or(u64::MAX, |permille| (before * permille / 1000).max(1));
        let (least, most, _) = self.model.retain_bounds(file_size, self.sitting, clock, max_age, before > max_bytes);
        let told = store.retain(options.dry_run()).expect("a dry run");
        assert_eq!(store.count(..).expect("the events are counted"), self.model.len(), "a dry run changes nothing");
        if max_bytes < u64::MAX && before > 1 {
            let one = store.retain(RetainOptions::new().max_bytes(before - 1).dry_run()).expect("a dry run");
            assert!(one.chunks <= 1, "for one byte too many, {} chunks are to go", one.chunks);
        }
        assert!((least..=most).contains(&told.horizon), "everything before {} is to go, not before {least} to {most}", told.horizon);
        let before_it = self.model.live().filter(|event| event.time < told.horizon).count() as u64;
        assert_eq!(told.events, before_it, "how many events are to go");
        if !spec.dry {
            assert_eq!(store.retain(options).expect("retention is applied"), told);
            let after = store.stats().expect("numbers").chunk_bytes;
            assert_eq!(after, before - told.bytes, "what all chunks take");
            self.model.delete_before(told.horizon);
            if told.chunks > 0 {
                self.hit("retention removed chunks");
                if self.readers.iter().any(|open| open.expected.len() > open.given) {
                    self.hit("retention while readers are open");
                }
                self.readers.iter_mut().for_each(|open| open.deleted = true);
            }
            if after > max_bytes {
                // Whatever could go did.
                let (.., rest) = self.model.retain_bounds(file_size, self.sitting, clock, max_age, true);
                let by_clock = self.chunk_of(clock).saturating_mul(file_size);
                assert!(rest <= told.horizon || by_clock < rest, "{after} bytes are left, and what lies before {rest} could go");
                self.hit("retention kept more than its size");
            }
        }
        self.flushed = self.model.events.len();
        self.place.clock.set_wall(now);
    }

    fn compact(&mut self, range: &RangeSpec) {
        let (range, _) = self.range(range);
        let done = self.handle().compact(range).expect("chunks are compacted");
        if done.chunks > 0 {
            self.hit("chunks were compacted");
            let is_compressed = |log: &[u8]| frames(log).iter().any(|at| log.get(at + 26) == Some(&1));
            if self.place.names(".estore").iter().any(|name| is_compressed(&self.place.file(name))) {
                self.hit("a chunk is compressed");
            }
            self.note_followed("a tail over a compaction", "a tail beside over a compaction");
            if self.readers.iter().any(|open| open.expected.len() > open.given) {
                self.hit("a compaction while readers are open");
            }
            if self.readers.iter().any(|open| open.beside && open.expected.len() > open.given) {
                self.hit("a compaction while readers beside are open");
            }
        }
        if let LevelChoice::Buffered { .. } = self.opening.level {
            self.flushed = self.model.events.len();
        }
    }

    fn copy_path(&self) -> PathBuf {
        self.place.path.with_file_name("copy")
    }

    fn copy_is_ahead_of(&self, seq: u64) -> bool {
        let options = self.place.options().mode(Mode::ReadOnly);
        Handle::open(self.is_efile(), &self.copy_path(), options).expect("the snapshot opens").last_seq() > seq
    }

    fn snapshot(&mut self, spec: &ReadSpec, beside: bool) {
        let path = self.copy_path();
        let other = beside.then(|| self.take_beside(spec.seed));
        let taken = {
            let handle = other.as_ref().unwrap_or_else(|| self.handle());
            let last = handle.last_seq();
            let taken = match handle.snapshot(&path) {
                // What a handle that only reads has saved, the power may have taken from the store since.
                Err(Error::Exists { .. }) if self.crashed => {
                    let options = self.place.options();
                    let gone = if self.is_efile() { Efile::destroy(&path, options) } else { Store::destroy(&path, options) };
                    gone.expect("the snapshot can be removed");
                    handle.snapshot(&path).expect("a snapshot is taken")
                }
                // The seqs of events that were deleted before they left the writer's buffer, nobody else hears of.
                Err(Error::Exists { .. }) if beside && self.copy_is_ahead_of(last) => {
                    self.beside = other;
                    return;
                }
                taken => taken.expect("a snapshot is taken"),
            };
            assert_eq!((taken.seq, taken.damaged, taken.stopped), (last, 0, false));
            taken
        };
        if beside {
            self.beside = other;
        } else {
            self.flushed = self.model.events.len();
        }
        if taken.bytes_kept > 0 {
            self.hit("a snapshot goes on from an earlier one");
        }
        if taken.bytes_linked > 0 {
            self.hit("a snapshot shares logs");
        }
        let options = self.place.options().mode(Mode::ReadOnly).no_index(self.opening.no_index);
        let copy = Handle::open(self.is_efile(), &path, options).expect("the snapshot opens");
        assert_eq!(copy.last_seq(), taken.seq);
        let whole = beside || copy.stats().expect("numbers").events == self.model.len();
        assert!(whole, "the writer's snapshot has everything");
        self.compare_beside(&copy, spec);
        let verified = copy.verify(|finding| {
            assert_ne!(finding.kind, FindingKind::Damage, "{finding:?}");
            ControlFlow::Continue(())
        });
        verified.expect("the snapshot can be verified");
    }

    fn sync(&mut self) {
        let last = self.handle().last_seq();
        let durable = self.handle().sync().expect("the store syncs");
        assert!(durable >= last, "a sync makes everything durable: up to {durable}, of {last}");
        assert_eq!(self.handle().durable_seq(), durable, "the durable seq is what sync answered");
        self.flushed = self.model.events.len();
    }

    fn tick(&mut self, nanoseconds: u64) {
        self.place.clock.advance(nanoseconds);
        self.handle().tick().expect("what is due is done");
        match self.opening.level {
            LevelChoice::Buffered { nanoseconds: limit, .. } if nanoseconds >= limit => self.flushed = self.model.events.len(),
            LevelChoice::Interval(limit) if nanoseconds >= limit => {
                assert_eq!(self.handle().durable_seq(), self.handle().last_seq(), "the sync of an interval that is over");
            }
            _ => {}
        }
    }

    fn stats(&mut self) {
        self.verify();
        let stats = self.handle().stats().expect("numbers");
        assert_eq!(stats.events, self.model.len(), "events");
        let (oldest, newest) = self.model.bounds().unwrap_or((u64::MAX, 0));
        assert_eq!(stats.newest, newest, "newest time");
        if self.model.horizon == 0 || stats.events == 0 {
            assert_eq!(stats.oldest, oldest, "oldest time");
        } else {
            // Of the chunk that the horizon cuts, deleted events may still count.
            assert!(
                (self.model.horizon..=oldest).contains(&stats.oldest),
                "oldest time {} of {oldest}, horizon {}",
                stats.oldest,
                self.model.horizon
            );
        }
        assert_eq!(stats.file_size, self.setup.file_size.unwrap_or(0), "file_size");
        assert_eq!(stats.grace, self.setup.grace, "grace");
        assert_eq!(stats.horizon, self.model.horizon, "horizon");
        assert_eq!(stats.last_seq, self.handle().last_seq(), "last seq");
        assert_eq!((stats.expired, stats.present), (self.model.expired, self.model.present), "expired and present");
        assert_eq!(stats.damaged, 0, "damaged stretches");
        assert!(stats.open_logs <= self.opening.max_open_logs as u64, "{} open logs", stats.open_logs);
        if !self.crashed && !self.is_efile() {
            let last_of = |chunk: u64| chunk.saturating_mul(self.chunk()).saturating_add(self.chunk() - 1);
            let chunks: HashSet<u64> = self.model.events.iter().map(|event| self.chunk_of(event.time)).collect();
            let most = chunks.into_iter().filter(|chunk| last_of(*chunk) >= self.model.horizon).count() as u64;
            let live: HashSet<u64> = self.model.live().map(|event| self.chunk_of(event.time)).collect();
            // A chunk whose events were all deleted while they were in the buffer was never made.
            let least = if self.model.horizon == 0 { most } else { live.len() as u64 };
            assert!((least..=most).contains(&stats.chunks), "{} chunks, not {least} to {most}", stats.chunks);
        }
        if stats.recon_events > 0 {
            self.hit("events went through recon");
        }
        if stats.chunks > 3 {
            self.hit("more than three chunks");
        }
        if stats.recon_bytes > 0 {
            self.hit("recon files have bytes");
        }
        if stats.index_bytes > 0 {
            self.hit("index files have bytes");
        }
    }

    /// Whatever was done, nothing is damaged; and what is derived is right unless it was harmed here.
    fn verify(&self) {
        let verified = self.handle().verify(|finding| {
            let harmed = self.harmed && finding.kind == FindingKind::Derived;
            assert!(harmed || finding.kind == FindingKind::Aside, "{finding:?}");
            ControlFlow::Continue(())
        });
        verified.expect("the store can be looked at");
    }

    fn reopen(&mut self, ending: Ending, harms: &[HarmSpec], opening: Opening) {
        if !harms.is_empty() {
            // What happens to derived files under a reader that is open isn't asked here.
            self.finish_readers();
        }
        let last = self.handle().last_seq();
        if matches!(ending, Ending::Close | Ending::Drop) {
            if self.is_followed(true) {
                self.hit("a tail over closing and opening");
            }
            for consumer in self.consumers.iter_mut().filter(|consumer| !consumer.beside) {
                consumer.closed.get_or_insert(self.model.events.len());
            }
        }
        match ending {
            Ending::Close => {
                self.handle().close().expect("the store closes");
                self.handle().close().expect("closing once more is nothing");
                assert!(matches!(self.handle().append(&[event(1, 1, "")]), Err(Error::Closed { .. })), "a closed store takes nothing");
                self.handle = None;
            }
            Ending::Drop => self.handle = None,
            Ending::Death | Ending::PowerLossAll | Ending::PowerLossRandom => {
                self.end(ending);
            }
        }
        if !self.readers.is_empty() {
            self.hit("readers outlive their store");
            self.pull_reader(last as usize, 20);
        }
        for harm in harms {
            self.harmed = true;
            self.harm(harm);
        }
        self.opening = opening;
        self.open();
        match ending {
            Ending::Close | Ending::Drop => {
                self.flushed = self.model.events.len();
                assert!(self.handle().last_seq() >= last, "the last seq is {} after {last}", self.handle().last_seq());
                assert_eq!(self.handle().durable_seq(), self.handle().last_seq(), "closing makes everything durable");
            }
            Ending::Death | Ending::PowerLossAll | Ending::PowerLossRandom => {
                self.recover(ending);
            }
        }
    }

    /// The power goes in the middle of something.
    fn die(&mut self, doing: &Doing, at: u64, ending: Ending, opening: Opening) {
        let mut horizon = self.model.horizon;
        let mut limits = RetainOptions::new();
        if let (Doing::Retain(spec), Handle::Store(store)) = (doing, self.handle()) {
            limits = self.retain_options(spec, store);
            horizon = store.retain(limits.dry_run()).expect("a dry run").horizon;
            self.flushed = self.model.events.len();
        }
        self.place.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
        let before = self.place.sim().faults_hit();
        match doing {
            Doing::Append(spec) => {
                let batch = self.batch(spec);
                match self.handle().append(&batch) {
                    Ok(answer) => {
                        self.model.append(&batch, answer);
                        self.appended(answer);
                    }
                    Err(_) => self.model.append_unsure(&batch),
                }
            }
            Doing::Sync => {
                let _ = self.handle().sync();
            }
            Doing::DeleteBefore(point) => {
                let time = self.point(*point);
                if let Handle::Store(store) = self.handle() {
                    horizon = horizon.max(time);
                    if store.delete_before(time).is_ok() {
                        self.model.delete_before(time);
                    }
                }
            }
            Doing::Retain(_) => {
                if let Handle::Store(store) = self.handle()
                    && store.retain(limits).is_ok()
                {
                    self.model.delete_before(horizon);
                }
            }
            Doing::Compact => {
                if self.handle().compact(..).is_ok() {
                    self.flushed = self.model.events.len();
                }
            }
            Doing::Snapshot => {
                if self.handle().snapshot(&self.copy_path()).is_ok() {
                    self.flushed = self.model.events.len();
                }
            }
            Doing::Close => {
                if self.handle().close().is_ok() {
                    self.flushed = self.model.events.len();
                }
            }
        }
        if self.place.sim().faults_hit() > before {
            self.hit("the power went in the middle of a call");
            // Perhaps of one that wrote a derived file.
            self.harmed = true;
        }
        self.place.sim().clear_faults();
        let sure = self.model.horizon;
        self.end(ending);
        self.opening = opening;
        self.open();
        let found = self.handle().stats().expect("numbers").horizon;
        assert!(found == sure || found == horizon, "the horizon is {found}, not {sure} or {horizon}");
        self.model.delete_before(found);
        self.recover(ending);
    }

    /// The process or the power goes.
    fn end(&mut self, ending: Ending) {
        self.note_followed("a tail over a crash", "a tail beside over a crash");
        self.readers.clear();
        self.consumers.iter_mut().for_each(|consumer| consumer.tail = None);
        self.beside = None;
        self.note_durable();
        self.place.crash(match ending {
            Ending::PowerLossAll => Crash::LoseAll,
            Ending::PowerLossRandom => Crash::Random,
            _ => Crash::KeepAll,
        });
        self.handle = None;
    }

    /// After a crash: what had to survive did, nothing is there that wasn't appended, and batches are whole.
    fn recover(&mut self, ending: Ending) {
        let reader = self.handle().read_with(.., Default::default()).expect("a reader opens");
        let got = crate::common::drain(reader);
        crate::common::assert_ordered(&got);
        let visible: Vec<usize> = self.model.range(0, u64::MAX);
        let survived: HashSet<usize> = self.model.survivors(&got).into_iter().collect();
        let (mut lost_batches, mut ended): (HashMap<(usize, u64), bool>, HashMap<u64, usize>) = (HashMap::new(), HashMap::new());
        let mut visible = visible;
        visible.sort_unstable();
        for i in visible {
            let Some(kept) = self.model.events.get(i) else { continue };
            let lost = !survived.contains(&i);
            // After the death of a process a batch is whole over the store, after loss of power in each chunk.
            let chunk = if ending == Ending::Death { 0 } else { self.chunk_of(kept.time) };
            assert!(
                !(lost && ending == Ending::Death && i < self.flushed),
                "event {i} of the arrivals was handed to the system, and is lost"
            );
            let seq = kept.seq.unwrap_or(u64::MAX);
            assert!(
                !(lost && seq <= self.durable),
                "seq {seq}, event {i} of the arrivals, was durable (up to {}), and is lost",
                self.durable
            );
            let before = *lost_batches.entry((kept.batch, chunk)).or_insert(lost);
            assert_eq!(before, lost, "batch {} is torn in chunk {chunk}", kept.batch);
            if lost {
                ended.entry(chunk).or_insert(i);
            } else {
                let end = ended.get(&chunk);
                assert!(end.is_none(), "event {i} of the arrivals is there, but {end:?}, before it in chunk {chunk}, is lost");
            }
        }
        if ended.is_empty() {
            self.hit("a crash lost nothing");
        } else {
            self.hit("a crash lost events");
        }
        self.model.check(&self.model.range(0, u64::MAX), &got);
        self.model.check_seqs();
        let (flushed, durable) = (self.flushed, if ending == Ending::Death { u64::MAX } else { self.durable });
        let gone = self.model.events.iter().enumerate().filter(|(_, event)| self.model.is_deleted(event));
        let lost = gone.filter(|(i, event)| *i >= flushed || event.seq.unwrap_or(u64::MAX) > durable);
        self.untold.extend(lost.map(|(i, _)| i));
        self.durable = 0;
        self.flushed = self.model.events.len();
        self.crashed = true;
        self.harmed |= ending != Ending::Death;
    }

    /// Harms a derived file, as far as there is one.
    fn harm(&mut self, spec: &HarmSpec) {
        let names = self.place.names(if spec.recon { ".recon" } else { ".idx" });
        let Some(name) = names.get(spec.which % names.len().max(1)) else { return };
        let mut bytes = self.place.file(name);
        let at = |permille: u64| usize::try_from(bytes.len() as u64 * permille / 1000).unwrap_or(0);
        match spec.harm {
            Harm::Delete => {
                self.place.disk.remove_file(&self.place.path.join(name)).expect("the file can be removed");
                self.hit("a derived file was deleted");
                return;
            }
            Harm::Truncate(permille) => {
                let len = at(permille);
                bytes.truncate(len);
                self.hit("a derived file was cut");
            }
            Harm::Flip(permille, bit) => {
                let at = at(permille);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                    self.hit("a bit of a derived file was flipped");
                }
            }
            Harm::Swap(with) => {
                let Some(other) = names.get(with % names.len()).filter(|other| *other != name) else { return };
                let theirs = self.place.file(other);
                self.place.put_file(other, &bytes);
                bytes = theirs;
                self.hit("two derived files were swapped");
            }
            Harm::Extend(n) => bytes.extend(Rng::new(u64::from(n)).bytes(usize::from(n))),
        }
        self.place.put_file(name, &bytes);
    }
}

/// Up to `n` more events: one by one if `batches` is 0, else by batches of random length.
fn pull(reader: &mut Reader, n: usize, batches: usize, rng: &mut Rng) -> estore::Result<Vec<Event>> {
    let mut got = Vec::new();
    while got.len() < n {
        if batches == 0 || rng.one_in(8) {
            match reader.next() {
                Some(event) => got.push(event?),
                None => break,
            }
        } else {
            let max = (1 + rng.index(batches)).min(n - got.len());
            let batch = reader.next_batch(max)?;
            assert!(batch.len() <= max, "a batch of {} where {max} were asked for", batch.len());
            if batch.is_empty() {
                break;
            }
            got.extend(batch.iter().map(EventRef::to_event));
        }
    }
    Ok(got)
}
