"""The shared library: where it is found, whether it is of the right version, and what its functions take.

Pointers are plain addresses here (c_void_p). Of the two structs of estore.h, estore_error is mirrored below; an estore_event is 32 bytes
that `_events` packs and unpacks many at a time.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from ctypes import c_char, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._errors import BY_STATUS, Error, LibraryError

VERSION = "0.1.0"
ABI = 1
NAME = f"libestore.so.{ABI}"
NO_NUMBER = 2**64 - 1

LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t)
FindingFunction = ctypes.CFUNCTYPE(
    c_int32, c_void_p, c_int32, c_void_p, c_size_t, c_uint64, c_uint64, c_void_p, c_size_t
)
ProgressFunction = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
GapFunction = ctypes.CFUNCTYPE(
    None, c_void_p, c_void_p, c_size_t, c_uint64, c_uint64, c_uint64, c_uint64, c_void_p, c_size_t
)


class Raised:
    """What functions of the caller raised while the library called them: nothing may be thrown into it. A with block around the call raises the
    first of it afterwards, also where the call itself failed."""

    def __init__(self) -> None:
        self._first: Optional[BaseException] = None

    def add(self, exception: BaseException) -> None:
        """Keeps it."""
        self._first = self._first or exception

    def __enter__(self) -> Raised:
        return self

    def __exit__(self, *_: object) -> None:
        if self._first is not None:
            raise self._first


class ErrorDetail(ctypes.Structure):
    """estore_error."""

    _fields_ = [("status", c_int32), ("os_errno", c_int32), ("offset", c_uint64), ("message", c_char * 496)]


_pointer, _size, _u64, _i32 = c_void_p, c_size_t, c_uint64, c_int32
# What each function takes; it answers a status unless it is in _ANSWERS.
_TAKES: Dict[str, List[Any]] = {
    "estore_strerror": [_i32],
    "estore_version": [],
    "estore_version_number": [],
    "estore_now": [],
    "estore_event_id": [],
    "estore_duration_parse": [c_char_p, _size, _pointer, _pointer],
    "estore_options_new": [],
    "estore_options_set_mode": [_pointer, _i32],
    "estore_options_set_durability": [_pointer, _i32, _u64],
    "estore_options_set_file_size_ns": [_pointer, _u64],
    "estore_options_set_grace_ns": [_pointer, _u64],
    "estore_options_set_max_event_len": [_pointer, c_uint32],
    "estore_options_set_max_new_chunks": [_pointer, _size],
    "estore_options_set_max_open_logs": [_pointer, _size],
    "estore_options_set_buffer": [_pointer, _size, _u64],
    "estore_options_set_no_index": [_pointer, _i32],
    "estore_options_set_background": [_pointer, _i32],
    "estore_options_set_compaction": [_pointer, _i32],
    "estore_options_set_compression": [_pointer, _i32, _pointer],
    "estore_options_set_max_age_ns": [_pointer, _u64],
    "estore_options_set_max_bytes": [_pointer, _u64],
    "estore_options_set_log": [_pointer, LogFunction, _pointer],
    "estore_options_free": [_pointer],
    "estore_splits": [_pointer, _u64, _u64, _pointer, _size, _pointer, _pointer],
    "estore_delete_before": [_pointer, _u64, _pointer],
    "estore_retain": [_pointer, _u64, _u64, _i32, _pointer, _pointer, _pointer, _pointer, _pointer],
    "estore_stat_name": [_size],
    "estore_iter_next_columns": [_pointer, _pointer, _pointer, _pointer, _pointer, _size, _pointer, _size, _pointer, _pointer, _pointer],
    "estore_iter_fd": [_pointer, _pointer, _pointer],
    "estore_iter_snapshot_seq": [_pointer, _pointer, _pointer],
    "estore_iter_gaps": [_pointer, GapFunction, _pointer, _pointer, _pointer],
    "estore_iter_close": [_pointer, _pointer],
    "estore_digest_differences": [_u64, _u64, _u64, _pointer, _u64, _pointer, _u64, _size, _pointer, _size, _pointer, _pointer],
    "estore_exchange_request": [_pointer, _pointer, _pointer],
    "estore_exchange_reply": [_pointer, _pointer, _size, _pointer],
    "estore_exchange_repaired": [_pointer, GapFunction, _pointer, _pointer, _size, _pointer, _pointer],
    "estore_exchange_close": [_pointer, _pointer],
    "estore_export_next": [_pointer, _size, _pointer, _pointer],
    "estore_export_snapshot_seq": [_pointer, _pointer, _pointer],
    "estore_export_gaps": [_pointer, GapFunction, _pointer, _pointer, _pointer],
    "estore_export_close": [_pointer, _pointer],
    "estore_bytes_view": [_pointer, _pointer, _pointer, _pointer],
    "estore_bytes_free": [_pointer],
}
for _kind in ("estore", "efile"):
    _TAKES.update(
        {
            f"{_kind}_open": [c_char_p, _size, _pointer, _pointer, _pointer],
            f"{_kind}_append": [_pointer, _pointer, _size, _pointer, _pointer],
            f"{_kind}_append_absent": [_pointer, _pointer, _size, _pointer, _pointer, _pointer, _pointer, _pointer],
            f"{_kind}_sync": [_pointer, _pointer, _pointer],
            f"{_kind}_tick": [_pointer, _pointer],
            f"{_kind}_last_seq": [_pointer, _pointer, _pointer],
            f"{_kind}_durable_seq": [_pointer, _pointer, _pointer],
            f"{_kind}_read_iter": [_pointer, _u64, _u64, c_uint32, _u64, _pointer, _pointer],
            f"{_kind}_tail_iter": [_pointer, _u64, _pointer, _pointer],
            f"{_kind}_count": [_pointer, _u64, _u64, _pointer, _pointer],
            f"{_kind}_stats": [_pointer, _pointer, _size, _pointer, _pointer],
            f"{_kind}_verify": [_pointer, FindingFunction, _pointer, _pointer, _pointer, _pointer],
            f"{_kind}_compact": [_pointer, _u64, _u64, ProgressFunction, _pointer, _pointer, _pointer, _pointer],
            f"{_kind}_snapshot": [_pointer, c_char_p, _size, ProgressFunction, *[_pointer] * 7],
            f"{_kind}_digest": [_pointer, _u64, _u64, _u64, _pointer, _size, _pointer, _pointer, _pointer],
            f"{_kind}_repair": [
                _pointer, _pointer, _u64, _u64, c_uint32, GapFunction, ProgressFunction, _pointer, _pointer, _size, _pointer, _pointer
            ],
            f"{_kind}_exchange_begin": [_pointer, _u64, _u64, c_uint32, _pointer, _pointer],
            f"{_kind}_answer": [_pointer, _pointer, _size, _pointer, _pointer],
            f"{_kind}_export_begin": [_pointer, _u64, _u64, c_uint32, _u64, _pointer, _pointer],
            f"{_kind}_import": [_pointer, _pointer, _size, *[_pointer] * 5],
            f"{_kind}_close": [_pointer, _pointer],
            f"{_kind}_destroy": [c_char_p, _size, _pointer, _pointer],
        }
    )
_ANSWERS: Dict[str, Any] = {
    "estore_strerror": c_char_p,
    "estore_version": c_char_p,
    "estore_version_number": c_uint32,
    "estore_now": c_uint64,
    "estore_event_id": c_uint32,
    "estore_options_new": c_void_p,
    "estore_stat_name": c_char_p,
}


def _candidates() -> List[str]:
    chosen = os.environ.get("ESTORE_LIBRARY")
    if chosen:
        return [chosen]
    carried = os.path.join(os.path.dirname(os.path.abspath(__file__)), NAME)
    return [carried, NAME] if os.path.exists(carried) else [NAME]


class _Place(ctypes.Structure):
    """Dl_info of the C library: in which file something is."""

    _fields_ = [("file", c_char_p), ("base", c_void_p), ("symbol", c_char_p), ("address", c_void_p)]


def _abi_of(library: ctypes.CDLL) -> Optional[int]:
    """The number in the SONAME of its file, if that can be read. The library has no function that tells it."""
    place = _Place()
    if not ctypes.CDLL(None).dladdr(library.estore_version, ctypes.byref(place)):
        return None
    try:
        with open(place.file, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = re.search(rb"\0libestore\.so\.(\d+)\0", content)
            return int(found.group(1)) if found else None
    except (OSError, ValueError):
        return None


def _number(version: str) -> int:
    major, minor, patch = (int(part) for part in version.split("."))
    return major * 1_000_000 + minor * 1000 + patch


def _load() -> Tuple[ctypes.CDLL, str]:
    path = _candidates()[0]
    try:
        # A function is called without the GIL.
        library = ctypes.CDLL(path)
    except OSError as e:
        hint = f"no library: {e}. Name it in ESTORE_LIBRARY, install it (make install, ldconfig), or install a wheel that carries it"
        raise LibraryError(hint) from e
    try:
        library.estore_version.restype = c_char_p
        library.estore_version_number.restype = c_uint32
        version = library.estore_version().decode()
        number = library.estore_version_number()
    except AttributeError as e:
        raise LibraryError(f"{path} is not the library of estore: {e}") from e
    abi = _abi_of(library)
    if abi not in (None, ABI):
        raise LibraryError(f"{path} has version {abi} of the ABI, and this binding (estore {VERSION}) needs version {ABI}")
    if number < _number(VERSION):
        raise LibraryError(f"{path} is estore {version}, which is too old: this binding needs {VERSION} or later")
    for name, takes in _TAKES.items():
        try:
            function = getattr(library, name)
        except AttributeError as e:
            raise LibraryError(f"{path} is estore {version} and lacks a function that this binding ({VERSION}) needs: {e}") from e
        function.argtypes = takes
        function.restype = _ANSWERS.get(name, c_int32)
    return library, version


library, library_version = _load()


def error_of(status: int, detail: Optional[ErrorDetail] = None, filename: Optional[str] = None) -> Error:
    """The exception for a negative status."""
    message = bytes(detail.message).decode("utf-8", "replace") if detail is not None else ""
    known = detail is not None and detail.status == status
    return BY_STATUS.get(status, Error)(
        message or library.estore_strerror(status).decode(),
        status=status,
        os_errno=int(detail.os_errno) if detail is not None and known else 0,
        offset=int(detail.offset) if detail is not None and known and detail.offset != NO_NUMBER else None,
        filename=filename,
    )


def text_at(pointer: Optional[int], length: int) -> str:
    """A text that the library lends to a callback."""
    return ctypes.string_at(pointer, length).decode("utf-8", "replace") if pointer and length else ""


Function = Callable[..., int]
