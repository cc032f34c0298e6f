"""Plans that split layers: which layers, in what parts, and what the parts should cost.

A part's cost is estimated from the layer's: nobody has measured the parts of a plan that does not
exist yet. ``tune`` measures what it takes up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Layer, Network
from counterpoint.network.split import Axis, Split
from counterpoint.network.splitting import split, split_reason
from counterpoint.planning.branches import plan_branches
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import PlanResult

WORTH_A_SPLIT = 0.9
"""The parts, their hand-over and the Concat must take at most this part of the best unit's time."""

LARGE_LAYER = 0.02
"""Layers that take less than this part of the network's time are left whole."""

FINENESS = 16
"""Parts are multiples of one sixteenth: channels come in multiples of 8 to 64."""

CONCAT_NS_PER_BYTE = 0.08
"""Copying the parts together: 1 ms for the 12.8 MB of VGG16's conv1_2 (own measurement, EPYC)."""

MOST_HALO = 0.1
"""Chains of layers stay split between while at most this part of the rows is computed twice."""


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """A plan for a network some of whose layers are split.

    Attributes:
        splits: What is split; empty where nothing pays.
        network: With these splits.
        table: Its costs, estimated for the parts.
        planned: The planner's answer for that network.
    """

    splits: tuple[Split, ...]
    network: Network
    table: CostTable
    planned: PlanResult


def plan_split(
    network: Network, table: CostTable, *, time_limit_s: float = 30.0, seed: int = 0
) -> SplitPlan:
    """The plan of least latency in which large layers are split over units that share no device.

    Args:
        network: What is run.
        table: What it costs.
        time_limit_s: For the search of :func:`plan_branches`.
        seed: Of its random choices.

    Raises:
        UserInputError: The costs are those of another network.
    """
    whole = plan_latency(network, table)
    splits = chosen_splits(network, table) if whole.value is not None else ()
    if splits:
        rewritten = split(network, splits)
        costs = split_table(network, table, rewritten, splits)
        planned = plan_branches(rewritten, costs, time_limit_s=time_limit_s, seed=seed)
        if planned.value is not None and planned.value < (whole.value or 0):
            return SplitPlan(splits, rewritten, costs, planned)
    return SplitPlan((), network, table, whole)


def chosen_splits(network: Network, table: CostTable) -> tuple[Split, ...]:
    """The large layers that would be faster in parts, by estimate."""
    best_ns = [min((t for t in row if t is not None), default=0) for row in table.layer_ns]
    found: list[tuple[Layer, Axis, tuple[int, ...], tuple[int, ...]]] = []
    for layer in network.layers:
        if not layer.macs or best_ns[layer.index] < LARGE_LAYER * sum(best_ns):
            continue
        sharing = _sharing(network, table, layer, best_ns[layer.index])
        axis = _axis(network, layer)
        if sharing is not None and axis is not None:
            found.append((layer, axis, *sharing))
    return tuple(_chained(network, found))


def _axis(network: Network, layer: Layer) -> Axis | None:
    axes: tuple[Axis, ...] = ("channels", "rows")
    return next((axis for axis in axes if split_reason(network, layer.index, axis) is None), None)


