//! Opening: finding or making the store, taking the lock, recovering what the last writer left.
//!
//! ```text
//!   folder there? settings there? ── no ──> create: lock, journal, settings (the last, since they make it a store)
//!         │ yes
//!   lock ─> journal ─> logs still active: survey all, settle S and D, cut, sync ─> idle, new session
//! ```
//!
//! A store that was closed has no active logs, so nothing but settings and journal is read, however many chunks there are. For reading
//! only, the same is decided without changing anything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::disk::{Access, Folder, Handle, Kind, Lock, process, retry};
use crate::efile::log::{LogHeader, LogId, Salvage, find_instance};
use crate::efile::read::Spare;
use crate::efile::recover::{Survey, Totals, survey};
use crate::efile::{self, Chunk, LogSummary};
use crate::error::{Error, Result};
use crate::options::{Durability, Level, Mode, Options};
use crate::planted::{self, Bug};
use crate::threads::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::threads::{FairMutex, Mutex};

use super::background::Background;
use super::chunks::{self, ChunkMap, Loaded, View};
use super::follow::Follow;
use super::followers::Followers;
use super::journal::{self, Fact, Facts, Journal, Record};
use super::lockfile;
use super::retain::Present;
use super::settings::{self, Settings, StoreKind};
use super::snapshot;
use super::sync::Turn;
use super::writer::{Buffer, Scratch, Writer};
use super::{Core, Counters};

impl Folder {
    /// What the folder's path is.
    pub(super) fn kind(&self) -> Result<Option<Kind>> {
        retry(|| self.disk().kind(self.path())).map_err(|e| Error::io("look at", self.path(), e))
    }
}

/// Opens or creates a store.
pub(super) fn open(path: &Path, kind: StoreKind, options: Options) -> Result<Arc<Core>> {
    options.check()?;
    if kind == StoreKind::Efile && options.file_size.is_some() {
        return Err(Error::invalid("an efile has one unbounded chunk: file_size can't be set"));
    }
    if kind == StoreKind::Efile && options.retains() {
        return Err(Error::invalid("an efile has one unbounded chunk, which no retention removes: max_age and max_bytes can't be set"));
    }
    let folder = Folder::new(Arc::clone(&options.disk), path);
    let forks = process::forks();
    let found = find(&folder, kind, &options)?;
    let writable = options.mode != Mode::ReadOnly;
    let lock = if writable { Some(lockfile::take(&folder)?) } else { None };
    let folder = if writable { folder.claim(lockfile::NAME)? } else { folder };
    // Before the lock was ours, somebody else may have created or destroyed the store.
    let settings = match (if writable { Settings::read(&folder)? } else { found }, options.mode) {
        (Some(settings), _) => settings,
        (None, Mode::CreateIfMissing | Mode::CreateNew) => create(&folder, kind, &options)?,
        (None, Mode::Existing | Mode::ReadOnly) => return Err(Error::NotFound { path: path.to_owned() }),
    };
    settings.check(kind, &folder, &options)?;

    let chunk_shared = Arc::new(efile::Shared::new(&folder, settings.store, settings.grace, writable, &options)?);
    let opening =
        Opening { folder: &folder, settings, chunk_shared: &chunk_shared, counters: Counters::default(), before: None, durable: 0 };
    let (Opened { view, writer, durable, counters }, follow) = match lock {
        Some(lock) => (opening.run(lock, options.durability == Durability::Buffered)?, Follow::default()),
        None => opening.follow()?,
    };
    let issued = view.seq;
    let present = Mutex::new(Present::new(&*options.clock));
    let core = Arc::new(Core {
        folder,
        settings,
        options,
        chunk_shared,
        view: Mutex::new(view),
        writer: FairMutex::new(writer),
        sync_turn: Turn::default(),
        issued: AtomicU64::new(issued),
        durable: AtomicU64::new(durable),
        poison: OnceLock::new(),
        closed: AtomicBool::new(false),
        closing: AtomicBool::new(false),
        maintenance: Mutex::new(()),
        follow: Mutex::new(follow),
        loaded: Mutex::new(Loaded::default()),
        spare: Spare::default(),
        followers: Followers::default(),
        background: Background::default(),
        compactor: Background::default(),
        retainer: Background::default(),
        present,
        follower: Background::default(),
        counters,
        forks,
    });
    if writable {
        chunks::remember(&core);
    }
    core.start_background()?;
    Ok(core)
}

