//! The examples: each is built and run in the way that it shows at its top, and prints what is expected of it. An example is the same
//! program in every language, so one check serves all of them. The quickstart and the demo are run by `tests/c_abi.rs` and
//! `tests/readme.rs`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use native::*;

mod native;

/// How the examples of one language are found, built and run.
struct Language {
    /// Its folder in `examples`.
    folder: &'static str,
    /// The source of an example, below that folder.
    source: fn(&str) -> String,
    /// Makes a command of the source. The folder is new, holds the shared library, and is for what is built.
    build: fn(&Path, &Path) -> Command,
    /// Whether valgrind understands its programs.
    under_valgrind: bool,
    /// Examples that other languages have and it has no use for.
    lacks: &'static [&'static str],
}

const LANGUAGES: [Language; 4] = [
    Language {
        folder: "c",
        source: |name| format!("{name}.c"),
        build: compiled,
        under_valgrind: true,
        lacks: &["placement", "plot_lateness", "replicas"],
    },
    Language {
        folder: "cpp",
        source: |name| format!("{name}.cpp"),
        build: compiled,
        under_valgrind: true,
        lacks: &["placement", "plot_lateness", "replicas"],
    },
    Language {
        folder: "go",
        source: |name| format!("{name}/main.go"),
        build: built_by_go,
        under_valgrind: false,
        lacks: &["event_loop", "plot_lateness"],
    },
    Language {
        folder: "python",
        source: |name| format!("{name}.py"),
        build: interpreted,
        under_valgrind: false,
        lacks: &["event_loop", "placement", "replicas"],
    },
];

/// The line in the opening comment of an example that begins with one of these words, from there on.
fn shown(source: &Path, beginnings: &[&str]) -> String {
    let text = fs::read_to_string(source).unwrap();
    let mut lines = text.lines().map(|line| line.trim_start_matches(['/', '*', ' ', '\t']));
    let found = lines.find(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)));
    found.unwrap_or_else(|| panic!("{} does not show how to build or run it", source.display())).to_owned()
}

/// By the command that it shows, only that the libraries and the program are elsewhere.
fn compiled(source: &Path, folder: &Path) -> Command {
    let shown = shown(source, &["cc ", "c++ "]);
    let name = source.file_stem().unwrap().to_str().unwrap();
    assert!(shown.ends_with(&format!(" -o {name}")), "{shown}");
    let libraries = folder.to_str().unwrap();
    let command = shown.strip_suffix(name).unwrap().replace("$PWD/target/release", libraries).replace("target/release", libraries);
    let command = command.replacen(' ', &format!(" -g {} ", WARNINGS.join(" ")), 1) + "\"$0\"";
    let program = folder.join("program");
    run(Command::new("sh").current_dir(root()).arg("-c").arg(command).arg(&program));
    Command::new(program)
}

/// With the tags of the command that it shows. It comes with a `go.mod` of its own.
fn built_by_go(source: &Path, folder: &Path) -> Command {
    let shown = shown(source, &["go run "]);
    let (options, _) = shown.strip_prefix("go run ").unwrap().split_once(" .").expect("`go run` is not shown for its own folder");
    let program = folder.join("program");
    let mut go = Command::new("go");
    go.current_dir(source.parent().unwrap()).arg("build").args(options.split(' ')).arg("-o").arg(&program).arg(".");
    go.env("CGO_ENABLED", "1").env("CGO_LDFLAGS", format!("-L{} -Wl,-rpath,{0}", folder.display()));
    run(go.env("GOFLAGS", "-buildvcs=false"));
    Command::new(program)
}

/// By the command that it shows, only that the library is elsewhere.
fn interpreted(source: &Path, folder: &Path) -> Command {
    let path = source.strip_prefix(root()).unwrap().display();
    shown(source, &[&format!("PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 {path}")]);
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", root().join("bindings/python")).env("ESTORE_LIBRARY", folder.join("libestore.so"));
    python.args(["-W", "error", "-B"]).arg(source);
    python
}

/// An example that was built, and a folder to run it in.
struct Example {
    folder: tempfile::TempDir,
    start: Command,
    under_valgrind: bool,
}

impl Example {
    /// In all languages but those that say that they lack it.
    fn in_each_language(name: &str) -> impl Iterator<Item = Example> {
        LANGUAGES.iter().filter(move |language| !language.lacks.contains(&name)).map(move |language| Example::in_language(language, name))
    }

    fn in_language(language: &Language, name: &str) -> Example {
        let source = root().join("examples").join(language.folder).join((language.source)(name));
        println!("{}", source.display());
        let folder = tempfile::tempdir().unwrap();
        for link in ["libestore.so", "libestore.so.1"] {
            symlink(library("libestore.so"), folder.path().join(link)).unwrap();
        }
        let start = (language.build)(&source, folder.path());
        Example { folder, start, under_valgrind: language.under_valgrind && has_valgrind() }
    }

