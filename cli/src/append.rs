//! `append`: lines become events.
//!
//! The id of an event tells it apart from others with equal time and equal data. It is the number of its occurrence in the input of one
//! run: the first such line has the id 0, the second 1. So equal lines both stay, and the same input gives the same events again, which
//! `--absent` then finds. Lines whose time is that of their arrival never come twice; they have random ids.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, ValueEnum, ValueHint};
use estore::{AsEvent, Durability, Error, EventRef, Mode};
use serde::Deserialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::lines::{self, Block, Input, Line, Lines, Splitter};
use crate::output::{self, Report, Style, counted};
use crate::progress::{Bar, Unit};
use crate::signals::Interrupt;
use crate::stamps::{Format, Stamps};
use crate::store::{self, AnyStore};
use crate::{Common, Outcome};

/// So many lines are named that were left out, or have another time than their own.
const NAMED: u64 = 10;
/// A store with more chunks than this, and fewer events in each than that, is told about.
const MANY_CHUNKS: u64 = 1000;
const FEW_EVENTS: u64 = 100;

/// Stores lines as events
///
/// Each line becomes one event, whose data is the whole line without its end. A line of a FILE has the time that is written in it; a line
/// of standard input has the time at which it comes, unless --time-format is given. What came is safe once the command has ended without
/// an error; if it is stopped with Ctrl-C, it says how far it came, and what it had stored is there.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Append {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// The files to read; standard input if none is named, or for "-"
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// How the time is written in a line: now, auto, epoch, iso, syslog, or a pattern of strftime such as "%d.%m.%Y %H:%M:%S"
    ///
    /// now: not at all; an event has the time at which its line was read. auto: the first thing in a line that is a time, in any of the
    /// next three ways, among its first six fields. epoch: seconds since 1970, perhaps with a fraction, or a longer number of
    /// milliseconds, microseconds or nanoseconds. iso: 2026-11-28T10:05:00 with a "T", "_" or space, perhaps a fraction and a zone.
    /// syslog: with the name of a month, as in "Nov  9 12:01:01", "10/Oct/2000:13:55:36 -0700" or "Sun, 06 Nov 1994 08:49:37 GMT". Where
    /// there is no year, it is the last one in which the time does not lie more than a day behind the last change of FILE. [default: auto
    /// for a FILE, now for standard input]
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    time_format: Option<TimeFormat>,
    /// The field in which the time begins, counted from 1; fields are separated by whitespace
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    time_field: Option<u16>,
    /// What becomes of a line without a readable time: it is left out, or gets the time of the line before it, or the present time
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Fallback::Reject)]
    time_fallback: Fallback,
    /// The year of times that have none
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=2554))]
    year: Option<i16>,

    /// What the input is made of
    #[arg(short, long, value_name = "WHAT", value_enum, default_value_t = Kind::Lines)]
    input: Kind,
    /// Lines end with a NUL byte, not with a newline
    #[arg(short = '0', long)]
    null: bool,

    /// Leave out events that are there already, by time, id and data: the same input again stores nothing
    ///
    /// A line that is in the input twice is two events and both stay, as long as no more than about two million other lines lie between
    /// them. The last line of a FILE counts also without its end, so a log that is being written is better sent through `tail -F`.
    #[arg(long)]
    absent: bool,
    /// What stored events survive while the command runs: buffered (nothing yet), process (the end of this process), interval or
    /// interval=TIME (loss of power, but for the last second or TIME), power (loss of power). Once it has ended, all of them survive that
    #[arg(long, value_name = "WHAT", default_value = "interval", value_parser = parse_durability)]
    durability: Durability,
    /// The largest event that is stored; longer lines are left out
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = parse_event_len)]
    max_event: u32,

    #[command(flatten)]
    create: Create,
}

const EXAMPLES: &str = "\
Examples:
  estore append --create events /var/log/dpkg.log
  some-program | estore append events
  tail -F app.log | estore append --absent --time-format auto events
  zcat old.log.gz | estore append --time-format '%d.%m.%Y %H:%M:%S' events

Exit status: 0 if all lines were stored, 1 if some were left out, 2 if it could not go on.";

