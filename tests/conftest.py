"""Where the shared market data lie, and a word at the end about what was skipped for want of it."""

from __future__ import annotations

import os
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

VARIABLE = "BOT4_TEST_DATA"
_REPOSITORY = Path(__file__).resolve().parents[1]


def _directory() -> Path:
    named = os.environ.get(VARIABLE)
    return Path(named) if named else _REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of recordings and candles that is never committed; skips the test where it is absent."""
    directory = _directory()
    if not (directory / "candles").is_dir():
        pytest.skip(f"no shared market data at {directory}; set {VARIABLE}")
    return directory


@pytest.fixture(autouse=True)
def _no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process hides its secrets for good; a test's word for one must not vanish from the next test's output."""
    if find_spec("bot4_core") is None:  # the tests of the wheels keep it out of their own process
        return
    redaction = import_module("bot4_core.domain.redaction")
    monkeypatch.setattr(redaction, "_PROCESS", redaction.Redactor())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests were skipped, by reason; silence means that none was."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[text.removeprefix("Skipped: ")] += 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
