"""The engines' own throughput modes, each at the batch that suits it best."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Contender
from counterpoint.network.graph import Network
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.stream_meter import STREAM_NS
from counterpoint.tuning.streams import installed_stream

FEWEST_FRAMES = 8
"""At least so many are timed."""


@dataclass(frozen=True, slots=True)
class InstalledMode:
    """An engine's own throughput mode at its best batch."""

    label: str
    batch: int
    image_ns: float


class InstalledModes:
    """Tries the modes at growing batches.

    Args:
        engines: By name; none to compare with nothing.
        any_precision: In the engines' default precision; otherwise the network's own.

    Attributes:
        best: By label, what was fastest so far.
        rejected: Why a mode is not among them, in sentences.
    """

    def __init__(self, engines: Mapping[str, Engine], *, any_precision: bool) -> None:
        self._makers = {
            f"{engine.name} {label}": make
            for engine in engines.values()
            for label, make in engine.throughput_modes(any_precision=any_precision).items()
        }
        self._open = set(self._makers)
        self.best: dict[str, InstalledMode] = {}
        self.rejected: list[str] = []

    def try_batch(self, network: Network, batch: int, frame: Mapping[str, Tensor]) -> None:
        """Times every mode that has not failed, and not become slower, at smaller batches.

        Args:
            network: At that batch.
            batch: Images in a frame.
            frame: Of that batch, inputs by name.
        """
        inputs = ordered(network, frame)
        for label in [name for name in self._makers if name in self._open]:
            try:
                stream = self._makers[label](network)
            except EngineError as error:
                self.rejected.append(str(error))
                self._open.remove(label)
                continue
            try:
                begin = time.perf_counter_ns()
                stream.run(inputs, FEWEST_FRAMES // 2)
                each_ns = max(1, 2 * (time.perf_counter_ns() - begin) // FEWEST_FRAMES)
                count = max(FEWEST_FRAMES, STREAM_NS // each_ns)
                begin = time.perf_counter_ns()
                stream.run(inputs, count)
                image_ns = (time.perf_counter_ns() - begin) / (count * batch)
            finally:
                stream.close()
            known = self.best.get(label)
            if known is None or image_ns < known.image_ns:
                self.best[label] = InstalledMode(label, batch, image_ns)
            else:
                self._open.remove(label)

    def contender(
        self, mode: InstalledMode, network: Network, frame: Mapping[str, Tensor], *, frames: int
    ) -> Contender:
        """That many frames by a mode, as often as it is called; network and frame at its batch."""
        return installed_stream(network, partial(self._makers[mode.label], network), frame, frames)
