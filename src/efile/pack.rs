//! Compressed bodies of frames: the only place that knows a compressor.
//!
//! ```text
//!   encode    body ── compress ──> smaller by an eighth, and decodes to the body? stored so, else as it is
//!   decode    the stored bytes' checksum, then ── decompress ──> exactly as long as the checked header says
//! ```
//!
//! Only compacted logs have compressed frames. Their headers tell the length of the body that comes out, bounded by [`MAX_LEN`] and by
//! what so many bytes can come of, so no header makes a reader set aside much more than what is in the file is worth.
//!
//! A build without the feature still knows the codecs by their numbers: it walks over compressed frames, checks and counts them, and
//! names the feature only when it would have to look inside.

use crate::error::{Error, Result};
use crate::options::Compression;
use crate::planted::{self, Bug};

use super::frame::Refusal;

/// A longer body is not compressed: the memory for it is set aside before it is known whether it comes out.
pub(crate) const MAX_LEN: usize = 4 << 20;
/// The feature that LZ4 needs.
const LZ4: &str = "lz4";

impl Compression {
    /// Its number in files.
    pub(crate) fn code(self) -> u8 {
        match self {
            Compression::None => 0,
            Compression::Lz4 => 1,
        }
    }

    /// The one with this number in files.
    pub(crate) fn of_code(code: u8) -> Option<Compression> {
        [Compression::None, Compression::Lz4].into_iter().find(|compression| compression.code() == code)
    }

    /// An error if this build lacks it.
    pub(crate) fn check_built(self) -> Result<()> {
        match self {
            Compression::Lz4 if !cfg!(feature = "lz4") => Err(Error::MissingFeature { feature: LZ4, path: None }),
            _ => Ok(()),
        }
    }

    /// Whether `len` bytes can come of `stored` bytes.
    pub(crate) fn can_give(self, len: u32, stored: u32) -> bool {
        match self {
            Compression::None => len == stored,
            // One byte of a length tells of 255 at most.
            Compression::Lz4 => stored < len && len as usize <= MAX_LEN && u64::from(len) <= u64::from(stored) * 255,
        }
    }
}

/// Compresses bodies one after the other, in memory that is used again.
#[derive(Debug)]
pub(crate) struct Packer {
    compression: Compression,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Packer {
    pub(crate) fn new(compression: Compression) -> Packer {
        Packer { compression, packed: Vec::new(), unpacked: Vec::new() }
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// The body compressed, if it gets smaller by an eighth. What it was made of is about to be removed, so it is decompressed once to see
    /// that it is the same.
    pub(crate) fn pack(&mut self, body: &[u8]) -> Option<&[u8]> {
        if body.len() > MAX_LEN {
            return None;
        }
        let len = compress(self.compression, body, &mut self.packed)?;
        let packed = self.packed.get(..len)?;
        let is_fine = len <= body.len() - body.len() / 8 && self.compression.can_give(body.len() as u32, len as u32);
        if !is_fine {
            return None;
        }
        self.unpacked.resize(body.len(), 0);
        let unpacked = unpack(self.compression, packed, &mut self.unpacked);
        (unpacked.is_ok() && self.unpacked == body).then_some(packed)
    }
}

/// Compresses to the start of `packed`; answers how long that is.
fn compress(compression: Compression, body: &[u8], packed: &mut Vec<u8>) -> Option<usize> {
    match compression {
        Compression::None => None,
        Compression::Lz4 => lz4::compress(body, packed),
    }
}

/// Decompresses to exactly all of `body`.
pub(crate) fn unpack(compression: Compression, packed: &[u8], body: &mut [u8]) -> Result<(), Refusal> {
    compression.check_built().map_err(|_| Refusal::Lacks(LZ4))?;
    let len = match compression {
        Compression::None => return Err(Refusal::Damaged("the body of a frame is not compressed")),
        Compression::Lz4 => lz4::decompress(packed, body),
    };
    match len {
        Some(len) if len == body.len() || planted::has(Bug::TrustPlainLength) => Ok(()),
        Some(_) => Err(Refusal::Damaged("the compressed body of a frame has another length than its header says")),
        None => Err(Refusal::Damaged("the compressed body of a frame can't be decompressed")),
    }
}

#[cfg(feature = "lz4")]
mod lz4 {
    pub(super) fn compress(body: &[u8], packed: &mut Vec<u8>) -> Option<usize> {
        // Only of a body that got larger more would be needed, and that is not wanted; but room for it is asked for.
        let most = lz4_flex::block::get_maximum_output_size(body.len());
        if packed.len() < most {
            packed.resize(most, 0);
        }
        lz4_flex::block::compress_into(body, packed).ok()
    }

    pub(super) fn decompress(packed: &[u8], body: &mut [u8]) -> Option<usize> {
        lz4_flex::block::decompress_into(packed, body).ok()
    }
}

#[cfg(not(feature = "lz4"))]
mod lz4 {
    pub(super) fn compress(_: &[u8], _: &mut Vec<u8>) -> Option<usize> {
        None
    }

    pub(super) fn decompress(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}
