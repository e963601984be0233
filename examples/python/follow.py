"""Follows a store that another process writes, and handles each event once, in the order in which they arrived, late ones too. The seq of the
last event that was handled is kept in a file, so that the next run goes on where this one ended.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed), beside a
program that writes to the store:

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/follow.py logs cursor [events]

It ends after so many events; without a number it never does.
"""

import os
import sys
from itertools import count

import estore


def read_cursor(path):
    try:
        with open(path) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def write_cursor(path, cursor):
    """Whole or not at all, whenever this program ends."""
    with open(path + ".new", "w") as file:
        print(cursor, file=file)
    os.replace(path + ".new", path)


def main(folder, path, events):
    numbers = iter(range(events)) if events is not None else count()
    with estore.open(folder, mode="read_only") as store, store.tail(read_cursor(path)) as tail:
        for _ in numbers:
            try:
                event = next(tail)
            except estore.GapError:
                print("events were deleted before they came here", flush=True)
                event = next(tail)
            print(f"{event.seq}: {event.data.decode(errors='replace')}", flush=True)
            write_cursor(path, event.seq)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print("usage: follow FOLDER CURSOR [EVENTS]", file=sys.stderr)
        sys.exit(2)
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    except estore.Error as e:
        sys.exit(f"follow: {e}")
