//! The files byte by byte, as `estore::format` states them: enough to take them apart, to make their checksums fit again, and to tell
//! whether bytes that the engine must believe are what a writer wrote.
//!
//! Written from the format's description and not with the engine's code, so that a mistake in one of the two shows.

use std::ops::Range;

/// Length of the header of a log, a recon file, a journal, and of a run.
pub const HEADER: usize = 64;
/// Length of a journal's record.
pub const RECORD: usize = 128;
/// Length of an index entry.
pub const ENTRY: usize = 64;
/// Length of the header of an index part.
pub const PART: usize = 56;

pub const FRAME_MAGIC: [u8; 4] = *b"eFrm";
pub const RUN_MAGIC: [u8; 4] = *b"eRun";
pub const PART_MAGIC: [u8; 4] = *b"eIdx";

pub const LATE: u16 = 1;
pub const RECON: u16 = 16;
const SINGLE: u16 = 32;

/// What the fields of a thing are: where they start and how many bytes they take.
pub type Fields = &'static [(usize, usize)];

pub const FRAME_FIELDS: Fields = &[
    (8, 8),
    (16, 8),
    (24, 2),
    (26, 1),
    (27, 1),
    (28, 1),
    (29, 1),
    (30, 1),
    (32, 4),
    (36, 4),
    (40, 4),
    (44, 4),
    (52, 4),
    (56, 4),
    (64, 8),
    (72, 8),
    (80, 8),
    (88, 8),
    (96, 8),
    (104, 8),
    (112, 8),
    (120, 8),
];
pub const SINGLE_FIELDS: Fields = &[(8, 8), (16, 8), (24, 2), (26, 1), (27, 1), (28, 4), (32, 4), (40, 8), (48, 8), (56, 8)];
pub const LOG_FIELDS: Fields = &[(8, 4), (12, 4), (16, 8), (24, 8), (32, 8), (40, 8), (48, 4), (52, 4)];
pub const JOURNAL_FIELDS: Fields = &[(8, 4), (16, 8), (24, 8), (32, 8), (40, 8)];
pub const RECORD_FIELDS: Fields = &[
    (4, 2),
    (6, 2),
    (8, 4),
    (12, 4),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 8),
    (56, 8),
    (64, 8),
    (72, 8),
    (80, 8),
    (88, 8),
    (96, 8),
    (104, 8),
    (112, 8),
    (120, 8),
];
pub const PART_FIELDS: Fields = &[(8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4)];
pub const ENTRY_FIELDS: Fields = &[(0, 8), (8, 4), (12, 4), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8), (56, 4), (60, 4)];
pub const RECON_FIELDS: Fields = &[(8, 4), (16, 8), (24, 8)];
pub const RUN_FIELDS: Fields = &[(8, 8), (16, 8), (24, 8), (32, 4), (36, 4), (40, 8)];
pub const SETTINGS_FIELDS: Fields = &[(8, 4), (12, 4), (16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8), (56, 8)];

/// A number of `width` bytes; 0 where there are none.
pub fn get(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut wide = [0; 8];
    if let (Some(from), Some(to)) = (bytes.get(at..at + width), wide.get_mut(..width)) {
        to.copy_from_slice(from);
    }
    u64::from_le_bytes(wide)
}

/// Writes the low bytes of a number, where there is room for them.
pub fn put(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    if let Some(place) = bytes.get_mut(at..at + width) {
        place.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    get(bytes, at, 4) as u32
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    get(bytes, at, 8)
}

fn usize_at(bytes: &[u8], at: usize) -> usize {
    u32_at(bytes, at) as usize
}

/// What files are tied to each other by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity {
    pub store: u128,
    pub chunk: u64,
    pub generation: u32,
    /// Of the log.
    pub log: u64,
    pub recon: u64,
    pub journal: u64,
}

/// How much a repair puts right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Checksums only.
    Checksums,
    /// Also what ties a thing to its place and its file, and magic numbers.
    All,
}

fn has_magic(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..at + magic.len()) == Some(magic)
}

fn next_magic(bytes: &[u8], from: usize, to: usize, magic: &[u8]) -> Option<usize> {
    let found = bytes.get(from..to)?.windows(magic.len()).position(|window| window == magic)?;
    Some(from + found)
}

