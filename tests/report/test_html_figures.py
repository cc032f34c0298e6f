from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log2

import plotly.graph_objects
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.result import Function, Part
from counterpoint.report.html import Result
from counterpoint.report.html.content import Block, Choice, Figure, Report
from counterpoint.report.html.figures.bars import Bar, Series, grouped_bars, stacked_bars
from counterpoint.report.html.figures.heat_map import HeatCell, heat_map
from counterpoint.report.html.figures.icicle import icicle
from counterpoint.report.html.figures.palette import COLORS, marker
from counterpoint.report.html.figures.roofline import roofline_figure
from counterpoint.report.html.figures.timeline import first_frames, timeline
from counterpoint.report.html.writing import report_of
from tests.report.html_results import bench_result, drawn, hostile_result, points, traces


def figures(report: Report) -> list[Figure]:
    def inside(blocks: Sequence[Block]) -> Iterator[Figure]:
        for block in blocks:
            if isinstance(block, Figure):
                yield block
            elif isinstance(block, Choice):
                for _, inner in block.options:
                    yield from inside(inner)

    return [figure for section in report.sections for figure in inside(section.blocks)]


@pytest.mark.parametrize("result", [bench_result(), hostile_result(), traces()])
def test_plotly_knows_every_attribute(result: Result) -> None:
    made = figures(report_of(result))
    assert made
    for figure in made:
        plotly.graph_objects.Figure(data=list(figure.traces), layout=dict(figure.layout))


part = st.builds(
    Part,
    function=st.sampled_from(Function),
    time_ns=st.integers(-50, 1000),
    layer=st.sampled_from(["", "a", "b", "a/b", "<b>"]),
    layer_type=st.sampled_from(["", "Conv", "FC"]),
)


@given(st.lists(part, max_size=30))
def test_fields_of_an_icicle_fill_the_field_above(parts: list[Part]) -> None:
    ((trace,), _) = drawn(icicle("t", parts))
    ids, parents, values = trace["ids"], trace["parents"], trace["values"]
    whole = sum(part.time_ns for part in parts if part.time_ns > 0)
    assert len(set(map(str, ids))) == len(ids)
    for name, value in zip(ids, values, strict=True):
        inner = [v for p, v in zip(parents, values, strict=True) if p == name]
        assert not inner or sum(inner) <= value
    assert [v for p, v in zip(parents, values, strict=True) if p == ""] == ([whole] if ids else [])
    top = [v for p, v in zip(parents, values, strict=True) if p == "/"]
    assert sum(top) == whole


def test_colours_come_again_hatched() -> None:
    seen = [str(marker(index)) for index in range(5 * len(COLORS))]
    assert len(set(seen)) == len(seen)


def test_colours_have_contrast_on_both_papers() -> None:
    """WCAG 2.1: relative luminance and contrast."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for color in COLORS:
        for paper in ("#ffffff", "#1c2026"):
            light, dark = sorted((luminance(color), luminance(paper)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 3, (color, paper)


def test_a_heat_map_colours_by_distance_and_tells_of_failures() -> None:
    cells = {
        (0, 0): HeatCell("1", 1.0, ("best",)),
        (0, 1): HeatCell("8", 8.0, ("far",)),
        (1, 0): HeatCell("99", 99.0, ("off the scale",)),
        (1, 1): HeatCell("failed", None, ("why",)),
    }
    (trace,), layout = drawn(heat_map("t", ["a", "b"], ["x", "y"], cells, ""))
    assert trace["z"] == [[0, 3], [log2(16), None]]
    (beside,) = layout["annotations"]
    assert (beside["text"], beside["hovertext"]) == ("failed", "why")


@pytest.mark.parametrize(("values", "scale"), [((1.0, 15.0), "-"), ((1.0, 300.0), "log")])
def test_bars_far_apart_start_logarithmic(values: tuple[float, ...], scale: str) -> None:
    series = [Series(str(value), (Bar(0, value),)) for value in values]
    _, layout = drawn(grouped_bars("t", ["network"], series, "ms"))
    assert layout["yaxis"].get("type", "-") == scale


def test_names_that_look_alike_stay_apart() -> None:
    names = ["n" * 50 + "1" + "n" * 50, "n" * 50 + "2" + "n" * 50]
    series = [Series("s", (Bar(0, 1.0), Bar(1, 2.0)))]
    (trace,), layout = drawn(stacked_bars("t", names, series, "%"))
    assert len(set(layout["yaxis"]["ticktext"])) == 1
    assert layout["yaxis"]["tickvals"] == [0, 1]
    assert trace["y"] == [0, 1]


def test_the_roof_is_the_lower_of_both_limits() -> None:
    some = [point for point in points("n", 12) if point.operations]
    roof = drawn(roofline_figure("t", some, 2e9, 1e9))[0][0]
    assert 2.0 in roof["x"]
    for intensity, top in zip(roof["x"], roof["y"], strict=True):
        assert top == pytest.approx(min(2e9, intensity * 1e9) / 1e9)
    only = drawn(roofline_figure("t", some, None, 1e9))[0][0]
    assert [y / x for x, y in zip(only["x"], only["y"], strict=True)] == pytest.approx([1.0] * 2)
    assert all(
        trace["mode"] == "markers" for trace in roofline_figure("t", some, None, None).traces
    )


def test_bars_of_a_timeline_are_the_spans() -> None:
    measured, predicted = traces(frames=2)
    (above, below), _ = drawn(timeline("t", [predicted, measured]))
    for trace, bars in ((predicted, above), (measured, below)):
        assert bars["name"] == trace.kind
        expected = [
            (span.start_ns / 1e6, (span.end_ns - span.start_ns) / 1e6)
            for span in trace.spans
            for _ in span.devices
        ]
        assert list(zip(bars["base"], bars["x"], strict=True)) == expected
    rows = {round(y) for y in above["y"]}
    assert rows == {0, 1, 2}
    assert all(upper < lower for upper, lower in zip(above["y"], below["y"], strict=True))


@pytest.mark.parametrize(
    ("most", "frames", "spans"), [(100, 5, 10), (7, 3, 6), (2, 1, 2), (1, 1, 1)]
)
def test_whole_frames_are_shown(most: int, frames: int, spans: int) -> None:
    trace, _ = traces(frames=5)
    shown, kept, total = first_frames(trace, most)
    assert (kept, total, len(shown.spans)) == (frames, 5, spans)
    assert all(a.start_ns <= b.start_ns for a, b in pairwise(shown.spans))
