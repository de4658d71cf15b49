"""``bot4 data`` as a user meets it: exit codes, one-line refusals, JSON keys, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot4_core.cli import main
from bot4_core.history.file import History

Rows = list[list[str]]
Write = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The catalogue of the test."""
    directory = tmp_path / "home"
    monkeypatch.setenv("BOT4_HISTORY", str(directory))
    return directory


@pytest.fixture
def bot4(home: Path) -> Run:
    """Runs ``bot4 data ...`` in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["data", *(str(argument) for argument in arguments)])

    return run


@pytest.fixture
def instrument(tmp_path: Path) -> Path:
    """Two instruments as TOML."""
    path = tmp_path / "instruments.toml"
    path.write_text(
        '[[instrument]]\nsymbol = "BTC/USDT"\ntick = "0.01"\nlot = "0.00001"\n'
        '[[instrument]]\nsymbol = "ETH/USDT"\ntick = "0.01"\nlot = "0.0001"\n'
    )
    return path


def refusal(result: Result, code: int) -> str:
    """The one line of a refused command."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_import_list_check(bot4: Run, write_csv: Write, candles: Rows, instrument: Path, home: Path) -> None:
    files = [write_csv(candles, f"spot_{coin}usdt_1m.csv.gz") for coin in ("btc", "eth")]
    result = bot4("import", *files, "--instrument", instrument)
    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:3]] == [
        ["spot_btcusdt_1m", "BTC/USDT"],
        ["spot_ethusdt_1m", "ETH/USDT"],
    ]
    assert "~ the most frequent step of the data" in result.stdout
    assert result.stderr == ""
    assert sorted(path.name for path in home.iterdir()) == ["spot_btcusdt_1m.b4h", "spot_ethusdt_1m.b4h"]
    listed = bot4("list")
    assert listed.exit_code == 0
    assert "spot_btcusdt_1m BTC/USDT 1m bars   10 2022-08-01 2022-08-01       0" in listed.stdout
    checked = bot4("check", "spot_btcusdt_1m", home / "spot_ethusdt_1m.b4h")
    assert checked.exit_code == 0
    assert checked.stdout.count("\n  ok\n") == 2


def test_json_has_the_contracts_keys(bot4: Run, write_csv: Write, candles: Rows, instrument: Path) -> None:
    del candles[4:6]
    path = write_csv(candles)
    results = [
        bot4("import", path, "--instrument", instrument, "--json"),
        bot4("list", "--json"),
        bot4("check", "btcusdt", "--json"),
        bot4("synth", "made", "--bars", 8, "--interval", "1m", "--start", "2022-08-01", "--json"),
    ]
    assert [result.exit_code for result in results] == [0, 0, 1, 0]
    for result, gaps in zip(results, (1, 1, 1, 0), strict=True):
        found = json.loads(result.stdout)
        assert (found["rows"], found["gaps"]) == (8, gaps)
        assert found["from"] == 1_659_312_000_000_000_000
        assert found["to"] - found["from"] == (10 if gaps else 8) * 60_000_000_000


def test_check_finds_what_was_planted_in_a_table(bot4: Run, write_csv: Write, candles: Rows, instrument: Path) -> None:
    del candles[3]
    candles.insert(5, list(candles[4]))
    candles[6][2] = "1"
    candles[8], candles[9] = candles[9], candles[8]
    path = write_csv(candles)
    result = bot4("check", path)
    assert result.exit_code == 1
    for words in (
        "gap before row 4 (line 5): 1 bar missing, 2022-08-01T00:03:00Z to 2022-08-01T00:04:00Z",
        "duplicate: row 6 (line 7): bar of 2022-08-01T00:05:00Z came before",
        "impossible: row 7 (line 8): high below low",
        "reversed: row 10 (line 11): 2022-08-01T00:08:00Z is before the row above",
        "not ok",
    ):
        assert words in result.stdout
    found = json.loads(bot4("check", path, "--instrument", instrument, "--json").stdout)["files"][0]
    assert (found["duplicates"], found["reversed"], found["high_below_low"], found["gaps"]) == (1, 1, 1, 2)
    assert [problem["row"] for problem in found["problems"]] == [6, 7, 10]


def test_a_refused_file_leaves_nothing_behind_not_even_of_its_siblings(
    bot4: Run, write_csv: Write, candles: Rows, instrument: Path, home: Path
) -> None:
    good = write_csv(candles, "btcusdt.csv")
    candles[5][2] = "1"
    bad = write_csv(candles, "ethusdt.csv")
    line = refusal(bot4("import", good, bad, "--instrument", instrument), 2)
    assert "ethusdt.csv: row 6 (line 7): high below low" in line
    assert "--repair" in line
    assert list(home.iterdir()) == []


