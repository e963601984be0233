"""A forked child can only close what its parent opened; it is told so, and harms nothing."""

import multiprocessing
import os
import sys
import threading
import warnings

import pytest

import estore


def in_child(job):
    """Runs a function in a forked child; answers the text that it returns."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking with threads, which is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writing, job().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        text = file.read()
    assert os.waitpid(child, 0)[1] == 0
    return text


def name_of_error(call):
    try:
        call()
    except estore.Error as e:
        assert isinstance(e, RuntimeError)
        return type(e).__name__
    return "none"


def test_all_but_closing_is_an_error(either):
    either.append([(at, b"x") for at in range(5000)])
    reader = either.read()
    next(reader)
    exchange, export = either.exchange(), either.export()

    def job():
        calls = [
            lambda: either.append([(1, b"y")]),
            either.read,
            either.count,
            either.sync,
            either.tick,
            either.stats,
            either.verify,
            either.compact,
            lambda: either.snapshot("copy"),
            lambda: either.last_seq,
            lambda: list(reader),
            lambda: reader.snapshot_seq,
            lambda: either.digest(0, 1, 1),
            lambda: either.repair(either),
            either.exchange,
            lambda: either.answer(b""),
            either.export,
            lambda: either.import_parcel(b""),
            exchange.request,
            lambda: next(export),
            either.close,
            either.close,
            reader.close,
            exchange.close,
            export.close,
        ]
        return " ".join(map(name_of_error, calls))

    assert in_child(job) == "ForkedError " * 20 + "none none none none none"
    assert either.append([(1, b"y")]) == 5001
    assert sum(1 for _ in reader) == 4999


def test_a_fork_in_the_middle_of_calls_leaves_no_lock_behind(either):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            either.append([(1, b"x" * 1000)])
            list(either.read(limit=5))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert in_child(lambda: name_of_error(either.count) + name_of_error(either.close)) == "ForkedErrornone"
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_child_opens_the_store_for_itself(path):
    with estore.open(path) as store:
        store.append([(1, b"parent")])
        child = in_child(lambda: str(estore.open(path, mode="read_only").count()))
    assert child == "1"

    def job():
        with estore.open(path) as again:
            return str(again.append([(2, b"child")]))

    assert in_child(job) == "2"


def work(path):
    with estore.open(path, mode="read_only") as store:
        return [tuple(event) for event in store.read()]


def use_inherited(what):
    if what == "store":
        return INHERITED[0].count()
    return [event.time for event in INHERITED[1]]


INHERITED = []


def test_multiprocessing_with_a_store_of_the_parent(path):
    with estore.open(path) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        store.append([(at, b"x") for at in range(100)])
        INHERITED[:] = [store, store.read()]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            for what in ("store", "reader"):
                with pytest.raises(estore.ForkedError, match=f"the {what} belongs to the parent"):
                    pool.map(use_inherited, [what] * 4)
            pool.close()
            pool.join()
        # Children that are gone have taken nothing with them.
        assert [event.time for event in INHERITED.pop()] == list(range(100))
        assert store.append([(1, b"y")]) == 101
    INHERITED.clear()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(path, method, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with estore.open(path) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        store.append([(at, b"x") for at in range(100)])
        with multiprocessing.get_context(method).Pool(2) as pool:
            answers = pool.map(work, [path] * 4)
            assert answers == [[tuple(event) for event in store.read()]] * 4
            # Errors come back as they are.
            with pytest.raises(estore.NotFoundError, match="nowhere"):
                pool.map(work, ["nowhere"])
            pool.close()
            pool.join()
        assert store.append([(1, b"y")]) == 101
