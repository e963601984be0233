//! What it costs to come from another language: programs in Rust, C, C++, Go and Python append and read the same events through their
//! bindings. All are started at once and then take turns, one at a time, in a new order in each round, so that a slow moment of the machine
//! hits all of them; each says what its turn took, without its start. `border.c` says how they are asked.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::figures::{conditions, median};
use crate::machine;
use estore_benches::abi::{self, Api, Event};
use estore_benches::data::{GRACE_NS, HOUR_NS, mixed};

pub struct Plan {
    /// The shared library that all but Rust use.
    pub library: PathBuf,
    pub rounds: usize,
    pub scale: f64,
    pub dir: PathBuf,
}

const APPENDED_EVENTS: f64 = 500_000.0;
const SCANNED_EVENTS: f64 = 500_000.0;
const BATCH: u64 = 1_000;
const LEN: u64 = 100;

/// The same in all programs.
struct Events {
    n: u64,
    pool: Vec<u8>,
}

impl Events {
    fn new(n: f64) -> Events {
        let n = (n as u64).div_ceil(BATCH).max(2) * BATCH;
        Events { n, pool: (0..BATCH * LEN).map(|j| ((j * 31 + j / LEN) % 251) as u8).collect() }
    }

    fn event(&self, i: u64) -> Event {
        let at = (i % BATCH * LEN) as usize;
        let time = 1_700_000_000_000_000_000 + i * 100_000 + i * 7_368_787 % 10_000_000;
        Event::view(time, i as u32, &self.pool[at..at + LEN as usize])
    }

    fn sum(&self, sum_of: impl Fn(&Event) -> u64) -> u64 {
        (0..self.n).fold(0, |sum, i| sum.wrapping_add(sum_of(&self.event(i))))
    }

    fn append_to(&self, api: &Api, path: &Path) -> Result<()> {
        let options = abi::Options::new(abi::DURABILITY_PROCESS, 24 * HOUR_NS, 2 * GRACE_NS);
        let store = api.open(path, options)?;
        for first in (0..self.n).step_by(BATCH as usize) {
            let batch: Vec<Event> = (first..first + BATCH).map(|i| self.event(i)).collect();
            store.append(&batch)?;
        }
        store.close()
    }

    /// Fails unless a store holds these events and nothing else.
    fn check(&self, api: &Api, path: &Path) -> Result<()> {
        // As the programs leave them.
        let options = abi::Options::new(abi::DURABILITY_PROCESS, 24 * HOUR_NS, 2 * GRACE_NS);
        let store = api.open(path, options)?;
        let mut iter = store.read(0, u64::MAX, false, 0)?;
        let mut events = [Event::EMPTY; 512];
        let (mut count, mut sum) = (0, 0u64);
        loop {
            let n = iter.next_batch(&mut events)?;
            if n == 0 {
                break;
            }
            count += n as u64;
            sum = events[..n].iter().fold(sum, |sum, event| sum.wrapping_add(everything(event)));
        }
        drop(iter);
        ensure!((count, sum) == (self.n, self.sum(everything)), "{count} other events than the {} that were appended", self.n);
        store.close()
    }
}

fn time_and_length(event: &Event) -> u64 {
    event.time.wrapping_add(event.data().len() as u64)
}

