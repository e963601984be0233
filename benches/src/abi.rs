//! estore as a program meets it that opens the shared library at run time: nothing here knows the Rust interface. Any number of builds
//! can so be measured by one driver. Each function is resolved once, when the library is opened.

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};

use anyhow::{Context, Result, bail, ensure};
use libloading::Library;

/// `estore_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub time: u64,
    pub seq: u64,
    data: *const u8,
    len: u32,
    pub id: u32,
}

// SAFETY: an event only views memory which its maker promised to outlive it; nothing writes through it.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    pub const EMPTY: Event = Event { time: 0, seq: 0, data: null(), len: 0, id: 0 };

    /// A view of `data`, without its lifetime, as in C: to be followed only as long as the data is there.
    pub fn view(time: u64, id: u32, data: &[u8]) -> Event {
        Event { time, seq: 0, data: data.as_ptr(), len: data.len() as u32, id }
    }

    pub fn data(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: events are made by `view`, by the library, or are empty; those who hand them on keep the data until the call is over.
        unsafe { std::slice::from_raw_parts(self.data, self.len as usize) }
    }
}

/// `estore_error`.
#[repr(C)]
struct ErrorDetail {
    status: i32,
    os_errno: i32,
    offset: u64,
    message: [c_char; 496],
}

#[repr(C)]
struct RawStore([u8; 0]);
#[repr(C)]
struct RawIter([u8; 0]);
#[repr(C)]
struct RawOptions([u8; 0]);
#[repr(C)]
struct RawExchange([u8; 0]);
#[repr(C)]
struct RawBytes([u8; 0]);

type Status = i32;
const END: Status = 1;

pub const DURABILITY_BUFFERED: i32 = 0;
pub const DURABILITY_PROCESS: i32 = 1;
pub const DURABILITY_INTERVAL: i32 = 2;
pub const DURABILITY_POWER: i32 = 3;
const READ_REVERSE: u32 = 1;
const MODE_READ_ONLY: i32 = 3;
pub const STAT_LATE_EVENTS: usize = 4;
pub const STAT_LOG_BYTES: usize = 11;
pub const STAT_RECON_BYTES: usize = 12;
pub const STAT_BACKLOG_BYTES: usize = 21;
const STAT_COUNT: usize = 22;

type SetOption = unsafe extern "C" fn(*mut RawOptions, i32) -> Status;
type Compact = unsafe extern "C" fn(*const RawStore, u64, u64, *const c_void, *mut c_void, *mut u64, *mut u64, *mut ErrorDetail) -> Status;
type TailIter = unsafe extern "C" fn(*const RawStore, u64, *mut *mut RawIter, *mut ErrorDetail) -> Status;
type IterWait = unsafe extern "C" fn(*mut RawIter, u64, *mut ErrorDetail) -> Status;
type Digest = unsafe extern "C" fn(*const RawStore, u64, u64, u64, *mut u64, usize, *mut usize, *mut u64, *mut ErrorDetail) -> Status;
type Repair = unsafe extern "C" fn(
    *mut RawStore,
    *mut RawStore,
    u64,
    u64,
    u32,
    *const c_void,
    *const c_void,
    *mut c_void,
    *mut u64,
    usize,
    *mut usize,
    *mut ErrorDetail,
) -> Status;
type ExchangeBegin = unsafe extern "C" fn(*mut RawStore, u64, u64, u32, *mut *mut RawExchange, *mut ErrorDetail) -> Status;
type Answer = unsafe extern "C" fn(*mut RawStore, *const u8, usize, *mut *mut RawBytes, *mut ErrorDetail) -> Status;

/// What repairing takes.
#[derive(Clone, Copy)]
struct Replicas {
    digest: Digest,
    repair: Repair,
    exchange_begin: ExchangeBegin,
    exchange_request: unsafe extern "C" fn(*mut RawExchange, *mut *mut RawBytes, *mut ErrorDetail) -> Status,
    exchange_reply: unsafe extern "C" fn(*mut RawExchange, *const u8, usize, *mut ErrorDetail) -> Status,
    exchange_close: unsafe extern "C" fn(*mut *mut RawExchange, *mut ErrorDetail) -> Status,
    answer: Answer,
    bytes_view: unsafe extern "C" fn(*const RawBytes, *mut *const u8, *mut usize, *mut ErrorDetail) -> Status,
    bytes_free: unsafe extern "C" fn(*mut *mut RawBytes) -> Status,
}

