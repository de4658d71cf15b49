"""What a new file may take the place of: asked by every writer that moves a finished file onto its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def not_replaceable(path: str | os.PathLike[str]) -> str:
    """Why nothing may be moved onto this path, empty when it may.

    A rename onto a device or a pipe destroys it, for root even ``/dev/null``. A symbolic link counts as what it leads
    to. A path that cannot be looked at is left to the write itself, which fails with the reason.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISDIR(mode):
        return "it is a directory"
    return "" if stat.S_ISREG(mode) else "it is no regular file"
