//! Retention: old chunks go by age and by size, by themselves or on request, and nothing that is live goes, whatever clocks say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::mpsc;

use common::place::Place;
use common::{drain, event, events_at, times};
use estore::disk::{Call, Clock, Crash, Fault, FaultEffect};
use estore::{Durability, Efile, Error, Event, Level, Mode, Options, RetainOptions, Retained, Sizes, Store, Tailed};

const FILE_SIZE: u64 = 100;
/// An event of this time comes from a broken clock.
const FAR: u64 = 18_429_000_000_000_000_000;

fn options(place: &Place) -> Options {
    place.options().file_size(FILE_SIZE).grace(10).durability(Durability::Process)
}

fn open_with(place: &Place, with: impl FnOnce(Options) -> Options) -> Store {
    Store::open(&place.path, with(options(place))).expect("the store opens")
}

fn open(place: &Place) -> Store {
    open_with(place, |options| options)
}

/// Two events in each chunk of a range, of 1000 bytes each.
fn fill(store: &Store, chunks: impl IntoIterator<Item = u64>) {
    for chunk in chunks {
        let start = chunk * FILE_SIZE;
        store.append(&[event(start + 5, 1, vec![1; 1000]), event(start + 95, 2, vec![2; 1000])]).unwrap();
    }
}

/// The chunks that have events.
fn chunks(store: &Store) -> Vec<u64> {
    let mut chunks: Vec<u64> = drain(store.read(..).unwrap()).iter().map(|event| event.time / FILE_SIZE).collect();
    chunks.dedup();
    chunks
}

fn age(chunks: u64) -> RetainOptions {
    RetainOptions::new().max_age(chunks * FILE_SIZE)
}

fn size(bytes: u64) -> RetainOptions {
    RetainOptions::new().max_bytes(bytes)
}

fn bytes(store: &Store) -> u64 {
    store.stats().unwrap().chunk_bytes
}

fn beside(place: &Place) -> Store {
    Store::open(&place.path, options(place).mode(Mode::ReadOnly)).expect("a store opens beside its writer")
}

#[test]
fn old_chunks_go_as_new_ones_begin() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open_with(&place, |options| options.max_age(3 * FILE_SIZE));
        for chunk in 0..10_u64 {
            fill(&store, [chunk]);
            store.tick().unwrap();
            assert_eq!(chunks(&store), (chunk.saturating_sub(3)..=chunk).collect::<Vec<_>>(), "chunk {chunk} has begun");
        }
        let stats = store.stats().unwrap();
        assert_eq!((stats.horizon, stats.chunks, stats.removed_chunks), (600, 4, 6));
        assert_eq!(place.names(".estore").len(), 4);
        // It is deleted for good.
        store.append(&events_at([599, 600])).unwrap();
        assert_eq!((store.stats().unwrap().expired, store.count(..=600).unwrap()), (1, 1));
        store.close().unwrap();
        assert_eq!(chunks(&open(&place)), [6, 7, 8, 9]);
    }
}

#[test]
fn single_events_roll_chunks_too() {
    let place = Place::simulated(1);
    let store = open_with(&place, |options| options.max_age(2 * FILE_SIZE));
    for time in (0..1000).step_by(10) {
        store.append(&events_at([time])).unwrap();
        store.tick().unwrap();
        // Two events are what shows that time has come so far.
        let reached = time.saturating_sub(10) / FILE_SIZE;
        assert_eq!(chunks(&store)[0], reached.saturating_sub(2), "at {time}");
    }
}

#[test]
fn the_store_does_it_by_itself_and_says_what_and_why() {
    for place in [Place::simulated(1), Place::real()] {
        let (tell, told) = mpsc::channel();
        let store = open_with(&place, |options| {
            options.background(true).compaction(false).max_age(2 * FILE_SIZE).max_bytes(1_000_000).log(move |level, text| {
                if level <= Level::Info && text.starts_with("retention") {
                    tell.send(text.to_owned()).unwrap();
                }
            })
        });
        fill(&store, 0..3);
        store.append(&[event(305, 1, "a"), event(306, 1, "b")]).unwrap();
        let text = told.recv().unwrap();
        assert!(
            text.starts_with("retention removed 1 chunks with 2 events and ") && text.ends_with("all before 100: 1 older than 200ns"),
            "{text}"
        );
        store.append(&[event(505, 1, vec![7; 990_000]), event(506, 1, vec![7; 20_000])]).unwrap();
        let text = told.recv().unwrap();
        assert!(text.starts_with("retention removed 3 chunks with "), "{text}");
        assert!(text.ends_with("all before 400: 2 older than 200ns, 1 with which all take more than 1000000 bytes"), "{text}");
        store.close().unwrap();
    }
}

