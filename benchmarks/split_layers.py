"""Large convolutions of VGG16 in two halves on two one-core units, against one core alone.

    python benchmarks/split_layers.py [--engine onnxruntime] [--layer NAME ...] [--json out.json]

For each convolution of a GMAC or more, as a network of its own: one one-core unit, and both with
the layer split in half, in turn in one run. Prints the time of one core over that of two for each
axis (median and spread over the rounds, and the ratio of the least times, which a busy machine
disturbs less), where a frame's time goes, and the median over the layers of the better axis.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from counterpoint.api import Machine, Session, devices
from counterpoint.engines.protocol import Tensor
from counterpoint.measure.sampling import Comparison, Contender, Run, interleave
from counterpoint.network.graph import Network
from counterpoint.network.loading import load
from counterpoint.network.split import Axis, Split
from counterpoint.network.splitting import split
from counterpoint.schedule.plan import Lane, Prediction, Segment
from counterpoint.tuning.planned import plan_of_lanes

LARGE_MACS = 1_000_000_000
AXES: tuple[Axis, ...] = ("channels", "rows")
ONE = "one core"
BAR = 1.7


@dataclass(frozen=True, slots=True)
class Row:
    """One layer split along one axis."""

    layer: str
    axis: Axis
    one_ms: float
    split_ms: float
    ratio: float
    ratio_p10: float
    ratio_p90: float
    least_ratio: float
    segments_ms: Mapping[str, float]


def session_of(network: Network, machine: Machine, units: Sequence[str], trace: bool) -> Session:
    """One segment a layer, on those units."""
    segments = tuple(Segment((index,), unit) for index, unit in enumerate(units))
    plan = plan_of_lanes(
        network,
        machine.platform,
        machine.engines,
        lanes=(Lane(segments),),
        prediction=Prediction(0),
    )
    return Session(network, plan, machine=machine, trace=trace)


def contender(
    network: Network, machine: Machine, units: Sequence[str], frame: Mapping[str, Tensor]
) -> Contender:
    @contextmanager
    def ready() -> Iterator[Run]:
        with session_of(network, machine, units, trace=False) as session:
            yield lambda: session.run(None, frame)

    return ready


def segment_times(
    network: Network, machine: Machine, units: Sequence[str], frame: Mapping[str, Tensor]
) -> dict[str, float]:
    """Median time of each segment, and of the gaps of a frame in which none runs, in ms."""
    times: dict[str, list[int]] = {}
    with session_of(network, machine, units, trace=True) as session:
        for _ in range(9):
            session.run(None, frame)
            trace = session.trace()
            spans = trace.spans if trace else ()
            for layer, span in zip(
                network.layers, sorted(spans, key=lambda span: span.segment), strict=True
            ):
                times.setdefault(layer.name, []).append(span.end_ns - span.start_ns)
            started = sorted(span.start_ns for span in spans)
            times.setdefault("start of the second", []).append(started[1] - started[0])
    return {name: statistics.median(some) / 1e6 for name, some in times.items()}


def compare(network: Network, machine: Machine, engine: str, rounds: int) -> list[Row]:
    name = network.layers[0].name
    first, second = (f"{engine}:CPU.{number}@fp32" for number in range(2))
    spec = network.inputs[0]
    random = np.random.default_rng(0)
    frame = {spec.name: random.standard_normal(spec.shape or ()).astype(np.float32)}
    halves = {axis: split(network, [Split((name,), axis, (1, 1))]) for axis in AXES}
    units = (first, second, first)
    contenders: dict[str, Contender] = {ONE: contender(network, machine, [first], frame)}
    for axis, half in halves.items():
        contenders[axis] = contender(half, machine, units, frame)
    comparison = interleave(contenders, rounds=rounds, block_ns=400_000_000)
    return [
        row(name, axis, comparison, segment_times(halves[axis], machine, units, frame))
        for axis in AXES
    ]


def row(name: str, axis: Axis, comparison: Comparison, segments: Mapping[str, float]) -> Row:
    one, both = comparison.samples[ONE], comparison.samples[axis]
    return Row(
        name,
        axis,
        one.median_ns / 1e6,
        both.median_ns / 1e6,
        *comparison.ratio(ONE, axis),
        min(one.times_ns) / min(both.times_ns),
        segments,
    )


def layers_to_split(names: Sequence[str]) -> Iterator[Network]:
    """Each large layer as a network of its own, with its own weights."""
    network = load("zoo:vgg16")
    for layer in network.layers:
        if layer.kind == "Conv" and layer.macs >= LARGE_MACS and (not names or layer.name in names):
            yield load(network.subnetwork([layer.index]).onnx_path())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = devices(cpu_groups="1,1")
    rows: list[Row] = []
    print("layer        axis      one core   two cores   ratio (p10 to p90)     of least times")
    for network in layers_to_split(options.layer):
        for made in compare(network, machine, options.engine, options.rounds):
            rows.append(made)
            spread = f"({made.ratio_p10:.2f} to {made.ratio_p90:.2f})"
            print(
                f"{made.layer:12} {made.axis:9} {made.one_ms:7.2f} ms {made.split_ms:8.2f} ms  "
                f"{made.ratio:5.2f} {spread:16}  {made.least_ratio:8.2f}"
            )
            times = ", ".join(f"{name} {time:.2f}" for name, time in made.segments_ms.items())
            print(f"             [ms] {times}", flush=True)
    for what, value in (("ratio", "ratio"), ("ratio of least times", "least_ratio")):
        best: dict[str, float] = {}
        for made in rows:
            best[made.layer] = max(best.get(made.layer, 0.0), getattr(made, value))
        print(f"median {what} of the better axis: {statistics.median(best.values()):.2f}")
    print(f"bar: {BAR}")
    if options.json:
        options.json.write_text(json.dumps([asdict(made) for made in rows], indent=2))


if __name__ == "__main__":
    main()
