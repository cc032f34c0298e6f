from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from counterpoint.bench.insights.computed import insights
from counterpoint.costs.objective import Objective
from counterpoint.report.html import document_of
from counterpoint.report.html.content import (
    Block,
    Choice,
    Figure,
    Finding,
    Findings,
    Report,
    Section,
    Table,
    Text,
    Tone,
)
from counterpoint.report.html.kinds.chain import devices_of
from counterpoint.report.html.writing import report_of
from counterpoint.schedule.plan import Lane, LinkTransfer, Plan, Prediction, Segment
from counterpoint.schedule.trace import Incident, Trace
from tests.report.costed import A, chain, plan
from tests.report.html_results import bench_result, drawn, machine, traces


def section(report: Report, heading: str) -> tuple[Block, ...]:
    """Blocks under a heading; none where it is not there."""
    found = [one.blocks for one in report.sections if one.heading == heading]
    return found[0] if found else ()


def table(report: Report, name: str) -> Table:
    return next(one for one in report.tables() if one.name == name)


def headings(report: Report) -> set[str]:
    return {one.heading for one in report.sections if one.blocks}


def test_a_bench_shows_what_it_has() -> None:
    whole = bench_result()
    everything = headings(report_of(whole))
    for empty, gone in (
        ({"breakdowns": ()}, {"Where the time goes"}),
        ({"points": ()}, {"Roofline"}),
        ({"controls": ()}, {"Noise"}),
        ({"rows": ()}, {"Latency", "Throughput", "Energy, one by one", "All rows", "Predictions"}),
    ):
        left = headings(report_of(replace(whole, **empty)))  # type: ignore[arg-type]
        assert gone <= everything
        assert not gone & left
    bare = replace(whole, rows=(), breakdowns=(), points=(), controls=())
    assert headings(report_of(bare)) == {"Overview", "Machine"}


def test_failures_and_models_are_told_first() -> None:
    notice, failures, _ = section(report_of(bench_result()), "Overview")
    assert isinstance(notice, Text)
    assert notice.tone is Tone.NOTICE
    assert "3 of 13 rows" in notice.text
    assert "khadas_vim3" in notice.text
    assert isinstance(failures, Findings)
    assert [finding.label for finding in failures.items] == ["failed"]
    assert "the device was lost after 31 images" in failures.items[0].text


def test_the_heat_map_marks_models_and_failures() -> None:
    heat, _ = section(report_of(bench_result()), "Latency")
    assert isinstance(heat, Figure)
    assert "~: modelled" in heat.note
    (trace,), layout = drawn(heat)
    names = layout["yaxis"]["ticktext"]
    assert "plan int8 on khadas_vim3" in names
    texts = trace["text"][names.index("plan int8 on khadas_vim3")]
    assert all(">~" in text for text in texts)
    (beside,) = layout["annotations"]
    assert beside["text"] == "failed"


def test_rows_are_those_of_the_result() -> None:
    result = bench_result()
    rows = table(report_of(result), "rows")
    place = {column.name: index for index, column in enumerate(rows.columns)}
    assert len(rows.rows) == len(result.rows)
    for shown, row in zip(rows.rows, result.rows, strict=True):
        median = None if row.samples is None else row.samples.median_ns
        assert shown[place["median_ns"]] == median
        assert shown[place["images_per_s"]] == row.images_per_s
        assert shown[place["failure"]] == row.failure
    assert "note" not in place  # a column without a word is left out


def test_every_insight_is_there() -> None:
    result = bench_result()
    shown: list[Finding] = []
    for block in section(report_of(result), "Findings"):
        assert isinstance(block, Findings)
        shown += [*block.items, *block.more]
    expected = insights(result)
    assert expected
    assert {finding.text for finding in shown} == {insight.text for insight in expected}
    verdicts = {insight.text: insight.holds for insight in expected}
    for finding in shown:
        assert (finding.tone is Tone.GOOD) == (verdicts[finding.text] is True)
        assert (finding.tone is Tone.BAD) == (verdicts[finding.text] is False)


