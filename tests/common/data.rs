//! Real event streams that may lie beside the project: the tests that use them say so and do without where they don't.

use std::fs;
use std::path::PathBuf;

/// The text of one file of real data; prints a note and answers `None` where it is missing. The folder is `ESTORE_DATA`, or
/// `../shared/data` beside the project.
pub(crate) fn real_data(name: &str) -> Option<String> {
    let folder = std::env::var_os("ESTORE_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join("shared").join("data"), PathBuf::from);
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            println!("skipped: no {} ({error})", path.display());
            None
        }
    }
}
