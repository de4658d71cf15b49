"""What bot4 doctor finds on the machine."""

from __future__ import annotations

import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bot4_core.cli import doctor_machine as machine
from bot4_core.cli.doctor_machine import Finding
from bot4_core.example import write_example

from .doctor_rig import Change, one, quick, state, told

__all__ = ["quick", "state"]  # fixtures


@pytest.mark.parametrize(
    ("version", "platform", "status"),
    [((3, 10), "linux", "bad"), ((3, 12), "linux", "ok"), ((3, 99), "linux", "warn"), ((3, 12), "darwin", "warn")],
)
def test_python(monkeypatch: Change, version: tuple[int, int], platform: str, status: str) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    assert one(machine.python()).status == status


def test_an_unknown_processor_is_a_warning(monkeypatch: Change) -> None:
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert one(machine.python()).status == "warn"


def test_the_native_library_counts(monkeypatch: Change) -> None:
    assert one(machine.native()).status == "ok"
    monkeypatch.setattr("bot4_core.native.counters.Counters.get", lambda self, index: 1)
    assert one(machine.native()).status == "bad"


@pytest.mark.parametrize(
    ("year_s", "kept", "status", "text"),
    [
        (0, True, "bad", "1970-01-01"),
        (machine._YEAR_2024_S - 1, True, "bad", "2023-12-31"),
        (machine._YEAR_2024_S, True, "ok", "kept by NTP"),
        (machine._YEAR_2024_S, False, "warn", "NTP does not keep it"),
        (machine._YEAR_2024_S, None, "ok", "cannot be read"),
    ],
)
def test_the_clock(monkeypatch: Change, year_s: int, kept: bool | None, status: str, text: str) -> None:
    monkeypatch.setattr(machine.time, "time", lambda: float(year_s))
    monkeypatch.setattr(machine, "_synchronised", lambda: kept)
    found = one(machine.clock())
    assert found.status == status
    assert text in found.message


def test_a_monotonic_clock_that_runs_backwards_is_bad(monkeypatch: Change) -> None:
    ticks = iter([10, 9])
    monkeypatch.setattr(machine.time, "monotonic_ns", lambda: next(ticks))
    assert one(machine.clock()).status == "bad"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what the kernel says is read on Linux only")
def test_what_the_kernel_says_about_ntp_can_be_read() -> None:
    assert machine._synchronised() in (True, False)


@pytest.mark.parametrize(("soft", "status"), [(64, "bad"), (256, "warn"), (1024, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_open_files(monkeypatch: Change, soft: int, status: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, 4096))
    assert one(machine.open_files()).status == status


@pytest.mark.parametrize(
    ("mode", "status"), [(0o700, "ok"), (0o750, "warn"), (0o705, "warn"), (0o770, "bad"), (0o702, "bad")]
)
def test_the_mode_of_the_state_directory(state: Path, mode: int, status: str) -> None:
    state.chmod(mode)
    found = {each.name: each for each in machine.state()}
    assert found["state directory"].status == status
    assert f"{mode:04o}" in found["state directory"].message


def test_a_state_directory_of_somebody_else_is_bad(monkeypatch: Change) -> None:
    monkeypatch.setattr(machine.os, "geteuid", lambda: 12_345)
    found = {each.name: each for each in machine.state()}
    assert (found["state directory"].status, "12345" in found["state directory"].message) == ("bad", True)


def test_a_state_directory_that_does_not_exist_is_made_by_the_first_run(state: Path) -> None:
    state.rmdir()
    found = {each.name: each for each in machine.state()}
    assert (found["state directory"].status, "writing" in found) == ("ok", False)
    assert not state.exists()


def test_a_state_directory_that_cannot_be_made_is_bad(state: Path, monkeypatch: Change) -> None:
    state.rmdir()
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    assert next(iter(machine.state())).status == "bad"


def test_a_file_in_the_place_of_the_state_directory_is_bad(quick: None, state: Path) -> None:
    state.rmdir()
    state.write_bytes(b"")
    found = told()
    assert found["state directory"] == [("bad", f"{state} is no directory: move it away, or set BOT4_STATE")]
    assert found["bots"][0][0] == "bad"


def test_a_directory_that_takes_no_file_is_bad(monkeypatch: Change) -> None:
    def full(**changes: object) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", full)
    found = {each.name: each for each in machine.state()}
    assert found["writing"].status == "bad"
    assert "No space left" in found["writing"].message


@pytest.mark.parametrize(("free", "status"), [(100 << 20, "bad"), (1 << 30, "warn"), (3 << 30, "ok")])
def test_free_disk(monkeypatch: Change, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 40, 0, free))
    assert {each.name: each for each in machine.state()}["disk"].status == status


@pytest.mark.parametrize(
    ("kind", "status"), [("nfs4", "bad"), ("cifs", "bad"), ("tmpfs", "warn"), ("ext4", "ok"), ("", "ok")]
)
def test_the_kind_of_file_system(monkeypatch: Change, kind: str, status: str) -> None:
    monkeypatch.setattr(machine, "file_system", lambda folder: kind)
    assert {each.name: each for each in machine.state()}["file system"].status == status


def test_the_file_system_is_the_one_of_the_deepest_and_last_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    deep = tmp_path / "a b"
    deep.mkdir()
    rows = [
        "1 0 8:1 / / rw - ext4 /dev/sda rw",
        f"2 1 0:9 / {str(deep).replace(' ', chr(92) + '040')} rw - xfs /dev/sdb rw",
        f"3 1 0:9 / {str(deep).replace(' ', chr(92) + '040')} rw shared:1 - nfs4 server:/x rw",
        f"4 1 0:9 / {deep}/deeper rw - tmpfs none rw",
        "rubbish",
    ]
    mounts.write_text("\n".join(rows), encoding="utf-8")
    assert machine.file_system(deep, mounts) == "nfs4"
    assert machine.file_system(tmp_path, mounts) == "ext4"
    assert machine.file_system(tmp_path, tmp_path / "none") == ""


def test_histories(tmp_path: Path, monkeypatch: Change) -> None:
    assert one(machine.histories()).status == "warn"  # named by the environment and not there
    catalogue = tmp_path / "histories"
    write_example(tmp_path / "bot", 7)
    catalogue.mkdir()
    for path in (tmp_path / "bot").glob("*.b4h"):
        path.rename(catalogue / path.name)
    assert one(machine.histories()) == Finding("histories", "ok", f"3 in {catalogue}")
    (catalogue / "bad.b4h").write_bytes(b"x")
    found = one(machine.histories())
    assert (found.status, "bad.b4h" in found.message) == ("bad", True)


def test_no_catalogue_is_fine_when_nobody_named_one(tmp_path: Path, monkeypatch: Change) -> None:
    monkeypatch.delenv("BOT4_HISTORY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert one(machine.histories()).status == "ok"
