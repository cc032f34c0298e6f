from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.core import Core
from counterpoint.costs.models.overlay.cycles import layer_cycles
from counterpoint.costs.models.overlay.stepped import SmallLayer, run_stepped
from counterpoint.errors import UserInputError
from tests.costs.overlay.small_layers import (
    reference,
    shapes_of_small,
    small_cores,
    small_layers,
)


@settings(max_examples=150, deadline=None)
@given(small_layers(), small_cores(), st.sampled_from([8, 16, 64]), st.booleans())
def test_numbers_and_cycles(layer: SmallLayer, core: Core, dram_bytes: int, duplex: bool) -> None:
    try:
        (explained,) = layer_cycles(shapes_of_small(layer), core, dram_bytes, duplex=duplex)
    except UserInputError:
        assume(False)
    assert explained.tile is not None
    run = run_stepped(layer, core, explained.tile, dram_bytes, duplex=duplex)
    np.testing.assert_array_equal(run.outputs, reference(layer))
    counted = (run.cycles, run.compute, run.load, run.store)
    assert counted == (explained.total, explained.compute, explained.load, explained.store)
