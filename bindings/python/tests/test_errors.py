"""Each error of the library is an exception of its own, and the built-in one that fits."""

import errno
import io
import os
import pickle
import shutil

import pytest

import estore


def test_every_class_has_a_status_of_its_own():
    kinds = [kind for kind in estore.Error.__subclasses__() if kind is not estore.LibraryError]
    assert sorted(kind.status for kind in kinds) == [*range(-24, 0), 3]


@pytest.mark.parametrize(
    "kind, fitting",
    [
        (estore.InvalidError, ValueError),
        (estore.IoError, OSError),
        (estore.NotFoundError, FileNotFoundError),
        (estore.ExistsError, FileExistsError),
        (estore.LockedError, BlockingIOError),
        (estore.ReadOnlyError, io.UnsupportedOperation),
        (estore.NoSpaceError, OSError),
        (estore.PoisonedError, OSError),
        (estore.OutcomeUnknownError, OSError),
        (estore.TooLargeError, ValueError),
        (estore.SettingsError, ValueError),
        (estore.ForeignFilesError, OSError),
        (estore.NotAFolderError, NotADirectoryError),
        (estore.TooManyChunksError, ValueError),
        (estore.ClosedError, ValueError),
        (estore.ForkedError, RuntimeError),
        (estore.PanicError, RuntimeError),
        (estore.GoneError, FileNotFoundError),
        (estore.NotAStoreError, ValueError),
        (estore.NoPermissionError, PermissionError),
        (estore.RangeError, ValueError),
        (estore.MissingFeatureError, NotImplementedError),
        (estore.LibraryError, ImportError),
    ],
)
def test_errors_are_the_fitting_built_in_ones_too(kind, fitting):
    assert issubclass(kind, fitting) and issubclass(kind, estore.Error)
    error = kind("what happened")
    assert str(error) == "what happened"
    if issubclass(fitting, OSError) and fitting is not io.UnsupportedOperation:
        # The class that Python itself makes of this errno.
        assert type(OSError(error.errno, "")) is fitting or fitting is OSError


def test_a_full_disk_is_an_error_that_passes(path, run):
    program = """
import estore, resource, sys
with estore.open(sys.argv[1], durability="process") as store:
    store.append([(1, b"x")])
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, most[1]))
    try:
        for at in range(10): store.append([(at, bytes(10_000))])
    except OSError as e:
        print(type(e).__name__, e.errno, e.filename == sys.argv[1])
    kept = store.count()
    resource.setrlimit(resource.RLIMIT_FSIZE, most)
    print(store.append([(1, b"y")]) - kept)
"""
    assert run(program, path) == f"NoSpaceError {errno.EFBIG} True\n1\n"


def test_nothing_there(path):
    with pytest.raises(FileNotFoundError) as raised:
        estore.open(path, mode="existing")
    error = raised.value
    assert isinstance(error, estore.NotFoundError) and isinstance(error, estore.Error)
    assert (error.status, error.errno, error.filename, error.offset) == (-4, errno.ENOENT, str(path), None)
    assert str(path) in str(error)


def test_something_there(path):
    estore.open(path).close()
    with pytest.raises(FileExistsError) as raised:
        estore.open(path, mode="create_new")
    assert type(raised.value) is estore.ExistsError and raised.value.errno == errno.EEXIST


def test_locked(path, run):
    with estore.open(path):
        with pytest.raises(estore.LockedError, match=str(os.getpid())):
            estore.open(path)
        program = "import estore, sys\ntry: estore.open(sys.argv[1])\nexcept BlockingIOError as e: print(type(e).__name__, e.errno)"
        assert run(program, path) == f"LockedError {errno.EAGAIN}\n"
        with estore.open(path, mode="read_only") as reading:
            with pytest.raises(OSError) as raised:
                reading.append([(1, b"x")])
    assert type(raised.value) is estore.ReadOnlyError and raised.value.filename == str(path)


def test_not_a_store(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "foreign").write_text("x")
    with pytest.raises(NotADirectoryError):
        estore.open(tmp_path / "file")
    with pytest.raises(estore.ForeignFilesError):
        estore.open(tmp_path / "folder")
    estore.open_efile(tmp_path / "efile").close()
    with pytest.raises(estore.NotAStoreError):
        estore.open(tmp_path / "efile")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as raised:
        estore.open(tmp_path / "events")
    tmp_path.chmod(0o700)
    assert type(raised.value) is estore.NoPermissionError and raised.value.errno == errno.EACCES


def damaged(path):
    """A store of 20,000 events in one chunk, with a byte changed in the middle of its log. Answers the log."""
    with estore.open(path) as store:
        store.append([(at, b"%06d" % at * 10) for at in range(10_000)])
        store.append([(at, b"%06d" % at * 10) for at in range(10_000, 20_000)])
    (log,) = path.glob("*.estore")
    with open(log, "r+b") as file:
        file.seek(log.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    return log


def test_damage_comes_after_the_whole_events_before_it_and_again_and_again(path):
    log = damaged(path)
    with estore.open(path) as store:
        reader, seen = store.read(), []
        for _ in range(3):
            with pytest.raises(estore.CorruptError) as raised:
                for event in reader:
                    seen.append(event.time)
            assert str(log) in str(raised.value) and 0 < raised.value.offset < log.stat().st_size
        assert seen == list(range(len(seen))) and 5000 < len(seen) < 15_000


def test_salvage_gives_what_lies_outside_of_the_damage_and_tells_the_gap(path):
    log = damaged(path)
    with estore.open(path) as store:
        with store.read(salvage=True) as reader:
            times = [event.time for event in reader]
            (gap,) = reader.gaps
        assert reader.gaps == [gap]
        assert gap.path == str(log) and gap.len > 0 and gap.offset <= log.stat().st_size // 2 < gap.offset + gap.len
        missing = set(range(20_000)) - set(times)
        assert times == sorted(times) and missing
        assert gap.first_time <= min(missing) and max(missing) <= gap.last_time


def test_verify_finds_the_damage(path):
    log = damaged(path)
    with estore.open(path) as store:
        events, count, findings = store.verify()
        assert count == 1 and 0 < events < 20_000
        (damage,) = [finding for finding in findings if finding.kind == "damage"]
        assert damage.path == str(log) and damage.what and damage.len > 0
        seen = []
        assert store.verify(lambda finding: seen.append(finding) or True).findings == []
        assert len(seen) == 1
        with pytest.raises(ZeroDivisionError):
            store.verify(lambda finding: 1 // 0)
        with pytest.raises(estore.InvalidError, match="inside"):
            store.verify(lambda finding: store.close())
        store.verify(lambda finding: store.count(0, 0) and None)


def test_other_settings_are_refused(path):
    estore.open(path).close()
    with pytest.raises(estore.SettingsError) as raised:
        estore.open(path, file_size="1h")
    assert isinstance(raised.value, ValueError)


def test_errors_can_be_pickled(path):
    for kind in estore.Error.__subclasses__():
        error = kind("what happened", os_errno=7, offset=5, filename="file")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == "what happened"
        assert (again.status, again.os_errno, again.offset) == (kind.status, 7, 5)
        if isinstance(error, OSError):
            assert (again.errno, again.filename) == (7, "file")


def test_a_store_that_vanishes_under_another_process_is_an_error(path, tmp_path):
    with estore.open(path) as store:
        store.append([(at, bytes(1000)) for at in range(2000)])
    with estore.open(path, mode="read_only") as store:
        shutil.rmtree(path)
        with pytest.raises(estore.Error):
            list(store.read())
