//! What a compiler, a linker and a loader see of the library: the header in every standard, the layout of what crosses, the names and the
//! needs of the shared library, the names in the static one. Each check is run once on something that must not pass it.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use native::installed::{dist, prefix};
use native::{SYSTEM_LIBRARIES, WARNINGS, declared, library, root, run, text_of};

mod native;

/// The libraries that together are libc; before glibc 2.34 they were apart.
const LIBC: [&str; 5] = ["libc.so", "libm.so", "libpthread.so", "libdl.so", "ld-linux"];

/// The names that an object or a library defines for others, as of `nm`.
fn names(nm: &[&str], file: &Path) -> BTreeSet<String> {
    let listed = text_of(Command::new("nm").args(nm).arg("--defined-only").arg(file));
    listed.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect()
}

/// What is wrong with a shared library that should export exactly these names.
fn faults(library: &Path, exports: &BTreeSet<String>) -> Vec<String> {
    let dynamic = text_of(Command::new("readelf").arg("-dW").arg(library));
    let segments = text_of(Command::new("readelf").arg("-lW").arg(library));
    let mut faults = Vec::new();
    let mut require = |fine: bool, fault: String| {
        if !fine {
            faults.push(fault);
        }
    };
    require(dynamic.contains("[libestore.so.1]"), "its SONAME is not libestore.so.1".to_owned());
    require(dynamic.contains("NODELETE"), "it can be unloaded".to_owned());
    require(!dynamic.contains("TEXTREL"), "its code must be changed to be loaded".to_owned());
    require(dynamic.contains("BIND_NOW"), "what it calls is looked up late".to_owned());
    require(!dynamic.contains("PATH)"), "it says where to search for libraries".to_owned());
    require(segments.contains("GNU_RELRO"), "its tables of addresses stay writable".to_owned());
    let stack = segments.lines().find(|line| line.contains("GNU_STACK"));
    require(stack.is_some_and(|line| line.contains(" RW ")), "its stack is executable".to_owned());
    for needed in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        require(LIBC.iter().any(|name| needed.contains(name)), format!("it needs more than libc: {needed}"));
    }
    let exported = names(&["-D"], library);
    for name in exported.symmetric_difference(exports) {
        let what = if exported.contains(name) { "exported but not declared" } else { "declared but not exported" };
        require(false, format!("{name} is {what}"));
    }
    faults
}

#[test]
fn the_shared_library_is_a_good_guest() {
    let declared = declared();
    assert!(declared.len() > 50);
    for name in &declared {
        assert!(name.starts_with("estore_") || name.starts_with("efile_"), "{name}");
    }
    for built in [library("libestore.so"), prefix().join("lib/libestore.so.1")] {
        assert_eq!(faults(&built, &declared), [""; 0], "{}", built.display());
    }
}

/// A small library with the given fault must get exactly this complaint.
#[test]
fn a_bad_guest_is_noticed() {
    let good = "-Wl,-soname,libestore.so.1 -Wl,-z,nodelete -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack";
    // What is added to a good library, in the source and in how it is linked, and what is said of it.
    let planted = [
        ("", "", ""),
        ("", "-Wl,-soname,libestore.so.2", "its SONAME is not libestore.so.1"),
        ("", "-Wl,-z,execstack", "its stack is executable"),
        ("", "-Wl,-z,lazy", "what it calls is looked up late"),
        ("", "-Wl,-z,norelro", "its tables of addresses stay writable"),
        ("", "-Wl,-rpath,/somewhere", "it says where to search for libraries"),
        ("", "-Wl,--no-as-needed -lgcc_s", "it needs more than libc"),
        ("int estore_helper(void) { return 0; }", "", "estore_helper is exported but not declared"),
        ("__asm__(\".text\\n.quad estore_planted\\n\");", "-Wl,-z,notext", "its code must be changed to be loaded"),
    ];
    for (source, flags, fault) in planted {
        let found = faults_of_planted(source, &format!("{good} {flags}"));
        match fault {
            "" => assert_eq!(found, [""; 0]),
            fault => assert!(found.iter().any(|found| found.contains(fault)), "{flags} {source}: {found:?}"),
        }
    }
    let found = faults_of_planted("", &good.replace("-Wl,-z,nodelete", ""));
    assert_eq!(found, ["it can be unloaded"]);
    let found = faults_of_planted("", &format!("{good} -Destore_planted=estore_other"));
    assert_eq!(found, ["estore_other is exported but not declared", "estore_planted is declared but not exported"]);
}

fn faults_of_planted(source: &str, flags: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (text, built) = (folder.path().join("planted.c"), folder.path().join("planted.so"));
    fs::write(&text, format!("int estore_planted(void) {{ return 1; }}\n{source}\n")).unwrap();
    run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&built).arg(&text).args(flags.split_whitespace()));
    faults(&built, &BTreeSet::from(["estore_planted".to_owned()]))
}

