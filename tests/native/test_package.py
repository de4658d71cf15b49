"""The package's page names every face of the library."""

from __future__ import annotations

import re
from pathlib import Path

from bot4_core import native

#: what the faces share; no structure of its own
_INNER = {"build_native", "memory", "status"}


def test_the_table_names_every_module() -> None:
    folder = Path(str(native.__file__)).parent
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")} - _INNER
    assert set(re.findall(r":mod:`\.(\w+)`", str(native.__doc__))) == modules
