from __future__ import annotations

import pytest

from counterpoint.report.document import to_json
from counterpoint.report.simulation import (
    busy_shares,
    frames_per_s,
    simulation_document,
    simulation_tables,
)
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.plan import Segment
from counterpoint.schedule.simulate import Simulation, simulate
from tests.report.costed import A, chain, plan
from tests.report.rendering import rendered


def two_stages(frames: int, times: tuple[int, int] = (3000, 5000)) -> Simulation:
    lane = (SegmentNode(("NPU.0",)), SegmentNode(("NPU.1",), (0,)))
    return simulate(DispatchGraph((lane,), (1,), 4), [times], frames)


def test_throughput_is_that_of_the_slowest_stage() -> None:
    assert frames_per_s(two_stages(10)) == pytest.approx(1e9 / 5000)
    assert frames_per_s(two_stages(1)) == pytest.approx(1e9 / 8000)
    assert frames_per_s(two_stages(3, (0, 0))) is None


def test_shares_of_the_makespan() -> None:
    simulation = two_stages(10)
    assert busy_shares(simulation) == {
        "NPU.0": pytest.approx(30_000 / 53_000),
        "NPU.1": pytest.approx(50_000 / 53_000),
    }
    assert busy_shares(two_stages(1, (0, 0))) == {"NPU.0": None, "NPU.1": None}


def test_both_reports_show_it() -> None:
    network = chain()
    made = plan(network, (Segment((0, 1, 2, 3), A.name),))
    simulation = two_stages(10)
    text = rendered(simulation_tables(made, simulation))
    for expected in ("53.0 us", "200 k frames/s", "94.3 %"):
        assert expected in text
    assert '"frames": 10' in to_json(simulation_document(made, simulation))
    rendered(simulation_tables(made, two_stages(1, (0, 0))))
