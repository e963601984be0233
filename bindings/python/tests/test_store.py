"""A store from opening to closing: what goes in comes out, and what is asked of it is answered."""

import gc
import os
import pathlib
import warnings
from datetime import datetime, timedelta, timezone

import pytest
from conftest import plain

import estore

DAY = 86_400 * 10**9


def test_what_goes_in_out_of_order_comes_out_in_order(either):
    assert either.append([estore.Event(3000, b"third"), (1000, b"first"), (2000, b"second", 7)]) == 3
    assert plain(either.read(1000, 2000)) == [(1000, b"first", 0), (2000, b"second", 7)]
    assert either.count(1000, 2000) == 2
    assert either.last_seq == 3


def test_one_event_is_a_batch_of_its_own(either):
    assert either.append(estore.Event(5, b"alone")) == 1
    assert list(either.read()) == [estore.Event(5, b"alone", 0, 1)]


def test_any_iterable_is_a_batch(either):
    assert either.append((at, b"%d" % at) for at in range(5)) == 5
    assert either.append([]) == 5
    assert either.append(iter(())) == 5
    assert either.append({estore.Event(9, b"x"): 1}) == 6
    assert [event.time for event in either.read()] == [0, 1, 2, 3, 4, 9]


def test_a_store_keeps_its_events(path):
    with estore.open(path) as store:
        store.append([(1, b"kept")])
    assert store.closed
    with estore.open(path, mode="existing") as store:
        assert [event.data for event in store.read()] == [b"kept"]


def test_append_absent_stores_what_is_not_there(either):
    batch = [(1, b"a"), (2, b"b", 1), (2, b"b", 2)]
    assert either.append_absent(batch) == estore.Absent(last_seq=3, stored=3, present=0, expired=0)
    assert either.append_absent(batch + [(3, b"c")])[1:] == (1, 3, 0)
    assert either.count() == 4


def test_deleting_by_time(store):
    store.append([(1 * DAY, b"old"), (3 * DAY, b"new")])
    store.delete_before(datetime(1970, 1, 3, tzinfo=timezone.utc))
    assert [event.data for event in store.read()] == [b"new"]
    assert store.append_absent([(1, b"too old")]).expired == 1
    assert store.stats().horizon == 2 * DAY


def test_stats(either):
    assert (either.stats().oldest, either.stats().newest, either.stats().events) == (None, None, 0)
    either.append([(0, b"x"), (100, b"y")])
    either.sync()
    stats = either.stats()
    assert (stats.oldest, stats.newest, stats.events, stats.last_seq, stats.durable_seq) == (0, 100, 2, 2, 2)
    assert stats.file_size_ns == (DAY if isinstance(either, estore.Store) else 0)
    assert stats.grace_ns == 60 * 10**9 and stats.log_bytes > 0 and stats.others == {}


def test_sync_and_tick(either):
    seq = either.append([(1, b"x")])
    assert either.sync() == seq == either.durable_seq
    either.tick()


