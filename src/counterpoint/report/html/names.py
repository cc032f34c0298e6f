"""Strangers' names where a browser reads them: in HTML, in Plotly's texts, in a spreadsheet.

Names of layers, networks and units come from files that anybody may have written. A name is shown
as it is, and never read as markup, as a template or as a formula.
"""

from __future__ import annotations

import html

from counterpoint.frames.files import printable

MOST_CHARACTERS = 200
"""In a table's cell; a CSV has the whole name."""

TICK_CHARACTERS = 36
"""Beside an axis, where names take room from the plot."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def elided(text: str, most: int) -> str:
    """At most ``most`` characters: names often differ at their ends, so the middle is left out."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def in_html(text: object, most: int = MOST_CHARACTERS) -> str:
    """For an element's content or a quoted attribute."""
    return html.escape(elided(printable(text), most))


def in_plot(text: object, most: int = MOST_CHARACTERS) -> str:
    """For a text in a figure: Plotly reads some HTML in it."""
    return html.escape(elided(printable(text), most), quote=False)


def on_axis(text: object) -> str:
    """For a tick of an axis or an entry of a legend."""
    return in_plot(text, TICK_CHARACTERS)


def in_csv(text: str) -> str:
    """For a cell of a CSV file; what a spreadsheet would compute gets an apostrophe in front."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown


def slug(text: object) -> str:
    """For a file's name or an anchor: lower-case ASCII letters, digits and dashes."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in str(text).lower())
    return "-".join(filter(None, kept.split("-")))[:60] or "unnamed"
