"""Each promise of an exchange is broken by exactly the fault it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from attrs import evolve, frozen

from bot4_core.sdk import Capability, ExchangeError, ExchangeSpec, Instrument, Services
from bot4_core.testing import BrokenPromise, ExchangeContract
from bot4_core.testing.contracts.samples import flat, write_market

from .planted import broken, plugin

_INIT = "        history = History.open(services.resolve_history(settings.history))\n"
_RUN = "        bar = self._bars[self._next]\n"
_TOLD = "        EVENT.pack_into(self.step, 0, *bar)\n"
_ACK = "        self._answer(Kind.ACK, one)\n"
_ORPHAN = "            self._answer(Kind.CANCELLED, child, 0, Reason.PARENT_ENDED)\n"
_REFUSAL = "        self._answers.append((self._now, 0, Kind.CANCEL_REJECTED, order.side, *words))\n"
_CUT = "lots = min(one.lots, room)"
_LAST = "history.last_ts, history.rows"
_STEP = "        self.step, "
_TWIN = "            self._end_of(one.twin, Kind.CANCELLED, Reason.SIBLING_FILLED)\n"
_ONCE = "create=Tape,"
_ENVIRONMENT = "        import os; os.environ['T'] = str(id(self))\n"
_NETWORK = """        import contextlib, socket
        with contextlib.suppress(OSError), socket.socket() as line:
            line.connect(("127.0.0.1", 9))
"""
_AT_ONCE = """        if one.type is OrderType.MARKET and not one.reduces:
            self._fill(one, self._bars[self._next - 1][7])
