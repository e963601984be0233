//! `compact`, `delete`, `retain` and `snapshot`: what is done to a store as a whole.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum, ValueHint};
use estore::{Compression, Mode, RetainOptions};

use crate::output::{self, Report, bytes, counted};
use crate::progress::{Bar, Unit};
use crate::read::Range;
use crate::signals::Interrupt;
use crate::store::{self, AnyStore};
use crate::{Common, Outcome, times};

/// Sorts late events in, and makes one log of several
///
/// The logs of each chunk become one, sorted, so that reading takes less, and so does keeping it. What is in the store stays the same.
/// Chunks that are so already are left alone, and those of which a range has only a part are compacted whole. It can be stopped at any time.
#[derive(Args)]
pub(crate) struct Compact {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    #[command(flatten)]
    range: Range,
    /// Store events compressed, or give compressed ones back as they were; without it they stay as they are
    #[arg(long, value_name = "HOW", value_enum)]
    compression: Option<Compressed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compressed {
    None,
    Lz4,
}

pub(crate) fn compact(args: &Compact, common: &Common) -> Result<Outcome> {
    let (start, end) = args.range.bounds(common)?;
    // By itself it would compact as well.
    let mut options = store::options(Mode::Existing).compaction(false);
    if let Some(compression) = args.compression {
        options = options.compression(match compression {
            Compressed::None => Compression::None,
            Compressed::Lz4 => Compression::Lz4,
        });
    }
    let store = AnyStore::open(&args.dir, options)?;
    let interrupt = Interrupt::install(|| {})?;
    let bar = Bar::new("compacting", Unit::Events, Some(0));
    let compacted = store.compact(start..=end, |progress| bar.follow(progress, &interrupt))?;
    drop(bar);
    store.close()?;
    let mut report = Report::new(common.style());
    let text = match compacted.chunks {
        0 => "nothing to compact".to_owned(),
        chunks => format!(
            "{} with {} compacted, {} before and {} now",
            counted(chunks, "chunk"),
            counted(compacted.events, "event"),
            bytes(compacted.bytes_before),
            bytes(compacted.bytes_after)
        ),
    };
    report.row(&format!("{}:", args.dir.display()), text);
    report.value("chunks", compacted.chunks).value("events", compacted.events);
    report.value("bytes_before", compacted.bytes_before).value("bytes_after", compacted.bytes_after).value("complete", !compacted.stopped);
    report.print()?;
    interrupt.end_if(compacted.stopped, "what is compacted stays so, and the rest is as it was");
    Ok(Outcome::Fine)
}

/// Deletes all events before a time, for good
///
/// Whole chunks before it are removed from the disk; events before it in the chunk where it lies are not shown any more. Events that are
/// appended before it later are left out.
#[derive(Args)]
#[command(after_long_help = "Examples:\n  estore delete events --before 2026-01-01 --dry-run\n  estore delete events --before 2026-01-01")]
pub(crate) struct Delete {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Events before this time go; one at this time stays
    #[arg(long, value_name = "T")]
    before: String,
    /// Only tell what would be deleted
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn delete(args: &Delete, common: &Common) -> Result<Outcome> {
    let before = times::parse(&args.before, &common.zone)?.first;
    let store = if args.dry_run { AnyStore::open_to_read(&args.dir)? } else { AnyStore::open(&args.dir, store::options(Mode::Existing))? };
    let estore = store.estore("deleting by time: it has one chunk for all times")?;
    let was = estore.stats()?;
    let events = if before == 0 { 0 } else { estore.count(..before)? };
    let first = (events > 0).then_some(was.oldest);
    let mut now = was;
    if !args.dry_run {
        estore.delete_before(before)?;
        now = estore.stats()?;
        estore.close()?;
    }
    let mut report = Report::new(common.style());
    let verb = if args.dry_run { "would be deleted" } else { "deleted" };
    let times = first.map_or(String::new(), |first| {
        format!(" (from {} to before {})", times::text(first, &common.zone), times::text(before, &common.zone))
    });
    let left = was.events - events;
    report.row(&format!("{}:", args.dir.display()), format!("{} {verb}{times}, {} left", counted(events, "event"), output::count(left)));
    if !args.dry_run && was.chunks > now.chunks {
        let freed = was.chunk_bytes.saturating_sub(now.chunk_bytes);
        report.row("", format!("{} removed, {} freed", counted(was.chunks - now.chunks, "chunk"), bytes(freed)));
    }
    report.value("before", before).value("events", events).value("left", left).value("dry_run", args.dry_run);
    report.value("chunks", was.chunks - now.chunks).value("bytes", was.chunk_bytes.saturating_sub(now.chunk_bytes));
    report.print()?;
    Ok(Outcome::Fine)
}

/// Removes the oldest chunks of a store that is too old or too large
///
/// Whole chunks go, oldest first, and never those that count as live. Ages are counted from the clock or the newest time that two events
/// have reached, whichever is smaller, so neither an event of the far future nor a clock that jumped deletes anything.
#[derive(Args)]
#[command(
    after_long_help = "Examples:\n  estore retain events --max-age 90d --dry-run\n  estore retain events --max-age 90d --max-size 10G"
)]
pub(crate) struct Retain {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Chunks all of whose events are older go
    #[arg(long, value_name = "TIME", value_parser = estore::duration::parse, required_unless_present = "max_size")]
    max_age: Option<u64>,
    /// As long as the store takes more room on disk, its oldest chunk goes
    #[arg(long, value_name = "SIZE", value_parser = output::parse_bytes)]
    max_size: Option<u64>,
    /// Only tell what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) fn retain(args: &Retain, common: &Common) -> Result<Outcome> {
    let store = AnyStore::open(&args.dir, store::options(Mode::Existing))?;
    let estore = store.estore("retention: it has one chunk for all times")?;
    let mut options = RetainOptions::new().max_age(args.max_age.unwrap_or(0)).max_bytes(args.max_size.unwrap_or(0));
    if args.dry_run {
        options = options.dry_run();
    }
    let retained = estore.retain(options)?;
    estore.close()?;
    let mut report = Report::new(common.style());
    let verb = if args.dry_run { "would be removed" } else { "removed" };
    let text = match retained.chunks {
        0 => "nothing to remove".to_owned(),
        chunks => format!(
            "{} with {} {verb}, {}; the store then begins at {}",
            counted(chunks, "chunk"),
            counted(retained.events, "event"),
            bytes(retained.bytes),
            times::text(retained.horizon, &common.zone)
        ),
    };
    report.row(&format!("{}:", args.dir.display()), text);
    report.value("chunks", retained.chunks).value("events", retained.events).value("bytes", retained.bytes);
    report.value("horizon", retained.horizon).value("dry_run", args.dry_run);
    report.print()?;
    Ok(Outcome::Fine)
}

