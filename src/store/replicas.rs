//! What a store gives to those who compare it with others, and takes from them; see [`crate::repair`].

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::repair::digest::{self, Digest};
use crate::repair::union::{RepairOptions, Repaired, Union};

use super::Core;
use super::compact::Progress;
use super::read::{ReadOptions, Reader};

impl Core {
    /// See [`Store::digest`](crate::Store::digest).
    pub(super) fn digest(self: &Arc<Core>, range: Option<(u64, u64)>, width: u64) -> Result<Digest> {
        self.check_open()?;
        let Some((start, end)) = range else { return Err(Error::invalid("a digest of a range without times")) };
        digest::check_width(start, end, width)?;
        digest::digest(Reader::new(self, range, ReadOptions::new())?, start, end, width)
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
    let append_to = |events: &[Event]| to.append(events, true);
    let append_from = |events: &[Event]| from.append(events, true);
    let union = Union {
        total: to.count(range)?.saturating_add(from.count(range)?),
        to: Reader::new(to, range, ReadOptions::new())?,
        from: Reader::new(from, range, ReadOptions::new().salvage())?,
        append_to: &append_to,
        append_from: options.is_both_ways().then_some(&append_from),
    };
    union.run(|progress| {
        let go_on = || receiver(progress);
        to.chunk_shared.messages.while_telling(|| from.chunk_shared.messages.while_telling(go_on))
    })
}