type Stats = unsafe extern "C" fn(*const RawStore, *mut u64, usize, *mut usize, *mut ErrorDetail) -> Status;

/// The functions of one library, either those of estores or those of efiles.
pub struct Api {
    open: unsafe extern "C" fn(*const c_char, usize, *const RawOptions, *mut *mut RawStore, *mut ErrorDetail) -> Status,
    close: unsafe extern "C" fn(*mut *mut RawStore, *mut ErrorDetail) -> Status,
    append: unsafe extern "C" fn(*mut RawStore, *const Event, usize, *mut u64, *mut ErrorDetail) -> Status,
    append_absent:
        unsafe extern "C" fn(*mut RawStore, *const Event, usize, *mut u64, *mut u64, *mut u64, *mut u64, *mut ErrorDetail) -> Status,
    read_iter: unsafe extern "C" fn(*const RawStore, u64, u64, u32, u64, *mut *mut RawIter, *mut ErrorDetail) -> Status,
    count: unsafe extern "C" fn(*const RawStore, u64, u64, *mut u64, *mut ErrorDetail) -> Status,
    iter_next_batch: unsafe extern "C" fn(*mut RawIter, *mut Event, usize, *mut usize, *mut ErrorDetail) -> Status,
    iter_close: unsafe extern "C" fn(*mut *mut RawIter, *mut ErrorDetail) -> Status,
    options_new: unsafe extern "C" fn() -> *mut RawOptions,
    options_free: unsafe extern "C" fn(*mut *mut RawOptions) -> Status,
    set_durability: unsafe extern "C" fn(*mut RawOptions, i32, u64) -> Status,
    set_file_size_ns: unsafe extern "C" fn(*mut RawOptions, u64) -> Status,
    set_grace_ns: unsafe extern "C" fn(*mut RawOptions, u64) -> Status,
    // Not in every build that one may want to compare with.
    set_mode: Option<SetOption>,
    set_compaction: Option<SetOption>,
    compact: Option<Compact>,
    stats: Option<Stats>,
    tail_iter: Option<TailIter>,
    iter_wait: Option<IterWait>,
    replicas: Option<Replicas>,
    version: unsafe extern "C" fn() -> *const c_char,
    event_id: unsafe extern "C" fn() -> u32,
    is_efile: bool,
    // Last, so that nothing above outlives the code that it points to.
    _library: Library,
}

/// How to open a store.
#[derive(Clone, Copy)]
pub struct Options {
    /// One of the `DURABILITY_` constants; an interval is a second.
    pub durability: i32,
    /// Not used for efiles, which have no chunks.
    pub file_size_ns: u64,
    pub grace_ns: u64,
    pub read_only: bool,
    /// Whether the store may compact by itself, as it does unless it is told not to.
    pub compaction: bool,
}

impl Options {
    pub const fn new(durability: i32, file_size_ns: u64, grace_ns: u64) -> Options {
        Options { durability, file_size_ns, grace_ns, read_only: false, compaction: true }
    }
}

