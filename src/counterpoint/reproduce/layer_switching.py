"""Layer switching on a Khadas VIM3: each layer on the component that suits it (DSD 2022).

A stage that is measured by itself ends with a synchronisation, which a stage inside a longer run
does not have. So where the stages of a component add up to more than its whole network, the excess
belongs to the borders between them: ``entry = (sum - whole) / (stages - 1)``. A run of stages on
one component pays it once, and each stage takes that much less. Where they add up to less, the
stages are scaled to the whole. Nothing here is fitted to a switched run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean

from counterpoint.errors import InternalError, UserInputError
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.latency import plan_latency
from counterpoint.planning.result import Segment
from counterpoint.planning.throughput import plan_throughput
from counterpoint.platform.model import ComputeUnit, DeviceKind, Link, Provenance
from counterpoint.reproduce.a311d_stages import BORDER_ITEMS, RECORDED, Recorded, Run
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, within
from counterpoint.reproduce.stage_chain import Staged, chain, device_unit

NAME = "layer-switching"

TOLERANCE = 0.03
"""Of a switched run: the spread of repeated measurements in the source."""

OUTLIER = ("alexnet", "GGBBBGGB")
"""The run that no sum explains; told, and not judged."""

MEASURED_MEAN_GAIN = 4.58
"""Percent, of the four networks below: from the runs in :mod:`a311d_stages`."""

PAPER_MEAN_GAIN = 4.72
"""Percent, of the paper's five networks: its abstract."""

RK3399PRO_LINKS = (("B", "G", 1_854_000, 516.2e6), ("G", "B", 1_157_000, 481.6e6))
"""From, to, set-up in ns, bytes/s: least squares over the hand-over times of those four networks
on an RK3399Pro (Ehsan-aghapour/CO-UP-Profiling, ``Profiling/Data/Transfers.csv``, medians of 47
borders in each direction; R^2 is 0.84 and 0.68)."""

_KINDS = {"B": DeviceKind.CPU, "G": DeviceKind.GPU, "L": DeviceKind.CPU}
_DEVICES = {"B": "CPU.big", "G": "GPU", "L": "CPU.little"}
_CORES = {"B": (2, 3, 4, 5), "G": (), "L": (0, 1)}


@dataclass(frozen=True, slots=True)
class SwitchedBoard:
    """One network on the components of the board, under one model of what a switch costs.

    Attributes:
        staged: Stages as layers.
        letters: Of the components, by the name of their unit.
        outside_ns: Loading the image and reading the result, by the component that begins.
    """

    staged: Staged
    letters: Mapping[str, str]
    outside_ns: Mapping[str, int] = field(default_factory=dict)

    def segments(self, order: str) -> tuple[Segment, ...]:
        """An order as a lane."""
        units = {letter: unit for unit, letter in self.letters.items()}
        runs = groupby(enumerate(order), key=lambda place: place[1])
        return tuple(
            (tuple(stage for stage, _ in members), units[letter]) for letter, members in runs
        )

    def order(self, segments: tuple[Segment, ...]) -> str:
        """A lane as an order."""
        return "".join(self.letters[unit] * len(stages) for stages, unit in segments)

    def task_ns(self, order: str) -> int:
        """Predicted time of the stages in that order."""
        told = evaluate(self.staged.network, self.staged.table, self.segments(order))
        if told.latency_ns is None:
            raise InternalError(f"{self.staged.name} as {order}: {told.violations[0]}")
        return told.latency_ns

    def total_ns(self, order: str) -> int:
        """With what is outside of the stages."""
        return self.task_ns(order) + self.outside_ns.get(order[0], 0)

    def best_order(self) -> str:
        """Of least latency, by the planner."""
        return self.order(plan_latency(self.staged.network, self.staged.table).segments)


