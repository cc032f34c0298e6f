"""The tables of a report as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

from counterpoint.errors import UserInputError
from counterpoint.report.html.content import Cell, Report, Table
from counterpoint.report.html.names import in_csv, slug
from counterpoint.schedule.atomic_file import atomic_file


def write_tables(report: Report, folder: Path) -> tuple[Path, ...]:
    """Writes a file for each table, with numbers as they are and names of columns with units.

    Tables of one name, as those of several files in one report are, get numbers behind it.

    Args:
        report: Any.
        folder: Is made if it is not there.

    Returns:
        The files, in the order of the report.

    Raises:
        UserInputError: The folder cannot be made.
        MachineError: A file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserInputError(f"cannot make the folder {folder}: {error.strerror}") from error
    written: dict[str, Path] = {}
    for table in report.tables():
        stem = name = slug(table.name)
        number = 1
        while name in written:
            number += 1
            name = f"{stem}-{number}"
        written[name] = folder / f"{name}.csv"
        _write(table, written[name])
    return tuple(written.values())


def _write(table: Table, path: Path) -> None:
    with atomic_file(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.name for column in table.columns])
        writer.writerows(_text(row) for row in table.rows)


def _text(row: tuple[Cell, ...]) -> list[Cell]:
    """Not known is an empty cell."""
    return [in_csv(cell) if isinstance(cell, str) else cell for cell in row]
