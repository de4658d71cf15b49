"""Prints what the parity tests compared at the end of the run, passed or not."""

from __future__ import annotations

import pytest

LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def parity_lines(pytestconfig: pytest.Config) -> list[str]:
    """The lines shown under "parity with backtesting.py" after the run."""
    return pytestconfig.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("parity with backtesting.py")
        for line in lines:
            terminalreporter.write_line(line)
