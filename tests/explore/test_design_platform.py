from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from counterpoint.costs.models.overlay.core import (
    PUBLISHED_CORE,
    Core,
    CoreKind,
    Design,
)
from counterpoint.costs.platform_costs import cost_table
from counterpoint.errors import PlatformFileError
from counterpoint.explore.design_cycles import design_cycles
from counterpoint.explore.design_platform import design_platform, plan_lanes
from counterpoint.explore.interval import least_interval
from counterpoint.explore.workload import Workload
from counterpoint.platform.platform_file import load_platform
from counterpoint.platform.toml_text import platform_text
from tests.explore.networks import workload, zoo

UNLIKE = Design(
    cores=(
        Core(kind=CoreKind.CONVOLUTION, elements=28, inputs=32),
        Core(kind=CoreKind.DEPTHWISE, elements=16, inputs=9),
    )
)


def lowest_interval(work: Workload, design: Design) -> float:
    """By the linear program over the layers, all of them and none merged."""
    cycles, traffic = [], []
    for shapes, images in zip(work.shapes, work.images, strict=True):
        table = design_cycles(shapes, design)
        cycles.append(np.where(table.runs, table.total * images, np.inf))
        traffic.append(np.where(table.runs, table.dram * images, 0.0))
    return least_interval(np.concatenate(cycles, axis=1), np.concatenate(traffic, axis=1)).interval


@pytest.mark.parametrize(
    "work",
    [
        workload("mobilenet_v2"),
        workload("squeezenet_v1.1"),
        workload("mobilenet_v1", "squeezenet_v1.1", images=(1, 3)),
    ],
    ids=lambda work: work.name,
)
def test_the_planner_of_lanes_finds_the_same_optimum(work: Workload) -> None:
    design = UNLIKE
    planned = plan_lanes(work, design)
    least_ns = lowest_interval(work, design) * 1e9 / design.clock_hz
    assert planned.value is not None
    assert planned.lower_bound is not None
    assert planned.lower_bound <= least_ns * (1 + 1e-6)
    assert planned.lower_bound >= least_ns * (1 - 1e-4)
    assert planned.value <= least_ns * 1.02


def test_the_memory_limits_what_two_quick_cores_can_do() -> None:
    design = Design(cores=(PUBLISHED_CORE, PUBLISHED_CORE), dram_bytes_per_cycle=64)
    work = workload("mobilenet_v2")
    table = cost_table(design_platform("two", design), work.networks[0])
    (memory,) = table.shared_ns
    moved_ns = sum(row[0] for row in table.shared_ns[memory])
    alone_ns = sum(row[0] or 0 for row in table.layer_ns)
    planned = plan_lanes(work, design)
    assert planned.value is not None
    assert moved_ns > alone_ns / 2  # else the memory would be no limit
    assert moved_ns <= planned.value <= 1.01 * moved_ns


def test_a_design_is_a_platform_file(tmp_path: Path) -> None:
    file = tmp_path / "best.toml"
    made = design_platform("best", UNLIKE)
    file.write_text(platform_text(made))
    read = load_platform(str(file))
    assert read == made
    network = zoo("mobilenet_v1")
    assert cost_table(read, network) == cost_table(made, network)


def test_a_wrong_core_in_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    text = platform_text(design_platform("bad", UNLIKE))
    file.write_text(text.replace("elements = 28", "elements = 0"))
    with pytest.raises(PlatformFileError, match="elements of 32 inputs") as caught:
        cost_table(load_platform(str(file)), zoo("mobilenet_v1"))
    assert "\n" not in str(caught.value)
