"""A value that may be used and never shown: an API key, a passphrase."""

from __future__ import annotations

import hmac
from typing import NoReturn, final

from ..errors import DomainError
from .redaction import HIDDEN, remember

#: Longest secret, in bytes of UTF-8: a key file has a few thousand.
MAX_SECRET_BYTES = 64 * 1024
#: Origin of a secret that was written out in the config or on the command line.
INLINE = "written out"


@final
class Secret:
    """Text that shows itself to nobody who does not ask with :meth:`reveal`.

    Made from a config's ``{ env = … }``, ``{ file = … }`` or ``{ keyring = … }`` for each setting of this type.
    Printing, formatting and copying give ``***`` or the object itself; pickling and JSON are refused; comparing takes
    the same time whatever is equal. Its value is taken out of every text that bot4 shows or stores afterwards.

    Args:
        value: the secret text, 4 characters to 64 KiB.
        origin: where it came from, in words that may be shown, as ``environment variable KRAKEN_KEY``.

    Raises:
        DomainError: it is too short or too long to be held safely. The message does not hold it.
    """

    __slots__ = ("_origin", "_value")

    def __init__(self, value: str, origin: str = INLINE) -> None:
        if not isinstance(value, str):
            raise DomainError(f"a secret is text, not {type(value).__name__}")
        if len(value.encode("utf-8", "surrogatepass")) > MAX_SECRET_BYTES:
            raise DomainError(f"has more than {MAX_SECRET_BYTES} bytes")
        remember(value)
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_origin", origin)

    @property
    def origin(self) -> str:
        """Where it came from; never any of its text."""
        origin: str = self._origin  # type: ignore[attr-defined]  # a slot, set past our own __setattr__
        return origin

    @property
    def inline(self) -> bool:
        """Whether it was written out where others may read it; live trading refuses that."""
        return self.origin == INLINE

    def reveal(self) -> str:
        """The secret text. Hand it to what needs it; do not keep it."""
        value: str = self._value  # type: ignore[attr-defined]  # as above
        return value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (one.reveal().encode("utf-8", "surrogatepass") for one in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(Secret)  # equal for all: a hash of the text would tell something about it

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise DomainError("a secret does not change: make another")

    def __delattr__(self, name: str) -> NoReturn:
        raise DomainError("a secret does not change: make another")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise DomainError("a secret is not pickled: hand on where it can be found")
