from __future__ import annotations

import numpy as np
import pytest

from counterpoint.costs.models.overlay.core import CoreKind, Design
from counterpoint.explore.published_tuning import (
    fluid_intervals,
    published_interval,
    tuned_for_published,
)
from counterpoint.explore.space import Space
from tests.explore.networks import workload

SPACE = Space(
    budget=96,
    pattern=(CoreKind.CONVOLUTION, CoreKind.DEPTHWISE),
    inputs=dict.fromkeys(CoreKind, (9, 16)),
    element_step=2,
)


@pytest.mark.parametrize("name", ["mobilenet_v1", "squeezenet_v1.1"])
def test_tuning_finds_a_design_that_no_other_beats_by_much(name: str) -> None:
    work = workload(name)
    (catalogue,) = SPACE.catalogues(work)
    designs = np.concatenate(list(catalogue.designs(catalogue.root)))[::3]
    fluid = fluid_intervals(catalogue, work, designs)
    assert (fluid >= catalogue.intervals(designs) * (1 - 1e-6)).all()  # groups only restrict
    tuned = tuned_for_published(catalogue, work)
    assert tuned is not None
    made = [
        published_interval(work, Design(cores=(catalogue.cores[one], catalogue.cores[other])))
        for one, other in designs[::8]
    ]
    assert tuned.interval <= min(interval for interval in made if interval is not None) * 1.03


def test_several_networks_run_in_turn() -> None:
    space = Space(pattern=SPACE.pattern, element_step=16)
    both = workload("mobilenet_v1", "squeezenet_v1.1", images=(2, 3))
    (catalogue,) = space.catalogues(both)
    design = np.array([[0, len(catalogue.cores) - 1]])
    parts = []
    for name in ("mobilenet_v1", "squeezenet_v1.1"):
        work = workload(name)
        (own,) = space.catalogues(work)
        assert own.cores == catalogue.cores
        parts.append(float(fluid_intervals(own, work, design)[0]))
    found = float(fluid_intervals(catalogue, both, design)[0])
    assert found == pytest.approx(2 * parts[0] + 3 * parts[1])
