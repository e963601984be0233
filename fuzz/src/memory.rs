//! An allocator that ends the run when the engine asks for too much: without a sanitizer libFuzzer sees no allocations of its own accord.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering};

/// No input is longer than some 16 KiB, and no piece of work of the engine sets aside more than a few MiB.
const ONE: usize = 24 << 20;
const ALL: usize = 64 << 20;

struct Bounded;

static NOW: AtomicUsize = AtomicUsize::new(0);
/// What may be allocated at once; no bound outside of [`bounded`].
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

fn check(size: usize) {
    let now = NOW.fetch_add(size, Ordering::Relaxed) + size;
    let most = MOST.load(Ordering::Relaxed);
    if most != usize::MAX && (size > ONE || now > most) {
        // From here on there is no bound, since telling where it happened allocates.
        MOST.store(usize::MAX, Ordering::Relaxed);
        eprintln!("{size} bytes allocated at once, {now} in all: more than any input needs\n{}", Backtrace::force_capture());
        abort();
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of this very call.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// Makes the system's allocator keep what it has: to give memory back and fetch it again, for each input, takes more time than the input.
pub fn keep_memory() {
    // SAFETY: both only set numbers of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
    }
}

/// Runs `work`, which may have no more than 64 MiB at once beyond what there is already, and no single piece of more than 24 MiB.
pub fn bounded<T>(work: impl FnOnce() -> T) -> T {
    MOST.store(NOW.load(Ordering::Relaxed).saturating_add(ALL), Ordering::Relaxed);
    let result = work();
    MOST.store(usize::MAX, Ordering::Relaxed);
    result
}
