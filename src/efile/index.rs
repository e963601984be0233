//! The index: where in a log (or recon run) which times lie. Sparse, derived, disposable.
//!
//! ```text
//!   EntryList                    Segment: up to 256 entries and their common bounds
//!  ┌──────────┬──────────┬─ ─   ┌─────────────────────────────────────────────┐
//!  │ Segment ─┼─ Segment │      │ Entry  64 KiB of log: offset, length, count,│
//!  └──────────┴──────────┴─ ─   │        smallest and largest key             │
//!                               └─────────────────────────────────────────────┘
//! ```
//!
//! One entry describes about 64 KiB of a log: one frame, or a run of small ones. Main frames and late frames have entries of their own.
//! Nothing about the order of entries is assumed: a range is found by comparing the bounds of the segments and then of the entries in
//! those that overlap, which for a log of 10 GB are some 700 and some 256 comparisons. Segments are shared with open iterators, so a
//! snapshot of the list copies pointers only.
//!
//! The file (`N-G.idx`) holds the entries of a log up to some offset. What is behind that offset is found by walking over the log; a file
//! that is missing, cut, damaged, of another log or of a log that was cut since is ignored. [`crate::format`] has its layout.

use std::sync::Arc;

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::error::Result;
use crate::event::Key;
use crate::planted::{self, Bug};

use super::frame::{ALONE, Header, LATE, MAX_HEADER_LEN, MIN_FRAME_LEN};
use super::log::{LOG_HEADER_LEN, LogId, Stretch};

/// An entry grows until it covers this many bytes.
const ENTRY_TARGET_LEN: u64 = 64 << 10;
/// An entry may cover bytes of others (main between late frames and the other way round) up to its own length plus this.
const ENTRY_WASTE_LEN: u64 = 4 << 10;
/// Nor does it grow beyond this many events: some take hardly any bytes, but all take memory when they are read.
const ENTRY_MAX_COUNT: u32 = 16 << 10;
const SEGMENT_LEN: usize = 256;

/// A piece of a file that holds frames, with the bounds of their events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where its first frame starts.
    pub(crate) offset: u64,
    /// From there to the end of its last frame, whatever lies between.
    pub(crate) len: u32,
    /// Events in its frames.
    pub(crate) count: u32,
    pub(crate) first: Key,
    pub(crate) last: Key,
    /// The largest seq in it.
    pub(crate) seq_high: u64,
    /// Bytes of its own frames.
    own_len: u32,
}

/// Length of an entry in a file.
const ENTRY_LEN: usize = 64;

/// About how long the index file of a log of this length is.
pub(crate) fn about_len(log_len: u64) -> u64 {
    PART_HEADER_LEN as u64 + log_len.div_ceil(ENTRY_TARGET_LEN).saturating_mul(ENTRY_LEN as u64)
}

