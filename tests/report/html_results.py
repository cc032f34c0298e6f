"""Small results for reports, with names as nasty as one likes."""

from __future__ import annotations

from typing import Any

from counterpoint.bench.result import (
    Basis,
    BenchResult,
    Bound,
    Breakdown,
    Contender,
    Control,
    Energy,
    Function,
    MachineDescription,
    Method,
    Metric,
    Part,
    RooflinePoint,
    Row,
)
from counterpoint.measure.peak import UnitPeak
from counterpoint.report.html.content import Block, Figure
from counterpoint.schedule.trace import Span, Trace

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>%{x}&lt;"
"""Ends elements, starts others, is a template, and has an entity that is no entity."""

UNIT = "openvino:CPU@fp32"
BASE_MS = {"zoo:alexnet": 12, "zoo:mobilenet_v1": 7, "zoo:vgg16": 300}


def contender(name: str = UNIT, method: Method = Method.UNIT, platform: str = "here") -> Contender:
    return Contender(name, method, "fp32", "openvino 2026.4.1", platform=platform)


def row(
    network: str, who: Contender, times_ms: tuple[float, ...], metric: Metric = Metric.LATENCY
) -> Row:
    images = 1 if metric is Metric.LATENCY else 8
    return Row(
        network=network,
        contender=who,
        metric=metric,
        basis=Basis.MEASURED,
        batch=images,
        images_per_sample=images,
        samples_ns=tuple(round(time * 1e6) for time in times_ms),
        predicted_ns=round(1e6 * times_ms[0]) if who.method is Method.UNIT else None,
    )


def failed(network: str, who: Contender, why: str) -> Row:
    return Row(
        network=network,
        contender=who,
        metric=Metric.LATENCY,
        basis=Basis.MEASURED,
        failure=why,
    )


def modelled(network: str, time_ms: float, platform: str = "khadas_vim3") -> Row:
    return Row(
        network=network,
        contender=contender("plan int8", Method.PLAN, platform),
        metric=Metric.LATENCY,
        basis=Basis.MODELLED,
        samples_ns=(round(time_ms * 1e6),),
        energy=Energy(360_000, Basis.MODELLED, "the platform's power figures"),
    )


def breakdown(network: str, layers: int, *, unattributed_ns: int = 40_000) -> Breakdown:
    parts = [
        Part(function, 1000 * (1 + index % 7), f"layer{index}", ("Conv", "depthwise")[index % 2])
        for index in range(layers)
        for function in (Function.COMPUTE, Function.COPIES)
    ]
    parts += [Part(Function.WAITING, 50_000), Part(Function.UNATTRIBUTED, unattributed_ns)]
    return Breakdown(
        network=network,
        contender=contender(),
        threads=2,
        whole_ns=sum(part.time_ns for part in parts),
        parts=tuple(parts),
        instruments=("openvino profile of 20 runs", "perf: not allowed here"),
    )


def points(network: str, layers: int) -> tuple[RooflinePoint, ...]:
    bounds = tuple(Bound)
    return tuple(
        RooflinePoint(
            network=network,
            unit=UNIT,
            layer=f"layer{index}",
            layer_type="Conv",
            operations=0 if index == 3 else 10_000 * (index + 1),
            moved_bytes=1000 * (1 + index % 9),
            time_ns=4000 + index,
            roof_ns=1000 + index,
            bound=bounds[index % 3],
        )
        for index in range(layers)
    )


def machine(*, peaks: bool = True) -> MachineDescription:
    return MachineDescription(
        name="2 cores",
        fingerprint="abc",
        facts={"processor": "some CPU"},
        software={"openvino": "2026.4.1"},
        units=(UNIT, "ncnn:GPU.0@fp16"),
        peaks=(UnitPeak(UNIT, 2e11), UnitPeak("ncnn:GPU.0@fp16", None, "no Vulkan device"))
        if peaks
        else (),
        copy_bytes_per_s=2e10,
    )


def bench_result(layers: int = 12) -> BenchResult:
    """Three networks, three contenders, a failure, a modelled platform, and all records."""
    ours, peer = contender(), contender("onnxruntime as installed", Method.PEER)
    gpu = contender("ncnn:GPU.0@fp16")
    rows: list[Row] = []
    for network, base in BASE_MS.items():
        rows.append(row(network, ours, tuple(base + step / 10 for step in range(10))))
        rows.append(row(network, peer, tuple(2 * base + step / 10 for step in range(10))))
        rows.append(row(network, ours, (6.0 * base,), Metric.THROUGHPUT))
        rows.append(modelled(network, 3 * base))
    rows.append(failed("zoo:vgg16", gpu, "the device was lost after 31 images"))
    return BenchResult(
        machine=machine(),
        settings={"--quick": "yes"},
        started="2026-11-21T06:00:00+00:00",
        rows=tuple(rows),
        controls=(Control("zoo:alexnet", ours, ((100, 110, 120), (100, 100, 100))),),
        breakdowns=(
            breakdown("zoo:alexnet", layers),
            breakdown("zoo:vgg16", layers, unattributed_ns=-9000),
        ),
        points=points("zoo:alexnet", layers),
    )


def hostile_result() -> BenchResult:
    """Strangers' names in every place that has one."""
    who = Contender(HOSTILE, Method.PLAN, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    point = points("x", 1)[0]
    return BenchResult(
        machine=MachineDescription(
            HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, (HOSTILE,)
        ),
        settings={HOSTILE: HOSTILE},
        started=HOSTILE,
        rows=(row(HOSTILE, who, (1.0, 2.0)), failed(HOSTILE, contender(), HOSTILE)),
        controls=(Control(HOSTILE, who, ((1, 2), (2, 2))),),
        breakdowns=(
            Breakdown(
                network=HOSTILE,
                contender=who,
                threads=None,
                whole_ns=100,
                parts=(Part(Function.COMPUTE, 100, HOSTILE, HOSTILE),),
                instruments=(HOSTILE,),
                variant=HOSTILE,
            ),
        ),
        points=(
            RooflinePoint(
                network=HOSTILE,
                unit=HOSTILE,
                layer=HOSTILE,
                layer_type=HOSTILE,
                operations=10,
                moved_bytes=10,
                time_ns=point.time_ns,
                roof_ns=point.roof_ns,
                bound=point.bound,
            ),
        ),
    )


def drawn(block: Block) -> tuple[list[Any], Any]:
    """What Plotly gets of a figure: traces and layout."""
    assert isinstance(block, Figure)
    return list(block.traces), block.layout


def traces(frames: int = 3, stages: int = 2) -> tuple[Trace, Trace]:
    """Measured and predicted: a pipeline over two devices, the second stage on both."""
    made = []
    for kind, time_ns in (("measured", 1100), ("predicted", 1000)):
        spans = [
            Span(
                f"stage {stage}",
                f"fake:NPU.{stage}@fp32",
                (f"NPU.{stage}",) if stage == 0 else (f"NPU.{stage}", "link"),
                frame,
                0,
                stage,
                (frame + stage) * time_ns,
                (frame + stage + 1) * time_ns,
            )
            for frame in range(frames)
            for stage in range(stages)
        ]
        ordered = tuple(sorted(spans, key=lambda span: span.start_ns))
        made.append(Trace("measured" if kind == "measured" else "predicted", ordered))
    return made[0], made[1]
