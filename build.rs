//! Links the shared library under its ABI name and, with the feature `header`, makes the C header.
//!
//! The header goes to `OUT_DIR/estore.h`, where a test compares it with the committed `include/estore.h`. To change the committed one:
//! `ESTORE_WRITE_HEADER=1 cargo build --features header`.

/// Counts breaks of the ABI, not releases.
const ABI: u32 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libestore.so.{ABI}");
        // Code of the library may run when a thread ends or forks, so it must never be unloaded.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        need_no_libgcc()?;
    }
    #[cfg(feature = "header")]
    header::make()?;
    Ok(())
}

/// Rust asks for the unwinder as `-lgcc_s`, a shared library that a program in C need not have. In the shared library it is taken from the
/// compiler's static one instead, by a linker script under the name that is asked for. Where there is no such thing, all stays as it is.
fn need_no_libgcc() -> std::io::Result<()> {
    use std::path::Path;
    use std::process::Command;
    let Some(folder) = std::env::var_os("OUT_DIR") else { return Ok(()) };
    // Only where the compiler at hand builds for the machine that is asked for.
    if std::env::var_os("HOST") != std::env::var_os("TARGET") {
        return Ok(());
    }
    let Ok(answer) = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output() else { return Ok(()) };
    let answer = String::from_utf8_lossy(&answer.stdout);
    let archive = Path::new(answer.trim());
    if archive.is_absolute() && archive.is_file() {
        let folder = Path::new(&folder).join("unwinder");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("libgcc_s.so"), format!("INPUT({})\n", archive.display()))?;
        println!("cargo:rustc-cdylib-link-arg=-L{}", folder.display());
    }
    Ok(())
}

#[cfg(feature = "header")]
mod header {
    use std::error::Error;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    /// The files of the C layer in the order in which their functions stand in the header; where a chapter begins there, its first
    /// function and its title.
    const FILES: [(&str, &str, &str); 15] = [
        ("status.rs", "estore_strerror", "Statuses and versions"),
        ("error.rs", "", ""),
        ("event.rs", "estore_now", "Events"),
        ("options.rs", "estore_duration_parse", "Durations and options"),
        ("store.rs", "estore_open", "Stores"),
        ("stats.rs", "", ""),
        ("verify.rs", "", ""),
        ("progress.rs", "", ""),
        ("iter.rs", "estore_iter_next", "Iterators, of stores and efiles"),
        ("efile.rs", "efile_open", "Efiles"),
        ("digest.rs", "estore_digest_differences", "Replicas, of stores and efiles"),
        ("exchange.rs", "", ""),
        ("export.rs", "", ""),
        ("bytes.rs", "", ""),
        ("calls.rs", "", ""),
    ];

    pub(crate) fn make() -> Result<(), Box<dyn Error>> {
        println!("cargo:rerun-if-changed=cbindgen.toml");
        println!("cargo:rerun-if-changed=src/ffi");
        println!("cargo:rerun-if-env-changed=ESTORE_WRITE_HEADER");
        let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
        let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
        let mut builder = cbindgen::Builder::new().with_config(config);
        for (file, _, _) in FILES {
            builder = builder.with_src(root.join("src/ffi").join(file));
        }
        let mut text = Vec::new();
        builder.generate()?.write(&mut text);
        let text = with_chapters(&String::from_utf8(text)?);
        fs::write(Path::new(&env::var("OUT_DIR")?).join("estore.h"), &text)?;
        if env::var_os("ESTORE_WRITE_HEADER").is_some() {
            fs::create_dir_all(root.join("include"))?;
            fs::write(root.join("include/estore.h"), &text)?;
        }
        Ok(())
    }

    /// Puts the title of a chapter before the comment of its first function.
    fn with_chapters(header: &str) -> String {
        let mut result = String::with_capacity(header.len());
        let mut comment = String::new();
        for line in header.lines() {
            // A comment waits until it is known what it belongs to.
            if line.starts_with("/**") || (!comment.is_empty() && line.starts_with(" *")) {
                comment.push_str(line);
                comment.push('\n');
                continue;
            }
            for (_, function, title) in FILES {
                if !function.is_empty() && !comment.is_empty() && line.contains(&format!("{function}(")) {
                    result.push_str(&format!("/* {title} */\n\n"));
                }
            }
            result.push_str(&comment);
            comment.clear();
            result.push_str(line);
            result.push('\n');
        }
        result
    }
}
