"""The matrix: each contender on each network, by latency, throughput and energy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.order_statistics import median_interval
from counterpoint.bench.result import Basis, Metric, Row
from counterpoint.report.html.content import Block, Cell, Column, Section, Table
from counterpoint.report.html.figures.bars import Bar, Series, grouped_bars
from counterpoint.report.html.figures.heat_map import HeatCell, heat_map
from counterpoint.report.quantities import duration, milliseconds, number, percent

MODELLED = "~"
"""In front of what was not measured."""


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at rows.

    Attributes:
        heading: Of its section.
        axis: What the bars are, with unit.
        metric: Rows that it is of.
        value: The number of a row; ``None``: it has none.
        spread: Ends of its spread.
        is_time: Less is better.
        basis: What the number is.
    """

    heading: str
    axis: str
    metric: Metric
    value: Callable[[Row], float | None]
    spread: Callable[[Row], tuple[float, float] | None]
    is_time: bool
    basis: Callable[[Row], Basis]


def _basis(row: Row) -> Basis:
    return row.basis


def _latency_ms(row: Row) -> float | None:
    return None if row.samples is None else row.samples.median_ns / 1e6


def _latency_spread_ms(row: Row) -> tuple[float, float] | None:
    return None if row.samples is None else (row.samples.low_ns / 1e6, row.samples.high_ns / 1e6)


def _rate_spread(row: Row) -> tuple[float, float] | None:
    if row.samples is None or not row.samples.low_ns:
        return None
    images = row.images_per_sample * 1e9
    return images / row.samples.high_ns, images / row.samples.low_ns


def _images_per_joule(row: Row) -> float | None:
    """Work per joule; nothing where noise made the energy above idle zero or less."""
    if row.energy is None or row.energy.energy_uj <= 0:
        return None
    return 1e6 / row.energy.energy_uj


def _energy_basis(row: Row) -> Basis:
    return row.basis if row.energy is None else row.energy.basis


def _energy_view(metric: Metric) -> View:
    return View(
        "Energy, one by one" if metric is Metric.LATENCY else "Energy, many at once",
        "images a joule",
        metric,
        _images_per_joule,
        lambda row: None,
        False,
        _energy_basis,
    )


VIEWS = (
    View("Latency", "ms", Metric.LATENCY, _latency_ms, _latency_spread_ms, True, _basis),
    View(
        "Throughput",
        "images/s",
        Metric.THROUGHPUT,
        lambda row: row.images_per_s,
        _rate_spread,
        False,
        _basis,
    ),
    _energy_view(Metric.LATENCY),
    _energy_view(Metric.THROUGHPUT),
)


def matrix_sections(rows: Sequence[Row]) -> tuple[Section, ...]:
    """A section for each view that has numbers, and one with all rows."""
    if not rows:
        return ()
    seen: list[Section] = []
    for view in VIEWS:
        chosen = [row for row in rows if row.metric is view.metric]
        if any(view.value(row) is not None for row in chosen):
            seen.append(Section(view.heading, tuple(_blocks(view, chosen))))
    return (*seen, Section("All rows", (rows_table(rows),)))


def _blocks(view: View, rows: Sequence[Row]) -> Iterator[Block]:
    networks = list(dict.fromkeys(row.network for row in rows))
    rows = [row for row in rows if _belongs(view, row, rows)]
    labels = list(dict.fromkeys(map(contender_label, rows)))
    better = "less is better" if view.is_time else "more is better"
    mark = f" {MODELLED}: modelled, not measured." if _any_modelled(view, rows) else ""
    yield heat_map(
        f"{view.heading}, {view.axis}",
        labels,
        [network_label(network) for network in networks],
        {
            (labels.index(contender_label(row)), networks.index(row.network)): cell
            for row in rows
            if (cell := _cell(view, row, rows)) is not None
        },
        f"Median; {better}. Colours: how far from the best of the network.{mark}",
    )
    series = [
        Series(
            label,
            tuple(
                _bar(networks.index(row.network), value, view, row)
                for row in rows
                if contender_label(row) == label and (value := view.value(row)) is not None
            ),
        )
        for label in labels
    ]
    yield grouped_bars(
        f"{view.heading} by network",
        [network_label(network) for network in networks],
        [one for one in series if one.bars],
        view.axis,
        f"Median; {better}."
        + (" Whiskers: tenth to ninetieth percentile." if _spread(view) else ""),
    )


def _belongs(view: View, row: Row, rows: Sequence[Row]) -> bool:
    """Contenders without energy are in no view of it, not even where they failed."""
    if row.energy is None and view.value is _images_per_joule:
        label = contender_label(row)
        return any(other.energy for other in rows if contender_label(other) == label)
    return True


def _spread(view: View) -> bool:
    return view.is_time or view.axis == "images/s"


