"""Each layer against the measured roofline of its unit.

Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009: a layer takes at least
``max(operations / peak, bytes / bandwidth)``. Peak and bandwidth are measured
(:mod:`counterpoint.measure.peak`), the time is that of the layer's nodes inside the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from counterpoint.bench.breakdown.layer_types import BATCHNORM, layer_type
from counterpoint.bench.breakdown.node_overhead import node_overhead_ns
from counterpoint.bench.breakdown.unfused import fused
from counterpoint.bench.result import Bound, Breakdown, Function, Part, RooflinePoint
from counterpoint.costs.models.protocol import item_scale
from counterpoint.engines.protocol import Engine
from counterpoint.measure.peak import OPERATIONS_PER_MAC, UnitPeak
from counterpoint.network.graph import Layer, Network
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Plan

ITEM_BYTES: Mapping[str, int] = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 4}
"""Of one item of a tensor between layers that the network does not quantise."""

_THREADS = (Function.WAITING, Function.WAKE_UP)
_IN_NODES = (Function.COMPUTE, *_THREADS)


def node_overheads(units: Iterable[ComputeUnit], engines: Mapping[str, Engine]) -> dict[str, int]:
    """What a node that hardly computes takes on each unit, by its name, where it can be measured;
    a tenth of a second a unit.
    """
    found = {unit.name: node_overhead_ns(unit, engines[unit.engine]) for unit in units}
    return {name: time_ns for name, time_ns in found.items() if time_ns is not None}


def roofline_points(
    network: Network,
    breakdown: Breakdown,
    plan: Plan,
    platform: Platform,
    *,
    peaks: Sequence[UnitPeak],
    copy_bytes_per_s: float | None,
    overheads_ns: Mapping[str, int] | None = None,
) -> tuple[RooflinePoint, ...]:
    """Every layer whose time a breakdown tells; a layer that was run as nodes of several types has
    a point for each.

    Args:
        network: As planned.
        breakdown: Of one run of it.
        plan: By which it ran.
        platform: Where.
        peaks: Measured; of units that are missing there are no points.
        copy_bytes_per_s: Of the memory, measured; ``None``: no points.
        overheads_ns: From :func:`node_overheads`.
    """
    if copy_bytes_per_s is None:
        return ()
    rate_of = {peak.unit: peak.operations_per_s for peak in peaks}
    unit_of = {
        layer: segment.unit for segment in plan.lanes[0].segments for layer in segment.layers
    }
    parts: dict[tuple[str, str], list[Part]] = {}
    for part in breakdown.parts:
        if part.layer and part.function in _IN_NODES:
            parts.setdefault((part.layer, part.layer_type), []).append(part)
    framework_ns = sum(
        part.time_ns for part in breakdown.parts if part.function is Function.FRAMEWORK
    )
    share_ns = framework_ns // max(1, len(parts))
    layers: dict[str, Layer] = {}
    for layer in network.layers:
        layers.setdefault(layer.name, layer)
    points = []
    for (name, kind), found in parts.items():
        layer = layers[name]
        unit = platform.unit(unit_of[layer.index])
        rate = rate_of.get(fused(unit).name)
        work = _work(layer, kind, unit)
        if rate is None or work is None:
            continue
        operations, moved_bytes = work
        compute_ns = operations * 1e9 / rate
        memory_ns = moved_bytes * 1e9 / copy_bytes_per_s
        threads_ns = sum(part.time_ns for part in found if part.function in _THREADS)
        node_ns = (overheads_ns or {}).get(unit.name, share_ns)
        points.append(
            RooflinePoint(
                network=breakdown.network,
                unit=unit.name,
                layer=name,
                layer_type=kind,
                operations=operations,
                moved_bytes=moved_bytes,
                time_ns=max(0, sum(part.time_ns for part in found)),
                roof_ns=round(max(compute_ns, memory_ns)),
                bound=_bound(compute_ns, memory_ns, node_ns + threads_ns),
                contender=breakdown.contender.name,
            )
        )
    return tuple(points)


def _bound(compute_ns: float, memory_ns: float, overhead_ns: float) -> Bound:
    """What takes most of the least time; as :class:`counterpoint.costs.models.roofline.Roofline`
    has it.
    """
    if overhead_ns > max(compute_ns, memory_ns):
        return Bound.OVERHEAD
    return Bound.COMPUTE if compute_ns >= memory_ns else Bound.MEMORY


def _work(layer: Layer, kind: str, unit: ComputeUnit) -> tuple[int, int] | None:
    """Operations and bytes of a layer, or of its nodes of one type; ``None`` when shapes are not
    known.

    A multiply-add is two operations. Of layers without any, BatchNorm has two for each item that
    it makes, and all others one for each item that they read or make, whichever is more.
    """
    sizes = (layer.input_bytes, layer.output_bytes, layer.input_items, layer.output_items)
    if None in sizes:
        return None
    input_bytes, output_bytes, input_items, output_items = (size or 0 for size in sizes)
    scale = item_scale(layer, ITEM_BYTES.get(unit.precision, 4))
    if kind == layer_type("", layer):  # the layer's main nodes
        moved_bytes = round((input_bytes + layer.weight_bytes + output_bytes) * scale)
        if layer.macs:
            return OPERATIONS_PER_MAC * layer.macs, moved_bytes
        items = max(input_items, output_items)
    else:
        moved_bytes = round(2 * output_bytes * scale)
        items = output_items
    return items * (2 if kind == BATCHNORM else 1), moved_bytes
