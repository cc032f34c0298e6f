"""Our numbers of ONNX Runtime and OpenVINO against those of their own tools, interleaved.

    python benchmarks/agreement.py [--rounds N] [--seconds S] [--json FILE] [MODEL ...]

Each round, in an order that turns: our row as ``counterpoint bench`` measures it, then the tool in
a process of its own on the same network as an ONNX file. ONNX Runtime: the mean of
``onnxruntime.tools.onnxruntime_test``, against our mean. OpenVINO: the median latency of
``benchmark_app -hint latency``, and its throughput with ``-hint throughput``, against our median
and our rate. The table has the median over the rounds of ours over theirs, and the spread.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import counterpoint as cp
from counterpoint.api import Machine, devices
from counterpoint.bench.matrix.entrants import (
    Entrant,
    Frame,
    installed_one_by_one,
    installed_streamed,
)
from counterpoint.bench.matrix.turns import Turns, measured_rows
from counterpoint.bench.result import Contender, Method, Metric, Row
from counterpoint.network.graph import Network
from counterpoint.network.onnx_export import write_model
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.progress import Silence

MODELS = ("zoo:squeezenet_v1.1", "zoo:mobilenet_v1", "zoo:resnet50")
BAR = 0.05


@dataclass(frozen=True, slots=True)
class Agreement:
    """Ours and theirs, round by round: milliseconds, or images a second."""

    network: str
    what: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs within each round, ascending."""
        return sorted(own / other for own, other in zip(self.ours, self.theirs, strict=True))

    def line(self) -> str:
        """For the table."""
        ratios = self.ratios
        own, other = statistics.median(self.ours), statistics.median(self.theirs)
        return (
            f"{self.network:20} {self.what:32} {own:9.3f} {other:9.3f} "
            f"{statistics.median(ratios):6.3f} {ratios[0]:6.3f} {ratios[-1]:6.3f}"
        )


def our_row(entrant: Entrant, metric: Metric, seconds: float) -> Row:
    """One contender for that long, as a bench measures it."""
    turns = Turns(rounds=1, runs=10_000, turn_ns=round(seconds * 1e9))
    rows = measured_rows("", metric, [entrant], turns, wanted=1, progress=Silence())
    row = rows[0]
    if not isinstance(row, Row) or row.failure is not None:
        raise SystemExit(f"{entrant.contender.name} failed: {row}")
    return row


def tool(words: Sequence[str], pattern: str) -> float:
    """The number that a tool prints."""
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.findall(pattern, ended.stdout)
    if ended.returncode or not found:
        raise SystemExit(f"{' '.join(words)} failed: {ended.stdout[-500:]}{ended.stderr[-500:]}")
    return float(found[0])


def pairs(
    network: Network, path: Path, machine: Machine, seconds: float
) -> dict[str, tuple[Callable[[], float], Callable[[], float]]]:
    """What is compared, by name: our number and theirs."""
    frame: Frame = seeded_frame(network.inputs)
    runtime, openvino = machine.engines["onnxruntime"], machine.engines["openvino"]

    def entrant(name: str, ready: Callable[..., object]) -> Entrant:
        return Entrant(contender=Contender(name, Method.PEER, "", ""), ready=ready)  # type: ignore[arg-type]

    def one_by_one(name: str) -> Entrant:
        engine = machine.engines[name]
        make = partial(engine.as_installed, network, any_precision=True)
        return entrant(name, installed_one_by_one(make, network, [frame], name))

    def mean_ms(found: Row) -> float:
        return (found.average_ns or 0) / 1e6

    def median_ms(found: Row) -> float:
        return found.samples.median_ns / 1e6 if found.samples else 0.0

    mode = openvino.throughput_modes(any_precision=True)["throughput hint"]
    timed = our_row(one_by_one(openvino.name), Metric.LATENCY, 0.3)
    frames = max(8, int(seconds * 1e9 / (timed.average_ns or 1)))
    stream = installed_streamed(partial(mode, network), network, frame, 8, frames)
    ours_runtime, ours_openvino = one_by_one(runtime.name), one_by_one(openvino.name)
    iterations = str(max(50, int(seconds * 1e9 / (timed.average_ns or 1) / 2)))
    app = [str(Path(sys.executable).with_name("benchmark_app")), "-m", str(path), "-d", "CPU"]
    app += ["-t", str(max(1, round(seconds)))]
    module = [sys.executable, "-m", "onnxruntime.tools.onnxruntime_test", str(path), iterations]
    return {
        "ONNX Runtime, mean ms": (
            lambda: mean_ms(our_row(ours_runtime, Metric.LATENCY, seconds)),
            lambda: tool(module, r"avg latency: ([0-9.e+-]+) ms"),
        ),
        "OpenVINO latency hint, median ms": (
            lambda: median_ms(our_row(ours_openvino, Metric.LATENCY, seconds)),
            lambda: tool([*app, "-hint", "latency"], r"Median: +([0-9.]+) ms"),
        ),
        "OpenVINO throughput hint, 1/s": (
            lambda: (
                1e3 * frames / median_ms(our_row(entrant("", stream), Metric.THROUGHPUT, 0.001))
            ),
            lambda: tool([*app, "-hint", "throughput"], r"Throughput: +([0-9.]+) FPS"),
        ),
    }


def compare(model: str, machine: Machine, rounds: int, seconds: float) -> list[Agreement]:
    """All pairs of a network, in turn."""
    network = cp.load(model)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        write_model(network, path)
        both = pairs(network, path, machine, seconds)
        found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in both}
        for number in range(rounds):
            for name, sides in both.items():
                for side in (0, 1) if number % 2 == 0 else (1, 0):
                    found[name][side].append(sides[side]())
    return [
        Agreement(network.name, name, tuple(ours), tuple(theirs))
        for name, (ours, theirs) in found.items()
    ]


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 when every median ratio is within the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args(argv)
    machine = devices()
    print("; ".join(f"{key} {value}" for key, value in machine.platform.facts.items()))
    print(
        f"{'network':20} {'what':32} {'ours':>9} {'theirs':>9} {'ratio':>6} {'low':>6} {'high':>6}"
    )
    found: list[Agreement] = []
    for model in options.models:
        for agreement in compare(model, machine, options.rounds, options.seconds):
            print(agreement.line(), flush=True)
            found.append(agreement)
    if options.json:
        options.json.write_text(json.dumps([asdict(agreement) for agreement in found], indent=1))
    far = [a for a in found if abs(statistics.median(a.ratios) - 1) > BAR]
    print(f"{len(found) - len(far)} of {len(found)} agree within {BAR:.0%}")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
