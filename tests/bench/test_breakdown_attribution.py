"""What instruments said, and what they cost, as parts that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoint.bench.breakdown.attribution import SegmentTimes, complete, merged, segment_parts
from counterpoint.bench.result import Function, Part
from counterpoint.engines.middle_runs import mean_over, middle_runs, midmean
from counterpoint.engines.protocol import NodeProfile, NodeTime
from tests.fake_engine import fake_network

LAYERS = 4
NETWORK = fake_network([["x"], ["t0"], ["t1"], ["t2"]])

times = st.integers(0, 10**9)
nodes = st.lists(
    st.builds(
        NodeTime,
        name=st.just("n"),
        operator=st.sampled_from(["Conv", "Reorder", "BatchNormalization", "nobody knows"]),
        layer=st.none() | st.integers(0, LAYERS - 1),
        time_ns=times,
        waiting_ns=st.none() | times,
        wake_up_ns=st.none() | times,
    ),
    min_size=1,
    max_size=8,
)


def profile_of(found: list[NodeTime], gaps_ns: int, node_cost_ns: int | None) -> NodeProfile:
    total_ns = sum(node.time_ns for node in found)
    return NodeProfile({}, 0, tuple(found), call_ns=total_ns + gaps_ns, node_cost_ns=node_cost_ns)


@given(nodes, st.tuples(times, times, times), st.none() | times, st.none() | st.floats(0, 1))
def test_no_part_is_below_zero_and_nothing_is_made_up(
    found: list[NodeTime],
    rest_ns: tuple[int, int, int],
    node_cost_ns: int | None,
    share: float | None,
) -> None:
    gaps_ns, python_ns, cost_ns = rest_ns
    profile = profile_of(found, gaps_ns, node_cost_ns)
    profiled_ns = (profile.call_ns or 0) + python_ns
    plain_ns = max(0, profiled_ns - cost_ns)
    parts = segment_parts(NETWORK, SegmentTimes(plain_ns, profiled_ns, profile, share))
    assert all(part.time_ns > 0 for part in parts)
    total_ns = sum(part.time_ns for part in parts)
    # The cost comes off once at most, whatever of it finds something to come off from.
    assert plain_ns <= total_ns <= profiled_ns or total_ns <= profiled_ns <= plain_ns


@given(nodes, st.integers(0, 1000))
def test_a_cost_that_every_node_and_gap_can_bear_comes_off_exactly(
    found: list[NodeTime], node_cost_ns: int
) -> None:
    count = len(found)
    dear = [
        NodeTime(node.name, node.operator, node.layer, node.time_ns + node_cost_ns)
        for node in found
    ]
    between_ns = 7 * count
    profile = profile_of(dear, between_ns + 50, node_cost_ns)
    profiled_ns = (profile.call_ns or 0) + 30
    plain_ns = profiled_ns - node_cost_ns * count - between_ns
    parts = segment_parts(NETWORK, SegmentTimes(plain_ns, profiled_ns, profile))
    sums = {
        function: sum(part.time_ns for part in parts if part.function is function)
        for function in Function
    }
    assert sums[Function.FRAMEWORK] == 50
    assert sums[Function.PYTHON] == 30
    assert sums[Function.COMPUTE] + sums[Function.COPIES] == sum(node.time_ns for node in found)
    moved_ns = sum(node.time_ns for node in found if node.operator == "Reorder")
    assert sums[Function.COPIES] == moved_ns


def test_threads_come_out_of_their_own_node() -> None:
    node = NodeTime("a", "Conv", 1, 100, waiting_ns=30, wake_up_ns=5)
    other = NodeTime("b", "Conv", 2, 10, waiting_ns=50, wake_up_ns=9)
    profile = profile_of([node, other], 0, None)
    parts = segment_parts(NETWORK, SegmentTimes(110, 110, profile))
    assert parts == [
        Part(Function.COMPUTE, 65, "layer1", "Conv"),
        Part(Function.WAITING, 30, "layer1", "Conv"),
        Part(Function.WAKE_UP, 5, "layer1", "Conv"),
        Part(Function.WAITING, 10, "layer2", "Conv"),  # no more than the node took
    ]


def test_a_share_seen_from_outside_is_for_nodes_that_do_not_tell() -> None:
    told = NodeTime("a", "Conv", 0, 100, waiting_ns=0)
    silent = NodeTime("b", "Conv", 1, 100)
    profile = profile_of([told, silent], 0, None)
    parts = segment_parts(NETWORK, SegmentTimes(200, 200, profile, 0.25))
    waited = {part.layer: part.time_ns for part in parts if part.function is Function.WAITING}
    assert waited == {"layer1": 25}


def test_an_engine_that_tells_layers_only_is_broken_down_by_layer() -> None:
    profile = NodeProfile({2: 60, 0: 30}, 10)
    parts = segment_parts(NETWORK, SegmentTimes(100, 100, profile))
    assert parts == [
        Part(Function.COMPUTE, 30, "layer0", "elementwise"),
        Part(Function.COMPUTE, 60, "layer2", "elementwise"),
        Part(Function.COPIES, 10, "", "re-layout"),
    ]


def test_without_a_profile_nothing_is_attributed() -> None:
    assert segment_parts(NETWORK, SegmentTimes(100)) == []
    assert complete([], 100) == (Part(Function.UNATTRIBUTED, 100),)


@given(st.lists(times), times)
def test_completed_parts_add_up(own_ns: list[int], whole_ns: int) -> None:
    parts = complete([Part(Function.COMPUTE, time_ns) for time_ns in own_ns], whole_ns)
    assert sum(part.time_ns for part in parts) == whole_ns
    seen = [part.time_ns for part in parts if part.function is not Function.UNATTRIBUTED]
    assert seen == [time_ns for time_ns in own_ns if time_ns]


@given(st.lists(st.tuples(st.sampled_from(list(Function)), st.sampled_from("ab"), times)))
def test_merging_loses_nothing(rows: list[tuple[Function, str, int]]) -> None:
    parts = merged(Part(function, time_ns, layer) for function, layer, time_ns in rows)
    keys = [(part.function, part.layer) for part in parts]
    assert len(keys) == len(set(keys))
    for part in parts:
        own_ns = sum(row[2] for row in rows if row[:2] == (part.function, part.layer))
        assert part.time_ns == own_ns


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_middle_runs_are_those_between_the_quartiles(values: list[int]) -> None:
    runs = middle_runs(values)
    quarter = len(values) // 4
    assert sorted(values[run] for run in runs) == sorted(values)[quarter : len(values) - quarter]
    assert mean_over(values, runs) == midmean(values)
    # Sums of means are means of sums: that is what they are for.
    doubled = [[value, 3 * value] for value in values]
    means = [sum(column[run] for run in runs) / len(runs) for column in zip(*doubled, strict=True)]
    assert sum(means) == pytest.approx(4 * midmean(values), abs=2 + 1e-9 * max(values))
