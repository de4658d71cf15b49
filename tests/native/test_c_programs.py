"""The C programs: validation plain, under AddressSanitizer with UBSan, and under ThreadSanitizer; and the bench."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import bot4_core.native as native

from .conftest import BUILDS, WARNINGS

PROGRAMS = ("counters", "histogram", "latch", "segment", "spsc", "valuation")
HEADERS = sorted(p.name for p in Path(native.include_dir()).glob("*.h") if p.name not in ("gil.h", "bulk.h"))


@pytest.mark.parametrize("kind", BUILDS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_finds_nothing_wrong(build: Callable[[str, str], Path], program: str, kind: str) -> None:
    binary = build(program, kind)
    # Without a fixed layout, TSan of older compilers dies on kernels that randomise more address bits.
    command = ["setarch", "-R", str(binary)] if kind == "thread" else [str(binary)]
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=0"}

    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_bench_prints_every_case(build: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([build("bench", "plain")], capture_output=True, text=True, check=True)
    with capsys.disabled():
        print("\n" + done.stdout, end="")

    assert len(done.stdout.splitlines()) == 7


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_stands_alone_and_needs_no_source_for_its_inline_half(
    compiler: str, tmp_path: Path, header: str
) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{header}"\n#include "{header}"\nint main(void) {{ return 0; }}\n')
    command = [compiler, *WARNINGS, "-O2", f"-I{native.include_dir()}", str(source), "-o", str(tmp_path / "alone")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_platform_without_lock_free_64_bit_atomics_is_refused(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "refused.c"
    source.write_text('#undef __GCC_ATOMIC_LLONG_LOCK_FREE\n#include "event.h"\n')
    command = [compiler, "-std=gnu11", f"-I{native.include_dir()}", "-c", str(source), "-o", str(tmp_path / "x.o")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "always lock-free" in done.stderr
