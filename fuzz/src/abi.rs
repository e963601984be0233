//! The C ABI as `include/estore.h` declares it. The functions are those of the crate itself, called as a C program calls them.
//!
//! All handles are `void *` here, so that one of another kind can be passed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

pub type Status = i32;
/// A handle of any kind, or NULL.
pub type Handle = *mut c_void;

/// `estore_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    pub time: u64,
    pub seq: u64,
    pub data: *const u8,
    pub len: u32,
    pub id: u32,
}

/// `estore_error`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    pub status: Status,
    pub os_errno: i32,
    pub offset: u64,
    pub message: [c_char; 496],
}

pub type LogFn = Option<unsafe extern "C" fn(Handle, i32, *const c_char, usize)>;
pub type ProgressFn = Option<unsafe extern "C" fn(Handle, u64, u64) -> i32>;
pub type FindingFn = Option<unsafe extern "C" fn(Handle, i32, *const c_char, usize, u64, u64, *const c_char, usize) -> i32>;
pub type GapFn = Option<unsafe extern "C" fn(Handle, *const c_char, usize, u64, u64, u64, u64, *const c_char, usize)>;

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C" {
            $(pub fn $name($($argument: $type),*) $(-> $result)?;)*
        }
        /// All functions that are declared here.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

functions! {
    estore_strerror(status: Status) -> *const c_char;
    estore_version() -> *const c_char;
    estore_version_number() -> u32;
    estore_now() -> u64;
    estore_event_id() -> u32;
    estore_event_init(event: *mut Event, data: *const u8, len: usize) -> Status;
    estore_duration_parse(text: *const c_char, len: usize, ns: *mut u64, err: *mut Detail) -> Status;
    estore_options_new() -> Handle;
    estore_options_set_mode(options: Handle, mode: i32) -> Status;
    estore_options_set_durability(options: Handle, durability: i32, interval_ns: u64) -> Status;
    estore_options_set_file_size_ns(options: Handle, file_size_ns: u64) -> Status;
    estore_options_set_grace_ns(options: Handle, grace_ns: u64) -> Status;
    estore_options_set_max_event_len(options: Handle, max_event_len: u32) -> Status;
    estore_options_set_max_new_chunks(options: Handle, max_new_chunks: usize) -> Status;
    estore_options_set_max_open_logs(options: Handle, max_open_logs: usize) -> Status;
    estore_options_set_buffer(options: Handle, buffer_len: usize, buffer_ns: u64) -> Status;
    estore_options_set_no_index(options: Handle, no_index: i32) -> Status;
    estore_options_set_background(options: Handle, background: i32) -> Status;
    estore_options_set_compaction(options: Handle, compaction: i32) -> Status;
    estore_options_set_compression(options: Handle, compression: i32, err: *mut Detail) -> Status;
    estore_options_set_max_age_ns(options: Handle, max_age_ns: u64) -> Status;
    estore_options_set_max_bytes(options: Handle, max_bytes: u64) -> Status;
    estore_options_set_log(options: Handle, log: LogFn, userdata: Handle) -> Status;
    estore_options_free(options: *mut Handle) -> Status;
    estore_open(path: *const c_char, path_len: usize, options: Handle, store: *mut Handle, err: *mut Detail) -> Status;
    estore_append(store: Handle, events: *const Event, n: usize, last_seq: *mut u64, err: *mut Detail) -> Status;
    estore_append_absent(store: Handle, events: *const Event, n: usize, last_seq: *mut u64, stored: *mut u64, present: *mut u64,
        expired: *mut u64, err: *mut Detail) -> Status;
    estore_sync(store: Handle, durable_seq: *mut u64, err: *mut Detail) -> Status;
    estore_tick(store: Handle, err: *mut Detail) -> Status;
    estore_last_seq(store: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    estore_durable_seq(store: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    estore_tail_iter(store: Handle, after_seq: u64, iter: *mut Handle, err: *mut Detail) -> Status;
    estore_read_iter(store: Handle, start: u64, end: u64, flags: u32, limit: u64, iter: *mut Handle, err: *mut Detail) -> Status;
    estore_count(store: Handle, start: u64, end: u64, count: *mut u64, err: *mut Detail) -> Status;
    estore_stats(store: Handle, values: *mut u64, capacity: usize, n: *mut usize, err: *mut Detail) -> Status;
    estore_verify(store: Handle, on_finding: FindingFn, userdata: Handle, events: *mut u64, damaged: *mut u64, err: *mut Detail) -> Status;
    estore_compact(store: Handle, start: u64, end: u64, on_progress: ProgressFn, userdata: Handle, bytes_before: *mut u64, bytes_after: *mut u64,
        err: *mut Detail) -> Status;
    estore_snapshot(store: Handle, dir: *const c_char, dir_len: usize, on_progress: ProgressFn, userdata: Handle, seq: *mut u64,
        bytes_copied: *mut u64, bytes_linked: *mut u64, damaged: *mut u64, stopped: *mut i32, err: *mut Detail) -> Status;
    estore_digest(store: Handle, start: u64, end: u64, width_ns: u64, buckets: *mut u64, capacity_buckets: usize, n_buckets: *mut usize,
        horizon: *mut u64, err: *mut Detail) -> Status;
    estore_repair(to: Handle, from: Handle, start: u64, end: u64, flags: u32, on_gap: GapFn, on_progress: ProgressFn, userdata: Handle,
        values: *mut u64, capacity: usize, n: *mut usize, err: *mut Detail) -> Status;
    estore_exchange_begin(store: Handle, start: u64, end: u64, flags: u32, exchange: *mut Handle, err: *mut Detail) -> Status;
    estore_answer(store: Handle, message: *const u8, len: usize, reply: *mut Handle, err: *mut Detail) -> Status;
    estore_export_begin(store: Handle, start: u64, end: u64, flags: u32, limit: u64, export: *mut Handle, err: *mut Detail) -> Status;
    estore_import(store: Handle, parcel: *const u8, len: usize, last_seq: *mut u64, stored: *mut u64, present: *mut u64, expired: *mut u64,
        err: *mut Detail) -> Status;
    estore_splits(store: Handle, start: u64, end: u64, bounds: *mut u64, capacity_pieces: usize, pieces: *mut u64, err: *mut Detail)
        -> Status;
    estore_delete_before(store: Handle, time: u64, err: *mut Detail) -> Status;
    estore_retain(store: Handle, max_age_ns: u64, max_bytes: u64, dry_run: i32, horizon: *mut u64, chunks: *mut u64, events: *mut u64,
        bytes: *mut u64, err: *mut Detail) -> Status;
    estore_close(store: *mut Handle, err: *mut Detail) -> Status;
    estore_destroy(path: *const c_char, path_len: usize, options: Handle, err: *mut Detail) -> Status;
    estore_stat_name(index: usize) -> *const c_char;
    estore_iter_next(iter: Handle, event: *mut Event, err: *mut Detail) -> Status;
    estore_iter_next_batch(iter: Handle, events: *mut Event, capacity: usize, n: *mut usize, err: *mut Detail) -> Status;
    estore_iter_next_columns(iter: Handle, times: *mut u64, seqs: *mut u64, ids: *mut u32, offsets: *mut u64, capacity: usize,
        data: *mut u8, data_capacity: usize, n: *mut usize, data_len: *mut usize, err: *mut Detail) -> Status;
    estore_iter_wait(iter: Handle, timeout_ms: u64, err: *mut Detail) -> Status;
    estore_iter_fd(iter: Handle, fd: *mut c_int, err: *mut Detail) -> Status;
    estore_iter_snapshot_seq(iter: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    estore_iter_gaps(iter: Handle, on_gap: GapFn, userdata: Handle, n: *mut usize, err: *mut Detail) -> Status;
    estore_iter_close(iter: *mut Handle, err: *mut Detail) -> Status;
    efile_open(path: *const c_char, path_len: usize, options: Handle, file: *mut Handle, err: *mut Detail) -> Status;
    efile_append(file: Handle, events: *const Event, n: usize, last_seq: *mut u64, err: *mut Detail) -> Status;
    efile_append_absent(file: Handle, events: *const Event, n: usize, last_seq: *mut u64, stored: *mut u64, present: *mut u64,
        expired: *mut u64, err: *mut Detail) -> Status;
    efile_sync(file: Handle, durable_seq: *mut u64, err: *mut Detail) -> Status;
    efile_tick(file: Handle, err: *mut Detail) -> Status;
    efile_last_seq(file: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    efile_durable_seq(file: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    efile_tail_iter(file: Handle, after_seq: u64, iter: *mut Handle, err: *mut Detail) -> Status;
    efile_read_iter(file: Handle, start: u64, end: u64, flags: u32, limit: u64, iter: *mut Handle, err: *mut Detail) -> Status;
    efile_count(file: Handle, start: u64, end: u64, count: *mut u64, err: *mut Detail) -> Status;
    efile_stats(file: Handle, values: *mut u64, capacity: usize, n: *mut usize, err: *mut Detail) -> Status;
    efile_verify(file: Handle, on_finding: FindingFn, userdata: Handle, events: *mut u64, damaged: *mut u64, err: *mut Detail) -> Status;
    efile_compact(file: Handle, start: u64, end: u64, on_progress: ProgressFn, userdata: Handle, bytes_before: *mut u64, bytes_after: *mut u64,
        err: *mut Detail) -> Status;
    efile_snapshot(file: Handle, dir: *const c_char, dir_len: usize, on_progress: ProgressFn, userdata: Handle, seq: *mut u64,
        bytes_copied: *mut u64, bytes_linked: *mut u64, damaged: *mut u64, stopped: *mut i32, err: *mut Detail) -> Status;
    efile_digest(file: Handle, start: u64, end: u64, width_ns: u64, buckets: *mut u64, capacity_buckets: usize, n_buckets: *mut usize,
        horizon: *mut u64, err: *mut Detail) -> Status;
    efile_repair(to: Handle, from: Handle, start: u64, end: u64, flags: u32, on_gap: GapFn, on_progress: ProgressFn, userdata: Handle,
        values: *mut u64, capacity: usize, n: *mut usize, err: *mut Detail) -> Status;
    efile_exchange_begin(file: Handle, start: u64, end: u64, flags: u32, exchange: *mut Handle, err: *mut Detail) -> Status;
    efile_answer(file: Handle, message: *const u8, len: usize, reply: *mut Handle, err: *mut Detail) -> Status;
    efile_export_begin(file: Handle, start: u64, end: u64, flags: u32, limit: u64, export: *mut Handle, err: *mut Detail) -> Status;
    efile_import(file: Handle, parcel: *const u8, len: usize, last_seq: *mut u64, stored: *mut u64, present: *mut u64, expired: *mut u64,
        err: *mut Detail) -> Status;
    estore_digest_differences(start: u64, end: u64, width_ns: u64, one: *const u64, one_horizon: u64, other: *const u64,
        other_horizon: u64, n_buckets: usize, bounds: *mut u64, capacity_ranges: usize, ranges: *mut usize, err: *mut Detail) -> Status;
    estore_exchange_request(exchange: Handle, message: *mut Handle, err: *mut Detail) -> Status;
    estore_exchange_reply(exchange: Handle, reply: *const u8, len: usize, err: *mut Detail) -> Status;
    estore_exchange_repaired(exchange: Handle, on_gap: GapFn, userdata: Handle, values: *mut u64, capacity: usize, n: *mut usize,
        err: *mut Detail) -> Status;
    estore_exchange_close(exchange: *mut Handle, err: *mut Detail) -> Status;
    estore_export_next(export: Handle, max_bytes: usize, parcel: *mut Handle, err: *mut Detail) -> Status;
    estore_export_snapshot_seq(export: Handle, seq: *mut u64, err: *mut Detail) -> Status;
    estore_export_gaps(export: Handle, on_gap: GapFn, userdata: Handle, n: *mut usize, err: *mut Detail) -> Status;
    estore_export_close(export: *mut Handle, err: *mut Detail) -> Status;
    estore_bytes_view(bytes: Handle, data: *mut *const u8, len: *mut usize, err: *mut Detail) -> Status;
    estore_bytes_free(bytes: *mut Handle) -> Status;
    efile_close(file: *mut Handle, err: *mut Detail) -> Status;
    efile_destroy(path: *const c_char, path_len: usize, options: Handle, err: *mut Detail) -> Status;
}

/// What the header says.
pub struct Header {
    /// Its constants that are small numbers.
    numbers: BTreeMap<&'static str, i64>,
    /// The statuses that each function may answer with.
    statuses: BTreeMap<&'static str, BTreeSet<Status>>,
}

impl Header {
    /// The header, read once. Ends the run if it declares other functions than this module.
    pub fn get() -> &'static Header {
        static HEADER: OnceLock<Header> = OnceLock::new();
        HEADER.get_or_init(|| {
            let header = Header::read(include_str!("../../include/estore.h"));
            let declared: BTreeSet<&str> = header.statuses.keys().copied().collect();
            assert_eq!(declared, NAMES.iter().copied().collect(), "the functions of the header are those that are called here");
            header
        })
    }

    fn read(text: &'static str) -> Header {
        let defines = text.lines().filter_map(|line| line.strip_prefix("#define "));
        let numbers = defines.filter_map(|line| line.split_once(' ')).filter_map(|(name, number)| Some((name, number.parse().ok()?)));
        let mut header = Header { numbers: numbers.collect(), statuses: BTreeMap::new() };
        let mut comment = String::new();
        for line in text.lines() {
            if line.starts_with("/**") {
                comment.clear();
            } else if let Some(text) = line.strip_prefix(" *") {
                comment.push_str(text);
            } else if let Some((before, _)) = line.split_once('(')
                && !line.starts_with([' ', '#', '/', '}'])
                && !line.starts_with("typedef")
            {
                let name = before.rsplit([' ', '*']).next().unwrap_or_default();
                let listed = comment.split_once("Statuses:").and_then(|(_, rest)| rest.split_once("Since:")).unwrap_or_default().0;
                let words = listed.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                header.statuses.insert(name, words.filter_map(|word| header.numbers.get(word)).map(|&number| number as Status).collect());
            }
        }
        header
    }

    /// The number of a constant.
    pub fn number(&self, name: &str) -> i64 {
        *self.numbers.get(name).unwrap_or_else(|| panic!("the header has no {name}"))
    }

    pub fn status(&self, name: &str) -> Status {
        self.number(name) as Status
    }

    /// Whether a function's comment names this status.
    pub fn lists(&self, function: &str, status: Status) -> bool {
        self.statuses.get(function).is_some_and(|statuses| statuses.contains(&status))
    }
}
