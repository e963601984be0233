//! `digest`, `diff`, `repair`, `export` and `import`: stores that are to hold the same.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use estore::{Bucket, Copied, Event, EventRef, Mode, ReadOptions, Reader, RepairOptions};
use serde_json::json;

use crate::append::Create;
use crate::lines::{self, Feed, Input};
use crate::output::{self, Paint, Report, Style, bytes, count, counted};
use crate::progress::{Bar, Unit};
use crate::read::{Printer, Range, say_gaps};
use crate::signals::Interrupt;
use crate::store::{self, AnyStore};
use crate::{Common, Outcome, times};

const BATCH: usize = 4096;

/// Prints a short sum of what a store holds
///
/// Stores with equal digests hold the same events, by time, id and data: however they were appended, how often, and whatever has become of
/// their files. The digest is a count and a sum of hashes.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  estore digest events
  diff <(estore digest events --width 1d) <(ssh other estore digest events --width 1d)")]
pub(crate) struct Digest {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    #[command(flatten)]
    range: Range,
    /// One digest for each stretch of this length that holds events, not one for all
    #[arg(long, value_name = "TIME", value_parser = estore::duration::parse)]
    width: Option<u64>,
}

pub(crate) fn digest(args: &Digest, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    let store = AnyStore::open_to_read(&args.dir)?;
    let (start, end, width) = match args.width {
        None => (start, end, u64::MAX),
        Some(width) => {
            // Stretches begin at multiples of their length, so that those of two stores are the same ones.
            let stats = store.stats()?;
            let end = end.min(stats.newest.max(start));
            let start = start.max(stats.oldest.min(end));
            (start - start % width, end, width)
        }
    };
    let bar = Bar::new("reading", Unit::Events, Some(0));
    let digest = store.digest(start..=end, width, |progress| bar.show(progress))?;
    drop(bar);
    let mut total = Bucket::default();
    for bucket in &digest.buckets {
        total.count += bucket.count;
        total.sum = total.sum.wrapping_add(bucket.sum);
    }
    let hash = |bucket: &Bucket| format!("{:032x}", bucket.sum);
    let mut list = Vec::new();
    if args.width.is_some() {
        let mut times = times::Writer::new(&common.zone);
        for (at, bucket) in (0..).zip(&digest.buckets).filter(|(_, bucket)| bucket.count > 0) {
            let first = digest.start.saturating_add(width.saturating_mul(at));
            match common.style() {
                Style::Text => output::print(&format!("{}  {}  {}", hash(bucket), times.text(first), bucket.count))?,
                Style::Json => list.push(json!({"start": first, "events": bucket.count, "sum": hash(bucket)})),
                Style::Quiet => {}
            }
        }
    } else if common.style() == Style::Text {
        output::print(&format!("{}  {}", hash(&total), total.count))?;
    }
    let mut report = Report::new(common.style());
    report.value("sum", hash(&total)).value("events", total.count).value("start", start).value("end", end).value("horizon", digest.horizon);
    if args.width.is_some() {
        report.value("width_ns", width).value("buckets", list);
    }
    report.print()?;
    Ok(Outcome::Fine)
}

/// Shows which events only one of two stores has
///
/// Two events are the same if time, id and data are. Repeats don't count, nor does what one of the two has deleted.
#[derive(Args)]
#[command(after_long_help = "\
Events that only A has are printed after \"<\", those that only B has after \">\".

Exit status: 0 if they hold the same, 1 if they differ, 2 if they could not be compared.")]
pub(crate) struct Diff {
    /// A store
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    a: PathBuf,
    /// Another one
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    b: PathBuf,
    #[command(flatten)]
    range: Range,
    /// Only count the events
    #[arg(short, long)]
    brief: bool,
}

/// Gives the events of a store time by time.
struct Times {
    reader: Reader,
    /// Events that were taken from the reader and not given yet, the next one last.
    ahead: Vec<Event>,
}

impl Times {
    fn next_time(&mut self) -> Result<Option<u64>> {
        if self.ahead.is_empty() {
            self.ahead = self.reader.next_batch(BATCH)?.iter().map(EventRef::to_event).collect();
            self.ahead.reverse();
        }
        Ok(self.ahead.last().map(|event| event.time))
    }

    /// All events of a time, in order, each identity once.
    fn take(&mut self, time: u64) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while self.next_time()? == Some(time) {
            events.extend(self.ahead.pop());
        }
        if events.len() > 1 {
            events.sort_by(|a, b| (a.id, &a.data).cmp(&(b.id, &b.data)));
            events.dedup_by(|a, b| (a.id, &a.data) == (b.id, &b.data));
        }
        Ok(events)
    }
}

