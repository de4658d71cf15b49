"""The file and its shape: what is accepted, and every mistake with its line."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot4_core.config import Market, load, load_config
from bot4_core.config.load import MAX_BYTES
from bot4_core.errors import ConfigError

from .conftest import GOOD, lines_of

Write = Callable[..., Path]


def refused(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert caught.value.exit_code == 2
    lines = lines_of(caught.value)
    assert all("\n" not in line for line in lines)
    return lines


def test_a_right_file_is_read_whole(write: Write) -> None:
    config = load_config(write())
    assert (config.bot.name, config.bot.mode, config.bot.seed) == ("trend-demo", "paper", 1)
    assert config.strategies["trend"].trade == (Market("main", "BTC/USDT"),)
    assert config.strategies["trend"].settings == {"fast": 12}
    assert config.risk[0].settings.keys() == {"position"}
    assert config.sinks == ()


def test_a_journal_file_is_beside_the_config(write: Write, tmp_path: Path) -> None:
    assert load_config(write()).journal_url == f"sqlite:///{tmp_path}/trend.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:////var/x.db", "postgresql+psycopg://me@host/db"])
def test_other_journal_urls_stay_as_they_are(write: Write, url: str) -> None:
    assert load_config(write(GOOD.replace("sqlite:///trend.db", url))).journal_url == url


def test_without_a_journal_table_the_url_is_open(write: Write) -> None:
    assert load_config(write(GOOD.replace('[journal]\nurl = "sqlite:///trend.db"', ""))).journal_url is None


def test_a_bom_and_windows_line_ends_are_fine(write: Write) -> None:
    config = load_config(write(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))
    assert config.bot.name == "trend-demo"
    assert config.lines["strategy", "trend", "fast"] == 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "$.bot: missing"),
        (b"\xff\xfe", ":1 is not UTF-8: byte 0xff"),
        (b"[bot]\nname = '\xe9'", ":2 is not UTF-8: byte 0xe9"),
        (b"[bot]\nname = 'a\0b'", ":2 holds a NUL byte"),
        (b"[bot\n", ":1 is not valid TOML"),
        (b"[bot]\nname = ", ":2 is not valid TOML"),
        (b"[bot]\nname = 'a'\nname = 'b'\n", ":3 is not valid TOML: a key stands twice: 'name'"),
        (b"x = " + b"[" * 40 + b"]" * 40, " is nested deeper than 32 levels"),
        (b"[" + b"a." * 400_000 + b"a]", " is nested deeper than 32 levels"),
        (b"x = " + b"9" * 5000, "is not valid TOML"),
    ],
)
def test_bytes_that_are_no_config_are_refused_in_one_line(write: Write, content: bytes, message: str) -> None:
    lines = refused(write(content))
    assert any(message in line for line in lines), lines


def test_a_large_file_is_refused_by_its_size_without_being_read(write: Write) -> None:
    path = write()
    os.truncate(path, 100 * 1024 * 1024)  # sparse: reading it would find NUL bytes
    assert refused(path) == [f" is 104857600 bytes; a config may have {MAX_BYTES}"]


def test_a_file_that_grows_while_it_is_read_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(b"#" * (MAX_BYTES + 1))
    small = SimpleNamespace(st_mode=stat.S_IFREG, st_size=1)
    monkeypatch.setattr(load.os, "fstat", lambda _: small)
    assert refused(path) == [f" has more than {MAX_BYTES} bytes"]


@pytest.mark.parametrize(
    ("table", "message"),
    [("[exchange.e{}]\nuse = 'made'\n", "$.exchange: has 1002 tables"), ("[[sink]]\nuse = 'x'\n", "$.sink: has 1001")],
)
def test_the_number_of_tables_is_bounded(write: Write, table: str, message: str) -> None:
    many = "".join(table.replace("{}", str(n)) for n in range(1001))
    lines = refused(write(GOOD + many))
    assert any(message in line for line in lines), lines[:3]


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    assert refused(tmp_path / "bot.toml") == [" does not exist; `bot4 init DIR` writes a first one"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").mkdir()
    assert refused(tmp_path / "bot.toml") == [" cannot be read: Is a directory"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bot.toml")
    assert refused(tmp_path / "bot.toml") == [" is no regular file"]


def test_a_path_with_a_nul_is_refused() -> None:
    assert "cannot be read" in refused(Path("a\0b"))[0]


BAD = """\
[bot]
name = "trend demo"
mode = "papr"
plugins = "exchange-made"
seed = true
colour = 1
[journal]
url = "trend.db"
[exchange.main]
history = ["x"]
[risk]
use = "made"
[strategy.trend]
use = 3
trade = ["main:BTC/USDT", "man:ETH/USDT", "BTC/USDT", 4, "main:BTC/USDT"]
[snik]
"""


def test_every_mistake_is_reported_at_once_each_on_its_line(write: Write) -> None:
    assert refused(write(BAD)) == [
        ":2 $.bot.name: 'trend demo' must be 1-63 letters, digits, _ . - and start with a letter or digit",
        ":3 $.bot.mode: 'papr' is not one of 'paper', 'live'; did you mean 'paper'?",
        ":4 $.bot.plugins: 'exchange-made' must be a list",
        ":5 $.bot.seed: true must be a whole number",
        ":6 $.bot.colour: unknown key; allowed: name, mode, plugins, seed, unguarded",
        ":8 $.journal.url: 'trend.db' is no database URL; as sqlite:///bot.db or postgresql+psycopg://user@host/db",
        ':9 $.exchange.main.use: missing; as use = "NAME" of an installed exchange plugin',
        ":11 $.risk: must be written as [[risk]], with two brackets: their order counts",
        ':14 $.strategy.trend.use: 3 must be text in quotes; as use = "./trend.py:Trend"',
        ":15 $.strategy.trend.trade[1]: no table [exchange.man]; exchanges here: main; did you mean 'main'?",
        ":15 $.strategy.trend.trade[2]: 'BTC/USDT' must read EXCHANGE:BASE/QUOTE, as 'main:BTC/USDT'",
        ":15 $.strategy.trend.trade[3]: 4 must read EXCHANGE:BASE/QUOTE, as 'main:BTC/USDT'",
        ":15 $.strategy.trend.trade[4]: 'main:BTC/USDT' stands twice",
        ":16 $.snik: unknown table; allowed: bot, journal, log, exchange, risk, strategy, sink; did you mean 'sink'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[exchange.main]", "[exchange]", "$.exchange: a bot needs tables of the form [exchange.NAME]"),
        ("[strategy.trend]", "[other]", "$.strategy: a bot needs tables of the form [strategy.NAME]"),
        ("exchange.main]", 'exchange."a b"]', "the name must be 1-63 letters"),
        ('trade = ["main:BTC/USDT"]', "trade = []", "needs a list of markets"),
        ('trade = ["main:BTC/USDT"]', "", "needs a list of markets"),
        ('name = "trend-demo"', 'name = "../up"', "'../up' must be 1-63 letters"),
        ('name = "trend-demo"', "seed = -1", "$.bot.seed: -1 must be from 0"),
        ('name = "trend-demo"', "", "$.bot.name: missing; it has no default"),
        ('name = "trend-demo"', "name = 'a'\nseed = 1.5", "$.bot.seed: 1.5 must be a whole number"),
        ('name = "trend-demo"', "name = 'a'\nseed = nan", "$.bot.seed: NaN must be a whole number"),
        ('name = "trend-demo"', "name = 'a'\nmode = 'live'\nunguarded = true", "$.bot.unguarded: true is not allowed"),
    ],
)
def test_each_rule_of_the_shape_has_its_own_words(write: Write, old: str, new: str, message: str) -> None:
    lines = refused(write(GOOD.replace(old, new)))
    assert any(message in line for line in lines), lines


def test_an_unguarded_backtest_is_allowed(write: Write) -> None:
    assert load_config(write(GOOD.replace("[journal]", "unguarded = true\n[journal]"))).bot.unguarded


def test_overrides_replace_and_add_values(write: Write) -> None:
    config = load_config(
        write(), ["strategy.trend.fast=8", "$.risk[0].position = 0.005", "bot.seed=7", 'journal.url="sqlite://"']
    )
    assert config.strategies["trend"].settings["fast"] == 8
    assert str(config.risk[0].settings["position"]) == "0.005"
    assert (config.bot.seed, config.journal_url) == (7, "sqlite://")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fast", "must read path=value"),
        ("=1", "must read path=value"),
        ("[0].x=1", "must read path=value"),
        ("a b=1", "must read path=value"),
        ("bot.name=second", "'second' is no TOML value"),
        ("bot.seed=1\nx=2", "is no TOML value"),
        ("risk[3].position=1", "'risk' is a list of 1, so it has no 3"),
        ("bot.name.first=1", "'name' is no list or table of that form"),
        ("bot[0]=1", "'bot' is no list or table of that form"),
        ("bot.colour=1", "$.bot.colour: unknown key"),
        ("bot.seed=" + "[" * 50, "is no TOML value"),
    ],
)
def test_a_wrong_override_is_named_as_the_user_typed_it(write: Write, override: str, message: str) -> None:
    (line,) = refused(write(), override)
    assert line.startswith("--set " + " ".join(override.split())[:30])
    assert message in line
