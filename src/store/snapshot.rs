//! Snapshots: a copy of the store as it is at one moment, in another folder, while everything goes on.
//!
//! ```text
//!   under the writer's lock, short    S, and of each log what it is at S: the moment
//!   without a lock, long              each log into the folder, up to what it is at S, synced      a second name, or a copy, looked at
//!        └ one is gone?               compacted or deleted meanwhile: a new moment; what is copied stays and grows
//!   at the end                        the folder is synced, then a journal for it: from here on it is the snapshot
//!                                     files that the snapshot does not have go, derived files are made
//! ```
//!
//! A folder that had nothing in it has the file `snapshot.new` from the start, and its settings come last, which make it a store. One with
//! an earlier snapshot is that until the new journal takes the place of the old one: new logs are files that the old journal does not
//! know, and those that have grown are longer than it says, at which nobody looks who opens a snapshot for reading. Opening it for writing
//! removes both first.
//!
//! What the two have in common is told by the instance of a log, by its last frame, and by the branch: a store that was made of a snapshot
//! goes its own way, with the same seqs for other events.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Access, Folder, Handle, Kind, Lock, retry};
use crate::efile::log::{LOG_HEADER_LEN, LogHeader, LogId, Stretch, Walk};
use crate::efile::{self, Chunk, LogSummary};
use crate::error::{Error, Result};
use crate::options::Level;
use crate::planted::{self, Bug};
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::chunks::View;
use super::compact::Progress;
use super::journal::{self, Fact, Facts, Journal, Record};
use super::settings::{self, Settings};
use super::{Core, lockfile};

/// The file that tells a folder in which a snapshot is being made from a damaged store.
pub(super) const MARK: &str = "snapshot.new";
/// So much is copied at once.
const COPY_LEN: usize = 1 << 20;
/// So often a new moment is taken since a log was gone; from then on the writing process lets compaction wait.
const MOMENTS_BESIDE_COMPACTION: usize = 8;
/// And so often in all.
const MOST_MOMENTS: usize = 256;

/// What a snapshot is, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// It shows the store as it was when this was the last seq: where to [`tail`](crate::Store::tail) from after reading it.
    pub seq: u64,
    /// Events in the logs of the snapshot, with those before the horizon in chunks that are not deleted as a whole.
    pub events: u64,
    /// Bytes of logs that were copied.
    pub bytes_copied: u64,
    /// Bytes of logs that share their place on disk with those of the store.
    pub bytes_linked: u64,
    /// Bytes of logs that an earlier snapshot in the folder had already.
    pub bytes_kept: u64,
    /// Stretches of the logs that are damaged in the store, and so in the snapshot, of those that were looked at.
    pub damaged: u64,
    /// Its receiver stopped it: the folder is as it was.
    pub stopped: bool,
}

/// The store at one moment. As long as it is kept the files of deleted chunks stay, in the process that writes.
struct Moment {
    view: View,
    logs: Vec<LogSummary>,
    next_seq: u64,
}

impl Moment {
    /// The chunks, with the logs of each.
    fn by_chunk(&self) -> impl Iterator<Item = (u64, &[LogSummary])> + Clone {
        let chunks = self.logs.chunk_by(|one, other| one.id.chunk == other.id.chunk);
        chunks.filter_map(|logs| Some((logs.first()?.id.chunk, logs)))
    }

    fn records(&self) -> impl Iterator<Item = Record> {
        let View { seq, horizon, removed, branch, .. } = self.view;
        let horizon = (horizon > 0 || removed > 0).then_some(Fact::Horizon { time: horizon, removed });
        let close = Fact::Close { next_seq: self.next_seq, branch };
        let facts = horizon.into_iter().chain(self.logs.iter().copied().map(Fact::at_rest)).chain([close]);
        facts.map(move |fact| Record { fact, committed: seq, durable: seq })
    }
}

/// What became of a log that was to be in the snapshot.
enum Taken {
    Done,
    /// It is not there any more.
    Missing,
}

