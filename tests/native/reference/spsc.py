"""The ring as a deque."""

from __future__ import annotations

from collections import deque


class Ring:
    """One thread's view of src/spsc.h: what is refused, what is dropped, what comes out in which order."""

    def __init__(self, capacity: int, *, drop_oldest: bool) -> None:
        self.capacity, self.drop_oldest = capacity, drop_oldest
        self.items: deque[int] = deque()
        self.pushed = self.popped = self.rejected = 0
        self.unseen = self.dropped = 0  # dropped counts what the consumer has noticed

    def push_batch(self, items: list[int]) -> int:
        stored = 0
        for item in items:
            if len(self.items) == self.capacity:
                if not self.drop_oldest:
                    self.rejected += 1
                    continue
                self.items.popleft()
                self.unseen += 1
            self.items.append(item)
            stored += 1
        self.pushed += stored
        return stored

    def push_all(self, items: list[int]) -> bool:
        fits = len(self.items) + len(items) <= self.capacity
        if fits:
            self.items.extend(items)
            self.pushed += len(items)
        else:
            self.rejected += len(items)
        return fits

    def peek_batch(self, n: int) -> list[int]:
        return list(self.items)[:n]

    def release(self, n: int) -> bool:
        if n > len(self.items):
            return False
        self.pop_batch(n)
        return True

    def pop_batch(self, n: int) -> list[int]:
        self.dropped, self.unseen = self.dropped + self.unseen, 0
        taken = [self.items.popleft() for _ in range(min(n, len(self.items)))]
        self.popped += len(taken)
        return taken
