"""Batches of events as columns in NumPy arrays, which the library fills. Imported only when they are asked for, since NumPy need not be
there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List

from ._errors import InvalidError
from ._events import Columns, whole
from ._reader import Reader
from ._times import FOREVER

try:
    import numpy
except ImportError as e:
    raise ImportError("numpy_batches needs NumPy, which is not installed; reader.batches() gives lists without it") from e

# No batch has room for more events, or for more data unless one event alone has more.
_MOST, _MOST_BYTES = 1 << 20, 1 << 26


@dataclass(frozen=True)
class NumpyBatch:
    """Some events as columns of equal length, in the order of the reader. The arrays are yours: they outlive reader and store.

    `times` (uint64) are nanoseconds since 1970, `seqs` (uint64) arrival numbers, `ids` uint32. The data of all events lies in the one
    buffer `data` (uint8), that of event i in `data[offsets[i]:offsets[i + 1]]`; `offsets` (int64) has one more element than the others.

    For pandas, whose frame has times in UTC:

        batches = [pandas.DataFrame({"time": b.datetimes(), "id": b.ids, "data": b.datas()}) for b in reader.numpy_batches()]
        frame = pandas.concat(batches, ignore_index=True).assign(time=lambda frame: frame["time"].dt.tz_localize("UTC"))

    For Arrow, whose large_binary has this very layout, without a copy:

        buffers = [None, pyarrow.py_buffer(batch.offsets), pyarrow.py_buffer(batch.data)]
        data = pyarrow.Array.from_buffers(pyarrow.large_binary(), len(batch), buffers)
        table = pyarrow.table({"time": batch.datetimes(), "id": batch.ids, "data": data})
    """

    times: numpy.ndarray[Any, Any]
    seqs: numpy.ndarray[Any, Any]
    ids: numpy.ndarray[Any, Any]
    offsets: numpy.ndarray[Any, Any]
    data: numpy.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.times)

    def datetimes(self) -> numpy.ndarray[Any, Any]:
        """The times as datetime64[ns] in UTC, without a copy. Refused if one lies after the year 2262, where that type ends."""
        if len(self) and int(self.times.max()) >= 2**63:
            raise InvalidError("a time after the year 2262 is no datetime64[ns]")
        return self.times.view("datetime64[ns]")

    def datas(self) -> List[bytes]:
        """The data of each event."""
        whole_data, bounds = self.data.tobytes(), self.offsets.tolist()
        return [whole_data[start:end] for start, end in zip(bounds, bounds[1:])]


class _NumpyColumns(Columns):
    @staticmethod
    def _memory(size: int) -> Any:
        return numpy.empty(size, numpy.uint8)

    def batch(self) -> NumpyBatch:
        """The columns as far as they are filled."""
        n, memory, (times, seqs, offsets, ids) = self.count, self._fields, self._places
        return NumpyBatch(
            numpy.ndarray(n, numpy.uint64, memory, times),
            numpy.ndarray(n, numpy.uint64, memory, seqs),
            numpy.ndarray(n, numpy.uint32, memory, ids),
            numpy.ndarray(n + 1, numpy.int64, memory, offsets),
            self._data[: self.data_len],
        )


class NumpyBatches(Iterator[NumpyBatch]):
    """Made by Reader.numpy_batches. At damage the whole events before it come first, then the error. A batch may have fewer events than were
    asked for, before the end too."""

    def __init__(self, reader: Reader, size: int) -> None:
        """Made by Reader.numpy_batches."""
        self._reader = reader
        self._size = min(whole("size", 1, FOREVER, size), _MOST)
        # How much data an event is expected to have, in bytes: the mean of the last batch, and some more.
        self._expected = 128

    def _columns(self) -> _NumpyColumns:
        return _NumpyColumns(self._size, max(1, min(self._size * self._expected, _MOST_BYTES)))

    def __next__(self) -> NumpyBatch:
        events, columns = self._reader.columns(self._size, self._columns)
        if columns is not None:
            self._expected = max(16, columns.data_len * 9 // (columns.count * 8))
            return columns.batch()
        if not events:
            raise StopIteration
        # Left by somebody who read event by event before.
        times, data, ids, seqs = zip(*events)
        offsets = numpy.cumsum([0, *map(len, data)], dtype=numpy.int64)
        # Writable, as arrays are expected to be.
        payload = numpy.frombuffer(bytearray().join(data), numpy.uint8)
        return NumpyBatch(numpy.array(times, numpy.uint64), numpy.array(seqs, numpy.uint64), numpy.array(ids, numpy.uint32), offsets, payload)
