"""Numbers, sizes and dates as text; every function is a Jinja filter of the same name."""

from datetime import datetime

from datacomp_leaderboard.twins import Cell

ABSENT = "–"


def score(value: float | None) -> str:
    """A metric to three decimals: `0.134`."""
    return ABSENT if value is None else f"{value:.3f}"


def count(value: int | None) -> str:
    """A whole number with thin groups: `12,800,000`."""
    return ABSENT if value is None else f"{value:,}"


def short_count(value: int) -> str:
    """A whole number to three figures: `12.8M`, `4,096`."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e5, "k")):
        if value >= limit:
            scaled = value / (1e3 if unit == "k" else limit)
            return f"{scaled:.3g}{unit}"
    return f"{value:,}"


def percent(fraction: float) -> str:
    """A fraction as a percentage: `30.0%`, `0.04%`."""
    value = 100 * fraction
    return f"{value:.2f}%" if 0 < value < 1 else f"{value:.1f}%"


def points(difference: float) -> str:
    """A difference of fractions in points, signed: `+1.3`, `−0.4`."""
    text = f"{100 * difference:+.1f}"
    return text.replace("-", "\u2212")


def date(moment: datetime) -> str:
    """The day in UTC: `2026-11-22`."""
    return moment.strftime("%Y-%m-%d")


def instant(moment: datetime) -> str:
    """The second in UTC: `2026-11-22 00:30:29 UTC`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def second(moment: datetime) -> str:
    """The same where the zone is said elsewhere: `2026-11-22 00:30:29`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def minute(moment: datetime) -> str:
    """The minute in UTC: `2026-11-22 00:30 UTC`."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def hours(seconds: float) -> str:
    """A stretch of work in the unit that people would say it in: `45 s`, `10 min`, `1,234 h`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min")):
        if abs(seconds) < limit:
            return f"{seconds / size:.3g} {unit}"
    value = seconds / 3600
    return f"{value:,.0f} h" if abs(value) >= 100 else f"{value:.3g} h"


def label(name: str) -> str:
    """A task's or group's key as words: `mean_recall` becomes `mean recall`."""
    return name.replace("_", " ").replace("/", " / ")


def plain(value: Cell) -> str:
    """A cell of a table of any type: texts as they are, fractions to four figures."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return date(value) if isinstance(value, datetime) else value


FILTERS = {
    function.__name__: function
    for function in (
        score,
        points,
        count,
        short_count,
        percent,
        date,
        instant,
        second,
        minute,
        hours,
        label,
        plain,
    )
}
