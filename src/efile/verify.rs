//! Verifying one chunk: every byte of its files against its checksums, and the files against each other.
//!
//! ```text
//!   N-0.estore  ═══ frame ═══ frame ═══ late ═══ ...  decoded, in order of arrival, adding up to what the journal says
//!                     │         │         │
//!   N-0.idx         each entry says of its frames what they are
//!   N-0.recon                             each run holds exactly the late events of its stretch
//!   N-0.cut         what recovery kept aside
//! ```
//!
//! A log is looked at up to the length that it had at one moment, in which all before it was written; so an append in progress is never
//! taken for damage. What is derived is looked at as it was at one moment too; where another process may be at work on it, a finding counts
//! only if the log has not changed meanwhile.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::disk::{Access, Handle};
use crate::error::{Error, Result};
use crate::event::{EventRef, Key};

use super::cut;
use super::frame::{Header, LAST, LATE};
use super::index::{Entry, EntryList, LogIndex};
use super::log::{LOG_HEADER_LEN, LogId, Salvage, Stretch, Walk};
use super::read::{self, Block, Class};
use super::recon::Recon;
use super::recover::{self, Totals};
use super::{Chunk, Log, LogSummary};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// Bytes that count are not what was written: events are lost, or may be.
    Damage,
    /// An index or recon file is not what it should be. Nothing is lost: it is not believed, and made anew from the log.
    Derived,
    /// Bytes that don't count: cut off by a recovery, and kept for a person to look at.
    Aside,
}

/// Something that verifying a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How much it matters.
    pub kind: FindingKind,
    /// The file.
    pub path: PathBuf,
    /// Where in the file it starts.
    pub offset: u64,
    /// How many bytes it concerns; 0 if it is not a matter of bytes.
    pub len: u64,
    /// What was found.
    pub what: String,
}

/// What verifying a store has looked at, and how much it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Bytes of logs.
    pub log_bytes: u64,
    /// Frames of logs.
    pub frames: u64,
    /// Events in them.
    pub events: u64,
    /// Findings of the kind [`FindingKind::Damage`].
    pub damaged: u64,
    /// Findings of the kind [`FindingKind::Derived`].
    pub derived: u64,
    /// Findings of the kind [`FindingKind::Aside`].
    pub aside: u64,
    /// A receiver asked to stop before all was looked at.
    pub stopped: bool,
}

/// Receives findings; see [`crate::Store::verify`].
pub(crate) type Receiver<'a> = dyn FnMut(Finding) -> ControlFlow<()> + 'a;
/// Is told how many events were looked at.
pub(crate) type Events<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// So often, in frames, it is told how far this has come: some 16 MiB.
const TELL_FRAMES: u64 = 256;

/// Where findings go.
pub(crate) struct Findings<'a> {
    receiver: &'a mut Receiver<'a>,
    progress: &'a mut Events<'a>,
    /// Frames since it was told how far this has come.
    untold: u64,
    pub(crate) verified: Verified,
    /// Why not all could be looked at, though nothing is wrong with it.
    pub(crate) failure: Option<Error>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(receiver: &'a mut Receiver<'a>, progress: &'a mut Events<'a>) -> Findings<'a> {
        Findings { receiver, progress, untold: 0, verified: Verified::default(), failure: None }
    }

    /// Tells how far it has come.
    pub(crate) fn tell(&mut self) {
        self.untold = 0;
        if !self.verified.stopped {
            self.verified.stopped = (self.progress)(self.verified.events).is_break();
        }
    }

    /// Another stretch of a log is about to be looked at. Whether to go on.
    fn goes_on(&mut self) -> bool {
        self.untold += 1;
        if self.untold >= TELL_FRAMES {
            self.tell();
        }
        !self.verified.stopped
    }

    pub(crate) fn add(&mut self, kind: FindingKind, path: &Path, offset: u64, len: u64, what: impl Into<String>) {
        if self.verified.stopped {
            return;
        }
        match kind {
            FindingKind::Damage => self.verified.damaged += 1,
            FindingKind::Derived => self.verified.derived += 1,
            FindingKind::Aside => self.verified.aside += 1,
        }
        let finding = Finding { kind, path: path.to_owned(), offset, len, what: what.into() };
        self.verified.stopped = (self.receiver)(finding).is_break();
    }

    /// Adds a failure to read a file as damage of it.
    pub(crate) fn add_failure(&mut self, path: &Path, failure: &Error) {
        match failure {
            Error::Corrupt { path, offset, what } => self.add(FindingKind::Damage, path, *offset, 0, what.clone()),
            other => self.add(FindingKind::Damage, other.path().unwrap_or(path), 0, 0, other.to_string()),
        }
    }
}

