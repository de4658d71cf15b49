"""The figures of the recorder: taken through the real process, beside plain sqlite3."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot4_core.errors import ConfigError, StoreError
from bot4_core.journal import bench


def test_it_measures_both_figures_beside_their_baselines_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    rows = bench.run(singles=150, rounds=2, orders=1_100)
    with capsys.disabled():
        for row in rows:
            print(f"\n  {row['name']}: p50 {row['p50'] / 1e3:.1f} us, p99 {row['p99'] / 1e3:.1f} us", end="")
    base_one, one, base_many, many = rows
    assert (base_one["ratio"], base_many["ratio"]) == (1.0, 1.0)
    assert one["baseline"] == base_one["name"]
    assert one["ratio"] == pytest.approx(one["p50"] / base_one["p50"])
    assert many["ratio"] == pytest.approx(many["p50"] / base_many["p50"])
    assert many["p50"] < one["p50"]  # records in groups share a commit
    assert [row["n"] for row in rows] == [150, 150, 8_800, 8_800]
    assert list((tmp_path / "state").iterdir()) == []


def test_a_state_directory_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    with pytest.raises(ConfigError, match="state is no directory"):
        bench.run(singles=1, rounds=1, orders=1)


def test_a_recorder_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path))
    monkeypatch.setattr(bench, "_ANSWER_S", 0.0)
    with pytest.raises(StoreError, match="the recorder stored nothing"):
        bench.run(singles=1, rounds=1, orders=1)
    assert list(tmp_path.iterdir()) == []
