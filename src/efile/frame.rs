//! The frame: the unit in which events are written, checked and read.
//!
//! ```text
//!   header, 128 bytes                body
//!  ┌───────────────────────────────┬───────┬──────┬─────┬─────────┬──────────────────────┐
//!  │ magic, checksums, bounds, ... │ times │ seqs │ ids │ lengths │ data, event by event │
//!  └───────────────────────────────┴───────┴──────┴─────┴─────────┴──────────────────────┘
//!   header of one event, 64 bytes    body
//!  ┌───────────────────────────────┬──────┐
//!  │ magic, checksums, the event   │ data │
//!  └───────────────────────────────┴──────┘
//! ```
//!
//! A batch of one event is written as the second form: the bounds are the event, so the header needs no others, and the body no columns.
//!
//! The events of a frame are sorted by `(time, seq)`. Each of the four columns holds one number per event: the distance from the smallest
//! of its kind, in as few bytes as the largest distance needs (0 to 8; 0 if all are equal). A column of seqs of width 0 means that they
//! rise by one from event to event. So 1,000 events of one batch with ids at random take some 10 bytes each besides their data.
//!
//! A compacted log may have its bodies compressed, each for itself; the header tells by what, and the length that comes out. The checksum
//! is that of the bytes as stored, so damage is found without decompressing anything.
//!
//! The header has a checksum of its own, so that a scan can step over a damaged body; and it names the log ([`Header::instance`]) and its
//! own place in it ([`Header::offset`]), so that a whole frame in the wrong place is not believed. The layout byte by byte is in
//! [`crate::format`].

use crate::bytes::{crc32, put, u16_at, u32_at, u64_at};
use crate::event::{EventRef, Key};
use crate::options::Compression;
use crate::planted::{self, Bug};

use super::pack::{self, Packer};

/// Length of an encoded header.
const HEADER_LEN: usize = 128;
/// Length of the header of a frame that is one event ([`SINGLE`]).
const SINGLE_HEADER_LEN: usize = 64;
/// No frame is shorter.
pub(crate) const MIN_FRAME_LEN: usize = SINGLE_HEADER_LEN;
/// A header is decoded from so many bytes, or from fewer where the file ends.
pub(crate) const MAX_HEADER_LEN: usize = HEADER_LEN;
/// A frame is cut before its body would grow beyond this, unless a single event does.
pub(crate) const TARGET_BODY_LEN: usize = 64 << 10;
/// No frame holds more events.
const MAX_COUNT: usize = TARGET_BODY_LEN / 8;
/// The most that an event can take in a body besides its data.
pub(crate) const MAX_EVENT_OVERHEAD: usize = 8 + 8 + 4 + 4;

const MAGIC: u32 = u32::from_le_bytes(*b"eFrm");

/// The frame holds late events: those that the recon file takes over.
pub(crate) const LATE: u16 = 1;
/// The last frame of its batch in this log.
pub(crate) const LAST: u16 = 2;
/// The last frame of its batch in the last log that the batch touched: the whole batch is written.
pub(crate) const END: u16 = 4;
/// One event far ahead of the others: never described together with its neighbours, whose bounds it would widen.
pub(crate) const ALONE: u16 = 8;
/// The frame stands in a recon file and is a copy.
pub(crate) const RECON: u16 = 16;
/// One event that is the last of its batch, with the short header.
const SINGLE: u16 = 32;
const KNOWN_FLAGS: u16 = LATE | LAST | END | ALONE | RECON | SINGLE;

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The log (or recon file) that the frame belongs to: a random number made with the file.
    pub(crate) instance: u64,
    /// Where in the file the header starts.
    pub(crate) offset: u64,
    pub(crate) flags: u16,
    /// Bytes per event in the columns of times, seqs, ids and lengths.
    widths: [u8; 4],
    pub(crate) count: u32,
    /// How many of its events were late by the definition; not all that are in a late frame need be.
    pub(crate) late: u32,
    /// How the body is stored,
    pub(crate) codec: Compression,
    /// how long it is so,
    pub(crate) body_len: u32,
    /// and how long once decompressed.
    plain_len: u32,
    body_crc: u32,
    id_base: u32,
    len_base: u32,
    /// Keys of the first and the last event: the bounds of the frame.
    pub(crate) first: Key,
    pub(crate) last: Key,
    /// Smallest and largest seq.
    pub(crate) seq_low: u64,
    pub(crate) seq_high: u64,
    /// The largest seq of the frame's batch: what is visible once the batch's END is written.
    pub(crate) batch: u64,
    /// Everything up to this seq was known to survive loss of power when the frame was written.
    pub(crate) durable: u64,
    /// The checksum over this header; with instance, offset and seqs in it, a name for the frame.
    pub(crate) crc: u32,
}