impl Api {
    pub fn load(path: &Path, efile: bool) -> Result<Api> {
        // SAFETY: whoever names the library to measure trusts its initialisers.
        let library = unsafe { Library::new(path) }
            .with_context(|| format!("cannot open the shared library {} (is it built? `make lib`)", path.display()))?;
        let kind = if efile { "efile" } else { "estore" };
        // SAFETY: the fields are typed as the functions in estore.h.
        let replicas = || unsafe {
            Ok::<_, anyhow::Error>(Replicas {
                digest: symbol(&library, path, kind, "digest")?,
                repair: symbol(&library, path, kind, "repair")?,
                exchange_begin: symbol(&library, path, kind, "exchange_begin")?,
                exchange_request: symbol(&library, path, "estore", "exchange_request")?,
                exchange_reply: symbol(&library, path, "estore", "exchange_reply")?,
                exchange_close: symbol(&library, path, "estore", "exchange_close")?,
                answer: symbol(&library, path, kind, "answer")?,
                bytes_view: symbol(&library, path, "estore", "bytes_view")?,
                bytes_free: symbol(&library, path, "estore", "bytes_free")?,
            })
        };
        let replicas = replicas().ok();
        // SAFETY: the fields are typed as the functions in estore.h.
        unsafe {
            Ok(Api {
                open: symbol(&library, path, kind, "open")?,
                close: symbol(&library, path, kind, "close")?,
                append: symbol(&library, path, kind, "append")?,
                append_absent: symbol(&library, path, kind, "append_absent")?,
                read_iter: symbol(&library, path, kind, "read_iter")?,
                count: symbol(&library, path, kind, "count")?,
                iter_next_batch: symbol(&library, path, "estore", "iter_next_batch")?,
                iter_close: symbol(&library, path, "estore", "iter_close")?,
                options_new: symbol(&library, path, "estore", "options_new")?,
                options_free: symbol(&library, path, "estore", "options_free")?,
                set_durability: symbol(&library, path, "estore", "options_set_durability")?,
                set_file_size_ns: symbol(&library, path, "estore", "options_set_file_size_ns")?,
                set_grace_ns: symbol(&library, path, "estore", "options_set_grace_ns")?,
                set_mode: symbol(&library, path, "estore", "options_set_mode").ok(),
                set_compaction: symbol(&library, path, "estore", "options_set_compaction").ok(),
                compact: symbol(&library, path, kind, "compact").ok(),
                stats: symbol(&library, path, kind, "stats").ok(),
                tail_iter: symbol(&library, path, kind, "tail_iter").ok(),
                iter_wait: symbol(&library, path, "estore", "iter_wait").ok(),
                replicas,
                version: symbol(&library, path, "estore", "version")?,
                event_id: symbol(&library, path, "estore", "event_id")?,
                is_efile: efile,
                _library: library,
            })
        }
    }

    pub fn version(&self) -> String {
        // SAFETY: the library promises a static text.
        unsafe { CStr::from_ptr((self.version)()) }.to_string_lossy().into_owned()
    }

    pub fn event_id(&self) -> u32 {
        // SAFETY: takes nothing.
        unsafe { (self.event_id)() }
    }

    pub fn open(&self, path: &Path, options: Options) -> Result<Store<'_>> {
        const SECOND_NS: u64 = 1_000_000_000;
        let bytes = path.as_os_str().as_bytes();
        // SAFETY: options and store are variables of ours, the path is as long as said, and the options are freed on every way out.
        unsafe {
            let mut handle = (self.options_new)();
            ensure!(!handle.is_null(), "estore_options_new failed");
            let mut status = (self.set_durability)(handle, options.durability, SECOND_NS);
            if status == 0 && !self.is_efile {
                status = (self.set_file_size_ns)(handle, options.file_size_ns);
            }
            if status == 0 {
                status = (self.set_grace_ns)(handle, options.grace_ns);
            }
            let set = |status, set: Option<SetOption>, wanted: bool, value| match set {
                Some(set) if wanted && status == 0 => set(handle, value),
                None if wanted => -1,
                _ => status,
            };
            status = set(status, self.set_mode, options.read_only, MODE_READ_ONLY);
            status = set(status, self.set_compaction, !options.compaction, 0);
            let mut store = null_mut();
            let opened = match status {
                0 => check("open", |error| (self.open)(bytes.as_ptr().cast(), bytes.len(), handle, &mut store, error)),
                refused => bail_status("options_set", refused),
            };
            (self.options_free)(&mut handle);
            opened.with_context(|| path.display().to_string())?;
            Ok(Store { api: self, handle: store })
        }
    }
}

unsafe fn symbol<T: Copy>(library: &Library, path: &Path, prefix: &str, name: &str) -> Result<T> {
    // SAFETY: the caller names the right type.
    let found = unsafe { library.get::<T>(format!("{prefix}_{name}")) };
    Ok(*found.with_context(|| format!("{} is no libestore, or another version of it", path.display()))?)
}

fn bail_status(what: &str, status: Status) -> Result<Status> {
    bail!("{what}: status {status}")
}