fn everything(event: &Event) -> u64 {
    event.data().iter().fold(time_and_length(event) + u64::from(event.id), |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Append,
    Scan,
}

/// What takes part in one kind of work.
struct Contender {
    language: &'static str,
    how: &'static str,
    work: Work,
    /// The least speed, that of Rust being 1.
    aim: Option<f64>,
    /// The program, without what is added for each kind of work.
    program: Vec<PathBuf>,
    /// The first word that it is given.
    word: &'static str,
    /// Nanoseconds of its turns.
    turns: Vec<f64>,
}

/// A language that this machine has: its contenders can be started.
struct Language {
    name: &'static str,
    version: String,
    program: Vec<PathBuf>,
}

/// Builds programs, and remembers what is missing.
struct Workshop {
    package: PathBuf,
    /// Where programs are built, and the library lies by all its names.
    folder: PathBuf,
    languages: Vec<Language>,
    missing: Vec<String>,
}

impl Workshop {
    fn new(package: &Path, library: &Path) -> Result<Workshop> {
        let folder = package.join("target/border");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for name in ["libestore.so", "libestore.so.1"] {
            let link = folder.join(name);
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link)?;
            }
            symlink(library, &link)?;
        }
        Ok(Workshop { package: package.into(), folder, languages: Vec::new(), missing: Vec::new() })
    }

    fn root(&self, path: &str) -> PathBuf {
        self.package.join("..").join(path)
    }

    /// Whether a tool is there, or else what is left out for want of it.
    fn version(&mut self, language: &str, tool: &str, arguments: &[&str]) -> Option<String> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let version = machine::output_of(tool, &arguments).and_then(|text| text.lines().next().map(str::to_owned));
        if version.is_none() {
            self.missing.push(format!("{language}: there is no `{tool}` here"));
        }
        version
    }

    fn add(&mut self, name: &'static str, version: String, program: Vec<PathBuf>) {
        self.languages.push(Language { name, version, program });
    }

    fn build(&mut self) -> Result<()> {
        let source = |name: &str| self.package.join("border").join(name);
        let (rust, go, python) = (source("rust/Cargo.toml"), source("go"), source("border.py"));
        let (c, cpp) = (source("border.c"), source("border.cpp"));

        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
            .arg(rust)
            .arg("--target-dir")
            .arg(self.folder.join("rust")))?;
        let version = machine::output_of("rustc", &[OsStr::new("--version")]).unwrap_or_default();
        self.add("Rust", version, vec![self.folder.join("rust/release/border")]);

        for (language, compiler, standard, source) in [("C", "cc", "-std=gnu99", c), ("C++", "c++", "-std=c++17", cpp)] {
            if let Some(version) = self.version(language, compiler, &["--version"]) {
                let program = self.folder.join(compiler);
                let mut compile = Command::new(compiler);
                compile
                    .args(["-O2", "-Wall", "-Wextra", standard, "-I"])
                    .arg(self.root("include"))
                    .arg("-I")
                    .arg(self.root("bindings/cpp"));
                compile.arg(source).arg("-o").arg(&program).arg("-L").arg(&self.folder).arg("-lestore");
                run(&mut compile)?;
                self.add(language, version, vec![program]);
            }
        }
        if let Some(version) = self.version("Go", "go", &["version"]) {
            self.build_go(&go)?;
            self.add("Go", version, vec![self.folder.join("go")]);
        }
        self.find_python(python)
    }

    /// The binding asks pkg-config where the library is, as it does when that is installed.
    fn build_go(&self, source: &Path) -> Result<()> {
        let (include, folder) = (fs::canonicalize(self.root("include"))?, self.folder.display());
        let description = format!(
            "Name: estore\nDescription: the library to be measured\nVersion: 0\nCflags: -I{}\nLibs: -L{folder} -lestore\n",
            include.display()
        );
        fs::write(self.folder.join("estore.pc"), description)?;
        let mut build = Command::new("go");
        build.current_dir(source).env("PKG_CONFIG_PATH", &self.folder).args(["build", "-o"]).arg(self.folder.join("go")).arg(".");
        run(&mut build)
    }

    /// The first Python with NumPy, or else the first at all.
    fn find_python(&mut self, source: PathBuf) -> Result<()> {
        let version_of = |python: &str, script: &str| machine::output_of(python, &[OsStr::new("-c"), OsStr::new(script)]);
        let plain = "import sys; print('Python', sys.version.split()[0])";
        let with_numpy = "import sys, numpy; print('Python', sys.version.split()[0], 'with NumPy', numpy.__version__)";
        let pythons = ["python3", "/usr/bin/python3"];
        for (script, has_numpy) in [(with_numpy, true), (plain, false)] {
            if let Some((python, version)) = pythons.iter().find_map(|python| Some((python, version_of(python, script)?))) {
                let program = vec![PathBuf::from(python), source];
                if has_numpy {
                    self.add("NumPy", String::new(), program.clone());
                } else {
                    self.missing.push("NumPy: no Python here has it".into());
                }
                self.add("Python", version, program);
                return Ok(());
            }
        }
        self.missing.push("Python: there is no `python3` here".into());
        Ok(())
    }

    /// Those whose languages are here. `needs` differs from the language where more than that is needed.
    fn contenders(&self) -> Vec<Contender> {
        let mut contenders = Vec::new();
        let mut add = |work, needs: &str, language, how, word, aim| {
            if let Some(found) = self.languages.iter().find(|found| found.name == needs) {
                contenders.push(Contender { language, how, work, aim, program: found.program.clone(), word, turns: Vec::new() });
            }
        };
        add(Work::Append, "Rust", "Rust", "a slice of `EventRef`", "append", None);
        add(Work::Append, "Rust", "Rust", "the same program once more", "append", None);
        add(Work::Append, "C", "C", "an array of `estore_event`", "append", Some(0.95));
        add(Work::Append, "C++", "C++", "a vector of `event`", "append", Some(0.95));
        add(Work::Append, "Go", "Go", "a slice of `Event`", "append", Some(0.85));
        add(Work::Append, "Python", "Python", "a list of `Event`", "append", Some(0.1));
        add(Work::Scan, "Rust", "Rust", "`next_batch`", "scan", None);
        add(Work::Scan, "Rust", "Rust", "the same program once more", "scan", None);
        add(Work::Scan, "C", "C", "`estore_iter_next_batch`", "scan", Some(0.95));
        add(Work::Scan, "C++", "C++", "a loop over `read()`", "scan", Some(0.95));
        add(Work::Scan, "Go", "Go", "a loop over `Read`, `Borrow`", "borrow", Some(0.85));
        add(Work::Scan, "Go", "Go", "a loop over `Read`, copying", "copy", Some(0.5));
        add(Work::Scan, "NumPy", "Python", "`numpy_batches`", "numpy", Some(0.7));
        add(Work::Scan, "Python", "Python", "a loop over `read()`", "loop", None);
        contenders
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// A contender's process, which waits for its turns.
struct Program {
    child: Child,
    // None once it has been told to end.
    lines: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(contender: &Contender, argument: &OsStr, shop: &Workshop) -> Result<Program> {
        let (name, before) = contender.program.split_first().context("no program")?;
        let mut command = Command::new(name);
        command.args(before).arg(contender.word).arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("LD_LIBRARY_PATH", &shop.folder).env("ESTORE_LIBRARY", shop.folder.join("libestore.so"));
        command.env("PYTHONPATH", shop.root("bindings/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let (lines, answers) = (child.stdin.take(), child.stdout.take().context("no output")?);
        Ok(Program { child, lines, answers: BufReader::new(answers) })
    }

    /// Gives it a turn, and answers with the numbers that it prints.
    fn turn(&mut self, line: &str) -> Result<Vec<u64>> {
        let lines = self.lines.as_mut().context("the program was ended")?;
        writeln!(lines, "{line}").context("the program does not read")?;
        lines.flush()?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            bail!("the program ended: {}", self.child.wait()?);
        }
        answer.split_whitespace().map(|number| number.parse().with_context(|| format!("the program printed {answer:?}"))).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It reads the end of its input, and ends.
        self.lines = None;
        let _ = self.child.wait();
    }
}

/// All turns of one kind of work.
struct Match<'a> {
    plan: &'a Plan,
    shop: &'a Workshop,
    api: &'a Api,
    folder: &'a Path,
    events: Events,
}

impl Match<'_> {
    fn play(&self, work: Work, contenders: &mut [Contender]) -> Result<()> {
        let scanned = self.folder.join("scanned");
        let argument = match work {
            Work::Append => self.events.n.to_string().into(),
            Work::Scan => {
                self.events.append_to(self.api, &scanned)?;
                machine::sync_filesystem(self.folder)?;
                scanned.as_os_str().to_owned()
            }
        };
        let mut playing = Vec::new();
        for contender in contenders.iter_mut().filter(|contender| contender.work == work) {
            let program = Program::start(contender, &argument, self.shop)?;
            playing.push((contender, program));
        }
        // The first round is to check, and to make everything warm.
        for round in 0..=self.plan.rounds as u64 {
            shuffle(&mut playing, round);
            for (contender, program) in &mut playing {
                let name = format!("{}, {}", contender.language, contender.how);
                let turn = match work {
                    Work::Append => self.append(program),
                    Work::Scan => self.scan(program, round == 0),
                };
                let nanoseconds = turn.with_context(|| name.clone())?;
                if round > 0 {
                    eprintln!("{round}/{}  {name:44} {nanoseconds:.2} ns an event", self.plan.rounds);
                    contender.turns.push(nanoseconds);
                }
            }
        }
        Ok(())
    }

    fn append(&self, program: &mut Program) -> Result<f64> {
        let path = self.folder.join("appended");
        machine::sync_filesystem(self.folder)?;
        let answer = program.turn(path.to_str().context("the folder has no name in UTF-8")?)?;
        self.events.check(self.api, &path)?;
        fs::remove_dir_all(&path)?;
        match answer[..] {
            [nanoseconds] => Ok(nanoseconds as f64 / (self.events.n - BATCH) as f64),
            _ => bail!("the program printed {answer:?}"),
        }
    }

    fn scan(&self, program: &mut Program, check: bool) -> Result<f64> {
        let answer = program.turn(if check { "check" } else { "turn" })?;
        let sum = if check { self.events.sum(everything) } else { self.events.sum(time_and_length) };
        match answer[..] {
            [nanoseconds, n, read] if (n, read) == (self.events.n, sum) => Ok(nanoseconds as f64 / n as f64),
            _ => bail!("the program read something else than was appended: {answer:?}, not {} events with the sum {sum}", self.events.n),
        }
    }
}