/// Why a snapshot ends early.
enum Ended {
    Stopped,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(e: Error) -> Ended {
        Ended::Failed(e)
    }
}

/// Is told how many bytes of a log are done, of how many.
type GoOn<'a> = dyn FnMut(&LogSummary, u64) -> Result<(), Ended> + 'a;

impl Core {
    /// See [`Store::snapshot`](crate::Store::snapshot).
    pub(super) fn snapshot(&self, path: &Path, mut receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Snapshot> {
        self.check_open()?;
        self.check_place()?;
        self.check_apart(path)?;
        let mut target = Target::claim(self, path)?;
        let mut tell = |progress: Progress| self.chunk_shared.messages.while_telling(|| receiver(progress));
        let mut snapshot = Snapshot::default();
        let mut fill = |target: &mut Target| -> Result<Moment, Ended> {
            // Not before the folder is claimed: meanwhile another thread may leave a later snapshot there.
            let mut moment = self.moment()?;
            self.fill(target, &mut moment, &mut snapshot, &mut tell)?;
            target.publish(self, &moment)?;
            Ok(moment)
        };
        let moment = match fill(&mut target) {
            Ok(moment) => moment,
            Err(ended) => {
                target.undo();
                return match ended {
                    Ended::Stopped => Ok(Snapshot { stopped: true, ..Snapshot::default() }),
                    Ended::Failed(e) => Err(e),
                };
            }
        };
        target.tidy(self, &moment);
        let of_all = |counts: &BTreeMap<LogId, u64>| {
            moment.logs.iter().filter_map(|log| counts.get(&log.id)).fold(0, |sum: u64, count| sum.saturating_add(*count))
        };
        (snapshot.bytes_kept, snapshot.damaged) = (of_all(&target.kept), of_all(&target.damaged));
        if snapshot.damaged > 0 {
            let what = format!("{} stretches of its logs are damaged in the store, and so in the snapshot", snapshot.damaged);
            self.say(Level::Error, &format!("{}: {what}", path.display()));
        }
        snapshot.seq = moment.view.seq;
        snapshot.events = moment.logs.iter().fold(0, |sum, log| log.totals.count.saturating_add(sum));
        Ok(snapshot)
    }

    /// The store as it is now, all of it durable, so that it does not lose what the snapshot has.
    fn moment(&self) -> Result<Moment> {
        if self.chunk_shared.writable {
            let moment = {
                let mut guard = self.writer.lock();
                // Of a writer that has stopped nobody knows what it has. What the logs have, a handle that only reads can save.
                let writer = self.writer_of(&mut guard)?;
                if !planted::has(Bug::SnapshotWithoutBuffer) {
                    self.flush(writer)?;
                }
                self.moment_of(lock(&self.view).clone(), writer.next_seq)
            };
            self.sync_up_to(moment.view.seq)?;
            return Ok(moment);
        }
        for _ in 0..MOST_MOMENTS {
            self.catch_up()?;
            // Another thread may bring the chunks up to date.
            let _follow = lock(&self.follow);
            let view = lock(&self.view).clone();
            let seq_limit = view.seq_limit;
            let moment = self.moment_of(view, seq_limit);
            // Or one that reads has met a log that compaction made of later ones too.
            if moment.logs.iter().all(|log| log.totals.last_seq <= moment.view.seq) {
                return Ok(moment);
            }
        }
        Err(Error::Gone { path: self.path().to_owned() })
    }

    fn moment_of(&self, view: View, next_seq: u64) -> Moment {
        // Nothing is known of a log without frames, but that one was about to be written to.
        let has_frames = |log: &LogSummary| log.totals.count > 0 || log.len > LOG_HEADER_LEN as u64 || log.instance == 0;
        let logs = view.chunks.values().flat_map(|chunk| chunk.summaries()).filter(has_frames).collect();
        Moment { view, logs, next_seq }
    }

    /// Refuses the store's own folder, and folders in it.
    fn check_apart(&self, path: &Path) -> Result<()> {
        let disk = self.folder.disk();
        let identity = |path: &Path| retry(|| disk.identity(path)).ok();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut at = if identity(path).is_some() { path.to_owned() } else { parent.to_owned() };
        let mut below = None;
        while let Some(found) = identity(&at).filter(|found| below != Some(*found)) {
            if found == self.chunk_shared.identity {
                return Err(Error::invalid(format!("{}: a snapshot can't be in the folder of its store", path.display())));
            }
            below = Some(found);
            at.push("..");
        }
        Ok(())
    }

    /// Puts every log into the folder.
    fn fill(
        &self,
        target: &mut Target,
        moment: &mut Moment,
        snapshot: &mut Snapshot,
        tell: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), Ended> {
        let mut missing = BTreeSet::new();
        let mut maintenance = None;
        for count in 0..MOST_MOMENTS {
            if count > 0 {
                if count >= MOMENTS_BESIDE_COMPACTION && self.chunk_shared.writable && maintenance.is_none() {
                    maintenance = Some(lock(&self.maintenance));
                }
                *moment = self.moment()?;
            }
            target.check_earlier(&moment.view)?;
            let mut progress = Progress { chunks: moment.by_chunk().count() as u64, ..Progress::default() };
            progress.events = moment.logs.iter().fold(0, |sum, log| log.totals.count.saturating_add(sum));
            let mut events_before = 0u64;
            let mut all_there = true;
            let logs = moment.by_chunk().zip(0..).flat_map(|((_, logs), place)| logs.iter().map(move |log| (place, log)));
            for (chunks_done, log) in logs {
                let mut go_on = |log: &LogSummary, done: u64| {
                    if self.closing.load(Ordering::Acquire) {
                        return Err(Ended::Failed(Error::Closed { path: self.path().to_owned() }));
                    }
                    let share = u128::from(log.totals.count) * u128::from(done) / u128::from(log.len.max(1));
                    progress.events_done = events_before.saturating_add(share as u64).min(progress.events);
                    progress.chunks_done = chunks_done;
                    if tell(progress).is_break() { Err(Ended::Stopped) } else { Ok(()) }
                };
                match target.take(&self.folder, log, snapshot, &mut go_on)? {
                    Taken::Done => {}
                    Taken::Missing if missing.insert((log.id, log.instance)) => {
                        all_there = false;
                        break;
                    }
                    // It is still to be there: somebody has removed it who was not to.
                    Taken::Missing => target.is_damaged(log.id, 1),
                }
                events_before = events_before.saturating_add(log.totals.count);
            }
            if all_there {
                return Ok(());
            }
        }
        Err(Ended::Failed(Error::Gone { path: self.path().to_owned() }))
    }
}

/// The folder that a snapshot is made in.
struct Target {
    folder: Folder,
    settings: Settings,
    _lock: Box<dyn Lock>,
    /// The folder was made for it.
    made: bool,
    /// What the earlier snapshot's journal says, and its instance.
    earlier: Option<(Facts, u64)>,
    /// The logs that were put there by now, or made longer: their instance, and how long they are.
    taken: BTreeMap<LogId, (u64, u64)>,
    /// Bytes that the earlier snapshot had of a log.
    kept: BTreeMap<LogId, u64>,
    /// Damaged stretches of a log.
    damaged: BTreeMap<LogId, u64>,
    /// The journal may be that of the new snapshot by now.
    published: bool,
}

/// What is in a folder.
enum Inside {
    Nothing,
    /// What a snapshot left that was cut short.
    Unfinished,
    Earlier(Box<journal::Reading>),
}

impl Target {
    /// Looks whether a snapshot may be made there, takes the lock, and makes the folder if there is none.
    fn claim(core: &Core, path: &Path) -> Result<Target> {
        /// So often the folder, or what is in it, may come or go in the midst of the look: another snapshot into it begins, or ends.
        const MOST_TRIES: usize = 16;
        for _ in 1..MOST_TRIES {
            match Target::try_claim(core, path) {
                Err(Error::ForeignFiles { name, .. }) if is_ours(&name) || name == settings::NAME => {}
                Err(e) if matches!(e.os_error(), Some(libc::ENOENT | libc::EEXIST | libc::ESTALE)) => {}
                other => return other,
            }
        }
        Target::try_claim(core, path)
    }