#[test]
fn it_is_applied_once_the_store_is_open() {
    for background in [false, true] {
        let place = Place::simulated(1);
        let store = open(&place);
        fill(&store, 0..6);
        store.close().unwrap();
        let (tell, told) = mpsc::channel();
        let store = open_with(&place, |options| {
            options.background(background).compaction(false).max_age(FILE_SIZE).log(move |_, text| tell.send(text.to_owned()).unwrap())
        });
        if !background {
            assert_eq!(chunks(&store), [0, 1, 2, 3, 4, 5], "nothing is done within opening");
            store.tick().unwrap();
        }
        told.recv().unwrap();
        assert_eq!(chunks(&store), [4, 5]);
    }
}

#[test]
fn what_is_too_much_goes_oldest_first() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        fill(&store, 0..10);
        let all = bytes(&store);
        assert_eq!(store.retain(size(all)).unwrap(), Retained::default());
        let retained = store.retain(size(all - 1)).unwrap();
        assert_eq!((retained.horizon, retained.chunks, retained.events), (100, 1, 2));
        assert_eq!(bytes(&store), all - retained.bytes);
        let retained = store.retain(size(all / 2)).unwrap();
        assert_eq!((retained.horizon, retained.chunks, retained.events), (500, 4, 8));
        assert_eq!(chunks(&store), [5, 6, 7, 8, 9]);
        assert_eq!(bytes(&store), all / 2);
        assert_eq!(store.stats().unwrap().removed_chunks, 5);
    }
}

#[test]
fn what_counts_is_near_to_what_the_files_take() {
    let place = Place::simulated(1);
    let sizes = Sizes { pending_bytes: 20_000, ..Sizes::default() };
    let store = open_with(&place, |options| options.file_size(1_000_000).grace(1000).sizes(sizes));
    for chunk in 0..3 {
        for i in 0..400_u64 {
            let batch: Vec<Event> = (0..20).map(|j| event(chunk * 1_000_000 + 500_000 + i * 1000 + j, 1, vec![1; 100])).collect();
            store.append(&batch).unwrap();
            if i % 4 == chunk {
                store.append(&[event(chunk * 1_000_000 + i, 1, vec![2; 500])]).unwrap();
            }
        }
    }
    store.close().unwrap();
    let store = Store::open(&place.path, place.options()).unwrap();
    let stats = store.stats().unwrap();
    assert!(stats.recon_bytes > 0 && stats.index_bytes > 0, "{stats:?}");
    let files = stats.log_bytes + stats.recon_bytes + stats.index_bytes;
    assert!(stats.chunk_bytes.abs_diff(files) < files / 10, "{} are counted, the files have {files}", stats.chunk_bytes);
}

#[test]
fn it_asks_the_system_nothing_to_decide() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..50);
    store.close().unwrap();
    let store = open(&place);
    let before = place.sim().calls();
    let retained = store.retain(size(5000).dry_run()).unwrap();
    assert_eq!(place.sim().calls(), before);
    assert!(retained.chunks > 40, "{retained:?}");
}

/// The store as another handle has it, once the first is closed.
fn open_again(place: &Place, store: &Store) -> Store {
    store.close().unwrap();
    open(place)
}

#[test]
fn one_event_of_the_far_future_deletes_nothing() {
    for wall in [1_700_000_000_000_000_000, 0, FAR, u64::MAX] {
        let place = Place::simulated(1);
        place.clock.set_wall(wall);
        let mut store = open(&place);
        fill(&store, 0..6);
        store.append(&events_at([FAR])).unwrap();
        for _ in 0..2 {
            assert_eq!(store.retain(age(10)).unwrap().chunks, 0, "the clock says {wall}");
            assert_eq!(chunks(&store), [0, 1, 2, 3, 4, 5, FAR / FILE_SIZE]);
            store = open_again(&place, &store);
        }
    }
}

