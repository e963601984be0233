//! Tailing: every event once, in order of arrival, from any cursor on, whatever becomes of the files; and waiting for more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)] // polls descriptors

mod common;
#[macro_use]
#[path = "common/forward.rs"]
mod forward;

use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::place::Place;
use common::rng::Rng;
use common::{drain, event, events_at, frames};
use estore::disk::{Access, Crash, Disk, File, RealDisk, Watch};
use estore::{Durability, Efile, Error, Event, EventRef, Mode, Options, Store, Tail, Tailed};

fn options(place: &Place) -> Options {
    place.options().file_size(1000).grace(10).durability(Durability::Process)
}

fn open(place: &Place) -> Store {
    Store::open(&place.path, options(place)).expect("the store opens")
}

fn beside(place: &Place) -> Store {
    Store::open(&place.path, options(place).mode(Mode::ReadOnly)).expect("a store opens beside its writer")
}

/// What a tail has for now, by batches of up to `max`, and how many gaps it told.
fn pull(tail: &mut Tail, max: usize) -> (Vec<Event>, u64) {
    let (mut events, mut gaps) = (Vec::new(), 0);
    loop {
        match tail.next_batch(max).expect("the tail goes on") {
            Tailed::Events(batch) => {
                assert!(batch.len() > 0 && batch.len() <= max);
                let before = events.len();
                events.extend(batch.iter().map(|event: EventRef<'_>| event.to_event()));
                assert_eq!(events.len() - before, batch.len());
            }
            Tailed::Gap => gaps += 1,
            Tailed::Nothing => {
                let last = events.last().map(|event: &Event| event.seq);
                assert!(last.is_none_or(|last| tail.last_seq() == last));
                return (events, gaps);
            }
        }
    }
}

fn events_of(tail: &mut Tail) -> Vec<Event> {
    let (events, gaps) = pull(tail, 100);
    assert_eq!(gaps, 0);
    events
}

/// All events of the store by seq, from behind a cursor on.
fn arrived(store: &Store, after: u64) -> Vec<Event> {
    let mut events = drain(store.read(..).unwrap());
    events.retain(|event| event.seq > after);
    events.sort_by_key(|event| event.seq);
    events
}

/// Batches in any order of time over three chunks, some late, some large.
fn batch(rng: &mut Rng, most: u64) -> Vec<Event> {
    let len = 1 + rng.below(most);
    (0..len)
        .map(|_| {
            let len = if rng.one_in(50) { 20_000 } else { rng.index(60) };
            event(rng.below(3000), rng.below(9) as u32, rng.bytes(len))
        })
        .collect()
}

#[test]
fn events_come_once_in_order_of_arrival_from_any_cursor() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let mut rng = Rng::new(1);
        for _ in 0..60 {
            store.append(&batch(&mut rng, 60)).unwrap();
        }
        let beside = beside(&place);
        for after in (0..store.last_seq()).step_by(97).chain([store.last_seq()]) {
            let expected = arrived(&store, after);
            for handle in [&store, &beside] {
                let max = 1 + rng.index(300);
                assert_eq!(pull(&mut handle.tail(after).unwrap(), max), (expected.clone(), 0), "after {after}");
            }
        }
    }
}

#[test]
fn what_is_appended_is_seen_as_it_arrives() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        let (mut here, mut there) = (store.tail(0).unwrap(), beside.tail(0).unwrap());
        let mut rng = Rng::new(2);
        for _ in 0..100 {
            let before = store.last_seq();
            store.append(&batch(&mut rng, 5)).unwrap();
            let expected = arrived(&store, before);
            assert_eq!(events_of(&mut here), expected);
            assert_eq!(events_of(&mut there), expected);
        }
    }
}

