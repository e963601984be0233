//! The C ABI as C programs see it: each program in `tests/c` is compiled against the shared and the static library and run, under valgrind
//! too where there is one, and all once more with sanitizers. What a linker sees of the library is in `tests/library.rs`.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use native::*;

mod native;

fn check_program(name: &str, language: &str) {
    let folder = tempfile::tempdir().unwrap();
    let source = root().join("tests/c").join(name).with_extension("c");
    let shared = compile(&source, language, Linking::Shared, folder.path());
    let output = start(Command::new(&shared));
    assert!(output.stderr.is_empty() && output.stdout.is_empty(), "{name}: something was printed: {output:?}");
    start(Command::new(compile(&source, language, Linking::Static, folder.path())));
    if has_valgrind() {
        start(under_valgrind(&shared));
    }
}

macro_rules! programs {
    ($($name:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                check_program(stringify!($name), "c99");
            }
        )*
    };
}

programs! {
    append_absent
    bad_batches_store_nothing
    bad_paths
    callbacks_call_the_library
    closing_in_every_order
    columns
    compact
    compress
    dead_writers_lock_is_free
    delete_before
    durations
    efile_does_the_same
    events_that_happen_now
    every_allowed_combination
    forked_child_may_only_close
    iterator_outlives_its_store
    late_data
    layout
    log_callback
    log_callback_calls_its_store
    messages_name_file_and_cause
    nothing_leaks
    nulls
    numbers_of_a_store
    options_out_of_range
    options_serve_many_stores
    replicas
    retain
    reverse_and_last
    round_trip_in_order
    second_writer_is_refused
    snapshot
    splits_cover_a_range
    tail
    two_threads
    verify_and_salvage
    views_end_at_the_next_call
    wrong_handle
    zero_and_huge_lengths
}

/// Programs that do wrong, and what valgrind must say of each: so it is on, and would have found the same in the others.
#[test]
fn valgrind_finds_what_is_planted() {
    if !has_valgrind() {
        println!("skipped: there is no valgrind");
        return;
    }
    let planted = [
        ("leaked_store", "definitely lost"),
        ("leaked_iterator", "definitely lost"),
        ("leaked_options", "definitely lost"),
        ("view_that_ended", "Invalid read"),
        ("closed_handle", "Invalid read"),
    ];
    for (name, finding) in planted {
        let folder = tempfile::tempdir().unwrap();
        let source = root().join("tests/c/planted").join(name).with_extension("c");
        let program = compile(&source, "c99", Linking::Shared, folder.path());
        let output = under_valgrind(&program).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(VALGRIND_FOUND_SOMETHING), "{name}: {said}");
        assert!(said.contains(finding), "{name}: {said}");
    }
}

/// All programs with sanitizers, in one executable: linking the static library takes longer than all else here. It runs the program that its
/// argument names.
fn sanitized(folder: &Path) -> PathBuf {
    let flags = [&SANITIZERS[..], &["-std=c99", "-g", "-c"]].concat();
    let (mut objects, mut declarations, mut calls) = (Vec::new(), String::new(), String::new());
    let programs = PROGRAMS.iter().map(|name| (*name, root().join("tests/c").join(name)));
    let planted = SANITIZERS_FIND.iter().map(|(name, _)| (*name, root().join("tests/c/planted").join(name)));
    for (name, source) in programs.chain(planted) {
        let object = folder.join(name).with_extension("o");
        let mut compiler = Command::new("cc");
        compiler.args(&flags).arg(format!("-Dmain=main_of_{name}")).arg("-I").arg(root().join("include"));
        run(compiler.arg(source.with_extension("c")).arg("-o").arg(&object));
        objects.push(object);
        declarations += &format!("int main_of_{name}(void);\n");
        calls += &format!("    if (strcmp(argv[1], \"{name}\") == 0) return main_of_{name}();\n");
    }
    let source = folder.join("all.c");
    let text =
        format!("#include <string.h>\n{declarations}int main(int argc, char **argv)\n{{\n    (void)argc;\n{calls}    return 2;\n}}\n");
    fs::write(&source, text).unwrap();
    let sources: Vec<&Path> = [&source].into_iter().chain(&objects).map(PathBuf::as_path).collect();
    compile_with(&SANITIZERS, &sources, "c99", Linking::Static, folder)
}

