"""``bot4 data``: import, list, check and make market history."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, DomainError
from .output import json_option

# The history modules are imported by the commands themselves: numpy would make `--help` three times as slow.

_path = click.Path(path_type=Path)


def _interval(text: str) -> int:
    from ..history.times import parse_interval

    return parse_interval(text)


def _time(text: str) -> int:
    from ..history.times import parse_time

    return parse_time(text)


def _decimal(text: str) -> Decimal:
    from ..domain.money import parse_decimal

    return parse_decimal(text)


def _checked(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that turns our refusal of a value into click's, which names the option."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(parse(item) for item in value)
            return None if value is None else parse(value)
        except (ConfigError, DomainError) as error:
            raise click.BadParameter(str(error), ctx, parameter) from error

    return callback


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_source_options = _options(
    click.option(
        "--symbol", "symbols", multiple=True, metavar="BASE/QUOTE", help="Which instrument; else by file name."
    ),
    click.option("--venue", "--market", "venue", default="", help="Which venue of the instrument file, as binance."),
    click.option("--type", "market_type", type=click.Choice(["spot", "um"]), help="Spot, or USD-margined futures."),
    click.option("--interval", metavar="5m", callback=_checked(_interval), help="Length of a bar; else inferred."),
    click.option("--bar-time", type=click.Choice(["open", "close"]), help="What a candle's time means; else open."),
)
_catalogue_option = click.option(
    "--catalogue", type=_path, metavar="DIR", help="Directory of histories; else $BOT4_HISTORY or the data directory."
)


@click.group()
def data() -> None:
    """Import, list, check and make market history.

    A history (NAME.b4h) holds one instrument's bars or ticks with its tick size and filters. Configs and commands
    find it by path, or by name in the catalogue.
    """


@data.command("import")
@click.argument("files", nargs=-1, required=True, type=_path, metavar="FILE...")
@click.option(
    "--instrument",
    "instrument_file",
    required=True,
    type=_path,
    metavar="FILE",
    help="Where tick, lot and filters come from: TOML, JSON, Binance's exchangeInfo, or LEAN's symbol-properties CSV.",
)
@_source_options
@click.option("--volume-scale", type=click.IntRange(0, 18), help="Decimals of traded volume, instead of 8.")
@click.option("--to", type=_path, metavar="DIR|NAME.b4h", help="Where to write; else the catalogue.")
@_catalogue_option
@click.option("--repair", is_flag=True, help="Leave out repeated and impossible rows, sort, and say so.")
@click.option("--force", is_flag=True, help="Replace a history that exists.")
@json_option
def import_(
    files: tuple[Path, ...],
    instrument_file: Path,
    volume_scale: int | None,
    to: Path | None,
    catalogue: Path | None,
    repair: bool,
    force: bool,
    as_json: bool,
    **choice: Any,
) -> None:
    """Import candles, trades or recorded ticks from CSV, CSV.gz or Parquet files.

    Prices must fit the instrument's tick exactly; a repeated, reversed or impossible row is refused with its number.
    Missing bars are reported. Either every file is imported or none.
    """
    from ..history.matching import Choice
    from .data_work import Place, bring_in

    bring_in(
        files,
        instrument_file,
        Choice(**choice),
        volume_scale=volume_scale,
        place=Place(to, catalogue, force),
        repair=repair,
        as_json=as_json,
    )


@data.command("list")
@_catalogue_option
@json_option
def list_(catalogue: Path | None, as_json: bool) -> None:
    """List the histories of the catalogue."""
    from .data_work import show_catalogue

    show_catalogue(catalogue, as_json)


@data.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--instrument", "instrument_file", type=_path, metavar="FILE", help="Also judge a table's ticks by this.")
@_source_options
@_catalogue_option
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    instrument_file: Path | None,
    catalogue: Path | None,
    as_json: bool,
    **choice: Any,
) -> None:
    """Check histories, or tables before their import: gaps, repeated, reversed and impossible rows.

    The exit code is 1 when anything is wrong or missing.
    """
    from ..history.matching import Choice
    from .data_work import examine

    if not examine(names, instrument_file, Choice(**choice), catalogue, as_json):
        ctx.exit(1)


@data.command("synth")
@click.argument("name")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--bars", type=click.IntRange(1, 5_000_000), default=10_000, show_default=True)
@click.option(
    "--interval", "interval_ns", default="5m", show_default=True, callback=_checked(_interval), help="Length of a bar."
)
@click.option(
    "--start", "start_ns", default="2024-01-01", show_default=True, callback=_checked(_time), help="First open, UTC."
)
@click.option("--kind", type=click.Choice(["bars", "ticks"]), default="bars", show_default=True)
@click.option("--symbol", "symbols", multiple=True, default=("BTC/USDT",), show_default=True, help="One or more.")
@click.option(
    "--price",
    "prices",
    multiple=True,
    default=("20000",),
    show_default=True,
    callback=_checked(_decimal),
    help="First price, one for all symbols or one each.",
)
@click.option("--volume", default="10", show_default=True, callback=_checked(_decimal), help="Mean per bar, base.")
@click.option("--volatility", type=float, default=0.04, show_default=True, help="Standard deviation of a day's return.")
@click.option("--correlation", type=float, default=0.7, show_default=True, help="Between the symbols.")
@click.option(
    "--quiet-bars", "quiet", type=float, default=0.002, show_default=True, help="Share of bars without a trade."
)
@click.option("--instrument", "instrument_file", type=_path, metavar="FILE", help="Tick, lot and filters; else these:")
@click.option("--venue", "--market", "venue", default="", help="Which venue of the instrument file.")
@click.option("--tick", default="0.01", show_default=True, help="Price step.")
@click.option("--lot", default="0.00001", show_default=True, help="Quantity step.")
@click.option("--to", type=_path, metavar="DIR|NAME.b4h", help="Where to write; else the catalogue.")
@_catalogue_option
@click.option("--force", is_flag=True, help="Replace a history that exists.")
@json_option
def synth(
    name: str,
    symbols: tuple[str, ...],
    prices: tuple[Decimal, ...],
    volume: Decimal,
    kind: str,
    instrument_file: Path | None,
    venue: str,
    tick: str,
    lot: str,
    to: Path | None,
    catalogue: Path | None,
    force: bool,
    as_json: bool,
    **character: Any,
) -> None:
    """Make a seeded market with trends, storms and jumps: the same bytes on every machine.

    Several symbols move together; each becomes a history NAME-SYMBOL.
    """
    from .data_work import Made, Place, make_market

    make_market(
        name,
        symbols,
        prices,
        Made(source=instrument_file, venue=venue, tick=tick, lot=lot),
        kind=kind,
        volume=volume,
        place=Place(to, catalogue, force),
        as_json=as_json,
        **character,
    )
