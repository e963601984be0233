//! The log: one append-only file of frames, the only truth about the events of its chunk.
//!
//! ```text
//!   N-G.estore:  ┌────────────────┬───────┬───────┬───────┬ ─ ─ ─ ─ ─ ─ ┐
//!                │ log header, 64 │ frame │ frame │ frame │  room ahead
//!                └────────────────┴───────┴───────┴───────┴ ─ ─ ─ ─ ─ ─ ┘
//! ```
//!
//! `N` is the chunk's number, `G` the generation: 0 at first, one more each time that the chunk goes on in a new log. This module knows the
//! names of files, the log header, and how to walk over frames, whole or damaged. Bytes are laid out in [`crate::format`].

use std::cmp::Reverse;

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::Handle;
use crate::error::{Error, Result};

use super::frame::{self, Header, Refusal, Slot};

/// Length of the log header.
pub(crate) const LOG_HEADER_LEN: usize = 64;
/// The version of the format that this crate writes and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"estorlog";

/// Which log of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LogId {
    pub(crate) chunk: u64,
    pub(crate) generation: u32,
}

impl LogId {
    /// The name of the log file.
    pub(crate) fn log_name(self) -> String {
        self.name("estore")
    }

    /// The name of the file with sorted copies of its late events.
    pub(crate) fn recon_name(self) -> String {
        self.name("recon")
    }

    /// The name of its index file.
    pub(crate) fn index_name(self) -> String {
        self.name("idx")
    }

    /// The name of the file that takes bytes which recovery cuts off the log.
    pub(crate) fn cut_name(self) -> String {
        self.name("cut")
    }

    /// The name of the log file while compaction writes it.
    pub(crate) fn new_name(self) -> String {
        self.name("new")
    }

    fn name(self, suffix: &str) -> String {
        format!("{}-{}.{suffix}", self.chunk, self.generation)
    }

    /// The log that a file name belongs to, with the file's suffix; `None` for names that are not of a log's files.
    pub(crate) fn of_name(name: &str) -> Option<(LogId, &str)> {
        let (stem, suffix) = name.split_once('.')?;
        let (chunk, generation) = stem.split_once('-')?;
        let id = LogId { chunk: chunk.parse().ok()?, generation: generation.parse().ok()? };
        let ours = matches!(suffix, "estore" | "new" | "recon" | "recon.new" | "idx" | "cut");
        // The canonical spelling only: "+1-0.estore" and "01-0.estore" are not ours.
        (ours && name == id.name(suffix)).then_some((id, suffix))
    }
}

/// The first bytes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogHeader {
    /// The store that the log belongs to.
    pub(crate) store: u128,
    pub(crate) id: LogId,
    /// A random number, new with each log: what tells its frames from those of any other log that had the same name.
    pub(crate) instance: u64,
    /// The log holds the events of the generations from this one up to the one before its own, and takes their place. Its own generation if
    /// it replaces none.
    pub(crate) replaces: u32,
    /// By what compaction has compressed those of its frames that got smaller by it; 0 for nothing.
    pub(crate) codec: u8,
}

impl LogHeader {
    pub(crate) fn encode(&self) -> [u8; LOG_HEADER_LEN] {
        let mut bytes = [0; LOG_HEADER_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 16, &self.store.to_le_bytes());
        put(&mut bytes, 32, &self.id.chunk.to_le_bytes());
        put(&mut bytes, 40, &self.instance.to_le_bytes());
        put(&mut bytes, 48, &self.id.generation.to_le_bytes());
        put(&mut bytes, 52, &self.replaces.to_le_bytes());
        put(&mut bytes, 56, &[self.codec]);
        let crc = crc32(&bytes[..60]);
        put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; LOG_HEADER_LEN]) -> Result<LogHeader, Refusal> {
        if bytes[..8] != MAGIC {
            return Err(Refusal::Damaged("this is no log"));
        }
        if u32_at(bytes, 60) != crc32(&bytes[..60]) {
            return Err(Refusal::Damaged("the checksum of the log header does not fit"));
        }
        if u32_at(bytes, 8) > FORMAT_VERSION || u32_at(bytes, 12) != 0 {
            return Err(Refusal::Newer("the log has a newer format"));
        }
        Ok(LogHeader {
            store: u128::from(u64_at(bytes, 16)) | u128::from(u64_at(bytes, 24)) << 64,
            id: LogId { chunk: u64_at(bytes, 32), generation: u32_at(bytes, 48) },
            instance: u64_at(bytes, 40),
            replaces: u32_at(bytes, 52),
            codec: bytes[56],
        })
    }

    /// Reads the log header of an open file.
    pub(crate) fn read(file: &Handle) -> Result<LogHeader> {
        let mut bytes = [0; LOG_HEADER_LEN];
        file.read_exact(&mut bytes, 0)?;
        LogHeader::decode(&bytes).map_err(|refusal| refusal.at(file, 0))
    }
}

