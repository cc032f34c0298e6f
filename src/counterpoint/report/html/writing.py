"""The way out: a result becomes one HTML file, and its tables CSV files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from counterpoint.bench.result import BenchResult
from counterpoint.report.html.content import Report
from counterpoint.report.html.csv_tables import write_tables
from counterpoint.report.html.inputs.documents import (
    DesignDocument,
    ExplorationDocument,
    ParetoDocument,
    SimulationDocument,
    TuningDocument,
)
from counterpoint.report.html.inputs.reading import Result
from counterpoint.report.html.kinds.bench import bench_report
from counterpoint.report.html.kinds.exploration import design_report, exploration_report
from counterpoint.report.html.kinds.pareto import pareto_report
from counterpoint.report.html.kinds.plan import plan_report
from counterpoint.report.html.kinds.simulation import simulation_report
from counterpoint.report.html.kinds.traces import traces_report
from counterpoint.report.html.kinds.tuning import tuning_report
from counterpoint.report.html.page import page
from counterpoint.schedule.atomic_file import atomic_file
from counterpoint.schedule.plan import Plan


def write_report(
    result: Result | list[Result], path: Path, *, csv_folder: Path | None = None
) -> Report:
    """Draws results as one HTML file that needs no network and no other file.

    Args:
        result: One, or a list of several that stand under each other on the page. A tuple is one
            result: traces that belong together.
        path: The file; whole or not there.
        csv_folder: Write each table as CSV here as well; ``None``: do not.

    Returns:
        What is on the page.

    Raises:
        UserInputError: The folder for the CSV files cannot be made.
        MachineError: A file cannot be written.
    """
    report = joined([report_of(one) for one in (result if isinstance(result, list) else [result])])
    text = page(report)
    with atomic_file(path) as stream:
        stream.write(text)
    if csv_folder is not None:
        write_tables(report, csv_folder)
    return report


def report_of(result: Result) -> Report:
    """The report of one result."""
    match result:
        case BenchResult():
            return bench_report(result)
        case Plan():
            return plan_report(result)
        case tuple():
            return traces_report(result)
        case TuningDocument():
            return tuning_report(result)
        case SimulationDocument():
            return simulation_report(result)
        case ParetoDocument():
            return pareto_report(result)
        case ExplorationDocument():
            return exploration_report(result)
        case DesignDocument():
            return design_report(result)


def joined(reports: Sequence[Report]) -> Report:
    """Reports as one, under the first one's title."""
    if len(reports) == 1:
        return reports[0]
    return Report(
        title=reports[0].title,
        subtitle="; ".join([reports[0].subtitle, *(report.title for report in reports[1:])]),
        sections=tuple(section for report in reports for section in report.sections),
    )
