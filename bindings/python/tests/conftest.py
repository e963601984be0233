"""What the tests share. The library is the one that ESTORE_LIBRARY names, or that the loader finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import estore

BINDING = Path(__file__).resolve().parent.parent


@pytest.fixture
def path(tmp_path):
    """A folder for a store, which is not there yet."""
    return tmp_path / "events"


@pytest.fixture
def store(path):
    with estore.open(path) as opened:
        yield opened


@pytest.fixture
def efile(tmp_path):
    with estore.open_efile(tmp_path / "efile") as opened:
        yield opened


@pytest.fixture(params=["estore", "efile"])
def either(request):
    """A store, then an efile: for what both do alike."""
    return request.getfixturevalue("store" if request.param == "estore" else "efile")


@pytest.fixture
def run(tmp_path):
    """Runs a program in a Python of its own, in tmp_path; answers what it printed. It must end well and write nothing to stderr."""

    def start(program, *arguments, check=True, **environment):
        search = {"PYTHONPATH": str(BINDING), "PYTHONFAULTHANDLER": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **search, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
        if check:
            assert (done.returncode, done.stderr) == (0, ""), done.stderr
            return done.stdout
        return done

    return start


def plain(events):
    """Times, data and ids: what an event is apart from its seq."""
    return [event[:3] for event in events]