    fn try_claim(core: &Core, path: &Path) -> Result<Target> {
        let folder = Folder::new(Arc::clone(&core.options.disk), path);
        let made = match folder.kind()? {
            None => {
                retry(|| folder.disk().create_folder(path)).map_err(|e| Error::io("create", path, e))?;
                true
            }
            Some(Kind::Folder) => false,
            Some(_) => return Err(Error::NotAFolder { path: path.to_owned() }),
        };
        // Before the lock file is made, which would be left in somebody's folder.
        let claimed = Target::look(&folder, core).and_then(|_| lockfile::take(&folder)).and_then(|lock| {
            let target = Target {
                folder: folder.clone(),
                settings: core.settings,
                _lock: lock,
                made,
                earlier: None,
                taken: BTreeMap::new(),
                kept: BTreeMap::new(),
                damaged: BTreeMap::new(),
                published: false,
            };
            target.prepare(core)
        });
        claimed.inspect_err(|_| {
            if made {
                let _ = retry(|| folder.disk().remove_folder(path));
            }
        })
    }

    fn prepare(mut self, core: &Core) -> Result<Target> {
        match Target::look(&self.folder, core)? {
            Inside::Earlier(reading) => {
                // The logs are about to be longer than this journal says, and nobody may take that for a doubt. It may have its name in memory
                // only, where the snapshot that made it failed at the very end.
                self.folder.sync()?;
                lockfile::note_durably(&self.folder, reading.instance())?;
                let instance = reading.instance();
                self.earlier = Some((reading.facts, instance));
            }
            inside => {
                let begun = self.begin(matches!(inside, Inside::Unfinished));
                if let Err(e) = begun {
                    self.undo();
                    return Err(e);
                }
            }
        }
        Ok(self)
    }