pub(crate) fn diff(args: &Diff, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    let (a, b) = (AnyStore::open_to_read(&args.a)?, AnyStore::open_to_read(&args.b)?);
    let (stats_a, stats_b) = (a.stats()?, b.stats()?);
    let horizon = stats_a.horizon.max(stats_b.horizon);
    let start = start.max(horizon);
    let times_of = |store: &AnyStore| -> Result<Times> {
        // What is deleted in one of them is compared in neither.
        let range = if start > end { end..=end } else { start..=end };
        let options = if start > end { ReadOptions::new().limit(0) } else { ReadOptions::new() };
        Ok(Times { reader: store.read(range, options)?, ahead: Vec::new() })
    };
    let (mut in_a, mut in_b) = (times_of(&a)?, times_of(&b)?);
    let bar = Bar::new("comparing", Unit::Events, Some(stats_a.events + stats_b.events));
    let mut difference = Difference::new(args.brief || common.style() == Style::Quiet, common);
    let mut read = 0;
    let mut same = 0u64;
    loop {
        let time = match (in_a.next_time()?, in_b.next_time()?) {
            (None, None) => break,
            (Some(time), None) | (None, Some(time)) => time,
            (Some(one), Some(other)) => one.min(other),
        };
        let (mut of_a, mut of_b) = (in_a.take(time)?.into_iter().peekable(), in_b.take(time)?.into_iter().peekable());
        loop {
            let order = match (of_a.peek(), of_b.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(a), Some(b)) => (a.id, &a.data).cmp(&(b.id, &b.data)),
            };
            match order {
                std::cmp::Ordering::Less => of_a.next().map_or(Ok(()), |event| difference.only_in_a(&event))?,
                std::cmp::Ordering::Greater => of_b.next().map_or(Ok(()), |event| difference.only_in_b(&event))?,
                std::cmp::Ordering::Equal => {
                    of_a.next();
                    of_b.next();
                    same += 1;
                    read += 1;
                }
            }
            read += 1;
        }
        bar.set(read);
    }
    drop(bar);
    let Difference { only_in_a, only_in_b, first, last, .. } = difference;
    let mut report = Report::new(common.style());
    let text = |only| if only == 0 { "nothing".to_owned() } else { counted(only, "event") };
    report.row(&format!("only in {}:", args.a.display()), text(only_in_a));
    report.row(&format!("only in {}:", args.b.display()), text(only_in_b));
    report.row("in both:", counted(same, "event"));
    if let (Some(first), Some(last)) = (first, last) {
        report.row("differing times:", format!("{} to {}", times::text(first, &common.zone), times::text(last, &common.zone)));
        report.value("first_time", first).value("last_time", last);
    }
    if horizon > 0 {
        report.row("not compared:", format!("what lies before {}, which is deleted", times::text(horizon, &common.zone)));
    }
    report.value("only_in_a", only_in_a).value("only_in_b", only_in_b).value("in_both", same).value("horizon", horizon);
    report.print()?;
    Ok(if first.is_some() { Outcome::Found } else { Outcome::Fine })
}

/// What was found to differ so far.
struct Difference {
    only_in_a: u64,
    only_in_b: u64,
    first: Option<u64>,
    last: Option<u64>,
    brief: bool,
    printer: Printer,
    json: bool,
    paint: Paint,
}

impl Difference {
    fn new(brief: bool, common: &Common) -> Difference {
        Difference {
            only_in_a: 0,
            only_in_b: 0,
            first: None,
            last: None,
            brief,
            printer: Printer::with_times(common),
            json: common.json,
            paint: Paint::of_stdout(),
        }
    }

    fn only_in_a(&mut self, event: &Event) -> Result<()> {
        self.only_in_a += 1;
        let sign = self.paint.red("<");
        self.found(event, &sign, "a")
    }

    fn only_in_b(&mut self, event: &Event) -> Result<()> {
        self.only_in_b += 1;
        let sign = self.paint.green(">");
        self.found(event, &sign, "b")
    }

    fn found(&mut self, event: &Event, sign: &str, name: &str) -> Result<()> {
        self.first.get_or_insert(event.time);
        self.last = Some(event.time);
        if self.brief {
            return Ok(());
        }
        let mut line = if self.json { format!("{{\"only_in\":\"{name}\",\"event\":") } else { format!("{sign} ") }.into_bytes();
        self.printer.print(&event.as_ref(), &mut line)?;
        if self.json {
            line.pop();
            line.extend_from_slice(b"}\n");
        }
        output::beside_the_bar(|| io::stdout().lock().write_all(&line))?;
        Ok(())
    }
}

/// Brings a store what it lacks of another one
///
/// A gets the events that only B has; with --both-ways B those that only A has, too. Nothing is doubled, and what one of them has deleted
/// is not brought back. What is damaged is not there: A gets it anew if B has it. It can be stopped at any time, and done again.
#[derive(Args)]
#[command(after_long_help = "\
estore diff A B shows beforehand what would be copied.

