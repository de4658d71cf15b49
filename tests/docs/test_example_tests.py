"""The examples' own tests pass, each run as its author would: beside its sources, with nothing of this suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .blocks import ROOT

EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/tests"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_tests_of_an_example_pass(example: Path, tmp_path: Path) -> None:
    sources = example / "src" if (example / "src").is_dir() else example
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, example / "tests"]
    done = subprocess.run(
        [str(part) for part in command],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(sources), "BOT4_STATE": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_every_example_of_a_plugin_has_tests() -> None:
    plugins = {path.parent.name for path in ROOT.glob("examples/*/pyproject.toml")}
    assert plugins
    assert plugins <= {path.name for path in EXAMPLES}
