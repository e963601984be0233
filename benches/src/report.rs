//! Makes `RESULTS.md` from the results alone.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::aims::{self, disk_bytes_per_event, latency, p50, p99, rate};
use crate::plots;
use crate::results::{Measurement, Results, Spread};

type Value = Box<dyn Fn(&Measurement) -> Option<f64>>;

/// A table: workloads whose names match, and what is shown of them.
struct Section {
    title: &'static str,
    intro: &'static str,
    workloads: &'static [&'static str],
    /// What a row shows, with a name where a workload has several.
    values: Vec<(&'static str, Value)>,
    higher_is_better: bool,
}

fn sections() -> Vec<Section> {
    let millions = || -> Vec<(&'static str, Value)> { vec![("", Box::new(|measurement| Some(rate(measurement)? / 1e6)))] };
    let megabytes = |measurement: &Measurement| Some(measurement.bytes as f64 / measurement.seconds / 1e6);
    let microseconds = |value: fn(&Measurement) -> Option<f64>| Box::new(move |measurement: &Measurement| Some(value(measurement)? / 1e3));
    let p999 = |measurement: &Measurement| latency(|latency| latency.p999)(measurement);
    let faster = |title, intro, workloads, values| Section { title, intro, workloads, values, higher_is_better: true };
    let less = |title, intro, workloads, values| Section { title, intro, workloads, values, higher_is_better: false };
    vec![
        faster("Append", "Million events a second.", &["append/*"], millions()),
        less(
            "Latency of appends",
            "Microseconds for a call. What is paced comes at a million events a second, whatever the engine could do.",
            &["latency/*"],
            vec![("p50", microseconds(p50)), ("p99", microseconds(p99)), ("p99.9", microseconds(p999))],
        ),
        faster("Late events", "Appended in batches of 1,000 at process; million events a second.", &["append-late/*"], millions()),
        faster("Append if absent", "Million events a second looked at, in batches of 1,000.", &["append-absent/*"], millions()),
        faster("Full scans", "Million events a second, from memory.", &["scan/*"], millions()),
        faster(
            "Events of other sizes",
            "Megabytes of payload a second; the size is in bytes.",
            &["append-size/*", "scan-size/*"],
            vec![("", Box::new(megabytes))],
        ),
        less(
            "Windows, the last events, counts",
            "Microseconds for opening, reading all and closing, from memory.",
            &["window/*", "last/*", "count/*"],
            vec![("p50", microseconds(p50)), ("p99", microseconds(p99))],
        ),
        less("Opening", "Microseconds.", &["open/*"], vec![("p50", microseconds(p50))]),
        less(
            "Bytes on disk",
            "For each event, after closing, with all that the engine keeps.",
            &["append/process/*/threads1", "append-late/*", "append-size/*"],
            vec![("", Box::new(disk_bytes_per_event))],
        ),
        less(
            "Memory",
            "MiB by which the process grew at its peak. Pages of a mapped file count, as LMDB has them.",
            &["append/*/threads1", "append-late/*", "scan/*", "scan-size/*", "window/*", "open/*"],
            vec![("", Box::new(|measurement| Some(measurement.peak_memory as f64 / f64::from(1 << 20))))],
        ),
    ]
}

pub fn write(results: &Results, folder: &Path) -> Result<()> {
    let mut text = String::from("# Results\n\n");
    conditions(&mut text, results)?;
    for engine in results.engines.iter().filter(|engine| engine.is_estore()) {
        aims_table(&mut text, results, &engine.name)?;
    }
    for (file, title) in plots::draw(results, folder)? {
        writeln!(text, "![{title}]({file})\n")?;
    }
    writeln!(
        text,
        "In the tables: the median of the rounds, (the least..the most) where they differ, and how many times as good the first engine is \
         (so more than 1 is for it). Empty: not measured, or the engine cannot do it.\n"
    )?;
    sections().iter().try_for_each(|section| section_table(&mut text, results, section))?;
    let path = folder.join("RESULTS.md");
    std::fs::write(&path, text.trim_end().to_owned() + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn conditions(text: &mut String, results: &Results) -> Result<()> {
    let it = &results.conditions;
    let gib = it.memory_bytes as f64 / f64::from(1 << 30);
    writeln!(
        text,
        "Measured {} on {} ({} cores), {gib:.0} GiB of memory, {}, Linux {}, {}; {} interleaved rounds, each measurement in a process of \
         its own. Events have 100 bytes of data unless said.",
        it.date, it.cpu, it.cores, it.filesystem, it.kernel, it.rustc, it.rounds
    )?;
    if it.scale != 1.0 {
        writeln!(text, "\n**A quick look: all numbers of events are {} of the usual ones.**", it.scale)?;
    }
    let libraries = it.libraries.iter().map(|facts| format!("{} {}", facts.engine, facts.version));
    let peers = it.peers.iter().map(|(name, version)| format!("{name}: {version}"));
    writeln!(text, "\nVersions: {}.\n", libraries.chain(peers).collect::<Vec<_>>().join(", "))?;
    Ok(())
}

fn aims_table(text: &mut String, results: &Results, engine: &str) -> Result<()> {
    writeln!(text, "## Aims: {engine}\n\n| work | aim | measured | reached |\n| --- | --- | --- | --- |")?;
    for aim in aims::of(results, engine) {
        let reached = match aim.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        writeln!(text, "| {} | {} | {} | {reached} |", aim.work, aim.aim, aim.measured)?;
    }
    writeln!(text)?;
    Ok(())
}

fn section_table(text: &mut String, results: &Results, section: &Section) -> Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for sample in &results.samples {
        let name = sample.workload.as_str();
        if !names.contains(&name) && section.workloads.iter().any(|pattern| crate::workload::matches(pattern, name)) {
            names.push(name);
        }
    }
    let took_part =
        |engine: &str| results.samples.iter().any(|sample| sample.engine == engine && names.contains(&sample.workload.as_str()));
    let engines: Vec<&str> = results.engines.iter().map(|engine| engine.name.as_str()).filter(|engine| took_part(engine)).collect();
    if names.is_empty() {
        return Ok(());
    }
    writeln!(text, "## {}\n\n{}\n", section.title, section.intro)?;
    writeln!(text, "| work | {} |\n| --- |{}", engines.join(" | "), " --- |".repeat(engines.len()))?;
    for name in names {
        for (which, value) in &section.values {
            let spreads: Vec<Option<Spread>> = engines.iter().map(|engine| results.spread(name, engine, value)).collect();
            let first = spreads[0].map(|spread| spread.median);
            let cells = spreads.iter().enumerate().map(|(i, spread)| match spread {
                None => String::new(),
                Some(spread) if i == 0 => cell(spread),
                Some(spread) => {
                    let ratio = first.map(|first| if section.higher_is_better { first / spread.median } else { spread.median / first });
                    cell(spread) + &ratio.filter(|ratio| ratio.is_finite()).map(|ratio| format!(", {}x", short(ratio))).unwrap_or_default()
                }
            });
            let cells = cells.collect::<Vec<_>>().join(" | ");
            writeln!(text, "| {name}{}{which} | {cells} |", if which.is_empty() { "" } else { " " })?;
        }
    }
    writeln!(text)?;
    Ok(())
}

fn cell(spread: &Spread) -> String {
    let (median, min, max) = (short(spread.median), short(spread.min), short(spread.max));
    if min == max { median } else { format!("{median} ({min}..{max})") }
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        small if small < 0.1 => 4,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}
