"""The report of a plan file: what it promises, what a clock said, and who runs what."""

from __future__ import annotations

from counterpoint.report.html.content import (
    Block,
    Cell,
    Column,
    Facts,
    Finding,
    Findings,
    Report,
    Section,
    Table,
)
from counterpoint.report.html.kinds.chain import Chain, Step, chain_blocks, devices_of
from counterpoint.report.quantities import count, duration, energy, percent
from counterpoint.schedule.plan import Lane, LinkTransfer, Measurement, Plan


def plan_report(plan: Plan) -> Report:
    """Everything that the file tells."""
    latency_ns = plan.prediction.latency_ns
    notes: tuple[Block, ...] = ()
    if plan.notes:
        notes = (Findings(tuple(Finding(note) for note in plan.notes)),)
    return Report(
        title=f"Plan of {plan.network_name}",
        subtitle=f"for {plan.objective} on {plan.platform_name}",
        sections=(
            Section("Plan", (_facts(plan), *notes)),
            Section("Timeline", chain_blocks(_chains(plan), plan.frames_in_flight, latency_ns)),
            Section("Segments", (_segments(plan), _layers(plan))),
        ),
    )


def _facts(plan: Plan) -> Facts:
    prediction = plan.prediction
    rows = [
        ("network", plan.network_name),
        ("machine", plan.platform_name),
        ("best at", str(plan.objective)),
        ("units", ", ".join(plan.units)),
        ("engines", ", ".join(f"{name} {version}" for name, version in plan.engines.items())),
        ("frames in flight", str(plan.frames_in_flight)),
    ]
    if plan.batch is not None:
        rows.append(("images in a frame", str(plan.batch)))
    if plan.splits:
        rows.append(("layers split", str(len(plan.splits))))
    if plan.precision is not None:
        rows.append(("layers in int8", str(len(plan.precision.int8))))
    rows.append(("predicted latency", duration(prediction.latency_ns)))
    rows.append(("measured latency", _measured(plan.measured_latency, prediction.latency_ns)))
    if prediction.interval_ns:
        rate = count(1e9 / prediction.interval_ns)
        told = f"{duration(prediction.interval_ns)}, {rate} frames/s"
        rows.append(("predicted interval", told))
    rows.append(("measured interval", _measured(plan.measured_interval, prediction.interval_ns)))
    if prediction.energy_pj is not None:
        rows.append(("predicted energy above idle", f"{energy(prediction.energy_pj)} a frame"))
    return Facts(tuple((name, value) for name, value in rows if value))


def _measured(measured: Measurement | None, predicted_ns: int | None) -> str:
    if measured is None:
        return ""
    told = (
        f"{duration(measured.median_ns)} ({duration(measured.low_ns)} to "
        f"{duration(measured.high_ns)}, {measured.samples} samples)"
    )
    if predicted_ns is None or not measured.median_ns:
        return told
    return f"{told}; the prediction is {percent(predicted_ns / measured.median_ns - 1)} off"


def _chains(plan: Plan) -> list[Chain] | None:
    times = plan.prediction.segment_ns
    if times is None:
        return None
    transfers = plan.prediction.transfers or ((),) * len(plan.lanes)
    return [
        Chain(lane.share, tuple(_steps(plan, lane, lane_ns, moved)))
        for lane, lane_ns, moved in zip(plan.lanes, times, transfers, strict=True)
    ]


def _steps(
    plan: Plan, lane: Lane, times_ns: tuple[int, ...], transfers: tuple[LinkTransfer, ...]
) -> list[Step]:
    """Each transfer stands in front of the segment that waits for it."""
    steps: list[Step] = []
    for place in range(len(lane.segments) + 1):
        for transfer in transfers:
            target = len(lane.segments) if transfer.target is None else transfer.target
            if target == place:
                busy = tuple(dict.fromkeys((transfer.link, *transfer.occupies)))
                steps.append(Step(transfer.tensor, transfer.link, busy, transfer.time_ns))
        if place < len(lane.segments):
            segment = lane.segments[place]
            name = layers_text(segment.layers, plan.layer_names)
            steps.append(Step(name, segment.unit, devices_of(segment.unit), times_ns[place]))
    return steps


def layers_text(layers: tuple[int, ...], names: tuple[str, ...] = ()) -> str:
    """``conv1`` for one layer, ``conv1..pool5`` for more; numbers where no names are known."""
    first, last = min(layers, default=0), max(layers, default=0)

    def name(layer: int) -> str:
        return names[layer] if 0 <= layer < len(names) else f"layer {layer}"

    return name(first) if first == last else f"{name(first)}..{name(last)}"


def _segments(plan: Plan) -> Table:
    times = plan.prediction.segment_ns
    frames = sum(lane.share for lane in plan.lanes)
    rows: list[tuple[Cell, ...]] = [
        (
            index,
            lane.share / frames,
            place,
            layers_text(segment.layers, plan.layer_names),
            len(segment.layers),
            segment.unit,
            None if times is None else times[index][place],
        )
        for index, lane in enumerate(plan.lanes)
        for place, segment in enumerate(lane.segments)
    ]
    return Table(name="segments", title="Segments", columns=SEGMENT_COLUMNS, rows=tuple(rows))


SEGMENT_COLUMNS = (
    Column("lane", "lane", str),
    Column("frames_share", "of the frames", percent),
    Column("segment", "segment", str),
    Column("layers", "layers"),
    Column("layer_count", "count", str),
    Column("unit", "unit"),
    Column("predicted_ns", "predicted", duration),
)
"""Of a table of segments."""


def _layers(plan: Plan) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (index, place, layer, layers_text((layer,), plan.layer_names), segment.unit)
        for index, lane in enumerate(plan.lanes)
        for place, segment in enumerate(lane.segments)
        for layer in segment.layers
    ]
    return Table(
        name="layers",
        title="Layers",
        columns=(
            Column("lane", "lane", str),
            Column("segment", "segment", str),
            Column("layer", "layer", str),
            Column("name", "name"),
            Column("unit", "unit"),
        ),
        rows=tuple(rows),
        folded=True,
    )
