"""The machine that a bench ran on, and its noise."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from counterpoint.bench.result import Control, MachineDescription
from counterpoint.report.html.content import Block, Cell, Column, Facts, Section, Table, Text
from counterpoint.report.quantities import bytes_rate, factor, operations_rate


def machine_section(machine: MachineDescription, settings: Mapping[str, str]) -> Section:
    """Facts, peaks, software, and what was asked for."""
    facts = [("name", machine.name), ("fingerprint", machine.fingerprint), *machine.facts.items()]
    if machine.copy_bytes_per_s is not None:
        facts.append(("memory copy", bytes_rate(machine.copy_bytes_per_s)))
    peaks = {peak.unit: peak for peak in machine.peaks}
    rows: list[tuple[Cell, ...]] = [
        (
            unit,
            peaks[unit].operations_per_s if unit in peaks else None,
            (peaks[unit].reason or "") if unit in peaks else "",
        )
        for unit in machine.units
    ]
    units = Table(
        name="units",
        title="Compute units",
        columns=(
            Column("unit", "unit"),
            Column("operations_per_s", "peak", operations_rate),
            Column("reason", "why not measured"),
        ),
        rows=tuple(rows),
    )
    software = Table(
        name="software",
        title="Software",
        columns=(Column("package", "package"), Column("version", "version")),
        rows=tuple(machine.software.items()),
        folded=True,
    )
    asked = Table(
        name="settings",
        title="Settings",
        columns=(Column("option", "option"), Column("value", "value")),
        rows=tuple(settings.items()),
        folded=True,
    )
    tables = [table for table in (units, software, asked) if table.rows]
    return Section("Machine", (Facts(tuple(facts)), *tables))


def noise_section(controls: Sequence[Control]) -> Section:
    """One contender against itself: what differs less than this is no difference."""
    rows = tuple(row for control in controls if (row := _noise(control)) is not None)
    if not rows:
        return Section("Noise", ())
    blocks: tuple[Block, ...] = (
        Text(
            "A contender ran against itself, as if it were two. Differences between others that "
            "are no larger than these say nothing."
        ),
        Table(
            name="noise",
            title="Controls",
            columns=(
                Column("network", "network"),
                Column("contender", "contender"),
                Column("rounds", "rounds", str),
                Column("ratio_median", "median ratio", factor),
                Column("ratio_low", "lowest", factor),
                Column("ratio_high", "highest", factor),
            ),
            rows=rows,
        ),
    )
    return Section("Noise", blocks)


def _noise(control: Control) -> tuple[Cell, ...] | None:
    ratios = [one / other for one, other in zip(*control.rounds_ns, strict=False) if other]
    if not ratios:
        return None
    return (
        control.network,
        control.contender.name,
        len(ratios),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )
