"""What every kind of plugin promises about its settings and its factory."""

from __future__ import annotations

import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from ...config.structure import Problems, structure
from ...errors import HistoryError
from ...specs import RESERVED_KEYS, Services
from .promise import BrokenPromise, require

#: a factory that takes longer keeps every ``bot4 check`` waiting
CREATE_WITHIN_S = 5.0
SEED = 7


def services(folder: Path) -> Services:
    """What the core would lend: histories are looked for in ``folder``, the seed is fixed."""

    def resolve(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            raise HistoryError(f"{name}: there is no such history in the test's folder")
        return path

    return Services(base_dir=folder, resolve_history=resolve, seed=SEED, bot="contract")


def filled(settings: Mapping[str, object], cls: type) -> Any:
    """The settings as their class, as a config's table fills it.

    Raises:
        BrokenPromise: naming each setting that is refused.
    """
    try:
        return structure(dict(settings), cls)
    except Problems as problems:
        wrong = "; ".join(f"{'.'.join(map(str, at)) or cls.__name__}: {text}" for at, text in problems.found)
        raise BrokenPromise(f"a config cannot fill {cls.__name__}: {wrong}") from problems


def check_settings(settings: Mapping[str, object], cls: type, own: frozenset[str] | None = None) -> None:
    """Settings can be filled from a config, refuse what they do not know, and are explained.

    Args:
        settings: a table as a config has it.
        cls: the settings class.
        own: the fields that must be explained; None for all of them.
    """
    filled(settings, cls)
    names = [one.alias for one in attrs.fields(cls) if one.init]
    taken = sorted(RESERVED_KEYS & set(names))
    require(not taken, f"{cls.__name__} has the field {taken and taken[0]!r}, a key that belongs to the core")
    text = cls.__doc__ or ""
    silent = [name for name in names if (own is None or name in own) and not re.search(rf"\b{name}\b", text)]
    require(not silent, f"the docstring of {cls.__name__} says nothing about {', '.join(silent)}")


def check_create(create: Callable[[Any, Services], object], settings: Callable[[], Any], folder: Path) -> None:
    """A factory is quick, makes a new object each time, and leaves everything around it as it was."""
    given = settings()
    before = attrs.asdict(given)
    around, threads = _around(folder), set(threading.enumerate())
    began = time.perf_counter()
    with _no_network():
        first = create(given, services(folder))
    took_s = time.perf_counter() - began
    with _no_network():
        second = create(settings(), services(folder))
    require(first is not second, "create() gave one object twice; two tables need two")
    require(attrs.asdict(given) == before, "create() changed the settings it was given")
    changed = [what for what, value in _around(folder).items() if value != around[what]]
    started = [one.name for one in threading.enumerate() if one not in threads]
    require(not started, f"create() started the thread {started and started[0]}; do that when the object is first used")
    require(not changed, f"create() changed {', '.join(changed)}; do that when the object is first used")
    require(took_s < CREATE_WITHIN_S, f"create() took {took_s:.1f} s, allowed are {CREATE_WITHIN_S:g} s")


def _around(folder: Path) -> dict[str, object]:
    """What a factory could touch and must not."""
    return {
        "the files of the bot's folder": {str(path): path.stat().st_size for path in sorted(folder.rglob("*"))},
        "the environment": dict(os.environ),
        "the current folder": os.getcwd(),
        "the random module's state": random.getstate(),
    }


@contextmanager
def _no_network() -> Iterator[None]:
    """No connection can be opened meanwhile: a factory that tries fails with the reason."""
    real = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        raise BrokenPromise(f"create() connects to {address}; connect when the object is first used")

    socket.socket.connect = refuse  # type: ignore[method-assign,assignment]  # put back below
    try:
        yield
    finally:
        socket.socket.connect = real  # type: ignore[method-assign]  # as it was