#[test]
fn compaction_does_not_show() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        let mut rng = Rng::new(3);
        let mut tails = Vec::new();
        for round in 0..30 {
            store.append(&batch(&mut rng, 40)).unwrap();
            let handle = if round % 2 == 0 { &store } else { &beside };
            let after = rng.below(store.last_seq() + 1);
            tails.push((handle.tail(after).unwrap(), after));
            for (tail, after) in &mut tails {
                if let Tailed::Events(batch) = tail.next_batch(1 + rng.index(30)).unwrap() {
                    let got: Vec<u64> = batch.iter().map(|event| event.seq).collect();
                    assert_eq!(got, (*after + 1..).take(got.len()).collect::<Vec<_>>());
                    *after += got.len() as u64;
                }
            }
            if round % 4 == 0 {
                store.compact(rng.below(2000).., |_| ControlFlow::Continue(())).unwrap();
            }
        }
        for (tail, after) in &mut tails {
            assert_eq!(events_of(tail), arrived(&store, *after));
        }
    }
}

/// Frames of a compacted log have seqs from everywhere then.
#[test]
fn a_compacted_chunk_of_nothing_but_disorder_comes_in_windows() {
    let place = Place::simulated(1);
    let store = open(&place);
    let mut rng = Rng::new(4);
    for _ in 0..40 {
        let batch: Vec<Event> = (0..500).map(|_| event(rng.below(1000), 1, rng.bytes(250))).collect();
        store.append(&batch).unwrap();
    }
    store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    assert!(place.file("0-1.estore").len() > 4 << 20);
    let mut tail = store.tail(7).unwrap();
    assert_eq!(events_of(&mut tail), arrived(&store, 7));
    store.append(&events_at([5])).unwrap();
    assert_eq!(events_of(&mut tail).len(), 1);
}

#[test]
fn a_batch_larger_than_a_window_comes_whole_and_from_its_middle() {
    let place = Place::simulated(1);
    let store = open(&place);
    let mut rng = Rng::new(5);
    store.append(&events_at([1, 2])).unwrap();
    let batch: Vec<Event> = (0..30_000).map(|_| event(rng.below(3000), 1, rng.bytes(150))).collect();
    store.append(&batch).unwrap();
    store.append(&events_at([3])).unwrap();
    for after in [0, 1, 2, 15_000, 30_001, 30_002] {
        assert_eq!(events_of(&mut store.tail(after).unwrap()), arrived(&store, after), "after {after}");
    }
}

/// Nothing but the length of the log tells then where a cursor is in it.
#[test]
fn a_cursor_in_the_midst_of_late_events_repeats_none() {
    let place = Place::simulated(1);
    let store = open(&place);
    let mut rng = Rng::new(7);
    store.append(&events_at([900, 901])).unwrap();
    for _ in 0..40 {
        let batch: Vec<Event> = (0..200).map(|_| event(rng.below(500), 1, rng.bytes(500))).collect();
        store.append(&batch).unwrap();
    }
    for after in [2, 1000, 4001, 6000, 8001] {
        assert_eq!(events_of(&mut store.tail(after).unwrap()), arrived(&store, after), "after {after}");
    }
}

#[test]
fn large_events_come_one_by_one() {
    let place = Place::simulated(1);
    let store = open(&place);
    for i in 0..5 {
        store.append(&[event(i, 1, vec![i as u8; 3 << 20]), event(i, 2, "")]).unwrap();
    }
    assert_eq!(events_of(&mut store.tail(0).unwrap()), arrived(&store, 0));
    store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(events_of(&mut store.tail(3).unwrap()), arrived(&store, 3));
}

#[test]
fn a_cursor_goes_on_after_closing_and_opening() {
    let place = Place::simulated(1);
    let mut rng = Rng::new(6);
    let (mut cursor, mut seen) = (0, Vec::new());
    for round in 0..6 {
        let store = open(&place);
        store.append(&batch(&mut rng, 50)).unwrap();
        let mut tail = store.tail(cursor).unwrap();
        if let Tailed::Events(batch) = tail.next_batch(30).unwrap() {
            seen.extend(batch.iter().map(|event| event.seq));
        }
        cursor = tail.last_seq();
        if round % 2 == 0 {
            store.compact(.., |_| ControlFlow::Continue(())).unwrap();
        }
        store.append(&batch(&mut rng, 50)).unwrap();
        store.close().unwrap();
    }
    let store = open(&place);
    seen.extend(events_of(&mut store.tail(cursor).unwrap()).iter().map(|event| event.seq));
    assert_eq!(seen, arrived(&store, 0).iter().map(|event| event.seq).collect::<Vec<_>>());
}

