//! The small pieces by themselves, through the C ABI: what one call costs. `ESTORE_LIB` names another library than the release build of
//! this repository.

use std::path::PathBuf;
use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use estore_benches::abi::{Api, DURABILITY_BUFFERED, DURABILITY_PROCESS, Event, Options, Store};
use estore_benches::data::{BASE_NS, DataSet, Expected, Feed, GRACE_NS, HOUR_NS, mixed};

static API: LazyLock<Api> = LazyLock::new(|| {
    let default = || concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/libestore.so").into();
    let path: PathBuf = std::env::var_os("ESTORE_LIB").map_or_else(default, PathBuf::from);
    Api::load(&path, false).unwrap_or_else(|error| panic!("{error:#}"))
});

const STORED: DataSet = DataSet::new(1_000_000);
const BATCH: usize = 1_000;
const CALLERS_ARRAY: usize = 512;

fn main() {
    LazyLock::force(&API);
    divan::main();
}

/// A store in a folder that goes with it.
struct Folder {
    store: Store<'static>,
    _dir: tempfile::TempDir,
}

fn new_store(durability: i32) -> Folder {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the store");
    let options = Options::new(durability, HOUR_NS, GRACE_NS);
    let store = API.open(&dir.path().join("store"), options).expect("open");
    Folder { store, _dir: dir }
}

fn full_store() -> Folder {
    let folder = new_store(DURABILITY_PROCESS);
    let mut feed = Feed::new(&STORED);
    for first in (0..STORED.events).step_by(BATCH) {
        folder.store.append(feed.batch(first, BATCH)).expect("append");
    }
    folder
}

fn append(bencher: Bencher<'_, '_>, durability: i32, batch: usize) {
    let folder = new_store(durability);
    let mut feed = Feed::new(&STORED);
    let mut next = 0;
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        folder.store.append(feed.batch(next, batch)).expect("append");
        next += batch as u64;
    });
}

#[divan::bench(args = [1, 10, 100, 1_000], sample_size = 100)]
fn append_process(bencher: Bencher<'_, '_>, batch: usize) {
    append(bencher, DURABILITY_PROCESS, batch);
}

#[divan::bench(args = [1, 10, 100, 1_000], sample_size = 100)]
fn append_buffered(bencher: Bencher<'_, '_>, batch: usize) {
    append(bencher, DURABILITY_BUFFERED, batch);
}

#[divan::bench(sample_size = 100)]
fn iter_open_first_close(bencher: Bencher<'_, '_>) {
    let folder = full_store();
    let expected = Expected::new(&STORED);
    let mut event = [Event::EMPTY];
    let mut i = 0;
    bencher.bench_local(|| {
        let start = expected.window(mixed(i) % STORED.events, 1).start;
        i += 1;
        let mut iter = folder.store.read(start, u64::MAX, false, 0).expect("read");
        iter.next_batch(&mut event).expect("next");
        black_box(event[0].time)
    });
}

#[divan::bench(sample_size = 100)]
fn iter_next_batch(bencher: Bencher<'_, '_>) {
    let folder = full_store();
    let mut events = vec![Event::EMPTY; CALLERS_ARRAY];
    let mut iter = folder.store.read(0, u64::MAX, false, 0).expect("read");
    bencher.counter(ItemsCount::new(CALLERS_ARRAY)).bench_local(|| {
        // Begins anew when it comes to the end, once in some two thousand calls.
        if iter.next_batch(&mut events).expect("next") == 0 {
            iter = folder.store.read(0, u64::MAX, false, 0).expect("read");
        }
    });
}

#[divan::bench(sample_size = 100)]
fn count_half(bencher: Bencher<'_, '_>) {
    let folder = full_store();
    let query = Expected::new(&STORED).window(STORED.events / 4, STORED.events / 2);
    bencher.bench_local(|| folder.store.count(black_box(query.start), query.end).expect("count"));
}

#[divan::bench(sample_size = 1_000)]
fn count_of_nothing(bencher: Bencher<'_, '_>) {
    let folder = full_store();
    bencher.bench_local(|| folder.store.count(black_box(0), BASE_NS / 2).expect("count"));
}

#[divan::bench(sample_size = 1_000)]
fn event_id() -> u32 {
    API.event_id()
}
