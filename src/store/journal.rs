//! The journal: a small log of facts about the store as a whole, in the order in which they became true.
//!
//! ```text
//!   ┌────────────┬─────────┬────────────┬────────────┬──────────┬─────────┬───────┐
//!   │ header, 64 │ session │ active 7-0 │ active 8-0 │ idle 7-0 │ horizon │ close │    records of 128 bytes
//!   └────────────┴─────────┴────────────┴────────────┴──────────┴─────────┴───────┘
//! ```
//!
//! - *session*: seqs from a start on, below a limit, may be given out. Written and synced before the first of them is.
//! - *active*: this log may grow, from the state that the record gives. Written before its first frame.
//! - *idle*: this log is synced and closed, in the state that the record gives. What is missing of it later is damage.
//! - *horizon*: events before this time are deleted.
//! - *drop*: this log is gone.
//! - *switch*: this log, which compaction made, takes the place of earlier generations of its chunk.
//! - *close*: everything is idle; the next seq to give out.
//!
//! The journal of a snapshot has no session as long as nobody has opened that for writing. The first session then begins a *branch*: a number
//! that tells what goes on in the snapshot from what goes on in the store that it was taken of, since both have the same id.
//!
//! Opening a store that was closed reads this and nothing else. The journal is written anew, beside the old one and renamed over it, when a
//! writer opens or closes the store and whenever it has grown to several times what it has to say. Its header states how many
//! records it had then, so that a journal that has lost some is found out. Bytes are laid out in [`crate::format`].

use std::collections::BTreeMap;

use crate::bytes::{crc32, put, u16_at, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::efile::LogSummary;
use crate::efile::log::{FORMAT_VERSION, LogId};
use crate::efile::recover::Totals;
use crate::error::{Error, Result};
use crate::planted::{self, Bug};

use super::lockfile;

pub(crate) const NAME: &str = "journal";
pub(crate) const NEW_NAME: &str = "journal.new";

const MAGIC: [u8; 8] = *b"estorjnl";
const HEADER_LEN: usize = 64;
const RECORD_LEN: usize = 128;
const ROOM_LEN: u64 = 64 << 10;
/// Room for so many records is kept for what must work on a full disk: opening, closing, deleting.
pub(super) const SPARE: usize = 32;

/// One fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Session {
        start: u64,
        limit: u64,
        branch: u64,
        /// Events are held back in memory after they have got their seqs.
        buffers: bool,
    },
    Active(LogSummary),
    Idle(LogSummary),
    /// Events before the time are deleted; chunks that were deleted as a whole had seqs up to that one.
    Horizon {
        time: u64,
        removed: u64,
    },
    Drop(LogId),
    /// The log takes the place of those whose events it holds.
    Switch(LogSummary),
    Close {
        next_seq: u64,
        branch: u64,
    },
}

/// A fact, with what was known of seqs when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fact: Fact,
    /// Batches up to this seq are whole.
    pub(crate) committed: u64,
    /// Events up to this seq survive loss of power.
    pub(crate) durable: u64,
}

impl Fact {
    /// That a log is idle, or compacted, as it stands.
    pub(crate) fn at_rest(summary: LogSummary) -> Fact {
        if summary.is_compacted() { Fact::Switch(summary) } else { Fact::Idle(summary) }
    }
}

