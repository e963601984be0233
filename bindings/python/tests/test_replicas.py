"""Stores that should hold the same: compared, repaired in one process and by messages, and copied by parcels."""

import gc
import json
import pickle
import threading

import pytest
from conftest import plain

import estore
from estore._library import Raised


@pytest.fixture(params=["estore", "efile"])
def two(request, tmp_path):
    """Two of a kind, in which some events are the same."""
    open_it = estore.open if request.param == "estore" else estore.open_efile
    with open_it(tmp_path / "here") as here, open_it(tmp_path / "there", grace=0) as there:
        here.append([(1, b"a"), (2, b"b")])
        there.append([(3, b"c"), (2, b"b"), (2, b"b")])
        yield here, there


def texts(store):
    return [event.data for event in store.read()]


def test_digests_tell_where_stores_differ(two):
    here, there = two
    here.append([(95, b"z")])
    one, other = here.digest(0, 99, 10), there.digest(0, 99, "10ns")
    assert (one.start, one.end, one.width, one.horizon, len(one.buckets)) == (0, 99, 10, 0, 10)
    assert one.buckets[0].count == other.buckets[0].count == 2
    assert one.buckets[1] == (0, 0) and one.buckets[0].sum > 2**64
    assert one.differences(other) == other.differences(one) == [(0, 9), (90, 99)]
    assert one.differences(one) == []

    # They are plain data.
    start, end, width, horizon, buckets = json.loads(json.dumps(other))
    sent = estore.Digest(start, end, width, horizon, [estore.Bucket(*bucket) for bucket in buckets])
    assert other.differences(sent) == [] and one.differences(sent) == [(0, 9), (90, 99)]

    for width in (0, 1, -1):
        with pytest.raises((estore.InvalidError, estore.RangeError)):
            here.digest(0, estore.FOREVER, width)
    with pytest.raises(estore.RangeError):
        here.digest(9, 0, 1)
    assert len(here.digest(0, estore.FOREVER, 1 << 62).buckets) == 4
    for wrong in (one._replace(end=98), one._replace(width=9), one._replace(start=1), one._replace(buckets=one.buckets[1:])):
        with pytest.raises(estore.InvalidError):
            one.differences(wrong)
    for wrong in (one._replace(width=0), one._replace(width=9), one._replace(buckets=one.buckets[1:]), one._replace(horizon=-1), one._replace(buckets=[estore.Bucket(1, 2**128)] * 10)):
        with pytest.raises((estore.InvalidError, estore.RangeError)):
            wrong.differences(wrong)
    with pytest.raises(estore.RangeError):
        wrong = one._replace(start=99, end=0)
        wrong.differences(wrong)


def test_repair_brings_what_lacks(two):
    here, there = two
    done = here.repair(there)
    assert done.to == estore.Copied(3, 1, 2, 0) and done.from_.copied == 0 and done.gaps == [] and not done.stopped
    assert texts(here) == [b"a", b"b", b"c"]
    done = here.repair(there, both_ways=True)
    assert done.to.copied == 0 and done.from_.copied == 1
    assert texts(there) == [b"a", b"b", b"b", b"c"]
    assert here.repair(there, 3, 3).to == (1, 0, 1, 0)
    assert here.repair(here, both_ways=True).to.copied == 0
    with pytest.raises(estore.RangeError):
        here.repair(there, 3, 2)
    with pytest.raises(TypeError):
        here.repair("there")
    with pytest.raises(TypeError, match="function"):
        here.repair(there, on_progress=5)
    there.close()
    with pytest.raises(estore.ClosedError, match="there"):
        here.repair(there)
    with pytest.raises(estore.ClosedError, match="there"):
        there.repair(here)


def test_what_one_has_deleted_is_not_brought_back(tmp_path):
    with estore.open(tmp_path / "here") as here, estore.open(tmp_path / "there", file_size="1d") as there:
        here.append([(1, b"old"), (5, b"new")])
        there.delete_before(2)
        assert there.repair(here).to == estore.Copied(compared=2, copied=1, skipped=0, expired=1)
        assert here.digest(0, 9, 1).differences(there.digest(0, 9, 1)) == []
        with estore.open_efile(tmp_path / "file") as file, pytest.raises(TypeError):
            here.repair(file)


