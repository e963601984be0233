//! Commands on a whole store: what they report, what they change, and how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use common::Place;

/// Ten days with a hundred events each, the last day's out of order.
fn with_days() -> Place {
    let place = Place::new();
    let line = |day: u64, i: u64| format!("2026-01-{:02} 10:{:02}:{:02} event {i}\n", day + 1, i / 60, i % 60);
    let mut log: String = (0..9).flat_map(|day| (0..100).map(move |i| line(day, i))).collect();
    log.extend((0..100).map(|i| line(9, 99 - i)));
    place.write("log", log);
    place.run(&["append", "--create", "store", "log"]).fine();
    place
}

/// The logs of a store, by chunk.
fn logs(place: &Place, store: &str) -> Vec<PathBuf> {
    place.files(store).into_iter().map(|(path, _)| path).filter(|path| path.extension().is_some_and(|ext| ext == "estore")).collect()
}

fn damage(path: &PathBuf, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn stat_tells_what_is_there() {
    let place = with_days();
    let text = place.run(&["stat", "store"]).fine().text();
    for part in [
        "file size 1d, grace 1m",
        "1,000",
        "2026-01-01T10:00:00Z",
        "2026-01-10T10:01:39Z",
        "time span              9 d\n",
        "in order",
        "up to 10 m",
        "events over time",
        "█",
    ] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    let stat = place.run(&["stat", "--json", "store"]).fine().json();
    assert_eq!((&stat["events"], &stat["chunks"], &stat["last_seq"]), (&1000.into(), &10.into(), &1000.into()));
    let over_time: u64 = stat["over_time"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(over_time, 1000);
    // 99 came behind the first of the last day, the last of them by 99 seconds.
    assert_eq!(stat["most_late_ns"], 99_000_000_000u64);
    let lateness: Vec<u64> = stat["lateness"].as_array().unwrap().iter().map(|class| class["events"].as_u64().unwrap()).collect();
    assert_eq!(lateness, [901, 0, 1, 9, 50, 39, 0, 0, 0, 0]);
    assert!(place.run(&["stat", "--json", "--quick", "store"]).fine().json().get("lateness").is_none());
    // An empty store has no picture, and no oldest event.
    place.run_with(&["append", "--create", "empty"], b"").fine();
    let empty = place.run(&["stat", "empty"]).fine().text();
    assert!(!empty.contains("oldest") && !empty.contains("over time"), "{empty}");
}

#[test]
fn a_terminal_without_block_characters_gets_others() {
    let place = with_days();
    let mut command = place.command(&["stat", "store"]);
    let text = String::from_utf8(command.env("LC_ALL", "C").output().unwrap().stdout).unwrap();
    assert!(text.is_ascii() && text.contains('#'), "{text}");
}

#[test]
fn verify_finds_damage_and_salvage_makes_a_store_of_the_rest() {
    let place = with_days();
    place.run(&["verify", "store"]).fine().prints("all is well");
    let before = place.files("store");
    let [_, second, third, ..] = &logs(&place, "store")[..] else { panic!("there are ten logs") };
    damage(second, 300);
    fs::remove_file(third).unwrap();
    let report = place.run(&["verify", "--json", "store"]).ends(1).json();
    assert_eq!(report["damaged"], 2);
    let file = report["findings"][0]["file"].as_str().unwrap();
    assert!(second.ends_with(file), "{file}");
    place.run(&["verify", "store"]).ends(1).prints("damage: store/").prints("damaged in 2 places");
    place.run(&["read", "store"]).ends(2).says("damaged at byte").says("estore salvage");
    place.run(&["stat", "store"]).ends(1).says("estore verify").prints("1,000");
    let rest =
        place.run(&["read", "--salvage", "store"]).ends(1).says("missing are events from 2026-01-02T10:00:00Z to 2026-01-02T10:01:39Z");
    assert_eq!(rest.text().lines().count(), 800);

    let damaged = place.files("store");
    let made = place.run(&["salvage", "store", "new"]).ends(1).prints("800 events salvaged").says("missing are events");
    assert!(made.stderr.contains("2026-01-03T10:00:00Z to 2026-01-03T10:01:39Z"), "{}", made.stderr);
    assert!(place.files("store") == damaged, "the damaged store stays as it is");
    place.run(&["verify", "new"]).fine();
    assert_eq!(place.run(&["read", "new"]).fine().stdout, rest.stdout);
    place.run(&["salvage", "store", "new"]).ends(2).says("new");

    // Put right again, nothing is missing.
    for (path, bytes) in &before {
        fs::write(path, bytes).unwrap();
    }
    place.run(&["salvage", "store", "again"]).fine().prints("1,000 events salvaged; nothing is missing");
    place.run(&["diff", "store", "again"]).fine();
}

#[test]
fn what_a_salvaged_store_had_deleted_stays_deleted() {
    let place = with_days();
    place.run(&["delete", "store", "--before", "2026-01-05T10:00:50"]).fine();
    place.run(&["salvage", "store", "new"]).fine().prints("550 events");
    let report = place.run(&["append", "--absent", "--json", "new", "log"]).fine().json();
    assert_eq!((&report["stored"], &report["present"], &report["expired"]), (&0.into(), &550.into(), &450.into()));
}

#[test]
fn settings_that_are_damaged_can_be_taken_from_a_snapshot() {
    let place = with_days();
    place.run(&["snapshot", "store", "copy"]).fine();
    damage(&place.path("store/estore"), 20);
    for command in [&["read", "store"][..], &["verify", "store"], &["salvage", "store", "new"]] {
        place.run(command).ends(2).says("store/estore: damaged").says("in a snapshot of it is the same one");
    }
    fs::copy(place.path("copy/estore"), place.path("store/estore")).unwrap();
    place.run(&["verify", "store"]).fine();
    place.run(&["diff", "store", "copy"]).fine();
}

#[test]
fn derived_files_that_are_wrong_are_found_too() {
    let place = with_days();
    let index =
        place.files("store").into_iter().map(|(path, _)| path).find(|path| path.extension().is_some_and(|ext| ext == "idx")).unwrap();
    damage(&index, 60);
    place.run(&["verify", "store"]).ends(1).prints("derived: store/").prints("nothing is lost");
    assert_eq!(place.run(&["read", "store"]).ends(0).text().lines().count(), 1000);
}

#[test]
fn compact_changes_files_and_not_what_is_in_them() {
    let place = with_days();
    let before = place.run(&["read", "store"]).fine().stdout;
    let digest = place.run(&["digest", "store"]).fine().stdout;
    place.run(&["compact", "store", "--compression", "lz4"]).fine().prints("10 chunks with 1,000 events compacted");
    place.run(&["compact", "store"]).fine().prints("nothing to compact");
    assert_eq!(place.run(&["read", "store"]).fine().stdout, before);
    assert_eq!(place.run(&["digest", "store"]).fine().stdout, digest);
    let report =
        place.run(&["compact", "store", "--compression", "none", "--from", "2026-01-03", "--to", "2026-01-04", "--json"]).fine().json();
    assert_eq!((&report["chunks"], &report["complete"]), (&2.into(), &true.into()));
    place.run(&["verify", "store"]).fine();
}

#[test]
fn delete_tells_first_and_then_does() {
    let place = with_days();
    let before = place.files("store");
    let told = place.run(&["delete", "store", "--before", "2026-01-05T10:00:50", "--dry-run"]).fine().prints("450 events would be deleted");
    assert!(told.text().contains("from 2026-01-01T10:00:00Z to before 2026-01-05T10:00:50Z), 550 left"), "{}", told.text());
    assert!(place.files("store") == before, "a dry run changes nothing");
    let report = place.run(&["delete", "store", "--before", "2026-01-05T10:00:50", "--json"]).fine().json();
    assert_eq!((&report["events"], &report["left"], &report["chunks"]), (&450.into(), &550.into(), &4.into()));
    assert!(place.run(&["read", "-n", "550", "store"]).fine().text().starts_with("2026-01-05 10:00:50"));
    place.run(&["delete", "store", "--before", "2026-01-05T10:00:50"]).fine().prints("0 events deleted, 550 left");
    // What is appended before the horizon later is not stored, and counted.
    let report = place.run(&["append", "--json", "store", "log"]).fine().json();
    assert_eq!((&report["stored"], &report["expired"]), (&550.into(), &450.into()));
}

#[test]
fn retain_tells_first_and_then_does() {
    let place = with_days();
    place.run(&["retain", "store", "--max-age", "3d", "-n"]).fine().prints("would be removed");
    assert_eq!(logs(&place, "store").len(), 10);
    let removed = place.run(&["retain", "store", "--max-age", "3d", "--json"]).fine().json();
    assert_eq!((&removed["chunks"], &removed["events"], &removed["dry_run"]), (&6.into(), &600.into(), &false.into()));
    assert_eq!(logs(&place, "store").len(), 4);
    place.run(&["retain", "store", "--max-size", "1K"]).fine().prints("removed");
    place.run(&["retain", "store", "--max-size", "1T"]).fine().prints("nothing to remove");
    place.run(&["retain", "store"]).ends(2).says("--max-age");
}

#[test]
fn a_snapshot_is_a_store_and_goes_on_from_an_earlier_one() {
    let place = with_days();
    place.run(&["snapshot", "store", "copy"]).fine().prints("up to seq 1000").prints("copied");
    place.run(&["diff", "store", "copy"]).fine();
    place.run_with(&["append", "--time-format", "auto", "store"], b"2026-02-01 one more\n").fine();
    place.run(&["diff", "store", "copy"]).ends(1);
    let report = place.run(&["snapshot", "--json", "store", "copy"]).fine().json();
    assert!(report["bytes_kept"].as_u64() > report["bytes_copied"].as_u64(), "{report}");
    place.run(&["diff", "store", "copy"]).fine();
    place.run_with(&["append", "--create", "other"], b"x\n").fine();
    place.run(&["snapshot", "other", "copy"]).ends(2).says("copy");
    place.run(&["snapshot", "store", "store"]).ends(2);
}

#[test]
fn digests_of_equal_stores_are_equal() {
    let place = with_days();
    // In another order, in other batches, with repeats, in chunks of another length.
    let mut lines: Vec<String> = fs::read_to_string(place.path("log")).unwrap().lines().map(|line| format!("{line}\n")).collect();
    lines.reverse();
    place.write("reversed", lines.concat());
    place.run(&["append", "--create", "--file-size", "1h", "other", "reversed"]).fine();
    place.run(&["append", "other", "log"]).fine();
    let digest = |store: &str, more: &[&str]| place.run(&[&["digest", store], more].concat()).fine().text();
    assert_eq!(digest("store", &[]), digest("other", &[]));
    assert!(digest("store", &[]).ends_with("  1000\n"));
    assert_eq!(digest("store", &["--width", "1d"]).lines().count(), 10);
    place.run_with(&["append", "--time-format", "auto", "other"], b"2026-01-03 13:00:00 one more\n").fine();
    assert_ne!(digest("store", &[]), digest("other", &[]));
    let (one, two) = (digest("store", &["--width", "1d"]), digest("other", &["--width", "1d"]));
    let differing: Vec<_> = one.lines().zip(two.lines()).filter(|(one, two)| one != two).collect();
    assert!(matches!(differing[..], [(one, _)] if one.contains("2026-01-03T00:00:00Z")), "{differing:?}");
    assert_eq!(digest("store", &["--to", "2026-01-02"]), digest("other", &["--to", "2026-01-02"]));
}

#[test]
fn diff_shows_what_repair_brings_over() {
    let place = with_days();
    place.run(&["snapshot", "store", "copy"]).fine();
    place.run_with(&["append", "--time-format", "auto", "store"], b"2026-01-03 13:00:00 only a\n").fine();
    place.run_with(&["append", "--time-format", "auto", "copy"], b"2026-01-03 13:00:00 only b\n2026-01-20 b\n").fine();
    let shown = place.run(&["diff", "store", "copy"]).ends(1).text();
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with(['<', '>'])).collect();
    assert_eq!(
        lines,
        [
            "< 2026-01-03T13:00:00Z\t2026-01-03 13:00:00 only a",
            "> 2026-01-03T13:00:00Z\t2026-01-03 13:00:00 only b",
            "> 2026-01-20T00:00:00Z\t2026-01-20 b"
        ]
    );
    let brief = place.run(&["diff", "-b", "store", "copy"]).ends(1).text();
    assert!(!brief.contains("only a") && brief.contains("1,000 events"), "{brief}");
    let json = place.run(&["diff", "--json", "store", "copy"]).ends(1).text();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["only_in_a"], &last["only_in_b"], &last["in_both"]), (&1.into(), &2.into(), &1000.into()));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["only_in"], &first["event"]["data"]), (&"a".into(), &"2026-01-03 13:00:00 only a".into()));
    place.run(&["diff", "store", "copy", "--to", "2026-01-02"]).fine();

    place.run(&["repair", "store", "copy"]).fine().prints("2 events added");
    place.run(&["diff", "store", "copy"]).ends(1).prints("only in copy:     nothing");
    let report = place.run(&["repair", "--both-ways", "--json", "store", "copy"]).fine().json();
    assert_eq!((&report["to"]["copied"], &report["from"]["copied"]), (&0.into(), &1.into()));
    place.run(&["diff", "store", "copy"]).fine();
    // What one has deleted is compared in neither, and not brought back.
    place.run(&["delete", "copy", "--before", "2026-01-09"]).fine();
    place.run(&["diff", "store", "copy"]).fine().prints("not compared:");
    place.run(&["repair", "copy", "store"]).fine().prints("0 events added");
}

