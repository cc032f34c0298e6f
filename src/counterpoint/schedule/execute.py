"""The dispatcher driven by the real clock: a plan's compiled segments, on this machine.

Two drivers. Where a frame's segments run one after another anyway, and nowhere in particular, the
caller's own thread runs them, in the order that the dispatcher gives. Where segments overlap or
belong on certain processors, device threads do; also from the first frame on that a caller doesn't
wait for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import UserInputError
from counterpoint.schedule.assembly import Assembly
from counterpoint.schedule.device_threads import DeviceThreads, WatchdogMaker
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import (
    Dispatcher,
    FrameArrived,
    LaneRotation,
    SegmentFinished,
    Start,
)
from counterpoint.schedule.flight import Select
from counterpoint.schedule.pinning import needs_pinning
from counterpoint.schedule.recorder import Recorder
from counterpoint.schedule.recovery import Recovers
from counterpoint.schedule.trace import Trace
from counterpoint.schedule.watchdog import Watchdog
from counterpoint.schedule.wiring import LaneWiring, Slots, Step


def segment_order(graph: DispatchGraph, lane: int) -> tuple[int, ...]:
    """The order in which one thread runs a frame's segments when nothing else is under way."""
    dispatcher = Dispatcher(DispatchGraph((graph.lanes[lane],), (1,), 1))
    order: list[int] = []
    commands = deque(dispatcher.handle(FrameArrived(0)))
    while commands:
        command = commands.popleft()
        if isinstance(command, Start):
            order.append(command.segment)
            commands.extend(dispatcher.handle(SegmentFinished(0, command.segment)))
    return tuple(order)


class CallerThread:
    """Runs frames one at a time, in the thread of the caller."""

    def __init__(
        self, graph: DispatchGraph, lanes: Sequence[LaneWiring], recorder: Recorder | None
    ) -> None:
        self._lanes = lanes
        self._recorder = recorder
        self._rotation = LaneRotation(graph.shares)
        self._frame = 0
        self._programs = []
        for index, lane in enumerate(lanes):
            order = segment_order(graph, index)
            free = lane.last_reads(order)
            steps = [(segment, lane.steps[segment]) for segment in order]
            self._programs.append([(*step, slots) for step, slots in zip(steps, free, strict=True)])

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Runs one frame. Raises EngineError when an engine fails; the next frame may be run."""
        index = self._rotation.next()
        lane = self._lanes[index]
        slots: Slots = [*inputs, *[None] * (len(lane.readers) - len(inputs))]
        try:
            if self._recorder is not None:
                self._run_recorded(index, slots, self._recorder)
            else:
                for _, step, read_last in self._programs[index]:
                    step.advance(slots)
                    for slot in read_last:
                        lane.let_go(slots, slot)
        except BaseException:
            lane.let_go_all(slots)
            raise
        return [slots[slot] for slot in lane.outputs]  # type: ignore[misc]

    def restart_recorder(self) -> None:
        """The next frame will be number 0 of the trace."""
        if self._recorder is not None:
            self._recorder.restart(self._frame)

    def _run_recorded(self, lane: int, slots: Slots, recorder: Recorder) -> None:
        clock = time.perf_counter_ns
        frame = self._frame
        self._frame += 1
        for segment, step, read_last in self._programs[lane]:
            start_ns = clock()
            step.advance(slots)
            recorder.add(start_ns, clock(), frame, lane, segment)
            for slot in read_last:
                self._lanes[lane].let_go(slots, slot)


class Executor:
    """Runs frames as a plan says. Used by one thread at a time.

    Args:
        assembly: What runs; it stays the caller's to close.
        trace: Record spans.
        recovery: Asked when a unit fails; ``None``: its error is the frame's. A call that hangs
            must not be the caller's, so with it all frames run on device threads.
        watchdog: Makes what tells whether a call takes too long, with ``recovery``.

    Raises:
        MachineError: A segment belongs on processors that this program may not use.
    """

    def __init__(
        self,
        assembly: Assembly,
        *,
        trace: bool = False,
        recovery: Recovers | None = None,
        watchdog: WatchdogMaker = Watchdog,
    ) -> None:
        graph = assembly.graph
        self._lanes = assembly.lanes
        self._assembly = assembly
        self._recorder = Recorder(graph) if trace else None
        pinned = any(needs_pinning(node) for lane in graph.lanes for node in lane)
        overlaps = pinned or not graph.is_sequential or recovery is not None
        self._caller = CallerThread(graph, self._lanes, self._recorder)
        self._threads = (
            DeviceThreads(assembly, self._recorder, recovery, watchdog)
            if overlaps or graph.frames_in_flight > 1
            else None
        )
        self._run_threads = self._threads if overlaps else None
        self._streaming = False
        self._asynchronous = False
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """A stream is open, or a frame is under way that nobody waited for."""
        return self._streaming or (self._threads is not None and self._threads.is_busy)

    @property
    def only_step(self) -> Step | None:
        """The plan's single segment where nothing but the caller's thread ever runs it."""
        steps = [step for lane in self._lanes for step in lane.steps]
        return steps[0] if len(steps) == 1 and self._threads is None else None

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Runs one frame.

        Args:
            inputs: C-contiguous, one for each of the network's inputs, of its dtype and shape.

        Returns:
            One tensor for each of the network's outputs.

        Raises:
            EngineError: An engine failed; the next frame may be run.
            UserInputError: A stream is open, or the executor is closed.
        """
        self._check_free()
        self._asynchronous = False
        if self._run_threads is not None:
            return self._run_threads.run(inputs)
        self._caller.restart_recorder()
        return self._caller.run(inputs)

    def run_async(self, inputs: Sequence[Tensor], select: Select) -> Future[list[Tensor]]:
        """Starts one frame; waits while as many are under way as the plan allows, and one more.

        From then on all frames run on device threads.

        Args:
            inputs: As in :meth:`run`.
            select: What becomes of the network's outputs; called in any thread.

        Raises:
            UserInputError: A stream is open, the executor is closed, or the call came from a
                callback of a future.
        """
        self._check_free()
        if self._threads is None:
            self._threads = DeviceThreads(self._assembly, self._recorder)
        self._run_threads = self._threads
        if not self._asynchronous:
            self._threads.restart_recorder()
            self._asynchronous = True
        return self._threads.run_async(inputs, select)

    def stream(self, frames: Iterable[Sequence[Tensor]]) -> Generator[list[Tensor], None, None]:
        """Runs frames as they are asked for, as many at once as the plan says; results in order.

        Raises:
            EngineError: An engine failed; the results before it have come.
            UserInputError: Another stream is open, or the executor is closed.
        """
        self._check_free()
        self._asynchronous = False
        if self._threads is None:
            self._caller.restart_recorder()
            for inputs in frames:
                self._check_open()
                yield self._caller.run(inputs)
            return
        self._streaming = True
        try:
            yield from self._threads.stream(frames)
        finally:
            self._streaming = False

    def trace(self) -> Trace | None:
        """The spans of the last run or stream, or of the frames that nobody waited for since then.

        ``None`` when they are not recorded.
        """
        return None if self._recorder is None else self._recorder.trace()

    def close(self) -> None:
        """Stops the threads. Frames under way fail. May be called twice."""
        self._closed = True
        if self._threads is not None:
            self._threads.close()

    def _check_free(self) -> None:
        if self._streaming:
            raise UserInputError("a stream is open: take all its results or close it first")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise UserInputError("the session is closed: make a new one")
