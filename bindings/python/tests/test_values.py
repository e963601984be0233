"""What an event may hold, and what is refused with a reason: times, data and ids of all kinds."""

import array
import mmap
import random
from datetime import date, datetime, timedelta, timezone, tzinfo

import pytest
from conftest import plain

import estore

UTC = timezone.utc


class Undecided(tzinfo):
    """A time zone that does not say what it is: a datetime with it counts as naive."""

    def utcoffset(self, _):
        return None


@pytest.mark.parametrize(
    "time, ns",
    [
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        (True, 1),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 1000),
        (datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))), 1_709_188_200 * 10**9),
        (datetime(2554, 7, 21, 23, 34, 33, 709551, tzinfo=UTC), 18446744073709551000),
    ],
)
def test_times(store, time, ns):
    assert estore.to_ns(time) == ns
    store.append([(time, b"x")])
    assert [event.time for event in store.read(time, time)] == [ns]
    assert store.count(time) == store.count(end=time) == 1


@pytest.mark.parametrize(
    "time, reason",
    [
        (-1, "before 1970"),
        (2**64, "after the year 2554"),
        (10**30, "after the year 2554"),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "before 1970"),
        (datetime(2554, 7, 21, 23, 34, 34, tzinfo=UTC), "after the year 2554"),
        (datetime.max.replace(tzinfo=UTC), "after the year 2554"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), "after the year 2554"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "before 1970"),
        (datetime(2024, 1, 1), "naive"),
        (datetime(2024, 1, 1, tzinfo=Undecided()), "naive"),
    ],
)
def test_times_out_of_range_and_naive_ones_are_refused(store, time, reason):
    calls = [
        lambda: store.append([(1, b"x"), (time, b"x")]),
        lambda: store.append_absent([(time, b"x")]),
        lambda: store.read(time),
        lambda: store.read(0, time),
        lambda: store.count(time),
        lambda: store.delete_before(time),
        lambda: store.splits(time, time),
        lambda: estore.Event.at(time, b"x"),
    ]
    for call in calls:
        with pytest.raises(estore.InvalidError, match=reason) as raised:
            call()
        assert isinstance(raised.value, ValueError)
    assert store.count() == 0


@pytest.mark.parametrize("time", [1.0, "1", b"1", date(2024, 1, 1), timedelta(1), [], object()])
def test_times_of_the_wrong_type_are_refused_by_name(store, time):
    for call in (lambda: store.append([(1, b"x"), (time, b"x")]), lambda: store.read(time), lambda: store.delete_before(time)):
        with pytest.raises(TypeError, match=type(time).__name__):
            call()
    assert store.count() == 0


def test_an_error_says_which_event_is_wrong(store):
    with pytest.raises(TypeError, match="event 2: data is bytes, not str: encode it"):
        store.append([(1, b"x"), (2, b"y"), (3, "text")])
    with pytest.raises(estore.InvalidError, match="event 1: the id 4294967296"):
        store.append([(1, b"x"), (2, b"y", 2**32)])
    with pytest.raises(TypeError, match="event 0: an id is an int, not str"):
        store.append([(1, b"x", "7")])
    with pytest.raises(TypeError, match="event 0 is int"):
        store.append((1, b"x"))
    with pytest.raises(TypeError, match="event 0 is a tuple of 1"):
        store.append([(1,)])
    with pytest.raises(TypeError, match="event 0 is a tuple of 5"):
        store.append([(1, b"", 1, 1, 1)])
    for wrong in (5, None, 1.5):
        with pytest.raises(TypeError, match=type(wrong).__name__):
            store.append(wrong)
    for wrong in (5, None, [1], {}):
        with pytest.raises(TypeError, match=f"not {type(wrong).__name__}"):
            store.append([(1, wrong)])
    # Events of a wrong make, which no type checker would let pass.
    for wrong in (estore.Event(-1, b""), estore.Event(1, b"", -1), estore.Event(1, "text"), estore.Event(1.5, b"")):
        with pytest.raises((estore.InvalidError, TypeError), match="event 1"):
            store.append([estore.Event(1, b"x"), wrong])
    assert store.count() == 0


