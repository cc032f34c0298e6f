"""Tuned latency against what the engines do as installed, interleaved in one run.

    python benchmarks/never_slower.py [--precision any] [--json out.json] [MODEL ...]

For each network: tune, then run our session, ONNX Runtime and OpenVINO as installed in turn, and
print the ratio of the better of the two to ours (above 1: we are faster), its spread over the
rounds, and how far the predicted latency was from the measured one. Without models, the ten
networks of the zoo.
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
from counterpoint.api import Machine, devices, precisions_of
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import Comparison
from counterpoint.network.zoo import DEFAULT_TEN
from counterpoint.tuning.contenders import (
    compare_in_turn,
    installed_contenders,
    plan_contender,
)
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.progress import Silence
from counterpoint.tuning.tune import is_coarser

OURS = "counterpoint"


def better_ratio(comparison: Comparison) -> tuple[str, float, float, float]:
    """The faster of the others, and its time over ours: median, p10 and p90 over the rounds."""
    others = [name for name in comparison.samples if name != OURS]
    best = min(others, key=comparison.relative)
    return best, *comparison.ratio(best, OURS)


@dataclass(frozen=True, slots=True)
class Row:
    """One network's line of the table."""

    network: str
    plan: str
    other: str
    ratio: float
    ratio_p10: float
    ratio_p90: float
    predicted_ns: int
    measured_ns: int
    rounds_ns: Mapping[str, Sequence[int]]

    @property
    def prediction_error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted_ns / self.measured_ns - 1

    def line(self) -> str:
        """For the table."""
        return (
            f"{self.network:24} {self.measured_ns / 1e6:9.3f} {self.ratio:6.3f} "
            f"{self.ratio_p10:6.3f} {self.ratio_p90:6.3f}  {self.predicted_ns / 1e6:9.3f} "
            f"{self.prediction_error:+6.1%}  {self.other}; {self.plan}"
        )


def measure(model: str, machine: Machine, store: Path, precision: str | None, rounds: int) -> Row:
    """Tunes one network and runs the plan and the others in turn."""
    network = cp.load(model)
    result = cp.tune(
        network, precision=precision, machine=machine, store=store, compare_installed=False
    )
    frame = seeded_frame(network.inputs, 1)
    installed, _ = installed_contenders(
        network, machine.engines, frame, any_precision=is_coarser(precisions_of(precision))
    )
    ours = plan_contender(network, result.plan, machine.platform, machine.engines, frame)
    comparison = compare_in_turn(
        network,
        {OURS: ours} | installed,
        rounds=rounds,
        block_ns=150_000_000,
        progress=Silence(),
    )
    other, ratio, low, high = better_ratio(comparison)
    return Row(
        network.name,
        result.winner,
        other,
        ratio,
        low,
        high,
        result.plan.prediction.latency_ns,
        comparison.samples[OURS].median_ns,
        comparison.rounds,
    )


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 when every ratio is at least 0.98."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[f"zoo:{name}" for name in DEFAULT_TEN])
    parser.add_argument("--precision", default=None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", action="append", help="only units named so, e.g. openvino")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--store", type=Path, default=None)
    options = parser.parse_args(argv)
    machine = devices(only=options.device)
    print("; ".join(f"{key} {value}" for key, value in machine.platform.facts.items()))
    print(
        f"{'network':24} {'ours ms':>9} {'ratio':>6} {'p10':>6} {'p90':>6}  "
        f"{'predicted':>9} {'error':>6}  better of the others; plan"
    )
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        store = options.store or Path(scratch) / "store.sqlite"
        for model in options.models:
            try:
                row = measure(model, machine, store, options.precision, options.rounds)
            except CounterpointError as error:
                print(f"{Path(model).stem:24} {error}")
                continue
            print(row.line(), flush=True)
            rows.append(row)
    ratios = [row.ratio for row in rows]
    errors = [abs(row.prediction_error) for row in rows]
    print(
        f"median prediction error {statistics.median(errors):.1%}; ratios {min(ratios):.3f} .. "
        f"{max(ratios):.3f}, median {statistics.median(ratios):.3f}; "
        f"{sum(ratio >= 0.98 for ratio in ratios)} of {len(ratios)} at least 0.98"
    )
    if options.json:
        document = {"machine": dict(machine.platform.facts), "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(document, indent=1))
    return 0 if min(ratios) >= 0.98 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