#[test]
fn beside_an_event_of_the_far_future_the_live_chunk_is_where_events_come() {
    for reopened in [false, true] {
        let place = Place::simulated(1);
        let mut store = open(&place);
        fill(&store, 0..6);
        store.append(&events_at([FAR])).unwrap();
        if reopened {
            store = open_again(&place, &store);
        }
        assert_eq!(store.retain(age(2)).unwrap().horizon, 300);
        assert_eq!(store.retain(size(1)).unwrap().horizon, 500);
        assert_eq!(chunks(&store), [5, FAR / FILE_SIZE]);
        store.append(&events_at([599])).unwrap();
        assert_eq!(store.stats().unwrap().expired, 0);
    }
}

#[test]
fn a_clock_that_jumps_deletes_nothing_that_the_events_do_not_make_old() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..6);
    for wall in [u64::MAX, FAR, 0, 1, 599] {
        place.clock.set_wall(wall);
        assert_eq!(store.retain(age(6)).unwrap().chunks, 0, "the clock says {wall}");
    }
    // Behind, it makes everything younger.
    place.clock.set_wall(320);
    assert_eq!(store.retain(age(2)).unwrap().horizon, 100);
    place.clock.set_wall(0);
    assert_eq!(store.retain(age(1)).unwrap().chunks, 0);
    place.clock.set_wall(FAR);
    assert_eq!(store.retain(age(1)).unwrap().horizon, 400);
}

/// The clock jumps by ten years while the store is open, and events are stamped by it from then on.
#[test]
fn events_that_a_jumping_clock_stamps_make_others_old_only_once_it_has_stayed_so() {
    const HOUR: u64 = 3_600_000_000_000;
    const DAY: u64 = 24 * HOUR;
    let place = Place::simulated(1);
    let (clock, open) = (&place.clock, || Store::open(&place.path, place.options().file_size(HOUR)).unwrap());
    let stamp = |store: &Store| {
        for _ in 0..3 {
            clock.advance(HOUR);
            store.append(&events_at([clock.wall_ns(), clock.wall_ns() + 1])).unwrap();
        }
    };
    let store = open();
    stamp(&store);
    let jump = 3650 * DAY;
    clock.set_wall(clock.wall_ns() + jump);
    stamp(&store);
    let old = |store: &Store| store.retain(RetainOptions::new().max_age(30 * DAY).dry_run()).unwrap().chunks;
    assert_eq!(old(&store), 0);
    clock.advance(DAY - 1);
    assert_eq!(old(&store), 0);
    // Set right again, it has to stay wrong for as long anew.
    clock.set_wall(clock.wall_ns() - jump);
    assert_eq!(old(&store), 0);
    clock.set_wall(clock.wall_ns() + jump);
    assert_eq!(old(&store), 0);
    clock.advance(DAY - 1);
    assert_eq!(old(&store), 0);
    clock.advance(1);
    assert_eq!(old(&store), 3, "it has stayed so");
    // Whoever opens the store then knows of no jump.
    store.close().unwrap();
    assert_eq!(old(&open()), 3);
}

#[test]
fn by_the_clock_no_future_events_make_others_old() {
    let place = Place::simulated(1);
    place.clock.set_wall(590);
    let store = open(&place);
    fill(&store, 0..6);
    // Two of them confirm each other, and yet it is not so late.
    store.append(&events_at([FAR, FAR + 1])).unwrap();
    store.append(&events_at([FAR + 1_000_000])).unwrap();
    assert_eq!(store.retain(age(2)).unwrap().horizon, 300);
    // By size, the chunk of the present stays.
    assert_eq!(store.retain(size(1)).unwrap().horizon, 500);
    assert_eq!(chunks(&store)[0], 5);
}

