"""An engine that fails where it is told to, around one that works: for tests of what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Literal
from zlib import crc32

import numpy as np

from counterpoint.engines.failures import compile_failure, run_failure
from counterpoint.engines.protocol import (
    CompiledSegment,
    Engine,
    InstalledStream,
    NodeProfile,
    Tensor,
)
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device

InjectionKind = Literal["compile", "run", "transfer", "hang", "wrong numbers"]


@dataclass(frozen=True, slots=True)
class Injection:
    """Something that goes wrong.

    Attributes:
        kind: ``compile``: a segment is refused. ``run``: a call raises before anything is computed;
            ``transfer``: after half of its outputs were written. ``hang``: it computes and does not
            come back before :meth:`FaultyEngine.release`. ``wrong numbers``: it returns others.
        unit: Name of the unit.
        at: Of all compilations, or all calls, on that unit: which one, from 0.
        lasting: And all after that.
    """

    kind: InjectionKind
    unit: str
    at: int
    lasting: bool = True

    def strikes(self, number: int) -> bool:
        """It goes wrong the so-manyth time."""
        return number == self.at or (self.lasting and number > self.at)


class FaultyEngine:
    """Behaves as the engine inside, except for the injections.

    Attributes:
        name: As inside.
        struck: The injections that have struck, in order, each once.
        hanging: By unit how many calls hang now.
        hung: Set when a call has begun to hang.
        open: How many segments are compiled and not closed.
    """

    def __init__(self, inside: Engine, injections: Sequence[Injection] = ()) -> None:
        self.name = inside.name
        self.struck: list[Injection] = []
        self.hanging: dict[str, int] = {}
        self.hung = Event()
        self.open = 0
        self._inside = inside
        self._injections = tuple(injections)
        self._counts: dict[tuple[str, str], int] = {}
        self._released = Event()
        self._lock = Lock()

    def release(self) -> None:
        """Calls that hang come back, and no later one hangs."""
        self._released.set()

    def version(self) -> str:
        """That inside."""
        return self._inside.version()

    def missing_reason(self) -> str | None:
        """That inside."""
        return self._inside.missing_reason()

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """Those inside."""
        return self._inside.units(devices)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """That inside."""
        return self._inside.unsupported_reason(layer, unit)

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> CompiledSegment:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        if self.strike(unit, "compile", ("compile",)) is not None:
            raise compile_failure(segment, unit, "out of memory (injected)")
        made = self._inside.compile(segment, unit, exclusive=exclusive, profile=profile)
        with self._lock:
            self.open += 1
        return _FaultySegment(self, segment, unit, made)

    def as_installed(self, network: Network, *, any_precision: bool) -> CompiledSegment | None:
        """That inside."""
        return self._inside.as_installed(network, any_precision=any_precision)

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        """Those inside."""
        return self._inside.throughput_modes(any_precision=any_precision)

    def strike(
        self, unit: ComputeUnit, counted: str, kinds: Sequence[InjectionKind]
    ) -> Injection | None:
        """Counts a call; the injection that strikes it.

        Args:
            unit: Called.
            counted: What is counted there.
            kinds: Injections of these may strike.
        """
        with self._lock:
            number = self._counts.get((unit.name, counted), 0)
            self._counts[unit.name, counted] = number + 1
            for injection in self._injections:
                if (
                    injection.unit == unit.name
                    and injection.kind in kinds
                    and injection.strikes(number)
                ):
                    if injection not in self.struck:
                        self.struck.append(injection)
                    return injection
        return None

    def hang(self, unit: ComputeUnit) -> None:
        """Comes back when :meth:`release` is called."""
        with self._lock:
            self.hanging[unit.name] = self.hanging.get(unit.name, 0) + 1
        self.hung.set()
        self._released.wait()
        with self._lock:
            self.hanging[unit.name] -= 1

    def closed(self) -> None:
        """A segment was closed for the first time."""
        with self._lock:
            self.open -= 1


class _FaultySegment:
    """A segment of the engine inside, whose calls are counted."""

    def __init__(
        self,
        engine: FaultyEngine,
        segment: Subnetwork,
        unit: ComputeUnit,
        inside: CompiledSegment,
    ) -> None:
        self._engine = engine
        self._segment = segment
        self._unit = unit
        self._inside = inside
        self._closed = False

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        kinds: tuple[InjectionKind, ...] = ("run", "transfer", "hang", "wrong numbers")
        injection = self._engine.strike(self._unit, "run", kinds)
        if injection is None:
            return self._inside.run(inputs, outputs)
        if injection.kind == "run":
            raise run_failure(self._segment, self._unit, "device lost (injected)")
        made = self._inside.run(inputs, outputs)
        if injection.kind == "hang":
            self._engine.hang(self._unit)
            return made
        if made is not outputs:
            made = [np.array(array) for array in made]  # which may be read-only
        for array in made:
            flat = array.reshape(-1)
            wrong = flat if injection.kind == "wrong numbers" else flat[: flat.size // 2 + 1]
            _spoil(wrong, crc32(self._unit.name.encode()) % 1000)
        if injection.kind == "transfer":
            raise run_failure(self._segment, self._unit, "transfer failed (injected)")
        return made

    def profile(self) -> NodeProfile | None:
        """That inside."""
        return self._inside.profile()

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if not self._closed:
            self._closed = True
            self._engine.closed()
        self._inside.close()


def _spoil(array: Tensor, salt: int) -> None:
    """Numbers that have nothing to do with the right ones, also where those are 0.

    No two units are to agree on them: hence the salt, for floating point.
    """
    if array.dtype.kind in "biu":
        np.invert(array, out=array)
        return
    array[...] = (-array.astype(np.float64) - 1 - salt).astype(array.dtype)
