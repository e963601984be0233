//! Guards what appending and reading cost: counts the instructions that the release build of the library spends in its C functions.
//!
//! A count is the same on a loaded machine as on an idle one, so a change that makes one of these 20% dearer fails here, which no stopwatch
//! could tell. Compilers and processors (crc32fast and libc choose code by processor) move counts by a few percent, hence the margin.
//! System calls are not in it: `behaviour_cost.rs` counts those, and `benches` measures time.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use native::installed::dist;
use native::{root, run};

mod native;

/// What is done, with how many events; the functions whose instructions count; and how many there were for each event (for each window).
/// Where one has become cheaper for good, put the new number here, so that it stays so.
const WORK: [(&str, usize, &[&str], f64); 8] = [
    ("append-one", 20_000, &["estore_append"], 1_519.0),
    ("append-batch", 200_000, &["estore_append"], 285.0),
    ("append-buffered", 100_000, &["estore_append"], 682.0),
    ("append-late", 100_000, &["estore_append"], 769.0),
    ("append-absent", 200_000, &["estore_append_absent"], 514.0),
    ("scan-forward", 200_000, &["estore_iter_next_batch"], 137.0),
    ("scan-backward-late", 100_000, &["estore_iter_next_batch"], 200.0),
    ("window", 200_000, &["estore_read_iter", "estore_iter_next_batch", "estore_iter_close"], 206_600.0),
];
const WINDOWS: f64 = 100.0;
/// By how much a count may differ, up or down.
const MARGIN: f64 = 0.12;

fn compile(library: &Path, folder: &Path) -> PathBuf {
    let program = folder.join("work");
    std::os::unix::fs::symlink(library, folder.join("libestore.so.1")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-I"]).arg(root().join("include"));
    compiler
        .arg(root().join("tests/instructions/work.c"))
        .arg(folder.join("libestore.so.1"))
        .arg(format!("-Wl,-rpath,{}", folder.display()));
    run(compiler.arg("-o").arg(&program));
    program
}

/// The instructions that a piece of work spends in the functions and in all that they call.
fn count(program: &Path, work: &str, events: usize, functions: &[&str]) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut valgrind = Command::new("valgrind");
    valgrind.current_dir(folder.path()).args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.args(functions.iter().map(|function| format!("--toggle-collect={function}")));
    let output = run(valgrind.arg(program).args([work, &events.to_string()]));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let counted = text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, number)| number.trim().parse());
    counted.unwrap_or_else(|| panic!("valgrind counted nothing: {text}")).unwrap()
}

#[test]
fn appending_and_reading_cost_as_many_instructions_as_before() {
    let folder = tempfile::tempdir().unwrap();
    // The library as users get it, not the one with all that tests want.
    let program = compile(&dist().join("libestore.so"), folder.path());
    let mut changed = Vec::new();
    for (work, events, functions, before) in WORK {
        let units = if work == "window" { WINDOWS } else { events as f64 };
        let now = count(&program, work, events, functions) as f64 / units;
        println!("{work}: {now:.1} instructions, {before} before");
        if (now / before - 1.0).abs() > MARGIN {
            changed.push(format!("{work}: {now:.1} instructions, {before} before"));
        }
    }
    assert!(changed.is_empty(), "more than {MARGIN} off:\n{}", changed.join("\n"));
}