def test_parts_below_zero_are_told() -> None:
    choice = section(report_of(bench_result()), "Where the time goes")[2]
    assert isinstance(choice, Choice)
    said = [
        [block.text for block in blocks if isinstance(block, Text) and block.tone is Tone.NOTICE]
        for _, blocks in choice.options
    ]
    assert said[0] == []
    assert "9.00 us more" in said[1][0]


@pytest.mark.parametrize("peaks", [True, False])
def test_a_roofline_says_what_it_leaves_out(peaks: bool) -> None:
    result = replace(bench_result(), machine=machine(peaks=peaks))
    choice = section(report_of(result), "Roofline")[0]
    assert isinstance(choice, Choice)
    ((_, blocks),) = choice.options
    text, figure = blocks
    assert isinstance(text, Text)
    assert isinstance(figure, Figure)
    assert "1 layers without arithmetic" in text.text
    assert ("peak was not measured" in text.text) == (not peaks)
    lost = [row[7] for row in table(report_of(result), "roofline").rows]
    assert lost == sorted(lost, reverse=True)  # type: ignore[type-var]


SEGMENTS = (Segment((0, 1), "fake:NPU.0@fp32"), Segment((2, 3), "fake:NPU.1@fp32"))


def planned(latency_ns: int, **more: object) -> Plan:
    moved = LinkTransfer("t1", 0, 1, "bus", ("NPU.0",), 500)
    prediction = Prediction(latency_ns, ((1000, 3000),), transfers=((moved,),))
    return plan(
        chain(), SEGMENTS, objective=Objective.LATENCY, **{"prediction": prediction, **more}
    )


def test_a_chain_is_drawn_as_predicted() -> None:
    (figure,) = section(report_of(planned(4500)), "Timeline")
    (bars,), layout = drawn(figure)
    assert list(zip(bars["base"], bars["x"], bars["text"], strict=True)) == [
        (0.0, 0.001, "layer0..layer1"),
        (0.001, 0.0005, "t1"),
        (0.001, 0.0005, "t1"),
        (0.0015, 0.003, "layer2..layer3"),
    ]
    assert layout["yaxis"]["ticktext"] == ["NPU.0", "bus", "NPU.1"]


def test_what_overlaps_is_not_drawn_as_a_chain() -> None:
    (text,) = section(report_of(planned(3500)), "Timeline")
    assert isinstance(text, Text)
    assert "side by side" in text.text


def test_lanes_are_drawn_with_their_frames_in_flight() -> None:
    lanes = (Lane(SEGMENTS, 2), Lane((Segment((0, 1, 2, 3), "fake:NPU.2@fp32"),), 1))
    both = planned(
        4000, prediction=Prediction(4000, ((1000, 3000), (9000,))), lanes=lanes, frames_in_flight=3
    )
    (figure,) = section(report_of(both), "Timeline")
    assert isinstance(figure, Figure)
    assert "9 frames, 3 in flight" in figure.note
    on: dict[int, list[tuple[float, float]]] = {}
    (bars,), _ = drawn(figure)
    for row, base, length in zip(bars["y"], bars["base"], bars["x"], strict=True):
        on.setdefault(row, []).append((base, base + length))
    assert set(on) == {0, 1, 2}
    for spans in on.values():
        ordered = sorted(spans)
        ends = pairwise(ordered)
        assert all(one[1] <= other[0] + 1e-9 for one, other in ends)


def test_no_times_no_timeline() -> None:
    assert section(report_of(planned(4000, prediction=Prediction(4000))), "Timeline") == ()