    fn command(&self, arguments: &[&str], checked: bool) -> Command {
        let program = Path::new(self.start.get_program());
        let mut command = if checked && self.under_valgrind { under_valgrind(program) } else { Command::new(program) };
        command.args(self.start.get_args()).args(arguments).current_dir(self.folder.path());
        command.envs(self.start.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    fn prints(&self, arguments: &[&str]) -> String {
        text_of(&mut self.command(arguments, true))
    }

    /// Without valgrind, since what is done is not new to it.
    fn fails(&self, arguments: &[&str], exit_code: i32) -> String {
        let output = self.command(arguments, false).output().unwrap();
        assert_eq!(output.status.code(), Some(exit_code), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn prints_for_input(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments, true);
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

/// Beside a writer in another language, from the start and from where it ended; and what was deleted before it came back.
#[test]
fn follow() {
    for example in Example::in_each_language("follow") {
        let path = example.folder.path().join("logs");
        assert!(example.fails(&["logs", "cursor", "1"], 1).contains("logs"));
        example.fails(&["logs"], 2);
        let options = || estore::Options::new().file_size(1000).grace(10).durability(estore::Durability::Process);
        let store = estore::Store::open(&path, options()).unwrap();
        let append = |time, text: &str| store.append(&[estore::Event::at(time, text)]).unwrap();
        append(5000, "first");
        let mut child = example.command(&["logs", "cursor", "4"], true).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut next = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line
        };
        assert_eq!(next(), "1: first\n");
        append(7, "late");
        assert_eq!(next(), "2: late\n");
        store.append(&["third", "fourth", "fifth"].map(|text| estore::Event::at(5001, text))).unwrap();
        assert_eq!(next() + &next(), "3: third\n4: fourth\n");
        assert!(child.wait().unwrap().success());

        append(9000, "kept");
        store.delete_before(9000).unwrap();
        assert_eq!(example.prints(&["logs", "cursor", "1"]), "events were deleted before they came here\n6: kept\n");
        assert_eq!(fs::read_to_string(example.folder.path().join("cursor")).unwrap(), "6\n");
    }
}

#[test]
fn snapshot() {
    let expected = "\
a snapshot up to event 1000, whole
1200 events in the store, 1000 in the snapshot
a snapshot up to event 1200, whole
1200 events in the store, 1200 in the snapshot
the second one copied less: yes
";
    for example in Example::in_each_language("snapshot") {
        assert_eq!(example.prints(&[]), expected);
        assert!(example.fails(&[], 1).contains("measured"));
    }
}

/// In Go alone.
#[test]
fn placement() {
    let example = Example::in_each_language("placement").next().unwrap();
    let expected = "\
168 chunks, two copies each, on 4 machines:
  ant has 84
  bee has 76
  cat has 98
  dog has 78
all machines: 10080 events, all copies the same: true
bee is lost: 10080 events, all copies the same: false
eel came: 117 chunks were copied
afterwards: 10080 events, all copies the same: true
";
    assert_eq!(example.prints(&["cluster"]), expected);
    assert!(example.fails(&["cluster"], 1).contains("cluster"));
    example.fails(&[], 2);
}

/// A process with a replica, and what it prints.
struct ReplicaProcess {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ReplicaProcess {
    fn start(example: &Example, folder: &str, port: u16, other: u16) -> ReplicaProcess {
        let arguments = [folder, &format!("127.0.0.1:{port}"), &format!("http://127.0.0.1:{other}")];
        let mut command = example.command(&arguments, false);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        ReplicaProcess { child, input, output }
    }

    /// Reads what it prints up to a line that begins like this.
    fn wait_for(&mut self, beginning: &str) {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended before it printed \"{beginning}\"");
            if line.starts_with(beginning) {
                return;
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// In Go alone. Two processes are given lines, and are killed in turn, whatever they do: what was acknowledged ends up in both, once.
#[test]
fn replicas() {
    let example = Example::in_each_language("replicas").next().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = [free(), free()];
    let folders = ["one", "two"];
    let start = |which: usize| ReplicaProcess::start(&example, folders[which], ports[which], ports[1 - which]);
    let mut both = [start(0), start(1)];
    let (mut acknowledged, mut sent) = (Vec::new(), 0);
    for round in 0..24 {
        let which = round % 2;
        let running = &mut both[which];
        for _ in 0..40 + round * 7 % 50 {
            let line = format!("line {sent}");
            sent += 1;
            writeln!(running.input, "{line}").unwrap();
            running.wait_for(&format!("stored {line}"));
            acknowledged.push(line);
        }
        // These may be stored or not.
        for _ in 0..round % 5 {
            writeln!(running.input, "line {sent}").unwrap();
            sent += 1;
        }
        let killed = if round % 3 == 0 { 1 - which } else { which };
        both[killed].kill();
        both[killed] = start(killed);
    }
    // What each has now the other one gets, and nothing comes any more.
    both.iter_mut().for_each(ReplicaProcess::kill);
    both = [start(0), start(1)];
    both.iter_mut().for_each(|running| running.wait_for("up to date with"));
    for running in both {
        let mut interrupt = Command::new("kill");
        run(interrupt.arg("-INT").arg(running.child.id().to_string()));
        let ReplicaProcess { mut child, .. } = running;
        assert!(child.wait().unwrap().success());
    }
    let lines = folders.map(|folder| {
        let store = estore::Store::open(example.folder.path().join(folder), estore::Options::new()).unwrap();
        let events: Vec<_> = store.read(..).unwrap().map(Result::unwrap).collect();
        let mut keys: Vec<_> = events.iter().map(|event| (event.time, event.id, event.data.clone())).collect();
        keys.sort();
        keys
    });
    assert_eq!(lines[0].len(), lines[1].len());
    assert!(lines[0] == lines[1], "the two have different events");
    let mut texts: Vec<_> = lines[0].iter().map(|(_, _, data)| String::from_utf8(data.clone()).unwrap()).collect();
    texts.sort();
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "a line is there twice");
    assert!(acknowledged.iter().all(|line| texts.binary_search(line).is_ok()), "an acknowledged line is lost");
    assert!(texts.len() <= sent);
    example.fails(&["one", "127.0.0.1:0"], 2);
    assert!(example.fails(&["one", "nowhere", "http://127.0.0.1:1"], 1).contains("nowhere"));
}

/// The loop answers while its input stays open: what came so far is made safe by a tick.
#[test]
fn event_loop() {
    for example in Example::in_each_language("event_loop") {
        let mut child = example.command(&[], true).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
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

/// In Python alone. Where matplotlib is there, a last line names the picture.
#[test]
fn plot_lateness() {
    let plot = Example::in_each_language("plot_lateness").next().unwrap();
    let steps = |hour: u32, rate: u32| -> String {
        let bar = "#".repeat(40 * rate as usize / 6);
        (0..12).map(|step| format!("  2023-11-15 {hour}:{:02} {rate:9} {bar}\n", 5 * step)).collect()
    };
    let expected = format!(
        "\
540 events from 2023-11-15 12:00 to 2023-11-15 13:59
58 came late, the latest by 0:28:49

events per minute, in steps of 5 min:
{}{}
events by how late they came, at most:
  in order    482 ####################################
  a second      0
  a minute      2
   an hour     56 ####
     a day      0
      more      0
",
        steps(12, 6),
        steps(13, 3)
    );
    let drawn = |arguments: &[&str]| {
        let printed = plot.prints(arguments);
        let (text, picture) = printed.split_once("\nsaved as ").unwrap_or((&printed, ""));
        assert_eq!(plot.folder.path().join("lateness.png").exists(), picture == "lateness.png\n");
        text.to_owned()
    };
    assert_eq!(drawn(&["--made-up"]), expected);

    // Figures that the data is described by.
    let data = root().join("../shared/data");
    if data.is_dir() {
        let counted = |file: &str| drawn(&[data.join(file).to_str().unwrap()]);
        let commits = counted("redis-commits.txt");
        assert!(commits.starts_with("12272 events from ") && commits.contains("\n1276 came late, the latest by 1211 days"), "{commits}");
        assert!(commits.lines().last().unwrap().starts_with("      more   1119 "), "{commits}");
        let servers = counted("Zookeeper_2k.log");
        assert!(servers.starts_with("2000 events from ") && servers.contains("\n1245 came late, the latest by 26 days"), "{servers}");
        assert_eq!(drawn(&[]), servers);
    } else {
        assert_eq!(drawn(&[]), expected);
    }

    fs::write(plot.folder.path().join("log"), "no time\n2023-11-15 12:00:01,5 a\n  more of it\n1700049600 b\n").unwrap();
    assert!(drawn(&["log"]).starts_with("2 events from 2023-11-15 12:00 to 2023-11-15 12:00\n1 came late, the latest by 0:00:01.500000\n"));
    assert!(plot.fails(&["nowhere"], 1).contains("nowhere"));
    plot.fails(&["log", "log"], 1);
}

#[test]
fn every_example_is_run() {
    let tests =
        ["tests/examples.rs", "tests/c_abi.rs", "tests/readme.rs"].map(|path| fs::read_to_string(root().join(path)).unwrap()).concat();
    for Language { folder, source, lacks, .. } in LANGUAGES {
        for entry in fs::read_dir(root().join("examples").join(folder)).unwrap() {
            let entry = entry.unwrap().file_name().into_string().unwrap();
            let name = entry.split('.').next().unwrap();
            let here = tests.contains(&format!("Example::in_each_language(\"{name}\")")) && !lacks.contains(&name);
            let elsewhere = [format!("\"examples/{folder}/{name}\""), format!("\"examples/{folder}/{}\"", source(name))];
            assert!(here || elsewhere.iter().any(|path| tests.contains(path)), "examples/{folder}/{entry} is not run");
        }
    }
}
