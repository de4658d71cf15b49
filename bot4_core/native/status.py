"""What the library's refusals mean, as errors."""

from __future__ import annotations

from typing import Final

from ..errors import NativeError
from ._native import lib

_MEANING: Final[dict[int, str]] = {
    lib.B4_E_NULL: "a handle or buffer is missing",
    lib.B4_E_RANGE: "an index, size or argument is outside its bound",
    lib.B4_E_OVERFLOW: "the exact result does not fit",
    lib.B4_E_ABI: "the memory was laid out by another version of bot4; rebuild the module or start a new segment",
    lib.B4_E_ALIGN: "the memory is not aligned as the structure needs",
    lib.B4_E_SIZE: "the memory is too small for the structure",
    lib.B4_E_STATE: "the call does not fit the present state",
    lib.B4_E_DAMAGED: "the contents are damaged",
    lib.B4_E_IO: "the operating system refused",
}


def check(answer: int, doing: str) -> int:
    """Passes a good answer on.

    Args:
        answer: what a native function returned.
        doing: what was tried, for the message.

    Returns:
        The answer, zero or positive.

    Raises:
        NativeError: the answer is negative; the call has changed nothing.
    """
    if answer < 0:
        raise NativeError(f"{doing}: {_MEANING.get(answer, 'unknown refusal')} (code {answer})")
    return answer
