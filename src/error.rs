//! Errors: values that say which file, which offset, what was expected.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong. Each variant has a status code of its own in C.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument that can never work: an option out of range, a batch that is too large for its option.
    #[error("{what}")]
    Invalid {
        /// Which argument, and what is wrong with it.
        what: String,
    },

    /// A duration that can't be understood.
    #[error("\"{text}\" is no duration: {why}")]
    Duration {
        /// What was given (its first 64 characters).
        text: String,
        /// What is wrong with it.
        why: String,
    },

    /// The end of a range lies before its start.
    #[error("the range ends at {end}, before its start {start}")]
    EndBeforeStart {
        /// First time of the range.
        start: u64,
        /// Last time of the range.
        end: u64,
    },

    /// An event is larger than the store takes; nothing of its batch was stored.
    #[error("event {index} of the batch has {len} bytes; the limit is {limit}")]
    TooLarge {
        /// Position in the batch.
        index: usize,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: u32,
    },

    /// A batch would make more new chunks than [`Options::max_new_chunks`](crate::Options::max_new_chunks); nothing of it was stored.
    #[error("the batch would make {new} new chunks; the limit for one batch is {limit}")]
    TooManyChunks {
        /// New chunks that the batch needs (counting stops soon after the limit).
        new: usize,
        /// The limit.
        limit: usize,
    },

    /// The operating system refused something.
    #[error("{}: cannot {operation}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// No permission, or a read-only file system.
    #[error("{}: no permission to {operation}: {source}", path.display())]
    Permission {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The disk (or a quota) is full. Nothing was changed; the call works again once there is space.
    #[error("{}: no space left to {operation}: {source}", path.display())]
    NoSpace {
        /// What was tried.
        operation: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// Bytes on disk are not what was written there.
    #[error("{}: damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damage starts.
        offset: u64,
        /// What was expected and what was found.
        what: String,
    },

    /// There is nothing at this path.
    #[error("{}: no store here: nothing exists at this path", path.display())]
    NotFound {
        /// The path that was opened.
        path: PathBuf,
    },

    /// The path is a folder, but not of a store; or a store of the other kind (estore, efile).
    #[error("{}: not a store: {what}", path.display())]
    NotAStore {
        /// The path that was opened.
        path: PathBuf,
        /// What was found.
        what: String,
    },

    /// The path is a file (or something else that is no folder).
    #[error("{}: not a folder", path.display())]
    NotAFolder {
        /// The path that was opened.
        path: PathBuf,
    },

    /// A store, or a snapshot of one, was to be made where a store is already.
    #[error("{}: {what}", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
        /// What is there.
        what: String,
    },

    /// A store was to be created in a folder that holds files of somebody else.
    #[error("{}: cannot make a store in a folder with other files, such as \"{name}\"", path.display())]
    ForeignFiles {
        /// The folder.
        path: PathBuf,
        /// The first foreign name found.
        name: String,
    },

    /// Another writer has the store open, in this process or in another.
    #[error("{}: another writer has this store open{}", path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The store's folder.
        path: PathBuf,
        /// The process that holds the lock, as far as is known.
        holder: Option<u32>,
    },

    /// The store was opened for reading only.
    #[error("{}: opened read-only", path.display())]
    ReadOnly {
        /// The store's folder.
        path: PathBuf,
    },

    /// The store has other settings than were asked for.
    #[error("{}: the store was made with {name} {stored}, not {asked}", path.display())]
    Settings {
        /// The store's folder.
        path: PathBuf,
        /// The setting.
        name: &'static str,
        /// Its value in the store.
        stored: String,
        /// The value that was asked for.
        asked: String,
    },

    /// The store uses a format, or an incompatible feature, that this version does not know.
    #[error("{}: {what}; a newer version of estore is needed", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// What is unknown.
        what: String,
    },

    /// This build of estore was made without a cargo feature that is needed: for an option, or to read what is compressed.
    #[error("{}this build of estore lacks the cargo feature \"{feature}\"", path.as_ref().map(|path| format!("{}: it is compressed, and ", path.display())).unwrap_or_default())]
    MissingFeature {
        /// The feature.
        feature: &'static str,
        /// The file that can't be read without it; `None` if an option asked for it.
        path: Option<PathBuf>,
    },

    /// An earlier write or sync failed, so the writer refuses to go on; reading works. Open the store again to recover.
    #[error("{}: the writer stopped after an earlier error ({cause}); open the store again", path.display())]
    Poisoned {
        /// The store's folder.
        path: PathBuf,
        /// The first error.
        cause: String,
    },

    /// A write failed after it had begun: whether the batch is stored is known only after opening the store again.
    #[error("{}: it is unknown whether the batch was stored ({cause}); open the store again", path.display())]
    OutcomeUnknown {
        /// The store's folder.
        path: PathBuf,
        /// The error.
        cause: Box<Error>,
    },

    /// The store was closed.
    #[error("{}: the store is closed", path.display())]
    Closed {
        /// The store's folder.
        path: PathBuf,
    },

    /// The handle belongs to the process that this one was forked from.
    #[error("{}: opened by the process that this one was forked from; a child must open it itself", path.display())]
    Forked {
        /// The store's folder.
        path: PathBuf,
    },

    /// A file that the iterator still needs was removed by another process; or the whole store was, or another one is at its path.
    #[error("{}: removed or replaced by another process while it was in use", path.display())]
    Gone {
        /// The file or folder.
        path: PathBuf,
    },
}

