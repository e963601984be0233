//! Times as people type and read them: `2026-11-28 10:05`, `@1700000000`, `2h ago` by way of `--since`, and RFC 3339 when printed.
//!
//! A store keeps nanoseconds since 1970 in 64 bits, so every time that it can hold lies between 1970 and 2554, and has a date.

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::stamps::{self, Precision};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// `local`, `utc`, or a name such as `Europe/Berlin`.
pub(crate) fn parse_zone(text: &str) -> Result<TimeZone> {
    match text {
        "local" => Ok(TimeZone::system()),
        _ if text.eq_ignore_ascii_case("utc") => Ok(TimeZone::UTC),
        name => {
            TimeZone::get(name).map_err(|_| anyhow!("no time zone is called \"{name}\": say local, utc, or a name such as Europe/Berlin"))
        }
    }
}

/// Nanoseconds since 1970 of a date and time in a zone. `None` before 1970, after 2554, and where there is no such date.
pub(crate) fn nanoseconds(at: DateTime, zone: &TimeZone) -> Option<u64> {
    u64::try_from(zone.to_timestamp(at).ok()?.as_nanosecond()).ok()
}

fn timestamp(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::MAX)
}

/// What a person means by a time: a moment, or a day or second that is meant as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Its first nanosecond,
    pub(crate) first: u64,
    /// and its last one.
    pub(crate) last: u64,
}

/// Understands `now`, `today`, `yesterday`, `@SECONDS`, `NUMBERns`, and ISO 8601 with or without a time of day and a zone.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Moment> {
    let text = text.trim();
    let exactly = |first: u64, length: u64| Moment { first, last: first.saturating_add(length - 1) };
    if text == "now" {
        return Ok(exactly(estore::now(), 1));
    }
    if text == "today" || text == "yesterday" {
        let now = timestamp(estore::now()).to_zoned_datetime(zone.clone());
        let day = if text == "today" { now } else { now.yesterday().context("there is no day before this one")? };
        return day_of(day.datetime(), zone).with_context(|| format!("{text} has no beginning"));
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let whole: Option<u64> = Some(whole).filter(|text| digits(text)).and_then(|text| text.parse().ok());
        let (Some(whole), true, true) = (whole, digits(fraction), fraction.len() <= 9) else {
            bail!("\"{text}\" is no time: after @ come seconds since 1970, such as @1700000000 or @1700000000.25");
        };
        let length = 10u64.pow(9 - fraction.len() as u32);
        let fraction = fraction.parse::<u64>().unwrap_or(0) * length;
        let first = whole.checked_mul(SECOND).and_then(|ns| ns.checked_add(fraction));
        return Ok(exactly(first.with_context(|| format!("\"{text}\" lies behind the year 2554"))?, length));
    }
    if let Some(number) = text.strip_suffix("ns").filter(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(exactly(number.parse().with_context(|| format!("\"{text}\" does not fit into 64 bits"))?, 1));
    }
    let Some((stamp, precision)) = stamps::whole_iso(text.as_bytes()) else {
        bail!(
            "\"{text}\" is no time: say 2026-11-28, 2026-11-28T10:05, 2026-11-28T10:05:00, @SECONDS since 1970, NUMBERns, now, today or yesterday"
        );
    };
    if precision == Precision::Day {
        return stamp
            .civil()
            .and_then(|at| day_of(at, zone))
            .with_context(|| format!("\"{text}\": there is no such day from 1970 to 2554"));
    }
    let first = stamp.nanoseconds(zone).with_context(|| format!("\"{text}\": there is no such time from 1970 to 2554"))?;
    Ok(exactly(first, precision.nanoseconds()))
}

fn day_of(at: DateTime, zone: &TimeZone) -> Option<Moment> {
    let start = at.date().to_datetime(jiff::civil::Time::midnight());
    let first = nanoseconds(start, zone)?;
    let next = start.tomorrow().ok().and_then(|next| nanoseconds(next, zone));
    Some(Moment { first, last: next.map_or(first.saturating_add(DAY - 1), |next| next - 1) })
}

/// Writes times; remembers what it can of the one before, since neighbours mostly share their second.
pub(crate) struct Writer {
    zone: TimeZone,
    second: Option<u64>,
    date_and_time: String,
    offset: String,
}

impl Writer {
    pub(crate) fn new(zone: &TimeZone) -> Writer {
        Writer { zone: zone.clone(), second: None, date_and_time: String::new(), offset: String::new() }
    }

