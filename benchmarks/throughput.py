"""Tuned throughput against the engines' own throughput modes, interleaved in one run.

    python benchmarks/throughput.py [--precision any] [--device NAME ...] [--json FILE] [MODEL ...]

For each network: tune for throughput with growing batches, which also finds the best batch of each
engine's own mode: OpenVINO's throughput hint with its optimal number of requests, as its
benchmark_app runs it; ONNX Runtime with one session, and with a session of one thread for each
core. Then our plan and all modes run the same images in turn, started anew every few rounds. The
table has the ratio of our rate to the best mode's, its spread over the rounds, and how far the
predicted interval was from the measured one. Without models, the ten networks of the zoo.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import counterpoint as cp
from counterpoint.api import Machine, as_planned, devices, one_core_each, precisions_of
from counterpoint.costs.store import Store
from counterpoint.errors import CounterpointError
from counterpoint.network.zoo import DEFAULT_TEN
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.progress import Silence
from counterpoint.tuning.stream_comparison import Stream, compare_streams
from counterpoint.tuning.stream_meter import StreamMeter
from counterpoint.tuning.tune import is_coarser

OURS = "counterpoint"
SAME = 0.98
"""The noise band: two starts of one and the same contender differ by up to 2 % in the median."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network's line of the table."""

    network: str
    plan: str
    batch: int
    other: str
    images_per_s: float
    ratio: float
    ratio_p10: float
    ratio_p90: float
    predicted_ns: int | None
    measured_ns: int
    rounds_ns: Mapping[str, Sequence[int]]
    images: int

    @property
    def prediction_error(self) -> float | None:
        """Predicted over measured interval, less one."""
        return None if self.predicted_ns is None else self.predicted_ns / self.measured_ns - 1

    def line(self) -> str:
        """For the table."""
        error = self.prediction_error
        shown = "" if error is None else f"{error:+6.1%}"
        return (
            f"{self.network:18} {self.images_per_s:9.1f} {self.ratio:6.3f} {self.ratio_p10:6.3f} "
            f"{self.ratio_p90:6.3f} {shown:>7}  {self.other}; {self.plan}"
        )


def measure(model: str, machine: Machine, store: Path, options: argparse.Namespace) -> Row:
    """Tunes one network, then runs the plan and the engines' modes in turn."""
    network = cp.load(model)
    result = cp.tune_throughput(network, precision=options.precision, machine=machine, store=store)
    plan = result.plan
    batch = plan.batch or 1
    frame = [seeded_frame(network.inputs, 1)]
    meter = StreamMeter(network, machine.platform, machine.engines, Store.in_memory(), frame)
    stream = Stream(
        OURS,
        as_planned(network, plan),
        plan,
        meter.frame(batch),
        (plan.prediction.interval_ns or 1) / batch,
    )
    compared = compare_streams(
        meter,
        [stream],
        result.installed,
        platform=machine.platform,
        engines=machine.engines,
        any_precision=is_coarser(precisions_of(options.precision)),
        rounds=options.rounds,
        progress=Silence(),
    )
    comparison, images = compared.comparison, compared.images
    other = min((mode.label for mode in result.installed), key=comparison.relative)
    ratio, low, high = comparison.ratio(other, OURS)
    taken_ns = comparison.samples[OURS].median_ns
    return Row(
        network=network.name,
        plan=result.winner,
        batch=batch,
        other=other,
        images_per_s=images * 1e9 / taken_ns,
        ratio=ratio,
        ratio_p10=low,
        ratio_p90=high,
        predicted_ns=plan.prediction.interval_ns,
        measured_ns=taken_ns * batch // images,
        rounds_ns=comparison.rounds,
        images=images,
    )


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 when every ratio is within the noise band of 1 or above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[f"zoo:{name}" for name in DEFAULT_TEN])
    parser.add_argument("--precision", default=None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", action="append", help="only units named so, e.g. openvino")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--store", type=Path, default=None)
    options = parser.parse_args(argv)
    machine = devices(cpu_groups=one_core_each(), only=options.device)
    print("; ".join(f"{key} {value}" for key, value in machine.platform.facts.items()))
    print(
        f"{'network':18} {'images/s':>9} {'ratio':>6} {'p10':>6} {'p90':>6} {'predict':>7}  "
        "best of the others; plan"
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        store = options.store or Path(scratch) / "store.sqlite"
        for model in options.models:
            try:
                row = measure(model, machine, store, options)
            except CounterpointError as error:
                print(f"{model:18} {error}")
                continue
            print(row.line(), flush=True)
            rows.append(row)
    ratios = [row.ratio for row in rows]
    errors = [abs(row.prediction_error) for row in rows if row.prediction_error is not None]
    print(
        f"median prediction error {statistics.median(errors):.1%}; ratios {min(ratios):.3f} .. "
        f"{max(ratios):.3f}, median {statistics.median(ratios):.3f}; "
        f"{sum(ratio >= 1 for ratio in ratios)} of {len(ratios)} at least 1, "
        f"{sum(ratio >= SAME for ratio in ratios)} within the noise band ({SAME} or more)"
    )
    if options.json:
        document = {"machine": dict(machine.platform.facts), "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(document, indent=1))
    return 0 if min(ratios) >= SAME else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
