//! Programs of calls of the C ABI, held against a model: which handles there are, which stores lie where, and which events are in them.
//!
//! A program may do all that the header does not call undefined: pass NULL, handles of another kind, lengths that no memory has, close in
//! any order, let iterators outlive their stores. Each answer must be one that the header lists for the function; on failure no output has
//! changed; and what is read is exactly what was appended.

use std::ffi::{CStr, c_char};
use std::fs;
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::Arbitrary;

use crate::abi::{self, Detail, Event, Handle, Header, Status};
use crate::memory::bounded;

/// A program: what is done, and in which order its handles are closed at the end.
#[derive(Arbitrary, Debug)]
pub struct Program {
    close_last_first: bool,
    calls: Vec<Call>,
}

/// One of the variables that hold handles: mostly one that holds what is needed, sometimes any.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Slot(u8);

impl Slot {
    fn is_any(self) -> bool {
        self.0 >= 224
    }

    fn place(self) -> usize {
        usize::from(self.0) % SLOTS
    }
}

const SLOTS: usize = 8;

/// A time: small, or near the largest.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Time(u8);

impl Time {
    fn ns(self) -> u64 {
        if self.0 < 224 { u64::from(self.0) * 10 } else { u64::MAX - u64::from(255 - self.0) }
    }
}

/// Something that a program does wrong, or leaves out; mostly nothing.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Odd(u8);

impl Odd {
    /// No detail of an error is wanted.
    fn no_detail(self) -> bool {
        self.0 >= 224 && self.0 & 1 != 0
    }

    /// The first output (or for a close the variable) is NULL.
    fn no_output(self) -> bool {
        self.0 >= 224 && self.0 & 2 != 0
    }

    /// The input is NULL though it has a length.
    fn no_input(self) -> bool {
        self.0 >= 224 && self.0 & 4 != 0
    }

    /// A length that no memory has.
    fn endless(self) -> bool {
        self.0 >= 224 && self.0 & 24 == 24
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct NewEvent {
    time: Time,
    id: u8,
    len: u8,
    odd: Odd,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Setting {
    Mode(i8),
    Durability(i8, u16),
    FileSize(u8),
    Grace(u8),
    MaxEventLen(u16),
    MaxNewChunks(u8),
    MaxOpenLogs(u8),
    Buffer(u16, u32),
    NoIndex(i8),
    Background(i8),
    Log(bool),
}

#[derive(Arbitrary, Clone, Debug)]
enum Call {
    OptionsNew(Slot),
    Set(Slot, Setting),
    OptionsFree(Slot, Odd),
    Open { into: Slot, path: u8, options: Slot, efile: bool, odd: Odd },
    Destroy { path: u8, options: Slot, efile: bool, odd: Odd },
    Append { on: Slot, efile: bool, absent: bool, events: Vec<NewEvent>, odd: Odd },
    Sync(Slot, bool, Odd),
    Tick(Slot, bool, Odd),
    Seqs(Slot, bool, Odd),
    Count { on: Slot, efile: bool, start: Time, end: Time, odd: Odd },
    Stats { on: Slot, efile: bool, capacity: u8, odd: Odd },
    Verify { on: Slot, efile: bool, callback: u8, odd: Odd },
    Splits { on: Slot, start: Time, end: Time, capacity: u8, odd: Odd },
    DeleteBefore(Slot, Time, Odd),
    Close(Slot, bool, Odd),
    Read { on: Slot, efile: bool, into: Slot, start: Time, end: Time, flags: u8, limit: u8, odd: Odd },
    Next(Slot, Odd),
    NextBatch { on: Slot, capacity: u8, odd: Odd },
    SnapshotSeq(Slot, Odd),
    Gaps(Slot, bool, Odd),
    IterClose(Slot, Odd),
    Duration(Vec<u8>, Odd),
    EventInit(u8, Odd),
    Texts(i32, u8),
}

/// An event as the model has it; its data is a part of [`data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    time: u64,
    id: u32,
    from: usize,
    len: usize,
}

/// What the data of events is cut from.
fn data() -> &'static [u8] {
    static DATA: OnceLock<Vec<u8>> = OnceLock::new();
    DATA.get_or_init(|| (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect())
}

impl NewEvent {
    fn kept(self) -> Kept {
        let len = match self.len {
            0..240 => usize::from(self.len) % 20,
            240..252 => usize::from(self.len - 239) * 700,
            _ => 90_000,
        };
        let id = u32::from(self.id % 4);
        Kept { time: self.time.ns(), id, from: id as usize * 100, len }
    }
}

/// A store on disk.
#[derive(Debug)]
struct World {
    efile: bool,
    file_size: u64,
    grace: u64,
    /// In order of arrival.
    events: Vec<Kept>,
    horizon: u64,
    /// It is open for writing.
    written_to: bool,
    /// Events may be in the buffer, out of the sight of others.
    buffered: bool,
    /// How often files were taken away from under those that don't belong to the writer.
    disturbed: u32,
    /// How often that happened to all.
    destroyed: u32,
    last_seq: u64,
}

impl World {
    fn live(&self) -> Vec<Kept> {
        self.events.iter().copied().filter(|event| event.time >= self.horizon).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Options {
    mode: i32,
    buffered: bool,
    file_size: Option<u64>,
    grace: Option<u64>,
    max_event_len: usize,
    max_new_chunks: usize,
    /// By which limits, of age and of size, old chunks may go by themselves, though they never do here.
    limited: (bool, bool),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: 0,
            buffered: false,
            file_size: None,
            grace: None,
            max_event_len: 16 << 20,
            max_new_chunks: 1024,
            limited: (false, false),
        }
    }
}

#[derive(Debug)]
struct Open {
    world: usize,
    /// What it shows for ever; `None` for a writer.
    snapshot: Option<Vec<Kept>>,
    /// The snapshot is known to be exactly that.
    exact: bool,
    options: Options,
    since: (u32, u32),
}

#[derive(Debug)]
struct Iter {
    world: usize,
    of_writer: bool,
    /// What is to come; exactly, if that is known.
    rest: std::vec::IntoIter<Kept>,
    exact: bool,
    reverse: bool,
    last: Option<(u64, u64)>,
    since: (u32, u32),
    is_tail: bool,
    /// Of a tail: how many of the events of the store were given, or deleted before. Not known where the store is read only.
    passed: Option<usize>,
}

#[derive(Debug)]
enum What {
    Options(Options),
    Open(bool, Open),
    Iter(Iter),
}

struct Held {
    handle: Handle,
    what: What,
}

/// What an output holds before a call that may not touch it.
const UNTOUCHED: u64 = 0x5a5a_5a5a_5a5a_5a5a;
const UNTOUCHED_HANDLE: Handle = null_mut();
/// Never followed.
const WILD: usize = 1;

static LOGGED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn log(userdata: Handle, level: i32, message: *const c_char, len: usize) {
    assert_eq!(userdata.addr(), WILD);
    assert!((1..=3).contains(&level));
    must_be_text(message, Some(len));
    LOGGED.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn progress(userdata: Handle, done: u64, events: u64) -> i32 {
    assert!(done <= events);
    i32::from(!userdata.is_null())
}

unsafe extern "C" fn finding(
    userdata: Handle,
    kind: i32,
    path: *const c_char,
    path_len: usize,
    _offset: u64,
    _len: u64,
    what: *const c_char,
    what_len: usize,
) -> i32 {
    must_be_text(path, Some(path_len));
    let what = must_be_text(what, Some(what_len));
    // Nothing is damaged here; what is derived may lag behind where no index is wanted.
    assert!(kind != Header::get().number("ESTORE_FINDING_DAMAGE") as i32, "damage in a store that nobody has damaged: {what}");
    // It may call functions on the same store.
    // SAFETY: the handle, which is live, of one kind or the other; err may be NULL.
    unsafe {
        abi::estore_last_seq(userdata, &mut 0, null_mut());
        abi::efile_last_seq(userdata, &mut 0, null_mut());
    }
    1
}

unsafe extern "C" fn gap(
    _: Handle,
    _: *const c_char,
    _: usize,
    offset: u64,
    len: u64,
    _: u64,
    _: u64,
    what: *const c_char,
    what_len: usize,
) {
    let what = must_be_text(what, Some(what_len));
    panic!("a gap in a store that nobody has damaged: {len} bytes from {offset} on: {what}");
}

/// A text of the library: ends in NUL where it says, and is UTF-8.
fn must_be_text(text: *const c_char, len: Option<usize>) -> String {
    assert!(!text.is_null());
    // SAFETY: the library promises a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    assert!(len.is_none_or(|len| len == text.count_bytes()), "a text with another length than it says");
    text.to_str().expect("texts are UTF-8").to_owned()
}

/// Calls a function whose last argument is the detail of an error, and checks its answer.
macro_rules! call {
    ($runner:ident, $odd:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let err = $runner.arm($odd);
        // SAFETY: pointers are NULL, or those of variables that live as long as this call, with their lengths; handles are live or NULL.
        let status = unsafe { abi::$name($($argument,)* err) };
        $runner.settle(stringify!($name), status, err);
        status
    }};
}

/// The same for one of a pair.
macro_rules! either {
    ($runner:ident, $odd:expr, $efile:expr, $estore_name:ident | $efile_name:ident, ($($argument:expr),* $(,)?)) => {
        if $efile { call!($runner, $odd, $efile_name($($argument),*)) } else { call!($runner, $odd, $estore_name($($argument),*)) }
    };
}

struct Runner {
    header: &'static Header,
    folder: PathBuf,
    slots: [Option<Held>; SLOTS],
    worlds: Vec<World>,
    /// The store that lies at each of the paths.
    places: [Option<usize>; 3],
    /// A path was passed that leads nowhere, so the system may refuse it.
    odd_path: bool,
    /// Files may be gone that the call needs.
    shaky: bool,
    err: Box<Detail>,
}

/// A folder of its own, in memory if there is such a place.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let above = if fs::metadata(&memory).is_ok_and(|found| found.is_dir()) { memory } else { std::env::temp_dir() };
        above.join(format!("estore-fuzz-{}", std::process::id()))
    })
}

/// Runs a program.
pub fn run(program: &Program) {
    let folder = folder();
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("a folder can be made");
    fs::write(folder.join("file"), "no folder").expect("a file can be written");
    bounded(|| {
        let mut runner = Runner {
            header: Header::get(),
            folder: folder.clone(),
            slots: [const { None }; SLOTS],
            worlds: Vec::new(),
            places: [None; 3],
            odd_path: false,
            shaky: false,
            err: Box::new(Detail { status: 0, os_errno: 0, offset: 0, message: [0; 496] }),
        };
        for call in program.calls.iter().take(48) {
            runner.call(call);
        }
        runner.close_all(program.close_last_first);
    });
    let _ = fs::remove_dir_all(folder);
}

