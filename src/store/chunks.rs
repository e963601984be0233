//! Which chunks there are, what readers may see of them, and which of them are loaded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::efile::{Chunk, StoreFolder};
use crate::threads::lock;

use super::Core;

/// The chunks by number.
pub(super) type ChunkMap = BTreeMap<u64, Arc<Chunk>>;

/// What a reader sees. Cloning it is taking a snapshot: the map is shared until it changes.
#[derive(Clone)]
pub(super) struct View {
    pub(super) chunks: Arc<ChunkMap>,
    /// Events up to this seq are visible.
    pub(super) seq: u64,
    /// Events before this time are deleted.
    pub(super) horizon: u64,
    /// The largest seq in a chunk that was deleted as a whole.
    pub(super) removed: u64,
    /// No seq from here on was given.
    pub(super) seq_limit: u64,
    /// The newest chunk that this handle has appended to.
    pub(super) appended: Option<u64>,
    /// See [`Fact::Session`](super::journal::Fact::Session).
    pub(super) branch: u64,
    /// Whether that began with a session. Only what is in a snapshot goes on with the branch of another store, until it is opened for writing.
    /// `None` if the journal is lost that would tell.
    pub(super) has_session: Option<bool>,
    /// The first seq that the last session could give out. Events before it may have been lost with power after somebody had seen them.
    /// `u64::MAX` if that is not known, or if the writer may have given seqs out that can't be seen yet.
    pub(super) session_start: u64,
}

/// No more chunks than this are kept loaded for reading.
const MAX_LOADED: usize = 64;
/// Nor more than this many bytes of indexes, but for one chunk.
const MAX_LOADED_BYTES: usize = 12 << 20;

/// The chunks that were read last, latest at the back.
#[derive(Default)]
pub(super) struct Loaded {
    chunks: VecDeque<(Arc<Chunk>, usize)>,
    bytes: usize,
}

/// The stores that this process has opened for writing and that are still in memory, be it only for their readers.
static WRITERS: Mutex<Vec<(StoreFolder, Weak<Core>)>> = Mutex::new(Vec::new());

/// Remembers a store that was opened for writing.
pub(super) fn remember(core: &Arc<Core>) {
    let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
    writers.retain(|(_, writer)| writer.strong_count() > 0);
    writers.push((core.chunk_shared.store_folder(), Arc::downgrade(core)));
}

/// What earlier handles of this process on the same store still have of a chunk: readers outlive their handle.
pub(super) fn earlier_chunks(core: &Core, number: u64) -> Vec<Arc<Chunk>> {
    let folder = core.chunk_shared.store_folder();
    let same: Vec<Arc<Core>> = {
        let writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        writers.iter().filter(|(other, _)| *other == folder).filter_map(|(_, writer)| writer.upgrade()).collect()
    };
    let others = same.iter().filter(|other| !Arc::ptr_eq(&core.chunk_shared, &other.chunk_shared));
    others.filter_map(|other| lock(&other.view).chunks.get(&number).cloned()).collect()
}

impl Core {
    /// Notes that a chunk was just loaded or used; unloads those that were not used for long.
    pub(super) fn touch(&self, chunk: &Arc<Chunk>) {
        if chunk.is_doomed() {
            return;
        }
        self.mend_files(chunk);
        let mut loaded = lock(&self.loaded);
        if loaded.chunks.back().is_some_and(|(last, _)| Arc::ptr_eq(last, chunk)) {
            return;
        }
        let memory = chunk.memory();
        if let Some(place) = loaded.chunks.iter().position(|(other, _)| Arc::ptr_eq(other, chunk))
            && let Some((_, before)) = loaded.chunks.remove(place)
        {
            loaded.bytes -= before;
        }
        loaded.chunks.push_back((Arc::clone(chunk), memory));
        loaded.bytes += memory;
        let mut unloaded = Vec::new();
        while loaded.chunks.len() > MAX_LOADED || (loaded.chunks.len() > 1 && loaded.bytes > MAX_LOADED_BYTES) {
            let Some((oldest, bytes)) = loaded.chunks.pop_front() else { break };
            loaded.bytes -= bytes;
            unloaded.push(oldest);
        }
        drop(loaded);
        for chunk in unloaded {
            chunk.unload();
        }
    }

    /// Makes derived files of a chunk anew that were found missing or damaged, if this is the writer. Readers that did the finding need
    /// not wait for that: where the writer is busy, one of the next will see to it.
    fn mend_files(&self, chunk: &Chunk) {
        if self.chunk_shared.writable
            && chunk.has_bad_files()
            && let Some(writer) = self.writer.try_lock()
            && writer.is_some()
            && self.stopped().is_none()
        {
            chunk.mend_files();
        }
    }

    /// Lets go of all loaded chunks.
    pub(super) fn unload_all(&self) {
        let loaded = std::mem::take(&mut *lock(&self.loaded));
        for (chunk, _) in loaded.chunks {
            chunk.unload();
        }
    }

    /// Lets go of deleted chunks, so that their files can go.
    pub(super) fn forget(&self, deleted: impl Fn(&Chunk) -> bool) {
        let mut loaded = lock(&self.loaded);
        let (keep, go): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut loaded.chunks).into_iter().partition(|(chunk, _)| !deleted(chunk));
        loaded.bytes = keep.iter().map(|(_, bytes)| bytes).sum();
        loaded.chunks = keep;
        drop(loaded);
        drop(go);
    }
}