/// How a store is made that is not there yet.
#[derive(Args)]
pub(crate) struct Create {
    /// Make the store if there is none
    #[arg(long, help_heading = "A new store")]
    create: bool,
    /// The stretch of time whose events share one set of files, such as 1h, 1d or 4w [default: 1d]
    #[arg(long, value_name = "TIME", value_parser = estore::duration::parse, requires = "create", help_heading = "A new store")]
    file_size: Option<u64>,
    /// How far behind the newest an event may come before it counts as late, such as 30s [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = estore::duration::parse, requires = "create", help_heading = "A new store")]
    grace: Option<u64>,
    /// Make an efile: the simple store, with one set of files for all times and without deleting
    #[arg(long, requires = "create", conflicts_with = "file_size", help_heading = "A new store")]
    efile: bool,
}

impl Create {
    /// Opens the store for writing, and makes it if that is wanted.
    pub(crate) fn open(&self, dir: &std::path::Path, options: impl FnOnce(estore::Options) -> estore::Options) -> Result<AnyStore> {
        let mode = if self.create { Mode::CreateIfMissing } else { Mode::Existing };
        let mut wanted = options(store::options(mode));
        if let Some(file_size) = self.file_size {
            wanted = wanted.file_size(file_size);
        }
        if let Some(grace) = self.grace {
            wanted = wanted.grace(grace);
        }
        if self.efile { Ok(AnyStore::Efile(estore::Efile::open(dir, wanted)?)) } else { AnyStore::open(dir, wanted) }
    }
}

/// Besides what is written in lines: not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TimeFormat {
    Now,
    Written(Format),
}

fn parse_format(text: &str) -> Result<TimeFormat, String> {
    Ok(TimeFormat::Written(match text {
        "now" => return Ok(TimeFormat::Now),
        "auto" => Format::Auto,
        "epoch" => Format::Epoch,
        "iso" => Format::Iso,
        "syslog" => Format::Syslog,
        pattern if pattern.contains('%') => {
            // What strftime can't write with it, it can't read either.
            let moment = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
            jiff::fmt::strtime::format(pattern, &moment).map_err(|e| e.to_string())?;
            Format::Pattern(pattern.to_owned())
        }
        _ => return Err("say now, auto, epoch, iso, syslog, or a pattern with % as of strftime".to_owned()),
    }))
}

fn parse_durability(text: &str) -> Result<Durability, String> {
    match text {
        "buffered" => Ok(Durability::Buffered),
        "process" => Ok(Durability::Process),
        "interval" => Ok(Durability::Interval(1_000_000_000)),
        "power" => Ok(Durability::Power),
        _ => match text.strip_prefix("interval=") {
            Some(time) => estore::duration::parse(time).map(Durability::Interval).map_err(|e| e.to_string()),
            None => Err("say buffered, process, interval, interval=TIME or power".to_owned()),
        },
    }
}

fn parse_event_len(text: &str) -> Result<u32, String> {
    let bytes = output::parse_bytes(text).map_err(|e| e.to_string())?;
    let len = u32::try_from(bytes).ok().filter(|len| *len <= estore::LARGEST_EVENT_LEN);
    len.ok_or_else(|| format!("no event can be larger than {}", output::bytes(estore::LARGEST_EVENT_LEN.into())))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fallback {
    Reject,
    Previous,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Lines of any bytes
    Lines,
    /// An object a line: {"time":T,"id":N,"data":TEXT}; the time a number of nanoseconds since 1970 or text, the id may be missing, bytes
    /// that are no text as "base64"
    Json,
}

/// An event whose data may still be a part of its line.
struct Pending<'a> {
    time: u64,
    id: u32,
    data: Cow<'a, [u8]>,
}

impl AsEvent for Pending<'_> {
    fn as_event(&self) -> EventRef<'_> {
        EventRef::new(self.time, self.id, &self.data)
    }
}

/// How often each line came. It holds the last lines of the input: two generations, the older of which is forgotten when the newer one is
/// full.
#[derive(Default)]
struct Occurrences {
    newer: HashMap<u64, u32>,
    older: HashMap<u64, u32>,
}

impl Occurrences {
    /// Fills a table of two million places as far as it goes.
    const MOST: usize = 1_800_000;

