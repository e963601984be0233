//! Times in lines of text: where they stand and how they are written.
//!
//! A stamp stands at the beginning of a field; fields are what whitespace separates. In front of it there may be brackets, quotes, and the
//! priority of syslog (`<34>`). Behind it comes no letter and no digit. With `auto` the first field of a line at which a stamp of any kind
//! begins is the one that counts, each line by itself, so a line is read alike wherever it stands:
//!
//! ```text
//! 2015-07-29 17:41:44,747 - INFO ...                  a date, and a time with a comma
//! - 1131566461 2005.11.09 dn228 Nov 9 12:01:01 ...    seconds since 1970, in the second field
//! Nov  9 12:01:01 dn228 crond[2916]: ...              a month's name: the year is that of the file
//! 10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET ...  web servers
//! ```
//!
//! What can be read in two ways, as 03/04/2024 or a year of two digits, is not guessed: a pattern says how it is meant.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};

use crate::times::{self, SECOND};

/// So many fields are looked at for a stamp.
const FIELDS: usize = 6;
/// How far a stamp without a year may lie ahead of what it is measured against.
const AHEAD: u64 = 86_400 * SECOND;
/// Bare numbers that `auto` takes for seconds: from 2001 to 2100.
const PLAUSIBLE: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;

/// How times are written in lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// In one of the ways below.
    Auto,
    /// Seconds since 1970, perhaps with a fraction; a number too large for that in milliseconds, microseconds or nanoseconds.
    Epoch,
    /// ISO 8601, with a `T`, a space or an underscore between date and time; also with slashes in the date.
    Iso,
    /// With the name of a month, as in syslog, web servers' logs, mail, and what `date` prints.
    Syslog,
    /// As `strftime` would write it.
    Pattern(String),
}

/// How much of a time was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Day,
    Minute,
    /// So many digits of the second.
    Fraction(u32),
}

impl Precision {
    pub(crate) fn nanoseconds(self) -> u64 {
        match self {
            Precision::Day => 86_400 * SECOND,
            Precision::Minute => 60 * SECOND,
            Precision::Fraction(digits) => 10u64.pow(9 - digits.min(9)),
        }
    }
}

/// A date and a time as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    year: Option<i16>,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    /// Seconds east of Greenwich, where they are given.
    offset: Option<i32>,
}

impl Stamp {
    const NONE: Stamp = Stamp { year: None, month: 0, day: 0, hour: 0, minute: 0, second: 0, nanosecond: 0, offset: None };

    pub(crate) fn civil(&self) -> Option<DateTime> {
        self.in_year(self.year?)
    }

    fn in_year(&self, year: i16) -> Option<DateTime> {
        // A leap second counts as the one before it, as the clocks of nearly all systems have it.
        let (second, nanosecond) = if self.second == 60 { (59, 999_999_999) } else { (self.second, self.nanosecond) };
        DateTime::new(year, self.month, self.day, self.hour, self.minute, second, nanosecond).ok()
    }

    fn place(&self, at: DateTime, zone: &TimeZone) -> Option<u64> {
        match self.offset {
            Some(seconds) => times::nanoseconds(at, &TimeZone::fixed(Offset::from_seconds(seconds).ok()?)),
            None => times::nanoseconds(at, zone),
        }
    }

    /// Nanoseconds since 1970, if it has a year.
    pub(crate) fn nanoseconds(&self, zone: &TimeZone) -> Option<u64> {
        self.place(self.civil()?, zone)
    }

    /// Without a year, the last one in which it does not lie more than a day behind `newest`.
    fn guessed(&self, zone: &TimeZone, newest: u64) -> Option<u64> {
        if self.year.is_some() {
            return self.nanoseconds(zone);
        }
        let latest = newest.saturating_add(AHEAD);
        let year = i16::try_from(1970 + latest / (365 * AHEAD)).ok()?;
        // 29 February is there at least every eighth year.
        (0..9).filter_map(|back| self.place(self.in_year(year - back)?, zone)).find(|time| *time <= latest)
    }
}