/// Calls a function that takes an error. Its 512 bytes are not cleared before each call, which would cost more than some of the calls:
/// the library writes all of it when it fails, and nothing reads it otherwise.
#[inline]
fn check(what: &str, call: impl FnOnce(*mut ErrorDetail) -> Status) -> Result<Status> {
    let mut error = MaybeUninit::<ErrorDetail>::uninit();
    let status = call(error.as_mut_ptr());
    if status < 0 {
        // SAFETY: filled, since the function failed.
        let error = unsafe { error.assume_init_ref() };
        // SAFETY: the library promises a NUL.
        let message = unsafe { CStr::from_ptr(error.message.as_ptr()) }.to_string_lossy().into_owned();
        bail!("{what}: {message} (status {status}, errno {}, offset {})", error.os_errno, error.offset);
    }
    Ok(status)
}

/// An open store (or efile). May be used by several threads at once, as the library promises.
pub struct Store<'a> {
    api: &'a Api,
    handle: *mut RawStore,
}

// SAFETY: the header allows any number of threads.
unsafe impl Send for Store<'_> {}
// SAFETY: as above.
unsafe impl Sync for Store<'_> {}

impl Store<'_> {
    #[inline]
    pub fn append(&self, events: &[Event]) -> Result<()> {
        // SAFETY: the handle is open, and the events and their data live until the call returns.
        check("append", |error| unsafe { (self.api.append)(self.handle, events.as_ptr(), events.len(), null_mut(), error) })?;
        Ok(())
    }

    /// How many were stored.
    pub fn append_absent(&self, events: &[Event]) -> Result<u64> {
        let mut stored = 0;
        // SAFETY: as in append; outputs that are not wanted may be NULL.
        check("append_absent", |error| unsafe {
            (self.api.append_absent)(self.handle, events.as_ptr(), events.len(), null_mut(), &mut stored, null_mut(), null_mut(), error)
        })?;
        Ok(stored)
    }

    pub fn count(&self, start: u64, end: u64) -> Result<u64> {
        let mut count = 0;
        // SAFETY: the handle is open, count is ours.
        check("count", |error| unsafe { (self.api.count)(self.handle, start, end, &mut count, error) })?;
        Ok(count)
    }

    /// Compacts the chunks of a range of time; the bytes of their logs before and after.
    pub fn compact(&self, start: u64, end: u64) -> Result<(u64, u64)> {
        let compact = self.api.compact.context("the library has no estore_compact")?;
        let (mut before, mut after) = (0, 0);
        // SAFETY: the handle is open, the outputs are ours, and no progress is asked for.
        check("compact", |error| unsafe { compact(self.handle, start, end, null(), null_mut(), &mut before, &mut after, error) })?;
        Ok((before, after))
    }

    /// One of the numbers that the store tells, by a `STAT_` constant.
    pub fn stat(&self, index: usize) -> Result<u64> {
        let stats = self.api.stats.context("the library has no estore_stats")?;
        let (mut values, mut n) = ([0; STAT_COUNT], 0);
        // SAFETY: the handle is open, the array as long as said.
        check("stats", |error| unsafe { stats(self.handle, values.as_mut_ptr(), values.len(), &mut n, error) })?;
        Ok(values[index])
    }

    /// At most `limit` events of the range; 0 means all.
    pub fn read(&self, start: u64, end: u64, reverse: bool, limit: u64) -> Result<Iter<'_>> {
        let mut handle = null_mut();
        let flags = if reverse { READ_REVERSE } else { 0 };
        // SAFETY: the handle is open, the iterator's variable is ours.
        check("read_iter", |error| unsafe { (self.api.read_iter)(self.handle, start, end, flags, limit, &mut handle, error) })?;
        Ok(Iter { api: self.api, handle })
    }

    /// The events behind a cursor in order of arrival, and those that come.
    pub fn tail(&self, after_seq: u64) -> Result<Iter<'_>> {
        let tail_iter = self.api.tail_iter.context("the library has no estore_tail_iter")?;
        let mut handle = null_mut();
        // SAFETY: the handle is open, the iterator's variable is ours.
        check("tail_iter", |error| unsafe { tail_iter(self.handle, after_seq, &mut handle, error) })?;
        Ok(Iter { api: self.api, handle })
    }

    fn replicas(&self) -> Result<&Replicas> {
        self.api.replicas.as_ref().context("the library has no estore_repair")
    }

    /// The buckets of a digest, three numbers for each.
    pub fn digest(&self, start: u64, end: u64, width: u64) -> Result<Vec<u64>> {
        let digest = self.replicas()?.digest;
        let count = ((end - start) / width + 1) as usize;
        let mut numbers = vec![0; 3 * count];
        // SAFETY: the handle is open, the array has room for three numbers for each bucket.
        check("digest", |error| unsafe {
            digest(self.handle, start, end, width, numbers.as_mut_ptr(), count, null_mut(), null_mut(), error)
        })?;
        Ok(numbers)
    }

    /// Brings this store what it lacks of all that the other one has; how many events.
    pub fn repair(&self, from: &Store<'_>) -> Result<u64> {
        const COPIED: usize = 1;
        let repair = self.replicas()?.repair;
        let mut numbers = [0; COPIED + 1];
        // SAFETY: both handles are open, the array is as long as said, and nothing is to be told.
        check("repair", |error| unsafe {
            let (array, len) = (numbers.as_mut_ptr(), numbers.len());
            repair(self.handle, from.handle, 0, u64::MAX, 0, null(), null(), null_mut(), array, len, null_mut(), error)
        })?;
        Ok(numbers[COPIED])
    }

    /// The same by messages; the length of each of them, requests and replies in turn.
    pub fn exchange(&self, from: &Store<'_>) -> Result<Vec<usize>> {
        let calls = self.replicas()?;
        let mut exchange = null_mut();
        let mut lens = Vec::new();
        // SAFETY: handles are open, variables are ours, and bytes are looked at before they are freed.
        unsafe {
            check("exchange_begin", |error| (calls.exchange_begin)(self.handle, 0, u64::MAX, 0, &mut exchange, error))?;
            loop {
                let (mut request, mut reply) = (null_mut(), null_mut());
                if check("exchange_request", |error| (calls.exchange_request)(exchange, &mut request, error))? == END {
                    break;
                }
                let (mut data, mut len) = (null(), 0);
                check("bytes_view", |error| (calls.bytes_view)(request, &mut data, &mut len, error))?;
                lens.push(len);
                check("answer", |error| (calls.answer)(from.handle, data, len, &mut reply, error))?;
                (calls.bytes_free)(&mut request);
                check("bytes_view", |error| (calls.bytes_view)(reply, &mut data, &mut len, error))?;
                lens.push(len);
                check("exchange_reply", |error| (calls.exchange_reply)(exchange, data, len, error))?;
                (calls.bytes_free)(&mut reply);
            }
            check("exchange_close", |error| (calls.exchange_close)(&mut exchange, error))?;
        }
        Ok(lens)
    }

    pub fn close(mut self) -> Result<()> {
        // SAFETY: the variable holds the handle, and NULL afterwards, which Drop may close again.
        check("close", |error| unsafe { (self.api.close)(&mut self.handle, error) })?;
        Ok(())
    }
}