    /// How often this line came before.
    fn next(&mut self, time: u64, data: &[u8]) -> u32 {
        // The same in every run, so that even lines whose hashes are equal by chance have the same ids again.
        let line = xxh3_64_with_seed(data, time);
        if let Some(count) = self.newer.get_mut(&line) {
            *count = count.saturating_add(1);
            return *count - 1;
        }
        let before = self.older.get(&line).copied().unwrap_or(0);
        if self.newer.len() >= Occurrences::MOST {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(line, before.saturating_add(1));
        before
    }
}

/// Makes events of lines, and counts those of which it can't.
struct Intake<'a> {
    args: &'a Append,
    /// Of the input in work; `None` if the time is that of the arrival.
    stamps: Option<Stamps>,
    name: String,
    /// The time of the line before.
    previous: Option<u64>,
    /// The last time of an arrival.
    arrival: u64,
    occurrences: Occurrences,
    left_out: u64,
    given_a_time: u64,
    /// Some were left out for that.
    without_time: bool,
    named: Vec<(String, u64)>,
    common: &'a Common,
}

impl<'a> Intake<'a> {
    fn new(args: &'a Append, common: &'a Common) -> Intake<'a> {
        Intake {
            args,
            stamps: None,
            name: String::new(),
            previous: None,
            arrival: 0,
            occurrences: Occurrences::default(),
            left_out: 0,
            given_a_time: 0,
            without_time: false,
            named: Vec::new(),
            common,
        }
    }

    /// What comes now is of this input.
    fn begin(&mut self, input: &Input) {
        self.name = input.name();
        self.previous = None;
        self.stamps = self.args.format_of(input).map(|format| self.args.stamps(format, input, self.common));
    }

    /// Names the first lines that did not go as usual.
    fn note(&mut self, line: u64, what: &str) {
        if self.left_out + self.given_a_time <= NAMED {
            if self.common.style() != Style::Quiet {
                output::say(&format!("{}:{line}: {what}", self.name));
            }
            self.named.push((self.name.clone(), line));
        }
    }

    fn leave_out(&mut self, line: u64, why: &str) {
        self.left_out += 1;
        self.note(line, &format!("left out: {why}"));
    }

    /// How many lines were not named, and what may help.
    fn say_the_rest(&self) {
        let unnamed = (self.left_out + self.given_a_time).saturating_sub(NAMED);
        if unnamed > 0 && self.common.style() != Style::Quiet {
            output::say(&format!("... and {} more", counted(unnamed, "line")));
        }
        if self.without_time && self.args.time_fallback == Fallback::Reject && self.common.style() == Style::Text {
            output::say("lines without a time are kept with --time-fallback previous (the time of the line before) or now");
        }
    }

    /// Two lines never arrive at one time, so they stay apart and in order.
    fn arrive(&mut self) -> u64 {
        self.arrival = estore::now().max(self.arrival.saturating_add(1));
        self.arrival
    }

    /// What a line without a readable time gets instead.
    fn without_time(&mut self, line: u64, why: &str) -> Option<u64> {
        let (time, what) = match (self.args.time_fallback, self.previous) {
            (Fallback::Now, _) => (Some(self.arrive()), "it gets the present time"),
            (Fallback::Previous, Some(time)) => (Some(time), "it gets the time of the line before it"),
            (Fallback::Previous, None) => (None, "there is no line before it"),
            (Fallback::Reject, _) => (None, ""),
        };
        match time {
            Some(_) => {
                self.given_a_time += 1;
                self.note(line, &format!("{why}; {what}"));
            }
            None if what.is_empty() => self.leave_out(line, why),
            None => self.leave_out(line, &format!("{why}, and {what}")),
        }
        self.without_time |= time.is_none();
        time
    }

    fn too_long(&mut self, line: u64) {
        self.leave_out(line, &format!("longer than {} (--max-event)", output::bytes(self.args.max_event.into())));
    }

    fn event<'l>(&mut self, line: &Line<'l>) -> Option<Pending<'l>> {
        match *line {
            Line::TooLong(number) => {
                self.too_long(number);
                None
            }
            Line::Bytes(number, bytes) if self.args.input == Kind::Json => self.event_of_json(number, bytes),
            Line::Bytes(number, bytes) => {
                let Some(stamps) = &self.stamps else {
                    return Some(Pending { time: self.arrive(), id: estore::event_id(), data: bytes.into() });
                };
                let time = match stamps.time_of(bytes) {
                    Some(time) => time,
                    None => self.without_time(number, "no readable time")?,
                };
                self.previous = Some(time);
                Some(Pending { time, id: self.occurrences.next(time, bytes), data: bytes.into() })
            }
        }
    }

    fn event_of_json<'l>(&mut self, number: u64, line: &'l [u8]) -> Option<Pending<'l>> {
        let parsed: Result<JsonEvent<'l>, _> = serde_json::from_slice(line);
        let event = match parsed {
            Ok(event) => event,
            Err(e) => {
                self.leave_out(number, &format!("no such JSON as is wanted: {e}"));
                return None;
            }
        };
        let data = match event.bytes() {
            Ok(data) if data.len() as u64 > u64::from(self.args.max_event) => {
                self.too_long(number);
                return None;
            }
            Ok(data) => data,
            Err(e) => {
                self.leave_out(number, &e.to_string());
                return None;
            }
        };
        let time = match (self.stamps.as_ref(), event.time) {
            (None, _) => self.arrive(),
            (Some(stamps), Some(time)) => match json_time(time.get(), stamps) {
                Some(time) => time,
                None => self.without_time(number, "no readable time")?,
            },
            (Some(_), None) => self.without_time(number, "no \"time\"")?,
        };
        self.previous = Some(time);
        let id = event.id.unwrap_or_else(|| match self.stamps {
            Some(_) => self.occurrences.next(time, &data),
            None => estore::event_id(),
        });
        Some(Pending { time, id, data })
    }
}

