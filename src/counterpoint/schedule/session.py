"""What a program that uses Counterpoint holds: a network and a plan, ready to run."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from functools import partial
from types import TracebackType
from typing import Self

from counterpoint.engines.protocol import CompiledSegment, Engine, Tensor
from counterpoint.errors import CounterpointError, EngineError, FrameError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.dispatch_graph import DispatchGraph, dispatch_graph, segment_name
from counterpoint.schedule.emulation import emulated
from counterpoint.schedule.execute import Executor
from counterpoint.schedule.frame_check import FrameCheck
from counterpoint.schedule.pace import Pace
from counterpoint.schedule.plan import Plan, Segment, check_plan
from counterpoint.schedule.trace import Trace
from counterpoint.schedule.wiring import Step, wire_lane

Frame = Mapping[str, Tensor] | Tensor
"""Inputs by name, or the array itself where the network has a single input."""

_Run = Callable[[Sequence[str] | None, Mapping[str, Tensor]], list[Tensor]]
_Key = tuple[frozenset[int], str]


class Session:
    """A network that runs by a plan. Used by one thread at a time; a context manager.

    Args:
        network: What runs.
        plan: How.
        engines: By name, as compute units name them.
        platform: Where.
        allow_other_machine: Accept a plan made on another machine if its units are here.
        trace: Record who ran what when, for :meth:`trace`.
        pace: For a machine that is not here: segments, and transfers over links, take the time that
            the plan predicts. ``None``: they take what they take.

    Raises:
        PlanFileError: The plan is for another network or machine, or shall be emulated and
            predicts no times.
        EngineError: An engine is not here, or refused a segment.
        MachineError: The plan wants processors that this program may not use.
    """

    def __init__(
        self,
        network: Network,
        plan: Plan,
        *,
        engines: Mapping[str, Engine],
        platform: Platform,
        allow_other_machine: bool = False,
        trace: bool = False,
        pace: Pace | None = None,
    ) -> None:
        check_plan(plan, network, platform, allow_other_machine=allow_other_machine)
        graph = dispatch_graph(network, plan, platform)
        self._frames = FrameCheck(network)
        with ExitStack() as undo:
            compiled: dict[_Key, CompiledSegment] = {}
            for key, (segment, exclusive) in _distinct(plan, graph).items():
                unit = platform.unit(segment.unit)
                compiled[key] = _compile(network, segment, unit, engines, exclusive)
                undo.callback(compiled[key].close)
            lanes = tuple(
                wire_lane(network, lane, [compiled[_key(segment)] for segment in lane.segments])
                for lane in plan.lanes
            )
            if pace is not None:
                graph, lanes = emulated(network, plan, platform, lanes, pace)
            self._executor = Executor(graph, lanes, trace=trace)
            undo.callback(self._executor.close)
            # Also when a session that nobody closed is collected, or the program ends.
            self._finalizer = weakref.finalize(self, undo.pop_all().close)
        self._single = None if trace or pace else self._executor.only_step
        self._run = _runner(self._frames, self._executor, self._single)

    def run(self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Runs one frame; ONNX Runtime's signature.

        Args:
            output_names: What to return; ``None`` for all outputs, in the network's order.
            inputs: Arrays by name, each of the network's dtype and shape.

        Raises:
            FrameError: A name, dtype or shape does not fit.
            EngineError: An engine failed; names the layer and the unit. The next frame may be run.
            UserInputError: A stream is open, or the session is closed.
        """
        return self._run(output_names, inputs)

    def run_async(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor]
    ) -> Future[list[Tensor]]:
        """Starts one frame and doesn't wait for its result.

        As many frames are under way as the plan allows, and one more waits its turn; a call
        that would start yet another waits. ``run`` may be called in between, ``stream`` too. The
        session must stay open until the results are there: closing it fails the frames that
        are still under way.

        Args:
            output_names: As for :meth:`run`.
            inputs: As for :meth:`run`. No array may be written to before the result is there.

        Returns:
            The outputs, or the EngineError. Frames may be done in another order than they came in.
            It can be cancelled until the frame's first segment starts. Its callbacks run in
            the session's threads, should be short, and cannot run frames.

        Raises:
            FrameError: A name, dtype or shape does not fit.
            UserInputError: A stream is open, the session is closed, or a callback makes this call.
        """
        self._frames.check_names(output_names)
        select = partial(self._frames.select, output_names)
        future = self._executor.run_async(self._frames.inputs(inputs), select)
        # Segments now run in threads of their own; the caller's must not run them beside these.
        if self._single is not None:
            self._single = None
            self._run = _runner(self._frames, self._executor, None)
        return future

    def stream(
        self, frames: Iterable[Frame], output_names: Sequence[str] | None = None
    ) -> Iterator[list[Tensor]]:
        """Runs frames as results are asked for, as many at once as the plan says.

        Args:
            frames: Pulled one by one, when there is room; may be endless. An array must not be
                written to before its result is there.
            output_names: What to return of each; ``None`` for all outputs.

        Returns:
            One list for each frame, in order. When a frame fails, the results before it come
            first, then the error; frames that had started behind it are dropped.

        Raises:
            FrameError: A name, dtype or shape does not fit; names the frame.
            EngineError: An engine failed; names the layer and the unit.
            UserInputError: Another stream is open, or the session is closed.
        """
        self._frames.check_names(output_names)
        return self._results(frames, output_names)

    def trace(self) -> Trace | None:
        """Who ran what when, in the last run or stream; ``None`` without ``trace=True``.

        After :meth:`run_async`: in all frames that it started since then.
        """
        return self._executor.trace()

    def close(self) -> None:
        """Stops threads and closes engines. May be called twice."""
        self._run = _refuse
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, frames: Iterable[Frame]) -> Iterator[list[Tensor]]:
        for number, frame in enumerate(frames):
            try:
                inputs = (
                    self._frames.inputs(frame)
                    if isinstance(frame, Mapping)
                    else self._frames.only_input(frame)
                )
            except FrameError as error:
                raise FrameError(f"frame {number}: {error}") from None
            yield inputs

    def _results(
        self, frames: Iterable[Frame], output_names: Sequence[str] | None
    ) -> Iterator[list[Tensor]]:
        with closing(self._executor.stream(self._checked(frames))) as results:
            for outputs in results:
                yield self._frames.select(output_names, outputs)


