//! Files and folders that this user may not read or write, and things that are no files: each is an error that names what is in the way,
//! changes nothing, and never hangs; and reading needs no permission but to read.
//!
//! Root may do everything. So each test runs itself again in a process which, if it is root's, becomes nobody's before it does its part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{drain, events_at, mounts, times};
use estore::{Durability, Error, Mode, Options, Store};

const PATH: &str = "ESTORE_TEST_CHILD_PATH";
const NOBODY: u32 = 65_534;
/// What `make` appends: late events too, enough of them for a recon file.
const LATE: u64 = 40;

fn is_root() -> bool {
    // SAFETY: the call has no preconditions.
    #[allow(unsafe_code)]
    let user = unsafe { libc::geteuid() };
    user == 0
}

fn options(mode: Mode) -> Options {
    // Files are looked at here by name, so they stay.
    Options::new().durability(Durability::Process).file_size(1000).grace(10).mode(mode).compaction(false)
}

/// A store with events in two chunks, a recon file and indexes, closed.
fn make(path: &Path) {
    let store = Store::open(path, options(Mode::CreateNew)).unwrap();
    store.append(&events_at([900, 901])).unwrap();
    for time in 0..LATE {
        store.append(&[common::event(time, 1, vec![7; 30_000])]).unwrap();
    }
    store.append(&events_at([1500, 1501])).unwrap();
    store.close().unwrap();
    for name in ["0-0.recon", "0-0.idx", "1-0.idx"] {
        assert!(path.join(name).exists(), "{name}");
    }
}

/// All that it holds.
fn all() -> Vec<u64> {
    (0..LATE).chain([900, 901, 1500, 1501]).collect()
}

fn read_only(path: &Path) -> estore::Result<Vec<u64>> {
    let store = Store::open(path, options(Mode::ReadOnly))?;
    store.read(..)?.map(|event| event.map(|event| event.time)).collect()
}

/// Opens it, reads it, appends to both chunks, and closes it.
fn write(path: &Path) -> estore::Result<Vec<u64>> {
    let store = Store::open(path, options(Mode::Existing))?;
    let all = store.read(..)?.map(|event| event.map(|event| event.time)).collect();
    store.append(&events_at([902, 1502]))?;
    store.close()?;
    all
}

fn set_mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// Every file with its bytes and its mode.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap_or_default())).collect()
}

