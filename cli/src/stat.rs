//! `stat`: what is in a store, in numbers and two pictures.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use estore::{Stats, Tailed};
use serde_json::json;

use crate::output::{self, Paint, Report, Style, bytes, count, percent};
use crate::progress::{self, Bar, Unit};
use crate::store::AnyStore;
use crate::times::{self, SECOND};
use crate::{Common, Outcome};

const BATCH: usize = 4096;
/// How high the picture of events over time is.
const HEIGHT: u64 = 6;

/// Shows what is in a store
///
/// Its settings, how many events and bytes it has, how late they came, up to where it is safe, and a picture of its events over time.
/// Works beside a program that writes the store.
#[derive(Args)]
pub(crate) struct Stat {
    /// The store
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    /// Leave out how late events came, for which all of them are read
    #[arg(long)]
    quick: bool,
}

/// How far events lie behind the newest one of their chunk that came before them: the upper end of each class.
const LATENESS: [(u64, &str); 10] = [
    (0, "in order"),
    (1_000_000, "up to 1 ms"),
    (SECOND, "up to 1 s"),
    (10 * SECOND, "up to 10 s"),
    (60 * SECOND, "up to 1 m"),
    (600 * SECOND, "up to 10 m"),
    (3_600 * SECOND, "up to 1 h"),
    (86_400 * SECOND, "up to 1 d"),
    (30 * 86_400 * SECOND, "up to 30 d"),
    (u64::MAX, "more"),
];

struct Lateness {
    classes: [u64; LATENESS.len()],
    most: u64,
}

/// Reads all events in the order in which they came.
fn lateness(store: &AnyStore, stats: &Stats) -> Result<Lateness> {
    let bar = Bar::new("reading", Unit::Events, Some(stats.events));
    let mut found = Lateness { classes: [0; LATENESS.len()], most: 0 };
    let mut newest: HashMap<u64, u64> = HashMap::new();
    let mut tail = store.tail(0)?;
    let mut done = 0;
    loop {
        match tail.next_batch(BATCH)? {
            Tailed::Events(batch) => {
                for event in batch.iter().take_while(|event| event.seq <= stats.last_seq) {
                    let newest = newest.entry(event.time.checked_div(stats.file_size).unwrap_or(0)).or_insert(0);
                    let behind = newest.saturating_sub(event.time);
                    *newest = event.time.max(*newest);
                    found.most = found.most.max(behind);
                    let class = LATENESS.iter().position(|(end, _)| behind <= *end).unwrap_or(LATENESS.len() - 1);
                    found.classes[class] += 1;
                }
                done += batch.len() as u64;
                bar.set(done);
            }
            // Deleted ones are none of the store's.
            Tailed::Gap => {}
            Tailed::Nothing => return Ok(found),
        }
        if tail.last_seq() >= stats.last_seq {
            return Ok(found);
        }
    }
}

/// How many events lie in each of so many equal stretches from the oldest to the newest.
fn over_time(store: &AnyStore, stats: &Stats, columns: usize) -> Result<Vec<u64>> {
    let span = u128::from(stats.newest - stats.oldest) + 1;
    let columns = (columns as u128).min(span);
    let border = |at: u128| stats.oldest + (span * at / columns) as u64;
    (0..columns).map(|at| store.count(border(at)..=border(at + 1).wrapping_sub(1).max(border(at)))).collect()
}

/// Columns of blocks, and below them where they begin and end.
fn picture(counts: &[u64], stats: &Stats, common: &Common, paint: Paint) -> String {
    const BLOCKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let plain = progress::is_plain();
    let mut text = String::new();
    for row in (0..HEIGHT).rev() {
        let mut line = String::new();
        for &events in counts {
            // In eighths of a row; whatever is there at all is seen.
            let eighths = (u128::from(events) * u128::from(HEIGHT) * 8).div_ceil(u128::from(most)) as u64;
            line.push_str(match eighths.saturating_sub(row * 8) {
                0 => " ",
                _ if plain => "#",
                height => BLOCKS[height.min(8) as usize - 1],
            });
        }
        text += &format!("{}\n", paint.green(line.trim_end()));
    }
    let (first, last) = (times::text(stats.oldest, &common.zone), times::text(stats.newest, &common.zone));
    let between = counts.len().saturating_sub(first.len() + last.len()).max(2);
    text += &paint.dim(format!("{first}{}{last}", " ".repeat(between)));
    let each = (u128::from(stats.newest - stats.oldest) + 1) / counts.len().max(1) as u128;
    let highest = format!("the highest column: {} in {}", output::counted(most, "event"), times::span(each as u64));
    text + "\n" + &paint.dim(highest) + "\n"
}

