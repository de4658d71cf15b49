"""A step from an exchange's stream, put together again from its pieces."""

from __future__ import annotations

import struct
from typing import Final

from ..domain.event import EVENT_SIZE, Kind
from ..protocols import RunStatus

#: most records of one step: what a packed status can count
_MAX_RECORDS: Final = RunStatus.EVENTS
_PLACE = struct.Struct("<8xIH")
_FIRST_REPORT = Kind.ACK


class Gather:
    """Puts a step together again from its pieces, in the order of DECISIONS.md D-5.

    Attributes:
        events, reports: the step, for ``Engine.connect``.
    """

    def __init__(self) -> None:
        self._events, self._reports = bytearray(_MAX_RECORDS * EVENT_SIZE), bytearray(_MAX_RECORDS * EVENT_SIZE)
        self.events, self.reports = memoryview(self._events), memoryview(self._reports)
        self._market: list[tuple[int, bytes]] = []
        self._answers: list[bytes] = []

    def add(self, records: memoryview | bytes) -> None:
        """Takes a piece."""
        for start in range(0, len(records), EVENT_SIZE):
            record = bytes(records[start : start + EVENT_SIZE])
            instrument, kind = _PLACE.unpack_from(record)
            if kind >= _FIRST_REPORT:
                self._answers.append(record)
            else:
                self._market.append((instrument, record))

    def pull(self) -> int:
        """Lays the complete step out and gives its packed ``RunStatus``."""
        self._market.sort(key=lambda one: one[0])  # stable: one instrument's events keep their order
        market = b"".join([record for _, record in self._market])
        answers = b"".join(self._answers)
        self._events[: len(market)] = market
        self._reports[: len(answers)] = answers
        status = len(self._market) | len(self._answers) << RunStatus.REPORTS_SHIFT
        self._market.clear()
        self._answers.clear()
        return status