    fn begin(&self, unfinished: bool) -> Result<()> {
        if unfinished {
            self.remove_ours(false)?;
        }
        self.folder.create_anew(MARK)?.sync()?;
        self.folder.sync()?;
        // The folder's own name has to be durable too, whoever made it.
        let parent = self.folder.path().parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        retry(|| self.folder.disk().sync_folder(parent)).map_err(|e| Error::io("sync", parent, e))
    }

    fn look(folder: &Folder, core: &Core) -> Result<Inside> {
        let path = folder.path().to_owned();
        let exists = |what: &str| Error::Exists { path: path.clone(), what: what.to_owned() };
        if let Some(settings) = Settings::read(folder)? {
            if settings != core.settings {
                return Err(exists("another store is here"));
            }
            let reading = journal::read(folder, settings.store)?;
            if let Some(damage) = reading.damage {
                return Err(damage);
            }
            if !reading.facts.snapshot {
                return Err(exists("this is the store itself, or a snapshot that was opened for writing since"));
            }
            return Ok(Inside::Earlier(Box::new(reading)));
        }
        let names = folder.list()?;
        let unfinished = names.iter().any(|name| name == MARK);
        let foreign = names.iter().find(|name| *name != lockfile::NAME && !(unfinished && is_ours(name.to_str().unwrap_or_default())));
        match foreign {
            Some(foreign) => Err(Error::ForeignFiles { path, name: foreign.to_string_lossy().into_owned() }),
            None if unfinished => Ok(Inside::Unfinished),
            None => Ok(Inside::Nothing),
        }
    }

    /// Refuses a folder with a snapshot of something that this store never was, or is not yet.
    fn check_earlier(&self, now: &View) -> Result<()> {
        let Some((earlier, _)) = &self.earlier else { return Ok(()) };
        if earlier.branch != now.branch {
            return Err(self.other("a snapshot of this store is here, but one of the two was made of another snapshot since"));
        }
        if earlier.committed > now.seq || earlier.horizon > now.horizon {
            return Err(self.other("a later snapshot of this store is here"));
        }
        Ok(())
    }

