//! Messages between replicas, in a format of their own so that any program can carry them. [`crate::format`] has their layout.
//!
//! A message is read as a whole before any of it counts.

use std::path::PathBuf;

use crate::bytes::{u32_at, u64_at};
use crate::efile::read::Gap;
use crate::error::{Error, Result};

use super::digest::Bucket;
use super::envelope::{Envelope, HEADER_LEN};
use super::identity::Identity;

const ENVELOPE: Envelope = Envelope { magic: *b"estmessg", name: "message", full_name: "message of a replica" };
const ASKED_LEN: usize = 72;
const PART_LEN: usize = 40;
const IDENTITY_LEN: usize = 24;
/// Texts that are longer are cut.
const MAX_TEXT_LEN: usize = 255;

/// A range, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bucket: Bucket,
}

/// A range that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) part: Part,
    /// Identities are wanted, those after this one.
    pub(crate) after: Option<Identity>,
}

/// What is told about a range that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) place: u32,
    /// There are more identities than these.
    pub(crate) more: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) identities: Vec<Identity>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Ask { horizon: u64, ranges: Vec<Asked> },
    Tell { horizon: u64, answered: u64, gaps: Vec<Gap>, told: Vec<Told> },
    Want { identities: Vec<Identity> },
    Have { looked_for: u64, parcel: &'a [u8] },
    Give { parcel: &'a [u8] },
    Taken { stored: u64, present: u64, expired: u64 },
}

/// Bytes that are no message, or not one that was to come.
pub(crate) fn nonsense(offset: usize, what: &str) -> Error {
    ENVELOPE.refused(offset, what)
}

impl Message<'_> {
    fn kind(&self) -> u32 {
        match self {
            Message::Ask { .. } => 1,
            Message::Tell { .. } => 2,
            Message::Want { .. } => 3,
            Message::Have { .. } => 4,
            Message::Give { .. } => 5,
            Message::Taken { .. } => 6,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = ENVELOPE.begin();
        let numbers = |bytes: &mut Vec<u8>, list: &[u64]| list.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        let identity = |bytes: &mut Vec<u8>, Identity { time, hash }: Identity| {
            bytes.extend_from_slice(&time.to_le_bytes());
            bytes.extend_from_slice(&hash.to_le_bytes());
        };
        let bucket = |bytes: &mut Vec<u8>, Bucket { count, sum }: Bucket| {
            bytes.extend_from_slice(&count.to_le_bytes());
            bytes.extend_from_slice(&sum.to_le_bytes());
        };
        match self {
            Message::Ask { horizon, ranges } => {
                numbers(&mut bytes, &[*horizon]);
                for Asked { part, after } in ranges {
                    numbers(&mut bytes, &[part.first, part.last, u64::from(after.is_some())]);
                    identity(&mut bytes, after.unwrap_or_default());
                    bucket(&mut bytes, part.bucket);
                }
            }
            Message::Tell { horizon, answered, gaps, told } => {
                numbers(&mut bytes, &[*horizon, *answered, gaps.len() as u64]);
                for gap in gaps {
                    numbers(&mut bytes, &[gap.offset, gap.len, gap.first_time, gap.last_time]);
                    // Where the folder is concerns nobody else.
                    let name = gap.path.file_name().unwrap_or_default().to_string_lossy();
                    let texts = [shown(&name), shown(&gap.what)];
                    texts.iter().for_each(|text| bytes.extend_from_slice(&(text.len() as u32).to_le_bytes()));
                    texts.iter().for_each(|text| bytes.extend_from_slice(text.as_bytes()));
                }
                for Told { place, more, parts, identities } in told {
                    for number in [*place, u32::from(*more), parts.len() as u32, identities.len() as u32] {
                        bytes.extend_from_slice(&number.to_le_bytes());
                    }
                    for part in parts {
                        numbers(&mut bytes, &[part.first, part.last]);
                        bucket(&mut bytes, part.bucket);
                    }
                    identities.iter().for_each(|one| identity(&mut bytes, *one));
                }
            }
            Message::Want { identities } => identities.iter().for_each(|one| identity(&mut bytes, *one)),
            Message::Have { looked_for, parcel } => {
                numbers(&mut bytes, &[*looked_for]);
                bytes.extend_from_slice(parcel);
            }
            Message::Give { parcel } => bytes.extend_from_slice(parcel),
            Message::Taken { stored, present, expired } => numbers(&mut bytes, &[*stored, *present, *expired]),
        }
        Envelope::finish(bytes, self.kind())
    }

    /// Reads a message, which must be whole.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Message<'_>> {
        let (kind, contents) = ENVELOPE.open(bytes)?;
        let mut rest = Rest { bytes: contents };
        let message = match kind {
            1 => {
                let horizon = rest.number()?;
                let mut ranges = Vec::with_capacity(rest.bytes.len() / ASKED_LEN);
                while !rest.bytes.is_empty() {
                    let (first, last, wanted) = (rest.number()?, rest.number()?, rest.number()?);
                    let (after, bucket) = (rest.identity()?, rest.bucket()?);
                    let after = (wanted == 1).then_some(after);
                    ranges.push(Asked { part: Part { first, last, bucket }.checked()?, after });
                }
                Message::Ask { horizon, ranges }
            }
            2 => {
                let (horizon, answered, gap_count) = (rest.number()?, rest.number()?, rest.number()?);
                let mut gaps = Vec::new();
                for _ in 0..gap_count {
                    gaps.push(rest.gap()?);
                }
                let mut told = Vec::new();
                while !rest.bytes.is_empty() {
                    let head = rest.take(16)?;
                    let (parts, identities) = (u32_at(head, 8) as usize, u32_at(head, 12) as usize);
                    let mut one = Told { place: u32_at(head, 0), more: u32_at(head, 4) == 1, ..Told::default() };
                    if parts.saturating_mul(PART_LEN).saturating_add(identities.saturating_mul(IDENTITY_LEN)) > rest.bytes.len() {
                        return Err(nonsense(HEADER_LEN, "a message that says more than it has"));
                    }
                    for _ in 0..parts {
                        let (first, last) = (rest.number()?, rest.number()?);
                        one.parts.push(Part { first, last, bucket: rest.bucket()? }.checked()?);
                    }
                    one.identities = (0..identities).map(|_| rest.identity()).collect::<Result<_>>()?;
                    told.push(one);
                }
                Message::Tell { horizon, answered, gaps, told }
            }
            3 => {
                let count = rest.bytes.len() / IDENTITY_LEN;
                let identities = (0..count).map(|_| rest.identity()).collect::<Result<_>>()?;
                Message::Want { identities }
            }
            4 => Message::Have { looked_for: rest.number()?, parcel: std::mem::take(&mut rest.bytes) },
            5 => Message::Give { parcel: std::mem::take(&mut rest.bytes) },
            6 => Message::Taken { stored: rest.number()?, present: rest.number()?, expired: rest.number()? },
            _ => return Err(nonsense(12, "a message of a kind that there is not")),
        };
        if !rest.bytes.is_empty() {
            return Err(nonsense(HEADER_LEN + contents.len(), "a message with something behind its end"));
        }
        Ok(message)
    }
}

