//! How far a command has come: a bar on stderr where that is a terminal, nothing elsewhere.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output;
use crate::signals::Interrupt;

/// A bar that goes away at its end.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Counts what `unit` says: `bytes`, or `events`. Without a length it only tells how much there was.
    pub(crate) fn new(name: &str, unit: Unit, length: Option<u64>) -> Bar {
        let bar = match length {
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::no_length(),
        };
        let term = std::env::var_os("TERM");
        let shown = io::stderr().is_terminal() && term.is_some_and(|term| term != "dumb");
        bar.set_draw_target(if shown { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() });
        let done = match (unit, length) {
            (Unit::Bytes, Some(_)) => "{bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
            (Unit::Bytes, None) => "{bytes}  {bytes_per_sec}",
            (Unit::Events, Some(_)) => "{human_pos} of {human_len} events  {rate}  {eta} left",
            (Unit::Events, None) => "{human_pos} events  {rate}",
            (Unit::Time, _) => "{elapsed}",
        };
        let picture = if length.is_some() { "[{bar:30}]" } else { "{spinner}" };
        let style =
            ProgressStyle::with_template(&format!("{name} {picture} {done}  {{msg}}")).unwrap_or_else(|_| ProgressStyle::default_bar());
        let rate = |state: &ProgressState, to: &mut dyn Write| {
            // A bar that can't be drawn is nobody's loss.
            let _ = write!(to, "{}/s", output::count(state.per_sec() as u64));
        };
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
        if shown {
            if length.is_none() {
                bar.enable_steady_tick(Duration::from_millis(125));
            }
            output::show(Some(bar.clone()));
        }
        Bar { bar }
    }

    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
    }

    pub(crate) fn message(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Shows what the engine tells.
    pub(crate) fn show(&self, progress: estore::Progress) {
        self.bar.set_length(progress.events);
        self.bar.set_position(progress.events_done);
    }

    /// Follows what the engine tells, until a signal comes.
    pub(crate) fn follow(&self, progress: estore::Progress, interrupt: &Interrupt) -> ControlFlow<()> {
        self.show(progress);
        if interrupt.signal().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        output::show(None);
        self.bar.finish_and_clear();
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Bytes,
    Events,
    Time,
}

/// The picture of a share, `width` wide.
pub(crate) fn share(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if whole == 0 || part == 0 {
        return String::new();
    }
    let eighths = ((u128::from(part) * width as u128 * 8).div_ceil(u128::from(whole))) as usize;
    let eighths = eighths.min(width * 8);
    if is_plain() {
        return "#".repeat(eighths.div_ceil(8));
    }
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// Whether the terminal's character set lacks block characters, as far as the environment tells.
pub(crate) fn is_plain() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    let text = set.map(|value| value.to_string_lossy().to_ascii_lowercase());
    text.is_some_and(|text| !text.contains("utf-8") && !text.contains("utf8"))
}

/// How wide a picture on stdout may be.
pub(crate) fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    terminal.unwrap_or(80).clamp(40, 120)
}
