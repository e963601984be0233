//! One chunk: a log, and what is derived from it to read it fast.
//!
//! ```text
//!   Chunk ── Log (generation 0) ── N-0.estore  the truth: frames in arrival order        log, frame
//!     │        │                   N-0.idx     where in the log which times lie          index
//!     │        └                   N-0.recon   late events, sorted                       recon
//!     └───── Log (generation 1) ── ...         later events, once generation 0 takes no more
//! ```
//!
//! A chunk does not know of other chunks, of batches that span several, or of the journal; that is [`crate::store`]'s. What it
//! must be told when it is opened, it is told by a [`LogSummary`].
//!
//! One writer appends ([`Chunk::prepare`], [`Chunk::write`]) while any number of threads read. A reader filters by seq, so it may look at a
//! chunk that has grown since its snapshot. Late events are sorted into recon by whoever comes first: a thread of the store, beside both, or
//! the writer, where there is none or it does not keep up ([`Chunk::sort_late`]).

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::disk::{Access, Folder, Handle, process};
use crate::error::{Error, Result};
use crate::event::{EventRef, Key};
use crate::options::{Compression, Level, Options, Sizes};
use crate::planted::{self, Bug};
use crate::threads::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::threads::{self, Mutex, MutexGuard};

pub(crate) mod arrivals;
pub(crate) mod compact;
pub(crate) mod cut;
mod find;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod log;
mod messages;
mod pack;
pub(crate) mod read;
pub(crate) mod recon;
pub(crate) mod recover;
mod runs;
mod sorting;
pub(crate) mod verify;
mod watermark;

pub(crate) use compact::summarize;
use frame::{ALONE, END, Header, LAST, LATE, Stamp, TARGET_BODY_LEN};
use index::{Damage, Entry, LogIndex};
use log::{LOG_HEADER_LEN, LogHeader, LogId, Salvage, Stretch, Walk};
pub(crate) use messages::Messages;
use read::{Class, Gap, Merge, Scope};
use recon::Recon;
use recover::{Settled, Survey, Totals};
use sorting::Sorting;
pub(crate) use watermark::Watermark;

/// A batch is written in pieces of about this size.
const WRITE_LEN: usize = 1 << 20;
/// Room set aside ahead of a log: at first and at most.
const ROOM_MIN: u64 = 16 << 10;
const ROOM_MAX: u64 = 8 << 20;

/// What all chunks of a store have in common.
pub(crate) struct Shared {
    pub(crate) folder: Folder,
    /// What tells the folder from others, whatever its path.
    pub(crate) identity: (u64, u64),
    /// The fork generation that opened the store.
    pub(crate) forks: u32,
    /// The store's id, which its logs name.
    pub(crate) store: u128,
    pub(crate) grace: u64,
    /// How compaction is to store events; if that was not said, as the chunk has them.
    pub(crate) compression: Option<Compression>,
    pub(crate) no_index: bool,
    /// Derived files may be written.
    pub(crate) writable: bool,
    /// A thread of the store sorts late events once there are enough.
    pub(crate) sorts_beside: bool,
    pub(crate) messages: Messages,
    sorting_memory: Arc<runs::Memory>,
    /// Bytes that were cut off logs, or out of the way of new ones, since the store was opened.
    pub(crate) cut: AtomicU64,
    /// Late events have become so many that sorting them, or compaction, may be worth it.
    pub(crate) late_grew: AtomicBool,
    /// Since it was last cleared a chunk has got enough late events for a run.
    pub(crate) unsorted: AtomicBool,
    /// A log has grown by [`Shared::grow_len`], or has got a second event, so that chunks may have become too many or too old.
    pub(crate) grew: AtomicBool,
    pub(crate) grow_len: u64,
    /// Files of deleted chunks could not be removed.
    pub(crate) files_left: AtomicBool,
    pub(crate) sizes: Sizes,
}

impl Shared {
    /// What the chunks of a store have in common whose files are in `folder`.
    pub(crate) fn new(folder: &Folder, store: u128, grace: u64, writable: bool, options: &Options) -> Result<Shared> {
        Ok(Shared {
            folder: folder.clone(),
            identity: folder.identity()?,
            forks: process::forks(),
            store,
            grace,
            compression: options.compression,
            no_index: options.no_index,
            writable,
            sorts_beside: writable && options.background,
            messages: Messages::to(options.log.clone()),
            sorting_memory: Arc::default(),
            cut: AtomicU64::new(0),
            late_grew: AtomicBool::new(false),
            unsorted: AtomicBool::new(false),
            grew: AtomicBool::new(false),
            grow_len: if options.max_bytes == 0 { u64::MAX } else { options.sizes.retain_bytes.max(options.max_bytes / 128) },
            files_left: AtomicBool::new(false),
            sizes: options.sizes,
        })
    }

    /// Removes the files of a log of a deleted chunk. What can't be removed now is removed when the store is opened next.
    pub(crate) fn remove_deleted(&self, summary: &LogSummary) {
        let cuts: Vec<String> = summary.generations().map(LogId::cut_name).collect();
        if !remove_files(&self.folder, summary.id, &cuts) {
            self.files_left.store(true, Ordering::Relaxed);
        }
    }

    /// Removes the files of a log that a compacted one has taken the place of, but for bytes of it that were kept aside.
    pub(crate) fn remove_replaced(&self, id: LogId) {
        if !remove_files(&self.folder, id, &[]) {
            self.files_left.store(true, Ordering::Relaxed);
        }
    }

    /// Tells of bytes that were kept aside.
    fn kept_aside(&self, name: &str, len: u64) {
        if len > 0 {
            self.cut.fetch_add(len, Ordering::Relaxed);
            self.say(Level::Warning, &format!("{name}: {len} bytes that the journal knows nothing of were kept aside"));
        }
    }

    fn writes_index(&self) -> bool {
        self.writable && !self.no_index
    }

    pub(crate) fn store_folder(&self) -> StoreFolder {
        (self.identity, self.store)
    }

    pub(crate) fn say(&self, level: Level, message: &str) {
        self.messages.say(level, message);
    }
}

/// What the journal knows of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSummary {
    pub(crate) id: LogId,
    /// The first generation whose place it took; its own if it took that of none.
    pub(crate) replaces: u32,
    /// By what it is compressed, if compaction made it: a number of [`Compression`], or of a newer version.
    pub(crate) codec: u8,
    /// The log's instance; 0 if it is not known, the log header being damaged. Such a log can't be read.
    pub(crate) instance: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
    pub(crate) totals: Totals,
    pub(crate) watermark: Option<u64>,
}

impl LogSummary {
    /// Whether its header is damaged and no journal tells what is in it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.instance == 0 && self.totals.last_seq == 0
    }

    /// A log that has nothing in it yet.
    pub(crate) fn new(id: LogId, instance: u64, watermark: Option<u64>) -> LogSummary {
        LogSummary { id, replaces: id.generation, codec: 0, instance, len: LOG_HEADER_LEN as u64, totals: Totals::default(), watermark }
    }

    /// Whether compaction made it: sorted, whole from the start, and never appended to.
    pub(crate) fn is_compacted(&self) -> bool {
        self.replaces < self.id.generation
    }

    /// The logs whose events it holds or held: those that it replaced, and itself.
    pub(crate) fn generations(&self) -> impl Iterator<Item = LogId> {
        let LogId { chunk, generation } = self.id;
        (self.replaces..=generation).map(move |generation| LogId { chunk, generation })
    }

    /// Whether its events are those of a log of this generation, among others.
    pub(crate) fn covers(&self, generation: u32) -> bool {
        (self.replaces..self.id.generation).contains(&generation)
    }
}

