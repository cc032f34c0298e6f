from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.core import PUBLISHED_CORE, Core, CoreArrays, CoreKind
from counterpoint.costs.models.overlay.cycles import cycles_table, layer_cycles
from counterpoint.costs.models.overlay.shapes import LayerKind, LayerShapes, layer_shapes, shapes_of
from counterpoint.errors import UserInputError
from counterpoint.network.loading import load
from tests.costs.models.layers import conv, layer_of
from tests.costs.overlay.small_layers import small_cores
from tests.shared_data import require


@pytest.fixture(scope="module")
def mobilenet() -> LayerShapes:
    return layer_shapes(load("zoo:mobilenet_v2"))


MANY = [
    Core(kind=kind, elements=elements, inputs=inputs)
    for kind in CoreKind
    for elements in (4, 16, 64)
    for inputs in (4, 9, 32)
]


def test_a_table_is_what_the_explanations_say(mobilenet: LayerShapes) -> None:
    table = cycles_table(mobilenet, CoreArrays.of(MANY))
    assert table.runs.all()
    for place in (0, 7, 13, 22, len(MANY) - 1):
        layers = layer_cycles(mobilenet, MANY[place])
        assert table.total[place].tolist() == [layer.total for layer in layers]
        assert table.compute[place].tolist() == [layer.compute for layer in layers]
        assert table.load[place].tolist() == [layer.load for layer in layers]
        assert table.store[place].tolist() == [layer.store for layer in layers]
    np.testing.assert_array_equal(table.dram, table.load + table.store)


