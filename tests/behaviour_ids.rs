//! Event ids: two threads, or a process and its forked child, don't draw the same ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // forks

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::thread;

use estore::{Event, event_id};

fn draw(n: usize) -> Vec<u32> {
    (0..n).map(|_| event_id()).collect()
}

/// How many ids come more than once. By chance, `n` ids share some `n * n / 2^33`.
fn repeats(ids: &[u32]) -> usize {
    ids.len() - ids.iter().collect::<HashSet<_>>().len()
}

#[test]
fn threads_draw_different_ids() {
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| draw(20_000))).collect();
    let ids: Vec<u32> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(repeats(&ids) < 40, "{} repeats in {} ids; chance gives 3", repeats(&ids), ids.len());
}

#[test]
fn ids_are_spread_evenly() {
    let ids = draw(64_000);
    for bit in 0..32 {
        let set = ids.iter().filter(|id| **id >> bit & 1 == 1).count();
        assert!((31_000..33_000).contains(&set), "bit {bit} is set in {set} of 64000 ids");
    }
}

/// Ids that a forked child draws, in the middle of this thread's drawing.
fn draw_in_forked_child(n: usize) -> Vec<u32> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has place for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    let [from, to] = ends;
    // SAFETY: the child draws ids, which takes no lock and allocates nothing, and calls write and _exit, safe after a fork.
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            for _ in 0..n {
                let bytes = event_id().to_le_bytes();
                libc::write(to, bytes.as_ptr().cast(), bytes.len());
            }
            libc::_exit(0);
        }
        pid
    };
    assert!(pid > 0, "a fork");
    // SAFETY: pipe has just opened both descriptors, and nobody else has them.
    let (from, to) = unsafe { (OwnedFd::from_raw_fd(from), OwnedFd::from_raw_fd(to)) };
    drop(to);
    let mut bytes = Vec::new();
    File::from(from).read_to_end(&mut bytes).unwrap();
    // SAFETY: `pid` is a child of this process; a null status is allowed.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
    let ids: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
    assert_eq!(ids.len(), n);
    ids
}

#[test]
fn forked_children_draw_other_ids_than_their_parent_and_each_other() {
    let mut ids = draw(1000);
    for _ in 0..5 {
        ids.extend(draw_in_forked_child(1000));
    }
    ids.extend(draw(1000));
    assert!(repeats(&ids) < 5, "{} repeats in {} ids; chance gives none", repeats(&ids), ids.len());
}

#[test]
fn an_event_made_now_has_the_time_and_an_id_of_its_own() {
    let before = estore::now();
    let (a, b) = (Event::now("same"), Event::now("same"));
    let after = estore::now();
    assert!(a.time >= before && b.time <= after.max(a.time));
    assert_eq!((a.seq, a.data.as_slice()), (0, b"same".as_slice()));
    // One pair may share an id by chance, once in four billion runs; three may not.
    let c = Event::at(7, "same");
    assert!(a.id != b.id || b.id != c.id);
    assert_eq!(c.time, 7);
}
