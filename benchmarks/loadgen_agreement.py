"""LoadGen's SingleStream 90th percentile against the one that we measure, interleaved.

    python benchmarks/loadgen_agreement.py [--model zoo:squeezenet_v1.1] [--unit UNIT] [--rounds 9]
        [--seconds 3]

In each round one session answers images one at a time, timed by us, and then as many by LoadGen.
The ratio of LoadGen's percentile to ours has the median over the rounds and its spread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import counterpoint as cp
from counterpoint.api import devices
from counterpoint.bench.loadgen.running import run_loadgen
from counterpoint.bench.loadgen.samples import Samples
from counterpoint.bench.loadgen.settings import LoadGenSettings, Scenario
from counterpoint.measure.sampling import Samples as Times
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_on_unit

IMAGES = 16
PERCENTILE = "90.00"
BAR = 0.05


def main(argv: Sequence[str]) -> int:
    """Prints a line a round and the median; 0 when that is within the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="zoo:squeezenet_v1.1")
    parser.add_argument("--unit", default="openvino:CPU@fp32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args(argv)
    machine = devices()
    print("; ".join(f"{key} {value}" for key, value in machine.platform.facts.items()))
    network = cp.load(options.model)
    plan = plan_on_unit(network, machine.platform, machine.engines, options.unit)
    frames = [seeded_frame(network.inputs, seed) for seed in range(IMAGES)]
    settings = LoadGenSettings(
        scenario=Scenario.SINGLE_STREAM, min_duration_ms=round(1e3 * options.seconds)
    )
    ratios = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        cp.Session(network, plan, machine=machine) as session,
    ):
        for frame in frames:
            session.run(None, frame)
        for number in range(options.rounds):
            times: list[int] = []
            end_ns = time.perf_counter_ns() + round(1e9 * options.seconds)
            for frame in cycle(frames):
                begin_ns = time.perf_counter_ns()
                session.run(None, frame)
                times.append(time.perf_counter_ns() - begin_ns)
                if begin_ns > end_ns:
                    break
            ours_ns = Times(tuple(times)).quantile_ns(0.9)
            found = run_loadgen(
                session, Samples(IMAGES, frames.__getitem__), settings, Path(scratch) / str(number)
            ).performance
            if found is None or found.quantiles_ns.get(PERCENTILE) is None:
                raise SystemExit("LoadGen tells no 90th percentile")
            theirs_ns = found.quantiles_ns[PERCENTILE]
            ratios.append(theirs_ns / ours_ns)
            print(
                f"ours {ours_ns / 1e6:.3f} ms, LoadGen {theirs_ns / 1e6:.3f} ms "
                f"({'valid' if found.valid else 'INVALID'}), ratio {ratios[-1]:.3f}",
                flush=True,
            )
    middle = statistics.median(ratios)
    print(f"median ratio {middle:.3f}, {min(ratios):.3f} .. {max(ratios):.3f}")
    return 0 if abs(middle - 1) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
