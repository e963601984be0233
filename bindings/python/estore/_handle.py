"""The handle of a store: who is inside a call, and how it ends.

The library says: while a handle is being closed nobody else may use it. So each call leaves a token for as long as it is in the library,
and closing first refuses new calls, then waits until no token is left. No lock is held during a call.

A forked child may have inherited a lock that nobody will ever release. So it looks at its generation (how often it has been forked) before
anything else, and touches no lock of its parent.
"""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from threading import get_ident
from time import monotonic
from typing import Any, Dict, Optional, Set

from ._errors import ClosedError, ForkedError, InvalidError
from ._library import ErrorDetail, Function, error_of

# How long the end of the interpreter waits for calls of daemon threads before it leaves their store open, in seconds.
_PATIENCE = 5.0

_generation = 0


def _forked() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_forked)


def generation() -> int:
    """How often this process was forked off. What was opened in another generation belongs to the parent."""
    return _generation


class Handle:
    """Owns the C handle of a store and calls functions on it, from any thread."""

    def __init__(self, pointer: int, close: Function, what: str, filename: str, inside_log: Set[int], keep: Any) -> None:
        self.what = what
        self.filename = filename
        self.closed = False
        # What the library may call as long as the handle lives.
        self.keep = keep
        self._pointer = pointer
        self._close = close
        self._generation = _generation
        # Who is in a call: a token of each, with its thread.
        self._calls: Dict[object, int] = {}
        # The threads in which the library calls the log function of this store now.
        self._inside_log = inside_log
        self._closing = threading.RLock()
        self._left: Optional[threading.Event] = None

    def beside(self, pointer: int, close: Function, what: str) -> Handle:
        """The handle of something that was made from this one, and goes on without it."""
        return Handle(pointer, close, what, self.filename, self._inside_log, self.keep)

    def call_with(self, other: Handle, function: Function, *arguments: Any) -> int:
        """Calls function(handle, handle of the other, *arguments, &error)."""

        def call(own: int, *rest: Any) -> int:
            answered = []

            def call_other(others: int, _: Any) -> int:
                answered.append(function(own, others, *rest))
                return 0

            other.call(call_other)
            return answered[0]

        return self.call(call, *arguments)

    def call(self, function: Function, *arguments: Any) -> int:
        """Calls function(handle, *arguments, &error). Answers its status, or raises if that is an error."""
        detail = ErrorDetail()
        token = object()
        try:
            # Before looking at `closed`: closing sets that and looks for tokens then, so one of the two sees the other.
            self._calls[token] = get_ident()
            self.check()
            status = function(self._pointer, *arguments, ctypes.byref(detail))
        finally:
            self._calls.pop(token, None)
            if self._left is not None:
                self._left.set()
        if status < 0:
            raise error_of(status, detail, self.filename)
        return status

    def check(self) -> None:
        """Raises if nothing may be done with the store."""
        if self._generation != _generation:
            raise ForkedError(f"{self.filename}: the {self.what} belongs to the parent of this process; open it anew")
        if self.closed:
            raise ClosedError(f"{self.filename}: the {self.what} is closed")
        if self._inside_log and get_ident() in self._inside_log:
            raise InvalidError(f"{self.filename}: a log function must not use its own {self.what}")

    def close(self, patience: Optional[float] = None) -> None:
        """Closes: refuses new calls, waits for those that run, and raises what the library then says. Does nothing if it is closed."""
        if self._generation != _generation:
            # Touches no file and no lock; all other threads stayed with the parent.
            self.closed = True
            self._end()
            return
        me = get_ident()
        if me in self._inside_log or me in list(self._calls.values()):
            raise InvalidError(f"{self.filename}: the {self.what} can't be closed from inside a call on it")
        with self._closing:
            if self._pointer == 0:
                return
            left = self._left = self._left or threading.Event()
            self.closed = True
            until = None if patience is None else monotonic() + patience
            while self._calls:
                left.clear()
                if self._calls and not left.wait(None if until is None else max(0.0, until - monotonic())):
                    return
            self._end()

    def _end(self) -> None:
        pointer, self._pointer = self._pointer, 0
        detail = ErrorDetail()
        status = self._close(ctypes.byref(ctypes.c_void_p(pointer)), ctypes.byref(detail))
        if status < 0:
            raise error_of(status, detail, self.filename)

    def forgotten(self) -> None:
        """Closes what nobody closed: at the end of the last reference, or of the interpreter."""
        if self._pointer == 0:
            return
        try:
            if self._generation == _generation:
                warnings.warn(f"a {self.what} was never closed: {self.filename}", ResourceWarning, stacklevel=2)
        finally:
            self.dropped()

    def dropped(self) -> None:
        """Closes what need not be closed, without a word."""
        if get_ident() in self._inside_log:
            # The store's own thread can't wait for itself.
            threading.Thread(target=self.close, name="estore-close").start()
        else:
            self.close(_PATIENCE)
