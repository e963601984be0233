//! What README.md shows of the tool is what it does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::Place;

/// The fenced blocks of README.md: their language and their text.
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push((language.to_owned(), text));
        }
    }
    blocks
}

#[test]
fn the_first_lines_do_what_they_say() {
    let blocks = blocks();
    let [(language, script), (_, printed), ..] = &blocks[..] else { panic!("README.md shows nothing") };
    assert!(language == "sh" && script.contains("estore append"), "README.md begins with another example:\n{script}");
    let output = Place::new().shell(script);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(&String::from_utf8(output.stdout).unwrap(), printed);
}

#[test]
fn the_table_names_every_command() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let table: String =
        readme.lines().skip_while(|line| *line != "## The command-line tool").filter(|line| line.starts_with("| `")).collect();
    let help = Place::new().run(&["--help"]).fine().text();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 15, "{commands:?}");
    for command in commands {
        assert!(table.contains(&format!("`{command} ")), "{command} is not in README.md");
    }
}
