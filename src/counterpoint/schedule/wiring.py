"""Which tensor goes where: a frame's tensors in numbered slots instead of by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from counterpoint.engines.protocol import CompiledSegment, Tensor
from counterpoint.errors import CounterpointError, EngineError
from counterpoint.network.graph import Network, TensorSpec
from counterpoint.schedule.buffers import BufferPool, aligned_array, is_lendable
from counterpoint.schedule.dispatch_graph import segment_name
from counterpoint.schedule.plan import Lane

Slots = list[Tensor | None]
"""The tensors of one frame. The network's inputs come first; ``None`` before a tensor is made and
after everybody has read it."""


class Step:
    """A compiled segment that knows its slots.

    Attributes:
        run: The engine's call, :meth:`CompiledSegment.run`.
        reads: Slots of the segment's inputs, in the order of ``run``.
        writes: Slots of its outputs, in the order of ``run``.
        lends: For each output what gives the memory to write it into; ``None`` where the engine
            makes the outputs.
        name: Of the segment, for people.
        layer: Name of its first layer.
        unit: Name of its compute unit.
    """

    __slots__ = ("layer", "lends", "name", "reads", "run", "unit", "writes")

    def __init__(
        self,
        *,
        run: Callable[..., Sequence[Tensor]],
        reads: tuple[int, ...],
        writes: tuple[int, ...],
        lends: tuple[Callable[[], Tensor], ...] | None,
        name: str,
        layer: str,
        unit: str,
    ) -> None:
        self.run = run
        self.reads = reads
        self.writes = writes
        self.lends = lends
        self.name = name
        self.layer = layer
        self.unit = unit

    def call(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Runs the segment; the caller owns what it returns.

        Raises:
            EngineError: The engine failed, or returned another number of tensors.
        """
        try:
            outputs = self.run(inputs)
        except Exception as error:
            self.blame(error)
        if len(outputs) != len(self.writes):
            raise self._broken(f"returned {len(outputs)} tensors instead of {len(self.writes)}")
        return outputs

    def advance(self, slots: Slots) -> None:
        """Runs the segment on the tensors of one frame.

        Raises:
            EngineError: The engine failed, or returned other tensors than it should. What it was
                lent is in the frame's slots.
        """
        inputs: list[Tensor] = [slots[slot] for slot in self.reads]  # type: ignore[misc]
        if self.lends is None:
            for slot, tensor in zip(self.writes, self.call(inputs), strict=True):
                slots[slot] = tensor
            return
        lent = []
        for slot, lend in zip(self.writes, self.lends, strict=True):
            slots[slot] = buffer = lend()
            lent.append(buffer)
        try:
            outputs = self.run(inputs, lent)
        except Exception as error:
            self.blame(error)
        if outputs is not lent and (
            len(outputs) != len(lent)
            or any(one is not other for one, other in zip(outputs, lent, strict=True))
        ):
            raise self._broken("returned other tensors than it was lent")

    def _broken(self, reason: str) -> EngineError:
        return EngineError(
            f"{self.unit} {reason} in segment {self.name}: the engine is broken",
            layer=self.layer,
            unit=self.unit,
        )

    def blame(self, error: Exception) -> NoReturn:
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
        pools: For each slot what its tensors are borrowed from; ``None`` for tensors that
            the caller or the engine made.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    readers: tuple[int, ...]
    pools: tuple[BufferPool | None, ...]

    def let_go(self, slots: Slots, slot: int) -> None:
        """Forgets a frame's tensor that nobody is still to read."""
        tensor, pool = slots[slot], self.pools[slot]
        # In this order: a buffer that an interrupt loses is better than one that two frames have.
        slots[slot] = None
        if pool is not None and tensor is not None:
            pool.give_back(tensor)

    def let_go_all(self, slots: Slots) -> None:
        """Forgets all tensors of a frame that failed."""
        for slot in range(len(slots)):
            self.let_go(slots, slot)

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
    returned = {spec.name for spec in network.outputs}
    slots = {spec.name: index for index, spec in enumerate(network.inputs)}
    readers = [0] * len(slots)
    pools: list[BufferPool | None] = [None] * len(slots)
    steps = []
    for segment, ready in zip(lane.segments, compiled, strict=True):
        part = network.subnetwork(segment.layers)
        reads = tuple(slots[spec.name] for spec in part.inputs)
        for slot in reads:
            readers[slot] += 1
        first = len(slots)
        slots |= {spec.name: first + index for index, spec in enumerate(part.outputs)}
        readers += [0] * len(part.outputs)
        own_pools = _pools(part.outputs, returned)
        pools += own_pools
        steps.append(
            Step(
                run=ready.run,
                reads=reads,
                writes=tuple(slots[spec.name] for spec in part.outputs),
                lends=_lends(part.outputs, own_pools),
                name=segment_name(network, segment),
                layer=part.layers[0].name,
                unit=segment.unit,
            )
        )
    outputs = tuple(slots[spec.name] for spec in network.outputs)
    for slot in set(outputs):
        readers[slot] += 1
    return LaneWiring(tuple(steps), outputs, tuple(readers), tuple(pools))


def _pools(outputs: Sequence[TensorSpec], returned: Set[str]) -> list[BufferPool | None]:
    """A pool for each output of a segment that the network does not return.

    None at all where the size of one is not known: an engine is lent all of its outputs or none.
    """
    if not all(is_lendable(spec) for spec in outputs):
        return [None] * len(outputs)
    return [None if spec.name in returned else BufferPool(spec) for spec in outputs]


def _lends(
    outputs: Sequence[TensorSpec], pools: Sequence[BufferPool | None]
) -> tuple[Callable[[], Tensor], ...] | None:
    """Pooled memory where there is a pool, and fresh memory, for the caller, beside it."""
    if not any(pools):
        return None
    return tuple(
        partial(aligned_array, spec) if pool is None else pool.borrow
        for spec, pool in zip(outputs, pools, strict=True)
    )
