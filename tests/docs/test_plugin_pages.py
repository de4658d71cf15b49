"""The how-tos for plugins work as written: in an empty folder, from the first file to a bot that uses the plugin."""

from __future__ import annotations

import sysconfig
import venv
from pathlib import Path

import pytest

from bot4_core.testing import ExchangeContract, RiskContract, SinkContract, StrategyContract
from bot4_core.testing.contracts.promise import promises

from .blocks import ROOT, blocks, run_session

PAGES = ROOT / "docs" / "plugins"
CONTRACTS = {
    "exchange": ExchangeContract,
    "risk": RiskContract,
    "strategy": StrategyContract,
    "sink": SinkContract,
}


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Programs of an environment of its own, which sees what is installed here and takes further installations."""
    home = tmp_path / "venv"
    venv.create(home, symlinks=True, with_pip=False)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (inside / "around.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    bot4 = home / "bin" / "bot4"
    bot4.write_text(f"#!{home}/bin/python\nimport sys\nfrom bot4_core.cli import main\nsys.exit(main())\n")
    bot4.chmod(0o755)
    return home / "bin"


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_page_leads_from_an_empty_folder_to_a_bot_that_uses_the_plugin(
    kind: str, desk: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # what the page needs is there
    told = ""
    for block in blocks(PAGES / f"{kind}.md"):
        if block.language == "console":
            told += block.text
            run_session(block, desk, fresh)
        else:
            assert block.file, f"line {block.line}: a block that is no session names its file in its first line"
            (desk / block.file).write_text(block.text + "\n", encoding="utf-8")
    steps = ("pip install", "plugins list", "plugins check", "pytest", "bot4 check", "bot4 backtest")
    assert [step for step in steps if step not in told] == []


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_page_states_each_promise_in_the_words_of_the_contract(kind: str) -> None:
    contract = CONTRACTS[kind]
    page, _, anchor = contract.page.partition("#")
    assert (ROOT / page) == PAGES / f"{kind}.md"
    text = (ROOT / page).read_text(encoding="utf-8")
    heading = f"## What {'an' if kind == 'exchange' else 'a'} {'risk policy' if kind == 'risk' else kind} promises"
    assert anchor == heading.removeprefix("## ").lower().replace(" ", "-")
    rows = [line.split(" | ") for line in text.partition(heading)[2].splitlines() if line.startswith("| `test_")]
    stated = {row[0].strip("| `"): row[1].strip(" |") for row in rows}
    assert stated == {name: words.replace("|", "\\|") for name, words in promises(contract).items()}
