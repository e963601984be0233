//! The Go package as programs see it: `bindings/go` is checked by Go's own tools and runs its own tests against the library of this build,
//! with everything on that finds wrong use of memory; and the program of its opening comment is built in each way that it names.
//!
//! The tests themselves, by behaviour, are beside the package: `bindings/go/*_test.go`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use native::*;

mod native;

/// A folder with the shared library under the names that programs ask for.
fn shared(folder: &Path) {
    for name in ["libestore.so", "libestore.so.1"] {
        symlink(library("libestore.so"), folder.join(name)).unwrap();
    }
}

/// The go tool in the package, with the library of this build in the place of the one that the tag names. `folder` holds the library.
fn go(folder: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(root().join("bindings/go")).env("CGO_ENABLED", "1").env("GOFLAGS", "-tags=estore_dev -buildvcs=false");
    command.env("CGO_LDFLAGS", format!("-L{} -Wl,-rpath,{0}", folder.display()));
    command
}

/// Not from a cache, and what hangs ends with the stacks of all goroutines.
const TEST: [&str; 3] = ["test", "-count=1", "-timeout=5m"];

#[test]
fn gofmt_and_vet_have_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let unformatted = text_of(Command::new("gofmt").arg("-l").arg(root().join("bindings/go")));
    assert!(unformatted.is_empty(), "gofmt would change:\n{unformatted}");
    for tags in ["estore_dev", "estore_dev,estore_debug"] {
        run(go(folder.path()).args(["vet", "-tags", tags, "./..."]));
    }
}

#[test]
fn behaviour_with_the_race_detector_and_all_checks_of_pointers() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    run(go(folder.path()).env("GOEXPERIMENT", "cgocheck2").args(TEST).args(["-race", "./..."]));
}

/// The collector runs before and during every call, and overwrites what it frees.
#[test]
fn behaviour_while_garbage_is_collected() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    run(go(folder.path()).env("GODEBUG", "clobberfree=1,cgocheck=1").args(TEST).args(["-tags=estore_dev,estore_debug", "./..."]));
}

#[test]
fn allocations_are_as_few_as_promised() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    run(go(folder.path()).args(TEST).args(["-run", "TestAllocations", "."]));
}

/// By count and not by time, so that a slow machine tries as much. What fails is kept by Go, which says how to run it again.
#[test]
fn fuzzing_finds_nothing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    let output = text_of(go(folder.path()).args(TEST).args(["-run", "^$", "-fuzz", "FuzzRoundTrip", "-fuzztime", "500x", "."]));
    assert!(output.contains("execs: 500"), "{output}");
}

/// Builds the program in the opening comment of the package as a module of its own, finding the library through pkg-config.
fn build_program(folder: &Path, tags: &str) -> PathBuf {
    let comment = fs::read_to_string(root().join("bindings/go/doc.go")).unwrap();
    let lines = comment.lines().skip_while(|line| *line != "//\tpackage main");
    let program: String =
        lines.map_while(|line| if line == "//" { Some("") } else { line.strip_prefix("//\t") }).map(|line| format!("{line}\n")).collect();
    assert!(program.contains("func main()"), "no program was found in doc.go");
    let module = folder.join("program");
    fs::create_dir(&module).unwrap();
    fs::write(module.join("main.go"), program).unwrap();
    let replaced = root().join("bindings/go");
    let text = format!("module program\n\ngo 1.24\n\nrequire estore v0.0.0\n\nreplace estore => {:?}\n", replaced);
    fs::write(module.join("go.mod"), text).unwrap();
    let include = root().join("include");
    let libraries = SYSTEM_LIBRARIES.join(" ");
    let pc = format!(
        "Name: estore\nDescription: estore\nVersion: 0\nCflags: -I{}\nLibs: -L{} -lestore\nLibs.private: {libraries}\n",
        include.display(),
        folder.display()
    );
    fs::write(folder.join("estore.pc"), pc).unwrap();
    let built = module.join("built");
    let mut command = Command::new("go");
    command.current_dir(&module).env("CGO_ENABLED", "1").env("PKG_CONFIG_PATH", folder).env("GOFLAGS", "-buildvcs=false");
    // Go takes a package from its cache though pkg-config answers otherwise by now, but not if it is compiled otherwise.
    command.env("CGO_CFLAGS", format!("-O2 -DFOUND_IN=\"{}\"", folder.display()));
    run(command.args(["build", "-tags", tags, "-o"]).arg(&built).arg("."));
    built
}

