//! Lines go in and come out: byte for byte, in order of time, each of them, in every form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::Place;

/// Four lines out of order, two of which are equal.
const LOG: &str = "2026-01-02 10:00:00 second\n2026-01-01 10:00:00 first\n2026-01-02 10:00:00 second\n2026-01-03 10:00:00 third\n";
const SORTED: &str = "2026-01-01 10:00:00 first\n2026-01-02 10:00:00 second\n2026-01-02 10:00:00 second\n2026-01-03 10:00:00 third\n";

/// A store with these lines.
fn with_log() -> Place {
    let place = Place::new();
    place.write("log", LOG);
    place.run(&["append", "--create", "store", "log"]).fine().prints("4 events stored");
    place
}

#[test]
fn what_was_appended_is_printed_sorted_by_time() {
    let place = with_log();
    assert_eq!(place.run(&["read", "store"]).fine().text(), SORTED);
    let reversed: String = SORTED.lines().rev().map(|line| format!("{line}\n")).collect();
    assert_eq!(place.run(&["read", "-r", "store"]).fine().text(), reversed);
}

#[test]
fn the_same_input_stores_nothing_again_if_absent_and_all_of_it_otherwise() {
    let place = with_log();
    place.run(&["append", "--absent", "store", "log"]).fine().prints("0 events stored, 4 there already");
    assert_eq!(place.run(&["read", "store"]).fine().text(), SORTED);
    // A log that has grown gives what is new in it.
    place.write("log", format!("{LOG}2026-01-02 10:00:00 second\n2026-01-04 10:00:00 fourth\n"));
    let report = place.run(&["append", "--absent", "--json", "store", "log"]).fine().json();
    assert_eq!((&report["stored"], &report["present"], &report["complete"]), (&2.into(), &4.into(), &true.into()));
    place.run(&["append", "store", "log"]).fine();
    assert_eq!(place.run(&["read", "store"]).fine().text().lines().count(), 12);
}

#[test]
fn equal_lines_have_ids_that_count_them() {
    let place = with_log();
    let events = place.run(&["read", "-o", "json", "store"]).fine().text();
    let ids: Vec<u64> =
        events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [0, 0, 1, 0]);
}

#[test]
fn several_files_are_one_input() {
    let place = Place::new();
    place.write("one", "2026-01-01 a\n2026-01-02 b\n");
    place.write("two", "2026-01-02 b\n2026-01-03 c");
    for stored in [4, 0] {
        place.run(&["append", "--create", "--absent", "store", "one", "two"]).fine().prints(&format!("{stored} events stored"));
    }
}

#[test]
fn standard_input_has_the_time_at_which_it_comes() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"one\ntwo\n\nno end").fine().prints("4 events stored");
    assert_eq!(place.run(&["read", "store"]).fine().text(), "one\ntwo\n\nno end\n");
    assert_eq!(place.run(&["read", "--since", "1h", "store"]).fine().text(), "one\ntwo\n\nno end\n");
    assert_eq!(place.run(&["read", "--to", "2020-01-01", "store"]).fine().text(), "");
    // Lines with times in them are worth a word.
    place.run_with(&["append", "store"], b"2026-01-01 10:00:00 x\n").ends(0).says("--time-format auto");
    place.run_with(&["append", "-q", "store"], b"2026-01-01 10:00:00 x\n").fine();
    place.run_with(&["append", "--absent", "store"], b"x\n").ends(2).says("--time-format");
    place.run_with(&["append", "--absent", "--time-field", "1", "store"], b"2026-01-01 x\n").fine();
}

#[test]
fn any_bytes_come_through() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..=255u8).filter(|b| *b != b'\n').chain(*b"\n\xff\xfe\n\r\n").collect();
    place.run_with(&["append", "--create", "store"], &bytes).fine();
    assert_eq!(place.run(&["read", "store"]).fine().stdout, bytes);
    let as_json = place.run(&["read", "-o", "json", "store"]).fine();
    assert!(as_json.text().contains("\"base64\":\"//4=\""), "{}", as_json.text());
    place.run_with(&["append", "--create", "-i", "json", "copy"], &as_json.stdout).fine();
    assert_eq!(place.run(&["read", "copy"]).fine().stdout, bytes);
    // Times and ids come along, so that the two hold the same.
    place.run(&["diff", "store", "copy"]).fine();

    let nul = b"two\nlines\0and\xff\0";
    place.run_with(&["append", "--create", "-0", "nul"], nul).fine().prints("2 events");
    assert_eq!(place.run(&["read", "-0", "nul"]).fine().stdout, nul);
    assert_eq!(place.run(&["read", "-o", "raw", "nul"]).fine().stdout, b"two\nlinesand\xff");
}