def test_splits_cover_the_range_at_chunk_borders(store):
    assert store.splits() == []
    store.append([(at * DAY // 2, b"x") for at in range(7)])
    assert store.splits() == [(0, DAY - 1), (DAY, 2 * DAY - 1), (2 * DAY, 3 * DAY - 1), (3 * DAY, 3 * DAY)]
    assert sum(store.count(*piece) for piece in store.splits()) == 7
    assert store.splits(5, 6) == [(5, 6)]
    with pytest.raises(estore.InvalidError, match="pieces"):
        with estore.open(store.path.parent / "tiny", file_size=1) as tiny:
            tiny.splits(0, estore.FOREVER)


def test_verify_of_a_whole_store(either):
    either.append([(at, b"x") for at in range(1000)])
    assert either.verify() == estore.Verified(events=1000, damaged=0, findings=[])
    with pytest.raises(TypeError, match="int"):
        either.verify(5)


def test_retention(tmp_path):
    def fill(store):
        for chunk in range(10):
            store.append([(chunk * 1000 + 5, b"early"), (chunk * 1000 + 995, b"late in its chunk")])

    with estore.open(tmp_path / "events", file_size=1000, grace=10, background=False) as store:
        fill(store)
        store.append([(18_429_000_000_000_000_000, b"a broken clock")])
        assert store.retain() == estore.Retained(0, 0, 0, 0)
        would = store.retain(max_age=7000, dry_run=True)
        assert would[:3] == (2000, 2, 4) and would.bytes > 0
        before = store.stats()
        assert (before.horizon, before.chunks, before.events) == (0, 11, 21)
        assert store.retain(max_age="7us") == would
        after = store.stats()
        assert (after.horizon, after.chunks, after.removed_chunks) == (2000, 9, 2)
        assert after.chunk_bytes == before.chunk_bytes - would.bytes
        assert store.retain(max_bytes=1).horizon == 9000
        for wrong in (-1, 2**64):
            with pytest.raises(estore.InvalidError):
                store.retain(max_bytes=wrong)
        with pytest.raises(TypeError):
            store.retain(max_bytes="much")
        with estore.open(tmp_path / "events", mode="read_only") as reader, pytest.raises(estore.ReadOnlyError):
            reader.retain(dry_run=True)
    with pytest.raises(estore.ClosedError):
        store.retain()
    with estore.open(tmp_path / "limited", file_size=1000, background=False, max_age=3000, max_bytes=1 << 40) as store:
        fill(store)
        store.tick()
        assert (store.stats().horizon, store.stats().chunks) == (6000, 4)


@pytest.mark.parametrize("open_it", [estore.open, estore.open_efile])
def test_compacting(tmp_path, open_it):
    with open_it(tmp_path / "events", grace=100, compaction=False) as store:
        for time in (1000, 1001, 5, 1002, 10):
            store.append([(time, str(time).encode())])
        before = [tuple(event) for event in store.read()]
        assert store.stats().recon_events == 2 and store.stats().backlog_bytes == 0
        # Whatever stops it leaves the events as they are.
        assert store.compact(on_progress=lambda done, events: True) == estore.Compacted(0, 0)
        with pytest.raises(ZeroDivisionError):
            store.compact(on_progress=lambda done, events: 1 // 0)
        with pytest.raises(estore.InvalidError):
            store.compact(on_progress=lambda done, events: store.append([(1, b"")]))
        with pytest.raises(estore.InvalidError):
            store.compact(on_progress=lambda done, events: store.close())
        assert [tuple(event) for event in store.read()] == before
        told = []
        done = store.compact(on_progress=lambda *progress: told.append(progress))
        assert told[-1] == (5, 5) and told == sorted(told)
        assert done.bytes_before > done.bytes_after == store.stats().log_bytes
        assert [tuple(event) for event in store.read()] == before and store.stats().recon_events == 0
        assert store.compact(5, 5) == estore.Compacted(0, 0)
        with pytest.raises(estore.RangeError):
            store.compact(2, 1)
        with pytest.raises(TypeError, match="function"):
            store.compact(on_progress=5)
    with pytest.raises(estore.ClosedError):
        store.compact()


@pytest.mark.parametrize("open_it", [estore.open, estore.open_efile])
def test_snapshots(tmp_path, open_it):
    copy = tmp_path / "copy"

    def texts(store):
        return [bytes(event.data).decode() for event in store.read()]

    with open_it(tmp_path / "events", compaction=False) as store:
        store.append([(2, b"b"), (1, b"a")])
        # Whatever stops it leaves nothing.
        assert store.snapshot(copy, on_progress=lambda done, events: True) == estore.Snapshot(0, 0, 0, 0, True)
        with pytest.raises(ZeroDivisionError):
            store.snapshot(copy, on_progress=lambda done, events: 1 // 0)
        with pytest.raises(estore.InvalidError):
            store.snapshot(copy, on_progress=lambda done, events: store.append([(1, b"")]))
        assert not copy.exists()

        told = []
        taken = store.snapshot(str(copy), on_progress=lambda *progress: told.append(progress))
        assert told[-1] == (2, 2) and told == sorted(told)
        assert taken.seq == 2 and taken.bytes_copied > 0 and taken[2:] == (0, 0, False)
        store.append([(3, b"c")])
        with open_it(copy, mode="read_only") as there:
            assert texts(there) == ["a", "b"]
            assert there.snapshot(tmp_path / "of the copy").seq == 2
        assert 0 < store.snapshot(bytes(copy)).bytes_copied < taken.bytes_copied
        store.compact()
        again = store.snapshot(copy)
        assert again.seq == 3 and again.bytes_copied == 0 and again.bytes_linked > 0

        with pytest.raises(estore.InvalidError):
            store.snapshot(tmp_path / "events" / "in it")
        with pytest.raises(estore.ForeignFilesError):
            store.snapshot(tmp_path)
        with pytest.raises(TypeError, match="function"):
            store.snapshot(copy, on_progress=5)
        with open_it(copy) as there:
            there.append([(4, b"only here")])
        with pytest.raises(estore.ExistsError):
            store.snapshot(copy)
    with pytest.raises(estore.ClosedError):
        store.snapshot(copy)
    with open_it(copy) as there:
        assert texts(there) == ["a", "b", "c", "only here"]


@pytest.mark.parametrize("open_it", [estore.open, estore.open_efile])
def test_compressing(tmp_path, open_it):
    path = tmp_path / "events"
    with open_it(path, compaction=False) as store:
        store.append([(at, f"INFO request {at}: GET /api/v1/items/{at % 90}".encode()) for at in range(2000)])
        before = [tuple(event) for event in store.read()]
        plain = store.compact().bytes_after
    with open_it(path, compaction=False, compression="lz4") as store:
        done = store.compact()
        # It was in order and in full frames: without the option there was nothing to do.
        assert done.bytes_before == plain and done.bytes_after < plain / 2
        assert store.compact() == estore.Compacted(0, 0)
        assert store.verify().damaged == 0
    with open_it(path) as store:
        assert [tuple(event) for event in store.read()] == before
    with open_it(path, compaction=False, compression="none") as store:
        assert store.compact().bytes_after == plain
        assert [tuple(event) for event in store.read()] == before
    with pytest.raises(estore.InvalidError, match="compression"):
        open_it(path, compression="zip")


def test_settings_are_durations_of_all_kinds(tmp_path):
    for at, hour in enumerate(["1h", timedelta(hours=1), 3600 * 10**9]):
        with estore.open(tmp_path / str(at), file_size=hour, grace="10s") as store:
            assert store.stats()[:2] == (3600 * 10**9, 10 * 10**9)
    with pytest.raises(estore.SettingsError):
        estore.open(tmp_path / "0", file_size="2h")


def test_every_option_is_taken(tmp_path):
    options = dict(durability="buffered", buffer_len=1000, buffer_age="1s", max_event_len=10, max_open_logs=2, index=False, background=False)
    with estore.open(tmp_path / "a", max_new_chunks=3, log=None, **options) as store:
        with pytest.raises(estore.TooLargeError):
            store.append([(1, b"x" * 11)])
        with pytest.raises(estore.TooManyChunksError):
            store.append([(at * DAY, b"x") for at in range(4)])
        assert store.count() == 0
    del options["max_open_logs"]
    estore.open_efile(tmp_path / "b", mode="create_new", grace=0, **options).close()
    estore.open_efile(tmp_path / "c", durability="interval", sync_interval=timedelta(milliseconds=5)).close()
    estore.open(tmp_path / "d", durability="power").close()

    class Hundred:
        def __index__(self):
            return 100

    estore.open(tmp_path / "e", max_event_len=Hundred(), max_new_chunks=Hundred(), durability="buffered", buffer_len=Hundred()).close()


@pytest.mark.parametrize(
    "options",
    [
        dict(mode="w"),
        dict(durability="none"),
        dict(grace="soon"),
        dict(grace=-1),
        dict(file_size=0),
        dict(file_size="0s"),
        dict(file_size=timedelta(seconds=-1)),
        dict(sync_interval=0),
        dict(buffer_len=0, durability="buffered"),
        dict(max_event_len=2**30 + 1),
        dict(max_event_len=2**70),
        dict(max_new_chunks=0),
        dict(max_open_logs=-1),
    ],
)
def test_options_out_of_range_are_refused(path, options):
    with pytest.raises(estore.InvalidError):
        estore.open(path, **options)
    assert not path.exists()


@pytest.mark.parametrize("options", [dict(mode=1), dict(grace=1.5), dict(max_event_len="1"), dict(log=5), dict(durability=b"power")])
def test_options_of_the_wrong_type_are_refused_by_name(path, options):
    kind = type(next(iter(options.values()))).__name__
    with pytest.raises(TypeError, match=kind):
        estore.open(path, **options)
    assert not path.exists()


def test_paths_of_all_kinds(tmp_path):
    for at, form in enumerate([str, pathlib.Path, os.fsencode]):
        given = form(tmp_path / f"{at} Ω")
        with estore.open(given) as store:
            assert store.path == given
    odd = os.fsencode(tmp_path) + b"/\xff\xfe"
    with estore.open(odd) as store:
        store.append([(1, b"x")])
    assert os.path.isdir(odd)
    estore.destroy(odd)
    assert not os.path.exists(odd)
    with pytest.raises(TypeError):
        estore.open(5.0)
    with pytest.raises(estore.InvalidError):
        estore.open("with\0nul")
    with pytest.raises(estore.Error):
        estore.open("")


def test_destroy(tmp_path):
    estore.open(tmp_path / "a").close()
    estore.destroy(tmp_path / "a")
    estore.open_efile(tmp_path / "b").close()
    with pytest.raises(estore.NotAStoreError):
        estore.destroy(tmp_path / "b")
    estore.destroy_efile(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_use_after_close_is_an_error_and_closing_twice_is_none(either):
    either.close()
    either.close()
    calls = [
        lambda: either.append([]),
        lambda: either.append_absent([]),
        lambda: either.read(),
        lambda: either.count(),
        lambda: either.sync(),
        lambda: either.tick(),
        lambda: either.stats(),
        lambda: either.verify(),
        lambda: either.last_seq,
        lambda: either.durable_seq,
    ]
    if isinstance(either, estore.Store):
        calls += [lambda: either.splits(), lambda: either.delete_before(1), lambda: either.retain()]
    for call in calls:
        with pytest.raises(estore.ClosedError, match="closed"):
            call()
    assert either.closed and "closed" in repr(either)


def test_a_store_that_nobody_closed_is_closed_with_a_warning(path):
    store = estore.open(path)
    store.append([(1, b"x")])
    with pytest.warns(ResourceWarning, match="never closed"):
        del store
        gc.collect()
    with estore.open(path) as store:
        assert store.count() == 1


def test_closing_leaves_no_warning(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = estore.open(path)
        store.close()
        del store
        gc.collect()
    assert caught == []


def test_a_store_is_not_a_loop(store):
    with pytest.raises(TypeError, match="store.read"):
        iter(store)
