"""Blocks of a report as HTML elements."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoint.frames.files import printable
from counterpoint.report.document import JSON
from counterpoint.report.html.content import (
    Block,
    Cell,
    Choice,
    Column,
    Facts,
    Figure,
    Finding,
    Findings,
    Table,
    Text,
)
from counterpoint.report.html.names import MOST_CHARACTERS, in_html
from counterpoint.report.quantities import UNKNOWN

_LONG = 34
"""Characters from which a cell's text is broken into lines."""


class Drawing:
    """Draws blocks, and collects what the page's script draws itself.

    Attributes:
        figures: What Plotly takes, in the order of the places that wait for it.
    """

    def __init__(self) -> None:
        self.figures: list[Mapping[str, JSON]] = []
        self._choices = 0

    def block(self, block: Block) -> str:
        """An element, with all that is in it."""
        match block:
            case Text():
                return f'<p class="{block.tone}">{in_html(block.text, 2000)}</p>'
            case Facts():
                return _facts(block)
            case Findings():
                return _findings(block)
            case Table():
                return _table(block)
            case Figure():
                return self._figure(block)
            case Choice():
                return self._choice(block)

    def _figure(self, figure: Figure) -> str:
        number = len(self.figures)
        self.figures.append({"traces": list(figure.traces), "layout": figure.layout})
        title = in_html(figure.title)
        buttons = '<button type="button" class="save">save</button>'
        note = ""
        if figure.scale_of is not None:
            axis = in_html(figure.scale_of)
            buttons = (
                f'<button type="button" class="scale" data-axis="{axis}">linear / log</button>'
                + buttons
            )
        if figure.note:
            note = f'<p class="note">{in_html(figure.note, 2000)}</p>'
        return (
            f"<figure><figcaption><span>{title}</span>{buttons}</figcaption>\n"
            f'<div class="plot" id="figure-{number}" data-figure="{number}" role="img" '
            f'aria-label="{title}" style="height:{figure.height_px}px"></div>{note}</figure>'
        )

    def _choice(self, choice: Choice) -> str:
        self._choices += 1
        place = f"choice-{self._choices}"
        names = "".join(
            f'<option value="{place}-{number}">{in_html(name)}</option>'
            for number, (name, _) in enumerate(choice.options)
        )
        parts = [
            f'<label class="choice">{in_html(choice.label)} '
            f'<select id="{place}">{names}</select></label>'
        ]
        for number, (_, blocks) in enumerate(choice.options):
            hidden = " hidden" if number else ""
            inner = "\n".join(map(self.block, blocks))
            parts.append(f'<div class="option" id="{place}-{number}"{hidden}>\n{inner}\n</div>')
        return "\n".join(parts)


def _facts(facts: Facts) -> str:
    rows = "\n".join(
        f"<div><dt>{in_html(name)}</dt><dd>{in_html(value, 2000)}</dd></div>"
        for name, value in facts.rows
    )
    return f"<dl>\n{rows}\n</dl>"


def _findings(findings: Findings) -> str:
    shown = "\n".join(map(_finding, findings.items))
    if findings.more:
        hidden = "\n".join(map(_finding, findings.more))
        shown += (
            f"\n<li><details><summary>{len(findings.more)} more like this</summary>"
            f'<ul class="findings">\n{hidden}\n</ul></details></li>'
        )
    return f'<ul class="findings">\n{shown}\n</ul>'


def _finding(finding: Finding) -> str:
    label = rests = ""
    if finding.label:
        label = f'<span class="label {finding.tone}">{in_html(finding.label)}</span> '
    if finding.rests_on:
        rows = "".join(f"<li>{in_html(row)}</li>" for row in finding.rests_on)
        rests = f"<details><summary>rests on {len(finding.rests_on)}</summary><ul>{rows}</ul>"
        rests += "</details>"
    return f"<li>{label}{in_html(finding.text, 2000)}{rests}</li>"


def _table(table: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_kind(column)}><button type="button">{in_html(column.heading)}'
        "</button></th>"
        for column in table.columns
    )
    rows = "\n".join(
        "<tr>" + "".join(map(_cell, table.columns, row)) + "</tr>" for row in table.rows
    )
    count = f"{len(table.rows)} row{'' if len(table.rows) == 1 else 's'}"
    title = f"{in_html(table.title)} <small>{count}</small>"
    opened = "" if table.folded else " open"
    return (
        f'<details class="table"{opened}><summary>{title}</summary><div class="scroll">\n'
        f'<table id="table-{in_html(table.name)}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div></details>"
    )


def _kind(column: Column) -> str:
    return ' class="number"' if column.shown is not None else ""


def _cell(column: Column, value: Cell) -> str:
    if value is None:
        return f"<td{_kind(column)}>{UNKNOWN if column.shown is not None else ''}</td>"
    if column.shown is None:
        text = printable(value)
        if len(text) <= _LONG:
            return f"<td>{in_html(text)}</td>"
        # Where the middle of a name is left out, the mouse still shows some more of it.
        longer = f' title="{in_html(text, 1000)}"' if len(text) > MOST_CHARACTERS else ""
        return f'<td class="long"{longer}>{in_html(text)}</td>'
    return f'<td class="number" data-value="{in_html(value)}">{in_html(column.shown(value))}</td>'