#[test]
fn deleted_events_are_a_gap_that_is_told_once() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        store.append(&events_at([5, 1500, 2500])).unwrap();
        store.append(&events_at([6, 2600])).unwrap();
        let mut handled = store.tail(store.last_seq()).unwrap();
        let (mut here, mut there) = (store.tail(0).unwrap(), beside.tail(0).unwrap());
        store.delete_before(2550).unwrap();
        for tail in [&mut here, &mut there] {
            let (events, gaps) = pull(tail, 10);
            assert_eq!((events.iter().map(|event| event.time).collect::<Vec<_>>(), gaps), (vec![2600], 1));
            assert_eq!(pull(tail, 10), (vec![], 0));
        }
        // Whoever had handled them misses nothing.
        assert_eq!(pull(&mut handled, 10), (vec![], 0));
        store.append(&events_at([2700])).unwrap();
        for tail in [&mut here, &mut there, &mut handled] {
            assert_eq!(events_of(tail).len(), 1);
        }
        // Later sittings know it too.
        store.close().unwrap();
        let store = open(&place);
        let (events, gaps) = pull(&mut store.tail(2).unwrap(), 10);
        assert_eq!((events.len(), gaps), (2, 1));
        assert_eq!(pull(&mut store.tail(4).unwrap(), 10).1, 0);
    }
}

/// Flips a bit in the body of a frame.
fn harm(place: &Place, log: &str, frame: usize) {
    let mut bytes = place.file(log);
    let at = frames(&bytes)[frame];
    bytes[at + 130] ^= 1;
    place.put_file(log, &bytes);
}

/// What a tail gives up to damage.
fn until_damage(tail: &mut Tail) -> Vec<Event> {
    let mut events = Vec::new();
    while let Ok(Tailed::Events(batch)) = tail.next_batch(3) {
        events.extend(batch.iter().map(|event| event.to_event()));
    }
    assert_error!(tail.next_batch(3), Error::Corrupt { .. });
    assert_error!(tail.wait(None), Error::Corrupt { .. });
    events
}

#[test]
fn what_arrived_before_damage_comes_first_and_who_is_behind_it_goes_on() {
    let place = Place::simulated(1);
    let store = open(&place);
    for i in 0..6 {
        store.append(&events_at([10 * i, 10 * i + 1])).unwrap();
    }
    let all = arrived(&store, 0);
    store.close().unwrap();
    harm(&place, "0-0.estore", 3);
    let store = open(&place);
    assert_eq!(until_damage(&mut store.tail(0).unwrap()), all[..6]);
    assert_eq!(until_damage(&mut store.tail(3).unwrap()), all[3..6]);
    assert_eq!(until_damage(&mut store.tail(7).unwrap()), []);
    assert_eq!(events_of(&mut store.tail(8).unwrap()), all[8..]);
    assert_eq!(events_of(&mut store.tail(11).unwrap()), all[11..]);
}

#[test]
fn what_arrived_before_a_damaged_frame_of_a_compacted_log_comes_first() {
    let place = Place::simulated(1);
    let store = open(&place);
    let mut rng = Rng::new(8);
    for i in 0..10 {
        let batch: Vec<Event> = (0..100).map(|j| event(90 * i + j / 2, j as u32, rng.bytes(200))).collect();
        store.append(&batch).unwrap();
    }
    store.append(&events_at([1])).unwrap();
    store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    let all = arrived(&store, 0);
    store.close().unwrap();
    assert!(frames(&place.file("0-1.estore")).len() > 2);
    harm(&place, "0-1.estore", 1);
    let store = open(&place);
    let got = until_damage(&mut store.tail(0).unwrap());
    assert!(got.len() > 100 && got == all[..got.len()], "{} events", got.len());
    assert_eq!(events_of(&mut store.tail(1000).unwrap()), all[1000..]);
}

