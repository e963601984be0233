//! Opening what is in a folder, estore or efile, and calling it without having to know which of the two it is.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

use anyhow::{Result, bail};
use estore::{
    Appended, AsEvent, Compacted, Digest, Efile, Error, Export, Finding, Level, Mode, Options, Progress, ReadOptions, Reader,
    RepairOptions, Repaired, Snapshot, Stats, Store, Tail, Verified,
};

use crate::output;

/// An open store of either kind.
pub(crate) enum AnyStore {
    Estore(Store),
    Efile(Efile),
}

macro_rules! call {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Estore($store) => Ok($call?),
            AnyStore::Efile($store) => Ok($call?),
        }
    };
}

/// Options that tell what the engine has to say on stderr.
pub(crate) fn options(mode: Mode) -> Options {
    Options::new().mode(mode).log(|level, message| match level {
        Level::Error | Level::Warning => output::warn(message),
        Level::Info => {}
    })
}

impl AnyStore {
    /// Opens what is there; what is created is an estore.
    pub(crate) fn open(path: &Path, options: Options) -> Result<AnyStore> {
        match Store::open(path, options.clone()) {
            Ok(store) => Ok(AnyStore::Estore(store)),
            // Perhaps it is one of the other kind.
            Err(refused @ Error::NotAStore { .. }) => match Efile::open(path, options) {
                Ok(efile) => Ok(AnyStore::Efile(efile)),
                Err(Error::NotAStore { .. } | Error::Invalid { .. }) => Err(refused.into()),
                Err(other) => Err(other.into()),
            },
            Err(other) => Err(other.into()),
        }
    }

    pub(crate) fn open_to_read(path: &Path) -> Result<AnyStore> {
        AnyStore::open(path, options(Mode::ReadOnly))
    }

    /// Makes a new one of the same kind and with the same settings.
    pub(crate) fn create_like(&self, path: &Path, options: Options) -> Result<AnyStore> {
        let options = options.mode(Mode::CreateNew);
        Ok(match self {
            AnyStore::Estore(store) => AnyStore::Estore(Store::open(path, options.file_size(store.file_size()).grace(store.grace()))?),
            AnyStore::Efile(efile) => AnyStore::Efile(Efile::open(path, options.grace(efile.grace()))?),
        })
    }

    /// The time range of a chunk; 0 for an efile, which has one for all times.
    pub(crate) fn file_size(&self) -> u64 {
        match self {
            AnyStore::Estore(store) => store.file_size(),
            AnyStore::Efile(_) => 0,
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            AnyStore::Estore(_) => "estore",
            AnyStore::Efile(_) => "efile",
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            AnyStore::Estore(store) => store.path(),
            AnyStore::Efile(store) => store.path(),
        }
    }

    /// What only an estore can do.
    pub(crate) fn estore(&self, what: &str) -> Result<&Store> {
        match self {
            AnyStore::Estore(store) => Ok(store),
            AnyStore::Efile(store) => bail!("{}: an efile, which has no {what}", store.path().display()),
        }
    }

    pub(crate) fn append<E: AsEvent>(&self, events: &[E]) -> Result<u64> {
        call!(self, store => store.append(events))
    }

    pub(crate) fn append_absent<E: AsEvent>(&self, events: &[E]) -> Result<Appended> {
        call!(self, store => store.append_absent(events))
    }

    pub(crate) fn read(&self, range: RangeInclusive<u64>, options: ReadOptions) -> Result<Reader> {
        call!(self, store => store.read_with(range, options))
    }

    pub(crate) fn tail(&self, after: u64) -> Result<Tail> {
        call!(self, store => store.tail(after))
    }

    pub(crate) fn count(&self, range: RangeInclusive<u64>) -> Result<u64> {
        call!(self, store => store.count(range))
    }

    pub(crate) fn stats(&self) -> Result<Stats> {
        call!(self, store => store.stats())
    }

    pub(crate) fn verify(
        &self,
        receiver: impl FnMut(Finding) -> ControlFlow<()>,
        progress: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Verified> {
        call!(self, store => store.verify_telling(receiver, progress))
    }

    pub(crate) fn compact(&self, range: RangeInclusive<u64>, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Compacted> {
        call!(self, store => store.compact(range, receiver))
    }

    pub(crate) fn snapshot(&self, path: &Path, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Snapshot> {
        call!(self, store => store.snapshot(path, receiver))
    }

    pub(crate) fn digest(&self, range: RangeInclusive<u64>, width: u64, progress: impl FnMut(Progress)) -> Result<Digest> {
        call!(self, store => store.digest_telling(range, width, progress))
    }

    pub(crate) fn repair(
        &self,
        from: &AnyStore,
        range: RangeInclusive<u64>,
        options: RepairOptions,
        receiver: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Repaired> {
        match (self, from) {
            (AnyStore::Estore(to), AnyStore::Estore(from)) => Ok(to.repair(from, range, options, receiver)?),
            (AnyStore::Efile(to), AnyStore::Efile(from)) => Ok(to.repair(from, range, options, receiver)?),
            _ => bail!(
                "{} is an {} and {} an {}: only stores of one kind are repaired; export and import work between the two",
                self.path().display(),
                self.kind(),
                from.path().display(),
                from.kind()
            ),
        }
    }

    pub(crate) fn export(&self, range: RangeInclusive<u64>, options: ReadOptions) -> Result<Export> {
        call!(self, store => store.export(range, options))
    }

    pub(crate) fn import(&self, parcel: &[u8]) -> Result<Appended> {
        call!(self, store => store.import(parcel))
    }

    pub(crate) fn close(&self) -> Result<()> {
        call!(self, store => store.close())
    }
}

/// What to do about an error of the engine, where there is something to do.
pub(crate) fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::NotFound { .. } => Some("append and import make a store with --create"),
        Error::NotAStore { .. } | Error::NotAFolder { .. } | Error::ForeignFiles { .. } => Some("nothing there was changed"),
        Error::Locked { .. } => Some(
            "one process writes at a time; read, stat, verify, salvage, snapshot, digest, diff, export and delete --dry-run work beside it",
        ),
        Error::NoSpace { .. } => Some("what was stored before is there; it works again once there is space"),
        Error::Corrupt { path, .. } if path == Path::new("parcel") => {
            Some("the parcels before it are stored; export and import again for the rest")
        }
        Error::Corrupt { path, .. } if path.file_name().is_some_and(|name| name == "estore") => {
            Some("a store can't be opened without its settings; the file of that name in a snapshot of it is the same one")
        }
        Error::Corrupt { .. } => Some("estore verify finds all that is damaged; estore salvage makes a new store of what is left"),
        Error::Poisoned { .. } | Error::OutcomeUnknown { .. } => {
            Some("running it again opens the store anew; with --absent nothing is stored twice")
        }
        Error::Gone { .. } => Some("run it again: it then begins where the store begins now"),
        Error::Settings { .. } => Some("settings are given once, when a store is made"),
        _ => None,
    }
}
