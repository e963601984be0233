//! A build without any of the cargo features, on a store that one with them has made: what it can't do it says, and it does all else.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use estore::{Compression, Event, Options, RepairOptions, Store};
use native::{WARNINGS, root, run};

mod native;

/// The shared library without features, in a folder of its own, so that the one with them stays.
fn library_without_features() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without features");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["rustc", "--locked", "--lib", "--crate-type", "cdylib", "--target-dir"]).arg(&target);
    // To be compiled quickly, as little runs of it.
    run(cargo.args(["--config", "profile.dev.package.estore.opt-level=0", "--config", "profile.dev.debug=0"]));
    target.join("debug/libestore.so")
}

fn options() -> Options {
    Options::new().file_size(1_000_000).compaction(false).compression(Compression::Lz4)
}

fn read(store: &Store) -> Vec<Event> {
    store.read(..).unwrap().map(Result::unwrap).collect()
}

/// A closed store of two chunks, of which the first is compressed.
fn make(path: &Path) -> Vec<Event> {
    let store = Store::open(path, options()).unwrap();
    for chunk in [0, 1_000_000] {
        let events: Vec<Event> =
            (0..2000).map(|i| Event::at(chunk + i, format!("INFO request {i}: GET /api/v1/items/{}", i % 90))).collect();
        store.append(&events).unwrap();
    }
    let done = store.compact(..1_000_000, |_| ControlFlow::Continue(())).unwrap();
    assert!(done.bytes_after * 2 < done.bytes_before, "{done:?}");
    let events = read(&store);
    store.close().unwrap();
    events
}

#[test]
fn a_build_without_features_names_what_it_lacks_and_loses_nothing() {
    let library = library_without_features();
    let folder = tempfile::tempdir().unwrap();
    symlink(&library, folder.path().join("libestore.so.1")).unwrap();
    let program = folder.path().join("without_features");
    let mut cc = Command::new("cc");
    cc.args(WARNINGS).args(["-std=c99", "-g", "-I"]).arg(root().join("include")).arg("-I").arg(root().join("tests/c"));
    cc.arg(root().join("tests/features/without_features.c")).arg(folder.path().join("libestore.so.1")).arg("-o").arg(&program);
    run(cc.arg(format!("-Wl,-rpath,{}", folder.path().display())));
    let message = folder.path().join("message");
    let asking = Store::open(folder.path().join("asking"), options()).unwrap();
    fs::write(&message, asking.exchange(.., RepairOptions::new()).unwrap().request().unwrap().unwrap()).unwrap();
    for (name, lose) in [("closed", None), ("without journal", Some("journal")), ("without index", Some("0-1.idx"))] {
        let path = folder.path().join(name);
        let before = make(&path);
        if let Some(lost) = lose {
            fs::remove_file(path.join(lost)).unwrap();
        }
        let own = folder.path().join(format!("of {name}"));
        fs::create_dir(&own).unwrap();
        run(Command::new(&program).arg(&path).arg(&message).current_dir(own));
        let store = Store::open(&path, options()).unwrap();
        let after = read(&store);
        assert_eq!(after.len(), before.len() + 2, "{name}");
        assert!(before.iter().all(|event| after.contains(event)), "{name}");
        assert_eq!(store.compact(.., |_| ControlFlow::Continue(())).unwrap().chunks, 2);
        assert_eq!(read(&store), after, "{name}");
    }
}