/// What the journal, as it is now, says of a log, and whether that may grow; `None` if there is no such log (any more).
pub(crate) type Journaled<'a> = dyn Fn(LogId) -> Option<(LogSummary, bool)> + 'a;

impl Chunk {
    /// Looks at every byte of the chunk's files. `journaled` is asked only where another process may be at work.
    pub(crate) fn verify(&self, findings: &mut Findings<'_>, journaled: &Journaled<'_>) {
        for summary in self.summaries() {
            if findings.verified.stopped {
                return;
            }
            let id = summary.id;
            let Some((summary, derived)) = self.at_one_moment(id) else { continue };
            let checked = self.open_to_verify(&summary).and_then(|file| self.verify_log(&file, &summary, &derived, findings, journaled));
            match checked {
                Ok(()) => {}
                // Deleted by its writer while it was looked at.
                Err(Error::Gone { .. }) if !self.shared.writable && journaled(id).is_none() => {}
                Err(Error::Gone { path }) => findings.add(FindingKind::Damage, &path, 0, summary.len, "the log is missing"),
                Err(failure) => findings.add_failure(&self.shared.folder.file_path(&id.log_name()), &failure),
            }
            summary.generations().for_each(|id| self.verify_cut(id, findings));
        }
    }

    fn open_to_verify(&self, summary: &LogSummary) -> Result<Handle> {
        let name = summary.id.log_name();
        let file = self.shared.folder.open_if_there(&name, Access::Read)?;
        let file = file.ok_or_else(|| Error::Gone { path: self.shared.folder.file_path(&name) })?;
        if summary.instance == 0 || summary.len > LOG_HEADER_LEN as u64 {
            self.check_header(&file, summary)?;
        }
        Ok(file)
    }

    /// A log, and what is derived from it as its files have it, at one moment. `None` if the log is gone.
    fn at_one_moment(&self, id: LogId) -> Option<(LogSummary, Derived)> {
        // The writer changes these files only while it holds one of these locks.
        let _turn = self.sorting.take_turn();
        let state = self.lock();
        let summary = state.logs.iter().find(|log| log.id() == id)?.summary;
        let folder = &self.shared.folder;
        let LogSummary { instance, len, .. } = summary;
        let len_of = |name: &str| {
            let file = folder.open_if_there(name, Access::Read).ok().flatten()?;
            // Behind a run there may be room that was set aside for it.
            Some((file.path().to_owned(), recover::content_len(&file).ok()?))
        };
        let (index_file, recon_file) = (len_of(&id.index_name()), len_of(&id.recon_name()));
        let derived = match folder.open_if_there(&id.log_name(), Access::Read) {
            Ok(Some(log)) => Derived {
                index: LogIndex::read(folder, id, instance, &log, len),
                index_file,
                recon: Recon::read(folder, id, instance, &log, len),
                recon_file,
            },
            _ => Derived { index: LogIndex::new(), index_file: None, recon: None, recon_file: None },
        };
        Some((summary, derived))
    }

    /// Whether nobody works on a log, which is as this summary says.
    fn is_idle(&self, summary: &LogSummary, journaled: &Journaled<'_>) -> bool {
        let idle = |log: &Log| log.summary == *summary && !log.active && !log.appendable;
        if self.shared.writable { self.lock().logs.iter().any(idle) } else { journaled(summary.id) == Some((*summary, false)) }
    }