/// As much of a text as is told, which can be shown to a person.
fn shown(text: &str) -> String {
    let chars = text.char_indices().take_while(|(at, char)| at + char.len_utf8() <= MAX_TEXT_LEN).map(|(_, char)| char);
    chars.filter(|char| !char.is_control()).collect()
}

impl Part {
    fn checked(self) -> Result<Part> {
        if self.first <= self.last { Ok(self) } else { Err(nonsense(HEADER_LEN, "a range that ends before it starts")) }
    }
}

/// What is still to be read of a message.
struct Rest<'a> {
    bytes: &'a [u8],
}

impl<'a> Rest<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(|| nonsense(HEADER_LEN, "a message that ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        self.take(8).map(|bytes| u64_at(bytes, 0))
    }

    fn long(&mut self) -> Result<u128> {
        Ok(u128::from(self.number()?) | u128::from(self.number()?) << 64)
    }

    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity { time: self.number()?, hash: self.long()? })
    }

    fn bucket(&mut self) -> Result<Bucket> {
        Ok(Bucket { count: self.number()?, sum: self.long()? })
    }

    fn gap(&mut self) -> Result<Gap> {
        let (offset, len, first_time, last_time) = (self.number()?, self.number()?, self.number()?, self.number()?);
        if first_time > last_time {
            return Err(nonsense(HEADER_LEN, "damage that ends before it starts"));
        }
        let lens = self.take(8)?;
        let (name, what) = (self.text(u32_at(lens, 0))?, self.text(u32_at(lens, 4))?);
        Ok(Gap { path: PathBuf::from(name), offset, len, first_time, last_time, what })
    }

    /// Text that can be shown to a person.
    fn text(&mut self, len: u32) -> Result<String> {
        let text = std::str::from_utf8(self.take(len as usize)?).ok().filter(|text| !text.contains(char::is_control));
        text.map(str::to_owned).ok_or_else(|| nonsense(HEADER_LEN, "a text that is none"))
    }
}