/// Looks at what is at the path. `None`: nothing that would be in the way of a new store, which the mode allows to make; the folder is there.
fn find(folder: &Folder, kind: StoreKind, options: &Options) -> Result<Option<Settings>> {
    let path = folder.path().to_owned();
    let may_create = matches!(options.mode, Mode::CreateIfMissing | Mode::CreateNew);
    match folder.kind()? {
        None if !may_create => return Err(Error::NotFound { path }),
        None => {
            match retry(|| folder.disk().create_folder(&path)) {
                Ok(()) => {}
                // Somebody else was faster.
                Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
                Err(e) => return Err(Error::io("create", &path, e)),
            }
        }
        Some(Kind::Folder) => {}
        Some(_) => return Err(Error::NotAFolder { path }),
    }
    let mut settings = Settings::read(folder)?;
    let mut names = Vec::new();
    if settings.is_none() {
        names = folder.list()?;
        // Somebody may have made it meanwhile: what was seen in the folder now is younger than its settings.
        settings = Settings::read(folder)?;
    }
    if let Some(settings) = settings {
        if options.mode == Mode::CreateNew {
            return Err(Error::Exists { path, what: "a store is here already".to_owned() });
        }
        settings.check(kind, folder, options)?;
        return Ok(Some(settings));
    }
    if names.iter().any(|name| name == snapshot::MARK) {
        return Err(Error::NotAStore { path, what: "a snapshot was begun here and not finished".to_owned() });
    }
    if let Some(log) = names.iter().filter_map(|name| name.to_str()).find(|name| LogId::of_name(name).is_some()) {
        return Err(Error::corrupt(
            &folder.file_path(settings::NAME),
            0,
            format!("the store's settings are missing, though \"{log}\" is there"),
        ));
    }
    if !may_create {
        return Err(Error::NotAStore { path, what: "it has no file \"estore\"".to_owned() });
    }
    // What a creation that was cut short leaves.
    let unfinished = [lockfile::NAME, journal::NAME, journal::NEW_NAME, settings::NEW_NAME];
    if let Some(foreign) = names.iter().find(|name| !unfinished.iter().any(|ours| name.as_os_str() == *ours)) {
        return Err(Error::ForeignFiles { path, name: foreign.to_string_lossy().into_owned() });
    }
    Ok(None)
}

fn create(folder: &Folder, kind: StoreKind, options: &Options) -> Result<Settings> {
    let settings = Settings::new(kind, folder, options)?;
    // The folder's own name has to be durable too, whoever made it.
    let parent = folder.path().parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Folder::new(Arc::clone(&options.disk), parent).sync()?;
    Journal::create(folder, settings.store, [])?;
    settings.write(folder)?;
    Ok(settings)
}

pub(super) struct Opening<'a> {
    pub(super) folder: &'a Folder,
    pub(super) settings: Settings,
    pub(super) chunk_shared: &'a Arc<efile::Shared>,
    pub(super) counters: Counters,
    /// What this handle showed before, if it is only brought up to date.
    pub(super) before: Option<&'a View>,
    /// What it then knew to be durable.
    pub(super) durable: u64,
}

/// What a look at journal and logs found.
struct Found {
    reading: Option<journal::Reading>,
    /// Where the journal ended, damaged or not, if it could be read.
    journal_end: Option<(u64, u64)>,
    facts: Facts,
    chunks: ChunkMap,
    /// The logs that may grow, each with a seq that nothing written to it since has, nor a smaller one.
    active: Vec<(LogId, u64)>,
    /// The facts before a look at those, but for the logs.
    growing: Facts,
    /// What the journal does not know yet.
    news: Vec<Fact>,
    /// See [`Recovered::missing`].
    missing: bool,
}

/// What is found out about logs that may have grown.
pub(super) struct Recovered {
    /// What the journal does not know yet.
    pub(super) news: Vec<Fact>,
    /// One of them is not there, or has nothing in it.
    pub(super) missing: bool,
    /// Chunks of which nothing is left.
    pub(super) empty: Vec<u64>,
}

/// Where to go on from a look beside a writer.
pub(super) struct Seen {
    /// See [`Found::active`].
    pub(super) active: Vec<(LogId, u64)>,
    /// See [`Found::growing`].
    pub(super) facts: Facts,
    /// Where the journal ended, if it could be read.
    pub(super) journal: Option<journal::Place>,
}

