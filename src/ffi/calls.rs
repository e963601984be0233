//! What `estore_*` and `efile_*` share: each call once, for both kinds of store.
//!
//! The entry points in `store.rs` and `efile.rs` have the C names and the comments; they do nothing but call these.

use std::ffi::{c_char, c_void};
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

use super::bytes::{self, estore_bytes};
use super::digest;
use super::error::{Failure, estore_error};
use super::event::{Checked, batch, estore_event};
use super::exchange::{self, RepairedOutputs, estore_exchange};
use super::export::{self, estore_export};
use super::handle::{Handle, Opaque};
use super::iter::{self, Source, estore_iter};
use super::options::{self, estore_options};
use super::progress::{estore_progress_fn, tell_progress};
use super::status::{ESTORE_OK, estore_status};
use super::verify::{estore_finding_fn, estore_gap_fn, tell_finding};
use super::{array, check_array, close, guarded, path, put, require, with, with_both};
use crate::error::Result;
use crate::options::Options;
use crate::{
    Appended, Compacted, Digest, Efile, Exchange, Export, Finding, Progress, ReadOptions, Reader, RepairOptions, Repaired, Snapshot, Stats,
    Store, Tail, Verified,
};

/// Read oldest first; the default.
pub const ESTORE_READ_FORWARD: u32 = 0;
/// Read newest first: exactly the forward order reversed.
pub const ESTORE_READ_REVERSE: u32 = 1;
/// Read the newest limit events of the range, still oldest first. Needs a limit. Together with ESTORE_READ_REVERSE they come newest
/// first.
pub const ESTORE_READ_LAST: u32 = 2;

/// Go on at damage instead of failing: damaged frames are left out, every event outside of them comes, and estore_iter_gaps tells what is
/// missing. Also past what the system fails to read.
pub const ESTORE_READ_SALVAGE: u32 = 4;

