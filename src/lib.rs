//! estore is an embedded, append-only store for mostly ordered, time-indexed events and logs. What SQLite is to tables, estore is to event
//! streams: a library, no server.
//!
//! An event is a time (64 bits, by convention nanoseconds since the Unix epoch), a 32-bit id and some bytes. Events may be appended in any
//! order and come out in exact order of time, equal times in the order of their arrival; a time range costs what its events cost, however
//! large the store is and however late the events came.
//!
//! ```
//! use estore::{Event, Options, Store};
//!
//! # fn main() -> estore::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("events");
//! let store = Store::open(&path, Options::new().file_size(estore::duration::parse("1d")?))?;
//! store.append(&[Event::at(3_000, "third"), Event::at(1_000, "first"), Event::at(2_000, "second")])?;
//! for event in store.read(1_000..=2_000)? {
//!     let event = event?;
//!     println!("{} {}", event.time, String::from_utf8_lossy(&event.data));
//! }
//! assert_eq!(store.count(..)?, 3);
//! store.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//!
//! Not a database: there are no queries but time ranges, no updates, no indexes by content. Not a message broker: nothing leaves the
//! machine. Not for several writing processes: one writes, any number read.
//!
//! # The map
//!
//! | module | what |
//! | --- | --- |
//! | `event`, `error`, `options`, [`duration`] | the words that everything else speaks |
//! | `store` | chunks by time: the journal, appending, reading across chunks, deleting |
//! | `efile` | one chunk: frames, the log, its index, late events, recovery, the ordered merge |
//! | `repair` | replicas: digests, bringing two together, events to be carried, cutting ranges at chunk borders |
//! | [`disk`] | the only place that talks to the operating system; the real disk and a simulated one |
//! | `order` | sorting events by time |
//! | `threads` | locks and threads, the seam for tests of how they interleave |
//! | `ffi` | the C interface: no logic |
//! | [`mod@format`] | the files, byte by byte |
//!
//! Calls go one way: `ffi` → `store` → `efile` → `disk`.

mod bytes;
pub mod disk;
pub mod duration;
mod efile;
mod error;
mod event;
mod ffi;
pub mod format;
mod options;
mod order;
#[cfg(feature = "planted")]
#[doc(hidden)]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod repair;
mod store;
mod threads;

pub use efile::read::{Batch, BatchIter, Gap};
pub use efile::verify::FindingKind;
pub use error::{Error, Result};
pub use event::{AsEvent, Event, EventRef, event_id, now};
#[doc(hidden)]
pub use options::Sizes;
pub use options::{
    Compression, DEFAULT_FILE_SIZE_NS, DEFAULT_GRACE_NS, DEFAULT_MAX_EVENT_LEN, Durability, LARGEST_EVENT_LEN, Level, LogFn, Mode, Options,
};
pub use repair::digest::{Bucket, Digest};
pub use repair::exchange::Exchange;
pub use repair::parcel::Export;
pub use repair::splits::Splits;
pub use repair::union::{Copied, RepairOptions, Repaired};
pub use store::{
    Appended, Compacted, Efile, Finding, Progress, ReadOptions, Reader, RetainOptions, Retained, Snapshot, Stats, Store, Tail, TailBatch,
    Tailed, Verified,
};
