"""The replay kernel (src/kernel.h says how it works) as a Python object: integers in, packed status and records out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from bot4_core.native import ABI
from bot4_core.native.status import check
from bot4_core.sdk import EVENT_SIZE, ConfigError, HistoryError, NativeError, Order, PluginIncompatible

from ._kernel import ffi, lib

_INT64_MAX: Final = 2**63 - 1
#: b4s_request: id, quantity, price, trigger, expiry, stop id and price, target id and price, instrument, bytes
_REQUEST: Final = struct.Struct("<9qI6B6x")
_NO_VALUE: Final = -(1 << 63)

if lib.B4_ABI != ABI:
    raise PluginIncompatible(
        "exchange-sim", f"was built for native layout {lib.B4_ABI}, bot4-core has {ABI}; reinstall bot4-exchange-sim"
    )


@frozen(kw_only=True)
class Rules:
    """What holds for the whole venue; ratios exact.

    Args:
        market_ratio: half spread plus slippage, what a market order pays beyond the price.
        slip_ratio: slippage alone.
        maker_fee, taker_fee: share of the cost; a negative maker fee is a rebate.
        leverage: gross exposure over equity that a margin account allows.
        latency_ns: from sending to arrival, both for orders and cancels.
        margin: margin account instead of spot.
        compat: the looser rules of ``compat-backtesting``.
        capacity: open orders at most, attached ones included.
    """

    market_ratio: Fraction
    slip_ratio: Fraction
    maker_fee: Fraction
    taker_fee: Fraction
    leverage: Fraction
    latency_ns: int
    margin: bool
    compat: bool
    capacity: int = 4096


@frozen(kw_only=True)
class Market:
    """One instrument as the kernel needs it; ratios exact.

    Args:
        cost_ratio: quote units of one tick times one lot.
        lot_units: base units of one lot.
        volume_ratio: lots in one unit of market-data volume.
        share_ratio: lots that we may fill per unit of a bar's volume.
        min_lots, max_lots: order filters, 0 = none.
        min_notional: quote units, 0 = none.
        base, quote: places of the assets in the list of balances.
    """

    cost_ratio: Fraction
    lot_units: int
    volume_ratio: Fraction
    share_ratio: Fraction
    min_lots: int
    max_lots: int
    min_notional: int
    base: int
    quote: int


@frozen(kw_only=True, eq=False)
class Stream:
    """One history.

    Args:
        events: records of ``EVENT_DTYPE``, contiguous, unchanged while the kernel lives.
        interval_ns: bar length, 0 for ticks.
        instrument: index of the market.
        name: of the file, for messages.
    """

    events: npt.NDArray[np.void]
    interval_ns: int
    instrument: int
    name: str


class Scanned:
    """What one pass over a history found.

    Args:
        events: contiguous records of ``EVENT_DTYPE``.

    Attributes:
        bad_row: first record that cannot be (counted from 0), -1 when all can.
        longest_run: most records with one time.
        kinds: mask of ``1 << kind``.
    """

    __slots__ = ("bad_row", "kinds", "longest_run")

    def __init__(self, events: npt.NDArray[np.void]) -> None:
        found = ffi.new("b4s_scanned *")
        check(lib.b4s_scan_bulk(ffi.from_buffer(events), len(events), found), "history")
        self.bad_row: int = found.bad_row
        self.longest_run: int = found.longest_run
        self.kinds: int = found.kinds


class Kernel:
    """A simulated venue over some histories.

    Args:
        rules: the venue's rules.
        markets: the instruments, by index.
        streams: the histories; their events of one time are delivered in the order of (instrument, place here).
        balances: starting balance of each asset in its units.

    Attributes:
        step, reports: the kernel's buffers of 64-byte records, valid until the next :meth:`run`.
        timer_ns: the time named last by :meth:`wake_at`.

    Raises:
        ConfigError: for numbers that do not fit 64 bits, or more histories or simultaneous events than there may be.
        HistoryError: a history holds a record that cannot be.
    """

    __slots__ = (
        "_bulk", "_keep", "_kernel", "_request", "_request_bytes", "_submit", "reports", "run", "run_until", "step",
        "timer_ns",
    )  # fmt: skip

    def __init__(
        self, rules: Rules, markets: Sequence[Market], streams: Sequence[Stream], balances: Sequence[int]
    ) -> None:
        ordered = sorted(streams, key=lambda each: each.instrument)
        scans = [_scanned(each) for each in ordered]
        native_rules = _rules(rules, sum(each.longest_run for each in scans))
        size = lib.b4s_size(native_rules)
        if not size:
            raise ConfigError(f"{native_rules.step_capacity} events have one time; at most {lib.B4S_MAX_STEP} may")
        owner = ffi.new("char[]", size + lib.B4_CACHE_LINE)
        start = -int(ffi.cast("uintptr_t", owner)) % lib.B4_CACHE_LINE
        self._kernel: Any = ffi.cast("b4s_kernel *", owner + start)
        made, kept = _streams(ordered, scans)
        check(
            lib.b4s_init(
                owner + start, size, native_rules, _markets(markets), len(markets), made, len(ordered),
                ffi.new("int64_t[]", list(balances)), len(balances),
            ),
            "simulator",
        )
        self._keep = (owner, ordered, kept)
        self._request = ffi.new("b4s_request *")
        self._request_bytes = ffi.buffer(self._request)
        self._bulk, self._submit = lib.b4s_run_bulk, lib.b4s_submit
        #: replays up to the next step somebody wants; the native call itself, because it is made once per wake
        self.run: Callable[[], int] = partial(lib.b4s_run, self._kernel)
        #: the same, but what is later than the time given is left, with MORE
        self.run_until: Callable[[int], int] = partial(lib.b4s_run_until, self._kernel)
        self.timer_ns: int = _INT64_MAX
        whole = memoryview(ffi.buffer(owner))
        self.step = _window(whole, owner, lib.b4s_step(self._kernel), native_rules.step_capacity)
        self.reports = _window(whole, owner, lib.b4s_reports(self._kernel), lib.B4S_MAX_REPORTS)

    def run_on(self) -> int:
        """As ``run``, with a far larger budget and the GIL released; for after a MORE."""
        status: int = self._bulk(self._kernel)
        return status

    def wake_at(self, ns: int) -> None:
        """Names the time of the next timer, ns; later events are left."""
        check(lib.b4s_wake_at(self._kernel, ns), "simulator: timer")
        self.timer_ns = ns

    def next_ns(self) -> int:
        """Time of the next event, arrival or expiry, ns; 2**63 - 1 when nothing is left. Nothing is consumed."""
        return int(lib.b4s_next_ns(self._kernel))

    def submit(self, order: Order) -> None:
        """Sends an order, with the protective orders it names.

        Raises:
            NativeError: the order cannot be (a limit without price, a price without limit), or too many are under way.
        """
        _REQUEST.pack_into(
            self._request_bytes, 0, order.order_id, order.quantity_lots, order.price_ticks, order.trigger_ticks,
            order.expire_ns, order.stop_id, order.stop_ticks, order.target_id, order.target_ticks, order.index,
            order.side, order.type, order.tif, order.role, order.reduce_only, order.post_only,
        )
        if self._submit(self._kernel, self._request):
            self._refused(order)

    def _refused(self, order: Order) -> None:
        raise NativeError(
            f"simulator: order {order.order_id} ({order.type.name} {order.quantity_lots} lots, limit "
            f"{order.price_ticks}, trigger {order.trigger_ticks}, {order.tif.name}) is contradictory, "
            "or more orders are under way than the simulator keeps"
        )

    def cancel(self, order_id: int) -> None:
        """Asks for an order's end.

        Raises:
            NativeError: too many orders and cancels are under way.
        """
        check(lib.b4s_cancel(self._kernel, order_id), "simulator: cancel")

    def window(self, from_ns: int, to_ns: int) -> None:
        """Replays only events of ``from_ns..to_ns``, both included.

        Raises:
            NativeError: the replay has begun, or the window is empty.
        """
        check(lib.b4s_window(self._kernel, max(from_ns, -(2**62)), min(to_ns, _INT64_MAX)), "simulator: window")

    def wake_on(self, instrument: int, kinds: int) -> None:
        """Names the event kinds that wake, as a mask of ``1 << kind``.

        Raises:
            NativeError: there is no such instrument.
        """
        check(lib.b4s_wake_on(self._kernel, instrument, kinds & 0xFFFFFFFF), "simulator: wake mask")

    def attach(self, address: int) -> None:
        """Gives the kernel the valuation that skipped steps mark, 0 for none; it must outlive the kernel.

        Raises:
            NativeError: it was laid out by another version, or has fewer instruments.
        """
        check(lib.b4s_attach(self._kernel, address), "simulator: valuation")

    def processed(self) -> int:
        """Events consumed so far."""
        return int(lib.b4s_processed(self._kernel))

    def open_orders(self) -> int:
        """Orders at the venue or on their way, attached ones included."""
        return int(lib.b4s_open_orders(self._kernel))

    def balance(self, asset: int) -> int:
        """The venue's balance of an asset, units.

        Raises:
            NativeError: there is no such asset.
        """
        return _value(lib.b4s_balance(self._kernel, asset), "asset")

    def position(self, instrument: int) -> int:
        """The venue's net position, lots.

        Raises:
            NativeError: there is no such instrument.
        """
        return _value(lib.b4s_position(self._kernel, instrument), "instrument")


def _scanned(stream: Stream) -> Scanned:
    scan = Scanned(stream.events)
    if scan.bad_row >= 0:
        raise HistoryError(
            f"{stream.name}: record {scan.bad_row + 1} is out of order or holds a price or quantity that cannot be; "
            "import the data again"
        )
    return scan


def _value(answer: int, what: str) -> int:
    if answer == _NO_VALUE:
        raise NativeError(f"simulator: there is no such {what}")
    return answer


def _window(whole: memoryview, owner: Any, at: Any, rows: int) -> memoryview:
    """The part of the kernel's memory that holds ``rows`` records; it keeps the memory alive."""
    offset = int(ffi.cast("uintptr_t", at)) - int(ffi.cast("uintptr_t", owner))
    return whole[offset : offset + rows * EVENT_SIZE]


