"""What a strategy promises, as tests an author runs in their own suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs

from ...errors import Bot4Error
from ...specs import StrategySpec
from ...strategy import Strategy
from ..strategy import MarketBars, StrategyRun, run_strategy
from .offer import check_settings
from .promise import BrokenPromise, promised, require
from .samples import BTC, ETH, flat, gappy, trending

#: the rule of a wish that came when no orders are taken any more
_STOPPING = "stopping"
#: volume of a bar in which only a part of an order fills: a hundredth of a BTC
_THIN = 1_000


class StrategyContract(ABC):
    """The promises of a strategy. Subclass it in a test file, and pytest runs them::

        class TestTrend(StrategyContract):
            def spec(self):
                return SPEC

            def settings(self):
                return {"fast": 5, "slow": 20}

    The strategy is run over made-up hourly bars of BTC/USDT, through the real engine, gate and simulator: a market
    that climbs and falls, one that does not move, one with holes and jumps. It wants the plugins ``bot4-exchange-sim``
    and ``bot4-risk-default``.
    """

    page: ClassVar[str] = "docs/plugins/strategy.md#what-a-strategy-promises"

    @abstractmethod
    def spec(self) -> StrategySpec:
        """The spec under test; a class without a plugin goes into ``StrategySpec(name=..., strategy=...)``."""

    def settings(self) -> Mapping[str, object]:
        """The table of a config that uses it, without ``use`` and ``trade``."""
        return {}

    def exchange(self) -> Mapping[str, object]:
        """Settings of the simulated exchange, such as ``{"account": "margin"}``."""
        return {}

    def markets(self) -> Mapping[str, MarketBars]:
        """Further markets, name to bars, for what the made-up ones do not show the strategy."""
        return {}

    @promised
    def test_settings_are_filled_and_explained(self, tmp_path: Path) -> None:
        """A config can fill the settings, and the docstring of the class explains each of its own."""
        cls = self._class()
        inherited, fields = ({one.name for one in _fields(each)} for each in (Strategy, cls))
        check_settings(self.settings(), cls, frozenset(fields - inherited))

    @promised
    def test_it_runs_on_every_market(self, tmp_path: Path) -> None:
        """It goes through rising, falling, still and torn markets without raising."""
        for name, bars in self._markets().items():
            try:
                reason = self._run(bars).report.reason
            except Bot4Error as error:
                raise BrokenPromise(f"on the {name} market: {error}") from error
            require(reason == "finished" or reason.startswith("halted"), f"on the {name} market it ended: {reason}")

    @promised
    def test_it_sends_orders(self, tmp_path: Path) -> None:
        """On at least one of the markets it wishes for an order."""
        named = ", ".join(self._markets())
        orders = sum(len(self._run(bars).orders) for bars in self._markets().values())
        require(orders, f"not one order on the markets {named}; add one to markets() that it acts on")

    @promised
    def test_it_touches_its_own_instruments_only(self, tmp_path: Path) -> None:
        """It wishes only for instruments of its `trade` list, also where the exchange has others."""
        run = self._run([trending(), trending(ETH, 250_000)], trade=[BTC.symbol])
        foreign = [each.order_id for each in run.orders if each.instrument != 0]
        require(not foreign, f"orders {foreign[:5]} are for another instrument than {BTC.symbol}")

    @promised
    def test_the_same_run_twice_is_equal(self, tmp_path: Path) -> None:
        """Two runs over the same bars make the same orders, fills and denials."""
        for name, bars in self._markets().items():
            one, two = self._run(bars), self._run(bars)
            same = one.record.row.result_hash == two.record.row.result_hash
            require(same, f"two runs over the {name} market differ: does it use time, dice, or what a run left behind?")

    @promised
    def test_it_wishes_for_nothing_after_the_end(self, tmp_path: Path) -> None:
        """on_stop() makes no orders; there is nobody to take them."""
        for name, bars in self._markets().items():
            late = self._run(bars).denied.get(_STOPPING, 0)
            require(not late, f"on the {name} market it made {late} orders in on_stop()")

    @promised
    def test_it_survives_denials(self, tmp_path: Path) -> None:
        """It goes on when the gate refuses every entry; a denial is a value, `order.denied`."""
        for name, bars in self._markets().items():
            run = self._run(bars, risk={"max_notional": "0.01"})
            require(not run.fills, f"the {name} market: an order was filled that the gate must have refused")

    @promised
    def test_it_survives_partial_fills(self, tmp_path: Path) -> None:
        """It goes on when its orders fill a little at a time, because bars have hardly any volume."""
        self._run(trending(volume=_THIN))

    # what the promises are judged on

    def _class(self) -> type[Strategy]:
        cls = self.spec().strategy
        require(issubclass(cls, Strategy), f"{cls.__name__} is no bot4_core.sdk.Strategy")
        return cls

    def _markets(self) -> dict[str, MarketBars]:
        return {"trending": trending(), "flat": flat(), "gappy": gappy(), **self.markets()}

    def _run(self, bars: MarketBars | Sequence[MarketBars], **more: Any) -> StrategyRun:
        given: dict[str, Any] = {**self.settings(), **more}
        return run_strategy(self._class(), bars, exchange=self.exchange(), **given)


def _fields(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return found