impl Record {
    /// `synced`: up to there the journal is known to be durable.
    fn encode(&self, instance: u64, offset: u64, synced: u64) -> [u8; RECORD_LEN] {
        let (kind, number, summary) = match self.fact {
            Fact::Session { limit, .. } => (1u16, limit, None),
            Fact::Active(summary) => (2, summary.totals.frames, Some(summary)),
            Fact::Idle(summary) => (3, summary.totals.frames, Some(summary)),
            Fact::Horizon { time, .. } => (4, time, None),
            Fact::Drop(id) => (5, 0, Some(LogSummary { len: 0, ..LogSummary::new(id, 0, None) })),
            Fact::Close { next_seq, .. } => (6, next_seq, None),
            Fact::Switch(summary) => (7, summary.totals.frames, Some(summary)),
        };
        let mut bytes = [0; RECORD_LEN];
        put(&mut bytes, 4, &kind.to_le_bytes());
        put(&mut bytes, 16, &number.to_le_bytes());
        put(&mut bytes, 24, &self.committed.to_le_bytes());
        put(&mut bytes, 32, &self.durable.to_le_bytes());
        put(&mut bytes, 120, &synced.to_le_bytes());
        if let Some(LogSummary { id, instance, len, totals, watermark, .. }) = summary {
            put(&mut bytes, 6, &u16::from(watermark.is_some()).to_le_bytes());
            put(&mut bytes, 8, &id.generation.to_le_bytes());
            let fields = [
                id.chunk,
                instance,
                len,
                totals.count,
                totals.late,
                totals.recon,
                totals.oldest,
                totals.newest,
                totals.last_seq,
                watermark.unwrap_or(0),
            ];
            for (at, field) in (40..).step_by(8).zip(fields) {
                put(&mut bytes, at, &field.to_le_bytes());
            }
        }
        if let Fact::Session { start, buffers, .. } = self.fact {
            put(&mut bytes, 6, &u16::from(buffers).to_le_bytes());
            put(&mut bytes, 40, &start.to_le_bytes());
        }
        if let Fact::Session { branch, .. } | Fact::Close { branch, .. } = self.fact {
            put(&mut bytes, 48, &branch.to_le_bytes());
        }
        if let Fact::Horizon { removed, .. } = self.fact {
            put(&mut bytes, 104, &removed.to_le_bytes());
        }
        if let Fact::Switch(summary) = self.fact {
            put(&mut bytes, 7, &[summary.codec]);
            put(&mut bytes, 12, &summary.replaces.to_le_bytes());
        }
        let crc = checksum(&bytes, instance, offset);
        put(&mut bytes, 0, &crc.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are no record of this place; an inner `None` for a kind that is not known.
    fn decode(bytes: &[u8], instance: u64, offset: u64) -> Option<Option<Record>> {
        if bytes.len() != RECORD_LEN || u32_at(bytes, 0) != checksum(bytes, instance, offset) && !planted::has(Bug::SkipRecordChecksum) {
            return None;
        }
        let u64_at = |at: usize| u64_at(bytes, at);
        let id = LogId { chunk: u64_at(40), generation: u32_at(bytes, 8) };
        let totals = Totals {
            count: u64_at(64),
            late: u64_at(72),
            recon: u64_at(80),
            oldest: u64_at(88),
            newest: u64_at(96),
            last_seq: u64_at(104),
            frames: u64_at(16),
        };
        let watermark = (u16_at(bytes, 6) & 1 == 1).then(|| u64_at(112));
        let kind = u16_at(bytes, 4);
        let (replaces, codec) = if kind == 7 { (u32_at(bytes, 12), bytes.get(7).copied().unwrap_or(0)) } else { (id.generation, 0) };
        let summary = LogSummary { id, replaces, codec, instance: u64_at(48), len: u64_at(56), totals, watermark };
        let fact = match kind {
            1 => Fact::Session { start: u64_at(40), limit: u64_at(16), branch: u64_at(48), buffers: u16_at(bytes, 6) & 1 == 1 },
            2 => Fact::Active(summary),
            3 => Fact::Idle(summary),
            4 => Fact::Horizon { time: u64_at(16), removed: u64_at(104) },
            5 => Fact::Drop(id),
            6 => Fact::Close { next_seq: u64_at(16), branch: u64_at(48) },
            7 => Fact::Switch(summary),
            _ => return Some(None),
        };
        Some(Some(Record { fact, committed: u64_at(24), durable: u64_at(32) }))
    }
}

/// Over the record, the journal's instance and the record's place, so that a record of another time or place is no record.
fn checksum(bytes: &[u8], instance: u64, offset: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes.get(4..).unwrap_or_default());
    crc.update(&instance.to_le_bytes());
    crc.update(&offset.to_le_bytes());
    crc.finalize()
}

/// What a journal says once all of it is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The logs, whether each may have grown since, and a seq: nothing that was written to the log since then has that seq or a smaller one.
    pub(crate) logs: BTreeMap<LogId, (LogSummary, bool, u64)>,
    pub(crate) horizon: u64,
    /// The largest seq in a chunk that was deleted as a whole.
    pub(crate) removed: u64,
    /// No seq from here on was given out.
    pub(crate) next_seq: u64,
    /// Whether the last session ended with a close.
    pub(crate) closed: bool,
    /// There was a session.
    pub(crate) has_session: bool,
    /// This is the journal of a snapshot as it was taken: nothing was written to the store since.
    pub(crate) snapshot: bool,
    /// See [`Fact::Session`].
    pub(crate) branch: u64,
    /// They don't come from the journal, which was damaged, but from the logs.
    pub(crate) found_anew: bool,
    pub(crate) committed: u64,
    pub(crate) durable: u64,
    /// The first seq of the last session.
    pub(crate) session_start: u64,
    /// It holds events back, so that there are more seqs than logs tell.
    pub(crate) buffers: bool,
}

