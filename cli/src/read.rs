//! `read`: events become text, in order of time, or in order of arrival where they are followed.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, ValueEnum, ValueHint};
use estore::{EventRef, Gap, ReadOptions, Tail, Tailed};
use rustix::event::{PollFd, PollFlags, poll};

use crate::cursor::Cursor;
use crate::output::{self, Paint};
use crate::signals::{self, Interrupt};
use crate::store::AnyStore;
use crate::{Common, Outcome, times};

/// Events that are taken at once.
const BATCH: usize = 4096;
/// So often who waits looks whether somebody is still there to be waited for.
const LOOK: Duration = Duration::from_millis(250);
/// While many events come, the cursor is saved so often.
const SAVE: Duration = Duration::from_secs(1);

/// Prints events, oldest first
///
/// Each event is printed as its data and a newline, so that what was appended as lines comes out as lines, sorted by time. Lines of equal
/// time stay in the order in which they came. Works beside a program that writes the store.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Read {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    #[command(flatten)]
    range: Range,
    /// Newest first
    #[arg(short, long)]
    reverse: bool,
    /// Only the last N events (of the range)
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u64>,
    /// Then wait for events, and print them as they come, also late ones
    #[arg(short, long, conflicts_with_all = ["reverse", "to"])]
    follow: bool,
    /// Print the events that came since the last time, in the order in which they came, and keep in FILE how far that was
    ///
    /// Every event is printed once, late ones too. FILE holds the seq of the last event that was printed; it is made if it is not there,
    /// and replaced in one step. Without it yet, all events are printed. Not together with -n, -r, a range or --salvage.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["reverse", "lines", "since", "from", "to", "salvage"])]
    cursor_file: Option<PathBuf>,
    /// How events are printed
    #[arg(short, long, value_name = "HOW", value_enum, default_value_t = Format::Data)]
    output: Format,
    /// End each event with a NUL byte, not with a newline
    #[arg(short = '0', long)]
    null: bool,
    /// Go on at damage: print every event outside of it, and say what is missing
    #[arg(long, conflicts_with = "follow")]
    salvage: bool,
}

const EXAMPLES: &str = "\
Examples:
  estore read events | head
  estore read events -n 20 -f
  estore read events --since 2h -o time
  estore read events --from 2026-11-01 --to 2026-11-30 -o json | jq .data
  estore read events --cursor-file seen | mail -s 'what is new' me

Exit status: 0 if all was printed, 1 if events are missing (damaged, or deleted before they were printed), 2 if it could not be read.";

/// A range of time, as it is given on the command line.
#[derive(Args, Clone)]
pub(crate) struct Range {
    /// Only events of the last TIME, such as 2h
    #[arg(long, value_name = "TIME", value_parser = estore::duration::parse, conflicts_with = "from")]
    since: Option<u64>,
    /// Only events from T on
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// Only events up to T; a day, minute or second belongs to it as a whole
    #[arg(long, value_name = "T")]
    to: Option<String>,
}

impl Range {
    /// Its first and last time.
    pub(crate) fn bounds(&self, common: &Common) -> Result<(u64, u64)> {
        let start = match (&self.since, &self.from) {
            (Some(since), _) => estore::now().saturating_sub(*since),
            (None, Some(from)) => times::parse(from, &common.zone)?.first,
            (None, None) => 0,
        };
        let end = self.to.as_ref().map(|to| times::parse(to, &common.zone)).transpose()?.map_or(u64::MAX, |moment| moment.last);
        if end < start {
            bail!("the range ends at {}, before it starts at {}", times::text(end, &common.zone), times::text(start, &common.zone));
        }
        Ok((start, end))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The data alone
    Data,
    /// The time, a tab, the data
    Time,
    /// The time as nanoseconds since 1970, a tab, the data
    Ns,
    /// An object a line, which append --input json reads; data that is no text is "base64"
    Json,
    /// The data with nothing between
    Raw,
}

/// Writes events as they are wanted.
pub(crate) struct Printer {
    format: Format,
    end: &'static [u8],
    times: times::Writer,
    paint: Paint,
}

impl Printer {
    fn new(format: Format, null: bool, common: &Common) -> Printer {
        let end: &[u8] = match format {
            Format::Raw if !null => b"",
            _ if null => b"\0",
            _ => b"\n",
        };
        Printer { format, end, times: times::Writer::new(&common.zone), paint: Paint::of_stdout() }
    }

    /// With times, for people.
    pub(crate) fn with_times(common: &Common) -> Printer {
        Printer { paint: Paint::never(), ..Printer::new(if common.json { Format::Json } else { Format::Time }, false, common) }
    }

    pub(crate) fn print(&mut self, event: &EventRef<'_>, to: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Data | Format::Raw => to.write_all(event.data)?,
            Format::Time => {
                write!(to, "{}\t", self.paint.dim(self.times.text(event.time)))?;
                to.write_all(event.data)?;
            }
            Format::Ns => {
                write!(to, "{}\t", event.time)?;
                to.write_all(event.data)?;
            }
            Format::Json => to.write_all(json(event).as_bytes())?,
        }
        to.write_all(self.end)
    }
}

/// An event as one line of JSON.
fn json(event: &EventRef<'_>) -> String {
    let EventRef { time, seq, id, data } = event;
    // Text in JSON can't fail to be written.
    match std::str::from_utf8(data).ok().and_then(|text| serde_json::to_string(text).ok()) {
        Some(text) => format!("{{\"time\":{time},\"seq\":{seq},\"id\":{id},\"data\":{text}}}"),
        None => format!("{{\"time\":{time},\"seq\":{seq},\"id\":{id},\"base64\":\"{}\"}}", BASE64_STANDARD.encode(data)),
    }
}

