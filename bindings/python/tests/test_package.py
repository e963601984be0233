"""The package as others get it: the wheel with the library in it, and the types that type checkers read."""

import importlib.util
import os
import subprocess
import sys
import zipfile

import pytest
from conftest import BINDING
from test_library import file  # noqa: F401 # a fixture

import estore

has = importlib.util.find_spec


@pytest.fixture
def wheel(tmp_path, file):  # noqa: F811
    command = [sys.executable, BINDING / "build_wheel.py", "--library", file, "--into", tmp_path / "wheels"]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    (made,) = (tmp_path / "wheels").iterdir()
    return made


def test_the_wheel_carries_all_that_is_needed(wheel, tmp_path, run):
    assert wheel.name.startswith(f"estore-{estore.__version__}-py3-none-") and "linux" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        assert {"estore/py.typed", "estore/libestore.so.1", "estore/__init__.py"} <= set(archive.namelist())
    program = "import estore\nwith estore.open('s') as s: s.append([(1, b'x')])\nprint(estore._library.library._name)"
    printed = run(program, PYTHONPATH=str(tmp_path / "site"), ESTORE_LIBRARY="")
    assert printed == f"{tmp_path}/site/estore/libestore.so.1\n"


def test_the_same_wheel_again(wheel, tmp_path, file):  # noqa: F811
    command = [sys.executable, BINDING / "build_wheel.py", "--library", file, "--into", tmp_path / "again"]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.skipif(has("pip") is None, reason="pip is not installed")
def test_pip_installs_and_removes_the_wheel(wheel, tmp_path, run):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    subprocess.run([*command, "--target", tmp_path / "site", wheel], check=True)
    assert run("import estore\nprint(estore.__version__)", PYTHONPATH=str(tmp_path / "site"), ESTORE_LIBRARY="") == f"{estore.__version__}\n"


def test_a_wheel_with_another_library_is_not_made(tmp_path):
    (tmp_path / "libestore.so").write_text("text")
    command = [sys.executable, BINDING / "build_wheel.py", "--library", tmp_path / "libestore.so", "--into", tmp_path / "wheels"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0 and "is not libestore.so.1" in done.stderr


needs_mypy = pytest.mark.skipif(has("mypy") is None, reason="mypy is not installed")


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """Runs mypy; answers its exit code and what it said."""
    cache = tmp_path_factory.mktemp("mypy")

    def start(*arguments):
        command = [sys.executable, "-W", "ignore", "-m", "mypy", "--cache-dir", cache, *arguments]
        environment = {**os.environ, "MYPYPATH": str(BINDING)}
        done = subprocess.run(command, cwd=BINDING, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    return start


@needs_mypy
def test_the_types_pass_a_strict_check(mypy):
    code, said = mypy()
    assert code == 0, said


@needs_mypy
def test_a_strict_check_of_a_program_knows_the_types(mypy, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        """
from array import array
from datetime import datetime, timedelta, timezone
from typing import Iterator, List, Optional
import estore

with estore.open("events", file_size="1d", grace=timedelta(seconds=1), durability="power") as store:
    seq: int = store.append([estore.Event(1, b"x"), (datetime.now(timezone.utc), bytearray(b"y")), (1, b"z", 7)])
    data: List[bytes] = [event.data for event in store.read(0, datetime.now(timezone.utc), last=5)]
    oldest: Optional[int] = store.stats().oldest
    back: Iterator[estore.Event] = reversed(store.read())
    columns: List[estore.NumpyBatch] = list(store.read().numpy_batches())
    store.append([estore.Event.at(datetime.now(timezone.utc), memoryview(b"x")), estore.Event.now(array("I", [1]))])
"""
    )
    code, said = mypy(program)
    assert code == 0, said
    wrong = [
        'store.append([("1", b"x")])',
        'store.append([(1, "text")])',
        'store.append((1, b"x"))',
        "store.read(1.5)",
        "estore.nothing",
        'estore.open("x", mode="w")',
        "store.stats().oldest + 1",
    ]
    program.write_text("\n".join(["import estore", 'store = estore.open("events")', *wrong]))
    code, said = mypy(program)
    assert code == 1 and all(f"program.py:{line}: error" in said for line in range(3, 3 + len(wrong))), said


def test_every_public_name_is_explained():
    for name in estore.__all__:
        thing = getattr(estore, name)
        if isinstance(thing, type) or callable(thing) and not hasattr(thing, "__origin__"):
            assert thing.__doc__, name
        if isinstance(thing, type):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, (property, classmethod, staticmethod))):
                    assert getattr(value, "__doc__", None) or getattr(value, "__func__", None).__doc__, f"{name}.{member}"
