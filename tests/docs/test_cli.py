"""docs/cli.md and the command agree: verbs, options, JSON keys, exit codes, variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot4_core.cli import VERBS, main
from bot4_core.errors import Bot4Error

from .blocks import ROOT, on_terminal

PAGE = ROOT / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(re.findall(r"^## (bot4[^\n]*)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
EVERYWHERE = {"-v", "--verbose", "-q", "--quiet", "--help"}


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}")
    else:
        yield path, command


COMMANDS = dict(_commands(main, "bot4"))


def test_every_verb_is_documented_and_nothing_else() -> None:
    assert set(SECTIONS) == {"bot4", *COMMANDS}


def test_help_lists_the_documented_verbs(desk: Path) -> None:
    answer = on_terminal("bot4 --help", desk)
    listed = re.findall(r"^  (\w+)  ", answer.screen.partition("Verbs:")[2], re.MULTILINE)
    assert listed == list(VERBS)
    assert {title.split()[1] for title in SECTIONS if " " in title} == set(listed)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_documented_and_nothing_else(path: str) -> None:
    options = {name for one in COMMANDS[path].params if isinstance(one, click.Option) for name in one.opts}
    stated = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", SECTIONS[path]))
    assert stated - options - EVERYWHERE == set()
    assert options - stated - EVERYWHERE == set()


@pytest.mark.parametrize("path", COMMANDS)
def test_defaults_stated_are_the_commands(path: str) -> None:
    for one in COMMANDS[path].params:
        if isinstance(one, click.Option) and one.show_default and path != "bot4 data synth":
            assert re.search(rf"{one.opts[0]} \S+`[^\n]*{one.default}", SECTIONS[path]), one.opts


def _keys(path: str) -> set[str]:
    """Top-level keys that a section states."""
    table = re.findall(r"^\| ((?:`\w+` ?)+)\|", SECTIONS[path], re.MULTILINE)
    if table:
        return set(re.findall(r"`(\w+)`", " ".join(table)))
    line = SECTIONS[path].partition("- `--json`:")[2].partition("\n- ")[0]
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", line)))


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("bot4 backtest", "bot4 backtest bot.toml --json"),
        ("bot4 init", "bot4 init other --json"),
        ("bot4 check", "bot4 check bot.toml --json"),
        ("bot4 runs", "bot4 backtest bot.toml > out && bot4 runs --json"),
        ("bot4 plugins list", "bot4 plugins list --json"),
        ("bot4 data list", "bot4 data list --catalogue . --json"),
        ("bot4 data check", "bot4 data check btcusdt-1h.b4h --json"),
        ("bot4 db current", "bot4 db upgrade > out && bot4 db current --json"),
    ],
)
def test_the_json_keys_stated_are_printed(path: str, command: str, desk: Path) -> None:
    assert on_terminal("bot4 init .", desk).code == 0
    answer = on_terminal(f"{command} > answer.json", desk)
    assert answer.code == 0, answer.errors
    found = json.loads((desk / "answer.json").read_text(encoding="utf-8"))
    assert set(found) == _keys(path)


def test_the_keys_of_a_run_are_stated(desk: Path) -> None:
    assert on_terminal("bot4 init . && bot4 backtest bot.toml > out && bot4 runs --json > answer.json", desk).code == 0
    (run,) = json.loads((desk / "answer.json").read_text(encoding="utf-8"))["runs"]
    assert {key for key in run if f"`{key}`" not in SECTIONS["bot4 runs"]} == set()


def _errors(base: type[Bot4Error]) -> Iterator[type[Bot4Error]]:
    yield base
    for one in base.__subclasses__():
        yield from _errors(one)


def test_every_exit_code_is_stated() -> None:
    stated = set(re.findall(r"^\| (\d+)", TEXT, re.MULTILINE))
    assert {str(one.exit_code) for one in _errors(Bot4Error)} <= stated


def test_every_variable_is_stated() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "bot4_core").rglob("*.py")))
    used = set(re.findall(r"\bBOT4_[A-Z]+(?:_[A-Z]+)*\b", source))
    assert used == set(re.findall(r"^\| `(BOT4_\w+)`", TEXT, re.MULTILINE))
