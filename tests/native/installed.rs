//! A copy of the release library as `make install` leaves it, for tests that use it as a stranger would.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};
use std::{env, fs};

use super::{root, run};

/// A command that runs make for these goals, none of which has to build anything any more: several at once would get into each other's
/// way.
pub(crate) fn make(goals: &[&str]) -> Command {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        run(Command::new("make").arg("-C").arg(root()).args(["lib", "cli"]));
    });
    let mut command = Command::new("make");
    command.arg("-C").arg(root()).args(goals);
    command
}

/// `NAME=path`, as make takes it.
pub(crate) fn variable(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// The folder that `make install` installs from.
pub(crate) fn dist() -> PathBuf {
    make(&[]);
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join("dist")
}

/// A prefix with estore in it, the same for all tests of this executable. Its name holds a space, which has to work everywhere.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("installed by ", env!("CARGO_CRATE_NAME")));
        let _ = fs::remove_dir_all(&prefix);
        run(make(&["install"]).arg(variable("PREFIX", &prefix)));
        prefix
    })
}
