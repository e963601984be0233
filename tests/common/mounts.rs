//! Folders with a file system of their own, in a process that is about to start: it alone sees them, and they go with it, however it ends.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Lets the command see an empty file system in memory at `folder`, with these options (`size=512k`). Who is not root becomes root of a name
/// space of users. Starting the command fails where that is not allowed either.
pub(crate) fn mount_in_memory(command: &mut Command, folder: &Path, options: &str) {
    let folder = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    let options = CString::new(options).expect("options");
    // SAFETY: the call has no preconditions.
    #[allow(unsafe_code)]
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("0 {user} 1")),
        (c"/proc/self/gid_map", format!("0 {group} 1")),
    ];
    // SAFETY: between fork and exec it makes system calls with memory that was made before, and nothing else.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(libc::CLONE_NEWNS) != 0 {
                check(libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
                for (path, text) in &maps {
                    let file = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
                    let written = libc::write(file, text.as_ptr().cast(), text.len());
                    check(if written < 0 { -1 } else { 0 })?;
                }
            }
            let (none, root, kind) = (c"none".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr());
            check(libc::mount(none, root, std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()))?;
            check(libc::mount(none, folder.as_ptr(), kind, 0, options.as_ptr().cast())).map(drop)
        });
    }
}

/// Makes the file system at `folder`, which must be one of [`mount_in_memory`], read-only for this process and those that it starts.
pub(crate) fn make_read_only(folder: &Path) -> io::Result<()> {
    let folder = CString::new(folder.as_os_str().as_bytes()).expect("a path");
    let flags = libc::MS_REMOUNT | libc::MS_RDONLY;
    // SAFETY: two valid strings, and no data.
    #[allow(unsafe_code)]
    check(unsafe { libc::mount(c"none".as_ptr(), folder.as_ptr(), std::ptr::null(), flags, std::ptr::null()) }).map(drop)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
