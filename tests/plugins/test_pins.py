"""Pinned plugins: version and files are compared before anything of the plugin is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import py_compile
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core import plugins
from bot4_core.cli import main
from bot4_core.errors import DomainError, PluginChanged, PluginLoadError
from bot4_core.plugins import Pin
from bot4_core.plugins.files import digest

from .conftest import MakePlugin, good

NAME = "exchange-made"
OTHER = "0" * 64


def entry() -> EntryPoint:
    (found,) = plugins.entries_by_name()[NAME]
    return found


@pytest.fixture
def module(make_plugin: MakePlugin) -> str:
    return make_plugin(NAME, good("made"))


def loads(pin: Pin) -> bool:
    """Whether the plugin is accepted; a refusal must have imported nothing."""
    before = set(sys.modules)
    try:
        return plugins.load([pin]).names("exchange")[:1] == ("made",)
    except PluginChanged as error:
        assert error.exit_code == 5
        assert not {name for name in set(sys.modules) - before if name.startswith("made")}
        return False


def test_what_is_pinned_as_installed_is_loaded(module: str) -> None:
    assert loads(Pin(NAME, "1.0", digest(entry())))


@pytest.mark.parametrize("pin", [Pin(NAME, version="1.1"), Pin(NAME, sha256=OTHER), Pin(NAME, "1.0", OTHER)])
def test_another_version_or_digest_is_refused_before_the_import(module: str, pin: Pin) -> None:
    assert not loads(pin)
    assert module not in sys.modules


def test_the_refusal_says_what_was_expected_what_was_found_and_how_to_pin_anew(module: str) -> None:
    with pytest.raises(PluginChanged) as caught:
        plugins.load([Pin(NAME, sha256=OTHER)])
    text = str(caught.value)
    assert OTHER in text
    assert digest(entry()) in text
    assert f"`bot4 plugins show {NAME}` prints the line" in text
    with pytest.raises(PluginChanged, match=r"pinned to version 2\.0, installed is 1\.0; if the change is meant"):
        plugins.load([Pin(NAME, version="2.0")])


def test_a_plugin_named_twice_must_fit_both_entries(module: str) -> None:
    assert plugins.load([NAME, Pin(NAME, "1.0")]).names("exchange")[0] == "made"
    with pytest.raises(PluginChanged):
        plugins.load([NAME, Pin(NAME, "1.1")])


def test_one_changed_byte_changes_the_digest(module: str, site: Path) -> None:
    before = digest(entry())
    path = site / f"{module}.py"
    path.write_bytes(path.read_bytes().replace(b"depth: int = 1", b"depth: int = 2"))
    assert digest(entry()) != before


@pytest.mark.parametrize("name", ["METADATA", "entry_points.txt"])
def test_changed_metadata_changes_the_digest(module: str, site: Path, name: str) -> None:
    before = digest(entry())
    with open(site / "bot4_exchange_made-1.0.dist-info" / name, "a") as stream:
        stream.write("\n")
    assert digest(entry()) != before


def test_a_file_of_the_release_that_is_gone_cannot_be_pinned(module: str, site: Path) -> None:
    (site / f"{module}.py").unlink()
    with pytest.raises(PluginLoadError, match=rf"{module}\.py cannot be read: No such file.*; reinstall it"):
        plugins.load([Pin(NAME, sha256=OTHER)])


def test_what_differs_between_two_installations_does_not_count(module: str, site: Path) -> None:
    before = digest(entry())
    info = site / "bot4_exchange_made-1.0.dist-info"
    (info / "INSTALLER").write_text("another\n")
    (info / "direct_url.json").write_text("{}")
    (info / "REQUESTED").touch()
    cached = py_compile.compile(str(site / f"{module}.py"))
    assert cached
    names = [cached and os.path.relpath(cached, site), f"{info.name}/direct_url.json", f"{info.name}/REQUESTED"]
    with open(info / "RECORD", "a") as stream:
        stream.write("".join(f"{name},,\n" for name in names))
    assert digest(entry()) == before


def test_bytecode_that_is_believed_whatever_its_source_says_counts(module: str, site: Path) -> None:
    # a release could bring it along, and it would run in place of the source that was looked at
    before = digest(entry())
    source = site / f"{module}.py"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    cached = py_compile.compile(str(source), invalidation_mode=unchecked)
    assert cached == importlib.util.cache_from_source(str(source))
    with open(site / "bot4_exchange_made-1.0.dist-info" / "RECORD", "a") as stream:
        stream.write(f"{os.path.relpath(cached, site)},,\n")
    assert digest(entry()) != before


@pytest.fixture
def package(make_plugin: MakePlugin, site: Path) -> Path:
    """An editable install: the metadata name no source, the package lies elsewhere on the import path."""
    name = make_plugin(NAME, "")
    (site / f"{name}.py").unlink()
    record = site / "bot4_exchange_made-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace(f"{name}.py,,\n", ""))
    folder = site / name
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text(good("made"))
    (folder / "deep" / "wire.py").write_text("x = 1\n")
    return folder


def test_the_sources_of_an_editable_install_count_without_being_imported(package: Path) -> None:
    before = digest(entry())
    assert package.name not in sys.modules
    (package / "deep" / "wire.py").write_text("x = 2\n")
    changed = digest(entry())
    assert changed != before
    assert loads(Pin(NAME, sha256=changed))


def test_a_file_that_was_added_beside_the_sources_counts(package: Path) -> None:
    before = digest(entry())
    (package / "deep" / "wire.abi3.so").write_bytes(b"would be imported in place of wire.py")
    assert digest(entry()) != before


def test_two_files_that_swap_their_contents_change_the_digest(package: Path) -> None:
    (package / "a.py").write_text("1")
    (package / "b.py").write_text("2")
    before = digest(entry())
    (package / "a.py").write_text("2")
    (package / "b.py").write_text("1")
    assert digest(entry()) != before


def test_a_package_in_a_namespace_is_found_without_importing_it(make_plugin: MakePlugin, site: Path) -> None:
    make_plugin(NAME, "")
    inner = site / "made_space" / "inner"
    inner.mkdir(parents=True)
    (inner / "__init__.py").write_text("raise RuntimeError('imported')")
    (site / "bot4_exchange_made-1.0.dist-info" / "entry_points.txt").write_text(f"[bot4]\n{NAME} = made_space.inner\n")
    before = digest(entry())
    (inner / "__init__.py").write_text("raise RuntimeError('imported again')")
    assert digest(entry()) != before


def test_a_pipe_among_the_files_is_refused_and_not_waited_for(package: Path) -> None:
    os.mkfifo(package / "pipe")
    with pytest.raises(PluginLoadError, match="not a regular file"):
        digest(entry())


def test_a_folder_with_too_many_files_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot4_core.plugins.files.MAX_FILES", 3)
    with pytest.raises(PluginLoadError, match="more than 3 files"):
        digest(entry())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"sha256": "abc"}, "'abc' must be 64 of 0-9 a-f"),
        ({"sha256": "A" * 64}, "must be 64 of 0-9 a-f"),
        ({"version": ""}, "'' is no version"),
        ({"version": "1 0"}, "'1 0' is no version"),
    ],
)
def test_a_pin_that_can_never_fit_is_refused(arguments: dict[str, str], reason: str) -> None:
    with pytest.raises(DomainError, match=reason):
        Pin(NAME, **arguments)


def test_a_pin_is_written_as_a_config_reads_it() -> None:
    assert Pin(NAME, "1.0", OTHER).as_toml() == f'{{ name = "{NAME}", version = "1.0", sha256 = "{OTHER}" }}'
    assert Pin(NAME).as_toml() == f'{{ name = "{NAME}" }}'


@pytest.mark.parametrize("verb", ["check", "backtest"])
def test_a_bot_whose_config_pins_other_files_is_refused_and_one_that_pins_these_starts(
    tmp_path: Path, verb: str
) -> None:
    def run(*args: object) -> Result:
        return CliRunner().invoke(main, [str(one) for one in args])

    assert run("init", tmp_path / "bot").exit_code == 0
    path = tmp_path / "bot" / "bot.toml"
    text = path.read_text()
    line = json.loads(run("plugins", "show", "sim", "--json").stdout)["pin"]
    path.write_text(text.replace('"exchange-sim"', line, 1))
    more = ["--db", f"sqlite:///{tmp_path}/journal.db"] if verb == "backtest" else []
    assert run(verb, path, *more).exit_code == 0
    path.write_text(text.replace('"exchange-sim"', f'{{ name = "exchange-sim", sha256 = "{OTHER}" }}', 1))
    refused = run(verb, path, *more)
    assert refused.exit_code == 5
    (message,) = refused.stderr.splitlines()
    assert message.startswith(f"plugin exchange-sim: the config pins sha256 {OTHER}, the installed files have ")
    assert "`bot4 plugins show exchange-sim` prints the line" in message
