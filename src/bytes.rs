//! Little-endian numbers at a place in a byte slice, and the checksum over one.
//!
//! Bytes past the end read as 0, so that no input can make these panic; callers check lengths and checksums first.

use std::sync::OnceLock;

use crc32fast::Hasher;

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    if let Some(found) = bytes.get(at..).and_then(|rest| rest.get(..N)) {
        array.copy_from_slice(found);
    }
    array
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Writes `field` at `at`; the caller's buffer is large enough.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..field.len())) {
        place.copy_from_slice(field);
    }
}

/// The CRC-32 of a slice, the one of zlib. To find out what the processor can do costs as much as a short checksum, so it is done once.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    static FRESH: OnceLock<Hasher> = OnceLock::new();
    let mut hasher = FRESH.get_or_init(Hasher::new).clone();
    hasher.update(bytes);
    hasher.finalize()
}
