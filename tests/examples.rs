//! The examples in C and C++: each is built by the command that it shows, run under valgrind where there is one, and prints what is expected
//! of it. An example is the same program in both languages, so one check serves them. The others are run by `tests/c_abi.rs` and
//! `tests/readme.rs`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use native::*;

mod native;

/// Folders of `examples`, which are the endings of the sources too.
const LANGUAGES: [&str; 2] = ["c", "cpp"];

/// An example that was built, and a folder to run it in.
struct Example {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Example {
    fn in_each_language(name: &str) -> impl Iterator<Item = Example> {
        LANGUAGES.iter().map(move |language| Example::build(&root().join("examples").join(language).join(name).with_extension(language)))
    }

    /// By the command that it shows, only that the libraries and the program are elsewhere.
    fn build(source: &Path) -> Example {
        println!("{}", source.display());
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        for link in ["libestore.so", "libestore.so.1"] {
            symlink(library("libestore.so"), folder.path().join(link)).unwrap();
        }
        let text = fs::read_to_string(source).unwrap();
        let mut lines = text.lines().map(|line| line.trim_start_matches(['/', '*', ' ']));
        let shown = lines.find(|line| line.starts_with("cc ") || line.starts_with("c++ ")).expect("no build command");
        let name = source.file_stem().unwrap().to_str().unwrap();
        assert!(shown.ends_with(&format!(" -o {name}")), "{shown}");
        let libraries = folder.path().to_str().unwrap();
        let command = shown.strip_suffix(name).unwrap().replace("$PWD/target/release", libraries).replace("target/release", libraries);
        let command = command.replacen(' ', &format!(" -g {} ", WARNINGS.join(" ")), 1) + "\"$0\"";
        run(Command::new("sh").current_dir(root()).arg("-c").arg(command).arg(&program));
        Example { folder, program }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if has_valgrind() { under_valgrind(&self.program) } else { Command::new(&self.program) };
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn prints(&self, arguments: &[&str]) -> String {
        text_of(&mut self.command(arguments))
    }

    /// Without valgrind, since what is done is not new to it.
    fn fails(&self, arguments: &[&str], exit_code: i32) -> String {
        let output = Command::new(&self.program).args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn prints_for_input(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn log_shipper() {
    for shipper in Example::in_each_language("log_shipper") {
        let input = "no time yet\n1700000002 two\n and a half\n1700000001 one\n1700000003 three\n1700000001x no time\n1700000002";
        assert_eq!(shipper.prints_for_input(&["logs"], input), "7 lines, 3 without a time\n");
        let printed = shipper.prints(&["logs", "1700000001", "1700000002"]);
        assert_eq!(printed, "1700000001 one\n1700000002 two\n and a half\n1700000002\n");

        // More than one batch, and a line that is longer than what is read at once.
        let mut lines: String = (0..2500).map(|i| format!("{} line\n", 5_000 - i)).collect();
        lines += &format!("5001 {}", "long ".repeat(50_000));
        assert_eq!(shipper.prints_for_input(&["many"], &lines), "2501 lines, 0 without a time\n");
        let printed = shipper.prints(&["many", "2502", "9999"]);
        assert_eq!(printed.lines().count(), 2500);
        assert!(printed.starts_with("2502 line\n2503 line\n"));
        assert_eq!(printed.lines().last(), lines.lines().last());

        for wrong in [&[][..], &["logs", "1"], &["logs", "x", "1"], &["logs", "1", "99999999999999"]] {
            shipper.fails(wrong, 2);
        }
        assert!(shipper.fails(&["nowhere", "1", "2"], 1).contains("nowhere"));
    }
}

#[test]
fn late_data() {
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
    for example in Example::in_each_language("late_data") {
        assert_eq!(example.prints(&[]), expected);
        assert!(example.fails(&[], 1).contains("sensors"));
    }
}

#[test]
fn many_writers() {
    for example in Example::in_each_language("many_writers") {
        let expected = "8 threads wrote 2000 events, all of them safe: yes\n200 batches, read in 200 pieces\n";
        assert_eq!(example.prints(&[]), expected);
    }
}

/// The loop answers while its input stays open: what came so far is made safe by a tick.
#[test]
fn event_loop() {
    for example in Example::in_each_language("event_loop") {
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
}

#[test]
fn every_example_is_run() {
    let tests =
        ["tests/examples.rs", "tests/c_abi.rs", "tests/readme.rs"].map(|path| fs::read_to_string(root().join(path)).unwrap()).concat();
    for language in LANGUAGES {
        for entry in fs::read_dir(root().join("examples").join(language)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let here = tests.contains(&format!("Example::in_each_language(\"{name}\")"));
            assert!(here || tests.contains(&format!("examples/{language}/{name}.{language}")), "{}", path.display());
        }
    }
}