impl Drop for Store<'_> {
    fn drop(&mut self) {
        // SAFETY: a handle or NULL.
        unsafe { (self.api.close)(&mut self.handle, null_mut()) };
    }
}

pub struct Iter<'a> {
    api: &'a Api,
    handle: *mut RawIter,
}

// SAFETY: the header allows any thread, one at a time.
unsafe impl Send for Iter<'_> {}

impl Iter<'_> {
    /// Fills the front of `events` and says how many there are; 0 at the end, and if a tail has nothing for now. Their data ends with the next call.
    #[inline]
    pub fn next_batch(&mut self, events: &mut [Event]) -> Result<usize> {
        let mut n = 0;
        // SAFETY: the handle is open, the array as long as said.
        let status = check("iter_next_batch", |error| unsafe {
            (self.api.iter_next_batch)(self.handle, events.as_mut_ptr(), events.len(), &mut n, error)
        })?;
        Ok(if status == END { 0 } else { n })
    }
}

impl Iter<'_> {
    /// Of a tail: waits until there is something, at most for so many milliseconds. Whether there is.
    pub fn wait(&mut self, timeout_ms: u64) -> Result<bool> {
        let wait = self.api.iter_wait.context("the library has no estore_iter_wait")?;
        // SAFETY: the handle is open.
        Ok(check("iter_wait", |error| unsafe { wait(self.handle, timeout_ms, error) })? == 0)
    }
}

impl Drop for Iter<'_> {
    fn drop(&mut self) {
        // SAFETY: a handle or NULL.
        unsafe { (self.api.iter_close)(&mut self.handle, null_mut()) };
    }
}
