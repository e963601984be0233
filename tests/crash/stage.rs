//! The disk as a case sees it: the simulated one, with a chance for other threads before every call, with crash images taken between
//! calls, and, when a case is told once more, with every call in its story.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use estore::disk::{Access, Disk, File, Kind, Lock, SimDisk};

use crate::common::rng::Rng;
use crate::ledger::Ledger;
use crate::story::{Story, tell};

/// What the disk was like at one moment.
pub(crate) struct Moment {
    pub(crate) at: u64,
    pub(crate) disk: SimDisk,
}

/// When crash images are taken.
struct Camera {
    rng: Rng,
    gap: u64,
    /// So many calls until the next.
    countdown: u64,
    left: usize,
    moments: Vec<Moment>,
}

struct Shared {
    disk: SimDisk,
    ledger: Arc<Ledger>,
    camera: Mutex<Camera>,
    story: Story,
}

/// A [`SimDisk`] on which a life takes place.
#[derive(Clone)]
pub(crate) struct Stage {
    shared: Arc<Shared>,
    /// What calls go to: dead once the power has gone.
    session: SimDisk,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    pub(crate) fn new(disk: &SimDisk, ledger: &Arc<Ledger>, gap: u64, moments: usize, rng: &mut Rng, story: Story) -> Stage {
        let mut rng = Rng::new(rng.next());
        let camera = Camera { countdown: rng.below(gap), rng, gap, left: moments, moments: Vec::new() };
        let shared = Shared { disk: disk.clone(), ledger: Arc::clone(ledger), camera: Mutex::new(camera), story };
        Stage { shared: Arc::new(shared), session: disk.session() }
    }

    /// The crash images that were taken.
    pub(crate) fn take_moments(&self) -> Vec<Moment> {
        std::mem::take(&mut self.shared.camera.lock().expect("nobody panics with it").moments)
    }
}

impl Shared {
    /// Lets other threads go first, perhaps, and takes an image, perhaps.
    fn before(&self) {
        // Only a switch: the time is nothing to shuttle.
        shuttle::thread::sleep(Duration::ZERO);
        let mut camera = self.camera.lock().expect("nobody panics with it");
        if camera.left == 0 || !self.disk.is_powered() {
            return;
        }
        if camera.countdown > 0 {
            camera.countdown -= 1;
            return;
        }
        camera.left -= 1;
        let gap = camera.gap;
        camera.countdown = camera.rng.below(gap);
        let seed = camera.rng.next();
        let moment = Moment { at: self.ledger.now(), disk: self.disk.fork(seed) };
        tell!(self.story, "        == image {} is taken ==", moment.at);
        camera.moments.push(moment);
    }

    fn call<T>(&self, what: fmt::Arguments<'_>, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.before();
        let hits = self.disk.faults_hit();
        let result = call();
        let hit = self.disk.faults_hit() > hits;
        if hit {
            self.ledger.fault_hit(result.as_ref().err(), self.disk.is_powered());
        }
        if self.story.is_told() {
            let outcome = result.as_ref().err().map(|e| format!(": {e}")).unwrap_or_default();
            let hit = if hit { " <== fault" } else { "" };
            // 0 is the thread that opens, ends and checks; those of the plan, and the store's own, come after it.
            let task: usize = shuttle::thread::current().id().into();
            tell!(self.story, "        [{task}] {what}{outcome}{hit}");
        }
        result
    }
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}

impl Disk for Stage {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let file = self.shared.call(format_args!("open {} {access:?}", name(path)), || self.session.open(path, access))?;
        Ok(Box::new(StagedFile { shared: Arc::clone(&self.shared), path: path.to_owned(), file }))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.shared.call(format_args!("kind {}", name(path)), || self.session.kind(path))
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.shared.call(format_args!("identity {}", name(path)), || self.session.identity(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.shared.call(format_args!("list"), || self.session.list(folder))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.shared.call(format_args!("create folder {}", name(path)), || self.session.create_folder(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.call(format_args!("rename {} to {}", name(from), name(to)), || self.session.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.call(format_args!("remove {}", name(path)), || self.session.remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.shared.call(format_args!("remove folder {}", name(path)), || self.session.remove_folder(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.shared.call(format_args!("sync folder {}", name(path)), || self.session.sync_folder(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.shared.call(format_args!("lock {}", name(path)), || self.session.lock(path))
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.shared.call(format_args!("random"), || self.session.random(bytes))
    }
}

struct StagedFile {
    shared: Arc<Shared>,
    path: PathBuf,
    file: Box<dyn File>,
}

impl fmt::Debug for StagedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StagedFile")
    }
}

impl File for StagedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = bytes.len();
        self.shared.call(format_args!("read {} {offset}+{len}", name(&self.path)), || self.file.read_at(bytes, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let len = bytes.len();
        self.shared.call(format_args!("write {} {offset}+{len}", name(&self.path)), || self.file.write_at(bytes, offset))
    }

    fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        self.shared.call(format_args!("reserve {} {offset}+{len}", name(&self.path)), || self.file.reserve(offset, len))
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.call(format_args!("sync {}", name(&self.path)), || self.file.sync())
    }

    fn len(&self) -> io::Result<u64> {
        self.shared.call(format_args!("len {}", name(&self.path)), || self.file.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.shared.call(format_args!("truncate {} {len}", name(&self.path)), || self.file.truncate(len))
    }

    fn forget(&self) -> io::Result<()> {
        self.shared.call(format_args!("forget {}", name(&self.path)), || self.file.forget())
    }
}
