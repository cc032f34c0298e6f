from __future__ import annotations

import json
from math import nan

from counterpoint.frames.detections import Detection
from counterpoint.measure.sampling import Samples
from counterpoint.report.answers import (
    Answer,
    ClassScore,
    RunReport,
    TensorSummary,
    run_document,
    run_tables,
)
from counterpoint.report.document import to_json
from tests.report.rendering import rendered

TENSOR = TensorSummary("out", "float32", (1, 3), 0.0, 0.5, 1.0)


def report(*answers: Answer) -> RunReport:
    return RunReport(
        network="net",
        units=("a:NPU.0@fp32",),
        answers=answers,
        samples=Samples((1_000_000, 2_000_000, 3_000_000)),
        frames_per_s=500.0,
        wall_ns=9_000_000,
        files=("out/a.npy", "out/b.npy"),
    )


def test_classes_boxes_and_tensors_each_have_their_table() -> None:
    boxes = tuple(Detection(1, 2, 3, 4, 0.9 - 0.01 * number) for number in range(25))
    text = rendered(
        run_tables(
            report(
                Answer(
                    name="photos/cat.png",
                    time_ns=1_000_000,
                    classes=(ClassScore(281, "tabby [red]", 0.6), ClassScore(282, None, 0.3)),
                ),
                Answer(name="face.png", time_ns=1_000_000, detections=boxes),
                Answer(name="x.npy", time_ns=1_000_000, outputs=(TENSOR,)),
            )
        )
    )
    for expected in (
        "cat.png",
        "tabby [red]",
        "0.6000",
        "face.png: 25 found, 1.00 ms",
        "and 5 more",
        "1x3",
        "500 frames/s",
        "out/a.npy and 1 more",
    ):
        assert expected in text


def test_nothing_found_is_an_answer_too() -> None:
    assert "0 found" in rendered(run_tables(report(Answer(name="a", time_ns=1, detections=()))))


def test_the_document_tells_none_from_nothing() -> None:
    document = json.loads(
        to_json(
            run_document(
                report(
                    Answer(name="a", time_ns=1, classes=(ClassScore(0, None, nan),)),
                    Answer(name="b", time_ns=1, detections=()),
                )
            )
        )
    )
    first, second = document["answers"]
    assert first["classes"] == [{"index": 0, "label": None, "probability": None}]
    assert (first["detections"], second["detections"], second["classes"]) == (None, [], None)
    assert document["latency_ns"]["median"] == 2_000_000
