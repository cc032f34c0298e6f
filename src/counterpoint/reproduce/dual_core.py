"""Two unlike cores for light-weight CNNs against a single core of equal area (dual-OPU).

Only the abstract is public: one core for regular convolution, one for depthwise; layers of
different images at once; sizes of both tuned. What is compared here, each the best of its kind
within the area of the published single core:

* model: one convolution core and one depthwise core, scheduled our reading of the paper's way;
* planner: any two cores, scheduled by our planner of lanes;
* bound: no two cores of the space are better, however frames are scheduled in whole layers.

One set of assumptions holds for all networks, and none is tuned; others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import mean

import numpy as np

from counterpoint.costs.models.overlay.area import EQUAL_SLICES, Slices
from counterpoint.costs.models.overlay.core import PUBLISHED_CORE, CoreKind, Design
from counterpoint.costs.models.overlay.shapes import Ints, LayerKind, LayerShapes
from counterpoint.errors import InternalError
from counterpoint.explore.catalogue import Catalogue
from counterpoint.explore.design_cycles import design_cycles
from counterpoint.explore.design_platform import plan_lanes
from counterpoint.explore.published_tuning import tuned_for_published
from counterpoint.explore.search import branch_and_bound
from counterpoint.explore.space import Space
from counterpoint.explore.workload import Workload
from counterpoint.network.graph import Network
from counterpoint.network.loading import ZOO_PREFIX, load
from counterpoint.reproduce.figure import Bar, Figure, Reproduction

NAME = "dual-core"

THROUGHPUT = 1.31
EFFICIENCY = 1.11
SEVERAL = 1.11
"""The abstract: +31 % throughput and +11 % runtime PE efficiency over single networks, and +11 %
throughput over a workload of several."""

THROUGHPUT_BAR = Bar(1.21, 1.41, "1.31 ± 0.1")
EFFICIENCY_BAR = Bar(1.06, 1.16, "1.11 ± 0.05")

AVERAGED = ("mobilenet_v1", "mobilenet_v2", "squeezenet_v1.1")
OTHERS = ("squeezenet_v1.0", "shufflenet_v1")

PATTERN = (CoreKind.CONVOLUTION, CoreKind.DEPTHWISE)

STEP = 4
"""Numbers of elements are its multiples: a sixteenth of the designs, and half a percent less."""

_ONE_FOR_THE_SINGLE = Slices({CoreKind.OVERLAY: 1, CoreKind.CONVOLUTION: 2, CoreKind.DEPTHWISE: 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One way to read what was published.

    Attributes:
        space: Designs within the area of the single core.
        depthwise_apart: Depthwise layers share no operand on the single core either: half of its
            elements compute them. Designs then have no core of its kind.
    """

    space: Space
    depthwise_apart: bool = False


