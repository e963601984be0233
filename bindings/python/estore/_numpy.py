"""Batches of events as columns in NumPy arrays. Imported only when they are asked for, since NumPy need not be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Optional

from ._errors import Error, InvalidError
from ._events import copy_data
from ._reader import Reader

try:
    import numpy
except ImportError as e:
    raise ImportError("numpy_batches needs NumPy, which is not installed; reader.batches() gives lists without it") from e


@dataclass(frozen=True)
class NumpyBatch:
    """Some events as columns of equal length, in the order of the reader. The arrays are yours: copies that outlive reader and store.

    `times` (uint64) are nanoseconds since 1970, `seqs` (uint64) arrival numbers, `ids` uint32. The data of all events lies in the one
    buffer `data` (uint8), that of event i in `data[offsets[i]:offsets[i + 1]]`; `offsets` (int64) has one more element than the others.
    That is the layout of Arrow's large_binary: `pyarrow.LargeBinaryArray.from_buffers(pyarrow.large_binary(), len(batch),
    [None, pyarrow.py_buffer(batch.offsets), pyarrow.py_buffer(batch.data)])`; for pandas there are `datetimes` and `datas`.
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
        whole, bounds = self.data.tobytes(), self.offsets.tolist()
        return [whole[start:end] for start, end in zip(bounds, bounds[1:])]


class NumpyBatches(Iterator[NumpyBatch]):
    """Made by Reader.numpy_batches. At damage the whole events before it come first, then the error."""

    def __init__(self, reader: Reader, size: int) -> None:
        """Made by Reader.numpy_batches."""
        if size < 1:
            raise InvalidError("a batch has at least one event")
        self._reader = reader
        self._size = size
        self._failed: Optional[Error] = None

    def __next__(self) -> NumpyBatch:
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        size = self._size
        table = numpy.empty((size, 4), numpy.uint64)
        data: List[bytes] = []
        have = 0

        def take(words: memoryview, halves: memoryview, n: int) -> int:
            table[have : have + n] = numpy.frombuffer(words, numpy.uint64, 4 * n).reshape(n, 4)
            data.extend(copy_data(words, halves, n))
            return n

        for event in self._reader.rest_of_batch(size):
            # Left by somebody who read event by event before.
            table[have] = event.time, event.seq, 0, event.id << 32 | len(event.data)
            data.append(event.data)
            have += 1
        try:
            while have < size:
                got = self._reader.fetch(size - have, take)
                if got is None:
                    break
                have += got
        except Error as e:
            if not have:
                raise
            self._failed = e
        if not have:
            raise StopIteration
        table = table[:have]
        offsets = numpy.zeros(have + 1, numpy.int64)
        numpy.cumsum(table[:, 3] & numpy.uint64(2**32 - 1), out=offsets[1:])
        ids = (table[:, 3] >> numpy.uint64(32)).astype(numpy.uint32)
        # Writable, as arrays are expected to be.
        payload = numpy.frombuffer(bytearray().join(data), numpy.uint8)
        return NumpyBatch(table[:, 0].copy(), table[:, 1].copy(), ids, offsets, payload)
