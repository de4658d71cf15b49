"""The policy object: nothing but limits, so all of it runs inside the core's gate."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from attrs import frozen

from bot4_core.sdk import Services

from .settings import RiskDefaultSettings


@frozen
class DefaultPolicy:
    """Limits taken from the settings (``bot4_core.sdk.RiskPolicy``)."""

    limits: Mapping[str, object]


def create(settings: RiskDefaultSettings, _services: Services) -> DefaultPolicy:
    """The policy of one ``[[risk]]`` table."""
    return DefaultPolicy(attrs.asdict(settings))
