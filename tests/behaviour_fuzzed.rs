//! What fuzzing found (see `fuzz/`): damage of kinds that nobody had thought of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::events_at;
use common::place::Place;
use estore::disk::Crash;
use estore::{Durability, Efile, Error, Mode, Options};

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
