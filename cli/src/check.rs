//! `verify` and `salvage`: what is damaged, and what is left.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use estore::{Durability, EventRef, Finding, FindingKind, Gap, Mode, ReadOptions};
use serde_json::json;

use crate::output::{self, Paint, Report, Style, bytes, counted};
use crate::progress::{Bar, Unit};
use crate::signals::Interrupt;
use crate::store::{self, AnyStore};
use crate::{Common, Outcome, read};

/// Looks at every byte of a store for damage
///
/// All checksums, the order of events, and whether files agree with each other. Nothing is changed. Works beside a program that writes the
/// store.
#[derive(Args)]
#[command(after_long_help = "\
What is found is of three kinds. damage: events are lost, or may be. derived: an index or recon file is not what it should be; nothing is \
lost, and it is made anew. aside: bytes that a recovery has cut off and kept, which is no fault.

Exit status: 0 if all is well, 1 if there is something damaged or derived, 2 if the store could not be looked at.")]
pub(crate) struct Verify {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
}

pub(crate) fn verify(args: &Verify, common: &Common) -> Result<Outcome> {
    let store = AnyStore::open_to_read(&args.dir)?;
    let interrupt = Interrupt::install(|| {})?;
    let bar = Bar::new("verifying", Unit::Events, Some(0));
    let paint = Paint::of_stdout();
    let mut list = Vec::new();
    let mut printed = Ok(());
    let receiver = |finding: Finding| {
        let (kind, text) = match finding.kind {
            FindingKind::Damage => ("damage", paint.red("damage")),
            FindingKind::Derived => ("derived", paint.yellow("derived")),
            FindingKind::Aside => ("aside", "aside".to_owned()),
            _ => ("other", "other".to_owned()),
        };
        let path = finding.path.display().to_string();
        if common.style() == Style::Text {
            let length = if finding.len > 0 { format!(", {}", bytes(finding.len)) } else { String::new() };
            printed = output::print(&format!("{text}: {path}: byte {}{length}: {}", finding.offset, finding.what));
        }
        list.push(json!({"kind": kind, "file": path, "offset": finding.offset, "len": finding.len, "what": finding.what}));
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let verified = store.verify(receiver, |progress| bar.follow(progress, &interrupt))?;
    drop(bar);
    printed?;
    let mut report = Report::new(common.style());
    let looked =
        format!("{} in {} and {}", counted(verified.events, "event"), counted(verified.frames, "frame"), counted(verified.files, "file"));
    report.row("looked at", format!("{looked}, {} of logs", bytes(verified.log_bytes)));
    let found = verified.damaged + verified.derived;
    let verdict = match (verified.damaged, verified.derived) {
        (0, 0) if verified.stopped => "nothing was found in what was looked at".to_owned(),
        (0, 0) => paint.green("all is well"),
        (0, derived) => paint.yellow(format!("{} not as it should be; nothing is lost", counted(derived, "index or recon file"))),
        (damaged, _) => paint.red(format!("damaged in {}; estore salvage makes a new store of what is left", counted(damaged, "place"))),
    };
    report.row("result", verdict);
    report.value("events", verified.events).value("frames", verified.frames).value("files", verified.files);
    report.value("log_bytes", verified.log_bytes).value("damaged", verified.damaged).value("derived", verified.derived);
    report.value("aside", verified.aside).value("complete", !verified.stopped).value("findings", list);
    report.print()?;
    interrupt.end_if(verified.stopped, "not all of it was looked at");
    Ok(if found > 0 { Outcome::Found } else { Outcome::Fine })
}

/// Makes a new store of all that can be read of a damaged one
///
/// NEW has the settings of DIR and every event outside of damage, in the same order. What is missing is told by its bytes and times. DIR
/// stays as it is.
#[derive(Args)]
#[command(after_long_help = "Exit status: 0 if nothing was missing, 1 if something was, 2 if it could not be done.")]
pub(crate) struct Salvage {
    /// The damaged store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Where the new store is to be; nothing may be there yet
    #[arg(value_name = "NEW", value_hint = ValueHint::DirPath)]
    new: PathBuf,
}

/// What is copied at once.
const COPY_EVENTS: usize = 4096;
const COPY_BYTES: usize = 1 << 20;

pub(crate) fn salvage(args: &Salvage, common: &Common) -> Result<Outcome> {
    let store = AnyStore::open_to_read(&args.dir)?;
    // Settings are known also where damage keeps events from being counted.
    let stats = store.stats().unwrap_or_default();
    let options = store::options(Mode::CreateNew).durability(Durability::Buffered).max_new_chunks(usize::MAX);
    let new = store.create_like(&args.new, options.max_event_len(estore::LARGEST_EVENT_LEN))?;
    let interrupt = Interrupt::install(|| {})?;
    let bar = Bar::new("salvaging", Unit::Events, (stats.events > 0).then_some(stats.events));

    let file_size = store.file_size();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut unreadable: Vec<String> = Vec::new();
    let mut copied = 0;
    let mut start = 0;
    'ranges: loop {
        let mut reader = store.read(start..=u64::MAX, ReadOptions::new().salvage())?;
        let mut last = start;
        let failure = loop {
            if interrupt.signal().is_some() {
                break 'ranges;
            }
            let events: Vec<EventRef<'_>> = match reader.next_batch(COPY_EVENTS) {
                Ok(events) if events.is_empty() => break None,
                Ok(events) => events.iter().collect(),
                Err(e) => break Some(e),
            };
            last = events.last().map_or(last, |event| event.time);
            for part in parts(&events) {
                new.append(part)?;
                copied += part.len() as u64;
            }
            bar.set(copied);
        };
        gaps.extend_from_slice(reader.gaps());
        // A chunk of which nothing can be read ends the reader; what lies behind it is read by the next one.
        let Some(failure) = failure else { break };
        unreadable.push(failure.to_string());
        let behind = chunk_of(&failure).unwrap_or(0).max(last.checked_div(file_size).unwrap_or(u64::MAX));
        match behind.checked_add(1).and_then(|chunk| chunk.checked_mul(file_size)).filter(|next| *next > start) {
            Some(next) => start = next,
            None => break,
        }
    }
    drop(bar);
    if stats.horizon > 0
        && let AnyStore::Estore(new) = &new
    {
        new.delete_before(stats.horizon)?;
    }
    new.close()?;
    interrupt.end_if(true, &format!("{} has the first {}", args.new.display(), counted(copied, "event")));

    if common.style() != Style::Quiet {
        read::say_gaps(&gaps, common);
        unreadable.iter().for_each(|what| output::warn(&format!("{what}: what was not read before is missing of this chunk")));
    }
    let missing = gaps.len() + unreadable.len();
    let mut report = Report::new(common.style());
    let verdict = match missing {
        0 => "nothing is missing".to_owned(),
        _ => format!("missing is what was in {}", counted(missing as u64, "damaged place")),
    };
    report.row(&format!("{}:", args.new.display()), format!("{} salvaged; {verdict}", counted(copied, "event")));
    let list = gaps.iter().map(|gap| {
        json!({"file": gap.path.display().to_string(), "offset": gap.offset, "len": gap.len, "first_time": gap.first_time,
            "last_time": gap.last_time, "what": gap.what})
    });
    report.value("events", copied).value("gaps", list.collect::<Vec<_>>()).value("unreadable", unreadable);
    report.print()?;
    Ok(if missing > 0 { Outcome::Found } else { Outcome::Fine })
}

/// The events in parts of some length, so that large ones don't make a huge batch.
fn parts<'a, 'e>(mut events: &'a [EventRef<'e>]) -> impl Iterator<Item = &'a [EventRef<'e>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let mut fits = |event: &EventRef<'_>| {
            bytes += event.data.len();
            bytes <= COPY_BYTES
        };
        let length = events.iter().map_while(|event| fits(event).then_some(())).count().max(1).min(events.len());
        let (part, rest) = events.split_at(length);
        events = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// The number of the chunk that a file belongs to: it begins its name.
fn chunk_of(failure: &estore::Error) -> Option<u64> {
    failure.path()?.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}
