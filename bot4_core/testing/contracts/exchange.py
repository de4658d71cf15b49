"""What an exchange plugin promises, as tests an author runs in their own suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from ...domain.event import Flag, Kind
from ...domain.instrument import Instrument
from ...domain.money import Rounding
from ...domain.order import OrderType, Role, Side
from ...errors import Bot4Error
from ...protocols import Replay
from ...specs import Capability, ExchangeSpec
from ..clock import FakeClock
from .offer import check_create, check_settings, filled, services
from .playing import Play, Row, played, size, streamed
from .promise import BrokenPromise, not_for, promised, require
from .samples import write_market

#: answers of a venue that are none: an empty one, bytes that are no text, a cut one, one that nests too deep
_NONSENSE = (b"", b"\xff\xfe\x00", b"{", b"[[[", b'{"a":' * 50_000)
#: pieces that a step may come in
_MOST_PIECES = 64


class ExchangeContract(ABC):
    """The promises of an exchange plugin. Subclass it in a test file, and pytest runs them::

        class TestKraken(ExchangeContract):
            def spec(self):
                return SPEC

            def instrument_list(self):
                return RECORDED.read_bytes()

            def instruments(self):
                return [Instrument(symbol="BTC/USD", tick="0.1", lot="0.00000001", min_quantity="0.0002")]

    Promises of a capability that the spec does not declare are skipped. For REPLAY, ``market.b4h`` lies in the bot's
    folder: 360 hourly bars of BTC/USDT that climb and fall; name it in the settings.
    """

    page: ClassVar[str] = "docs/plugins/exchange.md#what-an-exchange-promises"

    @abstractmethod
    def spec(self) -> ExchangeSpec:
        """The spec under test."""

    def settings(self) -> Mapping[str, object]:
        """The table of a config that uses it, without ``use``."""
        return {}

    def instrument_list(self) -> bytes:
        """For INSTRUMENTS: the venue's instrument list, as it was recorded; without one it raises BrokenPromise."""
        raise BrokenPromise("give instrument_list(): the venue's answer as it was recorded")

    def instruments(self) -> Sequence[Instrument]:
        """For INSTRUMENTS: what that list must be read as; others are not compared. Else it raises BrokenPromise."""
        raise BrokenPromise("give instruments(): some of the instruments that the recorded list holds")

    def write_histories(self, folder: Path) -> None:
        """For REPLAY: writes the histories that :meth:`settings` name; another market can be written here."""
        write_market(folder)

    # every exchange

    @promised
    def test_settings_are_filled_and_explained(self, tmp_path: Path) -> None:
        """A config can fill the settings, and their docstring explains each of them."""
        check_settings(self.settings(), self.spec().settings)

    @promised
    def test_create_is_pure_and_quick(self, tmp_path: Path) -> None:
        """create() is quick, gives a new object each time, and touches no file, network, thread or random state."""
        self.write_histories(tmp_path)
        check_create(self.spec().create, self._filled, tmp_path)

    @promised
    def test_the_object_can_do_what_the_spec_declares(self, tmp_path: Path) -> None:
        """Every declared capability is there: the object has the methods, and what rests on REPLAY has REPLAY."""
        able, made = self.spec().capabilities, self._create(tmp_path)
        if Capability.INSTRUMENTS in able:
            require(callable(getattr(made, "parse_instruments", None)), "INSTRUMENTS without parse_instruments(bytes)")
        if Capability.REPLAY in able:
            lacks = _missing(made)
            require(not lacks, f"REPLAY, but the object lacks {', '.join(lacks)}")
        if Capability.STREAM in able:
            require(callable(getattr(made, "stream", None)), "STREAM without stream(clock)")
        for one in sorted(able & {Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY}):
            takes = callable(getattr(made, "submit", None)) and callable(getattr(made, "cancel", None))
            require(takes, f"{one} without submit() and cancel(): nothing that takes no order can keep it")

    # INSTRUMENTS

    @promised
    def test_the_instrument_list_is_read_exactly(self, tmp_path: Path) -> None:
        """The recorded list gives the instruments exactly: tick, lot and filters, and prices come back unchanged."""
        made: Any = self._able(Capability.INSTRUMENTS, tmp_path)
        found: list[Instrument] = made.parse_instruments(self.instrument_list())
        require(found == made.parse_instruments(self.instrument_list()), "one list was read in two ways")
        by_symbol = {one.symbol: one for one in found}
        require(len(by_symbol) == len(found), "a symbol stands twice in the list that was read")
        for wanted in self.instruments():
            one = by_symbol.get(wanted.symbol)
            require(one is not None, f"{wanted.symbol} was not read")
            require(one == wanted, f"{wanted.symbol} was read as {one}, expected {wanted}")
        for one in found:
            _check_round_trip(one)

    @promised
    def test_a_damaged_instrument_list_is_refused(self, tmp_path: Path) -> None:
        """An answer that is cut or nonsense is refused with an error of bot4, never with another."""
        made: Any = self._able(Capability.INSTRUMENTS, tmp_path)
        sample = self.instrument_list()
        for data in (*_NONSENSE, sample[: len(sample) // 2]):
            try:
                made.parse_instruments(data)
            except Bot4Error:
                continue
            except Exception as error:
                raise BrokenPromise(f"{data[:12]!r}… raised {type(error).__name__}: {error!s:.200}") from error
            require(data, "an empty answer was read as a list")

    # REPLAY

    @promised
    def test_the_history_is_told_whole_and_in_order(self, tmp_path: Path) -> None:
        """Every event is told once, in order of time, within first_ns and last_ns; then FINISHED."""
        play = Play(self._replay(tmp_path))
        play.until()
        exchange, times = play.exchange, _times(play)
        require(times, "not one event was told")
        require(times == sorted(times), "events came out of order of time")
        require(all(len({row[0] for row in events}) <= 1 for _, events, _ in play.steps), "a step has two times")
        told = (len(times), times[0], times[-1], exchange.processed())
        stated = (exchange.total_events, exchange.first_ns, exchange.last_ns, exchange.total_events)
        require(told == stated, f"events, first, last, processed: {told} were told, {stated} are stated")

    @promised
    def test_timers_come_in_between(self, tmp_path: Path) -> None:
        """wake_at(t): events up to t are told, t included; then TIMER, and nothing later until it is moved on."""
        times = _times(self._rehearsed(tmp_path))
        at = times[len(times) // 2]
        play = Play(self._replay(tmp_path))
        play.until(at)
        due = [ts for ts in times if ts <= at]
        require(_times(play) == due, f"up to the timer {len(_times(play))} events were told, {len(due)} are due")
        play.until()
        require(_times(play) == times, "after the timer was moved on, other events were told than without one")

    @promised
    def test_what_nobody_asked_for_is_marked(self, tmp_path: Path) -> None:
        """An event that wakes nobody is not lost: it is counted, and marks the valuation that was attached."""
        asked, quiet = self._rehearsed(tmp_path), Play(self._replay(tmp_path), kinds=0)
        quiet.until()
        require(quiet.exchange.processed() == asked.exchange.processed(), "processed() leaves out what woke nobody")
        for index in range(len(asked.exchange.instruments)):
            marks = (quiet.valuation.mark_of(index), asked.valuation.mark_of(index))
            require(marks[0] == marks[1], f"the last mark is {marks[0]} ticks, it is {marks[1]} when all is asked for")

    @promised
    def test_the_window_is_kept(self, tmp_path: Path) -> None:
        """seek() and limit() leave exactly the events between them, both ends included."""
        times = _times(self._rehearsed(tmp_path))
        first, last = times[len(times) // 4], times[3 * len(times) // 4]
        exchange = self._replay(tmp_path)
        exchange.seek(first)
        exchange.limit(last)
        play = Play(exchange)
        play.until()
        wanted = [ts for ts in times if first <= ts <= last]
        require(_times(play) == wanted, f"{len(_times(play))} events were told, the window holds {len(wanted)}")

    @promised
    def test_one_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        """The same settings, seed and orders give the same events and reports, byte for byte, and the same hash."""
        one, two = self._played(tmp_path), self._played(tmp_path)
        require(one.raw == two.raw, "two runs told different bytes")
        hashes = {one.exchange.history_hash, two.exchange.history_hash}
        require(len(hashes) == 1 and len(min(hashes)) == 64, f"history_hash is no SHA-256 of the data: {hashes}")

    @promised
    def test_the_books_balance(self, tmp_path: Path) -> None:
        """Starting balances plus fills are balances(), to the smallest unit; a fill's cost is its price times lots."""
        books = _Books(self._replay(tmp_path).starting_balances())
        play = self._played(tmp_path, books.count, books.compare)
        filled_any = any(one.filled for one in play.sent.values())
        require(filled_any, "no order of the script was filled; trade a longer market")

    @promised
    def test_an_order_never_meets_the_data_that_caused_it(self, tmp_path: Path) -> None:
        """A fill comes after the step in which its order was sent."""

        def later(play: Play, row: Row, _: int) -> None:
            one = play.sent.get(row[4])
            if row[2] == Kind.FILL and one is not None:
                require(row[0] > one.at, f"order {row[4]} was sent at {one.at} and filled at {row[0]}")

        self._played(tmp_path, later)

    @promised
    def test_every_order_ends(self, tmp_path: Path) -> None:
        """Once what works is cancelled, every order has ended exactly once, attached ones too, none beyond its size."""
        for one in self._played(tmp_path).sent.values():
            order, what = one.order, f"order {one.order.order_id} ({one.order.role.name} {one.order.type.name})"
            require(one.filled <= order.quantity_lots, f"{what} filled {one.filled} of {order.quantity_lots} lots")
            require(one.ended, f"{what} never ended; filled {one.filled} of {one.wanted} lots")
            full = bool(one.filled) and one.filled >= one.wanted
            require(len(one.ends) + full == 1, f"{what} ended {len(one.ends) + full} times: {one.ends}")

    @promised
    def test_every_cancel_is_answered(self, tmp_path: Path) -> None:
        """Every cancel is answered by CANCELLED or CANCEL_REJECTED, also one that comes too late."""
        play = self._played(tmp_path)
        asked = [one for one in play.sent.values() if one.cancels]
        require(asked, "the script found nothing to cancel; trade a longer market")
        for one in asked:
            what = f"order {one.order.order_id}"
            require(one.answers == one.cancels, f"{what}: {one.cancels} cancels were sent, {one.answers} answered")

    # STREAM

    @promised
    def test_the_stream_tells_what_the_replay_tells(self, tmp_path: Path) -> None:
        """stream() tells every step of the replay, whole and in order of time, and then FINISHED."""
        made: Any = self._able(Capability.STREAM, tmp_path)
        asked = [sorted(events, key=lambda row: row[1]) for _, events, _ in self._rehearsed(tmp_path).steps]
        clock = FakeClock()
        told = clock.run(streamed(made, clock, _MOST_PIECES * len(asked)))
        require(len(told) == len(asked), f"{len(told)} steps were told, the replay has {len(asked)}")
        for place, (one, wanted) in enumerate(zip(told, asked, strict=True)):
            require(one == wanted, f"step {place} was told as {one}, the replay says {wanted}")

    # REDUCE_ONLY and ATTACHED_ORDERS

    @promised
    def test_reduce_only_never_flips(self, tmp_path: Path) -> None:
        """A reduce-only order fills at most what is held; it never opens or turns a position."""
        closes: set[int] = set()

        def reduces(play: Play, row: Row, before: int) -> None:
            one = play.sent.get(row[4])
            if row[2] != Kind.FILL or one is None or not one.order.reduce_only:
                return
            after = play.lots[row[1]]
            closes.add(row[4])
            turned = before * after < 0 or abs(after) > abs(before)
            require(not turned, f"order {row[4]} only reduces, and took the position from {before} to {after} lots")

        self._able(Capability.REDUCE_ONLY, tmp_path)
        play = self._played(tmp_path, reduces)
        asked = [one for one in closes if play.sent[one].order.role is Role.CLOSE]
        require(asked, "no close of the script was filled; trade a longer market")

    @promised
    def test_attached_stops_live_from_the_first_fill(self, tmp_path: Path) -> None:
        """An entry's stop works from its first fill on: it is acknowledged with it, and takes the position out."""
        self._able(Capability.ATTACHED_ORDERS, tmp_path)
        index, at, trigger = _fall(self._rehearsed(tmp_path))
        play = Play(self._replay(tmp_path))
        play.until(at)
        lots = size(play.exchange, index, play.marks[index])
        entry = play.send(index, Side.BUY, OrderType.MARKET, lots, stop_ticks=trigger)
        one, stop = play.sent[entry.order_id], play.sent[entry.stop_id]

        def covered(play: Play, _: int, __: list[Row]) -> None:
            require(stop.acked or not one.filled, "the entry has a fill, and its stop was not acknowledged with it")

        play.after_step.append(covered)
        play.until()
        require(one.filled, f"a market order of {lots} lots was never filled")
        left = play.lots[index]
        require(not left, f"the price fell through the stop at {trigger} ticks, {left} of {lots} lots are still held")

    # what the promises are judged on

    def _filled(self) -> Any:
        return filled(self.settings(), self.spec().settings)

    def _create(self, folder: Path) -> object:
        self.write_histories(folder)
        return self.spec().create(self._filled(), services(folder))

    def _able(self, capability: Capability, folder: Path) -> object:
        if capability not in self.spec().capabilities:
            raise not_for(f"the exchange {self.spec().name} does not declare {capability}")
        return self._create(folder)

    def _replay(self, folder: Path) -> Replay:
        made: Any = self._able(Capability.REPLAY, folder)
        return made  # type: ignore[no-any-return]  # a promise of its own says whether it is one

    def _rehearsed(self, folder: Path) -> Play:
        """The market alone."""
        play = Play(self._replay(folder))
        play.until()
        return play

    def _played(self, folder: Path, *watchers: Any) -> Play:
        return played(self._replay(folder), *watchers)


class _Books:
    """Balances folded from the fills, compared with the exchange's after each step."""

    def __init__(self, start: Mapping[str, int]) -> None:
        self._own = dict(start)

    def count(self, play: Play, row: Row, _: int) -> None:
        """Takes a report in."""
        one = play.sent.get(row[4])
        if row[2] != Kind.FILL or one is None:
            return
        instrument, sign = one.order.instrument, one.order.side.sign
        price, lots, fee, cost = row[5], row[6], row[7], row[9]
        least, most = (instrument.cost_units(price, lots, each) for each in (Rounding.FLOOR, Rounding.CEILING))
        require(least <= cost <= most, f"{lots} lots at {price} ticks cost {least} to {most} units, reported {cost}")
        self._move(instrument.base, sign * instrument.base_units(lots))
        self._move(instrument.quote, -sign * cost)
        self._move(instrument.base if row[3] & Flag.FEE_BASE else instrument.quote, -fee)

    def compare(self, play: Play, _: int, __: list[Row]) -> None:
        """The exchange's balances are ours."""
        theirs = play.exchange.balances()
        for asset, units in sorted(self._own.items()):
            told = theirs.get(asset, 0)
            require(told == units, f"{asset}: the fills give {units} units, balances() says {told}")

    def _move(self, asset: str, units: int) -> None:
        self._own[asset] = self._own.get(asset, 0) + units


def _missing(made: object) -> list[str]:
    """What an object lacks of the Replay protocol."""
    wanted = {name for base in Replay.__mro__ for name in (*vars(base), *vars(base).get("__annotations__", ()))}
    return sorted(name for name in wanted if not name.startswith("_") and not hasattr(made, name))


def _times(play: Play) -> list[int]:
    return [row[0] for _, events, _ in play.steps for row in events]


def _fall(market: Play) -> tuple[int, int, int]:
    """Where a buy is stopped out: an instrument, when to buy it, and a stop that holds at first and is hit later."""
    lows: dict[int, list[tuple[int, int]]] = {}
    for now, events, _ in market.steps:
        for row in events:
            lows.setdefault(row[1], []).append((now, row[6] if row[2] == Kind.BAR else row[4]))
    for index, told in sorted(lows.items()):
        for place in range(len(told) // 4, len(told) - 8):
            near = min(low for _, low in told[place : place + 3])
            trigger = near * 995 // 1000
            if any(low < trigger * 999 // 1000 for _, low in told[place + 3 : -2]):
                return index, told[place][0], trigger
    raise BrokenPromise("the market never falls by more than a hundredth; write a history that does")


def _check_round_trip(one: Instrument) -> None:
    """Ticks and lots are exact both ways, and the instrument survives being written down."""
    for count in (1, 7, 999_983):
        require(one.ticks(one.price(count)) == count, f"{one.symbol}: {count} ticks do not come back from their price")
        require(one.lots(one.quantity(count)) == count, f"{one.symbol}: {count} lots do not come back")
    require(isinstance(one.tick, Decimal), f"{one.symbol}: its tick is no Decimal")
    again = Instrument.from_mapping(one.to_mapping())
    require(again == one, f"{one.symbol} is written as {one.to_mapping()} and read back otherwise")
