"""A report as one HTML file that needs nothing else.

Plotly, style and script are inside. The page's Content-Security-Policy forbids it every network
access and every script but its own two, which it knows by their hashes: even a name that got past
the escaping could neither run nor call home.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files

from counterpoint.report.document import JSON
from counterpoint.report.html.blocks import Drawing
from counterpoint.report.html.content import Report
from counterpoint.report.html.names import in_html, slug

_ASSETS = files("counterpoint.report.html") / "assets"


def page(report: Report) -> str:
    """The HTML document."""
    library = _plotly()
    script = (_ASSETS / "report.js").read_text("utf-8")
    style = (_ASSETS / "report.css").read_text("utf-8")
    drawing = Drawing()
    sections = [section for section in report.sections if section.blocks]
    anchors = _anchors([section.heading for section in sections])
    body = [
        f'<section id="{anchor}"><h2>{in_html(section.heading)}</h2>\n'
        + "\n".join(map(drawing.block, section.blocks))
        + "\n</section>"
        for section, anchor in zip(sections, anchors, strict=True)
    ]
    links = "".join(
        f'<a href="#{anchor}">{in_html(section.heading)}</a>'
        for section, anchor in zip(sections, anchors, strict=True)
    )
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(library, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{in_html(report.title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            f"<header><h1>{in_html(report.title)}</h1><p>{in_html(report.subtitle)}</p></header>",
            f'<nav aria-label="Sections">{links}</nav>',
            "<main>",
            *body,
            "</main>",
            f"<footer>Made by Counterpoint {in_html(version('counterpoint'))}.</footer>",
            f'<script type="application/json" id="figures">{_data(drawing.figures)}</script>',
            f"<script>{library}</script>",
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _plotly() -> str:
    """The library's own bundle. Its package has no smaller one, and icicles are in no smaller."""
    from plotly.offline import get_plotlyjs

    library: str = get_plotlyjs()
    return library


def _policy(*scripts: str) -> str:
    hashes = " ".join(
        f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _data(content: Sequence[JSON]) -> str:
    """JSON in which nothing ends the script element that it stands in."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _anchors(headings: Sequence[str]) -> list[str]:
    """A different one for each, though headings may be alike."""
    taken: dict[str, int] = {}

    def made() -> Iterator[str]:
        for heading in headings:
            stem = slug(heading)
            taken[stem] = taken.get(stem, 0) + 1
            yield stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"

    return list(made())
