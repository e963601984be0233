//! Many chunks as one store: who may write, what a batch is, what a reader sees.
//!
//! ```text
//!   Store, Efile      what users hold                                   Reader      what they read with
//!        └──────┬─────────────────────────────────────────────────────────┘
//!               v
//!             Core ── View (a short lock): chunks, the seq S that readers see, the horizon        chunks, read
//!               ├──── Writer (a lock held while a batch is written): journal, next seq, buffer     writer
//!               ├──── the turn to sync: one thread syncs for all that wait                         sync
//!               ├──── threads for what is due by time, to compact, and to remove what is old       background, compact, retain
//!               └──── those who wait for news, in this process or another                          followers, tail
//! ```
//!
//! A reader takes a [`View`] once and from then on sees exactly the events up to its seq; it never waits for a writer, except that opening
//! one hands the buffer of `BUFFERED` to the system first. Locks are taken in this order: maintenance, the turn to sync, the writer, the
//! view, a chunk.

use std::ops::{ControlFlow, RangeBounds};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::disk::{Folder, process};
use crate::efile;
use crate::efile::read::Spare;
use crate::error::{Error, Result};
use crate::event::AsEvent;
use crate::options::{Durability, Level, Options};
use crate::repair::digest::Digest;
use crate::repair::exchange::Exchange;
use crate::repair::parcel::{self, Export};
use crate::repair::splits::Splits;
use crate::repair::union::{RepairOptions, Repaired};
use crate::threads::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::threads::{FairMutex, Mutex, lock};

mod absent;
mod background;
mod chunks;
mod compact;
mod follow;
mod followers;
mod journal;
mod lockfile;
mod open;
mod read;
mod replicas;
mod retain;
mod retention;
mod settings;
mod snapshot;
mod stats;
mod sync;
mod tail;
mod verify;
mod writer;

pub(crate) use settings::Settings;

use background::Background;
use chunks::{Loaded, View};
use settings::StoreKind;
use writer::{Absent, Writer};

pub use compact::{Compacted, Progress};
pub use read::{ReadOptions, Reader};
pub use retain::{RetainOptions, Retained};
pub use snapshot::Snapshot;
pub use stats::Stats;
pub use tail::{Tail, TailBatch, Tailed};
pub use verify::{Finding, Verified};
pub use writer::Appended;

/// What all handles and readers of one open store share.
pub(crate) struct Core {
    folder: Folder,
    settings: Settings,
    options: Options,
    /// What the chunks share.
    chunk_shared: Arc<efile::Shared>,
    view: Mutex<View>,
    /// `None` in a store that was opened for reading only, and after closing.
    writer: FairMutex<Option<Writer>>,
    /// Held by the thread that syncs.
    sync_turn: sync::Turn,
    /// The last seq that was given out; ahead of the view while events are in the buffer.
    issued: AtomicU64,
    /// Everything up to this seq survives loss of power.
    durable: AtomicU64,
    /// Why the writer stopped.
    poison: OnceLock<String>,
    closed: AtomicBool,
    /// Closing has begun: what takes long is to end.
    closing: AtomicBool,
    /// Held by whoever puts new files in the place of old ones, without changing what they hold.
    maintenance: Mutex<()>,
    /// Of a handle that only reads.
    follow: Mutex<follow::Follow>,
    /// Chunks whose indexes and files readers have loaded.
    loaded: Mutex<Loaded>,
    spare: Spare,
    followers: followers::Followers,
    background: Background,
    compactor: Background,
    retainer: Background,
    /// What time it is for retention.
    present: Mutex<retain::Present>,
    /// Looks for news in a handle that only reads.
    follower: Background,
    /// What happened through this handle.
    counters: Counters,
    /// The fork generation that opened it.
    forks: u32,
}

#[derive(Default)]
struct Counters {
    expired: AtomicU64,
    present: AtomicU64,
    recovered: AtomicU64,
    cut: AtomicU64,
    removed_chunks: AtomicU64,
}

