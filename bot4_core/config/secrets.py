"""Where the settings of type :class:`~bot4_core.domain.secret.Secret` come from.

A config names the place and not the secret: ``{ env = "X" }``, ``{ file = "/run/credentials/x" }`` or
``{ keyring = "service/user" }``. Text in its place is taken too, for backtests and paper; live trading refuses it.
No message here holds any of a secret's text.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from ..domain.secret import MAX_SECRET_BYTES, Secret
from ..errors import DomainError, nearest, one_line
from .lines import Place
from .model import Part, Plan

#: The ways a config may name a secret.
SOURCES = ("env", "file", "keyring")

_HOW = 'as { env = "NAME" }, { file = "PATH" } or { keyring = "SERVICE/USER" }'
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_MODES_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class NotFound(Exception):
    """A secret that cannot be had; the message says why and what to do, and where in the value it stands."""

    def __init__(self, message: str, *at: str) -> None:
        self.at = at
        super().__init__(message)


@frozen
class SecretReader:
    """Reads the secrets that one config names.

    Args:
        base_dir: the folder that relative paths start from.
        environment: variables; this process's by default.
    """

    base_dir: Path
    environment: Mapping[str, str] = field(factory=lambda: os.environ)

    def read(self, value: object) -> Secret:
        """The secret that a value of the config stands for.

        Raises:
            NotFound: it is of no such form, or the secret cannot be had or is not safe where it is.
        """
        if isinstance(value, str):
            return _made(value, None)
        if not isinstance(value, Mapping):
            raise NotFound(f"must name a secret, {_HOW}")
        for key in value:
            if key not in SOURCES:
                raise NotFound(f"unknown key; allowed: {', '.join(SOURCES)}{nearest(key, SOURCES)}", key)
        if len(value) != 1:
            raise NotFound(f"must name one source of the secret, {_HOW}")
        ((source, name),) = value.items()
        if not isinstance(name, str) or not name or len(name) > 4_096:
            raise NotFound("must be text in quotes", source)
        readers: dict[str, Callable[[str], Secret]] = {
            "env": self._from_environment, "file": self._from_file, "keyring": _from_keyring,
        }  # fmt: skip
        return readers[source](name)

    def _from_environment(self, name: str) -> Secret:
        if not _VARIABLE.fullmatch(name):
            raise NotFound("must be the name of an environment variable, as KRAKEN_KEY", "env")
        value = self.environment.get(name)
        if value is None:
            raise NotFound(f"the environment variable {name} is not set", "env")
        return _made(value, f"environment variable {name}")

    def _from_file(self, name: str) -> Secret:
        where = f"the file {one_line(name)!r}"
        try:
            with open(self.base_dir / name, "rb", opener=_open_at_once) as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise NotFound(f"{where} is no regular file", "file")
                if status.st_uid != os.geteuid():
                    raise NotFound(f"{where} belongs to another user", "file")
                if status.st_mode & _MODES_OF_OTHERS:
                    mode = stat.S_IMODE(status.st_mode)
                    raise NotFound(f"{where} has mode {mode:04o}, so others can reach it: chmod 600", "file")
                data = stream.read(MAX_SECRET_BYTES + 3)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotFound(f"{where} cannot be read: {reason}", "file") from error
        try:
            text = data.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise NotFound(f"{where} is not UTF-8 text", "file") from None  # the error holds the file's bytes
        return _made(text, f"file {one_line(name)}")


def _open_at_once(path: str, flags: int) -> int:
    # a named pipe without a writer must be refused, not waited for
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _from_keyring(name: str) -> Secret:
    service, slash, user = name.rpartition("/")
    if not slash or not service or not user:
        raise NotFound("must read SERVICE/USER, as kraken/main", "keyring")
    try:
        import keyring
    except ImportError as error:
        raise NotFound("needs the package keyring: pip install 'bot4-core[keyring]'", "keyring") from error
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # a backend of a stranger's may raise anything
        raise NotFound(f"the keyring does not answer: {type(error).__name__}: {one_line(error)}", "keyring") from error
    where = f"keyring entry {one_line(name)}"
    if value is None:
        raise NotFound(f"the keyring has no entry for service {service!r} and user {user!r}", "keyring")
    return _made(value, where)


def _made(value: str, origin: str | None) -> Secret:
    if not value.strip():
        raise NotFound(f"the {origin} is empty" if origin else "is empty")
    if "\0" in value:
        raise NotFound(f"the {origin} holds a NUL" if origin else "holds a NUL")
    try:
        return Secret(value) if origin is None else Secret(value, origin)
    except DomainError as error:
        raise NotFound(f"the {origin} {error}" if origin else str(error)) from error


def secrets_in(value: object, at: Place = ()) -> Iterator[tuple[Place, Secret]]:
    """Every secret in the settings of one table, with its place as the config would name it."""
    cls: type[Any] = type(value)
    if isinstance(value, Secret):
        yield at, value
    elif attrs.has(cls):
        for one in attrs.fields(cls):
            if one.init:
                yield from secrets_in(getattr(value, one.name, None), (*at, one.alias or one.name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, (*at, str(key)))
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from secrets_in(item, (*at, position))


def secrets_of(plan: Plan) -> list[tuple[Place, Secret]]:
    """Every secret of a bot's plugins, with its place in the config."""
    parts: tuple[Part[Any], ...] = (
        *plan.exchanges.values(), *plan.risk, *plan.strategies.values(), *plan.sinks,
    )  # fmt: skip
    return [found for part in parts for found in secrets_in(part.settings, part.table.at)]
