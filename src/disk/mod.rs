//! The only place that talks to the operating system, behind one trait.
//!
//! ```text
//!   store, efile  ──>  Folder, Handle          errors with file names, short reads and EINTR dealt with
//!                        │
//!                        v
//!                      Disk, File, Clock        what a disk must be able to do: the seam for tests
//!                        │
//!              ┌─────────┴──────────┐
//!           RealDisk             SimDisk        libc   |   in memory: fails, tears, forgets (feature `sim`)
//! ```
//!
//! [`Disk`] and [`File`] are raw: a call may be interrupted, or read or write less than asked, as the system calls may. `Handle` and
//! `Folder` turn that into what the engine wants: all or an [`Error`] that names the file.
//!
//! Everything here may be used from several threads at once.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::planted::{self, Bug};
use crate::threads::atomic::{AtomicBool, Ordering};
use crate::threads::{Mutex, lock};

pub(crate) mod bell;
pub(crate) mod process;
mod real;
#[cfg(feature = "sim")]
mod sim;
mod watch;

pub use real::{RealClock, RealDisk};
#[cfg(feature = "sim")]
pub use sim::{After, Call, Crash, Fault, FaultEffect, SimClock, SimCounters, SimDisk};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A new file, for reading and writing; it is an error (`AlreadyExists`) if the name is taken.
    CreateNew,
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Something else: a socket, a device.
    Other,
}

/// A file system.
///
/// What must hold for the store's promises to hold: [`File::sync`] makes the file's bytes and length survive loss of power, and
/// [`Disk::sync_folder`] the folder's entries; [`Disk::rename`] replaces its target atomically.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>>;
    /// What is at `path`, following links; `None` if nothing is.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;
    /// Two numbers that tell a file or folder from every other one of this and all other disks of this process, whatever path leads there.
    fn identity(&self, path: &Path) -> io::Result<(u64, u64)>;
    /// The names in a folder, in any order, without `.` and `..`.
    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// Makes one folder; its parent must exist.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames a file within its file system, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, in this or another folder; it is an error if that is taken. Where the file system can't do that, or does
    /// not allow it, an error.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
    }
    /// Removes a file's name; open handles keep working, and so do its other names.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the folder's entries survive loss of power.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, creating it if needed; `None`, at once, if somebody else holds it, in this process or another.
    /// Held until dropped, or until the process ends; never held by a forked child.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// Whether somebody holds the lock on a file, in this process or another. Where that can't be told, `false`.
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        Ok(false)
    }
    /// Fills a buffer with random bytes, fit for ids that must not repeat.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()>;
    /// Watches a folder from now on. `None` where that can't be done: whoever wants to know has to look.
    fn watch(&self, folder: &Path) -> io::Result<Option<Box<dyn Watch>>> {
        let _ = folder;
        Ok(None)
    }
}

#[expect(clippy::len_without_is_empty, reason = "a disk has files, not collections")]
/// An open file. Positions are bytes from its start; nothing moves a shared position.
pub trait File: Send + Sync + fmt::Debug {
    /// Reads some bytes at `offset`; 0 means the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Sets room aside: the file is at least `offset + len` long from now on, with zeros where nothing was written, and writing up to there
    /// can't fail for want of space. On a file system that can't do that, nothing.
    fn reserve(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Makes bytes and length survive loss of power.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Sets the length.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Lets go of what memory holds of the file and need not write any more: what is read from then on comes from the disk itself. After a
    /// sync that failed the two differ, since systems take the pages for written all the same.
    fn forget(&self) -> io::Result<()>;
}

/// Tells of changes in a folder: files written, made, renamed or removed, by whatever process. Of some it may not know (a network file
/// system tells of those made on the same machine), so it spares looking often, not looking at all.
pub trait Watch: Send + Sync + fmt::Debug {
    /// Waits for a change since the last call, but no longer than the timeout. May return early.
    fn wait(&self, timeout: Duration);
    /// Makes calls of [`Watch::wait`] return at once, from now on.
    fn end(&self);
}

/// Holds a lock until it is dropped.
pub trait Lock: Send + Sync + fmt::Debug {}

/// What time it is.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Nanoseconds since the Unix epoch; may jump.
    fn wall_ns(&self) -> u64;
    /// Nanoseconds since some moment; never goes back.
    fn monotonic_ns(&self) -> u64;
}

/// A folder of a store on its disk: opens files by name, with errors that name them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    path: Arc<Path>,
    /// Held while the folder is synced; whether that has failed, through whatever clone.
    sync_failed: Arc<Mutex<bool>>,
    claim: Option<Arc<Claim>>,
}

