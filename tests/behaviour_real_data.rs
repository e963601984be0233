//! Real, mostly ordered streams, where the folder of them lies beside the project: every range is what a stable sort says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::data::real_data;
use common::place::Place;
use common::rng::Rng;
use common::{assert_ordered, drain, event, identities, stable_sorted};
use estore::{Efile, Event, ReadOptions, Store};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Nanoseconds since the epoch of a date like `2015-07-29` and a time like `17:41:44,747` or `00:00:00.008`.
fn parse_time(date: &str, time: &str) -> Option<u64> {
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (time, millis) = time.split_once([',', '.'])?;
    let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let millis: u64 = millis.parse().ok()?;
    // Days since 1970-03-01, years beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (y - 1970) * 365 + (y / 4 - y / 100 + y / 400) - (1970 / 4 - 1970 / 100 + 1970 / 400) + (m * 153 + 2) / 5 + day - 1 + 59;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * SECOND + millis * 1_000_000)
}

#[test]
fn times_are_parsed_right() {
    assert_eq!(parse_time("2001-09-09", "01:46:40,000"), Some(1_000_000_000 * SECOND));
    assert_eq!(parse_time("2017-05-16", "00:00:00.008"), Some(1_494_892_800_008_000_000));
    assert_eq!(parse_time("2024-02-29", "12:00:00,000"), Some(1_709_208_000 * SECOND));
    assert_eq!(parse_time("nothing", "00:00:00,000"), None);
}

/// Each line with its time; lines without one have that of the line before.
fn events_of(text: &str, time_of: impl Fn(&str) -> Option<u64>) -> Vec<Event> {
    let mut time = 0;
    let mut events = Vec::new();
    for (line, i) in text.lines().zip(0..) {
        time = time_of(line).unwrap_or(time);
        events.push(event(time, i, line));
    }
    events
}

/// Appends in batches of several sizes, in stores of several chunk sizes, and compares many ranges both ways.
fn check(events: &[Event], file_size: u64, grace: u64) {
    let expected = stable_sorted(events);
    let edges: Vec<u64> = expected.iter().map(|(time, _, _)| *time).collect();
    for batch_len in [1, 100, events.len()] {
        let place = Place::simulated(1);
        let store = Store::open(&place.path, place.options().file_size(file_size).grace(grace)).unwrap();
        let efile_place = Place::simulated(1);
        let efile = Efile::open(&efile_place.path, efile_place.options().grace(grace)).unwrap();
        for batch in events.chunks(batch_len) {
            store.append(batch).unwrap();
            efile.append(batch).unwrap();
        }
        let whole = drain(store.read(..).unwrap());
        assert_ordered(&whole);
        assert!(identities(&whole) == expected, "batches of {batch_len}");
        assert!(identities(&drain(efile.read(..).unwrap())) == expected, "batches of {batch_len}, efile");
        let answer = store.append_absent(&events[..events.len().min(500)]).unwrap();
        assert_eq!(answer.stored, 0, "all of them are there");
        store.close().unwrap();
        let store = Store::open(&place.path, place.options()).unwrap();
        assert_eq!(store.count(..).unwrap(), expected.len() as u64);
        let mut rng = Rng::new(1);
        for i in 0..300 {
            let (a, b) = (edges[rng.index(edges.len())], edges[rng.index(edges.len())]);
            let (mut start, mut end) = (a.min(b), a.max(b));
            match i % 4 {
                0 => (start, end) = (start / file_size * file_size, start / file_size * file_size + (file_size - 1)),
                1 => end = start,
                2 => end = start.saturating_add(rng.below(file_size)),
                _ => start = start.saturating_add(1).min(end),
            }
            let first = edges.partition_point(|time| *time < start);
            let last = edges.partition_point(|time| *time <= end);
            let wanted = &expected[first..last];
            assert!(identities(&drain(store.read(start..=end).unwrap())) == wanted, "{start}..={end}, batches of {batch_len}");
            assert_eq!(store.count(start..=end).unwrap(), wanted.len() as u64);
            if i % 10 == 0 {
                let mut reverse = identities(&drain(store.read_with(start..=end, ReadOptions::new().reverse()).unwrap()));
                reverse.reverse();
                assert!(reverse == wanted, "{start}..={end} backward");
            }
        }
    }
}

#[test]
fn redis_commits() {
    let Some(text) = real_data("redis-commits.txt") else { return };
    let events = events_of(&text, |line| Some(line.split(' ').next()?.parse::<u64>().ok()? * SECOND));
    assert!(events.len() > 12_000);
    check(&events, 100 * DAY, 3600 * SECOND);
}

#[test]
fn zookeeper_log() {
    let Some(text) = real_data("Zookeeper_2k.log") else { return };
    let events = events_of(&text, |line| parse_time(line.get(..10)?, line.get(11..23)?));
    check(&events, DAY, 60 * SECOND);
}

#[test]
fn openstack_log() {
    let Some(text) = real_data("OpenStack_2k.log") else { return };
    let events = events_of(&text, |line| {
        let mut fields = line.split(' ').skip(1);
        parse_time(fields.next()?, fields.next()?)
    });
    assert!(events.is_sorted_by_key(|event| event.time), "this one is in order");
    check(&events, 300 * SECOND, SECOND);
}

#[test]
fn thunderbird_log() {
    let Some(text) = real_data("Thunderbird_2k.log") else { return };
    let events = events_of(&text, |line| Some(line.split(' ').nth(1)?.parse::<u64>().ok()? * SECOND));
    let ties = events.windows(2).filter(|pair| pair[0].time == pair[1].time).count();
    assert!(ties > 500, "many lines share a second: {ties}");
    check(&events, 60 * SECOND, 0);
}
