"""``bot4 plugins instruments``: a venue's own list becomes an instrument file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.domain.instrument import Instrument

PAIRS = {
    name: {"wsname": name, "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1, "ordermin": "0.0002"}
    for name in ("XBT/USD", "ETH/EUR")
}


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    path = tmp_path / "AssetPairs"
    path.write_text(json.dumps({"error": [], "result": PAIRS}))
    return path


def instruments(*args: object) -> Result:
    return CliRunner().invoke(main, ["plugins", "instruments", *map(str, args)])


def test_the_json_holds_whole_instruments(answer: Path) -> None:
    result = instruments("exchange-kraken", answer, "--json")
    assert result.exit_code == 0, result.stderr
    found = [Instrument.from_mapping(one) for one in json.loads(result.stdout)["instrument"]]
    assert [(one.symbol, str(one.tick), str(one.min_quantity)) for one in found] == [
        ("BTC/USD", "0.1", "0.0002"),
        ("ETH/EUR", "0.1", "0.0002"),
    ]


def test_the_json_is_an_instrument_file_for_an_import(answer: Path, tmp_path: Path) -> None:
    listed = tmp_path / "kraken.json"
    listed.write_text(instruments("exchange-kraken", answer, "--json").stdout)
    candles = tmp_path / "btcusd.csv"
    candles.write_text(
        "open_time_ms,open,high,low,close,volume\n1700000040000,1.0,2.5,0.5,2.0,3\n1700000100000,2.0,2.5,0.5,2.1,3\n"
    )
    command = ["data", "import", str(candles), "--instrument", str(listed), "--symbol", "BTC/USD", "--json"]
    result = CliRunner().invoke(main, [*command, "--to", str(tmp_path / "btc.b4h")])
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "btc.b4h").is_file()


def test_settings_of_the_plugin_choose_what_is_listed(answer: Path) -> None:
    result = instruments("exchange-kraken", answer, "--set", 'quotes=["EUR"]')
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["symbol", "ETH/EUR"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["exchange-krakn"], 2, "did you mean 'exchange-kraken'"),
        (["exchange-sim"], 5, "does not declare the capability 'instruments'"),
        (["risk-default"], 5, "does not declare the capability 'instruments'"),
        (["exchange-kraken", "--set", "quots=[]"], 2, "--set quots: unknown key"),
        (["exchange-kraken", "--set", "quotes=['usd']"], 2, "--set quotes: 'usd' is no asset code"),
        (["exchange-kraken", "--set", "quotes"], 2, "must read path=value"),
        (["exchange-binance"], 1, "binance exchangeInfo: Object missing required field `symbols`"),
    ],
)
def test_what_cannot_be_done_is_one_line(answer: Path, args: list[str], code: int, message: str) -> None:
    result = instruments(args[0], answer, *args[1:])
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert message in line


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = instruments("exchange-kraken", tmp_path / "none")
    assert result.exit_code == 2
    assert "cannot be read: No such file" in result.stderr
