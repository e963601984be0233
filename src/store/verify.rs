//! Verifying a whole store: settings, journal, the names in the folder, and then chunk by chunk.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::disk::{Access, Folder};
use crate::efile::log::{LogHeader, LogId};
use crate::efile::recover::content_len;
use crate::efile::verify::{Events, FindingKind, Findings, Receiver};
use crate::efile::{self, LogSummary};
use crate::error::{Error, Result};
use crate::threads::lock;

use super::Core;
use super::chunks::View;
use super::compact::Progress;
use super::journal::{self, Reading};
use super::settings::{self, Settings};

pub use crate::efile::verify::{Finding, Verified};

impl Core {
    /// See [`Store::verify`](crate::Store::verify).
    pub(super) fn verify(
        &self,
        mut receiver: impl FnMut(Finding) -> ControlFlow<()>,
        mut progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Verified> {
        self.check_open()?;
        self.catch_up()?;
        let come = Cell::new(Progress::default());
        let receiver: &mut Receiver<'_> = &mut receiver;
        let tell: &mut Events<'_> = &mut |events_done| progress(Progress { events_done, ..come.get() });
        let mut findings = Findings::new(receiver, tell);
        self.verify_settings(&mut findings);
        let view = self.verify_journal_and_names(&mut findings);
        let events = view.chunks.values().map(|chunk| chunk.totals().count).fold(0, u64::saturating_add);
        come.set(Progress { chunks: view.chunks.len() as u64, events, ..Progress::default() });
        let journaled = |id: LogId| self.journaled(id);
        for chunk in view.chunks.values() {
            if findings.verified.stopped {
                break;
            }
            chunk.verify(&mut findings, &journaled);
            come.set(Progress { chunks_done: come.get().chunks_done + 1, ..come.get() });
            findings.tell();
        }
        match findings.failure.filter(|_| !findings.verified.stopped) {
            Some(failure) => Err(failure),
            None => Ok(findings.verified),
        }
    }

    fn verify_settings(&self, findings: &mut Findings<'_>) {
        let path = self.folder.file_path(settings::NAME);
        findings.verified.files += 1;
        match Settings::read(&self.folder) {
            Ok(Some(found)) if found == self.settings => {}
            Ok(Some(_)) => findings.add(FindingKind::Damage, &path, 0, 0, "these are the settings of another store"),
            Ok(None) => findings.add(FindingKind::Damage, &path, 0, 0, "the store's settings are missing"),
            Err(e) => findings.add_failure(&path, &e),
        }
    }

    /// Looks at the journal and at which logs there are; answers the chunks that are to be looked at then.
    fn verify_journal_and_names(&self, findings: &mut Findings<'_>) -> View {
        // Between two appends, if this is the writer: then journal, folder and view agree. What is found is told later, since the receiver
        // may call back in.
        let (reading, instance, view, names) = {
            let guard = self.writer.lock();
            let instance = guard.as_ref().map(|writer| writer.journal.instance());
            (journal::read(&self.folder, self.settings.store), instance, lock(&self.view).clone(), self.folder.list())
        };
        let path = self.folder.file_path(journal::NAME);
        findings.verified.files += 1;
        match reading {
            Ok(Reading { damage: Some(damage), .. }) => findings.add_failure(&path, &damage),
            Ok(reading) if instance.is_some_and(|instance| instance != reading.instance()) => {
                findings.add(FindingKind::Damage, &path, 0, 0, "this is another journal than the one that was written");
            }
            Ok(_) => {}
            Err(e) => findings.add_failure(&path, &e),
        }
        match names {
            Ok(names) => {
                let logs = names.iter().filter_map(|name| name.to_str()).filter_map(LogId::of_name);
                for (id, _) in logs.filter(|(_, suffix)| *suffix == "estore") {
                    self.verify_name(id, &view, findings);
                }
            }
            Err(e) => findings.add_failure(self.path(), &e),
        }
        view
    }

    /// Reports a log that the store does not know.
    fn verify_name(&self, id: LogId, view: &View, findings: &mut Findings<'_>) {
        let known = view.chunks.get(&id.chunk).is_some_and(|chunk| chunk.summaries().iter().any(|summary| summary.id == id));
        // Of a deleted chunk the files stay until the last reader is closed.
        let deleted = || {
            self.settings.chunk_end(id.chunk) < view.horizon
                || self.is_replaced(id, view)
                || efile::doomed((self.chunk_shared.identity, self.settings.store)).iter().any(|summary| summary.id == id)
        };
        if known || deleted() {
            return;
        }
        let (kind, what, len) = match unknown_log(&self.folder, id, self.settings.store) {
            Ok(None) => return,
            Ok(Some(found)) => found,
            Err(e) => return findings.add_failure(&self.folder.file_path(&id.log_name()), &e),
        };
        let path = self.folder.file_path(&id.log_name());
        let mut found = |kind, what| findings.add(kind, &path, 0, len, what);
        if self.chunk_shared.writable {
            found(kind, what);
        } else if self.journaled(id).is_none() {
            // Beside a writer it would be new, and in a snapshot of the next one, which was cut short. Where the writer died, its record went with the power, before anything of it was promised;
            // had it the end of a batch, opening would know it.
            let died = journal::read(&self.folder, self.settings.store)
                .is_ok_and(|reading| reading.damage.is_none() && (!reading.facts.closed || reading.facts.snapshot));
            if died { found(FindingKind::Aside, BEING_MADE) } else { found(kind, what) }
        }
    }

    /// Whether a compacted log holds what was in this one, whose file is about to go.
    fn is_replaced(&self, id: LogId, view: &View) -> bool {
        let in_view =
            || view.chunks.get(&id.chunk).is_some_and(|chunk| chunk.summaries().iter().any(|summary| summary.covers(id.generation)));
        in_view() || journal::read(&self.folder, self.settings.store).is_ok_and(|reading| reading.facts.is_replaced(id))
    }

    /// What the journal says of a log now, and whether the log may grow. If there is no journal to be read, what it said at first.
    fn journaled(&self, id: LogId) -> Option<(LogSummary, bool)> {
        match journal::read(&self.folder, self.settings.store) {
            Ok(reading) if self.settings.chunk_end(id.chunk) < reading.facts.horizon => None,
            Ok(reading) if reading.damage.is_none() => reading.facts.logs.get(&id).map(|(summary, active, _)| (*summary, *active)),
            _ => {
                let chunk = lock(&self.view).chunks.get(&id.chunk).map(Arc::clone)?;
                let summary = chunk.summaries().into_iter().find(|summary| summary.id == id)?;
                Some((summary, false))
            }
        }
    }
}

const BEING_MADE: &str = "this log was being made when its writer died";

/// How much a log that nobody knows matters, what it is, and its length; `None` if there is nothing in it, or no such file by now.
fn unknown_log(folder: &Folder, id: LogId, store: u128) -> Result<Option<(FindingKind, &'static str, u64)>> {
    let Some(file) = folder.open_if_there(&id.log_name(), Access::Read)? else { return Ok(None) };
    let len = content_len(&file)?;
    if len == 0 {
        return Ok(None);
    }
    let (kind, what) = match LogHeader::read(&file) {
        // Whole, but the journal does not know it yet, or never did: the logs that it was made of count.
        Ok(header) if header.store == store && header.id == id && header.replaces < id.generation => return Ok(None),
        Ok(header) if header.store == store && header.id == id => (FindingKind::Damage, "the journal does not know this log"),
        Ok(_) => (FindingKind::Aside, "this log belongs to another store or another place"),
        // Its first write was torn, before the journal knew of it for good: nothing of it was promised.
        Err(Error::Corrupt { .. }) => (FindingKind::Aside, BEING_MADE),
        Err(e) => return Err(e),
    };
    Ok(Some((kind, what, len)))
}
