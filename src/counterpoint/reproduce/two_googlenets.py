"""Two GoogLeNets at once on the GPU and the DLA of a Jetson AGX Xavier (HaX-CoNN, PPoPP 2024).

Each network is cut at the borders of the recorded groups, and changes its unit at most twice. All
pairs of such ways are tried. Times of groups are scaled to the unit's recorded whole network, as
their sums miss it; the time of a change of unit is busy time of the unit that is left.

GPU and DLA share one DRAM. What a group demands of it is what its layers have to move, over its
time: inputs, weights and outputs once, in fp16, parts of a concatenation written in place. How much
that slows the other unit down is :mod:`counterpoint.costs.models.contention`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

from counterpoint.costs.models.contention import XAVIER_DLA, XAVIER_GPU, SharedMemory
from counterpoint.costs.models.protocol import item_scale
from counterpoint.costs.recorded import stage_layers
from counterpoint.errors import InternalError
from counterpoint.network.loading import ZOO_PREFIX, load
from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.model import DeviceKind
from counterpoint.platform.platform_file import load_platform
from counterpoint.reproduce.figure import Figure, Reproduction, at_most
from counterpoint.reproduce.stage_chain import Staged, chain, device_unit
from counterpoint.schedule.dispatch_graph import DispatchGraph, SegmentNode
from counterpoint.schedule.shared_bandwidth import simulate_shared

NAME = "two-googlenets"

WHOLE_MS = {"GPU": 1.959, "DLA": 3.656}
"""FP16, TensorRT 7.1.3: HaX-CoNN's artefact."""

GROUP_MS = {
    "GPU": (0.35, 0.15, 0.20, 0.11, 0.12, 0.13, 0.15, 0.19, 0.12, 0.20),
    "DLA": (0.75, 0.34, 0.45, 0.37, 0.31, 0.33, 0.31, 0.35, 0.27, 0.36),
}
"""Groups that begin at layers 0, 10, 25, 39, 52, 66, 81, 94, 110 and 124: the artefact's table for
its planner. Its log of the GPU, which the shipped platform has, is up to 7 % higher."""

LEAVING_MS = {
    "GPU": (0.020, 0.028, 0.010, 0.041, 0.028, 0.036, 0.037, 0.028, 0.043),
    "DLA": (0.074, 0.064, 0.067, 0.056, 0.048, 0.047, 0.045, 0.046, 0.050),
}
"""Change of unit after each group but the last: likewise."""

UNITS = ("GPU", "DLA")
GROUPS = len(GROUP_MS["GPU"])
MOST_CHANGES = 2

APART = SharedMemory({})
"""Nobody slows anybody down."""

XAVIER = SharedMemory({"GPU": XAVIER_GPU, "DLA": XAVIER_DLA})

PLATFORM = "jetson_agx_xavier"
_NETWORK = "googlenet"
_FP16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Step:
    """Groups of one network in a row on one unit.

    Attributes:
        unit: ``GPU`` or ``DLA``.
        time_ns: With the change to the next unit.
        moved_bytes: To and from the shared memory.
    """

    unit: str
    time_ns: int
    moved_bytes: int = 0

    @property
    def demand_gb_per_s(self) -> float:
        """Bytes a nanosecond; 0 for what takes no time."""
        return self.moved_bytes / self.time_ns if self.time_ns else 0.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One way for each of the two networks.

    Attributes:
        orders: A letter a group, ``G`` or ``D``, of each network.
        makespan_ns: Until both are done.
    """

    orders: tuple[str, str]
    makespan_ns: int

    def steps(
        self, times_ns: Mapping[str, tuple[int, ...]]
    ) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Both ways with groups of these times."""
        one, other = self.orders
        return steps_of(one, times_ns), steps_of(other, times_ns)


def group_ns(*, scaled: bool = True) -> Mapping[str, tuple[int, ...]]:
    """Times of the groups by unit, scaled to the whole network or as recorded."""
    return {
        unit: tuple(
            round(1e6 * time_ms * (WHOLE_MS[unit] / sum(row) if scaled else 1.0)) for time_ms in row
        )
        for unit, row in GROUP_MS.items()
    }


