"""The C header and domain/event.py say the same."""

from __future__ import annotations

import numpy as np
import pytest

import bot4_core.native as native
from bot4_core.domain.event import EVENT, EVENT_DTYPE, EVENT_SIZE, Flag, Kind, Reason


@pytest.mark.parametrize(("enum", "prefix"), [(Kind, "B4_KIND_"), (Flag, "B4_FLAG_"), (Reason, "B4_REASON_")])
def test_the_header_has_exactly_the_constants_of_the_domain(enum: type, prefix: str) -> None:
    in_c = {name.removeprefix(prefix): getattr(native.lib, name) for name in dir(native.lib) if name.startswith(prefix)}

    assert in_c == {member.name: member.value for member in enum}


def test_the_record_lies_in_memory_as_numpy_and_struct_say() -> None:
    record = native.ffi.new("b4_event *")
    record.ts, record.instrument, record.kind, record.flags = -5, 2**32 - 1, 2**16 - 1, 258
    record.v = [1, -2, 3, -4, 5, -(2**63)]

    raw = bytes(native.ffi.buffer(record))

    assert len(raw) == EVENT_SIZE == native.lib.B4_EVENT_SIZE == EVENT_DTYPE.itemsize
    assert EVENT.unpack(raw) == (-5, 2**32 - 1, 2**16 - 1, 258, 1, -2, 3, -4, 5, -(2**63))
    assert np.frombuffer(raw, EVENT_DTYPE)[0]["v"].tolist() == [1, -2, 3, -4, 5, -(2**63)]