/// What the calls here need of an engine.
pub(super) trait Engine: Sized {
    fn open(path: &Path, options: Options) -> Result<Self>;
    fn destroy(path: &Path, options: Options) -> Result<()>;
    fn close(&self) -> Result<()>;
    fn append(&self, events: &[Checked]) -> Result<u64>;
    fn append_absent(&self, events: &[Checked]) -> Result<Appended>;
    fn read(&self, start: u64, end: u64, options: ReadOptions) -> Result<Reader>;
    fn tail(&self, after: u64) -> Result<Tail>;
    fn sync(&self) -> Result<u64>;
    fn tick(&self) -> Result<()>;
    fn stats(&self) -> Result<Stats>;
    fn verify(&self, receiver: impl FnMut(Finding) -> ControlFlow<()>) -> Result<Verified>;
    fn compact(&self, start: u64, end: u64, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Compacted>;
    fn snapshot(&self, dir: &Path, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Snapshot>;
    fn digest(&self, start: u64, end: u64, width: u64) -> Result<Digest>;
    fn repair(
        &self,
        from: &Self,
        range: RangeInclusive<u64>,
        options: RepairOptions,
        receiver: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Repaired>;
    fn exchange(&self, start: u64, end: u64, options: RepairOptions) -> Result<Exchange>;
    fn answer(&self, request: &[u8]) -> Result<Vec<u8>>;
    fn export(&self, start: u64, end: u64, options: ReadOptions) -> Result<Export>;
    fn import(&self, parcel: &[u8]) -> Result<Appended>;
    fn while_telling(&self, tell: impl FnOnce());
}

macro_rules! engine {
    ($name:ident) => {
        impl Engine for $name {
            fn open(path: &Path, options: Options) -> Result<Self> {
                $name::open(path, options)
            }
            fn destroy(path: &Path, options: Options) -> Result<()> {
                $name::destroy(path, options)
            }
            fn close(&self) -> Result<()> {
                self.close()
            }
            fn append(&self, events: &[Checked]) -> Result<u64> {
                self.append(events)
            }
            fn append_absent(&self, events: &[Checked]) -> Result<Appended> {
                self.append_absent(events)
            }
            fn read(&self, start: u64, end: u64, options: ReadOptions) -> Result<Reader> {
                self.read_with(start..=end, options)
            }
            fn tail(&self, after: u64) -> Result<Tail> {
                self.tail(after)
            }
            fn sync(&self) -> Result<u64> {
                self.sync()
            }
            fn tick(&self) -> Result<()> {
                self.tick()
            }
            fn stats(&self) -> Result<Stats> {
                self.stats()
            }
            fn verify(&self, receiver: impl FnMut(Finding) -> ControlFlow<()>) -> Result<Verified> {
                self.verify(receiver)
            }
            fn compact(&self, start: u64, end: u64, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Compacted> {
                self.compact(start..=end, receiver)
            }
            fn snapshot(&self, dir: &Path, receiver: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Snapshot> {
                self.snapshot(dir, receiver)
            }
            fn digest(&self, start: u64, end: u64, width: u64) -> Result<Digest> {
                self.digest(start..=end, width)
            }
            fn repair(
                &self,
                from: &Self,
                range: RangeInclusive<u64>,
                options: RepairOptions,
                receiver: impl FnMut(Progress) -> ControlFlow<()>,
            ) -> Result<Repaired> {
                self.repair(from, range, options, receiver)
            }
            fn exchange(&self, start: u64, end: u64, options: RepairOptions) -> Result<Exchange> {
                self.exchange(start..=end, options)
            }
            fn answer(&self, request: &[u8]) -> Result<Vec<u8>> {
                self.answer(request)
            }
            fn export(&self, start: u64, end: u64, options: ReadOptions) -> Result<Export> {
                self.export(start..=end, options)
            }
            fn import(&self, parcel: &[u8]) -> Result<Appended> {
                self.import(parcel)
            }
            fn while_telling(&self, tell: impl FnOnce()) {
                self.while_telling(tell)
            }
        }
    };
}

engine!(Store);
engine!(Efile);

// The functions below have one contract: it is that of the entry point with the same name, as its header comment states it. Each
// pointer is NULL or valid for what the comment says happens to it, for the whole call.

/// # Safety
///
/// See above.
pub(super) unsafe fn open<H>(
    path_bytes: *const c_char,
    path_len: usize,
    options: *const estore_options,
    handle: *mut *mut H,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = || {
        require(handle, H::NAME)?;
        // SAFETY: the contract.
        let path = unsafe { path(path_bytes, path_len) }?;
        // SAFETY: the contract.
        let options = unsafe { options::of(options) }?;
        let opened = Handle::make::<H>(H::Inner::open(path, options)?);
        // SAFETY: not NULL; the contract.
        unsafe { handle.write(opened) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { guarded(err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn destroy<E: Engine>(
    path_bytes: *const c_char,
    path_len: usize,
    options: *const estore_options,
    err: *mut estore_error,
) -> estore_status {
    let body = || {
        // SAFETY: the contract.
        let path = unsafe { path(path_bytes, path_len) }?;
        // SAFETY: the contract.
        let options = unsafe { options::of(options) }?;
        E::destroy(path, options)?;
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { guarded(err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn close_engine<H>(variable: *mut *mut H, err: *mut estore_error) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    // SAFETY: the contract.
    unsafe { close(variable, err, |engine| Ok(engine.close()?)) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn append<H>(
    handle: *const H,
    events: *const estore_event,
    len: usize,
    last_seq: *mut u64,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let seq = engine.append(unsafe { batch(events, len) }?)?;
        // SAFETY: the contract.
        unsafe { put(last_seq, seq) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// Where `append_absent` and `import` put their answers; each may be NULL.
pub(super) struct AbsentOutputs {
    pub(super) last_seq: *mut u64,
    pub(super) stored: *mut u64,
    pub(super) present: *mut u64,
    pub(super) expired: *mut u64,
}

impl AbsentOutputs {
    /// # Safety
    ///
    /// Each is NULL or valid for writes.
    unsafe fn put(&self, appended: Appended) {
        // SAFETY: the caller's promise.
        unsafe {
            put(self.last_seq, appended.last_seq);
            put(self.stored, appended.stored);
            put(self.present, appended.present);
            put(self.expired, appended.expired);
        }
    }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn append_absent<H>(
    handle: *const H,
    events: *const estore_event,
    len: usize,
    outputs: AbsentOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let appended = engine.append_absent(unsafe { batch(events, len) }?)?;
        // SAFETY: the contract.
        unsafe { outputs.put(appended) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// What to read, as the C caller says it.
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) flags: u32,
    pub(super) limit: u64,
}

impl Window {
    fn options(&self) -> Result<ReadOptions, Failure> {
        if self.flags & !(ESTORE_READ_FORWARD | ESTORE_READ_REVERSE | ESTORE_READ_LAST | ESTORE_READ_SALVAGE) != 0 {
            return Err(Failure::invalid(format!("unknown flags in {:#x}", self.flags)));
        }
        let mut options = ReadOptions::new();
        if self.flags & ESTORE_READ_REVERSE != 0 {
            options = options.reverse();
        }
        if self.flags & ESTORE_READ_SALVAGE != 0 {
            options = options.salvage();
        }
        match (self.flags & ESTORE_READ_LAST != 0, self.limit) {
            (true, 0) => Err(Failure::invalid("ESTORE_READ_LAST needs a limit")),
            (true, limit) => Ok(options.last(limit)),
            (false, 0) => Ok(options),
            (false, limit) => Ok(options.limit(limit)),
        }
    }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn read<H>(handle: *const H, window: Window, out: *mut *mut estore_iter, err: *mut estore_error) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let call = |engine: &H::Inner| {
        let reader = engine.read(window.start, window.end, window.options()?)?;
        Ok(iter::make(Source::Reader(reader)))
    };
    // SAFETY: the contract.
    unsafe { value(handle, out, "iter", err, call) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn tail<H>(handle: *const H, after_seq: u64, out: *mut *mut estore_iter, err: *mut estore_error) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let call = |engine: &H::Inner| Ok(iter::make(Source::Tail(engine.tail(after_seq)?)));
    // SAFETY: the contract.
    unsafe { value(handle, out, "iter", err, call) }
}

/// A call that answers with one value: a number, or a handle of its own.
///
/// # Safety
///
/// See above.
pub(super) unsafe fn value<H, T>(
    handle: *const H,
    out: *mut T,
    name: &str,
    err: *mut estore_error,
    call: impl FnOnce(&H::Inner) -> Result<T, Failure>,
) -> estore_status
where
    H: Opaque,
{
    let body = |engine: &H::Inner| {
        require(out, name)?;
        let value = call(engine)?;
        // SAFETY: not NULL; the contract.
        unsafe { out.write(value) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn sync<H>(handle: *const H, durable_seq: *mut u64, err: *mut estore_error) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        let seq = engine.sync()?;
        // SAFETY: the contract.
        unsafe { put(durable_seq, seq) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn tick<H>(handle: *const H, err: *mut estore_error) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        engine.tick()?;
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn stats<H>(
    handle: *const H,
    values: *mut u64,
    capacity: usize,
    known: *mut usize,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        check_array(values, capacity, "values")?;
        require(known, "n")?;
        let stats = super::stats::values(engine.stats()?);
        for (index, value) in stats.iter().enumerate().take(capacity) {
            // SAFETY: below capacity; the contract.
            unsafe { values.add(index).write(*value) };
        }
        // SAFETY: not NULL; the contract.
        unsafe { known.write(stats.len()) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// Where `verify` puts its answers; each may be NULL.
pub(super) struct VerifyOutputs {
    pub(super) events: *mut u64,
    pub(super) damaged: *mut u64,
}

/// # Safety
///
/// See above.
pub(super) unsafe fn verify<H>(
    handle: *const H,
    on_finding: estore_finding_fn,
    userdata: *mut c_void,
    outputs: VerifyOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let verified = engine.verify(|finding| unsafe { tell_finding(on_finding, userdata, &finding) })?;
        // SAFETY: the contract.
        unsafe {
            put(outputs.events, verified.events);
            put(outputs.damaged, verified.damaged);
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// Where a snapshot puts its numbers.
pub(super) struct SnapshotOutputs {
    pub(super) seq: *mut u64,
    pub(super) bytes_copied: *mut u64,
    pub(super) bytes_linked: *mut u64,
    pub(super) damaged: *mut u64,
    pub(super) stopped: *mut i32,
}

/// # Safety
///
/// See above.
pub(super) unsafe fn snapshot<H>(
    handle: *const H,
    (dir, dir_len): (*const c_char, usize),
    on_progress: estore_progress_fn,
    userdata: *mut c_void,
    outputs: SnapshotOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let dir = unsafe { path(dir, dir_len) }?;
        // SAFETY: the contract.
        let taken = engine.snapshot(dir, |progress| unsafe { tell_progress(on_progress, userdata, progress) })?;
        // SAFETY: the contract.
        unsafe {
            put(outputs.seq, taken.seq);
            put(outputs.bytes_copied, taken.bytes_copied);
            put(outputs.bytes_linked, taken.bytes_linked);
            put(outputs.damaged, taken.damaged);
            put(outputs.stopped, i32::from(taken.stopped));
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// Where compacting puts its numbers.
pub(super) struct CompactOutputs {
    pub(super) bytes_before: *mut u64,
    pub(super) bytes_after: *mut u64,
}

/// # Safety
///
/// See above.
pub(super) unsafe fn compact<H>(
    handle: *const H,
    (start, end): (u64, u64),
    on_progress: estore_progress_fn,
    userdata: *mut c_void,
    outputs: CompactOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let compacted = engine.compact(start, end, |progress| unsafe { tell_progress(on_progress, userdata, progress) })?;
        // SAFETY: the contract.
        unsafe {
            put(outputs.bytes_before, compacted.bytes_before);
            put(outputs.bytes_after, compacted.bytes_after);
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// Where a digest goes.
pub(super) struct DigestOutputs {
    pub(super) buckets: *mut u64,
    pub(super) capacity: usize,
    pub(super) n: *mut usize,
    pub(super) horizon: *mut u64,
}

/// # Safety
///
/// See above.
pub(super) unsafe fn digest<H>(
    handle: *const H,
    (start, end): (u64, u64),
    width: u64,
    outputs: DigestOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        let (buckets, capacity) = (outputs.buckets.cast::<digest::Numbers>(), outputs.capacity);
        check_array(buckets, capacity, "buckets")?;
        let needed = Digest::bucket_count(start, end, width)?;
        if needed > capacity {
            return Err(Failure::invalid(format!("there are {needed} buckets, and room for {capacity}")));
        }
        let digest = engine.digest(start, end, width)?;
        for (index, bucket) in digest.buckets.iter().enumerate() {
            // SAFETY: below capacity; the contract. Three numbers are aligned like one.
            unsafe { buckets.add(index).write(digest::numbers(bucket)) };
        }
        // SAFETY: the contract.
        unsafe {
            put(outputs.n, needed);
            put(outputs.horizon, digest.horizon);
        }
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}

/// What a repair tells, and to whom.
pub(super) struct RepairCallbacks {
    pub(super) on_gap: estore_gap_fn,
    pub(super) on_progress: estore_progress_fn,
    pub(super) userdata: *mut c_void,
}

/// # Safety
///
/// See above.
pub(super) unsafe fn repair<H>(
    (to, from): (*const H, *const H),
    (start, end): (u64, u64),
    flags: u32,
    callbacks: RepairCallbacks,
    outputs: RepairedOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let RepairCallbacks { on_gap, on_progress, userdata } = callbacks;
    let body = |to: &H::Inner, from: &H::Inner| {
        let options = exchange::options(flags)?;
        outputs.check()?;
        // SAFETY: the contract.
        let repaired = to.repair(from, start..=end, options, |progress| unsafe { tell_progress(on_progress, userdata, progress) })?;
        // SAFETY: the contract.
        to.while_telling(|| from.while_telling(|| unsafe { outputs.put(&repaired, on_gap, userdata) }));
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with_both(to, from, err, body) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn begin_exchange<H>(
    handle: *const H,
    (start, end): (u64, u64),
    flags: u32,
    out: *mut *mut estore_exchange,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let call = |engine: &H::Inner| {
        let made = engine.exchange(start, end, exchange::options(flags)?)?;
        Ok(exchange::make(made))
    };
    // SAFETY: the contract.
    unsafe { value(handle, out, "exchange", err, call) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn answer<H>(
    handle: *const H,
    (message, len): (*const u8, usize),
    reply: *mut *mut estore_bytes,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let call = |engine: &H::Inner| {
        // SAFETY: the contract.
        let answer = engine.answer(unsafe { array(message, len, "message") }?)?;
        Ok(bytes::make(answer))
    };
    // SAFETY: the contract.
    unsafe { value(handle, reply, "reply", err, call) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn begin_export<H>(
    handle: *const H,
    window: Window,
    out: *mut *mut estore_export,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let call = |engine: &H::Inner| {
        let made = engine.export(window.start, window.end, window.options()?)?;
        Ok(export::make(made))
    };
    // SAFETY: the contract.
    unsafe { value(handle, out, "export", err, call) }
}

/// # Safety
///
/// See above.
pub(super) unsafe fn import<H>(
    handle: *const H,
    (parcel, len): (*const u8, usize),
    outputs: AbsentOutputs,
    err: *mut estore_error,
) -> estore_status
where
    H: Opaque,
    H::Inner: Engine,
{
    let body = |engine: &H::Inner| {
        // SAFETY: the contract.
        let appended = engine.import(unsafe { array(parcel, len, "parcel") }?)?;
        // SAFETY: the contract.
        unsafe { outputs.put(appended) };
        Ok(ESTORE_OK)
    };
    // SAFETY: the contract.
    unsafe { with(handle, err, body) }
}