#[test]
fn a_limit_below_the_length_of_a_chunk_keeps_the_live_one() {
    for options in [age(0).max_age(1), size(1)] {
        let place = Place::simulated(1);
        let store = open(&place);
        fill(&store, 0..6);
        assert_eq!(store.retain(options).unwrap().horizon, 500);
        let again = store.retain(options).unwrap();
        assert_eq!((again.horizon, again.chunks, again.events, again.bytes), (500, 0, 0, 0));
        assert_eq!(chunks(&store), [5]);
    }
}

#[test]
fn nothing_goes_of_what_this_handle_appends_to_or_of_what_is_newer() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..10);
    let store = open_again(&place, &store);
    store.append(&events_at([350])).unwrap();
    for options in [age(1), size(1)] {
        assert!(store.retain(options).unwrap().horizon <= 300);
        assert_eq!(chunks(&store)[0], 3);
    }
    store.append(&events_at([650, 320])).unwrap();
    assert_eq!(store.retain(size(1)).unwrap().horizon, 600);
    // Another sitting, another newest chunk.
    let store = open_again(&place, &store);
    assert_eq!(store.retain(age(1)).unwrap().horizon, 800);
}

#[test]
fn a_store_of_less_than_two_events_keeps_them() {
    let place = Place::simulated(1);
    let store = open(&place);
    assert_eq!(store.retain(age(1).max_bytes(1)).unwrap().chunks, 0);
    store.append(&events_at([5])).unwrap();
    assert_eq!(store.retain(age(1).max_bytes(1)).unwrap().chunks, 0);
    store.append(&events_at([5_000])).unwrap();
    // Time has come to 5, as far as two events tell.
    assert_eq!(store.retain(age(1).max_bytes(1)).unwrap().chunks, 0);
    assert_eq!(chunks(&store), [0, 50]);
    store.append(&events_at([5_000])).unwrap();
    assert_eq!(store.retain(age(1)).unwrap().chunks, 1);
}

#[test]
fn a_dry_run_tells_what_the_run_then_does_and_changes_nothing() {
    for options in [age(3), size(9_000), age(5).max_bytes(9_000), age(3).max_bytes(100_000)] {
        let place = Place::simulated(1);
        let store = open(&place);
        fill(&store, 0..10);
        let before = place.contents();
        let told = store.retain(options.dry_run()).unwrap();
        assert!(told.chunks > 2 && told.events == 2 * told.chunks && told.bytes > 2000 * told.chunks, "{told:?}");
        assert_eq!(place.contents(), before);
        assert_eq!((store.count(..).unwrap(), store.stats().unwrap().horizon), (20, 0));
        assert_eq!(store.retain(options).unwrap(), told);
        assert_eq!((store.count(..).unwrap(), store.stats().unwrap().horizon), (20 - told.events, told.horizon));
    }
}

#[test]
fn limits_of_a_call_take_the_place_of_those_of_the_options() {
    let place = Place::simulated(1);
    let store = open_with(&place, |options| options.max_age(5 * FILE_SIZE).max_bytes(1_000_000));
    fill(&store, 0..10);
    assert_eq!(store.retain(RetainOptions::new().dry_run()).unwrap().horizon, 400);
    assert_eq!(store.retain(age(7).dry_run()).unwrap().horizon, 200);
    assert_eq!(store.retain(size(1).dry_run()).unwrap().horizon, 900);
    assert_eq!(store.retain(age(1).max_age(0).dry_run()).unwrap().horizon, 400);
    assert_eq!(store.retain(age(2)).unwrap().horizon, 700);
    // The options stay.
    fill(&store, 10..14);
    assert_eq!(store.retain(RetainOptions::new()).unwrap().horizon, 800);
}

#[test]
fn without_a_limit_nothing_goes() {
    let place = Place::simulated(1);
    place.clock.set_wall(u64::MAX);
    let store = open_with(&place, |options| options.max_age(0).max_bytes(0));
    fill(&store, 0..10);
    store.tick().unwrap();
    assert_eq!(store.retain(RetainOptions::new()).unwrap(), Retained::default());
    assert_eq!(store.retain(age(u64::MAX / FILE_SIZE).max_bytes(u64::MAX)).unwrap(), Retained::default());
    assert_eq!(chunks(&store).len(), 10);
}

