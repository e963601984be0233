"""Random operations on a store and an efile, against a list that Python sorts. ESTORE_SEED=n runs case n alone, ESTORE_CASES=n more."""

import os
import random
import shutil

import pytest

import estore

SEED = os.environ.get("ESTORE_SEED")
CASES = [int(SEED)] if SEED else range(int(os.environ.get("ESTORE_CASES", "40")))


class Model:
    """What a store should hold: its events in order of arrival, and what was deleted."""

    def __init__(self):
        self.events = []
        self.horizon = 0

    def append(self, batch):
        self.events += [event for event in batch if event[0] >= self.horizon]

    def append_absent(self, batch):
        stored = present = expired = 0
        have = set(self.events)
        for event in batch:
            if event[0] < self.horizon:
                expired += 1
            elif event in have:
                present += 1
            else:
                have.add(event)
                self.events.append(event)
                stored += 1
        return stored, present, expired

    def delete_before(self, time):
        self.horizon = max(self.horizon, time)
        self.events = [event for event in self.events if event[0] >= self.horizon]

    def read(self, start, end, reverse=False, last=None, limit=None):
        found = [event for event in sorted(self.events, key=lambda event: event[0]) if start <= event[0] <= end]
        found = found[-last:] if last else found
        found = found[::-1] if reverse else found
        return found[:limit] if limit else found


def some_time(rng):
    return rng.choice([rng.randrange(2000), rng.randrange(1000, 1100), 2**64 - 1 - rng.randrange(300), 0])


def some_events(rng):
    events = []
    for _ in range(rng.choice([0, 1, 3, 20, 400])):
        length = rng.choice([0, 1, 10, 200, 5000])
        events.append((some_time(rng), bytes([rng.randrange(3)]) * length, rng.choice([0, 1, 2**32 - 1])))
    return events


def some_query(rng):
    start, end = sorted((some_time(rng), some_time(rng)))
    if rng.random() < 0.3:
        start, end = 0, 2**64 - 1
    bound = rng.choice([{}, {}, {"limit": rng.randrange(1, 50)}, {"last": rng.randrange(1, 50)}])
    return dict(start=start, end=end, reverse=rng.random() < 0.5, **bound)


def plain(events):
    return [event[:3] for event in events]


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_a_sorted_list_says(case, tmp_path):
    rng = random.Random(case)
    print(f"again: ESTORE_SEED={case} python3 -m pytest tests/test_model.py")
    efile = rng.random() < 0.4

    def reopen():
        if efile:
            return estore.open_efile(tmp_path / "store", grace=50)
        return estore.open(tmp_path / "store", file_size=100, grace=50, max_open_logs=rng.choice([1, 64]))

    store, model = reopen(), Model()
    readers = []
    for _ in range(40):
        do = rng.randrange(9)
        if do <= 2:
            batch = some_events(rng)
            store.append(batch if rng.random() < 0.5 else [estore.Event(*event) for event in batch])
            model.append(batch)
        elif do == 3:
            batch = some_events(rng) + rng.sample(model.events, min(len(model.events), 5))
            assert store.append_absent(batch)[1:] == model.append_absent(batch)
        elif do == 4:
            query = some_query(rng)
            assert plain(store.read(**query)) == model.read(**query)
            assert store.count(query["start"], query["end"]) == len(model.read(query["start"], query["end"]))
        elif do == 5:
            query = some_query(rng)
            reader, wanted = store.read(**query), model.read(**query)
            taken = plain(event for event, _ in zip(reader, range(rng.randrange(10))))
            # zip takes one event more before it sees the end of the range.
            readers.append((reader, wanted, len(taken) + (len(taken) < len(wanted))))
            assert taken == wanted[: len(taken)]
        elif do == 6 and readers:
            reader, wanted, at = readers.pop(rng.randrange(len(readers)))
            assert plain(event for batch in reader.batches(rng.choice([1, 7, 1000])) for event in batch) == wanted[at:]
        elif do == 7 and not efile and rng.random() < 0.3:
            time = rng.randrange(1500)
            store.delete_before(time)
            model.delete_before(time)
        elif do == 8:
            store.close()
            store = reopen()
    stats = store.stats()
    assert stats.events == len(model.events)
    assert stats.oldest == min((event[0] for event in model.events), default=None)
    assert store.verify().damaged == 0
    store.close()
    for reader, wanted, at in readers:
        assert plain(reader) == wanted[at:]
    shutil.rmtree(tmp_path / "store")
