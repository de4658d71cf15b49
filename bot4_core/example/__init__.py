"""The bundled example: what ``bot4 demo`` runs and ``bot4 init`` writes."""

from __future__ import annotations

import os
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from attrs import frozen

from ..domain.instrument import Instrument
from ..errors import ConfigError
from ..history.file import write_history
from ..history.synth import Market, synth_market

#: 2025-01-01 00:00 UTC
_START_NS = 1_735_689_600 * 10**9
_HOUR_NS = 3600 * 10**9
#: a little over half a year of hours
_BARS = 4400


@frozen
class _Listing:
    symbol: str
    tick: str
    lot: str
    price: str
    volume: str


#: made-up markets with the filters of well-known spot pairs
_LISTINGS = (
    _Listing("BTC/USDT", "0.01", "0.00001", "94000", "900"),
    _Listing("ETH/USDT", "0.01", "0.0001", "3350", "15000"),
    _Listing("SOL/USDT", "0.01", "0.001", "190", "150000"),
)


def write_example(folder: Path, seed: int) -> list[Path]:
    """Writes the bot, its strategy and made-up histories into a folder.

    Args:
        folder: made when missing; nothing in it is overwritten.
        seed: of the histories and of the bot.

    Returns:
        The files written, the bot's TOML first.

    Raises:
        ConfigError: when the folder cannot be made or one of the files is already there.
    """
    names = ["bot.toml", "trend.py", *(f"{_stem(each)}.b4h" for each in _LISTINGS)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}; name another folder") from error
    taken = [name for name in names if os.path.lexists(folder / name)]
    if taken:
        raise ConfigError(f"{folder}: {', '.join(taken)} would be overwritten; name an empty folder")
    source = files(__package__)
    for name in names[:2]:
        text = (source / f"{name}.txt").read_text(encoding="utf-8").replace("@SEED@", str(seed))
        try:
            with open(folder / name, "x", encoding="utf-8") as stream:  # never onto what appeared since
                stream.write(text)
        except OSError as error:
            raise ConfigError(f"{folder / name}: cannot be written: {error.strerror}") from error
    _write_histories(folder, seed)
    return [folder / name for name in names]


def _stem(listing: _Listing) -> str:
    return f"{listing.symbol.replace('/', '').lower()}-1h"


def _write_histories(folder: Path, seed: int) -> None:
    instruments = [
        Instrument(symbol=each.symbol, tick=each.tick, lot=each.lot, min_notional=5, volume_scale=5)
        for each in _LISTINGS
    ]
    market = Market(seed=seed, start_ns=_START_NS, bars=_BARS, interval_ns=_HOUR_NS)
    made = synth_market(
        instruments,
        market,
        start_prices=[Decimal(each.price) for each in _LISTINGS],
        volumes=[Decimal(each.volume) for each in _LISTINGS],
    )
    for listing, instrument, events in zip(_LISTINGS, instruments, made, strict=True):
        write_history(
            folder / f"{_stem(listing)}.b4h", instrument, events,
            interval_ns=_HOUR_NS, source=f"synth seed {seed}", roundings=0,
        )