#[test]
fn where_the_horizon_cuts_a_chunk_what_was_deleted_is_not_counted_again() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..10);
    store.delete_before(250).unwrap();
    let dry = store.retain(age(5).dry_run()).unwrap();
    let retained = store.retain(age(5)).unwrap();
    assert_eq!((retained.horizon, retained.chunks, retained.events), (400, 2, 3));
    assert_eq!(dry, retained);
}

#[test]
fn a_horizon_that_is_further_stays() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..10);
    store.delete_before(850).unwrap();
    let retained = store.retain(age(5)).unwrap();
    assert_eq!((retained.horizon, retained.chunks), (850, 0));
    assert_eq!(store.stats().unwrap().horizon, 850);
    store.delete_before(u64::MAX).unwrap();
    assert_eq!(store.retain(age(1).max_bytes(1)).unwrap().horizon, u64::MAX);
}

#[test]
fn late_events_of_old_times_make_a_chunk_that_goes_again() {
    let place = Place::simulated(1);
    let store = open_with(&place, |options| options.max_age(3 * FILE_SIZE));
    fill(&store, 50..60);
    store.append(&events_at([1234, 1235])).unwrap();
    assert_eq!(chunks(&store)[0], 12);
    store.tick().unwrap();
    assert_eq!(chunks(&store), [56, 57, 58, 59]);
}

#[test]
fn a_chunk_that_grows_makes_the_older_ones_go() {
    let place = Place::simulated(1);
    let sizes = Sizes { retain_bytes: 10_000, ..Sizes::default() };
    let store = open_with(&place, |options| options.max_bytes(50_000).sizes(sizes));
    fill(&store, 0..10);
    store.tick().unwrap();
    assert_eq!(chunks(&store).len(), 10);
    for i in 0..60 {
        store.append(&[event(950 + i % 40, 1, vec![3; 1000])]).unwrap();
        store.tick().unwrap();
        let now = bytes(&store);
        assert!(now < 50_000 + 10_000 + 2_000 || chunks(&store) == [9], "{now} after {i}");
    }
    assert_eq!(chunks(&store), [9]);
}

#[test]
fn nothing_is_decided_anew_while_nothing_has_changed() {
    let place = Place::simulated(1);
    let store = open_with(&place, |options| options.max_age(2 * FILE_SIZE));
    fill(&store, 0..5);
    store.tick().unwrap();
    assert_eq!(chunks(&store), [2, 3, 4]);
    store.append(&events_at([450])).unwrap();
    place.clock.set_wall(0);
    let before = place.sim().calls();
    store.tick().unwrap();
    assert_eq!(place.sim().calls(), before);
}

#[test]
fn an_efile_refuses_limits() {
    let place = Place::simulated(1);
    for options in [place.options().max_age(1), place.options().max_bytes(1)] {
        let error = assert_error!(Efile::open(&place.path, options), Error::Invalid { .. });
        assert!(error.to_string().contains("efile"), "{error}");
    }
    Efile::open(&place.path, place.options().max_age(0).max_bytes(0)).unwrap();
}

#[test]
fn a_handle_that_only_reads_refuses_the_call_and_ignores_the_options() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..5);
    let beside = open_with(&place, |options| options.mode(Mode::ReadOnly).max_age(1).max_bytes(1));
    assert_error!(beside.retain(RetainOptions::new()), Error::ReadOnly { .. });
    assert_error!(beside.retain(age(1).dry_run()), Error::ReadOnly { .. });
    beside.tick().unwrap();
    assert_eq!(chunks(&beside).len(), 5);
}

#[test]
fn a_handle_that_is_closed_or_stopped_refuses() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..5);
    place.sim().inject(Fault { at: 0, calls: Some(Call::Write), name: None, effect: FaultEffect::Errno(libc::EIO), forever: false });
    assert_error!(store.append(&events_at([450])), Error::OutcomeUnknown { .. });
    assert_error!(store.retain(age(1)), Error::Poisoned { .. });
    assert_error!(store.close(), Error::Poisoned { .. });
    let store = open(&place);
    store.close().unwrap();
    assert_error!(store.retain(age(1)), Error::Closed { .. });
}

