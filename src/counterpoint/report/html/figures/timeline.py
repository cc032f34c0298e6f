"""Who ran what from when to when: predicted above measured, a row for each device."""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.report.document import JSON
from counterpoint.report.html.content import Figure
from counterpoint.report.html.figures.axes import lines, named, titled
from counterpoint.report.html.figures.palette import COLORS, color
from counterpoint.report.html.names import in_plot
from counterpoint.report.quantities import duration
from counterpoint.schedule.trace import Span, Trace

MOST_SPANS = 1200
"""Of one trace in the figure; a browser draws them in a fraction of a second."""

_HALF = {"predicted": -0.21, "measured": 0.21}
_STRIPES: dict[str, JSON] = {
    "shape": "/",
    "fillmode": "overlay",
    "fgcolor": "rgba(255,255,255,0.3)",
    "solidity": 0.25,
}
"""Over what is predicted, where something is measured beside it."""

_ROW_PX = 62


def first_frames(trace: Trace, most: int = MOST_SPANS) -> tuple[Trace, int, int]:
    """The trace's first frames, as many as fit.

    Returns:
        The trace with these frames, how many they are, and how many there were. A single frame of
        more spans than that is cut at its end.
    """
    frames = sorted({span.frame for span in trace.spans})
    sizes: dict[int, int] = {}
    for span in trace.spans:
        sizes[span.frame] = sizes.get(span.frame, 0) + 1
    kept: set[int] = set()
    left = most
    for frame in frames:
        left -= sizes[frame]
        if left < 0 and kept:
            break
        kept.add(frame)
    spans = tuple(span for span in trace.spans if span.frame in kept)[:most]
    return Trace(trace.kind, spans, trace.incidents), len(kept), len(frames)


def timeline(title: str, traces: Sequence[Trace], note: str = "") -> Figure:
    """Bars along the time axis, which begins with each trace's first span.

    Colours tell frames apart or, of a single frame, its segments.
    """
    devices = list(dict.fromkeys(device for trace in traces for device in trace.busy_ns))
    place = {device: index for index, device in enumerate(devices)}
    both = len({trace.kind for trace in traces}) > 1
    single = len({span.frame for trace in traces for span in trace.spans}) == 1
    rows = [_bars(trace, place, shift=both, by_segment=single) for trace in traces]
    layout: dict[str, JSON] = {
        "barmode": "overlay",
        "xaxis": titled("ms", rangemode="tozero"),
        "yaxis": named(devices, range=[len(devices) - 0.5, -0.5], showgrid=False),
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
        "showlegend": both,
        "hovermode": "closest",
        "uniformtext": {"minsize": 8, "mode": "hide"},
    }
    height = 130 + _ROW_PX * len(devices)
    return Figure(title=title, traces=rows, layout=layout, height_px=height, note=note)


def _bars(trace: Trace, place: dict[str, int], *, shift: bool, by_segment: bool) -> dict[str, JSON]:
    bars = [(span, device) for span in trace.spans for device in span.devices]
    move = _HALF[trace.kind] if shift else 0.0
    return {
        "type": "bar",
        "orientation": "h",
        "name": trace.kind,
        "base": [(span.start_ns - trace.start_ns) / 1e6 for span, _ in bars],
        "x": [(span.end_ns - span.start_ns) / 1e6 for span, _ in bars],
        "y": [place[device] + move for _, device in bars],
        "width": 0.38 if shift else 0.7,
        "text": [in_plot(span.name, 40) for span, _ in bars],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "hovertext": [_told(span, trace) for span, _ in bars],
        "hoverinfo": "text",
        "marker": {
            "color": [
                color((span.segment if by_segment else span.frame) % len(COLORS))
                for span, _ in bars
            ],
            "line": {"width": 0.5, "color": "#ffffff"},
            "pattern": _STRIPES if shift and trace.kind == "predicted" else {},
        },
    }


def _told(span: Span, trace: Trace) -> str:
    start_ns, end_ns = span.start_ns - trace.start_ns, span.end_ns - trace.start_ns
    return lines(
        span.name,
        span.unit,
        f"frame {span.frame}, lane {span.lane}, segment {span.segment}",
        f"{duration(end_ns - start_ns)}, from {duration(start_ns)} to {duration(end_ns)}",
        trace.kind,
    )
