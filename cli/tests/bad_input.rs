//! What can be wrong with input, place and moment: each is told, nothing that was stored is lost, and nothing else is changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

use common::Place;

/// A store that a process has open for writing, which has stored one line by now.
fn with_writer() -> (Place, Child) {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"").fine();
    let mut follower = place.start(&["read", "-f", "store"]);
    let mut writer = place.start(&["append", "store"]);
    writer.stdin.as_mut().unwrap().write_all(b"first\nhalf").unwrap();
    let mut line = String::new();
    BufReader::new(follower.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "first\n");
    follower.kill().unwrap();
    follower.wait().unwrap();
    (place, writer)
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    place.write("folder/mine", "mine");
    place.write("file", "mine");
    place.write("log", "2026-01-01 x\n");
    let commands: [&[&str]; 12] = [
        &["append"],
        &["read"],
        &["stat"],
        &["verify"],
        &["compact"],
        &["delete", "--before", "now"],
        &["retain", "--max-age", "1d"],
        &["digest"],
        &["export", "-o", "out"],
        &["import"],
        &["read", "--cursor-file", "cursor"],
        &["read", "-f"],
    ];
    for command in commands {
        for (dir, what) in [("nowhere", "nowhere: no store here"), ("folder", "folder: not a store"), ("file", "file: not a folder")] {
            place.run(&[command, &[dir]].concat()).ends(2).says(what);
        }
    }
    for (dir, what) in
        [("folder", "folder: cannot make a store in a folder with other files, such as \"mine\""), ("file", "file: not a folder")]
    {
        place.run(&["append", "--create", dir, "log"]).ends(2).says(what);
    }
    for two in ["diff", "repair", "snapshot", "salvage"] {
        place.run(&[two, "folder", "other"]).ends(2).says("folder: not a store");
    }
    let mut names: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "folder", "log"]);
    assert_eq!(fs::read_dir(place.path("folder")).unwrap().count(), 1);
}

#[test]
fn files_that_cannot_be_read_store_nothing() {
    let place = Place::new();
    place.write("log", "2026-01-01 x\n");
    place.run(&["append", "--create", "store", "log", "nowhere"]).ends(2).says("nowhere: cannot be read: No such file");
    place.run(&["append", "--create", "store", "log", "."]).ends(2).says(".: a folder");
    assert!(!place.path("store").exists());
}

#[test]
fn a_second_writer_is_refused_and_told_who_has_it() {
    let (place, mut writer) = with_writer();
    place
        .run_with(&["append", "store"], b"x\n")
        .ends(2)
        .says(&format!("another writer has this store open (process {})", writer.id()))
        .says("beside it");
    place.run(&["compact", "store"]).ends(2).says("another writer");
    // Everything that only reads works.
    assert_eq!(place.run(&["read", "store"]).fine().text(), "first\n");
    place.run(&["verify", "store"]).fine();
    place.run(&["stat", "store"]).fine();
    place.run(&["snapshot", "store", "copy"]).fine();
    place.run(&["diff", "store", "copy"]).fine();
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    // At the end also a line without an end is one.
    assert_eq!(place.run(&["read", "store"]).fine().text(), "first\nhalf\n");
}

