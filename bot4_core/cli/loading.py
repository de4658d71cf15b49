"""Loading a bot's plugins for a verb, with a word about each in the log; the library itself logs nothing."""

from __future__ import annotations

from collections.abc import Iterable

from ..plugins import Pin, Registry, load


def load_plugins(names: Iterable[str | Pin]) -> Registry:
    """As :func:`bot4_core.plugins.load`; ``-v`` shows what each plugin offers, and its warnings are logged."""
    from loguru import logger

    registry = load(names)
    for one in registry.loaded:
        offers = ", ".join(f"{kind} {spec.name}" for kind, spec in one.specs)
        logger.info("plugin {} ({}) offers {}", one.info.name, one.info.origin, offers)
    for text in registry.warnings:
        logger.warning("{}", text)
    return registry
