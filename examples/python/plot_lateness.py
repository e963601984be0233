"""A log as a time series: how many events there were in each minute, and how late they came, that is how far behind the newest so far.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/plot_lateness.py [log | --made-up]

The log is one whose lines hold a date, or seconds since 1970; those without belong to the line before. Without an argument that is a log of
the data beside the repository, if it is there, and else one that is made up. It draws in text and, if matplotlib is there, a lateness.png.

The parts between the lines `# %%` are cells, for editors that run them one at a time.
"""

# %% Where events come from
import re
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import estore

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
LOG = Path(__file__).resolve().parents[2] / "../shared/data/Zookeeper_2k.log"
TIME = re.compile(rb"(?<!\S)(?:(\d{9,10})(?!\S)|(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?)")


def time_of(line):
    """The time that a line names first, in nanoseconds; dates are taken for UTC."""
    found = TIME.search(line)
    if not found:
        return None
    seconds, day, clock, fraction = found.groups()
    if seconds:
        return int(seconds) * SECOND
    whole = datetime.fromisoformat(f"{day.decode()}T{clock.decode()}+00:00")
    return estore.to_ns(whole) + int((fraction or b"0").ljust(9, b"0"))


def events_of(path):
    """The lines of a log that name a time, each with those that follow it and name none."""
    events = []
    for line in path.read_bytes().splitlines():
        time = time_of(line)
        if time is not None:
            events.append(estore.Event(time, line))
        elif events:
            events[-1] = events[-1]._replace(data=events[-1].data + b"\n" + line)
    return events


def made_up():
    """Two hours of three machines. One is switched off after an hour, and the network of one is down for half an hour."""
    noon, arrivals = datetime(2023, 11, 15, 12, tzinfo=timezone.utc), []
    for machine, reports in enumerate([range(0, 7200, 60), range(7, 3600, 20), range(11, 7200, 30)]):
        for second in reports:
            waits = 4200 if machine == 2 and 2400 <= second < 4200 else second + 3 * machine
            time = noon + timedelta(seconds=second)
            arrivals.append((waits, estore.Event.at(time, b"machine %d is well" % machine, id=machine)))
    return [event for _, event in sorted(arrivals)]


# %% Into a store, in the order in which they came
def fill(store, events):
    for start in range(0, len(events), 1000):
        store.append(events[start : start + 1000])


# %% What the store knows
def per_minute(store):
    """Pairs of a time and the events per minute from there on, in at most 24 steps of whole minutes. Nothing is read for it, only counted."""
    stats = store.stats()
    start = stats.oldest // MINUTE * MINUTE
    step = (stats.newest - start) // (24 * MINUTE) + 1
    times = range(start, stats.newest + 1, step * MINUTE)
    return step, [(time, store.count(time, time + step * MINUTE - 1) / step) for time in times]


def lateness(store):
    """Pairs of time and lateness of each event, in the order in which they came: that is the order of their seqs."""
    newest, pairs = 0, []
    for event in sorted(store.read(), key=lambda event: event.seq):
        newest = max(newest, event.time)
        pairs.append((event.time, newest - event.time))
    return pairs


# %% Drawn in text
def bar(value, largest):
    return "#" * round(40 * value / largest)


def print_rates(step, rates):
    print(f"\nevents per minute, in steps of {step} min:")
    largest = max(rate for _, rate in rates)
    for time, rate in rates:
        print(f"  {estore.to_datetime(time):%Y-%m-%d %H:%M} {rate:9.3g} {bar(rate, largest)}".rstrip())


def print_lateness(pairs):
    print("\nevents by how late they came, at most:")
    bounds = [("in order", 0), ("a second", SECOND), ("a minute", MINUTE), ("an hour", 60 * MINUTE), ("a day", DAY), ("more", estore.FOREVER)]
    below = -1
    for name, most in bounds:
        count = sum(below < late <= most for _, late in pairs)
        below = most
        print(f"  {name:>8} {count:6} {bar(count, len(pairs))}".rstrip())


# %% Drawn by matplotlib
def save_plot(step, rates, pairs, into):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, figsize=(9, 6), sharex=True, constrained_layout=True)
    above.step([estore.to_datetime(time) for time, _ in rates], [rate for _, rate in rates], where="post")
    above.set_ylabel(f"events per minute\n(steps of {step} min)")
    below.plot([estore.to_datetime(time) for time, _ in pairs], [late / MINUTE for _, late in pairs], ".")
    below.set_yscale("symlog", linthresh=1)
    below.set_ylabel("late by minutes")
    figure.autofmt_xdate()
    figure.savefig(into)
    print(f"\nsaved as {into}")


# %% All of it
def main(arguments):
    if len(arguments) > 1:
        sys.exit("usage: plot_lateness.py [log | --made-up]")
    chosen = arguments[0] if arguments else LOG if LOG.exists() else "--made-up"
    events = made_up() if chosen == "--made-up" else events_of(Path(chosen))
    if not events:
        sys.exit(f"{chosen}: no line names a time")
    # Only for this plot; an efile, since a log may span years and nothing of it is deleted.
    with tempfile.TemporaryDirectory() as folder, estore.open_efile(Path(folder) / "events", durability="buffered") as store:
        fill(store, events)
        stats, (step, rates), pairs = store.stats(), per_minute(store), lateness(store)
    first, last = (estore.to_datetime(time) for time in (stats.oldest, stats.newest))
    print(f"{stats.events} events from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}")
    print(f"{sum(late > 0 for _, late in pairs)} came late, the latest by {timedelta(microseconds=max(late for _, late in pairs) // 1000)}")
    print_rates(step, rates)
    print_lateness(pairs)
    save_plot(step, rates, pairs, "lateness.png")


try:
    main(sys.argv[1:])
except (estore.Error, OSError) as e:
    sys.exit(f"plot_lateness: {e}")
