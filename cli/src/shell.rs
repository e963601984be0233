//! `completions` and `man`: what packagers install beside the tool.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command, ValueHint};
use clap_complete::Shell;

use crate::Outcome;

/// Prints a script that completes command lines
#[derive(Args)]
#[command(after_long_help = "Example:\n  estore completions bash > ~/.local/share/bash-completion/completions/estore")]
pub(crate) struct Completions {
    /// The shell that is to run it
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &Completions, mut tool: Command) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut tool, "estore", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Fine)
}

/// Prints the manual page
#[derive(Args)]
pub(crate) struct Man {
    /// Write it into the folder FOLDER, with one page for each command
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    into: Option<PathBuf>,
}

pub(crate) fn man(args: &Man, tool: Command) -> Result<Outcome> {
    match &args.into {
        Some(folder) => clap_mangen::generate_to(tool, folder).with_context(|| format!("{}: cannot be written", folder.display()))?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(tool).render(&mut page)?;
            io::stdout().lock().write_all(&page)?;
        }
    }
    Ok(Outcome::Fine)
}
