"""Columns in NumPy arrays."""

import inspect
import itertools
import textwrap

import pytest

import estore
from test_errors import damaged


def test_without_numpy_the_error_says_what_is_missing(run, path):
    program = """
import estore, sys
sys.modules["numpy"] = None
with estore.open(sys.argv[1]) as store:
    try: store.read().numpy_batches()
    except ImportError as e: print(e)
    with store.read() as reader: print(list(reader.batches()))
"""
    assert run(program, path) == "numpy_batches needs NumPy, which is not installed; reader.batches() gives lists without it\n[]\n"


def all_of(numpy, batches):
    events = []
    for batch in batches:
        assert len(batch) == len(batch.times) == len(batch.seqs) == len(batch.ids) == len(batch.offsets) - 1
        assert [batch.times.dtype, batch.seqs.dtype, batch.ids.dtype] == [numpy.uint64, numpy.uint64, numpy.uint32]
        assert (batch.offsets.dtype, batch.data.dtype) == (numpy.int64, numpy.uint8)
        assert batch.offsets[0] == 0 and batch.offsets[-1] == len(batch.data)
        events += zip(batch.times.tolist(), batch.datas(), batch.ids.tolist(), batch.seqs.tolist())
    return events


@pytest.mark.parametrize("size", [1, 7, 300, 65_536])
def test_columns_hold_what_events_hold(either, size):
    numpy = pytest.importorskip("numpy")
    either.append([(at * 3, b"%d" % at * (at % 50), at) for at in range(3000)])
    wanted = [tuple(event) for event in either.read()]
    assert all_of(numpy, either.read().numpy_batches(size)) == wanted
    assert all_of(numpy, either.read(reverse=True).numpy_batches(size)) == wanted[::-1]
    reader = either.read()
    first = [tuple(next(reader)) for _ in range(10)]
    some = all_of(numpy, [next(reader.numpy_batches(5))])
    rest = [tuple(event) for event in reader]
    assert first + some + rest == wanted


def test_nothing_to_read(either):
    numpy = pytest.importorskip("numpy")
    assert all_of(numpy, either.read().numpy_batches()) == []
    either.append([(1, b""), (2, b"")])
    (batch,) = either.read().numpy_batches()
    assert batch.data.size == 0 and batch.datas() == [b"", b""]
    with pytest.raises(estore.InvalidError):
        either.read().numpy_batches(0)


def test_times_at_their_limits(either):
    numpy = pytest.importorskip("numpy")
    either.append([(0, b"x", 2**32 - 1), (10**18, b"y")])
    (batch,) = either.read().numpy_batches()
    assert batch.datetimes().tolist() == [0, 10**18]
    assert str(batch.datetimes()[1]) == "2001-09-09T01:46:40.000000000"
    either.append([(2**64 - 1, b"z")])
    (batch,) = either.read().numpy_batches()
    assert batch.times[-1] == 2**64 - 1 and batch.ids[0] == 2**32 - 1 and batch.times.dtype == numpy.uint64
    with pytest.raises(estore.InvalidError, match="2262"):
        batch.datetimes()


def test_arrays_outlive_reader_and_store(path):
    pytest.importorskip("numpy")
    with estore.open(path) as store:
        store.append([(at, b"%d" % at) for at in range(5000)])
        batches = list(store.read().numpy_batches(1000))
    assert [data for batch in batches for data in batch.datas()] == [b"%d" % at for at in range(5000)]
    batches[0].data[:] = 0
    batches[0].times[:] = 0


def test_damage_comes_after_the_whole_events_before_it(path):
    pytest.importorskip("numpy")
    damaged(path)
    with estore.open(path) as store:
        single = []
        with pytest.raises(estore.CorruptError):
            for event in store.read():
                single.append(event.time)
        batches, columns = store.read().numpy_batches(), []
        with pytest.raises(estore.CorruptError):
            for batch in batches:
                columns += batch.times.tolist()
        assert columns == single
        with pytest.raises(estore.CorruptError):
            next(batches)


def recipe(beginning):
    """The lines of code that follow such a line in the docstring of NumpyBatch."""
    lines = iter(inspect.getdoc(estore.NumpyBatch).splitlines())
    assert any(line.startswith(beginning) for line in lines) and next(lines) == ""
    return "\n".join(textwrap.dedent(line) for line in itertools.takewhile(str.strip, lines))


TIMES = [0, 10**18 + 1, 2 * 10**18]


@pytest.fixture
def three(store):
    store.append([(at, b"%d" % at, 2**32 - 1) for at in TIMES])
    return store


def test_the_recipe_for_pandas(three):
    pandas = pytest.importorskip("pandas")
    known = {"pandas": pandas, "reader": three.read()}
    exec(recipe("For pandas"), known)
    frame = known["frame"]
    assert frame["time"].astype("int64").tolist() == TIMES and str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert frame["data"].tolist() == [b"%d" % at for at in TIMES]
    assert frame["id"].tolist() == [2**32 - 1] * 3
    assert frame.set_index("time").resample("1000D").size().sum() == 3


def test_the_recipe_for_arrow(three):
    pyarrow = pytest.importorskip("pyarrow")
    known = {"pyarrow": pyarrow, "batch": next(three.read().numpy_batches())}
    exec(recipe("For Arrow"), known)
    data, table = known["data"], known["table"]
    data.validate(full=True), table.validate(full=True)
    assert table.column("data").to_pylist() == [b"%d" % at for at in TIMES]
    assert table.column("time").cast(pyarrow.int64()).to_pylist() == TIMES
