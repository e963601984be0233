"""Late data at work: a sensor whose network was down delivers its last half hour at once, and sends it again since nobody answered. Readers
find every reading in its place, once; the stats tell what was late.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/late_data.py [folder]

The folder must not exist yet; it is `sensors` unless you say otherwise.
"""

import sys
from datetime import datetime, timedelta, timezone

import estore

NOON = datetime(2023, 11, 15, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
# As ids: readings of two sensors are never the same event.
CELLAR, ROOF = 1, 2


def reading(time, text, sensor):
    return estore.Event.at(time, text.encode(), sensor)


def print_stats(what, store):
    stats = store.stats()
    print(f"{what}: {stats.events} events, {stats.late_events} of them late")


def main(folder):
    # What lies at most two minutes behind the newest is in time. What is later costs a little more to store, and reads the same.
    with estore.open(folder, mode="create_new", grace=2 * MINUTE) as store:
        # For an hour the cellar reports each minute.
        for minute in range(60):
            store.append(reading(NOON + minute * MINUTE, "cellar 12.0", CELLAR))
        print_stats("the cellar alone", store)
        before = store.read()

        # The roof comes back and delivers what it has measured from 12:30 on.
        batch = [reading(NOON + (30 + i) * MINUTE + timedelta(seconds=20), f"roof {20 + i}.5", ROOF) for i in range(30)]
        store.append(batch)
        print_stats("the roof is back", store)

        # It got no answer and sends all again, with one reading more.
        again = store.append_absent(batch + [reading(NOON + 61 * MINUTE, "roof 50.5", ROOF)])
        print(f"sent again: {again.stored} stored, {again.present} there already")

        print("from 12:40 to 12:42:")
        for event in store.read(NOON + 40 * MINUTE, NOON + 42 * MINUTE):
            print(f"  {(event.datetime - NOON) // MINUTE} min: {event.data.decode()}")

        # A reader shows the moment at which it was made.
        print(f"a reader from before still sees {sum(event.id == CELLAR for event in before)} events")


try:
    main(sys.argv[1] if len(sys.argv) > 1 else "sensors")
except estore.Error as e:
    sys.exit(f"late_data: {e}")