impl Runner {
    fn status(&self, name: &str) -> Status {
        self.header.status(name)
    }

    /// Readies the place for an error's detail.
    fn arm(&mut self, odd: Odd) -> *mut Detail {
        *self.err = Detail { status: 77, os_errno: 78, offset: 79, message: [b'!' as c_char; 496] };
        if odd.no_detail() { null_mut() } else { &raw mut *self.err }
    }

    /// Checks what holds of every answer.
    fn settle(&mut self, name: &str, status: Status, err: *mut Detail) {
        self.must_be_listed(name, status);
        let untouched = self.err.status == 77 && self.err.os_errno == 78 && self.err.offset == 79;
        if err.is_null() || status >= 0 {
            assert!(untouched && self.err.message.iter().all(|&c| c == b'!' as c_char), "{name}: {status}, but an error was filled in");
        } else {
            assert_eq!(self.err.status, status, "{name}: the error says something else than the answer");
            assert!(self.err.message.contains(&0), "{name}: a message without an end");
            assert!(!must_be_text(self.err.message.as_ptr(), None).is_empty(), "{name}: {status} without a message");
        }
    }

    fn must_be_listed(&self, name: &str, status: Status) {
        let message = || if self.err.message.contains(&0) { must_be_text(self.err.message.as_ptr(), None) } else { String::new() };
        assert!(self.header.lists(name, status), "{name} answered {status}, which its comment does not list: {}", message());
        // Nothing here fails but what programs do wrong.
        let of_files = ["ESTORE_ERR_CORRUPT", "ESTORE_ERR_GONE"];
        let of_paths = ["ESTORE_ERR_IO", "ESTORE_ERR_PERMISSION"];
        let never = ["ESTORE_ERR_PANIC", "ESTORE_ERR_POISONED", "ESTORE_ERR_OUTCOME_UNKNOWN", "ESTORE_ERR_NO_SPACE", "ESTORE_ERR_FORKED"];
        let is_one = |names: &[&str]| names.iter().any(|name| self.status(name) == status);
        let refused = is_one(&never) || !self.shaky && is_one(&of_files) || !self.odd_path && is_one(&of_paths);
        assert!(!refused, "{name} answered {status}: {}", message());
    }

    fn handle(&self, slot: Slot) -> Handle {
        self.slots[slot.place()].as_ref().map_or(null_mut(), |held| held.handle)
    }

    /// The open store of a slot, if it is one of this kind.
    fn open(&self, slot: Slot, efile: bool) -> Option<&Open> {
        match &self.slots[slot.place()] {
            Some(Held { what: What::Open(is_efile, open), .. }) if *is_efile == efile => Some(open),
            _ => None,
        }
    }

    /// As [`Runner::open`] for the call that follows: where there is none, `status` must say so, and where files may be gone, they may.
    fn target(&mut self, slot: Slot, efile: bool) -> bool {
        let shaky = self.open(slot, efile).map(|open| self.is_shaky(open.world, open.snapshot.is_none(), open.since));
        self.shaky = shaky == Some(true);
        shaky.is_some()
    }

    fn is_shaky(&self, world: usize, of_writer: bool, since: (u32, u32)) -> bool {
        let world = &self.worlds[world];
        world.destroyed != since.1 || !of_writer && world.disturbed != since.0
    }

    fn world_of(&mut self, slot: Slot, efile: bool) -> Option<&mut World> {
        let world = self.open(slot, efile)?.world;
        self.worlds.get_mut(world)
    }

    /// What a store shows, in order of arrival; and whether that is known exactly.
    fn shown(&self, open: &Open) -> (Vec<Kept>, bool) {
        match &open.snapshot {
            Some(snapshot) => (snapshot.clone(), open.exact),
            None => (self.worlds[open.world].live(), true),
        }
    }

    fn must_be_invalid(&self, status: Status, doing: &str) {
        assert_eq!(status, self.status("ESTORE_ERR_INVALID"), "{doing}");
    }

    /// The slot that is meant where something of a kind is needed.
    fn meant(&self, slot: Slot, needed: impl Fn(Option<&What>) -> bool) -> Slot {
        let fit: Vec<usize> = (0..SLOTS).filter(|&place| needed(self.slots[place].as_ref().map(|held| &held.what))).collect();
        match fit.get(usize::from(slot.0) % fit.len().max(1)) {
            Some(&place) if !slot.is_any() => Slot(place as u8),
            _ => slot,
        }
    }

    /// A call with the slots that are meant, and of the functions for estores or efiles those that fit.
    fn aimed(&self, mut call: Call) -> Call {
        let is_options = |what: Option<&What>| matches!(what, Some(What::Options(_)));
        let is_options_or_none = |what: Option<&What>| matches!(what, None | Some(What::Options(_)));
        let is_open = |what: Option<&What>| matches!(what, Some(What::Open(..)));
        let is_estore = |what: Option<&What>| matches!(what, Some(What::Open(false, _)));
        let is_iter = |what: Option<&What>| matches!(what, Some(What::Iter(_)));
        let is_free = |what: Option<&What>| what.is_none();
        match &mut call {
            Call::OptionsNew(slot) => *slot = self.meant(*slot, is_free),
            Call::Set(slot, _) | Call::OptionsFree(slot, _) => *slot = self.meant(*slot, is_options),
            Call::Open { into, options, .. } => {
                *into = self.meant(*into, is_free);
                *options = self.meant(*options, is_options_or_none);
            }
            Call::Destroy { options, .. } => *options = self.meant(*options, is_options_or_none),
            Call::Append { on, efile, .. }
            | Call::Sync(on, efile, _)
            | Call::Tick(on, efile, _)
            | Call::Seqs(on, efile, _)
            | Call::Count { on, efile, .. }
            | Call::Stats { on, efile, .. }
            | Call::Verify { on, efile, .. }
            | Call::Close(on, efile, _)
            | Call::Read { on, efile, .. } => {
                let any = on.is_any();
                *on = self.meant(*on, is_open);
                if let (Some(Held { what: What::Open(is_efile, _), .. }), false) = (&self.slots[on.place()], any) {
                    *efile = *is_efile;
                }
            }
            Call::Splits { on, .. } | Call::DeleteBefore(on, ..) => *on = self.meant(*on, is_estore),
            Call::Next(on, _) | Call::NextBatch { on, .. } | Call::SnapshotSeq(on, _) | Call::Gaps(on, ..) | Call::IterClose(on, _) => {
                *on = self.meant(*on, is_iter)
            }
            Call::Duration(..) | Call::EventInit(..) | Call::Texts(..) => {}
        }
        if let Call::Read { into, .. } = &mut call {
            *into = self.meant(*into, is_free);
        }
        call
    }

