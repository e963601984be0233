//! Files that hold the seq of the last event that was handled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Such a file: a number and a newline.
pub(crate) struct Cursor {
    path: PathBuf,
    saved: Option<u64>,
}

impl Cursor {
    /// Reads it. One that is not there yet begins before the first event.
    pub(crate) fn load(path: &Path) -> Result<Cursor> {
        let saved = match fs::read_to_string(path) {
            Ok(text) => {
                Some(text.trim().parse().with_context(|| format!("{}: holds no cursor, which is one whole number", path.display()))?)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e).with_context(|| format!("{}: cannot be read", path.display())),
        };
        Ok(Cursor { path: path.to_owned(), saved })
    }

    pub(crate) fn seq(&self) -> u64 {
        self.saved.unwrap_or(0)
    }

    /// Puts a new file in the place of the old one, so that there is one or the other whatever happens.
    pub(crate) fn save(&mut self, seq: u64) -> Result<()> {
        if self.saved == Some(seq) {
            return Ok(());
        }
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = self.path.with_file_name(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&new)?;
            writeln!(file, "{seq}")?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        };
        write()
            .inspect_err(|_| drop(fs::remove_file(&new)))
            .with_context(|| format!("{}: the cursor cannot be saved", self.path.display()))?;
        self.saved = Some(seq);
        Ok(())
    }
}
