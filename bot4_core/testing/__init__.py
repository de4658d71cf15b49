"""What tests of strategies and plugins are built on; stable as ``bot4_core.sdk`` is."""

from ..history.file import write_history
from .clock import FakeClock
from .contracts import BrokenPromise, ExchangeContract, RiskCase, RiskContract, SinkContract, StrategyContract
from .strategy import MarketBars, StrategyRun, bars_from_closes, run_strategy

__all__ = [
    "BrokenPromise",
    "ExchangeContract",
    "FakeClock",
    "MarketBars",
    "RiskCase",
    "RiskContract",
    "SinkContract",
    "StrategyContract",
    "StrategyRun",
    "bars_from_closes",
    "run_strategy",
    "write_history",
]
