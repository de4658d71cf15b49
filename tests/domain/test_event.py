"""What a strategy reads from bars, trades and quotes (tests/native/test_event.py holds the record's layout)."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from bot4_core.domain.event import EVENT, EVENT_DTYPE, Bar, Kind, Quote, Trade
from bot4_core.domain.instrument import Instrument

ETH = Instrument(symbol="ETH/USDT", tick="0.05", lot="0.001", volume_scale=3)


def test_a_bar_shows_prices_of_its_tick_and_volume_of_its_own_scale() -> None:
    bar = Bar(ETH, 60, 100, 110, 90, 101, 12_345, 7, 60)

    assert (bar.open, bar.high, bar.low, bar.close) == tuple(Decimal(p) for p in ("5.00", "5.50", "4.50", "5.05"))
    assert bar.volume == Decimal("12.345")


def test_trades_and_quotes_show_exact_prices_and_sizes() -> None:
    trade = Trade(ETH, 1, 99, 1_500, 42, True)
    quote = Quote(ETH, 1, 99, 1_000, 101, 2_500)

    assert (trade.price, trade.quantity) == (Decimal("4.95"), Decimal("1.5"))
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == tuple(
        Decimal(x) for x in ("4.95", "1", "5.05", "2.5")
    )


def test_struct_and_numpy_read_the_same_fields_from_the_same_bytes() -> None:
    record = EVENT.pack(-1, 2**32 - 1, Kind.LEVEL, 65535, 1, -2, 3, -4, 5, -6)

    read = np.frombuffer(record, EVENT_DTYPE)[0]
    assert (read["ts"], read["instrument"], read["kind"], read["flags"]) == (-1, 2**32 - 1, Kind.LEVEL, 65535)
    assert read["v"].tolist() == [1, -2, 3, -4, 5, -6]


def test_market_data_reports_and_own_facts_keep_their_ranges_of_kinds() -> None:
    market = {Kind.BAR, Kind.TRADE, Kind.QUOTE, Kind.LEVEL}

    assert {kind for kind in Kind if kind < 16} == market
    assert Kind.ACK in {kind for kind in Kind if 16 <= kind < 32}
    assert Kind.INTENT in {kind for kind in Kind if kind >= 32}
