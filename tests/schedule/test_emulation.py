"""A plan's predicted times on a clock: the session's graph is the simulator's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import MachineError, PlanFileError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning.result import PlannedLane, PlanResult, Status
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.emulation import segment_places
from counterpoint.schedule.pace import AT_ONCE_NS, MAX_TIME_SCALE, SPIN_NS, Pace
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.session import Session
from counterpoint.schedule.simulate import simulate
from counterpoint.tuning.planned import plan_of
from tests.fake_engine import (
    FakeEngine,
    fake_frame,
    fake_network,
    fake_platform,
    reference_outputs,
)
from tests.random_networks import random_table
from tests.schedule.random_plans import networks, plan_for, plans

MS = 1_000_000
FRAMES = 3


class FakeClock:
    """Time that passes only in sleeps, which last a while longer than asked for."""

    def __init__(self, oversleep_ns: int = 0) -> None:
        self.now_ns = 0
        self.oversleep_ns = oversleep_ns

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9) + self.oversleep_ns if seconds else SPIN_NS

    def pass_ns(self, time_ns: int) -> None:
        self.now_ns += time_ns


def pace_on(clock: FakeClock, time_scale: float = 1.0) -> Pace:
    return Pace(time_scale, clock=clock, sleep=clock.sleep)


def machine(table: CostTable) -> Platform:
    units = tuple(costs.unit for costs in table.units)
    return Platform("far away", table.platform_fingerprint, table.devices, units, table.links)


def planned(
    network: Network, table: CostTable, lanes: Sequence[PlannedLane], frames_in_flight: int
) -> Plan:
    answer = PlanResult(planner="test", status=Status.FEASIBLE, lanes=tuple(lanes), value=0)
    return plan_of(network, machine(table), {}, table, answer, frames_in_flight=frames_in_flight)


@given(data=st.data(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_true_numbers_and_every_node_of_the_simulation(data: st.DataObject, seed: int) -> None:
    network = data.draw(networks(max_layers=6))
    table = random_table(Random(seed), network, units=3, refusal_chance=0)
    drawn = data.draw(plans(network, machine(table)))
    lanes = [
        PlannedLane(tuple((tuple(s.layers), s.unit) for s in lane.segments), lane.share)
        for lane in drawn.lanes
    ]
    plan = planned(network, table, lanes, drawn.frames_in_flight)
    pace = pace_on(FakeClock(), 1e6)
    with Session(
        network,
        plan,
        engines={"fake": FakeEngine()},
        platform=machine(table),
        trace=True,
        pace=pace,
    ) as session:
        frames = [fake_frame(network, number) for number in range(FRAMES)]
        for frame, outputs in zip(frames, session.stream(frames), strict=True):
            for output, wanted in zip(outputs, reference_outputs(network, frame), strict=True):
                np.testing.assert_array_equal(output, wanted)
        measured = session.trace()
    predicted = predicted_graph(network, plan, machine(table))
    assert predicted is not None
    simulated = simulate(*predicted, FRAMES).trace
    assert measured is not None
    assert simulated is not None
    assert Counter((s.frame, s.lane, s.segment, s.unit) for s in measured.spans) == Counter(
        (s.frame, s.lane, s.segment, s.unit) for s in simulated.spans
    )
    assert pace.punctuality().runs == len(simulated.spans)
    for lane, nodes, moved in zip(
        plan.lanes, predicted[0].lanes, plan.prediction.transfers, strict=True
    ):
        places = segment_places(len(lane.segments), moved)
        assert [(nodes[place].name, nodes[place].unit) for place in places] == [
            (segment_name(network, segment), segment.unit) for segment in lane.segments
        ]


@given(
    units=st.lists(st.integers(0, 2), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
    scale=st.sampled_from((1e6, 4e5, 2e5)),
)
@settings(max_examples=60, deadline=None)
def test_frames_one_by_one_take_the_simulated_time(
    units: list[int], seed: int, scale: float
) -> None:
    network = fake_network([["x"], *([f"t{index}"] for index in range(len(units) - 1))])
    table = random_table(Random(seed), network, units=3, refusal_chance=0)
    segments = tuple(((layer,), table.unit_names[unit]) for layer, unit in enumerate(units))
    plan = planned(network, table, [PlannedLane(segments)], 1)
    clock = FakeClock()
    with Session(
        network,
        plan,
        engines={"fake": FakeEngine()},
        platform=machine(table),
        pace=pace_on(clock, scale),
    ) as session:
        for number in range(FRAMES):
            session.run(None, fake_frame(network, number))
    predicted = predicted_graph(network, plan, machine(table))
    assert predicted is not None
    assert clock.now_ns == round(simulate(*predicted, FRAMES).makespan_ns * scale)


def test_a_single_segment_takes_its_time_too() -> None:
    """The session's short cut for such plans must not lead past the pace."""
    network = fake_network([["x"], ["t0"]])
    unit = fake_platform("NPU.0").units[0]
    table = CostTable(network.content_hash, "p", ("layer0", "layer1"), (UnitCosts(unit, 1 * MS),),
                      ((2 * MS,), (4 * MS,)))  # fmt: skip
    plan = planned(network, table, [PlannedLane((((0, 1), unit.name),))], 1)
    clock = FakeClock()
    with Session(
        network,
        plan,
        engines={"fake": FakeEngine()},
        platform=machine(table),
        pace=pace_on(clock),
    ) as session:
        session.run(None, fake_frame(network))
    assert clock.now_ns == 7 * MS


