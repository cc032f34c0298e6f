"""Where the time of runs went: by function, by type of layer, by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from counterpoint.bench.result import Breakdown, Function, Part
from counterpoint.report.html.content import Block, Choice, Column, Section, Table, Text, Tone
from counterpoint.report.html.figures.bars import Bar, Series, stacked_bars
from counterpoint.report.html.figures.icicle import NO_TYPE, icicle
from counterpoint.report.html.kinds.bench_matrix import network_label
from counterpoint.report.quantities import duration, milliseconds, percent


def breakdown_sections(breakdowns: Sequence[Breakdown]) -> tuple[Section, ...]:
    """Comparisons over all of them, then each by itself; nothing without breakdowns."""
    if not breakdowns:
        return ()
    titles = [breakdown_title(one) for one in breakdowns]
    labels = [_label(one) for one in breakdowns]
    by_function = _stacked(
        "Parts of the time by function", breakdowns, labels, lambda part: part.function
    )
    by_type = _stacked(
        "Parts of the time by type of layer",
        breakdowns,
        labels,
        lambda part: part.layer_type or (NO_TYPE if part.layer else "outside layers"),
    )
    chosen = Choice(
        "run",
        tuple((title, _single(one, title)) for one, title in zip(breakdowns, titles, strict=True)),
    )
    return (Section("Where the time goes", (by_function, by_type, chosen, _table(breakdowns))),)


def breakdown_title(breakdown: Breakdown) -> str:
    """Network, contender, threads and variant in a line."""
    threads = breakdown.threads
    told = [
        f"{breakdown.network} on {breakdown.contender.name}",
        "" if threads is None else f"{threads} thread{'s' if threads > 1 else ''}",
        breakdown.variant,
    ]
    return ", ".join(filter(None, told))


def _label(breakdown: Breakdown) -> str:
    """The same beside an axis, in two lines."""
    threads = breakdown.threads
    told = [
        network_label(breakdown.network),
        "" if threads is None else f"{threads} thr.",
        breakdown.variant,
    ]
    return f"{', '.join(filter(None, told))}\n{breakdown.contender.name}"


def _stacked(
    title: str,
    breakdowns: Sequence[Breakdown],
    rows: Sequence[str],
    key: Callable[[Part], str],
) -> Block:
    sums: dict[str, dict[int, int]] = {}
    for index, breakdown in enumerate(breakdowns):
        for part in breakdown.parts:
            by_row = sums.setdefault(key(part), {})
            by_row[index] = by_row.get(index, 0) + part.time_ns
    order = {str(function): place for place, function in enumerate(Function)}
    names = sorted(sums, key=lambda name: (order.get(name, -1), -sum(sums[name].values())))
    series = [
        Series(
            name,
            tuple(
                Bar(
                    index,
                    100 * time_ns / breakdowns[index].whole_ns,
                    told=(
                        breakdown_title(breakdowns[index]),
                        f"{name}: {duration(time_ns)}",
                        f"{percent(time_ns / breakdowns[index].whole_ns)} of "
                        f"{duration(breakdowns[index].whole_ns)}",
                    ),
                )
                for index, time_ns in sums[name].items()
                if breakdowns[index].whole_ns
            ),
        )
        for name in names
    ]
    return stacked_bars(title, rows, series, "% of the run")


def _single(breakdown: Breakdown, title: str) -> tuple[Block, ...]:
    total_ns = sum(part.time_ns for part in breakdown.parts)
    text = (
        f"One run takes {duration(breakdown.whole_ns)}. Its parts add up to {duration(total_ns)}."
    )
    below_ns = sum(part.time_ns for part in breakdown.parts if part.time_ns < 0)
    blocks: list[Block] = [Text(text)]
    if below_ns:
        blocks.append(
            Text(
                f"The instruments saw {duration(-below_ns)} more than the whole run takes without "
                "them. That part is below zero, and the figure leaves it out.",
                Tone.NOTICE,
            )
        )
    return (
        *blocks,
        icicle(title, breakdown.parts, "Click a field to enlarge it, and the top to go back."),
        *(Text(f"Instrument: {line}") for line in breakdown.instruments),
    )


def _table(breakdowns: Sequence[Breakdown]) -> Table:
    """A row for each part of each breakdown."""
    return Table(
        name="breakdown",
        title="All parts",
        columns=(
            Column("network", "network"),
            Column("contender", "contender"),
            Column("threads", "threads", str),
            Column("variant", "variant"),
            Column("function", "function"),
            Column("layer_type", "type"),
            Column("layer", "layer"),
            Column("time_ns", "ms", milliseconds),
            Column("part", "of the run", percent),
        ),
        rows=tuple(
            (
                one.network,
                one.contender.name,
                one.threads,
                one.variant,
                part.function,
                part.layer_type,
                part.layer,
                part.time_ns,
                part.time_ns / one.whole_ns if one.whole_ns else None,
            )
            for one in breakdowns
            for part in one.parts
        ),
        folded=True,
    )