def board(recorded: Recorded, components: str = "BG", *, model: str = "borders") -> SwitchedBoard:
    """A network under one of three models.

    Args:
        recorded: What was measured.
        components: Those that there are, by letter.
        model: ``borders``, as this module's docstring tells; ``sums``: each component's stages
            scaled to its whole, switches free; ``moved``: as ``sums``, and a hand-over takes what
            it takes on an RK3399Pro.

    Raises:
        UserInputError: The stages and the whole run contradict the model.
    """
    moved = model == "moved"
    units = {letter: _unit(letter, own_memory=moved) for letter in components}
    times: dict[str, tuple[int, ...]] = {}
    entry: dict[str, int] = {}
    outside: dict[str, int] = {}
    for letter, unit in units.items():
        stages_ns = tuple(round(time_ms * 1e6) for time_ms in recorded.stage_ms[letter])
        whole = recorded.whole(letter)
        if whole is None:
            times[unit.name] = stages_ns
            outside[letter] = round(recorded.outside_ms.get(letter, 0.0) * 1e6)
            continue
        outside[letter] = round((whole.total_ms - whole.task_ms) * 1e6)
        whole_ns = round(whole.task_ms * 1e6)
        if model == "borders" and sum(stages_ns) > whole_ns:
            entry[unit.name] = (sum(stages_ns) - whole_ns) // (len(stages_ns) - 1)
            times[unit.name] = tuple(time_ns - entry[unit.name] for time_ns in stages_ns)
            if min(times[unit.name]) < 0:
                raise UserInputError(
                    f"{recorded.name} on {letter}: stages exceed the whole by so much that one "
                    "would take less than no time; use the model sums"
                )
        else:
            scale = whole_ns / sum(stages_ns)
            times[unit.name] = tuple(round(scale * time_ns) for time_ns in stages_ns)
    staged = Staged(
        name=recorded.name,
        stages=chain(times, BORDER_ITEMS.get(recorded.name)),
        units=tuple(units.values()),
        entry_ns=entry,
        links=_rk3399pro_links(units) if moved else (),
    )
    return SwitchedBoard(staged, {unit.name: letter for letter, unit in units.items()}, outside)


def layer_switching() -> Reproduction:
    """All that was measured on the board, predicted; and the orders that we would take."""
    measured = [recorded for recorded in RECORDED if recorded.runs]
    runs = [
        _run(recorded, run) for recorded in measured for run in recorded.runs if run.is_switched
    ]
    gains = [_gain(recorded) for recorded in measured]
    others = [_unmeasured(recorded) for recorded in RECORDED if not recorded.runs]
    dense = [
        _throughput(recorded, components) for recorded in measured for components in ("BG", "BGL")
    ]
    return Reproduction(
        name=NAME,
        title="CPU-GPU layer switching for low latency, Khadas VIM3 (Amlogic A311D)",
        sources=(
            "Aghapour, Sapra, Pimentel, Pathania: CPU-GPU Layer-Switched Low Latency CNN "
            "Inference, DSD 2022 (the mean gain of five networks)",
            "Ehsan-aghapour/CO-UP-Profiling, Profiling/ParaPipe/Profiling2/Data (stages and "
            "switched runs, later than the paper)",
        ),
        figures=(*runs, *gains, *_means(gains), *others, *dense),
        notes=_NOTES,
    )


_NOTES = (
    "B: 4 x Cortex-A73, G: Mali-G52, L: 2 x Cortex-A53; one letter a stage.",
    "Stages that are measured one by one pay a synchronisation at each border, inside a run they "
    "do not: where stages add up to more than the whole network, the excess is the cost of "
    "entering the component; else stages are scaled to the whole. No switched run decides "
    "anything in it.",
    "AlexNet GGBBBGGB differs from GGBBBGGG in its last stage alone, of 4 ms on B and 6 ms on G, "
    "and took 6 ms longer instead of 2 ms less; the same hand-over at the same place in BBBBBBGB "
    "shows nothing of it. Costs of switches can explain a part, at the price of other rows.",
    "Hand-overs as on an RK3399Pro (linear in bytes, by direction) narrow that row more, but cost "
    "MobileNet, ResNet and GoogLeNet more than 3 %: on the A311D a hand-over is cheaper.",
    "ResNet-50's switched run was faster than the sum of its scaled stages, so that no order can "
    "be predicted to gain what was measured: the bound says so. The error of the prediction is "
    "within the spread of the measurements.",
    "A gain is over the better of B and G alone, with input and output counted.",
)


def _unit(letter: str, *, own_memory: bool) -> ComputeUnit:
    return device_unit(
        "armcl", _DEVICES[letter], _KINDS[letter], own_memory=own_memory, cores=_CORES[letter]
    )


def _rk3399pro_links(units: Mapping[str, ComputeUnit]) -> tuple[Link, ...]:
    return tuple(
        Link(units[origin].memory, units[target].memory, setup_ns, rate, Provenance.MEASURED)
        for origin, target, setup_ns, rate in RK3399PRO_LINKS
    )


