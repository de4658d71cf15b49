"""What a risk policy promises, as tests an author runs in their own suite."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs
from attrs import define, field, frozen

from ...domain.limits import Limits
from ...domain.money import Rounding, parse_decimal, to_units
from ...domain.order import Failure, Order, OrderType, Side
from ...errors import ConfigError
from ...protocols import RiskCheck, RiskPolicy
from ...specs import RiskSpec
from ...strategy import Number
from .offer import check_create, check_settings, filled, services
from .promise import BrokenPromise, not_for, promised, require
from .samples import BTC

#: Monday, 2024-01-01 00:00 UTC
_MONDAY_NS = 1_704_067_200 * 10**9
_HOUR_NS = 3600 * 10**9
_CHECKS = 1_000
#: the gate cuts longer texts of a policy
_MAX_TEXT = 200


@frozen(kw_only=True)
class RiskCase:
    """A wish and the account it is wished for, in BTC/USDT.

    Args:
        ts: time of the decision, UTC ns.
        side: of the order.
        quantity: in BTC.
        price: what marks BTC now, and what the order is assumed to fill at; 0 for none yet.
        equity: of the account, in USDT; 0 when it cannot be told.
        position: held, in BTC; negative when short.
        open_orders: working entry orders.
    """

    ts: int = _MONDAY_NS + 12 * _HOUR_NS
    side: Side = Side.BUY
    quantity: Number = "0.01"
    price: Number = 40_000
    equity: Number = 100_000
    position: Number = 0
    open_orders: int = 0


#: Cases in order of time, put to one policy; the last of them is the one that is judged.
Story = Sequence[RiskCase]


class RiskContract(ABC):
    """The promises of a risk policy. Subclass it in a test file, and pytest runs them::

        class TestNight(RiskContract):
            def spec(self):
                return SPEC

            def refused(self):
                return [[RiskCase(ts=at_hour(23))]]

            def allowed(self):
                return [[RiskCase(ts=at_hour(12))]]

    A policy with a ``check`` must name cases of both kinds; one with limits alone needs neither.
    """

    page: ClassVar[str] = "docs/plugins/risk.md#what-a-risk-policy-promises"
    #: mean time of a check, microseconds
    check_within_us: ClassVar[int] = 1_000

    @abstractmethod
    def spec(self) -> RiskSpec:
        """The spec under test."""

    def settings(self) -> Mapping[str, object]:
        """The table of a config that uses it, without ``use``."""
        return {}

    def refused(self) -> Sequence[Story]:
        """Stories whose last case the policy must refuse."""
        return ()

    def allowed(self) -> Sequence[Story]:
        """Stories whose last case the policy must let pass."""
        return ()

    @promised
    def test_settings_are_filled_and_explained(self, tmp_path: Path) -> None:
        """A config can fill the settings, and their docstring explains each of them."""
        check_settings(self.settings(), self.spec().settings)

    @promised
    def test_create_is_pure_and_quick(self, tmp_path: Path) -> None:
        """create() is quick, gives a new object each time, and touches no file, network, thread or random state."""
        check_create(self.spec().create, self._filled, tmp_path)

    @promised
    def test_limits_only_tighten(self, tmp_path: Path) -> None:
        """`limits` names limits of the core, none looser than the core's, and reads the same every time."""
        policy = self._policy(tmp_path)
        try:
            Limits().tightened(policy.limits)
        except ConfigError as error:
            raise BrokenPromise("; ".join(str(one) for one in error.mistakes)) from error
        require(dict(policy.limits) == dict(policy.limits), "`limits` reads otherwise the second time")
        require(dict(policy.limits) == dict(self._policy(tmp_path).limits), "two policies of one table differ")

    @promised
    def test_a_veto_is_a_value(self, tmp_path: Path) -> None:
        """check() answers None or a Failure whose texts fit one line; it never raises."""
        policy = self._check(tmp_path)
        for case in (*_week(), *_poor()):
            probe = _Probe(case)
            try:
                answer: object = policy.check(probe, probe)
            except Exception as error:
                raise BrokenPromise(f"{case} raised {type(error).__name__}: {error!s:.200}") from error
            require(answer is None or isinstance(answer, Failure), f"{case} was answered with {answer!r:.80}")
            if isinstance(answer, Failure):
                _check_texts(answer)

    @promised
    def test_it_refuses_and_allows_what_it_says(self, tmp_path: Path) -> None:
        """The cases named as refused are refused, and those named as allowed pass."""
        self._check(tmp_path)
        require(self.refused() and self.allowed(), "name stories for both, refused() and allowed()")
        for story in self.refused():
            require(self._told(story, tmp_path) is not None, f"{story[-1]} passed")
        for story in self.allowed():
            answer = self._told(story, tmp_path)
            require(answer is None, f"{story[-1]} was refused: {answer}")

    @promised
    def test_it_denies_when_a_figure_is_missing(self, tmp_path: Path) -> None:
        """A check that reads a price or the equity denies while that is 0, because then nobody knows it."""
        for case in _poor():
            probe = _Probe(case)
            answer = _answer(self._check(tmp_path), probe)
            missing = sorted(probe.missing)
            require(answer is not None or not missing, f"it read {', '.join(missing)}, found 0, and let the order pass")

    @promised
    def test_it_never_changes_the_wish(self, tmp_path: Path) -> None:
        """check() reads the wish; the order is afterwards what it was."""
        policy = self._check(tmp_path)
        for case in _week():
            probe = _Probe(case)
            before = _state(probe.order)
            _answer(policy, probe)
            after = _state(probe.order)
            changed = [name for name in before if before[name] != after[name]]
            require(not changed, f"it changed {', '.join(changed)} of the order")

    @promised
    def test_the_same_wishes_get_the_same_answers(self, tmp_path: Path) -> None:
        """Two policies of one table, asked the same in the same order, answer the same."""
        answers = []
        for _ in range(2):
            policy = self._check(tmp_path)
            answers.append([_answer(policy, probe) for probe in map(_Probe, _week())])
        for case, one, two in zip(_week(), *answers, strict=True):
            require(one == two, f"{case} was answered with {one} and with {two}")

    @promised
    def test_a_check_is_quick(self, tmp_path: Path) -> None:
        """A check takes little time, because every order waits for it."""
        policy = self._check(tmp_path)
        probes = [_Probe(case) for case in (_week() * (_CHECKS // len(_week()) + 1))[:_CHECKS]]
        began = time.perf_counter()
        for probe in probes:
            _answer(policy, probe)
        mean_us = (time.perf_counter() - began) * 1e6 / len(probes)
        require(mean_us <= self.check_within_us, f"a check took {mean_us:.0f} µs, allowed are {self.check_within_us}")

    # what the promises are judged on

    def _filled(self) -> Any:
        return filled(self.settings(), self.spec().settings)

    def _policy(self, folder: Path) -> RiskPolicy:
        made = self.spec().create(self._filled(), services(folder))
        require(isinstance(made, RiskPolicy), "create() must give an object with `limits`")
        return made  # type: ignore[return-value]  # judged the line above

    def _check(self, folder: Path) -> RiskCheck:
        policy = self._policy(folder)
        if not isinstance(policy, RiskCheck):
            raise not_for(f"the policy {self.spec().name} has limits alone, no check()")
        return policy

    def _told(self, story: Story, folder: Path) -> object:
        policy, answer = self._check(folder), None
        for probe in map(_Probe, story):
            answer = _answer(policy, probe)
        return answer


def _answer(policy: RiskCheck, probe: _Probe) -> object:
    """What the gate would make of the check: an exception vetoes."""
    try:
        return policy.check(probe, probe)
    except Exception as error:  # noqa: BLE001  # a stranger's check may raise anything; a promise of its own says so
        return f"{type(error).__name__}: {error}"


def _week() -> list[RiskCase]:
    """Every hour of eight days: buys and sells of several sizes, on an account that wins and loses."""
    return [
        RiskCase(
            ts=_MONDAY_NS + hour * _HOUR_NS,
            side=Side.SELL if hour % 3 == 2 else Side.BUY,
            quantity=Decimal(1 + hour % 5) / 100,
            price=40_000 + hour * (-1) ** hour,
            equity=100_000 - 300 * (hour % 24),
            position=Decimal(hour % 7 - 3) / 100,
            open_orders=hour % 11,
        )
        for hour in range(8 * 24)
    ]


def _poor() -> list[RiskCase]:
    """Cases at every hour of a day in which a figure is not known."""
    hours = [_MONDAY_NS + hour * _HOUR_NS for hour in range(24)]
    return [case for ts in hours for case in (RiskCase(ts=ts, price=0), RiskCase(ts=ts, equity=0))]


@define(slots=False)
class _Probe:
    """A case as wish and account in one; notes which figures were read while they are not known."""

    case: RiskCase
    missing: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        case = self.case
        self.order = Order(
            order_id=1, client_id="contract-1", strategy="contract", exchange="main", instrument=BTC, index=0,
            side=case.side, type=OrderType.MARKET, quantity_lots=BTC.lots(parse_decimal(case.quantity)),
            created_ns=case.ts,
        )  # fmt: skip
        self._ticks = BTC.ticks(parse_decimal(case.price))
        self._position = BTC.lots(parse_decimal(case.position))
        self._equity = to_units(parse_decimal(case.equity), Decimal(1).scaleb(-BTC.quote_scale), Rounding.EXACT)

    @property
    def ts(self) -> int:
        """Time of the decision."""
        return self.case.ts

    @property
    def mark_ticks(self) -> int:
        """The mark."""
        return self._noted("mark_ticks", self._ticks)

    @property
    def worst_ticks(self) -> int:
        """The worst price."""
        return self._noted("worst_ticks", self._ticks)

    def equity_units(self) -> int:
        """Equity."""
        return self._noted("equity_units()", self._equity)

    def position_lots(self, index: int) -> int:
        """Position."""
        return self._position if index == 0 else 0

    def open_orders(self, index: int | None = None) -> int:
        """Working entry orders."""
        return self.case.open_orders

    def _noted(self, name: str, value: int) -> int:
        if value == 0:
            self.missing.add(name)
        return value


def _state(order: Order) -> dict[str, object]:
    """Every field of an order, lists and sets by value."""
    found = {one.name: getattr(order, one.name) for one in attrs.fields(Order)}
    return {name: repr(value) if isinstance(value, list | set) else value for name, value in found.items()}


def _check_texts(failure: Failure) -> None:
    for name in ("rule", "measured", "limit", "unit"):
        text: object = getattr(failure, name)
        fits = isinstance(text, str) and len(text) <= _MAX_TEXT and text.isprintable()
        require(fits, f"Failure.{name} is {text!r:.80}: one printable line of at most {_MAX_TEXT} characters")
    require(failure.rule and failure.measured and failure.limit, f"{failure!r} leaves out rule, measured or limit")
