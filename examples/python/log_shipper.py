r"""Ships a log into a store and reads a span of time out of it. A line may begin with its time, in seconds since 1970; one that does not has
the time of the line before it, or of now. Lines may come in any order and are printed in the order of their times.

Run it from the top of the repository, after `make lib` (or without the two variables, with the package and the library installed):

    printf '1700000002 two\n1700000001 one\n' |
        PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/log_shipper.py logs
    PYTHONPATH=bindings/python ESTORE_LIBRARY=target/release/libestore.so python3 examples/python/log_shipper.py logs 1700000000 1700000001
"""

import re
import sys

import estore

SECOND = 10**9
STARTS_WITH_TIME = re.compile(rb"([0-9]+)(?: |$)")


def seconds_of(text):
    """The seconds at the start of a text, if that is where it begins; what comes after a space may be anything."""
    found = STARTS_WITH_TIME.match(text)
    seconds = int(found.group(1)) if found and len(found.group(1)) < 20 else None
    return seconds if seconds is not None and seconds < estore.FOREVER // SECOND else None


def lines_as_they_come(source):
    """Lists of lines: many in one while they come fast, each one soon while they come slowly."""
    begun = []
    while True:
        came = source.read1(65536)
        *lines, rest = came.split(b"\n")
        if lines:
            # The first one may have come in many pieces.
            lines[0] = b"".join(begun) + lines[0]
            begun.clear()
            yield lines
        begun.append(rest)
        if not came:
            break
    rest = b"".join(begun)
    if rest:
        yield [rest]


def ship(folder):
    time, shipped, without_time = estore.now(), 0, 0
    with estore.open(folder) as store:
        for lines in lines_as_they_come(sys.stdin.buffer):
            batch = []
            for line in lines:
                seconds = seconds_of(line)
                if seconds is None:
                    without_time += 1
                else:
                    time = seconds * SECOND
                batch.append((time, line, estore.new_id()))
            store.append(batch)
            shipped += len(batch)
    print(f"{shipped} lines, {without_time} without a time")


def show(folder, start, end):
    # Reading only: works beside a shipper.
    with estore.open(folder, mode="read_only") as store:
        for event in store.read(start * SECOND, end * SECOND + SECOND - 1):
            sys.stdout.buffer.write(event.data + b"\n")


def main(arguments):
    if len(arguments) == 1:
        return ship(arguments[0])
    if len(arguments) == 3:
        start, end = (seconds_of(argument.encode()) for argument in arguments[1:])
        if start is not None and end is not None:
            return show(arguments[0], start, end)
    print("usage: log_shipper.py FOLDER [FROM TO]    (seconds since 1970, both inclusive)", file=sys.stderr)
    sys.exit(2)


try:
    main(sys.argv[1:])
except estore.Error as e:
    sys.exit(f"log_shipper: {e}")
