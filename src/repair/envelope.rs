//! What parcels and messages have in common: a head that says what they are, and a checksum at the end. [`crate::format`] has the layout.

use std::path::Path;

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::error::{Error, Result};
use crate::planted::{self, Bug};

const VERSION: u32 = 1;
pub(super) const HEADER_LEN: usize = 24;
pub(super) const CRC_LEN: usize = 4;

/// One of the two.
pub(super) struct Envelope {
    pub(super) magic: [u8; 8],
    /// What errors call it: in short,
    pub(super) name: &'static str,
    /// and in full.
    pub(super) full_name: &'static str,
}

impl Envelope {
    /// An error about bytes of one.
    pub(super) fn refused(&self, offset: usize, what: &str) -> Error {
        Error::corrupt(Path::new(self.name), offset as u64, what)
    }

    /// Bytes to put the contents behind.
    pub(super) fn begin(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.resize(HEADER_LEN, 0);
        bytes
    }

    /// Closes it. `number` is the one in its head.
    pub(super) fn finish(mut bytes: Vec<u8>, number: u32) -> Vec<u8> {
        let len = (bytes.len() + CRC_LEN) as u64;
        put(&mut bytes, 12, &number.to_le_bytes());
        put(&mut bytes, 16, &len.to_le_bytes());
        let crc = crc32(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The number in the head of one that is whole, and its contents.
    pub(super) fn open<'a>(&self, bytes: &'a [u8]) -> Result<(u32, &'a [u8])> {
        let Envelope { magic, name, full_name } = self;
        let end = bytes.len().saturating_sub(CRC_LEN);
        if end < HEADER_LEN || bytes.get(..8) != Some(magic) {
            return Err(self.refused(0, &format!("this is no {full_name}, or one that was cut")));
        }
        if u64_at(bytes, 16) != bytes.len() as u64 {
            return Err(self.refused(16, &format!("a {name} of another length: it was cut, or something was added")));
        }
        if u32_at(bytes, end) != crc32(bytes.get(..end).unwrap_or_default()) && !planted::has(Bug::SkipParcelChecksum) {
            return Err(self.refused(end, &format!("a {name} that was changed: its checksum is another")));
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(self.refused(8, &format!("a {name} of a newer version")));
        }
        Ok((u32_at(bytes, 12), bytes.get(HEADER_LEN..end).unwrap_or_default()))
    }
}