def _sharing(
    network: Network, table: CostTable, layer: Layer, best_ns: int
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Columns of the units that share the layer, and their parts; ``None`` where none pays."""
    row = table.layer_ns[layer.index]
    able = sorted((t, column) for column, t in enumerate(row) if t)
    best: tuple[float, tuple[int, ...]] | None = None
    for first in range(len(able)):
        columns: list[int] = []
        devices: set[str] = set()
        for _, column in able[first:]:
            if devices.isdisjoint(table.occupied[column]):
                columns.append(column)
                devices |= set(table.occupied[column])
                if len(columns) > 1:
                    took = _shared_ns(network, table, layer, columns)
                    if best is None or took < best[0]:
                        best = took, tuple(columns)
    if best is None or best[0] > WORTH_A_SPLIT * best_ns:
        return None
    parts = _parts([row[column] or 1 for column in best[1]])
    return (best[1], parts) if len(parts) > 1 else None


def _shared_ns(network: Network, table: CostTable, layer: Layer, columns: Sequence[int]) -> float:
    """All units busy to the same moment, then hand-over and Concat on the first."""
    row = table.layer_ns[layer.index]
    rate = sum(1 / (row[column] or 1) for column in columns)
    output_bytes = layer.output_bytes or 0
    input_bytes = sum(network.tensors[name].size_bytes or 0 for name in layer.inputs)
    extra = CONCAT_NS_PER_BYTE * output_bytes
    for column in columns[1:]:
        there = table.move_ns(input_bytes, columns[0], column)
        back = table.move_ns(output_bytes // len(columns), column, columns[0])
        if there is None or back is None:
            return float("inf")
        extra += there + back + table.units[column].entry_ns
    return 1 / rate + extra


def _parts(times_ns: Sequence[int]) -> tuple[int, ...]:
    """Whole numbers in proportion to the units' speeds, on a grid of ``FINENESS``."""
    rates = [1 / time_ns for time_ns in times_ns]
    parts = [max(1, round(FINENESS * rate / sum(rates))) for rate in rates]
    common = gcd(*parts)
    return tuple(part // common for part in parts)


def _chained(
    network: Network, found: Sequence[tuple[Layer, Axis, tuple[int, ...], tuple[int, ...]]]
) -> Iterator[Split]:
    """Splits of single layers, and of chains by rows where that saves a Concat."""
    waiting = list(found)
    while waiting:
        layer, axis, columns, parts = waiting.pop(0)
        chain = [layer]
        while (
            waiting
            and waiting[0][2:] == (columns, parts)
            and _follows(network, chain[-1], waiting[0][0])
            and 2 * len(chain) <= MOST_HALO * _rows(network, waiting[0][0])
            and all(
                split_reason(network, member.index, "rows") is None
                for member in (*chain, waiting[0][0])
            )
        ):
            chain.append(waiting.pop(0)[0])
        names = tuple(member.name for member in chain)
        yield Split(names, "rows" if len(chain) > 1 else axis, parts)


def _follows(network: Network, earlier: Layer, later: Layer) -> bool:
    """The later layer is the only reader of the earlier one, and reads nothing else."""
    returned = {spec.name for spec in network.outputs}
    return (
        later.inputs == earlier.outputs
        and len(earlier.outputs) == 1
        and earlier.outputs[0] not in returned
        and network.consumers.get(earlier.outputs[0]) == (later.index,)
    )


def _rows(network: Network, layer: Layer) -> int:
    shape = network.tensors[layer.outputs[0]].shape if layer.outputs else None
    return shape[2] if shape is not None and len(shape) == 4 else 0


def split_table(
    network: Network, table: CostTable, rewritten: Network, splits: Sequence[Split]
) -> CostTable:
    """Costs of the rewritten network: a part costs its share of the layer. Rows that parts of a
    chain compute twice are not counted, and neither is energy.

    Args:
        network: Before.
        table: Its costs.
        rewritten: ``split(network, splits)``.
        splits: What was split.
    """
    row_of = {layer.name: layer.index for layer in network.layers}
    cost = {name: table.layer_ns[row] for name, row in row_of.items()}
    share = dict.fromkeys(row_of, 1.0)
    for wanted in splits:
        for name in wanted.layers:
            for number, part in enumerate(wanted.parts):
                cost[f"{name}/part{number}"] = cost[name]
                share[f"{name}/part{number}"] = part / sum(wanted.parts)
        last = wanted.layers[-1]
        copied = network.layers[row_of[last]].output_bytes or 0
        cost[f"{last}/concat"] = (round(CONCAT_NS_PER_BYTE * copied),) * len(table.units)
        share[f"{last}/concat"] = 1.0
    return replace(
        table,
        network_hash=rewritten.content_hash,
        layer_names=tuple(layer.name for layer in rewritten.layers),
        layer_ns=tuple(
            tuple(
                None if cell is None else round(share[layer.name] * cell)
                for cell in cost[layer.name]
            )
            for layer in rewritten.layers
        ),
        refusals={
            (layer.index, column): table.refusals[row_of[layer.name], column]
            for layer in rewritten.layers
            if layer.name in row_of
            for column in range(len(table.units))
            if (row_of[layer.name], column) in table.refusals
        },
        layer_energy_pj=None,
    )