/// Without the journal nothing tells which events were in a log whose header is lost, but its frames.
#[test]
fn a_log_whose_header_and_journal_are_lost_is_damage_to_who_has_not_passed_it() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([10, 20, 30])).unwrap();
    store.append(&events_at([1010, 1020])).unwrap();
    let all = arrived(&store, 0);
    store.close().unwrap();
    place.sim().remove(place.path.join("journal"));
    let mut bytes = place.file("0-0.estore");
    bytes[20] ^= 1;
    place.put_file("0-0.estore", &bytes);
    for store in [open(&place), beside(&place)] {
        for after in 0..3 {
            let mut tail = store.tail(after).unwrap();
            assert_error!(tail.next_batch(3), Error::Corrupt { .. });
            assert_error!(tail.wait(Some(Duration::ZERO)), Error::Corrupt { .. });
        }
        assert_eq!(events_of(&mut store.tail(3).unwrap()), all[3..]);
        assert_eq!(events_of(&mut store.tail(5).unwrap()), []);
    }
}

/// Does something before a file is opened for the first time.
struct Meddled {
    disk: Arc<dyn Disk>,
    name: &'static str,
    meddle: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Meddled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddled")
    }
}

impl Disk for Meddled {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        if path.ends_with(self.name)
            && let Some(meddle) = self.meddle.lock().unwrap().take()
        {
            meddle();
        }
        self.disk.open(path, access)
    }
    forward!(self to self.disk; kind identity list create_folder rename remove_file remove_folder sync_folder lock random);
}

#[test]
fn a_chunk_that_is_deleted_under_a_tail_beside_is_a_gap() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 1500])).unwrap();
    // Nothing of the first chunk is open: only the journal tells of it.
    store.close().unwrap();
    drop(store);
    let store = Arc::new(open(&place));
    let deleting = Arc::clone(&store);
    let meddle = Box::new(move || deleting.delete_before(1000).unwrap());
    let disk = Meddled { disk: Arc::clone(&place.disk), name: "0-0.estore", meddle: Mutex::new(Some(meddle)) };
    let beside = Store::open(&place.path, options(&place).mode(Mode::ReadOnly).disk(Arc::new(disk))).unwrap();
    let (events, gaps) = pull(&mut beside.tail(0).unwrap(), 10);
    assert_eq!((events.iter().map(|event| event.time).collect::<Vec<_>>(), gaps), (vec![1500], 1));
    assert_eq!(store.count(..).unwrap(), 1);
}

/// A disk that can't tell of changes.
#[derive(Debug)]
struct Unwatched(bool);

impl Disk for Unwatched {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn File>> {
        RealDisk.open(path, access)
    }
    fn watch(&self, _: &Path) -> io::Result<Option<Box<dyn Watch>>> {
        if self.0 { Err(io::Error::from_raw_os_error(libc::EMFILE)) } else { Ok(None) }
    }
    forward!(self to RealDisk; kind identity list create_folder rename remove_file remove_folder sync_folder lock random);
}

/// A writer, and handles that wait in each way there is: told by the writer, by a watch on the folder, by looking, by looking for want of
/// a thread.
fn waiting(place: &Place) -> (Store, Vec<Store>) {
    let options = || Options::new().durability(Durability::Process);
    let open = |options| Store::open(&place.path, options).unwrap();
    let store = open(options().mode(Mode::CreateNew));
    let read = || options().mode(Mode::ReadOnly);
    let beside = vec![
        open(read()),
        open(read().disk(Arc::new(Unwatched(false)))),
        open(read().disk(Arc::new(Unwatched(true)))),
        open(read().background(false)),
    ];
    (store, beside)
}