impl Entry {
    /// The entry of one frame.
    pub(crate) fn of(header: &Header) -> Entry {
        Entry {
            offset: header.offset,
            len: u32::try_from(header.frame_len()).unwrap_or(u32::MAX),
            count: header.count,
            first: header.first,
            last: header.last,
            seq_high: header.seq_high,
            own_len: u32::try_from(header.frame_len()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }

    /// Takes in another frame, further on in the same file, if the entry stays small enough.
    fn extend(&mut self, header: &Header) -> bool {
        let len = header.end().saturating_sub(self.offset);
        let own_len = u64::from(self.own_len) + header.frame_len();
        let count = self.count.saturating_add(header.count);
        let fits = count <= ENTRY_MAX_COUNT && len <= ENTRY_TARGET_LEN && len - own_len.min(len) <= own_len + ENTRY_WASTE_LEN;
        if fits {
            self.len = len as u32;
            self.own_len = own_len as u32;
            self.count = count;
            self.first = self.first.min(header.first);
            self.last = self.last.max(header.last);
            self.seq_high = self.seq_high.max(header.seq_high);
        }
        fits
    }

    fn encode(&self, late: bool, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.len.to_le_bytes());
        bytes.extend_from_slice(&self.count.to_le_bytes());
        for key in [self.first, self.last] {
            bytes.extend_from_slice(&key.time.to_le_bytes());
            bytes.extend_from_slice(&key.seq.to_le_bytes());
        }
        bytes.extend_from_slice(&self.seq_high.to_le_bytes());
        bytes.extend_from_slice(&self.own_len.to_le_bytes());
        bytes.extend_from_slice(&u32::from(late).to_le_bytes());
    }

    /// Reads an entry that must lie within `from..to` of its file; with it whether it is one of late frames.
    fn decode(bytes: &[u8], from: u64, to: u64) -> Option<(Entry, bool)> {
        let entry = Entry {
            offset: u64_at(bytes, 0),
            len: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            first: Key::new(u64_at(bytes, 16), u64_at(bytes, 24)),
            last: Key::new(u64_at(bytes, 32), u64_at(bytes, 40)),
            seq_high: u64_at(bytes, 48),
            own_len: u32_at(bytes, 56),
        };
        let late = u32_at(bytes, 60);
        let sane = entry.offset >= from
            && entry.end() <= to
            && entry.count > 0
            && entry.first <= entry.last
            && entry.own_len as usize >= MIN_FRAME_LEN
            && entry.own_len <= entry.len
            && late <= 1;
        sane.then_some((entry, late == 1))
    }
}

/// Appends entries in the layout of files.
pub(crate) fn encode_entries(list: &EntryList, bytes: &mut Vec<u8>) {
    for entry in list.iter() {
        entry.encode(false, bytes);
    }
}

/// Reads `entries` entries at `at`, which lie within `from..to` of what they describe; with each whether it is one of late frames. `None` if
/// they are not what was written, which is found out piece by piece: a header can claim any number.
pub(crate) fn read_entries(file: &Handle, at: u64, entries: usize, crc: u32, from: u64, to: u64) -> Option<Vec<(Entry, bool)>> {
    const PIECE_ENTRIES: usize = 1024;
    let mut list = Vec::new();
    let mut found = crc32fast::Hasher::new();
    let mut piece = vec![0; entries_len(entries.min(PIECE_ENTRIES))];
    while list.len() < entries {
        let piece = piece.get_mut(..entries_len((entries - list.len()).min(PIECE_ENTRIES)))?;
        file.read_exact(piece, at + entries_len(list.len()) as u64).ok()?;
        found.update(piece);
        for entry in piece.chunks(ENTRY_LEN) {
            list.push(Entry::decode(entry, from, to)?);
        }
    }
    (found.finalize() == crc).then_some(list)
}

/// Length of `entries` entries in a file.
pub(crate) fn entries_len(entries: usize) -> usize {
    entries * ENTRY_LEN
}

/// Up to 256 entries with their common bounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) entries: Vec<Entry>,
    first: Option<Key>,
    last: Option<Key>,
    count: u64,
    seq_high: u64,
}

impl Segment {
    /// The smallest key.
    pub(crate) fn first(&self) -> Key {
        self.first.unwrap_or(Key::MAX)
    }

    /// The largest key.
    pub(crate) fn last(&self) -> Key {
        self.last.unwrap_or(Key::MIN)
    }

    /// The largest seq in it.
    pub(crate) fn seq_high(&self) -> u64 {
        self.seq_high
    }

    fn widen(&mut self, first: Key, last: Key, count: u32, seq_high: u64) {
        self.first = Some(self.first().min(first));
        self.last = Some(self.last().max(last));
        self.count += u64::from(count);
        self.seq_high = self.seq_high.max(seq_high);
    }
}

/// Entries in the order of their file. Cloning shares the segments.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntryList {
    segments: Vec<Arc<Segment>>,
    /// Whether the last entry may still grow.
    open: bool,
}

