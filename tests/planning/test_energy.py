from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.objective import Objective
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Network
from counterpoint.planning import energy_delay, trade_off
from counterpoint.planning.energy import plan_energy
from counterpoint.planning.energy_delay import least_product, plan_energy_delay
from counterpoint.planning.labelling import Labelling, label
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.problem import LabellingProblem
from counterpoint.planning.result import PlanResult, Status
from counterpoint.planning.trade_off import Line
from tests.planning.energy_tables import NETWORKS, all_lanes, khadas_vim3, random_energy_table
from tests.random_networks import fake_unit, network_of, random_network

randoms = st.integers(0, 2**32 - 1).map(Random)
scales = st.sampled_from((1, 10**6))


def hurried_label(problem: LabellingProblem) -> Labelling:
    """Keeps one partial labelling at a layer, and so proves little."""
    return label(problem, max_states=1)


@settings(max_examples=80, deadline=None)
@given(randoms, st.integers(1, 5), st.integers(1, 3), st.sampled_from((None, 0, 3)), scales)
def test_no_lane_takes_less_energy(
    rng: Random, layers: int, units: int, idle_power_mw: int | None, scale: int
) -> None:
    network = random_network(rng, layers=layers)
    table = random_energy_table(rng, network, units=units, idle_power_mw=idle_power_mw, scale=scale)
    lanes = {lane.segments: lane.energy_pj for lane in all_lanes(network, table)}
    plan = plan_energy(network, table)
    assert plan.objective is Objective.ENERGY
    assert plan.settings == {"idle_power_mw": idle_power_mw}
    if not lanes:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason
        return
    assert plan.status is Status.OPTIMAL
    assert plan.value == min(lanes.values()) == lanes[plan.segments]


@settings(max_examples=120, deadline=None)
@given(randoms, st.integers(1, 5), scales, st.floats(0, 1.1), st.booleans())
def test_no_lane_that_is_quick_enough_takes_less_energy(
    rng: Random, layers: int, scale: int, place: float, hurried: bool
) -> None:
    network = random_network(rng, layers=layers)
    table = random_energy_table(
        rng, network, units=3, idle_power_mw=rng.choice((None, 0, 3)), scale=scale
    )
    lanes = {lane.segments: lane for lane in all_lanes(network, table)}
    latencies = [lane.latency_ns for lane in lanes.values()] or [0]
    limit_ns = min(latencies) - 1 + round(place * (max(latencies) - min(latencies) + 1))
    with pytest.MonkeyPatch.context() as patched:
        if hurried:
            patched.setattr(trade_off, "label", hurried_label)
        plan = plan_energy(network, table, max_latency_ns=limit_ns)
    within = [lane.energy_pj for lane in lanes.values() if lane.latency_ns <= limit_ns]
    if plan.status is Status.INFEASIBLE:
        assert not within or hurried
        assert plan.reason
        return
    assert plan.value is not None
    assert plan.lower_bound is not None
    lane = lanes[plan.segments]
    assert lane.latency_ns <= limit_ns
    assert plan.lower_bound <= min(within) <= plan.value == lane.energy_pj
    if not hurried:
        assert plan.status is Status.OPTIMAL


def test_branches_close_the_gap_that_the_price_of_time_leaves() -> None:
    """Two layers, each quick and hungry or slow and frugal; time is enough for one slow layer."""
    network, table = chain_of(((10, 20), (10, 20)), ((100, 10), (90, 10)))
    cut = plan_energy(network, table, max_latency_ns=35, max_branches=1)
    assert (cut.value, cut.status) == (100, Status.FEASIBLE)
    # The hull has (20, 190), (30, 100) and (40, 20): at 35 ns it is half way between two of them.
    assert cut.lower_bound == 60
    whole = plan_energy(network, table, max_latency_ns=35)
    assert (whole.value, whole.lower_bound, whole.status) == (100, 100, Status.OPTIMAL)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(1, 60)] * 4), min_size=4, max_size=7), st.floats(0.2, 0.8))
def test_branches_miss_no_lane(costs: list[tuple[int, int, int, int]], place: float) -> None:
    """Any subset of the layers may be slow and frugal: a knapsack."""
    times = [(quick, quick + longer) for quick, longer, _, _ in costs]
    energies = [(frugal + more, frugal) for _, _, frugal, more in costs]
    network, table = chain_of(times, energies)
    least_ns, most_ns = (sum(column) for column in zip(*times, strict=True))
    limit_ns = round(least_ns + place * (most_ns - least_ns))
    best_pj = min(
        lane.energy_pj for lane in all_lanes(network, table) if lane.latency_ns <= limit_ns
    )
    plan = plan_energy(network, table, max_latency_ns=limit_ns, max_branches=1000)
    assert (plan.value, plan.status) == (best_pj, Status.OPTIMAL)
    for branches in (1, 3, 5):
        cut = plan_energy(network, table, max_latency_ns=limit_ns, max_branches=branches)
        assert cut.value is not None
        assert cut.lower_bound is not None
        assert cut.lower_bound <= best_pj <= cut.value
        assert cut.settings["max_branches"] == branches


@settings(max_examples=120, deadline=None)
@given(randoms, st.integers(1, 5), st.integers(1, 3), scales, st.booleans())
def test_no_lane_has_a_smaller_product(
    rng: Random, layers: int, units: int, scale: int, hurried: bool
) -> None:
    network = random_network(rng, layers=layers)
    table = random_energy_table(
        rng, network, units=units, idle_power_mw=rng.choice((None, 0, 3)), scale=scale
    )
    lanes = {lane.segments: lane.energy_pj * lane.latency_ns for lane in all_lanes(network, table)}
    with pytest.MonkeyPatch.context() as patched:
        if hurried:
            patched.setattr(trade_off, "label", hurried_label)
        plan = plan_energy_delay(network, table)
    assert plan.objective is Objective.ENERGY_DELAY
    if not lanes:
        assert plan.status is Status.INFEASIBLE
        assert plan.reason
        return
    assert plan.value is not None
    assert plan.lower_bound is not None
    assert plan.lower_bound <= min(lanes.values()) <= plan.value == lanes[plan.segments]
    if not hurried:
        assert plan.status is Status.OPTIMAL
        assert plan.value == min(lanes.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1), st.data())
