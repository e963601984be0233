//! Writes the inputs that fuzzing starts from: whole files of real stores, and what they send each other. `cargo run --example seeds -- FOLDER`

use std::path::Path;
use std::{env, fs, io};

use estore_fuzz::base::{INDEX, JOURNAL, LOG, RECON};
use estore_fuzz::{folder, messages, single};
// The code is built to report what it covers, to this library.
use libfuzzer_sys as _;

fn main() -> io::Result<()> {
    let to = env::args_os().nth(1).ok_or(io::Error::other("where to?"))?;
    let write = |target: &str, seeds: Vec<Vec<u8>>| {
        let folder = Path::new(&to).join(target);
        fs::create_dir_all(&folder)?;
        seeds.iter().enumerate().try_for_each(|(number, seed)| fs::write(folder.join(format!("seed-{number}")), seed))
    };
    for (target, name) in [("frame", LOG), ("journal", JOURNAL), ("index", INDEX), ("recon", RECON)] {
        write(target, single::seeds(name))?;
    }
    write("folder", folder::seeds())?;
    write("messages", messages::seeds())
}