impl EntryList {
    pub(crate) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.segments.iter().flat_map(|segment| &segment.entries)
    }

    /// The entries from the `skip`-th on.
    fn iter_from(&self, skip: usize) -> impl Iterator<Item = &Entry> {
        // All segments but the last are full.
        let segments = self.segments.get(skip / SEGMENT_LEN..).unwrap_or_default();
        segments.iter().flat_map(|segment| &segment.entries).skip(skip % SEGMENT_LEN)
    }

    /// The smallest key and the largest.
    pub(crate) fn bounds(&self) -> Option<(Key, Key)> {
        let first = self.segments.iter().map(|segment| segment.first()).min()?;
        let last = self.segments.iter().map(|segment| segment.last()).max()?;
        Some((first, last))
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.last().map_or(0, |last| (self.segments.len() - 1) * SEGMENT_LEN + last.entries.len())
    }

    /// Bytes that all of them take.
    pub(crate) fn bytes(&self) -> u64 {
        self.iter().map(|entry| u64::from(entry.len)).sum()
    }

    /// The next frame's entry must be a new one.
    pub(crate) fn close_last(&mut self) {
        self.open = false;
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if self.segments.last().is_none_or(|segment| segment.entries.len() >= SEGMENT_LEN) {
            self.segments.push(Arc::default());
        }
        if let Some(segment) = self.segments.last_mut() {
            let segment = Arc::make_mut(segment);
            segment.widen(entry.first, entry.last, entry.count, entry.seq_high);
            segment.entries.push(entry);
        }
        self.open = false;
    }

    /// Takes in the next frame of the file, into the last entry if that stays small.
    pub(crate) fn add(&mut self, header: &Header) {
        // What is compressed is a whole entry when it is decompressed.
        let alone = header.has(ALONE) || header.is_compressed();
        if self.open
            && !alone
            && let Some(segment) = self.segments.last_mut()
        {
            let segment = Arc::make_mut(segment);
            if segment.entries.last_mut().is_some_and(|entry| entry.extend(header)) {
                segment.widen(header.first, header.last, header.count, header.seq_high);
                return;
            }
        }
        self.push(Entry::of(header));
        self.open = !alone;
    }

    /// Adds up the entries that lie within `first..=last` and hold nothing newer than `seq`, and hands the others that overlap to `border`.
    pub(crate) fn count(&self, first: Key, last: Key, seq: u64, mut border: impl FnMut(&Entry)) -> u64 {
        let mut sum = 0;
        for segment in &self.segments {
            if segment.last() < first || last < segment.first() {
                continue;
            }
            if first <= segment.first() && segment.last() <= last && segment.seq_high <= seq {
                sum += segment.count;
                continue;
            }
            for entry in &segment.entries {
                if entry.last < first || last < entry.first {
                    continue;
                }
                if first <= entry.first && entry.last <= last && entry.seq_high <= seq {
                    sum += u64::from(entry.count);
                } else {
                    border(entry);
                }
            }
        }
        sum
    }

    /// What the list takes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.segments.len() * size_of::<Segment>() + self.len() * size_of::<Entry>()
    }
}

/// A stretch of a log that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) what: &'static str,
}

/// What is known of a log's frames up to an offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogIndex {
    pub(crate) main: EntryList,
    /// Late frames that no recon run holds yet.
    pub(crate) late: EntryList,
    /// Where frames are missing, with times unknown.
    pub(crate) damage: Vec<Damage>,
    /// Up to where the log's frames are in here.
    pub(crate) covered: u64,
    /// The last frame that is in here.
    tail: Tail,
    file: FileState,
}

/// Names a frame well enough to recognize it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) offset: u64,
    pub(crate) crc: u32,
}

/// What the index file holds of a [`LogIndex`].
#[derive(Clone, Debug, Default)]
struct FileState {
    /// Its length, as far as it is believed.
    len: u64,
    /// It has bytes behind that.
    excess: bool,
    /// Up to where it covers the log.
    covered: u64,
    /// How many main entries it has.
    main: usize,
    /// Late entries that it lacks though the list has dropped them: should the recon file be lost, they must be found.
    missing_late: Vec<Entry>,
}

impl LogIndex {
    /// An index of nothing: the whole log is still to be walked over.
    pub(crate) fn new() -> LogIndex {
        let start = LOG_HEADER_LEN as u64;
        LogIndex { covered: start, file: FileState { covered: start, ..FileState::default() }, ..LogIndex::default() }
    }

    /// Takes in the next frame of the log.
    pub(crate) fn add(&mut self, header: &Header) {
        if header.has(LATE) {
            self.late.add(header)
        } else {
            self.main.add(header)
        }
        self.covered = header.end();
        self.tail = Tail { offset: header.offset, crc: header.crc };
    }