/// Runs `part` as somebody who is not root, in a folder where root has prepared something. The test calls itself `test`.
fn as_nobody(test: &str, prepare: impl Fn(&Path), part: impl Fn(&Path)) {
    if let Some(folder) = std::env::var_os(PATH).map(PathBuf::from) {
        // SAFETY: an alarm ends a process that hangs; the other calls take no pointers, or a length of 0.
        #[allow(unsafe_code)]
        let nobody = unsafe {
            libc::alarm(60);
            !is_root() || libc::setgroups(0, std::ptr::null()) == 0 && libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0
        };
        assert!(nobody, "root can become somebody else");
        assert!(fs::read_dir("/proc/1/fd").is_err(), "what root may, nobody may not");
        return part(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    prepare(folder.path());
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    if is_root() {
        chown(&own, Some(NOBODY), Some(NOBODY)).unwrap();
        let reachable = folder.path().ancestors().all(|path| fs::metadata(path).unwrap().permissions().mode() & 0o005 == 0o005);
        if !reachable {
            println!("skipped: nobody may not look into {}", folder.path().display());
            return;
        }
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PATH, folder.path()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
}

fn assert_refused(result: estore::Result<Vec<u64>>, path: &Path, what: &str) {
    match result {
        Err(Error::Permission { path: named, source, .. }) => {
            assert_eq!(named, path, "{what}");
            assert!(matches!(source.raw_os_error(), Some(libc::EACCES | libc::EROFS | libc::EPERM)), "{what}: {source}");
        }
        other => panic!("{what}: {other:?}, not a matter of permission"),
    }
}

#[test]
fn each_file_without_permission_is_named() {
    as_nobody(
        "each_file_without_permission_is_named",
        |_| {},
        |folder| {
            let path = folder.join("own/store");
            make(&path);
            for (name, bits, reads) in [
                ("estore", 0o000, false),
                ("journal", 0o000, false),
                ("0-0.estore", 0o000, false),
                ("1-0.estore", 0o200, false),
                ("lock", 0o000, true),
                ("lock", 0o400, true),
            ] {
                let file = path.join(name);
                let before = contents(&path);
                let mode = fs::metadata(&file).unwrap().permissions().mode();
                set_mode(&file, bits);
                let what = format!("{name} with mode {bits:o}");
                if reads {
                    assert_eq!(read_only(&path).unwrap(), all(), "{what}");
                } else {
                    assert_refused(read_only(&path), &file, &what);
                }
                assert_refused(write(&path), &file, &what);
                set_mode(&file, mode);
                // The journal may have been written anew, with the same to say.
                let unchanged = |(file, _): &&(PathBuf, Vec<u8>)| !file.ends_with("journal") && !file.ends_with("lock");
                assert!(contents(&path).iter().filter(unchanged).eq(before.iter().filter(unchanged)), "{what}: nothing changes");
                assert_eq!(read_only(&path).unwrap(), all(), "{what}, and back");
            }
        },
    );
}

#[test]
fn derived_files_without_permission_are_done_without() {
    as_nobody(
        "derived_files_without_permission_are_done_without",
        |_| {},
        |folder| {
            let path = folder.join("own/store");
            make(&path);
            for name in ["0-0.recon", "0-0.idx", "1-0.idx"] {
                set_mode(&path.join(name), 0o000);
            }
            assert_eq!(read_only(&path).unwrap(), all());
            assert_eq!(write(&path).unwrap(), all());
            assert_eq!(read_only(&path).unwrap().len(), all().len() + 2);
        },
    );
}

#[test]
fn a_log_that_cannot_be_written_keeps_its_chunk_from_growing_and_no_other() {
    as_nobody(
        "a_log_that_cannot_be_written_keeps_its_chunk_from_growing_and_no_other",
        |_| {},
        |folder| {
            let path = folder.join("own/store");
            make(&path);
            let log = path.join("0-0.estore");
            set_mode(&log, 0o400);
            let store = Store::open(&path, options(Mode::Existing)).unwrap();
            for batch in [vec![903], vec![1503, 903]] {
                assert_refused(store.append(&events_at(batch)).map(|_| Vec::new()), &log, "an append to it");
            }
            store.append(&events_at([1504, 2500])).expect("the other chunks take events");
            set_mode(&log, 0o600);
            store.append(&events_at([904])).expect("and so does this one once it may");
            let expected: Vec<u64> = (0..LATE).chain([900, 901, 904, 1500, 1501, 1504, 2500]).collect();
            assert_eq!(times(&drain(store.read(..).unwrap())), expected);
            store.close().unwrap();
            assert_eq!(read_only(&path).unwrap(), expected);
        },
    );
}

#[test]
fn folders_without_permission_are_named() {
    as_nobody(
        "folders_without_permission_are_named",
        |_| {},
        |folder| {
            let path = folder.join("own/store");
            make(&path);
            let before = contents(&path);
            // Neither, only listing, only writing besides, only entering.
            for bits in [0o000, 0o400, 0o600] {
                set_mode(&path, bits);
                for result in [read_only(&path), write(&path)] {
                    assert!(matches!(result, Err(Error::Permission { .. })), "mode {bits:o}: {result:?}");
                }
            }
            for bits in [0o500, 0o555] {
                set_mode(&path, bits);
                assert_eq!(read_only(&path).unwrap(), all(), "a folder that can't be written can be read, mode {bits:o}");
                let result = write(&path);
                assert!(matches!(result, Err(Error::Permission { .. })), "mode {bits:o}: {result:?}");
                let result = Store::destroy(&path, Options::new());
                assert!(matches!(result, Err(Error::Permission { .. })), "mode {bits:o}: {result:?}");
            }
            set_mode(&path, 0o700);
            let unlocked =
                |files: Vec<(PathBuf, Vec<u8>)>| files.into_iter().filter(|(file, _)| !file.ends_with("lock")).collect::<Vec<_>>();
            assert!(unlocked(contents(&path)) == unlocked(before), "nothing changes");
            assert_eq!(write(&path).unwrap(), all());

            // A folder above it: the store can't even be looked for.
            set_mode(&folder.join("own"), 0o600);
            for result in [read_only(&path), write(&path)] {
                assert!(matches!(result, Err(Error::Permission { .. })), "{result:?}");
            }
            set_mode(&folder.join("own"), 0o500);
            let new = Store::open(folder.join("own/new"), options(Mode::CreateIfMissing)).map(drop);
            assert!(matches!(new, Err(Error::Permission { .. })), "{new:?}");
            set_mode(&folder.join("own"), 0o700);
        },
    );
}

#[test]
fn a_store_of_somebody_else_can_be_read_and_nothing_else() {
    let prepare = |folder: &Path| {
        make(&folder.join("roots"));
        // Left open, as if its writer had died: what a reader would recover is not its own.
        let live = folder.join("live");
        let store = Store::open(&live, options(Mode::CreateNew)).unwrap();
        store.append(&events_at([1, 2, 1003])).unwrap();
        fs::create_dir(folder.join("died")).unwrap();
        for (file, bytes) in contents(&live) {
            fs::write(folder.join("died").join(file.file_name().unwrap()), bytes).unwrap();
        }
        for store in ["roots", "died"] {
            set_mode(&folder.join(store), 0o755);
            contents(&folder.join(store)).iter().for_each(|(file, _)| set_mode(file, 0o644));
        }
    };
    as_nobody("a_store_of_somebody_else_can_be_read_and_nothing_else", prepare, |folder| {
        if fs::write(folder.join("roots/probe"), "").is_ok() {
            println!("skipped: there is only one user here");
            return;
        }
        for (name, expected) in [("roots", all()), ("died", vec![1, 2, 1003])] {
            let path = folder.join(name);
            let before = contents(&path);
            assert_eq!(read_only(&path).unwrap(), expected);
            assert_refused(write(&path), &path.join("lock"), name);
            let result = Store::destroy(&path, Options::new());
            assert!(matches!(result, Err(Error::Permission { .. })), "{result:?}");
            assert!(contents(&path) == before, "nothing changes");
        }
    });
}

/// Puts something at a path.
type Put = dyn Fn(&Path);

#[test]
fn what_is_no_file_is_named_and_never_waited_for() {
    as_nobody(
        "what_is_no_file_is_named_and_never_waited_for",
        |_| {},
        |folder| {
            let path = folder.join("own/store");
            make(&path);
            for name in ["estore", "journal", "lock", "0-0.estore", "1-0.estore", "0-0.idx", "0-0.recon"] {
                let file = path.join(name);
                let kept = fs::read(&file).unwrap();
                let things: [(&str, &Put); 6] = [
                    ("a folder", &|path| fs::create_dir(path).unwrap()),
                    ("a pipe", &|path| {
                        let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
                        // SAFETY: a valid string.
                        #[allow(unsafe_code)]
                        let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
                        assert!(made == 0 && fs::metadata(path).unwrap().file_type().is_fifo());
                    }),
                    ("a socket", &|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
                    ("a link to nothing", &|path| symlink("nothing", path).unwrap()),
                    ("a link to itself", &|path| symlink(path, path).unwrap()),
                    ("a device", &|path| symlink("/dev/zero", path).unwrap()),
                ];
                for (what, put) in things {
                    fs::remove_file(&file).unwrap();
                    put(&file);
                    for (result, how) in [(read_only(&path), "read"), (write(&path), "written")] {
                        match (result, name) {
                            // Derived files are done without, readers have no use for the lock, and a journal is found anew in the logs.
                            (Ok(got), "0-0.idx" | "0-0.recon" | "lock" | "journal") => assert!(got.len() >= all().len()),
                            (Ok(_), _) => panic!("{what} in the place of {name} was {how}"),
                            (Err(error), _) => {
                                assert!(
                                    error.path().is_some_and(|path| path.starts_with(folder.join("own"))),
                                    "{what} as {name}: {error:?}"
                                );
                            }
                        }
                    }
                    if fs::symlink_metadata(&file).is_ok_and(|found| found.is_dir()) {
                        fs::remove_dir(&file)
                    } else {
                        fs::remove_file(&file)
                    }
                    .ok();
                    fs::write(&file, &kept).unwrap();
                }
            }
        },
    );
}

#[test]
fn paths_that_lead_nowhere_are_named() {
    as_nobody(
        "paths_that_lead_nowhere_are_named",
        |_| {},
        |folder| {
            let own = folder.join("own");
            symlink("nothing", own.join("dangling")).unwrap();
            symlink("loop", own.join("loop")).unwrap();
            fs::write(own.join("file"), "not a folder").unwrap();
            symlink("file", own.join("to-a-file")).unwrap();
            for name in ["dangling", "loop", "file", "to-a-file", "file/below", "missing/below"] {
                for mode in [Mode::CreateIfMissing, Mode::CreateNew, Mode::Existing, Mode::ReadOnly] {
                    let error = common::error_of(Store::open(own.join(name), options(mode)).map(drop));
                    assert!(error.path().is_some_and(|path| path.starts_with(&own)), "{name}, {mode:?}: {error:?}");
                }
            }
            assert_eq!(fs::read(own.join("file")).unwrap(), b"not a folder");
        },
    );
}

#[test]
fn a_store_on_a_read_only_file_system_can_be_read_and_nothing_else() {
    if let Some(folder) = std::env::var_os(PATH).map(PathBuf::from) {
        let path = folder.join("store");
        make(&path);
        let store = Store::open(folder.join("live"), options(Mode::CreateNew)).unwrap();
        store.append(&events_at([1, 2, 1003])).unwrap();
        fs::create_dir(folder.join("died")).unwrap();
        for (file, bytes) in contents(&folder.join("live")) {
            fs::write(folder.join("died").join(file.file_name().unwrap()), bytes).unwrap();
        }
        store.close().unwrap();
        drop(store);
        mounts::make_read_only(&folder).expect("it can be mounted anew");
        for (path, expected) in [(path, all()), (folder.join("died"), vec![1, 2, 1003])] {
            let before = contents(&path);
            assert_eq!(read_only(&path).unwrap(), expected);
            assert_refused(write(&path), &path.join("lock"), "opened for writing");
            let result = Store::destroy(&path, Options::new());
            assert!(matches!(result, Err(Error::Permission { .. })), "{result:?}");
            assert!(contents(&path) == before);
        }
        assert_refused(Store::open(folder.join("new"), options(Mode::CreateNew)).map(|_| Vec::new()), &folder.join("new"), "made");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["a_store_on_a_read_only_file_system_can_be_read_and_nothing_else", "--exact", "--nocapture", "--test-threads=1"]);
    mounts::mount_in_memory(command.env(PATH, folder.path()), folder.path(), "size=16m");
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("skipped: nothing can be mounted here ({error})"),
    }
}
