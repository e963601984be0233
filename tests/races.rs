//! What the header allows to run at once, under ThreadSanitizer: the engine, the C layer, Rust's own library and the program in C are all
//! instrumented, so a race in any of them is reported.
//!
//! Only the development parts of rustc can do that (`RUSTC_BOOTSTRAP`), with the sources of its library at hand, which `.ci/setup` installs
//! by rustup; without them there is nothing to run. The library that ships is not built so.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use native::*;

mod native;

const ROUNDS: &str = "30";
/// ThreadSanitizer ends a program so, if it has found something.
const FOUND_A_RACE: i32 = 66;

fn rustc(question: &str) -> String {
    text_of(Command::new("rustc").args(["--print", question])).trim().to_owned()
}

/// The static library with everything in it instrumented, and the runtime that goes with it. `None` where that can't be built.
fn instrumented() -> Option<&'static (PathBuf, PathBuf)> {
    static BUILT: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let (sysroot, host) = (PathBuf::from(rustc("sysroot")), rustc("host-tuple"));
        if !sysroot.join("lib/rustlib/src/rust/library").is_dir() {
            println!("skipped: the sources of Rust's library are not there; rustup component add rust-src");
            return None;
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("races");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--lib", "--features", "lz4,digest", "-Zbuild-std", "--target", &host, "--target-dir"])
            .arg(&target);
        cargo.arg("--manifest-path").arg(root().join("Cargo.toml"));
        run(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=thread"));
        let runtimes = fs::read_dir(sysroot.join("lib/rustlib").join(&host).join("lib")).unwrap().map(|entry| entry.unwrap().path());
        let runtime = runtimes.into_iter().find(|path| path.to_str().unwrap().ends_with("_rt.tsan.a"));
        let runtime = runtime.expect("Rust has a runtime of ThreadSanitizer for this machine");
        Some((target.join(&host).join("debug/libestore.a"), runtime))
    });
    built.as_ref()
}

/// Compiles and runs a program of `tests/c` in an empty folder.
fn hammer(name: &str) -> Option<Output> {
    let (library, runtime) = instrumented()?;
    let folder = tempfile::tempdir().unwrap();
    let (object, program) = (folder.path().join("program.o"), folder.path().join("program"));
    let mut compiler = Command::new("cc");
    compiler.args(WARNINGS).args(["-std=c99", "-g", "-fsanitize=thread", "-c", "-I"]).arg(root().join("include"));
    run(compiler.arg(root().join("tests/c").join(name).with_extension("c")).arg("-o").arg(&object));
    let mut linker = Command::new("cc");
    linker.arg(&object).arg(library).arg("-Wl,--whole-archive").arg(runtime).args(["-Wl,--no-whole-archive", "-Wl,--export-dynamic"]);
    run(linker.args(SYSTEM_LIBRARIES).arg("-o").arg(&program));
    Some(Command::new(&program).env("ROUNDS", ROUNDS).current_dir(folder.path()).output().unwrap())
}

#[test]
fn calls_that_may_run_at_once_do_not_race() {
    let Some(output) = hammer("every_allowed_combination") else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// So it is on, in the engine and in the program.
#[test]
fn a_race_that_is_planted_is_found() {
    let Some(output) = hammer("planted/shared_view") else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(FOUND_A_RACE), "{said}");
    for expected in ["ThreadSanitizer: data race", "shared_view.c", "iter.rs"] {
        assert!(said.contains(expected), "no \"{expected}\" in:\n{said}");
    }
}
