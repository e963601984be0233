//! For tests of programs that use the built library: finding it, compiling and running programs, also under valgrind.
//!
//! A missing compiler is a failure: `.ci/setup` installs them.

#![allow(dead_code)]

pub(crate) mod installed;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(crate) const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// What makes a program check its own memory and arithmetic, and end at the first fault.
pub(crate) const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// What a Rust static library needs on Linux.
pub(crate) const SYSTEM_LIBRARIES: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The libraries lie above the test executable, in `target/debug` or `target/release`.
pub(crate) fn library(name: &str) -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable
        .ancestors()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no {name} above {}; build it first: cargo build", executable.display()))
}

/// The functions that the header declares.
pub(crate) fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(root().join("include/estore.h")).unwrap();
    header
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.starts_with("typedef") && !line.starts_with("extern"))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .map(str::to_owned)
        .collect()
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

pub(crate) fn text_of(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// The programs in a folder, by their names without the ending. That is the name of the folder.
pub(crate) fn programs_in(folder: &str) -> BTreeSet<String> {
    let folder = root().join(folder);
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let programs = paths.filter(|path| path.extension() == folder.file_name());
    programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

pub(crate) fn has_valgrind() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()))
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Linking {
    Shared,
    Static,
}

/// Compiles one source file; answers with the executable. The folder gets the shared library under the name that programs ask for.
pub(crate) fn compile(source: &Path, language: &str, linking: Linking, folder: &Path) -> PathBuf {
    compile_with(&[], &[source], language, linking, folder)
}

/// Compiles source files into one program, with more flags.
pub(crate) fn compile_with(flags: &[&str], sources: &[&Path], language: &str, linking: Linking, folder: &Path) -> PathBuf {
    let name = format!("{}-{language}-{}{}", sources[0].file_stem().unwrap().to_str().unwrap(), linking as u8, flags.concat());
    let program = folder.join(name);
    let mut compiler = Command::new(if language.contains("++") { "c++" } else { "cc" });
    compiler.args(WARNINGS).args(flags).arg(format!("-std={language}")).arg("-g").arg("-I").arg(root().join("include"));
    if language.contains("++") {
        compiler.arg("-I").arg(root().join("bindings/cpp")).args(["-x", "c++"]);
    }
    compiler.args(sources).args(["-x", "none"]).arg("-o").arg(&program);
    match linking {
        Linking::Shared => {
            let link = folder.join("libestore.so.1");
            if !link.exists() {
                std::os::unix::fs::symlink(library("libestore.so"), &link).unwrap();
            }
            compiler.arg(&link).arg(format!("-Wl,-rpath,{}", folder.display())).arg("-lpthread")
        }
        Linking::Static => compiler.arg(library("libestore.a")).args(SYSTEM_LIBRARIES),
    };
    run(&mut compiler);
    program
}

/// Runs a program in an empty folder, so that it can call its stores by plain names.
pub(crate) fn start(mut command: Command) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command.current_dir(folder.path());
    if cfg!(debug_assertions) {
        command.env("ESTORE_TEST_DEBUG_BUILD", "1");
    }
    run(&mut command)
}

pub(crate) const VALGRIND_FOUND_SOMETHING: i32 = 99;

pub(crate) fn under_valgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let exit_code = format!("--error-exitcode={VALGRIND_FOUND_SOMETHING}");
    command.args(["-q", &exit_code, "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"]).arg(program);
    command
}