Exit status: 0 if A has all that B has, 1 if one of them is damaged, 2 if it could not be done.")]
pub(crate) struct Repair {
    /// The store that is repaired
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    a: PathBuf,
    /// The store that it is repaired from
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    b: PathBuf,
    #[command(flatten)]
    range: Range,
    /// Give B what it lacks of A, too
    #[arg(long)]
    both_ways: bool,
}

pub(crate) fn repair(args: &Repair, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    let to_write = || store::options(Mode::Existing).max_new_chunks(usize::MAX).max_event_len(estore::LARGEST_EVENT_LEN);
    let a = AnyStore::open(&args.a, to_write())?;
    let b = if args.both_ways { AnyStore::open(&args.b, to_write())? } else { AnyStore::open_to_read(&args.b)? };
    let interrupt = Interrupt::install(|| {})?;
    let bar = Bar::new("comparing", Unit::Events, Some(0));
    let options = if args.both_ways { RepairOptions::new().both_ways() } else { RepairOptions::new() };
    let repaired = a.repair(&b, start..=end, options, |progress| bar.follow(progress, &interrupt))?;
    drop(bar);
    a.close()?;
    b.close()?;
    let (to, from) = (repaired.to, repaired.from);
    let mut report = Report::new(common.style());
    let text = |copied: u64, expired: u64| {
        let expired = if expired > 0 { format!(", {} left out that are deleted there", counted(expired, "event")) } else { String::new() };
        format!("{} added{expired}", counted(copied, "event"))
    };
    report.row(&format!("{}:", args.a.display()), text(to.copied, to.expired));
    if args.both_ways {
        report.row(&format!("{}:", args.b.display()), text(from.copied, from.expired));
    }
    let copied = |Copied { compared, copied, skipped, expired, .. }: &Copied| json!({"compared": compared, "copied": copied, "skipped": skipped, "expired": expired});
    report.value("to", copied(&to)).value("from", copied(&from)).value("gaps", repaired.gaps.len());
    report.value("own_gaps", repaired.own_gaps.len()).value("complete", !repaired.stopped);
    report.print()?;
    say_gaps(&repaired.gaps, common);
    say_gaps(&repaired.own_gaps, common);
    interrupt.end_if(repaired.stopped, "what was copied stays; do it again for the rest");
    Ok(if repaired.gaps.is_empty() && repaired.own_gaps.is_empty() { Outcome::Fine } else { Outcome::Found })
}

/// Writes events in a form that can be carried elsewhere
///
/// What is written are parcels, each of which tells its own length and has a checksum; estore import takes them in. Times, ids and data
/// come along, seqs do not.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  estore export events --since 1d | ssh other estore import events
  estore export events > events.parcels")]
pub(crate) struct Export {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Write to FILE, which is there only once it is whole; to standard output without it
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    #[command(flatten)]
    range: Range,
    /// Go on at damage: export every event outside of it, and say what is missing
    #[arg(long)]
    salvage: bool,
}

/// About so large is a parcel.
const PARCEL: usize = 1 << 20;

pub(crate) fn export(args: &Export, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    if args.output.is_none() && io::stdout().is_terminal() {
        bail!("parcels are no text for a terminal: say -o FILE, or send them into a pipe");
    }
    let store = AnyStore::open_to_read(&args.dir)?;
    let options = if args.salvage { ReadOptions::new().salvage() } else { ReadOptions::new() };
    let mut export = store.export(start..=end, options)?;
    let total = store.count(start..=end).ok();
    let bar = Bar::new("exporting", Unit::Events, total);
    let interrupt = Interrupt::install(|| {})?;
    let new = args.output.as_ref().map(|path| NewFile::create(path)).transpose()?;
    let (mut events, mut written) = (0u64, 0u64);
    while let Some(parcel) = export.next_parcel(PARCEL)? {
        match &new {
            Some(new) => (&new.file).write_all(&parcel).with_context(|| format!("{}: cannot be written", new.path.display()))?,
            None => io::stdout().lock().write_all(&parcel)?,
        }
        events += u64::from(parcel.get(12..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes));
        written += parcel.len() as u64;
        bar.set(events);
        if interrupt.signal().is_some() {
            drop((bar, new));
            interrupt.end("what was exported is not all");
        }
    }
    io::stdout().lock().flush()?;
    if let Some(new) = new {
        new.finish()?;
    }
    drop(bar);
    let gaps = export.gaps();
    say_gaps(gaps, common);
    let mut report = Report::new(common.style());
    report.row(&format!("{}:", args.dir.display()), format!("{} exported, {}", counted(events, "event"), bytes(written)));
    report.value("events", events).value("bytes", written).value("seq", export.snapshot_seq()).value("gaps", gaps.len());
    match args.output {
        Some(_) => report.print()?,
        None => report.print_to(&mut io::stderr().lock(), Paint::of_stderr())?,
    }
    Ok(if gaps.is_empty() { Outcome::Fine } else { Outcome::Found })
}

