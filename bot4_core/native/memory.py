"""Memory for native structures that live on the heap."""

from __future__ import annotations

from typing import Any

from ..errors import NativeError
from ._native import ffi, lib


def aligned(size: int, what: str) -> tuple[Any, Any]:
    """Zeroed memory that starts on a cache line.

    Args:
        size: bytes, as a ``b4_*_size`` function answered; 0 means it refused its arguments.
        what: the structure, for the message.

    Returns:
        The object that owns the memory (keep it as long as the pointer) and a ``void *`` to the aligned start.

    Raises:
        NativeError: ``size`` is 0.
    """
    if size == 0:
        raise NativeError(f"{what}: an argument is outside its bound; see the header's constants")
    line = lib.B4_CACHE_LINE
    owner = ffi.new("char[]", size + line)
    start = int(ffi.cast("uintptr_t", owner))
    return owner, ffi.cast("void *", owner + (-start % line))


def pointer_to(buffer: memoryview) -> Any:
    """A ``void *`` to a buffer's first byte; the buffer's owner must outlive it."""
    return ffi.cast("void *", ffi.from_buffer(buffer))
