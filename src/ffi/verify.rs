//! What verifying and salvaging tell, as callbacks: each finding and each gap goes to a function of the caller.

use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{Finding, FindingKind, Gap};

/// Kind of a finding: bytes that count are not what was written. Events are lost, or may be.
pub const ESTORE_FINDING_DAMAGE: i32 = 1;
/// Kind of a finding: an index or recon file is not what it should be. Nothing is lost; the file is not believed and is made anew.
pub const ESTORE_FINDING_DERIVED: i32 = 2;
/// Kind of a finding: bytes that don't count. A recovery cut them off and kept them for a person to look at.
pub const ESTORE_FINDING_ASIDE: i32 = 3;

/// Receives what verifying a store finds. kind is one of the ESTORE_FINDING_ constants. path is the file. offset and len are the bytes of
/// the file that it concerns; len is 0 where it is not a matter of bytes. what says in words what was found. path and what are valid
/// during the call only, with path_len and what_len bytes without the NUL at the end of each. Comes from the thread that calls the library.
/// Answers 0 to go on, anything else to end the walk. It may call functions on the same store except for closing it, and must not throw
/// or leave by longjmp.
pub type estore_finding_fn = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        kind: i32,
        path: *const c_char,
        path_len: usize,
        offset: u64,
        len: u64,
        what: *const c_char,
        what_len: usize,
    ) -> i32,
>;

/// Receives what is missing because it is damaged, for a salvaging iterator or export, a repair and an exchange. path is the damaged file,
/// offset and len are its bytes that were left out. No event that is missing is older than first_time nor newer than last_time. what says
/// in words what is wrong with the bytes. path and what are valid during the call only, with path_len and what_len bytes without the NUL at
/// the end of each. Comes from the thread that calls the library. It must not use the same iterator, export, exchange or store, throw, or
/// leave by longjmp.
pub type estore_gap_fn = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        path: *const c_char,
        path_len: usize,
        offset: u64,
        len: u64,
        first_time: u64,
        last_time: u64,
        what: *const c_char,
        what_len: usize,
    ),
>;

/// A text for a callback: its bytes, those that are NUL replaced, and a NUL.
pub(super) fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&byte| if byte == 0 { b'?' } else { byte }).chain([0]).collect()
}

fn path_text(path: &Path) -> Vec<u8> {
    text(path.as_os_str().as_bytes())
}

/// Hands a finding to the caller's function.
///
/// # Safety
///
/// `receiver` is a function as the header asks for.
pub(super) unsafe fn tell_finding(receiver: estore_finding_fn, userdata: *mut c_void, finding: &Finding) -> ControlFlow<()> {
    let Some(receiver) = receiver else { return ControlFlow::Continue(()) };
    let kind = match finding.kind {
        FindingKind::Damage => ESTORE_FINDING_DAMAGE,
        FindingKind::Derived => ESTORE_FINDING_DERIVED,
        FindingKind::Aside => ESTORE_FINDING_ASIDE,
    };
    let (path, what) = (path_text(&finding.path), text(finding.what.as_bytes()));
    let Finding { offset, len, .. } = *finding;
    // SAFETY: the caller's promise; the texts live until the call returns.
    let answer =
        unsafe { receiver(userdata, kind, path.as_ptr().cast(), path.len() - 1, offset, len, what.as_ptr().cast(), what.len() - 1) };
    if answer == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// Hands gaps to the caller's function.
///
/// # Safety
///
/// `receiver` is a function as the header asks for.
pub(super) unsafe fn tell_gaps(receiver: estore_gap_fn, userdata: *mut c_void, gaps: &[Gap]) {
    let Some(receiver) = receiver else { return };
    for gap in gaps {
        let (path, what) = (path_text(&gap.path), text(gap.what.as_bytes()));
        let Gap { offset, len, first_time, last_time, .. } = *gap;
        let (path_len, what_len) = (path.len() - 1, what.len() - 1);
        // SAFETY: the caller's promise; the texts live until the call returns.
        unsafe { receiver(userdata, path.as_ptr().cast(), path_len, offset, len, first_time, last_time, what.as_ptr().cast(), what_len) };
    }
}
