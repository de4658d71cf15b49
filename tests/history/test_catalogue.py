"""The catalogue: files found by path first, by name second, and damaged ones shown for what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot4_core.domain.instrument import Instrument
from bot4_core.errors import HistoryError
from bot4_core.history.catalogue import Catalogue, Damaged, default_directory, gaps_of
from bot4_core.history.file import History, write_history

MINUTE_NS = 60_000_000_000


@pytest.fixture
def home(tmp_path: Path, btc: Instrument, bars: np.ndarray) -> Catalogue:
    catalogue = Catalogue(tmp_path / "home")
    for name, kept in (("whole", [0, 1, 2, 3, 4]), ("holes", [0, 2, 4])):
        write_history(catalogue.path_of(name), btc, bars[kept], interval_ns=MINUTE_NS, source="x", roundings=0)
    return catalogue


def test_entries_are_sorted_and_damage_is_told(home: Catalogue) -> None:
    home.path_of("bad").write_bytes(b"B4HIST\0\1")
    (home.directory / "notes.txt").write_text("no history")
    bad, holes, whole = home.entries()
    assert isinstance(bad, Damaged)
    assert "is cut" in bad.reason
    assert isinstance(holes, History)
    assert isinstance(whole, History)
    assert (gaps_of(holes), gaps_of(whole)) == ((2, 2), (0, 0))


def test_a_missing_directory_is_empty(tmp_path: Path) -> None:
    assert Catalogue(tmp_path / "none").entries() == ()


def test_a_path_is_looked_for_before_a_name(home: Catalogue, tmp_path: Path) -> None:
    base = tmp_path / "bot"
    base.mkdir()
    assert home.resolve("whole", base) == home.path_of("whole")
    assert home.resolve("whole.b4h", base) == home.path_of("whole")
    beside = base / "whole.b4h"
    beside.write_bytes(b"")
    assert home.resolve("whole", base) == beside
    assert home.resolve("whole.b4h", base) == beside
    assert home.resolve("../home/holes.b4h", base) == base / "../home/holes.b4h"
    assert home.resolve(str(home.path_of("holes")), base) == home.path_of("holes")


@pytest.mark.parametrize("name", ["nothing", "../home/nothing", "", ".", "home/whole"])
def test_what_is_nowhere_is_refused_with_what_there_is(home: Catalogue, tmp_path: Path, name: str) -> None:
    with pytest.raises(HistoryError, match=r"is neither a file at .* which holds holes, whole; see `bot4 data list`"):
        home.resolve(name, tmp_path / "bot")


def test_the_environment_moves_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOT4_HISTORY", str(tmp_path))
    assert Catalogue.open().directory == tmp_path
    monkeypatch.delenv("BOT4_HISTORY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_directory().name == "history"
    assert Catalogue.open(tmp_path / "x").directory == tmp_path / "x"
