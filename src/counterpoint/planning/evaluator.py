"""What a lane costs and which rules it breaks, recomputed from the network and the cost table.

Shares no code with any planner, so that neither hides the other's mistakes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.makespan import Step, makespan_ns

_Segments = Sequence[tuple[Sequence[int], str]]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tensor on its way over a link.

    Attributes:
        tensor: Its name.
        origin: Index of the segment that made it; ``None``: the caller gave it.
        target: Index of the segment that waits for it; ``None``: the caller does.
        link: Name of the link that is busy meanwhile.
        occupies: Names of the devices that are busy as well.
        time_ns: How long.
    """

    tensor: str
    origin: int | None
    target: int | None
    link: str
    occupies: tuple[str, ...]
    time_ns: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The cost of a lane.

    Attributes:
        latency_ns: Of one frame whose segments run one after another; ``None`` when a rule is
            broken.
        violations: One line each; empty when the lane can run.
        segment_ns: Time in which each segment keeps its devices busy: the entry into the unit; the
            layers; reading each tensor that the unit reads here for the first time; writing each
            tensor that the segment makes, once for every other unit that reads it and once for
            the caller. Empty when a rule is broken.
        transfers: What moves over links. With ``segment_ns`` they add up to the latency.
        busy_ns: Time of each device, link and shared resource that the lane uses, by name.
        energy_pj: Of one frame, above idle; ``None`` when a rule is broken or the table has none.
        error_ppb: Noise of all layers in the outputs, over the outputs' own power, in parts per
            billion; ``None`` when a rule is broken, or where that of a layer is not known.
        makespan_ns: Of one frame alone, whose segments and transfers overlap as the dispatcher lets
            them; at most the latency. ``None`` when a rule is broken.
    """

    latency_ns: int | None
    violations: tuple[str, ...]
    segment_ns: tuple[int, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    busy_ns: Mapping[str, int] = field(default_factory=dict)
    energy_pj: int | None = None
    makespan_ns: int | None = None
    error_ppb: int | None = None


@dataclass(frozen=True, slots=True)
class _Move:
    """A tensor that changes place; ``None`` is the caller's memory."""

    tensor: str
    origin: int | None
    target: int | None


