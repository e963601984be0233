//! Following a store, and going on where the last time ended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command};

use common::Place;

fn lines_of(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn append(place: &Place, text: &str) {
    place.run_with(&["append", "--time-format", "auto", "--create", "store"], text.as_bytes()).fine();
}

#[test]
fn following_shows_what_is_there_and_what_comes_also_late() {
    let place = Place::new();
    append(&place, "2026-01-02 b\n2026-01-01 a\n2026-01-03 c\n");
    let mut child = place.start(&["read", "-f", "-n", "2", "store"]);
    let mut lines = lines_of(&mut child);
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!((next(), next()), ("2026-01-02 b".to_owned(), "2026-01-03 c".to_owned()));
    append(&place, "2026-01-04 d\n");
    assert_eq!(next(), "2026-01-04 d");
    append(&place, "2026-01-01 late\n");
    assert_eq!(next(), "2026-01-01 late");
    signal(&child, "-TERM");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn following_from_a_time_on_leaves_out_what_is_earlier() {
    let place = Place::new();
    append(&place, "2026-01-02 b\n");
    let mut child = place.start(&["read", "-f", "--from", "2026-01-02", "store"]);
    let mut lines = lines_of(&mut child);
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "2026-01-02 b");
    append(&place, "2026-01-01 early\n");
    append(&place, "2026-01-02 c\n");
    assert_eq!(next(), "2026-01-02 c");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let place = Place::new();
    append(&place, "2026-01-01 a\n2026-01-02 b\n");
    // Nothing comes that would show it by failing to be written.
    let output = place.shell("estore read -f store | head -n 1");
    assert_eq!((output.status.code(), &output.stdout[..], &output.stderr[..]), (Some(0), &b"2026-01-01 a\n"[..], &b""[..]));
}

#[test]
fn a_cursor_goes_on_where_the_last_time_ended() {
    let place = Place::new();
    append(&place, "2026-01-02 b\n2026-01-01 a\n");
    let new = || place.run(&["read", "--cursor-file", "cursor", "store"]).fine().text();
    // In the order in which they came, which is the one that a cursor knows.
    assert_eq!(new(), "2026-01-02 b\n2026-01-01 a\n");
    assert_eq!(new(), "");
    append(&place, "2026-01-01 late\n");
    assert_eq!(new(), "2026-01-01 late\n");
    assert_eq!(fs::read_to_string(place.path("cursor")).unwrap(), "3\n");
    // Nothing else is left in the folder.
    let mut names: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cursor", "store"]);
    place.run(&["read", "--cursor-file", "cursor", "-r", "store"]).ends(2).says("cannot be used with");
}

#[test]
fn a_cursor_is_kept_while_following() {
    let place = Place::new();
    append(&place, "2026-01-01 a\n");
    let mut child = place.start(&["read", "--cursor-file", "cursor", "-f", "store"]);
    let mut lines = lines_of(&mut child);
    assert_eq!(lines.next().unwrap().unwrap(), "2026-01-01 a");
    append(&place, "2026-01-02 b\n");
    assert_eq!(lines.next().unwrap().unwrap(), "2026-01-02 b");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    assert_eq!(fs::read_to_string(place.path("cursor")).unwrap(), "2\n");
}

#[test]
fn what_was_deleted_before_it_was_printed_is_told() {
    let place = Place::new();
    append(&place, "2026-01-01 a\n2026-01-05 b\n");
    place.run(&["delete", "store", "--before", "2026-01-03"]).fine();
    place.run(&["read", "--cursor-file", "cursor", "store"]).ends(1).says("deleted before they were printed").prints("2026-01-05 b\n");
    place.run(&["read", "--cursor-file", "cursor", "store"]).fine();
}

#[test]
fn a_cursor_of_another_store_or_none_at_all_is_refused() {
    let place = Place::new();
    append(&place, "2026-01-01 a\n");
    place.write("cursor", "99999999999\n");
    place.run(&["read", "--cursor-file", "cursor", "store"]).ends(2).says("cursor: the cursor is of another store");
    place.write("cursor", "something else");
    place.run(&["read", "--cursor-file", "cursor", "store"]).ends(2).says("cursor: holds no cursor");
    assert_eq!(fs::read_to_string(place.path("cursor")).unwrap(), "something else");
    place.run(&["read", "--cursor-file", "nowhere/cursor", "store"]).ends(2).says("nowhere/cursor: the cursor cannot be saved");
}
