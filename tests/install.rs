//! estore as those find it who did not build it: installed somewhere, linked by way of pkg-config and of CMake, shared and static, opened
//! by dlopen; and what installing leaves, and uninstalling does not.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use native::installed::{make, prefix, variable};
use native::{WARNINGS, root, run, start, text_of};

mod native;

/// A program that checks itself.
fn program() -> PathBuf {
    root().join("tests/c/round_trip_in_order.c")
}

/// What pkg-config says about estore in a prefix, as words of a command line.
fn pkg_config(prefix: &Path, flags: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    let said = text_of(command.args(flags).arg("estore").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")));
    // Its answer is meant for a shell, which takes the quoting off.
    text_of(Command::new("sh").arg("-c").arg(format!("printf '%s\\n' {said}"))).lines().map(str::to_owned).collect()
}

/// Compiles and runs a program against the library in `prefix`, with these words after its source; answers what it needs at run time.
fn build_and_run(prefix: &Path, language: &str, source: &Path, words: &[String], arguments: &[&Path]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let built = folder.path().join("program");
    let mut compiler = Command::new(if language.contains("++") { "c++" } else { "cc" });
    compiler.args(WARNINGS).arg(format!("-std={language}"));
    if language.contains("++") {
        compiler.args(["-x", "c++"]);
    }
    run(compiler.arg(source).args(["-x", "none"]).args(words).arg("-o").arg(&built));
    start_installed(prefix, &built, arguments);
    text_of(Command::new("readelf").arg("-d").arg(&built))
}

fn start_installed(prefix: &Path, program: &Path, arguments: &[&Path]) {
    let mut command = Command::new(program);
    command.args(arguments).env("LD_LIBRARY_PATH", prefix.join("lib"));
    start(command);
}

#[test]
fn pkg_config_links_the_shared_library() {
    let words = pkg_config(prefix(), &["--cflags", "--libs"]);
    for language in ["gnu99", "c++17"] {
        let needs = build_and_run(prefix(), language, &program(), &words, &[]);
        assert!(needs.contains("[libestore.so.1]"), "{needs}");
    }
}

#[test]
fn pkg_config_links_the_static_library() {
    let words = pkg_config(prefix(), &["--cflags", "--static", "--libs"]);
    let words: Vec<String> = words.into_iter().map(|word| if word == "-lestore" { "-l:libestore.a".to_owned() } else { word }).collect();
    for language in ["gnu99", "c++17"] {
        let needs = build_and_run(prefix(), language, &program(), &words, &[]);
        assert!(!needs.contains("libestore"), "{needs}");
    }
}

/// What the static library needs is not a guess: it is what the compiler of this machine says.
#[test]
fn private_libraries_are_those_that_rustc_names() {
    let folder = tempfile::tempdir().unwrap();
    let (source, named) = (folder.path().join("empty.rs"), folder.path().join("named"));
    fs::write(&source, "").unwrap();
    let mut rustc = Command::new("rustc");
    rustc.current_dir(root()).args(["--crate-type", "staticlib", "-o"]).arg(folder.path().join("empty.a"));
    run(rustc.arg(format!("--print=native-static-libs={}", named.display())).arg(&source));
    let named = fs::read_to_string(&named).unwrap();
    let config = fs::read_to_string(prefix().join("lib/pkgconfig/estore.pc")).unwrap();
    let private = config.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    assert!(!private.is_empty());
    assert_eq!(private, named.trim());
}

#[test]
fn dlopen_finds_every_function() {
    let library = prefix().join("lib/libestore.so.1");
    let mut words = pkg_config(prefix(), &["--cflags"]);
    words.push("-ldl".to_owned());
    let needs = build_and_run(prefix(), "gnu99", &root().join("tests/install/dlopen.c"), &words, &[&library]);
    assert!(!needs.contains("libestore"), "{needs}");
}

/// The C++ header, too, is installed and finds the C one beside it.
#[test]
fn the_installed_headers_compile_alone() {
    let words = pkg_config(prefix(), &["--cflags", "--libs"]);
    let folder = tempfile::tempdir().unwrap();
    for header in fs::read_dir(prefix().join("include")).unwrap() {
        let header = header.unwrap().file_name().into_string().unwrap();
        let source = folder.path().join("lone.c");
        fs::write(&source, format!("#include <{header}>\nint main(void) {{ return 0; }}\n")).unwrap();
        build_and_run(prefix(), if header.ends_with(".hpp") { "c++17" } else { "c99" }, &source, &words, &[]);
    }
}

fn cmake(prefix: &Path, project: &Path, build: &Path) -> Command {
    let mut command = Command::new("cmake");
    command.arg("-S").arg(project).arg("-B").arg(build).arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
    command
}

#[test]
fn cmake_links_both_libraries_also_after_all_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first");
    run(make(&["install"]).arg(variable("PREFIX", &first)));
    let moved = folder.path().join("moved to here");
    fs::rename(&first, &moved).unwrap();

    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    fs::copy(root().join("tests/install/CMakeLists.txt"), project.join("CMakeLists.txt")).unwrap();
    fs::write(project.join("program.cpp"), format!("#include \"{}\"\n", program().display())).unwrap();
    let build = folder.path().join("build");
    run(cmake(&moved, &project, &build).arg(format!("-DPROGRAM={}", program().display())));
    run(Command::new("cmake").arg("--build").arg(&build));
    for language in ["c", "cpp"] {
        for (target, shared) in [("estore", true), ("estore_static", false)] {
            let built = build.join(format!("{language}_{target}"));
            start_installed(&moved, &built, &[]);
            let needs = text_of(Command::new("readelf").arg("-d").arg(&built));
            assert_eq!(needs.contains("[libestore.so.1]"), shared, "{needs}");
        }
    }
}

