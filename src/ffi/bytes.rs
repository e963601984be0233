//! `estore_bytes`: what is made to be carried elsewhere, such as a parcel of events or a message to a replica.

use super::error::estore_error;
use super::handle::{Handle, Opaque};
use super::status::{ESTORE_OK, estore_status};
use super::{close, require, with};

/// Bytes that the library made for the caller to carry elsewhere, such as a parcel of events or a message to a replica. They never change,
/// and depend on nothing they came from.
pub struct estore_bytes {
    _opaque: [u8; 0],
}

impl Opaque for estore_bytes {
    type Inner = Vec<u8>;
    const TAG: u64 = u64::from_le_bytes(*b"es:bytes");
    const NAME: &'static str = "bytes";
    /// They are memory and nothing else, so a forked child may use them.
    const OF_ONE_PROCESS: bool = false;

    fn is_in_use(_: &Self::Inner) -> bool {
        false
    }
}

/// Bytes as a handle for the caller.
pub(super) fn make(bytes: Vec<u8>) -> *mut estore_bytes {
    Handle::make(bytes)
}

/// Gives a view of the bytes.
///
/// Arguments: bytes. data, len: where the address of the first one goes, and how many there are.
/// Returns: ESTORE_OK, *data and *len set; on failure they are as they were.
/// Ownership: the view is valid until estore_bytes_free. Nobody may write to it.
/// Threads: any, also at the same time.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_bytes_view(
    bytes: *const estore_bytes,
    data: *mut *const u8,
    len: *mut usize,
    err: *mut estore_error,
) -> estore_status {
    let body = |bytes: &Vec<u8>| {
        require(data, "data")?;
        require(len, "len")?;
        // SAFETY: not NULL, so valid for writes.
        unsafe {
            data.write(bytes.as_ptr());
            len.write(bytes.len());
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: as the header asks.
    unsafe { with(bytes, err, body) }
}

/// Frees bytes and sets the variable to NULL.
///
/// Arguments: bytes: the address of the variable; a NULL in it is fine.
/// Returns: ESTORE_OK, the variable is NULL. If it held a handle of another kind: ESTORE_ERR_INVALID, and it stays.
/// Ownership: ends the caller's, and views of the bytes.
/// Threads: any, while no other thread uses them.
/// Statuses: ESTORE_OK; ESTORE_ERR_INVALID; ESTORE_ERR_PANIC.
/// Since: 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn estore_bytes_free(bytes: *mut *mut estore_bytes) -> estore_status {
    // SAFETY: as the header asks; there is no error struct.
    unsafe { close(bytes, std::ptr::null_mut(), |_| Ok(())) }
}
