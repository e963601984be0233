//! Watching a folder of the real disk, with inotify.

#![allow(unsafe_code)] // calls libc

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use super::bell::Bell;
use super::{Watch, real, retry};

/// What happens to a folder of a store when there is something to see in it.
const CHANGES: u32 =
    libc::IN_MODIFY | libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_DELETE | libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_ONLYDIR;

/// Where the system does not let a thread wait, it looks this often instead.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct FolderWatch {
    changes: OwnedFd,
    end: Bell,
}

impl FolderWatch {
    pub(super) fn new(folder: &Path) -> io::Result<FolderWatch> {
        let path = real::c_path(folder)?;
        // SAFETY: the call takes no pointers.
        let fd = real::check(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
        // SAFETY: the call has just returned this descriptor, and nobody else has it.
        let changes = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the descriptor is open and `path` ends with a NUL.
        real::check(unsafe { libc::inotify_add_watch(changes.as_raw_fd(), path.as_ptr(), CHANGES) })?;
        Ok(FolderWatch { changes, end: Bell::new()? })
    }
}

impl Watch for FolderWatch {
    fn wait(&self, timeout: Duration) {
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut both = [readable(self.changes.as_raw_fd()), readable(self.end.as_fd().as_raw_fd())];
        let timeout_ms = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `both` is valid for reads and writes of its length; the descriptors are open.
        if unsafe { libc::poll(both.as_mut_ptr(), both.len() as libc::nfds_t, timeout_ms) } == -1 {
            std::thread::sleep(timeout.min(LOOK_EVERY));
        }
        // What has changed is for the caller to find out.
        let mut notes = [0_u8; 4096];
        // SAFETY: the descriptor is open and `notes` is valid for writes of its length.
        let mut read = || match unsafe { libc::read(self.changes.as_raw_fd(), notes.as_mut_ptr().cast(), notes.len()) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        };
        // It fails once there are no more.
        while retry(&mut read).is_ok() {}
    }

    fn end(&self) {
        self.end.ring();
    }
}
