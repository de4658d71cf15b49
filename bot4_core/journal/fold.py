"""The fold: from the journal's records, in seq order, to orders, fills, positions, trades, denials and equity.

Pure: no I/O, no clock. The database's projections are its output, so folding ``events`` again must give them back
exactly (verify.py). Facts are never refused: a late fill, an overfill or a report about an order that we never
sent is applied and flagged (TRADING.md O-3, K-8); a fill that is reported twice counts once (O-4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from ..domain.event import Flag, Kind, Reason
from ..domain.instrument import Instrument
from ..domain.order import MOVES, TERMINAL, OrderState
from ..domain.portfolio import fee_in_quote
from ..errors import StoreError
from .holdings import Holdings
from .records import JOURNAL_FORMAT, HaltBlob, IntentBlob, RunInfo, Words
from .rows import EquityRow, FillRow, OrderRow, RiskEventRow, Rows

_T = TypeVar("_T")

#: The state machine in the words that rows are stored in.
STATE_NAME = {state: state.name.lower() for state in OrderState}
_MOVES = {STATE_NAME[before]: frozenset(STATE_NAME[s] for s in after) for before, after in MOVES.items()}
_TERMINAL = frozenset(STATE_NAME[state] for state in TERMINAL)
_SUBMITTED = STATE_NAME[OrderState.SUBMITTED]
_DENIED = STATE_NAME[OrderState.DENIED]
_FILLED = STATE_NAME[OrderState.FILLED]
_PARTIAL = STATE_NAME[OrderState.PARTIALLY_FILLED]
_REASON_NAME = {reason.value: reason.name.lower() for reason in Reason}

#: Reports that end an order or move it on without a fill.
_REPORTS = {
    Kind.ACK: STATE_NAME[OrderState.ACKNOWLEDGED],
    Kind.TRIGGERED: STATE_NAME[OrderState.TRIGGERED],
    Kind.CANCELLED: STATE_NAME[OrderState.CANCELLED],
    Kind.REJECTED: STATE_NAME[OrderState.REJECTED],
    Kind.EXPIRED: STATE_NAME[OrderState.EXPIRED],
}

_intent = msgspec.json.Decoder(IntentBlob)
_halt = msgspec.json.Decoder(HaltBlob)
_SELL = int(Flag.SELL)
_MAKER = int(Flag.MAKER)
_FEE_BASE = int(Flag.FEE_BASE)
_VIOLATION = int(Flag.VIOLATION)

_DAMAGED = "the journal is damaged, or its writer is wrong"

Handler = Callable[[int, int, int, int, Words, str | None], None]


class Fold:
    """Folds one run. Give :meth:`apply` every record in seq order, collect with :meth:`take`.

    Args:
        info: the run; its instruments give records their meaning.

    Attributes:
        orders: every order of the run by id, in seq order.
        duplicate_fills: fills that were reported again and not counted.
        next_seq: the seq that must come next.
    """

    def __init__(self, info: RunInfo) -> None:
        self.info = info
        self.orders: dict[int, OrderRow] = {}
        self.duplicate_fills = 0
        self.next_seq = 0
        self._holdings = Holdings(info.interval_ns)
        self._fill_keys: set[tuple[str, int, int, int, str]] = set()
        self._rows = Rows()
        self._dirty_orders: dict[int, OrderRow] = {}
        self._handlers: dict[int, Handler] = {
            Kind.RUN_START: self._run_start,
            Kind.INTENT: self._intent,
            Kind.DENIED: self._denied,
            Kind.FILL: self._fill,
            Kind.CANCEL: self._cancel,
            Kind.CANCEL_REJECTED: self._cancel_rejected,
            Kind.RESIZED: self._resized,
            Kind.HALT: self._halt,
            Kind.EQUITY: self._equity,
            **{kind: self._report(state) for kind, state in _REPORTS.items()},
        }

    def apply(
        self, seq: int, ts: int, instrument: int, kind: int, flags: int, v: Words, blob: str | None
    ) -> None:
        """Folds one record (fields as in records.Record). Market data and unknown kinds change nothing.

        Raises:
            StoreError: a gap in seq, a blob that cannot be read, an instrument or order id that cannot be.
        """
        if seq != self.next_seq:
            raise StoreError(f"the journal jumps from seq {self.next_seq - 1} to {seq}: {_DAMAGED}")
        self.next_seq = seq + 1
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(seq, ts, instrument, flags, v, blob)

    def take(self) -> Rows:
        """Rows that are new or changed since the last call; orders, positions and trades as they now are."""
        rows, self._rows = self._rows, Rows()
        rows.orders = sorted((msgspec.structs.replace(r) for r in self._dirty_orders.values()), key=_seq)
        rows.positions, rows.round_trips = self._holdings.take()
        self._dirty_orders.clear()
        return rows

    # ---- orders ----

    def _run_start(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        if v[0] > JOURNAL_FORMAT:
            raise StoreError(f"the run has journal format {v[0]}, this bot4 knows {JOURNAL_FORMAT}: update bot4-core")

    def _intent(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        self._new_order(seq, ts, instrument, v, _decode(_intent, seq, blob), _SUBMITTED)

    def _denied(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        wish = _decode(_intent, seq, blob)
        row = self._new_order(seq, ts, instrument, v, wish, _DENIED)
        if wish.failures:
            row.reason = wish.failures[0].rule
        for n, failure in enumerate(wish.failures):
            event = RiskEventRow(
                seq=seq,
                n=n,
                ts=ts,
                action="denied",
                order_id=v[0],
                instrument=instrument,
                strategy=wish.strategy,
                rule=failure.rule,
                measured=failure.measured,
                limit=failure.limit,
                unit=failure.unit,
                note="",
            )
            self._rows.risk_events.append(event)

    def _new_order(self, seq: int, ts: int, instrument: int, v: Words, wish: IntentBlob, state: str) -> OrderRow:
        order_id, quantity_lots, price_ticks, trigger_ticks, parent_id = v[:5]
        if order_id in self.orders:
            raise StoreError(f"seq {seq}: order id {order_id} is used twice; ids are never used again (O-7)")
        self._instrument(seq, instrument)
        row = OrderRow(
            order_id=order_id,
            seq=seq,
            ts=ts,
            updated_ts=ts,
            instrument=instrument,
            exchange=wish.exchange,
            strategy=wish.strategy,
            client_id=wish.client_id or None,
            side=wish.side,
            type=wish.type,
            tif=wish.tif,
            role=wish.role,
            state=state,
            quantity_lots=quantity_lots,
            price_ticks=price_ticks,
            trigger_ticks=trigger_ticks,
            parent_id=parent_id,
            stop_ticks=wish.stop_ticks,
            target_ticks=wish.target_ticks,
            worst_ticks=wish.worst_ticks,
            equity_units=wish.equity,
            size_fraction=wish.size_fraction,
            reduce_only=wish.reduce_only,
            post_only=wish.post_only,
            tag=wish.tag.replace("\0", "\N{REPLACEMENT CHARACTER}"),  # PostgreSQL's text has no NUL
            signal_strength=wish.signal_strength,
            ta_score=wish.ta_score,
            ml_confidence=wish.ml_confidence,
        )
        self.orders[order_id] = self._dirty_orders[order_id] = row
        return row

    def _known(self, seq: int, ts: int, instrument: int, flags: int, order_id: int) -> OrderRow:
        """The order a report names; one that we never sent is adopted and flagged (K-8)."""
        row = self.orders.get(order_id)
        if row is None:
            side: str = "sell" if flags & _SELL else "buy"
            wish = IntentBlob(strategy="", exchange=self._exchange_of_stranger(), side="buy", type="external")
            row = self._new_order(seq, ts, instrument, (order_id, 0, 0, 0, 0, 0), wish, _SUBMITTED)
            row.side, row.role, row.violation = side, "external", True
        row.updated_ts = ts
        self._dirty_orders[order_id] = row
        return row

    def _exchange_of_stranger(self) -> str:
        """A run with one exchange can have got the report from nowhere else."""
        return next(iter(self.info.accounts)) if len(self.info.accounts) == 1 else ""

    def _report(self, after: str) -> Handler:
        ends = after in _TERMINAL

        def apply(seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
            row = self._known(seq, ts, instrument, flags, v[0])
            if ends:
                row.reported_lots = v[1]
                row.pending_cancel = False
            if after in _MOVES[row.state]:
                row.state = after
                row.reason = _reason(v[2]) if ends else row.reason

        return apply

    def _cancel(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        self._known(seq, ts, instrument, flags, v[0]).pending_cancel = True

    def _cancel_rejected(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        self._known(seq, ts, instrument, flags, v[0]).pending_cancel = False

    def _resized(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        """A stop or target shrinks to what its entry really filled; it may be done by that."""
        row = self._known(seq, ts, instrument, flags, v[0])
        row.quantity_lots = v[1]
        if row.state not in _TERMINAL and 0 < row.quantity_lots <= row.filled_lots:
            row.state = _FILLED
            row.pending_cancel = False

    # ---- fills ----

    def _fill(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        order_id, price_ticks, lots, fee_units, trade_id, cost_units = v
        if lots <= 0:
            raise StoreError(f"seq {seq}: a fill of {lots} lots cannot be: {_DAMAGED}")
        row = self._known(seq, ts, instrument, flags, order_id)
        key = (row.exchange, instrument, trade_id, order_id, row.side)
        if key in self._fill_keys:
            self.duplicate_fills += 1
            return
        self._fill_keys.add(key)
        traded = self._instrument(seq, instrument)
        fee_base = bool(flags & _FEE_BASE)
        fee_quote = fee_in_quote(traded, lots, cost_units, fee_units) if fee_base else fee_units
        late = row.state in _TERMINAL
        row.filled_lots += lots
        row.cost_units += cost_units
        row.fee_units += fee_quote
        violation = late or row.filled_lots > row.quantity_lots or bool(flags & _VIOLATION)
        row.violation = row.violation or violation
        if not late:
            row.state = _FILLED if row.filled_lots >= row.quantity_lots else _PARTIAL
            if row.state == _FILLED:
                row.pending_cancel = False
        fill = FillRow(
            seq=seq,
            ts=ts,
            order_id=order_id,
            instrument=instrument,
            venue=self.info.venue_of(row.exchange),
            account=row.exchange,
            symbol=traded.symbol,
            trade_id=trade_id,
            venue_order_id=str(order_id),
            side=row.side,
            price_ticks=price_ticks,
            quantity_lots=lots,
            cost_units=cost_units,
            fee_units=fee_units,
            fee_asset=traded.base if fee_base else traded.quote,
            fee_scale=traded.base_scale if fee_base else traded.quote_scale,
            fee_quote_units=fee_quote,
            maker=bool(flags & _MAKER),
            violation=violation,
        )
        self._rows.fills.append(fill)
        self._holdings.apply(fill, row, traded)

    # ---- the rest ----

    def _halt(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        halt = _decode(_halt, seq, blob)
        event = RiskEventRow(
            seq=seq,
            n=0,
            ts=ts,
            action="halt",
            order_id=0,
            instrument=instrument,
            strategy="",
            rule=halt.rule or halt.reason,
            measured=halt.measured,
            limit=halt.limit,
            unit="",
            note=f"{halt.mode}: {halt.reason}",
        )
        self._rows.risk_events.append(event)

    def _equity(self, seq: int, ts: int, instrument: int, flags: int, v: Words, blob: str | None) -> None:
        row = EquityRow(
            seq=seq, ts=ts, equity_units=v[0], exposure_units=v[1], buy_hold_units=v[2], peak_units=v[3]
        )
        self._rows.equity.append(row)

    def _instrument(self, seq: int, index: int) -> Instrument:
        if not 0 <= index < len(self.info.instruments):
            held = len(self.info.instruments)
            raise StoreError(f"seq {seq} names instrument {index}, the run has {held}: {_DAMAGED}")
        return self.info.instruments[index]


def _seq(row: OrderRow) -> int:
    return row.seq


def _reason(code: int) -> str:
    return _REASON_NAME.get(code, f"code {code}")


def _decode(decoder: msgspec.json.Decoder[_T], seq: int, blob: str | None) -> _T:
    if blob is None:
        raise StoreError(f"seq {seq} has no blob, where its kind needs one: {_DAMAGED}")
    try:
        return decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise StoreError(f"the blob of seq {seq} cannot be read: {error}: {_DAMAGED}") from error
