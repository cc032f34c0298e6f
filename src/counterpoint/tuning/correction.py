"""Brings a cost table into agreement with what a clock, or an engine, said of whole segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import evaluate
from counterpoint.schedule.plan import Segment


def corrected(
    network: Network, table: CostTable, segments: Sequence[Segment], segment_ns: Sequence[int]
) -> CostTable:
    """The table under which the segments of a lane cost what they were measured to.

    Each segment's layers are scaled alike; entry and hand-over costs stay as they are. Where the
    table says that a unit refuses a layer of such a segment, because the engine refused another
    segment with it, the measurement is the better proof.

    Args:
        network: What runs.
        table: Its costs.
        segments: A lane, in run order.
        segment_ns: What each took.
    """
    table = _as_run(table, segments, segment_ns)
    pairs = [(segment.layers, segment.unit) for segment in segments]
    predicted = evaluate(network, table, pairs).segment_ns
    times: dict[tuple[int, int], int] = {}
    for segment, expected_ns, measured_ns in zip(segments, predicted, segment_ns, strict=True):
        column = table.unit_names.index(segment.unit)
        cells = {layer: table.layer_ns[layer][column] or 0 for layer in segment.layers}
        inside_ns = sum(cells.values())
        wanted_ns = max(0, measured_ns - (expected_ns - inside_ns))
        for layer, cell_ns in cells.items():
            share = cell_ns / inside_ns if inside_ns else 1 / len(cells)
            times[layer, column] = round(wanted_ns * share)
    return table.with_layer_times(times)


def _as_run(table: CostTable, segments: Sequence[Segment], segment_ns: Sequence[int]) -> CostTable:
    """The table in which every layer of segments that ran has a time on its unit."""
    times: dict[tuple[int, int], int] = {}
    for segment, taken_ns in zip(segments, segment_ns, strict=True):
        column = table.unit_names.index(segment.unit)
        for layer in segment.layers:
            if table.layer_ns[layer][column] is None:
                times[layer, column] = taken_ns // len(segment.layers)
    if not times:
        return table
    refusals = {cell: reason for cell, reason in table.refusals.items() if cell not in times}
    return replace(table.with_layer_times(times), refusals=refusals)


def without_refused(table: CostTable, refused: Segment) -> CostTable:
    """The table in which the unit of a refused segment no longer runs its layers."""
    column = table.unit_names.index(refused.unit)
    rows = [list(row) for row in table.layer_ns]
    refusals = dict(table.refusals)
    for layer in refused.layers:
        rows[layer][column] = None
        refusals[layer, column] = "the engine refused a segment with it"
    return replace(table, layer_ns=tuple(tuple(row) for row in rows), refusals=refusals)