/// What one line of JSON says; all else in it is passed over.
#[derive(Deserialize)]
struct JsonEvent<'a> {
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    id: Option<u32>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    base64: Option<String>,
}

impl<'a> JsonEvent<'a> {
    /// The text of a string; anything but a string as it is written.
    fn bytes(&self) -> Result<Cow<'a, [u8]>> {
        Ok(match (self.data.map(RawValue::get), &self.base64) {
            (Some(text), None) if text.starts_with('"') => serde_json::from_str::<String>(text)?.into_bytes().into(),
            (Some(text), None) => text.as_bytes().into(),
            (None, Some(base64)) => BASE64_STANDARD.decode(base64).context("\"base64\" holds no base64")?.into(),
            (None, None) => bail!("neither \"data\" nor \"base64\""),
            (Some(_), Some(_)) => bail!("both \"data\" and \"base64\""),
        })
    }
}

/// A number counts nanoseconds, as `read` prints it, unless the format says otherwise; text is read as in lines.
fn json_time(text: &str, stamps: &Stamps) -> Option<u64> {
    if text.starts_with('"') {
        return stamps.time_of(serde_json::from_str::<String>(text).ok()?.as_bytes());
    }
    if stamps.format == Format::Epoch { stamps.time_of(text.as_bytes()) } else { text.parse().ok() }
}

/// How far it came.
#[derive(Default)]
struct Done {
    stored: u64,
    present: u64,
    bytes: u64,
    /// The input and the line up to which all is stored.
    through: Option<(usize, u64)>,
}

