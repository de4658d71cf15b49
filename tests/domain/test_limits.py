"""The core's limits may be tightened, never loosened (R-41), and a refusal names the limit and where it was written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot4_core.domain.limits import Limits
from bot4_core.errors import ConfigError

#: limit, what stands, a step tighter, a step looser
CEILINGS = [
    ("position", "0.02", "0.0199", "0.0201"),
    ("drawdown", "0.15", "0.1499", "0.1501"),
    ("stop_distance", "0.04", "0.0399", "0.0401"),
    ("open_orders", 100, 99, 101),
    ("open_orders_per_symbol", 10, 9, 11),
]
#: limits the core leaves open: the first policy sets them, the next may only tighten
OPEN = [("max_notional", "1000", "999.99", "1000.01"), ("orders_per_second", 5, 4, 6)]
#: more is tighter: a market order is assumed to fill worse, a duplicate is remembered longer
FLOORS = [("collar", "0.005", "0.0051", "0.0049"), ("duplicate_window_s", "2", "2.5", "1.5")]
COUNTS = ("open_orders", "open_orders_per_symbol", "orders_per_second")


def standing(name: str, value: object) -> Limits:
    """Limits in which this value stands."""
    return Limits() if str(getattr(Limits(), name)) == str(value) else Limits().tightened({name: value})


@pytest.mark.parametrize(("name", "stands", "tighter", "looser"), CEILINGS + OPEN + FLOORS)
def test_tighter_and_equal_are_taken_and_looser_is_refused(
    name: str, stands: object, tighter: object, looser: object
) -> None:
    limits = standing(name, stands)

    assert getattr(limits.tightened({name: stands}), name) == getattr(limits, name)
    assert str(getattr(limits.tightened({name: tighter}), name)) == str(tighter)
    word = "below" if (name, stands, tighter, looser) in FLOORS else "above"
    with pytest.raises(ConfigError, match=rf"^\$\.risk\[0\]\.{name}: {looser} is {word} the limit {stands}$"):
        limits.tightened({name: looser}, "$.risk[0]")


@pytest.mark.parametrize("name", [row[0] for row in CEILINGS + OPEN + FLOORS])
@pytest.mark.parametrize("value", ["NaN", "inf", float("nan"), 0.01, True, "", "x", "-1", -1, "1_0", [1]])
def test_what_is_no_possible_number_is_refused_for_every_limit(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"\$\.{name}: "):
        Limits().tightened({name: value})


@pytest.mark.parametrize("name", [row[0] for row in CEILINGS + OPEN])
def test_a_ceiling_of_zero_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must be greater than 0"):
        Limits().tightened({name: 0})


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number(name: str) -> None:
    limits = Limits().tightened({name: "3"})

    assert getattr(limits, name) == 3
    assert isinstance(getattr(limits, name), int)
    with pytest.raises(ConfigError, match=rf"\$\.{name}: 2\.5 must be a whole number"):
        Limits().tightened({name: "2.5"})


@pytest.mark.parametrize("value", ["1", "1.5", "7"])
def test_a_collar_of_the_whole_price_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"\$\.collar: .* must be below 1"):
        Limits().tightened({"collar": value})


def test_a_drawdown_too_fine_to_measure_is_refused_and_does_not_switch_the_halt_off() -> None:
    assert Limits().tightened({"drawdown": "0.000000001"}).drawdown == Decimal("1e-9")
    with pytest.raises(ConfigError, match=r"\$\.drawdown: 9E-10 is finer than drawdown is measured, 0\.000000001"):
        Limits().tightened({"drawdown": "0.0000000009"})


def test_an_unknown_limit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"\$\.positon: is no limit of the gate; known: .*position"):
        Limits().tightened({"positon": "0.01"})


def test_every_mistake_is_reported_at_once_and_nothing_is_changed() -> None:
    limits = Limits()
    with pytest.raises(ConfigError) as refusal:
        limits.tightened({"position": "0.05", "drawdown": "NaN", "nope": 1, "open_orders": 50}, "$.risk[1]")

    assert [mistake.path for mistake in refusal.value.mistakes] == [
        "$.risk[1].position", "$.risk[1].drawdown", "$.risk[1].nope",
    ]  # fmt: skip
    assert limits == Limits()


def test_what_a_policy_does_not_state_stays_as_it_is() -> None:
    assert Limits().tightened({"position": None, "max_notional": None}) == Limits()


def test_two_policies_together_are_as_strict_as_the_stricter() -> None:
    limits = Limits().tightened({"position": "0.01"}).tightened({"drawdown": "0.05"})

    assert (limits.position, limits.drawdown) == (Decimal("0.01"), Decimal("0.05"))
    with pytest.raises(ConfigError, match=r"0\.02 is above the limit 0\.01"):
        limits.tightened({"position": "0.02"})


def test_unguarded_switches_off_exactly_the_immutable_rules() -> None:
    before, after = Limits().to_mapping(), Limits().without_guard().to_mapping()

    assert {name for name in before if before[name] != after[name]} == {"position", "drawdown", "stop_distance"}
    assert {after[name] for name in ("position", "drawdown", "stop_distance")} == {"off"}


def test_the_mapping_names_every_limit_in_force_as_text() -> None:
    mapping = Limits().tightened({"position": "0.01"}).to_mapping()

    assert mapping["position"] == "0.01"
    assert mapping["open_orders"] == "100"
    assert mapping["max_notional"] == "off"
    assert list(mapping) == sorted(mapping)


def test_a_limit_that_was_switched_off_may_be_set_again() -> None:
    assert Limits().without_guard().tightened({"position": "0.5"}).position == Decimal("0.5")
