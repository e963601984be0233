"""Readings of a thermometer: appended out of order, sent twice, read in order.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/quickstart.py [folder]

The folder must not exist yet; it is `thermometer` unless you say otherwise.
"""

import sys
from datetime import datetime, timedelta, timezone

import estore

NOON = datetime(2023, 11, 15, 12, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


def reading(time, text):
    # The id tells apart events of equal time and data: here, which thermometer it was.
    return estore.Event.at(time, text.encode(), id=7)


def show(events):
    for event in events:
        print(f"  {event.time // 10**9} s: {event.data.decode()}")


def main(folder):
    # One file set for each hour of time. Both settings are optional.
    with estore.open(folder, mode="create_new", file_size="1h") as store:
        # A batch is in any order of times.
        batch = [reading(NOON + 2 * SECOND, "21.5"), reading(NOON, "21.3"), reading(NOON + SECOND, "21.4")]
        store.append(batch)

        # This one comes an hour late. Readers find it in its place, like any other.
        store.append(reading(NOON - timedelta(hours=1), "19.0"))

        # The sender is not sure that the batch arrived and sends it again.
        again = store.append_absent(batch)
        print(f"sent again: {again.stored} stored, {again.present} there already")

        print("from noon on:")
        show(store.read(NOON))

        print("the last two, newest first:")
        show(reversed(store.read(last=2)))

        print(f"{store.count()} events in all")


try:
    main(sys.argv[1] if len(sys.argv) > 1 else "thermometer")
except estore.Error as e:
    sys.exit(str(e))