/// Warns of damage in what was counted.
fn past_damage<T>(counted: Result<T>, damaged: &mut bool) -> Result<Option<T>> {
    match counted {
        Ok(counted) => Ok(Some(counted)),
        Err(e) if matches!(e.downcast_ref(), Some(estore::Error::Corrupt { .. })) => {
            if !std::mem::replace(damaged, true) {
                output::warn(&format!("{e}; estore verify finds all that is damaged"));
            }
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

pub(crate) fn run(args: &Stat, common: &Common) -> Result<Outcome> {
    let store = AnyStore::open_to_read(&args.dir)?;
    let stats = store.stats()?;
    let zone = &common.zone;
    let mut report = Report::new(common.style());
    report.row("store", args.dir.display().to_string()).value("dir", args.dir.display().to_string());
    report.value("kind", store.kind());
    let duration = |ns: u64| if ns == 0 { "none".to_owned() } else { estore::duration::format(ns) };
    match &store {
        AnyStore::Estore(_) => report.row("settings", format!("file size {}, grace {}", duration(stats.file_size), duration(stats.grace))),
        AnyStore::Efile(_) => report.row("settings", format!("an efile (one chunk for all times), grace {}", duration(stats.grace))),
    };
    report.value("file_size_ns", stats.file_size).value("grace_ns", stats.grace);
    report.number("events", "events", stats.events);
    if stats.events > 0 {
        report.row("oldest", times::text(stats.oldest, zone)).row("newest", times::text(stats.newest, zone));
        report.row("time span", times::span(stats.newest - stats.oldest));
        report.value("oldest", stats.oldest).value("newest", stats.newest);
    }
    if stats.horizon > 0 {
        report.row("horizon", format!("{} (everything before it is deleted)", times::text(stats.horizon, zone)));
    }
    report.value("horizon", stats.horizon);
    report.number("chunks", "chunks", stats.chunks);
    let all = stats.late_events.max(stats.events);
    let late = format!(
        "{} ({} of all), more than {} behind what earlier batches had brought",
        count(stats.late_events),
        percent(stats.late_events, all),
        duration(stats.grace)
    );
    report.row("late events", late).value("late_events", stats.late_events).value("recon_events", stats.recon_events);
    let total = stats.log_bytes + stats.recon_bytes + stats.index_bytes;
    report.row(
        "bytes",
        format!(
            "{}: logs {}, recon {}, index {}",
            bytes(total),
            bytes(stats.log_bytes),
            bytes(stats.recon_bytes),
            bytes(stats.index_bytes)
        ),
    );
    report.value("log_bytes", stats.log_bytes).value("recon_bytes", stats.recon_bytes).value("index_bytes", stats.index_bytes);
    if let Some(each) = stats.log_bytes.checked_div(stats.events) {
        report.row("bytes of log an event", count(each));
    }
    if stats.backlog_bytes > 0 {
        report.row("to be compacted", format!("{} (estore compact)", bytes(stats.backlog_bytes)));
    }
    report.value("backlog_bytes", stats.backlog_bytes);
    let unsafe_yet = if stats.durable_seq < stats.last_seq { "; what came since may be lost if the power fails" } else { "" };
    report.row("last seq", count(stats.last_seq)).row("durable seq", format!("{}{unsafe_yet}", count(stats.durable_seq)));
    report.value("last_seq", stats.last_seq).value("durable_seq", stats.durable_seq);
    if stats.damaged > 0 {
        report.row("damaged", format!("in {} (estore verify)", output::counted(stats.damaged, "place")));
    }
    report.value("damaged", stats.damaged);
    if stats.cut_bytes > 0 {
        report.row("not shown", format!("{} behind the last whole batch", bytes(stats.cut_bytes)));
    }

    let columns = progress::width().min(100);
    // At damage there are no pictures, but all that is known without them.
    let mut damaged = stats.damaged > 0;
    let counts =
        if stats.events > 0 { past_damage(over_time(&store, &stats, columns), &mut damaged)?.unwrap_or_default() } else { Vec::new() };
    let late = if args.quick || stats.events == 0 { None } else { past_damage(lateness(&store, &stats), &mut damaged)? };
    report.value("over_time", counts.clone());
    if let Some(late) = &late {
        let classes: Vec<_> =
            LATENESS.iter().zip(late.classes).map(|((end, _), events)| json!({"up_to_ns": end, "events": events})).collect();
        report.value("lateness", classes).value("most_late_ns", late.most);
    }
    report.print()?;
    if common.style() == Style::Text {
        let paint = Paint::of_stdout();
        let mut text = String::new();
        if let Some(late) = &late {
            text += &format!("\n{}\n", paint.bold("how far events came behind the newest of their chunk"));
            let most = late.classes.iter().copied().max().unwrap_or(0);
            for ((_, name), events) in LATENESS.iter().zip(late.classes).filter(|(_, events)| *events > 0) {
                let bar = paint.green(progress::share(events, most, 40));
                text += &format!("{name:>12}  {:>14}  {bar}\n", count(events));
            }
            if late.most > 0 {
                text += &format!("{:>12}  {}\n", "the latest", times::span(late.most));
            }
        }
        if !counts.is_empty() {
            text += &format!("\n{}\n", paint.bold("events over time"));
            text += &picture(&counts, &stats, common, paint);
        }
        use std::io::Write;
        std::io::stdout().lock().write_all(text.as_bytes())?;
    }
    Ok(if damaged { Outcome::Found } else { Outcome::Fine })
}
