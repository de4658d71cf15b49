"""The catalogue: a directory of history files that are found by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import platformdirs
from attrs import frozen

from ..errors import HistoryError
from .file import SUFFIX, History

ENVIRONMENT = "BOT4_HISTORY"
#: Files listed at most; a directory with more is no catalogue.
MAX_FILES = 10_000


def default_directory() -> Path:
    """``$BOT4_HISTORY``, else ``history`` in the user's data directory of bot4."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else Path(platformdirs.user_data_dir("bot4", appauthor=False)) / "history"


@frozen
class Damaged:
    """A file of the catalogue that cannot be opened, and why."""

    path: Path
    reason: str


@frozen
class Catalogue:
    """A directory of histories.

    Args:
        directory: where the files lie; it need not exist.
    """

    directory: Path

    @classmethod
    def open(cls, directory: Path | None = None) -> Catalogue:
        """The catalogue of a directory, or the default one."""
        return cls(default_directory() if directory is None else directory)

    def entries(self) -> tuple[History | Damaged, ...]:
        """All files by name, opened without reading their records; what is damaged says why.

        Raises:
            HistoryError: when the directory cannot be read, or holds more than 10,000 files.
        """
        try:
            paths = sorted(self.directory.glob(f"*{SUFFIX}")) if self.directory.exists() else []
        except OSError as error:
            raise HistoryError(f"{self.directory}: cannot be read: {error.strerror}") from error
        if len(paths) > MAX_FILES:
            raise HistoryError(f"{self.directory}: holds {len(paths)} histories, more than {MAX_FILES}")
        return tuple(_entry(path) for path in paths)

    def path_of(self, name: str) -> Path:
        """The file of a name, written with or without ``.b4h``; it need not exist."""
        return self.directory / (name if name.endswith(SUFFIX) else name + SUFFIX)

    def resolve(self, name: str, base: Path) -> Path:
        """The file that a config or an argument means (DECISIONS.md D-9).

        Args:
            name: a path, relative to ``base`` or absolute; or a name in the catalogue, with or without ``.b4h``.
            base: directory of the TOML, or the working directory.

        Raises:
            HistoryError: when neither exists; the message says where it was looked for and what resembles it.
        """
        beside = base / name
        candidates = [beside, beside.with_name(beside.name + SUFFIX)] if beside.name else []
        if name == Path(name).name:
            candidates.append(self.path_of(name))
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        known = ", ".join(sorted(path.stem for path in self.directory.glob(f"*{SUFFIX}"))[:8]) or "nothing"
        raise HistoryError(
            f"history {name!r} is neither a file at {beside} nor a name in {self.directory}, which holds {known}; "
            "see `bot4 data list`, make one with `bot4 data import` or `bot4 data synth`"
        )


def gaps_of(history: History) -> tuple[int, int]:
    """Number of gaps and of missing bars; the records are only read when the header says that bars are missing."""
    if not history.interval_ns:
        return 0, 0
    missing = (history.last_ts - history.first_ts) // history.interval_ns + 1 - history.rows
    if missing <= 0:
        return 0, 0
    return int((np.diff(history.events["ts"]) > history.interval_ns).sum()), missing


def _entry(path: Path) -> History | Damaged:
    try:
        return History.open(path, verify=False)
    except HistoryError as error:
        return Damaged(path, str(error))
