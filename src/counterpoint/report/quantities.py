"""Numbers for people: three digits and the unit that fits."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.costs.objective import Objective

UNKNOWN = "?"
"""Shown for ``None``."""

_TIMES = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns"))
_ENERGIES = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1, "pJ"))
_SIZES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))


def duration(time_ns: float | None) -> str:
    """``12.3 ms``."""
    return _scaled(time_ns, _TIMES, keep_zeros=True)


def energy(energy_pj: float | None) -> str:
    """``306 mJ``."""
    return _scaled(energy_pj, _ENERGIES, keep_zeros=True)


def amount(value: int | None, objective: Objective) -> str:
    """A value of that objective: ``12.3 ms``, ``306 mJ``, ``27.9 mJ*s``."""
    if objective is Objective.ENERGY:
        return energy(value)
    if objective is Objective.ENERGY_DELAY:
        return UNKNOWN if value is None else f"{energy(value / 1e9)}*s"
    return duration(value)


def size(size_bytes: float | None) -> str:
    """``1.21 MiB``."""
    return _scaled(size_bytes, _SIZES)


def count(number: float | None) -> str:
    """``349 M``."""
    return _scaled(number, _COUNTS)


def operations_rate(per_s: float | None) -> str:
    """``212 GFLOP/s``."""
    return UNKNOWN if per_s is None else f"{_digits(per_s / 1e9)} GFLOP/s"


def bytes_rate(per_s: float | None) -> str:
    """``21.5 GB/s``, decimal as in data sheets."""
    return UNKNOWN if per_s is None else f"{_digits(per_s / 1e9)} GB/s"


def milliseconds(time_ns: float | None) -> str:
    """``0.123``, for columns under the heading ms."""
    return UNKNOWN if time_ns is None else f"{time_ns / 1e6:.3f}"


def percent(part: float | None) -> str:
    """``12.3 %`` for 0.123."""
    return UNKNOWN if part is None else f"{100 * part:.1f} %"


def factor(ratio: float | None) -> str:
    """``1.52x``."""
    return UNKNOWN if ratio is None else f"{ratio:.2f}x"


def number(value: float | None) -> str:
    """Three significant digits."""
    return UNKNOWN if value is None else f"{value:.3g}"


def _scaled(
    value: float | None, units: Sequence[tuple[float, str]], *, keep_zeros: bool = False
) -> str:
    if value is None:
        return UNKNOWN
    # Of 999.7 three digits are 1000, which belong to the next unit.
    scale, name = next((unit for unit in units if abs(value) >= 0.9995 * unit[0]), units[-1])
    return f"{_digits(value / scale, keep_zeros and scale > 1)} {name}".rstrip()


def _digits(value: float, keep_zeros: bool = False) -> str:
    """Three significant digits without an exponent, at least the whole part."""
    if value == 0:
        return "0"
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    text = f"{value:.{decimals}f}"
    return text if decimals == 0 or keep_zeros else text.rstrip("0").rstrip(".")
