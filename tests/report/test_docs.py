"""docs/report.md names every column and every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot4_core.report.as_json import to_json
from bot4_core.report.model import build
from bot4_core.report.trades import COLUMNS

from .builder import Script

MANUAL = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*COLUMNS, *to_json(build(Script().record()))])
def test_the_manual_names_it(name: str) -> None:
    assert f"`{name}`" in MANUAL
