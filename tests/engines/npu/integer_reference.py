"""An integer convolution written as its definition says, sharing nothing with the simulator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from counterpoint.engines.npu.vta_convolution import IntegerConvolution
from counterpoint.network.graph import LoopNest

Int8 = npt.NDArray[np.int8]


def reference(tensor: Int8, what: IntegerConvolution) -> Int8:
    """``(N, C, H, W)`` to ``(N, K, P, Q)``: tap by tap over shifted images, in 64 bits."""
    nest = what.nest
    above, left, below, right = nest.pads
    padded = np.pad(tensor.astype(np.int64), ((0, 0), (0, 0), (above, below), (left, right)))
    rows, columns = nest.output_size
    sums = np.zeros((len(tensor), nest.out_channels, rows, columns), np.int64)
    sums += what.bias.astype(np.int64)[:, None, None]
    for row in range(nest.kernel[0]):
        for column in range(nest.kernel[1]):
            seen = padded[
                :,
                :,
                row : row + (rows - 1) * nest.stride[0] + 1 : nest.stride[0],
                column : column + (columns - 1) * nest.stride[1] + 1 : nest.stride[1],
            ]
            tap = what.weights[:, :, row, column].astype(np.float64)  # exact far below 2**53
            sums += np.tensordot(seen, tap, axes=([1], [1])).transpose(0, 3, 1, 2).astype(np.int64)
    sums = (sums + 2**31) % 2**32 - 2**31  # the accumulator has 32 bits
    shift = what.shift.astype(np.float64)[:, None, None]
    shifted = np.floor(sums / 2.0**shift)
    return np.clip(shifted, what.lowest, what.highest).astype(np.int8)


def drawn(nest: LoopNest, seed: int, *, per_channel: bool, relu: bool) -> IntegerConvolution:
    """Seeded weights over the whole range, shifts that leave results of all sizes."""
    random = np.random.default_rng(seed)
    taps = nest.in_channels * nest.kernel[0] * nest.kernel[1]
    middle = int(np.ceil(np.log2(taps) / 2)) + 7
    shifts = random.integers(middle - 1, middle + 2, nest.out_channels)
    return IntegerConvolution(
        nest,
        random.integers(-128, 128, (nest.out_channels, nest.in_channels, *nest.kernel), np.int8),
        random.integers(-(2**14), 2**14, nest.out_channels, np.int32),
        (shifts if per_channel else np.full(nest.out_channels, middle)).astype(np.int32),
        lowest=0 if relu else -128,
    )


def image(nest: LoopNest, seed: int) -> Int8:
    """A seeded input over the whole range."""
    shape = (nest.batch, nest.in_channels, *nest.input_size)
    return np.random.default_rng([seed, 1]).integers(-128, 128, shape, np.int8)


def nest_of(
    channels: tuple[int, int],
    size: tuple[int, int],
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
) -> LoopNest:
    """The loops of a convolution with that input size."""
    tall, wide = (
        (size[axis] + pads[axis] + pads[axis + 2] - kernel[axis]) // stride[axis] + 1
        for axis in (0, 1)
    )
    return LoopNest(
        batch=1,
        in_channels=channels[0],
        out_channels=channels[1],
        input_size=size,
        output_size=(tall, wide),
        kernel=kernel,
        stride=stride,
        pads=pads,
    )
