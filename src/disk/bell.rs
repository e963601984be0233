//! Bells: how a thread tells an event loop that something has come.

#![allow(unsafe_code)] // calls libc

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::retry;

/// A descriptor that can be polled: it is readable from when the bell is rung until it is silenced.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// A silent bell.
    pub(crate) fn new() -> io::Result<Bell> {
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just returned this descriptor, and nobody else has it.
        Ok(Bell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the descriptor readable, and wakes whoever polls it, also if it was readable.
    pub(crate) fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // The only failure there can be is that it was rung 2^64 - 2 times, and then it is readable.
        let _ = retry(|| {
            // SAFETY: the descriptor is open and `one` is valid for reads of its length.
            let n = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
            if n == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
        });
    }

    /// Makes it not readable.
    pub(crate) fn silence(&self) {
        let mut count = [0; 8];
        // The only failure there can be is that it is silent.
        let _ = retry(|| {
            // SAFETY: the descriptor is open and `count` is valid for writes of its length.
            let n = unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
            if n == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
        });
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
