"""A frame on its way through the device threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from counterpoint.engines.protocol import Tensor
from counterpoint.errors import CounterpointError, InternalError, UserInputError
from counterpoint.schedule.wiring import LaneWiring, Slots

Select = Callable[[list[Tensor]], list[Tensor]]
"""What a caller wants of the network's outputs."""


class Flight:
    """A frame on its way.

    Attributes:
        frame: Its number; the dispatcher knows it by this.
        slots: Its tensors.
        reply: Called once when it is done, with it.
        claimed: Its caller has said whether he still wants it.
        lane: Its lane; ``None`` before its first segment started.
        unread: For each slot how many are still to read it.
        error: Why it has no result. Its remaining segments are skipped.
        done: Nobody works on it any more.

    Args:
        frame: See above.
        inputs: The network's.
        reply: See above.
        claim: Called once before its first segment starts, says whether its caller still wants it;
            ``None`` where he always does.
        may_restart: Keep the inputs until the frame is done.
    """

    __slots__ = (
        "_claim",
        "_inputs",
        "claimed",
        "done",
        "error",
        "frame",
        "lane",
        "reply",
        "slots",
        "unread",
    )

    def __init__(
        self,
        frame: int,
        inputs: Sequence[Tensor],
        reply: Callable[[Flight], None],
        claim: Callable[[], bool] | None = None,
        *,
        may_restart: bool = False,
    ) -> None:
        self.frame = frame
        self.slots: Slots = [*inputs]
        self.reply = reply
        self.claimed = False
        self._claim = claim
        self._inputs = inputs if may_restart else None
        self.lane: LaneWiring | None = None
        self.unread: list[int] = []
        self.error: CounterpointError | None = None
        self.done = False

    def restart(self) -> None:
        """Forgets how far it is.

        Whoever still works on it keeps the old list of tensors; what those borrowed is not used
        again, as somebody may yet write to it.
        """
        if self._inputs is None:
            raise InternalError(f"frame {self.frame} starts again without its inputs")
        self.slots = [*self._inputs]
        self.lane = None
        self.unread = []

    def enter(self, lane: LaneWiring) -> None:
        """Takes its lane. From now on its caller cannot cancel it; if he has, that is its error."""
        if not self.claimed:
            self.claimed = True
            if self._claim is not None and not self._claim():
                self.error = UserInputError("the frame was cancelled")
        self.lane = lane
        self.unread = list(lane.readers)
        self.slots += [None] * (len(self.unread) - len(self.slots))

    def release(self, lane: LaneWiring, slots: Sequence[int]) -> None:
        """Lets go of the tensors that nobody is still to read, after one more has read these."""
        for slot in slots:
            self.unread[slot] -= 1
            if not self.unread[slot]:
                lane.let_go(self.slots, slot)

    def land(self) -> None:
        """Nobody works on it any more. What a failed one had borrowed goes back."""
        if self.error is not None and self.lane is not None:
            self.lane.let_go_all(self.slots)
        self.done = True

    def outputs(self) -> list[Tensor]:
        """The network's outputs. Raises the error if there is one."""
        if self.error is not None:
            raise self.error
        if self.lane is None:
            raise InternalError(f"frame {self.frame} has no result")
        return [self.slots[slot] for slot in self.lane.outputs]  # type: ignore[misc]


def resolve(future: Future[list[Tensor]], flight: Flight, select: Select) -> None:
    """Tells the future of a frame that is done how it went, unless it was cancelled."""
    if not flight.claimed:
        future.set_running_or_notify_cancel()
    if future.cancelled():
        return
    if flight.error is not None:
        future.set_exception(flight.error)
        return
    future.set_result(select(flight.outputs()))
