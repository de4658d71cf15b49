"""Where an instrument's tick, lot and filters come from when data are imported (DECISIONS.md D-4).

A history names its instrument source, and the core knows no venue: the user gives a file. Three forms are read:

* a TOML or JSON mapping of :class:`Instrument`, or a list of them under ``instrument``; each may also say
  ``venue``, ``type`` (``spot`` or ``um``) and ``ticker`` (the venue's own symbol);
* Binance's answer to ``exchangeInfo``, spot or USD-M futures;
* the symbol-properties CSV of the LEAN project. Its column ``minimum_order_size`` means the smallest *cost in quote*
  for binance and binanceus (5 for BTCUSDT) and the smallest *quantity in base* elsewhere (0.00005 for Kraken's BTC).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from attrs import frozen

from ..domain.instrument import Instrument
from ..errors import ConfigError, DomainError

#: An exchangeInfo answer has 2 to 6 MB.
MAX_BYTES = 64 * 1024 * 1024
_LEAN_COLUMNS = {"market", "symbol", "type", "quote_currency", "minimum_price_variation", "lot_size", "market_ticker"}
_LEAN_TYPES = {"crypto": "spot", "cryptofuture": "um"}
_COST_MINIMUM = {"binance", "binanceus"}
_OWN_KEYS = ("venue", "type", "ticker")


@frozen(kw_only=True)
class Listing:
    """One instrument as a source lists it.

    Attributes:
        symbol: ``BASE/QUOTE``.
        venue: who lists it, or empty.
        market_type: ``spot``, ``um`` (USD-margined perpetual futures), ``dated`` (futures that expire) or empty.
        ticker: the venue's own symbol, or empty.
        mapping: what :meth:`Instrument.from_mapping` takes, ``version`` included.
    """

    symbol: str
    venue: str
    market_type: str
    ticker: str
    mapping: Mapping[str, object]

    def instrument(self, volume_scale: int | None = None) -> Instrument:
        """The instrument itself.

        Args:
            volume_scale: decimals of market-data volume, instead of what the source says.

        Raises:
            ConfigError: when the source's numbers are impossible.
        """
        extra = {} if volume_scale is None else {"volume_scale": volume_scale}
        try:
            return Instrument.from_mapping({**self.mapping, **extra})
        except DomainError as error:
            raise ConfigError(f"instrument {self.symbol}: {error}") from error

    def __str__(self) -> str:
        return " ".join(part for part in (self.venue, self.market_type, self.symbol) if part)


def read_listings(path: Path) -> tuple[Listing, ...]:
    """All instruments that a source file lists.

    Raises:
        ConfigError: when the file cannot be read or is none of the three forms.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes, which no instrument file is")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: instrument file cannot be read: {reason}") from error
    readers: dict[str, Callable[[str, str], list[Listing]]] = {
        ".csv": _read_lean,
        ".json": _read_json,
        ".toml": _read_toml,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: an instrument file ends in .toml, .json or .csv")
    try:
        listings = reader(text, path.stem)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path}: is no instrument file: {type(error).__name__}: {error}") from error
    if not listings:
        raise ConfigError(f"{path}: lists no instrument")
    return tuple(listings)


def choose_listing(listings: Sequence[Listing], *, symbol: str = "", venue: str = "", market_type: str = "") -> Listing:
    """The one listing that is meant.

    Args:
        listings: from :func:`read_listings`.
        symbol: ``BTC/USDT``, or the venue's own ``BTCUSDT``; empty when only one can be meant.
        venue, market_type: narrow the choice; where several types remain, ``spot`` is taken.

    Raises:
        ConfigError: when none or several fit; the message lists some.
    """
    wanted = [
        item
        for item in listings
        if (not symbol or plain(symbol) in (plain(item.symbol), plain(item.ticker)))
        and (not venue or item.venue == venue)
        and (not market_type or item.market_type in (market_type, ""))
    ]
    spot = [item for item in wanted if item.market_type == "spot"]
    if len(wanted) > 1 and spot and not market_type:
        wanted = spot
    if len(wanted) == 1:
        return wanted[0]
    asked = " ".join(part for part in (venue, market_type, symbol) if part) or "any symbol"
    if not wanted:
        raise ConfigError(f"the instrument file lists no {asked}; it has {_some(listings)}")
    raise ConfigError(
        f"the instrument file lists {asked} more than once: {_some(wanted)}; say --symbol, --venue and --type"
    )


