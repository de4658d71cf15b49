"""Wrong configs: what is done to a right one, what must be said where, and whether an editor's schema can see it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

RIGHT = """\
[bot]
name = "demo"
plugins = ["exchange-sim", "risk-default", "sink-vault"]
[journal]
url = "sqlite:///runs.db"
[log]
level = "INFO"
[exchange.main]
use = "sim"
history = ["btc.b4h"]
balances = { USDT = "100000" }
fees = { maker = "0.001", taker = "0.001" }
latency = "50ms"
[[risk]]
use = "default"
position = 0.01
[strategy.trend]
use = "./trend.py:Trend"
trade = ["main:BTC/USDT"]
fast = 12
[[sink]]
use = "vault"
token = { env = "VAULT_TOKEN" }
"""

Change = tuple[str, str] | Callable[[Path], None]
#: line in the file, path, words of the message
Mistake = tuple[int | None, str, str]

NOT_TOML = "it is no TOML: the editor's own parser says so"
ONE_VALUE = "a schema judges one value at a time"
OUTSIDE = "a schema sees neither files nor environment nor installed packages"


@frozen(kw_only=True)
class Wrong:
    """One wrong config.

    Args:
        changes: each (old, new) in the right text, or what is done to the file.
        mistakes: all that must be said, in this order.
        blind: why a schema cannot reject it; empty when it must.
    """

    changes: tuple[Change, ...]
    mistakes: tuple[Mistake, ...]
    blind: str = ""


def _wrong(old: str, new: str, line: int | None, path: str, words: str, blind: str = "") -> Wrong:
    return Wrong(changes=((old, new),), mistakes=((line, path, words),), blind=blind)


def _not_utf8(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"demo"', b'"d\xe9mo"'))


def _nul(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"demo"', b'"d\0mo"'))


def _too_big(path: Path) -> None:
    os.truncate(path, 2_000_000)


def _open_to_all(path: Path) -> None:
    token = path.parent / "token"
    token.write_text("s3cr3t-t0k3n\n", encoding="utf-8")
    token.chmod(0o644)


def _empty(path: Path) -> None:
    token = path.parent / "token"
    token.write_text("\n", encoding="utf-8")
    token.chmod(0o600)


_TOKEN = 'token = { env = "VAULT_TOKEN" }'
_FEES = 'fees = { maker = "0.001", taker = "0.001" }'
_FILE = ((_TOKEN, 'token = { file = "token" }'),)
_PINNED = '{ name = "risk-default", '

CASES: dict[str, Wrong] = {
    "unknown table": _wrong("[log]", "[lgo]", 6, "$.lgo", "unknown table; allowed: .* did you mean 'log'"),
    "unknown key of the core": _wrong("name =", "seeed = 1\nname =", 2, "$.bot.seeed", "did you mean 'seed'"),
    "unknown key of a plugin": _wrong("position", "positon", 16, "$.risk[0].positon", "did you mean 'position'"),
    "unknown key of a table in a table": _wrong(
        "maker", "makre", 12, "$.exchange.main.fees.makre", "did you mean 'maker'"
    ),
    "text for a whole number": _wrong(
        "fast = 12",
        'fast = "12"',
        20,
        "$.strategy.trend.fast",
        "'12' must be a whole number",
        "the settings of a strategy in a file are known to that file alone",
    ),
    "a fraction for a whole number": _wrong("name =", "seed = 1.5\nname =", 2, "$.bot.seed", "must be a whole number"),
    "true for a whole number": _wrong("name =", "seed = true\nname =", 2, "$.bot.seed", "true must be a whole number"),
    "true for a number": _wrong("0.01", "true", 16, "$.risk[0].position", "true must be a number"),
    "a number for text": _wrong('"demo"', "7", 2, "$.bot.name", "7 must be text in quotes"),
    "text for a list": _wrong('["btc.b4h"]', '"btc.b4h"', 10, "$.exchange.main.history", "must be a list"),
    "NaN": _wrong("0.01", "nan", 16, "$.risk[0].position", "NaN is not a finite number", "JSON knows no NaN"),
    "infinity": _wrong("0.01", "inf", 16, "$.risk[0].position", "Infinity is not a finite number"),
    "a negative limit": _wrong("0.01", "-0.01", 16, "$.risk[0].position", "must be greater than 0"),
    "a negative balance as text": _wrong('"100000"', '"-1"', 11, "$.exchange.main.balances", "must not be negative"),
    "a number with underscores in text": _wrong(
        '"100000"', '"100_000"', 11, "$.exchange.main.balances.USDT", "not a plain decimal number"
    ),
    "an exponent out of all measure": _wrong(
        '"100000"', '"1e99"', 11, "$.exchange.main.balances.USDT", "exponent beyond", "the bound is one of exponents"
    ),
    "the same key twice": _wrong("latency", "use", 13, "", "a key stands twice", NOT_TOML),
    "an open bracket": _wrong("[[risk]]", "[[risk", 14, "", "is not valid TOML", NOT_TOML),
    "bytes that are no UTF-8": Wrong(
        changes=(_not_utf8,), mistakes=((2, "", "is not UTF-8: byte 0xe9"),), blind=NOT_TOML
    ),
    "a NUL": Wrong(changes=(_nul,), mistakes=((2, "", "holds a NUL byte"),), blind=NOT_TOML),
    "a file of two megabytes": Wrong(
        changes=(_too_big,), mistakes=((None, "", "is 2000000 bytes; a config may have 1000000"),), blind=NOT_TOML
    ),
    "nesting without end": _wrong('["btc.b4h"]', "[" * 40 + "]" * 40, None, "", "is nested deeper than 32 levels"),
    "no use": _wrong('use = "default"\n', "", 14, "$.risk[0].use", "missing; as use = "),
    "a use that nothing offers": _wrong('"sim"', '"sims"', 9, "$.exchange.main.use", "did you mean 'sim'"),
    "a use that is no text": _wrong('"default"', "3", 15, "$.risk[0].use", "3 must be text in quotes"),
    "a setting that is missing": _wrong(
        'balances = { USDT = "100000" }\n', "", 8, "$.exchange.main.balances", "missing; it has no default"
    ),
    "a plugin that is not installed": _wrong(
        '"exchange-sim",', '"exchange-sim", "exchange-mars",', 3, "$.bot.plugins[1]", "is not installed", OUTSIDE
    ),
    "a plugin that is not allowed": _wrong(
        '"risk-default", ', "", 15, "$.risk[0].use", "add 'risk-default' to", OUTSIDE
    ),
    "a plugin twice": _wrong('"risk-default"', '"exchange-sim"', 3, "$.bot.plugins", "'exchange-sim' stands twice"),
    "an unknown exchange in trade": _wrong(
        "main:BTC", "man:BTC", 19, "$.strategy.trend.trade[0]", "did you mean 'main'", ONE_VALUE
    ),
    "a market of no form": _wrong("main:BTC/USDT", "BTC-USDT", 19, "$.strategy.trend.trade[0]", "EXCHANGE:BASE/QUOTE"),
    "a market twice": _wrong(
        '"main:BTC/USDT"', '"main:BTC/USDT", "main:BTC/USDT"', 19, "$.strategy.trend.trade[1]", "stands twice"
    ),
    "no market": _wrong('["main:BTC/USDT"]', "[]", 19, "$.strategy.trend.trade", "needs a list of markets"),
    "a duration without a unit": _wrong('"50ms"', '"50"', 13, "$.exchange.main.latency", "is no duration"),
    "a fee of half the trade": _wrong(
        'taker = "0.001"', "taker = 0.5", 12, "$.exchange.main.fees.taker", "must be from 0 to 0.1"
    ),
    "the same as text": _wrong(
        'taker = "0.001"',
        'taker = "0.5"',
        12,
        "$.exchange.main.fees.taker",
        "must be from 0 to 0.1",
        "of a number in quotes a schema sees the form alone",
    ),
    "a rebate that pays for both sides": _wrong(
        'maker = "0.001"', "maker = -0.01", 12, "$.exchange.main.fees", "pays for nothing", ONE_VALUE
    ),
    "a limit above the core's": _wrong("0.01", "0.05", 16, "$.risk[0].position", "0.05 is above the limit 0.02"),
    "one bracket for a list of tables": _wrong("[[risk]]", "[risk]", 14, "$.risk", "with two brackets"),
    "no database URL": _wrong("sqlite:///runs.db", "runs.db", 5, "$.journal.url", "is no database URL"),
    "a seed of 65 bits": _wrong("name =", f"seed = {2**64}\nname =", 2, "$.bot.seed", "does not fit 64 bits"),
    "a level that no log has": _wrong('"INFO"', '"INFOS"', 7, "$.log.level", "did you mean 'INFO'"),
    "a log that is never closed": _wrong("[log]", "[log]\nrotate_mb = 0", 7, "$.log.rotate_mb", "must be from 1 to"),
    "live and unguarded": _wrong(
        "name =", 'mode = "live"\nunguarded = true\nname =', 3, "$.bot.unguarded", "not allowed with mode = 'live'"
    ),
    "a pin of no digest": _wrong(
        '"risk-default"', _PINNED + 'sha256 = "abc" }', 3, "$.bot.plugins[1].sha256", "must be 64 of 0-9 a-f"
    ),
    "a pin with an unknown key": _wrong(
        '"risk-default"', _PINNED + 'versoin = "1" }', 3, "$.bot.plugins[1].versoin", "did you mean 'version'"
    ),
    "a secret from nowhere": _wrong(
        "VAULT_TOKEN", "VAULT_TOKENS", 23, "$.sink[0].token.env", "VAULT_TOKENS is not set", OUTSIDE
    ),
    "a secret file that does not exist": Wrong(
        changes=_FILE, mistakes=((23, "$.sink[0].token.file", "'token' cannot be read: No such file"),), blind=OUTSIDE
    ),
    "a secret file that all can read": Wrong(
        changes=(*_FILE, _open_to_all),
        mistakes=((23, "$.sink[0].token.file", "has mode 0644.*chmod 600"),),
        blind=OUTSIDE,
    ),
    "an empty secret file": Wrong(
        changes=(*_FILE, _empty), mistakes=((23, "$.sink[0].token", "the file token is empty"),), blind=OUTSIDE
    ),
    "no such entry in the keyring": _wrong(
        _TOKEN, 'token = { keyring = "vault/nobody" }', 23, "$.sink[0].token.keyring", "has no entry", OUTSIDE
    ),
    "a keyring entry of no form": _wrong(
        _TOKEN, 'token = { keyring = "vault" }', 23, "$.sink[0].token.keyring", "must read SERVICE/USER"
    ),
    "a secret with two sources": _wrong(
        _TOKEN, 'token = { env = "A", file = "b" }', 23, "$.sink[0].token", "must name one source"
    ),
    "a secret with an unknown source": _wrong(
        "env =", "evn =", 23, "$.sink[0].token.evn", "unknown key; allowed: env, file, keyring; did you mean 'env'"
    ),
    "a secret too short to hide": _wrong(_TOKEN, 'token = "abc"', 23, "$.sink[0].token", "fewer than 4 characters"),
    "a secret that is no text": _wrong(_TOKEN, "token = 987654321", 23, "$.sink[0].token", "must name a secret"),
    "a history that does not exist": _wrong(
        "btc.b4h", "gone.b4h", 10, "$.exchange.main.history[0]", "history 'gone.b4h' is neither", OUTSIDE
    ),
    "a strategy file that does not exist": _wrong(
        "./trend.py", "./gone.py", 18, "$.strategy.trend.use", "does not exist beside the config", OUTSIDE
    ),
    "many at once in the file's shape": Wrong(
        changes=(('"demo"', "7"), ('"INFO"', '"LOUD"'), ('"default"', "3"), ("main:BTC", "man:BTC")),
        mistakes=(
            (2, "$.bot.name", "7 must be text"),
            (7, "$.log.level", "'LOUD' is not one of"),
            (15, "$.risk[0].use", "3 must be text"),
            (19, "$.strategy.trend.trade[0]", "did you mean 'main'"),
        ),
    ),
    "many at once in the plugins' settings": Wrong(
        changes=(
            ('"50ms"', '"50"'),
            ("0.01", "0.05"),
            ("fast = 12", "fats = 12"),
            ("VAULT_TOKEN", "VAULT_TOKENS"),
            ("history", "histry"),
        ),
        mistakes=(
            (10, "$.exchange.main.histry", "did you mean 'history'"),
            (13, "$.exchange.main.latency", "is no duration"),
            (16, "$.risk[0].position", "above the limit 0.02"),
            (20, "$.strategy.trend.fats", "did you mean 'fast'"),
            (23, "$.sink[0].token.env", "VAULT_TOKENS is not set"),
        ),
    ),
}