    /// RFC 3339 with as many digits as it takes to be exact: none, 3, 6 or 9.
    pub(crate) fn text(&mut self, nanoseconds: u64) -> String {
        let second = nanoseconds / SECOND;
        if self.second != Some(second) {
            let offset = self.zone.to_offset(timestamp(nanoseconds));
            let civil = offset.to_datetime(timestamp(second * SECOND));
            self.date_and_time = civil.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.offset = if offset == Offset::UTC {
                "Z".to_owned()
            } else {
                // Old local times are whole seconds off; RFC 3339 has but minutes.
                let minutes = offset.seconds() / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            };
            self.second = Some(second);
        }
        let (date_and_time, offset) = (&self.date_and_time, &self.offset);
        match nanoseconds % SECOND {
            0 => format!("{date_and_time}{offset}"),
            ns if ns.is_multiple_of(1_000_000) => format!("{date_and_time}.{:03}{offset}", ns / 1_000_000),
            ns if ns.is_multiple_of(1_000) => format!("{date_and_time}.{:06}{offset}", ns / 1_000),
            ns => format!("{date_and_time}.{ns:09}{offset}"),
        }
    }
}

/// One time as text.
pub(crate) fn text(nanoseconds: u64, zone: &TimeZone) -> String {
    Writer::new(zone).text(nanoseconds)
}

/// One time as text, but for those that mean something else.
pub(crate) fn text_of_bound(nanoseconds: u64, zone: &TimeZone) -> String {
    match nanoseconds {
        0 => "the beginning".to_owned(),
        u64::MAX => "the end".to_owned(),
        _ => text(nanoseconds, zone),
    }
}

/// A stretch of time in one or two units, for a person.
pub(crate) fn span(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 8] = [
        (365 * DAY, "y"),
        (DAY, "d"),
        (3_600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let Some(at) = UNITS.iter().position(|(unit, _)| nanoseconds >= *unit) else { return "0 s".to_owned() };
    let (unit, name) = UNITS[at];
    let rest = UNITS.get(at + 1).map_or(0, |(smaller, _)| nanoseconds % unit / smaller);
    match UNITS.get(at + 1) {
        Some((_, smaller)) if rest > 0 => format!("{} {name} {rest} {smaller}", nanoseconds / unit),
        _ => format!("{} {name}", nanoseconds / unit),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("the system has time zones")
    }

    #[test]
    fn what_people_type_is_understood() {
        let utc = TimeZone::UTC;
        for (typed, first, length) in [
            ("@1700000000", 1_700_000_000 * SECOND, SECOND),
            ("@1700000000.25", 1_700_000_000 * SECOND + 250_000_000, 10_000_000),
            ("@0", 0, SECOND),
            ("3000ns", 3000, 1),
            ("18446744073709551615ns", u64::MAX, 1),
            ("2023-11-14", 1_699_920_000 * SECOND, DAY),
            ("2023-11-14T22:13", 1_699_999_980 * SECOND, 60 * SECOND),
            ("2023-11-14T22:13:20", 1_700_000_000 * SECOND, SECOND),
            ("2023-11-14 22:13:20.5", 1_700_000_000 * SECOND + 500_000_000, 100_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND, SECOND),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND, SECOND),
            ("2023-11-14T23:13:20.000000001+0100", 1_700_000_000 * SECOND + 1, 1),
        ] {
            let found = parse(typed, &utc).expect(typed);
            assert_eq!(found, Moment { first, last: first + (length - 1) }, "{typed}");
        }
        for wrong in
            ["", "@", "@-1", "@1.0000000001", "@99999999999999", "2023-13-01", "2023-02-30", "1969-12-31", "2600-01-01", "2023-11-14Tx"]
        {
            assert!(parse(wrong, &utc).is_err(), "{wrong:?} was taken for {:?}", parse(wrong, &utc));
        }
    }

    #[test]
    fn days_are_those_of_the_zone_also_where_the_clock_is_changed() {
        let day = parse("2024-10-27", &berlin()).unwrap();
        assert_eq!(text(day.first, &berlin()), "2024-10-27T00:00:00+02:00");
        assert_eq!(day.last - day.first + 1, 25 * 3_600 * SECOND);
        assert_eq!(text(day.last, &berlin()), "2024-10-27T23:59:59.999999999+01:00");
    }

    #[test]
    fn what_is_printed_reads_back_exactly() {
        for zone in [TimeZone::UTC, berlin(), TimeZone::get("Asia/Kathmandu").expect("there is such a zone")] {
            let mut writer = Writer::new(&zone);
            for ns in [0, 1, 999, 1_000, 1_700_000_000_123_000_000, 1_700_000_000_123_456_000, 1_729_990_800 * SECOND, u64::MAX] {
                let printed = writer.text(ns);
                assert_eq!(parse(&printed, &TimeZone::UTC).unwrap().first, ns, "{printed}");
            }
        }
        assert_eq!(text(1_700_000_000 * SECOND, &TimeZone::UTC), "2023-11-14T22:13:20Z");
        assert_eq!(text(1_700_000_000 * SECOND + 5_000_000, &berlin()), "2023-11-14T23:13:20.005+01:00");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_eq!(span(0), "0 s");
        assert_eq!(span(1_500_000_000), "1 s 500 ms");
        assert_eq!(span(90 * SECOND), "1 m 30 s");
        assert_eq!(span(DAY), "1 d");
        assert_eq!(span(400 * DAY), "1 y 35 d");
    }
}
