"""Readings of a thermometer: appended out of order, sent twice, read in order. Python calls the C functions through ctypes.

Run it from the top of the repository, after `make lib`:

    LD_LIBRARY_PATH=target/release python3 examples/python/quickstart.py [folder]

The folder must not exist yet; it is `thermometer` unless you say otherwise.
"""

import ctypes
import sys
from ctypes import POINTER, c_char, c_char_p, c_int32, c_size_t, c_uint32, c_uint64, c_void_p


# The two structs of estore.h, and its constants that are needed here.
class Event(ctypes.Structure):
    _fields_ = [("time", c_uint64), ("seq", c_uint64), ("data", POINTER(c_char)), ("len", c_uint32), ("id", c_uint32)]


class Error(ctypes.Structure):
    _fields_ = [("status", c_int32), ("os_errno", c_int32), ("offset", c_uint64), ("message", c_char * 496)]


OK, END = 0, 1
CREATE_NEW = 1
FORWARD, REVERSE = 0, 1
NO_END = 2**64 - 1
SECOND = 10**9

lib = ctypes.CDLL("libestore.so.1")


def function(name, *arguments):
    """A function of the library that answers a status; says what its arguments are, since ctypes can't know."""
    found = getattr(lib, name)
    found.argtypes, found.restype = arguments, c_int32
    return found


options_new = lib.estore_options_new
options_new.restype = c_void_p
strerror = lib.estore_strerror
strerror.argtypes, strerror.restype = [c_int32], c_char_p
error, number, handle = POINTER(Error), POINTER(c_uint64), POINTER(c_void_p)
options_set_mode = function("estore_options_set_mode", c_void_p, c_int32)
options_set_file_size_ns = function("estore_options_set_file_size_ns", c_void_p, c_uint64)
options_free = function("estore_options_free", handle)
store_open = function("estore_open", c_char_p, c_size_t, c_void_p, handle, error)
append = function("estore_append", c_void_p, POINTER(Event), c_size_t, number, error)
append_absent = function("estore_append_absent", c_void_p, POINTER(Event), c_size_t, number, number, number, number, error)
read_iter = function("estore_read_iter", c_void_p, c_uint64, c_uint64, c_uint32, c_uint64, handle, error)
iter_next = function("estore_iter_next", c_void_p, POINTER(Event), error)
iter_close = function("estore_iter_close", handle, error)
count = function("estore_count", c_void_p, c_uint64, c_uint64, number, error)
store_close = function("estore_close", handle, error)


def check(status, err=None):
    """Raises for errors; passes on other answers, such as END."""
    if status < 0:
        raise OSError((err.message if err and err.message else strerror(status)).decode())
    return status


def reading(time, text):
    return Event(time=time, data=ctypes.create_string_buffer(text, len(text)), len=len(text), id=7)


def show(store, start, flags, limit):
    err, cursor, event = Error(), c_void_p(), Event()
    check(read_iter(store, start, NO_END, flags, limit, cursor, err), err)
    try:
        # The data of an event belongs to the iterator and is valid until the next call; slicing copies it.
        while check(iter_next(cursor, event, err), err) == OK:
            print(f"  {event.time // SECOND} s: {event.data[:event.len].decode()}")
    finally:
        iter_close(cursor, None)


def main(folder):
    err, store = Error(), c_void_p()

    # One file set for each hour of time. Both settings are optional.
    options = c_void_p(options_new())
    check(options_set_mode(options, CREATE_NEW))
    check(options_set_file_size_ns(options, 3600 * SECOND))
    path = folder.encode()
    check(store_open(path, len(path), options, store, err), err)
    options_free(options)

    # A batch is in any order of times. Times are nanoseconds; the id tells apart events of equal time and data.
    noon = 1_700_049_600 * SECOND
    batch = (Event * 3)(reading(noon + 2 * SECOND, b"21.5"), reading(noon, b"21.3"), reading(noon + SECOND, b"21.4"))
    check(append(store, batch, len(batch), None, err), err)

    # This one comes an hour late. Readers find it in its place, like any other.
    check(append(store, reading(noon - 3600 * SECOND, b"19.0"), 1, None, err), err)

    # The sender is not sure that the batch arrived and sends it again.
    stored, present = c_uint64(), c_uint64()
    check(append_absent(store, batch, len(batch), None, stored, present, None, err), err)
    print(f"sent again: {stored.value} stored, {present.value} there already")

    print("from noon on:")
    show(store, noon, FORWARD, 0)

    print("the last two, newest first:")
    show(store, 0, REVERSE, 2)

    total = c_uint64()
    check(count(store, 0, NO_END, total, err), err)
    print(f"{total.value} events in all")

    check(store_close(store, err), err)


main(sys.argv[1] if len(sys.argv) > 1 else "thermometer")
