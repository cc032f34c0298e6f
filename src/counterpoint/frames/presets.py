"""Preprocessing by the name under which people know it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from counterpoint.errors import FrameError
from counterpoint.frames.preprocessing import Preprocessing

PRESETS: Mapping[str, Preprocessing] = MappingProxyType(
    {
        # torchvision.transforms in its ImageNet training reference, with its mean and std
        "imagenet": Preprocessing(
            resize="short_side",
            resize_to=256,
            scale=1 / 255,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        ),
        # Caffe's ImageNet example: the data set's mean of blue, green and red, rounded
        "caffe": Preprocessing(
            channels="bgr", resize="stretch", resize_to=(256, 256), mean=(104.0, 117.0, 123.0)
        ),
        # 0 to 1
        "unit": Preprocessing(scale=1 / 255),
        # 0 to 255: the network normalises for itself
        "raw": Preprocessing(),
        # Ultra-Light-Fast-Generic-Face-Detector-1MB, detect_imgs.py
        "ultraface": Preprocessing(mean=(127.0,), std=(128.0,)),
        # the ONNX model zoo's MNIST: 0 to 255, white on black
        "mnist": Preprocessing(channels="gray"),
    }
)


def preset(name: str) -> Preprocessing:
    """The preset of that name.

    Raises:
        FrameError: There is none; the message lists those there are.
    """
    if name not in PRESETS:
        raise FrameError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
