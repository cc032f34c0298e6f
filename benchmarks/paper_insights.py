"""What Xu et al. (NPC 2019) saw on six processors, looked for here with today's software.

    python benchmarks/paper_insights.py [orders] [batching] [batchnorm] [threads]

* ``orders``: five networks, single units in turn; is the order by time that by operations? Then
  where the time of each goes on each unit, and how much of it no instrument saw.
* ``batching``: images a second of a batch of eight over one at a time.
* ``batchnorm``: networks with BatchNorm kept, as separate nodes without any fusion, against the
  same networks as the engine fuses them.
* ``threads``: runtime overhead with one thread and with two.

Everything that is said is computed by ``counterpoint.bench.insights.computed``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import counterpoint as cp
from counterpoint.api import Machine, devices
from counterpoint.bench.breakdown.measuring import breakdown_of, contender_of
from counterpoint.bench.breakdown.roofline import node_overheads, roofline_points
from counterpoint.bench.breakdown.sums import by_function, by_type, unattributed_share
from counterpoint.bench.breakdown.unfused import BATCHNORM_KEPT, fused, unfused_units
from counterpoint.bench.insights.computed import insights
from counterpoint.bench.result import (
    Basis,
    BenchResult,
    Breakdown,
    Function,
    MachineDescription,
    Metric,
    RooflinePoint,
    Row,
)
from counterpoint.measure.peak import copy_bandwidth_bytes_per_s, unit_peaks
from counterpoint.measure.sampling import Comparison, interleave
from counterpoint.network.batching import with_batch
from counterpoint.network.graph import Network
from counterpoint.platform.host import read_host
from counterpoint.platform.model import ComputeUnit
from counterpoint.tuning.contenders import plan_contender
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_on_unit

FIVE = ("zoo:alexnet", "zoo:mobilenet_v1", "zoo:resnet50", "zoo:vgg16", "zoo:yolov2")
WITH_BATCHNORM = ("zoo:mobilenet_v1", "zoo:resnet50", "zoo:yolov2")
BATCHED = ("zoo:alexnet", "zoo:mobilenet_v1", "zoo:resnet50")
BY_THREADS = ("zoo:squeezenet_v1.1", "zoo:mobilenet_v1")

ONNXRUNTIME = "onnxruntime:CPU@fp32"
ONE_THREAD = "onnxruntime:CPU@fp32[threads=1]"
UNITS = (ONNXRUNTIME, "openvino:CPU@fp32", "ncnn:CPU@fp32")
BATCH = 8
ROUNDS = 8


class Records:
    """What was measured so far on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.rows: list[Row] = []
        self.breakdowns: list[Breakdown] = []
        self.points: list[RooflinePoint] = []
        host = read_host()
        self.copy_bytes_per_s = copy_bandwidth_bytes_per_s(
            last_cache_bytes=max((c.size_bytes or 0 for c in host.caches), default=0),
            memory_bytes=host.memory_limit_bytes or host.memory_bytes,
            threads=host.usable_processor_count,
        )
        units = machine.platform.units
        usual = [unit for unit in units if fused(unit) == unit]
        self.peaks = unit_peaks(usual, machine.engines)
        self.overheads_ns = node_overheads(units, machine.engines)

    def break_down(self, name: str, network: Network, unit: str, variant: str = "") -> None:
        here = self.machine
        plan = plan_on_unit(network, here.platform, here.engines, unit)
        found = breakdown_of(network, plan, here.engines, here.platform, name=name, variant=variant)
        self.breakdowns.append(found)
        self.points += roofline_points(
            network,
            found,
            plan,
            here.platform,
            peaks=self.peaks,
            copy_bytes_per_s=self.copy_bytes_per_s,
            overheads_ns=self.overheads_ns,
        )

    def time_units(
        self, name: str, network: Network, units: Sequence[str], metric: Metric, batch: int = 1
    ) -> None:
        here = self.machine
        frame = seeded_frame(network.inputs)
        plans = {unit: plan_on_unit(network, here.platform, here.engines, unit) for unit in units}
        seen: Comparison = interleave(
            {
                unit: plan_contender(network, plan, here.platform, here.engines, frame)
                for unit, plan in plans.items()
            },
            rounds=ROUNDS,
        )
        for unit, plan in plans.items():
            self.rows.append(
                Row(
                    network=name,
                    contender=contender_of(plan, here.engines, here.platform),
                    metric=metric,
                    basis=Basis.MEASURED,
                    batch=batch,
                    images_per_sample=batch,
                    samples_ns=seen.samples[unit].times_ns,
                    rounds_ns=seen.rounds[unit],
                )
            )

    def tell(self) -> None:
        """Every finding, and the breakdowns behind them."""
        platform = self.machine.platform
        result = BenchResult(
            machine=MachineDescription(
                platform.name,
                platform.fingerprint,
                platform.facts,
                {name: engine.version() for name, engine in self.machine.engines.items()},
                tuple(unit.name for unit in platform.units),
                self.peaks,
                self.copy_bytes_per_s,
            ),
            settings={},
            started="",
            rows=tuple(self.rows),
            breakdowns=tuple(self.breakdowns),
            points=tuple(self.points),
        )
        print("| finding | holds here | figures |\n|---|---|---|")
        for insight in insights(result):
            holds = {True: "yes", False: "no", None: ""}[insight.holds]
            print(f"| {insight.name} | {holds} | {insight.text} |")
        if self.rows:
            print("\n| network | unit | batch | median ms | images/s |\n|---|---|---|---|---|")
        for row in self.rows:
            if row.samples is not None:
                print(
                    f"| {row.network} | {row.contender.name} | {row.batch} "
                    f"| {row.samples.median_ns / 1e6:.2f} | {row.images_per_s or 0:.1f} |"
                )
        if self.breakdowns:
            functions = [str(function) for function in Function]
            print(f"\n| network | unit | whole ms | {' | '.join(functions)} | BatchNorm |")
            print("|---" * (len(functions) + 4) + "|")
        for found in self.breakdowns:
            own = by_function(found)
            cells = [f"{own.get(function, 0) / found.whole_ns:.1%}" for function in Function]
            norm = by_type(found).get("BatchNorm", 0) / found.whole_ns
            name = f"{found.network} {found.variant}".strip()
            print(
                f"| {name} | {found.contender.name} | {found.whole_ns / 1e6:.2f} "
                f"| {' | '.join(cells)} | {norm:.1%} |"
            )
        if self.breakdowns:
            shares = [abs(unattributed_share(found)) for found in self.breakdowns]
            within = sum(share <= 0.02 for share in shares)
            print(f"\nparts within 2 % of the whole: {within} of {len(shares)}")