impl Refusal {
    /// The refusal as an error about `offset` of a file.
    pub(crate) fn at(self, file: &Handle, offset: u64) -> Error {
        match self {
            Refusal::Damaged(what) => Error::corrupt(file.path(), offset, what),
            Refusal::Newer(what) => Error::NewerFormat { path: file.path().to_owned(), what: what.to_owned() },
            Refusal::Lacks(feature) => Error::MissingFeature { feature, path: Some(file.path().to_owned()) },
        }
    }
}

/// The instance of a log that nothing else tells: what its header says if that is whole and any frame agrees, or else what most of its
/// frames name. No single frame is believed, since the checksum of its header leaves the instance out.
pub(crate) fn find_instance(file: &Handle, past: Salvage) -> Result<Option<u64>> {
    /// So many more frames than name any other instance are enough.
    const LEAD: u64 = 16;
    let mut header = [0; LOG_HEADER_LEN];
    past.read(file, &mut header, 0)?;
    let told = LogHeader::decode(&header).ok().map(|header| header.instance);
    let mut frames: Vec<(u64, u64)> = Vec::new();
    let magic = frame::magic();
    let mut window = vec![0; WINDOW_LEN];
    let mut at = LOG_HEADER_LEN as u64;
    loop {
        let n = past.read(file, &mut window, at)?;
        let bytes = window.get(..n).unwrap_or_default();
        for (place, _) in bytes.windows(magic.len()).enumerate().filter(|(_, found)| *found == magic) {
            let header = bytes.get(place..).unwrap_or_default();
            let instance = header.get(8..16).map_or(0, |bytes| u64_at(bytes, 0));
            if Header::decode(header, instance, at + place as u64).is_ok() {
                if told == Some(instance) {
                    return Ok(told);
                }
                match frames.iter_mut().find(|(other, _)| *other == instance) {
                    Some((_, count)) => *count += 1,
                    None => frames.push((instance, 1)),
                }
            }
        }
        // Of those that are named equally often, the first.
        frames.sort_by_key(|(_, count)| Reverse(*count));
        let count = |place: usize| frames.get(place).map_or(0, |(_, count)| *count);
        if n < WINDOW_LEN || count(0) >= count(1) + LEAD {
            return Ok(frames.first().map(|(instance, _)| *instance));
        }
        // A header that begins in the last bytes of this window is whole in the next.
        at += (WINDOW_LEN - frame::MAX_HEADER_LEN) as u64;
    }
}

/// One stretch of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// A frame whose header is whole. Its body was looked at only if the walk was asked to.
    Frame(Header),
    /// A frame with a whole header and a damaged body, or one that goes past the end.
    DamagedBody(Header),
    /// Bytes up to the next frame, or to the end, that are no frame.
    Damage { offset: u64, len: u64, what: &'static str },
    /// Nothing but zeros from here to the end: room set aside.
    Zeros { offset: u64, len: u64 },
}

/// What reading goes on at when it leaves damage out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Salvage {
    /// Bytes that are not what was written. What the system fails to read stays a failure: it may be there another time.
    Damage,
    /// And what the system fails to read.
    Failures,
}

impl Salvage {
    pub(crate) fn takes_for_damage(self, error: &Error) -> bool {
        match self {
            Salvage::Damage => matches!(error, Error::Corrupt { .. }),
            Salvage::Failures => error.is_damage(),
        }
    }

    /// Reads as many bytes as there are, which it answers, or as can be read.
    pub(crate) fn read(self, file: &Handle, bytes: &mut [u8], offset: u64) -> Result<usize> {
        match self {
            Salvage::Damage => file.read_up_to(bytes, offset),
            Salvage::Failures => file.read_what_can_be(bytes, offset),
        }
    }
}

