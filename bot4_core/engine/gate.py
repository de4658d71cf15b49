"""The gate: the one place every order passes, in backtest, paper and live alike (R-40).

Rules are a table of plain functions (``rules.py``); each answers None or a :class:`Failure` with what it measured and
what is allowed. All of them are asked, so a denial names every rule that failed. A rule that cannot measure denies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..domain.limits import Limits
from ..domain.order import Denied, Failure
from ..errors import Bot4Error
from ..native.latch import Latch
from ..protocols import RiskCheck, RiskPolicy
from .account import Account
from .orders import OrderTable
from .reducing import REDUCING_RULES
from .rules import ENTRY_RULES, Rule, Venue, Wish, likeness

#: equal orders are remembered by key; past this many keys the oldest are forgotten
_MAX_REMEMBERED = 1024
#: a policy's own texts are cut to this; they go into the journal
_MAX_TEXT = 200


def _short(text: object) -> str:
    return str(text)[:_MAX_TEXT]


class Gate:
    """Judges every order.

    Args:
        limits: the limits in force.
        account: the bot's books.
        orders: the run's orders.
        latch: the kill latch.
        venue: what the account at the venue allows.
        policies: risk policies, in the order of the config.

    Attributes:
        halted_symbols: instrument to the reason why it takes no new risk for the rest of the run (O-3).
        journal_waits_s: how long records have waited to be durable, when that is too long; None while all is well, and
            in a backtest. The driver sets it.
        halted: why the run halted itself, "" while it did not. A latch that is released then lets the next run trade,
            not this one.
    """

    def __init__(
        self,
        limits: Limits,
        account: Account,
        orders: OrderTable,
        latch: Latch,
        venue: Venue,
        policies: Sequence[tuple[str, RiskPolicy]] = (),
    ) -> None:
        self.limits = limits
        self.account = account
        self.orders = orders
        self.latch = latch
        self.venue = venue
        self.checks = tuple((name, policy) for name, policy in policies if isinstance(policy, RiskCheck))
        self.recent: deque[int] = deque(maxlen=limits.orders_per_second or 1)
        self.remembered: dict[tuple[int, ...], int] = {}
        self.halted_symbols: dict[int, str] = {}
        self.journal_waits_s: float | None = None
        self.halted = ""
        self.approved = 0
        self.denied = 0

    def judge(self, wish: Wish) -> Denied | None:
        """None when the order may go, else every rule that failed."""
        order = wish.order
        rules = ENTRY_RULES if order.raises_risk else REDUCING_RULES
        failures = [failure for name, rule in rules if (failure := self._ask(name, rule, wish))]
        if order.raises_risk:
            failures += [failure for name, policy in self.checks if (failure := self._consult(name, policy, wish))]
        if failures:
            self.denied += 1
            return Denied(tuple(failures))
        self.approved += 1
        if order.raises_risk:
            self._remember(wish)
        return None

    def withdraw(self) -> None:
        """An order that was approved is held back after all: the counts say so."""
        self.approved -= 1
        self.denied += 1

    def _ask(self, name: str, rule: Rule, wish: Wish) -> Failure | None:
        """One rule; a number it cannot work out is a denial, not a pass."""
        try:
            return rule(self, wish)
        except (Bot4Error, ArithmeticError) as error:
            return Failure(name, f"unknown ({error})", "a measured value")

    def _consult(self, name: str, policy: RiskCheck, wish: Wish) -> Failure | None:
        """One policy's free-form check; an exception vetoes, and so does an answer that is none.

        Whatever the policy calls its rule, it is journaled below the policy's own name, so that no policy can speak in
        the name of a rule of the core.
        """
        try:
            answer: object = policy.check(wish, self)
        except Exception as error:  # noqa: BLE001  # a stranger's check may raise anything, and all of it vetoes
            return Failure(f"policy.{name}", f"raised {type(error).__name__}: {_short(error)}", "an answer")
        if answer is None:
            return None
        if isinstance(answer, Failure):
            texts = (_short(text) for text in (answer.measured, answer.limit, answer.unit))
            return Failure(f"policy.{name}.{_short(answer.rule)}", *texts)
        return Failure(f"policy.{name}", f"answered with a {type(answer).__name__}", "None or a Failure")

    def _remember(self, wish: Wish) -> None:
        self.recent.append(wish.ts)
        if self.limits.duplicate_window_s is None:
            return
        if len(self.remembered) >= _MAX_REMEMBERED:
            del self.remembered[next(iter(self.remembered))]
        key = likeness(wish.order)
        self.remembered.pop(key, None)
        self.remembered[key] = wish.ts

    # what a policy may ask (bot4_core.protocols.Account)

    def equity_units(self) -> int:
        """Equity marked to market, units of the reporting asset."""
        return self.account.equity_units()

    def position_lots(self, index: int) -> int:
        """Net position, lots."""
        return self.account.position_lots(index)

    def open_orders(self, index: int | None = None) -> int:
        """Working entry orders, of one instrument or of all."""
        return self.orders.entries if index is None else self.orders.open_entries(index)
