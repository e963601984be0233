"""The cost of the language border, in Python; benches/README.md says what is measured, border.c how a program is asked. Scans are `numpy`
and `loop`."""

import sys
from time import perf_counter_ns

import estore

BATCH, LEN = 1000, 100


def make_batches(n):
    pool = bytes((j * 31 + j // LEN) % 251 for j in range(BATCH * LEN))
    datas = [pool[at : at + LEN] for at in range(0, len(pool), LEN)]
    events = [
        estore.Event(1_700_000_000_000_000_000 + i * 100_000 + i * 7_368_787 % 10_000_000, datas[i % BATCH], i) for i in range(n)
    ]
    return [events[at : at + BATCH] for at in range(0, n, BATCH)]


def append(path, batches):
    with estore.open(path, mode="create_new", durability="process") as store:
        # It makes the files of the chunk, and is not timed.
        store.append(batches[0])
        rest = batches[1:]
        start = perf_counter_ns()
        for batch in rest:
            store.append(batch)
        took = perf_counter_ns() - start
    print(took, flush=True)


def loop(store):
    count = total = 0
    start = perf_counter_ns()
    for event in store.read():
        count += 1
        total += event.time + len(event.data)
    return perf_counter_ns() - start, count, total


def loop_check(store):
    count = total = 0
    for event in store.read():
        count += 1
        total += event.time + len(event.data) + event.id + sum(event.data)
    return 0, count, total


def numpy(store):
    count = total = 0
    start = perf_counter_ns()
    for batch in store.read().numpy_batches():
        count += len(batch)
        lengths = batch.offsets[1:] - batch.offsets[:-1]
        total += int(batch.times.sum()) + int(lengths.sum())
    return perf_counter_ns() - start, count, total


def numpy_check(store):
    count = total = 0
    for batch in store.read().numpy_batches():
        count += len(batch)
        total += int(batch.times.sum()) + int(batch.offsets[-1]) + int(batch.ids.sum()) + int(batch.data.sum())
    return 0, count, total


def main(work, argument):
    if work == "append":
        batches = make_batches(int(argument))
        for line in sys.stdin:
            append(line.rstrip("\n"), batches)
        return
    scans = {"loop": (loop, loop_check), "numpy": (numpy, numpy_check)}
    with estore.open(argument, mode="read_only") as store:
        for line in sys.stdin:
            nanoseconds, count, total = scans[work][line == "check\n"](store)
            print(nanoseconds, count, total % 2**64, flush=True)


main(*sys.argv[1:])
