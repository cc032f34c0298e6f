"""Two GoogLeNets at once on the GPU and the DLA of a Jetson AGX Xavier (HaX-CoNN, PPoPP 2024).

Each network is cut at the borders of the recorded groups, and changes its unit at most twice. All
pairs of such ways are tried. Times of groups are scaled to the unit's recorded whole network, as
their sums miss it; the time of a change of unit is busy time of the unit that is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.model import DeviceKind
from counterpoint.reproduce.figure import Figure, Reproduction, at_most
from counterpoint.reproduce.stage_chain import Staged, chain, device_unit

NAME = "two-googlenets"

WHOLE_MS = {"GPU": 1.959, "DLA": 3.656}
"""FP16, TensorRT 7.1.3: HaX-CoNN's artefact."""

GROUP_MS = {
    "GPU": (0.35, 0.15, 0.20, 0.11, 0.12, 0.13, 0.15, 0.19, 0.12, 0.20),
    "DLA": (0.75, 0.34, 0.45, 0.37, 0.31, 0.33, 0.31, 0.35, 0.27, 0.36),
}
"""Groups that begin at layers 0, 10, 25, 39, 52, 66, 81, 94, 110 and 124: the artefact's table."""

LEAVING_MS = {
    "GPU": (0.020, 0.028, 0.010, 0.041, 0.028, 0.036, 0.037, 0.028, 0.043),
    "DLA": (0.074, 0.064, 0.067, 0.056, 0.048, 0.047, 0.045, 0.046, 0.050),
}
"""Change of unit after each group but the last: likewise."""

UNITS = ("GPU", "DLA")
GROUPS = len(GROUP_MS["GPU"])
MOST_CHANGES = 2

CONTENTION = 1.2
"""Assumed, to see what it does: the artefact has no slow-down of these groups by each other."""

_DONE_NS = 1e-3
"""Less work than this is rounding."""


