"""Builds the C programs of tests/native/c against the core's sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import bot4_core.native as native

HERE = Path(__file__).parent
#: The checkout's sources; an installed wheel has the headers only.
SOURCES = HERE.parents[1] / "bot4_core" / "native" / "src"
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
BUILDS = {
    "plain": ["-O3", "-fvisibility=hidden"],
    "address": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    # TSan does not model fences; the only structure that uses one keeps its words atomic (MEMORY.md).
    "thread": ["-O1", "-g", "-fsanitize=thread", "-Wno-tsan"],
}


@pytest.fixture(scope="session")
def compiler() -> str:
    found = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if found is None or not SOURCES.joinpath("spsc.c").exists():
        pytest.skip("needs a C compiler and the core's .c files (a checkout)")
    return found


@pytest.fixture(scope="session")
def build(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Compiles one program with one set of flags; the core's sources go in with the same flags."""
    out = tmp_path_factory.mktemp("c")

    def run(program: str, kind: str) -> Path:
        target = out / f"{program}-{kind}"
        command = [compiler, *WARNINGS, *BUILDS[kind], f"-I{native.include_dir()}", f"-I{HERE / 'c'}"]
        command += [str(HERE / "c" / f"{program}.c"), *map(str, sorted(SOURCES.glob("*.c")))]
        done = subprocess.run([*command, "-pthread", "-o", str(target)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return target

    return run