@cache
def group_bytes() -> tuple[int, ...]:
    """What each group moves to and from DRAM, on either unit.

    Raises:
        InternalError: The network's shapes or the platform's groups are not known.
    """
    network, platform = load(f"{ZOO_PREFIX}{_NETWORK}"), load_platform(PLATFORM)
    recorded = platform.recorded(_NETWORK)
    if recorded is None:
        raise InternalError(f"{PLATFORM} has no record of {_NETWORK}")
    found = []
    for members in stage_layers(platform, recorded, network):
        moved = 0.0
        for layer in (network.layers[index] for index in members):
            if layer.input_bytes is None or layer.output_bytes is None:
                raise InternalError(f"{_NETWORK}: the bytes of {layer.name} are not known")
            if layer.kind != "Concat":
                listed = layer.input_bytes + layer.weight_bytes + layer.output_bytes
                moved += listed * item_scale(layer, _FP16_BYTES)
        found.append(round(moved))
    return tuple(found)


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


def steps_of(
    order: str, times_ns: Mapping[str, tuple[int, ...]], moved_bytes: Sequence[int] | None = None
) -> tuple[Step, ...]:
    """An order as runs of groups.

    Args:
        order: A letter a group.
        times_ns: Of the groups, by unit.
        moved_bytes: By each group; ``None``: as :func:`group_bytes`.
    """
    moved_bytes = group_bytes() if moved_bytes is None else moved_bytes
    units = ["GPU" if letter == "G" else "DLA" for letter in order]
    steps: list[Step] = []
    run_ns = run_bytes = 0
    for group, unit in enumerate(units):
        run_ns += times_ns[unit][group]
        run_bytes += moved_bytes[group]
        if group + 1 == len(units) or units[group + 1] != unit:
            leaving = LEAVING_MS[unit][group] if group + 1 < len(units) else 0.0
            steps.append(Step(unit, run_ns + round(1e6 * leaving), run_bytes))
            run_ns = run_bytes = 0
    return tuple(steps)


def together_ns(one: Sequence[Step], other: Sequence[Step], memory: SharedMemory = APART) -> int:
    """Time until both networks are done; who comes first to a unit gets it, ``one`` on a tie.

    Args:
        one: Its steps.
        other: Likewise.
        memory: Who slows whom down.
    """
    networks = (one, other)
    graph = DispatchGraph(
        tuple(
            tuple(
                SegmentNode((step.unit,), (place - 1,) if place else ())
                for place, step in enumerate(steps)
            )
            for steps in networks
        ),
        shares=(1, 1),
        frames_in_flight=2,
    )
    return simulate_shared(
        graph,
        [[step.time_ns for step in steps] for steps in networks],
        [[step.demand_gb_per_s for step in steps] for steps in networks],
        memory,
        frames=2,
        record=False,
    ).makespan_ns


def best_pair(times_ns: Mapping[str, tuple[int, ...]], memory: SharedMemory = APART) -> Pair:
    """The two ways after which both networks are done first, of all there are.

    Pairs are tried in order of what they take at least: the longer network, or the busier unit.
    """
    ways = {order: steps_of(order, times_ns) for order in sorted(set(all_orders()))}
    least_first = sorted(
        (_least_pair_ns(first, second), one, other)
        for one, first in ways.items()
        for other, second in ways.items()
    )
    best: Pair | None = None
    for least, one, other in least_first:
        if best is not None and least > best.makespan_ns:
            break
        found = Pair((one, other), together_ns(ways[one], ways[other], memory))
        if best is None or (found.makespan_ns, found.orders) < (best.makespan_ns, best.orders):
            best = found
    if best is None:
        raise InternalError("no way through the groups")
    return best


def _least_pair_ns(one: Sequence[Step], other: Sequence[Step]) -> int:
    lanes = [sum(step.time_ns for step in steps) for steps in (one, other)]
    busy = [sum(step.time_ns for step in (*one, *other) if step.unit == unit) for unit in UNITS]
    return max(*lanes, *busy)


def alone_ns(
    times_ns: Mapping[str, tuple[int, ...]], memory: SharedMemory = APART
) -> Mapping[str, int]:
    """Both networks without a change of unit, by what is done."""
    gpu, dla = (steps_of(letter * GROUPS, times_ns) for letter in "GD")
    return {
        "both on the GPU, in turn": together_ns(gpu, gpu, memory),
        "both on the DLA, in turn": together_ns(dla, dla, memory),
        "one on each": together_ns(gpu, dla, memory),
    }