/// Another order in each round, so that everybody comes behind everybody else.
fn shuffle<T>(list: &mut [T], round: u64) {
    for i in (1..list.len()).rev() {
        list.swap(i, (mixed(round << 8 | i as u64) % (i as u64 + 1)) as usize);
    }
}

/// Builds the programs, lets them take turns, and answers with BORDER.md.
pub fn measure(plan: &Plan, package: &Path) -> Result<String> {
    let library =
        fs::canonicalize(&plan.library).with_context(|| format!("there is no {} (`make lib` builds it)", plan.library.display()))?;
    let mut shop = Workshop::new(package, &library)?;
    shop.build()?;
    shop.missing.iter().for_each(|missing| eprintln!("left out: {missing}"));
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let folder = tempfile::Builder::new().prefix("estore-border-").tempdir_in(fs::canonicalize(&plan.dir)?)?;
    let api = Api::load(&library, false)?;
    let mut contenders = shop.contenders();
    for (work, n) in [(Work::Append, APPENDED_EVENTS), (Work::Scan, SCANNED_EVENTS)] {
        let events = Events::new(n * plan.scale);
        Match { plan, shop: &shop, api: &api, folder: folder.path(), events }.play(work, &mut contenders)?;
    }
    report(plan, &shop, &api, &contenders)
}