#[test]
fn waiting_ends_when_something_comes_or_the_time_is_over() {
    let place = Place::real();
    let (store, beside) = waiting(&place);
    for handle in beside.iter().chain([&store]) {
        let mut tail = handle.tail(store.last_seq()).unwrap();
        assert!(!tail.wait(Some(Duration::ZERO)).unwrap());
        assert!(!tail.wait(Some(Duration::from_millis(2))).unwrap());
        for _ in 0..50 {
            std::thread::scope(|scope| {
                scope.spawn(|| store.append(&events_at([1])).unwrap());
                assert!(tail.wait(None).unwrap());
            });
            assert_eq!(events_of(&mut tail).len(), 1);
        }
        store.append(&events_at([2])).unwrap();
        assert!(tail.wait(Some(Duration::ZERO)).unwrap());
    }
}

/// Many tails of one handle, of which each takes the news from under the others.
#[test]
fn all_who_wait_are_told() {
    let place = Place::real();
    let (store, beside) = waiting(&place);
    for handle in beside.iter().chain([&store]) {
        let after = store.last_seq();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut tail = handle.tail(after).unwrap();
                    let mut seen = 0;
                    while seen < 300 {
                        assert!(tail.wait(None).unwrap());
                        seen += events_of(&mut tail).len();
                    }
                });
            }
            for _ in 0..300 {
                store.append(&events_at([1])).unwrap();
            }
        });
    }
}

/// Whether a descriptor becomes readable within the time.
fn polled(fd: BorrowedFd<'_>, timeout_ms: i32) -> bool {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `poll` is valid for reads and writes, and the descriptor is open.
    unsafe { libc::poll(&mut poll, 1, timeout_ms) == 1 }
}

#[test]
fn a_descriptor_is_readable_as_long_as_there_is_something_to_take() {
    let place = Place::real();
    let (store, beside) = waiting(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    for handle in beside.iter().chain([&store]) {
        let mut tail = handle.tail(0).unwrap();
        assert!(polled(tail.fd().unwrap(), 0), "what is there already");
        tail.next_batch(1).unwrap();
        assert!(polled(tail.fd().unwrap(), 0), "there is more");
        events_of(&mut tail);
        assert!(!polled(tail.fd().unwrap(), 0), "all was taken");
        for _ in 0..20 {
            store.append(&events_at([4])).unwrap();
            // Nobody looks for news where there is no thread to do it.
            handle.tick().unwrap();
            assert!(polled(tail.fd().unwrap(), -1));
            assert!(polled(tail.fd().unwrap(), 0), "it stays so");
            assert_eq!(events_of(&mut tail).len(), 1);
            assert!(!polled(tail.fd().unwrap(), 0));
        }
        store.append(&events_at([5])).unwrap();
        assert!(tail.wait(None).unwrap());
        assert!(polled(tail.fd().unwrap(), -1), "waiting takes nothing");
        tail.next_batch(1).unwrap();
        assert!(!tail.wait(Some(Duration::ZERO)).unwrap());
        assert!(!polled(tail.fd().unwrap(), 0), "waiting in vain is an answer too");
    }
    let mut tail = store.tail(store.last_seq()).unwrap();
    assert_eq!(events_of(&mut tail).len(), 0);
    let descriptor = tail.fd().unwrap().as_raw_fd();
    store.close().unwrap();
    assert!(polled(tail.fd().unwrap(), 0), "the end is news too");
    assert_error!(tail.next_batch(1), Error::Closed { .. });
    assert!(polled(tail.fd().unwrap(), 0));
    assert_eq!(tail.fd().unwrap().as_raw_fd(), descriptor);
}

#[test]
fn whoever_waits_beside_a_writer_hears_of_its_end() {
    let place = Place::real();
    let (store, beside) = waiting(&place);
    store.close().unwrap();
    drop(store);
    std::thread::scope(|scope| {
        let waits = beside.iter().map(|handle| scope.spawn(|| handle.tail(0).and_then(|mut tail| tail.wait(None))));
        let waits: Vec<_> = waits.collect();
        Store::destroy(&place.path, Options::new()).unwrap();
        for wait in waits {
            assert!(matches!(wait.join().unwrap(), Err(Error::Gone { .. } | Error::NotFound { .. })));
        }
    });
}

#[test]
fn closing_a_handle_that_waits_for_its_writer_ends_it() {
    let place = Place::real();
    let (_store, beside) = waiting(&place);
    for handle in &beside {
        let mut idle = handle.tail(0).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| idle.wait(None));
            while !waiting.is_finished() {
                handle.close().unwrap();
            }
            assert_error!(waiting.join().unwrap(), Error::Closed { .. });
        });
    }
}