def test_events_and_tuples_of_all_lengths_may_be_mixed(store):
    store.append([(1, b"a"), (2, b"b", 7), estore.Event(3, b"c", 8), (4, b"d", 9, 1000)])
    assert [tuple(event) for event in store.read()] == [(1, b"a", 0, 1), (2, b"b", 7, 2), (3, b"c", 8, 3), (4, b"d", 9, 4)]


def test_what_an_iterable_raises_reaches_the_caller(store):
    def events():
        yield (1, b"x")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        store.append(events())
    assert store.count() == 0


def test_data_of_all_kinds(store):
    class Bytes(bytes):
        def __len__(self):
            return 1000

    with mmap.mmap(-1, 4) as mapped:
        mapped[:] = b"mmap"
        batch = [
            b"",
            b"\0",
            bytes(range(256)),
            bytearray(b"bytearray"),
            bytearray(),
            memoryview(b"memoryview"),
            memoryview(b"backwards")[::-1],
            memoryview(b"abcdef").cast("B", (2, 3)),
            array.array("I", [1, 2, 3]),
            mapped,
            Bytes(b"subclass"),
        ]
        wanted = [bytes(memoryview(data).tobytes()) for data in batch]
        store.append([(at, data) for at, data in enumerate(batch)])
    assert [event.data for event in store.read()] == wanted
    assert all(type(event.data) is bytes for event in store.read())


@pytest.mark.parametrize("length", [0, 1, 99, 4095, 4096, 4097, 100_000, 2**24])
def test_data_of_all_lengths(store, length):
    data = random.Random(length).randbytes(length)
    store.append([estore.Event(2, data), estore.Event(1, data, 5), estore.Event(3, b"")])
    assert plain(store.read()) == [(1, data, 5), (2, data, 0), (3, b"", 0)]


def test_too_large_data_is_refused_and_nothing_of_its_batch_is_stored(store):
    with pytest.raises(estore.TooLargeError):
        store.append([(1, b"small"), (2, bytes(2**24 + 1))])
    assert store.count() == 0


def test_ids_and_times_at_their_limits(store):
    batch = [(time, b"x", number) for time in (0, 2**63, 2**64 - 1) for number in (0, 2**31, 2**32 - 1)]
    store.append(batch)
    assert plain(store.read()) == batch


def test_events():
    event = estore.Event.at(datetime(2024, 1, 31, 12, 0, 0, 1, tzinfo=UTC), bytearray(b"data"), 7)
    assert event == (1706702400000001000, b"data", 7, 0)
    assert event.datetime == datetime(2024, 1, 31, 12, 0, 0, 1, tzinfo=UTC)
    assert estore.Event(2**64 - 1, b"").datetime.year == 2554
    before = estore.now()
    assert before <= estore.Event.now(b"").time <= estore.now()
    assert len({estore.new_id() for _ in range(100)}) > 90
    assert estore.to_datetime(1999) == datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert estore.to_datetime(2**64 - 1) == datetime(2554, 7, 21, 23, 34, 33, 709551, tzinfo=UTC)
    for wrong in (-1, 2**64):
        with pytest.raises(estore.InvalidError):
            estore.to_datetime(wrong)


def test_the_hour_that_comes_twice_is_told_apart():
    zone = pytest.importorskip("zoneinfo")
    try:
        berlin = zone.ZoneInfo("Europe/Berlin")
    except zone.ZoneInfoNotFoundError:
        pytest.skip("this machine knows no time zones")
    first, second = (datetime(2023, 10, 29, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
    assert estore.to_ns(second) - estore.to_ns(first) == 3600 * 10**9


def test_durations():
    assert estore.duration_ns("1h30m") == estore.duration_ns(timedelta(minutes=90)) == 90 * 60 * 10**9
    assert estore.duration_ns(0) == 0
    for wrong in ("", "1", "d", "-1s", "1s\ud800", "600000d", -1, 2**64, timedelta(days=-1), timedelta.max):
        with pytest.raises(estore.InvalidError):
            estore.duration_ns(wrong)
    with pytest.raises(TypeError, match="float"):
        estore.duration_ns(1.5)
