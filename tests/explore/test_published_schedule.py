from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.core import Core, CoreKind, Design
from counterpoint.costs.models.overlay.shapes import LayerKind, LayerShapes
from counterpoint.explore.design_cycles import design_cycles
from counterpoint.explore.interval import least_interval
from counterpoint.explore.published_schedule import groups_of, published_schedule
from counterpoint.explore.row_splits import Options, least_split_interval, row_options

randoms = st.integers(0, 2**32 - 1).map(Random)


def random_shapes(rng: Random, layers: int, most_rows: int = 14) -> LayerShapes:
    """Layers of a made-up network: 3 x 3 depthwise ones, and 1 x 1 or 3 x 3 others."""
    depthwise = [rng.random() < 0.4 for _ in range(layers)]
    channels = [rng.choice((3, 16, 24, 64, 96)) for _ in range(layers)]
    rows = [rng.randint(1, most_rows) for _ in range(layers)]
    kernel = [3 if one else rng.choice((1, 3)) for one in depthwise]
    ones = [1] * layers
    columns = {
        "index": list(range(layers)),
        "kind": [LayerKind.DEPTHWISE if one else LayerKind.CONVOLUTION for one in depthwise],
        "images": ones,
        "in_channels": channels,
        "out_channels": [
            channel if one else rng.choice((8, 32, 80))
            for channel, one in zip(channels, depthwise, strict=True)
        ],
        "groups": [channel if one else 1 for channel, one in zip(channels, depthwise, strict=True)],
        "out_height": rows,
        "out_width": rows,
        "kernel_height": kernel,
        "kernel_width": kernel,
        "stride_height": ones,
        "stride_width": ones,
        "span_height": kernel,
        "span_width": kernel,
    }
    return LayerShapes(
        names=tuple(f"layer{index}" for index in range(layers)),
        residual=np.zeros(layers, dtype=np.bool_),
        **{name: np.array(column, dtype=np.int64) for name, column in columns.items()},
    )


def random_design(rng: Random) -> Design:
    kinds = rng.choices((CoreKind.CONVOLUTION, CoreKind.DEPTHWISE), k=2)
    cores = tuple(
        Core(kind=kind, elements=rng.choice((8, 16, 32)), inputs=rng.choice((8, 9, 16)))
        for kind in kinds
    )
    return Design(cores=cores, dram_bytes_per_cycle=rng.choice((8, 64)))


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 8))
def test_no_schedule_is_quicker_than_the_linear_programs(rng: Random, layers: int) -> None:
    shapes, design = random_shapes(rng, layers), random_design(rng)
    table = design_cycles(shapes, design)
    options = row_options(shapes, design)
    for layer, rows in enumerate(options.rows):
        for core, cell in ((0, options.whole(layer, 0)), (1, options.whole(layer, 1))):
            assert (cell is not None) == bool(table.runs[core, layer])
            if cell is not None:
                assert options.use[layer][cell][core] == table.total[core, layer]
                assert options.use[layer][cell][2] == table.dram[core, layer]
        assert (rows <= shapes.out_height[layer]).all()
    whole = published_schedule(shapes, options, balanced=False)
    split = published_schedule(shapes, options)
    if whole is None or split is None:
        assert not table.runs.any(axis=0).all()
        return
    cycles = np.where(table.runs, table.total, np.inf).astype(np.float64)
    lanes = least_interval(cycles, table.dram.astype(np.float64)).interval
    assert lanes <= whole.interval * (1 + 1e-9)
    assert least_split_interval(options) <= min(lanes, split.interval) * (1 + 1e-6)
    assert split.interval <= whole.interval


def least_of_all_choices(options: Options) -> int:
    """Busiest resource of the best choice of options for a single kind of frame, one by one."""
    return min(
        int(sum(use[option] for use, option in zip(options.use, chosen, strict=True)).max())
        for chosen in product(*(range(len(use)) for use in options.use))
    )


@settings(max_examples=40, deadline=None)
@given(randoms, st.integers(1, 3))
def test_the_bound_is_close_to_the_best_of_all_splits(rng: Random, layers: int) -> None:
    shapes, design = random_shapes(rng, layers, most_rows=7), random_design(rng)
    options = row_options(shapes, design)
    if not all(len(use) for use in options.use):
        assert least_split_interval(options) == np.inf
        return
    best = least_of_all_choices(options)
    bound = least_split_interval(options)
    assert bound <= best * (1 + 1e-6)
    schedule = published_schedule(shapes, options)
    if schedule is not None and len(groups_of(shapes)) == 1:
        # Two images in one slot, each with its own options.
        assert schedule.interval >= bound * (1 - 1e-6)


def test_neighbours_of_one_kind_are_a_group() -> None:
    shapes = random_shapes(Random(1), 6)
    kinds = np.array([0, 0, 1, 1, 2, 0])
    grouped = groups_of(shapes.take(range(6)))
    assert sorted(layer for group in grouped for layer in group) == list(range(6))
    object.__setattr__(shapes, "kind", kinds)
    assert groups_of(shapes) == ((0, 1), (2, 3), (4, 5))


def test_equal_cores_share_a_group_evenly() -> None:
    shapes = random_shapes(Random(3), 1)
    object.__setattr__(shapes, "kind", np.array([0]))
    use = np.array(
        [[0, 12, 1], [2, 10, 1], [4, 8, 1], [6, 6, 1], [8, 4, 1], [10, 2, 1], [12, 0, 1]]
    )
    options = Options((use,), (np.arange(7),), (6,))
    whole = published_schedule(shapes, options, balanced=False)
    split = published_schedule(shapes, options)
    assert whole is not None
    assert split is not None
    assert [slot.busy for slot in whole.slots] == [(24, 0, 2)]
    assert [slot.busy for slot in split.slots] == [(12, 12, 2)]
    assert (whole.interval, split.interval) == (12.0, 6.0)
    assert least_split_interval(options) == 6.0
