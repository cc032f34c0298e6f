"""SqueezeNet on the CPU and the GPU of an Exynos 5422 at once (master's thesis, 2018).

The thesis' abstract gives two speed-ups and no times. So the times are borrowed: those of
SqueezeNet's stages on another board, the GPU's scaled until CPU : GPU is what the two speed-ups
imply, 1.97 / 1.70 = 1.159. One number remains free, the time of a hand-over; the two speed-ups are
met at 1.58 ms, and what 0 and 2 ms give is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.costs.objective import Objective
from counterpoint.errors import InternalError
from counterpoint.planning.branches import plan_branches
from counterpoint.planning.choose import Question
from counterpoint.planning.result import PlanResult
from counterpoint.platform.model import DeviceKind, Link, Provenance
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, within
from counterpoint.reproduce.stage_chain import Stage, Staged, chain, device_unit
from counterpoint.schedule.predicted import predicted_graph
from counterpoint.schedule.simulate import simulate
from counterpoint.tuning.planned import plan_of

NAME = "squeezenet-pipeline"

STAGES = ("conv1", *(f"fire{number}" for number in range(2, 10)), "conv10")
"""Pools belong to the convolution or fire module before them."""

CPU_MS = (27.22, 6.74, 6.99, 16.21, 4.20, 7.10, 8.02, 12.14, 4.48, 11.22)
GPU_MS = (21.16, 6.81, 6.51, 14.06, 4.52, 6.37, 7.16, 9.74, 5.20, 17.40)
LITTLE_MS = (22.61, 8.50, 8.52, 19.72, 6.08, 8.27, 8.50, 13.30, 4.65, 10.19)
"""2 x A72, Mali-T860 and 4 x A53 of an RK3399Pro: Ehsan-aghapour/CO-UP-Profiling,
``Profiling/Data/Layers.csv``, SqueezeV1 at the highest clocks."""

CPU_OVER_GPU = 1.159
"""Speed of the CPU in the speed of the GPU: 1.97 x over the GPU is 1.70 x over the CPU."""

HAND_OVER_NS = 1_580_000
"""The one free number: with it two stages give both speed-ups."""

FRAMES = 100
"""Images of the thesis."""

TOLERANCE = 0.01

PARTS = 8
"""A layer is split in eighths."""

_IN_FLIGHT = 8
"""Frames under way: more than any plan here has segments to fill."""

CPU = device_unit("thesis", "CPU.big", DeviceKind.CPU, own_memory=True, cores=(4, 5, 6, 7))
GPU = device_unit("thesis", "GPU", DeviceKind.GPU, own_memory=True)
LITTLE = device_unit("thesis", "CPU.little", DeviceKind.CPU, own_memory=True, cores=(0, 1, 2, 3))


PUBLISHED = ((GPU, 1.97), (CPU, 1.70))
"""Times as fast as that unit alone."""


def squeezenet(hand_over_ns: int = HAND_OVER_NS, *, three: bool = False) -> Staged:
    """SqueezeNet on the board.

    Args:
        hand_over_ns: Of each tensor that changes its unit, charged to the unit that made it.
        three: With the LITTLE cores, about which the thesis tells nothing.
    """
    times = _times_ns()
    units = (CPU, GPU, LITTLE) if three else (CPU, GPU)
    if three:
        times[LITTLE.name] = [round(time_ms * 1e6) for time_ms in LITTLE_MS]
    links = tuple(
        Link(
            origin.memory,
            target.memory,
            hand_over_ns,
            float("inf"),
            Provenance.ASSUMED,
            occupies=(origin.devices[0].name,),
        )
        for origin in units
        for target in units
        if origin is not target
    )
    return Staged(name="squeezenet", stages=chain(times), units=units, links=links)


def halved(whole: Staged) -> Staged:
    """The same with each stage as two parts that may run at once, and a join that costs nothing.

    A part of a stage is assumed to take that part of its time; parts are the eighths that are
    nearest to finishing together. Both parts on one unit are the stage as it was.
    """
    stages: list[Stage] = []
    for stage in whole.stages:
        cpu_ns, gpu_ns = stage.times_ns[CPU.name], stage.times_ns[GPU.name]
        share = round(PARTS * gpu_ns / (cpu_ns + gpu_ns))
        for part, eighths in (("a", share), ("b", PARTS - share)):
            times = {unit: time_ns * eighths // PARTS for unit, time_ns in stage.times_ns.items()}
            made = f"{stage.makes}.{part}"
            stages.append(
                Stage(name=f"{stage.name}.{part}", reads=stage.reads, makes=made, times_ns=times)
            )
        stages.append(
            Stage(
                name=f"{stage.name}.join",
                reads=(f"{stage.makes}.a", f"{stage.makes}.b"),
                makes=stage.makes,
                times_ns=dict.fromkeys(stage.times_ns, 0),
            )
        )
    return Staged(
        name=f"{whole.name} in parts", stages=tuple(stages), units=whole.units, links=whole.links
    )


def makespan_ns(subject: Staged, planned: PlanResult, *, in_flight: int = _IN_FLIGHT) -> int:
    """Virtual time from the first image's arrival until the last one is done."""
    plan = plan_of(
        subject.network, subject.platform, {}, subject.table, planned, frames_in_flight=in_flight
    )
    predicted = predicted_graph(subject.network, plan, subject.platform)
    if predicted is None:
        raise InternalError(f"{subject.name}: the plan predicts no times")
    return simulate(*predicted, FRAMES, record=False).makespan_ns


