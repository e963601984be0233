//! Memory: a million events of one equal time are read in both directions in that of a few frames, and what no index file is to have is not
//! kept for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // an allocator that counts

#[path = "common/allocated.rs"]
mod allocated;
mod common;

use allocated::{alone, grown_by, most_allocated};
use common::event;
use common::place::Place;
use estore::{Durability, Event, ReadOptions, Reader, Sizes, Store};

/// Events are numbered in their data; counts them, and fails unless the numbers go by `step`.
fn check_numbers(mut reader: Reader, first: u64, step: i64) -> u64 {
    let (mut wanted, mut read) = (first, 0);
    let mut last_seq = None;
    loop {
        let batch = reader.next_batch(1000).unwrap();
        if batch.is_empty() {
            return read;
        }
        for event in batch {
            assert_eq!(event.data[..8], wanted.to_le_bytes(), "event {read} that was read");
            assert!(last_seq.is_none_or(|last| if step > 0 { event.seq > last } else { event.seq < last }));
            last_seq = Some(event.seq);
            wanted = wanted.wrapping_add_signed(step);
            read += 1;
        }
    }
}

#[test]
fn a_million_events_of_one_time_in_both_directions() {
    const N: u64 = 1_000_000;
    const LIMIT: usize = 6 << 20;
    let _alone = alone();
    for late in [false, true] {
        let place = Place::real();
        let options = || place.options().grace(1).durability(Durability::Process);
        let store = Store::open(&place.path, options()).unwrap();
        if late {
            // From here on, the others are behind their chunk's newest.
            let newer: Vec<Event> = (0..10).map(|_| event(2_000_000, 1, "newer")).collect();
            store.append(&newer).unwrap();
            store.append(&newer).unwrap();
        }
        for i in 0..N / 1000 {
            let batch: Vec<Event> = (i * 1000..i * 1000 + 1000).map(|i| event(1_000_000, 1, [i.to_le_bytes(), [7; 8]].concat())).collect();
            store.append(&batch).unwrap();
        }
        for opened_again in [false, true] {
            let store = if opened_again {
                store.close().unwrap();
                &Store::open(&place.path, options()).unwrap()
            } else {
                &store
            };
            let about = format!("late: {late}, opened again: {opened_again}");
            let (read, most) = most_allocated(|| check_numbers(store.read(1_000_000..=1_000_000).unwrap(), 0, 1));
            assert_eq!(read, N);
            assert!(most < LIMIT, "reading forward took {most} bytes at once, {about}");
            let backward = ReadOptions::new().reverse();
            let (read, most) = most_allocated(|| check_numbers(store.read_with(..=1_000_000, backward).unwrap(), N - 1, -1));
            assert_eq!(read, N);
            assert!(most < LIMIT, "reading backward took {most} bytes at once, {about}");
            let (count, most) = most_allocated(|| store.count(1_000_000..=1_000_000).unwrap());
            assert_eq!(count, N);
            assert!(most < LIMIT, "counting took {most} bytes at once, {about}");
            let last_ten = ReadOptions::new().last(10);
            let (read, most) = most_allocated(|| check_numbers(store.read_with(..=1_000_000, last_ten).unwrap(), N - 10, 1));
            assert_eq!(read, 10);
            assert!(most < LIMIT, "the last ten took {most} bytes at once, {about}");
        }
    }
}

#[test]
fn late_events_take_no_memory_for_an_index_that_is_not_written() {
    const SORTS: u64 = 6000;
    const LIMIT: usize = 150 << 10;
    let _alone = alone();
    let place = Place::real();
    // Each late event is sorted by itself, into frames of many, so that hardly anything else grows with the log.
    let sizes = Sizes { pending_bytes: 1, run_frame_bytes: 1 << 10, ..Sizes::default() };
    let options = place.options().grace(1).durability(Durability::Process).compaction(false).no_index(true).sizes(sizes);
    let store = Store::open(&place.path, options).unwrap();
    store.append(&[event(2_000_000, 1, "newer"), event(2_000_000, 2, "newer")]).unwrap();
    let append = |times: std::ops::Range<u64>| times.for_each(|time| assert!(store.append(&[event(time, 1, "")]).is_ok()));
    // What is used again and again.
    append(0..SORTS / 2);
    let ((), grown) = grown_by(|| append(SORTS / 2..SORTS / 2 + SORTS));
    assert!(grown < LIMIT, "{grown} bytes more are in use after {SORTS} late events");
    assert_eq!(place.names(".recon"), ["0-0.recon"]);
}