"""
#: promise, what is changed in the page's exchange, a word of the message
FAULTS: list[tuple[str, dict[str, str], str]] = [
    ("settings_are_filled_and_explained", {"        fee: the share of its cost that every fill pays.\n": ""}, "fee"),
    ("create_is_pure_and_quick", {_INIT: _INIT + "        (services.base_dir / 'log').touch()\n"}, "the files"),
    ("create_is_pure_and_quick", {_INIT: _INIT + "        import random; random.random()\n"}, "random module"),
    ("create_is_pure_and_quick", {_INIT: _INIT + _ENVIRONMENT}, "environment"),
    ("create_is_pure_and_quick", {_INIT: _INIT + _NETWORK}, "connects to ('127.0.0.1', 9)"),
    ("create_is_pure_and_quick", {_ONCE: "create=lambda *a, m={}: m.setdefault(0, Tape(*a)),"}, "object twice"),
    ("the_object_can_do_what_the_spec_declares", {_STEP: "        del self.rules\n" + _STEP}, "rules"),
    ("the_history_is_told_whole_and_in_order", {_RUN: "        self._next += self._next == 99\n" + _RUN}, "359"),
    ("the_history_is_told_whole_and_in_order", {_LAST: _LAST.replace("ts,", "ts + 1,")}, "stated"),
    ("timers_come_in_between", {"if bar[0] > self._wake": "if bar[0] >= self._wake"}, "180 events were told, 181 are"),
    (
        "what_nobody_asked_for_is_marked",
        {
            '"""Nothing to do: every bar is told, wanted or not."""': "self._wanted = kinds",
            _TOLD: "        if not self._wanted:\n            return self.run()\n" + _TOLD,
        },
        "the last mark is",
    ),
    ("the_window_is_kept", {"self._end = bisect_right(": "self._end = bisect_left("}, "the window holds"),
    ("one_seed_gives_the_same_bytes", {"self._trades += 1\n": "self._trades = id(self) + self._next\n"}, "different"),
    ("one_seed_gives_the_same_bytes", {"self.history_hash = history.sha256": "self.history_hash = 'tape'"}, "SHA-256"),
    ("the_books_balance", {"sign * cost + fee\n": "sign * cost\n"}, "the fills give"),
    ("the_books_balance", {"price, lots)\n": "price, lots) + 1\n"}, "reported"),
    ("an_order_never_meets_the_data_that_caused_it", {_ACK: _ACK + _AT_ONCE}, "was sent at"),
    ("every_order_ends", {_ORPHAN: "            pass\n"}, "never ended"),
    ("every_order_ends", {_TWIN: _TWIN * 2}, "2 times"),
    ("every_cancel_is_answered", {_REFUSAL: ""}, "1 cancels were sent, 0 answered"),
    ("reduce_only_never_flips", {_CUT: _CUT + " if not one.reduces else one.lots"}, "only reduces"),
    ("attached_stops_live_from_the_first_fill", {"            self._answer(Kind.ACK, child)\n": ""}, "acknowledged"),
    ("attached_stops_live_from_the_first_fill", {"low <= self.price\n": "False\n"}, "are still held"),
]


def test_the_exchange_of_the_page_keeps_every_promise(tmp_path: Path) -> None:
    with plugin("exchange") as contract:
        assert broken(contract, tmp_path) == {}


@pytest.mark.parametrize(("promise", "changes", "word"), FAULTS)
def test_a_fault_breaks_the_promise_it_is_about(
    promise: str, changes: Mapping[str, str], word: str, tmp_path: Path
) -> None:
    with plugin("exchange", changes) as contract:
        found = broken(contract, tmp_path)
    assert list(found) == [f"test_{promise}"], found
    assert word in found[f"test_{promise}"]


LISTED = Instrument(symbol="BTC/USD", tick=Decimal("0.1"), lot=Decimal("0.001"))


@frozen(kw_only=True)
class _Settings:
    """Nothing to set."""


class _Lists:
    """An exchange that knows instruments and takes no order."""

    def __init__(self, settings: _Settings, services: Services) -> None:
        pass

    def parse_instruments(self, data: bytes) -> list[Instrument]:
        try:
            return [Instrument.from_mapping(one) for one in msgspec.json.decode(data, type=list[dict[str, object]])]
        except (ValueError, RecursionError) as error:
            raise ExchangeError(f"no list: {error}") from error


class _Listing(ExchangeContract):
    """The contract over such an exchange; the class attributes are what a fault changes."""

    made: type = _Lists
    able: frozenset[Capability] = frozenset({Capability.INSTRUMENTS})

    def spec(self) -> ExchangeSpec:
        return ExchangeSpec(name="lists", settings=_Settings, create=self.made, capabilities=self.able)

    def instrument_list(self) -> bytes:
        return msgspec.json.encode([LISTED.to_mapping()])

    def instruments(self) -> Sequence[Instrument]:
        return [LISTED]


class _Rounds(_Lists):
    def parse_instruments(self, data: bytes) -> list[Instrument]:
        return [evolve(one, tick=Decimal(float(one.tick) * 3 / 3).quantize(Decimal(1).scaleb(-17)))
                for one in super().parse_instruments(data)]  # fmt: skip


class _Twice(_Lists):
    def parse_instruments(self, data: bytes) -> list[Instrument]:
        return super().parse_instruments(data) * 2


class _Crashes(_Lists):
    def parse_instruments(self, data: bytes) -> list[Instrument]:
        return [Instrument.from_mapping(one) for one in msgspec.json.decode(data)]


class _Forgives(_Lists):
    def parse_instruments(self, data: bytes) -> list[Instrument]:
        return super().parse_instruments(data) if data else []


def _listing(**changes: Any) -> Any:
    return type("_Changed", (_Listing,), changes)


def test_an_exchange_that_only_lists_is_held_to_what_it_declares(tmp_path: Path) -> None:
    assert broken(_listing(), tmp_path) == {}


@pytest.mark.parametrize(
    ("promise", "changes", "word"),
    [
        ("the_instrument_list_is_read_exactly", {"made": _Rounds}, "expected Instrument(symbol='BTC/USD'"),
        ("the_instrument_list_is_read_exactly", {"made": _Twice}, "stands twice"),
        ("the_instrument_list_is_read_exactly", {"instruments": lambda self: [Instrument(
            symbol="ETH/USD", tick=Decimal(1), lot=Decimal(1))]}, "ETH/USD was not read"),
        ("a_damaged_instrument_list_is_refused", {"made": _Crashes}, "DecodeError"),
        ("a_damaged_instrument_list_is_refused", {"made": _Forgives}, "an empty answer was read"),
        (
            "the_object_can_do_what_the_spec_declares",
            {"able": frozenset({Capability.INSTRUMENTS, Capability.REDUCE_ONLY})},
            "reduce-only without submit()",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_a_listing_exchange_breaks_its_promise(
    promise: str, changes: Mapping[str, Any], word: str, tmp_path: Path
) -> None:
    found = broken(_listing(**changes), tmp_path)
    assert list(found) == [f"test_{promise}"], found
    assert word in found[f"test_{promise}"]


def test_a_broken_promise_says_which_how_and_where_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(BrokenPromise) as caught:
        _listing(made=_Twice)().test_the_instrument_list_is_read_exactly(tmp_path)
    assert str(caught.value).splitlines() == [
        "The recorded list gives the instruments exactly: tick, lot and filters, and prices come back unchanged.",
        "  broken: a symbol stands twice in the list that was read",
        "  promise: test_the_instrument_list_is_read_exactly of docs/plugins/exchange.md#what-an-exchange-promises",
    ]


def test_a_promise_whose_samples_are_missing_asks_for_them(tmp_path: Path) -> None:
    with pytest.raises(BrokenPromise, match=r"give instrument_list\(\)"):
        _listing(instrument_list=ExchangeContract.instrument_list)().test_a_damaged_instrument_list_is_refused(tmp_path)


def test_a_replay_that_never_ends_is_found(tmp_path: Path) -> None:
    with plugin("exchange", {"return RunStatus.FINISHED": "return RunStatus.MORE"}) as contract:
        found = broken(contract, tmp_path)
    assert "FINISHED must come" in found["test_the_history_is_told_whole_and_in_order"]


def test_a_market_that_never_falls_cannot_prove_a_stop(tmp_path: Path) -> None:
    with plugin("exchange") as contract:
        changed: Any = {"write_histories": lambda self, folder: write_market(folder, market=flat())}
        with pytest.raises(BrokenPromise, match="the market never falls"):
            type("_Still", (contract,), changed)().test_attached_stops_live_from_the_first_fill(tmp_path)


_STREAM = """    run_on = run

    async def stream(self, clock):
        while not (status := self.run()) & RunStatus.FINISHED:
            yield Arrival(bytes(self.step), RunStatus.STEP)
        yield Arrival(b"", status)
"""
_STREAMING = {
    "    run_on = run\n": _STREAM,
    "    EVENT,\n": "    EVENT,\n    Arrival,\n",
    "able = {": "able = {Capability.STREAM, ",
}


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("", "", ""),
        ("        while not", "        self.run()\n        while not", "359 steps were told, the replay has 360"),
        ("bytes(self.step), ", "bytes(self.step)[:56] + bytes(8), ", "step 0 was told as"),
        ("        yield Arrival(b", "        return\n        yield Arrival(b", "ended without FINISHED"),
        ("RunStatus.STEP", "0", "in the middle of a step"),
        ("            yield", "            self._next = 0\n            yield", "there is no end"),
    ],
)
def test_a_stream_tells_what_its_replay_tells(before: str, after: str, word: str, tmp_path: Path) -> None:
    faulty = _STREAM.replace(before, after) if before else _STREAM
    with plugin("exchange", {**_STREAMING, "    run_on = run\n": faulty}) as contract:
        found = broken(contract, tmp_path)
    promise = "test_the_stream_tells_what_the_replay_tells"
    assert list(found) == ([promise] if word else []), found
    assert word in found.get(promise, "")
