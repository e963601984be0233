"""Finding and loading the library, and refusing another one: each in a Python of its own."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BINDING

import estore
from estore import _library, _reader, _store, _tail

IMPORT = "import estore\nprint(estore.library_version)"


@pytest.fixture(scope="module")
def file():
    """The file of the library that these tests run with."""
    name = _library.library._name
    if "/" not in name:
        maps = Path("/proc/self/maps").read_text()
        name = re.search(r"\S*/libestore\.so\S*", maps).group()
    return name


@pytest.fixture
def refused(run):
    """What is said when the import fails, as it must, with an ImportError."""

    def ask(**environment):
        program = "try: import estore\nexcept ImportError as e: print(e)\nelse: print('it was taken')"
        said = run(program, **environment)
        assert "it was taken" not in said
        return said

    return ask


def test_named_in_the_environment(run, file):
    assert run(IMPORT, ESTORE_LIBRARY=file) == f"{estore.library_version}\n"


def test_carried_by_the_package(run, file, tmp_path):
    shutil.copytree(BINDING / "estore", tmp_path / "estore")
    shutil.copy(file, tmp_path / "estore" / "libestore.so.1")
    program = IMPORT + "\nprint(estore._library.library._name)"
    assert run(program, ESTORE_LIBRARY="", PYTHONPATH=str(tmp_path)).endswith(f"{tmp_path}/estore/libestore.so.1\n")


def test_found_by_the_loader(run, file, tmp_path):
    (tmp_path / "libestore.so.1").symlink_to(file)
    assert run(IMPORT, ESTORE_LIBRARY="", LD_LIBRARY_PATH=str(tmp_path))


def test_not_found(refused, tmp_path):
    said = refused(ESTORE_LIBRARY=str(tmp_path / "nowhere.so"))
    assert "nowhere.so" in said and "ESTORE_LIBRARY" in said


def test_not_a_library(refused, tmp_path):
    (tmp_path / "text.so").write_text("text")
    assert "text.so" in refused(ESTORE_LIBRARY=str(tmp_path / "text.so"))


def test_the_library_of_somebody_else(refused):
    assert "not the library of estore" in refused(ESTORE_LIBRARY="libc.so.6")


def imitation(folder, soname, version, number, more=""):
    """A library that says it is of some version, and has no more functions than that."""
    source = folder / "imitation.c"
    source.write_text(f'const char *estore_version(void) {{ return "{version}"; }}\nunsigned estore_version_number(void) {{ return {number}; }}\n')
    made = folder / "imitation.so"
    subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,-soname,{soname}", "-o", made, source], check=True)
    return str(made)


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler makes the libraries that are refused")


@needs_compiler
def test_another_version_of_the_abi(refused, tmp_path):
    said = refused(ESTORE_LIBRARY=imitation(tmp_path, "libestore.so.2", "9.9.9", 9_009_009))
    assert "version 2 of the ABI" in said and "needs version 1" in said


@needs_compiler
def test_another_version_of_the_abi_that_the_loader_finds(refused, tmp_path):
    other = imitation(tmp_path, "libestore.so.2", "9.9.9", 9_009_009)
    (tmp_path / "libestore.so.2").symlink_to(other)
    said = refused(ESTORE_LIBRARY="libestore.so.2", LD_LIBRARY_PATH=str(tmp_path))
    assert "version 2 of the ABI" in said and "needs version 1" in said


@needs_compiler
def test_an_older_version(refused, tmp_path):
    said = refused(ESTORE_LIBRARY=imitation(tmp_path, "libestore.so.1", "0.0.9", 9))
    assert "estore 0.0.9" in said and f"needs {estore.__version__}" in said


@needs_compiler
def test_a_library_without_a_function_that_is_needed(refused, tmp_path):
    said = refused(ESTORE_LIBRARY=imitation(tmp_path, "libestore.so.1", "0.1.7", 1007))
    assert "estore 0.1.7" in said and "estore_strerror" in said


HEADER = BINDING.parent.parent / "include" / "estore.h"
needs_header = pytest.mark.skipif(not HEADER.exists(), reason="outside of the repository there is no header")
# All reading is by columns, waiting by poll, events are made here, and what they are is compared here.
NOT_CALLED = {"estore_iter_next", "estore_iter_next_batch", "estore_iter_wait", "estore_event_init"}


@needs_header
def test_no_function_of_the_header_is_forgotten():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    declared = {found: arguments for found, arguments in re.findall(r"\b((?:estore|efile)_\w+)\(([^)]*)\);", text) if found}
    assert set(declared) - NOT_CALLED == set(_library._TAKES)
    for name, takes in _library._TAKES.items():
        arguments = [] if declared[name].strip() in ("", "void") else declared[name].split(",")
        assert len(arguments) == len(takes), name
        for argument, takes_it in zip(arguments, takes):
            pointer = "*" in argument or "_fn" in argument
            size = 8 if pointer else {"uint64_t": 8, "size_t": 8, "uint32_t": 4, "int32_t": 4, "estore_status": 4}[argument.split()[0]]
            assert ctypes.sizeof(takes_it) == size, (name, argument)


@needs_header
def test_numbers_are_those_of_the_header():
    header = dict(re.findall(r"#define (ESTORE_\w+) (-?\d+)$", HEADER.read_text(), flags=re.M))
    errors = {name: int(number) for name, number in header.items() if name.startswith("ESTORE_ERR_")}
    errors["ESTORE_ERR_GAP"] = int(header["ESTORE_GAP"])
    assert sorted(errors.values()) == sorted(kind.status for kind in estore.Error.__subclasses__() if kind.status)
    names = {"IoError": "IO", "NotAFolderError": "NOT_A_FOLDER", "NotAStoreError": "NOT_A_STORE", "NoPermissionError": "PERMISSION"}
    for kind in estore.Error.__subclasses__():
        if kind.status:
            name = names.get(kind.__name__) or re.sub(r"(?<=.)(?=[A-Z])", "_", kind.__name__[: -len("Error")]).upper()
            assert errors[f"ESTORE_ERR_{name}"] == kind.status
    for prefix, choices in (("MODE", _store._MODES), ("DURABILITY", _store._DURABILITIES), ("STAT", estore.Stats._fields[:-1])):
        for number, choice in enumerate(choices):
            assert int(header[f"ESTORE_{prefix}_{choice.upper()}"]) == number
    assert int(header["ESTORE_STAT_COUNT"]) == len(estore.Stats._fields) - 1
    for number, kind in _store._KINDS.items():
        assert int(header[f"ESTORE_FINDING_{kind.upper()}"]) == number
    for name in ("REVERSE", "LAST", "SALVAGE"):
        assert int(header[f"ESTORE_READ_{name}"]) == getattr(_reader, name)
    assert int(header["ESTORE_END"]) == _reader.END
    assert (int(header["ESTORE_GAP"]), int(header["ESTORE_TIMEOUT"])) == (_tail.GAP, _tail.TIMEOUT)
    assert ctypes.sizeof(_library.ErrorDetail) == 512 == 16 + int(header["ESTORE_ERROR_MESSAGE_LEN"])
    assert _library._number(estore.__version__) == int(header["ESTORE_VERSION_NUMBER"])