/// What tells whether the folder at the path is still the one that somebody has claimed.
#[derive(Debug)]
struct Claim {
    /// A file in it that nobody else removes or replaces,
    path: PathBuf,
    /// and which one that is.
    identity: (u64, u64),
    /// It was not there once: the folder is somebody else's, or nobody's.
    lost: AtomicBool,
}

impl Folder {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: &Path) -> Folder {
        Folder { disk, path: path.into(), sync_failed: Arc::default(), claim: None }
    }

    /// The same folder for whoever holds the lock on a file in it. From then on nothing in it is changed by name unless that file is still at
    /// its path: somebody may move the folder away, or remove it, and put another one there, in which another writer is at work.
    pub(crate) fn claim(self, name: &str) -> Result<Folder> {
        let path = self.file_path(name);
        let identity = retry(|| self.disk.identity(&path)).map_err(|e| Error::io("look at", &path, e))?;
        Ok(Folder { claim: Some(Arc::new(Claim { path, identity, lost: AtomicBool::new(false) })), ..self })
    }

    /// Refuses if the folder is not the one that was claimed, if one was.
    pub(crate) fn check_claim(&self) -> Result<()> {
        let Some(claim) = &self.claim else { return Ok(()) };
        if !self.is_lost() {
            match retry(|| self.disk.identity(&claim.path)) {
                Ok(found) if found == claim.identity => return Ok(()),
                Err(e) if !matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                    return Err(Error::io("look at", &claim.path, e));
                }
                _ => claim.lost.store(true, Ordering::Release),
            }
        }
        Err(Error::Gone { path: self.path.to_path_buf() })
    }

    /// Whether it was found once that the folder is not the one that was claimed.
    pub(crate) fn is_lost(&self) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.lost.load(Ordering::Acquire))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file_path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn open(&self, name: &str, access: Access) -> Result<Handle> {
        let path = self.file_path(name);
        if access != Access::Read {
            self.check_claim()?;
        }
        match retry(|| self.disk.open(&path, access)) {
            Ok(file) => Ok(Handle { inner: Arc::new(Inner { path, file, sync_failed: Mutex::default() }) }),
            Err(e) => Err(Error::io(if access == Access::CreateNew { "create" } else { "open" }, &path, e)),
        }
    }

    /// As [`Folder::open`] for reading, with `None` for a file that isn't there.
    pub(crate) fn open_if_there(&self, name: &str, access: Access) -> Result<Option<Handle>> {
        match self.open(name, access) {
            Ok(handle) => Ok(Some(handle)),
            Err(e) if e.os_error() == Some(libc::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// A new, empty file, in the place of any that has the name.
    pub(crate) fn create_anew(&self, name: &str) -> Result<Handle> {
        self.remove_if_there(name)?;
        self.open(name, Access::CreateNew)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let to = self.file_path(to);
        self.check_claim()?;
        retry(|| self.disk.rename(&self.file_path(from), &to)).map_err(|e| Error::io("rename a file to", &to, e))
    }

    /// Gives a file of another folder a name in this one, the same.
    pub(crate) fn link_from(&self, other: &Folder, name: &str) -> Result<()> {
        let from = other.file_path(name);
        retry(|| self.disk.link(&from, &self.file_path(name))).map_err(|e| Error::io("give another name to", &from, e))
    }

    /// Removes a file; `true` if it was there.
    pub(crate) fn remove_if_there(&self, name: &str) -> Result<bool> {
        let path = self.file_path(name);
        self.check_claim()?;
        match retry(|| self.disk.remove_file(&path)) {
            Ok(()) => Ok(true),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(e) => Err(Error::io("remove", &path, e)),
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<OsString>> {
        retry(|| self.disk.list(&self.path)).map_err(|e| Error::io("list", &self.path, e))
    }

    /// As [`Handle::sync`] for the names of files, and for the same reason none after one that has failed.
    pub(crate) fn sync(&self) -> Result<()> {
        self.check_claim()?;
        let fail = |e| Error::io("sync", &self.path, e);
        let mut failed = lock(&self.sync_failed);
        if *failed && !planted::has(Bug::GoOnAfterFailedSync) {
            return Err(fail(io::Error::from_raw_os_error(libc::EIO)));
        }
        retry(|| self.disk.sync_folder(&self.path)).map_err(fail).inspect_err(|_| *failed = true)
    }

    /// Whether a sync has failed, so that names of files may be lost.
    pub(crate) fn sync_has_failed(&self) -> bool {
        *lock(&self.sync_failed)
    }

    /// See [`Disk::identity`].
    pub(crate) fn identity(&self) -> Result<(u64, u64)> {
        retry(|| self.disk.identity(&self.path)).map_err(|e| Error::io("look at", &self.path, e))
    }

    /// A random number that is not 0.
    pub(crate) fn random(&self) -> Result<u64> {
        let mut bytes = [0; 8];
        retry(|| self.disk.random(&mut bytes)).map_err(|e| Error::io("draw random bytes for", &self.path, e))?;
        Ok(u64::from_le_bytes(bytes).max(1))
    }
}

/// An open file that knows its name. Cheap to clone; the file closes with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: Box<dyn File>,
    /// Held while the file is synced; whether that has failed.
    sync_failed: Mutex<bool>,
}

impl Handle {
    pub(crate) fn path(&self) -> &Path {
        &self.inner.path
    }

    fn fail(&self, operation: &'static str, source: io::Error) -> Error {
        Error::io(operation, &self.inner.path, source)
    }

    /// Fills `bytes` from `offset` as far as the file goes; answers how many bytes there were.
    pub(crate) fn read_up_to(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let n = retry(|| self.inner.file.read_at(rest, offset + done as u64)).map_err(|e| self.fail("read", e))?;
            if n == 0 {
                break;
            }
            done += n.min(rest.len());
        }
        Ok(done)
    }

    /// Fills all of `bytes` from `offset`; a file that ends before is damaged.
    pub(crate) fn read_exact(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let n = self.read_up_to(bytes, offset)?;
        if n < bytes.len() {
            let what = format!("{} bytes expected from byte {offset} on, the file ends after {n} of them", bytes.len());
            return Err(Error::corrupt(self.path(), offset + n as u64, what));
        }
        Ok(())
    }

    /// As [`Handle::read_up_to`], with zeros for what the system can't read: to find what is left of a file on a disk that fails.
    pub(crate) fn read_what_can_be(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        /// What a disk fails to read is mostly of this size.
        const PIECE: u64 = 4096;
        let failure = match self.read_up_to(bytes, offset) {
            Err(e @ Error::Io { .. }) => e,
            other => return other,
        };
        let len = usize::try_from(self.len()?.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let mut done = 0;
        let mut any = false;
        while let Some(rest) = bytes.get_mut(done..len).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            let piece = rest.len().min((PIECE - at % PIECE) as usize);
            let Some(piece) = rest.get_mut(..piece) else { break };
            match self.read_up_to(piece, at) {
                Ok(_) => any = true,
                Err(_) => piece.fill(0),
            }
            done += piece.len();
        }
        // Where nothing can be read at all, it is not a matter of damaged places.
        if any { Ok(done) } else { Err(failure) }
    }

    pub(crate) fn write_all(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let n = retry(|| self.inner.file.write_at(rest, offset + done as u64)).map_err(|e| self.fail("write", e))?;
            if n == 0 {
                return Err(self.fail("write", io::ErrorKind::WriteZero.into()));
            }
            done += n.min(rest.len());
        }
        Ok(())
    }

    pub(crate) fn reserve(&self, offset: u64, len: u64) -> Result<()> {
        retry(|| self.inner.file.reserve(offset, len)).map_err(|e| self.fail("set room aside", e))
    }

    /// One thread at a time syncs the file, and none after that has failed: the system tells only one of them of it, may have dropped the
    /// bytes, and lets the others believe that they are written. Tried again only if a signal came before it was known how it went.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut failed = lock(&self.inner.sync_failed);
        if *failed && !planted::has(Bug::GoOnAfterFailedSync) {
            return Err(self.fail("sync", io::Error::from_raw_os_error(libc::EIO)));
        }
        let mut result = retry(|| self.inner.file.sync());
        if planted::has(Bug::RetrySync) && result.is_err() {
            result = self.inner.file.sync();
        }
        result.map_err(|e| self.fail("sync", e)).inspect_err(|_| *failed = true)
    }

    pub(crate) fn len(&self) -> Result<u64> {
        retry(|| self.inner.file.len()).map_err(|e| self.fail("read the length", e))
    }

    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        retry(|| self.inner.file.truncate(len)).map_err(|e| self.fail("shorten", e))
    }

    /// Brings memory and disk to agree about the file, so that what is read next can be believed to be durable: what memory holds is
    /// synced, and then forgotten. See [`File::forget`].
    pub(crate) fn sync_and_forget(&self) -> Result<()> {
        self.sync()?;
        retry(|| self.inner.file.forget()).map_err(|e| self.fail("read anew", e))
    }
}

/// Calls again as long as a signal interrupts.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
