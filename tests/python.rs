//! The Python binding as Python programs see it: the tests in `bindings/python/tests`, run by pytest with the library built here, whose debug
//! build overwrites what it lent as soon as that ends.
//!
//! `.ci/setup` installs pytest, NumPy and mypy. Where it can't, there is nothing to run these tests with; what needs NumPy or mypy alone is
//! left out where that one is missing.

#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::process::Command;

use native::{library, root, run, text_of};

mod native;

/// A Python that has pytest: the one that is called `python3`, or that of the system, for which packages install it. Rather one with all that
/// the tests can use.
fn python() -> Option<&'static str> {
    let has = |modules: &str, python: &str| {
        Command::new(python).args(["-c", &format!("import {modules}")]).output().is_ok_and(|output| output.status.success())
    };
    let with = |modules| ["python3", "/usr/bin/python3"].into_iter().find(|python| has(modules, python));
    with("pytest, numpy, mypy").or_else(|| with("pytest"))
}

#[test]
fn the_binding_does_what_its_tests_say() {
    let Some(python) = python() else {
        println!("skipped: no Python with pytest; install python3-pytest, python3-numpy and mypy");
        return;
    };
    let mut pytest = Command::new(python);
    pytest.current_dir(root().join("bindings/python")).args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    pytest.env("ESTORE_LIBRARY", library("libestore.so")).env("PYTHONDONTWRITEBYTECODE", "1");
    println!("{}", text_of(&mut pytest));
}

/// A test that fails must fail here too.
#[test]
fn a_failing_test_of_the_binding_is_noticed() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test_planted.py"), "def test_planted():\n    assert False\n").unwrap();
    let mut pytest = Command::new(python);
    pytest.current_dir(folder.path()).args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    let output = pytest.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// Python alone is enough to load the library and to use it, without what the tests need.
#[test]
fn python_alone_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        "import estore\nwith estore.open('events') as s:\n    s.append([(1, b'x')])\n    assert [e.data for e in s.read()] == [b'x']\n";
    let mut python = Command::new("python3");
    python.current_dir(folder.path()).args(["-W", "error", "-c", program]).env("PYTHONDONTWRITEBYTECODE", "1");
    run(python.env("PYTHONPATH", root().join("bindings/python")).env("ESTORE_LIBRARY", library("libestore.so")));
}
