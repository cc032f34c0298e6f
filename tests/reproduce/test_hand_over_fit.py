from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import InternalError
from counterpoint.reproduce.hand_over_fit import (
    HandOverFit,
    HandOvers,
    fit_hand_overs,
    left_out_errors,
)

runs = st.lists(
    st.builds(
        HandOvers,
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 5_000_000),
        st.floats(50, 150),
        st.floats(50, 150),
    ),
    min_size=1,
    max_size=8,
)
costs = st.floats(0, 5)


def loss(fit: HandOverFit, fitted_to: list[HandOvers]) -> float:
    return sum((fit.predicted_ms(run) / run.measured_ms - 1) ** 2 for run in fitted_to)


@settings(max_examples=100, deadline=None)
@given(runs, costs, costs, costs)
def test_no_costs_fit_better(
    fitted_to: list[HandOvers], to_gpu: float, to_cpu: float, per_megabyte: float
) -> None:
    best = fit_hand_overs(fitted_to)
    assert min(best.to_gpu_ms, best.to_cpu_ms, best.per_megabyte_ms) >= 0
    other = HandOverFit(to_gpu, to_cpu, per_megabyte)
    assert loss(best, fitted_to) <= loss(other, fitted_to) + 1e-9


@settings(max_examples=30, deadline=None)
@given(costs, costs, costs)
def test_costs_that_made_the_runs_are_found(
    to_gpu: float, to_cpu: float, per_megabyte: float
) -> None:
    made_by = HandOverFit(to_gpu, to_cpu, per_megabyte)
    random = np.random.default_rng(1)
    made = []
    for _ in range(6):
        there, back, size = random.integers(0, 3), random.integers(0, 3), random.integers(0, 10**7)
        run = HandOvers(int(there), int(back), int(size), 100.0, 1.0)
        made.append(
            HandOvers(*(int(there), int(back), int(size), 100.0), made_by.predicted_ms(run))
        )
    assert fit_hand_overs(made).predicted_ms(made[0]) == pytest.approx(made[0].measured_ms)
    assert left_out_errors(made) == pytest.approx([0.0] * 6, abs=1e-6)


def test_a_run_is_not_used_for_its_own_error() -> None:
    quick = HandOvers(1, 0, 0, 100.0, 100.0)
    slow = HandOvers(1, 0, 0, 100.0, 110.0)
    assert left_out_errors([quick, quick, slow])[2] == pytest.approx(100 / 110 - 1)
    with pytest.raises(InternalError):
        fit_hand_overs([])
