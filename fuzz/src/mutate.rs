//! Mutators that know the files: libFuzzer changes bytes, or a whole frame, record, part, run or field is changed, and then checksums are
//! mostly made to fit again, so that inputs get past them. Sometimes they are left broken.

use std::ops::Range;

use crate::layout::{self, Fields, Identity, Repair, Stored};
use crate::rng::Rng;

/// What a file is. Each kind has pieces that can be copied, moved and left out as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Log,
    Journal,
    Index,
    Recon,
    Settings,
    /// Bytes of which nothing is known.
    Other,
}

/// What a mutator knows besides the input.
pub struct Context<'a> {
    pub id: Identity,
    /// The log that derived files are of.
    pub log: &'a [u8],
    /// Files of the same kind to take pieces from.
    pub donors: Vec<&'a [u8]>,
}

/// libFuzzer's own mutator: changes `data[..size]`, answers the new size, at most that of `data`.
pub type Raw<'a> = &'a mut dyn FnMut(&mut [u8], usize) -> usize;

impl Kind {
    pub fn of_name(name: &str) -> Kind {
        match name.rsplit_once('.').map_or(name, |(_, ending)| ending) {
            "journal" => Kind::Journal,
            "idx" => Kind::Index,
            "recon" => Kind::Recon,
            "estore" if name == "estore" => Kind::Settings,
            "estore" => Kind::Log,
            _ => Kind::Other,
        }
    }

    /// The pieces that the file is made of, its header aside.
    fn pieces(self, bytes: &[u8]) -> Vec<Range<usize>> {
        match self {
            Kind::Log => layout::frames(bytes, layout::HEADER, bytes.len()),
            Kind::Journal => fixed(layout::HEADER, layout::RECORD, bytes.len()),
            Kind::Index => {
                let parts = layout::parts(bytes);
                let entries = parts.iter().flat_map(|part| fixed(part.start + layout::PART, layout::ENTRY, part.end));
                parts.iter().cloned().chain(entries).collect()
            }
            Kind::Recon => {
                let mut pieces = Vec::new();
                for (start, frames_end, end) in layout::runs(bytes) {
                    pieces.push(start..end);
                    pieces.extend(layout::frames(bytes, start + layout::HEADER, frames_end));
                    pieces.extend(fixed(frames_end, layout::ENTRY, end));
                }
                pieces
            }
            Kind::Settings | Kind::Other => Vec::new(),
        }
    }

    /// The fields of the piece that starts with these bytes; of the file's header where there is no piece.
    fn fields(self, piece: Option<&[u8]>) -> Fields {
        match (self, piece) {
            (Kind::Log, None) => layout::LOG_FIELDS,
            (Kind::Journal, None) => layout::JOURNAL_FIELDS,
            (Kind::Journal, Some(_)) => layout::RECORD_FIELDS,
            (Kind::Recon, None) => layout::RECON_FIELDS,
            (Kind::Settings, _) => layout::SETTINGS_FIELDS,
            (Kind::Index, None) => layout::PART_FIELDS,
            (Kind::Other, _) => &[],
            (_, Some(piece)) if piece.starts_with(&layout::FRAME_MAGIC) => layout::frame_fields(piece),
            (_, Some(piece)) if piece.starts_with(&layout::RUN_MAGIC) => layout::RUN_FIELDS,
            (_, Some(piece)) if piece.starts_with(&layout::PART_MAGIC) => layout::PART_FIELDS,
            (Kind::Log, Some(_)) => layout::FRAME_FIELDS,
            (Kind::Index | Kind::Recon, Some(_)) => layout::ENTRY_FIELDS,
        }
    }

    /// Makes a file fit again.
    pub fn repair(self, bytes: &mut [u8], context: &Context<'_>, how: Repair) {
        match self {
            Kind::Log => layout::repair_log(bytes, &context.id, how),
            Kind::Journal => layout::repair_journal(bytes, &context.id, how),
            Kind::Index => layout::repair_index(bytes, &context.id, context.log, how),
            Kind::Recon => layout::repair_recon(bytes, &context.id, context.log, how),
            Kind::Settings => layout::repair_settings(bytes, &context.id, how),
            Kind::Other => {}
        }
    }
}

fn fixed(from: usize, len: usize, to: usize) -> Vec<Range<usize>> {
    (from..to).step_by(len).map(|at| at..(at + len).min(to)).collect()
}

/// Changes a file, to at most `most` bytes.
pub(crate) fn mutate(kind: Kind, bytes: &mut Vec<u8>, most: usize, context: &Context<'_>, rng: &mut Rng, raw: Raw<'_>) {
    // The length is not changed where a mutation aims at fields: what comes behind would move.
    for _ in 0..=rng.below(3) {
        match rng.below(10) {
            0..=2 => by_raw(bytes, most, raw),
            3 => in_piece_by_raw(kind, bytes, rng, raw),
            4..=6 => set_field(kind, bytes, context, rng),
            7 => insert_piece(kind, bytes, context, rng),
            8 => remove_piece(kind, bytes, rng),
            _ => insert_made(kind, bytes, context, rng),
        }
        bytes.truncate(most);
    }
    match rng.below(8) {
        0 => {}
        1 | 2 => kind.repair(bytes, context, Repair::Checksums),
        _ => kind.repair(bytes, context, Repair::All),
    }
}

fn by_raw(bytes: &mut Vec<u8>, most: usize, raw: Raw<'_>) {
    let size = bytes.len().min(most);
    bytes.resize(most, 0);
    let size = raw(bytes, size);
    bytes.truncate(size);
}