    fn other(&self, what: &str) -> Error {
        Error::Exists { path: self.folder.path().to_owned(), what: what.to_owned() }
    }

    /// What the earlier snapshot has of a log. Refuses one that the store has lost since.
    fn earlier_of(&self, log: &LogSummary, source: &Handle) -> Result<Option<u64>> {
        let Some((earlier, ..)) = self.earlier.as_ref().and_then(|(facts, _)| facts.logs.get(&log.id)) else { return Ok(None) };
        let Some(file) = self.folder.open_if_there(&log.id.log_name(), Access::Read)? else { return Ok(None) };
        if file.len()? < earlier.len {
            // Damaged, so there is nothing to lose by copying it anew.
            return Ok(None);
        }
        let same = earlier.instance == log.instance
            && match earlier.len.cmp(&log.len) {
                std::cmp::Ordering::Less => self.ends_alike(earlier, &file, source)?,
                std::cmp::Ordering::Equal => earlier.totals == log.totals,
                std::cmp::Ordering::Greater => false,
            };
        if same { Ok(Some(earlier.len)) } else { Err(self.other("a snapshot is here with events that this store has lost since")) }
    }

    /// Whether the last frame that the earlier snapshot has of a log is at its place in the log as it is now. It has seqs that are given
    /// once, so what is before it is the same, too.
    fn ends_alike(&self, earlier: &LogSummary, file: &Handle, source: &Handle) -> Result<bool> {
        let index = efile::index::LogIndex::read(&self.folder, earlier.id, earlier.instance, file, earlier.len);
        let mut last = (index.covered == earlier.len).then(|| index.tail().offset);
        let mut walk = Walk::new(file, earlier.instance, index.covered, earlier.len, false);
        while let Some(stretch) = walk.next()? {
            if let Stretch::Frame(header) = stretch {
                last = Some(header.offset);
            }
        }
        let Some(last) = last.filter(|last| *last >= LOG_HEADER_LEN as u64) else { return Ok(false) };
        let header_of = |file: &Handle| -> Result<[u8; efile::frame::MAX_HEADER_LEN]> {
            let mut bytes = [0; efile::frame::MAX_HEADER_LEN];
            let len = usize::try_from(earlier.len - last.min(earlier.len)).unwrap_or(bytes.len()).min(bytes.len());
            file.read_up_to(bytes.get_mut(..len).unwrap_or_default(), last)?;
            Ok(bytes)
        };
        Ok(header_of(file)? == header_of(source)?)
    }

    /// Puts one log into the folder.
    fn take(&mut self, from: &Folder, log: &LogSummary, snapshot: &mut Snapshot, go_on: &mut GoOn<'_>) -> Result<Taken, Ended> {
        go_on(log, 0)?;
        let name = log.id.log_name();
        let Some(source) = from.open_if_there(&name, Access::Read)? else { return Ok(Taken::Missing) };
        let is_it = |file: &Handle| match LogHeader::read(file) {
            Ok(header) => Ok((header.store, header.id, header.instance) == (self.settings.store, log.id, log.instance)),
            Err(Error::Corrupt { .. } | Error::Io { operation: "read", .. }) => Ok(false),
            Err(e) => Err(e),
        };
        let whole = is_it(&source)?;
        let there = match self.taken.get(&log.id) {
            Some((instance, len)) if *instance == log.instance => Some((*len).min(log.len)),
            Some(_) => None,
            None => {
                let earlier = self.earlier_of(log, &source)?;
                if let Some(len) = earlier {
                    self.kept.insert(log.id, len);
                    if len == log.len {
                        return Ok(Taken::Done);
                    }
                }
                earlier
            }
        };
        if there == Some(log.len) {
            return Ok(Taken::Done);
        }
        if log.is_compacted() && whole && there.is_none() {
            self.folder.remove_if_there(&name)?;
            match self.folder.link_from(from, &name) {
                Ok(()) => {
                    let file = self.folder.open(&name, Access::Read)?;
                    // Meanwhile the name may have become that of another log.
                    if !is_it(&file)? {
                        return Ok(Taken::Missing);
                    }
                    // It should be durable, but a store may have been copied to where it is.
                    file.sync()?;
                    self.copy_index(from, log.id);
                    self.is_damaged(log.id, u64::from(file.len()? < log.len));
                    self.taken.insert(log.id, (log.instance, log.len));
                    snapshot.bytes_linked += log.len;
                    return Ok(Taken::Done);
                }
                Err(e) if e.os_error() == Some(libc::ENOENT) => return Ok(Taken::Missing),
                // Then it is copied.
                Err(_) => {}
            }
        }
        self.copy(log, &source, there, go_on, snapshot)?;
        if there.is_none() {
            self.copy_index(from, log.id);
        }
        // Looked at in the copy, so that a log which was about to go is not taken for a damaged one.
        let copy = self.folder.open(&name, Access::Read)?;
        let mut damaged = u64::from(!whole);
        let mut walk = Walk::new(&copy, log.instance, there.unwrap_or(0).max(LOG_HEADER_LEN as u64), log.len, true);
        while let Some(stretch) = walk.next()? {
            damaged += u64::from(!matches!(stretch, Stretch::Frame(_)));
        }
        self.is_damaged(log.id, damaged);
        Ok(Taken::Done)
    }

