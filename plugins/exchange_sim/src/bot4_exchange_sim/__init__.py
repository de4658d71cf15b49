"""A simulated exchange for bot4: replays recorded history and fills orders by stated, conservative rules."""

from bot4_core.sdk import ExchangeSpec, hookimpl

from .spec import SPEC


@hookimpl
def bot4_exchanges() -> list[ExchangeSpec]:
    """The one exchange this plugin offers."""
    return [SPEC]