/// Finds the times in the lines of one source.
#[derive(Clone, Debug)]
pub(crate) struct Stamps {
    pub(crate) format: Format,
    /// The field in which the stamp begins, counted from 1; without it the first that fits.
    pub(crate) field: Option<usize>,
    /// The zone of stamps that don't name theirs.
    pub(crate) zone: TimeZone,
    /// The year of stamps without one.
    pub(crate) year: Option<i16>,
    /// If that is not given: when the source was written last, behind which no stamp lies by more than a day.
    pub(crate) newest: u64,
}

impl Stamps {
    /// The time of a line in nanoseconds since 1970.
    pub(crate) fn time_of(&self, line: &[u8]) -> Option<u64> {
        match self.field {
            Some(field) => self.stamp_at(line, *fields(line).nth(field.checked_sub(1)?).as_ref()?),
            // The line as a whole, since a pattern may begin with spaces.
            None if matches!(self.format, Format::Pattern(_)) => self.stamp_at(line, 0),
            None => fields(line).take(FIELDS).find_map(|at| self.stamp_at(line, at)),
        }
    }

    fn stamp_at(&self, line: &[u8], at: usize) -> Option<u64> {
        let text = line.get(at..)?;
        if let Format::Pattern(pattern) = &self.format {
            return self.by_pattern(pattern, text).or_else(|| self.by_pattern(pattern, without_brackets(text)));
        }
        let text = without_brackets(text);
        let place = |stamp: Stamp| match self.year {
            Some(year) if stamp.year.is_none() => Stamp { year: Some(year), ..stamp }.nanoseconds(&self.zone),
            _ => stamp.guessed(&self.zone, self.newest),
        };
        match self.format {
            Format::Epoch => epoch(text, false),
            Format::Iso => iso(text).and_then(|(stamp, _)| place(stamp)),
            Format::Syslog => with_month(text).and_then(place),
            _ => match text.first()? {
                b'0'..=b'9' => {
                    epoch(text, true).or_else(|| iso(text).and_then(|(stamp, _)| place(stamp))).or_else(|| with_month(text).and_then(place))
                }
                b'A'..=b'Z' => with_month(text).and_then(place),
                _ => None,
            },
        }
    }

    fn by_pattern(&self, pattern: &str, text: &[u8]) -> Option<u64> {
        let (mut found, _) = BrokenDownTime::parse_prefix(pattern, text).ok()?;
        if let Some(at) = found.timestamp() {
            return u64::try_from(at.as_nanosecond()).ok();
        }
        let offset = found.offset().map(Offset::seconds);
        // What a pattern leaves out of a day is its beginning.
        if found.hour().is_none() {
            found.set_hour(Some(0)).ok()?;
        }
        let guess = found.year().is_none() && found.to_datetime().is_err();
        if guess {
            // A leap year, so that 29 February is one.
            found.set_year(Some(self.year.unwrap_or(2000))).ok()?;
        }
        let at = found.to_datetime().ok()?;
        let stamp = Stamp {
            year: Some(at.year()).filter(|_| !guess || self.year.is_some()),
            month: at.month(),
            day: at.day(),
            hour: at.hour(),
            minute: at.minute(),
            second: at.second(),
            nanosecond: at.subsec_nanosecond(),
            offset,
        };
        stamp.guessed(&self.zone, self.newest)
    }
}

/// Where the fields of a line begin.
fn fields(line: &[u8]) -> impl Iterator<Item = usize> {
    let is_space = |at: usize| line.get(at).is_none_or(u8::is_ascii_whitespace);
    (0..line.len()).filter(move |&at| !is_space(at) && (at == 0 || is_space(at - 1)))
}