/// The chunk's state. See the module's documentation.
pub(crate) struct Chunk {
    pub(crate) number: u64,
    /// The first and the last time that it takes.
    times: (u64, u64),
    shared: Arc<Shared>,
    state: Mutex<State>,
    sorting: Sorting,
    /// There are late events enough for a run.
    unsorted: AtomicBool,
    /// Its files go with the last reference.
    doomed: AtomicBool,
}

struct State {
    /// Compaction has failed for what is in the chunk: not to be tried again and again.
    gave_up_compacting: bool,
    /// By generation, rising. Empty for a chunk that was never written to.
    logs: Vec<Log>,
    /// The generation that compaction is writing.
    compacting: Option<u32>,
    watermark: Watermark,
    /// Everything in memory was found in the logs alone, without derived files.
    distrustful: bool,
    /// They could not be made anew.
    gave_up_files: bool,
}

impl State {
    /// A generation that no log of the chunk has.
    fn next_generation(&self) -> Result<u32> {
        let last = self.logs.last().map(|log| log.id().generation).max(self.compacting);
        last.map_or(Some(0), |last| last.checked_add(1)).ok_or_else(|| Error::invalid("a chunk has no more generations"))
    }
}

struct Log {
    summary: LogSummary,
    /// The file, once opened; for writing as well if the log is open for appending.
    file: Option<Handle>,
    appendable: bool,
    /// As it was before the last batch.
    before: LogSummary,
    /// Up to here no sync is needed.
    synced: u64,
    /// Room is set aside up to here.
    room: u64,
    /// Boxed as the slack is, since most of ten thousand chunks have neither in memory.
    index: Option<Box<LogIndex>>,
    recon: Option<Recon>,
    /// The journal says that the log may grow.
    active: bool,
    /// What it says: the log was durable up to there, when batches up to this seq were whole.
    noted: LogSummary,
    noted_committed: u64,
    /// Once it is this long, it has grown by much.
    grown_at: u64,
    /// Late events in the log beyond the recon file, in bytes.
    pending: u64,
    /// After a failed attempt to put them into a run: not again before there are so many.
    absorb_after: u64,
    /// There is a recon file, and it was not believed.
    refused_recon: bool,
    /// Takes no more events, since bytes of it are damaged.
    closed: bool,
    /// Takes no more events, being compacted, or to be.
    sealed: bool,
    /// Where recent main frames ended in time, one for each 64 KiB of them.
    slack: Option<Box<Slack>>,
}

impl Log {
    fn new(summary: LogSummary) -> Log {
        Log {
            summary,
            file: None,
            appendable: false,
            before: summary,
            synced: summary.len,
            room: 0,
            index: None,
            recon: None,
            active: false,
            noted: summary,
            noted_committed: 0,
            grown_at: 0,
            pending: 0,
            absorb_after: 0,
            refused_recon: false,
            closed: summary.instance == 0,
            sealed: summary.is_compacted(),
            slack: None,
        }
    }

    fn id(&self) -> LogId {
        self.summary.id
    }

    /// Whether events may go on in it.
    fn takes_events(&self) -> bool {
        !self.closed && !self.sealed
    }

    /// Whether anything was written to it.
    fn has_frames(&self) -> bool {
        self.summary.len > LOG_HEADER_LEN as u64
    }

    /// Whether all of it is known, and undamaged as far as headers go.
    fn is_whole(&self) -> bool {
        self.index.as_ref().is_some_and(|index| index.damage.is_empty()) && !self.closed
    }
}

/// Decides which stragglers within the grace go through recon all the same: those that would make a main frame overlap with more than a
/// few of its predecessors, since every read of the times between would have to open that frame.
///
/// How many is a matter of the stream: 2 pieces of 64 KiB to begin with; where disorder is so wide that many events would be rerouted,
/// up to 8. Large events make larger pieces: a frame of a few of them is hardly widened by any, and copying them is dear.
struct Slack {
    /// The newest main time at the end of each of the last pieces.
    pieces: VecDeque<u64>,
    newest: u64,
    /// Bytes and events of the piece that is being filled.
    piece_len: u64,
    piece_events: u64,
    /// So many pieces a frame may overlap with.
    overlap: usize,
    /// Since the last look at them: bytes written, events, those that were rerouted, and those that would have been with half the overlap.
    written: u64,
    events: u64,
    rerouted: u64,
    rerouted_at_half: u64,
}

const SLACK_PIECE_LEN: u64 = 64 << 10;
const SLACK_PIECE_EVENTS: u64 = 32;
const SLACK_OVERLAP_MIN: usize = 2;
const SLACK_OVERLAP_MAX: usize = 8;
/// How much of the stream is looked at before the overlap changes.
const SLACK_LOOK_LEN: u64 = 4 << 20;

impl Default for Slack {
    fn default() -> Slack {
        Slack {
            pieces: VecDeque::new(),
            newest: 0,
            piece_len: 0,
            piece_events: 0,
            overlap: SLACK_OVERLAP_MIN,
            written: 0,
            events: 0,
            rerouted: 0,
            rerouted_at_half: 0,
        }
    }
}

impl Slack {
    /// Main events must not be older than this.
    fn floor(&self) -> u64 {
        self.floor_at(self.overlap)
    }

    /// They would not be allowed to be older than this if there were half the overlap.
    fn floor_at_half(&self) -> u64 {
        self.floor_at(self.overlap / 2)
    }

    fn floor_at(&self, overlap: usize) -> u64 {
        let back = self.pieces.len().checked_sub(overlap);
        back.and_then(|at| self.pieces.get(at)).copied().unwrap_or(0)
    }

    /// Takes note of a main frame.
    fn wrote_main(&mut self, header: &Header) {
        self.newest = self.newest.max(header.last.time);
        self.piece_len += header.frame_len();
        self.piece_events += u64::from(header.count);
        if self.piece_len >= SLACK_PIECE_LEN && self.piece_events >= SLACK_PIECE_EVENTS {
            (self.piece_len, self.piece_events) = (0, 0);
            self.pieces.push_back(self.newest);
            if self.pieces.len() > SLACK_OVERLAP_MAX {
                self.pieces.pop_front();
            }
        }
    }

    /// Counts what was routed, and adapts once in a while.
    fn routed(&mut self, written: u64, events: u64, rerouted: u64, rerouted_at_half: u64) {
        self.written += written;
        self.events += events;
        self.rerouted += rerouted;
        self.rerouted_at_half += rerouted_at_half;
        if self.written >= SLACK_LOOK_LEN {
            if self.rerouted > self.events / 16 {
                self.overlap = (self.overlap * 2).min(SLACK_OVERLAP_MAX);
            } else if self.rerouted_at_half < self.events / 256 {
                self.overlap = (self.overlap / 2).max(SLACK_OVERLAP_MIN);
            }
            (self.written, self.events, self.rerouted, self.rerouted_at_half) = (0, 0, 0, 0);
        }
    }
}

/// Memory in which frames are put together, to be used again.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
    headers: Vec<Header>,
}

/// The part of a batch that goes to one chunk: sorted by `(time, seq)`, not empty.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) events: &'a [EventRef<'a>],
    /// The last seq of the whole batch.
    pub(crate) batch: u64,
    /// The durable seq so far.
    pub(crate) durable: u64,
    /// Whether this is the last part of the batch.
    pub(crate) end: bool,
}