#[test]
fn times_are_read_as_the_format_says() {
    let place = Place::new();
    for (name, options, line, time) in [
        ("epoch", vec!["--time-format", "epoch"], "7.5 x", "1970-01-01T00:00:07.500Z"),
        ("field", vec!["--time-field", "2"], "2020-01-01 1700000000 x", "2023-11-14T22:13:20Z"),
        ("pattern", vec!["--time-format", "%d.%m.%y %H:%M"], "24.12.25 18:30 x", "2025-12-24T18:30:00Z"),
        ("year", vec!["--time-format", "syslog", "--year", "1999"], "Dec 24 18:30:00 x", "1999-12-24T18:30:00Z"),
        ("zone", vec!["--time-format", "iso", "--zone", "Asia/Tokyo"], "2026-01-01 00:00:00 x", "2025-12-31T15:00:00Z"),
    ] {
        let mut args = vec!["append", "--create", name];
        args.extend(options);
        place.run_with(&args, format!("{line}\n").as_bytes()).fine();
        assert_eq!(place.run(&["read", "-o", "time", name]).fine().text(), format!("{time}\t{line}\n"));
    }
    assert_eq!(place.run(&["read", "-o", "ns", "epoch"]).fine().text(), "7500000000\t7.5 x\n");
    let tokyo = place.run(&["read", "-o", "time", "--zone", "Asia/Tokyo", "zone"]).fine();
    assert_eq!(tokyo.text(), "2026-01-01T00:00:00+09:00\t2026-01-01 00:00:00 x\n");
    place.run(&["append", "zone", "--time-format", "anything"]).ends(2).says("strftime");
    place.run(&["append", "zone", "--zone", "Nowhere/Else"]).ends(2).says("Nowhere/Else");
}

#[test]
fn lines_without_a_time_are_left_out_and_named() {
    let place = Place::new();
    let text = "no time\n2026-01-01 10:00:00 a\n\tat a stack\n2026-01-01 09:00:00 b\n";
    let log = place.write("log", text);
    let log = log.to_str().unwrap();
    place
        .run(&["append", "--create", "out", log])
        .ends(1)
        .prints("2 events stored; 2 lines left out")
        .says("log:1: left out")
        .says("log:3: left out");
    assert_eq!(place.run(&["read", "out"]).fine().text(), "2026-01-01 09:00:00 b\n2026-01-01 10:00:00 a\n");

    place
        .run(&["append", "--create", "previous", "--time-fallback", "previous", log])
        .ends(1)
        .says("log:1: left out")
        .says("log:3: no readable time; it gets");
    assert_eq!(place.run(&["read", "previous"]).fine().text(), "2026-01-01 09:00:00 b\n2026-01-01 10:00:00 a\n\tat a stack\n");

    place.run(&["append", "--create", "now", "--time-fallback", "now", log]).ends(0).prints("4 events stored, 2 of them without");
    assert_eq!(place.run(&["read", "now", "-n", "2"]).fine().text(), "no time\n\tat a stack\n");

    // Many are counted, and the first of them named.
    let report = place.run_with(&["append", "out", "--time-format", "auto", "--json"], "x\n".repeat(1000).as_bytes()).ends(1);
    assert_eq!(report.json()["left_out"], 1000);
    assert_eq!(report.stderr.lines().filter(|line| line.contains("left out")).count(), 10);
    assert!(report.stderr.contains("990 lines"), "{}", report.stderr);
    let quiet = place.run_with(&["append", "out", "--time-format", "auto", "-q"], b"x\n").ends(1);
    assert_eq!((quiet.text(), quiet.stderr), (String::new(), String::new()));
}

#[test]
fn lines_that_are_too_long_are_left_out() {
    let place = Place::new();
    let text = format!("{}\nshort\n{}", "x".repeat(2000), "y".repeat(3_000_000));
    place
        .run_with(&["append", "--create", "--max-event", "1K", "store"], text.as_bytes())
        .ends(1)
        .says("standard input:1:")
        .says("standard input:3:");
    assert_eq!(place.run(&["read", "store"]).fine().text(), "short\n");
}