def test_repair_says_what_it_did(bot4: Run, write_csv: Write, candles: Rows, instrument: Path) -> None:
    candles[5][2] = "1"
    candles.insert(3, list(candles[2]))
    candles[8], candles[9] = candles[9], candles[8]
    result = bot4("import", write_csv(candles), "--instrument", instrument, "--repair")
    assert result.exit_code == 0, result.stderr
    assert "btcusdt: left out 1 duplicate, 1 impossible; sorted in 1" in result.stdout
    again = bot4("import", write_csv(candles), "--instrument", instrument, "--repair", "--force", "--json")
    found = json.loads(again.stdout)["files"][0]
    assert (found["dropped"], found["moved"]) == ({"duplicate": 1, "impossible": 1}, 1)


def test_an_existing_history_is_kept_without_force(
    bot4: Run, write_csv: Write, candles: Rows, instrument: Path, home: Path
) -> None:
    bot4("import", write_csv(candles), "--instrument", instrument)
    before = (home / "btcusdt.b4h").read_bytes()
    assert "exists; say --force" in refusal(bot4("import", write_csv(candles), "--instrument", instrument), 2)
    assert (home / "btcusdt.b4h").read_bytes() == before
    candles[1][2] = "1"
    refused = bot4("import", write_csv(candles), "--instrument", instrument, "--force")
    assert "high below low" in refusal(refused, 2)
    assert (home / "btcusdt.b4h").read_bytes() == before
    del candles[1]
    shorter = write_csv(candles[:5])
    assert bot4("import", shorter, "--instrument", instrument, "--force").exit_code == 0
    assert History.open(home / "btcusdt.b4h").rows == 5


def test_to_names_a_file_or_a_directory(
    bot4: Run, write_csv: Write, candles: Rows, instrument: Path, tmp_path: Path, home: Path
) -> None:
    path = write_csv(candles)
    assert bot4("import", path, "--instrument", instrument, "--to", tmp_path / "x.b4h").exit_code == 0
    assert bot4("import", path, "--instrument", instrument, "--to", tmp_path / "deep" / "er").exit_code == 0
    assert (tmp_path / "x.b4h").read_bytes() == (tmp_path / "deep" / "er" / "btcusdt.b4h").read_bytes()
    assert not home.exists()
    other = write_csv(candles, "ethusdt.csv")
    line = refusal(bot4("import", path, other, "--instrument", instrument, "--to", tmp_path / "y.b4h"), 2)
    assert "these are 2 histories; name a directory" in line


def test_roundings_are_told(bot4: Run, write_csv: Write, candles: Rows, instrument: Path) -> None:
    candles[0][5] = "2.5833652000000003"
    result = bot4("import", write_csv(candles), "--instrument", instrument, "--volume-scale", 3)
    assert "btcusdt: 1 volumes rounded to 3 decimals" in result.stdout


def test_two_files_of_one_name_are_refused(bot4: Run, write_csv: Write, candles: Rows, instrument: Path) -> None:
    files = write_csv(candles, "btcusdt.csv"), write_csv(candles, "btcusdt.csv.gz")
    assert "two of the files would become" in refusal(bot4("import", *files, "--instrument", instrument), 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "CSV"], "Missing option '--instrument'"),
        (["import", "no.csv", "--instrument", "TOML", "--symbol", "BTC/USDT"], "no.csv: cannot be read: No such file"),
        (["import", "CSV", "--instrument", "no.toml"], "no.toml: instrument file cannot be read"),
        (["import", "CSV", "--instrument", "TOML", "--symbol", "XRP/USDT"], "lists no XRP/USDT"),
        (["import", "CSV", "--instrument", "TOML", "--interval", "5x"], "Invalid value for '--interval'"),
        (["import", "CSV", "--instrument", "TOML", "--volume-scale", "19"], "Invalid value for '--volume-scale'"),
        (["import", "CSV", "--instrument", "TOML", "--wrong"], "No such option"),
        (["check", "nowhere"], "history 'nowhere' is neither a file"),
        (["check"], "Missing argument"),
        (["synth", "x", "--bars", "0"], "Invalid value for '--bars'"),
        (["synth", "x", "--price", "1e99"], "Invalid value for '--price'"),
        (["synth", "x", "--price", "NaN"], "is not a plain decimal number"),
        (["synth", "x", "--start", "yesterday"], "Invalid value for '--start'"),
        (["synth", "x", "--symbol", "BTC"], "must read BASE/QUOTE"),
        (["synth", "../x"], "is a path, not a name"),
        (["synth", "x", "--tick", "0"], "must be greater than 0"),
        (["synth", "x", "--volatility", "2"], "volatility 2.0 must be above 0"),
        (["synth", "x", "--price", "1", "--price", "2"], "2 --price for 1 --symbol: give one, or one for each"),
    ],
)
def test_wrong_use_is_refused_with_exit_code_2(
    arguments: list[str], words: str, bot4: Run, write_csv: Write, candles: Rows, instrument: Path, home: Path
) -> None:
    given = {"CSV": str(write_csv(candles)), "TOML": str(instrument)}
    assert words in refusal(bot4(*(given.get(argument, argument) for argument in arguments)), 2)
    assert not home.exists()