pub(super) struct Opened {
    pub(super) view: View,
    pub(super) writer: Option<Writer>,
    pub(super) durable: u64,
    pub(super) counters: Counters,
}

impl Opening<'_> {
    fn say(&self, level: Level, message: &str) {
        // What a handle has said when it was opened it does not say each time that it is brought up to date.
        if self.before.is_none() {
            self.chunk_shared.say(level, message);
        }
    }

    /// `buffers`: see [`Fact::Session`].
    fn run(self, lock: Box<dyn Lock>, buffers: bool) -> Result<Opened> {
        let Found { reading, mut facts, chunks, news, .. } = self.look(None)?;
        if planted::has(Bug::ReuseSeqs) {
            facts.next_seq = facts.committed + 1;
        }
        let Facts { committed: seq, horizon, removed, .. } = facts;
        // What was opened for writing for the first time goes its own way from here on.
        let branch = if facts.has_session { facts.branch } else { self.folder.random()? };
        let mut view = View {
            chunks: Arc::new(chunks),
            seq,
            horizon,
            removed,
            seq_limit: facts.next_seq,
            branch,
            has_session: Some(true),
            session_start: facts.next_seq,
            appended: None,
        };

        let records = |facts: &Facts, more: &[Fact]| -> Vec<Record> {
            more.iter().map(|&fact| Record { fact, committed: facts.committed, durable: facts.durable }).collect()
        };
        // Where hardly any are left, so that what is there can be read all the same.
        let limit = facts.next_seq.saturating_add(self.chunk_shared.sizes.seq_reserve);
        let session = Fact::Session { start: facts.next_seq, limit, branch, buffers };
        let mut all = vec![session];
        if facts.horizon > 0 {
            all.push(Fact::Horizon { time: facts.horizon, removed: facts.removed });
        }
        all.extend(efile::doomed(self.chunk_shared.store_folder()).into_iter().map(Fact::at_rest));
        all.extend(view.chunks.values().flat_map(|chunk| chunk.summaries()).map(Fact::at_rest));
        let created = Journal::create(self.folder, self.settings.store, records(&facts, &all));
        let (journal, seq_limit) = match (created, &reading) {
            // It has room, so that opening works on a full disk. The first append finds that seqs are yet to be reserved.
            (Err(Error::NoSpace { .. }), Some(reading)) => {
                let mut journal = Journal::resume(self.folder, self.settings.store, reading)?;
                journal.reserve(news.len())?;
                journal.append_durably(&records(&facts, &news))?;
                (journal, facts.next_seq)
            }
            (created, _) => (created?, limit),
        };
        view.seq_limit = seq_limit;
        // Left by an opening or a close that was cut short.
        for name in [journal::NEW_NAME, settings::NEW_NAME, snapshot::MARK] {
            self.folder.remove_if_there(name)?;
        }
        let writer = Writer {
            journal,
            _lock: lock,
            session_start: facts.next_seq,
            next_seq: facts.next_seq,
            seq_limit,
            open: VecDeque::new(),
            parked: Vec::new(),
            folder_changes: 0,
            folder_synced: 0,
            buffer: Buffer::default(),
            dirty_since: None,
            horizon: facts.horizon,
            scratch: Scratch::default(),
        };
        // Everything that counts was synced by recovery or by whoever closed the store.
        Ok(Opened { durable: view.seq, view, writer: Some(writer), counters: self.counters })
    }

    /// Opening without a lock, perhaps beside a writer. What the first look finds to be the last whole batch S is in the logs by the time of
    /// the second look, in every log that it touches; so the second look, cut off at S, is a snapshot.
    pub(super) fn run_beside_writer(&self) -> Result<(Opened, Seen)> {
        loop {
            let first = self.look(None)?;
            if self.has_moved_on(&first)? {
                continue;
            }
            let seq = first.facts.committed;
            // What the first look reported, the second reports again; what it found in logs, the second does not.
            let again = Opening { counters: Counters::default(), durable: first.facts.durable, ..*self };
            let second = again.look(Some(seq))?;
            if self.has_moved_on(&second)? {
                continue;
            }
            let Found { facts, chunks, active, growing, .. } = second;
            let Facts { horizon, removed, next_seq: seq_limit, .. } = facts;
            let (branch, has_session) = match self.before {
                // What was known before a journal was lost is still so.
                Some(before) if facts.found_anew => (before.branch, before.has_session),
                _ => (facts.branch, (!facts.found_anew).then_some(facts.has_session)),
            };
            let session_start = if facts.has_session && !facts.found_anew && !facts.buffers { facts.session_start } else { u64::MAX };
            let view =
                View { chunks: Arc::new(chunks), seq, horizon, removed, seq_limit, branch, has_session, session_start, appended: None };
            let opened = Opened { durable: facts.durable.min(seq), view, writer: None, counters: again.counters };
            // The first one's, so that what was written to it since is news.
            let journal = first.reading.map(journal::Reading::place);
            return Ok((opened, Seen { active, facts: growing, journal }));
        }
    }

    /// Whether logs were deleted or compacted between a look at the journal and one at them. They are to be missing for that, and not
    /// because they happened to be; and what they would have told of whole batches is told elsewhere by now.
    fn has_moved_on(&self, found: &Found) -> Result<bool> {
        if !found.missing {
            return Ok(false);
        }
        let now = match journal::read(self.folder, self.settings.store) {
            // A journal that says what it said then, however that contradicts itself or the logs, is no news.
            Ok(now) if found.journal_end == Some(now.end()) => return Ok(false),
            Ok(now) => now.facts,
            Err(Error::Corrupt { .. }) => return Ok(found.journal_end.is_some()),
            Err(e) => return Err(e),
        };
        Ok(now.horizon > found.facts.horizon || found.facts.logs.keys().any(|id| now.is_replaced(*id)))
    }

    /// Reads the journal and the tails of active logs, decides what counts of them (nothing beyond `snapshot`, if that is given), and in a
    /// store that is opened for writing puts an end to the rest.
    fn look(&self, snapshot: Option<u64>) -> Result<Found> {
        let (reading, damage) = match self.read_journal() {
            Ok(mut reading) => {
                let damage = reading.damage.take();
                (Some(reading), damage)
            }
            Err(e @ Error::Corrupt { .. }) => (None, Some(e)),
            Err(e) => return Err(e),
        };
        let journal_end = reading.as_ref().map(journal::Reading::end);
        let mut facts = reading.as_ref().map(|reading| reading.facts.clone()).unwrap_or_default();
        // Perhaps a copy from earlier, and its word that a log did not grow is worth nothing. Nobody notes that of a snapshot that was only
        // ever read.
        let noted = lockfile::noted(self.folder);
        let doubtful = reading
            .as_ref()
            .is_some_and(|reading| noted != Some(reading.instance()) && !(facts.snapshot && noted.is_none_or(|noted| noted == 0)));
        if let Some(damage) = &damage {
            self.say(Level::Error, &format!("{damage}; what it said is found anew in the logs"));
            facts.logs.clear();
            facts.found_anew = true;
        }
        if self.before.is_some_and(|before| self.is_another(before, &facts)) {
            return Err(Error::Gone { path: self.folder.path().to_owned() });
        }
        if damage.is_some() || !facts.closed || doubtful {
            self.complete_from_logs(&mut facts, doubtful)?;
        } else if facts.snapshot && self.chunk_shared.writable {
            snapshot::remove_excess(self.folder, &facts)?;
        }
        // Facts that were found anew must not be lost with a journal that can't be resumed.
        let reading = reading.filter(|_| damage.is_none());
        if let Some(torn) = reading.as_ref().map(|reading| reading.torn).filter(|&torn| torn > 0) {
            self.say(Level::Warning, &format!("the last {torn} bytes of the journal were not finished"));
        }
        let expired = self.split_expired(&mut facts);

        // Chunks as the journal knows them, and the logs of theirs that may have grown.
        let mut by_chunk: BTreeMap<u64, Vec<LogSummary>> = BTreeMap::new();
        for (id, (summary, _, _)) in &facts.logs {
            by_chunk.entry(id.chunk).or_default().push(*summary);
        }
        let mut chunks: ChunkMap = by_chunk.into_iter().map(|(number, logs)| (number, self.chunk(number, logs))).collect();
        // What was found before, the logs are not asked for again.
        let before = self.before.map_or(0, |before| before.seq);
        facts.committed = facts.committed.max(before).max(snapshot.unwrap_or(0));
        facts.durable = facts.durable.max(self.durable);
        // Of a chunk that was there before more may be known than the journal says.
        let known = |summary: &LogSummary| {
            let chunk = chunks.get(&summary.id.chunk);
            chunk.and_then(|chunk| chunk.summary_of(summary.id)).filter(|known| known.len > summary.len).unwrap_or(*summary)
        };
        let active: Vec<(LogSummary, u64)> =
            facts.logs.values().filter(|(_, active, _)| *active).map(|(summary, _, committed)| (known(summary), *committed)).collect();
        let logs = std::mem::take(&mut facts.logs);
        let growing = facts.clone();
        facts.logs = logs;
        let Recovered { mut news, missing, empty } = self.recover(&chunks, &active, &mut facts, snapshot)?;
        for number in empty {
            chunks.remove(&number);
        }
        news.extend(expired.into_iter().map(Fact::Drop));
        let active = active.into_iter().map(|(summary, committed)| (summary.id, committed)).collect();
        Ok(Found { reading, journal_end, facts, chunks, active, growing, news, missing })
    }

    /// A chunk of these logs: the one that was there before, if it is that.
    fn chunk(&self, number: u64, logs: Vec<LogSummary>) -> Arc<Chunk> {
        let before = self.before.and_then(|before| before.chunks.get(&number));
        match before.filter(|chunk| chunk.renew(&logs)) {
            Some(chunk) => Arc::clone(chunk),
            None => Arc::new(Chunk::new(number, self.settings.chunk_times(number), Arc::clone(self.chunk_shared), logs)),
        }
    }

    fn read_journal(&self) -> Result<journal::Reading> {
        let reading = journal::read(self.folder, self.settings.store)?;
        if reading.facts.closed || !self.chunk_shared.writable {
            return Ok(reading);
        }
        // As with logs: what could not be synced may still be in memory.
        reading.forget()?;
        journal::read(self.folder, self.settings.store)
    }

    /// Takes out the logs of chunks that lie wholly below the horizon, and removes what may be left of their files.
    fn split_expired(&self, facts: &mut Facts) -> Vec<LogId> {
        // Readers of this process may still have some of them; then the files go with the last of those.
        let in_use = efile::doomed(self.chunk_shared.store_folder());
        let summaries = facts.logs.values().map(|(summary, ..)| *summary);
        let expired: Vec<LogSummary> = summaries.filter(|log| self.settings.chunk_end(log.id.chunk) < facts.horizon).collect();
        for log in &expired {
            facts.removed = facts.removed.max(log.totals.last_seq);
            facts.logs.remove(&log.id);
            if self.chunk_shared.writable && !in_use.iter().any(|summary| summary.id == log.id) {
                self.chunk_shared.remove_deleted(log);
            }
        }
        expired.into_iter().map(|log| log.id).collect()
    }

    /// Finds out what counts of the logs that may have grown, and puts an end to what doesn't.
    pub(super) fn recover(
        &self,
        chunks: &ChunkMap,
        active: &[(LogSummary, u64)],
        facts: &mut Facts,
        snapshot: Option<u64>,
    ) -> Result<Recovered> {
        let mut surveys: Vec<(&LogSummary, &Arc<Chunk>, Survey)> = Vec::new();
        // The journal's promise: no seq from here on was given.
        let limit = facts.next_seq;
        for (summary, committed) in active {
            let Some(chunk) = chunks.get(&summary.id.chunk) else { continue };
            let survey = chunk.survey(summary, *committed)?;
            facts.durable = facts.durable.max(survey.durable);
            facts.next_seq = facts.next_seq.max(survey.seq_high.saturating_add(1));
            surveys.push((summary, chunk, survey));
        }
        let newest = surveys.iter().map(|(_, _, survey)| survey.seq_high).max().unwrap_or(0);
        if newest >= limit && !facts.found_anew {
            let name = self.folder.file_path(journal::NAME);
            let what = format!("older than the logs: it knows of seqs below {limit}, they have {newest}. What it lacks was found in them");
            self.say(Level::Error, &format!("{}: {what}, except for what was deleted since", name.display()));
            // Others may have been given since, to events that are lost.
            facts.next_seq = facts.next_seq.saturating_add(self.chunk_shared.sizes.seq_reserve.saturating_mul(2));
        }
        // Where the journal is lost, so is its word of what was durable: then nothing is taken for a torn tail that whole frames come after.
        let (found_anew, known) = (facts.found_anew, facts.durable);
        let durable_in = |survey: &Survey| if found_anew { known.max(survey.last_whole()) } else { known };
        for (_, _, survey) in &surveys {
            // And logs may be lost too, and with them the ends of batches: then parts that are whole have to do.
            let durable = durable_in(survey);
            let committed =
                if found_anew || planted::has(Bug::IgnoreEnd) { survey.committed_here(durable) } else { survey.committed(durable) };
            facts.committed = facts.committed.max(committed);
        }
        let committed = snapshot.map_or(facts.committed, |snapshot| facts.committed.min(snapshot));
        let mut news = Vec::new();
        let mut empty = Vec::new();
        let mut missing = false;
        for (before, chunk, survey) in surveys {
            let settled = survey.settle(committed, durable_in(&survey));
            let name = before.id.log_name();
            for damage in &settled.damage {
                self.say(Level::Error, &format!("{name}: damaged at byte {}: {} bytes: {}", damage.offset, damage.len, damage.what));
            }
            if settled.cut > 0 {
                let why = settled.torn.map_or("a batch was not finished".to_owned(), |what| format!("a torn tail, or damage: {what}"));
                let verb = if self.chunk_shared.writable { "were cut and kept aside" } else { "are not shown" };
                self.say(Level::Warning, &format!("{name}: {} bytes from byte {} on {verb}: {why}", settled.cut, settled.len));
                self.counters.cut.fetch_add(settled.cut, Ordering::Relaxed);
            }
            match chunk.settle(before.id, &settled)? {
                Some(after) => {
                    missing |= after.instance == 0;
                    let found = after.totals.count.saturating_sub(before.totals.count);
                    self.counters.recovered.fetch_add(found, Ordering::Relaxed);
                    news.push(Fact::Idle(after));
                }
                None => {
                    missing = true;
                    news.push(Fact::Drop(before.id));
                    if chunk.summaries().is_empty() {
                        empty.push(chunk.number);
                    }
                }
            }
        }
        if self.chunk_shared.writable && !active.is_empty() {
            // The names of new logs, too, must survive from here on.
            self.folder.sync()?;
        }
        Ok(Recovered { news, missing, empty })
    }

    /// Adds what the logs themselves say, where the journal was not closed, has lost records or is doubtful: logs that it doesn't know, and
    /// those that have grown though it says that they did not.
    fn complete_from_logs(&self, facts: &mut Facts, doubtful: bool) -> Result<()> {
        facts.next_seq = facts.next_seq.max(1);
        let in_use = efile::doomed(self.chunk_shared.store_folder());
        let mut compacted = Vec::new();
        for name in self.folder.list()? {
            let Some((id, suffix)) = name.to_str().and_then(LogId::of_name) else { continue };
            if self.settings.chunk_end(id.chunk) < facts.horizon {
                // Left of a deleted chunk, since its files could not be removed or that did not outlive a loss of power.
                if self.chunk_shared.writable && !in_use.iter().any(|summary| summary.id == id) {
                    self.chunk_shared.remove_deleted(&LogSummary::new(id, 0, None));
                }
                continue;
            }
            // Left of a compaction that was cut short: before it was done, or before what it replaced was removed.
            if suffix == "new" || facts.is_replaced(id) && !planted::has(Bug::TakeReplacedLogs) {
                if self.chunk_shared.writable {
                    self.chunk_shared.remove_replaced(id);
                }
                continue;
            }
            if suffix != "estore" {
                continue;
            }
            let known = facts.logs.get(&id).copied();
            // A look at each of them is for recovery, not for a reader beside a writer.
            if known.is_some_and(|(_, active, _)| active || !(self.chunk_shared.writable || doubtful)) {
                continue;
            }
            let Some(file) = self.folder.open_if_there(&id.log_name(), Access::Read)? else { continue };
            let file_len = file.len()?;
            if let Some((summary, _, committed)) = known {
                if file_len > summary.len {
                    facts.logs.insert(id, (summary, true, committed));
                }
                continue;
            }
            if self.chunk_shared.writable {
                // Its header may be there in memory only.
                file.sync_and_forget()?;
            }
            let start = LogSummary::new(id, 0, None);
            let len = start.len;
            match LogHeader::read(&file) {
                Ok(header) if header.id == id && header.store == self.settings.store && header.replaces < id.generation => {
                    compacted
                        .push((LogSummary { replaces: header.replaces, codec: header.codec, instance: header.instance, ..start }, file));
                }
                Ok(header) if header.id == id && header.store == self.settings.store => {
                    facts.logs.insert(id, (LogSummary { instance: header.instance, ..start }, true, 0));
                }
                // Of a log that the journal knew nothing of, nothing was promised. Of one that it may have known, that is to be reported.
                Ok(_) | Err(Error::Corrupt { .. }) if !facts.found_anew => {}
                Ok(_) | Err(Error::Corrupt { .. }) => {
                    self.say(Level::Error, &format!("{}: the log header is not what was written", id.log_name()));
                    let (oldest, newest) = (self.settings.chunk_start(id.chunk), self.settings.chunk_end(id.chunk));
                    let totals = Totals { oldest, newest, ..Totals::default() };
                    if let Some(instance) = find_instance(&file, Salvage::Failures)? {
                        // It can be read only past its header, but its seqs were given.
                        let seq_high = survey(&file, instance, len, 0, false)?.seq_high;
                        facts.committed = facts.committed.max(seq_high);
                        facts.next_seq = facts.next_seq.max(seq_high.saturating_add(1));
                    }
                    facts.logs.insert(id, (LogSummary { len: len.max(file_len), totals, ..start }, false, 0));
                }
                Err(e) => return Err(e),
            }
        }
        // A later one may hold what an earlier one does.
        compacted.sort_by_key(|(summary, _)| Reverse(summary.id));
        for (summary, file) in compacted {
            self.take_compacted(facts, summary, &file, doubtful)?;
        }
        if facts.found_anew {
            // A session may have given out so many more seqs than its frames tell of.
            let surveyed = facts.logs.values().filter(|(_, active, _)| *active).map(|(summary, _, _)| summary);
            let mut seq_high = facts.next_seq;
            for summary in surveyed {
                let file = self.folder.open(&summary.id.log_name(), Access::Read)?;
                seq_high = seq_high.max(survey(&file, summary.instance, summary.len, 0, false)?.seq_high);
            }
            facts.next_seq = seq_high.saturating_add(self.chunk_shared.sizes.seq_reserve.saturating_mul(2));
        }
        Ok(())
    }

    /// Decides about a compacted log that the journal does not know. It got its name once it was whole, and the files of the logs that it
    /// was made of went only once the journal knew it. So where the journal is believed and they are all there, it is not needed. Else it
    /// takes their place; unless one of them has later events, since then it was given up, and they went on.
    fn take_compacted(&self, facts: &mut Facts, summary: LogSummary, file: &Handle, doubtful: bool) -> Result<()> {
        let id = summary.id;
        let replaced = facts.logs.values().map(|(log, ..)| *log);
        let replaced: Vec<LogSummary> = replaced.filter(|log| log.id.chunk == id.chunk && summary.covers(log.id.generation)).collect();
        let mut there = Vec::new();
        for log in &replaced {
            there.extend(self.folder.open_if_there(&log.id.log_name(), Access::Read)?.map(|file| (file, log.instance)));
        }
        let unless_given_up = || -> Result<Option<LogSummary>> {
            let start = summary.len;
            let compacted = efile::summarize(file, summary)?;
            for (file, instance) in &there {
                if survey(file, *instance, start, 0, false)?.seq_high > compacted.totals.last_seq {
                    return Ok(None);
                }
            }
            Ok(Some(compacted))
        };
        let is_believed = !facts.found_anew && !doubtful;
        let is_superfluous = facts.is_replaced(id) || is_believed && there.len() == replaced.len();
        let Some(summary) = (if is_superfluous { None } else { unless_given_up()? }) else {
            if self.chunk_shared.writable {
                self.chunk_shared.remove_replaced(id);
            }
            return Ok(());
        };
        facts.committed = facts.committed.max(summary.totals.last_seq);
        facts.next_seq = facts.next_seq.max(summary.totals.last_seq.saturating_add(1));
        facts.switch(summary, 0);
        if self.chunk_shared.writable {
            // It may have its name in memory only.
            self.folder.sync()?;
            replaced.into_iter().for_each(|log| self.chunk_shared.remove_replaced(log.id));
        }
        Ok(())
    }
}
