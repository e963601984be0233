//! Replicas: what comparing two stores and bringing them together costs, beside one scan of both; and appending what is there already beside
//! appending what is not.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::figures::{conditions, median};
use estore_benches::abi::{self, Api, Event, Options, Store};
use estore_benches::data::{DataSet, Feed, GRACE_NS, HOUR_NS, mixed, touch};

pub struct Plan {
    pub library: PathBuf,
    pub rounds: usize,
    pub scale: f64,
    pub dir: PathBuf,
}

const EVENTS: f64 = 1e7;
const BATCH: u64 = 1_000;
const SCRATCH_EVENTS: usize = 512;
/// One event in so many is missing.
const MISSING: u64 = 100;
/// Neighbours are appended again at so many places.
const PLACES: u64 = 200;

fn is_missing(i: u64) -> bool {
    mixed(i ^ 0x510e_527f_ade6_82d1).is_multiple_of(MISSING)
}

/// A store with the events for which this holds; how many.
fn fill(store: &Store<'_>, events: u64, holds: impl Fn(u64) -> bool) -> Result<u64> {
    let mut feed = Feed::new(&DataSet::new(events));
    let mut stored = 0;
    for first in (0..events).step_by(BATCH as usize) {
        let batch: Vec<Event> =
            feed.batch(first, BATCH as usize).iter().zip(first..).filter(|(_, i)| holds(*i)).map(|(event, _)| *event).collect();
        store.append(&batch)?;
        stored += batch.len() as u64;
    }
    Ok(stored)
}

/// Nanoseconds.
fn time<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed().as_nanos() as f64, done))
}

fn scan(store: &Store<'_>) -> Result<u64> {
    let mut scratch = [Event::EMPTY; SCRATCH_EVENTS];
    let mut iter = store.read(0, u64::MAX, false, 0)?;
    let (mut count, mut sum) = (0, 0u64);
    loop {
        match iter.next_batch(&mut scratch)? {
            0 => break,
            n => {
                count += n as u64;
                sum = sum.wrapping_add(touch(&scratch[..n]));
            }
        }
    }
    std::hint::black_box(sum);
    Ok(count)
}

/// What one round measured: shares and multiples, and nanoseconds.
#[derive(Default)]
struct Round {
    scan_ns: f64,
    digest: f64,
    repair: f64,
    again: f64,
    absent: f64,
    append_ns: f64,
    messages: Vec<usize>,
    exchange: f64,
}

/// Measures everything and answers with REPLICAS.md.
pub fn measure(plan: &Plan) -> Result<String> {
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let folder = tempfile::Builder::new().prefix("estore-replicas-").tempdir_in(fs::canonicalize(&plan.dir)?)?;
    let events = ((EVENTS * plan.scale) as u64).next_multiple_of(BATCH).max(PLACES * BATCH);
    let api = Api::load(&plan.library, false)?;
    let options = Options::new(abi::DURABILITY_PROCESS, HOUR_NS, GRACE_NS);
    let from = api.open(&folder.path().join("from"), options)?;
    fill(&from, events, |_| true)?;
    let end = 600_000 * HOUR_NS;
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        let dir = folder.path().join("to");
        let to = api.open(&dir, options)?;
        let there = fill(&to, events, |i| !is_missing(i))?;
        let mut figures = Round::default();
        let held = events + round as u64;

        // The first scan loads what is kept in memory.
        scan(&to)?;
        scan(&from)?;
        let (to_ns, count) = time(|| scan(&to))?;
        ensure!(count == there, "{count} events of {there} were read");
        let (from_ns, count) = time(|| scan(&from))?;
        ensure!(count == held, "{count} events of {held} were read");
        figures.scan_ns = from_ns / held as f64;

        let (ns, copied) = time(|| to.repair(&from))?;
        ensure!(copied == held - there, "{copied} events were copied");
        figures.repair = ns / (to_ns + from_ns);
        let (ns, copied) = time(|| to.repair(&from))?;
        ensure!(copied == 0, "{copied} events were copied again");
        figures.again = ns / (to_ns + from_ns);

        let (ns, digest) = time(|| from.digest(0, end, end))?;
        ensure!(digest == to.digest(0, end, end)?, "the digests differ");
        figures.digest = from_ns / ns;

        // Somewhere, one event that nobody else has.
        let place = events / 3 + 1_000 * round as u64;
        let time_there = Feed::new(&DataSet::new(events)).event(place).time;
        from.append(&[Event::view(time_there, 0, b"only here")])?;
        let (ns, messages) = time(|| to.exchange(&from))?;
        ensure!(to.repair(&from)? == 0, "the exchange has left something out");
        figures.messages = messages;
        figures.exchange = ns / (to_ns + from_ns);

        // What comes next, and then neighbours that are there.
        let mut feed = Feed::new(&DataSet::new(events));
        let next = events.next_multiple_of(5_000);
        let (mut append_ns, mut absent_ns) = (0.0, 0.0);
        for i in 0..PLACES {
            let batch = feed.batch(next + i * BATCH, BATCH as usize).to_vec();
            append_ns += time(|| to.append(&batch))?.0;
        }
        for i in 0..PLACES {
            let batch = feed.batch(mixed(i) % (events / BATCH) * BATCH, BATCH as usize).to_vec();
            let (ns, stored) = time(|| to.append_absent(&batch))?;
            ensure!(stored == 0, "{stored} events were there twice");
            absent_ns += ns;
        }
        figures.append_ns = append_ns / (PLACES * BATCH) as f64;
        figures.absent = append_ns / absent_ns;
        to.close()?;
        fs::remove_dir_all(&dir)?;
        rounds.push(figures);
        eprintln!("{}/{}", round + 1, plan.rounds);
    }
    from.close()?;

    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let mut text = String::from("# Replicas\n\n");
    writeln!(
        text,
        "{}; estore {}. {} rounds; medians. Made by `cargo run --release -- replicas`{} in `benches`, which says \
         [what is measured](../README.md#replicas).\n",
        conditions(&plan.dir)?,
        api.version(),
        plan.rounds,
        if plan.scale == 1.0 { String::new() } else { format!(" with `--scale {}`, a quick look,", plan.scale) },
    )?;
    let millions = events as f64 / 1e6;
    writeln!(text, "Two stores of {millions} million events of 100 bytes; a scan of one takes {:.1} ns an event.\n", of(|r| r.scan_ns))?;
    text.push_str("| | | aim |\n| --- | --- | --- |\n");
    writeln!(text, "| digest, as a share of the speed of a scan | {:.2} | 0.5 |", of(|r| r.digest))?;
    writeln!(text, "| repair of 1% that is missing here and there, in scans of both | {:.2} | 3 |", of(|r| r.repair))?;
    writeln!(text, "| a second repair, which copies nothing | {:.2} | |", of(|r| r.again))?;
    writeln!(
        text,
        "| append-if-absent of 1,000 neighbours that are there, as a share of the speed of plain append ({:.0} ns an event) | {:.2} | 0.3 |",
        of(|r| r.append_ns),
        of(|r| r.absent)
    )?;
    writeln!(text, "| one event that is missing, by messages, in scans of both | {:.2} | |", of(|r| r.exchange))?;
    writeln!(text, "| messages for it, both directions together | {:.0} | |", of(|r| r.messages.len() as f64))?;
    writeln!(text, "| their bytes | {:.0} | |", of(|r| r.messages.iter().sum::<usize>() as f64))?;
    writeln!(text, "| the longest of them | {:.0} | |", of(|r| r.messages.iter().max().map_or(0.0, |len| *len as f64)))?;
    Ok(text)
}
