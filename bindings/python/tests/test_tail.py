"""Tails: events as they arrive, waiting for them, in this process and in another."""

import asyncio
import copy
import gc
import select
import threading
import time

import pytest
from conftest import plain

import estore


def texts(events):
    return [event.data.decode() for event in events]


def readable(tail):
    return bool(select.select([tail], [], [], 0)[0])


def test_events_as_they_arrived(either):
    tail = either.tail(0)
    assert tail.take() == [] and not tail.wait(0) and not tail.wait("1ms") and tail.last_seq == 0
    either.append([(5_000_000_000_000, b"a"), (5_000_000_000_001, b"b")])
    either.append([(7, b"late")])
    assert tail.wait() and texts(tail.take(1)) == ["a"] and tail.last_seq == 1
    either.compact()
    either.append([(6, b"later")])
    assert texts(tail.take()) == ["b", "late"] and texts(tail.take()) == ["later"] and tail.take() == [] and tail.last_seq == 4
    assert texts(either.tail(2).take()) == ["late", "later"]
    assert plain(either.tail(3).take()) == [(6, b"later", 0)]


def test_a_loop_waits_and_ends_with_its_store(path):
    store = estore.open(path)
    tail, seen = store.tail(0), []

    def follow():
        for event in tail:
            seen.append(event.time)
            if len(seen) == 100:
                break
        seen.extend(event.time for event in tail)

    thread = threading.Thread(target=follow)
    thread.start()
    for at in range(300):
        store.append([(at, b"x")])
    while len(seen) < 300:
        time.sleep(0)
    store.close()
    thread.join()
    assert seen == list(range(300)) and not tail.closed
    assert next(tail, None) is None
    with pytest.raises(estore.ClosedError):
        tail.take()
    with pytest.raises(estore.ClosedError):
        store.tail(0)


def test_what_is_left_comes_after_closing(path):
    store = estore.open(path)
    store.append([(1, b"a")])
    tail = store.tail(0)
    store.close()
    assert texts(tail) == ["a"]


def test_a_gap_is_told_once(store):
    store.append([(1, b"gone"), (5 * 86_400_000_000_000, b"kept")])
    store.delete_before(5 * 86_400_000_000_000)
    looping, taking = store.tail(0), store.tail(0)
    with pytest.raises(estore.GapError, match="events"):
        next(looping)
    assert next(looping).data == b"kept"
    assert taking.wait()
    with pytest.raises(estore.GapError):
        taking.take()
    assert texts(taking.take()) == ["kept"] and taking.take() == []


def test_descriptors(either):
    tail = either.tail(0)
    assert tail.fileno() == tail.fileno() and tail.take() == [] and not readable(tail)
    either.append([(1, b"a"), (2, b"b")])
    assert readable(tail) and texts(tail.take(1)) == ["a"]
    assert texts(tail.take()) == ["b"] and tail.take() == [] and not readable(tail)
    assert not tail.wait(0) and not readable(tail)


def test_asyncio(either):
    async def follow():
        tail, seen, done = either.tail(0), [], asyncio.Event()

        def take():
            seen.extend(texts(tail.take()))
            if len(seen) == 20:
                done.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(tail, take)
        for at in range(20):
            await loop.run_in_executor(None, either.append, [(at, str(at).encode())])
        await asyncio.wait_for(done.wait(), 30)
        loop.remove_reader(tail)
        return seen

    assert asyncio.run(follow()) == [str(at) for at in range(20)]


def test_closing_a_tail_ends_waiting(either):
    tail, raised = either.tail(0), []

    def follow():
        try:
            next(tail)
        except estore.ClosedError as e:
            raised.append(e)

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    while tail._waiting < 3:
        time.sleep(0)
    tail.close()
    for thread in threads:
        thread.join()
    assert len(raised) == 3 and tail.closed and not tail.iterator
    tail.close()
    for call in (tail.take, tail.wait, tail.fileno, lambda: tail.last_seq, lambda: next(tail), tail.__enter__):
        with pytest.raises(estore.ClosedError):
            call()


def test_a_signal_is_handled_while_it_waits(run, tmp_path):
    said = run(
        """
import estore, signal
def stop(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
with estore.open("events") as store, store.tail(0) as tail:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        next(tail)
    except KeyboardInterrupt:
        print("interrupted", tail.take())
"""
    )
    assert said == "interrupted []\n"


def test_in_another_process(run, path):
    with estore.open(path, file_size=1000) as store:
        told = []
        program = "import estore, itertools; t = estore.open({!r}, mode='read_only').tail(0); print([e.seq for e in itertools.islice(t, 500)])"
        follower = threading.Thread(target=lambda: told.append(run(program.format(str(path)), PYTHONWARNINGS="ignore")))
        follower.start()
        for at in range(500):
            store.append([(at * 37 % 9000, b"x")])
        follower.join()
    assert told == [f"{list(range(1, 501))}\n"]


def test_what_is_no_cursor_or_can_not_be_done(store):
    with pytest.raises(estore.InvalidError):
        store.tail(2**64 - 1)
    for wrong in (-1, 2**64):
        with pytest.raises(estore.InvalidError):
            store.tail(wrong)
    with pytest.raises(TypeError):
        store.tail(1.0)
    with store.tail(0) as tail:
        for wrong in (0, -1):
            with pytest.raises(estore.InvalidError):
                tail.take(wrong)
        with pytest.raises(TypeError):
            tail.wait(1.0)
        with pytest.raises(TypeError, match="tail|Tail"):
            copy.copy(tail)
        assert "estore.Tail" in repr(tail) and "closed" not in repr(tail)
    assert "closed" in repr(tail)


def test_a_forgotten_tail_lets_go(store):
    store.append([(1, b"a")])
    for _ in range(2000):
        next(store.tail(0))
    gc.collect()
    tail = store.tail(1)
    assert not tail.wait(0)
    del tail