def test_a_file_name_that_does_not_tell_the_symbol_asks_for_it(
    bot4: Run, write_csv: Write, candles: Rows, instrument: Path
) -> None:
    path = write_csv(candles, "prices.csv")
    assert "say --symbol BASE/QUOTE" in refusal(bot4("import", path, "--instrument", instrument), 2)
    assert bot4("import", path, "--instrument", instrument, "--symbol", "ETHUSDT").exit_code == 0


def test_symbols_and_markets_of_one_file_become_histories_of_their_own(
    bot4: Run, write_csv: Write, instrument: Path, home: Path
) -> None:
    rows = [[coin, str(i), "1.5", "2", str(1_604_221_200_000 + i)] for i, coin in enumerate(["BTCUSDT", "ETHUSDT"])]
    path = write_csv(rows, "agg.csv", "symbol,trade_id,price,qty,trade_time_ms")
    result = bot4("import", path, "--instrument", instrument, "--symbol", "BTC/USDT", "--symbol", "ETH/USDT")
    assert result.exit_code == 0, result.output
    assert sorted(item.name for item in home.iterdir()) == ["agg-btcusdt.b4h", "agg-ethusdt.b4h"]


def test_a_market_that_the_recording_lacks_is_refused(bot4: Run, write_csv: Write, instrument: Path) -> None:
    header = "local_ns,market,symbol,kind,trade_time_ms,id,price,qty,is_buyer_maker,bid,bid_qty,ask,ask_qty"
    quote = ["1723161254087891268", "spot", "BTCUSDT", "quote", "", "5", "", "", "", "61837.63", "3", "61837.64", "1"]
    path = write_csv([quote], "btcusdt.csv", header)
    line = refusal(bot4("import", path, "--instrument", instrument, "--type", "um"), 2)
    assert "holds no market um, only spot" in line
    assert bot4("import", path, "--instrument", instrument, "--type", "spot").exit_code == 0


def test_help_loads_no_numpy(home: Path) -> None:
    code = (
        "import sys; from bot4_core.cli import main\n"
        "try: main(['data', 'import', '--help'])\n"
        "except SystemExit: sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_list_shows_an_empty_and_a_damaged_catalogue(bot4: Run, home: Path) -> None:
    assert "holds no history yet" in bot4("list").stdout
    home.mkdir()
    (home / "x.b4h").write_bytes(b"")
    result = bot4("list")
    assert result.exit_code == 0
    assert "damaged: " in result.stdout
    assert json.loads(bot4("list", "--json").stdout)["damaged"][0]["file"].endswith("x.b4h")


def test_synth_makes_a_market_of_several_symbols(bot4: Run, home: Path) -> None:
    options = ["--symbol", "BTC/USDT", "--symbol", "ETH/USDT", "--price", 20_000, "--price", 1_000, "--bars", 50]
    assert bot4("synth", "pair", *options).exit_code == 0
    assert sorted(item.name for item in home.iterdir()) == ["pair-btcusdt.b4h", "pair-ethusdt.b4h"]
    first = History.open(home / "pair-ethusdt.b4h")
    assert (first.instrument.symbol, first.rows, first.source) == ("ETH/USDT", 50, "synth seed 1")
    assert bot4("synth", "t", "--kind", "ticks", "--bars", 50, "--seed", 3).exit_code == 0
    assert History.open(home / "t.b4h").interval_ns == 0


def test_the_seven_files_and_the_ticks_in_one_call_each(bot4: Run, shared_data: Path, home: Path) -> None:
    source = shared_data / "reference" / "symbol_properties_lean.csv"
    files = sorted((shared_data / "candles").glob("binance_spot_*usdt_5m_*.csv.gz"))
    found = json.loads(bot4("import", *files, "--instrument", source, "--json").stdout)
    assert (found["rows"], found["gaps"], found["ok"]) == (7 * 61_056, 0, True)
    ticks = shared_data / "trades" / "binance_btcusdt_spot_um_ticks_2024-08-08.csv.gz"
    result = bot4("import", ticks, "--instrument", source, "--market", "binance", "--symbol", "BTC/USDT", "--json")
    found = json.loads(result.stdout)
    assert found["rows"] == 125_199
    assert [Path(item["file"]).stem[-5:] for item in found["files"]] == ["-spot", "08-um"]
    assert (
        History.open(found["files"][1]["file"]).instrument.tick
        == 10 * History.open(found["files"][0]["file"]).instrument.tick
    )
    assert bot4("check", *(path.stem for path in home.iterdir())).exit_code == 0
