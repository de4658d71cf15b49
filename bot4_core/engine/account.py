"""The bot's own books: balances, positions, equity marked to market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from ..domain.event import Kind
from ..domain.instrument import Instrument
from ..domain.money import Rounding, divide, from_units
from ..domain.order import Side
from ..domain.portfolio import Closed, Portfolio, Position, fee_in_quote
from ..errors import ConfigError, DomainError
from ..native.valuation import Valuation

#: samples of the equity curve are taken on one of these lengths, ns: the first that needs at most _SAMPLES of them
_SAMPLE_LENGTHS = tuple(s * 10**9 for s in (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 86400))
_SAMPLES = 4000
_MARKS = 1 << Kind.BAR | 1 << Kind.TRADE


def _decimals(tick: Decimal) -> int:
    exponent = tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _sample_length(span_ns: int) -> int:
    return next((length for length in _SAMPLE_LENGTHS if span_ns // length <= _SAMPLES), _SAMPLE_LENGTHS[-1])


class Account:
    """Balances, positions and equity of one run.

    Args:
        instruments: the run's instrument table.
        balances: starting balance per asset, units.
        mark_kinds: event kinds that mark each instrument, as a mask of ``1 << kind`` (K-10); None = bars and trades.
        span_ns: expected length of the run, to choose the curve's sampling.

    Raises:
        ConfigError: when an asset cannot be valued in the reporting asset, or has two scales.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        balances: Mapping[str, int],
        *,
        span_ns: int,
        mark_kinds: Sequence[int] | None = None,
    ) -> None:
        self.instruments = tuple(instruments)
        self.reporting = self._reporting_asset(balances)
        scales = self._scales()
        self.scale = scales[self.reporting]
        self.portfolio = Portfolio(scales)
        self.positions = [Position(each) for each in self.instruments]
        self._valuer = self._find_valuers(scales)
        fine = max([self.scale, *(each.base_scale + _decimals(each.tick) for each in self.instruments)])
        self._cash_mul = 10 ** (fine - self.scale)
        self._muls = [int(each.tick * Decimal(10) ** (fine - each.base_scale)) for each in self.instruments]
        self.valuation = Valuation(
            len(self.instruments), sample_ns=_sample_length(span_ns), cash_mul=self._cash_mul
        )
        for index in range(len(self.instruments)):
            self.valuation.set_mark_kinds(index, mark_kinds[index] if mark_kinds else _MARKS)
        for asset, units in balances.items():
            self.portfolio.deposit(asset, units)
            self._value(asset)

    def _scales(self) -> dict[str, int]:
        """Decimals of each asset, the same wherever it trades: balances are kept in them."""
        found: dict[str, tuple[int, str]] = {}
        for each in self.instruments:
            for asset, scale in ((each.base, each.base_scale), (each.quote, each.quote_scale)):
                known, where = found.setdefault(asset, (scale, each.symbol))
                if known != scale:
                    raise ConfigError(
                        f"{asset} has {known} decimals in {where} and {scale} in {each.symbol}: import both alike"
                    )
        return {asset: scale for asset, (scale, _) in found.items()}

    def _reporting_asset(self, balances: Mapping[str, int]) -> str:
        """The first funded asset that something is quoted in."""
        quotes = [each.quote for each in self.instruments]
        return next((asset for asset, units in balances.items() if units and asset in quotes), quotes[0])

    def _find_valuers(self, scales: Mapping[str, int]) -> dict[str, int]:
        valuers: dict[str, int] = {}
        for index, each in enumerate(self.instruments):
            if each.quote == self.reporting:
                valuers.setdefault(each.base, index)
        missing = sorted(set(scales) - set(valuers) - {self.reporting})
        if missing:
            raise ConfigError(
                f"{missing[0]} cannot be valued in {self.reporting}: add the history of {missing[0]}/{self.reporting}"
            )
        return valuers

    def _value(self, asset: str) -> None:
        """Tells the native valuation how much of an asset we hold now."""
        units = self.portfolio.own.get(asset, 0)
        if asset == self.reporting:
            self.valuation.set_cash(units)
        else:
            index = self._valuer[asset]
            self.valuation.set_position(index, units, self._muls[index])

    def apply_fill(
        self, index: int, side: Side, lots: int, cost: int, fee: int, fee_in_base: bool, ts: int
    ) -> Closed | None:
        """Books a fill in balances, position and valuation.

        Args:
            index: instrument.
            side, lots: of the fill.
            cost: quote units that changed hands.
            fee: units of the quote asset, or of the base asset when ``fee_in_base``.
            fee_in_base: which asset the fee came out of.
            ts: UTC ns.

        Returns:
            The closed portion of the position, if any.
        """
        instrument = self.instruments[index]
        fee_asset = instrument.base if fee_in_base else instrument.quote
        self.portfolio.apply_fill(instrument, side, lots, cost, fee, fee_asset)
        quote_fee = fee_in_quote(instrument, lots, cost, fee) if fee_in_base else fee
        position = self.positions[index]
        low, high = self.valuation.range_of(index)
        if low:
            position.observe(low, high)
        before = position.lots
        closed = position.apply(side, lots, cost, quote_fee, ts)
        if before * position.lots <= 0:
            self.valuation.reset_range(index)
        self._value(instrument.base)
        self._value(instrument.quote)
        return closed

    def equity_units(self) -> int:
        """Equity marked to market, units of the reporting asset."""
        return self.valuation.equity

    @property
    def equity(self) -> Decimal:
        """Equity marked to market."""
        return from_units(self.valuation.equity, self.scale)

    def mark_ticks(self, index: int) -> int:
        """The price that marks an instrument now, ticks; 0 before the first."""
        return self.valuation.mark_of(index)

    def position_lots(self, index: int) -> int:
        """Net position, lots."""
        return self.positions[index].lots

    def notional_units(self, index: int, lots: int, ticks: int) -> int:
        """Price × quantity in units of the reporting asset, rounded up.

        Raises:
            DomainError: when the quote asset has no price yet.
        """
        instrument = self.instruments[index]
        cost = instrument.cost_units(ticks, abs(lots), Rounding.CEILING)
        if instrument.quote == self.reporting:
            return cost
        valuer = self._valuer[instrument.quote]
        mark = self.valuation.mark_of(valuer)
        if mark <= 0:
            raise DomainError(f"{instrument.quote} has no price in {self.reporting} yet")
        return divide(cost * mark * self._muls[valuer], self._cash_mul, Rounding.CEILING)

    def same_base(self, index: int) -> list[int]:
        """Instruments that share the base asset of one (K-1 judges them together)."""
        base = self.instruments[index].base
        return [i for i, each in enumerate(self.instruments) if each.base == base]
