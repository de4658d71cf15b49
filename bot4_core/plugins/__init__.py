"""The plugin host: finds plugins and loads the ones a bot names.

``listing()`` reads installed metadata and imports nothing. ``load(names)`` imports exactly those names, each compared
with its :class:`Pin` first, and gives a :class:`Registry` of what they offer. Trying out a plugin that may exit, hang
or crash is :mod:`bot4_core.plugin_check`.
"""

from __future__ import annotations

from .allowlist import Pin, load
from .loading import Loaded, describe
from .metadata import (
    DISABLE_VARIABLE,
    GROUP,
    HOOK_OF_KIND,
    PluginInfo,
    disabled,
    entries_by_name,
    info_of,
    listing,
)
from .registry import Registry

__all__ = [
    "DISABLE_VARIABLE",
    "GROUP",
    "HOOK_OF_KIND",
    "Loaded",
    "Pin",
    "PluginInfo",
    "Registry",
    "describe",
    "disabled",
    "entries_by_name",
    "info_of",
    "listing",
    "load",
]