def evaluate(network: Network, table: CostTable, segments: _Segments) -> Evaluation:
    """Costs and broken rules of a lane.

    Every segment is one call and pays its entry, also behind another segment on the same unit; only
    a variant of the unit before it (or the unit of which that is one) goes on in its call. A
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
        return Evaluation(None, tuple(violations))
    columns = [table.unit_names.index(unit) for _, unit in segments]
    overhead_ns = [
        0
        if number and _goes_on(table, columns[number - 1], column)
        else table.units[column].entry_ns
        for number, column in enumerate(columns)
    ]
    transfers = []
    for move in _moves(network, segments):
        origin = None if move.origin is None else columns[move.origin]
        target = None if move.target is None else columns[move.target]
        handed = table.hand_over(network.tensors[move.tensor].size_bytes or 0, origin, target)
        if handed is None:
            names = [
                "the caller" if place is None else segments[place][1]
                for place in (move.origin, move.target)
            ]
            violations.append(
                f"nothing joins {names[0]} to {names[1]}: {move.tensor!r} cannot move"
            )
            continue
        if move.origin is not None:
            overhead_ns[move.origin] += handed.write_ns
        if move.target is not None:
            overhead_ns[move.target] += handed.read_ns
        if handed.link is not None:
            transfers.append(
                Transfer(
                    move.tensor,
                    move.origin,
                    move.target,
                    handed.link.name,
                    handed.link.occupies,
                    handed.link_ns,
                )
            )
    if violations:
        return Evaluation(None, tuple(violations))
    own_ns = []
    energy_pj = 0
    for (layers, _), column, over_ns in zip(segments, columns, overhead_ns, strict=True):
        own_ns.append(over_ns + sum(table.layer_ns[layer][column] or 0 for layer in layers))
        energy_pj += over_ns * (table.units[column].overhead_power_mw or 0)
        if table.layer_energy_pj is not None:
            energy_pj += sum(table.layer_energy_pj[layer][column] or 0 for layer in layers)
    return Evaluation(
        sum(own_ns) + sum(transfer.time_ns for transfer in transfers),
        (),
        tuple(own_ns),
        tuple(transfers),
        _busy_ns(table, segments, columns, own_ns, transfers),
        None if table.layer_energy_pj is None else energy_pj,
        makespan_ns(_steps(network, table, segments, own_ns, transfers)),
        _error_ppb(table, segments, columns),
    )


def _busy_ns(
    table: CostTable,
    segments: _Segments,
    columns: Sequence[int],
    own_ns: Sequence[int],
    transfers: Sequence[Transfer],
) -> dict[str, int]:
    """Time of each device, link and shared resource."""
    busy_ns: Counter[str] = Counter()
    for column, time_ns in zip(columns, own_ns, strict=True):
        busy_ns.update(dict.fromkeys(table.occupied[column], time_ns))
    for transfer in transfers:
        busy_ns.update(dict.fromkeys((transfer.link, *transfer.occupies), transfer.time_ns))
    for name, rows in table.shared_ns.items():
        for (layers, _), column in zip(segments, columns, strict=True):
            busy_ns[name] += sum(rows[layer][column] for layer in layers)
    return dict(busy_ns)


def _goes_on(table: CostTable, before: int, column: int) -> bool:
    names = {before: table.units[before].variant_of, column: table.units[column].variant_of}
    calls = {name or table.unit_names[place] for place, name in names.items()}
    return before != column and len(calls) == 1


def _error_ppb(table: CostTable, segments: _Segments, columns: Sequence[int]) -> int | None:
    if table.layer_error_ppb is None:
        return None
    errors = [
        table.layer_error_ppb[layer][column]
        for (layers, _), column in zip(segments, columns, strict=True)
        for layer in layers
    ]
    known = [error for error in errors if error is not None]
    return sum(known) if len(known) == len(errors) else None


def interval_ns(lanes: Sequence[tuple[Evaluation, int]]) -> Fraction:
    """Mean time from one frame's end to the next one's, no less, of lanes taken in these shares.

    The busiest device or link is busy all the time: the most that any schedule of these lanes
    can reach.

    Args:
        lanes: Evaluations without violations, and shares from 1.
    """
    busy_ns: Counter[str] = Counter()
    for evaluation, share in lanes:
        busy_ns.update({name: share * time_ns for name, time_ns in evaluation.busy_ns.items()})
    return Fraction(max(busy_ns.values(), default=0), sum(share for _, share in lanes))


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


def _moves(network: Network, segments: _Segments) -> Iterator[_Move]:
    """What changes place; every layer is in exactly one segment."""
    segment_of = {layer: number for number, (layers, _) in enumerate(segments) for layer in layers}
    delivered: set[tuple[str, str]] = set()
    for number, (layers, unit) in enumerate(segments):
        for name in _inputs(network, layers):
            maker = network.producer.get(name)
            origin = None if maker is None else segment_of[maker]
            at_home = origin is not None and segments[origin][1] == unit
            if not at_home and (name, unit) not in delivered:
                delivered.add((name, unit))
                yield _Move(name, origin, number)
        for spec in network.outputs:
            if network.producer.get(spec.name) in layers:
                yield _Move(spec.name, number, None)


def _steps(
    network: Network,
    table: CostTable,
    segments: _Segments,
    own_ns: Sequence[int],
    transfers: Sequence[Transfer],
) -> list[Step]:
    """What runs: the segments in the lane's order, each behind the transfers made for it.

    A segment waits for the makers of all that it reads, and for the transfers that bring any of it
    to its unit. Tensors for the caller move last.
    """
    segment_of = {layer: number for number, (layers, _) in enumerate(segments) for layer in layers}
    arriving: dict[int, list[Transfer]] = {}
    for transfer in transfers:
        target = len(segments) if transfer.target is None else transfer.target
        arriving.setdefault(target, []).append(transfer)
    steps: list[Step] = []
    place: list[int] = []  # step of each segment
    carried: dict[tuple[str, str], int] = {}  # (tensor, unit) to the step of the transfer

    def move(transfer: Transfer) -> int:
        waits = () if transfer.origin is None else (place[transfer.origin],)
        devices = frozenset((transfer.link, *transfer.occupies))
        steps.append(Step(devices, frozenset(waits), transfer.time_ns))
        return len(steps) - 1

    for number, (layers, unit) in enumerate(segments):
        for transfer in arriving.get(number, ()):
            carried[transfer.tensor, unit] = move(transfer)
        waits = set()
        for name in _inputs(network, layers):
            maker = segment_of[network.producer[name]] if name in network.producer else number
            if maker != number:
                waits.add(place[maker])
            if (name, unit) in carried:
                waits.add(carried[name, unit])
        place.append(len(steps))
        occupied = table.occupied[table.unit_names.index(unit)]
        steps.append(Step(frozenset(occupied), frozenset(waits), own_ns[number]))
    for transfer in arriving.get(len(segments), ()):
        move(transfer)
    return steps


def _inputs(network: Network, layers: Sequence[int]) -> list[str]:
    """Tensors that the layers read, each once, in the order of the layers."""
    names = (name for layer in sorted(layers) for name in network.layers[layer].inputs)
    return list(dict.fromkeys(names))
