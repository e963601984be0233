//! `estore_error`: the detail of a failure, in a struct that the caller owns.
//!
//! Not a thread-local, since a goroutine may change threads between two calls, and nothing to free.

use std::ffi::c_char;
use std::mem::offset_of;

use super::status::{self, ESTORE_ERR_INVALID, estore_status};
use crate::error::Error;

/// The size of the message in estore_error in bytes, with its NUL.
pub const ESTORE_ERROR_MESSAGE_LEN: usize = 496;

/// The offset in estore_error where there is none.
pub const ESTORE_NO_OFFSET: u64 = u64::MAX;

/// What exactly went wrong. The caller owns it, starts it with ESTORE_ERROR_INIT and passes its address, or NULL if it only wants the
/// status. Filled when a function fails (a negative status); left as it is otherwise. 512 bytes, frozen.
#[repr(C)]
pub struct estore_error {
    /// What the function returned.
    pub status: estore_status,
    /// The operating system's error number (errno), or 0.
    pub os_errno: i32,
    /// The byte in the file that the message names, or ESTORE_NO_OFFSET.
    pub offset: u64,
    /// What happened, to which file: UTF-8, always NUL-terminated, cut at a whole character if it is too long.
    pub message: [c_char; ESTORE_ERROR_MESSAGE_LEN],
}

const _: () = assert!(size_of::<estore_error>() == 512 && align_of::<estore_error>() == align_of::<u64>());
const _: () = assert!(offset_of!(estore_error, status) == 0 && offset_of!(estore_error, os_errno) == 4);
const _: () = assert!(offset_of!(estore_error, offset) == 8 && offset_of!(estore_error, message) == 16);

/// Why a call failed, on its way to the caller.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: estore_status,
    os_errno: i32,
    offset: u64,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(status: estore_status, message: impl Into<String>) -> Failure {
        Failure { status, os_errno: 0, offset: ESTORE_NO_OFFSET, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(ESTORE_ERR_INVALID, message)
    }

    /// Fills the caller's struct, if there is one, and answers with the status.
    ///
    /// # Safety
    ///
    /// `err` is NULL or valid for writes.
    pub(super) unsafe fn report(&self, err: *mut estore_error) -> estore_status {
        if !err.is_null() {
            let message = c_message(&self.message);
            // SAFETY: the caller's promise. The whole struct is written, so it need not have been initialised.
            unsafe { err.write(estore_error { status: self.status, os_errno: self.os_errno, offset: self.offset, message }) };
        }
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure {
            status: status::of(&error),
            os_errno: error.os_error().unwrap_or(0),
            offset: error.offset().unwrap_or(ESTORE_NO_OFFSET),
            message: error.to_string(),
        }
    }
}

/// Cuts at a border of characters. A NUL in the text, which would hide the rest of it, becomes a question mark.
fn c_message(text: &str) -> [c_char; ESTORE_ERROR_MESSAGE_LEN] {
    let room = text.len().min(ESTORE_ERROR_MESSAGE_LEN - 1);
    let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let mut message = [0; ESTORE_ERROR_MESSAGE_LEN];
    for (to, from) in message.iter_mut().zip(text.bytes().take(end)) {
        *to = (if from == 0 { b'?' } else { from }) as c_char;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[c_char]) -> String {
        let bytes: Vec<u8> = message.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
        String::from_utf8(bytes).unwrap_or_else(|e| format!("not UTF-8: {e}"))
    }

    #[test]
    fn a_long_message_is_cut_at_a_whole_character() {
        for text_before in ["", "a", "ab"] {
            let long = format!("{text_before}{}", "\u{20ac}".repeat(400));
            let cut = text(&c_message(&long));
            assert!(long.starts_with(&cut));
            assert!(cut.len() > ESTORE_ERROR_MESSAGE_LEN - 4 && cut.len() < ESTORE_ERROR_MESSAGE_LEN);
        }
        assert_eq!(text(&c_message("short")), "short");
        assert_eq!(text(&c_message("")), "");
        assert_eq!(text(&c_message(&"x".repeat(495))).len(), 495);
        assert_eq!(text(&c_message(&"x".repeat(496))).len(), 495);
    }

    #[test]
    fn a_nul_in_a_message_does_not_end_it() {
        assert_eq!(text(&c_message("one\0two")), "one?two");
    }
}
