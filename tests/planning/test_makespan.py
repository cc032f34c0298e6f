from __future__ import annotations

from dataclasses import astuple, replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.evaluator import Evaluation, evaluate
from counterpoint.planning.result import Segment
from counterpoint.platform.model import Link, Platform, Provenance
from counterpoint.schedule.plan import Lane, LinkTransfer, Plan, Prediction
from counterpoint.schedule.plan import Segment as PlanSegment
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import simulate
from tests.planning.random_lanes import random_lane
from tests.random_networks import fake_unit, network_of, random_network, random_table

randoms = st.integers(0, 2**32 - 1).map(Random)


def simulated_ns(
    network: Network, table: CostTable, lane: tuple[Segment, ...], evaluation: Evaluation
) -> int:
    """One frame of the lane in the simulator."""
    units = tuple(costs.unit for costs in table.units)
    platform = Platform("random", table.platform_fingerprint, table.devices, units, table.links)
    plan = Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=platform.name,
        platform_fingerprint=platform.fingerprint,
        objective=Objective.LATENCY,
        lanes=(Lane(tuple(PlanSegment(layers, unit) for layers, unit in lane)),),
        frames_in_flight=1,
        layer_names=table.layer_names,
        engines={},
        prediction=Prediction(
            0,
            (evaluation.segment_ns,),
            transfers=(tuple(LinkTransfer(*astuple(move)) for move in evaluation.transfers),),
        ),
    )
    predicted = predicted_graph(network, plan, platform)
    assert predicted is not None
    return simulate(*predicted, frames=1).makespan_ns


@settings(max_examples=300, deadline=None)
@given(randoms, st.integers(1, 10), st.integers(1, 4))
def test_the_simulator_says_the_same(rng: Random, layers: int, units: int) -> None:
    network = random_network(rng, layers=layers)
    table = random_table(rng, network, units=units)
    busy = rng.choice(table.devices).name
    links = tuple(replace(link, occupies=rng.choice(((), (busy,)))) for link in table.links)
    table = replace(table, links=links)
    lane = random_lane(rng, network, table)
    evaluation = evaluate(network, table, lane)
    assert evaluation.violations == ()
    assert evaluation.makespan_ns == simulated_ns(network, table, lane, evaluation)
    assert evaluation.latency_ns is not None
    assert evaluation.makespan_ns <= evaluation.latency_ns
    assert evaluation.makespan_ns >= max(evaluation.busy_ns.values())


def fork() -> Network:
    """in -> 0 -> x; 1 and 2 read x; 3 joins them."""
    return network_of(
        [["in"], ["x"], ["x"], ["y", "z"]], [["x"], ["y"], ["z"], ["out"]], outputs=["out"]
    )


def fork_table(network: Network, *, far: bool = False) -> CostTable:
    table = random_table(Random(0), network, units=2, refusal_chance=0.0)
    units = tuple(
        replace(costs, unit=fake_unit(index, memory="far" if far and index else "host"), entry_ns=0)
        for index, costs in enumerate(table.units)
    )
    free = [replace(costs, read=type(costs.read)(), write=type(costs.write)()) for costs in units]
    links = (
        Link("host", "far", 5, 1e15, Provenance.ASSUMED),
        Link("far", "host", 7, 1e15, Provenance.ASSUMED),
    )
    return replace(table, units=tuple(free), layer_ns=((10, 10),) * 4, links=links)


def test_branches_run_at_the_same_time() -> None:
    network = fork()
    table = fork_table(network)
    a, b = table.unit_names
    apart = evaluate(network, table, [([0], a), ([1], a), ([2], b), ([3], a)])
    assert (apart.latency_ns, apart.makespan_ns) == (40, 30)
    together = evaluate(network, table, [([0], a), ([1], a), ([2], a), ([3], a)])
    assert (together.latency_ns, together.makespan_ns) == (40, 40)


def test_a_tensor_that_moved_for_one_segment_is_there_for_the_next_and_not_before() -> None:
    network = fork()
    table = fork_table(network, far=True)
    a, b = table.unit_names
    evaluation = evaluate(network, table, [([0], a), ([1], b), ([2], b), ([3], a)])
    assert [(move.tensor, move.target) for move in evaluation.transfers] == [
        ("x", 1),
        ("y", 3),
        ("z", 3),
    ]
    # 0: 0..10, x moves 10..15, 1: 15..25, 2: 25..35 while y moves, z moves 35..42, 3: 42..52
    assert evaluation.makespan_ns == 52


def test_a_broken_lane_has_no_makespan() -> None:
    network = fork()
    table = fork_table(network)
    assert evaluate(network, table, [([0], table.unit_names[0])]).makespan_ns is None
