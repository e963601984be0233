//! The settings of a store: the file `estore` in its folder, written once, when the store is created.

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder};
use crate::duration;
use crate::efile::log::FORMAT_VERSION;
use crate::error::{Error, Result};
use crate::options::{DEFAULT_FILE_SIZE_NS, DEFAULT_GRACE_NS, Options};

/// The file's name; that it is there makes a folder a store.
pub(crate) const NAME: &str = "estore";
pub(crate) const NEW_NAME: &str = "estore.new";
const LEN: usize = 128;
const MAGIC: [u8; 8] = *b"estore\r\n";

/// Which of the two kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// Chunks by time.
    Estore,
    /// One unbounded chunk.
    Efile,
}

impl StoreKind {
    fn name(self) -> &'static str {
        match self {
            StoreKind::Estore => "an estore",
            StoreKind::Efile => "an efile",
        }
    }
}

/// What is fixed for the life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: StoreKind,
    /// A random number that the store's files carry.
    pub(crate) store: u128,
    /// The time range of a chunk; 0 for an efile, whose one chunk is unbounded.
    pub(crate) file_size: u64,
    pub(crate) grace: u64,
    /// When it was created.
    created: u64,
}

impl Settings {
    /// The settings of a new store.
    pub(crate) fn new(kind: StoreKind, folder: &Folder, options: &Options) -> Result<Settings> {
        Ok(Settings {
            kind,
            store: u128::from(folder.random()?) << 64 | u128::from(folder.random()?),
            file_size: if kind == StoreKind::Efile { 0 } else { options.file_size.unwrap_or(DEFAULT_FILE_SIZE_NS) },
            grace: options.grace.unwrap_or(DEFAULT_GRACE_NS),
            created: options.clock.wall_ns(),
        })
    }

    /// Writes them under their final name, so that they are there whole or not at all, and makes that durable.
    pub(crate) fn write(&self, folder: &Folder) -> Result<()> {
        let mut bytes = [0; LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &u32::from(self.kind == StoreKind::Efile).to_le_bytes());
        put(&mut bytes, 24, &self.store.to_le_bytes());
        put(&mut bytes, 40, &self.file_size.to_le_bytes());
        put(&mut bytes, 48, &self.grace.to_le_bytes());
        put(&mut bytes, 56, &self.created.to_le_bytes());
        let crc = crc32(&bytes[..LEN - 4]);
        put(&mut bytes, LEN - 4, &crc.to_le_bytes());
        let file = folder.create_anew(NEW_NAME)?;
        file.write_all(&bytes, 0)?;
        file.sync()?;
        folder.rename(NEW_NAME, NAME)?;
        folder.sync()
    }

    /// Reads them; `None` if there is no such file.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Settings>> {
        match Settings::read_file(folder) {
            // Somebody else's folder of that name: a source tree, for one.
            Err(e) if e.os_error() == Some(libc::EISDIR) => Ok(None),
            other => other,
        }
    }

    fn read_file(folder: &Folder) -> Result<Option<Settings>> {
        let Some(file) = folder.open_if_there(NAME, Access::Read)? else { return Ok(None) };
        let mut bytes = [0; LEN];
        let n = file.read_up_to(&mut bytes, 0)?;
        if bytes[..8] != MAGIC {
            let what = "its file \"estore\" is not one of ours".to_owned();
            return Err(Error::NotAStore { path: folder.path().to_owned(), what });
        }
        if n < LEN || u32_at(&bytes, LEN - 4) != crc32(&bytes[..LEN - 4]) {
            return Err(Error::corrupt(file.path(), 0, "the checksum of the store's settings does not fit"));
        }
        // Features that an older version may ignore stand at 16; those that it must understand at 20.
        let (version, kind, must_understand) = (u32_at(&bytes, 8), u32_at(&bytes, 12), u32_at(&bytes, 20));
        if version > FORMAT_VERSION || kind > 1 || must_understand != 0 {
            let what = format!("the store has format {version}, this version knows {FORMAT_VERSION}");
            return Err(Error::NewerFormat { path: file.path().to_owned(), what });
        }
        let settings = Settings {
            kind: if kind == 1 { StoreKind::Efile } else { StoreKind::Estore },
            store: u128::from(u64_at(&bytes, 24)) | u128::from(u64_at(&bytes, 32)) << 64,
            file_size: u64_at(&bytes, 40),
            grace: u64_at(&bytes, 48),
            created: u64_at(&bytes, 56),
        };
        if (settings.file_size == 0) != (settings.kind == StoreKind::Efile) {
            return Err(Error::corrupt(file.path(), 40, "the store's settings contradict each other"));
        }
        Ok(Some(settings))
    }

    /// Refuses options that ask for other settings.
    pub(crate) fn check(&self, kind: StoreKind, folder: &Folder, options: &Options) -> Result<()> {
        if kind != self.kind {
            let what = format!("this is {}, it was opened as {}", self.kind.name(), kind.name());
            return Err(Error::NotAStore { path: folder.path().to_owned(), what });
        }
        for (name, stored, asked) in [("file_size", self.file_size, options.file_size), ("grace", self.grace, options.grace)] {
            if let Some(asked) = asked.filter(|&asked| asked != stored) {
                let path = folder.path().to_owned();
                return Err(Error::Settings { path, name, stored: duration::format(stored), asked: duration::format(asked) });
            }
        }
        Ok(())
    }

    /// The chunk that a time belongs to.
    pub(crate) fn chunk_of(&self, time: u64) -> u64 {
        time.checked_div(self.file_size).unwrap_or(0)
    }

    /// The first time of a chunk.
    pub(crate) fn chunk_start(&self, chunk: u64) -> u64 {
        chunk.saturating_mul(self.file_size)
    }

    /// The first and the last time of a chunk.
    pub(crate) fn chunk_times(&self, chunk: u64) -> (u64, u64) {
        (self.chunk_start(chunk), self.chunk_end(chunk))
    }

    /// The last time of a chunk; the last chunk of all ends with the last time.
    pub(crate) fn chunk_end(&self, chunk: u64) -> u64 {
        match self.file_size {
            0 => u64::MAX,
            size => chunk.saturating_mul(size).saturating_add(size - 1),
        }
    }
}