/// Puts the checksum of a header of 64 bytes right, which stands at its end.
fn seal_header(bytes: &mut [u8]) {
    if let Some(covered) = bytes.get(..60) {
        let crc = crc32fast::hash(covered);
        put(bytes, 60, 4, u64::from(crc));
    }
}

fn header_is_sealed(bytes: &[u8]) -> bool {
    bytes.get(..60).is_some_and(|covered| crc32fast::hash(covered) == u32_at(bytes, 60)) && bytes.len() >= HEADER
}

/// A checksum that also covers a file's instance and a place in it.
fn placed_crc(bytes: &[u8], instance: u64, place: usize) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes);
    crc.update(&instance.to_le_bytes());
    crc.update(&(place as u64).to_le_bytes());
    crc.finalize()
}

// Frames.

/// Length of a frame's header.
pub fn frame_header_len(frame: &[u8]) -> usize {
    if get(frame, 24, 2) as u16 & SINGLE != 0 { 64 } else { 128 }
}

/// The fields of a frame's header.
pub fn frame_fields(frame: &[u8]) -> Fields {
    if frame_header_len(frame) == 64 { SINGLE_FIELDS } else { FRAME_FIELDS }
}

fn frame_body_len(frame: &[u8]) -> usize {
    usize_at(frame, if frame_header_len(frame) == 64 { 32 } else { 40 })
}

/// The frames between two places, going by their lengths, or where those are wrong by where the next one starts.
pub fn frames(bytes: &[u8], from: usize, to: usize) -> Vec<Range<usize>> {
    let to = to.min(bytes.len());
    let mut frames = Vec::new();
    let mut at = from;
    while at + 64 <= to {
        if !has_magic(bytes, at, &FRAME_MAGIC) {
            match next_magic(bytes, at + 1, to, &FRAME_MAGIC) {
                Some(next) => at = next,
                None => break,
            }
            continue;
        }
        let frame = &bytes[at..to];
        let stated = at + frame_header_len(frame) + frame_body_len(frame);
        let end = if stated <= to { stated } else { next_magic(bytes, at + 4, to, &FRAME_MAGIC).unwrap_or(to) };
        frames.push(at..end);
        at = end;
    }
    frames
}

/// Makes a frame that stands at `place` of its file fit again.
pub fn repair_frame(frame: &mut [u8], instance: u64, place: usize, how: Repair) {
    let header = frame_header_len(frame);
    if frame.len() < header {
        return;
    }
    let (len_at, crc_at) = if header == 64 { (32, 36) } else { (40, 48) };
    if how == Repair::All {
        frame[..4].copy_from_slice(&FRAME_MAGIC);
        put(frame, 8, 8, instance);
        put(frame, 16, 8, place as u64);
        let body_len = (frame.len() - header) as u64;
        put(frame, len_at, 4, body_len);
        // What a compressed body decodes to is another length.
        if header == 128 && frame[26] == 0 {
            put(frame, 44, 4, body_len);
        }
    }
    let body_crc = crc32fast::hash(&frame[header..]);
    put(frame, crc_at, 4, u64::from(body_crc));
    let crc = crc32fast::hash(&frame[16..header]);
    put(frame, 4, 4, u64::from(crc));
}

/// An event as it stands in a frame.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    pub time: u64,
    pub seq: u64,
    pub id: u32,
    pub data: Vec<u8>,
}

/// A frame of events, which stands at `place` of its file.
pub fn build_frame(events: &[Stored], instance: u64, place: usize, flags: u16, batch: u64, durable: u64) -> Vec<u8> {
    let mut events = events.to_vec();
    events.sort();
    events.dedup_by_key(|event| (event.time, event.seq));
    let mut frame = vec![0; 128];
    put(&mut frame, 24, 2, u64::from(flags & !SINGLE));
    let seqs = || events.iter().map(|event| event.seq);
    let (low, high) = (seqs().min().unwrap_or(0), seqs().max().unwrap_or(0));
    if let (Some(first), Some(last)) = (events.first(), events.last()) {
        for (at, value) in [(64, first.time), (72, first.seq), (80, last.time), (88, last.seq), (96, low), (104, high)] {
            put(&mut frame, at, 8, value);
        }
        frame[27..31].copy_from_slice(&[8, 8, 4, 4]);
        put(&mut frame, 32, 4, events.len() as u64);
        put(&mut frame, 112, 8, batch.max(high));
        put(&mut frame, 120, 8, durable);
        for event in &events {
            frame.extend_from_slice(&(event.time - first.time).to_le_bytes());
        }
    }
    for event in &events {
        frame.extend_from_slice(&(event.seq - low).to_le_bytes());
    }
    for event in &events {
        frame.extend_from_slice(&event.id.to_le_bytes());
    }
    for event in &events {
        frame.extend_from_slice(&(event.data.len() as u32).to_le_bytes());
    }
    for event in &events {
        frame.extend_from_slice(&event.data);
    }
    repair_frame(&mut frame, instance, place, Repair::All);
    frame
}

