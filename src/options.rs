//! How a store is made and opened.
//!
//! Two kinds of options: *settings* (`file_size`, `grace`) belong to the store, are written when it is created and taken from it ever
//! after; everything else belongs to one open handle.

use std::fmt;
use std::sync::Arc;

use crate::disk::{Clock, Disk, RealClock, RealDisk};
use crate::error::{Error, Result};

/// What opening does when there is, or is no, store at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Open the store, or create it (and its last folder) if there is none.
    #[default]
    CreateIfMissing,
    /// Create it; a store that is there already is an error.
    CreateNew,
    /// Open it; a missing store is an error.
    Existing,
    /// Open it for reading only: takes no lock, writes nothing, and works beside a writer, in this process or
    /// another. Each read shows what that has handed to the system by then.
    ReadOnly,
}

/// What an append survives once it has returned. Named for exactly that.
///
/// | | the process dies | the machine loses power |
/// | --- | --- | --- |
/// | `Buffered` | what is in the buffer is lost | that, and what the system had not written |
/// | `Process` | nothing is lost | what the system had not written is lost |
/// | `Interval` | nothing is lost | at most what came in the last interval is lost |
/// | `Power` | nothing is lost | nothing is lost |
///
/// [`Store::sync`](crate::Store::sync) makes all so far survive loss of power, at each level, and
/// [`Store::durable_seq`](crate::Store::durable_seq) tells up to which seq that holds. When the power fails before a sync, a batch that
/// spans several chunks may survive in some of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing yet: events collect in a bounded buffer of this process, handed to the system when it is full, when it is old
    /// ([`Options::buffer`]), and before any read, count, sync or close.
    Buffered,
    /// The death of this process, but not of the machine.
    Process,
    /// As `Process`; and at most so many nanoseconds later also loss of power.
    Interval(u64),
    /// Loss of power. Appends that run at once share their syncs.
    Power,
}

/// How important a message of the log callback is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Damage, or an operation that failed.
    Error = 1,
    /// Something was repaired, cut or given up.
    Warning = 2,
    /// Opening, closing, recovery, deleting.
    Info = 3,
}

/// How compaction stores the events of a chunk. What is stored so is read by every handle, whatever its options are, in a build of estore
/// that has the cargo feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// As they are.
    None,
    /// Compressed with LZ4, some 64 KiB at a time; what does not get smaller by an eighth is stored as it is. Needs the cargo feature `lz4`.
    Lz4,
}

/// Receives messages of one store. May be called from the calling thread or from the store's background thread; must not wait for
/// a thread that calls the store. Its own calls of that store are refused with [`Error::Invalid`](crate::Error::Invalid), since the
/// message may have been sent under locks; other stores may be called.
pub type LogFn = dyn Fn(Level, &str) + Send + Sync;

/// One day: the default [`Options::file_size`].
pub const DEFAULT_FILE_SIZE_NS: u64 = 86_400_000_000_000;
/// One minute: the default [`Options::grace`].
pub const DEFAULT_GRACE_NS: u64 = 60_000_000_000;
/// 16 MiB: the default [`Options::max_event_len`].
pub const DEFAULT_MAX_EVENT_LEN: u32 = 16 << 20;
/// 1 GiB: the largest [`Options::max_event_len`].
pub const LARGEST_EVENT_LEN: u32 = 1 << 30;

/// How to make or open a store. Start from [`Options::new`]; each setter checks its value when the store is opened.
#[derive(Clone)]
pub struct Options {
    pub(crate) mode: Mode,
    pub(crate) durability: Durability,
    pub(crate) file_size: Option<u64>,
    pub(crate) grace: Option<u64>,
    pub(crate) max_event_len: u32,
    pub(crate) max_new_chunks: usize,
    pub(crate) max_open_logs: usize,
    pub(crate) buffer_len: usize,
    pub(crate) buffer_ns: u64,
    pub(crate) no_index: bool,
    pub(crate) background: bool,
    pub(crate) compaction: bool,
    pub(crate) max_age: u64,
    pub(crate) max_bytes: u64,
    pub(crate) compression: Option<Compression>,
    pub(crate) log: Option<Arc<LogFn>>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sizes: Sizes,
}

