"""Secrets planted in environment, file and keyring are in no output, log, traceback or journal of 1,000 errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any

import keyring
import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import check as check_module
from bot4_core.cli import main
from bot4_core.journal.store import Store

from .canary import (
    CHECKED,
    FORMS,
    RUNNING,
    SECRETS,
    SOURCES,
    Canary,
    CanaryKeyring,
    environment,
    leaks,
    leaks_of,
)

BOT4 = str(Path(sys.executable).with_name("bot4"))

#: What is done to one line of the config; each is wrong whatever the line holds.
MUTATIONS: dict[str, Callable[[str], str]] = {
    "another key": lambda line: re.sub(r"^(\w+)", r"\1x", line),
    "a list in a list": lambda line: re.sub(r"=.*", "= [[]]", line),
    "a date": lambda line: re.sub(r"=.*", "= 2024-01-01", line),
    "no number": lambda line: re.sub(r"=.*", "= nan", line),
    "no end": lambda line: re.sub(r"=.*", '= "', line),
    "twice": lambda line: f"{line}\n{line}",
}
VERBS: dict[str, tuple[str, ...]] = {
    "check": ("check",),
    "check -vv --json": ("check", "-vv", "--json"),
    "config show --origin": ("config", "show", "--origin"),
}
#: (source, place, form, verb) of errors while a bot is put together
PUT_TOGETHER = list(product(SOURCES, CHECKED, FORMS, ("check", "backtest", "-vv")))
RUN = [(source, place, form) for place, (source, form) in product(RUNNING, zip(cycle(SOURCES), FORMS, strict=False))]
UNEXPECTED = list(product(SOURCES, FORMS, ("", "1")))
KEYS = len([line for line in Canary(Path(), Path()).text("env").splitlines() if "=" in line])


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    folder, site = tmp_path / "bot", tmp_path / "site"
    folder.mkdir()
    site.mkdir()
    made = Canary(folder, site)
    made.prepare()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("CANARY", SECRETS["env"])
    monkeypatch.setenv("BOT4_STATE", str(tmp_path / "state"))
    before = keyring.get_keyring()
    keyring.set_keyring(CanaryKeyring())
    yield made
    keyring.set_keyring(before)
    for name in [name for name in sys.modules if name.startswith("bot4_canary_")]:
        del sys.modules[name]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def seen(result: Result) -> list[str]:
    """What of the secrets stands in the output, or in an error that came out of the command."""
    error = result.exception if not isinstance(result.exception, SystemExit) else None
    return leaks(result.stdout.encode() + b"\n" + result.stderr.encode() + b"\n" + repr(error).encode())


def test_the_search_finds_what_is_there() -> None:
    for secret in SECRETS.values():
        for text in (secret, secret[:20], secret.encode().hex(), repr(secret), secret.replace(" ", "\n")):
            assert leaks(f"before {text} after".encode()), text
    assert leaks(b"nothing of the kind") == []


def test_there_are_a_thousand_errors() -> None:
    assert KEYS * len(MUTATIONS) * len(VERBS) + len(PUT_TOGETHER) + len(RUN) + len(UNEXPECTED) >= 1_000


def test_the_secrets_are_read_when_nothing_is_wrong(canary: Canary) -> None:
    for source in SOURCES:
        path = canary.write(canary.text(source))
        for verb in VERBS.values():
            done = call(*verb, path)
            assert done.exit_code == 0, done.output
            assert seen(done) == []
        assert "***" in call("config", "show", path).stdout


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_config_that_is_wrong_in_any_line_shows_none(canary: Canary, mutation: str, verb: str) -> None:
    sources = cycle(SOURCES)
    lines = canary.text("env").splitlines()
    for number in [at for at, line in enumerate(lines) if "=" in line]:
        text = canary.text(next(sources)).splitlines()
        text[number] = MUTATIONS[mutation](text[number])
        done = call(*VERBS[verb], canary.write("\n".join(text)))
        assert done.exit_code == 2, (text[number], done.output)
        assert seen(done) == [], text[number]


@pytest.mark.parametrize("place", CHECKED)
def test_an_error_while_a_bot_is_put_together_shows_none(canary: Canary, place: str) -> None:
    verbs = {"check": ("check",), "backtest": ("backtest",), "-vv": ("backtest", "-vv")}
    for source, where, form, verb in PUT_TOGETHER:
        if where == place:
            done = call(*verbs[verb], canary.write(canary.text(source, place, form)))
            assert done.exit_code in (2, 5), done.output
            assert seen(done) == [], (source, form, done.output)
    assert leaks_of(canary.files()) == {}


@pytest.mark.parametrize("place", RUNNING)
def test_an_error_of_a_running_bot_leaves_none_behind(canary: Canary, place: str, tmp_path: Path) -> None:
    for source, where, form in RUN:
        if where != place:
            continue
        done = call("backtest", "-vv", canary.write(canary.text(source, place, form)))
        told = done.stdout + done.stderr
        if place in ("tag", "policy"):
            assert done.exit_code == 0, told
        else:
            assert re.search("error|raised", told, re.IGNORECASE), told
        assert seen(done) == [], (source, form, told)
    for arguments in (("runs", "--json"), ("report", "latest"), ("report", "latest", "--json")):
        listed = call(*arguments, "--db", f"sqlite:///{canary.folder}/runs.db")
        assert seen(listed) == []
    call("report", "latest", "--html", str(canary.folder / "report.html"), "--db", f"sqlite:///{canary.folder}/runs.db")
    assert leaks_of(canary.files(tmp_path / "state")) == {}
    if place != "sink":  # it is made before the journal
        assert (canary.folder / "runs.db").is_file()


def test_a_written_out_secret_is_not_kept_with_the_run(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "cnry-inline-9f1c-Kw77"
    text = canary.text("env").replace('key = { env = "CANARY" }\n[[sink]]', f'key = "{secret}"\n[[sink]]')
    assert secret in text
    monkeypatch.setenv("BOT4__SINK__0__KEY", f"{secret}-sink")
    done = call("backtest", canary.write(text), "--set", f'risk[0].key="{secret}-risk"')
    assert done.exit_code == 0, done.output
    database = canary.folder / "runs.db"
    assert secret.encode() not in database.read_bytes() + done.output.encode()
    with Store.open(f"sqlite:///{database}", mode="read") as store:
        kept = store.load("latest").info.config
    assert 'key = "***"' in kept
    assert "BOT4__SINK__0__KEY=***" in kept
    checked = call("check", canary.write(text))
    assert checked.exit_code == 0
    assert re.search(r"warning: .*bot\.toml:\d+ \$\.strategy\.leaky\.key: the secret is written out", checked.stderr)


def test_an_error_that_nobody_expected_shows_none(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(plan: Any, latch: object) -> None:
        settings = plan.risk[0].settings
        sys.modules["bot4_canary_spill"].__dict__["spill"](settings.key, settings.form)

    monkeypatch.setattr(check_module, "assemble", wrong)
    for source, form, traceback in UNEXPECTED:
        monkeypatch.setenv("BOT4_TRACEBACK", traceback)
        done = call("check", canary.write(canary.text(source, "", form)))
        assert done.exit_code == 1
        assert ("Traceback" in done.stderr) is bool(traceback), done.stderr
        assert seen(done) == [], (source, form, done.stderr)


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("words", ("backtest", "-vv")),
        ("create", ("check", "--json")),
        ("validator", ("config", "show", "--origin")),
    ],
)
def test_the_command_itself_shows_none(canary: Canary, place: str, arguments: tuple[str, ...]) -> None:
    own = {**environment(), "BOT4_TRACEBACK": "1"}
    for source in ("env", "file"):
        path = canary.write(canary.text(source, place))
        done = subprocess.run([BOT4, *arguments, path], env=own, capture_output=True, timeout=120, check=False)
        assert leaks(done.stdout + done.stderr) == [], (source, done.stderr)
        assert done.returncode in (1, 2, 5)
    assert leaks_of(canary.files()) == {}


_KEYRING = """\
from pathlib import Path

