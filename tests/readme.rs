//! What a newcomer is shown works, in every language, and prints what was promised: the programs in README.md, those in `examples`, and
//! `make demo`.
//!
//! A missing compiler, Go or Python is a failure: `.ci/setup` installs them.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use native::{library, root, text_of};

mod native;

const LANGUAGES: [&str; 5] = ["c", "go", "cpp", "python", "rust"];

/// A new folder to work in, with the shared library in its `lib`.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let library = library("libestore.so");
        fs::create_dir(place.path("lib")).unwrap();
        for name in ["libestore.so", "libestore.so.1"] {
            symlink(&library, place.path("lib").join(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A command that runs here and finds the library.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("LD_LIBRARY_PATH", self.path("lib")).env_remove("ESTORE_LIBRARY");
        command.env("PYTHONPATH", root().join("bindings/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Compiles a program in C or C++.
    fn compile(&self, compiler: &str, standard: &str, source: &Path) -> PathBuf {
        let program = self.path("program");
        let mut command = self.command(compiler);
        command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(root().join("include"));
        command.arg("-I").arg(root().join("bindings/cpp")).arg(source);
        text_of(command.args(["-Llib", "-lestore", "-o"]).arg(&program));
        program
    }

    /// Compiles the Go module in `folder`.
    fn compile_go(&self, folder: &Path) -> PathBuf {
        let program = self.path("program");
        let mut command = self.command("go");
        command.current_dir(folder).env("CGO_ENABLED", "1").args(["build", "-tags", "estore_dev", "-o"]).arg(&program).arg(".");
        text_of(command.env("CGO_LDFLAGS", format!("-L{}", self.path("lib").display())));
        program
    }

    /// Compiles and runs a program as of somebody who has only its text, and answers what it prints.
    fn run_text(&self, language: &str, text: &str) -> String {
        let program = match language {
            "c" => self.compile("cc", "-std=c99", &self.write("program.c", text)),
            "cpp" => self.compile("c++", "-std=c++17", &self.write("program.cpp", text)),
            "go" => {
                let package = root().join("bindings/go");
                let module = format!("module program\n\ngo 1.24\n\nrequire estore v0.0.0\n\nreplace estore => {package:?}\n");
                self.write("go/go.mod", &module);
                self.compile_go(self.write("go/main.go", text).parent().unwrap())
            }
            "python" => return text_of(self.command("python3").arg(self.write("program.py", text))),
            "rust" => {
                let manifest = format!(
                    "[package]\nname = \"program\"\nedition = \"2024\"\n\n[dependencies]\nestore = {{ path = {:?} }}\n\n[workspace]\n",
                    root()
                );
                self.write("rust/src/main.rs", text);
                // The same versions of other crates as here.
                fs::copy(root().join("Cargo.lock"), self.path("rust/Cargo.lock")).unwrap();
                let mut cargo = self.command(env!("CARGO"));
                cargo.args(["run", "--quiet", "--offline", "--manifest-path"]).arg(self.write("rust/Cargo.toml", &manifest));
                return text_of(cargo.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme")));
            }
            other => panic!("no way is known to run {other}"),
        };
        text_of(&mut self.command(program))
    }
}

/// The fenced blocks of README.md: their language and their text.
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push((language.to_owned(), text));
        }
    }
    blocks
}

/// Runs the programs of one language in README.md, each against the next block that shows what is printed.
fn check_readme(language: &str) {
    let blocks = blocks();
    let mut found = 0;
    for (at, (_, program)) in blocks.iter().enumerate().filter(|(_, (of, _))| of == language) {
        let promised = blocks[at..].iter().find(|(of, _)| of == "text");
        let (_, promised) = promised.unwrap_or_else(|| panic!("nothing says what this prints:\n{program}"));
        assert_eq!(&Place::new().run_text(language, program), promised, "printed by:\n{program}");
        found += 1;
    }
    assert!(found > 0, "README.md has no program in {language}");
}

#[test]
fn readme_c() {
    check_readme("c");
}

#[test]
fn readme_cpp() {
    check_readme("cpp");
}

#[test]
fn readme_go() {
    check_readme("go");
}

#[test]
fn readme_python() {
    check_readme("python");
}

#[test]
fn readme_rust() {
    check_readme("rust");
}

/// A block in a language that nobody runs would be a promise that nobody checks.
#[test]
fn readme_has_no_other_programs() {
    for (language, text) in blocks() {
        let shown = ["text", "sh", "make", "toml", "cmake"].contains(&language.as_str());
        assert!(shown || LANGUAGES.contains(&language.as_str()), "a block in \"{language}\":\n{text}");
    }
}

/// What the program `quickstart` prints in every language.
const QUICKSTART: &str = "\
sent again: 0 stored, 3 there already
from noon on:
  1700049600 s: 21.3
  1700049601 s: 21.4
  1700049602 s: 21.5
the last two, newest first:
  1700049602 s: 21.5
  1700049601 s: 21.4
4 events in all
";

#[test]
fn example_cpp() {
    let place = Place::new();
    let program = place.compile("c++", "-std=c++17", &root().join("examples/cpp/quickstart.cpp"));
    assert_eq!(text_of(&mut place.command(program)), QUICKSTART);
}

#[test]
fn example_go() {
    let place = Place::new();
    let program = place.compile_go(&root().join("examples/go/quickstart"));
    assert_eq!(text_of(&mut place.command(program)), QUICKSTART);
}

#[test]
fn example_python() {
    let place = Place::new();
    assert_eq!(text_of(place.command("python3").arg(root().join("examples/python/quickstart.py"))), QUICKSTART);
}

#[test]
fn example_rust() {
    let place = Place::new();
    let mut cargo = place.command(env!("CARGO"));
    cargo.args(["run", "--quiet", "--offline", "--example", "quickstart", "--manifest-path"]).arg(root().join("Cargo.toml"));
    assert_eq!(text_of(&mut cargo), QUICKSTART);
}

#[test]
fn make_demo_looks_around_in_a_log() {
    let place = Place::new();
    let log = place.write("log", "2024-03-01 10:00:01 second\n2024-03-01 10:00:00 first\n");
    let mut make = Command::new("make");
    make.arg("-C").arg(root()).arg("demo").arg(format!("FILE={}", log.display()));
    let printed = text_of(&mut make);
    assert!(printed.contains("gives exactly the 2 events"), "{printed}");
}
