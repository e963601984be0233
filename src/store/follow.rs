//! Following: a handle that only reads shows what the writer, in another process, has written meanwhile.
//!
//! ```text
//!   any news?   another journal, a record behind its last one, bytes behind the end of a log that may grow     a few short reads
//!       │ yes                                                      │ nothing but those
//!       v                                                         v
//!   the two looks of opening beside a writer,                     the same two looks at logs that may grow,
//!   which begin where the last ones ended          open           whatever else there is
//!       ├─────────────────────────────────────────────────────────┘
//!       v
//!   a new view; readers that are open keep theirs
//! ```
//!
//! No lock is taken and nothing is written. Chunks whose logs are the same as before stay, with all that is known of them.

use std::sync::Arc;

use crate::disk::{Access, Folder, Handle, retry};
use crate::efile::Chunk;
use crate::efile::log::{LogId, is_room};
use crate::error::{Error, Result};
use crate::threads::atomic::Ordering;
use crate::threads::lock;

use super::chunks::View;
use super::journal::{self, Facts, Place};
use super::open::{Opened, Opening, Seen};
use super::settings::Settings;
use super::{Core, Counters};

/// Where the last look ended. By default nothing is known, and any look finds news.
#[derive(Default)]
pub(super) struct Follow {
    /// What the journal's path led to, and where its records ended.
    journal: Option<((u64, u64), Place)>,
    /// The facts before a look at the logs that may grow, but for logs.
    facts: Facts,
    /// The logs that may grow.
    growing: Vec<Growing>,
    /// A look takes note in the chunks of what they have got, and this one failed in the midst of that: the next one makes them anew.
    failed: bool,
}

struct Growing {
    chunk: Arc<Chunk>,
    id: LogId,
    file: Handle,
    /// Nothing that was written to it since the journal told of it has this seq or a smaller one.
    older: u64,
}

/// What there is that a handle has not seen.
#[derive(PartialEq)]
enum News {
    Nothing,
    /// Bytes in logs that may grow.
    Growth,
    /// Perhaps more.
    More,
}

impl Opening<'_> {
    /// Looks at the store as a handle does that only reads.
    pub(super) fn follow(&self) -> Result<(Opened, Follow)> {
        // Noted before the look, so that what comes during it is news.
        let path = self.folder.file_path(journal::NAME);
        let identity = || retry(|| self.folder.disk().identity(&path)).ok();
        let before = identity();
        let (opened, Seen { active, facts, journal }) = self.run_beside_writer()?;
        let journal = before.filter(|before| identity() == Some(*before)).zip(journal);
        // Of those without anything in them there is no chunk yet; their records are looked at anew each time.
        let growing = |(id, older): &(LogId, u64)| {
            let chunk = Arc::clone(opened.view.chunks.get(&id.chunk)?);
            let file = self.folder.open_if_there(&id.log_name(), Access::Read).ok()??;
            Some(Growing { chunk, id: *id, file, older: *older })
        };
        let growing: Option<Vec<Growing>> = active.iter().map(growing).collect();
        let journal = journal.filter(|_| growing.is_some());
        Ok((opened, Follow { journal, facts, growing: growing.unwrap_or_default(), failed: false }))
    }

    /// As [`Opening::run_beside_writer`], where nothing but the logs that may grow is looked at; `None` if that does not do. A batch that is
    /// whole by the first look has told the journal of each log that it touches before, so `is_same` then says whether those are known.
    fn look_at_growing(&self, before: &View, follow: &Follow, is_same: impl FnOnce() -> Result<bool>) -> Result<Option<Opened>> {
        let first = self.look_at_growing_once(before, follow, None)?;
        let Some(Facts { committed: seq, durable, .. }) = first.filter(|facts| !facts.found_anew) else { return Ok(None) };
        if !is_same()? {
            return Ok(None);
        }
        let again = Opening { counters: Counters::default(), durable, ..*self };
        let Some(facts) = again.look_at_growing_once(before, follow, Some(seq))? else { return Ok(None) };
        let view = View { seq, seq_limit: facts.next_seq, ..before.clone() };
        Ok(Some(Opened { durable: facts.durable.min(seq), view, writer: None, counters: again.counters }))
    }

    fn look_at_growing_once(&self, before: &View, follow: &Follow, snapshot: Option<u64>) -> Result<Option<Facts>> {
        let known = |log: &Growing| Some((log.chunk.summary_of(log.id)?, log.older));
        let Some(active) = follow.growing.iter().map(known).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut facts = follow.facts.clone();
        facts.committed = facts.committed.max(before.seq).max(snapshot.unwrap_or(0));
        facts.durable = facts.durable.max(self.durable);
        let recovered = self.recover(&before.chunks, &active, &mut facts, snapshot)?;
        Ok((!recovered.missing && recovered.empty.is_empty()).then_some(facts))
    }

    /// Whether what is at the path now is not what this handle has seen before, but was restored from a snapshot: it has the same id, and logs
    /// of the same names and instances, but may have other events with the same seqs.
    ///
    /// As long as nobody has opened that for writing it has no session, and then a branch of its own. A snapshot that was never written to can
    /// also have become a later one of the same store.
    pub(super) fn is_another(&self, before: &View, now: &Facts) -> bool {
        let (Some(had_session), false) = (before.has_session, now.found_anew) else { return false };
        match (had_session, now.has_session) {
            (true, false) => now.snapshot,
            (false, false) => {
                let is_earlier = now.committed < before.seq || now.horizon < before.horizon;
                now.snapshot && (now.branch != before.branch || is_earlier)
            }
            // A snapshot that was opened for writing, and so has got its branch: it begins behind all that was in it.
            (false, true) => now.session_start < before.seq_limit,
            // Where the journal was lost, a store gets another branch, too. Then it begins two reserves behind all that was found in the logs.
            (true, true) => {
                let beyond = before.seq.saturating_add(self.chunk_shared.sizes.seq_reserve);
                now.branch != before.branch && now.session_start <= beyond
            }
        }
    }
}