/// One of the pieces, mostly; `None` for the header, or where there are none.
fn choose(pieces: &[Range<usize>], rng: &mut Rng) -> Option<Range<usize>> {
    if rng.one_in(8) { None } else { pieces.get(rng.index(pieces.len())).cloned() }
}

fn in_piece_by_raw(kind: Kind, bytes: &mut [u8], rng: &mut Rng, raw: Raw<'_>) {
    let header = 0..layout::HEADER.min(bytes.len());
    let range = choose(&kind.pieces(bytes), rng).unwrap_or(header);
    let mut piece = bytes[range.clone()].to_vec();
    let size = piece.len();
    if size > 0 {
        let size = raw(&mut piece, size).min(size);
        bytes[range.start..range.start + size].copy_from_slice(&piece[..size]);
    }
}

fn set_field(kind: Kind, bytes: &mut [u8], context: &Context<'_>, rng: &mut Rng) {
    let piece = choose(&kind.pieces(bytes), rng);
    let fields = kind.fields(piece.as_ref().map(|range| &bytes[range.clone()]));
    let start = piece.map_or(0, |range| range.start);
    let Some(&(at, width)) = fields.get(rng.index(fields.len())) else { return };
    let was = layout::get(bytes, start + at, width);
    let value = number(was, bytes, context, rng);
    layout::put(bytes, start + at, width, value);
}

/// Numbers at which something may change.
pub(crate) const LIMITS: [u64; 16] =
    [0, 1, 2, 8, 64, 128, 255, 4096, 8192, 65_535, 1 << 24, 1 << 31, u32::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];

/// A number that may mean something where `was` stands.
fn number(was: u64, bytes: &[u8], context: &Context<'_>, rng: &mut Rng) -> u64 {
    let elsewhere = |bytes: &[u8], rng: &mut Rng| {
        let places = bytes.len() / 8;
        layout::get(bytes, rng.index(places) * 8, 8)
    };
    match rng.below(9) {
        0 => LIMITS[rng.index(LIMITS.len())],
        1 => was.wrapping_add(1),
        2 => was.wrapping_sub(1),
        3 => was ^ 1 << rng.below(64),
        4 => was.wrapping_add(rng.below(512)).wrapping_sub(256),
        5 => elsewhere(bytes, rng),
        6 => elsewhere(context.log, rng),
        7 => bytes.len() as u64,
        _ => was.wrapping_add(64 << rng.below(4)),
    }
}

/// Copies a piece of this file or another to the border of some piece.
fn insert_piece(kind: Kind, bytes: &mut Vec<u8>, context: &Context<'_>, rng: &mut Rng) {
    let donor = if rng.one_in(2) { None } else { context.donors.get(rng.index(context.donors.len())) };
    let from = donor.map_or(bytes.as_slice(), |donor| donor);
    let pieces = kind.pieces(from);
    let Some(range) = pieces.get(rng.index(pieces.len())) else { return };
    let piece = from[range.clone()].to_vec();
    insert(kind, bytes, &piece, rng);
}

fn insert(kind: Kind, bytes: &mut Vec<u8>, piece: &[u8], rng: &mut Rng) {
    let pieces = kind.pieces(bytes);
    let at = pieces.get(rng.index(pieces.len() + 1)).map_or(bytes.len(), |range| range.start);
    if rng.one_in(3) {
        // Over what stands there.
        let end = (at + piece.len()).min(bytes.len());
        bytes.splice(at..end, piece.iter().copied());
    } else {
        bytes.splice(at..at, piece.iter().copied());
    }
}

fn remove_piece(kind: Kind, bytes: &mut Vec<u8>, rng: &mut Rng) {
    let pieces = kind.pieces(bytes);
    let Some(range) = pieces.get(rng.index(pieces.len())).cloned() else { return };
    match rng.below(4) {
        0 => bytes.truncate(range.start),
        1 => bytes[range].fill(0),
        _ => drop(bytes.drain(range)),
    }
}

/// Inserts a frame that no writer has written, or zeros.
fn insert_made(kind: Kind, bytes: &mut Vec<u8>, context: &Context<'_>, rng: &mut Rng) {
    if kind == Kind::Log || kind == Kind::Recon {
        let instance = if kind == Kind::Log { context.id.log } else { context.id.recon };
        let known: Vec<Stored> = layout::frames(context.log, layout::HEADER, context.log.len())
            .into_iter()
            .flat_map(|range| layout::events_of(&context.log[range]))
            .collect();
        let near = |rng: &mut Rng, value: u64| match rng.below(4) {
            0 => value,
            1 => value.wrapping_add(1),
            2 => value.wrapping_sub(rng.below(9)),
            _ => number(value, context.log, context, rng),
        };
        let chosen: Vec<&Stored> = (0..=rng.below(4)).filter_map(|_| known.get(rng.index(known.len()))).collect();
        let mut events = Vec::new();
        for event in chosen {
            events.push(Stored { time: near(rng, event.time), seq: near(rng, event.seq), ..event.clone() });
        }
        let highest = events.iter().map(|event| event.seq).max().unwrap_or(0);
        let flags = rng.below(64) as u16;
        let (batch, durable) = (near(rng, highest), near(rng, highest));
        let mut frame = layout::build_frame(&events, instance, bytes.len(), flags, batch, durable);
        if rng.below(3) == 0 {
            frame = layout::pack_frame(&frame, bytes.len());
        }
        insert(kind, bytes, &frame, rng);
    } else {
        let zeros = vec![0; 1 << rng.below(9)];
        bytes.extend_from_slice(&zeros);
    }
}
