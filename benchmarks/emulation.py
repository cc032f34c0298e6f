"""A board that is not here, emulated in real time: does the wall clock agree with the simulation?

SqueezeNet v1.0 as a pipeline of two stages on an Exynos 5422, 100 frames, computed by ONNX Runtime
or not at all. The stage times are those of another board, an RK3399Pro
(Ehsan-aghapour/CO-UP-Profiling, Profiling/Data), the GPU's scaled so that the CPU is 1.159 times
as fast: the ratio that a master's thesis (University of Seoul, 2018) implies, whose pipeline is
1.97 times as fast as the GPU alone and 1.70 times as the CPU alone. It is cut behind fire4, and the
hand-over of 1.58 ms keeps the GPU busy.

Run: python benchmarks/emulation.py [TIME_SCALE]
"""

from __future__ import annotations

import os
import re
import sys
import time

from counterpoint.api import Session, emulated_machine
from counterpoint.costs.table import CostTable, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.result import PlannedLane, PlanResult, Segment, Status
from counterpoint.platform.model import (
    ComputeUnit,
    Device,
    DeviceKind,
    Link,
    Platform,
    Provenance,
)
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import simulate
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_of

FRAMES = 100
ROUNDS = 2

CPU_MS = (27.22, 6.74, 6.99, 16.21, 4.20, 7.10, 8.02, 12.14, 4.48, 11.22)
GPU_MS = (21.16, 6.81, 6.51, 14.06, 4.52, 6.37, 7.16, 9.74, 5.20, 17.40)
"""conv1 and its pooling, fire2 to fire9, conv10 and its pooling."""

CPU_OVER_GPU = 1.159
HAND_OVER_NS = 1_580_000
ON_GPU = 4

CPU = ComputeUnit("armcl", (Device("CPU.0", DeviceKind.CPU, "cpu", (4, 5, 6, 7)),), "fp32")
GPU = ComputeUnit("armcl", (Device("GPU", DeviceKind.GPU, "gpu"),), "fp32")
FREE = float("inf")
LINKS = (
    Link("host", "gpu", 0, FREE, Provenance.ASSUMED),
    Link("cpu", "host", 0, FREE, Provenance.ASSUMED),
    Link("gpu", "cpu", HAND_OVER_NS, FREE, Provenance.ASSUMED, occupies=("GPU",)),
)
BOARD = Platform("Exynos 5422", "exynos-5422", (CPU.devices[0], GPU.devices[0]), (CPU, GPU), LINKS)


def stage_of(layer: str, behind: int) -> int:
    """Index of the stage; a pooling belongs to the stage before it."""
    found = re.match(r"(conv1|fire|conv10)(\d*)", layer.replace("conv10", "fire10"))
    return behind if found is None else int(found[2] or 1) - 1


def board_costs(network: Network) -> CostTable:
    """A stage's whole time is at its first layer."""
    scale = CPU_OVER_GPU * sum(CPU_MS) / sum(GPU_MS)
    rows: list[tuple[int, int]] = []
    stage = -1
    for layer in network.layers:
        before, stage = stage, stage_of(layer.name, stage)
        first = stage != before
        rows.append(
            (round(CPU_MS[stage] * 1e6), round(GPU_MS[stage] * scale * 1e6)) if first else (0, 0)
        )
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint=BOARD.fingerprint,
        layer_names=tuple(layer.name for layer in network.layers),
        units=(UnitCosts(CPU, 0), UnitCosts(GPU, 0)),
        layer_ns=tuple(rows),
        links=LINKS,
    )


def pipeline(network: Network, table: CostTable) -> Plan:
    stage, cut = -1, 0
    for layer in network.layers:
        stage = stage_of(layer.name, stage)
        cut += stage < ON_GPU
    count = len(network.layers)
    segments: tuple[Segment, ...] = (
        (tuple(range(cut)), GPU.name),
        (tuple(range(cut, count)), CPU.name),
    )
    answer = PlanResult(
        planner="by hand",
        status=Status.FEASIBLE,
        lanes=(PlannedLane(segments),),
        value=evaluate(network, table, segments).latency_ns,
    )
    return plan_of(network, BOARD, {}, table, answer, frames_in_flight=4)


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    network = load("zoo:squeezenet_v1.0")
    table = board_costs(network)
    plan = pipeline(network, table)
    predicted = predicted_graph(network, plan, BOARD)
    assert predicted is not None  # noqa: S101 - plan_of predicts
    simulated = simulate(*predicted, FRAMES)
    simulated_s = simulated.makespan_ns / 1e9
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; time scale {scale:g}")
    print(f"simulated  {FRAMES / simulated_s:7.3f} frames/s")
    for column, name in enumerate(("CPU", "GPU")):
        alone_s = sum(row[column] or 0 for row in table.layer_ns) * FRAMES / 1e9
        print(f"  {alone_s / simulated_s:.3f} times the {name} alone")
    frame = seeded_frame(network.inputs)
    for compute in (False, True):
        machine = emulated_machine(BOARD, time_scale=scale, compute=compute)
        for _ in range(ROUNDS):
            with Session(network, plan, machine=machine) as session:
                session.run(None, frame)
                begin_ns = time.perf_counter_ns()
                for _ in session.stream([frame] * FRAMES):
                    pass
                taken_s = (time.perf_counter_ns() - begin_ns) / 1e9 / scale
                kept = session.punctuality()
            assert kept is not None  # noqa: S101 - emulated
            print(
                f"{'computed' if compute else 'zeros':<10} {FRAMES / taken_s:7.3f} frames/s, "
                f"{100 * (simulated_s / taken_s - 1):+.2f} %; {kept.overruns} of {kept.runs} runs "
                f"took too long here, the worst end was {kept.worst_lag_ns / 1e6:.2f} ms late; "
                f"least time scale {kept.least_time_scale or 0:.2f}"
            )


if __name__ == "__main__":
    main()
