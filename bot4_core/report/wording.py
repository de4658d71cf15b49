"""Numbers and times as people read them. Machines get the exact text instead (JSON, CSV)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import ConfigError
from .metrics import DAY_NS, Stat

_EPOCH = datetime.fromtimestamp(0, UTC)
_WIDE = Context(prec=60)
MINUS = "\u2212"


def zone_of(name: str | None) -> tzinfo:
    """The time zone of that name, UTC for None; ConfigError when this machine does not know it."""
    if name is None or name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"--tz {name}: unknown time zone; use a name such as Europe/Berlin or UTC") from error


def moment(ns: int, zone: tzinfo) -> datetime:
    """The time to the microsecond; nanoseconds below are dropped."""
    return (_EPOCH + timedelta(microseconds=ns // 1000)).astimezone(zone)


def zone_name(zone: tzinfo) -> str:
    """UTC, or the zone's own name."""
    return "UTC" if zone is UTC else str(zone)


def clock(ns: int, zone: tzinfo) -> str:
    """``2022-08-01 00:05``, with seconds only where there are some."""
    at = moment(ns, zone)
    return at.strftime("%Y-%m-%d %H:%M:%S" if at.second else "%Y-%m-%d %H:%M")


def short_clock(ns: int, zone: tzinfo) -> str:
    """``22-08-01 00:05``, for narrow columns."""
    return moment(ns, zone).strftime("%y-%m-%d %H:%M")


def iso_utc(ns: int) -> str:
    """ISO 8601 in UTC with all nine decimals of a second where they are not zero."""
    seconds, rest = divmod(ns, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z" if rest else f"{text}Z"


def places_for(size: Decimal, scale: int) -> int:
    """Decimals that show an amount of this size with about six digits: at least 2, at most the asset's scale."""
    whole = len(str(abs(int(size))))
    return min(max(6 - whole, 2), scale) if scale >= 2 else scale


def amount(value: Decimal, places: int, *, sign: bool = False) -> str:
    """An amount with thousands separators, rounded half-even for the eye; a true minus sign."""
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _WIDE)
    if rounded == 0:
        return f"{abs(rounded):,f}"
    mark = MINUS if rounded < 0 else ("+" if sign else "")
    return f"{mark}{abs(rounded):,f}"


def plain(value: Decimal) -> str:
    """An exact number without exponent and without trailing zeros."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def significant(value: Decimal | None, digits: int = 7) -> str:
    """A price or quantity rounded to so many digits, never inside its whole part."""
    if value is None:
        return "—"
    whole = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    places = max(digits - whole, 0) if whole else digits - 1 - min(value.adjusted(), 0) if value else 0
    text = plain(value.quantize(Decimal(1).scaleb(-max(places, 0)), ROUND_HALF_EVEN, _WIDE).copy_abs())
    head, point, tail = text.partition(".")
    return f"{MINUS if value < 0 else ''}{int(head):,}{point}{tail}"


def percent(ratio: float | Decimal | None, *, sign: bool = False, places: int = 2) -> str:
    """A ratio as percent; beyond a million percent in powers of ten."""
    if ratio is None:
        return "n/a"
    value = float(ratio) * 100
    if abs(value) >= 1e8:
        return f"{value:.1e} %".replace("-", MINUS)
    text = f"{abs(value):,.{places}f}"
    if not any(c in "123456789" for c in text):
        return f"{text} %"
    return f"{MINUS if value < 0 else ('+' if sign else '')}{text} %"


def ratio(value: float, places: int = 2) -> str:
    """A plain ratio such as a Sharpe."""
    text = f"{abs(value):,.{places}f}" if abs(value) < 1e6 else f"{abs(value):.1e}"
    return f"{MINUS}{text}" if value < 0 and any(c in "123456789" for c in text) else text


def stat(value: Stat, *, as_percent: bool = False, places: int = 2) -> str:
    """A statistic, or ``n/a`` with its reason."""
    if value.value is None:
        return f"n/a ({value.note})"
    return percent(value.value, places=places) if as_percent else ratio(value.value, places)


def duration(ns: int | float) -> str:
    """Two units at most: ``212 d``, ``3 d 4 h``, ``1 h 05 m``, ``12 s``."""
    if 0 < ns < 10**9:
        return f"{ns / 10**6:.3g} ms" if ns >= 10**6 else f"{ns:.0f} ns"
    seconds = round(ns / 10**9)
    if seconds < 60:
        return f"{seconds} s"
    minutes, second = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} m {second:02d} s" if second else f"{minutes} m"
    hours, minute = divmod(round(seconds / 60), 60)
    if hours < 24:
        return f"{hours} h {minute:02d} m" if minute else f"{hours} h"
    days, hour = divmod(round(seconds / 3600), 24)
    return f"{days} d {hour} h" if hour and days < 30 else f"{days + (hour >= 12)} d"


def days_text(first_ns: int, last_ns: int) -> str:
    """The length of a period."""
    span = last_ns - first_ns
    return f"{span / DAY_NS:.0f} days" if span >= 2 * DAY_NS else duration(span)


def count(value: int) -> str:
    """A whole number with thousands separators."""
    return f"{value:,}"


def counted(value: int, what: str) -> str:
    """A number of things: ``1 fill``, ``2 fills``, ``1,200 fills``."""
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def printable(text: str, limit: int = 60) -> str:
    """Text of a stranger for one line of a terminal: control characters become ``?``, the end is cut with ``…``."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