#[test]
fn closing_wakes_who_waits_after_all_was_given() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2])).unwrap();
    let mut tail = store.tail(0).unwrap();
    let mut idle = store.tail(2).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| idle.wait(None));
        while !waiting.is_finished() {
            store.close().unwrap();
        }
        assert_error!(waiting.join().unwrap(), Error::Closed { .. });
    });
    let Tailed::Events(batch) = tail.next_batch(10).unwrap() else { panic!("no events") };
    assert_eq!(batch.len(), 2);
    assert_error!(tail.next_batch(10), Error::Closed { .. });
    assert_error!(store.tail(0), Error::Closed { .. });
}

#[test]
fn a_cursor_of_the_future_is_refused() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2])).unwrap();
    assert_error!(store.tail(u64::MAX), Error::Invalid { .. });
    assert_error!(beside(&place).tail(1 << 60), Error::Invalid { .. });
    assert_eq!(events_of(&mut store.tail(2).unwrap()), []);
}

#[test]
fn a_cursor_beyond_the_last_event_is_refused() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        let beside = beside(&place);
        let check = |last: u64| {
            for store in [&store, &beside, &self::beside(&place)] {
                assert_eq!(events_of(&mut store.tail(last).unwrap()), []);
                for beyond in [1, 2, 1000, 1 << 31, 1 << 40] {
                    assert_error!(store.tail(last + beyond), Error::Invalid { .. });
                }
            }
        };
        check(0);
        for times in [&[1, 2][..], &[1500], &[3, 2500]] {
            check(store.append(&events_at(times.iter().copied())).unwrap());
        }
        store.close().unwrap();
        assert_eq!(events_of(&mut beside.tail(5).unwrap()), []);
        assert_error!(beside.tail(6), Error::Invalid { .. });
        let store = open(&place);
        for store in [&store, &beside, &self::beside(&place)] {
            assert_eq!(events_of(&mut store.tail(5).unwrap()), []);
            assert_error!(store.tail(6), Error::Invalid { .. });
        }
    }
}

#[test]
fn the_last_seq_of_a_buffered_store_is_a_cursor() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place).durability(Durability::Buffered)).unwrap();
    let last = store.append(&events_at([1, 2])).unwrap();
    assert_eq!(events_of(&mut store.tail(last).unwrap()), []);
    assert_error!(store.tail(last + 1), Error::Invalid { .. });
    let last = store.append(&events_at([3, 4])).unwrap();
    let beside = beside(&place);
    let mut tail = beside.tail(last).expect("it was given to an event, though nobody else can see that yet");
    store.append(&events_at([5])).unwrap();
    store.sync().unwrap();
    assert_eq!(events_of(&mut tail).len(), 1);
}

#[test]
fn a_cursor_of_an_event_that_was_lost_with_power_goes_on() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2])).unwrap();
    store.sync().unwrap();
    let lost = store.append(&events_at([3, 4])).unwrap();
    place.crash(Crash::LoseAll);
    drop(store);
    // Nobody has told it yet that there was a loss.
    let beside = beside(&place);
    assert_eq!(events_of(&mut beside.tail(lost).unwrap()), []);
    assert_error!(beside.tail(1 << 40), Error::Invalid { .. });
    let store = open(&place);
    for store in [&store, &beside, &self::beside(&place)] {
        assert_eq!(events_of(&mut store.tail(lost).unwrap()), []);
    }
    let mut tails = [store.tail(lost).unwrap(), beside.tail(lost).unwrap()];
    let last = store.append(&events_at([5])).unwrap();
    for tail in &mut tails {
        assert_eq!(events_of(tail).len(), 1);
    }
    for store in [&store, &beside, &self::beside(&place)] {
        assert_eq!(events_of(&mut store.tail(lost).unwrap()).len(), 1);
        assert_error!(store.tail(last + 1), Error::Invalid { .. });
    }
}