def _run(recorded: Recorded, run: Run) -> Figure:
    predicted_ms = {
        model: board(recorded, model=model).task_ns(run.order) / 1e6
        for model in ("borders", "sums", "moved")
    }
    others = {name: 100 * (predicted_ms[name] / run.task_ms - 1) for name in ("sums", "moved")}
    return Figure(
        what=f"{recorded.name} as {run.order}",
        unit="ms",
        published=run.task_ms,
        model=predicted_ms["borders"],
        bar=None if (recorded.name, run.order) == OUTLIER else within(run.task_ms, TOLERANCE),
        note=f"plain sums {others['sums']:+.1f} %, RK3399Pro's hand-overs {others['moved']:+.1f} %",
    )


def _gain(recorded: Recorded) -> Figure:
    singles = {letter: recorded.whole(letter) for letter in "BG"}
    totals_ms = {letter: run.total_ms for letter, run in singles.items() if run is not None}
    single_ms = min(totals_ms.values())
    quickest = min((run for run in recorded.runs if run.is_switched), key=lambda run: run.total_ms)
    subject = board(recorded)
    planned = subject.best_order()

    def gain(total_ms: float) -> float:
        return 100 * (1 - total_ms / single_ms)

    published = gain(quickest.total_ms)
    known = [gain(run.total_ms) for run in recorded.runs if run.order == planned]
    note = f"planned as {planned}"
    return Figure(
        what=f"{recorded.name}: gain over the better component, measured as {quickest.order}",
        unit="%",
        published=published,
        model=gain(subject.total_ns(quickest.order) / 1e6),
        planner=gain(subject.total_ns(planned) / 1e6),
        bound=gain(_least_ns(subject) / 1e6),
        bar=at_least(published),
        judges_planner=True,
        note=f"{note}, which was measured at {known[0]:+.2f} %" if known else note,
    )


def _least_ns(subject: SwitchedBoard) -> int:
    """No order is predicted to take less: the planner's own bound, and the least outside of it."""
    planned = plan_latency(subject.staged.network, subject.staged.table)
    return (planned.lower_bound or 0) + min(subject.outside_ns.values(), default=0)


def _means(gains: list[Figure]) -> tuple[Figure, Figure]:
    planned = fmean(figure.planner or 0.0 for figure in gains)
    predicted = fmean(figure.model or 0.0 for figure in gains)
    bound = fmean(figure.bound or 0.0 for figure in gains)
    return (
        Figure(
            what="mean gain of the four, later runs",
            unit="%",
            published=MEASURED_MEAN_GAIN,
            model=predicted,
            planner=planned,
            bound=bound,
        ),
        Figure(
            what="mean gain of the paper's five networks, beside our four",
            unit="%",
            published=PAPER_MEAN_GAIN,
            model=predicted,
            planner=planned,
            note="the fifth network's stages were not published",
        ),
    )


def _unmeasured(recorded: Recorded) -> Figure:
    """A prediction that somebody may check: no whole run of the network was published."""
    subject = board(recorded)
    planned = subject.best_order()
    stages = len(recorded.stage_ms["B"])
    single_ns = min(subject.total_ns(letter * stages) for letter in "BG")
    total_ns = subject.total_ns(planned)
    return Figure(
        what=f"{recorded.name}: gain over the better component, not measured",
        unit="%",
        planner=100 * (1 - total_ns / single_ns),
        note=f"planned as {planned}, {total_ns / 1e6:.1f} ms; plain sums of stages",
    )


def _throughput(recorded: Recorded, components: str) -> Figure:
    subject = board(recorded, components)
    network, table = subject.staged.network, subject.staged.table
    single, pipeline, lanes = (
        plan_throughput(network, table, method=method) for method in ("single", "pipeline", "auto")
    )
    if not (single.value and pipeline.value and lanes.value and lanes.lower_bound):
        raise InternalError(f"{recorded.name}: a chain of stages has no plan")
    return Figure(
        what=f"{recorded.name}: frames/s over the best component, {len(components)} components",
        unit="x",
        model=single.value / pipeline.value,
        planner=single.value / lanes.value,
        bound=single.value / lanes.lower_bound,
        bar=at_least(single.value / pipeline.value),
        judges_planner=True,
        note="model: the best pipeline; planner: lanes",
    )