/// Walks over the frames of a log, or of any file of frames, from one offset to another.
///
/// Reads in windows: large ones where frames are small, only the headers where they are large (unless bodies are wanted). After damage it
/// searches for the next whole header that names this file and its own place, at any byte.
pub(crate) struct Walk<'a> {
    file: &'a Handle,
    instance: u64,
    at: u64,
    end: u64,
    check_bodies: bool,
    past: Salvage,
    room_ends_it: bool,
    window: Vec<u8>,
    window_start: u64,
    /// The last body that was compressed, decompressed.
    unpacked: Vec<u8>,
}

const WINDOW_LEN: usize = 256 << 10;

/// A body that claims to be longer than this, which only that of a single event can be, is proven before memory is set aside for it.
pub(crate) const PROVEN_LEN: usize = 4 << 20;
pub(crate) const BAD_BODY: &str = "the checksum of a frame's body does not fit";

/// Whether the body of a frame is what its header says, looked at piece by piece: a header can claim any length.
pub(crate) fn body_is_proven(file: &Handle, header: &Header, past: Salvage) -> Result<bool> {
    let mut window = vec![0; WINDOW_LEN];
    let mut crc = crc32fast::Hasher::new();
    let mut at = header.offset + header.header_len() as u64;
    while at < header.end() {
        let len = usize::try_from(header.end() - at).unwrap_or(WINDOW_LEN).min(WINDOW_LEN);
        let piece = window.get_mut(..len).unwrap_or_default();
        let found = past.read(file, piece, at)?;
        if found < len {
            return Ok(false);
        }
        crc.update(piece);
        at += len as u64;
    }
    Ok(header.has_body_crc(crc.finalize()))
}

/// Whether zeros begin at `offset`, so many that they are room set aside and no damaged page.
pub(crate) fn is_room(file: &Handle, offset: u64) -> Result<bool> {
    const LONG: usize = 64 << 10;
    let mut bytes = vec![0; LONG];
    let found = file.read_up_to(&mut bytes, offset)?;
    Ok(bytes.get(..found).unwrap_or_default().iter().fold(0, |all, byte| all | byte) == 0)
}

impl<'a> Walk<'a> {
    /// A walk over `from..end`, where `from` is the start of a frame.
    pub(crate) fn new(file: &'a Handle, instance: u64, from: u64, end: u64, check_bodies: bool) -> Walk<'a> {
        Walk {
            file,
            instance,
            at: from,
            end,
            check_bodies,
            past: Salvage::Damage,
            room_ends_it: false,
            window: Vec::new(),
            window_start: 0,
            unpacked: Vec::new(),
        }
    }

    /// What it takes for damage, and goes on behind.
    pub(crate) fn past(mut self, past: Salvage) -> Walk<'a> {
        self.past = past;
        self
    }