    /// Takes in what a walk over a log of `log_len` bytes, without a look at bodies, has come to.
    pub(crate) fn take(&mut self, stretch: &Stretch, log_len: u64) {
        match *stretch {
            Stretch::Frame(header) => self.add(&header),
            Stretch::DamagedBody(Header { offset, .. }) => {
                self.add_damage(Damage { offset, len: log_len.saturating_sub(offset), what: "the log ends within a frame" });
            }
            Stretch::Damage { offset, len, what } => self.add_damage(Damage { offset, len, what }),
            Stretch::Zeros { offset, len } => self.add_damage(Damage { offset, len, what: "zeros where frames were" }),
        }
    }

    /// Notes that bytes from the covered offset on can't be read.
    fn add_damage(&mut self, damage: Damage) {
        self.main.close_last();
        self.late.close_last();
        self.covered = damage.offset.saturating_add(damage.len);
        self.damage.push(damage);
    }

    /// The last frame that is in here.
    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// Whether one entry describes late frames before the offset together with some behind it.
    pub(crate) fn describes_together(&self, offset: u64) -> bool {
        self.late.iter().any(|entry| entry.offset < offset && offset < entry.end())
    }

    /// Forgets the late entries before `offset`, which none lies around: the recon file holds them. If the index file is to be written, it is
    /// to have them still.
    pub(crate) fn absorb_late_before(&mut self, offset: u64, is_written: bool) {
        let mut rest = EntryList::default();
        for entry in self.late.iter() {
            if entry.offset >= offset {
                rest.push(*entry);
            } else if is_written && entry.offset >= self.file.covered {
                self.file.missing_late.push(*entry);
            }
        }
        self.late = rest;
    }

    /// Length of the index file, as far as it is believed.
    pub(crate) fn file_len(&self) -> u64 {
        self.file.len
    }

    /// How many entries the index file lacks, not counting the few of late frames that no run holds yet.
    pub(crate) fn unwritten(&self) -> usize {
        self.main.len().saturating_sub(self.file.main) + self.file.missing_late.len()
    }

    /// Whether the index file is not just what is known.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.file.covered < self.covered || self.file.excess
    }

    /// What it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.main.memory() + self.late.memory() + self.file.missing_late.len() * size_of::<Entry>()
    }

    /// Brings the index file up to what is in here. An index with damage in it is not written: whoever reads the log next must meet the
    /// damage too.
    pub(crate) fn write(&mut self, folder: &Folder, id: LogId, instance: u64) -> Result<()> {
        if !self.damage.is_empty() || !self.is_unfinished() {
            return Ok(());
        }
        if self.covered <= self.file.covered {
            folder.open(&id.index_name(), Access::Write)?.truncate(self.file.len)?;
            self.file.excess = false;
            return Ok(());
        }
        self.main.close_last();
        self.late.close_last();
        let mut body = Vec::new();
        for entry in self.main.iter_from(self.file.main) {
            entry.encode(false, &mut body);
        }
        for entry in self.file.missing_late.iter().chain(self.late.iter().filter(|entry| entry.offset >= self.file.covered)) {
            entry.encode(true, &mut body);
        }
        let part = Part { entries: body.len() / ENTRY_LEN, from: self.file.covered, to: self.covered, tail: self.tail };
        let mut bytes = part.encode(instance, &body).to_vec();
        bytes.append(&mut body);
        let name = id.index_name();
        let file = if self.file.len == 0 { folder.create_anew(&name)? } else { folder.open(&name, Access::Write)? };
        // Parts behind those that are believed would come to stand behind this one.
        if file.len()? > self.file.len {
            file.truncate(self.file.len)?;
        }
        file.write_all(&bytes, self.file.len)?;
        self.file.len += bytes.len() as u64;
        self.file.excess = false;
        self.file.covered = self.covered;
        self.file.main = self.main.len();
        self.file.missing_late.clear();
        Ok(())
    }

    /// Reads the index file of a log of `log_len` bytes as far as it can be believed. An index that knows nothing is the answer to anything
    /// that is wrong with the file.
    ///
    /// The last frame that the file covers is compared with the log: where that differs, the log was cut and went on differently.
    pub(crate) fn read(folder: &Folder, id: LogId, instance: u64, log: &Handle, log_len: u64) -> LogIndex {
        let Ok(Some(file)) = folder.open_if_there(&id.index_name(), Access::Read) else { return LogIndex::new() };
        let mut index = LogIndex::new();
        let mut len = 0;
        while let Some((part, entries)) = read_part(&file, len, instance, &index, log_len) {
            for (entry, late) in &entries {
                if *late { index.late.push(*entry) } else { index.main.push(*entry) }
            }
            index.covered = part.to;
            index.tail = part.tail;
            len += (PART_HEADER_LEN + entries.len() * ENTRY_LEN) as u64;
        }
        if !tail_fits(log, instance, index.tail, index.covered) {
            return LogIndex::new();
        }
        let excess = file.len().is_ok_and(|file_len| file_len > len);
        index.file = FileState { len, excess, covered: index.covered, main: index.main.len(), missing_late: Vec::new() };
        index
    }
}

