"""Which tensor goes where: a frame's tensors in numbered slots instead of by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.errors import CounterpointError, EngineError
from counterpoint.network.graph import Network
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Lane

Slots = list[Tensor | None]
"""The tensors of one frame. The network's inputs come first; ``None`` before a tensor is made and
after everybody has read it."""


class Step:
    """A compiled segment that knows its slots.

    Attributes:
        run: The engine's call.
        reads: Slots of the segment's inputs, in the order of ``run``.
        writes: Slots of its outputs, in the order of ``run``.
        name: Of the segment, for people.
        layer: Name of its first layer.
        unit: Name of its compute unit.
    """

    __slots__ = ("layer", "name", "reads", "run", "unit", "writes")

    def __init__(
        self,
        *,
        run: Callable[[Sequence[Tensor]], Sequence[Tensor]],
        reads: tuple[int, ...],
        writes: tuple[int, ...],
        name: str,
        layer: str,
        unit: str,
    ) -> None:
        self.run = run
        self.reads = reads
        self.writes = writes
        self.name = name
        self.layer = layer
        self.unit = unit

    def call(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Runs the segment.

        Raises:
            EngineError: The engine failed, or returned another number of tensors.
        """
        try:
            outputs = self.run(inputs)
        except Exception as error:
            self._blame(error)
        if len(outputs) != len(self.writes):
            raise EngineError(
                f"{self.unit} returned {len(outputs)} tensors for segment {self.name}, which has "
                f"{len(self.writes)}: the engine is broken",
                layer=self.layer,
                unit=self.unit,
            )
        return outputs

    def advance(self, slots: Slots) -> None:
        """Runs the segment on the tensors of one frame. Raises as :meth:`call` does."""
        outputs = self.call([slots[slot] for slot in self.reads])  # type: ignore[misc]
        for slot, tensor in zip(self.writes, outputs, strict=True):
            slots[slot] = tensor

    def _blame(self, error: Exception) -> NoReturn:
        """Raises what the engine raised as an ``EngineError`` that names the layer and the unit.

        Other errors of our own tree stay as they are.
        """
        if isinstance(error, EngineError):
            error.layer = error.layer or self.layer
            error.unit = error.unit or self.unit
        if isinstance(error, CounterpointError):
            raise error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EngineError(
            f"{self.unit} failed in segment {self.name}: {reason}",
            layer=self.layer,
            unit=self.unit,
        ) from error


@dataclass(frozen=True, slots=True)
class LaneWiring:
    """A lane made ready to run.

    Attributes:
        steps: One for each segment, in run order.
        outputs: Slots of the network's outputs, in the network's order.
        readers: For each slot how many segments read it, and one more if it is an output.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    readers: tuple[int, ...]

    def last_reads(self, order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """For each segment of that order the slots that nobody needs once it has run."""
        unread = list(self.readers)
        free: list[tuple[int, ...]] = []
        for segment in order:
            for slot in self.steps[segment].reads:
                unread[slot] -= 1
            free.append(tuple(slot for slot in self.steps[segment].reads if not unread[slot]))
        return tuple(free)


def wire_lane(network: Network, lane: Lane, compiled: Sequence[CompiledSegment]) -> LaneWiring:
    """Numbers the tensors of a lane.

    Args:
        network: The network.
        lane: A way through it that :func:`check_plan` accepts.
        compiled: One for each segment of the lane.
    """
    slots = {spec.name: index for index, spec in enumerate(network.inputs)}
    readers = [0] * len(slots)
    steps = []
    for segment, ready in zip(lane.segments, compiled, strict=True):
        part = network.subnetwork(segment.layers)
        reads = tuple(slots[spec.name] for spec in part.inputs)
        for slot in reads:
            readers[slot] += 1
        first = len(slots)
        slots |= {spec.name: first + index for index, spec in enumerate(part.outputs)}
        readers += [0] * len(part.outputs)
        steps.append(
            Step(
                run=ready.run,
                reads=reads,
                writes=tuple(slots[spec.name] for spec in part.outputs),
                name=segment_name(network, segment),
                layer=part.layers[0].name,
                unit=segment.unit,
            )
        )
    outputs = tuple(slots[spec.name] for spec in network.outputs)
    for slot in set(outputs):
        readers[slot] += 1
    return LaneWiring(tuple(steps), outputs, tuple(readers))
