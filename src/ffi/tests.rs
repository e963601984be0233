//! The promises of the C layer that need its insides: the header is the code's, each comment is whole, no panic gets out.

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int};
use std::path::Path;
use std::{fs, ptr};

use super::bytes::*;
use super::digest::*;
use super::efile::*;
use super::error::{ESTORE_ERROR_MESSAGE_LEN, ESTORE_NO_OFFSET, estore_error};
use super::event::*;
use super::exchange::*;
use super::export::*;
use super::iter::*;
use super::options::*;
use super::panics::{PANIC_NEXT, is_quiet};
use super::stats::*;
use super::status::*;
use super::store::*;

fn header() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/estore.h")).unwrap_or_default()
}

/// Each function of the header with its comment.
fn functions() -> Vec<(String, String)> {
    let (mut functions, mut comment) = (Vec::new(), String::new());
    for line in header().lines() {
        if line.starts_with("/**") {
            comment.clear();
        } else if let Some(text) = line.strip_prefix(" *") {
            comment.push_str(text.trim_start());
            comment.push('\n');
        } else if let Some((before, _)) = line.split_once('(')
            && !line.starts_with([' ', '#', '/', '}'])
            && !line.starts_with("typedef")
        {
            let name = before.rsplit([' ', '*']).next().unwrap_or_default();
            functions.push((name.to_owned(), comment.clone()));
        }
    }
    functions
}

#[test]
#[cfg(feature = "header")]
fn the_committed_header_is_the_generated_one() {
    let made = fs::read_to_string(concat!(env!("OUT_DIR"), "/estore.h")).unwrap_or_default();
    assert!(
        made == header() && !made.is_empty(),
        "include/estore.h does not fit src/ffi; ESTORE_WRITE_HEADER=1 cargo build --features header"
    );
}

#[test]
fn each_function_is_described_in_one_order() {
    let functions = functions();
    assert!(functions.len() > 40, "only {} functions were found", functions.len());
    for (name, comment) in functions {
        let mut at = 0;
        for part in ["Arguments:", "Returns:", "Ownership:", "Threads:", "Statuses:", "Since:"] {
            let found = comment.find(&format!("\n{part} "));
            assert!(found.is_some_and(|found| found > at), "{name}: no \"{part}\" in its comment, or not in its place");
            at = found.unwrap_or_default();
        }
    }
}

/// Names of types, which are no functions.
const TYPES: [&str; 12] = [
    "estore_status",
    "estore_error",
    "estore_event",
    "estore_iter",
    "estore_options",
    "estore_exchange",
    "estore_export",
    "estore_bytes",
    "estore_log_fn",
    "estore_finding_fn",
    "estore_gap_fn",
    "estore_progress_fn",
];

#[test]
fn the_comments_are_for_c_readers_and_name_what_exists() {
    let header = header();
    let declared: BTreeSet<String> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .chain(functions().into_iter().map(|(name, _)| name))
        .collect();
    for line in header.lines().filter(|line| line.trim_start().starts_with('*')) {
        for mark in ["`", "[", "::", "# ", "Option<", "Err("] {
            assert!(!line.contains(mark) || line.contains("#include"), "Rust or markdown in the header: {line}");
        }
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let constant = word.starts_with("ESTORE_") && !word.ends_with('_');
            let function = (word.starts_with("estore_") || word.starts_with("efile_")) && !word.ends_with('_') && !TYPES.contains(&word);
            assert!(!(constant || function) || declared.contains(word), "{word} does not exist: {line}");
        }
    }
}

