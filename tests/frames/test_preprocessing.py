from __future__ import annotations

from typing import Any

import cv2
import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import FrameError
from counterpoint.frames.placement import Resize
from counterpoint.frames.preprocessing import Channels, Layout, Preprocessing
from counterpoint.frames.presets import PRESETS, preset
from counterpoint.network.graph import TensorSpec

IMAGE = np.random.default_rng(3).integers(0, 256, (33, 47, 3), dtype=np.uint8)
SPEC = TensorSpec("data", "float32", (1, 3, 8, 6))

floats = st.floats(-300, 300, allow_nan=False)
factors = st.floats(0.01, 300)


@given(
    channels=st.sampled_from(("rgb", "bgr", "gray")),
    layout=st.sampled_from(("NCHW", "NHWC")),
    resize=st.sampled_from(("stretch", "short_side", "letterbox")),
    window=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    scale=factors,
    statistics=st.lists(st.tuples(floats, factors), min_size=3, max_size=3),
    invert=st.booleans(),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=150)
def test_the_formula(
    *,
    channels: Channels,
    layout: Layout,
    resize: Resize,
    window: tuple[int, int],
    scale: float,
    statistics: list[tuple[float, float]],
    invert: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    size = tuple(generator.integers(1, 50, 2))
    image = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    count = 1 if channels == "gray" else 3
    mean, std = zip(*statistics[:count], strict=True)
    settings_ = Preprocessing(
        channels=channels,
        layout=layout,
        resize=resize,
        scale=scale,
        mean=mean,
        std=std,
        invert=invert,
        pad=99,
    )
    shape = (1, count, *window) if layout == "NCHW" else (1, *window, count)
    spec = TensorSpec("data", "float32", shape)
    frame = settings_.apply(image, spec)
    assert frame.shape == shape
    assert frame.dtype == np.float32
    assert frame.flags.c_contiguous

    pixels: npt.NDArray[Any] = settings_.placement(image.shape[:2], spec).cut(image, 99)
    if channels == "rgb":
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2RGB)
    elif channels == "gray":
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2GRAY)[:, :, None]
    exact = 255.0 - pixels if invert else pixels.astype(float)
    expected = (exact * scale - np.array(mean)) / np.array(std)
    if layout == "NCHW":
        expected = expected.transpose(2, 0, 1)
    np.testing.assert_allclose(frame[0], expected, rtol=1e-6, atol=1e-6)


def test_raw_integers_are_exact() -> None:
    spec = TensorSpec("data", "uint8", (1, 33, 47, 3))
    frame = Preprocessing(layout="NHWC", channels="bgr").apply(IMAGE, spec)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[0], IMAGE)
    shifted = Preprocessing(channels="bgr", layout="NHWC", mean=(128,)).apply(
        IMAGE, TensorSpec("data", "int8", (1, 33, 47, 3))
    )
    np.testing.assert_array_equal(shifted[0].astype(int), IMAGE.astype(int) - 128)


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_other_floating_types(dtype: str) -> None:
    frame = preset("imagenet").pixel_table(TensorSpec("data", dtype, SPEC.shape))
    exact = preset("imagenet").pixel_table(TensorSpec("data", "float64", SPEC.shape))
    numpy_type = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    assert frame.dtype == np.dtype(numpy_type)
    np.testing.assert_array_equal(frame, exact.astype(numpy_type))


@pytest.mark.parametrize(
    ("dtype", "settings_"),
    [
        ("uint8", preset("imagenet")),
        ("uint8", preset("caffe")),
        ("uint8", preset("unit")),
        ("int8", Preprocessing()),
        ("float16", Preprocessing(scale=1e6)),
        ("float32", Preprocessing(scale=1e300, std=(1e-300,))),
        ("bool", Preprocessing()),
    ],
)
def test_types_that_cannot_hold_the_values(dtype: str, settings_: Preprocessing) -> None:
    with pytest.raises(FrameError, match=f"takes {dtype}, which cannot hold the values from"):
        settings_.apply(IMAGE, TensorSpec("data", dtype, (1, 3, 8, 6)))


def test_a_grey_photograph_keeps_its_values() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    frame = preset("mnist").apply(image, TensorSpec("data", "float32", (1, 1, 16, 16)))
    np.testing.assert_array_equal(frame.reshape(-1), np.arange(256))


def test_batches() -> None:
    spec = TensorSpec("data", "float32", (2, 3, 8, 6))
    other = IMAGE[::-1, :20].copy()
    frame = preset("unit").apply_batch((IMAGE, other), spec)
    np.testing.assert_array_equal(frame[:1], preset("unit").apply(IMAGE, SPEC))
    np.testing.assert_array_equal(frame[1:], preset("unit").apply(other, SPEC))
    with pytest.raises(FrameError, match="takes 2 images a frame, 1 given"):
        preset("unit").apply(IMAGE, spec)


def test_the_frame_is_the_callers_and_the_image_stays_as_it_was() -> None:
    spec = TensorSpec("data", "uint8", (1, 33, 47, 3))
    image = IMAGE.copy()
    frame = Preprocessing(layout="NHWC", resize="none").apply(image, spec)
    frame[:] = 0
    np.testing.assert_array_equal(image, IMAGE)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (None, "no known shape"),
        ((1, 3), "is no image"),
        ((1, 3, 0, 5), "is no image"),
        ((1, 8, 6, 3), "8 channels in NCHW"),
        ((1, 1, 8, 6), "1 channels in NCHW"),
        ((1, 3, 10**6, 10**6), "limit"),
    ],
)
def test_inputs_that_take_no_photograph(shape: tuple[int, ...] | None, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        preset("raw").apply(IMAGE, TensorSpec("data", "float32", shape))


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"channels": "yuv"}, "channels is 'yuv'; known: rgb, bgr, gray"),
        ({"resize": "crop"}, "known: stretch"),
        ({"layout": "CHW"}, "known: NCHW"),
        ({"mean": (1.0, 2.0)}, "mean has 2 values; rgb takes 1 or 3"),
        ({"channels": "gray", "std": (1.0, 1.0, 1.0)}, "std has 3 values"),
        ({"std": ()}, "std has 0 values"),
        ({"std": (1.0, 0.0, 1.0)}, "must not be 0"),
        ({"scale": 0.0}, "must not be 0"),
        ({"scale": float("nan")}, "finite"),
        ({"mean": (float("inf"),)}, "finite"),
        ({"pad": 256}, "pad is 256"),
        ({"resize_to": 0}, "1 to 65536"),
        ({"resize_to": (5, -1)}, "1 to 65536"),
        ({"resize_to": 2**40}, "1 to 65536"),
        ({"resize": "none", "resize_to": 5}, "no meaning"),
        ({"resize": "short_side", "resize_to": (5, 5)}, "is one number"),
    ],
)
def test_settings_are_checked_when_made(given_: dict[str, Any], reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        Preprocessing(**given_)


def test_presets() -> None:
    assert list(PRESETS) == ["imagenet", "caffe", "unit", "raw", "ultraface", "mnist"]
    with pytest.raises(FrameError, match="unknown preset 'torch'; known: imagenet, caffe"):
        preset("torch")
