"""The verb ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from counterpoint.cli.options import Json
from counterpoint.cli.output import check_writable, show


def reproduce(
    *,
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="One publication. Default: all of them.")
    ] = None,
    plot: Annotated[
        Path | None, Option("--plot", metavar="FILE.svg", help="Draw it as well.")
    ] = None,
    page: Annotated[
        Path | None, Option("--page", metavar="FILE.md", help="Write a page of Markdown as well.")
    ] = None,
    json: Json = False,
) -> None:
    """Published results: what they say, what our models predict, what our planners find.

    Needs none of the machines: their published times are inside. A bar that is missed is told,
    and is no error.

    Example:
      counterpoint reproduce layer-switching --plot switching.svg
    """
    from counterpoint.report.reproduction import (
        reproduction_document,
        reproduction_page,
        reproduction_tables,
    )
    from counterpoint.report.reproduction_plot import reproduction_svg
    from counterpoint.reproduce.catalogue import reproduce as reproduced
    from counterpoint.schedule.atomic_file import atomic_file

    for path in (plot, page):
        if path is not None:
            check_writable(path)
    made = reproduced(name)
    for path, text in ((plot, reproduction_svg), (page, reproduction_page)):
        if path is not None:
            with atomic_file(path) as stream:
                stream.write(text(made))
    show(json, lambda: reproduction_document(made), lambda: reproduction_tables(made))