def test_repair_stops_and_goes_on(two):
    here, there = two
    there.append([(1000 + at, b"") for at in range(20_000)])
    told = []
    done = here.repair(there, on_progress=lambda *progress: told.append(progress) or len(told) == 2)
    assert done.stopped and 0 < done.to.copied < 20_001 and told == sorted(told)
    with pytest.raises(ZeroDivisionError):
        here.repair(there, on_progress=lambda done, events: 1 // 0)
    with pytest.raises(estore.InvalidError):
        here.repair(there, on_progress=lambda done, events: there.append([(1, b"")]))
    assert not here.repair(there).stopped
    assert here.count() == 20_003


def test_damage_is_left_out_and_told(tmp_path):
    path = tmp_path / "there"
    with estore.open(path) as there:
        for at in range(3):
            there.append([(at, b"%d" % at)])
    log = path / "0-0.estore"
    content = bytearray(log.read_bytes())
    content[64 + 65 + 64] ^= 1
    log.write_bytes(content)
    with estore.open(path) as there, estore.open(tmp_path / "here") as here:
        done = here.repair(there)
        assert [(gap.path, gap.first_time, gap.last_time) for gap in done.gaps] == [(str(log), 1, 1)] and done.own_gaps == []
        assert texts(here) == [b"0", b"2"]
        by_messages = here.exchange().run(there.answer)
        assert [gap.path for gap in by_messages.gaps] == [log.name] and by_messages.own_gaps == []
        done = there.repair(here)
        assert done.gaps == [] and [gap.path for gap in done.own_gaps] == [str(log)]
        with there.export() as export, pytest.raises(estore.CorruptError):
            for parcel in export:
                assert here.import_parcel(parcel).present == 1
        with there.export(salvage=True) as export:
            assert sum(here.import_parcel(parcel).present for parcel in export) == 2
            assert [gap.first_time for gap in export.gaps] == [1]


def test_exchange(two, tmp_path):
    here, there = two
    with here.exchange(both_ways=True) as exchange:
        attempts = []

        def send(message):
            attempts.append(message)
            if len(attempts) % 2:
                raise ConnectionError("unreachable")
            assert message == attempts[-2]
            changed = bytearray(message)
            changed[len(changed) // 2] ^= 1
            with pytest.raises(estore.CorruptError):
                there.answer(changed)
            reply = there.answer(message)
            for wrong in (b"", changed, reply[1:]):
                with pytest.raises(estore.CorruptError):
                    exchange.reply(wrong)
            return memoryview(reply)

        while exchange.request() is not None:
            try:
                done = exchange.run(send)
            except ConnectionError:
                continue
        assert done.to.copied == done.from_.copied == 1 and done.gaps == [] and done == exchange.repaired()
        assert not exchange.closed
    assert texts(here) == [b"a", b"b", b"c"] and texts(there) == [b"a", b"b", b"b", b"c"]
    exchange.close()
    assert exchange.closed
    for call in (exchange.request, exchange.repaired, lambda: exchange.reply(b""), lambda: exchange.run(send), exchange.__enter__):
        with pytest.raises(estore.ClosedError):
            call()
    with pytest.raises(estore.RangeError):
        here.exchange(2, 1)
    with pytest.raises(estore.CorruptError):
        there.answer(b"nonsense")
    with pytest.raises(TypeError):
        there.answer("nonsense")
    with here.exchange() as exchange:
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(exchange)
        there.append([(9, b"new")])
        here.close()
        with pytest.raises(estore.ClosedError):
            exchange.run(there.answer)


def test_an_exchange_keeps_its_store(two, tmp_path):
    _, there = two
    open_it = estore.open if isinstance(there, estore.Store) else estore.open_efile
    exchange = open_it(tmp_path / "third").exchange()
    gc.collect()
    assert exchange.run(there.answer).to.copied == 2
    with pytest.warns(ResourceWarning, match="never closed"):
        del exchange
        gc.collect()
    with open_it(tmp_path / "third") as third:
        assert third.count() == 2


def test_what_a_function_raises_comes_before_the_failure_of_the_call(two):
    here, there = two
    there.append([(1000 + at, b"") for at in range(20_000)])

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.repair(there, on_progress=interrupt)
    raised = Raised()
    with pytest.raises(KeyboardInterrupt) as caught, raised:
        raised.add(KeyboardInterrupt())
        raised.add(ValueError())
        here.answer(b"nonsense")
    assert isinstance(caught.value.__context__, estore.CorruptError)


def test_a_replica_for_reading_only_answers_but_takes_nothing(tmp_path):
    with estore.open(tmp_path / "here") as here, estore.open(tmp_path / "there") as there:
        there.append([(1, b"a")])
        with estore.open(tmp_path / "there", mode="read_only") as beside:
            assert here.exchange().run(beside.answer).to.copied == 1
            here.append([(2, b"b")])
            with pytest.raises(estore.ReadOnlyError):
                here.exchange(both_ways=True).run(beside.answer)
            with pytest.raises(estore.ReadOnlyError):
                beside.exchange()
            with pytest.raises(estore.ReadOnlyError):
                beside.repair(here)


def test_parcels(two):
    here, there = two
    with there.export(max_bytes=1) as export:
        assert export.snapshot_seq == 3
        parcels = list(export)
        assert len(parcels) == 3 and list(export) == [] and export.gaps == []
    with pytest.raises(estore.ClosedError):
        next(export)
    assert [here.import_parcel(parcel).stored for parcel in parcels] == [0, 0, 1]
    assert here.import_parcel(memoryview(parcels[2])) == estore.Absent(3, 0, 1, 0)
    assert plain(here.read()) == [(1, b"a", 0), (2, b"b", 0), (3, b"c", 0)]
    for at in range(len(parcels[0])):
        changed = bytearray(parcels[0])
        changed[at] ^= 4
        for wrong in (changed, parcels[0][:at]):
            with pytest.raises(estore.CorruptError):
                here.import_parcel(wrong)
    with pytest.raises(estore.InvalidError):
        there.export(max_bytes=0)
    with pytest.raises(estore.RangeError):
        there.export(2, 1)
    export = there.export(reverse=True, limit=1)
    there.close()
    assert here.import_parcel(next(export)).present == 1
    del export
    gc.collect()


def test_threads_take_turns(two):
    here, there = two
    there.append([(100 + at, b"x" * 50) for at in range(5_000)])
    stored, export = [], there.export(max_bytes=500)

    def work():
        for parcel in export:
            stored.append(here.import_parcel(parcel).stored)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(stored) == 5_001
    export.close()
