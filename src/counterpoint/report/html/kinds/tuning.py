"""The report of what ``tune`` or ``plan`` printed: contenders, the plan, and what was left out."""

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
    Text,
    Tone,
)
from counterpoint.report.html.figures.bars import Bar, ranked_bars
from counterpoint.report.html.figures.scatter import Mark, front
from counterpoint.report.html.inputs.documents import TimedContender, TuningDocument
from counterpoint.report.html.kinds.chain import Chain, Step, chain_blocks, devices_of
from counterpoint.report.html.kinds.plan import SEGMENT_COLUMNS, layers_text
from counterpoint.report.quantities import (
    count,
    duration,
    energy,
    factor,
    milliseconds,
    number,
    percent,
)


def tuning_report(found: TuningDocument) -> Report:
    """All sections that the document has something for."""
    chains = _chains(found)
    left_out: tuple[Block, ...] = ()
    if found.rejected:
        left_out = (Findings(tuple(Finding(line) for line in found.rejected)),)
    return Report(
        title=f"{found.network}: best {found.objective}",
        subtitle=f"on {found.platform}",
        sections=(
            Section("Result", (*_verdict(found), _facts(found))),
            Section("Contenders", _comparison(found)),
            Section(
                "Timeline",
                chain_blocks(chains, found.frames_in_flight, found.predicted_latency_ns),
            ),
            Section("Segments", (_segments(found),)),
            Section("Mixes of precisions", _mixes(found)),
            Section("Left out", left_out),
        ),
    )


def _verdict(found: TuningDocument) -> tuple[Block, ...]:
    said: list[Block] = []
    if found.verdict is not None:
        said.append(Text(found.verdict))
    checked = found.verification
    if checked is not None:
        error = checked.relative_error
        shown = "not finite" if error is None else f"{error:.2g}"
        said.append(
            Text(
                f"Outputs {'agree' if checked.passed else 'do NOT agree'} with the reference: "
                f"{shown} off relative to it, {checked.tolerance:.2g} allowed ({checked.frames}).",
                Tone.GOOD if checked.passed else Tone.BAD,
            )
        )
    return tuple(said)


def _facts(found: TuningDocument) -> Facts:
    measured = found.measured
    rows: list[tuple[str, str | None]] = [
        ("network", found.network),
        ("machine", found.platform),
        ("best at", found.objective),
        ("frames in flight", str(found.frames_in_flight)),
        ("images in a frame", None if found.batch is None else str(found.batch)),
        ("predicted latency", _known(found.predicted_latency_ns)),
        ("predicted interval", _known(found.predicted_interval_ns)),
    ]
    if measured is not None:
        value = measured.interval_ns if measured.latency_ns is None else measured.latency_ns
        what = "measured interval" if measured.latency_ns is None else "measured latency"
        spread = f"{duration(measured.low_ns)} to {duration(measured.high_ns)}"
        rows.append((what, f"{duration(value)} ({spread}, {measured.samples} samples)"))
    if found.images_per_s is not None:
        rows.append(("images/s", count(found.images_per_s)))
    if found.predicted_energy_pj is not None:
        rows.append(("predicted energy above idle", f"{energy(found.predicted_energy_pj)} a frame"))
    if found.planner is not None:
        rows.append(("planner", f"{found.planner}, {found.status}"))
    if found.gap is not None:
        rows.append(
            (
                "gap",
                "0: proven best under these costs"
                if not found.gap
                else f"at most {percent(found.gap)} better under these costs",
            )
        )
    rows.append(("time spent", _known(found.tuning_ns)))
    rows.append(("plan file", found.file))
    return Facts(tuple((name, value) for name, value in rows if value))


def _known(time_ns: int | None) -> str | None:
    return None if time_ns is None else duration(time_ns)


