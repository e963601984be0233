//! What a store gives to those who compare it with others, and takes from them; see [`crate::repair`].

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::{Event, EventRef};
use crate::repair::digest::{self, Digest};
use crate::repair::exchange::{self, Exchange, Replica};
use crate::repair::union::{RepairOptions, Repaired, Union};
use crate::threads::lock;

use super::Core;
use super::compact::Progress;
use super::read::{ReadOptions, Reader};
use super::writer::{Absent, Appended};

impl Core {
    /// See [`Store::digest`](crate::Store::digest).
    pub(super) fn digest(self: &Arc<Core>, range: Option<(u64, u64)>, width: u64, tell: impl FnMut(u64)) -> Result<Digest> {
        self.check_open()?;
        let Some((start, end)) = range else { return Err(Error::invalid("a digest of a range without times")) };
        Digest::bucket_count(start, end, width)?;
        digest::digest(Reader::new(self, range, ReadOptions::new())?, start, end, width, tell)
    }

    /// See [`Store::digest_telling`](crate::Store::digest_telling).
    pub(super) fn digest_telling(
        self: &Arc<Core>,
        range: Option<(u64, u64)>,
        width: u64,
        mut receiver: impl FnMut(Progress),
    ) -> Result<Digest> {
        let events = self.count_about(range)?;
        self.digest(range, width, |read| receiver(Progress { events, events_done: read.min(events), ..Progress::default() }))
    }
}

/// A store that takes part in an exchange.
pub(super) struct Taking(pub(super) Arc<Core>);

impl Replica for Taking {
    fn check(&self) -> Result<()> {
        self.0.check_open()
    }

    fn read(&self, first: u64, last: u64) -> Result<Reader> {
        Reader::new(&self.0, Some((first, last)), ReadOptions::new().whole())
    }

    fn count_about(&self, first: u64, last: u64) -> Result<u64> {
        self.0.count_about(Some((first, last)))
    }

    fn append_absent(&self, events: &[EventRef<'_>]) -> Result<Appended> {
        self.0.append(events, Some(Absent::OR_DAMAGED))
    }

    fn leaf(&self) -> u64 {
        self.0.options.sizes.leaf_events.max(1)
    }
}

impl Core {
    /// See [`Store::exchange`](crate::Store::exchange).
    pub(super) fn exchange(self: &Arc<Core>, range: Option<(u64, u64)>, options: RepairOptions) -> Result<Exchange> {
        self.check_writable()?;
        Exchange::new(Box::new(Taking(Arc::clone(self))), range, options)
    }

    /// See [`Store::answer`](crate::Store::answer).
    pub(super) fn answer(self: &Arc<Core>, request: &[u8]) -> Result<Vec<u8>> {
        self.check_open()?;
        self.catch_up()?;
        let horizon = lock(&self.view).horizon;
        exchange::answer(&Taking(Arc::clone(self)), horizon, request)
    }
}

/// See [`Store::repair`](crate::Store::repair).
pub(super) fn repair(
    to: &Arc<Core>,
    from: &Arc<Core>,
    range: Option<(u64, u64)>,
    options: RepairOptions,
    mut receiver: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Repaired> {
    to.check_writable()?;
    from.check_open()?;
    if options.is_both_ways() {
        from.check_writable()?;
    }
    let total = to.count_about(range)?.saturating_add(from.count_about(range)?);
    // Who is given events must not lack some for now only. Of who gives, all that can be had is wanted.
    let read_from = if options.is_both_ways() { ReadOptions::new().whole() } else { ReadOptions::new().salvage() };
    let (read_to, read_from) = (Reader::new(to, range, ReadOptions::new().whole())?, Reader::new(from, range, read_from)?);
    // What each reader gives is compared, so only what came since may be there without being seen.
    let since = |reader: &Reader| Absent { since: reader.snapshot_seq(), ..Absent::OR_DAMAGED };
    let (since_to, since_from) = (since(&read_to), since(&read_from));
    let append_to = |events: &[Event]| to.append(events, Some(since_to));
    let append_from = |events: &[Event]| from.append(events, Some(since_from));
    let union =
        Union { total, to: read_to, from: read_from, append_to: &append_to, append_from: options.is_both_ways().then_some(&append_from) };
    union.run(|progress| {
        let go_on = || receiver(progress);
        to.chunk_shared.messages.while_telling(|| from.chunk_shared.messages.while_telling(go_on))
    })
}
