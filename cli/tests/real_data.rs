//! Real logs, each with its own way of writing times: what is read equals a stable sort of the input by time, byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, real_data};

/// The lines sorted by this key, without disturbing those with equal ones.
fn sorted<K: Ord>(bytes: &[u8], key: impl Fn(&[u8]) -> K) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines.sort_by_key(|line| key(line));
    lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect()
}

fn check<K: Ord>(path: &Path, file_size: &str, key: impl Fn(&[u8]) -> K) {
    let place = Place::new();
    let bytes = fs::read(path).unwrap();
    let wanted = sorted(&bytes, key);
    let lines = wanted.iter().filter(|b| **b == b'\n').count();
    let log = path.to_str().unwrap();
    place.run(&["append", "--create", "--file-size", file_size, "store", log]).fine();
    assert!(place.run(&["read", "store"]).fine().stdout == wanted, "{log} is read in another order");
    let again = place.run(&["append", "--absent", "--json", "store", log]).fine().json();
    assert_eq!((&again["stored"], &again["present"]), (&0.into(), &lines.into()), "{log}");
    // The same through a pipe.
    place.run_with(&["append", "--create", "--file-size", file_size, "--time-format", "auto", "piped"], &bytes).fine();
    place.run(&["diff", "store", "piped"]).fine();
    // And as JSON, there and back.
    let events = place.run(&["read", "-o", "json", "store"]).fine().stdout;
    place.run_with(&["append", "--create", "--file-size", file_size, "-i", "json", "json"], &events).fine();
    place.run(&["diff", "store", "json"]).fine();
    assert!(place.run(&["read", "json"]).fine().stdout == wanted, "{log} as JSON is read in another order");
    let stat = place.run(&["stat", "--json", "store"]).fine().json();
    let sum = |key: &str| stat[key].as_array().unwrap().iter().map(|part| part.as_u64().or(part["events"].as_u64()).unwrap()).sum::<u64>();
    assert_eq!((sum("over_time"), sum("lateness")), (lines as u64, lines as u64), "{log}");
}

#[test]
fn redis_commits() {
    let Some(path) = real_data("redis-commits.txt") else { return };
    check(&path, "100d", |line| line.iter().take_while(|b| b.is_ascii_digit()).fold(0u64, |n, b| n * 10 + u64::from(b - b'0')));
}

#[test]
fn zookeeper() {
    let Some(path) = real_data("Zookeeper_2k.log") else { return };
    check(&path, "1d", |line| line[..23].to_vec());
}

#[test]
fn openstack() {
    let Some(path) = real_data("OpenStack_2k.log") else { return };
    let field = |line: &[u8], n: usize| line.split(|b| *b == b' ').nth(n).unwrap().to_vec();
    check(&path, "5m", |line| (field(line, 1), field(line, 2)));
}

#[test]
fn thunderbird() {
    let Some(path) = real_data("Thunderbird_2k.log") else { return };
    check(&path, "1h", |line| line.split(|b| *b == b' ').nth(1).unwrap().to_vec());
}

#[test]
fn the_log_of_packages() {
    let path = PathBuf::from("/var/log/dpkg.log");
    if !fs::metadata(&path).is_ok_and(|meta| meta.len() > 0) {
        println!("skipped: no {}", path.display());
        return;
    }
    // Others may install something meanwhile.
    let place = Place::new();
    let copy = place.write("dpkg.log", fs::read(&path).unwrap());
    check(&copy, "30d", |line| line[..19].to_vec());
}

/// One chunk for each day is the default, and makes thousands here.
#[test]
fn a_store_with_very_many_chunks_is_told_about() {
    let place = Place::new();
    let log: String = (0..1200u64).map(|day| format!("{} x\n", 1_000_000_000 + day * 86_400)).collect();
    place.write("log", log);
    place.run(&["append", "--create", "store", "log"]).ends(0).prints("1,200 events stored").says("--file-size");
}
