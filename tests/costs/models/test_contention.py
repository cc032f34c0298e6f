from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.costs.models.contention import (
    XAVIER_DLA,
    XAVIER_GPU,
    Contention,
    Load,
    SharedMemory,
)

UNITS = [XAVIER_GPU, XAVIER_DLA]
DEMAND = st.floats(0, 140)


@pytest.mark.parametrize("unit", UNITS)
@given(DEMAND)
def test_alone_nothing_is_lost(unit: Contention, own: float) -> None:
    assert unit.slow_down(own, 0) == 1


@pytest.mark.parametrize("unit", UNITS)
@given(DEMAND, DEMAND, DEMAND)
def test_more_from_others_is_never_faster(
    unit: Contention, own: float, one: float, two: float
) -> None:
    low, high = sorted((one, two))
    assert 1 <= unit.slow_down(own, low) <= unit.slow_down(own, high)


@pytest.mark.parametrize(
    ("own", "speed_percent"),
    [
        (30, 100 - 127.5 * 4.9 / 127.5),  # minor region, the others at the whole peak
        (60, 100 - (60 - 41.9) * 1.11),
        (90, 100 - (90 - 41.9) * 1.11),
        (100, 100 - (100 - 41.9) * 1.11),
    ],
)
def test_the_artefacts_figures_under_full_pressure_on_the_gpu(
    own: float, speed_percent: float
) -> None:
    # ismetdagli/HaX-CoNN, src/z3_solver_multi_dnn.py, slowdown_acc1
    assert XAVIER_GPU.slow_down(own, 127.5) == pytest.approx(100 / speed_percent)


def test_the_artefacts_figures_under_full_pressure_on_the_dla() -> None:
    # the same, slowdown_acc2
    for own in (28, 40, 60):
        expected = 100 / (100 - (own + 49) * 0.35)
        assert XAVIER_DLA.slow_down(own, 127.5) == pytest.approx(expected)


def test_the_regions_meet_where_the_others_reach_the_balance() -> None:
    unit = replace(XAVIER_GPU, minor_loss=0.0)
    below = unit.slow_down(unit.intensive_gb_per_s, unit.balance_gb_per_s)
    above = unit.slow_down(unit.intensive_gb_per_s + 1e-9, unit.balance_gb_per_s)
    assert below == pytest.approx(above)


def test_the_fall_begins_at_the_threshold() -> None:
    unit = replace(XAVIER_GPU, minor_loss=0.0)
    assert unit.slow_down(60, 27.2) == pytest.approx(1)
    assert unit.slow_down(60, 37.2) == pytest.approx(1 / (1 - 0.111))


def test_each_sees_the_others_and_only_those_that_share() -> None:
    memory = SharedMemory({"GPU": XAVIER_GPU, "DLA": XAVIER_DLA})
    loads = [Load(("GPU",), 60), Load(("DLA",), 30), Load(("CPU",), 99)]
    expected = (XAVIER_GPU.slow_down(60, 30), XAVIER_DLA.slow_down(30, 60), 1.0)
    assert memory.slow_downs(loads) == pytest.approx(expected)
    assert memory.slow_downs(loads[:1]) == (1.0,)
    assert memory.slow_downs([]) == ()


@pytest.mark.parametrize(
    "wrong", [{"peak_gb_per_s": 0.0}, {"minor_gb_per_s": 200.0}, {"minor_loss": 1.0}]
)
def test_impossible_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="contention: "):
        replace(XAVIER_GPU, **wrong)
