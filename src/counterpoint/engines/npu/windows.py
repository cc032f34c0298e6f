"""Convolutions and pools over whole tensors in NumPy, for processors that are modelled by results.

Layout NCHW throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoint.engines.npu.nodes import Node

Array = npt.NDArray[Any]

Kind = type[np.float32] | type[np.float64] | type[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """What slides over an image.

    Attributes:
        size: Height and width.
        stride: Along height and width.
        pads: Above, left, below, right.
        dilation: Along height and width.
    """

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def rounded_up(self, image: tuple[int, int]) -> Window:
        """With as much padding below and to the right as the last, incomplete place needs; a place
        that would begin in that padding is left out (ONNX, MaxPool, ``ceil_mode``).
        """
        more = []
        for axis in (0, 1):
            reach = (self.size[axis] - 1) * self.dilation[axis] + 1
            before, length = self.pads[axis], image[axis] + self.pads[axis] + self.pads[axis + 2]
            places = -(-(length - reach) // self.stride[axis]) + 1
            if (places - 1) * self.stride[axis] >= image[axis] + before:
                places -= 1
            more.append(max(0, (places - 1) * self.stride[axis] + reach - length))
        above, left, below, right = self.pads
        return replace(self, pads=(above, left, below + more[0], right + more[1]))

    def over(self, tensor: Array, fill: float = 0) -> Array:
        """``(N, C, P, Q, R, S)``: a view of what each place of the window sees.

        Args:
            tensor: ``(N, C, H, W)``.
            fill: The padding's value.
        """
        above, left, below, right = self.pads
        padded = tensor
        if any(self.pads):
            around = ((0, 0), (0, 0), (above, below), (left, right))
            padded = np.pad(tensor, around, constant_values=fill)
        reach = tuple(
            (size - 1) * apart + 1 for size, apart in zip(self.size, self.dilation, strict=True)
        )
        views = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
        rows, columns = self.stride
        tall, wide = self.dilation
        return views[:, :, ::rows, ::columns, ::tall, ::wide]


def window_of(node: Node, size: tuple[int, int], image: tuple[int, int]) -> Window:
    """The window of a convolution or pool.

    Args:
        node: Its attributes.
        size: Of the kernel.
        image: Height and width of what it slides over.

    Raises:
        ValueError: It is not of two dimensions.
    """
    if len(size) != 2 or len(image) != 2:
        raise ValueError(f"{node.name} is not of two dimensions")
    rows, columns = node.integers("strides", (1, 1))
    tall, wide = node.integers("dilations", (1, 1))
    pads = node.integers("pads", (0, 0, 0, 0))
    automatic = node.attributes.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        missing = [
            max(0, (-(-length // step) - 1) * step + (extent - 1) * apart + 1 - length)
            for length, step, extent, apart in zip(
                image, (rows, columns), size, (tall, wide), strict=True
            )
        ]
        less = [total // 2 for total in missing]
        more = [total - half for total, half in zip(missing, less, strict=True)]
        before, behind = (less, more) if automatic == b"SAME_UPPER" else (more, less)
        pads = (*before, *behind)
    window = Window(size, (rows, columns), (pads[0], pads[1], pads[2], pads[3]), (tall, wide))
    return window.rounded_up(image) if node.integer("ceil_mode", 0) else window


def convolve(tensor: Array, weights: Array, window: Window, groups: int, kind: Kind) -> Array:
    """``(N, K, P, Q)``: products summed in ``kind``.

    Args:
        tensor: ``(N, C, H, W)``.
        weights: ``(K, C / groups, R, S)``.
        window: Of the weights' size.
        groups: Of channels that do not mix.
        kind: ``np.float32`` or ``np.float64``; integers up to 2**53 are exact in the latter.
    """
    seen = window.over(tensor)
    images, channels, tall, wide = seen.shape[:4]
    kernels = weights.shape[0]
    if groups == channels == kernels:  # depthwise: nothing to multiply matrices with
        own = weights[:, 0].astype(kind)
        return np.asarray(np.einsum("ncpqrs,crs->ncpq", seen, own, dtype=kind, casting="unsafe"))
    made: Array = np.empty((images, kernels, tall, wide), kind)
    taken, given = channels // groups, kernels // groups
    for group in range(groups):
        part = seen[:, group * taken : (group + 1) * taken]
        columns: Array = part.transpose(0, 2, 3, 1, 4, 5).reshape(images * tall * wide, -1)
        columns = columns.astype(kind)
        matrix: Array = weights[group * given : (group + 1) * given].reshape(given, -1)
        matrix = matrix.T.astype(kind)
        product = (columns @ matrix).reshape(images, tall, wide, given)
        made[:, group * given : (group + 1) * given] = product.transpose(0, 3, 1, 2)
    return made


def pool_window(node: Node, tensor: Array) -> Window:
    """The window of a pool; that of a global one is the whole image.

    Raises:
        ValueError: As :func:`window_of`.
    """
    image = (tensor.shape[2], tensor.shape[3])
    if node.operator.startswith("Global"):
        return Window(image)
    rows, columns = node.integers("kernel_shape", ())
    return window_of(node, (rows, columns), image)


def leaves_padding_out(node: Node) -> bool:
    """A mean over fewer items where the window reaches over the border."""
    pads = any(node.integers("pads", (0,)))
    pads = pads or node.attributes.get("auto_pad") in (b"SAME_UPPER", b"SAME_LOWER")
    return node.operator == "AveragePool" and pads and not node.integer("count_include_pad", 0)


def averaged(node: Node, tensor: Array, kind: Kind) -> tuple[Array, int]:
    """Sums over the windows of an average pool, and by what they are to be divided.

    Raises:
        ValueError: Its mean leaves the padding out.
    """
    window = pool_window(node, tensor)
    if any(window.pads) and not node.integer("count_include_pad", 0):
        raise ValueError(f"NVDLA's pooling does not leave padding out of the mean ({node.name})")
    return window.over(tensor).sum(axis=(4, 5), dtype=kind), prod(window.size)


def reshaped(node: Node, tensor: Array, shape: tuple[int, ...]) -> Array:
    """A Flatten, Reshape, Squeeze and so on: the same items in the shape that the network has.

    Raises:
        ValueError: The shape is not known.
    """
    if tensor.size != prod(shape):
        raise ValueError(f"the shape of what {node.name} makes is not known")
    return tensor.reshape(shape)