def symbol_in_name(listings: Iterable[Listing], name: str) -> str:
    """The listed symbol that a file name holds as one of its parts (``x_btcusdt_5m.csv``); empty when not just one."""
    parts = {plain(part) for part in name.replace(".", "_").replace(" ", "_").split("_")}
    dashed = {plain(part) for part in name.replace(".", "_").replace("-", "_").split("_")}
    found = {item.symbol for item in listings if {plain(item.symbol), plain(item.ticker)} & (parts | dashed)}
    return found.pop() if len(found) == 1 else ""


@lru_cache(maxsize=65_536)  # a source lists thousands of symbols and is searched once per file
def plain(symbol: str) -> str:
    """A symbol as letters and digits only, so that ``BTC/USDT``, ``btc-usdt`` and ``BTCUSDT`` are one."""
    return "".join(character for character in symbol.upper() if character.isalnum())


def _some(listings: Sequence[Listing]) -> str:
    names = sorted({str(item) for item in listings})
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _version(stem: str, mapping: Mapping[str, object]) -> str:
    """Names source and content, so that two histories with the same version have the same filters (O-8)."""
    digest = hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()
    name = "".join(character if character.isprintable() and character != " " else "_" for character in stem[:48])
    return f"{name}-{digest[:8]}"


def _listing(stem: str, mapping: dict[str, object], venue: str, market_type: str, ticker: str) -> Listing:
    mapping.setdefault("version", _version(stem, mapping))
    symbol = str(mapping["symbol"])
    return Listing(symbol=symbol, venue=venue, market_type=market_type, ticker=ticker, mapping=mapping)


def _read_lean(text: str, stem: str) -> list[Listing]:
    reader = csv.DictReader(io.StringIO(text))
    missing = sorted(_LEAN_COLUMNS - set(reader.fieldnames or ()))
    if missing:
        raise ValueError(f"columns {', '.join(missing)} are missing")
    listings = []
    for row in reader:
        market_type, quote = _LEAN_TYPES.get(row["type"], ""), row["quote_currency"]
        base = row["symbol"].removesuffix(quote)
        if not market_type or not base or base == row["symbol"]:
            continue
        mapping: dict[str, object] = {
            "symbol": f"{base}/{quote}",
            "tick": row["minimum_price_variation"],
            "lot": row["lot_size"],
            "multiplier": row.get("contract_multiplier") or "1",
        }
        smallest = row.get("minimum_order_size") or ""
        if smallest:
            mapping["min_notional" if row["market"] in _COST_MINIMUM else "min_quantity"] = smallest
        listings.append(_listing(stem, mapping, row["market"], market_type, row["market_ticker"]))
    return listings


def _read_json(text: str, stem: str) -> list[Listing]:
    data = json.loads(text, parse_float=Decimal)
    if isinstance(data, dict) and isinstance(data.get("symbols"), list):
        return [_exchange_info(entry, stem) for entry in data["symbols"]]
    return _read_mapping(data, stem)


def _read_toml(text: str, stem: str) -> list[Listing]:
    return _read_mapping(tomllib.loads(text, parse_float=Decimal), stem)


def _read_mapping(data: object, stem: str) -> list[Listing]:
    if not isinstance(data, dict):
        raise TypeError("the top level must be a table")
    entries = data.get("instrument", data)
    listings = []
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry.get("symbol"), str):
            raise TypeError("an instrument needs a symbol such as BTC/USDT")
        # numbers may be written bare: parse_float kept them exact
        mapping = {key: str(value) if isinstance(value, Decimal) else value for key, value in entry.items()}
        own = [str(mapping.pop(key, "")) for key in _OWN_KEYS]
        listings.append(_listing(stem, mapping, *own))
    return listings


def _exchange_info(entry: Mapping[str, object], stem: str) -> Listing:
    filters: dict[str, Mapping[str, object]] = {}
    declared = entry["filters"]
    if not isinstance(declared, list):
        raise TypeError("filters must be a list")
    for item in declared:
        filters[item["filterType"]] = item
    size = filters["LOT_SIZE"]
    cost = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    mapping: dict[str, object] = {
        "symbol": f"{entry['baseAsset']}/{entry['quoteAsset']}",
        "tick": filters["PRICE_FILTER"]["tickSize"],
        "lot": size["stepSize"],
        "min_quantity": size["minQty"],
        "max_quantity": size["maxQty"],
        "min_notional": cost.get("minNotional") or cost.get("notional") or "0",
    }
    contract = entry.get("contractType")
    market_type = "spot" if contract is None else "um" if contract == "PERPETUAL" else "dated"
    return _listing(stem, mapping, "binance", market_type, str(entry["symbol"]))
