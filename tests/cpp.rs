//! The C++ interface as programs see it: each program in `tests/cpp` is compiled as C++17 against the shared library and run under
//! valgrind, and as C++20 against the static one and run with sanitizers. The examples are run by `tests/examples.rs`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use native::*;

mod native;

const STRICT: [&str; 3] = ["-Wconversion", "-Wsign-conversion", "-Wshadow"];

fn check_program(name: &str, more_flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("tests/cpp").join(name).with_extension("cpp");
    let flags = [&STRICT, more_flags].concat();
    let shared = compile_with(&flags, &[&source], "c++17", Linking::Shared, folder.path());
    start(if has_valgrind() { under_valgrind(&shared) } else { Command::new(&shared) });

    let sanitized = [&flags[..], &SANITIZERS].concat();
    let output = start(Command::new(compile_with(&sanitized, &[&source], "c++20", Linking::Static, folder.path())));
    assert!(output.stderr.is_empty() && output.stdout.is_empty(), "{name}: something was printed: {output:?}");
}

macro_rules! programs {
    ($($name:ident $(with $flag:literal)?;)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                check_program(stringify!($name), &[$($flag)?]);
            }
        )*
    };
}

programs! {
    choosing_options;
    compact;
    compress;
    efile_does_the_same;
    errors;
    handles;
    layout;
    log_callback;
    numbers_of_a_store;
    reading;
    replicas;
    retain;
    round_trip_in_order;
    snapshot;
    tail;
    times;
    verify_and_salvage;
    without_exceptions with "-fno-exceptions";
}

#[test]
fn every_program_is_run() {
    assert_eq!(programs_in("tests/cpp"), PROGRAMS.iter().map(|name| (*name).to_owned()).collect());
}

/// Programs that do wrong, and what the sanitizers must say of each: so they are on, and would have found the same in the others.
#[test]
fn sanitizers_find_what_is_planted() {
    for (name, finding) in [("view_that_ended", "heap-use-after-free"), ("number_that_overflows", "signed integer overflow")] {
        let folder = tempfile::tempdir().unwrap();
        let source = root().join("tests/cpp/planted").join(name).with_extension("cpp");
        let program = compile_with(&SANITIZERS, &[&source], "c++17", Linking::Shared, folder.path());
        let output = Command::new(program).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(finding), "{name}: {said}");
    }
}

#[test]
fn one_program_may_have_files_with_and_without_exceptions() {
    let folder = tempfile::tempdir().unwrap();
    let [throwing, returning] = ["throwing.cpp", "returning.cpp"].map(|name| root().join("tests/cpp/mixed").join(name));
    start(Command::new(compile_with(&STRICT, &[&throwing, &returning], "c++17", Linking::Shared, folder.path())));
}

#[test]
fn the_header_stands_alone_and_may_be_included_twice() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("lone.cpp");
    fs::write(&source, "#include <estore.hpp>\n#include <estore.hpp>\nint main() { return estorepp::version().empty(); }\n").unwrap();
    for language in ["c++17", "c++20", "c++23"] {
        compile_with(&STRICT, &[&source], language, Linking::Shared, folder.path());
    }
}

#[test]
fn the_program_in_the_header_runs() {
    let header = fs::read_to_string(root().join("bindings/cpp/estore.hpp")).unwrap();
    let program: Vec<&str> =
        header.lines().filter_map(|line| line.strip_prefix(" *     ")).take_while(|line| !line.starts_with("c++ ")).collect();
    assert!(program.len() > 10, "no program was found in the header");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.cpp");
    fs::write(&source, program.join("\n") + "\n").unwrap();
    let output = start(Command::new(compile(&source, "c++17", Linking::Shared, folder.path())));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1700049600000000000 21.3\n1700049602000000000 21.5\n");
}

/// Words of the C header that the C++ header has no use for: macros of its own text, outcomes that no function has yet, and the call for a
/// single event, since all reading is by batches.
const NOT_USED: [&str; 8] = [
    "estore_iter_next",
    "ESTORE_H",
    "ESTORE_VERSION_MAJOR",
    "ESTORE_VERSION_MINOR",
    "ESTORE_VERSION_PATCH",
    "ESTORE_ERROR_MESSAGE_LEN",
    "ESTORE_TIMEOUT",
    "ESTORE_GAP",
];

#[test]
fn nothing_of_the_c_header_is_forgotten() {
    let c = fs::read_to_string(root().join("include/estore.h")).unwrap();
    let cpp = fs::read_to_string(root().join("bindings/cpp/estore.hpp")).unwrap();
    let words: BTreeSet<&str> = cpp.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let constants = c.lines().filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next());
    let names = declared().into_iter().chain(constants.map(str::to_owned));
    let forgotten: Vec<String> = names.filter(|name| !words.contains(name.as_str()) && !NOT_USED.contains(&name.as_str())).collect();
    assert!(forgotten.is_empty(), "estore.hpp does not use {forgotten:?}");
}
