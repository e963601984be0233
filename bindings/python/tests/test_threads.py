"""Any number of threads on one store, also while it is being closed."""

import signal
import sys
import threading
import time

import pytest

import estore


def together(*jobs):
    """Runs functions in threads; raises what one of them raises."""
    raised = []

    def guarded(job):
        try:
            job()
        except BaseException as e:
            raised.append(e)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


@pytest.fixture(autouse=True)
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_writers_and_readers_at_once(either):
    def write(number):
        for at in range(50):
            either.append([(at, b"%d" % number, 10 * number + part) for part in range(10)])

    def read():
        for _ in range(50):
            events = list(either.read())
            assert len(events) % 10 == 0
            assert events == sorted(events, key=lambda event: (event.time, event.seq))
            either.count(), either.stats(), either.last_seq

    together(*[lambda number=number: write(number) for number in range(4)], read, read, lambda: [either.sync() for _ in range(20)])
    assert either.count() == 4 * 50 * 10


def test_a_store_closed_under_running_calls_gives_errors_and_no_crash(path):
    for turn in range(20):
        store = estore.open(path)
        started = threading.Barrier(5)
        promised = []

        def use(call):
            started.wait()
            with pytest.raises(estore.ClosedError):
                while True:
                    call()

        def close():
            started.wait()
            store.close()

        together(
            lambda: use(lambda: promised.append(store.append([(turn, b"x")]))),
            lambda: use(lambda: list(store.read(limit=10))),
            lambda: use(lambda: store.sync()),
            lambda: use(lambda: store.verify()),
            close,
        )
        with estore.open(path) as store:
            assert store.last_seq >= max(promised, default=0)


def test_closing_from_many_threads(path):
    store = estore.open(path)
    store.append([(1, b"x")])
    together(*[store.close] * 8)
    estore.open(path).close()


def test_a_reader_shared_by_threads_gives_each_event_once(either):
    either.append([(at, b"x") for at in range(20_000)])
    reader, seen = either.read(), []

    def take():
        seen.extend(event.time for event in reader)

    together(*[take] * 4)
    assert sorted(seen) == list(range(20_000))


def test_threads_that_break_off_and_go_on_lose_no_event_of_a_shared_reader(either):
    either.append([(at, b"x") for at in range(20_000)])
    reader, seen = either.read(), []

    def loops():
        while True:
            before = len(seen)
            for event in reader:
                seen.append(event.time)
                if event.time % 7 == 0:
                    break
            if len(seen) == before:
                return

    def one_by_one():
        seen.extend(event.time for event in iter(lambda: next(reader, None), None))

    def lists():
        for batch in reader.batches(11):
            seen.extend(event.time for event in batch)

    together(loops, loops, one_by_one, one_by_one, lists)
    assert sorted(seen) == list(range(20_000))


def test_columns_and_loops_that_share_a_reader_give_each_event_once(either):
    pytest.importorskip("numpy")
    either.append([(at, b"x") for at in range(30_000)])
    for _ in range(5):
        reader, seen = either.read(), []

        def loop():
            seen.extend(event.time for event in reader)

        def columns():
            for batch in reader.numpy_batches(250):
                seen.extend(batch.times.tolist())

        together(loop, columns, loop, columns)
        assert sorted(seen) == list(range(30_000))


def test_a_store_closed_under_a_loop_does_not_disturb_it(path):
    for _ in range(10):
        store = estore.open(path)
        store.append([(at, b"x" * 100) for at in range(20_000)])
        count = store.count()
        readers, started = [store.read() for _ in range(3)], threading.Barrier(4)

        def loop(reader):
            started.wait()
            assert sum(1 for _ in reader) == count

        def close():
            started.wait()
            store.close()

        together(close, *[lambda reader=reader: loop(reader) for reader in readers])
        estore.destroy(path)


def test_a_reader_closed_under_a_loop_gives_an_error_and_no_crash(either):
    either.append([(at, b"x") for at in range(50_000)])
    for _ in range(10):
        reader = either.read()

        def loop():
            try:
                for _ in reader:
                    pass
            except estore.ClosedError:
                pass

        together(loop, loop, reader.close)


def test_other_threads_run_during_a_call(either):
    # As many syncs as it takes: with the GIL held, nothing would be counted meanwhile.
    either.append([(1, b"x")])
    running, counted = True, 0

    def count():
        nonlocal counted
        while running:
            counted += 1
            time.sleep(0)

    def sync():
        nonlocal running
        for at in range(100):
            either.append([(at, b"x")])
            either.sync()
        running = False

    together(count, sync)
    assert counted > 10


def test_a_signal_handler_may_close_the_store(path):
    store = estore.open(path)

    def handler(number, frame):
        store.close()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises((estore.ClosedError, estore.InvalidError)):
            while True:
                store.append([(1, b"x")])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    store.close()
    estore.open(path).close()
