"""Small changes to a lane that make its frame quicker under the dispatcher's rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.result import Segment

Lane = tuple[Segment, ...]


def with_fewer_calls(network: Network, table: CostTable, lane: Lane) -> Lane:
    """The lane in which a segment and the next one on its unit are one call, where that is no
    slower. Linear in the number of segments.
    """
    best_ns = evaluate(network, table, lane).makespan_ns
    place = 0
    while best_ns is not None and place < len(lane):
        unit = lane[place][1]
        later = next((at for at in range(place + 1, len(lane)) if lane[at][1] == unit), None)
        found = False
        for other in () if later is None else _joined(lane, place, later):
            other_ns = evaluate(network, table, other).makespan_ns
            if other_ns is not None and other_ns <= best_ns:
                lane, best_ns, found = other, other_ns, True
                break
        place += not found
    return lane


def improved(
    network: Network,
    table: CostTable,
    lane: Lane,
    allowed: Sequence[Sequence[int]],
    enough_ns: int,
) -> Lane:
    """The lane after all changes that help; for short lanes, as each change tries everything.

    Two segments of one unit become one call; a segment goes in front of another one, which decides
    who starts first where both could; a layer goes elsewhere, alone.

    Args:
        network: What is run.
        table: What it costs.
        lane: One that breaks no rule.
        allowed: Columns that each layer may be given.
        enough_ns: A makespan below which nobody needs to look.
    """
    best_ns = evaluate(network, table, lane).makespan_ns
    changed = True
    while changed and best_ns is not None and best_ns > enough_ns:
        changed = False
        for other in _neighbours(lane, table, allowed):
            other_ns = evaluate(network, table, other).makespan_ns
            if other_ns is not None and other_ns < best_ns:
                lane, best_ns, changed = other, other_ns, True
                break
    return lane


def _neighbours(lane: Lane, table: CostTable, allowed: Sequence[Sequence[int]]) -> Iterator[Lane]:
    for later in range(1, len(lane)):
        for earlier in range(later):
            if lane[earlier][1] == lane[later][1]:
                yield from _joined(lane, earlier, later)
            rest = lane[earlier:later]
            yield (*lane[:earlier], lane[later], *rest, *lane[later + 1 :])
    for place, (layers, unit) in enumerate(lane):
        for layer in layers:
            others = tuple(other for other in layers if other != layer)
            left = [(others, unit)] if others else []
            rest = (*lane[:place], *left, *lane[place + 1 :])
            for column in allowed[layer]:
                alone = ((layer,), table.unit_names[column])
                for position in range(len(rest) + 1):
                    yield (*rest[:position], alone, *rest[position:])


def _joined(lane: Lane, earlier: int, later: int) -> Iterator[Lane]:
    """Both segments as one, in either's place."""
    layers, unit = lane[earlier]
    both = (tuple(sorted(layers + lane[later][0])), unit)
    rest = lane[earlier + 1 : later]
    yield (*lane[:earlier], both, *rest, *lane[later + 1 :])
    if rest:
        yield (*lane[:earlier], *rest, both, *lane[later + 1 :])