def test_processors_of_another_machine_are_not_pinned() -> None:
    network = fake_network([["x"]])
    unit = ComputeUnit("fake", (Device("CPU.0", DeviceKind.CPU, cores=(4001, 4002)),), "fp32")
    table = CostTable(network.content_hash, "p", ("layer0",), (UnitCosts(unit, 0),), ((MS,),))
    plan = planned(network, table, [PlannedLane((((0,), unit.name),))], 2)
    here = {"engines": {"fake": FakeEngine()}, "platform": machine(table)}
    with pytest.raises(MachineError, match="4001"):
        Session(network, plan, **here)  # type: ignore[arg-type]
    with Session(network, plan, **here, pace=pace_on(FakeClock())) as session:  # type: ignore[arg-type]
        assert len(list(session.stream([fake_frame(network)] * 3))) == 3


def test_a_plan_without_times_cannot_be_emulated() -> None:
    network, platform = fake_network([["x"]]), fake_platform("NPU.0")
    plan = plan_for(network, platform, [[((0,), platform.units[0].name)]])
    engine = FakeEngine()
    with pytest.raises(PlanFileError, match=r"predicts no times.*counterpoint plan"):
        Session(network, plan, engines={"fake": engine}, platform=platform, pace=Pace())
    assert all(segment.closed for segment, _ in engine.compiled)


def test_oversleeping_does_not_add_up() -> None:
    clock = FakeClock(oversleep_ns=SPIN_NS + 100_000)
    pace = pace_on(clock)
    for _ in range(10):
        pace.run(("a",), 5 * MS, None)
    assert clock.now_ns == 50 * MS + 100_000
    assert pace.punctuality().worst_lag_ns == 100_000


def test_an_idle_device_begins_when_it_is_called() -> None:
    clock = FakeClock(oversleep_ns=SPIN_NS + 100_000)
    pace = pace_on(clock)
    pace.run(("a",), 5 * MS, None)
    pace.run(("b",), 5 * MS, None)  # another device owes nothing
    assert clock.now_ns == 10 * MS + 200_000
    clock.pass_ns(AT_ONCE_NS + 1)
    began_ns = clock.now_ns
    pace.run(("b",), 5 * MS, None)
    assert clock.now_ns == began_ns + 5 * MS + 100_000


def test_a_run_begins_when_what_it_waits_for_should_have_ended() -> None:
    clock = FakeClock(oversleep_ns=SPIN_NS + 100_000)
    pace = pace_on(clock)
    end_ns = pace.run(("a",), 5 * MS, None)
    clock.pass_ns(3 * MS)  # the thread of the next device wakes late
    assert pace.run(("b",), 5 * MS, None, [end_ns, 0]) == 10 * MS
    assert clock.now_ns == 10 * MS + 100_000
    assert pace.run(("b",), 5 * MS, None, [end_ns]) == 15 * MS  # the device was busy until then


def test_lags_of_a_frames_segments_do_not_add_up() -> None:
    network = fake_network([["x"], ["t0"], ["t1"], ["t2"]])
    table = random_table(Random(3), network, units=3, refusal_chance=0)
    names = [table.unit_names[layer % 3] for layer in range(4)]
    segments = tuple(((layer,), name) for layer, name in enumerate(names))
    plan = planned(network, table, [PlannedLane(segments)], 1)
    predicted = predicted_graph(network, plan, machine(table))
    assert predicted is not None
    clock = FakeClock(oversleep_ns=SPIN_NS + 100_000)
    with Session(
        network,
        plan,
        engines={"fake": FakeEngine()},
        platform=machine(table),
        pace=pace_on(clock, 1e6),
    ) as session:
        session.run(None, fake_frame(network))
    assert clock.now_ns == simulate(*predicted, 1).makespan_ns * MS + 100_000


def test_transfers_compute_nothing_that_could_be_late() -> None:
    pace = pace_on(FakeClock())
    pace.run(("a->b",), 0, None)
    kept = pace.punctuality()
    assert (kept.runs, kept.overruns, kept.least_time_scale) == (1, 0, None)


def test_what_a_transfer_occupies_is_busy() -> None:
    clock = FakeClock(oversleep_ns=SPIN_NS + 100_000)
    pace = pace_on(clock)
    pace.run(("a->b", "a"), 5 * MS, None)
    pace.run(("a",), 5 * MS, None)
    assert clock.now_ns == 10 * MS + 100_000


def test_a_computation_that_takes_too_long_is_counted() -> None:
    clock = FakeClock()
    pace = pace_on(clock, 2.0)
    assert pace.run(("a",), 2 * MS, lambda: clock.pass_ns(5 * MS)) == 5 * MS
    assert clock.now_ns == 5 * MS
    kept = pace.punctuality()
    assert (kept.runs, kept.overruns, kept.worst_lag_ns) == (1, 1, MS)
    assert kept.least_time_scale == 2.5
    pace.run(("a",), 2 * MS, lambda: clock.pass_ns(3 * MS))
    assert clock.now_ns == 9 * MS  # behind the overrun's end, not its due time
    assert pace.punctuality().overruns == 1


def test_before_the_first_run_nothing_is_known() -> None:
    kept = Pace().punctuality()
    assert (kept.runs, kept.overruns, kept.least_time_scale) == (0, 0, None)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 2 * MAX_TIME_SCALE])
def test_a_scale_that_is_none(scale: float) -> None:
    with pytest.raises(UserInputError, match="time scale"):
        Pace(scale)
