//! Deleting: events before a time, or a whole store.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Folder, Kind, retry};
use crate::efile::log::LogId;
use crate::error::{Error, Result};
use crate::options::{Level, Options};
use crate::threads::lock;

use super::chunks::ChunkMap;
use super::journal::{self, Fact};
use super::lockfile;
use super::settings::{self, Settings, StoreKind};
use super::writer::Writer;
use super::{Core, chunks, snapshot};

impl Core {
    /// See [`Store::delete_before`](crate::Store::delete_before).
    pub(super) fn delete_before(&self, time: u64) -> Result<()> {
        self.check_writable()?;
        let mut guard = self.writer.lock();
        let writer = self.writer_of(&mut guard)?;
        if time <= writer.horizon {
            return Ok(());
        }
        let gone = self.move_horizon(writer, time)?;
        drop(guard);
        self.let_go(&gone);
        if !gone.is_empty() {
            self.say(Level::Info, &format!("{} chunks before {time} were deleted", gone.len()));
        }
        Ok(())
    }

    /// Makes a later horizon durable and lets readers see it; answers the chunks that lie wholly before it, which are out of the view.
    pub(super) fn move_horizon(&self, writer: &mut Writer, time: u64) -> Result<Arc<ChunkMap>> {
        self.check_place()?;
        let keep_from = self.settings.chunk_of(time);
        let removed = {
            let view = lock(&self.view);
            let gone = view.chunks.range(..keep_from).map(|(_, chunk)| chunk.totals().last_seq);
            gone.max().unwrap_or(0).max(view.removed)
        };
        let record = self.record(Fact::Horizon { time, removed }, self.visible_seq());
        match writer.journal.reserve(1 + writer.open.len() + journal::SPARE) {
            Err(Error::NoSpace { .. }) => writer.journal.reserve(1)?,
            other => other?,
        }
        writer.journal.append_durably(&[record]).map_err(|e| self.stop(e))?;

        writer.horizon = time;
        {
            let mut view = lock(&self.view);
            view.horizon = time;
            view.removed = removed;
        }
        // Whoever waits for events that are gone now is to hear of it.
        self.followers.tell();
        // With the new horizon, and with the chunks below it: should this process end before their files are gone, the next one removes them.
        self.shorten_journal(writer).map_err(|e| self.stop(e))?;

        // Not flushed, but thinned out: deleting must work on a full disk.
        writer.buffer.drop_before(time);
        if writer.buffer.is_empty() {
            // Then everything that was appended is visible or deleted.
            lock(&self.view).seq = self.last_seq();
        }

        // Chunks below the horizon leave the view; their files go when the last reader that has them is closed.
        let mut view = lock(&self.view);
        // A chunk may end right before the horizon, but never begins behind it.
        if view.chunks.range(..keep_from).next().is_none() {
            return Ok(Arc::default());
        }
        let kept = Arc::make_mut(&mut view.chunks).split_off(&keep_from);
        let gone = std::mem::replace(&mut view.chunks, Arc::new(kept));
        drop(view);
        writer.open.retain(|chunk| !gone.contains_key(&chunk.number));
        Ok(gone)
    }

    /// Lets go of deleted chunks, whose files go with the last reader of each.
    pub(super) fn let_go(&self, gone: &ChunkMap) {
        self.forget(|chunk| gone.contains_key(&chunk.number));
        for chunk in gone.values() {
            chunk.doom();
            for earlier in chunks::earlier_chunks(self, chunk.number) {
                earlier.doom();
            }
        }
    }
}

/// See [`Store::destroy`](crate::Store::destroy).
pub(super) fn destroy(path: &Path, kind: StoreKind, options: &Options) -> Result<()> {
    let folder = Folder::new(Arc::clone(&options.disk), path);
    match folder.kind()? {
        None => return Err(Error::NotFound { path: path.to_owned() }),
        Some(Kind::Folder) => {}
        Some(_) => return Err(Error::NotAFolder { path: path.to_owned() }),
    }
    match Settings::read(&folder) {
        Ok(Some(settings)) => settings.check(kind, &folder, &Options::new())?,
        Ok(None) => {
            let what = "it has no file \"estore\"".to_owned();
            return Err(Error::NotAStore { path: path.to_owned(), what });
        }
        // Damaged settings must not keep anybody from removing a store.
        Err(Error::Corrupt { .. }) => {}
        Err(e) => return Err(e),
    }
    let lock = lockfile::take(&folder)?;
    let names = folder.list()?;
    let ours = |name: &&str| {
        let fixed = [settings::NEW_NAME, journal::NAME, journal::NEW_NAME, snapshot::MARK];
        fixed.contains(name) || LogId::of_name(name).is_some()
    };
    for name in names.iter().filter_map(|name| name.to_str()).filter(ours) {
        folder.remove_if_there(name)?;
    }
    // The file that makes the folder a store goes last, after loss of power too, so that a destroy that was cut short can be repeated.
    folder.sync()?;
    folder.remove_if_there(settings::NAME)?;
    folder.remove_if_there(lockfile::NAME)?;
    drop(lock);
    folder.sync()?;
    match retry(|| folder.disk().remove_folder(path)) {
        Err(e) if !matches!(e.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST)) => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}
