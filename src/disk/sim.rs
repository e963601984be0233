//! A simulated disk: an in-memory file system that fails, fills up, tears writes and forgets what was not synced, all from one seed.
//!
//! It is for tests that a real disk can't give: cut the power at every single call, fail every single call, and look at what a store makes
//! of it afterwards. It is stricter than most real file systems, so that a store that holds here doesn't rest on the good manners of one:
//!
//! ```text
//!                          volatile: what calls see             durable: what loss of power leaves
//!
//!     write, truncate ──>  the file's bytes  ─── File::sync ──────────>  the file's bytes and length
//!                              └ list of operations since then
//!
//!     create, rename, ──>  the folder's      ─── Disk::sync_folder ──>  the folder's entries
//!     remove               entries               (File::sync doesn't make a name durable)
//!                              └ list of operations since then
//!
//! ```
//!
//! Loss of power ([`SimDisk::power_on`]) leaves the durable side and, with [`Crash::Random`], whatever a disk may have made of the two
//! lists by then. Two mercies are granted, since no store could do without them: bytes that were synced and not written since are never
//! damaged by a torn write next to them, and a rename is atomic.
//!
//! One thread's run replays exactly from its seed. Several threads draw from the same generator, in the order in which they come.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Clock, Disk, File, Kind, Lock};

/// The longest file. Beyond it EFBIG: a test that writes at a wild position should see an error, not use up the machine's memory.
const LONGEST_FILE: u64 = 8 << 30;
/// The longest name in a folder, as Linux file systems have it.
const LONGEST_NAME: usize = 255;
/// Space is taken in blocks of this many bytes.
const BLOCK: u64 = 4096;
/// What a disk writes in one piece.
const SECTOR: u64 = 512;
/// The folder `/`.
const ROOT: u64 = 0;

