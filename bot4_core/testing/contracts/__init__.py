"""The promises of each kind of plugin, as test classes; ``bot4_core.testing`` gives them out."""

from .exchange import ExchangeContract
from .promise import BrokenPromise
from .risk import RiskCase, RiskContract
from .sink import SinkContract
from .strategy import StrategyContract

__all__ = ["BrokenPromise", "ExchangeContract", "RiskCase", "RiskContract", "SinkContract", "StrategyContract"]
