from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoint.costs.models.overlay.area import EQUAL_SLICES
from counterpoint.explore.space import Space
from counterpoint.reproduce.dual_core import (
    ASSUMPTIONS,
    AVERAGED,
    EFFICIENCY_BAR,
    THROUGHPUT_BAR,
    Assumption,
    Outcome,
    outcome,
)
from tests.explore.networks import workload

COARSE = Space(element_step=16)


def gains(name: str, assumption: Assumption) -> Outcome:
    return outcome(workload(name), assumption)


@pytest.mark.parametrize("name", AVERAGED)
def test_no_schedule_gains_more_than_the_bound(name: str) -> None:
    found = gains(name, Assumption(space=COARSE))
    assert found.published.throughput <= found.same_kinds.throughput * 1.01
    assert found.same_kinds.throughput <= found.any_kinds.throughput * (1 + 1e-9)
    assert found.lanes.throughput <= found.any_kinds.throughput * (1 + 1e-6)
    assert found.lanes.throughput >= found.any_kinds.throughput * 0.99


def test_efficiency_is_throughput_over_multipliers() -> None:
    found = gains("mobilenet_v1", Assumption(space=replace(COARSE, slices=EQUAL_SLICES)))
    for gain in (found.published, found.any_kinds):
        more = gain.throughput / gain.efficiency
        assert 0.5 < more <= 1.0  # at two products a slice nothing has more than the single core


def test_depthwise_layers_on_the_single_core_wait_for_the_memory() -> None:
    space = replace(
        COARSE, kinds=ASSUMPTIONS["the same, but in its depthwise layers only"].space.kinds
    )
    whole = gains("mobilenet_v1", Assumption(space=space))
    apart = gains("mobilenet_v1", Assumption(space=space, depthwise_apart=True))
    slower = apart.same_kinds.throughput / whole.same_kinds.throughput
    assert 1.0 < slower < 1.05


def test_the_bars_are_the_published_figures() -> None:
    assert THROUGHPUT_BAR.holds(1.31)
    assert not THROUGHPUT_BAR.holds(1.2)
    assert EFFICIENCY_BAR.holds(1.11)
    assert not EFFICIENCY_BAR.holds(1.05)
    assert next(iter(ASSUMPTIONS)) == "plain"