#[test]
fn the_receiver_of_its_message_must_not_call_the_store() {
    let place = Place::simulated(1);
    let (tell, told) = mpsc::channel();
    let slot: std::sync::Arc<std::sync::OnceLock<std::sync::Weak<Store>>> = std::sync::Arc::default();
    let seen = std::sync::Arc::clone(&slot);
    let store = open_with(&place, |options| {
        options.log(move |_, _| {
            let store = seen.get().and_then(std::sync::Weak::upgrade).unwrap();
            tell.send(store.retain(age(1)).is_err()).unwrap();
        })
    });
    let store = std::sync::Arc::new(store);
    slot.set(std::sync::Arc::downgrade(&store)).unwrap();
    fill(&store, 0..5);
    store.retain(age(1)).unwrap();
    assert!(told.recv().unwrap());
}

#[test]
fn readers_here_keep_what_goes_and_tails_hear_of_a_gap() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        fill(&store, 0..10);
        let reader = store.read(..).unwrap();
        let outside = beside(&place);
        let tails = [store.tail(0).unwrap(), outside.tail(0).unwrap()];
        store.retain(age(2)).unwrap();
        assert_eq!(drain(reader).len(), 20);
        assert_eq!(chunks(&outside), [7, 8, 9]);
        for mut tail in tails.into_iter().chain([store.tail(0).unwrap()]) {
            assert!(matches!(tail.next_batch(100).unwrap(), Tailed::Gap));
            let Tailed::Events(batch) = tail.next_batch(100).unwrap() else { panic!("events come behind the gap") };
            assert_eq!(batch.iter().map(|event| event.time / FILE_SIZE).collect::<Vec<_>>(), [7, 7, 8, 8, 9, 9]);
            assert!(matches!(tail.next_batch(100).unwrap(), Tailed::Nothing));
        }
    }
}

#[test]
fn it_goes_beside_a_compaction_which_gives_up_what_is_gone() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        fill(&store, 0..4);
        // Late ones, so that there is something to do.
        store.append(&events_at([1, 101, 201, 301])).unwrap();
        let (at_work, is_at_work) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let done = std::thread::scope(|scope| {
            let store = &store;
            let compaction = scope.spawn(move || {
                let first = Cell::new(true);
                store.compact(.., |_| {
                    if first.replace(false) {
                        at_work.send(()).unwrap();
                        may_go_on.recv().unwrap();
                    }
                    ControlFlow::Continue(())
                })
            });
            is_at_work.recv().unwrap();
            assert_eq!(store.retain(age(1)).unwrap().chunks, 2);
            go_on.send(()).unwrap();
            compaction.join().unwrap()
        });
        assert_eq!(done.unwrap().chunks, 2);
        assert_eq!(chunks(&store), [2, 3]);
        assert!(!place.names("").iter().any(|name| name.starts_with("0-") || name.starts_with("1-")), "{:?}", place.names(""));
        let verified = store.verify(|finding| panic!("{finding:?}")).unwrap();
        assert_eq!(verified.damaged, 0);
    }
}

#[test]
fn compacted_chunks_count_by_what_they_take_now_and_go_like_others() {
    let place = Place::simulated(1);
    let store = open(&place);
    for time in 0..2000 {
        store.append(&events_at([time])).unwrap();
    }
    let before = bytes(&store);
    store.compact(.., |_| ControlFlow::Continue(())).unwrap();
    let after = bytes(&store);
    assert!(after < before / 3, "{after} of {before}");
    let stats = store.stats().unwrap();
    assert!(stats.log_bytes <= after);
    let retained = store.retain(size(after / 2)).unwrap();
    assert_eq!((retained.horizon, retained.chunks, retained.events), (1000, 10, 1000));
    assert_eq!(bytes(&store), after - retained.bytes);
    assert_eq!(chunks(&store), (10..20).collect::<Vec<_>>());
    drop(store);
    assert_eq!(open(&place).count(..).unwrap(), 1000);
}