    fn is_damaged(&mut self, id: LogId, stretches: u64) {
        *self.damaged.entry(id).or_default() += stretches;
    }

    /// Copies a log up to the length that it has in the snapshot, from where the folder has it on.
    fn copy(
        &mut self,
        log: &LogSummary,
        source: &Handle,
        there: Option<u64>,
        go_on: &mut GoOn<'_>,
        snapshot: &mut Snapshot,
    ) -> Result<(), Ended> {
        let name = log.id.log_name();
        let file = match there {
            Some(_) => self.folder.open(&name, Access::Write)?,
            None => self.folder.create_anew(&name)?,
        };
        let mut at = there.unwrap_or(0);
        self.taken.insert(log.id, (log.instance, at));
        if planted::has(Bug::SnapshotWithoutGrowth) && there.is_some() {
            return Ok(());
        }
        // The length may be a journal's word about a log that has lost some of it.
        file.reserve(at, log.len.min(source.len()?).saturating_sub(at))?;
        let mut buffer = vec![0; usize::try_from(log.len.saturating_sub(at)).unwrap_or(COPY_LEN).min(COPY_LEN)];
        while at < log.len {
            let most = usize::try_from(log.len - at).unwrap_or(COPY_LEN).min(COPY_LEN);
            let found = source.read_what_can_be(buffer.get_mut(..most).unwrap_or_default(), at)?;
            if found == 0 {
                break;
            }
            file.write_all(buffer.get(..found).unwrap_or_default(), at)?;
            at += found as u64;
            snapshot.bytes_copied += found as u64;
            go_on(log, at)?;
        }
        file.truncate(at)?;
        if !planted::has(Bug::SnapshotWithoutSync) {
            file.sync()?;
        }
        self.taken.insert(log.id, (log.instance, log.len));
        Ok(())
    }

    /// Copies the index of a log, which saves walking over it. It is not believed where it does not fit, and may be missing.
    fn copy_index(&self, from: &Folder, id: LogId) {
        let copy = || -> Result<()> {
            let name = id.index_name();
            let Some(source) = from.open_if_there(&name, Access::Read)? else { return Ok(()) };
            let file = self.folder.create_anew(&name)?;
            let mut buffer = vec![0; COPY_LEN];
            let mut at = 0;
            loop {
                let found = source.read_up_to(&mut buffer, at)?;
                file.write_all(buffer.get(..found).unwrap_or_default(), at)?;
                at += found as u64;
                if found < COPY_LEN {
                    return file.sync();
                }
            }
        };
        let _ = copy();
    }

    /// Makes the folder the snapshot.
    fn publish(&mut self, core: &Core, moment: &Moment) -> Result<()> {
        if !planted::has(Bug::SnapshotWithoutNames) {
            self.folder.sync()?;
        }
        self.published = true;
        Journal::create(&self.folder, self.settings.store, moment.records())?;
        if self.earlier.is_none() {
            core.settings.write(&self.folder)?;
        }
        Ok(())
    }

