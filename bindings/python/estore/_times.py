"""Times and durations: what Python has for them, as the nanoseconds that the store keeps."""

from __future__ import annotations

import ctypes
import operator
from datetime import datetime, timedelta, timezone
from typing import SupportsIndex, Union

from ._errors import InvalidError
from ._library import ErrorDetail, error_of, library

Time = Union[int, datetime, SupportsIndex]
"""A point of time: nanoseconds since 1970 as any integer (0 to 2**64 - 1, the year 2554), or a datetime that knows its time zone."""

Duration = Union[str, timedelta, int, SupportsIndex]
"""A length of time: a text such as "1d", "500ms" or "1h30m", a timedelta, or nanoseconds as any integer."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FOREVER = 2**64 - 1
"""The largest time there is: 21 July 2554. As the end of a range it means no end."""


def _nanoseconds(delta: timedelta) -> int:
    # pandas has timedeltas and timestamps that go down to nanoseconds.
    more: int = getattr(delta, "nanoseconds", 0)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000 + more


def to_ns(time: Time) -> int:
    """Nanoseconds since 1970. Refuses naive datetimes and what lies before 1970 or after 2554 (InvalidError), and all that is neither an
    integer nor a datetime (TypeError)."""
    if isinstance(time, datetime):
        if time.utcoffset() is None:
            raise InvalidError(
                f"{time!r} is naive: which moment it means depends on a time zone. Give it one, as in "
                "datetime(2024, 1, 31, tzinfo=timezone.utc), or take it for local time with .astimezone()"
            )
        ns = _nanoseconds(time - EPOCH)
    else:
        try:
            ns = operator.index(time)
        except TypeError:
            hint = ", whose precision is too small for nanoseconds" if isinstance(time, float) else ""
            raise TypeError(f"a time is an int (nanoseconds since 1970) or an aware datetime, not {type(time).__name__}{hint}") from None
    if not 0 <= ns <= FOREVER:
        raise InvalidError(f"the time {time} lies {'before 1970' if ns < 0 else 'after the year 2554, where 64 bits of nanoseconds end'}")
    return ns


def to_datetime(ns: int) -> datetime:
    """The datetime in UTC of nanoseconds since 1970, rounded down to the microseconds that a datetime has."""
    return EPOCH + timedelta(microseconds=to_ns(ns) // 1000)


def duration_ns(duration: Duration) -> int:
    """The nanoseconds of a duration. Refuses texts that are none, and negative or longer ones than 584 years (InvalidError)."""
    if isinstance(duration, str):
        text, ns, detail = duration.encode("utf-8", "surrogatepass"), ctypes.c_uint64(), ErrorDetail()
        status = library.estore_duration_parse(text, len(text), ctypes.byref(ns), ctypes.byref(detail))
        if status < 0:
            raise error_of(status, detail)
        return ns.value
    if isinstance(duration, timedelta):
        value = _nanoseconds(duration)
    else:
        try:
            value = operator.index(duration)
        except TypeError:
            raise TypeError(
                f'a duration is a text such as "1d", a timedelta or an int (nanoseconds), not {type(duration).__name__}'
            ) from None
    if not 0 <= value <= FOREVER:
        raise InvalidError(f"the duration {duration} is {'negative' if value < 0 else 'longer than 584 years'}")
    return value


def now() -> int:
    """The wall clock: nanoseconds since 1970, 0 if it stands before."""
    return int(library.estore_now())
