//! What the tool says: reports on stdout, for people or as JSON; everything else on stderr. Colours only on a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use anyhow::Result;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

/// The bar that is shown, which makes room for messages.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes this bar the one that messages make room for.
pub(crate) fn show(bar: Option<ProgressBar>) {
    if let Ok(mut shown) = BAR.lock() {
        *shown = bar;
    }
}

/// Does this while no bar is in the way.
pub(crate) fn beside_the_bar<T>(print: impl FnOnce() -> T) -> T {
    match BAR.lock().ok().and_then(|bar| bar.clone()) {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// A line on stderr.
pub(crate) fn say(line: &str) {
    // Nobody is left to be told that stderr is gone.
    beside_the_bar(|| drop(writeln!(io::stderr(), "{line}")));
}

/// A line on stdout.
pub(crate) fn print(line: &str) -> Result<()> {
    Ok(beside_the_bar(|| writeln!(io::stdout().lock(), "{line}"))?)
}

pub(crate) fn warn(message: &str) {
    say(&format!("{} {message}", Paint::of_stderr().yellow("estore: warning:")));
}

/// Whether colours may be used where this goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    fn on(is_terminal: bool) -> Paint {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint { on: is_terminal && !is_set("NO_COLOR") && !dumb }
    }

    pub(crate) fn of_stdout() -> Paint {
        Paint::on(io::stdout().is_terminal())
    }

    pub(crate) fn of_stderr() -> Paint {
        Paint::on(io::stderr().is_terminal())
    }

    pub(crate) fn never() -> Paint {
        Paint { on: false }
    }

    fn with(self, code: &str, text: impl Display) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: impl Display) -> String {
        self.with("1;31", text)
    }

    pub(crate) fn green(self, text: impl Display) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: impl Display) -> String {
        self.with("33", text)
    }
}

/// How a report is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Text,
    Json,
    Quiet,
}

/// What a command has to say at its end: lines of a name and a text, and the same for programs.
pub(crate) struct Report {
    style: Style,
    rows: Vec<(String, String)>,
    json: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(style: Style) -> Report {
        Report { style, rows: Vec::new(), json: Map::new() }
    }

    /// A line for people.
    pub(crate) fn row(&mut self, name: &str, text: impl Into<String>) -> &mut Report {
        self.rows.push((name.to_owned(), text.into()));
        self
    }

    /// A value for programs.
    pub(crate) fn value(&mut self, key: &str, value: impl Into<Value>) -> &mut Report {
        self.json.insert(key.to_owned(), value.into());
        self
    }

    /// A number, for both.
    pub(crate) fn number(&mut self, key: &str, name: &str, number: u64) -> &mut Report {
        self.row(name, count(number)).value(key, number)
    }

    /// The text of the lines, names in one column.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let line = |(name, text): &(String, String)| {
            let space = " ".repeat(width - name.chars().count());
            format!("{}{space}  {text}\n", paint.dim(name))
        };
        self.rows.iter().map(line).collect()
    }

    pub(crate) fn print(&self) -> Result<()> {
        self.print_to(&mut io::stdout().lock(), Paint::of_stdout())
    }

    pub(crate) fn print_to(&self, to: &mut dyn Write, paint: Paint) -> Result<()> {
        match self.style {
            Style::Text => to.write_all(self.text(paint).as_bytes())?,
            Style::Json => writeln!(to, "{}", serde_json::to_string(&self.json)?)?,
            Style::Quiet => {}
        }
        to.flush()?;
        Ok(())
    }
}

/// A number with its thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with what it counts: `1 event`, `2 events`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// So many bytes, for a person.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return counted(number, "byte");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A share in per cent: `12.5%`, and never 0% or 100% for what is not quite that.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) => "0%".to_owned(),
        (part, whole) if part >= whole => "100%".to_owned(),
        _ => {
            let share = part as f64 / whole as f64 * 100.0;
            if share < 0.01 {
                "under 0.01%".to_owned()
            } else if share > 99.99 {
                "over 99.99%".to_owned()
            } else if share < 1.0 {
                format!("{share:.2}%")
            } else {
                format!("{share:.1}%")
            }
        }
    }
}

/// Understands `10G`, `512MiB`, `1000`: units of 1024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().trim_end_matches(['B', 'b']).trim_end_matches(['i', 'I']).to_ascii_uppercase().as_str() {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    let value = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    value.filter(|bytes| *bytes > 0).ok_or_else(|| anyhow::anyhow!("\"{text}\" is no size: say 500M, 10G or a number of bytes"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(bytes(1023), "1,023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(1, 1_000_000), "under 0.01%");
        assert_eq!(percent(999_999, 1_000_000), "over 99.99%");
        assert_eq!(percent(0, 0), "0%");
    }

    #[test]
    fn sizes_are_understood() {
        for (text, bytes) in [("1", 1), ("500M", 500 << 20), ("10GiB", 10 << 30), ("2kb", 2048), ("1 T", 1 << 40)] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "0", "G", "-1", "1.5G", "1X", "99999999999T"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
