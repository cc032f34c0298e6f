"""``tune --max-drop`` as a user meets it: a plan, what it loses, and one line for each mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Call
from tests.cli.models import EDGE, classifier, detector, two_inputs

Refused = Callable[..., str]
UNIT = "onnxruntime:CPU"
LOOK = ["--preprocess", "unit"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number in range(12):
        coarse = random.integers(0, 256, (4, 4, 3), np.uint8)
        image = cv2.resize(coarse, (EDGE, EDGE), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / f"{number:02}.png"), image)
    return folder


def test_a_budget_from_the_command_line(
    call: Call, model: Path, photographs: Path, tmp_path: Path, store: Path
) -> None:
    plan, drawing = tmp_path / "p.json", tmp_path / "front.svg"
    words = ["tune", model, "-o", plan, "-d", UNIT, "--store", store, *LOOK]
    budget = ["--calibration", photographs, "--min-sqnr-db", "10", "--held-back", "0.25"]
    ended = call(*words, *budget, "--pareto", drawing, "--json")
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["images"] == {
        "calibration": 9,
        "verification": 3,
        "needed_for_proof": None,
        "plans_judged": told["images"]["plans_judged"],
    }
    assert told["accuracy"]["sqnr_db"] is None or told["accuracy"]["sqnr_db"] > 10
    assert len(told["sensitivity"]) == 3
    assert {mix["unit"].partition("@")[0] for mix in told["mixes"]} == {"onnxruntime:CPU"}
    assert drawing.read_text().startswith("<svg")
    shown = call("run", model, "--plan", plan, "--images", photographs, *LOOK, "--json")
    assert shown.status == 0, shown.err
    assert len(json.loads(shown.out)["answers"]) == 12
    saved = json.loads(plan.read_text())
    assert told["int8_layers"] == (saved["precision"] or {}).get("int8", [])


def test_the_same_for_people(
    call: Call, model: Path, photographs: Path, tmp_path: Path, store: Path
) -> None:
    words = ["tune", model, "-o", tmp_path / "p.json", "-d", f"{UNIT}@int8,{UNIT}@fp32"]
    words += ["--calibration", photographs, "--store", store, *LOOK]
    ended = call(*words, "--max-drop", "1")
    assert ended.status == 0, ended.err
    told = " ".join(ended.out.split())
    assert "Best with a drop of at most 1 point" in told
    assert "6 calibrate, 6 verify" in told
    assert "to prove 1 point takes at least" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--max-drop", "1"], "give --calibration DIR"),
        (["--min-sqnr-db", "30"], "give --calibration DIR"),
        (["--calibration", "PHOTOS"], "give --max-drop or --min-sqnr-db"),
        (["--labels", "x.txt"], "--labels is for an accuracy budget"),
        (["--held-back", "0.5"], "--held-back is for"),
        (["--max-drop", "101", "--calibration", "PHOTOS"], "not between 0 and 100"),
        (["--max-drop", "1", "--calibration", "PHOTOS", "--held-back", "1"], "between 0 and 1"),
        (["--max-drop", "1", "--calibration", "EMPTY"], "no JPEG, PNG or BMP"),
        (["--max-drop", "1", "--calibration", "missing"], "no such file or folder"),
        (["--max-drop", "1", "--calibration", "PHOTOS/00.png"], "at least two different images"),
        (["--max-drop", "1", "--calibration", "PHOTOS", "--labels", "FEW"], "no label for 11 of"),
        (["--max-drop", "1", "--calibration", "PHOTOS", "--labels", "HIGH"], "label 77 does not"),
        (
            ["--max-drop", "1", "--calibration", "PHOTOS", "--images", "PHOTOS"],
            "leave out --images",
        ),
        (["--max-drop", "1", "--calibration", "PHOTOS", "--map", "rest=CPU"], "--map and an"),
        (["--max-drop", "1", "--calibration", "PHOTOS", "-b", "2"], "one image a frame"),
        (["--max-drop", "1", "--calibration", "PHOTOS", "--batches", "4"], "for --objective"),
    ],
)
def test_what_does_not_fit(
    *,
    refused: Refused,
    model: Path,
    photographs: Path,
    tmp_path: Path,
    words: list[str],
    told: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "few.txt").write_text("00.png 1\n")
    lines = [f"{number:02}.png 77\n" for number in range(12)]
    (tmp_path / "high.txt").write_text("".join(lines))
    stands_for = {
        "PHOTOS": str(photographs),
        "EMPTY": str(tmp_path / "empty"),
        "FEW": str(tmp_path / "few.txt"),
        "HIGH": str(tmp_path / "high.txt"),
    }
    given = [stands_for.get(word, word.replace("PHOTOS", str(photographs))) for word in words]
    place = ["-o", tmp_path / "p.json", "--no-store", "-d", UNIT]
    assert told in refused(2, "tune", model, *given, *place, *LOOK)
    assert not (tmp_path / "p.json").exists()


def test_points_for_a_network_that_has_no_scores(
    refused: Refused, photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "detector.onnx"
    path.write_bytes(detector())
    words = ["tune", path, "-o", tmp_path / "p.json", "--max-drop", "1", "--no-store", *LOOK]
    assert "so it has no top-1" in refused(2, *words, "--calibration", photographs)


def test_photographs_for_a_network_of_two_inputs(
    refused: Refused, photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "two.onnx"
    path.write_bytes(two_inputs())
    words = ["tune", path, "-o", tmp_path / "p.json", "--min-sqnr-db", "9", "--no-store", *LOOK]
    assert "has 2 inputs" in refused(2, *words, "--calibration", photographs)


def test_how_photographs_become_inputs_must_be_known(
    refused: Refused, photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(classifier())
    words = ["tune", path, "-o", tmp_path / "p.json", "--max-drop", "1", "--no-store"]
    assert "give --preprocess" in refused(2, *words, "--calibration", photographs)
