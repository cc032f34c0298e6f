"""The verb ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from counterpoint.cli.options import Json
from counterpoint.cli.output import check_writable, show
from counterpoint.errors import UserInputError

_DEFAULT = Path("report.html")


def report(
    *,
    files: Annotated[
        list[Path] | None,
        Argument(
            metavar="FILE...",
            help="Plans, traces, bench results, and what other verbs print with --json.",
        ),
    ] = None,
    output: Annotated[
        Path, Option("-o", "--output", metavar="FILE.html", help="Write the page here.")
    ] = _DEFAULT,
    csv: Annotated[
        Path | None,
        Option("--csv", metavar="DIR", help="Write each table as a CSV file here as well."),
    ] = None,
    json: Json = False,
) -> None:
    """Draws results as one HTML page, for any browser, without a network.

    Of a bench the matrix, the breakdown and the roofline; of a plan, a trace or a tuning the
    timeline and the contenders; of pareto and explore the front. Several files stand under each
    other on one page.

    Examples:
      counterpoint report bench.jsonl -o report.html --csv tables
      counterpoint report model.plan.json trace.json -o report.html
      counterpoint tune model.onnx --json > tuning.json && counterpoint report tuning.json
    """
    from counterpoint.report.document import document
    from counterpoint.report.html import read, write_report
    from counterpoint.report.tables import facts

    if not files:
        raise UserInputError(
            "no file: give a plan, a trace, a bench's result, or a --json document"
        )
    check_writable(output)
    if any(output.resolve() == path.resolve() for path in files):
        raise UserInputError(f"{output} is what the report is made of: give another name by -o")
    made = write_report([read(path) for path in files], output, csv_folder=csv)
    sections = [section.heading for section in made.sections if section.blocks]
    tables = [table.name for table in made.tables()]
    show(
        json,
        lambda: document(
            "report",
            {
                "file": str(output),
                "title": made.title,
                "sections": list(sections),
                "tables": list(tables),
                "csv": None if csv is None else str(csv),
            },
        ),
        lambda: [
            facts(
                [
                    ("written to", output),
                    *([("tables in", csv)] if csv is not None else []),
                    ("shows", ", ".join(sections)),
                ]
            )
        ],
    )
