"""What the core learns about the simulator before it builds one."""

from __future__ import annotations

from bot4_core.sdk import Capability, ExchangeSpec, Services

from .settings import SimSettings


def _create(settings: SimSettings, services: Services) -> object:
    # numpy and the compiled kernel are loaded when a bot is built, not when plugins are listed
    from .exchange import SimExchange

    return SimExchange(settings, services)


SPEC = ExchangeSpec(
    name="sim",
    settings=SimSettings,
    create=_create,
    capabilities=frozenset(
        {Capability.REPLAY, Capability.STREAM, Capability.ATTACHED_ORDERS, Capability.REDUCE_ONLY}
    ),
    summary="Simulated exchange: replays history, fills conservatively.",
)
