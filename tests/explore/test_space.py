from __future__ import annotations

import numpy as np
import pytest

from counterpoint.costs.models.overlay.area import EQUAL_SLICES
from counterpoint.costs.models.overlay.core import (
    FEATURE_BUFFER_BYTES,
    PUBLISHED_CORE,
    PUBLISHED_DESIGN,
    CoreKind,
)
from counterpoint.errors import UserInputError
from counterpoint.explore.design_cycles import design_cycles
from counterpoint.explore.space import Space
from counterpoint.explore.workload import Workload
from tests.explore.networks import workload, zoo


def test_the_default_area_is_that_of_the_published_core() -> None:
    space = Space()
    assert space.reference() == PUBLISHED_DESIGN
    assert PUBLISHED_CORE in space.cores(1)
    assert Space(budget=1024, slices=None).reference() == PUBLISHED_DESIGN
    half = Space(budget=256).reference()
    assert half is not None
    assert (half.cores[0].elements, half.cores[0].inputs) == (32, 16)
    assert Space(budget=20).reference() is None


def test_cores_are_those_that_the_budget_and_the_other_cores_leave_room_for() -> None:
    space = Space(
        budget=20, kinds=(CoreKind.DEPTHWISE,), inputs={CoreKind.DEPTHWISE: (3, 4)}, slices=None
    )
    sizes = {(core.inputs, core.elements) for core in space.cores(2)}
    assert sizes == {(3, elements) for elements in range(1, 6)} | {(4, 1), (4, 2), (4, 3), (4, 4)}
    assert all(core.feature_buffer_bytes == FEATURE_BUFFER_BYTES // 2 for core in space.cores(2))
    assert all(core.feature_buffer_bytes == FEATURE_BUFFER_BYTES for core in space.cores(1))


def test_a_pattern_leaves_the_other_designs_out() -> None:
    pattern = (CoreKind.DEPTHWISE, CoreKind.CONVOLUTION)
    space = Space(budget=30, pattern=pattern, inputs=dict.fromkeys(CoreKind, (8,)))
    (catalogue,) = space.catalogues(workload("squeezenet_v1.1"))
    designs = np.concatenate(list(catalogue.designs(catalogue.root)))
    kinds = {tuple(catalogue.cores[core].kind for core in design) for design in designs}
    assert kinds == {(CoreKind.CONVOLUTION, CoreKind.DEPTHWISE)}
    assert len(designs) == catalogue.design_count()
    # 8 inputs: 4 slices of a convolution element, 8 of a depthwise one.
    assert len(designs) == sum(
        4 * one + 8 * two <= 30 for one in range(1, 8) for two in range(1, 4)
    )


def test_what_a_slice_makes_decides_what_fits() -> None:
    plain, equal = (
        Space(
            budget=64, kinds=(CoreKind.DEPTHWISE,), inputs={CoreKind.DEPTHWISE: (9,)}, slices=slices
        )
        for slices in (Space().slices, EQUAL_SLICES)
    )
    assert max(core.elements for core in plain.cores(1)) == 7
    assert max(core.elements for core in equal.cores(1)) == 14


def test_a_catalogue_has_the_cycles_of_whole_networks() -> None:
    work = workload("mobilenet_v2", "squeezenet_v1.1", images=(1, 4))
    space = Space(kinds=(CoreKind.OVERLAY,), element_step=16, most_cores=1)
    (catalogue,) = space.catalogues(work)
    place = catalogue.cores.index(PUBLISHED_CORE)
    expected = sum(
        images * int(design_cycles(shapes, PUBLISHED_DESIGN).total.sum())
        for shapes, images in zip(work.shapes, work.images, strict=True)
    )
    assert catalogue.cycles[place].sum() == expected
    assert catalogue.intervals(np.array([[place]])).tolist() == [expected]
    assert work.frame_macs == zoo("mobilenet_v2").macs + 4 * zoo("squeezenet_v1.1").macs
    assert work.frame_images == 5
    assert work.name == "mobilenet_v2 + 4 x squeezenet_v1.1"


def test_distinct_layers_stand_for_all() -> None:
    work = workload("mobilenet_v1", "mobilenet_v2", images=(2, 1))
    layers = work.distinct_layers()
    assert len(layers.shapes) < sum(map(len, work.shapes))
    assert int((layers.shapes.macs * layers.counts).sum()) == work.frame_macs
    for shapes, places in zip(work.shapes, layers.places, strict=True):
        assert layers.shapes.macs[places].tolist() == shapes.macs.tolist()


def test_a_workload_needs_networks_and_images() -> None:
    with pytest.raises(UserInputError, match="no network to explore for"):
        Workload((), ())
    with pytest.raises(UserInputError, match="1 weights for 2 networks"):
        Workload((zoo("mobilenet_v1"), zoo("mobilenet_v2")), (1,))
    with pytest.raises(UserInputError, match="a weight of 0 images"):
        Workload((zoo("mobilenet_v1"),), (0,))
