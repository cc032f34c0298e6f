"""Convolutions on the simulated VTA: bit by bit what integers give, whoever goes first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.npu.vta_convolution import (
    IntegerConvolution,
    VtaConvolution,
    packed,
    packed_weights,
    unpacked,
)
from counterpoint.engines.npu.vta_instructions import NONE, Memory, Module, Program, Transfer
from counterpoint.engines.npu.vta_machine import (
    LOADS_FIRST,
    STORES_FIRST,
    Counts,
    Dram,
    Eagerness,
    VtaMachine,
)
from counterpoint.engines.npu.vta_tiles import chosen_tile, steps
from counterpoint.errors import InternalError
from counterpoint.network.graph import LoopNest
from tests.engines.npu.integer_reference import Int8, drawn, image, nest_of, reference

PYNQ = Vta()
SMALL = Vta(
    input_buffer_bytes=2048,
    weight_buffer_bytes=18432,
    accumulator_bytes=8192,
    output_buffer_bytes=2048,
    uop_buffer_bytes=256,
)
"""Many tiles of small layers, and too few micro-ops for all of them at once."""


def on_vta(
    what: IntegerConvolution, tensor: Int8, hardware: Vta, eagerness: Eagerness = LOADS_FIRST
) -> tuple[Int8, Counts]:
    ready = VtaConvolution(what, hardware)
    made, counts = ready.run(packed(tensor, 16), VtaMachine(hardware, eagerness))
    return unpacked(made), counts


RESNET18 = {
    "res2a_branch2a": nest_of((64, 64), (56, 56)),
    "res3a_branch2a": nest_of((64, 128), (56, 56), stride=(2, 2)),
    "res3a_branch1": nest_of((64, 128), (56, 56), (1, 1), (2, 2), (0, 0, 0, 0)),
    "res5a_branch1": nest_of((256, 512), (14, 14), (1, 1), (2, 2), (0, 0, 0, 0)),
}
MOBILENET_V1 = {
    "conv2_1/sep": nest_of((32, 64), (112, 112), (1, 1), pads=(0, 0, 0, 0)),
    "conv5_6/sep": nest_of((512, 1024), (7, 7), (1, 1), pads=(0, 0, 0, 0)),
}


@pytest.mark.parametrize("name", [*RESNET18, *MOBILENET_V1])
def test_shapes_of_real_networks(name: str) -> None:
    nest = (RESNET18 | MOBILENET_V1)[name]
    what = drawn(nest, 7, per_channel=name.startswith("res"), relu=True)
    tensor = image(nest, 7)
    made, counts = on_vta(what, tensor, PYNQ)
    np.testing.assert_array_equal(made, reference(tensor, what))
    vectors = nest.output_size[0] * nest.output_size[1] * nest.out_channels // 16
    taps = nest.kernel[0] * nest.kernel[1] * nest.in_channels // 16
    assert counts.gemm_steps == vectors * (taps + 1)
    assert counts.alu_steps == vectors * PYNQ.alu_operators
    assert counts.stored_bytes == vectors * 16
    model = PYNQ.cycles(nest)
    assert model is not None
    assert model <= counts.cycles < 1.5 * model


@st.composite
def small_nests(draw: st.DrawFn) -> LoopNest:
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (1, 3), (5, 2)]))
    pads = draw(st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 0)]))
    size = draw(st.tuples(st.integers(5, 12), st.integers(5, 12)))
    nest = nest_of(
        (16 * draw(st.integers(1, 3)), 16 * draw(st.integers(1, 3))),
        size,
        kernel,
        draw(st.sampled_from([(1, 1), (2, 2), (1, 3)])),
        pads,
    )
    return replace(nest, batch=draw(st.integers(1, 2)))


@given(
    nest=small_nests(),
    seed=st.integers(0, 2**16),
    hardware=st.sampled_from([PYNQ, SMALL, replace(SMALL, latency_hiding=False)]),
    per_channel=st.booleans(),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_convolution_that_fits(
    nest: LoopNest, seed: int, hardware: Vta, per_channel: bool
) -> None:
    what = drawn(nest, seed, per_channel=per_channel, relu=bool(seed % 2))
    tensor = image(nest, seed)
    if chosen_tile(nest, hardware, 2 if per_channel else 1) is None:
        with pytest.raises(ValueError, match="no tile fits"):
            VtaConvolution(what, hardware)
        return
    expected = reference(tensor, what)
    counts = []
    for eagerness in (LOADS_FIRST, STORES_FIRST, (Module.COMPUTE, Module.LOAD, Module.STORE)):
        made, counted = on_vta(what, tensor, hardware, eagerness)
        np.testing.assert_array_equal(made, expected)
        counts.append(counted)
    assert counts[0] == counts[1] == counts[2]  # cycles too: they follow from tokens alone


def test_sums_wrap_at_32_bits() -> None:
    nest = nest_of((16, 16), (1, 1), (1, 1), pads=(0, 0, 0, 0))
    what = replace(
        drawn(nest, 0, per_channel=False, relu=False),
        weights=np.full((16, 16, 1, 1), 127, np.int8),
        bias=np.full(16, 2**31 - 1, np.int32),
    )
    tensor = np.full((1, 16, 1, 1), 127, np.int8)
    np.testing.assert_array_equal(on_vta(what, tensor, PYNQ)[0], reference(tensor, what))
    assert reference(tensor, what).max() == -128


def test_shifts_to_the_left() -> None:
    nest = nest_of((16, 16), (4, 4), (1, 1), pads=(0, 0, 0, 0))
    random = np.random.default_rng(0)
    what = replace(
        drawn(nest, 0, per_channel=True, relu=False),
        weights=random.integers(-1, 2, (16, 16, 1, 1), np.int8),
        bias=np.zeros(16, np.int32),
        shift=-random.integers(0, 3, 16).astype(np.int32),
    )
    tensor = random.integers(-3, 4, (1, 16, 4, 4), np.int8)
    np.testing.assert_array_equal(on_vta(what, tensor, PYNQ)[0], reference(tensor, what))


def program_without(program: Program, memory: Memory, tokens: str) -> Program:
    """The program whose transfers of one memory neither wait nor tell."""
    return Program(
        tuple(
            replace(
                instruction,
                tokens=replace(instruction.tokens, **{tokens: False}),
            )
            if isinstance(instruction, Transfer) and instruction.memory is memory
            else instruction
            for instruction in program.instructions
        ),
        program.uops,
    )


def run_alone(ready: VtaConvolution, tensor: Int8, program: Program, first: Eagerness) -> Int8:
    what_is_packed = packed(tensor, 16)
    nest = ready.nest
    outputs = np.zeros((nest.out_channels // 16 * nest.output_size[0] * nest.output_size[1], 16))
    stored = outputs.astype(np.int8)
    dram = Dram(what_is_packed.reshape(-1, 16), ready._weights, ready._sums, stored)
    VtaMachine(SMALL, first).run(program, dram)
    shape = (1, nest.out_channels // 16, *nest.output_size, 16)
    return unpacked(stored.reshape(shape))


def test_tokens_are_what_keeps_tiles_apart() -> None:
    """Without waiting, a load overwrites what a GEMM has not read yet: the simulator shows it."""
    nest = nest_of((32, 48), (12, 12))
    what = drawn(nest, 3, per_channel=False, relu=False)
    tensor = image(nest, 3)
    ready = VtaConvolution(what, SMALL)
    expected = reference(tensor, what)
    np.testing.assert_array_equal(run_alone(ready, tensor, ready.program, LOADS_FIRST), expected)
    hasty = program_without(ready.program, Memory.INPUT, "pop_next")
    assert (run_alone(ready, tensor, hasty, LOADS_FIRST) != expected).any()


def test_a_token_that_nobody_gives_is_told() -> None:
    ready = VtaConvolution(
        drawn(nest_of((32, 48), (12, 12)), 3, per_channel=False, relu=False), SMALL
    )
    mute = program_without(ready.program, Memory.WEIGHT, "push_next")
    with pytest.raises(InternalError, match="waits for a token that nobody gives"):
        run_alone(ready, image(ready.nest, 3), mute, LOADS_FIRST)


def test_what_reaches_past_a_memory_is_told() -> None:
    dram = Dram(
        np.zeros((4, 16), np.int8),
        np.zeros((1, 16, 16), np.int8),
        np.zeros((1, 16), np.int32),
        np.zeros((4, 16), np.int8),
    )
    for on_chip, far in ((2**20, 0), (0, 2)):
        load = Transfer(memory=Memory.INPUT, on_chip=on_chip, dram=far, rows=1, columns=3, stride=3)
        program = Program((load,), np.zeros((0, 3), np.int64))
        with pytest.raises(InternalError, match="LOAD input reaches past"):
            VtaMachine(PYNQ).run(program, dram)
    assert load.tokens == NONE


def test_steps_cover_every_product_once() -> None:
    nest = nest_of((48, 64), (13, 11))
    tile = chosen_tile(nest, SMALL, 1)
    assert tile is not None
    seen = np.zeros((*nest.output_size, 4, 3), np.int64)
    for step in steps(nest, tile, 16):
        seen[
            step.rows.start : step.rows.start + step.rows.size,
            step.columns.start : step.columns.start + step.columns.size,
            step.made.start : step.made.start + step.made.size,
            step.taken.start : step.taken.start + step.taken.size,
        ] += 1
    assert (seen == 1).all()


def test_packing() -> None:
    tensor = image(replace(nest_of((32, 16), (3, 5)), batch=2), 0)
    there = packed(tensor, 16)
    assert there.shape == (2, 2, 3, 5, 16)
    assert there[1, 1, 2, 4, 7] == tensor[1, 23, 2, 4]
    np.testing.assert_array_equal(unpacked(there), tensor)
    weights = np.random.default_rng(0).integers(-128, 128, (32, 48, 3, 2), np.int8)
    flat = packed_weights(weights, 16)
    assert flat.shape == (2 * 3 * 3 * 2, 16, 16)
    place = ((1 * 3 + 2) * 3 + 1) * 2 + 0
    assert flat[place, 5, 9] == weights[16 + 5, 32 + 9, 1, 0]


def test_latency_hiding_hides() -> None:
    nest = RESNET18["res3a_branch2a"]
    what = drawn(nest, 0, per_channel=False, relu=True)
    hidden = on_vta(what, image(nest, 0), PYNQ)[1]
    shown = on_vta(what, image(nest, 0), replace(PYNQ, latency_hiding=False))[1]
    assert hidden.cycles < sum(hidden.busy_cycles.values())
    assert hidden.cycles < shown.cycles