impl Error {
    /// Sorts an error of the operating system into the variant that says most.
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Error {
        let path = path.to_owned();
        match source.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => Error::NoSpace { operation, path, source },
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => Error::Permission { operation, path, source },
            _ => Error::Io { operation, path, source },
        }
    }

    /// The error of a call that can't be undone any more: [`Error::NoSpace`] would say that nothing was changed and all may go on.
    pub(crate) fn past_undoing(self) -> Error {
        match self {
            Error::NoSpace { operation, path, source } => Error::Io { operation, path, source },
            other => other,
        }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }

    /// Whether bytes can't be had as they were written: they are others, or the system can't read them.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Error::Corrupt { .. } | Error::Io { operation: "read", .. })
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Error {
        Error::Invalid { what: what.into() }
    }

    /// The same error once more, for a reader that is asked again after it failed.
    pub(crate) fn again(&self) -> Error {
        let source = |source: &io::Error| source.raw_os_error().map_or_else(|| source.kind().into(), io::Error::from_raw_os_error);
        match self {
            Error::Corrupt { path, offset, what } => Error::corrupt(path, *offset, what.clone()),
            Error::Io { operation, path, source: s } | Error::Permission { operation, path, source: s } => {
                Error::io(operation, path, source(s))
            }
            Error::NewerFormat { path, what } => Error::NewerFormat { path: path.clone(), what: what.clone() },
            Error::Gone { path } => Error::Gone { path: path.clone() },
            Error::MissingFeature { feature, path } => Error::MissingFeature { feature, path: path.clone() },
            other => Error::invalid(format!("reading failed before: {other}")),
        }
    }

    /// The file or folder that the error is about.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::MissingFeature { path, .. } => path.as_deref(),
            Error::Invalid { .. }
            | Error::Duration { .. }
            | Error::EndBeforeStart { .. }
            | Error::TooLarge { .. }
            | Error::TooManyChunks { .. } => None,
            Error::Io { path, .. }
            | Error::Permission { path, .. }
            | Error::NoSpace { path, .. }
            | Error::Corrupt { path, .. }
            | Error::NotFound { path }
            | Error::NotAStore { path, .. }
            | Error::NotAFolder { path }
            | Error::Exists { path, .. }
            | Error::ForeignFiles { path, .. }
            | Error::Locked { path, .. }
            | Error::ReadOnly { path }
            | Error::Settings { path, .. }
            | Error::NewerFormat { path, .. }
            | Error::Poisoned { path, .. }
            | Error::OutcomeUnknown { path, .. }
            | Error::Closed { path }
            | Error::Forked { path }
            | Error::Gone { path } => Some(path),
        }
    }

    /// The byte offset in [`Error::path`] that the error is about, where there is one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Error::Corrupt { offset, .. } => Some(*offset),
            Error::OutcomeUnknown { cause, .. } => cause.offset(),
            _ => None,
        }
    }

    /// The operating system's error number, where there is one.
    pub fn os_error(&self) -> Option<i32> {
        match self {
            Error::Io { source, .. } | Error::Permission { source, .. } | Error::NoSpace { source, .. } => source.raw_os_error(),
            Error::OutcomeUnknown { cause, .. } => cause.os_error(),
            Error::NotFound { .. } => Some(libc::ENOENT),
            _ => None,
        }
    }
}
