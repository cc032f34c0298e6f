"""A contender of a throughput comparison, before it is known how many frames a sample has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Entrant
from counterpoint.bench.result import Contender
from counterpoint.measure.sampling import Contender as Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A contender at its best batch.

    Attributes:
        contender: Who.
        batch: Images in a frame.
        image_ns: What an image took when it was tried.
        ready: Makes ready to run so many frames as one sample.
        warm_frames: In front of a sample.
        rotation: Frames after which all lanes have had their share.
        interval_ns: From one frame's end to the next one's, as predicted.
        note: What is unlike the others.
    """

    contender: Contender
    batch: int
    image_ns: float
    ready: Callable[[int], Ready]
    warm_frames: int = 1
    rotation: int = 1
    interval_ns: int | None = None
    note: str | None = None

    @property
    def frame_ns(self) -> float:
        """What a frame took."""
        return max(1.0, self.image_ns * self.batch)

    def entrant(self, images: int, rounds: int, row_ns: float) -> Entrant:
        """So many frames a sample that all rounds together see the images, if they have the time.

        Args:
            images: In all rounds.
            rounds: How many.
            row_ns: For the samples of all rounds.
        """
        wanted = -(-images // (rounds * self.batch))
        fits = int(row_ns / rounds / self.frame_ns)
        frames = max(self.warm_frames, min(wanted, fits))
        # Lanes alike finish together, so that only whole rounds of them have a mean rate.
        frames = -(-frames // self.rotation) * self.rotation
        return Entrant(
            contender=self.contender,
            ready=self.ready(frames),
            batch=self.batch,
            frames_per_sample=frames,
            predicted_ns=None if self.interval_ns is None else self.interval_ns * frames,
            note=self.note,
        )
