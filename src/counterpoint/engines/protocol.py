"""The seam between Counterpoint and whatever runs layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device

Tensor = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class NodeTime:
    """One node that an engine ran, by the engine's own clock.

    Attributes:
        name: As the engine calls it.
        operator: Its type in the engine's words: ``Conv``, ``Reorder``, ``ReorderInput``.
        layer: Index of its layer in the network; ``None`` where it belongs to none.
        time_ns: From its start to its end, on the thread that called the engine; median of runs.
        waiting_ns: Of it, waiting for other threads; ``None`` where the engine does not tell.
        wake_up_ns: Of it, giving work to other threads; ``None`` where the engine does not tell.
    """

    name: str
    operator: str
    layer: int | None
    time_ns: int
    waiting_ns: int | None = None
    wake_up_ns: int | None = None


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """Where the time of one run went, by the engine's own clock.

    Attributes:
        layer_ns: Time in the nodes of each layer (index in the network), per run.
        overhead_ns: Time in nodes that belong to no layer: reorders of inputs, conversions.
        nodes: The same node by node, in the order in which they ran; empty where the engine tells
            no more than layers.
        call_ns: Time of the engine's whole call by its own clock, without its Python layer;
            ``None`` where it has no such clock.
        run_ns: Time of ``run`` while it was profiled, without collecting the profile; ``None``:
            that of the calls is right.
        node_cost_ns: What profiling added to each node's own time; ``None`` where it cannot be
            told.
        instrument: What told, e.g. ``ONNX Runtime's profile with thread-pool statistics``.
    """

    layer_ns: Mapping[int, int]
    overhead_ns: int
    nodes: tuple[NodeTime, ...] = ()
    call_ns: int | None = None
    run_ns: int | None = None
    node_cost_ns: int | None = None
    instrument: str = "the engine's profile"


@runtime_checkable
class CompiledSegment(Protocol):
    """A segment made ready on one unit. Used by one thread at a time."""

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """Runs once.

        Args:
            inputs: One C-contiguous array for each of ``segment.inputs``, same order, exact
                shape and dtype. They are not written to and not read after the call.
            outputs: Memory lent for this call, to be filled: one writable C-contiguous array for
                each of ``segment.outputs``, same order, exact shape and dtype, none sharing
                memory with another array of the call. It may stay bound, as the same arrays tend
                to come back, but only a run that is given it reads or writes it.

        Returns:
            One array for each of ``segment.outputs``: the lent ones where there are any.
            Otherwise the caller owns them: a later run does not change them.

        Raises:
            EngineError: The engine failed; its exception is the cause.
        """
        ...

    def profile(self) -> NodeProfile | None:
        """Per-layer times since compilation, per run. Ends profiling.

        ``None`` if the engine cannot, or if it was not compiled with ``profile=True``.
        """
        ...

    def close(self) -> None:
        """Gives back everything; further runs are a caller's error. May be called twice."""
        ...


@runtime_checkable
class InstalledStream(Protocol):
    """A whole network as an engine runs it for throughput, by its own documented means."""

    def run(self, inputs: Sequence[Tensor], count: int) -> None:
        """Runs the same frame so many times, as many at once as the engine likes; then returns.

        Raises:
            EngineError: The engine failed.
        """
        ...

    def close(self) -> None:
        """Gives back everything."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Software that runs layers. One file an engine; its library is imported on first use."""

    name: str

    def version(self) -> str:
        """Version of the software underneath; measurements of another version do not count."""
        ...

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """The units that it offers on those devices (CPU groups) and on those it finds itself.

        Empty where its library is missing.
        """
        ...

    def missing_reason(self) -> str | None:
        """Why the engine is not here and how to get it, or ``None`` when it is."""
        ...

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """Why that unit cannot run that layer; ``None`` when it can."""
        ...

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> CompiledSegment:
        """Makes the segment ready to run.

        Args:
            segment: A convex part of a network.
            unit: One of :meth:`units`.
            exclusive: Nothing else uses its devices between two runs, so the engine's threads
                may keep spinning there. ``False`` where other segments share the devices.
            profile: Measure each node (slower); read the result by ``CompiledSegment.profile``.

        Raises:
            EngineError: The engine refused it; the message says what and names the unit.
        """
        ...

    def as_installed(self, network: Network, *, any_precision: bool) -> CompiledSegment | None:
        """The whole network as a user of the engine runs it today: its documented default call with
        default options, on the device that it chooses.

        Args:
            network: What to run.
            any_precision: Take the engine's default precision; otherwise the network's own.

        Returns:
            ``None`` where the engine has no such default.

        Raises:
            EngineError: The engine cannot run this network.
        """
        ...

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        """What a user of the engine who wants throughput runs today, by label; empty: nothing.

        Args:
            any_precision: Take the engine's default precision; otherwise the network's own.

        Returns:
            Each makes a network ready; it raises ``EngineError`` where the engine cannot run it.
        """
        ...


@runtime_checkable
class PreparesSegments(Protocol):
    """An engine that needs long to make a segment ready the first time: it converts models."""

    def prepare(self, segments: Sequence[Subnetwork]) -> None:
        """Starts in the background what :meth:`Engine.compile` will need; ``compile`` waits for it.

        Failures are ``compile``'s to raise.
        """
        ...


@runtime_checkable
class TellsAbsent(Protocol):
    """An engine that can say what it could use here and does not find."""

    def absent(self) -> tuple[str, ...]:
        """One line for each: what, why, and how to get it. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Mover:
    """One way of moving tensors between two memories.

    Attributes:
        origin: Name of the memory, or device, that is read: ``host``, ``GPU.0``.
        target: Name of that which is written.
        host_memory: ``pageable``, or ``pinned`` where the pages are locked.
        ready: Makes ready to move tensors of so many bytes; each call of what it returns moves one
            and waits until it is there. Raises ``EngineError`` where there is no room.
    """

    origin: str
    target: str
    host_memory: str
    ready: Callable[[int], Callable[[], object]]


@runtime_checkable
class MovesTensors(Protocol):
    """An engine whose transfers to and from a device can be timed by themselves."""

    def movers(self, unit: ComputeUnit) -> tuple[Mover, ...]:
        """The ways between the host and the unit's device; empty where they are one memory."""
        ...
