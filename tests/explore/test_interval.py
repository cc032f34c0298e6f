from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.explore.interval import alone_intervals, busy_cycles, least_interval
from counterpoint.explore.pairs import pair_intervals

LAYERS = st.integers(1, 7)
TIMES = st.integers(0, 40)


@st.composite
def machines(draw: st.DrawFn, cores: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Cycles and traffic of one design; some cells cannot be run; traffic is at most the cycles
    or anything at all.
    """
    layers = draw(LAYERS)
    cells = st.lists(TIMES, min_size=layers, max_size=layers)
    cycles = np.array([draw(cells) for _ in range(cores)], dtype=np.float64)
    traffic = np.array([draw(cells) for _ in range(cores)], dtype=np.float64)
    if draw(st.booleans()):
        traffic = np.minimum(traffic, cycles)
    if draw(st.booleans()):
        traffic[:] = traffic[0]
    for core, layer in product(range(cores), range(layers)):
        if draw(st.integers(0, 9)) == 0:
            cycles[core, layer] = np.inf
    return cycles, traffic


@settings(max_examples=300, deadline=None)
@given(machines())
def test_two_cores_need_no_solver(machine: tuple[np.ndarray, np.ndarray]) -> None:
    cycles, traffic = machine
    expected = least_interval(cycles, traffic).interval
    found = pair_intervals((cycles[:1], cycles[1:]), (traffic[:1], traffic[1:]))
    np.testing.assert_allclose(found, [expected], rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(machines(), min_size=2, max_size=5))
def test_many_designs_at_once(many: list[tuple[np.ndarray, np.ndarray]]) -> None:
    layers = min(cycles.shape[1] for cycles, _ in many)
    cycles, traffic = (
        [np.array([one[part][core, :layers] for one in many]) for core in (0, 1)] for part in (0, 1)
    )
    together = pair_intervals((cycles[0], cycles[1]), (traffic[0], traffic[1]))
    for row, found in enumerate(together):
        alone = pair_intervals(
            (cycles[0][[row]], cycles[1][[row]]), (traffic[0][[row]], traffic[1][[row]])
        )
        assert alone[0] == found


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.data())
def test_no_whole_assignment_is_quicker(cores: int, data: st.DataObject) -> None:
    cycles, traffic = data.draw(machines(cores))
    layers = cycles.shape[1]
    if cores**layers > 300:
        cycles, traffic = cycles[:, :5], traffic[:, :5]
    found = least_interval(cycles, traffic)
    if np.isinf(found.interval):
        assert np.isinf(cycles).all(axis=0).any()
        return
    assert np.allclose(found.parts.sum(axis=0), 1.0)
    assert busy_cycles(cycles, traffic, found.parts).max() == found.interval
    for labels in product(range(cores), repeat=cycles.shape[1]):
        parts = np.zeros_like(cycles)
        parts[list(labels), range(cycles.shape[1])] = 1.0
        whole = busy_cycles(cycles, traffic, parts).max()
        assert found.interval <= whole + 1e-6


def test_one_core_is_a_sum() -> None:
    cycles = np.array([[3.0, 4.0], [5.0, np.inf]])
    traffic = np.array([[1.0, 9.0], [0.0, 0.0]])
    assert alone_intervals(cycles, traffic).tolist() == [10.0, np.inf]


def test_two_equal_cores_halve_the_interval_until_the_memory_is_full() -> None:
    cycles = np.array([[8.0, 4.0, 6.0]])
    free = np.zeros_like(cycles)
    assert pair_intervals((cycles, cycles), (free, free)).tolist() == [9.0]
    moved = np.array([[8.0, 2.0, 1.0]])
    assert pair_intervals((cycles, cycles), (moved, moved)).tolist() == [11.0]