def _any_modelled(view: View, rows: Sequence[Row]) -> bool:
    return any(view.value(row) is not None and view.basis(row) is Basis.MODELLED for row in rows)


def contender_label(row: Row) -> str:
    """The contender's name, with its platform where that is not this machine."""
    platform = row.contender.platform
    if row.basis is Basis.MEASURED or not platform:
        return row.contender.name
    return f"{row.contender.name} on {platform}"


def network_label(network: str) -> str:
    """A network's name beside an axis: most are of the zoo, which need not be said each time."""
    return network.removeprefix("zoo:")


def _bar(group: int, value: float, view: View, row: Row) -> Bar:
    low, high = view.spread(row) or (None, None)
    return Bar(group, value, low, high, _told(view, row, value))


def _cell(view: View, row: Row, rows: Sequence[Row]) -> HeatCell | None:
    value = view.value(row)
    if value is None:
        reason = row.failure
        return None if reason is None else HeatCell("failed", None, (row.contender.name, reason))
    values = [
        found
        for other in rows
        if other.network == row.network and (found := view.value(other)) is not None
    ]
    times = value / min(values) if view.is_time else max(values) / value if value else None
    mark = MODELLED if view.basis(row) is Basis.MODELLED else ""
    flag = " !" if row.failure is not None else ""
    return HeatCell(f"{mark}{number(value)}{flag}", times, _told(view, row, value))


def _told(view: View, row: Row, value: float) -> tuple[str, ...]:
    spread = view.spread(row)
    energy = row.energy if view.value is _images_per_joule else None
    return (
        row.contender.name,
        row.network,
        f"{number(value)} {view.axis}"
        + ("" if spread is None else f" ({number(spread[0])} to {number(spread[1])})"),
        "" if row.batch == 1 else f"batch {row.batch}",
        str(view.basis(row)),
        row.contender.placement,
        "" if energy is None else energy.method,
        "" if row.failure is None else f"failed: {row.failure}",
        row.note or "",
    )


_COLUMNS = (
    Column("network", "network"),
    Column("contender", "contender"),
    Column("platform", "platform"),
    Column("precision", "precision"),
    Column("metric", "metric"),
    Column("basis", "basis"),
    Column("batch", "batch", str),
    Column("median_ns", "p50 ms", milliseconds),
    Column("median_low_ns", "p50 from", milliseconds),
    Column("median_high_ns", "p50 to (95 %)", milliseconds),
    Column("p90_ns", "p90 ms", milliseconds),
    Column("p99_ns", "p99 ms", milliseconds),
    Column("average_image_ns", "mean of an image, ms", milliseconds),
    Column("images_per_s", "images/s", number),
    Column("samples", "samples", str),
    Column("predicted_ns", "predicted", duration),
    Column("prediction_error", "off by", percent),
    Column("energy_uj", "energy an image, mJ", lambda value: number(value / 1e3)),
    Column("energy_basis", "energy is"),
    Column("energy_method", "energy by"),
    Column("software", "software"),
    Column("placement", "placement"),
    Column("failure", "failure"),
    Column("note", "note"),
)


def rows_table(rows: Sequence[Row]) -> Table:
    """Every row, those that failed as well."""
    filled = [_row(row) for row in rows]
    # A column in which nothing stands tells nothing.
    kept = [
        index
        for index in range(len(_COLUMNS))
        if any(line[index] not in (None, "") for line in filled)
    ]
    return Table(
        name="rows",
        title="All rows",
        columns=tuple(_COLUMNS[index] for index in kept),
        rows=tuple(tuple(line[index] for index in kept) for line in filled),
    )


def _row(row: Row) -> tuple[Cell, ...]:
    samples, energy = row.samples, row.energy
    interval = median_interval(row.samples_ns)
    return (
        row.network,
        row.contender.name,
        row.contender.platform,
        row.contender.precision,
        row.metric,
        row.basis,
        row.batch,
        None if samples is None else samples.median_ns,
        None if interval is None else interval.low_ns,
        None if interval is None else interval.high_ns,
        None if samples is None else samples.high_ns,
        None if samples is None else samples.quantile_ns(0.99),
        row.average_ns,
        row.images_per_s,
        len(row.samples_ns),
        row.predicted_ns,
        prediction_error(row),
        None if energy is None else energy.energy_uj,
        None if energy is None else energy.basis,
        None if energy is None else energy.method,
        row.contender.software,
        row.contender.placement,
        row.failure,
        row.note,
    )


def prediction_error(row: Row) -> float | None:
    """(predicted - measured) / measured, by the median; ``None`` where one is not known."""
    if row.predicted_ns is None or row.samples is None or not row.samples.median_ns:
        return None
    return row.predicted_ns / row.samples.median_ns - 1