/// Programs that do wrong, and what the sanitizers must say of each: so they are on, and would have found the same in the others.
const SANITIZERS_FIND: [(&str, &str); 3] = [
    ("leaked_options", "LeakSanitizer: detected memory leaks"),
    ("view_that_ended", "AddressSanitizer: heap-use-after-free"),
    ("number_that_overflows", "runtime error: signed integer overflow"),
];

#[test]
fn sanitizers_find_only_what_is_planted() {
    let folder = tempfile::tempdir().unwrap();
    let all = sanitized(folder.path());
    // A child of this one takes memory, and the lock on AddressSanitizer's memory may be held for ever by a thread that only the parent has
    // (seen with GCC 12).
    for name in PROGRAMS.iter().filter(|name| **name != "forked_child_may_only_close") {
        let mut command = Command::new(&all);
        command.arg(name);
        start(command);
    }
    for (name, finding) in SANITIZERS_FIND {
        let output = Command::new(&all).arg(name).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(finding), "{name}: {}: {said}", output.status);
    }
}

#[test]
fn every_program_is_run() {
    assert_eq!(programs_in("tests/c"), PROGRAMS.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn the_header_is_cplusplus_too() {
    check_program("layout", "c++11");
    check_program("round_trip_in_order", "c++17");
}

#[test]
fn every_function_is_called_with_nulls() {
    let nulls = fs::read_to_string(root().join("tests/c/nulls.c")).unwrap();
    for name in declared() {
        assert!(nulls.contains(&format!("{name}(")), "tests/c/nulls.c does not call {name}");
    }
}

#[test]
fn the_program_in_the_header_runs() {
    let header = fs::read_to_string(root().join("include/estore.h")).unwrap();
    let program: Vec<&str> =
        header.lines().filter_map(|line| line.strip_prefix(" *     ")).take_while(|line| !line.starts_with("cc ")).collect();
    assert!(program.len() > 10, "no program was found in the header");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    fs::write(&source, program.join("\n") + "\n").unwrap();
    let output = start(Command::new(compile(&source, "c99", Linking::Shared, folder.path())));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(" hello\n"), "{output:?}");
}

#[test]
fn the_quickstart_runs() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&root().join("examples/c/quickstart.c"), "c99", Linking::Shared, folder.path());
    let output = start(if has_valgrind() { under_valgrind(&program) } else { Command::new(&program) });
    assert!(!output.stdout.is_empty());
}

#[test]
fn the_demo_checks_itself() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile(&root().join("examples/c/demo.c"), "c99", Linking::Shared, folder.path());
    // Out of order, repeated, with every way to write a time, and lines without one.
    let mut log = String::from("a line without a time\n");
    for i in 0..5_000_u32 {
        let (day, second) = (1 + i / 1_000, i * 7 % 1_000);
        log += &match i % 5 {
            0 => format!("2024-03-{day:02} 10:{:02}:{:02} line {i}\n", second / 60, second % 60),
            1 => format!("2024-03-{day:02}T10:{:02}:{:02}.{second:03}Z line {i}\n", second / 60, second % 60),
            2 => format!("2024-03-{day:02}T10:{:02}:{:02},5+01:00 line {i}\n", second / 60, second % 60),
            3 => format!("{}.{i:09} line {i}\n", 1_709_200_000 + u64::from(day) * 86_400 + u64::from(second)),
            _ => format!("{} line {i}\r\n", 1_709_200_000 + u64::from(day) * 86_400 + u64::from(second)),
        };
    }
    log.pop();
    let file = folder.path().join("log");
    fs::write(&file, log).unwrap();
    let mut command = Command::new(&program);
    command.args(["-s", "1d", "-g", "10s"]).arg(&file);
    let output = start(command);
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in ["5,000", "1 line", "forwards and backwards"] {
        assert!(text.contains(expected), "no \"{expected}\" in:\n{text}");
    }
    if has_valgrind() {
        let mut command = under_valgrind(&program);
        command.arg(&file);
        start(command);
    }
    let refused = Command::new(&program).arg("-x").output().unwrap();
    assert!(!refused.status.success());
}
