"""The system under test: how LoadGen's queries become frames of a session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Protocol

import numpy as np

from counterpoint.bench.loadgen.samples import Samples
from counterpoint.bench.loadgen.settings import Expectation, Scenario
from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network

PROBE_NS = 1_000_000_000


class Query(Protocol):
    """One image that LoadGen asks for."""

    @property
    def id(self) -> int:
        """What the answer is told apart by."""

    @property
    def index(self) -> int:
        """Which image."""


class Runner(Protocol):
    """What is tested; a :class:`counterpoint.schedule.session.Session`."""

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor], /
    ) -> list[Tensor]:
        """One frame."""

    def run_async(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Tensor], /
    ) -> Future[list[Tensor]]:
        """Starts one frame."""

    def stream(self, frames: Iterator[Mapping[str, Tensor]], /) -> Iterator[list[Tensor]]:
        """Many frames, in order."""


Complete = Callable[[Sequence[int], Sequence[bytes]], None]
"""Tells LoadGen that queries, by their ids, are done, with the answers."""

Answer = Callable[[Sequence[Tensor], int], bytes]
"""Of a frame's outputs and the image's place in it: what goes into the accuracy log."""


def best_class(outputs: Sequence[Tensor], place: int) -> bytes:
    """Index of the largest value of the image's first output, as a little-endian int32."""
    return int(np.argmax(outputs[0][place])).to_bytes(4, "little", signed=True)


def first_output(outputs: Sequence[Tensor], place: int) -> bytes:
    """The image's part of the first output as it is, for networks that classify nothing."""
    return np.ascontiguousarray(outputs[0][place]).tobytes()


def answer_for(network: Network) -> Answer:
    """The best class, where the network has one output that is a score for each class."""
    shapes = [spec.shape for spec in network.outputs]
    if len(shapes) == 1 and shapes[0] is not None and len(shapes[0]) > 1:
        sizes = sorted(size for size in shapes[0][1:] if size != 1)
        if len(sizes) == 1:
            return best_class
    return first_output


class SystemUnderTest:
    """Answers queries by a session.

    An exception that leaves a call of LoadGen's takes the process down, and LoadGen cannot be told
    to stop. So a call never raises: what went wrong is kept, and the call does not return any more.

    Args:
        session: What is tested.
        samples: The images.
        scenario: Decides how queries are run: SingleStream one by one; MultiStream and Offline as
            a stream, as many frames at once as the plan says; Server as they come.
        complete: Told of answers, also in the session's own threads.
        answer: Makes them.
        stopped: Called once when it does not go on.
    """

    def __init__(
        self,
        session: Runner,
        samples: Samples,
        scenario: Scenario,
        complete: Complete,
        *,
        answer: Answer = best_class,
        stopped: Callable[[], object] = lambda: None,
    ) -> None:
        self._session = session
        self._samples = samples
        self._complete = complete
        self._answer = answer
        self._stopped = stopped
        self._waiting: SimpleQueue[Query | None] = SimpleQueue()
        self._at_work = threading.Lock()
        self._over = False
        self.failure: BaseException | None = None
        self._dispatcher: threading.Thread | None = None
        self._issue = self._issue_together
        if scenario is Scenario.SINGLE_STREAM:
            self._issue = self._issue_each
        elif scenario is Scenario.SERVER:
            self._issue = self._issue_at_once
            self._dispatcher = threading.Thread(
                target=self._dispatch, name="counterpoint-loadgen", daemon=True
            )
            self._dispatcher.start()

    def issue(self, queries: Sequence[Query]) -> None:
        """LoadGen's call for answers."""
        self._guarded(lambda: self._issue(queries))

    def load(self, indices: Sequence[int]) -> None:
        """LoadGen's call for images."""
        self._guarded(lambda: self._samples.bring(indices))

    def unload(self, indices: Sequence[int]) -> None:
        """LoadGen's call after the test."""
        self._guarded(lambda: self._samples.drop(indices))

    def close(self) -> None:
        """Ends the work, after the queries that wait. The session is not used any more."""
        if self._dispatcher is not None:
            self._waiting.put(None)
            self._dispatcher.join()
            self._dispatcher = None

    def abandon(self) -> None:
        """Leaves LoadGen alone with its queries, for ever. The session is not used any more."""
        self._over = True
        with self._at_work:
            self.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        with self._at_work:
            if not self._over:
                try:
                    work()
                except BaseException as error:
                    self._fail(error)
        if self._over:
            threading.Event().wait()

    def _issue_each(self, queries: Sequence[Query]) -> None:
        for query in queries:
            outputs = self._session.run(None, self._samples.frame((query.index,)))
            self._complete((query.id,), (self._answer(outputs, 0),))

    def _issue_together(self, queries: Sequence[Query]) -> None:
        batch = self._samples.batch
        parts = [queries[start : start + batch] for start in range(0, len(queries), batch)]

        def frames() -> Iterator[Mapping[str, Tensor]]:
            for part in parts:
                if self._over:
                    return
                yield self._samples.frame([query.index for query in part])

        for part, outputs in zip(parts, self._session.stream(frames()), strict=False):
            self._done(part, outputs)

    def _issue_at_once(self, queries: Sequence[Query]) -> None:
        for query in queries:
            self._waiting.put(query)

    def _dispatch(self) -> None:
        """Makes frames of the queries that have come, without waiting for them to be full."""
        while (first := self._waiting.get()) is not None:
            part = [first]
            more: Query | None = first
            while more is not None and len(part) < self._samples.batch:
                try:
                    more = self._waiting.get_nowait()
                except Empty:
                    break
                if more is not None:
                    part.append(more)
            if not self._over:
                try:
                    frame = self._samples.frame([query.index for query in part])
                    self._session.run_async(None, frame).add_done_callback(self._finisher(part))
                except Exception as error:
                    self._fail(error)
            if more is None:
                return

    def _finisher(self, part: Sequence[Query]) -> Callable[[Future[list[Tensor]]], None]:
        def finish(future: Future[list[Tensor]]) -> None:
            try:
                if not self._over:
                    self._done(part, future.result())
            except Exception as error:
                self._fail(error)

        return finish

    def _done(self, part: Sequence[Query], outputs: Sequence[Tensor]) -> None:
        answers = [self._answer(outputs, place) for place in range(len(part))]
        self._complete([query.id for query in part], answers)

    def _fail(self, error: BaseException) -> None:
        self._over = True
        if self.failure is None:
            self.failure = error
            self._stopped()


def probe(session: Runner, samples: Samples, scenario: Scenario) -> Expectation:
    """A short look at what the session can do, for :class:`Expectation`; warms it up as well.

    Raises:
        CounterpointError: A frame failed.
    """
    samples.bring((0,))
    frame = samples.frame((0,))
    session.run(None, frame)
    times: list[int] = []
    begin = time.perf_counter_ns()
    while not times or time.perf_counter_ns() - begin < PROBE_NS:
        start = time.perf_counter_ns()
        session.run(None, frame)
        times.append(time.perf_counter_ns() - start)
    fastest_ns = min(times)
    if scenario is Scenario.SINGLE_STREAM:  # a stream would end the session's shortest way
        return Expectation(fastest_ns, samples.batch * 1e9 / fastest_ns)
    begin = time.perf_counter_ns()

    def frames() -> Iterator[Mapping[str, Tensor]]:
        while time.perf_counter_ns() - begin < PROBE_NS:
            yield frame

    count = sum(1 for _ in session.stream(frames()))
    took_ns = time.perf_counter_ns() - begin
    return Expectation(fastest_ns, count * samples.batch * 1e9 / took_ns)
