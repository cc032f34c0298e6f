"""Plans under an accuracy budget against fp32 as installed and against uniform precisions.

    python benchmarks/accuracy_budget.py MODEL PRESET --calibration DIR [--labels FILE]
        [--max-drop 1] [--throughput] [--rounds 15] [--json out.json]

Tunes under the budget. Then the plan, each engine as installed (fp32), and the whole network in
each precision on each unit, whether or not that keeps the budget (by the held-back images), run in
turn, started anew every few rounds. The table has the ratio of each one's time to the plan's (above
1: the plan is faster) with its spread, and what each precision loses. With --throughput the last
comparison of the tuning is shown, over the same number of images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import counterpoint as cp
from counterpoint.api import Machine, as_planned, devices, one_core_each
from counterpoint.cli.accuracy import AccuracyOptions
from counterpoint.costs.store import Store
from counterpoint.errors import EngineError, UserInputError
from counterpoint.measure.sampling import Comparison, Contender
from counterpoint.network.graph import Network
from counterpoint.tuning.accuracy import Accuracy
from counterpoint.tuning.budget import AccuracyBudget
from counterpoint.tuning.contenders import (
    compare_in_turn,
    installed_contenders,
    plan_contender,
)
from counterpoint.tuning.mixed_precision import PrecisionSearch
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.precision_tuning import (
    FLOATS,
    Latency,
    PrecisionResult,
    Throughput,
    tune_precision,
)
from counterpoint.tuning.progress import Silence

OURS = "counterpoint"


@dataclass(frozen=True, slots=True)
class Uniform:
    """The whole network in one precision on one unit."""

    label: str
    accuracy: Accuracy
    keeps: bool
    contender: Contender


def uniforms(search: PrecisionSearch, result: PrecisionResult, machine: Machine) -> list[Uniform]:
    """Every unit of the whole machine that runs the network in one precision, judged."""
    frame = search.verification.images.frames[0]
    runs: list[tuple[str, Network, str]] = [
        (f"uniform {unit.precision} on {unit.name}", search.network, unit.name)
        for unit in machine.platform.units
        if unit.precision in FLOATS and not any(device.is_part for device in unit.devices)
    ]
    runs += [(f"uniform int8 on {mix.unit}", mix.network, mix.unit) for mix in result.found.uniform]
    found = []
    for label, network, unit in runs:
        try:
            plan = plan_on_unit(network, machine.platform, machine.engines, unit)
            accuracy = search.accuracy(network, plan)
        except (UserInputError, EngineError) as error:
            print(f"{label}: {error}")
            continue
        found.append(
            Uniform(
                label,
                accuracy,
                search.budget.broken_by(accuracy) is None,
                plan_contender(network, plan, machine.platform, machine.engines, frame),
            )
        )
    return found


def loss(accuracy: Accuracy) -> str:
    """Points, their interval, and decibels."""
    drop, db = accuracy.drop, accuracy.sqnr_db
    noise = "no noise" if db is None else f"{db:.1f} dB"
    if drop is None:
        return noise
    return (
        f"loses {100 * drop.value:+.1f} points ({100 * drop.low:.1f} to {100 * drop.high:.1f} at "
        f"{100 * drop.confidence:.3g} %, {drop.lost} lost and {drop.won} won of {drop.images}), "
        f"{noise}"
    )


def show(comparison: Comparison, plan: str, told: dict[str, str]) -> None:
    """A line for each contender."""
    print(f"{'median ms':>10} {'p10':>8} {'p90':>8} {'ratio':>6} {'p10':>6} {'p90':>6}")
    for label, samples in sorted(comparison.samples.items(), key=lambda each: each[1].median_ns):
        ratio, low, high = comparison.ratio(label, plan)
        times = (samples.median_ns, samples.low_ns, samples.high_ns)
        print(
            f"{times[0] / 1e6:10.3f} {times[1] / 1e6:8.3f} {times[2] / 1e6:8.3f} "
            f"{ratio:6.3f} {low:6.3f} {high:6.3f}  {label}; {told.get(label, '')}"
        )


def main(argv: list[str]) -> int:
    """Prints the table; 0 when nothing that keeps the budget is faster than 0.98 of the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("preprocess")
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--labels", type=Path, default=None)
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--throughput", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", action="append", default=None)
    parser.add_argument("--store", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args(argv)
    network = cp.load(options.model)
    given = AccuracyOptions(
        max_drop=options.max_drop, calibration=[options.calibration], labels=options.labels
    )
    images = given.images(network, options.preprocess, Path(options.model))
    groups = one_core_each() if options.throughput else None
    machine = devices(cpu_groups=groups, only=options.device)
    print("; ".join(f"{key} {value}" for key, value in machine.platform.facts.items()))
    with (
        tempfile.TemporaryDirectory() as scratch,
        Store.open(options.store or Path(scratch) / "store.sqlite") as store,
    ):
        search = PrecisionSearch(
            network,
            images,
            AccuracyBudget(max_drop=options.max_drop),
            platform=machine.platform,
            engines=machine.engines,
            store=store,
        )
        goal = Throughput() if options.throughput else Latency(compare_installed=False)
        result = tune_precision(search, goal)
    choice = result.plan.precision
    inside = 0 if choice is None else len(choice.int8)
    print(
        f"{network.name}: {inside} of {len(result.found.sensitivity)} layers in int8 on "
        f"{', '.join(result.plan.units)}; {loss(result.accuracy)}; tuned in "
        f"{result.time_spent_ns / 1e9:.0f} s"
    )
    others = uniforms(search, result, machine)
    told = {
        each.label: ("" if each.keeps else "breaks the budget: ") + loss(each.accuracy)
        for each in others
    }
    for each in others:
        if not each.keeps:
            print(f"{each.label} {told[each.label]}")
    if options.throughput:
        comparison, ours = result.compared.comparison, result.winner
    else:
        frame = search.verification.images.frames[0]
        planned = as_planned(network, result.plan)
        contenders = {
            OURS: plan_contender(planned, result.plan, machine.platform, machine.engines, frame)
        }
        contenders |= {each.label: each.contender for each in others}
        installed, _ = installed_contenders(network, machine.engines, frame, any_precision=False)
        comparison = compare_in_turn(
            network, contenders | installed, rounds=options.rounds, progress=Silence()
        )
        ours = OURS
    show(comparison, ours, told)
    if options.json:
        document = {
            "machine": dict(machine.platform.facts),
            "network": network.name,
            "int8_layers": [] if choice is None else list(choice.int8),
            "losses": told,
            "rounds_ns": {name: list(rounds) for name, rounds in comparison.rounds.items()},
        }
        options.json.write_text(json.dumps(document, indent=1))
    broken = {each.label for each in others if not each.keeps}
    rivals = [name for name in comparison.samples if name != ours and name not in broken]
    return 0 if all(comparison.ratio(name, ours)[0] >= 0.98 for name in rivals) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