def _runner(frames: FrameCheck, executor: Executor, step: Step | None) -> _Run:
    """How frames run: through the executor, or straight to the engine where the plan's only segment
    is given. The less a small network waits for Python the better.
    """
    if step is None:

        def run(output_names: Sequence[str] | None, inputs: Mapping[str, Tensor]) -> list[Tensor]:
            frames.check_names(output_names)
            return frames.select(output_names, executor.run(frames.inputs(inputs)))

        return run
    call = step.call

    def run_direct(
        output_names: Sequence[str] | None, inputs: Mapping[str, Tensor]
    ) -> list[Tensor]:
        if output_names:
            frames.check_names(output_names)
        return frames.select(output_names, list(call(frames.inputs(inputs))))

    return run_direct


def _refuse(output_names: Sequence[str] | None, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    raise UserInputError("the session is closed: make a new one")


def _key(segment: Segment) -> _Key:
    """Lanes that have a segment in common share it: its devices run it once at a time."""
    return frozenset(segment.layers), segment.unit


def _distinct(plan: Plan, graph: DispatchGraph) -> dict[_Key, tuple[Segment, bool]]:
    """Each segment once, and whether nothing else ever runs on its devices."""
    users: dict[str, set[_Key]] = {}
    devices: dict[_Key, tuple[Segment, tuple[str, ...]]] = {}
    for lane, nodes in zip(plan.lanes, graph.lanes, strict=True):
        for segment, node in zip(lane.segments, nodes, strict=True):
            devices[_key(segment)] = (segment, node.devices)
            for device in node.devices:
                users.setdefault(device, set()).add(_key(segment))
    return {
        key: (segment, all(len(users[device]) == 1 for device in names))
        for key, (segment, names) in devices.items()
    }


def _compile(
    network: Network,
    segment: Segment,
    unit: ComputeUnit,
    engines: Mapping[str, Engine],
    exclusive: bool,
) -> CompiledSegment:
    engine = engines.get(unit.engine)
    if engine is None:
        there = ", ".join(sorted(engines)) or "none"
        raise EngineError(
            f"{unit.name} needs the engine {unit.engine!r}, which is not here; there are: {there}",
            unit=unit.name,
        )
    part = network.subnetwork(segment.layers)
    try:
        return engine.compile(part, unit, exclusive=exclusive)
    except CounterpointError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EngineError(
            f"{unit.name} refused segment {segment_name(network, segment)}: {reason}",
            layer=part.layers[0].name,
            unit=unit.name,
        ) from error