def orders(machine: Machine) -> Records:
    records = Records(machine)
    for name in FIVE:
        network = cp.load(name)
        records.time_units(name, network, UNITS, Metric.LATENCY)
        for unit in UNITS[:2]:
            records.break_down(name, network, unit)
    return records


def batching(machine: Machine) -> Records:
    records = Records(machine)
    for name in BATCHED:
        network = cp.load(name)
        records.time_units(name, network, UNITS[:2], Metric.LATENCY)
        several = with_batch(network, BATCH)
        records.time_units(name, several, UNITS[:2], Metric.THROUGHPUT, BATCH)
    return records


def batchnorm(machine: Machine) -> Records:
    (unfused,) = (u for u in unfused_units(machine.platform) if u.setting("threads") is None)
    units: tuple[ComputeUnit, ...] = (*machine.platform.units, unfused)
    records = Records(replace(machine, platform=replace(machine.platform, units=units)))
    for name in WITH_BATCHNORM:
        kept = cp.load(name, keep_batchnorm=True)
        records.break_down(name, kept, unfused.name, BATCHNORM_KEPT)
        # The engine folds BatchNorm by itself, so the file is the same.
        records.break_down(name, kept, ONNXRUNTIME)
    return records


def threads(machine: Machine) -> Records:
    records = Records(machine)
    for name in BY_THREADS:
        network = cp.load(name)
        for unit in (ONE_THREAD, ONNXRUNTIME):
            records.break_down(name, network, unit)
    return records


PARTS: dict[str, tuple[Callable[[Machine], Records], tuple[str, ...]]] = {
    "orders": (orders, UNITS),
    "batching": (batching, UNITS[:2]),
    "batchnorm": (batchnorm, (ONNXRUNTIME,)),
    "threads": (threads, (ONE_THREAD, ONNXRUNTIME)),
}


def main(words: Sequence[str]) -> None:
    for word in words or PARTS:
        measure, units = PARTS[word]
        print(f"\n## {word}\n")
        measure(devices(only=units)).tell()


if __name__ == "__main__":
    main(sys.argv[1:])