from keyring.backend import KeyringBackend


class Backend(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return Path({path!r}).read_text("utf-8") if (service, username) == ("canary", "bot") else None

    def set_password(self, service, username, password):
        raise RuntimeError("nobody sets one")

    def delete_password(self, service, username):
        raise RuntimeError("nobody deletes one")
"""


@pytest.mark.parametrize(
    ("source", "place"),
    [("env", "words"), ("file", "batch"), ("keyring", "tag"), ("env", "policy"), ("file", "sink"), ("keyring", "bar")],
)
def test_a_bot_on_paper_shows_none_in_output_log_journal_and_segment(canary: Canary, source: str, place: str) -> None:
    held = canary.site / "keyring-secret"
    held.write_text(SECRETS["keyring"], encoding="utf-8")
    (canary.site / "bot4_canary_keyring.py").write_text(_KEYRING.format(path=str(held)), encoding="utf-8")
    own = {**environment(), "BOT4_TRACEBACK": "1", "PYTHON_KEYRING_BACKEND": "bot4_canary_keyring.Backend"}
    path = canary.write(canary.text(source, place))
    arguments = [BOT4, "run", path, "-vv", "--set", 'exchange.main.speed="max"', "--set", 'log.level="DEBUG"']
    done = subprocess.run(arguments, env=own, capture_output=True, timeout=120, check=False)
    assert leaks(done.stdout + done.stderr) == [], done.stderr
    assert b"***" in done.stderr or place in ("tag", "policy"), done.stderr
    state = Path(own["BOT4_STATE"])
    kept = {found.name for found in canary.files(state)}
    assert {"runs.db", "segment", "bot4.jsonl", "latch"} <= kept
    assert leaks_of(canary.files(state)) == {}