fn report(plan: &Plan, shop: &Workshop, api: &Api, contenders: &[Contender]) -> Result<String> {
    let mut text = String::from("# The cost of the language border\n\n");
    let versions: Vec<&str> =
        shop.languages.iter().map(|language| language.version.as_str()).filter(|version| !version.is_empty()).collect();
    writeln!(
        text,
        "{}; estore {}; {}. {} rounds, in each of which every program has one turn.\n",
        conditions(&plan.dir)?,
        api.version(),
        versions.join("; "),
        plan.rounds
    )?;
    if plan.scale != 1.0 {
        writeln!(text, "**A quick look: all numbers of events are {} of the usual ones.**\n", plan.scale)?;
    }
    text.push_str(
        "Speed is the time of Rust divided by its own in the same round: the median of all rounds (the least..the most of the middle half of \
         them). Of the best is the same of the best turns of both, whatever the round. The aim is the least that the speed should be. How far \
         the second Rust is from 1 tells how far noise goes. What a turn does is said in \
         [benches/README.md](../README.md#the-language-border).\n\n",
    );
    for (work, title) in [(Work::Append, "Append"), (Work::Scan, "Scan")] {
        writeln!(
            text,
            "## {title}\n\n| language | how | ns an event: median (least) | speed | of the best | aim | reached |\n| --- | --- | --- | --- | --- | --- | --- |"
        )?;
        let of_work: Vec<&Contender> = contenders.iter().filter(|contender| contender.work == work).collect();
        for contender in &of_work {
            writeln!(text, "{}", row(contender, of_work[0]))?;
        }
        writeln!(text)?;
    }
    for missing in &shop.missing {
        writeln!(text, "Left out: {missing}.\n")?;
    }
    Ok(text.trim_end().to_owned() + "\n")
}

fn row(contender: &Contender, rust: &Contender) -> String {
    let Contender { language, how, turns, .. } = contender;
    let least_of = |turns: &[f64]| turns.iter().copied().fold(f64::INFINITY, f64::min);
    let (least, of_best) = (least_of(turns), least_of(&rust.turns) / least_of(turns));
    let mut ratios: Vec<f64> = rust.turns.iter().zip(turns).map(|(rust, own)| rust / own).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = median(ratios.iter().copied());
    let (low, high) = (ratios[ratios.len() / 4], ratios[ratios.len() - 1 - ratios.len() / 4]);
    let (aim, reached) = match contender.aim {
        None => (String::new(), ""),
        Some(aim) => (format!("{aim}"), if ratio >= aim { "yes" } else { "**no**" }),
    };
    let own = median(turns.iter().copied());
    format!("| {language} | {how} | {own:.1} ({least:.1}) | {ratio:.2} ({low:.2}..{high:.2}) | {of_best:.2} | {aim} | {reached} |")
}
