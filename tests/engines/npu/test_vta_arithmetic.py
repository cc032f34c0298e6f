"""Instructions against their definition: two loops around micro-ops, one step after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.engines.npu.vta_arithmetic import Int8, Int32, alu, gemm
from counterpoint.engines.npu.vta_instructions import Indices, Loops, Operator

BLOCK = 4
DEPTH = 24


@st.composite
def loops_and_uops(draw: st.DrawFn) -> tuple[Loops, Indices]:
    count = draw(st.integers(1, 4))
    moves = st.tuples(st.integers(0, 2), st.integers(0, 2))
    loops = Loops(
        first=0,
        last=count,
        outer=draw(st.integers(1, 3)),
        inner=draw(st.integers(1, 3)),
        target=draw(moves),
        source=draw(moves),
        weight=draw(st.sampled_from([(0, 0), (0, 0), (1, 0), (0, 1)])),
    )
    rows = st.lists(st.tuples(*[st.integers(0, 12)] * 3), min_size=count, max_size=count)
    return loops, np.array(draw(rows), np.int64)


def steps_of(loops: Loops, uops: Indices) -> list[tuple[int, int, int]]:
    return [
        (
            int(uop[0]) + outer * loops.target[0] + inner * loops.target[1],
            int(uop[1]) + outer * loops.source[0] + inner * loops.source[1],
            int(uop[2]) + outer * loops.weight[0] + inner * loops.weight[1],
        )
        for outer in range(loops.outer)
        for inner in range(loops.inner)
        for uop in uops
    ]


def memories(seed: int) -> tuple[Int32, Int8, Int8]:
    random = np.random.default_rng(seed)
    return (
        random.integers(-(2**31), 2**31, (DEPTH, BLOCK), np.int32),
        random.integers(-128, 128, (DEPTH, BLOCK), np.int8),
        random.integers(-128, 128, (DEPTH, BLOCK, BLOCK), np.int8),
    )


def wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@given(what=loops_and_uops(), seed=st.integers(0, 2**16))
@settings(max_examples=150, deadline=None)
def test_gemm_is_its_definition(what: tuple[Loops, Indices], seed: int) -> None:
    loops, uops = what
    sums, inputs, weights = memories(seed)
    expected = sums.astype(object)
    for target, source, weight in steps_of(loops, uops):
        for lane in range(BLOCK):
            product = sum(
                int(weights[weight, lane, k]) * int(inputs[source, k]) for k in range(BLOCK)
            )
            expected[target, lane] = wrapped(int(expected[target, lane]) + product)
    touched = gemm(sums, inputs, weights, uops, loops)
    np.testing.assert_array_equal(sums, expected.astype(np.int32))
    assert set(touched.tolist()) == {target for target, _, _ in steps_of(loops, uops)}


def one(operator: Operator, left: int, right: int) -> int:
    if operator is Operator.SHR:
        moved = max(-31, min(31, right))
        return wrapped(left >> moved if moved >= 0 else left << -moved)
    return wrapped(
        {
            Operator.MIN: min(left, right),
            Operator.MAX: max(left, right),
            Operator.ADD: left + right,
            Operator.MUL: left * right,
        }[operator]
    )


@given(
    what=loops_and_uops(),
    seed=st.integers(0, 2**16),
    operator=st.sampled_from(Operator),
    immediate=st.none() | st.integers(-40, 40),
)
@settings(max_examples=150, deadline=None)
def test_alu_is_its_definition(
    what: tuple[Loops, Indices], seed: int, operator: Operator, immediate: int | None
) -> None:
    loops, uops = what
    sums, _, _ = memories(seed)
    sums[::3] //= 2**26  # some that are shifts
    expected = sums.astype(object)
    for target, source, _ in steps_of(loops, uops):
        for lane in range(BLOCK):
            right = int(expected[source, lane]) if immediate is None else immediate
            expected[target, lane] = one(operator, int(expected[target, lane]), right)
    alu(sums, operator, uops, loops, immediate)
    np.testing.assert_array_equal(sums, expected.astype(np.int32))