impl Core {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn say(&self, level: Level, message: &str) {
        self.chunk_shared.say(level, message);
    }

    /// Refuses calls where they would wait for ever: in a forked child, where locks may be held by threads that it doesn't have, and in the
    /// receiver of a message of this store, which may be sent under locks.
    fn check_callable(&self) -> Result<()> {
        if self.forks != process::forks() {
            return Err(Error::Forked { path: self.path().to_owned() });
        }
        if self.is_being_received() {
            return Err(Error::invalid(format!("{}: the receiver of its message calls the store", self.path().display())));
        }
        Ok(())
    }

    /// Whether the calling thread is in the receiver of a message of this store.
    #[inline(always)]
    fn is_being_received(&self) -> bool {
        self.chunk_shared.messages.is_being_received()
    }

    /// Refuses calls on a handle that can't be used any more.
    fn check_open(&self) -> Result<()> {
        self.check_callable()?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed { path: self.path().to_owned() });
        }
        Ok(())
    }

    /// Refuses calls that change something where that can't be.
    fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if !self.chunk_shared.writable {
            return Err(Error::ReadOnly { path: self.path().to_owned() });
        }
        match self.stopped() {
            Some(cause) => Err(Error::Poisoned { path: self.path().to_owned(), cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// Why the writer stopped, if it has.
    fn stopped(&self) -> Option<&String> {
        // Whoever found that may have had no way to say so.
        if self.folder.is_lost() && self.poison.get().is_none() {
            self.poison(&Error::Gone { path: self.path().to_owned() });
        }
        self.poison.get()
    }

    /// Stops the writer if the folder at its path is another one by now. Before anything that changes files by their names: each of these
    /// calls asks again for itself, but not all of them can tell.
    fn check_place(&self) -> Result<()> {
        self.folder.check_claim().map_err(|e| if self.folder.is_lost() { self.stop(e) } else { e })
    }

    /// Stops the writer for good; answers what to tell the caller.
    fn stop(&self, cause: Error) -> Error {
        self.poison(&cause);
        cause.past_undoing()
    }

    /// Stops the writer for good if names of files may be lost, whoever called for the sync of the folder that failed; answers what to tell
    /// the caller.
    fn stop_if_names_are_lost(&self, cause: Error) -> Error {
        if self.folder.sync_has_failed() { self.stop(cause) } else { cause }
    }

    /// Stops the writer for good.
    fn poison(&self, cause: &Error) {
        if self.poison.set(cause.to_string()).is_ok() {
            self.say(Level::Error, &format!("the writer stops: {cause}"));
        }
    }

    fn durable_seq(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The last seq that was given to an event.
    fn last_seq(&self) -> u64 {
        self.issued.load(Ordering::Acquire)
    }

    /// See [`Fact::Session`](journal::Fact::Session).
    fn branch(&self) -> u64 {
        lock(&self.view).branch
    }

    /// The last seq that readers see.
    fn visible_seq(&self) -> u64 {
        lock(&self.view).seq
    }
}

/// The inclusive bounds of a range; `None` if it is empty.
fn bounds(range: &impl RangeBounds<u64>) -> Result<Option<(u64, u64)>> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = match range.start_bound() {
        Included(&start) => Some(start),
        Excluded(&start) => start.checked_add(1),
        Unbounded => Some(0),
    };
    let (end, half_open) = match range.end_bound() {
        Included(&end) => (Some(end), false),
        Excluded(&end) => (end.checked_sub(1), true),
        Unbounded => (Some(u64::MAX), false),
    };
    match (start, end) {
        (Some(start), Some(end)) if start <= end => Ok(Some((start, end))),
        // 5..5 is empty, 7..=5 and 7..5 are mistakes.
        (Some(start), end) if half_open && end.is_none_or(|end| end + 1 == start) => match end {
            None if start > 0 => Err(Error::EndBeforeStart { start, end: 0 }),
            _ => Ok(None),
        },
        (Some(start), Some(end)) => Err(Error::EndBeforeStart { start, end }),
        _ => Ok(None),
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        pub struct $name {
            core: Arc<Core>,
        }

        impl $name {
            /// Opens, or creates, what is in the folder `path`. Recovers first if the last writer did not close it.
            ///
            /// Errors: see [`Mode`](crate::Mode) for what each mode refuses; [`Error::Locked`] if another writer has it open;
            /// [`Error::NotAFolder`], [`Error::NotAStore`], [`Error::ForeignFiles`], [`Error::Settings`], [`Error::NewerFormat`],
            /// [`Error::Corrupt`], [`Error::Permission`], [`Error::Io`].
            pub fn open(path: impl AsRef<Path>, options: Options) -> Result<$name> {
                Ok($name { core: open::open(path.as_ref(), $kind, options)? })
            }

            /// Removes a closed store with all of its files, and the folder if nothing else is in it. Files of others stay.
            ///
            /// Errors: [`Error::NotFound`], [`Error::NotAStore`], [`Error::Locked`], and what the system says.
            pub fn destroy(path: impl AsRef<Path>, options: Options) -> Result<()> {
                retention::destroy(path.as_ref(), $kind, &options)
            }

            /// The folder.
            pub fn path(&self) -> &Path {
                self.core.path()
            }

            /// Setting: an event is late when it lies more than this behind the newest of its chunk; see [`Options::grace`].
            pub fn grace(&self) -> u64 {
                self.core.settings.grace
            }

            /// Stores a batch of events, in any order, and answers the last seq of the store. What is then safe depends on the
            /// [`Durability`]. Readers see the whole batch or nothing of it. A batch of none does nothing.
            ///
            /// Errors: [`Error::TooLarge`], [`Error::TooManyChunks`], [`Error::NoSpace`]: nothing was stored, and appending may go on.
            /// [`Error::OutcomeUnknown`]: a write failed half-way; the handle refuses appends from then on ([`Error::Poisoned`]).
            pub fn append<E: AsEvent>(&self, events: &[E]) -> Result<u64> {
                self.core.append(events, None).map(|appended| appended.last_seq)
            }

            /// As [`append`](Self::append), but leaves out events that are there already, or twice in the batch, by time, id and data.
            ///
            /// Errors: also [`Error::Corrupt`] where damage may hide one of them; nothing was stored.
            pub fn append_absent<E: AsEvent>(&self, events: &[E]) -> Result<Appended> {
                self.core.append(events, Some(Absent::default()))
            }

            /// Reads the events of a time range in order of time, equal times in order of arrival.
            ///
            /// The reader shows the store as it is now, whatever is appended or deleted later; it may outlive the handle.
            pub fn read(&self, range: impl RangeBounds<u64>) -> Result<Reader> {
                self.read_with(range, ReadOptions::new())
            }

            /// Reads with options: backwards, with a limit, or only the last events.
            pub fn read_with(&self, range: impl RangeBounds<u64>, options: ReadOptions) -> Result<Reader> {
                Reader::new(&self.core, bounds(&range)?, options)
            }

            /// Follows the store from a cursor on: gives every event with a larger seq than `after`, in order of arrival, and waits for more.
            /// 0 begins with the first event there ever was, [`last_seq`](Self::last_seq) with the next one to come. The seq of the last
            /// event that was handled is all that needs to be kept to go on another time, in this process or another.
            ///
            /// Errors: [`Error::Invalid`] for a seq that no event can have had yet, that is one beyond the last event, unless events with such
            /// seqs may have been lost with power; and those of [`Tail::next_batch`].
            pub fn tail(&self, after: u64) -> Result<Tail> {
                Tail::new(&self.core, after)
            }

            /// Counts the events of a time range, exactly.
            pub fn count(&self, range: impl RangeBounds<u64>) -> Result<u64> {
                self.core.count(bounds(&range)?)
            }

            /// Makes everything appended so far survive loss of power; answers the durable seq.
            pub fn sync(&self) -> Result<u64> {
                self.core.sync()
            }

            /// The last seq that was given to an event; of a handle that only reads, the last that it can show.
            pub fn last_seq(&self) -> u64 {
                self.core.look_for_news();
                self.core.last_seq()
            }

            /// Everything up to this seq survives loss of power.
            pub fn durable_seq(&self) -> u64 {
                self.core.look_for_news();
                self.core.durable_seq()
            }

            /// Numbers about the store.
            pub fn stats(&self) -> Result<Stats> {
                self.core.stats()
            }

            /// Looks at every byte of the store: all checksums, the order of events, and whether files agree with each other. Each finding
            /// goes to `receiver` as it is found; if that answers [`ControlFlow::Break`], the walk ends there.
            ///
            /// May be called while others append and read, in this process and beside the writer in another: an append in progress is not
            /// taken for damage. What is in the buffer of [`Durability::Buffered`] is not looked at. Nothing is changed. That the
            /// store is damaged is no error of this call; an error means that it could not be looked at at all.
            pub fn verify(&self, receiver: impl FnMut(Finding) -> ControlFlow<()>) -> Result<Verified> {
                self.verify_telling(receiver, |_| ControlFlow::Continue(()))
            }

            /// As [`verify`](Self::verify), and tells `progress` now and then how far it has come; if that answers
            /// [`ControlFlow::Break`], the walk ends there, too. Both may call the store.
            pub fn verify_telling(
                &self,
                receiver: impl FnMut(Finding) -> ControlFlow<()>,
                progress: impl FnMut(Progress) -> ControlFlow<()>,
            ) -> Result<Verified> {
                self.core.verify(receiver, progress)
            }

            /// Merges the logs of each chunk of a time range into one: sorted, in full frames, with nothing late any more. Reading it takes
            /// less, and so does keeping it. Chunks that are so already are left alone. Appends and readers go on meanwhile.
            ///
            /// `receiver` is told now and then how far it has come; if it answers [`ControlFlow::Break`], the chunk in work stays as
            /// it was, and it ends there. It must not call the store.
            ///
            /// Errors: [`Error::NoSpace`], where nothing is lost; [`Error::Corrupt`] for a damaged chunk, which stays as it is: the others
            /// are compacted before that is reported; [`Error::Closed`] if another thread closes the store meanwhile.
            pub fn compact(&self, range: impl RangeBounds<u64>, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Compacted> {
                self.core.compact(bounds(&range)?, receiver)
            }

            /// Makes a copy of the store, as it is at one moment, in another folder, while appends, compaction, deletes and readers go on.
            /// What it returns from is durable, and a store like any other: it can be read, and be opened for writing, from when on
            /// it is a store of its own. Also from a handle that only reads, beside a writer in another process.
            ///
            /// The folder is made if it is not there. It may be empty, or hold an earlier snapshot of the same store that nobody has written
            /// to: then only what is new is copied, and whatever happens meanwhile it is the earlier snapshot or the new one. Logs that
            /// compaction made, which nobody changes any more, are not copied where the file system can give a file a second name.
            ///
            /// All that is copied is looked at. Damage is copied too, and counted in [`Snapshot::damaged`]; what has only got a second name
            /// is not looked at.
            ///
            /// `receiver` is told now and then how far it has come; if it answers [`ControlFlow::Break`], the folder is left as it was. It
            /// must not call the store.
            ///
            /// Errors, all of which leave the folder as it was: [`Error::Exists`] if there is a store that is no earlier snapshot of this one, or
            /// one that is or was open for writing, [`Error::ForeignFiles`], [`Error::NotAFolder`], [`Error::Invalid`] for the store's own
            /// folder or one in it, [`Error::Locked`] if another snapshot is being made there, [`Error::NoSpace`], [`Error::Permission`], [`Error::Io`];
            /// [`Error::Closed`] if another thread closes the store meanwhile, [`Error::Gone`] if it was destroyed, and [`Error::Poisoned`].
            pub fn snapshot(&self, path: impl AsRef<Path>, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Snapshot> {
                self.core.snapshot(path.as_ref(), receiver)
            }

            /// What a time range holds, in buckets of `width` nanoseconds: of each how many events, by identity (time, id and data), and a
            /// sum of their hashes. Equal sets of events have equal digests, however they were appended and whatever has become of their
            /// files. With an excluded end the range ends one before it. Takes about two scans of the range.
            ///
            /// Errors: [`Error::Invalid`] for a width of 0, for more than a million buckets and for a range without times;
            /// [`Error::MissingFeature`] in a build without the feature `digest`; and those of reading.
            pub fn digest(&self, range: impl RangeBounds<u64>, width: u64) -> Result<Digest> {
                self.core.digest(bounds(&range)?, width, |_| ())
            }

            /// As [`digest`](Self::digest), and tells `progress` now and then how many events were read, of how many. It may call the store.
            pub fn digest_telling(&self, range: impl RangeBounds<u64>, width: u64, progress: impl FnMut(Progress)) -> Result<Digest> {
                self.core.digest_telling(bounds(&range)?, width, progress)
            }

            /// Brings this store what it lacks of the events that `from` has in a time range, both being open here; with
            /// [`RepairOptions::both_ways`] `from` is given what it lacks, too. Two events are the same if time, id and data are.
            /// Nothing is doubled, and what one of them has deleted is not brought back.
            ///
            /// The two are as they are when it begins, and are read once; appends may go on meanwhile. It can be stopped, or fail, at any
            /// point, and be done again: what was copied stays, and a second time nothing is. Their `file_size` and `grace` may differ.
            ///
            /// `receiver` is told now and then how far it has come; if it answers [`ControlFlow::Break`], it ends there. It must not call
            /// the stores.
            ///
            /// Events in damaged frames are not there, in either of them: those of `from` are not copied, and told by [`Repaired::gaps`];
            /// those of this store are brought anew if `from` has them, and told by [`Repaired::own_gaps`]. The damage itself stays, and
            /// reading goes on to meet it; what could be had again is had by [salvaging](ReadOptions::salvage), or by exporting so into a
            /// new store. What the system fails to read of a store that is to be given events is an error, since it may be there another
            /// time. Otherwise the errors are those of reading and of [`append_absent`](Self::append_absent).
            pub fn repair(
                &self,
                from: &$name,
                range: impl RangeBounds<u64>,
                options: RepairOptions,
                receiver: impl FnMut(Progress) -> ControlFlow<()>,
            ) -> Result<Repaired> {
                replicas::repair(&self.core, &from.core, bounds(&range)?, options, receiver)
            }

            /// Begins to bring this store what it lacks of the events that another one has in a time range, which is somewhere else:
            /// see [`Exchange`]. With [`RepairOptions::both_ways`] the other is given what it lacks, too. Two stores that differ by one event
            /// among 100 million find it with a few messages of some kilobytes. Damage on either side is as in [`repair`](Self::repair).
            ///
            /// Errors: [`Error::MissingFeature`] in a build without the feature `digest`; [`Error::ReadOnly`]; and those of reading.
            pub fn exchange(&self, range: impl RangeBounds<u64>, options: RepairOptions) -> Result<Exchange> {
                self.core.exchange(bounds(&range)?, options)
            }

            /// Answers a message of an [`Exchange`] elsewhere. Nothing is remembered from one message to the next.
            ///
            /// Errors: [`Error::Corrupt`] for bytes that are no such message, or were cut or changed: nothing was stored.
            /// [`Error::ReadOnly`] for a store that was opened for reading only, if it is to be given something. Otherwise those of reading
            /// and of [`append_absent`](Self::append_absent).
            pub fn answer(&self, request: &[u8]) -> Result<Vec<u8>> {
                self.core.answer(request)
            }

            /// The events of a time range as bytes to be carried elsewhere, for [`import`](Self::import).
            pub fn export(&self, range: impl RangeBounds<u64>, options: ReadOptions) -> Result<Export> {
                self.read_with(range, options).map(Export::new)
            }

            /// Appends the events of a parcel that [`export`](Self::export) has made, those that are not there yet, as one batch. A parcel
            /// that is not whole is refused. An event in a damaged frame of this store is not there.
            ///
            /// Errors: [`Error::Corrupt`] for bytes that are no parcel, or were cut or changed: nothing was stored. Otherwise as
            /// [`append_absent`](Self::append_absent).
            pub fn import(&self, parcel: &[u8]) -> Result<Appended> {
                self.core.check_writable()?;
                self.core.append(&parcel::unpack(parcel)?, Some(Absent::OR_DAMAGED))
            }

            /// Does what tells the caller something, during which the store can't be closed.
            pub(crate) fn while_telling<T>(&self, tell: impl FnOnce() -> T) -> T {
                self.core.chunk_shared.messages.while_telling(tell)
            }

            /// Whether the calling thread is in the receiver of a message of this store.
            pub(crate) fn is_being_received(&self) -> bool {
                self.core.is_being_received()
            }

            /// Does what is due by time: for handles that were opened with [`Options::background`] off. One that only reads looks whether
            /// there is something for its tails.
            pub fn tick(&self) -> Result<()> {
                self.core.tick()
            }

            /// Flushes, syncs, and gives up the lock. Calls after it are [`Error::Closed`], but readers that are open go on. Closing
            /// again does nothing. Dropping the handle closes it too, but can't report failure.
            pub fn close(&self) -> Result<()> {
                self.core.close()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if let Err(e) = self.core.close() {
                    self.core.say(Level::Error, &format!("closing failed: {e}"));
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("path", &self.path()).finish_non_exhaustive()
            }
        }
    };
}

handle! {
    /// An event store: a folder with one file set for each `file_size` of time.
    ///
    /// All methods may be called from any number of threads at once. A forked child must not use its parent's handle:
    /// every call is [`Error::Forked`].
    Store, StoreKind::Estore
}

handle! {
    /// The simple store: one file set for all times, without deleting. Otherwise a [`Store`].
    Efile, StoreKind::Efile
}

impl Store {
    /// Setting: the time range of one chunk; see [`Options::file_size`].
    pub fn file_size(&self) -> u64 {
        self.core.settings.file_size
    }

    /// Deletes all events with a time before `time`, for good and durably: reads and counts start at `time` at once, file sets that
    /// lie wholly before it are removed, and later appends before it are left out (and counted in [`Stats::expired`]). Readers that are
    /// open keep what they show. Deleting before an earlier time than the last does nothing.
    pub fn delete_before(&self, time: u64) -> Result<()> {
        self.core.delete_before(time)
    }

    /// Applies retention now: removes whole chunks, oldest first, that are older than a greatest age or with which the store takes
    /// more than a greatest size; those of the store's options ([`Options::max_age`], [`Options::max_bytes`], which say what is never
    /// removed), or others for this once. Answers what it has removed, or only what it would
    /// ([`RetainOptions::dry_run`]). Works on a full disk.
    ///
    /// Errors: [`Error::ReadOnly`], [`Error::Poisoned`], [`Error::Closed`], and [`Error::Io`].
    pub fn retain(&self, options: RetainOptions) -> Result<Retained> {
        self.core.retain(options)
    }

    /// Cuts a time range at chunk borders: the unit for placing a store on several machines.
    pub fn splits(&self, range: impl RangeBounds<u64>) -> Result<Splits> {
        self.core.check_open()?;
        Ok(Splits::new(self.core.settings, bounds(&range)?))
    }
}

impl Durability {
    /// How often something is due by time; `None` where nothing ever is.
    fn period(self, options: &Options) -> Option<u64> {
        match self {
            Durability::Interval(period) => Some(period),
            Durability::Buffered => Some(options.buffer_ns),
            Durability::Process | Durability::Power => None,
        }
    }
}
