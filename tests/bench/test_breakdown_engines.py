"""Breakdowns of real runs, of made-up ones, and of what instruments print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from counterpoint.bench.breakdown.instruments import critical_spans, observe
from counterpoint.bench.breakdown.layer_types import layer_type, moves_only
from counterpoint.bench.breakdown.measuring import breakdown_of, threads_of
from counterpoint.bench.breakdown.sums import by_function, by_layer, by_type, unattributed_share
from counterpoint.bench.breakdown.thread_samples import ThreadSamples, read_report, sample_thread
from counterpoint.bench.breakdown.unfused import BATCHNORM_KEPT, fused, unfused_units
from counterpoint.bench.result import Breakdown, Function, Method
from counterpoint.engines.onnxruntime_profile import attribute_events
from counterpoint.engines.protocol import NodeTime
from counterpoint.engines.registry import planning_engines, with_units
from counterpoint.network.loading import load
from counterpoint.platform.host import host_platform
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.schedule.plan import Lane, Prediction, Segment
from counterpoint.schedule.trace import Span
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_of_lanes, plan_on_unit
from tests.fake_engine import FakeEngine, fake_network, fake_platform
from tests.shared_data import require

ENGINES = planning_engines()
HERE = with_units(host_platform(), ENGINES)
ROUNDS = 2


def no_samples(run: Callable[[], object]) -> str:
    return "nobody looked"


def half_waiting(run: Callable[[], object]) -> ThreadSamples:
    return ThreadSamples({"libgomp.so.1": 0.5, "libfast.so": 0.5}, 1000)


def unit_of(engine: str) -> str:
    if engine not in ENGINES:
        pytest.skip(f"{engine} is not here: {engine}")
    return next(
        unit.name
        for unit in HERE.units
        if unit.engine == engine and unit.precision == "fp32" and not unit.settings
    )


def adds_up(found: Breakdown) -> None:
    assert sum(part.time_ns for part in found.parts) == found.whole_ns
    assert all(
        part.time_ns > 0 for part in found.parts if part.function is not Function.UNATTRIBUTED
    )


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "ncnn"])
def test_a_real_network_is_seen_on_every_engine(engine: str) -> None:
    network = load(require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"))
    plan = plan_on_unit(network, HERE, ENGINES, unit_of(engine))
    seen = observe(network, plan, ENGINES, HERE, seeded_frame(network.inputs), rounds=1)
    (segment,) = seen.segments
    profile = segment.profile
    assert profile is not None
    assert profile.call_ns is not None
    assert profile.run_ns is not None
    # One inside of the other, over the same runs.
    nodes_ns = sum(node.time_ns for node in profile.nodes)
    assert nodes_ns <= profile.call_ns + len(profile.nodes)  # each rounded
    assert profile.call_ns <= profile.run_ns
    convolutions = {layer.index for layer in network.layers if layer.macs}
    assert convolutions <= {node.layer for node in profile.nodes}
    assert min(len(seen.runs), len(segment.plain_ns), len(segment.times_ns)) >= 2


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_real_network_is_broken_down(engine: str) -> None:
    network = load(require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"))
    plan = plan_on_unit(network, HERE, ENGINES, unit_of(engine))
    found = breakdown_of(network, plan, ENGINES, HERE, rounds=ROUNDS, sample=half_waiting)
    adds_up(found)
    kinds = by_type(found)
    assert max(kinds, key=lambda kind: kinds[kind]) == "Conv"
    assert found.contender.method is Method.UNIT
    assert engine in found.contender.software


def test_segments_of_a_plan_and_what_lies_between_are_told() -> None:
    network = load(require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"))
    first, second = unit_of("onnxruntime"), unit_of("openvino")
    middle = len(network.layers) // 2
    lane = Lane(
        (
            Segment(tuple(range(middle)), first),
            Segment(tuple(range(middle, len(network.layers))), second),
        )
    )
    plan = plan_of_lanes(network, HERE, ENGINES, lanes=(lane,), prediction=Prediction(0))
    found = breakdown_of(network, plan, ENGINES, HERE, rounds=ROUNDS, sample=no_samples)
    adds_up(found)
    layers = {layer.layer for layer in by_layer(found)}
    assert {layer.name for layer in network.layers if layer.macs} <= layers
    assert found.contender.method is Method.PLAN
    assert found.contender.placement == f"{first} | {second}"
    assert any(line.startswith("our trace") for line in found.instruments)


def test_batchnorm_that_nobody_folds_has_a_part_of_its_own() -> None:
    network = load("zoo:mobilenet_v1", keep_batchnorm=True)
    unit = next(unit for unit in unfused_units(HERE) if unit.setting("threads") is None)
    assert fused(unit).name == unit_of("onnxruntime")
    platform = replace(HERE, units=(*HERE.units, unit))
    plan = plan_on_unit(network, platform, ENGINES, unit.name)
    found = breakdown_of(
        network, plan, ENGINES, platform, variant=BATCHNORM_KEPT, rounds=ROUNDS, sample=no_samples
    )
    adds_up(found)
    kinds = by_type(found)
    assert {"BatchNorm", "depthwise", "Conv", "activation"} <= set(kinds)
    usual = plan_on_unit(network, platform, ENGINES, fused(unit).name)
    assert "BatchNorm" not in by_type(
        breakdown_of(network, usual, ENGINES, platform, rounds=ROUNDS, sample=no_samples)
    )


def test_an_engine_that_tells_nothing_is_all_unattributed_but_our_own_part() -> None:
    platform = fake_platform("NPU.0")
    engine = FakeEngine()
    network = fake_network([["x"], ["t0"]])
    plan = plan_on_unit(network, platform, {"fake": engine}, platform.units[0].name)
    found = breakdown_of(network, plan, {"fake": engine}, platform, rounds=1)
    adds_up(found)
    assert set(by_function(found)) <= {Function.PYTHON, Function.UNATTRIBUTED}
    assert found.instruments == ("fake:NPU.0@fp32: the engine does not tell where its time goes",)
    assert all(segment.closed for segment, _ in engine.compiled)


def test_what_is_missing_is_a_share_of_the_whole() -> None:
    platform, engine = fake_platform("NPU.0"), FakeEngine()
    network = fake_network([["x"]])
    plan = plan_on_unit(network, platform, {"fake": engine}, platform.units[0].name)
    found = breakdown_of(network, plan, {"fake": engine}, platform, rounds=1)
    missing_ns = by_function(found).get(Function.UNATTRIBUTED, 0)
    assert unattributed_share(found) == pytest.approx(missing_ns / found.whole_ns)


def event(name: str, operator: str, duration_us: int, **threads: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {"op_name": operator}
    if threads:
        arguments["thread_scheduling_stats"] = {"main_thread": threads}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": duration_us, "args": arguments}


def call(duration_us: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "dur": duration_us}


def test_threads_of_onnxruntime_are_read_out_of_its_events() -> None:
    events: list[dict[str, Any]] = []
    for run in range(6):
        events += [
            event("ReorderInput", "ReorderInput", 4),
            event("conv_nchwc", "Conv", 60 + run, Run=30, Wait=20 + run, Distribution=1),
            call(100 + run),
        ]
    profile = attribute_events(events, {"conv": 0})
    assert profile is not None
    # The first two runs do not count; of the other four the middle half are runs 3 and 4.
    assert profile.nodes == (
        NodeTime("ReorderInput", "ReorderInput", None, 4000),
        NodeTime("conv_nchwc", "Conv", 0, 63_500, 23_500, 1000),
    )
    assert profile.call_ns == 103_500
    assert profile.layer_ns == {0: 63_500}


def test_the_cost_of_an_event_is_what_lies_beyond_its_loops() -> None:
    one_run = [event(f"c{i}", "Conv", 50 + i, Run=40, Wait=1, Distribution=1) for i in range(9)]
    profile = attribute_events([*one_run, call(900)], {})
    assert profile is not None
    assert profile.node_cost_ns == 9500  # lower quartile of 8, 9, ... 16 us
    alone = [event(f"c{i}", "Conv", 50 + i) for i in range(9)]
    single = attribute_events([*alone, call(900)], {})
    assert single is not None
    assert single.node_cost_ns == 50_000
    assert single.instrument.endswith("of one thread")


REPORT = """# comment
# Samples: {count} of event 'cpu-clock'
    60.00%  [JIT] tid 4711
    25.00%  libgomp-6a29c32d.so.1.0.0
    10.00%  libtbb.so.12
     5.00%  libopenvino_intel_cpu_plugin.so
