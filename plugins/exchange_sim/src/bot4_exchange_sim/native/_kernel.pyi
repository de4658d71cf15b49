"""The compiled module, for type checkers: its functions are declared in the C headers, not here."""

from typing import Any

ffi: Any
lib: Any