impl Chunk {
    /// A chunk without any log yet, or as the journal knows it.
    pub(crate) fn new(number: u64, times: (u64, u64), shared: Arc<Shared>, logs: Vec<LogSummary>) -> Chunk {
        let watermark = Watermark::at(logs.iter().filter_map(|summary| summary.watermark).max());
        let logs = logs.into_iter().map(Log::new).collect();
        let state = State { gave_up_compacting: false, logs, compacting: None, watermark, distrustful: false, gave_up_files: false };
        Chunk {
            number,
            times,
            shared,
            state: Mutex::new(state),
            sorting: Sorting::default(),
            unsorted: AtomicBool::new(false),
            doomed: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        threads::lock(&self.state)
    }

    /// Whether all times from `low` to `high` are its own.
    pub(crate) fn takes(&self, low: u64, high: u64) -> bool {
        self.times.0 <= low && high <= self.times.1
    }

    /// Removes the chunk's files as soon as nobody uses it any more.
    pub(crate) fn doom(&self) {
        let folder = self.shared.store_folder();
        let summaries = self.summaries();
        DOOMED.lock().unwrap_or_else(PoisonError::into_inner).extend(summaries.into_iter().map(|summary| (folder, summary)));
        self.doomed.store(true, Ordering::Relaxed);
        if planted::has(Bug::RemoveUnderReaders) {
            for summary in self.summaries() {
                remove_files(&self.shared.folder, summary.id, &[]);
            }
        }
    }

    /// What the journal should know of each of its logs.
    pub(crate) fn summaries(&self) -> Vec<LogSummary> {
        self.lock().logs.iter().map(|log| log.summary).collect()
    }

    /// What the journal should say of each of its logs; with the seq up to which batches were whole then if the log may have grown since.
    pub(crate) fn facts(&self) -> Vec<(LogSummary, Option<u64>)> {
        let fact = |log: &Log| if log.active { (log.noted, Some(log.noted_committed)) } else { (log.summary, None) };
        self.lock().logs.iter().map(fact).collect()
    }

    /// What it all adds up to, without the order.
    pub(crate) fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for log in &self.lock().logs {
            sum.add_all(&log.summary.totals);
        }
        sum
    }