#[test]
fn a_damaged_store_is_given_what_it_lost() {
    let place = with_days();
    place.run(&["snapshot", "store", "copy"]).fine();
    damage(&logs(&place, "store")[1], 300);
    let report = place.run(&["repair", "--json", "store", "copy"]).ends(1).says("missing are events from 2026-01-02T10:00:00Z").json();
    assert_eq!((&report["to"]["copied"], &report["gaps"], &report["own_gaps"]), (&100.into(), &0.into(), &1.into()));
    let whole = place.run(&["read", "--salvage", "store"]).ends(1).text();
    assert_eq!(whole, place.run(&["read", "copy"]).fine().text());
    // What gives is damaged: what is whole of it is taken.
    damage(&logs(&place, "copy")[4], 300);
    place.run_with(&["append", "--create", "new"], b"").fine();
    let report = place.run(&["repair", "--json", "new", "copy"]).ends(1).json();
    assert_eq!((&report["to"]["copied"], &report["gaps"], &report["own_gaps"]), (&900.into(), &1.into(), &0.into()));
}

#[test]
fn exports_are_imported_elsewhere() {
    let place = with_days();
    let output = place.shell("estore export store | estore import --create --file-size 1h pipe");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1,000 events stored"));
    place.run(&["diff", "store", "pipe"]).fine();

    place.run(&["export", "store", "-o", "file", "--to", "2026-01-05"]).fine().prints("500 events exported");
    place.run(&["import", "--create", "some", "file"]).fine().prints("500 events stored");
    place.run(&["import", "some", "file", "file"]).fine().prints("0 events stored, 1,000 there already");
    place.run(&["import", "--create", "--efile", "efile", "file"]).fine().prints("500 events stored");

    // Cut anywhere, it is refused from there on.
    let whole = fs::read(place.path("file")).unwrap();
    for cut in [1, 23, 24, 100, whole.len() - 1] {
        place.write("cut", &whole[..cut]);
        place.run(&["import", "some", "cut"]).ends(2).says("cut: the parcel that begins at byte 0");
    }
    let mut twice = whole.clone();
    twice.extend_from_slice(&whole[..50]);
    place.write("twice", &twice);
    place
        .run(&["import", "--create", "begun", "twice"])
        .ends(2)
        .prints("500 events stored")
        .says(&format!("begins at byte {}", whole.len()));
    place.run_with(&["import", "some"], b"some text that is no parcel at all, and long enough for one").ends(2).says("standard input");
    let mut huge = b"estparcl\x01\0\0\0\x01\0\0\0".to_vec();
    huge.extend_from_slice(&u64::MAX.to_le_bytes());
    place.run_with(&["import", "some"], &huge).ends(2).says("standard input");
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let place = with_days();
    damage(&logs(&place, "store")[3], 300);
    place.run(&["export", "store", "-o", "file"]).ends(2).says("damaged");
    let left: Vec<_> = fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with("file")), "{left:?}");
    place.run(&["export", "store", "-o", "file", "--salvage"]).ends(1).prints("900 events exported").says("missing are events");
    place.run(&["import", "--create", "new", "file"]).fine().prints("900 events stored");
}

