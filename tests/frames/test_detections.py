from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.shared_data import require

from counterpoint.errors import FrameError
from counterpoint.frames.detections import BoxForm, decode_offsets, find_faces, nms
from counterpoint.frames.images import read_image
from counterpoint.frames.placement import place
from counterpoint.frames.presets import preset
from counterpoint.network.graph import TensorSpec

WINDOW = (240, 320)
INPUT = TensorSpec("input", "float32", (1, 3, *WINDOW))
PRIORS = 4420

points = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 6), st.integers(1, 6))
scored = st.lists(st.tuples(points, st.integers(0, 5)), max_size=12)


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union, by counting the unit squares of integer boxes."""

    def squares(box: tuple[float, ...]) -> set[tuple[int, int]]:
        left, top, right, bottom = (int(edge) for edge in box)
        return {(x, y) for x in range(left, right) for y in range(top, bottom)}

    return len(squares(one) & squares(other)) / len(squares(one) | squares(other))


@given(scored, st.sampled_from((0.0, 0.26, 0.51, 1.0)))
def test_nms_against_the_definition(
    boxes_and_scores: list[tuple[tuple[int, int, int, int], int]], max_overlap: float
) -> None:
    boxes = [(x, y, x + width, y + height) for (x, y, width, height), _ in boxes_and_scores]
    scores = [score for _, score in boxes_and_scores]
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        if all(overlap(boxes[index], boxes[better]) <= max_overlap for better in kept):
            kept.append(index)
    found = nms(np.array(boxes, float).reshape(-1, 4), np.array(scores, float), max_overlap)
    assert found.tolist() == kept


def run(model: str, photograph: str) -> tuple[list[npt.NDArray[Any]], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        require(f"models/ultraface/{model}.onnx"), options, providers=["CPUExecutionProvider"]
    )
    image = read_image(require(f"images/faces/{photograph}"))
    frame = preset("ultraface").apply(image, INPUT)
    outputs = [np.asarray(output) for output in session.run(None, {"input": frame})]
    return outputs, preset("ultraface").placement((image.shape[0], image.shape[1]), INPUT)


@pytest.mark.parametrize(
    ("photograph", "faces"),
    [("1.jpg", 46), ("13.jpg", 2), ("19.jpg", 5), ("2.jpg", 4), ("27.jpg", 70)],
)
@pytest.mark.parametrize(
    ("model", "form"),
    [("version-RFB-320", "corners"), ("version-RFB-320_without_postprocessing", "offsets")],
)
def test_faces(model: str, form: BoxForm, photograph: str, faces: int) -> None:
    outputs, placement = run(model, photograph)
    found = find_faces(outputs, placement, boxes=form)
    assert len(found) == faces
    height, width = placement.image
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)
    for face in found:
        assert 0.7 < face.score <= 1
        assert -0.05 * width < face.left < face.right < 1.05 * width
        assert -0.05 * height < face.top < face.bottom < 1.05 * height


def test_offsets_decode_to_the_corners_that_the_network_computes() -> None:
    (_, corners), _ = run("version-RFB-320", "1.jpg")
    (_, offsets), _ = run("version-RFB-320_without_postprocessing", "1.jpg")
    decoded = decode_offsets(offsets[0].astype(np.float64), WINDOW)
    np.testing.assert_allclose(decoded, corners[0], rtol=0, atol=1e-5)


def one_face(score: float, box: tuple[float, ...]) -> list[npt.NDArray[np.float32]]:
    scores = np.zeros((1, 3, 2), np.float32)
    scores[0, 1] = (1 - score, score)
    boxes = np.zeros((1, 3, 4), np.float32)
    boxes[0, 1] = box
    return [scores, boxes]


def test_boxes_are_in_pixels_of_the_photograph() -> None:
    placement = place((480, 640), WINDOW, "stretch", None)
    outputs = one_face(0.9, (0.25, 0.5, 0.75, 1.0))
    (face,) = find_faces(outputs, placement)
    assert (face.left, face.top, face.right, face.bottom) == (160, 240, 480, 480)
    assert face.score == pytest.approx(0.9)
    assert find_faces(outputs[::-1], placement) == (face,)


def test_the_threshold_is_a_lower_bound() -> None:
    placement = place((480, 640), WINDOW, "stretch", None)
    outputs = one_face(0.75, (0.1, 0.1, 0.2, 0.2))
    assert len(find_faces(outputs, placement, min_score=0.74)) == 1
    assert find_faces(outputs, placement, min_score=0.75) == ()


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ([(1, 5, 2)], "no face detector"),
        ([(1, 5, 2), (1, 5, 3)], "no face detector"),
        ([(1, 5, 2), (1, 5, 4), (1, 5, 10)], "no face detector"),
        ([(1, 5, 2), (1, 6, 4)], "do not fit"),
        ([(2, 5, 2), (2, 5, 4)], "do not fit"),
        ([(5, 2), (5, 4)], "no face detector"),
    ],
)
def test_other_outputs(shapes: list[tuple[int, ...]], reason: str) -> None:
    outputs = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(FrameError, match=reason):
        find_faces(outputs, place(WINDOW, WINDOW, "stretch", None))


def test_wrong_number_of_priors() -> None:
    assert decode_offsets(np.zeros((PRIORS, 4)), WINDOW).shape == (PRIORS, 4)
    with pytest.raises(FrameError, match=f"4419 boxes, .* 320x240 pixels has {PRIORS} priors"):
        decode_offsets(np.zeros((PRIORS - 1, 4)), WINDOW)


@given(st.integers(0, 2**31), st.sampled_from(("corners", "offsets")))
@settings(deadline=None, max_examples=30)
def test_any_numbers_give_finite_boxes(seed: int, form: BoxForm) -> None:
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2**32, (PRIORS, 4), dtype=np.uint32)
    boxes = bits.view(np.float32)[None]
    scores = generator.integers(0, 2**32, (PRIORS, 2), dtype=np.uint32).view(np.float32)[None]
    for face in find_faces([scores, boxes], place((99, 70), WINDOW, "letterbox", None), boxes=form):
        assert np.isfinite((face.left, face.top, face.right, face.bottom)).all()
