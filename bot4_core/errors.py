"""The error tree. Every error that bot4 raises on purpose is one of these.

::

    Bot4Error
    ├── ConfigError            the user's file or arguments; carries every mistake found
    ├── DomainError            a value that cannot exist (a price off the tick, an overflow)
    │   └── TransitionError
    │       ├── InvalidTransition
    │       ├── AlreadyTerminal
    │       └── ConcurrentModification
    ├── HistoryError           recorded market data that cannot be trusted
    ├── PluginError            carries the plugin's name
    │   ├── PluginLoadError    it could not be imported or built
    │   ├── PluginConflict     two plugins offer one name
    │   ├── PluginIncompatible it wants another core
    │   └── PluginChanged      it is not what the config pins
    ├── ExchangeError
    │   └── Rejected           the venue said no: do not retry
    ├── StoreError             the journal's database
    ├── StrategyError          a strategy's own code raised; names file and line
    ├── NativeError            the native library refused a call
    ├── AlreadyRunning         another process of this bot trades
    └── RefusedForSafety       latch, live mode, credentials

The command line turns each branch into an exit code (``exit_code``); CLI.md of the project lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

_MAX_FOREIGN_TEXT = 256


def one_line(text: object) -> str:
    """Foreign text made fit for one line of ours: no line breaks or control characters, at most 256 characters."""
    words = " ".join(str(text).split())
    clean = "".join(c if c.isprintable() else "?" for c in words)
    return clean if len(clean) <= _MAX_FOREIGN_TEXT else clean[: _MAX_FOREIGN_TEXT - 1] + "…"


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known name closest to ``name``, or nothing; goes behind a message."""
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


class Bot4Error(Exception):
    """Base of all errors raised on purpose. The message says what to do next."""

    exit_code: int = 1


@frozen
class Mistake:
    """One mistake in a user's input.

    Args:
        path: where in the document, as ``$.risk[0].position``; empty for the file itself.
        message: what is wrong and what is allowed.
        line: 1-based line in the file, or None where no line can be named.
        source: the file's name as the user gave it.
    """

    path: str
    message: str
    line: int | None = None
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line is not None else self.source
        return " ".join(p for p in (where, f"{self.path}:" if self.path else "", self.message) if p)


class ConfigError(Bot4Error):
    """The user's configuration or arguments are wrong; ``mistakes`` holds every one found."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[Mistake] | Mistake | str) -> None:
        if isinstance(mistakes, str):
            mistakes = Mistake("", mistakes)
        self.mistakes: tuple[Mistake, ...] = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__("\n".join(str(m) for m in self.mistakes))


class DomainError(Bot4Error, ValueError):
    """A value that cannot exist in the domain: off the tick, overflowing, not a number."""

    exit_code = 2


class TransitionError(DomainError):
    """A move of the order state machine was refused (TRADING.md O-1)."""

    exit_code = 1


class InvalidTransition(TransitionError):
    """The table of moves does not hold this one."""


class AlreadyTerminal(TransitionError):
    """The order ended before; a late fill is applied to the position instead."""


class ConcurrentModification(TransitionError):
    """The order was not in the expected state: somebody else moved it first."""


class HistoryError(Bot4Error):
    """Recorded market data is damaged or does not fit its instrument; names file and row."""

    exit_code = 2


class PluginError(Bot4Error):
    """A plugin cannot be used; ``plugin`` is its entry-point name."""

    exit_code = 5

    def __init__(self, plugin: str, message: str) -> None:
        self.plugin = plugin
        super().__init__(f"plugin {plugin}: {message}")


class PluginLoadError(PluginError):
    """The plugin could not be imported, or its hook failed."""


class PluginConflict(PluginError):
    """Two plugins offer one name; the message names both."""


class PluginIncompatible(PluginError):
    """The plugin wants another version of the core."""


class PluginChanged(PluginError):
    """What is installed is not the version, or has not the files, that the config pins."""


class ExchangeError(Bot4Error):
    """A venue, or the simulator in its place, could not do what was asked."""


class Rejected(ExchangeError):
    """The venue refused the order: do not retry it as it is."""


class StoreError(Bot4Error):
    """The journal's database cannot be opened, written or trusted."""

    exit_code = 4


class StrategyError(Bot4Error):
    """A strategy raised something of its own; the message names the place in its file."""


class NativeError(Bot4Error):
    """The native library refused a call (bad handle, index out of range, wrong ABI)."""


class AlreadyRunning(Bot4Error):
    """Another process holds the bot's lock."""

    exit_code = 3


class RefusedForSafety(Bot4Error):
    """Trading was refused: kill latch set, live mode not confirmed, credentials unfit."""

    exit_code = 6
