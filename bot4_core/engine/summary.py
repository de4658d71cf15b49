"""What a run was finished with, and the proof that its books are the exchange's."""

from __future__ import annotations

from ..domain.money import from_units
from ..errors import ExchangeError
from .assemble import Assembly
from .core import Engine


def agree(assembly: Assembly) -> None:
    """Our books against the exchange's and against themselves, to the smallest unit.

    Raises:
        ExchangeError: when a balance differs; then bot4 or the exchange plugin is wrong, and so is the run.
    """
    ours = {asset: (total, 0) for asset, total in assembly.account.portfolio.imbalance().items()}
    for asset, (mine, theirs) in sorted({**ours, **assembly.differences()}.items()):
        raise ExchangeError(f"{asset}: our books say {mine} units, the exchange {theirs}; do not trust this run")


def run_summary(
    assembly: Assembly, engine: Engine, reason: str, wall_s: float, window: tuple[int, int]
) -> dict[str, object]:
    """The figures of RUN_END.

    Args:
        assembly, engine: the run.
        reason: why it ended.
        wall_s: how long it took.
        window: first and last time of the market, UTC ns.
    """
    account, desk = assembly.account, engine.desk
    events = assembly.exchange.processed()
    return {
        "reason": reason,
        "events": events,
        "wakes": engine.dispatch.wakes,
        "approved": desk.gate.approved,
        "refused": desk.gate.denied,
        "fills": engine.fills,
        "end_equity": str(account.equity),
        "max_drawdown": str(from_units(account.valuation.max_drawdown_ppb, 9)),
        "open_positions": [
            _position(engine, index) for index, position in enumerate(account.positions) if position.lots
        ],
        "balances": {asset: str(account.portfolio.balance(asset)) for asset in sorted(account.portfolio.own)},
        "first_ts": window[0],
        "last_ts": window[1],
        "wall_s": wall_s,
        "events_per_s": events / wall_s if wall_s > 0 else None,
        "uncovered_lot_ns": engine.coverage.uncovered_lot_ns,
    }


def _position(engine: Engine, index: int) -> dict[str, object]:
    account = engine.account
    position, mark = account.positions[index], account.mark_ticks(index)
    instrument = position.instrument
    entry = position.average_entry
    return {
        "symbol": instrument.symbol,
        "quantity": str(position.quantity),
        "average_entry": None if entry is None else str(entry),
        "mark": str(instrument.price(mark)),
        "unrealised": str(from_units(position.unrealised(mark), instrument.quote_scale)),
    }
