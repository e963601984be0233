"""What goes wrong, as exceptions: one class for each error status of estore.h and for the gap of a tail, each also the built-in exception that
fits it."""

from __future__ import annotations

import errno as numbers
import io
from typing import Dict, Optional, Tuple, Type


class Error(Exception):
    """The base of all that estore raises, except for the TypeError of an argument of the wrong type. Its text names the file it concerns.

    `status` is the number that the C function answered, `os_errno` the errno of the operating system or 0, `offset` the byte in the file
    that the text names or None. Those that are an OSError as well have its `errno`, `strerror` and `filename` (the path of the store).
    """

    status: int = 0
    os_errno: int = 0
    offset: Optional[int] = None
    # The errno of an OSError for which the operating system gave none.
    _errno = 0

    def __init__(
        self, message: str, *, status: Optional[int] = None, os_errno: int = 0, offset: Optional[int] = None, filename: Optional[str] = None
    ) -> None:
        if isinstance(self, OSError):
            # Its own arguments, given late: OSError takes them here, since this class has an __init__.
            OSError.__init__(self, os_errno or self._errno, message, filename)
        else:
            Exception.__init__(self, message)
        self.message = message
        if status is not None:
            self.status = status
        self.os_errno = os_errno
        self.offset = offset

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[object, ...]:
        # For processes that hand exceptions to each other.
        filename = self.filename if isinstance(self, OSError) else None
        return _again, (type(self), self.message, self.status, self.os_errno, self.offset, filename)


def _again(kind: Type[Error], message: str, status: int, os_errno: int, offset: Optional[int], filename: Optional[str]) -> Error:
    return kind(message, status=status, os_errno=os_errno, offset=offset, filename=filename)


class InvalidError(Error, ValueError):
    """An argument that can never work: out of range, or a naive datetime."""

    status = -1


class IoError(Error, OSError):
    """The operating system refused something; `errno` says what."""

    status = -2
    _errno = numbers.EIO


class CorruptError(Error):
    """Bytes on disk are not what was written there, and `offset` is the place: Store.verify finds all of it, read(salvage=True) goes on. Or a
    message or parcel is not what was sent.
    """

    status = -3


class NotFoundError(Error, FileNotFoundError):
    """There is nothing at this path."""

    status = -4
    _errno = numbers.ENOENT


class ExistsError(Error, FileExistsError):
    """A store was to be created where one is already."""

    status = -5
    _errno = numbers.EEXIST


class LockedError(Error, BlockingIOError):
    """Another writer has the store open, in this process or in another."""

    status = -6
    _errno = numbers.EAGAIN


class ReadOnlyError(Error, io.UnsupportedOperation):
    """The store was opened for reading only."""

    status = -7
    _errno = numbers.EROFS


class NoSpaceError(Error, OSError):
    """The disk or a quota is full. Nothing was changed; the call works again once there is space."""

    status = -8
    _errno = numbers.ENOSPC


class PoisonedError(Error, OSError):
    """An earlier write or sync failed, so the writer refuses to go on. Reading works, unless the buffer of BUFFERED
    has events in it; open the store again to recover.
    """

    status = -9
    _errno = numbers.EIO


class OutcomeUnknownError(Error, OSError):
    """A write failed after it had begun: whether the batch is stored is known only after opening the store again."""

    status = -10
    _errno = numbers.EIO


class TooLargeError(Error, ValueError):
    """An event is larger than the store takes; nothing of its batch was stored."""

    status = -11


class SettingsError(Error, ValueError):
    """The store was made with another file size or grace than was asked for."""

    status = -12


class NewerFormatError(Error):
    """The store needs a newer version of the library."""

    status = -13


class ForeignFilesError(Error, OSError):
    """A store was to be created in a folder that holds files of somebody else."""

    status = -14
    _errno = numbers.ENOTEMPTY


class NotAFolderError(Error, NotADirectoryError):
    """The path is a file, or something else that is no folder."""

    status = -15
    _errno = numbers.ENOTDIR


class TooManyChunksError(Error, ValueError):
    """A batch would make more new chunks than one batch may; nothing of it was stored."""

    status = -16


class ClosedError(Error, ValueError):
    """The store or reader was closed."""

    status = -17


class ForkedError(Error, RuntimeError):
    """The store or reader belongs to the parent of this forked process, which may only close it. Open the store anew instead."""

    status = -18


class PanicError(Error, RuntimeError):
    """An internal error of the library. The store refuses everything but closing from now on. Please report it."""

    status = -19


class GoneError(Error, FileNotFoundError):
    """A file that a reader still needs was removed by another process; or the whole store was, or another one is at its path."""

    status = -20
    _errno = numbers.ENOENT


class NotAStoreError(Error, ValueError):
    """The folder is not a store, or one of the other kind (store, efile)."""

    status = -21


class NoPermissionError(Error, PermissionError):
    """No permission, or a read-only file system."""

    status = -22
    _errno = numbers.EACCES


class RangeError(Error, ValueError):
    """The end of a range lies before its start."""

    status = -23


class MissingFeatureError(Error, NotImplementedError):
    """The library was built without a feature that an option asks for, or that reading a compressed chunk needs."""

    status = -24


class GapError(Error, LookupError):
    """Events were deleted before a tail gave them. Told once: asked again, the tail goes on."""

    status = 3


class LibraryError(Error, ImportError):
    """The library could not be loaded, or is one of another version. Raised by `import estore`."""


BY_STATUS: Dict[int, Type[Error]] = {kind.status: kind for kind in Error.__subclasses__() if kind.status}