#[test]
fn signals_end_it_in_good_order() {
    for (name, number, called) in [("-INT", 2, "Ctrl-C"), ("-TERM", 15, "SIGTERM"), ("-HUP", 1, "SIGHUP")] {
        let (place, mut writer) = with_writer();
        // As long as it is held, there may be more to come.
        let held = writer.stdin.take();
        assert!(Command::new("kill").args([name, &writer.id().to_string()]).status().unwrap().success());
        let output = writer.wait_with_output().unwrap();
        drop(held);
        assert_eq!(output.status.signal(), Some(number));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("ended by {called}: all up to line 1 of standard input is stored")), "{said}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("1 event stored"));
        assert_eq!(place.run(&["read", "store"]).fine().text(), "first\n");
        place.run(&["verify", "store"]).fine();
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_was_seen() {
    let (place, mut writer) = with_writer();
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(place.run(&["read", "store"]).ends(0).text(), "first\n");
    place.run_with(&["append", "store"], b"second\n").ends(0);
    assert_eq!(place.run(&["read", "store"]).fine().text(), "first\nsecond\n");
}

/// What takes more room than there is in the tests below.
fn large_log() -> String {
    (0..100_000u64).map(|i| format!("{} line {i} of a log that does not fit\n", 1_700_000_000 + i)).collect()
}

#[test]
fn a_limit_on_the_length_of_files_is_like_a_full_disk() {
    let place = Place::new();
    let log = large_log();
    place.write("log", &log);
    let output = place.shell("trap '' XFSZ; ulimit -f 2048; exec estore append --create store log");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no space left") && said.contains("all up to line ") && said.contains("--absent"), "{said}");
    // It says exactly how far it came.
    let through: String =
        said.split("all up to line ").nth(1).unwrap().chars().take_while(|c| *c != ' ').filter(char::is_ascii_digit).collect();
    let through: usize = through.parse().unwrap();
    let head: String = log.lines().take(through).map(|line| format!("{line}\n")).collect();
    assert!(place.run(&["read", "store"]).fine().text() == head, "it has other lines than the first {through}");
    place.run(&["verify", "store"]).fine();
    place.run(&["append", "--absent", "store", "log"]).fine().prints(&format!("{} events stored", grouped(100_000 - through)));
    assert!(place.run(&["read", "store"]).fine().text() == log);
}

#[test]
fn who_buffers_is_told_what_a_full_disk_costs() {
    let place = Place::new();
    let log = large_log();
    place.write("log", &log);
    let output = place.shell("trap '' XFSZ; ulimit -f 2048; exec estore append --durability buffered --json --create store log");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no space left") && said.contains("but what the buffer held") && said.contains("--absent"), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report.get("through").is_none() && report["complete"] == false, "{report}");
    let stored = place.run(&["read", "store"]).fine().text();
    assert!(log.starts_with(&stored) && stored.lines().count() as u64 <= report["stored"].as_u64().unwrap());
    place.run(&["append", "--absent", "store", "log"]).fine();
    assert!(place.run(&["read", "store"]).fine().text() == log);
}

fn grouped(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn a_disk_that_is_full_costs_nothing_that_was_stored() {
    let place = Place::new();
    place.write("log", large_log());
    fs::create_dir(place.path("disk")).unwrap();
    // A disk in memory that only this shell and its children see; who is not root becomes root of a name space.
    let script = "set -e
        mount -t tmpfs -o size=4m none disk
        head -c 1m /dev/zero > disk/ballast
        rc=0; estore append --create disk/store log 2> said || rc=$?
        test $rc = 2
        grep -q 'no space left' said; grep -q 'all up to line' said
        estore verify disk/store > /dev/null
        test $(estore read disk/store | wc -l) -gt 0
        rc=0; estore append --absent disk/store log 2> again || rc=$?
        test $rc = 2; grep -q 'no space left' again
        rm disk/ballast; mount -o remount,size=64m disk
        estore append --absent disk/store log > /dev/null
        estore read disk/store | cmp - log
        echo all is well";
    place.write("script", script);
    let may_mount = place.shell("unshare -rm mount -t tmpfs none disk");
    if !may_mount.status.success() {
        println!("skipped: no disk can be mounted here; a limit on the length of files stands in for it");
        return;
    }
    let output = place.shell("unshare -rm bash script");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.ends_with("all is well\n"), "{printed}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"x\n").fine();
    for command in ["read store", "stat store", "export store", "diff store store"] {
        let output = place.shell(&format!("estore {command} > /dev/full"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("standard output cannot be written: No space left"), "{command}: {said}");
    }
}

#[test]
fn a_folder_without_permission_says_so() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"x\n").fine();
    // Root may do everything; without its name it may not.
    let output = place.shell(
        "chmod 755 . && chmod 555 store && chmod 444 store/* && setpriv --reuid 65534 --clear-groups estore append store < /dev/null",
    );
    if String::from_utf8_lossy(&output.stderr).contains("setpriv") {
        println!("skipped: this user can't become another one");
        return;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("no permission"), "{said}");
}
