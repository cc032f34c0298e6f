from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from counterpoint.errors import FrameError
from counterpoint.frames.labels import probabilities, read_labels, top_k

score_lists = st.lists(st.one_of(st.floats(width=32), st.integers(-2, 2).map(float)), min_size=1)


def labels_of(tmp_path: Path, data: bytes) -> tuple[str, ...]:
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    return read_labels(path)


def test_names(tmp_path: Path) -> None:
    assert labels_of(tmp_path, b"cat\ndog\n") == ("cat", "dog")
    assert labels_of(tmp_path, b"\xef\xbb\xbfcat\r\ndog\r\n\r\n\n") == ("cat", "dog")
    assert labels_of(tmp_path, b"cat\n\nbird") == ("cat", "", "bird")
    assert labels_of(tmp_path, b"one") == ("one",)


def test_synset_ids_are_taken_off_where_every_line_has_one(tmp_path: Path) -> None:
    data = b"n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n"
    assert labels_of(tmp_path, data) == ("tench, Tinca tinca", "goldfish, Carassius auratus")
    assert labels_of(tmp_path, data + b"cat\n")[0] == "n01440764 tench, Tinca tinca"


def test_separators_inside_a_name_do_not_shift_the_classes(tmp_path: Path) -> None:
    names = labels_of(tmp_path, "a\u2028b\nc\x0bd\n\x1b[2Je\n".encode())
    assert len(names) == 3
    assert all(name.isprintable() for name in names)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "no label"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"x" * (4 * 2**20 + 1), "limit"),
    ],
)
def test_files_that_hold_no_labels(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        labels_of(tmp_path, data)


@given(score_lists, st.integers(-1, 12))
def test_top_k_against_sorting(values: list[float], k: int) -> None:
    def rank(pair: tuple[int, float]) -> tuple[bool, float, int]:
        index, value = pair
        return (isnan(value), 0.0 if isnan(value) else -value, index)

    best = sorted(enumerate(values), key=rank)[: max(k, 0)]
    found = top_k(np.array(values, np.float32), k)
    assert [index for index, _ in found] == [index for index, _ in best]
    np.testing.assert_array_equal([score for _, score in found], [score for _, score in best])


@pytest.mark.parametrize("shape", [(6,), (1, 6), (1, 6, 1, 1), (1, 1, 1, 6)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8"])
def test_shapes_and_types(shape: tuple[int, ...], dtype: str) -> None:
    scores = np.array([3, 1, 9, 9, 0, 2], dtype).reshape(shape)
    assert top_k(scores, 3) == ((2, 9.0), (3, 9.0), (0, 3.0))


def test_one_class_is_a_list_too() -> None:
    assert top_k(np.full((1, 1, 1, 1), 0.25, np.float32)) == ((0, 0.25),)


@pytest.mark.parametrize("shape", [(2, 6), (1, 3, 4, 1), (0,), (1, 0)])
def test_several_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FrameError, match="no list of scores of one image"):
        top_k(np.zeros(shape, np.float32))


@given(hnp.arrays(np.float32, st.integers(1, 20), elements=st.floats(-100, 100, width=32)))
def test_probabilities(scores: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    chances = probabilities(scores)
    assert chances.shape == scores.shape
    assert (chances >= 0).all()
    assert chances.sum() == pytest.approx(1, abs=0.021)
    assert chances[scores.argmax()] == chances.max()
    np.testing.assert_array_equal(probabilities(chances), chances)


def test_softmax_only_of_what_is_no_distribution() -> None:
    given_ = np.array([[0.1, 0.7, 0.2]], np.float32)
    np.testing.assert_array_equal(probabilities(given_), given_[0].astype(np.float64))
    exponentials = np.exp([0.1, 0.7, 0.9])
    np.testing.assert_allclose(
        probabilities(np.array([0.1, 0.7, 0.9])), exponentials / exponentials.sum()
    )
    assert probabilities(np.array([1000.0, 0.0])).tolist() == [1.0, 0.0]
