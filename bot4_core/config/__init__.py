"""Configuration: TOML to checked objects, with every mistake found at once and each on its line.

Two steps, because a table's settings are known only once its plugin is loaded::

    config = load_config("bot.toml", overrides=["strategy.trend.fast=8"])   # the file's shape
    plan = resolve(config, plugins.load(config.bot.plugins))                # each table against its plugin
"""

from .load import load_config
from .model import BotConfig, Config, JournalConfig, LogConfig, Market, Part, Plan, Table
from .resolve import resolve

__all__ = [
    "BotConfig",
    "Config",
    "JournalConfig",
    "LogConfig",
    "Market",
    "Part",
    "Plan",
    "Table",
    "load_config",
    "resolve",
]
