"""Writing a file so that a reader sees the old one or the whole new one, never a part."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError
from ..replacing import not_replaceable


def write_text(path: Path, parts: Iterable[str]) -> None:
    """Writes UTF-8 text beside the target, flushes it to disk and moves it into place.

    A symbolic link is followed. What exists and is no regular file (a device, a pipe) is refused and left alone:
    moving a file onto it would destroy it, for root even ``/dev/null``.

    Args:
        path: the file to make or replace; its directory must exist.
        parts: pieces of the text, line ends as they are.

    Raises:
        ConfigError: the path cannot be written; nothing is left behind.
    """
    path, handle, temporary = _beside(path)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as out:
            out.writelines(parts)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise ConfigError(_refusal(path, error)) from error
        raise


def require_writable(path: Path) -> None:
    """Finds out now whether :func:`write_text` could write here, before work is done whose result would be lost.

    Raises:
        ConfigError: it could not.
    """
    _, handle, temporary = _beside(path)
    os.close(handle)
    os.unlink(temporary)


def _beside(path: Path) -> tuple[Path, int, str]:
    """The file that is meant, links followed, and an open temporary file beside it: descriptor and name."""
    if reason := not_replaceable(path):
        raise ConfigError(f"cannot write {path}: {reason}; choose another path")
    path = Path(os.path.realpath(path))
    try:
        return path, *tempfile.mkstemp(prefix=f".{path.name[:80]}.", dir=path.parent)
    except OSError as error:
        raise ConfigError(_refusal(path, error)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refusal(path: Path, error: OSError) -> str:
    reason = "its directory does not exist" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
    return f"cannot write {path}: {reason}; choose another path"