    fn verify_log(
        &self,
        file: &Handle,
        summary: &LogSummary,
        derived: &Derived,
        findings: &mut Findings<'_>,
        journaled: &Journaled<'_>,
    ) -> Result<()> {
        let before = findings.verified.damaged;
        let mut pass = Pass::new(derived);
        let mut slots = Vec::new();
        findings.verified.files += 1;
        // The length may be a journal's word.
        findings.verified.log_bytes = findings.verified.log_bytes.saturating_add(summary.len);
        let mut walk = Walk::new(file, summary.instance, LOG_HEADER_LEN as u64, summary.len, false).past(Salvage::Failures);
        while let Some(stretch) = walk.next()? {
            if !findings.goes_on() {
                return Ok(());
            }
            let (offset, len, what) = match stretch {
                Stretch::Frame(header) => match walk.decode(&header, &mut slots) {
                    // Its checksum fits. The others are looked at all the same.
                    Err(failure @ Error::MissingFeature { .. }) => {
                        findings.failure.get_or_insert(failure);
                        findings.verified.frames += 1;
                        findings.verified.events += u64::from(header.count);
                        let Some(what) = pass.take(&header, self.times) else { continue };
                        (header.offset, header.frame_len(), what)
                    }
                    Err(failure) => return Err(failure),
                    Ok(Ok(body)) => {
                        findings.verified.frames += 1;
                        findings.verified.events += slots.len() as u64;
                        let wrong = pass.take(&header, self.times);
                        if header.has(LATE) {
                            slots.iter().for_each(|slot| pass.late_event(header.offset, &read::event(slot, body)));
                        }
                        let Some(what) = wrong else { continue };
                        (header.offset, header.frame_len(), what)
                    }
                    Ok(Err(what)) => (header.offset, header.frame_len(), what),
                },
                Stretch::DamagedBody(header) => (header.offset, summary.len - header.offset, "the log ends within a frame"),
                Stretch::Damage { offset, len, what } => (offset, len, what),
                Stretch::Zeros { offset, len } => (offset, len, "zeros where frames were"),
            };
            pass.damaged(offset, offset + len);
            findings.add(FindingKind::Damage, file.path(), offset, len, why(file, offset, len, what));
            if findings.verified.stopped {
                return Ok(());
            }
        }
        if pass.damage.is_empty() && !pass.batch_is_whole {
            findings.add(FindingKind::Damage, file.path(), summary.len, 0, "the log ends within a batch");
        }
        let (found, known) = (pass.totals, summary.totals);
        // Frames are a hint, which not all journals give.
        if findings.verified.damaged == before && found != (Totals { frames: found.frames, ..known }) {
            let what = format!("the log holds {} events, the journal counts {}: {found:?} instead of {known:?}", found.count, known.count);
            findings.add(FindingKind::Damage, file.path(), 0, 0, what);
        }
        self.verify_end(file, summary, findings, journaled)?;
        let mut wrong = pass.finish(derived);
        if let Some(recon) = &derived.recon {
            verify_runs(recon, &pass, &mut wrong);
        }
        for name in [&derived.index_file, &derived.recon_file] {
            findings.verified.files += u64::from(name.is_some());
        }
        // Beside a writer, the files of a log that it works on may be on their way from one state to another.
        if !wrong.is_empty() && (self.shared.writable || self.is_idle(summary, journaled)) {
            for Wrong { path, offset, len, what } in wrong {
                findings.add(FindingKind::Derived, &path, offset, len, what);
            }
        }
        Ok(())
    }

    /// Looks at what stands behind the end of a log that nobody appends to.
    fn verify_end(&self, file: &Handle, summary: &LogSummary, findings: &mut Findings<'_>, journaled: &Journaled<'_>) -> Result<()> {
        let end = recover::content_len(file)?;
        if end <= summary.len {
            return Ok(());
        }
        if self.is_idle(summary, journaled) {
            let what = "bytes behind the end of the log, which don't count: a recovery could not keep them aside";
            findings.add(FindingKind::Aside, file.path(), summary.len, end - summary.len, what);
        }
        Ok(())
    }

    fn verify_cut(&self, id: LogId, findings: &mut Findings<'_>) {
        let name = id.cut_name();
        let cuts = match self.shared.folder.open_if_there(&name, Access::Read) {
            Ok(None) => return,
            Ok(Some(file)) => cut::cuts(&file),
            Err(e) => Err(e),
        };
        let path = self.shared.folder.file_path(&name);
        findings.verified.files += 1;
        match cuts {
            Ok(cuts) => {
                for (at, len, what) in cuts {
                    findings.add(FindingKind::Aside, &path, at, len, what);
                }
            }
            Err(e) => findings.add(FindingKind::Aside, &path, 0, 0, e.to_string()),
        }
    }
}

