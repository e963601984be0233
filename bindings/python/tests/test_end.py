"""The interpreter ends while stores and readers are open: nothing crashes, nothing that was promised is lost."""

import signal

import estore

PROGRAM = """
import sys, threading
import estore
store = estore.open(sys.argv[1], durability="buffered", log=print if "loud" in sys.argv else None)
efile = estore.open_efile(sys.argv[1] + "-efile")
store.append([(at, b"x" * 100) for at in range(1000)])
efile.append([(1, b"x")])
reader, other = store.read(), efile.read()
next(reader)
"""


def test_open_handles_at_the_end(run, path):
    run(PROGRAM, path)
    with estore.open(path) as store, estore.open_efile(f"{path}-efile") as efile:
        assert (store.count(), efile.count()) == (1000, 1)


def test_open_handles_in_a_cycle_and_a_log_function(run, path):
    run(PROGRAM + "store.me = store; reader.me = reader; sys.me = [store, reader]", path, "loud")
    with estore.open(path) as store:
        assert store.count() == 1000


def test_open_handles_and_daemon_threads_inside_calls(run, path):
    threads = """
def append():
    while True:
        store.append([(1, b"x")])
def read():
    while True:
        for event in store.read(): pass
def quiet(job):
    try: job()
    except estore.ClosedError: pass
for job in (append, read, append):
    threading.Thread(target=quiet, args=(job,), daemon=True).start()
while store.last_seq < 1100: pass
"""
    run(PROGRAM + threads, path)
    with estore.open(path) as store:
        assert store.count() >= 1100


def test_an_exception_ends_the_program(run, path):
    done = run(PROGRAM + "raise SystemExit(3)", path, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    done = run(PROGRAM + "1 // 0", path, check=False)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr and "ignored" not in done.stderr
    with estore.open(path) as store:
        assert store.count() == 2000


def test_a_killed_program_loses_nothing_that_returned(run, path):
    kill = "import os, signal\nstore = estore.open(sys.argv[1] + '-2')\nprint(store.append([(1, b'x')] * 50), flush=True)\n"
    done = run(PROGRAM + kill + "os.kill(os.getpid(), signal.SIGKILL)", path, check=False)
    assert done.returncode == -signal.SIGKILL and done.stdout == "50\n"
    with estore.open(f"{path}-2") as store:
        assert store.count() == 50


def test_a_warning_tells_what_was_not_closed(run, path):
    done = run(PROGRAM, path, check=False, PYTHONWARNINGS="always::ResourceWarning")
    assert done.returncode == 0 and done.stderr.count("never closed") == 2


def test_a_child_of_the_program_ends(run, path):
    run(PROGRAM + "import os\npid = os.fork()\nif pid: assert os.waitpid(pid, 0)[1] == 0", path, PYTHONWARNINGS="ignore")
    with estore.open(path) as store:
        assert store.count() == 1000
