//! Durations as people type them: `1d`, `30s`, `500ms`, `1h30m`.
//!
//! This is the one place where that text is understood; every interface calls it.

use crate::error::{Error, Result};

/// The units, each with its length in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// The length in nanoseconds of a duration such as `1d`, `500ms` or `1h30m`.
///
/// One or more whole numbers, each followed by a unit (`ns us ms s m h d w`); spaces around and between them are ignored; the parts
/// add up. A duration of 0, one that overflows 64 bits of nanoseconds (some 584 years), a number without a unit and anything else is
/// [`Error::Duration`].
pub fn parse(text: &str) -> Result<u64> {
    let refuse = |why: &str| Error::Duration { text: text.chars().take(64).collect(), why: why.to_owned() };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refuse("it is empty"));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() {
            return Err(refuse("a whole number was expected"));
        }
        let number: u64 = number.parse().map_err(|_| refuse("the number is too large"))?;
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let &(_, nanoseconds) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| refuse("each number needs one of the units ns us ms s m h d w"))?;
        total = number
            .checked_mul(nanoseconds)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| refuse("it is longer than 64 bits of nanoseconds, some 584 years"))?;
        rest = tail.trim_start();
    }
    if total == 0 {
        return Err(refuse("a duration of 0 means nothing here"));
    }
    Ok(total)
}

/// The shortest exact text of a duration, in the largest unit that divides it: `86400000000000` is `1d`. Reads back with [`parse`],
/// except for 0, which is `0ns`.
pub fn format(nanoseconds: u64) -> String {
    let (unit, length) =
        UNITS.iter().rev().find(|(_, length)| nanoseconds != 0 && nanoseconds.is_multiple_of(*length)).unwrap_or(&UNITS[0]);
    format!("{}{}", nanoseconds / length, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_understood() {
        for (text, ns) in [
            ("1ns", 1),
            ("2us", 2_000),
            ("500ms", 500_000_000),
            ("30s", 30_000_000_000),
            ("5m", 300_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("2w", 1_209_600_000_000_000),
            (" 1h 30m ", 5_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(parse(text).ok(), Some(ns), "{text}");
        }
    }

    #[test]
    fn zero_overflow_and_nonsense_are_refused() {
        for text in [
            "",
            " ",
            "0",
            "0s",
            "5",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            "1x",
            "1S",
            "1 s s",
            "1d-",
            "1é",
            "é",
            "1dd",
            "99999999999999999999ns",
            "18446744073709551616ns",
            "30501w",
            "1w18446744073709551615ns",
            "0x10s",
            "1\0s",
        ] {
            assert!(matches!(parse(text), Err(Error::Duration { .. })), "{text:?} was taken");
        }
    }

    #[test]
    fn formatting_reads_back() {
        for ns in [1, 999, 1_000, 60_000_000_000, 90_000_000_000, 86_400_000_000_000, 604_800_000_000_000, u64::MAX] {
            assert_eq!(parse(&format(ns)).ok(), Some(ns));
        }
        assert_eq!(format(86_400_000_000_000), "1d");
        assert_eq!(format(90_000_000_000), "90s");
        assert_eq!(format(0), "0ns");
    }
}