#[test]
fn it_works_when_no_byte_is_free_and_gives_room_to_appends() {
    for call in [false, true] {
        let place = Place::simulated(1);
        let store = open_with(&place, |options| options.max_age(3 * FILE_SIZE));
        for chunk in 0..4_u64 {
            store.append(&[event(chunk * 100 + 50, 1, vec![7; 50_000]), event(chunk * 100 + 60, 1, vec![7; 50_000])]).unwrap();
        }
        store.tick().unwrap();
        place.sim().set_capacity(Some(0));
        let large = [event(450, 1, vec![7; 90_000]), event(460, 2, "")];
        assert_error!(store.append(&large), Error::NoSpace { .. });
        if call {
            assert_eq!(store.retain(age(2)).unwrap().chunks, 1);
        } else {
            // An append that finds no space has the limits looked at; by them, all is as it should be.
            store.tick().unwrap();
            assert_eq!(chunks(&store), [0, 1, 2, 3]);
            assert_eq!(store.retain(age(1)).unwrap().chunks, 2);
        }
        place.sim().set_capacity(Some(place.sim().used() + 95_000));
        store.append(&large).unwrap();
        store.tick().unwrap();
        assert_eq!(chunks(&store), if call { vec![1, 2, 3, 4] } else { vec![2, 3, 4] });
        store.close().unwrap();
    }
}

#[test]
fn what_is_in_a_buffer_that_cannot_be_flushed_is_kept() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..10);
    store.close().unwrap();
    let store = open_with(&place, |options| options.durability(Durability::Buffered).buffer(4096, u64::MAX));
    place.sim().set_capacity(Some(0));
    store.append(&[event(350, 1, vec![4; 50_000])]).unwrap();
    assert_error!(store.sync(), Error::NoSpace { .. });
    assert!(store.retain(age(1)).unwrap().horizon <= 300);
    place.sim().set_capacity(None);
    assert_eq!(store.count(350..=350).unwrap(), 1);
    // And one that can be flushed is, so that it counts.
    store.append(&events_at([20_000, 20_001])).unwrap();
    assert_eq!(store.retain(age(1)).unwrap().horizon, 1000);
    assert_eq!(times(&drain(store.read(..).unwrap())), [20_000, 20_001]);
}

#[test]
fn a_log_whose_header_is_damaged_tells_nothing_of_the_present() {
    let place = Place::simulated(1);
    let store = open(&place);
    fill(&store, 0..6);
    store.append(&events_at([FAR, FAR + 1])).unwrap();
    store.close().unwrap();
    let far = format!("{}-0.estore", FAR / FILE_SIZE);
    let mut bytes = place.file(&far);
    bytes[..64].fill(0xaa);
    place.put_file(&far, &bytes);
    place.disk.remove_file(&place.path.join("journal")).unwrap();
    place.clock.set_wall(u64::MAX);
    let store = open(&place);
    assert_eq!(store.retain(age(3)).unwrap().horizon, 200);
    assert_eq!(store.retain(size(1)).unwrap().horizon, 500);
    assert_eq!(times(&drain(store.read(..1000).unwrap())), [505, 595]);
}

#[test]
fn it_is_durable_on_return_and_undone_by_no_crash() {
    for crash in [Crash::LoseAll, Crash::KeepAll, Crash::Random] {
        for seed in 0..10 {
            let place = Place::simulated(seed);
            let store = open(&place);
            fill(&store, 0..6);
            store.sync().unwrap();
            assert_eq!(store.retain(age(2)).unwrap().horizon, 300);
            place.crash(crash);
            let store = open(&place);
            assert_eq!(chunks(&store), [3, 4, 5], "{crash:?}");
            assert_eq!(store.stats().unwrap().horizon, 300);
        }
    }
}

#[test]
fn readers_of_others_end_with_gone_or_go_on_but_never_end_early_in_silence() {
    for place in [Place::simulated(1), Place::real()] {
        let store = open(&place);
        fill(&store, 0..20);
        let outside = beside(&place);
        let mut reader = outside.read(..).unwrap();
        assert!(reader.next().is_some());
        store.retain(age(2)).unwrap();
        let rest: estore::Result<Vec<Event>> = reader.collect();
        match rest {
            Ok(events) => assert_eq!(events.len(), 39),
            Err(error) => assert!(matches!(error, Error::Gone { .. }), "{error}"),
        }
    }
}
