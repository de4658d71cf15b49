"""bot4: a framework for crypto trading bots (see README.md)."""

from importlib.metadata import version

__version__ = version("bot4-core")
