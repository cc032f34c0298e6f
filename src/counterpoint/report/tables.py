"""The look of all tables: plain columns, one rule under the heading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from counterpoint.frames.files import printable


def table(title: str, left: Sequence[str], right: Sequence[str] = ()) -> Table:
    """An empty table.

    Args:
        title: Above the table.
        left: Headings of the first columns, of words.
        right: Headings of the columns after them, of numbers.
    """
    made = Table(
        title=printable(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    made.show_edge = False
    made.pad_edge = False
    for heading in left:
        made.add_column(printable(heading), justify="left", overflow="fold")
    for heading in right:
        made.add_column(printable(heading), justify="right", overflow="fold")
    return made


def add_row(target: Table, *cells: object, style: str | None = None) -> None:
    """Adds a row; a stranger's names come on one line and without control characters."""
    target.add_row(*(printable(cell) for cell in cells), style=style)


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and values in two columns, without heading."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        add_row(made, name, value)
    return made