/// Reads the part of an index file at `at`, if it is one that goes on where `index` ends.
fn read_part(file: &Handle, at: u64, instance: u64, index: &LogIndex, log_len: u64) -> Option<(Part, Vec<(Entry, bool)>)> {
    let mut header = [0; PART_HEADER_LEN];
    file.read_exact(&mut header, at).ok()?;
    let (part, body_crc) = Part::decode(&header, instance)?;
    let follows = part.from == index.covered && part.from < part.to && part.to <= log_len;
    // An entry stands for a frame at least.
    if !follows || part.entries as u64 > (part.to - part.from) / MIN_FRAME_LEN as u64 {
        return None;
    }
    let entries = read_entries(file, at + PART_HEADER_LEN as u64, part.entries, body_crc, part.from, part.to)?;
    Some((part, entries))
}

/// Whether the frame `tail` stands in the log and ends at `end`.
pub(crate) fn tail_fits(log: &Handle, instance: u64, tail: Tail, end: u64) -> bool {
    let mut bytes = [0; MAX_HEADER_LEN];
    let found = log.read_up_to(&mut bytes, tail.offset).ok().and_then(|found| bytes.get(..found)).unwrap_or_default();
    planted::has(Bug::TrustStaleFiles)
        || Header::decode(found, instance, tail.offset).is_ok_and(|header| header.crc == tail.crc && header.end() == end)
}

// The file is a row of parts, each with the entries of the frames in `from..to` of the log.

const PART_MAGIC: u32 = u32::from_le_bytes(*b"eIdx");
const PART_HEADER_LEN: usize = 56;

struct Part {
    entries: usize,
    from: u64,
    to: u64,
    /// The last frame before `to`.
    tail: Tail,
}

impl Part {
    fn encode(&self, instance: u64, body: &[u8]) -> [u8; PART_HEADER_LEN] {
        let mut bytes = [0; PART_HEADER_LEN];
        put(&mut bytes, 0, &PART_MAGIC.to_le_bytes());
        put(&mut bytes, 8, &instance.to_le_bytes());
        put(&mut bytes, 16, &self.from.to_le_bytes());
        put(&mut bytes, 24, &self.to.to_le_bytes());
        put(&mut bytes, 32, &self.tail.offset.to_le_bytes());
        put(&mut bytes, 40, &self.tail.crc.to_le_bytes());
        put(&mut bytes, 44, &(self.entries as u32).to_le_bytes());
        put(&mut bytes, 48, &crc32(body).to_le_bytes());
        let crc = crc32(&bytes[8..]);
        put(&mut bytes, 4, &crc.to_le_bytes());
        bytes
    }

    /// The part and the checksum of its entries.
    fn decode(bytes: &[u8], instance: u64) -> Option<(Part, u32)> {
        let ours =
            u32_at(bytes, 0) == PART_MAGIC && u32_at(bytes, 4) == crc32(bytes.get(8..PART_HEADER_LEN)?) && u64_at(bytes, 8) == instance;
        let part = Part {
            entries: u32_at(bytes, 44) as usize,
            from: u64_at(bytes, 16),
            to: u64_at(bytes, 24),
            tail: Tail { offset: u64_at(bytes, 32), crc: u32_at(bytes, 40) },
        };
        ours.then(|| (part, u32_at(bytes, 48)))
    }
}
