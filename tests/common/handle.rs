//! An open store of either kind, with the calls that both have.

use std::ops::{ControlFlow, RangeBounds};
use std::path::Path;

use estore::{Appended, AsEvent, Compacted, Efile, Finding, Options, ReadOptions, Reader, Result, Snapshot, Stats, Store, Tail, Verified};

/// An estore or an efile.
pub(crate) enum Handle {
    Store(Store),
    Efile(Efile),
}

macro_rules! both {
    ($self:expr, $inner:ident => $call:expr) => {
        match $self {
            Handle::Store($inner) => $call,
            Handle::Efile($inner) => $call,
        }
    };
}

impl Handle {
    /// Opens an efile, or a store.
    pub(crate) fn open(efile: bool, path: &Path, options: Options) -> Result<Handle> {
        if efile { Efile::open(path, options).map(Handle::Efile) } else { Store::open(path, options).map(Handle::Store) }
    }

    pub(crate) fn append<E: AsEvent>(&self, events: &[E]) -> Result<u64> {
        both!(self, inner => inner.append(events))
    }

    pub(crate) fn append_absent<E: AsEvent>(&self, events: &[E]) -> Result<Appended> {
        both!(self, inner => inner.append_absent(events))
    }

    pub(crate) fn read_with(&self, range: impl RangeBounds<u64>, options: ReadOptions) -> Result<Reader> {
        both!(self, inner => inner.read_with(range, options))
    }

    pub(crate) fn tail(&self, after: u64) -> Result<Tail> {
        both!(self, inner => inner.tail(after))
    }

    pub(crate) fn count(&self, range: impl RangeBounds<u64>) -> Result<u64> {
        both!(self, inner => inner.count(range))
    }

    pub(crate) fn sync(&self) -> Result<u64> {
        both!(self, inner => inner.sync())
    }

    pub(crate) fn last_seq(&self) -> u64 {
        both!(self, inner => inner.last_seq())
    }

    pub(crate) fn durable_seq(&self) -> u64 {
        both!(self, inner => inner.durable_seq())
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        both!(self, inner => inner.stats())
    }

    pub(crate) fn verify(&self, receiver: impl FnMut(Finding) -> ControlFlow<()>) -> Result<Verified> {
        both!(self, inner => inner.verify(receiver))
    }

    pub(crate) fn compact(&self, range: impl RangeBounds<u64>) -> Result<Compacted> {
        both!(self, inner => inner.compact(range, |_| ControlFlow::Continue(())))
    }

    pub(crate) fn snapshot(&self, path: &Path) -> Result<Snapshot> {
        both!(self, inner => inner.snapshot(path, |_| ControlFlow::Continue(())))
    }

    pub(crate) fn tick(&self) -> Result<()> {
        both!(self, inner => inner.tick())
    }

    pub(crate) fn close(&self) -> Result<()> {
        both!(self, inner => inner.close())
    }
}