impl Core {
    /// Brings a handle that only reads up to date.
    pub(super) fn catch_up(&self) -> Result<()> {
        if self.chunk_shared.writable {
            return Ok(());
        }
        let mut follow = lock(&self.follow);
        let news = self.news(&follow)?;
        if news == News::Nothing {
            return Ok(());
        }
        let mut before = lock(&self.view).clone();
        if follow.failed {
            before.chunks = Arc::default();
        }
        let had_journal = follow.journal.is_some();
        if news == News::Growth {
            // Unless it comes to its end the next look is not to go on from here, nor is the one below.
            let known = std::mem::replace(&mut *follow, Follow { failed: true, ..Follow::default() });
            let opened = self.look_from(&before).look_at_growing(&before, &known, || known.journal_is_same(&self.folder));
            if let Some(opened) = opened.map_err(|e| self.or_gone(e))? {
                *follow = known;
                self.show(opened);
                return Ok(());
            }
            before.chunks = Arc::default();
        }
        let journal = self.folder.file_path(journal::NAME);
        // It is replaced, never missing, as long as there is a store; but it may have been lost before this handle was opened.
        if had_journal && let Ok(None) = retry(|| self.folder.disk().kind(&journal)) {
            return Err(Error::Gone { path: journal });
        }
        self.check_settings()?;
        *follow = Follow { failed: true, ..Follow::default() };
        let (opened, now) = self.look_from(&before).follow().map_err(|e| self.or_gone(e))?;
        *follow = now;
        self.show(opened);
        Ok(())
    }

    /// The folder may have become that of another store.
    fn check_settings(&self) -> Result<()> {
        match Settings::read(&self.folder)? {
            Some(settings) if settings == self.settings => Ok(()),
            _ => Err(Error::Gone { path: self.path().to_owned() }),
        }
    }

    /// What a look failed with, unless the store was destroyed meanwhile.
    fn or_gone(&self, e: Error) -> Error {
        match self.check_settings() {
            Err(gone @ Error::Gone { .. }) => gone,
            _ => e,
        }
    }

    /// A look that goes on from what this handle has shown.
    fn look_from<'a>(&'a self, before: &'a View) -> Opening<'a> {
        Opening {
            folder: &self.folder,
            settings: self.settings,
            chunk_shared: &self.chunk_shared,
            counters: Counters::default(),
            before: Some(before),
            durable: self.durable_seq(),
        }
    }

    /// Lets readers see what was found.
    fn show(&self, opened: Opened) {
        let view = opened.view;
        let gone = |chunk: &Chunk| view.chunks.get(&chunk.number).is_none_or(|now| !std::ptr::eq(Arc::as_ptr(now), chunk));
        self.forget(gone);
        self.issued.fetch_max(view.seq, Ordering::AcqRel);
        self.durable.fetch_max(opened.durable, Ordering::AcqRel);
        *lock(&self.view) = view;
        self.followers.tell();
    }

    /// Whether events were deleted since a view was taken.
    pub(super) fn has_deleted_since(&self, view: &View) -> Result<bool> {
        self.catch_up()?;
        Ok(lock(&self.view).horizon > view.horizon)
    }

    /// As [`Core::catch_up`], where an error has no way out: whoever reads next meets it.
    pub(super) fn look_for_news(&self) {
        if self.check_open().is_ok() {
            let _ = self.catch_up();
        }
    }

    fn news(&self, follow: &Follow) -> Result<News> {
        if !follow.journal_is_same(&self.folder)? {
            return Ok(News::More);
        }
        for Growing { chunk, id, file, .. } in &follow.growing {
            match chunk.summary_of(*id) {
                Some(summary) if is_room(file, summary.len)? => {}
                Some(_) => return Ok(News::Growth),
                None => return Ok(News::More),
            }
        }
        Ok(News::Nothing)
    }
}

impl Follow {
    /// Whether the journal is the one that was looked at, and says no more than it did then.
    fn journal_is_same(&self, folder: &Folder) -> Result<bool> {
        let Some((identity, place)) = &self.journal else { return Ok(false) };
        let path = folder.file_path(journal::NAME);
        // Where it can't be looked at, the look itself will tell why.
        Ok(retry(|| folder.disk().identity(&path)).ok() == Some(*identity) && !place.has_more()?)
    }
}