/// The frame with its body compressed, if that makes it smaller, as it is to stand at `place` of its file.
pub fn pack_frame(frame: &[u8], place: usize) -> Vec<u8> {
    let mut packed = frame.to_vec();
    if frame_header_len(frame) == 128 && frame.len() > 128 && frame[26] == 0 {
        let body = lz4_flex::block::compress(&frame[128..]);
        if body.len() < frame.len() - 128 {
            packed.truncate(128);
            packed.extend_from_slice(&body);
            packed[26] = 1;
            put(&mut packed, 44, 4, frame.len() as u64 - 128);
        }
    }
    repair_frame(&mut packed, u64_at(frame, 8), place, Repair::All);
    packed
}

/// A log with each frame's body compressed.
pub fn pack_log(log: &[u8]) -> Vec<u8> {
    let mut packed = log.get(..HEADER).unwrap_or_default().to_vec();
    for frame in frames(log, HEADER, log.len()) {
        let frame = pack_frame(&log[frame], packed.len());
        packed.extend_from_slice(&frame);
    }
    packed
}

/// The events of a frame, as far as it makes sense.
pub fn events_of(frame: &[u8]) -> Vec<Stored> {
    let header = frame_header_len(frame);
    let body = frame.get(header..).unwrap_or_default();
    if frame.len() < header {
        return Vec::new();
    }
    if header == 64 {
        return vec![Stored { time: u64_at(frame, 40), seq: u64_at(frame, 48), id: u32_at(frame, 28), data: body.to_vec() }];
    }
    let count = usize_at(frame, 32).min(body.len());
    let widths: Vec<usize> = frame[27..31].iter().map(|&width| usize::from(width)).collect();
    let mut at = 0;
    let mut column = |width: usize| {
        let start = at;
        at += width * count;
        (0..count).map(move |row| get(body, start + row * width, width)).collect::<Vec<u64>>()
    };
    let (times, mut seqs, ids, lens) = (column(widths[0]), column(widths[1]), column(widths[2]), column(widths[3]));
    if widths[1] == 0 {
        seqs = (0..count as u64).collect();
    }
    let mut events = Vec::new();
    for row in 0..count {
        let len = (lens[row] as usize).saturating_add(usize_at(frame, 56));
        let Some(data) = body.get(at..at.saturating_add(len)) else { break };
        events.push(Stored {
            time: u64_at(frame, 64).wrapping_add(times[row]),
            seq: u64_at(frame, 96).wrapping_add(seqs[row]),
            id: u32_at(frame, 52).wrapping_add(ids[row] as u32),
            data: data.to_vec(),
        });
        at += len;
    }
    events
}

/// Where frames start whose headers are whole, whatever instance they name.
fn whole_headers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    let places = std::iter::from_fn(move || {
        let place = next_magic(bytes, at, bytes.len(), &FRAME_MAGIC)?;
        at = place + 1;
        Some(place)
    });
    places.filter(|&place| {
        let frame = &bytes[place..];
        let header = frame_header_len(frame);
        frame.len() >= header && crc32fast::hash(&frame[16..header]) == u32_at(frame, 4) && u64_at(frame, 16) == place as u64
    })
}

/// Whether every frame that the engine would believe is there in one of the originals, at the same place.
fn frames_are_genuine(bytes: &[u8], originals: &[&[u8]], instance: impl Fn(u64) -> bool) -> bool {
    for place in whole_headers(bytes).filter(|place| instance(u64_at(bytes, place + 8))) {
        let frame = &bytes[place..];
        let header = frame_header_len(frame);
        let same_header = originals.iter().filter(|original| original.get(place..place + header) == frame.get(..header));
        let end = header + frame_body_len(frame);
        let body_crc = u32_at(frame, if header == 64 { 36 } else { 48 });
        let whole = frame.get(header..end).is_some_and(|body| crc32fast::hash(body) == body_crc);
        let mut same = same_header.filter(|original| !whole || original.get(place..place + end) == frame.get(..end));
        if same.next().is_none() {
            return false;
        }
    }
    true
}