#[test]
fn cmake_takes_this_version_and_older_ones_for_an_answer() {
    let version = env!("CARGO_PKG_VERSION");
    let wanted = [
        ("", true),
        ("0.1", true),
        (version, true),
        ("0.1...1.0", true),
        (&format!("{version} EXACT"), true),
        ("99", false),
        ("0.0.1 EXACT", false),
        ("0.0...<0.1", false),
    ];
    for (wanted, fits) in wanted {
        let folder = tempfile::tempdir().unwrap();
        // CMake itself says that a list of versions is new.
        let text = format!("cmake_minimum_required(VERSION 3.19)\nproject(user NONE)\nfind_package(estore {wanted} REQUIRED)\n");
        fs::write(folder.path().join("CMakeLists.txt"), text).unwrap();
        let output = cmake(prefix(), folder.path(), &folder.path().join("build")).output().unwrap();
        assert_eq!(output.status.success(), fits, "{wanted}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Every path below a folder: what a link leads to, or how a file or folder may be used.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let what = match fs::read_link(&path) {
                Ok(target) => format!("-> {}", target.display()),
                Err(_) => format!("{:o}", meta.permissions().mode() & 0o7777),
            };
            found.insert(path.strip_prefix(folder).unwrap().display().to_string(), what);
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// The commands of the tool, each of which has a manual page.
const COMMANDS: [&str; 15] = [
    "append", "bench", "compact", "delete", "diff", "digest", "export", "import", "read", "repair", "retain", "salvage", "snapshot",
    "stat", "verify",
];

/// Everything that is installed below LIBDIR, INCLUDEDIR, BINDIR and DATADIR, but for the folders.
fn installed_files(lib: &str, include: &str, bin: &str, data: &str) -> BTreeMap<String, String> {
    let version = env!("CARGO_PKG_VERSION");
    let real = format!("libestore.so.1.{version}");
    let mut files = vec![
        (format!("{lib}/{real}"), "755".to_owned()),
        (format!("{lib}/libestore.so.1"), format!("-> {real}")),
        (format!("{lib}/libestore.so"), "-> libestore.so.1".to_owned()),
    ];
    let mut plain = vec!["lib/libestore.a", "lib/pkgconfig/estore.pc", "lib/cmake/estore/estoreConfig.cmake"];
    plain.extend(["lib/cmake/estore/estoreConfigVersion.cmake", "include/estore.h", "include/estore.hpp"]);
    for path in plain {
        let path = path.replacen("lib/", &format!("{lib}/"), 1).replacen("include/", &format!("{include}/"), 1);
        files.push((path, "644".to_owned()));
    }
    files.push((format!("{bin}/estore"), "755".to_owned()));
    let completions = ["bash-completion/completions/estore", "zsh/site-functions/_estore", "fish/vendor_completions.d/estore.fish"];
    let pages = std::iter::once("man/man1/estore.1".to_owned()).chain(COMMANDS.map(|command| format!("man/man1/estore-{command}.1")));
    files.extend(completions.map(str::to_owned).into_iter().chain(pages).map(|path| (format!("{data}/{path}"), "644".to_owned())));
    files.into_iter().collect()
}

/// Also where a careful administrator keeps everything private unless said otherwise.
#[test]
fn a_staged_copy_holds_final_paths_and_right_modes() {
    let folder = tempfile::tempdir().unwrap();
    let stage = folder.path().join("the stage");
    let plain = make(&["install", "PREFIX=/usr", "LIBDIR=/usr/lib/x86_64-linux-gnu", "INCLUDEDIR=/usr/include/es", "BINDIR=/usr/games"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
    run(command.arg(variable("DESTDIR", &stage)));

    let (folders, files): (BTreeMap<_, _>, _) = tree(&stage).into_iter().partition(|(path, _)| stage.join(path).is_dir());
    assert_eq!(files, installed_files("usr/lib/x86_64-linux-gnu", "usr/include/es", "usr/games", "usr/share"));
    assert!(folders.values().all(|mode| mode == "755"), "{folders:?}");
    let lib = stage.join("usr/lib/x86_64-linux-gnu");
    let config = fs::read_to_string(lib.join("pkgconfig/estore.pc")).unwrap();
    for line in ["prefix=/usr", "libdir=${prefix}/lib/x86_64-linux-gnu", "includedir=${prefix}/include/es"] {
        assert!(config.lines().any(|found| found == line), "no {line} in:\n{config}");
    }
    let cmake = fs::read_to_string(lib.join("cmake/estore/estoreConfig.cmake")).unwrap();
    assert!(cmake.contains("/../../include/es\""), "{cmake}");
    for text in [config, cmake] {
        assert!(!text.contains("stage") && !text.contains('@'), "{text}");
    }
}

#[test]
fn folders_outside_of_the_prefix_are_named_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let stage = variable("DESTDIR", folder.path());
    run(make(&["install", "PREFIX=/opt/es", "LIBDIR=/lib64", "INCLUDEDIR=/opt/es/inc"]).arg(stage));
    let config = fs::read_to_string(folder.path().join("lib64/pkgconfig/estore.pc")).unwrap();
    assert!(config.contains("\nlibdir=/lib64\nincludedir=${prefix}/inc\n"), "{config}");
}

#[test]
fn uninstalling_leaves_what_was_there_before() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("the prefix");
    for foreign in [
        "lib/pkgconfig/other.pc",
        "lib/cmake/other/otherConfig.cmake",
        "lib/libestore-tools.so.1",
        "include/estore/x.h",
        "bin/estore-tools",
        "share/man/man1/estore-tools.1",
    ] {
        let path = prefix.join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let before = tree(folder.path());
    let prefix_is = variable("PREFIX", &prefix);
    run(make(&["install"]).arg(&prefix_is));
    let once = tree(folder.path());
    run(make(&["install"]).arg(&prefix_is));
    assert_eq!(tree(folder.path()), once, "installing again changes nothing");
    assert!(once.len() > before.len());
    run(make(&["uninstall"]).arg(&prefix_is));
    assert_eq!(tree(folder.path()), before);
    run(make(&["uninstall"]).arg(&prefix_is));
}

/// What every prefix has stays; what only such packages have goes.
#[test]
fn uninstalling_from_a_prefix_of_its_own_leaves_no_file_and_no_folder_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let prefix_is = variable("PREFIX", folder.path());
    run(make(&["install"]).arg(&prefix_is));
    run(make(&["uninstall"]).arg(&prefix_is));
    assert_eq!(tree(folder.path()).into_keys().collect::<Vec<_>>(), ["bin", "include", "lib", "share"]);
}

#[test]
fn the_tool_and_the_library_are_installed_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let prefix_is = variable("PREFIX", folder.path());
    run(make(&["install-cli"]).arg(&prefix_is));
    assert!(!folder.path().join("lib").exists() && !folder.path().join("include").exists());
    // It needs nothing that is installed beside it.
    let tool = folder.path().join("bin/estore");
    let store = folder.path().join("store");
    let log = folder.path().join("log");
    fs::write(&log, "2026-01-02 second\n2026-01-01 first\n").unwrap();
    run(Command::new(&tool).args(["append", "--create"]).args([&store, &log]));
    assert_eq!(text_of(Command::new(&tool).arg("read").arg(&store)), "2026-01-01 first\n2026-01-02 second\n");
    run(make(&["uninstall"]).arg(&prefix_is));
    run(make(&["install-lib"]).arg(&prefix_is));
    assert!(folder.path().join("lib/libestore.a").exists() && !tool.exists());
}

#[test]
fn install_strip_leaves_libraries_that_work_and_are_small() {
    let folder = tempfile::tempdir().unwrap();
    run(make(&["install-strip"]).arg(variable("PREFIX", folder.path())));
    let sections = |path: &Path| text_of(Command::new("readelf").arg("-SW").arg(path));
    for library in ["lib/libestore.so", "lib/libestore.a"] {
        assert!(!sections(&folder.path().join(library)).contains(".debug_"), "{library}");
        assert!(sections(&prefix().join(library)).contains(".debug_info"), "{library} is installed as it was built");
    }
    for libs in [&["--cflags", "--libs"][..], &["--cflags", "--static", "--libs"][..]] {
        build_and_run(folder.path(), "gnu99", &program(), &pkg_config(folder.path(), libs), &[]);
    }
}
