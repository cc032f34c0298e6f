"""Layers are convex, in order, and share no node; whatever the graph and its file's order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.onnx_graph import OnnxGraph, reads
from tests.engine_runs import random_frame, relative_error, run_parts, run_whole
from tests.onnx_models import loaded, random_models
from tests.shared_data import FOLDER

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
REAL = [*sorted((FOLDER / "models").rglob("*.onnx")), *sorted(LIGHT.glob("*.onnx"))]

NO_HEALTH_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]


def load_random(made: ModelProto) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        return loaded(made, Path(folder))


def frame_dependent(graph: OnnxGraph) -> set[int]:
    """Nodes that depend on an input, found without the grouping's own code."""
    reached = set(graph.inputs)
    found = set()
    for index, node in enumerate(graph.nodes):
        if reached.intersection(reads(node)):
            found.add(index)
            reached.update(node.output)
    return found


def ancestors(edges: dict[int, set[int]], count: int) -> list[set[int]]:
    """For each vertex, numbered in topological order, all that it depends on."""
    found: list[set[int]] = []
    for vertex in range(count):
        direct = edges.get(vertex, set())
        found.append(direct.union(*(found[source] for source in direct)))
    return found


def is_convex(members: Iterable[int], above: list[set[int]]) -> bool:
    """No outsider lies between two members: it would be below one and above another."""
    inside = set(members)
    return not any(
        above[outsider] & inside and any(outsider in above[member] for member in inside)
        for outsider in range(len(above))
        if outsider not in inside
    )


def check_layers(network: Network) -> None:
    graph = network.source
    assert isinstance(graph, OnnxGraph)
    working = frame_dependent(graph)
    members = [[n for n in layer.nodes if n in working] for layer in network.layers]
    assert sorted(node for group in members for node in group) == sorted(working)
    makers = graph.producers()
    edges = {
        index: {makers[name] for name in reads(node) if name in makers}
        for index, node in enumerate(graph.nodes)
    }
    above = ancestors(edges, len(graph.nodes))
    seen = {spec.name for spec in network.inputs}
    for layer, group in zip(network.layers, members, strict=True):
        assert is_convex(group, above), layer.name
        assert seen.issuperset(layer.inputs), f"{layer.name} comes before its inputs"
        assert not seen.intersection(layer.outputs)
        seen.update(layer.outputs)
        constants = set(layer.nodes) - set(group)
        direct = set().union(*(edges[node] for node in group)) - working
        needed = direct.union(*(above[node] for node in direct))
        assert constants == needed, f"{layer.name} has not exactly the constants it needs"
        assert len(layer.operators) == len(group)
    assert seen.issuperset(spec.name for spec in network.outputs)
    assert [layer.index for layer in network.layers] == list(range(len(network.layers)))
    assert len({layer.name for layer in network.layers}) == len(network.layers)


@settings(max_examples=150, deadline=None, suppress_health_check=NO_HEALTH_CHECKS)
@given(random_models())
def test_layers_of_random_graphs(made: ModelProto) -> None:
    check_layers(load_random(made))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_layers_of_real_networks(path: Path) -> None:
    check_layers(load(path))


@settings(max_examples=100, deadline=None, suppress_health_check=NO_HEALTH_CHECKS)
@given(random_models(), st.data())
def test_convexity_of_layer_sets(made: ModelProto, data: st.DataObject) -> None:
    network = load_random(made)
    count = len(network.layers)
    edges = {
        layer.index: {network.producer[name] for name in layer.inputs if name in network.producer}
        for layer in network.layers
    }
    chosen = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    assert network.is_convex(frozenset(chosen)) == is_convex(chosen, ancestors(edges, count))


@settings(max_examples=60, deadline=None, suppress_health_check=NO_HEALTH_CHECKS)
@given(random_models(), st.data())
def test_any_contiguous_cut_computes_the_same(made: ModelProto, data: st.DataObject) -> None:
    network = load_random(made)
    count = len(network.layers)
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1)))) if count > 1 else []
    borders = [0, *cuts, count]
    parts = [range(a, b) for a, b in pairwise(borders)]
    frame = random_frame(network)
    wanted = run_whole(network, frame)
    # A value next to the middle of two int8 steps may round the other way.
    allowed = 0.2 if network.is_quantised else 1e-5
    assert relative_error(run_parts(network, parts, frame), wanted) <= allowed
