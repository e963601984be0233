//! LATE.md: conditions, tables, and which aims are reached.

use std::fmt::Write as _;

use anyhow::Result;

use super::{AFTER_AIM, APPEND_AIM, BEFORE_AIM, BESIDE_AIM, Measured, Plan, Turn};
use crate::figures::{conditions, median};
use estore_benches::abi::Api;

const MIB: f64 = (1 << 20) as f64;

fn mark(value: String, reached: bool) -> String {
    if reached { value } else { format!("**{value}**") }
}

fn of(turns: &[Turn], figure: impl Fn(&Turn) -> f64) -> f64 {
    median(turns.iter().map(figure))
}

fn most(turns: &[Turn], figure: impl Fn(&Turn) -> f64) -> f64 {
    turns.iter().map(figure).fold(0.0, f64::max)
}

pub fn write(plan: &Plan, api: &Api, measured: &Measured, events: u64) -> Result<String> {
    let mut text = String::from("# Late-heavy loads, and compaction\n\n");
    writeln!(
        text,
        "{}; estore {}. {events} events a store, {} rounds; medians. Made by \
         `cargo run --release -- late`{} in `benches`, which says [what is measured](../README.md#late-heavy-loads). Figures in bold miss \
         their aim.\n",
        conditions(&plan.dir)?,
        api.version(),
        plan.rounds,
        if plan.scale == 1.0 { String::new() } else { format!(" with `--scale {}`, a quick look,", plan.scale) },
    )?;
    text.push_str("![Late-heavy loads](late.svg)\n\n");
    loads(&mut text, measured)?;
    memory(&mut text, measured)?;
    compaction(&mut text, measured)?;
    Ok(text.trim_end().to_owned() + "\n")
}

fn loads(text: &mut String, measured: &Measured) -> Result<()> {
    writeln!(
        text,
        "## Appending and windows of one second\n\nShares of the speed without late events (aim: at least {APPEND_AIM}), and multiples of \
         the time of a window without late events, before compaction (aim: at most {BEFORE_AIM}) and after (aim: at most {AFTER_AIM}).\n"
    )?;
    text.push_str(
        "| load | late, as the store counts | append, ns an event | share of speed | by its processor time | by that of all threads | compacting by itself | \
         events a window | window, µs | multiple | compacted, µs | multiple |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (load, turns) in &measured.turns {
        let shares = measured.shares(turns);
        writeln!(
            text,
            "| {} | {:.0}% | {:.0} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {} | {:.0} | {} |",
            load.name(),
            100.0 * of(&turns.append, |turn| turn.late),
            of(&turns.append, |turn| turn.ns),
            mark(format!("{:.2}", shares.append), shares.append >= APPEND_AIM),
            shares.append_thread_cpu,
            shares.append_cpu,
            shares.append_compacting,
            of(&turns.before, |turn| turn.window_events),
            of(&turns.before, |turn| turn.ns) / 1e3,
            mark(format!("{:.1}", shares.before), shares.before <= BEFORE_AIM),
            of(&turns.after, |turn| turn.ns) / 1e3,
            mark(format!("{:.1}", shares.after), shares.after <= AFTER_AIM),
        )?;
    }
    text.push('\n');
    Ok(())
}

fn memory(text: &mut String, measured: &Measured) -> Result<()> {
    text.push_str(
        "## Memory\n\nHow far a process grew at most in any round, in MiB: the writer; a reader of all windows and of one scan of \
         everything, before compaction and after; and a compaction of all chunks. Beside it what the store takes: its logs, and what \
         is derived from late events.\n\n\
         | load | logs | recon | writer | writer that compacts | reader | reader, compacted | compaction |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (load, turns) in &measured.turns {
        let peak = |turns: &[Turn]| most(turns, |turn| turn.peak_memory as f64) / MIB;
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            load.name(),
            of(&turns.append, |turn| turn.log_bytes as f64) / MIB,
            of(&turns.append, |turn| turn.recon_bytes as f64) / MIB,
            peak(&turns.append),
            peak(&turns.append_compacting),
            peak(&turns.before),
            peak(&turns.after),
            peak(&turns.compact),
        )?;
    }
    text.push('\n');
    Ok(())
}

fn compaction(text: &mut String, measured: &Measured) -> Result<()> {
    text.push_str(
        "## Compaction\n\nSpeed is bytes of logs a second, syncs included; a plain copy of the same logs, synced once, ran before and \
         after each in the same process, and the share is that of its speed. The longest append is the slowest single batch of 1,000.\n\n\
         | store | MiB of logs, before | after | MiB/s | share of a copy |\n| --- | --- | --- | --- | --- |\n",
    );
    let singles = &measured.singles;
    let stores = measured.turns.iter().map(|(load, turns)| (load.name(), &turns.compact));
    for (name, turns) in stores.chain([("single appends".into(), &singles.compact)]) {
        writeln!(
            text,
            "| {name} | {:.1} | {:.1} | {:.0} | {:.2} |",
            of(turns, |turn| turn.log_bytes as f64) / MIB,
            of(turns, |turn| turn.bytes_after as f64) / MIB,
            of(turns, |turn| turn.mib_per_s),
            of(turns, |turn| turn.share),
        )?;
    }
    let speed = of(&measured.beside, |turn| turn.share);
    writeln!(
        text,
        "\n| what | measured | aim |\n| --- | --- | --- |\n\
         | appends beside a compaction, as a share of their speed alone just before and after | {} | {BESIDE_AIM} |\n\
         | the longest of these appends | {:.1} ms | |\n\
         | the same beside a plain copy of as many bytes, in the same process | {:.2} | |\n\
         | the longest of these | {:.1} ms | |\n\
         | frames of {} single appends | {} before, {} after | |\n\
         | chosen by itself when such a store is opened again | {} | yes |",
        mark(format!("{speed:.2}"), speed >= BESIDE_AIM),
        of(&measured.beside, |turn| turn.longest_ns) / 1e6,
        of(&measured.beside, |turn| turn.share_beside_copy),
        of(&measured.beside, |turn| turn.copy_longest_ns) / 1e6,
        singles.events,
        singles.frames_before,
        singles.frames_after,
        if singles.compact.iter().all(|turn| turn.backlog > 0) { "yes" } else { "**no**" },
    )?;
    Ok(())
}