/// The kinds of calls that a [`Disk`] and its files take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// [`Disk::open`].
    Open,
    /// [`File::read_at`].
    Read,
    /// [`File::write_at`].
    Write,
    /// [`File::reserve`].
    Reserve,
    /// [`File::sync`].
    Sync,
    /// [`File::len`].
    Len,
    /// [`File::truncate`].
    Truncate,
    /// [`File::forget`].
    Forget,
    /// [`Disk::kind`].
    Kind,
    /// [`Disk::list`].
    List,
    /// [`Disk::create_folder`].
    CreateFolder,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::link`].
    Link,
    /// [`Disk::remove_file`].
    RemoveFile,
    /// [`Disk::remove_folder`].
    RemoveFolder,
    /// [`Disk::sync_folder`].
    SyncFolder,
    /// [`Disk::lock`].
    Lock,
    /// [`Disk::random`].
    Random,
}

/// What reads find in the bytes that a failed sync lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The new bytes, from memory: all looks well until the power goes.
    New,
    /// The bytes, and the length, of the last good sync.
    Old,
    /// Zeros.
    Zero,
}

/// What a fault does to the call that it hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEffect {
    /// The call fails with this errno and changes nothing.
    Errno(i32),
    /// A read or write does half of what was asked, and at least one byte. Other calls succeed.
    Short,
    /// A write does a random part, from nothing to all, and then fails with this errno. Other calls fail as with `Errno`.
    WriteThenErrno(i32),
    /// A [`File::sync`] fails with this errno, and what was written since the last sync counts as clean from then on: it never becomes
    /// durable unless it is written again, and the next sync succeeds. Changes of length by [`File::truncate`] are not lost, only late.
    /// Likewise [`Disk::sync_folder`] and the folder's entries, which are seen as they are or, but for [`After::New`], as they were at the
    /// last good sync. Other calls fail as with `Errno`.
    SyncLosesPages(i32, After),
    /// The power goes during the call, which may still take effect, or a write a part of it. It and every call after it fail with EIO
    /// until [`SimDisk::power_on`].
    Crash,
}

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which of the matching calls it hits, counted from 0 and from [`SimDisk::inject`].
    pub at: u64,
    /// The calls that match; `None` for all.
    pub calls: Option<Call>,
    /// Only calls for files and folders whose path ends with this; `None` for all. A rename matches with either of its paths, a call on an
    /// open file with the path that the file has by then, or had last.
    pub name: Option<String>,
    /// What happens.
    pub effect: FaultEffect,
    /// It hits every matching call after that one too.
    pub forever: bool,
}

/// What loss of power does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it is lost.
    LoseAll,
    /// All of it stays, as after the death of the process alone; still unsynced, so that a loss of power later may take it.
    KeepAll,
    /// Each write is kept, lost, torn at a byte, or of its sectors each is kept, lost or garbage, in no order, or up to a moment in order.
    /// The length is one that some of the operations give; what lies in it and was lost reads as zeros. Of the operations on entries a
    /// random choice is kept; a rename is kept or lost as a whole.
    Random,
}

/// What has been asked of a [`SimDisk`]. Failed calls count too; bytes are those that were really moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimCounters {
    /// All calls.
    pub calls: u64,
    /// Calls of [`File::read_at`].
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Calls of [`File::write_at`].
    pub writes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Calls of [`File::sync`].
    pub syncs: u64,
    /// Calls of [`Disk::sync_folder`].
    pub folder_syncs: u64,
    /// Calls of [`Disk::open`].
    pub opens: u64,
    /// Calls of [`File::reserve`].
    pub reserves: u64,
    /// Files open now, without those that a lock holds open.
    pub open_files: u64,
    /// The most files that were open at once.
    pub most_open_files: u64,
}

/// A clock that goes only when told to. Cheap to clone; clones share the time.
#[derive(Clone, Debug)]
pub struct SimClock {
    times: Arc<Times>,
}

#[derive(Debug)]
struct Times {
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl SimClock {
    /// A clock whose wall time is `start_ns`.
    pub fn new(start_ns: u64) -> SimClock {
        SimClock { times: Arc::new(Times { wall: AtomicU64::new(start_ns), monotonic: AtomicU64::new(0) }) }
    }

    /// Time goes by: both clocks rise, and stop at their largest value.
    pub fn advance(&self, ns: u64) {
        for time in [&self.times.wall, &self.times.monotonic] {
            // Never fails, since the closure always has an answer.
            let _ = time.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_add(ns)));
        }
    }

    /// Somebody sets the wall clock, forward or back; the monotonic one doesn't notice.
    pub fn set_wall(&self, ns: u64) {
        self.times.wall.store(ns, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn wall_ns(&self) -> u64 {
        self.times.wall.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.times.monotonic.load(Ordering::SeqCst)
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Half of so many bytes, but one at least if there are any.
fn half(len: usize) -> usize {
    (len / 2).max(len.min(1))
}

/// SplitMix64: small, and every seed is as good as any other.
#[derive(Clone, Debug)]
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for an `n` of 0.
    fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

/// Something that a folder's entry can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    File(u64),
    Folder(u64),
}

/// An operation on a file that no sync has covered yet.
#[derive(Clone, Debug)]
struct FileOp {
    /// The order of all operations on the disk, over all files and folders.
    stamp: u64,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    Truncate(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Change::Write { offset, bytes: new } => overwrite(bytes, *offset, new),
            Change::Truncate(len) => set_len(bytes, *len),
        }
    }

    /// The length of a file of `len` bytes after it.
    fn len_after(&self, len: u64) -> u64 {
        match self {
            Change::Write { offset, bytes } => len.max(offset.saturating_add(bytes.len() as u64)),
            Change::Truncate(len) => *len,
        }
    }
}

fn set_len(bytes: &mut Vec<u8>, len: u64) -> io::Result<()> {
    let len = index(len);
    bytes.try_reserve(len.saturating_sub(bytes.len())).map_err(|_| errno(libc::ENOMEM))?;
    bytes.resize(len, 0);
    Ok(())
}

fn overwrite(bytes: &mut Vec<u8>, offset: u64, new: &[u8]) -> io::Result<()> {
    let start = index(offset);
    let end = start.checked_add(new.len()).ok_or_else(|| errno(libc::EFBIG))?;
    if start == bytes.len() {
        bytes.try_reserve(new.len()).map_err(|_| errno(libc::ENOMEM))?;
        bytes.extend_from_slice(new);
        return Ok(());
    }
    if end > bytes.len() {
        set_len(bytes, end as u64)?;
    }
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(new);
    }
    Ok(())
}

#[derive(Clone, Debug, Default)]
struct FileNode {
    /// Shared with the copies that `fork` makes until one of them writes; likewise `durable`.
    volatile: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    ops: Vec<FileOp>,
    /// Open handles and locks of the present epoch.
    handles: u64,
    /// How many names it has.
    names: u64,
    /// Where it is, or was last: one of its names.
    path: PathBuf,
    /// The space it takes, as it went into the disk's sum.
    charge: u64,
}

impl FileNode {
    fn len(&self) -> u64 {
        self.volatile.len() as u64
    }

    fn charge_for(&self, len: u64) -> u64 {
        if self.names > 0 || self.handles > 0 { len.next_multiple_of(BLOCK) } else { 0 }
    }

    fn sync(&mut self) -> io::Result<()> {
        let durable = Arc::make_mut(&mut self.durable);
        for op in &self.ops {
            op.change.apply(durable)?;
        }
        self.ops.clear();
        Ok(())
    }

    fn lose_dirty(&mut self, after: After) -> io::Result<()> {
        let volatile = Arc::make_mut(&mut self.volatile);
        match after {
            After::New => {}
            After::Old => {
                volatile.clear();
                volatile.extend_from_slice(&self.durable);
                for op in self.ops.iter().filter(|op| matches!(op.change, Change::Truncate(_))) {
                    op.change.apply(volatile)?;
                }
            }
            After::Zero => {
                for op in &self.ops {
                    if let Change::Write { offset, bytes } = &op.change {
                        let end = index(*offset).saturating_add(bytes.len()).min(volatile.len());
                        if let Some(place) = volatile.get_mut(index(*offset)..end) {
                            place.fill(0);
                        }
                    }
                }
            }
        }
        // The length is the journal's business in most file systems, and not lost with the pages.
        self.ops.retain(|op| matches!(op.change, Change::Truncate(_)));
        Ok(())
    }

    /// What is not to be written any more is read from the disk again.
    fn forget(&mut self) -> io::Result<()> {
        let volatile = Arc::make_mut(&mut self.volatile);
        volatile.clear();
        volatile.extend_from_slice(&self.durable);
        self.ops.iter().try_for_each(|op| op.change.apply(volatile))
    }

    /// What the power's loss makes of the file.
    fn survivor(&self, style: Style, random: &mut Generator) -> Vec<u8> {
        let mut bytes = self.durable.to_vec();
        for op in &self.ops {
            match &op.change {
                Change::Write { offset, bytes: new } => survive_write(&mut bytes, *offset, new, style.fate(op.stamp, random), random),
                Change::Truncate(len) => {
                    if style.keeps(op.stamp, random) {
                        let _ = set_len(&mut bytes, *len);
                    }
                }
            }
        }
        // The length may go its own way: ahead of the bytes, which then read as zeros, or behind them.
        if !self.ops.is_empty() && random.below(4) == 0 {
            let upto = index(random.below(self.ops.len() as u64 + 1));
            let len = self.ops.iter().take(upto).fold(self.durable.len() as u64, |len, op| op.change.len_after(len));
            let _ = set_len(&mut bytes, len);
        }
        bytes
    }
}

fn survive_write(bytes: &mut Vec<u8>, offset: u64, new: &[u8], fate: Fate, random: &mut Generator) {
    // Writing into memory fails only for want of memory; then the write is lost, as it may be.
    match fate {
        Fate::Kept => drop(overwrite(bytes, offset, new)),
        Fate::Lost => {}
        Fate::Torn => {
            let len = index(random.below(new.len() as u64 + 1));
            let _ = overwrite(bytes, offset, new.get(..len).unwrap_or(new));
        }
        Fate::Sectors => {
            let mut at = offset;
            let mut rest = new;
            while !rest.is_empty() {
                let in_sector = index(SECTOR - at % SECTOR).min(rest.len());
                let (sector, more) = rest.split_at(in_sector);
                match random.below(3) {
                    0 => drop(overwrite(bytes, at, sector)),
                    1 => {}
                    _ => {
                        let mut garbage = vec![0; sector.len()];
                        random.fill(&mut garbage);
                        let _ = overwrite(bytes, at, &garbage);
                    }
                }
                at += sector.len() as u64;
                rest = more;
            }
        }
    }
}

/// How one random crash goes. Were every operation of every crash lost with the same odds, a long list would never survive in a piece, nor
/// up to a clean point, and these are the common cases of real disks.
#[derive(Clone, Copy, Debug)]
enum Style {
    /// All before this stamp is kept, all after it lost; at the stamp anything goes.
    UpTo(u64),
    /// So many out of eight are kept, each for itself.
    Each(u64),
}

enum Fate {
    Kept,
    Lost,
    Torn,
    Sectors,
}

impl Style {
    fn fate(self, stamp: u64, random: &mut Generator) -> Fate {
        let kept = match self {
            Style::UpTo(cut) if stamp > cut => return Fate::Lost,
            Style::UpTo(cut) => stamp < cut,
            Style::Each(odds) => random.below(8) < odds,
        };
        if kept {
            return Fate::Kept;
        }
        match random.below(3) {
            0 => Fate::Lost,
            1 => Fate::Torn,
            _ => Fate::Sectors,
        }
    }

    /// For what can't be kept in part.
    fn keeps(self, stamp: u64, random: &mut Generator) -> bool {
        match self {
            Style::UpTo(cut) => stamp < cut || (stamp == cut && random.coin()),
            Style::Each(odds) => random.below(8) < odds,
        }
    }
}

/// A name in a folder.
type Place = (u64, OsString);

#[derive(Clone, Debug, Default)]
struct FolderNode {
    volatile: BTreeMap<OsString, Node>,
    durable: BTreeMap<OsString, Node>,
}

/// An operation on entries that no sync has covered yet: a name taken away, a name given, or both at once, which is a rename.
#[derive(Clone, Debug)]
struct EntryOp {
    stamp: u64,
    node: Node,
    unset: Option<Place>,
    set: Option<Place>,
}

impl EntryOp {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.unset.iter().chain(&self.set)
    }
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u64,
}

/// What is left for a call to do about a fault that hits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Whole,
    Half,
    PartThenErrno(i32),
    LosePages(i32, After),
    Crash,
}

#[derive(Debug)]
struct State {
    random: Generator,
    files: BTreeMap<u64, FileNode>,
    folders: BTreeMap<u64, FolderNode>,
    entry_ops: Vec<EntryOp>,
    next_node: u64,
    next_stamp: u64,
    /// Counts the losses of power; a handle works only in its own epoch.
    epoch: u64,
    powered: bool,
    /// The locked files, and which lock each has.
    locks: BTreeMap<u64, u64>,
    next_lock: u64,
    capacity: Option<u64>,
    /// Setting room aside does nothing.
    no_room_ahead: bool,
    /// Files can't have second names.
    no_links: bool,
    used: u64,
    read_only: bool,
    denied: Vec<Vec<OsString>>,
    faults: Vec<Armed>,
    faults_hit: u64,
    counters: SimCounters,
    calls: u64,
    /// Nodes that may be garbage since the last sweep.
    orphans: usize,
}

/// The parts of a path from `/`; relative paths start there too.
fn parts(path: &Path) -> io::Result<Vec<OsString>> {
    if path.as_os_str().is_empty() {
        return Err(errno(libc::ENOENT));
    }
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if name.len() > LONGEST_NAME => return Err(errno(libc::ENAMETOOLONG)),
            Component::Normal(name) if name.as_bytes().contains(&0) => return Err(errno(libc::EINVAL)),
            Component::Normal(name) => parts.push(name.to_os_string()),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(parts)
}

fn joined(parts: &[OsString]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(parts);
    path
}

fn ends_with(path: &Path, end: &str) -> bool {
    path.as_os_str().as_bytes().ends_with(end.as_bytes())
}

impl State {
    fn new(random: Generator) -> State {
        State {
            random,
            files: BTreeMap::new(),
            folders: BTreeMap::from([(ROOT, FolderNode::default())]),
            entry_ops: Vec::new(),
            next_node: ROOT + 1,
            next_stamp: 0,
            epoch: 0,
            powered: true,
            locks: BTreeMap::new(),
            next_lock: 0,
            capacity: None,
            no_room_ahead: false,
            no_links: false,
            used: 0,
            read_only: false,
            denied: Vec::new(),
            faults: Vec::new(),
            faults_hit: 0,
            counters: SimCounters::default(),
            calls: 0,
            orphans: 0,
        }
    }

    fn stamp(&mut self) -> u64 {
        self.next_stamp += 1;
        self.next_stamp
    }

    /// What every call does first: it is counted, fails if the power is or was off, and may meet a fault.
    fn begin(&mut self, call: Call, epoch: Option<u64>, paths: &[&Path]) -> io::Result<Turn> {
        self.calls += 1;
        let counters = &mut self.counters;
        counters.calls += 1;
        match call {
            Call::Open => counters.opens += 1,
            Call::Read => counters.reads += 1,
            Call::Write => counters.writes += 1,
            Call::Reserve => counters.reserves += 1,
            Call::Sync => counters.syncs += 1,
            Call::SyncFolder => counters.folder_syncs += 1,
            _ => {}
        }
        if !self.powered || epoch.is_some_and(|epoch| epoch != self.epoch) {
            return Err(errno(libc::EIO));
        }
        let mut effect = None;
        for armed in &mut self.faults {
            let fault = &armed.fault;
            let named = fault.name.as_ref().is_none_or(|name| paths.iter().any(|path| ends_with(path, name)));
            if !named || fault.calls.is_some_and(|wanted| wanted != call) {
                continue;
            }
            let due = armed.seen == fault.at || (fault.forever && armed.seen > fault.at);
            armed.seen += 1;
            if due && effect.is_none() {
                effect = Some(fault.effect);
            }
        }
        let Some(effect) = effect else { return Ok(Turn::Whole) };
        self.faults_hit += 1;
        match (effect, call) {
            (FaultEffect::Short, Call::Read | Call::Write) => Ok(Turn::Half),
            (FaultEffect::Short, _) => Ok(Turn::Whole),
            (FaultEffect::WriteThenErrno(code), Call::Write) => Ok(Turn::PartThenErrno(code)),
            (FaultEffect::SyncLosesPages(code, after), Call::Sync | Call::SyncFolder) => Ok(Turn::LosePages(code, after)),
            (FaultEffect::Crash, _) => Ok(Turn::Crash),
            (FaultEffect::Errno(code) | FaultEffect::WriteThenErrno(code) | FaultEffect::SyncLosesPages(code, _), _) => Err(errno(code)),
        }
    }

    fn begin_on_file(&mut self, call: Call, handle: &SimFile) -> io::Result<Turn> {
        let path = match self.files.get(&handle.node) {
            Some(file) if !self.faults.is_empty() => file.path.clone(),
            _ => PathBuf::new(), // nobody looks
        };
        self.begin(call, Some(handle.epoch), &[&path])
    }

    /// Does a call that happens whole or not at all; if the power goes during it, that is left to chance.
    fn finish<T>(&mut self, turn: Turn, action: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        if turn != Turn::Crash {
            return action(self);
        }
        if self.random.coin() {
            let _ = action(self);
        }
        self.cut_power();
        Err(errno(libc::EIO))
    }

    fn cut_power(&mut self) {
        if self.powered {
            self.powered = false;
            self.epoch += 1;
            self.forget_handles();
        }
    }

    fn forget_handles(&mut self) {
        self.locks.clear();
        self.counters.open_files = 0;
        for file in self.files.values_mut() {
            file.handles = 0;
        }
        self.recharge_all();
    }

    fn file(&self, node: u64) -> io::Result<&FileNode> {
        self.files.get(&node).ok_or_else(|| errno(libc::EBADF))
    }

    fn file_mut(&mut self, node: u64) -> io::Result<&mut FileNode> {
        self.files.get_mut(&node).ok_or_else(|| errno(libc::EBADF))
    }

    fn folder(&self, node: u64) -> io::Result<&FolderNode> {
        self.folders.get(&node).ok_or_else(|| errno(libc::ENOENT))
    }

    fn entry(&self, (folder, name): &Place) -> Option<Node> {
        self.folders.get(folder)?.volatile.get(name).copied()
    }

    fn find(&self, parts: &[OsString]) -> io::Result<Node> {
        let mut node = Node::Folder(ROOT);
        for name in parts {
            let Node::Folder(folder) = node else { return Err(errno(libc::ENOTDIR)) };
            node = self.folder(folder)?.volatile.get(name).copied().ok_or_else(|| errno(libc::ENOENT))?;
        }
        Ok(node)
    }

    fn find_folder(&self, parts: &[OsString]) -> io::Result<u64> {
        match self.find(parts)? {
            Node::Folder(folder) => Ok(folder),
            Node::File(_) => Err(errno(libc::ENOTDIR)),
        }
    }

    /// The folder and name that a path stands for, whether or not there is such an entry; `at_root` is the error for `/` itself.
    fn place(&self, parts: &[OsString], at_root: i32) -> io::Result<Place> {
        let (name, above) = parts.split_last().ok_or_else(|| errno(at_root))?;
        Ok((self.find_folder(above)?, name.clone()))
    }

    fn check_allowed(&self, parts: &[OsString]) -> io::Result<()> {
        if self.denied.iter().any(|denied| parts.starts_with(denied)) { Err(errno(libc::EACCES)) } else { Ok(()) }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.read_only { Err(errno(libc::EROFS)) } else { Ok(()) }
    }

    fn new_node(&mut self) -> u64 {
        let node = self.next_node;
        self.next_node += 1;
        node
    }

    /// Takes one name away, gives one, or both; nothing checks whether that is allowed.
    fn change_entries(&mut self, node: Node, unset: Option<Place>, set: Option<Place>) {
        if let Some((folder, name)) = &unset {
            self.set_entry(*folder, name, None);
        }
        if let Some((folder, name)) = &set {
            self.set_entry(*folder, name, Some(node));
        }
        let stamp = self.stamp();
        self.entry_ops.push(EntryOp { stamp, node, unset, set });
    }

    fn set_entry(&mut self, folder: u64, name: &OsStr, node: Option<Node>) {
        let Some(entries) = self.folders.get_mut(&folder).map(|folder| &mut folder.volatile) else { return };
        let before = match node {
            Some(node) => entries.insert(name.to_os_string(), node),
            None => entries.remove(name),
        };
        for (node, is_added) in [(before, false), (node, true)] {
            if let Some(Node::File(id)) = node {
                if let Some(file) = self.files.get_mut(&id) {
                    file.names = if is_added { file.names + 1 } else { file.names.saturating_sub(1) };
                }
                self.recharge(id);
            }
        }
        self.orphans += usize::from(before.is_some());
    }

    fn create_file(&mut self, place: Place, path: PathBuf) -> io::Result<u64> {
        self.check_writable()?;
        let node = self.new_node();
        self.files.insert(node, FileNode { path, ..FileNode::default() });
        self.change_entries(Node::File(node), None, Some(place));
        Ok(node)
    }

    fn hold(&mut self, node: u64) -> io::Result<()> {
        self.file_mut(node)?.handles += 1;
        self.recharge(node);
        Ok(())
    }

    fn release(&mut self, node: u64, epoch: u64) {
        if epoch != self.epoch {
            return;
        }
        let Some(file) = self.files.get_mut(&node) else { return };
        file.handles = file.handles.saturating_sub(1);
        if file.names == 0 && file.handles == 0 {
            self.orphans += 1;
        }
        self.recharge(node);
    }

    fn open(&mut self, path: &Path, access: Access) -> io::Result<u64> {
        let parts = parts(path)?;
        self.check_allowed(&parts)?;
        let node = match (self.find(&parts), access) {
            (Ok(_), Access::CreateNew) => return Err(errno(libc::EEXIST)),
            (Ok(Node::Folder(_)), _) => return Err(errno(libc::EISDIR)),
            (Ok(Node::File(node)), Access::Read) => node,
            (Ok(Node::File(node)), Access::Write) => {
                self.check_writable()?;
                node
            }
            (Err(_), Access::CreateNew) => {
                let place = self.place(&parts, libc::EISDIR)?;
                self.create_file(place, joined(&parts))?
            }
            (Err(e), _) => return Err(e),
        };
        self.hold(node)?;
        self.counters.open_files += 1;
        self.counters.most_open_files = self.counters.most_open_files.max(self.counters.open_files);
        Ok(node)
    }

    fn lock(&mut self, path: &Path) -> io::Result<Option<(u64, u64)>> {
        let parts = parts(path)?;
        self.check_allowed(&parts)?;
        let node = match self.find(&parts) {
            Ok(Node::Folder(_)) => return Err(errno(libc::EISDIR)),
            Ok(Node::File(node)) => {
                self.check_writable()?;
                node
            }
            Err(_) => {
                let place = self.place(&parts, libc::EISDIR)?;
                self.create_file(place, joined(&parts))?
            }
        };
        if self.locks.contains_key(&node) {
            return Ok(None);
        }
        self.hold(node)?;
        self.next_lock += 1;
        self.locks.insert(node, self.next_lock);
        Ok(Some((node, self.next_lock)))
    }

    fn list(&mut self, path: &Path) -> io::Result<Vec<OsString>> {
        let parts = parts(path)?;
        self.check_allowed(&parts)?;
        let folder = self.find_folder(&parts)?;
        let mut names: Vec<OsString> = self.folder(folder)?.volatile.keys().cloned().collect();
        // Real folders have no order, so nobody should come to rest on one here.
        for last in (1..names.len()).rev() {
            names.swap(last, index(self.random.below(last as u64 + 1)));
        }
        Ok(names)
    }

    fn create_folder(&mut self, path: &Path) -> io::Result<u64> {
        let parts = parts(path)?;
        self.check_allowed(&parts)?;
        let place = self.place(&parts, libc::EEXIST)?;
        if self.entry(&place).is_some() {
            return Err(errno(libc::EEXIST));
        }
        self.check_writable()?;
        let node = self.new_node();
        self.folders.insert(node, FolderNode::default());
        self.change_entries(Node::Folder(node), None, Some(place));
        Ok(node)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (parts(from)?, parts(to)?);
        self.check_allowed(&from)?;
        self.check_allowed(&to)?;
        let (from_place, to_place) = (self.place(&from, libc::EBUSY)?, self.place(&to, libc::EBUSY)?);
        let node = self.entry(&from_place).ok_or_else(|| errno(libc::ENOENT))?;
        let target = self.entry(&to_place);
        self.check_writable()?;
        match (node, target) {
            (Node::Folder(_), _) if to.starts_with(&from) && to != from => return Err(errno(libc::EINVAL)),
            (_, Some(target)) if target == node => return Ok(()),
            (_, Some(_)) if from.starts_with(&to) => return Err(errno(libc::ENOTEMPTY)),
            (Node::File(_), Some(Node::Folder(_))) => return Err(errno(libc::EISDIR)),
            (Node::Folder(_), Some(Node::File(_))) => return Err(errno(libc::ENOTDIR)),
            (Node::Folder(_), Some(Node::Folder(target))) if !self.folder(target)?.volatile.is_empty() => {
                return Err(errno(libc::ENOTEMPTY));
            }
            _ => {}
        }
        if let Node::File(file) = node {
            self.file_mut(file)?.path = joined(&to);
        }
        self.change_entries(node, Some(from_place), Some(to_place));
        Ok(())
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (parts(from)?, parts(to)?);
        self.check_allowed(&from)?;
        self.check_allowed(&to)?;
        let Node::File(file) = self.find(&from)? else { return Err(errno(libc::EPERM)) };
        let place = self.place(&to, libc::EEXIST)?;
        if self.entry(&place).is_some() {
            return Err(errno(libc::EEXIST));
        }
        self.check_writable()?;
        if self.no_links {
            return Err(errno(libc::EXDEV));
        }
        self.change_entries(Node::File(file), None, Some(place));
        Ok(())
    }

    fn remove(&mut self, path: &Path, folder: bool) -> io::Result<()> {
        let parts = parts(path)?;
        self.check_allowed(&parts)?;
        let place = self.place(&parts, if folder { libc::EBUSY } else { libc::EISDIR })?;
        let node = self.entry(&place).ok_or_else(|| errno(libc::ENOENT))?;
        match (node, folder) {
            (Node::File(_), true) => return Err(errno(libc::ENOTDIR)),
            (Node::Folder(_), false) => return Err(errno(libc::EISDIR)),
            (Node::Folder(node), true) if !self.folder(node)?.volatile.is_empty() => return Err(errno(libc::ENOTEMPTY)),
            _ => {}
        }
        self.check_writable()?;
        self.change_entries(node, Some(place), None);
        Ok(())
    }

    fn has_unsynced(&self, folder: u64) -> bool {
        self.entry_ops.iter().any(|op| op.places().any(|(at, _)| *at == folder))
    }

    /// Makes the operations on the wanted names durable, and with them what has to come first.
    fn sync_entries(&mut self, wanted: impl Fn(&Place) -> bool) {
        // A rename concerns two names, maybe in two folders, and what came before it at either must not be applied after it. So, from the
        // last to the first, each operation that shares a name with a chosen one is chosen too.
        let mut places: BTreeSet<Place> = BTreeSet::new();
        let mut chosen = Vec::new();
        let mut left = Vec::new();
        for op in std::mem::take(&mut self.entry_ops).into_iter().rev() {
            if op.places().any(|place| wanted(place) || places.contains(place)) {
                places.extend(op.places().cloned());
                chosen.push(op);
            } else {
                left.push(op);
            }
        }
        left.reverse();
        self.entry_ops = left;
        for op in chosen.into_iter().rev() {
            if let Some((folder, name)) = &op.unset
                && let Some(folder) = self.folders.get_mut(folder)
            {
                folder.durable.remove(name);
            }
            if let Some((folder, name)) = op.set
                && let Some(folder) = self.folders.get_mut(&folder)
            {
                folder.durable.insert(name, op.node);
            }
        }
        if self.orphans > 64 + self.files.len() / 2 {
            self.sweep();
        }
    }

    /// What was done to a folder's entries since the last sync is never made durable.
    fn lose_entries(&mut self, folder: u64, after: After) {
        self.entry_ops.retain(|op| op.places().all(|(at, _)| *at != folder));
        if after != After::New
            && let Some(entries) = self.folders.get_mut(&folder)
        {
            entries.volatile = entries.durable.clone();
        }
        self.find_again();
        self.sweep();
        self.recharge_all();
    }

    /// Drops the files and folders that nothing leads to, neither now nor after any loss of power.
    fn sweep(&mut self) {
        let mut alive: BTreeSet<Node> = BTreeSet::from([Node::Folder(ROOT)]);
        alive.extend(self.entry_ops.iter().map(|op| op.node));
        for folder in self.folders.values() {
            alive.extend(folder.volatile.values().chain(folder.durable.values()));
        }
        self.files.retain(|id, file| file.handles > 0 || alive.contains(&Node::File(*id)));
        self.folders.retain(|id, _| alive.contains(&Node::Folder(*id)));
        self.orphans = 0;
    }

    fn recharge(&mut self, node: u64) {
        if let Some(file) = self.files.get_mut(&node) {
            let charge = file.charge_for(file.len());
            self.used = self.used.saturating_sub(file.charge).saturating_add(charge);
            file.charge = charge;
        }
    }

    fn recharge_all(&mut self) {
        self.used = 0;
        for file in self.files.values_mut() {
            file.charge = file.charge_for(file.len());
            self.used = self.used.saturating_add(file.charge);
        }
    }

    /// Whether the file may have this length.
    fn check_space(&self, file: &FileNode, len: u64) -> io::Result<()> {
        if len > LONGEST_FILE {
            return Err(errno(libc::EFBIG));
        }
        let charge = file.charge_for(len);
        let full = self.capacity.is_some_and(|capacity| self.used.saturating_sub(file.charge).saturating_add(charge) > capacity);
        if full && charge > file.charge { Err(errno(libc::ENOSPC)) } else { Ok(()) }
    }

    fn write(&mut self, node: u64, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.check_writable()?;
        let file = self.file(node)?;
        let end = offset.saturating_add(bytes.len() as u64);
        self.check_space(file, file.len().max(end))?;
        let stamp = self.stamp();
        let file = self.file_mut(node)?;
        overwrite(Arc::make_mut(&mut file.volatile), offset, bytes)?;
        file.ops.push(FileOp { stamp, change: Change::Write { offset, bytes: bytes.into() } });
        self.recharge(node);
        self.counters.write_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn read(&mut self, node: u64, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file(node)?;
        let found = file.volatile.get(index(offset)..).unwrap_or_default();
        let n = found.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..n), found.get(..n)) {
            to.copy_from_slice(from);
        }
        self.counters.read_bytes += n as u64;
        Ok(n)
    }

    fn reserve(&mut self, node: u64, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.check_writable()?;
        if self.no_room_ahead {
            return Ok(());
        }
        let end = offset.saturating_add(len);
        self.set_len(node, self.file(node)?.len().max(end))
    }

    fn truncate(&mut self, node: u64, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.set_len(node, len)
    }

    fn set_len(&mut self, node: u64, len: u64) -> io::Result<()> {
        let file = self.file(node)?;
        self.check_space(file, len)?;
        let stamp = self.stamp();
        let file = self.file_mut(node)?;
        if len != file.len() {
            set_len(Arc::make_mut(&mut file.volatile), len)?;
            file.ops.push(FileOp { stamp, change: Change::Truncate(len) });
        }
        self.recharge(node);
        Ok(())
    }

    fn power_on(&mut self, how: Crash) {
        self.cut_power();
        match how {
            Crash::KeepAll => {}
            Crash::LoseAll => {
                self.entry_ops.clear();
                for file in self.files.values_mut() {
                    file.volatile = Arc::clone(&file.durable);
                }
            }
            Crash::Random => self.damage(),
        }
        if how != Crash::KeepAll {
            for file in self.files.values_mut() {
                file.ops.clear();
            }
            for folder in self.folders.values_mut() {
                folder.volatile = folder.durable.clone();
            }
        }
        self.find_again();
        self.sweep();
        self.recharge_all();
        self.powered = true;
    }

    fn damage(&mut self) {
        let mut stamps: Vec<u64> = self.entry_ops.iter().map(|op| op.stamp).collect();
        stamps.extend(self.files.values().flat_map(|file| file.ops.iter().map(|op| op.stamp)));
        stamps.sort_unstable();
        let style = match self.random.below(8) {
            0..=2 => {
                let cut = index(self.random.below(stamps.len() as u64 + 1));
                Style::UpTo(stamps.get(cut).copied().unwrap_or(u64::MAX))
            }
            _ => Style::Each(1 + self.random.below(7)),
        };
        for file in self.files.values_mut() {
            if !file.ops.is_empty() {
                file.durable = Arc::new(file.survivor(style, &mut self.random));
            }
            file.volatile = Arc::clone(&file.durable);
        }
        // A rename that is kept moves the file from wherever it is by then: an earlier rename may be lost. And a name is taken only from the
        // file that it was taken from.
        let mut names: BTreeMap<Node, BTreeSet<Place>> = BTreeMap::new();
        for (id, folder) in &self.folders {
            for (name, node) in &folder.durable {
                names.entry(*node).or_default().insert((*id, name.clone()));
            }
        }
        for op in std::mem::take(&mut self.entry_ops) {
            if !style.keeps(op.stamp, &mut self.random) {
                continue;
            }
            let has = names.entry(op.node).or_default();
            let from = op.unset.and_then(|place| match op.set {
                Some(_) if !has.contains(&place) => has.iter().min_by_key(|(folder, _)| *folder != place.0).cloned(),
                _ => Some(place),
            });
            if let Some(place) = from.filter(|place| has.remove(place))
                && let Some(folder) = self.folders.get_mut(&place.0)
            {
                folder.durable.remove(&place.1);
            }
            if let Some(place) = op.set
                && let Some(folder) = self.folders.get_mut(&place.0)
            {
                let replaced = folder.durable.insert(place.1.clone(), op.node);
                if let Some(others) = replaced.and_then(|replaced| names.get_mut(&replaced)) {
                    others.remove(&place);
                }
                names.entry(op.node).or_default().insert(place);
            }
        }
    }

    /// Which files have a name, and which, from the folders as they are now.
    fn find_again(&mut self) {
        for file in self.files.values_mut() {
            file.names = 0;
        }
        for (path, id) in self.walk() {
            if let Some(file) = self.files.get_mut(&id) {
                file.names += 1;
                file.path = path;
            }
        }
    }

    fn walk(&self) -> BTreeMap<PathBuf, u64> {
        let mut found = BTreeMap::new();
        let mut met = BTreeSet::from([ROOT]);
        let mut todo = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, folder)) = todo.pop() {
            for (name, node) in self.folders.get(&folder).iter().flat_map(|folder| &folder.volatile) {
                match *node {
                    Node::File(id) => drop(found.insert(path.join(name), id)),
                    Node::Folder(id) if met.insert(id) => todo.push((path.join(name), id)),
                    Node::Folder(_) => {}
                }
            }
        }
        found
    }

    fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let parts = parts(path)?;
        let (name, above) = parts.split_last().ok_or_else(|| errno(libc::EISDIR))?;
        let mut folder = ROOT;
        for part in above {
            let place = (folder, part.clone());
            let inner = match self.entry(&place) {
                Some(Node::Folder(inner)) => inner,
                Some(Node::File(_)) => return Err(errno(libc::ENOTDIR)),
                None => {
                    let inner = self.new_node();
                    self.folders.insert(inner, FolderNode::default());
                    self.change_entries(Node::Folder(inner), None, Some(place.clone()));
                    inner
                }
            };
            self.sync_entries(|at| *at == place);
            folder = inner;
        }
        let place = (folder, name.clone());
        let node = match self.entry(&place) {
            Some(Node::File(node)) => node,
            Some(Node::Folder(_)) => return Err(errno(libc::EISDIR)),
            None => {
                let node = self.new_node();
                self.files.insert(node, FileNode { path: joined(&parts), ..FileNode::default() });
                self.change_entries(Node::File(node), None, Some(place.clone()));
                node
            }
        };
        self.sync_entries(|at| *at == place);
        let file = self.file_mut(node)?;
        file.volatile = Arc::new(bytes.to_vec());
        file.durable = Arc::clone(&file.volatile);
        file.ops.clear();
        self.recharge(node);
        Ok(())
    }

    fn fork(&self, seed: u64) -> State {
        // From both, so that a copy with its origin's seed doesn't draw the origin's ids again.
        let random = Generator(Generator(seed).next() ^ self.random.clone().next());
        let mut copy = State {
            files: self.files.clone(),
            folders: self.folders.clone(),
            entry_ops: self.entry_ops.clone(),
            next_node: self.next_node,
            next_stamp: self.next_stamp,
            powered: self.powered,
            capacity: self.capacity,
            no_room_ahead: self.no_room_ahead,
            no_links: self.no_links,
            read_only: self.read_only,
            denied: self.denied.clone(),
            ..State::new(random)
        };
        copy.forget_handles();
        copy.sweep();
        copy
    }
}

/// A simulated disk. Cheap to clone; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// The only epoch in which this clone works; `None` if it works in all.
    epoch: Option<u64>,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimDisk {
    /// An empty disk: `/` and nothing in it. All that is left to chance comes from `seed`.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::holding(State::new(Generator(seed)))
    }

    fn holding(state: State) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(state)), epoch: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// A clone for a program that runs until the power goes: from then on each call through it fails with EIO for good, while this disk
    /// works again after [`SimDisk::power_on`]. Without it, threads and destructors of a store from before would go on changing the disk.
    pub fn session(&self) -> SimDisk {
        let epoch = self.state().epoch;
        SimDisk { state: Arc::clone(&self.state), epoch: Some(epoch) }
    }

    /// A copy of all that is there, synced or not, with its own future; without handles, locks, faults and counts. If the power is off
    /// here, so it is in the copy.
    pub fn fork(&self, seed: u64) -> SimDisk {
        SimDisk::holding(self.state().fork(seed))
    }

    /// The disk has room for so many bytes, in blocks of 4096; `None` for no limit. It may be less than what is used.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Whether [`File::reserve`] does anything; on some file systems it can't.
    pub fn set_reserves(&self, reserves: bool) {
        self.state().no_room_ahead = !reserves;
    }

    /// Whether [`Disk::link`] works; on some file systems, and from one to another, it can't.
    pub fn set_links(&self, links: bool) {
        self.state().no_links = !links;
    }

    /// The bytes that the files with a name and the open ones take up, in blocks of 4096, with the room set aside for them.
    pub fn used(&self) -> u64 {
        self.state().used
    }

    /// Every call that would change something fails with EROFS.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// Calls by path for this file or folder and all below it fail with EACCES, except [`Disk::kind`]. Files that are open stay usable.
    pub fn deny(&self, path_prefix: impl AsRef<Path>) {
        // A path that can't be, denies nothing.
        if let Ok(parts) = parts(path_prefix.as_ref()) {
            self.state().denied.push(parts);
        }
    }

    /// Takes back every [`SimDisk::deny`].
    pub fn allow_all(&self) {
        self.state().denied.clear();
    }

    /// Adds a fault. If several are due at one call, the one added first takes effect.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(Armed { fault, seen: 0 });
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How many calls have been hit by a fault so far.
    pub fn faults_hit(&self) -> u64 {
        self.state().faults_hit
    }

    /// What has been asked of the disk since the last [`SimDisk::reset_counters`].
    pub fn counters(&self) -> SimCounters {
        self.state().counters
    }

    /// Starts counting anew; the files open now go on being counted.
    pub fn reset_counters(&self) {
        let mut state = self.state();
        let open_files = state.counters.open_files;
        state.counters = SimCounters { open_files, most_open_files: open_files, ..SimCounters::default() };
    }

    /// The number of all calls so far, failed ones too; never reset.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The power goes: every call fails with EIO until [`SimDisk::power_on`]; handles that exist now stay dead for good.
    pub fn power_off(&self) {
        self.state().cut_power();
    }

    /// Whether the power is on.
    pub fn is_powered(&self) -> bool {
        self.state().powered
    }

    /// The power is back (if it was on, it goes first), and the disk is as the machine finds it. All locks are free. Faults stay.
    pub fn power_on(&self, how: Crash) {
        self.state().power_on(how);
    }

    /// The bytes of a file, as calls see them now; `None` if there is no such file.
    pub fn dump(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        match state.find(&parts(path.as_ref()).ok()?).ok()? {
            Node::File(node) => state.files.get(&node).map(|file| file.volatile.to_vec()),
            Node::Folder(_) => None,
        }
    }

    /// Makes these the bytes of a file, new or not, durably, with the folders above it. It is not a call: not counted, not refused by a
    /// fault, a limit or want of power. Open handles see the new bytes.
    ///
    /// # Errors
    ///
    /// The path is that of a folder, or a part of it that of a file.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        self.state().put(path.as_ref(), bytes)
    }

    /// Removes a file, or a folder with all in it, durably; `false` if there is none. As little a call as [`SimDisk::put`].
    pub fn remove(&self, path: impl AsRef<Path>) -> bool {
        let mut state = self.state();
        let Ok(place) = parts(path.as_ref()).and_then(|parts| state.place(&parts, libc::EBUSY)) else { return false };
        let Some(node) = state.entry(&place) else { return false };
        state.change_entries(node, Some(place.clone()), None);
        state.sync_entries(|at| *at == place);
        if let Node::Folder(_) = node {
            state.find_again();
            state.recharge_all();
        }
        true
    }

    /// The paths of all files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().walk().into_keys().collect()
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        let turn = state.begin(Call::Open, self.epoch, &[path])?;
        let node = state.finish(turn, |state| state.open(path, access))?;
        Ok(Box::new(SimFile { state: Arc::clone(&self.state), node, epoch: state.epoch, access }))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let mut state = self.state();
        let turn = state.begin(Call::Kind, self.epoch, &[path])?;
        state.finish(turn, |state| match parts(path).and_then(|parts| state.find(&parts)) {
            Ok(Node::File(_)) => Ok(Some(Kind::File)),
            Ok(Node::Folder(_)) => Ok(Some(Kind::Folder)),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(e) => Err(e),
        })
    }

    fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        let disk = Arc::as_ptr(&self.state).addr() as u64;
        let mut state = self.state();
        let turn = state.begin(Call::Kind, self.epoch, &[path])?;
        state.finish(turn, |state| {
            let (Node::File(node) | Node::Folder(node)) = parts(path).and_then(|parts| state.find(&parts))?;
            Ok((disk, node))
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.state();
        let turn = state.begin(Call::List, self.epoch, &[folder])?;
        state.finish(turn, |state| state.list(folder))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::CreateFolder, self.epoch, &[path])?;
        state.finish(turn, |state| state.create_folder(path).map(drop))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::Rename, self.epoch, &[from, to])?;
        state.finish(turn, |state| state.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::Link, self.epoch, &[from, to])?;
        state.finish(turn, |state| state.link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::RemoveFile, self.epoch, &[path])?;
        state.finish(turn, |state| state.remove(path, false))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::RemoveFolder, self.epoch, &[path])?;
        state.finish(turn, |state| state.remove(path, true))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::SyncFolder, self.epoch, &[path])?;
        if let Turn::LosePages(code, after) = turn {
            let folder = state.find_folder(&parts(path)?)?;
            state.lose_entries(folder, after);
            return Err(errno(code));
        }
        state.finish(turn, |state| {
            let parts = parts(path)?;
            state.check_allowed(&parts)?;
            let folder = state.find_folder(&parts)?;
            // A disk that turned read-only can't save what it holds, and says so.
            if state.has_unsynced(folder) {
                state.check_writable()?;
                state.sync_entries(|(at, _)| *at == folder);
            }
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.state();
        let turn = state.begin(Call::Lock, self.epoch, &[path])?;
        let Some((node, number)) = state.finish(turn, |state| state.lock(path))? else { return Ok(None) };
        Ok(Some(Box::new(SimLock { state: Arc::clone(&self.state), node, epoch: state.epoch, number })))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state();
        let turn = state.begin(Call::Lock, self.epoch, &[path])?;
        state.finish(turn, |state| match parts(path).and_then(|parts| state.find(&parts))? {
            Node::File(node) => Ok(state.locks.contains_key(&node)),
            Node::Folder(_) => Err(errno(libc::EISDIR)),
        })
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        let turn = state.begin(Call::Random, self.epoch, &[])?;
        state.finish(turn, |state| {
            state.random.fill(bytes);
            Ok(())
        })
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    node: u64,
    epoch: u64,
    number: u64,
}

impl Lock for SimLock {}

impl fmt::Debug for SimLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimLock").field("node", &self.node).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        if state.locks.get(&self.node) == Some(&self.number) {
            state.locks.remove(&self.node);
        }
        state.release(self.node, self.epoch);
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    node: u64,
    epoch: u64,
    access: Access,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, epoch, access, .. } = self;
        f.debug_struct("SimFile").field("node", node).field("epoch", epoch).field("access", access).finish_non_exhaustive()
    }
}

impl SimFile {
    fn check_access(&self) -> io::Result<()> {
        if self.access == Access::Read { Err(errno(libc::EBADF)) } else { Ok(()) }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        if self.epoch == state.epoch {
            state.counters.open_files = state.counters.open_files.saturating_sub(1);
        }
        state.release(self.node, self.epoch);
    }
}

impl File for SimFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Read, self)?;
        let n = if turn == Turn::Half { half(bytes.len()) } else { bytes.len() };
        state.finish(turn, |state| state.read(self.node, offset, bytes.get_mut(..n).unwrap_or_default()))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Write, self)?;
        let n = match turn {
            Turn::Half => half(bytes.len()),
            Turn::PartThenErrno(_) | Turn::Crash => index(state.random.below(bytes.len() as u64 + 1)),
            Turn::Whole | Turn::LosePages(..) => bytes.len(),
        };
        let written = self.check_access().and_then(|()| state.write(self.node, offset, bytes.get(..n).unwrap_or(bytes)));
        match turn {
            Turn::PartThenErrno(code) => Err(errno(code)),
            Turn::Crash => {
                state.cut_power();
                Err(errno(libc::EIO))
            }
            _ => written,
        }
    }

    fn reserve(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Reserve, self)?;
        state.finish(turn, |state| {
            self.check_access()?;
            state.reserve(self.node, offset, len)
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Sync, self)?;
        if let Turn::LosePages(code, after) = turn {
            state.file_mut(self.node)?.lose_dirty(after)?;
            state.recharge(self.node);
            return Err(errno(code));
        }
        state.finish(turn, |state| {
            if state.file(self.node)?.ops.is_empty() {
                return Ok(());
            }
            // A disk that turned read-only can't save what it holds, and says so.
            state.check_writable()?;
            state.file_mut(self.node)?.sync()
        })
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Len, self)?;
        state.finish(turn, |state| state.file(self.node).map(FileNode::len))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Truncate, self)?;
        state.finish(turn, |state| {
            self.check_access()?;
            state.truncate(self.node, len)
        })
    }

    fn forget(&self) -> io::Result<()> {
        let mut state = locked(&self.state);
        let turn = state.begin_on_file(Call::Forget, self)?;
        state.finish(turn, |state| {
            state.file_mut(self.node)?.forget()?;
            state.recharge(self.node);
            Ok(())
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn create(disk: &SimDisk, path: &str) -> Box<dyn File> {
        disk.open(Path::new(path), Access::CreateNew).unwrap()
    }

    fn open(disk: &SimDisk, path: &str) -> Box<dyn File> {
        disk.open(Path::new(path), Access::Write).unwrap()
    }

    fn read(file: &dyn File) -> Vec<u8> {
        let mut bytes = vec![0; index(file.len().unwrap())];
        let n = file.read_at(&mut bytes, 0).unwrap();
        bytes.truncate(n);
        bytes
    }

    /// A file whose name and bytes are durable.
    fn durable(disk: &SimDisk, path: &str, bytes: &[u8]) -> Box<dyn File> {
        disk.put(path, bytes).unwrap();
        open(disk, path)
    }

    fn code<T>(result: io::Result<T>) -> i32 {
        result.err().and_then(|e| e.raw_os_error()).unwrap_or(0)
    }

    fn fault(at: u64, calls: Call, effect: FaultEffect) -> Fault {
        Fault { at, calls: Some(calls), name: None, effect, forever: false }
    }

    fn sync_root(disk: &SimDisk) {
        disk.sync_folder(Path::new("/")).unwrap();
    }

    fn rename(disk: &SimDisk, from: &str, to: &str) -> io::Result<()> {
        disk.rename(Path::new(from), Path::new(to))
    }

    #[test]
    fn reads_see_writes_and_gaps_read_as_zeros() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        assert_eq!(file.write_at(b"xyz", 3).unwrap(), 3);
        assert_eq!(file.write_at(b"X", 3).unwrap(), 1);
        assert_eq!(read(&*file), b"\0\0\0Xyz");
        assert_eq!(file.read_at(&mut [0; 4], 6).unwrap(), 0);
        assert_eq!(file.read_at(&mut [0; 4], u64::MAX).unwrap(), 0);
        file.truncate(4).unwrap();
        file.truncate(5).unwrap();
        assert_eq!(read(&*file), b"\0\0\0X\0");
        assert_eq!(disk.dump("/a").unwrap(), b"\0\0\0X\0");
    }

    #[test]
    fn synced_bytes_survive_and_unsynced_ones_do_not() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"");
        file.write_at(b"kept", 0).unwrap();
        file.sync().unwrap();
        file.write_at(b"lost", 2).unwrap();
        assert_eq!(disk.dump("/a").unwrap(), b"kelost");
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.dump("/a").unwrap(), b"kept");
    }

    #[test]
    fn a_truncate_is_durable_only_after_sync() {
        let disk = SimDisk::new(1);
        durable(&disk, "/a", b"123456").truncate(3).unwrap();
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.dump("/a").unwrap(), b"123456");
        let file = open(&disk, "/a");
        file.truncate(3).unwrap();
        file.sync().unwrap();
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.dump("/a").unwrap(), b"123");
    }

    #[test]
    fn a_name_survives_only_after_its_folder_is_synced() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        file.write_at(b"1", 0).unwrap();
        file.sync().unwrap();
        disk.power_on(Crash::LoseAll);
        assert!(disk.paths().is_empty());

        create(&disk, "/a").sync().unwrap();
        sync_root(&disk);
        disk.remove_file(Path::new("/a")).unwrap();
        assert!(disk.paths().is_empty());
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.paths(), [Path::new("/a")]);
    }

    #[test]
    fn a_second_name_is_of_the_same_file_and_survives_only_after_its_folder_is_synced() {
        let disk = SimDisk::new(1);
        durable(&disk, "/a", b"1");
        disk.create_folder(Path::new("/d")).unwrap();
        sync_root(&disk);
        let used = disk.used();
        disk.link(Path::new("/a"), Path::new("/d/b")).unwrap();
        assert_eq!(code(disk.link(Path::new("/a"), Path::new("/d/b"))), libc::EEXIST);
        assert_eq!(disk.identity(Path::new("/a")).unwrap(), disk.identity(Path::new("/d/b")).unwrap());
        assert_eq!(disk.used(), used);
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.dump("/d/b"), None);
        assert_eq!(disk.dump("/a").unwrap(), b"1");

        disk.link(Path::new("/a"), Path::new("/d/b")).unwrap();
        disk.sync_folder(Path::new("/d")).unwrap();
        disk.remove_file(Path::new("/a")).unwrap();
        assert_eq!(disk.used(), used);
        sync_root(&disk);
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.dump("/a"), None);
        assert_eq!(disk.dump("/d/b").unwrap(), b"1");
        open(&disk, "/d/b").write_at(b"2", 0).unwrap();
        disk.set_links(false);
        assert_eq!(code(disk.link(Path::new("/d/b"), Path::new("/a"))), libc::EXDEV);
        disk.remove_file(Path::new("/d/b")).unwrap();
        assert_eq!(disk.used(), 0);
    }

    #[test]
    fn whatever_names_loss_of_power_leaves_a_file_with_two_they_are_among_those_that_it_had() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            durable(&disk, "/a.new", b"1");
            disk.rename(Path::new("/a.new"), Path::new("/a")).unwrap();
            disk.link(Path::new("/a"), Path::new("/b")).unwrap();
            disk.power_on(Crash::Random);
            seen.insert(disk.paths());
        }
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let possible = [paths(&["/a"]), paths(&["/a", "/b"]), paths(&["/a.new"]), paths(&["/a.new", "/b"])];
        assert_eq!(seen, BTreeSet::from(possible));
    }

    #[test]
    fn a_synced_file_in_an_unsynced_folder_is_lost() {
        let disk = SimDisk::new(1);
        disk.create_folder(Path::new("/d")).unwrap();
        create(&disk, "/d/a");
        disk.sync_folder(Path::new("/d")).unwrap();
        let copy = disk.fork(2);
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.kind(Path::new("/d")).unwrap(), None);
        sync_root(&copy);
        copy.power_on(Crash::LoseAll);
        assert_eq!(copy.paths(), [Path::new("/d/a")]);
    }

    #[test]
    fn syncing_one_folder_of_a_rename_makes_both_sides_durable() {
        for synced in ["/x", "/y"] {
            let disk = SimDisk::new(1);
            disk.put("/x/keep", b"").unwrap();
            disk.put("/y/keep", b"").unwrap();
            create(&disk, "/x/new");
            rename(&disk, "/x/new", "/y/new").unwrap();
            disk.sync_folder(Path::new(synced)).unwrap();
            disk.power_on(Crash::LoseAll);
            assert_eq!(disk.paths(), ["/x/keep", "/y/keep", "/y/new"].map(PathBuf::from));
        }
    }

    #[test]
    fn the_death_of_the_process_keeps_all_but_power_can_still_take_it() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        file.write_at(b"1", 0).unwrap();
        disk.power_on(Crash::KeepAll);
        assert_eq!(disk.dump("/a").unwrap(), b"1");
        assert_eq!(code(file.len()), libc::EIO);
        disk.power_on(Crash::LoseAll);
        assert!(disk.paths().is_empty());
    }

    #[test]
    fn every_call_fails_while_the_power_is_off_and_old_handles_fail_for_good() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"1");
        let session = disk.session();
        session.kind(Path::new("/a")).unwrap();
        disk.power_off();
        assert_eq!(code(disk.kind(Path::new("/a"))), libc::EIO);
        assert_eq!(code(disk.lock(Path::new("/a"))), libc::EIO);
        assert_eq!(code(disk.random(&mut [0; 4])), libc::EIO);
        disk.power_on(Crash::LoseAll);
        assert_eq!(code(file.write_at(b"2", 0)), libc::EIO);
        assert_eq!(code(session.remove_file(Path::new("/a"))), libc::EIO);
        drop(file);
        assert_eq!(disk.counters().open_files, 0);
        assert_eq!(read(&*open(&disk, "/a")), b"1");
    }

    #[test]
    fn an_open_file_outlives_its_name() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"old");
        durable(&disk, "/b", b"new");
        rename(&disk, "/b", "/a").unwrap();
        assert_eq!(read(&*file), b"old");
        assert_eq!(disk.dump("/a").unwrap(), b"new");
        disk.remove_file(Path::new("/a")).unwrap();
        file.write_at(b"er", 3).unwrap();
        file.sync().unwrap();
        assert_eq!(read(&*file), b"older");
        assert!(disk.used() > 0);
        drop(file);
        assert_eq!(disk.used(), 0);
    }

    #[test]
    fn paths_fail_as_on_linux() {
        let disk = SimDisk::new(1);
        disk.put("/d/f", b"").unwrap();
        let p = Path::new;
        assert_eq!(code(disk.open(p("/no"), Access::Write)), libc::ENOENT);
        assert_eq!(code(disk.open(p("/no/f"), Access::CreateNew)), libc::ENOENT);
        assert_eq!(code(disk.open(p("/d/f/x"), Access::CreateNew)), libc::ENOTDIR);
        assert_eq!(code(disk.open(p("/d/f"), Access::CreateNew)), libc::EEXIST);
        assert_eq!(code(disk.open(p("/d"), Access::Write)), libc::EISDIR);
        assert_eq!(code(disk.kind(p("/d/f/x"))), libc::ENOTDIR);
        assert_eq!(disk.kind(p("/d/no")).unwrap(), None);
        assert_eq!(disk.kind(p("/")).unwrap(), Some(Kind::Folder));
        assert_eq!(disk.kind(p("d/./f")).unwrap(), Some(Kind::File));
        assert_eq!(disk.kind(p("/d/../d/f")).unwrap(), Some(Kind::File));
        assert_eq!(code(disk.list(p("/d/f"))), libc::ENOTDIR);
        assert_eq!(code(disk.create_folder(p("/d"))), libc::EEXIST);
        assert_eq!(code(disk.create_folder(p("/"))), libc::EEXIST);
        assert_eq!(code(disk.create_folder(p("/no/d"))), libc::ENOENT);
        assert_eq!(code(disk.remove_folder(p("/d"))), libc::ENOTEMPTY);
        assert_eq!(code(disk.remove_folder(p("/d/f"))), libc::ENOTDIR);
        assert_eq!(code(disk.remove_file(p("/d"))), libc::EISDIR);
        assert_eq!(code(disk.remove_file(p("/d/no"))), libc::ENOENT);
        assert_eq!(code(disk.open(&p("/").join("n".repeat(256)), Access::CreateNew)), libc::ENAMETOOLONG);
        assert_eq!(code(disk.open(p(""), Access::Read)), libc::ENOENT);

        disk.create_folder(p("/e")).unwrap();
        assert_eq!(code(rename(&disk, "/d/f", "/e")), libc::EISDIR);
        assert_eq!(code(rename(&disk, "/e", "/d/f")), libc::ENOTDIR);
        assert_eq!(code(rename(&disk, "/e", "/d")), libc::ENOTEMPTY);
        assert_eq!(code(rename(&disk, "/d", "/d/sub")), libc::EINVAL);
        assert_eq!(code(rename(&disk, "/no", "/x")), libc::ENOENT);
        rename(&disk, "/d", "/d").unwrap();
        rename(&disk, "/d", "/e").unwrap();
        assert_eq!(disk.list(p("/e")).unwrap(), ["f"]);
        assert_eq!(disk.list(p("/")).unwrap(), ["e"]);
        disk.remove_file(p("/e/f")).unwrap();
        disk.remove_folder(p("/e")).unwrap();
        assert!(disk.list(p("/")).unwrap().is_empty());
    }

    #[test]
    fn a_handle_for_reading_refuses_changes() {
        let disk = SimDisk::new(1);
        disk.put("/a", b"1").unwrap();
        let file = disk.open(Path::new("/a"), Access::Read).unwrap();
        assert_eq!(code(file.write_at(b"2", 0)), libc::EBADF);
        assert_eq!(code(file.truncate(0)), libc::EBADF);
        assert_eq!(code(file.reserve(0, 9)), libc::EBADF);
        assert_eq!(read(&*file), b"1");
    }

    #[test]
    fn a_file_has_a_longest_length() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        assert_eq!(code(file.write_at(b"1", LONGEST_FILE)), libc::EFBIG);
        assert_eq!(code(file.write_at(b"1", u64::MAX)), libc::EFBIG);
        assert_eq!(code(file.truncate(u64::MAX)), libc::EFBIG);
        assert_eq!(code(file.reserve(u64::MAX, u64::MAX)), libc::EFBIG);
        assert_eq!(file.len().unwrap(), 0);
    }

    #[test]
    fn a_random_crash_tears_the_last_write_in_many_ways_and_never_the_synced_bytes() {
        let disk = SimDisk::new(7);
        let file = durable(&disk, "/a", &[1; 700]);
        file.write_at(&[2; 3000], 700).unwrap();
        let (mut kept, mut lost, mut torn, mut hole, mut garbage) = (0, 0, 0, 0, 0);
        for seed in 0..500 {
            let copy = disk.fork(seed);
            copy.power_on(Crash::Random);
            let bytes = copy.dump("/a").unwrap();
            assert_eq!(bytes[..700], [1; 700]);
            let new = &bytes[700..];
            assert!(new.len() <= 3000);
            let ours = new.iter().take_while(|byte| **byte == 2).count();
            match (new.len(), ours) {
                (0, _) => lost += 1,
                (3000, 3000) => kept += 1,
                (len, ours) if len == ours => torn += 1,
                _ if new.iter().any(|byte| ![0, 2].contains(byte)) => garbage += 1,
                _ => hole += 1,
            }
        }
        assert!([kept, lost, torn, hole, garbage].iter().all(|n| *n > 10), "{kept} {lost} {torn} {hole} {garbage}");
    }

    #[test]
    fn a_random_crash_may_keep_a_later_write_and_lose_an_earlier_one() {
        let disk = SimDisk::new(7);
        let (a, b) = (durable(&disk, "/a", b""), durable(&disk, "/b", b""));
        a.write_at(&[1; 100], 0).unwrap();
        b.write_at(&[2; 100], 0).unwrap();
        b.write_at(&[3; 100], 100).unwrap();
        let seen = |wanted: &dyn Fn(&SimDisk) -> bool| {
            (0..500).any(|seed| {
                let copy = disk.fork(seed);
                copy.power_on(Crash::Random);
                wanted(&copy)
            })
        };
        let b_of = |disk: &SimDisk| disk.dump("/b").unwrap();
        assert!(seen(&|disk| disk.dump("/a").unwrap().is_empty() && b_of(disk).len() == 200));
        assert!(seen(&|disk| b_of(disk) == [[0; 100], [3; 100]].concat()));
        assert!(seen(&|disk| b_of(disk) == [2; 100]));
        assert!(seen(&|disk| b_of(disk) == [[2; 100], [0; 100]].concat()), "the length ahead of the bytes");
    }

    #[test]
    fn a_random_crash_leaves_a_rename_whole() {
        let disk = SimDisk::new(7);
        disk.put("/target", b"old").unwrap();
        for bytes in [b"n1", b"n2"] {
            let file = create(&disk, "/tmp");
            file.write_at(bytes, 0).unwrap();
            file.sync().unwrap();
            rename(&disk, "/tmp", "/target").unwrap();
        }
        let mut seen = BTreeSet::new();
        for seed in 0..300 {
            let copy = disk.fork(seed);
            copy.power_on(Crash::Random);
            let target = copy.dump("/target").expect("old or new");
            let temporary = copy.dump("/tmp");
            assert_ne!(temporary.as_ref(), Some(&target), "one file, two names");
            seen.insert((target, temporary));
        }
        assert!(seen.contains(&(b"old".to_vec(), None)));
        assert!(seen.contains(&(b"n1".to_vec(), None)));
        assert!(seen.contains(&(b"n2".to_vec(), None)));
        assert!(seen.contains(&(b"old".to_vec(), Some(b"n1".to_vec()))));
    }

    #[test]
    fn a_random_crash_removes_no_file_but_the_one_that_was_removed() {
        let disk = SimDisk::new(7);
        disk.put("/a", b"old").unwrap();
        disk.put("/tmp", b"new").unwrap();
        rename(&disk, "/tmp", "/a").unwrap();
        disk.remove_file(Path::new("/a")).unwrap();
        for seed in 0..200 {
            let copy = disk.fork(seed);
            copy.power_on(Crash::Random);
            assert!(copy.dump("/a").is_some() || copy.dump("/tmp").is_none(), "the new file was removed, and the old one is gone");
        }
    }

    #[test]
    fn a_random_crash_keeps_what_was_synced() {
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let file = create(&disk, "/a");
            file.write_at(b"synced", 0).unwrap();
            file.sync().unwrap();
            sync_root(&disk);
            create(&disk, "/b");
            disk.power_on(Crash::Random);
            assert_eq!(disk.dump("/a").unwrap(), b"synced");
        }
    }

    #[test]
    fn an_errno_hits_its_call_and_no_other() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        disk.inject(fault(1, Call::Write, FaultEffect::Errno(libc::EINTR)));
        file.write_at(b"1", 0).unwrap();
        file.sync().unwrap();
        assert_eq!(code(file.write_at(b"2", 0)), libc::EINTR);
        assert_eq!(disk.faults_hit(), 1);
        assert_eq!(read(&*file), b"1");
        file.write_at(b"2", 0).unwrap();
    }

    #[test]
    fn a_fault_may_be_for_every_call_of_one_file_for_good() {
        let disk = SimDisk::new(1);
        let (a, b) = (create(&disk, "/d.estore"), create(&disk, "/d.idx"));
        disk.inject(Fault { at: 1, calls: None, name: Some(".idx".into()), effect: FaultEffect::Errno(libc::ENOSPC), forever: true });
        b.len().unwrap();
        assert_eq!(code(b.len()), libc::ENOSPC);
        assert_eq!(code(b.sync()), libc::ENOSPC);
        a.len().unwrap();
        assert_eq!(code(rename(&disk, "/d.estore", "/e.idx")), libc::ENOSPC);
        disk.clear_faults();
        rename(&disk, "/d.estore", "/e.idx").unwrap();
        disk.inject(fault(0, Call::Len, FaultEffect::Errno(libc::EIO)));
        disk.inject(Fault { at: 0, calls: None, name: Some("/e.idx".into()), effect: FaultEffect::Errno(libc::EDQUOT), forever: false });
        assert_eq!(code(a.sync()), libc::EDQUOT, "an open file goes by the name it has by now");
    }

    #[test]
    fn a_short_call_does_half_and_at_least_a_byte() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        disk.inject(Fault { at: 0, calls: None, name: None, effect: FaultEffect::Short, forever: true });
        assert_eq!(file.write_at(b"123456", 0).unwrap(), 3);
        assert_eq!(file.write_at(b"4", 3).unwrap(), 1);
        assert_eq!(file.write_at(b"", 3).unwrap(), 0);
        assert_eq!(file.read_at(&mut [0; 4], 0).unwrap(), 2);
        assert_eq!(file.read_at(&mut [0; 1], 0).unwrap(), 1);
        assert_eq!(file.read_at(&mut [], 0).unwrap(), 0);
        file.sync().unwrap();
    }

    #[test]
    fn a_failing_write_may_have_written_a_part() {
        let disk = SimDisk::new(1);
        let mut lens = BTreeSet::new();
        for n in 0..100 {
            let path = format!("/{n}");
            disk.inject(fault(0, Call::Write, FaultEffect::WriteThenErrno(libc::EIO)));
            assert_eq!(code(create(&disk, &path).write_at(b"123", 0)), libc::EIO);
            let bytes = disk.dump(&path).unwrap();
            assert!(b"123".starts_with(&bytes[..]));
            lens.insert(bytes.len());
        }
        assert_eq!(lens, BTreeSet::from([0, 1, 2, 3]));
    }

    #[test]
    fn a_failed_sync_loses_what_was_dirty_though_the_next_one_succeeds() {
        for (after, seen) in [(After::New, &b"syncNEWDATA"[..]), (After::Old, b"synced"), (After::Zero, b"sync\0\0\0\0\0\0\0")] {
            let disk = SimDisk::new(1);
            let file = durable(&disk, "/a", b"synced");
            file.write_at(b"NEWDATA", 4).unwrap();
            disk.inject(fault(0, Call::Sync, FaultEffect::SyncLosesPages(libc::EIO, after)));
            assert_eq!(code(file.sync()), libc::EIO);
            assert_eq!(read(&*file), seen);
            file.sync().unwrap();
            let copy = disk.fork(2);
            copy.power_on(Crash::LoseAll);
            assert_eq!(copy.dump("/a").unwrap(), b"synced");

            file.write_at(b"new", 11).unwrap();
            file.sync().unwrap();
            disk.power_on(Crash::Random);
            assert_eq!(disk.dump("/a").unwrap(), b"synced\0\0\0\0\0new");
        }
    }

    #[test]
    fn a_failed_sync_of_a_folder_loses_its_new_names_though_the_next_one_succeeds() {
        for (after, seen) in [(After::New, "/b"), (After::Old, "/a"), (After::Zero, "/a")] {
            let disk = SimDisk::new(1);
            durable(&disk, "/a", b"a");
            disk.rename(Path::new("/a"), Path::new("/b")).unwrap();
            disk.inject(fault(0, Call::SyncFolder, FaultEffect::SyncLosesPages(libc::EIO, after)));
            assert_eq!(code(disk.sync_folder(Path::new("/"))), libc::EIO);
            assert_eq!(disk.paths(), [Path::new(seen)]);
            sync_root(&disk);
            create(&disk, "/c").sync().unwrap();
            sync_root(&disk);
            disk.power_on(Crash::LoseAll);
            assert_eq!(disk.paths(), [Path::new("/a"), Path::new("/c")]);
            assert_eq!(disk.dump("/a").unwrap(), b"a");
        }
    }

    #[test]
    fn the_power_may_go_in_the_midst_of_a_call() {
        let (mut in_part, mut renamed) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..60 {
            let disk = SimDisk::new(seed);
            let file = durable(&disk, "/a", b"");
            disk.inject(fault(0, Call::Write, FaultEffect::Crash));
            assert_eq!(code(file.write_at(b"12", 0)), libc::EIO);
            assert_eq!(code(file.len()), libc::EIO);
            assert_eq!(code(disk.list(Path::new("/"))), libc::EIO);
            disk.power_on(Crash::KeepAll);
            in_part.insert(disk.dump("/a").unwrap().len());
            disk.inject(fault(0, Call::Rename, FaultEffect::Crash));
            assert_eq!(code(rename(&disk, "/a", "/b")), libc::EIO);
            disk.power_on(Crash::KeepAll);
            renamed.insert(disk.paths());
            disk.inject(fault(0, Call::Open, FaultEffect::Crash));
            assert_eq!(code(disk.open(Path::new("/c"), Access::CreateNew)), libc::EIO);
            assert_eq!(disk.counters().open_files, 0);
        }
        assert_eq!(in_part.len(), 3);
        assert_eq!(renamed, BTreeSet::from([vec![PathBuf::from("/a")], vec![PathBuf::from("/b")]]));
    }

    #[test]
    fn a_full_disk_refuses_growth_but_not_writes_into_room_set_aside() {
        let disk = SimDisk::new(1);
        let (a, b) = (create(&disk, "/a"), create(&disk, "/b"));
        disk.set_capacity(Some(4 * 4096));
        a.reserve(0, 2 * 4096).unwrap();
        assert_eq!((disk.used(), a.len().unwrap()), (2 * 4096, 2 * 4096));
        assert_eq!(code(b.reserve(0, 2 * 4096 + 1)), libc::ENOSPC);
        b.write_at(&[1; 2 * 4096], 0).unwrap();
        assert_eq!(code(b.write_at(&[1], 2 * 4096)), libc::ENOSPC);
        assert_eq!(code(b.truncate(3 * 4096)), libc::ENOSPC);
        assert_eq!(b.len().unwrap(), 2 * 4096);
        a.write_at(&[2; 2 * 4096], 0).unwrap();
        assert_eq!(code(a.write_at(&[1], 2 * 4096)), libc::ENOSPC);
        disk.set_capacity(Some(4096));
        a.write_at(&[3; 100], 0).unwrap();
        a.truncate(0).unwrap();
        assert_eq!(disk.used(), 2 * 4096);
        disk.set_capacity(None);
        b.write_at(&[1; 9 * 4096], 0).unwrap();
    }

    #[test]
    fn room_set_aside_goes_with_truncate_removal_and_power() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"12345");
        file.reserve(5, 1 << 20).unwrap();
        assert_eq!(disk.used(), (5 + (1u64 << 20)).next_multiple_of(4096));
        file.truncate(5).unwrap();
        assert_eq!(disk.used(), 4096);
        file.reserve(0, 1 << 20).unwrap();
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.used(), 4096);
        open(&disk, "/a").reserve(0, 1 << 20).unwrap();
        assert_eq!(disk.used(), 1 << 20);
        disk.remove_file(Path::new("/a")).unwrap();
        assert_eq!(disk.used(), 0);
    }

    #[test]
    fn a_disk_that_sets_no_room_aside_takes_what_is_written() {
        let disk = SimDisk::new(1);
        disk.set_reserves(false);
        let disk = disk.fork(1);
        let file = durable(&disk, "/a", b"12345");
        file.reserve(5, 1 << 20).unwrap();
        assert_eq!((disk.used(), file.len().unwrap()), (4096, 5));
        file.write_at(b"6", 5).unwrap();
        disk.set_reserves(true);
        file.reserve(5, 10).unwrap();
        assert_eq!(file.len().unwrap(), 15);
    }

    #[test]
    fn a_lock_is_exclusive_until_it_is_dropped_or_the_power_goes() {
        let disk = SimDisk::new(1);
        let path = Path::new("/lock");
        let first = disk.lock(path).unwrap().unwrap();
        assert_eq!(disk.paths(), [path]);
        assert!(disk.lock(path).unwrap().is_none());
        drop(first);
        let second = disk.lock(path).unwrap().unwrap();
        disk.power_on(Crash::KeepAll);
        let third = disk.lock(path).unwrap().unwrap();
        drop(second);
        assert!(disk.lock(path).unwrap().is_none(), "a lock from before frees none of now");
        assert!(disk.fork(1).lock(path).unwrap().is_some());
        drop(third);
        assert!(disk.lock(path).unwrap().is_some());
    }

    #[test]
    fn a_lock_goes_with_the_file_and_not_with_its_name() {
        let disk = SimDisk::new(1);
        let held = disk.lock(Path::new("/lock")).unwrap().unwrap();
        rename(&disk, "/lock", "/moved").unwrap();
        assert!(disk.lock(Path::new("/moved")).unwrap().is_none());
        assert!(disk.lock(Path::new("/lock")).unwrap().is_some());
        drop(held);
        assert!(disk.lock(Path::new("/moved")).unwrap().is_some());
    }

    #[test]
    fn a_read_only_disk_refuses_every_change() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"1");
        file.write_at(b"2", 0).unwrap();
        disk.set_read_only(true);
        let p = Path::new;
        assert_eq!(code(file.write_at(b"3", 0)), libc::EROFS);
        assert_eq!(code(file.truncate(0)), libc::EROFS);
        assert_eq!(code(file.reserve(0, 1)), libc::EROFS);
        assert_eq!(code(file.sync()), libc::EROFS);
        assert_eq!(code(disk.open(p("/a"), Access::Write)), libc::EROFS);
        assert_eq!(code(disk.open(p("/b"), Access::CreateNew)), libc::EROFS);
        assert_eq!(code(disk.create_folder(p("/d"))), libc::EROFS);
        assert_eq!(code(disk.remove_file(p("/a"))), libc::EROFS);
        assert_eq!(code(disk.lock(p("/lock"))), libc::EROFS);
        assert_eq!(code(rename(&disk, "/a", "/b")), libc::EROFS);
        assert_eq!(read(&*disk.open(p("/a"), Access::Read).unwrap()), b"2");
        disk.set_read_only(false);
        file.sync().unwrap();
    }

    #[test]
    fn a_denied_path_refuses_all_under_it_and_nothing_else() {
        let disk = SimDisk::new(1);
        disk.put("/d/a", b"").unwrap();
        disk.put("/dd/a", b"").unwrap();
        disk.deny("/d");
        let p = Path::new;
        assert_eq!(code(disk.open(p("/d/a"), Access::Read)), libc::EACCES);
        assert_eq!(code(disk.open(p("/d/b"), Access::CreateNew)), libc::EACCES);
        assert_eq!(code(disk.list(p("/d"))), libc::EACCES);
        assert_eq!(code(disk.lock(p("/d/lock"))), libc::EACCES);
        assert_eq!(code(disk.create_folder(p("/d/e"))), libc::EACCES);
        open(&disk, "/dd/a");
        disk.allow_all();
        open(&disk, "/d/a");
    }

    #[test]
    fn counters_count_calls_bytes_and_open_files() {
        let disk = SimDisk::new(1);
        let file = create(&disk, "/a");
        let other = open(&disk, "/a");
        file.write_at(b"12345", 0).unwrap();
        file.read_at(&mut [0; 9], 1).unwrap();
        file.reserve(0, 9).unwrap();
        file.sync().unwrap();
        sync_root(&disk);
        drop(other);
        let expected = SimCounters {
            calls: 7,
            reads: 1,
            read_bytes: 4,
            writes: 1,
            write_bytes: 5,
            syncs: 1,
            folder_syncs: 1,
            opens: 2,
            reserves: 1,
            open_files: 1,
            most_open_files: 2,
        };
        assert_eq!(disk.counters(), expected);
        disk.reset_counters();
        assert_eq!(disk.counters(), SimCounters { open_files: 1, most_open_files: 1, ..SimCounters::default() });
        drop(file);
        assert_eq!((disk.counters().open_files, disk.calls()), (0, 7));
    }

    #[test]
    fn tests_can_damage_files_under_open_handles() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/d/e/a", b"good");
        create(&disk, "/d/e/unsynced");
        disk.put("/d/e/a", b"bad").unwrap();
        assert_eq!(read(&*file), b"bad");
        disk.power_on(Crash::LoseAll);
        assert_eq!(disk.paths(), [Path::new("/d/e/a")], "put makes nothing else durable");
        assert_eq!(disk.dump("/d/e/a").unwrap(), b"bad");
        assert_eq!(code(disk.put("/d", b"")), libc::EISDIR);
        assert!(disk.dump("/d").is_none());
        assert!(disk.remove("/d"));
        assert!(!disk.remove("/d"));
        assert_eq!(disk.used(), 0);
        disk.power_on(Crash::LoseAll);
        assert!(disk.paths().is_empty());
    }

    #[test]
    fn a_copy_has_the_same_state_and_its_own_future() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"1");
        file.write_at(b"2", 1).unwrap();
        let copy = disk.fork(1);
        assert_eq!(copy.counters(), SimCounters::default());
        file.write_at(b"3", 2).unwrap();
        file.sync().unwrap();
        assert_eq!(copy.dump("/a").unwrap(), b"12");
        copy.power_on(Crash::LoseAll);
        assert_eq!((copy.dump("/a").unwrap(), disk.dump("/a").unwrap()), (b"1".to_vec(), b"123".to_vec()));
        let (mut ours, mut theirs) = ([0; 16], [0; 16]);
        disk.random(&mut ours).unwrap();
        copy.random(&mut theirs).unwrap();
        assert_ne!(ours, theirs, "the same seed again must not draw the same ids");
    }

    /// Random work, a crash, and what is left, as a single value.
    fn story(seed: u64) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let disk = SimDisk::new(seed);
        let mut choices = Generator(99);
        let mut left = Vec::new();
        for round in 0..20 {
            for _ in 0..50 {
                let (from, to) = (format!("/{}", choices.below(6)), format!("/{}", choices.below(6)));
                match choices.below(8) {
                    0 => drop(rename(&disk, &from, &to)),
                    1 => drop(disk.remove_file(Path::new(&from))),
                    2 => sync_root(&disk),
                    3 => drop(disk.open(Path::new(&to), Access::CreateNew)),
                    _ => {
                        if let Ok(file) = disk.open(Path::new(&from), Access::Write) {
                            let mut bytes = vec![0; index(choices.below(2000))];
                            disk.random(&mut bytes).unwrap();
                            file.write_at(&bytes, choices.below(5000)).unwrap();
                            if choices.coin() {
                                file.truncate(choices.below(5000)).unwrap();
                            }
                            if choices.coin() {
                                file.sync().unwrap();
                            }
                        }
                    }
                }
            }
            disk.power_on(if round % 5 == 0 { Crash::KeepAll } else { Crash::Random });
            left.extend(disk.paths().into_iter().map(|path| (path.clone(), disk.dump(path))));
            let sum: u64 = disk.paths().iter().map(|path| (disk.dump(path).unwrap().len() as u64).next_multiple_of(BLOCK)).sum();
            assert_eq!(disk.used(), sum);
        }
        left
    }

    #[test]
    fn a_run_replays_exactly_from_its_seed() {
        assert_eq!(story(5), story(5));
        assert_ne!(story(5), story(6));
    }

    #[test]
    fn folders_moved_about_at_random_never_make_a_loop() {
        let disk = SimDisk::new(3);
        let mut choices = Generator(4);
        let path = |choices: &mut Generator| -> String { (0..=choices.below(3)).map(|_| format!("/{}", choices.below(3))).collect() };
        for _ in 0..300 {
            for _ in 0..20 {
                let (from, to) = (path(&mut choices), path(&mut choices));
                match choices.below(4) {
                    0 => drop(disk.remove_folder(Path::new(&from))),
                    1 => drop(rename(&disk, &from, &to)),
                    2 => drop(disk.sync_folder(Path::new(&from))),
                    _ => drop(disk.create_folder(Path::new(&to))),
                }
            }
            disk.power_on(Crash::Random);
            let state = disk.state();
            let mut names = BTreeSet::new();
            let mut todo = vec![ROOT];
            while let Some(folder) = todo.pop() {
                assert!(names.insert(folder), "a folder has two names");
                for node in state.folders[&folder].volatile.values() {
                    match node {
                        Node::Folder(inner) => todo.push(*inner),
                        Node::File(_) => panic!("there are only folders"),
                    }
                }
            }
        }
    }

    #[test]
    fn files_that_nothing_leads_to_are_forgotten() {
        let disk = SimDisk::new(1);
        for n in 0..2000 {
            create(&disk, "/tmp").write_at(b"123", 0).unwrap();
            rename(&disk, "/tmp", "/a").unwrap();
            if n % 3 == 0 {
                sync_root(&disk);
            }
        }
        assert!(disk.state().files.len() < 200);
        assert_eq!(disk.dump("/a").unwrap(), b"123");
    }

    #[test]
    fn an_open_file_without_a_name_is_never_forgotten() {
        let disk = SimDisk::new(1);
        let file = durable(&disk, "/a", b"123");
        disk.remove_file(Path::new("/a")).unwrap();
        sync_root(&disk);
        disk.state().sweep();
        assert_eq!(read(&*file), b"123");
        drop(file);
        disk.state().sweep();
        assert!(disk.state().files.is_empty());
    }

    #[test]
    fn a_lock_holds_its_file_open_but_is_not_counted_as_an_open_file() {
        let disk = SimDisk::new(1);
        disk.put("/lock", b"1").unwrap();
        let lock = disk.lock(Path::new("/lock")).unwrap().unwrap();
        disk.remove_file(Path::new("/lock")).unwrap();
        assert_eq!((disk.used(), disk.counters().open_files), (4096, 0));
        drop(lock);
        assert_eq!(disk.used(), 0);
    }

    #[test]
    fn the_clock_goes_when_told() {
        let clock = SimClock::new(1000);
        let same = clock.clone();
        clock.advance(5);
        assert_eq!((same.wall_ns(), same.monotonic_ns()), (1005, 5));
        clock.set_wall(7);
        clock.advance(u64::MAX);
        assert_eq!((same.wall_ns(), same.monotonic_ns()), (u64::MAX, u64::MAX));
    }
}
