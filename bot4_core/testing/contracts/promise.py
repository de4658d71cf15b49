"""A promise: one test of a contract, and what is said when it is broken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

Test = Callable[[Any, Path], None]


class BrokenPromise(AssertionError):
    """A plugin does not keep a promise of its kind; the message says which, how, and where it is written."""


def promised(test: Test) -> Test:
    """Makes a method a promise: its docstring's first line is the promise, whatever it raises says how it is broken.

    The class says in ``page`` where its promises are written. A skip passes through.
    """
    words = (test.__doc__ or "").partition("\n")[0]

    @functools.wraps(test)
    def kept(self: Any, tmp_path: Path) -> None:
        try:
            test(self, tmp_path)
        except SkipTest:
            raise
        except (Exception, SystemExit) as error:  # a stranger's plugin may raise anything, and all of it breaks it
            how = str(error) if isinstance(error, BrokenPromise) else f"{type(error).__name__}: {error}"
            raise BrokenPromise(f"{words}\n  broken: {how}\n  promise: {test.__name__} of {self.page}") from error

    kept.__dict__["is_promise"] = True
    return kept


def require(kept: object, how: str) -> None:
    """Ends a promise when it is not kept.

    Args:
        kept: what must be true.
        how: how it is broken, with what was found and what was expected.

    Raises:
        BrokenPromise: it is not true.
    """
    if not kept:
        raise BrokenPromise(how)


def not_for(reason: str) -> SkipTest:
    """What a promise raises that does not apply to a plugin; test runners show it as skipped, with the reason."""
    return SkipTest(reason)


def promises(contract: type) -> dict[str, str]:
    """Every promise of a contract, name of the test to the promise in words, in the order they are written."""
    found: dict[str, str] = {}
    for base in reversed(contract.__mro__):
        for name, test in vars(base).items():
            if getattr(test, "is_promise", False):
                found[name] = (test.__doc__ or "").partition("\n")[0]
    return found
