"""The dispatcher driven by real threads: one for each group of devices that segments occupy.

A thread waits for a segment, runs it, tells the dispatcher, and hands what starts next to the
threads it concerns. A device gets a new segment only when it is idle, so a thread's mailbox never
holds more than one; how many frames are under way the dispatcher bounds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import RLock, Semaphore, Thread, current_thread

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import CounterpointError, InternalError, MachineError, UserInputError
from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.dispatcher import (
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    SegmentFinished,
)
from counterpoint.schedule.flight import Flight, Select, resolve
from counterpoint.schedule.pinning import pin
from counterpoint.schedule.recorder import Recorder
from counterpoint.schedule.wiring import LaneWiring

_RESULTS_PER_FRAME_IN_FLIGHT = 4
"""Frames that a stream holds, finished ones that wait for an older one included, for each frame in
flight: lanes of unlike speed overtake each other, and must not stand still for that."""

Job = tuple[Flight, int, int]
"""Run that segment of that lane for that frame."""


class DeviceThreads:
    """Runs frames on device threads.

    Attributes:
        broken: What stopped a thread or cut the dispatcher off; every frame fails with it from
            then on.

    Invariants, under ``_lock``: ``_flights`` is exactly the frames that the dispatcher holds. When
    it says that one is done, or everything breaks, the frame moves to ``_landed``, once; whoever
    held the lock then replies to its caller, without the lock, as that may run the caller's code.
    """

    def __init__(
        self, graph: DispatchGraph, lanes: Sequence[LaneWiring], recorder: Recorder | None
    ) -> None:
        self._lanes = lanes
        self._recorder = recorder
        self._limit = graph.frames_in_flight
        self._dispatcher = Dispatcher(graph)
        # Reentrant, as the garbage collector may call close() from anywhere.
        self._lock = RLock()
        self._flights: dict[int, Flight] = {}
        self._landed: deque[Flight] = deque()
        # One frame more than may be under way, so that it is here when another one is done.
        self._room = Semaphore(graph.frames_in_flight + 1)
        self._next_frame = 0
        self._closed = False
        self.broken: InternalError | None = None
        groups: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = {}
        self._group_of = tuple(
            tuple(groups.setdefault((node.devices, node.cores), len(groups)) for node in lane)
            for lane in graph.lanes
        )
        self._mailboxes: tuple[SimpleQueue[Job | None], ...] = tuple(SimpleQueue() for _ in groups)
        # Daemons: a program that forgets to close still ends.
        self._threads = tuple(
            Thread(target=self._work, args=(index,), name="+".join(devices), daemon=True)
            for (devices, _), index in groups.items()
        )
        for thread in self._threads:
            thread.start()
        try:
            for thread, (_, cores) in zip(self._threads, groups, strict=True):
                pin(thread, cores)
        except MachineError:
            self.close()
            raise

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Runs one frame.

        Raises:
            EngineError: An engine failed.
            UserInputError: The threads are closed.
        """
        self.restart_recorder()
        reply: SimpleQueue[Flight] = SimpleQueue()
        self._submit(inputs, reply.put)
        return reply.get().outputs()

    def run_async(self, inputs: Sequence[Tensor], select: Select) -> Future[list[Tensor]]:
        """Starts one frame, when there is room for it.

        Args:
            inputs: Its tensors.
            select: What becomes of its outputs; called in any thread.

        Returns:
            What can be cancelled until the frame's first segment starts.

        Raises:
            UserInputError: The threads are closed, or one of them makes this call.
        """
        self._check_caller()
        future: Future[list[Tensor]] = Future()

        def reply(flight: Flight) -> None:
            self._room.release()
            resolve(future, flight, select)

        self._room.acquire()
        try:
            self._submit(inputs, reply, future.set_running_or_notify_cancel)
        except BaseException:
            self._room.release()
            raise
        return future

    def stream(self, frames: Iterable[Sequence[Tensor]]) -> Iterator[list[Tensor]]:
        """Runs frames, several at once; results in order.

        A frame is pulled when there is room for it. When the source or a frame fails, the results
        before it still come, then its error; whatever is under way by then finishes first.

        Raises:
            EngineError: An engine failed.
            UserInputError: The threads are closed.
        """
        self.restart_recorder()
        reply: SimpleQueue[Flight] = SimpleQueue()
        in_order: deque[Flight] = deque()
        running = 0
        source: Iterator[Sequence[Tensor]] | None = iter(frames)
        failure: Exception | None = None
        try:
            while True:
                running -= _drain(reply)
                if in_order and in_order[0].done:
                    yield in_order.popleft().outputs()
                elif source is not None and self._has_room(running, len(in_order)):
                    try:
                        inputs = next(source)
                    except StopIteration:
                        source = None
                    except Exception as error:  # raised below, after the results before it
                        source, failure = None, error
                    else:
                        in_order.append(self._submit(inputs, reply.put))
                        running += 1
                elif running:
                    reply.get()
                    running -= 1
                else:
                    break
        finally:
            # Not by counting: an interrupt may fall between a reply and its count.
            while not all(flight.done for flight in in_order):
                reply.get()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stops and joins the threads. Frames under way fail. May be called twice."""
        with self._lock:
            if self._closed:
                return
            # From here on every start is skipped, so nothing is put into a mailbox after None.
            self._closed = True
        for mailbox in self._mailboxes:
            mailbox.put(None)
        for thread in self._threads:
            if thread is not current_thread():
                thread.join()

    def restart_recorder(self) -> None:
        """The next frame will be number 0 of the trace."""
        if self._recorder is not None:
            self._recorder.restart(self._next_frame)

    def _check_caller(self) -> None:
        if current_thread() in self._threads:
            raise UserInputError(
                "the callback of a future cannot run frames, as the thread that calls it would "
                "wait for itself: use another thread"
            )

    def _has_room(self, running: int, held: int) -> bool:
        # One frame more than may be under way, so that it is here when another one is done.
        return running <= self._limit and held < _RESULTS_PER_FRAME_IN_FLIGHT * self._limit

    def _submit(
        self,
        inputs: Sequence[Tensor],
        reply: Callable[[Flight], None],
        claim: Callable[[], bool] | None = None,
    ) -> Flight:
        self._check_caller()
        with self._lock:
            if self.broken is not None:
                raise self.broken
            if self._closed:
                raise UserInputError("the session is closed: make a new one")
            flight = Flight(self._next_frame, inputs, reply, claim)
            self._next_frame += 1
            self._flights[flight.frame] = flight
            try:
                self._dispatch(FrameArrived(flight.frame), None)
            except BaseException as error:  # an interrupt too: what it cut off is not known
                self._break(error)
                raise
        if self._landed:
            self._reply()
        return flight

    def _work(self, group: int) -> None:
        mailbox = self._mailboxes[group]
        try:
            while (job := mailbox.get()) is not None:
                following: Job | None = job
                del job  # a thread that waits holds no tensors
                while following is not None:
                    following = self._run_job(following, group)
        except BaseException as error:
            self._break(error)

    def _run_job(self, job: Job, group: int) -> Job | None:
        """Runs a segment; returns the next one for the same thread if that starts at once."""
        flight, lane, segment = job
        step = self._lanes[lane].steps[segment]
        failure: CounterpointError | None = None
        start_ns = time.perf_counter_ns()
        try:
            step.advance(flight.slots)
        except CounterpointError as error:
            failure = error
        if self._recorder is not None:
            end_ns = time.perf_counter_ns()
            self._recorder.add(start_ns, end_ns, flight.frame, lane, segment)
        with self._lock:
            flight.error = flight.error or failure
            flight.release(self._lanes[lane], step.reads)
            following = self._dispatch(SegmentFinished(flight.frame, segment), group)
        if self._landed:
            self._reply()
        return following

    def _dispatch(self, event: Event, own_group: int | None) -> Job | None:
        """Tells the dispatcher and does what it says; the caller holds the lock."""
        own_job: Job | None = None
        events = deque([event])
        while events:
            for command in self._dispatcher.handle(events.popleft()):
                if isinstance(command, FrameDone):
                    flight = self._flights.pop(command.frame)
                    flight.land()
                    self._landed.append(flight)
                    continue
                frame, lane, segment, _ = command
                flight = self._flights[frame]
                if flight.lane is None:
                    flight.enter(self._lanes[lane])
                    if flight.claim is not None and not flight.claim():
                        flight.error = UserInputError("the frame was cancelled")
                if self._closed and flight.error is None:
                    flight.error = UserInputError("the session was closed while frames ran")
                group = self._group_of[lane][segment]
                if flight.error is not None:
                    events.append(SegmentFinished(frame, segment))
                elif group == own_group:
                    own_job = (flight, lane, segment)
                else:
                    self._mailboxes[group].put((flight, lane, segment))
        return own_job

    def _break(self, error: BaseException) -> None:
        """Fails every frame, so that nobody waits for a thread that is gone."""
        with self._lock:
            self.broken = InternalError(f"the dispatcher stopped: {error!r}; please report it")
            self.broken.__cause__ = error
            for flight in self._flights.values():
                flight.error = self.broken
                flight.done = True  # what it borrowed is lost: a thread may still write to it
            self._landed.extend(self._flights.values())
            self._flights.clear()
        self._reply()

    def _reply(self) -> None:
        """Tells the callers of the frames that are done."""
        while True:
            try:
                flight = self._landed.popleft()
            except IndexError:
                return
            flight.reply(flight)


def _drain(reply: SimpleQueue[Flight]) -> int:
    """Takes what is there without waiting; how many that were."""
    count = 0
    try:
        while True:
            reply.get_nowait()
            count += 1
    except Empty:
        return count
