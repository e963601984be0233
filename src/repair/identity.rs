//! What an event is: its time, its id and its data, whatever its seq; and a hash of them, so that replicas can compare events without sending
//! them.
//!
//! The hash is XXH3 with 128 bits over the time (8 bytes, little endian), the id (4 bytes, little endian) and the data. It is the quickest
//! there is that is long enough: among a billion different events two have the same hash with a chance of 1 in 10^21, and it costs less
//! than reading the event does. It does not protect against somebody who makes events on purpose so that hashes, or sums of them, are
//! equal: replicas have to trust each other, or check what they are given in another way.

use crate::error::{Error, Result};
use crate::event::EventRef;

/// The feature that hashing needs.
const FEATURE: &str = "digest";

/// An identity as far as it is told to others. They are in this order where order matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) time: u64,
    pub(crate) hash: u128,
}

/// Hashes identities one after the other, in memory that is used again.
#[derive(Default)]
pub(crate) struct Hasher {
    bytes: Vec<u8>,
}

impl Hasher {
    /// An error if this build can't hash.
    pub(crate) fn new() -> Result<Hasher> {
        if cfg!(feature = "digest") { Ok(Hasher::default()) } else { Err(Error::MissingFeature { feature: FEATURE, path: None }) }
    }

    #[inline]
    pub(crate) fn hash(&mut self, event: &EventRef<'_>) -> u128 {
        self.bytes.clear();
        self.bytes.extend_from_slice(&event.time.to_le_bytes());
        self.bytes.extend_from_slice(&event.id.to_le_bytes());
        self.bytes.extend_from_slice(event.data);
        hash(&self.bytes)
    }

    pub(crate) fn identity(&mut self, event: &EventRef<'_>) -> Identity {
        Identity { time: event.time, hash: self.hash(event) }
    }
}

#[cfg(feature = "digest")]
fn hash(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

#[cfg(not(feature = "digest"))]
fn hash(_: &[u8]) -> u128 {
    // Nobody has a hasher in such a build.
    0
}