impl Facts {
    fn take(&mut self, record: &Record) {
        let older = record.committed.max(self.session_start.saturating_sub(1));
        self.committed = self.committed.max(record.committed);
        self.durable = self.durable.max(record.durable);
        self.closed = false;
        match record.fact {
            Fact::Session { start, limit, branch, buffers } => {
                self.has_session = true;
                self.branch = branch;
                self.session_start = start;
                self.buffers = buffers;
                self.next_seq = limit;
                // What is written to logs from here on has the seqs of this session, except to those that may have grown before it.
                for (_, active, older) in self.logs.values_mut() {
                    if !*active {
                        *older = start.saturating_sub(1).max(*older);
                    }
                }
            }
            Fact::Active(summary) => drop(self.logs.insert(summary.id, (summary, true, older))),
            Fact::Idle(summary) => drop(self.logs.insert(summary.id, (summary, false, older))),
            Fact::Horizon { time, removed } => {
                self.horizon = self.horizon.max(time);
                self.removed = self.removed.max(removed);
            }
            Fact::Drop(id) => drop(self.logs.remove(&id)),
            Fact::Switch(summary) => self.switch(summary, older),
            Fact::Close { next_seq, branch } => {
                self.branch = branch;
                self.next_seq = next_seq;
                self.closed = true;
            }
        }
    }
}

impl Facts {
    /// A compacted log takes the place of those whose events it holds.
    pub(crate) fn switch(&mut self, summary: LogSummary, older: u64) {
        self.logs.retain(|log, _| log.chunk != summary.id.chunk || !summary.covers(log.generation));
        self.logs.insert(summary.id, (summary, false, older));
    }

    /// Whether a compacted log holds what was in this one.
    pub(crate) fn is_replaced(&self, id: LogId) -> bool {
        let of_chunk = LogId { generation: 0, ..id }..=LogId { generation: u32::MAX, ..id };
        self.logs.range(of_chunk).any(|(_, (summary, ..))| summary.covers(id.generation))
    }
}

/// The open journal of a writer.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: Folder,
    file: Handle,
    store: u128,
    instance: u64,
    len: u64,
    room: u64,
    /// Up to here it is known to be durable.
    synced: u64,
    /// Its last record is a close.
    closed: bool,
}

/// The part of a journal that no sync covers yet.
pub(crate) struct Unsynced {
    file: Handle,
    instance: u64,
    len: u64,
}

impl Unsynced {
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

/// What reading a journal gave.
pub(crate) struct Reading {
    pub(crate) facts: Facts,
    file: Handle,
    instance: u64,
    /// Up to here all records are whole.
    len: u64,
    /// Bytes behind that which are no record: they were being written when the writer died.
    pub(crate) torn: u64,
    /// Why the facts can't be all that there were.
    pub(crate) damage: Option<Error>,
}

impl Reading {
    /// What tells the journal file from others.
    pub(crate) fn instance(&self) -> u64 {
        self.instance
    }

    /// The journal file, told by its instance, and where its whole records ended: two readings with the same end have the same facts.
    pub(crate) fn end(&self) -> (u64, u64) {
        (self.instance, self.len)
    }

    /// To ask for what comes later.
    pub(crate) fn place(self) -> Place {
        Place { file: self.file, len: self.len }
    }

