"""Cycles in which a core's multipliers compute one tile.

With E elements of v inputs, a tile of P = rows x columns output pixels, c input channels, k output
channels and R x S taps:

    overlay      R S P ceil(k / (E / 4)), the ceiling over E / 2 for c <= 2v and over E for c <= v:
                 1, 2 or 4 elements add up into one sum. Published, for E = 64 and v = 16:
                 ``opu-compiler`` ``Scheduler.cpp`` ``get_latency``: ceil(k / 16), halved for
                 c <= 32, quartered for c <= 16, for tiles of at most 64 input channels
      depthwise  P ceil(c / E): an element takes the taps of one channel. Published for 3 x 3. For
                 more taps than inputs, times ceil(R S / v): assumed
    convolution  R S P ceil(c / v) ceil(k / E): an element makes one output channel, and all
                 elements share the v input channels. The plain reading of "parallel over input and
                 output channels"
      depthwise  R S P ceil(c / min(E, v)): as a convolution whose weights are zero off the
                 diagonal, because elements that share their inputs cannot each have a channel of
                 their own. Assumed
    depthwise    lanes = min(E, 64) elements side by side over the channels of a word, E / lanes of
                 them over neighbouring pixels of a row: R S rows ceil(columns / (E / lanes))
                 ceil(c / v) ceil(k / lanes). Assumed: the paper's abstract says only that this core
                 is the one for depthwise layers; it must run others too, because the published mean
                 gain has SqueezeNet in it, which has no depthwise layer
      depthwise  rows ceil(columns / (E / lanes)) ceil(c / lanes) ceil(R S / v): a line buffer
                 hands each element the whole window of its channel
"""

from __future__ import annotations

import numpy as np

from counterpoint.costs.models.overlay.core import MERGED, CoreArrays, CoreKind
from counterpoint.costs.models.overlay.shapes import Ints

LINE_CHANNELS = 64
"""Channels that a depthwise core's line buffer hands out side by side: the published word."""


def ceil_div(dividend: Ints | int, divisor: Ints | int) -> Ints:
    """Rounded up, of numbers not below 0 by numbers above 0."""
    return np.asarray(-(-dividend // divisor))


def merged_elements(cores: CoreArrays, channels: Ints) -> Ints:
    """Elements of an overlay core that work on one sum of so many input channels."""
    narrow, half = channels <= cores.inputs, channels <= 2 * cores.inputs
    return np.where(narrow, 1, np.where(half, 2, MERGED))


def output_lanes(cores: CoreArrays, channels: Ints) -> Ints:
    """Output channels that are computed side by side, of so many input channels."""
    return np.select(
        [cores.kind == CoreKind.OVERLAY, cores.kind == CoreKind.CONVOLUTION],
        [cores.elements // merged_elements(cores, channels), cores.elements],
        np.minimum(cores.elements, LINE_CHANNELS),
    )


def depthwise_lanes(cores: CoreArrays) -> Ints:
    """Channels of a depthwise layer that are computed side by side."""
    return np.select(
        [cores.kind == CoreKind.OVERLAY, cores.kind == CoreKind.CONVOLUTION],
        [cores.elements, np.minimum(cores.elements, cores.inputs)],
        np.minimum(cores.elements, LINE_CHANNELS),
    )


def pixel_lanes(cores: CoreArrays) -> Ints:
    """Neighbouring pixels that are computed side by side."""
    lanes = cores.elements // np.minimum(cores.elements, LINE_CHANNELS)
    return np.where(cores.kind == CoreKind.DEPTHWISE, lanes, 1)


def dense_passes(cores: CoreArrays, channels: Ints, kernels: Ints) -> Ints:
    """Cycles for one tap of one pixel (of :func:`pixel_lanes`), of all that is not depthwise.

    Args:
        cores: Their arrays broadcast with the others.
        channels: Input channels of the tile, at least 1.
        kernels: Output channels of the tile, at least 1.
    """
    wide = MERGED * cores.inputs
    whole, rest = channels // wide, channels % wide
    lanes = np.maximum(1, output_lanes(cores, rest))
    overlay = whole * ceil_div(kernels, np.maximum(1, cores.elements // MERGED))
    overlay = overlay + np.where(rest > 0, ceil_div(kernels, lanes), 0)
    others = ceil_div(channels, cores.inputs) * ceil_div(kernels, lanes)
    return np.where(cores.kind == CoreKind.OVERLAY, overlay, others)


def depthwise_passes(cores: CoreArrays, channels: Ints, taps: Ints) -> Ints:
    """Cycles for all taps of one pixel (of :func:`pixel_lanes`) of a depthwise layer."""
    turns = ceil_div(channels, depthwise_lanes(cores))
    whole_window = ceil_div(taps, cores.inputs)
    return turns * np.where(cores.kind == CoreKind.CONVOLUTION, taps, whole_window)
