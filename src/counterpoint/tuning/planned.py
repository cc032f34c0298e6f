"""Plans that nobody has measured as a whole: a planner's answer, or everything on one unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.engines.protocol import Engine
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.result import PlanResult
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Lane, LinkTransfer, Plan, Prediction, Segment


def plan_of(
    network: Network,
    platform: Platform,
    engines: Mapping[str, Engine],
    table: CostTable,
    planned: PlanResult,
    *,
    frames_in_flight: int = 1,
) -> Plan:
    """The plan that a planner's answer is.

    Args:
        network: What was planned.
        platform: For where.
        engines: By name; the versions of those that are there are written down.
        table: The costs that were planned with.
        planned: The answer.
        frames_in_flight: See :class:`Plan`.

    Raises:
        UserInputError: The answer is that there is no plan.
    """
    if planned.value is None:
        raise UserInputError(f"no plan for {network.name}: {planned.reason}")
    evaluations = [evaluate(network, table, lane.segments) for lane in planned.lanes]
    shares = [lane.share for lane in planned.lanes]
    energies = [evaluation.energy_pj for evaluation in evaluations]
    energy_pj = None
    if None not in energies:
        used_pj = sum(share * (energy or 0) for share, energy in zip(shares, energies, strict=True))
        energy_pj = used_pj // sum(shares)
    latency_ns = max(evaluation.makespan_ns or 0 for evaluation in evaluations)
    bound = planned.lower_bound
    if bound is not None and planned.objective is Objective.LATENCY:
        # Segments of one frame may overlap where the planner did not count on it.
        bound = min(bound, latency_ns)
    prediction = Prediction(
        latency_ns,
        tuple(evaluation.segment_ns for evaluation in evaluations),
        bound,
        energy_pj=energy_pj,
        transfers=tuple(
            tuple(LinkTransfer(*astuple(transfer)) for transfer in evaluation.transfers)
            for evaluation in evaluations
        ),
    )
    lanes = tuple(
        Lane(tuple(Segment(layers, unit) for layers, unit in lane.segments), lane.share)
        for lane in planned.lanes
    )
    return plan_of_lanes(
        network,
        platform,
        engines,
        lanes=lanes,
        prediction=prediction,
        objective=planned.objective,
        frames_in_flight=frames_in_flight,
    )


def cpu_parts(platform: Platform, units: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Logical processors of the parts of the CPU on which those units are."""
    devices = {device.name: device for name in units for device in platform.unit(name).devices}
    return {name: device.cores for name, device in devices.items() if device.is_part}


def plan_on_unit(
    network: Network, platform: Platform, engines: Mapping[str, Engine], unit: str
) -> Plan:
    """Everything on one unit. Its prediction is 0: nobody measured anything.

    Raises:
        UserInputError: There is no such unit, or it refuses a layer.
    """
    chosen = platform.unit(unit)
    if chosen.precision == "int8" and not network.is_quantised:
        raise UserInputError(
            f"{network.name} is not quantised, so {unit} has nothing to compute in int8: take "
            "another precision, or let tune quantise it within --max-drop"
        )
    for layer in network.layers:
        reason = engines[chosen.engine].unsupported_reason(layer, chosen)
        if reason is not None:
            raise UserInputError(f"{unit} cannot run layer {layer.name!r}: {reason}")
    lane = Lane((Segment(tuple(layer.index for layer in network.layers), unit),))
    return plan_of_lanes(network, platform, engines, lanes=(lane,), prediction=Prediction(0))


def plan_of_lanes(
    network: Network,
    platform: Platform,
    engines: Mapping[str, Engine],
    *,
    lanes: tuple[Lane, ...],
    prediction: Prediction,
    objective: Objective = Objective.LATENCY,
    frames_in_flight: int = 1,
) -> Plan:
    """A plan with those lanes, with whatever a plan must write down of network and machine.

    Args:
        network: What it is for.
        platform: For where.
        engines: By name; the versions of those that are there are written down.
        lanes: See :class:`Plan`, as for the others.
        prediction: What the lanes are expected to take.
        objective: What it is best at.
        frames_in_flight: Frames that may be under way at once.
    """
    names = [segment.unit for lane in lanes for segment in lane.segments]
    used = {platform.unit(name).engine for name in names}
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=platform.name,
        platform_fingerprint=platform.fingerprint,
        objective=objective,
        lanes=lanes,
        frames_in_flight=frames_in_flight,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={name: engines[name].version() for name in sorted(used & set(engines))},
        cpu_parts=cpu_parts(platform, names),
        prediction=prediction,
    )
