"""The built distributions: what is inside, and that they run in a clean environment and an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
#: The core's own plugins: they come and go with it.
OWN = ["sink-metrics"]
#: Everything a checkout gathers that is not the project.
_NOT_OURS = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "*.so", "*.o", "_native.c", "_kernel.c", "node_modules"
)


def run(*command: object, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that must succeed, without this checkout on its path."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | changes
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources as a clone has them: no built files."""
    copy = tmp_path_factory.mktemp("clone") / "bot4"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=_NOT_OURS)
    return copy


@pytest.fixture(scope="module")
def dist(checkout: Path) -> Path:
    """Source distributions of everything, and the wheels built from those."""
    out = checkout.parent / "dist"
    for project in (checkout, *(checkout / "plugins" / name for name in PLUGINS)):
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, project, cwd=checkout.parent)
    return out


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that holds the wheels and what they need, nothing else."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    constraints = ROOT / "constraints.txt"
    pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "-c", constraints, *sorted(dist.glob("*.whl")), cwd=venv.parent)
    run(*pip, "check", cwd=venv.parent)
    return venv / "bin"


def _wheel(dist: Path, name: str) -> tuple[str, list[str]]:
    (path,) = dist.glob(f"{name}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        return path.name, wheel.namelist()


def test_the_core_wheel_is_one_binary_for_all_pythons_with_headers_and_migrations(dist: Path) -> None:
    name, files = _wheel(dist, "bot4_core")
    assert "-cp311-abi3-" in name
    for wanted in (
        "bot4_core/py.typed",
        "bot4_core/native/_native.abi3.so",
        "bot4_core/native/src/event.h",
        "bot4_core/_migrations/env.py",
        "bot4_core/_migrations/script.py.mako",
    ):
        assert wanted in files
    assert any(file.startswith("bot4_core/_migrations/versions/") for file in files)


@pytest.mark.parametrize("name", ["bot4_core", *(f"bot4_{plugin}" for plugin in PLUGINS)])
def test_a_wheel_holds_its_own_package_and_no_sources_in_c(dist: Path, name: str) -> None:
    _, files = _wheel(dist, name)
    tops = {file.split("/")[0] for file in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {name}
    assert not [file for file in files if file.endswith((".c", ".o")) or "/tests/" in file]
    assert f"{name}/py.typed" in files


def test_the_source_distribution_of_the_simulator_carries_the_shared_headers(dist: Path) -> None:
    (path,) = dist.glob("bot4_exchange_sim-*.tar.gz")
    with tarfile.open(path) as archive:
        headers = [one for one in archive.getmembers() if one.name.endswith("/event.h")]
        assert headers
        # a symlink out of the archive would leave a header that is not there
        assert all(one.isfile() and one.size for one in headers)


def test_every_verb_explains_itself_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "bot4", "--help", cwd=tmp_path).stdout.partition("Verbs:")[2]
    verbs = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
    assert {"demo", "init", "check", "backtest", "report", "runs", "plugins", "data", "db"} <= set(verbs)
    for verb in verbs:
        assert "Usage:" in run(installed / "bot4", verb, "--help", cwd=tmp_path).stdout


def test_the_plugins_of_the_wheels_work(installed: Path, tmp_path: Path) -> None:
    done = run(installed / "bot4", "plugins", "list", "--check", "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)["plugins"]
    names = [*OWN, *(name.replace("_", "-") for name in PLUGINS)]
    assert {row["name"]: row["status"] for row in rows} == dict.fromkeys(names, "ok"), rows


def test_the_journal_is_migrated_up_and_down_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    up = json.loads(run(installed / "bot4", "db", "upgrade", "--url", url, "--json", cwd=tmp_path).stdout)
    assert up["revision"]
    run(installed / "bot4", "db", "downgrade", "--to", "base", "--yes", "--url", url, cwd=tmp_path)
    current = json.loads(run(installed / "bot4", "db", "current", "--url", url, "--json", cwd=tmp_path).stdout)
    assert current["revision"] != up["revision"]


def test_a_first_bot_is_written_checked_and_run_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path / "home")}
    work = tmp_path / "work"
    work.mkdir()
    run(installed / "bot4", "init", "first", cwd=work, **state)
    run(installed / "bot4", "check", "first/bot.toml", cwd=work, **state)
    done = run(installed / "bot4", "backtest", "first/bot.toml", "--json", cwd=work, **state)
    result = json.loads(done.stdout)
    assert result["trades"] > 0
    assert result["result_hash"]
    demo = json.loads(run(installed / "bot4", "demo", "--json", cwd=work, **state).stdout)
    assert demo["result_hash"] == result["result_hash"]
    assert [path.name for path in work.iterdir()] == ["first"]


