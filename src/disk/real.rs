//! The real disk: libc calls, nothing more.

#![allow(unsafe_code)] // calls libc

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::watch::FolderWatch;
use super::{Access, Clock, Disk, File, Kind, Lock, Watch, process, retry};

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn wall_ns(&self) -> u64 {
        process::wall_clock_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        process::monotonic_clock_ns()
    }
}

#[derive(Debug)]
struct RealFile(OwnedFd);

/// The last error, if a call answered -1.
pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn position(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))
}

pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn open(path: &Path, flags: libc::c_int) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: `path` ends with a NUL; the mode is given as open(2) wants it when it creates.
    let open = |flags| check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o666 as libc::c_uint) });
    // Somebody may have put a pipe in the place of a file: opening it would wait for its other end. For files this flag means nothing, but
    // that a lease which another process has to give up first is not waited for.
    let fd = match open(flags | libc::O_NONBLOCK) {
        Err(e) if e.raw_os_error() == Some(libc::EWOULDBLOCK) => open(flags)?,
        other => other?,
    };
    // SAFETY: open has just returned this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let flags = match access {
            Access::Read => libc::O_RDONLY,
            Access::Write => libc::O_RDWR,
            Access::CreateNew => libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
        };
        Ok(Box::new(RealFile(open(path, flags)?)))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Some(Kind::Folder)),
            Ok(found) if found.is_file() => Ok(Some(Kind::File)),
            Ok(_) => Ok(Some(Kind::Other)),
            // ENOTDIR: a part of the path before its end is a file; the caller hears of that from the call that follows.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        let found = std::fs::metadata(path)?;
        Ok((found.dev(), found.ino()))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let folder = open(path, libc::O_RDONLY | libc::O_DIRECTORY)?;
        // SAFETY: the descriptor is open for as long as `folder` lives.
        check(unsafe { libc::fsync(folder.as_raw_fd()) }).map(drop)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        Ok(FileLock::take(path)?.map(|lock| Box::new(lock) as Box<dyn Lock>))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let fd = open(path, libc::O_RDONLY)?;
        // SAFETY: flock is plain data, for which zeros are valid: all of the file, with l_pid 0 as OFD locks demand.
        let mut found: libc::flock = unsafe { std::mem::zeroed() };
        found.l_type = libc::F_RDLCK as libc::c_short;
        found.l_whence = libc::SEEK_SET as libc::c_short;
        // SAFETY: the descriptor is open and `found` is a valid flock.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &mut found) })?;
        Ok(found.l_type != libc::F_UNLCK as libc::c_short)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        process::random(bytes)
    }

    fn watch(&self, folder: &Path) -> io::Result<Option<Box<dyn Watch>>> {
        Ok(Some(Box::new(FolderWatch::new(folder)?)))
    }
}

