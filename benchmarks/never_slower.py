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
from collections.abc import Sequence
from pathlib import Path

import counterpoint as cp
from counterpoint.api import devices
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

OURS = "counterpoint"


def better_ratio(comparison: Comparison) -> tuple[str, float, float, float]:
    """The faster of the others, and its time over ours: median, p10 and p90 over the rounds."""
    others = [name for name in comparison.samples if name != OURS]
    best = min(others, key=lambda name: statistics.median(comparison.rounds[name]))
    return best, *comparison.ratio(best, OURS)


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 when every ratio is at least 0.98."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[f"zoo:{name}" for name in DEFAULT_TEN])
    parser.add_argument("--precision", default=None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--store", type=Path, default=None)
    options = parser.parse_args(argv)
    machine = devices()
    rows = []
    print(machine.platform.facts)
    print(
        f"{'network':24} {'ours ms':>9} {'ratio':>6} {'p10':>6} {'p90':>6}  "
        f"{'predicted':>9} {'error':>6}  better of the others; plan"
    )
    with tempfile.TemporaryDirectory() as scratch:
        store = options.store or Path(scratch) / "store.sqlite"
        for model in options.models:
            try:
                network = cp.load(model)
                result = cp.tune(
                    network,
                    precision=options.precision,
                    machine=machine,
                    store=store,
                    compare_installed=False,
                )
            except CounterpointError as error:
                print(f"{Path(model).stem:24} {error}")
                continue
            frame = seeded_frame(network.inputs, 1)
            installed, _ = installed_contenders(
                network, machine.engines, frame, any_precision=options.precision is not None
            )
            ours = plan_contender(network, result.plan, machine.platform, machine.engines, frame)
            comparison = compare_in_turn(
                network,
                {OURS: ours} | installed,
                rounds=options.rounds,
                block_ns=150_000_000,
                progress=Silence(),
            )
            ours_ns = comparison.samples[OURS].median_ns
            predicted_ns = result.plan.prediction.latency_ns
            off = predicted_ns / ours_ns - 1
            best, ratio, low, high = better_ratio(comparison)
            print(
                f"{network.name:24} {ours_ns / 1e6:9.3f} {ratio:6.3f} {low:6.3f} {high:6.3f}  "
                f"{predicted_ns / 1e6:9.3f} {off:+6.1%}  {best}; {result.winner}",
                flush=True,
            )
            rows.append(
                {
                    "network": network.name,
                    "plan": result.winner,
                    "ratio": ratio,
                    "ratio_p10": low,
                    "ratio_p90": high,
                    "predicted_ns": predicted_ns,
                    "rounds_ns": {name: list(v) for name, v in comparison.rounds.items()},
                }
            )
            del network, result
    errors = [
        abs(row["predicted_ns"] / statistics.median(row["rounds_ns"][OURS]) - 1)  # type:
        ignore[index] for row in rows
    ]
    ratios = [float(row["ratio"]) for row in rows]  # type: ignore[arg-type]
    print(
        f"median prediction error {statistics.median(errors):.1%}; ratios {min(ratios):.3f} .. "
        f"{max(ratios):.3f}, median {statistics.median(ratios):.3f}; "
        f"{sum(ratio >= 0.98 for ratio in ratios)} of {len(ratios)} at least 0.98"
    )
    if options.json:
        facts = dict(machine.platform.facts)
        options.json.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1))
    return 0 if min(ratios) >= 0.98 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
