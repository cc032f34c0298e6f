"""From a photograph to a network's input tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from counterpoint.errors import FrameError
from counterpoint.frames.images import Image
from counterpoint.frames.placement import Placement, Resize, Size, place
from counterpoint.frames.tensors import Tensor, numpy_dtype, static_shape
from counterpoint.network.graph import TensorSpec

Channels = Literal["rgb", "bgr", "gray"]
Layout = Literal["NCHW", "NHWC"]

_MAX_SIDE = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """Resize, cut to the network's size, choose channels, then map each pixel value to

        (pixel * scale - mean) / std          pixel in 0..255, 255 - pixel when inverted

    Size, batch and element type are the network's own. Since a pixel has 256 values, the formula is
    a table: computed once in float64 and rounded once to the network's type.

    Attributes:
        channels: Order in the tensor, and the order of ``mean`` and ``std``.
        resize: How the image meets the network's size; see :func:`.placement.place`.
        resize_to: Size before the centre is cut out, in pixels: height and width, or one number
            for both (for ``short_side``: that side). ``None``: the network's own size.
        scale: Factor before the mean is taken off.
        mean: One value a channel, or one for all.
        std: One value a channel, or one for all; none is 0.
        layout: Order of the tensor's dimensions.
        invert: Black becomes white: for networks trained white on black.
        pad: Pixel value 0 to 255 around a letterboxed image, before the formula.

    Raises:
        FrameError: A value is out of range, or the numbers of channels do not match.
    """

    channels: Channels = "rgb"
    resize: Resize = "stretch"
    resize_to: int | Size | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: Layout = "NCHW"
    invert: bool = False
    pad: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("channels", self.channels, get_args(Channels)),
            ("resize", self.resize, get_args(Resize)),
            ("layout", self.layout, get_args(Layout)),
        ):
            if value not in known:
                raise FrameError(f"{name} is {value!r}; known: {', '.join(known)}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in {1, self.channel_count}:
                raise FrameError(
                    f"{name} has {len(values)} values; {self.channels} takes 1 or "
                    f"{self.channel_count}"
                )
        if not all(isfinite(value) for value in (self.scale, *self.mean, *self.std)):
            raise FrameError("scale, mean and std must be finite numbers")
        if 0.0 in self.std or self.scale == 0.0:
            raise FrameError("scale and std must not be 0")
        if not 0 <= self.pad <= 255:
            raise FrameError(f"pad is {self.pad}; a pixel value from 0 to 255 is wanted")
        self._check_resize_to()

    def _check_resize_to(self) -> None:
        if self.resize_to is None:
            return
        if self.resize == "none":
            raise FrameError('resize_to has no meaning with resize = "none"')
        if isinstance(self.resize_to, int):
            sides: tuple[int, ...] = (self.resize_to,)
        elif self.resize == "short_side":
            raise FrameError('resize_to with resize = "short_side" is one number')
        else:
            sides = self.resize_to
        if not all(1 <= side <= _MAX_SIDE for side in sides):
            raise FrameError(f"resize_to is {self.resize_to}; 1 to {_MAX_SIDE} pixels are wanted")

    @property
    def channel_count(self) -> int:
        """Channels of the tensor."""
        return 1 if self.channels == "gray" else 3

    def placement(self, image: Size, spec: TensorSpec) -> Placement:
        """Where the input ``spec`` lies on an image of that height and width.

        Raises:
            FrameError: The image or the input does not fit these settings.
        """
        return place(image, self._window(spec), self.resize, self.resize_to)

    def apply(self, image: Image, spec: TensorSpec) -> Tensor:
        """The frame of one image, for a network that takes one at a time.

        Args:
            image: ``(height, width, 3)``, blue, green, red, as :mod:`.images` reads it.
            spec: The network's input: four dimensions in :attr:`layout`, batch 1.

        Returns:
            A new C-contiguous array of the input's shape and type.

        Raises:
            FrameError: The image or the input does not fit these settings.
        """
        return self.apply_batch((image,), spec)

    def apply_batch(self, images: Sequence[Image], spec: TensorSpec) -> Tensor:
        """The frame of as many images as the input's batch; see :meth:`apply`."""
        window, shape = self._window(spec), static_shape(spec)
        if len(images) != shape[0]:
            raise FrameError(
                f"input {spec.name!r} takes {shape[0]} images a frame, {len(images)} given"
            )
        places = [
            place((image.shape[0], image.shape[1]), window, self.resize, self.resize_to)
            for image in images
        ]
        table = self.pixel_table(spec)
        frame = np.empty(shape, dtype=table.dtype)
        for number, (image, placement) in enumerate(zip(images, places, strict=True)):
            pixels = placement.cut(image, self.pad)
            for channel, plane in enumerate(self._planes(pixels)):
                if self.layout == "NCHW":
                    frame[number, channel] = table[channel][plane]
                else:
                    frame[number, :, :, channel] = table[channel][plane]
        return frame

    def pixel_table(self, spec: TensorSpec) -> Tensor:
        """``(channels, 256)``: what each pixel value becomes, in the input's type.

        Raises:
            FrameError: A value does not fit the type, or would be rounded to an integer.
        """
        pixel = np.arange(256, dtype=np.float64)
        if self.invert:
            pixel = 255 - pixel
        mean = np.array(self.mean, dtype=np.float64)[:, None]
        std = np.array(self.std, dtype=np.float64)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            exact = np.broadcast_to((pixel * self.scale - mean) / std, (self.channel_count, 256))
            return _as_type(exact, spec)

    def _planes(self, pixels: Image) -> tuple[npt.NDArray[np.uint8], ...]:
        """One ``(height, width)`` a channel."""
        if self.channels == "gray":
            gray = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_BGR2GRAY)
            return (np.asarray(gray, dtype=np.uint8),)
        order = (0, 1, 2) if self.channels == "bgr" else (2, 1, 0)
        return tuple(pixels[:, :, channel] for channel in order)

    def _window(self, spec: TensorSpec) -> Size:
        """Height and width of the input."""
        shape = static_shape(spec)
        if len(shape) != 4 or min(shape) < 1:
            raise FrameError(f"input {spec.name!r} is no image: its shape is {list(shape)}")
        if self.layout == "NCHW":
            _, channels, height, width = shape
        else:
            _, height, width, channels = shape
        if channels != self.channel_count:
            raise FrameError(
                f"input {spec.name!r} {list(shape)} has {channels} channels in {self.layout}, but "
                f'channels = "{self.channels}" gives {self.channel_count}'
            )
        return height, width


def _as_type(exact: npt.NDArray[np.float64], spec: TensorSpec) -> Tensor:
    """Rounds to the input's type, which must hold every value."""
    dtype = numpy_dtype(spec)
    refusal = FrameError(
        f"input {spec.name!r} takes {spec.dtype}, which cannot hold the values from "
        f"{exact.min():g} to {exact.max():g}; change scale, mean or std"
    )
    if dtype.kind in "fV":
        rounded = exact.astype(dtype)
        if not np.isfinite(rounded).all():
            raise refusal
        return rounded
    if dtype.kind not in "iu":
        raise refusal
    limits = np.iinfo(dtype.name)
    if not ((exact >= limits.min) & (exact <= limits.max)).all():
        raise refusal
    whole = np.rint(exact)
    if np.abs(exact - whole).max() > 1e-6:
        raise refusal
    return whole.astype(dtype)
