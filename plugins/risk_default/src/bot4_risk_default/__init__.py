"""The default risk policy of bot4."""

from bot4_core.sdk import RiskSpec, hookimpl

from .policy import create
from .settings import RiskDefaultSettings

SPEC = RiskSpec(
    name="default",
    settings=RiskDefaultSettings,
    create=create,
    summary="Limits on position, drawdown, stop, order size, rate and duplicates.",
)


@hookimpl
def bot4_risk_checks() -> list[RiskSpec]:
    """The one policy this plugin offers."""
    return [SPEC]