/// What is wrong with a stretch: what the system says if it can't read it, else what its bytes say.
fn why(file: &Handle, offset: u64, len: u64, what: &str) -> String {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(1 << 20)];
    match file.read_up_to(&mut bytes, offset) {
        Err(e) => e.to_string(),
        Ok(_) => what.to_owned(),
    }
}

/// What the derived files of a log say, and how long they are.
struct Derived {
    index: LogIndex,
    index_file: Option<(PathBuf, u64)>,
    recon: Option<Recon>,
    recon_file: Option<(PathBuf, u64)>,
}

/// Something wrong with a derived file.
struct Wrong {
    path: PathBuf,
    offset: u64,
    len: u64,
    what: String,
}

/// What one walk over a log gathers.
struct Pass {
    totals: Totals,
    /// The batch of the last frame, and whether that was its last one.
    batch: u64,
    batch_is_whole: bool,
    damage: Vec<(u64, u64)>,
    index_covers: u64,
    main: EntryCheck,
    late: EntryCheck,
    runs: Vec<Sum>,
}

/// Events without their order: equal sums, equal events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    from: u64,
    to: u64,
    count: u64,
    hashes: u64,
}

impl Sum {
    fn add(&mut self, event: &EventRef<'_>) {
        let mut hasher = DefaultHasher::new();
        (event.time, event.seq, event.id, event.data).hash(&mut hasher);
        self.count += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }
}

impl Pass {
    fn new(derived: &Derived) -> Pass {
        let runs = derived.recon.iter().flat_map(Recon::stretches).map(|(from, to)| Sum { from, to, ..Sum::default() });
        Pass {
            totals: Totals::default(),
            batch: 0,
            batch_is_whole: true,
            damage: Vec::new(),
            index_covers: derived.index.covered,
            main: EntryCheck::new(&derived.index.main),
            late: EntryCheck::new(&derived.index.late),
            runs: runs.collect(),
        }
    }

    /// Takes in a frame; says what is wrong with its place in the log.
    fn take(&mut self, header: &Header, (oldest, newest): (u64, u64)) -> Option<&'static str> {
        self.totals.add(header);
        if header.offset < self.index_covers {
            if header.has(LATE) { self.late.take(header) } else { self.main.take(header) }
        }
        let (batch, was_whole) = (self.batch, self.batch_is_whole);
        let undamaged = self.damage.is_empty();
        self.batch = header.batch;
        self.batch_is_whole = header.has(LAST);
        if header.first.time < oldest || header.last.time > newest {
            Some("the frame holds times of another chunk")
        } else if header.batch < batch || (header.batch > batch && header.seq_low <= batch) {
            Some("the frame's seqs go back")
        } else if undamaged && (header.batch == batch) == was_whole {
            Some("a batch is not whole")
        } else {
            None
        }
    }

    fn late_event(&mut self, offset: u64, event: &EventRef<'_>) {
        if let Some(sum) = self.runs.iter_mut().find(|run| (run.from..run.to).contains(&offset)) {
            sum.add(event);
        }
    }

    fn damaged(&mut self, from: u64, to: u64) {
        self.damage.push((from, to));
    }

    fn is_damaged(&self, from: u64, to: u64) -> bool {
        self.damage.iter().any(|&(start, end)| start < to && from < end)
    }

    /// The bytes of a derived file that are not believed. The file of a damaged log may be right, and not be believed for the damage.
    fn not_believed(&self, path: &Path, believed: u64, len: u64) -> Option<Wrong> {
        let what = if believed == 0 { "this file does not fit the log" } else { "these bytes don't go on with those before them" };
        let is_wrong = believed < len && (believed > 0 || self.damage.is_empty());
        is_wrong.then(|| Wrong { path: path.to_owned(), offset: believed, len: len - believed, what: what.to_owned() })
    }

    /// What turned out to be wrong with the index, and with files that are not believed at all.
    fn finish(&mut self, derived: &Derived) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        if let Some((path, len)) = &derived.index_file {
            wrong.extend(self.not_believed(path, derived.index.file_len(), *len));
            let checks = [std::mem::take(&mut self.main), std::mem::take(&mut self.late)];
            for entry in checks.into_iter().flat_map(EntryCheck::finish).filter(|entry| !self.is_damaged(entry.offset, entry.end())) {
                let what = format!("an entry is not true of the {} bytes of the log from byte {} on", entry.len, entry.offset);
                wrong.push(Wrong { path: path.clone(), offset: 0, len: 0, what });
            }
        }
        if let Some((path, len)) = &derived.recon_file {
            wrong.extend(self.not_believed(path, derived.recon.as_ref().map_or(0, Recon::len), *len));
        }
        wrong
    }
}