    /// Bytes of its files, without looking at them: those of its logs, and about those of what is derived from them.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes_of = |log: &Log| {
            let LogSummary { len, totals, .. } = log.summary;
            let recon = (u128::from(len) * u128::from(totals.recon.min(totals.count)) / u128::from(totals.count.max(1))) as u64;
            // So few are in no run yet.
            let recon = if recon > self.shared.sizes.pending_bytes { recon } else { 0 };
            let index = if self.shared.no_index { 0 } else { index::about_len(len) };
            len.saturating_add(recon).saturating_add(index)
        };
        self.lock().logs.iter().map(bytes_of).fold(0, u64::saturating_add)
    }

    /// What its events say of the present, by what is known of them without looking: the newest time, and one that is not later than that of
    /// its newest event but one, if it has two. `None` if nothing is known for sure.
    pub(crate) fn presence(&self) -> Option<(u64, Option<u64>)> {
        let state = self.lock();
        let mut sum = Totals::default();
        let mut watermark = None;
        // Of a log whose header is damaged all that is known may be wrong.
        for log in state.logs.iter().filter(|log| log.summary.instance != 0) {
            sum.add_all(&log.summary.totals);
            watermark = watermark.max(log.summary.watermark);
        }
        let (newest, oldest) = (sum.newest.min(self.times.1), sum.oldest.max(self.times.0));
        // The watermark follows each event that another one lies less than the grace behind.
        let confirmed = watermark.map_or(oldest, |time| oldest.max(time.saturating_sub(self.shared.grace)));
        (sum.count > 0).then_some((newest, (sum.count > 1).then_some(confirmed.min(newest))))
    }

    /// Lengths of its logs, recon files and index files.
    pub(crate) fn file_lens(&self) -> [u64; 3] {
        let mut lens = [0; 3];
        for log in &self.lock().logs {
            let len_of = |name: String| -> u64 {
                let file = self.shared.folder.open_if_there(&name, Access::Read);
                file.ok().flatten().and_then(|file| file.len().ok()).unwrap_or(0)
            };
            let lens_of_log = [log.summary.len, len_of(log.id().recon_name()), len_of(log.id().index_name())];
            lens.iter_mut().zip(lens_of_log).for_each(|(sum, len): (&mut u64, u64)| *sum = sum.saturating_add(len));
        }
        lens
    }

    // Appending. All of this is called by one thread at a time, the one that holds the writer.

    /// Makes sure that a log is open for appending with room for `events`; makes the log if there is none that takes events. On failure
    /// nothing has changed but for room set aside and, at most, an empty file.
    ///
    /// Answers what [`Chunk::write`] needs for the same events. If the journal doesn't know the log as active yet, it must before that, by
    /// [`Chunk::mark_active`].
    pub(crate) fn prepare(&self, events: &[EventRef<'_>], ahead: Ahead) -> Result<Prepared> {
        let waits = |log: &Log| !log.appendable && log.takes_events();
        let mut state = self.lock();
        let distrustful = state.distrustful;
        if let Some(log) = state.logs.last_mut().filter(|log| waits(log)) {
            // What is wrong with it is told when it is made appendable.
            let loaded = self.load(log, distrustful).is_ok();
            drop(state);
            // Nobody makes derived files anew while their log is appended to.
            if loaded && self.has_bad_files() {
                self.mend_files();
            }
            state = self.lock();
        }
        let state = &mut *state;
        if let Some(log) = state.logs.last_mut().filter(|log| waits(log)) {
            match self.make_appendable(log, state.distrustful) {
                // Its damage is reported to whoever reads it; events go on in a new log.
                Err(Error::Corrupt { .. } | Error::Gone { .. }) => log.closed = true,
                other => other?,
            }
        }
        if state.logs.last().is_none_or(|log| !log.takes_events()) {
            let generation = state.next_generation()?;
            let log = self.create(LogId { chunk: self.number, generation }, state.watermark.time())?;
            state.logs.push(log);
        }
        let cutoffs = self.cut_by_lateness(state, events);
        let Some(log) = state.logs.last_mut() else { return Err(Error::invalid("a chunk without a log")) };
        let file = self.file_of(log)?;
        let LogSummary { id, instance, len: start, .. } = log.summary;
        let needed = start + frame::room_for(events) + LOG_HEADER_LEN as u64;
        if needed > log.room && !planted::has(Bug::SkipReserve) {
            let least = needed - start;
            let more = if ahead == Ahead::Room { least.max(start.clamp(ROOM_MIN, ROOM_MAX)) } else { least };
            let reserved = match file.reserve(start, more) {
                // Perhaps there is room for this batch, if not for what may follow.
                Err(Error::NoSpace { .. }) if more > least => file.reserve(start, least).map(|()| least),
                other => other.map(|()| more),
            };
            log.room = start + reserved?;
        }
        Ok(Prepared { file, id, instance, start, active: log.active, cutoffs })
    }

    /// Gives back the room that is set aside ahead of the log, for another that needs it now.
    pub(crate) fn give_room_back(&self) {
        let mut state = self.lock();
        let Some(log) = state.logs.last_mut().filter(|log| log.appendable && log.room > log.summary.len) else { return };
        // Where that fails, there is only less space.
        if log.file.as_ref().is_some_and(|file| file.truncate(log.summary.len).is_ok()) {
            log.room = log.summary.len;
        }
    }

    /// What the journal should know of the log that is open for appending.
    pub(crate) fn open_log(&self) -> Option<LogSummary> {
        self.lock().logs.last().map(|log| log.summary)
    }

    /// The journal now says that the log may grow; batches up to `committed` were whole.
    pub(crate) fn mark_active(&self, committed: u64) {
        if let Some(log) = self.lock().logs.last_mut() {
            log.active = true;
            log.noted = log.summary;
            log.noted_committed = committed;
        }
    }

    /// Whether the journal says that the log that is open for appending may grow.
    pub(crate) fn is_active(&self) -> bool {
        self.lock().logs.last().is_some_and(|log| log.active)
    }

    /// Whether the journal says that of any of its logs.
    pub(crate) fn has_active(&self) -> bool {
        self.lock().logs.iter().any(|log| log.active)
    }

    /// The journal is about to say that the log was durable as `summary` tells; `false` if it must not, the log being idle by now.
    pub(crate) fn note(&self, summary: &LogSummary, committed: u64) -> bool {
        let mut state = self.lock();
        let log = state.logs.last_mut().filter(|log| log.active && log.summary.id == summary.id);
        log.is_some_and(|log| {
            log.noted = *summary;
            log.noted_committed = committed;
            true
        })
    }

    /// The open file of a log; opens it if it isn't.
    fn file_of(&self, log: &mut Log) -> Result<Handle> {
        if let Some(file) = &log.file {
            return Ok(file.clone());
        }
        let access = if log.appendable { Access::Write } else { Access::Read };
        let name = log.id().log_name();
        let path = self.shared.folder.file_path(&name);
        let file = match self.shared.folder.open_if_there(&name, access)? {
            Some(file) => file,
            None => return Err(Error::Gone { path }),
        };
        // A log that nothing was written to yet has no header. One that is known to have lost it is not such a log.
        if log.summary.len > LOG_HEADER_LEN as u64 || log.summary.instance == 0 {
            self.check_header(&file, &log.summary)?;
        }
        log.file = Some(file.clone());
        Ok(file)
    }

    fn create(&self, id: LogId, watermark: Option<u64>) -> Result<Log> {
        let folder = &self.shared.folder;
        let name = id.log_name();
        let instance = folder.random()?;
        let file = match folder.open(&name, Access::CreateNew) {
            Err(e) if e.os_error() == Some(libc::EEXIST) => {
                // Left by a crash before the journal knew of it: whatever is in there was never promised. Keep it aside.
                let file = folder.open(&name, Access::Write)?;
                let len = recover::content_len(&file)?;
                cut::cut(folder, id, &file, 0, len)?;
                self.shared.kept_aside(&name, len);
                file
            }
            other => other?,
        };
        // Derived files of a log of the same name that is gone.
        for name in [id.index_name(), id.recon_name()] {
            folder.remove_if_there(&name)?;
        }
        // The length is that of a log without frames; the header itself is written along with the first of them.
        let summary = LogSummary::new(id, instance, watermark);
        Ok(Log { file: Some(file), appendable: true, index: Some(Box::new(LogIndex::new())), ..Log::new(summary) })
    }

    fn make_appendable(&self, log: &mut Log, distrustful: bool) -> Result<()> {
        let name = log.id().log_name();
        let file = self.shared.folder.open_if_there(&name, Access::Write)?;
        let file = file.ok_or_else(|| Error::Gone { path: self.shared.folder.file_path(&name) })?;
        self.check_header(&file, &log.summary)?;
        let excess = file.len()?.saturating_sub(log.summary.len);
        if excess > 0 {
            // Frames of a session whose journal records a loss of power took: never promised, never read.
            let survey = recover::survey(&file, log.summary.instance, log.summary.len, 0, false)?;
            let cut = survey.settle(0, 0).cut;
            cut::cut(&self.shared.folder, log.id(), &file, log.summary.len, cut)?;
            self.shared.kept_aside(&name, cut);
        }
        log.file = Some(file);
        log.room = log.summary.len;
        self.load(log, distrustful)?;
        log.appendable = !log.closed;
        Ok(())
    }

    fn check_header(&self, file: &Handle, summary: &LogSummary) -> Result<()> {
        let header = LogHeader::read(file)?;
        if (header.store, header.id, header.instance) != (self.shared.store, summary.id, summary.instance) {
            return Err(Error::corrupt(file.path(), 0, "this log belongs to another store or another place"));
        }
        Ok(())
    }

    /// Writes a batch of one event if nothing is to be done for it but that: the log is active and has room, and the event is no straggler.
    /// `false`, and nothing done, if there is more to it. Otherwise as [`Chunk::write`].
    pub(crate) fn write_one(&self, event: &EventRef<'_>, durable: u64, buffer: &mut FrameBuffer) -> Result<bool> {
        let bytes = &mut buffer.bytes;
        let (file, header) = {
            let mut state = self.lock();
            let State { logs, watermark, .. } = &mut *state;
            let Some(log) = logs.last_mut().filter(|log| log.active && log.appendable) else { return Ok(false) };
            let start = log.summary.len;
            let ready = start > LOG_HEADER_LEN as u64
                && start + frame::single_len(event) <= log.room
                && log.slack.as_ref().is_none_or(|slack| event.time >= slack.floor_at_half())
                && !watermark.is_late(event.time, self.shared.grace);
            let Some(file) = log.file.clone().filter(|_| ready && watermark.follow(event.time, self.shared.grace)) else {
                return Ok(false);
            };
            bytes.clear();
            let stamp = Stamp { instance: log.summary.instance, batch: event.seq, durable };
            (file, frame::encode_single(bytes, event, start, LAST | END, 0, &stamp))
        };
        file.write_all(bytes, header.offset)?;
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut must_sort = false;
        if let Some(log) = state.logs.last_mut() {
            log.before = log.summary;
            self.wrote(log, &header);
            log.summary.watermark = state.watermark.time();
            log.slack.get_or_insert_default().routed(header.frame_len(), 1, 0, 0);
            must_sort = self.maintain(log);
        }
        drop(guard);
        if must_sort {
            self.sort_late();
        }
        Ok(true)
    }

    /// Takes note of a frame that is in the log.
    fn wrote(&self, log: &mut Log, header: &Header) {
        log.summary.totals.add(header);
        log.summary.len = header.end();
        if let Some(index) = &mut log.index {
            index.add(header);
        }
        if header.has(LATE) {
            log.pending += header.frame_len();
        } else if !header.has(ALONE) {
            log.slack.get_or_insert_default().wrote_main(header);
        }
    }

    /// Writes a part of a batch, for which all was prepared.
    ///
    /// On failure it is unknown what reached the log.
    pub(crate) fn write(&self, part: &Part<'_>, prepared: &Prepared, buffer: &mut FrameBuffer) -> Result<()> {
        let FrameBuffer { bytes: buffer, headers } = buffer;
        let Prepared { file, id, instance, start, cutoffs, .. } = prepared;
        let instance = *instance;
        buffer.clear();
        let mut written = *start;
        if written == LOG_HEADER_LEN as u64 {
            let header = LogHeader { store: self.shared.store, id: *id, instance, replaces: id.generation, codec: 0 };
            buffer.extend_from_slice(&header.encode());
            written = 0;
        }
        let stamp = Stamp { instance, batch: part.batch, durable: part.durable };
        let (late, mut rest) = part.events.split_at(cutoffs.routed_late);
        if planted::has(Bug::LoseEventAtFrame) && !late.is_empty() && rest.len() > 1 {
            rest = rest.get(1..).unwrap_or_default();
        }
        let (main, alone) = rest.split_at(rest.len() - usize::from(cutoffs.alone));
        let mut late_left = cutoffs.late as u32;
        headers.clear();
        for (class, mut rest) in [(LATE, late), (0, main), (ALONE, alone)] {
            let mut after_class = match class {
                LATE => main.len() + alone.len(),
                ALONE => 0,
                _ => alone.len(),
            };
            after_class += rest.len();
            while !rest.is_empty() {
                let (events, after) = rest.split_at(frame::cut(rest, TARGET_BODY_LEN));
                after_class -= events.len();
                let mut flags = class;
                if after_class == 0 {
                    flags |= if part.end { LAST | END } else { LAST };
                }
                let late = late_left.min(events.len() as u32);
                late_left -= late;
                let offset = written + buffer.len() as u64;
                headers.push(frame::encode(buffer, events, offset, flags, late, &stamp));
                rest = after;
                if buffer.len() >= WRITE_LEN {
                    file.write_all(buffer, written)?;
                    written += buffer.len() as u64;
                    buffer.clear();
                }
            }
        }
        file.write_all(buffer, written)?;

        let mut guard = self.lock();
        let state = &mut *guard;
        state.watermark = cutoffs.watermark;
        let Some(log) = state.logs.last_mut() else { return Ok(()) };
        log.before = log.summary;
        headers.iter().for_each(|header| self.wrote(log, header));
        log.summary.watermark = state.watermark.time();
        let rerouted = |routed_late: usize| (routed_late - cutoffs.late) as u64;
        let written = log.summary.len - start;
        log.slack.get_or_insert_default().routed(
            written,
            part.events.len() as u64,
            rerouted(cutoffs.routed_late),
            rerouted(cutoffs.routed_late_at_half),
        );
        let must_sort = self.maintain(log);
        drop(guard);
        if must_sort {
            self.sort_late();
        }
        Ok(())
    }

    /// Forgets what [`Chunk::write`] has written of a batch after `committed` that failed in another chunk: no reader has seen it, and
    /// whoever opens the store next may cut it off.
    pub(crate) fn forget_after(&self, committed: u64) {
        let mut state = self.lock();
        if let Some(log) = state.logs.last_mut().filter(|log| log.summary.totals.last_seq > committed) {
            log.summary = log.before;
            log.index = None;
            log.recon = None;
        }
    }

    /// Where the sorted events of a part divide.
    fn cut_by_lateness(&self, state: &State, events: &[EventRef<'_>]) -> Cutoffs {
        let watermark = state.watermark;
        let late = events.partition_point(|event| watermark.is_late(event.time, self.shared.grace));
        let (floor, floor_at_half) =
            state.logs.last().and_then(|log| log.slack.as_ref()).map_or((0, 0), |slack| (slack.floor(), slack.floor_at_half()));
        let routed_late = late.max(events.partition_point(|event| event.time < floor));
        let routed_late_at_half = late.max(events.partition_point(|event| event.time < floor_at_half));
        let mut after = watermark;
        after.observe(events.iter().map(|event| event.time), self.shared.grace);
        let last = events.last().filter(|_| routed_late < events.len());
        let alone = last.is_some_and(|last| after.is_alone(last.time));
        Cutoffs { late, routed_late, routed_late_at_half, alone, watermark: after }
    }

    /// Keeps derived files up after an append. They can be lost at any time, so failure here only says so. Answers whether late events are to
    /// be sorted before more is appended.
    fn maintain(&self, log: &mut Log) -> bool {
        if log.summary.len >= log.grown_at {
            self.note_growth(log);
        }
        if log.is_due_for_sorting(&self.shared.sizes) {
            if !self.shared.sorts_beside || log.has_too_much_pending(&self.shared.sizes) {
                return true;
            }
            self.note_unsorted();
        }
        self.keep_index(log);
        false
    }

    /// Brings the index file up to date once it lacks many entries.
    fn keep_index(&self, log: &mut Log) {
        if log.index.as_ref().is_some_and(|index| index.unwritten() >= self.shared.sizes.index_entries) {
            self.write_index(log);
        }
    }

    #[cold]
    fn note_growth(&self, log: &mut Log) {
        // Two events confirm that this is where the present is.
        log.grown_at = if log.summary.totals.count < 2 { 0 } else { log.summary.len.saturating_add(self.shared.grow_len) };
        self.shared.grew.store(true, Ordering::Relaxed);
    }

    fn write_index(&self, log: &mut Log) {
        if !self.shared.writes_index() {
            return;
        }
        if let Some(index) = &mut log.index
            && let Err(e) = index.write(&self.shared.folder, log.summary.id, log.summary.instance)
        {
            self.shared.say(Level::Warning, &format!("the index was not written: {e}"));
        }
    }

    /// The log that is open for appending, if it has bytes that no sync covers. Those before it have none: sealing syncs them.
    pub(crate) fn unsynced(&self) -> Option<Unsynced> {
        let state = self.lock();
        let log = state.logs.last().filter(|log| log.synced < log.summary.len)?;
        Some(Unsynced { file: log.file.clone()?, summary: log.summary, noted_len: log.noted.len })
    }

    /// How many bytes of it no sync covers.
    pub(crate) fn unsynced_len(&self) -> u64 {
        self.lock().logs.iter().map(|log| log.summary.len.saturating_sub(log.synced)).fold(0, u64::saturating_add)
    }

    /// Takes note that what [`Chunk::unsynced`] gave is durable. Only from then on may the log be called idle without a sync of its own.
    pub(crate) fn note_synced(&self, unsynced: &Unsynced) {
        let mut state = self.lock();
        if let Some(log) = state.logs.last_mut().filter(|log| log.id() == unsynced.summary.id) {
            log.synced = log.synced.max(unsynced.summary.len);
        }
    }

    /// Closes the file of the log that is open for appending, synced; it is opened again when it is needed.
    pub(crate) fn park(&self) -> Result<()> {
        let mut state = self.lock();
        let Some(log) = state.logs.last_mut().filter(|log| log.appendable) else { return Ok(()) };
        if let Some(file) = log.file.take().filter(|_| log.synced < log.summary.len) {
            file.sync()?;
            log.synced = log.summary.len;
        }
        Ok(())
    }

    /// Syncs and closes the logs that the journal calls active; answers what it should know of them. Room set aside is given back.
    pub(crate) fn retire(&self) -> Result<Vec<LogSummary>> {
        // Whoever reads it next should not have to.
        self.sort_at_last();
        let mut state = self.lock();
        let mut retired = Vec::new();
        for log in state.logs.iter_mut().filter(|log| log.active) {
            self.finish(log)?;
            retired.push(log.summary);
        }
        Ok(retired)
    }

    /// Takes back what was done to the log that is open for appending for a batch that then failed, if the journal doesn't call it active.
    pub(crate) fn unprepare(&self) -> Result<()> {
        let mut state = self.lock();
        match state.logs.last_mut().filter(|log| log.appendable && !log.active) {
            Some(log) if log.has_frames() => self.finish(log),
            Some(log) => {
                // Nothing knows of it.
                let name = log.id().log_name();
                state.logs.pop();
                self.shared.folder.remove_if_there(&name).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Syncs and closes a log that was appended to, and gives its room back.
    fn finish(&self, log: &mut Log) -> Result<()> {
        let file = self.file_of(log)?;
        if log.appendable {
            file.truncate(log.summary.len)?;
        }
        if log.synced < log.summary.len && !planted::has(Bug::RetireWithoutSync) {
            file.sync()?;
            log.synced = log.summary.len;
        }
        self.write_index(log);
        log.appendable = false;
        log.active = false;
        log.file = None;
        log.slack = None;
        log.room = 0;
        Ok(())
    }

    // Recovery.

    /// Looks at the log that the journal last described by `summary`, when batches up to `committed` were whole; see [`recover`].
    pub(crate) fn survey(&self, summary: &LogSummary, committed: u64) -> Result<Survey> {
        let file = match self.shared.folder.open_if_there(&summary.id.log_name(), Access::Read)? {
            Some(file) => file,
            None if summary.totals.count == 0 => return Ok(Survey::missing_if_durable(committed)),
            None => return Ok(Survey::missing(summary.len)),
        };
        if self.shared.writable {
            // What an earlier writer could not sync may still be in memory, and would be taken for durable.
            file.sync_and_forget()?;
        }
        if summary.totals.count == 0 && recover::content_len(&file)? < LOG_HEADER_LEN as u64 {
            return Ok(Survey::missing_if_durable(committed));
        }
        let header_is_whole = match self.check_header(&file, summary) {
            Err(Error::Corrupt { .. }) => false,
            other => other.map(|()| true)?,
        };
        let mut survey = recover::survey(&file, summary.instance, summary.len, committed, !self.shared.writable)?;
        if !header_is_whole {
            survey.header_is_damaged(summary.totals.count > 0);
        }
        Ok(survey)
    }

    /// Takes over what recovery decided about a log: totals, and on a store open for writing the cut. Answers the summary that then is
    /// true, or `None` if there is no log left.
    pub(crate) fn settle(&self, id: LogId, settled: &Settled) -> Result<Option<LogSummary>> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(place) = state.logs.iter().position(|log| log.id() == id) else { return Ok(None) };
        let Some(log) = state.logs.get_mut(place) else { return Ok(None) };
        let start = log.summary.len;
        let empty = log.summary.totals.count == 0 && settled.len <= LOG_HEADER_LEN as u64 && settled.damage.is_empty();
        let access = if self.shared.writable { Access::Write } else { Access::Read };
        let file = self.shared.folder.open_if_there(&id.log_name(), access)?;
        // With not even a header, it is as if it were not there.
        let Some(file) = file.filter(|_| !settled.gone || settled.damage.is_empty()) else {
            if log.summary.totals.count > 0 || !settled.damage.is_empty() {
                // Events were in it that are damage now, for whoever reads the chunk.
                log.summary.totals.oldest = 0;
                log.summary.totals.newest = u64::MAX;
                log.summary.instance = 0;
                log.closed = true;
                return Ok(Some(log.summary));
            }
            state.logs.remove(place);
            return Ok(None);
        };
        if empty {
            if self.shared.writable {
                cut::cut(&self.shared.folder, id, &file, 0, settled.cut)?;
                self.shared.folder.remove_if_there(&id.log_name())?;
            }
            state.logs.remove(place);
            return Ok(None);
        }
        let mut walk = Walk::new(&file, log.summary.instance, start, settled.len, false);
        while let Some(stretch) = walk.next()? {
            if let Stretch::Frame(header) | Stretch::DamagedBody(header) = stretch {
                log.summary.totals.add(&header);
                // The same time twice would confirm itself.
                let times = [header.first.time, header.last.time];
                let times = if header.count == 1 { &times[..1] } else { &times[..] };
                state.watermark.observe(times.iter().copied(), self.shared.grace);
            }
        }
        log.summary.watermark = state.watermark.time();
        log.summary.len = settled.len;
        log.closed = !settled.damage.is_empty();
        if self.shared.writable {
            match cut::cut(&self.shared.folder, id, &file, settled.len, settled.cut) {
                Err(e @ Error::NoSpace { .. }) => {
                    // Opening must work on a full disk, for deleting to work. What can't be kept aside stays where it is, behind the end.
                    self.shared.say(Level::Warning, &format!("{}: what should be cut off stays for now: {e}", id.log_name()));
                    log.closed = true;
                }
                other => other?,
            }
            file.sync()?;
        }
        Ok(Some(log.summary))
    }

    // Following a writer in another process.

    /// Takes note of what the journal now says of its logs, if these are they. It knows more of those that are idle, and perhaps less of the
    /// others.
    pub(crate) fn renew(&self, logs: &[LogSummary]) -> bool {
        let mut state = self.lock();
        let same = |(log, summary): (&Log, &LogSummary)| (log.id(), log.summary.instance) == (summary.id, summary.instance);
        if state.logs.len() != logs.len() || !state.logs.iter().zip(logs).all(same) {
            return false;
        }
        for (log, summary) in state.logs.iter_mut().zip(logs) {
            if log.summary.len < summary.len {
                log.summary = *summary;
                log.synced = summary.len;
            }
        }
        true
    }

    /// What is known of a log.
    pub(crate) fn summary_of(&self, id: LogId) -> Option<LogSummary> {
        self.lock().logs.iter().map(|log| log.summary).find(|summary| summary.id == id)
    }

    // Reading.

    /// Makes sure that the chunk's logs are open with all that is known of their frames.
    fn load_all(&self, state: &mut State) -> Result<()> {
        let distrustful = state.distrustful;
        for log in &mut state.logs {
            self.load(log, distrustful)?;
        }
        Ok(())
    }

    fn load(&self, log: &mut Log, distrustful: bool) -> Result<()> {
        let file = self.file_of(log)?;
        let folder = &self.shared.folder;
        let LogSummary { id, instance, len, .. } = log.summary;
        if let Some(index) = &mut log.index {
            if index.covered >= len {
                return Ok(());
            }
            // The log has grown by what its writer, another process, has written. That keeps late events few by putting them into runs.
            let mut walk = Walk::new(&file, instance, index.covered, len, false);
            while let Some(stretch) = walk.next()? {
                index.take(&stretch, len);
            }
            log.pending = index.late.bytes();
            log.closed |= !index.damage.is_empty() && !log.appendable;
            if distrustful || !log.has_much_pending(&self.shared.sizes) {
                return Ok(());
            }
        }
        let recon = if distrustful { None } else { Recon::read(folder, id, instance, &file, len) };
        // One that can't even be opened is refused too.
        let is_there = || !matches!(folder.open_if_there(&id.recon_name(), Access::Read), Ok(None));
        log.refused_recon = recon.is_none() && log.summary.totals.recon > 0 && is_there();
        let in_runs = recon.as_ref().map_or(0, Recon::covered);
        let believe = !self.shared.no_index && !distrustful;
        let mut index = if believe { LogIndex::read(folder, id, instance, &file, len) } else { LogIndex::new() };
        if index.describes_together(in_runs) {
            // Written beside another recon file: which frames of the entry are in a run can't be told from it.
            index = LogIndex::new();
        }
        let mut walk = Walk::new(&file, instance, index.covered, len, false);
        while let Some(stretch) = walk.next()? {
            if index.covered == in_runs {
                index.late.close_last();
            }
            index.take(&stretch, len);
        }
        index.absorb_late_before(in_runs, self.shared.writes_index());
        log.pending = index.late.bytes();
        // A log that is being appended to stays so: what is appended behind damage can be read.
        log.closed |= !index.damage.is_empty() && !log.appendable;
        log.recon = recon;
        log.index = Some(Box::new(index));
        Ok(())
    }

    /// Forgets what is derived and finds it anew in the logs, if that was not done yet.
    pub(crate) fn distrust(&self) {
        let mut state = self.lock();
        if !state.distrustful {
            state.distrustful = true;
            for log in &mut state.logs {
                log.index = None;
                log.recon = None;
            }
            self.shared.say(Level::Warning, &format!("chunk {}: derived files are not believed; its logs are read instead", self.number));
        }
    }

    /// Whether everything in memory was found in the logs alone.
    pub(crate) fn is_distrustful(&self) -> bool {
        self.lock().distrustful
    }

    /// Calls `read`, and if it meets damage that may be in a derived file only, once more without derived files.
    pub(crate) fn mending<T>(&self, mut read: impl FnMut() -> Result<T>) -> Result<T> {
        let distrustful = self.is_distrustful();
        match read() {
            Err(Error::Corrupt { .. }) if !distrustful => {
                self.distrust();
                read()
            }
            other => other,
        }
    }

    /// Adds everything in the merge's scope to the merge.
    pub(crate) fn add_to(&self, merge: &mut Merge) -> Result<()> {
        let scope = merge.scope();
        let mut state = self.lock();
        let overlaps = state.logs.iter().any(|log| {
            let (oldest, newest) = log.summary.totals.bounds();
            oldest <= scope.last && scope.first <= newest || log.closed
        });
        if !overlaps {
            return Ok(());
        }
        self.load_all(&mut state)?;
        state.logs.iter().for_each(|log| self.add_log_to(log, merge));
        Ok(())
    }

    /// Adds everything of the logs that are older than a generation to a merge.
    fn add_sealed_to(&self, generation: u32, merge: &mut Merge) -> Result<()> {
        let mut state = self.lock();
        let distrustful = state.distrustful;
        for log in state.logs.iter_mut().filter(|log| log.id().generation < generation) {
            self.load(log, distrustful)?;
            self.add_log_to(log, merge);
        }
        Ok(())
    }

    fn add_log_to(&self, log: &Log, merge: &mut Merge) {
        let (Some(file), Some(index)) = (&log.file, &log.index) else { return };
        let instance = log.summary.instance;
        merge.add(file, instance, Class::Main, &index.main);
        merge.add(file, instance, Class::Late, &index.late);
        for gap in self.gaps(log, file, &index.damage) {
            if merge.salvages() { merge.note_gap(gap) } else { merge.add_damage(gap) }
        }
        if let Some(recon) = &log.recon {
            for run in &recon.runs {
                merge.add(&recon.file, recon.instance, Class::Run, &run.list);
            }
        }
    }

    /// As [`Chunk::add_to`] for a merge that salvages, where that failed: goes by the logs alone, and past their headers. Logs that nothing
    /// can be read of are noted as gaps.
    pub(crate) fn add_what_can_be_read(&self, merge: &mut Merge) -> Result<()> {
        let state = self.lock();
        // A file may be there twice, under another name too; those that are known to be what they say come first.
        let mut instances = HashSet::new();
        let (known, unknown): (Vec<&Log>, Vec<&Log>) = state.logs.iter().partition(|log| log.summary.instance != 0);
        for log in known.into_iter().chain(unknown) {
            let LogSummary { id, instance, len, .. } = log.summary;
            let whole = |what| Damage { offset: 0, len, what };
            let missing = self.shared.folder.file_path(&id.log_name());
            let Some(file) = self.shared.folder.open_if_there(&id.log_name(), Access::Read)? else {
                merge.note_gap(self.gap_of(log, &missing, &whole("the log is missing")));
                continue;
            };
            const HEADER: &str = "the log header is not what was written";
            // Where not even the journal tells the instance, the frames do.
            let found = if instance == 0 { log::find_instance(&file, merge.past())? } else { Some(instance) };
            let Some(instance) = found else {
                merge.note_gap(self.gap_of(log, file.path(), &whole(HEADER)));
                continue;
            };
            if !instances.insert(instance) {
                merge.note_gap(self.gap_of(log, file.path(), &whole("a copy of another log")));
                continue;
            }
            if len > LOG_HEADER_LEN as u64 && self.check_header(&file, &log.summary).is_err() {
                merge.note_gap(self.gap_of(log, file.path(), &Damage { len: LOG_HEADER_LEN as u64, ..whole(HEADER) }));
            }
            let mut index = LogIndex::new();
            let mut walk = Walk::new(&file, instance, LOG_HEADER_LEN as u64, len, false).past(merge.past());
            while let Some(stretch) = walk.next()? {
                // Without its header there is no telling whose log it is but by the times.
                let stretch = match stretch {
                    Stretch::Frame(header) if header.first.time < self.times.0 || self.times.1 < header.last.time => {
                        Stretch::Damage { offset: header.offset, len: header.frame_len(), what: "a frame of another chunk" }
                    }
                    other => other,
                };
                index.take(&stretch, len);
            }
            merge.add(&file, instance, Class::Main, &index.main);
            merge.add(&file, instance, Class::Late, &index.late);
            self.gaps(log, &file, &index.damage).into_iter().for_each(|gap| merge.note_gap(gap));
        }
        Ok(())
    }

    /// Damage of a log as gaps. Their times are those that the index file tells, if it can be believed, else all that the log may hold.
    fn gaps(&self, log: &Log, file: &Handle, damage: &[Damage]) -> Vec<Gap> {
        if damage.is_empty() {
            return Vec::new();
        }
        let LogSummary { id, instance, len, .. } = log.summary;
        let index = LogIndex::read(&self.shared.folder, id, instance, file, len);
        let with_times = |damage: &Damage| {
            let mut gap = self.gap_of(log, file.path(), damage);
            if damage.offset + damage.len <= index.covered {
                let inside = |entry: &&Entry| entry.offset < damage.offset + damage.len && damage.offset < entry.end();
                let entries = || index.main.iter().chain(index.late.iter()).filter(inside);
                let first = entries().map(|entry| entry.first.time).min();
                if let (Some(first), Some(last)) = (first, entries().map(|entry| entry.last.time).max()) {
                    (gap.first_time, gap.last_time) = (first, last);
                }
            }
            gap
        };
        damage.iter().map(with_times).collect()
    }

    fn gap_of(&self, log: &Log, path: &Path, damage: &Damage) -> Gap {
        let Totals { oldest, newest, .. } = log.summary.totals;
        let (first_time, last_time) = if oldest <= newest { (oldest, newest) } else { self.times };
        Gap { path: path.to_owned(), offset: damage.offset, len: damage.len, first_time, last_time, what: damage.what.to_owned() }
    }

    /// Counts the events with keys in `first..=last` and a seq up to `seq`.
    pub(crate) fn count(&self, first: Key, last: Key, seq: u64) -> Result<u64> {
        self.count_by(Merge::new(Scope { first, last, seq, reverse: false }))
    }

    /// About how many they are: exactly so where nothing is damaged. Where something is, events in frames with a damaged body may count.
    pub(crate) fn count_about(&self, first: Key, last: Key, seq: u64) -> Result<u64> {
        let mut merge = Merge::new(Scope { first, last, seq, reverse: false });
        merge.salvage(Salvage::Failures);
        merge.set_from_logs(self.is_distrustful());
        self.count_by(merge)
    }

    /// Counts the events of a merge's scope, of which those within the bounds of a frame need not be read.
    fn count_by(&self, mut merge: Merge) -> Result<u64> {
        let Scope { first, last, seq, .. } = merge.scope();
        let mut sum = {
            let mut state = self.lock();
            let inside = state.logs.iter().all(|log| {
                let (oldest, newest) = log.summary.totals.bounds();
                first <= oldest && newest <= last && log.summary.totals.last_seq <= seq && !log.closed
            });
            if inside {
                return Ok(state.logs.iter().fold(0, |sum, log| sum.saturating_add(log.summary.totals.count)));
            }
            self.load_all(&mut state)?;
            let mut sum = 0;
            for log in &state.logs {
                let (Some(file), Some(index)) = (&log.file, &log.index) else { continue };
                let mut border: Vec<Entry> = Vec::new();
                sum += index.main.count(first, last, seq, |entry| border.push(*entry));
                merge.add_entries(file, log.summary.instance, Class::Main, &border);
                border.clear();
                sum += index.late.count(first, last, seq, |entry| border.push(*entry));
                merge.add_entries(file, log.summary.instance, Class::Late, &border);
                if !merge.salvages() {
                    self.gaps(log, file, &index.damage).into_iter().for_each(|gap| merge.add_damage(gap));
                }
                for (recon, run) in log.recon.iter().flat_map(|recon| recon.runs.iter().map(move |run| (recon, run))) {
                    border.clear();
                    sum += run.list.count(first, last, seq, |entry| border.push(*entry));
                    merge.add_entries(&recon.file, recon.instance, Class::Run, &border);
                }
            }
            sum
        };
        loop {
            let n = merge.next_batch(usize::MAX)?.len() as u64;
            if n == 0 {
                return Ok(sum);
            }
            sum += n;
        }
    }

    /// Whether files that are derived from logs that nobody appends to are missing, or not believed.
    pub(crate) fn has_bad_files(&self) -> bool {
        let state = self.lock();
        let lacks_index = |log: &Log| !self.shared.no_index && log.index.as_ref().is_some_and(|index| index.is_unfinished());
        let excess = |log: &Log| log.recon.as_ref().is_some_and(|recon| recon.excess);
        let is_bad = |log: &Log| {
            state.distrustful || log.refused_recon || excess(log) || log.has_much_pending(&self.shared.sizes) || lacks_index(log)
        };
        !state.gave_up_files && state.logs.iter().any(|log| !log.appendable && log.is_whole() && is_bad(log))
    }

    /// Makes those files anew, for the one who holds the writer.
    pub(crate) fn mend_files(&self) {
        let turn = self.sorting.take_turn();
        let mut state = self.lock();
        let state = &mut *state;
        let mut mended = true;
        for log in state.logs.iter_mut().filter(|log| !log.appendable && log.is_whole()) {
            let id = log.id();
            let result = if log.has_much_pending(&self.shared.sizes) {
                self.absorb(log, &turn)
            } else if let Some(recon) = log.recon.as_mut() {
                if recon.excess { recon.cut_excess(&self.shared.folder, id) } else { Ok(()) }
            } else {
                // The few late events that it may have held can be read from the log.
                self.shared.folder.remove_if_there(&id.recon_name()).map(drop)
            };
            match result {
                Ok(()) => {
                    log.refused_recon = false;
                    self.write_index(log);
                }
                Err(e) => {
                    self.shared.say(Level::Warning, &format!("{}: it was not made anew: {e}", id.recon_name()));
                    mended = false;
                }
            }
        }
        // Not again and again where it can't be done.
        state.gave_up_files = !mended;
        let all_whole = state.logs.iter().all(|log| log.is_whole() && !log.appendable);
        if mended && all_whole {
            if state.distrustful {
                self.shared.say(Level::Info, &format!("chunk {}: its derived files were made anew", self.number));
            }
            state.distrustful = false;
        }
    }

    /// Makes the files that are derived from its logs, as far as they are missing and can be made.
    pub(crate) fn make_files(&self) {
        let loaded = {
            let mut state = self.lock();
            self.load_all(&mut state)
        };
        if loaded.is_ok() && self.has_bad_files() {
            self.mend_files();
        }
    }

    /// Gives back the memory and the files of a chunk that is only read; one that is open for appending keeps them.
    pub(crate) fn unload(&self) {
        for log in self.lock().logs.iter_mut().filter(|log| !log.appendable) {
            log.index = None;
            log.recon = None;
            log.file = None;
        }
    }

    /// Whether its files are to go with the last reader.
    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Relaxed)
    }

    /// Whether it holds anything that [`Chunk::unload`] would give back.
    pub(crate) fn is_loaded(&self) -> bool {
        self.lock().logs.iter().any(|log| log.index.is_some())
    }

    /// What the loaded indexes take in memory.
    pub(crate) fn memory(&self) -> usize {
        self.lock().logs.iter().filter_map(|log| log.index.as_deref()).map(LogIndex::memory).sum()
    }

    /// How many stretches of its loaded logs are damaged.
    pub(crate) fn damaged(&self) -> u64 {
        self.lock().logs.iter().filter_map(|log| log.index.as_ref()).map(|index| index.damage.len() as u64).sum()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // A forked child must leave its parent's files alone, and its locks.
        if !*self.doomed.get_mut() || self.shared.forks != process::forks() {
            return;
        }
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let folder = self.shared.store_folder();
        for deleted in state.logs.iter().map(|log| log.summary) {
            let LogSummary { id, instance, .. } = deleted;
            let is_it = |(other, summary): &(StoreFolder, LogSummary)| *other == folder && summary.instance == instance;
            let others = {
                let mut doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(place) = doomed.iter().position(is_it) {
                    doomed.swap_remove(place);
                }
                doomed.iter().any(is_it)
            };
            if others {
                continue;
            }
            // By now the name may belong to another store that was made in this folder.
            let file = self.shared.folder.open(&id.log_name(), Access::Read).and_then(|file| LogHeader::read(&file));
            if file.is_ok_and(|header| (header.store, header.instance) == (self.shared.store, instance)) {
                self.shared.remove_deleted(&deleted);
            }
        }
    }
}

/// Deleted logs that readers of this process still have open, with their folders, once for each chunk in memory that has them. A reader
/// outlives its handle, so the next handle on the same folder must know.
static DOOMED: std::sync::Mutex<Vec<(StoreFolder, LogSummary)>> = std::sync::Mutex::new(Vec::new());

/// A folder, whatever its path, and the id of the store that is or was in it.
pub(crate) type StoreFolder = ((u64, u64), u128);

/// The deleted logs of a folder whose files still wait for readers of this process.
pub(crate) fn doomed(folder: StoreFolder) -> Vec<LogSummary> {
    let doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
    doomed.iter().filter(|(other, _)| *other == folder).map(|(_, summary)| *summary).collect()
}

/// Removes the files of a log, and others; `false` if some of them could not be.
fn remove_files(folder: &Folder, id: LogId, others: &[String]) -> bool {
    // The log goes first: derived files without it mean nothing.
    let names = [id.log_name(), id.index_name(), id.recon_name(), id.recon_name() + ".new", id.new_name()];
    names.iter().chain(others).fold(true, |all, name| all & folder.remove_if_there(name).is_ok())
}

/// A log with bytes that no sync covers.
pub(crate) struct Unsynced {
    pub(crate) file: Handle,
    /// What is durable once the file is synced.
    pub(crate) summary: LogSummary,
    /// The length that the journal knows.
    pub(crate) noted_len: u64,
}

/// How much room to set aside for a part of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Some for later batches too, if there is as much.
    Room,
    /// No more than it needs.
    Nothing,
}

/// A log that is ready to take a part of a batch.
pub(crate) struct Prepared {
    file: Handle,
    id: LogId,
    instance: u64,
    /// Its length.
    start: u64,
    /// The journal says that it may grow.
    pub(crate) active: bool,
    cutoffs: Cutoffs,
}

struct Cutoffs {
    /// So many of the first events are late by the definition.
    late: usize,
    /// So many go to late frames: those and stragglers.
    routed_late: usize,
    /// So many would go there if main frames were to overlap half as much.
    routed_late_at_half: usize,
    /// The last event gets a frame of its own, being far ahead.
    alone: bool,
    /// The watermark once the events are written.
    watermark: Watermark,
}
