"""The columns of a meter's CSV file: what their names say, and their cells as whole numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from counterpoint.bench.energy.source import Quantity
from counterpoint.errors import UserInputError
from counterpoint.platform.file_faults import quoted

_TIME = re.compile(r"(?:time|timestamp|date|datetime|unix|epoch)(?:[ _]?[\[(]?(s|ms|us|ns)[\])]?)?")
_NS_BY_UNIT = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}

_MEASURED = re.compile(r"(.+?)(?:[ _]*[\[(]([a-z]{1,3})[\])]|[ _]([a-z]{1,3}))")
_UNITS = {
    "uj": (Quantity.ENERGY_UJ, 1),
    "mj": (Quantity.ENERGY_UJ, 10**3),
    "j": (Quantity.ENERGY_UJ, 10**6),
    "mwh": (Quantity.ENERGY_UJ, 3_600_000),
    "wh": (Quantity.ENERGY_UJ, 3_600_000_000),
    "uw": (Quantity.POWER_UW, 1),
    "mw": (Quantity.POWER_UW, 10**3),
    "w": (Quantity.POWER_UW, 10**6),
}

_NUMBER = re.compile(
    r"([+-]?[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,2})?)\s*([a-zA-Z]{0,3})"
)
_DATE = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(\.[0-9]{1,9})?(?:(Z)|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_LARGEST = 2**63
"""Of times in nanoseconds and of readings: far above what any meter means."""


@dataclass(frozen=True, slots=True)
class MeasuredColumn:
    """A domain.

    Attributes:
        place: Number of the column, from 0.
        domain: What it measures: the column's name without its unit.
        quantity: Energy or power.
        unit: As named, in lower case.
    """

    place: int
    domain: str
    quantity: Quantity
    unit: str

    def value(self, text: str) -> int:
        """A cell in microjoules or microwatts.

        Raises:
            UserInputError: It is no number, or has another unit.
        """
        match = _NUMBER.fullmatch(text)
        if match is None or match[2].lower() not in ("", self.unit):
            raise UserInputError(f"{quoted(text)} is no number in {self.unit} ({self.domain})")
        return _whole(Fraction(match[1]) * _UNITS[self.unit][1], text)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a file's first row says.

    Attributes:
        time_place: Number of the column of times.
        time_unit_ns: Nanoseconds in one of its units.
        measured: The domains.
    """

    time_place: int
    time_unit_ns: int
    measured: tuple[MeasuredColumn, ...]

    def time_ns(self, text: str) -> int:
        """A cell of the time's column in nanoseconds since 1970.

        Raises:
            UserInputError: It is neither a number nor a date with time.
        """
        number = _NUMBER.fullmatch(text)
        if number is not None and not number[2]:
            return _whole(Fraction(number[1]) * self.time_unit_ns, text)
        date = _DATE.fullmatch(text)
        if date is None:
            raise UserInputError(f"{quoted(text)} is no time: a number, or 2026-11-21T06:12:00.5Z")
        return _date_ns(date, text)


def find_columns(names: Sequence[str], domains: Sequence[str] | None) -> Columns:
    """Understands the first row.

    Args:
        names: Its cells.
        domains: Those that count; ``None``: counters of energy, or power where there are none.

    Raises:
        UserInputError: There is no time, nothing measured, or a domain twice or not there.
    """
    told = [name.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u") for name in names]
    times = [(place, match) for place, name in enumerate(told) if (match := _TIME.fullmatch(name))]
    if not times:
        raise UserInputError(f"no column of times among {quoted(', '.join(names))}: call it time")
    place, match = times[0]
    measured = [
        column
        for number, name in enumerate(told)
        if number != place and (column := _measured(number, name, names[number].strip()))
    ]
    known = {column.domain: column for column in measured}
    if len(known) != len(measured):
        raise UserInputError(f"two columns of one name among {quoted(', '.join(names))}")
    for domain in domains or ():
        if domain not in known:
            raise UserInputError(f"no domain {quoted(domain)}: there are {', '.join(known)}")
    if domains is not None:
        chosen = [known[domain] for domain in dict.fromkeys(domains)]
    else:
        counters = [column for column in measured if column.quantity is Quantity.ENERGY_UJ]
        chosen = counters or measured
    if not chosen:
        raise UserInputError(
            f"no column of power or energy among {quoted(', '.join(names))}: its name ends in its "
            "unit, as in power_w or energy_uj"
        )
    return Columns(place, _NS_BY_UNIT[match[1] or "s"], tuple(chosen))


def _measured(place: int, told: str, name: str) -> MeasuredColumn | None:
    match = _MEASURED.fullmatch(told)
    unit = match[2] or match[3] if match else None
    if match is None or unit not in _UNITS:
        return None
    return MeasuredColumn(place, name[: match.end(1)], _UNITS[unit][0], unit)


def _whole(value: Fraction, text: str) -> int:
    if abs(value) >= _LARGEST:
        raise UserInputError(f"{quoted(text)} is too large")
    return round(value)


def _date_ns(date: re.Match[str], text: str) -> int:
    try:
        moment = datetime(*(int(date[part]) for part in range(1, 7)))  # type: ignore[arg-type]
        if date[8]:
            moment = moment.replace(tzinfo=UTC)
        elif date[9]:
            away = timedelta(hours=int(date[10]), minutes=int(date[11]))
            moment = moment.replace(tzinfo=timezone(-away if date[9] == "-" else away))
        seconds = int(moment.timestamp())  # of this machine's zone where it names none
    except (ValueError, OverflowError, OSError):
        raise UserInputError(f"{quoted(text)} is no date with time") from None
    return _whole((seconds + Fraction(date[7] or 0)) * 10**9, text)
