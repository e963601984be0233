//! The file whose lock the writer holds. In it stand, for others, who holds it and which journal was written last.
//!
//! ```text
//!   12345     \n          the process that has, or had, the lock: for messages
//!   journal 9f86d081884c7d65\n      the instance of the last journal file
//! ```
//!
//! The second line is a hint, never synced and never believed: a journal of another instance may be an older copy, so then opening looks
//! at all logs instead of taking a closed journal's word for them.

use crate::disk::{Access, Folder, Handle, Lock, process, retry};
use crate::error::{Error, Result};

pub(super) const NAME: &str = "lock";

/// Takes the lock, or says who has it.
pub(super) fn take(folder: &Folder) -> Result<Box<dyn Lock>> {
    let path = folder.file_path(NAME);
    match retry(|| folder.disk().lock(&path)).map_err(|e| Error::io("lock", &path, e))? {
        Some(lock) => {
            note(folder, noted(folder).unwrap_or(0));
            Ok(lock)
        }
        None => {
            let text = read(folder);
            let holder = text.lines().next().and_then(|line| line.trim().parse().ok());
            Err(Error::Locked { path: folder.path().to_owned(), holder })
        }
    }
}

/// Whether somebody holds the lock, as far as that can be told.
pub(super) fn is_held(folder: &Folder) -> bool {
    let path = folder.file_path(NAME);
    retry(|| folder.disk().is_locked(&path)).unwrap_or(false)
}

/// Notes the journal that was written last (0 if the next opening is to look for itself), and this process. Nothing is worth failing for here. For the holder of the lock only.
pub(super) fn note(folder: &Folder, journal: u64) {
    let _ = write(folder, journal);
}

fn write(folder: &Folder, journal: u64) -> Result<Handle> {
    let text = format!("{:<10}\njournal {journal:016x}\n", process::id());
    let file = folder.open(NAME, Access::Write)?;
    file.write_all(text.as_bytes(), 0)?;
    Ok(file)
}

/// Notes the journal of a snapshot, durably, before its logs become longer than it says.
pub(super) fn note_durably(folder: &Folder, journal: u64) -> Result<()> {
    write(folder, journal)?.sync()
}

/// The instance of the journal that was written last, as far as is known.
pub(super) fn noted(folder: &Folder) -> Option<u64> {
    let text = read(folder);
    let number = text.lines().nth(1)?.strip_prefix("journal ")?;
    u64::from_str_radix(number, 16).ok()
}

fn read(folder: &Folder) -> String {
    let mut bytes = [0; 64];
    let n = folder.open(NAME, Access::Read).and_then(|file| file.read_up_to(&mut bytes, 0)).unwrap_or(0);
    String::from_utf8_lossy(bytes.get(..n).unwrap_or_default()).into_owned()
}