"""


def test_reports_of_perf_are_read() -> None:
    found = read_report(REPORT.format(count="1K"))
    assert isinstance(found, ThreadSamples)
    assert found.count == 1000
    assert found.shares == {
        "[JIT]": 0.6,
        "libgomp-6a29c32d.so.1.0.0": 0.25,
        "libtbb.so.12": 0.1,
        "libopenvino_intel_cpu_plugin.so": 0.05,
    }
    assert found.waiting_share == pytest.approx(0.35)
    assert read_report(REPORT.format(count="99")) == "perf took 99 samples, too few to tell"
    assert read_report("") == "perf took 0 samples, too few to tell"


def test_a_machine_without_perf_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sample_thread(lambda: None) == "perf is not installed"
    program = tmp_path / "perf"
    program.write_text("#!/bin/sh\necho 'the kernel forbids it' >&2\nexit 255\n")
    program.chmod(0o755)
    assert sample_thread(lambda: None) == "perf cannot sample here: the kernel forbids it"


def test_the_share_from_outside_becomes_waiting() -> None:
    network = load(require("models/squeezenet_v1.1/squeezenet_v1.1.onnx"))
    name = unit_of("openvino")
    if threads_of([HERE.unit(name)]) == 1:
        pytest.skip("a CPU of one core: nobody waits for other threads")
    plan = plan_on_unit(network, HERE, ENGINES, name)
    found = breakdown_of(network, plan, ENGINES, HERE, rounds=1, sample=half_waiting)
    functions = by_function(found)
    nodes_ns = sum(by_type(found).values())
    assert functions[Function.WAITING] >= 0.49 * nodes_ns
    assert any("50% libgomp" in line for line in found.instruments)


def span(segment: int, start_ns: int, end_ns: int) -> Span:
    return Span(f"s{segment}", "u", ("d",), 0, 0, segment, start_ns, end_ns)


@pytest.mark.parametrize(
    ("spans", "path"),
    [
        ([], []),
        ([span(0, 0, 5), span(1, 6, 9)], [0, 1]),
        # Two branches side by side: the one that ends last counts.
        ([span(0, 0, 5), span(1, 5, 8), span(2, 5, 9), span(3, 10, 12)], [0, 2, 3]),
        ([span(0, 0, 5), span(1, 0, 9)], [1]),
        ([span(0, 0, 0), span(1, 0, 0)], [1, 0]),  # and comes to an end
    ],
)
def test_the_critical_path_goes_back_from_the_last_end(
    spans: Sequence[Span], path: list[int]
) -> None:
    assert [one.segment for one in critical_spans(spans)] == path


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("Conv", "Conv"),
        ("FusedConv", "Conv"),
        ("com.microsoft.nchwc:Conv", "Conv"),
        ("GroupConvolution", "Conv"),
        ("BatchNormalization", "BatchNorm"),
        ("MaxPool", "pooling"),
        ("FullyConnected", "FC"),
        ("QLinearAdd", "elementwise"),
        ("never heard of", "other"),
        ("", "other"),
    ],
)
def test_engines_words_are_understood(operator: str, kind: str) -> None:
    assert layer_type(operator, None) == kind


def test_a_convolution_of_a_depthwise_layer_is_depthwise() -> None:
    network = load("zoo:mobilenet_v1")
    depthwise = next(layer for layer in network.layers if layer.kind == "DepthwiseConv")
    usual = next(layer for layer in network.layers if layer.kind == "Conv")
    assert layer_type("Conv", depthwise) == layer_type("", depthwise) == "depthwise"
    assert layer_type("Conv", usual) == "Conv"
    assert layer_type("ConvolutionDepthWise", None) == "depthwise"
    assert layer_type("BatchNormalization", depthwise) == "BatchNorm"


@pytest.mark.parametrize("operator", ["Reorder", "ReorderInput", "Cast", "Convert", "Packing"])
def test_reorders_only_move(operator: str) -> None:
    assert moves_only(operator)
    assert not moves_only("Conv")


def test_threads_are_counted_where_all_units_have_as_many() -> None:
    two = Device("CPU.0", DeviceKind.CPU, cores=(0, 1))
    one = Device("CPU.1", DeviceKind.CPU, cores=(2,))
    gpu = Device("GPU.0", DeviceKind.GPU)
    units = [ComputeUnit("e", (device,), "fp32") for device in (two, one, gpu)]
    single = ComputeUnit("e", (two,), "fp32", (("threads", "1"),))
    assert [threads_of([unit]) for unit in (*units, single)] == [2, 1, None, 1]
    assert threads_of(units) is None
    assert threads_of([units[1], single]) == 1
