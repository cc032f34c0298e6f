from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import FrameError
from counterpoint.frames.placement import Resize, Size, place

sides = st.integers(1, 60)
sizes = st.tuples(sides, sides)
resizes = st.sampled_from(("stretch", "short_side", "letterbox", "none"))


@given(sizes, sizes, resizes, st.one_of(st.none(), sides, sizes))
@settings(deadline=None, max_examples=300)
def test_the_window_always_has_the_size_asked_for(
    image: Size, window: Size, resize: Resize, resize_to: int | Size | None
) -> None:
    if resize == "short_side" and isinstance(resize_to, tuple):
        resize_to = None
    box = resize_to if isinstance(resize_to, tuple) else (resize_to or 999,) * 2
    try:
        placement = place(image, window, resize, resize_to)
    except FrameError:
        # only for these reasons
        assert (resize == "none" and image != window) or box[0] < window[0] or box[1] < window[1]
        return
    pixels = np.full((*image, 3), 200, np.uint8)
    cut = placement.cut(pixels, pad=7)
    assert cut.shape == (*window, 3)
    assert cut.dtype == np.uint8
    if resize == "letterbox":
        assert set(np.unique(cut)) <= {7, 200}
    else:
        assert set(np.unique(cut)) == {200}


@given(sizes, sides)
def test_short_side_keeps_the_aspect(image: Size, side: int) -> None:
    resized = place(image, (side, side), "short_side", side).resized
    assert min(resized) == side
    exact = max(image) * side / min(image)
    assert abs(max(resized) - exact) <= 0.5


@given(sizes, sizes)
def test_letterbox_shows_the_whole_image_and_fills_one_side(image: Size, window: Size) -> None:
    placement = place(image, window, "letterbox", None)
    assert placement.resized[0] == window[0] or placement.resized[1] == window[1]
    assert placement.resized[0] <= window[0]
    assert placement.resized[1] <= window[1]
    assert 0 <= window[0] - placement.resized[0] + 2 * placement.top <= 1
    assert 0 <= window[1] - placement.resized[1] + 2 * placement.left <= 1


@given(sizes, sizes)
def test_short_side_without_a_size_just_covers_the_window(image: Size, window: Size) -> None:
    resized = place(image, window, "short_side", None).resized
    assert resized[0] >= window[0]
    assert resized[1] >= window[1]
    assert resized[0] == window[0] or resized[1] == window[1]


def test_centre_is_cut_out() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    resized = cv2.resize(image, (31, 20), interpolation=cv2.INTER_LINEAR)
    cut = place((40, 50), (11, 12), "stretch", (20, 31)).cut(image, 0)
    np.testing.assert_array_equal(cut, resized[4:15, 9:21])


def test_letterbox_against_a_canvas_painted_by_hand() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    canvas = np.full((32, 32, 3), 114, np.uint8)
    canvas[8:24] = cv2.resize(image, (32, 16), interpolation=cv2.INTER_LINEAR)
    whole = place((20, 40), (32, 32), "letterbox", None).cut(image, 114)
    np.testing.assert_array_equal(whole, canvas)
    centre = place((20, 40), (20, 10), "letterbox", 32).cut(image, 114)
    np.testing.assert_array_equal(centre, canvas[6:26, 11:21])


@given(sizes, sizes)
def test_corners_of_a_stretched_image(image: Size, window: Size) -> None:
    placement = place(image, window, "stretch", None)
    assert placement.to_image(0, 0) == (0, 0)
    assert placement.to_image(1, 1) == (image[1], image[0])


@pytest.mark.parametrize("resize", ["stretch", "short_side", "letterbox"])
@pytest.mark.parametrize("size", [(300, 200), (200, 300)])
def test_a_mark_on_the_photograph_is_found_again(resize: Resize, size: Size) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[140:160, 90:130] = 255
    placement = place(size, (96, 120), resize, 128 if resize != "letterbox" else None)
    rows, columns = np.nonzero(placement.cut(image, 0)[:, :, 0] > 127)
    left, top = placement.to_image(columns.min() / 120, rows.min() / 96)
    right, bottom = placement.to_image((columns.max() + 1) / 120, (rows.max() + 1) / 96)
    np.testing.assert_allclose((left, top, right, bottom), (90, 140, 130, 160), atol=2)


def test_absurd_sizes_are_refused() -> None:
    with pytest.raises(FrameError, match="would become"):
        place((1, 60000), (224, 224), "short_side", 4096)
    with pytest.raises(FrameError, match="limit"):
        place((10, 10), (10**6, 10**6), "stretch", None)


def test_messages_name_the_way_out() -> None:
    with pytest.raises(FrameError, match=r"resize_to gives 256x256 .* 299x299; make it larger"):
        place((500, 500), (299, 299), "short_side", 256)
    with pytest.raises(FrameError, match=r"image of 30x20 .* wants 28x28; choose a resize"):
        place((20, 30), (28, 28), "none", None)