    /// Takes a long stretch of zeros for room that is set aside, up to the end, without a look at all of it.
    pub(crate) fn room_ends_it(mut self, room_ends_it: bool) -> Walk<'a> {
        self.room_ends_it = room_ends_it;
        self
    }

    /// Decodes the events of a frame that the walk has just given into `slots`, whose data then lie in the answer; or says what is wrong.
    pub(crate) fn decode(&mut self, header: &Header, slots: &mut Vec<Slot>) -> Result<Result<&[u8], &'static str>> {
        slots.clear();
        if header.body_len as usize > PROVEN_LEN && !body_is_proven(self.file, header, self.past)? {
            return Ok(Err(BAD_BODY));
        }
        let (file, at, len) = (self.file, header.offset + header.header_len() as u64, header.body_len as usize);
        let refused = |refusal: Refusal| match refusal {
            Refusal::Damaged(what) => Ok(Err(what)),
            refusal => Err(refusal.at(file, header.offset)),
        };
        if header.is_compressed() {
            let mut unpacked = std::mem::take(&mut self.unpacked);
            unpacked.clear();
            let decoded = header.unpack_body(self.bytes_at(at, len)?, &mut unpacked, slots);
            self.unpacked = unpacked;
            return decoded.map_or_else(refused, |()| Ok(Ok(self.unpacked.as_slice())));
        }
        let body = self.bytes_at(at, len)?;
        header.decode_body(body, 0, slots).map_or_else(refused, |()| Ok(Ok(body)))
    }

    /// The next stretch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Stretch>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let offset = self.at;
        let what = match self.header_at(offset)? {
            Ok(header) => {
                self.at = header.end().min(self.end);
                let whole = header.end() <= self.end && (!self.check_bodies || self.body_is_whole(&header)?);
                return Ok(Some(if whole { Stretch::Frame(header) } else { Stretch::DamagedBody(header) }));
            }
            Err(Refusal::Damaged(what)) => what,
            Err(refusal) => return Err(refusal.at(self.file, offset)),
        };
        if self.room_ends_it && is_room(self.file, offset)? {
            self.at = self.end;
            return Ok(Some(Stretch::Zeros { offset, len: self.end - offset }));
        }
        let (next, all_zeros) = self.search(offset)?;
        self.at = next;
        let len = next - offset;
        Ok(Some(if all_zeros && next == self.end { Stretch::Zeros { offset, len } } else { Stretch::Damage { offset, len, what } }))
    }

    fn header_at(&mut self, offset: u64) -> Result<Result<Header, Refusal>> {
        let instance = self.instance;
        let len = usize::try_from(self.end - offset).unwrap_or(usize::MAX).min(frame::MAX_HEADER_LEN);
        Ok(Header::decode(self.bytes_at(offset, len)?, instance, offset))
    }

    fn body_is_whole(&mut self, header: &Header) -> Result<bool> {
        if header.body_len as usize > WINDOW_LEN {
            return body_is_proven(self.file, header, self.past);
        }
        let bytes = self.bytes_at(header.offset + header.header_len() as u64, header.body_len as usize)?;
        Ok(header.has_body_crc(crc32(bytes)))
    }

    /// The place of the next whole header after `offset`, or the end; and whether all bytes before it are zeros.
    fn search(&mut self, offset: u64) -> Result<(u64, bool)> {
        let magic = frame::magic();
        // The end may be a journal's word; what the file does not have need not be searched.
        let searched = self.end.min(self.file.len()?);
        let mut all_zeros = true;
        let mut at = offset + 1;
        all_zeros &= self.bytes_at(offset, 1)?.first() == Some(&0);
        while at < searched {
            let len = usize::try_from(self.end - at).unwrap_or(WINDOW_LEN).min(WINDOW_LEN / 4);
            let bytes = self.bytes_at(at, len)?;
            // Room set aside can be long, and a magic number does not begin with a zero.
            if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
                at += len as u64;
                continue;
            }
            let found = bytes.windows(magic.len()).position(|window| window == magic);
            let before = bytes.get(..found.unwrap_or(bytes.len())).unwrap_or_default();
            all_zeros &= before.iter().all(|&byte| byte == 0);
            match found {
                Some(place) => {
                    let place = at + place as u64;
                    if self.header_at(place)?.is_ok() {
                        return Ok((place, all_zeros));
                    }
                    all_zeros = false;
                    at = place + 1;
                }
                // The magic may begin in the last bytes of this piece.
                None => at += (len.saturating_sub(magic.len() - 1)).max(1) as u64,
            }
        }
        Ok((self.end, all_zeros))
    }

    /// Bytes of the file, through the window. Zeros stand for bytes that the file no longer has.
    fn bytes_at(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let inside = offset >= self.window_start && offset + len as u64 <= self.window_start + self.window.len() as u64;
        if !inside {
            // Small pieces next to the last ones are read ahead; jumps over large bodies are not.
            let near = offset <= self.window_start + self.window.len() as u64 + WINDOW_LEN as u64 / 8;
            let ahead = if near || self.check_bodies { WINDOW_LEN } else { 4 << 10 };
            let wanted = len.max(ahead) as u64;
            let within = wanted.min(self.end.saturating_sub(offset)).max(len as u64);
            self.window.clear();
            self.window.resize(within as usize, 0);
            self.window_start = offset;
            self.past.read(self.file, &mut self.window, offset)?;
        }
        let start = (offset - self.window_start) as usize;
        Ok(self.window.get(start..start + len).unwrap_or_default())
    }
}
