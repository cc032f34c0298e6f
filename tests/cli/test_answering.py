from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterpoint.cli.answering import Answering, OutputFolder, answering_for, is_scores, summary
from counterpoint.cli.frame_source import NamedFrame
from counterpoint.errors import FrameError
from counterpoint.frames.placement import Placement
from counterpoint.frames.preprocessing import Preprocessing
from counterpoint.frames.recipe import FrameRecipe
from tests.fake_engine import fake_network

SCORES = np.array([[0.1, 0.7, 0.2]], np.float32)
FRAME = NamedFrame(("a.png",), {})


def classifier(**settings: object) -> Answering:
    given: dict[str, object] = {"output_names": ("s",), "batch": 1, "task": "classify"}
    return Answering(**{**given, **settings})  # type: ignore[arg-type]


def test_the_best_classes_come_first() -> None:
    (answer,) = classifier(top=2).answers(FRAME, [SCORES])
    classes = answer.classes or ()
    assert [(score.index, score.label) for score in classes] == [(1, None), (2, None)]
    assert classes[0].probability == pytest.approx(0.7)
    assert answer.detections is None


def test_labels_must_be_of_this_network() -> None:
    (answer,) = classifier(labels=("x", "y", "z"), top=1).answers(FRAME, [SCORES])
    assert (answer.classes or ())[0].label == "y"
    with pytest.raises(FrameError, match="2 labels for 3 classes"):
        classifier(labels=("x", "y")).answers(FRAME, [SCORES])


def test_each_image_of_a_batch_has_its_answer_and_padding_has_none() -> None:
    outputs = np.eye(3, dtype=np.float32)
    frame = NamedFrame(("a.png", "b.png"), {})
    answers = classifier(batch=3, top=1).answers(frame, [outputs])
    assert [answer.name for answer in answers] == ["a.png", "b.png"]
    assert [(answer.classes or ())[0].index for answer in answers] == [0, 1]


def test_faces_need_a_photograph() -> None:
    scores = np.array([[[0.1, 0.9]]], np.float32)
    boxes = np.array([[[0.25, 0.25, 0.75, 0.5]]], np.float32)
    detector = classifier(output_names=("s", "b"), task="detect")
    placed = NamedFrame(("a.png",), {}, (Placement((100, 200), (8, 8), (8, 8), 0, 0),))
    (answer,) = detector.answers(placed, [scores, boxes])
    (face,) = answer.detections or ()
    assert (face.left, face.top, face.right, face.bottom) == (50, 25, 150, 50)
    with pytest.raises(FrameError, match="photographs"):
        detector.answers(FRAME, [scores, boxes])


def test_an_output_is_summed_up_unless_it_is_not_finite() -> None:
    told = summary("t", np.array([[1.0, 3.0]], np.float32))
    assert (told.low, told.mean, told.high, told.shape) == (1.0, 2.0, 3.0, (1, 2))
    assert summary("t", np.array([1.0, np.nan])).mean is None
    assert summary("t", np.zeros((0, 3))).low is None


@pytest.mark.parametrize(
    ("recipe", "labels", "task", "expected"),
    [
        (None, False, None, "raw"),
        (None, True, None, "classify"),
        (None, False, "classify", "classify"),
        ("raw", False, None, "classify"),
        ("raw", False, "raw", "raw"),
        ("detect", True, None, "detect"),
    ],
)
def test_the_task_comes_from_the_option_the_recipe_or_the_outputs(
    tmp_path: Path, recipe: str | None, labels: bool, task: str | None, expected: str
) -> None:
    network = fake_network([["x"]], shape=(1, 4))
    file = tmp_path / "labels.txt"
    file.write_text("a\nb\nc\nd\n")
    made = answering_for(
        network,
        None if recipe is None else FrameRecipe(preprocessing=Preprocessing(), task=recipe),  # type: ignore[arg-type]
        batch=1,
        task=task,  # type: ignore[arg-type]
        labels=file if labels else None,
        top=5,
    )
    assert made.task == expected
    assert made.labels == (("a", "b", "c", "d") if labels else ())


def test_scores_are_one_list() -> None:
    assert is_scores((1, 1000))
    assert is_scores((1, 1000, 1, 1))
    assert not is_scores((2, 1000))
    assert not is_scores((1, 1))
    assert not is_scores(None)


def test_outputs_are_written_under_names_that_stay_in_the_folder(tmp_path: Path) -> None:
    answering = Answering(output_names=("../../evil",), batch=1, task="raw")
    folder = OutputFolder(tmp_path / "new" / "folder")
    for path in ("one/a.png", "two/a.png"):
        folder.write(NamedFrame((path,), {}), answering, [SCORES])
    names = [Path(path).name for path in folder.written]
    assert names == ["a_png._evil.npy", "a_png._evil-2.npy"]
    assert all(Path(path).parent == tmp_path / "new" / "folder" for path in folder.written)
    np.testing.assert_array_equal(np.load(folder.written[0]), SCORES)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FrameError, match="cannot make the folder"):
        OutputFolder(tmp_path / "file")