#[test]
fn a_cursor_of_before_a_lost_journal_goes_on() {
    let place = Place::simulated(1);
    let store = open(&place);
    let last = store.append(&events_at([1, 2])).unwrap();
    store.close().unwrap();
    place.put_file("journal", b"nonsense");
    let beside = beside(&place);
    assert_eq!(events_of(&mut beside.tail(last + 3).unwrap()), []);
    let store = open(&place);
    for store in [&store, &beside] {
        assert_eq!(events_of(&mut store.tail(last + 3).unwrap()), []);
    }
}

#[test]
fn a_cursor_beyond_a_restored_snapshot_is_refused() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        store.append(&events_at([1, 2])).unwrap();
        let copy = place.path.with_file_name("copy");
        let seq = store.snapshot(&copy, |_| ControlFlow::Continue(())).unwrap().seq;
        let last = store.append(&events_at([3, 4])).unwrap();
        let beside = Store::open(&copy, options(&place).mode(Mode::ReadOnly)).unwrap();
        assert_eq!(events_of(&mut beside.tail(seq).unwrap()), []);
        assert_error!(beside.tail(last), Error::Invalid { .. });
        let restored = Store::open(&copy, options(&place)).unwrap();
        for store in [&restored, &beside] {
            assert_eq!(events_of(&mut store.tail(seq).unwrap()), []);
            assert_error!(store.tail(last), Error::Invalid { .. });
        }
    }
}

#[test]
fn a_store_that_is_destroyed_is_a_clear_end() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1])).unwrap();
    let beside = beside(&place);
    let mut tail = beside.tail(0).unwrap();
    assert_eq!(events_of(&mut tail).len(), 1);
    store.close().unwrap();
    drop(store);
    Store::destroy(&place.path, options(&place)).unwrap();
    assert_error!(tail.next_batch(1), Error::Gone { .. });
    assert_error!(tail.wait(None), Error::Gone { .. });
}

#[test]
fn an_efile_and_a_buffered_store_have_tails_too() {
    let place = Place::simulated(1);
    let file = Efile::open(&place.path, place.options().durability(Durability::Buffered)).unwrap();
    let mut tail = file.tail(0).unwrap();
    file.append(&events_at([50, 40])).unwrap();
    assert_eq!(events_of(&mut tail).len(), 0, "the buffer was not handed over");
    file.sync().unwrap();
    assert_eq!(events_of(&mut tail).iter().map(|event| event.time).collect::<Vec<_>>(), [50, 40]);
    file.append(&events_at([60])).unwrap();
    assert_eq!(events_of(&mut file.tail(2).unwrap()).len(), 1, "a new tail hands it over");
}

#[test]
fn a_gap_is_told_once_also_to_who_comes_again() {
    let place = Place::simulated(1);
    let store = Store::open(&place.path, options(&place)).unwrap();
    store.append(&events_at([1, 2])).unwrap();
    store.delete_before(3).unwrap();
    let mut tail = store.tail(0).unwrap();
    assert_eq!(tail.last_seq(), 0);
    assert!(tail.wait(None).unwrap());
    assert_eq!(tail.last_seq(), 0, "it is not told yet");
    assert!(matches!(tail.next_batch(9).unwrap(), Tailed::Gap));
    let mut again = store.tail(tail.last_seq()).unwrap();
    assert!(matches!(again.next_batch(9).unwrap(), Tailed::Nothing));
    store.append(&events_at([4])).unwrap();
    for tail in [&mut tail, &mut again] {
        assert_eq!(common::times(&events_of(tail)), [4]);
        assert_eq!(tail.last_seq(), store.last_seq());
    }
}
