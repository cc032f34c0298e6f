from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from counterpoint.api import devices
from counterpoint.costs.objective import Objective
from counterpoint.costs.store import Store
from counterpoint.errors import StoreError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.network.graph import Layer, Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.profiler import Profiler
from counterpoint.tuning.replanning import Replanner
from tests.fake_engine import FakeEngine, fake_network, fake_platform
from tests.schedule.random_plans import plan_for
from tests.tuning.small_network import small_network

CHAIN = fake_network([["x"], ["t0"], ["t1"], ["t2"]])
PLATFORM = fake_platform("a", "b", "c")
A, B, C = (unit.name for unit in PLATFORM.units)
EVERYTHING = (0, 1, 2, 3)


class Picky(FakeEngine):
    """Refuses some layers on some units."""

    def __init__(self, refused: dict[str, set[int]]) -> None:
        super().__init__()
        self.refused = refused

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        return "it has no such layer" if layer.index in self.refused.get(unit.name, ()) else None


def replanner(engine: FakeEngine, plan: Plan | None = None) -> Replanner:
    failed = plan or plan_for(CHAIN, PLATFORM, [[(EVERYTHING, A)]], frames_in_flight=3)
    return Replanner(CHAIN, failed, PLATFORM, {"fake": engine})


def test_without_measurements_a_unit_that_runs_everything_is_taken() -> None:
    made = replanner(Picky({B: {2}}))(frozenset({A}))
    assert isinstance(made, Plan)
    assert [(s.layers, s.unit) for s in made.lanes[0].segments] == [(EVERYTHING, C)]
    assert made.frames_in_flight == 3
    assert made.prediction.segment_ns is None  # nobody knows, and nobody is told


def test_without_measurements_units_that_complete_each_other_make_few_segments() -> None:
    made = replanner(Picky({B: {2, 3}, C: {0}}))(frozenset({A}))
    assert isinstance(made, Plan)
    assert [segment.unit for segment in made.lanes[0].segments] == [B, C]


def test_nothing_is_left() -> None:
    assert replanner(FakeEngine())(frozenset({A, B, C})) == (
        "no other unit computes in the plan's precision"
    )


def test_a_layer_that_no_unit_runs() -> None:
    made = replanner(Picky({B: {2}, C: {2}}))(frozenset({A}))
    assert isinstance(made, str)
    assert "layer2" in made
    assert "it has no such layer" in made


def test_units_in_memories_without_links_are_reached_all_the_same() -> None:
    gpu = Device("GPU.0", DeviceKind.GPU, memory="GPU.0")
    platform = fake_platform("a", gpu)
    plan = plan_for(CHAIN, platform, [[(EVERYTHING, A)]])
    made = Replanner(CHAIN, plan, platform, {"fake": FakeEngine()})(frozenset({A}))
    assert isinstance(made, Plan)
    assert made.units == ("fake:GPU.0@fp32",)


def test_a_device_of_software_is_the_last_to_be_taken() -> None:
    software = Device("GPU.0", DeviceKind.GPU, cores=(0, 1))
    platform = fake_platform("a", software, "b")
    plan = replace(plan_for(CHAIN, platform, [[(EVERYTHING, A)]]), batch=4, notes=("as tuned",))
    ask = Replanner(CHAIN, plan, platform, {"fake": FakeEngine()})
    made = ask(frozenset({A}))
    assert isinstance(made, Plan)
    assert made.units == (B,)
    assert (made.batch, made.notes) == (4, ())
    made = ask(frozenset({A, B}))
    assert isinstance(made, Plan)
    assert made.units == ("fake:GPU.0@fp32",)


def test_other_precisions_are_not_taken_unasked() -> None:
    coarse = tuple(replace(unit, precision="bf16") for unit in PLATFORM.units)
    platform = replace(PLATFORM, units=(*PLATFORM.units, *coarse))
    plan = plan_for(CHAIN, platform, [[(EVERYTHING, A)]])
    ask = Replanner(CHAIN, plan, platform, {"fake": FakeEngine()})
    assert isinstance(ask(frozenset({A, B, C})), str)
    in_bf16 = plan_for(CHAIN, platform, [[(EVERYTHING, coarse[0].name)]])
    made = replace(ask, plan=in_bf16)(frozenset({A, B, C, coarse[0].name}))
    assert isinstance(made, Plan)
    assert made.units == (coarse[1].name,)


# By measurements

QUICK = SamplingSettings(warmup_ns=0, budget_ns=0, min_count=3, max_count=3)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Path]:
    """A store that knows one unit."""
    network = small_network()
    path = tmp_path_factory.mktemp("replanning") / "store.sqlite"
    here = devices()
    with Store.open(path) as store:
        profiler = Profiler(network, here.platform, here.engines, store, settings=QUICK)
        profiler.table([here.platform.unit("openvino:CPU@fp32")])
    return network, path


def on_onnxruntime(network: Network, objective: Objective) -> Replanner:
    here = devices()
    plan = plan_for(network, here.platform, [[(range(len(network.layers)), ORT)]])
    plan = replace(plan, objective=objective, engines={})
    return Replanner(network, plan, here.platform, here.engines)


ORT = "onnxruntime:CPU@fp32"


@pytest.mark.parametrize("objective", [Objective.LATENCY, Objective.THROUGHPUT])
def test_measured_units_are_planned_with_by_what_they_took(
    measured: tuple[Network, Path], objective: Objective
) -> None:
    network, path = measured
    ask = on_onnxruntime(network, objective)
    made = replace(ask, open_store=lambda: Store.open(path))(frozenset({ORT}))
    assert isinstance(made, Plan)
    assert made.units == ("openvino:CPU@fp32",)
    assert made.prediction.segment_ns is not None
    assert made.objective is objective


def test_a_store_that_cannot_be_opened_does_not_matter(measured: tuple[Network, Path]) -> None:
    def locked() -> Store:
        raise StoreError("locked")

    network, _ = measured
    ask = on_onnxruntime(network, Objective.LATENCY)
    made = replace(ask, open_store=locked)(frozenset({ORT}))
    assert isinstance(made, Plan)
    assert ORT not in made.units
    assert made.prediction.segment_ns is None
