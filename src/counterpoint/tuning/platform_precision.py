"""Plans for machines with int8 processors: what they are given is quantised first.

Which layers an int8 unit gets and which of them are to be int8 is one question. It is answered in
turns: plan the network as if its int8 form were free, quantise what int8 units got, plan that
network (its conversions are layers of it, and cost what they cost), and give back to float what
int8 units lost, and islands that are not worth their conversions. Whatever is best of these is the
answer, the plan without int8 among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from counterpoint.costs.stage_network import NoModel
from counterpoint.engines.npu.units import arithmetics
from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network
from counterpoint.network.precision.choice import PrecisionChoice
from counterpoint.network.precision.correspondence import correspondence
from counterpoint.network.precision.quantise import as_chosen, choice_of, refusals
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.planning.choose import Question
from counterpoint.planning.restriction import Fixed
from counterpoint.platform.file_content import Clocks, PlatformFile
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.platform_plan import PlatformPlan, plan_for_platform
from counterpoint.tuning.progress import Progress

SEEDED_FRAMES = 4
"""Calibrate with so many where the user gives no images: enough for a plan and for speed, not for
accuracy."""

MOST_TRIES = 24
"""Rewritten networks that are planned; each takes some tenths of a second."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is planned, and what restricts it.

    Attributes:
        question: What shall be best.
        clocks: Steps that are given.
        choose_clocks: The others are for the planner to choose.
        units: Names of the units that may be used, without clock steps; ``None``: all.
        fixed: The units of some layers, for a network whose layers have those names.
        frames: To calibrate with; ``None``: seeded ones.
        progress: Told of each frame.
    """

    question: Question
    clocks: Clocks | None = None
    choose_clocks: bool = False
    units: Collection[str] | None = None
    fixed: Callable[[Network], Fixed | None] = lambda network: None
    frames: Sequence[Mapping[str, Tensor]] | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class PrecisePlan:
    """What was planned.

    Attributes:
        network: As it runs: rewritten where ``precision`` says so.
        precision: Which layers are int8; ``None``: none.
        found: The plan.
        notes: Sentences for people.
    """

    network: Network
    precision: PrecisionChoice | None
    found: PlatformPlan
    notes: tuple[str, ...] = ()


def quantises(network: Network, platform: PlatformFile) -> Scheme | None:
    """How the platform's int8 units want the network; ``None`` where they take it as it is, or
    nobody can tell what they compute.
    """
    if isinstance(network.source, NoModel) or network.is_quantised:
        return None
    if platform.recorded(network.name) is not None:
        return None  # its times are those of its own layers
    schemes = [own.scheme for own in arithmetics(platform).values() if own.scheme is not None]
    by_shift = [scheme for scheme in schemes if scheme.power_of_two]
    return next(iter([*by_shift, *schemes]), None)


def plan_with_precision(network: Network, platform: PlatformFile, wish: Wish) -> PrecisePlan:
    """The best plan, with what it gives to int8 units in int8.

    Raises:
        UserInputError: As :func:`plan_for_platform` and :func:`calibrate`.
    """
    as_if = _plan(network, platform, wish, wish.units)
    plain = PrecisePlan(network, None, as_if)
    scheme = quantises(network, platform)
    if scheme is None:
        return plain
    able = {
        name.partition("[")[0]
        for name, own in arithmetics(platform).items()
        if own.scheme is not None
    }
    wanted = _given_to(as_if, able)
    if not wanted:
        return plain
    search = _Search(network, platform, wish, scheme, able, refusals(network))
    best = search.best({layer for layer in wanted if layer not in search.refused}) or plain
    for other in _without(network, platform, wish, able):
        if _value(other) < _value(best) or best is plain:
            best = other
    return best if best.precision is None else replace(best, notes=_notes(best.precision, wish))


def _value(made: PrecisePlan) -> float:
    value = made.found.planned.value
    return inf if value is None else value


def _notes(precision: PrecisionChoice, wish: Wish) -> tuple[str, ...]:
    frames = f"{precision.ranges.frames} {'seeded ' if wish.frames is None else ''}frames"
    number = len(precision.int8)
    layers = "1 layer is" if number == 1 else f"{number} layers are"
    told = f"{layers} int8, with ranges measured on {frames}"
    if wish.frames is not None:
        return (told,)
    return (told, "outputs are only as good as these ranges: give photographs by --calibration")


def _plan(
    network: Network, platform: PlatformFile, wish: Wish, units: Collection[str] | None
) -> PlatformPlan:
    return plan_for_platform(
        network,
        platform,
        wish.question,
        clocks=wish.clocks,
        choose_clocks=wish.choose_clocks,
        units=units,
        fixed=wish.fixed(network),
    )


def _without(
    network: Network, platform: PlatformFile, wish: Wish, able: Collection[str]
) -> Sequence[PrecisePlan]:
    """The plan in which no int8 unit has a part, where there is one."""
    names = [
        entry.name for entry in platform.units if wish.units is None or entry.name in wish.units
    ]
    others = [name for name in names if name.partition("[")[0] not in able]
    if not others or wish.fixed(network) is not None:
        return ()
    return (PrecisePlan(network, None, _plan(network, platform, wish, others)),)


def _given_to(found: PlatformPlan, units: Collection[str]) -> set[int]:
    """Layers that a plan gives to these units."""
    return {
        layer
        for lane in found.planned.lanes
        for layers, unit in lane.segments
        if unit.partition("[")[0] in units
        for layer in layers
    }


@dataclass(slots=True)
class _Search:
    """Looks for the layers that are worth being int8.

    Attributes:
        network: In float.
        platform: Where.
        wish: What is planned.
        scheme: How layers become int8.
        able: Names of int8 units, without clock steps.
        refused: Layers that have no int8 form.
        tries: Rewritten networks that may still be planned.
    """

    network: Network
    platform: PlatformFile
    wish: Wish
    scheme: Scheme
    able: Collection[str]
    refused: Mapping[int, str]
    tries: int = MOST_TRIES

    def best(self, chosen: set[int]) -> PrecisePlan | None:
        """The best plan found with some of these layers in int8; ``None``: none of them can be."""
        if not chosen:
            return None
        ranges = self._ranges()
        best, chosen = self._settled(chosen, ranges)
        improved = True
        while improved:
            improved = False
            for island in self._dear_islands(best, chosen):
                rest = chosen - island
                if rest and self.tries > 0:
                    made, kept = self._settled(rest, ranges)
                    if _value(made) < _value(best):
                        best, chosen, improved = made, kept, True
                        break
        return best

    def _ranges(self) -> Ranges:
        frames = self.wish.frames
        if frames is None:
            frames = [seeded_frame(self.network.inputs, seed) for seed in range(SEEDED_FRAMES)]
        return calibrate(self.network, frames, progress=self.wish.progress)

    def _settled(self, chosen: set[int], ranges: Ranges) -> tuple[PrecisePlan, set[int]]:
        """A plan with these in int8; or a better one in which what int8 units lost is in float."""
        best, of_best = self._made(chosen, ranges), chosen
        made = best
        while self.tries > 0:
            given = _given_to(made.found, self.able)
            parts = correspondence(self.network, made.network).layers
            kept = {layer for layer in chosen if given.intersection(parts[layer])}
            if kept == chosen or not kept:
                break
            made, chosen = self._made(kept, ranges), kept
            if _value(made) <= _value(best):
                best, of_best = made, chosen
        return best, of_best

    def _made(self, chosen: Collection[int], ranges: Ranges) -> PrecisePlan:
        self.tries -= 1
        layers = _with_passing(self.network, chosen, self.refused)
        choice = choice_of(self.network, layers, ranges, self.scheme)
        rewritten = as_chosen(self.network, choice)
        found = _plan(rewritten, self.platform, self.wish, self.wish.units)
        return PrecisePlan(rewritten, choice, found)

    def _dear_islands(self, made: PrecisePlan, chosen: Collection[int]) -> list[set[int]]:
        """Segments of int8 units that somebody converts for: the planner saw that price as given,
        and only another rewrite takes it away.
        """
        rewritten, found = made.network, correspondence(self.network, made.network)
        converted = {
            name
            for index in found.conversions
            for name in (*rewritten.layers[index].inputs, *rewritten.layers[index].outputs)
        }
        islands = []
        for lane in made.found.planned.lanes:
            for layers, unit in lane.segments:
                border = {
                    name
                    for index in layers
                    for name in (*rewritten.layers[index].inputs, *rewritten.layers[index].outputs)
                }
                if unit.partition("[")[0] in self.able and border & converted:
                    inside = set(layers)
                    islands.append(
                        {layer for layer in chosen if inside.intersection(found.layers[layer])}
                    )
        return [island for island in islands if island]


def _with_passing(
    network: Network, chosen: Collection[int], refused: Mapping[int, str]
) -> set[int]:
    """And the pools and the like in front of chosen layers, so that nothing is converted between:
    whoever makes their input then makes int8.
    """
    found = set(chosen)
    for layer in reversed(network.layers):
        readers = {r for name in layer.outputs for r in network.consumers.get(name, ())}
        if not layer.macs and layer.index not in refused and readers and readers <= found:
            found.add(layer.index)
    return found