/// Takes off what may stand in front of a stamp.
fn without_brackets(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'[' | b'(' | b'"' | b'\'', rest @ ..] => rest,
            [b'<', rest @ ..] => {
                // The priority of syslog, or a bracket like the others.
                let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
                match rest.get(digits) {
                    Some(b'>') if (1..=3).contains(&digits) => &rest[digits + 1..],
                    _ => rest,
                }
            }
            _ => return text,
        }
    }
}

/// Reads bytes from the front.
#[derive(Clone, Copy)]
struct Scan<'a> {
    text: &'a [u8],
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.first().copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.text = self.text.get(bytes..).unwrap_or_default();
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let found = self.peek().filter(|b| allowed.contains(b))?;
        self.skip(1);
        Some(found)
    }

    fn spaces(&mut self) -> Option<()> {
        let spaces = self.text.iter().take_while(|b| **b == b' ').count();
        self.skip(spaces);
        (spaces > 0).then_some(())
    }

    /// A number of so many digits, and no more.
    fn number(&mut self, least: usize, most: usize) -> Option<i32> {
        let digits = self.text.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(least..=most).contains(&digits) {
            return None;
        }
        self.digits(digits)
    }

    /// A number of exactly so many digits, whatever follows.
    fn digits(&mut self, digits: usize) -> Option<i32> {
        let found = self.text.get(..digits).filter(|found| found.iter().all(u8::is_ascii_digit))?;
        self.skip(digits);
        Some(found.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0')))
    }

    /// The digits of a fraction as nanoseconds, and how many there are; those behind the ninth don't count.
    fn fraction(&mut self) -> Option<(i32, u32)> {
        let digits = self.text.iter().take_while(|b| b.is_ascii_digit()).count();
        let nanoseconds = (0..9).fold(0, |number, at| {
            let digit = self.text.get(at).filter(|_| at < digits).map_or(0, |digit| i32::from(digit - b'0'));
            number * 10 + digit
        });
        self.skip(digits);
        (digits > 0).then_some((nanoseconds, digits as u32))
    }

    /// A word of letters.
    fn word(&mut self) -> &'a [u8] {
        let letters = self.text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (word, rest) = self.text.split_at(letters);
        self.text = rest;
        word
    }

    /// Whether a stamp may end here.
    fn ends(&self) -> bool {
        self.peek().is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_')
    }

    /// `HH:MM`, `HH:MM:SS`, and a fraction behind a point or a comma.
    fn time_of_day(&mut self, stamp: &mut Stamp) -> Option<Precision> {
        let hour = self.number(1, 2)?;
        self.one_of(b":")?;
        let minute = self.number(2, 2)?;
        (stamp.hour, stamp.minute) = (hour as i8, minute as i8);
        let Some(b':') = self.peek() else { return Some(Precision::Minute) };
        self.skip(1);
        stamp.second = self.number(2, 2)? as i8;
        let mut behind = *self;
        if behind.one_of(b".,").is_some()
            && let Some((nanosecond, digits)) = behind.fraction()
        {
            stamp.nanosecond = nanosecond;
            *self = behind;
            return Some(Precision::Fraction(digits));
        }
        Some(Precision::Fraction(0))
    }

    /// `Z`, `UTC`, `GMT`, `+01:00`, `-0700`, perhaps behind a space; nothing of it is taken if it is something else.
    fn zone(&mut self, stamp: &mut Stamp) {
        let mut behind = *self;
        let spaced = behind.spaces().is_some();
        let offset = match behind.peek() {
            Some(b'+' | b'-') => behind.offset(),
            _ => match behind.word() {
                b"Z" | b"z" if !spaced => Some(0),
                b"UTC" | b"GMT" => Some(0),
                _ => None,
            },
        };
        if offset.is_some() && behind.ends() {
            stamp.offset = offset;
            *self = behind;
        }
    }

    fn offset(&mut self) -> Option<i32> {
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let colon = self.one_of(b":").is_some();
        let minutes = match self.digits(2) {
            Some(minutes) => minutes,
            None if !colon => 0,
            None => return None,
        };
        // Others are a number that happens to stand there.
        (hours <= 14 && minutes % 15 == 0 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// ISO 8601 at the beginning of a text.
fn iso(text: &[u8]) -> Option<(Stamp, Precision)> {
    let mut scan = Scan { text };
    iso_from(&mut scan).filter(|_| scan.ends())
}

/// A text that is ISO 8601 and nothing else.
pub(crate) fn whole_iso(text: &[u8]) -> Option<(Stamp, Precision)> {
    let mut scan = Scan { text };
    iso_from(&mut scan).filter(|_| scan.text.is_empty())
}

fn iso_from(scan: &mut Scan<'_>) -> Option<(Stamp, Precision)> {
    let mut stamp = Stamp::NONE;
    stamp.year = i16::try_from(scan.digits(4)?).ok();
    let separator = scan.one_of(b"-/");
    stamp.month = scan.digits(2)? as i8;
    if let Some(separator) = separator {
        scan.one_of(&[separator])?;
    }
    stamp.day = scan.digits(2)? as i8;
    let mut behind = *scan;
    let between = behind.one_of(b"Tt _");
    let day_alone = separator.is_some().then_some((stamp, Precision::Day));
    let precision = match (between, separator) {
        (Some(b'T' | b't'), None) => {
            stamp.hour = behind.digits(2)? as i8;
            stamp.minute = behind.digits(2)? as i8;
            stamp.second = behind.digits(2)? as i8;
            Precision::Fraction(0)
        }
        (Some(between), Some(_)) => match behind.time_of_day(&mut stamp) {
            Some(precision) => precision,
            None if between == b' ' => return day_alone,
            None => return None,
        },
        _ => return day_alone,
    };
    behind.zone(&mut stamp);
    *scan = behind;
    Some((stamp, precision))
}

/// A number of seconds since 1970; where it is larger than any such number, of smaller units.
fn epoch(text: &[u8], plausible: bool) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number: u64 = std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()?;
    let unit = match number {
        0..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    if plausible && (![10, 13, 16, 19].contains(&digits) || !PLAUSIBLE.contains(&(number / (SECOND / unit)))) {
        return None;
    }
    let mut scan = Scan { text: &text[digits..] };
    let mut behind = scan;
    let mut fraction = 0;
    if behind.one_of(b".").is_some()
        && let Some((nanoseconds, _)) = behind.fraction()
    {
        fraction = nanoseconds as u64;
        scan = behind;
    }
    // No part of a date, a time of day, an address or a name.
    let goes_on = match scan.text {
        [b'-' | b'/' | b'@', ..] => true,
        [b'.' | b':', rest @ ..] => Scan { text: rest }.peek().is_some_and(|b| b.is_ascii_alphanumeric()),
        _ => false,
    };
    if !scan.ends() || goes_on {
        return None;
    }
    number.checked_mul(unit)?.checked_add(fraction / (SECOND / unit))
}

/// A date with the name of a month.
fn with_month(text: &[u8]) -> Option<Stamp> {
    let mut scan = Scan { text };
    let mut stamp = Stamp::NONE;
    if scan.peek()?.is_ascii_digit() {
        stamp.day = scan.number(1, 2)? as i8;
        if scan.one_of(b"/").is_some() {
            // As web servers write it: 10/Oct/2000:13:55:36 -0700
            stamp.month = month(scan.word())?;
            scan.one_of(b"/")?;
            stamp.year = i16::try_from(scan.digits(4)?).ok();
            scan.one_of(b":")?;
        } else {
            day_first(&mut scan, &mut stamp)?;
        }
        scan.time_of_day(&mut stamp)?;
        scan.zone(&mut stamp);
        return scan.ends().then_some(stamp);
    }
    let mut word = scan.word();
    if is_weekday(word) {
        scan.one_of(b",");
        scan.spaces()?;
        if scan.peek()?.is_ascii_digit() {
            // As mail writes it: Sun, 06 Nov 1994 08:49:37 GMT
            stamp.day = scan.number(1, 2)? as i8;
            day_first(&mut scan, &mut stamp)?;
            scan.time_of_day(&mut stamp)?;
            scan.zone(&mut stamp);
            return scan.ends().then_some(stamp);
        }
        word = scan.word();
    }
    stamp.month = month(word)?;
    scan.spaces()?;
    stamp.day = scan.number(1, 2)? as i8;
    scan.one_of(b",");
    scan.spaces()?;
    let mut behind = scan;
    if let Some(year) = behind.number(4, 4).filter(|_| behind.spaces().is_some()) {
        stamp.year = i16::try_from(year).ok();
        scan = behind;
    }
    scan.time_of_day(&mut stamp)?;
    scan.zone(&mut stamp);
    if stamp.year.is_none() {
        // As `date` writes it: Sat Nov 28 16:07:24 CET 2026
        let mut behind = scan;
        behind.spaces();
        if behind.peek().is_some_and(|b| b.is_ascii_uppercase()) {
            behind.word();
            behind.spaces();
        }
        if let Some(year) = behind.number(4, 4).filter(|year| (1970..2555).contains(year) && behind.ends()) {
            stamp.year = i16::try_from(year).ok();
            scan = behind;
        }
    }
    scan.ends().then_some(stamp)
}

/// ` Nov 1994 `, behind the day.
fn day_first(scan: &mut Scan<'_>, stamp: &mut Stamp) -> Option<()> {
    let separator = scan.one_of(b" -")?;
    stamp.month = month(scan.word())?;
    scan.one_of(&[separator])?;
    stamp.year = i16::try_from(scan.digits(4)?).ok();
    scan.spaces()
}

fn month(word: &[u8]) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
    let word = std::str::from_utf8(word).ok().filter(|word| word.len() >= 3)?.to_ascii_lowercase();
    let is = |month: &str| month == word || (word.len() == 3 && month.starts_with(&word));
    MONTHS.iter().zip(1..).find(|(month, _)| is(month)).map(|(_, number)| number)
}

fn is_weekday(word: &[u8]) -> bool {
    const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
    DAYS.iter().any(|day| word.len() == 3 && day.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stamps(format: Format) -> Stamps {
        // 2005-11-10.
        Stamps { format, field: None, zone: TimeZone::UTC, year: None, newest: 1_131_580_800 * SECOND }
    }

    fn found(format: Format, line: &str) -> Option<String> {
        stamps(format).time_of(line.as_bytes()).map(|time| times::text(time, &TimeZone::UTC))
    }

    #[test]
    fn auto_finds_the_first_time_of_a_line() {
        for (line, time) in [
            ("1237714200 ed9b544e1 first commit", "2009-03-22T09:30:00Z"),
            ("1237714200: x", "2009-03-22T09:30:00Z"),
            ("1237714200.25 x", "2009-03-22T09:30:00.250Z"),
            ("1237714200123", "2009-03-22T09:30:00.123Z"),
            ("1237714200123456,x", "2009-03-22T09:30:00.123456Z"),
            ("1237714200123456789\tx", "2009-03-22T09:30:00.123456789Z"),
            ("2015-07-29 17:41:44,747 - INFO  [QuorumPeer", "2015-07-29T17:41:44.747Z"),
            ("nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO", "2017-05-16T00:00:00.008Z"),
            ("- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228", "2005-11-09T20:01:01Z"),
            ("2025-06-24 14:36:25 startup archives unpack", "2025-06-24T14:36:25Z"),
            ("2025-06-24T14:36:25.5+02:00 x", "2025-06-24T12:36:25.500Z"),
            ("2025-06-24T14:36:25Z,x", "2025-06-24T14:36:25Z"),
            ("20250624T143625Z x", "2025-06-24T14:36:25Z"),
            ("2025/06/24 14:36:25 [error] x", "2025-06-24T14:36:25Z"),
            ("2025-06-24_14:36:25 x", "2025-06-24T14:36:25Z"),
            ("[2025-06-24 14:36] x", "2025-06-24T14:36:00Z"),
            ("2025-06-24 14:36:25 +0200 x", "2025-06-24T12:36:25Z"),
            ("2025-06-24 14:36:25 -1234 x", "2025-06-24T14:36:25Z"),
            ("2025-06-24 14:36:25 UTC x", "2025-06-24T14:36:25Z"),
            ("2025-06-24,17", "2025-06-24T00:00:00Z"),
            ("2016-12-31 23:59:60 x", "2016-12-31T23:59:59.999999999Z"),
            ("Nov  9 12:01:01 dn228 crond[2916]: (root)", "2005-11-09T12:01:01Z"),
            ("Nov 11 12:01:01 host a day ahead and more", "2004-11-11T12:01:01Z"),
            ("Dec 31 23:59:59 host last year", "2004-12-31T23:59:59Z"),
            ("<34>Oct 11 22:14:15 host", "2005-10-11T22:14:15Z"),
            ("<34>1 2003-10-11T22:14:15.003Z host", "2003-10-11T22:14:15.003Z"),
            ("Feb 29 10:00:00 host", "2004-02-29T10:00:00Z"),
            ("Nov  9 2003 12:01:01: %ASA-6", "2003-11-09T12:01:01Z"),
            ("[Wed Oct 11 14:32:52.123456 2000] [error]", "2000-10-11T14:32:52.123456Z"),
            ("Sat Nov 28 16:07:24 UTC 2026", "2026-11-28T16:07:24Z"),
            ("Sat Nov 28 16:07:24 CET 2026", "2026-11-28T16:07:24Z"),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            ("06-Nov-1994 08:49:37 x", "1994-11-06T08:49:37Z"),
            ("127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /\"", "2000-10-10T20:55:36Z"),
            ("level=info a b c 2020-01-01T00:00:00Z x", "2020-01-01T00:00:00Z"),
        ] {
            assert_eq!(found(Format::Auto, line).as_deref(), Some(time), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for line in [
            "",
            " ",
            "\tat java.lang.Thread.run(Thread.java:745)",
            "0123456789 x",
            "1237714200-1 x",
            "12377142001 x",
            "5551234567 a number of a telephone",
            "123 x",
            "2015-13-29 17:41:44 x",
            "2015-02-30 x",
            "2015-07-29x",
            "2015-07-29_x",
            "2015-07-29 25:00:00 x",
            "1969-12-31 23:59:59 x",
            "03/04/2024 10:00:00 x",
            "17/06/09 20:10:40 INFO",
            "Now 9 12:01:01 x",
            "May we go",
            "Nov 31 12:01:01 x",
            "Mon x",
            "a b c d e f 2015-07-29 17:41:44",
            "x2015-07-29 17:41:44",
        ] {
            assert_eq!(found(Format::Auto, line), None, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(stamps(Format::Auto).time_of(b"\xff\xfe 1237714200 \x80"), Some(1_237_714_200 * SECOND));
        assert_eq!(stamps(Format::Pattern("%Y".into())).time_of(b"\xff\xfe"), None);
    }

    /// Whatever is cut off or changed in a line, it is read or not, and nothing else happens.
    #[test]
    fn no_line_does_harm() {
        let formats = [Format::Auto, Format::Epoch, Format::Iso, Format::Syslog, Format::Pattern("%d/%b/%Y:%H:%M:%S %z".into())];
        let lines = [
            "<34>1 2003-10-11T22:14:15.003+01:00 host",
            "[10/Oct/2000:13:55:36 -0700] x",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sat Nov 28 16:07:24 CET 2026",
            "20250624T143625Z 1237714200.123456789",
            "99999999999999999999 18446744073709551615",
        ];
        let mut tried = 0;
        for line in lines {
            for at in 0..line.len() {
                for byte in [b'0', b'9', b' ', b':', b'-', b'.', b'a', b'Z', 0, 0xff] {
                    let mut changed = line.as_bytes().to_vec();
                    changed[at] = byte;
                    for format in &formats {
                        let stamps = stamps(format.clone());
                        for text in [&changed[..], &changed[..=at], &changed[at..]] {
                            let time = stamps.time_of(text);
                            assert!(time.is_none_or(|time| !times::text(time, &TimeZone::UTC).is_empty()));
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert!(tried > 20_000);
    }

    #[test]
    fn each_format_finds_only_its_own() {
        assert_eq!(found(Format::Epoch, "2015-07-29 17:41:44 7"), Some("1970-01-01T00:00:07Z".to_owned()));
        assert_eq!(found(Format::Iso, "1237714200 2015-07-29 17:41:44"), Some("2015-07-29T17:41:44Z".to_owned()));
        assert_eq!(found(Format::Syslog, "2015-07-29 Nov 9 12:01:01"), Some("2005-11-09T12:01:01Z".to_owned()));
        let of = |number: &str| stamps(Format::Epoch).time_of(number.as_bytes());
        assert_eq!(of("5.5"), Some(5_500_000_000));
        assert_eq!(of("100000000000 x"), Some(100_000_000 * SECOND));
        assert_eq!(of("99999999999 seconds would be the year 5138"), None);
    }

    #[test]
    fn a_field_can_be_named() {
        let at = |field| Stamps { field: Some(field), ..stamps(Format::Auto) };
        let line = b"1237714200 2015-07-29 17:41:44 x";
        assert_eq!(at(1).time_of(line), Some(1_237_714_200 * SECOND));
        assert_eq!(at(2).time_of(line).map(|time| times::text(time, &TimeZone::UTC)).as_deref(), Some("2015-07-29T17:41:44Z"));
        assert_eq!(at(4).time_of(line), None);
        assert_eq!(at(9).time_of(line), None);
    }

    #[test]
    fn patterns_say_what_is_meant() {
        for (pattern, line, time) in [
            ("%Y-%m-%d %H:%M:%S,%f", "2015-07-29 17:41:44,747 - INFO", Some("2015-07-29T17:41:44.747Z")),
            ("%y/%m/%d %H:%M:%S", "17/06/09 20:10:40 INFO", Some("2017-06-09T20:10:40Z")),
            ("%y%m%d %H%M%S", "081109 203615 148 INFO", Some("2008-11-09T20:36:15Z")),
            ("%d.%m.%Y", "[09.11.2008] x", Some("2008-11-09T00:00:00Z")),
            ("%b %d %H:%M:%S", "Nov 9 12:01:01 x", Some("2005-11-09T12:01:01Z")),
            ("%s", "1237714200 x", Some("2009-03-22T09:30:00Z")),
            ("%Y-%m-%dT%H:%M:%S%z", "2015-07-29T17:41:44+0200 x", Some("2015-07-29T15:41:44Z")),
            ("%Y-%m-%d", "x", None),
        ] {
            assert_eq!(found(Format::Pattern(pattern.into()), line).as_deref(), time, "{line}");
        }
    }

    #[test]
    fn the_zone_is_that_of_stamps_without_one() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let stamps = Stamps { zone, ..stamps(Format::Auto) };
        for (line, time) in [
            ("2025-06-24 14:36:25 x", "2025-06-24T18:36:25Z"),
            ("2025-06-24 14:36:25Z x", "2025-06-24T14:36:25Z"),
            ("1237714200 x", "2009-03-22T09:30:00Z"),
        ] {
            assert_eq!(times::text(stamps.time_of(line.as_bytes()).unwrap(), &TimeZone::UTC), time, "{line}");
        }
    }
}
