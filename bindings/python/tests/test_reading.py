"""Reading: directions, limits, snapshots, and readers that outlive what they came from."""

import copy
import gc
import itertools
import pickle

import pytest
from conftest import plain

import estore

TEN = [(at, b"%d" % at, 0) for at in range(10)]


@pytest.fixture
def ten(either):
    either.append(TEN[5:])
    either.append(TEN[:5])
    return either


def test_directions_and_limits(ten):
    assert plain(ten.read()) == TEN
    assert plain(ten.read(reverse=True)) == TEN[::-1]
    assert plain(ten.read(limit=3)) == TEN[:3]
    assert plain(ten.read(limit=3, reverse=True)) == TEN[:-4:-1]
    assert plain(ten.read(last=3)) == TEN[-3:]
    assert plain(ten.read(last=3, reverse=True)) == TEN[:-4:-1]
    assert plain(ten.read(2, 6, last=2)) == TEN[5:7]
    assert plain(ten.read(last=2**64 - 1)) == TEN
    assert plain(ten.read(20)) == []

    class Four:
        def __index__(self):
            return 4

    assert plain(ten.read(limit=Four())) == TEN[:4] and plain(ten.read(last=Four())) == TEN[-4:]


def test_reversed(ten):
    assert plain(reversed(ten.read(2, 6))) == TEN[6:1:-1]
    assert plain(reversed(ten.read(reverse=True))) == TEN
    assert plain(reversed(ten.read(last=3))) == TEN[:-4:-1]
    assert plain(reversed(ten.read(limit=3, reverse=True))) == TEN[-3:]
    with pytest.raises(estore.InvalidError, match="first events"):
        reversed(ten.read(limit=3))


def test_what_can_not_be_asked(ten):
    for wrong in (dict(last=0), dict(limit=0), dict(last=-1), dict(limit=2**64), dict(last=1, limit=1)):
        with pytest.raises(estore.InvalidError):
            ten.read(**wrong)
    for wrong in (dict(limit=1.0), dict(last=1.0)):
        with pytest.raises(TypeError, match="float"):
            ten.read(**wrong)
    with pytest.raises(estore.RangeError):
        ten.read(5, 4)
    with pytest.raises(estore.RangeError):
        ten.count(5, 4)


def test_a_reader_shows_one_moment(ten):
    reader = ten.read()
    seq = reader.snapshot_seq
    ten.append([(3, b"later")])
    assert plain(reader) == TEN
    assert reader.snapshot_seq == seq == 10


def test_a_reader_outlives_its_store(path):
    store = estore.open(path)
    store.append([(at, b"x" * 1000) for at in range(5000)])
    reader, unread = store.read(), store.read()
    first = next(reader)
    store.close()
    del store
    gc.collect()
    with estore.open(path) as again:
        again.delete_before(10**18)
        assert [first.time] + [event.time for event in reader] == list(range(5000))
    assert sum(1 for _ in unread) == 5000


def test_a_loop_can_be_broken_off_and_go_on(either):
    either.append([(at, b"x") for at in range(3000)])
    reader, seen = either.read(), []
    for event in reader:
        seen.append(event.time)
        if len(seen) == 10:
            break
    seen.append(next(reader).time)
    seen += [event.time for event in next(reader.batches(5))]
    seen += [event.time for event in itertools.islice(reader, 1000)]
    for batch in reader.batches(7):
        assert 1 <= len(batch) <= 7
        seen += [event.time for event in batch]
    assert seen == list(range(3000))
    assert list(reader) == [] and next(reader, None) is None


def test_events_outlive_their_reader(either):
    either.append([(at, b"%d" % at) for at in range(5000)])
    with either.read() as reader:
        events = list(reader)
    del reader
    either.close()
    gc.collect()
    assert all(event.data == b"%d" % event.time for event in events)


def test_a_closed_reader(ten):
    reader = ten.read()
    next(reader)
    with reader:
        pass
    reader.close()
    for use in (lambda: next(reader), lambda: list(reader), lambda: list(reader.batches()), lambda: list(reader.numpy_batches())):
        with pytest.raises((estore.ClosedError, ImportError)):
            use()
    assert reader.closed and "closed" in repr(reader)
    assert reader.snapshot_seq == 10 and reader.gaps == []


def test_a_loop_over_a_reader_ends_when_that_is_closed(ten):
    reader = ten.read()
    loop = iter(reader)
    next(loop)
    reader.close()
    with pytest.raises(estore.ClosedError):
        next(loop)


def test_batches_are_full_but_for_the_last(either):
    either.append([(at, b"x") for at in range(3000)])
    assert [len(batch) for batch in either.read().batches()] == [1000] * 3
    assert [len(batch) for batch in either.read().batches(1300)] == [1300, 1300, 400]
    assert [len(batch) for batch in either.read().batches(2**62)] == [3000]


def test_a_batch_has_at_least_one_event(ten):
    for wrong in (0, -1, 2**64):
        with pytest.raises(estore.InvalidError, match="size"):
            ten.read().batches(wrong)
    for wrong in (1.5, "5", None):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            ten.read().batches(wrong)


def test_large_events_come_one_after_the_other(either):
    batch = [(at, bytes([at]) * size, 0) for at, size in enumerate([0, 5, 300_000, 1, 2_000_000, 70_000, 4_000_000, 3])]
    either.append(batch)
    assert plain(either.read()) == batch
    assert plain(either.read(reverse=True, limit=3)) == batch[:-4:-1]


def test_many_open_readers(ten):
    readers = [ten.read() for _ in range(1000)]
    assert all(next(reader).time == 0 for reader in readers)
    del readers
    gc.collect()
    ten.close()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
def test_stores_and_readers_are_not_copied(ten, again):
    # Two that own one handle would close it twice.
    for thing in (ten, ten.read()):
        with pytest.raises(TypeError, match=f"{type(thing).__name__}.*can't be (copied|pickled)"):
            again(thing)


def test_entering_what_is_closed_is_an_error(ten):
    reader = ten.read()
    reader.close()
    ten.close()
    for closed in (ten, reader):
        with pytest.raises(estore.ClosedError):
            with closed:
                pass
