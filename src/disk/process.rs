//! What the engine needs of the process itself: its clock, random bytes, whether it was forked, a quiet thread.

#![allow(unsafe_code)] // calls libc

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{io, mem};

use crate::threads::{Builder, JoinHandle};

use super::real;

/// How often this process is the child of a fork, counted from the first call of [`forks`] in an ancestor. A handle remembers the number
/// of its making; where it differs, the handle is a parent's.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The fork generation of this process. Costs two loads; the first call registers the fork handlers.
pub(crate) fn forks() -> u32 {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // SAFETY: the three handlers are functions of this library, which is never unloaded (linked with nodelete), and they only touch
        // atomics and call close(2), so they are safe in a child that has one thread of many.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    });
    FORKS.load(Ordering::Relaxed)
}

extern "C" fn before_fork() {
    real::lock_files_before_fork();
}

extern "C" fn after_fork_in_parent() {
    real::lock_files_after_fork(false);
}

extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    real::lock_files_after_fork(true);
}

/// See [`crate::now`].
pub(crate) fn wall_clock_ns() -> u64 {
    let now = clock(libc::CLOCK_REALTIME);
    u64::try_from(now).unwrap_or(0)
}

pub(crate) fn monotonic_clock_ns() -> u64 {
    u64::try_from(clock(libc::CLOCK_MONOTONIC)).unwrap_or(0)
}

fn clock(id: libc::clockid_t) -> i128 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for one timespec. The call can't fail for these two clocks.
    unsafe { libc::clock_gettime(id, &mut now) };
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// Fills a buffer from the operating system's generator.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        // SAFETY: `rest` is valid for writes of its length.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(n) {
            Ok(n) => done += n,
            Err(_) => {
                let e = io::Error::last_os_error();
                if e.kind() != io::ErrorKind::Interrupted {
                    return Err(e);
                }
            }
        }
    }
    Ok(())
}

/// 128 random bits for a caller that can't fail. Should the system refuse (a kernel before 3.17, a sandbox), time, process and address
/// stand in: still different in each process and thread.
pub(crate) fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    if random(&mut bytes).is_ok() {
        return u128::from_le_bytes(bytes);
    }
    let place = &raw const bytes as usize as u128;
    // SAFETY: getpid has no preconditions.
    let pid = unsafe { libc::getpid() } as u128;
    (u128::from(wall_clock_ns()) << 64) ^ (u128::from(monotonic_clock_ns()) << 32) ^ (pid << 96) ^ place
}

/// The number of this process, for messages.
pub(crate) fn id() -> u32 {
    std::process::id()
}

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of the library's own.
pub(crate) fn is_own_thread() -> bool {
    OWN.try_with(Cell::get).unwrap_or(false)
}

/// Starts a thread that blocks every signal, so that a host program's handlers never run on it.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let body = move || {
        OWN.set(true);
        body();
    };
    // SAFETY: sigset_t is plain data, for which zeros are valid; sigfillset and pthread_sigmask get valid pointers to two of them. The
    // mask of this thread is put back before returning.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        let mut before: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let spawned = Builder::new().name(name.to_owned()).spawn(body);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        spawned
    }
}
