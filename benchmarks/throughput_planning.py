"""Throughput: how close plans come to the bound, how long planning and a million frames take.

    PYTHONPATH=. python benchmarks/throughput_planning.py [--frames 1000000] [--json figures.json]

Three tables:

* seven networks on the recorded layer times of an A311D board with two and three units: the linear
  program's bound, the interval of the plan in virtual time, and that of the best contiguous
  pipeline if its busiest unit never waited;
* planning 500 layers on 8 units; costs as in ``planning_speed.py``;
* simulating a plan of three lanes.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from tests.recorded_tables import (
    A311D,
    A311D_NETWORKS,
    A311D_THREE,
    A311D_TWO,
    a311d_costs,
    a311d_platform,
)
from tests.shared_data import FOLDER

from counterpoint.network.graph import Network
from counterpoint.planning.throughput import plan_throughput
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import simulate
from counterpoint.tuning.in_flight import frames_in_flight
from counterpoint.tuning.planned import plan_of
from planning_speed import branches, chain, network_of, residual, table_of

Row = dict[str, str | int | float]

STEADY_FRAMES = 4_000


def deepened(name: str, units: Sequence[str]) -> tuple[Network, Plan]:
    """The throughput plan of a recorded network with as many frames in flight as it needs."""
    network, table = a311d_costs(name, units)
    machine = a311d_platform(table)
    plan = plan_of(network, machine, {}, table, plan_throughput(network, table))
    return network, frames_in_flight(network, plan, machine)


def board(name: str, units: Sequence[str]) -> Row:
    network, table = a311d_costs(name, units)
    planned = plan_throughput(network, table)
    pipeline = plan_throughput(network, table, method="pipeline")
    single = plan_throughput(network, table, method="single")
    _, plan = deepened(name, units)
    predicted = predicted_graph(network, plan, a311d_platform(table))
    if predicted is None or None in (planned.lower_bound, pipeline.value, single.value):
        raise SystemExit(f"{name} has no plan")
    interval_ns = simulate(*predicted, STEADY_FRAMES, record=False).interval_ns or 0.0
    bound_ns = planned.lower_bound or 0
    return {
        "network": name,
        "units": len(units),
        "bound_ms": bound_ns / 1e6,
        "simulated_ms": interval_ns / 1e6,
        "of_bound": bound_ns / interval_ns,
        "pipeline_ms": (pipeline.value or 0) / 1e6,
        "over_pipeline": (pipeline.value or 0) / interval_ns,
        "over_single": (single.value or 0) / interval_ns,
        "lanes": len(plan.lanes),
        "frames_in_flight": plan.frames_in_flight,
    }


def print_board(rows: Sequence[Row]) -> None:
    print("A311D, mean interval between frames in ms; ratios are in frames a second\n")
    print(
        "network              units    bound  simulated  of bound  pipeline  over pipeline  "
        "over single  lanes  in flight"
    )
    for row in rows:
        print(
            f"{row['network']:<20} {row['units']:>5} {row['bound_ms']:>8.2f}"
            f" {row['simulated_ms']:>10.2f} {row['of_bound']:>9.3f} {row['pipeline_ms']:>9.2f}"
            f" {row['over_pipeline']:>14.3f} {row['over_single']:>12.3f} {row['lanes']:>6}"
            f" {row['frames_in_flight']:>10}"
        )
    for units in (2, 3):
        some = [float(row["over_pipeline"]) for row in rows if row["units"] == units]
        print(f"\nmean gain over the best pipeline, {units} units: {sum(some) / len(some) - 1:.1%}")
    print(f"least part of the bound: {min(float(row['of_bound']) for row in rows):.3f}\n")


def planning() -> list[Row]:
    rows: list[Row] = []
    print("planning 500 layers on 8 units\n")
    print("graph          wall s   CPU s  lanes asked for  gap")
    for graph in (chain, residual, branches):
        rng = Random(1)  # noqa: S311 - costs to try, not secrets
        network = network_of(graph(500), rng)
        table = table_of(network, 8, rng)
        began, began_cpu = perf_counter(), process_time()
        plan = plan_throughput(network, table)
        wall_s, cpu_s = perf_counter() - began, process_time() - began_cpu
        asked = plan.settings["pricings"]
        print(
            f"{graph.__name__:<12} {wall_s:>8.2f} {cpu_s:>7.2f} {asked:>16} {plan.gap or 0:>6.2%}"
        )
        rows.append({"graph": graph.__name__, "wall_s": wall_s, "cpu_s": cpu_s})
    print()
    return rows


def long_run(frames: int) -> Row:
    network, plan = deepened("mobilenet_v1", A311D_THREE)
    _, table = a311d_costs("mobilenet_v1", A311D_THREE)
    predicted = predicted_graph(network, plan, a311d_platform(table))
    if predicted is None:
        raise SystemExit("the plan predicts no times")
    graph, durations_ns = predicted
    began = perf_counter()
    result = simulate(graph, durations_ns, frames, record=False)
    wall_s = perf_counter() - began
    nodes = sum(
        share * len(lane) for share, lane in zip(graph.shares, graph.lanes, strict=True)
    ) / sum(graph.shares)
    part = (plan.prediction.lower_bound or 0) / (result.interval_ns or 1.0)
    print(
        f"{frames:,} frames over {len(plan.lanes)} lanes: {wall_s:.1f} s,"
        f" {frames * nodes / wall_s:,.0f} events/s, {part:.4f} of the bound"
    )
    return {"frames": frames, "wall_s": wall_s, "of_bound": part}


def main() -> None:
    parser = argparse.ArgumentParser(description="How good and how quick throughput plans are.")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    figures: dict[str, object] = {"planning": planning()}
    if (FOLDER / A311D).exists():
        rows = [board(name, units) for units in (A311D_TWO, A311D_THREE) for name in A311D_NETWORKS]
        print_board(rows)
        figures |= {"board": rows, "simulation": long_run(max(2, options.frames))}
    else:
        print(f"no recorded board in {FOLDER}: set COUNTERPOINT_TEST_DATA")
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
