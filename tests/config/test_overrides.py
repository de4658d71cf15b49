"""Single values changed from outside: by --set, and by the environment below it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from bot4_core.config import Config, load_config
from bot4_core.config.overrides import MAX_OVERRIDES, merged
from bot4_core.errors import ConfigError

from .conftest import GOOD, lines_of

Write = Callable[..., Path]


def loaded(path: Path, *overrides: str, **variables: str) -> Config:
    return load_config(path, overrides, variables)


def refused(path: Path, **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(path, **variables)
    return lines_of(caught.value)


def test_a_variable_changes_the_value_that_its_name_means(write: Write) -> None:
    config = loaded(
        write(),
        BOT4__STRATEGY__TREND__FAST="8",
        BOT4__RISK__0__POSITION="0.005",
        BOT4__EXCHANGE__MAIN__BALANCES__usdt="'5'",
        BOT4__LOG__LEVEL="ERROR",
        BOT4__JOURNAL__URL="sqlite://",
    )
    assert config.strategies["trend"].settings["fast"] == 8
    assert config.risk[0].settings["position"] == Decimal("0.005")
    assert config.exchanges["main"].settings["balances"] == {"USDT": "5"}
    assert (config.log.level, config.journal_url) == ("ERROR", "sqlite://")


def test_a_dash_in_a_name_is_an_underscore_in_a_variable(write: Write) -> None:
    path = write(GOOD.replace("strategy.trend", "strategy.Trend-fast"))
    assert loaded(path, BOT4__STRATEGY__TREND_FAST__FAST="8").strategies["Trend-fast"].settings["fast"] == 8


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("second", "second"),
        ('"second"', "second"),
        ("a = b", "a = b"),
        ("007", "007"),
        ("two\nlines", "two\nlines"),
        ("12", 12),
        ("true", True),
        ("1.50", Decimal("1.50")),
        ('["a", "b"]', ["a", "b"]),
        ("{ a = 1 }", {"a": 1}),
    ],
)
def test_the_value_is_toml_and_what_is_no_toml_is_text(write: Write, written: str, value: object) -> None:
    config = loaded(write(), BOT4__STRATEGY__TREND__LABEL=written)
    assert config.strategies["trend"].settings["label"] == value


def test_an_argument_wins_over_a_variable(write: Write) -> None:
    config = loaded(write(), "strategy.trend.fast=9", BOT4__STRATEGY__TREND__FAST="8")
    assert config.strategies["trend"].settings["fast"] == 9
    assert list(config.overrides.values()) == ["--set strategy.trend.fast=9"]


def test_what_changed_a_value_is_recorded_with_its_words(write: Write) -> None:
    config = loaded(write(), "bot.seed=7", BOT4__BOT__NAME="second")
    assert config.overrides == {("bot", "seed"): "--set bot.seed=7", ("bot", "name"): "BOT4__BOT__NAME=second"}


def test_a_table_that_is_replaced_takes_the_changes_inside_it_along() -> None:
    first = {("risk", 0, "position"): "a", ("bot", "seed"): "b"}
    assert merged(first, {("risk",): "c"}) == {("bot", "seed"): "b", ("risk",): "c"}


def test_other_variables_are_none_of_ours(write: Write) -> None:
    assert loaded(write(), BOT4_STATE="x", BOT4="y", PATH="z").overrides == {}


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("BOT4__BOT__COLOUR", "1", "BOT4__BOT__COLOUR=1 $.bot.colour: unknown key"),
        ("BOT4__LOGS__LEVEL", "1", "BOT4__LOGS__LEVEL=1 $.logs: unknown table"),
        ("BOT4__BOT__SEED", "many", "BOT4__BOT__SEED=many $.bot.seed: 'many' must be a whole number"),
        ("BOT4__RISK__3__POSITION", "1", "BOT4__RISK__3__POSITION: 'risk' is a list of 1, so it has no '3'"),
        ("BOT4__RISK__FIRST", "1", "'risk' is a list of 1, so it has no 'first'"),
        ("BOT4__BOT__NAME__FIRST", "1", "'name' is no list or table of that form"),
        ("BOT4__", "1", "must read BOT4__TABLE__KEY"),
        ("BOT4__BOT__", "1", "must read BOT4__TABLE__KEY"),
        ("BOT4__A.B__C", "1", "must read BOT4__TABLE__KEY"),
        ("BOT4__BOT__NAME", "[" * 50, "is nested too deep"),
    ],
)
def test_a_wrong_variable_is_a_mistake_that_names_it(write: Write, name: str, written: str, message: str) -> None:
    (line,) = refused(write(), **{name: written})
    assert line.startswith(name)
    assert message in line


def test_a_name_that_fits_two_keys_is_refused(write: Write) -> None:
    path = write(GOOD + "Fast = 3\n")
    (line,) = refused(path, BOT4__STRATEGY__TREND__FAST="8")
    assert "'FAST' may be 'Fast' or 'fast': use --set" in line


def test_the_number_of_variables_is_bounded(write: Write) -> None:
    (line,) = refused(write(), **{f"BOT4__X__K{n}": "1" for n in range(MAX_OVERRIDES + 1)})
    assert "at most 1000 may" in line


@pytest.mark.parametrize("path", ["exchange.main.api_key", "sink[0].token"])
def test_the_value_of_what_is_named_like_a_secret_is_not_recorded(write: Write, path: str) -> None:
    text = GOOD + "[[sink]]\nuse = 'made'\n"
    variable = "BOT4__" + path.upper().replace("[", "__").replace("]", "").replace(".", "__")
    assert list(loaded(write(text), f'{path}="s3cr3t-value"').overrides.values()) == [f"--set {path}=***"]
    assert list(loaded(write(text), **{variable: "s3cr3t-value"}).overrides.values()) == [f"{variable}=***"]
    with pytest.raises(ConfigError) as caught:
        loaded(write(text), f"{path}=s3cr3t-value")
    assert "s3cr3t-value" not in str(caught.value)