@pytest.mark.parametrize("name", PLUGINS)
def test_without_any_one_plugin_the_core_lists_the_others_and_explains(
    installed: Path, dist: Path, tmp_path: Path, name: str
) -> None:
    """Takes one away and puts it back; the same files are the same pin."""
    plugin = name.replace("_", "-")
    pip = (installed / "python", "-m", "pip", "--disable-pip-version-check")
    run(installed / "bot4", "init", "first", cwd=tmp_path)
    config = tmp_path / "first" / "bot.toml"
    if f'"{plugin}"' not in config.read_text():
        config.write_text(config.read_text().replace("plugins = [", f'plugins = ["{plugin}", ', 1))
    before = json.loads(run(installed / "bot4", "plugins", "show", plugin, "--json", cwd=tmp_path).stdout)
    run(*pip, "uninstall", "--quiet", "--yes", f"bot4-{plugin}", cwd=tmp_path)
    try:
        left = sorted([*OWN, *(other.replace("_", "-") for other in PLUGINS if other != name)])
        checked = json.loads(run(installed / "bot4", "plugins", "check", "--json", cwd=tmp_path).stdout)["plugins"]
        assert [(row["name"], row["status"]) for row in checked] == [(other, "ok") for other in left]
        explained = {
            f"plugin {plugin!r} is not installed; installed: {', '.join(left)}": ["check", "first/bot.toml"],
            f"no plugin {plugin!r} is installed; installed: {', '.join(left)}": ["plugins", "show", plugin],
        }
        for message, command in explained.items():
            refused = subprocess.run(
                [str(installed / "bot4"), *command], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert refused.returncode == 2
            assert message in refused.stderr
            assert "Traceback" not in refused.stderr
    finally:
        run(*pip, "install", "--quiet", "--no-deps", *dist.glob(f"bot4_{name}-*.whl"), cwd=tmp_path)
    after = json.loads(run(installed / "bot4", "plugins", "show", plugin, "--json", cwd=tmp_path).stdout)
    assert after == before
    assert len(after["sha256"]) == 64


def test_without_its_plugins_the_core_still_lists_and_explains(installed: Path, dist: Path, tmp_path: Path) -> None:
    """The unplug test, last in this file because it changes the environment."""
    run(installed / "bot4", "init", "first", cwd=tmp_path)
    pip = (installed / "python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "uninstall", "--quiet", "--yes", *(f"bot4-{name.replace('_', '-')}" for name in PLUGINS), cwd=tmp_path)
    try:
        listed = run(installed / "bot4", "plugins", "list", "--json", cwd=tmp_path)
        assert [row["name"] for row in json.loads(listed.stdout)["plugins"]] == OWN
        refused = subprocess.run(
            [str(installed / "bot4"), "check", "first/bot.toml"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 2
        assert f"plugin 'exchange-sim' is not installed; installed: {', '.join(OWN)}" in refused.stderr
        assert "Traceback" not in refused.stderr
    finally:
        run(*pip, "install", "--quiet", "--no-deps", *sorted(dist.glob("*.whl")), cwd=tmp_path)
