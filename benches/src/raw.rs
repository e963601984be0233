//! The physical limit: what the same bytes cost if nothing but the system calls were needed. An event is a header of 20 bytes and its
//! data; there is no order, no index and no recovery.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Level, SyncEachSecond};
use estore_benches::abi::Event;
use estore_benches::data::{DataSet, Feed, Query};

const HEADER_LEN: usize = 20;
/// A read is of so many bytes, less what is not a whole record.
const PIECE_LEN: usize = 256 << 10;
/// What a reader of a sparse index may have to read too much at each end of a window.
const MARGIN_LEN: u64 = 64 << 10;
/// The buffer of the level that keeps events in the process; as large as that of estore.
const BUFFER_LEN: usize = 1 << 20;
/// The space of [`Variant::Reserved`] and [`Variant::Zeroed`].
const RESERVED_LEN: u64 = 2 << 30;
const ZEROED_LEN: u64 = 256 << 20;

/// Ways to reach the limit, of which none is the fastest for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Appends to a file that grows; reads with a checksum over each piece.
    Plain,
    /// Writes into space that fallocate set aside, with the file's size set beforehand.
    Reserved,
    /// Writes into space that holds zeros and was synced, so that a sync has no metadata to write.
    Zeroed,
    /// Reads without checksums.
    Unchecked,
}

pub struct Raw {
    shared: Arc<Shared>,
    checked: bool,
    level: Level,
    /// Room that is set aside; from its end on, writing starts over.
    room: u64,
    /// Where the next batch goes.
    at: AtomicU64,
    /// Records to be written: building them costs nothing in the timed part.
    records: Vec<u8>,
    record_len: usize,
    buffer: Mutex<Vec<u8>>,
    piece: Mutex<Vec<u8>>,
    _ticker: Option<SyncEachSecond>,
}

struct Shared {
    file: File,
}

impl Raw {
    pub fn open(variant: Variant, dir: &Path, level: Level, data: &DataSet) -> Result<Raw> {
        std::fs::create_dir_all(dir)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join("records"))?;
        let room = match variant {
            Variant::Plain | Variant::Unchecked => u64::MAX,
            Variant::Reserved => set_aside(&file, RESERVED_LEN)?,
            Variant::Zeroed => fill_with_zeros(&file, ZEROED_LEN)?,
        };
        let shared = Arc::new(Shared { file });
        let ticker = (level == Level::Interval).then(|| SyncEachSecond::start(&shared, |shared: &Shared| Ok(shared.file.sync_data()?)));
        Ok(Raw {
            checked: variant != Variant::Unchecked,
            shared,
            level,
            room,
            at: AtomicU64::new(0),
            records: encode(data, 0..BUFFER_LEN as u64 / (HEADER_LEN as u64 + u64::from(data.len)) + 1),
            record_len: HEADER_LEN + data.len as usize,
            buffer: Mutex::new(Vec::with_capacity(BUFFER_LEN)),
            piece: Mutex::new(vec![0; PIECE_LEN.max(HEADER_LEN + data.len as usize)]),
            _ticker: ticker,
        })
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        let len = bytes.len() as u64;
        let mut at = self.at.fetch_add(len, Relaxed);
        if self.room != u64::MAX {
            // Overwriting what was written costs the same as writing into the rest of the room would.
            at %= self.room - len;
        }
        Ok(self.shared.file.write_all_at(bytes, at)?)
    }
}

fn set_aside(file: &File, len: u64) -> Result<u64> {
    // SAFETY: the descriptor is open.
    let result = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len as i64) };
    anyhow::ensure!(result == 0, "fallocate: {}", std::io::Error::from_raw_os_error(result));
    file.sync_all()?;
    Ok(len)
}

fn fill_with_zeros(mut file: &File, len: u64) -> Result<u64> {
    for _ in 0..len / BUFFER_LEN as u64 {
        file.write_all(&[0; BUFFER_LEN])?;
    }
    file.sync_all()?;
    Ok(len)
}

fn put_record(records: &mut Vec<u8>, event: &Event) {
    let data = event.data();
    records.extend_from_slice(&event.time.to_le_bytes());
    records.extend_from_slice(&event.id.to_le_bytes());
    records.extend_from_slice(&(data.len() as u32).to_le_bytes());
    records.extend_from_slice(&[0; 4]);
    records.extend_from_slice(data);
}

