"""estore: an embedded, append-only store for events. An event is a time, an id and some bytes; you append events as they come, late and out
of order too, and read any span of time back in exact order.

    import estore

    with estore.open("events") as store:
        store.append([estore.Event(3000, b"third"), estore.Event(1000, b"first")])
        for event in store.read(1000, 2000):
            print(event.time, event.data)

`for event in store.tail(cursor)` follows a store: every event behind a cursor as it arrived, and then those that come. Stores that should hold
the same and have drifted apart are compared by digest and brought together by repair, or by exchange where they are on different machines.

Times are nanoseconds since 1970: any int, or a datetime that knows its time zone. Durations are texts such as "1d", timedeltas, or
nanoseconds. What fails raises a class derived from estore.Error and, where one fits, from a built-in exception; an argument of the wrong type
raises TypeError.

Stores may be used by any number of threads at once; all calls release the GIL. A forked child opens its stores anew. Everything that is read
is copied, so events may be kept as long as you like.

The work is done by the shared library libestore.so.1, called through ctypes. It is searched in this order: the path in the environment
variable ESTORE_LIBRARY, the file that this package carries, what the loader of the system finds.
"""

from typing import TYPE_CHECKING

from ._errors import (
    ClosedError,
    CorruptError,
    Error,
    ExistsError,
    ForeignFilesError,
    ForkedError,
    GapError,
    GoneError,
    InvalidError,
    IoError,
    LibraryError,
    LockedError,
    MissingFeatureError,
    NewerFormatError,
    NoPermissionError,
    NoSpaceError,
    NotAFolderError,
    NotAStoreError,
    NotFoundError,
    OutcomeUnknownError,
    PanicError,
    PoisonedError,
    RangeError,
    ReadOnlyError,
    SettingsError,
    TooLargeError,
    TooManyChunksError,
)
from ._events import Data, Event, EventLike, new_id
from ._library import VERSION as __version__
from ._library import library_version
from ._reader import Gap, Reader
from ._replicas import Bucket, BytesLike, Copied, Digest, Exchange, Export, Repaired
from ._store import (
    Absent,
    Compacted,
    Compression,
    Durability,
    Efile,
    Finding,
    LogTo,
    Mode,
    PathLike,
    Retained,
    Snapshot,
    Stats,
    Store,
    Verified,
    destroy,
    destroy_efile,
    open,
    open_efile,
)
from ._tail import Tail
from ._times import FOREVER, Duration, Time, duration_ns, now, to_datetime, to_ns

__all__ = [
    "Absent",
    "Bucket",
    "BytesLike",
    "ClosedError",
    "Compacted",
    "Compression",
    "Copied",
    "CorruptError",
    "Data",
    "Digest",
    "Durability",
    "Duration",
    "Efile",
    "Error",
    "Event",
    "EventLike",
    "Exchange",
    "ExistsError",
    "Export",
    "FOREVER",
    "Finding",
    "ForeignFilesError",
    "ForkedError",
    "Gap",
    "GapError",
    "GoneError",
    "InvalidError",
    "IoError",
    "LibraryError",
    "LockedError",
    "LogTo",
    "MissingFeatureError",
    "Mode",
    "NewerFormatError",
    "NoPermissionError",
    "NoSpaceError",
    "NotAFolderError",
    "NotAStoreError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PanicError",
    "PathLike",
    "PoisonedError",
    "RangeError",
    "ReadOnlyError",
    "Reader",
    "Repaired",
    "Retained",
    "SettingsError",
    "Snapshot",
    "Stats",
    "Store",
    "Tail",
    "Time",
    "TooLargeError",
    "TooManyChunksError",
    "Verified",
    "__version__",
    "destroy",
    "destroy_efile",
    "duration_ns",
    "library_version",
    "new_id",
    "now",
    "open",
    "open_efile",
    "to_datetime",
    "to_ns",
]

if TYPE_CHECKING:
    from ._numpy import NumpyBatch as NumpyBatch
else:

    def __getattr__(name):
        # It needs NumPy, which need not be there.
        if name == "NumpyBatch":
            from ._numpy import NumpyBatch

            return NumpyBatch
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
