"""What verbs print: one JSON object or text for people on stdout; logs on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ..domain.redaction import hide_in

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of text that is not going to a terminal.
PIPE_WIDTH = 120

_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_LOG_FORMAT = "{time:HH:mm:ss!UTC} {level: <8} {message}"
_DEFAULT_LEVEL = _LEVELS.index("WARNING")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
"""Every verb with a result takes it: ``@json_option`` gives the argument ``as_json``."""


def emit(data: Mapping[str, Any], as_json: bool, render: Callable[[], None]) -> None:
    """Prints a verb's result.

    Args:
        data: the result; its keys are a contract with scripts (CLI.md). Amounts are Decimal and become text,
            times are int UTC nanoseconds, numbers that do not exist (NaN, infinity) become null.
        as_json: print ``data`` as one JSON object.
        render: prints the same for people; not called with ``as_json``.
    """
    if as_json:
        click.echo(json.dumps(hide_in(_plain(data)), allow_nan=False))
    else:
        render()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def console(*, stderr: bool = False) -> Console:
    """A rich console: colours and the terminal's width on a terminal, plain text of a fixed width otherwise.

    ``NO_COLOR`` and ``FORCE_COLOR`` are obeyed. Foreign text must be printed with ``markup=False`` or as ``Text``.
    """
    from rich.console import Console

    stream: IO[str] = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False, emoji=False)


def log_level(verbosity: int) -> None:
    """Sends the log to stderr, warnings and worse by default.

    Args:
        verbosity: how many ``-v`` less how many ``-q``.
    """
    level = _LEVELS[min(max(_DEFAULT_LEVEL + verbosity, 0), len(_LEVELS) - 1)]
    if "loguru" not in sys.modules:
        # loguru reads these when a verb imports it; a verb that logs nothing is spared its 70 ms
        os.environ.update(LOGURU_LEVEL=level, LOGURU_FORMAT=_LOG_FORMAT, LOGURU_DIAGNOSE="NO")
        return
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level=level, format=_LOG_FORMAT, diagnose=False)  # a traceback shows no variables