impl File for RealFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = position(offset)?;
        // SAFETY: the descriptor is open and `bytes` is valid for writes of its length.
        check_len(unsafe { libc::pread(self.0.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), offset) })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = position(offset)?;
        // SAFETY: the descriptor is open and `bytes` is valid for reads of its length.
        check_len(unsafe { libc::pwrite(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), offset) })
    }

    fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        let (offset, len) = (position(offset)?, position(len)?);
        if len == 0 {
            return Ok(());
        }
        // With the length set here, writing changes only bytes, which makes a sync that follows half as dear.
        // SAFETY: the descriptor is open; the call takes no pointers.
        let result = unsafe { libc::fallocate(self.0.as_raw_fd(), 0, offset, len) };
        match check(result) {
            // A file system that can't set room aside.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => Ok(()),
            other => other.map(drop),
        }
    }

    fn sync(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open. fdatasync covers the length too, since the bytes can't be read back without it.
        check(unsafe { libc::fdatasync(self.0.as_raw_fd()) }).map(drop)
    }

    fn len(&self) -> io::Result<u64> {
        // SAFETY: stat is plain data, for which zeros are valid; the descriptor is open and `found` a place for one stat.
        let found = unsafe {
            let mut found: libc::stat = std::mem::zeroed();
            check(libc::fstat(self.0.as_raw_fd(), &mut found))?;
            found
        };
        u64::try_from(found.st_size).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = position(len)?;
        // SAFETY: the descriptor is open; the call takes no pointers.
        check(unsafe { libc::ftruncate(self.0.as_raw_fd(), len) }).map(drop)
    }

    fn forget(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open; the call takes no pointers.
        match unsafe { libc::posix_fadvise(self.0.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
            // A file system without a cache of its own has nothing to forget.
            0 | libc::ENOSYS | libc::EOPNOTSUPP => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}

// The lock is one of an open file description (F_OFD_SETLK): two openings exclude each other in one process as they do in two, and no
// other close(2) of the file drops it, which is where classic POSIX locks fail. But a forked child shares the description, and with it
// would keep a dead parent's lock. So a fork handler closes the child's copies: they stand in a table that fork can't catch half-written,
// since the handler that runs before each fork holds it.

/// Locks held at once by one process. More are refused.
const LOCK_TABLE_LEN: usize = 4096;
/// The descriptors of the locks held; -1 is a free place.
static LOCK_TABLE: [AtomicI32; LOCK_TABLE_LEN] = [const { AtomicI32::new(-1) }; LOCK_TABLE_LEN];
/// Held (true) while the table or the descriptors in it change, and across a fork. A spin lock, since a mutex can't be handed to the
/// child; each holder is done after a few system calls.
static LOCK_TABLE_BUSY: AtomicBool = AtomicBool::new(false);

fn hold_lock_table() {
    while LOCK_TABLE_BUSY.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
}

fn release_lock_table() {
    LOCK_TABLE_BUSY.store(false, Ordering::Release);
}

pub(super) fn lock_files_before_fork() {
    hold_lock_table();
}

pub(super) fn lock_files_after_fork(in_child: bool) {
    if in_child {
        for place in &LOCK_TABLE {
            let fd = place.swap(-1, Ordering::Relaxed);
            if fd != -1 {
                // SAFETY: the descriptor came into this child with the fork and belongs to a `FileLock` of the parent, whose drop in the
                // child finds its place empty and closes nothing.
                unsafe { libc::close(fd) };
            }
        }
    }
    release_lock_table();
}

/// A lock held through a descriptor that stands in the table.
#[derive(Debug)]
struct FileLock {
    fd: RawFd,
    place: usize,
    /// The fork generation that took it: in a forked child the descriptor is closed already, and its number may be another file's.
    forks: u32,
}

impl FileLock {
    fn take(path: &Path) -> io::Result<Option<FileLock>> {
        let forks = process::forks(); // registers the fork handlers, before there is a first descriptor
        hold_lock_table();
        let taken = FileLock::take_holding_table(path, forks);
        release_lock_table();
        taken
    }

    fn take_holding_table(path: &Path, forks: u32) -> io::Result<Option<FileLock>> {
        let fd = retry(|| open(path, libc::O_RDWR | libc::O_CREAT))?;
        // SAFETY: flock is plain data, for which zeros are valid: a lock from byte 0 to the end, with l_pid 0 as OFD locks demand.
        let mut whole: libc::flock = unsafe { std::mem::zeroed() };
        whole.l_type = libc::F_WRLCK as libc::c_short;
        whole.l_whence = libc::SEEK_SET as libc::c_short;
        // SAFETY: the descriptor is open and `whole` is a valid flock.
        match retry(|| check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &whole) })) {
            Ok(_) => {}
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => return Ok(None),
            Err(e) => return Err(e),
        }
        // Whoever removed the file before the lock was taken leaves us with the lock of a file without a name: there is no store any more.
        let named = std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        let held = std::fs::File::from(fd.try_clone()?).metadata()?;
        if named != Some((held.dev(), held.ino())) {
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        let Some(place) = LOCK_TABLE.iter().position(|place| place.load(Ordering::Relaxed) == -1) else {
            return Err(io::Error::from_raw_os_error(libc::ENOLCK));
        };
        let fd = std::os::fd::IntoRawFd::into_raw_fd(fd);
        if let Some(slot) = LOCK_TABLE.get(place) {
            slot.store(fd, Ordering::Relaxed);
        }
        Ok(Some(FileLock { fd, place, forks }))
    }
}

impl Lock for FileLock {}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.forks != process::forks() {
            return;
        }
        hold_lock_table();
        if let Some(place) = LOCK_TABLE.get(self.place) {
            place.store(-1, Ordering::Relaxed);
        }
        // Unlocked before it is closed: a child that is on its way to another program has a copy of the descriptor.
        // SAFETY: flock is plain data, for which zeros are valid: all of the file, with l_pid 0 as OFD locks demand.
        let mut whole: libc::flock = unsafe { std::mem::zeroed() };
        whole.l_type = libc::F_UNLCK as libc::c_short;
        whole.l_whence = libc::SEEK_SET as libc::c_short;
        // SAFETY: the descriptor is open and ours alone: no fork has closed it, and nobody else takes it out of the table. `whole` is a
        // valid flock.
        unsafe {
            libc::fcntl(self.fd, libc::F_OFD_SETLK, &whole);
            libc::close(self.fd);
        }
        release_lock_table();
    }
}
