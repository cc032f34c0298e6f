"""The report of a bench: what was measured, where the time went, and on which machine."""

from __future__ import annotations

from counterpoint.bench.insights.computed import insights
from counterpoint.bench.result import Basis, BenchResult
from counterpoint.report.html.content import Facts, Finding, Findings, Report, Section, Text, Tone
from counterpoint.report.html.kinds.bench_breakdown import breakdown_sections
from counterpoint.report.html.kinds.bench_machine import machine_section, noise_section
from counterpoint.report.html.kinds.bench_matrix import matrix_sections
from counterpoint.report.html.kinds.bench_prediction import prediction_section
from counterpoint.report.html.kinds.bench_roofline import roofline_section


def bench_report(result: BenchResult) -> Report:
    """All sections that the result has something for."""
    return Report(
        title="Networks on processors",
        subtitle=f"{result.machine.name}, {result.started}",
        sections=(
            Section("Overview", (*_warnings(result), _overview(result))),
            Section("Findings", _findings(result)),
            *matrix_sections(result.rows),
            prediction_section(result.rows),
            *breakdown_sections(result.breakdowns),
            roofline_section(result),
            noise_section(result.controls),
            machine_section(result.machine, result.settings),
        ),
    )


def _overview(result: BenchResult) -> Facts:
    networks = dict.fromkeys(row.network for row in result.rows)
    contenders = dict.fromkeys(row.contender.name for row in result.rows)
    found = [
        ("machine", result.machine.name),
        ("started", result.started),
        ("networks", ", ".join(networks)),
        ("contenders", f"{len(contenders)}: {', '.join(contenders)}" if contenders else ""),
    ]
    return Facts(tuple((name, value) for name, value in found if value))


_SHOWN_OF_A_KIND = 3
"""Findings; the others are a click away."""

_VERDICTS = {True: ("holds here", Tone.GOOD), False: ("does not hold here", Tone.BAD)}


def _findings(result: BenchResult) -> tuple[Findings, ...]:
    """Sentences that were computed from the records, each with the records behind it."""
    by_name: dict[str, list[Finding]] = {}
    for insight in insights(result):
        label, tone = ("", Tone.PLAIN) if insight.holds is None else _VERDICTS[insight.holds]
        finding = Finding(insight.text, label, tone, insight.rows)
        by_name.setdefault(insight.name, []).append(finding)
    return tuple(
        Findings(tuple(items[:_SHOWN_OF_A_KIND]), tuple(items[_SHOWN_OF_A_KIND:]))
        for items in by_name.values()
    )


def _warnings(result: BenchResult) -> tuple[Text | Findings, ...]:
    said: list[Text | Findings] = []
    modelled = [row for row in result.rows if row.basis is Basis.MODELLED]
    if modelled:
        platforms = dict.fromkeys(row.contender.platform for row in modelled)
        said.append(
            Text(
                f"{len(modelled)} of {len(result.rows)} rows were not measured here but simulated "
                f"on the costs of {', '.join(filter(None, platforms)) or 'another machine'}. They "
                "carry a ~.",
                Tone.NOTICE,
            )
        )
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in result.rows:
        if row.failure is not None:
            key = row.network, str(row.metric), row.failure
            alike.setdefault(key, []).append(row.contender.name)
    failed = tuple(
        Finding(f"{network} on {', '.join(names)}, {metric}: {reason}", "failed", Tone.BAD)
        for (network, metric, reason), names in alike.items()
    )
    if failed:
        said.append(Findings(failed))
    return tuple(said)