def _pair(ratio: Fraction, what: str) -> tuple[int, int]:
    if abs(ratio.numerator) > _INT64_MAX or ratio.denominator > _INT64_MAX:
        raise ConfigError(f"{what} {ratio} has too many digits for the simulator; round it")
    return ratio.numerator, ratio.denominator


def _rules(rules: Rules, step_capacity: int) -> Any:
    native = ffi.new("b4s_rules *")
    native.market_num, native.market_den = _pair(rules.market_ratio, "spread plus slippage")
    native.slip_num, native.slip_den = _pair(rules.slip_ratio, "slippage")
    native.maker_num, native.maker_den = _pair(rules.maker_fee, "maker fee")
    native.taker_num, native.taker_den = _pair(rules.taker_fee, "taker fee")
    native.leverage_num, native.leverage_den = _pair(rules.leverage, "leverage")
    native.latency_ns = rules.latency_ns
    native.margin, native.compat = rules.margin, rules.compat
    native.capacity, native.step_capacity = rules.capacity, min(step_capacity, 2**32 - 1)
    return native


def _markets(markets: Sequence[Market]) -> Any:
    native = ffi.new("b4s_instrument[]", len(markets))
    for row, market in zip(native, markets, strict=True):
        row.cost_num, row.cost_den = _pair(market.cost_ratio, "tick times lot")
        row.volume_num, row.volume_den = _pair(market.volume_ratio, "volume unit in lots")
        row.share_num, row.share_den = _pair(market.share_ratio, "participation")
        row.lot_units = market.lot_units
        row.min_lots, row.max_lots, row.min_notional = market.min_lots, market.max_lots, market.min_notional
        row.base, row.quote = market.base, market.quote
    return native


def _streams(streams: Sequence[Stream], scans: Sequence[Scanned]) -> tuple[Any, list[Any]]:
    if len(streams) > lib.B4S_MAX_STREAMS:
        raise ConfigError(f"{len(streams)} histories; the simulator replays at most {lib.B4S_MAX_STREAMS}")
    native = ffi.new("b4s_stream[]", len(streams))
    kept = [ffi.from_buffer(each.events) for each in streams]
    for row, each, scan, buffer in zip(native, streams, scans, kept, strict=True):
        row.records, row.count = ffi.cast("void *", buffer), len(each.events)
        row.interval_ns, row.instrument, row.kinds = each.interval_ns, each.instrument, scan.kinds
    return native, kept