/// What all frames of one batch in one file have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) instance: u64,
    pub(crate) batch: u64,
    pub(crate) durable: u64,
}

/// An event decoded from a frame; its data lies at `start..start + len` of the block that the frame was read into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) time: u64,
    pub(crate) seq: u64,
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) id: u32,
}

impl Slot {
    pub(crate) fn key(&self) -> Key {
        Key::new(self.time, self.seq)
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not what was written there.
    Damaged(&'static str),
    /// Whole, but of a newer format.
    Newer(&'static str),
    /// Whole, but this build lacks the feature of this name, which it takes to look inside.
    Lacks(&'static str),
}

const CUT_BODY: Refusal = Refusal::Damaged("the frame's body is cut off");

impl Header {
    /// Length of the whole frame in its file.
    pub(crate) fn frame_len(&self) -> u64 {
        self.header_len() as u64 + u64::from(self.body_len)
    }

    /// Length of the encoded header: where the body starts.
    pub(crate) fn header_len(&self) -> usize {
        header_len(self.flags)
    }

    /// Where the next frame starts.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(self.frame_len())
    }

    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.codec != Compression::None
    }

    /// Writes the header to the start of `bytes`, where the frame stands that is to be at another offset of its file.
    pub(crate) fn put_at(&mut self, offset: u64, bytes: &mut [u8]) {
        self.offset = offset;
        let len = self.header_len();
        self.encode(bytes.get_mut(..len).unwrap_or_default());
    }

    /// Writes the header to `place`, which has its length, and notes the checksum.
    fn encode(&mut self, place: &mut [u8]) {
        put(place, 0, &MAGIC.to_le_bytes());
        put(place, 8, &self.instance.to_le_bytes());
        put(place, 16, &self.offset.to_le_bytes());
        put(place, 24, &self.flags.to_le_bytes());
        put(place, 26, &[self.codec.code()]);
        if self.has(SINGLE) {
            put(place, 27, &[self.late as u8]);
            put(place, 28, &self.id_base.to_le_bytes());
            put(place, 32, &self.body_len.to_le_bytes());
            put(place, 36, &self.body_crc.to_le_bytes());
            put(place, 40, &self.first.time.to_le_bytes());
            put(place, 48, &self.first.seq.to_le_bytes());
            put(place, 56, &self.durable.to_le_bytes());
        } else {
            put(place, 27, &self.widths);
            put(place, 32, &self.count.to_le_bytes());
            put(place, 36, &self.late.to_le_bytes());
            put(place, 40, &self.body_len.to_le_bytes());
            put(place, 44, &self.plain_len.to_le_bytes());
            put(place, 48, &self.body_crc.to_le_bytes());
            put(place, 52, &self.id_base.to_le_bytes());
            put(place, 56, &self.len_base.to_le_bytes());
            put(place, 64, &self.first.time.to_le_bytes());
            put(place, 72, &self.first.seq.to_le_bytes());
            put(place, 80, &self.last.time.to_le_bytes());
            put(place, 88, &self.last.seq.to_le_bytes());
            put(place, 96, &self.seq_low.to_le_bytes());
            put(place, 104, &self.seq_high.to_le_bytes());
            put(place, 112, &self.batch.to_le_bytes());
            put(place, 120, &self.durable.to_le_bytes());
        }
        self.crc = header_crc(place);
        put(place, 4, &self.crc.to_le_bytes());
    }

    /// Reads a header that must stand at `offset` of the file `instance`, from the bytes there: [`MAX_HEADER_LEN`] of them or more, fewer
    /// only where the file ends.
    pub(crate) fn decode(bytes: &[u8], instance: u64, offset: u64) -> Result<Header, Refusal> {
        const CUT: Refusal = Refusal::Damaged("the file ends within a frame's header");
        let short = bytes.first_chunk::<SINGLE_HEADER_LEN>().ok_or(CUT)?;
        if u32_at(short, 0) != MAGIC {
            return Err(Refusal::Damaged("no frame starts here"));
        }
        // Flags that are damaged make the wrong bytes count, and then their checksum does not fit.
        let flags = u16_at(short, 24);
        let bytes = bytes.get(..header_len(flags)).ok_or(CUT)?;
        let crc = u32_at(bytes, 4);
        if crc != header_crc(bytes) && !planted::has(Bug::SkipHeaderChecksum) {
            return Err(Refusal::Damaged("the checksum of the frame's header does not fit"));
        }
        let (of_instance, at_offset) = (u64_at(bytes, 8), u64_at(bytes, 16));
        if (of_instance != instance || at_offset != offset) && !planted::has(Bug::SkipInstance) {
            return Err(Refusal::Damaged("the frame belongs to another place or another file"));
        }
        if flags & !KNOWN_FLAGS != 0 {
            return Err(Refusal::Newer("a frame has flags that are not known"));
        }
        let codec = bytes.get(26).and_then(|code| Compression::of_code(*code));
        let codec = codec.ok_or(Refusal::Newer("a frame is encoded in a way that is not known"))?;
        let header = if flags & SINGLE != 0 {
            let key = Key::new(u64_at(bytes, 40), u64_at(bytes, 48));
            let body_len = u32_at(bytes, 32);
            Header {
                instance,
                offset,
                flags,
                widths: [0; 4],
                count: 1,
                late: u32::from(short[27]),
                codec,
                body_len,
                plain_len: body_len,
                body_crc: u32_at(bytes, 36),
                id_base: u32_at(bytes, 28),
                len_base: body_len,
                first: key,
                last: key,
                seq_low: key.seq,
                seq_high: key.seq,
                batch: key.seq,
                durable: u64_at(bytes, 56),
                crc,
            }
        } else {
            Header {
                instance,
                offset,
                flags,
                widths: [short[27], short[28], short[29], short[30]],
                count: u32_at(bytes, 32),
                late: u32_at(bytes, 36),
                codec,
                body_len: u32_at(bytes, 40),
                plain_len: u32_at(bytes, 44),
                body_crc: u32_at(bytes, 48),
                id_base: u32_at(bytes, 52),
                len_base: u32_at(bytes, 56),
                first: Key::new(u64_at(bytes, 64), u64_at(bytes, 72)),
                last: Key::new(u64_at(bytes, 80), u64_at(bytes, 88)),
                seq_low: u64_at(bytes, 96),
                seq_high: u64_at(bytes, 104),
                batch: u64_at(bytes, 112),
                durable: u64_at(bytes, 120),
                crc,
            }
        };
        // Events may take no bytes at all (equal in all but their seqs), so the count has a bound of its own.
        let sane = header.count > 0
            && header.count as usize <= MAX_COUNT
            && header.late <= header.count
            && header.widths.iter().zip([8, 8, 4, 4]).all(|(&width, most)| width <= most)
            && codec.can_give(header.plain_len, header.body_len)
            && header.first <= header.last
            && header.seq_low <= header.seq_high
            && header.seq_high <= header.batch;
        if !sane {
            return Err(Refusal::Damaged("the fields of the frame's header contradict each other"));
        }
        Ok(header)
    }

    /// Decodes the body, which stands at `buffer[start..]` and is not compressed, and appends its events to `slots`.
    ///
    /// Everything that readers rely on is checked: the checksum, the lengths, that keys rise strictly and that the bounds are true.
    pub(crate) fn decode_body(&self, buffer: &[u8], start: usize, slots: &mut Vec<Slot>) -> Result<(), Refusal> {
        let body = buffer.get(start..start.saturating_add(self.body_len as usize)).ok_or(CUT_BODY)?;
        self.check_body(body)?;
        self.decode_columns(body, start, slots).map_err(Refusal::Damaged)
    }

    /// As [`Header::decode_body`] for a body that is compressed: it goes to the end of `buffer`, where the data of its events then lie.
    pub(crate) fn unpack_body(&self, stored: &[u8], buffer: &mut Vec<u8>, slots: &mut Vec<Slot>) -> Result<(), Refusal> {
        let stored = stored.get(..self.body_len as usize).ok_or(CUT_BODY)?;
        self.check_body(stored)?;
        let start = buffer.len();
        buffer.resize(start + self.plain_len as usize, 0);
        let body = buffer.get_mut(start..).unwrap_or_default();
        pack::unpack(self.codec, stored, body)?;
        self.decode_columns(body, start, slots).map_err(Refusal::Damaged)
    }

    /// Compares the body as it is stored with its checksum.
    fn check_body(&self, stored: &[u8]) -> Result<(), Refusal> {
        if self.has_body_crc(crc32(stored)) { Ok(()) } else { Err(Refusal::Damaged("the checksum of the frame's body does not fit")) }
    }

    /// Decodes a body that stands at `start` of a buffer.
    fn decode_columns(&self, body: &[u8], start: usize, slots: &mut Vec<Slot>) -> Result<(), &'static str> {
        const COLUMNS: &str = "the columns of the frame's body do not fit its length";
        let count = self.count as usize;
        let [times, seqs, ids, lens] = self.widths.map(|width| count.saturating_mul(usize::from(width)));
        let columns = times.saturating_add(seqs).saturating_add(ids).saturating_add(lens);
        if columns > body.len() || count.saturating_mul(self.len_base as usize) > body.len() - columns {
            return Err(COLUMNS);
        }

        let from = slots.len();
        let empty = Slot { time: self.first.time, seq: self.seq_low, start: 0, len: self.len_base, id: self.id_base };
        slots.resize(from + count, empty);
        let slots = slots.get_mut(from..).unwrap_or_default();

        let (column, rest) = body.split_at(times);
        each(column, self.widths[0], slots, |slot, distance| slot.time = slot.time.wrapping_add(distance));
        let (column, rest) = rest.split_at(seqs);
        if self.widths[1] == 0 {
            for (slot, distance) in slots.iter_mut().zip(0u64..) {
                slot.seq = slot.seq.wrapping_add(distance);
            }
        } else {
            each(column, self.widths[1], slots, |slot, distance| slot.seq = slot.seq.wrapping_add(distance));
        }
        let (column, rest) = rest.split_at(ids);
        each(column, self.widths[2], slots, |slot, distance| slot.id = slot.id.wrapping_add(distance as u32));
        let (column, data) = rest.split_at(lens);
        each(column, self.widths[3], slots, |slot, distance| slot.len = slot.len.saturating_add(distance as u32));

        let data_start = (start + columns) as u64;
        let data_end = data_start + data.len() as u64;
        let mut at = data_start;
        let mut previous = None;
        let mut seqs_in_bounds = true;
        let mut rising = true;
        for slot in slots.iter_mut() {
            slot.start = at as u32;
            at += u64::from(slot.len);
            let key = Some(slot.key());
            rising &= previous < key;
            previous = key;
            seqs_in_bounds &= self.seq_low <= slot.seq && slot.seq <= self.seq_high;
        }
        let bounds = (slots.first().map(Slot::key), slots.last().map(Slot::key)) == (Some(self.first), Some(self.last));
        if at != data_end || data_end > u64::from(u32::MAX) {
            return Err("the lengths of the frame's events do not add up");
        }
        if !(rising && bounds && seqs_in_bounds) {
            return Err("the frame's events are not in the order that its header states");
        }
        Ok(())
    }

    /// Whether that is the checksum of its body.
    pub(crate) fn has_body_crc(&self, crc: u32) -> bool {
        crc == self.body_crc || planted::has(Bug::SkipBodyChecksum)
    }
}

/// Calls `set` for each slot with its number from a column of `width` bytes each.
fn each(column: &[u8], width: u8, slots: &mut [Slot], set: impl Fn(&mut Slot, u64)) {
    fn run<const WIDTH: usize>(column: &[u8], slots: &mut [Slot], set: impl Fn(&mut Slot, u64)) {
        for (slot, bytes) in slots.iter_mut().zip(column.as_chunks::<WIDTH>().0) {
            let mut wide = [0; 8];
            wide[..WIDTH].copy_from_slice(bytes);
            set(slot, u64::from_le_bytes(wide));
        }
    }
    match width {
        1 => run::<1>(column, slots, set),
        2 => run::<2>(column, slots, set),
        3 => run::<3>(column, slots, set),
        4 => run::<4>(column, slots, set),
        5 => run::<5>(column, slots, set),
        6 => run::<6>(column, slots, set),
        7 => run::<7>(column, slots, set),
        8 => run::<8>(column, slots, set),
        _ => {}
    }
}

/// The checksum of a header. It leaves out the instance, which whoever reads the header compares in full; what is left is whole blocks of
/// 16 bytes, the unit that checksums are fast in.
fn header_crc(header: &[u8]) -> u32 {
    crc32(header.get(16..).unwrap_or_default())
}

/// Length of the header of a frame with these flags.
fn header_len(flags: u16) -> usize {
    if flags & SINGLE != 0 { SINGLE_HEADER_LEN } else { HEADER_LEN }
}

/// The fewest bytes that hold `distance`.
fn width(distance: u64) -> u8 {
    (u64::BITS - distance.leading_zeros()).div_ceil(8) as u8
}

/// The bytes that every frame starts with.
pub(crate) fn magic() -> [u8; 4] {
    MAGIC.to_le_bytes()
}

/// About what an event with so many bytes of data takes in the body of a frame.
pub(crate) fn about_len(data_len: usize) -> usize {
    data_len + 12
}

/// How many of `events` the next frame takes: at least one, then as many as keep its body near the target length.
pub(crate) fn cut(events: &[EventRef<'_>], target_len: usize) -> usize {
    let mut len = 0;
    let mut taken = 0;
    for event in events {
        len += about_len(event.data.len());
        if taken > 0 && len > target_len {
            break;
        }
        taken += 1;
    }
    taken
}

/// Appends one frame to `out`, which will stand at `offset` of its file, and answers its header.
///
/// `events` must not be empty and must be sorted by `(time, seq)`; `late` of them were late by the definition.
pub(crate) fn encode(out: &mut Vec<u8>, events: &[EventRef<'_>], offset: u64, flags: u16, late: u32, stamp: &Stamp) -> Header {
    if let [event] = events
        && event.seq == stamp.batch
    {
        return encode_single(out, event, offset, flags, late, stamp);
    }
    encode_columns(out, events, offset, flags, late, stamp)
}

/// As [`encode`], with the body compressed if that is worth it.
pub(crate) fn encode_packed(
    out: &mut Vec<u8>,
    packer: &mut Packer,
    events: &[EventRef<'_>],
    offset: u64,
    flags: u16,
    late: u32,
    stamp: &Stamp,
) -> Header {
    if packer.compression() == Compression::None {
        return encode(out, events, offset, flags, late, stamp);
    }
    let start = out.len();
    let body = start + HEADER_LEN;
    let mut header = encode_columns(out, events, offset, flags, late, stamp);
    let codec = packer.compression();
    if let Some(packed) = packer.pack(out.get(body..).unwrap_or_default()) {
        header = Header { codec, body_len: packed.len() as u32, body_crc: crc32(packed), ..header };
        out.truncate(body);
        out.extend_from_slice(packed);
        header.encode(out.get_mut(start..body).unwrap_or_default());
    }
    header
}

/// As [`encode`], with columns also for a single event.
fn encode_columns(out: &mut Vec<u8>, events: &[EventRef<'_>], offset: u64, flags: u16, late: u32, stamp: &Stamp) -> Header {
    let first = events.first().map_or(Key::MIN, |e| Key::new(e.time, e.seq));
    let last = events.last().map_or(Key::MAX, |e| Key::new(e.time, e.seq));
    let (mut seq_low, mut seq_high) = (u64::MAX, 0);
    let (mut id_low, mut id_high) = (u32::MAX, 0);
    let (mut len_low, mut len_high) = (u32::MAX, 0);
    let mut data_len = 0;
    let mut consecutive = true;
    for (event, place) in events.iter().zip(0..) {
        consecutive &= event.seq == first.seq.wrapping_add(place);
        seq_low = seq_low.min(event.seq);
        seq_high = seq_high.max(event.seq);
        id_low = id_low.min(event.id);
        id_high = id_high.max(event.id);
        let len = event.data.len() as u32;
        len_low = len_low.min(len);
        len_high = len_high.max(len);
        data_len += event.data.len();
    }
    let widths = [
        width(last.time - first.time),
        if consecutive { 0 } else { width(seq_high - seq_low) },
        width(u64::from(id_high - id_low)),
        width(u64::from(len_high - len_low)),
    ];
    let columns_len = events.len() * widths.iter().map(|&width| usize::from(width)).sum::<usize>();
    let body_len = columns_len + data_len;

    let start = out.len();
    let body = start + HEADER_LEN;
    out.reserve(HEADER_LEN + body_len);
    out.resize(body + columns_len, 0);
    let columns = out.get_mut(body..).unwrap_or_default();
    let columns = put_column(columns, widths[0], events, |event| event.time - first.time);
    let columns = put_column(columns, widths[1], events, |event| event.seq - seq_low);
    let columns = put_column(columns, widths[2], events, |event| u64::from(event.id - id_low));
    put_column(columns, widths[3], events, |event| u64::from(event.data.len() as u32 - len_low));
    for event in events {
        out.extend_from_slice(event.data);
    }

    let mut header = Header {
        instance: stamp.instance,
        offset,
        flags,
        widths,
        count: events.len() as u32,
        late,
        codec: Compression::None,
        body_len: body_len as u32,
        plain_len: body_len as u32,
        body_crc: crc32(out.get(body..).unwrap_or_default()),
        id_base: id_low,
        len_base: len_low,
        first,
        last,
        seq_low,
        seq_high,
        batch: stamp.batch,
        durable: stamp.durable,
        crc: 0,
    };
    header.encode(out.get_mut(start..body).unwrap_or_default());
    header
}

/// Length of the frame that is one event, the last of its batch.
pub(crate) fn single_len(event: &EventRef<'_>) -> u64 {
    (SINGLE_HEADER_LEN + event.data.len()) as u64
}

/// Appends the frame that is one event, the last of its batch, to `out`; otherwise as [`encode`].
pub(crate) fn encode_single(out: &mut Vec<u8>, event: &EventRef<'_>, offset: u64, flags: u16, late: u32, stamp: &Stamp) -> Header {
    let key = Key::new(event.time, event.seq);
    let len = event.data.len() as u32;
    let mut header = Header {
        instance: stamp.instance,
        offset,
        flags: flags | SINGLE,
        widths: [0; 4],
        count: 1,
        late,
        codec: Compression::None,
        body_len: len,
        plain_len: len,
        body_crc: crc32(event.data),
        id_base: event.id,
        len_base: len,
        first: key,
        last: key,
        seq_low: event.seq,
        seq_high: event.seq,
        batch: stamp.batch,
        durable: stamp.durable,
        crc: 0,
    };
    let mut place = [0; SINGLE_HEADER_LEN];
    header.encode(&mut place);
    out.reserve(SINGLE_HEADER_LEN + event.data.len());
    out.extend_from_slice(&place);
    out.extend_from_slice(event.data);
    header
}

/// Writes one column at the start of `columns`, `width` bytes for each event; answers what is behind it.
fn put_column<'a>(columns: &'a mut [u8], width: u8, events: &[EventRef<'_>], number: impl Fn(&EventRef<'_>) -> u64) -> &'a mut [u8] {
    fn run<const WIDTH: usize>(column: &mut [u8], events: &[EventRef<'_>], number: impl Fn(&EventRef<'_>) -> u64) {
        for (place, event) in column.as_chunks_mut::<WIDTH>().0.iter_mut().zip(events) {
            place.copy_from_slice(&number(event).to_le_bytes()[..WIDTH]);
        }
    }
    let Some((column, rest)) = columns.split_at_mut_checked(events.len() * usize::from(width)) else { return &mut [] };
    match width {
        1 => run::<1>(column, events, number),
        2 => run::<2>(column, events, number),
        3 => run::<3>(column, events, number),
        4 => run::<4>(column, events, number),
        5 => run::<5>(column, events, number),
        6 => run::<6>(column, events, number),
        7 => run::<7>(column, events, number),
        8 => run::<8>(column, events, number),
        _ => {}
    }
    rest
}

/// An upper bound of the bytes that `events` take in one file.
pub(crate) fn room_for(events: &[EventRef<'_>]) -> u64 {
    let data: u64 = events.iter().map(|event| (event.data.len() + MAX_EVENT_OVERHEAD) as u64).sum();
    // Late events, the others and a lone one each begin a frame; and each full frame holds at least half of its target, or is followed by
    // an event that is larger than that half.
    data + (3 + data / (TARGET_BODY_LEN as u64 / 4)) * HEADER_LEN as u64
}
