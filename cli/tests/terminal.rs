//! What is different in a terminal: bars, colours, typing, Ctrl-C. And that none of it is there in a pipe.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;

use common::Place;
use rexpect::session::{PtySession, spawn_command};

const ESC: char = '\x1b';

/// Starts the tool in a terminal of its own. What does not come within a minute never comes.
fn terminal(place: &Place, args: &[&str], env: &[(&str, &str)]) -> PtySession {
    let mut command = place.command(args);
    command.env("TERM", "xterm-256color").envs(env.iter().copied());
    spawn_command(command, Some(60_000)).unwrap()
}

/// How it ended, as text: `Exited(1234, 0)`, `Signaled(1234, SIGINT, false)`.
fn ended(session: &PtySession) -> String {
    format!("{:?}", session.process().wait().unwrap())
}

/// All that it shows until its end, which is to be a good one.
fn shown(mut session: PtySession) -> String {
    let text = session.exp_eof().unwrap();
    let ended = ended(&session);
    assert!(ended.starts_with("Exited(") && ended.ends_with(", 0)"), "{ended}: {text}");
    text
}

/// A log that takes a moment.
fn with_long_log() -> Place {
    let place = Place::new();
    let log: String = (0..300_000u64).map(|i| format!("{} line {i} of a long log\n", 1_700_000_000 + i / 100)).collect();
    place.write("log", log);
    place
}

#[test]
fn a_bar_is_shown_in_a_terminal_and_in_no_pipe() {
    let place = with_long_log();
    let text = shown(terminal(&place, &["append", "--create", "store", "log"], &[]));
    assert!(text.contains("appending [") && text.contains("/s"), "{text:?}");
    assert!(text.contains("300,000 events stored"), "{text:?}");
    let text = shown(terminal(&place, &["digest", "store"], &[]));
    assert!(text.contains("reading [") && text.contains("of 300,000 events"), "{text:?}");
    let pipe = place.run(&["append", "--create", "piped", "log"]).fine().text();
    assert_eq!(pipe, "piped:  300,000 events stored\n");
    let dumb = shown(terminal(&place, &["append", "--create", "dumb", "log"], &[("TERM", "dumb")]));
    assert_eq!(dumb, "dumb:  300,000 events stored\r\n");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"one\ntwo\n").fine();
    for args in [&["stat", "store"][..], &["read", "-o", "time", "store"], &["verify", "store"], &["read", "nowhere"]] {
        let with = |env: &[(&str, &str)]| terminal(&place, args, env).exp_eof().unwrap();
        assert!(with(&[]).contains("\x1b["), "{args:?} without colours: {:?}", with(&[]));
        // A bar may come and go.
        let bar = ["\x1b[2K", "\x1b[1A", "\x1b[1B", "\x1b[?25l", "\x1b[?25h"];
        let no_color = bar.iter().fold(with(&[("NO_COLOR", "1")]), |text, code| text.replace(code, ""));
        assert!(!no_color.contains("\x1b["), "{args:?} with NO_COLOR: {no_color:?}");
        let dumb = with(&[("TERM", "dumb")]);
        assert!(!dumb.contains(ESC), "{args:?} in a dumb terminal: {dumb:?}");
        let pipe = place.run(args);
        assert!(!pipe.text().contains(ESC) && !pipe.stderr.contains(ESC), "{args:?} in a pipe: {:?}", pipe.text());
    }
}

#[test]
fn typed_lines_are_stored() {
    let place = Place::new();
    let mut session = terminal(&place, &["append", "--create", "store"], &[]);
    session.send_line("typed one").unwrap();
    session.send_line("typed two").unwrap();
    session.send_control('d').unwrap();
    session.exp_string("2 events stored").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(place.run(&["read", "store"]).fine().text(), "typed one\ntyped two\n");
}

#[test]
fn ctrl_c_tells_how_far_it_came() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"").fine();
    let mut follower = place.start(&["read", "-f", "store"]);
    let mut seen = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut session = terminal(&place, &["append", "store"], &[]);
    for line in ["typed one", "typed two"] {
        session.send_line(line).unwrap();
        assert_eq!(seen.next().unwrap().unwrap(), line);
    }
    session.send("half a line").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("2 events stored").unwrap();
    session.exp_string("ended by Ctrl-C: all up to line 2 of standard input is stored").unwrap();
    session.exp_eof().unwrap();
    let ended = ended(&session);
    assert!(ended.starts_with("Signaled(") && ended.contains("SIGINT"), "{ended}");
    assert_eq!(place.run(&["read", "store"]).fine().text(), "typed one\ntyped two\n");
    follower.kill().unwrap();
    assert_eq!(follower.wait().unwrap().signal(), Some(9));
}

#[test]
fn ctrl_c_ends_following() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"one\ntwo\n").fine();
    let mut session = terminal(&place, &["read", "-n", "1", "-f", "store"], &[]);
    session.exp_string("two\r\n").unwrap();
    place.run_with(&["append", "store"], b"three\n").fine();
    session.exp_string("three\r\n").unwrap();
    session.send_control('c').unwrap();
    session.exp_eof().unwrap();
    let ended = ended(&session);
    assert!(ended.starts_with("Signaled(") && ended.contains("SIGINT"), "{ended}");
}

#[test]
fn parcels_are_not_for_terminals() {
    let place = Place::new();
    place.run_with(&["append", "--create", "store"], b"one\n").fine();
    let mut session = terminal(&place, &["export", "store"], &[]);
    session.exp_string("-o FILE").unwrap();
    session.exp_eof().unwrap();
    let ended = ended(&session);
    assert!(ended.starts_with("Exited(") && ended.ends_with(", 2)"), "{ended}");
}
