//! Digests as arrays of numbers, and where two of them differ.

use super::error::{Failure, estore_error};
use super::status::{ESTORE_OK, estore_status};
use super::{array, check_array, guarded, require};
use crate::{Bucket, Digest};

/// The numbers of one bucket, as they cross: the count, and the two halves of the sum.
pub(super) type Numbers = [u64; 3];

pub(super) fn numbers(bucket: &Bucket) -> Numbers {
    [bucket.count, bucket.sum as u64, (bucket.sum >> 64) as u64]
}

fn bucket(&[count, low, high]: &Numbers) -> Bucket {
    Bucket { count, sum: u128::from(low) | u128::from(high) << 64 }
}

/// Tells where two digests of the same range and width differ: the times in which one of the two stores has an event that the other lacks.
/// Times before the later horizon of the two are left out; but the bucket in which it lies may differ just by what is deleted of it. To be
/// exact there, ask both for a range that starts at the later horizon.
///
/// Arguments: start, end, width_ns: as both were asked for. one, other: the buckets of each, three numbers for each bucket, as
/// estore_digest and efile_digest give them. n_buckets: how many buckets each has. one_horizon, other_horizon: the horizons that came with
/// them. bounds, capacity_ranges: an array of the caller with room for two numbers for each range; capacity_ranges 0 ignores the pointer.
/// ranges: where the number of ranges goes.
/// Returns: ESTORE_OK, the first ranges as pairs of first and last time (both inclusive) in bounds, in order and not touching, and *ranges
/// set; 0 if the digests are equal. On failure all is as it was.
/// Ownership: borrows the buckets; the array is the caller's.
/// Threads: any, at any time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID (also if n_buckets is not how many there are of this width in the range); ESTORE_ERR_RANGE;
/// ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_digest_differences(
    start: u64,
    end: u64,
    width_ns: u64,
    one: *const u64,
    one_horizon: u64,
    other: *const u64,
    other_horizon: u64,
    n_buckets: usize,
    bounds: *mut u64,
    capacity_ranges: usize,
    ranges: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = || {
        check_array(bounds.cast::<[u64; 2]>(), capacity_ranges, "bounds")?;
        require(ranges, "ranges")?;
        let needed = Digest::bucket_count(start, end, width_ns)?;
        if n_buckets != needed {
            return Err(Failure::invalid(format!("{n_buckets} buckets, and not {needed} as there are of this width in the range")));
        }
        let digest = |numbers: *const u64, name, horizon| -> Result<Digest, Failure> {
            // SAFETY: three numbers for each bucket, as the header asks; an array of numbers is aligned like they are.
            let numbers: &[Numbers] = unsafe { array(numbers.cast(), n_buckets, name) }?;
            Ok(Digest::new(start, end, width_ns, horizon, numbers.iter().map(bucket).collect())?)
        };
        let differences = digest(one, "one", one_horizon)?.differences(&digest(other, "other", other_horizon)?)?;
        for (index, range) in differences.iter().enumerate().take(capacity_ranges) {
            // SAFETY: below capacity_ranges, so the header asks for room there.
            unsafe { bounds.cast::<[u64; 2]>().add(index).write([*range.start(), *range.end()]) };
        }
        // SAFETY: not NULL, so valid for writes.
        unsafe { ranges.write(differences.len()) };
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { guarded(err, body) }
}