pub(crate) fn run(args: &Append, common: &Common) -> Result<Outcome> {
    let inputs = Input::all(&args.files);
    if args.absent && args.input == Kind::Lines && inputs.iter().any(|input| args.format_of(input).is_none()) {
        bail!("with --absent times have to be in the lines, or nothing is ever there already: say --time-format auto, or another format");
    }
    let length = lines::total_length(&inputs)?;
    let store = args.create.open(&args.dir, |options| {
        // A batch is what was read at once, which may span any number of chunks.
        options.durability(args.durability).max_event_len(args.max_event).max_new_chunks(usize::MAX)
    })?;
    let (blocks, interrupt) = lines::start(&inputs)?;
    let began = Instant::now();
    // Somebody who types sees what he types.
    let bar = (!inputs.iter().any(Input::is_terminal)).then(|| Bar::new("appending", Unit::Bytes, length));
    let mut appending = Appending {
        args,
        common,
        store: &store,
        inputs: &inputs,
        interrupt: &interrupt,
        intake: Intake::new(args, common),
        done: Done::default(),
    };
    let taken = appending.take_all(&blocks, bar.as_ref());
    drop(bar);
    let Appending { intake, mut done, .. } = appending;

    // Looking hands the buffer of `buffered` to the system, if that can be.
    let stats = store.stats().ok();
    let buffer_is_lost = stats.is_none() && args.durability == Durability::Buffered;
    // What it survives from then on is what was promised.
    let taken = taken.and_then(|all| store.close().map(|()| all));
    let expired = stats.map_or(0, |stats| stats.expired);
    if !args.absent {
        done.stored = done.stored.saturating_sub(expired);
    }
    let through = done.through.filter(|_| !buffer_is_lost).map(|(input, line)| (inputs[input].name(), line));

    let mut report = Report::new(common.style());
    report.row(&format!("{}:", args.dir.display()), summary(args, &done, &intake, expired, buffer_is_lost));
    report.value("stored", done.stored).value("present", done.present).value("expired", expired).value("left_out", intake.left_out);
    report.value("given_a_time", intake.given_a_time).value("seconds", began.elapsed().as_secs_f64());
    let place = |(file, line): &(String, u64)| serde_json::json!({"file": file, "line": line});
    report.value("first_lines", intake.named.iter().map(place).collect::<Vec<_>>());
    if let Some(through) = &through {
        report.value("through", place(through));
    }
    report.value("complete", *taken.as_ref().unwrap_or(&false));
    report.print()?;
    intake.say_the_rest();

    let so_far = match &through {
        Some((file, line)) => format!("all up to line {} of {file} is stored", output::count(*line)),
        None if buffer_is_lost => "all is stored but what the buffer held, which is 1 MiB at most".to_owned(),
        None => "nothing was stored".to_owned(),
    };
    match taken {
        Ok(true) => {}
        Ok(false) => {
            interrupt.end(&so_far);
        }
        Err(e) => {
            // What has the time at which it comes does not come again.
            let again = if args.absent || intake.stamps.is_none() { "" } else { "; run it again with --absent to go on" };
            let unknown = matches!(e.downcast_ref::<Error>(), Some(Error::OutcomeUnknown { .. } | Error::Poisoned { .. }));
            let behind = if unknown { ", and perhaps what came behind it" } else { "" };
            return Err(e.context(format!("{so_far}{behind}{again}")));
        }
    }
    let is_scattered = |stats: &estore::Stats| stats.chunks > MANY_CHUNKS && stats.events < stats.chunks.saturating_mul(FEW_EVENTS);
    if let Some(stats) = stats.filter(|stats| is_scattered(stats) && common.style() == Style::Text) {
        output::say(&format!(
            "the store has {} for {}: one made with a larger --file-size than {} takes less room",
            counted(stats.chunks, "chunk"),
            counted(stats.events, "event"),
            estore::duration::format(stats.file_size)
        ));
    }
    Ok(if intake.left_out > 0 { Outcome::Found } else { Outcome::Fine })
}

/// What was done, in a line.
fn summary(args: &Append, done: &Done, intake: &Intake<'_>, expired: u64, buffer_is_lost: bool) -> String {
    let at_most = if buffer_is_lost { "at most " } else { "" };
    let mut text = format!("{at_most}{} stored", counted(done.stored, "event"));
    if args.absent {
        text += &format!(", {} there already", output::count(done.present));
    }
    if expired > 0 {
        text += &format!(", {} left out that lie before the store's horizon", output::count(expired));
    }
    if intake.given_a_time > 0 {
        text += &format!(", {} of them without a time of their own", output::count(intake.given_a_time));
    }
    if intake.left_out > 0 {
        text += &format!("; {} left out", counted(intake.left_out, "line"));
    }
    text
}

/// One run of the command.
struct Appending<'a> {
    args: &'a Append,
    common: &'a Common,
    store: &'a AnyStore,
    inputs: &'a [Input],
    interrupt: &'a Interrupt,
    intake: Intake<'a>,
    done: Done,
}