/// Whether a header of 64 bytes is damaged, or that of one of the originals.
fn header_is_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    !header_is_sealed(bytes) || originals.iter().any(|original| original.get(..HEADER) == bytes.get(..HEADER))
}

// Logs.

/// Makes a log fit again.
pub fn repair_log(bytes: &mut [u8], id: &Identity, how: Repair) {
    if how == Repair::All && bytes.len() >= HEADER {
        bytes[..8].copy_from_slice(b"estorlog");
        put(bytes, 16, 8, id.store as u64);
        put(bytes, 24, 8, (id.store >> 64) as u64);
        put(bytes, 32, 8, id.chunk);
        put(bytes, 40, 8, id.log);
        put(bytes, 48, 4, u64::from(id.generation));
    }
    seal_header(bytes);
    for range in frames(bytes, HEADER, bytes.len()) {
        repair_frame(&mut bytes[range.clone()], id.log, range.start, how);
    }
}

/// Whether all that the engine would believe of a log was written by a writer.
pub fn log_is_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    let is_known = |instance: u64| originals.iter().any(|original| u64_at(original, 40) == instance);
    // Where nothing else tells the instance of a log, the engine goes by what most of its frames name.
    let instances = whole_headers(bytes).map(|place| u64_at(bytes, place + 8));
    let (known, made_up): (Vec<u64>, Vec<u64>) = instances.partition(|instance| is_known(*instance));
    let may_be_another = !made_up.is_empty() && made_up.len() >= known.len();
    !may_be_another && header_is_genuine(bytes, originals) && frames_are_genuine(bytes, originals, is_known)
}

// Journals.

/// Makes a journal fit again.
pub fn repair_journal(bytes: &mut [u8], id: &Identity, how: Repair) {
    if how == Repair::All && bytes.len() >= HEADER {
        bytes[..8].copy_from_slice(b"estorjnl");
        put(bytes, 16, 8, id.store as u64);
        put(bytes, 24, 8, (id.store >> 64) as u64);
    }
    seal_header(bytes);
    let instance = u64_at(bytes, 32);
    for place in (HEADER..).step_by(RECORD) {
        let Some(record) = bytes.get_mut(place..place + RECORD) else { break };
        let crc = placed_crc(&record[4..], instance, place);
        put(record, 0, 4, u64::from(crc));
    }
}

/// Whether all that the engine would believe of a journal was written by a writer.
pub fn journal_is_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    if !header_is_sealed(bytes) {
        return true;
    }
    let instance = u64_at(bytes, 32);
    let same: Vec<&&[u8]> = originals.iter().filter(|original| original.get(..HEADER) == bytes.get(..HEADER)).collect();
    let records = (HEADER..).step_by(RECORD).map_while(|place| Some((place, bytes.get(place..place + RECORD)?)));
    let mut believed = records.filter(|(place, record)| placed_crc(&record[4..], instance, *place) == u32_at(record, 0));
    !same.is_empty() && believed.all(|(place, record)| same.iter().any(|original| original.get(place..place + RECORD) == Some(record)))
}

// Indexes.

/// The parts of an index: each with its entries.
pub fn parts(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at + PART <= bytes.len() {
        if !has_magic(bytes, at, &PART_MAGIC) {
            match next_magic(bytes, at + 1, bytes.len(), &PART_MAGIC) {
                Some(next) => at = next,
                None => break,
            }
            continue;
        }
        let stated = at + PART + usize_at(&bytes[at..], 44).saturating_mul(ENTRY);
        let end = if stated <= bytes.len() { stated } else { next_magic(bytes, at + 4, bytes.len(), &PART_MAGIC).unwrap_or(bytes.len()) };
        parts.push(at..end);
        at = end;
    }
    parts
}