@pytest.mark.parametrize(
    ("unit", "devices"),
    [
        ("openvino:CPU.0+GPU@fp16", ("CPU.0", "GPU")),
        ("a", ("a",)),
        ("", ("?",)),
        ("x:@y", ("x:@y",)),
        ("e:CPU+CPU@fp32", ("CPU",)),
    ],
)
def test_devices_of_any_name(unit: str, devices: tuple[str, ...]) -> None:
    assert devices_of(unit) == devices


def test_predicted_stands_beside_measured() -> None:
    report = report_of(traces(frames=4))
    rows = table(report, "trace-segments")
    assert [column.name for column in rows.columns][-3:] == [
        "predicted_ns",
        "measured_ns",
        "prediction_error",
    ]
    assert [row[-3:-1] for row in rows.rows] == [(1000, 1100), (1000, 1100)]
    assert rows.rows[0][-1] == pytest.approx(1000 / 1100 - 1)
    alone = table(report_of((traces()[1],)), "trace-segments")
    assert [column.name for column in alone.columns][-1] == "predicted_ns"


def test_incidents_and_empty_traces() -> None:
    measured, _ = traces()
    broken = replace(measured, incidents=(Incident(5, "hang", "fake:NPU.0@fp32 hangs"),))
    (found,) = section(report_of((broken,)), "Incidents")
    assert isinstance(found, Findings)
    assert found.items[0].label == "hang"
    (only,) = report_of((Trace("measured", ()),)).sections
    assert isinstance(only.blocks[0], Text)


def tuning(**more: object) -> Report:
    ratio = {"median": 1.0, "low": 0.9, "high": 1.1}
    told = {"ratio_to_plan": ratio, "samples": 3, "low_ns": 900, "high_ns": 2500}
    content = {
        "format": "counterpoint-tuning",
        "version": 1,
        "network": "n",
        "platform": "here",
        "objective": "latency",
        "lanes": [
            {"share": 1, "segments": [{"layers": [0, 1], "unit": A.name, "predicted_ns": 1000}]}
        ],
        "frames_in_flight": 1,
        "batch": None,
        "predicted_latency_ns": 1000,
        "gap": 0.0,
        "planner": "labelling",
        "status": "optimal",
        "verdict": "a is best.",
        "comparison": [
            {"label": "slow", "is_plan": False, "as_installed": True, "median_ns": 2000, **told},
            {"label": "a", "is_plan": True, "as_installed": False, "median_ns": 1000, **told},
        ],
        "verification": {
            "frames": "2 frames",
            "relative_error": 1e-5,
            "tolerance": 1e-3,
            "passed": True,
        },
        "rejected": [],
        "something": "later versions may tell",
        **more,
    }
    return report_of(document_of(content))


def test_tuning_ranks_contenders() -> None:
    report = tuning()
    figure, rows = section(report, "Contenders")
    assert isinstance(rows, Table)
    (bars,), layout = drawn(figure)
    assert layout["yaxis"]["ticktext"] == ["a", "slow"]
    assert bars["x"] == [0.001, 0.002]
    assert [row[1] for row in rows.rows] == ["this plan", "as installed"]
    assert {"Result", "Timeline", "Segments"} <= headings(report)
    assert "Left out" not in headings(report)


def test_wrong_outputs_are_told_as_such() -> None:
    wrong = {"frames": "2", "relative_error": None, "tolerance": 1e-3, "passed": False}
    said = section(tuning(verification=wrong, rejected=["b: refused"]), "Result")[1]
    assert isinstance(said, Text)
    assert said.tone is Tone.BAD
    assert "do NOT agree" in said.text
    assert "Left out" in headings(tuning(rejected=["b: refused"]))


def test_a_front_without_plans_says_why() -> None:
    report = report_of(
        document_of(
            {
                "format": "counterpoint-pareto-report",
                "version": 1,
                "network": "n",
                "reason": "no unit runs layer 3",
                "points": [],
            }
        )
    )
    assert report.sections == (
        Section("Front", (Text("No plan: no unit runs layer 3", Tone.BAD),)),
    )
