"""Standard output and error that never show a secret of this process, whoever writes to them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from ..domain.redaction import hide
from ..errors import Bot4Error


class HidingStream:
    """A text stream as it was, but for the secrets in what is written to it.

    Covers what no verb sees: tracebacks, a plugin's ``print``, warnings, the log. A secret that is written in several
    pieces is not recognised. After an error the stream is the null device, and the error is told at each use: whoever
    swallows it does not lose it.

    Args:
        stream: the stream.
        name: of it, for the error; without one what cannot be written is dropped: stderr has nobody to complain to, and
            a message that nobody reads must not end the work.
    """

    def __init__(self, stream: IO[str], name: str = "") -> None:
        self._stream = stream
        self._name = name
        self._lost = ""

    def write(self, text: str) -> int:
        """Writes the text without secrets; tells the length of what was given.

        Raises:
            Bot4Error: the stream has a name and cannot be written, as on a full disk.
            BrokenPipeError: it has a name and its reader has left.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is written here, not {type(text).__name__}")
        if text:  # click asks with an empty one what kind of stream this is, and swallows what it hears
            self._do(lambda: self._stream.write(hide(text)))
        return len(text)

    def flush(self) -> None:
        """Hands on what was written; errors as :meth:`write`."""
        self._do(self._stream.flush)

    def _do(self, work: Callable[[], object]) -> None:
        try:
            if not self._lost:
                work()
                return
        except BrokenPipeError:
            if self._name:
                raise  # the reader has what it wanted
            self._drop("its reader has left")
        except OSError as error:
            self._drop(error.strerror or str(error))
        if self._name:
            raise Bot4Error(f"{self._name} cannot be written: {self._lost}: what it was to say is lost")

    def _drop(self, reason: str) -> None:
        self._lost = reason
        with suppress(OSError, ValueError):  # a stream without a number, in memory
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each text."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def hidden_output() -> Iterator[None]:
    """Puts a :class:`HidingStream` in front of stdout and stderr; puts the streams back afterwards."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = HidingStream(before[0], "stdout"), HidingStream(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