def _comparison(found: TuningDocument) -> tuple[Block, ...]:
    if not found.comparison:
        return ()
    by_rate = all(one.images_per_s is not None for one in found.comparison)
    ordered = sorted(found.comparison, key=lambda one: _length(one, by_rate), reverse=by_rate)
    bars = [
        Bar(
            index,
            _length(one, by_rate),
            None if by_rate or one.low_ns is None else one.low_ns / 1e6,
            None if by_rate or one.high_ns is None else one.high_ns / 1e6,
            (one.label, f"{number(_length(one, by_rate))} {'images/s' if by_rate else 'ms'}"),
        )
        for index, one in enumerate(ordered)
    ]
    chosen = next((one.label for one in ordered if one.is_plan), "")
    axis = "images/s" if by_rate else "ms a frame"
    note = "Run in turn; the plan's bar is blue."
    note += "" if by_rate else " Whiskers: tenth to ninetieth percentile."
    names = [one.label for one in ordered]
    figure = ranked_bars("Contenders on the clock", names, bars, axis, chosen=chosen, note=note)
    return (figure, _contenders(ordered, by_rate))


def _length(one: TimedContender, by_rate: bool) -> float:
    return (one.images_per_s or 0.0) if by_rate else (one.median_ns or 0) / 1e6


def _contenders(ordered: list[TimedContender], by_rate: bool) -> Table:
    columns = [
        Column("contender", "contender"),
        Column("is", "is"),
        *(
            [Column("images_per_s", "images/s", count)]
            if by_rate
            else [
                Column("median_ns", "median ms", milliseconds),
                Column("p10_ns", "p10 ms", milliseconds),
                Column("p90_ns", "p90 ms", milliseconds),
            ]
        ),
        Column("time_to_plan", "time to the plan's", factor),
        Column("low", "p10", factor),
        Column("high", "p90", factor),
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            one.label,
            "this plan" if one.is_plan else "as installed" if one.as_installed else "candidate",
            *((one.images_per_s,) if by_rate else (one.median_ns, one.low_ns, one.high_ns)),
            one.ratio_to_plan.median,
            one.ratio_to_plan.low,
            one.ratio_to_plan.high,
        )
        for one in ordered
    ]
    return Table(name="contenders", title="Contenders", columns=tuple(columns), rows=tuple(rows))


def _chains(found: TuningDocument) -> list[Chain] | None:
    chains: list[Chain] = []
    for lane in found.lanes:
        steps: list[Step] = []
        for segment in lane.segments:
            if segment.predicted_ns is None:
                return None
            name = layers_text(segment.layers)
            unit = segment.unit
            steps.append(Step(name, unit, devices_of(unit), segment.predicted_ns))
        chains.append(Chain(lane.share, tuple(steps)))
    return chains


def _segments(found: TuningDocument) -> Table:
    frames = sum(lane.share for lane in found.lanes)
    rows: list[tuple[Cell, ...]] = [
        (
            index,
            lane.share / frames,
            place,
            layers_text(segment.layers),
            len(segment.layers),
            segment.unit,
            segment.predicted_ns,
        )
        for index, lane in enumerate(found.lanes)
        for place, segment in enumerate(lane.segments)
    ]
    return Table(name="segments", title="Segments", columns=SEGMENT_COLUMNS, rows=tuple(rows))


def _mixes(found: TuningDocument) -> tuple[Block, ...]:
    """Layers in int8 by what they cost in accuracy and bring in time."""
    if not found.mixes:
        return ()
    rows: list[tuple[Cell, ...]] = []
    marks: list[Mark] = []
    for mix in found.mixes:
        measured_db = None if mix.accuracy is None else mix.accuracy.sqnr_db
        layers = len(mix.int8_layers)
        rows.append((mix.unit, layers, mix.latency_ns, mix.predicted_sqnr_db, measured_db))
        decibels = mix.predicted_sqnr_db if measured_db is None else measured_db
        if mix.latency_ns is not None and decibels is not None:
            how = "predicted" if measured_db is None else "measured"
            told = (mix.unit, f"{layers} layers in int8", f"{decibels:.1f} dB, {how}")
            kind = "on the front" if mix.on_front else "others"
            marks.append(Mark(mix.latency_ns / 1e6, decibels, told, kind=kind))
    table = Table(
        name="mixes",
        title="Mixes of precisions",
        columns=(
            Column("unit", "unit"),
            Column("int8_layers", "layers in int8", str),
            Column("latency_ns", "ms", milliseconds),
            Column("predicted_sqnr_db", "predicted dB", number),
            Column("measured_sqnr_db", "measured dB", number),
        ),
        rows=tuple(rows),
    )
    if not marks:
        return (table,)
    return (front("Accuracy over time", marks, x="ms a frame", y="SQNR, dB"), table)