    fn call(&mut self, call: &Call) {
        (self.odd_path, self.shaky) = (false, false);
        match &self.aimed(call.clone()) {
            Call::OptionsNew(slot) => self.options_new(*slot),
            Call::Set(slot, setting) => self.set(*slot, *setting),
            Call::OptionsFree(slot, odd) => self.options_free(*slot, *odd),
            Call::Open { into, path, options, efile, odd } => self.open_store(*into, *path, *options, *efile, *odd),
            Call::Destroy { path, options, efile, odd } => self.destroy(*path, *options, *efile, *odd),
            Call::Append { on, efile, absent, events, odd } => self.append(*on, *efile, *absent, events, *odd),
            Call::Sync(on, efile, odd) => self.sync(*on, *efile, *odd),
            Call::Tick(on, efile, odd) => {
                let is_one = self.target(*on, *efile);
                let status = either!(self, *odd, *efile, estore_tick | efile_tick, (self.handle(*on)));
                assert_eq!(status == 0, is_one, "tick: {status}");
            }
            Call::Seqs(on, efile, odd) => self.seqs(*on, *efile, *odd),
            Call::Count { on, efile, start, end, odd } => self.count(*on, *efile, start.ns(), end.ns(), *odd),
            Call::Stats { on, efile, capacity, odd } => self.stats(*on, *efile, usize::from(*capacity), *odd),
            // Compaction for some numbers of the callback, rather than as a call of its own: so older inputs keep their meaning.
            Call::Verify { on, efile, callback: callback @ 160.., odd } => self.compact(*on, *efile, *callback, *odd),
            // And snapshots.
            Call::Verify { on, efile, callback: callback @ 120..160, odd } => self.snapshot(*on, *efile, *callback, *odd),
            Call::Verify { on, efile, callback, odd } => self.verify(*on, *efile, *callback, *odd),
            // Retention for some numbers of the capacity, rather than as a call of its own: so older inputs keep their meaning.
            Call::Splits { on, start, end, capacity: capacity @ 160.., odd } => {
                self.retain(*on, start.ns(), end.ns(), *capacity, *odd);
            }
            Call::Splits { on, start, end, capacity, odd } => self.splits(*on, start.ns(), end.ns(), usize::from(*capacity % 16), *odd),
            Call::DeleteBefore(on, time, odd) => self.delete_before(*on, time.ns(), *odd),
            Call::Close(on, efile, odd) => self.close(*on, *efile, *odd),
            // A tail for some numbers of the flags, rather than as a call of its own: so older inputs keep their meaning.
            Call::Read { on, efile, into, flags: 248.., limit, odd, .. } => self.tail(*on, *efile, *into, *limit, *odd),
            Call::Read { on, efile, into, start, end, flags, limit, odd } => {
                self.read(*on, *efile, *into, (start.ns(), end.ns()), u32::from(*flags), u64::from(*limit), *odd);
            }
            Call::Next(on, odd) => self.next(*on, *odd),
            // By columns for some numbers of the capacity, rather than as a call of its own: so older inputs keep their meaning.
            Call::NextBatch { on, capacity: capacity @ 160.., odd } => {
                self.next_columns(*on, usize::from(*capacity % 40), usize::from(*capacity) * 113 % 2000, *odd);
            }
            Call::NextBatch { on, capacity: 150..155, odd } => self.wait(*on, *odd),
            Call::NextBatch { on, capacity: 155..160, odd } => self.fd(*on, *odd),
            Call::NextBatch { on, capacity, odd } => self.next_batch(*on, usize::from(*capacity % 40), *odd),
            Call::SnapshotSeq(on, odd) => {
                let mut seq = UNTOUCHED;
                let out = if odd.no_output() { null_mut() } else { &raw mut seq };
                let status = call!(self, *odd, estore_iter_snapshot_seq(self.handle(*on), out));
                let is_iter = matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. }));
                assert_eq!(status == 0, is_iter && !odd.no_output(), "snapshot seq: {status}");
                assert_eq!(seq == UNTOUCHED, status != 0);
            }
            Call::Gaps(on, callback, odd) => {
                let mut n = UNTOUCHED as usize;
                let out = if odd.no_output() { null_mut() } else { &raw mut n };
                self.shaky = true;
                let callback: abi::GapFn = if *callback && !self.iter_is_shaky(*on) { Some(gap) } else { None };
                let status = call!(self, *odd, estore_iter_gaps(self.handle(*on), callback, null_mut(), out));
                let is_iter = matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. }));
                assert_eq!(status == 0, is_iter, "gaps: {status}");
                assert_eq!(n == UNTOUCHED as usize, status != 0 || odd.no_output());
            }
            Call::IterClose(on, odd) => self.iter_close(*on, *odd),
            Call::Duration(text, odd) => {
                let mut ns = UNTOUCHED;
                let out = if odd.no_output() { null_mut() } else { &raw mut ns };
                let len = if odd.endless() { usize::MAX } else { text.len() };
                let start = if odd.no_input() { null() } else { text.as_ptr().cast() };
                let status = call!(self, *odd, estore_duration_parse(start, len, out));
                assert_eq!(ns == UNTOUCHED, status != 0);
                if let (Ok(text), false, false, false) = (str::from_utf8(text), odd.no_output(), odd.endless(), odd.no_input()) {
                    assert_eq!(estore::duration::parse(text).ok(), (status == 0).then_some(ns), "{text:?}");
                }
            }
            Call::EventInit(len, odd) => self.event_init(usize::from(*len), *odd),
            // Replicas for some numbers of the index, rather than as calls of their own: so older inputs keep their meaning.
            Call::Texts(bits, kind @ 192..) => {
                let [on, other, how, odd] = bits.to_le_bytes();
                self.replicas(Slot(on), Slot(other), how, kind - 192, Odd(odd));
            }
            Call::Texts(status, index) => self.texts(*status, usize::from(*index)),
        }
    }

    fn hold(&mut self, slot: Slot, handle: Handle, what: What) {
        assert!(!handle.is_null(), "a call that worked gave no handle");
        self.slots[slot.place()] = Some(Held { handle, what });
    }

    fn is_free(&self, slot: Slot) -> bool {
        self.slots[slot.place()].is_none()
    }

    // Options.

    fn options_new(&mut self, slot: Slot) {
        if self.is_free(slot) {
            // SAFETY: takes nothing.
            let handle = unsafe { abi::estore_options_new() };
            self.hold(slot, handle, What::Options(Options::default()));
        }
    }

    fn set(&mut self, slot: Slot, setting: Setting) {
        let handle = self.handle(slot);
        let flag = |value: i8| (0..=1).contains(&value);
        let size = |code: u8| [0, 1, 100, 1000, 2000, u64::MAX][usize::from(code) % 6];
        let grace = |code: u8| [0, 1, 50, 500, u64::MAX][usize::from(code) % 5];
        let buffered = self.header.number("ESTORE_DURABILITY_BUFFERED") as i8;
        let interval = self.header.number("ESTORE_DURABILITY_INTERVAL") as i8;
        // SAFETY: the handle is live or NULL, of whatever kind; the log function may be called at any time with anything.
        let (name, valid, status) = unsafe {
            match setting {
                Setting::Mode(mode) => {
                    let valid = (0..=3).contains(&mode);
                    ("estore_options_set_mode", valid, abi::estore_options_set_mode(handle, i32::from(mode)))
                }
                Setting::Durability(level, ns) => {
                    let valid = (0..=3).contains(&level) && (level != interval || ns > 0);
                    let status = abi::estore_options_set_durability(handle, i32::from(level), u64::from(ns) * 1000);
                    ("estore_options_set_durability", valid, status)
                }
                Setting::FileSize(code) => {
                    let status = abi::estore_options_set_file_size_ns(handle, size(code));
                    ("estore_options_set_file_size_ns", size(code) > 0, status)
                }
                Setting::Grace(code) => ("estore_options_set_grace_ns", true, abi::estore_options_set_grace_ns(handle, grace(code))),
                Setting::MaxEventLen(len) => {
                    let len = u32::from(len) << 15;
                    ("estore_options_set_max_event_len", len <= 1 << 30, abi::estore_options_set_max_event_len(handle, len))
                }
                Setting::MaxNewChunks(n) => {
                    ("estore_options_set_max_new_chunks", n > 0, abi::estore_options_set_max_new_chunks(handle, usize::from(n)))
                }
                Setting::MaxOpenLogs(n) => {
                    ("estore_options_set_max_open_logs", n > 0, abi::estore_options_set_max_open_logs(handle, usize::from(n)))
                }
                Setting::Buffer(len, ns) => {
                    ("estore_options_set_buffer", len > 0, abi::estore_options_set_buffer(handle, usize::from(len), u64::from(ns)))
                }
                Setting::NoIndex(value) => {
                    ("estore_options_set_no_index", flag(value), abi::estore_options_set_no_index(handle, i32::from(value)))
                }
                // By the same kind of call, so that older inputs keep their meaning.
                Setting::Background(value @ 64..) => {
                    let (value, detail) = (i32::from(value) - 64, null_mut());
                    ("estore_options_set_compression", value < 2, abi::estore_options_set_compression(handle, value, detail))
                }
                Setting::Background(value @ 2..) => {
                    let value = i32::from(value) - 2;
                    ("estore_options_set_compaction", value < 2, abi::estore_options_set_compaction(handle, value))
                }
                // Limits that nothing comes to, or none.
                Setting::Background(value @ ..-1) => {
                    let limit = if value % 4 == 0 { 0 } else { u64::MAX - u64::from(value.unsigned_abs()) };
                    if value % 2 == 0 {
                        ("estore_options_set_max_age_ns", true, abi::estore_options_set_max_age_ns(handle, limit))
                    } else {
                        ("estore_options_set_max_bytes", true, abi::estore_options_set_max_bytes(handle, limit))
                    }
                }
                Setting::Background(value) => {
                    ("estore_options_set_background", flag(value), abi::estore_options_set_background(handle, i32::from(value)))
                }
                Setting::Log(on) => {
                    let function: abi::LogFn = if on { Some(log) } else { None };
                    ("estore_options_set_log", true, abi::estore_options_set_log(handle, function, WILD as Handle))
                }
            }
        };
        self.must_be_listed(name, status);
        let Some(Held { what: What::Options(options), .. }) = &mut self.slots[slot.place()] else {
            return self.must_be_invalid(status, name);
        };
        assert_eq!(status == 0, valid, "{name}: {status} for {setting:?}");
        if status == 0 {
            match setting {
                Setting::Mode(mode) => options.mode = i32::from(mode),
                Setting::Durability(level, _) => options.buffered = level == buffered,
                Setting::FileSize(code) => options.file_size = Some(size(code)),
                Setting::Grace(code) => options.grace = Some(grace(code)),
                Setting::MaxEventLen(len) => options.max_event_len = usize::from(len) << 15,
                Setting::MaxNewChunks(n) => options.max_new_chunks = usize::from(n),
                Setting::Background(value @ ..-1) if value % 2 == 0 => options.limited.0 = value % 4 != 0,
                Setting::Background(..-1) => options.limited.1 = true,
                _ => {}
            }
        }
    }

    /// Ends a handle by `close`, which is given its variable; `is_one`: it is of the right kind.
    fn end(&mut self, slot: Slot, odd: Odd, is_one: bool, close: impl FnOnce(&mut Runner, *mut Handle) -> Status) {
        let before = self.handle(slot);
        let mut variable = before;
        let status = close(self, if odd.no_output() { null_mut() } else { &raw mut variable });
        if odd.no_output() {
            return self.must_be_invalid(status, "closing no variable");
        }
        if before.is_null() || is_one {
            assert_eq!(status, 0, "closing");
            assert!(variable.is_null(), "a closed handle is still there");
            self.slots[slot.place()] = None;
        } else {
            self.must_be_invalid(status, "closing a handle of another kind");
            assert_eq!(variable, before, "a handle of another kind is gone");
        }
    }

    fn options_free(&mut self, slot: Slot, odd: Odd) {
        let is_one = matches!(&self.slots[slot.place()], Some(Held { what: What::Options(_), .. }));
        self.end(slot, odd, is_one, |runner, variable| {
            // SAFETY: NULL, or a variable that holds NULL or a live handle.
            let status = unsafe { abi::estore_options_free(variable) };
            runner.must_be_listed("estore_options_free", status);
            status
        });
    }

    // Stores.

    /// A path by its number, and which place it leads to.
    fn path(&mut self, number: u8) -> (Vec<u8>, Option<usize>) {
        let folder = self.folder.as_os_str().as_encoded_bytes();
        let under = |name: &[u8]| [folder, b"/", name].concat();
        let place = usize::from(number) % 3;
        let name = [b'a' + place as u8];
        match number {
            0..160 => (under(&name), Some(place)),
            // The same place by another way.
            160..190 => (under(&[b"./", &name[..], b"/"].concat()), Some(place)),
            190..200 => (Vec::new(), None),
            200..210 => (under(b"with\0nul"), None),
            210..225 => (under(b"file"), None),
            225..240 => {
                self.odd_path = true;
                (under(b"no/such/folder"), None)
            }
            _ => {
                self.odd_path = true;
                (under(&[b'x'; 300]), None)
            }
        }
    }

    /// The options of a slot for a call: defaults where it is empty, `None` if it holds something else.
    fn options(&self, slot: Slot) -> Option<Options> {
        match &self.slots[slot.place()] {
            None => Some(Options::default()),
            Some(Held { what: What::Options(options), .. }) => Some(*options),
            Some(_) => None,
        }
    }

    fn open_store(&mut self, into: Slot, path: u8, options_slot: Slot, efile: bool, odd: Odd) {
        if !self.is_free(into) || into.place() == options_slot.place() {
            return;
        }
        let (path, place) = self.path(path);
        let options = self.options(options_slot);
        let mut handle = UNTOUCHED_HANDLE;
        let out = if odd.no_output() { null_mut() } else { &raw mut handle };
        let (start, len) = argument(&path, odd);
        let status = either!(self, odd, efile, estore_open | efile_open, (start, len, self.handle(options_slot), out));
        assert_eq!(handle.is_null(), status != 0, "opening answered {status}");
        let permitted = match (options, place) {
            (Some(options), Some(place)) if !odd.no_output() && !odd.no_input() && !odd.endless() => {
                self.may_open(options, place, efile).then_some((options, place))
            }
            _ => None,
        };
        let Some((options, place)) = permitted else {
            return assert!(status < 0, "opening worked that ought not to: {options:?}, {efile}, {place:?}");
        };
        assert_eq!(status, 0, "opening ought to work: {options:?}");
        let read_only = self.header.number("ESTORE_MODE_READ_ONLY") as i32;
        let world = *self.places[place].get_or_insert_with(|| {
            self.worlds.push(World {
                efile,
                file_size: if efile { 0 } else { options.file_size.unwrap_or(estore::DEFAULT_FILE_SIZE_NS) },
                grace: options.grace.unwrap_or(estore::DEFAULT_GRACE_NS),
                events: Vec::new(),
                horizon: 0,
                written_to: false,
                buffered: false,
                disturbed: 0,
                destroyed: 0,
                last_seq: 0,
            });
            self.worlds.len() - 1
        });
        let model = &mut self.worlds[world];
        let reads = options.mode == read_only;
        model.written_to |= !reads;
        let snapshot = reads.then(|| model.live());
        let open = Open { world, snapshot, exact: !model.buffered, options, since: (model.disturbed, model.destroyed) };
        self.hold(into, handle, What::Open(efile, open));
    }

    fn may_open(&self, options: Options, place: usize, efile: bool) -> bool {
        let mode = |name: &str| self.header.number(name) as i32 == options.mode;
        if efile && (options.file_size.is_some() || options.limited != (false, false)) {
            return false;
        }
        let Some(world) = self.places[place].map(|world| &self.worlds[world]) else {
            return mode("ESTORE_MODE_CREATE_IF_MISSING") || mode("ESTORE_MODE_CREATE_NEW");
        };
        let settings_fit = options.file_size.is_none_or(|size| size == world.file_size) && options.grace.is_none_or(|g| g == world.grace);
        world.efile == efile && settings_fit && !mode("ESTORE_MODE_CREATE_NEW") && (mode("ESTORE_MODE_READ_ONLY") || !world.written_to)
    }

    fn destroy(&mut self, path: u8, options_slot: Slot, efile: bool, odd: Odd) {
        let (path, place) = self.path(path);
        let options = self.options(options_slot);
        let (start, len) = argument(&path, odd);
        let status = either!(self, odd, efile, estore_destroy | efile_destroy, (start, len, self.handle(options_slot)));
        let world = place.and_then(|place| self.places[place]).filter(|_| options.is_some() && !odd.no_input() && !odd.endless());
        let permitted = world.filter(|&world| self.worlds[world].efile == efile && !self.worlds[world].written_to);
        assert_eq!(status == 0, permitted.is_some(), "destroying answered {status}");
        if let (Some(world), Some(place)) = (permitted, place) {
            self.worlds[world].destroyed += 1;
            self.places[place] = None;
        }
    }

    fn append(&mut self, on: Slot, efile: bool, absent: bool, events: &[NewEvent], odd: Odd) {
        let events = &events[..events.len().min(8)];
        let batch: Vec<Event> = events
            .iter()
            .map(|event| {
                let Kept { time, id, from, len } = event.kept();
                let data = match len {
                    0 => WILD as *const u8,
                    _ if event.odd.no_input() => null(),
                    _ => data()[from..from + len].as_ptr(),
                };
                Event { time, seq: UNTOUCHED, data, len: len as u32, id }
            })
            .collect();
        let n = if odd.endless() { usize::MAX } else { batch.len() };
        let start = if odd.no_input() { null() } else { batch.as_ptr() };
        let mut outputs = [UNTOUCHED; 4];
        let [last_seq, stored, present, expired] =
            outputs.each_mut().map(|output| if odd.no_output() { null_mut() } else { &raw mut *output });
        let is_one = self.target(on, efile);
        let handle = self.handle(on);
        let status = if absent {
            either!(self, odd, efile, estore_append_absent | efile_append_absent, (handle, start, n, last_seq, stored, present, expired))
        } else {
            either!(self, odd, efile, estore_append | efile_append, (handle, start, n, last_seq))
        };
        let [last_seq, stored, present, expired] = outputs;
        if status != 0 {
            assert_eq!(outputs, [UNTOUCHED; 4], "outputs of a failed append");
        }
        if !is_one {
            return self.must_be_invalid(status, "appending to no store");
        }
        let Some(open) = self.open(on, efile) else { return };
        let (options, read_only, world) = (open.options, open.snapshot.is_some(), open.world);
        let world = &mut self.worlds[world];
        let null_data = batch.iter().any(|event| event.data.is_null());
        let too_large = batch.iter().any(|event| event.len as usize > options.max_event_len);
        let chunks = |world: &World| match world.file_size {
            0 => 1,
            size => {
                let mut numbers: Vec<u64> = batch.iter().map(|event| event.time / size).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers.len()
            }
        };
        let few_chunks = chunks(world) <= options.max_new_chunks;
        let wrong = read_only || null_data || too_large || odd.endless() || odd.no_input() && n > 0;
        assert!(!(wrong && status == 0), "an append worked that ought not to");
        assert!(wrong || !few_chunks || status == 0, "an append that ought to work answered {status}");
        if status != 0 {
            return;
        }
        let mut answer = [0_u64; 3];
        for kept in events.iter().map(|event| event.kept()) {
            if kept.time < world.horizon {
                answer[2] += 1;
            } else if absent && world.events.contains(&kept) {
                answer[1] += 1;
            } else {
                answer[0] += 1;
                world.events.push(kept);
            }
        }
        world.buffered |= options.buffered && answer[0] > 0;
        if !odd.no_output() {
            assert!(last_seq >= world.last_seq + answer[0], "seqs: {last_seq} after {} and {} events", world.last_seq, answer[0]);
            world.last_seq = last_seq;
            assert!(
                !absent || [stored, present, expired] == answer,
                "stored, present, expired: {:?}, not {answer:?}",
                [stored, present, expired]
            );
        }
    }

    fn sync(&mut self, on: Slot, efile: bool, odd: Odd) {
        let mut seq = UNTOUCHED;
        let out = if odd.no_output() { null_mut() } else { &raw mut seq };
        let is_one = self.target(on, efile);
        let status = either!(self, odd, efile, estore_sync | efile_sync, (self.handle(on), out));
        assert_eq!(seq == UNTOUCHED, status != 0 || odd.no_output());
        if !is_one {
            return self.must_be_invalid(status, "syncing no store");
        }
        let writes = self.open(on, efile).is_some_and(|open| open.snapshot.is_none());
        assert_eq!(status == 0, writes, "syncing answered {status}");
        if let Some(world) = self.world_of(on, efile).filter(|_| writes) {
            world.buffered = false;
            assert!(seq >= world.last_seq, "synced up to {seq} of {}", world.last_seq);
        }
    }

    fn seqs(&mut self, on: Slot, efile: bool, odd: Odd) {
        let is_one = self.target(on, efile);
        let mut seqs = [UNTOUCHED; 2];
        for (durable, seq) in [false, true].into_iter().zip(&mut seqs) {
            let out = if odd.no_output() { null_mut() } else { &raw mut *seq };
            let status = if durable {
                either!(self, odd, efile, estore_durable_seq | efile_durable_seq, (self.handle(on), out))
            } else {
                either!(self, odd, efile, estore_last_seq | efile_last_seq, (self.handle(on), out))
            };
            assert_eq!(status == 0, is_one && !odd.no_output(), "a seq: {status}");
            assert_eq!(*seq == UNTOUCHED, status != 0);
        }
        assert!(seqs[1] <= seqs[0], "more is durable than there is: {seqs:?}");
    }

    /// What a read of this range shows, in order.
    fn expected(&self, on: Slot, efile: bool, range: (u64, u64)) -> Option<(Vec<Kept>, bool)> {
        let (mut events, exact) = self.shown(self.open(on, efile)?);
        events.retain(|event| (range.0..=range.1).contains(&event.time));
        events.sort_by_key(|event| event.time);
        Some((events, exact))
    }

    /// A read of a writer's store hands its buffer to the system.
    fn note_read(&mut self, on: Slot, efile: bool) {
        if self.open(on, efile).is_some_and(|open| open.snapshot.is_none())
            && let Some(world) = self.world_of(on, efile)
        {
            world.buffered = false;
        }
    }

    fn count(&mut self, on: Slot, efile: bool, start: u64, end: u64, odd: Odd) {
        let mut count = UNTOUCHED;
        let out = if odd.no_output() { null_mut() } else { &raw mut count };
        let is_one = self.target(on, efile);
        let status = either!(self, odd, efile, estore_count | efile_count, (self.handle(on), start, end, out));
        assert_eq!(count == UNTOUCHED, status != 0);
        if !is_one {
            return self.must_be_invalid(status, "counting in no store");
        }
        let Some((events, exact)) = self.expected(on, efile, (start, end)) else { return };
        assert!(self.shaky || (status == 0) == (start <= end && !odd.no_output()), "counting answered {status}");
        if status == 0 && exact && !self.shaky {
            assert_eq!(count, events.len() as u64, "events from {start} to {end}");
        }
        self.note_read(on, efile);
    }

    fn stats(&mut self, on: Slot, efile: bool, capacity: usize, odd: Odd) {
        let mut values = [UNTOUCHED; 256];
        let mut n = UNTOUCHED as usize;
        let out = if odd.no_output() { null_mut() } else { &raw mut n };
        let start = if odd.no_input() { null_mut() } else { values.as_mut_ptr() };
        let len = if odd.endless() { usize::MAX } else { capacity };
        let is_one = self.target(on, efile);
        let status = either!(self, odd, efile, estore_stats | efile_stats, (self.handle(on), start, len, out));
        if status != 0 {
            assert!(n == UNTOUCHED as usize && values.iter().all(|&value| value == UNTOUCHED), "numbers of a call that failed");
        }
        if !is_one {
            return self.must_be_invalid(status, "numbers of no store");
        }
        let wrong = odd.no_output() || odd.endless() || odd.no_input() && capacity > 0;
        assert!(self.shaky || (status == 0) != wrong, "numbers: {status}");
        if status == 0 && !odd.no_input() {
            assert!(values[n.min(capacity)..].iter().all(|&value| value == UNTOUCHED), "numbers beyond {n} of {capacity}");
            let Some((events, exact)) = self.expected(on, efile, (0, u64::MAX)) else { return };
            let place = |name: &str| usize::try_from(self.header.number(name)).expect("a small number");
            let at = |name: &str| values.get(place(name)).copied().filter(|_| place(name) < capacity);
            if exact && !self.shaky {
                assert!(at("ESTORE_STAT_EVENTS").is_none_or(|number| number == events.len() as u64));
                let oldest = events.first().map_or(u64::MAX, |event| event.time);
                let newest = events.last().map_or(0, |event| event.time);
                assert!(at("ESTORE_STAT_OLDEST").is_none_or(|number| number == oldest));
                assert!(at("ESTORE_STAT_NEWEST").is_none_or(|number| number == newest));
            }
        }
        self.note_read(on, efile);
    }

    fn verify(&mut self, on: Slot, efile: bool, callback: u8, odd: Odd) {
        let mut outputs = [UNTOUCHED; 2];
        let [events, damaged] = outputs.each_mut().map(|output| if odd.no_output() { null_mut() } else { &raw mut *output });
        let is_one = self.target(on, efile);
        let function: abi::FindingFn = if callback & 1 == 0 || self.shaky { None } else { Some(finding) };
        let handle = self.handle(on);
        let status = either!(self, odd, efile, estore_verify | efile_verify, (handle, function, handle, events, damaged));
        assert_eq!(status == 0, is_one, "verifying answered {status}");
        assert_eq!(outputs == [UNTOUCHED; 2], status != 0 || odd.no_output());
        if status == 0 && !odd.no_output() && !self.shaky {
            assert_eq!(outputs[1], 0, "damage in a store that nobody has damaged");
        }
    }

    fn compact(&mut self, on: Slot, efile: bool, callback: u8, odd: Odd) {
        let mut outputs = [UNTOUCHED; 2];
        let [before, after] = outputs.each_mut().map(|output| if odd.no_output() { null_mut() } else { &raw mut *output });
        let is_one = self.target(on, efile);
        let function: abi::ProgressFn = if callback & 1 == 0 { None } else { Some(progress) };
        let (start, end) = if callback & 4 == 0 { (0, u64::MAX) } else { (u64::from(callback & 24), 16) };
        let handle = self.handle(on);
        let stop = if callback & 2 == 0 { null_mut() } else { handle };
        let status = either!(self, odd, efile, estore_compact | efile_compact, (handle, start, end, function, stop, before, after));
        if !is_one {
            return self.must_be_invalid(status, "compacting no store");
        }
        let writes = self.open(on, efile).is_some_and(|open| open.snapshot.is_none());
        assert!(self.shaky || (status == 0) == (writes && start <= end), "compacting answered {status}");
        assert_eq!(outputs == [UNTOUCHED; 2], status != 0 || odd.no_output());
        if status == 0 {
            self.note_read(on, efile);
        }
    }

    /// Into one of two folders, which other stores may have had before.
    fn snapshot(&mut self, on: Slot, efile: bool, callback: u8, odd: Odd) {
        let mut outputs = [UNTOUCHED; 4];
        let mut stopped = -1;
        let [seq, copied, linked, damaged] = outputs.each_mut().map(|output| if odd.no_output() { null_mut() } else { &raw mut *output });
        let name: &[u8] = if callback & 4 == 0 { b"/copy" } else { b"/other copy" };
        let path = [self.folder.as_os_str().as_encoded_bytes(), name].concat();
        let (start, len) = argument(&path, odd);
        let is_one = self.target(on, efile);
        let function: abi::ProgressFn = if callback & 1 == 0 { None } else { Some(progress) };
        let handle = self.handle(on);
        let stop = if callback & 2 == 0 { null_mut() } else { handle };
        let out = &raw mut stopped;
        let status = either!(
            self,
            odd,
            efile,
            estore_snapshot | efile_snapshot,
            (handle, start, len, function, stop, seq, copied, linked, damaged, out)
        );
        assert_eq!(stopped == -1, status != 0);
        assert_eq!(outputs == [UNTOUCHED; 4], status != 0 || odd.no_output());
        if !is_one || odd.no_input() || odd.endless() {
            return self.must_be_invalid(status, "a snapshot of no store, or into no folder");
        }
        let refused = status == self.status("ESTORE_ERR_EXISTS");
        assert!(self.shaky || status == 0 || refused, "a snapshot answered {status}");
        if status != 0 {
            return;
        }
        self.note_read(on, efile);
        let Some((events, true)) = self.expected(on, efile, (0, u64::MAX)) else { return };
        if stopped == 1 || self.shaky {
            return;
        }
        let mode = self.header.number("ESTORE_MODE_READ_ONLY");
        let (mut copy, mut count) = (null_mut(), UNTOUCHED);
        // SAFETY: the arguments are as the header asks.
        unsafe {
            let mut options = abi::estore_options_new();
            assert_eq!(abi::estore_options_set_mode(options, mode as _), 0);
            if efile {
                assert_eq!(abi::efile_open(path.as_ptr().cast(), path.len(), options, &raw mut copy, null_mut()), 0);
                assert_eq!(abi::efile_count(copy, 0, u64::MAX, &raw mut count, null_mut()), 0);
                assert_eq!(abi::efile_close(&raw mut copy, null_mut()), 0);
            } else {
                assert_eq!(abi::estore_open(path.as_ptr().cast(), path.len(), options, &raw mut copy, null_mut()), 0);
                assert_eq!(abi::estore_count(copy, 0, u64::MAX, &raw mut count, null_mut()), 0);
                assert_eq!(abi::estore_close(&raw mut copy, null_mut()), 0);
            }
            assert_eq!(abi::estore_options_free(&raw mut options), 0);
        }
        assert_eq!(count, events.len() as u64, "events in the snapshot");
    }

    fn splits(&mut self, on: Slot, start: u64, end: u64, capacity: usize, odd: Odd) {
        let mut bounds = [UNTOUCHED; 32];
        let mut pieces = UNTOUCHED;
        let out = if odd.no_output() { null_mut() } else { &raw mut pieces };
        let array = if odd.no_input() { null_mut() } else { bounds.as_mut_ptr() };
        let len = if odd.endless() { usize::MAX } else { capacity };
        let is_one = self.target(on, false);
        let status = call!(self, odd, estore_splits(self.handle(on), start, end, array, len, out));
        if status != 0 {
            assert!(pieces == UNTOUCHED && bounds.iter().all(|&bound| bound == UNTOUCHED), "pieces of a call that failed");
        }
        if !is_one {
            return self.must_be_invalid(status, "splits of no store");
        }
        let wrong = odd.no_output() || odd.endless() || odd.no_input() && capacity > 0 || start > end;
        assert_eq!(status == 0, !wrong, "splits: {status}");
        if status == 0 && !odd.no_input() {
            let there = capacity.min(usize::try_from(pieces).unwrap_or(usize::MAX));
            assert!(bounds[2 * there..].iter().all(|&bound| bound == UNTOUCHED), "pieces beyond {there}");
            let mut next = Some(start);
            for piece in bounds[..2 * there].chunks(2) {
                assert!(Some(piece[0]) == next && piece[0] <= piece[1] && piece[1] <= end, "pieces that don't fit together: {piece:?}");
                next = piece[1].checked_add(1);
            }
            assert!(there < pieces as usize || there == 0 || next == end.checked_add(1), "pieces that end early");
        }
    }

    fn delete_before(&mut self, on: Slot, time: u64, odd: Odd) {
        let is_one = self.target(on, false);
        let status = call!(self, odd, estore_delete_before(self.handle(on), time));
        if !is_one {
            return self.must_be_invalid(status, "deleting in no store");
        }
        let writes = self.open(on, false).is_some_and(|open| open.snapshot.is_none());
        assert_eq!(status == 0, writes, "deleting answered {status}");
        if let Some(world) = self.world_of(on, false).filter(|world| writes && time > world.horizon) {
            world.horizon = time;
            world.disturbed += 1;
        }
    }

    fn retain(&mut self, on: Slot, max_age: u64, max_bytes: u64, how: u8, odd: Odd) {
        let dry_run = match how & 12 {
            0 => 0,
            12 => 2 + i32::from(how & 1),
            _ => 1,
        };
        let max_bytes = if how & 1 == 0 { 0 } else { max_bytes };
        let is_one = self.target(on, false);
        let handle = self.handle(on);
        let mut outputs = [UNTOUCHED; 4];
        let [horizon, chunks, events, bytes] = outputs.each_mut().map(|output| &raw mut *output);
        let chunks = if odd.no_output() { null_mut() } else { chunks };
        let status = call!(self, odd, estore_retain(handle, max_age, max_bytes, dry_run, horizon, chunks, events, bytes));
        if status != 0 {
            assert_eq!(outputs, [UNTOUCHED; 4], "numbers of a call that failed");
        }
        if !is_one {
            return self.must_be_invalid(status, "retention in no store");
        }
        let writes = self.open(on, false).is_some_and(|open| open.snapshot.is_none());
        assert!(self.shaky || (status == 0) == (writes && dry_run < 2), "retention answered {status}");
        if status != 0 {
            return;
        }
        self.note_read(on, false);
        let [horizon, chunks, events, bytes] = outputs;
        assert_eq!(chunks == UNTOUCHED, odd.no_output());
        if let Some(world) = self.world_of(on, false) {
            let gone = world.live().iter().filter(|event| event.time < horizon).count() as u64;
            assert!(horizon >= world.horizon && events == gone, "{events} events before {horizon} are gone, not {gone}");
            assert!((horizon > world.horizon) == (bytes > 0), "{bytes} bytes, horizon {horizon} after {}", world.horizon);
            if dry_run == 0 && horizon > world.horizon {
                world.horizon = horizon;
                world.disturbed += 1;
            }
        }
    }

    fn close(&mut self, on: Slot, efile: bool, odd: Odd) {
        let is_one = self.target(on, efile);
        let writer = self.open(on, efile).filter(|open| open.snapshot.is_none()).map(|open| open.world);
        self.end(on, odd, is_one, |runner, variable| either!(runner, odd, efile, estore_close | efile_close, (variable)));
        if let Some(world) = writer.filter(|_| self.is_free(on)) {
            self.worlds[world].written_to = false;
            self.worlds[world].buffered = false;
        }
    }

    // Replicas.

    /// A call on two stores of one kind, or that looks so.
    fn replicas(&mut self, on: Slot, other: Slot, how: u8, kind: u8, odd: Odd) {
        let on = self.meant(on, |what| matches!(what, Some(What::Open(..))));
        let efile = matches!(&self.slots[on.place()], Some(Held { what: What::Open(true, _), .. }));
        let other = self.meant(other, |what| matches!(what, Some(What::Open(is_efile, _)) if *is_efile == efile));
        match kind % 8 {
            0 | 1 => self.digest(on, efile, how, odd),
            2 | 3 => self.repair(on, other, efile, how, odd),
            4 | 5 => self.exchange(on, other, efile, how, odd),
            6 => self.export(on, other, efile, how, odd),
            _ => self.nonsense(on, efile, how, odd),
        }
    }

    /// Whether both are stores of this kind whose events are known, and how large those are that `to` may be given.
    fn both_are_known(&mut self, to: Slot, from: Slot, efile: bool) -> bool {
        let is_known = |runner: &mut Runner, slot| {
            let is_one = runner.target(slot, efile);
            is_one && !runner.shaky && runner.expected(slot, efile, (0, u64::MAX)).is_some_and(|(_, exact)| exact)
        };
        is_known(self, to) && is_known(self, from)
    }

    /// Whether a store takes whatever another one has.
    fn takes_all(&self, to: Slot, from: Slot, efile: bool) -> bool {
        let Some((events, _)) = self.expected(from, efile, (0, u64::MAX)) else { return false };
        self.open(to, efile)
            .is_some_and(|open| open.options.max_new_chunks >= 400 && events.iter().all(|event| event.len <= open.options.max_event_len))
    }

    fn writes(&self, slot: Slot, efile: bool) -> bool {
        self.open(slot, efile).is_some_and(|open| open.snapshot.is_none())
    }

    /// What one of two lacks of what the other shows in a range, in order of reading, each once.
    fn lacking(&self, to: Slot, from: Slot, efile: bool, range: (u64, u64)) -> Vec<Kept> {
        let Some((events, _)) = self.expected(from, efile, range) else { return Vec::new() };
        let (there, _) = self.expected(to, efile, (0, u64::MAX)).unwrap_or_default();
        let horizon = self.open(to, efile).map_or(0, |open| self.worlds[open.world].horizon);
        let mut lacking: Vec<Kept> = Vec::new();
        for event in events {
            if event.time >= horizon && !there.contains(&event) && !lacking.contains(&event) {
                lacking.push(event);
            }
        }
        lacking
    }

    /// The events came to a store.
    fn adopt(&mut self, to: Slot, efile: bool, events: Vec<Kept>) {
        self.note_read(to, efile);
        let Some(buffers) = self.open(to, efile).map(|open| open.options.buffered) else { return };
        if let Some(world) = self.world_of(to, efile) {
            world.buffered |= buffers && !events.is_empty();
            world.events.extend(events);
        }
    }

    fn digest(&mut self, on: Slot, efile: bool, how: u8, odd: Odd) {
        let (start, end) = (u64::from(how >> 5) * 300, if how & 16 == 0 { 2300 } else { u64::MAX });
        let width = [0, 1, 100, 250, 10_000, u64::MAX / 3, u64::MAX][usize::from(how & 15) % 7];
        let mut buckets = [UNTOUCHED; 3 * 24];
        let (mut n, mut horizon) = (UNTOUCHED as usize, UNTOUCHED);
        let out = if odd.no_output() { null_mut() } else { &raw mut n };
        let array = if odd.no_input() { null_mut() } else { buckets.as_mut_ptr() };
        let capacity = if odd.endless() { usize::MAX } else { 24 };
        let is_one = self.target(on, efile);
        let handle = self.handle(on);
        let status =
            either!(self, odd, efile, estore_digest | efile_digest, (handle, start, end, width, array, capacity, out, &raw mut horizon));
        assert_eq!(horizon == UNTOUCHED, status != 0);
        assert_eq!(n == UNTOUCHED as usize, status != 0 || odd.no_output());
        if !is_one {
            return self.must_be_invalid(status, "a digest of no store");
        }
        let count = (end - start).checked_div(width).map_or(u64::MAX, |last| last.saturating_add(1));
        let wrong = count > 24 || odd.no_input() || odd.endless();
        assert!(self.shaky || (status == 0) != wrong, "a digest answered {status}");
        if status != 0 {
            return assert!(buckets.iter().all(|&number| number == UNTOUCHED), "numbers of a digest that failed");
        }
        let Some((mut events, exact)) = self.expected(on, efile, (start, end)) else { return };
        if exact && !self.shaky {
            events.sort_unstable();
            events.dedup();
            for (place, bucket) in (0..count).zip(buckets.chunks(3)) {
                let here = events.iter().filter(|event| (event.time - start) / width == place).count() as u64;
                assert_eq!(bucket[0], here, "events in bucket {place} of {count}");
                assert_eq!(bucket[1..] == [0, 0], here == 0);
            }
        }
        let mut ranges = UNTOUCHED as usize;
        let numbers = buckets.as_ptr();
        let len = count as usize;
        let status =
            call!(self, odd, estore_digest_differences(start, end, width, numbers, 0, numbers, 0, len, null_mut(), 0, &raw mut ranges));
        assert!(status == 0 && ranges == 0, "a digest differs from itself: {status}, {ranges}");
        self.note_read(on, efile);
    }

    /// The flags and the range of a repair.
    fn repairing(how: u8) -> (u32, (u64, u64)) {
        let range = if how & 24 == 24 { (u64::from(how >> 5) * 300, 1500) } else { (0, u64::MAX) };
        (if how & 7 < 6 { u32::from(how & 1) } else { u32::from(how & 7) }, range)
    }

    fn repair(&mut self, to: Slot, from: Slot, efile: bool, how: u8, odd: Odd) {
        let known = self.both_are_known(to, from, efile);
        let (flags, range) = Runner::repairing(how);
        let both_ways = flags == 1;
        if known && !(self.takes_all(to, from, efile) && (!both_ways || self.takes_all(from, to, efile))) {
            return;
        }
        let are_two = self.target(to, efile) && self.target(from, efile);
        if are_two && !known {
            // Nobody could say what is in them then.
            return;
        }
        let mut lacking = (self.lacking(to, from, efile, range), self.lacking(from, to, efile, range));
        // Those of one time by id and data.
        lacking.0.sort_by_key(|event| (event.time, event.id, &data()[event.from..event.from + event.len]));
        lacking.1.sort_by_key(|event| (event.time, event.id, &data()[event.from..event.from + event.len]));
        let mut values = [UNTOUCHED; 11];
        let array = if odd.no_input() { null_mut() } else { values.as_mut_ptr() };
        let capacity = if odd.endless() { usize::MAX } else { 11 };
        let mut n = UNTOUCHED as usize;
        let out = if odd.no_output() { null_mut() } else { &raw mut n };
        let (one, other) = (self.handle(to), self.handle(from));
        let (on_gap, on_progress): (abi::GapFn, abi::ProgressFn) = (Some(gap), Some(progress));
        let status = either!(
            self,
            odd,
            efile,
            estore_repair | efile_repair,
            (one, other, range.0, range.1, flags, on_gap, on_progress, null_mut(), array, capacity, out)
        );
        if !are_two {
            return self.must_be_invalid(status, "a repair of no stores");
        }
        let may = self.writes(to, efile) && (!both_ways || self.writes(from, efile));
        let wrong = odd.no_input() || odd.endless() || flags > 1 || range.0 > range.1;
        assert_eq!(status == 0, may && !wrong, "a repair answered {status}");
        assert_eq!(n == UNTOUCHED as usize, status != 0 || odd.no_output());
        if status != 0 {
            return assert_eq!(values, [UNTOUCHED; 11], "numbers of a repair that failed");
        }
        let same = self.open(to, efile).map(|open| open.world) == self.open(from, efile).map(|open| open.world);
        let at = |name: &str| values[self.header.number(name) as usize];
        assert_eq!(at("ESTORE_REPAIRED_TO_COPIED"), if same { 0 } else { lacking.0.len() as u64 });
        assert_eq!(at("ESTORE_REPAIRED_FROM_COPIED"), if same || !both_ways { 0 } else { lacking.1.len() as u64 });
        assert_eq!(at("ESTORE_REPAIRED_GAPS") + at("ESTORE_REPAIRED_OWN_GAPS") + at("ESTORE_REPAIRED_STOPPED"), 0);
        self.note_read(from, efile);
        if !same {
            self.adopt(to, efile, lacking.0);
            if both_ways {
                self.adopt(from, efile, lacking.1);
            }
        }
    }

    /// Takes the bytes out of what the library gave for the caller to carry, and frees it.
    fn carried(&mut self, mut bytes: Handle) -> Vec<u8> {
        let (mut start, mut len) = (null(), 0);
        let status = call!(self, Odd(0), estore_bytes_view(bytes, &raw mut start, &raw mut len));
        assert!(status == 0 && len > 0, "bytes can't be looked at: {status}");
        // SAFETY: a view of as many bytes as it says.
        let copy = unsafe { std::slice::from_raw_parts(start, len) }.to_vec();
        // SAFETY: a variable with a live handle.
        let status = unsafe { abi::estore_bytes_free(&raw mut bytes) };
        assert!(status == 0 && bytes.is_null());
        copy
    }

    /// Carries the messages of an exchange until all is done.
    fn carry(&mut self, exchange: Handle, from: Slot, efile: bool, odd: Odd) {
        for _ in 0..100 {
            let mut message = null_mut();
            let asked = call!(self, odd, estore_exchange_request(exchange, &raw mut message));
            assert_eq!(message.is_null(), asked != 0);
            if asked != 0 {
                assert_eq!(asked, self.status("ESTORE_END"));
                return;
            }
            let request = self.carried(message);
            let mut reply = null_mut();
            let handle = self.handle(from);
            let answered =
                either!(self, odd, efile, estore_answer | efile_answer, (handle, request.as_ptr(), request.len(), &raw mut reply));
            assert_eq!(answered, 0, "answering");
            let reply = self.carried(reply);
            self.shaky = true;
            let cut = call!(self, odd, estore_exchange_reply(exchange, reply.as_ptr(), reply.len() - 1));
            self.shaky = false;
            assert_eq!(cut, self.status("ESTORE_ERR_CORRUPT"));
            assert_eq!(call!(self, odd, estore_exchange_reply(exchange, reply.as_ptr(), reply.len())), 0);
        }
        panic!("an exchange without an end");
    }

    fn exchange(&mut self, to: Slot, from: Slot, efile: bool, how: u8, odd: Odd) {
        let (flags, range) = Runner::repairing(how);
        let both_ways = flags == 1;
        let known = self.both_are_known(to, from, efile);
        let may = known
            && self.writes(to, efile)
            && self.takes_all(to, from, efile)
            && (!both_ways || self.writes(from, efile) && self.takes_all(from, to, efile));
        let is_one = self.target(to, efile);
        let mut exchange = null_mut();
        let out = if odd.no_output() { null_mut() } else { &raw mut exchange };
        let handle = self.handle(to);
        let status = either!(self, odd, efile, estore_exchange_begin | efile_exchange_begin, (handle, range.0, range.1, flags, out));
        assert_eq!(exchange.is_null(), status != 0);
        if !is_one {
            return self.must_be_invalid(status, "an exchange of no store");
        }
        let wrong = odd.no_output() || flags > 1 || range.0 > range.1 || !self.writes(to, efile);
        assert!(self.shaky || (status == 0) != wrong, "beginning an exchange answered {status}");
        self.note_read(to, efile);
        let same = self.open(to, efile).map(|open| open.world) == self.open(from, efile).map(|open| open.world);
        let lacking = (self.lacking(to, from, efile, range), self.lacking(from, to, efile, range));
        if status == 0 && may && !same {
            self.carry(exchange, from, efile, odd);
            let mut values = [UNTOUCHED; 11];
            let told = call!(self, odd, estore_exchange_repaired(exchange, Some(gap), null_mut(), values.as_mut_ptr(), 11, null_mut()));
            let at = |name: &str| values[self.header.number(name) as usize];
            assert_eq!((told, at("ESTORE_REPAIRED_TO_COPIED")), (0, lacking.0.len() as u64));
            assert_eq!(at("ESTORE_REPAIRED_FROM_COPIED"), if both_ways { lacking.1.len() as u64 } else { 0 });
            self.note_read(from, efile);
            self.adopt(to, efile, lacking.0);
            if both_ways {
                self.adopt(from, efile, lacking.1);
            }
        }
        assert_eq!(call!(self, odd, estore_exchange_close(&raw mut exchange)), 0);
        assert!(exchange.is_null());
    }

    /// Parcels from one to another.
    fn export(&mut self, from: Slot, to: Slot, efile: bool, how: u8, odd: Odd) {
        let known = self.both_are_known(to, from, efile);
        let may = known && self.writes(to, efile) && self.takes_all(to, from, efile);
        let is_one = self.target(from, efile);
        let mut export = null_mut();
        let out = if odd.no_output() { null_mut() } else { &raw mut export };
        let handle = self.handle(from);
        let status = either!(self, odd, efile, estore_export_begin | efile_export_begin, (handle, 0, u64::MAX, 0, 0, out));
        assert_eq!(export.is_null(), status != 0);
        if !is_one {
            return self.must_be_invalid(status, "an export of no store");
        }
        assert!(self.shaky || (status == 0) != odd.no_output(), "beginning an export answered {status}");
        self.note_read(from, efile);
        if status == 0 && may {
            let (lacking, mut sum) = (self.lacking(to, from, efile, (0, u64::MAX)), 0);
            let max_bytes = usize::from(how) * 40;
            loop {
                let mut parcel = null_mut();
                let next = call!(self, odd, estore_export_next(export, max_bytes, &raw mut parcel));
                assert_eq!(parcel.is_null(), next != 0);
                if next != 0 {
                    assert_eq!(next, self.status(if max_bytes == 0 { "ESTORE_ERR_INVALID" } else { "ESTORE_END" }));
                    break;
                }
                let parcel = self.carried(parcel);
                let (handle, len) = (self.handle(to), parcel.len());
                let outputs = [const { null_mut() }; 3];
                let [last_seq, present, expired] = outputs;
                let mut stored = UNTOUCHED;
                let out = &raw mut stored;
                self.shaky = true;
                let cut = either!(
                    self,
                    odd,
                    efile,
                    estore_import | efile_import,
                    (handle, parcel.as_ptr(), len - 1, last_seq, out, present, expired)
                );
                self.shaky = false;
                assert_eq!((cut, stored), (self.status("ESTORE_ERR_CORRUPT"), UNTOUCHED));
                let whole = either!(
                    self,
                    odd,
                    efile,
                    estore_import | efile_import,
                    (handle, parcel.as_ptr(), len, last_seq, out, present, expired)
                );
                assert_eq!(whole, 0, "importing");
                sum += stored;
            }
            let (mut seq, mut gaps) = (UNTOUCHED, UNTOUCHED as usize);
            assert_eq!(call!(self, odd, estore_export_snapshot_seq(export, &raw mut seq)), 0);
            assert_eq!(call!(self, odd, estore_export_gaps(export, Some(gap), null_mut(), &raw mut gaps)), 0);
            assert!(seq != UNTOUCHED && gaps == 0);
            if max_bytes > 0 {
                assert_eq!(sum, lacking.len() as u64, "events that were imported");
                self.adopt(to, efile, lacking);
            }
        }
        assert_eq!(call!(self, odd, estore_export_close(&raw mut export)), 0);
        assert!(export.is_null());
    }

    /// Bytes that are no message and no parcel, and handles that are none of those that are asked for.
    fn nonsense(&mut self, on: Slot, efile: bool, how: u8, odd: Odd) {
        let is_one = self.target(on, efile);
        // Nothing on disk: the bytes are damaged.
        self.shaky = true;
        let handle = self.handle(on);
        let (start, len) = (if odd.no_input() { null() } else { data()[usize::from(how)..].as_ptr() }, usize::from(how));
        let len = if odd.endless() { usize::MAX } else { len };
        let mut bytes = null_mut();
        let answered = either!(self, odd, efile, estore_answer | efile_answer, (handle, start, len, &raw mut bytes));
        let nothing = [const { null_mut() }; 4];
        let [last_seq, stored, present, expired] = nothing;
        let imported = either!(self, odd, efile, estore_import | efile_import, (handle, start, len, last_seq, stored, present, expired));
        for status in [answered, imported] {
            let refused = [self.status("ESTORE_ERR_CORRUPT"), self.status("ESTORE_ERR_INVALID"), self.status("ESTORE_ERR_READ_ONLY")];
            assert!(if is_one { refused.contains(&status) } else { status == refused[1] }, "nonsense was answered by {status}");
        }
        assert!(bytes.is_null());
        let (mut variable, mut seq, mut size) = (handle, 0, 0);
        let mut view = null();
        let answers = [
            call!(self, odd, estore_exchange_request(handle, &raw mut bytes)),
            call!(self, odd, estore_exchange_reply(handle, null(), 0)),
            call!(self, odd, estore_exchange_repaired(handle, None, null_mut(), null_mut(), 0, null_mut())),
            call!(self, odd, estore_export_next(handle, 1, &raw mut bytes)),
            call!(self, odd, estore_export_snapshot_seq(handle, &raw mut seq)),
            call!(self, odd, estore_export_gaps(handle, None, null_mut(), &raw mut size)),
            call!(self, odd, estore_bytes_view(handle, &raw mut view, &raw mut size)),
        ];
        answers.into_iter().for_each(|status| self.must_be_invalid(status, "a handle of another kind"));
        if !handle.is_null() {
            let closed =
                [call!(self, odd, estore_exchange_close(&raw mut variable)), call!(self, odd, estore_export_close(&raw mut variable))];
            closed.into_iter().for_each(|status| self.must_be_invalid(status, "closing a handle of another kind"));
            assert_eq!(variable, handle);
        }
    }

    // Iterators.

    #[expect(clippy::too_many_arguments, reason = "as many as the function itself has")]
    fn read(&mut self, on: Slot, efile: bool, into: Slot, range: (u64, u64), flags: u32, limit: u64, odd: Odd) {
        if !self.is_free(into) {
            return;
        }
        // Mostly known flags.
        let flags = if flags < 240 { flags & 7 } else { flags };
        let limit = if limit < 128 { 0 } else { limit - 127 };
        let mut handle = UNTOUCHED_HANDLE;
        let out = if odd.no_output() { null_mut() } else { &raw mut handle };
        let is_one = self.target(on, efile);
        let status = either!(self, odd, efile, estore_read_iter | efile_read_iter, (self.handle(on), range.0, range.1, flags, limit, out));
        assert_eq!(handle.is_null(), status != 0);
        if !is_one {
            return self.must_be_invalid(status, "reading no store");
        }
        let is_set = |name: &str| flags & self.header.number(name) as u32 != 0;
        let (reverse, last) = (is_set("ESTORE_READ_REVERSE"), is_set("ESTORE_READ_LAST"));
        let wrong = range.0 > range.1 || flags > 7 || last && limit == 0 || odd.no_output();
        assert!(self.shaky || (status == 0) != wrong, "reading answered {status}");
        let Some((mut events, exact)) = self.expected(on, efile, range).filter(|_| status == 0) else { return };
        let limit = if limit == 0 { events.len() } else { usize::try_from(limit).unwrap_or(usize::MAX).min(events.len()) };
        if last || reverse {
            events.drain(..events.len() - limit);
        } else {
            events.truncate(limit);
        }
        if reverse {
            events.reverse();
        }
        let Some(open) = self.open(on, efile) else { return };
        let (world, of_writer, since) = (open.world, open.snapshot.is_none(), open.since);
        // A reader of a writer is not disturbed by what was deleted before it was made.
        let since = if of_writer { (self.worlds[world].disturbed, since.1) } else { since };
        self.hold(
            into,
            handle,
            What::Iter(Iter {
                world,
                of_writer,
                rest: events.into_iter(),
                exact,
                reverse,
                last: None,
                since,
                is_tail: false,
                passed: None,
            }),
        );
        self.note_read(on, efile);
    }

    fn tail(&mut self, on: Slot, efile: bool, into: Slot, after: u8, odd: Odd) {
        if !self.is_free(into) {
            return;
        }
        let mut handle = UNTOUCHED_HANDLE;
        let out = if odd.no_output() { null_mut() } else { &raw mut handle };
        let is_one = self.target(on, efile);
        let mut last_seq = 0;
        if is_one {
            either!(self, odd, efile, estore_last_seq | efile_last_seq, (self.handle(on), &raw mut last_seq));
        }
        let after_seq = match after {
            0..150 => 0,
            150..240 => last_seq,
            _ => u64::MAX - u64::from(after),
        };
        let status = either!(self, odd, efile, estore_tail_iter | efile_tail_iter, (self.handle(on), after_seq, out));
        assert_eq!(handle.is_null(), status != 0);
        if !is_one {
            return self.must_be_invalid(status, "a tail of no store");
        }
        assert!(self.shaky || (status == 0) == (after < 240 && !odd.no_output()), "a tail: {status}");
        let Some(open) = self.open(on, efile).filter(|_| status == 0) else { return };
        let (world, of_writer) = (open.world, open.snapshot.is_none());
        let since = (self.worlds[world].disturbed, open.since.1);
        let begun = if after_seq == 0 { 0 } else { self.worlds[world].events.len() };
        let (rest, passed) = (Vec::new().into_iter(), of_writer.then_some(begun));
        let iter = Iter { world, of_writer, rest, exact: false, reverse: false, last: None, since, is_tail: true, passed };
        self.hold(into, handle, What::Iter(iter));
        self.note_read(on, efile);
    }

    /// What else than events a call for some may answer.
    fn gave_none(&mut self, on: Slot, status: Status, doing: &str) {
        let is = |name: &str| self.status(name) == status;
        let Some(Held { what: What::Iter(iter), .. }) = &self.slots[on.place()] else { return };
        if !iter.is_tail {
            assert!(self.shaky || is("ESTORE_END"), "{doing}: {status}");
            return if is("ESTORE_END") {
                self.ended(on)
            };
        }
        let world = &self.worlds[iter.world];
        let is_done = |passed: usize| world.buffered || world.events[passed..].iter().all(|event| event.time < world.horizon);
        let timed_out = is("ESTORE_TIMEOUT") && iter.passed.is_none_or(is_done);
        assert!(self.shaky || timed_out || is("ESTORE_GAP") && world.horizon > 0 || is("ESTORE_ERR_CLOSED"), "{doing}: {status}");
    }

    fn wait(&mut self, on: Slot, odd: Odd) {
        self.shaky = self.iter_is_shaky(on);
        let status = call!(self, odd, estore_iter_wait(self.handle(on), 0));
        if !matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. })) {
            return self.must_be_invalid(status, "waiting on nothing");
        }
        if status != 0 {
            self.gave_none(on, status, "waiting");
        }
    }

    fn fd(&mut self, on: Slot, odd: Odd) {
        const NONE: i32 = -7;
        let mut fd = NONE;
        let out = if odd.no_output() { null_mut() } else { &raw mut fd };
        let status = call!(self, odd, estore_iter_fd(self.handle(on), out));
        assert_eq!(fd == NONE, status != 0);
        let is_tail = matches!(&self.slots[on.place()], Some(Held { what: What::Iter(iter), .. }) if iter.is_tail);
        match is_tail && !odd.no_output() {
            true => assert_eq!(status, 0, "the descriptor of a tail"),
            false => self.must_be_invalid(status, "a descriptor of nothing"),
        }
    }

    fn iter_is_shaky(&self, on: Slot) -> bool {
        match &self.slots[on.place()] {
            Some(Held { what: What::Iter(iter), .. }) => self.is_shaky(iter.world, iter.of_writer, iter.since),
            _ => false,
        }
    }

    /// Checks events that an iterator gave.
    fn given(&mut self, on: Slot, events: &[Event]) {
        let shaky = self.shaky;
        let Some(Held { what: What::Iter(iter), .. }) = &mut self.slots[on.place()] else { return };
        for event in events {
            if let Some(passed) = &mut iter.passed {
                let world = &self.worlds[iter.world];
                // SAFETY: as below.
                let bytes = if event.len == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(event.data, event.len as usize) } };
                let same =
                    |kept: &Kept| (kept.time, kept.id) == (event.time, event.id) && data()[kept.from..kept.from + kept.len] == *bytes;
                let next = world.events[*passed..].iter().position(|kept| same(kept) || kept.time >= world.horizon);
                let next = next.map(|next| *passed + next).filter(|&next| same(&world.events[next]));
                *passed = next.unwrap_or_else(|| panic!("{event:?} of a tail is not the next one")) + 1;
            }
            let key = if iter.is_tail { (0, event.seq) } else { (event.time, event.seq) };
            let in_order = iter.last.is_none_or(|last| if iter.reverse { key < last } else { last < key });
            assert!(in_order && event.seq > 0, "{key:?} after {:?}", iter.last);
            iter.last = Some(key);
            // SAFETY: a view of the iterator's memory, which no call has ended yet.
            let bytes = if event.len == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(event.data, event.len as usize) } };
            if iter.exact && !shaky {
                let wanted = iter.rest.next().expect("no more events than there are");
                let same = (wanted.time, wanted.id) == (event.time, event.id) && data()[wanted.from..wanted.from + wanted.len] == *bytes;
                assert!(same, "{wanted:?} was to come, not {event:?}");
            }
        }
    }

    fn ended(&mut self, on: Slot) {
        let shaky = self.shaky;
        let Some(Held { what: What::Iter(iter), .. }) = &self.slots[on.place()] else { return };
        assert!(shaky || !iter.exact || iter.rest.len() == 0, "{} events did not come", iter.rest.len());
    }

    fn next(&mut self, on: Slot, odd: Odd) {
        const EMPTY: Event = Event { time: UNTOUCHED, seq: UNTOUCHED, data: null(), len: 0, id: 0 };
        let mut event = EMPTY;
        let out = if odd.no_output() { null_mut() } else { &raw mut event };
        self.shaky = self.iter_is_shaky(on);
        let status = call!(self, odd, estore_iter_next(self.handle(on), out));
        if status != 0 {
            assert_eq!(event, EMPTY, "an event of a call that gave none");
        }
        if !matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. })) || odd.no_output() {
            return self.must_be_invalid(status, "the next event of nothing");
        }
        match status {
            0 => self.given(on, &[event]),
            _ => self.gave_none(on, status, "the next event"),
        }
    }

    fn next_batch(&mut self, on: Slot, capacity: usize, odd: Odd) {
        const EMPTY: Event = Event { time: UNTOUCHED, seq: UNTOUCHED, data: null(), len: 0, id: 0 };
        let mut events = [EMPTY; 40];
        let mut n = UNTOUCHED as usize;
        let out = if odd.no_output() { null_mut() } else { &raw mut n };
        let array = if odd.no_input() { null_mut() } else { events.as_mut_ptr() };
        let len = if odd.endless() { usize::MAX } else { capacity };
        self.shaky = self.iter_is_shaky(on);
        let status = call!(self, odd, estore_iter_next_batch(self.handle(on), array, len, out));
        if status != 0 {
            assert!(n == UNTOUCHED as usize && events.iter().all(|event| *event == EMPTY), "events of a call that gave none");
        }
        let wrong = odd.no_output() || odd.no_input() || odd.endless() || capacity == 0;
        if !matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. })) || wrong {
            return self.must_be_invalid(status, "the next events of nothing");
        }
        match status {
            0 => {
                assert!((1..=capacity).contains(&n), "{n} events of {capacity}");
                assert!(events[n..].iter().all(|event| *event == EMPTY), "events beyond the {n} that were given");
                self.given(on, &events[..n]);
            }
            _ => self.gave_none(on, status, "the next events"),
        }
    }

    fn next_columns(&mut self, on: Slot, capacity: usize, room: usize, odd: Odd) {
        let (mut times, mut seqs, mut ids, mut offsets) = ([UNTOUCHED; 40], [UNTOUCHED; 40], [u32::MAX; 40], [UNTOUCHED; 41]);
        let mut bytes = vec![0; room];
        let (mut n, mut data_len) = (UNTOUCHED as usize, UNTOUCHED as usize);
        let out = if odd.no_output() { null_mut() } else { &raw mut n };
        let into = if odd.no_input() { null_mut() } else { bytes.as_mut_ptr() };
        let len = if odd.endless() { usize::MAX } else { capacity };
        self.shaky = self.iter_is_shaky(on);
        let (times_to, seqs_to, ids_to, offsets_to) = (times.as_mut_ptr(), seqs.as_mut_ptr(), ids.as_mut_ptr(), offsets.as_mut_ptr());
        let (handle, lens) = (self.handle(on), &raw mut data_len);
        let status = call!(self, odd, estore_iter_next_columns(handle, times_to, seqs_to, ids_to, offsets_to, len, into, room, out, lens));
        if status != 0 {
            assert!((n, data_len) == (UNTOUCHED as usize, UNTOUCHED as usize), "events of a call that gave none");
        }
        let wrong = odd.no_output() || (odd.no_input() && room > 0) || odd.endless() || capacity == 0;
        if !matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. })) || wrong {
            return self.must_be_invalid(status, "the next columns of nothing");
        }
        match status {
            0 if n == 0 => assert!(data_len > room, "{data_len} bytes have no room in {room}"),
            0 => {
                assert!(n <= capacity && data_len <= room && offsets[n] == data_len as u64, "{n} events with {data_len} bytes");
                assert!(times[n..].iter().chain(&offsets[n + 1..]).all(|number| *number == UNTOUCHED), "columns beyond the {n} events");
                let events = (0..n).map(|i| {
                    let data = &bytes[offsets[i] as usize..offsets[i + 1] as usize];
                    Event { time: times[i], seq: seqs[i], data: data.as_ptr(), len: data.len() as u32, id: ids[i] }
                });
                self.given(on, &events.collect::<Vec<_>>());
            }
            _ => self.gave_none(on, status, "the next columns"),
        }
    }

    fn iter_close(&mut self, on: Slot, odd: Odd) {
        let is_one = matches!(&self.slots[on.place()], Some(Held { what: What::Iter(_), .. }));
        self.end(on, odd, is_one, |runner, variable| call!(runner, odd, estore_iter_close(variable)));
    }

    // The rest.

    fn event_init(&mut self, len: usize, odd: Odd) {
        const EMPTY: Event = Event { time: UNTOUCHED, seq: UNTOUCHED, data: null(), len: 7, id: 0 };
        let mut event = EMPTY;
        let out = if odd.no_output() { null_mut() } else { &raw mut event };
        let start = if odd.no_input() { null() } else { data().as_ptr() };
        let len = if odd.endless() { usize::MAX } else { len };
        // SAFETY: NULL or a variable; the data is not followed.
        let status = unsafe { abi::estore_event_init(out, start, len) };
        self.must_be_listed("estore_event_init", status);
        let wrong = odd.no_output() || odd.endless() || odd.no_input() && len > 0;
        assert_eq!(status == 0, !wrong, "estore_event_init: {status}");
        match status {
            0 => assert_eq!((event.seq, event.len as usize), (0, len)),
            _ => assert_eq!(event, EMPTY),
        }
    }

    fn texts(&mut self, status: Status, index: usize) {
        // SAFETY: these take numbers and answer with static texts and numbers.
        unsafe {
            assert!(!must_be_text(abi::estore_strerror(status), None).is_empty());
            let name = abi::estore_stat_name(index);
            let known = self.header.number("ESTORE_STAT_COUNT") as usize;
            assert_eq!(name.is_null(), index >= known);
            assert!(!must_be_text(abi::estore_version(), None).is_empty());
            assert_eq!(i64::from(abi::estore_version_number()), self.header.number("ESTORE_VERSION_NUMBER"));
            assert!(abi::estore_now() > 0);
            abi::estore_event_id();
        }
    }

    /// Closes what is left: every handle, whatever has become of the files.
    fn close_all(&mut self, last_first: bool) {
        (self.odd_path, self.shaky) = (true, true);
        let places: Vec<u8> = if last_first { (0..SLOTS as u8).rev().collect() } else { (0..SLOTS as u8).collect() };
        for slot in places.into_iter().map(Slot) {
            match self.slots[slot.place()].as_ref().map(|held| &held.what) {
                None => {}
                Some(What::Options(_)) => self.options_free(slot, Odd(0)),
                Some(What::Open(efile, _)) => self.close(slot, *efile, Odd(0)),
                Some(What::Iter(_)) => self.iter_close(slot, Odd(0)),
            }
            assert!(self.is_free(slot), "a handle that can't be closed");
        }
    }
}

/// A path as an argument.
fn argument(path: &[u8], odd: Odd) -> (*const c_char, usize) {
    let start = if odd.no_input() { null() } else { path.as_ptr().cast() };
    (start, if odd.endless() { usize::MAX } else { path.len() })
}