ASSUMPTIONS: Mapping[str, Assumption] = {
    "plain": Assumption(space=Space(element_step=STEP)),
    "two products of a slice in every core": Assumption(
        space=Space(element_step=STEP, slices=EQUAL_SLICES)
    ),
    "one product of a slice in the single core": Assumption(
        space=Space(
            element_step=STEP, slices=_ONE_FOR_THE_SINGLE, budget=PUBLISHED_CORE.multipliers
        )
    ),
    "the same, but in its depthwise layers only": Assumption(
        space=Space(element_step=STEP, kinds=PATTERN), depthwise_apart=True
    ),
    "each core has whole buffers": Assumption(space=Space(element_step=STEP, buffers_shared=False)),
    "no line buffer in the depthwise core": Assumption(
        space=Space(element_step=STEP, line_buffer=False)
    ),
    "memory reads and writes at once": Assumption(space=Space(element_step=STEP, duplex=True)),
    "memory of 32 B/cycle": Assumption(space=Space(element_step=STEP, dram_bytes_per_cycle=(32,))),
    "memory of 128 B/cycle": Assumption(
        space=Space(element_step=STEP, dram_bytes_per_cycle=(128,))
    ),
}
"""The default, and what else might be meant; one thing changed each. A word of memory is what moves
in a cycle, so that its width also decides how channels fill it."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Of a design over the single core, both as factors."""

    throughput: float
    efficiency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What two cores gain for a workload.

    Attributes:
        published: A convolution and a depthwise core by the paper's schedule.
        same_kinds: The best such cores by the linear program.
        any_kinds: The best two cores of any kind by it.
        lanes: These, by our planner of lanes.
        note: Which cores they are.
    """

    published: Gain
    same_kinds: Gain
    any_kinds: Gain
    lanes: Gain
    note: str


def outcome(workload: Workload, assumption: Assumption) -> Outcome:
    """The gains under an assumption; the single core is the published one at equal area."""
    space = assumption.space
    reference = space.reference()
    if reference is None:
        raise InternalError(f"no single core of {space.budget} {space.area_unit}")
    alone = sum(
        images * int(_single_cycles(shapes, reference, assumption).sum())
        for shapes, images in zip(workload.shapes, workload.images, strict=True)
    )
    multipliers = reference.cores[0].multipliers

    def gain(catalogue: Catalogue, cores: tuple[int, ...], interval: float) -> Gain:
        throughput = alone / interval
        more = int(catalogue.multipliers[list(cores)].sum()) / multipliers
        return Gain(throughput, throughput / more)

    two = space.catalogue(workload, 2, space.dram_bytes_per_cycle[0])
    unlike = replace(two, pattern=PATTERN)
    tuned = tuned_for_published(unlike, workload, duplex=space.duplex)
    if tuned is None:
        raise InternalError(f"no design runs {workload.name}")
    own_cores, own = _best(unlike)
    best_cores, best = _best(two)
    design = Design(
        cores=tuple(two.cores[core] for core in best_cores),
        dram_bytes_per_cycle=two.dram_bytes_per_cycle,
        duplex=space.duplex,
    )
    planned = plan_lanes(workload, design)
    if planned.value is None:
        raise InternalError(f"no plan of {workload.name}: {planned.reason}")
    return Outcome(
        published=gain(unlike, tuned.design, tuned.interval),
        same_kinds=gain(unlike, own_cores, own),
        any_kinds=gain(two, best_cores, best),
        lanes=gain(two, best_cores, planned.value * design.clock_hz / 1e9),
        note=f"model: {_told(unlike, tuned.design)}; planner: {_told(two, best_cores)}",
    )


def _single_cycles(shapes: LayerShapes, reference: Design, assumption: Assumption) -> Ints:
    """Of each layer on the single core."""
    whole: Ints = design_cycles(shapes, reference).total[0]
    if not assumption.depthwise_apart:
        return whole
    (core,) = reference.cores
    half = replace(reference, cores=(replace(core, elements=core.elements // 2),))
    apart = design_cycles(shapes, half).total[0]
    return np.where(shapes.kind == LayerKind.DEPTHWISE, apart, whole)


def _best(catalogue: Catalogue) -> tuple[tuple[int, ...], int]:
    """Cores and interval of the design of least interval, and of those of least area."""
    tried = branch_and_bound(catalogue, catalogue.root)
    order = np.lexsort((catalogue.design_area(tried.designs), tried.intervals))
    return tuple(tried.designs[order[0]].tolist()), int(tried.intervals[order[0]])


def _told(catalogue: Catalogue, cores: tuple[int, ...]) -> str:
    chosen = [catalogue.cores[core] for core in cores]
    return " + ".join(f"{core.kind.name.lower()} {core.elements}x{core.inputs}" for core in chosen)


@cache
def _network(name: str) -> Network:
    return load(f"{ZOO_PREFIX}{name}")


def _workload(*names: str) -> Workload:
    return Workload(tuple(_network(name) for name in names), (1,) * len(names))


def dual_core() -> Reproduction:
    """Gains by network, their mean, several networks at once; then by assumption."""
    plain = ASSUMPTIONS["plain"]
    by_network = {name: outcome(_workload(name), plain) for name in (*AVERAGED, *OTHERS)}
    averaged = [by_network[name] for name in AVERAGED]
    several = outcome(_workload(*AVERAGED), plain)
    figures: list[Figure] = []
    for name, found in by_network.items():
        figures += _pair(name, [found], note=found.note)
    figures += _pair(
        "mean of MobileNetV1, V2 and SqueezeNet v1.1",
        averaged,
        published=(THROUGHPUT, EFFICIENCY),
        bars=(THROUGHPUT_BAR, EFFICIENCY_BAR),
    )
    figures += [
        Figure(
            what="mean, convolution and depthwise core by our lanes: throughput",
            unit="x",
            published=THROUGHPUT,
            model=mean(one.same_kinds.throughput for one in averaged),
        ),
        Figure(
            what="mean, convolution and depthwise core by our lanes: PE efficiency",
            unit="x",
            published=EFFICIENCY,
            model=mean(one.same_kinds.efficiency for one in averaged),
        ),
    ]
    figures += _pair(
        "one image of each of the three, on one design",
        [several],
        published=(SEVERAL, None),
        note=several.note,
    )
    for told, assumption in ASSUMPTIONS.items():
        if assumption is not plain:
            figures += _pair(
                f"mean if: {told}",
                [outcome(_workload(name), assumption) for name in AVERAGED],
                published=(THROUGHPUT, EFFICIENCY),
            )
    return Reproduction(
        name=NAME,
        title="Two unlike cores against a single core of equal area, light-weight CNNs",
        sources=(
            "Zhao et al.: Heterogeneous Dual-Core Overlay Processor for Light-Weight CNNs "
            "(abstract)",
            "OPU-Lab/opu-compiler, opu-sim: the single core",
        ),
        figures=tuple(figures),
        notes=_NOTES,
    )


def _pair(
    name: str,
    outcomes: Sequence[Outcome],
    *,
    published: tuple[float | None, float | None] = (None, None),
    bars: tuple[Bar | None, Bar | None] = (None, None),
    note: str = "",
) -> list[Figure]:
    """Throughput and PE efficiency, over the single core's, in the mean of some outcomes."""
    return [
        Figure(
            what=f"{name}: throughput",
            unit="x",
            published=published[0],
            model=mean(one.published.throughput for one in outcomes),
            planner=mean(one.lanes.throughput for one in outcomes),
            bound=mean(one.any_kinds.throughput for one in outcomes),
            bar=bars[0],
            note=note,
        ),
        Figure(
            what=f"{name}: PE efficiency",
            unit="x",
            published=published[1],
            model=mean(one.published.efficiency for one in outcomes),
            planner=mean(one.lanes.efficiency for one in outcomes),
            bar=bars[1],
        ),
    ]