    /// Makes the next reading one of what the disk has; see [`Handle::sync_and_forget`].
    pub(crate) fn forget(&self) -> Result<()> {
        self.file.sync_and_forget()
    }
}

/// Reads the journal of a store. One that is missing or has no header is [`Error::Corrupt`]; one that lacks records has
/// [`Reading::damage`].
pub(crate) fn read(folder: &Folder, store: u128) -> Result<Reading> {
    let Some(file) = folder.open_if_there(NAME, Access::Read)? else {
        return Err(Error::corrupt(&folder.file_path(NAME), 0, "the journal is missing"));
    };
    let bytes = read_believable(&file)?;
    let header = bytes.get(..HEADER_LEN).unwrap_or_default();
    let ours = header.get(..8) == Some(&MAGIC[..])
        && u32_at(header, 60) == crc32(&header[..60])
        && u64_at(header, 16) == store as u64
        && u64_at(header, 24) == (store >> 64) as u64;
    if !ours {
        return Err(Error::corrupt(file.path(), 0, "the header of the journal is not what was written"));
    }
    if u32_at(header, 8) > FORMAT_VERSION {
        return Err(Error::NewerFormat { path: file.path().to_owned(), what: "the journal has a newer format".to_owned() });
    }
    let instance = u64_at(header, 32);
    let mut facts = Facts { next_seq: 1, ..Facts::default() };
    let mut records = bytes.get(HEADER_LEN..).unwrap_or_default().chunks(RECORD_LEN).zip((HEADER_LEN as u64..).step_by(RECORD_LEN));
    let mut end = HEADER_LEN as u64;
    for (bytes, offset) in records.by_ref() {
        match Record::decode(bytes, instance, offset) {
            Some(Some(record)) => facts.take(&record),
            Some(None) => {
                let what = "the journal has records of an unknown kind".to_owned();
                return Err(Error::NewerFormat { path: file.path().to_owned(), what });
            }
            None => break,
        }
        end = offset + RECORD_LEN as u64;
    }
    // Behind the first bad record there may be whole ones: of a crash, unless one of them knows that more was durable.
    let behind = records.filter(|(bytes, offset)| Record::decode(bytes, instance, *offset).is_some());
    let durable = behind.map(|(bytes, _)| u64_at(bytes, 120)).max().unwrap_or(0);
    let made_with = u64_at(header, 40).saturating_mul(RECORD_LEN as u64).saturating_add(HEADER_LEN as u64);
    let damage = (end < durable.max(made_with)).then(|| {
        let what = format!("a record is not what was written, though the journal was durable up to byte {}", durable.max(made_with));
        Error::corrupt(file.path(), end, what)
    });
    let rest = bytes.get(end as usize..).unwrap_or_default();
    let torn = if rest.iter().all(|&byte| byte == 0) { 0 } else { rest.len() as u64 };
    facts.snapshot = facts.closed && !facts.has_session && end == made_with && torn == 0;
    Ok(Reading { facts, file, instance, len: end, torn, damage })
}

/// Where the records of a journal file end.
pub(crate) struct Place {
    file: Handle,
    len: u64,
}

impl Place {
    /// Whether there is anything behind them now.
    pub(crate) fn has_more(&self) -> Result<bool> {
        let mut bytes = [0; RECORD_LEN];
        self.file.read_up_to(&mut bytes, self.len)?;
        Ok(bytes != [0; RECORD_LEN])
    }
}

/// Reads a journal up to its end, or to some way behind the first bad record: the length of the file itself is not believed.
fn read_believable(file: &Handle) -> Result<Vec<u8>> {
    const PIECE_LEN: usize = HEADER_LEN + 8192 * RECORD_LEN;
    const BEHIND_LEN: usize = 16 << 20;
    let mut bytes = Vec::new();
    let mut whole = HEADER_LEN;
    loop {
        let start = bytes.len();
        let left = usize::try_from(file.len()?.saturating_sub(start as u64)).unwrap_or(PIECE_LEN);
        bytes.resize(start + left.min(PIECE_LEN), 0);
        let n = file.read_up_to(bytes.get_mut(start..).unwrap_or_default(), start as u64)?;
        bytes.truncate(start + n);
        let instance = u64_at(&bytes, 32);
        while bytes.get(whole..whole + RECORD_LEN).is_some_and(|record| Record::decode(record, instance, whole as u64).is_some()) {
            whole += RECORD_LEN;
        }
        if n < PIECE_LEN || bytes.len() > whole + BEHIND_LEN {
            return Ok(bytes);
        }
    }
}

impl Journal {
    /// Makes the journal of a new store, or a new one with the same facts in place of a lost or long one, and makes it durable.
    pub(crate) fn create(folder: &Folder, store: u128, records: impl IntoIterator<Item = Record>) -> Result<Journal> {
        let instance = folder.random()?;
        let records: Vec<Record> = records.into_iter().collect();
        let mut bytes = Vec::with_capacity(HEADER_LEN + records.len() * RECORD_LEN);
        bytes.resize(HEADER_LEN, 0);
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 16, &store.to_le_bytes());
        put(&mut bytes, 32, &instance.to_le_bytes());
        put(&mut bytes, 40, &(records.len() as u64).to_le_bytes());
        let crc = crc32(bytes.get(..60).unwrap_or_default());
        put(&mut bytes, 60, &crc.to_le_bytes());
        for record in &records {
            let encoded = record.encode(instance, bytes.len() as u64, 0);
            bytes.extend_from_slice(&encoded);
        }
        let len = bytes.len() as u64;
        let room = len + (SPARE * RECORD_LEN) as u64;
        let write = || -> Result<()> {
            let file = folder.create_anew(NEW_NAME)?;
            file.reserve(0, room)?;
            file.write_all(&bytes, 0)?;
            if planted::has(Bug::RenameBeforeSync) { Ok(()) } else { file.sync() }
        };
        // On a full disk, what there is of it is space for others.
        write().inspect_err(|_| drop(folder.remove_if_there(NEW_NAME)))?;
        folder.rename(NEW_NAME, NAME)?;
        // From here on the old journal is gone: no failure may be taken for one that changed nothing.
        folder.sync().map_err(Error::past_undoing)?;
        lockfile::note(folder, instance);
        // Opened anew for the sake of its name in errors.
        let file = folder.open(NAME, Access::Write).map_err(Error::past_undoing)?;
        let closed = records.last().is_some_and(|record| matches!(record.fact, Fact::Close { .. }));
        Ok(Journal { folder: folder.clone(), file, store, instance, len, room, synced: len, closed })
    }