def least_ns(times_ns: Mapping[str, tuple[int, ...]]) -> int:
    """No two frames on these units are done earlier, whoever runs what: twice the least interval
    of the linear program, with free changes of unit and no contention.
    """
    units = {
        "GPU": device_unit("tensorrt", "GPU", DeviceKind.GPU),
        "DLA": device_unit("tensorrt", "DLA", DeviceKind.NPU),
    }
    rows = {units[name].name: row for name, row in times_ns.items()}
    staged = Staged(name=_NETWORK, stages=chain(rows), units=tuple(units.values()))
    return 2 * (plan_throughput(staged.network, staged.table).lower_bound or 0)


def two_googlenets() -> Reproduction:
    """Sums of groups against whole networks; then two networks at once."""
    times_ns = group_ns()
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
    baselines = alone_ns(times_ns)
    demands = {
        unit: [moved / time_ns for moved, time_ns in zip(group_bytes(), row, strict=True)]
        for unit, row in times_ns.items()
    }
    told = " and ".join(
        f"{min(row):.0f} to {max(row):.0f} GB/s on the {unit}" for unit, row in demands.items()
    )
    most = {
        unit: max(
            XAVIER.contention[unit].slow_down(own, max(demands[other])) for own in demands[unit]
        )
        for unit, other in (UNITS, UNITS[::-1])
    }
    slowed = " and ".join(
        f"{100 * (times - 1):.0f} % on the {unit}" for unit, times in most.items()
    )
    return Reproduction(
        name=NAME,
        title="Two networks on GPU and DLA at once, GoogLeNet FP16, Jetson AGX Xavier",
        sources=(
            "ismetdagli/HaX-CoNN (PPoPP 2024), artefact: groups, changes of unit, wholes, and the "
            "parameters of the slow-down by contention",
        ),
        figures=(
            *sums,
            *(
                Figure(what=f"two GoogLeNets, {what}", unit="ms", model=value / 1e6)
                for what, value in baselines.items()
            ),
            *_planned(times_ns),
        ),
        notes=(
            "One letter a group: G on the GPU, D on the DLA. All pairs of ways with at most two "
            "changes of unit each were tried, those without any included.",
            "Changes of unit and contention are free in the bound.",
            f"Demands of the groups when alone: {told}, of {XAVIER_GPU.peak_gb_per_s:g} that the "
            f"memory has. Beside the largest of the other unit groups take up to {slowed} longer; "
            "the GPU is the busier unit of the best plan, so that contention costs it little.",
            "The paper tells gains of 0 to 26 % over the best baseline for its pairs of networks.",
        ),
    )


def _planned(times_ns: Mapping[str, tuple[int, ...]]) -> tuple[Figure, ...]:
    """The best pair without contention, what contention makes of it, and the best pair with it."""
    baselines, slowed_baselines = (alone_ns(times_ns, memory) for memory in (APART, XAVIER))
    best, slowed = (best_pair(times_ns, memory) for memory in (APART, XAVIER))
    bound_ms = least_ns(times_ns) / 1e6
    recorded = group_ns(scaled=False)
    as_recorded_ns = together_ns(*best.steps(recorded))
    same_ns = together_ns(*best.steps(times_ns), memory=XAVIER)
    limit_ns, slowed_limit_ns = min(baselines.values()), min(slowed_baselines.values())
    return (
        Figure(
            what="two GoogLeNets, planned with changes of unit",
            unit="ms",
            planner=best.makespan_ns / 1e6,
            bound=bound_ms,
            bar=at_most(limit_ns / 1e6),
            judges_planner=True,
            note=(
                f"{_ways(best)}; with the groups as recorded {as_recorded_ns / 1e6:.2f} ms, and "
                f"{min(alone_ns(recorded).values()) / 1e6:.2f} ms without a change"
            ),
        ),
        Figure(
            what="two GoogLeNets, the same ways under contention",
            unit="ms",
            planner=same_ns / 1e6,
            note=f"{100 * (same_ns / best.makespan_ns - 1):+.1f} % by contention",
        ),
        Figure(
            what="two GoogLeNets, planned under contention",
            unit="ms",
            planner=slowed.makespan_ns / 1e6,
            bound=bound_ms,
            bar=at_most(slowed_limit_ns / 1e6),
            judges_planner=True,
            note=f"{_ways(slowed)}; {slowed_limit_ns / 1e6:.2f} ms without a change",
        ),
        Figure(
            what="two GoogLeNets: gain over the best way without a change, under contention",
            unit="%",
            planner=100 * (1 - slowed.makespan_ns / slowed_limit_ns),
            note=f"{100 * (1 - best.makespan_ns / limit_ns):.1f} % without contention",
        ),
    )


def _ways(pair: Pair) -> str:
    return " and ".join(pair.orders)
