"""What ``bot4 init`` writes takes the place of nothing, and ``bot4 demo`` shows a gate that is asked for too much."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot4_core.cli import main
from bot4_core.errors import ConfigError
from bot4_core.example import write_example


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    folder, outside = tmp_path / "bot", tmp_path / "outside.py"
    folder.mkdir()
    (folder / "trend.py").symlink_to(outside)
    with pytest.raises(ConfigError, match=r"trend\.py would be overwritten"):
        write_example(folder, 7)
    assert not outside.exists()
    assert [path.name for path in folder.iterdir()] == ["trend.py"]


def test_the_demo_shows_several_rules_of_the_gate_and_trades_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    result = CliRunner().invoke(main, ["demo", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {"position", "open_orders_per_symbol", "order_rate"} <= set(found["denied"])
    assert found["reason"] == "finished"
    assert found["trades"] > 100