/// A file that gets its name once it is whole, and goes if it does not come to that.
struct NewFile {
    path: PathBuf,
    new: PathBuf,
    file: File,
    done: bool,
}

impl NewFile {
    fn create(path: &Path) -> Result<NewFile> {
        let mut name = path.file_name().with_context(|| format!("{}: no name of a file", path.display()))?.to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let new = path.with_file_name(name);
        let file = File::create_new(&new).with_context(|| format!("{}: cannot be made", new.display()))?;
        Ok(NewFile { path: path.to_owned(), new, file, done: false })
    }

    fn finish(mut self) -> Result<()> {
        let finish = || -> io::Result<()> {
            self.file.sync_all()?;
            fs::rename(&self.new, &self.path)
        };
        finish().with_context(|| format!("{}: cannot be written", self.path.display()))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.new);
        }
    }
}

/// Stores events that export has written, those that are not there yet
///
/// Events that are there already, by time, id and data, are left out, so the same file may be imported again.
#[derive(Args)]
#[command(after_long_help = "\
Exit status: 0 if all is there now, 2 if a file is damaged or cut short, or it could not go on; what came before that is stored.")]
pub(crate) struct Import {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// The files to read; standard input if none is named, or for "-"
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    create: Create,
}

/// Bytes of a parcel that tell its length, and the most that one can have: an event of the largest length.
const HEAD: usize = 24;
const LONGEST: u64 = estore::LARGEST_EVENT_LEN as u64 + (1 << 20);

/// Reads one parcel; `None` at the end.
fn next_parcel(from: &mut dyn Read) -> Result<Option<Vec<u8>>> {
    let mut parcel = Vec::new();
    from.take(HEAD as u64).read_to_end(&mut parcel)?;
    if parcel.is_empty() {
        return Ok(None);
    }
    let length = parcel.get(16..HEAD).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    // What is no parcel is refused by the engine, which says best what is wrong with it.
    let rest = if parcel.starts_with(b"estparcl") { length.min(LONGEST).saturating_sub(HEAD as u64) } else { 0 };
    from.take(rest).read_to_end(&mut parcel)?;
    Ok(Some(parcel))
}

pub(crate) fn import(args: &Import, common: &Common) -> Result<Outcome> {
    let inputs = Input::all(&args.files);
    let length = lines::total_length(&inputs)?;
    let store = args.create.open(&args.dir, |options| options.max_new_chunks(usize::MAX).max_event_len(estore::LARGEST_EVENT_LEN))?;
    let (blocks, interrupt) = lines::start(&inputs)?;
    let mut feed = Feed::new(&blocks, &interrupt);
    let mut sums = Sums::default();
    let bar = Bar::new("importing", Unit::Bytes, length);
    let taken = match take_parcels(&store, &inputs, &mut feed, &mut sums, &bar) {
        Err(_) if feed.interrupted => Ok(()),
        taken => taken,
    };
    let stopped = feed.interrupted;
    drop(bar);
    let taken = taken.and(store.close());
    let mut report = Report::new(common.style());
    let mut text = format!("{} stored, {} there already", counted(sums.stored, "event"), count(sums.present));
    if sums.expired > 0 {
        text += &format!(", {} left out that lie before the store's horizon", count(sums.expired));
    }
    report.row(&format!("{}:", args.dir.display()), text);
    report.value("stored", sums.stored).value("present", sums.present).value("expired", sums.expired);
    report.value("complete", taken.is_ok() && !stopped);
    report.print()?;
    taken?;
    interrupt.end_if(stopped, "what was stored is there; import the same again for the rest");
    Ok(Outcome::Fine)
}

#[derive(Default)]
struct Sums {
    stored: u64,
    present: u64,
    expired: u64,
    bytes: u64,
}

fn take_parcels(store: &AnyStore, inputs: &[Input], feed: &mut Feed<'_>, sums: &mut Sums, bar: &Bar) -> Result<()> {
    for input in inputs {
        let cannot = || format!("{}: cannot be read", input.name());
        let mut offset = 0u64;
        while let Some(parcel) = next_parcel(feed).with_context(cannot)? {
            let appended = store.import(&parcel).with_context(|| format!("{}: the parcel that begins at byte {offset}", input.name()))?;
            offset += parcel.len() as u64;
            sums.stored += appended.stored;
            sums.present += appended.present;
            sums.expired += appended.expired;
            sums.bytes += parcel.len() as u64;
            bar.set(sums.bytes);
            bar.message(counted(sums.stored, "event"));
        }
    }
    Ok(())
}
