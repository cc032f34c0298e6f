from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.planning.branches import plan_branches
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.throughput import plan_throughput
from counterpoint.reproduce.figure import Figure
from counterpoint.reproduce.squeezenet_pipeline import (
    CPU,
    CPU_MS,
    CPU_OVER_GPU,
    FRAMES,
    GPU,
    GPU_MS,
    HAND_OVER_NS,
    halved,
    makespan_ns,
    squeezenet,
    squeezenet_pipeline,
)
from counterpoint.reproduce.stage_chain import Staged, chain


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {figure.what: figure for figure in squeezenet_pipeline().figures}


def two_stages_ms(hand_over_ms: float) -> float:
    """The best two stages by trying all cuts both ways: first frame, then the slower stage."""
    scale = CPU_OVER_GPU * sum(CPU_MS) / sum(GPU_MS)
    gpu_ms = [scale * time_ms for time_ms in GPU_MS]
    ways = [
        (sum(first[:cut]) + hand_over_ms, sum(second[cut:]))
        for cut in range(1, len(CPU_MS))
        for first, second in ((gpu_ms, CPU_MS), (CPU_MS, gpu_ms))
    ]
    return min(first + second + (FRAMES - 1) * max(first, second) for first, second in ways)


@pytest.mark.parametrize("hand_over_ns", [HAND_OVER_NS, 0, 2_000_000, 9_000_000])
def test_the_pipeline_is_the_best_of_all_cuts(hand_over_ns: int) -> None:
    subject = squeezenet(hand_over_ns)
    planned = plan_throughput(subject.network, subject.table, method="pipeline")
    took_ms = makespan_ns(subject, planned) / 1e6
    assert took_ms == pytest.approx(two_stages_ms(hand_over_ns / 1e6), rel=1e-6)


def test_the_split_of_the_source() -> None:
    subject = squeezenet()
    planned = plan_throughput(subject.network, subject.table, method="pipeline")
    assert planned.segments == (((0, 1, 2, 3), GPU.name), ((4, 5, 6, 7, 8, 9), CPU.name))


def test_both_published_speed_ups(figures: dict[str, Figure]) -> None:
    judged = [figure for figure in figures.values() if figure.published is not None]
    assert [figure.published for figure in judged] == [1.97, 1.70]
    for figure in judged:
        assert figure.error is not None
        assert abs(figure.error) < 0.01
        assert figure.holds


def test_other_hand_overs_give_other_speed_ups(figures: dict[str, Figure]) -> None:
    given = {
        "hand-over 0 ms, over GPU": 2.02,
        "hand-over 0 ms, over CPU.big": 1.74,
        "hand-over 2 ms, over GPU": 1.957,
        "hand-over 2 ms, over CPU.big": 1.688,
    }
    for what, expected in given.items():
        model = figures[f"pipeline, {what} alone"].model
        assert model == pytest.approx(expected, abs=0.005)


def test_lanes_are_the_best_way_and_none_beats_its_bound(figures: dict[str, Figure]) -> None:
    planned = {what: one for what, one in figures.items() if one.planner is not None}
    lanes = planned["lanes, over the GPU alone"].planner
    for what, figure in planned.items():
        assert figure.planner is not None
        assert figure.bound is not None
        assert 1 < figure.planner <= figure.bound + 1e-9
        if "three-way" in what:
            assert figure.planner > (lanes or 0)
        else:
            assert figure.planner <= (lanes or 0)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1, max_size=3))
def test_parts_add_up_and_splitting_never_loses(times: list[tuple[int, int]]) -> None:
    rows = {CPU.name: [8 * cpu for cpu, _ in times], GPU.name: [8 * gpu for _, gpu in times]}
    whole = Staged(name="random", stages=chain(rows), units=(CPU, GPU), links=squeezenet(5).links)
    parts = halved(whole)
    for stage in whole.stages:
        for unit, time_ns in stage.times_ns.items():
            cut = [one for one in parts.stages if one.name.startswith(f"{stage.name}.")]
            assert sum(one.times_ns[unit] for one in cut) == time_ns
    split = plan_branches(parts.network, parts.table, time_limit_s=5.0)
    switched = plan_latency(whole.network, whole.table)
    assert split.value is not None
    assert switched.value is not None
    assert split.value <= switched.value