/// At which sizes the engine does what it does only once in a while. Not for users: tests make them small, to reach with a few events what
/// takes many.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Late events in a log beyond this many bytes are put into a recon run; appends wait for that once there are twice as many.
    pub pending_bytes: u64,
    /// Frames of recon runs are at least about so long; in long runs, and where few runs overlap, four times as long.
    pub run_frame_bytes: u64,
    /// The index file is brought up to date whenever it lacks this many entries.
    pub index_entries: usize,
    /// The journal is written anew once it has this many records more than needed.
    pub journal_slack: u64,
    /// So many seqs are reserved in the journal at a time.
    pub seq_reserve: u64,
    /// Chunks are compacted by themselves only for so many bytes that it would sort in or join.
    pub compact_bytes: u64,
    /// As long as a chunk is the newest one, only for so many.
    pub compact_newest_bytes: u64,
    /// A tail gets about so many bytes of events at a time from the disk.
    pub window_bytes: usize,
    /// A log that has grown by so many bytes, or by a 128th of the greatest size of the store if that is more, may have made the store too
    /// large.
    pub retain_bytes: u64,
    /// Replicas tell each other the identities of ranges with no more events than about so many.
    pub leaf_events: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes {
            pending_bytes: 512 << 10,
            run_frame_bytes: 8 << 10,
            index_entries: 64,
            journal_slack: 512,
            seq_reserve: 1 << 32,
            compact_bytes: 64 << 10,
            compact_newest_bytes: 64 << 20,
            window_bytes: 1 << 20,
            retain_bytes: 4 << 20,
            leaf_events: 512,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("durability", &self.durability)
            .field("file_size", &self.file_size)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Create if missing; `INTERVAL` of one second; one-day files and one minute of grace for a new store.
    pub fn new() -> Options {
        Options {
            mode: Mode::default(),
            durability: Durability::Interval(1_000_000_000),
            file_size: None,
            grace: None,
            max_event_len: DEFAULT_MAX_EVENT_LEN,
            max_new_chunks: 1024,
            max_open_logs: 64,
            buffer_len: 1 << 20,
            buffer_ns: 1_000_000_000,
            no_index: false,
            background: true,
            compaction: true,
            max_age: 0,
            max_bytes: 0,
            compression: None,
            log: None,
            disk: Arc::new(RealDisk),
            clock: Arc::new(RealClock),
            sizes: Sizes::default(),
        }
    }

    /// See [`Mode`].
    pub fn mode(mut self, mode: Mode) -> Options {
        self.mode = mode;
        self
    }

    /// See [`Durability`].
    pub fn durability(mut self, durability: Durability) -> Options {
        self.durability = durability;
        self
    }

    /// Setting: the time range of one chunk, in nanoseconds (or whatever unit the times have); chunk number = `time / file_size`. At
    /// least 1. Opening a store that was made with another value is an error. An efile has no chunks and refuses this option.
    pub fn file_size(mut self, nanoseconds: u64) -> Options {
        self.file_size = Some(nanoseconds);
        self
    }

    /// Setting: an event is late when it lies more than this behind the newest of its chunk. 0 is legal. Opening a store that was made
    /// with another value is an error.
    pub fn grace(mut self, nanoseconds: u64) -> Options {
        self.grace = Some(nanoseconds);
        self
    }

    /// The largest event in bytes that this handle appends (reading has no limit): at most [`LARGEST_EVENT_LEN`].
    pub fn max_event_len(mut self, bytes: u32) -> Options {
        self.max_event_len = bytes;
        self
    }

    /// How many chunks one batch may create; keeps one batch of nonsense times from making a million files. At least 1.
    pub fn max_new_chunks(mut self, chunks: usize) -> Options {
        self.max_new_chunks = chunks;
        self
    }

    /// How many logs are kept open for appending; the one that was used longest ago is synced and closed. At least 1.
    pub fn max_open_logs(mut self, logs: usize) -> Options {
        self.max_open_logs = logs;
        self
    }

    /// For [`Durability::Buffered`]: hand the buffer to the system at this many bytes, and at the latest after this many nanoseconds.
    pub fn buffer(mut self, bytes: usize, nanoseconds: u64) -> Options {
        self.buffer_len = bytes;
        self.buffer_ns = nanoseconds;
        self
    }

    /// Neither read nor write index files: everything they say is found by scanning the logs.
    pub fn no_index(mut self, no_index: bool) -> Options {
        self.no_index = no_index;
        self
    }

    /// Whether the store may have threads of its own: for what is due by time (syncs of `Interval`, flushes of `Buffered`), for sorting
    /// late events, for [`compaction`](Self::compaction), and for retention ([`max_age`](Self::max_age), [`max_bytes`](Self::max_bytes)).
    /// On by default. Without them, call [`Store::tick`](crate::Store::tick).
    pub fn background(mut self, background: bool) -> Options {
        self.background = background;
        self
    }

    /// Whether the store may compact by itself, on a thread of its own: chunks that get no more events in order, once an eighth of what
    /// they hold would be sorted in or joined; and the newest one, once half of a large log came late. On by default; needs
    /// [`background`](Self::background). Without it, call [`Store::compact`](crate::Store::compact).
    pub fn compaction(mut self, compaction: bool) -> Options {
        self.compaction = compaction;
        self
    }

    /// Retention by age: chunks all of whose events are older than this go, for good and durably, as by
    /// [`Store::delete_before`](crate::Store::delete_before). 0, the default: however old they are. Times must be nanoseconds since 1970 for
    /// that, or smaller.
    ///
    /// Ages are counted from the smaller of two times: that of the clock, and the newest time that two events have reached (right after
    /// opening, it may be taken for earlier by up to the grace or the length of a chunk). So one event of the far future deletes nothing.
    /// Nor does a clock that jumps ahead, by more than a minute, while the store is open, by which events may be stamped: it counts once it
    /// has stayed so for a day, or for the greatest age if that is less. Whether the clock was wrong before, nobody can tell.
    ///
    /// What goes are whole chunks, oldest first, and never those that count as live: the newest one, the one that two events have reached,
    /// the newest one that this handle has appended to, and whatever lies behind one of these. So a limit below the length of a chunk keeps
    /// that much. It is applied in the background: once the store is open, and whenever a new chunk begins; also by
    /// [`Store::retain`](crate::Store::retain), and in [`Store::tick`](crate::Store::tick) where [`background`](Self::background) is off.
    ///
    /// An efile has one chunk for all times and refuses this option; a handle that only reads has no use for it.
    pub fn max_age(mut self, nanoseconds: u64) -> Options {
        self.max_age = nanoseconds;
        self
    }

    /// Retention by size: as long as the chunks take more bytes on disk than this, the oldest of them goes. 0, the default: however large
    /// they are. What goes, what never does, and when: as with [`max_age`](Self::max_age); besides, it is applied when a log has grown
    /// by 4 MiB, or a 128th of the limit if that is more. The chunk of the present by the clock stays, too.
    ///
    /// [`Stats::chunk_bytes`](crate::Stats::chunk_bytes) counts: the bytes of all logs, exactly, and those of their recon and index files as
    /// far as they can be told without looking at them. Not counted: room set aside ahead of logs that are being written (at most 8 MiB
    /// each), the journal (some KiB), a log that compaction is writing, and files that readers of this process still have open.
    pub fn max_bytes(mut self, bytes: u64) -> Options {
        self.max_bytes = bytes;
        self
    }

    /// How compaction by this handle stores events. Without a word of it a chunk's events stay as they are, those of a compressed chunk
    /// compressed. Once it is said, chunks that get no more events in order are also compacted for being compressed, by themselves if they
    /// are not very small; and [`Store::compact`](crate::Store::compact) compacts chunks anew that are stored in another way, so that
    /// [`Compression::None`] gives them back uncompressed. Opening fails with [`Error::MissingFeature`] where this build lacks the compression.
    pub fn compression(mut self, compression: Compression) -> Options {
        self.compression = Some(compression);
        self
    }

    /// Receives messages about this store; see [`LogFn`].
    pub fn log(mut self, log: impl Fn(Level, &str) + Send + Sync + 'static) -> Options {
        self.log = Some(Arc::new(log));
        self
    }

    /// The disk to work on: the real one unless a test says otherwise.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Options {
        self.disk = disk;
        self
    }

    /// The clock to go by: the real one unless a test says otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Options {
        self.clock = clock;
        self
    }

    /// See [`Sizes`].
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub fn sizes(mut self, sizes: Sizes) -> Options {
        self.sizes = sizes;
        self
    }

    /// Whether old chunks are to go by themselves.
    pub(crate) fn retains(&self) -> bool {
        self.max_age > 0 || self.max_bytes > 0
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.file_size == Some(0) {
            return Err(Error::invalid("file_size must be at least 1"));
        }
        if self.max_event_len > LARGEST_EVENT_LEN {
            return Err(Error::invalid(format!("max_event_len must be at most {LARGEST_EVENT_LEN}, not {}", self.max_event_len)));
        }
        if self.max_new_chunks == 0 {
            return Err(Error::invalid("max_new_chunks must be at least 1"));
        }
        if self.max_open_logs == 0 {
            return Err(Error::invalid("max_open_logs must be at least 1"));
        }
        if self.buffer_len == 0 {
            return Err(Error::invalid("the buffer must hold at least 1 byte"));
        }
        if let Some(compression) = self.compression {
            compression.check_built()?;
        }
        if self.durability == Durability::Interval(0) {
            return Err(Error::invalid("the interval of syncs must be at least 1 ns; Power syncs every append"));
        }
        Ok(())
    }
}
