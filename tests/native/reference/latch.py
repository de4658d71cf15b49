"""The latch's rules without words, files or atomics."""

from __future__ import annotations

import zlib

from bot4_core.native.latch import Mode


class Latch:
    """Mode with the note of whoever made it strict; a release needs the name."""

    def __init__(self, bot: str) -> None:
        self.bot = bot
        self.mode = Mode.ACTIVE
        self.seq, self.who, self.reason, self.ts = 1, "", "created", 0

    def set(self, mode: Mode, reason: str, who: str, ts: int) -> None:
        if mode > self.mode:
            self.mode = mode
            self.seq, self.who, self.reason, self.ts = self.seq + 1, who, reason, ts

    def release(self, typed: str, who: str, ts: int) -> bool:
        if typed == self.bot:
            self.mode = Mode.ACTIVE
            self.seq, self.who, self.reason, self.ts = self.seq + 1, who, "released", ts
        return typed == self.bot


def note_is_good(raw: bytes) -> bool:
    """A 488-byte note carries the CRC-32 of what stands before it."""
    return zlib.crc32(raw[:-4]) == int.from_bytes(raw[-4:], "little")