    /// Goes on with a journal that was read, in the room that it has; what is torn is cut off.
    pub(crate) fn resume(folder: &Folder, store: u128, reading: &Reading) -> Result<Journal> {
        let file = folder.open(NAME, Access::Write)?;
        let (instance, len) = (reading.instance, reading.len);
        let kept = (len + (SPARE * RECORD_LEN) as u64).next_multiple_of(ROOM_LEN);
        let mut room = reading.file.len()?;
        if reading.torn > 0 || room > kept {
            file.truncate(len)?;
            room = room.min(kept);
        }
        // What looks like room may never have been set aside.
        match file.reserve(len, room.saturating_sub(len)) {
            Err(Error::NoSpace { .. }) => room = len,
            other => other?,
        }
        Ok(Journal { folder: folder.clone(), file, store, instance, len, room, synced: 0, closed: reading.facts.closed })
    }

    /// Sets room aside for some records. A failure changes nothing. What must work on a full disk may use the room that is left; everything
    /// else leaves room for [`SPARE`] of them, and for one that says of each active log that it is idle.
    pub(crate) fn reserve(&mut self, records: usize) -> Result<()> {
        let needed = self.len + (records * RECORD_LEN) as u64;
        if needed > self.room {
            let ample = needed.next_multiple_of(ROOM_LEN);
            let reserved = match self.file.reserve(self.len, ample - self.len) {
                Err(Error::NoSpace { .. }) => self.file.reserve(self.len, needed - self.len).map(|()| needed),
                other => other.map(|()| ample),
            };
            self.room = reserved?;
        }
        Ok(())
    }

    /// Whether nothing was appended since it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Appends records; they survive the death of the process. On failure the journal must not be used any more.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(records.len() * RECORD_LEN);
        for record in records {
            let encoded = record.encode(self.instance, self.len + bytes.len() as u64, self.synced);
            bytes.extend_from_slice(&encoded);
        }
        self.file.write_all(&bytes, self.len)?;
        self.len += bytes.len() as u64;
        self.closed = false;
        Ok(())
    }

    /// What a sync must cover, if records were appended since the last one.
    pub(crate) fn unsynced(&self) -> Option<Unsynced> {
        (self.synced < self.len).then(|| Unsynced { file: self.file.clone(), instance: self.instance, len: self.len })
    }

    /// Takes note that what [`Journal::unsynced`] gave is durable.
    pub(crate) fn note_synced(&mut self, unsynced: &Unsynced) {
        // The journal may have been written anew meanwhile.
        if unsynced.instance == self.instance {
            self.synced = self.synced.max(unsynced.len);
        }
    }

    /// Appends records and makes the journal durable.
    pub(crate) fn append_durably(&mut self, records: &[Record]) -> Result<()> {
        self.append(records)?;
        let is = |kind: fn(&Fact) -> bool| records.iter().any(|record| kind(&record.fact));
        if planted::has(Bug::SkipSessionSync) && is(|fact| matches!(fact, Fact::Session { .. }))
            || planted::has(Bug::RemoveBeforeHorizon) && is(|fact| matches!(fact, Fact::Horizon { .. }))
        {
            return Ok(());
        }
        if let Some(unsynced) = self.unsynced() {
            unsynced.sync()?;
            self.note_synced(&unsynced);
        }
        Ok(())
    }

    /// Whether it has grown to several times `needed` records and some slack.
    pub(crate) fn is_long(&self, needed: u64, slack: u64) -> bool {
        self.len / RECORD_LEN as u64 > 3 * needed + slack
    }

    /// Writes the journal anew with just these records.
    pub(crate) fn rewrite(&mut self, records: impl IntoIterator<Item = Record>) -> Result<()> {
        *self = Journal::create(&self.folder, self.store, records)?;
        Ok(())
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// What tells this journal file from those before it.
    pub(crate) fn instance(&self) -> u64 {
        self.instance
    }
}
