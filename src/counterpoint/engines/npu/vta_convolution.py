"""An int8 convolution on VTA: how its tensors are packed, and what it computes.

For each image, output channel k and pixel, with p the padding's zeros:

    sum    = bias[k] + sum over c, r, s of weights[k, c, r, s] * input[c, r', s']     int32
    output = min(max(floor(sum / 2**shift[k]), lowest), highest)                      int8

VTA shifts towards minus infinity; who wants to round adds ``2**(shift - 1)`` to the bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.vta_arithmetic import Int8, Int32
from counterpoint.engines.npu.vta_instructions import Program
from counterpoint.engines.npu.vta_machine import NOTHING, Counts, Dram, VtaMachine
from counterpoint.engines.npu.vta_program import Requantisation, convolution
from counterpoint.network.graph import LoopNest


@dataclass(frozen=True, slots=True, eq=False)
class IntegerConvolution:
    """The arithmetic of a layer, in integers only.

    Attributes:
        nest: Its loops; one group.
        weights: ``(K, C, R, S)``.
        bias: ``(K,)``, in units of a sum.
        shift: ``(K,)``: bits by which a sum is shifted to the right; negative: to the left.
        lowest: -128, or more where an activation follows.
        highest: 127, or less.
    """

    nest: LoopNest
    weights: Int8
    bias: Int32
    shift: Int32
    lowest: int = -128
    highest: int = 127


class VtaConvolution:
    """A convolution made ready: packed weights, and the program that is run for each image.

    Args:
        arithmetic: What it computes.
        hardware: For which VTA.

    Raises:
        ValueError: No tile of it fits the scratchpads, or channels are no multiple of the block.
    """

    def __init__(self, arithmetic: IntegerConvolution, hardware: Vta) -> None:
        nest, self._block = arithmetic.nest, hardware.block
        if nest.in_channels % self._block or nest.out_channels % self._block:
            raise ValueError(f"channels are no multiple of {self._block}")
        first = int(arithmetic.shift[0])
        shared = first if (arithmetic.shift == first).all() else None
        how = Requantisation(shared, arithmetic.lowest, arithmetic.highest)
        program = convolution(nest, how, hardware)
        if program is None:
            raise ValueError("no tile fits the scratchpads")
        self.nest = nest
        self.program: Program = program
        self._weights = packed_weights(arithmetic.weights, self._block)
        vectors = [arithmetic.bias] if shared is not None else [arithmetic.bias, arithmetic.shift]
        self._sums = np.concatenate(vectors).reshape(-1, self._block).astype(np.int32)

    def run(self, inputs: Int8, machine: VtaMachine) -> tuple[Int8, Counts]:
        """Runs a batch, image by image.

        Args:
            inputs: ``(N, C / block, H, W, block)``.
            machine: Of the same hardware.

        Returns:
            ``(N, K / block, P, Q, block)``, and what that took.
        """
        made = np.zeros(
            (
                len(inputs),
                self.nest.out_channels // self._block,
                *self.nest.output_size,
                self._block,
            ),
            np.int8,
        )
        counts = NOTHING
        for image, output in zip(inputs, made, strict=True):
            flat = output.reshape(-1, self._block)
            dram = Dram(image.reshape(-1, self._block), self._weights, self._sums, flat)
            counts += machine.run(self.program, dram)
        return made, counts


def packed(tensor: Int8, block: int) -> Int8:
    """``(N, C, H, W)`` to ``(N, C / block, H, W, block)``, contiguous."""
    images, channels, height, width = tensor.shape
    split = tensor.reshape(images, channels // block, block, height, width)
    return np.ascontiguousarray(split.transpose(0, 1, 3, 4, 2))


def unpacked(tensor: Int8) -> Int8:
    """The way back."""
    images, blocks, height, width, block = tensor.shape
    whole = tensor.transpose(0, 1, 4, 2, 3).reshape(images, blocks * block, height, width)
    return np.ascontiguousarray(whole)


def packed_weights(weights: Int8, block: int) -> Int8:
    """``(K, C, R, S)`` to ``(K/block * C/block * R * S, block out, block in)``."""
    kernels, channels, *taps = weights.shape
    split = weights.reshape(kernels // block, block, channels // block, block, prod(taps))
    return np.ascontiguousarray(split.transpose(0, 2, 4, 1, 3)).reshape(-1, block, block)
