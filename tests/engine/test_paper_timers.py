"""Paper equals backtest for what time itself wakes: timers, several timeframes, orders that are long on their way."""

from __future__ import annotations

from pathlib import Path

from .paper import PaperBot

STRATEGY = '''
from bot4_core.sdk import Bar, Context, Fill, Order, Role, Strategy, Timer


class Timely(Strategy):
    """Wakes for everything there is, and does something else each time."""

    timeframes = ("5m", "15m")
    warmup = 2

    def on_start(self, ctx: Context) -> None:
        self.turn, self.last = 0, {}
        ctx.every("7m", "seven")
        ctx.every("90s", "ninety")
        ctx.at(ctx.now + 600 * 10**9 + 1, "once")

    def act(self, ctx: Context, instrument, tag: str) -> None:
        self.turn += 1
        turn = self.turn % 5
        if turn == 1:
            ctx.buy(instrument, fraction="0.01", stop="0.02", target="0.01", tag=tag)
        elif turn == 2 and instrument in self.last:
            ctx.buy(instrument, fraction="0.001", stop="0.02", limit=instrument.price(self.last[instrument]), tag=tag)
        elif turn == 3:
            ctx.close(instrument, tag=tag)
        elif turn == 4:
            for order in ctx.orders(instrument):
                if order.role is Role.ENTRY:
                    ctx.cancel(order)

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.last[bar.instrument] = bar.close_ticks * 999 // 1000
        self.act(ctx, bar.instrument, f"bar {bar.interval_ns}")

    def on_timer(self, ctx: Context, timer: Timer) -> None:
        for instrument in ctx.instruments:
            self.act(ctx, instrument, timer.name)
        if timer.name == "once":
            ctx.at(ctx.now + 61 * 10**9 + 7, "once")

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.act(ctx, fill.order.instrument, "fill")

    def on_order(self, ctx: Context, order: Order) -> None:
        self.act(ctx, order.instrument, "order")
'''


def test_timers_timeframes_and_latency_decide_on_paper_what_they_decide_in_a_backtest(tmp_path: Path) -> None:
    exchange = 'jitter = "1ms"\nlatency = "250ms"'
    bot = PaperBot.write(tmp_path, speed='"max"', bars=150, strategy=STRATEGY, exchange=exchange)
    text = (tmp_path / "bot.toml").read_text("utf-8").replace("busy.py:Busy", "busy.py:Timely")
    (tmp_path / "bot.toml").write_text(text, "utf-8")
    traded = bot.command("run", "bot.toml", "--json")
    tested = bot.command("backtest", "bot.toml", "--json")
    assert (traded.code, tested.code) == (0, 0), traded.err + tested.err
    with bot.store() as store:
        paper, backtest = (store.load(done.json["run_id"]) for done in (traded, tested))
    assert paper.row.result_hash == backtest.row.result_hash
    tags = {order.tag for order in paper.orders if order.state == "filled"}
    assert {"seven", "ninety", "once", "fill", f"bar {300 * 10**9}", f"bar {900 * 10**9}"} <= tags