def squeezenet_pipeline() -> Reproduction:
    """The two published speed-ups, and all other ways of sharing on the same table."""
    ways = _Ways(squeezenet())
    three = squeezenet(three=True)
    lanes = _planned(three, "auto")
    return Reproduction(
        name=NAME,
        title="A pipeline over CPU and GPU, SqueezeNet, Exynos 5422, 100 images",
        sources=(
            "Master's thesis, University of Seoul, 2018 (abstract): 1.97 x the GPU alone, 1.70 x "
            "the CPU alone",
            "Ehsan-aghapour/CO-UP-Profiling, Profiling/Data/Layers.csv (RK3399Pro: the shape of "
            "the times)",
        ),
        figures=(
            *_pipelines(),
            *ways.figures(),
            Figure(
                what="three-way lanes, with LITTLE cores as on an RK3399Pro, over the GPU alone",
                unit="x",
                planner=FRAMES * ways.gpu_ns / makespan_ns(three, lanes, in_flight=16),
                bound=ways.gpu_ns / (lanes.lower_bound or 1),
                note="the thesis knows no third unit: an assumption",
            ),
        ),
        notes=(
            "CPU : GPU = 1.159 follows from the two published numbers, and is no third one.",
            "The hand-over of 1.58 ms is the one tuned constant: one number for two speed-ups, "
            "whose ratio the table has by construction.",
            "Speed-ups are of 100 images from the first one's arrival to the last one's end.",
            "Splitting assumes that a part of a layer takes that part of its time.",
        ),
    )


class _Ways:
    """Ways of sharing SqueezeNet, each over the GPU alone."""

    def __init__(self, subject: Staged) -> None:
        self.subject = subject
        self.gpu_ns = sum(_times_ns()[GPU.name])
        self.bound = self.gpu_ns / (_planned(subject, "auto").lower_bound or 1)

    def figures(self) -> list[Figure]:
        subject = self.subject
        switched = Question().answer(subject.network, subject.table)
        parts = halved(subject)
        split = plan_branches(parts.network, parts.table, time_limit_s=20.0)
        return [
            self._one_by_one("switching, one image at a time, over the GPU alone", switched),
            self._one_by_one("splitting layers, one image at a time, over the GPU alone", split),
            self._many("replicas, over the GPU alone", "replicate"),
            self._many("best pipeline, over the GPU alone", "pipeline"),
            self._many("lanes, over the GPU alone", "auto"),
        ]

    def _one_by_one(self, what: str, planned: PlanResult) -> Figure:
        if planned.value is None:
            raise InternalError(f"{what}: {planned.reason}")
        bound = None if planned.lower_bound is None else self.gpu_ns / planned.lower_bound
        return Figure(what=what, unit="x", planner=self.gpu_ns / planned.value, bound=bound)

    def _many(self, what: str, method: str) -> Figure:
        planned = _planned(self.subject, method)
        return Figure(
            what=what,
            unit="x",
            planner=FRAMES * self.gpu_ns / makespan_ns(self.subject, planned),
            bound=self.bound,
            bar=at_least(PUBLISHED[0][1] * (1 - TOLERANCE)) if method == "auto" else None,
            judges_planner=True,
            note="bound: of the linear program over all lanes, without filling and draining",
        )


def _pipelines() -> list[Figure]:
    """Two stages under three hand-overs; judged is the one that the thesis is met with."""
    figures = []
    alone_ns = {unit: sum(row) for unit, row in _times_ns().items()}
    for hand_over_ns in (HAND_OVER_NS, 0, 2_000_000):
        subject = squeezenet(hand_over_ns)
        took_ns = makespan_ns(subject, _planned(subject, "pipeline"))
        for unit, told in PUBLISHED:
            device = unit.devices[0].name
            published = told if hand_over_ns == HAND_OVER_NS else None
            figures.append(
                Figure(
                    what=f"pipeline, hand-over {hand_over_ns / 1e6:g} ms, over {device} alone",
                    unit="x",
                    published=published,
                    model=FRAMES * alone_ns[unit.name] / took_ns,
                    bar=None if published is None else within(published, TOLERANCE),
                )
            )
    return figures


def _planned(subject: Staged, method: str) -> PlanResult:
    question = Question(objective=Objective.THROUGHPUT, method=method)
    return question.answer(subject.network, subject.table)


def _times_ns() -> dict[str, Sequence[int]]:
    scale = CPU_OVER_GPU * sum(CPU_MS) / sum(GPU_MS)
    return {
        CPU.name: [round(time_ms * 1e6) for time_ms in CPU_MS],
        GPU.name: [round(scale * time_ms * 1e6) for time_ms in GPU_MS],
    }
