"""Standard output and error that never show a secret of this process, whoever writes to them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from ..domain.redaction import hide


class HidingStream:
    """A text stream as it was, but for the secrets in what is written to it.

    Covers what no verb sees: tracebacks, a plugin's ``print``, warnings, the log. A secret that is written in several
    pieces is not recognised.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text without secrets; tells the length of what was given."""
        if not isinstance(text, str):
            raise TypeError(f"text is written here, not {type(text).__name__}")
        self._stream.write(hide(text))
        return len(text)

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
    sys.stdout, sys.stderr = HidingStream(before[0]), HidingStream(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