def test_cycles_are_above_every_bound(mobilenet: LayerShapes) -> None:
    cores = CoreArrays.of(MANY)
    table = cycles_table(mobilenet, cores)
    assert (table.total >= table.compute).all()
    assert (table.total >= table.dram).all()
    least = -(-mobilenet.macs // cores.multipliers[:, np.newaxis])
    assert (table.compute >= least).all()
    moved = mobilenet.weight_bytes + mobilenet.out_bytes
    assert (64 * table.dram >= moved).all()
    assert (table.total[:, ~mobilenet.has_macs] == 0).all()


def test_shapes_of_a_network(mobilenet: LayerShapes) -> None:
    network = load("zoo:mobilenet_v2")
    assert int(mobilenet.macs.sum()) == network.macs
    assert (mobilenet.kind == LayerKind.DEPTHWISE).sum() == 17
    assert mobilenet.residual.sum() == 10
    assert len(mobilenet) == len(network.layers)
    distinct, place_of = mobilenet.distinct()
    assert len(distinct) < len(mobilenet)
    np.testing.assert_array_equal(distinct.macs[place_of], mobilenet.macs)


def test_int8_bytes_whatever_the_file_says() -> None:
    network = load("zoo:squeezenet_v1.1")
    shapes = layer_shapes(network)
    convolutions = shapes.has_macs
    written = [layer.output_bytes or 0 for layer in network.layers]
    weights = shapes.weight_bytes[convolutions].sum()
    assert 4 * weights < network.weight_bytes < 4.1 * weights  # biases are not counted
    assert (4 * shapes.out_bytes[convolutions] == np.array(written)[convolutions]).all()


def test_parts_of_rows() -> None:
    nest = conv(64, 128, 28)
    shapes = shapes_of([(layer_of(nest), nest)])
    rows = np.arange(1, 29)
    parts = shapes.take(np.zeros(28, dtype=np.int64)).with_rows(rows)
    table = cycles_table(parts, CoreArrays.of([PUBLISHED_CORE]))
    whole = cycles_table(shapes, CoreArrays.of([PUBLISHED_CORE])).total[0, 0]
    assert table.total[0, -1] == whole
    assert (np.diff(table.compute[0]) > 0).all()
    assert (table.compute[0, :14] + table.compute[0, 26:12:-1] == table.compute[0, -1]).all()
    assert (table.total[0, :14] + table.total[0, 26:12:-1] >= whole).all()
    np.testing.assert_array_equal(parts.macs, shapes.macs[0] * rows // 28)


@settings(max_examples=25, deadline=None)
@given(small_cores(), st.integers(1, 64), st.integers(1, 64), st.integers(1, 12))
def test_more_of_anything_is_never_slower(core: Core, into: int, out: int, edge: int) -> None:
    """Memory that reads and writes at once, and larger buffers for the published cut sizes."""
    nest = conv(into, out, edge)
    shapes = shapes_of([(layer_of(nest), nest)])
    arrays = CoreArrays.of([core])
    plain = cycles_table(shapes, arrays, 64)
    duplex = cycles_table(shapes, arrays, 64, duplex=True)
    if plain.runs[0, 0]:
        assert duplex.total[0, 0] <= plain.total[0, 0]
        assert duplex.dram[0, 0] <= duplex.load[0, 0] + duplex.store[0, 0]


def test_sharers_trade_cycles_for_traffic(mobilenet: LayerShapes) -> None:
    arrays = CoreArrays.of([Core(kind=CoreKind.CONVOLUTION, elements=32, inputs=32)])
    alone = cycles_table(mobilenet, arrays)
    shared = cycles_table(mobilenet, arrays, sharers=2)
    assert (shared.total >= alone.total).all()
    better = np.maximum(shared.total, 2 * shared.dram) <= np.maximum(alone.total, 2 * alone.dram)
    assert better.all()
    assert shared.dram.sum() < alone.dram.sum()


def test_a_depthwise_core_reads_each_row_once(mobilenet: LayerShapes) -> None:
    p_core = Core(kind=CoreKind.DEPTHWISE, elements=64, inputs=9)
    layers = layer_cycles(mobilenet, p_core)
    depthwise = [
        (place, layer)
        for place, layer in enumerate(layers)
        if mobilenet.kind[place] == LayerKind.DEPTHWISE
    ]
    assert depthwise
    for place, layer in depthwise:
        assert layer.tile is not None
        assert layer.tile.streamed
        blocks = -(-int(mobilenet.out_channels[place]) // 64)
        wide = int((mobilenet.out_width[place] - 1) * mobilenet.stride_width[place]) + 3
        tall = int((mobilenet.out_height[place] - 1) * mobilenet.stride_height[place]) + 3
        weights = -(-9 * 64 // 64) * blocks
        assert layer.load <= blocks * tall * wide + weights


def test_without_a_line_buffer_it_reads_borders_again(mobilenet: LayerShapes) -> None:
    depthwise = mobilenet.take(np.flatnonzero(mobilenet.kind == LayerKind.DEPTHWISE))
    p_core = Core(kind=CoreKind.DEPTHWISE, elements=64, inputs=9, feature_buffer_bytes=32768)
    cores = CoreArrays.of([p_core, replace(p_core, line_buffer=False)])
    streamed, tiled = cycles_table(depthwise, cores).load
    assert (tiled >= streamed).all()
    assert tiled.sum() > 1.02 * streamed.sum()


def test_groups_are_layers_one_after_the_other() -> None:
    nest = replace(conv(96, 96, 14), groups=3)
    grouped = shapes_of([(layer_of(nest), nest)])
    (layer,) = layer_cycles(grouped, PUBLISHED_CORE)
    nest = conv(32, 32, 14)
    (third,) = layer_cycles(shapes_of([(layer_of(nest), nest)]), PUBLISHED_CORE)
    assert layer.compute == 3 * third.compute


def test_a_layer_without_known_loops_is_named() -> None:
    layer = replace(layer_of(None, kind="ConvTranspose", name="up2"), macs=5)
    with pytest.raises(UserInputError, match=r"layer up2 \(ConvTranspose\)"):
        shapes_of([(layer, None)])


def test_caffe_files_have_shapes_too() -> None:
    path = require("architectures/shufflenet/shufflenet_1x_g3_deploy.prototxt")
    shapes = layer_shapes(load(path, seed=0))
    assert (shapes.kind == LayerKind.DEPTHWISE).sum() == 16
    assert (shapes.groups == 3).sum() == 31
    assert cycles_table(shapes, CoreArrays.of(MANY)).runs.all()