def test_the_bound_on_the_product_is_below_all_points(
    points: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Any lines that nobody is below, also loose ones, and any product that some point has."""
    weights = data.draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9))))
    lines = []
    for time, energy in [(1, 0), (0, 1), *weights]:
        least = min(time * x + energy * y for x, y in points)
        lines.append(Line(time, energy, max(0, least - data.draw(st.integers(0, 3)))))
    x, y = data.draw(st.sampled_from(points))
    best = min(x * y for x, y in points)
    assert least_product(lines, x * y) <= best
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(energy_delay, "_STEPS", 0)
        assert least_product(lines, x * y) <= best


@pytest.mark.parametrize("planner", [plan_energy, plan_energy_delay])
def test_keeps_to_the_units_and_pins(planner: object) -> None:
    rng = Random(7)
    network = random_network(rng, layers=8)
    table = replace(
        random_energy_table(rng, network, units=4, idle_power_mw=None),
        layer_ns=tuple((3, 2, 4, 1) for _ in range(8)),
        layer_energy_pj=tuple((9, 8, 7, 1) for _ in range(8)),
        links=(),
        units=tuple(UnitCosts(fake_unit(index), 1) for index in range(4)),
    )
    units = table.unit_names[:2]
    plan = planned(planner, network, table, units=units, fixed={3: table.unit_names[2]})
    unit_of = {layer: unit for members, unit in plan.segments for layer in members}
    assert unit_of[3] == table.unit_names[2]
    assert {unit for layer, unit in unit_of.items() if layer != 3} <= set(units)
    assert plan.settings["units"] == units
    assert plan.settings["fixed"] == (f"3={table.unit_names[2]}",)


@pytest.mark.parametrize("planner", [plan_energy, plan_energy_delay])
def test_says_what_is_missing(planner: object) -> None:
    network, table = chain_of(((1, 2), (3, 4)), ((1, None), (None, None)))
    plan = planned(planner, network, table)
    assert plan.status is Status.INFEASIBLE
    assert plan.reason == (
        "no unit can run layer 'layer1': fake:NPU.0@fp32: its energy is not known; "
        "fake:NPU.1@fp32: its energy is not known"
    )
    with pytest.raises(UserInputError, match="energy of random was not measured"):
        planned(planner, network, replace(table, layer_energy_pj=None))


def test_says_that_no_lane_is_quick_enough() -> None:
    network, table = chain_of(((1, 2), (3, 4)), ((1, 1), (1, 1)))
    plan = plan_energy(network, table, max_latency_ns=3)
    assert plan.reason == "no lane is quick enough: the quickest takes 4 ns a frame"
    assert plan_energy(network, table, max_latency_ns=4).value == 2


def test_an_idle_machine_makes_haste_worth_its_energy() -> None:
    network, table = chain_of(((10, 30), (10, 30)), ((50, 10), (50, 10)))
    slow, quick = table.unit_names[1], table.unit_names[0]
    assert plan_energy(network, table).segments == (((0, 1), slow),)
    idling = plan_energy(network, replace(table, idle_power_mw=5))
    assert idling.segments == (((0, 1), quick),)
    assert idling.value == 100 + 5 * 20


@pytest.mark.parametrize("name", NETWORKS)
def test_on_a_real_board_no_single_unit_is_more_frugal(name: str) -> None:
    network, table = khadas_vim3(name)
    frugal, product = plan_energy(network, table), plan_energy_delay(network, table)
    quick = plan_latency(network, table)
    assert frugal.status is product.status is Status.OPTIMAL
    assert frugal.value is not None
    assert product.value is not None
    assert quick.value is not None
    for unit in table.unit_names:
        alone = plan_energy(network, table, units=[unit])
        alone_product = plan_energy_delay(network, table, units=[unit])
        assert alone.value is not None
        assert alone_product.value is not None
        assert frugal.value <= alone.value
        assert product.value <= alone_product.value
    assert product.value >= frugal.value * quick.value
    unlimited_ns = plan_energy(network, table, max_latency_ns=10**12)
    assert unlimited_ns.value == frugal.value
    limited = plan_energy(network, table, max_latency_ns=round(1.1 * quick.value))
    assert limited.value is not None
    assert limited.gap is not None
    assert limited.value >= frugal.value
    assert limited.gap < 0.01


def planned(planner: object, *args: object, **options: object) -> PlanResult:
    assert callable(planner)
    result = planner(*args, **options)
    assert isinstance(result, PlanResult)
    return result


def chain_of(
    times: Sequence[tuple[int, int]], energies: Sequence[tuple[int | None, int | None]]
) -> tuple[Network, CostTable]:
    """Layers in a row on two units of one memory that hand over for free."""
    layers = len(times)
    network = network_of(
        [["in"], *([f"t{layer}"] for layer in range(layers - 1))],
        [[f"t{layer}"] for layer in range(layers)],
        outputs=[f"t{layers - 1}"],
    )
    table = CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="test",
        layer_names=tuple(layer.name for layer in network.layers),
        units=(UnitCosts(fake_unit(0), 0), UnitCosts(fake_unit(1), 0)),
        layer_ns=tuple(times),
        layer_energy_pj=tuple(energies),
    )
    return network, table
