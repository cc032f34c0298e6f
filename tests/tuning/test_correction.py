"""Cost tables brought into agreement with measured segments."""

from __future__ import annotations

from random import Random

import pytest

from counterpoint.planning.evaluator import evaluate
from counterpoint.schedule.plan import Segment
from counterpoint.tuning.correction import corrected, without_refused
from tests.random_networks import random_network, random_table


@pytest.mark.parametrize("seed", range(5))
def test_a_segment_that_ran_outweighs_a_refusal_of_its_layers(seed: int) -> None:
    """An engine may fail on a part of what it runs as a whole."""
    random = Random(seed)
    network = random_network(random, layers=6)
    table = random_table(random, network, units=2)
    everything = tuple(layer.index for layer in network.layers)
    name = table.unit_names[0]
    refusing = without_refused(table, Segment(everything[2:4], name))
    found = corrected(network, refusing, [Segment(everything, name)], [10**9])
    assert not [cell for cell in found.refusals if cell[1] == 0]
    evaluation = evaluate(network, found, [(everything, name)])
    assert evaluation.violations == ()
    assert abs(evaluation.segment_ns[0] - 10**9) <= len(everything)
