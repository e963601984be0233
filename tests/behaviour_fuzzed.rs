//! What fuzzing found (see `fuzz/`): damage of kinds that nobody had thought of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::events_at;
use common::place::Place;
use estore::disk::Crash;
use estore::{Durability, Efile, Error, Mode, Options, ReadOptions};

fn options(place: &Place) -> Options {
    place.options().durability(Durability::Process)
}

fn open(place: &Place) -> Efile {
    Efile::open(&place.path, options(place)).expect("the efile opens")
}

const LOG: &str = "0-0.estore";

#[test]
fn a_damaged_log_header_lets_nothing_be_cut_that_was_durable() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    let durable = place.file(LOG);
    let store = open(&place);
    store.append(&events_at([4])).unwrap();
    place.crash(Crash::KeepAll);
    drop(store);
    // What was appended last is lost, and the header is damaged.
    let mut bytes = durable.clone();
    bytes[40] ^= 1;
    place.put_file(LOG, &bytes);
    for mode in [Mode::ReadOnly, Mode::Existing, Mode::Existing] {
        let store = Efile::open(&place.path, options(&place).mode(mode)).unwrap();
        assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
        assert_eq!(place.file(LOG), bytes, "{mode:?}");
    }
    place.put_file(LOG, &durable);
    assert_eq!(common::drain(open(&place).read(..).unwrap()).len(), 3);
}

#[test]
fn events_can_be_appended_where_a_log_is_lost() {
    let place = Place::simulated(1);
    let store = open(&place);
    store.append(&events_at([1, 2, 3])).unwrap();
    store.close().unwrap();
    place.disk.remove_file(&place.path.join(LOG)).unwrap();
    for times in [[4, 5], [6, 7]] {
        let store = open(&place);
        store.append(&events_at(times)).unwrap();
        assert_error!(store.read(..).unwrap().next().expect("not the end"), Error::Corrupt { .. });
        store.close().unwrap();
    }
    let mut reader = open(&place).read_with(.., ReadOptions::new().salvage()).unwrap();
    assert_eq!(common::times(&common::drain_batches(&mut reader, 9)), [4, 5, 6, 7]);
    assert_eq!(reader.gaps().len(), 1);
}
