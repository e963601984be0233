//! What the operating system tells: memory of a process, files, and the machine that the figures belong to.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Writes back everything that is dirty, so that it is not written back while something is timed.
pub fn sync_filesystem(path: &Path) -> Result<()> {
    let folder = fs::File::open(path)?;
    // SAFETY: the descriptor is open.
    ensure!(unsafe { libc::syncfs(folder.as_raw_fd()) } == 0, "syncfs: {}", std::io::Error::last_os_error());
    Ok(())
}

/// What a folder and all below it take on disk, not what their lengths say: room that was set aside counts.
pub fn disk_bytes(path: &Path) -> Result<u64> {
    let meta = fs::symlink_metadata(path)?;
    let mut bytes = if meta.is_dir() { 0 } else { meta.blocks() * 512 };
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes += disk_bytes(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// How far the resident memory of this process grows from now on, at its peak.
pub struct PeakMemory {
    before: u64,
}

impl PeakMemory {
    pub fn start() -> Result<PeakMemory> {
        // 5 sets the peak back to what is resident now.
        fs::write("/proc/self/clear_refs", "5").context("the peak of memory cannot be set back")?;
        Ok(PeakMemory { before: status_bytes("VmRSS:")? })
    }

    pub fn bytes(&self) -> Result<u64> {
        Ok(status_bytes("VmHWM:")?.saturating_sub(self.before))
    }
}

fn status_bytes(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("/proc/self/status has no {field}"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib << 10)
}

/// Processor time so far: of this process, or of one thread of it (`RUSAGE_SELF`, `RUSAGE_THREAD`).
pub fn cpu_ns(whose: libc::c_int) -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the place has room for what is written; all zeros are a value of it.
    let usage = unsafe {
        libc::getrusage(whose, usage.as_mut_ptr());
        usage.assume_init()
    };
    let ns = |time: libc::timeval| time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
    model.unwrap_or_else(|| "unknown".into())
}

pub fn memory_bytes() -> u64 {
    // SAFETY: takes numbers only.
    unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) as u64 * libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

pub fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What follows the numbers names the machine's provider.
    text.trim().split('-').next().unwrap_or_default().to_owned()
}

/// The type of the file system that holds a path.
pub fn filesystem(path: &Path) -> String {
    let path = fs::canonicalize(path).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.len() > 3 && path.starts_with(fields[1]));
    holding.max_by_key(|fields| fields[1].len()).map_or("unknown".into(), |fields| fields[2].to_owned())
}

/// What a command prints; None if it is not installed or fails.
pub fn output_of(command: &str, arguments: &[&std::ffi::OsStr]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