/// Runs the program in a folder that has no store yet.
fn output_of(program: &Path, change: impl FnOnce(&mut Command)) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    change(command.current_dir(folder.path()));
    command.output().unwrap()
}

fn check_program(output: &Output) {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.starts_with("1000 first\n3000 third\n1") && printed.ends_with(" now, with an id of its own\n"),
        "{output:?}"
    );
}

#[test]
fn the_program_of_the_comment_runs_with_the_shared_library_and_refuses_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    let program = build_program(folder.path(), "");
    check_program(&output_of(&program, |command| {
        command.env("LD_LIBRARY_PATH", folder.path());
    }));

    // The same library, but for what it says of its version.
    let source = folder.path().join("older.c");
    fs::write(&source, "const char *estore_version(void) { return \"0.0.7\"; }\nunsigned estore_version_number(void) { return 7; }\n")
        .unwrap();
    let older = folder.path().join("older.so");
    run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&older).arg(&source));
    let refused = output_of(&program, |command| {
        command.env("LD_LIBRARY_PATH", folder.path()).env("LD_PRELOAD", &older);
    });
    let said = String::from_utf8_lossy(&refused.stderr);
    let (ours, theirs) = (env!("CARGO_PKG_VERSION"), "0.0.7");
    assert!(!refused.status.success() && said.contains(ours) && said.contains(theirs), "{said}");
}

/// Whatever its file is called: a link of the name that the loader looks for may lead to any library.
#[test]
fn a_library_of_another_abi_is_refused_at_the_start() {
    const NAMES: [&str; 2] = ["libestore.so.1", "libestore.so.2"];
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    let program = build_program(folder.path(), "");

    // The same library, but for the name that it gives itself.
    let mut bytes = fs::read(library("libestore.so")).unwrap();
    let name = |i: usize| [b"\0", NAMES[i].as_bytes(), b"\0"].concat();
    let places: Vec<usize> = bytes.windows(name(0).len()).enumerate().filter(|(_, text)| *text == name(0)).map(|(at, _)| at).collect();
    let [place] = places[..] else { panic!("the name is in the library {} times", places.len()) };
    bytes[place..place + name(1).len()].copy_from_slice(&name(1));
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join(NAMES[0]), bytes).unwrap();
    let refused = output_of(&program, |command| {
        command.env("LD_LIBRARY_PATH", other.path());
    });
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && NAMES.iter().all(|name| said.contains(name)), "{said}");
}

#[test]
fn the_program_of_the_comment_runs_with_the_static_library() {
    let folder = tempfile::tempdir().unwrap();
    shared(folder.path());
    symlink(library("libestore.a"), folder.path().join("libestore.a")).unwrap();
    let program = build_program(folder.path(), "estore_static");
    // No library to be found, and none is asked for.
    check_program(&output_of(&program, |_| ()));
}

/// Words of the C header that the binding has no use for: macros of its own text, outcomes that no function has yet, defaults that need no
/// saying, the call for a single event and that for columns of data frames, and what Go has itself (a clock, random numbers).
const NOT_USED: [&str; 12] = [
    "ESTORE_H",
    "ESTORE_ERROR_INIT",
    "ESTORE_ERROR_MESSAGE_LEN",
    "ESTORE_WAIT_FOREVER",
    "estore_iter_wait",
    "ESTORE_READ_FORWARD",
    "estore_iter_next",
    "estore_iter_next_columns",
    "estore_event_init",
    "estore_event_id",
    "estore_now",
    "ESTORE_MODE_CREATE_IF_MISSING",
];

#[test]
fn nothing_of_the_c_header_is_forgotten() {
    let header = fs::read_to_string(root().join("include/estore.h")).unwrap();
    let binding: String = ["capi.go", "replicas.go", "bridge.c"]
        .iter()
        .map(|name| fs::read_to_string(root().join("bindings/go/internal/capi").join(name)).unwrap())
        .collect();
    let words: BTreeSet<&str> = binding.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    // Calls that a store and an efile share are made by a macro, from the part of the name that they share.
    let shared = |name: &str| {
        let (_, call) = name.split_once('_').unwrap();
        binding.contains(&format!("OF(log, {call},"))
    };
    let constants = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_whitespace().next());
    let names = declared().into_iter().chain(constants.map(str::to_owned));
    let forgotten: Vec<String> =
        names.filter(|name| !words.contains(name.as_str()) && !shared(name) && !NOT_USED.contains(&name.as_str())).collect();
    assert!(forgotten.is_empty(), "the Go binding does not use {forgotten:?}");
}
