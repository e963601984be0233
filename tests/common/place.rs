//! Where a tested store lives: on the simulated disk or in a temporary folder of the real one, always by a clock that the test turns.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use estore::Options;
use estore::disk::{Access, Crash, Disk, RealDisk, SimClock, SimDisk};
use tempfile::TempDir;

/// A place for one store.
pub(crate) struct Place {
    /// The simulated disk, if it is one.
    sim: Option<SimDisk>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: SimClock,
    /// The folder of the store; not made yet.
    pub(crate) path: PathBuf,
    _folder: Option<TempDir>,
}

impl Place {
    /// A fresh simulated disk; all that it leaves to chance comes from the seed.
    pub(crate) fn simulated(seed: u64) -> Place {
        let sim = SimDisk::new(seed);
        let disk = Arc::new(sim.clone());
        Place { sim: Some(sim), disk, clock: SimClock::new(1_700_000_000_000_000_000), path: PathBuf::from("/store"), _folder: None }
    }

    /// The same place on a copy of its simulated disk.
    pub(crate) fn on(sim: SimDisk, original: &Place) -> Place {
        let disk = Arc::new(sim.clone());
        Place { sim: Some(sim), disk, clock: original.clock.clone(), path: original.path.clone(), _folder: None }
    }

    /// A fresh folder of the real disk, removed with the place.
    pub(crate) fn real() -> Place {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("store");
        Place { sim: None, disk: Arc::new(RealDisk), clock: SimClock::new(1_700_000_000_000_000_000), path, _folder: Some(folder) }
    }

    /// Options for stores on this disk: without a thread of their own, by the clock of this place. A crash ends what was opened with them
    /// before.
    pub(crate) fn options(&self) -> Options {
        let disk: Arc<dyn Disk> = match &self.sim {
            Some(sim) => Arc::new(sim.session()),
            None => Arc::clone(&self.disk),
        };
        Options::new().disk(disk).clock(Arc::new(self.clock.clone())).background(false)
    }

    /// The simulated disk; fails the test on the real one.
    pub(crate) fn sim(&self) -> &SimDisk {
        self.sim.as_ref().expect("a simulated disk")
    }

    /// Whatever runs on the simulated disk is dead.
    pub(crate) fn crash(&self, how: Crash) {
        self.sim().power_off();
        self.sim().power_on(how);
    }

    /// The names in the store's folder that end so, sorted.
    pub(crate) fn names(&self, ending: &str) -> Vec<String> {
        let names = self.disk.list(&self.path).expect("the folder can be listed");
        let mut names: Vec<String> =
            names.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(ending)).collect();
        names.sort();
        names
    }

    /// The bytes of a file of the store.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        read_file(&*self.disk, &self.path.join(name))
    }

    /// Puts a file with these bytes in the place of the one of this name.
    pub(crate) fn put_file(&self, name: &str, bytes: &[u8]) {
        write_file(&*self.disk, &self.path.join(name), bytes);
    }

    /// Every file of the store's folder with its bytes: to see that nothing has changed.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.names("").into_iter().map(|name| (name.clone(), self.file(&name))).collect()
    }
}

/// All bytes of a file.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).expect("the file opens");
    let mut bytes = vec![0; usize::try_from(file.len().expect("the file has a length")).expect("it fits in memory")];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let n = file.read_at(rest, done as u64).expect("the file can be read");
        assert!(n > 0, "the file ends before its length");
        done += n;
    }
    bytes
}

/// A new file with these bytes, in the place of any of that name.
pub(crate) fn write_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    if disk.kind(path).expect("the path can be looked at").is_some() {
        disk.remove_file(path).expect("the file can be removed");
    }
    let file = disk.open(path, Access::CreateNew).expect("the file can be made");
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        let n = file.write_at(rest, done as u64).expect("the file can be written");
        assert!(n > 0, "nothing was written");
        done += n;
    }
    file.sync().expect("the file can be synced");
}
