//! estore as an engine, through its C ABI.

use std::path::Path;

use anyhow::Result;

use crate::engine::{Engine, Level};
use estore_benches::abi::{self, Api, Event, Store};
use estore_benches::data::{DataSet, GRACE_NS, Query};

pub fn open(library: &Path, efile: bool, dir: &Path, level: Level, data: &DataSet) -> Result<Box<dyn Engine>> {
    // Leaked: one for each process, which measures one thing and ends.
    let api: &'static Api = Box::leak(Box::new(Api::load(library, efile)?));
    open_with(api, dir, level, data)
}

pub fn open_with(api: &'static Api, dir: &Path, level: Level, data: &DataSet) -> Result<Box<dyn Engine>> {
    let durability = match level {
        Level::Buffered => abi::DURABILITY_BUFFERED,
        Level::Process => abi::DURABILITY_PROCESS,
        Level::Interval => abi::DURABILITY_INTERVAL,
        Level::Power => abi::DURABILITY_POWER,
    };
    let options = abi::Options::new(durability, data.file_size_ns, GRACE_NS);
    Ok(Box::new(Estore(api.open(dir, options)?)))
}

struct Estore(Store<'static>);

impl Engine for Estore {
    fn append(&self, batch: &[Event]) -> Result<()> {
        self.0.append(batch)
    }

    fn append_absent(&self, batch: &[Event]) -> Result<u64> {
        self.0.append_absent(batch)
    }

    /// Counting must see all that was appended, so it flushes first, even where there is nothing to count. (A sync would do more: it
    /// waits for the disk.)
    fn flush(&self) -> Result<()> {
        self.0.count(0, 0)?;
        Ok(())
    }

    fn scan(&self, query: &Query, scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let mut iter = self.0.read(query.start, query.end, query.reverse, query.limit)?;
        loop {
            match iter.next_batch(scratch)? {
                0 => return Ok(()),
                n => visit(&scratch[..n]),
            }
        }
    }

    fn count(&self, query: &Query) -> Result<u64> {
        self.0.count(query.start, query.end)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}