fn encode(data: &DataSet, numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut feed = Feed::new(data);
    let mut records = Vec::new();
    numbers.for_each(|i| put_record(&mut records, &feed.event(i)));
    records
}

/// Fills one view for each record of a piece; the views end with the piece.
fn decode(piece: &[u8], record_len: usize, events: &mut [Event]) -> usize {
    let records = piece.chunks_exact(record_len);
    let n = records.len().min(events.len());
    for (event, record) in events.iter_mut().zip(records) {
        let number = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
        let time = u64::from(number(0)) | u64::from(number(4)) << 32;
        *event = Event::view(time, number(8), &record[HEADER_LEN..HEADER_LEN + number(12) as usize]);
    }
    n
}

/// Makes the file that the read workloads read: all records in order of time.
pub fn build(dir: &Path, data: &DataSet) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut feed = Feed::new(data);
    let mut order: Vec<(u64, u64)> = (0..data.events).map(|i| (feed.event(i).time, i)).collect();
    order.sort_unstable();
    let mut file = std::io::BufWriter::with_capacity(BUFFER_LEN, File::create_new(dir.join("records"))?);
    let mut record = Vec::new();
    for (_, i) in order {
        record.clear();
        put_record(&mut record, &feed.event(i));
        file.write_all(&record)?;
    }
    file.into_inner().context("flush")?.sync_all()?;
    Ok(())
}

impl Engine for Raw {
    /// Writes prebuilt records in the place of the batch.
    fn append(&self, batch: &[Event]) -> Result<()> {
        let bytes = &self.records[..batch.len() * self.record_len];
        match self.level {
            Level::Buffered => {
                let mut buffer = self.buffer.lock().expect("no other thread failed");
                if buffer.len() + bytes.len() > BUFFER_LEN {
                    self.write(&buffer)?;
                    buffer.clear();
                }
                buffer.extend_from_slice(bytes);
            }
            Level::Process | Level::Interval => self.write(bytes)?,
            Level::Power => {
                self.write(bytes)?;
                self.shared.file.sync_data()?;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.write(&self.buffer.lock().expect("no other thread failed"))
    }

    fn scan(&self, query: &Query, scratch: &mut [Event], visit: &mut dyn FnMut(&[Event])) -> Result<()> {
        let mut piece = self.piece.lock().expect("no other thread failed");
        let record_len = self.record_len as u64;
        let whole = piece.len() as u64 / record_len * record_len;
        let (start, end) = (query.place.start * record_len, query.place.end * record_len);
        let file_len = self.shared.file.metadata()?.len();
        // The margins are whole records, so that pieces begin with one.
        let margin = MARGIN_LEN.div_ceil(record_len) * record_len;
        let (from, to) = (start.saturating_sub(margin), (end + margin).min(file_len));
        let pieces = (to - from).div_ceil(whole);
        for i in 0..pieces {
            let at = from + whole * if query.reverse { pieces - 1 - i } else { i };
            let bytes = &mut piece[..whole.min(to - at) as usize];
            self.shared.file.read_exact_at(bytes, at)?;
            if self.checked {
                std::hint::black_box(crc32fast::hash(bytes));
            }
            let (first, last) = (start.max(at), end.min(at + bytes.len() as u64));
            if first >= last {
                continue;
            }
            let wanted = &bytes[(first - at) as usize..(last - at) as usize];
            let batches = wanted.chunks(scratch.len() * self.record_len);
            let mut give = |batch: &[u8]| {
                let n = decode(batch, self.record_len, scratch);
                if query.reverse {
                    scratch[..n].reverse();
                }
                visit(&scratch[..n]);
            };
            if query.reverse { batches.rev().for_each(&mut give) } else { batches.for_each(&mut give) }
        }
        Ok(())
    }

    /// Room that was set aside and not used is given back.
    fn close(self: Box<Self>) -> Result<()> {
        if self.room != u64::MAX {
            self.shared.file.set_len(self.at.load(Relaxed).min(self.room))?;
        }
        Ok(self.shared.file.sync_all()?)
    }
}
