"""A backup of a store in use: a snapshot is a store of its own, with what was there at one moment. Another one into the same folder copies
only what is new. To restore it, copy the folder, and open the copy.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/snapshot.py [folder] [backup]

The folders must not exist yet; they are `measured` and `backup` unless you say otherwise.
"""

import sys

import estore


def measure(store, start, end):
    for time in range(start, end):
        store.append([(time, b"20.5 degrees")])


def take(store, backup):
    """Takes a snapshot; answers how many bytes were copied."""
    taken = store.snapshot(backup)
    print(f"a snapshot up to event {taken.seq}, {'of a damaged store' if taken.damaged else 'whole'}")
    return taken.bytes_copied


def show(store, backup):
    with estore.open(backup, mode="read_only") as there:
        print(f"{store.count()} events in the store, {there.count()} in the snapshot")


def main(folder="measured", backup="backup"):
    with estore.open(folder, mode="create_new") as store:
        measure(store, 0, 1000)
        first = take(store, backup)
        measure(store, 1000, 1200)
        show(store, backup)
        second = take(store, backup)
        show(store, backup)
        print("the second one copied less:", "yes" if second < first else "no")


try:
    main(*sys.argv[1:3])
except estore.Error as e:
    sys.exit(f"snapshot: {e}")