#[test]
fn bench_measures_and_cleans_up() {
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    place.run(&["bench", "disk", "--size", "2M", "--rounds", "1"]).fine().prints("of the plain write").prints("of the plain read");
    let report = place.run(&["bench", "disk", "--size", "2M", "--rounds", "2", "--json"]).fine().json();
    assert_eq!(report["seconds"].as_array().unwrap().len(), 2);
    assert!(report["append_ratio"].as_f64().unwrap() > 0.0 && report["scan_ratio"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(fs::read_dir(place.path("disk")).unwrap().count(), 0);
    place.run(&["bench", "nowhere"]).ends(2).says("nowhere: no folder");
}

#[test]
fn every_command_explains_itself_and_completes() {
    let place = Place::new();
    let help = place.run(&["--help"]).fine().text();
    for command in [
        "append", "read", "stat", "verify", "salvage", "compact", "delete", "retain", "snapshot", "digest", "diff", "repair", "export",
        "import", "bench",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in the help");
        place.run(&[command, "--help"]).fine().prints("Usage: estore");
        place.run(&[command, "--nonsense"]).ends(2).says("--nonsense");
    }
    place.run(&["--version"]).fine().prints(&format!("estore {}", env!("CARGO_PKG_VERSION")));
    place.run(&[]).ends(2).says("Usage: estore");
    let script = place.run(&["completions", "bash"]).fine();
    place.write("completions", &script.stdout);
    assert!(place.shell("bash -n completions && grep -q time-fallback completions").status.success());
    fs::create_dir(place.path("man")).unwrap();
    place.run(&["man", "--into", "man"]).fine();
    let page = fs::read_to_string(place.path("man/estore-append.1")).unwrap();
    assert!(page.contains("time\\-fallback") && page.is_ascii(), "{page}");
    assert!(fs::read_to_string(place.path("man/estore.1")).unwrap().contains("estore\\-append(1)"));
}
