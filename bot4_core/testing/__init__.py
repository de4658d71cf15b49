"""What tests of strategies and plugins are built on; stable as ``bot4_core.sdk`` is."""

from ..history.file import write_history
from .strategy import StrategyRun, bars_from_closes, run_strategy

__all__ = ["StrategyRun", "bars_from_closes", "run_strategy", "write_history"]
