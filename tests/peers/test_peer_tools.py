"""The tools around the peers: environments that heal, data that repeat, a comparison that refuses unequal work."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from .market import PEERS


def tool(name: str) -> ModuleType:
    """Import a script of bench/peers from its file: the bench is no package and is not on the path."""
    sys.path.insert(0, str(PEERS))
    try:
        spec = importlib.util.spec_from_file_location(f"bench_peers_{name}", PEERS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PEERS))
    return module


@pytest.fixture
def venvs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The environment builder with an installer that only makes the interpreter file, and counts its runs."""
    module = tool("venvs")
    monkeypatch.setenv("BOT4_PEERS_DIR", str(tmp_path))
    built: list[str] = []
    monkeypatch.setattr(module, "built", built, raising=False)

    def install(where: Path, python: Path, requirements: Path) -> None:
        assert not where.exists(), "the builder must start from nothing"
        python.parent.mkdir(parents=True)
        python.touch()
        built.append(requirements.name)

    monkeypatch.setattr(module, "_install", install)
    return module


def test_an_environment_is_built_once(venvs: ModuleType, tmp_path: Path) -> None:
    first = venvs.ensure("backtesting")
    assert venvs.ensure("backtesting") == first == tmp_path / "backtesting" / "bin" / "python"
    assert venvs.built == ["requirements-backtesting.txt"]


def test_an_interrupted_build_is_thrown_away_and_built_again(venvs: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "backtesting" / "lib").mkdir(parents=True)
    venvs.ensure("backtesting")
    assert not (tmp_path / "backtesting" / "lib").exists()
    assert len(venvs.built) == 1


def test_another_pin_or_a_lost_interpreter_builds_again(venvs: ModuleType, tmp_path: Path) -> None:
    python = venvs.ensure("backtesting")
    (tmp_path / "backtesting" / "ready").write_text("fingerprint of another pin")
    venvs.ensure("backtesting")
    python.unlink()
    venvs.ensure("backtesting")
    assert len(venvs.built) == 3


def test_a_failed_install_leaves_no_marker_and_says_why(
    venvs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(where: Path, python: Path, requirements: Path) -> None:
        where.mkdir()
        venvs._call([sys.executable, "-c", "import sys; sys.exit('no route to the index')"])

    monkeypatch.setattr(venvs, "_install", fails)
    with pytest.raises(venvs.PeerInstallError, match="no route to the index"):
        venvs.ensure("nautilus")
    assert not (tmp_path / "nautilus" / "ready").exists()


def test_an_unknown_peer_is_refused_with_the_known_ones(venvs: ModuleType) -> None:
    with pytest.raises(venvs.PeerInstallError, match="backtesting, nautilus"):
        venvs.ensure("nobody")


def test_the_bars_of_the_comparison_never_change() -> None:
    """The hash pins the data of every published ratio; a change of the generator is a change of the benchmark."""
    data = tool("cross_data")
    bars = data.make_bars(10_000)
    digest = hashlib.sha256(b"".join(bars[name].astype("<i8").tobytes() for name in sorted(bars))).hexdigest()
    assert digest == "532fbdad54e3ef99217c64a8e2997112cf2b510527273d8aa307c70735f2e618"
    assert (bars["low"] <= np.minimum(bars["open"], bars["close"])).all()
    assert (bars["high"] >= np.maximum(bars["open"], bars["close"])).all()
    assert (bars["open"][1:] == bars["close"][:-1]).all(), "fills at the close and at the next open must cost the same"


def test_a_million_bars_bring_the_promised_number_of_orders() -> None:
    data = tool("cross_data")
    assert 6_000 <= data.expected_orders(data.make_bars()["close"]) <= 8_000


def test_orders_are_counted_as_the_strategy_sends_them() -> None:
    data = tool("cross_data")
    up_down = np.array([5, 5, 5, 9, 9, 9, 1, 1, 1, 1, 1], dtype=np.int64)
    assert data.expected_orders(up_down, fast=1, slow=3) == 3, "one entry, then one turn of two orders"


ANSWER: dict[str, Any] = {"bars": 10, "orders": 3, "fills": 3, "final_equity": "12.50"}


def test_equal_work_is_accepted_even_when_the_numbers_are_written_differently() -> None:
    tool("compare").check_same_work(ANSWER, {**ANSWER, "final_equity": "12.5"}, 3)


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"bars": 9}, "bars"), ({"orders": 2}, "orders"), ({"fills": 2}, "fills"), ({"final_equity": "12.51"}, "equity")],
)
def test_unequal_work_is_refused_by_name(changed: dict[str, Any], named: str) -> None:
    compare = tool("compare")
    with pytest.raises(compare.ComparisonError, match=named):
        compare.check_same_work({**ANSWER, **changed}, ANSWER, 3)


def test_an_engine_that_dies_is_reported_with_its_last_words() -> None:
    compare = tool("compare")
    with pytest.raises(compare.ComparisonError, match="no such bar"):
        compare.run_once("bot4", [sys.executable, "-c", "raise SystemExit('no such bar')"])
