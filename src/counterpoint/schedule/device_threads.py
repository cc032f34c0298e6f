"""The dispatcher driven by real threads: one for each group of devices that segments occupy.

A thread waits for a segment, runs it, tells the dispatcher, and hands what starts next to the
threads it concerns. How many frames are under way the dispatcher bounds.

Where somebody knows how to go on without a unit that failed, the frames under way start again: the
dispatcher lets what runs come to its end, then the threads are exchanged for those of another plan.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import RLock, Semaphore, current_thread

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import CounterpointError, EngineError, InternalError, UserInputError
from counterpoint.schedule.assembly import Assembly
from counterpoint.schedule.crew import Crew, Job
from counterpoint.schedule.dispatcher import (
    DeviceFailed,
    Dispatcher,
    Event,
    FrameArrived,
    FrameDone,
    Replan,
    Replanned,
    SegmentFinished,
)
from counterpoint.schedule.failover import Failover
from counterpoint.schedule.faults import Fault, fault_of
from counterpoint.schedule.flight import Flight, Select, resolve
from counterpoint.schedule.recorder import Recorder
from counterpoint.schedule.recovery import Recovers
from counterpoint.schedule.streaming import stream
from counterpoint.schedule.watchdog import LONGEST_LOOK_S, Run, Watchdog

WatchdogMaker = Callable[[int, tuple[tuple[int, ...], ...]], Watchdog]


class DeviceThreads:
    """Runs frames on device threads.

    Args:
        assembly: What runs.
        recorder: Takes down spans and incidents; ``None``: nobody does.
        recovery: Asked when a unit fails; ``None``: its error is the frame's.
        watchdog: Makes what tells whether a call takes too long, with ``recovery``.

    Attributes:
        broken: What stopped a thread, cut the dispatcher off, or left no unit; every frame fails
            with it from then on.

    Invariants, under ``_lock``: ``_flights`` is exactly the frames that the dispatcher holds. When
    it says that one is done, or everything breaks, the frame moves to ``_landed``, once; whoever
    held the lock then replies to its caller, without the lock, as that may run the caller's code.
    """

    def __init__(
        self,
        assembly: Assembly,
        recorder: Recorder | None,
        recovery: Recovers | None = None,
        watchdog: WatchdogMaker = Watchdog,
    ) -> None:
        self._recorder = recorder
        self._recovery = recovery
        self._watchdog = watchdog
        self._limit = assembly.graph.frames_in_flight
        self._dispatcher = Dispatcher(assembly.graph)
        # Reentrant, as the garbage collector may call close() from anywhere.
        self._lock = RLock()
        self._flights: dict[int, Flight] = {}
        self._landed: deque[Flight] = deque()
        # One frame more than may be under way, so that it is here when another one is done.
        self._room = Semaphore(self._limit + 1)
        self._most_room = self._limit + 1
        self._next_frame = 0
        self._closed = False
        self.broken: CounterpointError | None = None
        self._faults: list[Fault] = []
        self._incidents_told = 0
        self._crew = Crew(assembly, self._work, watchdog)
        self._failover = None if recovery is None else Failover(self._give_up_hung, self._look_s)

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
        return stream(frames, self._submit, lambda: self._limit)

    def close(self) -> None:
        """Stops and joins the threads, except for those that hang. Frames under way fail.

        May be called twice.
        """
        with self._lock:
            if self._closed:
                return
            # From here on every start is skipped, so nothing is put into a mailbox after None.
            self._closed = True
            crew = self._crew
        crew.stop()
        crew.join()
        if self._failover is None:
            return
        self._failover.close()
        if current_thread() not in crew.threads:
            # Those that were to start again, and those that hang.
            self._fail(UserInputError(_CLOSED_UNDER_WAY), for_good=False)

    @property
    def is_busy(self) -> bool:
        """A frame is under way."""
        return bool(self._flights)

    def restart_recorder(self) -> None:
        """The next frame will be number 0 of the trace."""
        if self._recorder is not None:
            self._recorder.restart(self._next_frame)

    def _check_caller(self) -> None:
        helper = self._failover
        if current_thread() in self._crew.threads or (helper is not None and helper.is_caller):
            raise UserInputError(
                "the callback of a future cannot run frames, as the thread that calls it would "
                "wait for itself: use another thread"
            )

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
            flight = Flight(
                self._next_frame, inputs, reply, claim, may_restart=self._recovery is not None
            )
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

    def _work(self, crew: Crew, group: int) -> None:
        mailbox = crew.mailboxes[group]
        try:
            while (job := mailbox.get()) is not None:
                following: Job | None = job
                del job  # a thread that waits holds no tensors
                while following is not None:
                    following = self._run_job(crew, group, following)
                if group in crew.given_up:
                    crew.close_stranded(group)
                    return
        except BaseException as error:
            if group not in crew.given_up:
                self._break(error)

    def _run_job(self, crew: Crew, group: int, job: Job) -> Job | None:
        """Runs a segment; returns the next one for the same thread if that starts at once."""
        flight, slots, lane, segment = job
        step = crew.assembly.lanes[lane].steps[segment]
        watchdog = crew.watchdog
        failure: CounterpointError | None = None
        if watchdog is not None:
            watchdog.begin(group, flight.frame, lane, segment)
        start_ns = time.perf_counter_ns()
        try:
            step.advance(slots)
        except CounterpointError as error:
            failure = error
        end_ns = time.perf_counter_ns()
        with self._lock:
            if watchdog is not None:
                watchdog.end(group)
                if group in crew.given_up:
                    return None
            if self._recorder is not None:
                self._recorder.add(start_ns, end_ns, flight.frame, lane, segment)
            event: Event = SegmentFinished(flight.frame, segment)
            if isinstance(failure, EngineError) and self._recovery and not self._closed:
                self._faults.append(fault_of(failure, step.unit, flight.frame))
                event = DeviceFailed(flight.frame, segment)
            elif flight.slots is slots:  # otherwise the frame has started again meanwhile
                flight.error = flight.error or failure
                flight.release(crew.assembly.lanes[lane], step.reads)
            following = self._dispatch(event, group)
        if self._landed:
            self._reply()
        return following

    def _dispatch(self, event: Event, own_group: int | None) -> Job | None:
        """Tells the dispatcher and does what it says; the caller holds the lock."""
        own_job: Job | None = None
        crew = self._crew
        events = deque([event])
        if isinstance(event, DeviceFailed):
            for flight in self._flights.values():
                flight.restart()
        while events:
            for command in self._dispatcher.handle(events.popleft()):
                if isinstance(command, FrameDone):
                    flight = self._flights.pop(command.frame)
                    flight.land()
                    self._landed.append(flight)
                    continue
                if isinstance(command, Replan):
                    if self._failover is not None:
                        self._failover.order(self._go_on)
                    continue
                frame, lane, segment, _ = command
                flight = self._flights[frame]
                if flight.lane is None:
                    flight.enter(crew.assembly.lanes[lane])
                if self._closed and flight.error is None:
                    flight.error = UserInputError(_CLOSED_UNDER_WAY)
                group = crew.group_of[lane][segment]
                if flight.error is not None:
                    events.append(SegmentFinished(frame, segment))
                elif group == own_group:
                    own_job = (flight, flight.slots, lane, segment)
                else:
                    crew.mailboxes[group].put((flight, flight.slots, lane, segment))
        return own_job

    # After a fault; in the failover's thread

    def _look_s(self) -> float:
        watchdog = self._crew.watchdog
        return LONGEST_LOOK_S if watchdog is None else watchdog.look_s

    def _give_up_hung(self) -> None:
        crew = self._crew
        if crew.watchdog is None or self._recovery is None:
            return
        for group, run in crew.watchdog.overdue():
            with self._lock:
                if crew.watchdog.run_of(group) is not run or group in crew.given_up:
                    continue  # it has come back meanwhile
                crew.give_up(group, run)
                if crew.assembly.keys:
                    self._recovery.strand(crew.assembly.keys[run.lane][run.segment])
                self._faults.append(_hang(crew.assembly, run))
                self._dispatch(DeviceFailed(run.frame, run.segment), None)
            self._reply()

    def _go_on(self) -> None:
        """Nothing runs: exchanges the threads for those of another plan."""
        with self._lock:
            faults, self._faults = self._faults, []
            crew, frames = self._crew, len(self._flights)
            over = self._closed
        if over or self._recovery is None:
            return
        crew.stop()
        crew.join()
        try:
            assembly = self._recovery.after(faults, frames)
            self._tell()
            replacement = Crew(assembly, self._work, self._watchdog)
        except CounterpointError as error:
            self._tell()
            self._fail(error)
            return
        except BaseException as error:
            self._break(error)
            return
        with self._lock:
            self._crew = replacement
            if self._recorder is not None:
                self._recorder.go_by(assembly.graph)
            self._limit = assembly.graph.frames_in_flight
            more = max(0, self._limit + 1 - self._most_room)
            self._most_room += more
            closed = self._closed
            if not closed:
                self._dispatch(Replanned(assembly.graph), None)
        if more:
            self._room.release(more)
        if closed:
            replacement.stop()
            replacement.join()
        self._reply()

    def _tell(self) -> None:
        """Puts what happened into the trace."""
        if self._recorder is None or self._recovery is None:
            return
        for incident in self._recovery.incidents[self._incidents_told :]:
            self._recorder.tell(incident)
        self._incidents_told = len(self._recovery.incidents)

    def _break(self, error: BaseException) -> None:
        """Fails every frame, so that nobody waits for a thread that is gone."""
        broken = InternalError(f"the dispatcher stopped: {error!r}; please report it")
        broken.__cause__ = error
        self._fail(broken)

    def _fail(self, error: CounterpointError, *, for_good: bool = True) -> None:
        with self._lock:
            if for_good:
                self.broken = error
            for flight in self._flights.values():
                flight.error = error
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


_CLOSED_UNDER_WAY = "the session was closed while frames ran"


def _hang(assembly: Assembly, run: Run) -> Fault:
    node = assembly.graph.lanes[run.lane][run.segment]
    limit_s = assembly.limits_ns[run.lane][run.segment] / 1e9
    error = EngineError(
        f"{node.unit} hangs in segment {node.name}: no result after {limit_s:.3g} s",
        layer=assembly.lanes[run.lane].steps[run.segment].layer,
        unit=node.unit,
    )
    return Fault("hang", node.unit, error, run.frame)
