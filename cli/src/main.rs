//! `estore`, the command-line tool: fills stores, looks into them, checks, compares and measures them.
//!
//! ```text
//!   append, import          lines, stamps          text becomes events
//!   read, stat              times                  events become text
//!   verify, salvage, compact, delete, ...          one call of the engine each, with progress and a report
//!         └──── store (either kind), output, progress, signals
//! ```
//!
//! It uses what every user of the crate can use, and nothing else.

mod append;
mod bench;
mod check;
mod cursor;
mod keep;
mod lines;
mod output;
mod progress;
mod read;
mod replicas;
mod shell;
mod signals;
mod stamps;
mod stat;
mod store;
mod times;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use jiff::tz::TimeZone;

use output::{Paint, Style};

/// Keeps events and logs in stores: folders of events in order of time
///
/// An event is a time, an id and some bytes, such as a line of a log. A store is a folder. Events are appended in any order and come out in
/// exact order of time; those with equal times in the order in which they came.
#[derive(Parser)]
#[command(name = "estore", version, max_term_width = 110, after_long_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

const AFTER: &str = "\
Times (T) are 2026-11-28, 2026-11-28T10:05, 2026-11-28T10:05:00 with or without a fraction and a zone, @SECONDS since 1970, NUMBERns, now, today or \
yesterday. A range has both of its ends; a day, minute or second that ends it belongs to it as a whole.

Stretches of time (TIME) are 90s, 2h, 1d or 1h30m: units ns, us, ms, s, m, h, d, w.

Exit status: 0 if all is well, 1 if something was found (damage, a difference, lines that were left out), 2 if it could not be done. \
A closed pipe is no error.";

// What all commands are told.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// The zone of times that don't name theirs, and of those that are printed: local, utc, or a name such as Europe/Berlin
    #[arg(long, global = true, value_name = "ZONE", default_value = "local", value_parser = times::parse_zone, help_heading = "Everywhere")]
    zone: TimeZone,
    /// Report as JSON, for programs
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Report nothing but errors
    #[arg(short, long, global = true, conflicts_with = "json", help_heading = "Everywhere")]
    quiet: bool,
}

impl Common {
    fn style(&self) -> Style {
        match (self.json, self.quiet) {
            (true, _) => Style::Json,
            (_, true) => Style::Quiet,
            _ => Style::Text,
        }
    }
}

#[derive(Subcommand)]
enum Command {
    Append(append::Append),
    Read(read::Read),
    Stat(stat::Stat),
    Verify(check::Verify),
    Salvage(check::Salvage),
    Compact(keep::Compact),
    Delete(keep::Delete),
    Retain(keep::Retain),
    Snapshot(keep::Snapshot),
    Digest(replicas::Digest),
    Diff(replicas::Diff),
    Repair(replicas::Repair),
    Export(replicas::Export),
    Import(replicas::Import),
    Bench(bench::Bench),
    #[command(hide = true)]
    Completions(shell::Completions),
    #[command(hide = true)]
    Man(shell::Man),
}

/// How a command ended that did what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fine,
    /// Damage, a difference, something left out.
    Found,
}

fn run(cli: Cli) -> Result<Outcome> {
    let common = &cli.common;
    match &cli.command {
        Command::Append(args) => append::run(args, common),
        Command::Read(args) => read::run(args, common),
        Command::Stat(args) => stat::run(args, common),
        Command::Verify(args) => check::verify(args, common),
        Command::Salvage(args) => check::salvage(args, common),
        Command::Compact(args) => keep::compact(args, common),
        Command::Delete(args) => keep::delete(args, common),
        Command::Retain(args) => keep::retain(args, common),
        Command::Snapshot(args) => keep::snapshot(args, common),
        Command::Digest(args) => replicas::digest(args, common),
        Command::Diff(args) => replicas::diff(args, common),
        Command::Repair(args) => replicas::repair(args, common),
        Command::Export(args) => replicas::export(args, common),
        Command::Import(args) => replicas::import(args, common),
        Command::Bench(args) => bench::run(args, common),
        Command::Completions(args) => shell::completions(args, Cli::command()),
        Command::Man(args) => shell::man(args, Cli::command()),
    }
}

/// Whether all that happened is that nobody reads what is printed any more.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let paint = Paint::of_stderr();
            // The cause first: it names the file; then how far it came, and what to do.
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let engine = error.downcast_ref::<estore::Error>();
            output::say(&format!("{} {}", paint.red("estore:"), describe(&error, &causes)));
            if let Some(advice) = engine.and_then(store::advice) {
                output::say(&format!("  {advice}"));
            }
            ExitCode::from(2)
        }
    }
}

/// An error of the engine says all by itself, and what was said around it comes behind it; others are told from the outside in.
fn describe(error: &anyhow::Error, causes: &[String]) -> String {
    match error.downcast_ref::<estore::Error>() {
        Some(engine) => {
            let around = causes.iter().take_while(|cause| **cause != engine.to_string());
            std::iter::once(engine.to_string()).chain(around.map(|text| format!("\n  {text}"))).collect()
        }
        // Whatever else is read or written is named where that is done.
        None if error.is::<io::Error>() && causes.len() == 1 => format!("standard output cannot be written: {error}"),
        None => causes.join(": "),
    }
}