    /// Takes back what was done. What can't be taken back does no harm.
    fn undo(&self) {
        let Some((facts, instance)) = &self.earlier else {
            let _ = self.remove_ours(true);
            if self.made {
                let _ = retry(|| self.folder.disk().remove_folder(self.folder.path()));
            }
            return;
        };
        let is_earlier = || journal::read(&self.folder, self.settings.store).is_ok_and(|reading| reading.instance() == *instance);
        if self.published && !is_earlier() {
            return;
        }
        let _ = cut_excess(&self.folder, facts, false);
        let _ = self.folder.remove_if_there(journal::NEW_NAME);
    }

    /// Removes what a snapshot puts into a folder, or all but what tells that one was begun.
    fn remove_ours(&self, all: bool) -> Result<()> {
        // Without these it is no store, and what is to go then must not go before them.
        if self.folder.remove_if_there(settings::NAME)? {
            self.folder.sync()?;
        }
        for name in self.folder.list()?.iter().filter_map(|name| name.to_str()).filter(|name| is_ours(name) && *name != MARK) {
            self.folder.remove_if_there(name)?;
        }
        if all {
            // Should the power go, no log may be left without it.
            self.folder.sync()?;
            self.folder.remove_if_there(MARK)?;
            self.folder.remove_if_there(lockfile::NAME)?;
        }
        Ok(())
    }

    /// Once the snapshot is there: removes what it does not have, and makes files that are derived from its logs.
    fn tidy(&self, core: &Core, moment: &Moment) {
        let _ = self.folder.remove_if_there(MARK);
        let has: BTreeSet<LogId> = moment.logs.iter().map(|log| log.id).collect();
        for name in self.folder.list().iter().flatten().filter_map(|name| name.to_str()) {
            if LogId::of_name(name).is_some_and(|(id, _)| !has.contains(&id)) {
                let _ = self.folder.remove_if_there(name);
            }
        }
        let Settings { store, grace, .. } = self.settings;
        let Ok(shared) = efile::Shared::new(&self.folder, store, grace, true, &core.options).map(Arc::new) else { return };
        let changed: BTreeSet<u64> = self.taken.keys().map(|id| id.chunk).collect();
        for (number, logs) in moment.by_chunk().filter(|(number, _)| changed.contains(number)) {
            Chunk::new(number, self.settings.chunk_times(number), Arc::clone(&shared), logs.to_vec()).make_files();
        }
    }
}

/// Whether a name is of a file that a snapshot puts into a folder, but for its settings and the lock.
fn is_ours(name: &str) -> bool {
    [MARK, journal::NAME, journal::NEW_NAME, settings::NEW_NAME].contains(&name) || LogId::of_name(name).is_some()
}

/// Removes what a later snapshot into the folder of a snapshot has left there that was cut short: logs that the journal does not know,
/// and what is behind the end of those that it knows.
///
/// Followed by a sync of the folder: what is removed must not come back with a loss of power, once others have been given its seqs.
pub(super) fn remove_excess(folder: &Folder, facts: &Facts) -> Result<()> {
    cut_excess(folder, facts, true)
}

/// `durably`: also what was cut off before, and not synced then.
fn cut_excess(folder: &Folder, facts: &Facts, durably: bool) -> Result<()> {
    for name in folder.list()? {
        let Some((id, suffix)) = name.to_str().and_then(LogId::of_name) else { continue };
        match facts.logs.get(&id) {
            Some((log, ..)) if suffix == "estore" && !log.is_compacted() => {
                let Some(file) = folder.open_if_there(&id.log_name(), Access::Write)? else { continue };
                if file.len()? > log.len {
                    file.truncate(log.len)?;
                }
                if durably {
                    file.sync()?;
                }
            }
            Some(_) => {}
            None => drop(name.to_str().map(|name| folder.remove_if_there(name)).transpose()?),
        }
    }
    Ok(())
}
