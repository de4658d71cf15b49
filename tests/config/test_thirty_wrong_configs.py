"""Thirty wrong configs and more: each mistake with its line, all at once, and what an editor's schema sees of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from bot4_core.cli import main
from bot4_core.example import write_example
from bot4_core.history.file import write_history
from bot4_core.testing import bars_from_closes

from .vault import OwnKeyring, plant
from .wrong_configs import CASES, RIGHT, Wrong

ROOT = Path(__file__).resolve().parents[2]
BOT4 = str(Path(sys.executable).with_name("bot4"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The vault's plugin, installed for this module and for the processes it starts; a keyring without entries."""
    path = tmp_path_factory.mktemp("site")
    plant(path)
    for name in ("risk_night", "sink_csv"):
        source = (ROOT / "examples" / name / "src" / f"bot4_{name}" / "__init__.py").read_text(encoding="utf-8")
        plant(path, f"bot4_{name}", name.replace("_", "-"), source)
    before = keyring.get_keyring()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")])))
        patch.setenv("VAULT_TOKEN", "the-token-of-the-vault")
        keyring.set_keyring(OwnKeyring())
        yield path
        keyring.set_keyring(before)
    for module in ("bot4_test_vault", "bot4_risk_night", "bot4_sink_csv"):
        sys.modules.pop(module, None)


@pytest.fixture(scope="module")
def validator(site: Path) -> Draft202012Validator:
    """The schema that an editor would be given."""
    answer = CliRunner().invoke(main, ["config", "schema"])
    assert answer.exit_code == 0, answer.output
    schema = json.loads(answer.stdout)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def folder(tmp_path: Path, site: Path) -> Path:
    (tmp_path / "trend.py").write_text(
        "from bot4_core.sdk import Strategy\n\n\nclass Trend(Strategy):\n    fast: int = 3\n"
    )
    instrument, events = bars_from_closes([100, 101, 102])
    write_history(tmp_path / "btc.b4h", instrument, events, interval_ns=60 * 10**9, source="test", roundings=0)
    return tmp_path


def written(folder: Path, wrong: Wrong) -> Path:
    path, text = folder / "bot.toml", RIGHT
    for change in wrong.changes:
        if isinstance(change, tuple):
            assert change[0] in text
            text = text.replace(change[0], change[1], 1)
    path.write_text(text, encoding="utf-8")
    for change in wrong.changes:
        if not isinstance(change, tuple):
            change(path)
    return path


def check(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", str(path), *arguments])


def test_there_are_thirty() -> None:
    assert len(CASES) >= 30
    assert sum(not wrong.blind for wrong in CASES.values()) >= 30


def test_the_right_config_is_right(folder: Path, validator: Draft202012Validator) -> None:
    (folder / "bot.toml").write_text(RIGHT, encoding="utf-8")
    answer = check(folder / "bot.toml")
    assert answer.exit_code == 0, answer.output
    assert "token = ***" in answer.stdout
    assert [one.message for one in validator.iter_errors(tomllib.loads(RIGHT))] == []


@pytest.mark.parametrize("name", CASES)
def test_every_mistake_is_named_with_its_line(folder: Path, name: str) -> None:
    wrong = CASES[name]
    path = written(folder, wrong)
    before = sorted(folder.iterdir())
    answer = check(path)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    lines = answer.stderr.splitlines()
    assert len(lines) == len(wrong.mistakes), lines
    for line, (number, at, words) in zip(lines, wrong.mistakes, strict=True):
        where = f"{path}:{number} " if number is not None else f"{path} "
        assert line.startswith(where + (f"{at}: " if at else "")), line
        assert re.search(words, line), line
    found = json.loads(check(path, "--json").stdout)
    assert found["ok"] is False
    assert [(one["line"], one["path"]) for one in found["errors"]] == [(n, at) for n, at, _ in wrong.mistakes]
    assert [one for one in sorted(folder.iterdir()) if one.name != "__pycache__"] == before
    for secret in ("s3cr3t-t0k3n", "987654321", "the-token-of-the-vault"):
        assert secret not in answer.stderr


@pytest.mark.parametrize("name", CASES)
def test_a_schema_rejects_what_it_can_see(folder: Path, name: str, validator: Draft202012Validator) -> None:
    wrong = CASES[name]
    data = written(folder, wrong).read_bytes()
    try:
        document = tomllib.loads(data.decode())
    except ValueError:
        assert wrong.blind
        return
    assert validator.is_valid(document) is bool(wrong.blind), wrong.blind


@pytest.mark.parametrize("name", ["many at once in the plugins' settings", "bytes that are no UTF-8", "NaN"])
def test_the_command_itself_ends_with_2_and_no_traceback(folder: Path, name: str) -> None:
    path = written(folder, CASES[name])
    command = [BOT4, "check", path.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == len(CASES[name].mistakes), done.stderr
    assert "Traceback" not in done.stderr


def _examples(folder: Path) -> dict[str, str]:
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in ROOT.glob("examples/**/*.toml")}
    for page in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), ROOT / "README.md"]:
        for number, block in enumerate(
            re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        ):
            found[f"{page.relative_to(ROOT)} block {number}"] = block
    found["bot4 init"] = write_example(folder / "made", 7)[0].read_text(encoding="utf-8")
    return {name: text for name, text in found.items() if re.search(r"^\[bot\]", text, re.M)}


def test_the_schema_accepts_every_example_of_the_repository(tmp_path: Path, validator: Draft202012Validator) -> None:
    examples = _examples(tmp_path)
    assert {"bot4 init", "examples/bands/bot.toml", "docs/config.md block 0"} <= set(examples)
    for name, text in examples.items():
        document = tomllib.loads(text)
        known = validator if not name.startswith("docs/plugins/") else _with_those_of_the_page(validator, document)
        assert [error.message for error in known.iter_errors(document)] == [], name


def _with_those_of_the_page(validator: Draft202012Validator, document: dict[str, Any]) -> Draft202012Validator:
    """The schema as it is when the plugin that the page writes is installed; its settings are not known here."""
    schema = json.loads(json.dumps(validator.schema))
    for kind in ("exchange", "strategy", "risk", "sink"):
        tables = document.get(kind, [])
        place = schema["properties"][kind].get("items") or schema["properties"][kind]["additionalProperties"]
        for table in tables.values() if isinstance(tables, dict) else tables:
            if ".py:" not in table["use"] and f"{kind}-{table['use']}" not in schema["$defs"]:
                place.setdefault("oneOf", []).append({"properties": {"use": {"const": table["use"]}}})
                place.pop("not", None)
    return Draft202012Validator(schema)


def test_defaults_of_the_schema_are_valid_themselves(validator: Draft202012Validator) -> None:
    tables = [*validator.schema["$defs"].values(), *(validator.schema["properties"][one] for one in ("bot", "log"))]
    checked = 0
    for table in tables:
        for key, told in table.get("properties", {}).items():
            if "default" in told:
                rest = {**told, "$defs": validator.schema["$defs"]}
                assert Draft202012Validator(rest).is_valid(told["default"]), key
                checked += 1
    assert checked > 20
