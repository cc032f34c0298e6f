"""GPUs against ONNX Runtime's CUDA provider as installed, interleaved in one run.

    python benchmarks/gpus.py [--json out.json] [MODEL ...]

For each network: the tuned plan of least latency, the best plan on the CPU alone and ONNX Runtime
as installed, in turn at batch 1; then the most images a second of all units, of the CPU alone and
of the engines' own modes, each at its best batch; and which part of the frames each lane takes.
Before that, what transfers cost. Without a GPU that is hardware it says so and ends. Without
models, the ten networks of the zoo.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import counterpoint as cp
from counterpoint.api import Machine, devices, one_core_each, tune_throughput
from counterpoint.engines.registry import what_is_absent
from counterpoint.errors import CounterpointError
from counterpoint.measure.transfers import transfer_costs
from counterpoint.network.zoo import DEFAULT_TEN
from counterpoint.platform.model import DeviceKind
from counterpoint.schedule.plan import Plan
from counterpoint.tuning.contenders import compare_in_turn, installed_contenders, plan_contender
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.progress import Silence

OURS, CPU_ALONE = "our plan", "CPU alone"
SAME = 0.98
"""The noise band of two starts of one contender."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network's figures.

    Attributes:
        latency_ns: Median at batch 1, by contender.
        ratio: Time of the fastest other contender over ours.
        plan: Which units the plan of least latency is on.
        images_per_s: At the best batch: ours, the CPU alone, and each engine's own mode.
        shares: Part of the frames of each lane of the throughput plan, by its units.
    """

    network: str
    latency_ns: Mapping[str, int]
    ratio: float
    plan: Sequence[str]
    images_per_s: Mapping[str, float]
    shares: Mapping[str, float]


def measure(model: str, here: Machine, cpu: Machine, store: Path) -> Row:
    """Tunes one network for both objectives, with and without its GPUs."""
    network = cp.load(model)
    ours = cp.tune(network, machine=here, store=store, compare_installed=False).plan
    alone = cp.tune(network, machine=cpu, store=store, compare_installed=False).plan
    frame = seeded_frame(network.inputs, 1)
    installed, _ = installed_contenders(network, here.engines, frame, any_precision=False)
    comparison = compare_in_turn(
        network,
        {
            OURS: plan_contender(network, ours, here.platform, here.engines, frame),
            CPU_ALONE: plan_contender(network, alone, cpu.platform, cpu.engines, frame),
        }
        | installed,
        rounds=15,
        progress=Silence(),
    )
    best = min((name for name in comparison.samples if name != OURS), key=comparison.relative)
    groups = one_core_each()
    fast = tune_throughput(network, machine=devices(cpu_groups=groups), store=store)
    slow = tune_throughput(network, machine=devices(cpu_groups=groups, only=["CPU"]), store=store)
    rates = {
        name: fast.images * 1e9 / samples.median_ns
        for name, samples in fast.comparison.samples.items()
        if name == fast.winner or "as installed" in name or ":" in name
    }
    rates[CPU_ALONE] = slow.images * 1e9 / slow.comparison.samples[slow.winner].median_ns
    return Row(
        network.name,
        {name: samples.median_ns for name, samples in comparison.samples.items()},
        comparison.ratio(best, OURS)[0],
        ours.units,
        rates,
        shares(fast.plan),
    )


def shares(plan: Plan) -> dict[str, float]:
    """Part of the frames that lanes on the same units take."""
    total = sum(lane.share for lane in plan.lanes)
    found: dict[str, float] = {}
    for lane in plan.lanes:
        name = " + ".join(dict.fromkeys(segment.unit for segment in lane.segments))
        found[name] = found.get(name, 0.0) + lane.share / total
    return found


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 when every ratio is at least 0.98, or there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[f"zoo:{name}" for name in DEFAULT_TEN])
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args(argv)
    here = devices()
    gpus = [
        device
        for device in here.platform.devices
        if device.kind is DeviceKind.GPU and not device.is_software
    ]
    if not gpus:
        print("skipped: no GPU here that is hardware; " + "; ".join(what_is_absent()))
        return 0
    print("; ".join(f"{key} {value}" for key, value in here.platform.facts.items()))
    print("; ".join(f"{device.name} {device.description}" for device in gpus))
    transfers = transfer_costs(here.platform.units, here.engines)
    for cost in transfers:
        print(
            f"{cost.engine}: {cost.origin} to {cost.target}, {cost.host_memory}: setup "
            f"{cost.setup_ns} ns, {cost.bandwidth_bytes_per_s} bytes/s {cost.reason or ''}"
        )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in options.models:
            try:
                row = measure(model, here, devices(only=["CPU"]), Path(scratch) / "store.sqlite")
            except CounterpointError as error:
                print(f"{model}: {error}")
                continue
            rows.append(row)
            print(json.dumps(asdict(row), indent=1), flush=True)
    if options.json:
        document = {
            "machine": dict(here.platform.facts),
            "gpus": [device.description for device in gpus],
            "transfers": [asdict(cost) for cost in transfers],
            "rows": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(document, indent=1))
    return 0 if rows and all(row.ratio >= SAME for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
