//! What is measured: one trait for estore, for the physical limit and for the peers, so that each workload is written once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::raw::{self, Raw};
use crate::{estore, peers};
use estore_benches::abi::Event;
use estore_benches::data::{DataSet, Query};

/// What an append survives once it has returned; the README has a table of what that means for each engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Buffered,
    Process,
    Interval,
    Power,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Buffered => "buffered",
            Level::Process => "process",
            Level::Interval => "interval",
            Level::Power => "power",
        })
    }
}

/// An open store.
pub trait Engine: Send + Sync {
    fn append(&self, batch: &[Event]) -> Result<()>;

    /// Stores the events that are not there yet, and says how many that were.
    fn append_absent(&self, _batch: &[Event]) -> Result<u64> {
        bail!("this engine has no append-if-absent")
    }

    /// Hands to the system what is still buffered in the process.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Gives the events of the answer to `visit`, in order, in batches as large as the engine can have at once. `scratch` is the
    /// caller's array for them, made once for many scans.
    fn scan(&self, query: &Query, scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()>;

    /// For engines that keep no counts this is reading.
    fn count(&self, query: &Query) -> Result<u64> {
        let mut count = 0;
        self.scan(query, &mut [Event::EMPTY; 512], &mut |batch| count += batch.len() as u64)?;
        Ok(count)
    }

    /// Brings the files into the state in which they stay, and reports what went wrong.
    fn close(self: Box<Self>) -> Result<()>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Estore,
    Efile,
    Raw(raw::Variant),
    Peer(peers::Peer),
}

/// An engine that takes part, by the name that the results use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSpec {
    pub name: String,
    pub kind: Kind,
    /// The shared library, for estore.
    pub library: Option<PathBuf>,
}

impl EngineSpec {
    pub fn open(&self, dir: &Path, level: Level, data: &DataSet) -> Result<Box<dyn Engine>> {
        let open = || match self.kind {
            Kind::Estore | Kind::Efile => estore::open(self.library()?, self.kind == Kind::Efile, dir, level, data),
            Kind::Raw(variant) => Ok(Box::new(Raw::open(variant, dir, level, data)?) as Box<dyn Engine>),
            Kind::Peer(peer) => peer.open(dir, level),
        };
        open().with_context(|| format!("{} cannot be opened", self.name))
    }

    pub fn library(&self) -> Result<&Path> {
        self.library.as_deref().context("no library was named")
    }

    pub fn is_estore(&self) -> bool {
        matches!(self.kind, Kind::Estore | Kind::Efile)
    }

    pub fn is_peer(&self) -> bool {
        matches!(self.kind, Kind::Peer(_))
    }
}

/// Syncs once a second, for engines that have no such level themselves. Ends when it is dropped.
pub struct SyncEachSecond {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SyncEachSecond {
    pub fn start<T: Send + Sync + 'static>(shared: &Arc<T>, sync: impl Fn(&T) -> Result<()> + Send + 'static) -> SyncEachSecond {
        let shared = Arc::clone(shared);
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                sync(&shared).expect("the sync of each second failed");
            }
        });
        SyncEachSecond { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for SyncEachSecond {
    fn drop(&mut self) {
        self.stop.take();
        let panicked = self.thread.take().is_some_and(|thread| thread.join().is_err());
        assert!(!panicked || std::thread::panicking(), "the syncing thread failed");
    }
}