#[test]
fn json_lines_are_what_they_say() {
    let place = Place::new();
    let lines = [
        r#"{"time":1700000000000000000,"id":5,"data":"number"}"#,
        r#"{"time":"2023-11-14T22:13:21Z","data":"text \" \u00e9"}"#,
        r#"{"data":{"an":["object"]},"time":"1700000002"}"#,
        r#"{"time":"2023-11-14T22:13:23Z","data":"twice"}"#,
        r#"{"time":"2023-11-14T22:13:23Z","data":"twice"}"#,
    ];
    let bad = [
        "not json",
        r#"{"data":"no time"}"#,
        r#"{"time":-1,"data":"x"}"#,
        r#"{"time":1}"#,
        r#"{"time":1,"id":4294967296,"data":""}"#,
        r#"{"time":1,"base64":"%"}"#,
    ];
    let all = format!("{}\n{}\n", lines.join("\n"), bad.join("\n"));
    let ran =
        place.run_with(&["append", "--create", "-i", "json", "store"], all.as_bytes()).ends(1).prints("5 events stored; 6 lines left out");
    for line in 6..=11 {
        assert!(ran.stderr.contains(&format!("standard input:{line}: ")), "{}", ran.stderr);
    }
    assert_eq!(place.run(&["read", "store"]).fine().text(), "number\ntext \" é\n{\"an\":[\"object\"]}\ntwice\ntwice\n");
    let events = place.run(&["read", "-o", "json", "store"]).fine().text();
    assert!(events.starts_with("{\"time\":1700000000000000000,\"seq\":1,\"id\":5,\"data\":\"number\"}\n"), "{events}");
    place.run_with(&["append", "--absent", "-i", "json", "store"], all.as_bytes()).ends(1).prints("0 events stored, 5 there already");
    let seconds = br#"{"time":7,"data":"x"}"#;
    place.run_with(&["append", "--create", "-i", "json", "--time-format", "epoch", "seconds"], seconds).fine();
    assert_eq!(place.run(&["read", "-o", "ns", "seconds"]).fine().text(), "7000000000\tx\n");
}

#[test]
fn ranges_have_both_ends_and_days_count_whole() {
    let place = with_log();
    let read = |range: &[&str]| place.run(&[&["read", "store"], range].concat()).fine().text();
    let lines = |from: usize, to: usize| SORTED.lines().skip(from).take(to - from).map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(read(&["--from", "2026-01-02"]), lines(1, 4));
    assert_eq!(read(&["--to", "2026-01-02"]), lines(0, 3));
    assert_eq!(read(&["--from", "2026-01-02T10:00:00", "--to", "2026-01-02T10:00:00"]), lines(1, 3));
    assert_eq!(read(&["--to", "2026-01-02T09:59:59"]), lines(0, 1));
    assert_eq!(read(&["--from", "@1767261600", "--to", "@1767261600"]), lines(0, 1));
    assert_eq!(read(&["-n", "2"]), lines(2, 4));
    assert_eq!(read(&["-n", "2", "--to", "2026-01-02"]), lines(1, 3));
    assert_eq!(read(&["-n", "0"]), "");
    assert_eq!(read(&["-n", "1", "-r"]), lines(3, 4));
    assert_eq!(read(&["--since", "9999d", "-n", "99"]), SORTED);
    place.run(&["read", "store", "--from", "2026-01-02", "--to", "2026-01-01"]).ends(2).says("the range ends at");
    place.run(&["read", "store", "--from", "yesteryear"]).ends(2).says("\"yesteryear\" is no time");
}

#[test]
fn settings_are_given_when_a_store_is_made() {
    let place = Place::new();
    place.run_with(&["append", "--create", "--file-size", "1h", "--grace", "5s", "store"], b"x\n").fine();
    let stat = place.run(&["stat", "--json", "store"]).fine().json();
    assert_eq!(
        (&stat["file_size_ns"], &stat["grace_ns"], &stat["kind"]),
        (&3_600_000_000_000u64.into(), &5_000_000_000u64.into(), &"estore".into())
    );
    place.run_with(&["append", "--create", "--file-size", "1d", "store"], b"x\n").ends(2).says("made with file_size 1h, not 1d");
    place.run_with(&["append", "--file-size", "1d", "store"], b"x\n").ends(2).says("--create");
    place.run_with(&["append", "--create", "--efile", "efile"], b"x\n").fine();
    assert_eq!(place.run(&["stat", "--json", "efile"]).fine().json()["kind"], "efile");
    assert_eq!(place.run(&["read", "efile"]).fine().text(), "x\n");
    place.run(&["delete", "efile", "--before", "now"]).ends(2).says("an efile");
}

#[test]
fn every_durability_stores_everything() {
    let place = Place::new();
    for durability in ["buffered", "process", "interval", "interval=10ms", "power"] {
        place.run_with(&["append", "--create", "--durability", durability, durability], b"a\nb\n").fine();
        assert_eq!(place.run(&["read", durability]).fine().text(), "a\nb\n");
        let stat = place.run(&["stat", "--json", durability]).fine().json();
        assert_eq!(stat["durable_seq"], stat["last_seq"]);
    }
    place.run_with(&["append", "power", "--durability", "eternal"], b"x\n").ends(2).says("buffered, process, interval");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new();
    let many: String = (0..200_000).map(|i| format!("line {i}\n")).collect();
    place.run_with(&["append", "--create", "store"], many.as_bytes()).fine();
    for line in [
        "estore read store | head -n 1",
        "estore read -r -o json store | head -n 1",
        "estore stat store | head -n 1",
        "estore export store | head -c 1",
    ] {
        let output = place.shell(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    }
}