@dataclass(frozen=True, slots=True)
class Step:
    """Groups of one network in a row on one unit.

    Attributes:
        unit: ``GPU`` or ``DLA``.
        time_ns: With the change to the next unit.
    """

    unit: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One way for each of the two networks.

    Attributes:
        orders: A letter a group, ``G`` or ``D``, of each network.
        makespan_ns: Until both are done.
    """

    orders: tuple[str, str]
    makespan_ns: int


def group_ns(*, scaled: bool = True) -> Mapping[str, tuple[int, ...]]:
    """Times of the groups by unit, scaled to the whole network or as recorded."""
    return {
        unit: tuple(
            round(1e6 * time_ms * (WHOLE_MS[unit] / sum(row) if scaled else 1.0)) for time_ms in row
        )
        for unit, row in GROUP_MS.items()
    }


def all_orders(changes: int = MOST_CHANGES) -> Iterator[str]:
    """Every way through the groups with at most so many changes of unit."""
    for cuts in combinations_with_replacement(range(GROUPS + 1), changes):
        ends = (*cuts, GROUPS)
        for first in (0, 1):
            order, start = "", 0
            for number, end in enumerate(ends):
                order += "GD"[(first + number) % 2] * (end - start)
                start = end
            yield order


def steps_of(order: str, times_ns: Mapping[str, tuple[int, ...]]) -> tuple[Step, ...]:
    """An order as runs of groups."""
    units = ["GPU" if letter == "G" else "DLA" for letter in order]
    steps: list[Step] = []
    run_ns = 0
    for group, unit in enumerate(units):
        run_ns += times_ns[unit][group]
        if group + 1 == len(units) or units[group + 1] != unit:
            leaving = LEAVING_MS[unit][group] if group + 1 < len(units) else 0.0
            steps.append(Step(unit, run_ns + round(1e6 * leaving)))
            run_ns = 0
    return tuple(steps)


def together_ns(one: Sequence[Step], other: Sequence[Step], slow_down: float = 1.0) -> int:
    """Time until both networks are done; who comes first to a unit gets it, ``one`` on a tie.

    Args:
        one: Its steps.
        other: Likewise.
        slow_down: How many times as long everything takes while both units are busy.
    """
    left = [list(one), list(other)]
    work = [steps[0].time_ns * 1.0 for steps in left]
    holder: dict[str, int] = {}  # unit to network; a network that waits keeps its place
    now_ns = 0.0
    while any(left):
        for who in (0, 1):
            if left[who]:
                holder.setdefault(left[who][0].unit, who)
        running = sorted(holder.values())
        rate = 1 / slow_down if len(running) == len(UNITS) else 1.0
        passed_ns = min(work[who] for who in running) / rate
        now_ns += passed_ns
        for who in running:
            work[who] -= passed_ns * rate
            if work[who] < _DONE_NS:
                del holder[left[who].pop(0).unit]
                work[who] = left[who][0].time_ns if left[who] else 0.0
    return round(now_ns)


def best_pair(times_ns: Mapping[str, tuple[int, ...]], slow_down: float = 1.0) -> Pair:
    """The two ways after which both networks are done first, of all there are."""
    ways = {order: steps_of(order, times_ns) for order in sorted(set(all_orders()))}
    made = (
        Pair((one, other), together_ns(first, second, slow_down))
        for one, first in ways.items()
        for other, second in ways.items()
    )
    return min(made, key=lambda pair: (pair.makespan_ns, pair.orders))


def alone_ns(times_ns: Mapping[str, tuple[int, ...]], slow_down: float = 1.0) -> Mapping[str, int]:
    """Both networks without a change of unit, by what is done."""
    gpu, dla = (steps_of(letter * GROUPS, times_ns) for letter in "GD")
    return {
        "both on the GPU, in turn": together_ns(gpu, gpu, slow_down),
        "both on the DLA, in turn": together_ns(dla, dla, slow_down),
        "one on each": together_ns(gpu, dla, slow_down),
    }


def least_ns(times_ns: Mapping[str, tuple[int, ...]]) -> int:
    """No two frames on these units are done earlier, whoever runs what: twice the least interval
    of the linear program, with free changes of unit.
    """
    units = {
        "GPU": device_unit("tensorrt", "GPU", DeviceKind.GPU),
        "DLA": device_unit("tensorrt", "DLA", DeviceKind.NPU),
    }
    rows = {units[name].name: row for name, row in times_ns.items()}
    staged = Staged(name="googlenet", stages=chain(rows), units=tuple(units.values()))
    return 2 * (plan_throughput(staged.network, staged.table).lower_bound or 0)


def two_googlenets() -> Reproduction:
    """Sums of groups against whole networks; then two networks at once."""
    times_ns = group_ns()
    baselines = alone_ns(times_ns)
    best = best_pair(times_ns)
    slowed = best_pair(times_ns, CONTENTION)
    recorded = group_ns(scaled=False)
    first, second = (steps_of(order, recorded) for order in best.orders)
    again_ns = together_ns(first, second)
    sums = [
        Figure(
            what=f"GoogLeNet on the {unit}: sum of the recorded groups",
            unit="ms",
            published=WHOLE_MS[unit],
            model=sum(GROUP_MS[unit]),
            note="the error of the recorded table: groups are scaled by it",
        )
        for unit in UNITS
    ]
    return Reproduction(
        name=NAME,
        title="Two networks on GPU and DLA at once, GoogLeNet FP16, Jetson AGX Xavier",
        sources=("ismetdagli/HaX-CoNN (PPoPP 2024), artefact: groups, changes of unit, wholes",),
        figures=(
            *sums,
            *(
                Figure(what=f"two GoogLeNets, {what}", unit="ms", model=value / 1e6)
                for what, value in baselines.items()
            ),
            Figure(
                what=f"two GoogLeNets, planned, both units {CONTENTION:g} x slower while both run",
                unit="ms",
                planner=slowed.makespan_ns / 1e6,
                bar=at_most(min(alone_ns(times_ns, CONTENTION).values()) / 1e6),
                judges_planner=True,
                note=f"{slowed.orders[0]} and {slowed.orders[1]}; the slow-down is an assumption",
            ),
            Figure(
                what="two GoogLeNets, planned with changes of unit",
                unit="ms",
                planner=best.makespan_ns / 1e6,
                bound=least_ns(times_ns) / 1e6,
                bar=at_most(min(baselines.values()) / 1e6),
                judges_planner=True,
                note=(
                    f"{best.orders[0]} and {best.orders[1]}; "
                    f"with the groups as recorded {again_ns / 1e6:.2f} ms, and "
                    f"{min(alone_ns(recorded).values()) / 1e6:.2f} ms without a change"
                ),
            ),
        ),
        notes=(
            "One letter a group: G on the GPU, D on the DLA. All pairs of ways with at most two "
            "changes of unit each were tried, those without any included.",
            "Changes of unit are free in the bound.",
        ),
    )