/// Makes an index fit again; `log` is the log that it is of.
pub fn repair_index(bytes: &mut [u8], id: &Identity, log: &[u8], how: Repair) {
    let frames = frames(log, HEADER, log.len());
    let mut from = HEADER as u64;
    for range in parts(bytes).into_iter().filter(|part| part.len() >= PART) {
        let part = &mut bytes[range];
        if how == Repair::All {
            put(part, 8, 8, id.log);
            put(part, 44, 4, ((part.len() - PART) / ENTRY) as u64);
            put(part, 16, 8, from);
            // It ends with a frame of the log.
            let to = u64_at(part, 24) as usize;
            if let Some(last) = frames.iter().rev().find(|frame| frame.end <= to).or(frames.first()) {
                put(part, 24, 8, last.end as u64);
                put(part, 32, 8, last.start as u64);
                put(part, 40, 4, get(log, last.start + 4, 4));
            }
            from = u64_at(part, 24);
        }
        let entries = part.len().min(PART + usize_at(part, 44).saturating_mul(ENTRY));
        let crc = crc32fast::hash(&part[PART..entries]);
        put(part, 48, 4, u64::from(crc));
        let crc = crc32fast::hash(&part[8..PART]);
        put(part, 4, 4, u64::from(crc));
    }
}

/// Whether all parts that the engine would believe were written by a writer.
pub fn index_is_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    let known: Vec<&[u8]> = originals.iter().flat_map(|original| parts(original).into_iter().map(|range| &original[range])).collect();
    let mut at = 0;
    while let Some(place) = next_magic(bytes, at, bytes.len(), &PART_MAGIC) {
        at = place + 1;
        let part = bytes.get(place..).filter(|part| part.len() >= PART).unwrap_or(&[0; PART]);
        let end = PART + usize_at(part, 44).saturating_mul(ENTRY);
        let believed = part.len() >= end
            && crc32fast::hash(&part[8..PART]) == u32_at(part, 4)
            && crc32fast::hash(&part[PART..end]) == u32_at(part, 48);
        if believed && !known.contains(&&part[..end]) {
            return false;
        }
    }
    true
}

// Recon files.

/// The runs of a recon file: for each where it starts, where its frames end and where it ends.
pub fn runs(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut runs = Vec::new();
    let mut at = HEADER;
    while at + HEADER <= bytes.len() {
        if !has_magic(bytes, at, &RUN_MAGIC) {
            match next_magic(bytes, at + 1, bytes.len(), &RUN_MAGIC) {
                Some(next) => at = next,
                None => break,
            }
            continue;
        }
        let run = &bytes[at..];
        let frames = usize::try_from(u64_at(run, 40)).unwrap_or(usize::MAX);
        let stated = (at + HEADER).saturating_add(frames);
        let end = stated.saturating_add(usize_at(run, 36).saturating_mul(ENTRY));
        let (frames_end, end) = if end <= bytes.len() {
            (stated, end)
        } else {
            let end = next_magic(bytes, at + 4, bytes.len(), &RUN_MAGIC).unwrap_or(bytes.len());
            (stated.clamp((at + HEADER).min(end), end), end)
        };
        runs.push((at, frames_end, end));
        at = end;
    }
    runs
}

/// Makes a recon file fit again; `log` is the log that it is of.
pub fn repair_recon(bytes: &mut [u8], id: &Identity, log: &[u8], how: Repair) {
    let log_frames = frames(log, HEADER, log.len());
    if how == Repair::All && bytes.len() >= HEADER {
        bytes[..8].copy_from_slice(b"estrecon");
        put(bytes, 16, 8, id.log);
        put(bytes, 24, 8, id.recon);
    }
    seal_header(bytes);
    let instance = u64_at(bytes, 24);
    for (start, frames_end, end) in runs(bytes).into_iter().filter(|(start, _, end)| end - start >= HEADER) {
        for range in frames(bytes, start + HEADER, frames_end) {
            repair_frame(&mut bytes[range.clone()], instance, range.start, how);
        }
        let run = &mut bytes[start..end];
        if how == Repair::All {
            put(run, 40, 8, (frames_end - start - HEADER) as u64);
            put(run, 36, 4, ((end - frames_end) / ENTRY) as u64);
            let to = u64_at(run, 16) as usize;
            if let Some(last) = log_frames.iter().rev().find(|frame| frame.end <= to).or(log_frames.first()) {
                put(run, 16, 8, last.end as u64);
                put(run, 24, 8, last.start as u64);
                put(run, 32, 4, get(log, last.start + 4, 4));
            }
        }
        let crc = crc32fast::hash(run.get(frames_end - start..).unwrap_or_default());
        put(run, 48, 4, u64::from(crc));
        let crc = placed_crc(&run[8..HEADER], instance, start);
        put(run, 4, 4, u64::from(crc));
    }
}

