"""Validators of settings that also tell an editor what they take.

A validator may carry ``json_schema``, a mapping of JSON Schema keywords about the value; ``bot4 config schema`` reads
it. attrs' own validators are read without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

import attrs
from attrs import frozen

from ..errors import DomainError


class Validator(Protocol):
    """What attrs calls, with what an editor may know about it."""

    json_schema: Mapping[str, object]

    def __call__(self, settings: object, attribute: attrs.Attribute[Any], value: Any, /) -> None:
        """Raises DomainError for a value that is refused."""
        ...


@frozen
class Between:
    """A number from ``low`` to ``high``, both included."""

    low: int | Decimal
    high: int | Decimal

    @property
    def json_schema(self) -> Mapping[str, object]:
        """The same for an editor."""
        return {"minimum": self.low, "maximum": self.high}

    def __call__(self, _settings: object, _attribute: attrs.Attribute[Any], value: Any) -> None:
        if not self.low <= value <= self.high:
            raise DomainError(f"{value} must be from {self.low} to {self.high}")


@frozen
class Matching:
    """Text that a pattern fits as a whole.

    Args:
        pattern: of Python and of JSON Schema alike, without anchors.
        words: what is allowed, for the message, as ``must be 1-63 letters``.
    """

    pattern: str
    words: str

    @property
    def json_schema(self) -> Mapping[str, object]:
        """The same for an editor."""
        return {"pattern": f"^(?:{self.pattern})$"}

    def __call__(self, _settings: object, _attribute: attrs.Attribute[Any], value: str) -> None:
        if not re.fullmatch(self.pattern, value):
            raise DomainError(f"{value!r} {self.words}")
