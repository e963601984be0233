"""Builds the wheel of estore, which carries the shared library: with Python's own library only, so without a network.

    python3 build_wheel.py [--library libestore.so] [--into folder]

The library is `target/dist/libestore.so` of the repository (`make lib` builds it) unless ESTORE_LIBRARY or the option names another; it is
stripped if `strip` is there. The wheel fits every Python 3.9 or later on this kind of machine with a C library as new as the library needs.

This is a build backend too (PEP 517): `pip install bindings/python` and `pip wheel bindings/python` end up here.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
NAME = "libestore.so.1"
# The same bytes for the same sources.
WHEN = (1980, 1, 1, 0, 0, 0)


def project(key):
    """A text of pyproject.toml. Python reads that format by itself from 3.11 on only."""
    return re.search(rf'^{key} = "(.*)"$', (HERE / "pyproject.toml").read_text("utf-8"), re.M).group(1)


def tag_of(content):
    """The platform of a wheel: the machine, and the oldest glibc that has all the symbols which the library needs."""
    versions = [tuple(map(int, found.split(b"."))) for found in re.findall(rb"\0GLIBC_(\d+\.\d+)", content)]
    if not versions or platform.libc_ver()[0] != "glibc":
        return f"linux_{platform.machine()}"
    # pip knows no older name in this form than that of 2.5.
    major, minor = max(max(versions), (2, 5))
    return f"manylinux_{major}_{minor}_{platform.machine()}"


def library_bytes(path):
    """The file, without what only debuggers read."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise SystemExit(f"there is no {path}: build it by `make lib`, or name it in ESTORE_LIBRARY")
    content = path.read_bytes()
    if f"\0{NAME}\0".encode() not in content:
        raise SystemExit(f"{path} is not {NAME}: this version of the binding needs that one")
    if shutil.which("strip"):
        with tempfile.TemporaryDirectory() as folder:
            stripped = pathlib.Path(folder) / NAME
            subprocess.run(["strip", "--strip-unneeded", "-o", stripped, path], check=True)
            content = stripped.read_bytes()
    return content


def build(library, into):
    """Writes the wheel into a folder; answers the name of its file."""
    version, content = project("version"), library_bytes(library)
    tag = f"py3-none-{tag_of(content)}"
    info = f"estore-{version}.dist-info"
    files = {f"estore/{file.name}": file.read_bytes() for file in sorted((HERE / "estore").glob("*")) if file.suffix in (".py", ".typed")}
    files[f"estore/{NAME}"] = content
    licence = HERE.parent.parent / "LICENSE"
    if licence.is_file():
        files[f"{info}/LICENSE"] = licence.read_bytes()
    metadata = [
        "Metadata-Version: 2.1",
        "Name: estore",
        f"Version: {version}",
        f"Summary: {project('description')}",
        f"Requires-Python: {project('requires-python')}",
        "License: MIT",
        "Provides-Extra: numpy",
        'Requires-Dist: numpy ; extra == "numpy"',
    ]
    files[f"{info}/METADATA"] = "\n".join(metadata + [""]).encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: estore\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    record = f"{info}/RECORD"
    files[record] = b"".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n".encode()
        for name, data in files.items()
    ) + f"{record},,\n".encode()
    wheel = f"estore-{version}-{tag}.whl"
    os.makedirs(into, exist_ok=True)
    with zipfile.ZipFile(os.path.join(into, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, WHEN)
            entry.external_attr = (0o100755 if name.endswith(NAME) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel


def default_library():
    """The library that the repository has built."""
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")
    return os.environ.get("ESTORE_LIBRARY") or pathlib.Path(target) / "dist" / "libestore.so"


# PEP 517 calls these. An installer that works on a copy of this folder alone has to be told of the library by ESTORE_LIBRARY.


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return build(default_library(), wheel_directory)


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("a source package of estore is its repository")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Builds the wheel of estore, which carries the shared library.")
    parser.add_argument("--library", default=default_library(), help="the shared library to carry")
    parser.add_argument("--into", default=HERE / "dist", help="the folder for the wheel")
    chosen = parser.parse_args()
    print(os.path.join(chosen.into, build(chosen.library, chosen.into)))