/// Says what is missing in what was read past damage.
pub(crate) fn say_gaps(gaps: &[Gap], common: &Common) {
    for gap in gaps {
        output::warn(&format!(
            "{}: {} from byte {} on cannot be read ({}); missing are events from {} to {}",
            gap.path.display(),
            output::counted(gap.len, "byte"),
            gap.offset,
            gap.what,
            times::text_of_bound(gap.first_time, &common.zone),
            times::text_of_bound(gap.last_time, &common.zone)
        ));
    }
}

pub(crate) fn run(args: &Read, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    let store = AnyStore::open_to_read(&args.dir)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    // What is a report elsewhere are the events here.
    let format = if common.json { Format::Json } else { args.output };
    let mut printer = Printer::new(format, args.null, common);
    if let Some(path) = &args.cursor_file {
        return print_new(&store, path, args, &mut printer, &mut out);
    }

    let mut options = ReadOptions::new();
    options = if args.reverse { options.reverse() } else { options };
    options = if args.salvage { options.salvage() } else { options };
    options = match (args.lines, args.reverse) {
        (Some(events), true) => options.limit(events),
        (Some(events), false) => options.last(events),
        (None, _) => options,
    };
    let mut reader = store.read(start..=end, options)?;
    loop {
        // What was read before damage is printed before that is told.
        let batch = match reader.next_batch(BATCH) {
            Ok(batch) => batch,
            Err(e) => {
                out.flush()?;
                return Err(e.into());
            }
        };
        if batch.is_empty() {
            break;
        }
        for event in batch {
            printer.print(&event, &mut out)?;
        }
    }
    out.flush()?;
    let gaps = reader.gaps();
    say_gaps(gaps, common);
    let found = if gaps.is_empty() { Outcome::Fine } else { Outcome::Found };
    if !args.follow {
        return Ok(found);
    }
    let interrupt = Interrupt::install(|| {})?;
    let mut tail = store.tail(reader.snapshot_seq())?;
    drop(reader);
    let mut follower = Follower { out: &mut out, printer: &mut printer, start, cursor: None, interrupt: &interrupt };
    follower.follow(&mut tail, true, &args.dir)
}

/// What came since the last time.
fn print_new(store: &AnyStore, path: &Path, args: &Read, printer: &mut Printer, out: &mut dyn Write) -> Result<Outcome> {
    let cursor = Cursor::load(path)?;
    let interrupt = Interrupt::install(|| {})?;
    let mut tail = match store.tail(cursor.seq()) {
        Ok(tail) => tail,
        Err(e) => return Err(e.context(format!("{}: the cursor is of another store, or of a later state of this one", path.display()))),
    };
    let mut follower = Follower { out, printer, start: 0, cursor: Some(cursor), interrupt: &interrupt };
    follower.follow(&mut tail, args.follow, &args.dir)
}

struct Follower<'a> {
    out: &'a mut dyn Write,
    printer: &'a mut Printer,
    /// Events before it are not wanted.
    start: u64,
    cursor: Option<Cursor>,
    interrupt: &'a Interrupt,
}

impl Follower<'_> {
    fn save(&mut self, tail: &Tail) -> Result<()> {
        self.cursor.as_mut().map_or(Ok(()), |cursor| cursor.save(tail.last_seq()))
    }

    fn follow(&mut self, tail: &mut Tail, wait: bool, dir: &Path) -> Result<Outcome> {
        let mut outcome = Outcome::Fine;
        let mut saved = Instant::now();
        loop {
            let mut nothing = false;
            match tail.next_batch(BATCH)? {
                Tailed::Events(batch) => {
                    for event in batch.iter().filter(|event| event.time >= self.start) {
                        self.printer.print(&event, self.out)?;
                    }
                }
                Tailed::Gap => {
                    outcome = Outcome::Found;
                    output::warn(&format!("{}: events were deleted before they were printed", dir.display()));
                }
                Tailed::Nothing => nothing = true,
            }
            // What is printed counts as handled once it has left this process.
            self.out.flush()?;
            let signal = self.interrupt.signal();
            if nothing || signal.is_some() || saved.elapsed() >= SAVE {
                self.save(tail)?;
                saved = Instant::now();
            }
            if let Some(signal) = signal {
                signals::die_of(signal);
            }
            if nothing && !wait {
                return Ok(outcome);
            }
            if nothing && !tail.wait(Some(LOOK))? && nobody_reads() {
                return Ok(outcome);
            }
        }
    }
}

/// Whether the other end of the pipe is closed that stdout is.
fn nobody_reads() -> bool {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return false;
    }
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ends, Some(&now)).is_ok_and(|_| ends[0].revents().intersects(PollFlags::ERR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_any_bytes() {
        let text = EventRef { time: u64::MAX, seq: 7, id: 3, data: "a\"\u{1}é".as_bytes() };
        assert_eq!(json(&text), "{\"time\":18446744073709551615,\"seq\":7,\"id\":3,\"data\":\"a\\\"\\u0001é\"}");
        let bytes = EventRef { data: b"\xff\x00", ..text };
        assert_eq!(json(&bytes), "{\"time\":18446744073709551615,\"seq\":7,\"id\":3,\"base64\":\"/wA=\"}");
    }
}
