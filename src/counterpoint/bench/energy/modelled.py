"""Energy by a model, where nothing counts it: asked for, and marked as such."""

from __future__ import annotations

from counterpoint.bench.result import Basis, Energy
from counterpoint.errors import UserInputError

_PJ_PER_UJ = 10**6


def energy_by_power(time_ns: float, power_mw: int, source: str) -> Energy:
    """Energy of an image as time times power, the form of all cost models here.

    Args:
        time_ns: Of one image: measured.
        power_mw: Drawn above idle while the network runs.
        source: Who says so, e.g. ``given``.

    Raises:
        UserInputError: The power is not above 0.
    """
    if power_mw <= 0:
        raise UserInputError(f"a machine that computes draws power: {power_mw / 1e3:g} W is none")
    return Energy(
        round(time_ns * power_mw / _PJ_PER_UJ),
        Basis.MODELLED,
        f"modelled: {power_mw / 1e3:g} W above idle ({source}), times the measured time",
    )