_NOTES = (
    "Single core: the published one, 64 elements of 16 inputs in 512 DSP slices, or what fits "
    "where an assumption changes that. Area is DSP slices: two int8 products of a slice, one in a "
    "depthwise core. Buffers of a single core are shared out evenly. One memory of 64 B/cycle.",
    "Model: one convolution and one depthwise core, sizes tuned, by our reading of the paper's "
    "way: groups of one kind alternate between the cores, two images are under way, and rows "
    "balance each step. Planner: any two cores of the space, our lanes. Bound: no two cores of the "
    "space do better with whole layers, proved by branch and bound.",
    "The published pair says that the dual core has 1.18 times the multipliers of the single one "
    "(1.31 / 1.11). Under the plain assumption it has fewer, as its depthwise core gets one "
    "product out of a slice where the single core gets two: what a slice makes moves the "
    "throughput most.",
    "A pixel of 64 channels costs a depthwise layer one word in and one word out, two cycles of "
    "the memory, and the single core one cycle of its multipliers: on it depthwise layers wait "
    "for the memory, not for the 448 multipliers that they leave idle, so that half of them at "
    "work cost little.",
    "SqueezeNet v1.0 is not in the mean: on the single core its 7 x 7 first layer of 3 channels "
    "takes two thirds of the cycles, which other cores avoid.",
    "Sizes are in steps of four elements; `counterpoint explore` takes every one.",
)
