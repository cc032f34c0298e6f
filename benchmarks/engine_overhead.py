"""What a session costs over the engines' own calls, interleaved in one run.

    python benchmarks/engine_overhead.py [MODEL ...]

For each model and each fp32 unit: a plan of one segment against the engine's own documented call
(``InferenceSession.run``, ``InferRequest.infer``), and a plan cut into up to eight segments against
the same compiled segments called one after the other in a bare loop. The bars: 20 us or 3 % for one
segment, whichever is more; 30 us for a hand-over.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import counterpoint as cp
from counterpoint.api import Machine, devices
from counterpoint.costs.objective import Objective
from counterpoint.engines.protocol import Tensor
from counterpoint.measure.sampling import Comparison, Contender, Run, interleave
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.tuning.contenders import installed_contenders, plan_contender
from counterpoint.tuning.frames import seeded_frame

MOST_SEGMENTS = 8
MODELS = ("zoo:squeezenet_v1.1", "zoo:mobilenet_v2", "zoo:resnet18")


def plan_of(network: Network, machine: Machine, unit: ComputeUnit, segments: int) -> Plan:
    """A plan that cuts the network into equal parts, all on one unit."""
    count = len(network.layers)
    bounds = [round(index * count / segments) for index in range(segments + 1)]
    parts = tuple(Segment(tuple(range(first, last)), unit.name) for first, last in pairwise(bounds))
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=machine.platform.name,
        platform_fingerprint=machine.platform.fingerprint,
        objective=Objective.LATENCY,
        lanes=(Lane(parts),),
        frames_in_flight=1,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={unit.engine: machine.engines[unit.engine].version()},
        prediction=Prediction(0),
    )


def bare_loop(network: Network, plan: Plan, machine: Machine) -> Contender:
    """The plan's segments called in a row, with nothing around them."""
    frame = seeded_frame(network.inputs, 1)

    @contextmanager
    def ready() -> Iterator[Run]:
        with ExitStack() as stack:
            slots = {name: index for index, name in enumerate(network.tensors)}
            tensors: dict[int, Tensor] = {slots[name]: frame[name] for name in frame}
            steps = []
            for segment in plan.lanes[0].segments:
                unit = machine.platform.unit(segment.unit)
                part = network.subnetwork(segment.layers)
                engine = machine.engines[unit.engine]
                compiled = engine.compile(part, unit, exclusive=False)
                stack.callback(compiled.close)
                reads = [slots[spec.name] for spec in part.inputs]
                writes = [slots[spec.name] for spec in part.outputs]
                steps.append((compiled.run, reads, writes))

            def run() -> None:
                for call, reads, writes in steps:
                    outputs = call([tensors[index] for index in reads])
                    for index, output in zip(writes, outputs, strict=True):
                        tensors[index] = output

            yield run

    return ready


def difference_us(comparison: Comparison, ours: str, other: str) -> float:
    """Median over the rounds of how much longer ours took."""
    pairs = zip(comparison.rounds[ours], comparison.rounds[other], strict=True)
    differences = sorted(mine - theirs for mine, theirs in pairs)
    return differences[len(differences) // 2] / 1e3


def main(models: Sequence[str]) -> int:
    """Prints a line for each model and unit."""
    machine = devices()
    print(f"{'network':22} {'unit':24} {'own call us':>11} {'session':>9} {'hand-over us':>12}")
    for model in models or MODELS:
        network = cp.load(model)
        frame = seeded_frame(network.inputs, 1)
        for unit in machine.platform.units:
            if unit.precision != "fp32" or network.is_quantised:
                continue
            engines = {unit.engine: machine.engines[unit.engine]}
            own, _ = installed_contenders(network, engines, frame, any_precision=False)
            label = next(iter(own))
            whole = plan_of(network, machine, unit, 1)
            cut = plan_of(network, machine, unit, min(MOST_SEGMENTS, len(network.layers)))
            platform = machine.platform
            one = interleave(
                {"session": plan_contender(network, whole, platform, engines, frame)} | own,
                rounds=21,
                max_runs=2000,
            )
            many = interleave(
                {
                    "session": plan_contender(network, cut, platform, engines, frame),
                    "bare": bare_loop(network, cut, machine),
                },
                rounds=21,
                max_runs=2000,
            )
            switches = len(cut.lanes[0].segments) - 1
            print(
                f"{network.name:22} {unit.name:24} {one.samples[label].median_ns / 1e3:11.1f} "
                f"{difference_us(one, 'session', label):+9.1f} "
                f"{difference_us(many, 'session', 'bare') / switches:+12.1f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