#[test]
fn statuses_have_texts_and_numbers_of_their_own() {
    let header = header();
    let numbers: Vec<i32> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define ESTORE_"))
        .filter(|line| ["OK ", "END ", "TIMEOUT ", "GAP ", "ERR_"].iter().any(|name| line.starts_with(name)))
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    assert_eq!(numbers.len(), 28);
    // SAFETY: estore_strerror returns static texts.
    let text = |status| unsafe { CStr::from_ptr(estore_strerror(status)) };
    let texts: BTreeSet<&CStr> = numbers.iter().map(|&status| text(status)).collect();
    assert_eq!(texts.len(), numbers.len());
    for unknown in [4, -25, i32::MIN, i32::MAX] {
        assert_eq!(text(unknown), c"unknown status");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let numbers = [ESTORE_VERSION_MAJOR, ESTORE_VERSION_MINOR, ESTORE_VERSION_PATCH].map(|n| n.to_string()).join(".");
    assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
    // SAFETY: a static text.
    assert_eq!(unsafe { CStr::from_ptr(estore_version()) }.to_str(), Ok(env!("CARGO_PKG_VERSION")));
    assert_eq!(estore_version_number(), ESTORE_VERSION_NUMBER);
}

#[test]
fn panics_unwind() {
    const { assert!(cfg!(panic = "unwind"), "the guard catches nothing when a panic aborts") };
}

/// Handles of every kind, and places for every output.
struct Fixture {
    path: Vec<u8>,
    store: *mut estore,
    file: *mut efile,
    descriptor: c_int,
    store_iter: *mut estore_iter,
    file_iter: *mut estore_iter,
    exchange: *mut estore_exchange,
    export: *mut estore_export,
    bytes: *mut estore_bytes,
    options: *mut estore_options,
    event: estore_event,
    number: u64,
    numbers: [u64; 3],
    size: usize,
    data: *const u8,
    err: estore_error,
    _folder: Option<tempfile::TempDir>,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().ok();
        let path = folder.as_ref().map(|folder| folder.path().to_owned()).unwrap_or_default();
        let bytes = |name: &str| path.join(name).into_os_string().into_encoded_bytes();
        let mut fixture = Fixture::nulls();
        let f = &mut fixture;
        (f.path, f.options, f._folder) = (bytes("another"), estore_options_new(), folder);
        let (store, file) = (bytes("store"), bytes("efile"));
        // SAFETY: every pointer is that of a local.
        unsafe {
            let data = b"abc";
            assert_eq!(estore_event_init(&mut f.event, data.as_ptr(), data.len()), ESTORE_OK);
            assert_eq!(estore_open(store.as_ptr().cast(), store.len(), ptr::null(), &mut f.store, &mut f.err), ESTORE_OK);
            assert_eq!(efile_open(file.as_ptr().cast(), file.len(), ptr::null(), &mut f.file, &mut f.err), ESTORE_OK);
            assert_eq!(estore_append(f.store, &f.event, 1, ptr::null_mut(), &mut f.err), ESTORE_OK);
            assert_eq!(efile_append(f.file, &f.event, 1, ptr::null_mut(), &mut f.err), ESTORE_OK);
            assert_eq!(estore_read_iter(f.store, 0, u64::MAX, 0, 0, &mut f.store_iter, &mut f.err), ESTORE_OK);
            assert_eq!(efile_read_iter(f.file, 0, u64::MAX, 0, 0, &mut f.file_iter, &mut f.err), ESTORE_OK);
            assert_eq!(estore_exchange_begin(f.store, 0, u64::MAX, 0, &mut f.exchange, &mut f.err), ESTORE_OK);
            assert_eq!(estore_export_begin(f.store, 0, u64::MAX, 0, 0, &mut f.export, &mut f.err), ESTORE_OK);
            assert_eq!(estore_export_next(f.export, 1, &mut f.bytes, &mut f.err), ESTORE_OK);
        }
        fixture
    }

    fn nulls() -> Fixture {
        Fixture {
            path: Vec::new(),
            store: ptr::null_mut(),
            file: ptr::null_mut(),
            descriptor: -1,
            store_iter: ptr::null_mut(),
            file_iter: ptr::null_mut(),
            exchange: ptr::null_mut(),
            export: ptr::null_mut(),
            bytes: ptr::null_mut(),
            options: ptr::null_mut(),
            event: estore_event { time: 0, seq: 0, data: ptr::null(), len: 0, id: 0 },
            number: 0,
            numbers: [0; 3],
            size: 0,
            data: ptr::null(),
            err: estore_error { status: 0, os_errno: 0, offset: 0, message: [0; ESTORE_ERROR_MESSAGE_LEN] },
            _folder: None,
        }
    }

    fn message(&self) -> String {
        // SAFETY: always NUL-terminated.
        unsafe { CStr::from_ptr(self.err.message.as_ptr()) }.to_string_lossy().into_owned()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // SAFETY: the handles are live, or NULL after a call that closed them.
        unsafe {
            estore_iter_close(&mut self.store_iter, ptr::null_mut());
            estore_iter_close(&mut self.file_iter, ptr::null_mut());
            estore_exchange_close(&mut self.exchange, ptr::null_mut());
            estore_export_close(&mut self.export, ptr::null_mut());
            estore_bytes_free(&mut self.bytes);
            estore_close(&mut self.store, ptr::null_mut());
            efile_close(&mut self.file, ptr::null_mut());
            estore_options_free(&mut self.options);
        }
    }
}