/// It holds all of Rust's library too, which must not meet another one's in a program.
#[test]
fn the_static_library_defines_only_what_the_header_declares() {
    assert_eq!(names(&["-g"], &prefix().join("lib/libestore.a")), declared());
    // What rustc makes, from which it is made.
    let raw = dist().with_file_name("release").join("libestore.a");
    assert!(names(&["-g"], &raw).contains("rust_eh_personality"));
}

#[test]
fn two_static_libraries_made_with_rust_go_into_one_program() {
    let folder = tempfile::tempdir().unwrap();
    let (other, program) = (folder.path().join("libother.a"), folder.path().join("program"));
    fs::write(
        folder.path().join("other.rs"),
        "#[unsafe(no_mangle)]\npub extern \"C\" fn caught() -> i32 {\n    std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7))).unwrap_err().downcast_ref::<i32>().map_or(0, |n| *n)\n}\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("program.c"),
        "#include <estore.h>\nint caught(void);\nint main(void) { return caught() == 7 && estore_version_number() == ESTORE_VERSION_NUMBER ? 0 : 1; }\n",
    )
    .unwrap();
    let mut rustc = Command::new("rustc");
    rustc.current_dir(root()).args(["--edition=2024", "--crate-type=staticlib", "-Clto=fat", "-Copt-level=1", "-o"]).arg(&other);
    run(rustc.arg(folder.path().join("other.rs")));
    let link = |libraries: [&Path; 2]| {
        let mut cc = Command::new("cc");
        cc.arg("-I").arg(root().join("include")).arg(folder.path().join("program.c")).args(libraries).args(SYSTEM_LIBRARIES);
        cc.arg("-o").arg(&program).output().unwrap()
    };
    let estore = prefix().join("lib/libestore.a");
    for libraries in [[&*estore, &*other], [&*other, &*estore]] {
        let output = link(libraries);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        run(&mut Command::new(&program));
    }
    // As rustc makes it, it does not.
    let raw = dist().with_file_name("release").join("libestore.a");
    let said = String::from_utf8(link([&raw, &other]).stderr).unwrap();
    assert!(said.contains("multiple definition"), "{said}");
}

fn compiler(language: &str) -> Command {
    let mut command = Command::new(if language.contains("++") { "c++" } else { "cc" });
    command.args(WARNINGS).arg(format!("-std={language}"));
    if language.contains("++") {
        command.args(["-x", "c++"]);
    }
    command
}

/// Alone, twice in one file, and in two files of one program.
#[test]
fn the_header_is_fine_in_every_standard() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, program) = (folder.path().join("one.c"), folder.path().join("two.c"), folder.path().join("program"));
    fs::write(
        &one,
        "#include <estore.h>\n#include <estore.h>\nuint32_t other(void);\nint main(void) { return other() != ESTORE_VERSION_NUMBER; }\n",
    )
    .unwrap();
    fs::write(&two, "#include <estore.h>\nuint32_t other(void);\nuint32_t other(void) { return estore_version_number(); }\n").unwrap();
    for language in ["c99", "c11", "c17", "c++11", "c++17", "c++20"] {
        let mut compiler = compiler(language);
        compiler.arg("-I").arg(prefix().join("include")).args([&one, &two]).args(["-x", "none", "-o"]).arg(&program);
        run(compiler.arg(prefix().join("lib/libestore.so")));
        run(Command::new(&program).env("LD_LIBRARY_PATH", prefix().join("lib")));
    }
}

/// `tests/c/layout.c`, which `tests/c_abi.rs` runs, does not even compile with a header whose structs are others.
#[test]
fn another_layout_is_not_compiled() {
    let header = fs::read_to_string(root().join("include/estore.h")).unwrap();
    let changes = [
        ("    uint32_t id;\n", "    uint32_t id;\n    uint64_t more;\n"),
        ("    uint32_t len;\n", "    uint64_t len;\n"),
        ("    uint64_t seq;\n", "    uint32_t seq;\n"),
        ("    int32_t os_errno;\n", "    int64_t os_errno;\n"),
        ("#define ESTORE_ERROR_MESSAGE_LEN 496", "#define ESTORE_ERROR_MESSAGE_LEN 488"),
        ("typedef int32_t estore_status;", "typedef int64_t estore_status;"),
        ("", ""),
    ];
    for (from, to) in changes {
        assert!(header.contains(from), "{from}");
        for language in ["c99", "c++11"] {
            let refused = !compiles_layout(&header.replacen(from, to, 1), language);
            assert_eq!(refused, !to.is_empty(), "{language}: {to}");
        }
    }
}

fn compiles_layout(header: &str, language: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("estore.h"), header).unwrap();
    let mut compiler = compiler(language);
    compiler.arg("-fsyntax-only").arg("-I").arg(folder.path()).arg(root().join("tests/c/layout.c"));
    compiler.output().unwrap().status.success()
}
