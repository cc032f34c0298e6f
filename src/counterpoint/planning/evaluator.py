"""What a lane costs and which rules it breaks, recomputed from the network and the cost table.

Shares no code with any planner, so that neither hides the other's mistakes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network

_Segments = Sequence[tuple[Sequence[int], str]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The cost of a lane that runs one segment after another.

    Attributes:
        latency_ns: Of one frame; ``None`` when a rule is broken.
        violations: One line each; empty when the lane can run.
        segment_ns: Each segment's part of the latency; they add up to it. It holds the entry into
            the unit; the layers; the hand-over of each tensor that the unit reads here for the
            first time, from wherever it was made (the caller's memory included); and the return
            to the caller of those outputs of the network that the segment makes. Empty when a
            rule is broken.
    """

    latency_ns: int | None
    violations: tuple[str, ...]
    segment_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Move:
    """A tensor on its way; ``None`` is the caller's memory."""

    tensor: str
    origin: str | None
    target: str | None


def evaluate(network: Network, table: CostTable, segments: _Segments) -> Evaluation:
    """Costs and broken rules of a lane.

    Every segment is one call and pays its entry, also behind another segment on the same unit. A
    tensor is handed to each unit once. A tensor of unknown size counts as 0 bytes.

    Args:
        network: What is run.
        table: What it costs.
        segments: Layer indices and the name of the unit, in run order.
    """
    violations = [
        *_broken_by_places(network, table, segments),
        *_broken_by_order(network, segments),
    ]
    if violations:
        return Evaluation(None, tuple(violations), ())
    columns: dict[str | None, int | None] = {None: None}
    columns.update((name, column) for column, name in enumerate(table.unit_names))
    segment_ns = []
    for (layers, unit), moves in zip(segments, _moves(network, segments), strict=True):
        column = table.unit_names.index(unit)
        total_ns = table.units[column].entry_ns
        total_ns += sum(table.layer_ns[layer][column] or 0 for layer in layers)
        for move in moves:
            size_bytes = network.tensors[move.tensor].size_bytes or 0
            moved_ns = table.move_ns(size_bytes, columns[move.origin], columns[move.target])
            if moved_ns is None:
                origin, target = move.origin or "the caller", move.target or "the caller"
                violations.append(
                    f"nothing joins {origin} to {target}: {move.tensor!r} cannot move"
                )
            else:
                total_ns += moved_ns
        segment_ns.append(total_ns)
    if violations:
        return Evaluation(None, tuple(violations), ())
    return Evaluation(sum(segment_ns), (), tuple(segment_ns))


def _broken_by_places(network: Network, table: CostTable, segments: _Segments) -> Iterator[str]:
    """Wrong tables, unknown units, and units that refuse a layer."""
    if table.network_hash != network.content_hash or len(table.layer_ns) != len(network.layers):
        yield "the costs are those of another network"
        return
    columns = {name: column for column, name in enumerate(table.unit_names)}
    for layers, unit in segments:
        if unit not in columns:
            yield f"unit {unit!r} is not in the cost table"
            continue
        for layer in layers:
            if not 0 <= layer < len(network.layers):
                continue
            if table.layer_ns[layer][columns[unit]] is None:
                reason = table.refusals.get((layer, columns[unit]), "its time is not known")
                yield f"{unit} cannot run layer {network.layers[layer].name!r}: {reason}"


def _broken_by_order(network: Network, segments: _Segments) -> Iterator[str]:
    """Layers missing, twice or unknown; segments that are not convex or come too early."""
    count = Counter(layer for layers, _ in segments for layer in layers)
    unknown = sorted(layer for layer in count if not 0 <= layer < len(network.layers))
    for layer in unknown:
        yield f"there is no layer {layer}"
    for known in network.layers:
        if count[known.index] != 1:
            times = f"{count[known.index]} times" if count[known.index] else "never"
            yield f"layer {known.name!r} runs {times}"
    if unknown:
        return
    position: dict[int, int] = {}
    for number, (layers, _) in enumerate(segments):
        for layer in layers:
            position.setdefault(layer, number)
    for number, (layers, _) in enumerate(segments):
        if not layers:
            yield f"segment {number} is empty"
        elif not network.is_convex(frozenset(layers)):
            yield f"segment {number} is not convex: a path leaves it and comes back"
        for name in _inputs(network, layers):
            maker = position.get(network.producer.get(name, -1), number)
            if maker > number:
                yield f"segment {number} reads {name!r}, which segment {maker} makes later"


def _moves(network: Network, segments: _Segments) -> Iterator[list[_Move]]:
    """What changes place for each segment; every layer is in exactly one of them."""
    unit_of: Mapping[int, str] = {layer: unit for layers, unit in segments for layer in layers}
    returned = [spec.name for spec in network.outputs]
    delivered: set[tuple[str, str]] = set()
    for layers, unit in segments:
        moves = []
        for name in _inputs(network, layers):
            maker = network.producer.get(name)
            origin = None if maker is None else unit_of[maker]
            if origin != unit and (name, unit) not in delivered:
                delivered.add((name, unit))
                moves.append(_Move(name, origin, unit))
        for name in returned:
            if network.producer.get(name) in layers:
                moves.append(_Move(name, unit, None))
        yield moves


def _inputs(network: Network, layers: Sequence[int]) -> list[str]:
    """Tensors that the layers read, each once, in the order of the layers."""
    names = (name for layer in sorted(layers) for name in network.layers[layer].inputs)
    return list(dict.fromkeys(names))
