"""Runs that ended without a clean stop: what they left, and the end their journal gets at the next start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from attrs import frozen

from ..domain.order import TERMINAL
from ..domain.portfolio import average_price
from ..errors import StoreError
from .fold import STATE_NAME
from .reading import RunRow
from .rows import OrderRow, Rows
from .store import Store
from .writer import JournalWriter

#: Reason in the summary of a run that was closed here.
LOST_REASON = "lost: ended without a clean stop; closed at the next start"

_ENDED = frozenset(STATE_NAME[state] for state in TERMINAL)
_SUBMITTED = "submitted"
_UNKNOWN = "unknown"


@frozen(kw_only=True)
class LostRun:
    """A run that ended without a clean stop, as its journal knows it; ``str`` says it in lines for a person.

    Args:
        run_id, mode, created_ns: as in the journal.
        last_seq, last_ts: of its last record before it was closed; UTC ns.
        working_orders: orders that the exchange had accepted and that had not ended, by role. Stops and targets that
            wait at the exchange for their entry's first fill count as accepted when it was.
        positions: symbol and signed quantity of what it held.
        unknown_intents: ids of orders that were about to be sent and of which nothing was ever heard.
    """

    run_id: str
    mode: str
    created_ns: int
    last_seq: int
    last_ts: int
    working_orders: Mapping[str, int]
    positions: tuple[tuple[str, Decimal], ...]
    unknown_intents: tuple[int, ...]

    def __str__(self) -> str:
        orders = ", ".join(f"{count} {role}" for role, count in self.working_orders.items()) or "none"
        held = ", ".join(f"{quantity.normalize():f} {symbol}" for symbol, quantity in self.positions) or "nothing"
        lines = [
            f"run {self.run_id} ({self.mode}, started {_utc(self.created_ns)}) ended without a clean stop; its journal"
            f" is whole up to record {self.last_seq} ({_utc(self.last_ts)}) and was closed now",
            f"run {self.run_id} held {held}; working orders: {orders}"
            + ("; on paper all of it ended with the run" if self.mode == "paper" else ""),
        ]
        if self.unknown_intents:
            count = len(self.unknown_intents)
            ids = ", ".join(map(str, self.unknown_intents[:5])) + (", ..." if count > 5 else "")
            orders = "1 order" if count == 1 else f"{count} orders"
            lines.append(f"run {self.run_id} heard nothing of {orders} it was about to send: {ids}")
        return "\n".join(lines)


def close_lost_runs(store: Store, bot: str, now_ns: int) -> list[LostRun]:
    """Ends every paper and live run of a bot that has no end, and says what each of them left.

    Each gets a RUN_END with :data:`LOST_REASON`, what the journal proves of it (its open positions, without marks, and
    the period of its records) and the result hash of what it did; figures that only the run itself knew, such as its
    equity at the end, are left out. Backtests are left alone: one may
    be running at this moment, while the bot's lock keeps a second paper or live run away. A second call finds nothing.

    Args:
        store: open journal, in mode "paper" or "live".
        bot: name of the bot; its lock is held, its last recorder gone.
        now_ns: wall time, UTC ns, kept in the summary.

    Returns:
        The runs, oldest first.

    Raises:
        StoreError: a run cannot be read or ended.
    """
    return [_close(store, row, now_ns) for row in store.unfinished(bot)]


def _close(store: Store, row: RunRow, now_ns: int) -> LostRun:
    try:
        writer = JournalWriter.reopen(store, row.run_id)
        rows = store.rows(row.run_id)
        lost = _lost(row, writer, rows)
        summary = {"reason": LOST_REASON, "closed_ns": now_ns, "open_positions": _open_positions(writer, rows)}
        if first := store.records_after(row.run_id, 0, 1):  # the record before these is the start, in wall time
            summary |= {"first_ts": first[0].ts, "last_ts": writer.last_ts}
        writer.finish(summary)
    except StoreError as error:
        raise StoreError(
            f"run {row.run_id}, which ended without a clean stop, cannot be closed: {error};"
            " restore the journal from a backup, or name another one"
        ) from error
    return lost


def _lost(row: RunRow, writer: JournalWriter, rows: Rows) -> LostRun:
    orders = {order.order_id: order for order in rows.orders}
    unknown = tuple(each.order_id for each in rows.orders if _is_unknown(each, orders))
    working = Counter(each.role for each in rows.orders if _is_working(each, orders))
    instruments = writer.info.instruments
    return LostRun(
        run_id=row.run_id,
        mode=row.mode,
        created_ns=row.created_ns,
        last_seq=writer.next_seq - 1,
        last_ts=writer.last_ts,
        working_orders=dict(sorted(working.items())),
        positions=tuple(
            (instruments[held.instrument].symbol, instruments[held.instrument].quantity(held.lots))
            for held in rows.positions
            if held.lots
        ),
        unknown_intents=unknown,
    )


def _open_positions(writer: JournalWriter, rows: Rows) -> list[dict[str, str]]:
    instruments = writer.info.instruments
    return [
        {
            "symbol": instruments[held.instrument].symbol,
            "quantity": str(instruments[held.instrument].quantity(held.lots)),
            "average_entry": str(average_price(instruments[held.instrument], held.lots, held.entry_cost_units)),
        }
        for held in rows.positions
        if held.lots
    ]


def _is_unknown(order: OrderRow, orders: Mapping[int, OrderRow]) -> bool:
    if order.state == _UNKNOWN:
        return True
    # an attached order is heard of only when its entry fills; until then the entry speaks for both
    parent = orders.get(order.parent_id)
    return order.state == _SUBMITTED and (parent is None or parent.filled_lots > 0)


def _is_working(order: OrderRow, orders: Mapping[int, OrderRow]) -> bool:
    if order.state in _ENDED or _is_unknown(order, orders):
        return False
    if order.state != _SUBMITTED:
        return True
    return orders[order.parent_id].state not in _ENDED | {_SUBMITTED, _UNKNOWN}  # attached, or it would be unknown


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