impl Appending<'_> {
    /// Answers `false` if a signal came before all was taken.
    fn take_all(&mut self, blocks: &Receiver<Block>, bar: Option<&Bar>) -> Result<bool> {
        let new_splitter = || Splitter::new(if self.args.null { 0 } else { b'\n' }, self.args.max_event as usize);
        let mut splitter = new_splitter();
        let mut begun = None;
        for block in blocks {
            if self.interrupt.signal().is_some() {
                return Ok(false);
            }
            let (at, bytes, at_end) = match block {
                Block::Interrupted => return Ok(false),
                Block::Failed(at, e) => return Err(e).with_context(|| format!("{}: cannot be read", self.inputs[at].name())),
                Block::Bytes(at, bytes) => (at, bytes, false),
                Block::End(at) => (at, Vec::new(), true),
            };
            let is_first = begun != Some(at);
            if is_first {
                begun = Some(at);
                self.intake.begin(&self.inputs[at]);
            }
            let lines = splitter.take(&bytes, at_end);
            if is_first {
                self.hint(&lines, &self.inputs[at]);
            }
            self.append(at, &lines)?;
            drop(lines);
            self.done.bytes += bytes.len() as u64;
            if let Some(bar) = bar {
                bar.set(self.done.bytes);
                bar.message(counted(self.done.stored, "event"));
            }
            if at_end && at + 1 == self.inputs.len() {
                return Ok(true);
            }
            if at_end {
                splitter = new_splitter();
            }
        }
        Ok(true)
    }

    /// Stores these lines of an input as one batch.
    fn append(&mut self, at: usize, lines: &Lines<'_>) -> Result<()> {
        let mut batch = Vec::new();
        let mut last = None;
        for line in lines.iter() {
            let (Line::Bytes(number, _) | Line::TooLong(number)) = line;
            batch.extend(self.intake.event(&line));
            last = Some(number);
        }
        if !batch.is_empty() && self.args.absent {
            let appended = self.store.append_absent(&batch)?;
            self.done.stored += appended.stored;
            self.done.present += appended.present;
        } else if !batch.is_empty() {
            self.store.append(&batch)?;
            self.done.stored += batch.len() as u64;
        }
        if let Some(line) = last {
            self.done.through = Some((at, line));
        }
        Ok(())
    }

    /// A word to those who send a log and may want the times that are in it.
    fn hint(&self, lines: &Lines<'_>, input: &Input) {
        if self.args.time_format.is_none()
            && self.intake.stamps.is_none()
            && self.common.style() == Style::Text
            && let Some(Line::Bytes(_, first)) = lines.iter().next()
            && self.args.stamps(Format::Auto, input, self.common).time_of(first).is_some()
        {
            output::say("these lines seem to hold times; --time-format auto stores them with those, not with the present one");
        }
    }
}

impl Append {
    /// How the time is written in the lines of an input; `None` if it is that of their arrival.
    fn format_of(&self, input: &Input) -> Option<Format> {
        match &self.time_format {
            Some(TimeFormat::Now) => None,
            Some(TimeFormat::Written(format)) => Some(format.clone()),
            None if matches!(input, Input::Standard) && self.input == Kind::Lines && self.time_field.is_none() => None,
            None => Some(Format::Auto),
        }
    }

    fn stamps(&self, format: Format, input: &Input, common: &Common) -> Stamps {
        Stamps { format, field: self.time_field.map(usize::from), zone: common.zone.clone(), year: self.year, newest: input.written() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_are_numbered() {
        let mut occurrences = Occurrences::default();
        let ids = [(1, "a"), (1, "a"), (2, "a"), (1, "b"), (1, "a")].map(|(time, line)| occurrences.next(time, line.as_bytes()));
        assert_eq!(ids, [0, 1, 0, 0, 2]);
    }

    #[test]
    fn the_numbers_go_on_behind_many_lines() {
        let mut occurrences = Occurrences::default();
        assert_eq!(occurrences.next(0, b"a"), 0);
        (1..=Occurrences::MOST as u64).for_each(|time| assert_eq!(occurrences.next(time, b"b"), 0));
        assert_eq!(occurrences.next(0, b"a"), 1);
        assert_eq!(occurrences.next(0, b"a"), 2);
        assert!(occurrences.newer.len() + occurrences.older.len() <= 2 * Occurrences::MOST);
    }
}
