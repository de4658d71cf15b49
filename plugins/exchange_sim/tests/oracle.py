"""The bar rules once more, in slow plain Python, written from TRADING.md section 4 and from no C.

It shares nothing with the plugin: kinds, reasons and order types are spelled as words and numbers here. One report is
``(ts, instrument, kind, sell, maker, order id, a, b, c, d, e)`` with the words of the event record.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from .oracle_account import Account
from .oracle_parts import (
    ACK,
    CANCEL_REJECTED,
    CANCELLED,
    DUPLICATE,
    EXPIRED,
    FILL,
    INT64,
    NO_BALANCE,
    PARENT_ENDED,
    POSITION_CLOSED,
    REJECTED,
    REQUESTED,
    SIBLING_FILLED,
    TIME_IN_FORCE,
    TRIGGERED,
    UNKNOWN,
    WOULD_CROSS,
    Candle,
    Ticket,
)


class Oracle(Account):
    """Replays candles against tickets; ``reports`` collects what happened."""

    # -- what the user does -------------------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        ids = [ticket.id] + [leg[0] for leg in (ticket.stop, ticket.target) if leg]
        duplicate = any(i in self.used for i in ids) or len(set(ids)) < len(ids)
        self.used |= set(ids)
        self.underway.append((self.now + self.venue.latency, "refuse" if duplicate else "submit", ticket))
        if not duplicate:
            self.attach(ticket)
            for each in (ticket, *ticket.children):
                self.by_id[each.id] = each

    def cancel(self, order_id: int) -> None:
        known = self.by_id.get(order_id)
        where = (known.instrument, known.sign) if known and known.alive else (0, 1)
        self.underway.append((self.now + self.venue.latency, "cancel", (order_id, *where)))

    def attach(self, ticket: Ticket) -> None:
        ticket.left = ticket.lots
        for leg, kind in ((ticket.stop, "STOP"), (ticket.target, "LIMIT")):
            if leg:
                child = Ticket(leg[0], ticket.instrument, -ticket.sign, kind, ticket.lots)
                child.reduce_only, child.parent = True, ticket
                child.trigger, child.limit = (leg[1], 0) if kind == "STOP" else (0, leg[1])
                ticket.children.append(child)
        if len(ticket.children) == 2:
            ticket.children[0].twin, ticket.children[1].twin = ticket.children[1], ticket.children[0]

    # -- time ---------------------------------------------------------------------------------------------------

    def play(self, candles: list[Candle], until: int) -> list[Candle]:
        """Plays what happens up to ``until``, included; gives the candles that are left."""
        while True:
            self.future = candles
            event = candles[0].ts if candles else INT64
            arrival = self.underway[0][0] if self.underway else INT64
            expiry = min((t.expire for book in self.books for t in book if t.alive and t.expire), default=INT64)
            if candles and expiry < min(event, arrival) and expiry <= until:
                self.expire(expiry)
            elif self.underway and arrival <= min(event, until):
                self.arrive(*self.underway.pop(0))
            elif candles and event <= until:
                for candle in [c for c in candles if c.ts == event]:
                    self.now = event
                    self.match(candle)
                candles = [c for c in candles if c.ts != event]
            else:
                if candles or self.underway:  # the history's end is the end of time
                    self.now = max(self.now, until)
                return candles

    def expire(self, ts: int) -> None:
        self.now = ts
        for ticket in [t for book in self.books for t in book]:
            if ticket.alive and ticket.expire == ts:
                self.end(ticket, EXPIRED, TIME_IN_FORCE)

    def arrive(self, ts: int, what: str, about: object) -> None:
        self.now = ts
        if what == "cancel":
            assert isinstance(about, tuple)
            self.arrive_cancel(*about)
            return
        assert isinstance(about, Ticket)
        if what == "refuse":
            side = int(about.sign < 0)
            self.reports.append((ts, about.instrument, REJECTED, side, 0, about.id, 0, DUPLICATE, 0, 0, 0))
            for leg in (about.stop, about.target):
                if leg:
                    self.reports.append((ts, about.instrument, CANCELLED, side, 0, leg[0], 0, PARENT_ENDED, 0, 0, 0))
            return
        if about.expire and about.expire < ts:
            self.end(about, EXPIRED, TIME_IN_FORCE)
            return
        reason = self.refusal(about)
        if reason:
            self.end(about, REJECTED, reason)
            return
        about.eligible, about.arrived = ts, True
        self.books[about.instrument].append(about)
        about.listed = True
        self.report(ACK, about)

    def arrive_cancel(self, order_id: int, instrument: int, sign: int) -> None:
        ticket = self.by_id.get(order_id)
        if not ticket or not ticket.alive or not (ticket.parent or ticket).arrived:
            side = int(sign < 0)
            self.reports.append((self.now, instrument, CANCEL_REJECTED, side, 0, order_id, 0, UNKNOWN, 0, 0, 0))
            return
        bars = [c for c in self.future if c.instrument == ticket.instrument]
        opened = bars[0].ts - self.interval if bars else INT64
        if ticket.listed and ticket.left and opened < self.now and ticket.eligible <= opened:
            ticket.cancelling = True
        else:
            self.end(ticket, CANCELLED, REQUESTED)

    # -- matching -----------------------------------------------------------------------------------------------

    def match(self, c: Candle) -> None:
        book = self.books[c.instrument]
        spec = self.specs[c.instrument]
        self.cap = INT64 if self.venue.compat else floor(c.volume * spec.volume * self.venue.participation)
        self.candle = c
        if c.volume or self.venue.compat:
            for phase in (self.at_open, self.at_stop, self.at_limit):
                i = 0
                while i < len(book):  # tickets made live meanwhile join at the end
                    if self.ready(book[i]):
                        phase(book[i])
                    i += 1
        for ticket in list(book):
            if ticket.cancelling and ticket.alive:
                self.end(ticket, CANCELLED, REQUESTED)
        self.books[c.instrument] = [t for t in book if t.alive]
        if c.volume:
            self.last[c.instrument] = c.close

    def ready(self, t: Ticket) -> bool:
        return t.alive and t.left > 0 and t.eligible <= self.candle.ts - self.interval

    def at_open(self, t: Ticket) -> None:
        c = self.candle
        if t.type in ("STOP", "STOP_LIMIT") and not t.fired:
            first = t.born_at if t.born is c else c.open
            if (t.trigger - first) * t.sign <= 0:
                self.fire(t)
        elif t.type in ("MARKET", "STOP"):
            price = self.against(c.open, t.sign, self.venue.spread / 2 + self.venue.slippage)
            self.take(t, price, False, c.open)
        elif not t.met and t.born is not c:
            self.meet(t)

    def at_stop(self, t: Ticket) -> None:
        if t.type in ("STOP", "STOP_LIMIT") and not t.fired and self.touched(t):
            self.fire(t)

    def at_limit(self, t: Ticket) -> None:
        self.at_stop(t)
        if t.type == "LIMIT" or (t.type == "STOP_LIMIT" and t.fired):
            if not t.met and self.ready(t):
                self.meet(t)
            if self.ready(t):
                self.rest(t)

    def touched(self, t: Ticket) -> bool:
        return self.candle.high >= t.trigger if t.sign > 0 else self.candle.low <= t.trigger

    def fire(self, t: Ticket) -> None:
        t.fired = True
        self.report(TRIGGERED, t, t.trigger)
        if t.type == "STOP_LIMIT":
            t.met, t.eligible = False, self.candle.ts
            return
        first = t.born_at if t.born is self.candle else self.candle.open
        at = max(t.trigger, first) if t.sign > 0 else min(t.trigger, first)
        self.take(t, self.against(at, t.sign, self.venue.slippage), False, at)

    def meet(self, t: Ticket) -> None:
        t.met = True
        first = self.candle.open
        if (t.limit - first) * t.sign >= 0:
            if t.post_only:
                self.end(t, REJECTED, WOULD_CROSS)
                return
            price = self.against(first, t.sign, self.venue.slippage)
            self.take(t, min(price, t.limit) if t.sign > 0 else max(price, t.limit), False, first)
        elif t.tif in ("IOC", "FOK"):
            self.end(t, CANCELLED, TIME_IN_FORCE)

    def rest(self, t: Ticket) -> None:
        c = self.candle
        if c.low <= t.limit - 1 if t.sign > 0 else c.high >= t.limit + 1:
            market = min(t.limit, c.open) if t.sign > 0 else max(t.limit, c.open)
            self.take(t, market if self.venue.compat else t.limit, True, market)

    # -- fills --------------------------------------------------------------------------------------------------

    def take(self, t: Ticket, price: int, maker: bool, market: int) -> None:
        lots = min(t.left, self.cap)
        if lots and not (t.tif == "FOK" and lots < t.left):
            self.fill(t, lots, price, maker, market)
        if t.alive and t.left and t.tif in ("IOC", "FOK"):
            self.end(t, CANCELLED, TIME_IN_FORCE)

    def money(self, t: Ticket, lots: int, price: int, maker: bool) -> tuple[int, int]:
        cost = self.cost(self.specs[t.instrument], price, lots)
        return cost, ceil(cost * (self.venue.maker if maker else self.venue.taker))

    def affordable(self, t: Ticket, lots: int, price: int, maker: bool) -> int:
        if self.venue.margin:
            return lots
        spec = self.specs[t.instrument]
        asset = spec.quote if t.sign > 0 else spec.base
        free = self.balances[asset] - (0 if t.reduce_only else self.locked(asset, but=t))
        if t.sign < 0:
            return max(0, min(lots, free // spec.lot_units))
        while lots and sum(self.money(t, lots, price, maker)) > free:
            unit = Fraction(self.money(t, lots, price, maker)[0], lots) * (1 + self.venue.taker)
            lots -= max(1, floor((sum(self.money(t, lots, price, maker)) - free) / unit / 2) if unit else 1)
        return lots

    def fill(self, t: Ticket, wanted: int, price: int, maker: bool, market: int) -> None:
        spec, before = self.specs[t.instrument], self.position[t.instrument]
        lots = min(wanted, self.closable(t)) if t.reduce_only else wanted
        reason = POSITION_CLOSED if lots < wanted else NO_BALANCE
        lots = self.affordable(t, lots, price, maker)
        if not lots or (t.tif == "FOK" and lots < t.left):
            self.release(t, reason)
            return
        cost, fee = self.money(t, lots, price, maker)
        self.balances[spec.quote] -= t.sign * cost + fee
        self.balances[spec.base] += t.sign * lots * spec.lot_units
        self.position[t.instrument] += t.sign * lots
        self.cap -= lots
        t.filled += lots
        t.left -= lots
        self.trades += 1
        self.report(FILL, t, price, lots, fee, self.trades, cost, maker=maker)
        for child in t.children:
            self.arm(t, child, lots, market)
        if t.twin and t.twin.listed and t.twin.alive:
            t.twin.left -= min(lots, t.twin.left)
            t.twin.why = SIBLING_FILLED
            if not t.twin.left:
                self.release(t.twin, SIBLING_FILLED)
        if t.left and lots < wanted:
            self.release(t, reason)
        elif not t.left and not t.parent:
            self.settle(t)
        after = self.position[t.instrument]
        if before and before * after <= 0:
            for other in self.books[t.instrument]:
                if other.alive and other.left and other.reduce_only and not self.closable(other):
                    self.release(other, POSITION_CLOSED)

    def arm(self, entry: Ticket, child: Ticket, lots: int, market: int) -> None:
        if not child.alive:
            return
        c = self.candle
        at_once = child.type == "STOP" or entry.type == "MARKET"
        child.left += lots
        child.why = PARENT_ENDED
        if not child.listed:
            child.listed, child.arrived, child.met = True, True, not at_once
            child.born, child.born_at = c, market
            child.eligible = c.ts - self.interval if at_once else c.ts
            self.report(ACK, child)
            self.books[child.instrument].append(child)
        elif not at_once:
            child.eligible = c.ts

    def release(self, t: Ticket, reason: int) -> None:
        """An attached order whose entry still works only pauses."""
        if t.parent:
            t.left, t.why = 0, reason
        else:
            self.end(t, CANCELLED, reason)

    def settle(self, t: Ticket) -> None:
        if t.filled < t.lots:
            self.end(t, CANCELLED, t.why)
            return
        if t.cancelling:
            self.report(CANCEL_REJECTED, t, 0, UNKNOWN)
        self.bury(t)

    def end(self, t: Ticket, kind: int, reason: int) -> None:
        if t.alive:
            self.report(kind, t, 0 if kind == REJECTED else t.filled, reason)
            self.bury(t)

    def bury(self, t: Ticket) -> None:
        t.alive, t.left = False, 0
        if t.twin:
            t.twin.twin = None
        if t.parent:
            t.parent.children.remove(t)
        for child in list(t.children):
            child.parent, child.lots = None, t.filled
            if not t.filled:
                self.end(child, CANCELLED, PARENT_ENDED)
            elif not child.left:
                self.settle(child)

    def report(self, kind: int, t: Ticket, *words: int, maker: bool = False) -> None:
        a, b, c, d, e = (*words, *([0] * (5 - len(words))))
        self.reports.append((self.now, t.instrument, kind, int(t.sign < 0), int(maker), t.id, a, b, c, d, e))