/// Copies a store as it is now, also while a program writes it
///
/// NEW becomes a store like DIR at one moment, and survives loss of power once the command has ended. An earlier snapshot of the same store
/// there is brought up to date: only what is new is copied.
#[derive(Args)]
#[command(after_long_help = "\
Exit status: 0 if all is well, 1 if what was copied is damaged in DIR already, 2 if it could not be done; NEW is then as it was.")]
pub(crate) struct Snapshot {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Where the copy is to be: an empty folder, none yet, or an earlier snapshot of DIR
    #[arg(value_name = "NEW", value_hint = ValueHint::DirPath)]
    new: PathBuf,
}

pub(crate) fn snapshot(args: &Snapshot, common: &Common) -> Result<Outcome> {
    let store = AnyStore::open_to_read(&args.dir)?;
    let interrupt = Interrupt::install(|| {})?;
    let bar = Bar::new("copying", Unit::Events, Some(0));
    let made = store.snapshot(&args.new, |progress| bar.follow(progress, &interrupt))?;
    drop(bar);
    interrupt.end_if(made.stopped, &format!("{} is as it was", args.new.display()));
    if made.stopped {
        bail!("{}: stopped", args.new.display());
    }
    let mut report = Report::new(common.style());
    let shares = [(made.bytes_copied, "copied"), (made.bytes_linked, "shared with it"), (made.bytes_kept, "there already")];
    let shares: Vec<String> = shares.iter().filter(|(len, _)| *len > 0).map(|(len, what)| format!("{} {what}", bytes(*len))).collect();
    let shares = if shares.is_empty() { "nothing to copy".to_owned() } else { shares.join(", ") };
    report.row(&format!("{}:", args.new.display()), format!("a snapshot of {} up to seq {}: {shares}", args.dir.display(), made.seq));
    if made.damaged > 0 {
        report.row("", format!("damaged in {}, as it is in {}", counted(made.damaged, "place"), args.dir.display()));
    }
    report.value("seq", made.seq).value("events", made.events).value("bytes_copied", made.bytes_copied);
    report.value("bytes_linked", made.bytes_linked).value("bytes_kept", made.bytes_kept).value("damaged", made.damaged);
    report.print()?;
    Ok(if made.damaged > 0 { Outcome::Found } else { Outcome::Fine })
}
