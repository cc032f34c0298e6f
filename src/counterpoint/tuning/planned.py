"""Plans that nobody has measured as a whole: a planner's answer, or everything on one unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoint.costs.table import CostTable
from counterpoint.engines.protocol import Engine
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.result import PlanResult
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment


def plan_of(
    network: Network,
    platform: Platform,
    engines: Mapping[str, Engine],
    table: CostTable,
    planned: PlanResult,
) -> Plan:
    """The plan that a planner's answer is.

    Args:
        network: What was planned.
        platform: For where.
        engines: By name; their versions are written down.
        table: The costs that were planned with.
        planned: The answer.

    Raises:
        UserInputError: The answer is that there is no plan.
    """
    if planned.objective_ns is None:
        raise UserInputError(f"no plan for {network.name}: {planned.reason}")
    segment_ns = evaluate(network, table, planned.segments).segment_ns
    prediction = Prediction(planned.objective_ns, (segment_ns,), planned.lower_bound_ns)
    segments = tuple(Segment(layers, unit) for layers, unit in planned.segments)
    return _plan(network, platform, engines, segments, prediction)


def plan_on_unit(
    network: Network, platform: Platform, engines: Mapping[str, Engine], unit: str
) -> Plan:
    """Everything on one unit. Its prediction is 0: nobody measured anything.

    Raises:
        UserInputError: There is no such unit, or it refuses a layer.
    """
    chosen = platform.unit(unit)
    for layer in network.layers:
        reason = engines[chosen.engine].unsupported_reason(layer, chosen)
        if reason is not None:
            raise UserInputError(f"{unit} cannot run layer {layer.name!r}: {reason}")
    segments = (Segment(tuple(layer.index for layer in network.layers), unit),)
    return _plan(network, platform, engines, segments, Prediction(0))


def _plan(
    network: Network,
    platform: Platform,
    engines: Mapping[str, Engine],
    segments: Sequence[Segment],
    prediction: Prediction,
) -> Plan:
    used = {platform.unit(segment.unit).engine for segment in segments}
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=platform.name,
        platform_fingerprint=platform.fingerprint,
        objective="latency",
        lanes=(Lane(tuple(segments)),),
        frames_in_flight=1,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={name: engines[name].version() for name in sorted(used)},
        prediction=prediction,
    )