/// A call of one function with good arguments.
type Call = unsafe fn(&mut Fixture) -> estore_status;

fn text(path: &[u8]) -> *const c_char {
    path.as_ptr().cast()
}

/// Every function that answers with a status; whether it reports into an `estore_error`; and a call of it.
fn fallible() -> Vec<(&'static str, bool, Call)> {
    // SAFETY (of each call): the fixture's handles are live, the other pointers are those of its fields.
    macro_rules! calls {
        ($($name:ident $err:literal |$f:ident| ($($argument:expr),*);)*) => {
            vec![$((stringify!($name), $err, {
                #[allow(unused_variables)]
                unsafe fn call($f: &mut Fixture) -> estore_status {
                    // SAFETY: see above.
                    unsafe { $name($($argument),*) }
                }
                call as Call
            })),*]
        };
    }
    calls! {
        estore_event_init false |f| (&mut f.event, b"x".as_ptr(), 1);
        estore_duration_parse true |f| (c"1d".as_ptr(), 2, &mut f.number, &mut f.err);
        estore_options_set_mode false |f| (f.options, 0);
        estore_options_set_durability false |f| (f.options, 0, 0);
        estore_options_set_file_size_ns false |f| (f.options, 1);
        estore_options_set_grace_ns false |f| (f.options, 1);
        estore_options_set_max_event_len false |f| (f.options, 1);
        estore_options_set_max_new_chunks false |f| (f.options, 1);
        estore_options_set_max_open_logs false |f| (f.options, 1);
        estore_options_set_buffer false |f| (f.options, 1, 1);
        estore_options_set_no_index false |f| (f.options, 1);
        estore_options_set_background false |f| (f.options, 1);
        estore_options_set_compaction false |f| (f.options, 1);
        estore_options_set_max_age_ns false |f| (f.options, 0);
        estore_options_set_max_bytes false |f| (f.options, 0);
        estore_options_set_compression true |f| (f.options, 1, &mut f.err);
        estore_options_set_log false |f| (f.options, None, ptr::null_mut());
        estore_options_free false |f| (&mut f.options);
        estore_open true |f| (text(&f.path), f.path.len(), f.options, &mut f.store, &mut f.err);
        estore_append true |f| (f.store, &f.event, 1, &mut f.number, &mut f.err);
        estore_append_absent true |f| (f.store, &f.event, 1, &mut f.number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        estore_sync true |f| (f.store, &mut f.number, &mut f.err);
        estore_tick true |f| (f.store, &mut f.err);
        estore_last_seq true |f| (f.store, &mut f.number, &mut f.err);
        estore_durable_seq true |f| (f.store, &mut f.number, &mut f.err);
        estore_read_iter true |f| (f.store, 0, 1, 0, 0, &mut f.store_iter, &mut f.err);
        estore_tail_iter true |f| (f.store, 0, &mut f.store_iter, &mut f.err);
        estore_count true |f| (f.store, 0, 1, &mut f.number, &mut f.err);
        estore_stats true |f| (f.store, &mut f.number, 1, &mut f.size, &mut f.err);
        estore_verify true |f| (f.store, None, ptr::null_mut(), &mut f.number, ptr::null_mut(), &mut f.err);
        estore_compact true |f| (f.store, 0, 1, None, ptr::null_mut(), &mut f.number, ptr::null_mut(), &mut f.err);
        estore_snapshot true |f| (f.store, text(&f.path), f.path.len(), None, ptr::null_mut(), &mut f.number, ptr::null_mut(),
            ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        estore_digest true |f| (f.store, 0, 1, 2, f.numbers.as_mut_ptr(), 1, &mut f.size, &mut f.number, &mut f.err);
        estore_repair true |f| (f.store, f.store, 0, 1, 0, None, None, ptr::null_mut(), &mut f.number, 1, &mut f.size, &mut f.err);
        estore_exchange_begin true |f| (f.store, 0, 1, 0, &mut f.exchange, &mut f.err);
        estore_answer true |f| (f.store, f.data, 0, &mut f.bytes, &mut f.err);
        estore_export_begin true |f| (f.store, 0, 1, 0, 0, &mut f.export, &mut f.err);
        estore_import true |f| (f.store, f.data, 0, &mut f.number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        estore_splits true |f| (f.store, 0, 1, ptr::null_mut(), 0, &mut f.number, &mut f.err);
        estore_delete_before true |f| (f.store, 1, &mut f.err);
        estore_retain true |f| (f.store, 1, 1, 0, &mut f.number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        estore_close true |f| (&mut f.store, &mut f.err);
        estore_destroy true |f| (text(&f.path), f.path.len(), f.options, &mut f.err);
        estore_iter_next true |f| (f.store_iter, &mut f.event, &mut f.err);
        estore_iter_next_batch true |f| (f.store_iter, &mut f.event, 1, &mut f.size, &mut f.err);
        estore_iter_next_columns true |f| (f.store_iter, &mut f.number, &mut f.number, ptr::null_mut(), ptr::null_mut(), 1, ptr::null_mut(), 0, &mut f.size, &mut f.size, &mut f.err);
        estore_iter_wait true |f| (f.store_iter, 0, &mut f.err);
        estore_iter_fd true |f| (f.store_iter, &mut f.descriptor, &mut f.err);
        estore_iter_snapshot_seq true |f| (f.store_iter, &mut f.number, &mut f.err);
        estore_iter_gaps true |f| (f.store_iter, None, ptr::null_mut(), &mut f.size, &mut f.err);
        estore_iter_close true |f| (&mut f.store_iter, &mut f.err);
        efile_open true |f| (text(&f.path), f.path.len(), f.options, &mut f.file, &mut f.err);
        efile_append true |f| (f.file, &f.event, 1, &mut f.number, &mut f.err);
        efile_append_absent true |f| (f.file, &f.event, 1, &mut f.number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        efile_sync true |f| (f.file, &mut f.number, &mut f.err);
        efile_tick true |f| (f.file, &mut f.err);
        efile_last_seq true |f| (f.file, &mut f.number, &mut f.err);
        efile_durable_seq true |f| (f.file, &mut f.number, &mut f.err);
        efile_read_iter true |f| (f.file, 0, 1, 0, 0, &mut f.file_iter, &mut f.err);
        efile_tail_iter true |f| (f.file, 0, &mut f.file_iter, &mut f.err);
        efile_count true |f| (f.file, 0, 1, &mut f.number, &mut f.err);
        efile_stats true |f| (f.file, &mut f.number, 1, &mut f.size, &mut f.err);
        efile_verify true |f| (f.file, None, ptr::null_mut(), &mut f.number, ptr::null_mut(), &mut f.err);
        efile_compact true |f| (f.file, 0, 1, None, ptr::null_mut(), &mut f.number, ptr::null_mut(), &mut f.err);
        efile_snapshot true |f| (f.file, text(&f.path), f.path.len(), None, ptr::null_mut(), &mut f.number, ptr::null_mut(),
            ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        efile_digest true |f| (f.file, 0, 1, 2, f.numbers.as_mut_ptr(), 1, &mut f.size, &mut f.number, &mut f.err);
        efile_repair true |f| (f.file, f.file, 0, 1, 0, None, None, ptr::null_mut(), &mut f.number, 1, &mut f.size, &mut f.err);
        efile_exchange_begin true |f| (f.file, 0, 1, 0, &mut f.exchange, &mut f.err);
        efile_answer true |f| (f.file, f.data, 0, &mut f.bytes, &mut f.err);
        efile_export_begin true |f| (f.file, 0, 1, 0, 0, &mut f.export, &mut f.err);
        efile_import true |f| (f.file, f.data, 0, &mut f.number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut f.err);
        estore_digest_differences true |f| (0, 1, 2, f.numbers.as_ptr(), 0, f.numbers.as_ptr(), 0, 1, ptr::null_mut(), 0, &mut f.size, &mut f.err);
        estore_exchange_request true |f| (f.exchange, &mut f.bytes, &mut f.err);
        estore_exchange_reply true |f| (f.exchange, f.data, 0, &mut f.err);
        estore_exchange_repaired true |f| (f.exchange, None, ptr::null_mut(), &mut f.number, 1, &mut f.size, &mut f.err);
        estore_exchange_close true |f| (&mut f.exchange, &mut f.err);
        estore_export_next true |f| (f.export, 1, &mut f.bytes, &mut f.err);
        estore_export_snapshot_seq true |f| (f.export, &mut f.number, &mut f.err);
        estore_export_gaps true |f| (f.export, None, ptr::null_mut(), &mut f.size, &mut f.err);
        estore_export_close true |f| (&mut f.export, &mut f.err);
        estore_bytes_view true |f| (f.bytes, &mut f.data, &mut f.size, &mut f.err);
        estore_bytes_free false |f| (&mut f.bytes);
        efile_close true |f| (&mut f.file, &mut f.err);
        efile_destroy true |f| (text(&f.path), f.path.len(), f.options, &mut f.err);
    }
}

/// Functions that can't fail: they answer with a value or a static text.
const INFALLIBLE: [&str; 7] = [
    "estore_strerror",
    "estore_version",
    "estore_version_number",
    "estore_now",
    "estore_event_id",
    "estore_options_new",
    "estore_stat_name",
];

#[test]
fn the_tables_here_hold_every_function() {
    let here: BTreeSet<String> = fallible().iter().map(|(name, ..)| *name).chain(INFALLIBLE).map(str::to_owned).collect();
    let there: BTreeSet<String> = functions().into_iter().map(|(name, _)| name).collect();
    assert_eq!(here, there);
}

#[test]
fn a_panic_becomes_a_status_and_ends_the_handle() {
    for (name, reports, call) in fallible() {
        let mut f = Fixture::new();
        PANIC_NEXT.set(true);
        // SAFETY: see `fallible`.
        let status = unsafe { call(&mut f) };
        assert_eq!(status, ESTORE_ERR_PANIC, "{name}");
        assert!(!PANIC_NEXT.get(), "{name} did not come to the panic");
        if reports {
            assert_eq!(f.err.status, ESTORE_ERR_PANIC, "{name}");
            assert_eq!(f.err.offset, ESTORE_NO_OFFSET, "{name}");
            assert!(f.message().contains("injected by a test") && f.message().contains("panics.rs:"), "{name}: {}", f.message());
        }
        // What has no handle works again; a handle stays closed to all but closing, which has made its variable NULL.
        match name {
            // SAFETY: live, and the call below makes the variable a handle again.
            "estore_open" => _ = unsafe { estore_close(&mut f.store, ptr::null_mut()) },
            // SAFETY: as above.
            "efile_open" => _ = unsafe { efile_close(&mut f.file, ptr::null_mut()) },
            _ => {}
        }
        // SAFETY: see `fallible`.
        let again = unsafe { call(&mut f) };
        let expected = match name {
            "estore_event_init" | "estore_duration_parse" | "estore_options_free" | "estore_bytes_free" => ESTORE_OK,
            "estore_digest_differences" => ESTORE_OK,
            "estore_open" | "efile_open" | "estore_close" | "efile_close" | "estore_iter_close" => ESTORE_OK,
            "estore_exchange_close" | "estore_export_close" => ESTORE_OK,
            "estore_destroy" | "efile_destroy" => ESTORE_ERR_NOT_FOUND,
            _ => ESTORE_ERR_PANIC,
        };
        assert_eq!(again, expected, "{name}: {}", f.message());
    }
}

#[test]
fn a_panic_of_a_thread_of_ours_prints_nothing() {
    assert!(!is_quiet());
    let thread = crate::disk::process::spawn("own", || assert!(is_quiet()));
    assert!(thread.is_ok_and(|thread| thread.join().is_ok()));
}

#[test]
fn options_that_cannot_be_made_are_null() {
    PANIC_NEXT.set(true);
    assert!(estore_options_new().is_null());
}

#[test]
fn every_number_of_stats_is_answered_once() {
    let mut f = Fixture::new();
    let mut values = [u64::MAX; ESTORE_STAT_COUNT + 1];
    // SAFETY: see `fallible`.
    let status = unsafe { estore_stats(f.store, values.as_mut_ptr(), values.len(), &mut f.size, &mut f.err) };
    assert_eq!((status, f.size), (ESTORE_OK, ESTORE_STAT_COUNT));
    assert_eq!(values[ESTORE_STAT_EVENTS], 1);
    assert_eq!(values[ESTORE_STAT_COUNT], u64::MAX, "written past the known numbers");
}
