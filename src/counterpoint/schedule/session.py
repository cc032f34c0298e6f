"""What a program that uses Counterpoint holds: a network and a plan, ready to run."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import FrameError, UserInputError
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.assembly import Assembly
from counterpoint.schedule.checked_assembly import (
    Checking,
    assemble_with_checks,
    refuse_unchecked,
)
from counterpoint.schedule.device_threads import WatchdogMaker
from counterpoint.schedule.emulation import emulated
from counterpoint.schedule.execute import Executor
from counterpoint.schedule.frame_check import FrameCheck
from counterpoint.schedule.pace import Pace
from counterpoint.schedule.plan import Plan, check_plan
from counterpoint.schedule.recovery import Fallback, Recovery
from counterpoint.schedule.trace import Incident, Trace
from counterpoint.schedule.watchdog import Watchdog
from counterpoint.schedule.wiring import Step

Frame = Mapping[str, Tensor] | Tensor
"""Inputs by name, or the array itself where the network has a single input."""

_Run = Callable[[Sequence[str] | None, Mapping[str, Tensor]], list[Tensor]]


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
        fallback: What to do when a unit fails: refuses a segment, raises in one, hangs, or computes
            wrong numbers. The frames under way then start again by another plan, and none is lost
            or done twice. ``None``: a failure is an error, and nothing watches for hangs.
        checking: Compute some frames on other units as well, and compare. ``None``: no.
        watchdog: Makes what tells whether a call takes too long, with ``fallback``; for tests.

    Raises:
        PlanFileError: The plan is for another network or machine, or shall be emulated and
            predicts no times.
        EngineError: An engine is not here, or refused a segment; ``NoUnitLeftError`` where
            ``fallback`` knows no other plan.
        UserInputError: Nobody here can check a segment, or the machine is emulated and shall fall
            back or check.
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
        fallback: Fallback | None = None,
        checking: Checking | None = None,
        watchdog: WatchdogMaker = Watchdog,
    ) -> None:
        check_plan(plan, network, platform, allow_other_machine=allow_other_machine)
        if pace is not None and (fallback is not None or checking is not None):
            raise UserInputError(
                f"{platform.name} is emulated, where no unit fails: spot checks and falling back "
                "are for machines that are here"
            )
        self._frames = FrameCheck(network)
        self._setup = _Setup(
            network, plan, engines, platform, trace, pace, fallback, checking, watchdog
        )
        self._opened_ns = time.perf_counter_ns()
        self._earlier: tuple[Incident, ...] = ()
        self._open()

    def _open(self) -> None:
        setup = self._setup
        with ExitStack() as undo:
            self._recovery = setup.recovery()
            assembly = setup.assemble(self._recovery, undo)
            self._executor = Executor(
                assembly, trace=setup.trace, recovery=self._recovery, watchdog=setup.watchdog
            )
            undo.callback(self._executor.close)
            # Also when a session that nobody closed is collected, or the program ends.
            self._finalizer = weakref.finalize(self, undo.pop_all().close)
        self._single = None if setup.trace or setup.pace else self._executor.only_step
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

    @property
    def plan(self) -> Plan:
        """What is followed now: the session's own plan, or what took its place."""
        return self._setup.plan if self._recovery is None else self._recovery.plan

    @property
    def units_lost(self) -> frozenset[str]:
        """Names of the units that are not used any more, because they failed."""
        return frozenset() if self._recovery is None else self._recovery.lost

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What failed, and what was done about it; times are from when the session was made."""
        latest = () if self._recovery is None else self._recovery.incidents
        opened_ns = self._opened_ns
        moved = (replace(incident, time_ns=incident.time_ns - opened_ns) for incident in latest)
        return (*self._earlier, *moved)

    def restore(self) -> None:
        """Returns to the plan that the session was made with, and so to the units that failed.

        Raises:
            UserInputError: Frames are under way, or the session is closed.
            EngineError: As when the session was made; then it is closed.
        """
        if self._run is _refuse:
            raise UserInputError("the session is closed: make a new one")
        if self._executor.is_busy:
            raise UserInputError("frames are under way: take all their results first")
        self._earlier = self.incidents
        self.close()
        self._open()

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


@dataclass(frozen=True, slots=True)
class _Setup:
    """What a session is made of, as its arguments say."""

    network: Network
    plan: Plan
    engines: Mapping[str, Engine]
    platform: Platform
    trace: bool
    pace: Pace | None
    fallback: Fallback | None
    checking: Checking | None
    watchdog: WatchdogMaker

    def recovery(self) -> Recovery | None:
        """Who makes another plan ready when a unit fails."""
        if self.fallback is None:
            return None
        return Recovery(
            self.network,
            self.plan,
            self.engines,
            self.platform,
            fallback=self.fallback,
            checking=self.checking,
        )

    def assemble(self, recovery: Recovery | None, undo: ExitStack) -> Assembly:
        """The plan made ready."""
        if recovery is not None:
            undo.callback(recovery.close)
            return recovery.begin()
        assembly, unchecked = assemble_with_checks(
            self.network, self.plan, self.engines, self.platform, self.checking
        )
        undo.callback(assembly.close)
        refuse_unchecked(unchecked)
        if self.pace is not None:
            graph, lanes = emulated(
                self.network, self.plan, self.platform, assembly.lanes, self.pace
            )
            assembly = replace(assembly, graph=graph, lanes=lanes)
        return assembly


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
