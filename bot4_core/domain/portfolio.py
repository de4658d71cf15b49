"""Positions and balances, in exact integers (TRADING.md O-8, DECISIONS.md D-3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec
from attrs import define, field

from ..errors import DomainError
from .instrument import Instrument
from .money import DERIVED, Rounding, check_int64, divide, from_units
from .order import Side


def fee_in_quote(instrument: Instrument, lots: int, cost_units: int, fee_units: int) -> int:
    """A fee taken in the base asset, in quote units at the fill's price, rounded against us (D-3, O-8).

    Args:
        instrument: what traded.
        lots: quantity of the fill.
        cost_units: quote units that changed hands.
        fee_units: fee in base-asset units, negative for a rebate.
    """
    return divide(fee_units * cost_units, instrument.base_units(lots), Rounding.CEILING)


def average_price(instrument: Instrument, lots: int, cost_units: int) -> Decimal | None:
    """The price at which so many lots, either sign, cost so many quote units; None for no lots."""
    if not lots:
        return None
    unit = Fraction(instrument.lot) * Fraction(instrument.multiplier)
    price = Fraction(cost_units, 10**instrument.quote_scale) / (abs(lots) * unit)
    return DERIVED.divide(Decimal(price.numerator), Decimal(price.denominator))


class Closed(msgspec.Struct, frozen=True, gc=False):
    """A closed portion of a position; all amounts in quote units.

    Args:
        entry_ts, exit_ts: first fill of the position and the closing fill, UTC ns.
        side: BUY for a long that was sold, SELL for a short that was bought back.
        lots: closed quantity.
        entry_cost, exit_cost: what the portion cost to open and brought at its close (positive).
        entry_fees, exit_fees: fees of both, each counted once.
        pnl: profit after fees.
        adverse_ticks: worst price seen while it was open (R-38), 0 when never marked.
    """

    entry_ts: int
    exit_ts: int
    side: Side
    lots: int
    entry_cost: int
    exit_cost: int
    entry_fees: int
    exit_fees: int
    pnl: int
    adverse_ticks: int


@define(eq=False)
class Position:
    """Net position in one instrument: weighted entry, partial closes, flips (R-38).

    Attributes:
        lots: signed quantity, negative when short.
        entry_cost: quote units that the open lots cost (positive).
        entry_fees: fees in quote units paid for the open lots.
        realised: sum of ``Closed.pnl`` in quote units.
        opened_ns: first fill of the open position, 0 when flat.
        adverse_ticks: worst price against the position since it opened, 0 before the first mark.
    """

    instrument: Instrument
    lots: int = 0
    entry_cost: int = 0
    entry_fees: int = 0
    realised: int = 0
    opened_ns: int = 0
    adverse_ticks: int = 0

    def apply(self, side: Side, lots: int, cost: int, fee: int, ts: int) -> Closed | None:
        """Applies one fill.

        Args:
            side: of the fill.
            lots: filled quantity, positive.
            cost: quote units that changed hands, positive.
            fee: fee in quote units (negative = rebate).
            ts: UTC ns.

        Returns:
            The portion this fill closed, or None when it only opened or added. A fill larger than the position
            closes it and opens the other side with the rest; cost and fee are split by quantity, the remainder
            of each division staying with the opened part.

        Raises:
            DomainError: for a fill of no lots; nothing changed.
        """
        if lots <= 0:
            raise DomainError(f"{self.instrument.symbol}: a fill of {lots} lots cannot be")
        held = abs(self.lots)
        closing = 0 if self.lots * side.sign >= 0 else min(lots, held)
        exit_cost = cost if closing == lots else divide(cost * closing, lots, Rounding.FLOOR)
        exit_fee = fee if closing == lots else divide(fee * closing, lots, Rounding.FLOOR)
        closed = self._close(closing, exit_cost, exit_fee, ts) if closing else None
        if lots > closing:
            self._open(side, lots - closing, cost - exit_cost, fee - exit_fee, ts)
        return closed

    def _close(self, lots: int, cost: int, fee: int, ts: int) -> Closed:
        held = abs(self.lots)
        entry_cost = divide(self.entry_cost * lots, held, Rounding.FLOOR)
        entry_fees = divide(self.entry_fees * lots, held, Rounding.FLOOR)
        direction = 1 if self.lots > 0 else -1
        pnl = direction * (cost - entry_cost) - entry_fees - fee
        side = Side.BUY if direction > 0 else Side.SELL
        closed = Closed(
            self.opened_ns, ts, side, lots, entry_cost, cost, entry_fees, fee, pnl, self.adverse_ticks
        )
        self.lots -= direction * lots
        self.entry_cost -= entry_cost
        self.entry_fees -= entry_fees
        self.realised += pnl
        if self.lots == 0:
            self.opened_ns = 0
            self.adverse_ticks = 0
        return closed

    def _open(self, side: Side, lots: int, cost: int, fee: int, ts: int) -> None:
        if self.lots == 0:
            self.opened_ns = ts
        self.lots = check_int64(self.lots + side.sign * lots, "position")
        self.entry_cost += cost
        self.entry_fees += fee

    def observe(self, low_ticks: int, high_ticks: int) -> None:
        """Moves the worst price seen while the position is open: ``low_ticks`` hurts a long, ``high_ticks`` a short."""
        if self.lots > 0:
            self.adverse_ticks = min(self.adverse_ticks or low_ticks, low_ticks)
        elif self.lots < 0:
            self.adverse_ticks = max(self.adverse_ticks, high_ticks)

    def unrealised(self, mark_ticks: int) -> int:
        """Profit of the open lots at a price, before its exit fee, in quote units (entry fees not deducted)."""
        value = self.instrument.cost_units(mark_ticks, abs(self.lots))
        return value - self.entry_cost if self.lots >= 0 else self.entry_cost - value

    @property
    def quantity(self) -> Decimal:
        """Signed quantity in base."""
        return self.instrument.quantity(self.lots)

    @property
    def average_entry(self) -> Decimal | None:
        """Weighted entry price, derived from cost and quantity; None when flat."""
        return average_price(self.instrument, self.lots, self.entry_cost)


@define(eq=False)
class Portfolio:
    """Balances per asset as a double-entry ledger: our account, the market's and the fee collector's sum to zero.

    Args:
        scales: decimals of each asset.
    """

    scales: Mapping[str, int]
    own: dict[str, int] = field(factory=dict)
    market: dict[str, int] = field(factory=dict)
    fees: dict[str, int] = field(factory=dict)

    def deposit(self, asset: str, units: int) -> None:
        """Books so many units of an asset brought in from outside; DomainError for an asset that is not traded here."""
        if asset not in self.scales:
            raise DomainError(f"asset {asset} is not traded here; known: {', '.join(sorted(self.scales))}")
        self._transfer(asset, units, self.market)

    def apply_fill(
        self, instrument: Instrument, side: Side, lots: int, cost: int, fee: int, fee_asset: str
    ) -> None:
        """Books one fill: base one way, quote the other, the fee in its own asset, each once.

        Args:
            instrument: what traded.
            side: of the fill.
            lots: quantity.
            cost: quote units that changed hands, positive.
            fee: units of ``fee_asset`` (negative = rebate).
            fee_asset: the asset the fee is taken in.
        """
        self._transfer(instrument.base, side.sign * instrument.base_units(lots), self.market)
        self._transfer(instrument.quote, -side.sign * cost, self.market)
        self._transfer(fee_asset, -fee, self.fees)

    def _transfer(self, asset: str, units: int, counterpart: dict[str, int]) -> None:
        self.own[asset] = check_int64(self.own.get(asset, 0) + units, f"{asset} balance")
        counterpart[asset] = counterpart.get(asset, 0) - units

    def balance(self, asset: str) -> Decimal:
        """Our balance of an asset."""
        return from_units(self.own.get(asset, 0), self.scales.get(asset, 8))

    def imbalance(self) -> dict[str, int]:
        """Assets whose three accounts do not sum to zero; empty when the books are right."""
        assets = {*self.own, *self.market, *self.fees}
        sums = {a: self.own.get(a, 0) + self.market.get(a, 0) + self.fees.get(a, 0) for a in sorted(assets)}
        return {asset: total for asset, total in sums.items() if total}
