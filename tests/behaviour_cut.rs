//! What recovery cuts off a log is kept aside, whole, whatever happens meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use common::place::Place;
use common::{event, events_at};
use estore::disk::{Crash, Fault, FaultEffect};
use estore::{Durability, Efile, FindingKind, Mode, Options};

const LOG: &str = "0-0.estore";
const CUT: &str = "0-0.cut";
const HEADER_LEN: usize = 32;

fn options(place: &Place) -> Options {
    place.options().durability(Durability::Process)
}

fn open(place: &Place) -> Efile {
    Efile::open(&place.path, options(place)).expect("the efile opens")
}

/// An efile whose writer died, with these bytes behind its one event that was synced.
fn dead_writer(place: &Place, torn: &[u8]) {
    let store = open(place);
    store.append(&events_at([1])).unwrap();
    store.sync().unwrap();
    let len = place.file(LOG).iter().rposition(|&byte| byte != 0).unwrap() + 1;
    // So that the journal does not say that the log is closed.
    store.append(&[event(2, 0, "lost")]).unwrap();
    let mut bytes = place.file(LOG);
    bytes.truncate(len);
    bytes.extend_from_slice(torn);
    place.crash(Crash::KeepAll);
    drop(store);
    place.sim().put(place.path.join(LOG), &bytes).unwrap();
}

/// What stands in the cut file, told by verifying: what is said of each stretch, and its bytes.
fn kept(place: &Place) -> Vec<(String, Vec<u8>)> {
    let store = Efile::open(&place.path, options(place).mode(Mode::ReadOnly)).unwrap();
    let mut kept = Vec::new();
    let verified = store.verify(|finding| {
        assert_eq!(finding.kind, FindingKind::Aside, "{finding:?}");
        assert_eq!(finding.path, place.path.join(CUT));
        let (from, len) = (finding.offset as usize, finding.len as usize);
        kept.push((finding.what, place.file(CUT)[from..from + len].to_vec()));
        ControlFlow::Continue(())
    });
    assert_eq!(verified.unwrap().damaged, 0);
    kept
}

fn is_piece(what: &str) -> bool {
    what.starts_with("cut off the log at byte")
}

#[test]
fn a_crash_while_bytes_are_kept_aside_spoils_neither_them_nor_what_is_kept_later() {
    let torn: Vec<u8> = (1..=200).collect();
    for crash in [Crash::KeepAll, Crash::LoseAll, Crash::Random] {
        let original = Place::simulated(1);
        dead_writer(&original, &torn);
        for at in 0.. {
            let place = Place::on(original.sim().fork(at), &original);
            place.sim().inject(Fault { at, calls: None, name: None, effect: FaultEffect::Crash, forever: false });
            drop(Efile::open(&place.path, options(&place)));
            let undisturbed = place.sim().faults_hit() == 0;
            place.sim().clear_faults();
            place.crash(crash);
            drop(open(&place));
            let kept = kept(&place);
            assert!(kept.iter().any(|(_, bytes)| *bytes == torn), "{crash:?} at call {at}: {kept:?}");
            // Only a header that is itself torn can't be told from a damaged one, and stays.
            if crash == Crash::LoseAll {
                assert!(kept.iter().all(|(what, bytes)| is_piece(what) && *bytes == torn), "{crash:?} at call {at}: {kept:?}");
            }
            if undisturbed {
                break;
            }
        }
    }
}

#[test]
fn a_damaged_piece_hides_none_of_the_others() {
    let place = Place::simulated(1);
    for byte in [1, 2, 3] {
        let torn = vec![byte; 100];
        dead_writer(&place, &torn);
        drop(open(&place));
    }
    let pieces = |place: &Place| kept(place).into_iter().filter(|(what, _)| is_piece(what)).map(|(_, bytes)| bytes[0]).collect::<Vec<u8>>();
    assert_eq!(pieces(&place), [1, 2, 3]);
    let whole = place.file(CUT);
    let starts: Vec<usize> = (0..whole.len() - 4).filter(|&at| whole.get(at..at + 4) == Some(b"eCut")).collect();
    for (damaged, rest) in [(0, [2, 3]), (1, [1, 3]), (2, [1, 2])] {
        for at in 0..HEADER_LEN {
            let mut bytes = whole.clone();
            bytes[starts[damaged] + at] ^= 0x40;
            place.put_file(CUT, &bytes);
            // The 8 reserved bytes are covered by the checksum too.
            assert_eq!(pieces(&place), rest, "byte {at} of piece {damaged}");
        }
    }
    // A recovery adds to it, and takes nothing away.
    let damaged = place.file(CUT);
    dead_writer(&place, &[4; 100]);
    drop(open(&place));
    assert!(place.file(CUT).starts_with(&damaged));
    assert_eq!(pieces(&place), [1, 2, 4]);
}

#[test]
fn a_hole_in_what_is_kept_aside_takes_no_space() {
    const HOLE: u64 = 64 << 20;
    let place = Place::real();
    let store = open(&place);
    store.append(&events_at([1])).unwrap();
    store.close().unwrap();
    // A store copied while it was written, so to speak: as after a crash, with something a long way behind the end.
    let store = open(&place);
    store.append(&events_at([2])).unwrap();
    let copy = Place::real();
    std::fs::create_dir(&copy.path).unwrap();
    for name in place.names("") {
        std::fs::copy(place.path.join(&name), copy.path.join(&name)).unwrap();
    }
    let log = std::fs::OpenOptions::new().write(true).open(copy.path.join(LOG)).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&log, b"garbage", HOLE).unwrap();
    drop(log);
    let store = open(&copy);
    assert_eq!(store.count(..).unwrap(), 2);
    let cut = std::fs::metadata(copy.path.join(CUT)).unwrap();
    assert!(cut.len() > HOLE / 2, "{cut:?}");
    assert!(cut.blocks() * 512 < 2 << 20, "{cut:?}");
    let pieces = kept(&copy);
    assert!(pieces.len() == 1 && is_piece(&pieces[0].0) && pieces[0].1.ends_with(b"garbage"));
}
