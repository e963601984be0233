//! The tool as a user starts it, in a folder of its own.

#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The built tool.
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_estore");

/// A folder in which the tool runs, without what the environment of the tests would tell it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(TOOL);
        command.args(args);
        self.prepare(&mut command);
        command
    }

    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
    }

    /// A line for the shell, in which `estore` is the tool.
    pub(crate) fn shell(&self, line: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line]);
        self.prepare(&mut command);
        let folder = Path::new(TOOL).parent().unwrap().display().to_string();
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap()));
        command.output().unwrap()
    }

    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // Whoever does not read all of it is not to keep the test waiting.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran::of(args, output)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, b"")
    }

    /// Starts it with pipes in all places.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Every file of a store, to see whether something was changed.
    pub(crate) fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.path(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap_or_default()))
            .collect();
        files.sort();
        files
    }
}

/// What a command has printed, and how it ended.
pub(crate) struct Ran {
    args: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(args: &[&str], output: Output) -> Ran {
        Ran { args: args.join(" "), code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }

    fn told(&self) -> String {
        format!("estore {}: {:?}\n{}\n{}", self.args, self.code, String::from_utf8_lossy(&self.stdout), self.stderr)
    }

    /// It ended with this status.
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}", self.told());
        self
    }

    /// It ended well and said nothing on stderr.
    pub(crate) fn fine(self) -> Ran {
        let ran = self.ends(0);
        assert_eq!(ran.stderr, "", "{}", ran.told());
        ran
    }

    pub(crate) fn says(self, what: &str) -> Ran {
        assert!(self.stderr.contains(what), "not said: {what}\n{}", self.told());
        self
    }

    pub(crate) fn prints(self, what: &str) -> Ran {
        assert!(self.text().contains(what), "not printed: {what}\n{}", self.told());
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.told()))
    }
}

/// Real data beside the project; `None`, with a note, where it is not there.
pub(crate) fn real_data(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("ESTORE_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if !path.is_file() {
        println!("skipped: no {}", path.display());
        return None;
    }
    Some(path)
}
