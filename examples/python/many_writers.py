"""Many writers: threads append to one store at the same time, each batch safe against loss of power when its append returns. Appends that
run at once share their syncs, since none of them holds Python's lock; each batch stays together.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/many_writers.py [folder]

The folder must not exist yet; it is `writers` unless you say otherwise.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import estore

SECOND = 10**9
START = 1_700_049_600 * SECOND
WRITERS, BATCHES, BATCH_SIZE = 8, 25, 10


def append_batches(store, writer):
    for batch in range(BATCHES):
        # It marks its events with the id.
        store.append([estore.Event(START + batch * SECOND, b"batch %d" % batch, writer)] * BATCH_SIZE)


def main(folder):
    with estore.open(folder, mode="create_new", durability="power") as store:
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(append_batches, store, writer) for writer in range(WRITERS)]
        for writer in writers:
            # Raises what that writer raised.
            writer.result()

        safe = "yes" if store.durable_seq == store.last_seq else "no"
        print(f"{WRITERS} threads wrote {store.count()} events, all of them safe: {safe}")

        # Events of equal time come in the order of their arrival, so a batch that stayed together comes in one piece.
        pieces = sum(1 for _ in groupby(store.read(), key=lambda event: (event.time, event.id)))
        print(f"{WRITERS * BATCHES} batches, read in {pieces} pieces")


try:
    main(sys.argv[1] if len(sys.argv) > 1 else "writers")
except estore.Error as e:
    sys.exit(f"many_writers: {e}")