/// Whether all that the engine would believe of a recon file was written by a writer.
pub fn recon_is_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    let instances = |instance: u64| originals.iter().any(|original| u64_at(original, 24) == instance);
    if !header_is_genuine(bytes, originals) || !frames_are_genuine(bytes, originals, instances) {
        return false;
    }
    let instance = u64_at(bytes, 24);
    let mut at = HEADER;
    while let Some(place) = next_magic(bytes, at, bytes.len(), &RUN_MAGIC) {
        at = place + 1;
        let run = &bytes[place..];
        let believed = run.len() >= HEADER && placed_crc(&run[8..HEADER], instance, place) == u32_at(run, 4);
        if !believed {
            continue;
        }
        let start = HEADER.saturating_add(usize::try_from(u64_at(run, 40)).unwrap_or(usize::MAX));
        let end = start.saturating_add(usize_at(run, 36).saturating_mul(ENTRY));
        let Some(entries) = run.get(start..end) else { continue };
        let same = |original: &&[u8]| {
            original.get(place..place + HEADER) == run.get(..HEADER) && original.get(place + start..place + end) == Some(entries)
        };
        if crc32fast::hash(entries) == u32_at(run, 48) && !originals.iter().any(same) {
            return false;
        }
    }
    true
}

/// A recon file with one run for each stretch of the log that ends at one of these places, ends of frames all of them.
pub fn build_recon(log: &[u8], id: &Identity, ends: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    put(&mut bytes, 8, 4, get(log, 8, 4));
    let mut from = HEADER;
    for &to in ends {
        let start = bytes.len();
        bytes.resize(start + HEADER, 0);
        bytes[start..start + 4].copy_from_slice(&RUN_MAGIC);
        put(&mut bytes, start + 8, 8, from as u64);
        put(&mut bytes, start + 16, 8, to as u64);
        let late = frames(log, from, to).into_iter().map(|range| &log[range]).filter(|frame| get(frame, 24, 2) as u16 & LATE != 0);
        let mut events: Vec<Stored> = late.flat_map(events_of).collect();
        events.sort();
        let mut entries = Vec::new();
        // Several small frames, so that there is something to put in order.
        for events in events.chunks(3) {
            let place = bytes.len();
            let frame = build_frame(events, id.recon, place, RECON, 0, 0);
            entries.extend_from_slice(&(place as u64).to_le_bytes());
            entries.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            entries.extend_from_slice(&(events.len() as u32).to_le_bytes());
            entries.extend_from_slice(&frame[64..96]);
            entries.extend_from_slice(&frame[104..112]);
            entries.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            entries.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&frame);
        }
        let frames_len = (bytes.len() - start - HEADER) as u64;
        put(&mut bytes, start + 40, 8, frames_len);
        put(&mut bytes, start + 36, 4, (entries.len() / ENTRY) as u64);
        bytes.extend_from_slice(&entries);
        from = to;
    }
    repair_recon(&mut bytes, id, log, Repair::All);
    bytes
}

// Settings.

/// Makes the settings fit again.
pub fn repair_settings(bytes: &mut [u8], id: &Identity, how: Repair) {
    if bytes.len() < 128 {
        return;
    }
    if how == Repair::All {
        bytes[..8].copy_from_slice(b"estore\r\n");
        put(bytes, 24, 8, id.store as u64);
        put(bytes, 32, 8, (id.store >> 64) as u64);
    }
    let crc = crc32fast::hash(&bytes[..124]);
    put(bytes, 124, 4, u64::from(crc));
}

/// Whether the settings are damaged, or those of an original.
pub fn settings_are_genuine(bytes: &[u8], originals: &[&[u8]]) -> bool {
    let believed = bytes.len() >= 128 && crc32fast::hash(&bytes[..124]) == u32_at(bytes, 124);
    !believed || originals.iter().any(|original| original.get(..128) == bytes.get(..128))
}
