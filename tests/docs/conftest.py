"""A state directory and a catalogue of their own for every page that is run."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with nothing of this user's within reach."""
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BOT4_HISTORY", str(tmp_path / "histories"))
    monkeypatch.delenv("BOT4_DISABLE_PLUGINS", raising=False)
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder
