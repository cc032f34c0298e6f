"""Many frames through device threads, several at once, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue

from counterpoint.engines.protocol import Tensor
from counterpoint.schedule.flight import Flight

_RESULTS_PER_FRAME_IN_FLIGHT = 4
"""Frames that a stream holds, finished ones that wait for an older one included, for each frame in
flight: lanes of unlike speed overtake each other, and must not stand still for that."""

Submit = Callable[[Sequence[Tensor], Callable[[Flight], None]], Flight]
"""Starts a frame with those inputs; the other is called once when it is done."""


def stream(
    frames: Iterable[Sequence[Tensor]], submit: Submit, limit: Callable[[], int]
) -> Iterator[list[Tensor]]:
    """Runs frames; see :meth:`counterpoint.schedule.device_threads.DeviceThreads.stream`.

    Args:
        frames: Their inputs, pulled when there is room.
        submit: Starts one.
        limit: How many may be under way now.
    """
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
            elif source is not None and _has_room(running, len(in_order), limit()):
                try:
                    inputs = next(source)
                except StopIteration:
                    source = None
                except Exception as error:  # raised below, after the results before it
                    source, failure = None, error
                else:
                    in_order.append(submit(inputs, reply.put))
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


def _has_room(running: int, held: int, limit: int) -> bool:
    # One frame more than may be under way, so that it is here when another one is done.
    return running <= limit and held < _RESULTS_PER_FRAME_IN_FLIGHT * limit


def _drain(reply: SimpleQueue[Flight]) -> int:
    """Takes what is there without waiting; how many that were."""
    count = 0
    try:
        while True:
            reply.get_nowait()
            count += 1
    except Empty:
        return count
