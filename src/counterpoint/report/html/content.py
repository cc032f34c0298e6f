"""What a report consists of, before it is a page: sections of texts, tables and figures.

Who makes content writes names and numbers as they are; whoever draws it makes them safe. Only
figures are in the form of the library that draws them, so their texts go through
:mod:`counterpoint.report.html.names` where they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from counterpoint.report.document import JSON

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: In a CSV file, with the unit: ``median_ns``.
        heading: On the page.
        shown: How a number looks on the page; ``None`` for columns of words.
    """

    name: str
    heading: str
    shown: Callable[[Any], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that a reader can sort.

    Attributes:
        name: Of its CSV file, without ending.
        title: Above it.
        columns: At least one.
        rows: A cell for each column; ``None``: not known.
        folded: Closed until the reader opens it.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row has not one cell for each column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A drawing by Plotly.

    Attributes:
        title: Above it; for those who cannot see it, what it is.
        traces: Plotly's ``data``.
        layout: Plotly's ``layout``, without colours of paper and text: they are the page's.
        height_px: On the page.
        note: Below it, how to read it; empty for nothing.
        scale_of: The axis (``x`` or ``y``) that the reader can switch from linear to logarithmic
            and back; ``None`` for none.
    """

    title: str
    traces: Sequence[Mapping[str, JSON]]
    layout: Mapping[str, JSON] = field(default_factory=dict)
    height_px: int = 420
    note: str = ""
    scale_of: str | None = None


class Tone(StrEnum):
    """How a text is to be taken."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    NOTICE = "notice"
    """Something that changes what the numbers mean."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence with what it rests on.

    Attributes:
        text: The sentence.
        label: A word before it, e.g. ``holds``; empty for none.
        tone: Of the label.
        rests_on: Rows behind it.
    """

    text: str
    label: str = ""
    tone: Tone = Tone.PLAIN
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """A list of them.

    Attributes:
        items: Shown.
        more: Folded away until the reader asks for them.
    """

    items: tuple[Finding, ...]
    more: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Blocks of which the reader sees one set at a time.

    Attributes:
        label: What is chosen, e.g. ``unit``.
        options: Name and blocks of each; the first is shown at first.
    """

    label: str
    options: tuple[tuple[str, tuple[Block, ...]], ...]


Block: TypeAlias = Text | Facts | Findings | Table | Figure | Choice


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under a heading of its own."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        title: Of the page.
        subtitle: A line below it.
        sections: In order; those without blocks are left out of the page.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]

    def tables(self) -> tuple[Table, ...]:
        """All tables in order."""
        found: list[Table] = []

        def collect(blocks: Sequence[Block]) -> None:
            for block in blocks:
                if isinstance(block, Table):
                    found.append(block)
                elif isinstance(block, Choice):
                    for _, inner in block.options:
                        collect(inner)

        for section in self.sections:
            collect(section.blocks)
        return tuple(found)
