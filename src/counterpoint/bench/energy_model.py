"""Energy by a model, where nothing counts it: asked for, and marked as such."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.bench.result import Basis, Energy
from counterpoint.costs.table import CostTable
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate

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


def energy_by_table(
    network: Network,
    table: CostTable,
    segments: Sequence[tuple[Sequence[int], str]],
    *,
    images: int = 1,
) -> Energy | None:
    """Energy of an image above idle, as a platform's cost table has it.

    Args:
        network: What is run.
        table: What it costs.
        segments: Of the lane: layer indices and the unit, in run order.
        images: In a frame.

    Returns:
        ``None`` where the table has no energies, or the lane cannot run.
    """
    energy_pj = evaluate(network, table, segments).energy_pj
    if energy_pj is None:
        return None
    idle = "" if table.idle_power_mw is None else f" of {table.idle_power_mw / 1e3:g} W"
    return Energy(
        round(energy_pj / (_PJ_PER_UJ * images)),
        Basis.MODELLED,
        f"modelled: sum over the lane of the cost table's energies above idle{idle}",
    )