/// Compares entries with the frames that they stand for, as those come.
#[derive(Default)]
struct EntryCheck {
    entries: Vec<Entry>,
    /// The entry whose frames come now.
    at: usize,
    /// An entry of the frames that have come of it.
    found: EntryList,
    wrong: Vec<Entry>,
}

impl EntryCheck {
    fn new(list: &EntryList) -> EntryCheck {
        EntryCheck { entries: list.iter().copied().collect(), ..EntryCheck::default() }
    }

    fn take(&mut self, header: &Header) {
        while self.entries.get(self.at).is_some_and(|entry| entry.end() <= header.offset) {
            self.next();
        }
        match self.entries.get(self.at) {
            Some(entry) if entry.offset <= header.offset && header.end() <= entry.end() => {
                self.found.close_last();
                self.found.add(header);
            }
            // A frame that the index lacks. The first few of them tell enough.
            _ if self.wrong.len() < 16 => self.wrong.push(Entry::of(header)),
            _ => {}
        }
    }

    fn next(&mut self) {
        let Some(entry) = self.entries.get(self.at).copied() else { return };
        let found = std::mem::take(&mut self.found);
        let count: u64 = found.iter().map(|frame| u64::from(frame.count)).sum();
        let first = found.iter().map(|frame| frame.first).min();
        let last = found.iter().map(|frame| frame.last).max();
        let seq_high = found.iter().map(|frame| frame.seq_high).max();
        let (start, end) = (found.iter().next().map(|frame| frame.offset), found.iter().last().map(Entry::end));
        let stated = (u64::from(entry.count), Some(entry.first), Some(entry.last), Some(entry.seq_high));
        if (count, first, last, seq_high) != stated || (start, end) != (Some(entry.offset), Some(entry.end())) {
            self.wrong.push(entry);
        }
        self.at += 1;
    }

    fn finish(mut self) -> Vec<Entry> {
        while self.at < self.entries.len() {
            self.next();
        }
        self.wrong
    }
}

/// Reads all runs, and compares each with the late events that the log has in its stretch.
fn verify_runs(recon: &Recon, pass: &Pass, wrong: &mut Vec<Wrong>) {
    let path = recon.file.path();
    let mut add = |offset, len, what: String| wrong.push(Wrong { path: path.to_owned(), offset, len, what });
    if recon.file.len().is_ok_and(|len| len < recon.len()) {
        add(recon.len(), 0, "the file has become shorter".to_owned());
    }
    let mut block = Block::default();
    for (run, in_log) in recon.runs.iter().zip(&pass.runs) {
        let mut sum = Sum { from: in_log.from, to: in_log.to, ..Sum::default() };
        let mut last: Option<Key> = None;
        let mut readable = true;
        for entry in run.list.iter() {
            let mut rising = true;
            let visit = |event: EventRef<'_>| {
                let key = Key::new(event.time, event.seq);
                rising &= last < Some(key);
                last = Some(key);
                sum.add(&event);
            };
            match read::visit_entry(&recon.file, recon.instance, Class::Run, entry, &mut block, visit) {
                Ok(()) if rising => {}
                Ok(()) => add(entry.offset, u64::from(entry.len), "the events of a run are out of order".to_owned()),
                Err(e) => {
                    readable = false;
                    add(entry.offset, u64::from(entry.len), e.to_string());
                }
            }
        }
        if readable && sum != *in_log && !pass.is_damaged(sum.from, sum.to) {
            let what = format!("a run does not hold the {} late events that the log has in bytes {} to {}", in_log.count, sum.from, sum.to);
            add(0, 0, what);
        }
    }
}
