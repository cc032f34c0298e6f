from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from counterpoint.costs.models.overlay.area import (
    EQUAL_SLICES,
    Slices,
    core_area,
    design_area,
    pe_efficiency,
)
from counterpoint.costs.models.overlay.core import Core, CoreArrays, CoreKind, Design
from counterpoint.costs.models.overlay.cycles import NEVER, cycles_table, layer_cycles
from counterpoint.costs.models.overlay.shapes import LayerShapes, shapes_of
from counterpoint.errors import UserInputError
from tests.costs.models.layers import conv, layer_of

C_CORE = Core(kind=CoreKind.CONVOLUTION, elements=16, inputs=32)
P_CORE = Core(kind=CoreKind.DEPTHWISE, elements=32, inputs=9)


def one_layer(kernel: int = 3) -> LayerShapes:
    nest = conv(64, 64, 14, kernel)
    return shapes_of([(layer_of(nest, name="conv7"), nest)])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda: Core(kind=CoreKind.CONVOLUTION, elements=0, inputs=16), "0 elements"),
        (lambda: Core(kind=CoreKind.DEPTHWISE, elements=4, inputs=-1), "at least 1"),
        (lambda: Core(kind=CoreKind.OVERLAY, elements=6, inputs=16), "multiple of 4"),
        (
            lambda: Core(
                kind=CoreKind.CONVOLUTION, elements=64, inputs=16, weight_buffer_bytes=512
            ),
            "weight buffer of 512 bytes is smaller than one tile",
        ),
        (
            lambda: Core(kind=CoreKind.CONVOLUTION, elements=4, inputs=4, feature_buffer_bytes=8),
            "feature buffer of 8 bytes is smaller than one tile",
        ),
        (
            lambda: Core(kind=CoreKind.CONVOLUTION, elements=4, inputs=4, clock_hz=0),
            "clock of 0 Hz",
        ),
        (lambda: Design(cores=()), "at least one"),
        (lambda: Design(cores=(C_CORE,), dram_bytes_per_cycle=-64), "-64 bytes per cycle"),
        (
            lambda: Design(
                cores=(C_CORE, Core(kind=CoreKind.DEPTHWISE, elements=1, inputs=9, clock_hz=1))
            ),
            "unlike clocks",
        ),
        (lambda: Slices({CoreKind.OVERLAY: 2}), "0 products of a DSP slice"),
        (lambda: pe_efficiency(10, 0, 5), "0 multipliers"),
        (lambda: cycles_table(one_layer(), CoreArrays.of([C_CORE]), 0), "0 bytes per cycle"),
        (lambda: one_layer().with_rows(0), "0 rows"),
        (
            lambda: layer_cycles(
                one_layer(),
                Core(kind=CoreKind.CONVOLUTION, elements=4, inputs=4, feature_buffer_bytes=128),
            ),
            "layer conv7: a feature buffer of 128 bytes is smaller than one tile",
        ),
        (
            lambda: layer_cycles(
                one_layer(),
                Core(kind=CoreKind.CONVOLUTION, elements=64, inputs=4, weight_buffer_bytes=256),
            ),
            "layer conv7: a weight buffer of 256 bytes is smaller than one tile",
        ),
    ],
)
def test_bad_configurations_are_one_clear_line(bad: Callable[[], object], words: str) -> None:
    with pytest.raises(UserInputError) as caught:
        bad()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_fits_no_buffer_is_marked_in_a_table() -> None:
    small = Core(kind=CoreKind.CONVOLUTION, elements=4, inputs=4, feature_buffer_bytes=128)
    table = cycles_table(one_layer(), CoreArrays.of([small, C_CORE]))
    np.testing.assert_array_equal(table.runs[:, 0], [False, True])
    assert table.total[0, 0] == NEVER
    assert 0 < table.total[1, 0] < NEVER


def test_area() -> None:
    design = Design(cores=(C_CORE, P_CORE))
    plain, equal = design_area(design), design_area(design, EQUAL_SLICES)
    assert plain.multipliers == equal.multipliers == 16 * 32 + 32 * 9
    assert plain.dsp_slices == 16 * 32 // 2 + 32 * 9  # nothing shared in a depthwise core
    assert equal.dsp_slices == (16 * 32 + 32 * 9) // 2
    assert plain.buffer_bits == 2 * 2 * 8 * (1444 * 64 + 36 * 1024)
    slices = Slices().of_cores(CoreArrays.of([C_CORE, P_CORE]))
    assert slices.tolist() == [core_area(C_CORE).dsp_slices, core_area(P_CORE).dsp_slices]


def test_efficiency_is_useful_products_over_possible_ones() -> None:
    (layer,) = layer_cycles(one_layer(), C_CORE)
    assert layer.efficiency == pe_efficiency(layer.macs, C_CORE.multipliers, layer.total)
    assert layer.efficiency is not None
    assert 0.9 < layer.efficiency < 1
