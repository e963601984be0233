//! The C++ interface as programs see it: each program in `tests/cpp` is compiled as C++17 against the shared library and run under
//! valgrind, and as C++20 against the static one and run with sanitizers; the examples are built by the command that each shows, and print
//! what is expected of them.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use native::*;

mod native;

const STRICT: [&str; 3] = ["-Wconversion", "-Wsign-conversion", "-Wshadow"];
const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

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
    efile_does_the_same;
    errors;
    handles;
    layout;
    log_callback;
    numbers_of_a_store;
    reading;
    round_trip_in_order;
    times;
    verify_and_salvage;
    without_exceptions with "-fno-exceptions";
}

#[test]
fn every_program_is_run() {
    let files: BTreeSet<String> = fs::read_dir(root().join("tests/cpp"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, PROGRAMS.iter().map(|name| (*name).to_owned()).collect());
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

/// An example, built by the command that it shows, only elsewhere; what it is then run with.
struct Example {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Example {
    fn build(name: &str) -> Example {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        for link in ["libestore.so", "libestore.so.1"] {
            symlink(library("libestore.so"), folder.path().join(link)).unwrap();
        }
        let source = fs::read_to_string(root().join("examples/cpp").join(name).with_extension("cpp")).unwrap();
        let command = source.lines().find_map(|line| line.strip_prefix("//     c++ ")).expect("no build command");
        let libraries = folder.path().to_str().unwrap();
        assert!(command.ends_with(&format!("-o {name}")), "{command}");
        let command = command.replace("$PWD/target/release", libraries).replace("target/release", libraries);
        let command = format!("c++ {} {} \"$0\"", WARNINGS.join(" "), command.strip_suffix(name).unwrap());
        run(Command::new("sh").current_dir(root()).arg("-c").arg(command).arg(&program));
        Example { folder, program }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn prints(&self, arguments: &[&str]) -> String {
        text_of(&mut self.command(arguments))
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

#[test]
fn example_log_shipper() {
    let shipper = Example::build("log_shipper");
    let input = "no time yet\n1700000002 two\n and a half\n1700000001 one\n1700000003 three\n1700000001x no time\n1700000002";
    let shipped = shipper.run_with_input(&["logs"], input);
    assert_eq!(String::from_utf8_lossy(&shipped.stdout), "7 lines, 3 without a time\n");
    assert_eq!(shipper.prints(&["logs", "1700000001", "1700000002"]), "1700000001 one\n1700000002 two\n and a half\n1700000002\n");
    assert_eq!(shipper.prints(&["logs", "1700000003", "1700000003"]), "1700000003 three\n1700000001x no time\n");
    assert_eq!(shipper.prints(&["logs", "0", "1"]), "");
    // More than one batch.
    let lines: String = (0..2500).map(|i| format!("{} line\n", 5_000 - i)).collect();
    assert!(shipper.run_with_input(&["many"], &lines).status.success());
    assert_eq!(shipper.prints(&["many", "0", "9999"]).lines().count(), 2500);

    for wrong in [&[][..], &["logs", "1"], &["logs", "x", "1"], &["logs", "1", "99999999999999"]] {
        assert_eq!(shipper.command(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
    let missing = shipper.command(&["nowhere", "1", "2"]).output().unwrap();
    assert!(!missing.status.success() && String::from_utf8_lossy(&missing.stderr).contains("nowhere"), "{missing:?}");
}

#[test]
fn example_late_data() {
    let expected = "\
the cellar alone: 60 events, 0 of them late
the roof is back: 90 events, 27 of them late
sent again: 1 stored, 30 there already
from 12:40 to 12:42:
  40 min: cellar 12.0
  40 min: roof 30.5
  41 min: cellar 12.0
  41 min: roof 31.5
  42 min: cellar 12.0
a reader from before still sees 60 events
";
    assert_eq!(Example::build("late_data").prints(&[]), expected);
}

#[test]
fn example_many_writers() {
    let expected = "8 threads wrote 2000 events, all of them safe: yes\n200 batches, read in 200 pieces\n";
    assert_eq!(Example::build("many_writers").prints(&[]), expected);
}

/// The loop answers while its input stays open: what came so far is made safe by a tick.
#[test]
fn example_event_loop() {
    let example = Example::build("event_loop");
    let mut child = example.command(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    input.write_all(b"one\ntwo\nthr").unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "safe against loss of power: all up to event 2\n");
    input.write_all(b"ee\nfour").unwrap();
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.ends_with("4 lines stored\n"), "{rest}");
}

#[test]
fn every_example_is_run() {
    let tests = ["tests/cpp.rs", "tests/readme.rs"].map(|path| fs::read_to_string(root().join(path)).unwrap()).concat();
    for entry in fs::read_dir(root().join("examples/cpp")).unwrap() {
        let path = entry.unwrap().path();
        let name = Path::file_stem(&path).unwrap().to_str().unwrap();
        assert!(tests.contains(&format!("Example::build(\"{name}\")")) || tests.contains(&format!("examples/cpp/{name}.cpp")), "{name}");
    }
}
