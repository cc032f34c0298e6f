"""What a design takes of a chip, and how well it uses it.

The budget that designs are compared under can be multipliers or DSP slices; they differ in what a
slice is good for. A DSP slice of the FPGA makes two int8 products when they share an operand
(``OPU-Lab/209-Project`` ``PE/README.md``: "y is shared"; the published core has 1024 multipliers
in 512 slices). In a convolution two outputs share each feature, so overlay and convolution cores
get two products out of a slice. The elements of a depthwise core multiply different features by
different weights: nothing is shared, one product a slice. That is assumed, and selectable
(:class:`Slices`): the paper's tables were not found. It is at odds with the published core in one
point: its 576 products of a 3 x 3 depthwise layer (64 channels in a cycle) would need 576 slices
without sharing, and it has 512.

Accumulators, the post-processing and the control are not counted: assumed alike in all designs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from counterpoint.costs.models.overlay.core import Core, CoreArrays, CoreKind, Design
from counterpoint.costs.models.overlay.lanes import ceil_div
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.errors import UserInputError

_SHARED_OPERAND = MappingProxyType(
    {CoreKind.OVERLAY: 2, CoreKind.CONVOLUTION: 2, CoreKind.DEPTHWISE: 1}
)

_BANKS = 2


@dataclass(frozen=True, slots=True)
class Slices:
    """How many int8 products a DSP slice makes in a cycle, by kind of core.

    Raises:
        UserInputError: A kind is missing, or makes less than one product.
    """

    products: Mapping[CoreKind, int] = field(default_factory=lambda: _SHARED_OPERAND)

    def __post_init__(self) -> None:
        for kind in CoreKind:
            if self.products.get(kind, 0) < 1:
                raise UserInputError(
                    f"{self.products.get(kind, 0)} products of a DSP slice in a "
                    f"{kind.name.lower()} core; every kind of core needs at least 1"
                )
        object.__setattr__(self, "products", MappingProxyType(dict(self.products)))

    def of_cores(self, cores: CoreArrays) -> Ints:
        """DSP slices of each core."""
        products = np.array([self.products[kind] for kind in CoreKind], dtype=np.int64)
        return ceil_div(cores.multipliers, products[cores.kind])


PLAIN_SLICES = Slices()
"""Two products with a shared operand, one without."""

EQUAL_SLICES = Slices(dict.fromkeys(CoreKind, 2))
"""Two products in every core: area is then the number of multipliers, halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What a core or a design takes.

    Attributes:
        multipliers: int8.
        dsp_slices: Of the FPGA.
        buffer_bits: Of the feature and weight buffers, both halves. A depthwise core's line buffer
            is its feature buffer.
    """

    multipliers: int
    dsp_slices: int
    buffer_bits: int


def core_area(core: Core, slices: Slices = PLAIN_SLICES) -> Area:
    """What one core takes."""
    return Area(
        multipliers=core.multipliers,
        dsp_slices=-(-core.multipliers // slices.products[core.kind]),
        buffer_bits=_BANKS * 8 * (core.feature_buffer_bytes + core.weight_buffer_bytes),
    )


def design_area(design: Design, slices: Slices = PLAIN_SLICES) -> Area:
    """What all cores of a design take together."""
    areas = [core_area(core, slices) for core in design.cores]
    return Area(
        multipliers=sum(area.multipliers for area in areas),
        dsp_slices=sum(area.dsp_slices for area in areas),
        buffer_bits=sum(area.buffer_bits for area in areas),
    )


def pe_efficiency(macs: int, multipliers: int, cycles: int) -> float:
    """Runtime PE efficiency as the field defines it: useful multiply-adds over those that the
    multipliers could have done in the time.

    Raises:
        UserInputError: No multipliers, or no time.
    """
    if multipliers < 1 or cycles < 1:
        raise UserInputError(
            f"the efficiency of {multipliers} multipliers in {cycles} cycles: both must be above 0"
        )
    return macs / (multipliers * cycles)
